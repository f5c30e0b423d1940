/* SPDX-License-Identifier: Apache-2.0 */
/* Limits at work, on virtual time: what passes, who waits, what is noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "quota/quota_private.h"
#include "tests/unit/log_lines.h"

enum { SECOND = 1000000 };

static char alice[] = "alice", hot_ones[] = "hot*";

static struct limits *
limits_of(uint32_t n, const struct limit *rows)
{
	struct limits *l = limits_new("test", n);

	for (uint32_t i = 0; i < n; i++)
		l->v[i] = rows[i];
	for (uint32_t i = 0; i < n; i++) {
		if (rows[i].principal != NULL)
			l->v[i].principal = mem_strdup(rows[i].principal);
		if (rows[i].topic != NULL)
			l->v[i].topic = mem_strdup(rows[i].topic);
	}
	return l;
}

static int64_t clock_us;

static int64_t
clock_now(void)
{
	return clock_us;
}

struct fixture {
	struct quota		*quota;
	struct limits		*limits;
	struct quota_account	*account;
	struct quota_who	 who;
	int64_t			 now;
};

static void
begin(struct fixture *f, uint32_t n, const struct limit *rows)
{
	/* The process began an hour ago. */
	f->now = 3605LL * SECOND;
	clock_us = 5 * SECOND;
	clock_replace(clock_now);
	f->quota = quota_new(2);
	f->limits = limits_of(n, rows);
	f->account = quota_account(f->quota, "orders", f->limits);
	quota_who_open(f->quota, f->account, SLICE_LIT("alice"),
	    SLICE_LIT("app"), &f->who);
}

static void
end(struct fixture *f)
{
	quota_who_close(&f->who);
	quota_free(f->quota);
	limits_unref(f->limits);
	clock_replace(NULL);
}

static struct quota_cost
cost(enum quota_dimension d, int64_t tokens)
{
	struct quota_cost c = { 0 };

	quota_cost_add(&c, d, tokens, true);
	return c;
}

/* Spends n each time it may, for `us`; how much passed. */
static int64_t
press(struct fixture *f, const struct quota_who *w, enum quota_dimension d,
    int64_t n, int64_t us)
{
	struct quota_cost c = cost(d, n);
	int64_t until = f->now + us, passed = 0;
	struct quota_reason why;

	while (f->now < until) {
		int64_t wait = quota_wait_us(w, &c, f->now, &why);

		if (wait > 0) {
			f->now += wait;
			continue;
		}
		quota_spend(w, &c, f->now);
		passed += n;
	}
	return passed;
}

static void
keeps_a_rate_exactly(void **state)
{
	static const int64_t sizes[] = { 1, 100, 9999, 1000000, 8000000 };
	const struct limit row = { .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000000, .burst = 1000000 };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int64_t passed;

		begin(&f, 1, &row);
		press(&f, &f.who, QUOTA_DIM_INGRESS, sizes[i], SECOND);
		passed = press(&f, &f.who, QUOTA_DIM_INGRESS, sizes[i],
		    100 * SECOND);
		/* At most one request beyond. */
		assert_true(passed <= 100000000 + sizes[i]);
		assert_true(passed >= 100000000 - sizes[i] - 10000);
		end(&f);
	}
}

static void
a_window_is_a_slow_rate(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_PARTITION_CHANGES,
		.scope = QUOTA_TENANT, .value = 250, .burst = 250 };
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	/* The burst at once, one beyond, and then 250 in 300 s. */
	assert_in_range(press(&f, &f.who, QUOTA_DIM_PARTITION_CHANGES, 1,
	    SECOND), 251, 252);
	assert_in_range(press(&f, &f.who, QUOTA_DIM_PARTITION_CHANGES, 1,
	    300 * SECOND), 249, 251);
	end(&f);
}

static void
a_restart_brings_no_burst_of_a_window(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_PARTITION_CHANGES,
		.scope = QUOTA_TENANT, .value = 300, .burst = 300 };
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	/* It began just now: one is let in, and then one a second. */
	f.now = clock_us;
	assert_in_range(press(&f, &f.who, QUOTA_DIM_PARTITION_CHANGES, 1,
	    10 * SECOND), 10, 11);
	end(&f);
}

static void
keep_row(void *arg, const struct quota_row *r)
{
	*(struct quota_row *)arg = *r;
}

static void
no_user(void *arg, const struct quota_user *u)
{
	(void)arg;
	(void)u;
}

static struct quota_row
shown(struct fixture *f)
{
	const struct quota_asked all = { .partition = -1 };
	struct quota_row row = { .use = -1, .peak = -1 };

	assert_true(quota_show(f->quota, "orders", &all, f->now, keep_row,
	    no_user, &row));
	return row;
}

static int64_t
used(struct fixture *f)
{
	return shown(f).use;
}

static int64_t
peak(struct fixture *f)
{
	return shown(f).peak;
}

/* What was spent in it, not what its bucket lacks: after a start that lacks
 * all. */
