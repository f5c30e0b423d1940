/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two gateways' limits as one: sessions of both spend from accounts of their
 * own, which lease from one store (its scripts in Redis's Lua), on virtual
 * time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "quota/fleet.h"
#include "quota/quota_private.h"
#include "tests/simulate/lua_redis.h"

enum { SECOND = 1000000, NODES = 2, RATE = 1000000, TICK = 10000 };

static _Atomic int64_t now;

static int64_t
clock_now(void)
{
	return now;
}

/* ---- a store whose answers come a tick later ---- */

struct answer {
	store_done_cb	 done;
	void		*arg;
	bool		 lost;
	char		*text;
	size_t		 len;
};

static struct lua_redis *redis;
static bool away;
static struct answer answers[1000];
static size_t answer_count;

static void
submit(struct store *s, const struct store_call *calls, uint32_t n)
{
	(void)s;
	for (uint32_t i = 0; i < n; i++) {
		struct answer *a = &answers[answer_count++];
		struct slice text = SLICE_LIT("away");

		assert_true(answer_count <= 1000);
		a->done = calls[i].done;
		a->arg = calls[i].arg;
		a->lost = away || !lua_redis_run(redis, calls[i].script,
		    calls[i].keys, calls[i].key_count, calls[i].args,
		    calls[i].arg_count, now, &text);
		a->text = mem_strndup(text.data, text.len);
		a->len = text.len;
	}
}

static void
deliver(void)
{
	size_t n = answer_count;
	struct answer *v = calloc(n + 1, sizeof(*v));

	memcpy(v, answers, n * sizeof(*v));
	answer_count = 0;
	for (size_t i = 0; i < n; i++) {
		v[i].done(v[i].arg, v[i].lost, (struct slice){
		    (const uint8_t *)v[i].text, (uint32_t)v[i].len });
		free(v[i].text);
	}
	free(v);
}

/* ---- two nodes ---- */

static struct node {
	struct quota		*quota;
	struct quota_fleet	*fleet;
	struct quota_account	*account;
	struct quota_who	 who;
	int64_t			 passed;
} nodes[NODES];
static struct limits *limits;
static enum lease_on_loss on_loss;
static int64_t rate, part_rate;
static struct store store = { submit };

static struct limits *
some_limits(int64_t value)
{
	static const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_INGRESS, .scope = QUOTA_TENANT },
		{ .dimension = QUOTA_DIM_REQUESTS, .scope = QUOTA_PRINCIPAL,
		  .value = 100, .burst = 100 },
		{ .dimension = QUOTA_DIM_PARTITION_INGRESS,
		  .scope = QUOTA_PARTITION, .value = 10000, .burst = 10000 },
		{ .dimension = QUOTA_DIM_CONNECTIONS, .scope = QUOTA_TENANT,
		  .value = 10 },
	};
	struct limits *l = limits_new("test", 4);

	for (int i = 0; i < 4; i++)
		l->v[i] = rows[i];
	memcpy(l->v[0].warn, limit_warnings, sizeof(limit_warnings));
	memcpy(l->v[3].warn, limit_warnings, sizeof(limit_warnings));
	l->v[0].value = value;
	l->v[0].burst = value / 10;
	l->v[2].value = l->v[2].burst = part_rate;
	return l;
}

static void
tick(void)
{
	now += TICK;
	deliver();
	for (int i = 0; i < NODES; i++)
		quota_fleet_tick(nodes[i].fleet, now);
}

static void
pass(int64_t us)
{
	for (int64_t until = now + us; now < until;)
		tick();
}

static void
begin_with(void)
{
	now = 100LL * SECOND;
	away = false;
	answer_count = 0;
	clock_replace(clock_now);
	redis = lua_redis_new();
	limits = some_limits(rate);
	for (int i = 0; i < NODES; i++) {
		struct node *n = &nodes[i];
		char id[8];
		struct lease_options o = { .node_id = id, .store = &store,
			.on_loss = on_loss };

		memset(n, 0, sizeof(*n));
		snprintf(id, sizeof(id), "n%d", i);
		n->quota = quota_new(1);
		n->fleet = quota_fleet_new(n->quota, &o);
		n->account = quota_account(n->quota, "team", limits);
		quota_who_open(n->quota, n->account, SLICE_LIT("arn:alice"),
		    SLICE_LIT(""), &n->who);
	}
	pass(3 * SECOND);
}

static void
begin(void)
{
	rate = RATE;
	part_rate = 10000;
	on_loss = LEASE_SHARE;
	begin_with();
}

