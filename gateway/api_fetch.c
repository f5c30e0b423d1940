/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetch: a client's Fetch over partitions of any number of brokers, answered
 * when any of them have brought enough, or when its wait is over.
 *
 * A connection's Fetches are served one after the other. Each turn of the
 * current one sends calls to feeds that have nothing for it, and looks whether
 * what has landed is enough. What lands later is kept for the next Fetch of the
 * slot when the offsets match.
 *
 * Calls' ends and failed sessions may come from inside leg_send and
 * request_answer: while a turn runs, others are only noted (`again`), and the
 * end of the connection frees nothing (`dead`) until the turn is over.
 */
#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/fetch_answer.h"
#include "gateway/fetch_flight.h"
#include "gateway/request.h"
#include "gateway/session.h"
#include "gateway/throttle_fetch.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum {
	GRACE_MS = 30,			/* for calls that are on their way */
	TROUBLE_MS = 100,		/* nothing but errors of our own */
	SHORT_MS = 5,			/* not worth another call */
	LEG_BYTES_MIN = 1024 * 1024,
	WISH_MS = 1000,			/* between wishes for what is amiss */
};

struct fetch_state {
	struct worker		*worker;
	struct fetch_sessions	 sessions;
	struct list		 queue;		/* of fetch_call */
	struct fetch_call	*current;	/* taken from the queue */
	struct timer		 timer;
	struct throttle_turn	*turn;		/* NULL: no limit */
	bool			 busy, again, dead;
};

/* One Fetch. Lives in its request's arena, which goes with the session. */
struct fetch_call {
	struct list		 link;
	struct request		*request;
	struct fetch_choice	 choice;
	struct fetch_terms	 terms;		/* the client's, clamped */
	int64_t			 start_us, deadline_us;
	bool			 parked;
	bool			 admitted;	/* its answer has its turn */
};

/* How far it has come. */
struct fetch_sum {
	uint64_t		 bytes;
	uint32_t		 errors, flying, feeds;
	bool			 trouble;	/* errors of our own */
	bool			 amiss;		/* a snapshot may cure some */
};

static void turn(struct fetch_state *st);

static int64_t
now_us(const struct fetch_state *st)
{
	return loop_now_us(st->worker->loop);
}

static void
call_landed(void *arg, struct fetch_feed *f)
{
	struct fetch_state *st = arg;

	if (f->stale)
		worker_wish(st->worker);
	f->stale = false;
	turn(st);
}

static void
time_over(struct timer *t)
{
	turn(LIST_ENTRY(t, struct fetch_state, timer));
}

/* ---- the end of one ---- */

/* The request is gone afterwards, and with it the call; perhaps the session. */
static void
answer(struct fetch_state *st, const struct fetch_response *response)
{
	struct fetch_call *c = st->current;

	st->current = NULL;
	timer_cancel(&st->timer);
	request_answer(c->request, response);
}

static void
answer_error(struct fetch_state *st, int16_t error)
{
	struct request *r = st->current->request;
	struct fetch_response *to = ARENA_NEW(&r->arena,
	    struct fetch_response);

	to->error_code = error;
	if (r->version >= FETCH_SESSIONS_SINCE) {
		answer(st, to);
		return;
	}
	st->current = NULL;
	request_answer_error(r, error);
}

static void
wish(struct fetch_state *st)
{
	struct worker *w = st->worker;

	if (now_us(st) - w->cluster->asked_us > WISH_MS * 1000)
		worker_wish(w);
}

/* Nothing is wanted but partitions over their limits: else the client would
 * wait with the others too. */
static bool
only_rests(const struct fetch_table *t)
{
	if (list_empty(&t->resting) || !list_empty(&t->homeless))
		return false;
	LIST_FOREACH(it, &t->feeds)
		if (!list_empty(&LIST_ENTRY(it, struct fetch_feed,
		    link)->parts))
			return false;
	return true;
}

