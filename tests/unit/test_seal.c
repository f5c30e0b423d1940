/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/seal.h"
#include "gateway/base/mem.h"

#define MASTER "kTtGmXlFRnIu6ynPkQ1ZFgjKD6Gz6Y+QJX0lXr2m1cE="
#define OTHER "another master key of forty characters.."

static struct seal *
made(const char *masters)
{
	struct error err = { "" };
	struct seal *s = seal_new(masters, &err);

	if (s == NULL)
		fail_msg("%s", err.text);
	return s;
}

static void
test_round_trips(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 15, 16, 17, 300, 65536 };
	struct seal *s = made(MASTER);
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *plain = mem_zalloc(sizes[i] + 1);
		uint8_t *sealed = mem_zalloc(sizes[i] + SEAL_OVERHEAD);
		uint8_t *again = mem_zalloc(sizes[i] + 1);
		struct slice in = { plain, sizes[i] };
		struct slice out = { sealed, sizes[i] + SEAL_OVERHEAD };

		memset(plain, 'x', sizes[i]);
		seal_close(s, SEAL_KEY_FILE, SLICE_LIT("id"), in, sealed);
		assert_true(seal_is_current(s, out));
		assert_true(seal_open(s, SEAL_KEY_FILE, SLICE_LIT("id"), out,
		    again, &err));
		assert_memory_equal(plain, again, sizes[i] + 1);
		free(plain);
		free(sealed);
		free(again);
	}
	seal_unref(s);
}

static void
test_each_byte_counts(void **state)
{
	struct seal *s = made(MASTER);
	uint8_t sealed[6 + SEAL_OVERHEAD], to[sizeof(sealed)];
	static const uint8_t zeros[6];
	struct slice all = { sealed, sizeof(sealed) };
	struct error err;

	(void)state;
	seal_close(s, SEAL_KEY_FILE, SLICE_LIT("id"), SLICE_LIT("secret"),
	    sealed);
	for (size_t i = 0; i < sizeof(sealed) * 8; i++) {
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
		memset(to, 0, sizeof(to));
		err.text[0] = '\0';
		assert_false(seal_open(s, SEAL_KEY_FILE, SLICE_LIT("id"), all,
		    to, &err));
		assert_true(err.text[0] != '\0');
		assert_memory_equal(to, zeros, 6);	/* nothing of use */
		sealed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (all.len = 0; all.len < sizeof(sealed); all.len++)
		assert_false(seal_open(s, SEAL_KEY_FILE, SLICE_LIT("id"), all,
		    to, &err));
	assert_true(seal_open(s, SEAL_KEY_FILE, SLICE_LIT("id"), all, to,
	    &err));
	seal_unref(s);
}

static void
test_bound_to_its_place(void **state)
{
	struct seal *s = made(MASTER), *o = made(OTHER);
	uint8_t sealed[6 + SEAL_OVERHEAD], again[sizeof(sealed)], to[6];
	struct slice all = { sealed, sizeof(sealed) };
	struct error err;

	(void)state;
	seal_close(s, SEAL_KEY_FILE, SLICE_LIT("id"), SLICE_LIT("secret"),
	    sealed);
	assert_false(seal_open(s, SEAL_SESSION_TOKEN, SLICE_LIT("id"), all, to,
	    &err));
	assert_false(seal_open(s, SEAL_KEY_FILE, SLICE_LIT("ie"), all, to,
	    &err));
	assert_false(seal_open(s, SEAL_KEY_FILE, SLICE_LIT(""), all, to,
	    &err));
	assert_false(seal_open(o, SEAL_KEY_FILE, SLICE_LIT("id"), all, to,
	    &err));
	assert_non_null(strstr(err.text, "another master key"));
	/* The nonce is another each time. */
	seal_close(s, SEAL_KEY_FILE, SLICE_LIT("id"), SLICE_LIT("secret"),
	    again);
	assert_memory_not_equal(sealed, again, sizeof(sealed));
	assert_memory_not_equal(seal_derived(s, SEAL_KEY_FILE),
	    seal_derived(s, SEAL_SESSION_TOKEN), 32);
	seal_unref(s);
	seal_unref(o);
}

/* The first seals, all open. */
static void
test_rotation(void **state)
{
	struct seal *old = made(OTHER), *both = made(MASTER "\r\n\n" OTHER
	    "\n"), *new = made(MASTER);
	uint8_t sealed[1 + SEAL_OVERHEAD], to[1];
	struct slice all = { sealed, sizeof(sealed) };
	struct error err;

	(void)state;
	seal_close(old, SEAL_KEY_FILE, SLICE_LIT("id"), SLICE_LIT("s"),
	    sealed);
	assert_true(seal_open(both, SEAL_KEY_FILE, SLICE_LIT("id"), all, to,
	    &err));
	assert_false(seal_is_current(both, all));
	seal_close(both, SEAL_KEY_FILE, SLICE_LIT("id"), SLICE_LIT("s"),
	    sealed);
	assert_true(seal_is_current(both, all));
	assert_true(seal_open(new, SEAL_KEY_FILE, SLICE_LIT("id"), all, to,
	    &err));
	assert_false(seal_open(old, SEAL_KEY_FILE, SLICE_LIT("id"), all, to,
	    &err));
	seal_unref(old);
	seal_unref(both);
	seal_unref(new);
}

static const struct master_row {
	const char	*text;
	bool		 good;
} masters[] = {
	{ MASTER, true },
	{ OTHER, true },
	{ "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
	  true },
	{ "exactly thirty-two characters ok", true },
	{ "exactly thirty-one characters n", false },
	{ "", false },
	{ "\n\n\n", false },
	{ MASTER "\nshort", false },
	{ "1" OTHER "\n2" OTHER "\n3" OTHER "\n4" OTHER "\n5" OTHER "\n6" OTHER
	  "\n7" OTHER "\n8" OTHER, true },
	{ "1" OTHER "\n2" OTHER "\n3" OTHER "\n4" OTHER "\n5" OTHER "\n6" OTHER
	  "\n7" OTHER "\n8" OTHER "\n9" OTHER, false },
};

static void
test_masters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(masters) / sizeof(masters[0]); i++) {
		struct error err = { "" };
		struct seal *s = seal_new(masters[i].text, &err);

		if ((s != NULL) != masters[i].good)
			fail_msg("%s: %s", masters[i].text, err.text);
		if (s == NULL) {
			assert_true(err.text[0] != '\0');
			/* A key must not be repeated in an error. */
			assert_null(strstr(err.text, "short"));
		}
		seal_unref(s);
	}
}

