/* SPDX-License-Identifier: Apache-2.0 */
/* Principals of certificates: rules in order, stars, escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/auth_private.h"
#include "tests/unit/auth_fixture.h"

static struct auth_certificate_rule rules[8];
static struct auth_settings settings = {
	.cluster = { "aws", "eu-central-1", "123456789012", "demo", "0123" },
	.rules = rules,
};

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void
set_rules(uint32_t n, ...)
{
	va_list ap;

	va_start(ap, n);
	for (uint32_t i = 0; i < n; i++) {
		rules[i].from = text(va_arg(ap, const char *));
		rules[i].pattern = text(va_arg(ap, const char *));
		rules[i].name = text(va_arg(ap, const char *));
		rules[i].group = NULL;
	}
	va_end(ap);
	settings.rule_count = n;
}

/* The name; "" when it is refused. */
static const char *
name_of(const struct auth_certificate *c)
{
	static char name[PRINCIPAL_NAME_MAX + 1];
	struct error_list errs = { NULL, 0 };
	struct error err = { "" };
	struct auth *a = auth_load(&settings, NULL, &errs);
	struct principal *p;

	if (a == NULL)
		fail_msg("%s: %s", errs.v[0].path, errs.v[0].reason);
	p = auth_certificate_principal(a, c, &err);
	assert_int_equal(p == NULL, err.text[0] != '\0');
	snprintf(name, sizeof(name), "%s", p == NULL ? "" : p->name);
	principal_unref(p);
	auth_unref(a);
	return name;
}

static const struct row {
	const char	*from, *pattern, *name, *value, *want;
} rows[] = {
	{ "cn", "*", "$1", "alice", "alice" },
	{ "cn", "alice", "$1x", "alice", NULL },	/* no such star */
	{ "cn", "alice", "a", "alice", "a" },
	{ "cn", "alice", "a", "alicex", "" },
	{ "cn", "alice", "a", "xalice", "" },
	{ "cn", "Alice", "a", "alice", "" },
	{ "cn", "svc-*", "$1", "svc-a", "a" },
	{ "cn", "svc-*", "$1", "svc-", "" },	/* a name of no length */
	{ "cn", "svc-*", "s.$1", "svc-", "s." },
	{ "cn", "*.*", "$2.$1", "a.b", "b.a" },
	{ "cn", "*.*", "$2.$1", "a.b.c", "b.c.a" },
	{ "cn", "*.x", "$1", "a.x.x", "a.x" },
	{ "cn", "a*a", "n", "a", "" },
	{ "cn", "a*a", "n", "aa", "n" },
	{ "cn", "*b*b*", "$1.$2.$3", "abcbd", "a.c.d" },
	/* What would be a wildcard or a variable of a policy. */
	{ "cn", "*", "$1", "*", "%2A" },
	{ "cn", "*", "$1", "a?b", "a%3Fb" },
	{ "cn", "*", "$1", "${aws:username}", "%24{aws%3Ausername}" },
	{ "cn", "*", "$1", "$2", "%242" },
	{ "cn", "*", "$1", "%2A", "%252A" },
	{ "cn", "*", "$1", "a/b c", "a%2Fb%20c" },
	{ "cn", "*", "$1", "\xc3\xa9", "%C3%A9" },
	{ "cn", "*", "$1", "a\x01", "" },
	{ "cn", "*", "$1", "a\x7f", "" },
	{ "subject", "CN=*,OU=ops,O=Acme", "$1", "CN=alice,OU=ops,O=Acme",
	  "alice" },
	/* A comma in a value is no end of it. */
	{ "subject", "CN=*,OU=ops*", "$1", "CN=x\\,OU=ops,OU=dev", "" },
	{ "subject", "CN=*,OU=ops*", "$1", "CN=x\\\\,OU=ops,OU=dev",
	  "x\\\\" },
	{ "subject", "CN=*,OU=*", "$1.$2", "CN=x\\,OU=ops,OU=dev",
	  "x\\,OU=ops.dev" },
	/* Elsewhere a backslash is nothing special. */
	{ "cn", "*,b", "$1", "a\\,b", "a\\" },
};

