/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_set_and_prefix(void **state)
{
	struct error e;

	(void)state;
	assert_false(error_set(&e, "port %d is taken", 9092));
	assert_string_equal(e.text, "port 9092 is taken");
	assert_false(error_prefix(&e, "listener %s", "kafka"));
	assert_string_equal(e.text, "listener kafka: port 9092 is taken");
	assert_false(error_set(NULL, "nobody listens"));
	assert_false(error_prefix(NULL, "nobody listens"));
}

static void
test_long_texts_are_cut(void **state)
{
	char big[2000];
	struct error e;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	error_set(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	error_prefix(&e, "head");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_memory_equal(e.text, "head: xxx", 9);
	error_prefix(&e, "%s", big);
	assert_true(strlen(e.text) < sizeof(e.text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_prefix),
		cmocka_unit_test(test_long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
