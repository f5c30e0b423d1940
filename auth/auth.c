/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>

#include "auth/auth_private.h"
#include "auth/credentials.h"
#include "auth/identities.h"
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "auth/keys.h"
#include "auth/seal.h"
#include "gateway/base/mem.h"

/* What does not change with the JWT keys. */
struct known {
	atomic_int		 refs;
	struct auth_settings	 settings;	/* own */
	struct seal		*seal;		/* or NULL */
	struct keys		*keys;		/* or NULL */
	struct identities	*identities;
	uint8_t			 decoy[32];
};

struct auth {
	atomic_int		 refs;
	struct known		*known;
	struct jwks		*jwks;		/* or NULL */
};

/* ---- made and held ---- */

static void
known_unref(struct known *k)
{
	if (atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	auth_settings_fini(&k->settings);
	seal_unref(k->seal);
	keys_unref(k->keys);
	identities_unref(k->identities);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

/* Takes over both references. */
static struct auth *
made_of(struct known *k, struct jwks *jwks)
{
	struct auth *a = mem_zalloc(sizeof(*a));

	atomic_init(&a->refs, 1);
	a->known = k;
	a->jwks = jwks;
	return a;
}

/* The key that makes decoys: the same on each node with this master key. */
static void
set_decoy(struct known *k)
{
	if (k->seal != NULL)
		memcpy(k->decoy, seal_derived(k->seal, SEAL_DECOY),
		    sizeof(k->decoy));
	else if (RAND_bytes(k->decoy, sizeof(k->decoy)) != 1)
		abort();	/* without randomness nothing is safe */
}

static void
load_keys(struct known *k, struct error_list *errs)
{
	const struct auth_settings *s = &k->settings;
	struct error err;

	if (s->master_key != NULL) {
		k->seal = seal_new(s->master_key, &err);
		if (k->seal == NULL) {
			error_list_add(errs, "master_key", "%s", err.text);
			return;
		}
	}
	if (s->keys_file == NULL)
		return;
	if (k->seal == NULL)
		error_list_add(errs, "master_key", "is required with "
		    "keys_file: make one with `openssl rand -base64 32`");
	else
		k->keys = keys_load(s->keys_file, k->seal, errs);
}

/* A reference, or NULL: there are none, or with a fault. */
static struct jwks *
load_jwks(const struct known *k, struct jwks *fetched,
    struct error_list *errs)
{
	const char *path = k->settings.jwt.jwks_file;
	struct error err;
	struct jwks *j;

	if (fetched != NULL)
		return jwks_ref(fetched);
	if (path == NULL)
		return NULL;
	j = jwks_load(path, &err);
	if (j == NULL)
		error_list_add(errs, path, "%s", err.text);
	return j;
}

struct auth *
auth_load(const struct auth_settings *s, struct jwks *jwks,
    struct error_list *errs)
{
	struct known *k = mem_zalloc(sizeof(*k));
	uint32_t before = errs->n;
	struct auth *a;

	atomic_init(&k->refs, 1);
	auth_settings_copy(&k->settings, s);
	load_keys(k, errs);
	set_decoy(k);
	auth_certificate_check(&k->settings, errs);
	jwt_settings_check(&k->settings.jwt, errs);
	k->identities = identities_load(s->identities_file, s->policies_dir,
	    errs);
	a = made_of(k, load_jwks(k, jwks, errs));
	if (errs->n == before)
		return a;
	auth_unref(a);
	return NULL;
}

struct auth *
auth_with_jwks(struct auth *a, struct jwks *jwks)
{
	atomic_fetch_add(&a->known->refs, 1);
	return made_of(a->known, jwks == NULL ? NULL : jwks_ref(jwks));
}

struct auth *
auth_ref(struct auth *a)
{
	atomic_fetch_add(&a->refs, 1);
	return a;
}

void
auth_unref(struct auth *a)
{
	if (a == NULL || atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	if (a->jwks != NULL)
		jwks_unref(a->jwks);
	known_unref(a->known);
	free(a);
}

const struct auth_settings *
auth_settings(const struct auth *a)
{
	return &a->known->settings;
}

const struct jwks *
auth_jwks(const struct auth *a)
{
	return a->jwks;
}

/* ---- principals ---- */

static const struct identity *
identity_of(const struct auth *a, const struct principal *p)
{
	return identities_find(a->known->identities, identities_kind(p->kind),
	    slice_of(p->name));
}

static bool
has_tag(const struct principal *p, const char *key)
{
	for (uint32_t i = 0; i < p->tag_count; i++)
		if (strcasecmp(p->tags[i].key, key) == 0)
			return true;
	return false;
}

static bool
has_group(const struct principal *p, const char *name)
{
	for (uint32_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i], name) == 0)
			return true;
	return false;
}

bool
auth_complete(const struct auth *a, struct principal *p, struct error *err)
{
	const struct identity *id = identity_of(a, p);

	p->own_groups = p->group_count;
	p->own_tags = p->tag_count;
	if (id == NULL)
		return true;
	for (uint32_t i = 0; i < id->group_count; i++)
		if (!has_group(p, id->group_names[i]) &&
		    !principal_add_group(p, slice_of(id->group_names[i])))
			return error_set(err, "%s has more than %d groups: "
			    "%u of its own, and those of identities_file",
			    p->arn, PRINCIPAL_GROUPS_MAX, p->own_groups);
	/* A session's own tags go before its role's. */
	for (uint32_t i = 0; i < id->tag_count; i++)
		if (!has_tag(p, id->tags[i].key) &&
		    !principal_add_tag(p, slice_of(id->tags[i].key),
		    slice_of(id->tags[i].value)))
			return error_set(err, "%s has more than %d tags: %u "
			    "of its own, and those of identities_file",
			    p->arn, PRINCIPAL_TAGS_MAX, p->own_tags);
	return true;
}

/* As auth_complete, and drops p when it cannot be. */
static struct principal *
completed(const struct auth *a, struct principal *p, struct error *err)
{
	if (auth_complete(a, p, err))
		return p;
	principal_unref(p);
	return NULL;
}

static struct principal *
new_principal(const struct auth *a, enum principal_kind kind,
    struct slice name, struct slice session)
{
	const struct policy_cluster *c = &a->known->settings.cluster;

	return principal_new(kind, c->partition, c->account, name, session);
}

static bool
has_user(const struct auth *a, struct slice name)
{
	return identities_find(a->known->identities, IDENTITY_USER, name) !=
	    NULL || (a->known->keys != NULL &&
	    keys_has_user(a->known->keys, name));
}

/* The role holds for so long a session; NULL and why. */
static const struct identity *
role_for(const struct auth *a, const char *name, int64_t issued_ms,
    int64_t expires_ms, struct error *err)
{
	const struct identity *id = identities_find(a->known->identities,
	    IDENTITY_ROLE, slice_of(name));

	if (id == NULL) {
		error_set(err, "there is no role %s (any more)", name);
		return NULL;
	}
	if (expires_ms - issued_ms > (int64_t)id->max_ttl_s * 1000) {
		error_set(err, "the credentials hold for longer than the %u "
		    "seconds of role %s", id->max_ttl_s, name);
		return NULL;
	}
	return id;
}

static bool
user_still_valid(const struct auth *a, const struct principal *p)
{
	const struct key *k;

	if (p->key_id == NULL)
		return has_user(a, slice_of(p->name));
	k = a->known->keys == NULL ? NULL :
	    keys_find(a->known->keys, slice_of(p->key_id));
	return k != NULL && !k->disabled && strcmp(k->user, p->name) == 0;
}

bool
auth_still_valid(const struct auth *a, const struct principal *p,
    int64_t now_ms)
{
	if (p->expires_ms != 0 && now_ms >= p->expires_ms)
		return false;
	switch (p->kind) {
	case PRINCIPAL_USER:
		return user_still_valid(a, p);
	case PRINCIPAL_ROLE:
		return a->known->seal != NULL && role_for(a, p->name,
		    p->issued_ms, p->expires_ms, NULL) != NULL;
	case PRINCIPAL_TOKEN:
		return a->jwks != NULL &&
		    jwt_still_taken(&a->known->settings.jwt, p);
	case PRINCIPAL_CERTIFICATE:
		return a->known->settings.rule_count > 0;
	}
	return false;
}

static char *
copy_of(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

struct principal *
auth_principal_again(const struct auth *a, const struct principal *p)
{
	struct principal *to = new_principal(a, p->kind, slice_of(p->name),
	    slice_of(p->session));

	to->tenant = copy_of(p->tenant);
	to->key_id = copy_of(p->key_id);
	to->issuer = copy_of(p->issuer);
	to->audience = copy_of(p->audience);
	to->claims = copy_of(p->claims);
	to->algorithm = p->algorithm;
	to->issued_ms = p->issued_ms;
	to->expires_ms = p->expires_ms;
	if (p->session_policy != NULL)
		to->session_policy = policy_ref(p->session_policy);
	for (uint32_t i = 0; i < p->own_groups; i++)
		(void)principal_add_group(to, slice_of(p->groups[i]));
	for (uint32_t i = 0; i < p->own_tags; i++)
		(void)principal_add_tag(to, slice_of(p->tags[i].key),
		    slice_of(p->tags[i].value));
	return completed(a, to, NULL);
}

/* ---- policies ---- */

struct policy_list {
	struct policy	**v;
	uint32_t	 n;
	bool		 full;
};

static void
add_all(struct policy_list *l, struct policy *const *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool there = false;

		for (uint32_t j = 0; j < l->n; j++)
			there = there || l->v[j] == v[i];
		if (there)
			continue;
		if (l->n == POLICY_SET_MAX) {
			l->full = true;
			return;
		}
		l->v[l->n++] = v[i];
	}
}

static void
add_policies(struct policy_list *l, const struct identity *id)
{
	add_all(l, id->policies, id->policy_count);
}

uint32_t
auth_policies(const struct auth *a, const struct principal *p,
    struct policy *const *more, uint32_t n, struct policy **to)
{
	struct policy_list l = { to, 0, false };
	const struct identity *id = identity_of(a, p), *g;

	if (id != NULL)
		add_policies(&l, id);
	for (uint32_t i = 0; id != NULL && i < id->group_count; i++)
		add_policies(&l, id->groups[i]);
	/* A user's groups are those of this snapshot, not of the one that the
	 * login saw; others bring theirs along. */
	for (uint32_t i = 0; p->kind != PRINCIPAL_USER && i < p->group_count;
	    i++) {
		g = identities_find(a->known->identities, IDENTITY_GROUP,
		    slice_of(p->groups[i]));
		if (g != NULL)
			add_policies(&l, g);
	}
	add_all(&l, more, n);
	/* What did not fit may be a Deny: nothing is allowed then. */
	return l.full ? 0 : l.n;
}

/* ---- by name ---- */

static bool
take_prefix(struct slice *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (text->len < n || memcmp(text->data, prefix, n) != 0)
		return false;
	text->data += n;
	text->len -= (uint32_t)n;
	return true;
}

/* Takes arn:P:iam::A: or arn:P:sts::A: off; false: it is another's ARN. */
static bool
take_arn(const struct auth *a, struct slice *text)
{
	const struct policy_cluster *c = &a->known->settings.cluster;
	static const char *const services[] = { "iam", "sts" };
	char prefix[256];

	if (text->len < 4 || memcmp(text->data, "arn:", 4) != 0)
		return true;
	for (int i = 0; i < 2; i++) {
		snprintf(prefix, sizeof(prefix), "arn:%s:%s::%s:",
		    c->partition, services[i], c->account);
		if (take_prefix(text, prefix))
			return true;
	}
	return false;
}

static struct principal *
named_role(const struct auth *a, struct slice name, struct error *err)
{
	const uint8_t *slash = memchr(name.data, '/', name.len);
	struct slice role = name, session = SLICE_LIT("explain");

	if (slash != NULL) {
		role.len = (uint32_t)(slash - name.data);
		session = (struct slice){ slash + 1, name.len - role.len - 1 };
	}
	if (identities_find(a->known->identities, IDENTITY_ROLE, role) ==
	    NULL || !principal_name_valid(session)) {
		error_set(err, "there is no role %.*s", SLICE_FMT(name));
		return NULL;
	}
	return new_principal(a, PRINCIPAL_ROLE, role, session);
}

static struct principal *
named_user(const struct auth *a, struct slice name, struct error *err)
{
	if (has_user(a, name))
		return new_principal(a, PRINCIPAL_USER, name, SLICE_NULL);
	error_set(err, "there is no user %.*s", SLICE_FMT(name));
	return NULL;
}

/* Subjects and certificates are not listed; any name may come, as it is
 * escaped. */
static struct principal *
named_stranger(const struct auth *a, enum principal_kind kind,
    struct slice name, struct error *err)
{
	if (principal_name_valid(name))
		return new_principal(a, kind, name, SLICE_NULL);
	error_set(err, "\"%.*s\" is no name: other characters than letters, "
	    "digits and the like are written as %%XX", SLICE_FMT(name));
	return NULL;
}

struct principal *
auth_principal_named(const struct auth *a, struct slice text,
    struct error *err)
{
	struct slice name = text;
	struct principal *p = NULL;

	error_set(err, "\"%.*s\" is no principal here: give user/NAME, "
	    "role/NAME, subject/NAME, certificate/NAME or an ARN of this "
	    "account", SLICE_FMT(text));
	if (!take_arn(a, &name))
		return NULL;
	if (take_prefix(&name, "user/"))
		p = named_user(a, name, err);
	else if (take_prefix(&name, "role/") ||
	    take_prefix(&name, "assumed-role/"))
		p = named_role(a, name, err);
	else if (take_prefix(&name, "subject/") ||
	    take_prefix(&name, "federated-user/"))
		p = named_stranger(a, PRINCIPAL_TOKEN, name, err);
	else if (take_prefix(&name, "certificate/"))
		p = named_stranger(a, PRINCIPAL_CERTIFICATE, name, err);
	return p != NULL ? completed(a, p, err) : NULL;
}

/* ---- secrets ---- */

void
auth_decoy(const struct auth *a, const char *what, struct slice name,
    uint8_t *to, unsigned int len)
{
	uint8_t digest[EVP_MAX_MD_SIZE], first[EVP_MAX_MD_SIZE];
	unsigned int n;

	/* The name's digest is keyed once more, so that what it is for and the
	 * name cannot run into each other. */
	if (HMAC(EVP_sha512(), a->known->decoy, sizeof(a->known->decoy),
	    name.data, name.len, first, &n) == NULL ||
	    HMAC(EVP_sha512(), first, (int)n, (const uint8_t *)what,
	    strlen(what), digest, &n) == NULL)
		abort();	/* only memory can be missing */
	memcpy(to, digest, len);
}

/* A secret that nobody has, so that what follows takes its time. */
static void
set_decoy_secret(const struct auth *a, struct slice key_id,
    struct auth_secret *to)
{
	uint8_t bytes[KEYS_SECRET_LEN / 2];

	auth_decoy(a, "secret", key_id, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(to->secret + 2 * i, 3, "%02x", bytes[i]);
	to->len = KEYS_SECRET_LEN;
}

static void
set_secret(struct auth_secret *to, const char *secret)
{
	memcpy(to->secret, secret, KEYS_SECRET_LEN + 1);
	to->len = KEYS_SECRET_LEN;
}

const struct key *
auth_find_key(struct auth *a, struct slice id, struct principal **principal,
    enum auth_failure *why, struct error *err)
{
	const struct key *k = a->known->keys == NULL ? NULL :
	    keys_find(a->known->keys, id);
	struct principal *p = new_principal(a, PRINCIPAL_USER,
	    slice_of(k == NULL ? "nobody" : k->user), SLICE_NULL);
	/* Made even for nobody: it takes the same time. */
	bool complete = auth_complete(a, p, err);

	*principal = NULL;
	if (k == NULL || k->disabled || !complete) {
		*why = k == NULL ? AUTH_FAILURE_UNKNOWN_KEY :
		    k->disabled ? AUTH_FAILURE_DISABLED : AUTH_FAILURE_GROUPS;
		if (k == NULL || k->disabled)
			error_set(err, k == NULL ? "nobody has this key" :
			    "the key is disabled");
		principal_unref(p);
		return NULL;
	}
	p->key_id = mem_strdup(k->id);
	*principal = p;
	return k;
}

static struct principal *
session_principal(const struct auth *a, struct slice key_id,
    struct credentials_session *s, struct error *err)
{
	struct principal *p = new_principal(a, PRINCIPAL_ROLE,
	    slice_of(s->role), slice_of(s->session));

	p->key_id = mem_strndup(key_id.data, key_id.len);
	p->issued_ms = s->issued_ms;
	p->expires_ms = s->expires_ms;
	p->session_policy = s->policy;
	s->policy = NULL;
	for (uint32_t i = 0; i < s->tag_count; i++)
		(void)principal_add_tag(p, slice_of(s->tags[i].key),
		    slice_of(s->tags[i].value));
	for (uint32_t i = 0; i < s->group_count; i++)
		(void)principal_add_group(p, slice_of(s->groups[i]));
	return completed(a, p, err);
}

static enum auth_failure
failure_of(enum credentials_verdict v)
{
	return v == CREDENTIALS_EXPIRED ? AUTH_FAILURE_EXPIRED :
	    v == CREDENTIALS_NOT_YET ? AUTH_FAILURE_NOT_YET :
	    AUTH_FAILURE_SESSION_TOKEN;
}

static void
find_session(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	struct credentials_session s;
	enum credentials_verdict v;

	to->failure = AUTH_FAILURE_SESSION_TOKEN;
	if (a->known->seal == NULL) {
		error_set(&to->error, "there is no master key that opens "
		    "session tokens");
		return;
	}
	v = credentials_open(a->known->seal, key_id, token, now_ms, &s,
	    &to->error);
	if (v != CREDENTIALS_GOOD) {
		to->failure = failure_of(v);
	} else if (role_for(a, s.role, s.issued_ms, s.expires_ms,
	    &to->error) != NULL) {
		to->failure = AUTH_FAILURE_GROUPS;
		to->principal = session_principal(a, key_id, &s, &to->error);
	}
	if (to->principal != NULL) {
		to->failure = AUTH_FAILURE_NONE;
		set_secret(to, s.secret);
	}
	credentials_session_fini(&s);
}

void
auth_find_secret(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	const struct key *k;

	memset(to, 0, sizeof(*to));
	set_decoy_secret(a, key_id, to);
	if (token.len > 0) {
		find_session(a, key_id, token, now_ms, to);
		return;
	}
	if (keys_id_valid(key_id, KEYS_TEMPORARY_PREFIX)) {
		to->failure = AUTH_FAILURE_SESSION_TOKEN;
		error_set(&to->error, "a temporary key came without its "
		    "session token");
		return;
	}
	k = auth_find_key(a, key_id, &to->principal, &to->failure,
	    &to->error);
	if (k != NULL)
		set_secret(to, k->secret);
}

void
auth_secret_fini(struct auth_secret *s)
{
	principal_unref(s->principal);
	OPENSSL_cleanse(s, sizeof(*s));
}
