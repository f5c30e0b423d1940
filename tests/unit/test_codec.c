/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/mem.h"
#include "tests/unit/codec_random.h"
#include "wire/messages.h"

enum { ROUNDS = 50, TEXT_MAX = 1 << 16 };

struct bytes {
	uint8_t	*p;
	size_t	 n;
};

static struct bytes
flatten(struct chain *c)
{
	struct bytes b = { mem_alloc(c->bytes + 1), c->bytes };

	chain_copy_out(c, b.p);
	chain_fini(c);
	return b;
}

static struct bytes
encode(const struct message *m, int version, const void *obj)
{
	struct error err = { "" };
	struct chain c;
	struct writer w;
	bool ok;

	chain_init(&c);
	writer_init(&w, &c);
	ok = codec_encode(&w, m, version, obj, &err);
	assert_int_equal(writer_size(&w), c.bytes + (size_t)(w.p - w.start));
	writer_finish(&w);
	if (!ok)
		fail_msg("%s", err.text);
	return flatten(&c);
}

/* An exact copy, so that a sanitizer sees any read past its end. */
static void *
decode(const struct message *m, int version, struct bytes b, struct arena *a,
    const char **fault)
{
	struct reader r;
	void *obj;

	reader_init(&r, b.p, b.n, NULL);
	obj = codec_decode(&r, m, version, a);
	*fault = r.fault;
	if (obj != NULL && r.p != r.end) {
		*fault = "bytes left over";
		return NULL;
	}
	return obj;
}

static void
check_round_trip(struct random *rnd, const struct message *m, int version)
{
	struct bytes once, twice;
	struct arena a;
	const char *fault;
	void *obj;

	arena_init(&a, 0);
	once = encode(m, version, codec_random(rnd, m, version, &a));
	assert_true(once.n >= codec_min_size(m, version));
	obj = decode(m, version, once, &a, &fault);
	if (obj == NULL)
		fail_msg("%s v%d: %s", m->name, version, fault);
	twice = encode(m, version, obj);
	assert_int_equal(once.n, twice.n);
	assert_memory_equal(once.p, twice.p, once.n);
	free(once.p);
	free(twice.p);
	arena_fini(&a);
}

static void
test_round_trips(void **state)
{
	struct random rnd;
	int cases = 0;

	(void)state;
	random_init(&rnd);
	for (int i = 0; all_messages[i] != NULL; i++) {
		const struct message *m = all_messages[i];

		for (int v = m->since; v <= m->until; v++)
			for (int n = 0; n < ROUNDS; n++, cases++)
				check_round_trip(&rnd, m, v);
	}
	printf("%d round trips\n", cases);
}

/* Cut anywhere, a message is a fault, never less of a message. */
static void
check_truncated(const struct message *m, int version, struct bytes whole)
{
	for (size_t n = 0; n < whole.n; n++) {
		struct bytes cut = { mem_alloc(n + 1), n };
		struct arena a;
		const char *fault;

		memcpy(cut.p, whole.p, n);
		cut.p = mem_realloc(cut.p, n ? n : 1);
		arena_init(&a, 0);
		if (decode(m, version, cut, &a, &fault) != NULL)
			fail_msg("%s v%d decodes %zu of %zu bytes", m->name,
			    version, n, whole.n);
		assert_non_null(fault);
		arena_fini(&a);
		free(cut.p);
	}
}

static void
test_truncation(void **state)
{
	struct random rnd;
	size_t cuts = 0;

	(void)state;
	random_init(&rnd);
	for (int i = 0; all_messages[i] != NULL; i++) {
		const struct message *m = all_messages[i];

		for (int v = m->since; v <= m->until; v++) {
			struct arena a;
			struct bytes b;

			arena_init(&a, 0);
			b = encode(m, v, codec_random(&rnd, m, v, &a));
			check_truncated(m, v, b);
			cuts += b.n;
			free(b.p);
			arena_fini(&a);
		}
	}
	printf("%zu cuts\n", cuts);
}

