/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every API in every version: nothing that a tenant says reaches the cluster
 * without its prefix, and nothing of another tenant's, nor any prefix, comes
 * back, wherever in a message it stands. It is looked for in the bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/codec_random.h"
/* Its table is looked at. */
#include "gateway/tenancy.c"
#include "gateway/wire/frame.h"

enum { ROUNDS = 40 };

static struct random dice;
static struct arena memory;
static struct tenant tenant = { .id = "a", .cluster = { .uuid = "its-uuid" } };
static struct session session;
static struct worker worker;
static int16_t answered;
static const struct consumer_group_heartbeat_response *reply;
static bool failed;
static enum conn_reason failed_for;

/* What goes on when a request cannot be mapped. */
void
request_answer_error(struct request *r, int16_t error)
{
	(void)r;
	answered = error;
}

void
request_answer(struct request *r, const void *response)
{
	(void)r;
	reply = response;
}

void
request_fail(struct request *r, enum conn_reason reason, const char *detail)
{
	(void)r;
	assert_non_null(detail);
	failed = true;
	failed_for = reason;
}

static int
setup(void **state)
{
	(void)state;
	random_init(&dice);
	arena_init(&memory, 0);
	tenant.names = names_new("a.");
	session.tenant = &tenant;
	session.worker = &worker;
	worker.metrics = metric_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&memory);
	names_free((struct names *)(uintptr_t)tenant.names);
	metric_free(worker.metrics);
	return 0;
}

static int
anew(void **state)
{
	(void)state;
	arena_fini(&memory);
	arena_init(&memory, 0);
	session.tenant = &tenant;
	answered = 0;
	failed = false;
	return 0;
}

/* ---- messages full of names ---- */

/* What stands wherever a name may. */
struct filling {
	const char	*name;		/* "%u" becomes a number */
	const char	*regex;
	bool		 mixed;		/* now and then another tenant's */
	int16_t		 api;
	int8_t		 type;		/* of coordinator keys */
};

static struct slice
a_name(const struct filling *x)
{
	if (x->mixed && random_below(&dice, 2) == 0)
		return arena_printf(&memory, "b.foreign-%u",
		    random_below(&dice, 4));
	return arena_printf(&memory, "%s-%u", x->name, random_below(&dice, 4));
}

static enum codec_walk
fill_names(void *arg, const struct field *f, void *value, void *parent)
{
	if (f->meaning == MEANING_topic)
		*(struct slice *)value = a_name(arg);
	(void)parent;
	return CODEC_KEEP;
}

/* As members of the consumer protocol say it. */
static struct slice
member_bytes(const struct message *m, struct filling *x)
{
	int16_t version = (int16_t)random_below(&dice, 4);
	void *obj = codec_random(&dice, m, version, &memory);
	struct writer w;
	struct chain c;
	struct error err;
	uint8_t *bytes;
	uint32_t size;

	codec_walk(m, version, obj, fill_names, x);
	chain_init(&c);
	writer_init(&w, &c);
	writer_int16(&w, version);
	assert_true(codec_encode(&w, m, version, obj, &err));
	writer_finish(&w);
	bytes = arena_get(&memory, c.bytes);
	chain_copy_out(&c, bytes);

	size = (uint32_t)c.bytes;
	chain_fini(&c);
	return (struct slice){ bytes, size };
}

static enum codec_walk
fill_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct filling *x = arg;
	struct slice *s = value;
	static const int8_t types[] = { 2, 32, 5, 3 };

	switch (f->meaning) {
	case MEANING_topic:
	case MEANING_group:
	case MEANING_txn:
	case MEANING_coordinator:
		*s = a_name(x);
		break;
	case MEANING_resource:
		*s = a_name(x);
		*((int8_t *)parent + f->arg_offset) =
		    types[random_below(&dice, 4)];
		break;
	case MEANING_topic_regex:
	case MEANING_txn_regex:
		*s = slice_of(x->regex);
		break;
	case MEANING_subscription:
		*s = member_bytes(&consumer_protocol_subscription_message, x);
		break;
	case MEANING_assignment:
		*s = member_bytes(&consumer_protocol_assignment_message, x);
		break;
	case MEANING_plain:
		if (strcmp(f->name, "protocol_type") == 0)
			*s = SLICE_LIT("consumer");
		break;
	default:
		break;
	}
	return CODEC_KEEP;
}

static void *
a_message(const struct message *m, int version, struct filling *x)
{
	void *body = codec_random(&dice, m, version, &memory);

	codec_walk(m, version, body, fill_visit, x);
	return body;
}