static void
end(void)
{
	for (int i = 0; i < NODES; i++) {
		quota_who_close(&nodes[i].who);
		quota_fleet_free(nodes[i].fleet);
		quota_free(nodes[i].quota);
	}
	deliver();
	limits_unref(limits);
	lua_redis_free(redis);
	clock_replace(NULL);
}

static struct quota_cost
cost(enum quota_dimension d, int64_t tokens)
{
	struct quota_cost c = { 0 };

	quota_cost_add(&c, d, tokens, true);
	return c;
}

/* Spends on that node whenever it may. */
static void
press(struct node *n, enum quota_dimension d, int64_t tokens)
{
	struct quota_cost c = cost(d, tokens);

	for (int i = 0; i < 1000 && quota_wait_us(&n->who, &c, now, NULL) == 0;
	    i++) {
		quota_spend(&n->who, &c, now);
		n->passed += tokens;
	}
}

static int64_t
press_both(int64_t us, enum quota_dimension d, int64_t tokens, bool first,
    bool second)
{
	int64_t before = nodes[0].passed + nodes[1].passed;

	for (int64_t until = now + us; now < until;) {
		tick();
		if (first)
			press(&nodes[0], d, tokens);
		if (second)
			press(&nodes[1], d, tokens);
	}
	return nodes[0].passed + nodes[1].passed - before;
}

static void
assert_near(int64_t is, int64_t want, int percent)
{
	assert_in_range(is, want - want * percent / 100,
	    want + want * percent / 100);
}

static uint32_t
leases(const struct node *n)
{
	struct lease_node_view v;

	lease_node_view(quota_fleet_node(n->fleet), &v);
	assert_int_equal(v.nodes, NODES);
	return v.leases;
}

/* ---- tests ---- */

static void
a_tenants_limit_is_one_number(void **state)
{
	(void)state;
	begin();
	press_both(3 * SECOND, QUOTA_DIM_INGRESS, 1000, true, true);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    true), 10 * RATE, 2);
	/* All of it goes where it is wanted. */
	press_both(2 * SECOND, QUOTA_DIM_INGRESS, 1000, true, false);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    false), 10 * RATE, 2);
	end();
}

static void
a_principals_limit_too(void **state)
{
	(void)state;
	begin();
	press_both(3 * SECOND, QUOTA_DIM_REQUESTS, 1, true, true);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_REQUESTS, 1, true, true),
	    1000, 3);
	end();
}

static void
nobody_presses_nobody_leases(void **state)
{
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, RATE / 1000);

	(void)state;
	begin();
	/* The counter of connections is there from the start. */
	assert_int_equal(leases(&nodes[0]), 1);
	for (int i = 0; i < 300; i++) {
		tick();
		quota_spend(&nodes[0].who, &c, now);
	}
	assert_int_equal(leases(&nodes[0]), 1);
	assert_int_equal(leases(&nodes[1]), 1);
	/* Pressed at one node, it is leased at both. */
	press_both(2 * SECOND, QUOTA_DIM_INGRESS, 1000, true, false);
	assert_int_equal(leases(&nodes[0]), 2);
	assert_int_equal(leases(&nodes[1]), 2);
	end();
}

static void
partitions_are_leased(void **state)
{
	struct quota_topic *t[NODES];
	int64_t passed = 0, begun;

	(void)state;
	begin();
	for (int i = 0; i < NODES; i++)
		t[i] = quota_topic(nodes[i].account, SLICE_LIT("clicks"));
	begun = now;
	for (int step = 0; step < 1300; step++) {
		tick();
		if (step == 300) {
			passed = 0;
			begun = now;
		}
		for (int i = 0; i < NODES; i++)
			while (quota_part_wait_us(t[i], 7, false, now,
			    NULL) == 0) {
				quota_part_spend(t[i], 7, false, 100, now,
				    NULL);
				passed += 100;
			}
	}
	assert_near(passed, (now - begun) * 10000 / SECOND, 3);
	for (int i = 0; i < NODES; i++)
		quota_topic_unref(t[i]);
	end();
}

static struct quota_who
bob_at(struct node *n)
{
	struct quota_who w;

	quota_who_open(n->quota, n->account, SLICE_LIT("arn:bob"),
	    SLICE_LIT(""), &w);
	return w;
}

