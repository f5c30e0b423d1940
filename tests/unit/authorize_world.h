/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of authorization: requests are served by the real handlers, to
 * a principal whose policies are the test's. Brokers, coordinators, time and
 * the connection are stand-ins, which note what reaches them.
 *
 * Names that begin with "shut" are denied where an action is withheld.
 * Ownership: static; one test program has one world.
 */
#ifndef WEIR_TESTS_AUTHORIZE_WORLD_H
#define WEIR_TESTS_AUTHORIZE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/audit.h"
#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/coordinators.h"
#include "gateway/fetch_table.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/wire/frame.h"
#include "gateway/worker.h"
#include "tests/unit/codec_random.h"
#include "tests/unit/one_timer.h"
/* How requests and responses belong together is looked at. */
#include "routing/shape.c"

enum {
	CALLS_MAX = 64, FORWARDED_MAX = 256, TOPICS = 4,
	PARTITIONS = 2, BROKERS = 2, CODES = 256, STEPS_MAX = 300,
};

/* ---- the world ---- */

struct principal_rights {
	uint32_t	 granted;	/* actions, */
	uint32_t	 withheld;	/* these not for what is shut */
	bool		 write_all;
};

static struct {
	struct principal_rights	 rights;
	struct request		*parked;
	int			 parks;
	struct call		*calls[CALLS_MAX];
	const void		*bodies[CALLS_MAX];
	int			 call_count;
	/* Everything that went to brokers, as they decode it. */
	struct {
		const struct api_schema	*api;
		int			 version;
		void			*body;
	}			 forwarded[FORWARDED_MAX];
	int			 forwarded_count;
	struct slice		 sought[FORWARDED_MAX];
	int			 sought_count;
	enum coordinator_kind	 sought_kind;
	int			 audited[POLICY_ACTION_COUNT];
	bool			 rich;		/* random answers */
	int16_t			 error;		/* else all have this one */
	bool			 answered, closed;
	enum conn_reason	 reason;
	void			*reply;
	struct request		*request;
} world;

static const char *const names[] = {
	"open-0", "open-1", "shut-0", "shut-1",	/* topics that exist */
	"open-new", "shut-new",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static struct random dice;
static struct arena memory;		/* of one round */
static struct config config = {
	.workers = 1,
	.cluster.auto_create_topics = true,
	.limits = { .fetch_sessions_max = 100, .fetch_wait_max_ms = 1000,
	    .fetch_bytes_max = INT32_MAX, .out_high = 1 << 20 },
};
static struct gateway gateway;
static struct worker worker;
static struct cluster snapshot;
static struct broker brokers[BROKERS];
static struct partition partitions[PARTITIONS];
static struct topic topics[TOPICS];
static struct session session;
static struct upstream_lease lease;
static int policies;

static inline bool
is_shut(struct slice s)
{
	return s.len >= 4 && memcmp(s.data, "shut", 4) == 0;
}

bool
policy_allows(struct policy_set *s, enum policy_action action,
    enum policy_resource type, struct slice name)
{
	uint32_t bit = 1u << action;

	assert_ptr_equal(s, &policies);
	assert_int_equal(type, policy_action_resource(action));
	if (!(world.rights.granted & bit))
		return false;
	return !(world.rights.withheld & bit) ||
	    (type != POLICY_CLUSTER && !is_shut(name));
}

bool
policy_allows_all(struct policy_set *s, enum policy_action action)
{
	uint32_t bit = 1u << action;

	(void)s;
	if (action == POLICY_WRITE_DATA)
		return world.rights.write_all;
	return (world.rights.granted & bit & ~world.rights.withheld) != 0;
}

enum policy_resource
policy_action_resource(enum policy_action a)
{
	static const enum policy_resource types[] = {
#define X(NAME, name, resource) POLICY_##resource,
#include "auth/actions.def"
#undef X
	};

	return types[a];
}

const char *
policy_action_name(enum policy_action a)
{
	static const char *const action_names[] = {
#define X(NAME, name, resource) name,
#include "auth/actions.def"
#undef X
	};

	return action_names[a];
}

void
audit_refused(struct request *r, enum policy_action action,
    enum policy_resource type, struct slice name)
{
	assert_ptr_equal(r, world.request);
	assert_int_equal(type, policy_action_resource(action));
	assert_non_null(name.data);
	world.audited[action]++;
}

bool
loop_over_limit(void)
{
	return false;
}

int32_t
worker_any_broker(struct worker *w, bool again)
{
	(void)w;
	(void)again;
	return 0;
}

bool
pool_failing(const struct pool *p, int32_t broker)
{
	(void)p;
	(void)broker;
	return false;
}

bool
pool_backing_off(const struct pool *p, int32_t broker)
{
	(void)p;
	(void)broker;
	return false;
}

struct upstream_lease *
lease_get(struct worker *w, struct session *s, int32_t broker,
    enum upstream_use class)
{
	(void)w;
	(void)s;
	(void)class;
	lease.broker = broker;
	return &lease;
}

void
lease_done(struct worker *w, struct upstream_lease *l)
{
	(void)w;
	(void)l;
}

void
lease_close(struct worker *w, struct upstream_lease *l)
{
	(void)w;
	(void)l;
}

bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	if (r->park_until_us != 0)
		return false;
	r->park_until_us = 1;
	r->resume = resume;
	world.parked = r;
	world.parks++;
	return true;
}

