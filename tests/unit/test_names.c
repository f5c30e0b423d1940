/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/mem.h"
#include "routing/names.h"

static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void
assert_text(struct slice s, const char *text)
{
	if (!slice_is(s, text))
		fail_msg("\"%.*s\" is not \"%s\"", SLICE_FMT(s), text);
}

static struct slice
inward(const struct names *n, enum name_kind kind, const char *name)
{
	struct slice to;

	assert_true(names_inward(n, kind, slice_of(name), &to, &arena));
	return to;
}

/* NULL: it is not the tenant's. */
static void
assert_outward(const struct names *n, enum name_kind kind,
    const char *physical, const char *name)
{
	struct slice to;
	bool owns = names_outward(n, kind, slice_of(physical), &to, &arena);

	assert_int_equal(owns, name != NULL);
	assert_int_equal(names_owns(n, kind, slice_of(physical)),
	    name != NULL);
	if (owns)
		assert_text(to, name);
}

static void
test_prefix(void **state)
{
	struct names *n = names_new("a-1.");
	struct slice null;

	(void)state;
	for (int k = 0; k < NAME_KINDS; k++) {
		enum name_kind kind = (enum name_kind)k;

		assert_text(inward(n, kind, "orders"), "a-1.orders");
		assert_text(inward(n, kind, "a-1.orders"), "a-1.a-1.orders");
		assert_outward(n, kind, "a-1.orders", "orders");
		assert_outward(n, kind, "a-1.a-1.orders", "a-1.orders");
		assert_outward(n, kind, "a-10.orders", NULL);
		assert_outward(n, kind, "a-1", NULL);
		assert_outward(n, kind, "orders", NULL);
		assert_outward(n, kind, "A-1.orders", NULL);
		assert_true(names_inward(n, kind, SLICE_NULL, &null, &arena));
		assert_null(null.data);
	}
	names_free(n);
}

/* Nobody's names, and those that only look like one. */
static void
test_impossible(void **state)
{
	struct names *n = names_new("a.");

	(void)state;
	assert_text(inward(n, NAME_TOPIC, ""), "");
	assert_text(inward(n, NAME_TOPIC, "."), ".");
	assert_text(inward(n, NAME_TOPIC, ".."), "..");
	assert_text(inward(n, NAME_TOPIC, "..."), "a....");
	assert_outward(n, NAME_TOPIC, "", "");
	assert_outward(n, NAME_TOPIC, "..", "..");
	/* Nobody can say these. */
	assert_outward(n, NAME_TOPIC, "a.", NULL);
	assert_outward(n, NAME_TOPIC, "a..", NULL);
	assert_outward(n, NAME_TOPIC, "a...", NULL);
	assert_text(inward(n, NAME_GROUP, ""), "a.");
	assert_outward(n, NAME_GROUP, "a.", "");
	assert_outward(n, NAME_GROUP, "", NULL);
	names_free(n);
}

static void
test_too_long(void **state)
{
	struct names *n = names_new("abc.");
	char *text = mem_alloc(NAMES_LONG);
	struct slice s = { (uint8_t *)text, NAMES_LONG - 4 }, to;
	struct arena small;

	(void)state;
	memset(text, 'x', NAMES_LONG);
	assert_true(names_inward(n, NAME_GROUP, s, &to, &arena));
	assert_int_equal(to.len, NAMES_LONG);
	s.len++;
	assert_false(names_inward(n, NAME_GROUP, s, &to, &arena));
	arena_init(&small, 64);
	s.len = 100;
	assert_false(names_inward(n, NAME_GROUP, s, &to, &small));
	arena_fini(&small);
	free(text);
	names_free(n);
}

static void
test_without_tenant(void **state)
{
	(void)state;
	assert_text(inward(NULL, NAME_TOPIC, "orders"), "orders");
	assert_outward(NULL, NAME_TOPIC, "a.orders", "a.orders");
	assert_null(names_prefix(NULL).data);
}

static void
test_shared(void **state)
{
	struct names *n = names_new(NULL);
	struct prefixes *others = prefixes_new();
	struct error err;

	(void)state;
	names_except(n, others);
	prefixes_add(others, "a.");
	prefixes_unref(others);
	assert_text(inward(n, NAME_TOPIC, "orders"), "orders");
	assert_text(inward(n, NAME_TOPIC, "a.orders"), "a.orders");
	assert_outward(n, NAME_TOPIC, "orders", "orders");
	assert_outward(n, NAME_TOPIC, "b.orders", "b.orders");
	assert_outward(n, NAME_GROUP, "a.orders", NULL);
	assert_outward(n, NAME_TOPIC, "a.", NULL);
	assert_outward(n, NAME_TOPIC, "a", "a");
	assert_outward(n, NAME_TOPIC, "ab.c", "ab.c");
	assert_false(names_adopt(n, NAME_TOPIC, "x", "y", &err));
	names_free(n);
}

