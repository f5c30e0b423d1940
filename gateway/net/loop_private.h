/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of struct loop, for the files of this folder only.
 *
 * A turn is one callback of ours: loop_enter, work, loop_leave. The end of the
 * outermost turn takes up connections that may go on (`pending`), sends what
 * was queued (`dirty`) and frees what was closed (`dead`).
 * Thread: the loop's, but for the posts, which their lock guards.
 */
#ifndef WEIR_NET_LOOP_PRIVATE_H
#define WEIR_NET_LOOP_PRIVATE_H

/* Before list.h: it has a LIST_ENTRY of its own for a while. */
#include <event2/event.h>
#include <event2/event_struct.h>

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/base/list.h"
#include "gateway/net/loop.h"

enum {
	/* Deadlines further away than the wheel goes round are looked at once
	 * a round: 51 s. */
	WHEEL_SLOTS = 512,
	/* What is queued by drained() and closed() while a turn's output is
	 * sent is sent too, this many times over; then in the next turn. */
	FLUSH_ROUNDS = 8,
	TLS_SCRATCH = 16 * 1024,	/* one TLS record's payload */
};

struct conn;
struct post;
struct ticker;

struct timer_slot {
	int64_t		 at_us;
	struct timer	*timer;
};

struct loop {
	struct event_base	*base;
	int64_t			 now_us;
	int			 depth;		/* > 0: inside a turn */
	atomic_uint_least64_t	 turn;		/* odd: inside one */
	bool			 again_set, stopped;
	struct event		 again;		/* a turn for what is left */
	struct event		 wait;		/* ends loop_turn */

	struct block		*read_block;
	size_t			 read_used;	/* lent to frames, from 0 */
	uint8_t			*scratch;	/* TLS_SCRATCH, made at need */

	struct list		 pending, dirty, dead, shed;
	struct list		 wheel[WHEEL_SLOTS];
	int64_t			 wheel_tick;	/* all up to it are done */
	struct event		 tick;
	struct ticker		*tickers;

	/* Clients whose handshake waits (handshake.c). */
	struct list		 hellos;
	int64_t			 handshake_us;		/* bucket */
	int64_t			 handshake_each_us;	/* 0: no limit */
	int64_t			 handshake_burst_us;
	struct timer		 handshake_timer;

	struct timer_slot	*heap;		/* 4-ary; [0] is unused */
	uint32_t		 heap_n, heap_cap;
	int			 timer_fd;
	int64_t			 timer_armed_us;	/* 0: not armed */
	struct event		 timer_event;

	pthread_mutex_t		 post_lock;
	struct post		*posts, **posts_end;
	int			 post_fd;
	struct event		 post_event;

	struct loop_stats	 stats;
};

void	loop_enter(struct loop *l);
void	loop_leave(struct loop *l);
/* What is done every LOOP_TICK_MS. A test on a clock of its own takes the event
 * away and calls this itself. */
void	loop_tick(struct loop *l);
/* Makes a turn come when none is on: something waits on a list. */
void	loop_wake(struct loop *l);
/* Room of at least LOOP_READ_BLOCK / 2 to read into; *size is how much. */
uint8_t	*loop_read_room(struct loop *l, size_t *size);
/* Bytes of that room were received and dealt with. */
void	loop_read_done(struct loop *l, size_t used);
/* True when `more` bytes would pass the node's limit. */
bool	loop_would_exceed(size_t more);

/* timer.c */
void	timers_init(struct loop *l);
void	timers_run(struct loop *l);
void	timers_fini(struct loop *l);

/* What the turn's end and the tick do to connections (conn*.c). */
void	conn_continue(struct conn *c);
void	conn_flush(struct conn *c);
void	conn_destroy(struct conn *c);
void	conn_check_deadline(struct conn *c);
void	conn_unshed(struct conn *c);
struct conn *conn_of_work(struct list *link);
struct conn *conn_of_dirty(struct list *link);
struct conn *conn_of_wheel(struct list *link);

#endif
