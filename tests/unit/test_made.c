/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that are on their way count, once, and in one class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quota/made.h"
#include "quota/quota_private.h"

enum { SECOND = 1000000, SEEN_MAX = 8 };

static const enum made_class P = MADE_PLAIN, C = MADE_COMPACTED,
    U = MADE_UNKNOWN;

/* What the maker sees of topics. */
struct seen {
	const char	*name;
	int32_t		 partitions;
	enum made_class	 class;
};

static struct {
	struct quota		*quota;
	struct limits		*limits;
	struct quota_who	 who;
	int64_t			 now;
	struct seen		 seen[SEEN_MAX];
	struct quota_reason	 why;
	int			 looks;
} f;

static void
begin(int64_t plain, int64_t compacted)
{
	memset(&f, 0, sizeof(f));
	f.now = 100 * SECOND;
	f.quota = quota_new(1);
	f.limits = limits_new("test", 2);
	f.limits->v[0] = (struct limit){ .dimension = QUOTA_DIM_PARTITIONS,
		.scope = QUOTA_TENANT, .value = plain };
	f.limits->v[1] = (struct limit){
		.dimension = QUOTA_DIM_COMPACTED_PARTITIONS,
		.scope = QUOTA_TENANT, .value = compacted };
	quota_who_open(f.quota, quota_account(f.quota, "t", f.limits),
	    SLICE_LIT(""), SLICE_LIT(""), &f.who);
}

static void
end(void)
{
	quota_who_close(&f.who);
	quota_free(f.quota);
	limits_unref(f.limits);
}

static int32_t
look(void *arg, struct slice name, enum made_class *class)
{
	assert_ptr_equal(arg, &f);
	f.looks++;
	for (int i = 0; i < SEEN_MAX && f.seen[i].name != NULL; i++)
		if (slice_is(name, f.seen[i].name)) {
			*class = f.seen[i].class;
			return f.seen[i].partitions;
		}
	return 0;
}

static bool
make(const char *name, int32_t partitions, enum made_class class)
{
	struct made_topic t = { .name = slice_of(name),
		.partitions = partitions, .class = class, .seen = look,
		.arg = &f };

	for (int i = 0; i < SEEN_MAX && f.seen[i].name != NULL; i++)
		t.there[f.seen[i].class != U ? f.seen[i].class :
		    quota_made_class(&f.who, slice_of(f.seen[i].name), NULL)] +=
		    f.seen[i].partitions;
	f.now += MADE_LOOK_MS * 1000;
	return quota_made(&f.who, &t, f.now, &f.why);
}

static int64_t
shown(enum quota_dimension d)
{
	return atomic_load(&f.who.holders[QUOTA_TENANT]->gauges[d].count);
}

static void
counts_by_class(void **state)
{
	(void)state;
	begin(10, 4);
	f.seen[0] = (struct seen){ "old", 3, P };
	f.seen[1] = (struct seen){ "table", 2, C };
	assert_true(make("a", 5, P));
	assert_int_equal(shown(QUOTA_DIM_PARTITIONS), 8);
	assert_false(make("b", 3, P));
	assert_int_equal(f.why.dimension, QUOTA_DIM_PARTITIONS);
	assert_int_equal(f.why.value, 10);
	assert_true(make("b", 2, P));
	assert_false(make("c", 3, C));
	assert_int_equal(f.why.dimension, QUOTA_DIM_COMPACTED_PARTITIONS);
	assert_true(make("c", 2, C));
	assert_int_equal(shown(QUOTA_DIM_COMPACTED_PARTITIONS), 4);
	/* Once more is nothing more. */
	assert_true(make("b", 2, P));
	assert_true(make("c", 2, C));
	assert_false(make("d", 1, P));
	end();
}

static void
forgets_what_is_seen(void **state)
{
	int32_t n;

	(void)state;
	begin(4, 4);
	assert_true(make("a", 2, P));
	assert_true(make("b", 2, C));
	assert_int_equal(quota_made_class(&f.who, SLICE_LIT("b"), &n), C);
	assert_int_equal(n, 2);
	assert_int_equal(quota_made_class(&f.who, SLICE_LIT("z"), &n), P);
	assert_int_equal(n, 0);
	f.seen[0] = (struct seen){ "a", 2, U };
	assert_int_equal(quota_made_class(&f.who, SLICE_LIT("a"),
	    NULL), P);
	/* It has grown beyond what was made. */
	f.seen[0] = (struct seen){ "a", 3, P };
	assert_true(make("c", 1, P));
	assert_false(make("d", 1, P));
	/* Of what class it is is not known yet: as it was made. */
	f.seen[1] = (struct seen){ "b", 2, U };
	assert_int_equal(quota_made_class(&f.who, SLICE_LIT("b"),
	    NULL), C);
	assert_true(make("e", 2, C));
	assert_false(make("e2", 1, C));
	f.seen[1].class = C;
	assert_false(make("e2", 1, C));
	assert_int_equal(quota_made_class(&f.who, SLICE_LIT("b"),
	    NULL), P);
	end();
}

static void
enlarges(void **state)
{
	(void)state;
	begin(10, 4);
	f.seen[0] = (struct seen){ "a", 4, P };
	assert_true(make("a", 9, P));
	assert_int_equal(shown(QUOTA_DIM_PARTITIONS), 9);
	assert_false(make("b", 2, P));
	assert_false(make("a", 11, P));
	f.seen[0].partitions = 6;	/* on its way */
	assert_false(make("b", 2, P));
	f.seen[0].partitions = 9;
	assert_false(make("b", 2, P));
	assert_true(make("b", 1, P));
	end();
}

