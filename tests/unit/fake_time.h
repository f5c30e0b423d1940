/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clock that stands still until the test lets it go on, for tests with a loop
 * and fake brokers.
 * Thread: the test's.
 */
#ifndef WEIR_TESTS_FAKE_TIME_H
#define WEIR_TESTS_FAKE_TIME_H

#include "gateway/base/clock.h"
#include "gateway/net/loop.h"

static int64_t fake_us;

static inline int64_t
fake_now(void)
{
	return fake_us;
}

/* clock_replace(NULL) ends it. */
static inline void
fake_time_begin(void)
{
	fake_us = clock_now_us();
	clock_replace(fake_now);
}

/* By ticks, so that what is due is done in its order. */
static inline void
fake_time_pass(struct loop *l, int ms)
{
	for (; ms > 0; ms -= LOOP_TICK_MS) {
		fake_us += (ms < LOOP_TICK_MS ? ms : LOOP_TICK_MS) * 1000;
		loop_turn(l, 0);
	}
	/* What a tick does is done by the real time. */
	for (int i = 0; i < 60; i++)
		loop_turn(l, 2);
}

#endif