static void
a_windows_use_is_what_was_spent(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_PARTITION_CHANGES,
		.scope = QUOTA_TENANT, .value = 300, .burst = 300 };
	struct quota_cost c = cost(QUOTA_DIM_PARTITION_CHANGES, 7);
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	f.now = clock_us;
	assert_int_equal(used(&f), 0);
	quota_spend(&f.who, &c, f.now);
	assert_int_equal(used(&f), 7);
	for (int s = 0; s < 200; s++, f.now += SECOND)
		quota_tick(f.quota, f.now);
	assert_int_equal(used(&f), 7);
	quota_spend(&f.who, &c, f.now);
	for (int s = 0; s < 90; s++, f.now += SECOND)
		quota_tick(f.quota, f.now);
	assert_int_equal(used(&f), 14);
	for (int s = 0; s < 11; s++, f.now += SECOND)
		quota_tick(f.quota, f.now);
	assert_int_equal(used(&f), 7);
	/* Nobody looked for longer than it is. */
	f.now += 1000 * SECOND;
	quota_tick(f.quota, f.now);
	assert_int_equal(used(&f), 0);
	/* The most that was spent in five minutes, not in a second. */
	assert_int_equal(peak(&f), 14);
	end(&f);
}

/* How many there were at most, also between two looks. */
static void
counts_have_peaks(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_CONNECTIONS, .scope = QUOTA_TENANT,
		  .value = 5 },
		{ .dimension = QUOTA_DIM_PARTITIONS, .scope = QUOTA_TENANT,
		  .value = 5 },
	};
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 1, &rows[0]);
	for (int i = 0; i < 7; i++)
		assert_int_equal(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1,
		    f.now, &why), i < 5);
	for (int i = 0; i < 4; i++)
		quota_uncount(&f.who, QUOTA_DIM_CONNECTIONS, 1);
	quota_tick(f.quota, f.now);
	assert_int_equal(used(&f), 1);
	assert_int_equal(peak(&f), 5);
	quota_uncount(&f.who, QUOTA_DIM_CONNECTIONS, 1);
	end(&f);
	begin(&f, 1, &rows[1]);
	quota_show_count(f.account, QUOTA_DIM_PARTITIONS, 4);
	quota_show_count(f.account, QUOTA_DIM_PARTITIONS, 3);
	assert_int_equal(used(&f), 3);
	assert_int_equal(peak(&f), 4);
	end(&f);
}

struct users {
	int	 n, rows;
	int32_t	 alices, bobs;		/* connections */
};

static void
count_row(void *arg, const struct quota_row *r)
{
	(void)r;
	((struct users *)arg)->rows++;
}

static void
keep_user(void *arg, const struct quota_user *u)
{
	struct users *to = arg;

	to->n++;
	if (strcmp(u->principal, "alice") == 0)
		to->alices = u->sessions;
	else
		to->bobs = u->sessions;
}

/* Who has how much is told of all, whatever rows are asked for. */
static void
tells_who_uses_it_whoever_asks(void **state)
{
	static char topic[] = "clicks", bobs[] = "bob";
	const struct quota_asked asked[] = { { .partition = -1 },
		{ .topic = topic, .partition = 7 },
		{ .principal = bobs, .partition = -1 } };
	const struct limit row = { .dimension = QUOTA_DIM_CONNECTIONS,
		.scope = QUOTA_PRINCIPAL, .value = 10 };
	struct quota_reason why;
	struct quota_who bob, more;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_who_open(f.quota, f.account, SLICE_LIT("bob"), SLICE_LIT(""),
	    &bob);
	/* One that is not let in is not counted. */
	quota_who_open(f.quota, f.account, SLICE_LIT("bob"), SLICE_LIT(""),
	    &more);
	assert_true(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	assert_true(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	assert_true(quota_count(&bob, QUOTA_DIM_CONNECTIONS, 1, f.now, &why));
	for (size_t i = 0; i < 3; i++) {
		struct users u = { .n = 0 };

		assert_true(quota_show(f.quota, "orders", &asked[i], f.now,
		    count_row, keep_user, &u));
		assert_int_equal(u.n, 2);
		assert_int_equal(u.alices, 2);
		assert_int_equal(u.bobs, 1);
		assert_int_equal(u.rows, i == 0 ? 2 : i == 1 ? 0 : 1);
	}
	quota_uncount(&bob, QUOTA_DIM_CONNECTIONS, 1);
	quota_uncount(&f.who, QUOTA_DIM_CONNECTIONS, 2);
	quota_who_close(&bob);
	quota_who_close(&more);
	end(&f);
}

static void
every_scope_holds(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_REQUESTS, .scope = QUOTA_TENANT,
		  .value = 100, .burst = 100 },
		{ .dimension = QUOTA_DIM_REQUESTS, .scope = QUOTA_PRINCIPAL,
		  .value = 10, .burst = 10, .principal = alice },
	};
	struct fixture f;
	struct quota_who bob;
	struct quota_cost c = cost(QUOTA_DIM_REQUESTS, 1);
	struct quota_reason why;

	(void)state;
	begin(&f, 2, rows);
	quota_who_open(f.quota, f.account, SLICE_LIT("bob"), SLICE_LIT(""),
	    &bob);
	press(&f, &f.who, QUOTA_DIM_REQUESTS, 1, SECOND);
	assert_in_range(press(&f, &f.who, QUOTA_DIM_REQUESTS, 1, 10 * SECOND),
	    99, 101);
	quota_spend(&f.who, &c, f.now);
	assert_true(quota_wait_us(&f.who, &c, f.now, &why) > 0);
	assert_int_equal(why.scope, QUOTA_PRINCIPAL);
	assert_int_equal(why.value, 10);
	/* Bob has what alice leaves. */
	assert_int_equal(quota_wait_us(&bob, &c, f.now, &why), 0);
	assert_in_range(press(&f, &bob, QUOTA_DIM_REQUESTS, 1, 10 * SECOND),
	    1000, 1101);
	quota_who_close(&bob);
	end(&f);
}

