/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan says of each name, and the file that comes of it: what it writes
 * must show exactly what it said.
 */
#include "gateway/adopt.h"

#include <jansson.h>

#include "gateway/base/arena.h"
#include "gateway/base/mem.h"
#include "gateway/tenants.h"
#include "tests/unit/tenants_fixture.h"

enum { NAMES_MAX = 64 };

static struct {
	struct config		 config;
	struct tenants		*all;
	struct adopt_name	 v[NAME_KINDS][NAMES_MAX];
	struct adopt_names	 names[NAME_KINDS];
	char			 seen[8192];	/* the plan, a line each row */
	char			 notes[2048];
	char			*file;
	bool			 changed;
} world;

static const char *const files[][2] = {
	{ "team-a", "{\"adopt\": {\"topics\": [{\"name\": \"pay-*\", "
	    "\"as\": \"p-*\"}, {\"name\": \"single\"}]}}" },
	{ "team-b", "{\"adopt\": {\"topics\": [{\"name\": \"legacy.x\"}]}}" },
	{ "sharing", "{\"namespace\": \"shared\"}" },
};

static int
set_up(void **state)
{
	static char audit[] = "the-audit";
	struct error_list errs = { NULL, 0 };
	char name[64];

	(void)state;
	memset(&world, 0, sizeof(world));
	folder_begin();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(name, sizeof(name), "%s.json", files[i][0]);
		write_file(name, files[i][1]);
	}
	least_config(&world.config);
	world.config.auth.audit.topic = audit;
	assert_true(tenants_load(&world.config, &world.all, &errs));
	for (int i = 0; i < NAME_KINDS; i++)
		world.names[i].v = world.v[i];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tenants_unref(world.all);
	free(world.file);
	return folder_end();
}

/* In the order of their bytes; those that begin with __ are internal. */
static void
have(enum name_kind kind, const char *name)
{
	struct adopt_names *to = &world.names[kind];

	assert_true(to->n < NAMES_MAX);
	assert_true(to->n == 0 || strcmp((const char *)
	    to->v[to->n - 1].name.data, name) < 0);
	to->v[to->n++] = (struct adopt_name){ slice_of(name),
		strncmp(name, "__", 2) == 0 };
}

static const char *
text_in(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	assert_non_null(s);
	return s;
}

static void
take(const json_t *plan)
{
	const json_t *row, *note;
	size_t i, n = 0, m = 0;

	world.seen[0] = world.notes[0] = '\0';
	json_array_foreach(json_object_get(plan, "rows"), i, row)
		n += (size_t)snprintf(world.seen + n, sizeof(world.seen) - n,
		    "%s %s=%s %s%s%s\n", text_in(row, "kind"),
		    text_in(row, "name"), text_in(row, "as"),
		    text_in(row, "state"), text_in(row, "why")[0] != '\0' ?
		    ": " : "", text_in(row, "why"));
	json_array_foreach(json_object_get(plan, "notes"), i, note)
		m += (size_t)snprintf(world.notes + m,
		    sizeof(world.notes) - m, "%s\n", json_string_value(note));
	free(world.file);
	world.file = mem_strdup(text_in(plan, "file"));
	world.changed = json_is_true(json_object_get(plan, "changed"));
}

/* The file shows what the rows say, and of what is in no row nothing new. */
static void
expect_shown(const struct adopt_query *q, const json_t *rows)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *t = tenants_parse(&world.config, q->tenant, world.file,
	    strlen(world.file), &errs);
	const json_t *row;
	struct arena a;
	size_t i;

	assert_non_null(t);
	arena_init(&a, 0);
	json_array_foreach(rows, i, row) {
		struct slice name = slice_of(text_in(row, "name")), is;
		const char *kind = text_in(row, "kind");
		bool blocked = strcmp(text_in(row, "state"), "blocked") == 0;
		bool shown = names_outward(tenants_at(t, 0)->names,
		    kind[0] == 't' ? NAME_TOPIC : NAME_GROUP, name, &is, &a);

		/* A shared one's others are known with all tenants only. */
		if (strcmp(q->tenant, "sharing") == 0)
			continue;
		if (name.len > 0)
			assert_int_equal(shown, !blocked);
		if (!blocked)
			assert_true(slice_is(is, text_in(row, "as")));
	}
	arena_fini(&a);
	tenants_unref(t);
}