bool
request_park_again(struct request *r, void (*resume)(struct request *r))
{
	(void)r;
	(void)resume;
	return false;
}

bool
session_output_full(const struct session *s)
{
	(void)s;
	return false;
}

int32_t
session_virtual_count(struct session *s)
{
	(void)s;
	return 1;
}

void
session_address(struct session *s, int32_t id, struct arena *a,
    struct slice *host, int32_t *port)
{
	(void)s;
	*host = arena_printf(a, "virtual-%d", id);
	*port = 9092;
}

void
session_named(struct session *s, struct slice name, struct slice version)
{
	(void)s;
	(void)name;
	(void)version;
}

void
session_close(struct session *s, enum conn_reason reason, const char *detail)
{
	(void)s;
	(void)detail;
	world.closed = true;
	world.reason = reason;
}

/* The client decodes it. */
void
session_flush(struct session *s)
{
	struct request *r = world.request;
	struct reader rd;
	int32_t id;
	uint8_t *bytes;

	(void)s;
	assert_false(world.answered);
	world.answered = true;
	if (r->reply.bytes == 0)
		return;
	bytes = arena_get(&memory, r->reply.bytes);
	chain_copy_out(&r->reply, bytes);
	reader_init(&rd, bytes + 4, r->reply.bytes - 4, NULL);
	assert_true(frame_read_response(&rd, r->schema, r->version, &id));
	world.reply = codec_decode(&rd, r->schema->response, r->version,
	    &memory);
	assert_non_null(world.reply);
	assert_ptr_equal(rd.p, rd.end);
}

void
coordinators_find(struct coordinators *c, enum coordinator_kind kind,
    struct coordinator_query *q, int32_t n, void (*done)(void *arg), void *arg)
{
	(void)c;
	world.sought_kind = kind;
	for (int32_t i = 0; i < n; i++) {
		assert_true(world.sought_count < FORWARDED_MAX);
		world.sought[world.sought_count++] = q[i].key;
		q[i].broker = i % BROKERS;
	}
	done(arg);
}

void
coordinators_forget(struct coordinators *c, enum coordinator_kind kind,
    struct slice key)
{
	(void)c;
	(void)kind;
	(void)key;
}

static inline struct reader
encoded(const struct message *m, int version, const void *obj)
{
	struct error err = { "" };
	struct block *b;
	struct chain out;
	struct writer w;
	struct reader rd;

	chain_init(&out);
	writer_init(&w, &out);
	if (!codec_encode(&w, m, version, obj, &err))
		fail_msg("%s v%d: %s", m->name, version, err.text);
	writer_finish(&w);
	b = block_new(out.bytes + 1);
	chain_copy_out(&out, b->data);
	reader_init(&rd, b->data, out.bytes, b);
	arena_hold(&memory, b);
	block_unref(b);
	chain_fini(&out);
	return rd;
}

