/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What limits a tenant has, how much of each is used, and what they have held
 * up: /limits of the admin side.
 * Thread: control. Bounds: LIMITS_STATUS_ROWS rows and as many users, those
 * that say most first.
 */
#ifndef WEIR_LIMITS_STATUS_H
#define WEIR_LIMITS_STATUS_H

#include <stdint.h>

#include "gateway/base/error.h"

struct gateway;
struct json_t;

enum { LIMITS_STATUS_ROWS = 1000 };

struct limits_query {
	const char	*tenant;	/* NULL: clients without one */
	const char	*principal, *topic;	/* NULL: any */
	int32_t		 partition;	/* -1: any */
};

/* NULL and why. */
struct json_t	*limits_status(struct gateway *g,
		    const struct limits_query *q, struct error *err);

#endif
