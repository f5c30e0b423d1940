/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/principal.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/client_login.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/throttle_parts.h"
#include "gateway/throttle_topics.h"
#include "gateway/worker.h"
#include "quota/quota.h"
#include "routing/shape.h"
#include "wire/messages.h"

enum {
	/* A tenant's requests that wait take that part of the node's memory for
	 * frames at most. */
	HELD_PART = 4,
	/* A connection that carries a group's requests too. */
	GROUP_MUTE_MS = 1000,
	GROUP_HOLD_MS = 3000,
	GROUP_SEEN_MS = 60000,
};

/* Of one session. */
struct throttle {
	struct session		*session;
	struct quota_who	 who;
	struct line_entry	 entry;
	struct request		*held;
	struct timer		 timer;		/* the mute's end, or its own */
	enum quota_lane		 lane;		/* that it owes in */
	enum quota_lane		 line;		/* that `held` waits in */
	int64_t			 owed;		/* bytes */
	bool			 owes;
	int64_t			 group_us;	/* the last of a group's */
	int64_t			 apart_us;	/* since when it was held by a
						 * group's bytes */
	bool			 counted;	/* as a connection */
	enum conn_reason	 closing;
	struct error		 why;		/* it is closed */
};

/* Of one worker. */
struct throttling {
	struct lines		 lines;
	struct throttle_parts	*parts;
};

static int64_t
now_us(const struct session *s)
{
	return loop_now_us(s->worker->loop);
}

/* ---- the worker's ---- */

struct throttling *
throttling_new(struct worker *w)
{
	struct throttling *t = mem_zalloc(sizeof(*t));

	lines_init(&t->lines, w->loop, w->index);
	t->parts = throttle_parts_new();
	return t;
}

void
throttling_forget(struct throttling *t)
{
	throttle_parts_forget(t->parts);
}

void
throttling_free(struct throttling *t)
{
	if (t == NULL)
		return;
	throttle_parts_free(t->parts);
	lines_fini(&t->lines);
	free(t);
}

struct lines *
throttling_lines(struct throttling *t)
{
	return &t->lines;
}

struct throttle_parts *
throttling_parts(struct throttling *t)
{
	return t->parts;
}

const struct quota_who *
throttle_who(const struct session *s)
{
	return s->throttle != NULL ? &s->throttle->who : NULL;
}

/* ---- what a request costs ---- */

static enum quota_lane
lane_of(const struct request *r)
{
	return r->api->class == CLASS_PRODUCE ? QUOTA_IN :
	    r->api->class == CLASS_READ ? QUOTA_READ :
	    throttle_topics_wait(r) ? QUOTA_TOPICS : QUOTA_OTHER;
}

static void
cost_of(const struct request *r, struct quota_cost *c)
{
	enum api_class class = r->api->class;

	c->n = 0;
	quota_cost_add(c, QUOTA_DIM_REQUESTS, 1, true);
	quota_cost_add(c, QUOTA_DIM_INGRESS, (int64_t)r->bytes_in,
	    class == CLASS_PRODUCE || class == CLASS_READ);
	if (class == CLASS_TOPICS)
		quota_cost_add(c, QUOTA_DIM_TOPIC_REQUESTS, 1, true);
	/* Charged by items, later. */
	if (throttle_topics_wait(r))
		quota_cost_add(c, QUOTA_DIM_PARTITION_CHANGES, 0, true);
	if (class == CLASS_READ)
		quota_cost_add(c, QUOTA_DIM_EGRESS, 0, true);
}

/* A member of a group that is late loses its place. */
static bool
is_membership(const struct request *r)
{
	switch (r->schema->key) {
	case API_HEARTBEAT:
	case API_JOIN_GROUP:
	case API_SYNC_GROUP:
	case API_CONSUMER_GROUP_HEARTBEAT:
	case API_SHARE_GROUP_HEARTBEAT:
	case API_STREAMS_GROUP_HEARTBEAT:
		return true;
	default:
		return false;
	}
}

