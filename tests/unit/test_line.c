/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of two workers on virtual time: the rate holds, and principals get
 * equal shares however many connections they have, wherever these are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "quota/line.h"
#include "quota/quota_private.h"

enum { SECOND = 1000000, CLIENTS_MAX = 64, RATE = 1000000 };

static int64_t now;

static int64_t
clock_now(void)
{
	return now;
}

struct client {
	struct line_entry	 entry;
	struct quota_who	 who;
	struct lines		*lines;
	int64_t			 size, passed, late;
	int64_t			 own_until;	/* its own bucket's debt */
	bool			 once;
	int			 order;		/* when it was let through */
};

static int turns;

static struct fixture {
	struct quota		*quota;
	struct limits		*limits;
	struct quota_account	*account;
	struct loop		*loops[2];
	struct lines		 lines[2];
	struct client		 clients[CLIENTS_MAX];
	int			 n;
} f;

static void
begin(void)
{
	memset(&f, 0, sizeof(f));
	now = 10 * SECOND;
	turns = 0;
	clock_replace(clock_now);
	f.quota = quota_new(2);
	f.limits = limits_new("test", 1);
	f.limits->v[0] = (struct limit){ .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = RATE, .burst = RATE / 10 };
	f.account = quota_account(f.quota, "t", f.limits);
	for (int i = 0; i < 2; i++) {
		f.loops[i] = loop_new();
		lines_init(&f.lines[i], f.loops[i], i);
	}
}

static void
end(void)
{
	for (int i = 0; i < f.n; i++) {
		line_leave(&f.clients[i].entry);
		quota_who_close(&f.clients[i].who);
	}
	for (int i = 0; i < 2; i++) {
		lines_fini(&f.lines[i]);
		loop_free(f.loops[i]);
	}
	for (int lane = 0; lane < QUOTA_LANES; lane++)
		assert_int_equal(f.account->waiting[lane], 0);
	quota_free(f.quota);
	limits_unref(f.limits);
	clock_replace(NULL);
}

static struct quota_cost
cost_of(const struct client *c)
{
	struct quota_cost cost = { 0 };

	quota_cost_add(&cost, QUOTA_DIM_INGRESS, c->size, true);
	return cost;
}

static int64_t
wait_cb(struct line_entry *e, int64_t now_us)
{
	struct client *c = LIST_ENTRY(e, struct client, entry);
	struct quota_cost cost = cost_of(c);

	if (c->own_until > now_us) {
		e->own = true;
		return c->own_until - now_us;
	}
	return quota_wait_us(&c->who, &cost, now_us, NULL);
}

static void turn_cb(struct line_entry *e, bool late);

static void
ask(struct client *c)
{
	c->entry.wait = wait_cb;
	c->entry.turn = turn_cb;
	if (c->entry.late_us == 0)
		c->entry.late_us = INT64_MAX;
	line_join(c->lines, &c->who, QUOTA_IN, &c->entry);
}

static void
turn_cb(struct line_entry *e, bool late)
{
	struct client *c = LIST_ENTRY(e, struct client, entry);
	struct quota_cost cost = cost_of(c);

	if (late) {
		c->late++;
		return;
	}
	c->order = ++turns;
	c->passed += c->size;
	quota_spend(&c->who, &cost, now);
	line_given(&c->who, QUOTA_IN, c->size);
	/* Asks again at once: it is pressing as hard as it can. */
	if (!c->once)
		ask(c);
}

static struct client *
add(const char *principal, int worker, int64_t size)
{
	struct client *c = &f.clients[f.n++];

	assert_true(f.n <= CLIENTS_MAX);
	quota_who_open(f.quota, f.account, slice_of(principal), SLICE_LIT(""),
	    &c->who);
	c->lines = &f.lines[worker];
	c->size = size;
	return c;
}

static void
run(int64_t us)
{
	for (int64_t until = now + us; now < until; now += 500)
		for (int i = 0; i < 2; i++)
			loop_turn(f.loops[i], 0);
}

static void
forget(void)
{
	for (int i = 0; i < f.n; i++)
		f.clients[i].passed = 0;
}

static int64_t
passed_by(const char *principal)
{
	int64_t sum = 0;

	for (int i = 0; i < f.n; i++)
		if (strcmp(f.clients[i].who.holders[QUOTA_PRINCIPAL]->principal,
		    principal) == 0)
			sum += f.clients[i].passed;
	return sum;
}

static void
assert_near(int64_t is, int64_t want, int percent)
{
	assert_in_range(is, want - want * percent / 100,
	    want + want * percent / 100);
}

static void
equal_shares(int greedy, int other, int worker_of_other, int64_t size,
    int64_t other_size)
{
	begin();
	for (int i = 0; i < greedy; i++)
		ask(add("greedy", i % 2, size));
	for (int i = 0; i < other; i++)
		ask(add("other", worker_of_other, other_size));
	run(2 * SECOND);
	forget();
	run(20 * SECOND);
	assert_near(passed_by("greedy") + passed_by("other"), 20 * RATE, 2);
	assert_near(passed_by("other"), 10 * RATE, 4);
	end();
}

