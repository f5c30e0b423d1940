/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an action is allowed whatever the resource's name. Conditions do not
 * depend on names, so they are asked; resources are compared as patterns, and
 * a doubt is a no.
 */
#include "auth/policy_private.h"

/* Whether the statement is about every name, for sure. */
static bool
covers(struct policy_request *r, const struct policy_statement *st)
{
	struct policy_glob g;

	if (st->not_resource)
		return false;
	for (uint32_t i = 0; i < st->resource_count; i++)
		if (policy_expand(r, &st->resources[i], &g) &&
		    policy_glob_covers(g, r->arn))
			return true;
	return false;
}

/* Whether there could be a name that the statement is about. */
static bool
meets(struct policy_request *r, const struct policy_statement *st)
{
	struct policy_glob g;

	for (uint32_t i = 0; i < st->resource_count; i++) {
		if (!policy_expand(r, &st->resources[i], &g))
			continue;
		if (st->not_resource ? policy_glob_covers(g, r->arn) :
		    policy_glob_meets(g, r->arn))
			return !st->not_resource;
	}
	return st->not_resource;
}

/* Whether a statement of that effect applies: to all, or could to some. */
static bool
any(struct policy_request *r, const struct policy *p, int effect,
    bool (*applies)(struct policy_request *, const struct policy_statement *))
{
	uint32_t end = p->first[effect][r->action + 1];

	for (uint32_t i = p->first[effect][r->action]; i < end; i++) {
		const struct policy_statement *st =
		    &p->statements[p->index[i]];

		if (applies(r, st) && policy_first_failing(r, st) == NULL)
			return true;
	}
	return false;
}

bool
policy_decide_all(struct policy_request *r)
{
	const struct policy_set *s = r->set;
	bool allowed = false;

	for (uint32_t i = 0; i < s->count; i++)
		if (any(r, s->policies[i], EFFECT_DENY, meets))
			return false;
	if (s->session != NULL && (any(r, s->session, EFFECT_DENY, meets) ||
	    !any(r, s->session, EFFECT_ALLOW, covers)))
		return false;
	for (uint32_t i = 0; i < s->count && !allowed; i++)
		allowed = any(r, s->policies[i], EFFECT_ALLOW, covers);
	return allowed;
}