/* What still decodes after bits were turned encodes again, and the arena's cap
 * held; the sanitizers watch the rest. */
static void
check_flipped(struct random *rnd, const struct message *m, int version,
    struct bytes b)
{
	struct bytes copy = { mem_alloc(b.n + 1), b.n }, again;
	struct arena a;
	const char *fault;
	void *obj;

	memcpy(copy.p, b.p, b.n);
	for (uint32_t i = 1 + random_below(rnd, 4); i > 0 && b.n > 0; i--)
		copy.p[random_below(rnd, (uint32_t)b.n)] ^=
		    (uint8_t)(1u << random_below(rnd, 8));
	arena_init(&a, CODEC_ARENA_FACTOR * b.n + 4096);
	obj = decode(m, version, copy, &a, &fault);
	assert_true(a.used <= a.cap);
	if (obj != NULL) {
		again = encode(m, version, obj);
		free(again.p);
	}
	free(copy.p);
	arena_fini(&a);
}

static void
test_bit_flips(void **state)
{
	struct random rnd;

	(void)state;
	random_init(&rnd);
	for (int i = 0; all_messages[i] != NULL; i++) {
		const struct message *m = all_messages[i];

		for (int v = m->since; v <= m->until; v++) {
			struct arena a;
			struct bytes b;

			arena_init(&a, 0);
			b = encode(m, v, codec_random(&rnd, m, v, &a));
			for (int n = 0; n < ROUNDS; n++)
				check_flipped(&rnd, m, v, b);
			free(b.p);
			arena_fini(&a);
		}
	}
}

/* Hand-made bytes that must fault with this text (or decode: NULL). */
static const struct bad {
	const char		*what;
	const struct message	*m;
	int			 version;
	const char		*hex, *fault;
} bad[] = {
	/* CVE-2026-111108: counts larger than what is there. */
	{ "array of 2^31-1", &metadata_request_message, 1, "7fffffff",
	    "array longer than the message" },
	{ "array of -2", &metadata_request_message, 1, "fffffffe",
	    "negative length" },
	{ "null array where none may be", &metadata_request_message, 0,
	    "ffffffff", "null in a field that cannot be null" },
	{ "compact array of 2^32-2", &metadata_request_message, 9,
	    "ffffffff0f", "negative length" },
	{ "compact array of 2^31-1", &metadata_request_message, 9,
	    "8080808008", "array longer than the message" },
	{ "varint of six bytes", &metadata_request_message, 9,
	    "ffffffffff01", "varint over 32 bits" },
	{ "varint of 33 bits", &metadata_request_message, 9,
	    "ffffffff1f", "varint over 32 bits" },
	{ "overlong varint of zero decodes", &metadata_request_message, 9,
	    "808000" "000000" "00", NULL },
	{ "nested arrays", &produce_request_message, 3,
	    "ffff" "0001" "00000001" "00000001" "000161" "000f4240",
	    "array longer than the message" },
	{ "int32 array", &describe_producers_request_message, 0,
	    "02" "0261" "80808080" "08",
	    "array longer than the message" },
	/* String lengths. */
	{ "string longer than the rest", &heartbeat_request_message, 0,
	    "00ff6161", "ends early" },
	{ "string of length -2", &heartbeat_request_message, 0, "fffe",
	    "negative length" },
	{ "null string where none may be", &heartbeat_request_message, 0,
	    "ffff", "null in a field that cannot be null" },
	{ "compact null string", &heartbeat_request_message, 4, "00",
	    "null in a field that cannot be null" },
	{ "compact string of 4 GiB", &heartbeat_request_message, 4,
	    "ffffffff0f", "negative length" },
	{ "NUL and non-UTF-8 decode", &heartbeat_request_message, 0,
	    "000300ff80" "00000001" "0000", NULL },
	{ "bytes longer than the rest", &sasl_authenticate_request_message, 0,
	    "7fffffff00", "ends early" },
	{ "bytes of length -2", &sasl_authenticate_request_message, 0,
	    "fffffffe", "negative length" },
	/* CVE-2026-111115: tagged fields. */
	{ "2^28 tagged fields", &metadata_request_message, 9,
	    "00" "000000" "ffffff7f", "too many tagged fields" },
	{ "65 tagged fields", &metadata_request_message, 9,
	    "00" "000000" "41", "too many tagged fields" },
	{ "tagged field longer than the rest", &metadata_request_message, 9,
	    "00" "000000" "01" "00" "ff01" "61", "ends early" },
	{ "tags out of order", &metadata_request_message, 9,
	    "00" "000000" "02" "0500" "0400", "tagged fields out of order" },
	{ "the same tag twice", &metadata_request_message, 9,
	    "00" "000000" "02" "0500" "0500", "tagged fields out of order" },
	{ "unknown tags are dropped", &metadata_request_message, 9,
	    "00" "000000" "02" "050161" "0600", NULL },
	{ "known tag with bytes left", &fetch_request_message, 12,
	    "ffffffff" "00000000" "00000000" "00000000" "00" "00000000"
	    "00000000" "01" "01" "01" "01" "00" "03" "026161",
	    "tagged field shorter than its size" },
	{ "known tag that reaches past its end", &fetch_request_message, 12,
	    "ffffffff" "00000000" "00000000" "00000000" "00" "00000000"
	    "00000000" "01" "01" "01" "01" "00" "02" "0461" "6161",
	    "ends early" },
	/* Nullable structs. */
	{ "null cursor decodes", &describe_topic_partitions_request_message, 0,
	    "01" "00000001" "ff" "00", NULL },
	{ "cursor cut off", &describe_topic_partitions_request_message, 0,
	    "01" "00000001" "01" "0261", "ends early" },
};