static void
answer_news(struct fetch_state *st, bool amiss, bool starved)
{
	struct fetch_call *c = st->current;
	struct fetch_slot *slot = c->choice.slot;
	struct fetch_response *response;

	if (amiss)
		wish(st);
	response = fetch_answer(c->request, &c->choice, c->terms.max_bytes,
	    c->terms.isolation, starved);
	throttle_fetched(c->request, only_rests(&slot->table));
	answer(st, response);
	if (st->dead)
		return;
	LIST_FOREACH(it, &slot->table.feeds)
		fetch_feed_release(LIST_ENTRY(it, struct fetch_feed, link));
}

/* ---- one turn ---- */

static bool
satisfied(const struct fetch_call *c, const struct fetch_sum *sum)
{
	uint64_t least = c->terms.min_bytes > 0 ?
	    (uint64_t)c->terms.min_bytes : 1;

	return sum->bytes >= least || sum->errors > 0;
}

static void
add_up(const struct fetch_call *c, struct fetch_sum *sum)
{
	struct fetch_table *t = &c->choice.slot->table;

	memset(sum, 0, sizeof(*sum));
	sum->trouble = fetch_table_homeless(t);
	sum->amiss = fetch_table_astray(t);
	LIST_FOREACH(it, &t->feeds) {
		struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed, link);

		if (list_empty(&f->parts)) {
			if (loop_over_limit())
				fetch_feed_discard(f);
			continue;
		}
		fetch_feed_match(f, c->terms.isolation);
		sum->feeds++;
		sum->flying += f->state == FEED_FLYING;
		sum->bytes += f->ready_bytes;
		sum->errors += f->ready_errors;
		sum->trouble |= f->failed != 0;
		sum->amiss |= f->failed != 0;
	}
}

static bool
needs_call(const struct fetch_feed *f, int64_t left_us)
{
	return f->state == FEED_IDLE && !list_empty(&f->parts) &&
	    f->failed == 0 && f->tries < FETCH_LEG_TRIES &&
	    (f->tries == 0 || left_us > SHORT_MS * 1000);
}

static int32_t
leg_bytes(const struct fetch_call *c, uint32_t feeds)
{
	int32_t all = c->terms.max_bytes, each = all / (int32_t)feeds;

	if (each < LEG_BYTES_MIN)
		each = LEG_BYTES_MIN;
	return each < all ? each : all;
}

/* Each feed that has nothing for this Fetch is asked, also when others have
 * enough: what it brings is for the next one. */
static void
send_calls(struct fetch_state *st, struct fetch_sum *sum)
{
	struct fetch_call *c = st->current;
	int64_t left = c->deadline_us - now_us(st);
	struct fetch_terms terms = c->terms;

	if (satisfied(c, sum) && loop_over_limit())
		return;
	terms.max_wait_ms = left > 0 ? (int32_t)(left / 1000) : 0;
	LIST_FOREACH(it, &c->choice.slot->table.feeds) {
		struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed, link);

		if (!needs_call(f, left))
			continue;
		terms.max_bytes = leg_bytes(c, sum->feeds);
		sum->flying++;
		fetch_flight_send(f, c->request, &terms, call_landed, st);
		if (st->dead)
			return;
	}
}

/* When it is to be answered if nothing happens before. */
static int64_t
patience_us(const struct fetch_call *c, const struct fetch_sum *sum)
{
	int64_t until = c->deadline_us + GRACE_MS * 1000;
	int64_t trouble = c->start_us + TROUBLE_MS * 1000;

	if (satisfied(c, sum) || (sum->flying == 0 && sum->bytes > 0))
		return 0;
	if (sum->flying == 0)
		until = c->deadline_us - SHORT_MS * 1000;
	if (sum->trouble && trouble < until)
		until = trouble;
	return until;
}

static void
my_turn(void *arg)
{
	struct fetch_state *st = arg;

	if (st->current != NULL && !throttle_turn_late(st->turn))
		st->current->admitted = true;
	turn(st);
}

