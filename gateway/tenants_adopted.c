/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tenants adopt, held against what other tenants have: a rule that takes
 * in names behind a prefixed tenant's prefix, if only those to come, would show
 * its data to another one.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/config.h"
#include "gateway/tenants_private.h"
#include "routing/names.h"

/* One kind of a tenant's rules. */
struct rules {
	const char		*member;	/* of adopt in its file */
	const struct config_tenant_adopted *v;
	uint32_t		 n;
};

static struct rules
rules_of(const struct tenant *t, enum name_kind kind)
{
	const struct config_tenant_adopt *a = &t->config->adopt;

	switch (kind) {
	case NAME_TOPIC:
		return (struct rules){ "topics", a->topics.v, a->topics.n };
	case NAME_GROUP:
		return (struct rules){ "groups", a->groups.v, a->groups.n };
	default:
		return (struct rules){ "transactional_ids",
		    a->transactional_ids.v, a->transactional_ids.n };
	}
}

static bool
is_prefixed(const struct tenant *t)
{
	return names_prefix(t->names).data != NULL;
}

/* The rule without its star. */
static struct slice
stem_of(const char *rule, bool *star)
{
	struct slice s = slice_of(rule);

	*star = s.len > 0 && s.data[s.len - 1] == '*';
	s.len -= *star;
	return s;
}

static bool
begins_with(struct slice s, struct slice with)
{
	return s.len >= with.len &&
	    (with.len == 0 || memcmp(s.data, with.data, with.len) == 0);
}

static bool
takes_in(const char *rule, struct slice prefix)
{
	bool star;
	struct slice stem = stem_of(rule, &star);

	return begins_with(stem, prefix) ||
	    (star && begins_with(prefix, stem));
}

/* The first one whose prefix is not before the stem: they stand in the order
 * of their prefixes. */
static uint32_t
first_from(const struct tenants *all, struct slice stem)
{
	uint32_t lo = 0, hi = all->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		char prefix[TENANT_ID_MAX + 2];

		snprintf(prefix, sizeof(prefix), "%s.", all->v[mid]->id);
		if (strncmp(prefix, (const char *)stem.data, stem.len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct tenant *
tenants_taken_in(const struct tenants *all, const char *but, const char *rule)
{
	bool star;
	struct slice stem = stem_of(rule, &star);
	const uint8_t *dot = stem.len > 0 ? memchr(stem.data, '.', stem.len) :
	    NULL;
	const struct tenant *t;

	if (dot != NULL) {
		t = tenants_get(all, (struct slice){ stem.data,
		    (uint32_t)(dot - stem.data) });
		return t != NULL && is_prefixed(t) && strcmp(t->id, but) != 0 ?
		    t : NULL;
	}
	if (!star || all == NULL)
		return NULL;
	for (uint32_t i = first_from(all, stem); i < all->n; i++) {
		t = all->v[i];
		/* What begins with the stem has no dot within it. */
		if (!begins_with(slice_of(t->id), stem))
			break;
		if (is_prefixed(t) && strcmp(t->id, but) != 0)
			return t;
	}
	return NULL;
}

void
tenants_check_rules(const struct tenants *all, const struct tenant *t,
    struct error_list *errs)
{
	char path[64];

	for (int kind = 0; kind < NAME_KINDS; kind++) {
		struct rules r = rules_of(t, (enum name_kind)kind);

		for (uint32_t i = 0; i < r.n; i++) {
			const struct tenant *other = tenants_taken_in(all,
			    t->id, r.v[i].name);

			if (other == NULL)
				continue;
			snprintf(path, sizeof(path), "adopt.%s[%u]", r.member,
			    i);
			error_list_add(errs, path, "it takes in names of "
			    "tenant %s, which begin with %s.", other->id,
			    other->id);
		}
	}
}

bool
tenants_check_new(const struct tenants *all, const struct tenant *t,
    struct error *err)
{
	struct slice prefix = names_prefix(t->names);

	for (uint32_t i = 0; prefix.data != NULL && i < tenants_count(all);
	    i++) {
		const struct tenant *other = all->v[i];

		if (strcmp(other->id, t->id) == 0)
			continue;
		for (int kind = 0; kind < NAME_KINDS; kind++) {
			struct rules r = rules_of(other,
			    (enum name_kind)kind);

			for (uint32_t j = 0; j < r.n; j++)
				if (takes_in(r.v[j].name, prefix))
					return error_set(err, "adopt.%s[%u] "
					    "of tenant %s takes in names of "
					    "tenant %s, which would begin with "
					    "%s.", r.member, j, other->id,
					    t->id, t->id);
		}
	}
	return true;
}
