/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Its statics are looked at: the derived key. */
#include "auth/sigv4_key.c"

#include "auth/base64url.h"
#include "auth/sigv4_client.h"
#include "gateway/base/arena.h"
#include "tests/unit/sigv4_vectors.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))
#define FROZEN "20260102T030405Z"

static struct arena arena;
static struct auth_cache *cache;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	cache = auth_cache_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	auth_cache_free(cache);
	arena_fini(&arena);
	return 0;
}

/* ---- text ---- */

static void
test_uri(void **state)
{
	static const struct {
		const char	*plain, *encoded;
	} rows[] = {
		{ "", "" },
		{ "AZaz09-._~", "AZaz09-._~" },
		{ "a b/c+d=e", "a%20b%2Fc%2Bd%3De" },
		{ "*'()!%&?#:;,@$[]\"", "%2A%27%28%29%21%25%26%3F%23%3A%3B%2C"
		  "%40%24%5B%5D%22" },
		{ "\x01\x7f\xc3\xa9", "%01%7F%C3%A9" },
	};
	static const char *const bad[] = { "%", "%2", "a%", "%2g", "%g2",
	    "%%20", "a b", "a\tb", "\xc3\xa9", "%C3\xa9", "\x7f", "%-1" };
	struct slice s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_true(slice_is(sigv4_uri_encode(slice_of(rows[i].plain),
		    &arena), rows[i].encoded));
		assert_true(sigv4_uri_decode(slice_of(rows[i].encoded), &arena,
		    &s));
		assert_true(slice_is(s, rows[i].plain));
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(sigv4_uri_decode(slice_of(bad[i]), &arena, &s));
	/* Digits of either case; a plus is a plus. */
	assert_true(sigv4_uri_decode(SLICE_LIT("%2f%2F+%00"), &arena, &s));
	assert_true(slice_eq(s, SLICE_LIT("//+\0")));
}

static void
test_uri_all_bytes(void **state)
{
	uint8_t all[256];
	struct slice in = { all, 256 }, encoded, back;

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	encoded = sigv4_uri_encode(in, &arena);
	assert_int_equal(encoded.len, 66 + 190 * 3);
	assert_true(sigv4_uri_decode(encoded, &arena, &back));
	assert_true(slice_eq(back, in));
}

static void
test_params(void **state)
{
	static const char long_name[SIGV4_NAME_MAX + 2] = "";
	struct sigv4_params p = { .n = 0 };
	struct error err;
	char name[8];
	uint8_t *big = arena_get(&arena, SIGV4_TOKEN_MAX + 1);
	struct slice value = SLICE_LIT("v");

	(void)state;
	assert_true(sigv4_params_add(&p, SLICE_LIT("X-Amz-Date"), value,
	    &err));
	assert_false(sigv4_params_add(&p, SLICE_LIT("X-Amz-Date"), value,
	    &err));
	assert_non_null(strstr(err.text, "twice"));
	assert_false(sigv4_params_add(&p, SLICE_LIT("x-AMZ-date"), value,
	    &err));
	assert_false(sigv4_params_add(&p, SLICE_LIT(""), value, &err));
	assert_false(sigv4_params_add(&p, (struct slice){
	    (const uint8_t *)long_name, SIGV4_NAME_MAX + 1 }, value, &err));
	assert_false(sigv4_params_add(&p, SLICE_LIT("long"),
	    (struct slice){ big, SIGV4_VALUE_MAX + 1 }, &err));
	assert_false(sigv4_params_add(&p, SLICE_LIT("X-Amz-Security-Token"),
	    (struct slice){ big, SIGV4_TOKEN_MAX + 1 }, &err));
	assert_int_equal(p.n, 1);
	assert_true(sigv4_params_add(&p, SLICE_LIT("X-Amz-Security-Token"),
	    (struct slice){ big, SIGV4_TOKEN_MAX }, &err));
	while (p.n < SIGV4_PARAMS_MAX) {
		snprintf(name, sizeof(name), "n%u", p.n);
		assert_true(sigv4_params_add(&p,
		    arena_slice(&arena, slice_of(name)), value, &err));
	}
	assert_false(sigv4_params_add(&p, SLICE_LIT("more"), value, &err));
	assert_true(slice_is(sigv4_params_get(&p, "X-Amz-Date"), "v"));
	assert_null(sigv4_params_get(&p, "x-amz-date").data);
	assert_null(sigv4_params_get(&p, "other").data);
}

