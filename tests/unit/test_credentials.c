/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/base64url.h"
#include "auth/credentials.h"
#include "auth/identities.h"
#include "auth/seal.h"
#include "gateway/base/mem.h"

enum { NOW = 1767323045 };
#define NOW_MS ((int64_t)NOW * 1000)

static struct seal *seal;
static const char good_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"*\", "
    "\"Resource\": \"*\"}]}";
static const char bad_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Action\": \"*\", \"Resource\": \"*\"}]}";


static int
setup(void **state)
{
	(void)state;
	seal = seal_new("a master key of at least 32 characters", NULL);
	return seal == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	seal_unref(seal);
	return 0;
}

static const struct credentials_request plain = {
	.role = { (const uint8_t *)"app", 3 },
	.session = { (const uint8_t *)"run-1", 5 },
	.ttl_s = 3600,
};

static struct credentials
issued(const struct credentials_request *r)
{
	struct credentials c;
	struct error err;

	if (!credentials_issue(seal, r, NOW_MS, &c, &err))
		fail_msg("%s", err.text);
	return c;
}

static enum credentials_verdict
open_at(const char *id, struct slice token, int64_t now_ms)
{
	struct credentials_session s;
	struct error err = { "" };
	enum credentials_verdict v = credentials_open(seal, slice_of(id),
	    token, now_ms, &s, &err);

	assert_int_equal(v == CREDENTIALS_GOOD, err.text[0] == '\0');
	credentials_session_fini(&s);
	return v;
}

static void
test_round_trip(void **state)
{
	struct principal_tag tags[] = { { (char[]){ "team" },
	    (char[]){ "a \xc3\xa9" } }, { (char[]){ "x" }, (char[]){ "" } } };
	char *groups[] = { (char[]){ "team-a" } };
	struct credentials_request r = plain;
	struct credentials c;
	struct credentials_session s;
	struct error err;

	(void)state;
	r.tags = tags;
	r.tag_count = 2;
	r.groups = groups;
	r.group_count = 1;
	r.policy = slice_of(good_policy);
	c = issued(&r);
	assert_true(keys_id_valid(slice_of(c.key_id), KEYS_TEMPORARY_PREFIX));
	assert_int_equal(strlen(c.secret), KEYS_SECRET_LEN);
	assert_int_equal(c.expires_ms, NOW_MS + 3600000);
	assert_null(strstr(c.token, c.secret));
	/* Nothing that would have to be escaped in a URL or a shell. */
	assert_int_equal(strspn(c.token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(c.token));
	assert_int_equal(credentials_open(seal, slice_of(c.key_id),
	    slice_of(c.token), NOW_MS, &s, &err), CREDENTIALS_GOOD);
	assert_string_equal(s.secret, c.secret);
	assert_string_equal(s.role, "app");
	assert_string_equal(s.session, "run-1");
	assert_int_equal(s.issued_ms, NOW_MS);
	assert_int_equal(s.expires_ms, c.expires_ms);
	assert_non_null(s.policy);
	assert_int_equal(s.tag_count, 2);
	assert_int_equal(s.group_count, 1);
	assert_string_equal(s.groups[0], "team-a");
	credentials_session_fini(&s);
	credentials_fini(&c);
}

static void
test_each_character_counts(void **state)
{
	struct credentials c = issued(&plain);
	size_t len = strlen(c.token);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char was = c.token[i];

		for (int j = 0; j < 3; j++) {
			c.token[i] = "A_="[j];
			if (c.token[i] == was)
				continue;
			assert_int_equal(open_at(c.key_id, slice_of(c.token),
			    NOW_MS), CREDENTIALS_FORGED);
		}
		c.token[i] = was;
		assert_int_equal(open_at(c.key_id, (struct slice){
		    (uint8_t *)c.token, (uint32_t)i }, NOW_MS),
		    CREDENTIALS_FORGED);
	}
	assert_int_equal(open_at(c.key_id, slice_of(c.token), NOW_MS),
	    CREDENTIALS_GOOD);
	credentials_fini(&c);
}

