/* SPDX-License-Identifier: Apache-2.0 */
/* Names that brokers count, and what is made between two censuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quota/quota_private.h"
#include "quota/stock.h"

enum { SECOND = 1000000 };

static const enum quota_named G = QUOTA_NAMED_GROUPS, T = QUOTA_NAMED_TXNS;

static struct {
	struct quota		*quota;
	struct limits		*limits;
	struct quota_account	*account;
	struct quota_who	 who;
	int64_t			 now;
	struct quota_reason	 why;
} f;

static void
begin(int64_t most, enum quota_mode mode)
{
	memset(&f, 0, sizeof(f));
	f.now = 100 * SECOND;
	f.quota = quota_new(1);
	f.limits = limits_new("test", 1);
	f.limits->v[0] = (struct limit){ .dimension = QUOTA_DIM_GROUPS,
		.scope = QUOTA_TENANT, .value = most,
		.mode = (uint8_t)mode };
	f.account = quota_account(f.quota, "orders", f.limits);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"),
	    SLICE_LIT("app"), &f.who);
}

static void
end(void)
{
	quota_who_close(&f.who);
	quota_free(f.quota);
	limits_unref(f.limits);
}

/* "a b c"; sealed, and sure when asked_us is not 0. */
static struct quota_stock *
stock_of(const char *names, int64_t asked_us)
{
	struct quota_stock *s = quota_stock_new();
	char text[200], *at = text, *name;

	snprintf(text, sizeof(text), "%s", names);
	while ((name = strsep(&at, " ")) != NULL)
		if (name[0] != '\0')
			quota_stock_add(s, G, slice_of(name));
	quota_stock_seal(s, G, asked_us);
	quota_stock_seal(s, T, 0);
	return s;
}

/* A census of now. */
static bool
census(const char *names)
{
	struct quota_stock *s = stock_of(names, f.now);
	bool waits = quota_stock_set(f.account, s);

	quota_stock_unref(s);
	return waits;
}

static enum quota_making
make_since(const char *name, struct quota_since since)
{
	return quota_make(&f.who, G, slice_of(name), since, f.now, &f.why);
}

static enum quota_making
make(const char *name)
{
	return make_since(name, (struct quota_since){ 0 });
}

/* By what came `later` than now. */
static enum quota_making
make_later(const char *name, int64_t later, bool waited)
{
	return make_since(name, (struct quota_since){ f.now + later, waited,
	    false });
}

/* By what waits no more. */
static enum quota_making
make_tired(const char *name, int64_t later)
{
	return make_since(name, (struct quota_since){ f.now + later, true,
	    true });
}

static int64_t
count(void)
{
	return atomic_load(
	    &f.who.holders[QUOTA_TENANT]->gauges[QUOTA_DIM_GROUPS].count);
}

static uint64_t
noted(void)
{
	return atomic_load(&f.who.holders[QUOTA_TENANT]
	    ->gauges[QUOTA_DIM_GROUPS].record.times);
}

static void
knows_its_names(void **state)
{
	struct quota_stock *s = stock_of("b a c a b", 1), *copy;
	char name[16];

	(void)state;
	assert_int_equal(quota_stock_count(s, G), 3);
	assert_int_equal(quota_stock_count(s, T), 0);
	assert_true(quota_stock_has(s, G, SLICE_LIT("a")));
	assert_true(quota_stock_has(s, G, SLICE_LIT("c")));
	assert_false(quota_stock_has(s, G, SLICE_LIT("d")));
	assert_false(quota_stock_has(s, G, SLICE_LIT("")));
	assert_false(quota_stock_has(s, T, SLICE_LIT("a")));
	assert_false(quota_stock_has(NULL, G, SLICE_LIT("a")));
	copy = quota_stock_new();
	quota_stock_copy(copy, G, s);
	quota_stock_copy(copy, G, NULL);
	quota_stock_seal(copy, G, 0);
	quota_stock_unref(s);
	assert_true(quota_stock_has(copy, G, SLICE_LIT("b")));
	quota_stock_unref(copy);
	s = quota_stock_new();
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		quota_stock_add(s, G, slice_of(name));
	}
	quota_stock_seal(s, G, 1);
	assert_int_equal(quota_stock_count(s, G), 10000);
	assert_true(quota_stock_has(s, G, SLICE_LIT("g9999")));
	quota_stock_unref(s);
}

