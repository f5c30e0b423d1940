/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lease protocol on virtual time: the nodes' own code, and the store's own
 * scripts in Redis's Lua (tests/simulate).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "tests/simulate/fleet.h"
#include "tests/simulate/lua_redis.h"

enum { NODES = FLEET_NODES, SIZE = FLEET_SIZE };
#define RATE FLEET_RATE

static struct lease_view
view(const struct fleet *f, int node)
{
	struct lease_view v;

	lease_view(f->sources[node].lease, &v);
	return v;
}

static struct lease_node_view
node_view(const struct fleet *f, int node)
{
	struct lease_node_view v;

	lease_node_view(f->w->nodes[node].lease, &v);
	return v;
}

static void
assert_modes(const struct fleet *f, enum lease_mode mode)
{
	for (int i = 0; i < f->nodes; i++)
		if (f->sources[i].lease != NULL &&
		    view(f, i).mode != mode)
			fail_msg("node %d: %s, not %s", i,
			    lease_mode_word(view(f, i).mode),
			    lease_mode_word(mode));
}

static void
assert_between(double v, double least, double most)
{
	if (!(v >= least && v <= most))
		fail_msg("%.4f is not within %.4f and %.4f", v, least, most);
}

/* All windows of that time have that part of the limit. */
static void
assert_windows(const struct fleet *f, double from, double to, double window,
    double least, double most)
{
	struct range r = world_range(&f->limit, from, to, window);

	if (!(r.least >= least && r.most <= most))
		fail_msg("%.1f to %.1f s, windows of %.1f s: %.4f to %.4f, "
		    "not within %.4f and %.4f", from, to, window, r.least,
		    r.most, least, most);
}

/* ---- free ---- */

/* A limit that nobody presses costs nothing but the heartbeat. */
static void
test_free_costs_nothing(void **state)
{
	struct fleet f;
	uint64_t calls;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want_evenly(&f, 0.8);
	world_run(f.w, 2);
	calls = f.w->calls;
	world_run(f.w, 10);
	assert_true(f.w->calls - calls <= 3 * 10 * 4 + 3);
	assert_modes(&f, LEASE_FREE);
	assert_windows(&f, 2, 12, 1, 0.79, 0.81);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(node_view(&f, i).nodes, 3);
		assert_int_equal(view(&f, i).share, 300000);
	}
	fleet_end(&f);
}

static void
test_many_leases_cost_nothing(void **state)
{
	enum { TENANTS = 10000 };
	struct fleet f;
	struct bucket *buckets = calloc(TENANTS, sizeof(*buckets));
	char name[16];
	uint64_t calls;

	(void)state;
	fleet_begin(&f, 1);
	for (int i = 0; i < TENANTS; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		assert_non_null(lease_add(f.w->nodes[0].lease, slice_of(name),
		    SLICE_LIT("ingress"), &buckets[i], RATE, 1, RATE));
	}
	world_run(f.w, 1);
	calls = f.w->calls;
	world_run(f.w, 10);
	assert_true(f.w->calls - calls <= 41);
	assert_int_equal(node_view(&f, 0).leases, TENANTS + 1);
	fleet_end(&f);
	free(buckets);
}

/* Pressed on one node, the limit is all that node's within a second: the
 * others, which want nothing, join within a heartbeat or two. */
static void
test_press_and_release(void **state)
{
	struct fleet f;
	uint64_t calls;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want_evenly(&f, 0.3);
	world_run(f.w, 5);
	assert_modes(&f, LEASE_FREE);
	fleet_want(&f, 2, 1, 0, 0);
	world_run(f.w, 1);
	assert_modes(&f, LEASE_ASKING);
	world_run(f.w, 5);
	/* From the press on: the burst, and then the limit. */
	assert_windows(&f, 5, 11, 1, 0.93, 2.0);
	assert_windows(&f, 7.5, 11, 1, 0.99, 1.01);
	assert_true(node_view(&f, 1).known == 1);
	/* Some seconds of little use later it is free again, everywhere. */
	fleet_want_evenly(&f, 0.3);
	world_run(f.w, 6);
	assert_modes(&f, LEASE_FREE);
	assert_int_equal(node_view(&f, 1).known, 0);
	calls = f.w->calls;
	world_run(f.w, 5);
	assert_true(f.w->calls - calls <= 3 * 5 * 4 + 3);
	/* And what was free is no second burst. */
	fleet_want(&f, 2, 0, 0, 1);
	world_run(f.w, 5);
	assert_between(world_part(&f.limit, 22, 27) * 5, 4.9, 6.01);
	fleet_end(&f);
}

/* ---- asking ---- */

static void
test_steady(void **state)
{
	static const double loads[][3] = { { 34, 33, 33 }, { 90, 9, 1 },
	    { 1, 0, 0 }, { 1, 1, 0 } };
	struct fleet f;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (int nodes = 3; nodes <= NODES; nodes += 5) {
			fleet_begin(&f, nodes);
			fleet_want(&f, 2, loads[i][0], loads[i][1],
			    loads[i][2]);
			world_run(f.w, 30);
			assert_windows(&f, 5, 30, 10, 0.98, 1.015);
			assert_windows(&f, 5, 30, 1, 0.9, 1.1);
			/* Over all of it: what one node may pass. */
			assert_between(world_part(&f.limit, 0, 30), 0.98,
			    1.0 + 1.0 / 30 + 0.01);
			fleet_end(&f);
		}
}

/* Many nodes, of which each wants a request now and then: they come less often
 * then, and what they have ahead of need does not pile up. */
