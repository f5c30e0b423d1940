/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/wire/batch_write.h"

#include <assert.h>
#include <pthread.h>

#include "gateway/wire/batch.h"

enum {
	AT_LENGTH = 8, AT_EPOCH = 12, AT_MAGIC = 16, AT_CRC = 17,
	AT_ATTRIBUTES = 21, AT_LAST_DELTA = 23, AT_BASE_TIME = 27,
	AT_MAX_TIME = 35, AT_PRODUCER = 43, AT_PRODUCER_EPOCH = 51,
	AT_SEQUENCE = 53, AT_COUNT = 57,
	/* attributes, two deltas, two lengths, number of headers */
	RECORD_ROOM = 1 + 10 + 5 + 5 + 5 + 1,
};

static uint32_t crc_table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
		crc_table[i] = c;
	}
}

uint32_t
crc32c(const uint8_t *data, size_t len)
{
	uint32_t c = 0xffffffffu;

	pthread_once(&once, make_table);
	for (size_t i = 0; i < len; i++)
		c = crc_table[(c ^ data[i]) & 0xff] ^ c >> 8;
	return ~c;
}

static void
put_int(uint8_t *to, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

/* Zigzag, seven bits a byte. */
static size_t
put_varint(uint8_t *to, int64_t n)
{
	uint64_t v = (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
	size_t at = 0;

	for (; v > 0x7f; v >>= 7)
		to[at++] = (uint8_t)(v | 0x80);
	to[at++] = (uint8_t)v;
	return at;
}

static size_t
put_bytes(uint8_t *to, struct slice s)
{
	size_t at = put_varint(to, s.data != NULL ? (int64_t)s.len : -1);

	if (s.len > 0)
		memcpy(to + at, s.data, s.len);
	return at + s.len;
}

/* A record behind its length; `body` is room for it. */
static size_t
put_record(uint8_t *to, uint8_t *body, const struct batch_record *r,
    uint32_t delta)
{
	size_t n = 0, at;

	body[n++] = 0;				/* attributes */
	n += put_varint(body + n, 0);		/* timestamp delta */
	n += put_varint(body + n, delta);	/* offset delta */
	n += put_bytes(body + n, r->key);
	n += put_bytes(body + n, r->value);
	n += put_varint(body + n, 0);		/* headers */
	at = put_varint(to, (int64_t)n);
	memcpy(to + at, body, n);
	return at + n;
}

struct slice
batch_write(const struct batch_record *v, uint32_t n, int64_t now_ms,
    struct arena *a)
{
	size_t room = BATCH_HEADER, most = 0, at = BATCH_HEADER;
	uint8_t *to, *body;

	assert(n > 0 && n <= BATCH_WRITE_RECORDS_MAX);
	for (uint32_t i = 0; i < n; i++) {
		size_t size = RECORD_ROOM + v[i].key.len + v[i].value.len;

		room += size;
		most = size > most ? size : most;
	}
	to = arena_get(a, room);
	body = arena_get(a, most);
	for (uint32_t i = 0; i < n; i++)
		at += put_record(to + at, body, &v[i], i);
	put_int(to + AT_LENGTH, at - BATCH_PREFIX, 4);
	put_int(to + AT_EPOCH, (uint64_t)-1, 4);
	to[AT_MAGIC] = 2;
	put_int(to + AT_LAST_DELTA, n - 1, 4);
	put_int(to + AT_BASE_TIME, (uint64_t)now_ms, 8);
	put_int(to + AT_MAX_TIME, (uint64_t)now_ms, 8);
	put_int(to + AT_PRODUCER, (uint64_t)-1, 8);
	put_int(to + AT_PRODUCER_EPOCH, (uint64_t)-1, 2);
	put_int(to + AT_SEQUENCE, (uint64_t)-1, 4);
	put_int(to + AT_COUNT, n, 4);
	put_int(to + AT_CRC, crc32c(to + AT_ATTRIBUTES, at - AT_ATTRIBUTES),
	    4);
	return (struct slice){ to, (uint32_t)at };
}