/* What is made counts at once: a burst does not go beyond the limit. */
static void
counts_what_is_made(void **state)
{
	(void)state;
	begin(5, QUOTA_ENFORCE);
	assert_false(census("a b c"));
	assert_int_equal(count(), 3);
	assert_int_equal(make("a"), QUOTA_THERE);
	assert_int_equal(make("d"), QUOTA_MADE);
	assert_int_equal(make("d"), QUOTA_THERE);
	assert_int_equal(make("e"), QUOTA_MADE);
	assert_int_equal(count(), 5);
	assert_int_equal(make("f"), QUOTA_OVER);
	assert_int_equal(f.why.dimension, QUOTA_DIM_GROUPS);
	assert_int_equal(f.why.value, 5);
	assert_int_equal(f.why.scope, QUOTA_TENANT);
	assert_int_equal(noted(), 1);
	assert_int_equal(count(), 5);
	assert_int_equal(make("a"), QUOTA_THERE);
	/* Other kinds have nothing to do with it. */
	assert_int_equal(quota_make(&f.who, T, SLICE_LIT("f"),
	    (struct quota_since){ 0 }, f.now, &f.why), QUOTA_UNSURE);
	end();
}

static void
forgets_what_was_made(void **state)
{
	(void)state;
	begin(3, QUOTA_ENFORCE);
	census("a");
	make("b");
	make("c");
	/* They are counted once, wherever they are. */
	f.now += SECOND;
	assert_true(census("a b"));
	assert_int_equal(count(), 3);
	assert_int_equal(make("d"), QUOTA_OVER);
	/* c is on its way no longer: it never came, or has gone again. */
	f.now += 4 * SECOND + 1;
	assert_false(census("a b"));
	assert_int_equal(count(), 2);
	assert_int_equal(make("d"), QUOTA_MADE);
	quota_unmake(&f.who, G, SLICE_LIT("d"));
	quota_unmake(&f.who, G, SLICE_LIT("never"));
	assert_int_equal(make("e"), QUOTA_MADE);
	/* Who makes it again has it on its way again. */
	f.now += 4 * SECOND;
	assert_int_equal(make("e"), QUOTA_THERE);
	f.now += 4 * SECOND;
	assert_true(census("a b"));
	assert_int_equal(count(), 3);
	end();
}

static void
passes_what_nobody_knows(void **state)
{
	struct quota_stock *s;

	(void)state;
	begin(2, QUOTA_ENFORCE);
	assert_int_equal(make("a"), QUOTA_UNSURE);
	assert_int_equal(make("a"), QUOTA_THERE);
	assert_int_equal(make("b"), QUOTA_UNSURE);
	assert_int_equal(make("c"), QUOTA_UNSURE);
	assert_int_equal(count(), 3);
	assert_false(census("a b c d"));
	assert_int_equal(count(), 4);
	assert_int_equal(make("e"), QUOTA_OVER);
	/* Brokers do not answer any more; what was there is known still. */
	s = stock_of("a b c d", 0);
	quota_stock_set(f.account, s);
	quota_stock_unref(s);
	assert_int_equal(make("d"), QUOTA_THERE);
	assert_int_equal(make("e"), QUOTA_UNSURE);
	assert_int_equal(count(), 5);
	assert_int_equal(noted(), 1);
	quota_stock_set(f.account, NULL);
	assert_int_equal(make("f"), QUOTA_UNSURE);
	end();
}

