/* SPDX-License-Identifier: Apache-2.0 */
/* Before list.h, as it says itself. */
#include "gateway/net/loop_private.h"

#include "tests/scenario/world.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census_control.h"
#include "gateway/config.h"
#include "gateway/session.h"
#include "quota/quota.h"
#include "routing/offer.h"
#include "routing/resolve.h"
#include "routing/snapshot.h"
#include "routing/watch.h"
#include "wire/messages.h"

enum {
	QUIET_PASSES = 3,
	PASSES_MAX = 4 * 1000 * 1000,
	STEP_MS = 10,		/* of time that passes */
	LONG_STEP_MS = 100, LONG_MS = 3000,
	END_MS = 2000 * 1000,	/* JoinGroup's patience, and more */
};

static struct world *the;
static int64_t now_us;

static int64_t
fake_now(void)
{
	return now_us;
}

/* ---- the cluster as it is ---- */

static struct world_broker *
find_broker(struct world *w, int id)
{
	for (int i = 0; i < w->broker_count; i++)
		if (w->brokers[i].id == id)
			return &w->brokers[i];
	return NULL;
}

/* All that weir's schema knows. */
static void
offer_all(struct world_broker *b)
{
	for (int i = 0; i < CLUSTER_API_MAX; i++) {
		const struct api_schema *s = api_schema_find((int16_t)i);

		b->apis[i] = (struct api_range){ 0, -1 };
		if (s != NULL)
			b->apis[i] = (struct api_range){ s->since, s->until };
	}
}

struct world_broker *
world_broker(struct world *w, int id)
{
	struct world_broker *b = find_broker(w, id);

	if (b != NULL)
		return b;
	assert(w->broker_count < WORLD_BROKERS && id > 0 && id < 255);
	b = &w->brokers[w->broker_count++];
	memset(b, 0, sizeof(*b));
	b->id = id;
	offer_all(b);
	return b;
}

void
world_broker_gone(struct world *w, int id)
{
	struct world_broker *b = find_broker(w, id);

	if (b != NULL)
		*b = w->brokers[--w->broker_count];
}

struct world_topic *
world_topic(struct world *w, const char *name)
{
	struct world_topic *t;

	for (int i = 0; i < w->topic_count; i++)
		if (strcmp(w->topics[i].name, name) == 0)
			return &w->topics[i];
	assert(w->topic_count < WORLD_TOPICS);
	t = &w->topics[w->topic_count++];
	memset(t, 0, sizeof(*t));
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->id.b[15] = (uint8_t)w->topic_count;
	return t;
}

void
world_topic_gone(struct world *w, const char *name)
{
	struct world_topic *t = world_topic(w, name);

	*t = w->topics[--w->topic_count];
}

void
world_coordinator(struct world *w, int kind, const char *key, int broker)
{
	struct world_coordinator *c = w->coordinators;

	while (c < w->coordinators + w->coordinator_count &&
	    (c->kind != kind || strcmp(c->key, key) != 0))
		c++;
	assert(c < w->coordinators + WORLD_COORDINATORS);
	if (c == w->coordinators + w->coordinator_count)
		w->coordinator_count++;
	c->kind = kind;
	snprintf(c->key, sizeof(c->key), "%s", key);
	c->broker = broker;
}

static void
describe_partition(const struct world_topic *t, int i,
    struct metadata_response_topics_partitions *to, struct arena *a)
{
	int32_t *replica = ARENA_NEW(a, int32_t);

	*replica = t->leaders[i];
	to->partition_index = i;
	to->leader_id = t->leaders[i];
	to->leader_epoch = t->epoch;
	to->error_code = t->leaders[i] < 0 ? KAFKA_LEADER_NOT_AVAILABLE : 0;
	to->replica_nodes.v = to->isr_nodes.v = replica;
	to->replica_nodes.n = to->isr_nodes.n = t->leaders[i] >= 0;
}

static void
describe_topic(const struct world_topic *t,
    struct metadata_response_topics *to, struct arena *a)
{
	to->name = slice_of(t->name);
	to->topic_id = t->id;
	to->is_internal = strncmp(t->name, "__", 2) == 0;
	to->partitions.n = t->count;
	to->partitions.v = ARENA_ARRAY(a,
	    struct metadata_response_topics_partitions, t->count + 1);
	for (int i = 0; i < t->count; i++)
		describe_partition(t, i, &to->partitions.v[i], a);
}

