/* SPDX-License-Identifier: Apache-2.0 */
/* What changes a topic's class, or makes topics beside; and what became of all
 * that was let through. */
#include "gateway/throttle_topics.h"

#include "gateway/base/htab.h"
#include "gateway/census_control.h"
#include "gateway/census_policies.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_count.h"
#include "gateway/worker.h"
#include "routing/shape.h"
#include "wire/messages.h"

/* ---- policies that change ---- */

/* org.apache.kafka.common.config.ConfigResource.Type,
 * org.apache.kafka.clients.admin.AlterConfigOp.OpType */
enum { RESOURCE_TOPIC = 2 };
enum { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

/* All of its entries: what is not there is taken back. */
static enum made_class
class_altered(const struct alter_configs_request_resources *q)
{
	for (int32_t i = 0; i < q->configs.n; i++)
		if (slice_is(q->configs.v[i].name, "cleanup.policy"))
			return policies_compacts(q->configs.v[i].value) ?
			    MADE_COMPACTED : MADE_PLAIN;
	return MADE_PLAIN;
}

/* UNKNOWN: they leave it as it is. */
static enum made_class
class_changed(const struct incremental_alter_configs_request_resources *q)
{
	enum made_class class = MADE_UNKNOWN;

	for (int32_t i = 0; i < q->configs.n; i++) {
		bool compacts = policies_compacts(q->configs.v[i].value);

		if (!slice_is(q->configs.v[i].name, "cleanup.policy"))
			continue;
		switch (q->configs.v[i].config_operation) {
		case OP_SET:
			class = compacts ? MADE_COMPACTED : MADE_PLAIN;
			break;
		case OP_APPEND:
			class = compacts ? MADE_COMPACTED : class;
			break;
		case OP_SUBTRACT:
			class = compacts ? MADE_PLAIN : class;
			break;
		default:
			class = MADE_PLAIN;
			break;
		}
	}
	return class;
}

/* Of element i of its resources: its name, and what it becomes. */
static enum made_class
class_asked(const struct request *r, const void *element, struct slice *name)
{
	const struct alter_configs_request_resources *a = element;
	const struct incremental_alter_configs_request_resources *c = element;

	if (r->schema->key == API_ALTER_CONFIGS) {
		*name = a->resource_name;
		return a->resource_type == RESOURCE_TOPIC ?
		    class_altered(a) : MADE_UNKNOWN;
	}
	*name = c->resource_name;
	return c->resource_type == RESOURCE_TOPIC ? class_changed(c) :
	    MADE_UNKNOWN;
}

int16_t
throttle_config_judge(struct request *r, const struct shape_item *item)
{
	const struct quota_who *w = throttle_who(r->session);
	struct slice name;
	enum made_class class = class_asked(r, item->outer, &name);
	const struct topic *t = cluster_topic(r->worker->cluster, name);
	enum made_class was;
	int32_t partitions;

	if (w == NULL || class == MADE_UNKNOWN ||
	    throttle_only_validates(r))
		return 0;
	was = quota_made_class(w, name, &partitions);
	if (t != NULL) {
		was = throttle_class(r, w, t);
		partitions = t->partition_count;
	}
	return was == class ? 0 :
	    throttle_partitions(r, w, name, partitions, class);
}

/* ---- topics that brokers make for a streams group ---- */

typedef struct streams_group_heartbeat_request_topic_info internal_topic;
typedef struct streams_group_heartbeat_request_topology_subtopologies
    subtopology;

/* Without a number of their own: as many as what is read has. */
static int32_t
tasks_of(const struct request *r, const subtopology *s)
{
	int32_t n = 1;

	for (int32_t i = 0; i < s->source_topics.n; i++) {
		const struct topic *t = cluster_topic(r->worker->cluster,
		    s->source_topics.v[i]);

		if (t != NULL && t->partition_count > n)
			n = t->partition_count;
	}
	return n;
}

static int16_t
judge_internal(struct request *r, const struct quota_who *w,
    const internal_topic *v, int32_t n, int32_t tasks)
{
	for (int32_t i = 0; i < n; i++) {
		enum made_class class = MADE_PLAIN;
		int16_t error;

		if (cluster_topic(r->worker->cluster, v[i].name) != NULL)
			continue;
		for (int32_t j = 0; j < v[i].topic_configs.n; j++)
			if (slice_is(v[i].topic_configs.v[j].key,
			    "cleanup.policy") && policies_compacts(
			    v[i].topic_configs.v[j].value))
				class = MADE_COMPACTED;
		error = throttle_partitions(r, w, v[i].name,
		    v[i].partitions > 0 ? v[i].partitions : tasks, class);
		if (error != 0)
			return error;
	}
	return 0;
}

int16_t
throttle_topology_judge(struct request *r)
{
	const struct streams_group_heartbeat_request *q = r->body;
	const struct quota_who *w = throttle_who(r->session);
	int16_t error = 0;

	if (w == NULL || q->topology == NULL)
		return 0;
	for (int32_t i = 0; i < q->topology->subtopologies.n && error == 0;
	    i++) {
		const subtopology *s = &q->topology->subtopologies.v[i];
		int32_t tasks = tasks_of(r, s);

		error = judge_internal(r, w, s->repartition_source_topics.v,
		    s->repartition_source_topics.n, tasks);
		if (error == 0)
			error = judge_internal(r, w,
			    s->state_changelog_topics.v,
			    s->state_changelog_topics.n, tasks);
	}
	return error;
}

/* ---- what became of it ---- */

/* Whether it may have been done all the same. */
static bool
is_open(int16_t error)
{
	return error == KAFKA_REQUEST_TIMED_OUT ||
	    error == KAFKA_NOT_CONTROLLER ||
	    error == KAFKA_LEADER_NOT_AVAILABLE;
}

static bool
is_about_configs(const struct request *r)
{
	return r->schema->key == API_ALTER_CONFIGS ||
	    r->schema->key == API_INCREMENTAL_ALTER_CONFIGS;
}

/* By name: what the request changed, from the first to the last time. */
static struct htab *
made_here(const struct request *r)
{
	struct htab *to = htab_new();

	for (int32_t i = 0; i < r->made_count; i++) {
		struct throttle_made *first = htab_get(to, r->made[i].name);

		if (first != NULL)
			first->is = r->made[i].is;
		else
			htab_set(to, r->made[i].name, &r->made[i]);
	}
	return to;
}

/* Those whose class it changes. */
static struct htab *
touched(const struct request *r)
{
	const struct alter_configs_request *a = r->body;
	const struct incremental_alter_configs_request *c = r->body;
	bool old = r->schema->key == API_ALTER_CONFIGS;
	int32_t n = old ? a->resources.n : c->resources.n;
	struct htab *to = htab_new();
	struct slice name;

	for (int32_t i = 0; i < n; i++) {
		const void *element = old ? (const void *)&a->resources.v[i] :
		    &c->resources.v[i];

		if (class_asked(r, element, &name) != MADE_UNKNOWN)
			htab_set(to, name, to);
	}
	return to;
}

struct answers {
	struct request		*r;
	const struct quota_who	*who;
	struct htab		*made, *touched;	/* touched: or NULL */
};

/* What others have made before stays: that a topic is there already is an
 * error, too. */
static void
answered(const struct answers *a, struct slice name, int16_t error)
{
	const struct throttle_made *m = htab_get(a->made, name);

	if (error == 0 && a->touched != NULL &&
	    htab_get(a->touched, name) != NULL)
		census_doubt(a->r->worker->gateway, name);
	if (error == 0 && a->r->schema->key == API_DELETE_TOPICS)
		quota_unmade(a->who, name);
	if (m != NULL && error != 0 && !is_open(error))
		quota_made_back(a->who, name, &m->was, &m->is);
}

static enum codec_walk
visit_answer(void *arg, const struct field *f, void *value, void *parent)
{
	const struct answers *a = arg;
	const struct field *error, *name;
	struct slice said;
	int16_t code;

	(void)parent;
	if (f->type != FIELD_STRUCT ||
	    (error = message_field(f->element, "error_code")) == NULL ||
	    ((name = message_field(f->element, "name")) == NULL &&
	    (name = message_field(f->element, "resource_name")) == NULL))
		return CODEC_KEEP;
	memcpy(&code, (char *)value + error->offset, sizeof(code));
	memcpy(&said, (char *)value + name->offset, sizeof(said));
	if (said.data != NULL)
		answered(a, said, code);
	return CODEC_KEEP;
}

/* Whether a census is due; configurations are asked about by themselves. */
static bool
has_changed(const struct request *r)
{
	return r->schema->key == API_METADATA ? r->made_count > 0 :
	    !is_about_configs(r);
}

void
throttle_topics_done(struct request *r, void *response)
{
	struct answers a = { .r = r, .who = throttle_who(r->session) };

	if (a.who == NULL || throttle_only_validates(r) ||
	    (!throttle_counts_partitions(a.who) &&
	    !quota_is_limited(a.who, QUOTA_DIM_COMPACTED_BYTES)))
		return;
	a.made = made_here(r);
	a.touched = is_about_configs(r) ? touched(r) : NULL;
	codec_walk(r->schema->response, r->version, response, visit_answer,
	    &a);
	if (has_changed(r))
		census_wish(r->worker->gateway, false);
	htab_free(a.made, NULL);
	htab_free(a.touched, NULL);
}
