/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Redis server, a Sentinel or a Cluster says: read or refused within the
 * bounds, in whatever pieces it comes, and addresses that could be ones.
 * Input: how many bytes a piece has (0: all at once), then what is said.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "quota/redis_slots.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct redis_address asked = { .host = "asked", .port = 6379 };
static struct redis_slots map;

static void
check_address(const struct redis_address *a)
{
	assert(memchr(a->host, '\0', sizeof(a->host)) != NULL);
	assert(a->host[0] != '\0' && a->path[0] == '\0');
	assert(strpbrk(a->host, " \r\n/\"{}") == NULL);
	assert(a->port > 0 && a->port < 65536);
}

/* Every element is there, and all of them together are not too many. */
static uint32_t
count(const struct redis_reply *r)
{
	uint32_t n = 1;

	assert(r != NULL && r->kind <= REDIS_LIST);
	assert((r->kind == REDIS_TEXT || r->kind == REDIS_STATUS ||
	    r->kind == REDIS_ERROR) == (r->text.data != NULL));
	if (r->text.data != NULL)
		assert(r->text.data[r->text.len] == '\0');
	for (uint32_t i = 0; i < r->n; i++)
		n += count(redis_reply_at(r, i));
	assert(redis_reply_at(r, r->n) == NULL);
	return n;
}

static void
try_map(const struct redis_reply *r)
{
	struct error err = { "" };

	if (!redis_slots_read(r, &asked, &map, &err)) {
		assert(err.text[0] != '\0');
		return;
	}
	assert(map.n > 0 && map.n <= REDIS_NODES_MAX);
	for (uint32_t i = 0; i < map.n; i++)
		check_address(&map.nodes[i]);
	for (uint32_t i = 0; i < REDIS_SLOTS; i++)
		assert(map.owner[i] <= map.n);
}

static void
try_reply(const struct redis_reply *r)
{
	struct redis_address to;
	uint32_t slot;

	assert(count(r) <= REDIS_REPLY_ELEMENTS_MAX + 1);
	try_map(r);
	if (redis_master_read(r, &to))
		check_address(&to);
	if (redis_switch_read(r, "weir", &to))
		check_address(&to);
	if (r->kind == REDIS_ERROR && redis_redirect_read(r->text, &asked,
	    &slot, &to)) {
		check_address(&to);
		assert(slot < REDIS_SLOTS);
	}
	if (r->text.data != NULL)
		assert(redis_slot(r->text) < REDIS_SLOTS);
}

/* How many replies were read. */
static uint32_t
read_in(const uint8_t *data, size_t size, size_t piece, bool *ended_well)
{
	struct redis_reader *reader = redis_reader_new();
	struct redis_reply *reply;
	struct arena memory;
	struct error err;
	uint32_t n = 0;
	bool ok = true;

	for (size_t at = 0; ok && at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		/* Exactly as long, so that a read behind it is noticed. */
		uint8_t *copy = mem_alloc(len);

		memcpy(copy, data + at, len);
		ok = redis_reader_feed(reader, copy, len, &err);
		free(copy);
		while (ok) {
			ok = redis_reader_next(reader, &reply, &memory, &err);
			if (!ok || reply == NULL)
				break;
			try_reply(reply);
			arena_fini(&memory);
			n++;
		}
	}
	redis_reader_free(reader);
	*ended_well = ok;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole_ok, pieces_ok;
	uint32_t n;

	if (size < 2 || size > 100000)
		return 0;
	n = read_in(data + 1, size - 1, size - 1, &whole_ok);
	if (data[0] > 0) {
		assert(read_in(data + 1, size - 1, data[0], &pieces_ok) == n);
		assert(pieces_ok == whole_ok);
	}
	return 0;
}
