/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/adopt.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/census_policies.h"
#include "gateway/census_sizes.h"
#include "gateway/tenants.h"
#include "quota/limits.h"
#include "quota/stock.h"
#include "routing/cluster.h"
#include "routing/names.h"

struct census {
	atomic_int	 refs;
	int64_t		 asked_us;
	struct tenants	*of;		/* references */
	struct limits	*all;
	struct htab	*tenants;	/* struct census_tenant, by id */
	uint32_t	 wants;		/* of all of them */
	struct policies	*policies;	/* or NULL */
};

static const enum quota_dimension counted[] = {
	QUOTA_DIM_GROUPS, QUOTA_DIM_TRANSACTIONAL_IDS, QUOTA_DIM_PARTITIONS,
	QUOTA_DIM_COMPACTED_PARTITIONS, QUOTA_DIM_COMPACTED_BYTES,
	QUOTA_DIM_STORAGE,
};

/* A partition that is over the limit. */
struct census_full {
	uint64_t	 partition;	/* hash of topic and number */
	int64_t		 bytes;
};

static const enum name_kind name_kinds[QUOTA_NAMED] = {
	[QUOTA_NAMED_GROUPS] = NAME_GROUP,
	[QUOTA_NAMED_TXNS] = NAME_TXN,
};

/* ---- whose ---- */

static uint32_t
wanted_by(const struct limits *l)
{
	const struct slice none = SLICE_LIT("");
	uint32_t bits = 0;

	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		const struct limit *found = limits_find(l, QUOTA_TENANT,
		    counted[i], none, none, none);

		if (found != NULL && found->mode != QUOTA_OFF)
			bits |= 1u << counted[i];
	}
	return bits;
}

static void
add_tenant(struct census *c, const char *id, const struct names *names,
    struct limits *l)
{
	struct census_tenant *t;
	uint32_t wants = wanted_by(l);

	if (wants == 0)
		return;
	t = mem_zalloc(sizeof(*t));
	*t = (struct census_tenant){ .id = id, .names = names, .limits = l,
		.wants = wants, .stock = quota_stock_new() };
	htab_set(c->tenants, slice_of(id), t);
	c->wants |= wants;
}

static void
tenant_done(void *p)
{
	struct census_tenant *t = p;

	quota_stock_unref(t->stock);
	free(t->full);
	free(t);
}

struct census *
census_new(int64_t asked_us, struct tenants *of, struct limits *all)
{
	struct census *c = mem_zalloc(sizeof(*c));

	atomic_init(&c->refs, 1);
	c->asked_us = asked_us;
	c->of = tenants_ref(of);
	c->all = limits_ref(all);
	c->tenants = htab_new();
	if (of == NULL)
		add_tenant(c, "", NULL, all);
	for (uint32_t i = 0; of != NULL && i < tenants_count(of); i++) {
		const struct tenant *t = tenants_at(of, i);

		add_tenant(c, t->id, t->names, t->limits);
	}
	if (c->wants != 0)
		return c;
	census_unref(c);
	return NULL;
}

struct census *
census_ref(struct census *c)
{
	if (c != NULL)
		atomic_fetch_add(&c->refs, 1);
	return c;
}

void
census_unref(struct census *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	htab_free(c->tenants, tenant_done);
	tenants_unref(c->of);
	limits_unref(c->all);
	policies_unref(c->policies);
	free(c);
}

int64_t
census_asked_us(const struct census *c)
{
	return c->asked_us;
}

bool
census_wants(const struct census *c, enum quota_dimension d)
{
	return c->wants >> d & 1;
}

const struct census_tenant *
census_tenant(const struct census *c, const char *id)
{
	return c != NULL ? htab_get(c->tenants, slice_of(id)) : NULL;
}

struct each {
	void	(*cb)(void *arg, const struct census_tenant *t);
	void	*arg;
};

static bool
call_each(void *arg, struct slice key, void *value)
{
	const struct each *e = arg;

	(void)key;
	e->cb(e->arg, value);
	return true;
}

void
census_each(const struct census *c,
    void (*cb)(void *arg, const struct census_tenant *t), void *arg)
{
	struct each e = { cb, arg };

	htab_each(c->tenants, call_each, &e);
}

/* ---- names ---- */

struct dealing {
	enum quota_named		 kind;
	const struct adopt_names	*names;
	const struct census_tenant	*to;
	const struct census		*before;
	int64_t				 asked_us;
};

