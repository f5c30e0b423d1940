/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the headers of record batches without touching the records: how many
 * there are, how large, whose. Nothing is decompressed and no checksum is made:
 * that is the broker's and the client's work.
 * Format: https://kafka.apache.org/documentation/#recordbatch (magic 2);
 * magic 0 and 1 (message sets) are recognized by their shared first bytes.
 *
 * Ownership: none; the bytes stay the caller's. Thread: any.
 * Bounds: a batch is never read past `end`; lengths may lie.
 */
#ifndef WEIR_WIRE_BATCH_H
#define WEIR_WIRE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/slice.h"

enum {
	BATCH_PREFIX = 12,		/* base offset and length */
	BATCH_HEADER = 61,		/* of magic 2, prefix included */
	BATCH_ATTR_COMPRESSION = 0x07,	/* none gzip snappy lz4 zstd */
	BATCH_ATTR_APPEND_TIME = 0x08,
	BATCH_ATTR_TRANSACTIONAL = 0x10,
	BATCH_ATTR_CONTROL = 0x20,
};

struct batch {
	int64_t		 base_offset;
	uint32_t	 size;		/* whole, prefix included */
	int8_t		 magic;
	/* Below only for magic 2; otherwise zero, with producer_id -1. */
	int16_t		 attributes;
	int32_t		 leader_epoch;
	uint32_t	 crc;
	int32_t		 last_offset_delta;
	int64_t		 base_timestamp, max_timestamp;
	int64_t		 producer_id;	/* -1: not idempotent */
	int16_t		 producer_epoch;
	int32_t		 base_sequence;
	int32_t		 records;	/* as the header claims, >= 0 */
	const uint8_t	*data;		/* its first byte */
};

struct batch_walk {
	const uint8_t	*p, *end;
	const char	*fault;		/* a constant string */
	bool		 partial;	/* the last batch is cut off: brokers do
					 * so at the end of a fetched set */
};

void	 batch_walk_init(struct batch_walk *w, const uint8_t *data,
	    size_t len);
/* The next whole batch; false at the end, at a batch that is cut off (partial)
 * or at a fault. */
bool	 batch_walk_next(struct batch_walk *w, struct batch *b);

struct batch_sum {
	uint32_t	 batches;
	uint64_t	 records;	/* of magic 2; a magic 0 or 1 message
					 * counts as one */
	uint64_t	 bytes;		/* of whole batches */
	bool		 partial;
	bool		 transactional;	/* any of them is */
};

/* All batches of a records field. False: `fault` says why (it may be NULL if
 * the caller does not care), and the sum is of what stood before. */
bool	 batch_sum(struct slice records, struct batch_sum *sum,
	    const char **fault);

#endif
