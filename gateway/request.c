/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/request.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "gateway/wire/frame.h"
#include "routing/shape.h"
#include "wire/messages.h"

enum {
	LEG_ANY_TRIES = 4,
	/* Lists of short names take more in memory than a request's may. */
	REPLY_FACTOR = 16,
};

struct request *
request_new(struct worker *w)
{
	struct request *r;

	if (!list_empty(&w->free_requests)) {
		r = LIST_ENTRY(w->free_requests.next, struct request, link);
		list_remove(&r->link);
		w->free_count--;
		memset(r, 0, offsetof(struct request, seed));
	} else {
		r = mem_alloc(sizeof(*r));
		memset(r, 0, offsetof(struct request, seed));
	}
	r->worker = w;
	list_init(&r->link);
	list_init(&r->wait);
	chain_init(&r->reply);
	arena_init_in(&r->arena, 0, r->seed, sizeof(r->seed));
	r->refused_why.value = -1;
	r->start_us = loop_now_us(w->loop);
	return r;
}

void
request_free(struct request *r)
{
	struct worker *w = r->worker;

	assert(r->pending == 0);
	timer_cancel(&r->timer);
	list_remove(&r->link);
	list_remove(&r->wait);
	chain_fini(&r->reply);
	arena_fini(&r->arena);
	if (w->free_count < WORKER_FREE_REQUESTS) {
		list_append(&w->free_requests, &r->link);
		w->free_count++;
	} else {
		free(r);
	}
}

/* The reply is whole, or there is none. */
static void
finish(struct request *r)
{
	assert(!r->done);
	r->done = true;
	if (r->session == NULL)
		request_free(r);
	else
		session_flush(r->session);
}

void
request_answer(struct request *r, const void *response)
{
	request_answer_version(r, r->version, response);
}

void
request_answer_version(struct request *r, int version, const void *response)
{
	struct error err;

	if (r->session == NULL) {
		finish(r);
		return;
	}
	if (r->error == 0)
		r->error = shape_errors(r->schema, version, response, NULL,
		    NULL);
	/* The handler is done with it. */
	throttle_answer(r, version, (void *)(uintptr_t)response);
	tenancy_outward(r, version, (void *)(uintptr_t)response);
	if (!frame_write_response(&r->reply, r->schema, version,
	    r->correlation_id, response, &err)) {
		log_error("reply could not be encoded",
		    "api=%s version=%d error=\"%s\"", r->schema->name, version,
		    err.text);
		request_fail(r, CONN_BUG, err.text);
		return;
	}
	throttle_sent(r, (int64_t)r->reply.bytes);
	finish(r);
}

void
request_answer_error(struct request *r, int16_t error)
{
	void *response;

	if (r->session == NULL) {
		finish(r);
		return;
	}
	response = shape_error(r->schema, r->version, r->body, error,
	    &r->arena);
	if (response == NULL) {
		request_fail(r, CONN_UNSUPPORTED, r->schema->name);
		return;
	}
	request_answer(r, response);
}

void
request_finish(struct request *r)
{
	throttle_silent(r);
	finish(r);
}

void
request_fail(struct request *r, enum conn_reason reason, const char *detail)
{
	struct session *s = r->session;

	/* Closing the session orphans its requests; a done one is freed. */
	r->done = true;
	if (s == NULL)
		request_free(r);
	else
		session_close(s, reason, detail);
}

/* ---- legs ---- */

/* How long the client lets the broker work on it: Produce, CreateTopics and
 * some others say so. */
static int32_t
own_timeout_ms(const struct request *r)
{
	const struct field *f = message_field(r->schema->request, "timeout_ms");
	int32_t ms = 0;

	if (f != NULL && f->type == FIELD_INT32 && r->version >= f->since &&
	    r->version <= f->until)
		memcpy(&ms, (const char *)r->body + f->offset, sizeof(ms));
	return ms;
}

static uint32_t
leg_timeout_ms(const struct request *r)
{
	uint32_t ms = r->api->timeout_ms ? r->api->timeout_ms :
	    REQUEST_TIMEOUT_MS;
	int64_t own = (int64_t)own_timeout_ms(r) + REQUEST_MARGIN_MS;

	if (own > REQUEST_TIMEOUT_MAX_MS)
		own = REQUEST_TIMEOUT_MAX_MS;
	return own > ms ? (uint32_t)own : ms;
}

