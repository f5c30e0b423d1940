/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int64_t
fixed(void)
{
	return 1234567;
}

static void
test_real_and_replaced(void **state)
{
	int64_t before = clock_now_us();

	(void)state;
	assert_true(clock_now_us() >= before);
	assert_true(clock_wall_ms() > 1500000000000);
	clock_replace(fixed);
	assert_int_equal(clock_now_us(), 1234567);
	assert_int_equal(clock_wall_ms(), 1234);
	clock_replace(NULL);
	assert_true(clock_now_us() >= before);
	assert_true(clock_wall_ms() > 1500000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
