/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <pthread.h>

#include "quota/bucket.h"

#define SECOND 1000000LL
static const int64_t begin_us = 1000 * SECOND;

/* Pseudo-random and the same each time. */
static uint64_t
draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

/* As much as it lets through in that time, by pieces of that size, asked at
 * irregular moments of 0.1 to 5 ms; after the first burst was used. */
static int64_t
passes(int64_t value, int64_t seconds, int64_t burst, int64_t size, int64_t us)
{
	struct bucket_rate r;
	struct bucket b = { 0 };
	uint64_t seed = (uint64_t)(value + size);
	int64_t now = begin_us, sum = 0;

	bucket_rate_set(&r, value, seconds, burst);
	bucket_spend(&b, &r, burst, now);
	while ((now += 100 + (int64_t)(draw(&seed) % 4900)) < begin_us + us)
		while (bucket_take(&b, &r, size, now))
			sum += size;
	return sum;
}

static void
assert_near(int64_t is, int64_t want, int64_t slack)
{
	if (is < want - slack || is > want + slack)
		fail_msg("%lld, not %lld within %lld", (long long)is,
		    (long long)want, (long long)slack);
}

/* Over 1,000 s each rate is right within 0.1 % and one piece. */
static void
test_exact(void **state)
{
	static const int64_t rates[] = { 1, 2, 7, 100, 15000, 5000000,
	    400000000, 1000000000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		int64_t v = rates[i], size = v / 97 + 1;

		assert_near(passes(v, 1, v, size, 1000 * SECOND), 1000 * v,
		    v + size);
	}
}

/* What comes more seldom than once a second is not rounded away. */
static void
test_slow(void **state)
{
	(void)state;
	assert_near(passes(250, 300, 250, 1, 30000 * SECOND), 25000, 26);
	assert_near(passes(1, 300, 1, 1, 30000 * SECOND), 100, 1);
}

static void
test_first_use_is_full(void **state)
{
	struct bucket_rate r;
	struct bucket b = { 0 };

	(void)state;
	bucket_rate_set(&r, 10, 1, 25);
	assert_int_equal(bucket_look(&b, &r, begin_us), 25 * BUCKET_UNIT);
	/* Credit does not pile up beyond the burst. */
	assert_int_equal(bucket_look(&b, &r, begin_us + 3600 * SECOND),
	    25 * BUCKET_UNIT);
	assert_int_equal(bucket_spend(&b, &r, 5, begin_us + 3600 * SECOND),
	    20 * BUCKET_UNIT);
}

static void
test_debt(void **state)
{
	struct bucket_rate r;
	struct bucket b = { 0 };
	int64_t now = begin_us, wait, balance;

	(void)state;
	bucket_rate_set(&r, 1000, 1, 1000);
	/* One that is too big is let in, and charged whole. */
	assert_true(bucket_take(&b, &r, 8000, now));
	balance = bucket_look(&b, &r, now);
	assert_int_equal(balance, -7000 * BUCKET_UNIT);
	assert_false(bucket_take(&b, &r, 1, now));
	assert_int_equal(bucket_look(&b, &r, now), balance);
	wait = bucket_wait_us(balance, 1000 * BUCKET_UNIT);
	assert_int_equal(wait, 7 * SECOND);
	assert_false(bucket_take(&b, &r, 1, now + wait - 2000));
	assert_true(bucket_take(&b, &r, 1, now + wait));
}

/* However much is charged, a debt stays one, and is paid. */
static void
test_debt_is_bounded(void **state)
{
	static const int64_t tokens[] = { INT32_MAX, INT64_MAX / BUCKET_UNIT,
		INT64_MAX };
	struct bucket_rate r;

	(void)state;
	bucket_rate_set(&r, 1000000000000, 1, 1000000000000);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct bucket b = { 0 };

		for (int n = 0; n < 10000; n++)
			assert_true(bucket_spend(&b, &r, tokens[i],
			    begin_us) < (n < 1000 ? INT64_MAX : 0));
		assert_false(bucket_take(&b, &r, 1, begin_us));
		assert_int_equal(bucket_look(&b, &r, begin_us),
		    -BUCKET_DEBT_MAX * BUCKET_UNIT);
		bucket_grant(&b, &r, INT64_MIN / 4);
		assert_int_equal(bucket_look(&b, &r, begin_us),
		    -BUCKET_DEBT_MAX * BUCKET_UNIT);
		bucket_look(&b, &r, begin_us + SECOND);
		assert_true(bucket_take(&b, &r, INT64_MAX, begin_us + SECOND));
		assert_int_equal(bucket_look(&b, &r, begin_us + SECOND),
		    -BUCKET_DEBT_MAX * BUCKET_UNIT);
	}
}

static void
test_wait(void **state)
{
	(void)state;
	assert_int_equal(bucket_wait_us(0, 5), 0);
	assert_int_equal(bucket_wait_us(1, 5), 0);
	assert_int_equal(bucket_wait_us(-1, BUCKET_UNIT), 1);
	assert_int_equal(bucket_wait_us(-1, 1000 * BUCKET_UNIT), 1);
	assert_int_equal(bucket_wait_us(-1, 0), INT64_MAX);
	assert_int_equal(bucket_wait_us(INT64_MIN / 2, 1), INT64_MAX);
}

