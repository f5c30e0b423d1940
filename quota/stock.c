/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/stock.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

struct names_set {
	uint64_t	*v;		/* hashes; sorted once sealed */
	uint32_t	 n, room;
	int64_t		 asked_us;	/* 0: it may not be all */
	bool		 sealed;
};

struct quota_stock {
	atomic_int	 refs;
	struct names_set sets[QUOTA_NAMED];
};

static const enum quota_dimension dimensions[QUOTA_NAMED] = {
	[QUOTA_NAMED_GROUPS] = QUOTA_DIM_GROUPS,
	[QUOTA_NAMED_TXNS] = QUOTA_DIM_TRANSACTIONAL_IDS,
};

enum quota_dimension
quota_named_dimension(enum quota_named kind)
{
	return dimensions[kind];
}

/* ---- what brokers said ---- */

struct quota_stock *
quota_stock_new(void)
{
	struct quota_stock *s = mem_zalloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	return s;
}

struct quota_stock *
quota_stock_ref(struct quota_stock *s)
{
	if (s != NULL)
		atomic_fetch_add(&s->refs, 1);
	return s;
}

void
quota_stock_unref(struct quota_stock *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	for (int i = 0; i < QUOTA_NAMED; i++)
		free(s->sets[i].v);
	free(s);
}

static void
add_hash(struct names_set *set, uint64_t hash)
{
	assert(!set->sealed);
	if (set->n == set->room) {
		set->room = set->room ? set->room * 2 : 16;
		set->v = mem_realloc(set->v, set->room * sizeof(*set->v));
	}
	set->v[set->n++] = hash;
}

void
quota_stock_add(struct quota_stock *s, enum quota_named kind,
    struct slice name)
{
	add_hash(&s->sets[kind], htab_hash(name));
}

