/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream cut into Kafka frames, without a socket: where the next bytes
 * are best read to, and what they complete. Used by conn and by its fuzzer.
 *
 * A frame that is whole in the shared block is copied to a block of its own
 * size when small against it, otherwise handed out where it lies. A frame that
 * is not gets a block of its size, and the rest is read straight into it. After
 * a big frame only the next length is read, together with the big frame's end,
 * so that in a stream of big frames no byte is copied.
 *
 * Ownership: the connection's; blocks are handed out borrowed.
 * Bounds: frame_max; `room` is asked before a block over REASSEMBLY_ASK is
 * made.
 */
#ifndef WEIR_NET_REASSEMBLY_H
#define WEIR_NET_REASSEMBLY_H

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block;

enum {
	REASSEMBLY_BIG = 32 * 1024,	/* a frame's length */
	REASSEMBLY_ASK = 64 * 1024,
	/* Handed out in place from this share of the block it lies in. */
	REASSEMBLY_SHARE = 8,
};

struct reassembly {
	uint8_t		 head[4];	/* the length, as far as it is there */
	uint8_t		 head_have;
	bool		 big;		/* the last frame begun was */
	size_t		 frame_max;
	struct block	*body;		/* the frame being received, or NULL */
	size_t		 body_have;
	struct block	*held;		/* received, not looked at yet */
	uint32_t	 held_at, held_len;
};

/* What the receiver of a frame says. */
enum reassembly_next {
	REASSEMBLY_GO,		/* on with the next */
	REASSEMBLY_HOLD,	/* keep what is left until _continue */
	REASSEMBLY_GONE,	/* _fini was called: touch nothing */
};

enum reassembly_result {
	REASSEMBLY_MORE,	/* all used up */
	REASSEMBLY_HELD,	/* asked to hold, or no room */
	REASSEMBLY_ENDED,	/* the receiver said GONE */
	REASSEMBLY_BAD_LENGTH,	/* in head: zero, negative or over the cap */
};

struct reassembly_ops {
	enum reassembly_next (*frame)(void *arg, struct block *b,
	    const uint8_t *data, size_t len);
	/* May a block of this size be made? false: hold; ask again later. */
	bool	(*room)(void *arg, size_t size);
};

void	reassembly_fini(struct reassembly *r);
/* Where to read to; fills one or two entries. `shared` has `size` > 0 bytes of
 * room; size 0 means only to finish what was begun (then 0 entries may be the
 * answer). Not while something is held. */
int	reassembly_plan(struct reassembly *r, uint8_t *shared, size_t size,
	    struct iovec iov[2]);
/* `n` bytes were read by that plan. `b` is the block `shared` lies in. */
enum reassembly_result reassembly_take(struct reassembly *r, struct block *b,
	    uint8_t *shared, size_t n, const struct reassembly_ops *ops,
	    void *arg);
/* Goes on with what was held. */
enum reassembly_result reassembly_continue(struct reassembly *r,
	    const struct reassembly_ops *ops, void *arg);

/* A frame was begun and is not whole. */
static inline bool
reassembly_partial(const struct reassembly *r)
{
	return r->body != NULL || r->head_have > 0;
}

/* reassembly_continue has something to do. */
static inline bool
reassembly_holds(const struct reassembly *r)
{
	return r->held != NULL || (r->head_have == 4 && r->body == NULL);
}

#endif