static void
test_query(void **state)
{
	static const char *const names[] = { "b", "a%", "B", "a", "ab", "A-",
	    "a-", "~", "-" };
	struct sigv4_params p = { .n = 0 };

	(void)state;
	assert_int_equal(sigv4_query(&p, &arena).len, 0);
	/* Two names that differ in case only are not added by anybody, but
	 * would be sorted. */
	for (size_t i = 0; i < COUNT(names); i++)
		p.v[p.n++] = (struct sigv4_param){ slice_of(names[i]),
		    SLICE_LIT("/") };
	assert_true(slice_is(sigv4_query(&p, &arena), "-=%2F&A-=%2F&B=%2F&"
	    "a=%2F&a%25=%2F&a-=%2F&ab=%2F&b=%2F&~=%2F"));
}

static void
test_scope(void **state)
{
	static const struct {
		const char	*text;
		bool		 ok;
	} rows[] = {
		{ "k/20260102/r/s/t", true }, { "////", true },
		{ "", false }, { "k", false }, { "k/d/r/s", false },
		{ "k/d/r/s/t/u", false }, { "k/d/r/s/t/", false },
	};
	struct sigv4_scope s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(sigv4_scope_read(slice_of(rows[i].text), &s),
		    rows[i].ok);
	assert_true(sigv4_scope_read(SLICE_LIT("k/20260102/r/s/t"), &s));
	assert_true(slice_is(s.key_id, "k") && slice_is(s.day, "20260102") &&
	    slice_is(s.region, "r") && slice_is(s.service, "s") &&
	    slice_is(s.terminator, "t"));
}

static void
test_time(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 s;	/* -1: none */
	} rows[] = {
		{ "19700101T000000Z", 0 }, { "20260102T030405Z", 1767323045 },
		{ "20240229T235959Z", 1709251199 },
		{ "99991231T235959Z", 253402300799 },
		{ "20230229T000000Z", -1 }, { "20260431T000000Z", -1 },
		{ "20261301T000000Z", -1 }, { "20260001T000000Z", -1 },
		{ "20260100T000000Z", -1 }, { "20260102T240000Z", -1 },
		{ "20260102T036000Z", -1 }, { "20260102T030460Z", -1 },
		{ "19691231T235959Z", -1 }, { "20260102T030405", -1 },
		{ "20260102T030405Z ", -1 }, { "20260102t030405Z", -1 },
		{ "20260102T030405z", -1 }, { "2026010 T030405Z", -1 },
		{ "-0260102T030405Z", -1 }, { "20260102T0304 5Z", -1 },
		{ "", -1 },
	};
	char text[SIGV4_TIME + 1];
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool ok = sigv4_time_read(slice_of(rows[i].text), &ms);

		if (ok != (rows[i].s >= 0) || (ok && ms != rows[i].s * 1000))
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
		if (!ok)
			continue;
		sigv4_time_write(ms + 999, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void
test_expires(void **state)
{
	static const struct {
		const char	*text;
		bool		 ok;
		int64_t		 ms;
	} rows[] = {
		{ "900", true, 900000 }, { "123.439", true, 123439 },
		{ "123.4391234567", true, 123439 }, { "0.5", true, 500 },
		{ "0", true, 0 }, { "-0", true, 0 }, { "-5", true, -5000 },
		{ "-5.25", true, -5250 }, { "007", true, 7000 },
		{ "999999999", true, 999999999000 },
		{ "", false, 0 }, { "-", false, 0 }, { ".", false, 0 },
		{ ".5", false, 0 }, { "5.", false, 0 }, { "-.5", false, 0 },
		{ "1e3", false, 0 }, { " 1", false, 0 }, { "1 ", false, 0 },
		{ "+1", false, 0 }, { "--1", false, 0 }, { "1.2.3", false, 0 },
		{ "0x10", false, 0 }, { "NaN", false, 0 },
		{ "1.-5", false, 0 }, { "9999999999", false, 0 },
	};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool ok = sigv4_expires_read(slice_of(rows[i].text), &ms);

		if (ok != rows[i].ok || (ok && ms != rows[i].ms))
			fail_msg("%s: %d %lld", rows[i].text, ok,
			    (long long)ms);
	}
}