static void
test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_certificate c = { .subject =
		    slice_of(rows[i].value), .cn = slice_of(rows[i].value) };
		struct error_list errs = { NULL, 0 };

		set_rules(1, rows[i].from, rows[i].pattern, rows[i].name);
		if (rows[i].want == NULL) {
			auth_certificate_check(&settings, &errs);
			assert_int_equal(errs.n, 1);
			error_list_free(&errs);
		} else if (strcmp(name_of(&c), rows[i].want) != 0) {
			fail_msg("%s of %s: %s", rows[i].pattern,
			    rows[i].value, name_of(&c));
		}
	}
}

/* The first that fits counts, and "deny" refuses. */
static void
test_order(void **state)
{
	struct auth_certificate c = { .cn = SLICE_LIT("svc-a") };

	(void)state;
	set_rules(3, "cn", "x*", "x", "cn", "svc-*", "$1", "cn", "*", "$1");
	assert_string_equal(name_of(&c), "a");
	c.cn = SLICE_LIT("other");
	assert_string_equal(name_of(&c), "other");
	set_rules(3, "cn", "svc-*", "$1", "cn", "o*", "deny", "cn", "*",
	    "$1");
	assert_string_equal(name_of(&c), "");
	set_rules(1, "cn", "svc-*", "$1");
	assert_string_equal(name_of(&c), "");
	set_rules(0);
	assert_string_equal(name_of(&c), "");
	/* A certificate that is called "deny" is not a rule. */
	set_rules(1, "cn", "*", "$1");
	c.cn = SLICE_LIT("deny");
	assert_string_equal(name_of(&c), "deny");
}

/* Each value of a kind in turn; what is not there fits nothing. */
static void
test_values(void **state)
{
	struct slice dns[] = { SLICE_LIT("a.example"), SLICE_LIT("b.test") };
	struct slice uri[] = { SLICE_LIT("spiffe://td/ns/a") };
	struct slice email[] = { SLICE_LIT("a@b.test") };
	struct auth_certificate c = { .dns = dns, .uri = uri, .email = email,
	    .dns_count = 2, .uri_count = 1, .email_count = 1 };

	(void)state;
	set_rules(1, "dns", "*.test", "$1");
	assert_string_equal(name_of(&c), "b");
	set_rules(1, "uri", "spiffe://td/ns/*", "$1");
	assert_string_equal(name_of(&c), "a");
	set_rules(1, "email", "*@b.test", "$1");
	assert_string_equal(name_of(&c), "a");
	set_rules(1, "cn", "*", "x");
	assert_string_equal(name_of(&c), "");
	set_rules(1, "subject", "*", "x");
	assert_string_equal(name_of(&c), "");
	c.dns_count = 1;
	set_rules(1, "dns", "*.test", "$1");
	assert_string_equal(name_of(&c), "");
}

static void
test_bytes_and_lengths(void **state)
{
	static char value[AUTH_CERTIFICATE_VALUE_MAX + 1];
	struct auth_certificate c = { .cn = SLICE_LIT("admin\0.evil") };

	(void)state;
	set_rules(1, "cn", "admin*", "a");
	assert_string_equal(name_of(&c), "");
	set_rules(1, "cn", "*", "$1");
	memset(value, 'x', sizeof(value));
	c.cn = (struct slice){ (uint8_t *)value, PRINCIPAL_NAME_MAX };
	assert_int_equal(strlen(name_of(&c)), PRINCIPAL_NAME_MAX);
	c.cn.len++;
	assert_string_equal(name_of(&c), "");
	set_rules(1, "cn", "*", "x");
	c.cn.len = AUTH_CERTIFICATE_VALUE_MAX;
	assert_string_equal(name_of(&c), "x");
	c.cn.len++;
	assert_string_equal(name_of(&c), "");
	/* Escaped it is three times as long. */
	set_rules(1, "cn", "*", "$1");
	memset(value, '*', sizeof(value));
	c.cn.len = PRINCIPAL_NAME_MAX / 3;
	assert_int_equal(strlen(name_of(&c)), PRINCIPAL_NAME_MAX / 3 * 3);
	c.cn.len++;
	assert_string_equal(name_of(&c), "");
}

