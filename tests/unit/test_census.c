/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Censuses with brokers that answer, refuse and are silent: whose the names
 * are, when brokers are asked, and what is known when they do not say it. On a
 * clock that stands still until the test moves it.
 */
#include "gateway/census_control.h"

#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/wire/errors.h"
#include "quota/limits.h"
#include "quota/stock.h"
#include "routing/upstream.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/fake_time.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/tenants_fixture.h"
#include "wire/messages.h"

static const enum quota_named groups = QUOTA_NAMED_GROUPS,
    txns = QUOTA_NAMED_TXNS;

enum mood { ANSWERS, REFUSES, MUTE };

static struct {
	struct gateway		 gateway;
	struct config		 config;
	struct fake_broker	 fake[2];
	enum mood		 second;	/* the second broker's */
	const char		*more;		/* a group of the first one's */
	/* What the worker was handed. */
	struct census		*got;
	int			 handed;
	int			 asked;		/* questions, of both */
} world;

/* Stand in. */

void
gateway_upstream_options(const struct gateway *g, struct upstream_options *o)
{
	(void)g;
	*o = (struct upstream_options){ .idle_ms = 3600000, .idle_max = 2 };
}

void
worker_set_census(struct worker *w, struct census *c)
{
	(void)w;
	census_unref(world.got);
	world.got = census_ref(c);
	world.handed++;
}

/* ---- brokers ---- */

static void
say_groups(struct fake_request *q, bool first, int16_t code)
{
	struct list_groups_response_groups v[] = {
		{ .group_id = first ? SLICE_LIT("pay.a") :
		    SLICE_LIT("pay.b") },
		{ .group_id = SLICE_LIT("pay.both") },
		{ .group_id = first ? SLICE_LIT("x") : SLICE_LIT("y") },
		{ .group_id = SLICE_LIT("free.g") },
		{ .group_id = slice_of(world.more) },
	};
	struct list_groups_response r = { .error_code = code,
		.groups = { v, first && world.more != NULL ? 5 : 4 } };

	for (int i = 0; i < r.groups.n; i++)
		v[i].protocol_type = SLICE_LIT("");
	if (code != 0)
		r.groups.n = 0;
	fake_reply(q, &r);
}

static void
say_txns(struct fake_request *q, bool first)
{
	struct list_transactions_response_transaction_states v[] = {
		{ .transactional_id = SLICE_LIT("pay.tx"),
		    .transaction_state = SLICE_LIT("Empty") },
	};
	const struct list_transactions_response r = {
		.transaction_states = { v, first ? 1 : 0 } };

	fake_reply(q, &r);
}