/* A token goes with its own key id, and its own fleet, alone. */
static void
test_bound(void **state)
{
	struct credentials c = issued(&plain), o = issued(&plain);
	struct seal *other = seal_new("another master key of 32 characters.",
	    NULL), *ours = seal;

	(void)state;
	assert_int_equal(open_at(c.key_id, slice_of(o.token), NOW_MS),
	    CREDENTIALS_FORGED);
	assert_int_equal(open_at("WEIRAAAAAAAAAAAAAAAA", slice_of(c.token),
	    NOW_MS), CREDENTIALS_FORGED);
	assert_int_equal(open_at("", slice_of(c.token), NOW_MS),
	    CREDENTIALS_FORGED);
	assert_int_equal(open_at(c.key_id, SLICE_LIT(""), NOW_MS),
	    CREDENTIALS_FORGED);
	seal = other;
	assert_int_equal(open_at(c.key_id, slice_of(c.token), NOW_MS),
	    CREDENTIALS_FORGED);
	seal = ours;
	seal_unref(other);
	credentials_fini(&c);
	credentials_fini(&o);
}

static void
test_time(void **state)
{
	struct credentials c = issued(&plain);
	struct slice token = slice_of(c.token);

	(void)state;
	assert_int_equal(open_at(c.key_id, token, NOW_MS + 3599999),
	    CREDENTIALS_GOOD);
	assert_int_equal(open_at(c.key_id, token, NOW_MS + 3600000),
	    CREDENTIALS_EXPIRED);
	assert_int_equal(open_at(c.key_id, token, INT64_MAX),
	    CREDENTIALS_EXPIRED);
	assert_int_equal(open_at(c.key_id, token, NOW_MS - CREDENTIALS_SKEW_MS),
	    CREDENTIALS_GOOD);
	assert_int_equal(open_at(c.key_id, token, NOW_MS -
	    CREDENTIALS_SKEW_MS - 1), CREDENTIALS_NOT_YET);
	credentials_fini(&c);
}

static void
expect_refused(const struct credentials_request *r, const char *why)
{
	struct credentials c;
	struct error err = { "" };

	if (credentials_issue(seal, r, NOW_MS, &c, &err) ||
	    strstr(err.text, why) == NULL)
		fail_msg("not %s: %s", why, err.text);
	credentials_fini(&c);
}

static void
test_requests(void **state)
{
	struct credentials_request r = plain;
	char text[CREDENTIALS_TOKEN_MAX + 1], key[PRINCIPAL_TAGS_MAX][8];
	struct principal_tag tags[PRINCIPAL_TAGS_MAX];
	struct credentials c;

	(void)state;
	r.ttl_s = IDENTITIES_TTL_MIN_S - 1;
	expect_refused(&r, "time");
	r.ttl_s = IDENTITIES_TTL_MAX_S + 1;
	expect_refused(&r, "time");
	r.ttl_s = IDENTITIES_TTL_MAX_S;
	c = issued(&r);
	credentials_fini(&c);
	r.role = SLICE_LIT("a/b");
	expect_refused(&r, "role");
	r = plain;
	r.session = SLICE_LIT("");
	expect_refused(&r, "session");
	r.session = (struct slice){ (uint8_t *)text, 65 };
	memset(text, 'x', sizeof(text));
	expect_refused(&r, "session");
	r = plain;
	r.policy = slice_of(bad_policy);
	expect_refused(&r, "Statement[0].Effect: is missing");
	r.policy = (struct slice){ (uint8_t *)text,
	    CREDENTIALS_POLICY_MAX + 1 };
	expect_refused(&r, "characters");
	/* A token with one would never be taken. */
	r = plain;
	r.groups = (char *[]){ (char[]){ "team a" } };
	r.group_count = 1;
	expect_refused(&r, "group");
	r = plain;
	/* Fifty tags of 256 bytes are more than a token holds. */
	text[256] = '\0';
	for (int i = 0; i < PRINCIPAL_TAGS_MAX; i++) {
		snprintf(key[i], sizeof(key[i]), "k%d", i);
		tags[i] = (struct principal_tag){ key[i], text };
	}
	r.tags = tags;
	r.tag_count = PRINCIPAL_TAGS_MAX;
	expect_refused(&r, "longer than");
	r.tag_count = PRINCIPAL_TAGS_MAX + 1;
	expect_refused(&r, "tags");
	r.tag_count = 1;
	text[256] = 'x';
	text[257] = '\0';
	expect_refused(&r, "256");
	snprintf(text, sizeof(text), "\xff");
	expect_refused(&r, "UTF-8");
}

