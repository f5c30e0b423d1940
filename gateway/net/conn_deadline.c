/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines cost nothing while bytes flow: reading and writing only note the
 * time. A connection sits in the wheel's slot of the nearest deadline it had
 * when it was put there; when that slot comes, what is really due is computed,
 * and it is closed or put further on.
 */
#include "gateway/base/clock.h"
#include "gateway/net/conn_private.h"

enum { TICK_US = LOOP_TICK_MS * 1000 };

void
conn_due(struct conn *c, int64_t at_us)
{
	struct loop *l = c->loop;
	int64_t tick = at_us / TICK_US + 1;

	if (tick <= l->wheel_tick)
		tick = l->wheel_tick + 1;
	if (tick >= l->wheel_tick + WHEEL_SLOTS)
		tick = l->wheel_tick + WHEEL_SLOTS - 1;
	if (c->wheel_tick != 0 && c->wheel_tick <= tick)
		return;
	list_remove(&c->wheel);
	list_append(&l->wheel[tick % WHEEL_SLOTS], &c->wheel);
	c->wheel_tick = tick;
}

void
conn_due_in(struct conn *c, uint32_t ms)
{
	if (ms > 0)
		conn_due(c, loop_now_us(c->loop) + (int64_t)ms * 1000);
}

struct due {
	int64_t			 at_us;		/* INT64_MAX: never */
	enum conn_reason	 reason;
};

static void
sooner(struct due *d, int64_t since_us, int64_t us, enum conn_reason reason)
{
	if (us > 0 && since_us + us < d->at_us)
		*d = (struct due){ since_us + us, reason };
}

/* A frame begun must come at FRAME_RATE after a start of frame_ms, so it is
 * whole in time, and who sends nothing is found out at once. Time in which we
 * did not read is not held against the peer. */
static void
frame_due(const struct conn *c, struct due *d)
{
	size_t have = c->in.body != NULL ? c->in.body_have : 0;

	if (c->frame_us == 0 || c->frame_ms == 0 || c->blocked)
		return;
	sooner(d, c->frame_us, (int64_t)c->frame_ms * 1000 +
	    (int64_t)have * 1000000 / FRAME_RATE, CONN_FRAME_TIME);
}

static struct due
what_is_due(const struct conn *c)
{
	struct due d = { INT64_MAX, CONN_BUG };
	int64_t stall_us = (int64_t)c->stall_ms * 1000;

	switch ((enum conn_state)c->state) {
	case CONN_S_CONNECTING:
	case CONN_S_PROXY:
	case CONN_S_HELLO:
	case CONN_S_HANDSHAKE:
		sooner(&d, c->since_us, (int64_t)c->setup_ms * 1000,
		    CONN_SETUP_TIME);
		break;
	case CONN_S_OPEN:
		frame_due(c, &d);
		if (c->out.bytes > 0)
			sooner(&d, c->progress_us, stall_us, CONN_STALL);
		sooner(&d, c->active_us, (int64_t)c->idle_ms * 1000, CONN_IDLE);
		break;
	case CONN_S_FLUSHING:
		sooner(&d, c->since_us, stall_us ? stall_us :
		    LINGER_MS * 1000, (enum conn_reason)c->why);
		break;
	case CONN_S_LINGERING:
		sooner(&d, c->since_us, LINGER_MS * 1000,
		    (enum conn_reason)c->why);
		break;
	case CONN_S_CLOSED:
		break;
	}
	return d;
}

void
conn_check_deadline(struct conn *c)
{
	struct due d = what_is_due(c);

	c->wheel_tick = 0;
	if (d.at_us <= loop_now_us(c->loop))
		conn_close(c, d.reason, NULL);
	else if (d.at_us != INT64_MAX)
		conn_due(c, d.at_us);
}

struct conn *
conn_of_wheel(struct list *link)
{
	return LIST_ENTRY(link, struct conn, wheel);
}