/* A refusal needs a census that is younger than the request. */
static void
doubts_what_is_old(void **state)
{
	(void)state;
	begin(1, QUOTA_ENFORCE);
	census("a");
	assert_int_equal(make_later("b", 1, false), QUOTA_STALE);
	assert_int_equal(noted(), 0);
	assert_int_equal(count(), 1);
	assert_int_equal(make_later("a", 1, false), QUOTA_THERE);
	assert_int_equal(make_later("b", 0, false), QUOTA_OVER);
	f.now += SECOND;
	census("b");
	assert_int_equal(make_later("b", 0, false), QUOTA_THERE);
	end();
}

/* One of three makes a third of what is left, then asks what the others have
 * made; and goes on in the end, when there is room. */
static void
a_fleet_shares_what_is_left(void **state)
{
	(void)state;
	begin(10, QUOTA_ENFORCE);
	atomic_store(&f.quota->nodes, 3);
	census("a");
	for (const char *c = "bcd"; *c != '\0'; c++) {
		char name[2] = { *c, '\0' };

		assert_int_equal(make_later(name, 1, false), QUOTA_MADE);
	}
	assert_int_equal(make_later("e", 1, false), QUOTA_STALE);
	assert_int_equal(make_later("d", 1, false), QUOTA_THERE);
	assert_int_equal(noted(), 0);
	/* It has waited; others have made five. */
	f.now += SECOND;
	census("a b c d v w x y z");
	assert_int_equal(make_later("e", 1, false), QUOTA_STALE);
	assert_int_equal(make_later("e", -SECOND, true), QUOTA_MADE);
	assert_int_equal(make_later("g", -SECOND, true), QUOTA_OVER);
	/* There was room all the time: a part each time, until it is tired. */
	f.now += SECOND;
	census("a b c d e");
	assert_int_equal(make_later("g", 1, false), QUOTA_MADE);
	assert_int_equal(make_later("h", -SECOND, true), QUOTA_STALE);
	assert_int_equal(make_tired("h", 1), QUOTA_MADE);
	for (const char *c = "ijk"; *c != '\0'; c++) {
		char name[2] = { *c, '\0' };

		assert_int_equal(make_tired(name, 1), QUOTA_MADE);
	}
	/* There is none, unless that is too old. */
	assert_int_equal(make_tired("l", 0), QUOTA_OVER);
	assert_int_equal(make_tired("l", 1), QUOTA_UNSURE);
	end();
}

static void
shadow_refuses_nobody(void **state)
{
	(void)state;
	begin(1, QUOTA_SHADOW);
	census("a");
	assert_int_equal(make_later("b", 1, false), QUOTA_MADE);
	assert_int_equal(make("c"), QUOTA_MADE);
	assert_int_equal(make("c"), QUOTA_THERE);
	assert_int_equal(noted(), 2);
	assert_int_equal(count(), 3);
	end();
}

static void
keeps_no_more_names_than_it_may(void **state)
{
	char name[16];

	(void)state;
	begin(1000000, QUOTA_ENFORCE);
	census("");
	for (int i = 0; i < STOCK_MADE_MAX; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		assert_int_equal(make(name), QUOTA_MADE);
	}
	assert_int_equal(make("more"), QUOTA_MADE);
	assert_int_equal(make("more"), QUOTA_MADE);
	assert_int_equal(make("g7"), QUOTA_THERE);
	assert_int_equal(count(), STOCK_MADE_MAX + 2);
	f.now += 10 * SECOND;
	assert_false(census("more"));
	assert_int_equal(count(), 1);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_names),
		cmocka_unit_test(counts_what_is_made),
		cmocka_unit_test(forgets_what_was_made),
		cmocka_unit_test(passes_what_nobody_knows),
		cmocka_unit_test(doubts_what_is_old),
		cmocka_unit_test(a_fleet_shares_what_is_left),
		cmocka_unit_test(shadow_refuses_nobody),
		cmocka_unit_test(keeps_no_more_names_than_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
