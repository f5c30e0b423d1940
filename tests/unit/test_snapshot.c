/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "routing/offer.h"
#include "routing/resolve.h"
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
take(struct offer *r)
{
	const struct api_versions_response v1 = {
		.api_keys = { keys1, 7 }, .supported_features = {
		supported1, 3 }, .finalized_features = { finalized, 2 },
		.finalized_features_epoch = 8 };
	const struct api_versions_response v2 = {
		.api_keys = { keys2, 4 }, .supported_features = {
		supported2, 2 }, .finalized_features_epoch = 7 };

	memset(r, 0, 3 * sizeof(*r));	/* [2] is not known: no part */
	offer_take(&r[0], &v1);
	offer_take(&r[1], &v2);
}

static struct cluster *
build_after(const struct metadata_response *m, const struct offer *r,
    int32_t n, const struct cluster *before)
{
	struct offer all = { .known = false };
	struct resolver *resolver = resolver_new();
	struct cluster *c = snapshot_begin(m, resolver);

	for (int32_t i = 0; i < n; i++)
		offer_join(&all, &r[i]);
	snapshot_finish(c, m, &all, before);
	resolver_free(resolver);
	return c;
}

static struct cluster *
build(const struct metadata_response *m, const struct offer *r, int32_t n)
{
	return build_after(m, r, n, NULL);
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
	struct offer r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = build(&metadata, r, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(c->apis[rows[i].key].min, rows[i].min);
		assert_int_equal(c->apis[rows[i].key].max, rows[i].max);
	}
	cluster_unref(c);
	/* In whatever order they are joined. */
	r[2] = r[0];
	memset(&r[0], 0, sizeof(r[0]));
	c = build(&metadata, r, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(c->apis[rows[i].key].max, rows[i].max);
	assert_int_equal(c->features_epoch, 8);
	assert_int_equal(c->feature_count, 2);
	assert_int_equal(c->features[1].finalized_max, 20);
	cluster_unref(c);
}

/* Supported by all; finalized as the newest epoch says. */
static void
test_features(void **state)
{
	struct offer r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = build(&metadata, r, 3);
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
	char text[100], big[OFFER_NAME_MAX + 1];
	struct offer r;

	(void)state;
	memset(text, 'f', sizeof(text));
	memset(big, 'b', sizeof(big));
	for (uint32_t i = 0; i < 100; i++) {
		many[i].name = (struct slice){ (uint8_t *)text, i % 60 };
		many[i].min_version = many[i].max_version = 1;
	}
	many[0].name = (struct slice){ (uint8_t *)big, sizeof(big) };
	offer_take(&r, &v);
	assert_int_equal(r.feature_count, OFFER_FEATURES_MAX);
	assert_string_equal(r.features[0].name, "f");
}

static void
test_brokers(void **state)
{
	struct offer r[3];
	struct cluster *c;
	const struct broker *b;

	(void)state;
	take(r);
	c = build(&metadata, r, 3);
	assert_int_equal(c->broker_count, 3);
	assert_int_equal(c->controller_id, 2);
	assert_true(slice_is(c->cluster_id, "cid"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(c->brokers[i].id, i + 1);
	b = cluster_broker(c, 1);
	assert_int_equal(b->addresses[0].sa.ss_family, AF_INET6);
	assert_null(b->rack.data);
	b = cluster_broker(c, 2);
	assert_int_equal(b->address_count, 0);
	b = cluster_broker(c, 3);
	assert_int_equal(((const struct sockaddr_in *)
	    &b->addresses[0].sa)->sin_port,
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
	struct offer r[3];
	struct uuid id = { { 1 } }, zero = { { 0 } }, lost = { { 99 } };
	struct cluster *c;
	const struct topic *t;
	const struct partition *p;

	(void)state;
	take(r);
	c = build(&metadata, r, 3);
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
	struct offer r[3];
	struct cluster *c;

	(void)state;
	take(r);
	c = build(&empty, r, 3);
	assert_int_equal(c->broker_count, 0);
	assert_int_equal(c->topic_count, 0);
	assert_null(cluster_broker(c, 0));
	cluster_unref(c);
}

/* A broker that is behind does not turn a leader back (KIP-320). */
static void
test_newer_epoch(void **state)
{
	struct offer r[3];
	struct cluster *was, *c;
	const struct partition *p;

	(void)state;
	take(r);
	was = build(&metadata, r, 3);
	parts[0].leader_id = 1;
	parts[0].leader_epoch = 4;
	parts[2].leader_id = 3;		/* as old as it was: taken */
	c = build_after(&metadata, r, 3, was);
	p = topic_partition(cluster_topic(c, SLICE_LIT("a")), 2);
	assert_int_equal(p->leader, 3);
	assert_int_equal(p->leader_epoch, 5);
	assert_int_equal(p->replicas.n, 3);
	cluster_unref(was);
	assert_int_equal(p->replicas.v[0], 9);
	p = topic_partition(cluster_topic(c, SLICE_LIT("a")), 1);
	assert_int_equal(p->leader, 3);
	cluster_unref(c);

	was = build(&metadata, r, 3);
	parts[0].leader_epoch = 1;
	topics[2].topic_id.b[0] = 2;	/* deleted and created anew */
	c = build_after(&metadata, r, 3, was);
	p = topic_partition(cluster_topic(c, SLICE_LIT("a")), 2);
	assert_int_equal(p->leader_epoch, 1);
	cluster_unref(c);
	cluster_unref(was);
	topics[2].topic_id.b[0] = 1;
	parts[0].leader_id = 3;
	parts[0].leader_epoch = 5;
	parts[2].leader_id = 1;
}

/* Each change is seen, and nothing else is. */
static void
test_equal(void **state)
{
	struct offer r[3];
	struct cluster *was, *c;

	(void)state;
	take(r);
	was = build(&metadata, r, 3);
#define CHANGES(where, to) do { \
	__typeof__(where) keep_ = (where); \
	(where) = (to); \
	c = build(&metadata, r, 3); \
	assert_false(snapshot_equal(was, c)); \
	cluster_unref(c); \
	(where) = keep_; \
} while (0)
	CHANGES(metadata.controller_id, 1);
	CHANGES(metadata.cluster_id, SLICE_LIT("other"));
	CHANGES(metadata.brokers.n, 2);
	CHANGES(metadata.topics.n, 3);
	CHANGES(brokers[0].port, 9094);
	CHANGES(brokers[0].host, SLICE_LIT("127.0.0.2"));
	CHANGES(brokers[0].rack, SLICE_NULL);
	CHANGES(brokers[1].node_id, 7);
	CHANGES(topics[0].name, SLICE_LIT("zz"));
	CHANGES(topics[0].topic_id.b[3], 9);
	CHANGES(topics[2].is_internal, false);
	CHANGES(topics[3].error_code, 5);
	CHANGES(topics[2].partitions.n, 2);
	CHANGES(parts[0].leader_id, 1);
	CHANGES(parts[0].leader_epoch, 6);
	CHANGES(parts[1].error_code, 0);
	CHANGES(parts[0].replica_nodes.n, 2);
	CHANGES(replicas[1], 2);
	CHANGES(isr[0], 3);
	CHANGES(offline[0], 1);
	CHANGES(r[0].apis[0].max, 9);
	CHANGES(r[0].features_epoch, 9);
	CHANGES(r[0].features[0].finalized_max, 21);
	CHANGES(r[1].feature_count, 1);
	/* The order in which a broker lists things is no change. */
	brokers[2] = brokers[0];
	brokers[0] = (struct metadata_response_brokers){ .node_id = 2,
		.host = SLICE_LIT("no such host"), .port = 9092 };
	c = build(&metadata, r, 3);
	assert_true(snapshot_equal(was, c));
	brokers[0] = brokers[2];
	brokers[2] = (struct metadata_response_brokers){ .node_id = 2,
		.host = SLICE_LIT("no such host"), .port = 9092 };
	cluster_unref(c);
	cluster_unref(was);
}

static void
test_resolver(void **state)
{
	struct resolver *r = resolver_new();
	struct broker_address a[BROKER_ADDRESSES_MAX];
	struct error err = { "" };

	(void)state;
	assert_int_equal(resolver_find(r, "127.0.0.1", 9092, a, &err), 1);
	assert_int_equal(a[0].sa.ss_family, AF_INET);
	assert_int_equal(a[0].len, sizeof(struct sockaddr_in));
	assert_int_equal(resolver_find(r, "::1", 9092, a, &err), 1);
	assert_int_equal(a[0].sa.ss_family, AF_INET6);
	assert_true(resolver_find(r, "localhost", 1, a, &err) >= 1);
	assert_int_equal(resolver_find(r, "no such host", 1, a, &err), 0);
	assert_non_null(strstr(err.text, "no such host: "));
	assert_int_equal(resolver_find(r, "", 1, a, NULL) > 0, false);
	for (int i = 0; i < RESOLVER_NAMES_MAX + 10; i++)
		assert_int_equal(resolver_find(r, "127.0.0.1", i, a, &err), 1);
	resolver_free(r);
}

/* 10,000 topics of 3 partitions: some tens of milliseconds, without
 * sanitizers. */
static void
test_many(void **state)
{
	enum { TOPICS = 10000 };
	struct metadata_response_topics *many = mem_zalloc(
	    TOPICS * sizeof(*many));
	struct { char text[32]; } *names = mem_zalloc(
	    TOPICS * sizeof(*names));
	struct metadata_response m = metadata;
	struct offer r[3];
	struct cluster *c, *again;
	int64_t began, built, rebuilt;

	(void)state;
	take(r);
	for (int32_t i = 0; i < TOPICS; i++) {
		snprintf(names[i].text, sizeof(names[i].text),
		    "topic-number-%d", i * 7919 % TOPICS);
		many[i].name = slice_of(names[i].text);
		memcpy(many[i].topic_id.b, &i, sizeof(i));
		many[i].topic_id.b[15] = 1;
		many[i].partitions.v = parts;
		many[i].partitions.n = 3;
	}
	m.topics.v = many;
	m.topics.n = TOPICS;
	began = clock_now_us();
	c = build(&m, r, 3);
	built = clock_now_us();
	again = build_after(&m, r, 3, c);
	assert_true(snapshot_equal(c, again));
	rebuilt = clock_now_us();
	print_message("built in %lld us, compared and merged in %lld us\n",
	    (long long)(built - began), (long long)(rebuilt - built));
	assert_int_equal(c->topic_count, TOPICS);
	for (int32_t i = 0; i < TOPICS; i++)
		assert_non_null(cluster_topic(c, many[i].name));
	cluster_unref(c);
	cluster_unref(again);
	free(many);
	free(names);
}

/* Also when brokers do not say so, and before there is one. */
static void
test_brokers_own_topics(void **state)
{
	struct metadata_response_topics own[] = {
		{ .name = SLICE_LIT("__consumer_offsets") },
		{ .name = SLICE_LIT("__mine") },
		{ .name = SLICE_LIT("theirs"), .is_internal = true },
	};
	struct metadata_response of = { .topics = { own, 3 } };
	struct cluster *c = build(&of, NULL, 0);

	(void)state;
	assert_true(cluster_internal(c, own[0].name));
	assert_null(cluster_visible(c, own[0].name));
	assert_false(cluster_internal(c, own[1].name));
	assert_non_null(cluster_visible(c, own[1].name));
	assert_true(cluster_internal(c, own[2].name));
	assert_true(cluster_internal(c, SLICE_LIT("__transaction_state")));
	assert_true(cluster_internal(c, SLICE_LIT("__share_group_state")));
	assert_true(cluster_internal(c, SLICE_LIT("__cluster_metadata")));
	assert_false(cluster_internal(c, SLICE_LIT("__transaction_stat")));
	assert_false(cluster_internal(c, SLICE_LIT("a.__transaction_state")));
	assert_false(cluster_internal(c, SLICE_LIT("")));
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
		cmocka_unit_test(test_brokers_own_topics),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_newer_epoch),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_resolver),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
