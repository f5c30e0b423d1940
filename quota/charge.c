/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked and charged on the request path: no lock is taken here. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "quota/quota_private.h"

static const struct quota_reason no_reason = { .value = -1 };

void
quota_cost_add(struct quota_cost *c, enum quota_dimension d, int64_t tokens,
    bool waits)
{
	assert(c->n < QUOTA_COSTS_MAX);
	c->v[c->n].dimension = d;
	c->v[c->n].tokens = tokens;
	c->v[c->n++].waits = waits;
}

static struct quota_gauge *
gauge_in_force(struct quota_holder *h, enum quota_dimension d)
{
	if (h == NULL || !(atomic_load_explicit(&h->active,
	    memory_order_relaxed) >> d & 1))
		return NULL;
	return &h->gauges[d];
}

static enum quota_mode
mode_of(const struct quota_gauge *g)
{
	return (enum quota_mode)atomic_load_explicit(&g->mode,
	    memory_order_relaxed);
}

void
quota_note(struct quota_record *r, int64_t us, int64_t now_us)
{
	int64_t last;

	if (r == NULL)
		return;
	last = atomic_exchange(&r->last_us, now_us);
	if (last == 0 || now_us - last > QUOTA_EPISODE_MS * 1000)
		atomic_store(&r->first_us, now_us);
	atomic_fetch_add(&r->times, 1);
	atomic_fetch_add(&r->us, (uint64_t)us);
	quota_raise(&r->worst_us, us);
}

static void
tell(struct quota_reason *why, const struct quota_holder *h,
    enum quota_dimension d, struct quota_gauge *g, int64_t us)
{
	if (why == NULL)
		return;
	*why = (struct quota_reason){ d, h->scope,
		atomic_load(&g->value), us, &g->record };
}

/* ---- buckets ---- */

/* What it gets a second, from itself or from the store. */
static int64_t
pace_of(struct quota_gauge *g)
{
	struct lease *l = atomic_load_explicit(&g->lease,
	    memory_order_acquire);

	return l != NULL ? atomic_load_explicit(&l->pace,
	    memory_order_relaxed) : atomic_load_explicit(&g->rate.rate,
	    memory_order_relaxed);
}

/* A lease is due when half of what may be used unasked is gone; one that there
 * is hears of the balance. */
static void
notice(struct quota_holder *h, enum quota_dimension d, struct quota_gauge *g,
    int64_t balance)
{
	struct lease *l = atomic_load_explicit(&g->lease,
	    memory_order_acquire);

	if (l != NULL) {
		lease_notice(l, balance);
		return;
	}
	if (h->account == NULL || !atomic_load_explicit(
	    &h->account->quota->fleet, memory_order_relaxed) ||
	    balance >= atomic_load(&g->rate.burst) / 2 ||
	    atomic_exchange(&g->queued, true))
		return;
	quota_tell(h->account->quota, &(struct quota_event){ .holder = h,
	    .which = (int32_t)d });
}

/* quota_unleased_us, of a gauge; -1 with a lease, too. */
static int64_t
unleased_us(const struct quota_holder *h, struct quota_gauge *g)
{
	return h->account == NULL || atomic_load_explicit(&g->lease,
	    memory_order_acquire) != NULL ? -1 :
	    quota_unleased_us(h->account->quota);
}

static int64_t
gauge_wait_us(const struct quota_holder *h, struct quota_gauge *g,
    int64_t now_us)
{
	int64_t us = unleased_us(h, g);

	return us >= 0 ? us : bucket_wait_us(bucket_look(&g->bucket,
	    quota_gauge_rate(g), now_us), pace_of(g));
}

int64_t
quota_wait_us(const struct quota_who *w, const struct quota_cost *c,
    int64_t now_us, struct quota_reason *why)
{
	int64_t longest = 0;

	if (why != NULL)
		*why = no_reason;
	for (uint32_t i = 0; i < c->n; i++) {
		enum quota_dimension d = c->v[i].dimension;

		for (int s = 0; c->v[i].waits && s < QUOTA_SCOPES; s++) {
			struct quota_gauge *g = gauge_in_force(w->holders[s],
			    d);
			int64_t us;

			if (g == NULL || mode_of(g) != QUOTA_ENFORCE)
				continue;
			us = gauge_wait_us(w->holders[s], g, now_us);
			if (us <= longest)
				continue;
			longest = us;
			tell(why, w->holders[s], d, g, us);
		}
	}
	return longest;
}