/* Ids, hosts, racks: all that no client may see. */
static struct metadata_response *
describe(struct world *w, struct arena *a)
{
	struct metadata_response *m =
	    codec_new(api_schema_find(API_METADATA)->response, a);

	m->cluster_id = SLICE_LIT("canary-cluster");
	m->controller_id = w->broker_count > 0 ? w->brokers[0].id : -1;
	m->brokers.n = w->broker_count;
	m->brokers.v = ARENA_ARRAY(a, struct metadata_response_brokers,
	    w->broker_count + 1);
	for (int i = 0; i < w->broker_count; i++) {
		m->brokers.v[i].node_id = w->brokers[i].id;
		m->brokers.v[i].host = arena_printf(a, NET_PREFIX "%d",
		    w->brokers[i].id);
		m->brokers.v[i].port = 9092;
		m->brokers.v[i].rack = SLICE_LIT("canary-rack");
	}
	m->topics.n = w->topic_count;
	m->topics.v = ARENA_ARRAY(a, struct metadata_response_topics,
	    w->topic_count + 1);
	for (int i = 0; i < w->topic_count; i++)
		describe_topic(&w->topics[i], &m->topics.v[i], a);
	return m;
}

static void
offer_of(const struct world_broker *b, struct offer *to)
{
	memset(to, 0, sizeof(*to));
	to->known = true;
	to->features_epoch = -1;
	memcpy(to->apis, b->apis, sizeof(to->apis));
}

static struct cluster *
make_snapshot(struct world *w)
{
	const struct metadata_response *m = describe(w, &w->arena);
	struct offer *all = mem_zalloc(2 * sizeof(*all));
	struct resolver *r = resolver_new();
	struct cluster *c = snapshot_begin(m, r);

	for (int i = 0; i < w->broker_count; i++) {
		offer_of(&w->brokers[i], &all[1]);
		offer_join(&all[0], &all[1]);
	}
	snapshot_finish(c, m, &all[0], w->gateway.cluster);
	c->asked_us = now_us;
	c->generation = ++w->generation;
	resolver_free(r);
	free(all);
	return c;
}

static void
publish(void *arg, struct cluster *c)
{
	struct world *w = arg;

	if (w->gateway.cluster != NULL)
		cluster_unref(w->gateway.cluster);
	w->gateway.cluster = cluster_ref(c);
	if (w->worker != NULL)
		worker_set_cluster(w->worker, c);
}

void
world_snapshot(struct world *w)
{
	struct cluster *c = make_snapshot(w);

	publish(w, c);
	cluster_unref(c);
	world_settle(w);
}

/* ---- what brokers answer by themselves ---- */

static void *
answer_versions(struct world *w, const struct world_request *q)
{
	const struct world_broker *b = find_broker(w, q->conn->broker);
	struct api_versions_response *to = codec_new(q->head.schema->response,
	    &w->arena);

	to->api_keys.v = ARENA_ARRAY(&w->arena,
	    struct api_versions_response_api_keys, CLUSTER_API_MAX);
	for (int16_t i = 0; b != NULL && i < CLUSTER_API_MAX; i++)
		if (b->apis[i].min <= b->apis[i].max)
			to->api_keys.v[to->api_keys.n++] =
			    (struct api_versions_response_api_keys){ i,
			    b->apis[i].min, b->apis[i].max };
	return to;
}

static int
coordinator_of(const struct world *w, int kind, struct slice key)
{
	for (int i = 0; i < w->coordinator_count; i++)
		if (w->coordinators[i].kind == kind &&
		    slice_is(key, w->coordinators[i].key))
			return w->coordinators[i].broker;
	return -1;
}

