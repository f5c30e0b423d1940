/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_fixture.h"

#include <pthread.h>

static int
setup(void **state)
{
	*state = loop_new();
	return 0;
}

static int
teardown(void **state)
{
	clock_replace(NULL);
	loop_free(*state);
	loop_set_node_limit(0);
	assert_int_equal(block_total(), 0);
	return 0;
}

struct probe {
	struct timer	 t;
	int		 fired;
	int64_t		 fired_us;
	int		*order, *next;
};

static void
on_fire(struct timer *t)
{
	struct probe *p = (struct probe *)(void *)t;

	p->fired++;
	p->fired_us = clock_now_us();
	if (p->order != NULL)
		*p->order = (*p->next)++;
}

static void
test_timer_fires_on_time(void **state)
{
	struct loop *l = *state;
	struct probe p = { .fired = 0 };
	int64_t at = clock_now_us() + 30000;

	timer_set(&p.t, l, at, on_fire);
	UNTIL(l, p.fired == 1);
	assert_true(p.fired_us >= at);
	turns(l, 3);
	assert_int_equal(p.fired, 1);
}

static void
test_timer_cancel(void **state)
{
	struct loop *l = *state;
	struct probe p = { .fired = 0 }, q = { .fired = 0 };
	int64_t now = clock_now_us();

	timer_cancel(&p.t);		/* never set */
	timer_set(&p.t, l, now + 5000, on_fire);
	timer_set(&q.t, l, now + 10000, on_fire);
	timer_cancel(&p.t);
	timer_cancel(&p.t);
	UNTIL(l, q.fired == 1);
	assert_int_equal(p.fired, 0);
}

static void
test_timer_set_again(void **state)
{
	struct loop *l = *state;
	struct probe p = { .fired = 0 };
	int64_t now = clock_now_us();

	timer_set(&p.t, l, now + 3600 * 1000000ll, on_fire);
	timer_set(&p.t, l, now + 10000, on_fire);
	UNTIL(l, p.fired == 1);
	timer_set(&p.t, l, now, on_fire);	/* past */
	UNTIL(l, p.fired == 2);
}

enum { MANY = 10000 };

static int64_t fake_us = 1000000;

static int64_t
fake_now(void)
{
	return fake_us;
}

/* 10,000 timers, a third cancelled, fire in order as the clock goes on. */
static void
test_many_timers(void **state)
{
	struct loop *l = *state;
	struct probe *p = mem_zalloc(MANY * sizeof(*p));
	unsigned seed = 42;

	clock_replace(fake_now);
	for (int i = 0; i < MANY; i++) {
		seed = seed * 1103515245 + 12345;
		timer_set(&p[i].t, l, fake_us + 1000 + seed % 1000000, on_fire);
	}
	for (int i = 0; i < MANY; i += 3)
		timer_cancel(&p[i].t);
	for (int i = 1; i < MANY; i += 300)
		timer_set(&p[i].t, l, fake_us + 2000000, on_fire);
	for (int step = 0; step < 210; step++, fake_us += 5000) {
		loop_turn(l, 0);
		for (int i = 0; i < MANY; i++)
			if (i % 3 != 0 && i % 300 != 1)
				assert_int_equal(p[i].fired,
				    p[i].t.at_us <= fake_us);
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(p[i].fired, i % 3 != 0 && i % 300 != 1);
	fake_us += 2000000;
	loop_turn(l, 0);
	for (int i = 1; i < MANY; i += 300)
		assert_int_equal(p[i].fired, 1);
	free(p);
}

static void
test_timer_order(void **state)
{
	struct loop *l = *state;
	struct probe p[5];
	int order[5], next = 0;

	clock_replace(fake_now);
	memset(p, 0, sizeof(p));
	for (int i = 0; i < 5; i++) {
		p[i].order = &order[i];
		p[i].next = &next;
		timer_set(&p[i].t, l, fake_us + (i * 3) % 5 * 100 + 1, on_fire);
	}
	fake_us += 1000;
	UNTIL(l, next == 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(order[i], (i * 3) % 5);
}

static void
set_self(struct timer *t)
{
	struct probe *p = (struct probe *)(void *)t;

	p->fired++;
	timer_set(t, t->loop, 0, set_self);
}

/* A timer that is always due does not hold up the rest. */
static void
test_timer_sets_itself(void **state)
{
	struct loop *l = *state;
	struct probe p = { .fired = 0 };

	timer_set(&p.t, l, 0, set_self);
	loop_turn(l, 0);
	loop_turn(l, 0);
	assert_true(p.fired >= 2 && p.fired < 20);
	timer_cancel(&p.t);
}

static void
test_loop_free_unsets(void **state)
{
	struct probe p = { .fired = 0 };
	struct loop *l = loop_new();

	(void)state;
	timer_set(&p.t, l, 0, on_fire);
	loop_free(l);
	timer_cancel(&p.t);
	assert_int_equal(p.fired, 0);
}

struct posts {
	struct loop	*l;
	int		 n, seen;
};

static void
on_post(void *arg)
{
	struct posts *p = arg;

	if (++p->seen == p->n)
		loop_stop(p->l);
}

static void *
poster(void *arg)
{
	struct posts *p = arg;

	for (int i = 0; i < p->n / 4; i++)
		loop_post(p->l, on_post, p);
	return NULL;
}

static void
test_post(void **state)
{
	struct posts p = { *state, 4000, 0 };
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, poster, &p), 0);
	loop_run(p.l);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(p.seen, 4000);
}