/* HKDF-SHA256 computed with Python's hmac from bytes 0, 1 ... 31. */
static void
test_derivation(void **state)
{
	static const uint8_t want[32] = {
	    0x3d, 0x4f, 0x1b, 0xb1, 0x8d, 0xbc, 0x4a, 0x62,
	    0x02, 0x19, 0xfd, 0x65, 0x3c, 0x71, 0x99, 0xcb,
	    0x9e, 0xd8, 0xcf, 0x34, 0x52, 0xd3, 0x37, 0xff,
	    0x8f, 0x70, 0xa8, 0x18, 0xc7, 0x2f, 0xa8, 0x75 };
	struct seal *s = made("000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f");

	(void)state;
	assert_memory_equal(seal_derived(s, SEAL_KEY_FILE), want, 32);
	seal_unref(s);
}

static void
test_random_text(void **state)
{
	char text[65];
	unsigned int seen[3] = { 0 };

	(void)state;
	for (int i = 0; i < 300; i++) {
		seal_random_text(text, 64, "abc");
		assert_int_equal(strlen(text), 64);
		for (int j = 0; j < 64; j++) {
			assert_in_range(text[j], 'a', 'c');
			seen[text[j] - 'a']++;
		}
	}
	/* 19,200 draws: a third is 6,400, and 600 is nine deviations. */
	for (int i = 0; i < 3; i++)
		assert_in_range(seen[i], 5800, 7000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_bound_to_its_place),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_masters),
		cmocka_unit_test(test_derivation),
		cmocka_unit_test(test_random_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
