/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/line.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "quota/quota_private.h"

/* How long an entry that waits for what is its own is left alone at most: its
 * limit may change. */
enum { REST_MS = 250 };

/* Who waits: a principal. */
struct line_party {
	struct list		 link;		/* parties or resting */
	struct list		 entries;	/* urgent ones first */
	struct quota_holder	*holder;	/* a reference */
	int64_t			 rest_us;	/* until then all of it rest */
};

struct quota_line {
	struct list		 link;		/* lines->all */
	struct quota_account	*account;
	struct lines		*lines;
	enum quota_lane		 lane;
	struct list		 parties;
	struct list		 resting;	/* parties that wait for what
						 * is their own */
	struct timer		 timer;
	int64_t			 yielded_us;	/* since when; 0: it does not */
	uint32_t		 turns;		/* of the account, then */
};

static int64_t
load(_Atomic int64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

/* Shows the others how little its first one was given; p NULL: nobody waits, or
 * for something of their own. */
static void
show_sign(struct quota_line *q, const struct line_party *p)
{
	struct quota_sign *s = &q->account->signs[q->lines->worker];

	atomic_store(&s->whose[q->lane], p != NULL ? (uintptr_t)p->holder : 0);
	atomic_store(&s->least[q->lane], p != NULL ?
	    load(&p->holder->tag[q->lane]) : INT64_MAX);
}

/* ---- lines and who is in them ---- */

void
lines_init(struct lines *l, struct loop *loop, int worker)
{
	list_init(&l->all);
	l->loop = loop;
	l->worker = worker;
}

void
lines_fini(struct lines *l)
{
	while (!list_empty(&l->all)) {
		struct quota_line *q = LIST_ENTRY(l->all.next,
		    struct quota_line, link);

		assert(list_empty(&q->parties) && list_empty(&q->resting));
		q->account->signs[l->worker].lines[q->lane] = NULL;
		timer_cancel(&q->timer);
		list_remove(&q->link);
		free(q);
	}
}

static struct quota_line *
line_of(struct lines *l, struct quota_account *a, enum quota_lane lane)
{
	struct quota_line **at = &a->signs[l->worker].lines[lane];

	if (*at != NULL)
		return *at;
	*at = mem_zalloc(sizeof(**at));
	(*at)->account = a;
	(*at)->lines = l;
	(*at)->lane = lane;
	list_init(&(*at)->parties);
	list_init(&(*at)->resting);
	list_append(&l->all, &(*at)->link);
	return *at;
}

static struct line_party *
party_in(struct list *of, const struct quota_holder *h)
{
	LIST_FOREACH(it, of) {
		struct line_party *p = LIST_ENTRY(it, struct line_party, link);

		if (p->holder == h)
			return p;
	}
	return NULL;
}

static struct line_party *
party_of(struct quota_line *q, struct quota_holder *h)
{
	struct line_party *p = party_in(&q->parties, h);

	if (p == NULL && (p = party_in(&q->resting, h)) != NULL) {
		list_remove(&p->link);
		list_append(&q->parties, &p->link);
	}
	if (p != NULL)
		return p;
	p = mem_zalloc(sizeof(*p));
	p->holder = h;
	atomic_fetch_add(&h->refs, 1);
	list_init(&p->entries);
	list_append(&q->parties, &p->link);
	/* Who was away does not come back with credit. */
	quota_raise(&h->tag[q->lane], load(&q->account->turn[q->lane]));
	return p;
}

/* Whether others must wait behind it. */
static void
count(struct line_entry *e, bool waits)
{
	_Atomic int32_t *n = &e->line->account->waiting[e->line->lane];
	_Atomic int32_t *wants = &e->line->account->wants[e->line->lane];
	int by = waits - e->counted;

	atomic_fetch_add(n, by);
	/* Requests that wait owe besides; answers do not. */
	if (e->line->lane == QUOTA_OUT)
		atomic_fetch_add(wants, by);
	e->counted = waits;
}

static void
entry_out(struct line_entry *e)
{
	struct line_party *p = e->party;

	count(e, false);
	list_remove(&e->link);
	e->party = NULL;
	if (list_empty(&p->entries)) {
		list_remove(&p->link);
		atomic_fetch_sub(&p->holder->refs, 1);
		free(p);
	}
}

int32_t
line_waiting(const struct quota_who *w, enum quota_lane lane)
{
	return atomic_load_explicit(&w->account->waiting[lane],
	    memory_order_relaxed);
}

void
line_given(const struct quota_who *w, enum quota_lane lane, int64_t tokens)
{
	struct quota_holder *h = w->holders[QUOTA_PRINCIPAL];

	quota_raise(&w->account->turn[lane], load(&h->tag[lane]));
	atomic_fetch_add_explicit(&h->tag[lane], tokens, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->account->turns[lane], 1,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&h->given[lane], (uint64_t)tokens,
	    memory_order_relaxed);
}

/* ---- whose turn it is ---- */

static struct line_entry *
first_of(const struct line_party *p)
{
	return LIST_ENTRY(p->entries.next, struct line_entry, link);
}

static bool
goes_before(const struct line_party *a, const struct line_party *b,
    enum quota_lane lane)
{
	bool ua = first_of(a)->urgent, ub = first_of(b)->urgent;

	if (ua != ub)
		return ua;
	return load(&a->holder->tag[lane]) < load(&b->holder->tag[lane]);
}

static struct line_party *
next_party(struct quota_line *q)
{
	struct line_party *best = NULL;

	LIST_FOREACH(it, &q->parties) {
		struct line_party *p = LIST_ENTRY(it, struct line_party, link);

		if (best == NULL || goes_before(p, best, q->lane))
			best = p;
	}
	return best;
}

/* Another worker's first one was given less: it goes first, unless nobody at
 * all does for a while. */
static bool
must_yield(struct quota_line *q, const struct line_party *p, int64_t now_us)
{
	int64_t mine = load(&p->holder->tag[q->lane]);
	int workers = quota_workers(q->account->quota);
	uint32_t turns = atomic_load_explicit(&q->account->turns[q->lane],
	    memory_order_relaxed);

	for (int i = 0; i < workers; i++) {
		struct quota_sign *s = &q->account->signs[i];

		/* Another one's number is a moment old, so of the same
		 * principal it is always behind. */
		if (i == q->lines->worker || load(&s->least[q->lane]) >=
		    mine || atomic_load(&s->whose[q->lane]) ==
		    (uintptr_t)p->holder)
			continue;
		if (q->yielded_us == 0 || q->turns != turns)
			q->yielded_us = now_us;
		q->turns = turns;
		return now_us - q->yielded_us < LINE_YIELD_MS * 1000;
	}
	q->yielded_us = 0;
	return false;
}

static struct line_entry *
late_in(const struct list *parties, int64_t now_us)
{
	LIST_FOREACH(it, parties) {
		struct line_party *p = LIST_ENTRY(it, struct line_party, link);

		LIST_FOREACH(at, &p->entries) {
			struct line_entry *e = LIST_ENTRY(at,
			    struct line_entry, link);

			if (e->late_us <= now_us)
				return e;
		}
	}
	return NULL;
}

static struct line_entry *
late_one(struct quota_line *q, int64_t now_us)
{
	struct line_entry *e = late_in(&q->parties, now_us);

	return e != NULL ? e : late_in(&q->resting, now_us);
}

/* Those that have rested are asked again. */
static void
wake(struct quota_line *q, int64_t now_us, int64_t *wait_us)
{
	LIST_FOREACH_SAFE(it, &q->resting) {
		struct line_party *p = LIST_ENTRY(it, struct line_party, link);

		if (p->rest_us <= now_us) {
			list_remove(it);
			list_append(&q->parties, it);
		} else if (p->rest_us - now_us < *wait_us) {
			*wait_us = p->rest_us - now_us;
		}
	}
}

/* The party's first one that may go; NULL: all that there are wait for what is
 * their own, or *us is how long the tenant's buckets are in debt. */
static struct line_entry *
ready_of(struct line_party *p, int64_t now_us, int64_t *us)
{
	int64_t rest = now_us + REST_MS * 1000;

	*us = 0;
	LIST_FOREACH(it, &p->entries) {
		struct line_entry *e = LIST_ENTRY(it, struct line_entry, link);
		int64_t wait;

		if (e->rest_us <= now_us) {
			e->own = false;
			wait = e->wait(e, now_us);
			count(e, !e->own);
			if (!e->own) {
				*us = wait;
				return wait == 0 ? e : NULL;
			}
			e->rest_us = now_us + (wait < REST_MS * 1000 ? wait :
			    REST_MS * 1000);
		}
		if (e->rest_us < rest)
			rest = e->rest_us;
	}
	p->rest_us = rest;
	return NULL;
}

/* The one whose turn it is; else NULL, and when to look again. How little its
 * worker's first one was given is shown to the others, unless that one waits
 * for something of its own. */
static struct line_entry *
choose(struct quota_line *q, int64_t now_us, int64_t *wait_us)
{
	struct line_party *p;

	*wait_us = LINE_POLL_MS * 1000;
	wake(q, now_us, wait_us);
	while ((p = next_party(q)) != NULL) {
		int64_t us;
		struct line_entry *e = ready_of(p, now_us, &us);

		if (e == NULL && us == 0) {
			list_remove(&p->link);
			list_append(&q->resting, &p->link);
			if (p->rest_us - now_us < *wait_us)
				*wait_us = p->rest_us - now_us;
			continue;
		}
		show_sign(q, p);
		if (e != NULL && !must_yield(q, p, now_us))
			return e;
		/* What the tenant has not, the others have not either. */
		if (e != NULL)
			us = 1000;
		*wait_us = us < *wait_us ? us : *wait_us;
		return NULL;
	}
	show_sign(q, NULL);
	return NULL;
}

static void
look(struct timer *t)
{
	struct quota_line *q = LIST_ENTRY(t, struct quota_line, timer);
	struct loop *loop = q->lines->loop;
	int64_t wait_us = 0, now_us = loop_now_us(loop);
	struct line_entry *e;

	while ((e = late_one(q, now_us)) != NULL) {
		entry_out(e);
		e->turn(e, true);
	}
	while ((e = choose(q, now_us, &wait_us)) != NULL) {
		entry_out(e);
		e->turn(e, false);
	}
	if (list_empty(&q->parties) && list_empty(&q->resting)) {
		show_sign(q, NULL);
		return;
	}
	timer_set(&q->timer, loop, now_us + (wait_us < 1000 ? 1000 : wait_us),
	    look);
}

/* ---- joining and leaving ---- */

/* Urgent ones before the others, each in the order in which they come. */
static void
put_in(struct line_party *p, struct line_entry *e)
{
	struct list *before = &p->entries;

	if (e->urgent)
		LIST_FOREACH(it, &p->entries)
			if (!LIST_ENTRY(it, struct line_entry, link)->urgent) {
				before = it;
				break;
			}
	list_append(before, &e->link);
}

void
line_join(struct lines *l, const struct quota_who *w, enum quota_lane lane,
    struct line_entry *e)
{
	struct quota_line *q = line_of(l, w->account, lane);
	int64_t now_us = loop_now_us(l->loop), us;

	assert(e->party == NULL);
	e->own = e->counted = false;
	e->rest_us = 0;
	us = e->wait(e, now_us);
	e->line = q;
	e->party = party_of(q, w->holders[QUOTA_PRINCIPAL]);
	count(e, !e->own);
	put_in(e->party, e);
	if (us > LINE_POLL_MS * 1000)
		us = LINE_POLL_MS * 1000;
	if (q->timer.slot == 0 || now_us + us < q->timer.at_us)
		timer_set(&q->timer, l->loop, now_us + us, look);
}

void
line_leave(struct line_entry *e)
{
	if (e->party != NULL)
		entry_out(e);
}