static struct slice
bytes_of(const struct message *m, int version, const void *body)
{
	struct writer w;
	struct chain c;
	struct error err;
	struct slice to;

	chain_init(&c);
	writer_init(&w, &c);
	if (!codec_encode(&w, m, version, body, &err))
		fail_msg("%s v%d: %s", m->name, version, err.text);
	writer_finish(&w);
	to.data = arena_get(&memory, c.bytes + 1);
	to.len = (uint32_t)c.bytes;
	chain_copy_out(&c, (uint8_t *)(uintptr_t)to.data);
	chain_fini(&c);
	return to;
}

/* How often the text stands there; `before`: only those right behind that. */
static int
count(struct slice bytes, const char *before, const char *text)
{
	size_t len = strlen(text), skip = strlen(before);
	int n = 0;

	for (uint32_t i = (uint32_t)skip; i + len <= bytes.len; i++)
		n += memcmp(bytes.data + i, text, len) == 0 &&
		    memcmp(bytes.data + i - skip, before, skip) == 0;
	return n;
}

static struct request
a_request(const struct api_schema *api, int version, void *body)
{
	struct request r = {
		.session = &session, .worker = &worker, .schema = api,
		.version = (int16_t)version, .body = body,
		.bytes_in = 4096,
	};

	arena_init(&r.arena, 0);
	return r;
}

/* FindCoordinator says for all its keys what they are. */
static void
key_type(const struct api_schema *api, int version, void *body)
{
	if (api->key == API_FIND_COORDINATOR && version >= 1)
		((struct find_coordinator_request *)body)->key_type =
		    (int8_t)random_below(&dice, 2);
}

typedef void each_cb(const struct api_schema *api, int version);

static void
each_version(each_cb *cb)
{
	for (const struct api_schema *s = api_schemas; s->request != NULL; s++)
		for (int v = s->since; api_find(s->key) != NULL &&
		    v <= s->until; v++)
			for (int i = 0; i < ROUNDS; i++) {
				cb(s, v);
				arena_fini(&memory);
				arena_init(&memory, 0);
			}
}

/* ---- inward ---- */

static void
inward_one(const struct api_schema *api, int version)
{
	struct filling x = { .name = "logical", .regex = "^logical.*" };
	void *body = a_message(api->request, version, &x);
	struct request r = a_request(api, version, body);
	struct slice before, after;
	int said;

	key_type(api, version, body);
	before = bytes_of(api->request, version, body);
	said = count(before, "", "logical");
	assert_true(tenancy_inward(&r));
	after = bytes_of(api->request, version, body);
	if (count(after, "", "logical") != said ||
	    count(after, "a.", "logical") +
	    count(after, "\\Qa.\\E(?:(?:^)?", "logical") != said)
		fail_msg("%s v%d: %d names, %d with a prefix", api->name,
		    version, said, count(after, "a.", "logical"));
	arena_fini(&r.arena);
}

static void
test_inward(void **state)
{
	(void)state;
	each_version(inward_one);
}

/* ---- outward ---- */

static void
outward_one(const struct api_schema *api, int version, bool mixed)
{
	struct filling x = { .name = "a.own", .mixed = mixed,
	    .regex = mixed ? "\\Qb.\\E(?:foreign)" : "\\Qa.\\E(?:(?:^)?own)" };
	void *q = codec_random(&dice, api->request, version, &memory);
	void *body = a_message(api->response, version, &x);
	struct request r = a_request(api, version, q);
	struct slice before, after;

	key_type(api, version, q);
	if (api->key == API_JOIN_GROUP)
		((struct join_group_request *)q)->protocol_type =
		    SLICE_LIT("consumer");
	if (api->key == API_SYNC_GROUP)
		((struct sync_group_request *)q)->protocol_type =
		    version >= 5 ? SLICE_LIT("consumer") : SLICE_NULL;
	before = bytes_of(api->response, version, body);
	tenancy_outward(&r, version, body);
	after = bytes_of(api->response, version, body);
	/* By its looks: one that names others' topics is none. */
	if (mixed && api->key == API_SYNC_GROUP && version < 5)
		after = SLICE_LIT("");
	if (count(after, "", "foreign") > 0 || count(after, "", "a.own") > 0 ||
	    count(after, "", "\\Qa.\\E") > 0 ||
	    count(after, "", "\\Qb.\\E") > 0)
		fail_msg("%s v%d: a name came through", api->name, version);
	if (!mixed && count(before, "", "own") != count(after, "", "own"))
		fail_msg("%s v%d: an own name was left out", api->name,
		    version);
	arena_fini(&r.arena);
}

