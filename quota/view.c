/* SPDX-License-Identifier: Apache-2.0 */
/* What limits there are and what became of them, for who asks. */
#include <stdlib.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

/* In a fleet the limit is the fleet's. */
static void
add_others(struct quota_row *r, bool bucket)
{
	int64_t others = atomic_load(&r->gauge->others);
	int64_t left = atomic_load(&r->gauge->left);

	r->fleet = atomic_load(&r->gauge->told);
	if (!r->fleet)
		return;
	r->use += others;
	r->headroom += bucket ? left : -others;
	if (r->headroom > r->burst && bucket)
		r->headroom = r->burst;
}

static void
show_gauge(const struct quota_view *v, struct quota_holder *h,
    enum quota_dimension d)
{
	struct quota_gauge *g = &h->gauges[d];
	const struct quota_dimension_row *row = quota_dimension(d);
	bool bucket = row->kind == QUOTA_RATE || row->kind == QUOTA_WINDOW;
	struct quota_row r = {
		.dimension = d, .scope = h->scope,
		.mode = (enum quota_mode)atomic_load(&g->mode),
		.principal = h->principal, .client_id = h->client_id,
		.partition = -1,
		.value = atomic_load(&g->value),
		.burst = atomic_load(&g->burst),
		.here = quota_gauge_use(g, d),
		.gauge = g, .record = &g->record,
	};

	r.headroom = bucket ? bucket_look(&g->bucket, quota_gauge_rate(g),
	    v->now_us) / BUCKET_UNIT : r.value - r.here;
	r.use = r.here;
	add_others(&r, bucket);
	r.peak = atomic_load(&g->peak);
	v->row(v->arg, &r);
}

void
quota_view_holder(const struct quota_view *v, struct quota_holder *h)
{
	uint32_t active = atomic_load(&h->active);

	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++)
		if (active >> d & 1)
			show_gauge(v, h, (enum quota_dimension)d);
}

static bool
visit_holder(void *arg, struct slice key, void *value)
{
	const struct quota_view *v = arg;
	struct quota_holder *h = value;

	(void)key;
	if (v->asked->principal == NULL ||
	    strcmp(h->principal, v->asked->principal) == 0)
		quota_view_holder(v, h);
	return true;
}

static bool
visit_user(void *arg, struct slice key, void *value)
{
	const struct quota_view *v = arg;
	struct quota_holder *h = value;
	struct quota_user u = { .principal = h->principal };

	(void)key;
	if (h->scope != QUOTA_PRINCIPAL)
		return true;
	u.sessions = (int32_t)quota_gauge_count(&h->gauges[
	    QUOTA_DIM_CONNECTIONS]);
	for (int lane = 0; lane < QUOTA_LANES; lane++)
		u.per_s[lane] = atomic_load(&h->given_per_s[lane]);
	v->user(v->arg, &u);
	return true;
}

/* ---- partitions ---- */

static void
show_part(const struct quota_view *v, struct quota_topic *t,
    int32_t partition, struct quota_part *p, bool out)
{
	struct quota_more *more = atomic_load(&p->more);
	struct quota_way *way = &t->way[out];
	struct quota_row r = {
		.dimension = quota_part_dimension(out),
		.scope = QUOTA_PARTITION,
		.mode = (enum quota_mode)atomic_load(&way->mode),
		.topic = t->name, .partition = partition,
		.value = atomic_load(&way->value),
		.burst = atomic_load(&way->burst),
		.use = -1, .here = -1, .peak = -1,
		.record = more != NULL ? &more->record[out] : NULL,
	};

	if (r.mode == QUOTA_OFF)
		return;
	r.headroom = bucket_look(&p->bucket[out], quota_part_rate(t, p, out),
	    v->now_us) / BUCKET_UNIT;
	v->row(v->arg, &r);
}

