/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a record batch (magic 2, no compression, no producer id) of records of
 * our own: what the gateway itself writes to the cluster.
 * Format: https://kafka.apache.org/documentation/#recordbatch
 *
 * Ownership: the arena's. Thread: any.
 * Bounds: BATCH_WRITE_RECORDS_MAX records.
 */
#ifndef WEIR_WIRE_BATCH_WRITE_H
#define WEIR_WIRE_BATCH_WRITE_H

#include "gateway/base/arena.h"

enum { BATCH_WRITE_RECORDS_MAX = 10000 };

struct batch_record {
	struct slice	 key;		/* null: none */
	struct slice	 value;		/* null: a tombstone */
};

/* All with the same timestamp (ms since 1970). */
struct slice	 batch_write(const struct batch_record *v, uint32_t n,
		    int64_t now_ms, struct arena *a);
/* CRC-32C (Castagnoli), as batches carry it. */
uint32_t	 crc32c(const uint8_t *data, size_t len);

#endif
