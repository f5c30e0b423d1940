/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/base64url.h"
#include "gateway/base/mem.h"

/* RFC 4648 section 10, and RFC 7515 appendix C. */
static const struct {
	const char	*text, *bytes;
} good[] = {
	{ "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" },
	{ "Zm9vYg", "foob" }, { "Zm9vYmE", "fooba" }, { "Zm9vYmFy", "foobar" },
	{ "A-z_4ME", "\x03\xec\xff\xe0\xc1" },
};

static const char *const bad[] = {
	"Zg=", "Zg==", "Z", "Zm9vY", "Zh", "Zm9", "Zm9vYh", "Zm9vYmF", "Z g",
	"Zg\n", "+z_4", "A/z4", "A.z4", "Zm9v\x01", "\xc3\xa9zz", "Zm9vZ===",
};

static void
test_good(void **state)
{
	char text[64];
	uint8_t raw[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t want = strlen(good[i].bytes);

		assert_true(base64url_decode(slice_of(good[i].text), raw, want,
		    &n));
		assert_int_equal(n, want);
		assert_memory_equal(raw, good[i].bytes, want);
		assert_int_equal(base64url_encode(raw, n, text),
		    BASE64URL_TEXT(n));
		assert_string_equal(text, good[i].text);
		/* One byte less than what is needed. */
		if (want > 0)
			assert_false(base64url_decode(slice_of(good[i].text),
			    raw, want - 1, &n));
	}
}

static void
test_bad(void **state)
{
	uint8_t raw[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (base64url_decode(slice_of(bad[i]), raw, sizeof(raw), &n))
			fail_msg("%s", bad[i]);
}

/* Each text that can be read is the one that is written. */
static void
test_one_text(void **state)
{
	uint8_t raw[8];
	char in[5] = "", out[8];
	uint32_t seed = 1;
	size_t n, taken = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t len = seed % 5;

		for (size_t k = 0; k < len; k++)
			in[k] = (char)(((seed = seed * 1664525 + 1013904223)
			    >> 24 & 0x7f) | 0x20);
		seed = seed * 1664525 + 1013904223;
		in[len] = '\0';
		if (!base64url_decode(slice_of(in), raw, sizeof(raw), &n))
			continue;
		assert_int_equal(base64url_encode(raw, n, out), len);
		assert_string_equal(in, out);
		taken++;
	}
	assert_true(taken > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_one_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
