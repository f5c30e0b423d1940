/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/wire/frame.h"
#include "routing/login.h"
#include "routing/pool_private.h"
#include "wire/messages.h"

enum {
	/* A login is renewed when this part of its lifetime is over. */
	RENEW_PERCENT = 80,
};

static bool
is_connecting(uint8_t state)
{
	return state == UPSTREAM_CONNECTING || state == UPSTREAM_LOGIN;
}

static void
count_connecting(struct upstream *u, uint32_t n)
{
	u->pool->stats.connecting += n;
	u->broker->connecting += n;
}

static void
set_state(struct upstream *u, enum upstream_state to)
{
	static const uint8_t allowed[] = {
		[UPSTREAM_CONNECTING] = 1 << UPSTREAM_LOGIN |
		    1 << UPSTREAM_UP | 1 << UPSTREAM_CLOSED,
		[UPSTREAM_LOGIN] = 1 << UPSTREAM_UP | 1 << UPSTREAM_CLOSED,
		[UPSTREAM_UP] = 1 << UPSTREAM_RENEWING | 1 << UPSTREAM_CLOSED,
		[UPSTREAM_RENEWING] = 1 << UPSTREAM_LOGIN |
		    1 << UPSTREAM_CLOSED,
		[UPSTREAM_CLOSED] = 0,
	};

	assert(allowed[u->state] & 1 << to);
	count_connecting(u, (uint32_t)is_connecting(to) -
	    (uint32_t)is_connecting(u->state));
	u->state = to;
}

void
upstream_leased(struct upstream *u, bool on)
{
	u->leased = on;
	u->pool->stats.leased += on ? 1 : -1u;
	u->broker->leased += on ? 1 : -1u;
}

/* ---- calls ---- */

static struct call *
first_call(const struct list *calls)
{
	return LIST_ENTRY(calls->next, struct call, link);
}

static void
end_call(struct upstream *u, struct call *c, const struct call_reply *reply)
{
	list_remove(&c->link);
	u->in_flight--;
	c->done(c, reply);
}

static void
queue_call(struct upstream *u, struct call *c, struct chain *out)
{
	switch ((enum upstream_state)u->state) {
	case UPSTREAM_UP:
		c->written = true;
		conn_send(u->conn, out);
		break;
	case UPSTREAM_CLOSED:
		timer_set(&u->pool->late, u->pool->loop,
		    loop_now_us(u->pool->loop), u->pool->late.fire);
		break;
	default:
		chain_move(&u->pending, out);
		break;
	}
}

bool
upstream_call(struct upstream *u, struct call *c, const struct api_schema *api,
    int version, struct slice client_id, const void *body, uint32_t timeout_ms,
    struct error *err)
{
	struct chain out;
	int32_t id = u->next_id;

	if (u->state == UPSTREAM_CLOSED && u->pool->ending)
		return error_set(err, "the node ends");
	chain_init(&out);
	if (!frame_write_request(&out, api, version, id, client_id, body, err))
		return false;
	u->next_id = id == INT32_MAX ? 0 : id + 1;
	c->api = api;
	c->version = (int16_t)version;
	c->correlation_id = id;
	c->sent_us = loop_now_us(u->pool->loop);
	c->deadline_us = c->sent_us + (int64_t)timeout_ms * 1000;
	c->written = false;
	list_append(c->no_reply ? &u->silent : &u->calls, &c->link);
	if (u->in_flight++ == 0 || c->deadline_us < u->due_us)
		u->due_us = c->deadline_us;
	u->pool->stats.calls++;
	queue_call(u, c, &out);
	chain_fini(&out);
	return true;
}

uint32_t
upstream_in_flight(const struct upstream *u)
{
	return u->in_flight;
}

int32_t
upstream_broker(const struct upstream *u)
{
	return u->broker->id;
}

/* ---- up ---- */

static void
mark_written(struct list *calls)
{
	LIST_FOREACH(it, calls)
		LIST_ENTRY(it, struct call, link)->written = true;
}

static void
go_up(struct upstream *u)
{
	struct pool_broker *b = u->broker;
	struct log_quoted host;

	set_state(u, UPSTREAM_UP);
	if (u->place == b->place) {
		b->backoff_ms = 0;
		b->backoff_until = 0;
		if (u->address < b->address_count)
			b->address_next = u->address;
		if (b->failing)
			log_info("broker is reachable again",
			    "broker=%d host=%s port=%d", b->id,
			    log_quote(slice_of(b->host), &host), b->port);
		b->failing = false;
	}
	mark_written(&u->calls);
	mark_written(&u->silent);
	conn_send(u->conn, &u->pending);
}

/* ---- login ---- */

static void
begin_login(struct upstream *u)
{
	struct chain out;
	struct error err;

	set_state(u, UPSTREAM_LOGIN);
	u->login = login_new(&u->pool->options, &u->pool->keys,
	    u->broker->host);
	chain_init(&out);
	if (login_begin(u->login, &out, &err))
		conn_send(u->conn, &out);
	else
		conn_close(u->conn, CONN_LOGIN, err.text);
	chain_fini(&out);
}