static void
test_many_nodes(void **state)
{
	enum { MANY = 60 };
	struct world_options o = { .nodes = MANY, .seconds = 60, .seed = 3,
	    .step_us = 5000 };
	struct world *w = world_new(&o);
	struct world_source *s = calloc(MANY, sizeof(*s));
	struct fleet f = { .w = w };
	uint64_t calls;

	(void)state;
	world_limit_init(&f.limit, w, "acme", "ingress", RATE, 1, RATE);
	for (int i = 0; i < MANY; i++) {
		world_source(w, &s[i], &f.limit, i, RATE / 500);
		s[i].rate = 2 * (double)RATE / MANY / 25.5 *
		    (double)(1 + world_draw(w, 50));
	}
	world_run(w, 10);
	calls = w->calls;
	world_run(w, 40);
	assert_between((double)(w->calls - calls) / 40 / MANY, 4, 15);
	assert_windows(&f, 5, 50, 10, 0.97, 1.02);
	fleet_end(&f);
	free(s);
}

/* The same from small limits to large ones. */
static void
test_scale(void **state)
{
	struct world_options o = { .nodes = 4, .seconds = 40, .seed = 3 };
	struct fleet f;

	(void)state;
	for (int64_t rate = 100; rate <= 1000000000; rate *= 100) {
		fleet_begin_with(&f, &o, rate, 1, rate, rate / 100);
		fleet_want(&f, 3, 3, 2, 1);
		world_run(f.w, 30);
		assert_windows(&f, 5, 30, 10, 0.975, 1.02);
		fleet_end(&f);
	}
}

/* Requests of a fifth of a second each, on 8 nodes. */
static void
test_large_requests(void **state)
{
	struct world_options o = { .nodes = 8, .seconds = 60, .seed = 3 };
	struct fleet f;

	(void)state;
	fleet_begin_with(&f, &o, RATE, 1, RATE, RATE / 5);
	fleet_want_evenly(&f, 2);
	world_run(f.w, 60);
	/* Each node may have one more under way. */
	assert_windows(&f, 5, 60, 10, 0.9, 1.1);
	assert_between(world_part(&f.limit, 5, 60), 0.98, 1.03);
	fleet_end(&f);
}

static void
test_share_moves(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 2, 1, 0, 0);
	world_run(f.w, 10);
	fleet_want(&f, 2, 0, 1, 0);
	world_run(f.w, 10);
	assert_between(world_part(&f.limit, 10, 11), 0.9, 1.05);
	assert_windows(&f, 11, 20, 1, 0.97, 1.05);
	assert_windows(&f, 5, 20, 10, 0.98, 1.01);
	assert_true(view(&f, 1).share > 900000);
	fleet_end(&f);
}

/* Who wants little gets it all, whatever the others want. */
static void
test_little_is_given_in_full(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 3, 5, 5, 0.2);
	world_run(f.w, 5);
	f.sources[2].passed = 0;
	world_run(f.w, 20);
	assert_between(f.sources[2].passed / 20 / (double)RATE,
	    3 * 0.2 / 10.2 * 0.97, 1);
	assert_windows(&f, 5, 25, 10, 0.98, 1.01);
	fleet_end(&f);
}

static void
test_weights(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	atomic_store(&f.sources[0].lease->weight, 30);
	atomic_store(&f.sources[1].lease->weight, 10);
	fleet_want(&f, 6, 1, 1, 1);
	world_run(f.w, 5);
	for (int i = 0; i < 3; i++)
		f.sources[i].passed = 0;
	world_run(f.w, 20);
	assert_between(f.sources[0].passed / 20 / (double)RATE, 0.68, 0.78);
	assert_between(f.sources[1].passed / 20 / (double)RATE, 0.22, 0.28);
	assert_between(f.sources[2].passed / 20 / (double)RATE, 0.01, 0.04);
	fleet_end(&f);
}

/* However often it is pressed: 50 round trips a second. */
static void
test_calls_are_few(void **state)
{
	struct fleet f;
	struct lease_node_view a, b;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 50, 1, 1, 1);
	world_run(f.w, 5);
	a = node_view(&f, 0);
	world_run(f.w, 10);
	b = node_view(&f, 0);
	assert_true(b.batches - a.batches <= 500);
	assert_true(b.calls - b.beats - (a.calls - a.beats) <= 500);
	fleet_end(&f);
}

/* More tenants press at once than there is room for in a batch. */
static void
test_many_ask(void **state)
{
	enum { TENANTS = 1500 };
	struct fleet f;
	struct bucket *buckets = calloc(TENANTS, sizeof(*buckets));
	struct lease **leases = calloc(TENANTS, sizeof(*leases));
	struct lease_view v;
	char name[16];

	(void)state;
	fleet_begin(&f, 1);
	for (int i = 0; i < TENANTS; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		leases[i] = lease_add(f.w->nodes[0].lease, slice_of(name),
		    SLICE_LIT("ingress"), &buckets[i], RATE, 1, RATE);
	}
	world_run(f.w, 2);
	for (int k = 0; k < 100; k++) {
		for (int i = 0; i < TENANTS; i++) {
			bucket_spend(&buckets[i], &leases[i]->rate, RATE / 40,
			    f.w->now_us);
			lease_notice(leases[i], bucket_look(&buckets[i],
			    &leases[i]->rate, f.w->now_us));
		}
		world_run(f.w, 0.02);
	}
	for (int i = 0; i < TENANTS; i++) {
		lease_view(leases[i], &v);
		assert_int_equal(v.mode, LEASE_ASKING);
		assert_true(f.w->now_us - v.answered_us < 300000);
		assert_true(buckets[i].balance > -RATE * BUCKET_UNIT / 2);
	}
	assert_true(node_view(&f, 0).losses + node_view(&f, 0).late == 0);
	fleet_end(&f);
	free(buckets);
	free(leases);
}

/* One that is far too large is let in, and waited for. */
static void
test_debt(void **state)
{
	struct fleet f;
	struct lease *l;
	struct bucket *b;

	(void)state;
	fleet_begin(&f, 2);
	world_run(f.w, 2);
	l = f.sources[0].lease;
	b = &f.sources[0].bucket;
	assert_true(bucket_take(b, &l->rate, 3 * RATE, f.w->now_us));
	lease_notice(l, bucket_look(b, &l->rate, f.w->now_us));
	world_run(f.w, 1.5);
	assert_false(bucket_take(b, &l->rate, 1, f.w->now_us));
	assert_true(atomic_load(&l->pace) > 0);
	/* 3 s of the limit less a burst. */
	world_run(f.w, 1.2);
	assert_true(bucket_take(b, &l->rate, 1, f.w->now_us));
	fleet_end(&f);
}

