/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's login: the SASL exchange (KIP-43, KIP-152), its renewal on the
 * live connection (KIP-368), and who the client is from then on. What is right
 * or wrong is auth/'s to say; here is when it may be said, and what follows.
 *
 * A login that fails is answered after LOGIN_DELAY_MS and a bit, in the same
 * words whatever was wrong (only a suspended tenant's members are told that,
 * once they have proven to be members), and then the connection ends; where
 * requests from before it are still out, when they are answered, or after
 * LOGIN_LAST_MS.
 *
 * A login in a name that is guessed at (guesses.h), right or wrong, gets its
 * verdict after limits.principal_delay_ms.
 *
 * Ownership: the session's; freed with it. Thread: worker.
 * Bounds: limits.login_requests_max requests and limits.login_ms before the
 * login, as many requests after its end; frames of limits.frame_max_login until
 * the first.
 */
#ifndef WEIR_CLIENT_LOGIN_H
#define WEIR_CLIENT_LOGIN_H

#include "auth/auth.h"
#include "gateway/net/conn.h"
#include "gateway/net/loop.h"

struct request;
struct session;

enum {
	LOGIN_DELAY_MS = 100,		/* connection.failed.authentication
					 * .delay.ms of a broker */
	LOGIN_JITTER_MS = 50,
	LOGIN_AGAIN_MS = 1000,		/* between two logins of a session */
	LOGIN_LAST_MS = 5000,		/* for replies before a refusal */
};

struct client_login {
	struct session		*session;
	struct auth		*auth;		/* what judges; a reference */
	struct auth_login	*exchange;	/* NULL: none is under way */
	enum auth_mechanism	 mechanism;	/* once `chosen` */
	bool			 chosen;
	bool			 raw;		/* SaslHandshake v0: tokens come
						 * without a request header */
	bool			 noted;		/* its refusal is known */
	bool			 ending;	/* when all is answered */
	uint32_t		 requests;	/* without a login that holds */
	bool			 asked;		/* ApiVersions, after its end */
	struct principal	*principal;	/* NULL: not logged in */
	struct policy_set	*policies;
	struct policy_context	 context;	/* of policies */
	struct auth_peer	 peer;
	char			 user_agent[128];
	int64_t			 ends_us;	/* of the session; 0: never */
	int64_t			 in_us;		/* when it last logged in */
	struct timer		 timer;		/* to log in, refused, or for
						 * the last replies */
	struct request		*refused;	/* told when it fires */
	struct client_login_held *held;		/* told when it fires */
	char			*suspended;	/* ... with these words; NULL */
};

/* At a session's begin, for a listener with a login. */
void	 client_login_begin(struct session *s);
void	 client_login_free(struct client_login *l);
/* The connection may be used now: TLS is up, where there is TLS. Is the
 * certificate still one to be trusted, and whose is it where the listener has
 * auth certificate? Whose is a session without a login? */
void	 client_login_ready(struct session *s);

/* A frame that is a token: the handshake was of version 0. */
bool	 client_login_expects_raw(const struct session *s);
void	 client_login_raw(struct session *s, const uint8_t *data, size_t len);

/* Counts a request before the login, or when it is over; false when it was one
 * too many and the session is closed. */
bool	 client_login_count(struct session *s);
/* Whether the session has outlived its credential (KIP-368): then all but a new
 * login closes it. */
bool	 client_login_over(const struct session *s);
/* Such a session asks for ApiVersions, which brokers close it for: true once
 * before each renewal. */
bool	 client_login_first_question(struct session *s);
/* A closing session's last reply is on its way. */
void	 client_login_answered(struct session *s);
/* Its client id, a condition key, is another one now. */
void	 client_login_client_id(struct session *s);
/* Another snapshot (keys, policies), or other tenants: ends the session or
 * changes what it may do. reloaded: the listener's authorities may be others,
 * too, which costs a look at the certificate. */
void	 client_login_recheck(struct session *s, struct auth *a,
	    bool reloaded);

#endif