bool
upstream_call(struct upstream *u, struct call *c,
    const struct api_schema *api, int version, struct slice client_id,
    const void *body, uint32_t timeout_ms, struct error *err)
{
	int n = world.forwarded_count++;
	struct reader rd;

	(void)u;
	(void)client_id;
	(void)timeout_ms;
	(void)err;
	assert_true(world.call_count < CALLS_MAX && n < FORWARDED_MAX);
	rd = encoded(api->request, version, body);
	world.forwarded[n].api = api;
	world.forwarded[n].version = version;
	world.forwarded[n].body = codec_decode(&rd, api->request, version,
	    &memory);
	assert_non_null(world.forwarded[n].body);
	c->api = api;
	c->version = (int16_t)version;
	world.bodies[world.call_count] = world.forwarded[n].body;
	world.calls[world.call_count++] = c;
	return true;
}

/* ---- messages with names from this test ---- */

struct fix {
	uint32_t	 names;		/* how many of them are used */
	bool		 open_only;
	/* What was set last, where: a name and an id are of one topic. */
	const void	*named, *numbered;
	uint32_t	 topic;
};

static inline uint32_t
a_name(const struct fix *x, uint32_t most)
{
	uint32_t i;

	do {
		i = random_below(&dice, most);
	} while (x->open_only && i < x->names && names[i][0] == 's');
	return i;
}

static inline enum codec_walk
fix_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct fix *x = arg;
	uint32_t i;

	switch (f->meaning) {
	case MEANING_topic:
		i = x->numbered == parent && x->topic < TOPICS ? x->topic :
		    a_name(x, x->names);
		x->named = parent;
		x->topic = i;
		*(struct slice *)value = slice_of(names[i]);
		break;
	case MEANING_group:
	case MEANING_txn:
	case MEANING_coordinator:
	case MEANING_resource:
		*(struct slice *)value = slice_of(names[a_name(x, x->names)]);
		break;
	case MEANING_topic_id:
		i = x->named == parent ? x->topic : a_name(x, TOPICS + 1);
		x->numbered = parent;
		x->topic = i;
		memset(value, 0, sizeof(struct uuid));
		if (i < TOPICS)
			memcpy(value, &topics[i].id, sizeof(struct uuid));
		break;
	case MEANING_broker:
		memset(value, 0xff, sizeof(int32_t));
		break;
	case MEANING_member:
		*(struct slice *)value = SLICE_LIT("member");
		break;
	default:
		break;
	}
	return CODEC_KEEP;
}

/* Partitions that exist. */
static inline void
fix_keys(const struct shape *s, void *body)
{
	struct array outer, inner;

	if (s == NULL || s->inner == NULL)
		return;
	outer = get_array(body, s->outer);
	for (int32_t i = 0; i < outer.n; i++) {
		inner = inner_of(s, element(&outer, s->outer, i));
		for (int32_t j = 0; j < inner.n; j++) {
			void *e = element(&inner, s->inner, j);
			int32_t key = (int32_t)random_below(&dice, PARTITIONS);

			memcpy(s->key ? at_mut(e, s->key) : e, &key,
			    sizeof(key));
		}
	}
}

static inline void
fix_types(void *body, const struct field *array_field, const char *name)
{
	static const int8_t types[] = { 2, 2, 2, 32, 32, 4, 16 };
	struct array a = get_array(body, array_field);
	const struct field *f = message_field(array_field->element, name);

	for (int32_t i = 0; i < a.n; i++)
		*(int8_t *)at_mut(element(&a, array_field, i), f) =
		    types[random_below(&dice, sizeof(types))];
}

static inline void
fix_nested(const struct api_schema *api, int version, void *body)
{
	const struct shape *s = shape_nested(api->key, version);
	const struct field *f = message_field(api->request, "groups");
	struct array groups;

	if (s == NULL)
		return;
	groups = get_array(body, f);
	for (int32_t i = 0; i < groups.n; i++)
		fix_keys(s, element(&groups, f, i));
}

