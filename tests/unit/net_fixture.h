/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of gateway/net share: an end of a connection that notes what
 * it is told, and raw sockets to talk to it. */
#ifndef WEIR_TESTS_NET_FIXTURE_H
#define WEIR_TESTS_NET_FIXTURE_H

#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/net/conn.h"
#include "gateway/net/loop.h"

enum { END_KEEPS = 64 };

/* One end; `on_frame` may do more than note it. */
struct end {
	struct conn	*c;
	int		 frames, ready, drained, closed;
	size_t		 bytes;
	struct {
		struct block	*block;		/* kept, when keep is set */
		const uint8_t	*data;
		size_t		 len;
		uint32_t	 sum;
	}		 got[END_KEEPS];
	bool		 keep;
	enum conn_reason reason;
	char		 detail[256];
	void		(*on_frame)(struct end *e, struct block *b,
			    const uint8_t *data, size_t len);
	void		(*on_closed)(struct end *e);
	void		*more;
};

static inline uint32_t
sum_of(const uint8_t *p, size_t n)
{
	uint32_t s = 2166136261u;

	for (size_t i = 0; i < n; i++)
		s = (s ^ p[i]) * 16777619u;
	return s;
}

static inline void
end_frame(struct conn *c, void *arg, struct block *b, const uint8_t *data,
    size_t len)
{
	struct end *e = arg;
	int i = e->frames % END_KEEPS;

	assert_ptr_equal(c, e->c);
	assert_true(data >= b->data && data + len <= b->data + b->size);
	e->frames++;
	e->bytes += len;
	e->got[i].len = len;
	e->got[i].sum = sum_of(data, len);
	if (e->keep) {
		block_unref(e->got[i].block);
		e->got[i].block = block_ref(b);
		e->got[i].data = data;
	}
	if (e->on_frame != NULL)
		e->on_frame(e, b, data, len);
}

static inline void
end_ready(struct conn *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->ready++;
}

static inline void
end_drained(struct conn *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->drained++;
}

static inline void
end_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct end *e = arg;

	assert_ptr_equal(c, e->c);
	e->closed++;
	e->c = NULL;
	e->reason = reason;
	snprintf(e->detail, sizeof(e->detail), "%s", detail ? detail : "");
	if (e->on_closed != NULL)
		e->on_closed(e);
}

static const struct conn_ops end_ops = {
	end_frame, end_ready, end_drained, end_closed, NULL
};

static inline void
end_fini(struct end *e)
{
	for (int i = 0; i < END_KEEPS; i++)
		block_unref(e->got[i].block);
	if (e->c != NULL)
		conn_close(e->c, CONN_UNUSED, NULL);
}

/* Whatever the clock that weir looks at. */
static inline int64_t
real_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Turns the loop until cond, for at most 5 (under valgrind 60) seconds. */
#define UNTIL(l, cond) do { \
	int64_t give_up_ = real_now_us() + 60 * 1000000; \
	while (!(cond)) { \
		loop_turn((l), 5); \
		if (real_now_us() > give_up_) \
			fail_msg("never: %s", #cond); \
	} \
} while (0)

/* Turns it for a while, in which nothing is expected. */
static inline void
turns(struct loop *l, int n)
{
	for (int i = 0; i < n; i++)
		loop_turn(l, 1);
}

static inline void
put_be32(uint8_t *to, size_t n)
{
	to[0] = (uint8_t)(n >> 24);
	to[1] = (uint8_t)(n >> 16);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
}

/* A frame with its length in front, filled from a seed; free() it. */
static inline uint8_t *
make_frame(size_t len, unsigned seed)
{
	uint8_t *f = mem_alloc(len + 4);

	put_be32(f, len);
	for (size_t i = 0; i < len; i++)
		f[i + 4] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
	return f;
}

static inline void
send_frame(struct conn *c, size_t len, unsigned seed)
{
	struct chain out;
	struct block *b = block_new(len + 4);
	uint8_t *f = make_frame(len, seed);

	memcpy(b->data, f, len + 4);
	chain_init(&out);
	chain_add(&out, b, b->data, len + 4);
	conn_send(c, &out);
	chain_fini(&out);
	block_unref(b);
	free(f);
}

#endif
