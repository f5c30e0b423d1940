/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/signed_fixture.h"

#include <jansson.h>

#include "auth/mech_msk_iam.h"
#include "auth/sigv4_client.h"

static enum auth_result
say_to(struct slice in, struct auth_step *to)
{
	memset(to, 0, sizeof(*to));
	return auth_msk_iam.step(&f.login, NULL, in, &f.arena, to);
}

static enum auth_result
say(const char *text, struct auth_step *to)
{
	return say_to(slice_of(text), to);
}

static bool
is_message(const struct sigv4_vector *v)
{
	return v->text[0] == '{';
}

/* As a client writes it: parameters under their names in lower case. */
static struct slice
written(const struct signed_login *in)
{
	json_t *o = json_object();
	char name[SIGV4_NAME_MAX + 1];
	struct slice text;
	char *s;

	json_object_set_new(o, "version", json_string("2020_10_22"));
	json_object_set_new(o, "host", json_stringn(
	    (const char *)in->host.data, in->host.len));
	json_object_set_new(o, "x-amz-signature", json_stringn(
	    (const char *)in->signature.data, in->signature.len));
	for (uint32_t i = 0; i < in->params.n; i++) {
		const struct sigv4_param *p = &in->params.v[i];

		snprintf(name, sizeof(name), "%.*s", SLICE_FMT(p->name));
		for (char *c = name; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 32);
		json_object_set_new(o, name, json_stringn(
		    (const char *)p->value.data, p->value.len));
	}
	s = json_dumps(o, 0);
	text = arena_slice(&f.arena, slice_of(s));
	free(s);
	json_decref(o);
	return text;
}

static void
test_vectors(void **state)
{
	int seen = 0;

	(void)state;
	for (size_t i = 0; i < sigv4_vector_count; i++) {
		const struct sigv4_vector *v = &sigv4_vectors[i];
		struct auth_step to;

		if (!is_message(v))
			continue;
		seen++;
		fixture_at(v->time);
		check_in(say(v->text, &to), &to);
		assert_true(to.user_agent[0] != '\0');
		if (strcmp(v->name, "frozen-iam-session") == 0)
			assert_string_equal(to.user_agent, "test");
	}
	assert_int_equal(seen, 6);
}

/* Exactly two fields: the Java client takes no other. */
static void
test_answer(void **state)
{
	struct signed_login in;
	struct auth_step to;
	json_t *o;
	char first[64], id[64];

	(void)state;
	make_login(&in, VECTOR_HOST, NULL, 0);
	for (int i = 0; i < 2; i++) {
		check_in(say_to(written(&in), &to), &to);
		o = json_loadb((const char *)to.out.data, to.out.len, 0, NULL);
		assert_int_equal(json_object_size(o), 2);
		assert_string_equal(json_string_value(json_object_get(o,
		    "version")), "2020_10_22");
		snprintf(id, sizeof(id), "%s", json_string_value(
		    json_object_get(o, "request-id")));
		assert_int_equal(strlen(id), 36);
		assert_true(id[8] == '-' && id[14] == '4' && id[23] == '-');
		if (i == 0)
			memcpy(first, id, sizeof(first));
		json_decref(o);
	}
	assert_string_not_equal(first, id);
}

static void
test_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rights); i++) {
		struct signed_login in;
		struct auth_step to;

		make_login(&in, VECTOR_HOST, &rights[i], 1);
		check_in(say_to(written(&in), &to), &to);
	}
}

static void
test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		struct signed_login in;
		struct auth_step to;

		make_login(&in, VECTOR_HOST, w->changes,
		    w->changes[1].name != NULL ? 2 : 1);
		check_failed(say_to(written(&in), &to), &to, w->failure,
		    w->says);
		assert_null(strstr(to.error.text, VECTOR_SECRET));
	}
}

/* The presigned form's host is not this form's. */
static void
test_service_host(void **state)
{
	const struct change host = { "host", "kafka.us-east-1.amazonaws.com" };
	struct signed_login in;
	struct auth_step to;

	(void)state;
	make_login(&in, VECTOR_HOST, &host, 1);
	check_failed(say_to(written(&in), &to), &to, AUTH_FAILURE_HOST,
	    "kafka.us-east-1.amazonaws.com");
}

static const char *
nested(char *text, size_t size, char open, size_t depth)
{
	size_t n = (size_t)snprintf(text, size, "{\"version\":");

	memset(text + n, open, depth);
	text[n + depth] = '\0';
	return text;
}