/* ---- nodes that come and go ---- */

static void
test_killed_node(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 4);
	fleet_want_evenly(&f, 3);
	world_run(f.w, 10);
	world_kill_node(f.w, 2);
	world_run(f.w, 1.3);
	assert_int_equal(node_view(&f, 0).nodes, 3);
	world_run(f.w, 10);
	assert_windows(&f, 9.5, 20, 0.5, 0.95, 1.07);
	assert_windows(&f, 5, 20, 10, 0.98, 1.01);
	fleet_end(&f);
}

/* Of limits that nobody presses, too: the others' parts are larger then. */
static void
test_killed_node_and_free(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	world_run(f.w, 3);
	assert_int_equal(view(&f, 0).share, 300000);
	world_kill_node(f.w, 2);
	world_run(f.w, 1.4);
	assert_int_equal(view(&f, 0).share, 450000);
	world_start_node(f.w, 2);
	world_run(f.w, 0.4);
	assert_int_equal(view(&f, 0).share, 300000);
	assert_int_equal(view(&f, 2).share, 300000);
	fleet_end(&f);
}

static void
test_leave(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 2);
	world_run(f.w, 2);
	lease_leave(f.w->nodes[1].lease);
	world_run(f.w, 0.3);
	world_kill_node(f.w, 1);
	world_run(f.w, 0.3);
	assert_int_equal(node_view(&f, 0).nodes, 1);
	fleet_end(&f);
}

static void
test_nodes_join(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 4);
	for (int i = 1; i < 4; i++)
		world_kill_node(f.w, i);
	fleet_want_evenly(&f, 6);
	world_run(f.w, 10);
	for (int i = 1; i < 4; i++)
		world_start_node(f.w, i);
	world_run(f.w, 10);
	assert_windows(&f, 5, 20, 5, 0.97, 1.02);
	assert_windows(&f, 5, 20, 1, 0.9, 1.1);
	assert_modes(&f, LEASE_ASKING);
	fleet_end(&f);
}

/* A node that starts again and again brings no burst along. */
static void
test_restarts_bring_nothing(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 2);
	fleet_want_evenly(&f, 3);
	world_run(f.w, 5);
	for (int i = 0; i < 20; i++) {
		world_kill_node(f.w, 1);
		world_run(f.w, 0.1);
		world_start_node(f.w, 1);
		world_run(f.w, 0.4);
	}
	assert_windows(&f, 5, 15, 10, 0.95, 1.03);
	fleet_end(&f);
}

/* ---- the store fails ---- */

enum fault { REFUSES, SILENT, SLOW, PAUSED, FAULTS };

static void
fail_store(struct fleet *f, enum fault fault, bool on)
{
	static const enum store_state states[] = { STORE_REFUSES,
	    STORE_SILENT, STORE_UP, STORE_PAUSED };

	f->w->slow_us = fault == SLOW && on ? 2000000 : 0;
	world_store(f->w, on ? states[fault] : STORE_UP);
}

static void
fault_case(enum fault fault, double seconds, double a, double b, double c)
{
	struct fleet f;
	double back = 10 + seconds;

	fleet_begin(&f, 3);
	fleet_want(&f, 2, a, b, c);
	world_run(f.w, 10);
	fail_store(&f, fault, true);
	world_run(f.w, seconds);
	if (seconds >= 1)
		assert_modes(&f, LEASE_LOST);
	fail_store(&f, fault, false);
	world_run(f.w, 2);
	assert_modes(&f, LEASE_ASKING);
	world_run(f.w, 10);
	assert_windows(&f, 10, back + 2, 1, 0.75, 1.3);
	assert_between(world_part(&f.limit, 10, back + 2), 0.9, 1.05);
	assert_windows(&f, back, back + 10, 10, 0.97, 1.03);
	assert_windows(&f, back + 2, back + 12, 10, 0.97, 1.02);
	fleet_end(&f);
}

static void
test_faults(void **state)
{
	(void)state;
	for (int fault = 0; fault < FAULTS; fault++) {
		fault_case((enum fault)fault, 20, 1, 1, 1);
		fault_case((enum fault)fault, 10, 90, 9, 1);
		fault_case((enum fault)fault, 0.3, 1, 1, 1);
		fault_case((enum fault)fault, 0.1, 5, 4, 1);
		fault_case((enum fault)fault, 0.7, 5, 4, 1);
		fault_case((enum fault)fault, 2, 1, 1, 0);
	}
}

/* With more than enough, nodes ask seldom, and those that want nothing not at
 * all; then the store is gone, and each goes on as it was. */
static void
test_plenty(void **state)
{
	struct fleet f;
	uint64_t calls;

	(void)state;
	fleet_begin(&f, 4);
	fleet_want(&f, 0.85, 8, 1, 1);
	world_run(f.w, 10);
	assert_modes(&f, LEASE_ASKING);
	calls = f.w->calls;
	world_run(f.w, 10);
	assert_between((double)(f.w->calls - calls) / 10, 16, 30);
	assert_windows(&f, 10, 20, 1, 0.83, 0.87);
	assert_between(view(&f, 0).share, 740000, 800000);
	assert_between(view(&f, 3).share, 12500, 12500);
	world_store(f.w, STORE_REFUSES);
	world_run(f.w, 10);
	assert_modes(&f, LEASE_LOST);
	assert_windows(&f, 20, 30, 1, 0.82, 0.88);
	world_store(f.w, STORE_UP);
	world_run(f.w, 5);
	assert_modes(&f, LEASE_ASKING);
	/* Who wanted nothing is served at once, too. */
	fleet_want_evenly(&f, 0.85);
	world_run(f.w, 5);
	assert_windows(&f, 30, 40, 1, 0.8, 0.9);
	fleet_end(&f);
}

