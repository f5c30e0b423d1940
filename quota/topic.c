/* SPDX-License-Identifier: Apache-2.0 */
/* A topic's partitions: two buckets each, made when they are first used. */
#include <stdlib.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

/* When there are too many: no topic has such a name. */
static const char others[] = "@others";

/* Of all its rows: the others' topics may be any. */
static const struct limit *
least_row(const struct limits *l, enum quota_dimension d)
{
	const struct limit *least = NULL;

	for (uint32_t i = 0; l != NULL && i < l->n; i++) {
		const struct limit *at = &l->v[i];

		if (at->scope == QUOTA_PARTITION && at->dimension == d &&
		    at->mode != QUOTA_OFF && (least == NULL ||
		    at->mode < least->mode || (at->mode == least->mode &&
		    at->value < least->value)))
			least = at;
	}
	return least;
}

/* NULL: no limit. */
static const struct limit *
row_of(const struct limits *l, enum quota_dimension d, struct slice name)
{
	const struct limit *row = slice_is(name, others) ? least_row(l, d) :
	    limits_find(l, QUOTA_PARTITION, d, SLICE_LIT(""), SLICE_LIT(""),
	    name);

	return row != NULL && row->mode != QUOTA_OFF ? row : NULL;
}

enum quota_dimension
quota_part_dimension(bool out)
{
	return out ? QUOTA_DIM_PARTITION_EGRESS : QUOTA_DIM_PARTITION_INGRESS;
}

void
quota_topic_follow(struct quota_topic *t, const struct limits *l)
{
	for (int out = 0; out < 2; out++) {
		struct quota_way *way = &t->way[out];
		const struct limit *row = row_of(l, quota_part_dimension(out),
		    slice_of(t->name));

		if (row != NULL) {
			quota_rate_follow(t->account->quota, &way->rate,
			    row->value, 1, row->burst);
			atomic_store(&way->value, row->value);
			atomic_store(&way->burst, row->burst);
		}
		atomic_store(&way->mode, row != NULL ? row->mode : QUOTA_OFF);
	}
}

bool
quota_limits_partitions(const struct quota_account *a)
{
	return atomic_load_explicit(&a->limits_partitions,
	    memory_order_relaxed);
}

uint32_t
quota_limits_version(const struct quota_account *a)
{
	return atomic_load_explicit(&a->limits_version, memory_order_acquire);
}

static struct quota_topic *
topic_new(struct quota_account *a, struct slice name)
{
	struct quota_topic *t = mem_zalloc(sizeof(*t));

	t->account = a;
	t->name = mem_strndup(name.data, name.len);
	quota_topic_follow(t, a->limits);
	htab_set(a->topics, name, t);
	list_append(&a->swept, &t->link);
	return t;
}

/* With the account's lock held. */
static struct quota_topic *
topic_get(struct quota_account *a, struct slice name)
{
	struct quota_topic *t = htab_get(a->topics, name);

	if (t == NULL && htab_count(a->topics) >= QUOTA_HOLDERS_MAX) {
		name = slice_of(others);
		t = htab_get(a->topics, name);
	}
	if (t == NULL)
		t = topic_new(a, name);
	atomic_fetch_add(&t->refs, 1);
	t->busy = true;
	return t;
}

struct quota_topic *
quota_topic(struct quota_account *a, struct slice name)
{
	struct quota_topic *t = NULL;

	if (!quota_limits_partitions(a))
		return NULL;
	pthread_mutex_lock(&a->lock);
	if (row_of(a->limits, QUOTA_DIM_PARTITION_INGRESS, name) != NULL ||
	    row_of(a->limits, QUOTA_DIM_PARTITION_EGRESS, name) != NULL)
		t = topic_get(a, name);
	pthread_mutex_unlock(&a->lock);
	return t;
}

struct quota_topic *
quota_topic_ref(struct quota_topic *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->refs, 1);
	return t;
}

void
quota_topic_unref(struct quota_topic *t)
{
	if (t != NULL)
		atomic_fetch_sub(&t->refs, 1);
}

