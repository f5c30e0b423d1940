/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/upstream.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/wire/frame.h"
#include "routing/pool_private.h"

enum { FRAME_MAX_DEFAULT = 512 * 1024 * 1024 };

static void
set_state(struct upstream *u, enum upstream_state to)
{
	static const uint8_t allowed[] = {
		[UPSTREAM_CONNECTING] = 1 << UPSTREAM_LOGIN |
		    1 << UPSTREAM_UP | 1 << UPSTREAM_CLOSED,
		[UPSTREAM_LOGIN] = 1 << UPSTREAM_UP | 1 << UPSTREAM_CLOSED,
		[UPSTREAM_UP] = 1 << UPSTREAM_CLOSED,
		[UPSTREAM_CLOSED] = 0,
	};

	assert(allowed[u->state] & 1 << to);
	if (u->state == UPSTREAM_CONNECTING || u->state == UPSTREAM_LOGIN) {
		if (to == UPSTREAM_UP || to == UPSTREAM_CLOSED)
			u->pool->stats.connecting--;
	}
	u->state = to;
}

/* ---- calls ---- */

static void
end_call(struct upstream *u, struct call *c, enum call_outcome outcome,
    const char *detail)
{
	struct call_reply reply = { .outcome = outcome, .detail = detail };

	list_remove(&c->link);
	u->in_flight--;
	c->done(c, &reply);
}

bool
upstream_call(struct upstream *u, struct call *c, const struct api_schema *api,
    int version, struct slice client_id, const void *body, uint32_t timeout_ms,
    struct error *err)
{
	struct chain out;
	int32_t id = u->next_id;

	chain_init(&out);
	if (!frame_write_request(&out, api, version, id, client_id, body,
	    err)) {
		chain_fini(&out);
		return false;
	}
	u->next_id = id == INT32_MAX ? 0 : id + 1;
	c->api = api;
	c->version = (int16_t)version;
	c->correlation_id = id;
	c->sent_us = loop_now_us(u->pool->loop);
	c->deadline_us = c->sent_us + (int64_t)timeout_ms * 1000;
	c->written = false;
	list_init(&c->link);
	list_append(c->no_reply ? &u->silent : &u->calls, &c->link);
	u->in_flight++;
	u->pool->stats.calls++;
	if (u->state == UPSTREAM_UP) {
		c->written = true;
		conn_send(u->conn, &out);
	} else if (u->state != UPSTREAM_CLOSED) {
		chain_move(&u->pending, &out);
	}
	chain_fini(&out);
	return true;
}

static void
mark_written(struct list *calls)
{
	LIST_FOREACH(it, calls)
		LIST_ENTRY(it, struct call, link)->written = true;
}

void
upstream_up(struct upstream *u)
{
	set_state(u, UPSTREAM_UP);
	u->broker->backoff_ms = 0;
	u->broker->backoff_until = 0;
	if (u->pending.bytes == 0)
		return;
	mark_written(&u->calls);
	mark_written(&u->silent);
	conn_send(u->conn, &u->pending);
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
	struct call *c;
	int32_t id;

	if (list_empty(&u->calls)) {
		broken(u, "a reply that nobody asked for");
		return;
	}
	c = LIST_ENTRY(u->calls.next, struct call, link);
	reader_init(&reply.reader, data, len, b);
	if (!frame_read_response(&reply.reader, c->api, c->version, &id) ||
	    id != c->correlation_id) {
		broken(u, reply.reader.fault ? reply.reader.fault :
		    "a reply to another request");
		return;
	}
	list_remove(&c->link);
	u->in_flight--;
	c->done(c, &reply);
}

static void
upstream_frame(struct conn *c, void *arg, struct block *b,
    const uint8_t *data, size_t len)
{
	struct upstream *u = arg;
	struct error err;

	(void)c;
	if (u->state != UPSTREAM_LOGIN) {
		take_reply(u, b, data, len);
		return;
	}
	switch (login_frame(u->login, b, data, len, &err)) {
	case LOGIN_MORE:
		break;
	case LOGIN_DONE:
		login_free(u->login);
		u->login = NULL;
		upstream_up(u);
		break;
	case LOGIN_FAILED:
		log_error("login at a broker failed", "broker=%d error=\"%s\"",
		    u->broker->id, err.text);
		conn_close(u->conn, CONN_LOGIN, err.text);
		break;
	}
}

static void
upstream_ready(struct conn *c, void *arg)
{
	struct upstream *u = arg;

	(void)c;
	if (u->pool->options.mechanism == UPSTREAM_NO_SASL) {
		upstream_up(u);
		return;
	}
	set_state(u, UPSTREAM_LOGIN);
	u->login = login_start(u);
}

