/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/bucket.h"

#include <assert.h>

/* What is shorter is not worth a refill. */
enum { REFILL_US = 1000, REFILL_MOST_US = 10 * 1000 * 1000 };

static int64_t
load(_Atomic int64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

void
bucket_rate_set(struct bucket_rate *r, int64_t value, int64_t seconds,
    int64_t burst)
{
	assert(value >= 0 && seconds > 0 && burst >= 0);
	atomic_store_explicit(&r->rate, (int64_t)((__int128)value *
	    BUCKET_UNIT / seconds), memory_order_relaxed);
	atomic_store_explicit(&r->burst, burst * BUCKET_UNIT,
	    memory_order_relaxed);
}

/* No debt is larger, so that sums of what is owed do not overflow. */
static const int64_t debt_most = BUCKET_DEBT_MAX * BUCKET_UNIT;

static int64_t
less(int64_t balance, int64_t tokens)
{
	int64_t millionths = tokens < BUCKET_DEBT_MAX ? tokens * BUCKET_UNIT :
	    debt_most;

	return balance < millionths - debt_most ? -debt_most :
	    balance - millionths;
}

/* Adds, and keeps at most `most` (debt is not touched by it). */
static int64_t
add(struct bucket *b, int64_t millionths, int64_t most)
{
	int64_t was = load(&b->balance), now;

	do {
		now = millionths > INT64_MAX - (was > 0 ? was : 0) ?
		    INT64_MAX : millionths < 0 && was < -debt_most -
		    millionths ? -debt_most : was + millionths;
		if (now > most)
			now = most;
	} while (!atomic_compare_exchange_weak_explicit(&b->balance, &was, now,
	    memory_order_relaxed, memory_order_relaxed));
	return now;
}

/* Each refill loses less than a millionth by rounding, so it brings at least a
 * thousand of them: slow rates are refilled more seldom. */
static int64_t
refill_us(int64_t rate)
{
	if (rate >= BUCKET_UNIT || rate <= 0)
		return REFILL_US;
	return rate < REFILL_US * BUCKET_UNIT / REFILL_MOST_US ?
	    REFILL_MOST_US : REFILL_US * BUCKET_UNIT / rate;
}

static int64_t
earned(int64_t rate, int64_t us, int64_t burst, int64_t balance)
{
	__int128 v = (__int128)rate * us / BUCKET_UNIT;
	__int128 room = (__int128)burst - balance;

	if (v > room)
		v = room;
	return v < 0 ? 0 : (int64_t)v;
}

int64_t
bucket_look(struct bucket *b, const struct bucket_rate *r, int64_t now_us)
{
	int64_t burst = load((_Atomic int64_t *)(uintptr_t)&r->burst);
	int64_t rate = load((_Atomic int64_t *)(uintptr_t)&r->rate);
	int64_t was = load(&b->at_us);
	int64_t balance = load(&b->balance);

	if (was != 0 && now_us - was < refill_us(rate))
		return balance;
	/* Whoever moves the time on earns what has passed. */
	if (!atomic_compare_exchange_strong_explicit(&b->at_us, &was, now_us,
	    memory_order_relaxed, memory_order_relaxed))
		return load(&b->balance);
	if (was == 0)
		return add(b, burst, burst);
	return add(b, earned(rate, now_us - was, burst, balance), burst);
}

int64_t
bucket_spend(struct bucket *b, const struct bucket_rate *r, int64_t tokens,
    int64_t now_us)
{
	int64_t was = bucket_look(b, r, now_us), now;

	do {
		now = less(was, tokens);
	} while (!atomic_compare_exchange_weak_explicit(&b->balance, &was, now,
	    memory_order_relaxed, memory_order_relaxed));
	return now;
}

bool
bucket_take(struct bucket *b, const struct bucket_rate *r, int64_t tokens,
    int64_t now_us)
{
	int64_t was = bucket_look(b, r, now_us);

	do {
		if (was < 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&b->balance, &was,
	    less(was, tokens), memory_order_relaxed, memory_order_relaxed));
	return true;
}

void
bucket_grant(struct bucket *b, const struct bucket_rate *r, int64_t millionths)
{
	add(b, millionths, load((_Atomic int64_t *)(uintptr_t)&r->burst));
}

int64_t
bucket_wait_us(int64_t balance, int64_t rate)
{
	__int128 us;

	if (balance >= 0)
		return 0;
	if (rate <= 0)
		return INT64_MAX;
	us = ((__int128)-balance * BUCKET_UNIT + rate - 1) / rate;
	return us > INT64_MAX ? INT64_MAX : us < 1 ? 1 : (int64_t)us;
}
