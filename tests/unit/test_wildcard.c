/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/wildcard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_cases(void **state)
{
	static const struct {
		const char	*pattern, *text;
		bool		 fits, in_any_case;
	} cases[] = {
		{ "", "", true, true }, { "", "a", false, false },
		{ "a", "", false, false }, { "a", "a", true, true },
		{ "a", "A", false, true }, { "a", "ab", false, false },
		{ "*", "", true, true }, { "*", "abc", true, true },
		{ "**", "a", true, true }, { "?", "", false, false },
		{ "?", "a", true, true }, { "?", "ab", false, false },
		{ "a*", "a", true, true }, { "a*c", "abbc", true, true },
		{ "a*c", "abcb", false, false }, { "*ab", "aab", true, true },
		{ "*a?", "ababa", false, false }, { "*a?", "abab", true, true },
		{ "a*B?d", "aXbbcd", false, true },
		/* What is a star in the text is a byte like others. */
		{ "a", "*", false, false }, { "?", "*", true, true },
		{ "*x", "**", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice text = slice_of(cases[i].text);

		assert_int_equal(wildcard_fits(cases[i].pattern, text),
		    cases[i].fits);
		assert_int_equal(wildcard_fits_case(cases[i].pattern, text),
		    cases[i].in_any_case);
	}
}

/* A zero byte ends the pattern, not the text. */
static void
test_bytes(void **state)
{
	(void)state;
	assert_false(wildcard_fits("a", SLICE_LIT("a\0")));
	assert_true(wildcard_fits("a?", SLICE_LIT("a\0")));
	assert_false(wildcard_fits("a", SLICE_LIT("\0a")));
	assert_true(wildcard_fits("*", SLICE_NULL));
	assert_false(wildcard_fits("?", SLICE_NULL));
}

static void
test_is(void **state)
{
	(void)state;
	assert_true(wildcard_is("a*"));
	assert_true(wildcard_is("?a"));
	assert_false(wildcard_is("a"));
	assert_false(wildcard_is(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
