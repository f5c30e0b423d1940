/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/quota.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"

enum { KEY_MAX = 2200 };	/* of a principal and a client id */

/* ---- the fleet ---- */

void
quota_tell(struct quota *q, const struct quota_event *e)
{
	struct quota_event *mine;

	if (!atomic_load_explicit(&q->fleet, memory_order_relaxed))
		return;
	mine = mem_alloc(sizeof(*mine));
	*mine = *e;
	if (e->holder != NULL)
		atomic_fetch_add(&e->holder->refs, 1);
	if (e->topic != NULL)
		atomic_fetch_add(&e->topic->refs, 1);
	mine->next = atomic_load(&q->events);
	while (!atomic_compare_exchange_weak(&q->events, &mine->next, mine))
		;
}

/* The node's own limits (q is NULL) are no fleet's. */
void
quota_rate_follow(struct quota *q, struct bucket_rate *r, int64_t value,
    int64_t seconds, int64_t burst)
{
	int64_t share = q != NULL ? atomic_load(&q->share) : BUCKET_UNIT;

	bucket_rate_set(r, value, seconds, burst);
	if (share == BUCKET_UNIT)
		return;
	atomic_store(&r->rate, (int64_t)((__int128)atomic_load(&r->rate) *
	    share / BUCKET_UNIT));
	atomic_store(&r->burst, (int64_t)((__int128)atomic_load(&r->burst) *
	    share / BUCKET_UNIT));
}

/* ---- holders ---- */

static struct slice
text(const char *s)
{
	return s != NULL ? slice_of(s) : SLICE_LIT("");
}

static struct quota_window *
window_new(void)
{
	struct quota_window *w = mem_zalloc(sizeof(*w));

	atomic_init(&w->slot, -1);
	return w;
}

static void
gauge_follow(struct quota *q, struct quota_gauge *g,
    const struct quota_dimension_row *row, const struct limit *l)
{
	unsigned char mode = l != NULL ? l->mode : QUOTA_OFF;

	if (mode != QUOTA_OFF) {
		atomic_store(&g->value, l->value);
		atomic_store(&g->burst, l->burst);
		memcpy(g->warn, l->warn, sizeof(g->warn));
		if (row->kind == QUOTA_RATE || row->kind == QUOTA_WINDOW)
			quota_rate_follow(q, &g->rate, l->value,
			    row->kind == QUOTA_WINDOW ? QUOTA_WINDOW_S : 1,
			    l->burst);
	}
	if (mode != QUOTA_OFF && row->kind == QUOTA_WINDOW &&
	    atomic_load(&g->window) == NULL)
		atomic_store(&g->window, window_new());
	/* Nobody knows what was used before this process began: a slow limit
	 * begins empty, or each restart would give another burst. */
	if (row->kind == QUOTA_WINDOW && q != NULL &&
	    atomic_load(&g->bucket.at_us) == 0)
		atomic_store(&g->bucket.at_us, q->started_us);
	atomic_store(&g->mode, mode);
}

/* A bucket that nobody used begins full. In a fleet it has what it would have
 * got since the node began, or else each start would bring a burst; and nothing
 * when others use it. */
static void
begin_bucket(struct quota_holder *h, enum quota_dimension d)
{
	_Atomic int64_t *at_us = &h->gauges[d].bucket.at_us;

	if (quota_dimension(d)->kind == QUOTA_RATE && h->account != NULL &&
	    atomic_load(&h->account->quota->fleet) && atomic_load(at_us) == 0)
		atomic_store(at_us, quota_gauge_pressed(h, d) ?
		    clock_now_us() : h->account->quota->started_us);
}

void
quota_holder_follow(struct quota_holder *h, const struct limits *l)
{
	uint32_t active = 0;

	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++) {
		const struct quota_dimension_row *row =
		    quota_dimension((enum quota_dimension)d);
		const struct limit *found = (row->scopes >> h->scope & 1) &&
		    l != NULL ? limits_find(l, h->scope,
		    (enum quota_dimension)d, text(h->principal),
		    text(h->client_id), SLICE_LIT("")) : NULL;

		gauge_follow(h->account != NULL ? h->account->quota : NULL,
		    &h->gauges[d], row, found);
		if (found == NULL || found->mode == QUOTA_OFF)
			continue;
		active |= 1u << d;
		begin_bucket(h, (enum quota_dimension)d);
	}
	atomic_store(&h->active, active);
}