static void
plan_as(const char *tenant, const char *topics, const char *groups,
    const char *as, const char *text, const char *want)
{
	struct adopt_query q = { tenant, { topics, groups, NULL }, as };
	struct error err = { "" };
	json_t *v;

	if (!adopt_query_check(&q, &err))
		fail_msg("%s", err.text);
	v = adopt_plan(&world.config, world.all, &q, world.names, text, &err);
	if (v == NULL)
		fail_msg("%s", err.text);
	take(v);
	assert_string_equal(world.seen, want);
	expect_shown(&q, json_object_get(v, "rows"));
	json_decref(v);
}

static void
plan(const char *tenant, const char *topics, const char *text,
    const char *want)
{
	plan_as(tenant, topics, NULL, NULL, text, want);
}

/* ---- a file ---- */

static void
test_star_rule(void **state)
{
	(void)state;
	have(NAME_TOPIC, "legacy.x");
	have(NAME_TOPIC, "orders-1");
	have(NAME_TOPIC, "orders-2");
	have(NAME_TOPIC, "other");
	plan("new", "orders-*", NULL,
	    "topic orders-1=orders-1 adopt\n"
	    "topic orders-2=orders-2 adopt\n");
	assert_string_equal(world.notes, "tenant new has no file yet\n"
	    "members is empty: the tenant lets nobody in until you fill it "
	    "in\n"
	    "from then on consumers of group.protocol=consumer may not "
	    "subscribe by a SubscriptionPattern, for brokers would not find "
	    "what is adopted\n");
	assert_string_equal(world.file, "{\n"
	    "  \"namespace\": \"prefixed\",\n"
	    "  \"members\": [],\n"
	    "  \"adopt\": {\n"
	    "    \"topics\": [\n"
	    "      {\n"
	    "        \"name\": \"orders-*\"\n"
	    "      }\n"
	    "    ]\n"
	    "  }\n"
	    "}\n");
	/* Two tenants may have one. */
	plan("new", "legacy.x", NULL, "topic legacy.x=legacy.x adopt: tenant "
	    "team-b has adopted it, too\n");
	plan("new", "nothing-*", NULL, "");
	assert_non_null(strstr(world.notes, "no topic fits nothing-*"));
	assert_false(world.changed);
}

static void
test_under_other_names(void **state)
{
	(void)state;
	have(NAME_TOPIC, "old.eu.orders");
	have(NAME_TOPIC, "old.us.orders");
	have(NAME_GROUP, "old.eu.reader");
	plan_as("new", "old.eu.*", "old.eu.*", "eu-*", NULL,
	    "topic old.eu.orders=eu-orders adopt\n"
	    "group old.eu.reader=eu-reader adopt\n");
	assert_non_null(strstr(world.file, "\"old.eu.*\",\n        \"as\": "
	    "\"eu-*\""));
	plan_as("new", "old.*.orders", NULL, "orders-*", NULL,
	    "topic old.eu.orders=orders-eu adopt\n"
	    "topic old.us.orders=orders-us adopt\n");
	assert_non_null(strstr(world.file, "\"old.us.orders\",\n        "
	    "\"as\": \"orders-us\""));
	assert_null(strstr(world.file, "*"));
	/* Every name it has would be one of them. */
	plan_as("new", "old.*", NULL, "*", NULL,
	    "topic old.eu.orders=eu.orders adopt\n"
	    "topic old.us.orders=us.orders adopt\n");
	assert_null(strstr(world.file, "*"));
	assert_non_null(strstr(world.notes, "topics old.* are adopted one by "
	    "one, and none that comes later, because with a rule for all of "
	    "them every name of the tenant would be one of these\n"));
	plan_as("new", "old.eu.orders", NULL, "orders", NULL,
	    "topic old.eu.orders=orders adopt\n");
}