static void
test_clock_goes_back(void **state)
{
	struct bucket_rate r;
	struct bucket b = { 0 };

	(void)state;
	bucket_rate_set(&r, 1000, 1, 1000);
	bucket_spend(&b, &r, 1000, begin_us);
	assert_int_equal(bucket_look(&b, &r, begin_us - SECOND), 0);
	assert_int_equal(bucket_look(&b, &r, begin_us + SECOND / 2),
	    500 * BUCKET_UNIT);
}

static void
test_live_change(void **state)
{
	struct bucket_rate r;
	struct bucket b = { 0 };
	int64_t now = begin_us;

	(void)state;
	bucket_rate_set(&r, 1000, 1, 1000);
	bucket_look(&b, &r, now);
	/* A smaller burst takes away what is above it. */
	bucket_rate_set(&r, 100, 1, 100);
	now += 1000;
	assert_int_equal(bucket_look(&b, &r, now), 100 * BUCKET_UNIT);
	bucket_spend(&b, &r, 100, now);
	now += SECOND / 2;
	assert_int_equal(bucket_look(&b, &r, now), 50 * BUCKET_UNIT);
	/* A larger one fills from where it is; debt is still debt. */
	bucket_spend(&b, &r, 1050, now);
	bucket_rate_set(&r, 1000, 1, 1000);
	now += SECOND;
	assert_int_equal(bucket_look(&b, &r, now), 0);
	now += 5 * SECOND;
	assert_int_equal(bucket_look(&b, &r, now), 1000 * BUCKET_UNIT);
}

static void
test_grant(void **state)
{
	struct bucket_rate r;
	struct bucket b = { 0 };

	(void)state;
	bucket_rate_set(&r, 0, 1, 0);
	assert_int_equal(bucket_look(&b, &r, begin_us), 0);
	bucket_rate_set(&r, 0, 1, 100);
	assert_int_equal(bucket_look(&b, &r, begin_us + SECOND), 0);
	bucket_grant(&b, &r, 70 * BUCKET_UNIT);
	bucket_grant(&b, &r, 70 * BUCKET_UNIT);
	assert_int_equal(bucket_look(&b, &r, begin_us + 2 * SECOND),
	    100 * BUCKET_UNIT);
	bucket_grant(&b, &r, -130 * BUCKET_UNIT);
	assert_false(bucket_take(&b, &r, 1, begin_us + 3 * SECOND));
	bucket_grant(&b, &r, INT64_MAX);
	assert_int_equal(bucket_look(&b, &r, begin_us + 4 * SECOND),
	    100 * BUCKET_UNIT);
}

/* ---- threads ---- */

enum { THREADS = 4, TAKES = 50000 };

struct crowd {
	struct bucket_rate	 rate;
	struct bucket		 bucket;
	_Atomic int64_t		 now_us, taken;
};

static void *
take_often(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < TAKES; i++) {
		int64_t now = atomic_fetch_add(&c->now_us, 3);

		if (bucket_take(&c->bucket, &c->rate, 1, now))
			atomic_fetch_add(&c->taken, 1);
	}
	return NULL;
}

static void *
change_often(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < 1000; i++) {
		bucket_rate_set(&c->rate, i % 2 ? 100000 : 50000, 1, 100);
		bucket_look(&c->bucket, &c->rate, atomic_load(&c->now_us));
	}
	return NULL;
}

static void *
grant_often(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < TAKES; i++)
		bucket_grant(&c->bucket, &c->rate, BUCKET_UNIT / 2);
	return NULL;
}

static void
run_crowd(struct crowd *c, void *(*other)(void *))
{
	pthread_t t[THREADS + 1];

	for (int i = 0; i <= THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL,
		    i < THREADS ? take_often : other, c), 0);
	for (int i = 0; i <= THREADS; i++)
		pthread_join(t[i], NULL);
}

/* Nothing is lost or made when all of it comes from grants. */
static void
test_threads_conserve(void **state)
{
	struct crowd c = { .now_us = begin_us };

	(void)state;
	bucket_rate_set(&c.rate, 0, 1, TAKES);
	bucket_look(&c.bucket, &c.rate, begin_us);
	bucket_grant(&c.bucket, &c.rate, -TAKES * BUCKET_UNIT);
	run_crowd(&c, grant_often);
	assert_int_equal(bucket_look(&c.bucket, &c.rate, begin_us),
	    TAKES * BUCKET_UNIT / 2 - c.taken * BUCKET_UNIT);
}

/* While the rate changes under them, they pass no more than the larger one
 * allows, and one each that went into debt. */
static void
test_threads_and_change(void **state)
{
	struct crowd c = { .now_us = begin_us };
	int64_t us;

	(void)state;
	bucket_rate_set(&c.rate, 50000, 1, 100);
	run_crowd(&c, change_often);
	us = c.now_us - begin_us;
	assert_int_equal(us, 3 * THREADS * TAKES);
	assert_true(c.taken <= us / 10 + 100 + THREADS);
	assert_true(c.taken >= us / 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_first_use_is_full),
		cmocka_unit_test(test_debt),
		cmocka_unit_test(test_debt_is_bounded),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_clock_goes_back),
		cmocka_unit_test(test_live_change),
		cmocka_unit_test(test_grant),
		cmocka_unit_test(test_threads_conserve),
		cmocka_unit_test(test_threads_and_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