static struct bytes
from_hex(const char *hex)
{
	struct bytes b = { mem_alloc(strlen(hex) / 2 + 1), strlen(hex) / 2 };
	unsigned v;

	for (size_t i = 0; i < b.n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		b.p[i] = (uint8_t)v;
	}
	return b;
}

static void
test_bad_input(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes b = from_hex(bad[i].hex);
		const char *fault;
		struct arena a;
		void *obj;

		arena_init(&a, CODEC_ARENA_FACTOR * b.n + 4096);
		obj = decode(bad[i].m, bad[i].version, b, &a, &fault);
		if (bad[i].fault == NULL ? obj == NULL : fault == NULL ||
		    strcmp(fault, bad[i].fault) != 0)
			fail_msg("%s: %s", bad[i].what, fault ? fault : "-");
		free(b.p);
		arena_fini(&a);
	}
}

/* Many small elements, honestly there: the arena's cap is the bound. */
static void
test_arena_cap(void **state)
{
	enum { N = 100000 };
	struct bytes b = { mem_zalloc(N + 16), N + 6 };
	const char *fault;
	struct arena a;

	(void)state;
	/* list_groups v4: a compact array of empty strings, 16 bytes each. */
	memcpy(b.p, "\xa1\x8d\x06", 3);
	memset(b.p + 3, 1, N);
	b.n = N + 4;
	arena_init(&a, CODEC_ARENA_FACTOR * b.n + 4096);
	assert_null(decode(&list_groups_request_message, 4, b, &a, &fault));
	assert_string_equal(fault, "larger in memory than its limit");
	assert_true(a.used <= a.cap);
	arena_fini(&a);
	arena_init(&a, 0);
	assert_non_null(decode(&list_groups_request_message, 4, b, &a, &fault));
	arena_fini(&a);
	free(b.p);
}

/* The decoder's shortcut for array counts rests on this. */
static void
check_min_size(const struct message *m, int from, int to)
{
	for (int v = from; v <= to; v++)
		assert_in_range(codec_min_size(m, v), 0, 256);
	for (int i = 0; i < m->field_count; i++)
		if (m->fields[i].element != NULL) {
			if (m->fields[i].array)
				assert_true(codec_min_size(m->fields[i].element,
				    m->fields[i].since) > 0);
			check_min_size(m->fields[i].element,
			    m->fields[i].since, m->fields[i].until);
		}
}

