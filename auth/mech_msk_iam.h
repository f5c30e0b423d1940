/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How AWS_MSK_IAM's message is read, for the mechanism and its tests.
 * Ownership: what is read points into *held, which the caller drops with
 * json_decref whatever is returned (NULL too). Thread: any.
 */
#ifndef WEIR_AUTH_MECH_MSK_IAM_H
#define WEIR_AUTH_MECH_MSK_IAM_H

#include <jansson.h>

#include "auth/signed_login.h"
#include "gateway/base/error.h"

#define MSK_IAM_VERSION "2020_10_22"

bool	 msk_iam_read(struct slice in, json_t **held, struct signed_login *to,
	    struct error *err) MUST_CHECK;

#endif
