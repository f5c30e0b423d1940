/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cluster looks like to a client: Metadata, DescribeCluster and
 * DescribeTopicPartitions, answered from the snapshot with virtual brokers.
 * Only a topic that the snapshot lacks is asked for upstream, which also
 * creates it where that is wanted and allowed.
 */
#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/config.h"
#include "gateway/forward.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/throttle_topics.h"
#include "gateway/topic_default.h"
#include "gateway/topic_rules.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/virtual.h"
#include "wire/messages.h"

enum {
	OPERATIONS_OMITTED = INT32_MIN,
	PARTITIONS_A_PAGE = 2000,	/* as brokers have it by default */
	SNAPSHOT_AGE_US = 500000,
	NOT_MADE_LOG_US = 1000000,	/* a line of a worker */
	MAKE_TIMEOUT_MS = 15000,	/* for the cluster, to make topics */
	METADATA_NAMES_MAX = 10000,	/* beyond twice the client's topics */
};

/* What an answer is built with. */
struct scene {
	struct request		*r;
	const struct cluster	*cluster;
	struct arena		*arena;
	int32_t			 count;
};

static struct scene
scene_of(struct request *r)
{
	return (struct scene){ r, r->worker->cluster, &r->arena,
	    session_virtual_count(r->session) };
}

/* A newer snapshot is worth waiting for when this one is known to be wrong (the
 * client asks because a broker told it that something has moved), and when it
 * is not quite new: what another node's client created is to be seen. All that
 * ask meanwhile share one refresh, so brokers are asked at most every so
 * often. */
static bool
snapshot_is_stale(const struct worker *w)
{
	int64_t asked = w->cluster->asked_us;

	return atomic_load_explicit(&w->gateway->stale_us,
	    memory_order_relaxed) > asked ||
	    loop_now_us(w->loop) - asked > SNAPSHOT_AGE_US;
}

/* For what the client has named. */
static bool
is_granted(struct request *r, struct slice name)
{
	return authorize_grants(r, POLICY_DESCRIBE_TOPIC, name);
}

static bool
may_describe(struct request *r, struct slice name)
{
	return authorize_allows(r->session, POLICY_DESCRIBE_TOPIC, name);
}

static int32_t
controller(const struct scene *s)
{
	int32_t id = virtual_broker(s->cluster, s->count,
	    s->cluster->controller_id);

	return id < 0 ? 0 : id;
}

/* With one virtual broker a replica may be both in sync and away: what is in
 * sync is not away. */
static struct int32_list
offline_only(const struct scene *s, const struct partition *p,
    const struct int32_list *isr)
{
	struct int32_list all = virtual_brokers(s->cluster, s->count,
	    &p->offline, s->arena);
	struct int32_list out = { all.v, 0 };

	for (int32_t i = 0; i < all.n; i++) {
		bool in_sync = false;

		for (int32_t j = 0; j < isr->n; j++)
			in_sync |= isr->v[j] == all.v[i];
		if (!in_sync)
			out.v[out.n++] = all.v[i];
	}
	return out;
}

/* ---- Metadata ---- */

static void
show_partition(const struct scene *s, const struct partition *p,
    struct metadata_response_topics_partitions *to)
{
	struct int32_list replicas = virtual_brokers(s->cluster, s->count,
	    &p->replicas, s->arena);
	struct int32_list isr = virtual_brokers(s->cluster, s->count, &p->isr,
	    s->arena);
	struct int32_list offline = offline_only(s, p, &isr);

	to->error_code = p->leader < 0 ? KAFKA_LEADER_NOT_AVAILABLE : 0;
	to->partition_index = p->index;
	to->leader_id = virtual_broker(s->cluster, s->count, p->leader);
	to->leader_epoch = p->leader_epoch;
	to->replica_nodes.v = replicas.v;
	to->replica_nodes.n = replicas.n;
	to->isr_nodes.v = isr.v;
	to->isr_nodes.n = isr.n;
	to->offline_replicas.v = offline.v;
	to->offline_replicas.n = offline.n;
}

static void
show_topic(const struct scene *s, const struct topic *t,
    struct metadata_response_topics *to)
{
	const struct metadata_request *q = s->r->body;

