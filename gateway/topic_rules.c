/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/topic_rules.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/htab.h"
#include "gateway/base/wildcard.h"
#include "gateway/config.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/tenants.h"
#include "gateway/topic_default.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/shape.h"
#include "wire/messages.h"

/* ConfigResource.Type, AlterConfigOp.OpType, DescribeConfigsResponse's
 * ConfigSource. */
enum {
	RESOURCE_TOPIC = 2, RESOURCE_GROUP = 32,
	OPERATION_SET = 0, OPERATION_DELETE = 1, OPERATION_APPEND = 2,
	OPERATION_SUBTRACT = 3,
	SOURCE_DYNAMIC_BROKER = 2, SOURCE_STATIC_BROKER = 4,
	SOURCE_DEFAULT = 5,
};

/* In one AlterConfigs, and the entries that take their place. */
enum { TOPICS_REPLACED_MAX = 2000, CHANGES_MAX = 100000 };

static const uint64_t streams_segment_min = 16 * 1024 * 1024;

static const struct config_tenant_topics *
rules_of(const struct request *r)
{
	const struct tenant *t = r->session->tenant;

	return t != NULL && t->config != NULL ? &t->config->topics : NULL;
}

/* ---- one configuration entry ---- */

/* What holds for it, and where that is said. */
struct rule {
	const char		*where;
	enum config_topic_when	 when;
	uint64_t		 min, max;
	const struct text_list	*values;	/* or NULL */
};

static const struct {
	const char		*name;
	enum config_topic_when	 when;
	uint64_t		 max;
} msk_serverless[] = {
#define X(name, when, max) { name, CONFIG_TOPIC_##when, max },
#include "gateway/topic_configs.def"
#undef X
};
enum { MSK_SERVERLESS = sizeof(msk_serverless) / sizeof(msk_serverless[0]) };

/* What is the cluster's own matter, whatever the profile. */
static bool
is_clusters_own(struct slice name)
{
	static const char *const never[] = {
		"leader.replication.throttled.replicas",
		"follower.replication.throttled.replicas",
		"unclean.leader.election.enable", "flush.messages",
		"flush.ms",
	};
	static const char remote[] = "remote.";

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (slice_is(name, never[i]))
			return true;
	return name.len >= sizeof(remote) - 1 &&
	    memcmp(name.data, remote, sizeof(remote) - 1) == 0;
}

static struct rule
profile_rule(const struct config_tenant_topics *t, struct slice name)
{
	if (t->profile == CONFIG_TOPIC_ANY)
		return (struct rule){ "topics.profile any",
		    is_clusters_own(name) ? CONFIG_TOPIC_NEVER :
		    CONFIG_TOPIC_ALWAYS, 0, 0, NULL };
	for (int i = 0; i < MSK_SERVERLESS; i++)
		if (slice_is(name, msk_serverless[i].name))
			return (struct rule){ "topics.profile msk-serverless",
			    msk_serverless[i].when, 0, msk_serverless[i].max,
			    NULL };
	return (struct rule){ "topics.profile msk-serverless",
	    CONFIG_TOPIC_NEVER, 0, 0, NULL };
}

static struct rule
rule_for(const struct config_tenant_topics *t, struct slice name)
{
	if (t->min_insync_replicas > 0 && slice_is(name,
	    "min.insync.replicas"))
		return (struct rule){ "topics.min_insync_replicas",
		    CONFIG_TOPIC_NEVER, 0, 0, NULL };
	for (uint32_t i = 0; i < t->configs.n; i++) {
		const struct config_tenant_topic_config *c = &t->configs.v[i];

		if (slice_is(name, c->name))
			return (struct rule){ "topics.configs", c->when,
			    c->min, c->max, &c->values };
	}
	if (t->streams && slice_is(name, "segment.bytes"))
		return (struct rule){ "topics.streams", CONFIG_TOPIC_ALWAYS,
		    streams_segment_min, 0, NULL };
	return profile_rule(t, name);
}

static bool
refuse(struct error *why, const struct rule *rule, struct slice name,
    const char *what)
{
	error_set(why, "%s: %.*s %s", rule->where, SLICE_FMT(name), what);
	return false;
}