/* All bytes are with the kernel: calls without a reply are done. */
static void
upstream_drained(struct conn *c, void *arg)
{
	struct upstream *u = arg;

	(void)c;
	while (u->state == UPSTREAM_UP && !list_empty(&u->silent)) {
		struct call *call = LIST_ENTRY(u->silent.next, struct call,
		    link);

		if (!call->written)
			break;
		end_call(u, call, CALL_SENT, NULL);
	}
}

static void
back_off(struct upstream *u, const char *detail)
{
	struct pool_broker *b = u->broker;
	const struct upstream_options *o = &u->pool->options;
	int64_t now = loop_now_us(u->pool->loop);

	u->pool->stats.failed++;
	/* Many that were under way together fail together: that is one. */
	if (b->backoff_until > now)
		return;
	b->backoff_ms = b->backoff_ms ? b->backoff_ms * 2 : o->backoff_min_ms;
	if (b->backoff_ms > o->backoff_max_ms)
		b->backoff_ms = o->backoff_max_ms;
	b->backoff_until = now + (int64_t)b->backoff_ms * 1000;
	log_warn("broker cannot be reached", "broker=%d host=%s port=%d "
	    "detail=\"%s\"", b->id, b->host, b->port, detail);
}

static void
end_calls(struct upstream *u, struct list *calls, const char *detail)
{
	/* done() may append: what comes now is as little sent as the rest. */
	while (!list_empty(calls)) {
		struct call *c = LIST_ENTRY(calls->next, struct call, link);

		end_call(u, c, c->written ? CALL_LOST : CALL_NOT_SENT, detail);
	}
}

static void
upstream_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct upstream *u = arg;
	struct pool *p = u->pool;
	bool was_up = u->state == UPSTREAM_UP;
	bool ours = reason == CONN_UNUSED;

	(void)c;
	if (detail == NULL)
		detail = conn_reason_text(reason);
	set_state(u, UPSTREAM_CLOSED);
	if (!was_up && !ours)
		back_off(u, detail);
	if (!u->leased) {
		if (u->broker->idle_count > 0)
			u->broker->idle_count--;
		p->stats.idle--;
	}
	while (u->in_flight > 0) {
		end_calls(u, &u->calls, detail);
		end_calls(u, &u->silent, detail);
	}
	chain_fini(&u->pending);
	login_free(u->login);
	u->login = NULL;
	if (u->leased) {
		u->leased = false;
		p->stats.leased--;
		if (u->lost != NULL)
			u->lost(u, u->arg);
	}
	/* Somebody on the way back may still look at it. */
	list_remove(&u->link);
	list_append(&p->dead, &u->link);
}

void
upstream_close(struct upstream *u, const char *detail)
{
	if (u->state != UPSTREAM_CLOSED)
		conn_close(u->conn, CONN_UNUSED, detail);
}

static bool
overdue(const struct list *calls, int64_t now)
{
	LIST_FOREACH(it, calls)
		if (LIST_ENTRY(it, const struct call, link)->deadline_us < now)
			return true;
	return false;
}

void
upstream_tick(struct upstream *u, int64_t now)
{
	/* The connection itself looks after TCP and TLS. */
	if (u->state == UPSTREAM_LOGIN && u->login_by_us < now) {
		conn_close(u->conn, CONN_SETUP_TIME, "login");
		return;
	}
	if (u->state == UPSTREAM_CLOSED || !(overdue(&u->calls, now) ||
	    overdue(&u->silent, now)))
		return;
	u->pool->stats.timeouts++;
	conn_close(u->conn, CONN_REQUEST_TIME, NULL);
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

static const struct conn_ops upstream_ops = {
	.frame = upstream_frame,
	.ready = upstream_ready,
	.drained = upstream_drained,
	.closed = upstream_closed,
};

struct upstream *
upstream_open(struct pool *p, struct pool_broker *b)
{
	struct upstream *u = mem_zalloc(sizeof(*u));
	struct conn_options o = {
		.frame_max = p->options.frame_max ? p->options.frame_max :
		    FRAME_MAX_DEFAULT,
		.setup_ms = p->options.connect_ms,
		.tls = p->options.tls,
		.server_name = p->options.tls_verify_name ? b->host : NULL,
	};

	u->pool = p;
	u->broker = b;
	u->moves = b->moves;
	u->login_by_us = p->options.connect_ms == 0 ? INT64_MAX :
	    loop_now_us(p->loop) + (int64_t)p->options.connect_ms * 1000;
	u->state = UPSTREAM_CONNECTING;
	list_init(&u->link);
	list_init(&u->calls);
	list_init(&u->silent);
	chain_init(&u->pending);
	p->stats.opened++;
	p->stats.connecting++;
	u->conn = conn_open_connect(p->loop, (struct sockaddr *)&b->address,
	    b->address_len, &o, &upstream_ops, u);
	return u;
}