/* What has no meaning of its own and must make sense. */
static inline void
fix_rest(const struct api_schema *api, int version, void *body)
{
	const struct field *f;

	switch (api->key) {
	case API_FETCH:
		((struct fetch_request *)body)->session_id = 0;
		((struct fetch_request *)body)->session_epoch = -1;
		((struct fetch_request *)body)->max_wait_ms = 10;
		break;
	case API_SHARE_FETCH: {
		struct share_fetch_request *q = body;

		if (q->group_id.data == NULL)
			q->group_id = SLICE_LIT("open-0");
		q->member_id = SLICE_LIT("member");
		q->share_session_epoch = 0;
		q->is_renew_ack = false;
		q->max_records = 100;
		q->max_wait_ms = 10;
		q->forgotten_topics_data.n = 0;
		for (int32_t i = 0; i < q->topics.n; i++)
			for (int32_t j = 0; j < q->topics.v[i].partitions.n;
			    j++)
				q->topics.v[i].partitions.v[j]
				    .acknowledgement_batches.n = 0;
		break;
	}
	case API_PRODUCE:
		((struct produce_request *)body)->acks = 1;
		break;
	case API_FIND_COORDINATOR:
		((struct find_coordinator_request *)body)->key_type =
		    (int8_t)random_below(&dice, version > 0 ? 2 : 1);
		break;
	case API_DESCRIBE_CONFIGS:
	case API_ALTER_CONFIGS:
	case API_INCREMENTAL_ALTER_CONFIGS:
		f = message_field(api->request, "resources");
		fix_types(body, f, "resource_type");
		break;
	case API_DESCRIBE_TOPIC_PARTITIONS:
		((struct describe_topic_partitions_request *)body)->cursor =
		    NULL;
		break;
	case API_CONSUMER_GROUP_HEARTBEAT:
		/* What it holds, it was given. */
		((struct consumer_group_heartbeat_request *)body)
		    ->topic_partitions.n = -1;
		break;
	case API_DESCRIBE_CLUSTER:
		((struct describe_cluster_request *)body)->endpoint_type = 1;
		break;
	default:
		break;
	}
}

static inline void *
a_request(const struct api_schema *api, int version, bool open_only)
{
	struct fix x = { .names = NAMES, .open_only = open_only };
	void *body = codec_random(&dice, api->request, version, &memory);

	codec_walk(api->request, version, body, fix_visit, &x);
	fix_keys(shape_find(api->key, version), body);
	fix_nested(api, version, body);
	fix_rest(api, version, body);
	return body;
}

/* Any answer, with all names. */
static inline void *
random_reply(const struct message *m, int version)
{
	struct fix x = { .names = NAMES };
	void *reply = codec_random(&dice, m, version, &memory);
	const struct field *f = message_field(m, "error_code");

	codec_walk(m, version, reply, fix_visit, &x);
	if (f != NULL)
		memset(at_mut(reply, f), 0, 2);
	return reply;
}

/* As the broker's answer to this request, with random members and the like. */
static inline void *
a_reply(const struct api_schema *api, int version, const void *body)
{
	const struct shape *s = shape_find(api->key, version);
	void *reply = shape_error(api, version, body, world.error, &memory);
	struct array from, to;

	if (!world.rich)
		return reply ? reply : codec_new(api->response, &memory);
	if (reply == NULL || s == NULL || shape_count(s, body) == 0)
		return random_reply(api->response, version);
	if (s->inner != NULL)
		return reply;
	from = get_array(body, s->outer);
	to = get_array(reply, s->r_outer);
	assert_int_equal(from.n, to.n);
	for (int32_t i = 0; i < to.n; i++) {
		void *e = random_reply(s->r_outer->element, version);
		const void *q = element(&from, s->outer, i);

		if (s->outer->element == NULL)
			memcpy(at_mut(e, s->r_key), q, sizeof(struct slice));
		for (int j = 0; j < s->pair_count; j++)
			copy_key(&s->pairs[j], q, e);
		memset(at_mut(e, s->r_error), 0, 2);
		memcpy(element(&to, s->r_outer, i), e, s->r_outer->size);
	}
	return reply;
}

/* ---- one request ---- */

static inline void
answer_call(void)
{
	struct call *c = world.calls[0];
	const void *body = world.bodies[0];
	struct call_reply reply = { .outcome = CALL_ANSWERED };

	world.call_count--;
	memmove(world.calls, world.calls + 1,
	    sizeof(world.calls[0]) * (size_t)world.call_count);
	memmove(world.bodies, world.bodies + 1,
	    sizeof(world.bodies[0]) * (size_t)world.call_count);
	if (c->no_reply)
		reply.outcome = CALL_SENT;
	else
		reply.reader = encoded(c->api->response, c->version,
		    a_reply(c->api, c->version, body));
	c->done(c, &reply);
}

