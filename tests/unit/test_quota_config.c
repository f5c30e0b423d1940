/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as files write them: what becomes of each member, which profile is
 * whose, and every fault by its path.
 */
#include "gateway/quota_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/tenants.h"
#include "quota/limits.h"

#define T cmocka_unit_test
#define NONE SLICE_NULL

/* ---- reading ---- */

/* A configuration with that quota, and what stands before it. */
static struct config *
parse_config(const char *before, const char *quota, struct error_list *errs)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "{%s\"cluster\": {\"bootstrap\": "
	    "\"k:1\"}, \"listeners\": [{\"address\": \"127.0.0.1:9092\"}], "
	    "\"quota\": %s}", before, quota);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	return config_parse(text, (size_t)n, errs);
}

static struct config *
good_config(const char *before, const char *quota)
{
	struct error_list errs = { NULL, 0 };
	struct config *c = parse_config(before, quota, &errs);

	error_list_print(&errs, stderr, "test: ");
	assert_non_null(c);
	return c;
}

static struct tenants *
parse_tenant(const struct config *c, const char *quota,
    struct error_list *errs)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "{\"quota\": %s}", quota);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	return tenants_parse(c, "t", text, (size_t)n, errs);
}

static struct tenants *
good_tenant(const struct config *c, const char *quota)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *t = parse_tenant(c, quota, &errs);

	error_list_print(&errs, stderr, "test: ");
	assert_non_null(t);
	return t;
}

static const struct limits *
limits_of(const struct tenants *t)
{
	const struct limits *l = tenants_at(t, 0)->limits;

	assert_non_null(l);
	return l;
}

static int64_t
tenant_value(const struct limits *l, enum quota_dimension d)
{
	const struct limit *row = limits_find(l, QUOTA_TENANT, d, NONE, NONE,
	    NONE);

	return row != NULL ? row->value : -1;
}

/* ---- words ---- */

/* Each word that a row may have, at the place that its number is in quota/. */
static void
test_words(void **state)
{
	struct config *c = good_config("", "{}");
	char text[200];

	(void)state;
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++)
		for (unsigned s = 0; s < QUOTA_NODE; s++)
			for (unsigned m = 0; m <= QUOTA_OFF; m++) {
				const struct quota_dimension_row *row =
				    quota_dimension((enum quota_dimension)d);
				const struct limit *made;
				struct tenants *t;

				if ((row->scopes & 1u << s) == 0)
					continue;
				snprintf(text, sizeof(text), "{\"limits\": "
				    "[{\"dimension\": \"%s\", \"scope\": "
				    "\"%s\", \"mode\": \"%s\", \"value\": 3}"
				    "]}", row->word,
				    quota_scope_word((enum quota_scope)s),
				    quota_mode_word((enum quota_mode)m));
				t = good_tenant(c, text);
				assert_int_equal(limits_of(t)->n, 1);
				made = &limits_of(t)->v[0];
				assert_int_equal(made->dimension, d);
				assert_int_equal(made->scope, s);
				assert_int_equal(made->mode, m);
				tenants_unref(t);
			}
	config_unref(c);
}

/* Node is the configuration's. */
static void
test_node_words(void **state)
{
	char text[200];

	(void)state;
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++) {
		const struct quota_dimension_row *row = quota_dimension(
		    (enum quota_dimension)d);
		struct config *c;

		if ((row->scopes & QUOTA_SCOPE(NODE)) == 0)
			continue;
		snprintf(text, sizeof(text), "{\"limits\": [{\"dimension\": "
		    "\"%s\", \"scope\": \"node\", \"value\": 3}]}", row->word);
		c = good_config("", text);
		assert_non_null(limits_find(c->quota.made, QUOTA_NODE,
		    (enum quota_dimension)d, NONE, NONE, NONE));
		config_unref(c);
	}
}

/* ---- what becomes of a row ---- */

