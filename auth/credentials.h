/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary credentials, as AWS's STS gives them with AssumeRole: a key id, a
 * secret, and a session token that AWS's SDKs carry and sign without looking
 * into it. The token is everything: any node with the master key opens it
 * and knows the secret, the role, the session and until when.
 *
 * The token is base64url (RFC 4648 section 5, no padding, so that nothing in
 * it is ever escaped) of a sealed JSON object (auth/seal.h); the key id is
 * authenticated with it, so a token goes with its own id alone.
 *
 * Ownership: the caller's; the _fini functions cleanse.
 * Thread: any.
 * Bounds: CREDENTIALS_TOKEN_MAX characters.
 */
#ifndef WEIR_AUTH_CREDENTIALS_H
#define WEIR_AUTH_CREDENTIALS_H

#include "auth/keys.h"
#include "auth/principal.h"
#include "gateway/base/error.h"

struct policy;

enum {
	CREDENTIALS_TOKEN_MAX = 8 * 1024,
	CREDENTIALS_POLICY_MAX = 2048,	/* AWS's limit of a session policy */
	CREDENTIALS_SKEW_MS = 300 * 1000, /* of clocks that issue and check */
};

struct credentials_request {
	struct slice	 role, session;
	uint32_t	 ttl_s;
	struct slice	 policy;	/* a document, or null */
	const struct principal_tag *tags;
	uint32_t	 tag_count;
	char *const	*groups;
	uint32_t	 group_count;
};

struct credentials {
	char		 key_id[KEYS_ID_LEN + 1];
	char		 secret[KEYS_SECRET_LEN + 1];
	char		*token;
	int64_t		 expires_ms;
};

/* Draws and seals; false and why. credentials_fini is due in any case. */
bool		 credentials_issue(const struct seal *seal,
		    const struct credentials_request *r, int64_t now_ms,
		    struct credentials *to, struct error *err) MUST_CHECK;
void		 credentials_fini(struct credentials *c);

/* What a token says. */
struct credentials_session {
	char		 secret[KEYS_SECRET_LEN + 1];
	char		*role, *session;
	int64_t		 issued_ms, expires_ms;
	struct policy	*policy;	/* a reference, or NULL */
	struct principal_tag *tags;
	uint32_t	 tag_count;
	char		**groups;
	uint32_t	 group_count;
};

enum credentials_verdict {
	CREDENTIALS_GOOD,
	CREDENTIALS_FORGED,	/* not of this fleet, or of another key id */
	CREDENTIALS_EXPIRED,
	CREDENTIALS_NOT_YET,	/* issued in the future */
};
/* credentials_session_fini is due in any case. */
enum credentials_verdict credentials_open(const struct seal *seal,
		    struct slice key_id, struct slice token, int64_t now_ms,
		    struct credentials_session *to, struct error *err);
void		 credentials_session_fini(struct credentials_session *s);

#endif