static void
test_not_json(void **state)
{
	static char deep[70000], many[2000] = "{\"a\":\"b\"";
	const char *const rows[] = {
		"", " ", "{", "}", "{}", "[]", "null", "\"version\"", "2020",
		"\x01", "{\"version\"}", "{\"version\":\"2020_10_22\"",
		"{\"version\":\"2020_10_22\"}",
		"{\"version\":\"2020_10_22\"} {}",
		"{\"version\":\"2020_10_22\",}", "[{\"version\":\"x\"}]",
		"{\"version\":2020}", "{\"version\":null}",
		"{\"version\":{\"a\":\"b\"}}", "{\"version\":[\"a\"]}",
		"{\"version\":\"2020_10_22\",\"x\":true}",
		"{\"version\":\"2020_10_22\",\"host\":\"a\\u0000b\"}",
		"{\"version\":\"2020_10_22\",\"host\":\"\xff\"}",
		"{\"version\":\"2020_10_22\",\"host\":\"\\ud800\"}",
		"\xef\xbb\xbf{\"version\":\"2020_10_22\"}",
		"{'version':'2020_10_22'}", "{\"version\":\"2020_10_22\\",
		nested(deep, sizeof(deep), '{', 60000),
		nested(deep, sizeof(deep), '[', 60000), many,
	};
	struct auth_step to;

	(void)state;
	for (int i = 0; i < 32; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		    ",\"a%d\":\"b\"", i);
	strncat(many, "}", 2);
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failed(say(rows[i], &to), &to, AUTH_FAILURE_MALFORMED,
		    "AWS_MSK_IAM message");
	assert_int_equal(f.lookups, 0);
}

/* The frozen message with a piece of it replaced. */
static struct slice
edited(const char *from, const char *to)
{
	const char *text = sigv4_vectors[2].text, *at = strstr(text, from);

	assert_non_null(at);
	return arena_printf(&f.arena, "%.*s%s%s", (int)(at - text), text, to,
	    at + strlen(from));
}

static void
test_edited(void **state)
{
	static const struct {
		const char		*from, *to;
		enum auth_failure	 failure;	/* NONE: let in */
	} rows[] = {
		/* Names twice, also when spelled in another way. */
		{ "\"version\"", "\"x-amz-date\":\"20260102T030405Z\","
		  "\"version\"", AUTH_FAILURE_MALFORMED },
		{ "\"version\"", "\"\\u0068ost\":\"" VECTOR_HOST "\","
		  "\"version\"", AUTH_FAILURE_MALFORMED },
		{ "2020_10_22", "2020_10_23", AUTH_FAILURE_MALFORMED },
		{ "\"version\"", "\"Version\"", AUTH_FAILURE_MALFORMED },
		{ "\"host\":", "\"Host\":", AUTH_FAILURE_MALFORMED },
		{ "\"x-amz-date\"", "\"X-Amz-Date\"", AUTH_FAILURE_MALFORMED },
		{ "\"x-amz-signature\"", "\"signature\"",
		  AUTH_FAILURE_MALFORMED },
		/* What is not signed may be anything. */
		{ "\"user-agent\":\"test\"", "\"user-agent\":\"other\"",
		  AUTH_FAILURE_NONE },
		{ ",\"user-agent\":\"test\"", "", AUTH_FAILURE_NONE },
		{ "\"user-agent\":\"test\"", "\"unknown\":\"x\"",
		  AUTH_FAILURE_NONE },
		{ "\"user-agent\":\"test\"", "\"user-agent\":7",
		  AUTH_FAILURE_MALFORMED },
		{ "\"action\"", " \n\t\"action\"", AUTH_FAILURE_NONE },
		{ "kafka-cluster:Connect", "kafka-cluster:\\u0043onnect",
		  AUTH_FAILURE_NONE },
		/* What is signed is signed as bytes. */
		{ "\"host\":\"b-1", "\"host\":\"B-1",
		  AUTH_FAILURE_SIGNATURE },
		{ "\"900\"", "\"0900\"", AUTH_FAILURE_SIGNATURE },
		{ "\"900\"", "\"900.0\"", AUTH_FAILURE_SIGNATURE },
		/* A token that was not signed. */
		{ "\"version\"", "\"x-amz-security-token\":\"" VECTOR_TOKEN
		  "\",\"version\"", AUTH_FAILURE_SIGNATURE },
		{ "\"version\"", "\"x-amz-security-token\":\"\",\"version\"",
		  AUTH_FAILURE_SESSION_TOKEN },
	};
	struct auth_step to;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum auth_result r = say_to(edited(rows[i].from, rows[i].to),
		    &to);

		if (rows[i].failure == AUTH_FAILURE_NONE)
			check_in(r, &to);
		else
			check_failed(r, &to, rows[i].failure, "");
	}
}

/* Every bit of every message, but those of what nobody signs. */
static void
test_single_bits(void **state)
{
	int refused = 0;

	(void)state;
	for (size_t i = 0; i < sigv4_vector_count; i++) {
		const struct sigv4_vector *v = &sigv4_vectors[i];
		char *text = strdup(v->text);
		char *from = strstr(text, "\"user-agent\":\"");
		char *end = from ? strchr(from + 14, '"') + 1 : NULL;

		fixture_at(v->time);
		for (char *p = text; is_message(v) && *p != '\0'; p++) {
			if (p == from)
				p = end;
			for (int bit = 0; bit < 8; bit++) {
				struct auth_step to;

				*p = (char)(*p ^ 1 << bit);
				if (say_to((struct slice){ (uint8_t *)text,
				    (uint32_t)strlen(v->text) }, &to) !=
				    AUTH_FAILED)
					fail_msg("%s: bit %d of %ld", v->name,
					    bit, (long)(p - text));
				refused++;
				*p = (char)(*p ^ 1 << bit);
			}
			arena_fini(&f.arena);
		}
		free(text);
	}
	assert_true(refused > 15000);
}