/* ---- keys and signatures ---- */

static struct sigv4_request
request(const char *key_id, const char *time, const char *region)
{
	return (struct sigv4_request){ slice_of(key_id), slice_of(time),
	    slice_of(region), SLICE_LIT("canonical") };
}

/* The key that botocore derives for the frozen vectors. */
static void
test_derived_key(void **state)
{
	struct sigv4_request r = request(VECTOR_KEY, FROZEN, VECTOR_REGION);
	uint8_t key[DIGEST];
	char hex[2 * DIGEST + 1] = "";

	(void)state;
	derive(cache, &r, SLICE_LIT(VECTOR_SECRET), key);
	to_hex(key, DIGEST, hex);
	assert_string_equal(hex, "20ad85acc231242f2d033212e97821a9410ba3aade"
	    "b049b2fa16809c01331d61");
}

static void
test_verify(void **state)
{
	struct sigv4_request r = request("K", FROZEN, "r1");
	struct slice secret = SLICE_LIT("secret");
	char hex[SIGV4_HEX];
	struct slice signature = { (const uint8_t *)hex, SIGV4_HEX };

	(void)state;
	sigv4_sign(cache, &r, secret, hex);
	assert_true(sigv4_verify(cache, &r, secret, true, signature));
	/* Right, but nobody's. */
	assert_false(sigv4_verify(cache, &r, secret, false, signature));
	for (int i = 0; i < SIGV4_HEX * 8; i++) {
		hex[i / 8] = (char)(hex[i / 8] ^ 1 << i % 8);
		assert_false(sigv4_verify(cache, &r, secret, true, signature));
		hex[i / 8] = (char)(hex[i / 8] ^ 1 << i % 8);
	}
	assert_true(sigv4_verify(cache, &r, secret, true, signature));
}

/* Every member of what a key is derived of, and the request itself. */
static void
test_verify_other(void **state)
{
	struct sigv4_request r = request("K", FROZEN, "r1"), other;
	struct slice secret = SLICE_LIT("secret");
	char hex[SIGV4_HEX];
	struct slice signature = { (const uint8_t *)hex, SIGV4_HEX };

	(void)state;
	sigv4_sign(cache, &r, secret, hex);
	other = request("K", "20260102T030406Z", "r1");
	assert_false(sigv4_verify(cache, &other, secret, true, signature));
	other = request("K", "20260103T030405Z", "r1");
	assert_false(sigv4_verify(cache, &other, secret, true, signature));
	other = request("K", FROZEN, "r2");
	assert_false(sigv4_verify(cache, &other, secret, true, signature));
	other = r;
	other.canonical = SLICE_LIT("canonicaL");
	assert_false(sigv4_verify(cache, &other, secret, true, signature));
	assert_false(sigv4_verify(cache, &r, SLICE_LIT("secres"), true,
	    signature));
}