/* As brokers do before they look at a value (String.trim). */
static struct slice
trim(struct slice s)
{
	while (s.len > 0 && s.data[0] <= ' ') {
		s.data++;
		s.len--;
	}
	while (s.len > 0 && s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

static bool
check_words(const struct rule *rule, struct slice name, struct slice value,
    struct error *why)
{
	if (rule->values == NULL || rule->values->n == 0)
		return true;
	for (uint32_t i = 0; i < rule->values->n; i++)
		if (slice_is(value, rule->values->v[i]))
			return true;
	return refuse(why, rule, name, "may not be that");
}

/* [+-]?[0-9]+, of any length. Below zero is without limit, and what is too much
 * for a number is the most. */
static bool
read_size(struct slice s, uint64_t *to)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	uint64_t n = 0;
	uint32_t i = s.len > 0 && (negative || s.data[0] == '+') ? 1 : 0;

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		uint64_t digit = (uint64_t)s.data[i] - '0';

		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX :
		    n * 10 + digit;
	}
	*to = negative && n > 0 ? UINT64_MAX : n;
	return true;
}

/* Brokers read more as a number than this does, digits of other scripts for
 * one: what this cannot read has no limit here, so it does not pass. */
static bool
check_number(const struct rule *rule, struct slice name, struct slice value,
    struct error *why)
{
	char what[64];
	uint64_t size;

	if (rule->min == 0 && rule->max == 0)
		return true;
	if (!read_size(value, &size))
		return refuse(why, rule, name, "must be a whole number");
	if (rule->max > 0 && size > rule->max) {
		snprintf(what, sizeof(what), "may be at most %llu",
		    (unsigned long long)rule->max);
		return refuse(why, rule, name, what);
	}
	if (size < rule->min) {
		snprintf(what, sizeof(what), "must be at least %llu",
		    (unsigned long long)rule->min);
		return refuse(why, rule, name, what);
	}
	return true;
}

/* A null value: what is set is taken back. */
static bool
check_entry(const struct config_tenant_topics *t, bool creating,
    struct slice name, struct slice value, struct error *why)
{
	struct rule rule = rule_for(t, name);

	if (rule.when == CONFIG_TOPIC_NEVER)
		return refuse(why, &rule, name, "may not be set");
	if (rule.when == CONFIG_TOPIC_CREATE && !creating)
		return refuse(why, &rule, name, "may be set only when the "
		    "topic is created");
	if (value.data == NULL)
		return true;
	value = trim(value);
	return check_words(&rule, name, value, why) &&
	    check_number(&rule, name, value, why);
}

/* What is added to or taken from a list is a part of its words only. */
static bool
check_part(const struct config_tenant_topics *t, struct slice name,
    struct error *why)
{
	struct rule rule = rule_for(t, name);

	return rule.values == NULL || rule.values->n == 0 ||
	    refuse(why, &rule, name, "may be set only as a whole");
}

/* ---- topics ---- */

static bool
check_name(struct request *r, const struct config_tenant_topics *t,
    struct slice physical, struct error *why)
{
	struct slice name;

	if (t->name_pattern == NULL || (names_outward(tenancy_names(
	    r->session), NAME_TOPIC, physical, &name, &r->arena) &&
	    wildcard_fits(t->name_pattern, name)))
		return true;
	error_set(why, "topics.name_pattern: the name must look like %s",
	    t->name_pattern);
	return false;
}

static bool
check_count(const struct config_tenant_topics *t, int32_t partitions,
    struct error *why)
{
	if (t->partitions_max == 0 || partitions <= (int64_t)t->partitions_max)
		return true;
	error_set(why, "topics.partitions_max: a topic may have at most %u "
	    "partitions, not %d", t->partitions_max, partitions);
	return false;
}

/* 0: they are placed by hand. */
static bool
impose_replication(const struct config_tenant_topics *t, bool placed,
    int16_t *factor, struct error *why)
{
	int16_t wanted = (int16_t)t->replication_factor;

	if (wanted == 0)
		return true;
	if (placed) {
		error_set(why, "topics.replication_factor: replicas are not "
		    "placed by the client");
		return false;
	}
	if (t->replication == CONFIG_REPLICATION_ONLY && *factor != -1 &&
	    *factor != wanted) {
		error_set(why, "topics.replication_factor: it must be %d, not "
		    "%d", wanted, *factor);
		return false;
	}
	if (t->replication != CONFIG_REPLICATION_DEFAULT || *factor == -1)
		*factor = wanted;
	return true;
}

