/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/block.h"

#include <sys/uio.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"

static atomic_size_t total;

struct block *
block_new(size_t size)
{
	struct block *b = mem_alloc(sizeof(*b) + size);

	b->refs = 1;
	b->size = size;
	block_count(sizeof(*b) + size);
	return b;
}

void
block_unref(struct block *b)
{
	if (b == NULL)
		return;
	assert(b->refs > 0);
	if (--b->refs > 0)
		return;
	block_discount(sizeof(*b) + b->size);
	free(b);
}

void
block_count(size_t bytes)
{
	atomic_fetch_add_explicit(&total, bytes, memory_order_relaxed);
}

void
block_discount(size_t bytes)
{
	atomic_fetch_sub_explicit(&total, bytes, memory_order_relaxed);
}

size_t
block_total(void)
{
	return atomic_load_explicit(&total, memory_order_relaxed);
}

void
chain_init(struct chain *c)
{
	memset(c, 0, sizeof(*c));
}

void
chain_fini(struct chain *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		block_unref(c->v[c->head + i].block);
	free(c->v);
	chain_init(c);
}

/* Makes room for `more` pieces at the end. */
static void
reserve(struct chain *c, uint32_t more)
{
	if (c->head > 0 && c->head + c->n + more > c->cap) {
		memmove(c->v, c->v + c->head, c->n * sizeof(*c->v));
		c->head = 0;
	}
	if (c->n + more > c->cap) {
		uint32_t cap = c->cap ? c->cap : 4;

		while (cap < c->n + more)
			cap *= 2;
		c->v = mem_realloc(c->v, cap * sizeof(*c->v));
		c->cap = cap;
	}
}

void
chain_add(struct chain *c, struct block *b, const uint8_t *data, size_t len)
{
	struct piece *last;

	if (len == 0)
		return;
	c->bytes += len;
	if (c->n > 0) {
		last = &c->v[c->head + c->n - 1];
		if (last->block == b && last->data + last->len == data) {
			last->len += len;
			return;
		}
	}
	reserve(c, 1);
	c->v[c->head + c->n++] = (struct piece){ block_ref(b), data, len };
}

void
chain_add_copy(struct chain *c, const void *data, size_t len)
{
	struct block *b;

	if (len == 0)
		return;
	b = block_new(len);
	memcpy(b->data, data, len);
	chain_add(c, b, b->data, len);
	block_unref(b);
}

void
chain_move(struct chain *dst, struct chain *src)
{
	if (src->n == 0)
		return;
	if (dst->n == 0) {
		struct chain t = *dst;

		*dst = *src;
		*src = t;
		return;
	}
	reserve(dst, src->n);
	memcpy(&dst->v[dst->head + dst->n], &src->v[src->head],
	    src->n * sizeof(*src->v));
	dst->n += src->n;
	dst->bytes += src->bytes;
	src->n = src->head = 0;
	src->bytes = 0;
}

int
chain_iov(const struct chain *c, struct iovec *iov, int max)
{
	int n = 0;

	for (uint32_t i = 0; i < c->n && n < max; i++, n++) {
		const struct piece *p = &c->v[c->head + i];

		/* writev does not write through iov_base. */
		memcpy(&iov[n].iov_base, &p->data, sizeof(p->data));
		iov[n].iov_len = p->len;
	}
	return n;
}

void
chain_drain(struct chain *c, size_t len)
{
	assert(len <= c->bytes);
	c->bytes -= len;
	while (len > 0) {
		struct piece *p = &c->v[c->head];

		if (len < p->len) {
			p->data += len;
			p->len -= len;
			return;
		}
		len -= p->len;
		block_unref(p->block);
		c->head++;
		c->n--;
	}
	if (c->n == 0)
		c->head = 0;
}

void
chain_copy_out(const struct chain *c, uint8_t *to)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct piece *p = &c->v[c->head + i];

		memcpy(to, p->data, p->len);
		to += p->len;
	}
}
