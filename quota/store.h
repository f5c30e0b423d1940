/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fleet shares, seen from a node: scripts that run at the store, on
 * the store's clock, one after the other. quota/redis.h is one; the simulation
 * of tests/simulate is another.
 *
 * A batch is one round trip per shard. All keys of a call have one hash tag
 * ({...}); the first names the shard.
 *
 * Ownership: submit copies what it needs. Thread: control, `done` too.
 * Bounds: STORE_*.
 */
#ifndef WEIR_QUOTA_STORE_H
#define WEIR_QUOTA_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

enum {
	STORE_KEYS_MAX = 32,
	STORE_ARGS_MAX = 1024,
	STORE_ANSWER_MAX = 256 * 1024,	/* bytes; a longer one is a loss */
	/* No call stays unanswered for longer: it is given up then, as a loss,
	 * and so is its connection. */
	STORE_GIVE_UP_MS = 1000,
};

/* Lua, for EVALSHA. The SHA-1 is the store's business. */
struct store_script {
	const char	*name, *text;
	uint32_t	 len;		/* of text */
};

/* The answer is what the script returned, always one string; or, when it was
 * lost, what went wrong, for people: no connection, an error, another type.
 * Nobody knows whether a lost call was carried out. */
typedef void (*store_done_cb)(void *arg, bool lost, struct slice answer);

struct store_call {
	const struct store_script	*script;
	const struct slice		*keys, *args;
	uint32_t			 key_count, arg_count;
	store_done_cb			 done;
	void				*arg;
};

struct store {
	/* Calls `done` of each call once, and never before it has returned. */
	void	(*submit)(struct store *s, const struct store_call *calls,
		    uint32_t n);
};

/* Those of quota/lua, embedded by make. */
extern const struct store_script store_beat, store_take, store_count;

#endif