/* Records may leave now; else it waits for its turn, and *until is when that is
 * over or looked at again. */
static bool
may_leave(struct fetch_state *st, const struct fetch_sum *sum, int64_t *until)
{
	struct fetch_call *c = st->current;

	if (sum->bytes == 0 || c->admitted || throttle_fetch_may(c->request))
		return true;
	if (st->turn == NULL)
		st->turn = throttle_turn_new(c->request->session, my_turn, st);
	throttle_turn_join(st->turn, c->deadline_us);
	*until = c->deadline_us;
	return false;
}

/* ---- places ---- */

static void resumed(struct request *r);

static int16_t
may_read(void *arg, struct slice name)
{
	struct request *r = arg;

	return authorize_topic(r, POLICY_READ_DATA, name,
	    r->version >= FETCH_IDS_SINCE);
}

static void
place(struct fetch_state *st)
{
	struct fetch_call *c = st->current;
	struct fetch_table *t = &c->choice.slot->table;
	uint64_t before = t->generation;

	if (!authorize_unlimited(c->request->session))
		fetch_table_judge(t, st->worker->cluster, now_us(st), may_read,
		    c->request);
	throttle_rest(c->request, t);
	fetch_table_place(t, st->worker->cluster);
	if (t->generation != before)
		fetch_feeds_trim(t);
	/* Waits for a snapshot in which it may have a leader, once. */
	if (fetch_table_homeless(t) && fetch_table_doubts(t))
		c->parked = request_park(c->request, resumed);
}

/* Wakes what has rested; what is over its limit still, or again, rests on. When
 * to look again. Where the snapshot is another one all topics are judged first,
 * and the call may be parked then. */
static int64_t
wake(struct fetch_state *st)
{
	struct fetch_call *c = st->current;
	struct fetch_table *t = &c->choice.slot->table;
	int64_t next;

	if (!fetch_table_wake(t, now_us(st), &next))
		return next;
	if (t->generation == st->worker->cluster->generation) {
		throttle_rest(c->request, t);
		fetch_table_place(t, st->worker->cluster);
	} else {
		place(st);
	}
	(void)fetch_table_wake(t, now_us(st), &next);
	return next;
}

/* ---- a turn of one ---- */

static bool
answered(struct fetch_state *st, const struct fetch_sum *sum, bool starved)
{
	if (st->turn != NULL)
		throttle_turn_leave(st->turn);
	answer_news(st, sum->amiss, starved);
	return true;
}

/* True when the current one was answered. */
static bool
proceed(struct fetch_state *st)
{
	struct fetch_call *c = st->current;
	int64_t next = wake(st), dry_us = throttle_fetch_dry_us(c->request);
	struct fetch_sum sum;
	int64_t until;

	if (c->parked)
		return false;
	add_up(c, &sum);
	/* What could not leave is not read either. */
	if (dry_us == 0)
		send_calls(st, &sum);
	if (st->dead || st->again)
		return false;
	until = dry_us > 0 && sum.flying == 0 && !satisfied(c, &sum) ?
	    c->deadline_us : patience_us(c, &sum);
	if (until <= now_us(st) && may_leave(st, &sum, &until))
		return answered(st, &sum, false);
	if (until <= now_us(st))
		return answered(st, &sum, true);
	/* It waits for more: its turn has passed. */
	c->admitted = false;
	if (dry_us > 0 && now_us(st) + dry_us < next)
		next = now_us(st) + dry_us;
	timer_set(&st->timer, st->worker->loop, until < next ? until : next,
	    time_over);
	return false;
}

/* ---- the beginning of one ---- */

static void
resumed(struct request *r)
{
	struct fetch_state *st = r->session->fetch;

	st->current->parked = false;
	place(st);
	turn(st);
}