static void
the_node_holds_for_all(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_REQUESTS,
		.scope = QUOTA_NODE, .value = 10, .burst = 10 };
	struct limits *node = limits_of(1, &row);
	struct quota_who other;
	struct quota_cost c = cost(QUOTA_DIM_REQUESTS, 11);
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 0, NULL);
	quota_set_node(f.quota, node);
	quota_who_open(f.quota, quota_account(f.quota, "billing", f.limits),
	    SLICE_LIT(""), SLICE_LIT(""), &other);
	quota_spend(&f.who, &c, f.now);
	assert_int_equal(quota_wait_us(&other, &c, f.now, &why), SECOND / 10);
	assert_int_equal(why.scope, QUOTA_NODE);
	quota_who_close(&other);
	end(&f);
	limits_unref(node);
}

static void
shadow_holds_up_nobody_and_is_noted(void **state)
{
	struct limit row = { .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000, .burst = 1000,
		.mode = QUOTA_SHADOW };
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, 3000);
	struct quota_reason why;
	struct quota_gauge *g;
	struct fixture f;
	struct limits *enforced;

	(void)state;
	begin(&f, 1, &row);
	g = &f.account->tenant->gauges[QUOTA_DIM_INGRESS];
	quota_spend(&f.who, &c, f.now);
	assert_int_equal(g->record.times, 0);
	/* 2 s of debt: whoever comes in the meantime would have waited. */
	for (int i = 0; i < 100; i++) {
		quota_spend(&f.who, &c, f.now);
		assert_int_equal(quota_throttle_us(&f.who, &c, QUOTA_IN, f.now,
		    &why), 0);
		assert_int_equal(quota_wait_us(&f.who, &c, f.now, &why), 0);
	}
	assert_int_equal(g->record.times, 100);
	assert_int_equal(g->record.us, 200 * (int64_t)SECOND);
	assert_int_equal(g->record.over, 300000);
	/* Enforced from now on, it does not begin with all that. */
	row.mode = QUOTA_ENFORCE;
	enforced = limits_of(1, &row);
	quota_account_set(f.account, enforced);
	assert_int_equal(quota_wait_us(&f.who, &c, f.now, &why), 2 * SECOND);
	quota_account_set(f.account, f.limits);
	limits_unref(enforced);
	end(&f);
}

/* Partitions' as well. */
static void
shadow_on_partitions_too(void **state)
{
	struct limit row = { .dimension = QUOTA_DIM_PARTITION_INGRESS,
		.scope = QUOTA_PARTITION, .value = 1000, .burst = 1000,
		.mode = QUOTA_SHADOW };
	struct quota_reason why = { .us = 0 };
	struct quota_record *record;
	struct limits *enforced;
	struct quota_topic *t;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	t = quota_topic(f.account, SLICE_LIT("hot"));
	assert_int_equal(quota_part_spend(t, 0, false, 3000, f.now, &why), 0);
	record = &quota_part_more(quota_topic_part(t, 0))->record[0];
	assert_int_equal(record->times, 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(quota_part_spend(t, 0, false, 3000, f.now,
		    &why), 0);
		assert_int_equal(quota_part_wait_us(t, 0, false, f.now, &why),
		    0);
	}
	assert_int_equal(record->times, 100);
	assert_int_equal(record->us, 200 * (int64_t)SECOND);
	assert_int_equal(record->over, 300000);
	row.mode = QUOTA_ENFORCE;
	enforced = limits_of(1, &row);
	quota_account_set(f.account, enforced);
	assert_int_equal(quota_part_wait_us(t, 0, false, f.now, &why),
	    2 * SECOND);
	quota_topic_unref(t);
	quota_account_set(f.account, f.limits);
	limits_unref(enforced);
	end(&f);
}

/* What never waits does not lock out what does. */
static void
the_debt_of_what_never_waits_is_bounded(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000, .burst = 1000 };
	struct quota_cost never = { 0 }, c = cost(QUOTA_DIM_INGRESS, 1);
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_cost_add(&never, QUOTA_DIM_INGRESS, 500, false);
	for (int i = 0; i < 1000; i++)
		quota_spend(&f.who, &never, f.now);
	assert_in_range(quota_wait_us(&f.who, &c, f.now, &why), SECOND / 2,
	    2 * SECOND);
	end(&f);
}

/* What passes beside waits when it is more than a limit by itself: for its own
 * kind, direction and holder only. */
