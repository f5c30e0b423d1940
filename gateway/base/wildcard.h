/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns as operators write them: * is any text, ? one byte, and the whole
 * text must fit. (Policies have variables besides: auth/policy.h.)
 *
 * Thread: any. Bounds: at most the pattern's length times the text's.
 */
#ifndef WEIR_BASE_WILDCARD_H
#define WEIR_BASE_WILDCARD_H

#include <stdbool.h>

#include "gateway/base/slice.h"

/* Null is as an empty text. */
bool	 wildcard_fits(const char *pattern, struct slice text);
/* The same in any case of ASCII letters, for host names. */
bool	 wildcard_fits_case(const char *pattern, struct slice text);
/* Whether there is a * or ? in it. */
bool	 wildcard_is(const char *pattern);

#endif
