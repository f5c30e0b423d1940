/* SPDX-License-Identifier: Apache-2.0 */
/* What limits there are and what became of them, for who asks. */
#include <string.h>

#include "gateway/base/htab.h"
#include "quota/quota_private.h"

struct view {
	const struct quota_asked *asked;
	int64_t			 now_us;
	void			(*row)(void *arg, const struct quota_row *r);
	void			(*user)(void *arg, const struct quota_user *u);
	void			*arg;
};

static void
show_gauge(const struct view *v, struct quota_holder *h,
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
		.warn = g->warn, .record = &g->record,
	};

	if (bucket) {
		r.use = (int64_t)atomic_load(&g->per_s);
		r.peak = (int64_t)atomic_load(&g->peak);
		r.headroom = bucket_look(&g->bucket, &g->rate, v->now_us) /
		    BUCKET_UNIT;
	} else {
		r.use = atomic_load(&g->count);
		r.headroom = r.value - r.use;
	}
	v->row(v->arg, &r);
}

static void
show_holder(const struct view *v, struct quota_holder *h)
{
	uint32_t active = atomic_load(&h->active);

	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++)
		if (active >> d & 1)
			show_gauge(v, h, (enum quota_dimension)d);
}

static bool
visit_holder(void *arg, struct slice key, void *value)
{
	const struct view *v = arg;
	struct quota_holder *h = value;
	struct quota_user u = { .principal = h->principal };

	(void)key;
	if (v->asked->principal != NULL &&
	    strcmp(h->principal, v->asked->principal) != 0)
		return true;
	show_holder(v, h);
	if (h->scope != QUOTA_PRINCIPAL)
		return true;
	u.sessions = atomic_load(&h->refs);
	for (int lane = 0; lane < QUOTA_LANES; lane++)
		u.per_s[lane] = atomic_load(&h->given_per_s[lane]);
	v->user(v->arg, &u);
	return true;
}

/* ---- partitions ---- */

static void
show_part(const struct view *v, struct quota_topic *t, int32_t partition,
    struct quota_part *p, bool out)
{
	struct quota_record *rec = atomic_load(&p->record);
	struct bucket_rate *rate = out ? &t->rate_out : &t->rate_in;
	struct quota_row r = {
		.dimension = out ? QUOTA_DIM_PARTITION_EGRESS :
		    QUOTA_DIM_PARTITION_INGRESS,
		.scope = QUOTA_PARTITION,
		.mode = (enum quota_mode)atomic_load(out ? &t->mode_out :
		    &t->mode_in),
		.topic = t->name, .partition = partition,
		.value = atomic_load(&rate->rate) / BUCKET_UNIT,
		.burst = atomic_load(&rate->burst) / BUCKET_UNIT,
		.use = -1, .peak = -1,
		.record = rec != NULL ? &rec[out] : NULL,
	};

	if (r.mode == QUOTA_OFF)
		return;
	r.headroom = bucket_look(out ? &p->out : &p->in, rate, v->now_us) /
	    BUCKET_UNIT;
	v->row(v->arg, &r);
}

/* Of those that nobody asked for by number, only what was held up ever. */
static void
show_few(const struct view *v, struct quota_topic *t, struct quota_part *few,
    int32_t first)
{
	for (int32_t i = 0; few != NULL && i < QUOTA_FEW; i++) {
		struct quota_record *rec = atomic_load(&few[i].record);
		bool asked = v->asked->partition == first + i;

		if (v->asked->partition >= 0 ? !asked : rec == NULL)
			continue;
		for (int out = 0; out < 2; out++)
			if (asked || atomic_load(&rec[out].last_us) != 0)
				show_part(v, t, first + i, &few[i], out);
	}
}

static bool
visit_topic(void *arg, struct slice key, void *value)
{
	const struct view *v = arg;
	struct quota_topic *t = value;
	_Atomic(void *) *many = atomic_load(&t->many);

	(void)key;
	if (v->asked->topic != NULL && strcmp(t->name, v->asked->topic) != 0)
		return true;
	show_few(v, t, atomic_load(&t->few), 0);
	for (int32_t i = 1; many != NULL && i < QUOTA_MANY; i++)
		show_few(v, t, atomic_load(&many[i]), i * QUOTA_FEW);
	return true;
}

bool
quota_show(struct quota *q, const char *tenant,
    const struct quota_asked *asked, int64_t now_us,
    void (*row)(void *arg, const struct quota_row *r),
    void (*user)(void *arg, const struct quota_user *u), void *arg)
{
	struct view v = { asked, now_us, row, user, arg };
	struct quota_account *a;

	pthread_mutex_lock(&q->lock);
	a = htab_get(q->accounts, slice_of(tenant));
	pthread_mutex_unlock(&q->lock);
	if (a == NULL)
		return false;
	pthread_mutex_lock(&a->lock);
	if (asked->topic == NULL) {
		show_holder(&v, q->node);
		show_holder(&v, a->tenant);
		htab_each(a->holders, visit_holder, &v);
		if (a->rest != NULL)
			show_holder(&v, a->rest);
	}
	htab_each(a->topics, visit_topic, &v);
	pthread_mutex_unlock(&a->lock);
	return true;
}