static void
test_stop_before_run(void **state)
{
	loop_stop(*state);
	loop_run(*state);
}

/* Posts and tickers that were never run are freed. */
static void
test_post_unrun(void **state)
{
	struct loop *l = loop_new();
	struct posts p = { l, 10, 0 };

	(void)state;
	loop_post(l, on_post, &p);
	loop_free(l);
	assert_int_equal(p.seen, 0);
}

static void
count(void *arg)
{
	++*(int *)arg;
}

static void
test_tick(void **state)
{
	int a = 0, b = 0;

	loop_on_tick(*state, count, &a);
	loop_on_tick(*state, count, &b);
	UNTIL(*state, a >= 3);
	assert_int_equal(a, b);
}

struct once {
	struct loop	*l;
	int		 n;
};

static void
tick_once(void *arg)
{
	struct once *o = arg;

	o->n++;
	loop_off_tick(o->l, tick_once, o);
}

static void
test_off_tick(void **state)
{
	struct once o = { *state, 0 };
	int a = 0, b = 0;

	loop_on_tick(*state, count, &a);
	loop_on_tick(*state, tick_once, &o);
	loop_on_tick(*state, count, &b);
	UNTIL(*state, b >= 3);
	assert_int_equal(o.n, 1);
	loop_off_tick(*state, count, &b);
	UNTIL(*state, a >= 6);
	assert_true(b < a);
}

static void
test_node_limit(void **state)
{
	struct block *a, *b;

	(void)state;
	assert_false(loop_over_limit());
	loop_set_node_limit(100000);
	a = block_new(95000);
	assert_false(loop_over_limit());
	b = block_new(10000);
	assert_true(loop_over_limit());
	block_unref(b);
	assert_true(loop_over_limit());		/* until under 90 % */
	block_unref(a);
	assert_false(loop_over_limit());
}

static void
test_nearly_full(void **state)
{
	struct block *most = block_new(940000), *more;

	(void)state;
	assert_false(loop_nearly_full());	/* no limit */
	loop_set_node_limit(1000000);
	assert_false(loop_nearly_full());
	more = block_new(15000);
	assert_true(loop_nearly_full());
	assert_false(loop_over_limit());
	block_unref(more);
	assert_false(loop_nearly_full());
	block_unref(most);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_timer_fires_on_time),
		T(test_timer_cancel),
		T(test_timer_set_again),
		T(test_many_timers),
		T(test_timer_order),
		T(test_timer_sets_itself),
		T(test_loop_free_unsets),
		T(test_post),
		T(test_stop_before_run),
		T(test_post_unrun),
		T(test_tick),
		T(test_off_tick),
		T(test_node_limit),
		T(test_nearly_full),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