static int
level_of(int32_t partition)
{
	return 31 - __builtin_clz((uint32_t)partition + 1);
}

static int32_t
first_of(int level)
{
	return (1 << level) - 1;
}

void
quota_topic_each(struct quota_topic *t,
    void (*cb)(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p), void *arg)
{
	for (int level = 0; level < QUOTA_LEVELS; level++) {
		struct quota_part *v = atomic_load_explicit(
		    &t->levels[level], memory_order_acquire);

		for (int32_t i = 0; v != NULL && i < 1 << level; i++)
			cb(arg, t, first_of(level) + i, &v[i]);
	}
}

static void
free_more(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p)
{
	(void)arg, (void)t, (void)partition;
	free(atomic_load(&p->more));
}

void
quota_topic_free(struct quota_topic *t)
{
	quota_topic_unlease(t);
	quota_topic_each(t, free_more, NULL);
	for (int level = 0; level < QUOTA_LEVELS; level++)
		free(atomic_load(&t->levels[level]));
	free(t->name);
	free(t);
}

/* ---- its partitions ---- */

/* Whoever comes first makes it; the others take that one. */
static void *
made(_Atomic(void *) *at, size_t size, bool *fresh)
{
	void *was = atomic_load_explicit(at, memory_order_acquire), *mine;

	*fresh = false;
	if (was != NULL)
		return was;
	mine = mem_zalloc(size);
	*fresh = atomic_compare_exchange_strong(at, &was, mine);
	if (*fresh)
		return mine;
	free(mine);
	return was;
}

struct quota_more *
quota_part_more(struct quota_part *p)
{
	bool fresh;

	return made(&p->more, sizeof(struct quota_more), &fresh);
}

/* NULL: nothing was charged to it yet, nor to its neighbours. */
static struct quota_part *
part_of(struct quota_topic *t, int32_t partition)
{
	struct quota_part *v;
	int level;

	if (partition < 0 || partition >= QUOTA_PARTITIONS_MAX)
		return NULL;
	level = level_of(partition);
	v = atomic_load_explicit(&t->levels[level], memory_order_acquire);
	return v != NULL ? &v[partition - first_of(level)] : NULL;
}

struct quota_part *
quota_topic_part(struct quota_topic *t, int32_t partition)
{
	struct quota_part *v;
	bool fresh;
	int level;

	if (partition < 0 || partition >= QUOTA_PARTITIONS_MAX)
		return NULL;
	level = level_of(partition);
	v = made(&t->levels[level], sizeof(*v) << level, &fresh);
	/* Others may press them already. */
	if (fresh)
		quota_tell(t->account->quota, &(struct quota_event){
		    .topic = t, .fresh = true, .which = level });
	return &v[partition - first_of(level)];
}

bool
quota_topic_has(struct quota_topic *t, int32_t partition)
{
	return part_of(t, partition) != NULL;
}

/* Whoever fills that bucket of it. */
static struct lease *
lease_of(struct quota_part *p, bool out)
{
	struct quota_more *m = atomic_load_explicit(&p->more,
	    memory_order_acquire);

	return m != NULL ? atomic_load_explicit(&m->lease[out],
	    memory_order_acquire) : NULL;
}

struct bucket_rate *
quota_part_rate(struct quota_topic *t, struct quota_part *p, bool out)
{
	struct lease *l = lease_of(p, out);

	return l != NULL ? &l->rate : &t->way[out].rate;
}

/* That begins now, if nobody used it, as holders' do. */
static struct bucket *
bucket_of(struct quota_topic *t, struct quota_part *p, int32_t partition,
    bool out, int64_t now_us)
{
	struct bucket *b = &p->bucket[out];
	int64_t never = 0;

	if (atomic_load_explicit(&b->at_us, memory_order_relaxed) == 0 &&
	    atomic_load(&t->account->quota->fleet))
		atomic_compare_exchange_strong(&b->at_us, &never,
		    quota_part_pressed(t, partition, out) ? now_us :
		    t->account->quota->started_us);
	return b;
}