static void *
answer_coordinators(struct world *w, const struct world_request *q)
{
	const struct find_coordinator_request *from = q->body;
	struct find_coordinator_response *to =
	    codec_new(q->head.schema->response, &w->arena);
	int32_t n = from->coordinator_keys.n;

	to->coordinators.n = n;
	to->coordinators.v = ARENA_ARRAY(&w->arena,
	    struct find_coordinator_response_coordinators, n + 1);
	for (int32_t i = 0; i < n; i++) {
		struct find_coordinator_response_coordinators *c =
		    &to->coordinators.v[i];

		c->key = from->coordinator_keys.v[i];
		c->node_id = coordinator_of(w, from->key_type, c->key);
		c->error_code = c->node_id < 0 ?
		    KAFKA_COORDINATOR_NOT_AVAILABLE : 0;
		c->host = c->node_id < 0 ? SLICE_LIT("") :
		    arena_printf(&w->arena, NET_PREFIX "%d", c->node_id);
		c->port = c->node_id < 0 ? -1 : 9092;
		c->error_message = SLICE_LIT("canary text");
	}
	return to;
}

static void
answer_by_itself(struct world *w, struct world_request *q)
{
	struct error err = { "" };
	struct chain out;
	void *body;

	if (w->by_hand[q->head.api_key])
		return;
	if (q->head.api_key == API_API_VERSIONS)
		body = answer_versions(w, q);
	else if (q->head.api_key == API_METADATA)
		body = describe(w, &w->arena);
	else if (q->head.api_key == API_FIND_COORDINATOR)
		body = answer_coordinators(w, q);
	else
		return;
	q->seen = q->answered = true;
	out = world_answer(q, body, 0, &err);
	assert(out.bytes > 0);
	world_conn_send(q->conn, &out, 0);
}

/* ---- brokers ---- */

struct chain
world_answer(const struct world_request *q, const void *body, int32_t shift,
    struct error *err)
{
	struct chain out;

	chain_init(&out);
	if (!frame_write_response(&out, q->head.schema, q->head.version,
	    q->head.correlation_id + shift, body, err))
		chain_fini(&out);
	return out;
}

/* Sends the first bytes of the chain and keeps the rest (most 0: all). */
static void
send_part(struct peer *p, struct chain *out, size_t most, uint8_t **rest,
    size_t *rest_len)
{
	size_t len = out->bytes;
	uint8_t *data = mem_alloc(len ? len : 1);

	chain_copy_out(out, data);
	chain_fini(out);
	if (most == 0 || most > len)
		most = len;
	peer_send(p, data, most);
	*rest_len = len - most;
	memmove(data, data + most, *rest_len);
	free(*rest);
	*rest = data;
}

void
world_conn_send(struct world_conn *c, struct chain *out, size_t most)
{
	send_part(&c->peer, out, most, &c->rest, &c->rest_len);
}

int
world_conns(const struct world *w, int broker)
{
	int n = 0;

	for (int i = 0; i < w->conn_count; i++)
		n += w->conns[i].broker == broker && w->conns[i].peer.open;
	return n;
}

static enum net_answer
dialled(int id, struct peer **p)
{
	struct world_broker *b = find_broker(the, id);
	struct world_conn *c;

	if (b == NULL || b->answer == NET_REFUSES)
		return NET_REFUSES;
	assert(the->conn_count < WORLD_CONNS);
	c = &the->conns[the->conn_count++];
	c->broker = id;
	*p = &c->peer;
	return b->answer;
}

static void
fault(struct world *w, const char *what, const char *detail)
{
	if (w->fault[0] == '\0')
		snprintf(w->fault, sizeof(w->fault), "%s: %s", what, detail);
}

/* A request that weir sent must be sound. */
static void
take_request(struct world *w, struct world_conn *c, const uint8_t *data,
    size_t len)
{
	struct world_request *q = &w->requests[w->request_count++];
	struct block *b = block_new(len);
	struct reader r;

	assert(w->request_count < WORLD_REQUESTS);
	memcpy(b->data, data, len);
	arena_hold(&w->arena, b);
	reader_init(&r, b->data, len, b);
	q->conn = c;
	if (!frame_read_request(&r, &q->head) || q->head.schema == NULL)
		fault(w, "a broker got no request", r.fault ? r.fault : "");
	else
		q->body = codec_decode(&r, q->head.schema->request,
		    q->head.version, &w->arena);
	if (q->body == NULL || r.p != r.end)
		fault(w, "a broker got what cannot be read", r.fault ?
		    r.fault : "bytes left over");
	else
		answer_by_itself(w, q);
	block_unref(b);
}

