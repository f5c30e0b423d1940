/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "routing/snapshot.h"
#include "wire/messages.h"

static struct metadata_response_brokers brokers[] = {
	{ .node_id = 3, .host = SLICE_LIT("127.0.0.1"), .port = 9093,
	  .rack = SLICE_LIT("b") },
	{ .node_id = 1, .host = SLICE_LIT("::1"), .port = 9091 },
	{ .node_id = 2, .host = SLICE_LIT("no such host"), .port = 9092 },
};
static int32_t replicas[] = { 9, 1, 3 }, isr[] = { 1 }, offline[] = { 9 };
static struct metadata_response_topics_partitions parts[] = {
	{ .partition_index = 2, .leader_id = 3, .leader_epoch = 5,
	  .replica_nodes = { replicas, 3 }, .isr_nodes = { isr, 1 },
	  .offline_replicas = { offline, 1 } },
	{ .partition_index = 0, .leader_id = -1, .error_code = 5 },
	{ .partition_index = 1, .leader_id = 1 },
};
static struct metadata_response_topics topics[] = {
	{ .name = SLICE_LIT("z"), .topic_id = { { 26 } } },
	{ .name = SLICE_NULL, .topic_id = { { 99 } } },
	{ .name = SLICE_LIT("a"), .topic_id = { { 1 } },
	  .partitions = { parts, 3 }, .is_internal = true },
	{ .name = SLICE_LIT("ab"), .error_code = 3 },
};
static struct metadata_response metadata = {
	.cluster_id = SLICE_LIT("cid"), .controller_id = 2,
	.brokers = { brokers, 3 }, .topics = { topics, 4 },
};

static struct api_versions_response_api_keys keys1[] = {
	{ 0, 3, 12 }, { 1, 4, 17 }, { 3, 0, 13 }, { 127, 0, 1 },
	{ -1, 0, 9 }, { 128, 0, 9 }, { 32000, 0, 9 },
};
static struct api_versions_response_api_keys keys2[] = {
	{ 0, 0, 11 }, { 1, 5, 18 }, { 50, 0, 1 }, { 127, 2, 3 },
};
static struct api_versions_response_supported_features supported1[] = {
	{ SLICE_LIT("metadata.version"), 7, 27 },
	{ SLICE_LIT("group.version"), 0, 1 },
	{ SLICE_LIT("share.version"), 0, 1 },
};
static struct api_versions_response_supported_features supported2[] = {
	{ SLICE_LIT("group.version"), 0, 2 },
	{ SLICE_LIT("metadata.version"), 9, 20 },
};
static struct api_versions_response_finalized_features finalized[] = {
	{ SLICE_LIT("metadata.version"), 20, 19 },
	{ SLICE_LIT("not.supported"), 1, 1 },
};

static void
take(struct ranges *r)
{
	const struct api_versions_response v1 = {
		.api_keys = { keys1, 7 }, .supported_features = {
		supported1, 3 }, .finalized_features = { finalized, 2 },
		.finalized_features_epoch = 8 };
	const struct api_versions_response v2 = {
		.api_keys = { keys2, 4 }, .supported_features = {
		supported2, 2 }, .finalized_features_epoch = 7 };

	memset(r, 0, 3 * sizeof(*r));
	r[0].broker = 1;
	r[1].broker = 2;
	r[2].broker = 3;	/* not known: it takes no part */
	ranges_take(&r[0], &v1, 100);
	ranges_take(&r[1], &v2, 200);
	assert_int_equal(r[0].broker, 1);
	assert_int_equal(r[0].asked_us, 100);
}

static void
test_offered(void **state)
{
	static const struct {
		int	key, min, max;
	} rows[] = {
		{ 0, 3, 11 }, { 1, 5, 17 }, { 3, 0, -1 }, { 50, 0, -1 },
		{ 127, 2, 1 }, { 7, 0, -1 },
	};
	struct ranges r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = snapshot_build(&metadata, r, 3, 42, 7);
	assert_non_null(c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(c->apis[rows[i].key].min, rows[i].min);
		assert_int_equal(c->apis[rows[i].key].max, rows[i].max);
	}
	assert_int_equal(c->asked_us, 42);
	assert_int_equal(c->generation, 7);
	cluster_unref(c);
	assert_null(snapshot_build(&metadata, &r[2], 1, 42, 8));
	assert_null(snapshot_build(&metadata, NULL, 0, 42, 8));
}

/* Supported by all; finalized as the newest epoch says. */
static void
test_features(void **state)
{
	struct ranges r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = snapshot_build(&metadata, r, 3, 1, 1);
	assert_int_equal(c->features_epoch, 8);
	assert_int_equal(c->feature_count, 2);
	assert_true(slice_is(c->features[0].name, "metadata.version"));
	assert_int_equal(c->features[0].supported_min, 9);
	assert_int_equal(c->features[0].supported_max, 20);
	assert_int_equal(c->features[0].finalized_min, 19);
	assert_int_equal(c->features[0].finalized_max, 20);
	assert_true(slice_is(c->features[1].name, "group.version"));
	assert_int_equal(c->features[1].supported_max, 1);
	assert_int_equal(c->features[1].finalized_max, -1);
	cluster_unref(c);
}