/* In shadow nobody waits, so what comes while it is in debt is what would have
 * waited: it is counted, and not charged on top. What never waits charges to a
 * debt of one burst at most, or it would lock out what does. */
static bool
is_charged(struct quota_gauge *g, bool waits, int64_t tokens, int64_t now_us)
{
	bool shadow = mode_of(g) == QUOTA_SHADOW;
	int64_t balance;

	if (waits && !shadow)
		return true;
	balance = bucket_look(&g->bucket, quota_gauge_rate(g), now_us);
	if (shadow && balance < 0) {
		atomic_fetch_add(&g->record.over, (uint64_t)tokens);
		quota_note(&g->record, bucket_wait_us(balance, pace_of(g)),
		    now_us);
		return false;
	}
	return waits || balance > -atomic_load(&g->burst) * BUCKET_UNIT;
}

static void
spend_one(struct quota_holder *h, enum quota_dimension d,
    struct quota_gauge *g, bool waits, int64_t tokens, int64_t now_us)
{
	atomic_fetch_add_explicit(&g->spent, (uint64_t)tokens,
	    memory_order_relaxed);
	if (unleased_us(h, g) != 0 && is_charged(g, waits, tokens, now_us))
		notice(h, d, g, bucket_spend(&g->bucket, quota_gauge_rate(g),
		    tokens, now_us));
}

void
quota_spend(const struct quota_who *w, const struct quota_cost *c,
    int64_t now_us)
{
	for (uint32_t i = 0; i < c->n; i++)
		for (int s = 0; s < QUOTA_SCOPES; s++) {
			struct quota_gauge *g = gauge_in_force(w->holders[s],
			    c->v[i].dimension);
			int64_t tokens = c->v[i].tokens;

			if (g != NULL && tokens != 0)
				spend_one(w->holders[s], c->v[i].dimension, g,
				    c->v[i].waits, tokens, now_us);
		}
}

/* How long whoever spent n tokens is to wait for its turn: the debt, then its
 * principal's others who wait, and as much for each other principal, since all
 * get the same. The holder's own limit is its own matter. */
static int64_t
turn_us(const struct quota_who *w, enum quota_scope scope,
    enum quota_dimension d, struct quota_gauge *g, int64_t tokens,
    enum quota_lane lane, int64_t now_us)
{
	bool bytes = d == QUOTA_DIM_INGRESS || d == QUOTA_DIM_EGRESS;
	int64_t balance = bucket_look(&g->bucket, quota_gauge_rate(g),
	    now_us);
	const struct quota_holder *p = w->holders[QUOTA_PRINCIPAL];
	int64_t owed, others = 0;
	__int128 debt;

	if (balance >= 0)
		return 0;
	owed = atomic_load(bytes ? &p->owed_bytes[lane] : &p->owed[lane]);
	if (scope == QUOTA_TENANT)
		others = atomic_load(&w->account->owing[lane]) - (owed > 0);
	/* Of requests both lanes take (who owes in both counts twice). */
	if (d == QUOTA_DIM_REQUESTS &&
	    (lane == QUOTA_OTHER || lane == QUOTA_READ)) {
		enum quota_lane too = lane == QUOTA_OTHER ? QUOTA_READ :
		    QUOTA_OTHER;
		int64_t more = atomic_load(&p->owed[too]);

		owed += more;
		if (scope == QUOTA_TENANT)
			others += atomic_load(&w->account->owing[too]) -
			    (more > 0);
	}
	if (scope == QUOTA_NODE)
		owed = 0;
	debt = (__int128)-balance + ((__int128)owed * (others + 1) +
	    (__int128)tokens * others) * BUCKET_UNIT;
	return debt > INT64_MAX ? INT64_MAX :
	    bucket_wait_us(-(int64_t)debt, pace_of(g));
}

