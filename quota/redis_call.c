/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/redis_conn.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "gateway/base/mem.h"

/* The slices, and behind them their bytes, in one piece. */
static void
copy_arguments(struct redis_call *call, uint32_t argc, const struct slice *argv)
{
	size_t bytes = 0;
	uint8_t *to;

	for (uint32_t i = 0; i < argc; i++)
		bytes += argv[i].len;
	call->argc = argc;
	call->argv = mem_alloc(argc * sizeof(*argv) + bytes);
	call->copied = bytes;
	to = (uint8_t *)(call->argv + argc);
	for (uint32_t i = 0; i < argc; i++) {
		call->argv[i] = (struct slice){ to, argv[i].len };
		if (argv[i].len > 0)
			memcpy(to, argv[i].data, argv[i].len);
		to += argv[i].len;
	}
}

struct redis_call *
redis_call_new(size_t size, uint32_t argc, const struct slice *argv)
{
	struct redis_call *call = mem_zalloc(size);

	assert(size >= sizeof(*call) && argc > 0);
	list_init(&call->link);
	copy_arguments(call, argc, argv);
	call->deadline_us = INT64_MAX;
	return call;
}

void
redis_call_forget(struct redis_call *call)
{
	if (call->has_memory)
		arena_fini(&call->memory);
	call->has_memory = false;
}

void
redis_call_free(struct redis_call *call)
{
	assert(call->conn == NULL);
	timer_cancel(&call->timer);
	redis_call_forget(call);
	list_remove(&call->link);
	OPENSSL_cleanse(call->argv + call->argc, call->copied);
	free(call->argv);
	free(call);
}
