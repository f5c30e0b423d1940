/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/guesses.h"

enum { EACH_MS = 3000, MOST = 20 };

static int64_t now_us;

static int64_t
fake_now(void)
{
	return now_us;
}

static int
set_up(void **state)
{
	(void)state;
	now_us = 1000 * 1000 * 1000;
	clock_replace(fake_now);
	guesses_forget();
	guesses_set_limit(MOST, EACH_MS);
	return 0;
}

static void
fail_often(struct slice name, int times)
{
	for (int i = 0; i < times; i++)
		guesses_failed(name);
}

static void
test_limit(void **state)
{
	struct slice alice = SLICE_LIT("alice"), bob = SLICE_LIT("bob");

	(void)state;
	fail_often(alice, MOST - 1);
	assert_false(guesses_over(alice));
	/* More than fit move its time on no further. */
	fail_often(alice, 1000);
	assert_true(guesses_over(alice));
	assert_false(guesses_over(bob));
	now_us += EACH_MS * 1000 - 1;
	assert_true(guesses_over(alice));
	now_us++;
	assert_false(guesses_over(alice));
	fail_often(alice, 1);
	assert_true(guesses_over(alice));
	now_us += (int64_t)MOST * EACH_MS * 1000;
	fail_often(alice, MOST - 1);
	assert_false(guesses_over(alice));
}

static void
test_off(void **state)
{
	struct slice alice = SLICE_LIT("alice");

	(void)state;
	fail_often(SLICE_LIT(""), 1000);
	assert_false(guesses_over(SLICE_LIT("")));
	fail_often(alice, MOST);
	guesses_set_limit(0, EACH_MS);
	assert_false(guesses_over(alice));
	fail_often(alice, MOST);
	guesses_set_limit(MOST, EACH_MS);
	now_us += EACH_MS * 1000;
	assert_false(guesses_over(alice));
}

/* Names that are made up do not hide the one that is guessed at. */
static void
test_flood(void **state)
{
	struct slice alice = SLICE_LIT("alice");
	char name[32];

	(void)state;
	fail_often(alice, MOST);
	for (int i = 0; i < 8 * GUESSES_SETS * GUESSES_WAYS; i++) {
		snprintf(name, sizeof(name), "nobody-%d", i);
		guesses_failed(slice_of(name));
	}
	assert_true(guesses_over(alice));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_limit, set_up),
		cmocka_unit_test_setup(test_off, set_up),
		cmocka_unit_test_setup(test_flood, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