int64_t
quota_throttle_us(const struct quota_who *w, const struct quota_cost *c,
    enum quota_lane lane, int64_t now_us, struct quota_reason *why)
{
	int64_t longest = 0;

	*why = no_reason;
	for (uint32_t i = 0; i < c->n; i++)
		for (int s = 0; c->v[i].waits && s < QUOTA_SCOPES; s++) {
			struct quota_holder *h = w->holders[s];
			enum quota_dimension d = c->v[i].dimension;
			struct quota_gauge *g = gauge_in_force(h, d);
			int64_t us;

			if (g == NULL || mode_of(g) != QUOTA_ENFORCE)
				continue;
			us = unleased_us(h, g) == 0 ? 0 : turn_us(w, h->scope,
			    d, g, c->v[i].tokens, lane, now_us);
			if (us <= longest)
				continue;
			longest = us;
			tell(why, h, d, g, us);
		}
	return longest;
}

bool
quota_take(const struct quota_who *w, enum quota_dimension d, int64_t tokens,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_cost c = { 0 };

	quota_cost_add(&c, d, tokens, true);
	if (quota_wait_us(w, &c, now_us, why) > 0)
		return false;
	quota_spend(w, &c, now_us);
	return true;
}

static enum quota_dimension
bytes_of(int out)
{
	return out ? QUOTA_DIM_EGRESS : QUOTA_DIM_INGRESS;
}

static struct quota_gauge *
aside_gauge(struct quota_holder *h, int out)
{
	struct quota_gauge *g = gauge_in_force(h, bytes_of(out));

	return g != NULL && mode_of(g) == QUOTA_ENFORCE &&
	    (h->account == NULL ||
	    quota_unleased_us(h->account->quota) != 0) ? g : NULL;
}

/* Of that kind and direction; NULL: nothing was charged to it yet. */
static struct bucket *
beside_of(const struct quota_holder *h, enum quota_aside kind, int out)
{
	struct quota_beside *b = atomic_load_explicit(&h->beside,
	    memory_order_acquire);

	return b != NULL ? &b->v[kind][out] : NULL;
}

/* Most holders have no limit of bytes, so none has buckets unless it needs
 * them. */
static struct bucket *
make_beside(struct quota_holder *h, enum quota_aside kind, int out)
{
	struct quota_beside *none = NULL, *made;

	if (beside_of(h, kind, out) == NULL) {
		made = mem_zalloc(sizeof(*made));
		if (!atomic_compare_exchange_strong(&h->beside, &none, made))
			free(made);
	}
	return beside_of(h, kind, out);
}

/* At the rate that it has unasked, whatever its lease. */
static int64_t
beside_us(struct quota_holder *h, enum quota_aside kind, int out,
    int64_t now_us)
{
	struct quota_gauge *g = aside_gauge(h, out);
	struct bucket *b = g != NULL ? beside_of(h, kind, out) : NULL;

	return b == NULL ? 0 : bucket_wait_us(bucket_look(b, &g->rate, now_us),
	    atomic_load(&g->rate.rate));
}

int64_t
quota_aside_wait_us(const struct quota_who *w, enum quota_aside kind,
    int64_t now_us, struct quota_reason *why)
{
	int64_t longest = 0;

	for (int i = 0; i < 2 * QUOTA_SCOPES; i++) {
		struct quota_holder *h = w->holders[i / 2];
		int64_t us = h != NULL ? beside_us(h, kind, i % 2, now_us) : 0;

		if (us <= longest)
			continue;
		longest = us;
		tell(why, h, bytes_of(i % 2), &h->gauges[bytes_of(i % 2)], us);
	}
	return longest;
}

void
quota_aside_spend(const struct quota_who *w, enum quota_aside kind, bool out,
    int64_t bytes, int64_t now_us)
{
	for (int s = 0; s < QUOTA_SCOPES; s++) {
		struct quota_gauge *g = aside_gauge(w->holders[s], out);

		if (g != NULL)
			bucket_spend(make_beside(w->holders[s], kind, out),
			    &g->rate, bytes, now_us);
	}
}

