/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ShareFetch and ShareAcknowledge (KIP-932). Brokers tie a share session to the
 * member and to the connection, so a client's session ends here and stands on
 * one pinned upstream a broker. When it ends, or the client's connection, they
 * are closed, and brokers release what was acquired and forget where they were.
 *
 * A connection's share requests are served one after the other, as a broker
 * does. Each turn serves the current one as far as it goes now. Legs' ends and
 * the end of the connection may come from inside leg_send, lease_close and
 * request_answer: while a turn runs (`busy`) they only change the phase, and
 * nothing is freed (`dead`) until it is over.
 *
 * Limits: what brokers acquire must be delivered, so a ShareFetch waits for
 * its turn before they are asked, and is answered without records when it has
 * waited long enough. Acknowledgements then go on.
 */
#include <assert.h>
#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/base/mem.h"
#include "gateway/request.h"
#include "gateway/session.h"
#include "gateway/share_session.h"
#include "gateway/throttle_fetch.h"
#include "gateway/throttle_parts.h"
#include "gateway/worker.h"
#include "routing/shape.h"

enum {
	MEMBERS_MAX = 16,
	LEG_MARGIN_MS = 15000,		/* a broker's answer after max_wait */
	TROUBLE_MS = 100,		/* nothing but errors of our own */
	WISH_MS = 1000,			/* between wishes for what is amiss */
	ACKS_HELD_MS = 1000,		/* a member's locks end some time */
};

enum phase {
	PHASE_NEW,
	PHASE_DRY,		/* in line, until something may be sent */
	PHASE_TAKEN,		/* its partitions are noted */
	PHASE_PARKED,		/* for a newer snapshot */
	PHASE_PLACED,
	PHASE_OUT,		/* legs are in flight */
	PHASE_LANDED,
	PHASE_RESTING,		/* a moment, so that nobody asks at once */
	PHASE_READY,
};

/* One request. Lives in its arena, which goes with the session. */
struct share_call {
	struct list		 link;
	struct request		*request;
	const struct share_fetch_request *body;
	bool			 fetch;
	enum phase		 phase;
	int64_t			 start_us;
	bool			 starved;	/* no turn came */
	int32_t			 most_bytes;	/* of its answer */
	struct share		*share;
	struct share_leg	*legs;
	struct share_leg_plan	*plans;
	int32_t			 count;
	int16_t			 error;		/* for the top level */
};

struct share_leg {
	struct leg		 leg;
	struct share_leg_plan	*plan;
	bool			 due;		/* to be sent */
	bool			 again;		/* for the second time */
};

/* An upstream that stays ours. */
struct share_pin {
	struct list		 link;
	struct share_state	*state;
	struct upstream_lease		*lease;
	int32_t			 broker;
};

struct share_state {
	struct worker		*worker;
	struct session		*session;
	struct list		 queue;		/* of share_call */
	struct share_call	*current;	/* taken from the queue */
	struct list		 shares, pins;
	uint32_t		 share_count;
	struct throttle_turn	*turn;		/* NULL: no limit */
	bool			 busy, dead;
};

static void turn(struct share_state *st);

static struct share *
share_at(struct list *it)
{
	return LIST_ENTRY(it, struct share, link);
}

static struct share_pin *
pin_at(struct list *it)
{
	return LIST_ENTRY(it, struct share_pin, link);
}

static int64_t
now_us(const struct share_state *st)
{
	return loop_now_us(st->worker->loop);
}

/* ---- upstreams ---- */

static struct share_pin *
find_pin(const struct share_state *st, int32_t broker)
{
	LIST_FOREACH(it, &st->pins)
		if (pin_at(it)->broker == broker)
			return pin_at(it);
	return NULL;
}

static void
pin_free(struct share_pin *pin)
{
	list_remove(&pin->link);
	free(pin);
}

