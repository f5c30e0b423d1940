/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits: what can be limited, the profiles that are built in against what is
 * published, and which row holds for whom.
 */
#include "quota/limits.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/mem.h"

#define T cmocka_unit_test
#define NONE SLICE_NULL

/* ---- dimensions ---- */

static void
test_dimensions(void **state)
{
	enum quota_dimension found;

	(void)state;
	for (unsigned i = 0; i < QUOTA_DIMENSIONS; i++) {
		enum quota_dimension d = (enum quota_dimension)i;
		const struct quota_dimension_row *row = quota_dimension(d);
		bool timed = row->kind == QUOTA_RATE ||
		    row->kind == QUOTA_WINDOW;

		assert_true(quota_dimension_find(row->word, &found));
		assert_int_equal(found, d);
		assert_true(row->scopes != 0);
		assert_true(row->scopes & 1u << quota_dimension_scope(d));
		assert_int_equal(quota_burst(d, 7), timed ? 7 : 0);
		/* A bucket counts its burst in millionths. */
		assert_true(quota_value_max(d) <= (timed ?
		    INT64_MAX / 1000000 / 2 : INT64_MAX / 2));
		assert_string_not_equal(row->text, "");
		assert_string_not_equal(row->unit, "");
	}
	assert_false(quota_dimension_find("ingress", &found));
	assert_false(quota_dimension_find("", &found));
	assert_int_equal(quota_dimension_scope(QUOTA_DIM_INGRESS),
	    QUOTA_TENANT);
	assert_int_equal(quota_dimension_scope(QUOTA_DIM_PARTITION_EGRESS),
	    QUOTA_PARTITION);
	assert_string_equal(quota_scope_word(QUOTA_NODE), "node");
	assert_string_equal(quota_mode_word(QUOTA_OFF), "off");
}

/* ---- profiles ---- */

/* docs.aws.amazon.com/msk/latest/developerguide/limits.html, "Quota for Amazon
 * MSK Serverless"; written from the page, not from profiles.def. */
static const struct published {
	const char	*dimension;
	enum quota_scope scope;
	int64_t		 value;
	enum quota_kind	 kind;
	enum quota_result result;
} published[] = {
	/* 200 MBps: slowdown with throttle duration in response */
	{ "ingress_bytes", QUOTA_TENANT, 200000000, QUOTA_RATE,
	    QUOTA_SLOWDOWN },
	/* 400 MBps: the same */
	{ "egress_bytes", QUOTA_TENANT, 400000000, QUOTA_RATE,
	    QUOTA_SLOWDOWN },
	/* 3000: connection close */
	{ "connections", QUOTA_TENANT, 3000, QUOTA_COUNT, QUOTA_CLOSE },
	/* 100 per second: connection close */
	{ "connection_attempts", QUOTA_TENANT, 100, QUOTA_RATE, QUOTA_CLOSE },
	/* 8 MiB: INVALID_REQUEST */
	{ "message_bytes", QUOTA_TENANT, 8388608, QUOTA_SIZE,
	    QUOTA_INVALID_REQUEST },
	/* 15,000 per second: slowdown */
	{ "requests", QUOTA_TENANT, 15000, QUOTA_RATE, QUOTA_SLOWDOWN },
	/* 2 per second: slowdown */
	{ "topic_requests", QUOTA_TENANT, 2, QUOTA_RATE, QUOTA_SLOWDOWN },
	/* 55 MB: INVALID_REQUEST */
	{ "fetch_bytes", QUOTA_TENANT, 55000000, QUOTA_SIZE,
	    QUOTA_INVALID_REQUEST },
	/* 500: JoinGroup request fails */
	{ "groups", QUOTA_TENANT, 500, QUOTA_COUNT, QUOTA_JOIN },
	/* 2400 for non-compacted topics, 120 for compacted: INVALID_REQUEST */
	{ "partitions", QUOTA_TENANT, 2400, QUOTA_COUNT,
	    QUOTA_INVALID_REQUEST },
	{ "compacted_partitions", QUOTA_TENANT, 120, QUOTA_COUNT,
	    QUOTA_INVALID_REQUEST },
	/* 250 in 5 minutes: "THROUGHPUT_QUOTA_EXCEEDED", which Kafka calls
	 * THROTTLING_QUOTA_EXCEEDED */
	{ "partition_changes", QUOTA_TENANT, 250, QUOTA_WINDOW,
	    QUOTA_THROTTLED },
	/* 5 MBps, 10 MBps per partition: slowdown */
	{ "partition_ingress_bytes", QUOTA_PARTITION, 5000000, QUOTA_RATE,
	    QUOTA_SLOWDOWN },
	{ "partition_egress_bytes", QUOTA_PARTITION, 10000000, QUOTA_RATE,
	    QUOTA_SLOWDOWN },
	/* 250 GB: as for partition creation */
	{ "compacted_partition_bytes", QUOTA_TENANT, 250000000000, QUOTA_SIZE,
	    QUOTA_THROTTLED },
};
enum { PUBLISHED = sizeof(published) / sizeof(published[0]) };