void
request_legs(struct request *r, int32_t count)
{
	uint32_t timeout_ms = leg_timeout_ms(r);

	r->legs = ARENA_ARRAY(&r->arena, struct leg, count ? count : 1);
	r->leg_count = count;
	for (int32_t i = 0; i < count; i++) {
		struct leg *l = &r->legs[i];

		l->worker = r->worker;
		l->session = r->session;
		l->request = r;
		l->arena = &r->arena;
		l->timeout_ms = timeout_ms;
	}
}

/* What a client is told about a leg that has no reply. Whether it was sent or
 * not, the client must ask again, at whoever is the leader then. */
static int16_t
leg_error(const struct leg *l, const struct api_schema *api)
{
	switch (api->key) {
	case API_PRODUCE:
		/* Sent and not answered: it may stand in the log, which is what
		 * this error says to every client; they retry, and idempotent
		 * ones are deduplicated by the broker. */
		return l->outcome == CALL_LOST ? KAFKA_REQUEST_TIMED_OUT :
		    KAFKA_NOT_LEADER_OR_FOLLOWER;
	case API_FETCH:
	case API_LIST_OFFSETS:
	case API_DELETE_RECORDS:
	case API_OFFSET_FOR_LEADER_EPOCH:
	case API_DESCRIBE_PRODUCERS:
	case API_SHARE_FETCH:
	case API_SHARE_ACKNOWLEDGE:
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	case API_CREATE_TOPICS:
	case API_DELETE_TOPICS:
	case API_CREATE_PARTITIONS:
	case API_INCREMENTAL_ALTER_CONFIGS:
	case API_ALTER_CONFIGS:
		return KAFKA_NOT_CONTROLLER;
	case API_METADATA:
		return KAFKA_LEADER_NOT_AVAILABLE;
	case API_DESCRIBE_CONFIGS:
	case API_LIST_CONFIG_RESOURCES:
	case API_DESCRIBE_LOG_DIRS:
		return KAFKA_REQUEST_TIMED_OUT;
	case API_LIST_GROUPS:
	case API_LIST_TRANSACTIONS:
	case API_FIND_COORDINATOR:
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	case API_INIT_PRODUCER_ID:
		/* Without an id there is no coordinator that could be
		 * sought. */
		if (((const struct init_producer_id_request *)
		    l->body)->transactional_id.data == NULL)
			return KAFKA_COORDINATOR_LOAD_IN_PROGRESS;
		return KAFKA_NOT_COORDINATOR;
	default:
		/* All clients look their coordinator up again for this one. */
		return KAFKA_NOT_COORDINATOR;
	}
}

static void *
decode_reply(struct leg *l, const struct call_reply *reply)
{
	struct reader rd = reply->reader;
	size_t len = (size_t)(rd.end - rd.p);
	void *body;

	/* A broker's answer is bounded by its frame as a client's request
	 * is. */
	l->arena->cap = l->arena->used + REPLY_FACTOR * len + 4096;
	body = codec_decode(&rd, l->call.api->response, l->call.version,
	    l->arena);
	if (body == NULL || rd.p != rd.end) {
		log_warn("reply could not be decoded",
		    "api=%s version=%d broker=%d fault=\"%s\"",
		    l->call.api->name, l->call.version, l->broker,
		    rd.fault ? rd.fault : "bytes left over");
		return NULL;
	}
	if (rd.block != NULL)
		arena_hold(l->arena, rd.block);
	return body;
}

static void
leg_finish(struct leg *l, const struct api_schema *api)
{
	if (l->reply == NULL) {
		if (l->error == 0)
			l->error = leg_error(l, api);
		worker_wish(l->worker);
	}
	l->done(l);
}

static void
leg_answered(struct call *c, const struct call_reply *reply)
{
	struct leg *l = LIST_ENTRY(c, struct leg, call);
	struct upstream_lease *lease = l->lease;
	bool closed = lease->closed;

	l->outcome = reply->outcome;
	l->lease = NULL;
	l->worker->legs_in_flight--;
	if (reply->outcome == CALL_ANSWERED) {
		l->reply = decode_reply(l, reply);
		if (l->reply == NULL)
			l->error = KAFKA_UNKNOWN_SERVER_ERROR;
	} else if (reply->outcome != CALL_SENT && !closed) {
		metric_add(l->worker->metrics, metric_api(METRIC_LEGS_FAILED,
		    c->api->key), 1);
		log_info("broker did not answer",
		    "api=%s broker=%d outcome=%s detail=\"%s\"",
		    c->api->name, l->broker,
		    reply->outcome == CALL_LOST ? "lost" : "not_sent",
		    reply->detail ? reply->detail : "");
	}
	lease_done(l->worker, lease);
	if (reply->outcome == CALL_SENT || closed)
		l->done(l);
	else
		leg_finish(l, c->api);
}

