/* SPDX-License-Identifier: Apache-2.0 */
/* What all brokers say of log directories, merged. */
/* What is played here, beside the true ones in the library. */
#define request_answer fake_request_answer
#define request_answer_error fake_request_answer_error
#define request_finish fake_request_finish
#define forward_answer fake_forward_answer
#define authorize_reply fake_authorize_reply
#define cluster_topic fake_cluster_topic

#include "gateway/api_each.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/base/clock.h"

enum { BROKERS = 3, PARTS = 100000 };

static const struct describe_log_dirs_response *answer;
static int16_t error;
static struct partition *partitions;
static struct topic topics[] = {
	{ .name = { (const uint8_t *)"aa", 2 } },
	{ .name = { (const uint8_t *)"b", 1 } },
	{ .name = { (const uint8_t *)"hidden", 6 }, .internal = true },
};
static struct cluster snapshot;
static struct worker worker = { .cluster = &snapshot };
static struct session session;
static struct request request;
static struct leg legs[BROKERS];

static int parked;

/* Once a request, as the real one; what comes then is the test's. */
bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	if (parked > 0)
		return false;
	parked++;
	resume(r);
	return true;
}

void
request_answer(struct request *r, const void *response)
{
	(void)r;
	answer = response;
}

void
request_answer_error(struct request *r, int16_t e)
{
	(void)r;
	error = e;
}

void
authorize_reply(struct request *r, void *reply)
{
	(void)r;
	(void)reply;
}

void
request_finish(struct request *r)
{
	(void)r;
}

void
forward_answer(struct request *r, void *response)
{
	request_answer(r, response);
}

const struct topic *
cluster_topic(const struct cluster *c, struct slice name)
{
	(void)c;
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (slice_eq(topics[i].name, name))
			return &topics[i];
	return NULL;
}

/* Partition i of every topic is led by broker i % BROKERS. */
static int
setup(void **state)
{
	(void)state;
	answer = NULL;
	error = 0;
	partitions = calloc(PARTS, sizeof(*partitions));
	for (int i = 0; i < PARTS; i++)
		partitions[i] = (struct partition){ .index = i,
			.leader = i % BROKERS };
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		topics[i].partitions = partitions;
		topics[i].partition_count = PARTS;
	}
	memset(legs, 0, sizeof(legs));
	parked = 0;
	request = (struct request){ .worker = &worker, .session = &session,
		.legs = legs, .leg_count = BROKERS };
	arena_init(&request.arena, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&request.arena);
	free(partitions);
	return 0;
}

/* Broker i has these topics with n partitions each, last one first; the size of
 * one is its index times 10 plus the broker. */
static void
broker_says(int i, const char *const *names, int count, int n)
{
	struct describe_log_dirs_response *r = ARENA_NEW(&request.arena,
	    struct describe_log_dirs_response);
	struct describe_log_dirs_response_results *dir = ARENA_NEW(
	    &request.arena, struct describe_log_dirs_response_results);

	r->results.v = dir;
	r->results.n = 1;
	dir->log_dir = SLICE_LIT("/secret");
	dir->topics.n = count;
	dir->topics.v = ARENA_ARRAY(&request.arena, dir_topic, count);
	for (int t = 0; t < count; t++) {
		dir_topic *to = &dir->topics.v[t];

		to->name = slice_of(names[t]);
		to->partitions.n = n;
		to->partitions.v = ARENA_ARRAY(&request.arena, dir_partition,
		    n);
		for (int p = 0; p < n; p++)
			to->partitions.v[p] = (dir_partition){
				.partition_index = n - 1 - p,
				.partition_size = (n - 1 - p) * 10 + i };
	}
	legs[i].broker = i;
	legs[i].reply = r;
}

static void
test_leaders_word(void **state)
{
	static const char *const names[] = { "b", "gone", "aa", "hidden" };
	const struct describe_log_dirs_response_results *dir;

	(void)state;
	for (int i = 0; i < BROKERS; i++)
		broker_says(i, names, 4, 10);
	dirs_described(&request);
	/* "gone" could be one that was created just now. */
	assert_int_equal(parked, 1);
	assert_int_equal(answer->results.n, 1);
	dir = &answer->results.v[0];
	assert_true(slice_is(dir->log_dir, "/weir"));
	assert_int_equal(dir->topics.n, 2);
	assert_true(slice_is(dir->topics.v[0].name, "aa"));
	assert_true(slice_is(dir->topics.v[1].name, "b"));
	for (int t = 0; t < 2; t++) {
		assert_int_equal(dir->topics.v[t].partitions.n, 10);
		for (int p = 0; p < 10; p++) {
			const dir_partition *is =
			    &dir->topics.v[t].partitions.v[p];

			assert_int_equal(is->partition_index, p);
			assert_int_equal(is->partition_size,
			    p * 10 + p % BROKERS);
		}
	}
}

/* Without its leader's word another's must do, and the log that is in use comes
 * before the one that is to replace it. */
static void
test_other_word(void **state)
{
	static const char *const names[] = { "b" };
	struct describe_log_dirs_response *r;
	const dir_partition *p;

	(void)state;
	for (int i = 0; i < 2; i++)
		broker_says(i, names, 1, 3);
	legs[2] = legs[1];
	legs[2].broker = 1;
	broker_says(1, names, 1, 3);
	r = legs[1].reply;
	for (int i = 0; i < 3; i++) {
		r->results.v[0].topics.v[0].partitions.v[i].is_future_key =
		    true;
		r->results.v[0].topics.v[0].partitions.v[i].partition_size =
		    7;
	}
	dirs_described(&request);
	assert_int_equal(answer->results.v[0].topics.v[0].partitions.n, 3);
	p = answer->results.v[0].topics.v[0].partitions.v;
	assert_int_equal(p[0].partition_size, 0);
	assert_int_equal(p[1].partition_size, 11);
	/* Broker 2, its leader, has said nothing. */
	assert_int_equal(p[2].partition_size, 20);
}

/* A hundred thousand partitions on three brokers: seconds would show that it is
 * not done in a square of that. */
static void
test_many(void **state)
{
	static const char *const names[] = { "b" };
	int64_t began = clock_now_us();

	(void)state;
	for (int i = 0; i < BROKERS; i++)
		broker_says(i, names, 1, PARTS);
	dirs_described(&request);
	assert_int_equal(answer->results.v[0].topics.v[0].partitions.n, PARTS);
	assert_true(clock_now_us() - began < 10 * 1000000);
}

static void
test_one_is_silent(void **state)
{
	static const char *const names[] = { "b" };

	(void)state;
	broker_says(0, names, 1, 3);
	broker_says(1, names, 1, 3);
	legs[2].error = KAFKA_REQUEST_TIMED_OUT;
	dirs_described(&request);
	assert_null(answer);
	assert_int_equal(error, KAFKA_REQUEST_TIMED_OUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_leaders_word),
		TEST(test_other_word),
		TEST(test_many),
		TEST(test_one_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