static void
test_min_sizes(void **state)
{
	(void)state;
	for (int i = 0; all_messages[i] != NULL; i++)
		check_min_size(all_messages[i], all_messages[i]->since,
		    all_messages[i]->until);
}

static void
test_defaults(void **state)
{
	struct metadata_response_topics_partitions *p;
	struct metadata_request *req;
	struct bytes b;
	struct arena a;
	const char *fault;

	(void)state;
	arena_init(&a, 0);
	req = codec_new(&metadata_request_message, &a);
	assert_true(req->allow_auto_topic_creation);
	p = codec_array(&metadata_response_topics_partitions_message, &a, 2);
	assert_int_equal(p[1].leader_epoch, -1);
	assert_null(codec_array(&metadata_response_message, &a, 0));

	/* A version without the field decodes to its default. */
	b = encode(&metadata_request_message, 1, req);
	req = decode(&metadata_request_message, 1, b, &a, &fault);
	assert_true(req->allow_auto_topic_creation);
	free(b.p);
	arena_fini(&a);
}

static bool
encodes(const struct message *m, int version, const void *obj,
    struct error *err)
{
	struct chain c;
	struct writer w;
	bool ok;

	chain_init(&c);
	writer_init(&w, &c);
	ok = codec_encode(&w, m, version, obj, err);
	writer_finish(&w);
	chain_fini(&c);
	return ok;
}

static void
test_refused(void **state)
{
	static char big[40000];
	struct metadata_request *req;
	struct offset_commit_request *commit;
	struct error err;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	req = codec_new(&metadata_request_message, &a);
	req->include_topic_authorized_operations = true;
	assert_true(encodes(&metadata_request_message, 8, req, &err));
	assert_false(encodes(&metadata_request_message, 7, req, &err));
	assert_string_equal(err.text, "metadata_request: "
	    "'include_topic_authorized_operations' is set, which it cannot be "
	    "in version 7");
	assert_false(encodes(&metadata_request_message, 14, req, &err));
	assert_string_equal(err.text, "metadata_request has no version 14");
	req->include_topic_authorized_operations = false;
	req->topics.n = -1;
	assert_true(encodes(&metadata_request_message, 1, req, &err));
	assert_false(encodes(&metadata_request_message, 0, req, &err));

	commit = codec_new(&offset_commit_request_message, &a);
	commit->member_id = SLICE_LIT("m");
	commit->group_id = SLICE_NULL;
	assert_false(encodes(&offset_commit_request_message, 2, commit, &err));
	assert_string_equal(err.text, "offset_commit_request: 'group_id' is "
	    "null, which it cannot be in version 2");
	commit->group_id = (struct slice){ (uint8_t *)big, sizeof(big) };
	assert_false(encodes(&offset_commit_request_message, 2, commit, NULL));
	commit->group_id = SLICE_LIT("g");
	commit->group_instance_id = SLICE_LIT("i");
	assert_true(encodes(&offset_commit_request_message, 7, commit, &err));
	assert_false(encodes(&offset_commit_request_message, 6, commit, &err));
	arena_fini(&a);
}

/* A message that has every type, alone, in an array, tagged; also those that
 * the schema does not use today. */
struct every_inner {
	int8_t	a;
};

struct every {
	struct { uint32_t *v; int32_t n; } uint32s;
	struct { uint16_t *v; int32_t n; } uint16s;
	struct { bool *v; int32_t n; } bools;
	struct { double *v; int32_t n; } doubles;
	struct { int64_t *v; int32_t n; } int64s;
	struct { struct uuid *v; int32_t n; } uuids;
	struct { struct slice *v; int32_t n; } blobs;
	struct { struct records *v; int32_t n; } sets;
	uint32_t number;
	double real;
	struct every_inner *inner;
	struct every_inner *tagged_inner;
	struct { struct every_inner *v; int32_t n; } tagged_inners;
	struct { int32_t *v; int32_t n; } tagged_numbers;
	double tagged_real;
	struct uuid tagged_uuid;
	uint16_t tagged_short;
	int8_t tagged_tiny;
	int16_t tagged_int16;
	struct slice tagged_bytes;
	struct records tagged_records;
};

