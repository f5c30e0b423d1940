/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /adopt with brokers that answer, refuse and go away, and the file
 * that is written.
 */
#include "gateway/adopt_control.h"

#include <jansson.h>

#include "gateway/adopt.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/tenants_control.h"
#include "gateway/wire/errors.h"
#include "routing/upstream.h"
#include "tests/unit/audit_lines.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/net_fixture.h"
#include "tests/unit/meanwhile.h"
#include "tests/unit/tenants_fixture.h"
#include "wire/messages.h"

static struct {
	struct gateway		 gateway;
	struct config		 config;
	struct fake_broker	 fake[2];
	/* What the second broker makes of a question. */
	enum { ANSWERS, REFUSES, HANGS_UP, MUTE } second;
	/* How it ended. */
	int			 done;
	json_t			*answer;
	struct error		 why;
} world;

/* Stands in. */
void
gateway_upstream_options(const struct gateway *g, struct upstream_options *o)
{
	(void)g;
	*o = (struct upstream_options){ .idle_ms = 60000, .idle_max = 2 };
}

/* ---- brokers ---- */

static void
say_groups(struct fake_request *q, bool first, int16_t code)
{
	struct list_groups_response_groups v[2] = {
		{ .group_id = first ? SLICE_LIT("pay-2") : SLICE_LIT("pay-1"),
		    .protocol_type = SLICE_LIT("consumer") },
		{ .group_id = SLICE_LIT("other"),	/* both say it */
		    .protocol_type = SLICE_LIT("") },
	};
	const struct list_groups_response r = { .error_code = code,
		.groups = { v, code == 0 ? 2 : 0 } };

	assert_int_equal(q->head.version, 0);
	fake_reply(q, &r);
}

