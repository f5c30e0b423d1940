/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdlib.h>

#include "auth/auth_private.h"
#include "gateway/base/mem.h"

/* jwks.c's */
struct jwks	*jwks_ref(struct jwks *j);
void		 jwks_unref(struct jwks *j);

/* What does not change with the JWT keys. */
struct known {
	atomic_int		 refs;
	struct auth_settings	 settings;	/* own */
	uint8_t			 decoy[32];
};

struct auth {
	atomic_int		 refs;
	struct known		*known;
	struct jwks		*jwks;		/* or NULL */
};

/* ---- settings ---- */

static char *
copied(const char *s)
{
	return s == NULL ? NULL : mem_strdup(s);
}

static void
copy_names(struct auth_names *n)
{
	char **from = n->v;

	n->v = mem_zalloc((n->n + 1) * sizeof(*n->v));
	for (uint32_t i = 0; i < n->n; i++)
		n->v[i] = mem_strdup(from[i]);
}

static void
free_names(struct auth_names *n)
{
	for (uint32_t i = 0; i < n->n; i++)
		free(n->v[i]);
	free(n->v);
}

static void
copy_rules(struct auth_settings *s)
{
	const struct auth_certificate_rule *from = s->rules;

	s->rules = mem_zalloc((s->rule_count + 1) * sizeof(*s->rules));
	for (uint32_t i = 0; i < s->rule_count; i++)
		s->rules[i] = (struct auth_certificate_rule){
		    copied(from[i].from), copied(from[i].pattern),
		    copied(from[i].name), copied(from[i].group) };
}

static void
free_rules(struct auth_settings *s)
{
	for (uint32_t i = 0; i < s->rule_count; i++) {
		free(s->rules[i].from);
		free(s->rules[i].pattern);
		free(s->rules[i].name);
		free(s->rules[i].group);
	}
	free(s->rules);
}

/* Members that are text, wherever they are. */
static void
each_text(struct auth_settings *s, void (*cb)(char **text))
{
	char **const texts[] = {
		&s->keys_file, &s->master_key, &s->identities_file,
		&s->policies_dir, &s->jwt.jwks_file, &s->jwt.jwks_url,
		&s->jwt.issuer, &s->jwt.principal_claim, &s->jwt.groups_claim,
		&s->jwt.tenant_claim, &s->jwt.type,
	};
	const char **const constants[] = {
		&s->cluster.partition, &s->cluster.region, &s->cluster.account,
		&s->cluster.name, &s->cluster.uuid,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cb(texts[i]);
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
		cb((char **)(uintptr_t)constants[i]);
}

static void
copy_text(char **text)
{
	*text = copied(*text);
}

/* The master key is one of them. */
static void
free_text(char **text)
{
	if (*text != NULL)
		OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
}

static void
copy_settings(struct auth_settings *to, const struct auth_settings *from)
{
	*to = *from;
	each_text(to, copy_text);
	copy_names(&to->regions);
	copy_names(&to->hosts);
	copy_names(&to->jwt.audiences);
	copy_names(&to->jwt.algorithms);
	copy_rules(to);
}

static void
free_settings(struct auth_settings *s)
{
	each_text(s, free_text);
	free_names(&s->regions);
	free_names(&s->hosts);
	free_names(&s->jwt.audiences);
	free_names(&s->jwt.algorithms);
	free_rules(s);
}

/* ---- made and held ---- */

static void
known_unref(struct known *k)
{
	if (atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	free_settings(&k->settings);
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

struct auth *
auth_load(const struct auth_settings *s, struct jwks *jwks,
    struct error_list *errs)
{
	struct known *k = mem_zalloc(sizeof(*k));

	(void)errs;
	atomic_init(&k->refs, 1);
	copy_settings(&k->settings, s);
	if (RAND_bytes(k->decoy, sizeof(k->decoy)) != 1)
		abort();	/* without randomness nothing is safe */
	return made_of(k, jwks == NULL ? NULL : jwks_ref(jwks));
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

/* ---- asked ---- */

bool
auth_still_valid(const struct auth *a, const struct principal *p,
    int64_t now_ms)
{
	(void)a;
	return p->expires_ms == 0 || now_ms < p->expires_ms;
}

uint32_t
auth_policies(const struct auth *a, const struct principal *p,
    struct policy **to)
{
	(void)a;
	(void)p;
	(void)to;
	return 0;
}

struct principal *
auth_principal_named(const struct auth *a, struct slice text,
    struct error *err)
{
	(void)a;
	error_set(err, "there is no principal %.*s", SLICE_FMT(text));
	return NULL;
}

void
auth_complete(const struct auth *a, struct principal *p)
{
	(void)a;
	(void)p;
}

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

void
auth_find_secret(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	(void)token;
	(void)now_ms;
	memset(to, 0, sizeof(*to));
	auth_decoy(a, "secret", key_id, (uint8_t *)to->secret, 40);
	to->len = 40;
	to->failure = AUTH_FAILURE_UNKNOWN_KEY;
	error_set(&to->error, "there are no keys");
}

void
auth_secret_fini(struct auth_secret *s)
{
	principal_unref(s->principal);
	OPENSSL_cleanse(s, sizeof(*s));
}