static void
test_rows(void **state)
{
	struct config *c = good_config("", "{}");
	struct tenants *t = good_tenant(c, "{\"limits\": ["
	    "{\"dimension\": \"ingress_bytes\", \"value\": \"5MB\"}, "
	    "{\"dimension\": \"partition_egress_bytes\", \"value\": \"1MiB\", "
	    "\"topic\": \"hot.*\", \"burst\": \"2MiB\", "
	    "\"mode\": \"shadow\", \"warn_percent\": []}, "
	    "{\"dimension\": \"requests\", \"scope\": \"client\", "
	    "\"principal\": \"*:user/bob\", \"client_id\": \"job-?\", "
	    "\"value\": 7, \"warn_percent\": []}, "
	    "{\"dimension\": \"transactional_ids\", \"value\": 0}, "
	    "{\"dimension\": \"groups\", \"value\": 0, \"mode\": \"off\"}, "
	    "{\"dimension\": \"partition_changes\", \"value\": 9, "
	    "\"warn_percent\": [50, 60, 70, 100]}, "
	    "{\"dimension\": \"storage_bytes\", \"value\": \"1000TB\"}]}");
	const struct limit *v = limits_of(t)->v;

	(void)state;
	assert_int_equal(limits_of(t)->n, 7);
	assert_int_equal(v[0].scope, QUOTA_TENANT);
	assert_int_equal(v[0].value, 5000000);
	assert_int_equal(v[0].burst, 5000000);
	assert_int_equal(v[0].mode, QUOTA_ENFORCE);
	assert_int_equal(v[0].warn[0], 80);
	assert_int_equal(v[0].warn[1], 95);
	assert_int_equal(v[0].warn[2], 0);
	assert_null(v[0].principal);
	assert_int_equal(v[1].scope, QUOTA_PARTITION);
	assert_int_equal(v[1].value, 1048576);
	assert_int_equal(v[1].burst, 2097152);
	assert_int_equal(v[1].mode, QUOTA_SHADOW);
	assert_int_equal(v[5].warn[0], 50);
	assert_int_equal(v[5].warn[3], 100);
	assert_string_equal(v[1].topic, "hot.*");
	assert_int_equal(v[2].scope, QUOTA_CLIENT);
	assert_string_equal(v[2].principal, "*:user/bob");
	assert_string_equal(v[2].client_id, "job-?");
	assert_int_equal(v[2].warn[0], 0);
	assert_int_equal(v[3].value, 0);
	assert_int_equal(v[3].burst, 0);
	assert_int_equal(v[5].burst, 9);
	assert_true(v[6].value == 1000000000000000);
	tenants_unref(t);
	config_unref(c);
}

/* ---- profiles ---- */

static void
test_profiles(void **state)
{
	struct config *c = good_config("", "{\"profile\": \"team\", "
	    "\"profiles\": [{\"name\": \"team\", \"limits\": [{\"dimension\": "
	    "\"requests\", \"value\": 50}, {\"dimension\": \"groups\", "
	    "\"value\": 4}]}]}");
	struct tenants *t;

	(void)state;
	/* None is named: the configuration's. */
	t = good_tenant(c, "{}");
	assert_string_equal(limits_of(t)->profile, "team");
	assert_int_equal(tenant_value(limits_of(t), QUOTA_DIM_REQUESTS), 50);
	tenants_unref(t);
	/* Its own rows go before. */
	t = good_tenant(c, "{\"limits\": [{\"dimension\": \"requests\", "
	    "\"value\": 60}]}");
	assert_int_equal(tenant_value(limits_of(t), QUOTA_DIM_REQUESTS), 60);
	assert_int_equal(tenant_value(limits_of(t), QUOTA_DIM_GROUPS), 4);
	tenants_unref(t);
	/* Another profile. */
	t = good_tenant(c, "{\"profile\": \"msk-serverless\", \"limits\": [{"
	    "\"dimension\": \"connections\", \"value\": 0, \"mode\": "
	    "\"off\"}]}");
	assert_string_equal(limits_of(t)->profile, "msk-serverless");
	assert_int_equal(tenant_value(limits_of(t), QUOTA_DIM_REQUESTS),
	    15000);
	assert_int_equal(tenant_value(limits_of(t), QUOTA_DIM_CONNECTIONS),
	    -1);
	tenants_unref(t);
	t = good_tenant(c, "{\"profile\": \"unlimited\"}");
	assert_int_equal(limits_of(t)->n, 0);
	tenants_unref(t);
	/* There are no tenants: all clients have it. */
	assert_string_equal(c->quota.made->profile, "team");
	assert_int_equal(tenant_value(c->quota.made, QUOTA_DIM_GROUPS), 4);
	config_unref(c);
}

static void
test_node(void **state)
{
	static const char quota[] = "{\"profile\": \"dev\", \"limits\": [{"
	    "\"dimension\": \"connections\", \"scope\": \"node\", \"value\": "
	    "9}]}";
	struct config *c = good_config("", "{}");

	(void)state;
	assert_string_equal(c->quota.profile, "unlimited");
	assert_int_equal(c->quota.made->n, 0);
	assert_int_equal(c->quota.throttle_max_ms, 30000);
	assert_int_equal(c->quota.hold_max_ms, 10000);
	assert_int_equal(c->quota.close_ms, 1000);
	config_unref(c);
	c = good_config("", quota);
	assert_int_equal(c->quota.made->n, 1 + QUOTA_DIMENSIONS);
	assert_int_equal(tenant_value(c->quota.made, QUOTA_DIM_GROUPS), 5);
	config_unref(c);
	/* With tenants the profile is theirs. */
	c = good_config("\"tenants_dir\": \"/none\", ", quota);
	assert_int_equal(c->quota.made->n, 1);
	assert_int_equal(limits_find(c->quota.made, QUOTA_NODE,
	    QUOTA_DIM_CONNECTIONS, NONE, NONE, NONE)->value, 9);
	config_unref(c);
}

