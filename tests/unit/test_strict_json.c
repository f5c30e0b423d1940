/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "auth/strict_json.h"

static const struct {
	const char	*text;
	const char	*fault;		/* NULL: taken */
} rows[] = {
	{ "{}", NULL },
	{ " {\"a\":1}\n", NULL },
	{ "{\"a\":{\"b\":1}}", NULL },
	{ "{\"a\":[1]}", NULL },
	{ "{\"a\":\"}]{[\"}", NULL },
	{ "{\"a\":\"\\\"{{{{\\\\\"}", NULL },
	{ "{\"a\":[[1]]}", "deep" },
	{ "{\"a\":{\"b\":{}}}", "deep" },
	{ "{\"a\":\"\\\\\",\"b\":[[1]]}", "deep" },
	{ "[[[[[[", "deep" },
	{ "{\"a\":1,\"a\":1}", "twice" },
	{ "{\"a\":1,\"\\u0061\":2}", "twice" },
	{ "{\"a\":{\"b\":1,\"b\":2}}", "twice" },
	{ "[1]", "object" },
	{ "\"a\"", "JSON" },
	{ "1", "JSON" },
	{ "", "JSON" },
	{ "{\"a\":1} {}", "JSON" },
	{ "{\"a\":1}x", "JSON" },
	{ "{\"a\":1", "JSON" },
	{ "{\"a\":\"", "JSON" },
	{ "{\"a\":\"\\", "JSON" },
	{ "{\"a\":\"\\u0000\"}", "JSON" },
	{ "{\"a\":NaN}", "JSON" },
	{ "{\"a\":99999999999999999999}", "JSON" },
	{ "{a:1}", "JSON" },
	{ "{'a':1}", "JSON" },
	{ "{\"a\":\"\xff\"}", "JSON" },
	{ "{\"a\":\"\xed\xa0\x80\"}", "JSON" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = { "" };
		json_t *v = strict_json_object(slice_of(rows[i].text), 2, &err);

		if ((v != NULL) != (rows[i].fault == NULL))
			fail_msg("%s: %s", rows[i].text, err.text);
		if (v == NULL && strstr(err.text, rows[i].fault) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
		json_decref(v);
	}
}

static void
test_nul_behind(void **state)
{
	struct error err;

	(void)state;
	assert_null(strict_json_object(SLICE_LIT("{}\0{}"), 2, &err));
	assert_null(strict_json_object(SLICE_NULL, 2, &err));
}

static void
test_text(void **state)
{
	struct error err;
	json_t *v = strict_json_object(SLICE_LIT("{\"a\":\"x\",\"b\":1,"
	    "\"c\":null,\"d\":\"\"}"), 1, &err);

	(void)state;
	assert_non_null(v);
	assert_true(slice_is(strict_json_text(v, "a"), "x"));
	assert_null(strict_json_text(v, "b").data);
	assert_null(strict_json_text(v, "c").data);
	assert_null(strict_json_text(v, "e").data);
	assert_null(strict_json_text(NULL, "a").data);
	assert_non_null(strict_json_text(v, "d").data);
	assert_int_equal(strict_json_text(v, "d").len, 0);
	json_decref(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nul_behind),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
