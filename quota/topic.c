/* SPDX-License-Identifier: Apache-2.0 */
/* A topic's partitions: two buckets each, made when they are first used. */
#include <stdlib.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

static unsigned char
follow(struct bucket_rate *r, const struct limits *l, enum quota_dimension d,
    struct slice topic)
{
	const struct limit *row = l != NULL ? limits_find(l, QUOTA_PARTITION,
	    d, SLICE_LIT(""), SLICE_LIT(""), topic) : NULL;

	if (row == NULL || row->mode == QUOTA_OFF)
		return QUOTA_OFF;
	bucket_rate_set(r, row->value, 1, row->burst);
	return row->mode;
}

void
quota_topic_follow(struct quota_topic *t, const struct limits *l)
{
	struct slice name = slice_of(t->name);

	atomic_store(&t->mode_in, follow(&t->rate_in, l,
	    QUOTA_DIM_PARTITION_INGRESS, name));
	atomic_store(&t->mode_out, follow(&t->rate_out, l,
	    QUOTA_DIM_PARTITION_EGRESS, name));
}

bool
quota_limits_partitions(const struct quota_account *a)
{
	return atomic_load_explicit(&a->limits_partitions,
	    memory_order_relaxed);
}

struct quota_topic *
quota_topic(struct quota_account *a, struct slice name)
{
	struct quota_topic *t = NULL;

	if (!quota_limits_partitions(a))
		return NULL;
	pthread_mutex_lock(&a->lock);
	t = htab_get(a->topics, name);
	if (t == NULL && htab_count(a->topics) < QUOTA_HOLDERS_MAX) {
		t = mem_zalloc(sizeof(*t));
		t->account = a;
		t->name = mem_strndup(name.data, name.len);
		quota_topic_follow(t, a->limits);
		htab_set(a->topics, name, t);
	}
	if (t != NULL)
		atomic_fetch_add(&t->refs, 1);
	pthread_mutex_unlock(&a->lock);
	return t;
}

void
quota_topic_unref(struct quota_topic *t)
{
	if (t != NULL)
		atomic_fetch_sub(&t->refs, 1);
}

static void
parts_free(struct quota_part *v)
{
	for (int i = 0; v != NULL && i < QUOTA_FEW; i++)
		free(atomic_load(&v[i].record));
	free(v);
}

void
quota_topic_free(struct quota_topic *t)
{
	_Atomic(void *) *many = atomic_load(&t->many);

	parts_free(atomic_load(&t->few));
	for (int i = 0; many != NULL && i < QUOTA_MANY; i++)
		parts_free(atomic_load(&many[i]));
	free(many);
	free(t->name);
	free(t);
}

/* ---- its partitions ---- */

/* Whoever comes first makes it; the others take that one. */
static void *
made(_Atomic(void *) *at, size_t size)
{
	void *was = atomic_load_explicit(at, memory_order_acquire), *mine;

	if (was != NULL)
		return was;
	mine = mem_zalloc(size);
	if (atomic_compare_exchange_strong(at, &was, mine))
		return mine;
	free(mine);
	return was;
}

struct quota_part *
quota_topic_part(struct quota_topic *t, int32_t partition)
{
	size_t few = sizeof(struct quota_part) * QUOTA_FEW;
	struct quota_part *v;
	_Atomic(void *) *many;

	if (partition < 0 || partition >= QUOTA_PARTITIONS_MAX)
		return NULL;
	if (partition < QUOTA_FEW) {
		v = made(&t->few, few);
	} else {
		many = made(&t->many,
		    sizeof(*many) * QUOTA_MANY);
		v = made(&many[partition / QUOTA_FEW], few);
	}
	return &v[partition % QUOTA_FEW];
}

static bool
parts_idle(struct quota_topic *t, struct quota_part *v, int64_t now_us)
{
	for (int i = 0; v != NULL && i < QUOTA_FEW; i++)
		if (bucket_look(&v[i].in, &t->rate_in, now_us) <
		    atomic_load(&t->rate_in.burst) ||
		    bucket_look(&v[i].out, &t->rate_out, now_us) <
		    atomic_load(&t->rate_out.burst))
			return false;
	return true;
}

bool
quota_topic_idle(struct quota_topic *t, int64_t now_us)
{
	_Atomic(void *) *many = atomic_load(&t->many);

	if (atomic_load(&t->refs) > 0 ||
	    !parts_idle(t, atomic_load(&t->few), now_us))
		return false;
	for (int i = 0; many != NULL && i < QUOTA_MANY; i++)
		if (!parts_idle(t, atomic_load(&many[i]), now_us))
			return false;
	return true;
}

/* ---- asking and charging ---- */

static unsigned char
mode_of(const struct quota_topic *t, bool out)
{
	return atomic_load_explicit(out ? &t->mode_out : &t->mode_in,
	    memory_order_relaxed);
}

bool
quota_topic_limited(const struct quota_topic *t, bool out)
{
	return t != NULL && mode_of(t, out) != QUOTA_OFF;
}

static struct quota_record *
record_of(struct quota_part *p, bool out)
{
	struct quota_record *v = made(&p->record,
	    2 * sizeof(struct quota_record));

	return &v[out];
}

/* What a balance means for the partition's next. */
static int64_t
verdict(struct quota_topic *t, struct quota_part *p, bool out,
    int64_t balance, bool spent, int64_t now_us, struct quota_reason *why)
{
	struct bucket_rate *r = out ? &t->rate_out : &t->rate_in;
	int64_t us = bucket_wait_us(balance, atomic_load(&r->rate));
	struct quota_record *rec;

	if (us == 0)
		return 0;
	rec = record_of(p, out);
	if (mode_of(t, out) == QUOTA_SHADOW) {
		if (spent)
			quota_note(rec, us, now_us);
		return 0;
	}
	if (why != NULL && us > why->us)
		*why = (struct quota_reason){ out ? QUOTA_DIM_PARTITION_EGRESS :
		    QUOTA_DIM_PARTITION_INGRESS, QUOTA_PARTITION,
		    atomic_load(&r->rate) / BUCKET_UNIT, us, rec };
	return us;
}

int64_t
quota_part_spend(struct quota_topic *t, int32_t partition, bool out,
    int64_t bytes, int64_t now_us, struct quota_reason *why)
{
	struct quota_part *p;

	if (!quota_topic_limited(t, out) ||
	    (p = quota_topic_part(t, partition)) == NULL)
		return 0;
	return verdict(t, p, out, bucket_spend(out ? &p->out : &p->in,
	    out ? &t->rate_out : &t->rate_in, bytes, now_us), true, now_us,
	    why);
}

int64_t
quota_part_wait_us(struct quota_topic *t, int32_t partition, bool out,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_part *p;

	if (!quota_topic_limited(t, out) || mode_of(t, out) == QUOTA_SHADOW ||
	    (p = quota_topic_part(t, partition)) == NULL)
		return 0;
	return verdict(t, p, out, bucket_look(out ? &p->out : &p->in,
	    out ? &t->rate_out : &t->rate_in, now_us), false, now_us, why);
}