static void
own_one(const struct api_schema *api, int version)
{
	outward_one(api, version, false);
}

static void
mixed_one(const struct api_schema *api, int version)
{
	outward_one(api, version, true);
}

static void
test_outward(void **state)
{
	(void)state;
	each_version(own_one);
}

static void
test_outward_stops(void **state)
{
	(void)state;
	each_version(mixed_one);
}

/* ---- the rest ---- */

/* What is said to have no names has none. */
static void
test_nameless(void **state)
{
	(void)state;
	for (const struct api_schema *s = api_schemas; s->request != NULL; s++)
		for (int v = s->since; v <= s->until; v++) {
			bool any = has_names(s->request, v) ||
			    has_names(s->response, v);

			if (any && hows[s->key] == NAMELESS &&
			    api_find(s->key) != NULL)
				fail_msg("%s v%d has names", s->name, v);
		}
}

static void
test_without_tenant(void **state)
{
	struct filling x = { .name = "logical", .regex = "logical" };
	const struct api_schema *api = api_schema_find(API_METADATA);
	void *body = a_message(api->request, 12, &x);
	struct request r = a_request(api, 12, body);
	struct slice before = bytes_of(api->request, 12, body), after;

	(void)state;
	session.tenant = NULL;
	assert_true(tenancy_inward(&r));
	after = bytes_of(api->request, 12, body);
	assert_true(slice_eq(before, after));
	arena_fini(&r.arena);
}

static void
test_bad_regex(void **state)
{
	struct consumer_group_heartbeat_request q = {
		.group_id = SLICE_LIT("g"), .member_id = SLICE_LIT("m"),
		.subscribed_topic_regex = SLICE_LIT("x)|(.*"),
	};
	struct request r = a_request(
	    api_schema_find(API_CONSUMER_GROUP_HEARTBEAT), 1, &q);

	(void)state;
	assert_false(tenancy_inward(&r));
	assert_int_equal(answered, KAFKA_INVALID_REGULAR_EXPRESSION);
	arena_fini(&r.arena);
	r = a_request(r.schema, 1, &q);
	q.group_id = SLICE_LIT("g");
	q.subscribed_topic_regex = SLICE_LIT("");
	assert_true(tenancy_inward(&r));
	assert_int_equal(q.subscribed_topic_regex.len, 0);
	arena_fini(&r.arena);
}

static bool
takes_regex(const struct names *names)
{
	struct consumer_group_heartbeat_request q = {
		.group_id = SLICE_LIT("g"), .member_id = SLICE_LIT("m"),
		.subscribed_topic_regex = SLICE_LIT("orders.*"),
	};
	struct list_transactions_request list = {
		.transactional_id_pattern = SLICE_LIT("orders.*"),
	};
	const struct names *was = tenant.names;
	struct request r = a_request(
	    api_schema_find(API_CONSUMER_GROUP_HEARTBEAT), 1, &q);
	bool taken;

	tenant.names = names;
	reply = NULL;
	taken = tenancy_inward(&r);
	if (!taken) {
		assert_int_equal(reply->error_code,
		    KAFKA_INVALID_REGULAR_EXPRESSION);
		assert_true(reply->error_message.len > 0);
	}
	arena_fini(&r.arena);
	/* One that only narrows a list down. */
	r = a_request(api_schema_find(API_LIST_TRANSACTIONS), 2, &list);
	assert_true(tenancy_inward(&r));
	arena_fini(&r.arena);
	tenant.names = was;
	return taken;
}

/* What brokers would hold against other tenants' topics, or would not find. */
static void
test_refused_regex(void **state)
{
	struct prefixes *none = prefixes_new(), *some = prefixes_new();
	struct names *alone = names_new(NULL), *shared = names_new(NULL);
	struct names *own = names_new("a.");
	struct error err;

	(void)state;
	prefixes_add(some, "b.");
	names_except(alone, none);
	names_except(shared, some);
	assert_true(takes_regex(alone));
	assert_false(takes_regex(shared));
	assert_true(names_adopt(own, NAME_GROUP, "g", "h", &err));
	assert_true(takes_regex(own));
	assert_true(names_adopt(own, NAME_TOPIC, "old-*", "new-*", &err));
	assert_false(takes_regex(own));
	prefixes_unref(none);
	prefixes_unref(some);
	names_free(alone);
	names_free(shared);
	names_free(own);
}

