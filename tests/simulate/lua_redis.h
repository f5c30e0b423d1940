/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a Redis server as the scripts of quota/lua need, on a clock of the
 * caller's: the scripts run in Lua 5.1, which is Redis's, byte for byte as the
 * gateway sends them.
 * Ownership: the caller's. Thread: one.
 */
#ifndef WEIR_TESTS_LUA_REDIS_H
#define WEIR_TESTS_LUA_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/store.h"

struct lua_redis;

struct lua_redis *lua_redis_new(void);
void		 lua_redis_free(struct lua_redis *r);
/* Runs one at that time of its clock. The answer, or the error's text (false),
 * stays until the next call. */
bool		 lua_redis_run(struct lua_redis *r,
		    const struct store_script *script, const struct slice *keys,
		    uint32_t key_count, const struct slice *args,
		    uint32_t arg_count, int64_t time_us, struct slice *answer);
void		 lua_redis_flush(struct lua_redis *r);
uint32_t	 lua_redis_keys(struct lua_redis *r);
/* Commands that scripts called. */
uint64_t	 lua_redis_commands(const struct lua_redis *r);

#endif