/* As in charge.c. */
static void
notice(struct quota_topic *t, struct quota_part *p, int32_t partition,
    bool out, int64_t balance)
{
	struct lease *l = lease_of(p, out);
	struct quota *q = t->account->quota;

	if (l != NULL) {
		lease_notice(l, balance);
		return;
	}
	if (!atomic_load_explicit(&q->fleet, memory_order_relaxed) ||
	    balance >= atomic_load(&quota_part_rate(t, p, out)->burst) / 2 ||
	    atomic_exchange(&quota_part_more(p)->queued[out], true))
		return;
	quota_tell(q, &(struct quota_event){ .topic = t, .which = partition,
	    .out = out });
}

/* ---- once a second ---- */

static bool
is_full(struct quota_topic *t, struct quota_part *p, int64_t now_us)
{
	for (int out = 0; out < 2; out++) {
		struct bucket_rate *r = quota_part_rate(t, p, out);
		struct bucket *b = &p->bucket[out];

		if (atomic_load(&b->at_us) != 0 && bucket_look(b, r, now_us) <
		    atomic_load(&r->burst))
			return false;
	}
	return true;
}

/* Goes on where it was left; false: the topic's end was not reached. Who takes
 * a reference meanwhile makes it busy. */
static bool
topic_sweep(struct quota_topic *t, const struct quota_view *v, int32_t *left)
{
	if (t->swept == 0)
		t->busy = atomic_load(&t->refs) > 0;
	while (t->swept < QUOTA_PARTITIONS_MAX) {
		struct quota_part *p = part_of(t, t->swept);

		if (p == NULL) {
			t->swept = first_of(level_of(t->swept) + 1);
			continue;
		}
		if ((*left)-- <= 0)
			return false;
		quota_view_part(v, t, t->swept++, p);
		t->busy = t->busy || !is_full(t, p, v->now_us);
	}
	t->swept = 0;
	return true;
}

void
quota_topics_sweep(struct quota_account *a, const struct quota_view *v)
{
	int32_t left = QUOTA_SWEEP_PARTS;

	for (size_t n = htab_count(a->topics); n > 0 && left-- > 0; n--) {
		struct quota_topic *t = LIST_ENTRY(a->swept.next,
		    struct quota_topic, link);

		if (!topic_sweep(t, v, &left))
			return;
		list_remove(&t->link);
		if (t->busy) {
			list_append(&a->swept, &t->link);
			continue;
		}
		htab_take(a->topics, slice_of(t->name));
		quota_topic_held(t, a->gone);
		quota_topic_free(t);
	}
}

/* ---- asking and charging ---- */

static unsigned char
mode_of(const struct quota_topic *t, bool out)
{
	return atomic_load_explicit(&t->way[out].mode, memory_order_relaxed);
}

bool
quota_topic_limited(const struct quota_topic *t, bool out)
{
	return t != NULL && mode_of(t, out) != QUOTA_OFF;
}

static void
owes(struct quota_topic *t, bool out, int64_t us, int64_t now_us)
{
	int64_t until = us > INT64_MAX - now_us ? INT64_MAX : now_us + us;

	quota_raise(&t->way[out].owes_until_us, until);
	quota_raise(&t->account->parts_owe_until_us[out], until);
}

void
quota_topic_unsure(struct quota_topic *t, int64_t now_us)
{
	for (int out = 0; out < 2; out++)
		if (quota_topic_limited(t, out))
			owes(t, out, QUOTA_CHANGED_MS * 1000, now_us);
}

static bool
is_closed(const struct quota_account *a)
{
	return atomic_load_explicit(&a->quota->closed, memory_order_relaxed);
}

bool
quota_parts_owe(const struct quota_account *a, bool out, int64_t now_us)
{
	return atomic_load_explicit(&a->parts_owe_until_us[out],
	    memory_order_relaxed) > now_us || is_closed(a);
}