static const struct field every_inner_fields[] = {
	{ .name = "a", .type = FIELD_INT8, .until = 1, .null_since = -1,
	    .tag = -1, .size = 1 },
};
static const struct message every_inner_message = {
	.name = "every_inner", .api_key = -1, .until = 1, .flexible_since = 1,
	.size = sizeof(struct every_inner), .field_count = 1,
	.fields = every_inner_fields,
};

#define EVERY(member, kind, bytes, ...) { .name = #member, .type = kind, \
	.until = 1, .null_since = -1, .tag = -1, .size = bytes, \
	.offset = offsetof(struct every, member), __VA_ARGS__ }
#define TAGGED(n) .since = 1, .tag = n, .tag_since = 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct field every_fields[] = {
	EVERY(uint32s, FIELD_UINT32, 4, .array = true),
	EVERY(uint16s, FIELD_UINT16, 2, .array = true),
	EVERY(bools, FIELD_BOOL, 1, .array = true),
	EVERY(doubles, FIELD_FLOAT64, 8, .array = true),
	EVERY(int64s, FIELD_INT64, 8, .array = true),
	EVERY(uuids, FIELD_UUID, 16, .array = true),
	EVERY(blobs, FIELD_BYTES, sizeof(struct slice), .array = true),
	EVERY(sets, FIELD_RECORDS, sizeof(struct records), .array = true),
	EVERY(number, FIELD_UINT32, 4),
	EVERY(real, FIELD_FLOAT64, 8),
	EVERY(inner, FIELD_STRUCT, sizeof(struct every_inner),
	    .null_since = 0, .dflt_null = true,
	    .element = &every_inner_message),
	EVERY(tagged_inner, FIELD_STRUCT, sizeof(struct every_inner),
	    TAGGED(0), .null_since = 1, .dflt_null = true,
	    .element = &every_inner_message),
	EVERY(tagged_inners, FIELD_STRUCT, sizeof(struct every_inner),
	    TAGGED(1), .array = true, .element = &every_inner_message),
	EVERY(tagged_numbers, FIELD_INT32, 4, TAGGED(2), .array = true),
	EVERY(tagged_real, FIELD_FLOAT64, 8, TAGGED(3)),
	EVERY(tagged_uuid, FIELD_UUID, 16, TAGGED(4)),
	EVERY(tagged_short, FIELD_UINT16, 2, TAGGED(5)),
	EVERY(tagged_tiny, FIELD_INT8, 1, TAGGED(9)),
	EVERY(tagged_int16, FIELD_INT16, 2, TAGGED(10)),
	EVERY(tagged_bytes, FIELD_BYTES, sizeof(struct slice), TAGGED(11),
	    .null_since = 1, .dflt_null = true),
	EVERY(tagged_records, FIELD_RECORDS, sizeof(struct records),
	    TAGGED(63), .null_since = 1, .dflt_null = true),
};
#pragma GCC diagnostic pop

static const struct message every_message = {
	.name = "every", .api_key = -1, .until = 1, .flexible_since = 1,
	.size = sizeof(struct every), .tag_count = 10,
	.field_count = sizeof(every_fields) / sizeof(every_fields[0]),
	.fields = every_fields,
};