/* Whether it waits for limits of bytes only when what is of its kind is more
 * than one by itself. What a group's members must say in time never waits. */
static bool
is_aside(const struct request *r, enum quota_aside *kind)
{
	*kind = r->api->class == CLASS_GROUP ? QUOTA_ASIDE_GROUPS :
	    QUOTA_ASIDE_META;
	if (r->api->class == CLASS_GROUP)
		return !is_membership(r) &&
		    r->schema->key != API_LEAVE_GROUP;
	return r->api->class == CLASS_META || r->api->class == CLASS_FETCH;
}

static bool
is_of_groups(const struct request *r)
{
	enum quota_aside kind;

	return is_aside(r, &kind) && kind == QUOTA_ASIDE_GROUPS;
}

/* Counts it beside, where it counts. Who moved least comes next when it is too
 * much. */
static void
spend_aside(const struct request *r, bool out, int64_t bytes, int64_t at_us)
{
	const struct quota_who *w = &r->session->throttle->who;
	enum quota_aside kind;

	if (!is_aside(r, &kind))
		return;
	quota_aside_spend(w, kind, out, bytes, at_us);
	if (kind == QUOTA_ASIDE_GROUPS)
		line_given(w, QUOTA_GROUPS, bytes);
}

/* How long it must wait, and what for; whether for more than a limit by
 * itself. */
static int64_t
wait_us(struct throttle *t, struct request *r, int64_t at_us,
    struct quota_reason *why, bool *aside)
{
	struct quota_reason other = { .us = 0 };
	enum quota_aside kind;
	struct quota_cost c;
	int64_t us, more;

	cost_of(r, &c);
	us = quota_wait_us(&t->who, &c, at_us, why);
	*aside = is_aside(r, &kind);
	more = *aside ? quota_aside_wait_us(&t->who, kind, at_us, &other) :
	    throttle_parts_wait_us(r, at_us, &other);
	*aside = *aside && more > us;
	if (more <= us)
		return us;
	*why = other;
	return more;
}

/* ---- owing ---- */

static void
owe(struct throttle *t, const struct request *r, enum quota_lane lane)
{
	if (t->owes)
		return;
	t->owes = true;
	t->lane = lane;
	t->owed = (int64_t)r->bytes_in;
	quota_owe(&t->who, t->lane, t->owed, true);
}

static void
owe_no_more(struct throttle *t)
{
	if (t->owes)
		quota_owe(&t->who, t->lane, t->owed, false);
	t->owes = false;
}

/* What the fair order counts. */
static int64_t
weight_of(const struct request *r)
{
	return lane_of(r) == QUOTA_IN ? (int64_t)r->bytes_in : 1;
}

/* ---- waiting in line ---- */

static int64_t
held_wait(struct line_entry *e, int64_t at_us)
{
	struct throttle *t = LIST_ENTRY(e, struct throttle, entry);
	struct quota_reason why;
	bool aside;
	int64_t us = wait_us(t, t->held, at_us, &why, &aside);

	/* Nobody in that line waits for what groups' requests wait for. */
	e->own = us > 0 && ((why.scope != QUOTA_TENANT &&
	    why.scope != QUOTA_NODE) || (aside && is_of_groups(t->held) &&
	    t->line != QUOTA_GROUPS));
	return us;
}

static void
run(struct request *r)
{
	struct throttle *t = r->session->throttle;
	int64_t at_us = now_us(r->session);
	struct quota_cost c;

	cost_of(r, &c);
	quota_spend(&t->who, &c, at_us);
	spend_aside(r, false, (int64_t)r->bytes_in, at_us);
	line_given(&t->who, lane_of(r), weight_of(r));
}

bool
throttle_version_knows(int16_t api_key, int version)
{
	switch (api_key) {
	case API_CREATE_TOPICS:
		return version >= 6;
	case API_CREATE_PARTITIONS:
		return version >= 3;
	case API_DELETE_TOPICS:
		return version >= 5;
	default:
		return false;
	}
}

