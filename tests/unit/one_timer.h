/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-ins of the loop and the worker for tests of handlers: a clock that the
 * test moves, the one timer that was set last, and wishes for a snapshot.
 * Included by one .c each.
 * Thread: the test's.
 */
#ifndef WEIR_TESTS_ONE_TIMER_H
#define WEIR_TESTS_ONE_TIMER_H

#include "gateway/net/loop.h"
#include "gateway/worker.h"

static struct {
	int64_t		 now;
	struct timer	*timer;		/* NULL: none is set */
	int		 wishes;
} played;

int64_t
loop_now_us(const struct loop *l)
{
	(void)l;
	return played.now;
}

void
timer_set(struct timer *t, struct loop *l, int64_t at_us,
    void (*fire)(struct timer *t))
{
	(void)l;
	t->at_us = at_us;
	t->fire = fire;
	played.timer = t;
}

void
timer_cancel(struct timer *t)
{
	if (played.timer == t)
		played.timer = NULL;
}

void
worker_wish(struct worker *w)
{
	(void)w;
	played.wishes++;
}

#endif
