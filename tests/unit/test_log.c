/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/base/clock.h"

static char path[] = "/tmp/weir-test-log-XXXXXX";
static int64_t now_us = 1700000000123456;
static char text[64 * 1024];

static int64_t
fake_now(void)
{
	return now_us;
}

/* Everything logged since the last call. */
static const char *
logged(void)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_int_equal(truncate(path, 0), 0);
	return text;
}

static int
lines(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void
test_text_line(void **state)
{
	(void)state;
	log_setup(LOG_INFO, LOG_TEXT);
	log_info("broker connected", "broker=%d address=%s", 3, "a:1");
	log_debug("too small", "x=%d", 1);
	log_warn("nothing more", "%s", "");
	assert_string_equal(logged(),
	    "time=2023-11-14T22:13:20.123Z level=info "
	    "what=\"broker connected\" broker=3 address=a:1\n"
	    "time=2023-11-14T22:13:20.123Z level=warn "
	    "what=\"nothing more\"\n");
	assert_false(log_wants(LOG_DEBUG));
	assert_true(log_wants(LOG_ERROR));
}

static void
test_no_forged_line(void **state)
{
	(void)state;
	log_info("bare", "x=%s", "a\nlevel=error\x1b[2J");
	assert_int_equal(lines(logged()), 1);
	assert_non_null(strstr(text, "x=a?level=error?[2J"));
}

static void
test_quote(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a\nb\x7f", "\"a\\u000ab\\u007f\"" },
		{ "\xc3\xa9", "\"\\u00c3\\u00a9\"" },
	};
	char big[1000];
	struct log_quoted q;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(log_quote(slice_of(rows[i].in), &q),
		    rows[i].out);
	assert_string_equal(log_quote(SLICE_NULL, &q), "\"\"");
	for (int c = 0; c < 256; c++) {
		memset(big, c, sizeof(big));
		log_quote((struct slice){ (uint8_t *)big, sizeof(big) }, &q);
		assert_true(strlen(q.text) < sizeof(q.text));
		assert_string_equal(q.text + strlen(q.text) - 4, "...\"");
	}
}

static void
test_json_line(void **state)
{
	struct log_quoted q;
	json_t *line;
	json_error_t e;

	(void)state;
	log_setup(LOG_DEBUG, LOG_JSON);
	log_debug("as json", "n=%d word=%s flag=%s id=%s lead=007 minus=-5 "
	    "lone empty=", 7, "a\"b", "true",
	    log_quote(SLICE_LIT("x \"y\"\n"), &q));
	line = json_loads(logged(), JSON_REJECT_DUPLICATES, &e);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "what")),
	    "as json");
	assert_string_equal(json_string_value(json_object_get(line, "level")),
	    "debug");
	assert_int_equal(json_integer_value(json_object_get(line, "n")), 7);
	assert_int_equal(json_integer_value(json_object_get(line, "minus")),
	    -5);
	assert_string_equal(json_string_value(json_object_get(line, "lead")),
	    "007");
	assert_string_equal(json_string_value(json_object_get(line, "word")),
	    "a\"b");
	assert_string_equal(json_string_value(json_object_get(line, "id")),
	    "x \"y\"\n");
	assert_true(json_is_true(json_object_get(line, "flag")));
	assert_true(json_is_true(json_object_get(line, "lone")));
	assert_string_equal(json_string_value(json_object_get(line, "empty")),
	    "");
	json_decref(line);
	log_setup(LOG_INFO, LOG_TEXT);
}

/* Whatever the pairs, a line is one JSON object. */
static void
test_json_of_garbage(void **state)
{
	static const char *const rows[] = {
		"detail=a \"b=1 c", "\"", "=", "a=\"", "a=\"\\\"", "a=\"\\q\"",
		"a=\"\\u12\"", "a=\"\xff\"", "a=\xff", "\xff\\=1", "a=-",
		"a=00",
		"a=\"b\"c", "a=1e5", "a=\"\\u12\" b=\"34\"", "a=\"x\\",
	};
	json_t *line;
	json_error_t e;

	(void)state;
	log_setup(LOG_DEBUG, LOG_JSON);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		now_us += 2000000;
		log_info("garbage", "%s", rows[i]);
		line = json_loads(logged(), 0, &e);
		if (line == NULL)
			fail_msg("%s: %s: %s", rows[i], e.text, text);
		json_decref(line);
	}
	log_setup(LOG_INFO, LOG_TEXT);
}

static void
test_repeats(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		log_info("again", "i=%d", i);
	log_info("another", "i=%d", 1);
	assert_int_equal(lines(logged()), LOG_BURST + 1);
	log_tick();
	assert_int_equal(lines(logged()), 0);
	now_us += 1000000;
	log_info("again", "i=%d", 100);
	assert_int_equal(lines(logged()), 2);
	assert_non_null(strstr(text, "what=\"again\" repeated=90\n"));
	assert_non_null(strstr(text, "what=\"again\" i=100\n"));
	now_us += 1000000;
	log_tick();
	assert_int_equal(lines(logged()), 0);
}

static void
test_reopen(void **state)
{
	char old[sizeof(path) + 4];

	(void)state;
	snprintf(old, sizeof(old), "%s.1", path);
	assert_int_equal(rename(path, old), 0);
	assert_true(log_to_file(path));
	log_info("after the move", "x=1");
	assert_int_equal(lines(logged()), 1);
	unlink(old);
	assert_false(log_to_file("/nowhere/at/all"));
	log_info("still the same file", "x=1");
	assert_int_equal(lines(logged()), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_line),
		cmocka_unit_test(test_no_forged_line),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_json_line),
		cmocka_unit_test(test_json_of_garbage),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_reopen),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0 || !log_to_file(path))
		return 1;
	close(fd);
	clock_replace(fake_now);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
