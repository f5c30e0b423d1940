/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the corpora of codec, request, reply, batch, session and scram anew:
 * random messages of every API, and bombs which have a name.
 *	seeds tests/fuzz/corpus
 */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/wire/frame.h"
#include "routing/shape.h"
#include "tests/unit/codec_random.h"
#include "wire/messages.h"

enum { BUFFER = 256 * 1024, SEED_MAX = 1500, TRIES = 30 };

static const char *root;
static struct random rnd;

struct buffer {
	uint8_t	v[BUFFER];
	size_t	n;
};

static void
put(struct buffer *b, const void *p, size_t n)
{
	if (b->n + n > BUFFER)
		abort();
	memcpy(b->v + b->n, p, n);
	b->n += n;
}

static void
put_byte(struct buffer *b, int v)
{
	uint8_t c = (uint8_t)v;

	put(b, &c, 1);
}

static void
put16(struct buffer *b, int v)
{
	put_byte(b, v >> 8);
	put_byte(b, v);
}

static void
put32(struct buffer *b, uint32_t v)
{
	put16(b, (int)(v >> 16));
	put16(b, (int)(v & 0xffff));
}

static void
put_many(struct buffer *b, int v, size_t n)
{
	while (n-- > 0)
		put_byte(b, v);
}

static void
save(const char *target, const char *name, const struct buffer *b)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", root, target, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(b->v, 1, b->n, f) != b->n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

static void
put_message(struct buffer *b, const struct message *m, int version,
    const void *obj)
{
	struct chain out;
	struct writer w;
	struct error err;

	chain_init(&out);
	writer_init(&w, &out);
	if (!codec_encode(&w, m, version, obj, &err))
		abort();
	writer_finish(&w);
	if (b->n + out.bytes > BUFFER)
		abort();
	chain_copy_out(&out, b->v + b->n);
	b->n += out.bytes;
	chain_fini(&out);
}

/* A random one which is not large, with `size` bytes or the smallest of some
 * tries. */
static void
put_random(struct buffer *b, const struct message *m, int version)
{
	size_t start = b->n;

	for (int i = 0; i < TRIES; i++) {
		struct arena a;

		b->n = start;
		arena_init(&a, 0);
		put_message(b, m, version, codec_random(&rnd, m, version, &a));
		arena_fini(&a);
		if (b->n - start > 20 && b->n - start < SEED_MAX)
			return;
	}
}

static void
put_header(struct buffer *b, const struct api_schema *api, int version,
    uint32_t id)
{
	put16(b, api->key);
	put16(b, version);
	put32(b, id);
	put16(b, 4);
	put(b, "seed", 4);
	if (version >= api->flexible_since)
		put_byte(b, 0);
}

static struct buffer *
fresh(void)
{
	static struct buffer b;

	b.n = 0;
	return &b;
}

static void
seed_codec(const struct api_schema *api, int version, bool response)
{
	struct buffer *b = fresh();
	char name[128];

	put_byte(b, response);
	put_byte(b, api->key);
	put_byte(b, version - api->since);
	put_random(b, response ? api->response : api->request, version);
	snprintf(name, sizeof(name), "%s_v%d_%s", api->name, version,
	    response ? "response" : "request");
	save("codec", name, b);
}

static void
seed_request(const struct api_schema *api, int version)
{
	struct buffer *b = fresh();
	char name[128];

	put_header(b, api, version, 7);
	put_random(b, api->request, version);
	snprintf(name, sizeof(name), "%s_v%d", api->name, version);
	save("request", name, b);
}

/* The reply is an error of each item: it fits the request. */
static void
seed_reply(const struct api_schema *api, int version, bool fits)
{
	struct buffer *b = fresh();
	struct arena a;
	struct reader r;
	void *reply;
	size_t at;
	char name[128];

	put_byte(b, api->key);
	put_byte(b, version - api->since);
	put_byte(b, version * 2 + fits);
	put16(b, 0);
	put_random(b, api->request, version);
	b->v[3] = (uint8_t)((b->n - 5) >> 8);
	b->v[4] = (uint8_t)(b->n - 5);
	at = b->n;
	put32(b, 7);
	if (version >= api->flexible_since && api->key != API_API_VERSIONS)
		put_byte(b, 0);
	arena_init(&a, 0);
	reader_init(&r, b->v + 5, at - 5, NULL);
	reply = codec_decode(&r, api->request, version, &a);
	reply = reply && fits ? shape_error(api, version, reply, 15, &a) : NULL;
	if (reply != NULL)
		put_message(b, api->response, version, reply);
	else
		put_random(b, api->response, version);
	arena_fini(&a);
	snprintf(name, sizeof(name), "%s_v%d%s", api->name, version,
	    fits ? "_fits" : "");
	save("reply", name, b);
}