/* The longest token that can be made is one that is taken. */
static void
test_longest(void **state)
{
	enum { TAGS = 24 };
	char filler[250], value[257], key[TAGS][8];
	struct principal_tag tags[TAGS];
	struct credentials_request r = plain;
	struct credentials c;
	struct error err;
	size_t longest = 0;

	(void)state;
	r.tags = tags;
	r.tag_count = TAGS;
	memset(filler, 'x', sizeof(filler));
	filler[sizeof(filler) - 1] = '\0';
	for (int i = 0; i < TAGS; i++) {
		snprintf(key[i], sizeof(key[i]), "%02d", i);
		tags[i] = (struct principal_tag){ key[i],
		    i == 0 ? value : i == 1 ? filler + 150 : filler };
	}
	for (size_t n = 0; n < sizeof(value); n++) {
		memset(value, 'x', n);
		value[n] = '\0';
		if (credentials_issue(seal, &r, NOW_MS, &c, &err)) {
			longest = strlen(c.token);
			assert_int_equal(open_at(c.key_id, slice_of(c.token),
			    NOW_MS), CREDENTIALS_GOOD);
		}
		credentials_fini(&c);
	}
	assert_in_range(longest, CREDENTIALS_TOKEN_MAX - 3,
	    CREDENTIALS_TOKEN_MAX);
}

/* What somebody with the master key sealed, but not weir. */
static void
expect_sealed_forged(const char *plaintext)
{
	static const char id[] = "WEISAAAAAAAAAAAAAAAA";
	size_t len = strlen(plaintext);
	uint8_t *sealed = mem_alloc(len + SEAL_OVERHEAD);
	char *token = mem_alloc(BASE64URL_TEXT(len + SEAL_OVERHEAD) + 1);

	seal_close(seal, SEAL_SESSION_TOKEN, slice_of(id),
	    slice_of(plaintext), sealed);
	base64url_encode(sealed, len + SEAL_OVERHEAD, token);
	if (open_at(id, slice_of(token), NOW_MS) != CREDENTIALS_FORGED)
		fail_msg("%s", plaintext);
	free(sealed);
	free(token);
}

#define SECRET "0123456789012345678901234567890123456789"
#define NAMES SECRET "{\"role\": \"r\", \"session\": \"s\", "
#define TIMES "\"issued\": 1767323045000, \"expires\": 1767326645000, "
#define REST "\"tags\": {}, \"groups\": []}"

static void
test_sealed_nonsense(void **state)
{
	(void)state;
	expect_sealed_forged("");
	expect_sealed_forged("short");
	expect_sealed_forged(SECRET);
	expect_sealed_forged(SECRET "[]");
	expect_sealed_forged(SECRET "{}");
	expect_sealed_forged(SECRET "{\"role\": \"r\"}");
	expect_sealed_forged(SECRET "{\"role\": \"r*\", \"session\": \"s\", "
	    TIMES REST);
	expect_sealed_forged(NAMES "\"issued\": \"1\", \"expires\": 2, " REST);
	expect_sealed_forged(NAMES "\"issued\": 2, \"expires\": 2, " REST);
	expect_sealed_forged(NAMES "\"issued\": -9223372036854775807, "
	    "\"expires\": 9223372036854775807, " REST);
	expect_sealed_forged(NAMES "\"issued\": 0, "
	    "\"expires\": 9223372036854775807, " REST);
	expect_sealed_forged(NAMES TIMES "\"tags\": [], \"groups\": []}");
	expect_sealed_forged(NAMES TIMES "\"tags\": {\"a\": 1}, "
	    "\"groups\": []}");
	expect_sealed_forged(NAMES TIMES "\"tags\": {}, \"groups\": {}}");
	expect_sealed_forged(NAMES TIMES "\"tags\": {}, \"groups\": [1]}");
	expect_sealed_forged(NAMES TIMES "\"policy\": 1, " REST);
	expect_sealed_forged(NAMES TIMES "\"policy\": \"bad\", " REST);
	expect_sealed_forged(NAMES TIMES "\"role\": \"r\", " REST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_each_character_counts),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_sealed_nonsense),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