static int
requests_of(struct quota_who *w)
{
	struct quota_cost c = cost(QUOTA_DIM_REQUESTS, 1);
	int n = 0;

	for (; quota_wait_us(w, &c, now, NULL) == 0; n++)
		quota_spend(w, &c, now);
	return n;
}

/* Where nobody came before, there is nothing left over of what others press. */
static void
coming_late_brings_nothing(void **state)
{
	struct quota_who here, there;
	struct quota_topic *t;
	int64_t bytes = 0;

	(void)state;
	begin();
	here = bob_at(&nodes[0]);
	/* Nobody pressed yet: a part of the burst. */
	assert_in_range(requests_of(&here), 30, 50);
	t = quota_topic(nodes[0].account, SLICE_LIT("clicks"));
	for (int i = 0; i < 200; i++) {
		tick();
		requests_of(&here);
		while (quota_part_wait_us(t, 3, false, now, NULL) == 0)
			quota_part_spend(t, 3, false, 100, now, NULL);
	}
	quota_topic_unref(t);
	there = bob_at(&nodes[1]);
	assert_in_range(requests_of(&there), 0, 1);
	t = quota_topic(nodes[1].account, SLICE_LIT("clicks"));
	for (; quota_part_wait_us(t, 3, false, now, NULL) == 0; bytes += 100)
		quota_part_spend(t, 3, false, 100, now, NULL);
	assert_in_range(bytes, 0, 100);
	/* Its neighbour is nobody's. */
	for (; quota_part_wait_us(t, 4, false, now, NULL) == 0; bytes += 100)
		quota_part_spend(t, 4, false, 100, now, NULL);
	assert_in_range(bytes, 3000, 5000);
	quota_topic_unref(t);
	quota_who_close(&here);
	quota_who_close(&there);
	end();
}

static void
connections_are_counted_together(void **state)
{
	struct quota_who many[NODES][10];
	struct quota_reason why;
	int open[NODES] = { 0, 0 };

	(void)state;
	begin();
	for (int i = 0; i < 20; i++) {
		struct node *n = &nodes[i % NODES];
		struct quota_who *w = &many[i % NODES][open[i % NODES]];

		quota_who_open(n->quota, n->account, SLICE_LIT("arn:alice"),
		    SLICE_LIT(""), w);
		if (quota_count(w, QUOTA_DIM_CONNECTIONS, 1, now, &why))
			open[i % NODES]++;
		else
			quota_who_close(w);
		pass(SECOND / 10);
	}
	assert_int_equal(open[0] + open[1], 10);
	while (open[0] > 0) {
		quota_uncount(&many[0][--open[0]], QUOTA_DIM_CONNECTIONS, 1);
		quota_who_close(&many[0][open[0]]);
	}
	pass(2 * SECOND);
	/* Its room is the other's. */
	while (open[1] < 10) {
		struct quota_who *w = &many[1][open[1]];

		quota_who_open(nodes[1].quota, nodes[1].account,
		    SLICE_LIT("arn:alice"), SLICE_LIT(""), w);
		for (int i = 0; i < 100 && !quota_count(w,
		    QUOTA_DIM_CONNECTIONS, 1, now, &why); i++)
			pass(SECOND / 10);
		open[1]++;
	}
	assert_int_equal(quota_gauge_count(&nodes[1].account->tenant->gauges[
	    QUOTA_DIM_CONNECTIONS]), 10);
	while (open[1] > 0) {
		quota_uncount(&many[1][--open[1]], QUOTA_DIM_CONNECTIONS, 1);
		quota_who_close(&many[1][open[1]]);
	}
	assert_int_equal(quota_gauge_count(&nodes[1].account->tenant->gauges[
	    QUOTA_DIM_CONNECTIONS]), 0);
	end();
}

/* ---- what is shown ---- */

struct shown {
	enum quota_dimension	 dimension;
	struct quota_row	 row;
	unsigned		 warned;
};

static void
keep_row(void *arg, const struct quota_row *r)
{
	struct shown *s = arg;

	if (r->dimension != s->dimension || r->scope != QUOTA_TENANT)
		return;
	s->row = *r;
	s->warned = r->gauge->warned;
}

static void
ignore_user(void *arg, const struct quota_user *u)
{
	(void)arg, (void)u;
}

static struct shown
shown_of(struct node *n, enum quota_dimension d)
{
	static const struct quota_asked all = { .partition = -1 };
	struct shown s = { .dimension = d };

	assert_true(quota_show(n->quota, "team", &all, now, keep_row,
	    ignore_user, &s));
	assert_int_equal(s.row.value, d == QUOTA_DIM_INGRESS ? RATE : 10);
	return s;
}