static struct quota_holder *
holder_new(struct quota_account *a, enum quota_scope scope,
    struct slice principal, struct slice client_id, const struct limits *l)
{
	struct quota_holder *h = mem_zalloc(sizeof(*h));

	h->account = a;
	h->scope = scope;
	if (scope == QUOTA_PRINCIPAL || scope == QUOTA_CLIENT)
		h->principal = mem_strndup(principal.data, principal.len);
	if (scope == QUOTA_CLIENT)
		h->client_id = mem_strndup(client_id.data, client_id.len);
	quota_holder_follow(h, l);
	return h;
}

static void
holder_free(void *p)
{
	struct quota_holder *h = p;

	quota_holder_unlease(h);
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++)
		free(atomic_load(&h->gauges[d].window));
	free(atomic_load(&h->beside));
	free(h->principal);
	free(h->client_id);
	free(h);
}

/* ---- accounts ---- */

static void
topic_free(void *p)
{
	quota_topic_free(p);
}

static void
account_free(void *p)
{
	struct quota_account *a = p;

	htab_free(a->holders, holder_free);
	htab_free(a->topics, topic_free);
	for (int i = 0; i < 2; i++)
		if (a->rest[i] != NULL)
			holder_free(a->rest[i]);
	holder_free(a->tenant);
	quota_made_fini(a);
	limits_unref(a->limits);
	pthread_mutex_destroy(&a->lock);
	free(a->signs);
	free(a->name);
	free(a);
}

static bool
has_scope(const struct limits *l, enum quota_scope scope)
{
	for (uint32_t i = 0; l != NULL && i < l->n; i++)
		if (l->v[i].scope == scope && l->v[i].mode != QUOTA_OFF)
			return true;
	return false;
}

static struct quota_sign *
signs_new(int workers)
{
	size_t size = sizeof(struct quota_sign) * (size_t)workers;
	struct quota_sign *v = aligned_alloc(64, size);

	assert(v != NULL);
	memset(v, 0, size);
	for (int i = 0; i < workers; i++)
		for (int lane = 0; lane < QUOTA_LANES; lane++)
			atomic_init(&v[i].least[lane], INT64_MAX);
	return v;
}

static struct quota_account *
account_new(struct quota *q, const char *name, struct limits *l)
{
	struct quota_account *a = mem_zalloc(sizeof(*a));

	a->quota = q;
	a->name = mem_strdup(name);
	a->limits = limits_ref(l);
	a->holders = htab_new();
	a->topics = htab_new();
	list_init(&a->swept);
	pthread_mutex_init(&a->lock, NULL);
	a->tenant = holder_new(a, QUOTA_TENANT, SLICE_NULL, SLICE_NULL, l);
	atomic_store(&a->limits_partitions, has_scope(l, QUOTA_PARTITION));
	atomic_store(&a->limits_clients, has_scope(l, QUOTA_CLIENT));
	atomic_store(&a->limits_version, 1);
	a->signs = signs_new(q->workers);
	quota_made_init(a);
	quota_tell(q, &(struct quota_event){ .holder = a->tenant,
	    .which = -1 });
	return a;
}

struct quota_account *
quota_account(struct quota *q, const char *tenant, struct limits *l)
{
	struct quota_account *a;

	pthread_mutex_lock(&q->lock);
	a = htab_get(q->accounts, slice_of(tenant));
	if (a == NULL) {
		a = account_new(q, tenant, l);
		htab_set(q->accounts, slice_of(tenant), a);
		a->next = atomic_load(&q->last);
		atomic_store_explicit(&q->last, a, memory_order_release);
	}
	pthread_mutex_unlock(&q->lock);
	return a;
}