/* An unknown key and a wrong secret: the same answer after the same work. */
static void
test_indistinguishable(void **state)
{
	const struct change unknown = { "X-Amz-Credential",
	    "AKIDNOBODY/20260102/us-east-1/kafka-cluster/aws4_request" };
	struct signed_login in;
	struct auth_step a, b;
	uint64_t before;
	struct slice text;

	(void)state;
	make_login(&in, VECTOR_HOST, &unknown, 1);
	text = written(&in);
	before = sigv4_derived(f.login.cache);
	check_failed(say_to(text, &a), &a, AUTH_FAILURE_UNKNOWN_KEY, "");
	assert_int_equal(sigv4_derived(f.login.cache), before + 1);
	f.secret = "another secret";
	make_login(&in, VECTOR_HOST, NULL, 0);
	f.secret = VECTOR_SECRET;
	text = written(&in);
	before = sigv4_derived(f.login.cache);
	check_failed(say_to(text, &b), &b, AUTH_FAILURE_SIGNATURE, "");
	assert_int_equal(sigv4_derived(f.login.cache), before + 1);
	assert_true(slice_eq(a.out, b.out));
	assert_int_equal(f.lookups, 2);
}

/* The session ends with the credentials, and must be worth beginning. */
static void
test_short_session(void **state)
{
	struct signed_login in;
	struct auth_step to;

	(void)state;
	make_login(&in, VECTOR_HOST, NULL, 0);
	f.expires_ms = f.now_ms + 10000;
	check_in(say_to(written(&in), &to), &to);
	f.expires_ms = f.now_ms + 9999;
	check_failed(say_to(written(&in), &to), &to, AUTH_FAILURE_EXPIRED,
	    "session too short");
	f.expires_ms = f.now_ms - 1;
	check_failed(say_to(written(&in), &to), &to, AUTH_FAILURE_EXPIRED,
	    "session too short");
	/* Beyond the signature's own end. */
	f.expires_ms = f.now_ms + 12 * 3600 * 1000;
	check_in(say_to(written(&in), &to), &to);
}

/* 32 KiB of token, and one byte more. */
static void
test_long_token(void **state)
{
	char *token = calloc(1, SIGV4_TOKEN_MAX + 2);
	struct change change = { "X-Amz-Security-Token", token };
	struct signed_login in;
	struct auth_step to;

	(void)state;
	memset(token, '/', SIGV4_TOKEN_MAX);
	make_login(&in, VECTOR_HOST, &change, 1);
	check_failed(say_to(written(&in), &to), &to,
	    AUTH_FAILURE_SESSION_TOKEN, "");
	token[SIGV4_TOKEN_MAX] = '/';
	make_login(&in, VECTOR_HOST, &change, 1);
	check_failed(say_to(written(&in), &to), &to, AUTH_FAILURE_MALFORMED,
	    "32768");
	free(token);
}

static void
test_user_agent_is_text(void **state)
{
	struct auth_step to;

	(void)state;
	check_in(say_to(edited("\"user-agent\":\"test\"",
	    "\"user-agent\":\"a\\n\\u00e9\\\"b\""), &to), &to);
	assert_string_equal(to.user_agent, "a\?\?\?\"b");
}

/* Weir's own client. */
static void
test_own_client(void **state)
{
	struct sigv4_client who = {
		.key_id = VECTOR_KEY, .secret = VECTOR_SECRET,
		.token = VECTOR_TOKEN, .region = VECTOR_REGION,
		.host = "weir.example.com", .user_agent = "weir \"x\"",
		.expires_s = 300,
	};
	struct slice text;
	struct error err;
	struct auth_step to;

	(void)state;
	assert_true(sigv4_client_message(f.login.cache, &who, f.now_ms,
	    &f.arena, &text, &err));
	check_in(say_to(text, &to), &to);
	assert_string_equal(to.user_agent, "weir \"x\"");
	assert_true(sigv4_client_accepted(to.out, &err));
	who.region = "us-west-2";
	assert_true(sigv4_client_message(f.login.cache, &who, f.now_ms,
	    &f.arena, &text, &err));
	check_failed(say_to(text, &to), &to, AUTH_FAILURE_SCOPE, "us-west-2");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, \
	fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vectors), TEST(test_answer), TEST(test_right),
		TEST(test_wrong), TEST(test_service_host),
		TEST(test_not_json), TEST(test_edited),
		TEST(test_single_bits), TEST(test_indistinguishable),
		TEST(test_short_session), TEST(test_long_token),
		TEST(test_user_agent_is_text), TEST(test_own_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