bool
quota_topic_owes(const struct quota_topic *t, bool out, int64_t now_us)
{
	return atomic_load_explicit(&t->way[out].owes_until_us,
	    memory_order_relaxed) > now_us || is_closed(t->account);
}

/* quota_unleased_us, of one that may not be used yet (NULL); -1 with a lease,
 * too. */
static int64_t
unleased_us(const struct quota_topic *t, struct quota_part *p, bool out)
{
	return p != NULL && lease_of(p, out) != NULL ? -1 :
	    quota_unleased_us(t->account->quota);
}

static int64_t
wait_of(struct quota_topic *t, struct quota_part *p, bool out,
    int64_t balance)
{
	struct lease *l = lease_of(p, out);

	return bucket_wait_us(balance, atomic_load(l != NULL ? &l->pace :
	    &t->way[out].rate.rate));
}

static struct quota_record *
record_of(struct quota_part *p, bool out)
{
	return &quota_part_more(p)->record[out];
}

/* Its next waits for so long. */
static int64_t
held(struct quota_topic *t, struct quota_record *rec, bool out, int64_t us,
    struct quota_reason *why)
{
	if (why != NULL && us > why->us)
		*why = (struct quota_reason){ quota_part_dimension(out),
		    QUOTA_PARTITION, atomic_load(&t->way[out].value), us, rec };
	return us;
}

/* What a balance means for the partition's next. */
static int64_t
verdict(struct quota_topic *t, struct quota_part *p, bool out,
    int64_t balance, int64_t now_us, struct quota_reason *why)
{
	int64_t us = wait_of(t, p, out, balance);

	if (us == 0)
		return 0;
	if (!is_closed(t->account))
		owes(t, out, lease_of(p, out) != NULL &&
		    us < QUOTA_UNSURE_MS * 1000 ? QUOTA_UNSURE_MS * 1000 : us,
		    now_us);
	return held(t, record_of(p, out), out, us, why);
}

/* In shadow nobody waits: what comes while it is in debt is noted, and not
 * charged on top (as in charge.c). */
static bool
is_charged(struct quota_topic *t, struct quota_part *p, bool out,
    int64_t balance, int64_t bytes, int64_t now_us)
{
	struct quota_record *rec;

	if (mode_of(t, out) != QUOTA_SHADOW || balance >= 0)
		return true;
	rec = record_of(p, out);
	atomic_fetch_add(&rec->over, (uint64_t)bytes);
	quota_note(rec, wait_of(t, p, out, balance), now_us);
	return false;
}

int64_t
quota_part_spend(struct quota_topic *t, int32_t partition, bool out,
    int64_t bytes, int64_t now_us, struct quota_reason *why)
{
	struct quota_part *p;
	struct bucket_rate *r;
	struct bucket *b;
	int64_t balance;

	if (!quota_topic_limited(t, out) ||
	    unleased_us(t, part_of(t, partition), out) == 0 ||
	    (p = quota_topic_part(t, partition)) == NULL)
		return 0;
	b = bucket_of(t, p, partition, out, now_us);
	r = quota_part_rate(t, p, out);
	if (!is_charged(t, p, out, bucket_look(b, r, now_us), bytes, now_us))
		return 0;
	balance = bucket_spend(b, r, bytes, now_us);
	notice(t, p, partition, out, balance);
	return mode_of(t, out) == QUOTA_SHADOW ? 0 :
	    verdict(t, p, out, balance, now_us, why);
}

int64_t
quota_part_wait_us(struct quota_topic *t, int32_t partition, bool out,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_part *p;
	int64_t us;

	if (!quota_topic_limited(t, out) || mode_of(t, out) == QUOTA_SHADOW)
		return 0;
	p = part_of(t, partition);
	us = unleased_us(t, p, out);
	if (us >= 0)
		return us == 0 ? 0 : held(t, p != NULL ? record_of(p, out) :
		    NULL, out, us, why);
	if (p == NULL)
		return 0;
	return verdict(t, p, out, bucket_look(bucket_of(t, p, partition, out,
	    now_us), quota_part_rate(t, p, out), now_us), now_us, why);
}
