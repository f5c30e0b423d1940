/* SPDX-License-Identifier: Apache-2.0 */
/* The clock is the test's: refreshes and pauses pass at once. */
#include "tests/unit/http_fixture.h"

#include <netinet/in.h>

#include "auth/jwks.h"
#include "gateway/jwks_fetch.h"
#include "tests/unit/jwt_maker.h"

static struct {
	struct loop		*loop;
	struct server		 server;
	struct jwks_fetch	*fetch;
	char			 url[128];
	char			*one, *two;	/* JWKS of one key, of two */
	int			 got;
	uint32_t		 keys;
	int64_t			 now_us;
} world;

/* It stands still but for what the test lets pass. */
static int64_t
test_clock(void)
{
	return world.now_us;
}

static void
on_got(void *arg, struct jwks *j)
{
	assert_ptr_equal(arg, &world);
	world.got++;
	world.keys = jwks_count(j);
}

static void
begin(SSL_CTX *tls, const char *ca)
{
	struct jwks_fetch_options o = { .url = world.url, .ca_file = ca };

	world.now_us = real_now_us();
	clock_replace(test_clock);
	world.loop = loop_new();
	server_begin(&world.server, world.loop, tls);
	world.server.body = world.one;
	snprintf(world.url, sizeof(world.url), "%s://127.0.0.1:%d/keys",
	    tls != NULL ? "https" : "http", world.server.port);
	world.got = 0;
	world.fetch = jwks_fetch_new(world.loop, &o, on_got, &world);
	/* The address of the option is not needed any more. */
	memset(world.url, 'x', sizeof(world.url) - 1);
}

static void
end(void)
{
	jwks_fetch_free(world.fetch);
	turns(world.loop, 3);
	server_end(&world.server);
	loop_free(world.loop);
	clock_replace(NULL);
}

/* The timer's heap is asked by the replaced clock when the loop turns. */
static void
pass(int64_t ms)
{
	world.now_us += ms * 1000;
	turns(world.loop, 5);
}

static struct jwks_fetch_stats
stats(void)
{
	struct jwks_fetch_stats s;

	jwks_fetch_get_stats(world.fetch, &s);
	return s;
}

/* A loop's turn until the exchange is over. */
static void
until_exchanges(uint64_t n)
{
	UNTIL(world.loop, stats().exchanges >= n &&
	    world.server.requests >= (int)n);
	turns(world.loop, 5);
	assert_int_equal(stats().exchanges, n);
}

static void
test_first_and_refresh(void **state)
{
	(void)state;
	begin(NULL, NULL);
	UNTIL(world.loop, world.got == 1);
	assert_int_equal(world.keys, 1);
	assert_string_equal(world.server.path, "/keys");
	pass(JWKS_FETCH_REFRESH_MS - 60 * 1000);
	assert_int_equal(world.server.requests, 1);
	/* The same keys again are no news. */
	pass(120 * 1000);
	until_exchanges(2);
	assert_int_equal(world.got, 1);
	world.server.body = world.two;
	pass(JWKS_FETCH_REFRESH_MS + 1000);
	UNTIL(world.loop, world.got == 2);
	assert_int_equal(world.keys, 2);
	assert_int_equal(stats().changed, 2);
	end();
}

static void
test_wish(void **state)
{
	(void)state;
	begin(NULL, NULL);
	UNTIL(world.loop, world.got == 1);
	world.server.body = world.two;
	/* Too soon after the first: it waits, however many wish. */
	for (int i = 0; i < 1000; i++)
		jwks_fetch_wish(world.fetch);
	turns(world.loop, 10);
	assert_int_equal(world.server.requests, 1);
	pass(JWKS_FETCH_PAUSE_MS);
	UNTIL(world.loop, world.got == 2);
	assert_int_equal(world.keys, 2);
	turns(world.loop, 10);
	assert_int_equal(world.server.requests, 2);
	/* After a quiet time at once. */
	pass(JWKS_FETCH_PAUSE_MS + 1000);
	assert_int_equal(world.server.requests, 2);
	jwks_fetch_wish(world.fetch);
	until_exchanges(3);
	end();
}

/* A minute of nothing but unknown kids: an exchange in four seconds. */
static void
test_wishes_are_limited(void **state)
{
	int64_t since, most;

	(void)state;
	begin(NULL, NULL);
	UNTIL(world.loop, world.got == 1);
	since = clock_now_us();
	for (int i = 0; i < 600; i++) {
		jwks_fetch_wish(world.fetch);
		pass(100);
	}
	most = (clock_now_us() - since) / 1000 / JWKS_FETCH_PAUSE_MS + 2;
	assert_in_range(world.server.requests, 10, most);
	end();
}