static void
pin_close(struct share_pin *pin)
{
	struct worker *w = pin->state->worker;
	struct upstream_lease *l = pin->lease;

	pin_free(pin);
	lease_close(w, l);
}

static void
pin_lost(struct upstream_lease *l, void *arg)
{
	struct share_pin *pin = arg;

	(void)l;
	LIST_FOREACH(it, &pin->state->shares)
		share_lost(share_at(it), pin->broker);
	pin_close(pin);
}

static void
pin_take(struct share_state *st, struct upstream_lease *l)
{
	struct share_pin *pin = find_pin(st, l->broker);

	if (pin == NULL) {
		pin = mem_zalloc(sizeof(*pin));
		pin->state = st;
		pin->broker = l->broker;
		list_init(&pin->link);
		list_append(&st->pins, &pin->link);
	}
	pin->lease = l;
	l->pinned = true;
	l->lost = pin_lost;
	l->arg = pin;
}

/* Whether any session is open there. */
static bool
pin_needed(const struct share_state *st, int32_t broker)
{
	LIST_FOREACH(si, &st->shares)
		LIST_FOREACH(bi, &share_at(si)->brokers)
			if (share_broker_at(bi)->id == broker &&
			    share_broker_at(bi)->epoch != SHARE_EPOCH_OPEN)
				return true;
	return false;
}

/* No call is out. A broker forgets how far a group had come only when a
 * connection that had a session ends, whether or not the session was closed
 * before; without that, offsets which are reset later have no effect. So these
 * upstreams are never anyone else's. */
static void
pins_tidy(struct share_state *st)
{
	LIST_FOREACH_SAFE(it, &st->pins)
		if (!pin_needed(st, pin_at(it)->broker))
			pin_close(pin_at(it));
}

/* ---- sessions of clients ---- */

static struct share *
find_share(const struct share_state *st, const struct share_fetch_request *q)
{
	LIST_FOREACH(it, &st->shares)
		if (slice_eq(share_at(it)->group, q->group_id) &&
		    slice_eq(share_at(it)->member, q->member_id))
			return share_at(it);
	return NULL;
}

static struct share *
open_share(struct share_state *st, const struct share_fetch_request *q)
{
	struct share *s;

	if (st->share_count >= MEMBERS_MAX)
		return NULL;
	s = share_new(q->group_id, q->member_id);
	list_append(&st->shares, &s->link);
	st->share_count++;
	return s;
}

static void
close_share(struct share_state *st, struct share *s)
{
	st->share_count--;
	share_free(s);
}

/* Nothing of it can be trusted any more: brokers drop their sessions with the
 * connections. Sessions of others there begin anew (pin_lost). */
static void
drop_share(struct share_state *st, struct share *s)
{
	struct list lost;

	list_init(&lost);
	LIST_FOREACH_SAFE(it, &st->pins)
		LIST_FOREACH(bi, &s->brokers)
			if (share_broker_at(bi)->id == pin_at(it)->broker) {
				list_remove(it);
				list_append(&lost, it);
				break;
			}
	close_share(st, s);
	while (!list_empty(&lost)) {
		struct share_pin *pin = pin_at(lost.next);

		LIST_FOREACH(it, &st->shares)
			share_lost(share_at(it), pin->broker);
		pin_close(pin);
	}
}

/* ---- the end of one ---- */

static bool
is_fetch(const struct request *r)
{
	return r->schema->key == API_SHARE_FETCH;
}

/* The new leaders' addresses, which are all ours. */
static void
add_endpoints(struct request *r, struct share_fetch_response *p,
    struct share_fetch_response_node_endpoints **v, int32_t *n)
{
	int32_t count = session_virtual_count(r->session);
	bool *shown = ARENA_ARRAY(&r->arena, bool, count);

