/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/block.h"
#include "gateway/base/mem.h"

enum { CHUNK_FIRST = 2048, CHUNK_MAX = 256 * 1024 };

struct arena_chunk {
	struct arena_chunk	*next;
	size_t			 size;
	bool			 counted;	/* with the blocks */
	_Alignas(8) char	 data[];
};

struct arena_hold {
	struct arena_hold	*next;
	struct block		*block;
};

void
arena_init(struct arena *a, size_t cap)
{
	memset(a, 0, sizeof(*a));
	a->cap = cap;
}

void
arena_init_in(struct arena *a, size_t cap, void *mem, size_t size)
{
	arena_init(a, cap);
	a->next = mem;
	a->end = a->next + (size & ~(size_t)7);
}

void
arena_fini(struct arena *a)
{
	struct arena_chunk *c, *next;

	for (struct arena_hold *h = a->holds; h != NULL; h = h->next)
		block_unref(h->block);
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		if (c->counted)
			block_discount(sizeof(*c) + c->size);
		free(c);
	}
	arena_init(a, a->cap);
}

static void
grow(struct arena *a, size_t size)
{
	size_t want = a->chunks ? a->chunks->size * 2 : CHUNK_FIRST;
	struct arena_chunk *c;

	if (want > CHUNK_MAX)
		want = CHUNK_MAX;
	if (want < size)
		want = size;
	c = mem_alloc(sizeof(*c) + want);
	c->next = a->chunks;
	c->size = want;
	c->counted = a->cap != 0;
	if (c->counted)
		block_count(sizeof(*c) + want);
	a->chunks = c;
	a->next = c->data;
	a->end = c->data + want;
}

void *
arena_get(struct arena *a, size_t size)
{
	void *p;

	size = (size + 7) & ~(size_t)7;
	if (a->next == NULL || size > (size_t)(a->end - a->next))
		grow(a, size);
	p = a->next;
	a->next += size;
	a->used += size;
	return memset(p, 0, size);
}

void *
arena_try(struct arena *a, size_t size)
{
	if (a->cap != 0 && (size > a->cap || a->used > a->cap - size))
		return NULL;
	return arena_get(a, size);
}

struct slice
arena_slice(struct arena *a, struct slice s)
{
	uint8_t *p;

	if (s.data == NULL)
		return s;
	p = arena_get(a, s.len + 1);
	memcpy(p, s.data, s.len);
	return (struct slice){ p, s.len };
}

struct slice
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	int n;
	char *p;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = arena_get(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct slice){ (uint8_t *)p, (uint32_t)n };
}

void
arena_hold(struct arena *a, struct block *b)
{
	struct arena_hold *h = arena_get(a, sizeof(*h));

	h->block = block_ref(b);
	h->next = a->holds;
	a->holds = h;
}
