/* SPDX-License-Identifier: Apache-2.0 */
/* Globs: by table, against a naive matcher, and how long the worst take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "auth/policy_private.h"
#include "gateway/base/mem.h"
#include "policy_reference.h"

static struct policy_pattern
pattern_of(const char *text, size_t len)
{
	struct policy_pattern p;
	struct error err = { "" };

	if (!policy_pattern_parse(text, len, PATTERN_WILD, &p, &err))
		fail_msg("%s: %s", text, err.text);
	return p;
}

static struct policy_glob
glob_of(const struct policy_pattern *p)
{
	return (struct policy_glob){ p->text, p->marks, p->len };
}

static bool
matches(const char *pattern, const char *name, size_t len)
{
	struct policy_pattern p = pattern_of(pattern, strlen(pattern));
	bool yes = policy_glob_match(glob_of(&p), (struct slice){
	    (const uint8_t *)name, (uint32_t)len });

	policy_pattern_free(&p);
	return yes;
}

static void
test_table(void **state)
{
	static const struct {
		const char	*pattern, *name;
		bool		 yes;
	} rows[] = {
		{ "", "", true }, { "", "a", false }, { "a", "", false },
		{ "*", "", true }, { "*", "a/b:c", true }, { "**", "", true },
		{ "?", "", false }, { "?", "a", true }, { "?", "ab", false },
		{ "a*", "a", true }, { "*a", "ba", true },
		{ "*a", "ab", false }, { "a*b*c", "aXbYc", true },
		{ "a*b*c", "abcab", false }, { "*ab*ab*", "abab", true },
		{ "*ab*ab*", "aba", false }, { "*?", "a", true },
		{ "*?", "", false }, { "?*?", "a", false },
		{ "?*?", "ab", true }, { "*aab", "aaaab", true },
		{ "a?c", "abc", true }, { "a?c", "a/c", true },
		{ "[a]", "a", false }, { "\\*", "*", false },
		{ "?", "\xc3\xa9", true }, { "??", "\xc3\xa9", false },
		{ "*?", "\xf0\x9f\x98\x80", true },
		{ "?*?", "\xf0\x9f\x98\x80", false },
		{ "*\xa9", "\xc3\xa9", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (matches(rows[i].pattern, rows[i].name,
		    strlen(rows[i].name)) != rows[i].yes)
			fail_msg("%s on %s", rows[i].pattern, rows[i].name);
	assert_true(matches("a*c", "a\0c", 3));
	assert_false(matches("a", "a\0", 2));
}

static uint32_t seed = 1;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Characters of an alphabet, some of several bytes. */
static size_t
random_text(char *to, bool wild, uint32_t most)
{
	static const char *const parts[] = { "a", "b", "/", "\xc3\xa9",
	    "\xe2\x82\xac", "*", "?" };
	size_t n = 0;

	for (uint32_t i = rnd(most + 1); i > 0; i--) {
		const char *s = parts[rnd(wild ? 7 : 5)];

		memcpy(to + n, s, strlen(s));
		n += strlen(s);
	}
	to[n] = '\0';
	return n;
}

static void
test_against_naive(void **state)
{
	char pattern[64], name[64];
	int yes = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t pn = random_text(pattern, true, 8);
		size_t n = random_text(name, false, 10);
		bool want = reference_glob(pattern, pn, name, n);

		if (matches(pattern, name, n) != want)
			fail_msg("\"%s\" on \"%s\": not %d", pattern, name,
			    want);
		yes += want;
	}
	/* Both answers were seen often. */
	assert_in_range(yes, 10000, 190000);
}

/* covers: each name behind the prefix matches; meets: none does when it says
 * so. */
static void
test_prefixes(void **state)
{
	char pattern[64], text[128];
	int covers = 0, meets = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t pn = random_text(pattern, true, 8);
		size_t n = random_text(text, false, 5);
		struct policy_pattern p = pattern_of(pattern, pn);
		struct slice prefix = { (uint8_t *)text, (uint32_t)n };
		bool c = policy_glob_covers(glob_of(&p), prefix);
		bool m = policy_glob_meets(glob_of(&p), prefix);

		covers += c;
		meets += m;
		assert_true(m || !c);
		for (int k = 0; k < 8; k++) {
			size_t more = n + random_text(text + n, false, 6);
			bool got = policy_glob_match(glob_of(&p),
			    (struct slice){ (uint8_t *)text,
			    (uint32_t)more });

			if ((c && !got) || (!m && got))
				fail_msg("\"%s\" on \"%s\"", pattern, text);
		}
		policy_pattern_free(&p);
	}
	assert_in_range(covers, 1000, 49000);
	assert_in_range(meets, 1000, 49000);
}

/* A pattern is said to meet when some name exists: one is found by trying. */
static void
test_meets_is_not_always_yes(void **state)
{
	static const struct {
		const char	*pattern, *prefix;
		bool		 meets;
	} rows[] = {
		{ "abc", "abd", false }, { "abc", "ab", true },
		{ "abc", "abcd", false }, { "a*z", "abc", true },
		{ "?bc", "xb", true }, { "??", "abc", false },
		{ "*", "", true }, { "", "", true }, { "", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_pattern p = pattern_of(rows[i].pattern,
		    strlen(rows[i].pattern));

		if (policy_glob_meets(glob_of(&p), slice_of(rows[i].prefix)) !=
		    rows[i].meets)
			fail_msg("%s on %s", rows[i].pattern, rows[i].prefix);
		policy_pattern_free(&p);
	}
}

/* a*a*a*...b against a^n: a matcher that tries every star again would take
 * longer than the universe has been there; the product of the lengths is some
 * ten million steps. */
static void
test_no_blow_up(void **state)
{
	enum { STARS = 200, LENGTH = 30000 };
	char *pattern = mem_alloc(STARS * 2 + 2), *name = mem_alloc(LENGTH);
	struct timespec start, end;

	(void)state;
	for (int i = 0; i < STARS; i++)
		memcpy(pattern + i * 2, "a*", 2);
	memcpy(pattern + STARS * 2, "b", 2);
	memset(name, 'a', LENGTH);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_false(matches(pattern, name, LENGTH));
	name[LENGTH - 1] = 'b';
	assert_true(matches(pattern, name, LENGTH));
	/* And with a question mark, where no byte can be looked for. */
	memcpy(pattern, "*?a?a", 5);
	assert_true(matches(pattern, name, LENGTH));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	/* Far from what it takes under a sanitizer, which is milliseconds. */
	assert_true(end.tv_sec - start.tv_sec < 20);
	free(pattern);
	free(name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_against_naive),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_meets_is_not_always_yes),
		cmocka_unit_test(test_no_blow_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
