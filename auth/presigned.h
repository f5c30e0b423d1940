/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OAUTHBEARER token of AWS's signers (aws-msk-iam-sasl-signer-*): a
 * presigned URL of kafka.REGION.amazonaws.com in base64url. They agree on what
 * is signed and differ in how it is written:
 *
 *	Java		no path: https://HOST?Action=...
 *	Python, .NET	parameters in no order
 *	JavaScript	X-Amz-Expires with a fraction, or not above 0
 *	all		User-Agent added when it was signed, so unsigned;
 *			.NET in the middle
 *
 * The host does not name a cluster: the token is good at any of the region's
 * until it expires, so TLS is all that keeps it from being replayed.
 *
 * Thread: the worker's. Bounds: AUTH_MESSAGE_MAX; those of auth/sigv4.h.
 */
#ifndef WEIR_AUTH_PRESIGNED_H
#define WEIR_AUTH_PRESIGNED_H

#include <stdbool.h>

#include "auth/auth.h"
#include "auth/signed_login.h"

/* Whether a token is one of these (good or bad) rather than a JWT. */
bool		 presigned_looks(struct slice token);
/* As a mechanism's step; leaves to->out alone. */
enum auth_result presigned_verify(struct auth_login *l, struct slice token,
		    struct arena *a, struct auth_step *to);
/* How the URL is read, for the tests; what is read stands in the arena. */
bool		 presigned_read(struct slice token, struct arena *a,
		    struct signed_login *to, struct error *err) MUST_CHECK;

#endif