static void
test_every_type(void **state)
{
	struct random rnd;
	char *text = mem_alloc(TEXT_MAX);

	(void)state;
	random_init(&rnd);
	for (int i = 0; i < 2000; i++) {
		struct arena a;
		struct bytes b;
		void *obj;

		check_round_trip(&rnd, &every_message, i % 2);
		arena_init(&a, 0);
		obj = codec_random(&rnd, &every_message, i % 2, &a);
		b = encode(&every_message, i % 2, obj);
		check_flipped(&rnd, &every_message, i % 2, b);
		if (i < 50)
			check_truncated(&every_message, i % 2, b);
		assert_in_range(codec_print(&every_message, i % 2, obj, text,
		    TEXT_MAX), 1, TEXT_MAX - 1);
		free(b.p);
		arena_fini(&a);
	}
	free(text);
}

static void
test_unknown_tags_counted(void **state)
{
	struct bytes b = from_hex("00" "000000" "02" "050161" "0600");
	struct reader r;
	struct arena a;

	(void)state;
	arena_init(&a, 0);
	reader_init(&r, b.p, b.n, NULL);
	assert_non_null(codec_decode(&r, &metadata_request_message, 9, &a));
	assert_int_equal(r.unknown_tags, 2);
	arena_fini(&a);
	free(b.p);
}

static void
test_tags(void **state)
{
	struct api_versions_response *v, *again;
	struct bytes b;
	struct arena a;
	const char *fault;

	(void)state;
	arena_init(&a, 0);
	v = codec_new(&api_versions_response_message, &a);
	b = encode(&api_versions_response_message, 3, v);
	assert_int_equal(b.n, 2 + 1 + 4 + 1);	/* no tag: all at default */
	free(b.p);
	v->finalized_features_epoch = 7;
	v->zk_migration_ready = true;
	b = encode(&api_versions_response_message, 3, v);
	assert_int_equal(b.n, 7 + 1 + (2 + 8) + (2 + 1));
	assert_memory_equal(b.p + 7, "\2\1\10\0\0\0\0\0\0\0\7\3\1\1", 14);
	again = decode(&api_versions_response_message, 3, b, &a, &fault);
	assert_int_equal(again->finalized_features_epoch, 7);
	assert_true(again->zk_migration_ready);
	free(b.p);
	arena_fini(&a);
}

/* Records of 1 KiB and more leave as a piece of their own block. */
static void
check_records(uint32_t len, bool owned, bool by_reference)
{
	struct block *block = block_new(len);
	struct produce_request *req;
	struct produce_request_topic_data *t;
	struct writer w;
	struct chain c;
	struct arena a;
	bool found = false;

	memset(block->data, 'r', len);
	arena_init(&a, 0);
	req = codec_new(&produce_request_message, &a);
	req->topic_data.v = t = codec_array(&produce_request_topic_data_message,
	    &a, req->topic_data.n = 1);
	t->name = SLICE_LIT("t");
	t->partition_data.v = codec_array(
	    &produce_request_topic_data_partition_data_message, &a,
	    t->partition_data.n = 1);
	t->partition_data.v->records = (struct records){ block->data, len,
	    owned ? block : NULL };
	chain_init(&c);
	writer_init(&w, &c);
	assert_true(codec_encode(&w, &produce_request_message, 3, req, NULL));
	assert_int_equal(writer_size(&w), 2 + 2 + 4 + 4 + 3 + 4 + 4 + 4 + len);
	writer_finish(&w);
	assert_int_equal(c.bytes, writer_size(&w));
	for (uint32_t i = 0; i < c.n; i++)
		if (c.v[c.head + i].block == block) {
			found = true;
			assert_ptr_equal(c.v[c.head + i].data, block->data);
			assert_int_equal(c.v[c.head + i].len, len);
		}
	assert_int_equal(found, by_reference);
	assert_int_equal(block->refs, by_reference ? 2 : 1);
	chain_fini(&c);
	block_unref(block);
	arena_fini(&a);
}

static void
test_records(void **state)
{
	(void)state;
	check_records(1024, true, true);
	check_records(1 << 20, true, true);
	check_records(1023, true, false);
	check_records(200000, false, false);
	check_records(1, true, false);
}

