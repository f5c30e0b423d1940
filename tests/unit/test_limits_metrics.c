/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of limits: one series a tenant and limit, and no more partitions than
 * there may be; and what is shown of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/base/htab.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/limits_metrics.h"
#include "gateway/limits_status.h"
#include "quota/quota_private.h"

enum { SECOND = 1000000 };

static char *
metrics_of(struct quota *q)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	limits_metrics(q, f);
	fclose(f);
	return text;
}

static int
count(const char *text, const char *what)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static struct limits *
some_limits(void)
{
	struct limits *l = limits_new("test", 3);

	l->v[0] = (struct limit){ .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000, .burst = 1000 };
	l->v[1] = (struct limit){ .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_PRINCIPAL, .value = 500, .burst = 500 };
	l->v[2] = (struct limit){ .dimension = QUOTA_DIM_PARTITION_INGRESS,
		.scope = QUOTA_PARTITION, .value = 10, .burst = 10 };
	return l;
}

static void
shows_tenants_and_hot_partitions(void **state)
{
	struct quota *q = quota_new(1);
	struct limits *l = some_limits();
	struct quota_account *a = quota_account(q, "orders", l);
	struct quota_topic *t = quota_topic(a, SLICE_LIT("clicks"));
	struct quota_cost c = { 0 };
	struct quota_reason why;
	struct quota_who w;
	char *text;

	(void)state;
	quota_who_open(q, a, SLICE_LIT("alice"), SLICE_LIT(""), &w);
	quota_cost_add(&c, QUOTA_DIM_INGRESS, 3000, true);
	quota_spend(&w, &c, SECOND);
	/* The principal's limit is longer than the tenant's. */
	quota_note(&w.holders[
	    QUOTA_PRINCIPAL]->gauges[QUOTA_DIM_INGRESS].record,
	    quota_throttle_us(&w, &c, QUOTA_IN, SECOND, &why), SECOND);
	for (int i = 0; i < 2 * LIMITS_METRICS_PARTITIONS; i++) {
		why.us = 0;
		quota_part_spend(t, i, false, 10 + 10 * (i + 1), SECOND, &why);
		quota_note(why.record, why.us, SECOND);
	}
	text = metrics_of(q);
	assert_int_equal(count(text, "weir_limit_value{tenant=\"orders\","
	    "limit=\"ingress_bytes\"} 1000\n"), 1);
	assert_int_equal(count(text, "weir_limit_held_up_total{tenant=\"orders"
	    "\",limit=\"ingress_bytes\"} 1\n"), 1);
	assert_int_equal(count(text, "weir_limit_held_up_seconds_total{tenant="
	    "\"orders\",limit=\"ingress_bytes\"} 5.000000\n"), 1);
	assert_int_equal(count(text, "\nweir_partition_held_up_seconds_total{"),
	    LIMITS_METRICS_PARTITIONS);
	assert_non_null(strstr(text, "topic=\"clicks\",partition=\"39\"} "
	    "40.000000\n"));
	assert_null(strstr(text, "partition=\"19\""));
	assert_null(strstr(text, "alice"));
	free(text);
	quota_topic_unref(t);
	quota_who_close(&w);
	quota_free(q);
	limits_unref(l);
}

static void
assert_held(struct quota *q, const char *limit, const char *times,
    const char *seconds)
{
	char *text = metrics_of(q), want[200];

	snprintf(want, sizeof(want), "\nweir_limit_held_up_total{tenant="
	    "\"orders\",limit=\"%s\"} %s\n", limit, times);
	assert_non_null(strstr(text, want));
	snprintf(want, sizeof(want), "\nweir_limit_held_up_seconds_total{"
	    "tenant=\"orders\",limit=\"%s\"} %s\n", limit, seconds);
	assert_non_null(strstr(text, want));
	free(text);
}