/* Answers that are always a little too late: what they bring is given back. */
static void
test_always_late(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 2, 1, 1, 1);
	world_run(f.w, 5);
	f.w->slow_us = 250 * 1000;
	world_run(f.w, 20);
	assert_modes(&f, LEASE_LOST);
	assert_windows(&f, 5, 25, 5, 0.9, 1.05);
	f.w->slow_us = 0;
	world_run(f.w, 12);
	assert_modes(&f, LEASE_ASKING);
	assert_windows(&f, 25, 37, 10, 0.97, 1.03);
	fleet_end(&f);
}

static void
test_flushed(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 2, 1, 1, 1);
	world_run(f.w, 10);
	lua_redis_flush(f.w->redis);
	world_run(f.w, 15);
	assert_windows(&f, 9.5, 25, 1, 0.85, 1.05);
	assert_windows(&f, 5, 25, 10, 0.97, 1.01);
	assert_modes(&f, LEASE_ASKING);
	assert_int_equal(node_view(&f, 0).known, 1);
	fleet_end(&f);
}

/* Another server, empty, with another clock. */
static void
test_failed_over(void **state)
{
	static const int64_t skews[] = { -3600, -2, 2, 3600 };
	struct fleet f;

	(void)state;
	for (int i = 0; i < 8; i++) {
		fleet_begin(&f, 3);
		fleet_want(&f, 2, 1, 1, 1);
		world_run(f.w, 10);
		world_store(f.w, STORE_REFUSES);
		world_run(f.w, 0.4);
		if (i < 4)
			lua_redis_flush(f.w->redis);
		f.w->skew_us += skews[i % 4] * 1000000;
		world_store(f.w, STORE_UP);
		world_run(f.w, 15);
		assert_modes(&f, LEASE_ASKING);
		assert_windows(&f, 9, 25, 1, 0.8, 1.1);
		assert_windows(&f, 5, 25, 10, 0.97, 1.02);
		fleet_end(&f);
	}
}

/* A node that alone is cut off goes on with its share; the others take what
 * the store has, since it may be dead. */
static void
test_cut_off(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 2, 1, 1, 1);
	world_run(f.w, 10);
	f.w->nodes[0].cut = true;
	world_run(f.w, 5);
	assert_int_equal(view(&f, 0).mode, LEASE_LOST);
	assert_int_equal(view(&f, 1).mode, LEASE_ASKING);
	assert_int_equal(node_view(&f, 1).nodes, 2);
	f.w->nodes[0].cut = false;
	world_run(f.w, 12);
	assert_windows(&f, 10, 15, 1, 0.95, 1.47);
	assert_windows(&f, 15, 27, 10, 0.96, 1.02);
	assert_windows(&f, 16, 27, 1, 0.95, 1.05);
	assert_modes(&f, LEASE_ASKING);
	fleet_end(&f);
}

/* All of them, each for itself, now and then. */
static void
test_unreliable_network(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 4);
	fleet_want(&f, 2, 2, 1, 1);
	world_run(f.w, 5);
	for (int i = 0; i < 200; i++) {
		int node = (int)world_draw(f.w, 4);

		f.w->nodes[node].cut = world_draw(f.w, 4) == 0;
		world_run(f.w, 0.1);
	}
	for (int i = 0; i < 4; i++)
		f.w->nodes[i].cut = false;
	assert_windows(&f, 5, 25, 10, 0.85, 1.8);
	world_run(f.w, 12);
	assert_windows(&f, 27, 37, 10, 0.97, 1.02);
	fleet_end(&f);
}

static void
test_on_loss(void **state)
{
	struct world_options o = { .nodes = 2, .seconds = 60, .seed = 5 };
	struct bucket_rate rate;
	struct fleet f;

	(void)state;
	for (int open = 0; open < 2; open++)
		for (int pressed = 0; pressed < 2; pressed++) {
			double demand = pressed ? 2 : 0.4;

			o.on_loss = open ? LEASE_OPEN : LEASE_CLOSED;
			fleet_begin_with(&f, &o, RATE, 1, RATE, SIZE);
			fleet_want_evenly(&f, demand);
			world_run(f.w, 10);
			world_store(f.w, STORE_REFUSES);
			world_run(f.w, 5);
			assert_modes(&f, LEASE_LOST);
			lease_unleased(f.w->nodes[0].lease, RATE, 1, RATE,
			    &rate);
			assert_int_equal(rate.rate > 0, open);
			world_store(f.w, STORE_UP);
			world_run(f.w, 15);
			assert_between(world_part(&f.limit, 11, 15),
			    open ? demand * 0.99 : 0,
			    open ? demand * 1.01 : 0.001);
			assert_windows(&f, 17, 30, 10,
			    pressed ? 0.97 : 0.39, pressed ? 1.02 : 0.41);
			fleet_end(&f);
		}
}

/* A node that starts while the store is away knows nothing of the others. */
static void
test_start_without_store(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 2);
	fleet_want(&f, 4, 1, 1, 0);
	world_run(f.w, 5);
	world_kill_node(f.w, 1);
	world_store(f.w, STORE_REFUSES);
	world_run(f.w, 2);
	world_start_node(f.w, 1);
	f.sources[1].passed = 0;
	world_run(f.w, 10);
	assert_int_equal(view(&f, 1).mode, LEASE_LOST);
	/* It was told to expect one node: half of the limit. */
	assert_between(f.sources[1].passed / 10 / (double)RATE, 0.45, 0.55);
	world_store(f.w, STORE_UP);
	world_run(f.w, 12);
	assert_modes(&f, LEASE_ASKING);
	assert_windows(&f, 19, 29, 10, 0.97, 1.02);
	fleet_end(&f);
}

/* It may deny, or give each node the whole limit. */
static void
test_poisoned(void **state)
{
	struct world_options o = { .nodes = 3, .seconds = 30 };
	struct fleet f;

	(void)state;
	for (o.seed = 0; o.seed < 10; o.seed++) {
		fleet_begin_with(&f, &o, RATE, 1, RATE, SIZE);
		fleet_want_evenly(&f, 20);
		world_run(f.w, 5);
		f.w->poisoned = true;
		world_run(f.w, 10);
		for (int i = 0; i < 3; i++)
			assert_true(node_view(&f, i).bad > 0);
		assert_between(world_part(&f.limit, 5, 15), 0, 3.3);
		f.w->poisoned = false;
		world_run(f.w, 15);
		assert_windows(&f, 20, 30, 10, 0.97, 1.02);
		fleet_end(&f);
	}
}