static void
what_passes_beside_waits_for_its_like(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_EGRESS, .scope = QUOTA_PRINCIPAL,
		  .value = 1000, .burst = 1000 },
		{ .dimension = QUOTA_DIM_EGRESS, .scope = QUOTA_TENANT,
		  .value = 10000, .burst = 10000 },
	};
	struct quota_reason why = { .us = 0 };
	struct quota_who bob;
	struct fixture f;

	(void)state;
	begin(&f, 2, rows);
	quota_who_open(f.quota, f.account, SLICE_LIT("bob"), SLICE_LIT(""),
	    &bob);
	/* There is no limit of what comes in. */
	quota_aside_spend(&f.who, QUOTA_ASIDE_META, false, 50000, f.now);
	assert_null(f.who.holders[QUOTA_PRINCIPAL]->beside);
	quota_aside_spend(&f.who, QUOTA_ASIDE_META, true, 5000, f.now);
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_META, f.now,
	    &why), 4 * SECOND);
	assert_int_equal(why.scope, QUOTA_PRINCIPAL);
	assert_int_equal(why.dimension, QUOTA_DIM_EGRESS);
	assert_int_equal(why.value, 1000);
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_GROUPS, f.now,
	    &why), 0);
	assert_int_equal(quota_aside_wait_us(&bob, QUOTA_ASIDE_META, f.now,
	    &why), 0);
	/* And the tenant's: bob's and alice's together. */
	quota_aside_spend(&bob, QUOTA_ASIDE_META, true, 15000, f.now);
	f.now += 500000;
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_META, f.now,
	    &why), 3500000);
	assert_int_equal(f.account->tenant->beside->v[QUOTA_ASIDE_META][1].
	    balance, -5000 * BUCKET_UNIT);
	assert_null(f.quota->node->beside);
	quota_who_close(&bob);
	end(&f);
}

static void
the_node_and_clients_hold_what_passes_beside(void **state)
{
	struct limit row = { .dimension = QUOTA_DIM_EGRESS,
		.scope = QUOTA_CLIENT, .value = 1000, .burst = 1000 };
	struct quota_reason why = { .us = 0 };
	struct limits *node;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	row.scope = QUOTA_NODE;
	node = limits_of(1, &row);
	quota_aside_spend(&f.who, QUOTA_ASIDE_GROUPS, true, 3000, f.now);
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_GROUPS, f.now,
	    &why), 2 * SECOND);
	assert_int_equal(why.scope, QUOTA_CLIENT);
	quota_set_node(f.quota, node);
	quota_aside_spend(&f.who, QUOTA_ASIDE_META, true, 4000, f.now);
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_META, f.now,
	    &why), 3 * SECOND);
	f.who.holders[QUOTA_CLIENT]->active = 0;
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_META, f.now,
	    &why), 3 * SECOND);
	assert_int_equal(why.scope, QUOTA_NODE);
	end(&f);
	limits_unref(node);
}

/* Who owes only beside what others wait for does not get out of it either. */
static void
leaving_pays_nothing_beside(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_EGRESS,
		.scope = QUOTA_PRINCIPAL, .value = 1000, .burst = 1000 };
	struct quota_reason why = { .us = 0 };
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_aside_spend(&f.who, QUOTA_ASIDE_META, true, 5000, f.now);
	quota_who_close(&f.who);
	f.now += SECOND;
	quota_tick(f.quota, f.now);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"),
	    SLICE_LIT("app"), &f.who);
	assert_int_equal(quota_aside_wait_us(&f.who, QUOTA_ASIDE_META, f.now,
	    &why), 3 * SECOND);
	quota_who_close(&f.who);
	f.now += 6 * SECOND;
	quota_tick(f.quota, f.now);
	assert_int_equal(htab_count(f.account->holders), 0);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"),
	    SLICE_LIT("app"), &f.who);
	end(&f);
}

