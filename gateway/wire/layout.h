/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How generated structs look to code that knows them by their tables only. For
 * the codec and its tests; everybody else uses the structs themselves.
 * Thread: any.
 */
#ifndef WEIR_WIRE_LAYOUT_H
#define WEIR_WIRE_LAYOUT_H

#include "gateway/wire/codec.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)

enum { STRING_MAX = INT16_MAX };	/* bytes, as Kafka's readers have it */

/* Any array field, whatever its elements are; hence may_alias. */
struct array {
	void	*v;
	int32_t	 n;
} __attribute__((may_alias));

/* A member that is a pointer to a nullable struct. */
typedef void *struct_pointer __attribute__((may_alias));

static inline bool
field_in_version(const struct field *f, int version)
{
	return version >= f->since && version <= f->until;
}

#endif