static void
test_empty_group(void **state)
{
	struct heartbeat_request h = { .group_id = SLICE_LIT("") };
	struct offset_commit_request c = { .group_id = SLICE_LIT("") };
	struct request r = a_request(api_schema_find(API_HEARTBEAT), 4, &h);

	(void)state;
	assert_false(tenancy_inward(&r));
	assert_int_equal(answered, KAFKA_INVALID_GROUP_ID);
	arena_fini(&r.arena);
	r = a_request(api_schema_find(API_OFFSET_COMMIT), 8, &c);
	assert_true(tenancy_inward(&r));
	assert_true(slice_is(c.group_id, "a."));
	arena_fini(&r.arena);
}

/* Nobody reads an answer to what is to have none. */
static void
test_no_acks(void **state)
{
	struct produce_request q = { .transactional_id = SLICE_LIT("") };
	struct request r = a_request(api_schema_find(API_PRODUCE), 9, &q);

	(void)state;
	for (q.acks = -1; q.acks <= 0; q.acks++) {
		failed = false;
		answered = 0;
		q.transactional_id = SLICE_LIT("");
		assert_false(tenancy_inward(&r));
		assert_int_equal(failed, q.acks == 0);
		assert_int_equal(answered, q.acks == 0 ? 0 :
		    KAFKA_INVALID_REQUEST);
		arena_fini(&r.arena);
		r = a_request(r.schema, 9, &q);
	}
	assert_int_equal(failed_for, CONN_NO_ACKS);
	arena_fini(&r.arena);
}

static void
test_long_name(void **state)
{
	uint8_t *text = arena_get(&memory, NAMES_LONG);
	struct heartbeat_request h = { .group_id = { text, NAMES_LONG } };
	struct request r = a_request(api_schema_find(API_HEARTBEAT), 4, &h);

	(void)state;
	memset(text, 'x', NAMES_LONG);
	assert_false(tenancy_inward(&r));
	assert_true(failed);
	arena_fini(&r.arena);
}

/* Connect's bytes, and what is none of any protocol's. */
static void
test_other_members(void **state)
{
	static const uint8_t connect[] = "\0\1\0\0\0\11connect-1\0\4http";
	struct slice bytes = { connect, sizeof(connect) - 1 };
	struct tenancy_walk w = { .names = tenant.names, .arena = &memory };

	(void)state;
	w.protocol = TENANCY_OTHER;
	assert_true(slice_eq(tenancy_member(&w, false, bytes), bytes));
	w.protocol = TENANCY_UNKNOWN;
	assert_true(slice_eq(tenancy_member(&w, true, bytes), bytes));
	w.protocol = TENANCY_CONSUMER;
	assert_true(slice_eq(tenancy_member(&w, true, bytes), bytes));
	assert_true(slice_eq(tenancy_member(&w, true, SLICE_LIT("x")),
	    SLICE_LIT("x")));
}

/* A version that is not known yet keeps what it has added. */
static void
test_newer_member(void **state)
{
	static const uint8_t from[] =
	    "\0\11\0\0\0\1\0\1t\0\0\0\1\0\0\0\7\377\377\377\377more";
	static const uint8_t to[] =
	    "\0\11\0\0\0\1\0\3a.t\0\0\0\1\0\0\0\7\377\377\377\377more";
	struct tenancy_walk w = { .names = tenant.names, .arena = &memory,
	    .protocol = TENANCY_CONSUMER };

	(void)state;
	assert_true(slice_eq(tenancy_member(&w, true, (struct slice){ from,
	    sizeof(from) - 1 }), (struct slice){ to, sizeof(to) - 1 }));
}

static void
test_text(void **state)
{
	struct request r = a_request(api_schema_find(API_HEARTBEAT), 4, NULL);

	(void)state;
	assert_true(slice_is(tenancy_text(&r, SLICE_LIT("Topic a.x, a.y")),
	    "Topic x, y"));
	assert_true(slice_is(tenancy_text(&r, SLICE_LIT("")), ""));
	arena_fini(&r.arena);
}

#define TEST(name) cmocka_unit_test_setup(name, anew)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_inward),
		TEST(test_outward),
		TEST(test_outward_stops),
		TEST(test_nameless),
		TEST(test_without_tenant),
		TEST(test_bad_regex),
		TEST(test_refused_regex),
		TEST(test_empty_group),
		TEST(test_no_acks),
		TEST(test_long_name),
		TEST(test_other_members),
		TEST(test_newer_member),
		TEST(test_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
