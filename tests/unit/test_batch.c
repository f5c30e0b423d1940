/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/mem.h"
#include "gateway/wire/batch.h"

enum { ROOM = 512 };

static void
store(uint8_t *p, int n, uint64_t v)
{
	for (int i = n - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* A batch of magic 2 with `body` bytes of records; returns its size. */
static size_t
make(uint8_t *p, int attributes, int32_t records, size_t body)
{
	memset(p, 0, BATCH_HEADER + body);
	store(p, 8, 1000);			/* base offset */
	store(p + 8, 4, BATCH_HEADER - BATCH_PREFIX + body);
	store(p + 12, 4, 5);			/* leader epoch */
	p[16] = 2;
	store(p + 17, 4, 0xabcdef01);
	store(p + 21, 2, (uint64_t)attributes);
	store(p + 23, 4, (uint64_t)(records - 1));
	store(p + 27, 8, 111);
	store(p + 35, 8, 222);
	store(p + 43, 8, 42);			/* producer id */
	store(p + 51, 2, 3);
	store(p + 53, 4, 9);
	store(p + 57, 4, (uint64_t)(int64_t)records);
	return BATCH_HEADER + body;
}

static void
test_header(void **state)
{
	uint8_t b[ROOM];
	struct batch_walk w;
	struct batch got;

	(void)state;
	batch_walk_init(&w, b, make(b, BATCH_ATTR_TRANSACTIONAL, 3, 30));
	assert_true(batch_walk_next(&w, &got));
	assert_int_equal(got.base_offset, 1000);
	assert_int_equal(got.size, 91);
	assert_int_equal(got.magic, 2);
	assert_int_equal(got.leader_epoch, 5);
	assert_int_equal(got.crc, 0xabcdef01);
	assert_int_equal(got.attributes, BATCH_ATTR_TRANSACTIONAL);
	assert_int_equal(got.last_offset_delta, 2);
	assert_int_equal(got.base_timestamp, 111);
	assert_int_equal(got.max_timestamp, 222);
	assert_int_equal(got.producer_id, 42);
	assert_int_equal(got.producer_epoch, 3);
	assert_int_equal(got.base_sequence, 9);
	assert_int_equal(got.records, 3);
	assert_ptr_equal(got.data, b);
	assert_false(batch_walk_next(&w, &got));
	assert_null(w.fault);
	assert_false(w.partial);
}

static void
test_sum(void **state)
{
	uint8_t b[ROOM];
	struct batch_sum sum;
	size_t n;

	(void)state;
	n = make(b, 0, 3, 30);
	n += make(b + n, BATCH_ATTR_TRANSACTIONAL | 4, 90, 20); /* zstd */
	assert_true(batch_sum((struct slice){ b, (uint32_t)n }, &sum, NULL));
	assert_int_equal(sum.batches, 2);
	assert_int_equal(sum.records, 93);
	assert_int_equal(sum.bytes, n);
	assert_true(sum.transactional);
	assert_false(sum.partial);
	assert_true(batch_sum(SLICE_NULL, &sum, NULL));
	assert_int_equal(sum.batches, 0);
}

/* Cut anywhere, the whole batches count and the walk ends as partial. */
static void
test_truncation(void **state)
{
	uint8_t b[ROOM];
	size_t first = make(b, 0, 1, 10);
	size_t all = first + make(b + first, 0, 2, 20);

	(void)state;
	for (size_t n = 0; n <= all; n++) {
		uint8_t *cut = mem_alloc(n ? n : 1);
		struct batch_sum sum;

		memcpy(cut, b, n);
		assert_true(batch_sum((struct slice){ cut, (uint32_t)n }, &sum,
		    NULL));
		assert_int_equal(sum.batches, (n >= first) + (n == all));
		assert_int_equal(sum.partial, n != 0 && n != first && n != all);
		free(cut);
	}
}

static const struct {
	const char	*what;
	int		 at, size;
	uint64_t	 value;
	const char	*fault;		/* NULL: fine */
} lies[] = {
	{ "length -1", 8, 4, UINT32_MAX, "batch shorter than a header" },
	{ "length 0", 8, 4, 0, "batch shorter than a header" },
	{ "length 13", 8, 4, 13, "batch shorter than a header" },
	{ "length 14 of magic 2", 8, 4, 14, "batch shorter than a header" },
	{ "length 48 of magic 2", 8, 4, 48, "batch shorter than a header" },
	{ "length of 2 GiB is a cut batch", 8, 4, INT32_MAX, NULL },
	{ "length -2^31", 8, 4, 0x80000000, "batch shorter than a header" },
	{ "magic 0", 16, 1, 0, NULL },
	{ "magic 1", 16, 1, 1, NULL },
	{ "magic 3", 16, 1, 3, "batch of an unknown format" },
	{ "magic -1", 16, 1, 255, "batch of an unknown format" },
	{ "count -1", 57, 4, UINT32_MAX, "batch with an impossible count" },
	{ "count 5 in 30 bytes", 57, 4, 5, "batch with an impossible count" },
	{ "count 4 in 30 bytes", 57, 4, 4, NULL },
	{ "count 0", 57, 4, 0, NULL },
};

static void
test_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t b[ROOM];
		uint32_t n = (uint32_t)make(b, 0, 3, 30);
		struct batch_sum sum;
		const char *fault;

		store(b + lies[i].at, lies[i].size, lies[i].value);
		if (batch_sum((struct slice){ b, n }, &sum, &fault) !=
		    (lies[i].fault == NULL) || (fault != NULL &&
		    strcmp(fault, lies[i].fault) != 0))
			fail_msg("%s: %s", lies[i].what, fault ? fault : "-");
	}
}

/* Old formats are counted by their outer messages. */
static void
test_magic_1(void **state)
{
	uint8_t b[ROOM] = { 0 };
	struct batch_sum sum;

	(void)state;
	for (int i = 0; i < 3; i++) {
		store(b + 40 * i + 8, 4, 28);
		b[40 * i + 16] = 1;
	}
	assert_true(batch_sum((struct slice){ b, 120 }, &sum, NULL));
	assert_int_equal(sum.batches, 3);
	assert_int_equal(sum.records, 3);
	assert_int_equal(sum.bytes, 120);
}

static void
test_random_bytes(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t b[ROOM];
		size_t n = make(b, 0, 3, 30);
		struct batch_sum sum;

		n += make(b + n, 1, 1000, 100);
		for (int i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005u + 1442695041u;
			b[(seed >> 33) % n] = (uint8_t)(seed >> 56);
		}
		(void)batch_sum((struct slice){ b, (uint32_t)n }, &sum, NULL);
		assert_true(sum.bytes <= n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_magic_1),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