/* ---- live change ---- */

static void
set_all(struct fleet *f, int64_t value)
{
	f->limit.value = value;
	for (int i = 0; i < f->nodes; i++) {
		lease_set(f->sources[i].lease, value, 1, value);
		/* The files of a fleet do not change at the same moment. */
		world_run(f->w, 0.2);
	}
}

static void
test_live_change(void **state)
{
	struct fleet f;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 10, 1, 1, 1);
	world_run(f.w, 10);
	set_all(&f, RATE / 4);
	world_run(f.w, 10);
	assert_windows(&f, 12, 20.6, 5, 0.97, 1.03);
	set_all(&f, RATE * 2);
	world_run(f.w, 10);
	assert_windows(&f, 23, 31, 5, 0.97, 1.03);
	/* What is free changes at once. */
	fleet_want_evenly(&f, 0);
	world_run(f.w, 8);
	assert_modes(&f, LEASE_FREE);
	lease_set(f.sources[0].lease, RATE, 1, RATE);
	assert_int_equal(atomic_load(&f.sources[0].lease->rate.rate),
	    (int64_t)RATE * 300000);
	fleet_end(&f);
}

static void
test_removed(void **state)
{
	struct fleet f;
	struct world_source *s;

	(void)state;
	fleet_begin(&f, 3);
	fleet_want(&f, 2, 1, 1, 1);
	world_run(f.w, 5);
	/* At any moment of a call. */
	for (int i = 0; i < 30; i++) {
		s = &f.sources[i % 3];
		lease_remove(s->lease);
		s->lease = NULL;
		world_run(f.w, 0.013);
		s->lease = lease_add(f.w->nodes[i % 3].lease,
		    SLICE_LIT("acme"), SLICE_LIT("ingress"), &s->bucket, RATE,
		    1, RATE);
		assert_int_equal(view(&f, i % 3).mode, LEASE_ASKING);
		world_run(f.w, 0.1);
	}
	world_run(f.w, 10);
	assert_windows(&f, 10, 18, 5, 0.97, 1.02);
	lease_remove(NULL);
	fleet_end(&f);
}

/* ---- limits that are slow, and those without a lease ---- */

/* 250 in 5 minutes: nothing is free, so that a restart brings nothing. */
static void
test_slow_limit(void **state)
{
	struct world_options o = { .nodes = 3, .seconds = 1300, .seed = 1,
	    .step_us = 10000 };
	struct fleet f;
	uint64_t calls;

	(void)state;
	fleet_begin_with(&f, &o, 250, 300, 250, 1);
	world_run(f.w, 5);
	assert_modes(&f, LEASE_ASKING);
	calls = f.w->calls;
	world_run(f.w, 5);
	assert_true(f.w->calls - calls <= 3 * 5 * 4 + 3);
	f.sources[0].rate = 100;
	world_run(f.w, 10);
	assert_between(f.limit.total, 249, 250 + 10 + 3);
	f.sources[1].rate = 100;
	for (int i = 0; i < 10; i++) {
		world_kill_node(f.w, 0);
		world_run(f.w, 1);
		world_start_node(f.w, 0);
		world_run(f.w, 29);
	}
	/* Each start may bring the one that is let in before it is paid. */
	assert_between(f.limit.total, 250 + 240, 250 + 260 + 10 + 3);
	/* Nor does an outage. */
	f.limit.total = 0;
	world_store(f.w, STORE_REFUSES);
	world_run(f.w, 300);
	world_store(f.w, STORE_UP);
	world_run(f.w, 300);
	assert_between(f.limit.total, 350, 520);
	fleet_end(&f);
}

struct other {
	struct bucket	 bucket;
	struct lease	*lease;
	int		 calls;
	struct fleet	*fleet;
};
static struct other other;

static void
on_pressed(void *arg, struct slice group, struct slice name)
{
	struct world_node *n = arg;

	if (n != &n->world->nodes[1])
		return;
	other.calls++;
	assert_true(slice_is(group, "acme"));
	assert_true(slice_is(name, "p/topic-7"));
	other.lease = lease_add(n->lease, group, name, &other.bucket, RATE, 1,
	    RATE);
}

/* A bucket without a lease on one node, while another node presses. */
static void
test_unleased(void **state)
{
	struct world_options o = { .nodes = 3, .seconds = 10, .seed = 1,
	    .on_pressed = on_pressed };
	struct fleet f;
	struct bucket_rate rate;
	struct world_limit limit;
	struct world_source s;

	(void)state;
	fleet_begin_with(&f, &o, RATE, 1, RATE, SIZE);
	other = (struct other){ .fleet = &f };
	world_run(f.w, 1.5);
	lease_unleased(f.w->nodes[1].lease, RATE, 1, RATE, &rate);
	assert_int_equal(rate.rate, RATE * 300000);
	bucket_look(&other.bucket, &rate, f.w->now_us);
	assert_int_equal(other.bucket.balance, RATE * 300000);
	world_limit_init(&limit, f.w, "acme", "p/topic-7", RATE, 1, RATE);
	world_source(f.w, &s, &limit, 0, SIZE);
	s.rate = 3 * RATE;
	world_run(f.w, 1);
	assert_int_equal(other.calls, 1);
	assert_non_null(other.lease);
	assert_true(lease_pressed(f.w->nodes[2].lease, SLICE_LIT("acme"),
	    SLICE_LIT("p/topic-7")));
	/* What it had is given back, and the one that asks has all. */
	assert_true(other.bucket.balance <= 0);
	world_run(f.w, 7);
	assert_between(world_part(&limit, 4, 9), 0.99, 1.01);
	assert_int_equal(other.calls, 1);
	fleet_end(&f);
	world_limit_fini(&limit);
}

