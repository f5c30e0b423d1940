/* SPDX-License-Identifier: Apache-2.0 */
/* What creating, enlarging and deleting topics costs of partition_changes, in
 * each version, and who is refused or held for it. */
#include "gateway/throttle_topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/api.h"
#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "quota/quota_private.h"
#include "routing/shape.h"
#include "tests/unit/log_lines.h"
#include "wire/messages.h"

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* 300 in five minutes is one a second; nothing is there at first. */
enum { VALUE = 300, PARTITIONS = 4, ITEMS_MAX = 5000 };

static struct gateway gateway;
static struct worker worker;
static struct config config;
static struct session session;
static struct cluster snapshot;
static struct topic orders = { .name = { (const uint8_t *)"orders", 6 },
	.partition_count = PARTITIONS };

static int64_t
clock_stands(void)
{
	return 1000000;
}

static int
setup(void **state)
{
	struct limits *l = limits_new("test", 1);

	(void)state;
	clock_replace(clock_stands);
	l->v[0] = (struct limit){ .dimension = QUOTA_DIM_PARTITION_CHANGES,
		.scope = QUOTA_TENANT, .value = VALUE, .burst = VALUE };
	gateway.quota = quota_new(1);
	worker = (struct worker){ .gateway = &gateway, .config = &config,
		.loop = loop_new(), .cluster = &snapshot,
		.metrics = metric_new() };
	list_init(&worker.free_requests);
	worker.throttling = throttling_new(&worker);
	memset(&session, 0, sizeof(session));
	session.worker = &worker;
	list_init(&session.requests);
	config.quota.made = l;
	config.quota.throttle_max_ms = config.quota.hold_max_ms = 1000;
	snapshot.by_name = htab_new();
	htab_set(snapshot.by_name, orders.name, &orders);
	throttle_enter(&session);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	throttle_leave(&session);
	throttling_free(worker.throttling);
	quota_free(gateway.quota);
	limits_unref(config.quota.made);
	htab_free(snapshot.by_name, NULL);
	metric_free(worker.metrics);
	while (!list_empty(&worker.free_requests)) {
		struct request *r = LIST_ENTRY(worker.free_requests.next,
		    struct request, link);

		list_remove(&r->link);
		free(r);
	}
	loop_free(worker.loop);
	clock_replace(NULL);
	return 0;
}

static struct request *
request_of(int16_t key, int version, const void *body)
{
	struct request *r = request_new(&worker);

	r->session = &session;
	r->api = api_find(key);
	r->schema = r->api->schema;
	r->version = (int16_t)version;
	r->body = (void *)(uintptr_t)body;
	return r;
}

/* ---- what is asked for ---- */

typedef struct create_topics_request_topics created;
typedef struct create_partitions_request_topics enlarged;

static struct request *
create(int version, created *v, int32_t n, bool validate_only)
{
	static struct create_topics_request q;

	q = (struct create_topics_request){ .topics = { v, n },
		.validate_only = validate_only };
	return request_of(API_CREATE_TOPICS, version, &q);
}

static struct request *
enlarge(int version, enlarged *v, int32_t n, bool validate_only)
{
	static struct create_partitions_request q;

	q = (struct create_partitions_request){ .topics = { v, n },
		.validate_only = validate_only };
	return request_of(API_CREATE_PARTITIONS, version, &q);
}

static struct request *
drop(int version, const char *name)
{
	static struct delete_topics_request q;
	static struct delete_topics_request_topics topic;
	static struct slice text;

	text = slice_of(name);
	topic.name = text;
	q = (struct delete_topics_request){ 0 };
	if (version >= 6) {
		q.topics.v = &topic;
		q.topics.n = 1;
	} else {
		q.topic_names.v = &text;
		q.topic_names.n = 1;
	}
	return request_of(API_DELETE_TOPICS, version, &q);
}

/* ---- what becomes of it ---- */

static int16_t verdicts[ITEMS_MAX];

struct judging {
	struct request	*r;
	int32_t		 passed;
};

static void
judge(void *arg, int32_t i, const struct shape_item *item)
{
	struct judging *j = arg;

	assert_in_range(i, 0, ITEMS_MAX - 1);
	verdicts[i] = throttle_topic_judge(j->r, item);
	j->passed += verdicts[i] == 0;
}

/* How many of its items pass. */
static int32_t
judged(struct request *r)
{
	const struct shape *s = shape_find(r->schema->key, r->version);
	struct judging j = { r, 0 };

	assert_non_null(s);
	shape_each(s, r->body, judge, &j);
	request_free(r);
	return j.passed;
}

static struct quota_gauge *
gauge(void)
{
	return &throttle_who(&session)->account->tenant->gauges[
	    QUOTA_DIM_PARTITION_CHANGES];
}

/* What is owed, in partitions, and forgotten: the next one begins anew. */
static int64_t
owed(void)
{
	int64_t n = -(atomic_load(&gauge()->bucket.balance) / BUCKET_UNIT);

	atomic_store(&gauge()->bucket.balance, 0);
	return n;
}

/* ---- tests ---- */

static void
each_version_costs_the_same(void **state)
{
	created new = { .name = SLICE_LIT("new"), .num_partitions = 7 };
	enlarged more = { .name = SLICE_LIT("orders"),
		.count = PARTITIONS + 3 };

	(void)state;
	for (int v = 2; v <= 7; v++) {
		assert_int_equal(judged(create(v, &new, 1, false)), 1);
		assert_int_equal(owed(), 7);
	}
	for (int v = 0; v <= 3; v++) {
		assert_int_equal(judged(enlarge(v, &more, 1, false)), 1);
		assert_int_equal(owed(), 3);
	}
	for (int v = 1; v <= 6; v++) {
		assert_int_equal(judged(drop(v, "orders")), 1);
		assert_int_equal(owed(), PARTITIONS);
		/* As little as there may be of it. */
		assert_int_equal(judged(drop(v, "unknown")), 1);
		assert_int_equal(owed(), 1);
	}
}