static void
client_ids_come_and_go(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_CONNECTIONS, .scope = QUOTA_CLIENT,
		  .value = 1 },
		{ .dimension = QUOTA_DIM_CONNECTIONS, .scope = QUOTA_TENANT,
		  .value = 100 },
	};
	struct quota_reason why;
	struct quota_who other;
	struct fixture f;

	(void)state;
	begin(&f, 2, rows);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"), SLICE_LIT("b"),
	    &other);
	assert_true(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	assert_true(quota_count(&other, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	/* The name of one that has its connection. */
	assert_false(quota_who_rename(&other, SLICE_LIT("alice"),
	    SLICE_LIT("app"), true, f.now, &why));
	assert_int_equal(why.scope, QUOTA_CLIENT);
	/* All others still count it. */
	assert_int_equal(quota_gauge_count(&f.account->tenant->gauges[
	    QUOTA_DIM_CONNECTIONS]), 2);
	assert_true(quota_who_rename(&f.who, SLICE_LIT("alice"),
	    SLICE_LIT("c"), true, f.now, &why));
	assert_null(other.holders[QUOTA_CLIENT]);
	assert_int_equal(quota_gauge_count(&f.who.holders[QUOTA_CLIENT]->
	    gauges[QUOTA_DIM_CONNECTIONS]), 1);
	assert_true(quota_who_rename(&other, SLICE_LIT("alice"),
	    SLICE_LIT("app"), true, f.now, &why));
	quota_uncount(&other, QUOTA_DIM_CONNECTIONS, 1);
	quota_uncount(&f.who, QUOTA_DIM_CONNECTIONS, 1);
	for (int s = QUOTA_TENANT; s <= QUOTA_CLIENT; s++)
		assert_int_equal(quota_gauge_count(&f.who.holders[s]->gauges[
		    QUOTA_DIM_CONNECTIONS]), 0);
	quota_who_close(&other);
	end(&f);
}

/* As many as an enforced limit would have, and no debt beyond. */
static void
shadow_notes_what_it_would_refuse(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_CONNECTION_ATTEMPTS,
		  .scope = QUOTA_TENANT, .value = 10, .burst = 10,
		  .mode = QUOTA_SHADOW },
		{ .dimension = QUOTA_DIM_CONNECTION_ATTEMPTS,
		  .scope = QUOTA_PRINCIPAL, .value = 100, .burst = 100 },
	};
	struct quota_reason why;
	struct quota_gauge *g;
	struct fixture f;

	(void)state;
	begin(&f, 2, rows);
	for (int i = 0; i < 100; i++)
		assert_true(quota_take(&f.who, QUOTA_DIM_CONNECTION_ATTEMPTS,
		    1, f.now, &why));
	g = &f.account->tenant->gauges[QUOTA_DIM_CONNECTION_ATTEMPTS];
	assert_int_equal(g->record.times, 100 - 11);
	assert_int_equal(g->record.worst_us, SECOND / 10);
	f.now += SECOND;
	assert_true(quota_take(&f.who, QUOTA_DIM_CONNECTION_ATTEMPTS, 1, f.now,
	    &why));
	assert_int_equal(g->record.times, 100 - 11);
	end(&f);
}

static void
a_changed_limit_keeps_what_is_owed(void **state)
{
	struct limit row = { .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000, .burst = 1000 };
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, 11000);
	struct quota_reason why;
	struct limits *more, *none;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_spend(&f.who, &c, f.now);
	assert_int_equal(quota_wait_us(&f.who, &c, f.now, &why), 10 * SECOND);
	row.value = 10000;
	more = limits_of(1, &row);
	quota_account_set(f.account, more);
	assert_int_equal(quota_wait_us(&f.who, &c, f.now, &why), SECOND);
	assert_int_equal(why.value, 10000);
	none = limits_of(0, NULL);
	quota_account_set(f.account, none);
	assert_int_equal(quota_wait_us(&f.who, &c, f.now, &why), 0);
	quota_account_set(f.account, f.limits);
	limits_unref(more);
	limits_unref(none);
	end(&f);
}

/* One request each of two principals, one of whom has ten connections: told to
 * wait so that both get the same. */
static void
principals_are_told_equal_shares(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_INGRESS,
		.scope = QUOTA_TENANT, .value = 1000, .burst = 1000 };
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, 100);
	struct quota_cost all = cost(QUOTA_DIM_INGRESS, 1000);
	struct quota_reason why;
	struct quota_who bob;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_who_open(f.quota, f.account, SLICE_LIT("bob"), SLICE_LIT(""),
	    &bob);
	quota_spend(&f.who, &all, f.now);
	quota_owe(&f.who, QUOTA_IN, 900, true);
	quota_spend(&f.who, &c, f.now);
	/* 100 of debt, 900 before it, and bob is not there. */
	assert_int_equal(quota_throttle_us(&f.who, &c, QUOTA_IN, f.now, &why),
	    SECOND);
	/* Bob waits for the debt and one turn of alice. */
	assert_int_equal(quota_throttle_us(&bob, &c, QUOTA_IN, f.now, &why),
	    SECOND / 5);
	quota_owe(&bob, QUOTA_IN, 100, true);
	assert_int_equal(quota_throttle_us(&f.who, &c, QUOTA_IN, f.now, &why),
	    2 * SECOND);
	quota_owe(&bob, QUOTA_IN, 100, false);
	quota_owe(&f.who, QUOTA_IN, 900, false);
	assert_int_equal(f.account->owing[QUOTA_IN], 0);
	quota_who_close(&bob);
	end(&f);
}

/* What others owe is counted in what the limit is about. */
static void
requests_wait_for_requests(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_REQUESTS,
		.scope = QUOTA_TENANT, .value = 10, .burst = 10 };
	struct quota_cost c = cost(QUOTA_DIM_REQUESTS, 1);
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	for (int i = 0; i < 11; i++)
		quota_spend(&f.who, &c, f.now);
	for (int i = 0; i < 4; i++)
		quota_owe(&f.who, QUOTA_IN, 1000000, true);
	assert_int_equal(quota_throttle_us(&f.who, &c, QUOTA_IN, f.now, &why),
	    SECOND / 2);
	for (int i = 0; i < 4; i++)
		quota_owe(&f.who, QUOTA_IN, 1000000, false);
	end(&f);
}

static void
counts_up_to_the_limit(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_CONNECTIONS,
		.scope = QUOTA_TENANT, .value = 2 };
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	for (int i = 0; i < 2; i++)
		assert_true(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1,
		    f.now, &why));
	assert_false(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	assert_int_equal(why.value, 2);
	quota_uncount(&f.who, QUOTA_DIM_CONNECTIONS, 1);
	assert_true(quota_count(&f.who, QUOTA_DIM_CONNECTIONS, 1, f.now,
	    &why));
	end(&f);
}