static void
test_too_many_features(void **state)
{
	struct api_versions_response_supported_features many[100];
	const struct api_versions_response v = {
		.supported_features = { many, 100 } };
	char text[100], big[SNAPSHOT_FEATURE_NAME_MAX + 1];
	struct ranges r = { .broker = 4 };

	(void)state;
	memset(text, 'f', sizeof(text));
	memset(big, 'b', sizeof(big));
	for (uint32_t i = 0; i < 100; i++) {
		many[i].name = (struct slice){ (uint8_t *)text, i % 60 };
		many[i].min_version = many[i].max_version = 1;
	}
	many[0].name = (struct slice){ (uint8_t *)big, sizeof(big) };
	ranges_take(&r, &v, 1);
	assert_int_equal(r.feature_count, SNAPSHOT_FEATURES_MAX);
	assert_string_equal(r.features[0].name, "f");
}

static void
test_brokers(void **state)
{
	struct ranges r[3];
	struct cluster *c;
	const struct broker *b;

	(void)state;
	take(r);
	c = snapshot_build(&metadata, r, 3, 1, 1);
	assert_int_equal(c->broker_count, 3);
	assert_int_equal(c->controller_id, 2);
	assert_true(slice_is(c->cluster_id, "cid"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(c->brokers[i].id, i + 1);
	b = cluster_broker(c, 1);
	assert_int_equal(b->address.ss_family, AF_INET6);
	assert_null(b->rack.data);
	b = cluster_broker(c, 2);
	assert_int_equal(b->address_len, 0);
	b = cluster_broker(c, 3);
	assert_int_equal(((const struct sockaddr_in *)&b->address)->sin_port,
	    htons(9093));
	assert_true(slice_is(b->rack, "b"));
	assert_null(cluster_broker(c, 9));
	assert_null(cluster_broker(c, -1));
	/* 9 is away but holds replicas. */
	assert_int_equal(c->known.n, 4);
	assert_int_equal(cluster_broker_rank(c, 1), 0);
	assert_int_equal(cluster_broker_rank(c, 3), 2);
	assert_int_equal(cluster_broker_rank(c, 9), 3);
	assert_int_equal(cluster_broker_rank(c, 4), -1);
	cluster_unref(c);
}

static void
test_topics(void **state)
{
	struct ranges r[3];
	struct uuid id = { { 1 } }, zero = { { 0 } }, lost = { { 99 } };
	struct cluster *c;
	const struct topic *t;
	const struct partition *p;

	(void)state;
	take(r);
	c = snapshot_build(&metadata, r, 3, 1, 1);
	assert_int_equal(c->topic_count, 3);
	assert_true(slice_is(c->topics[0].name, "a"));
	assert_true(slice_is(c->topics[1].name, "ab"));
	assert_true(slice_is(c->topics[2].name, "z"));
	t = cluster_topic(c, SLICE_LIT("a"));
	assert_ptr_equal(t, cluster_topic_by_id(c, &id));
	assert_null(cluster_topic_by_id(c, &zero));
	assert_null(cluster_topic_by_id(c, &lost));
	assert_null(cluster_topic(c, SLICE_LIT("")));
	assert_true(t->internal);
	assert_int_equal(t->partition_count, 3);
	p = topic_partition(t, 2);
	assert_int_equal(p->leader, 3);
	assert_int_equal(p->leader_epoch, 5);
	assert_int_equal(p->replicas.n, 3);
	assert_int_equal(p->isr.v[0], 1);
	assert_int_equal(p->offline.v[0], 9);
	assert_int_equal(topic_partition(t, 0)->leader, -1);
	assert_null(topic_partition(t, 3));
	assert_null(topic_partition(t, -1));
	assert_int_equal(cluster_topic(c, SLICE_LIT("ab"))->error_code, 3);
	assert_null(topic_partition(cluster_topic(c, SLICE_LIT("ab")), 0));
	cluster_unref(c);
}

static void
test_nothing(void **state)
{
	const struct metadata_response empty = { .brokers = { NULL, -1 },
		.topics = { NULL, -1 } };
	struct ranges r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = snapshot_build(&empty, r, 3, 1, 1);
	assert_int_equal(c->broker_count, 0);
	assert_int_equal(c->topic_count, 0);
	assert_null(cluster_broker(c, 0));
	cluster_unref(c);
	c = snapshot_places(&metadata);
	assert_int_equal(c->broker_count, 3);
	assert_int_equal(c->topic_count, 0);
	cluster_unref(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_too_many_features),
		cmocka_unit_test(test_brokers),
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