/* Of those that nobody asked for by number, only what was held up ever. */
void
quota_view_part(const struct quota_view *v, struct quota_topic *t,
    int32_t partition, struct quota_part *p)
{
	struct quota_more *more = atomic_load(&p->more);
	bool asked = v->asked->partition == partition;

	if (v->asked->partition >= 0 ? !asked : more == NULL)
		return;
	for (int out = 0; out < 2; out++)
		if (asked || atomic_load(&more->record[out].last_us) != 0)
			show_part(v, t, partition, p, out);
}

static void
visit_part(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p)
{
	quota_view_part(arg, t, partition, p);
}

static bool
visit_topic(void *arg, struct slice key, void *value)
{
	const struct quota_view *v = arg;
	struct quota_topic *t = value;

	(void)key;
	if (v->asked->topic == NULL || strcmp(t->name, v->asked->topic) == 0)
		quota_topic_each(t, visit_part, arg);
	return true;
}

void
quota_view_holders(const struct quota_view *v, struct quota_account *a)
{
	quota_view_holder(v, a->tenant);
	htab_each(a->holders, visit_holder, (void *)(uintptr_t)v);
	for (int i = 0; i < 2; i++)
		if (a->rest[i] != NULL)
			quota_view_holder(v, a->rest[i]);
}

void
quota_view_topics(const struct quota_view *v, struct quota_account *a)
{
	htab_each(a->topics, visit_topic, (void *)(uintptr_t)v);
}

bool
quota_show(struct quota *q, const char *tenant,
    const struct quota_asked *asked, int64_t now_us,
    void (*row)(void *arg, const struct quota_row *r),
    void (*user)(void *arg, const struct quota_user *u), void *arg)
{
	struct quota_view v = { asked, now_us, row, user, arg };
	struct quota_account *a = quota_account_find(q, slice_of(tenant));

	if (a == NULL)
		return false;
	pthread_mutex_lock(&a->lock);
	if (asked->topic == NULL) {
		quota_view_holder(&v, q->node);
		quota_view_holders(&v, a);
	}
	quota_view_topics(&v, a);
	/* Whatever is asked for: who takes most is not only who is held up. */
	quota_account_holders(a, visit_user, &v);
	pthread_mutex_unlock(&a->lock);
	return true;
}

/* ---- what they have done ---- */

static void
add_record(struct quota_held *to, const struct quota_record *r)
{
	to->times += atomic_load(&r->times);
	to->us += atomic_load(&r->us);
}

/* Those that are off, too. */
void
quota_holder_held(struct quota_holder *h,
    struct quota_held to[QUOTA_DIMENSIONS])
{
	for (int d = 0; d < QUOTA_DIMENSIONS; d++)
		add_record(&to[d], &h->gauges[d].record);
}

static void
add_part(void *arg, struct quota_topic *t, int32_t partition,
    struct quota_part *p)
{
	const struct quota_more *more = atomic_load(&p->more);
	struct quota_held *to = arg;

	(void)t, (void)partition;
	for (int out = 0; more != NULL && out < 2; out++)
		add_record(&to[quota_part_dimension(out)], &more->record[out]);
}

void
quota_topic_held(struct quota_topic *t,
    struct quota_held to[QUOTA_DIMENSIONS])
{
	quota_topic_each(t, add_part, to);
}

static bool
add_holder(void *arg, struct slice key, void *value)
{
	(void)key;
	quota_holder_held(value, arg);
	return true;
}

static bool
add_topic(void *arg, struct slice key, void *value)
{
	(void)key;
	quota_topic_held(value, arg);
	return true;
}

bool
quota_held(struct quota *q, const char *tenant,
    struct quota_held to[QUOTA_DIMENSIONS])
{
	struct quota_account *a = quota_account_find(q, slice_of(tenant));

	if (a == NULL)
		return false;
	pthread_mutex_lock(&a->lock);
	memcpy(to, a->gone, sizeof(a->gone));
	quota_account_holders(a, add_holder, to);
	htab_each(a->topics, add_topic, to);
	pthread_mutex_unlock(&a->lock);
	return true;
}

void
quota_accounts(struct quota *q, void (*cb)(void *arg, const char *tenant),
    void *arg)
{
	QUOTA_EACH_ACCOUNT(a, q)
		cb(arg, a->name);
}
