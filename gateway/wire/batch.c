/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wire/batch.h"

enum {
	AT_LENGTH = 8,
	AT_LEADER_EPOCH = 12,
	AT_MAGIC = 16,		/* there in all three formats */
	AT_CRC = 17,
	AT_ATTRIBUTES = 21,
	AT_LAST_OFFSET_DELTA = 23,
	AT_BASE_TIMESTAMP = 27,
	AT_MAX_TIMESTAMP = 35,
	AT_PRODUCER_ID = 43,
	AT_PRODUCER_EPOCH = 51,
	AT_BASE_SEQUENCE = 53,
	AT_RECORDS = 57,
	MESSAGE_MIN = 26,	/* magic 0 with a null key and value */
	RECORD_MIN = 7,		/* a record's fewest bytes, uncompressed */
};

static uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap16(v);
}

static uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static uint64_t
load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

void
batch_walk_init(struct batch_walk *w, const uint8_t *data, size_t len)
{
	*w = (struct batch_walk){ .p = data, .end = len ? data + len : data };
}

static bool
fault(struct batch_walk *w, const char *what)
{
	w->fault = what;
	return false;
}

static bool
cut_off(struct batch_walk *w)
{
	w->partial = true;
	return false;
}

static void
read_header(struct batch *b, const uint8_t *p)
{
	b->leader_epoch = (int32_t)load32(p + AT_LEADER_EPOCH);
	b->crc = load32(p + AT_CRC);
	b->attributes = (int16_t)load16(p + AT_ATTRIBUTES);
	b->last_offset_delta = (int32_t)load32(p + AT_LAST_OFFSET_DELTA);
	b->base_timestamp = (int64_t)load64(p + AT_BASE_TIMESTAMP);
	b->max_timestamp = (int64_t)load64(p + AT_MAX_TIMESTAMP);
	b->producer_id = (int64_t)load64(p + AT_PRODUCER_ID);
	b->producer_epoch = (int16_t)load16(p + AT_PRODUCER_EPOCH);
	b->base_sequence = (int32_t)load32(p + AT_BASE_SEQUENCE);
	b->records = (int32_t)load32(p + AT_RECORDS);
}

/* A count that the batch has no room for would let a client choose what it is
 * metered for. Compressed records tell nothing about theirs. */
static bool
count_is_possible(const struct batch *b)
{
	uint32_t room = b->size - BATCH_HEADER;

	return b->records >= 0 && ((b->attributes & BATCH_ATTR_COMPRESSION) ||
	    (uint32_t)b->records <= room / RECORD_MIN);
}

bool
batch_walk_next(struct batch_walk *w, struct batch *b)
{
	size_t have = (size_t)(w->end - w->p);
	int32_t length;

	*b = (struct batch){ .producer_id = -1, .data = w->p };
	if (have == 0 || w->fault != NULL || w->partial)
		return false;
	if (have < BATCH_PREFIX)
		return cut_off(w);
	b->base_offset = (int64_t)load64(w->p);
	length = (int32_t)load32(w->p + AT_LENGTH);
	if (length < MESSAGE_MIN - BATCH_PREFIX)
		return fault(w, "batch shorter than a header");
	if ((size_t)length > have - BATCH_PREFIX)
		return cut_off(w);
	b->size = (uint32_t)length + BATCH_PREFIX;
	b->magic = (int8_t)w->p[AT_MAGIC];
	if (b->magic < 0 || b->magic > 2)
		return fault(w, "batch of an unknown format");
	if (b->magic == 2) {
		if (b->size < BATCH_HEADER)
			return fault(w, "batch shorter than a header");
		read_header(b, w->p);
		if (!count_is_possible(b))
			return fault(w, "batch with an impossible count");
	}
	w->p += b->size;
	return true;
}

bool
batch_sum(struct slice records, struct batch_sum *sum, const char **why)
{
	struct batch_walk w;
	struct batch b;

	*sum = (struct batch_sum){ 0 };
	batch_walk_init(&w, records.data, records.len);
	while (batch_walk_next(&w, &b)) {
		sum->batches++;
		sum->bytes += b.size;
		sum->records += b.magic == 2 ? (uint32_t)b.records : 1;
		if (b.attributes & BATCH_ATTR_TRANSACTIONAL)
			sum->transactional = true;
	}
	sum->partial = w.partial;
	if (why != NULL)
		*why = w.fault;
	return w.fault == NULL;
}