static void
test_published(void **state)
{
	struct limits *l = limits_builtin("msk-serverless");

	(void)state;
	assert_non_null(l);
	assert_string_equal(l->profile, "msk-serverless");
	assert_int_equal(l->n, PUBLISHED);
	assert_int_equal(QUOTA_WINDOW_S, 5 * 60);
	for (size_t i = 0; i < PUBLISHED; i++) {
		const struct published *p = &published[i];
		const struct limit *row;
		enum quota_dimension d;

		assert_true(quota_dimension_find(p->dimension, &d));
		assert_int_equal(quota_dimension(d)->kind, p->kind);
		assert_int_equal(quota_dimension(d)->result, p->result);
		row = limits_find(l, p->scope, d, NONE, NONE,
		    SLICE_LIT("any"));
		assert_non_null(row);
		assert_int_equal(row->value, p->value);
		assert_int_equal(row->burst, p->kind == QUOTA_RATE ||
		    p->kind == QUOTA_WINDOW ? p->value : 0);
		assert_int_equal(row->mode, QUOTA_ENFORCE);
		assert_int_equal(row->warn[0], 80);
		assert_int_equal(row->warn[1], 95);
		assert_int_equal(row->warn[2], 0);
	}
	limits_unref(l);
}

/* Each dimension has a row, which is in bounds, and none has two. */
static void
test_dev(void **state)
{
	struct limits *l = limits_builtin("dev");
	unsigned seen = 0;

	(void)state;
	assert_non_null(l);
	assert_int_equal(l->n, QUOTA_DIMENSIONS);
	for (uint32_t i = 0; i < l->n; i++) {
		enum quota_dimension d = (enum quota_dimension)
		    l->v[i].dimension;

		assert_false(seen & 1u << d);
		seen |= 1u << d;
		assert_true(quota_dimension(d)->scopes & 1u << l->v[i].scope);
		assert_true(l->v[i].value > 0);
		assert_true(l->v[i].value <= quota_value_max(d));
		assert_int_equal(l->v[i].burst > 0, quota_burst(d, 1) > 0);
	}
	limits_unref(l);
}

static void
test_names(void **state)
{
	struct limits *l = limits_builtin("unlimited");

	(void)state;
	assert_non_null(l);
	assert_int_equal(l->n, 0);
	limits_unref(l);
	assert_null(limits_builtin("msk_serverless"));
	assert_null(limits_builtin(""));
}

/* ---- which row ---- */

static struct limit *
set(struct limits *l, uint32_t i, enum quota_scope s, enum quota_dimension d,
    int64_t value)
{
	l->v[i].scope = (uint8_t)s;
	l->v[i].dimension = (uint8_t)d;
	l->v[i].value = value;
	return &l->v[i];
}

static int64_t
value_of(const struct limit *row)
{
	return row != NULL ? row->value : -1;
}

