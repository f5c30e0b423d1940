/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/arena.h"
#include "gateway/wire/batch.h"
#include "gateway/wire/batch_write.h"

/* RFC 3720, B.4. */
static void
crc_of_known_bytes(void **state)
{
	uint8_t zeros[32] = { 0 }, ones[32], up[32];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++)
		up[i] = (uint8_t)i;
	assert_int_equal(crc32c(zeros, 32), 0x8a9136aau);
	assert_int_equal(crc32c(ones, 32), 0x62a8ab43u);
	assert_int_equal(crc32c(up, 32), 0x46dd794eu);
	assert_int_equal(crc32c((const uint8_t *)"123456789", 9),
	    0xe3069283u);
}

static void
reads_back(void **state)
{
	const struct batch_record v[] = {
		{ SLICE_NULL, SLICE_LIT("first") },
		{ SLICE_LIT("key"), SLICE_NULL },
		{ SLICE_LIT(""), SLICE_LIT("third") },
	};
	struct batch_walk w;
	struct batch b;
	struct slice s;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	s = batch_write(v, 3, 1700000000000, &a);
	batch_walk_init(&w, s.data, s.len);
	assert_true(batch_walk_next(&w, &b));
	assert_int_equal(b.size, s.len);
	assert_int_equal(b.magic, 2);
	assert_int_equal(b.attributes, 0);
	assert_int_equal(b.records, 3);
	assert_int_equal(b.last_offset_delta, 2);
	assert_int_equal(b.base_timestamp, 1700000000000);
	assert_int_equal(b.max_timestamp, 1700000000000);
	assert_int_equal(b.producer_id, -1);
	assert_int_equal(b.crc, crc32c(s.data + 21, s.len - 21));
	assert_false(batch_walk_next(&w, &b));
	assert_null(w.fault);
	arena_fini(&a);
}

/* Byte by byte, as the documentation lays a record out. */
static void
record_bytes(void **state)
{
	const struct batch_record v = { SLICE_LIT("k"), SLICE_LIT("vv") };
	static const uint8_t want[] = {
		/* length 9, attributes, times, offset, key, value, headers */
		18, 0, 0, 0, 2, 'k', 4, 'v', 'v', 0,
	};
	struct slice s;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	s = batch_write(&v, 1, 1, &a);
	assert_int_equal(s.len, BATCH_HEADER + sizeof(want));
	assert_memory_equal(s.data + BATCH_HEADER, want, sizeof(want));
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_of_known_bytes),
		cmocka_unit_test(reads_back),
		cmocka_unit_test(record_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
