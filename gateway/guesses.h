/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often logins in one name (a key id, a user, a subject) have failed, from
 * wherever they came: who guesses one key from many addresses is slowed. A name
 * that is over its limit is only answered later, whether the login is right or
 * wrong, so nobody locks another one out.
 *
 * Each name is a bucket: `most` failures at once, then one more each `each_ms`.
 * Names that nobody has are counted as others are.
 *
 * Ownership: the module's own; names are kept as keyed hashes. Thread: any; a
 * lock for each GUESSES_SETS / GUESSES_LOCKS of the sets, taken at logins only.
 * Bounds: a fixed table. Where a set is full, who has failed least is forgotten
 * for a new name, so that a flood of names hides none that is guessed at.
 */
#ifndef WEIR_GUESSES_H
#define WEIR_GUESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

enum { GUESSES_SETS = 4096, GUESSES_WAYS = 4, GUESSES_LOCKS = 64 };

/* most 0: nothing is counted, and nobody over a limit. */
void	 guesses_set_limit(uint32_t most, uint32_t each_ms);
void	 guesses_failed(struct slice name);
/* Whether no further failure would fit now. The empty name is never. */
bool	 guesses_over(struct slice name);
/* Forgets all. For tests and the end. */
void	 guesses_forget(void);

#endif