static void
put_frame(struct buffer *b, const struct api_schema *api, int version,
    uint32_t id, const void *body)
{
	size_t start = b->n;
	uint32_t len;

	put32(b, 0);
	put_header(b, api, version, id);
	if (body != NULL)
		put_message(b, api->request, version, body);
	else
		put_random(b, api->request, version);
	len = __builtin_bswap32((uint32_t)(b->n - start - 4));
	memcpy(b->v + start, &len, sizeof(len));
}

static void
seed_session(const struct api_schema *api)
{
	struct buffer *b = fresh();
	char name[64];

	put_byte(b, api->key);
	put_frame(b, api_schema_find(API_API_VERSIONS), 3, 1, NULL);
	put_frame(b, api, api->until, 2, NULL);
	put_frame(b, api, api->since, 3, NULL);
	snprintf(name, sizeof(name), "%s", api->name);
	save("session", name, b);
}

/* What a client does that is well: topic "t" has three partitions. */
static void
seed_produce_and_fetch(void)
{
	struct produce_request_topic_data_partition_data parts[3] = {
		{ .index = 0 }, { .index = 1 }, { .index = 2 } };
	struct produce_request_topic_data data = { .name = SLICE_LIT("t"),
		.partition_data = { parts, 3 } };
	struct produce_request p = { .acks = -1, .timeout_ms = 1000,
		.topic_data = { &data, 1 } };
	struct fetch_request_topics_partitions from[2] = {
		{ .partition = 0, .current_leader_epoch = -1,
		  .last_fetched_epoch = -1, .log_start_offset = -1 },
		{ .partition = 1, .current_leader_epoch = -1,
		  .last_fetched_epoch = -1, .log_start_offset = -1 } };
	struct fetch_request_topics t = { .topic = SLICE_LIT("t"),
		.partitions = { from, 2 } };
	struct arena a;
	struct fetch_request *f;
	struct buffer *b = fresh();

	arena_init(&a, 0);
	f = codec_new(&fetch_request_message, &a);
	f->max_wait_ms = 500;
	f->min_bytes = 1;
	f->max_bytes = 1 << 20;
	f->topics.v = &t;
	f->topics.n = 1;
	put_byte(b, 1);
	put_frame(b, api_schema_find(API_PRODUCE), 9, 1, &p);
	p.acks = 0;
	put_frame(b, api_schema_find(API_PRODUCE), 9, 2, &p);
	put_frame(b, api_schema_find(API_FETCH), 12, 3, f);
	f->session_id = 1;
	f->session_epoch = 1;
	put_frame(b, api_schema_find(API_FETCH), 12, 4, f);
	save("session", "a_produce_and_fetch", b);
	arena_fini(&a);
}

/* ---- bombs ---- */

/* H1: headers that claim, or have, very many tagged fields. */
static void
bomb_tags(const char *name, uint32_t claimed, size_t there)
{
	struct buffer *b = fresh();

	put16(b, API_METADATA);
	put16(b, 12);
	put32(b, 1);
	put16(b, 0);
	for (; claimed >= 128; claimed >>= 7)
		put_byte(b, (int)(claimed & 127) | 128);
	put_byte(b, (int)claimed);
	for (size_t i = 0; i < there; i++) {
		put_byte(b, (int)(i % 100));
		put_byte(b, 0);
	}
	save("request", name, b);
}