static void
pump_conn(struct world *w, struct world_conn *c)
{
	const uint8_t *data;
	size_t len;

	peer_pump(&c->peer);
	while (w->fault[0] == '\0' && c->peer.reading &&
	    peer_frame(&c->peer, &data, &len)) {
		take_request(w, c, data, len);
		peer_take(&c->peer, 4 + len);
	}
}

/* ---- clients ---- */

struct world_client *
world_client(struct world *w, const char *name)
{
	/* The last of that name: one may connect again. */
	for (int i = w->client_count - 1; i >= 0; i--)
		if (strcmp(w->clients[i].name, name) == 0)
			return &w->clients[i];
	return NULL;
}

struct world_client *
world_connect(struct world *w, const char *name, int room)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct world_client *c = &w->clients[w->client_count++];
	int theirs;

	assert(w->client_count <= WORLD_CLIENTS);
	world_start(w);
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer_open(&c->peer, &theirs, room);
	session_open(w->worker, theirs, (struct sockaddr *)&from, sizeof(from),
	    0);
	return c;
}

struct chain
world_encode(struct world *w, struct world_client *c,
    const struct api_schema *api, int version, const void *body, bool silent,
    struct error *err)
{
	struct chain out;

	(void)w;
	chain_init(&out);
	if (!frame_write_request(&out, api, version, ++c->next_id,
	    c->client_id[0] ? slice_of(c->client_id) : SLICE_NULL, body, err)) {
		chain_fini(&out);
		return out;
	}
	if (silent)
		return out;
	assert(c->first + c->awaited_count < WORLD_AWAITED);
	c->awaited[c->first + c->awaited_count++] = (struct world_awaited){
		api, (int16_t)version, c->next_id };
	return out;
}

void
world_send(struct world_client *c, struct chain *out, size_t most)
{
	send_part(&c->peer, out, most, &c->rest, &c->rest_len);
}

void
world_send_rest(struct world_client *c)
{
	peer_send(&c->peer, c->rest, c->rest_len);
	c->rest_len = 0;
}

static bool
has(const uint8_t *data, size_t len, const char *what)
{
	return memmem(data, len, what, strlen(what)) != NULL;
}

void *
world_reply(struct world *w, struct world_client *c, int version,
    struct world_awaited *to, struct error *err)
{
	const uint8_t *data;
	struct block *b;
	struct reader r;
	int32_t id;
	size_t len;
	void *body;

	if (!peer_frame(&c->peer, &data, &len)) {
		error_set(err, "%s got no reply%s", c->name,
		    c->peer.open ? "" : ": its connection was closed");
		return NULL;
	}
	if (c->awaited_count == 0) {
		error_set(err, "%s got a reply that it waits for no more",
		    c->name);
		return NULL;
	}
	w->leaked |= has(data, len, "canary") || has(data, len, NET_PREFIX);
	*to = c->awaited[c->first++];
	c->awaited_count--;
	if (version >= 0)
		to->version = (int16_t)version;
	b = block_new(len);
	memcpy(b->data, data, len);
	peer_take(&c->peer, 4 + len);
	arena_hold(&w->arena, b);
	reader_init(&r, b->data, len, b);
	block_unref(b);
	if (!frame_read_response(&r, to->api, to->version, &id)) {
		error_set(err, "no reply of %s: %s", to->api->name, r.fault);
		return NULL;
	}
	if (id != to->id) {
		error_set(err, "a reply to request %d where %d is the next",
		    id, to->id);
		return NULL;
	}
	body = codec_decode(&r, to->api->response, to->version, &w->arena);
	if (body == NULL || r.p != r.end) {
		error_set(err, "a reply of %s v%d that cannot be read: %s",
		    to->api->name, to->version, r.fault ? r.fault :
		    "bytes left over");
		return NULL;
	}
	return body;
}

bool
world_closed(struct world *w, enum conn_reason reason)
{
	if (metric_total(METRIC_CONNECTIONS_CLOSED + (unsigned)reason) <=
	    w->closes_seen[reason])
		return false;
	w->closes_seen[reason]++;
	return true;
}

/* ---- its configuration ---- */

