/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a connection is: made by a mechanism when a login succeeds, immutable
 * from then on.
 *
 * What each member is for follows the AWS pages "IAM identifiers", "AWS global
 * condition context keys" and "Assumed role session": a user's ARN is
 * arn:P:iam::A:user/NAME; an assumed role's session is
 * arn:P:sts::A:assumed-role/ROLE/SESSION while its aws:PrincipalArn is the
 * role's, arn:P:iam::A:role/ROLE. A token's subject is
 * arn:P:sts::A:federated-user/SUBJECT, a certificate's name
 * arn:P:iam::A:certificate/NAME.
 *
 * Ownership: counted (atomically); strings live as long as it does.
 * Thread: any.
 */
#ifndef WEIR_AUTH_PRINCIPAL_H
#define WEIR_AUTH_PRINCIPAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

struct policy;

enum {
	PRINCIPAL_NAME_MAX = 256,	/* of a user, role, session, subject */
	PRINCIPAL_GROUPS_MAX = 100,
	PRINCIPAL_TAGS_MAX = 50,
};

enum principal_kind {
	PRINCIPAL_USER,		/* an access key's owner, or a SCRAM user */
	PRINCIPAL_ROLE,		/* a session of temporary credentials */
	PRINCIPAL_TOKEN,	/* a JWT's subject */
	PRINCIPAL_CERTIFICATE,	/* a client certificate's, by a rule */
};

struct principal_tag {
	char	*key, *value;
};

struct principal {
	atomic_int		 refs;
	enum principal_kind	 kind;
	char			*name;		/* alice; app; a subject */
	char			*session;	/* a role's session, or NULL */
	char			*arn;		/* the whole of it: audit */
	char			*principal_arn;	/* aws:PrincipalArn */
	char			*tenant;	/* as a token says, or NULL */
	char			*key_id;	/* that signed, or NULL */
	char			**groups;
	uint32_t		 group_count;
	struct principal_tag	*tags;		/* aws:PrincipalTag/key */
	uint32_t		 tag_count;
	/* The first ones, which the login brought along; the others are those
	 * of its identity. */
	uint32_t		 own_groups, own_tags;
	int64_t			 issued_ms;	/* TokenIssueTime, or 0 */
	int64_t			 expires_ms;	/* 0: never */
	struct policy		*session_policy; /* counted, or NULL */
	/* Of a token: what it was judged by, as the settings had it. */
	char			*issuer, *audience, *claims;
	const char		*algorithm;	/* a constant */
	/* Of a client certificate, for revocation: SHA-256 of its DER. */
	uint8_t			 certificate[32];
	bool			 has_certificate;
};

/* A new one with one reference, and the ARNs of its kind. `session` only for a
 * role. Names are the caller's to have checked (principal_name_valid). */
struct principal	*principal_new(enum principal_kind kind,
			    const char *partition, const char *account,
			    struct slice name, struct slice session);
/* While it is being made: false when there are too many. */
bool			 principal_add_group(struct principal *p,
			    struct slice group);
bool			 principal_add_tag(struct principal *p,
			    struct slice key, struct slice value);
struct principal	*principal_ref(struct principal *p);
void			 principal_unref(struct principal *p);
/* The same one as far as re-authentication goes (KIP-368): kind, name, tenant;
 * a role's session name may differ, since SDKs draw it at random. */
bool			 principal_same(const struct principal *a,
			    const struct principal *b);
/* 1 to PRINCIPAL_NAME_MAX printable characters without '*', '?', '$', '/'
 * or ':' (for users, roles, groups and sessions; subjects of tokens and
 * certificates are escaped instead). */
bool			 principal_name_valid(struct slice name);
/* A subject as a name: each byte that a name cannot have, and '%', becomes %XX,
 * so that two subjects never have one name and none is a wildcard. False when
 * it is empty, has a control character, or would be too long. */
bool			 principal_name_escape(struct slice subject,
			    char to[PRINCIPAL_NAME_MAX + 1]);

#endif