/* What another tenant adopts would take in what a new one makes. */
static void
test_new_tenant_is_taken_in(void **state)
{
	struct adopt_query q = { "pay-eu", { "x", NULL, NULL }, NULL };
	struct error err = { "" };

	(void)state;
	assert_null(adopt_plan(&world.config, world.all, &q, world.names, NULL,
	    &err));
	assert_string_equal(err.text, "adopt.topics[0] of tenant team-a takes "
	    "in names of tenant pay-eu, which would begin with pay-eu.");
	/* A shared one has no names of its own. */
	plan("pay-eu", "x", "{\"namespace\": \"shared\"}", "");
}

static void
test_keeps_what_is_there(void **state)
{
	static const char text[] = "{\"suspended\": \"later\", \"adopt\": {"
	    "\"groups\": [{\"name\": \"g\"}], \"topics\": [{\"name\": "
	    "\"a\", \"as\": \"b\"}]}, \"policies\": [], \"members\": ["
	    "{\"principal\": \"p\"}]}";
	json_t *was = json_loads(text, 0, NULL), *is;

	(void)state;
	have(NAME_TOPIC, "a");
	have(NAME_TOPIC, "c");
	plan("new", "*", text,
	    "topic a=b seen: it has it already\n"
	    "topic c=c adopt\n");
	assert_string_equal(world.notes, "topics * are adopted one by one, and "
	    "none that comes later, because with a rule for all of them every "
	    "name of the tenant would be one of these\n");
	is = json_loads(world.file, 0, NULL);
	json_array_append_new(json_object_get(json_object_get(was, "adopt"),
	    "topics"), json_pack("{s:s}", "name", "c"));
	assert_true(json_equal(was, is));
	json_decref(was);
	json_decref(is);
	/* Once more: nothing is left, and not a byte is another. */
	plan("new", "a", text, "topic a=b seen: it has it already\n");
	assert_false(world.changed);
	assert_string_equal(world.file, text);
}

/* ---- what stands in the way ---- */

static void
test_blocked(void **state)
{
	static const char *const mine = "{\"adopt\": {\"topics\": [{\"name\": "
	    "\"pay-*\", \"as\": \"p-*\"}, {\"name\": \"single\"}]}}";

	(void)state;
	have(NAME_TOPIC, "__consumer_offsets");
	have(NAME_TOPIC, "hidden");
	have(NAME_TOPIC, "other.x");
	have(NAME_TOPIC, "p-1");
	have(NAME_TOPIC, "pay-1");
	have(NAME_TOPIC, "single");
	have(NAME_TOPIC, "team-a.hidden");
	have(NAME_TOPIC, "team-a.single");
	have(NAME_TOPIC, "team-b.own");
	have(NAME_TOPIC, "the-audit");
	plan("team-a", "*", mine,
	    "topic __consumer_offsets=__consumer_offsets blocked: it is a "
	    "topic of the brokers' own\n"
	    "topic hidden=hidden blocked: hidden would hide team-a.hidden, "
	    "which has that name for the tenant\n"
	    "topic other.x=other.x adopt\n"
	    "topic p-1=p-1 blocked: p-1 would hide pay-1, which has that name "
	    "for the tenant\n"
	    "topic pay-1=p-1 seen: it has it already\n"
	    "topic single=single seen: it has it already\n"
	    "topic team-a.hidden=hidden seen: it has it already\n"
	    "topic team-a.single=team-a.single blocked: it is the tenant's own "
	    "already\n"
	    "topic team-b.own=team-b.own blocked: it belongs to the prefixed "
	    "tenant team-b\n"
	    "topic the-audit=the-audit blocked: weir's audit stands there\n");
	plan("team-a", "hid*", mine, "topic hidden=hidden blocked: hidden "
	    "would hide team-a.hidden, which has that name for the tenant\n");
	assert_false(world.changed);
	/* Two that would be one. */
	plan_as("new", "hidden", NULL, "same", "{\"adopt\": {\"topics\": ["
	    "{\"name\": \"gone\", \"as\": \"same\"}]}}",
	    "topic hidden=same blocked: another one is shown as same\n");
	plan_as("new", "hidden", NULL, "a/b", NULL,
	    "topic hidden=a/b blocked: a/b is no name for a topic\n");
}

