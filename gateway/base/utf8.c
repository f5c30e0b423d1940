/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/utf8.h"

#include <stdbool.h>

static bool
goes_on(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* What its first byte announces. */
static uint32_t
length_of(uint8_t first)
{
	return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 :
	    first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Longer than it need be, half of a pair, or beyond the last one. */
static bool
is_none(uint8_t first, uint8_t second)
{
	return (first == 0xe0 && second < 0xa0) ||
	    (first == 0xed && second > 0x9f) ||
	    (first == 0xf0 && second < 0x90) ||
	    (first == 0xf4 && second > 0x8f);
}

uint32_t
utf8_at(struct slice s, uint32_t i)
{
	uint32_t n = length_of(s.data[i]);

	if (n > s.len - i)
		return 0;
	for (uint32_t k = 1; k < n; k++)
		if (!goes_on(s.data[i + k]))
			return 0;
	return n > 1 && is_none(s.data[i], s.data[i + 1]) ? 0 : n;
}

uint32_t
utf8_cut(struct slice s, uint32_t most)
{
	uint32_t first = most;

	if (s.len <= most)
		return s.len;
	while (first > 0 && most - first < 3 && goes_on(s.data[first]))
		first--;
	return first + utf8_at(s, first) > most ? first : most;
}
