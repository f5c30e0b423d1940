/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/metric.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *
api_name(int key)
{
	return key == 1 ? "Fetch" : key == 3 ? "Metadata" : NULL;
}

static const char *
error_name(int code)
{
	return code == 6 ? "NOT_LEADER_OR_FOLLOWER" : NULL;
}

static const char *
reason_name(int reason)
{
	return reason == 2 ? "idle" : NULL;
}

static const struct metric_names names = { api_name, error_name, reason_name,
	reason_name };

static void
expect_line(const char *text, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line %s in\n%s", line, text);
}

static void
test_sums_over_threads(void **state)
{
	struct metrics *a = metric_new(), *b = metric_new();

	(void)state;
	metric_add(a, METRIC_CONNECTIONS, 3);
	metric_add(b, METRIC_CONNECTIONS, 4);
	metric_set(a, METRIC_SESSIONS, 5);
	metric_set(b, METRIC_SESSIONS, 6);
	metric_sub(b, METRIC_SESSIONS, 7);	/* below 0 for a moment */
	assert_int_equal(metric_total(METRIC_CONNECTIONS), 7);
	assert_int_equal(metric_total(METRIC_SESSIONS), 4);
	metric_free(b);
	assert_int_equal(metric_total(METRIC_CONNECTIONS), 7);
	assert_int_equal(metric_total(METRIC_SESSIONS), 5);
	metric_free(a);
	assert_int_equal(metric_total(METRIC_CONNECTIONS), 7);
	assert_int_equal(metric_total(METRIC_SESSIONS), 0);
	metric_free(NULL);
}

static void
test_buckets(void **state)
{
	(void)state;
	assert_int_equal(metric_bucket(0), 0);
	assert_int_equal(metric_bucket(100), 0);
	assert_int_equal(metric_bucket(101), 1);
	assert_int_equal(metric_bucket(1000000), 12);
	assert_int_equal(metric_bucket(60000000), METRIC_BUCKETS - 1);
	assert_int_equal(metric_bucket(60000001), METRIC_BUCKETS);
	assert_int_equal(metric_bucket(UINT64_MAX), METRIC_BUCKETS);
}

static void
test_render(void **state)
{
	struct metrics *m = metric_new();
	char *text;

	(void)state;
	metric_request(m, 1, 400, 0, 100, 2000);
	metric_request(m, 1, 70000000, 6, 100, 50);
	metric_request(m, 30000, 1, 30000, 1, 1);
	metric_request(m, -5, 1, -1, 1, 1);
	metric_add(m, metric_reason(METRIC_CONNECTIONS_CLOSED, 2), 9);
	metric_add(m, metric_reason(METRIC_CONNECTIONS_CLOSED, 9999), 1);
	metric_set(m, metric_state(METRIC_UPSTREAMS, METRIC_IDLE), 2);
	metric_set(m, METRIC_SNAPSHOT_AGE, 1500000);
	text = metric_render(&names);
	expect_line(text, "# TYPE weir_requests_total counter");
	expect_line(text, "weir_requests_total{api=\"Fetch\"} 2");
	expect_line(text, "weir_requests_total{api=\"other\"} 2");
	expect_line(text, "weir_request_errors_total{api=\"Fetch\","
	    "error=\"NOT_LEADER_OR_FOLLOWER\"} 1");
	expect_line(text, "weir_request_errors_total{api=\"other\","
	    "error=\"other\"} 1");
	expect_line(text, "weir_request_duration_seconds_bucket{"
	    "api=\"Fetch\",le=\"0.0005\"} 1");
	expect_line(text, "weir_request_duration_seconds_bucket{"
	    "api=\"Fetch\",le=\"60\"} 1");
	expect_line(text, "weir_request_duration_seconds_bucket{"
	    "api=\"Fetch\",le=\"+Inf\"} 2");
	expect_line(text, "weir_request_duration_seconds_sum{"
	    "api=\"Fetch\"} 70.000400");
	expect_line(text, "weir_request_duration_seconds_count{"
	    "api=\"Fetch\"} 2");
	expect_line(text, "weir_response_bytes_total{api=\"Fetch\"} 2050");
	expect_line(text, "weir_connections_closed_total{reason=\"idle\"} 9");
	expect_line(text, "weir_connections_closed_total{reason=\"other\"} 1");
	expect_line(text, "weir_upstreams{state=\"idle\"} 2");
	expect_line(text, "weir_snapshot_age_seconds 1.500000");
	expect_line(text, "weir_sessions 0");
	assert_null(strstr(text, "Metadata"));
	free(text);
	metric_free(m);
}

static void *
count_a_lot(void *arg)
{
	for (int i = 0; i < 100000; i++)
		metric_add(arg, METRIC_TAGS_DROPPED, 1);
	return NULL;
}

static void
test_read_while_written(void **state)
{
	struct metrics *a = metric_new(), *b = metric_new();
	uint64_t last = 0, now;
	pthread_t ta, tb;

	(void)state;
	assert_int_equal(pthread_create(&ta, NULL, count_a_lot, a), 0);
	assert_int_equal(pthread_create(&tb, NULL, count_a_lot, b), 0);
	for (int i = 0; i < 1000; i++) {
		now = metric_total(METRIC_TAGS_DROPPED);
		assert_true(now >= last);
		last = now;
	}
	pthread_join(ta, NULL);
	pthread_join(tb, NULL);
	assert_int_equal(metric_total(METRIC_TAGS_DROPPED), 200000);
	metric_free(a);
	metric_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_over_threads),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_read_while_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
