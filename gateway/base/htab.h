/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash table from byte strings to pointers; SipHash with a key drawn at start,
 * so that names chosen by a peer cannot be made to collide.
 * Ownership: keys are copied; values are the caller's.
 * Thread: the owner's; any number of readers once nobody writes.
 */
#ifndef WEIR_BASE_HTAB_H
#define WEIR_BASE_HTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/slice.h"

struct htab;

struct htab	*htab_new(void);
/* free_value may be NULL. */
void		 htab_free(struct htab *h, void (*free_value)(void *value));
size_t		 htab_count(const struct htab *h);
void		*htab_get(const struct htab *h, struct slice key);
/* Sets; returns the value that was there, or NULL. value != NULL. */
void		*htab_set(struct htab *h, struct slice key, void *value);
/* Removes; returns the value that was there, or NULL. */
void		*htab_take(struct htab *h, struct slice key);
/* All entries in no order; the callback must not change the table. Stops and
 * returns false when the callback does. */
bool		 htab_each(const struct htab *h,
		    bool (*cb)(void *arg, struct slice key, void *value),
		    void *arg);
uint64_t	 htab_hash(struct slice key);

#endif