/* Each node spends so much of the limit a second, if it may; ticks as control
 * does. */
static void
spend_for(int seconds, int64_t millionths)
{
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, RATE / 100 *
	    millionths / 1000000);

	for (int i = 1; i <= seconds * 100; i++) {
		tick();
		for (int n = 0; n < NODES; n++) {
			if (quota_wait_us(&nodes[n].who, &c, now, NULL) == 0)
				quota_spend(&nodes[n].who, &c, now);
			if (i % 100 == 0)
				quota_tick(nodes[n].quota, now);
		}
	}
}

/* All of it is used, and half of that here: each node tells all of it. */
static void
what_is_shown_is_the_fleets(void **state)
{
	struct shown s;

	(void)state;
	begin();
	spend_for(1, 0);
	s = shown_of(&nodes[0], QUOTA_DIM_INGRESS);
	assert_false(s.row.fleet);
	assert_int_equal(s.row.use, 0);
	spend_for(8, 800000);
	for (int i = 0; i < NODES; i++) {
		s = shown_of(&nodes[i], QUOTA_DIM_INGRESS);
		assert_true(s.row.fleet);
		assert_near(s.row.use, RATE, 6);
		assert_near(s.row.here, RATE / 2, 6);
		/* What it took ahead. */
		assert_in_range(s.row.headroom + RATE, RATE - RATE / 15,
		    RATE + RATE / 15);
		assert_int_equal(s.warned, 95);
	}
	/* It is at rest again: nobody asks, so nobody knows of others. */
	spend_for(8, 0);
	s = shown_of(&nodes[0], QUOTA_DIM_INGRESS);
	assert_false(s.row.fleet);
	assert_int_equal(s.row.use, 0);
	end();
}

/* Neither node's part runs out, and all of them use 84 %. */
static void
warns_of_what_all_use(void **state)
{
	(void)state;
	begin();
	spend_for(8, 420000);
	for (int i = 0; i < NODES; i++) {
		struct shown s = shown_of(&nodes[i], QUOTA_DIM_INGRESS);

		assert_near(s.row.here, RATE * 42 / 100, 2);
		assert_near(s.row.use, RATE * 84 / 100, 5);
		assert_true(s.row.headroom > 0);
		assert_int_equal(s.warned, 80);
	}
	end();
}

static void
shows_the_fleets_connections(void **state)
{
	struct quota_reason why;

	(void)state;
	begin();
	for (int i = 0; i < 8; i++) {
		struct node *n = &nodes[i % NODES];
		struct quota_who one = n->who;

		for (int k = 0; k < 100 && !quota_count(&one,
		    QUOTA_DIM_CONNECTIONS, 1, now, &why); k++)
			pass(SECOND / 10);
	}
	spend_for(3, 0);
	for (int i = 0; i < NODES; i++) {
		struct shown s = shown_of(&nodes[i], QUOTA_DIM_CONNECTIONS);

		assert_true(s.row.fleet);
		assert_int_equal(s.row.here, 4);
		/* They may keep one ahead. */
		assert_in_range(s.row.use, 8, 9);
		assert_int_equal(s.row.headroom, 10 - s.row.use);
		assert_int_equal(s.warned, 80);
	}
	end();
}

static void
the_store_goes_and_comes_back(void **state)
{
	(void)state;
	begin();
	press_both(3 * SECOND, QUOTA_DIM_INGRESS, 1000, true, true);
	away = true;
	press_both(SECOND, QUOTA_DIM_INGRESS, 1000, true, true);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    true), 10 * RATE, 5);
	away = false;
	lua_redis_flush(redis);
	assert_true(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    true) <= 10 * RATE * 105 / 100 + RATE / 10);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    true), 10 * RATE, 2);
	end();
}

/* Two partitions and the tenant; what passed of each on both nodes. */
enum { OF_TENANT, OF_PART, PRESSED = 3 };

static void
press_all(struct quota_topic **t, int64_t us, int64_t sum[PRESSED])
{
	memset(sum, 0, sizeof(*sum) * PRESSED);
	for (int64_t until = now + us; now < until;) {
		tick();
		for (int i = 0; i < NODES; i++) {
			int64_t before = nodes[i].passed;

			press(&nodes[i], QUOTA_DIM_INGRESS, rate / 1000);
			sum[OF_TENANT] += nodes[i].passed - before;
			for (int p = 0; p < 2; p++)
				for (int n = 0; n < 1000 && quota_part_wait_us(
				    t[i], p, false, now, NULL) == 0; n++) {
					quota_part_spend(t[i], p, false,
					    rate / 1000, now, NULL);
					sum[OF_PART + p] += rate / 1000;
				}
		}
	}
}