/* What says that it is to be asked again later. */
static int16_t
late_error(const struct request *r)
{
	if (r->api->class == CLASS_TOPICS &&
	    throttle_version_knows(r->schema->key, r->version))
		return KAFKA_THROTTLING_QUOTA_EXCEEDED;
	/* Many clients know no other one here that leaves the coordinator what
	 * it is. */
	return r->api->class == CLASS_GROUP &&
	    r->schema->key != API_SHARE_ACKNOWLEDGE ?
	    KAFKA_COORDINATOR_LOAD_IN_PROGRESS : KAFKA_REQUEST_TIMED_OUT;
}

/* It has waited as long as a request may. */
static void
too_late(struct request *r)
{
	metric_add(r->worker->metrics, METRIC_THROTTLE_REFUSED, 1);
	if (r->api->class == CLASS_PRODUCE)
		produce_refused(r);
	request_answer_error(r, late_error(r));
}

static void join(struct throttle *t, struct request *r);

static bool
is_silent(const struct request *r)
{
	return r->api->class == CLASS_PRODUCE &&
	    ((const struct produce_request *)r->body)->acks == 0;
}

/* It waits no more. */
static void
let_go(struct throttle *t)
{
	if (t->held == NULL)
		return;
	quota_hold(&t->who, -(int64_t)t->held->bytes_in, 0);
	t->held = NULL;
	owe_no_more(t);
}

/* What groups need passes limits of requests when it has waited long, limits of
 * bytes it does not. */
static bool
may_be_late(struct throttle *t, struct request *r)
{
	struct quota_reason why;
	bool aside;

	return t->entry.urgent && (wait_us(t, r, now_us(t->session), &why,
	    &aside) == 0 || !aside);
}

static void
held_turn(struct line_entry *e, bool late)
{
	struct throttle *t = LIST_ENTRY(e, struct throttle, entry);
	struct request *r = t->held;
	struct session *s = t->session;

	let_go(t);
	if (late && !may_be_late(t, r)) {
		/* Its end may be the session's. */
		session_mute(s, false);
		too_late(r);
		return;
	}
	run(r);
	session_mute(s, false);
	session_run(r);
}

/* Whether it carried a consumer group's requests lately. */
static bool
carries_group(const struct throttle *t)
{
	return t->group_us != 0 &&
	    now_us(t->session) - t->group_us < GROUP_SEEN_MS * 1000;
}

static int64_t
hold_ms(const struct throttle *t)
{
	int64_t ms = t->session->worker->config->quota.hold_max_ms;

	return ms > GROUP_HOLD_MS && carries_group(t) ? GROUP_HOLD_MS : ms;
}

/* By bytes of groups a connection with a member is held no longer than one such
 * request may be, in twice that time: heartbeats come behind them. */
static int64_t
group_late_us(struct throttle *t)
{
	const int64_t most = GROUP_HOLD_MS * 1000;
	int64_t now = now_us(t->session), own = now + hold_ms(t) * 1000;

	if (t->apart_us == 0 || now - t->apart_us >= 2 * most)
		t->apart_us = now;
	return own < t->apart_us + most ? own : t->apart_us + most;
}

static int64_t
late_us(struct throttle *t, const struct request *r, enum quota_lane lane)
{
	/* Who could not be told goes on waiting. */
	if (is_silent(r))
		return INT64_MAX;
	if (lane == QUOTA_GROUPS && carries_group(t))
		return group_late_us(t);
	return now_us(t->session) + hold_ms(t) * 1000;
}

static void
join(struct throttle *t, struct request *r)
{
	struct session *s = t->session;

	t->held = r;
	t->entry.urgent = r->api->class == CLASS_GROUP &&
	    t->line != QUOTA_GROUPS;
	t->entry.late_us = late_us(t, r, t->line);
	t->entry.wait = held_wait;
	t->entry.turn = held_turn;
	line_join(&s->worker->throttling->lines, &t->who, t->line, &t->entry);
}

