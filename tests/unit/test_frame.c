/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/mem.h"
#include "gateway/wire/errors.h"
#include "gateway/wire/frame.h"
#include "wire/messages.h"

static const struct header {
	const char	*what;
	const char	*bytes;
	size_t		 n, left;	/* behind the header */
	const char	*fault;		/* NULL: fine */
	int		 key, version, correlation;
	const char	*client_id;	/* NULL: null */
	bool		 known;
} headers[] = {
	{ "v1", "\0\3\0\1\0\0\0\7\0\2abX", 13, 1, NULL, 3, 1, 7, "ab", true },
	{ "v1, null client id", "\0\3\0\1\0\0\0\7\xff\xff", 10, 0, NULL, 3, 1,
	    7, NULL, true },
	{ "v2", "\0\3\0\11\xff\xff\xff\xff\0\1a\0X", 13, 1, NULL, 3, 9, -1, "a",
	    true },
	{ "v2, unknown tags", "\0\3\0\11\0\0\0\1\0\1a\1\5\2xyX", 17, 1, NULL, 3,
	    9, 1, "a", true },
	{ "v2, CVE-2026-111115", "\0\3\0\11\0\0\0\1\0\1a\xff\xff\xff\x07", 15,
	    0, "too many tagged fields", 3, 9, 1, "a", true },
	{ "v2, 65 tags", "\0\3\0\11\0\0\0\1\0\1a\x41", 12, 0,
	    "too many tagged fields", 3, 9, 1, "a", true },
	{ "unknown key", "\x12\x34\0\1\0\0\0\7\0\1aX", 12, 1, NULL, 0x1234, 1,
	    7, "a", false },
	{ "unknown version: no tags are read", "\0\22\0\x63\0\0\0\7\0\1a\1", 12,
	    1, NULL, 18, 99, 7, "a", true },
	{ "negative version", "\0\3\xff\xff\0\0\0\7\0\1aX", 12, 1, NULL, 3, -1,
	    7, "a", true },
	{ "client id of -2", "\0\3\0\1\0\0\0\7\xff\xfe", 10, 0,
	    "negative length", 3, 1, 7, NULL, true },
	{ "client id over the end", "\0\3\0\1\0\0\0\7\0\5a", 11, 0,
	    "ends early", 3, 1, 7, NULL, true },
	{ "nothing", "", 0, 0, "ends early", 0, 0, 0, NULL, true },
	/* A TLS ClientHello and a line of HTTP, behind their first 4 bytes. */
	{ "TLS", "\0\1\0\1\374\3\3\0\0\0\0\0", 12, 2, NULL, 1, 1, -66911488,
	    "", true },
	{ "HTTP", "/1.1\r\nHost: x\r\n", 15, 0, "ends early", 12081, 11825,
	    0, NULL, false },
};

static void
test_read_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const struct header *t = &headers[i];
		uint8_t *copy = mem_alloc(t->n ? t->n : 1);
		struct frame_request h;
		struct reader r;
		bool ok;

		memcpy(copy, t->bytes, t->n);
		reader_init(&r, copy, t->n, NULL);
		ok = frame_read_request(&r, &h);
		if (ok != (t->fault == NULL) ||
		    (!ok && strcmp(t->fault, r.fault) != 0))
			fail_msg("%s: %s", t->what, r.fault ? r.fault : "-");
		if (ok) {
			assert_int_equal(h.api_key, t->key);
			assert_int_equal(h.version, t->version);
			assert_int_equal(h.correlation_id, t->correlation);
			assert_int_equal(r.end - r.p, t->left);
			assert_true(slice_eq(h.client_id,
			    slice_of(t->client_id)));
			assert_int_equal(h.schema != NULL, t->known);
		}
		free(copy);
	}
}

static void
test_client_id_cap(void **state)
{
	uint8_t frame[10 + FRAME_CLIENT_ID_MAX + 1] = { 0, 3, 0, 1, 0, 0, 0, 7,
	    FRAME_CLIENT_ID_MAX >> 8, FRAME_CLIENT_ID_MAX & 255 };
	struct frame_request h;
	struct reader r;

	(void)state;
	reader_init(&r, frame, sizeof(frame), NULL);
	assert_true(frame_read_request(&r, &h));
	frame[9]++;
	reader_init(&r, frame, sizeof(frame), NULL);
	assert_false(frame_read_request(&r, &h));
	assert_string_equal(r.fault, "client id too long");
}

static uint8_t *
flatten(struct chain *c, size_t *n)
{
	uint8_t *p = mem_alloc(c->bytes + 1);

	*n = c->bytes;
	chain_copy_out(c, p);
	chain_fini(c);
	return p;
}