static void
partitions_have_buckets_of_their_own(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_PARTITION_INGRESS,
		  .scope = QUOTA_PARTITION, .value = 5000, .burst = 5000,
		  .topic = hot_ones },
		{ .dimension = QUOTA_DIM_PARTITION_EGRESS,
		  .scope = QUOTA_PARTITION, .value = 10000, .burst = 10000 },
	};
	static const int32_t which[] = { 0, 15, 16, 65534 };
	struct quota_reason why = { .us = 0 };
	struct quota_topic *hot, *cold;
	struct fixture f;

	(void)state;
	begin(&f, 2, rows);
	hot = quota_topic(f.account, SLICE_LIT("hotter"));
	cold = quota_topic(f.account, SLICE_LIT("cold"));
	assert_false(quota_topic_limited(cold, false));
	assert_true(quota_topic_limited(cold, true));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(quota_part_spend(hot, which[i], false, 10000,
		    f.now, &why), SECOND);
		assert_int_equal(quota_part_spend(hot, which[i], true, 10000,
		    f.now, &why), 0);
	}
	assert_int_equal(why.dimension, QUOTA_DIM_PARTITION_INGRESS);
	assert_int_equal(why.value, 5000);
	assert_int_equal(quota_part_wait_us(hot, 1, false, f.now, &why), 0);
	assert_int_equal(quota_part_wait_us(hot, 16, false,
	    f.now + SECOND / 2, &why), SECOND / 2);
	/* Beyond what has buckets. */
	assert_int_equal(quota_part_spend(hot, QUOTA_PARTITIONS_MAX, false,
	    1000000, f.now, &why), 0);
	assert_int_equal(quota_part_spend(hot, -1, false, 1000000, f.now,
	    &why), 0);
	assert_true(sizeof(struct quota_part) < 64);
	quota_topic_unref(hot);
	quota_topic_unref(cold);
	end(&f);
}

static const struct limit hot_row = {
	.dimension = QUOTA_DIM_PARTITION_INGRESS, .scope = QUOTA_PARTITION,
	.value = 1000, .burst = 1000, .topic = hot_ones };

/* Whatever partitions somebody names. */
static void
a_look_makes_no_buckets(void **state)
{
	struct quota_reason why = { .us = 0 };
	struct quota_topic *t;
	struct fixture f;

	(void)state;
	begin(&f, 1, &hot_row);
	t = quota_topic(f.account, SLICE_LIT("hot"));
	for (int32_t i = 0; i < QUOTA_PARTITIONS_MAX; i = 2 * i + 1)
		assert_int_equal(quota_part_wait_us(t, i, false, f.now, &why),
		    0);
	for (int i = 0; i < QUOTA_LEVELS; i++)
		assert_null(atomic_load(&t->levels[i]));
	quota_part_spend(t, 3, false, 2000, f.now, &why);
	assert_int_equal(quota_part_wait_us(t, 3, false, f.now, &why), SECOND);
	assert_false(quota_topic_has(t, 7));
	quota_topic_unref(t);
	end(&f);
}

/* Nobody looks at partitions while none of them is in debt. */
static void
says_whether_any_partition_owes(void **state)
{
	const struct limit slower = { .dimension = QUOTA_DIM_PARTITION_INGRESS,
		.scope = QUOTA_PARTITION, .value = 1, .burst = 1 };
	struct quota_reason why = { .us = 0 };
	struct quota_topic *hot, *other;
	struct limits *changed;
	struct fixture f;

	(void)state;
	begin(&f, 1, &hot_row);
	hot = quota_topic(f.account, SLICE_LIT("hot"));
	other = quota_topic(f.account, SLICE_LIT("hot-2"));
	quota_part_spend(hot, 3, false, 1000, f.now, &why);
	assert_false(quota_parts_owe(f.account, false, f.now));
	assert_int_equal(quota_part_spend(hot, 3, false, 2000, f.now, &why),
	    2 * SECOND);
	assert_true(quota_parts_owe(f.account, false, f.now + SECOND));
	assert_true(quota_topic_owes(hot, false, f.now + SECOND));
	assert_false(quota_topic_owes(other, false, f.now));
	assert_false(quota_parts_owe(f.account, true, f.now));
	f.now += 2 * SECOND;
	assert_int_equal(quota_part_wait_us(hot, 3, false, f.now, &why), 0);
	assert_false(quota_parts_owe(f.account, false, f.now));
	/* What was a second's debt is an hour's by another limit. */
	quota_part_spend(hot, 3, false, 2000, f.now, &why);
	changed = limits_of(1, &slower);
	clock_us = f.now;
	quota_account_set(f.account, changed);
	f.now += 5 * SECOND;
	assert_true(quota_topic_owes(hot, false, f.now));
	assert_true(quota_part_wait_us(hot, 3, false, f.now, &why) > 1000LL *
	    SECOND);
	assert_true(quota_parts_owe(f.account, false, f.now + 1000LL *
	    SECOND));
	limits_unref(changed);
	quota_topic_unref(hot);
	quota_topic_unref(other);
	end(&f);
}

