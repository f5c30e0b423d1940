/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool
base64url_decode(struct slice text, uint8_t *to, size_t size, size_t *len)
{
	uint32_t bits = 0;
	int have = 0;

	*len = 0;
	if (text.len % 4 == 1)
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		int v = value_of(text.data[i]);

		if (v < 0)
			return false;
		bits = (bits << 6 | (uint32_t)v) & 0xffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (*len >= size)
			return false;
		to[(*len)++] = (uint8_t)(bits >> have);
	}
	return (bits & ((1u << have) - 1)) == 0;
}

size_t
base64url_encode(const void *data, size_t n, char *to)
{
	const uint8_t *p = data;
	uint32_t bits = 0;
	size_t len = 0;
	int have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = (bits << 8 | p[i]) & 0xffff;
		for (have += 8; have >= 6; have -= 6)
			to[len++] = alphabet[bits >> (have - 6) & 63];
	}
	if (have > 0)
		to[len++] = alphabet[bits << (6 - have) & 63];
	to[len] = '\0';
	return len;
}
