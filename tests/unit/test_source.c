/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/net/source.h"

static int64_t now_us;

static int64_t
fake_now(void)
{
	return now_us;
}

static int
setup(void **state)
{
	(void)state;
	now_us = 1000000;
	clock_replace(fake_now);
	return 0;
}

static int
teardown(void **state)
{
	struct source_limits none = { 0 };

	(void)state;
	source_set_limits(&none);
	source_forget();
	clock_replace(NULL);
	return 0;
}

static const struct sockaddr *
v4(uint32_t host)
{
	static struct sockaddr_in in;

	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(host);
	return (struct sockaddr *)&in;
}

static const struct sockaddr *
v6(const char *text)
{
	static struct sockaddr_in6 in6;

	in6.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return (struct sockaddr *)&in6;
}

static void
test_off(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(source_open(v4(1)), SOURCE_FREE);
		source_login_failed(v4(1));
	}
	assert_true(source_login_allowed(v4(1)));
	assert_int_equal(source_count(), 0);
}

static void
test_connections(void **state)
{
	struct source_limits l = { .connections_max = 3 };

	(void)state;
	source_set_limits(&l);
	for (int i = 0; i < 3; i++)
		assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	assert_int_equal(source_open(v4(1)), SOURCE_MANY);
	assert_int_equal(source_open(v4(2)), SOURCE_TAKEN);
	source_close(v4(1));
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	assert_int_equal(source_open(v4(1)), SOURCE_MANY);
	/* A lower limit counts who is there. */
	l.connections_max = 1;
	source_set_limits(&l);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(source_open(v4(1)), SOURCE_MANY);
		source_close(v4(1));
	}
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
}

/* Closing what was never taken changes nothing. */
static void
test_close_of_unknown(void **state)
{
	struct source_limits l = { .connections_max = 1 };
	struct sockaddr other = { .sa_family = AF_UNIX };

	(void)state;
	source_set_limits(&l);
	source_close(v4(1));
	source_close(&other);
	assert_int_equal(source_open(&other), SOURCE_FREE);
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	source_close(v4(1));
	source_close(v4(1));
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	assert_int_equal(source_open(v4(1)), SOURCE_MANY);
}

static void
test_networks(void **state)
{
	struct source_limits l = { .connections_max = 1 };

	(void)state;
	source_set_limits(&l);
	assert_int_equal(source_open(v6("2001:db8::1")), SOURCE_TAKEN);
	assert_int_equal(source_open(v6("2001:db8::ffff:1:2")), SOURCE_MANY);
	assert_int_equal(source_open(v6("2001:db8:0:1::1")), SOURCE_TAKEN);
	assert_int_equal(source_open(v6("::ffff:10.0.0.1")), SOURCE_TAKEN);
	assert_int_equal(source_open(v4(0x0a000001)), SOURCE_MANY);
	assert_int_equal(source_open(v4(0x0a000002)), SOURCE_TAKEN);
}

static int
opens(int most)
{
	int n = 0;

	while (n < most && source_open(v4(7)) == SOURCE_TAKEN)
		n++;
	return n;
}

static void
test_rate(void **state)
{
	struct source_limits l = { .connection_rate = 20 };
	int all = 0;

	(void)state;
	source_set_limits(&l);
	assert_int_equal(opens(100), 20);
	assert_int_equal(source_open(v4(7)), SOURCE_FAST);
	now_us += 50 * 1000;
	assert_int_equal(opens(100), 1);
	now_us += 500 * 1000;
	assert_int_equal(opens(100), 10);
	now_us += 3600 * 1000000ll;
	assert_int_equal(opens(100), 20);
	/* Who never stops trying gets the rate, no less and no more. */
	for (int ms = 0; ms < 10000; ms++) {
		now_us += 1000;
		all += opens(1);
	}
	assert_in_range(all, 199, 201);
}

static void
test_refused_ones_cost_nothing(void **state)
{
	struct source_limits l = { .connections_max = 1,
		.connection_rate = 2 };

	(void)state;
	source_set_limits(&l);
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	for (int i = 0; i < 10; i++)
		assert_int_equal(source_open(v4(1)), SOURCE_MANY);
	source_close(v4(1));
	assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
	source_close(v4(1));
	assert_int_equal(source_open(v4(1)), SOURCE_FAST);
}