/* A decoded records field carries the block of its reader. */
static void
test_records_owner(void **state)
{
	static const uint8_t body[] = "\xff\xff\0\1\0\0\0\1\0\0\0\1\0\1t"
	    "\0\0\0\1\0\0\0\3\0\0\0\2rr";
	struct block *block = block_new(sizeof(body) - 1);
	struct produce_request *req;
	struct reader r;
	struct arena a;

	(void)state;
	memcpy(block->data, body, block->size);
	arena_init(&a, 0);
	arena_hold(&a, block);
	reader_init(&r, block->data, block->size, block);
	req = codec_decode(&r, &produce_request_message, 3, &a);
	assert_non_null(req);
	assert_null(req->transactional_id.data);
	assert_int_equal(req->topic_data.v->partition_data.v->index, 3);
	assert_ptr_equal(req->topic_data.v->partition_data.v->records.owner,
	    block);
	assert_int_equal(req->topic_data.v->partition_data.v->records.len, 2);
	block_unref(block);
	arena_fini(&a);
}

static void
test_writer_blocks(void **state)
{
	static const size_t sizes[] = { 256, 512, 1024, 2048, 4096, 8192,
	    16384, 32768, 65536, 65536, 65536 };
	static char text[200000];
	struct writer w;
	struct chain c;
	uint8_t *first;

	(void)state;
	chain_init(&c);
	writer_init(&w, &c);
	assert_int_equal(writer_size(&w), 0);
	first = writer_reserve4(&w);
	writer_bytes(&w, text, sizeof(text) - 8);
	writer_int8(&w, -1);
	writer_int16(&w, 0x0102);
	writer_int32(&w, 0x03040506);
	writer_int64(&w, 7);
	writer_uvarint(&w, 300);
	writer_string(&w, SLICE_NULL);
	writer_string(&w, SLICE_LIT("ab"));
	memcpy(first, "head", 4);
	assert_int_equal(writer_size(&w), sizeof(text) - 4 + 1 + 2 + 4 + 8 + 2 +
	    2 + 4);
	writer_finish(&w);
	assert_int_equal(c.bytes, writer_size(&w));
	assert_memory_equal(c.v[c.head].data, "head", 4);
	for (uint32_t i = 0; i < c.n; i++)
		assert_int_equal(c.v[c.head + i].block->size, sizes[i]);
	chain_fini(&c);
}

struct seen {
	char	 text[1024];
	size_t	 n;
	const char *drop;
};

static enum codec_walk
see(void *arg, const struct field *f, void *value, void *parent)
{
	struct seen *s = arg;
	const struct slice *text = value;

	assert_non_null(parent);
	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s",
	    f->name);
	if (f->type == FIELD_STRING)
		s->n += (size_t)snprintf(s->text + s->n,
		    sizeof(s->text) - s->n, "=%.*s", SLICE_FMT(*text));
	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, " ");
	if (f->type == FIELD_STRUCT && f->element ==
	    &metadata_response_topics_message)
		text = &((struct metadata_response_topics *)value)->name;
	else if (f->type != FIELD_STRING)
		return CODEC_KEEP;
	return s->drop && slice_is(*text, s->drop) ? CODEC_DROP : CODEC_KEEP;
}

static void
test_walk_order_and_drop(void **state)
{
	struct seen s = { .drop = "b" };
	struct metadata_response *m;
	struct arena a;
	static const char *const names[] = { "a", "b", "c", "b" };

	(void)state;
	arena_init(&a, 0);
	m = codec_new(&metadata_response_message, &a);
	m->topics.v = codec_array(&metadata_response_topics_message, &a,
	    m->topics.n = 4);
	for (int i = 0; i < 4; i++)
		m->topics.v[i].name = slice_of(names[i]);
	codec_walk(&metadata_response_message, 1, m, see, &s);
	/* cluster_id is null, and version 1 has no topic_id. */
	assert_string_equal(s.text, "controller_id name=a topics name=b topics "
	    "name=c topics name=b topics ");
	assert_int_equal(m->topics.n, 2);
	assert_true(slice_is(m->topics.v[0].name, "a"));
	assert_true(slice_is(m->topics.v[1].name, "c"));
	arena_fini(&a);
}

