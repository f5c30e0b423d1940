/* SPDX-License-Identifier: Apache-2.0 */
/* Which broker serves what any broker can. */
#include "gateway/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BROKERS = 4, TURNS = 3 * BROKERS };

static bool away[BROKERS];

/* The library's, played here. */
bool
pool_backing_off(const struct pool *p, int32_t broker)
{
	(void)p;
	return broker < 0 || broker >= BROKERS || away[broker];
}

static struct worker
worker_with(struct cluster *c, struct broker *brokers, int32_t source)
{
	for (int i = 0; i < BROKERS; i++) {
		brokers[i] = (struct broker){ .id = i };
		away[i] = false;
	}
	*c = (struct cluster){ .brokers = brokers, .broker_count = BROKERS,
		.source = source };
	return (struct worker){ .cluster = c };
}

/* What the snapshot shows, its source knows. */
static void
test_source_first(void **state)
{
	struct broker b[BROKERS];
	struct cluster c;
	struct worker w = worker_with(&c, b, 2);

	(void)state;
	for (int i = 0; i < TURNS; i++)
		assert_int_equal(worker_any_broker(&w, false), 2);
}

/* One that was tried in vain is not tried again while there is another. */
static void
test_again(void **state)
{
	struct broker b[BROKERS];
	struct cluster c;
	struct worker w = worker_with(&c, b, 2);
	int seen[BROKERS] = { 0 };

	(void)state;
	for (int i = 0; i < TURNS; i++)
		seen[worker_any_broker(&w, true)]++;
	assert_int_equal(seen[2], 0);
	for (int i = 0; i < BROKERS; i++)
		assert_true(i == 2 || seen[i] > 0);
	for (int i = 0; i < BROKERS; i++)
		away[i] = i != 2;
	assert_int_equal(worker_any_broker(&w, true), 2);
}

static void
test_source_away(void **state)
{
	struct broker b[BROKERS];
	struct cluster c;
	struct worker w = worker_with(&c, b, 2);
	int seen[BROKERS] = { 0 };

	(void)state;
	away[2] = away[0] = true;
	for (int i = 0; i < TURNS; i++)
		seen[worker_any_broker(&w, false)]++;
	assert_int_equal(seen[0] + seen[2], 0);
	assert_true(seen[1] > 0 && seen[3] > 0);
	away[1] = away[3] = true;
	assert_int_equal(worker_any_broker(&w, false), -1);
	assert_int_equal(worker_any_broker(&w, true), -1);
}

/* A snapshot by way of a bootstrap address has no source: in turn. */
static void
test_no_source(void **state)
{
	struct broker b[BROKERS];
	struct cluster c;
	struct worker w = worker_with(&c, b, -1);

	(void)state;
	for (int i = 0; i < TURNS; i++)
		assert_int_equal(worker_any_broker(&w, i % 2), i % BROKERS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source_first),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_source_away),
		cmocka_unit_test(test_no_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