/* Who was held up and went, and limits that are gone, are counted on. */
static void
counters_never_go_back(void **state)
{
	struct quota *q = quota_new(1);
	struct limits *l = some_limits(), *none = limits_new("none", 0);
	struct quota_account *a = quota_account(q, "orders", l);
	struct quota_reason why = { .us = 0 };
	struct quota_topic *t;
	struct quota_who w;

	(void)state;
	for (int i = 1; i <= 3; i++) {
		char times[8], seconds[16];

		quota_who_open(q, a, SLICE_LIT("alice"), SLICE_LIT(""), &w);
		quota_note(&w.holders[QUOTA_PRINCIPAL]->gauges[
		    QUOTA_DIM_INGRESS].record, 5 * SECOND, SECOND);
		t = quota_topic(a, SLICE_LIT("clicks"));
		why.us = 0;
		quota_part_spend(t, 3, false, 20, i * 1000LL * SECOND, &why);
		quota_note(why.record, 5 * SECOND, i * 1000LL * SECOND);
		quota_topic_unref(t);
		quota_who_close(&w);
		snprintf(times, sizeof(times), "%d", i);
		snprintf(seconds, sizeof(seconds), "%d.000000", 5 * i);
		assert_held(q, "ingress_bytes", times, seconds);
		assert_held(q, "partition_ingress_bytes", times, seconds);
		quota_account_set(a, none);
		assert_held(q, "ingress_bytes", times, seconds);
		assert_held(q, "partition_ingress_bytes", times, seconds);
		quota_account_set(a, l);
		/* Its buckets are full by then: it is forgotten. */
		quota_tick(q, i * 1000LL * SECOND + 500LL * SECOND);
		assert_int_equal(htab_count(a->holders), 0);
		assert_int_equal(htab_count(a->topics), 0);
		assert_held(q, "ingress_bytes", times, seconds);
		assert_held(q, "partition_ingress_bytes", times, seconds);
	}
	quota_free(q);
	limits_unref(l);
	limits_unref(none);
}

/* Whatever bytes clients call themselves. */
static void
shows_what_is_no_text(void **state)
{
	struct config config = { .quota.made = limits_new("test", 1) };
	struct gateway g = { .config = &config, .quota = quota_new(1) };
	const struct limits_query all = { .partition = -1 };
	struct quota_who w;
	struct error err;
	char *text;
	json_t *v;

	(void)state;
	config.quota.made->v[0] = (struct limit){
		.dimension = QUOTA_DIM_REQUESTS, .scope = QUOTA_CLIENT,
		.value = 1, .burst = 1 };
	quota_who_open(g.quota, quota_account(g.quota, "", config.quota.made),
	    SLICE_LIT("alice"), SLICE_LIT("app\xff\xe2\x82"), &w);
	v = limits_status(&g, &all, &err);
	text = json_dumps(v, 0);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"app\\\\xff\\\\xe2\\\\x82\""));
	free(text);
	json_decref(v);
	quota_who_close(&w);
	quota_free(g.quota);
	limits_unref(config.quota.made);
}

static void
has_no_more_tenants_than_may_be(void **state)
{
	struct quota *q = quota_new(1);
	struct limits *l = some_limits();
	char *text, name[16];

	(void)state;
	for (int i = 0; i < 2 * LIMITS_METRICS_TENANTS; i++) {
		struct quota_account *a;

		snprintf(name, sizeof(name), "t%d", i);
		a = quota_account(q, name, l);
		if (i == LIMITS_METRICS_TENANTS + 7) {
			struct quota_topic *t = quota_topic(a, SLICE_LIT("x"));
			struct quota_reason why = { .us = 0 };

			quota_part_spend(t, 0, false, 100, SECOND, &why);
			quota_note(why.record, why.us, SECOND);
			quota_topic_unref(t);
		}
	}
	text = metrics_of(q);
	assert_int_equal(count(text, "\nweir_limit_value{"),
	    LIMITS_METRICS_TENANTS);
	/* The one that was held up is among them. */
	assert_non_null(strstr(text, "weir_limit_value{tenant=\"t207\""));
	free(text);
	quota_free(q);
	limits_unref(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_tenants_and_hot_partitions),
		cmocka_unit_test(counters_never_go_back),
		cmocka_unit_test(shows_what_is_no_text),
		cmocka_unit_test(has_no_more_tenants_than_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
