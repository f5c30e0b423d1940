/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that somebody else wrote, read without any latitude: one object, each
 * member once, nothing behind it, no NUL, nesting up to a given depth (jansson
 * alone goes 2048 deep). The caller has bounded the length.
 * Ownership: the caller's reference. Thread: any.
 */
#ifndef WEIR_AUTH_STRICT_JSON_H
#define WEIR_AUTH_STRICT_JSON_H

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct json_t;

/* NULL and why. The object itself is depth 1. */
struct json_t	*strict_json_object(struct slice text, unsigned int depth,
		    struct error *err) MUST_CHECK;
/* A string member's text, borrowed; data is NULL when it is not there or is
 * no string. */
struct slice	 strict_json_text(const struct json_t *object,
		    const char *name);

#endif
