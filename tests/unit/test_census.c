/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Censuses with brokers that answer, refuse and are silent: whose the names
 * are, when brokers are asked, and what is known when they do not say it. On a
 * clock that stands still until the test moves it.
 */
#include "gateway/census_control.h"

#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/census_policies.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/wire/errors.h"
#include "quota/limits.h"
#include "quota/stock.h"
#include "routing/upstream.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/fake_time.h"
#include "tests/unit/log_lines.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/tenants_fixture.h"
#include "wire/messages.h"

static const enum quota_named groups = QUOTA_NAMED_GROUPS,
    txns = QUOTA_NAMED_TXNS;

enum mood { ANSWERS, REFUSES, MUTE };

enum { TOPICS_MAX = 1200, PARTS = 2 };

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
	/* Topics: t0, t1 ... of pay's, each with PARTS partitions. */
	struct topic		 topics[TOPICS_MAX];
	struct partition	 parts[TOPICS_MAX][PARTS];
	char			 names[TOPICS_MAX][16];
	const char		*policies[TOPICS_MAX];	/* NULL: delete */
	int			 configs;	/* topics asked about */
	int16_t			 denied;	/* DescribeConfigs: an error */
	int32_t			 operations;	/* of weir's own user */
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

static int
number_of(struct slice name)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(name));
	return (int)strtol(text + strlen("pay.t"), NULL, 10);
}

static void
say_configs(struct fake_request *q)
{
	const struct describe_configs_request *from = q->body;
	struct describe_configs_response *to = codec_new(
	    q->head.schema->response, &q->arena);

	assert_in_range(from->resources.n, 1, 500);
	to->results.n = from->resources.n;
	to->results.v = ARENA_ARRAY(&q->arena,
	    struct describe_configs_response_results, to->results.n);
	for (int32_t i = 0; i < to->results.n; i++) {
		struct describe_configs_response_results *r =
		    &to->results.v[i];
		const char *policy = world.policies[number_of(
		    from->resources.v[i].resource_name)];

		world.configs++;
		assert_int_equal(from->resources.v[i].resource_type, 2);
		assert_true(slice_is(from->resources.v[i]
		    .configuration_keys.v[0], "cleanup.policy"));
		r->resource_type = 2;
		r->resource_name = from->resources.v[i].resource_name;
		r->error_code = i == 0 ? world.denied : 0;
		if (r->error_code != 0)
			continue;
		r->configs.n = 1;
		r->configs.v = ARENA_NEW(&q->arena,
		    struct describe_configs_response_results_configs);
		r->configs.v[0].name = SLICE_LIT("cleanup.policy");
		r->configs.v[0].value = slice_of(policy != NULL ? policy :
		    "delete");
	}
	fake_reply(q, to);
}

/* Partition p of topic n: n * 1000 + p * 100 at its leader, 7 less elsewhere,
 * and a copy on its way. */
static void
say_sizes(struct fake_request *q, bool first)
{
	struct describe_log_dirs_response *to = codec_new(
	    q->head.schema->response, &q->arena);
	const struct cluster *c = world.gateway.cluster;

	assert_int_equal(((const struct describe_log_dirs_request *)
	    q->body)->topics.n, -1);
	to->results.n = 1;
	to->results.v = ARENA_NEW(&q->arena,
	    struct describe_log_dirs_response_results);
	to->results.v[0].log_dir = SLICE_LIT("/d");
	to->results.v[0].topics.n = c->topic_count;
	to->results.v[0].topics.v = ARENA_ARRAY(&q->arena,
	    struct describe_log_dirs_response_results_topics,
	    c->topic_count + 1);
	for (int32_t i = 0; i < c->topic_count; i++) {
		struct describe_log_dirs_response_results_topics *t =
		    &to->results.v[0].topics.v[i];

		t->name = c->topics[i].name;
		t->partitions.n = PARTS + 1;
		t->partitions.v = ARENA_ARRAY(&q->arena,
		    struct describe_log_dirs_response_results_topics_partitions,
		    PARTS + 1);
		for (int p = 0; p < PARTS; p++) {
			bool leads = c->topics[i].partitions[p].leader ==
			    (first ? 1 : 2);

			t->partitions.v[p].partition_index = p;
			t->partitions.v[p].partition_size = i * 1000 +
			    p * 100 - (leads ? 0 : 7);
		}
		t->partitions.v[PARTS].partition_size = 1000000;
		t->partitions.v[PARTS].is_future_key = true;
	}
	fake_reply(q, to);
}

static void
say_rights(struct fake_request *q)
{
	struct describe_cluster_response *to = codec_new(
	    q->head.schema->response, &q->arena);

	assert_true(((const struct describe_cluster_request *)
	    q->body)->include_cluster_authorized_operations);
	to->cluster_authorized_operations = world.operations;
	to->cluster_id = SLICE_LIT("");
	fake_reply(q, to);
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
	else if (q->head.api_key == API_DESCRIBE_CONFIGS)
		say_configs(q);
	else if (q->head.api_key == API_DESCRIBE_LOG_DIRS)
		say_sizes(q, first);
	else if (q->head.api_key == API_DESCRIBE_CLUSTER)
		say_rights(q);
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
	c->apis[API_DESCRIBE_CONFIGS] = (struct api_range){ 1, 4 };
	c->apis[API_DESCRIBE_LOG_DIRS] = (struct api_range){ 1, 4 };
	if (world.operations != 0)
		c->apis[API_DESCRIBE_CLUSTER] = (struct api_range){ 0, 1 };
	return c;
}