/* From one class to the other, as a whole. */
static void
moves(void **state)
{
	(void)state;
	begin(10, 4);
	f.seen[0] = (struct seen){ "a", 5, P };
	f.seen[1] = (struct seen){ "b", 3, P };
	assert_false(make("a", 5, C));
	assert_true(make("b", 3, C));
	assert_false(make("c", 2, C));
	f.seen[1].class = C;
	assert_false(make("c", 2, C));
	assert_true(make("c", 1, C));
	/* Before anybody knows what they are. */
	f.seen[0].class = U;
	assert_false(make("a", 5, C));
	f.seen[1] = (struct seen){ "d", 4, U };
	f.seen[2] = (struct seen){ "b", 3, C };
	f.limits->v[1].value = 9;
	quota_holder_follow(f.who.holders[QUOTA_TENANT], f.limits);
	assert_true(make("a", 5, C));
	assert_false(make("d", 4, C));
	end();
}

static void
forgets_what_never_came(void **state)
{
	(void)state;
	begin(2, 2);
	assert_true(make("a", 2, P));
	quota_unmade(&f.who, SLICE_LIT("a"));
	quota_unmade(&f.who, SLICE_LIT("never"));
	assert_true(make("b", 2, P));
	assert_false(make("c", 1, P));
	f.now += (int64_t)MADE_KEPT_MS * 1000 + 1;
	assert_true(make("c", 1, P));
	assert_true(make("d", 1, P));
	assert_false(make("e", 1, P));
	end();
}

/* Asked for again, it is refused as being there already: what was noted for the
 * first one stays, while that is under way and afterwards. */
static void
what_others_made_stays(void **state)
{
	struct made_topic again = { .name = SLICE_LIT("x"), .partitions = 9,
		.class = P, .seen = look, .arg = &f };

	(void)state;
	begin(10, 10);
	assert_true(make("x", 9, P));
	assert_true(quota_made(&f.who, &again, f.now, &f.why));
	assert_false(again.noted);
	/* Fewer, or of the other class. */
	again.partitions = 1;
	assert_true(quota_made(&f.who, &again, f.now, &f.why));
	assert_false(again.noted);
	assert_false(make("y", 2, P));
	again.class = C;
	assert_true(quota_made(&f.who, &again, f.now, &f.why));
	assert_true(again.noted);
	quota_made_back(&f.who, again.name, &again.was, &again.is);
	assert_false(make("y", 2, P));
	assert_true(make("z", 10, C));
	/* More. */
	again.class = P;
	again.partitions = 10;
	assert_true(quota_made(&f.who, &again, f.now, &f.why));
	assert_true(again.noted);
	assert_false(make("y", 1, P));
	quota_made_back(&f.who, again.name, &again.was, &again.is);
	assert_true(make("y", 1, P));
	assert_false(make("w", 1, P));
	/* It is another one now. */
	quota_made_back(&f.who, again.name, &again.was, &again.is);
	assert_false(make("w", 1, P));
	end();
}

/* What was new comes to nothing; but what somebody else changed stays. */
static void
goes_back_to_nothing(void **state)
{
	struct made_topic new = { .name = SLICE_LIT("x"), .partitions = 5,
		.class = P, .seen = look, .arg = &f };

	(void)state;
	begin(10, 10);
	assert_true(quota_made(&f.who, &new, f.now, &f.why));
	assert_true(new.noted);
	assert_false(make("y", 6, P));
	assert_true(make("x", 6, P));
	quota_made_back(&f.who, new.name, &new.was, &new.is);
	assert_false(make("y", 5, P));
	new.is.partitions = 6;
	quota_made_back(&f.who, new.name, &new.was, &new.is);
	assert_true(make("y", 10, P));
	quota_made_back(&f.who, new.name, &new.was, &new.is);
	assert_false(make("z", 1, P));
	end();
}

/* One request's items, none of which looks at all others. */
static void
many_at_once(void **state)
{
	enum { N = 5000, LIMIT = 3000 };
	struct made_topic t = { .partitions = 1, .class = P, .seen = look,
		.arg = &f };
	char name[16];

	(void)state;
	begin(LIMIT, 0);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		t.name = slice_of(name);
		assert_int_equal(quota_made(&f.who, &t, f.now, &f.why),
		    i < LIMIT);
	}
	assert_true(f.looks < 4 * N);
	/* What comes to nothing makes room at once. */
	quota_unmade(&f.who, SLICE_LIT("t7"));
	assert_true(quota_made(&f.who, &t, f.now, &f.why));
	t.name = SLICE_LIT("one more");
	assert_false(quota_made(&f.who, &t, f.now, &f.why));
	end();
}

static void
shadow_refuses_nobody(void **state)
{
	(void)state;
	begin(2, 2);
	f.limits->v[0].mode = QUOTA_SHADOW;
	quota_holder_follow(f.who.holders[QUOTA_TENANT], f.limits);
	assert_true(make("a", 3, P));
	assert_true(make("b", 1, P));
	assert_int_equal(shown(QUOTA_DIM_PARTITIONS), 4);
	assert_int_equal(atomic_load(&f.who.holders[QUOTA_TENANT]
	    ->gauges[QUOTA_DIM_PARTITIONS].record.times), 2);
	assert_false(make("c", 3, C));
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_by_class),
		cmocka_unit_test(forgets_what_is_seen),
		cmocka_unit_test(enlarges),
		cmocka_unit_test(moves),
		cmocka_unit_test(forgets_what_never_came),
		cmocka_unit_test(what_others_made_stays),
		cmocka_unit_test(goes_back_to_nothing),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(shadow_refuses_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
