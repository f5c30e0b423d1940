/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a login with a SigV4 signature says, and whether it is true: the same
 * for AWS_MSK_IAM's JSON and for the presigned URL in an OAUTHBEARER token,
 * which differ in how it is written and in whose host is signed.
 *
 * Rules: AWS's page "Troubleshoot Signature Version 4 signing" (scope, date,
 * expiry) and aws-msk-iam-auth's README (what is signed).
 *
 * Ownership: slices are borrowed from the message. Thread: the worker's.
 * Bounds: those of auth/sigv4.h.
 */
#ifndef WEIR_AUTH_SIGNED_LOGIN_H
#define WEIR_AUTH_SIGNED_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "auth/sigv4.h"

enum {
	/* Temporary credentials which end sooner are refused: the session would
	 * be over before it is of use. AWS says "Session too short" and does
	 * not say from when on. */
	SIGNED_LOGIN_MIN_MS = 10 * 1000,
};

struct signed_login {
	struct sigv4_params	 params;	/* signed, in AWS's case */
	struct slice		 host;		/* signed, as written */
	struct slice		 signature;
	struct slice		 user_agent;	/* not signed; null: none */
	/* The host is AWS's own of the region's service, not this gateway's. */
	bool			 service_host;
};

/* What was read of it: borrowed from the login. */
struct signed_facts {
	struct sigv4_scope	 scope;
	struct slice		 time;
	struct slice		 token;		/* null: none */
};

/* All that can be said without knowing a secret; AUTH_MORE: nothing is wrong
 * so far. Fills in to->claimed as soon as it is known. */
enum auth_result signed_login_check(const struct auth_settings *s,
		    const struct signed_login *in, int64_t now_ms,
		    struct signed_facts *facts, struct auth_step *to);
/* The whole verdict: AUTH_DONE with principal, expiry and user agent. */
enum auth_result signed_login_verify(struct auth_login *l,
		    const struct signed_login *in, struct auth_step *to);

#endif