static int32_t
clamp(int32_t v, int32_t most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

static void
read_terms(struct fetch_call *c, const struct fetch_request *r)
{
	const struct config_limits *l =
	    &c->request->worker->config->limits;

	c->terms.version = c->request->version;
	c->terms.max_wait_ms = clamp(r->max_wait_ms,
	    (int32_t)l->fetch_wait_max_ms);
	c->terms.max_bytes = clamp(throttle_fetch_most(c->request,
	    r->max_bytes), (int32_t)l->fetch_bytes_max);
	c->terms.min_bytes = clamp(r->min_bytes, c->terms.max_bytes);
	c->terms.isolation = r->isolation_level;
}

static void
begin(struct fetch_state *st)
{
	struct fetch_call *c = st->current;
	const struct fetch_request *r = c->request->body;
	int16_t error;

	if (!throttle_fetch_size(c->request, r->max_bytes)) {
		answer_error(st, KAFKA_INVALID_REQUEST);
		return;
	}
	read_terms(c, r);
	c->start_us = now_us(st);
	c->deadline_us = c->start_us + (int64_t)c->terms.max_wait_ms * 1000;
	error = fetch_sessions_choose(&st->sessions, r, c->request->version,
	    &c->choice);
	if (error != 0) {
		answer_error(st, error);
		return;
	}
	if (c->choice.slot->table.wanted == 0) {
		answer_news(st, false, false);
		return;
	}
	place(st);
	LIST_FOREACH(it, &c->choice.slot->table.feeds) {
		struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed, link);

		f->failed = 0;
		f->tries = 0;
	}
}

/* ---- the state of a connection ---- */

static void
state_free(struct fetch_state *st)
{
	st->busy = true;		/* calls that end now start no turn */
	timer_cancel(&st->timer);
	throttle_turn_free(st->turn);
	fetch_sessions_fini(&st->sessions);
	free(st);
}

static void
advance(struct fetch_state *st)
{
	while (!st->dead) {
		if (st->current != NULL) {
			if (st->current->parked || !proceed(st))
				return;
			continue;
		}
		if (list_empty(&st->queue))
			return;
		/* A client that reads slowly gets no more read for it. */
		if (session_output_full(LIST_ENTRY(st->queue.next,
		    struct fetch_call, link)->request->session))
			return;
		st->current = LIST_ENTRY(st->queue.next, struct fetch_call,
		    link);
		list_remove(&st->current->link);
		begin(st);
	}
}

static void
turn(struct fetch_state *st)
{
	if (st->busy) {
		st->again = true;
		return;
	}
	st->busy = true;
	do {
		st->again = false;
		advance(st);
	} while (st->again && !st->dead);
	st->busy = false;
	if (st->dead)
		state_free(st);
}

static struct fetch_state *
state_of(struct session *s)
{
	struct fetch_state *st = s->fetch;

	if (st != NULL)
		return st;
	st = s->fetch = mem_zalloc(sizeof(*st));
	st->worker = s->worker;
	list_init(&st->queue);
	fetch_sessions_init(&st->sessions, &s->worker->fetch_sessions);
	/* Each worker has its part of the node's. */
	st->sessions.max = s->worker->config->limits.fetch_sessions_max /
	    s->worker->config->workers;
	return st;
}

void
fetch_state_drained(struct session *s)
{
	if (s->fetch != NULL)
		turn(s->fetch);
}

/* The requests are the session's to free. */
void
fetch_state_free(struct session *s)
{
	struct fetch_state *st = s->fetch;

	if (st == NULL)
		return;
	s->fetch = NULL;
	st->dead = true;
	if (!st->busy)
		state_free(st);
}

void
api_fetch(struct request *r)
{
	const struct fetch_request *body = r->body;
	struct fetch_state *st;
	struct fetch_call *c;

	if (body->replica_id >= 0 || body->replica_state.replica_id >= 0) {
		request_answer_error(r, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
		return;
	}
	st = state_of(r->session);
	c = ARENA_NEW(&r->arena, struct fetch_call);
	c->request = r;
	list_append(&st->queue, &c->link);
	turn(st);
}