	to->error_code = t->error_code;
	to->name = t->name;
	to->topic_id = t->id;
	to->topic_authorized_operations =
	    q->include_topic_authorized_operations ?
	    authorize_topic_operations(s->r->session, t->name) :
	    OPERATIONS_OMITTED;
	to->partitions.n = t->partition_count;
	to->partitions.v = ARENA_ARRAY(s->arena,
	    struct metadata_response_topics_partitions,
	    t->partition_count + 1);
	for (int32_t i = 0; i < t->partition_count; i++)
		show_partition(s, &t->partitions[i], &to->partitions.v[i]);
}

/* ---- the tenant's own topics ---- */

/* Those that the client may know of; two passes: how many, and which. */
struct own_topics {
	const struct scene	*s;
	const struct topic	**v;		/* NULL: count only */
	int32_t			 n;
};

static void
add_range(void *arg, struct slice physical, bool whole)
{
	struct own_topics *o = arg;
	const struct cluster *c = o->s->cluster;

	for (int32_t i = cluster_topics_from(c, physical);
	    cluster_topic_within(c, i, physical, whole); i++) {
		const struct topic *t = &c->topics[i];

		if (o->v == NULL)
			o->n++;
		else if (!t->internal && may_describe(o->s->r, t->name))
			o->v[o->n++] = t;
	}
}

/* What it costs is what the tenant has, not what the cluster has. */
static struct own_topics
own_topics(const struct scene *s)
{
	const struct names *names = tenancy_names(s->r->session);
	struct own_topics o = { s, NULL, 0 };

	names_ranges(names, NAME_TOPIC, add_range, &o);
	o.v = ARENA_ARRAY(s->arena, const struct topic *, o.n + 1);
	o.n = 0;
	names_ranges(names, NAME_TOPIC, add_range, &o);
	return o;
}

static void
show_all_topics(const struct scene *s, struct metadata_response *to)
{
	struct own_topics own = own_topics(s);

	to->topics.v = ARENA_ARRAY(s->arena, struct metadata_response_topics,
	    own.n + 1);
	to->topics.n = own.n;
	for (int32_t i = 0; i < own.n; i++)
		show_topic(s, own.v[i], &to->topics.v[i]);
}

/* Java's client sends an empty name with an id. */
static bool
by_id(const struct metadata_request_topics *q)
{
	return q->name.data == NULL || !uuid_is_zero(&q->topic_id);
}

/* What is asked for twice is answered once, as brokers do: an answer takes much
 * more memory than a name. */
static struct slice
topic_key(const struct metadata_request_topics *q)
{
	return by_id(q) ? (struct slice){ q->topic_id.b,
	    sizeof(q->topic_id.b) } : q->name;
}

/* An unknown topic, until it was asked for upstream. */
static void
show_unknown(const struct metadata_request_topics *q,
    struct metadata_response_topics *to)
{
	to->name = q->name;
	to->topic_id = q->topic_id;
	to->topic_authorized_operations = OPERATIONS_OMITTED;
	to->error_code = by_id(q) ? KAFKA_UNKNOWN_TOPIC_ID :
	    KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	if (to->name.data == NULL)
		to->name = SLICE_LIT("");
}

/* Whether there is such a topic or not. */
static void
show_denied(const struct metadata_request_topics *q,
    struct metadata_response_topics *to)
{
	show_unknown(q, to);
	memset(&to->topic_id, 0, sizeof(to->topic_id));
	to->error_code = KAFKA_TOPIC_AUTHORIZATION_FAILED;
}

/* By id, one that may not be described is unknown. */
static const struct topic *
asked_topic(struct request *r, const struct metadata_request_topics *q)
{
	const struct cluster *c = r->worker->cluster;
	const struct topic *t;

	if (!by_id(q))
		return cluster_visible(c, q->name);
	t = cluster_visible_by_id(c, &q->topic_id);
	return t != NULL && is_granted(r, t->name) ? t : NULL;
}

static struct metadata_response *
show_cluster(const struct scene *s)
{
	struct metadata_response *to = codec_new(&metadata_response_message,
	    s->arena);
	const struct metadata_request *q = s->r->body;

	to->brokers.n = s->count;
	to->brokers.v = ARENA_ARRAY(s->arena, struct metadata_response_brokers,
	    s->count);
	for (int32_t i = 0; i < s->count; i++) {
		to->brokers.v[i].node_id = i;
		session_address(s->r->session, i, s->arena,
		    &to->brokers.v[i].host, &to->brokers.v[i].port);
	}
	to->cluster_id = virtual_cluster_id(s->cluster, s->arena);
	to->controller_id = controller(s);
	to->cluster_authorized_operations =
	    q->include_cluster_authorized_operations ?
	    authorize_cluster_operations(s->r->session) :
	    OPERATIONS_OMITTED;
	return to;
}