bool
quota_uses_beside(struct quota_holder *h, int64_t now_us)
{
	for (int i = 0; i < 2 * QUOTA_ASIDES; i++) {
		struct quota_gauge *g = aside_gauge(h, i % 2);
		struct bucket *b = beside_of(h, (enum quota_aside)(i / 2),
		    i % 2);

		if (g != NULL && b != NULL && bucket_look(b, &g->rate,
		    now_us) < atomic_load(&g->rate.burst))
			return true;
	}
	return false;
}

void
quota_owe(const struct quota_who *w, enum quota_lane lane, int64_t bytes,
    bool due)
{
	struct quota_holder *p = w->holders[QUOTA_PRINCIPAL];

	atomic_fetch_add(&p->owed_bytes[lane], due ? bytes : -bytes);
	atomic_fetch_add(&w->account->wants[lane], due ? 1 : -1);
	if (due && atomic_fetch_add(&p->owed[lane], 1) == 0)
		atomic_fetch_add(&w->account->owing[lane], 1);
	if (!due && atomic_fetch_sub(&p->owed[lane], 1) == 1)
		atomic_fetch_sub(&w->account->owing[lane], 1);
}

/* ---- counts and sizes ---- */

/* Until its counter is there, a node of a fleet has its part. */
static int64_t
own_limit(const struct quota_holder *h, struct quota_gauge *g)
{
	int64_t value = atomic_load(&g->value), us = unleased_us(h, g);
	int64_t part = h->account == NULL ? value : (int64_t)((__int128)value *
	    atomic_load(&h->account->quota->share) / BUCKET_UNIT);

	if (us >= 0)
		return us == 0 ? INT64_MAX : 0;
	return part < 1 && value > 0 ? 1 : part;
}

int64_t
quota_gauge_count(struct quota_gauge *g)
{
	struct lease_count *c = atomic_load_explicit(&g->counter,
	    memory_order_acquire);

	return atomic_load(&g->count) + (c != NULL ? lease_count_used(c) -
	    atomic_load(&g->bridged) : 0);
}

/* With a counter the fleet decides, else the node's own count. */
static bool
count_one(struct quota_who *w, int s, enum quota_dimension d, int64_t n,
    int64_t now_us, struct quota_reason *why)
{
	struct quota_holder *h = w->holders[s];
	struct quota_gauge *g = &h->gauges[d];
	struct lease_count *c = atomic_load_explicit(&g->counter,
	    memory_order_acquire);
	bool over;

	if (c != NULL) {
		over = !lease_count_take(c, (uint32_t)n);
		if (!over)
			w->counted |= (uint8_t)(1u << s);
	} else {
		/* Counted without a limit too: one may come. */
		over = atomic_fetch_add(&g->count, n) + n > own_limit(h, g);
	}
	if (over && gauge_in_force(h, d) != NULL)
		quota_note(&g->record, 0, now_us);
	if (!over || gauge_in_force(h, d) == NULL ||
	    mode_of(g) != QUOTA_ENFORCE) {
		if (over && c != NULL) {
			lease_count_force(c, (uint32_t)n);
			w->counted |= (uint8_t)(1u << s);
		}
		quota_raise(&g->peak, quota_gauge_count(g));
		return true;
	}
	if (c == NULL)
		atomic_fetch_sub(&g->count, n);
	tell(why, h, d, g, 0);
	return false;
}

static void
uncount_one(struct quota_who *w, int s, enum quota_dimension d, int64_t n)
{
	struct quota_gauge *g = &w->holders[s]->gauges[d];
	struct lease_count *c = atomic_load_explicit(&g->counter,
	    memory_order_acquire);

	if (w->counted >> s & 1) {
		w->counted ^= (uint8_t)(1u << s);
		lease_count_put(c, (uint32_t)n);
		return;
	}
	atomic_fetch_sub(&g->count, n);
}

bool
quota_who_rename(struct quota_who *w, struct slice principal,
    struct slice client_id, bool counted, int64_t now_us,
    struct quota_reason *why)
{
	struct quota_holder *was = w->holders[QUOTA_CLIENT], *now;
	uint8_t bit = 1u << QUOTA_CLIENT, before = w->counted & bit;
	bool ok;

