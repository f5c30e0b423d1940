/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which server is the master: one Sentinel after the other is asked, and the
 * one that answers tells of switches from then on (+switch-master). It is asked
 * again while the master cannot be used, whatever becomes of attempts to
 * connect to it; when it says the same once more, another one is.
 *
 * As long as the master is up no Sentinel needs to be.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "quota/redis_private.h"
#include "quota/redis_slots.h"

enum {
	SAME_MAX = 2,
	ASK_MIN_MS = 250, ASK_MAX_MS = 1000,	/* the pause doubles */
};

struct redis_sentinel {
	struct redis		*r;
	struct redis_conn	*conn;
	uint32_t		 at;		/* which of the addresses */
	bool			 asking, subscribed;
	uint32_t		 same;		/* answers that did not help */
	struct timer		 timer;		/* set: the master is down */
	uint32_t		 pause_ms;
};

static void
to_another(struct redis_sentinel *s)
{
	s->at = (s->at + 1) % s->r->n;
	s->same = 0;
	s->asking = s->subscribed = false;
}

static void
set_master(struct redis_sentinel *s, const struct redis_address *to)
{
	struct redis_conn *master = s->r->master;

	s->r->error.text[0] = '\0';
	if (redis_conn_going(master) &&
	    !redis_address_same(redis_conn_address(master), to)) {
		log_info("Redis has another master", "sentinel=%s master=%s:%d",
		    redis_conn_name(s->conn), to->host, to->port);
		s->r->counters.failovers++;
	}
	redis_conn_go(master, to);
	redis_has_changed(s->r);
}

/* ---- asking ---- */

static void
say(struct redis_sentinel *s, uint32_t n, const char *a, const char *b,
    const char *c, void (*done)(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why))
{
	struct slice argv[] = { slice_of(a), slice_of(b), slice_of(c) };
	struct redis_call *call = redis_call_new(sizeof(*call), n, argv);

	call->done = done;
	call->arg = s;
	call->deadline_us = loop_now_us(s->r->loop) +
	    s->r->sentinel_login.connect_ms * 1000LL;
	redis_conn_send(s->conn, call);
}

static void
knows_none(struct redis_sentinel *s, const char *why)
{
	error_set(&s->r->error, "the Sentinel at %s knows no master \"%s\"%s%s",
	    redis_conn_name(s->conn), s->r->master_name, why[0] ? ": " : "",
	    why);
	redis_has_changed(s->r);
	redis_conn_reset(s->conn, s->r->error.text);
}

static void
master_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct redis_sentinel *s = call->arg;
	struct redis_address to;
	bool same;

	(void)o;
	if (reply == NULL) {
		/* The connection has ended: on_down sees to it. */
		redis_call_free(call);
		return;
	}
	s->asking = false;
	if (!redis_master_read(reply, &to)) {
		knows_none(s, why);
		redis_call_free(call);
		return;
	}
	redis_call_free(call);
	same = redis_conn_going(s->r->master) &&
	    redis_address_same(redis_conn_address(s->r->master), &to);
	if (same && !redis_conn_up(s->r->master) && ++s->same >= SAME_MAX &&
	    s->r->n > 1) {
		to_another(s);
		redis_conn_go(s->conn, &s->r->addresses[s->at]);
		return;
	}
	if (!same)
		s->same = 0;
	set_master(s, &to);
}

/* Without the right to it, what Sentinels know is asked for when it matters. */
static void
channel_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	(void)o;
	(void)reply;
	(void)why;
	redis_call_free(call);
}

/* Who has subscribed can ask nothing else (RESP2). */
static void
ask(struct redis_sentinel *s)
{
	if (s->asking || !redis_conn_up(s->conn))
		return;
	s->asking = true;
	if (s->subscribed)
		say(s, 2, "UNSUBSCRIBE", "+switch-master", NULL, channel_done);
	say(s, 3, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s->r->master_name,
	    master_done);
	say(s, 2, "SUBSCRIBE", "+switch-master", NULL, channel_done);
	s->subscribed = true;
}

/* ---- its connection ---- */

static void
on_up(struct redis_conn *c, void *arg)
{
	struct redis_sentinel *s = arg;

	(void)c;
	s->asking = s->subscribed = false;
	ask(s);
}

static void
on_down(struct redis_conn *c, void *arg)
{
	struct redis_sentinel *s = arg;

	to_another(s);
	if (!redis_conn_going(s->r->master) && s->r->error.text[0] == '\0')
		error_set(&s->r->error, "the Sentinel at %s: %s",
		    redis_conn_name(c), redis_conn_error(c));
	redis_conn_go_next(c, &s->r->addresses[s->at]);
}

static void
on_push(struct redis_conn *c, void *arg, const struct redis_reply *message)
{
	struct redis_sentinel *s = arg;
	struct redis_address to;

	(void)c;
	if (redis_switch_read(message, s->r->master_name, &to))
		set_master(s, &to);
}

static const struct redis_conn_ops ops = { on_up, on_down, on_push };

/* ---- for redis.c ---- */

struct redis_sentinel *
redis_sentinel_new(struct redis *r)
{
	struct redis_sentinel *s = mem_zalloc(sizeof(*s));

	s->r = r;
	s->conn = redis_conn_new(r->loop, &r->sentinel_login, &r->counters,
	    &ops, s);
	redis_conn_go(s->conn, &r->addresses[0]);
	return s;
}

void
redis_sentinel_free(struct redis_sentinel *s)
{
	if (s == NULL)
		return;
	timer_cancel(&s->timer);
	redis_conn_free(s->conn);
	free(s);
}

static void
on_timer(struct timer *t)
{
	struct redis_sentinel *s = LIST_ENTRY(t, struct redis_sentinel, timer);

	if (redis_conn_up(s->r->master))
		return;
	ask(s);
	s->pause_ms = s->pause_ms * 2 > ASK_MAX_MS ? ASK_MAX_MS :
	    s->pause_ms * 2;
	timer_set(t, s->r->loop, loop_now_us(s->r->loop) + s->pause_ms * 1000LL,
	    on_timer);
}

void
redis_sentinel_ask(struct redis_sentinel *s)
{
	if (s->timer.slot != 0)
		return;
	ask(s);
	s->pause_ms = ASK_MIN_MS;
	timer_set(&s->timer, s->r->loop, loop_now_us(s->r->loop) +
	    ASK_MIN_MS * 1000LL, on_timer);
}
