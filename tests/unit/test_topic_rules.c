/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/htab.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/topic_rules.h"
#include "gateway/wire/errors.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/shape.h"
#include "wire/messages.h"

static struct config_tenant config;
static struct tenant tenant = { .id = "a", .config = &config };
static struct gateway gateway;
static struct cluster cluster;
static struct worker worker = { .gateway = &gateway, .cluster = &cluster };
static struct session session;
static struct request request;
static struct error why;

static int
setup(void **state)
{
	(void)state;
	tenant.names = names_new("a.");
	cluster.by_name = htab_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	names_free((struct names *)(uintptr_t)tenant.names);
	htab_free(cluster.by_name, NULL);
	arena_fini(&request.arena);
	return 0;
}

static int
anew(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	arena_fini(&request.arena);
	arena_init(&request.arena, 0);
	request.session = &session;
	request.worker = &worker;
	atomic_store(&gateway.default_partitions, 0);
	session.tenant = &tenant;
	why.text[0] = '\0';
	return 0;
}

/* ---- helpers ---- */

typedef struct create_topics_request_topics new_topic;
typedef struct create_topics_request_topics_configs entry;

static int16_t
judge(int16_t api, const void *element)
{
	struct shape_item item = { .outer = element };

	request.schema = api_schema_find(api);
	request.version = request.schema->until;
	return topic_rules_judge(&request, &item, &why);
}

static new_topic
a_topic(entry *e)
{
	return (new_topic){ .name = SLICE_LIT("a.orders"),
	    .num_partitions = 6, .replication_factor = 3,
	    .configs = { e, e != NULL ? 1 : 0 } };
}

static int16_t
create_with(const char *name, const char *value)
{
	entry e = { slice_of(name), slice_of(value) };
	new_topic t = a_topic(&e);

	return judge(API_CREATE_TOPICS, &t);
}

static int16_t
alter_with(const char *name, int8_t operation, const char *value)
{
	struct incremental_alter_configs_request_resources_configs c = {
		slice_of(name), operation, slice_of(value),
	};
	struct incremental_alter_configs_request_resources q = {
		.resource_type = 2, .resource_name = SLICE_LIT("a.orders"),
		.configs = { &c, 1 },
	};

	return judge(API_INCREMENTAL_ALTER_CONFIGS, &q);
}

static void
assert_refused(int16_t error, const char *sentence)
{
	assert_int_equal(error, KAFKA_POLICY_VIOLATION);
	assert_string_equal(why.text, sentence);
}

/* ---- configuration entries ---- */

static void
test_without_tenant(void **state)
{
	(void)state;
	session.tenant = NULL;
	assert_int_equal(create_with("flush.messages", "1"), 0);
	assert_true(topic_rules_auto_create(&request));
}

