/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brokers that answer anything: header, body, merged with a request of some
 * client. The client's answer has each item once and can be encoded.
 *
 * Input: API key, version, seed of the split, length of the request's body (2
 * bytes), that body, then the frame with which every leg answers, without
 * length.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/frame.h"
#include "routing/shape.h"

enum { LEGS = 3, HEAD = 5, REPLY_FACTOR = 16 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	const struct api_schema	*api;
	int			 version;
	uint32_t		 seed;
	struct block		*b;		/* the whole input */
	size_t			 reply_at;
	struct arena		 arena;
};

static void
encode(const struct message *m, int version, const void *obj)
{
	struct chain out;
	struct writer w;
	struct error err;
	bool ok;

	chain_init(&out);
	writer_init(&w, &out);
	ok = codec_encode(&w, m, version, obj, &err);
	assert(ok);
	writer_finish(&w);
	chain_fini(&out);
}

static void *
decode_reply(struct run *run)
{
	size_t len = run->b->size - run->reply_at;
	struct reader r;
	int32_t id;

	reader_init(&r, run->b->data + run->reply_at, len, run->b);
	if (!frame_read_response(&r, run->api, run->version, &id))
		return NULL;
	run->arena.cap = run->arena.used + REPLY_FACTOR * len + 4096;
	return codec_decode(&r, run->api->response, run->version,
	    &run->arena);
}

static enum codec_walk
visit(void *arg, const struct field *f, void *value, void *parent)
{
	static const int32_t hidden = -1;

	(void)arg;
	(void)parent;
	if (f->meaning == MEANING_broker)
		memcpy(value, &hidden, sizeof(hidden));
	else if (f->meaning == MEANING_host)
		*(struct slice *)value = SLICE_LIT("");
	return CODEC_KEEP;
}

static void
count(void *arg, int16_t error)
{
	assert(error != 0);
	++*(uint32_t *)arg;
}

static void
merge(struct run *run, const void *body, void *reply)
{
	const struct shape *s = shape_find(run->api->key, run->version);
	struct shape_answer answers[LEGS] = { { reply, 0 },
		{ run->seed % 2 ? reply : NULL, 6 }, { NULL, 5 } };
	int32_t n, *leg_of;
	int16_t *errors;
	uint32_t odd, told = 0;
	void *merged;

	if (s == NULL)
		return;
	n = shape_count(s, body);
	leg_of = ARENA_ARRAY(&run->arena, int32_t, n + 1);
	errors = ARENA_ARRAY(&run->arena, int16_t, n + 1);
	for (int32_t i = 0; i < n; i++) {
		run->seed = run->seed * 1103515245 + 12345;
		leg_of[i] = (int32_t)(run->seed >> 16) % (LEGS + 1) - 1;
		errors[i] = 3;
	}
	merged = shape_merge(s, body, leg_of, errors, answers, LEGS, 7,
	    &run->arena, &odd);
	shape_errors(run->api, run->version, merged, count, &told);
	codec_walk(run->api->response, run->version, merged, visit, NULL);
	encode(run->api->response, run->version, merged);
}

static void
use(struct run *run)
{
	struct reader r;
	void *body, *reply;

	reader_init(&r, run->b->data + HEAD, run->reply_at - HEAD, run->b);
	body = codec_decode(&r, run->api->request, run->version, &run->arena);
	reply = decode_reply(run);
	if (reply == NULL)
		return;
	if (body != NULL)
		merge(run, body, reply);
	codec_walk(run->api->response, run->version, reply, visit, NULL);
	encode(run->api->response, run->version, reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = { .api = size < HEAD ? NULL :
	    api_schema_find(data[0]) };
	size_t len;

	if (run.api == NULL)
		return 0;
	len = (size_t)data[3] << 8 | data[4];
	run.version = run.api->since + data[1] % (run.api->until -
	    run.api->since + 1);
	run.seed = data[2];
	run.reply_at = HEAD + (len < size - HEAD ? len : size - HEAD);
	run.b = block_new(size);
	memcpy(run.b->data, data, size);
	arena_init(&run.arena, CODEC_ARENA_FACTOR * size + 4096);
	use(&run);
	arena_fini(&run.arena);
	block_unref(run.b);
	assert(block_total() == 0);
	return 0;
}