static bool
is_imposed_insync(const struct config_tenant_topics *t, struct slice name,
    struct slice value)
{
	char text[16];

	if (t->min_insync_replicas == 0 || !slice_is(name,
	    "min.insync.replicas"))
		return false;
	snprintf(text, sizeof(text), "%u", t->min_insync_replicas);
	return slice_is(value, text);
}

typedef struct create_topics_request_topics_configs entry;

/* Adds min.insync.replicas, unless it is there. */
static void
impose_insync(struct request *r, const struct config_tenant_topics *t,
    entry **v, int32_t *n)
{
	entry *all;

	if (t->min_insync_replicas == 0)
		return;
	for (int32_t i = 0; i < *n; i++)
		if (slice_is((*v)[i].name, "min.insync.replicas"))
			return;
	all = ARENA_ARRAY(&r->arena, entry, *n + 1);
	if (*n > 0)
		memcpy(all, *v, (size_t)*n * sizeof(*all));
	all[*n].name = SLICE_LIT("min.insync.replicas");
	all[*n].value = arena_printf(&r->arena, "%u", t->min_insync_replicas);
	*v = all;
	++*n;
}

static bool
check_entries(const struct config_tenant_topics *t, const entry *v, int32_t n,
    struct error *why)
{
	for (int32_t i = 0; i < n; i++)
		if (!is_imposed_insync(t, v[i].name, v[i].value) &&
		    !check_entry(t, true, v[i].name, v[i].value, why))
			return false;
	return true;
}

/* A number that brokers would choose must not be theirs to choose where it may
 * be too much; one that is not known may be. */
static void
impose_count(const struct request *r, const struct config_tenant_topics *t,
    bool placed, int32_t *partitions)
{
	int32_t most = (int32_t)t->partitions_max, theirs;

	if (most == 0 || placed || *partitions != -1)
		return;
	theirs = topic_default(r);
	*partitions = theirs == 0 ? 1 : theirs < most ? theirs : most;
}

static bool
judge_create(struct request *r, const struct config_tenant_topics *t,
    struct create_topics_request_topics *q, struct error *why)
{
	bool placed = q->assignments.n > 0;

	if (!check_name(r, t, q->name, why) ||
	    !check_count(t, placed ? q->assignments.n : q->num_partitions,
	    why) || !check_entries(t, q->configs.v, q->configs.n, why) ||
	    !impose_replication(t, placed, &q->replication_factor, why))
		return false;
	impose_count(r, t, placed, &q->num_partitions);
	impose_insync(r, t, &q->configs.v, &q->configs.n);
	return true;
}

static bool
judge_partitions(const struct config_tenant_topics *t,
    const struct create_partitions_request_topics *q, struct error *why)
{
	if (t->replication_factor > 0 && q->assignments.n > 0) {
		error_set(why, "topics.replication_factor: replicas are not "
		    "placed by the client");
		return false;
	}
	return check_count(t, q->count, why);
}

static bool
judge_alter(const struct config_tenant_topics *t,
    const struct incremental_alter_configs_request_resources *q,
    struct error *why)
{
	for (int32_t i = 0; q->resource_type == RESOURCE_TOPIC &&
	    i < q->configs.n; i++) {
		const struct
		    incremental_alter_configs_request_resources_configs *c =
		    &q->configs.v[i];
		bool gone = c->config_operation == OPERATION_DELETE;
		bool part = c->config_operation == OPERATION_APPEND ||
		    c->config_operation == OPERATION_SUBTRACT;

		if (c->config_operation == OPERATION_SET &&
		    is_imposed_insync(t, c->name, c->value))
			continue;
		if ((part && !check_part(t, c->name, why)) ||
		    !check_entry(t, false, c->name, gone ? SLICE_NULL :
		    c->value, why))
			return false;
	}
	return true;
}

int16_t
topic_rules_judge(struct request *r, const struct shape_item *item,
    struct error *why)
{
	const struct config_tenant_topics *t = rules_of(r);
	/* The element is the request's own. */
	void *q = (void *)(uintptr_t)item->outer;
	bool ok = true;

