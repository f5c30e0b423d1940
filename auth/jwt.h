/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens in compact form (RFC 7515, RFC 7519), judged as RFC 8725 asks
 * for: the key that `kid` names decides which algorithms there are, the header
 * only has to agree; every rule of form holds before a signature is looked at,
 * and no claim is read before one was right.
 *
 * Ownership: nothing is kept. Thread: any.
 * Bounds: JWT_*; times are whole seconds up to the year 9999.
 */
#ifndef WEIR_AUTH_JWT_H
#define WEIR_AUTH_JWT_H

#include "auth/auth.h"
#include "auth/jwks.h"

enum {
	JWT_SIZE_MAX = 16 * 1024,
	JWT_HEADER_DEPTH_MAX = 4,
	JWT_CLAIMS_DEPTH_MAX = 8,
	JWT_AUDIENCES_MAX = 64,
	JWT_PATH_DEPTH_MAX = 8,		/* of a claim's dotted path */
};

struct error_list;

/* What a token is judged by; all is borrowed for the call. */
struct jwt_judge {
	const struct auth_jwt_settings	*settings;
	const struct jwks		*keys;	/* NULL: none came yet */
	const struct auth_peer		*peer;
	const char			*partition, *account;	/* of ARNs */
	int64_t				 now_ms;
};

/* AUTH_DONE with principal and expires_ms (exp and the skew, and later than
 * now), or AUTH_FAILED and why. `claimed` is set once the signature was right.
 */
enum auth_result	 jwt_judge(const struct jwt_judge *j,
			    struct slice token, struct auth_step *to);

/* Whether a token that was taken would be by these settings, too: issuer,
 * audience, algorithm, and the claims that make its principal. (It may have
 * another audience that is good; its client is asked to log in anew then.) */
bool			 jwt_still_taken(const struct auth_jwt_settings *s,
			    const struct principal *p);
/* Whether tokens are accepted at all: there is a key source. */
bool			 jwt_is_on(const struct auth_jwt_settings *s);
/* Adds a fault for each thing that would let tokens through unverified, or none
 * at all: false when there were any. Paths begin with "auth.jwt". */
bool			 jwt_settings_check(const struct auth_jwt_settings *s,
			    struct error_list *errs);

#endif
