/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Precise timers: a 4-ary heap, and one timerfd which is set again only when
 * the head comes nearer or has passed. A cancelled head leaves the timerfd
 * alone: one wake for nothing is cheaper than a system call a request.
 */
#include <sys/timerfd.h>

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop_private.h"

static void
place(struct loop *l, uint32_t i, struct timer_slot s)
{
	l->heap[i] = s;
	s.timer->slot = i;
}

static uint32_t
parent_of(uint32_t i)
{
	return (i - 2) / 4 + 1;
}

static void
sift_up(struct loop *l, uint32_t i, struct timer_slot s)
{
	while (i > 1 && s.at_us < l->heap[parent_of(i)].at_us) {
		place(l, i, l->heap[parent_of(i)]);
		i = parent_of(i);
	}
	place(l, i, s);
}

static void
sift_down(struct loop *l, uint32_t i, struct timer_slot s)
{
	for (;;) {
		uint32_t first = 4 * (i - 1) + 2, least = 0;

		for (uint32_t k = first; k < first + 4 && k <= l->heap_n; k++)
			if (least == 0 || l->heap[k].at_us <
			    l->heap[least].at_us)
				least = k;
		if (least == 0 || l->heap[least].at_us >= s.at_us)
			break;
		place(l, i, l->heap[least]);
		i = least;
	}
	place(l, i, s);
}

static void
take_out(struct loop *l, uint32_t i)
{
	struct timer_slot last = l->heap[l->heap_n--];

	l->heap[i].timer->slot = 0;
	if (i > l->heap_n)
		return;
	if (i > 1 && last.at_us < l->heap[parent_of(i)].at_us)
		sift_up(l, i, last);
	else
		sift_down(l, i, last);
}

static void
arm(struct loop *l)
{
	struct itimerspec at = { .it_value = { 0, 0 } };
	int64_t wait;

	if (l->heap_n == 0)
		return;
	if (l->timer_armed_us != 0 && l->timer_armed_us <= l->heap[1].at_us)
		return;
	wait = l->heap[1].at_us - clock_now_us();
	if (wait < 1)
		wait = 1;
	at.it_value.tv_sec = wait / 1000000;
	at.it_value.tv_nsec = wait % 1000000 * 1000;
	timerfd_settime(l->timer_fd, 0, &at, NULL);
	l->timer_armed_us = l->heap[1].at_us;
}

void
timer_set(struct timer *t, struct loop *l, int64_t at_us,
    void (*fire)(struct timer *t))
{
	timer_cancel(t);
	t->loop = l;
	t->at_us = at_us;
	t->fire = fire;
	if (l->heap_n + 2 > l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 64;
		l->heap = mem_realloc(l->heap,
		    l->heap_cap * sizeof(*l->heap));
	}
	l->heap_n++;
	sift_up(l, l->heap_n, (struct timer_slot){ at_us, t });
	if (t->slot == 1)
		arm(l);
}

void
timer_cancel(struct timer *t)
{
	if (t->slot == 0)
		return;
	assert(t->loop->heap[t->slot].timer == t);
	take_out(t->loop, t->slot);
}

/* Fires what is due now; what is set meanwhile for now or before waits for the
 * next pass, so that a timer which sets itself cannot hold the loop up. */
void
timers_run(struct loop *l)
{
	int64_t now = clock_now_us();
	uint32_t most = l->heap_n;

	while (most-- > 0 && l->heap_n > 0 && l->heap[1].at_us <= now) {
		struct timer *t = l->heap[1].timer;

		take_out(l, 1);
		t->fire(t);
	}
	arm(l);
}

static void
on_timer_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof(times)) < 0)
		return;
	l->timer_armed_us = 0;
	loop_enter(l);
	timers_run(l);
	loop_leave(l);
}

void
timers_init(struct loop *l)
{
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC,
	    TFD_NONBLOCK | TFD_CLOEXEC);
	assert(l->timer_fd >= 0);
	event_assign(&l->timer_event, l->base, l->timer_fd,
	    EV_READ | EV_PERSIST, on_timer_fd, l);
	event_add(&l->timer_event, NULL);
}

void
timers_fini(struct loop *l)
{
	event_del(&l->timer_event);
	close(l->timer_fd);
	for (uint32_t i = 1; i <= l->heap_n; i++)
		l->heap[i].timer->slot = 0;
	free(l->heap);
}
