/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of MSK's two logins: weir towards brokers which ask for
 * them, and `weirctl token`. Bytes out, no sockets.
 *
 * Ownership: what is given is borrowed; what is made stands in the arena.
 * Thread: the cache's. Bounds: those of auth/sigv4.h.
 */
#ifndef WEIR_AUTH_SIGV4_CLIENT_H
#define WEIR_AUTH_SIGV4_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"

struct auth_cache;

struct sigv4_client {
	const char	*key_id, *secret;
	const char	*token;		/* of temporary credentials, or NULL */
	const char	*region;
	/* The broker's name as dialled, without port. For a token NULL means
	 * kafka.REGION.amazonaws.com, as AWS's signers have it. */
	const char	*host;
	const char	*user_agent;
	uint32_t	 expires_s;	/* 1 to 900 */
};

/* The one message of AWS_MSK_IAM, signed at now_ms. */
bool	 sigv4_client_message(struct auth_cache *c,
	    const struct sigv4_client *who, int64_t now_ms, struct arena *a,
	    struct slice *to, struct error *err) MUST_CHECK;
/* Whether what the broker answers to it says that we are in. */
bool	 sigv4_client_accepted(struct slice answer,
	    struct error *err) MUST_CHECK;
/* A token for OAUTHBEARER; it ends at now_ms + expires_s. */
bool	 sigv4_client_token(struct auth_cache *c,
	    const struct sigv4_client *who, int64_t now_ms, struct arena *a,
	    struct slice *to, struct error *err) MUST_CHECK;

#endif