static void
say_txns(struct fake_request *q, bool first)
{
	struct list_transactions_response_transaction_states v[1] = {
		{ .transactional_id = SLICE_LIT("pay-tx"),
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

	if (!first && world.second == MUTE)
		return;
	if (!first && world.second == HANGS_UP)
		fake_hang_up(q->from);
	else if (q->head.api_key == API_LIST_GROUPS)
		say_groups(q, first, first || world.second == ANSWERS ? 0 :
		    KAFKA_COORDINATOR_LOAD_IN_PROGRESS);
	else
		say_txns(q, first);
}

static struct cluster *
make_cluster(void)
{
	static struct topic topics[] = {
		{ .name = SLICE_LIT("__own"), .internal = true },
		{ .name = SLICE_LIT("pay-topic") },
	};
	const struct fake_broker *const v[] = { &world.fake[0],
	    &world.fake[1] };
	struct cluster *c = fake_cluster(v, 2);

	c->topics = topics;
	c->topic_count = 2;
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		c->apis[i] = (struct api_range){ 0, -1 };
	c->apis[API_LIST_GROUPS] = (struct api_range){ 0, 5 };
	c->apis[API_LIST_TRANSACTIONS] = (struct api_range){ 0, 1 };
	return c;
}

/* ---- the world ---- */

static int
set_up(void **state)
{
	struct gateway *g = &world.gateway;
	struct error_list errs = { NULL, 0 };
	struct tenants *t;

	(void)state;
	memset(&world, 0, sizeof(world));
	log_to_file("/dev/null");
	audit_lines[0] = '\0';
	folder_begin();
	least_config(&world.config);
	g->config = &world.config;
	g->control = loop_new();
	g->metrics = metric_new();
	for (int i = 0; i < 2; i++) {
		fake_init(&world.fake[i], g->control, i + 1, 0);
		world.fake[i].serve = serve;
	}
	g->cluster = make_cluster();
	assert_true(tenants_control_load(g, g->config, &t, &errs));
	tenants_control_take(g, t);
	return 0;
}

static int
tear_down(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	adopt_control_free(g);
	json_decref(world.answer);
	tenants_control_free(g);
	for (int i = 0; i < 2; i++)
		fake_fini(&world.fake[i]);
	cluster_unref(g->cluster);
	metric_free(g->metrics);
	loop_free(g->control);
	return folder_end();
}

static void
on_done(void *arg, json_t *answer, const struct error *why)
{
	assert_ptr_equal(arg, &world);
	world.done++;
	json_decref(world.answer);
	world.answer = answer;
	memset(&world.why, 0, sizeof(world.why));
	if (why != NULL)
		world.why = *why;
	assert_int_equal(answer == NULL, why != NULL);
}

static void
begin(bool write, const char *topics, const char *groups, const char *txns)
{
	/* It is gone when the brokers have answered. */
	char tenant[] = "pay";
	struct adopt_query q = { tenant, { topics, groups, txns }, NULL };

	world.done = 0;
	adopt_ask(&world.gateway, &q, write, on_done, &world);
	memset(tenant, 'x', sizeof(tenant) - 1);
}

static void
ask(bool write, const char *topics, const char *groups, const char *txns)
{
	begin(write, topics, groups, txns);
	UNTIL(world.gateway.control, world.done > 0);
	assert_int_equal(world.done, 1);
}

static void
expect_rows(const char *want)
{
	char text[2048] = "";
	const json_t *row;
	size_t i, n = 0;

	if (world.answer == NULL)
		fail_msg("%s", world.why.text);
	json_array_foreach(json_object_get(world.answer, "rows"), i, row)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s %s\n",
		    json_string_value(json_object_get(row, "kind")),
		    json_string_value(json_object_get(row, "name")),
		    json_string_value(json_object_get(row, "state")));
	assert_string_equal(text, want);
}

static bool
flag(const char *name)
{
	return json_is_true(json_object_get(world.answer, name));
}

/* ---- what is found ---- */

static void
test_plan(void **state)
{
	(void)state;
	ask(false, "*", "*", "pay-*");
	expect_rows("topic __own blocked\n"
	    "topic pay-topic adopt\n"
	    "group other adopt\n"
	    "group pay-1 adopt\n"
	    "group pay-2 adopt\n"
	    "transactional id pay-tx adopt\n");
	assert_true(flag("changed"));
	assert_null(json_object_get(world.answer, "written"));
	assert_int_equal(access(path_of("pay.json"), F_OK), -1);
	assert_string_equal(audit_lines, "");
	/* Topics alone need no broker. */
	begin(false, "pay-*", NULL, NULL);
	assert_int_equal(world.done, 1);
	expect_rows("topic pay-topic adopt\n");
}

static void
test_write(void **state)
{
	(void)state;
	ask(true, "pay-*", "pay-*", NULL);
	expect_rows("topic pay-topic adopt\n"
	    "group pay-1 adopt\n"
	    "group pay-2 adopt\n");
	assert_true(flag("written"));
	assert_true(flag("new"));
	assert_null(json_object_get(world.answer, "faults"));
	assert_string_equal(json_string_value(json_object_get(world.answer,
	    "path")), path_of("pay.json"));
	assert_string_equal(audit_lines, "adopt done tenant pay\n"
	    "tenants done -\n");
	/* It is in force. */
	assert_int_equal(tenants_count(world.gateway.tenants), 1);
	assert_true(names_owns(tenants_at(world.gateway.tenants, 0)->names,
	    NAME_GROUP, SLICE_LIT("pay-9")));
	ask(true, "pay-*", "pay-*", NULL);
	expect_rows("topic pay-topic seen\n"
	    "group pay-1 seen\n"
	    "group pay-2 seen\n");
	assert_false(flag("new"));
	assert_false(flag("changed"));
	assert_false(flag("written"));
}

static void
write_text(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
test_files_that_are_no_good(void **state)
{
	(void)state;
	/* Another one's: it is written, and not taken over. */
	write_text("bad.json", "{", 1);
	ask(true, "pay-*", NULL, NULL);
	assert_true(flag("written"));
	assert_int_equal(json_array_size(json_object_get(world.answer,
	    "faults")), 1);
	assert_int_equal(access(path_of("pay.json"), F_OK), 0);
	/* Its own: nothing is touched. */
	write_text("pay.json", "{", 1);
	ask(true, "pay-*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "the file of tenant pay has "
	    "faults"));
	write_text("pay.json", "{}\0x", 4);
	ask(true, "pay-*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "pay.json has a zero byte"));
	assert_int_equal(unlink(path_of("pay.json")), 0);
	assert_int_equal(symlink("bad.json", path_of("pay.json")), 0);
	write_text("bad.json", "{}", 2);
	ask(true, "pay-*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "symbolic link"));
	assert_non_null(strstr(audit_lines, "adopt refused tenant pay: "));
}

/* A suspension, say, between what was read and what is written. */
static void
test_changed_meanwhile(void **state)
{
	(void)state;
	write_text("pay.json", "{}", 2);
	meanwhile_name = "pay.json";
	meanwhile_text = "{\"suspended\": \"x\"}";
	ask(true, "pay-*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "pay.json has changed: ask "
	    "again"));
	ask(true, "pay-*", NULL, NULL);
	assert_true(flag("written"));
	assert_non_null(strstr(json_string_value(json_object_get(world.answer,
	    "file")), "\"suspended\": \"x\""));
}

/* ---- brokers that do not say ---- */

static void
test_brokers_without_an_answer(void **state)
{
	(void)state;
	world.second = REFUSES;
	ask(true, NULL, "*", NULL);
	assert_non_null(strstr(world.why.text, "broker 2 did not say its "
	    "groups: "));
	world.second = HANGS_UP;
	ask(false, NULL, NULL, "*");
	assert_non_null(strstr(world.why.text, "broker 2 did not say its "
	    "transactional ids: "));
	assert_int_equal(access(path_of("pay.json"), F_OK), -1);
	world.second = ANSWERS;
	ask(false, NULL, "pay-1", NULL);
	expect_rows("group pay-1 adopt\n");
	world.gateway.cluster->apis[API_LIST_TRANSACTIONS].max = -1;
	ask(false, NULL, NULL, "*");
	assert_non_null(strstr(world.why.text, "the brokers do not offer "
	    "list_transactions"));
}

static void
test_one_at_a_time_until_the_end(void **state)
{
	struct adopt_query q = { "b", { "*" }, NULL };
	int before;

	(void)state;
	world.second = MUTE;
	begin(false, NULL, "*", NULL);
	assert_int_equal(world.done, 0);
	before = world.fake[1].request_count;
	UNTIL(world.gateway.control,
	    world.fake[1].request_count > before);
	adopt_ask(&world.gateway, &q, false, on_done, &world);
	assert_int_equal(world.done, 1);
	assert_non_null(strstr(world.why.text, "another plan is being made"));
	/* Weir ends: who waits is answered. */
	adopt_control_free(&world.gateway);
	assert_int_equal(world.done, 2);
	assert_non_null(strstr(world.why.text, "did not say its groups"));
}

static void
test_nothing_to_plan_with(void **state)
{
	struct cluster *c = world.gateway.cluster;

	(void)state;
	begin(false, NULL, NULL, NULL);
	assert_non_null(strstr(world.why.text, "give a pattern"));
	world.gateway.cluster = NULL;
	begin(false, "*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "is not known yet"));
	world.gateway.cluster = c;
	world.config.tenants_dir = NULL;
	begin(false, "*", NULL, NULL);
	assert_non_null(strstr(world.why.text, "tenants_dir is not set"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan),
		TEST(test_write), TEST(test_changed_meanwhile),
		TEST(test_files_that_are_no_good),
		TEST(test_brokers_without_an_answer),
		TEST(test_one_at_a_time_until_the_end),
		TEST(test_nothing_to_plan_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
