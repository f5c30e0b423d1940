/* SPDX-License-Identifier: Apache-2.0 */
/* conf/policies: each compiles, and allows what it is named for. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/mem.h"
#include "policy_fixture.h"

#define FOLDER "conf/policies/"

static struct policy *
load(const char *name)
{
	char path[512], *text = mem_alloc(POLICY_TEXT_MAX);
	struct error_list errs = { 0 };
	struct policy *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s: run this from the project's root", path);
	n = fread(text, 1, POLICY_TEXT_MAX, f);
	fclose(f);
	p = policy_compile(text, n, name, &errs);
	if (p == NULL)
		fail_msg("%s: %s: %s", path, errs.v[0].path,
		    errs.v[0].reason);
	free(text);
	return p;
}

static void
test_each_compiles(void **state)
{
	DIR *d = opendir(FOLDER);
	struct dirent *e;
	int n = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".json") == NULL)
			continue;
		policy_unref(load(e->d_name));
		n++;
	}
	closedir(d);
	assert_in_range(n, 7, 100);
}

struct row {
	const char		*file;
	enum policy_action	 action;
	const char		*name;
	bool			 allowed;
};

static void
check(const struct row *rows, size_t n, const struct policy_context *c)
{
	for (size_t i = 0; i < n; i++) {
		struct policy *p = load(rows[i].file);
		struct policy_set *s = policy_set_new(&policy_test_cluster, c,
		    &p, 1, NULL);

		if (policy_allows(s, rows[i].action, policy_action_resource(
		    rows[i].action), slice_of(rows[i].name)) !=
		    rows[i].allowed)
			fail_msg("%s: %s on %s: not %d", rows[i].file,
			    policy_action_name(rows[i].action), rows[i].name,
			    rows[i].allowed);
		policy_set_free(s);
		policy_unref(p);
	}
}

#define CHECK(rows, c) check(rows, sizeof(rows) / sizeof((rows)[0]), c)

static void
test_what_they_allow(void **state)
{
	static const struct row rows[] = {
		{ "admin.json", POLICY_ALTER_CLUSTER, "", true },
		{ "admin.json", POLICY_DELETE_TOPIC, "x", true },
		{ "produce.json", POLICY_CONNECT, "", true },
		{ "produce.json", POLICY_WRITE_DATA, "orders", true },
		{ "produce.json", POLICY_DESCRIBE_TOPIC, "orders", true },
		{ "produce.json", POLICY_WRITE_DATA, "orders2", false },
		{ "produce.json", POLICY_READ_DATA, "orders", false },
		{ "produce.json", POLICY_WRITE_DATA_IDEMPOTENTLY, "", false },
		{ "consume.json", POLICY_CONNECT, "", true },
		{ "consume.json", POLICY_READ_DATA, "orders", true },
		{ "consume.json", POLICY_DESCRIBE_TOPIC, "orders", true },
		{ "consume.json", POLICY_DESCRIBE_GROUP, "orders-1", true },
		{ "consume.json", POLICY_ALTER_GROUP, "orders-1", true },
		{ "consume.json", POLICY_ALTER_GROUP, "x/orders-1", false },
		{ "consume.json", POLICY_WRITE_DATA, "orders", false },
		{ "idempotent.json", POLICY_WRITE_DATA_IDEMPOTENTLY, "", true },
		{ "idempotent.json", POLICY_WRITE_DATA, "orders", true },
		{ "transactional.json", POLICY_ALTER_TRANSACTIONAL_ID,
		  "orders-1", true },
		{ "transactional.json", POLICY_DESCRIBE_TRANSACTIONAL_ID,
		  "orders-1", true },
		{ "transactional.json", POLICY_ALTER_TRANSACTIONAL_ID,
		  "payments-1", false },
		{ "transactional.json", POLICY_WRITE_DATA, "orders", true },
	};
	struct policy_context c = { .now_ms = 1893456000000 };

	(void)state;
	CHECK(rows, &c);
}

static void
test_read_only(void **state)
{
	static const struct row office[] = {
		{ "read-only.json", POLICY_READ_DATA, "orders", true },
		{ "read-only.json", POLICY_DESCRIBE_CLUSTER, "", true },
		{ "read-only.json", POLICY_WRITE_DATA, "orders", false },
		{ "read-only.json", POLICY_READ_DATA, "secret-1", false },
	};
	static const struct row nothing[] = {
		{ "read-only.json", POLICY_READ_DATA, "orders", false },
		{ "read-only.json", POLICY_CONNECT, "", false },
	};
	static const struct row auditor[] = {
		{ "read-only.json", POLICY_READ_DATA, "secret-1", true },
	};
	struct principal *p = policy_test_principal("user");
	struct policy_context c = { .principal = p, .secure = true,
	    .source_ip = "192.0.2.7", .now_ms = 1893456000000 };

	(void)state;
	CHECK(office, &c);
	c.secure = false;
	CHECK(nothing, &c);
	c.secure = true;
	c.source_ip = "198.51.100.1";
	CHECK(nothing, &c);
	c.source_ip = "2001:db8::1";
	assert_true(principal_add_group(p, SLICE_LIT("auditors")));
	CHECK(auditor, &c);
	principal_unref(p);
}

static void
test_tenant(void **state)
{
	static const struct row rows[] = {
		{ "tenant.json", POLICY_WRITE_DATA, "blue.orders", true },
		{ "tenant.json", POLICY_CREATE_TOPIC, "blue.x", true },
		{ "tenant.json", POLICY_ALTER_GROUP, "blue.g", true },
		{ "tenant.json", POLICY_ALTER_TRANSACTIONAL_ID, "blue.t",
		  true },
		{ "tenant.json", POLICY_WRITE_DATA, "red.orders", false },
		{ "tenant.json", POLICY_ALTER_GROUP, "red.x/blue.g", false },
		{ "tenant.json", POLICY_WRITE_DATA, "bluex", false },
	};
	static const struct row star[] = {
		{ "tenant.json", POLICY_WRITE_DATA, "blue.orders", false },
	};
	struct principal *p = policy_test_principal("token");
	struct principal *q = policy_test_principal("user");
	struct policy_context c = { .principal = p,
	    .now_ms = 1893456000000 };

	(void)state;
	assert_true(principal_add_tag(p, SLICE_LIT("tenant"),
	    SLICE_LIT("blue")));
	CHECK(rows, &c);
	/* Without the tag, and with one that wants to be a wildcard. */
	c.principal = q;
	CHECK(star, &c);
	assert_true(principal_add_tag(q, SLICE_LIT("tenant"),
	    SLICE_LIT("*")));
	CHECK(star, &c);
	principal_unref(p);
	principal_unref(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_compiles),
		cmocka_unit_test(test_what_they_allow),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