/* Version 0 has no null: its empty list means all. */
static bool
wants_all(const struct request *r)
{
	const struct metadata_request *q = r->body;

	return q->topics.n < 0 || (r->version == 0 && q->topics.n == 0);
}

/* Each virtual id once: several brokers may have become one. */
static int32_t
each_once(int32_t *v, int32_t n)
{
	int32_t kept = 0;

	for (int32_t i = 0; i < n; i++) {
		bool seen = false;

		for (int32_t j = 0; j < kept; j++)
			seen |= v[j] == v[i];
		if (!seen && v[i] >= 0)
			v[kept++] = v[i];
	}
	return kept;
}

static void
tidy_topic(struct metadata_response_topics *t)
{
	for (int32_t i = 0; i < t->partitions.n; i++) {
		struct metadata_response_topics_partitions *p =
		    &t->partitions.v[i];

		p->replica_nodes.n = each_once(p->replica_nodes.v,
		    p->replica_nodes.n);
		p->isr_nodes.n = each_once(p->isr_nodes.v, p->isr_nodes.n);
		p->offline_replicas.n = each_once(p->offline_replicas.v,
		    p->offline_replicas.n);
	}
}

/* Topics that the snapshot lacks are asked for in two ways: those that may be
 * created, and the others. */
enum { ASK_CREATING, ASK_ONLY, ASKS };

/* What both have brought. By a table, for there may be very many. */
struct upstream_topics {
	struct htab	*by_name;
	int16_t		 error;		/* of those that are not there */
};

/* What Metadata says of a topic that a CreateTopics was sent for: as brokers,
 * when it is on its way. */
