/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random messages for property tests. The same seed gives the same messages.
 * Ownership: everything lives in the arena given. Thread: the test's.
 */
#ifndef WEIR_TESTS_CODEC_RANDOM_H
#define WEIR_TESTS_CODEC_RANDOM_H

#include "gateway/wire/codec.h"

struct random {
	uint64_t	state;
};

/* $WEIR_TEST_SEED or a fixed one; printed, so a failure can be repeated. */
void		 random_init(struct random *r);
uint64_t	 random_next(struct random *r);
uint32_t	 random_below(struct random *r, uint32_t n);
/* A message with every field that the version has; arrays of 0 to 3 elements,
 * nulls where they are allowed, now and then. */
void		*codec_random(struct random *r, const struct message *m,
		    int version, struct arena *a);

/* Every request, response and plain message: all_messages[i], ends NULL. */
extern const struct message *all_messages[];
void		 all_messages_init(void);

#endif