	if (t == NULL)
		return 0;
	switch (r->schema->key) {
	case API_CREATE_TOPICS:
		ok = judge_create(r, t, q, why);
		break;
	case API_CREATE_PARTITIONS:
		ok = judge_partitions(t, q, why);
		break;
	case API_INCREMENTAL_ALTER_CONFIGS:
		ok = judge_alter(t, q, why);
		break;
	default:
		break;
	}
	return ok ? 0 : KAFKA_POLICY_VIOLATION;
}

/* ---- AlterConfigs ---- */

/* The entries of topics in brokers up to 4.3: what is taken back when it is not
 * given, where the tenant may change it. */
static const char *const known[] = {
	"cleanup.policy", "compression.gzip.level", "compression.lz4.level",
	"compression.type", "compression.zstd.level", "delete.retention.ms",
	"file.delete.delay.ms", "flush.messages", "flush.ms",
	"follower.replication.throttled.replicas", "index.interval.bytes",
	"leader.replication.throttled.replicas", "local.retention.bytes",
	"local.retention.ms", "max.compaction.lag.ms", "max.message.bytes",
	"message.downconversion.enable", "message.timestamp.after.max.ms",
	"message.timestamp.before.max.ms",
	"message.timestamp.difference.max.ms", "message.timestamp.type",
	"min.cleanable.dirty.ratio", "min.compaction.lag.ms",
	"min.insync.replicas", "preallocate", "retention.bytes",
	"retention.ms", "segment.bytes", "segment.index.bytes",
	"segment.jitter.ms", "segment.ms", "unclean.leader.election.enable",
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

typedef struct incremental_alter_configs_request_resources change_of_topic;
typedef struct incremental_alter_configs_request_resources_configs change;

/* Unless it is given, or not the tenant's to change. */
static void
take_back(const struct config_tenant_topics *t, struct slice name,
    change_of_topic *to)
{
	if (rule_for(t, name).when != CONFIG_TOPIC_ALWAYS)
		return;
	for (int32_t i = 0; i < to->configs.n; i++)
		if (slice_eq(to->configs.v[i].name, name))
			return;
	to->configs.v[to->configs.n++] = (change){ name, OPERATION_DELETE,
		SLICE_NULL };
}

static void
changes_of(struct request *r, const struct config_tenant_topics *t,
    const struct alter_configs_request_resources *q, change_of_topic *to)
{
	int32_t more = q->resource_type == RESOURCE_TOPIC ? KNOWN +
	    (int32_t)t->configs.n : 0;

	to->resource_type = q->resource_type;
	to->resource_name = q->resource_name;
	to->configs.v = ARENA_ARRAY(&r->arena, change, q->configs.n + more +
	    1);
	for (int32_t i = 0; i < q->configs.n; i++)
		to->configs.v[to->configs.n++] = (change){
			q->configs.v[i].name, OPERATION_SET,
			q->configs.v[i].value };
	if (more == 0)
		return;
	for (int i = 0; i < KNOWN; i++)
		take_back(t, slice_of(known[i]), to);
	for (uint32_t i = 0; i < t->configs.n; i++)
		take_back(t, arena_slice(&r->arena, slice_of(
		    t->configs.v[i].name)), to);
}

/* How many entries are sent for it, at most. */
static size_t
count_changes(const struct config_tenant_topics *t,
    const struct alter_configs_request *q)
{
	size_t n = 0;

	for (int32_t i = 0; i < q->resources.n; i++)
		n += (size_t)q->resources.v[i].configs.n + KNOWN +
		    t->configs.n;
	return n;
}

static int32_t
count_resources(const struct alter_configs_request *q, int8_t type)
{
	int32_t n = 0;

	for (int32_t i = 0; i < q->resources.n; i++)
		n += q->resources.v[i].resource_type == type;
	return n;
}

int16_t
topic_rules_replace(struct request *r)
{
	const struct config_tenant_topics *t = rules_of(r);
	const struct alter_configs_request *q = r->body;
	struct incremental_alter_configs_request *to;

	if (t == NULL || r->schema->key != API_ALTER_CONFIGS ||
	    count_resources(q, RESOURCE_TOPIC) == 0)
		return 0;
	/* What a group's entries are is not known here; and what is sent is
	 * longer than what came. */
	if (count_resources(q, RESOURCE_GROUP) > 0 ||
	    q->resources.n > TOPICS_REPLACED_MAX ||
	    count_changes(t, q) > CHANGES_MAX)
		return KAFKA_INVALID_REQUEST;
	to = ARENA_NEW(&r->arena, struct incremental_alter_configs_request);
	to->validate_only = q->validate_only;
	to->resources.n = q->resources.n;
	to->resources.v = ARENA_ARRAY(&r->arena, change_of_topic,
	    q->resources.n);
	for (int32_t i = 0; i < q->resources.n; i++)
		changes_of(r, t, &q->resources.v[i], &to->resources.v[i]);
	r->api = api_find(API_INCREMENTAL_ALTER_CONFIGS);
	r->schema = r->api->schema;
	/* Both have flexible versions from there on. */
	r->version = r->version >= 2 ? 1 : 0;
	r->body = to;
	return 0;
}

/* ---- why ---- */

struct sentences {
	struct request	*r;
	struct htab	*by_name;	/* -> struct slice */
};

static void
note_sentence(void *arg, int32_t i, const struct shape_item *item)
{
	struct sentences *s = arg;
	struct slice *text;
	struct error why;

	(void)i;
	if (topic_rules_judge(s->r, item, &why) == 0)
		return;
	text = ARENA_NEW(&s->r->arena, struct slice);
	*text = arena_slice(&s->r->arena, slice_of(why.text));
	htab_set(s->by_name, item->name, text);
}

static enum codec_walk
tell_sentence(void *arg, const struct field *f, void *value, void *parent)
{
	struct sentences *s = arg;
	const struct message *m = f->element;
	const struct field *error, *text, *name;
	const struct slice *why;
	struct slice key;
	int16_t code;

	(void)parent;
	if (f->type != FIELD_STRUCT ||
	    (text = message_field(m, "error_message")) == NULL)
		return CODEC_KEEP;
	error = message_field(m, "error_code");
	name = message_field(m, "name");
	if (name == NULL)
		name = message_field(m, "resource_name");
	memcpy(&code, (char *)value + error->offset, sizeof(code));
	memcpy(&key, (char *)value + name->offset, sizeof(key));
	if (code == KAFKA_POLICY_VIOLATION &&
	    (why = htab_get(s->by_name, key)) != NULL)
		memcpy((char *)value + text->offset, why, sizeof(*why));
	return CODEC_KEEP;
}

void
topic_rules_explain(struct request *r, void *response)
{
	struct sentences s = { r, NULL };

	if (rules_of(r) == NULL || r->error == 0)
		return;
	s.by_name = htab_new();
	shape_each(shape_find(r->schema->key, r->version), r->body,
	    note_sentence, &s);
	if (htab_count(s.by_name) > 0)
		codec_walk(r->schema->response, r->version, response,
		    tell_sentence, &s);
	htab_free(s.by_name, NULL);
}

/* ---- the rest ---- */

bool
topic_rules_auto_create(const struct request *r)
{
	const struct config_tenant_topics *t = rules_of(r);

	return t == NULL || t->auto_create;
}

bool
topic_rules_may_be_named(struct request *r, struct slice physical)
{
	const struct config_tenant_topics *t = rules_of(r);
	struct error ignored;

	return t == NULL || check_name(r, t, physical, &ignored);
}

bool
topic_rules_impose(const struct request *r)
{
	const struct config_tenant_topics *t = rules_of(r);

	return t != NULL && (t->replication_factor > 0 ||
	    t->min_insync_replicas > 0 || t->partitions_max > 0);
}

void
topic_rules_new_topic(struct request *r, struct slice physical,
    struct create_topics_request_topics *to)
{
	const struct config_tenant_topics *t = rules_of(r);
	struct error ignored;

	*to = (struct create_topics_request_topics){ .name = physical,
		.num_partitions = -1, .replication_factor = -1 };
	/* Nothing in it is the client's, so nothing is refused. */
	(void)impose_replication(t, false, &to->replication_factor, &ignored);
	impose_count(r, t, false, &to->num_partitions);
	impose_insync(r, t, &to->configs.v, &to->configs.n);
}

int32_t
topic_rules_partitions_max(const struct request *r)
{
	const struct config_tenant_topics *t = rules_of(r);

	return t != NULL ? (int32_t)t->partitions_max : 0;
}

typedef struct streams_group_heartbeat_request_topic_info topic_info;

/* The value of min.insync.replicas stands behind the client's own entries. */
static void
impose_internal_insync(struct request *r, const struct config_tenant_topics *t,
    topic_info *v)
{
	const int32_t n = v->topic_configs.n;
	struct streams_group_heartbeat_request_key_value *all;

	if (t->min_insync_replicas == 0)
		return;
	for (int32_t i = 0; i < n; i++)
		if (slice_is(v->topic_configs.v[i].key, "min.insync.replicas"))
			return;
	all = ARENA_ARRAY(&r->arena,
	    struct streams_group_heartbeat_request_key_value, n + 1);
	if (n > 0)
		memcpy(all, v->topic_configs.v, (size_t)n * sizeof(*all));
	all[n].key = SLICE_LIT("min.insync.replicas");
	all[n].value = arena_printf(&r->arena, "%u", t->min_insync_replicas);
	v->topic_configs.v = all;
	v->topic_configs.n = n + 1;
}

static bool
check_internal(struct request *r, const struct config_tenant_topics *t,
    topic_info *v, struct error *why)
{
	/* 0: brokers' default, for the partitions as many as what is read
	 * has. */
	int16_t factor = v->replication_factor == 0 ? -1 :
	    v->replication_factor;

	/* One that is there already keeps its name. */
	if (cluster_topic(r->worker->cluster, v->name) == NULL &&
	    !check_name(r, t, v->name, why))
		return false;
	if (!check_count(t, v->partitions, why) ||
	    !impose_replication(t, false, &factor, why))
		return false;
	v->replication_factor = factor == -1 ? 0 : factor;
	for (int32_t i = 0; i < v->topic_configs.n; i++) {
		struct slice name = v->topic_configs.v[i].key;
		struct slice value = v->topic_configs.v[i].value;

		if (!is_imposed_insync(t, name, value) &&
		    !check_entry(t, true, name, value, why))
			return false;
	}
	impose_internal_insync(r, t, v);
	return true;
}

static bool
check_internals(struct request *r, const struct config_tenant_topics *t,
    topic_info *v, int32_t n, struct error *why)
{
	for (int32_t i = 0; i < n; i++)
		if (!check_internal(r, t, &v[i], why))
			return false;
	return true;
}

int16_t
topic_rules_topology(struct request *r, struct error *why)
{
	const struct config_tenant_topics *t = rules_of(r);
	struct streams_group_heartbeat_request *q = r->body;

	if (t == NULL || q->topology == NULL)
		return 0;
	for (int32_t i = 0; i < q->topology->subtopologies.n; i++) {
		struct streams_group_heartbeat_request_topology_subtopologies
		    *s = &q->topology->subtopologies.v[i];

		if (!check_internals(r, t, s->state_changelog_topics.v,
		    s->state_changelog_topics.n, why) ||
		    !check_internals(r, t, s->repartition_source_topics.v,
		    s->repartition_source_topics.n, why))
			return KAFKA_POLICY_VIOLATION;
	}
	return 0;
}

static bool
is_brokers(int8_t source)
{
	return source >= SOURCE_DYNAMIC_BROKER &&
	    source <= SOURCE_STATIC_BROKER;
}

void
topic_rules_show(struct request *r, void *response)
{
	const struct config_tenant_topics *t = rules_of(r);
	struct describe_configs_response *to = response;

	for (int32_t i = 0; t != NULL && i < to->results.n; i++)
		for (int32_t j = 0; to->results.v[i].resource_type ==
		    RESOURCE_TOPIC && j < to->results.v[i].configs.n; j++) {
			struct describe_configs_response_results_configs *c =
			    &to->results.v[i].configs.v[j];
			int32_t kept = 0;

			for (int32_t k = 0; k < c->synonyms.n; k++)
				if (!is_brokers(c->synonyms.v[k].source))
					c->synonyms.v[kept++] =
					    c->synonyms.v[k];
			if (c->synonyms.n > 0)
				c->synonyms.n = kept;
			if (is_brokers(c->config_source))
				c->config_source = SOURCE_DEFAULT;
			c->read_only = rule_for(t, c->name).when !=
			    CONFIG_TOPIC_ALWAYS;
		}
}

bool
topic_rules_wants_default(const struct request *r)
{
	return topic_rules_partitions_max(r) > 0;
}