	now = quota_client_holder(w->account, principal, client_id);
	if (now == was) {
		if (now != NULL)
			atomic_fetch_sub(&now->refs, 1);
		return true;
	}
	w->holders[QUOTA_CLIENT] = now;
	w->counted &= (uint8_t)~bit;
	ok = !counted || now == NULL || count_one(w, QUOTA_CLIENT,
	    QUOTA_DIM_CONNECTIONS, 1, now_us, why);
	if (!ok) {
		atomic_fetch_sub(&now->refs, 1);
		w->holders[QUOTA_CLIENT] = NULL;
	}
	if (was == NULL)
		return ok;
	if (counted) {
		struct quota_who old = { .counted = before };

		old.holders[QUOTA_CLIENT] = was;
		uncount_one(&old, QUOTA_CLIENT, QUOTA_DIM_CONNECTIONS, 1);
	}
	atomic_fetch_sub(&was->refs, 1);
	return ok;
}

bool
quota_count(struct quota_who *w, enum quota_dimension d, int64_t n,
    int64_t now_us, struct quota_reason *why)
{
	for (int s = 0; s < QUOTA_SCOPES; s++) {
		if (w->holders[s] == NULL ||
		    count_one(w, s, d, n, now_us, why))
			continue;
		while (s-- > 0)
			if (w->holders[s] != NULL)
				uncount_one(w, s, d, n);
		return false;
	}
	return true;
}

void
quota_uncount(struct quota_who *w, enum quota_dimension d, int64_t n)
{
	for (int s = 0; s < QUOTA_SCOPES; s++)
		if (w->holders[s] != NULL)
			uncount_one(w, s, d, n);
}

int64_t
quota_size_limit(const struct quota_who *w, enum quota_dimension d,
    int64_t size, int64_t now_us, struct quota_reason *why)
{
	struct quota_holder *h = w->holders[QUOTA_TENANT];
	struct quota_gauge *g = gauge_in_force(h, d);
	int64_t value;

	if (g == NULL)
		return -1;
	value = atomic_load(&g->value);
	if (size > value)
		quota_note(&g->record, 0, now_us);
	if (mode_of(g) != QUOTA_ENFORCE)
		return -1;
	tell(why, h, d, g, 0);
	return value;
}

void
quota_show_count(struct quota_account *a, enum quota_dimension d, int64_t n)
{
	atomic_store(&a->tenant->gauges[d].count, n);
	quota_raise(&a->tenant->gauges[d].peak, n);
}

bool
quota_is_limited(const struct quota_who *w, enum quota_dimension d)
{
	return gauge_in_force(w->holders[QUOTA_TENANT], d) != NULL;
}

bool
quota_hold(const struct quota_who *w, int64_t bytes, int64_t most)
{
	int64_t now = atomic_fetch_add(&w->account->held, bytes) + bytes;

	if (bytes < 0 || now <= most)
		return true;
	atomic_fetch_sub(&w->account->held, bytes);
	return false;
}

int64_t
quota_rate_limit(const struct quota_who *w, enum quota_dimension d)
{
	int64_t least = -1;

	for (int s = 0; s < QUOTA_SCOPES; s++) {
		struct quota_gauge *g = gauge_in_force(w->holders[s], d);
		int64_t value;

		if (g == NULL || mode_of(g) != QUOTA_ENFORCE)
			continue;
		value = atomic_load(&g->value);
		if (least < 0 || value < least)
			least = value;
	}
	return least;
}

void
quota_reason_text(const struct quota_reason *r, char *to, size_t size)
{
	const struct quota_dimension_row *row = quota_dimension(r->dimension);

	snprintf(to, size, "over the limit %s of this %s: %lld %s%s",
	    row->word, quota_scope_word(r->scope), (long long)r->value,
	    row->unit, row->kind == QUOTA_RATE ? " a second" :
	    row->kind == QUOTA_WINDOW ? " in 5 minutes" : "");
}
