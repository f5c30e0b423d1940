/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker says during a SCRAM login: it is taken or refused, whatever it
 * is.
 * Input: bit 0: SHA-512; then its first message, a NUL, and its last one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "routing/scram.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly as long, so that a read behind the end is noticed. */
static struct slice
copy_of(const uint8_t *data, size_t len)
{
	uint8_t *to = mem_alloc(len + (len == 0));

	if (len > 0)
		memcpy(to, data, len);
	return (struct slice){ to, (uint32_t)len };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scram *s;
	struct slice first, last, answer;
	struct error err = { "" };
	const uint8_t *nul;
	size_t n;

	if (size < 1)
		return 0;
	nul = memchr(data + 1, '\0', size - 1);
	n = nul ? (size_t)(nul - data - 1) : size - 1;
	first = copy_of(data + 1, n);
	last = nul ? copy_of(nul + 1, size - n - 2) : copy_of(NULL, 0);
	s = scram_new(data[0] & 1 ? 512 : 256, "user", "pencil", "nonce");
	scram_first(s);
	if (scram_final(s, first, &answer, &err)) {
		assert(answer.len > 0 && answer.len < SCRAM_TEXT_MAX);
		assert(memcmp(answer.data, "c=biws,r=nonce", 14) == 0);
	} else {
		assert(err.text[0] != '\0');
	}
	err.text[0] = '\0';
	if (!scram_verify(s, last, &err))
		assert(err.text[0] != '\0');
	scram_free(s);
	free((void *)(uintptr_t)first.data);
	free((void *)(uintptr_t)last.data);
	return 0;
}
