/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins: what a node knows to judge them (struct auth, a snapshot), and one
 * exchange (struct auth_login). Bytes in, verdicts out; no sockets.
 *
 * Ownership: a snapshot is counted (atomically) and immutable; a login is its
 * session's. Thread: auth: any; auth_login and auth_cache: the worker's.
 * Bounds: AUTH_MESSAGE_MAX bytes a message, AUTH_STEPS_MAX of them a login.
 */
#ifndef WEIR_AUTH_AUTH_H
#define WEIR_AUTH_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/policy.h"
#include "auth/principal.h"
#include "gateway/base/arena.h"
#include "gateway/base/error.h"

struct jwks;

enum {
	AUTH_MESSAGE_MAX = 64 * 1024,
	AUTH_STEPS_MAX = 6,
	AUTH_KEY_ID_MAX = 128,
	AUTH_SECRET_MAX = 256,
	AUTH_NAMES_MAX = 64,		/* hosts, regions, audiences */
};

enum auth_mechanism {
	AUTH_AWS_MSK_IAM, AUTH_OAUTHBEARER, AUTH_PLAIN, AUTH_SCRAM_SHA_256,
	AUTH_SCRAM_SHA_512, AUTH_MECHANISM_COUNT
};
/* "AWS_MSK_IAM", as SaslHandshake names it. */
const char	*auth_mechanism_name(enum auth_mechanism m);
/* -1: none of that name (exact, as Kafka has it). */
int		 auth_mechanism_find(struct slice name);

/* ---- what a node is told ---- */

struct auth_names {
	char		**v;
	uint32_t	 n;
};

/* A rule that makes a principal of a certificate: the first that fits counts.
 * `from` says what is looked at (each value of it in turn); `pattern` is
 * matched against the whole of it, where each * stands for any text; $1 to $9
 * in `name` and `group` stand for what the stars matched. */
struct auth_certificate_rule {
	char		*from;		/* subject|cn|dns|uri|email */
	char		*pattern;
	char		*name;		/* "deny" as name refuses */
	char		*group;		/* or NULL */
};

struct auth_jwt_settings {
	char		*jwks_file;	/* or */
	char		*jwks_url;	/* neither: JWTs are not accepted */
	char		*issuer;
	struct auth_names audiences;	/* one of them must be in aud */
	struct auth_names algorithms;	/* RS256 ... ES512; of RS, PS, ES */
	char		*principal_claim;	/* "sub" */
	char		*groups_claim;		/* NULL: none */
	char		*tenant_claim;		/* NULL: none */
	char		*type;			/* NULL: JWT or at+jwt */
	uint32_t	 skew_s;
};

struct auth_settings {
	struct policy_cluster cluster;
	struct auth_names regions;	/* that scopes may name */
	struct auth_names hosts;	/* this gateway's names, without port;
					 * {id}: any virtual broker's id */
	char		*keys_file;	/* NULL: no keys */
	char		*master_key;	/* text; NULL: none */
	char		*identities_file; /* users, roles ...; NULL: none */
	char		*policies_dir;	/* NAME.json; NULL: none */
	uint32_t	 skew_s;	/* 300: of a signature's date */
	uint32_t	 expires_max_s;	/* 900: of a signature */
	uint32_t	 session_max_ms; /* connections.max.reauth.ms; 0: off */
	bool		 plain_without_tls;
	struct auth_jwt_settings jwt;
	struct auth_certificate_rule *rules;
	uint32_t	 rule_count;
};

/* ---- the snapshot ---- */

struct auth;

/* Reads the files and compiles the policies; NULL and all faults (paths begin
 * with the file's name). The settings are copied. jwks: the keys that were
 * fetched from jwks_url, or NULL; a reference is taken. */
struct auth	*auth_load(const struct auth_settings *s, struct jwks *jwks,
		    struct error_list *errs);
/* The same with other JWT keys (a refresh). */
struct auth	*auth_with_jwks(struct auth *a, struct jwks *jwks);
struct auth	*auth_ref(struct auth *a);
void		 auth_unref(struct auth *a);
const struct auth_settings *auth_settings(const struct auth *a);

/* Whether a principal that logged in before is still one: its key is there
 * and enabled, its role exists, the settings still take its token, it has not
 * expired. */
bool		 auth_still_valid(const struct auth *a,
		    const struct principal *p, int64_t now_ms);
/* The same one as this snapshot has it (a new reference): groups and tags of
 * its identity may have changed. NULL: they are too many now. Not for
 * certificates, whose rules decide. */
struct principal *auth_principal_again(const struct auth *a,
		    const struct principal *p);
/* The policies that hold for it: its own by name, its role's, its groups', and
 * those n that `more` has (its tenant's; NULL when there are none). Borrowed;
 * at most POLICY_SET_MAX, and none of them when there would be more. */
