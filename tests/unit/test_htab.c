/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/htab.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int ones[1024];

static struct slice
key_of(int i, char *to, size_t size)
{
	snprintf(to, size, "key-%d", i);
	return slice_of(to);
}

static void
test_siphash_vector(void **state)
{
	/* The 15-byte example in the appendix of the SipHash paper. */
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t text[15];

	(void)state;
	for (uint8_t i = 0; i < sizeof(text); i++)
		text[i] = i;
	assert_true(siphash(key, 2, 4, text, sizeof(text)) ==
	    0xa129ca6149be45e5);
}

static void
test_set_get_take(void **state)
{
	struct htab *h = htab_new();
	int a, b;

	(void)state;
	assert_null(htab_get(h, SLICE_LIT("a")));
	assert_null(htab_set(h, SLICE_LIT("a"), &a));
	assert_ptr_equal(htab_set(h, SLICE_LIT("a"), &b), &a);
	assert_ptr_equal(htab_get(h, SLICE_LIT("a")), &b);
	assert_null(htab_set(h, SLICE_LIT(""), &a));
	assert_ptr_equal(htab_get(h, SLICE_LIT("")), &a);
	assert_int_equal(htab_count(h), 2);
	assert_ptr_equal(htab_take(h, SLICE_LIT("a")), &b);
	assert_null(htab_take(h, SLICE_LIT("a")));
	assert_int_equal(htab_count(h), 1);
	htab_free(h, NULL);
	htab_free(NULL, NULL);
}

/* Every entry can be reached from its home without crossing a free slot. */
static void
check_invariant(const struct htab *h)
{
	size_t n = 0;

	for (size_t i = 0; i <= h->mask; i++) {
		if (h->slots[i].value == NULL)
			continue;
		n++;
		for (size_t j = h->slots[i].hash & h->mask; j != i;
		    j = (j + 1) & h->mask)
			assert_non_null(h->slots[j].value);
	}
	assert_int_equal(n, h->count);
}

static void
test_against_an_array(void **state)
{
	struct htab *h = htab_new();
	bool there[1024] = { false };
	unsigned seed = 1;
	char text[32];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		int i = (int)((seed = seed * 1103515245 + 12345) >> 8 & 1023);
		struct slice k = key_of(i, text, sizeof(text));
		void *was = there[i] ? &ones[i] : NULL;

		assert_ptr_equal(htab_get(h, k), was);
		if (seed & 1 << 20) {
			assert_ptr_equal(htab_set(h, k, &ones[i]), was);
			there[i] = true;
		} else {
			assert_ptr_equal(htab_take(h, k), was);
			there[i] = false;
		}
		if (round % 100 == 0)
			check_invariant(h);
	}
	htab_free(h, NULL);
}

static bool
count_to_three(void *arg, struct slice key, void *value)
{
	int *n = arg;

	assert_non_null(value);
	assert_true(key.len > 4);
	return ++*n < 3;
}

static int freed;

static void
free_one(void *value)
{
	(void)value;
	freed++;
}

static void
test_each_and_free(void **state)
{
	struct htab *h = htab_new();
	char text[32];
	int n = 0;

	(void)state;
	assert_true(htab_each(h, count_to_three, &n));
	for (int i = 0; i < 10; i++)
		htab_set(h, key_of(i, text, sizeof(text)), &ones[i]);
	assert_false(htab_each(h, count_to_three, &n));
	assert_int_equal(n, 3);
	htab_free(h, free_one);
	assert_int_equal(freed, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_vector),
		cmocka_unit_test(test_set_get_take),
		cmocka_unit_test(test_against_an_array),
		cmocka_unit_test(test_each_and_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