/* ---- faults ---- */

#define LIMIT(rest) "{\"limits\": [{" rest "}]}"
#define DIM(word) "\"dimension\": \"" word "\""

static const struct faulty {
	const char	*quota, *want;
} tenant_faults[] = {
	{ "{\"profile\": \"team\"}", "quota.profile: there is no profile "
	    "team: msk-serverless, dev and unlimited are built in, others "
	    "stand in quota.profiles of the configuration\n" },
	{ LIMIT("\"value\": 1"), "quota.limits[0].dimension: is required\n" },
	{ LIMIT(DIM("requests")), "quota.limits[0].value: is required\n" },
	{ LIMIT(DIM("message_bytes") ", \"scope\": \"principal\", "
	    "\"value\": 1"),
	    "quota.limits[0].scope: of message_bytes may be tenant, not "
	    "principal\n" },
	{ LIMIT(DIM("requests") ", \"scope\": \"partition\", \"value\": 1"),
	    "quota.limits[0].scope: of requests may be tenant, principal, "
	    "client or node, not partition\n" },
	{ LIMIT(DIM("partition_ingress_bytes") ", \"scope\": \"tenant\", "
	    "\"value\": 1"),
	    "quota.limits[0].scope: of partition_ingress_bytes may be "
	    "partition, not tenant\n" },
	{ LIMIT(DIM("requests") ", \"scope\": \"node\", \"value\": 1"),
	    "quota.limits[0].scope: may be node only in quota.limits of the "
	    "configuration\n" },
	{ LIMIT(DIM("requests") ", \"value\": 1, \"principal\": \"p\", "
	    "\"client_id\": \"c\", \"topic\": \"t\""),
	    "quota.limits[0].principal: has no effect with scope tenant\n"
	    "quota.limits[0].client_id: has no effect with scope tenant\n"
	    "quota.limits[0].topic: has no effect with scope tenant\n" },
	{ LIMIT(DIM("requests") ", \"scope\": \"principal\", \"value\": 1, "
	    "\"client_id\": \"c\""),
	    "quota.limits[0].client_id: has no effect with scope "
	    "principal\n" },
	{ LIMIT(DIM("requests") ", \"value\": 0"),
	    "quota.limits[0].value: must be between 1 and 1000000000000 "
	    "requests, but is 0\n" },
	{ LIMIT(DIM("partition_changes") ", \"value\": 1000000000001"),
	    "quota.limits[0].value: must be between 1 and 1000000000000 "
	    "partitions, but is 1000000000001\n" },
	{ LIMIT(DIM("storage_bytes") ", \"value\": \"1001TB\""),
	    "quota.limits[0].value: must be between 0 and 1000000000000000, "
	    "but is 1001000000000000\n" },
	{ LIMIT(DIM("requests") ", \"value\": 1, \"burst\": 1000000000001"),
	    "quota.limits[0].burst: must be between 0 and 1000000000000, but "
	    "is 1000000000001\n" },
	{ LIMIT(DIM("connections") ", \"value\": 1, \"burst\": 1"),
	    "quota.limits[0].burst: has no effect: connections is not limited "
	    "by time\n" },
	{ LIMIT(DIM("message_bytes") ", \"value\": 1, \"burst\": 1"),
	    "quota.limits[0].burst: has no effect: message_bytes is not "
	    "limited by time\n" },
	{ LIMIT(DIM("partition_egress_bytes") ", \"value\": 1, "
	    "\"warn_percent\": [50]"),
	    "quota.limits[0].warn_percent: has no effect with scope "
	    "partition\n" },
	{ LIMIT(DIM("message_bytes") ", \"value\": 1, "
	    "\"warn_percent\": [50]"),
	    "quota.limits[0].warn_percent: has no effect: message_bytes is "
	    "the size of one\n" },
	{ LIMIT(DIM("requests") ", \"value\": 1, \"warn_percent\": [95, 80]"),
	    "quota.limits[0].warn_percent[1]: must be more than the one "
	    "before it, 95\n" },
	{ "{\"limits\": [{" DIM("requests") ", \"value\": 1}, {"
	    DIM("egress_bytes") ", \"value\": 1}, {" DIM("requests")
	    ", \"scope\": \"tenant\", \"value\": 2}]}",
	    "quota.limits[2]: never counts: quota.limits[0] has the same "
	    "dimension and scope, stands before it and fits whatever it "
	    "does\n" },
	{ "{\"limits\": [{" DIM("partition_egress_bytes") ", \"topic\": "
	    "\"a*\", \"value\": 1}, {" DIM("partition_egress_bytes")
	    ", \"topic\": \"ab\", \"value\": 1}]}",
	    "quota.limits[1]: never counts: quota.limits[0] has the same "
	    "dimension and scope, stands before it and fits whatever it "
	    "does\n" },
};