/* What the broker will refuse, or only look at. */
static void
nothing_costs_nothing(void **state)
{
	created there = { .name = SLICE_LIT("orders"), .num_partitions = 7 };
	created new = { .name = SLICE_LIT("new"), .num_partitions = 7 };
	enlarged fewer = { .name = SLICE_LIT("orders"), .count = 1 };
	enlarged more = { .name = SLICE_LIT("orders"), .count = 99 };

	(void)state;
	assert_int_equal(judged(create(7, &there, 1, false)), 1);
	assert_int_equal(judged(create(7, &new, 1, true)), 1);
	assert_int_equal(judged(enlarge(3, &fewer, 1, false)), 1);
	assert_int_equal(judged(enlarge(0, &more, 1, true)), 1);
	assert_int_equal(owed(), 0);
}

/* Their next items are refused, or charged; and the old ones' next request
 * waits. */
static void
debt_refuses_items_or_holds_requests(void **state)
{
	created two[] = {
		{ .name = SLICE_LIT("a"), .num_partitions = 7 },
		{ .name = SLICE_LIT("b"), .num_partitions = 5 },
	};
	enlarged more[] = {
		{ .name = SLICE_LIT("orders"), .count = PARTITIONS + 7 },
		{ .name = SLICE_LIT("unknown"), .count = 5 },
	};
	struct request *r;

	(void)state;
	for (int v = 2; v <= 7; v++) {
		bool knows = v >= 6;

		assert_int_equal(throttle_topics_wait(r = create(v, two, 2,
		    false)), !knows);
		assert_int_equal(judged(r), knows ? 1 : 2);
		assert_int_equal(verdicts[1], knows ?
		    KAFKA_THROTTLING_QUOTA_EXCEEDED : 0);
		assert_int_equal(owed(), knows ? 7 : 12);
	}
	for (int v = 0; v <= 3; v++) {
		bool knows = v >= 3;

		assert_int_equal(throttle_topics_wait(r = enlarge(v, more, 2,
		    false)), !knows);
		assert_int_equal(judged(r), knows ? 1 : 2);
		assert_int_equal(verdicts[1], knows ?
		    KAFKA_THROTTLING_QUOTA_EXCEEDED : 0);
		assert_int_equal(owed(), knows ? 7 : 12);
	}
	for (int v = 1; v <= 6; v++) {
		assert_int_equal(throttle_topics_wait(r = drop(v, "orders")),
		    v < 5);
		assert_int_equal(judged(r), 1);
		assert_int_equal(judged(drop(v, "orders")), v < 5);
		owed();
	}
	assert_false(throttle_topics_wait(r = enlarge(0, more, 2, true)));
	request_free(r);
}

/* However many are asked for, what is owed is a debt, and no credit. */
static void
no_number_wraps(void **state)
{
	static created many[ITEMS_MAX];
	static enlarged more[ITEMS_MAX];
	static char names[ITEMS_MAX][16];

	(void)state;
	for (int i = 0; i < ITEMS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		many[i] = (created){ .name = slice_of(names[i]),
			.num_partitions = INT32_MAX };
		more[i] = (enlarged){ .name = slice_of(names[i]),
			.count = INT32_MAX };
	}
	for (int v = 2; v <= 5; v++) {
		assert_int_equal(judged(create(v, many, 1, false)), 1);
		assert_int_equal(owed(), 10000);
		assert_int_equal(judged(create(v, many, ITEMS_MAX, false)),
		    ITEMS_MAX);
		assert_int_equal(owed(), 10000);
	}
	for (int v = 0; v <= 2; v++) {
		assert_int_equal(judged(enlarge(v, more, ITEMS_MAX, false)),
		    ITEMS_MAX);
		assert_int_equal(owed(), 10000);
	}
	assert_int_equal(judged(create(7, many, 2, false)), 1);
	assert_int_equal(owed(), 10000);
}

/* A question has no room for why its topics are not made: the log has. */
static void
what_a_question_would_make_is_logged(void **state)
{
	struct metadata_request_topics asked[] = {
		{ .name = SLICE_LIT("x") }, { .name = SLICE_LIT("y") },
	};
	struct metadata_request q = { .topics = { asked, 2 } };
	char path[] = "/tmp/test_throttle_topics.XXXXXX";
	struct request *r;

	(void)state;
	close(mkstemp(path));
	assert_true(log_to_file(path));
	r = request_of(API_METADATA, 9, &q);
	assert_true(throttle_may_create(r, &q));
	assert_false(throttle_may_create(r, &q));
	assert_int_equal(r->refused_why.dimension,
	    QUOTA_DIM_PARTITION_CHANGES);
	assert_true(r->throttle_tell_us > 0);
	assert_int_equal(atomic_load(&gauge()->record.times), 1);
	assert_int_equal(count_lines(path, "what=\"refused by a limit\" "
	    "session=0 tenant= api=metadata topic=\"x\" reason=\"over the "
	    "limit partition_changes of this tenant"), 1);
	assert_int_equal(owed(), 2);
	request_free(r);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_version_costs_the_same), T(nothing_costs_nothing),
		T(debt_refuses_items_or_holds_requests), T(no_number_wraps),
		T(what_a_question_would_make_is_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