/* However many there are, a tick looks at some of them, and at all in time. */
static void
a_tick_looks_at_some_partitions(void **state)
{
	enum { LAST = QUOTA_PARTITIONS_MAX - 1 };
	struct quota_reason why = { .us = 0 };
	const struct quota_part *last;
	struct quota_topic *t;
	struct fixture f;
	int ticks = 0;

	(void)state;
	begin(&f, 1, &hot_row);
	t = quota_topic(f.account, SLICE_LIT("hot"));
	quota_part_spend(t, LAST, false, 2000, f.now, &why);
	quota_topic_unref(t);
	f.now += 10 * SECOND;
	/* Somebody has come in the middle of it, and gone. */
	quota_tick(f.quota, f.now);
	assert_true(t->swept > 0);
	last = &((struct quota_part *)atomic_load(&t->levels[15]))[LAST -
	    32767];
	assert_int_equal(atomic_load(&last->bucket[0].at_us), f.now -
	    10 * SECOND);
	assert_ptr_equal(quota_topic(f.account, SLICE_LIT("hot")), t);
	quota_part_spend(t, 32767, false, 1001, f.now, &why);
	quota_topic_unref(t);
	while (htab_count(f.account->topics) > 0 && ticks++ < 100)
		quota_tick(f.quota, f.now += SECOND);
	/* Twice through all 32768 of them, without the first tick. */
	assert_in_range(ticks, 7, 9);
	/* Small ones do not wait for others. */
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "hot%d", i);
		t = quota_topic(f.account, slice_of(name));
		quota_part_spend(t, 0, false, 2000, f.now, &why);
		if (i != 50)
			quota_topic_unref(t);
	}
	quota_tick(f.quota, f.now);
	assert_int_equal(htab_count(f.account->topics), 100);
	quota_tick(f.quota, f.now + 2 * SECOND);
	assert_int_equal(htab_count(f.account->topics), 1);
	assert_non_null(htab_get(f.account->topics, SLICE_LIT("hot50")));
	end(&f);
}

static void
too_many_topics_share_one(void **state)
{
	const struct limit rows[] = { hot_row,
		{ .dimension = QUOTA_DIM_PARTITION_INGRESS,
		  .scope = QUOTA_PARTITION, .value = 5, .burst = 5,
		  .mode = QUOTA_SHADOW, .topic = alice } };
	struct quota_reason why = { .us = 0 };
	struct quota_topic *t[3];
	struct fixture f;

	(void)state;
	begin(&f, 2, rows);
	/* Without a limit there is nothing to keep. */
	assert_null(quota_topic(f.account, SLICE_LIT("cold")));
	assert_int_equal(htab_count(f.account->topics), 0);
	for (int i = 0; i < QUOTA_HOLDERS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "hot%d", i);
		t[0] = quota_topic(f.account, slice_of(name));
		assert_string_equal(t[0]->name, name);
	}
	t[0] = quota_topic(f.account, SLICE_LIT("hot!"));
	t[1] = quota_topic(f.account, SLICE_LIT("alice"));
	t[2] = quota_topic(f.account, SLICE_LIT("hot7"));
	assert_ptr_equal(t[0], t[1]);
	assert_string_equal(t[2]->name, "hot7");
	assert_null(quota_topic(f.account, SLICE_LIT("cold")));
	/* Under the least limit that is enforced. */
	assert_int_equal(quota_part_spend(t[0], 0, false, 2000, f.now, &why),
	    SECOND);
	assert_int_equal(why.value, 1000);
	assert_int_equal(htab_count(f.account->topics),
	    QUOTA_HOLDERS_MAX + 1);
	end(&f);
}

/* Whoever leaves in debt comes back in debt. */
static void
leaving_pays_nothing(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_REQUESTS,
		.scope = QUOTA_PRINCIPAL, .value = 10, .burst = 10 };
	struct quota_cost c = cost(QUOTA_DIM_REQUESTS, 110);
	struct quota_reason why;
	struct fixture f;

	(void)state;
	begin(&f, 1, &row);
	quota_spend(&f.who, &c, f.now);
	quota_who_close(&f.who);
	quota_tick(f.quota, f.now + SECOND);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"),
	    SLICE_LIT("other"), &f.who);
	assert_int_equal(quota_wait_us(&f.who, &c, f.now + SECOND, &why),
	    9 * SECOND);
	/* Paid and full again, it is forgotten. */
	quota_who_close(&f.who);
	quota_tick(f.quota, f.now + 30 * SECOND);
	assert_int_equal(htab_count(f.account->holders), 0);
	quota_who_open(f.quota, f.account, SLICE_LIT("alice"),
	    SLICE_LIT("app"), &f.who);
	end(&f);
}