static void
test_find(void **state)
{
	struct limits *l = limits_new("p", 6);
	struct slice app = SLICE_LIT("arn:aws:iam::1:role/app");
	struct slice user = SLICE_LIT("arn:aws:iam::1:user/bob");
	struct limit *row;

	(void)state;
	set(l, 0, QUOTA_TENANT, QUOTA_DIM_REQUESTS, 100);
	row = set(l, 1, QUOTA_PRINCIPAL, QUOTA_DIM_REQUESTS, 10);
	row->principal = mem_strdup("*:role/*");
	set(l, 2, QUOTA_PRINCIPAL, QUOTA_DIM_REQUESTS, 20);
	row = set(l, 3, QUOTA_CLIENT, QUOTA_DIM_REQUESTS, 5);
	row->principal = mem_strdup("*:user/*");
	row->client_id = mem_strdup("job-?");
	row = set(l, 4, QUOTA_PARTITION, QUOTA_DIM_PARTITION_INGRESS, 7);
	row->topic = mem_strdup("hot.*");
	row = set(l, 5, QUOTA_PRINCIPAL, QUOTA_DIM_INGRESS, 9);
	row->mode = QUOTA_OFF;
#define FIND(scope, dim, p, c, t) value_of(limits_find(l, QUOTA_##scope, \
	QUOTA_DIM_##dim, p, c, t))
	assert_int_equal(FIND(TENANT, REQUESTS, NONE, NONE, NONE), 100);
	assert_int_equal(FIND(NODE, REQUESTS, NONE, NONE, NONE), -1);
	assert_int_equal(FIND(TENANT, INGRESS, NONE, NONE, NONE), -1);
	/* The first that fits. */
	assert_int_equal(FIND(PRINCIPAL, REQUESTS, app, NONE, NONE), 10);
	assert_int_equal(FIND(PRINCIPAL, REQUESTS, user, NONE, NONE), 20);
	assert_int_equal(FIND(PRINCIPAL, REQUESTS, NONE, NONE, NONE), 20);
	/* Both patterns. */
	assert_int_equal(FIND(CLIENT, REQUESTS, user, SLICE_LIT("job-1"),
	    NONE), 5);
	assert_int_equal(FIND(CLIENT, REQUESTS, user, SLICE_LIT("job-10"),
	    NONE), -1);
	assert_int_equal(FIND(CLIENT, REQUESTS, app, SLICE_LIT("job-1"),
	    NONE), -1);
	assert_int_equal(FIND(PARTITION, PARTITION_INGRESS, user, NONE,
	    SLICE_LIT("hot.a")), 7);
	assert_int_equal(FIND(PARTITION, PARTITION_INGRESS, NONE, NONE,
	    SLICE_LIT("cold")), -1);
	/* Off is as if there was none. */
	assert_int_equal(FIND(PRINCIPAL, INGRESS, app, NONE, NONE), -1);
#undef FIND
	limits_unref(l);
	assert_null(limits_find(NULL, QUOTA_TENANT, QUOTA_DIM_REQUESTS, NONE,
	    NONE, NONE));
}

/* What is its own goes first, also where that is off. */
static void
test_join(void **state)
{
	struct limits *profile = limits_builtin("dev"), *own, *both;

	(void)state;
	own = limits_new("own", 2);
	set(own, 0, QUOTA_TENANT, QUOTA_DIM_GROUPS, 77)->principal = NULL;
	set(own, 1, QUOTA_TENANT, QUOTA_DIM_CONNECTIONS, 0)->mode = QUOTA_OFF;
	own->v[0].topic = mem_strdup("*");
	both = limits_join(own, profile);
	limits_unref(own);
	assert_int_equal(both->n, 2 + profile->n);
	assert_string_equal(both->profile, "dev");
	assert_string_equal(both->v[0].topic, "*");
	assert_int_equal(value_of(limits_find(both, QUOTA_TENANT,
	    QUOTA_DIM_GROUPS, NONE, NONE, NONE)), 77);
	assert_null(limits_find(both, QUOTA_TENANT, QUOTA_DIM_CONNECTIONS,
	    NONE, NONE, NONE));
	assert_ptr_equal(limits_find(both, QUOTA_TENANT, QUOTA_DIM_REQUESTS,
	    NONE, NONE, NONE)->principal, NULL);
	limits_unref(both);
	/* Nothing of its own: the profile itself. */
	both = limits_join(NULL, profile);
	assert_ptr_equal(both, profile);
	limits_unref(both);
	own = limits_new("own", 0);
	both = limits_join(own, profile);
	assert_ptr_equal(both, profile);
	limits_unref(own);
	limits_unref(profile);
	assert_int_equal(both->n, QUOTA_DIMENSIONS);
	limits_unref(both);
	assert_null(limits_ref(NULL));
	limits_unref(NULL);
}

static void *
take_and_give(void *arg)
{
	for (int i = 0; i < 20000; i++)
		limits_unref(limits_ref(arg));
	limits_unref(arg);
	return NULL;
}

/* Whoever is last frees (a leak or a second free is the sanitizer's to see). */
static void
test_references(void **state)
{
	struct limits *l = limits_builtin("dev");
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_and_give,
		    limits_ref(l)), 0);
	limits_unref(l);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_dimensions), T(test_published), T(test_dev),
		T(test_names), T(test_find), T(test_join), T(test_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