/* What is held up by nothing, or by all, while the store is away, is neither in
 * debt for it nor richer when it is back. */
static void
lost(enum lease_on_loss what, int64_t bytes_s, bool pressed)
{
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, 0);
	struct quota_topic *t[NODES];
	struct quota_reason why;
	int64_t sum[PRESSED];

	rate = part_rate = bytes_s;
	on_loss = what;
	begin_with();
	for (int i = 0; i < NODES; i++)
		t[i] = quota_topic(nodes[i].account, SLICE_LIT("clicks"));
	if (pressed)
		press_all(t, 3 * SECOND, sum);
	away = true;
	pass(SECOND);
	press_all(t, 3 * SECOND, sum);
	for (int i = 0; i < PRESSED; i++)
		if (what == LEASE_OPEN)
			assert_true(sum[i] > 100 * rate);
		else
			assert_int_equal(sum[i], 0);
	if (what == LEASE_OPEN)
		assert_int_equal(quota_throttle_us(&nodes[0].who, &c, QUOTA_IN,
		    now, &why), 0);
	away = false;
	/* Until all nodes have come back they live as before. */
	pass(2 * SECOND);
	/* Their burst at most is there, then their rate. */
	press_all(t, 4 * SECOND, sum);
	for (int i = 0; i < PRESSED; i++)
		assert_true(sum[i] <= 4 * rate + rate * (i > OF_TENANT ? 11 :
		    2) / 10);
	press_all(t, 10 * SECOND, sum);
	for (int i = 0; i < PRESSED; i++)
		assert_near(sum[i], 10 * rate, 3);
	for (int i = 0; i < NODES; i++)
		quota_topic_unref(t[i]);
	end();
}

static void
open_limits_nothing_and_closed_all(void **state)
{
	(void)state;
	for (int closed = 0; closed < 2; closed++)
		for (int pressed = 0; pressed < 2; pressed++) {
			enum lease_on_loss what = closed ? LEASE_CLOSED :
			    LEASE_OPEN;

			lost(what, 10000000, pressed);
			lost(what, 400000000, pressed);
		}
}

/* Which of them it is may change while the store is away. */
static void
on_loss_changes_while_it_is_lost(void **state)
{
	static const enum lease_on_loss to[] = { LEASE_OPEN, LEASE_CLOSED,
		LEASE_SHARE, LEASE_CLOSED, LEASE_OPEN, LEASE_SHARE };
	struct quota_topic *t[NODES];
	int64_t sum[PRESSED];

	(void)state;
	for (int pressed = 0; pressed < 2; pressed++) {
		rate = part_rate = 10000000;
		on_loss = LEASE_SHARE;
		begin_with();
		for (int i = 0; i < NODES; i++)
			t[i] = quota_topic(nodes[i].account,
			    SLICE_LIT("clicks"));
		if (pressed)
			press_all(t, 3 * SECOND, sum);
		away = true;
		pass(SECOND);
		for (size_t k = 0; k < sizeof(to) / sizeof(to[0]); k++) {
			for (int i = 0; i < NODES; i++)
				quota_fleet_on_loss(nodes[i].fleet, to[k]);
			press_all(t, SECOND, sum);
			press_all(t, 2 * SECOND, sum);
			for (int i = 0; i < PRESSED; i++)
				if (to[k] == LEASE_OPEN)
					assert_true(sum[i] > 100 * rate);
				else if (to[k] == LEASE_CLOSED)
					assert_int_equal(sum[i], 0);
				else
					assert_near(sum[i], 2 * rate, 12);
		}
		away = false;
		pass(2 * SECOND);
		press_all(t, 3 * SECOND, sum);
		press_all(t, 10 * SECOND, sum);
		for (int i = 0; i < PRESSED; i++)
			assert_near(sum[i], 10 * rate, 3);
		for (int i = 0; i < NODES; i++)
			quota_topic_unref(t[i]);
		end();
	}
}

