/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one thread's sockets share: the libevent base, the block that sockets
 * are read into, the connections with output to flush, a coarse tick for all
 * deadlines, and the thread's cached clock.
 *
 * Ownership: the thread's; freed after its connections.
 * Thread: the one that runs it; loop_post is any thread's.
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block;
struct conn;
struct event_base;
struct loop;

enum {
	LOOP_TICK_MS = 100,		/* deadlines are checked this often */
	LOOP_READ_BLOCK = 128 * 1024,	/* one read's room */
};

/* What a loop counted; added to the metrics of its thread by its owner. */
struct loop_stats {
	uint64_t	 bytes_in, bytes_out;
	uint64_t	 turns_slow;		/* over 100 ms */
	int64_t		 turn_max_us;
	uint64_t	 handshakes;		/* of clients, begun */
	uint64_t	 handshakes_delayed;	/* had to wait */
	uint64_t	 handshakes_waiting;	/* now */
};

struct loop	*loop_new(void);
void		 loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l);
/* Runs until loop_stop; returns then. */
void		 loop_run(struct loop *l);
/* One pass: waits at most wait_ms for something to do and does it; also what is
 * due by the (replaced) clock. For tests and tools. */
void		 loop_turn(struct loop *l, int wait_ms);
void		 loop_stop(struct loop *l);
/* Monotonic microseconds, read once a turn (each event callback of ours). A
 * turn's end sends what was queued in it, then frees what was closed in it. */
int64_t		 loop_now_us(const struct loop *l);
const struct loop_stats *loop_stats(const struct loop *l);
/* How many TLS handshakes its clients may begin a second, a tenth of them at
 * once; more wait their turn. 0 (as at first): no limit. */
void		 loop_set_handshake_rate(struct loop *l, uint32_t per_second);
/* A number that is odd while a turn is on, and never the same for two turns.
 * Thread: any. */
uint64_t	 loop_turn_mark(const struct loop *l);
/* Runs fn(arg) on the loop's thread, soon. Thread: any. */
void		 loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Calls fn(arg) at each tick (LOOP_TICK_MS), until the loop is freed. */
void		 loop_on_tick(struct loop *l, void (*fn)(void *arg), void *arg);
/* No longer; safe from inside a tick. */
void		 loop_off_tick(struct loop *l, void (*fn)(void *arg),
		    void *arg);
/* Node-wide limit of block_total(); over it, connections which were opened
 * with `sheds` set are not read until it falls under 90 %. Thread: before
 * loops run, or any. */
void		 loop_set_node_limit(size_t bytes);
/* True while over that limit. Thread: any. */
bool		 loop_over_limit(void);
/* True over 95 % of it: nobody new is let in. Thread: any. */
bool		 loop_nearly_full(void);

/* A one-shot timer, embedded; coarse ticks are no good for long polls. */
struct timer {
	struct loop	*loop;
	int64_t		 at_us;
	void		(*fire)(struct timer *t);
	uint32_t	 slot;		/* place in the heap; 0: not set */
};
/* Fires once at or after `at_us` (within 2 ms). May be set again while set. */
void		 timer_set(struct timer *t, struct loop *l, int64_t at_us,
		    void (*fire)(struct timer *t));
/* Nothing happens when it is not set (zeroed memory counts as not set). */
void		 timer_cancel(struct timer *t);

#endif