static void
serve(struct fake_broker *b, struct fake_request *q)
{
	bool first = b == &world.fake[0];

	world.asked++;
	if (!first && world.second == MUTE)
		return;
	if (q->head.api_key == API_LIST_GROUPS)
		say_groups(q, first, first || world.second == ANSWERS ? 0 :
		    KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	else
		say_txns(q, first);
}

static struct cluster *
make_cluster(void)
{
	const struct fake_broker *const v[] = { &world.fake[0],
	    &world.fake[1] };
	struct cluster *c = fake_cluster(v, 2);

	for (int i = 0; i < CLUSTER_API_MAX; i++)
		c->apis[i] = (struct api_range){ 0, -1 };
	c->apis[API_LIST_GROUPS] = (struct api_range){ 0, 5 };
	c->apis[API_LIST_TRANSACTIONS] = (struct api_range){ 0, 1 };
	return c;
}

/* ---- the world ---- */

static void
load_tenants(void)
{
	struct error_list errs = { NULL, 0 };
	struct gateway *g = &world.gateway;
	struct tenants *t;

	assert_true(tenants_load(&world.config, &t, &errs));
	tenants_unref(g->tenants);
	g->tenants = t;
}

static int
set_up(void **state)
{
	static struct worker worker;
	struct gateway *g = &world.gateway;

	(void)state;
	memset(&world, 0, sizeof(world));
	log_to_file("/dev/null");
	fake_time_begin();
	folder_begin();
	least_config(&world.config);
	world.config.quota.census_ms = 30000;
	world.config.quota.made = limits_builtin("unlimited");
	write_file("pay.json", "{\"members\": [{\"sni\": \"a\"}], "
	    "\"quota\": {\"limits\": ["
	    "{\"dimension\": \"groups\", \"value\": 9}, "
	    "{\"dimension\": \"transactional_ids\", \"value\": 9}]}}");
	write_file("ops.json", "{\"members\": [{\"sni\": \"b\"}], "
	    "\"namespace\": \"shared\", \"quota\": {\"limits\": ["
	    "{\"dimension\": \"groups\", \"value\": 9}]}}");
	write_file("free.json", "{\"members\": [{\"sni\": \"c\"}]}");
	g->config = &world.config;
	g->control = loop_new();
	g->metrics = metric_new();
	g->quota = quota_new(1);
	g->workers[0] = &worker;
	g->worker_count = 1;
	for (int i = 0; i < 2; i++) {
		fake_init(&world.fake[i], g->control, i + 1, 0);
		world.fake[i].serve = serve;
	}
	g->cluster = make_cluster();
	load_tenants();
	return 0;
}

static int
tear_down(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	census_control_free(g);
	census_unref(world.got);
	quota_free(g->quota);
	tenants_unref(g->tenants);
	limits_unref(world.config.quota.made);
	for (int i = 0; i < 2; i++)
		fake_fini(&world.fake[i]);
	cluster_unref(g->cluster);
	metric_free(g->metrics);
	loop_free(g->control);
	clock_replace(NULL);
	return folder_end();
}

static void
pass(int ms)
{
	for (; ms > 0; ms -= LOOP_TICK_MS) {
		fake_us += LOOP_TICK_MS * 1000;
		loop_turn(world.gateway.control, 0);
		census_control_tick(&world.gateway);
	}
}

/* Until the worker has been handed so many in all; no time passes. */
static void
until_handed(int n)
{
	census_control_tick(&world.gateway);
	UNTIL(world.gateway.control, world.handed >= n);
	assert_int_equal(world.handed, n);
}

static const struct quota_stock *
stock(const char *tenant)
{
	const struct census_tenant *t = census_tenant(world.got, tenant);

	return t != NULL ? t->stock : NULL;
}

static bool
has(const char *tenant, enum quota_named kind, const char *name)
{
	return quota_stock_has(stock(tenant), kind, slice_of(name));
}

/* ---- tests ---- */

static void
deals_names_to_tenants(void **state)
{
	(void)state;
	until_handed(1);
	assert_int_equal(quota_stock_count(stock("pay"), groups), 3);
	assert_true(has("pay", groups, "pay.a"));
	assert_true(has("pay", groups, "pay.b"));
	assert_true(has("pay", groups, "pay.both"));
	assert_int_equal(quota_stock_count(stock("pay"), txns), 1);
	/* What is nobody else's. */
	assert_int_equal(quota_stock_count(stock("ops"), groups), 2);
	assert_true(has("ops", groups, "x"));
	assert_true(has("ops", groups, "y"));
	assert_int_equal(quota_stock_count(stock("ops"), txns), 0);
	assert_null(stock("free"));
	assert_null(stock("nobody"));
}

static struct seeking {
	enum quota_dimension	 d;
	int64_t			 use;
} seeking;

static void
seek_row(void *arg, const struct quota_row *r)
{
	struct seeking *s = arg;

	if (r->dimension == s->d)
		s->use = r->use;
}

static void
seek_user(void *arg, const struct quota_user *u)
{
	(void)arg;
	(void)u;
}

/* -1: it has no such limit. */
static int64_t
shown(const char *tenant, enum quota_dimension d)
{
	const struct quota_asked all = { NULL, NULL, -1 };

	seeking = (struct seeking){ d, -1 };
	(void)quota_show(world.gateway.quota, tenant, &all, fake_us, seek_row,
	    seek_user, &seeking);
	return seeking.use;
}

static void
shows_what_there_is(void **state)
{
	(void)state;
	until_handed(1);
	assert_int_equal(shown("pay", QUOTA_DIM_GROUPS), 3);
	assert_int_equal(shown("pay", QUOTA_DIM_TRANSACTIONAL_IDS), 1);
	assert_int_equal(shown("ops", QUOTA_DIM_GROUPS), 2);
	assert_int_equal(shown("free", QUOTA_DIM_GROUPS), -1);
}

static void
asks_again_and_again(void **state)
{
	(void)state;
	until_handed(1);
	assert_int_equal(world.asked, 4);
	pass(29800);
	assert_int_equal(world.asked, 4);
	pass(300);
	until_handed(2);
	assert_int_equal(world.asked, 8);
	assert_int_equal(metric_total(METRIC_CENSUSES_FAILED), 0);
}

static void
asks_soon_when_it_is_wished(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	until_handed(1);
	pass(2000);
	world.more = "pay.new";
	for (int i = 0; i < 100; i++)
		census_wish(g, false);
	pass(900);
	assert_int_equal(world.handed, 1);
	pass(200);
	until_handed(2);
	assert_true(has("pay", groups, "pay.new"));
	/* At once, but not before the gap is over. */
	census_wish(g, true);
	census_control_tick(g);
	pass(400);
	assert_int_equal(world.asked, 8);
	pass(200);
	until_handed(3);
	/* A wish is served once. */
	pass(20000);
	assert_int_equal(world.handed, 3);
}

static void
asks_again_for_what_does_not_show(void **state)
{
	struct quota_who w;
	struct quota_reason why;
	struct quota_account *a;

	(void)state;
	until_handed(1);
	a = quota_account(world.gateway.quota, "pay", NULL);
	quota_who_open(world.gateway.quota, a, SLICE_LIT(""), SLICE_LIT(""),
	    &w);
	assert_int_equal(quota_make(&w, groups, SLICE_LIT("pay.late"), 0,
	    fake_us, &why), QUOTA_MADE);
	assert_int_equal(shown("pay", QUOTA_DIM_GROUPS), 4);
	census_wish(&world.gateway, false);
	pass(1200);
	until_handed(2);
	pass(5200);
	until_handed(3);
	assert_int_equal(shown("pay", QUOTA_DIM_GROUPS), 3);
	pass(20000);
	assert_int_equal(world.handed, 3);
	quota_who_close(&w);
}

static void
keeps_what_it_knew(void **state)
{
	uint64_t failed = metric_total(METRIC_CENSUSES_FAILED);

	(void)state;
	until_handed(1);
	world.second = REFUSES;
	pass(31000);
	until_handed(2);
	assert_int_equal(metric_total(METRIC_CENSUSES_FAILED) - failed, 1);
	assert_true(has("pay", groups, "pay.b"));
	assert_int_equal(shown("pay", QUOTA_DIM_GROUPS), 3);
	/* What could be had is new. */
	assert_true(has("pay", txns, "pay.tx"));
	world.second = ANSWERS;
	pass(5200);
	until_handed(3);
	assert_int_equal(metric_total(METRIC_CENSUSES_FAILED) - failed, 1);
}

/* Nobody knows: new names pass, and what is known stays. */
static void
is_not_sure_while_brokers_are_silent(void **state)
{
	struct quota_who w;
	struct quota_reason why;

	(void)state;
	world.second = MUTE;
	census_control_tick(&world.gateway);
	pass(6000);
	until_handed(1);
	assert_int_equal(quota_stock_count(stock("pay"), groups), 0);
	quota_who_open(world.gateway.quota, quota_account(world.gateway.quota,
	    "pay", NULL), SLICE_LIT(""), SLICE_LIT(""), &w);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "pay.%d", i);
		assert_int_equal(quota_make(&w, groups, slice_of(name), 0,
		    fake_us, &why), QUOTA_UNSURE);
	}
	quota_who_close(&w);
}