/* What brokers may take for another's topic. */
static void
test_near_others(void **state)
{
	struct names *shared = names_new(NULL), *own = names_new("a.");
	struct prefixes *all = prefixes_new();
	char longest[200];

	(void)state;
	prefixes_add(all, "a.");
	prefixes_add(all, "b-c.");
	assert_false(names_near_others(NULL, SLICE_LIT("a_x")));
	assert_false(names_near_others(shared, SLICE_LIT("a_x")));
	names_except(shared, all);
	names_except(own, all);
	prefixes_unref(all);
	assert_true(names_near_others(shared, SLICE_LIT("a_x")));
	assert_true(names_near_others(shared, SLICE_LIT("a.x")));
	assert_true(names_near_others(shared, SLICE_LIT("a_")));
	assert_true(names_near_others(shared, SLICE_LIT("b-c_x.y")));
	assert_false(names_near_others(shared, SLICE_LIT("a")));
	assert_false(names_near_others(shared, SLICE_LIT("ab_x")));
	assert_false(names_near_others(shared, SLICE_LIT("b_c_x")));
	assert_false(names_near_others(shared, SLICE_LIT("")));
	assert_false(names_near_others(own, SLICE_LIT("a.x_y")));
	assert_true(names_near_others(own, SLICE_LIT("b-c_x")));
	memset(longest, 'a', sizeof(longest));
	longest[198] = '_';
	longest[199] = '\0';
	assert_false(names_near_others(shared, slice_of(longest)));
	names_free(shared);
	names_free(own);
}

static void
test_adopted(void **state)
{
	struct names *n = names_new("a.");
	struct error err;

	(void)state;
	assert_true(names_adopt(n, NAME_TOPIC, "legacy.orders", "orders",
	    &err));
	assert_true(names_adopt(n, NAME_TOPIC, "old.*", "old-*", &err));
	assert_true(names_adopt(n, NAME_TOPIC, "old.x", "x", &err));
	assert_text(inward(n, NAME_TOPIC, "orders"), "legacy.orders");
	assert_outward(n, NAME_TOPIC, "legacy.orders", "orders");
	/* What the tenant itself had under that name is not to be seen. */
	assert_outward(n, NAME_TOPIC, "a.orders", NULL);
	assert_text(inward(n, NAME_TOPIC, "old-1"), "old.1");
	assert_outward(n, NAME_TOPIC, "old.1", "old-1");
	assert_outward(n, NAME_TOPIC, "a.old-1", NULL);
	assert_outward(n, NAME_TOPIC, "old.x", "x");
	assert_text(inward(n, NAME_TOPIC, "x"), "old.x");
	/* One name each. */
	assert_text(inward(n, NAME_TOPIC, "old-x"), "old.x");
	/* Of that kind only. */
	assert_text(inward(n, NAME_GROUP, "orders"), "a.orders");
	assert_outward(n, NAME_GROUP, "legacy.orders", NULL);
	names_free(n);
}

static void
test_adopt_refuses(void **state)
{
	static const struct {
		const char	*physical, *as;
	} bad[] = {
		{ "x*", "x" }, { "x", "x*" }, { "", "x" }, { "x", "" },
		{ "a.x", "x" }, { "a.*", "x*" }, { "*", "all-*" },
		{ "a*", "as-*" }, { "legacy.orders", "again" },
		{ "other", "orders" }, { "old.y.*", "y*" },
		{ "new*", "old-n*" }, { "new*", "*" }, { "new", "n/w" },
		{ "new", ".." }, { "new*", "n w*" },
		{ "__consumer_offsets", "offsets" }, { "__*", "own-*" },
		{ "_*", "own-*" },
	};
	struct names *n = names_new("a.");
	struct error err;

	(void)state;
	assert_true(names_adopt(n, NAME_TOPIC, "legacy.orders", "orders",
	    &err));
	assert_true(names_adopt(n, NAME_TOPIC, "old.*", "old-*", &err));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		if (names_adopt(n, NAME_TOPIC, bad[i].physical, bad[i].as,
		    &err))
			fail_msg("%s as %s", bad[i].physical, bad[i].as);
		assert_true(err.text[0] != '\0');
	}
	/* Groups are called as one likes. */
	assert_true(names_adopt(n, NAME_GROUP, "__consumer_offsets", "n/w",
	    &err));
	assert_true(names_adopt(n, NAME_TOPIC, "__mine-*", "__mine-*", &err));
	names_free(n);
}

