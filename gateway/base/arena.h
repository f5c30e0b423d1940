/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request memory: everything that lives as long as one request, freed at once
 * when it is answered. An arena has a cap, because what is decoded into it was
 * sized by a peer (CVE-2026-111108 is what happens without one). The memory of
 * one that has a cap counts as buffered (block_total), as frames do.
 *
 * Ownership: whoever embeds it. Blocks kept with arena_hold are released with
 * the arena, so slices into a received frame stay valid as long as it does.
 * Thread: the owner's.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "gateway/base/slice.h"

struct block;
struct arena_chunk;
struct arena_hold;

struct arena {
	struct arena_chunk	*chunks;
	struct arena_hold	*holds;
	char			*next, *end;
	size_t			 used;		/* bytes handed out */
	size_t			 cap;		/* 0: none */
};

/* cap 0 means no cap: only for sizes that no peer influences. */
void	 arena_init(struct arena *a, size_t cap);
void	 arena_fini(struct arena *a);
/* As arena_init, with memory of the caller's to hand out first. */
void	 arena_init_in(struct arena *a, size_t cap, void *mem, size_t size);
/* Zeroed memory aligned to 8, or NULL when the cap would be passed. */
void	*arena_try(struct arena *a, size_t size);
/* As arena_try, for sizes that are our own; never NULL, passes the cap. */
void	*arena_get(struct arena *a, size_t size);
/* A copy; null stays null. */
struct slice arena_slice(struct arena *a, struct slice s);
struct slice arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Takes a reference of b and keeps it until arena_fini. */
void	 arena_hold(struct arena *a, struct block *b);

#define ARENA_NEW(a, type) ((type *)arena_get((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) \
	((type *)arena_get((a), (size_t)(n) * sizeof(type)))

#endif