static void
test_star_rule_that_takes_too_much(void **state)
{
	static const char wants[] = "topic legacy.x=legacy.x seen: it has it "
	    "already\ntopic legacy.y=legacy.y adopt\n";

	(void)state;
	have(NAME_TOPIC, "legacy.x");
	have(NAME_TOPIC, "legacy.y");
	have(NAME_TOPIC, "teams");
	/* Those of tenants that begin so, also later. */
	plan("new", "team*", NULL, "topic teams=teams adopt\n");
	assert_non_null(strstr(world.notes, "it would take in names of tenant "
	    "team-a\n"));
	assert_non_null(strstr(world.file, "\"teams\""));
	/* A rule for all goes beside one for a name. */
	plan("team-b", "legacy.*", files[1][1], wants);
	assert_non_null(strstr(world.file, "\"legacy.*\""));
	/* Of two with stars none may be within the other. */
	plan("new", "legacy.*", "{\"adopt\": {\"topics\": [{\"name\": "
	    "\"legacy.x*\"}]}}", wants);
	assert_non_null(strstr(world.notes, "it overlaps with legacy.x*\n"));
	assert_non_null(strstr(world.file, "\"legacy.y\""));
	assert_null(strstr(world.file, "\"legacy.*\""));
}

/* Own names that would be hidden, though nothing has their name now. */
static void
test_star_rule_that_hides(void **state)
{
	(void)state;
	have(NAME_TOPIC, "new.orders-9");
	have(NAME_TOPIC, "orders-1");
	plan("new", "orders-*", NULL, "topic orders-1=orders-1 adopt\n");
	assert_non_null(strstr(world.notes, "it would hide new.orders-9\n"));
	assert_non_null(strstr(world.file, "\"orders-1\""));
}

static void
test_odd_groups(void **state)
{
	(void)state;
	have(NAME_GROUP, "a\nb");
	have(NAME_GROUP, "az*");
	have(NAME_GROUP, "a\xff");
	plan_as("new", NULL, "a*", NULL, NULL,
	    "group a?b=a?b blocked: it is no text that a file of JSON can "
	    "have\n"
	    "group az*=az* blocked: a name that ends in a star would be a rule "
	    "for many\n"
	    "group a?=a? blocked: it is no text that a file of JSON can "
	    "have\n");
	assert_false(world.changed);
}

static void
test_shared(void **state)
{
	(void)state;
	have(NAME_TOPIC, "legacy.x");
	have(NAME_TOPIC, "team-a.own");
	plan("sharing", "*", files[2][1],
	    "topic legacy.x=legacy.x seen: as far as its policies let it\n"
	    "topic team-a.own=team-a.own blocked: it belongs to the prefixed "
	    "tenant team-a\n");
	assert_false(world.changed);
	assert_non_null(strstr(world.notes, "its namespace is shared"));
}

/* ---- patterns ---- */

