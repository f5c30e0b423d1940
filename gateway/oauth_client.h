/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weir's own access token for brokers: the client credentials grant (RFC 6749
 * section 4.4), kept, and asked for anew at 70 % of its life. What is there
 * stays in use until it ends when the server cannot be reached.
 *
 * Ownership: oauth_client_new's caller. Thread: control; oauth_client_token is
 * any thread's and takes a short lock (once a login, never a request).
 * Bounds: one exchange at a time; OAUTH_ANSWER_MAX; OAUTH_TOKEN_MAX; failures
 * are tried again after OAUTH_BACKOFF_MIN_MS, doubling to _MAX_MS.
 */
#ifndef WEIR_OAUTH_CLIENT_H
#define WEIR_OAUTH_CLIENT_H

#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"

struct loop;
struct oauth_client;

enum {
	OAUTH_ANSWER_MAX = 64 * 1024,
	OAUTH_TOKEN_MAX = 16 * 1024,
	OAUTH_BACKOFF_MIN_MS = 100,
	OAUTH_BACKOFF_MAX_MS = 10000,
	OAUTH_LIFE_DEFAULT_S = 300,	/* where expires_in is missing */
	OAUTH_LIFE_MAX_S = 7 * 86400,	/* what is longer is asked for then */
};

/* Strings are copied. */
struct oauth_client_options {
	const char	*url;		/* of the token endpoint */
	const char	*ca_file;	/* PEM; NULL: the system's */
	const char	*client_id, *client_secret;
	const char	*scope;		/* or NULL */
	const char	*audience;	/* or NULL */
	uint32_t	 timeout_ms;	/* 0: a default */
};

/* Begins at once. */
struct oauth_client *oauth_client_new(struct loop *control,
		    const struct oauth_client_options *o);
void		 oauth_client_free(struct oauth_client *c);
/* A copy of the token; false and why when there is none that holds. */
bool		 oauth_client_token(struct oauth_client *c, struct arena *a,
		    struct slice *to, struct error *err) MUST_CHECK;

#endif
