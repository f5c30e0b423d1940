/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a producer's batches in order: guards and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/produce_order.h"

enum { PRODUCER = 7, REFUSED = 6 };

static int
setup(void **state)
{
	*state = produce_order_new();
	return 0;
}

static int
teardown(void **state)
{
	produce_order_free(*state);
	return 0;
}

static struct produce_item
item(const char *name, int32_t partition, int32_t sequence)
{
	return (struct produce_item){ .name = slice_of(name),
		.partition = partition, .producer_id = PRODUCER,
		.producer_epoch = 1, .sequence = sequence };
}

static int16_t
judge(struct produce_order *o, struct produce_item it)
{
	return produce_order_judge(o, &it);
}

static void
refuse(struct produce_order *o, struct produce_item it)
{
	produce_order_refused(o, &it, REFUSED);
}

/* ---- guards ---- */

static void
test_guards(void **state)
{
	struct produce_order *o = *state;
	struct produce_item a = item("a", 0, 0), b = item("b", 0, 0),
	    a1 = item("a", 1, 0);
	int first = 0, second = 0;

	assert_false(produce_order_guarded(o, &a));
	assert_false(produce_order_unguard(o, &first));
	produce_order_guard(o, &first, &a);
	produce_order_guard(o, &second, &a);
	produce_order_guard(o, &second, &b);
	assert_true(produce_order_guarded(o, &a));
	assert_true(produce_order_guarded(o, &b));
	assert_false(produce_order_guarded(o, &a1));
	/* Two stand on it: it is free when both have gone. */
	assert_true(produce_order_unguard(o, &first));
	assert_false(produce_order_unguard(o, &first));
	assert_true(produce_order_guarded(o, &a));
	assert_true(produce_order_unguard(o, &second));
	assert_false(produce_order_guarded(o, &a));
	assert_false(produce_order_guarded(o, &b));
}

static void
test_guards_by_id(void **state)
{
	struct produce_order *o = *state;
	struct produce_item a = { .id = { { 1 } }, .producer_id = -1 };
	struct produce_item b = { .id = { { 2 } }, .producer_id = -1 };
	int owner = 0;

	produce_order_guard(o, &owner, &a);
	assert_true(produce_order_guarded(o, &a));
	assert_false(produce_order_guarded(o, &b));
}

static void
test_many_guards(void **state)
{
	struct produce_order *o = *state;
	struct produce_item other = item("b", 0, 0);
	int owner = 0, last = 0;

	for (int32_t i = 0; i < GUARDS_MAX; i++) {
		struct produce_item it = item("a", i, 0);

		produce_order_guard(o, &owner, &it);
	}
	assert_false(produce_order_guarded(o, &other));
	produce_order_guard(o, &last, &other);
	other.partition = 1;
	assert_true(produce_order_guarded(o, &other));
	assert_true(produce_order_unguard(o, &owner));
	assert_false(produce_order_guarded(o, &other));
	other.partition = 0;
	assert_true(produce_order_guarded(o, &other));
}

/* ---- refusals ---- */

static void
test_refusals(void **state)
{
	struct produce_order *o = *state;

	assert_int_equal(judge(o, item("a", 0, 5)), 0);
	refuse(o, item("a", 0, 5));
	/* What follows is refused alike; other partitions are not. */
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 900)), REFUSED);
	assert_int_equal(judge(o, item("a", 1, 6)), 0);
	assert_int_equal(judge(o, item("b", 0, 6)), 0);
	refuse(o, item("a", 0, 901));
	assert_int_equal(judge(o, item("a", 0, 902)), REFUSED);
	/* The repeated one goes, and all after it. */
	assert_int_equal(judge(o, item("a", 0, 5)), 0);
	assert_int_equal(judge(o, item("a", 0, 6)), 0);
}

static void
test_earlier_batch(void **state)
{
	struct produce_order *o = *state;

	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 4)), 0);
	assert_int_equal(judge(o, item("a", 0, 6)), 0);
}