struct quota_account *
quota_account_find(struct quota *q, struct slice tenant)
{
	struct quota_account *a;

	pthread_mutex_lock(&q->lock);
	a = htab_get(q->accounts, tenant);
	pthread_mutex_unlock(&q->lock);
	return a;
}

static bool
follow_holder(void *arg, struct slice key, void *value)
{
	(void)key;
	quota_holder_follow(value, arg);
	return true;
}

static bool
follow_topic(void *arg, struct slice key, void *value)
{
	(void)key;
	quota_topic_follow(value, arg);
	quota_topic_unsure(value, clock_now_us());
	return true;
}

void
quota_account_holders(struct quota_account *a,
    bool (*cb)(void *arg, struct slice key, void *holder), void *arg)
{
	cb(arg, SLICE_NULL, a->tenant);
	htab_each(a->holders, cb, arg);
	for (int i = 0; i < 2; i++)
		if (a->rest[i] != NULL)
			cb(arg, SLICE_NULL, a->rest[i]);
}

void
quota_account_follow(struct quota_account *a)
{
	struct limits *l = a->limits;

	quota_account_holders(a, follow_holder, l);
	htab_each(a->topics, follow_topic, l);
	atomic_store(&a->limits_partitions, has_scope(l, QUOTA_PARTITION));
	atomic_store(&a->limits_clients, has_scope(l, QUOTA_CLIENT));
	atomic_fetch_add(&a->limits_version, 1);
}

void
quota_account_set(struct quota_account *a, struct limits *l)
{
	struct limits *was;

	pthread_mutex_lock(&a->lock);
	was = a->limits;
	if (was == l) {
		pthread_mutex_unlock(&a->lock);
		return;
	}
	a->limits = limits_ref(l);
	quota_account_follow(a);
	pthread_mutex_unlock(&a->lock);
	quota_tell(a->quota, &(struct quota_event){ .account = a,
	    .which = -1 });
	limits_unref(was);
}

void
quota_account_renew(struct quota *q, const char *tenant, struct limits *l)
{
	struct quota_account *a = quota_account_find(q, slice_of(tenant));

	if (a != NULL)
		quota_account_set(a, l);
}

const char *
quota_account_name(const struct quota_account *a)
{
	return a->name;
}

/* ---- the node ---- */

struct quota *
quota_new(int workers)
{
	struct quota *q = mem_zalloc(sizeof(*q));

	assert(workers > 0);
	q->workers = workers;
	q->started_us = clock_now_us();
	atomic_store(&q->share, BUCKET_UNIT);
	atomic_store(&q->nodes, 1);
	q->accounts = htab_new();
	pthread_mutex_init(&q->lock, NULL);
	q->node = holder_new(NULL, QUOTA_NODE, SLICE_NULL, SLICE_NULL, NULL);
	return q;
}

