/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any message in any version: what can be decoded can be encoded, and from then
 * on its bytes stay the same; walking and printing stay inside.
 *
 * Input: 0 request, 1 response, 2 a message inside bytes; the API's key (or
 * which of those messages); the version; then the message.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/wire/codec.h"
#include "wire/messages.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct message *
message_of(const uint8_t *data)
{
	const struct api_schema *api = api_schema_find(data[1]);

	if (data[0] % 3 == 2)
		return data[1] % 2 ? &consumer_protocol_subscription_message :
		    &consumer_protocol_assignment_message;
	if (api == NULL)
		return NULL;
	return data[0] % 3 ? api->response : api->request;
}

static struct block *
encode(const struct message *m, int version, const void *obj)
{
	struct chain out;
	struct writer w;
	struct error err;
	struct block *b;
	bool ok;

	chain_init(&out);
	writer_init(&w, &out);
	ok = codec_encode(&w, m, version, obj, &err);
	assert(ok);
	writer_finish(&w);
	b = block_new(out.bytes);
	chain_copy_out(&out, b->data);
	chain_fini(&out);
	return b;
}

static void *
decode(const struct message *m, int version, struct block *b,
    struct arena *a)
{
	struct reader r;
	void *obj;

	reader_init(&r, b->data, b->size, b);
	obj = codec_decode(&r, m, version, a);
	assert(obj != NULL && r.p == r.end && r.unknown_tags == 0);
	return obj;
}

static void
check_again(const struct message *m, int version, const void *obj)
{
	struct block *one = encode(m, version, obj), *two;
	struct arena a;

	arena_init(&a, 0);
	two = encode(m, version, decode(m, version, one, &a));
	assert(one->size == two->size);
	assert(memcmp(one->data, two->data, one->size) == 0);
	arena_fini(&a);
	block_unref(one);
	block_unref(two);
}

/* Drops now and then, and writes to all that may be replaced. */
static enum codec_walk
visit(void *arg, const struct field *f, void *value, void *parent)
{
	uint32_t *n = arg;

	assert(parent != NULL && value != NULL);
	if (f->type == FIELD_STRING)
		*(struct slice *)value = SLICE_LIT("other");
	return ++*n % 3 == 0 ? CODEC_DROP : CODEC_KEEP;
}

static void
print(const struct message *m, int version, const void *obj)
{
	char text[64];
	size_t len = codec_print(m, version, obj, text, sizeof(text));
	char *whole = mem_alloc(len + 1);

	assert(memchr(text, '\0', sizeof(text)) != NULL);
	assert(codec_print(m, version, obj, whole, len + 1) == len);
	assert(strlen(whole) == len);
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct message *m = size < 3 ? NULL : message_of(data);
	struct block *b;
	struct reader r;
	struct arena a;
	uint32_t walked = 0;
	int version;
	void *obj;

	if (m == NULL)
		return 0;
	version = m->since + data[2] % (m->until - m->since + 1);
	b = block_new(size - 3);
	memcpy(b->data, data + 3, size - 3);
	arena_init(&a, CODEC_ARENA_FACTOR * b->size + 4096);
	reader_init(&r, b->data, b->size, b);
	obj = codec_decode(&r, m, version, &a);
	assert((obj == NULL) == (r.fault != NULL));
	assert(a.used <= a.cap);
	if (obj != NULL) {
		print(m, version, obj);
		check_again(m, version, obj);
		codec_walk(m, version, obj, visit, &walked);
		check_again(m, version, obj);
	}
	arena_fini(&a);
	block_unref(b);
	assert(block_total() == 0);
	return 0;
}
