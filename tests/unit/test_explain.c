/* SPDX-License-Identifier: Apache-2.0 */
/* May it: as a member of the tenant that is its own, or is named. */
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/config.h"
#include "gateway/explain.h"
#include "gateway/tenants.h"
#include "tests/unit/auth_fixture.h"

static struct {
	struct auth_fixture	 auth;
	struct config		*config;
	struct tenants		*tenants;
} world;

static void
write_in(const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", world.auth.folder, name);
	fixture_write(path, text);
}

static int
set_up(void **state)
{
	static const char form[] = "{\"cluster\": {\"bootstrap\": \"k:1\"}, "
	    "\"listeners\": [{\"address\": \"127.0.0.1:9092\"}], \"auth\": "
	    "{\"policies_dir\": \"%s\"}, \"tenants_dir\": \"%s/tenants\"}";
	struct error_list errs = { NULL, 0 };
	char text[600];

	(void)state;
	fixture_setup(&world.auth);
	snprintf(text, sizeof(text), "%s/tenants", world.auth.folder);
	assert_int_equal(mkdir(text, 0700), 0);
	write_in("writes.json", "{\"Version\": \"2012-10-17\", \"Statement\": "
	    "{\"Effect\": \"Allow\", \"Action\": \"kafka-cluster:WriteData\", "
	    "\"Resource\": \"arn:aws:kafka:us-east-1:000000000000:topic/a/"
	    "0b3c2f00-1111-2222-3333-0123456789ab/orders\"}}");
	write_in("tenants/a.json", "{\"cluster_name\": \"a\", "
	    "\"cluster_uuid\": \"0b3c2f00-1111-2222-3333-0123456789ab\", "
	    "\"members\": [{\"principal\": \"*user/alice\", \"listener\": "
	    "\"kafka\"}], \"policies\": [\"writes\"]}");
	write_in("tenants/b.json", "{\"suspended\": \"the bill\"}");
	snprintf(text, sizeof(text), form, world.auth.folder,
	    world.auth.folder);
	world.config = config_parse(text, strlen(text), &errs);
	assert_non_null(world.config);
	assert_true(tenants_load(world.config, &world.tenants, &errs));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tenants_unref(world.tenants);
	config_unref(world.config);
	fixture_teardown(&world.auth);
	return 0;
}

static json_t *
ask(const char *who, const char *resource, const char *tenant,
    struct error *err)
{
	struct explain_query q = { .principal = who, .action = "WriteData",
		.resource = resource, .tenant = tenant };

	return explain_access(world.auth.auth, world.tenants, &q, err);
}

static bool
allowed(json_t *v)
{
	bool yes;

	assert_non_null(v);
	yes = json_is_true(json_object_get(v, "allowed"));
	json_decref(v);
	return yes;
}

static void
test_own_tenant(void **state)
{
	struct error err;
	json_t *v = ask("user/alice", "topic/orders", NULL, &err);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(v, "tenant")),
	    "a");
	assert_string_equal(json_string_value(json_object_get(v, "policy")),
	    "writes");
	assert_true(allowed(v));
	assert_false(allowed(ask("user/alice", "topic/other", NULL, &err)));
	/* A whole ARN is one of the tenant's cluster. */
	assert_true(allowed(ask("user/alice", "arn:aws:kafka:us-east-1:"
	    "000000000000:topic/a/0b3c2f00-1111-2222-3333-0123456789ab/orders",
	    NULL, &err)));
	assert_null(ask("user/alice", "arn:aws:kafka:eu-central-1:"
	    "123456789012:topic/demo/0123-4567/orders", NULL, &err));
}

static void
test_named_tenant(void **state)
{
	struct error err;
	json_t *v;

	(void)state;
	assert_null(ask("user/bob", "topic/orders", NULL, &err));
	assert_non_null(strstr(err.text, "which tenant?"));
	assert_true(allowed(ask("user/bob", "topic/orders", "a", &err)));
	assert_null(ask("user/bob", "topic/orders", "c", &err));
	assert_string_equal(err.text, "there is no tenant c");
	v = ask("user/alice", "topic/orders", "b", &err);
	assert_string_equal(json_string_value(json_object_get(v,
	    "suspended")), "the bill");
	assert_false(allowed(v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_tenant, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_named_tenant, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