/* ---- news ---- */

static int news[3];

static void
on_news(void *arg)
{
	const struct world_node *n = arg;

	news[n - n->world->nodes]++;
}

static void
assert_news(int first, int second, int third)
{
	assert_int_equal(news[0], first);
	assert_int_equal(news[1], second);
	assert_int_equal(news[2], third);
	memset(news, 0, sizeof(news));
}

/* What one has made the others hear of, whatever becomes of the store. */
static void
test_news(void **state)
{
	struct world_options o = { .nodes = 3, .seconds = 40, .seed = 1,
	    .on_news = on_news };
	struct fleet f;

	(void)state;
	fleet_begin_with(&f, &o, RATE, 1, RATE, SIZE);
	world_run(f.w, 3);
	memset(news, 0, sizeof(news));
	world_run(f.w, 3);
	assert_news(0, 0, 0);
	for (int i = 0; i < 5; i++)
		lease_news(f.w->nodes[1].lease);
	world_run(f.w, 1.2);
	assert_news(1, 0, 1);
	/* Two at once hear of each other. */
	lease_news(f.w->nodes[0].lease);
	lease_news(f.w->nodes[1].lease);
	world_run(f.w, 2.2);
	assert_true(news[0] >= 1 && news[1] >= 1 && news[2] >= 1);
	memset(news, 0, sizeof(news));
	world_run(f.w, 2);
	assert_news(0, 0, 0);
	/* What could not be said is said later. */
	fail_store(&f, REFUSES, true);
	lease_news(f.w->nodes[2].lease);
	world_run(f.w, 3);
	assert_news(0, 0, 0);
	fail_store(&f, REFUSES, false);
	world_run(f.w, 3);
	assert_news(1, 1, 0);
	/* Nobody knows what a store has forgotten. */
	lua_redis_flush(f.w->redis);
	world_run(f.w, 3);
	assert_news(1, 1, 1);
	fleet_end(&f);
}

/* ---- without a fleet ---- */

static void
test_own(void **state)
{
	struct lease_options o = { .node_id = "alone", .full = true };
	struct lease_node *n = lease_node_new(&o);
	struct bucket b = { 0 };
	struct lease *l = lease_add(n, SLICE_LIT("acme"), SLICE_LIT("requests"),
	    &b, 100, 1, 50);
	struct lease_count *c = lease_count_new(n, SLICE_LIT("acme"),
	    SLICE_LIT("connections"), 3);
	struct lease_view v;
	int64_t now = clock_now_us();

	(void)state;
	lease_view(l, &v);
	assert_int_equal(v.mode, LEASE_OWN);
	assert_int_equal(v.share, 1000000);
	assert_true(bucket_take(&b, &l->rate, 60, now));
	lease_press(l);
	lease_tick(n, now + 20000);
	assert_false(bucket_take(&b, &l->rate, 1, now + 50000));
	assert_true(bucket_take(&b, &l->rate, 1, now + 1000000));
	assert_true(lease_count_take(c, 3));
	assert_false(lease_count_take(c, 1));
	lease_count_put(c, 1);
	assert_true(lease_count_take(c, 1));
	lease_count_set(c, 4);
	assert_true(lease_count_take(c, 1));
	lease_count_free(c);
	lease_remove(l);
	lease_node_free(n);
}

static void
test_ids(void **state)
{
	static const struct {
		const char	*name;
		bool		 is_group;
		const char	*id;	/* NULL: a hash */
	} cases[] = {
		{ "payments", true, "payments" },
		{ "a.b-C_9:=+,@", true, "a.b-C_9:=+,@" },
		{ "user/alice", false, "user/alice" },
		{ "user/alice", true, NULL },
		{ "", true, NULL },
		{ "a b", false, NULL },
		{ "a\nb", false, NULL },
		{ "{x}", true, NULL },
		{ "#0", false, NULL },
		{ "gr\303\274n", false, NULL },
	};
	char id[LEASE_ID_MAX + 1], same[LEASE_ID_MAX + 1];
	char longest[LEASE_ID_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lease_id(slice_of(cases[i].name), cases[i].is_group, id);
		if (cases[i].id != NULL) {
			assert_string_equal(id, cases[i].id);
			continue;
		}
		assert_int_equal(strlen(id), 33);
		assert_int_equal(id[0], '#');
		assert_int_equal(strspn(id + 1, "0123456789abcdef"), 32);
	}
	memset(longest, 'x', sizeof(longest));
	lease_id((struct slice){ (uint8_t *)longest, LEASE_ID_MAX }, true, id);
	assert_int_equal(strlen(id), LEASE_ID_MAX);
	lease_id((struct slice){ (uint8_t *)longest, LEASE_ID_MAX + 1 }, true,
	    id);
	assert_int_equal(strlen(id), 33);
	lease_id(SLICE_LIT("a b"), true, id);
	lease_id(SLICE_LIT("a c"), true, same);
	assert_string_not_equal(id, same);
	lease_id(SLICE_LIT("a b"), false, same);
	assert_string_equal(id, same);
}

/* ---- counts ---- */

struct counters {
	struct fleet		 f;
	struct lease_count	*c[NODES];
};

static void
count_on(struct counters *k, int node, int64_t limit)
{
	k->c[node] = lease_count_new(k->f.w->nodes[node].lease,
	    SLICE_LIT("acme"), SLICE_LIT("connections"), limit);
}

static void
begin_counts(struct counters *k, int nodes, int64_t limit)
{
	fleet_begin(&k->f, nodes);
	for (int i = 0; i < nodes; i++)
		count_on(k, i, limit);
	world_run(k->f.w, 2);
}

static void
kill_counter(struct counters *k, int node)
{
	world_kill_node(k->f.w, node);
	k->c[node] = NULL;
}

static uint32_t
used(const struct counters *k)
{
	uint32_t sum = 0;

	for (int i = 0; i < NODES; i++)
		if (k->c[i] != NULL)
			sum += lease_count_used(k->c[i]);
	return sum;
}