static void
end_login(struct upstream *u)
{
	int64_t ms = login_lifetime_ms(u->login);

	login_free(u->login);
	u->login = NULL;
	u->retire_us = ms <= 0 ? 0 : loop_now_us(u->pool->loop) +
	    ms * (1000 / 100 * RENEW_PERCENT);
	go_up(u);
}

static void
take_login(struct upstream *u, struct block *b, const uint8_t *data,
    size_t len)
{
	struct chain out;
	struct error err;

	chain_init(&out);
	switch (login_frame(u->login, b, data, len, &out, &err)) {
	case LOGIN_MORE:
		conn_send(u->conn, &out);
		break;
	case LOGIN_DONE:
		end_login(u);
		break;
	case LOGIN_FAILED:
		conn_close(u->conn, CONN_LOGIN, err.text);
		break;
	}
	chain_fini(&out);
}

/* A broker answers in order, so the last reply to what was sent before is the
 * moment to log in again (KIP-368). */
static void
renew_login(struct upstream *u)
{
	if (!list_empty(&u->calls) && first_call(&u->calls)->written)
		return;
	u->setup_until = loop_now_us(u->pool->loop) +
	    (int64_t)u->pool->options.connect_ms * 1000;
	begin_login(u);
}

/* ---- the connection's events ---- */

static void
broken(struct upstream *u, const char *what)
{
	log_warn("broker's reply cannot be used", "broker=%d fault=\"%s\"",
	    u->broker->id, what);
	conn_close(u->conn, CONN_BAD_REPLY, what);
}

static void
take_reply(struct upstream *u, struct block *b, const uint8_t *data,
    size_t len)
{
	struct call_reply reply = { .outcome = CALL_ANSWERED };
	struct call *c = first_call(&u->calls);
	int32_t id;

	if (list_empty(&u->calls) || !c->written) {
		broken(u, "a reply that nobody asked for");
		return;
	}
	reader_init(&reply.reader, data, len, b);
	if (!frame_read_response(&reply.reader, c->api, c->version, &id)) {
		broken(u, reply.reader.fault);
		return;
	}
	if (id != c->correlation_id) {
		broken(u, "a reply to another request");
		return;
	}
	end_call(u, c, &reply);
	/* Whatever done() did, it is freed at the next tick at the earliest. */
	if (u->state == UPSTREAM_RENEWING)
		renew_login(u);
}

static void
upstream_frame(struct conn *c, void *arg, struct block *b,
    const uint8_t *data, size_t len)
{
	struct upstream *u = arg;

	(void)c;
	if (u->state == UPSTREAM_LOGIN)
		take_login(u, b, data, len);
	else
		take_reply(u, b, data, len);
}

static void
upstream_ready(struct conn *c, void *arg)
{
	struct upstream *u = arg;

	(void)c;
	if (u->pool->options.mechanism == UPSTREAM_NO_SASL)
		go_up(u);
	else
		begin_login(u);
}

/* All bytes are with the kernel: calls without a reply are done. */
static void
upstream_drained(struct conn *c, void *arg)
{
	static const struct call_reply sent = { .outcome = CALL_SENT };
	struct upstream *u = arg;

	(void)c;
	while (u->state != UPSTREAM_CLOSED && !list_empty(&u->silent) &&
	    first_call(&u->silent)->written && conn_queued(u->conn) == 0)
		end_call(u, first_call(&u->silent), &sent);
}

/* ---- its end ---- */

static void
back_off(struct upstream *u, enum conn_reason reason, const char *detail)
{
	struct pool_broker *b = u->broker;
	const struct upstream_options *o = &u->pool->options;
	int64_t now = loop_now_us(u->pool->loop);
	struct log_quoted host, why;

	u->pool->stats.failed++;
	/* Of several that were begun together the first one tells it all. */
	if (u->place != b->place || now < b->backoff_until)
		return;
	b->backoff_ms = b->backoff_ms ? b->backoff_ms * 2 : o->backoff_min_ms;
	if (b->backoff_ms > o->backoff_max_ms)
		b->backoff_ms = o->backoff_max_ms;
	b->backoff_until = now + (int64_t)b->backoff_ms * 1000;
	if (b->address_count > 0)
		b->address_next = (u->address + 1) % b->address_count;
	if (!b->failing)
		log_warn("broker cannot be reached",
		    "broker=%d host=%s port=%d reason=%s detail=%s", b->id,
		    log_quote(slice_of(b->host), &host), b->port,
		    conn_reason_label(reason),
		    log_quote(slice_of(detail), &why));
	b->failing = true;
}

/* Those that are there now: what done() adds meanwhile comes behind them, and
 * stays. */
static void
end_calls(struct upstream *u, struct list *calls, const char *detail)
{
	struct call_reply reply = { .detail = detail };
	uint32_t n = 0;

	LIST_FOREACH(it, calls)
		n++;
	while (n-- > 0) {
		struct call *c = first_call(calls);

		reply.outcome = c->written ? CALL_LOST : CALL_NOT_SENT;
		end_call(u, c, &reply);
	}
}