	*n = 0;
	*v = ARENA_ARRAY(&r->arena, struct share_fetch_response_node_endpoints,
	    count);
	for (int32_t i = 0; i < p->responses.n; i++)
		for (int32_t j = 0; j < p->responses.v[i].partitions.n; j++) {
			const struct share_fetch_response_responses_partitions
			    *part = &p->responses.v[i].partitions.v[j];
			int32_t id = part->current_leader.leader_id;

			if ((part->error_code == 0 &&
			    part->acknowledge_error_code == 0) || id < 0 ||
			    id >= count || shown[id] ||
			    part->current_leader.leader_epoch <= 0)
				continue;
			shown[id] = true;
			(*v)[*n].node_id = id;
			session_address(r->session, id, &r->arena,
			    &(*v)[*n].host, &(*v)[*n].port);
			++*n;
		}
}

static void
answer_acknowledge(struct request *r, struct share_fetch_response *p)
{
	struct share_acknowledge_response *to =
	    share_to_acknowledged(p, &r->arena);
	struct share_fetch_response_node_endpoints *v;
	int32_t n;

	add_endpoints(r, p, &v, &n);
	to->node_endpoints.v = ARENA_ARRAY(&r->arena,
	    struct share_acknowledge_response_node_endpoints, n + 1);
	to->node_endpoints.n = n;
	for (int32_t i = 0; i < n; i++) {
		to->node_endpoints.v[i].node_id = v[i].node_id;
		to->node_endpoints.v[i].host = v[i].host;
		to->node_endpoints.v[i].port = v[i].port;
	}
	request_answer(r, to);
}

/* The request is gone afterwards, and with it the call; perhaps the session. */
static void
answer(struct share_state *st, struct share_fetch_response *p)
{
	struct request *r = st->current->request;

	st->current = NULL;
	if (p->error_code != 0)
		p->error_message = slice_of(kafka_error_text(p->error_code));
	if (!is_fetch(r)) {
		answer_acknowledge(r, p);
		return;
	}
	add_endpoints(r, p, &p->node_endpoints.v, &p->node_endpoints.n);
	request_answer(r, p);
}

static void
answer_error(struct share_state *st, int16_t error)
{
	struct share_fetch_response *p = ARENA_NEW(
	    &st->current->request->arena, struct share_fetch_response);

	p->error_code = error;
	answer(st, p);
}

static void
answer_share(struct share_state *st)
{
	struct share_call *c = st->current;
	struct share_fetch_response *p;

	p = share_answer(c->share, &c->request->arena);
	answer(st, p);
}

static void
time_over(struct timer *t)
{
	struct request *r = LIST_ENTRY(t, struct request, timer);
	struct share_state *st = r->session->share;

	st->current->phase = PHASE_READY;
	turn(st);
}

/* When it has waited for as long as its client wants, and at most that. */
static int64_t
until_us(const struct share_call *c, int32_t most_ms)
{
	int32_t ms = c->body->max_wait_ms;

	return c->start_us + (int64_t)(ms < most_ms ? ms : most_ms) * 1000;
}

static bool
asked_any(const struct share_call *c)
{
	for (int32_t i = 0; i < c->count; i++)
		if (c->plans[i].fetches)
			return true;
	return false;
}

/* A client whose partitions all fail, or may not be read, would ask again at
 * once. */
static bool
rests(struct share_state *st, int32_t errors)
{
	struct share_call *c = st->current;
	int64_t until = until_us(c, TROUBLE_MS), now = now_us(st);

	if (!c->share->fetching || c->share->acquired > 0)
		return false;
	if (c->share->resting && errors == 0 && !asked_any(c)) {
		until = until_us(c, SHARE_WAIT_MAX_MS);
		if (now + c->request->throttle_us < until)
			until = now + c->request->throttle_us;
	} else if (errors == 0) {
		return false;
	}
	if (until <= now)
		return false;
	c->phase = PHASE_RESTING;
	timer_set(&c->request->timer, st->worker->loop, until, time_over);
	return true;
}

static void
wish(struct share_state *st)
{
	struct worker *w = st->worker;

	if (now_us(st) - w->cluster->asked_us > WISH_MS * 1000)
		worker_wish(w);
}

