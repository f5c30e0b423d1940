/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of partitions at a worker: what is kept of topics, what a Produce
 * waits for, and what is left of it when its topics have gone. */
#define session_mute fake_session_mute
#define session_mute_idle fake_session_mute_idle

#include "gateway/throttle.c"
#include "gateway/throttle_parts.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/api.h"
#include "gateway/base/metric.h"
#include "gateway/client_login.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "quota/quota_private.h"

enum { TOPICS = 3 * THROTTLE_TOPICS_MAX, SECOND = 1000000 };

static struct gateway gateway;
static struct worker worker;
static struct config config;
static struct session session;
static struct cluster snapshot;
static struct topic topics[TOPICS];
static char names[TOPICS][16];
static struct quota_account *account;

void
session_mute(struct session *s, bool muted)
{
	(void)s, (void)muted;
}

void
session_mute_idle(struct session *s)
{
	(void)s;
}

static int
setup(void **state)
{
	static struct limit row = { .dimension = QUOTA_DIM_PARTITION_INGRESS,
		.scope = QUOTA_PARTITION, .value = 1000, .burst = 1000 };
	struct limits *l = limits_new("test", 1);

	(void)state;
	l->v[0] = row;
	l->v[0].topic = mem_strdup("hot*");
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
	for (int i = 0; i < TOPICS; i++) {
		snprintf(names[i], sizeof(names[i]), "%s%d", i % 2 ? "cold" :
		    "hot", i);
		topics[i].name = slice_of(names[i]);
		htab_set(snapshot.by_name, topics[i].name, &topics[i]);
	}
	throttle_enter(&session);
	account = throttle_who(&session)->account;
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
	return 0;
}

/* A Produce to partitions 0, 1, 3, 7 ... of hot0. */
static struct request *
produce(int partitions)
{
	struct request *r = request_new(&worker);
	struct produce_request *q = codec_new(&produce_request_message,
	    &r->arena);
	produce_topic *t;

	r->session = &session;
	r->api = api_find(API_PRODUCE);
	r->schema = r->api->schema;
	r->version = 9;
	r->bytes_in = 100;
	r->body = q;
	q->acks = 1;
	q->topic_data.n = 1;
	t = q->topic_data.v = codec_array(&produce_request_topic_data_message,
	    &r->arena, 1);
	t->name = topics[0].name;
	t->partition_data.n = partitions;
	t->partition_data.v = codec_array(
	    &produce_request_topic_data_partition_data_message, &r->arena,
	    partitions);
	for (int i = 0; i < partitions; i++) {
		t->partition_data.v[i].index = (1 << i) - 1;
		t->partition_data.v[i].records.len = 5000;
	}
	return r;
}

static struct quota_topic *
hot(void)
{
	struct quota_topic *t;

	assert_true(throttle_topic(&session, topics[0].name, &t));
	assert_non_null(t);
	return t;
}

static void
what_a_client_names_makes_nothing(void **state)
{
	struct throttle_parts *p = throttling_parts(worker.throttling);
	struct request *r = produce(16);
	struct quota_topic *t;

	(void)state;
	assert_true(throttle_admit(r));
	for (int i = 0; i < QUOTA_LEVELS; i++)
		assert_null(atomic_load(&hot()->levels[i]));
	assert_int_equal(r->throttle_us, 0);
	assert_false(throttle_topic(&session, SLICE_LIT("hot-and-unknown"),
	    &t));
	assert_int_equal(htab_count(p->by_key), 1);
	request_free(r);
}

static void
waits_for_what_it_may_write(void **state)
{
	struct request *first = produce(1), *r = produce(1);
	struct quota_reason why = { .us = 0 };
	int64_t now = loop_now_us(worker.loop);
	struct produce_response *to = codec_new(&produce_response_message,
	    &first->arena);

	(void)state;
	assert_int_equal(throttle_parts_wait_us(r, now, &why), 0);
	throttle_part_write(first, topics[0].name, NULL, 0, 3000);
	assert_in_range(throttle_parts_wait_us(r, now, &why), SECOND,
	    2 * SECOND);
	assert_int_equal(why.value, 1000);
	throttle_answer(first, 9, to);
	assert_in_range(to->throttle_time_ms, 900, 1000);
	/* Not logged in, it may write nothing, so nothing of it waits. */
	session.login = (struct client_login *)(uintptr_t)&session;
	assert_int_equal(throttle_parts_wait_us(r, now, &why), 0);
	session.login = NULL;
	request_free(first);
	request_free(r);
}

/* Brokers may take as long as they like. */
static void
a_topic_goes_before_the_answer(void **state)
{
	struct request *r = produce(1);
	struct produce_response *to = codec_new(&produce_response_message,
	    &r->arena);
	int64_t now = loop_now_us(worker.loop);

	(void)state;
	throttle_part_write(r, topics[0].name, NULL, 0, 3000);
	assert_int_equal(atomic_load(&quota_part_more(quota_topic_part(hot(),
	    0))->record[0].times), 1);
	throttling_forget(worker.throttling);
	quota_tick(gateway.quota, now + 3600LL * SECOND);
	assert_int_equal(htab_count(account->topics), 0);
	throttle_answer(r, 9, to);
	assert_true(to->throttle_time_ms > 0);
	request_free(r);
}

static void
forgets_what_nobody_asks_for(void **state)
{
	struct throttle_parts *p = throttling_parts(worker.throttling);
	struct quota_topic *t, *mine = hot();
	struct kept *k = p->last;

	(void)state;
	for (int i = 0; i < TOPICS; i++) {
		assert_true(throttle_topic(&session, topics[i].name, &t));
		assert_true((t != NULL) == (i % 2 == 0));
		assert_true(htab_count(p->by_key) <= THROTTLE_TOPICS_MAX);
		/* Is found again, not asked for again. */
		if (i % 1000 == 0) {
			assert_ptr_equal(hot(), mine);
			assert_ptr_equal(p->last, k);
		}
	}
	assert_int_equal(htab_count(p->by_key), THROTTLE_TOPICS_MAX);
	/* That there is no limit is known too, until limits change. */
	assert_true(throttle_topic(&session, topics[TOPICS - 1].name, &t));
	assert_null(t);
	assert_int_equal(p->last->version, quota_limits_version(account));
	pthread_mutex_lock(&account->lock);
	assert_true(throttle_topic(&session, topics[TOPICS - 3].name, &t));
	pthread_mutex_unlock(&account->lock);
	assert_int_equal(atomic_load(&mine->refs), 1);
	throttle_parts_forget(p);
	assert_int_equal(atomic_load(&mine->refs), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_a_client_names_makes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_what_it_may_write,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_topic_goes_before_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(forgets_what_nobody_asks_for,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