/* The object that the path's last name stands in; made where there is none. */
static json_t *
parent_of(json_t *top, const char *path, const char **last)
{
	json_t *at = top;

	for (;;) {
		const char *dot = strchr(path, '.');
		char name[WORLD_NAME];
		json_t *next;

		if (dot == NULL)
			break;
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		path = dot + 1;
		next = json_object_get(at, name);
		if (json_is_array(next))
			next = json_array_get(next, 0);
		if (next == NULL) {
			next = json_object();
			json_object_set_new(at, name, next);
		}
		at = next;
	}
	*last = path;
	return at;
}

static struct config *
make_config(const struct world *w, struct error *err)
{
	struct error_list errs = { 0 };
	char *text = json_dumps(w->config, 0);
	struct config *c = config_parse(text, strlen(text), &errs);

	if (c == NULL && errs.n > 0)
		error_set(err, "%s: %s", errs.v[0].path, errs.v[0].reason);
	error_list_free(&errs);
	free(text);
	return c;
}

bool
world_set(struct world *w, const char *path, const char *json,
    struct error *err)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct error_list errs = { 0 };
	struct config *c;
	const char *last;
	json_t *at;

	if (value == NULL)
		return error_set(err, "%s is no JSON", json);
	at = parent_of(w->config, path, &last);
	json_object_set_new(at, last, value);
	c = make_config(w, err);
	if (c == NULL)
		return false;
	if (w->worker != NULL && !config_check_reload(w->gateway.config, c,
	    &errs)) {
		error_set(err, "%s needs a restart", path);
		error_list_free(&errs);
		config_unref(c);
		return false;
	}
	config_unref(w->gateway.config);
	w->gateway.config = c;
	if (w->worker != NULL)
		worker_set_config(w->worker, c);
	return true;
}

/* ---- time ---- */

static void
pump(struct world *w)
{
	for (int i = 0; i < w->client_count; i++)
		peer_pump(&w->clients[i].peer);
	for (int i = 0; i < w->conn_count; i++)
		pump_conn(w, &w->conns[i]);
}

void
world_settle(struct world *w)
{
	int quiet = 0;

	for (int i = 0; i < PASSES_MAX && quiet < QUIET_PASSES; i++) {
		uint64_t before = net_moves();

		if (w->worker != NULL)
			loop_turn(w->worker->loop, 0);
		if (w->gateway.control != NULL)
			loop_turn(w->gateway.control, 0);
		pump(w);
		quiet = net_moves() == before ? quiet + 1 : 0;
	}
	if (quiet < QUIET_PASSES)
		fault(w, "weir", "it does not come to rest");
}

void
world_wait(struct world *w, int64_t ms)
{
	int64_t until = now_us + ms * 1000;
	int64_t step = (ms > LONG_MS ? LONG_STEP_MS : STEP_MS) * 1000;

	while (now_us < until && w->fault[0] == '\0') {
		int64_t tick = now_us / 1000 / LOOP_TICK_MS;

		now_us = now_us + step < until ? now_us + step : until;
		world_settle(w);
		if (now_us / 1000 / LOOP_TICK_MS == tick)
			continue;
		if (w->worker != NULL)
			loop_tick(w->worker->loop);
		if (w->gateway.control != NULL)
			loop_tick(w->gateway.control);
		census_control_tick(&w->gateway);
		world_settle(w);
	}
}

/* ---- weir ---- */

struct world *
world_new(void)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct error err = { "" };

	assert(the == NULL);
	the = w;
	/* Not at a tick, as it would be in life. */
	now_us = 1000000000000 + 37000;
	clock_replace(fake_now);
	net_dialled = dialled;
	arena_init(&w->arena, 0);
	w->config = json_pack("{s:{s:s}, s:[{s:s, s:s}], s:{s:s}, s:i}",
	    "cluster", "bootstrap", NET_PREFIX "1:9092", "listeners",
	    "address", "127.0.0.1:9092", "advertised", "weir.test:9092",
	    "admin", "address", "none", "workers", 1);
	w->gateway.config = make_config(w, &err);
	if (w->gateway.config == NULL)
		fprintf(stderr, "%s\n", err.text);
	assert(w->gateway.config != NULL);
	for (int i = 0; i < CONN_REASON_COUNT; i++)
		w->closes_seen[i] = metric_total(METRIC_CONNECTIONS_CLOSED +
		    (unsigned)i);
	return w;
}