static void
test_walk_drops_values(void **state)
{
	struct slice names[] = { SLICE_LIT("b"), SLICE_LIT("x"),
	    SLICE_LIT("b") };
	struct delete_topics_request r = { .topic_names = { names, 3 } };
	struct seen s = { .drop = "b" };

	(void)state;
	codec_walk(&delete_topics_request_message, 1, &r, see, &s);
	assert_int_equal(r.topic_names.n, 1);
	assert_true(slice_is(names[0], "x"));
}

static void
test_meaning_argument(void **state)
{
	struct describe_configs_request_resources r = { .resource_type = 4 };
	const struct field *f =
	    &describe_configs_request_resources_message.fields[1];

	(void)state;
	assert_string_equal(f->name, "resource_name");
	assert_string_equal(f->meaning_arg, "resource_type");
	assert_int_equal(codec_arg_int8(f, &r), 4);
}

static void
test_print(void **state)
{
	struct sasl_authenticate_request sasl = {
	    .auth_bytes = SLICE_LIT("hunter2") };
	struct find_coordinator_request find = {
	    .key = SLICE_LIT("a\n\"\xff"), .key_type = 1 };
	char text[256], small[8];
	size_t n;

	(void)state;
	codec_print(&sasl_authenticate_request_message, 0, &sasl, text,
	    sizeof(text));
	assert_string_equal(text, "sasl_authenticate_request version 0\n"
	    "  auth_bytes: (7 bytes)\n");
	n = codec_print(&find_coordinator_request_message, 1, &find, text,
	    sizeof(text));
	assert_string_equal(text, "find_coordinator_request version 1\n"
	    "  key: \"a\\x0a\\x22\\xff\"\n  key_type: 1\n");
	assert_int_equal(n, strlen(text));
	assert_int_equal(codec_print(&find_coordinator_request_message, 1,
	    &find, small, sizeof(small)), n);
	assert_string_equal(small, "find_co");
	assert_int_equal(codec_print(&find_coordinator_request_message, 1,
	    &find, NULL, 0), n);
}

/* Printing must hold for whatever can be decoded. */
static void
test_print_random(void **state)
{
	char *text = mem_alloc(TEXT_MAX);
	struct random rnd;

	(void)state;
	random_init(&rnd);
	for (int i = 0; all_messages[i] != NULL; i++) {
		const struct message *m = all_messages[i];
		struct arena a;
		size_t n;

		arena_init(&a, 0);
		n = codec_print(m, m->until, codec_random(&rnd, m, m->until,
		    &a), text, TEXT_MAX);
		assert_in_range(n, 1, TEXT_MAX - 1);
		assert_int_equal(strlen(text), n);
		assert_int_equal(text[n - 1], '\n');
		arena_fini(&a);
	}
	free(text);
}

static void
test_api_schema_find(void **state)
{
	int found = 0;

	(void)state;
	for (int key = INT16_MIN; key <= INT16_MAX; key++) {
		const struct api_schema *a = api_schema_find((int16_t)key);

		if (a != NULL)
			assert_int_equal(a->key, key);
		found += a != NULL;
	}
	assert_int_equal(found, API_SCHEMA_COUNT);
	assert_int_equal(api_schemas[API_SCHEMA_COUNT].request, NULL);
	assert_string_equal(api_schema_find(API_FETCH)->name, "fetch");
}

static int
setup(void **state)
{
	(void)state;
	all_messages_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_arena_cap),
		cmocka_unit_test(test_min_sizes),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_unknown_tags_counted),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_records_owner),
		cmocka_unit_test(test_writer_blocks),
		cmocka_unit_test(test_walk_order_and_drop),
		cmocka_unit_test(test_walk_drops_values),
		cmocka_unit_test(test_meaning_argument),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_random),
		cmocka_unit_test(test_api_schema_find),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
