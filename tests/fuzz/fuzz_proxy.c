/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY header: what is accepted is within its bounds and is accepted just
 * when its last byte has come, whatever follows.
 */
#include <arpa/inet.h>

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/net/proxy_header.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses a copy of exactly n bytes, so that a read beyond them is noticed. */
static enum proxy_result
parse(const uint8_t *data, size_t n, struct proxy_header *h)
{
	uint8_t *copy = mem_alloc(n + (n == 0));
	const char *why = NULL;
	enum proxy_result r;

	if (n > 0)
		memcpy(copy, data, n);
	r = proxy_header_parse(copy, n, h, &why);
	assert((r == PROXY_BAD) == (why != NULL));
	free(copy);
	return r;
}

static void
check_done(const uint8_t *data, size_t size, const struct proxy_header *h)
{
	struct proxy_header again;

	assert(h->size >= 8 && h->size <= PROXY_HEADER_MAX && h->size <= size);
	assert(memchr(h->vpce, '\0', sizeof(h->vpce)) != NULL);
	if (h->has_address) {
		int family = h->remote.sa.sa_family;

		assert(family == AF_INET || family == AF_INET6);
		assert(h->local.sa.sa_family == family);
	}
	assert(parse(data, h->size, &again) == PROXY_DONE);
	assert(memcmp(h, &again, sizeof(again)) == 0);
	for (size_t n = 0; n < h->size; n++)
		assert(parse(data, n, &again) == PROXY_MORE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h;
	enum proxy_result r = parse(data, size, &h);

	if (r == PROXY_DONE)
		check_done(data, size, &h);
	if (r == PROXY_MORE)
		assert(size < PROXY_HEADER_MAX);
	return 0;
}