static struct names *
adopting(const char *const (*rules)[2], int n)
{
	struct names *to = names_new("a.");
	struct error err;

	for (int i = 0; i < n; i++)
		assert_true(names_adopt(to, NAME_GROUP, rules[i][0],
		    rules[i][1], &err));
	return to;
}

static void
test_keep(void **state)
{
	static const char *const was[][2] = {
		{ "old.x", "x" }, { "legacy-*", "l-*" }, { "same", "same" },
	};
	static const struct {
		const char	*rules[4][2];
		int		 n;
		bool		 keeps;
	} cases[] = {
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.x", "x" } }, 3, true },
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.x", "x" }, { "more", "m" } }, 4, true },
		/* The same by a rule for many. */
		{ { { "sam*", "sam*" }, { "legacy-*", "l-*" },
		    { "old.x", "x" } }, 3, true },
		{ { { "same", "same" }, { "legacy-*", "l-*" } }, 2, false },
		{ { { "same", "same" }, { "old.x", "x" } }, 2, false },
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.x", "y" } }, 3, false },
		{ { { "same", "same" }, { "legacy-*", "m-*" },
		    { "old.x", "x" } }, 3, false },
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.y", "x" } }, 3, false },
		/* What a star showed is another's now. */
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.x", "x" }, { "other", "l-x" } }, 4, false },
		{ { { "same", "same" }, { "legacy-*", "l-*" },
		    { "old.x", "x" }, { "legacy-x", "l-x" } }, 4, true },
		{ { { NULL } }, 0, false },
	};
	struct names *before = adopting(was, 3), *none = names_new("a.");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct names *now = adopting(cases[i].rules, cases[i].n);

		assert_int_equal(names_keep(now, before), cases[i].keeps);
		assert_true(names_keep(now, none));
		names_free(now);
	}
	names_free(before);
	names_free(none);
}

enum { RANGES_SIZE = 200 };

static void
note_range(void *arg, struct slice physical, bool whole)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, RANGES_SIZE - len, "%.*s%s ",
	    SLICE_FMT(physical), whole ? "" : "*");
}

static void
test_ranges(void **state)
{
	struct names *n = names_new("a."), *shared = names_new(NULL);
	char text[RANGES_SIZE] = "";
	struct error err;

	(void)state;
	assert_true(names_adopt(n, NAME_TOPIC, "old.*", "old-*", &err));
	assert_true(names_adopt(n, NAME_TOPIC, "old.x", "x", &err));
	assert_true(names_adopt(n, NAME_TOPIC, "other", "y", &err));
	names_ranges(n, NAME_TOPIC, note_range, text);
	assert_string_equal(text, "a.* old.* other ");
	text[0] = '\0';
	names_ranges(n, NAME_GROUP, note_range, text);
	assert_string_equal(text, "a.* ");
	text[0] = '\0';
	names_ranges(shared, NAME_TOPIC, note_range, text);
	names_ranges(NULL, NAME_TOPIC, note_range, text);
	assert_string_equal(text, "* * ");
	names_free(n);
	names_free(shared);
}

/* Whatever the names: outward is inward's inverse, and no physical name is two
 * tenants'. */
static void
test_property(void **state)
{
	static const char *const ids[] = { "a.", "a-.", "a-a.", "b." };
	static const char letters[] = "a.-b";
	struct names *all[4];
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 4; i++)
		all[i] = names_new(ids[i]);
	for (int round = 0; round < 20000; round++) {
		char name[9];
		int len = rand_r(&seed) % 8, owners = 0;
		struct slice physical, back;

		for (int i = 0; i < len; i++)
			name[i] = letters[rand_r(&seed) % 4];
		name[len] = '\0';
		physical = inward(all[round % 4], NAME_TXN, name);
		assert_true(names_outward(all[round % 4], NAME_TXN, physical,
		    &back, &arena));
		assert_text(back, name);
		for (int i = 0; i < 4; i++)
			owners += names_owns(all[i], NAME_TXN, physical);
		assert_int_equal(owners, 1);
	}
	for (int i = 0; i < 4; i++)
		names_free(all[i]);
}