/* Without room for what it carries it is refused at once. */
static bool
may_be_held(struct throttle *t, struct request *r, enum quota_lane lane)
{
	size_t most = r->worker->config->limits.buffered_max / HELD_PART;

	return (lane != QUOTA_GROUPS || late_us(t, r, lane) >
	    now_us(t->session)) && quota_hold(&t->who, (int64_t)r->bytes_in,
	    (int64_t)most);
}

static void
hold(struct throttle *t, struct request *r, enum quota_lane lane,
    const struct quota_reason *why, int64_t us)
{
	/* While nothing passes it would be for ever. */
	if (us > hold_ms(t) * 1000)
		us = hold_ms(t) * 1000;
	if (!may_be_held(t, r, lane)) {
		if (why->record != NULL)
			quota_note(why->record, us, now_us(t->session));
		if (is_silent(r))
			request_fail(r, CONN_LIMIT, "too many bytes wait for "
			    "the tenant's limits");
		else
			too_late(r);
		return;
	}
	metric_add(t->session->worker->metrics, METRIC_THROTTLE_HELD, 1);
	if (why->record != NULL)
		quota_note(why->record, us, now_us(t->session));
	owe(t, r, lane);
	t->line = lane;
	session_mute(t->session, true);
	join(t, r);
}

void
throttle_charge(struct request *r)
{
	struct throttle *t = r->session->throttle;
	struct quota_cost c;

	if (t == NULL)
		return;
	cost_of(r, &c);
	quota_spend(&t->who, &c, now_us(r->session));
}

bool
throttle_admit(struct request *r)
{
	struct throttle *t = r->session->throttle;
	enum quota_lane lane;
	struct quota_reason why;
	int64_t at_us, us;
	bool aside;

	if (t == NULL)
		return true;
	if (r->api->class == CLASS_FREE) {
		throttle_charge(r);
		return true;
	}
	at_us = now_us(r->session);
	if (is_membership(r))
		t->group_us = at_us;
	us = wait_us(t, r, at_us, &why, &aside);
	/* What groups need is behind nobody but its like. */
	lane = is_of_groups(r) && (aside || us == 0) ? QUOTA_GROUPS :
	    lane_of(r);
	if (us == 0 && ((r->api->class == CLASS_GROUP &&
	    lane != QUOTA_GROUPS) || line_waiting(&t->who, lane) == 0)) {
		run(r);
		return true;
	}
	hold(t, r, lane, &why, us);
	return false;
}

/* ---- replies ---- */

static void
mute_over(struct timer *timer)
{
	struct throttle *t = LIST_ENTRY(timer, struct throttle, timer);

	owe_no_more(t);
	session_mute(t->session, false);
}

static void
mute(struct throttle *t, const struct request *r, int64_t us)
{
	struct session *s = t->session;

	owe(t, r, lane_of(r));
	session_mute_idle(s);
	/* An earlier reply may have said longer. */
	if (t->timer.slot == 0 || t->timer.at_us < now_us(s) + us)
		timer_set(&t->timer, s->worker->loop, now_us(s) + us,
		    mute_over);
}

static int64_t
capped_us(const struct throttle *t, int64_t us)
{
	int64_t most = (int64_t)
	    t->session->worker->config->quota.throttle_max_ms * 1000;

	if (most > GROUP_MUTE_MS * 1000 && carries_group(t))
		most = GROUP_MUTE_MS * 1000;
	return us < most ? us : most;
}

/* How long its client is to wait. */
static int64_t
owed_us(struct request *r)
{
	struct throttle *t = r->session->throttle;
	struct quota_reason why;
	struct quota_cost c;
	int64_t us;

	cost_of(r, &c);
	us = capped_us(t, quota_throttle_us(&t->who, &c, lane_of(r),
	    now_us(r->session), &why));
	if (us > 0 && why.record != NULL && us >= r->throttle_us)
		quota_note(why.record, us, now_us(r->session));
	if (r->throttle_us > us)
		us = capped_us(t, r->throttle_us);
	if (us > 0)
		metric_add(r->worker->metrics, METRIC_THROTTLED_TIME,
		    (uint64_t)us);
	return us;
}

