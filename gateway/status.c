/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/status.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/fleet_control.h"
#include "gateway/gateway.h"
#include "gateway/inquiry.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/text_json.h"
#include "routing/watch.h"

static json_t *
describe_session(struct session *s)
{
	int64_t now = loop_now_us(s->worker->loop);

	return json_pack("{s:I, s:s?, s:s, s:s, s:o, s:s, s:i, s:i, s:b, s:I, "
	    "s:I}",
	    "id", (json_int_t)s->id,
	    "tenant", s->tenant != NULL ? s->tenant->id : NULL,
	    "listener", s->worker->config->listeners.v[s->listener].name,
	    "peer", conn_peer(s->conn)->text,
	    "client_id", text_json(slice_of(s->client_id ? s->client_id :
	    "")),
	    "software", s->software ? s->software : "",
	    "virtual_brokers", (int)session_virtual_count(s),
	    "in_flight", (int)s->in_flight,
	    "tls", conn_is_tls(s->conn),
	    "age_seconds", (json_int_t)((now - s->opened_us) / 1000000),
	    "idle_seconds", (json_int_t)((now - s->last_us) / 1000000));
}

static void
add_broker(void *arg, int32_t id, const struct upstream_stats *u)
{
	json_t *all = arg;

	json_array_append_new(all, json_pack("{s:i, s:i, s:i, s:i}", "id", id,
	    "leased", (int)u->leased, "idle", (int)u->idle, "connecting",
	    (int)u->connecting));
}

/* One worker's part, which control adds up. */
static json_t *
describe_worker(struct worker *w)
{
	json_t *sessions = json_array(), *brokers = json_array();
	int named = 0, in_flight = 0;

	LIST_FOREACH(it, &w->sessions) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		in_flight += (int)s->in_flight;
		if (named++ < STATUS_SESSIONS_MAX)
			json_array_append_new(sessions, describe_session(s));
	}
	pool_each_broker(w->pool, add_broker, brokers);
	return json_pack("{s:i, s:i, s:i, s:o, s:o}",
	    "count", (int)w->session_count,
	    "in_flight", in_flight,
	    "legs", (int)w->legs_in_flight,
	    "sessions", sessions,
	    "brokers", brokers);
}

/* The sum of a member over the workers' upstreams of one broker, or of all. */
static int
upstreams(const json_t *workers, int32_t broker, bool all, const char *member)
{
	const json_t *w, *b;
	size_t i, j;
	int sum = 0;

	json_array_foreach(workers, i, w)
		json_array_foreach(json_object_get(w, "brokers"), j, b)
			if (all || json_integer_value(json_object_get(b,
			    "id")) == broker)
				sum += (int)json_integer_value(
				    json_object_get(b, member));
	return sum;
}

static json_t *
upstreams_json(const json_t *workers, int32_t broker, bool all)
{
	return json_pack("{s:i, s:i, s:i}",
	    "leased", upstreams(workers, broker, all, "leased"),
	    "idle", upstreams(workers, broker, all, "idle"),
	    "connecting", upstreams(workers, broker, all, "connecting"));
}

static json_t *
describe_broker(const struct broker *b, const json_t *workers)
{
	json_t *j = upstreams_json(workers, b->id, false);
	char address[300];

	snprintf(address, sizeof(address), "%.*s:%d", SLICE_FMT(b->host),
	    b->port);
	json_object_set_new(j, "id", json_integer(b->id));
	json_object_set_new(j, "address", text_json(slice_of(address)));
	json_object_set_new(j, "rack", b->rack.data ? text_json(b->rack) :
	    json_null());
	return j;
}

static json_t *
describe_cluster(struct gateway *g, const json_t *workers)
{
	const struct cluster *c = g->cluster;
	json_t *brokers = json_array();
	int64_t partitions, leaderless;

	if (c == NULL)
		return json_pack("{s:s, s:i, s:o}", "state",
		    watch_state(g->watch), "broker_count", 0, "brokers",
		    brokers);
	for (int32_t i = 0; i < c->broker_count; i++)
		json_array_append_new(brokers, describe_broker(&c->brokers[i],
		    workers));
	cluster_count(c, &partitions, &leaderless);
	return json_pack("{s:s, s:o, s:I, s:f, s:i, s:o, s:i, s:I, s:I}",
	    "state", watch_state(g->watch),
	    "cluster_id", text_json(c->cluster_id),
	    "generation", (json_int_t)c->generation,
	    "age_seconds", (double)(clock_now_us() - c->asked_us) / 1e6,
	    "broker_count", c->broker_count,
	    "brokers", brokers,
	    "topics", c->topic_count,
	    "partitions", (json_int_t)partitions,
	    "leaderless", (json_int_t)leaderless);
}

static json_t *
describe_listeners(struct gateway *g)
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
	return listeners;
}

static int
sum_of(const json_t *workers, const char *member)
{
	const json_t *w;
	size_t i;
	int sum = 0;

	json_array_foreach(workers, i, w)
		sum += (int)json_integer_value(json_object_get(w, member));
	return sum;
}

static json_t *
all_sessions(const json_t *workers)
{
	json_t *to = json_array();
	const json_t *w;
	size_t i;

	json_array_foreach(workers, i, w)
		json_array_extend(to, json_object_get(w, "sessions"));
	return to;
}

json_t *
gateway_status(struct gateway *g)
{
	json_t *workers = inquiry(g, describe_worker);
	json_t *sessions = all_sessions(workers);
	int count = sum_of(workers, "count");
	json_t *j = json_pack("{s:s, s:f, s:b, s:b, s:o, s:{s:i, s:i, s:i, "
	    "s:I, s:I, s:i}, s:o, s:o, s:o, s:o, s:i, s:o}",
	    "version", WEIR_VERSION,
	    "uptime_seconds", (double)(clock_now_us() - g->started_us) / 1e6,
	    "ready", g->worker_count > 0,
	    "draining", g->drain_until_us != 0,
	    "cluster", describe_cluster(g, workers),
	    "node",
	    "sessions", count,
	    "in_flight", sum_of(workers, "in_flight"),
	    "legs", sum_of(workers, "legs"),
	    "buffered_bytes", (json_int_t)block_total(),
	    "buffered_max", (json_int_t)g->config->limits.buffered_max,
	    "workers", g->worker_count,
	    "upstreams", upstreams_json(workers, 0, true),
	    "listeners", describe_listeners(g),
	    "tenants", g->tenants != NULL ?
	    json_integer(tenants_count(g->tenants)) : json_null(),
	    "store", fleet_control_status(g),
	    "sessions_omitted", count - (int)json_array_size(sessions),
	    "sessions", sessions);

	json_decref(workers);
	return j;
}