static void
test_logins(void **state)
{
	struct source_limits l = { .login_failures_max = 5,
		.login_failure_ms = 2000 };

	(void)state;
	source_set_limits(&l);
	for (int i = 0; i < 5; i++) {
		assert_true(source_login_allowed(v4(1)));
		source_login_failed(v4(1));
	}
	assert_false(source_login_allowed(v4(1)));
	assert_true(source_login_allowed(v4(2)));
	/* Ones that were under way together fill it, and no more than that. */
	for (int i = 0; i < 100; i++)
		source_login_failed(v4(1));
	now_us += 1999 * 1000;
	assert_false(source_login_allowed(v4(1)));
	now_us += 1000;
	assert_true(source_login_allowed(v4(1)));
	source_login_failed(v4(1));
	assert_false(source_login_allowed(v4(1)));
	now_us += 10000 * 1000;
	for (int i = 0; i < 5; i++) {
		assert_true(source_login_allowed(v4(1)));
		source_login_failed(v4(1));
	}
	assert_false(source_login_allowed(v4(1)));
}

/* Failures outlive the connections they were made on. */
static void
test_logins_over_connections(void **state)
{
	struct source_limits l = { .connections_max = 10,
		.login_failures_max = 2, .login_failure_ms = 60000 };

	(void)state;
	source_set_limits(&l);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(source_open(v4(1)), SOURCE_TAKEN);
		source_login_failed(v4(1));
		source_close(v4(1));
	}
	/* Others come to rest, with and without something to remember. */
	for (uint32_t i = 2; i < 200; i++) {
		assert_int_equal(source_open(v4(i)), SOURCE_TAKEN);
		source_close(v4(i));
	}
	assert_false(source_login_allowed(v4(1)));
}

static void
test_bounds(void **state)
{
	struct source_limits l = { .connections_max = 1,
		.login_failures_max = 1, .login_failure_ms = 1000 };
	enum { CONNECTED = 20000 };

	(void)state;
	source_set_limits(&l);
	for (uint32_t i = 0; i < CONNECTED; i++)
		assert_int_equal(source_open(v4(i)), SOURCE_TAKEN);
	for (uint32_t i = 0; i < 4 * SOURCE_AT_REST; i++) {
		now_us++;
		source_login_failed(v4(1u << 24 | i));
	}
	assert_in_range(source_count(), SOURCE_AT_REST / 2,
	    SOURCE_AT_REST + CONNECTED);
	/* None of those who are connected was forgotten. */
	for (uint32_t i = 0; i < CONNECTED; i++)
		assert_int_equal(source_open(v4(i)), SOURCE_MANY);
	/* The last are remembered, and as new after their time. */
	assert_false(source_login_allowed(v4(1u << 24 |
	    (4 * SOURCE_AT_REST - 1))));
	now_us += 2000000;
	for (uint32_t i = 0; i < CONNECTED; i++)
		source_close(v4(i));
	for (uint32_t i = 0; i < 10000; i++)
		source_login_failed(v4(2u << 24 | i));
	assert_in_range(source_count(), 10000, 10000 + SOURCE_SHARDS);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *
come_and_go(void *arg)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	uintptr_t taken = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		in.sin_addr.s_addr = htonl(i % 7);
		if (source_open((struct sockaddr *)&in) != SOURCE_TAKEN)
			continue;
		taken++;
		source_login_failed((struct sockaddr *)&in);
		source_close((struct sockaddr *)&in);
	}
	(void)arg;
	return (void *)taken;
}

static void
test_threads(void **state)
{
	struct source_limits l = { .connections_max = THREADS,
		.login_failures_max = 3, .login_failure_ms = 1000 };
	pthread_t t[THREADS];
	void *taken;

	(void)state;
	source_set_limits(&l);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, come_and_go,
		    NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &taken);
		assert_int_equal((uintptr_t)taken, ROUNDS);
	}
	l.connections_max = 1;
	source_set_limits(&l);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(source_open(v4(i)), SOURCE_TAKEN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_off),
		TEST(test_connections),
		TEST(test_close_of_unknown),
		TEST(test_networks),
		TEST(test_rate),
		TEST(test_refused_ones_cost_nothing),
		TEST(test_logins),
		TEST(test_logins_over_connections),
		TEST(test_bounds),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