static void
assert_count_modes(const struct counters *k, enum lease_mode mode)
{
	struct lease_view v;

	for (int i = 0; i < NODES; i++)
		if (k->c[i] != NULL) {
			lease_count_view(k->c[i], &v);
			assert_int_equal(v.mode, mode);
		}
}

/* Tries 100 a second on one node. The number that were refused. */
static int
take_on(struct counters *k, int node, int n)
{
	int refused = 0;

	for (int i = 0; i < n; i++) {
		refused += !lease_count_take(k->c[node], 1);
		world_run(k->f.w, 0.01);
	}
	return refused;
}

/* Tries on all nodes until all of it is taken, for at most 10 s; it is never
 * more. */
static void
fill_up(struct counters *k, uint32_t limit)
{
	int nodes = k->f.nodes, i = 0;

	for (; i < 1000 && used(k) < limit; i++) {
		if (k->c[i % nodes] != NULL)
			take_on(k, i % nodes, 1);
		assert_true(used(k) <= limit);
	}
	assert_int_equal(used(k), limit);
}

static void
test_count_free(void **state)
{
	struct counters k = { 0 };
	uint64_t calls;

	(void)state;
	begin_counts(&k, 3, 3000);
	calls = k.f.w->calls;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take_on(&k, i, 400), 0);
	world_run(k.f.w, 10);
	assert_count_modes(&k, LEASE_FREE);
	assert_true(k.f.w->calls - calls <= 3 * 22 * 4 + 3);
	fleet_end(&k.f);
}

/* From one node alone all of it can be had, and not one more; and nobody is
 * refused who comes at the pace that connections may. */
static void
test_count_on_one(void **state)
{
	struct counters k = { 0 };

	(void)state;
	begin_counts(&k, 3, 3000);
	assert_int_equal(take_on(&k, 0, 2900), 0);
	take_on(&k, 0, 300);
	assert_int_equal(used(&k), 3000);
	assert_false(lease_count_take(k.c[1], 1));
	/* What one gives back, another can have. */
	lease_count_put(k.c[0], 50);
	world_run(k.f.w, 2);
	for (int i = 0; i < 500 && used(&k) < 3000; i++)
		take_on(&k, 2, 1);
	assert_int_equal(lease_count_used(k.c[2]), 50);
	/* A while after the need it is free again. */
	lease_count_put(k.c[0], 2900);
	world_run(k.f.w, 6);
	assert_count_modes(&k, LEASE_FREE);
	fleet_end(&k.f);
}

/* Wherever they come and go: never more than the limit, and all of it. */
static void
test_count_anywhere(void **state)
{
	static const int64_t limits[] = { 10, 100, 1000 };
	struct counters k;
	uint32_t most;

	(void)state;
	for (int j = 0; j < 3; j++) {
		k = (struct counters){ 0 };
		begin_counts(&k, 4, limits[j]);
		most = 0;
		for (int i = 0; i < 4000; i++) {
			int node = (int)world_draw(k.f.w, 4);

			if (world_draw(k.f.w, 100) < 30 &&
			    lease_count_used(k.c[node]) > 0)
				lease_count_put(k.c[node], 1);
			else
				lease_count_take(k.c[node], 1);
			world_run(k.f.w, 0.005);
			assert_true(used(&k) <= limits[j]);
			if (used(&k) > most)
				most = used(&k);
		}
		assert_true(most >= limits[j] * 9 / 10);
		fill_up(&k, (uint32_t)limits[j]);
		fleet_end(&k.f);
	}
}

static void
test_count_killed(void **state)
{
	struct counters k = { 0 };

	(void)state;
	begin_counts(&k, 3, 1000);
	take_on(&k, 0, 700);
	take_on(&k, 1, 290);
	fill_up(&k, 1000);
	kill_counter(&k, 0);
	world_run(k.f.w, 3);
	take_on(&k, 2, 10);
	assert_true(used(&k) <= 310);
	world_run(k.f.w, 3);
	assert_int_equal(take_on(&k, 2, 500), 0);
	fleet_end(&k.f);
}

/* New nodes have no part until all know of them. */
static void
test_count_nodes_join(void **state)
{
	struct counters k = { 0 };

	(void)state;
	begin_counts(&k, 4, 1000);
	for (int i = 2; i < 4; i++)
		kill_counter(&k, i);
	world_run(k.f.w, 7);
	/* Just what is free on each of two. */
	for (int i = 0; i < 2; i++)
		while (lease_count_used(k.c[i]) < 450 &&
		    lease_count_take(k.c[i], 1))
			;
	assert_true(used(&k) > 800);
	for (int i = 2; i < 4; i++) {
		world_start_node(k.f.w, i);
		count_on(&k, i, 1000);
	}
	fill_up(&k, 1000);
	fleet_end(&k.f);
}

static void
test_count_lost(void **state)
{
	struct counters k;

	(void)state;
	for (int flush = 0; flush < 2; flush++) {
		k = (struct counters){ 0 };
		begin_counts(&k, 3, 1000);
		take_on(&k, 0, 500);
		take_on(&k, 1, 300);
		world_store(k.f.w, STORE_REFUSES);
		world_run(k.f.w, 2);
		assert_count_modes(&k, LEASE_LOST);
		/* Each has a part of what nobody had. */
		for (int i = 0; i < 3; i++)
			assert_true(take_on(&k, i, 200) >= 50);
		assert_between(used(&k), 900, 1050);
		if (flush)
			lua_redis_flush(k.f.w->redis);
		world_store(k.f.w, STORE_UP);
		world_run(k.f.w, 3);
		assert_count_modes(&k, LEASE_ASKING);
		for (int i = 0; i < 3; i++)
			lease_count_put(k.c[i], 60);
		fill_up(&k, 1000);
		fleet_end(&k.f);
	}
}