/* Written by one side and read by the other, for every API and version. */
static void
check_both_ways(const struct api_schema *api, int version)
{
	struct frame_request h;
	struct chain out;
	struct error err;
	struct reader r;
	struct arena a;
	int32_t id;
	size_t n;
	uint8_t *p;

	arena_init(&a, 0);
	chain_init(&out);
	if (!frame_write_request(&out, api, version, 77, SLICE_LIT("me"),
	    codec_new(api->request, &a), &err))
		fail_msg("%s", err.text);
	p = flatten(&out, &n);
	reader_init(&r, p, n, NULL);
	assert_int_equal(reader_int32(&r), n - 4);
	assert_true(frame_read_request(&r, &h));
	assert_int_equal(h.correlation_id, 77);
	assert_ptr_equal(h.schema, api);
	assert_non_null(codec_decode(&r, api->request, version, &a));
	assert_ptr_equal(r.p, r.end);
	free(p);

	if (!frame_write_response(&out, api, version, -5,
	    codec_new(api->response, &a), &err))
		fail_msg("%s", err.text);
	p = flatten(&out, &n);
	reader_init(&r, p, n, NULL);
	assert_int_equal(reader_int32(&r), n - 4);
	assert_true(frame_read_response(&r, api, version, &id));
	assert_int_equal(id, -5);
	assert_non_null(codec_decode(&r, api->response, version, &a));
	assert_ptr_equal(r.p, r.end);
	free(p);
	arena_fini(&a);
}

static void
test_both_ways(void **state)
{
	(void)state;
	for (const struct api_schema *api = api_schemas; api->request; api++)
		for (int v = api->since; v <= api->until; v++)
			check_both_ways(api, v);
}

/* KIP-511: no tags in the header of an ApiVersions response, ever. */
static void
test_api_versions_header(void **state)
{
	const struct api_schema *api = api_schema_find(API_API_VERSIONS);
	struct api_versions_response body = { .error_code =
	    KAFKA_UNSUPPORTED_VERSION, .finalized_features_epoch = -1 };
	struct chain out;
	uint8_t *p;
	size_t n;

	(void)state;
	chain_init(&out);
	assert_true(frame_write_response(&out, api, 3, 1, &body, NULL));
	p = flatten(&out, &n);
	assert_int_equal(n, 4 + 4 + 2 + 1 + 4 + 1);
	assert_memory_equal(p, "\0\0\0\14\0\0\0\1\0\x23\1", 11);
	free(p);
}

static void
test_failed_write_appends_nothing(void **state)
{
	const struct api_schema *api = api_schema_find(API_METADATA);
	struct metadata_request body = { .topics = { NULL, -1 },
	    .allow_auto_topic_creation = true };
	struct error err;
	struct chain out;

	(void)state;
	chain_init(&out);
	chain_add_copy(&out, "before", 6);
	assert_false(frame_write_request(&out, api, 0, 1, SLICE_NULL, &body,
	    &err));
	assert_int_equal(out.bytes, 6);
	assert_true(frame_write_request(&out, api, 1, 1, SLICE_NULL, &body,
	    &err));
	assert_int_equal(out.bytes, 6 + 4 + 10 + 4);
	chain_fini(&out);
}

/* A fetched record set follows its frame without being copied. */
static void
test_response_by_reference(void **state)
{
	const struct api_schema *api = api_schema_find(API_FETCH);
	struct block *block = block_new(1 << 20);
	struct fetch_response *body;
	struct fetch_response_responses *t;
	struct arena a;
	struct chain out;

	(void)state;
	arena_init(&a, 0);
	body = codec_new(api->response, &a);
	body->responses.v = t = codec_array(&fetch_response_responses_message,
	    &a, body->responses.n = 1);
	t->partitions.v = codec_array(
	    &fetch_response_responses_partitions_message, &a,
	    t->partitions.n = 1);
	t->partitions.v->records = (struct records){ block->data, 1 << 20,
	    block };
	chain_init(&out);
	assert_true(frame_write_response(&out, api, 13, 1, body, NULL));
	assert_int_equal(out.n, 3);	/* before, the records, behind */
	assert_ptr_equal(out.v[out.head + 1].data, block->data);
	assert_ptr_equal(out.v[out.head].block, out.v[out.head + 2].block);
	chain_fini(&out);
	assert_int_equal(block->refs, 1);
	block_unref(block);
	arena_fini(&a);
}

static void
test_errors(void **state)
{
	(void)state;
	assert_string_equal(kafka_error_name(KAFKA_NOT_COORDINATOR),
	    "NOT_COORDINATOR");
	assert_string_equal(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
	assert_string_equal(kafka_error_name(133),
	    "SHARE_SESSION_LIMIT_REACHED");
	assert_string_equal(kafka_error_name(134), "UNKNOWN");
	assert_string_equal(kafka_error_name(-2), "UNKNOWN");
	assert_true(kafka_error_retriable(KAFKA_NOT_LEADER_OR_FOLLOWER));
	assert_false(kafka_error_retriable(KAFKA_NONE));
	for (int code = -2; code <= 135; code++)
		assert_true(strlen(kafka_error_text(code)) > 5);
#define X(name, code, retriable, text) \
	assert_string_equal(kafka_error_name(code), #name); \
	assert_string_equal(kafka_error_text(code), text);
#include "gateway/wire/errors.def"
#undef X
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_request),
		cmocka_unit_test(test_client_id_cap),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_api_versions_header),
		cmocka_unit_test(test_failed_write_appends_nothing),
		cmocka_unit_test(test_response_by_reference),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