static void
test_patterns(void **state)
{
	static const struct {
		const char	*pattern, *name;
		bool		 fits;
	} cases[] = {
		{ "a", "a", true }, { "a", "ab", false }, { "a", "", false },
		{ "*", "", true }, { "*", "x", true }, { "a*", "a", true },
		{ "a*", "b", false }, { "*a", "bba", true },
		{ "*a", "ab", false }, { "a*b", "ab", true },
		{ "a*b", "aabb", true }, { "a*a", "a", false },
		{ "a*b*c", "axxbyyc", true }, { "a*b*c", "acb", false },
		{ "**", "x", true }, { "?", "x", false },
		{ "*ab*ab", "ab", false }, { "*ab", "aab", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;
		char want[200] = "";

		if (cases[i].fits && name[0] == '\0')
			snprintf(want, sizeof(want), "group = blocked: it is "
			    "no text that a file of JSON can have\n");
		else if (cases[i].fits)
			snprintf(want, sizeof(want), "group %s=%s adopt\n",
			    name, name);
		world.names[NAME_GROUP].n = 0;
		have(NAME_GROUP, name);
		plan_as("new", NULL, cases[i].pattern, NULL, NULL, want);
	}
}

static void
test_queries(void **state)
{
	static const struct {
		struct adopt_query	 q;
		const char		*why;
	} cases[] = {
		{ { NULL, { "a" }, NULL }, "tenant: an id is needed" },
		{ { "../x", { "a" }, NULL }, "tenant: an id is needed" },
		{ { "x", { NULL }, NULL }, "give a pattern" },
		{ { "x", { "" }, NULL }, "topics: a pattern has 1 to" },
		{ { "x", { "a*" }, "b" }, "as: must have a star where topics" },
		{ { "x", { "a" }, "b*" }, "as: must have a star where topics" },
		{ { "x", { "a*", "b" }, "c*" }, "star where groups has" },
		{ { "x", { "a*b*" }, "c*d*" }, "as: must be a name" },
		{ { "x", { "a" }, "" }, "as: must be a name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { "" };

		assert_false(adopt_query_check(&cases[i].q, &err));
		if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void
test_file_with_faults(void **state)
{
	struct adopt_query q = { "new", { "a" }, NULL };
	struct error err = { "" };

	(void)state;
	have(NAME_TOPIC, "a");
	assert_null(adopt_plan(&world.config, world.all, &q, world.names,
	    "{\"memberz\": 1}", &err));
	assert_non_null(strstr(err.text, "the file of tenant new has faults: "
	    "memberz: "));
	assert_null(adopt_plan(&world.config, world.all, &q, world.names, "{",
	    &err));
}

static void
test_too_many(void **state)
{
	struct adopt_names many = { mem_alloc((ADOPT_ROWS_MAX + 1) *
	    sizeof(*many.v)), ADOPT_ROWS_MAX + 1 };
	char (*texts)[16] = mem_alloc((ADOPT_ROWS_MAX + 1) * sizeof(*texts));
	struct adopt_names lists[NAME_KINDS] = { many };
	struct adopt_query q = { "new", { "*" }, NULL };
	struct error err = { "" };
	json_t *v;

	(void)state;
	for (uint32_t i = 0; i < many.n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "t%05u", i);
		many.v[i] = (struct adopt_name){ slice_of(texts[i]), false };
	}
	assert_null(adopt_plan(&world.config, world.all, &q, lists, NULL,
	    &err));
	assert_string_equal(err.text, "more than 10000 topics fit *: narrow "
	    "it");
	lists[NAME_TOPIC].n = ADOPT_ROWS_MAX;
	v = adopt_plan(&world.config, world.all, &q, lists, NULL, &err);
	assert_non_null(v);
	json_decref(v);
	free(texts);
	free(many.v);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_star_rule),
		TEST(test_under_other_names),
		TEST(test_new_tenant_is_taken_in),
		TEST(test_keeps_what_is_there),
		TEST(test_blocked),
		TEST(test_star_rule_that_takes_too_much),
		TEST(test_star_rule_that_hides),
		TEST(test_odd_groups),
		TEST(test_shared),
		TEST(test_patterns),
		TEST(test_queries),
		TEST(test_file_with_faults),
		TEST(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