static const struct faulty config_faults[] = {
	{ "{\"profile\": \"none\"}", "quota.profile: there is no profile "
	    "none: msk-serverless, dev and unlimited are built in, others "
	    "stand in quota.profiles of the configuration\n" },
	{ "{\"profiles\": [{\"name\": \"dev\"}, {\"name\": \"a\"}, "
	    "{\"name\": \"a\"}]}",
	    "quota.profiles[0].name: dev is built in\n"
	    "quota.profiles[2].name: is the same as "
	    "quota.profiles[1].name\n" },
	{ "{\"profiles\": [{\"name\": \"a\", \"limits\": [{" DIM("requests")
	    ", \"value\": 1}, {" DIM("requests") ", \"scope\": \"node\", "
	    "\"value\": 1}]}]}",
	    "quota.profiles[0].limits[1].scope: may be node only in "
	    "quota.limits of the configuration\n" },
	{ LIMIT(DIM("groups") ", \"scope\": \"node\", \"value\": 1"),
	    "quota.limits[0].scope: of groups may be tenant, not node\n" },
	{ LIMIT(DIM("requests") ", \"scope\": \"node\", \"principal\": "
	    "\"*\", \"value\": 1"),
	    "quota.limits[0].principal: has no effect with scope node\n" },
	{ "{\"throttle_max_ms\": 0, \"close_ms\": 60001}",
	    "quota.throttle_max_ms: must be between 1 and 600000 "
	    "milliseconds, but is 0\n"
	    "quota.close_ms: must be between 0 and 60000 milliseconds, but is "
	    "60001\n" },
};

static void
expect(const struct error_list *errs, const char *want)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	error_list_print(errs, f, "");
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

static void
test_tenant_faults(void **state)
{
	struct config *c = good_config("", "{}");

	(void)state;
	for (size_t i = 0; i < sizeof(tenant_faults) /
	    sizeof(tenant_faults[0]); i++) {
		struct error_list errs = { NULL, 0 };

		assert_null(parse_tenant(c, tenant_faults[i].quota, &errs));
		expect(&errs, tenant_faults[i].want);
		error_list_free(&errs);
	}
	config_unref(c);
}

static void
test_config_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(config_faults) /
	    sizeof(config_faults[0]); i++) {
		struct error_list errs = { NULL, 0 };

		assert_null(parse_config("", config_faults[i].quota, &errs));
		expect(&errs, config_faults[i].want);
		error_list_free(&errs);
	}
}

/* A limit of clients in the configuration would hold for nobody. */
static void
test_without_effect(void **state)
{
	struct error_list errs = { NULL, 0 };

	(void)state;
	assert_null(parse_config("\"tenants_dir\": \"/none\", ",
	    LIMIT(DIM("requests") ", \"value\": 1"), &errs));
	expect(&errs, "quota.limits[0].scope: has no effect unless it is "
	    "node: with tenants_dir each client is a tenant's, whose file or "
	    "profile has its limits\n");
	error_list_free(&errs);
}

/* Rows that look alike and are not: each counts. */
static void
test_no_faults(void **state)
{
	static const char *const good[] = {
		/* Another scope. */
		"{\"limits\": [{" DIM("requests") ", \"value\": 1}, {"
		DIM("requests") ", \"scope\": \"client\", \"value\": 1}]}",
		/* The narrow one first. */
		"{\"limits\": [{" DIM("partition_egress_bytes") ", \"topic\": "
		"\"ab\", \"value\": 1}, {" DIM("partition_egress_bytes")
		", \"topic\": \"a*\", \"value\": 1}, {"
		DIM("partition_egress_bytes") ", \"value\": 1}]}",
		/* They overlap. */
		"{\"limits\": [{" DIM("partition_egress_bytes") ", \"topic\": "
		"\"a?\", \"value\": 1}, {" DIM("partition_egress_bytes")
		", \"topic\": \"a*\", \"value\": 1}]}",
		/* One pattern is wider, the other narrower. */
		"{\"limits\": [{" DIM("requests") ", \"scope\": \"client\", "
		"\"principal\": \"p\", \"value\": 1}, {" DIM("requests")
		", \"scope\": \"client\", \"client_id\": \"c\", \"value\": "
		"1}]}",
	};
	struct config *c = good_config("", "{}");

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		tenants_unref(good_tenant(c, good[i]));
	config_unref(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_words), T(test_node_words), T(test_rows),
		T(test_profiles), T(test_node), T(test_tenant_faults),
		T(test_config_faults), T(test_without_effect),
		T(test_no_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