/* The first that is not before it. */
static uint32_t
first_from(const struct adopt_names *l, struct slice name)
{
	uint32_t from = 0, to = l->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		const struct slice *s = &l->v[mid].name;
		uint32_t n = s->len < name.len ? s->len : name.len;
		int d = n > 0 ? memcmp(s->data, name.data, n) : 0;

		if (d < 0 || (d == 0 && s->len < name.len))
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static void
deal_range(void *arg, struct slice physical, bool whole)
{
	const struct dealing *d = arg;
	enum name_kind kind = name_kinds[d->kind];

	for (uint32_t i = first_from(d->names, physical); i < d->names->n;
	    i++) {
		struct slice s = d->names->v[i].name;

		if (s.len < physical.len || (physical.len > 0 &&
		    memcmp(s.data, physical.data, physical.len) != 0) ||
		    (whole && s.len != physical.len))
			break;
		if (names_owns(d->to->names, kind, s))
			quota_stock_add(d->to->stock, d->kind, s);
	}
}

static void
deal(void *arg, const struct census_tenant *t)
{
	struct dealing *d = arg;
	bool wanted = t->wants >> quota_named_dimension(d->kind) & 1;

	d->to = t;
	if (wanted)
		names_ranges(t->names, name_kinds[d->kind], deal_range, d);
	quota_stock_seal(t->stock, d->kind, wanted ? d->asked_us : 0);
}

void
census_put_names(struct census *c, enum quota_named kind,
    const struct adopt_names *names)
{
	struct dealing d = { .kind = kind, .names = names,
		.asked_us = c->asked_us };

	census_each(c, deal, &d);
}

static void
keep(void *arg, const struct census_tenant *t)
{
	const struct dealing *d = arg;
	const struct census_tenant *was = census_tenant(d->before, t->id);

	quota_stock_copy(t->stock, d->kind, was != NULL ? was->stock : NULL);
	quota_stock_seal(t->stock, d->kind, 0);
}

void
census_keep_names(struct census *c, enum quota_named kind,
    const struct census *before)
{
	struct dealing d = { .kind = kind, .before = before };

	census_each(c, keep, &d);
}

/* ---- topics ---- */

/* Walks a tenant's topics. */
struct walk {
	const struct census_tenant *t;
	const struct cluster	*of;
	void			(*cb)(struct walk *w, const struct topic *t);
	uint32_t		 dimensions;
	bool			*marks, any;
	struct census		*census;
	struct census_tenant	*to;
	const struct sizes	*sizes;
	int64_t			 most;	/* of a compacted partition; -1 */
};

static void
walk_range(void *arg, struct slice physical, bool whole)
{
	struct walk *w = arg;

	for (int32_t i = cluster_topics_from(w->of, physical);
	    cluster_topic_within(w->of, i, physical, whole); i++) {
		const struct topic *t = &w->of->topics[i];

		if (!t->internal && names_owns(w->t->names, NAME_TOPIC,
		    t->name))
			w->cb(w, t);
	}
}

static void
mark(struct walk *w, const struct topic *t)
{
	w->marks[t - w->of->topics] = true;
	w->any = true;
}

static void
mark_tenant(void *arg, const struct census_tenant *t)
{
	struct walk *w = arg;

	w->t = t;
	if ((t->wants & w->dimensions) != 0)
		names_ranges(t->names, NAME_TOPIC, walk_range, w);
}

bool
census_mark(const struct census *c, const struct cluster *of,
    uint32_t dimensions, bool *marks)
{
	struct walk w = { .of = of, .cb = mark, .dimensions = dimensions,
		.marks = marks };

	census_each(c, mark_tenant, &w);
	return w.any;
}

static uint64_t
hash_of(const struct topic *t, int32_t partition)
{
	uint8_t key[256 + sizeof(partition)];
	bool named = uuid_is_zero(&t->id);
	uint32_t n = named ? t->name.len : sizeof(t->id.b);

	if (n > 256)
		n = 256;
	memcpy(key, named ? t->name.data : t->id.b, n);
	memcpy(key + n, &partition, sizeof(partition));
	return htab_hash((struct slice){ key,
	    n + (uint32_t)sizeof(partition) });
}

static void
add_full(struct census_tenant *to, const struct topic *t, int32_t partition,
    int64_t bytes)
{
	if (to->full_count == to->full_room) {
		to->full_room = to->full_room ? to->full_room * 2 : 16;
		to->full = mem_realloc(to->full, to->full_room *
		    sizeof(*to->full));
	}
	to->full[to->full_count++] = (struct census_full){
		hash_of(t, partition), bytes };
}

static void
count(struct walk *w, const struct topic *t)
{
	struct census_tenant *to = w->to;
	bool compacted = policies_class(w->census->policies, t) ==
	    MADE_COMPACTED;

	*(compacted ? &to->compacted : &to->partitions) += t->partition_count;
	for (int32_t i = 0; i < t->partition_count; i++) {
		int64_t bytes = sizes_of(w->sizes, t, i);

		to->bytes += bytes;
		if (!compacted)
			continue;
		if (bytes > to->largest)
			to->largest = bytes;
		if (w->most >= 0 && bytes > w->most)
			add_full(to, t, t->partitions[i].index, bytes);
	}
}

static int
by_partition(const void *a, const void *b)
{
	const struct census_full *x = a, *y = b;

	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

static bool
count_tenant(void *arg, struct slice key, void *value)
{
	const struct slice none = SLICE_LIT("");
	struct walk *w = arg;
	struct census_tenant *t = value;
	const struct limit *l = limits_find(t->limits, QUOTA_TENANT,
	    QUOTA_DIM_COMPACTED_BYTES, none, none, none);

	(void)key;
	w->t = w->to = t;
	w->most = l != NULL && l->mode != QUOTA_OFF ? l->value : -1;
	if ((t->wants & (CENSUS_CLASSES | CENSUS_SIZES)) != 0)
		names_ranges(t->names, NAME_TOPIC, walk_range, w);
	if (t->full_count > 0)
		qsort(t->full, t->full_count, sizeof(*t->full), by_partition);
	return true;
}

void
census_put_topics(struct census *c, const struct cluster *of,
    struct policies *p, const struct sizes *s)
{
	struct walk w = { .of = of, .cb = count, .census = c, .sizes = s };

	c->policies = p;
	htab_each(c->tenants, count_tenant, &w);
}

const struct policies *
census_policies(const struct census *c)
{
	return c != NULL ? c->policies : NULL;
}

int64_t
census_full(const struct census_tenant *t, const struct topic *topic,
    int32_t partition)
{
	const struct census_full key = { hash_of(topic, partition), 0 };
	const struct census_full *found = t->full_count == 0 ? NULL :
	    bsearch(&key, t->full, t->full_count, sizeof(key), by_partition);

	return found != NULL ? found->bytes : 0;
}