static void
test_cache(void **state)
{
	struct sigv4_request r = request("K", FROZEN, "r1"), other;
	struct slice old = SLICE_LIT("old"), new = SLICE_LIT("new");
	char hex[SIGV4_HEX], new_hex[SIGV4_HEX];
	struct slice signature = { (const uint8_t *)hex, SIGV4_HEX };
	struct auth_cache *signer = auth_cache_new();

	(void)state;
	sigv4_sign(signer, &r, old, hex);
	assert_true(sigv4_verify(cache, &r, old, true, signature));
	assert_int_equal(sigv4_derived(cache), 1);
	for (int i = 0; i < 100; i++)
		assert_true(sigv4_verify(cache, &r, old, true, signature));
	assert_int_equal(sigv4_derived(cache), 1);
	/* A rotated secret does not find the old key, nor the other way. */
	sigv4_sign(signer, &r, new, new_hex);
	assert_memory_not_equal(hex, new_hex, SIGV4_HEX);
	assert_false(sigv4_verify(cache, &r, new, true, signature));
	signature.data = (const uint8_t *)new_hex;
	assert_true(sigv4_verify(cache, &r, new, true, signature));
	assert_false(sigv4_verify(cache, &r, old, true, signature));
	/* Nor does what only reads the same when written in a row. */
	other = request("Kr", FROZEN, "1");
	sigv4_sign(signer, &other, old, hex);
	signature.data = (const uint8_t *)hex;
	assert_true(sigv4_verify(cache, &other, old, true, signature));
	assert_false(sigv4_verify(cache, &r, old, true, signature));
	auth_cache_free(signer);
}

/* Every refusal costs one derivation, however often it is tried, and nothing
 * that was refused is kept. */
static void
test_same_work(void **state)
{
	struct sigv4_request r = request("K", FROZEN, "r1");
	struct slice secret = SLICE_LIT("secret");
	char hex[SIGV4_HEX], wrong[SIGV4_HEX];
	struct slice signature = { (const uint8_t *)hex, SIGV4_HEX };
	struct slice bad = { (const uint8_t *)wrong, SIGV4_HEX };
	struct auth_cache *signer = auth_cache_new();
	uint64_t before = 0;

	(void)state;
	memset(wrong, '0', sizeof(wrong));
	sigv4_sign(signer, &r, secret, hex);
	for (int turn = 0; turn < 3; turn++) {
		/* In the second turn the key is kept, in the third unknown. */
		for (int i = 0; i < 5; i++) {
			before = sigv4_derived(cache);
			assert_false(sigv4_verify(cache, &r, secret, turn < 2,
			    turn < 2 ? bad : signature));
			assert_int_equal(sigv4_derived(cache), before + 1);
		}
		assert_true(sigv4_verify(cache, &r, secret, true, signature));
		assert_int_equal(sigv4_derived(cache), before + 1 +
		    (turn == 0));
	}
	auth_cache_free(signer);
}

/* More keys than are kept: all verify, and the one in use stays. */
static void
test_cache_is_bounded(void **state)
{
	struct slice secret = SLICE_LIT("secret");
	struct auth_cache *signer = auth_cache_new();
	struct sigv4_request busy = request("busy", FROZEN, "r1");
	char hex[SIGV4_HEX], busy_hex[SIGV4_HEX], id[16];
	struct slice signature = { (const uint8_t *)hex, SIGV4_HEX };
	struct slice busy_signature = { (const uint8_t *)busy_hex, SIGV4_HEX };
	uint32_t n = 3 * SIGV4_CACHE_KEYS;

	(void)state;
	sigv4_sign(signer, &busy, secret, busy_hex);
	for (uint32_t i = 0; i < n; i++) {
		struct sigv4_request r = request(id, FROZEN, "r1");

		snprintf(id, sizeof(id), "key%u", i);
		r.key_id = slice_of(id);
		sigv4_sign(signer, &r, secret, hex);
		assert_true(sigv4_verify(cache, &r, secret, true, signature));
		assert_true(sigv4_verify(cache, &busy, secret, true,
		    busy_signature));
	}
	assert_int_equal(sigv4_derived(cache), n + 1);
	auth_cache_free(signer);
}

/* ---- the client's side ---- */

static const struct sigv4_client someone = {
	.key_id = VECTOR_KEY, .secret = VECTOR_SECRET,
	.region = VECTOR_REGION, .host = VECTOR_HOST, .user_agent = "test",
	.expires_s = 900,
};