static inline void
step(void)
{
	struct request *r;
	struct timer *t;

	if (world.parked != NULL) {
		r = world.parked;
		world.parked = NULL;
		r->resume(r);
	} else if (world.call_count > 0) {
		answer_call();
	} else if (played.timer != NULL) {
		t = played.timer;
		played.timer = NULL;
		if (t->at_us > played.now)
			played.now = t->at_us;
		t->fire(t);
	} else {
		fail_msg("%s v%d: stuck", world.request->schema->name,
		    world.request->version);
	}
}

/* Begins one; the body is as the client encoded it. */
static inline struct request *
begin(const struct api_schema *api, int version, const void *body)
{
	struct request *r = request_new(&worker);
	struct reader rd = encoded(api->request, version, body);

	world.request = r;
	world.forwarded_count = world.sought_count = world.call_count = 0;
	world.answered = world.closed = false;
	memset(world.audited, 0, sizeof(world.audited));
	world.reply = NULL;
	world.parked = NULL;
	world.parks = 0;
	r->api = api_find(api->key);
	r->schema = api;
	r->version = (int16_t)version;
	r->session = &session;
	r->client_id = SLICE_LIT("test");
	r->body = codec_decode(&rd, api->request, version, &r->arena);
	assert_non_null(r->body);
	return r;
}

/* Serves it to the end. */
static inline void
serve(const struct api_schema *api, int version, const void *body)
{
	struct request *r = begin(api, version, body);
	int steps = 0;

	if (authorize(r))
		r->api->handle(r);
	while (!world.answered && !world.closed) {
		assert_true(steps++ < STEPS_MAX);
		step();
	}
	/* Feeds may still wait for brokers. */
	fetch_state_free(&session);
	share_state_free(&session);
	produce_state_free(&session);
	r->pending = 0;
	request_free(r);
}

/* ---- what is looked for ---- */

struct seek {
	enum policy_resource type;
	int		 shut;
};

static inline enum codec_walk
seek_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct seek *k = arg;
	const struct uuid *id = value;
	int8_t type = 0;

	(void)parent;
	switch (f->meaning) {
	case MEANING_topic:
		k->shut += k->type == POLICY_TOPIC &&
		    is_shut(*(struct slice *)value);
		break;
	case MEANING_group:
		k->shut += k->type == POLICY_GROUP &&
		    is_shut(*(struct slice *)value);
		break;
	case MEANING_txn:
		k->shut += k->type == POLICY_TRANSACTIONAL_ID &&
		    is_shut(*(struct slice *)value);
		break;
	case MEANING_coordinator:
		if (f->meaning_arg == NULL)
			break;
		type = codec_arg_int8(f, parent);
		k->shut += is_shut(*(struct slice *)value) &&
		    ((k->type == POLICY_GROUP && type == 0) ||
		    (k->type == POLICY_TRANSACTIONAL_ID && type == 1));
		break;
	case MEANING_resource:
		type = codec_arg_int8(f, parent);
		k->shut += is_shut(*(struct slice *)value) &&
		    ((k->type == POLICY_TOPIC && type == 2) ||
		    (k->type == POLICY_GROUP && type == 32));
		break;
	case MEANING_topic_id:
		for (int i = 0; k->type == POLICY_TOPIC && i < TOPICS; i++)
			k->shut += is_shut(topics[i].name) &&
			    uuid_eq(id, &topics[i].id);
		break;
	default:
		break;
	}
	return CODEC_KEEP;
}

/* How often what is shut is named. */
static inline int
shut_in(const struct message *m, int version, void *obj,
    enum policy_resource type)
{
	struct seek k = { type, 0 };

	codec_walk(m, version, obj, seek_visit, &k);
	return k.shut;
}

/* Error codes anywhere in it. */
static inline void
count_codes(const struct message *m, int version, const char *obj,
    int codes[CODES])
{
	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		const char *value = obj + f->offset;

		if (version < f->since || version > f->until)
			continue;
		if (f->type == FIELD_INT16 && !f->array &&
		    strstr(f->name, "error_code") != NULL) {
			int16_t code = get_int16(obj, f);

			if (code > 0 && code < CODES)
				codes[code]++;
		} else if (f->type == FIELD_STRUCT && f->array) {
			struct array a = get_array(obj, f);

			for (int32_t j = 0; j < a.n; j++)
				count_codes(f->element, version,
				    element(&a, f, j), codes);
		} else if (f->type == FIELD_STRUCT && f->null_since < 0) {
			count_codes(f->element, version, value, codes);
		}
	}
}

