/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/loop.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop_private.h"

enum { TURN_SLOW_US = 100 * 1000 };

struct post {
	struct post	*next;
	void		(*fn)(void *arg);
	void		*arg;
};

struct ticker {
	struct ticker	*next;
	void		(*fn)(void *arg);
	void		*arg;
};

static atomic_size_t node_limit;
static atomic_bool node_over;

void
loop_set_node_limit(size_t bytes)
{
	atomic_store(&node_limit, bytes);
}

bool
loop_over_limit(void)
{
	size_t limit = atomic_load_explicit(&node_limit, memory_order_relaxed);
	bool over = atomic_load_explicit(&node_over, memory_order_relaxed);
	size_t total = block_total();
	bool now = limit > 0 &&
	    total > (over ? limit - limit / 10 : limit);

	if (now != over)
		atomic_store_explicit(&node_over, now, memory_order_relaxed);
	return now;
}

bool
loop_nearly_full(void)
{
	size_t limit = atomic_load_explicit(&node_limit, memory_order_relaxed);

	return limit > 0 && block_total() > limit - limit / 20;
}

bool
loop_would_exceed(size_t more)
{
	size_t limit = atomic_load_explicit(&node_limit, memory_order_relaxed);
	size_t total = block_total();

	/* What is over the limit alone may come when nearly nothing else is
	 * there: it would wait forever. */
	return limit > 0 && total + more > limit && total > limit / 10;
}

/* Moves a whole list behind another head; from is empty afterwards. */
static void
take_list(struct list *to, struct list *from)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

static struct list *
first_off(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_remove(link);
	return link;
}

static void
turn_end(struct loop *l)
{
	struct list batch, *link;

	take_list(&batch, &l->pending);
	while ((link = first_off(&batch)) != NULL)
		conn_continue(conn_of_work(link));
	for (int i = 0; i < FLUSH_ROUNDS && !list_empty(&l->dirty); i++) {
		take_list(&batch, &l->dirty);
		while ((link = first_off(&batch)) != NULL)
			conn_flush(conn_of_dirty(link));
	}
	while ((link = first_off(&l->dead)) != NULL)
		conn_destroy(conn_of_work(link));
	l->depth = 0;
	if (!list_empty(&l->pending) || !list_empty(&l->dirty))
		loop_wake(l);
}

/* Only this thread writes it. */
static void
mark_turn(struct loop *l)
{
	uint64_t turn = atomic_load_explicit(&l->turn, memory_order_relaxed);

	atomic_store_explicit(&l->turn, turn + 1, memory_order_relaxed);
}

uint64_t
loop_turn_mark(const struct loop *l)
{
	return atomic_load_explicit(&l->turn, memory_order_relaxed);
}

void
loop_enter(struct loop *l)
{
	if (l->depth++ > 0)
		return;
	mark_turn(l);
	l->now_us = clock_now_us();
}

void
loop_leave(struct loop *l)
{
	int64_t took;

	if (l->depth > 1) {
		l->depth--;
		return;
	}
	turn_end(l);
	mark_turn(l);
	took = clock_now_us() - l->now_us;
	if (took > l->stats.turn_max_us)
		l->stats.turn_max_us = took;
	if (took > TURN_SLOW_US)
		l->stats.turns_slow++;
}

void
loop_wake(struct loop *l)
{
	static const struct timeval zero;

	if (l->depth > 0 || l->again_set)
		return;
	l->again_set = true;
	event_add(&l->again, &zero);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd, (void)what;
	l->again_set = false;
	loop_enter(l);
	loop_leave(l);
}