/* ---- regular expressions ---- */

static const struct {
	const char	*regex, *physical;	/* between \Qa.\E(?: and ) */
} good[] = {
	{ "orders", "orders" }, { "orders-.*", "orders-.*" },
	{ "a|b", "a|b" }, { "(a|b)+", "(a|b)+" }, { ".*", ".*" },
	{ "^orders$", "(?:^)?orders$" }, { "^a|^b", "(?:^)?a|(?:^)?b" },
	{ "(^a|b^)", "((?:^)?a|b^)" }, { "a^", "a^" }, { "^*a", "^*a" },
	{ "\\Aa", "(?:\\A)?a" }, { "a\\A", "a\\A" },
	{ "\\b^a", "\\b(?:^)?a" }, { "[)]", "[)]" }, { "[^)]", "[^)]" },
	{ "[]()]", "[]()]" }, { "[\\])]", "[\\])]" },
	{ "[[:alpha:])]", "[[:alpha:])]" }, { "[[:a)]", "[[:a)]" },
	{ "\\)", "\\)" }, { "\\(\\)", "\\(\\)" }, { "\\Q)|(\\E", "\\Q)|(\\E" },
	{ "\\Qa)", "\\Qa)\\E" }, { "(?i)Orders", "(?i)Orders" },
	{ "(?i:a)b", "(?i:a)b" }, { "(?P<n>a)", "(?P<n>a)" },
	{ "(?<n>a)", "(?<n>a)" }, { "(?i)^a", "(?i)(?:^)?a" },
	{ "", "" }, { "|", "|" }, { "()", "()" }, { "x{2,3}", "x{2,3}" },
};

static const char *const bad[] = {
	"x)|(.*", ")", "(", "a(b", "a)b(", "[", "[a", "[^", "[]", "\\", "a\\",
	"\\E", "\\Qa\\E)|(.*", "(?", "(?i", "(?x)", "(?=a)", "(?P<n", "[a\\",
	"(?:a", "a))", "\\E.*", ")(", "(?i))|(?:.*", "(?<", "[[:alpha:]",
};

static void
test_regex(void **state)
{
	struct names *n = names_new("a.");
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct slice in, back;

		if (!names_regex_inward(n, slice_of(good[i].regex), &arena,
		    &in))
			fail_msg("%s was refused", good[i].regex);
		snprintf(text, sizeof(text), "\\Qa.\\E(?:%s)",
		    good[i].physical);
		assert_text(in, text);
		assert_true(names_regex_outward(n, in, &arena, &back));
		/* Its end is said now. */
		if (strcmp(good[i].regex, "\\Qa)") != 0)
			assert_text(back, good[i].regex);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice in;

		if (names_regex_inward(n, slice_of(bad[i]), &arena, &in))
			fail_msg("%s was taken as %.*s", bad[i],
			    SLICE_FMT(in));
	}
	names_free(n);
}

static void
test_regex_bounds(void **state)
{
	struct names *n = names_new("a.");
	static char deep[2 * 1001 + 1];
	struct slice in = { (uint8_t *)deep, 2000 }, to;

	(void)state;
	memset(deep, '(', 1001);
	memset(deep + 1000, ')', 1000);
	assert_true(names_regex_inward(n, in, &arena, &to));
	memset(deep, '(', 1001);
	memset(deep + 1001, ')', 1001);
	in.len = 2002;
	assert_false(names_regex_inward(n, in, &arena, &to));
	names_free(n);
}

/* What others made, or nobody. */
static void
test_regex_of_others(void **state)
{
	static const char *const theirs[] = {
		"orders", "\\Qb.\\E(?:orders)", "\\Qa.\\E(?:", "\\Qa.\\E",
		"", "\\Qa.\\E(?:orders", "\\Qa.\\E(orders)",
	};
	struct names *n = names_new("a.");

	(void)state;
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++) {
		struct slice to;

		if (names_regex_outward(n, slice_of(theirs[i]), &arena, &to))
			fail_msg("%s is nobody's", theirs[i]);
	}
	names_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_without_tenant),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_near_others),
		cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_adopt_refuses),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_regex),
		cmocka_unit_test(test_regex_bounds),
		cmocka_unit_test(test_regex_of_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