static void
principals_share_equally(void **state)
{
	(void)state;
	equal_shares(1, 1, 0, 10000, 10000);
	equal_shares(50, 1, 0, 10000, 10000);
	equal_shares(50, 1, 1, 10000, 10000);
	equal_shares(10, 2, 1, 100000, 1000);
	equal_shares(10, 2, 1, 1000, 100000);
}

/* What one does not want, the others get; and it does not wait for long. */
static void
a_modest_one_is_served(void **state)
{
	struct client *modest;
	int64_t longest = 0;

	(void)state;
	begin();
	for (int i = 0; i < 20; i++)
		ask(add("greedy", i % 2, 10000));
	modest = add("modest", 1, 1000);
	modest->once = true;
	run(2 * SECOND);
	forget();
	for (int i = 0; i < 100; i++) {
		int64_t asked = now, had = modest->passed;

		ask(modest);
		while (modest->passed == had && now < asked + SECOND)
			run(1000);
		if (now - asked > longest)
			longest = now - asked;
		run(asked + SECOND / 10 - now);
	}
	assert_int_equal(modest->passed, 100 * 1000);
	/* A turn or two of the others: 10 ms each. */
	assert_true(longest <= 50000);
	assert_near(passed_by("greedy"), 10 * RATE - 100000, 2);
	end();
}

static void
one_of_a_principal_after_the_other(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 10; i++) {
		add("p", 0, 10000)->once = true;
		ask(&f.clients[i]);
	}
	run(SECOND);
	for (int i = 0; i < 10; i++)
		assert_int_equal(f.clients[i].order, i + 1);
	end();
}

static void
urgent_ones_go_first(void **state)
{
	struct client *c;

	(void)state;
	begin();
	add("p", 0, 500000)->once = true;
	ask(&f.clients[0]);
	run(5000);
	for (int i = 0; i < 5; i++) {
		add("p", 0, 10000)->once = true;
		ask(&f.clients[1 + i]);
	}
	c = add("q", 0, 10);
	c->once = c->entry.urgent = true;
	ask(c);
	run(2 * SECOND);
	assert_int_equal(f.clients[0].order, 1);
	assert_int_equal(c->order, 2);
	end();
}

/* Who waits for what is its own holds up nobody, of its principal either. */
static void
own_waits_hold_up_nobody(void **state)
{
	struct client *own, *other;

	(void)state;
	begin();
	own = add("p", 0, 10);
	own->once = true;
	own->own_until = now + 3 * SECOND;
	ask(own);
	assert_int_equal(line_waiting(&own->who, QUOTA_IN), 0);
	other = add("p", 0, 10);
	other->once = true;
	ask(other);
	run(5000);
	assert_int_equal(other->order, 1);
	assert_int_equal(own->order, 0);
	run(4 * SECOND);
	assert_int_equal(own->order, 2);
	end();
}

static void
urgent_ones_keep_their_order(void **state)
{
	(void)state;
	begin();
	add("p", 0, RATE)->once = true;
	ask(&f.clients[0]);
	run(5000);
	for (int i = 0; i < 4; i++) {
		struct client *c = add("p", 0, 10);

		c->once = true;
		c->entry.urgent = i > 0;
		ask(c);
	}
	run(3 * SECOND);
	for (int i = 1; i < 4; i++)
		assert_int_equal(f.clients[1 + i].order, 1 + i);
	assert_int_equal(f.clients[1].order, 5);
	end();
}

static void
late_ones_are_told(void **state)
{
	struct client *c;

	(void)state;
	begin();
	add("p", 0, 100 * RATE)->once = true;
	ask(&f.clients[0]);
	run(5000);
	c = add("p", 0, 10);
	c->once = true;
	c->entry.late_us = now + SECOND;
	ask(c);
	run(SECOND / 2);
	assert_int_equal(c->late, 0);
	run(SECOND);
	assert_int_equal(c->late, 1);
	assert_null(c->entry.party);
	end();
}

/* Who rested has no credit beyond the burst, nor an advantage. */
static void
resting_brings_no_credit(void **state)
{
	struct client *late;

	(void)state;
	begin();
	for (int i = 0; i < 4; i++)
		ask(add("busy", i % 2, 10000));
	run(20 * SECOND);
	late = add("late", 0, 10000);
	ask(late);
	forget();
	run(4 * SECOND);
	assert_near(late->passed, 2 * RATE, 5);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(principals_share_equally),
		cmocka_unit_test(a_modest_one_is_served),
		cmocka_unit_test(one_of_a_principal_after_the_other),
		cmocka_unit_test(urgent_ones_go_first),
		cmocka_unit_test(own_waits_hold_up_nobody),
		cmocka_unit_test(urgent_ones_keep_their_order),
		cmocka_unit_test(late_ones_are_told),
		cmocka_unit_test(resting_brings_no_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