static int
by_name(const void *a, const void *b)
{
	const struct topic *x = a, *y = b;

	return strcmp((const char *)x->name.data, (const char *)y->name.data);
}

/* The first n; another snapshot. */
static void
set_topics(int n)
{
	struct cluster *c = make_cluster();

	for (int i = 0; i < n; i++) {
		struct topic *t = &world.topics[i];

		snprintf(world.names[i], sizeof(world.names[i]), "pay.t%d",
		    i);
		*t = (struct topic){ .name = slice_of(world.names[i]),
			.partitions = world.parts[i],
			.partition_count = PARTS };
		t->id.b[0] = (uint8_t)(i >> 8);
		t->id.b[1] = (uint8_t)i;
		t->id.b[2] = 1;
		for (int p = 0; p < PARTS; p++)
			world.parts[i][p] = (struct partition){ .index = p,
				.leader = p == 0 ? 1 : 2 };
	}
	if (n > 0)
		qsort(world.topics, (size_t)n, sizeof(world.topics[0]),
		    by_name);
	for (int i = 0; i < n; i++)
		htab_set(c->by_name, world.topics[i].name, &world.topics[i]);
	c->topics = world.topics;
	c->topic_count = n;
	if (world.gateway.cluster != NULL)
		cluster_unref(world.gateway.cluster);
	world.gateway.cluster = c;
}

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

/* Limits of pay's only; nothing else is asked for. */
static void
only_limit(const char *rows)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"members\": [{\"sni\": \"a\"}], "
	    "\"quota\": {\"limits\": [%s]}}", rows);
	write_file("pay.json", text);
	write_file("ops.json", "{\"members\": [{\"sni\": \"b\"}]}");
	load_tenants();
}

/* ---- the world ---- */

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
	set_topics(0);
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
	/* A wish in between has one of its own, when its thing shows. */
	census_wish(g, false);
	pass(900);
	census_wish(g, false);
	pass(200);
	until_handed(4);
	pass(500);
	assert_int_equal(world.handed, 4);
	pass(600);
	until_handed(5);
	/* A wish is served once. */
	pass(20000);
	assert_int_equal(world.handed, 5);
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
	assert_int_equal(quota_make(&w, groups, SLICE_LIT("pay.late"),
	    (struct quota_since){ 0 }, fake_us, &why), QUOTA_MADE);
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

/* How often the log says it. */
static int
told(const char *what)
{
	return count_lines(path_of("log"), what);
}