static void
a_change_acts_on_both(void **state)
{
	struct limits *more = some_limits(3 * RATE);

	(void)state;
	begin();
	press_both(3 * SECOND, QUOTA_DIM_INGRESS, 1000, true, true);
	for (int i = 0; i < NODES; i++)
		quota_account_set(nodes[i].account, more);
	press_both(2 * SECOND, QUOTA_DIM_INGRESS, 1000, true, true);
	assert_near(press_both(10 * SECOND, QUOTA_DIM_INGRESS, 1000, true,
	    true), 30 * RATE, 2);
	end();
	limits_unref(more);
}

/* ---- threads ---- */

static _Atomic bool over;

/* What a worker does with sessions of many principals. */
static void *
work(void *arg)
{
	struct node *n = &nodes[0];
	uint32_t seed = (uint32_t)(uintptr_t)arg * 7919 + 1;
	struct quota_cost c = { 0 };
	struct quota_reason why;
	int64_t rounds = 0;

	quota_cost_add(&c, QUOTA_DIM_INGRESS, 100, true);
	quota_cost_add(&c, QUOTA_DIM_REQUESTS, 1, true);
	while (!over) {
		struct quota_topic *t;
		struct quota_who w;
		char name[16];
		bool counted;

		seed = seed * 1103515245 + 12345;
		snprintf(name, sizeof(name), "arn:%u", seed >> 16 & 31);
		quota_who_open(n->quota, n->account, slice_of(name),
		    SLICE_LIT("app"), &w);
		counted = quota_count(&w, QUOTA_DIM_CONNECTIONS, 1, now, &why);
		t = quota_topic(n->account, slice_of(name));
		for (int i = 0; i < 20; i++) {
			if (quota_wait_us(&w, &c, now, &why) == 0)
				quota_spend(&w, &c, now);
			quota_owe(&w, QUOTA_IN, 100, true);
			quota_throttle_us(&w, &c, QUOTA_IN, now, &why);
			quota_owe(&w, QUOTA_IN, 100, false);
			if (t != NULL)
				quota_part_spend(t, i, false, 100, now, NULL);
		}
		quota_topic_unref(t);
		if (counted)
			quota_uncount(&w, QUOTA_DIM_CONNECTIONS, 1);
		quota_who_close(&w);
		rounds++;
	}
	return (void *)(intptr_t)rounds;
}

static void
ignore_row(void *arg, const struct quota_row *r)
{
	(void)arg, (void)r;
}

/* Workers spend while control leases, sweeps, shows and changes limits. */
static void
all_at_once(void **state)
{
	static const struct quota_asked all = { .partition = -1 };
	struct limits *more = some_limits(2 * RATE);
	pthread_t t[3];

	(void)state;
	begin();
	over = false;
	for (uintptr_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, work,
		    (void *)i), 0);
	for (int i = 0; i < 1500; i++) {
		tick();
		if (i % 50 == 0)
			quota_tick(nodes[0].quota, now);
		if (i % 200 == 0)
			quota_account_set(nodes[0].account, i % 400 ? limits :
			    more);
		if (i % 100 == 0)
			quota_show(nodes[0].quota, "team", &all, now,
			    ignore_row, ignore_user, NULL);
	}
	over = true;
	for (int i = 0; i < 3; i++) {
		void *rounds;

		pthread_join(t[i], &rounds);
		assert_true((intptr_t)rounds > 0);
	}
	for (int lane = 0; lane < QUOTA_LANES; lane++) {
		assert_int_equal(nodes[0].account->owing[lane], 0);
		assert_int_equal(nodes[0].account->wants[lane], 0);
	}
	pass(SECOND);
	quota_tick(nodes[0].quota, now);
	assert_int_equal(quota_gauge_count(&nodes[0].account->tenant->gauges[
	    QUOTA_DIM_CONNECTIONS]), 0);
	quota_account_set(nodes[0].account, limits);
	end();
	limits_unref(more);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tenants_limit_is_one_number),
		cmocka_unit_test(a_principals_limit_too),
		cmocka_unit_test(nobody_presses_nobody_leases),
		cmocka_unit_test(partitions_are_leased),
		cmocka_unit_test(coming_late_brings_nothing),
		cmocka_unit_test(connections_are_counted_together),
		cmocka_unit_test(what_is_shown_is_the_fleets),
		cmocka_unit_test(warns_of_what_all_use),
		cmocka_unit_test(shows_the_fleets_connections),
		cmocka_unit_test(the_store_goes_and_comes_back),
		cmocka_unit_test(open_limits_nothing_and_closed_all),
		cmocka_unit_test(on_loss_changes_while_it_is_lost),
		cmocka_unit_test(a_change_acts_on_both),
		cmocka_unit_test(all_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
