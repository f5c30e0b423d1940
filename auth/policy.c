/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "auth/policy_private.h"
#include "gateway/base/mem.h"

static const struct {
	const char		*name;
	enum policy_resource	 type;
} actions[] = {
#define X(NAME, name, resource) { name, POLICY_##resource },
#include "auth/actions.def"
#undef X
};

static const char *const types[] = {
	[POLICY_CLUSTER] = "cluster", [POLICY_TOPIC] = "topic",
	[POLICY_GROUP] = "group",
	[POLICY_TRANSACTIONAL_ID] = "transactional-id",
};

const char *
policy_action_name(enum policy_action a)
{
	return actions[a].name;
}

enum policy_resource
policy_action_resource(enum policy_action a)
{
	return actions[a].type;
}

int
policy_action_find(struct slice name)
{
	static const struct slice prefix = { (const uint8_t *)"kafka-cluster:",
	    14 };

	if (name.data == NULL)
		return -1;
	if (name.len > prefix.len && policy_same_nocase((struct slice)
	    { name.data, prefix.len }, prefix))
		name = (struct slice){ name.data + prefix.len,
		    name.len - prefix.len };
	for (int a = 0; a < POLICY_ACTION_COUNT; a++)
		if (policy_same_nocase(slice_of(actions[a].name), name))
			return a;
	return -1;
}

const char *
policy_resource_type_name(enum policy_resource type)
{
	return types[type];
}

/* "arn:P:kafka:R:A:TYPE/NAME/UUID", which the caller frees. */
char *
policy_resource_prefix(const struct policy_cluster *c,
    enum policy_resource type)
{
	const char *slash = type == POLICY_CLUSTER ? "" : "/";
	int n = snprintf(NULL, 0, "arn:%s:kafka:%s:%s:%s/%s/%s%s",
	    c->partition, c->region, c->account, types[type], c->name, c->uuid,
	    slash);
	char *s = mem_alloc((size_t)n + 1);

	snprintf(s, (size_t)n + 1, "arn:%s:kafka:%s:%s:%s/%s/%s%s",
	    c->partition, c->region, c->account, types[type], c->name, c->uuid,
	    slash);
	return s;
}

bool
policy_resource_parse(const struct policy_cluster *c, struct slice arn,
    enum policy_resource *type, struct slice *name)
{
	for (int t = 0; t < POLICY_RESOURCE_COUNT; t++) {
		char *prefix = policy_resource_prefix(c, t);
		uint32_t n = (uint32_t)strlen(prefix);
		bool same = arn.len >= n && memcmp(arn.data, prefix, n) == 0;

		free(prefix);
		/* A cluster has no name behind it, all others have. */
		if (!same || (arn.len == n) != (t == POLICY_CLUSTER))
			continue;
		*type = t;
		*name = (struct slice){ arn.data + n, arn.len - n };
		return true;
	}
	return false;
}

/* ---- documents ---- */

static void
free_condition(struct policy_condition *c)
{
	for (uint32_t i = 0; i < c->value_count; i++) {
		for (uint32_t k = 0; k < c->values[i].pattern_count; k++)
			policy_pattern_free(&c->values[i].patterns[k]);
		free(c->values[i].patterns);
		free(c->values[i].bytes);
	}
	free(c->values);
	free(c->op_name);
	policy_key_free(&c->key);
}

void
policy_statement_free(struct policy_statement *st)
{
	for (uint32_t i = 0; i < st->resource_count; i++)
		policy_pattern_free(&st->resources[i]);
	for (uint32_t i = 0; i < st->condition_count; i++)
		free_condition(&st->conditions[i]);
	free(st->resources);
	free(st->conditions);
	free(st->sid);
}

/* Which statements are about an action is found once. */
static void
index_statements(struct policy *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->statement_count; i++)
		n += (uint32_t)__builtin_popcount(p->statements[i].actions);
	p->index = mem_alloc((n + 1) * sizeof(*p->index));
	n = 0;
	for (int effect = 0; effect < EFFECT_COUNT; effect++) {
		for (int a = 0; a < POLICY_ACTION_COUNT; a++) {
			p->first[effect][a] = n;
			for (uint32_t i = 0; i < p->statement_count; i++) {
				const struct policy_statement *st =
				    &p->statements[i];

				if (st->deny == (effect == EFFECT_DENY) &&
				    (st->actions >> a & 1))
					p->index[n++] = (uint16_t)i;
			}
		}
		p->first[effect][POLICY_ACTION_COUNT] = n;
	}
}

/* Brackets that are open at once: the parser would recurse as deep. */
static bool
too_deep(const char *text, size_t len)
{
	int depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
		} else if (text[i] == '"') {
			quoted = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > POLICY_DEPTH_MAX)
				return true;
		} else if (text[i] == '}' || text[i] == ']') {
			depth--;
		}
	}
	return false;
}

static json_t *
parse_json(struct policy_parse *p, const char *text, size_t len)
{
	char where[64];
	json_error_t e;
	json_t *in;

	if (len > POLICY_TEXT_MAX) {
		policy_fault(p, "", "has %zu bytes; a policy may have %d", len,
		    POLICY_TEXT_MAX);
		return NULL;
	}
	if (too_deep(text, len)) {
		policy_fault(p, "", "has more than %d brackets in one another",
		    POLICY_DEPTH_MAX);
		return NULL;
	}
	in = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (in == NULL) {
		snprintf(where, sizeof(where), "%d:%d", e.line, e.column);
		/* It cites what stands near. */
		policy_plain(e.text);
		policy_fault(p, where, "%s", e.text);
	}
	return in;
}

struct policy *
policy_compile(const char *text, size_t len, const char *name,
    struct error_list *errs)
{
	struct policy_parse parse = { .errs = errs };
	json_t *in = parse_json(&parse, text, len);
	struct policy *p;

	if (in == NULL)
		return NULL;
	p = mem_zalloc(sizeof(*p));
	atomic_init(&p->refs, 1);
	p->name = mem_strdup(name);
	policy_parse_document(&parse, in, p);
	json_decref(in);
	if (parse.bad) {
		policy_unref(p);
		return NULL;
	}
	index_statements(p);
	return p;
}

struct policy *
policy_ref(struct policy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
policy_unref(struct policy *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < p->statement_count; i++)
		policy_statement_free(&p->statements[i]);
	free(p->statements);
	free(p->index);
	free(p->name);
	free(p);
}

const char *
policy_name(const struct policy *p)
{
	return p->name;
}
