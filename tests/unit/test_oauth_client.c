/* SPDX-License-Identifier: Apache-2.0 */
/* The clock is the test's: lives and backoffs pass at once. */
#include "tests/unit/http_fixture.h"

#include <netinet/in.h>

#include "gateway/oauth_client.h"

static struct {
	struct loop		*loop;
	struct server		 server;
	struct oauth_client	*client;
	char			 url[128];
	int64_t			 now_us;
} world;

/* It stands still but for what the test lets pass. */
static int64_t
test_clock(void)
{
	return world.now_us;
}

static void
begin_with(const char *body, int status, const char *scope)
{
	struct oauth_client_options o = { .url = world.url,
		.client_id = "weir:1", .client_secret = "a b/c", .scope = scope,
		.audience = scope ? "kafka&x" : NULL };

	world.now_us = real_now_us();
	clock_replace(test_clock);
	world.loop = loop_new();
	server_begin(&world.server, world.loop, NULL);
	world.server.body = body;
	world.server.status = status;
	snprintf(world.url, sizeof(world.url), "http://127.0.0.1:%d/token",
	    world.server.port);
	world.client = oauth_client_new(world.loop, &o);
}

static void
end(void)
{
	oauth_client_free(world.client);
	turns(world.loop, 3);
	server_end(&world.server);
	loop_free(world.loop);
	clock_replace(NULL);
}

static void
pass(int64_t ms)
{
	world.now_us += ms * 1000;
	turns(world.loop, 5);
}

/* The token now, or NULL; *err says why. */
static const char *
token_now(struct error *err)
{
	static char text[128];
	struct arena a;
	struct slice s;
	bool ok;

	arena_init(&a, 65536);
	ok = oauth_client_token(world.client, &a, &s, err);
	if (ok)
		snprintf(text, sizeof(text), "%.*s", SLICE_FMT(s));
	arena_fini(&a);
	return ok ? text : NULL;
}

#define GOOD(token) "{\"access_token\":\"" token "\"," \
	"\"token_type\":\"bearer\",\"expires_in\":1000}"

static void
test_grant(void **state)
{
	struct error err = { "" };

	(void)state;
	begin_with(GOOD("a.b-c_d~e+f/g=="), 200, "read write");
	assert_null(token_now(&err));
	assert_non_null(strstr(err.text, "not asked yet"));
	UNTIL(world.loop, token_now(&err) != NULL);
	assert_string_equal(token_now(&err), "a.b-c_d~e+f/g==");
	assert_string_equal(world.server.path, "/token");
	assert_string_equal(world.server.form, "grant_type=client_credentials"
	    "&scope=read%20write&audience=kafka%26x");
	/* base64 of weir%3A1:a%20b%2Fc */
	assert_string_equal(world.server.authorization,
	    "Basic d2VpciUzQTE6YSUyMGIlMkZj");
	end();
}

static void
test_ahead_of_time(void **state)
{
	struct error err = { "" };

	(void)state;
	begin_with(GOOD("one"), 200, NULL);
	UNTIL(world.loop, token_now(&err) != NULL);
	assert_string_equal(world.server.form, "grant_type=client_credentials");
	world.server.body = GOOD("two");
	pass(690 * 1000);
	assert_int_equal(world.server.requests, 1);
	assert_string_equal(token_now(&err), "one");
	/* Well before pools renew their logins, at 80 %. */
	pass(20 * 1000);
	UNTIL(world.loop, strcmp(token_now(&err), "two") == 0);
	assert_int_equal(world.server.requests, 2);
	end();
}

/* What is there is used until it ends; then there is none. */
static void
test_server_away(void **state)
{
	struct error err = { "" };

	(void)state;
	begin_with(GOOD("one"), 200, NULL);
	UNTIL(world.loop, token_now(&err) != NULL);
	world.server.status = 503;
	pass(850 * 1000);
	UNTIL(world.loop, world.server.requests >= 2);
	assert_string_equal(token_now(&err), "one");
	pass(160 * 1000);
	assert_null(token_now(&err));
	assert_non_null(strstr(err.text, "still holds"));
	world.server.status = 200;
	world.server.body = GOOD("two");
	pass(OAUTH_BACKOFF_MAX_MS);
	UNTIL(world.loop, token_now(&err) != NULL);
	assert_string_equal(token_now(&err), "two");
	end();
}

static const struct {
	const char	*rule, *body;
	int		 status;
	const char	*fault;
} bad[] = {
	{ "refused", "{\"error\":\"invalid_client\"}", 401,
	  "401: invalid_client" },
	{ "refused without words", "<html>", 400, "400" },
	{ "moved", "{}", 302, "302" },
	{ "no JSON", "<html>", 200, "JSON" },
	{ "a list", "[]", 200, "JSON" },
	{ "no token", "{\"token_type\":\"Bearer\"}", 200, "access_token" },
	{ "token is empty", "{\"access_token\":\"\",\"token_type\":\"Bearer\"}",
	  200, "access_token" },
	{ "token twice", "{\"access_token\":\"a\",\"access_token\":\"b\","
	  "\"token_type\":\"Bearer\"}", 200, "twice" },
	{ "token with a separator", "{\"access_token\":\"a\\u0001b\","
	  "\"token_type\":\"Bearer\"}", 200, "access_token" },
	{ "token with a blank", "{\"access_token\":\"a b\","
	  "\"token_type\":\"Bearer\"}", 200, "access_token" },
	{ "another type", "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
	  200, "token_type" },
	{ "no type", "{\"access_token\":\"a\"}", 200, "token_type" },
	{ "life is text", "{\"access_token\":\"a\",\"token_type\":\"Bearer\","
	  "\"expires_in\":\"300\"}", 200, "expires_in" },
	{ "life is zero", "{\"access_token\":\"a\",\"token_type\":\"Bearer\","
	  "\"expires_in\":0}", 200, "expires_in" },
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = { "" };

		begin_with(bad[i].body, bad[i].status, NULL);
		UNTIL(world.loop, token_now(&err) != NULL ||
		    strstr(err.text, "not asked yet") == NULL);
		assert_null(token_now(&err));
		if (strstr(err.text, bad[i].fault) == NULL)
			fail_msg("%s: %s", bad[i].rule, err.text);
		assert_null(strstr(err.text, "a b/c"));
		/* And again. */
		world.server.status = 200;
		world.server.body = GOOD("good");
		pass(OAUTH_BACKOFF_MIN_MS);
		UNTIL(world.loop, token_now(&err) != NULL);
		end();
	}
}

static void
test_lives(void **state)
{
	struct error err = { "" };

	(void)state;
	/* Without expires_in, and with one beyond reason. */
	begin_with("{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 200,
	    NULL);
	UNTIL(world.loop, token_now(&err) != NULL);
	world.server.mute = true;
	pass((OAUTH_LIFE_DEFAULT_S + 1) * 1000LL);
	assert_null(token_now(&err));
	end();
	begin_with("{\"access_token\":\"a\",\"token_type\":\"Bearer\","
	    "\"expires_in\":9223372036854775807}", 200, NULL);
	UNTIL(world.loop, token_now(&err) != NULL);
	world.server.mute = true;
	pass((OAUTH_LIFE_MAX_S + 1) * 1000LL);
	assert_null(token_now(&err));
	end();
}

static void
test_freed_early(void **state)
{
	(void)state;
	begin_with(GOOD("a"), 200, NULL);
	world.server.mute = true;
	UNTIL(world.loop, world.server.requests == 1);
	end();
	oauth_client_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_ahead_of_time),
		cmocka_unit_test(test_server_away),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lives),
		cmocka_unit_test(test_freed_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