static void
test_count_flushed(void **state)
{
	struct counters k = { 0 };

	(void)state;
	begin_counts(&k, 3, 1000);
	take_on(&k, 0, 600);
	take_on(&k, 1, 390);
	lua_redis_flush(k.f.w->redis);
	for (int i = 0; i < 500; i++)
		take_on(&k, 2, 1);
	/* For the second until all have said again what they have, the others
	 * may be given what is not known. */
	assert_true(used(&k) <= 1400);
	fleet_end(&k.f);
}

static void
test_count_on_loss(void **state)
{
	struct world_options o = { .nodes = 1, .seconds = 10 };
	struct counters k;

	(void)state;
	for (int open = 0; open < 2; open++) {
		k = (struct counters){ 0 };
		o.on_loss = open ? LEASE_OPEN : LEASE_CLOSED;
		fleet_begin_with(&k.f, &o, RATE, 1, RATE, SIZE);
		count_on(&k, 0, 100);
		world_run(k.f.w, 2);
		assert_true(lease_count_take(k.c[0], 20));
		world_store(k.f.w, STORE_REFUSES);
		world_run(k.f.w, 1);
		assert_int_equal(lease_count_take(k.c[0], 500), open);
		world_store(k.f.w, STORE_UP);
		world_run(k.f.w, 1);
		assert_int_equal(lease_count_take(k.c[0], 1), !open);
		fleet_end(&k.f);
	}
}

static void
test_count_live_change(void **state)
{
	struct counters k = { 0 };

	(void)state;
	begin_counts(&k, 2, 1000);
	take_on(&k, 0, 800);
	for (int i = 0; i < 2; i++)
		lease_count_set(k.c[i], 500);
	world_run(k.f.w, 1);
	assert_false(lease_count_take(k.c[0], 1));
	assert_false(lease_count_take(k.c[1], 1));
	assert_int_equal(used(&k), 800);
	for (int i = 0; i < 2; i++)
		lease_count_set(k.c[i], 2000);
	world_run(k.f.w, 2);
	assert_int_equal(take_on(&k, 1, 500), 0);
	/* What exists is counted, whether there is room or not. */
	lease_count_force(k.c[0], 2000);
	world_run(k.f.w, 2);
	assert_false(lease_count_take(k.c[1], 1));
	fleet_end(&k.f);
}

static void
test_count_poisoned(void **state)
{
	struct counters k;

	(void)state;
	for (int i = 0; i < 5; i++) {
		k = (struct counters){ 0 };
		begin_counts(&k, 2, 100);
		k.f.w->seed += (uint64_t)i;
		k.f.w->poisoned = true;
		take_on(&k, 0, 300);
		take_on(&k, 1, 300);
		assert_true(lease_count_used(k.c[0]) <= 100);
		assert_true(lease_count_used(k.c[1]) <= 100);
		fleet_end(&k.f);
	}
}

/* ---- threads ---- */

static void
never(struct store *s, const struct store_call *calls, uint32_t n)
{
	struct slice none = { (const uint8_t *)"", 0 };

	(void)s;
	for (uint32_t i = 0; i < n; i++)
		calls[i].done(calls[i].arg, true, none);
}

struct crowd {
	struct lease		*lease;
	struct lease_count	*count;
	struct bucket		 bucket;
	_Atomic bool		 stop;
	_Atomic uint64_t	 done;
};

static void *
use(void *arg)
{
	struct crowd *c = arg;

	while (!atomic_load(&c->stop)) {
		int64_t now = clock_now_us();

		bucket_take(&c->bucket, &c->lease->rate, 1, now);
		lease_notice(c->lease, bucket_look(&c->bucket,
		    &c->lease->rate, now));
		if (lease_count_take(c->count, 2))
			lease_count_put(c->count, 2);
		atomic_fetch_add(&c->done, 1);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct store store = { .submit = never };
	struct lease_options o = { .node_id = "n", .store = &store };
	struct lease_node *n = lease_node_new(&o);
	struct crowd c = { 0 };
	pthread_t t[3];
	int64_t now = clock_now_us();

	(void)state;
	c.lease = lease_add(n, SLICE_LIT("a"), SLICE_LIT("b"), &c.bucket, 1000,
	    1, 1000);
	c.count = lease_count_new(n, SLICE_LIT("a"), SLICE_LIT("c"), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, use, &c), 0);
	for (int i = 0; i < 300 || atomic_load(&c.done) < 3000; i++) {
		lease_tick(n, now += 20000);
		lease_set(c.lease, 1000 + i % 7, 1, 1000);
		lease_count_set(c.count, i % 5);
	}
	atomic_store(&c.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(lease_count_used(c.count), 0);
	lease_node_free(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_costs_nothing),
		cmocka_unit_test(test_many_leases_cost_nothing),
		cmocka_unit_test(test_press_and_release),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_many_nodes),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_large_requests),
		cmocka_unit_test(test_share_moves),
		cmocka_unit_test(test_little_is_given_in_full),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_calls_are_few),
		cmocka_unit_test(test_many_ask),
		cmocka_unit_test(test_debt),
		cmocka_unit_test(test_killed_node),
		cmocka_unit_test(test_killed_node_and_free),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_nodes_join),
		cmocka_unit_test(test_restarts_bring_nothing),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_plenty),
		cmocka_unit_test(test_always_late),
		cmocka_unit_test(test_flushed),
		cmocka_unit_test(test_failed_over),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_unreliable_network),
		cmocka_unit_test(test_on_loss),
		cmocka_unit_test(test_start_without_store),
		cmocka_unit_test(test_poisoned),
		cmocka_unit_test(test_live_change),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_slow_limit),
		cmocka_unit_test(test_unleased),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_count_free),
		cmocka_unit_test(test_count_on_one),
		cmocka_unit_test(test_count_anywhere),
		cmocka_unit_test(test_count_killed),
		cmocka_unit_test(test_count_nodes_join),
		cmocka_unit_test(test_count_lost),
		cmocka_unit_test(test_count_flushed),
		cmocka_unit_test(test_count_on_loss),
		cmocka_unit_test(test_count_live_change),
		cmocka_unit_test(test_count_poisoned),
		cmocka_unit_test(test_threads),
	};

	log_setup(LOG_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
