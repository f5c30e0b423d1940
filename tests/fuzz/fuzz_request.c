/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's whole frame, as a session reads it: header, body, the parts that
 * brokers would get, and the error that the client would get.
 * Input: the frame without its length.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/frame.h"
#include "routing/shape.h"

enum { LEGS = 3, ERROR = 15 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void
note_item(void *arg, int32_t i, const struct shape_item *item)
{
	int32_t *leg_of = arg;

	leg_of[i] = (int32_t)(((uint32_t)item->key + item->name.len) % LEGS);
}

static void
split(const struct frame_request *h, const void *body, struct arena *a)
{
	const struct shape *s = shape_find(h->api_key, h->version);
	struct shape_answer lost[LEGS] = { { NULL, 1 }, { NULL, 2 },
		{ NULL, 3 } };
	int32_t n, sum = 0, *leg_of;
	uint32_t odd;

	if (s == NULL)
		return;
	n = shape_count(s, body);
	leg_of = ARENA_ARRAY(a, int32_t, n + 1);
	shape_each(s, body, note_item, leg_of);
	for (int32_t leg = 0; leg < LEGS; leg++) {
		void *part = shape_part(s, body, leg_of, leg, a);

		encode(h->schema->request, h->version, part);
		sum += shape_count(s, part);
	}
	assert(sum == n);
	encode(h->schema->response, h->version, shape_merge(s, body, leg_of,
	    NULL, lost, LEGS, 7, a, &odd));
	assert(odd == 0);
}

static enum codec_walk
visit(void *arg, const struct field *f, void *value, void *parent)
{
	(void)arg;
	(void)parent;
	if (f->meaning == MEANING_topic)
		*(struct slice *)value = SLICE_LIT("tenant.topic");
	return CODEC_KEEP;
}

static void
use(struct reader *r, const struct frame_request *h, size_t size)
{
	struct arena a;
	void *body, *error;

	arena_init(&a, CODEC_ARENA_FACTOR * size + 4096);
	body = codec_decode(r, h->schema->request, h->version, &a);
	if (body != NULL && r->p == r->end) {
		split(h, body, &a);
		error = shape_error(h->schema, h->version, body, ERROR, &a);
		if (error != NULL)
			encode(h->schema->response, h->version, error);
		codec_walk(h->schema->request, h->version, body, visit, NULL);
		encode(h->schema->request, h->version, body);
	}
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block *b = block_new(size);
	struct frame_request h;
	struct reader r;

	if (size > 0)
		memcpy(b->data, data, size);
	reader_init(&r, b->data, size, b);
	if (frame_read_request(&r, &h) && h.schema != NULL &&
	    h.version >= h.schema->since && h.version <= h.schema->until)
		use(&r, &h, size);
	block_unref(b);
	assert(block_total() == 0);
	return 0;
}