static void
test_msk_serverless(void **state)
{
	static const char *const allowed[][2] = {
		{ "cleanup.policy", "compact" },
		{ "compression.type", "zstd" },
		{ "max.message.bytes", "8388608" },
		{ "message.timestamp.difference.max.ms", "1" },
		{ "message.timestamp.type", "LogAppendTime" },
		{ "retention.bytes", "-1" }, { "retention.ms", "-1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_int_equal(create_with(allowed[i][0], allowed[i][1]), 0);
	assert_refused(create_with("max.message.bytes", "8388609"),
	    "topics.profile msk-serverless: max.message.bytes may be at most "
	    "8388608");
	assert_refused(create_with("segment.bytes", "52428800"),
	    "topics.profile msk-serverless: segment.bytes may not be set");
	assert_refused(create_with("min.insync.replicas", "2"),
	    "topics.profile msk-serverless: min.insync.replicas may not be "
	    "set");
	/* Brokers say what is wrong with it. */
	assert_int_equal(create_with("max.message.bytes", NULL), 0);
}

/* Whatever brokers would read as a number, however it is written. */
static void
test_numbers(void **state)
{
	static const char *const fit[] = {
		"8388608", "+8388608", "0", "-0", " 8388608", "8388608\r\n",
		"\1\t8388608 ", "000000000000000000000000000000008388608",
	};
	static const char *const over[] = {
		"8388609", "104857600 ", "\t104857600", "+104857600", "-1",
		"00000000000000000000000000000000104857600",
		"                                  104857600",
		"18446744073709551615", "18446744073709551616",
		"99999999999999999999999999999999999999",
		"-99999999999999999999999999999999999999",
	};
	static const char *const odd[] = {
		"", " ", "+", "-", "many", "1.5", "1e3", "0x10", "+-1",
		"1 0", "\331\241\331\242", "\302\2401",
	};
	entry e = { SLICE_LIT("max.message.bytes"),
		SLICE_LIT("\t104857600\0") };
	new_topic t = a_topic(&e);

	(void)state;
	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
		assert_int_equal(create_with("max.message.bytes", fit[i]), 0);
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
		assert_refused(alter_with("max.message.bytes", 0, over[i]),
		    "topics.profile msk-serverless: max.message.bytes may be "
		    "at most 8388608");
	assert_int_equal(judge(API_CREATE_TOPICS, &t), KAFKA_POLICY_VIOLATION);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_refused(create_with("max.message.bytes", odd[i]),
		    "topics.profile msk-serverless: max.message.bytes must be "
		    "a whole number");
	/* Without a bound brokers say what is wrong. */
	assert_int_equal(create_with("retention.ms", "many"), 0);
}

static void
test_altering(void **state)
{
	(void)state;
	assert_int_equal(alter_with("retention.ms", 0, "1000"), 0);
	assert_int_equal(alter_with("retention.ms", 1, NULL), 0);
	assert_refused(alter_with("cleanup.policy", 0, "compact"),
	    "topics.profile msk-serverless: cleanup.policy may be set only "
	    "when the topic is created");
	assert_refused(alter_with("cleanup.policy", 1, NULL),
	    "topics.profile msk-serverless: cleanup.policy may be set only "
	    "when the topic is created");
	assert_refused(alter_with("max.message.bytes", 0, "9000000"),
	    "topics.profile msk-serverless: max.message.bytes may be at most "
	    "8388608");
	/* What is taken back has no value to be judged. */
	assert_int_equal(alter_with("max.message.bytes", 1, "9000000"), 0);
}

static void
test_streams(void **state)
{
	(void)state;
	config.topics.streams = true;
	assert_int_equal(create_with("segment.bytes", "52428800"), 0);
	assert_refused(create_with("segment.bytes", "1048576"),
	    "topics.streams: segment.bytes must be at least 16777216");
}

static void
test_any(void **state)
{
	(void)state;
	config.topics.profile = CONFIG_TOPIC_ANY;
	assert_int_equal(create_with("segment.ms", "1"), 0);
	assert_int_equal(create_with("min.insync.replicas", "2"), 0);
	assert_int_equal(alter_with("cleanup.policy", 0, "compact"), 0);
	assert_refused(create_with("flush.messages", "1"),
	    "topics.profile any: flush.messages may not be set");
	assert_refused(create_with("remote.storage.enable", "true"),
	    "topics.profile any: remote.storage.enable may not be set");
	assert_refused(alter_with("unclean.leader.election.enable", 0, "true"),
	    "topics.profile any: unclean.leader.election.enable may not be "
	    "set");
}

static void
test_own_rules(void **state)
{
	static char retention[] = "retention.ms", policy[] = "cleanup.policy";
	static char delete[] = "delete", segment[] = "segment.ms";
	char *words[] = { delete };
	struct config_tenant_topic_config rows[] = {
		{ retention, CONFIG_TOPIC_ALWAYS, 1000, 5000, { NULL, 0 } },
		{ policy, CONFIG_TOPIC_ALWAYS, 0, 0, { words, 1 } },
		{ segment, CONFIG_TOPIC_CREATE, 0, 0, { NULL, 0 } },
	};

	(void)state;
	config.topics.configs.v = rows;
	config.topics.configs.n = 3;
	assert_int_equal(create_with("retention.ms", "1000"), 0);
	assert_int_equal(create_with("retention.ms", "5000"), 0);
	assert_refused(create_with("retention.ms", "5001"),
	    "topics.configs: retention.ms may be at most 5000");
	assert_refused(alter_with("retention.ms", 0, "-1"),
	    "topics.configs: retention.ms may be at most 5000");
	assert_refused(create_with("retention.ms", "999"),
	    "topics.configs: retention.ms must be at least 1000");
	assert_int_equal(alter_with("cleanup.policy", 0, "delete"), 0);
	assert_refused(create_with("cleanup.policy", "compact"),
	    "topics.configs: cleanup.policy may not be that");
	assert_int_equal(create_with("cleanup.policy", " delete\n"), 0);
	assert_int_equal(alter_with("cleanup.policy", 1, NULL), 0);
	/* What comes of a part of a list is not known here. */
	for (int8_t operation = 2; operation <= 3; operation++)
		assert_refused(alter_with("cleanup.policy", operation,
		    "delete"), "topics.configs: cleanup.policy may be set only "
		    "as a whole");
	assert_int_equal(create_with("segment.ms", "1"), 0);
	assert_refused(alter_with("segment.ms", 0, "1"),
	    "topics.configs: segment.ms may be set only when the topic is "
	    "created");
}

/* ---- topics ---- */

static int16_t
replicas_of(int16_t asked, int16_t *error)
{
	new_topic t = a_topic(NULL);

	t.replication_factor = asked;
	*error = judge(API_CREATE_TOPICS, &t);
	return t.replication_factor;
}

static void
test_replication(void **state)
{
	int16_t error;

	(void)state;
	assert_int_equal(replicas_of(1, &error), 1);
	config.topics.replication_factor = 3;
	config.topics.replication = CONFIG_REPLICATION_IMPOSED;
	assert_int_equal(replicas_of(1, &error), 3);
	assert_int_equal(replicas_of(-1, &error), 3);
	assert_int_equal(error, 0);
	config.topics.replication = CONFIG_REPLICATION_DEFAULT;
	assert_int_equal(replicas_of(1, &error), 1);
	assert_int_equal(replicas_of(-1, &error), 3);
	config.topics.replication = CONFIG_REPLICATION_ONLY;
	assert_int_equal(replicas_of(-1, &error), 3);
	assert_int_equal(replicas_of(3, &error), 3);
	assert_int_equal(error, 0);
	replicas_of(1, &error);
	assert_refused(error, "topics.replication_factor: it must be 3, not "
	    "1");
}

static int32_t
partitions_of(int32_t asked)
{
	new_topic t = a_topic(NULL);

	t.num_partitions = asked;
	assert_int_equal(judge(API_CREATE_TOPICS, &t), 0);
	return t.num_partitions;
}

/* What brokers would choose may be too many. */
static void
test_brokers_choice(void **state)
{
	(void)state;
	atomic_store(&gateway.default_partitions, 6);
	assert_false(topic_rules_wants_default(&request));
	assert_int_equal(partitions_of(-1), -1);
	config.topics.partitions_max = 4;
	assert_true(topic_rules_wants_default(&request));
	assert_int_equal(partitions_of(-1), 4);
	assert_int_equal(partitions_of(3), 3);
	config.topics.partitions_max = 7;
	assert_int_equal(partitions_of(-1), 6);
	/* Not known, and not to be learned. */
	atomic_store(&gateway.default_partitions, 0);
	assert_int_equal(partitions_of(-1), 1);
	/* Brokers refuse these. */
	assert_int_equal(partitions_of(0), 0);
	assert_int_equal(partitions_of(-2), -2);
}

/* As a client asks for it that lets brokers choose. */
static void
test_new_topic(void **state)
{
	new_topic t;

	(void)state;
	assert_false(topic_rules_impose(&request));
	config.topics.replication_factor = 2;
	assert_true(topic_rules_impose(&request));
	config.topics.min_insync_replicas = 1;
	topic_rules_new_topic(&request, SLICE_LIT("a.x"), &t);
	assert_true(slice_is(t.name, "a.x"));
	assert_int_equal(t.num_partitions, -1);
	assert_int_equal(t.replication_factor, 2);
	assert_int_equal(t.configs.n, 1);
	assert_true(slice_is(t.configs.v[0].name, "min.insync.replicas"));
	assert_true(slice_is(t.configs.v[0].value, "1"));
	memset(&config, 0, sizeof(config));
	config.topics.min_insync_replicas = 1;
	assert_true(topic_rules_impose(&request));
	memset(&config, 0, sizeof(config));
	config.topics.partitions_max = 4;
	assert_true(topic_rules_impose(&request));
	session.tenant = NULL;
	assert_false(topic_rules_impose(&request));
	assert_false(topic_rules_wants_default(&request));
	assert_true(topic_rules_may_be_named(&request, SLICE_LIT("x")));
}

static void
test_placed_by_hand(void **state)
{
	struct create_topics_request_topics_assignments places[3] = { 0 };
	new_topic t = a_topic(NULL);

	(void)state;
	t.assignments.v = places;
	t.assignments.n = 3;
	t.num_partitions = t.replication_factor = -1;
	assert_int_equal(judge(API_CREATE_TOPICS, &t), 0);
	config.topics.partitions_max = 2;
	assert_refused(judge(API_CREATE_TOPICS, &t), "topics.partitions_max: "
	    "a topic may have at most 2 partitions, not 3");
	config.topics.partitions_max = 0;
	config.topics.replication_factor = 3;
	assert_refused(judge(API_CREATE_TOPICS, &t),
	    "topics.replication_factor: replicas are not placed by the "
	    "client");
}

static void
test_min_insync(void **state)
{
	entry e = { SLICE_LIT("retention.ms"), SLICE_LIT("1000") };
	new_topic t = a_topic(&e);

	(void)state;
	config.topics.min_insync_replicas = 2;
	for (int i = 0; i < 2; i++) {
		/* A request that waited is judged again. */
		assert_int_equal(judge(API_CREATE_TOPICS, &t), 0);
		assert_int_equal(t.configs.n, 2);
		assert_true(slice_is(t.configs.v[1].name,
		    "min.insync.replicas"));
		assert_true(slice_is(t.configs.v[1].value, "2"));
	}
	assert_refused(create_with("min.insync.replicas", "1"),
	    "topics.min_insync_replicas: min.insync.replicas may not be set");
	assert_int_equal(alter_with("min.insync.replicas", 1, NULL),
	    KAFKA_POLICY_VIOLATION);
}

/* ---- AlterConfigs ---- */

typedef struct incremental_alter_configs_request_resources change_of_topic;

/* What becomes of an AlterConfigs v2 with that entry; its only resource. */
static const change_of_topic *
replaced(const char *name, const char *value)
{
	static struct alter_configs_request_resources_configs c;
	static struct alter_configs_request_resources q = {
		.resource_type = 2, .resource_name = SLICE_LIT("a.orders"),
		.configs = { &c, 1 },
	};
	static struct alter_configs_request body = {
		.resources = { &q, 1 }, .validate_only = true,
	};
	const struct incremental_alter_configs_request *to;

	c.name = slice_of(name);
	c.value = slice_of(value);
	request.api = api_find(API_ALTER_CONFIGS);
	request.schema = request.api->schema;
	request.version = 2;
	request.body = &body;
	assert_int_equal(topic_rules_replace(&request), 0);
	assert_int_equal(request.api->key, API_INCREMENTAL_ALTER_CONFIGS);
	assert_int_equal(request.schema->key, API_INCREMENTAL_ALTER_CONFIGS);
	assert_int_equal(request.version, 1);
	to = request.body;
	assert_true(to->validate_only);
	assert_int_equal(to->resources.n, 1);
	assert_true(slice_is(to->resources.v[0].resource_name, "a.orders"));
	assert_int_equal(to->resources.v[0].resource_type, 2);
	return &to->resources.v[0];
}

/* The operation with that entry; -1: none. Each is there at most once. */
static int
operation_of(const change_of_topic *q, const char *name)
{
	int found = -1;

	for (int32_t i = 0; i < q->configs.n; i++)
		if (slice_is(q->configs.v[i].name, name)) {
			assert_int_equal(found, -1);
			found = q->configs.v[i].config_operation;
		}
	return found;
}

/* What is not given is taken back, but only what the tenant may change. */
static void
test_replacing(void **state)
{
	static char retention[] = "retention.ms", flush[] = "flush.ms";
	static char future[] = "of.the.future";
	struct config_tenant_topic_config rows[] = {
		{ retention, CONFIG_TOPIC_CREATE, 0, 0, { NULL, 0 } },
		{ flush, CONFIG_TOPIC_ALWAYS, 0, 0, { NULL, 0 } },
		{ future, CONFIG_TOPIC_ALWAYS, 0, 0, { NULL, 0 } },
	};
	const change_of_topic *q;

	(void)state;
	config.topics.min_insync_replicas = 2;
	q = replaced("retention.ms", "1000");
	assert_int_equal(q->configs.n, 6);
	assert_int_equal(operation_of(q, "retention.ms"), 0);
	assert_true(slice_is(q->configs.v[0].value, "1000"));
	assert_int_equal(operation_of(q, "compression.type"), 1);
	assert_int_equal(operation_of(q, "cleanup.policy"), -1);
	assert_int_equal(operation_of(q, "segment.bytes"), -1);
	assert_int_equal(judge(API_INCREMENTAL_ALTER_CONFIGS, q), 0);
	assert_int_equal(judge(API_INCREMENTAL_ALTER_CONFIGS,
	    replaced("segment.bytes", "1")), KAFKA_POLICY_VIOLATION);
	assert_int_equal(judge(API_INCREMENTAL_ALTER_CONFIGS,
	    replaced("min.insync.replicas", "1")), KAFKA_POLICY_VIOLATION);
	/* As it is: those who send all that they have seen. */
	q = replaced("min.insync.replicas", "2");
	assert_int_equal(judge(API_INCREMENTAL_ALTER_CONFIGS, q), 0);
	config.topics.profile = CONFIG_TOPIC_ANY;
	config.topics.streams = true;
	config.topics.configs.v = rows;
	config.topics.configs.n = 3;
	q = replaced("compression.type", "zstd");
	assert_int_equal(operation_of(q, "compression.type"), 0);
	assert_int_equal(operation_of(q, "cleanup.policy"), 1);
	assert_int_equal(operation_of(q, "segment.bytes"), 1);
	assert_int_equal(operation_of(q, "flush.ms"), 1);
	assert_int_equal(operation_of(q, "of.the.future"), 1);
	assert_int_equal(operation_of(q, "retention.ms"), -1);
	assert_int_equal(operation_of(q, "min.insync.replicas"), -1);
	assert_int_equal(operation_of(q, "flush.messages"), -1);
}

/* What is no topic's, or nobody's, goes as it came. */
static void
test_not_replaced(void **state)
{
	struct alter_configs_request_resources q[] = {
		{ .resource_type = 32, .resource_name = SLICE_LIT("g") },
		{ .resource_type = 2, .resource_name = SLICE_LIT("t") },
	};
	struct alter_configs_request body = { .resources = { q, 1 } };

	(void)state;
	request.api = api_find(API_ALTER_CONFIGS);
	request.schema = request.api->schema;
	request.version = 1;
	request.body = &body;
	assert_int_equal(topic_rules_replace(&request), 0);
	assert_ptr_equal(request.body, &body);
	assert_int_equal(judge(API_ALTER_CONFIGS, &q[0]), 0);
	request.version = 1;
	body.resources.n = 2;
	assert_int_equal(topic_rules_replace(&request),
	    KAFKA_INVALID_REQUEST);
	session.tenant = NULL;
	assert_int_equal(topic_rules_replace(&request), 0);
	assert_ptr_equal(request.body, &body);
	session.tenant = &tenant;
	body.resources.v++;
	body.resources.n = 1;
	assert_int_equal(topic_rules_replace(&request), 0);
	assert_int_equal(request.schema->key, API_INCREMENTAL_ALTER_CONFIGS);
	assert_int_equal(request.version, 0);
}

/* ---- partitions, names ---- */

static void
test_partitions(void **state)
{
	struct create_partitions_request_topics_assignments places[1] = { 0 };
	struct create_partitions_request_topics q = {
		.name = SLICE_LIT("a.orders"), .count = 10,
		.assignments = { NULL, -1 },
	};

	(void)state;
	assert_int_equal(judge(API_CREATE_PARTITIONS, &q), 0);
	config.topics.partitions_max = 9;
	assert_refused(judge(API_CREATE_PARTITIONS, &q),
	    "topics.partitions_max: a topic may have at most 9 partitions, "
	    "not 10");
	q.count = 9;
	assert_int_equal(judge(API_CREATE_PARTITIONS, &q), 0);
	config.topics.replication_factor = 3;
	q.assignments.v = places;
	q.assignments.n = 1;
	assert_int_equal(judge(API_CREATE_PARTITIONS, &q),
	    KAFKA_POLICY_VIOLATION);
}

static void
test_name_pattern(void **state)
{
	static char pattern[] = "ord*s";
	new_topic t = a_topic(NULL);

	(void)state;
	config.topics.name_pattern = pattern;
	assert_int_equal(judge(API_CREATE_TOPICS, &t), 0);
	t.name = SLICE_LIT("a.order");
	assert_refused(judge(API_CREATE_TOPICS, &t),
	    "topics.name_pattern: the name must look like ord*s");
	assert_true(topic_rules_may_be_named(&request,
	    SLICE_LIT("a.orders")));
	assert_false(topic_rules_may_be_named(&request, t.name));
}

/* ---- answers ---- */

static void
test_sentences(void **state)
{
	entry e = { SLICE_LIT("segment.bytes"), SLICE_LIT("1") };
	new_topic topics[] = { a_topic(NULL), a_topic(&e) };
	struct create_topics_request q = { .topics = { topics, 2 } };
	struct create_topics_response_topics replies[] = {
		{ .name = SLICE_LIT("a.orders"), .error_code = 0 },
		{ .name = SLICE_LIT("a.bad"),
		  .error_code = KAFKA_POLICY_VIOLATION },
	};
	struct create_topics_response to = { .topics = { replies, 2 } };

	(void)state;
	topics[1].name = SLICE_LIT("a.bad");
	request.schema = api_schema_find(API_CREATE_TOPICS);
	request.version = 7;
	request.body = &q;
	request.error = KAFKA_POLICY_VIOLATION;
	topic_rules_explain(&request, &to);
	assert_null(replies[0].error_message.data);
	assert_true(slice_is(replies[1].error_message,
	    "topics.profile msk-serverless: segment.bytes may not be set"));
}

static void
test_topology(void **state)
{
	struct streams_group_heartbeat_request_key_value kv = {
		SLICE_LIT("segment.bytes"), SLICE_LIT("52428800"),
	};
	struct streams_group_heartbeat_request_topic_info changelog = {
		.name = SLICE_LIT("a.changelog"), .partitions = 4,
		.topic_configs = { &kv, 1 },
	};
	struct streams_group_heartbeat_request_topology_subtopologies s = {
		.state_changelog_topics = { &changelog, 1 },
	};
	struct streams_group_heartbeat_request_topology t = {
		.subtopologies = { &s, 1 },
	};
	struct streams_group_heartbeat_request q = { .topology = &t };
	static char pattern[] = "*-store";

	(void)state;
	request.body = &q;
	assert_refused(topic_rules_topology(&request, &why), "topics.profile "
	    "msk-serverless: segment.bytes may not be set");
	config.topics.streams = true;
	config.topics.replication_factor = 3;
	assert_int_equal(topic_rules_topology(&request, &why), 0);
	assert_int_equal(changelog.replication_factor, 3);
	assert_int_equal(changelog.topic_configs.n, 1);
	config.topics.min_insync_replicas = 2;
	for (int i = 0; i < 2; i++) {
		/* A request that waited is judged again. */
		assert_int_equal(topic_rules_topology(&request, &why), 0);
		assert_int_equal(changelog.topic_configs.n, 2);
		assert_true(slice_is(changelog.topic_configs.v[1].key,
		    "min.insync.replicas"));
		assert_true(slice_is(changelog.topic_configs.v[1].value, "2"));
	}
	config.topics.name_pattern = pattern;
	assert_refused(topic_rules_topology(&request, &why),
	    "topics.name_pattern: the name must look like *-store");
	/* One that is there already keeps its name. */
	htab_set(cluster.by_name, changelog.name, &cluster);
	assert_int_equal(topic_rules_topology(&request, &why), 0);
	htab_take(cluster.by_name, changelog.name);
	changelog.name = SLICE_LIT("a.the-store");
	assert_int_equal(topic_rules_topology(&request, &why), 0);
	config.topics.partitions_max = 3;
	assert_int_equal(topic_rules_topology(&request, &why),
	    KAFKA_POLICY_VIOLATION);
	q.topology = NULL;
	assert_int_equal(topic_rules_topology(&request, &why), 0);
}

/* What brokers have set is nobody's business but the cluster's. */
static void
test_show(void **state)
{
	struct describe_configs_response_results_configs_synonyms synonyms[] = {
		{ SLICE_LIT("retention.ms"), SLICE_LIT("1"), 1 },
		{ SLICE_LIT("log.retention.ms"), SLICE_LIT("2"), 4 },
		{ SLICE_LIT("log.retention.ms"), SLICE_LIT("3"), 5 },
	};
	struct describe_configs_response_results_configs configs[] = {
		{ .name = SLICE_LIT("retention.ms"), .config_source = 1,
		  .synonyms = { synonyms, 3 } },
		{ .name = SLICE_LIT("segment.bytes"), .config_source = 4 },
	};
	struct describe_configs_response_results result = {
		.resource_type = 2, .configs = { configs, 2 },
	};
	struct describe_configs_response to = { .results = { &result, 1 } };

	(void)state;
	topic_rules_show(&request, &to);
	assert_int_equal(configs[0].synonyms.n, 2);
	assert_int_equal(configs[0].synonyms.v[1].source, 5);
	assert_int_equal(configs[0].config_source, 1);
	assert_false(configs[0].read_only);
	assert_int_equal(configs[1].config_source, 5);
	assert_true(configs[1].read_only);
}

static void
test_auto_create(void **state)
{
	(void)state;
	assert_false(topic_rules_auto_create(&request));
	config.topics.auto_create = true;
	assert_true(topic_rules_auto_create(&request));
}

#define TEST(name) cmocka_unit_test_setup(name, anew)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_tenant),
		TEST(test_msk_serverless),
		TEST(test_numbers),
		TEST(test_altering),
		TEST(test_streams),
		TEST(test_any),
		TEST(test_own_rules),
		TEST(test_replication),
		TEST(test_brokers_choice),
		TEST(test_new_topic),
		TEST(test_placed_by_hand),
		TEST(test_min_insync),
		TEST(test_replacing),
		TEST(test_not_replaced),
		TEST(test_partitions),
		TEST(test_name_pattern),
		TEST(test_sentences),
		TEST(test_topology),
		TEST(test_show),
		TEST(test_auto_create),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
