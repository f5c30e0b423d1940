/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot's own copy of its settings. */
#include <openssl/crypto.h>

#include <stdlib.h>

#include "auth/auth_private.h"
#include "gateway/base/mem.h"

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

void
auth_settings_copy(struct auth_settings *to, const struct auth_settings *from)
{
	*to = *from;
	each_text(to, copy_text);
	copy_names(&to->regions);
	copy_names(&to->hosts);
	copy_names(&to->jwt.audiences);
	copy_names(&to->jwt.algorithms);
	copy_rules(to);
}

void
auth_settings_fini(struct auth_settings *s)
{
	each_text(s, free_text);
	free_names(&s->regions);
	free_names(&s->hosts);
	free_names(&s->jwt.audiences);
	free_names(&s->jwt.algorithms);
	free_rules(s);
}
