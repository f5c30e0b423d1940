/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A records field: batches tile it from its start, each whole and inside.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/wire/batch.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = mem_alloc(size ? size : 1);
	const char *fault = NULL;
	struct batch_walk w;
	struct batch_sum sum;
	struct batch b;
	size_t at = 0;
	uint32_t n = 0;
	bool ok;

	if (size > 0)
		memcpy(copy, data, size);
	batch_walk_init(&w, copy, size);
	while (batch_walk_next(&w, &b)) {
		assert(b.data == copy + at);
		assert(b.size > BATCH_PREFIX && b.size <= size - at);
		assert(b.magic <= 2 && b.records >= 0);
		assert(b.magic != 2 || b.size >= BATCH_HEADER);
		at += b.size;
		n++;
	}
	assert(!w.partial || w.fault == NULL);
	assert(w.partial || w.fault != NULL || at == size);
	ok = batch_sum((struct slice){ copy, (uint32_t)size }, &sum, &fault);
	assert(ok == (w.fault == NULL) && (ok || fault == w.fault));
	assert(sum.batches == n && sum.bytes == at);
	assert(sum.partial == w.partial);
	free(copy);
	return 0;
}