/* ---- legs ---- */

static bool
session_error(int16_t error)
{
	return error == KAFKA_SHARE_SESSION_NOT_FOUND ||
	    error == KAFKA_INVALID_SHARE_SESSION_EPOCH ||
	    error == KAFKA_SHARE_SESSION_LIMIT_REACHED;
}

static void
note_error(void *arg, int16_t error)
{
	if (error_wants_refresh(error))
		worker_wish(arg);
}

/* What it was is told by the merge, or the leg is to be sent again. */
static void
take_leg(struct share_state *st, struct share_leg *l)
{
	struct share_call *c = st->current;
	struct request *r = c->request;
	struct share_fetch_response *p = l->leg.reply;

	if (p == NULL) {
		share_failed(c->share, l->plan, l->leg.error);
		return;
	}
	/* A broker's own word needs no waiting. */
	shape_errors(r->schema, r->version, p, note_error, st->worker);
	if (!is_fetch(r))
		p = share_from_acknowledged(l->leg.reply, &r->arena);
	if (p->error_code == 0) {
		share_landed(c->share, l->plan, p, st->worker->cluster,
		    session_virtual_count(r->session));
		return;
	}
	if (l->plan->closes)
		return;
	if (l->plan->body->share_session_epoch == SHARE_EPOCH_FINAL) {
		share_failed(c->share, l->plan, p->error_code);
	} else if (session_error(p->error_code) && !l->plan->acks &&
	    !l->again) {
		share_restart(c->share, l->plan, &r->arena);
		l->again = l->due = true;
	} else {
		c->error = p->error_code;
	}
}

static void
leg_over(struct request *r)
{
	struct share_state *st;

	if (--r->pending > 0)
		return;
	if (r->session == NULL) {
		request_finish(r);
		return;
	}
	/* Without a state the session is closing, and frees the request. */
	st = r->session->share;
	if (st == NULL)
		return;
	st->current->phase = PHASE_LANDED;
	turn(st);
}

static void
leg_done(struct leg *l)
{
	leg_over(l->request);
}

static void
send_leg(struct share_state *st, struct request *r, struct share_leg *l)
{
	struct leg *leg = &l->leg;

	leg->worker = st->worker;
	leg->session = r->session;
	leg->request = r;
	leg->arena = &r->arena;
	leg->broker = l->plan->broker->id;
	leg->class = USE_SHARE;
	leg->timeout_ms = (uint32_t)l->plan->body->max_wait_ms + LEG_MARGIN_MS;
	leg->body = l->plan->body;
	leg->done = leg_done;
	if (!is_fetch(r))
		leg->body = share_to_acknowledge(l->plan->body, &r->arena);
	leg_send(leg, r->schema, r->version, r->client_id);
	/* When it could not be sent it is done, else it holds its lease. */
	if (leg->lease == NULL)
		return;
	if (st->dead)
		lease_close(st->worker, leg->lease);
	else
		pin_take(st, leg->lease);
}

/* Sends those that are due. The request may be gone afterwards. */
static void
send_legs(struct share_state *st)
{
	struct share_call *c = st->current;
	struct request *r = c->request;

	c->phase = PHASE_OUT;
	r->pending = 1;
	for (int32_t i = 0; i < c->count && !st->dead; i++) {
		struct share_leg *l = &c->legs[i];

		if (!l->due)
			continue;
		r->pending++;
		send_leg(st, r, l);
	}
	leg_over(r);
}

static void
make_legs(struct share_state *st)
{
	struct share_call *c = st->current;
	struct arena *a = &c->request->arena;
	struct share_fetch_request *q = ARENA_NEW(a,
	    struct share_fetch_request);

	*q = *c->body;
	q->max_bytes = c->most_bytes;
	c->count = share_legs(c->share, q, a, &c->plans);
	c->legs = ARENA_ARRAY(a, struct share_leg, c->count + 1);
	for (int32_t i = 0; i < c->count; i++) {
		c->legs[i].plan = &c->plans[i];
		c->legs[i].due = true;
	}
}