static void
end_all(struct upstream *u, const char *detail)
{
	end_calls(u, &u->calls, detail);
	end_calls(u, &u->silent, detail);
	if (u->in_flight > 0 || !u->leased)
		return;
	upstream_leased(u, false);
	if (u->lost != NULL)
		u->lost(u, u->arg);
}

void
upstream_end_late(struct upstream *u)
{
	if (u->in_flight > 0)
		end_all(u, "the connection has ended");
}

bool
upstream_is_free(const struct upstream *u)
{
	return u->in_flight == 0 && !u->leased;
}

static void connect_it(struct upstream *u);

/* A name may have several addresses, and the broker be at one of them. */
static bool
try_next_address(struct upstream *u, enum conn_reason reason)
{
	const struct pool_broker *b = u->broker;

	if (u->state != UPSTREAM_CONNECTING || reason != CONN_CONNECT ||
	    u->place != b->place || ++u->tried >= b->address_count ||
	    u->pool->ending ||
	    loop_now_us(u->pool->loop) >= u->setup_until)
		return false;
	u->address = (u->address + 1) % b->address_count;
	connect_it(u);
	return true;
}

static void
upstream_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct upstream *u = arg;
	struct pool *p = u->pool;
	bool was_up = !is_connecting(u->state), ours = reason == CONN_UNUSED;

	(void)c;
	if (detail == NULL)
		detail = conn_reason_text(reason);
	if (try_next_address(u, reason))
		return;
	set_state(u, UPSTREAM_CLOSED);
	if (!was_up && !ours)
		back_off(u, reason, detail);
	if (!ours)
		u->broker->losses++;
	if (!u->leased) {
		u->broker->idle_count--;
		p->stats.idle--;
	}
	/* Somebody on the way back may still look at it. */
	list_remove(&u->link);
	list_append(&p->dead, &u->link);
	chain_fini(&u->pending);
	login_free(u->login);
	u->login = NULL;
	end_all(u, detail);
}

void
upstream_close(struct upstream *u, const char *detail)
{
	if (u->state != UPSTREAM_CLOSED)
		conn_close(u->conn, CONN_UNUSED, detail);
}

/* ---- time ---- */

static void
next_due(struct upstream *u, const struct list *calls)
{
	LIST_FOREACH(it, calls) {
		int64_t at = LIST_ENTRY(it, const struct call, link)->
		    deadline_us;

		if (at < u->due_us)
			u->due_us = at;
	}
}

static bool
overdue(struct upstream *u, int64_t now)
{
	if (u->in_flight == 0 || now <= u->due_us)
		return false;
	u->due_us = INT64_MAX;
	next_due(u, &u->calls);
	next_due(u, &u->silent);
	return now > u->due_us;
}

/* Long polls may take their time. */
static bool
is_silent(const struct upstream *u, int64_t now)
{
	const struct call *c = first_call(&u->calls);

	return !list_empty(&u->calls) && c->written &&
	    c->api->key == API_PRODUCE &&
	    now - c->sent_us > UPSTREAM_SILENT_MS * 1000;
}

void
upstream_tick(struct upstream *u, int64_t now)
{
	if (u->state == UPSTREAM_CLOSED)
		return;
	u->pool->stats.silent += is_silent(u, now);
	if (overdue(u, now)) {
		u->pool->stats.timeouts++;
		conn_close(u->conn, CONN_REQUEST_TIME, NULL);
	} else if (u->state == UPSTREAM_LOGIN && now > u->setup_until) {
		conn_close(u->conn, CONN_LOGIN_TIME, NULL);
	} else if (u->state == UPSTREAM_UP && u->retire_us != 0 &&
	    now >= u->retire_us) {
		set_state(u, UPSTREAM_RENEWING);
		renew_login(u);
	}
}

/* ---- opening ---- */

static const struct conn_ops upstream_ops = {
	.frame = upstream_frame,
	.ready = upstream_ready,
	.drained = upstream_drained,
	.closed = upstream_closed,
};

static void
connect_it(struct upstream *u)
{
	const struct pool *p = u->pool;
	const struct broker_address *a = &u->broker->addresses[u->address];
	int64_t left = u->setup_until - loop_now_us(p->loop);
	struct conn_options o = {
		.frame_max = p->options.frame_max,
		.setup_ms = left > 1000 ? (uint32_t)(left / 1000) : 1,
		.tls = p->options.tls,
		.server_name = p->options.tls_verify_name ? u->broker->host :
		    NULL,
	};

	u->conn = conn_open_connect(p->loop, (const struct sockaddr *)&a->sa,
	    a->len, &o, &upstream_ops, u);
}

struct upstream *
upstream_open(struct pool *p, struct pool_broker *b)
{
	struct upstream *u = mem_zalloc(sizeof(*u));

	u->pool = p;
	u->broker = b;
	u->state = UPSTREAM_CONNECTING;
	u->address = b->address_next;
	u->place = b->place;
	u->setup_until = loop_now_us(p->loop) +
	    (int64_t)p->options.connect_ms * 1000;
	list_init(&u->link);
	list_init(&u->calls);
	list_init(&u->silent);
	chain_init(&u->pending);
	p->stats.opened++;
	count_connecting(u, 1);
	connect_it(u);
	return u;
}
