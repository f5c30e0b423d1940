/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that may be no UTF-8: their characters, where they may be cut, and how
 * they are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/base/utf8.h"
#include "gateway/text_json.h"

static void
characters(void **state)
{
	static const struct {
		const char	*text;
		uint32_t	 bytes;
	} rows[] = {
		{ "a", 1 }, { "\x7f", 1 }, { "\xc3\xa4", 2 },
		{ "\xe2\x82\xac", 3 }, { "\xf0\x9f\x98\x80", 4 },
		{ "\xed\x9f\xbf", 3 }, { "\xf4\x8f\xbf\xbf", 4 },
		/* Cut, alone, too long, half a pair, beyond the last. */
		{ "\xc3", 0 }, { "\xc3z", 0 }, { "\xe2\x82", 0 },
		{ "\xf0\x9f\x98", 0 }, { "\x80", 0 }, { "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 }, { "\xe0\x9f\xbf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 }, { "\xed\xa0\x80", 0 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_at(slice_of(rows[i].text), 0),
		    rows[i].bytes);
}

static void
cuts(void **state)
{
	static const struct {
		const char	*text;
		uint32_t	 most, bytes;
	} rows[] = {
		{ "", 4, 0 }, { "abc", 4, 3 }, { "abcde", 4, 4 },
		{ "abc\xc3\xa4", 4, 3 }, { "ab\xc3\xa4z", 4, 4 },
		{ "ab\xe2\x82\xac", 4, 2 }, { "ab\xe2\x82\xac", 5, 5 },
		{ "a\xf0\x9f\x98\x80", 4, 1 }, { "a\xf0\x9f\x98\x80", 2, 1 },
		/* No characters: anywhere. */
		{ "\x80\x80\x80\x80\x80\x80", 5, 5 }, { "abc\xc3zz", 4, 4 },
		{ "\xc3\xa4", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_cut(slice_of(rows[i].text),
		    rows[i].most), rows[i].bytes);
}

static void
is_shown(void **state)
{
	static const struct {
		const char	*text, *shown;
	} rows[] = {
		{ "", "" }, { "app-1 \\ \"x\"", "app-1 \\ \"x\"" },
		{ "gr\xc3\xbc\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e" },
		{ "a\xffz", "a\\xffz" }, { "cut\xe2\x82", "cut\\xe2\\x82" },
		{ "\x1b[2J\n\x7f", "\\x1b[2J\\x0a\\x7f" },
		{ "\xc2\x9b" "2J", "\\xc2\\x9b2J" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *v = text_json_or_null(rows[i].text);
		char *said = json_dumps(v, JSON_ENCODE_ANY);

		assert_string_equal(json_string_value(v), rows[i].shown);
		assert_non_null(said);
		free(said);
		json_decref(v);
	}
	assert_true(json_is_null(text_json_or_null(NULL)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters),
		cmocka_unit_test(cuts),
		cmocka_unit_test(is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