/* ---- one request, step by step ---- */

static void resumed(struct request *r);

static int16_t
may_read(void *arg, struct slice name)
{
	return authorize_topic(arg, POLICY_READ_DATA, name, true);
}

static bool
part_rests(void *arg, const struct uuid *topic, int32_t partition)
{
	return throttle_share_rests(arg, topic, partition);
}

/* True when a newer snapshot might know more. */
static bool
place(struct share_state *st)
{
	struct share *s = st->current->share;
	struct request *r = st->current->request;

	if (!authorize_unlimited(st->session))
		share_judge(s, st->worker->cluster, may_read, r);
	if (throttle_parts_limited(r))
		share_rest(s, part_rests, r);
	return share_place(s, st->worker->cluster,
	    session_virtual_count(st->session));
}

/* No turn came: without records, and what is acknowledged goes on. */
static void
my_turn(void *arg)
{
	struct share_state *st = arg;
	struct share_call *c = st->current;

	assert(c != NULL && c->phase == PHASE_DRY);
	c->starved = throttle_turn_late(st->turn);
	if (c->starved)
		c->share->fetching = false;
	c->phase = PHASE_TAKEN;
	turn(st);
}

/* In line, when nothing may be sent to its tenant now. */
static bool
waits_in_line(struct share_state *st)
{
	struct share_call *c = st->current;

	if (!c->share->fetching || throttle_fetch_may(c->request))
		return false;
	if (st->turn == NULL)
		st->turn = throttle_turn_new(st->session, my_turn, st);
	c->phase = PHASE_DRY;
	throttle_turn_join(st->turn, until_us(c, share_acks(c->share) ?
	    ACKS_HELD_MS : SHARE_WAIT_MAX_MS));
	return true;
}

static void
begin(struct share_state *st)
{
	struct share_call *c = st->current;
	const struct share_fetch_request *q = c->body;
	int16_t error;

	c->start_us = now_us(st);
	c->share = find_share(st, q);
	error = share_check(c->share, q, c->fetch);
	if (error == 0 && c->fetch &&
	    !throttle_fetch_size(c->request, q->max_bytes))
		error = KAFKA_INVALID_REQUEST;
	if (error == 0 && c->share == NULL) {
		c->share = open_share(st, q);
		if (c->share == NULL)
			error = KAFKA_SHARE_SESSION_LIMIT_REACHED;
	}
	if (error == 0 && !share_take(c->share, q, c->fetch)) {
		drop_share(st, c->share);
		error = KAFKA_SHARE_SESSION_LIMIT_REACHED;
	}
	if (error != 0) {
		if (!st->dead)
			answer_error(st, error);
		return;
	}
	if (!waits_in_line(st))
		c->phase = PHASE_TAKEN;
}

static void
settle(struct share_state *st)
{
	struct share_call *c = st->current;

	c->phase = PHASE_PLACED;
	if (place(st) && request_park(c->request, resumed))
		c->phase = PHASE_PARKED;
}

static void
resumed(struct request *r)
{
	struct share_state *st = r->session->share;

	place(st);
	st->current->phase = PHASE_PLACED;
	turn(st);
}

/* All legs are back: says what they brought, or sends some of them again. */
static void
land(struct share_state *st)
{
	struct share_call *c = st->current;
	bool again = false, stale;
	int32_t errors;

	for (int32_t i = 0; i < c->count; i++) {
		if (!c->legs[i].due)
			continue;
		c->legs[i].due = false;
		take_leg(st, &c->legs[i]);
		again |= c->legs[i].due;
	}
	if (c->error == 0 && again) {
		send_legs(st);
		return;
	}
	if (c->error != 0) {
		drop_share(st, c->share);
		c->share = NULL;
		if (!st->dead)
			answer_error(st, c->error);
		return;
	}
	errors = share_errors(c->share, &stale);
	if (stale)
		wish(st);
	if (!rests(st, errors))
		c->phase = PHASE_READY;
}

