/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/status.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "routing/watch.h"

/* Shared by control and the workers asked; the last one out frees it. */
struct inquiry {
	pthread_mutex_t	 lock;
	pthread_cond_t	 answered;
	int		 refs, missing;
	json_t		*workers;	/* their answers, in no order */
};

struct question {
	struct inquiry	*inquiry;
	struct worker	*worker;
};

static void
inquiry_leave(struct inquiry *q)
{
	bool last;

	pthread_mutex_lock(&q->lock);
	last = --q->refs == 0;
	pthread_mutex_unlock(&q->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->answered);
	json_decref(q->workers);
	free(q);
}

static json_t *
slice_json(struct slice s)
{
	json_t *j = json_stringn((const char *)(s.data ? s.data :
	    (const uint8_t *)""), s.len);

	return j != NULL ? j : json_string("(not UTF-8)");
}

static json_t *
describe_session(struct session *s)
{
	int64_t now = loop_now_us(s->worker->loop);

	return json_pack("{s:I, s:s, s:o, s:s, s:i, s:i, s:b, s:I, s:I}",
	    "id", (json_int_t)s->id,
	    "peer", conn_peer(s->conn)->text,
	    "client_id", slice_json(slice_of(s->client_id ? s->client_id :
	    "")),
	    "software", s->software ? s->software : "",
	    "virtual_brokers", (int)session_virtual_count(s),
	    "in_flight", (int)s->in_flight,
	    "tls", conn_is_tls(s->conn),
	    "age_seconds", (json_int_t)((now - s->opened_us) / 1000000),
	    "idle_seconds", (json_int_t)((now - s->last_us) / 1000000));
}

static json_t *
describe_worker(struct worker *w)
{
	struct upstream_stats u;
	json_t *sessions = json_array();
	int named = 0;

	LIST_FOREACH(it, &w->sessions) {
		if (named++ >= STATUS_SESSIONS_MAX)
			break;
		json_array_append_new(sessions, describe_session(
		    LIST_ENTRY(it, struct session, link)));
	}
	pool_stats(w->pool, &u);
	return json_pack("{s:i, s:i, s:i, s:i, s:o, s:{s:i, s:i, s:i, s:I, s:I}}",
	    "worker", w->index,
	    "sessions_open", (int)w->session_count,
	    "legs_in_flight", (int)w->legs_in_flight,
	    "fetch_sessions", (int)w->fetch_sessions,
	    "sessions", sessions,
	    "upstreams", "leased", (int)u.leased, "idle", (int)u.idle,
	    "connecting", (int)u.connecting, "opened", (json_int_t)u.opened,
	    "failed", (json_int_t)u.failed);
}

static void
answer(void *arg)
{
	struct question *question = arg;
	struct inquiry *q = question->inquiry;
	json_t *j = describe_worker(question->worker);

	pthread_mutex_lock(&q->lock);
	json_array_append_new(q->workers, j);
	q->missing--;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
	inquiry_leave(q);
	free(question);
}

static json_t *
ask_workers(struct gateway *g)
{
	struct inquiry *q = mem_zalloc(sizeof(*q));
	struct timespec until;
	json_t *copy;

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	q->workers = json_array();
	q->refs = g->worker_count + 1;
	q->missing = g->worker_count;
	for (int i = 0; i < g->worker_count; i++) {
		struct question *question = mem_zalloc(sizeof(*question));

		question->inquiry = q;
		question->worker = g->workers[i];
		loop_post(g->workers[i]->loop, answer, question);
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STATUS_WAIT_MS / 1000;
	pthread_mutex_lock(&q->lock);
	while (q->missing > 0 && pthread_cond_timedwait(&q->answered, &q->lock,
	    &until) == 0)
		;
	copy = json_deep_copy(q->workers);
	pthread_mutex_unlock(&q->lock);
	inquiry_leave(q);
	return copy;
}

static json_t *
describe_cluster(struct gateway *g)
{
	const struct cluster *c = g->cluster;
	json_t *brokers = json_array();
	json_int_t partitions = 0, leaderless = 0;

	if (c == NULL)
		return json_pack("{s:s, s:o}", "state", watch_state(g->watch),
		    "brokers", brokers);
	for (int32_t i = 0; i < c->broker_count; i++) {
		const struct broker *b = &c->brokers[i];

		json_array_append_new(brokers, json_pack(
		    "{s:i, s:o, s:i, s:o}", "id", b->id, "host",
		    slice_json(b->host), "port", b->port, "rack",
		    b->rack.data ? slice_json(b->rack) : json_null()));
	}
	for (int32_t i = 0; i < c->topic_count; i++)
		for (int32_t j = 0; j < c->topics[i].partition_count; j++) {
			partitions++;
			leaderless += c->topics[i].partitions[j].leader < 0;
		}
	return json_pack("{s:s, s:o, s:I, s:I, s:o, s:i, s:I, s:I}",
	    "state", watch_state(g->watch),
	    "cluster_id", slice_json(c->cluster_id),
	    "generation", (json_int_t)c->generation,
	    "age_ms", (json_int_t)((clock_now_us() - c->asked_us) / 1000),
	    "brokers", brokers,
	    "topics", c->topic_count,
	    "partitions", partitions,
	    "leaderless", leaderless);
}

json_t *
gateway_status(struct gateway *g)
{
	json_t *listeners = json_array();

	for (uint32_t i = 0; i < g->config->listeners.n; i++) {
		const struct config_listener *l = &g->config->listeners.v[i];

		json_array_append_new(listeners, json_pack(
		    "{s:s, s:s, s:s, s:i, s:b}", "name", l->name, "address",
		    l->address, "advertised", l->advertised ? l->advertised :
		    "", "port", g->bound_port[i], "tls",
		    g->listener_tls[i] != NULL));
	}
	return json_pack("{s:s, s:I, s:b, s:b, s:I, s:I, s:o, s:o, s:o}",
	    "version", WEIR_VERSION,
	    "uptime_seconds",
	    (json_int_t)((clock_now_us() - g->started_us) / 1000000),
	    "ready", g->worker_count > 0,
	    "draining", g->drain_until_us != 0,
	    "connections", (json_int_t)atomic_load(&g->connections),
	    "buffered_bytes", (json_int_t)block_total(),
	    "cluster", describe_cluster(g),
	    "listeners", listeners,
	    "workers", ask_workers(g));
}