static int16_t
error_of_made(int16_t error)
{
	switch (error) {
	case KAFKA_NONE:
	case KAFKA_TOPIC_ALREADY_EXISTS:
	case KAFKA_NOT_CONTROLLER:
	case KAFKA_REQUEST_TIMED_OUT:
		return KAFKA_LEADER_NOT_AVAILABLE;
	case KAFKA_INVALID_TOPIC_EXCEPTION:
	case KAFKA_INVALID_REPLICATION_FACTOR:
		return error;
	default:
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
}

/* Metadata has no room for a sentence, and its client asks on. */
static void
tell_not_made(struct request *r, const struct create_topics_response *got)
{
	int64_t now = loop_now_us(r->worker->loop);

	for (int32_t i = 0; i < got->topics.n; i++) {
		const struct create_topics_response_topics *t =
		    &got->topics.v[i];
		int16_t error = error_of_made(t->error_code);
		struct log_quoted name, text;

		if (error == KAFKA_LEADER_NOT_AVAILABLE ||
		    now - r->worker->not_made_us < NOT_MADE_LOG_US)
			continue;
		r->worker->not_made_us = now;
		log_warn("topic not made", "topic=%s error=%d detail=%s",
		    log_quote(t->name, &name), t->error_code,
		    log_quote(t->error_message, &text));
	}
}

static void
gather_made(struct request *r, struct upstream_topics *u,
    const struct create_topics_response *got)
{
	struct metadata_response_topics *v = ARENA_ARRAY(&r->arena,
	    struct metadata_response_topics, got->topics.n + 1);
	int32_t theirs = 0, made = 0;

	tell_not_made(r, got);
	for (int32_t i = 0; i < got->topics.n; i++) {
		v[i].name = got->topics.v[i].name;
		v[i].error_code = error_of_made(got->topics.v[i].error_code);
		if (got->topics.v[i].error_code == 0) {
			theirs = got->topics.v[i].num_partitions;
			made++;
		}
		htab_set(u->by_name, v[i].name, &v[i]);
	}
	if (theirs > 0 && topic_rules_partitions_max(r) == 0)
		throttle_topics_learn(r, theirs, made);
}

static void
gather(struct request *r, struct upstream_topics *u)
{
	u->by_name = htab_new();
	for (int32_t i = 0; i < r->leg_count; i++) {
		struct metadata_response *got = r->legs[i].reply;

		if (got == NULL) {
			u->error = r->legs[i].as != NULL ?
			    KAFKA_LEADER_NOT_AVAILABLE : r->legs[i].error;
			continue;
		}
		if (r->legs[i].as != NULL) {
			gather_made(r, u, r->legs[i].reply);
			continue;
		}
		outward(r, got);
		for (int32_t j = 0; j < got->topics.n; j++)
			if (got->topics.v[j].name.data != NULL &&
			    !got->topics.v[j].is_internal)
				htab_set(u->by_name, got->topics.v[j].name,
				    &got->topics.v[j]);
	}
}

/* Whether it would create a topic that is not there. */
static bool
creates(const struct request *r)
{
	const struct metadata_request *q = r->body;

	return q->allow_auto_topic_creation &&
	    r->worker->config->cluster.auto_create_topics &&
	    topic_rules_auto_create(r);
}

/* Brokers would have created it for the gateway: as they tell a client which
 * may not have that. Or its name is against a rule. */
static bool
creation_denied(struct request *r, struct slice name)
{
	return creates(r) && (!topic_rules_may_be_named(r, name) ||
	    !authorize_allows(r->session, POLICY_CREATE_TOPIC, name));
}

static void
take_topic(struct request *r, const struct metadata_response_topics *from,
    struct metadata_response_topics *t)
{
	const struct metadata_request *q = r->body;

	*t = *from;
	tidy_topic(t);
	/* Brokers say what the gateway may do. */
	t->topic_authorized_operations =
	    q->include_topic_authorized_operations && t->error_code == 0 ?
	    authorize_topic_operations(r->session, t->name) :
	    OPERATIONS_OMITTED;
	if (t->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
	    creates(r) &&
	    !authorize_grants(r, POLICY_CREATE_TOPIC, t->name))
		t->error_code = KAFKA_TOPIC_AUTHORIZATION_FAILED;
}

static void
take_upstream(struct request *r, struct metadata_response *to)
{
	struct upstream_topics u = { NULL, 0 };

	gather(r, &u);
	for (int32_t i = 0; i < to->topics.n; i++) {
		struct metadata_response_topics *t = &to->topics.v[i];
		const struct metadata_response_topics *answer;

		if (t->error_code != KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
			continue;
		answer = htab_get(u.by_name, t->name);
		if (answer != NULL)
			take_topic(r, answer, t);
		else if (u.error != 0)
			t->error_code = u.error;
	}
	htab_free(u.by_name, NULL);
}

static void
metadata_upstream_done(struct request *r)
{
	if (r->session == NULL) {
		request_finish(r);
		return;
	}
	take_upstream(r, r->state);
	throttle_topics_done(r, r->state);
	worker_wish(r->worker);
	request_answer(r, r->state);
}

/* Copies what lives in the snapshot or the configuration, which may both be
 * gone when a broker has answered. */
static void
keep_texts(struct request *r, struct metadata_response *to)
{
	for (int32_t i = 0; i < to->brokers.n; i++)
		to->brokers.v[i].host = arena_slice(&r->arena,
		    to->brokers.v[i].host);
	for (int32_t i = 0; i < to->topics.n; i++)
		to->topics.v[i].name = arena_slice(&r->arena,
		    to->topics.v[i].name);
}

/* Not a topic that is hidden. */
static bool
is_unknown(const struct cluster *c, const struct metadata_response_topics *t)
{
	return t->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
	    cluster_topic(c, t->name) == NULL &&
	    !topic_reserved(t->name, false);
}

static struct metadata_request *
new_ask(struct request *r, int32_t room, bool creating)
{
	const struct metadata_request *q = r->body;
	struct metadata_request *ask = ARENA_NEW(&r->arena,
	    struct metadata_request);

	*ask = *q;
	ask->include_cluster_authorized_operations = false;
	if (!creating || !creates(r))
		ask->allow_auto_topic_creation = false;
	ask->topics.v = ARENA_ARRAY(&r->arena, struct metadata_request_topics,
	    room);
	ask->topics.n = 0;
	return ask;
}

/* Divides the named topics that are unknown here. */
static void
divide_unknown(struct request *r, const struct metadata_response *to,
    struct metadata_request *asks[ASKS])
{
	for (int32_t i = 0; i < to->topics.n; i++) {
		struct slice name = to->topics.v[i].name;
		struct metadata_request *ask;

		if (!is_unknown(r->worker->cluster, &to->topics.v[i]))
			continue;
		ask = asks[creation_denied(r, name) ? ASK_ONLY : ASK_CREATING];
		ask->topics.v[ask->topics.n++].name = name;
	}
}

/* Has it asked first how many partitions brokers make of themselves. */
static bool
ask_default(struct request *r, const struct metadata_request *ask)
{
	struct slice *names;

	if (!topic_rules_wants_default(r))
		return false;
	names = ARENA_ARRAY(&r->arena, struct slice, ask->topics.n + 1);
	for (int32_t i = 0; i < ask->topics.n; i++)
		names[i] = ask->topics.v[i].name;
	return topic_default_learn(r, names, ask->topics.n, api_metadata);
}

/* Brokers make topics with their own defaults: where that would break a rule
 * they are told what to make. False: they do not let themselves be told. */
static bool
make_by_rules(struct request *r, const struct metadata_request *ask,
    struct leg *l)
{
	struct create_topics_request *q = ARENA_NEW(&r->arena,
	    struct create_topics_request);

	l->as = topic_default_api(r, &l->as_version);
	if (l->as == NULL)
		return false;
	q->timeout_ms = MAKE_TIMEOUT_MS;
	q->topics.n = ask->topics.n;
	q->topics.v = ARENA_ARRAY(&r->arena,
	    struct create_topics_request_topics, ask->topics.n);
	for (int32_t i = 0; i < q->topics.n; i++)
		topic_rules_new_topic(r, ask->topics.v[i].name,
		    &q->topics.v[i]);
	l->body = q;
	return true;
}

static void
set_leg(struct request *r, struct metadata_request *ask, struct leg *l)
{
	l->broker = LEG_ANY;
	l->body = ask;
	if (ask->allow_auto_topic_creation && topic_rules_impose(r) &&
	    !make_by_rules(r, ask, l))
		ask->allow_auto_topic_creation = false;
}

/* Asks a broker for the named topics that are unknown here. */
static void
ask_upstream(struct request *r, struct metadata_response *to, int32_t unknown)
{
	struct metadata_request *asks[ASKS], *creating;
	int32_t legs = 0;

	for (int i = 0; i < ASKS; i++)
		asks[i] = new_ask(r, unknown, i == ASK_CREATING);
	creating = asks[ASK_CREATING];
	keep_texts(r, to);
	divide_unknown(r, to, asks);
	if (creating->topics.n == 0)
		creating->allow_auto_topic_creation = false;
	if (creating->allow_auto_topic_creation && ask_default(r, creating))
		return;
	if (creating->allow_auto_topic_creation &&
	    !throttle_may_create(r, creating))
		creating->allow_auto_topic_creation = false;
	r->state = to;
	request_legs(r, ASKS);
	for (int i = 0; i < ASKS; i++)
		if (asks[i]->topics.n > 0)
			set_leg(r, asks[i], &r->legs[legs++]);
	r->leg_count = legs;
	request_send(r, USE_GENERAL, false, metadata_upstream_done);
}

/* Those that were asked for; a broker is asked for what nobody knows. */
static void
metadata_by_name(struct request *r, const struct scene *s,
    struct metadata_response *to)
{
	const struct metadata_request *q = r->body;
	int32_t unknown = 0, unknown_ids = 0;
	struct htab *seen = htab_new();

	to->topics.v = ARENA_ARRAY(s->arena, struct metadata_response_topics,
	    q->topics.n + 1);
	for (int32_t i = 0; i < q->topics.n; i++) {
		const struct topic *t;
		struct metadata_response_topics *one =
		    &to->topics.v[to->topics.n];

		if (htab_set(seen, topic_key(&q->topics.v[i]), seen) != NULL)
			continue;
		to->topics.n++;
		if (!by_id(&q->topics.v[i]) &&
		    !is_granted(r, q->topics.v[i].name)) {
			show_denied(&q->topics.v[i], one);
			continue;
		}
		t = asked_topic(r, &q->topics.v[i]);
		if (t != NULL) {
			show_topic(s, t, one);
			continue;
		}
		show_unknown(&q->topics.v[i], one);
		if (by_id(&q->topics.v[i]))
			unknown_ids++;
		else if (is_unknown(s->cluster, one))
			unknown++;
	}
	htab_free(seen, NULL);
	if (unknown_ids > 0 && request_park(r, api_metadata))
		return;
	if (unknown > 0)
		ask_upstream(r, to, unknown);
	else
		request_answer(r, to);
}

/* An unknown name takes many times its bytes, here and in the question to a
 * broker: whoever asks for far more topics than it may know of is up to no
 * good. How many others there are is not to be told by this. */
static bool
too_many_names(const struct scene *s)
{
	const struct metadata_request *q = s->r->body;

	return q->topics.n > METADATA_NAMES_MAX && q->topics.n >
	    METADATA_NAMES_MAX + 2 * (int64_t)own_topics(s).n;
}

void
api_metadata(struct request *r)
{
	struct scene s;
	struct metadata_response *to;

	if (snapshot_is_stale(r->worker) && request_park(r, api_metadata))
		return;
	s = scene_of(r);
	to = show_cluster(&s);
	if (too_many_names(&s)) {
		request_fail(r, CONN_LIMIT, "too many topics in a request");
		return;
	}
	if (!wants_all(r)) {
		metadata_by_name(r, &s, to);
		return;
	}
	show_all_topics(&s, to);
	request_answer(r, to);
}

/* ---- DescribeCluster ---- */

void
api_describe_cluster(struct request *r)
{
	const struct describe_cluster_request *q = r->body;
	struct scene s = scene_of(r);
	struct describe_cluster_response *to = codec_new(
	    &describe_cluster_response_message, s.arena);

	to->endpoint_type = q->endpoint_type;
	if (r->version >= 1 && q->endpoint_type != 1) {
		/* Controllers are not to be had through this address. */
		to->error_code = KAFKA_MISMATCHED_ENDPOINT_TYPE;
		to->error_message = slice_of(kafka_error_text(to->error_code));
		to->cluster_id = SLICE_LIT("");
		request_answer(r, to);
		return;
	}
	to->cluster_id = virtual_cluster_id(s.cluster, s.arena);
	to->controller_id = controller(&s);
	to->brokers.n = s.count;
	to->brokers.v = ARENA_ARRAY(s.arena,
	    struct describe_cluster_response_brokers, s.count);
	for (int32_t i = 0; i < s.count; i++) {
		to->brokers.v[i].broker_id = i;
		session_address(r->session, i, s.arena,
		    &to->brokers.v[i].host, &to->brokers.v[i].port);
	}
	if (q->include_cluster_authorized_operations)
		to->cluster_authorized_operations =
		    authorize_cluster_operations(r->session);
	request_answer(r, to);
}

/* ---- DescribeTopicPartitions ---- */

struct page {
	struct scene					 s;
	struct describe_topic_partitions_response	*to;
	const struct describe_topic_partitions_request_cursor *cursor;
	int32_t						 room;
	bool						 full;
};

static void
page_partition(struct page *pg, const struct partition *p,
    struct describe_topic_partitions_response_topics_partitions *to)
{
	const struct scene *s = &pg->s;
	struct int32_list replicas = virtual_brokers(s->cluster, s->count,
	    &p->replicas, s->arena);
	struct int32_list isr = virtual_brokers(s->cluster, s->count, &p->isr,
	    s->arena);
	struct int32_list offline = offline_only(s, p, &isr);

	codec_defaults(
	    &describe_topic_partitions_response_topics_partitions_message, to);
	/* Not known here; the Java client takes no null. */
	to->eligible_leader_replicas.n = to->last_known_elr.n = 0;
	to->error_code = p->leader < 0 ? KAFKA_LEADER_NOT_AVAILABLE : 0;
	to->partition_index = p->index;
	to->leader_id = virtual_broker(s->cluster, s->count, p->leader);
	to->leader_epoch = p->leader_epoch;
	to->replica_nodes.v = replicas.v;
	to->replica_nodes.n = replicas.n;
	to->isr_nodes.v = isr.v;
	to->isr_nodes.n = isr.n;
	to->offline_replicas.v = offline.v;
	to->offline_replicas.n = offline.n;
}

/* Remembers where the next page begins. */
static void
page_ends(struct page *pg, struct slice topic, int32_t partition)
{
	pg->full = true;
	pg->to->next_cursor = ARENA_NEW(pg->s.arena,
	    struct describe_topic_partitions_response_next_cursor);
	pg->to->next_cursor->topic_name = topic;
	pg->to->next_cursor->partition_index = partition;
}

static void
page_topic(struct page *pg, struct slice name, const struct topic *t)
{
	struct describe_topic_partitions_response_topics *to;
	int32_t from = 0;

	if (pg->full)
		return;
	if (t != NULL && pg->cursor != NULL &&
	    slice_eq(pg->cursor->topic_name, name))
		from = pg->cursor->partition_index;
	if (t != NULL && from < t->partition_count && pg->room == 0) {
		page_ends(pg, name, from);
		return;
	}
	to = &pg->to->topics.v[pg->to->topics.n++];
	codec_defaults(&describe_topic_partitions_response_topics_message, to);
	to->name = name;
	if (t == NULL) {
		to->error_code = is_granted(pg->s.r, name) ?
		    KAFKA_UNKNOWN_TOPIC_OR_PARTITION :
		    KAFKA_TOPIC_AUTHORIZATION_FAILED;
		return;
	}
	to->topic_id = t->id;
	to->error_code = t->error_code;
	to->topic_authorized_operations =
	    authorize_topic_operations(pg->s.r->session, name);
	to->partitions.v = ARENA_ARRAY(pg->s.arena,
	    struct describe_topic_partitions_response_topics_partitions,
	    t->partition_count + 1);
	for (int32_t i = from; i < t->partition_count; i++) {
		if (pg->room == 0) {
			page_ends(pg, name, i);
			return;
		}
		page_partition(pg, &t->partitions[i],
		    &to->partitions.v[to->partitions.n++]);
		pg->room--;
	}
}

static int
compare_names(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	uint32_t n = x->len < y->len ? x->len : y->len;
	int c = n ? memcmp(x->data, y->data, n) : 0;

	return c ? c : (x->len < y->len ? -1 : x->len > y->len);
}

/* The topics asked for, sorted, from the cursor's on. */
static void
page_topics(struct page *pg, const struct describe_topic_partitions_request *q)
{
	const struct cluster *c = pg->s.cluster;
	bool all = q->topics.n <= 0;
	struct own_topics own = { NULL, NULL, 0 };
	struct slice *names;
	int32_t n = q->topics.n;

	if (all) {
		own = own_topics(&pg->s);
		n = own.n;
	}
	names = ARENA_ARRAY(pg->s.arena, struct slice, n + 1);
	for (int32_t i = 0; i < n; i++)
		names[i] = all ? own.v[i]->name : q->topics.v[i].name;
	qsort(names, (size_t)n, sizeof(*names), compare_names);
	pg->to->topics.v = ARENA_ARRAY(pg->s.arena,
	    struct describe_topic_partitions_response_topics, n + 1);
	for (int32_t i = 0; i < n; i++) {
		const struct topic *t = may_describe(pg->s.r, names[i]) ?
		    cluster_visible(c, names[i]) : NULL;

		if (pg->cursor != NULL &&
		    compare_names(&names[i], &pg->cursor->topic_name) < 0)
			continue;
		if (i > 0 && slice_eq(names[i], names[i - 1]))
			continue;
		if (t != NULL || !all)
			page_topic(pg, names[i], t);
	}
}

void
api_describe_topic_partitions(struct request *r)
{
	const struct describe_topic_partitions_request *q = r->body;
	struct page pg = { .cursor = q->cursor };

	for (int32_t i = 0; i < q->topics.n; i++)
		if (may_describe(r, q->topics.v[i].name) &&
		    cluster_topic(r->worker->cluster, q->topics.v[i].name) ==
		    NULL && request_park(r, api_describe_topic_partitions))
			return;
	if (snapshot_is_stale(r->worker) &&
	    request_park(r, api_describe_topic_partitions))
		return;
	pg.s = scene_of(r);
	pg.to = codec_new(&describe_topic_partitions_response_message,
	    pg.s.arena);
	pg.room = q->response_partition_limit;
	if (pg.room > PARTITIONS_A_PAGE)
		pg.room = PARTITIONS_A_PAGE;
	if (pg.room < 1)
		pg.room = 1;
	if (q->cursor != NULL && q->cursor->partition_index < 0) {
		request_fail(r, CONN_BAD_REQUEST, "cursor below zero");
		return;
	}
	page_topics(&pg, q);
	request_answer(r, pg.to);
}