static void
set_time(struct request *r, int version, void *response, int64_t us)
{
	const struct field *f = message_field(r->schema->response,
	    "throttle_time_ms");
	int32_t ms = (int32_t)((us + 999) / 1000), was;

	if (f == NULL || f->type != FIELD_INT32 || version < f->since ||
	    version > f->until)
		return;
	memcpy(&was, (char *)response + f->offset, sizeof(was));
	if (was < ms)
		memcpy((char *)response + f->offset, &ms, sizeof(ms));
}

void
throttle_answer(struct request *r, int version, void *response)
{
	struct throttle *t = r->session->throttle;
	int64_t us;

	if (t == NULL || r->api->class == CLASS_FREE ||
	    t->closing != CONN_REASON_COUNT)
		return;
	us = owed_us(r);
	if (us == 0 && r->throttle_tell_us == 0)
		return;
	set_time(r, version, response, us > r->throttle_tell_us ? us :
	    r->throttle_tell_us);
	if (us > 0 && t->held == NULL)
		mute(t, r, us);
}

void
throttle_silent(struct request *r)
{
	struct throttle *t = r->session != NULL ? r->session->throttle : NULL;
	int64_t us;

	if (t == NULL || t->closing != CONN_REASON_COUNT || t->held != NULL)
		return;
	us = owed_us(r);
	if (us > 0)
		mute(t, r, us);
}

void
throttle_sent(struct request *r, int64_t bytes)
{
	struct throttle *t = r->session->throttle;
	struct quota_cost c = { 0 };

	if (t == NULL || r->api->class == CLASS_FREE)
		return;
	quota_cost_add(&c, QUOTA_DIM_EGRESS, bytes - r->read_bytes, false);
	quota_spend(&t->who, &c, now_us(r->session));
	spend_aside(r, true, bytes - r->read_bytes, now_us(r->session));
}

void
throttle_tell(struct request *r, int64_t us, const struct quota_reason *why)
{
	if (us <= 0)
		return;
	us = capped_us(r->session->throttle, us);
	r->throttle_tell_us = us;
	metric_add(r->worker->metrics, METRIC_THROTTLED_TIME, (uint64_t)us);
	if (why->record != NULL)
		quota_note(why->record, us, now_us(r->session));
}

void
throttle_because(struct request *r, int64_t us,
    const struct quota_reason *why)
{
	if (why->record != NULL)
		quota_note(why->record, capped_us(r->session->throttle, us),
		    now_us(r->session));
	if (us > r->throttle_us)
		r->throttle_us = us;
}

void
throttle_refused(struct request *r, const struct quota_reason *why)
{
	r->refused_why = *why;
	r->refused_why.record = NULL;	/* it may go before the request */
}

void
throttle_log(const struct request *r, const char *what, struct slice name)
{
	const struct session *s = r->session;
	char text[256];
	struct log_quoted q;

	quota_reason_text(&r->refused_why, text, sizeof(text));
	log_warn("refused by a limit", "session=%llu tenant=%s api=%s %s=%s "
	    "reason=\"%s\"", (unsigned long long)s->id,
	    s->tenant != NULL ? s->tenant->id : "", r->schema->name, what,
	    log_quote(name, &q), text);
}

int16_t
throttle_batch(struct request *r, uint32_t bytes)
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_reason why;
	int64_t most;

	if (w == NULL)
		return 0;
	most = quota_size_limit(w, QUOTA_DIM_MESSAGE_BYTES, bytes,
	    now_us(r->session), &why);
	if (most < 0 || bytes <= most)
		return 0;
	throttle_refused(r, &why);
	return KAFKA_INVALID_REQUEST;
}

struct slice
throttle_text(struct request *r)
{
	char text[256];

	if (r->refused_why.value < 0)
		return SLICE_LIT("");
	quota_reason_text(&r->refused_why, text, sizeof(text));
	return arena_slice(&r->arena, slice_of(text));
}