void
quota_free(struct quota *q)
{
	if (q == NULL)
		return;
	htab_free(q->accounts, account_free);
	holder_free(q->node);
	limits_unref(q->node_limits);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

int
quota_workers(const struct quota *q)
{
	return q->workers;
}

void
quota_set_node(struct quota *q, struct limits *l)
{
	struct limits *was = q->node_limits;

	q->node_limits = limits_ref(l);
	quota_holder_follow(q->node, l);
	limits_unref(was);
}

/* ---- sessions ---- */

/* With the account's lock held. */
static struct quota_holder *
rest_of(struct quota_account *a, enum quota_scope scope)
{
	struct quota_holder **at = &a->rest[scope == QUOTA_CLIENT];

	if (*at == NULL)
		*at = holder_new(a, scope, SLICE_LIT("(others)"),
		    SLICE_LIT("(others)"), a->limits);
	return *at;
}

static struct quota_holder *
holder_get(struct quota_account *a, enum quota_scope scope,
    struct slice principal, struct slice client_id)
{
	char key[KEY_MAX];
	struct quota_holder *h;
	int n = snprintf(key, sizeof(key), "%d%.*s%c%.*s", (int)scope,
	    SLICE_FMT(principal), scope == QUOTA_CLIENT ? '\n' : '\t',
	    SLICE_FMT(client_id));
	struct slice k;

	if (n < 0 || (size_t)n >= sizeof(key))
		n = sizeof(key) - 1;
	k = (struct slice){ (const uint8_t *)key, (uint32_t)n };
	h = htab_get(a->holders, k);
	if (h == NULL && a->holder_count[scope == QUOTA_CLIENT] <
	    QUOTA_HOLDERS_MAX) {
		h = holder_new(a, scope, principal, client_id, a->limits);
		htab_set(a->holders, k, h);
		a->holder_count[scope == QUOTA_CLIENT]++;
		quota_tell(a->quota, &(struct quota_event){ .holder = h,
		    .which = -1 });
	} else if (h == NULL) {
		h = rest_of(a, scope);
	}
	atomic_fetch_add(&h->refs, 1);
	return h;
}

void
quota_who_open(struct quota *q, struct quota_account *a,
    struct slice principal, struct slice client_id, struct quota_who *w)
{
	memset(w, 0, sizeof(*w));
	w->account = a;
	w->holders[QUOTA_NODE] = q->node;
	w->holders[QUOTA_TENANT] = a->tenant;
	atomic_fetch_add(&q->node->refs, 1);
	atomic_fetch_add(&a->tenant->refs, 1);
	pthread_mutex_lock(&a->lock);
	w->holders[QUOTA_PRINCIPAL] = holder_get(a, QUOTA_PRINCIPAL, principal,
	    SLICE_LIT(""));
	if (has_scope(a->limits, QUOTA_CLIENT))
		w->holders[QUOTA_CLIENT] = holder_get(a, QUOTA_CLIENT,
		    principal, client_id);
	pthread_mutex_unlock(&a->lock);
}

bool
quota_limits_clients(const struct quota_account *a)
{
	return atomic_load_explicit(&a->limits_clients, memory_order_relaxed);
}

struct quota_holder *
quota_client_holder(struct quota_account *a, struct slice principal,
    struct slice client_id)
{
	struct quota_holder *h = NULL;

	if (!quota_limits_clients(a))
		return NULL;
	pthread_mutex_lock(&a->lock);
	h = holder_get(a, QUOTA_CLIENT, principal, client_id);
	pthread_mutex_unlock(&a->lock);
	return h;
}

void
quota_who_close(struct quota_who *w)
{
	for (int i = 0; i < QUOTA_SCOPES; i++)
		if (w->holders[i] != NULL)
			atomic_fetch_sub(&w->holders[i]->refs, 1);
	memset(w, 0, sizeof(*w));
}

/* ---- once a second ---- */

/* Begins the slots that have come since it was last looked at. */
static void
window_tick(struct quota_window *w, uint64_t spent, int64_t now_us)
{
	int64_t slot = now_us / (QUOTA_SLOT_S * 1000000LL);
	int64_t was = atomic_load(&w->slot);

	for (int64_t i = 0; was >= 0 && i < slot - was && i < QUOTA_SLOTS; i++)
		atomic_store(&w->marks[(slot - i) % QUOTA_SLOTS], spent);
	atomic_store(&w->slot, slot);
}

static int64_t
used_in_window(struct quota_gauge *g)
{
	struct quota_window *w = atomic_load(&g->window);
	int64_t slot;

	if (w == NULL)
		return 0;
	slot = atomic_load(&w->slot);
	return (int64_t)(atomic_load(&g->spent) -
	    atomic_load(&w->marks[(slot + 1) % QUOTA_SLOTS]));
}

int64_t
quota_gauge_use(struct quota_gauge *g, enum quota_dimension d)
{
	switch (quota_dimension(d)->kind) {
	case QUOTA_RATE:
		return (int64_t)atomic_load(&g->per_s);
	case QUOTA_WINDOW:
		return used_in_window(g);
	default:
		return quota_gauge_count(g);
	}
}

static void
gauge_tick(struct quota_gauge *g, enum quota_dimension d, int64_t now_us)
{
	uint64_t spent = atomic_load(&g->spent);
	uint64_t per_s = spent - atomic_load(&g->before);
	struct quota_window *w = atomic_load(&g->window);

	atomic_store(&g->before, spent);
	atomic_store(&g->per_s, per_s);
	if (w != NULL)
		window_tick(w, spent, now_us);
	quota_raise(&g->peak, quota_gauge_use(g, d));
}

static void
holder_tick(struct quota_holder *h, int64_t now_us)
{
	uint32_t active = atomic_load(&h->active);

	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++) {
		if (active >> d & 1)
			gauge_tick(&h->gauges[d], (enum quota_dimension)d,
			    now_us);
		quota_gauge_bridge(&h->gauges[d]);
		quota_gauge_tell(h, (enum quota_dimension)d);
	}
	for (int lane = 0; lane < QUOTA_LANES; lane++) {
		uint64_t given = atomic_load(&h->given[lane]);

		atomic_store(&h->given_per_s[lane], given -
		    atomic_load(&h->given_before[lane]));
		atomic_store(&h->given_before[lane], given);
	}
}

