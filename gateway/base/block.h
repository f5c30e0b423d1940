/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: counted pieces of memory that received frames lie in and encoded
 * frames are built in; and chains: what is to be sent, as an ordered list of
 * pieces of blocks. Record batches travel from one socket to the other as a
 * piece of the block they were read into.
 *
 * Ownership: block_new returns one reference; each piece of a chain holds one.
 * Thread: a block and its references stay on one thread (the count is not
 * atomic). block_total is any thread's.
 * Bounds: the caller checks a size against its cap before block_new; all blocks
 * of the process are summed for the node's limit of buffered bytes.
 */
#ifndef WEIR_BASE_BLOCK_H
#define WEIR_BASE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;

struct block {
	uint32_t	 refs;
	size_t		 size;		/* bytes in data */
	uint8_t		 data[];
};

struct piece {
	struct block	*block;		/* counted */
	const uint8_t	*data;
	size_t		 len;
};

struct chain {
	struct piece	*v;		/* malloc'd; v[head..] are in use */
	uint32_t	 head, n, cap;
	size_t		 bytes;		/* sum of the pieces' lengths */
};

/* A block of `size` bytes with one reference. Aborts when memory is gone. */
struct block	*block_new(size_t size);
void		 block_unref(struct block *b);

static inline struct block *
block_ref(struct block *b)
{
	b->refs++;
	return b;
}

/* Bytes in all blocks of the process, headers included, and what was counted
 * with them. Thread: any. */
size_t		 block_total(void);
/* Counts memory with the blocks that is in none, but was sized by a peer as
 * well; the same number is due to block_discount. Thread: any. */
void		 block_count(size_t bytes);
void		 block_discount(size_t bytes);

void		 chain_init(struct chain *c);
/* Drops what is left; the chain may be used again. */
void		 chain_fini(struct chain *c);
/* Appends a piece; takes its own reference of b. A piece that continues the
 * last one is joined to it. */
void		 chain_add(struct chain *c, struct block *b,
		    const uint8_t *data, size_t len);
/* Appends a copy of `len` bytes in a new block. */
void		 chain_add_copy(struct chain *c, const void *data, size_t len);
/* Moves all pieces of src to the end of dst; src is empty afterwards. */
void		 chain_move(struct chain *dst, struct chain *src);
/* Fills at most max entries for writev; returns how many. */
int		 chain_iov(const struct chain *c, struct iovec *iov, int max);
/* Forgets the first `len` bytes (they were sent). len <= c->bytes. */
void		 chain_drain(struct chain *c, size_t len);
/* Copies everything to `to`, which has room for c->bytes (tests, TLS). */
void		 chain_copy_out(const struct chain *c, uint8_t *to);

#endif