static void
test_wish_while_on(void **state)
{
	(void)state;
	begin(NULL, NULL);
	UNTIL(world.loop, stats().exchanges == 1);
	jwks_fetch_wish(world.fetch);
	UNTIL(world.loop, world.got == 1);
	turns(world.loop, 5);
	assert_int_equal(world.server.requests, 1);
	pass(JWKS_FETCH_PAUSE_MS);
	until_exchanges(2);
	end();
}

static const struct {
	const char	*rule, *body;
	int		 status;
} bad[] = {
	{ "not found", "{}", 404 }, { "an error", "{}", 500 },
	{ "moved", "{}", 302 }, { "no JSON", "<html>", 200 },
	{ "no keys", "{\"keys\":[]}", 200 }, { "nothing", "", 200 },
	{ "a secret key", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2Vj\"}]}",
	  200 },
};

/* What was there stays; tried again after 100 ms, 200 ms, ... 10 s. */
static void
test_failures(void **state)
{
	uint64_t n = 1;

	(void)state;
	begin(NULL, NULL);
	UNTIL(world.loop, world.got == 1);
	pass(JWKS_FETCH_REFRESH_MS - 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		world.server.body = bad[i].body;
		world.server.status = bad[i].status;
		pass(JWKS_FETCH_BACKOFF_MAX_MS);
		until_exchanges(++n);
		UNTIL(world.loop, stats().failed == n - 1);
		assert_int_equal(world.got, 1);
		/* A wish does not go before the pause. */
		jwks_fetch_wish(world.fetch);
	}
	world.server.status = 200;
	world.server.body = world.two;
	pass(JWKS_FETCH_BACKOFF_MAX_MS);
	UNTIL(world.loop, world.got == 2);
	assert_int_equal(world.keys, 2);
	end();
}

static void
test_backoff(void **state)
{
	int64_t wait = 100;
	uint64_t n = 1;

	(void)state;
	begin(NULL, NULL);
	world.server.status = 503;
	until_exchanges(1);
	UNTIL(world.loop, stats().failed == 1);
	while (n < 10) {
		pass(wait * 4 / 10);
		assert_int_equal(stats().exchanges, n);
		pass(wait * 6 / 10 + 50);
		until_exchanges(++n);
		UNTIL(world.loop, stats().failed == n);
		wait = wait > 5000 ? 10000 : 2 * wait;
	}
	end();
}

static void
test_tls(void **state)
{
	char ca[64], other[64];

	(void)state;
	snprintf(ca, sizeof(ca), "/tmp/weir-jwks-%d.pem", (int)getpid());
	snprintf(other, sizeof(other), "/tmp/weir-jwks-%d-other.pem",
	    (int)getpid());
	SSL_CTX_free(server_tls("IP:127.0.0.1", other));
	begin(server_tls("IP:127.0.0.1", ca), ca);
	UNTIL(world.loop, world.got == 1);
	end();
	begin(server_tls("IP:127.0.0.1", ca), other);
	UNTIL(world.loop, stats().failed == 1);
	assert_int_equal(world.server.requests, 0);
	assert_int_equal(world.got, 0);
	end();
	unlink(ca);
	unlink(other);
}

static void
test_freed_early(void **state)
{
	(void)state;
	begin(NULL, NULL);
	end();
	begin(NULL, NULL);
	world.server.mute = true;
	UNTIL(world.loop, world.server.requests == 1);
	end();
	jwks_fetch_free(NULL);
}

static int
setup(void **state)
{
	EVP_PKEY *a = maker_ec("P-256"), *b = maker_ec("P-256");
	char *ja = maker_jwk(a, "a", ""), *jb = maker_jwk(b, "b", "");

	(void)state;
	world.one = mem_alloc(MAKER_TEXT);
	world.two = mem_alloc(MAKER_TEXT);
	snprintf(world.one, MAKER_TEXT, "{\"keys\":[%s]}", ja);
	snprintf(world.two, MAKER_TEXT, "{\"keys\":[%s,%s]}", ja, jb);
	free(ja);
	free(jb);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(world.one);
	free(world.two);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_and_refresh),
		cmocka_unit_test(test_wish),
		cmocka_unit_test(test_wishes_are_limited),
		cmocka_unit_test(test_wish_while_on),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_freed_early),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