static void
asks_nobody_without_limits(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	until_handed(1);
	write_file("pay.json", "{\"members\": [{\"sni\": \"a\"}]}");
	write_file("ops.json", "{\"members\": [{\"sni\": \"b\"}], "
	    "\"namespace\": \"shared\"}");
	load_tenants();
	pass(1000);
	assert_int_equal(world.handed, 2);
	assert_null(world.got);
	pass(60000);
	assert_int_equal(world.handed, 2);
	assert_int_equal(world.asked, 4);
	/* A limit that comes is served at once. */
	write_file("pay.json", "{\"members\": [{\"sni\": \"a\"}], "
	    "\"quota\": {\"limits\": ["
	    "{\"dimension\": \"transactional_ids\", \"value\": 9}]}}");
	load_tenants();
	census_control_tick(g);
	until_handed(3);
	assert_int_equal(world.asked, 6);
	assert_int_equal(quota_stock_count(stock("pay"), groups), 0);
	assert_int_equal(quota_stock_count(stock("pay"), txns), 1);
}

static void
counts_all_clients_without_tenants(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	tenants_unref(g->tenants);
	g->tenants = NULL;
	limits_unref(world.config.quota.made);
	world.config.quota.made = limits_builtin("dev");
	until_handed(1);
	assert_int_equal(quota_stock_count(stock(""), groups), 6);
	assert_int_equal(quota_stock_count(stock(""), txns), 1);
	assert_int_equal(shown("", QUOTA_DIM_GROUPS), 6);
}

/* A broker that is asked when weir ends. */
static void
ends_amid_questions(void **state)
{
	(void)state;
	world.second = MUTE;
	census_control_tick(&world.gateway);
	UNTIL(world.gateway.control, world.asked >= 3);
	assert_int_equal(world.handed, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(deals_names_to_tenants),
		TEST(shows_what_there_is),
		TEST(asks_again_and_again),
		TEST(asks_soon_when_it_is_wished),
		TEST(asks_again_for_what_does_not_show),
		TEST(keeps_what_it_knew),
		TEST(is_not_sure_while_brokers_are_silent),
		TEST(asks_nobody_without_limits),
		TEST(counts_all_clients_without_tenants),
		TEST(ends_amid_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