static void
test_wrap(void **state)
{
	struct produce_order *o = *state;

	/* After INT32_MAX comes 0. */
	refuse(o, item("a", 0, INT32_MAX - 5));
	assert_int_equal(judge(o, item("a", 0, INT32_MAX)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 0)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 100)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, INT32_MAX - 5)), 0);
	refuse(o, item("a", 0, 3));
	assert_int_equal(judge(o, item("a", 0, INT32_MAX)), 0);
}

static void
test_not_idempotent(void **state)
{
	struct produce_order *o = *state;
	struct produce_item it = item("a", 0, -1);

	it.producer_id = -1;
	refuse(o, it);
	it.sequence = 9;
	assert_int_equal(judge(o, it), 0);
	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, it), 0);
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
}

static void
test_epoch(void **state)
{
	struct produce_order *o = *state;
	struct produce_item it = item("a", 0, 6);

	refuse(o, item("a", 0, 5));
	it.producer_epoch = 2;
	assert_int_equal(judge(o, it), 0);
	assert_int_equal(judge(o, item("a", 0, 6)), 0);
	/* Another producer's. */
	refuse(o, item("a", 0, 5));
	it = item("a", 0, 6);
	it.producer_id = PRODUCER + 1;
	assert_int_equal(judge(o, it), 0);
}

/* The first one was repeated on another connection: what is new here after that
 * is refused once, and goes when it is repeated, with all behind it. */
static void
test_repeated_elsewhere(void **state)
{
	struct produce_order *o = *state;

	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 7)), REFUSED);
	/* It comes back here. */
	assert_int_equal(judge(o, item("a", 0, 20)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 21)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 22)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 20)), 0);
	assert_int_equal(judge(o, item("a", 0, 21)), 0);
	assert_int_equal(judge(o, item("a", 0, 22)), 0);
}

/* The first one is repeated and is refused anew, before it is judged: what was
 * sent behind it does not overtake. */
static void
test_refused_again(void **state)
{
	struct produce_order *o = *state;

	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 7)), REFUSED);
	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 7)), REFUSED);
	assert_int_equal(judge(o, item("a", 0, 5)), 0);
	assert_int_equal(judge(o, item("a", 0, 6)), 0);
}

/* What was sent before the first one was known to be refused is refused by its
 * broker, sooner or later than what was never sent. */
static void
test_refused_by_brokers(void **state)
{
	struct produce_order *o = *state;

	refuse(o, item("a", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 7)), REFUSED);
	refuse(o, item("a", 0, 6));
	assert_int_equal(judge(o, item("a", 0, 8)), REFUSED);
	refuse(o, item("a", 0, 9));
	/* They went elsewhere, and the last comes back here. */
	assert_int_equal(judge(o, item("a", 0, 9)), 0);
	assert_int_equal(judge(o, item("a", 0, 10)), 0);
}

static void
test_many_refusals(void **state)
{
	struct produce_order *o = *state;

	for (int32_t i = 0; i < REFUSALS_MAX; i++)
		refuse(o, item("a", i, 5));
	assert_int_equal(judge(o, item("a", 0, 6)), REFUSED);
	/* One more: the oldest has gone, the others stand. */
	refuse(o, item("b", 0, 5));
	assert_int_equal(judge(o, item("a", 0, 6)), 0);
	for (int32_t i = 1; i < REFUSALS_MAX; i++)
		assert_int_equal(judge(o, item("a", i, 6)), REFUSED);
	assert_int_equal(judge(o, item("b", 0, 6)), REFUSED);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_guards),
		T(test_guards_by_id),
		T(test_many_guards),
		T(test_refusals),
		T(test_earlier_batch),
		T(test_wrap),
		T(test_not_idempotent),
		T(test_epoch),
		T(test_repeated_elsewhere),
		T(test_refused_again),
		T(test_refused_by_brokers),
		T(test_many_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
