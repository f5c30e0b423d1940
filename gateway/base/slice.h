/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of bytes which somebody else owns, and the few value types that the
 * protocol is made of.
 *
 * Ownership: none; a slice lives as long as the block or arena it points into.
 * Thread: any.
 */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block;

/* A string or bytes value. data == NULL is the protocol's null; an empty
 * string has len 0 and data != NULL. Never NUL-terminated by promise. */
struct slice {
	const uint8_t	*data;
	uint32_t	 len;
};

/* Record batches: never copied, so they carry the block that holds them.
 * data == NULL is null. The block reference is borrowed from the request. */
struct records {
	const uint8_t	*data;
	uint32_t	 len;
	struct block	*owner;
};

struct uuid {
	uint8_t		 b[16];
};

#define SLICE_LIT(s) ((struct slice){ (const uint8_t *)(s), sizeof(s) - 1 })
#define SLICE_NULL ((struct slice){ NULL, 0 })
/* For printf("%.*s", SLICE_FMT(s)). */
#define SLICE_FMT(s) (int)(s).len, (const char *)((s).data ? (s).data : \
	(const uint8_t *)"")

static inline struct slice
slice_of(const char *s)
{
	return (struct slice){ (const uint8_t *)s,
	    s ? (uint32_t)strlen(s) : 0 };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.data == NULL) == (b.data == NULL) &&
	    (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool
slice_is(struct slice a, const char *s)
{
	return a.data != NULL && slice_eq(a, slice_of(s));
}

/* NULL is the same as NULL only. */
static inline bool
text_eq(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static inline bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool
uuid_is_zero(const struct uuid *a)
{
	static const struct uuid zero;

	return uuid_eq(a, &zero);
}

#endif