static int64_t
frozen_ms(void)
{
	int64_t ms;

	assert_true(sigv4_time_read(SLICE_LIT(FROZEN), &ms));
	return ms;
}

/* The signatures that botocore computes, in both forms. */
static void
test_client_signatures(void **state)
{
	static const struct {
		const char	*token, *message_signature, *url_signature;
	} rows[] = {
		{ NULL, "4712d1496b10b3d53723bb08415f12d93f0d8ecf2e97a6b43ca9"
		  "fdd9149fbcb9", "24ebada2ed545858377591fc84af1a1bff3c40c5e8"
		  "ab0c1fc85eee156cfb42da" },
		{ VECTOR_TOKEN, "db52cb458e58cb87a19fda4001381c1b649d33d8c3e3"
		  "5881753ccc769553f307", "b0a12392967e42acfee80cbd7ac2585a25"
		  "076ed98f09b518a89fb3f3c2aba83a" },
	};
	struct sigv4_client who = someone;
	struct error err;
	struct slice text;
	uint8_t url[2048];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		who.token = rows[i].token;
		who.host = VECTOR_HOST;
		assert_true(sigv4_client_message(cache, &who, frozen_ms(),
		    &arena, &text, &err));
		assert_non_null(memmem(text.data, text.len,
		    rows[i].message_signature, SIGV4_HEX));
		who.host = NULL;
		assert_true(sigv4_client_token(cache, &who, frozen_ms(),
		    &arena, &text, &err));
		assert_true(base64url_decode(text, url, sizeof(url), &n));
		assert_non_null(memmem(url, n, rows[i].url_signature,
		    SIGV4_HEX));
	}
}

static void
test_client_refuses(void **state)
{
	static char long_key[AUTH_KEY_ID_MAX + 2], long_secret[300];
	struct sigv4_client rows[12];
	struct error err;
	struct slice text;

	(void)state;
	memset(long_key, 'k', sizeof(long_key) - 1);
	memset(long_secret, 's', sizeof(long_secret) - 1);
	for (size_t i = 0; i < COUNT(rows); i++)
		rows[i] = someone;
	rows[0].key_id = NULL;
	rows[1].key_id = "";
	rows[2].key_id = "a/b";
	rows[3].key_id = long_key;
	rows[4].secret = NULL;
	rows[5].secret = long_secret;
	rows[6].region = "";
	rows[7].region = "us east";
	rows[8].host = "a\nb";
	rows[9].expires_s = 0;
	rows[10].expires_s = 901;
	rows[11].user_agent = "\xff";
	for (size_t i = 0; i < COUNT(rows); i++) {
		err.text[0] = '\0';
		assert_false(sigv4_client_message(cache, &rows[i], frozen_ms(),
		    &arena, &text, &err));
		assert_true(err.text[0] != '\0');
		assert_null(strstr(err.text, "wJalr"));
	}
}

static void
test_client_answers(void **state)
{
	static const struct {
		const char	*text;
		bool		 ok;
	} rows[] = {
		{ "{\"version\":\"2020_10_22\",\"request-id\":\"x\"}", true },
		{ "{\"version\":\"2020_10_22\"}", true },
		{ "{\"version\":\"2020_10_23\"}", false },
		{ "{\"version\":2020}", false }, { "{}", false },
		{ "[]", false }, { "\"2020_10_22\"", false }, { "", false },
		{ "{\"version\":\"2020_10_22\"} x", false },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(sigv4_client_accepted(slice_of(rows[i].text),
		    &err), rows[i].ok);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_uri), TEST(test_uri_all_bytes), TEST(test_params),
		TEST(test_query), TEST(test_scope), TEST(test_time),
		TEST(test_expires), TEST(test_derived_key), TEST(test_verify),
		TEST(test_verify_other), TEST(test_cache),
		TEST(test_same_work), TEST(test_cache_is_bounded),
		TEST(test_client_signatures), TEST(test_client_refuses),
		TEST(test_client_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