/* H2: counts that no frame can hold. */
static void
bomb_counts(void)
{
	static const struct {
		const char	*name;
		int		 version;
		uint8_t		 count[8];
		size_t		 n;
	} rows[] = {
		{ "H2_max", 1, { 0x7f, 0xff, 0xff, 0xff }, 4 },
		{ "H2_min", 1, { 0x80, 0, 0, 0 }, 4 },
		{ "H2_minus_two", 1, { 0xff, 0xff, 0xff, 0xfe }, 4 },
		{ "H2_million", 1, { 0, 0x0f, 0x42, 0x40 }, 4 },
		{ "H2_compact_max", 9, { 0xff, 0xff, 0xff, 0xff, 0x07 }, 5 },
		{ "H2_compact_all", 9, { 0xff, 0xff, 0xff, 0xff, 0x0f }, 5 },
		{ "H2_compact_six", 9, { 0xff, 0xff, 0xff, 0xff, 0xff, 1 },
		  6 },
		{ "H2_overlong", 9, { 0x81, 0x80, 0x80, 0x80, 0 }, 5 },
		{ "H2_compact_null", 9, { 0 }, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer *b = fresh();

		put_header(b, api_schema_find(API_METADATA), rows[i].version,
		    1);
		put(b, rows[i].count, rows[i].n);
		put_many(b, 0, 64);
		save("request", rows[i].name, b);
	}
}

/* Each of many topics claims as many partitions as fit in what is left. */
static void
bomb_nested(void)
{
	struct buffer *b = fresh();

	put_header(b, api_schema_find(API_OFFSET_FETCH), 1, 1);
	put16(b, 1);
	put_byte(b, 'g');
	put32(b, 5000);
	for (int i = 0; i < 5000; i++) {
		put16(b, 0);
		put32(b, i < 4999 ? 0 : 1000000);
	}
	save("request", "H2_nested", b);
	b = fresh();
	put_header(b, api_schema_find(API_LIST_OFFSETS), 1, 1);
	put32(b, 0xffffffff);
	put32(b, 0x00ffffff);
	put_many(b, 0, 20000);
	save("request", "H2_nested_lies", b);
}

/* H3: lengths of frames. */
static void
bomb_lengths(void)
{
	static const struct {
		const char	*name;
		uint32_t	 len;
	} rows[] = {
		{ "H3_minus_one", 0xffffffff }, { "H3_zero", 0 },
		{ "H3_max", 0x7fffffff }, { "H3_100_MiB", 104857600 },
		{ "H3_100_MiB_less", 104857599 }, { "H3_three", 3 },
		{ "H3_seven", 7 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer *b = fresh();

		put_byte(b, 2);
		put32(b, rows[i].len);
		put_many(b, 0, 20);
		save("session", rows[i].name, b);
	}
}

/* H4: strings. */
static void
bomb_strings(void)
{
	struct metadata_request_topics t = { .name = SLICE_NULL };
	struct metadata_request q = { .topics = { &t, 1 } };
	static uint8_t text[32767];
	struct buffer *b = fresh();

	memset(text, 'x', sizeof(text));
	t.name = (struct slice){ text, sizeof(text) };
	put_header(b, api_schema_find(API_METADATA), 9, 1);
	put_message(b, &metadata_request_message, 9, &q);
	save("request", "H4_32767", b);
	b->n -= 5;
	save("request", "H4_over_the_end", b);
	b = fresh();
	t.name = (struct slice){ (const uint8_t *)"\xff\xfe\0\xc0\x80\n", 6 };
	put_byte(b, 2);
	put_frame(b, api_schema_find(API_METADATA), 9, 1, &q);
	save("session", "H4_not_utf8", b);
	b = fresh();
	put16(b, API_METADATA);
	put16(b, 1);
	put32(b, 1);
	put16(b, 32767);
	put_many(b, 'c', 2000);
	save("request", "H4_client_id", b);
}

/* H7: one correlation id for all, and very many requests in one breath. */
static void
bomb_pipeline(void)
{
	const struct api_versions_request q = { SLICE_LIT("a"),
		SLICE_LIT("1") };
	struct buffer *b = fresh();

	put_byte(b, 4);
	for (int i = 0; i < 20; i++)
		put_frame(b, api_schema_find(API_API_VERSIONS), 3, 7, &q);
	save("session", "H7_one_id", b);
	b = fresh();
	put_byte(b, 4);
	for (uint32_t i = 0; i < 1000; i++)
		put_frame(b, api_schema_find(API_API_VERSIONS), 0, i, &q);
	save("session", "H7_pipelined", b);
}

/* H9: nothing in any array. */
static void
bomb_empty(void)
{
	struct buffer *b = fresh();
	uint32_t id = 0;

	put_byte(b, 6);
	for (const struct api_schema *api = api_schemas; api->request; api++) {
		struct buffer one = { .n = 0 };
		struct arena a;
		char name[64];

		arena_init(&a, 0);
		put_header(&one, api, api->until, 1);
		put_message(&one, api->request, api->until,
		    codec_new(api->request, &a));
		snprintf(name, sizeof(name), "H9_%s", api->name);
		save("request", name, &one);
		put_frame(b, api, api->until, id++, codec_new(api->request,
		    &a));
		arena_fini(&a);
	}
	save("session", "H9_all", b);
}

/* ---- the small ones ---- */

static void
put_batch(struct buffer *b, int magic, int length, int records)
{
	put32(b, 0);
	put32(b, 0);			/* base offset */
	put32(b, (uint32_t)length);
	put32(b, 0);			/* leader epoch */
	put_byte(b, magic);
	put32(b, 0);			/* checksum */
	put16(b, 0x10);			/* transactional */
	put32(b, (uint32_t)records - 1);
	put_many(b, 0, 16);
	put_many(b, 0xff, 14);
	put32(b, (uint32_t)records);
	put_many(b, 0, 10);
}

static void
seed_batches(void)
{
	static const struct {
		const char	*name;
		int		 magic, length, records;
	} rows[] = {
		{ "one", 2, 59, 3 }, { "H5_negative", 2, -1, 1 },
		{ "H5_min", 2, INT32_MIN, 1 }, { "H5_max", 2, INT32_MAX, 1 },
		{ "H5_short", 2, 20, 1 }, { "H5_zero", 2, 0, 1 },
		{ "H5_count_lies", 2, 59, INT32_MAX },
		{ "H5_count_negative", 2, 59, -5 },
		{ "H5_magic_0", 0, 59, 1 }, { "H5_magic_1", 1, 59, 1 },
		{ "H5_magic_3", 3, 59, 1 }, { "cut", 2, 100, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer *b = fresh();

		put_batch(b, 2, 59, 2);
		put_batch(b, rows[i].magic, rows[i].length, rows[i].records);
		save("batch", rows[i].name, b);
	}
	save("batch", "empty", fresh());
}

static void
seed_scram(void)
{
	static const char *const texts[] = {
		"r=nonceXYZ,s=c2FsdFNBTFRzYWx0,i=4096",
		"r=nonceXYZ,s=c2Fs,i=4096,x=1", "r=other,s=c2Fs,i=4096",
		"m=x,r=nonceXYZ,s=c2Fs,i=4096", "r=nonceXYZ,s=c2Fs,i=1",
		"r=nonceXYZ,s=====,i=4096", "e=other-error", ",,,", "",
	};

	for (int i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
		struct buffer *b = fresh();
		char name[16];

		put_byte(b, i);
		put(b, texts[i], strlen(texts[i]));
		put_byte(b, 0);
		put(b, i % 2 ? "e=no" : "v=AAAA", i % 2 ? 4 : 6);
		snprintf(name, sizeof(name), "text_%d", i);
		save("scram", name, b);
	}
}

static void
seed_plain_messages(void)
{
	for (int i = 0; i < 8; i++) {
		const struct message *m = i % 2 ?
		    &consumer_protocol_subscription_message :
		    &consumer_protocol_assignment_message;
		struct buffer *b = fresh();
		char name[32];

		put_byte(b, 2);
		put_byte(b, i % 2);
		put_byte(b, i / 2 % (m->until - m->since + 1));
		put_random(b, m, m->since + b->v[2]);
		snprintf(name, sizeof(name), "inside_%d", i);
		save("codec", name, b);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds FOLDER\n");
		return 2;
	}
	root = argv[1];
	rnd.state = 20260101;
	for (const struct api_schema *api = api_schemas; api->request; api++) {
		seed_codec(api, api->until, false);
		seed_codec(api, api->until, true);
		seed_request(api, api->until);
		if (api->since != api->until)
			seed_request(api, api->since);
		seed_reply(api, api->until, true);
		if (shape_find(api->key, api->until) != NULL)
			seed_reply(api, api->until, false);
		if (shape_find(api->key, api->since) != NULL)
			seed_reply(api, api->since, true);
		seed_session(api);
	}
	seed_plain_messages();
	seed_produce_and_fetch();
	bomb_tags("H1_30k_tags", 30000, 30000);
	bomb_tags("H1_20M_tags", 20000000, 100);
	bomb_tags("H1_64_tags", 64, 64);
	bomb_counts();
	bomb_nested();
	bomb_lengths();
	bomb_strings();
	bomb_pipeline();
	bomb_empty();
	seed_batches();
	seed_scram();
	return 0;
}