static void
too_many_principals_share_one(void **state)
{
	struct quota_who w[2];
	struct fixture f;

	(void)state;
	begin(&f, 0, NULL);
	for (int i = 0; i < QUOTA_HOLDERS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p%d", i);
		quota_who_open(f.quota, f.account, slice_of(name),
		    SLICE_LIT(""), &w[0]);
		quota_who_close(&w[0]);
	}
	for (int i = 0; i < 2; i++)
		quota_who_open(f.quota, f.account, i ? SLICE_LIT("x") :
		    SLICE_LIT("y"), SLICE_LIT(""), &w[i]);
	assert_ptr_equal(w[0].holders[QUOTA_PRINCIPAL],
	    w[1].holders[QUOTA_PRINCIPAL]);
	for (int i = 0; i < 2; i++)
		quota_who_close(&w[i]);
	end(&f);
}

static void
says_which_limit(void **state)
{
	const struct limit row = { .dimension = QUOTA_DIM_FETCH_BYTES,
		.scope = QUOTA_TENANT, .value = 55000000 };
	struct quota_reason why;
	struct fixture f;
	char text[200];

	(void)state;
	begin(&f, 1, &row);
	assert_int_equal(quota_size_limit(&f.who, QUOTA_DIM_FETCH_BYTES,
	    60000000, f.now, &why), 55000000);
	quota_reason_text(&why, text, sizeof(text));
	assert_string_equal(text, "over the limit fetch_bytes of this tenant: "
	    "55000000 bytes");
	assert_int_equal(why.record->times, 1);
	assert_int_equal(quota_size_limit(&f.who, QUOTA_DIM_MESSAGE_BYTES, 1,
	    f.now, &why), -1);
	end(&f);
}

/* ---- what the log is told ---- */

static void
the_log_has_the_first_a_summary_and_the_end(void **state)
{
	const struct limit rows[] = {
		{ .dimension = QUOTA_DIM_INGRESS, .scope = QUOTA_TENANT,
		  .value = 1000, .burst = 1000, .warn = { 80, 95 } },
		{ .dimension = QUOTA_DIM_PARTITION_INGRESS,
		  .scope = QUOTA_PARTITION, .value = 10, .burst = 10 },
	};
	struct quota_cost c = cost(QUOTA_DIM_INGRESS, 850);
	char path[] = "/tmp/test_quota.XXXXXX";
	struct quota_reason why = { .us = 0 };
	struct quota_topic *t;
	struct fixture f;

	(void)state;
	close(mkstemp(path));
	assert_true(log_to_file(path));
	begin(&f, 2, rows);
	for (int s = 0; s < 200; s++) {
		quota_spend(&f.who, &c, f.now);
		if (s >= 10 && s < 150) {
			quota_throttle_us(&f.who, &c, QUOTA_IN, f.now, &why);
			quota_note(&f.account->tenant->gauges[
			    QUOTA_DIM_INGRESS].record, 1000, f.now);
		}
		quota_tick(f.quota, f.now);
		f.now += SECOND;
	}
	/* 140 s of it: one line, two summaries, one end. */
	assert_int_equal(count_lines(path, "\"limit reached\""), 1);
	assert_int_equal(count_lines(path, "\"limit goes on"), 2);
	assert_int_equal(count_lines(path, "\"limit no longer"), 1);
	assert_int_equal(count_lines(path, "percent=85"), 1);
	t = quota_topic(f.account, SLICE_LIT("hot"));
	quota_part_spend(t, 3, false, 100, f.now, &why);
	quota_note(why.record, why.us, f.now);
	quota_tick(f.quota, f.now);
	assert_int_equal(count_lines(path, "topic=\"hot\" partition=3"), 1);
	quota_topic_unref(t);
	end(&f);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_a_rate_exactly),
		cmocka_unit_test(a_window_is_a_slow_rate),
		cmocka_unit_test(a_restart_brings_no_burst_of_a_window),
		cmocka_unit_test(a_windows_use_is_what_was_spent),
		cmocka_unit_test(counts_have_peaks),
		cmocka_unit_test(tells_who_uses_it_whoever_asks),
		cmocka_unit_test(every_scope_holds),
		cmocka_unit_test(the_node_holds_for_all),
		cmocka_unit_test(shadow_holds_up_nobody_and_is_noted),
		cmocka_unit_test(shadow_on_partitions_too),
		cmocka_unit_test(shadow_notes_what_it_would_refuse),
		cmocka_unit_test(the_debt_of_what_never_waits_is_bounded),
		cmocka_unit_test(what_passes_beside_waits_for_its_like),
		cmocka_unit_test(the_node_and_clients_hold_what_passes_beside),
		cmocka_unit_test(leaving_pays_nothing_beside),
		cmocka_unit_test(client_ids_come_and_go),
		cmocka_unit_test(a_changed_limit_keeps_what_is_owed),
		cmocka_unit_test(principals_are_told_equal_shares),
		cmocka_unit_test(requests_wait_for_requests),
		cmocka_unit_test(counts_up_to_the_limit),
		cmocka_unit_test(partitions_have_buckets_of_their_own),
		cmocka_unit_test(a_look_makes_no_buckets),
		cmocka_unit_test(says_whether_any_partition_owes),
		cmocka_unit_test(a_tick_looks_at_some_partitions),
		cmocka_unit_test(too_many_topics_share_one),
		cmocka_unit_test(leaving_pays_nothing),
		cmocka_unit_test(too_many_principals_share_one),
		cmocka_unit_test(says_which_limit),
		cmocka_unit_test(the_log_has_the_first_a_summary_and_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
