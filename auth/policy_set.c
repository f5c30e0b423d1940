/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions ("Policy evaluation logic"): an explicit Deny in any document wins;
 * else a statement must allow it, and one of the session policy too.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/policy_private.h"
#include "auth/principal.h"
#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

enum {
	TIMED_MS = 1000,	/* how long what depends on the time is kept */
	CACHED_NAME_MAX = 512,	/* longer names are decided each time */
};

/* The part behind the fourth colon of an ARN. */
static char *
account_of(const char *arn)
{
	for (int i = 0; i < 4 && arn != NULL; i++) {
		arn = strchr(arn, ':');
		arn = arn ? arn + 1 : NULL;
	}
	return arn ? mem_strndup(arn, strcspn(arn, ":")) : NULL;
}

/* As the table in "Variables and tags" has aws:userid: a role's session is
 * role-id:session, a federated user account:name. Our ids are the names. */
static char *
userid_of(const struct principal *p, const char *account)
{
	const char *first = p->kind == PRINCIPAL_ROLE ? p->name : account;
	const char *second = p->kind == PRINCIPAL_ROLE ? p->session : p->name;
	size_t n;
	char *s;

	if (p->kind == PRINCIPAL_USER || first == NULL || second == NULL)
		return mem_strdup(p->name);
	n = strlen(first) + strlen(second) + 2;
	s = mem_alloc(n);
	snprintf(s, n, "%s:%s", first, second);
	return s;
}

static void
derive(struct policy_set *s)
{
	const struct principal *p = s->context->principal;

	free(s->account);
	free(s->userid);
	s->account = p ? account_of(p->principal_arn) : NULL;
	s->userid = p ? userid_of(p, s->account) : NULL;
}

struct policy_set *
policy_set_new(const struct policy_cluster *cluster,
    const struct policy_context *context, struct policy *const *policies,
    uint32_t n, struct policy *session)
{
	struct policy_set *s = mem_zalloc(sizeof(*s));

	assert(n <= POLICY_SET_MAX);
	s->cluster = *cluster;
	s->context = context;
	s->policies = mem_zalloc((n + 1) * sizeof(struct policy *));
	for (uint32_t i = 0; i < n; i++)
		s->policies[s->count++] = policy_ref(policies[i]);
	s->session = session ? policy_ref(session) : NULL;
	for (int t = 0; t < POLICY_RESOURCE_COUNT; t++) {
		s->prefix[t] = policy_resource_prefix(cluster, t);
		s->prefix_len[t] = (uint32_t)strlen(s->prefix[t]);
	}
	derive(s);
	return s;
}

void
policy_set_free(struct policy_set *s)
{
	if (s == NULL)
		return;
	policy_cache_clear(&s->cache);
	for (uint32_t i = 0; i < s->count; i++)
		policy_unref(s->policies[i]);
	policy_unref(s->session);
	for (int t = 0; t < POLICY_RESOURCE_COUNT; t++)
		free(s->prefix[t]);
	free(s->policies);
	free(s->account);
	free(s->userid);
	free(s->arn);
	free(s->text);
	free(s->marks);
	free(s);
}

void
policy_set_changed(struct policy_set *s)
{
	policy_cache_clear(&s->cache);
	derive(s);
}

void
policy_request_init(struct policy_request *r, struct policy_set *s,
    enum policy_action action, enum policy_resource type, struct slice name)
{
	uint32_t n = s->prefix_len[type];

	if (type == POLICY_CLUSTER || name.data == NULL)
		name.len = 0;
	if (n + name.len > s->arn_size) {
		s->arn_size = n + name.len + 256;
		s->arn = mem_realloc(s->arn, s->arn_size);
	}
	memcpy(s->arn, s->prefix[type], n);
	if (name.len > 0)
		memcpy(s->arn + n, name.data, name.len);
	*r = (struct policy_request){ .set = s, .action = action,
	    .type = type, .arn = { s->arn, n + name.len } };
}

bool
policy_resource_matches(struct policy_request *r,
    const struct policy_statement *st)
{
	struct policy_glob g;

	for (uint32_t i = 0; i < st->resource_count; i++) {
		if (!policy_expand(r, &st->resources[i], &g)) {
			/* It matches no resource. In an Allow's NotResource
			 * that would let everything in, so such a statement is
			 * not applied; in a Deny's it keeps everything out. */
			if (st->not_resource && !st->deny)
				return false;
			continue;
		}
		if (policy_glob_match(g, r->arn))
			return !st->not_resource;
	}
	return st->not_resource;
}

const struct policy_condition *
policy_first_failing(struct policy_request *r,
    const struct policy_statement *st)
{
	for (uint32_t i = 0; i < st->condition_count; i++)
		if (!policy_condition_holds(r, &st->conditions[i]))
			return &st->conditions[i];
	return NULL;
}

