/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/block.h"

#include <sys/uio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_count(void **state)
{
	size_t before = block_total();
	struct block *b = block_new(100);

	(void)state;
	assert_int_equal(block_total() - before, sizeof(*b) + 100);
	assert_ptr_equal(block_ref(b), b);
	block_unref(b);
	assert_int_equal(b->refs, 1);
	block_unref(b);
	assert_int_equal(block_total(), before);
	block_unref(NULL);
}

static void
test_add_and_drain(void **state)
{
	struct block *a = block_new(10), *b = block_new(10);
	struct chain c;
	struct iovec iov[4];

	(void)state;
	chain_init(&c);
	chain_add(&c, a, a->data, 4);
	chain_add(&c, a, a->data + 4, 2);	/* continues the last piece */
	assert_int_equal(c.n, 1);
	chain_add(&c, a, a->data, 1);		/* does not */
	chain_add(&c, b, b->data, 10);
	chain_add(&c, b, b->data, 0);		/* nothing */
	assert_int_equal(c.n, 3);
	assert_int_equal(c.bytes, 17);
	assert_int_equal(a->refs, 3);
	assert_int_equal(b->refs, 2);
	assert_int_equal(chain_iov(&c, iov, 2), 2);
	assert_int_equal(chain_iov(&c, iov, 4), 3);
	assert_ptr_equal(iov[0].iov_base, a->data);
	assert_int_equal(iov[0].iov_len, 6);
	chain_drain(&c, 3);
	assert_int_equal(chain_iov(&c, iov, 4), 3);
	assert_ptr_equal(iov[0].iov_base, a->data + 3);
	chain_drain(&c, 4);
	assert_int_equal(a->refs, 1);
	assert_int_equal(c.n, 1);
	chain_drain(&c, 10);
	assert_int_equal(c.bytes, 0);
	assert_int_equal(b->refs, 1);
	chain_fini(&c);
	block_unref(a);
	block_unref(b);
}

static void
test_move(void **state)
{
	struct chain a, b;
	uint8_t out[6];

	(void)state;
	chain_init(&a);
	chain_init(&b);
	chain_add_copy(&b, "abc", 3);
	chain_move(&a, &b);
	assert_int_equal(a.bytes, 3);
	assert_int_equal(b.bytes, 0);
	chain_add_copy(&b, "def", 3);
	chain_move(&a, &b);
	assert_int_equal(b.n, 0);
	chain_copy_out(&a, out);
	assert_memory_equal(out, "abcdef", 6);
	chain_move(&a, &b);			/* of nothing */
	assert_int_equal(a.bytes, 6);
	chain_add_copy(&b, "", 0);
	assert_int_equal(b.n, 0);
	chain_fini(&a);
	chain_fini(&b);
}

/* Random adds, moves and drains against a plain buffer. */
static void
test_against_a_buffer(void **state)
{
	static uint8_t want[1 << 16], got[1 << 16], piece[64];
	size_t from = 0, to = 0, len, before = block_total();
	struct chain c, other;
	unsigned seed = 7;

	(void)state;
	chain_init(&c);
	chain_init(&other);
	while (to + sizeof(piece) < sizeof(want)) {
		seed = seed * 1103515245 + 12345;
		len = seed >> 8 & 63;
		memset(piece, (int)(seed >> 16), len);
		if (seed >> 28 < 5) {
			len = len < c.bytes ? len : c.bytes;
			chain_drain(&c, len);
			from += len;
			continue;
		}
		memcpy(want + to, piece, len);
		to += len;
		chain_add_copy(seed >> 28 < 9 ? &other : &c, piece, len);
		if (other.n > 0)
			chain_move(&c, &other);
		assert_int_equal(c.bytes, to - from);
		chain_copy_out(&c, got);
		assert_memory_equal(got, want + from, to - from);
	}
	chain_fini(&c);
	chain_fini(&other);
	assert_int_equal(block_total(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_add_and_drain),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_against_a_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