/* Nobody has it, and it owes nothing. */
static bool
holder_idle(struct quota_holder *h, int64_t now_us)
{
	if (atomic_load(&h->refs) > 0)
		return false;
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++) {
		struct quota_gauge *g = &h->gauges[d];

		if ((atomic_load(&h->active) >> d & 1) &&
		    bucket_look(&g->bucket, quota_gauge_rate(g), now_us) <
		    atomic_load(&quota_gauge_rate(g)->burst))
			return false;
	}
	return !quota_uses_beside(h, now_us);
}

/* What is to go cannot be taken out while the table is walked. */
struct sweep {
	int64_t		 now_us;
	struct slice	*keys;
	uint32_t	 n, room;
};

static void
sweep_add(struct sweep *s, struct slice key)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 16;
		s->keys = mem_realloc(s->keys, sizeof(*s->keys) * s->room);
	}
	s->keys[s->n++] = slice_of(mem_strndup(key.data, key.len));
	s->keys[s->n - 1].len = key.len;
}

static bool
tick_holder(void *arg, struct slice key, void *value)
{
	struct sweep *s = arg;
	struct quota_holder *h = value;

	holder_tick(h, s->now_us);
	if (holder_idle(value, s->now_us)) {
		sweep_add(s, key);
		h->account->holder_count[h->scope == QUOTA_CLIENT]--;
	}
	return true;
}

static void
swept(struct sweep *s, struct quota_account *a)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct quota_holder *h = htab_take(a->holders, s->keys[i]);

		quota_holder_held(h, a->gone);
		holder_free(h);
		free((void *)(uintptr_t)s->keys[i].data);
	}
	free(s->keys);
}

/* ---- what the log is told ---- */

struct noticing {
	const char	*tenant;
	int64_t		 now_us;
};

static void
notice_row(void *arg, const struct quota_row *r)
{
	const struct noticing *n = arg;

	quota_notice(n->tenant, r, n->now_us);
}

static void
no_user(void *arg, const struct quota_user *u)
{
	(void)arg, (void)u;
}

static const struct quota_asked everything = { .partition = -1 };

static void
view_node(struct quota *q, int64_t now_us)
{
	struct noticing n = { "", now_us };
	const struct quota_view v = { &everything, now_us, notice_row, no_user,
		&n };

	quota_view_holder(&v, q->node);
}

static void
tick_account(struct quota_account *a, int64_t now_us)
{
	struct noticing n = { a->name, now_us };
	const struct quota_view v = { &everything, now_us, notice_row, no_user,
		&n };
	struct sweep holders = { .now_us = now_us };

	pthread_mutex_lock(&a->lock);
	holder_tick(a->tenant, now_us);
	for (int i = 0; i < 2; i++)
		if (a->rest[i] != NULL)
			holder_tick(a->rest[i], now_us);
	htab_each(a->holders, tick_holder, &holders);
	quota_view_holders(&v, a);
	swept(&holders, a);
	quota_topics_sweep(a, &v);
	pthread_mutex_unlock(&a->lock);
}

void
quota_tick(struct quota *q, int64_t now_us)
{
	holder_tick(q->node, now_us);
	view_node(q, now_us);
	QUOTA_EACH_ACCOUNT(a, q)
		tick_account(a, now_us);
}
