/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Administration: topics and configurations. What names a broker is mapped or
 * refused; what is the cluster's own (its configuration, client metrics) is
 * refused; a virtual broker has no configuration to show.
 */
#include <stdio.h>

#include "gateway/authorize.h"
#include "gateway/forward.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_topics.h"
#include "gateway/topic_default.h"
#include "gateway/topic_rules.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/virtual.h"
#include "wire/messages.h"

/* org.apache.kafka.common.config.ConfigResource.Type */
enum {
	RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4, RESOURCE_CLIENT_METRICS = 16,
	RESOURCE_GROUP = 32,
};

/* ---- topics ---- */

/* A reply with the tenant's rules beside what they refused. */
static void
answer_with_rules(struct request *r, void *response)
{
	outward(r, response);
	throttle_explain(r, response);
	topic_rules_explain(r, response);
	request_answer(r, response);
}

/* Brokers' own topics are nobody's: there is none, and none is made. Where
 * there are tenants or policies, authorize has denied it before. */
static int16_t
judge_internal(struct request *r, const struct shape_item *item)
{
	const struct cluster *c = r->worker->cluster;

	if (item->id != NULL && !uuid_is_zero(item->id))
		return cluster_topic_by_id(c, item->id) != NULL &&
		    cluster_visible_by_id(c, item->id) == NULL ?
		    KAFKA_UNKNOWN_TOPIC_ID : 0;
	if (!cluster_internal(c, item->name))
		return 0;
	return r->api->key == API_CREATE_TOPICS ?
	    KAFKA_INVALID_TOPIC_EXCEPTION : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static int16_t
judge_change(struct request *r, const struct shape_item *item)
{
	int16_t error = judge_internal(r, item);

	if (error == 0)
		error = throttle_topic_judge(r, item);
	return error != 0 ? error : FORWARD_ITEM;
}

/* After a change the snapshot is wrong. */
static void
changed(struct request *r, void *response)
{
	worker_wish(r->worker);
	throttle_topics_made(r, response);
	throttle_topics_done(r, response);
	answer_with_rules(r, response);
}

void
api_change_topics(struct request *r)
{
	const struct forward_how how = {
		.judge = judge_change, .once = true, .finish = changed,
	};

	forward_with(r, &how);
}

struct mapping {
	const struct cluster	*cluster;
	int32_t			 count;
	bool			 failed;
};

static enum codec_walk
map_broker(void *arg, const struct field *f, void *value, void *parent)
{
	struct mapping *m = arg;
	int32_t id;

	(void)parent;
	if (f->meaning == MEANING_broker && f->type == FIELD_INT32) {
		memcpy(&id, value, sizeof(id));
		id = virtual_real(m->cluster, m->count, id);
		memcpy(value, &id, sizeof(id));
		m->failed |= id < 0;
	}
	return CODEC_KEEP;
}

/* Virtual brokers of a manual assignment become real ones; where one of them
 * stands for several it is refused. */
static int16_t
judge_topic(struct request *r, const struct shape_item *item)
{
	struct mapping m = { r->worker->cluster,
		session_virtual_count(r->session), false };
	struct error why;
	int16_t error = topic_rules_judge(r, item, &why);

	if (error != 0)
		return error;
	/* The element is the request's own. */
	codec_walk(message_field(r->schema->request, "topics")->element,
	    r->version, (void *)(uintptr_t)item->outer, map_broker, &m);
	return m.failed ? KAFKA_INVALID_REPLICA_ASSIGNMENT :
	    judge_change(r, item);
}

/* Whether brokers would say what they make of it. */
static bool
may_be_made(struct request *r, struct slice name)
{
	return cluster_topic(r->worker->cluster, name) == NULL &&
	    names_topic_valid(name) &&
	    authorize_allows(r->session, POLICY_CREATE_TOPIC, name);
}

/* Has it asked how many partitions brokers make of themselves, where a topic
 * leaves that to them and a rule wants to know. */
static bool
ask_default(struct request *r)
{
	const struct create_topics_request *q = r->body;
	struct slice *names;
	int32_t n = 0;

	if (r->schema->key != API_CREATE_TOPICS ||
	    !topic_rules_wants_default(r))
		return false;
	names = ARENA_ARRAY(&r->arena, struct slice, q->topics.n + 1);
	for (int32_t i = 0; i < q->topics.n; i++)
		if (q->topics.v[i].num_partitions == -1 &&
		    q->topics.v[i].assignments.n <= 0 &&
		    may_be_made(r, q->topics.v[i].name))
			names[n++] = q->topics.v[i].name;
	return topic_default_learn(r, names, n, api_create_topics);
}

void
api_create_topics(struct request *r)
{
	const struct forward_how how = {
		.judge = judge_topic, .once = true, .finish = changed,
	};

	if (!ask_default(r))
		forward_with(r, &how);
}

/* Brokers are virtual: nothing ever moves between them. */
void
api_list_reassignments(struct request *r)
{
	request_answer(r, codec_new(
	    &list_partition_reassignments_response_message, &r->arena));
}

/* ---- configurations ---- */

static bool
is_virtual_broker(struct request *r, struct slice name)
{
	char text[16];
	int id;
	char rest;

	if (name.len == 0)
		return true;	/* the default of all brokers */
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
	return sscanf(text, "%d%c", &id, &rest) == 1 && id >= 0 &&
	    id < session_virtual_count(r->session);
}

static int16_t
judge_describe(struct request *r, const struct shape_item *item)
{
	const struct describe_configs_request_resources *c = item->outer;
	int16_t error;

	switch (c->resource_type) {
	case RESOURCE_TOPIC:
		error = judge_internal(r, item);
		return error != 0 ? error : FORWARD_ITEM;
	case RESOURCE_GROUP:
		return FORWARD_ITEM;
	case RESOURCE_BROKER:
		return is_virtual_broker(r, c->resource_name) ? 0 :
		    KAFKA_INVALID_REQUEST;
	default:
		return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	}
}

static void
configs_described(struct request *r, void *response)
{
	topic_rules_show(r, response);
	forward_answer(r, response);
}

void
api_describe_configs(struct request *r)
{
	const struct forward_how how = {
		.judge = judge_describe, .finish = configs_described,
	};

	forward_with(r, &how);
}

static int16_t
judge_alter(struct request *r, const struct shape_item *item)
{
	int8_t type = r->api->key == API_ALTER_CONFIGS ?
	    ((const struct alter_configs_request_resources *)
	    item->outer)->resource_type :
	    ((const struct incremental_alter_configs_request_resources *)
	    item->outer)->resource_type;

	struct error why;
	int16_t error;

	if (type != RESOURCE_TOPIC && type != RESOURCE_GROUP)
		return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	error = type == RESOURCE_TOPIC ? judge_internal(r, item) : 0;
	if (error == 0)
		error = topic_rules_judge(r, item, &why);
	if (error == 0)
		error = throttle_config_judge(r, item);
	return error != 0 ? error : FORWARD_ITEM;
}

static void
configs_altered(struct request *r, void *response)
{
	throttle_topics_done(r, response);
	answer_with_rules(r, response);
}

void
api_alter_configs(struct request *r)
{
	const struct forward_how how = {
		.judge = judge_alter, .finish = configs_altered,
	};
	int16_t error = topic_rules_replace(r);

	if (error != 0)
		request_answer_error(r, error);
	else
		forward_with(r, &how);
}

/* Version 0 lists client metrics only, which are the cluster's own. */
static void
resources_listed(struct request *r, void *response)
{
	struct list_config_resources_response *to = response;
	int32_t n = 0;

	for (int32_t i = 0; i < to->config_resources.n; i++) {
		int8_t type = r->version == 0 ? RESOURCE_CLIENT_METRICS :
		    to->config_resources.v[i].resource_type;

		if (type == RESOURCE_GROUP || (type == RESOURCE_TOPIC &&
		    !cluster_internal(r->worker->cluster,
		    to->config_resources.v[i].resource_name)))
			to->config_resources.v[n++] =
			    to->config_resources.v[i];
	}
	to->config_resources.n = n;
	forward_answer(r, response);
}

void
api_list_config_resources(struct request *r)
{
	forward(r, resources_listed);
}

/* ---- streams groups ---- */

/* Brokers make a streams group's own topics. */
void
api_streams_heartbeat(struct request *r)
{
	struct streams_group_heartbeat_response *to;
	struct error why;
	int16_t error = topic_rules_topology(r, &why);
	bool rules = error != 0;

	if (!rules)
		error = throttle_topology_judge(r);
	if (error == 0) {
		api_make(r);
		return;
	}
	to = codec_new(&streams_group_heartbeat_response_message, &r->arena);
	to->error_code = error;
	to->error_message = rules ? slice_of(why.text) : throttle_text(r);
	request_answer(r, to);
}

/* ---- what is refused, or is somebody else's matter ---- */

void
api_deny(struct request *r)
{
	request_answer_error(r, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
}

/* Who may do what is said by policies, not by ACLs. */
void
api_acls(struct request *r)
{
	request_answer_error(r, KAFKA_SECURITY_DISABLED);
}