static void
test_principal(void **state)
{
	struct auth_fixture f;
	struct auth_certificate_rule rule = { text("cn"), text("*.*"),
	    text("$1"), text("team-$2") };
	struct auth_certificate c = { .cn = SLICE_LIT("c1.b"),
	    .sha256 = { 1, 2, 3 }, .not_after_ms = 77 };
	struct policy *v[POLICY_SET_MAX];
	struct principal *p;
	struct error err;

	(void)state;
	fixture_setup(&f);
	f.settings.rules = &rule;
	f.settings.rule_count = 1;
	fixture_reload(&f);
	p = auth_certificate_principal(f.auth, &c, &err);
	assert_non_null(p);
	assert_string_equal(p->arn,
	    "arn:aws:iam::123456789012:certificate/c1");
	assert_int_equal(p->kind, PRINCIPAL_CERTIFICATE);
	assert_true(p->has_certificate);
	assert_memory_equal(p->certificate, c.sha256, 32);
	assert_int_equal(p->expires_ms, 77);
	/* The rule's group (orders, reader) and the identity's (orders). */
	assert_int_equal(p->group_count, 2);
	assert_string_equal(p->groups[0], "team-b");
	assert_int_equal(auth_policies(f.auth, p, NULL, 0, v), 2);
	assert_true(auth_still_valid(f.auth, p, 76));
	assert_false(auth_still_valid(f.auth, p, 77));
	f.settings.rule_count = 0;
	fixture_reload(&f);
	assert_false(auth_still_valid(f.auth, p, 76));
	principal_unref(p);
	fixture_teardown(&f);
}

static const struct bad_row {
	const char	*from, *pattern, *name, *group, *where;
} bad[] = {
	{ NULL, "*", "$1", NULL, "auth.certificates[0].from" },
	{ "CN", "*", "$1", NULL, "auth.certificates[0].from" },
	{ "cn", NULL, "x", NULL, "auth.certificates[0].pattern" },
	{ "cn", "", "x", NULL, "auth.certificates[0].pattern" },
	{ "cn", "a**b", "x", NULL, "auth.certificates[0].pattern" },
	{ "cn", "*a*a*a*a*a*a*a*a*a*", "x", NULL,
	    "auth.certificates[0].pattern" },
	{ "cn", "*", NULL, NULL, "auth.certificates[0].name" },
	{ "cn", "*", "", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "$", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "$0", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "a$2", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "a*", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "a b", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "a/b", NULL, "auth.certificates[0].name" },
	{ "cn", "*", "$1", "", "auth.certificates[0].group" },
	{ "cn", "*", "$1", "$2", "auth.certificates[0].group" },
};

static void
test_bad_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error_list errs = { NULL, 0 };

		rules[0] = (struct auth_certificate_rule){ text(bad[i].from),
		    text(bad[i].pattern), text(bad[i].name),
		    text(bad[i].group) };
		settings.rule_count = 1;
		assert_null(auth_load(&settings, NULL, &errs));
		if (errs.n != 1 || strcmp(errs.v[0].path, bad[i].where) != 0)
			fail_msg("%zu: %u faults, %s: %s", i, errs.n,
			    errs.v[0].path, errs.v[0].reason);
		error_list_free(&errs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bytes_and_lengths),
		cmocka_unit_test(test_principal),
		cmocka_unit_test(test_bad_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
