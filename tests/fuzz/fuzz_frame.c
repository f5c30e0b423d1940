/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame reassembly against a plain reading of the same stream: whatever the
 * segments, holds and refusals, the same frames come out, or the same fault.
 *
 * Input: byte 0 seeds the segments, byte 1 chooses frame_max and whether the
 * rest is the stream itself (0) or a list of 3-byte lengths of frames to make
 * (1), so that a small input reaches the big frames.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/block.h"
#include "gateway/base/mem.h"
#include "gateway/net/reassembly.h"

enum { ROOM = 128 * 1024, STREAM_MAX = 1024 * 1024 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct check {
	const uint8_t	*stream;
	size_t		 len, at;	/* of the next frame's length */
	size_t		 frame_max;
	uint32_t	 random;
	bool		 gone, ended;
	struct reassembly r;
	struct block	*kept;		/* what some session holds on to */
	struct block	*shared;	/* read into, new when it is kept */
};

static uint32_t
next_random(struct check *k)
{
	k->random ^= k->random << 13;
	k->random ^= k->random >> 17;
	k->random ^= k->random << 5;
	return k->random;
}

static uint32_t
length_at(const struct check *k)
{
	const uint8_t *p = k->stream + k->at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static enum reassembly_next
on_frame(void *arg, struct block *b, const uint8_t *data, size_t len)
{
	struct check *k = arg;

	assert(!k->ended);
	assert(k->at + 4 <= k->len && length_at(k) == len);
	assert(len > 0 && len <= k->frame_max);
	assert(k->at + 4 + len <= k->len);
	assert(memcmp(data, k->stream + k->at + 4, len) == 0);
	assert(data >= b->data && data + len <= b->data + b->size);
	k->at += 4 + len;
	if (next_random(k) % 8 == 0) {
		block_unref(k->kept);
		k->kept = block_ref(b);
	}
	if (next_random(k) % 4 == 0)
		return REASSEMBLY_HOLD;
	if (k->gone && next_random(k) % 64 == 0) {
		reassembly_fini(&k->r);
		k->ended = true;
		return REASSEMBLY_GONE;
	}
	return REASSEMBLY_GO;
}

static bool
has_room(void *arg, size_t size)
{
	assert(size > REASSEMBLY_ASK);
	return next_random(arg) % 2 == 0;
}

static const struct reassembly_ops ops = { on_frame, has_room };

/* Segments of one byte, of some, or of all that there is room for. */
static size_t
segment(struct check *k, size_t most)
{
	uint32_t x = next_random(k);
	size_t n = x % 4 == 0 ? 1 : x % 4 == 1 ? x % 50 + 1 :
	    x % 4 == 2 ? x % 40000 + 1 : most;

	return n < most ? n : most;
}

static size_t
scatter(const struct iovec *iov, int n, const uint8_t *from, size_t len)
{
	size_t done = 0;

	for (int i = 0; i < n && done < len; i++) {
		size_t k = iov[i].iov_len;

		if (k > len - done)
			k = len - done;
		memcpy(iov[i].iov_base, from + done, k);
		done += k;
	}
	return done;
}

static enum reassembly_result
read_some(struct check *k, size_t *fed, enum reassembly_result before)
{
	struct iovec iov[2];
	size_t n;

	if (k->shared == NULL || k->shared->refs > 1) {
		block_unref(k->shared);
		k->shared = block_new(ROOM);
	}
	n = (size_t)reassembly_plan(&k->r, k->shared->data,
	    next_random(k) % 8 ? ROOM : 0, iov);
	n = scatter(iov, (int)n, k->stream + *fed,
	    segment(k, k->len - *fed));
	*fed += n;
	return n == 0 ? before : reassembly_take(&k->r, k->shared,
	    k->shared->data, n, &ops, k);
}

/* All that is whole was told. */
static void
check_end(const struct check *k)
{
	if (k->len - k->at >= 4) {
		uint32_t len = length_at(k);

		assert(len > 0 && len <= k->frame_max);
		assert(len > k->len - k->at - 4);
	}
	assert(reassembly_partial(&k->r) == (k->at < k->len));
}

static void
feed(struct check *k)
{
	enum reassembly_result result = REASSEMBLY_MORE;
	size_t fed = 0;

	while (reassembly_holds(&k->r) || fed < k->len) {
		if (reassembly_holds(&k->r))
			result = reassembly_continue(&k->r, &ops, k);
		else
			result = read_some(k, &fed, result);
		assert((result == REASSEMBLY_ENDED) == k->ended);
		if (k->ended)
			return;
		if (result == REASSEMBLY_BAD_LENGTH) {
			uint32_t len = length_at(k);

			assert(len == 0 || len > INT32_MAX ||
			    len > k->frame_max);
			return;
		}
	}
	check_end(k);
}

static uint8_t *
make_stream(const uint8_t *data, size_t size, size_t *len)
{
	uint8_t *s = mem_alloc(STREAM_MAX);

	*len = 0;
	for (; size >= 3; data += 3, size -= 3) {
		size_t n = (size_t)(data[0] & 7) << 16 |
		    (size_t)data[1] << 8 | data[2];

		if (*len + 4 + n > STREAM_MAX)
			break;
		s[*len] = 0;
		s[*len + 1] = (uint8_t)(n >> 16);
		s[*len + 2] = (uint8_t)(n >> 8);
		s[*len + 3] = (uint8_t)n;
		for (size_t i = 0; i < n; i++)
			s[*len + 4 + i] = (uint8_t)(i * 31 + (i >> 8));
		/* The last may be cut. */
		*len += 4 + n - (size <= 5 && n > 2 ? n / 2 : 0);
	}
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check k = { .at = 0 };
	uint8_t *made = NULL;

	if (size < 2)
		return 0;
	k.random = data[0] * 2654435761u + 1;
	k.gone = data[0] & 1;
	k.frame_max = (size_t)1 << (data[1] >> 1 & 31);
	k.r.frame_max = k.frame_max;
	k.stream = data + 2;
	k.len = size - 2;
	if (data[1] & 1)
		k.stream = made = make_stream(data + 2, size - 2, &k.len);
	feed(&k);
	reassembly_fini(&k.r);
	block_unref(k.kept);
	block_unref(k.shared);
	free(made);
	assert(block_total() == 0);
	return 0;
}