/* Ticks come on our clock, not on the machine's. */
static struct loop *
take_clock(struct loop *l)
{
	event_del(&l->tick);
	return l;
}

void
world_start(struct world *w)
{
	struct gateway *g = &w->gateway;
	struct upstream_options o;

	if (w->worker != NULL)
		return;
	g->bound_port[0] = 9092;
	g->connections_most = UINT32_MAX;
	g->first_config = config_ref(g->config);
	g->control = take_clock(loop_new());
	g->metrics = metric_new();
	gateway_upstream_options(g, &o);
	w->asleep = take_clock(loop_new());
	g->watch = watch_new(w->watching ? g->control : w->asleep,
	    g->config->cluster.bootstrap, &o, publish, w);
	if (!w->watching)
		world_snapshot(w);
	for (int i = 0; i < 1000 && g->cluster == NULL; i++)
		world_wait(w, STEP_MS);
	assert(g->cluster != NULL);
	loop_set_node_limit(g->config->limits.buffered_max);
	/* Without limits all is as if there were none. */
	if (g->config->quota.made->n > 0)
		g->quota = quota_new(1);
	w->worker = worker_new(g, 0);
	take_clock(w->worker->loop);
	g->workers[0] = w->worker;
	g->worker_count = 1;
	census_control_tick(g);
	world_settle(w);
}

/* ---- its end ---- */

static bool
nothing_left(const struct world *w)
{
	const struct worker *k = w->worker;

	return k->session_count == 0 && k->legs_in_flight == 0 &&
	    list_empty(&k->parked) && list_empty(&k->uncounted) &&
	    list_empty(&k->leases);
}

static bool
check_end(struct world *w, struct error *err)
{
	const struct worker *k = w->worker;

	if (w->fault[0] != '\0')
		return error_set(err, "%s", w->fault);
	if (w->leaked)
		return error_set(err, "a client saw a broker's address, rack, "
		    "cluster id or text");
	if (!nothing_left(w))
		return error_set(err, "left behind: sessions %u, legs %u, "
		    "parked %d, leases %d", k->session_count,
		    k->legs_in_flight, !list_empty(&k->parked) ||
		    !list_empty(&k->uncounted),
		    !list_empty(&k->leases));
	if (k->fetch_sessions != 0)
		return error_set(err, "fetch sessions are left behind");
	if (metric_total(METRIC_CONNECTIONS_CLOSED + CONN_BUG) !=
	    w->closes_seen[CONN_BUG])
		return error_set(err, "weir closed a connection for a fault "
		    "of its own");
	return true;
}

static void
hang_up(struct world *w)
{
	for (int i = 0; i < w->client_count; i++)
		peer_close(&w->clients[i].peer);
	world_settle(w);
	/* Legs in flight end with their brokers. */
	for (int i = 0; i < w->broker_count; i++)
		w->brokers[i].answer = NET_REFUSES;
	for (int i = 0; i < w->conn_count; i++)
		peer_close(&w->conns[i].peer);
	world_settle(w);
	for (int64_t ms = 0; ms < END_MS && !nothing_left(w); ms += 1000)
		world_wait(w, 1000);
}

static void
free_weir(struct world *w)
{
	struct gateway *g = &w->gateway;

	worker_end(w->worker);
	world_settle(w);
	worker_free(w->worker);
	census_control_free(g);
	quota_free(g->quota);
	watch_free(g->watch);
	loop_free(g->control);
	loop_free(w->asleep);
	cluster_unref(g->cluster);
	metric_free(g->metrics);
	config_unref(g->first_config);
}

bool
world_free(struct world *w, struct error *err)
{
	bool ok = true;

	if (w->worker != NULL) {
		hang_up(w);
		ok = check_end(w, err);
		free_weir(w);
	}
	for (int i = 0; i < w->client_count; i++) {
		peer_fini(&w->clients[i].peer);
		free(w->clients[i].rest);
	}
	for (int i = 0; i < w->conn_count; i++) {
		peer_fini(&w->conns[i].peer);
		free(w->conns[i].rest);
	}
	arena_fini(&w->arena);
	config_unref(w->gateway.config);
	json_decref(w->config);
	free(w);
	the = NULL;
	if (ok && block_total() > 0)
		ok = error_set(err, "%zu bytes of blocks are left behind",
		    block_total());
	return ok;
}
