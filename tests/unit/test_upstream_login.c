/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_fixture.h"

#include <jansson.h>
#include <netinet/in.h>

#include "gateway/config.h"
#include "gateway/upstream_login.h"
#include "routing/upstream.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

/* What a pool would get for that broker; free() it. NULL: nothing. */
static char *
ask(const struct upstream_options *o, const char *host)
{
	struct error err = { "" };
	struct arena a;
	struct slice s;
	char *text = NULL;

	arena_init(&a, 65536);
	if (o->token(o->token_arg, host, &a, &s, &err))
		text = mem_strndup(s.data, s.len);
	else
		assert_true(err.text[0] != '\0');
	arena_fini(&a);
	return text;
}

static const char *
member(json_t *v, const char *name)
{
	const char *s = json_string_value(json_object_get(v, name));

	return s != NULL ? s : "";
}

static void
test_signs(void **state)
{
	struct config_cluster c = { .sasl = {
		.mechanism = CONFIG_MECHANISM_AWS_MSK_IAM,
		.username = TEXT("AKIDEXAMPLE"), .password = TEXT("secret"),
		.region = TEXT("eu-west-1") } };
	struct upstream_login *u = upstream_login_new(NULL, &c);
	struct upstream_options o = { .mechanism = UPSTREAM_AWS_MSK_IAM };
	char *one, *two;
	json_t *a, *b;

	(void)state;
	assert_non_null(u);
	upstream_login_options(u, &o);
	one = ask(&o, "b-1.example");
	two = ask(&o, "b-2.example");
	a = json_loads(one, JSON_REJECT_DUPLICATES, NULL);
	b = json_loads(two, JSON_REJECT_DUPLICATES, NULL);
	assert_string_equal(member(a, "host"), "b-1.example");
	assert_string_equal(member(b, "host"), "b-2.example");
	assert_string_equal(member(a, "action"), "kafka-cluster:Connect");
	assert_non_null(strstr(member(a, "x-amz-credential"),
	    "/eu-west-1/kafka-cluster/aws4_request"));
	assert_int_equal(strlen(member(a, "x-amz-signature")), 64);
	assert_string_not_equal(member(a, "x-amz-signature"),
	    member(b, "x-amz-signature"));
	assert_null(strstr(one, "secret"));
	json_decref(a);
	json_decref(b);
	free(one);
	free(two);
	upstream_login_free(u);
}

static void
test_fetches(void **state)
{
	struct loop *l = loop_new();
	struct config_cluster c = { .sasl = {
		.mechanism = CONFIG_MECHANISM_OAUTHBEARER,
		.username = TEXT("weir"), .password = TEXT("secret"),
		.scope = TEXT("kafka") } };
	struct upstream_options o = { .mechanism = UPSTREAM_OAUTHBEARER };
	struct upstream_login *u;
	struct server s;
	char url[128], *token;

	(void)state;
	server_begin(&s, l, NULL);
	s.body = "{\"access_token\":\"abc\",\"token_type\":\"Bearer\"}";
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", s.port);
	c.sasl.token_url = url;
	u = upstream_login_new(l, &c);
	upstream_login_options(u, &o);
	assert_null(ask(&o, "b-1.example"));
	UNTIL(l, (token = ask(&o, "b-1.example")) != NULL);
	assert_string_equal(token, "abc");
	assert_non_null(strstr(s.form, "scope=kafka"));
	free(token);
	upstream_login_free(u);
	server_end(&s);
	loop_free(l);
}

static void
test_none(void **state)
{
	struct config_cluster c = { .security = CONFIG_SASL_TLS };
	struct upstream_options o = { .mechanism = UPSTREAM_PLAIN };

	(void)state;
	c.sasl.mechanism = CONFIG_MECHANISM_PLAIN;
	assert_null(upstream_login_new(NULL, &c));
	upstream_login_options(NULL, &o);
	assert_null(o.token);
	upstream_login_free(NULL);
	/* The two lists of mechanisms go together. */
	assert_int_equal(CONFIG_MECHANISM_OAUTHBEARER, UPSTREAM_OAUTHBEARER);
	assert_int_equal(CONFIG_MECHANISM_AWS_MSK_IAM, UPSTREAM_AWS_MSK_IAM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_fetches),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