uint32_t	 auth_policies(const struct auth *a, const struct principal *p,
		    struct policy *const *more, uint32_t n,
		    struct policy **to);
/* A principal by name without a login, for explain-access: "user/alice",
 * "role/app", "subject/s", "certificate/c" or an ARN; NULL: none of these. */
struct principal *auth_principal_named(const struct auth *a,
		    struct slice text, struct error *err);

/* ---- logins ---- */

/* A worker's own cache of derived signing keys. */
struct auth_cache;
struct auth_cache *auth_cache_new(void);
void		 auth_cache_free(struct auth_cache *c);

/* What is known of the connection. Strings are borrowed for the login. */
struct auth_peer {
	const char	*source_ip;
	bool		 tls;
	/* Of the client's certificate, when it has shown one. */
	bool		 has_certificate;
	uint8_t		 certificate_sha256[32];
};

enum auth_result {
	AUTH_MORE,	/* `out` goes to the client, who sends more */
	AUTH_DONE,	/* `out` goes to the client, who is in */
	AUTH_FAILED,	/* see `error`; `out` may still go (RFC 7628) */
};

/* Why it failed: for the log, the audit and metrics; clients are all told the
 * same. */
enum auth_failure {
#define X(NAME, label, text) AUTH_FAILURE_##NAME,
#include "auth/failures.def"
#undef X
	AUTH_FAILURE_COUNT
};
const char	*auth_failure_label(enum auth_failure f);

struct auth_step {
	struct slice		 out;		/* in the arena given */
	struct principal	*principal;	/* AUTH_DONE: a reference */
	int64_t			 expires_ms;	/* of credential or token; 0 */
	enum auth_failure	 failure;
	struct error		 error;		/* no secret in it */
	char			 claimed[AUTH_KEY_ID_MAX]; /* who it said it
						 * is (key id, user, subject,
						 * cut); "" */
	bool			 unknown_kid;	/* refresh the JWKS */
	char			 user_agent[128]; /* as the client says; "" */
};

struct auth_login;

/* Takes a reference of a; cache and peer are borrowed. */
struct auth_login *auth_login_new(struct auth *a, enum auth_mechanism m,
		    const struct auth_peer *peer, struct auth_cache *cache);
void		 auth_login_free(struct auth_login *l);
/* One message of the client's. After AUTH_DONE or AUTH_FAILED it is over. */
enum auth_result auth_login_step(struct auth_login *l, struct slice in,
		    struct arena *arena, struct auth_step *to);

/* ---- for mechanisms ---- */

struct auth_mechanism_ops {
	const char	*name;
	/* NULL: none is needed. */
	void		*(*begin)(struct auth_login *l);
	enum auth_result (*step)(struct auth_login *l, void *state,
			    struct slice in, struct arena *arena,
			    struct auth_step *to);
	void		 (*end)(void *state);	/* cleanses */
};
extern const struct auth_mechanism_ops auth_msk_iam, auth_oauthbearer,
    auth_plain, auth_scram_sha_256, auth_scram_sha_512;

/* What mechanisms see of a login. */
struct auth		*auth_login_auth(struct auth_login *l);
const struct auth_peer	*auth_login_peer(const struct auth_login *l);
struct auth_cache	*auth_login_cache(struct auth_login *l);

/* Fills in why; returns AUTH_FAILED. The sentence is for the operator. */
enum auth_result auth_fail(struct auth_step *to, enum auth_failure f,
		    const char *fmt, ...)
		    __attribute__((format(printf, 3, 4)));

/* The secret behind an access key id, and who owns it. When there is none, or
 * the token is no good, `secret` is one that nobody has, principal is NULL and
 * *failure says why: verify all the same, so that both take the same time. */
struct auth_secret {
	char			 secret[AUTH_SECRET_MAX + 1];
	uint32_t		 len;
	struct principal	*principal;	/* a reference, or NULL */
	enum auth_failure	 failure;
	struct error		 error;
};
void		 auth_find_secret(struct auth *a, struct slice key_id,
		    struct slice token, int64_t now_ms,
		    struct auth_secret *to);
/* Cleanses, drops the principal. */
void		 auth_secret_fini(struct auth_secret *s);

/* The JWT keys now; NULL: none. Borrowed. */
const struct jwks *auth_jwks(const struct auth *a);

/* ---- certificates ---- */

/* The principal of a certificate by the rules; NULL and why. Values are those
 * of the certificate: subject is RFC 2253 text. */
struct auth_certificate {
	struct slice	 subject, cn;
	struct slice	*dns, *uri, *email;
	uint32_t	 dns_count, uri_count, email_count;
	uint8_t		 sha256[32];
	int64_t		 not_after_ms;
};
struct principal *auth_certificate_principal(const struct auth *a,
		    const struct auth_certificate *c, struct error *err);

#endif