void
leg_send(struct leg *l, const struct api_schema *api, int version,
    struct slice client_id)
{
	struct worker *w = l->worker;
	struct error err;

	l->reply = NULL;
	l->error = 0;
	l->outcome = CALL_NOT_SENT;
	l->any = l->broker == LEG_ANY;
	if (l->any)
		l->broker = worker_any_broker(w, l->tries > 0);
	l->lease = l->broker < 0 ? NULL :
	    lease_get(w, l->session, l->broker, l->class);
	if (l->lease == NULL) {
		leg_finish(l, api);
		return;
	}
	l->call.no_reply = l->no_reply;
	l->call.done = leg_answered;
	l->lease->calls++;
	metric_add(w->metrics, metric_api(METRIC_LEGS, api->key), 1);
	w->legs_in_flight++;
	if (upstream_call(l->lease->upstream, &l->call, api, version, client_id,
	    l->body, l->timeout_ms, &err))
		return;
	log_error("request could not be encoded",
	    "api=%s version=%d error=\"%s\"", api->name, version, err.text);
	w->legs_in_flight--;
	lease_done(w, l->lease);
	l->lease = NULL;
	l->error = KAFKA_INVALID_REQUEST;
	leg_finish(l, api);
}

static void
one_less(struct request *r)
{
	if (--r->pending == 0)
		r->legs_done(r);
}

static void
send_leg(struct request *r, struct leg *l)
{
	leg_send(l, l->as != NULL ? l->as : r->schema, l->as != NULL ?
	    l->as_version : r->version, r->client_id);
}

static void
request_leg_done(struct leg *l)
{
	struct request *r = l->request;

	/* What any broker can do another one does, if this one has certainly
	 * not begun with it; nothing is sent for a client that has gone. */
	if (r->session != NULL && l->any &&
	    l->outcome == CALL_NOT_SENT && l->reply == NULL &&
	    l->tries++ < LEG_ANY_TRIES) {
		l->broker = LEG_ANY;
		send_leg(r, l);
		return;
	}
	one_less(r);
}

void
request_send(struct request *r, enum upstream_use class, bool no_reply,
    void (*done)(struct request *r))
{
	r->legs_done = done;
	r->pending = r->leg_count + 1;
	for (int32_t i = 0; i < r->leg_count; i++) {
		struct leg *l = &r->legs[i];

		l->class = class;
		l->no_reply = no_reply;
		l->done = request_leg_done;
		send_leg(r, l);
	}
	one_less(r);
}

/* ---- waiting for a snapshot ---- */

static void
park_over(struct timer *t)
{
	struct request *r = LIST_ENTRY(t, struct request, timer);

	list_remove(&r->wait);
	r->resume(r);
}

void
request_wait(struct request *r, struct list *parked, int64_t until_us,
    void (*resume)(struct request *r))
{
	r->resume = resume;
	r->parked_us = loop_now_us(r->worker->loop);
	list_append(parked, &r->wait);
	timer_set(&r->timer, r->worker->loop, until_us, park_over);
}

bool
request_park_again(struct request *r, void (*resume)(struct request *r))
{
	struct worker *w = r->worker;
	int64_t now = loop_now_us(w->loop);

	if (r->park_until_us == 0)
		r->park_until_us = now + REQUEST_SNAPSHOT_MS * 1000;
	else if (now >= r->park_until_us)
		return false;
	request_wait(r, &w->parked, r->park_until_us, resume);
	worker_wish(w);
	return true;
}

bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	return r->park_until_us == 0 && request_park_again(r, resume);
}

bool
error_wants_refresh(int16_t error)
{
	switch (error) {
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_KAFKA_STORAGE_ERROR:
	case KAFKA_FENCED_LEADER_EPOCH:
	case KAFKA_UNKNOWN_LEADER_EPOCH:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_INCONSISTENT_TOPIC_ID:
		return true;
	default:
		return false;
	}
}