void
quota_stock_copy(struct quota_stock *s, enum quota_named kind,
    const struct quota_stock *from)
{
	for (uint32_t i = 0; from != NULL && i < from->sets[kind].n; i++)
		add_hash(&s->sets[kind], from->sets[kind].v[i]);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each once. */
void
quota_stock_seal(struct quota_stock *s, enum quota_named kind,
    int64_t asked_us)
{
	struct names_set *set = &s->sets[kind];
	uint32_t n = 0;

	if (set->n > 0)
		qsort(set->v, set->n, sizeof(*set->v), by_value);
	for (uint32_t i = 0; i < set->n; i++)
		if (n == 0 || set->v[n - 1] != set->v[i])
			set->v[n++] = set->v[i];
	set->n = n;
	set->asked_us = asked_us;
	set->sealed = true;
}

static bool
has_hash(const struct quota_stock *s, enum quota_named kind, uint64_t hash)
{
	const struct names_set *set = s != NULL ? &s->sets[kind] : NULL;

	assert(set == NULL || set->sealed);
	return set != NULL && set->n > 0 && bsearch(&hash, set->v, set->n,
	    sizeof(*set->v), by_value) != NULL;
}

bool
quota_stock_has(const struct quota_stock *s, enum quota_named kind,
    struct slice name)
{
	return has_hash(s, kind, htab_hash(name));
}

uint32_t
quota_stock_count(const struct quota_stock *s, enum quota_named kind)
{
	return s != NULL ? s->sets[kind].n : 0;
}

/* ---- what was made ---- */

struct made {
	uint64_t	 hash;
	int64_t		 at_us;
};

static struct slice
key_of(const uint64_t *hash)
{
	return (struct slice){ (const uint8_t *)hash, sizeof(*hash) };
}

void
quota_made_init(struct quota_account *a)
{
	pthread_mutex_init(&a->made_lock, NULL);
	a->made_topics = htab_new();
	for (int i = 0; i < QUOTA_NAMED; i++)
		a->made[i].names = htab_new();
}

void
quota_made_fini(struct quota_account *a)
{
	for (int i = 0; i < QUOTA_NAMED; i++)
		htab_free(a->made[i].names, free);
	htab_free(a->made_topics, free);
	quota_stock_unref(a->stock);
	pthread_mutex_destroy(&a->made_lock);
}

/* With the lock held, as all that follows. */
static int64_t
count_of(const struct quota_account *a, enum quota_named kind)
{
	return (int64_t)quota_stock_count(a->stock, kind) +
	    (int64_t)htab_count(a->made[kind].names) + a->made[kind].nameless;
}

static void
show_count(struct quota_account *a, enum quota_named kind)
{
	quota_show_count(a, dimensions[kind], count_of(a, kind));
}

struct pruning {
	const struct quota_stock *stock;
	enum quota_named	 kind;
	uint64_t		*gone;
	uint32_t		 n;
};

static bool
prune_one(void *arg, struct slice key, void *value)
{
	struct pruning *p = arg;
	const struct made *m = value;

	(void)key;
	if (has_hash(p->stock, p->kind, m->hash) ||
	    m->at_us + STOCK_GRACE_MS * 1000 <
	    p->stock->sets[p->kind].asked_us)
		p->gone[p->n++] = m->hash;
	return true;
}

static void
prune(struct quota_account *a, enum quota_named kind)
{
	struct quota_made *made = &a->made[kind];
	size_t n = htab_count(made->names);
	struct pruning p = { a->stock, kind, NULL, 0 };

	if (a->stock->sets[kind].asked_us == 0)
		return;
	made->nameless = 0;
	if (n == 0)
		return;
	p.gone = mem_alloc(n * sizeof(*p.gone));
	htab_each(made->names, prune_one, &p);
	for (uint32_t i = 0; i < p.n; i++)
		free(htab_take(made->names, key_of(&p.gone[i])));
	free(p.gone);
}

bool
quota_stock_set(struct quota_account *a, struct quota_stock *s)
{
	struct quota_stock *was;
	bool waits = false;

	pthread_mutex_lock(&a->made_lock);
	was = a->stock;
	a->stock = quota_stock_ref(s);
	for (int i = 0; i < QUOTA_NAMED; i++) {
		if (s != NULL)
			prune(a, (enum quota_named)i);
		show_count(a, (enum quota_named)i);
		waits |= htab_count(a->made[i].names) > 0;
	}
	pthread_mutex_unlock(&a->made_lock);
	quota_stock_unref(was);
	return waits && s != NULL;
}

static void
note_made(struct quota_account *a, enum quota_named kind, uint64_t hash,
    int64_t now_us)
{
	struct quota_made *made = &a->made[kind];
	struct made *m;

	if (htab_count(made->names) >= STOCK_MADE_MAX) {
		made->nameless++;
	} else {
		m = mem_alloc(sizeof(*m));
		*m = (struct made){ hash, now_us };
		htab_set(made->names, key_of(&hash), m);
	}
	show_count(a, kind);
}

/* Each node of a fleet makes its part of what is left, until brokers are asked
 * anew: whatever the others make, there is room for it then. Of less than one
 * each, who has waited may make one. */
static bool
is_part(const struct quota_account *a, enum quota_named kind, int64_t n,
    int64_t most, bool waited)
{
	int64_t nodes = atomic_load_explicit(&a->quota->nodes,
	    memory_order_relaxed);
	int64_t had = quota_stock_count(a->stock, kind);
	int64_t part = nodes <= 1 ? most - had : (most - had) / nodes;

	return n - had <= (part == 0 && waited ? 1 : part);
}

/* It is new: whether it may be. */
static enum quota_making
judge(const struct quota_who *w, enum quota_named kind,
    struct quota_since since, int64_t now_us, struct quota_reason *why)
{
	const struct quota_account *a = w->account;
	int64_t asked_us = a->stock != NULL ?
	    a->stock->sets[kind].asked_us : 0;
	int64_t n = count_of(a, kind) + 1, most;

	if (asked_us == 0)
		return QUOTA_UNSURE;
	/* Nothing is noted for that size. */
	most = quota_size_limit(w, dimensions[kind], INT64_MIN, now_us, why);
	/* Brokers have been silent all the time that it waited. */
	if (most >= 0 && n > most && asked_us < since.came_us)
		return since.tired ? QUOTA_UNSURE : QUOTA_STALE;
	if (most >= 0 && n <= most && !since.tired &&
	    !is_part(a, kind, n, most, since.waited))
		return QUOTA_STALE;
	/* Noted in shadow too. */
	most = quota_size_limit(w, dimensions[kind], n, now_us, why);
	return most >= 0 && n > most ? QUOTA_OVER : QUOTA_MADE;
}

enum quota_making
quota_make(const struct quota_who *w, enum quota_named kind,
    struct slice name, struct quota_since since, int64_t now_us,
    struct quota_reason *why)
{
	struct quota_account *a = w->account;
	uint64_t hash = htab_hash(name);
	enum quota_making verdict = QUOTA_THERE;
	struct made *m;

	pthread_mutex_lock(&a->made_lock);
	m = htab_get(a->made[kind].names, key_of(&hash));
	if (m != NULL) {
		m->at_us = now_us;
	} else if (!has_hash(a->stock, kind, hash)) {
		verdict = judge(w, kind, since, now_us, why);
		if (verdict == QUOTA_MADE || verdict == QUOTA_UNSURE)
			note_made(a, kind, hash, now_us);
	}
	pthread_mutex_unlock(&a->made_lock);
	return verdict;
}

void
quota_unmake(const struct quota_who *w, enum quota_named kind,
    struct slice name)
{
	struct quota_account *a = w->account;
	uint64_t hash = htab_hash(name);

	pthread_mutex_lock(&a->made_lock);
	free(htab_take(a->made[kind].names, key_of(&hash)));
	show_count(a, kind);
	pthread_mutex_unlock(&a->made_lock);
}
