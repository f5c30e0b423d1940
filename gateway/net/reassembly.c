/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/reassembly.h"

#include <assert.h>
#include <string.h>

#include "gateway/base/block.h"

void
reassembly_fini(struct reassembly *r)
{
	block_unref(r->body);
	block_unref(r->held);
	r->body = r->held = NULL;
	r->body_have = r->held_at = r->held_len = 0;
	r->head_have = 0;
}

int
reassembly_plan(struct reassembly *r, uint8_t *shared, size_t size,
    struct iovec iov[2])
{
	int n = 0;

	assert(!reassembly_holds(r));
	if (r->body != NULL) {
		iov[n].iov_base = r->body->data + r->body_have;
		iov[n++].iov_len = r->body->size - r->body_have;
	}
	if (size == 0)
		return n;
	if (r->big) {
		iov[n].iov_base = r->head + r->head_have;
		iov[n++].iov_len = sizeof(r->head) - r->head_have;
	} else {
		iov[n].iov_base = shared;
		iov[n++].iov_len = size;
	}
	return n;
}

/* The length in head; 0 when it is none that we accept. */
static size_t
head_length(const struct reassembly *r)
{
	uint32_t len = (uint32_t)r->head[0] << 24 | (uint32_t)r->head[1] << 16 |
	    (uint32_t)r->head[2] << 8 | r->head[3];

	return len > INT32_MAX || len > r->frame_max ? 0 : len;
}

/* Makes the block for a frame whose length is known; false when there is no
 * room for it now: the head stays. */
static bool
begin(struct reassembly *r, size_t len, const struct reassembly_ops *ops,
    void *arg)
{
	r->big = len >= REASSEMBLY_BIG;
	if (len > REASSEMBLY_ASK && ops->room != NULL && !ops->room(arg, len))
		return false;
	r->body = block_new(len);
	r->body_have = 0;
	r->head_have = 0;
	return true;
}

static enum reassembly_next
finish(struct reassembly *r, const struct reassembly_ops *ops, void *arg)
{
	struct block *b = r->body;
	enum reassembly_next next;

	r->body = NULL;
	next = ops->frame(arg, b, b->data, b->size);
	block_unref(b);
	return next;
}

static enum reassembly_next
hand_out(struct reassembly *r, struct block *b, const uint8_t *data, size_t len,
    const struct reassembly_ops *ops, void *arg)
{
	if (len >= b->size / REASSEMBLY_SHARE)
		return ops->frame(arg, b, data, len);
	r->body = block_new(len);
	memcpy(r->body->data, data, len);
	return finish(r, ops, arg);
}

/* Keeps [p, end) of b: by reference unless that would pin much for little. */
static enum reassembly_result
hold(struct reassembly *r, struct block *b, const uint8_t *p,
    const uint8_t *end)
{
	size_t len = (size_t)(end - p);

	if (len == 0)
		return REASSEMBLY_HELD;
	if (len >= b->size / REASSEMBLY_SHARE) {
		r->held = block_ref(b);
		r->held_at = (uint32_t)(p - b->data);
	} else {
		r->held = block_new(len);
		memcpy(r->held->data, p, len);
		r->held_at = 0;
	}
	r->held_len = (uint32_t)len;
	return REASSEMBLY_HELD;
}

/* Moves bytes from *p to the frame that is being received. */
static void
fill_body(struct reassembly *r, const uint8_t **p, const uint8_t *end)
{
	size_t k = r->body->size - r->body_have;

	if (k > (size_t)(end - *p))
		k = (size_t)(end - *p);
	memcpy(r->body->data + r->body_have, *p, k);
	r->body_have += k;
	*p += k;
}

static void
fill_head(struct reassembly *r, const uint8_t **p, const uint8_t *end)
{
	while (r->head_have < sizeof(r->head) && *p < end)
		r->head[r->head_have++] = *(*p)++;
}

static enum reassembly_result
eat(struct reassembly *r, struct block *b, const uint8_t *p, const uint8_t *end,
    const struct reassembly_ops *ops, void *arg)
{
	enum reassembly_next next;

	for (;;) {
		if (r->body == NULL) {
			size_t len;

			fill_head(r, &p, end);
			if (r->head_have < sizeof(r->head))
				return REASSEMBLY_MORE;
			len = head_length(r);
			if (len == 0)
				return REASSEMBLY_BAD_LENGTH;
			if (len <= (size_t)(end - p)) {
				r->head_have = 0;
				r->big = len >= REASSEMBLY_BIG;
				next = hand_out(r, b, p, len, ops, arg);
				p += len;
				goto handed_out;
			}
			if (!begin(r, len, ops, arg))
				return hold(r, b, p, end);
		}
		fill_body(r, &p, end);
		if (r->body_have < r->body->size)
			return REASSEMBLY_MORE;
		next = finish(r, ops, arg);
handed_out:
		if (next == REASSEMBLY_GONE)
			return REASSEMBLY_ENDED;
		if (next == REASSEMBLY_HOLD)
			return hold(r, b, p, end);
	}
}

enum reassembly_result
reassembly_take(struct reassembly *r, struct block *b, uint8_t *shared,
    size_t n, const struct reassembly_ops *ops, void *arg)
{
	enum reassembly_next next = REASSEMBLY_GO;
	bool to_head = r->big;

	if (r->body != NULL) {
		size_t k = r->body->size - r->body_have;

		if (k > n)
			k = n;
		r->body_have += k;
		n -= k;
		if (r->body_have < r->body->size)
			return REASSEMBLY_MORE;
		if (to_head) {
			r->head_have = (uint8_t)n;
			n = 0;
		}
		next = finish(r, ops, arg);
	} else if (to_head) {
		r->head_have += (uint8_t)n;
		n = 0;
	}
	if (next == REASSEMBLY_GONE)
		return REASSEMBLY_ENDED;
	if (next == REASSEMBLY_HOLD)
		return hold(r, b, shared, shared + n);
	return eat(r, b, shared, shared + n, ops, arg);
}

enum reassembly_result
reassembly_continue(struct reassembly *r, const struct reassembly_ops *ops,
    void *arg)
{
	struct block *b = r->held;
	enum reassembly_result result;
	const uint8_t *p;

	if (b == NULL) {
		size_t len = head_length(r);

		if (len == 0)
			return REASSEMBLY_BAD_LENGTH;
		return begin(r, len, ops, arg) ? REASSEMBLY_MORE :
		    REASSEMBLY_HELD;
	}
	p = b->data + r->held_at;
	r->held = NULL;
	result = eat(r, b, p, p + r->held_len, ops, arg);
	block_unref(b);
	return result;
}
