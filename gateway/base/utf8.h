/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the characters of a text from outside begin and end, which may be no
 * UTF-8 at all.
 *
 * Thread: any.
 */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include "gateway/base/slice.h"

/* How many bytes the character at byte i has; 0: none begins there (i is less
 * than the length). */
uint32_t	 utf8_at(struct slice s, uint32_t i);
/* As many bytes of it, `most` at most, as end with a whole character, if it is
 * cut at all. */
uint32_t	 utf8_cut(struct slice s, uint32_t most);

#endif
