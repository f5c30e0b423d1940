/* SPDX-License-Identifier: Apache-2.0 */
/* How long a broker is waited for. */
#include "gateway/request.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "wire/messages.h"

static struct worker *const no_worker;

static uint32_t
timeout_of(int16_t key, int16_t version, const void *body)
{
	struct request r = { .worker = no_worker, .api = api_find(key),
		.schema = api_schema_find(key), .version = version,
		.body = (void *)(uintptr_t)body };
	uint32_t ms;

	arena_init(&r.arena, 0);
	request_legs(&r, 2);
	assert_int_equal(r.leg_count, 2);
	ms = r.legs[0].timeout_ms;
	assert_int_equal(r.legs[1].timeout_ms, ms);
	arena_fini(&r.arena);
	return ms;
}

static uint32_t
produce_timeout(int32_t ms)
{
	struct produce_request q = { .timeout_ms = ms };

	return timeout_of(API_PRODUCE, 9, &q);
}

/* Never less than the default, never less than the client lets the broker
 * work, and not for ever. */
static void
test_own_timeout(void **state)
{
	struct create_topics_request create = { .timeout_ms = 90000 };
	struct delete_topics_request delete = { .timeout_ms = 120000 };

	(void)state;
	assert_int_equal(produce_timeout(30000), REQUEST_TIMEOUT_MS);
	assert_int_equal(produce_timeout(0), REQUEST_TIMEOUT_MS);
	assert_int_equal(produce_timeout(-1), REQUEST_TIMEOUT_MS);
	assert_int_equal(produce_timeout(INT32_MIN), REQUEST_TIMEOUT_MS);
	assert_int_equal(produce_timeout(REQUEST_TIMEOUT_MS),
	    REQUEST_TIMEOUT_MS + REQUEST_MARGIN_MS);
	assert_int_equal(produce_timeout(300000), 300000 + REQUEST_MARGIN_MS);
	assert_int_equal(produce_timeout(INT32_MAX), REQUEST_TIMEOUT_MAX_MS);
	assert_int_equal(timeout_of(API_CREATE_TOPICS, 7, &create),
	    90000 + REQUEST_MARGIN_MS);
	assert_int_equal(timeout_of(API_DELETE_TOPICS, 6, &delete),
	    120000 + REQUEST_MARGIN_MS);
}

/* ListOffsets has one since version 10; JoinGroup's is its row's. */
static void
test_other_timeouts(void **state)
{
	struct list_offsets_request list = { .timeout_ms = 100000 };
	struct join_group_request join = { .rebalance_timeout_ms = 1000 };
	struct heartbeat_request beat = { .generation_id = 1 };

	(void)state;
	assert_int_equal(timeout_of(API_LIST_OFFSETS, 9, &list),
	    REQUEST_TIMEOUT_MS);
	assert_int_equal(timeout_of(API_LIST_OFFSETS, 10, &list),
	    100000 + REQUEST_MARGIN_MS);
	assert_int_equal(timeout_of(API_JOIN_GROUP, 9, &join), 1800000);
	assert_int_equal(timeout_of(API_HEARTBEAT, 4, &beat),
	    REQUEST_TIMEOUT_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_timeout),
		cmocka_unit_test(test_other_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