static inline int
code_in_reply(const struct api_schema *api, int version, int code)
{
	int codes[CODES] = { 0 };

	if (world.reply != NULL)
		count_codes(api->response, version, world.reply, codes);
	return codes[code];
}

static inline void
assert_nothing_shut_forwarded(enum policy_resource type, const char *what)
{
	for (int i = 0; i < world.forwarded_count; i++) {
		const struct api_schema *a = world.forwarded[i].api;

		if (shut_in(a->request, world.forwarded[i].version,
		    world.forwarded[i].body, type) > 0)
			fail_msg("%s v%d without %s: something shut was "
			    "forwarded", a->name, world.forwarded[i].version,
			    what);
	}
	for (int i = 0; i < world.sought_count; i++)
		if (is_shut(world.sought[i]) &&
		    ((type == POLICY_GROUP &&
		    world.sought_kind == COORDINATOR_GROUP) ||
		    (type == POLICY_TRANSACTIONAL_ID &&
		    world.sought_kind == COORDINATOR_TXN)))
			fail_msg("%s without %s: the coordinator of something "
			    "shut was sought", world.request->schema->name,
			    what);
}

/* ---- before and after ---- */


static inline int
setup(void **state)
{
	(void)state;
	random_init(&dice);
	arena_init(&memory, 0);
	snapshot.refs = 1;
	snapshot.generation = 1;
	snapshot.brokers = brokers;
	snapshot.broker_count = BROKERS;
	snapshot.known.v = arena_get(&snapshot.arena, BROKERS * 4);
	snapshot.known.n = BROKERS;
	for (int i = 0; i < BROKERS; i++)
		brokers[i].id = snapshot.known.v[i] = i;
	for (int i = 0; i < PARTITIONS; i++) {
		partitions[i].index = i;
		partitions[i].leader = i % BROKERS;
	}
	snapshot.by_name = htab_new();
	snapshot.by_id = htab_new();
	snapshot.topics = topics;
	snapshot.topic_count = TOPICS;
	for (int i = 0; i < TOPICS; i++) {
		topics[i].name = slice_of(names[i]);
		topics[i].id.b[0] = (uint8_t)(i + 1);
		topics[i].partitions = partitions;
		topics[i].partition_count = PARTITIONS;
		htab_set(snapshot.by_name, topics[i].name, &topics[i]);
		htab_set(snapshot.by_id, (struct slice){ topics[i].id.b,
		    sizeof(topics[i].id.b) }, &topics[i]);
	}
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		snapshot.apis[i] = (struct api_range){ 0, 99 };
	worker.gateway = &gateway;
	worker.cluster = &snapshot;
	worker.config = &config;
	worker.metrics = metric_new();
	list_init(&worker.free_requests);
	list_init(&worker.parked);
	list_init(&worker.leases);
	session.worker = &worker;
	session.state = SESSION_OPEN;
	session.policies = (struct policy_set *)&policies;
	list_init(&session.requests);
	list_init(&session.leases);
	list_init(&lease.link);
	return 0;
}

/* Before each test, also after one that failed. */
static inline int
anew(void **state)
{
	(void)state;
	arena_fini(&memory);
	arena_init(&memory, 0);
	memset(&world, 0, sizeof(world));
	memset(&played, 0, sizeof(played));
	played.now = 1000000;
	session.policies = (struct policy_set *)&policies;
	session.login = NULL;
	session.tenant = NULL;
	session.fetch = NULL;
	session.produce = NULL;
	session.share = NULL;
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	while (!list_empty(&worker.free_requests)) {
		struct list *l = worker.free_requests.next;

		list_remove(l);
		free(LIST_ENTRY(l, struct request, link));
	}
	htab_free(snapshot.by_name, NULL);
	htab_free(snapshot.by_id, NULL);
	arena_fini(&snapshot.arena);
	arena_fini(&memory);
	metric_free(worker.metrics);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, anew)

#endif