static void
tells_faults_once(void **state)
{
	(void)state;
	until_handed(1);
	log_to_file(path_of("log"));
	world.second = REFUSES;
	for (int n = 2; n < 6; n++) {
		pass(n == 2 ? 31000 : 5200);
		until_handed(n);
	}
	assert_int_equal(told("did not say what there is"), 1);
	assert_int_equal(told("what=\"groups\" reason=\"broker 2 did not say "
	    "its groups"), 1);
	world.second = ANSWERS;
	for (int n = 6; n < 8; n++) {
		pass(n == 6 ? 5200 : 31000);
		until_handed(n);
	}
	assert_int_equal(told("says again what there is"), 1);
	log_to_file("/dev/null");
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
		assert_int_equal(quota_make(&w, groups, slice_of(name),
		    (struct quota_since){ 0 }, fake_us, &why), QUOTA_UNSURE);
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

static const struct census_tenant *
pay(void)
{
	return census_tenant(world.got, "pay");
}

static const struct topic *
topic(int number)
{
	char name[16];

	snprintf(name, sizeof(name), "pay.t%d", number);
	return cluster_topic(world.gateway.cluster, slice_of(name));
}

static enum made_class
class(int number)
{
	return policies_class(census_policies(world.got), topic(number));
}

static void
counts_compacted_topics(void **state)
{
	(void)state;
	only_limit("{\"dimension\": \"compacted_partitions\", \"value\": 9}");
	world.policies[1] = "compact";
	world.policies[2] = "delete, compact";
	world.policies[3] = "compacted";	/* no such policy */
	set_topics(5);
	world.topics[4].internal = true;
	until_handed(1);
	assert_int_equal(pay()->partitions, 4);
	assert_int_equal(pay()->compacted, 4);
	assert_int_equal(shown("pay", QUOTA_DIM_COMPACTED_PARTITIONS), 4);
	assert_int_equal(shown("pay", QUOTA_DIM_PARTITIONS), -1);
	assert_int_equal(class(0), MADE_PLAIN);
	assert_int_equal(class(1), MADE_COMPACTED);
	assert_int_equal(class(2), MADE_COMPACTED);
	assert_int_equal(class(3), MADE_PLAIN);
	/* Another topic of the same name is another topic. */
	world.topics[1].id.b[15] = 1;
	assert_int_equal(class(1), MADE_UNKNOWN);
	assert_int_equal(world.asked, 1);
	assert_int_equal(world.configs, 4);
}

static void
asks_about_new_topics_and_others_in_turn(void **state)
{
	(void)state;
	only_limit("{\"dimension\": \"partitions\", \"value\": 9}");
	set_topics(TOPICS_MAX - 1);
	until_handed(1);
	assert_int_equal(world.configs, TOPICS_MAX - 1);
	assert_int_equal(world.asked, 3);
	assert_int_equal(pay()->partitions, 2 * (TOPICS_MAX - 1));
	/* One has become compacted behind our back, one is new. */
	world.policies[1198] = "compact";
	world.policies[1199] = "compact";
	set_topics(TOPICS_MAX);
	world.configs = 0;
	pass(30100);
	until_handed(2);
	assert_int_equal(world.configs, 501);
	assert_int_equal(class(1198), MADE_PLAIN);
	assert_int_equal(class(1199), MADE_COMPACTED);
	assert_int_equal(pay()->compacted, 2);
	world.configs = 0;
	census_doubt(&world.gateway, SLICE_LIT("pay.t1198"));
	pass(1300);
	until_handed(3);
	assert_in_range(world.configs, 200, 501);
	assert_int_equal(class(1198), MADE_COMPACTED);
}

static void
sees_in_turn_what_others_change(void **state)
{
	(void)state;
	only_limit("{\"dimension\": \"partitions\", \"value\": 9}");
	set_topics(TOPICS_MAX);
	until_handed(1);
	for (int i = 0; i < TOPICS_MAX; i++)
		world.policies[i] = "compact";
	for (int n = 2; n < 6; n++) {
		pass(30100);
		until_handed(n);
	}
	assert_int_equal(pay()->compacted, 2 * TOPICS_MAX);
	assert_int_equal(pay()->partitions, 0);
}

static void
keeps_policies_that_are_not_told(void **state)
{
	(void)state;
	only_limit("{\"dimension\": \"partitions\", \"value\": 9}");
	world.policies[0] = "compact";
	set_topics(2);
	until_handed(1);
	world.denied = KAFKA_TOPIC_AUTHORIZATION_FAILED;
	world.policies[0] = NULL;
	pass(30100);
	until_handed(2);
	assert_int_equal(class(0), MADE_COMPACTED);
	/* Who is denied from the beginning has no class. */
	set_topics(3);
	world.denied = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	pass(5200);
	until_handed(3);
	assert_int_equal(class(2), MADE_PLAIN);
	world.denied = 0;
	pass(30200);
	until_handed(4);
	assert_int_equal(class(0), MADE_PLAIN);
}

static void
measures_partitions(void **state)
{
	(void)state;
	only_limit("{\"dimension\": \"storage_bytes\", \"value\": 9}, "
	    "{\"dimension\": \"compacted_partition_bytes\", "
	    "\"value\": 2050}");
	world.policies[2] = "compact";
	set_topics(4);
	until_handed(1);
	/* 0, 100, 1000, 1100, ... as the leaders say. */
	assert_int_equal(pay()->bytes, 2 * (0 + 1000 + 2000 + 3000) + 400);
	assert_int_equal(pay()->largest, 2100);
	assert_int_equal(shown("pay", QUOTA_DIM_STORAGE), 12400);
	assert_int_equal(shown("pay", QUOTA_DIM_COMPACTED_BYTES), 2100);
	/* Only what is over the limit, and compacted. */
	assert_int_equal(census_full(pay(), topic(2), 0), 0);
	assert_int_equal(census_full(pay(), topic(2), 1), 2100);
	assert_int_equal(census_full(pay(), topic(3), 1), 0);
	/* The second broker, which leads each second partition, is silent: its
	 * replicas elsewhere count. */
	world.second = MUTE;
	pass(30100);
	pass(6000);
	until_handed(2);
	assert_int_equal(pay()->bytes, 12400 - 4 * 7);
}

static void
is_not_sure_without_rights(void **state)
{
	uint64_t failed = metric_total(METRIC_CENSUSES_FAILED);

	(void)state;
	world.operations = 1 << 3;
	set_topics(0);
	until_handed(1);
	assert_int_equal(quota_stock_count(stock("pay"), groups), 0);
	assert_int_equal(quota_stock_count(stock("pay"), txns), 1);
	assert_int_equal(metric_total(METRIC_CENSUSES_FAILED) - failed, 1);
	world.operations |= 1 << 8;
	pass(5200);
	until_handed(2);
	assert_int_equal(quota_stock_count(stock("pay"), groups), 3);
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
		TEST(tells_faults_once),
		TEST(is_not_sure_while_brokers_are_silent),
		TEST(asks_nobody_without_limits),
		TEST(counts_all_clients_without_tenants),
		TEST(counts_compacted_topics),
		TEST(asks_about_new_topics_and_others_in_turn),
		TEST(sees_in_turn_what_others_change),
		TEST(keeps_policies_that_are_not_told),
		TEST(measures_partitions),
		TEST(is_not_sure_without_rights),
		TEST(ends_amid_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