/* Records are acquired by now: they leave, whatever they cost. */
static void
charge(struct share_state *st)
{
	struct share_call *c = st->current;
	struct request *r = c->request;

	if (!c->fetch)
		return;
	SHARE_EACH_PART(it, c->share) {
		const struct share_part *p = share_part_at(it);

		if (p->fetched == NULL || p->fetched->records.len == 0)
			continue;
		r->read_bytes += p->fetched->records.len;
		throttle_share_read(r, &p->topic->id, p->index,
		    p->fetched->records.len);
	}
	throttle_fetched(r, c->starved || c->share->resting);
}

static void
finish(struct share_state *st)
{
	struct share_call *c = st->current;
	struct share *s = c->share;
	bool final = c->body->share_session_epoch == SHARE_EPOCH_FINAL;

	pins_tidy(st);
	charge(st);
	answer_share(st);
	if (final)
		close_share(st, s);
	else
		share_tidy(s);
}

static void
step(struct share_state *st)
{
	switch (st->current->phase) {
	case PHASE_NEW:
		begin(st);
		break;
	case PHASE_TAKEN:
		settle(st);
		break;
	case PHASE_PLACED:
		make_legs(st);
		send_legs(st);
		break;
	case PHASE_LANDED:
		land(st);
		break;
	case PHASE_READY:
		finish(st);
		break;
	case PHASE_DRY:
	case PHASE_PARKED:
	case PHASE_OUT:
	case PHASE_RESTING:
		break;
	}
}

static bool
waits(const struct share_call *c)
{
	return c->phase == PHASE_DRY || c->phase == PHASE_PARKED ||
	    c->phase == PHASE_OUT || c->phase == PHASE_RESTING;
}

static void
advance(struct share_state *st)
{
	while (!st->dead) {
		if (st->current == NULL) {
			if (list_empty(&st->queue))
				return;
			st->current = LIST_ENTRY(st->queue.next,
			    struct share_call, link);
			list_remove(&st->current->link);
		}
		if (waits(st->current))
			return;
		step(st);
	}
}

/* ---- the state of a connection ---- */

static void
state_free(struct share_state *st)
{
	st->busy = true;		/* what ends now starts no turn */
	throttle_turn_free(st->turn);
	LIST_FOREACH_SAFE(it, &st->shares)
		share_free(share_at(it));
	while (!list_empty(&st->pins))
		pin_close(pin_at(st->pins.next));
	free(st);
}

static void
turn(struct share_state *st)
{
	if (st->busy)
		return;
	st->busy = true;
	advance(st);
	st->busy = false;
	if (st->dead)
		state_free(st);
}

/* The requests are the session's to free. */
void
share_state_free(struct session *s)
{
	struct share_state *st = s->share;

	if (st == NULL)
		return;
	s->share = NULL;
	st->dead = true;
	if (!st->busy)
		state_free(st);
}

static struct share_state *
state_of(struct session *s)
{
	struct share_state *st = s->share;

	if (st != NULL)
		return st;
	st = s->share = mem_zalloc(sizeof(*st));
	st->worker = s->worker;
	st->session = s;
	list_init(&st->queue);
	list_init(&st->shares);
	list_init(&st->pins);
	return st;
}

void
api_share(struct request *r)
{
	struct share_state *st = state_of(r->session);
	struct share_call *c = ARENA_NEW(&r->arena, struct share_call);

	c->request = r;
	c->fetch = is_fetch(r);
	c->body = c->fetch ? r->body :
	    share_from_acknowledge(r->body, &r->arena);
	c->most_bytes = throttle_fetch_most(r, c->body->max_bytes);
	list_init(&c->link);
	list_append(&st->queue, &c->link);
	turn(st);
}