static void
on_wait(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

uint8_t *
loop_read_room(struct loop *l, size_t *size)
{
	struct block *b = l->read_block;

	if (b != NULL && b->refs == 1)
		l->read_used = 0;
	if (b == NULL || b->size - l->read_used < LOOP_READ_BLOCK / 2) {
		block_unref(b);
		b = l->read_block = block_new(LOOP_READ_BLOCK);
		l->read_used = 0;
	}
	*size = b->size - l->read_used;
	return b->data + l->read_used;
}

void
loop_read_done(struct loop *l, size_t used)
{
	if (l->read_block->refs == 1) {
		l->read_used = 0;
		return;
	}
	/* What somebody keeps stays; go on behind it, on a line of its own. */
	l->read_used += (used + 63) & ~(size_t)63;
	if (l->read_used > l->read_block->size)
		l->read_used = l->read_block->size;
}

static void
turn_wheel(struct loop *l)
{
	int64_t tick = l->now_us / 1000 / LOOP_TICK_MS;
	int64_t from = l->wheel_tick + 1;
	struct list batch, *link;

	if (tick < from)
		return;
	if (tick - from >= WHEEL_SLOTS)
		from = tick - WHEEL_SLOTS + 1;
	l->wheel_tick = tick;
	for (int64_t t = from; t <= tick; t++) {
		take_list(&batch, &l->wheel[t % WHEEL_SLOTS]);
		while ((link = first_off(&batch)) != NULL)
			conn_check_deadline(conn_of_wheel(link));
	}
}

static void
call_tickers(struct loop *l)
{
	for (struct ticker **at = &l->tickers, *t; (t = *at) != NULL; ) {
		if (t->fn == NULL) {
			*at = t->next;
			free(t);
			continue;
		}
		t->fn(t->arg);
		at = &t->next;
	}
}

void
loop_tick(struct loop *l)
{
	struct list batch, *link;

	loop_enter(l);
	turn_wheel(l);
	if (!list_empty(&l->shed) && !loop_over_limit()) {
		take_list(&batch, &l->shed);
		while ((link = first_off(&batch)) != NULL)
			conn_unshed(conn_of_work(link));
	}
	call_tickers(l);
	loop_leave(l);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	loop_tick(arg);
}

void
loop_on_tick(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct ticker *t = mem_alloc(sizeof(*t)), **end = &l->tickers;

	while (*end != NULL)
		end = &(*end)->next;
	*t = (struct ticker){ NULL, fn, arg };
	*end = t;
}

/* The list may be walked just now: the next tick frees the entry. */
void
loop_off_tick(struct loop *l, void (*fn)(void *arg), void *arg)
{
	for (struct ticker *t = l->tickers; t != NULL; t = t->next)
		if (t->fn == fn && t->arg == arg)
			t->fn = NULL;
}

static void
on_post(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct post *p, *next;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof(times)) < 0)
		return;
	pthread_mutex_lock(&l->post_lock);
	p = l->posts;
	l->posts = NULL;
	l->posts_end = &l->posts;
	pthread_mutex_unlock(&l->post_lock);
	loop_enter(l);
	for (; p != NULL; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
	}
	loop_leave(l);
}

void
loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct post *p = mem_alloc(sizeof(*p));
	uint64_t one = 1;
	bool first;

	*p = (struct post){ NULL, fn, arg };
	pthread_mutex_lock(&l->post_lock);
	first = l->posts == NULL;
	*l->posts_end = p;
	l->posts_end = &p->next;
	/* Inside the lock, so that loop_free after it is safe. It cannot
	 * block: the counter is read before it is full. */
	if (first && write(l->post_fd, &one, sizeof(one)) < 0)
		abort();
	pthread_mutex_unlock(&l->post_lock);
}

static struct event_base *
new_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	assert(cfg != NULL);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	assert(base != NULL);
	return base;
}

struct loop *
loop_new(void)
{
	static const struct timeval tick = { 0, LOOP_TICK_MS * 1000 };
	struct loop *l = mem_zalloc(sizeof(*l));

	/* OpenSSL writes with write(2). */
	signal(SIGPIPE, SIG_IGN);
	l->base = new_base();
	list_init(&l->pending);
	list_init(&l->dirty);
	list_init(&l->dead);
	list_init(&l->shed);
	list_init(&l->hellos);
	for (int i = 0; i < WHEEL_SLOTS; i++)
		list_init(&l->wheel[i]);
	l->wheel_tick = clock_now_us() / 1000 / LOOP_TICK_MS;
	evtimer_assign(&l->again, l->base, on_again, l);
	evtimer_assign(&l->wait, l->base, on_wait, l);
	event_assign(&l->tick, l->base, -1, EV_PERSIST, on_tick, l);
	event_add(&l->tick, &tick);
	timers_init(l);
	pthread_mutex_init(&l->post_lock, NULL);
	l->posts_end = &l->posts;
	l->post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(l->post_fd >= 0);
	event_assign(&l->post_event, l->base, l->post_fd, EV_READ | EV_PERSIST,
	    on_post, l);
	event_add(&l->post_event, NULL);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	loop_enter(l);
	loop_leave(l);		/* frees what was closed last */
	timers_fini(l);
	event_del(&l->again);
	event_del(&l->tick);
	event_del(&l->post_event);
	close(l->post_fd);
	pthread_mutex_destroy(&l->post_lock);
	for (struct post *p = l->posts, *next; p != NULL; p = next) {
		next = p->next;
		free(p);
	}
	for (struct ticker *t = l->tickers, *next; t != NULL; t = next) {
		next = t->next;
		free(t);
	}
	block_unref(l->read_block);
	free(l->scratch);
	event_base_free(l->base);
	free(l);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

void
loop_run(struct loop *l)
{
	if (!l->stopped)
		event_base_dispatch(l->base);
}

void
loop_turn(struct loop *l, int wait_ms)
{
	struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	if (wait_ms > 0) {
		event_add(&l->wait, &wait);
		event_base_loop(l->base, EVLOOP_ONCE);
		event_del(&l->wait);
	} else {
		event_base_loop(l->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	}
	loop_enter(l);
	turn_wheel(l);
	timers_run(l);
	loop_leave(l);
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
	event_base_loopbreak(l->base);
}

int64_t
loop_now_us(const struct loop *l)
{
	return l->depth > 0 ? l->now_us : clock_now_us();
}

const struct loop_stats *
loop_stats(const struct loop *l)
{
	return &l->stats;
}