/* The first statement of a document with that effect that applies. */
static const struct policy_statement *
find(struct policy_request *r, const struct policy *p, int effect)
{
	uint32_t end = p->first[effect][r->action + 1];

	for (uint32_t i = p->first[effect][r->action]; i < end; i++) {
		const struct policy_statement *st =
		    &p->statements[p->index[i]];

		if (policy_resource_matches(r, st) &&
		    policy_first_failing(r, st) == NULL)
			return st;
	}
	return NULL;
}

static bool
decided(struct policy_verdict *to, const struct policy *p,
    const struct policy_statement *st, bool allowed, bool by_session)
{
	*to = (struct policy_verdict){
		.allowed = allowed,
		.denied = st != NULL && st->deny,
		.policy = p,
		.statement = st ? st->index : 0,
		.sid = st ? st->sid : NULL,
		.by_session = by_session,
	};
	return allowed;
}

static bool
decide(struct policy_request *r, struct policy_verdict *to)
{
	struct policy_set *s = r->set;
	const struct policy_statement *st = NULL;
	const struct policy *by = NULL;

	for (uint32_t i = 0; i < s->count; i++) {
		st = find(r, s->policies[i], EFFECT_DENY);
		if (st != NULL)
			return decided(to, s->policies[i], st, false, false);
	}
	if (s->session != NULL) {
		st = find(r, s->session, EFFECT_DENY);
		if (st != NULL)
			return decided(to, s->session, st, false, true);
	}
	for (uint32_t i = 0; i < s->count && by == NULL; i++) {
		st = find(r, s->policies[i], EFFECT_ALLOW);
		by = st ? s->policies[i] : NULL;
	}
	if (by == NULL)
		return decided(to, NULL, NULL, false, false);
	if (s->session != NULL && find(r, s->session, EFFECT_ALLOW) == NULL)
		return decided(to, NULL, NULL, false, true);
	return decided(to, by, st, true, false);
}

/* ---- with the cache ---- */

static uint64_t
hash_of(unsigned action, unsigned type, struct slice name)
{
	return htab_hash(name) ^ (action * 8u + type + 1) *
	    0x9e3779b97f4a7c15u;
}

static int64_t
now_of(const struct policy_set *s)
{
	return s->context->now_ms != 0 ? s->context->now_ms : clock_wall_ms();
}

static bool
still_good(const struct policy_set *s, const struct policy_slot *slot)
{
	int64_t age;

	if (!slot->timed)
		return true;
	age = now_of(s) - slot->made_ms;
	return age >= 0 && age < TIMED_MS;
}

/* type is a resource's, or POLICY_ALL_NAMES. */
static bool
decide_cached(struct policy_set *s, enum policy_action action, unsigned type,
    struct slice name)
{
	uint64_t hash;
	const struct policy_slot *slot;
	struct policy_slot new = { 0 };
	struct policy_request r;
	struct policy_verdict v;
	bool all = type == POLICY_ALL_NAMES;

	hash = hash_of(action, type, name);
	slot = policy_cache_find(&s->cache, hash, action, type, name);
	if (slot != NULL && still_good(s, slot))
		return slot->allowed;
	policy_request_init(&r, s, action, all ?
	    policy_action_resource(action) : type, name);
	new.allowed = all ? policy_decide_all(&r) : decide(&r, &v);
	if (name.len > CACHED_NAME_MAX)
		return new.allowed;
	new.hash = hash;
	new.action = (uint8_t)action;
	new.type = (uint8_t)type;
	new.timed = r.timed;
	new.made_ms = r.now_ms;
	policy_cache_put(&s->cache, &new, name);
	return new.allowed;
}

bool
policy_allows(struct policy_set *s, enum policy_action action,
    enum policy_resource type, struct slice name)
{
	if (type == POLICY_CLUSTER || name.data == NULL)
		name = SLICE_LIT("");
	return name.len <= POLICY_NAME_MAX &&
	    decide_cached(s, action, type, name);
}

bool
policy_allows_all(struct policy_set *s, enum policy_action action)
{
	if (policy_action_resource(action) == POLICY_CLUSTER)
		return policy_allows(s, action, POLICY_CLUSTER, SLICE_NULL);
	return decide_cached(s, action, POLICY_ALL_NAMES, SLICE_LIT(""));
}

void
policy_explain(struct policy_set *s, enum policy_action action,
    enum policy_resource type, struct slice name, struct policy_verdict *to)
{
	struct policy_request r;

	if (name.len > POLICY_NAME_MAX && type != POLICY_CLUSTER) {
		decided(to, NULL, NULL, false, false);
		return;
	}
	policy_request_init(&r, s, action, type, name);
	decide(&r, to);
}
