/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups of coordinators: who asks for the same key while it is looked up
 * waits for that answer, in order. */
/* What is played here, beside the true one in the library. */
#define leg_send fake_leg_send

#include "gateway/coordinators.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LEGS = 16, ASKERS = 4 };

static struct leg *sent[LEGS];
static int sent_count;

void
fake_leg_send(struct leg *l, const struct api_schema *api, int version,
    struct slice client_id)
{
	assert_int_equal(api->key, API_FIND_COORDINATOR);
	assert_int_equal(version, FIND_VERSION);
	(void)client_id;
	assert_true(sent_count < LEGS);
	l->reply = NULL;
	sent[sent_count++] = l;
}

struct asker {
	struct coordinator_query q;
	int	 told;		/* 1: first, 2: second ...; 0: not yet */
};

static struct asker askers[ASKERS];
static int told;
static struct worker worker;

static void
answered(void *arg)
{
	struct asker *a = arg;

	assert_int_equal(a->told, 0);
	a->told = ++told;
	/* Whatever it was asked with may be gone now. */
	a->q.key = SLICE_NULL;
}

static void
ask(struct coordinators *c, int i, const char *key)
{
	askers[i].q.key = slice_of(key);
	coordinators_find(c, COORDINATOR_GROUP, &askers[i].q, 1, answered,
	    &askers[i]);
}

static int
setup(void **state)
{
	memset(askers, 0, sizeof(askers));
	sent_count = told = 0;
	*state = coordinators_new(&worker);
	return 0;
}

static int
teardown(void **state)
{
	coordinators_free(*state);
	return 0;
}

static void
reply(struct leg *l, const char *key, int32_t node, int16_t error)
{
	struct find_coordinator_response_coordinators one = {
		.key = slice_of(key), .node_id = node, .error_code = error };
	struct find_coordinator_response r = { .coordinators = { &one, 1 } };

	l->reply = &r;
	l->done(l);
}

static void
test_in_order(void **state)
{
	ask(*state, 0, "a");
	ask(*state, 1, "a");
	ask(*state, 2, "b");
	ask(*state, 3, "a");
	assert_int_equal(sent_count, 2);
	reply(sent[1], "b", 5, 0);
	assert_int_equal(askers[2].told, 1);
	reply(sent[0], "a", 3, 0);
	assert_int_equal(askers[0].told, 2);
	assert_int_equal(askers[1].told, 3);
	assert_int_equal(askers[3].told, 4);
	assert_int_equal(askers[0].q.broker, 3);
	assert_int_equal(askers[1].q.broker, 3);
	assert_int_equal(askers[3].q.broker, 3);
	assert_int_equal(askers[2].q.broker, 5);
}

static void
test_known_and_forgotten(void **state)
{
	ask(*state, 0, "a");
	reply(sent[0], "a", 3, 0);
	ask(*state, 1, "a");
	assert_int_equal(sent_count, 1);
	assert_int_equal(askers[1].q.broker, 3);
	coordinators_forget(*state, COORDINATOR_GROUP, SLICE_LIT("a"));
	ask(*state, 2, "a");
	assert_int_equal(sent_count, 2);
	assert_int_equal(askers[2].told, 0);
	reply(sent[1], "a", 4, 0);
	assert_int_equal(askers[2].q.broker, 4);
}

static void
test_no_answer(void **state)
{
	ask(*state, 0, "a");
	ask(*state, 1, "a");
	for (int i = 0; i <= FIND_TRIES; i++)
		sent[i]->done(sent[i]);
	assert_int_equal(sent_count, FIND_TRIES + 1);
	assert_int_equal(askers[0].told, 1);
	assert_int_equal(askers[1].told, 2);
	assert_int_equal(askers[1].q.broker, -1);
	assert_int_equal(askers[1].q.error, KAFKA_COORDINATOR_NOT_AVAILABLE);
}

static void
test_error(void **state)
{
	ask(*state, 0, "a");
	ask(*state, 1, "a");
	reply(sent[0], "a", -1, KAFKA_INVALID_GROUP_ID);
	assert_int_equal(askers[1].q.broker, -1);
	assert_int_equal(askers[1].q.error, KAFKA_INVALID_GROUP_ID);
	ask(*state, 2, "a");
	assert_int_equal(sent_count, 2);
	reply(sent[1], "a", 2, 0);
	assert_int_equal(askers[2].q.broker, 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_in_order),
		T(test_known_and_forgotten),
		T(test_no_answer),
		T(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