/* ---- connections ---- */

static void
close_now(struct timer *timer)
{
	struct throttle *t = LIST_ENTRY(timer, struct throttle, timer);

	session_close(t->session, t->closing, t->why.text);
}

/* Held for a moment first, or its client would be back at once (KIP-612). */
static void
close_soon(struct throttle *t, enum conn_reason reason,
    const struct quota_reason *why)
{
	struct session *s = t->session;
	int64_t us = (int64_t)s->worker->config->quota.close_ms * 1000;

	t->closing = reason;
	quota_reason_text(why, t->why.text, sizeof(t->why.text));
	quota_note(why->record, us, now_us(s));
	session_mute_idle(s);
	timer_set(&t->timer, s->worker->loop, now_us(s) + us, close_now);
}

static struct limits *
limits_of(const struct session *s)
{
	return s->tenant != NULL ? s->tenant->limits :
	    s->worker->config->quota.made;
}

/* Of a role's session the role. */
static struct slice
principal_of(const struct session *s)
{
	return s->login != NULL && s->login->principal != NULL ?
	    slice_of(s->login->principal->principal_arn) : SLICE_LIT("");
}

static void
open_who(struct session *s, struct throttle *t)
{
	struct quota *q = s->worker->gateway->quota;
	struct quota_account *a = quota_account(q, s->tenant != NULL ?
	    s->tenant->id : "", limits_of(s));

	quota_who_open(q, a, principal_of(s), slice_of(s->client_id ?
	    s->client_id : ""), &t->who);
}

/* Only client ids may make a difference: the principal is the login's. */
static void
follow_client(struct session *s)
{
	struct throttle *t = s->throttle;
	struct quota_reason why;
	bool limits = quota_limits_clients(t->who.account);

	if (limits == (t->who.holders[QUOTA_CLIENT] != NULL) && !limits)
		return;
	if (!quota_who_rename(&t->who, principal_of(s), slice_of(
	    s->client_id ? s->client_id : ""), t->counted, now_us(s), &why) &&
	    t->closing == CONN_REASON_COUNT)
		close_soon(t, CONN_QUOTA_COUNT, &why);
}

void
throttle_enter(struct session *s)
{
	struct throttle *t = s->throttle;
	struct quota_reason why;

	if (s->worker->gateway->quota == NULL)
		return;
	if (t != NULL) {
		throttle_again(s);
		return;
	}
	t = s->throttle = mem_zalloc(sizeof(*t));
	t->session = s;
	t->closing = CONN_REASON_COUNT;
	open_who(s, t);
	if (!quota_take(&t->who, QUOTA_DIM_CONNECTION_ATTEMPTS, 1, now_us(s),
	    &why))
		close_soon(t, CONN_QUOTA_RATE, &why);
	else if (!quota_count(&t->who, QUOTA_DIM_CONNECTIONS, 1, now_us(s),
	    &why))
		close_soon(t, CONN_QUOTA_COUNT, &why);
	else
		t->counted = true;
}

void
throttle_again(struct session *s)
{
	struct throttle *t = s->throttle;

	if (t == NULL)
		return;
	quota_account_set(t->who.account, limits_of(s));
	follow_client(s);
	/* Whoever was told to wait may not have to any more; else its next
	 * request is held. */
	if (t->closing == CONN_REASON_COUNT && t->held == NULL &&
	    t->timer.slot != 0) {
		timer_cancel(&t->timer);
		mute_over(&t->timer);
	}
}

void
throttle_renamed(struct session *s)
{
	if (s->throttle != NULL)
		follow_client(s);
}

void
throttle_leave(struct session *s)
{
	struct throttle *t = s->throttle;

	if (t == NULL)
		return;
	s->throttle = NULL;
	line_leave(&t->entry);
	let_go(t);
	owe_no_more(t);
	timer_cancel(&t->timer);
	if (t->counted)
		quota_uncount(&t->who, QUOTA_DIM_CONNECTIONS, 1);
	quota_who_close(&t->who);
	free(t);
}
