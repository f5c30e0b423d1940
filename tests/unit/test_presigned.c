/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/signed_fixture.h"

#include <ctype.h>

#include "auth/base64url.h"
#include "auth/presigned.h"
#include "auth/sigv4_client.h"

#define SERVICE "kafka.us-east-1.amazonaws.com"
#define SERVERLESS "kafka-serverless.us-east-1.amazonaws.com"

static struct slice
token_of(struct slice url)
{
	char *to = arena_get(&f.arena, BASE64URL_TEXT(url.len) + 1);

	return (struct slice){ (uint8_t *)to,
	    (uint32_t)base64url_encode(url.data, url.len, to) };
}

static enum auth_result
say_token(struct slice token, struct auth_step *to)
{
	memset(to, 0, sizeof(*to));
	return presigned_verify(&f.login, token, &f.arena, to);
}

static enum auth_result
say_url(struct slice url, struct auth_step *to)
{
	return say_token(token_of(url), to);
}

/* Parameters in the order that they are in. */
static struct slice
written(const struct signed_login *in, const char *path)
{
	struct slice url = arena_printf(&f.arena, "https://%.*s%s?",
	    SLICE_FMT(in->host), path);

	for (uint32_t i = 0; i < in->params.n; i++) {
		struct slice name = sigv4_uri_encode(in->params.v[i].name,
		    &f.arena);
		struct slice value = sigv4_uri_encode(in->params.v[i].value,
		    &f.arena);

		url = arena_printf(&f.arena, "%.*s%.*s=%.*s&", SLICE_FMT(url),
		    SLICE_FMT(name), SLICE_FMT(value));
	}
	return arena_printf(&f.arena, "%.*sX-Amz-Signature=%.*s",
	    SLICE_FMT(url), SLICE_FMT(in->signature));
}

static bool
is_token(const struct sigv4_vector *v)
{
	return v->text[0] != '{';
}

static void
test_looks(void **state)
{
	(void)state;
	for (size_t i = 0; i < sigv4_vector_count; i++)
		assert_int_equal(presigned_looks(slice_of(
		    sigv4_vectors[i].text)), is_token(&sigv4_vectors[i]));
	assert_true(presigned_looks(token_of(SLICE_LIT("http://x/?"))));
	assert_false(presigned_looks(SLICE_LIT("eyJhbGciOiJSUzI1NiJ9.e.s")));
	assert_false(presigned_looks(SLICE_LIT("")));
	assert_false(presigned_looks(SLICE_NULL));
	assert_false(presigned_looks(SLICE_LIT("aHR0")));
}

static void
test_vectors(void **state)
{
	int seen = 0;

	(void)state;
	for (size_t i = 0; i < sigv4_vector_count; i++) {
		const struct sigv4_vector *v = &sigv4_vectors[i];
		struct auth_step to;
		struct slice padded = slice_of(v->text);

		if (!is_token(v))
			continue;
		seen++;
		fixture_at(v->time);
		check_in(say_token(padded, &to), &to);
		assert_true(to.user_agent[0] != '\0');
		assert_int_equal(to.out.len, 0);
		/* With padding it is the same token. */
		while (padded.len % 4 != 0)
			padded = arena_printf(&f.arena, "%.*s=",
			    SLICE_FMT(padded));
		check_in(say_token(padded, &to), &to);
	}
	assert_int_equal(seen, 12);
}

static const char *const hosts[] = { SERVICE, SERVERLESS, VECTOR_HOST };

static void
test_right(void **state)
{
	(void)state;
	for (size_t h = 0; h < COUNT(hosts); h++)
		for (size_t i = 0; i < COUNT(rights); i++) {
			struct signed_login in;
			struct auth_step to;

			make_login(&in, hosts[h], &rights[i], 1);
			check_in(say_url(written(&in, "/"), &to), &to);
			check_in(say_url(written(&in, ""), &to), &to);
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
		bool no_host = strcmp(w->changes[0].name, "host") == 0 &&
		    w->changes[0].value[0] == '\0';

		make_login(&in, SERVICE, w->changes,
		    w->changes[1].name != NULL ? 2 : 1);
		check_failed(say_url(written(&in, "/"), &to), &to,
		    no_host ? AUTH_FAILURE_MALFORMED : w->failure, w->says);
	}
}

static void
test_hosts(void **state)
{
	static const struct {
		const char	*host;
		bool		 ok;
	} rows[] = {
		{ "KAFKA.us-east-1.amazonaws.com", true },
		{ "kafka.us-west-2.amazonaws.com", false },
		{ "kafka.us-east-1.amazonaws.com.cn", false },
		{ "kafka.us-east-1.amazonaws.com.", false },
		{ "kafka.us-east-1.amazonaws.com:443", false },
		{ "kafka..amazonaws.com", false },
		{ "akafka.us-east-1.amazonaws.com", false },
		{ "kafka.us-east-1.amazonaws.com%2F", false },
		{ "sts.us-east-1.amazonaws.com", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct change host = { "host", rows[i].host };
		struct signed_login in;
		struct auth_step to;
		enum auth_result r;

		make_login(&in, SERVICE, &host, 1);
		r = say_url(written(&in, "/"), &to);
		if (rows[i].ok)
			check_in(r, &to);
		else
			check_failed(r, &to, AUTH_FAILURE_HOST, rows[i].host);
	}
}

/* A good URL of which one piece is replaced. */
static struct slice
edited(const char *from, const char *to)
{
	struct signed_login in;
	const struct change token = { "X-Amz-Security-Token", VECTOR_TOKEN };
	struct slice url;
	const char *at;

	make_login(&in, SERVICE, &token, 1);
	url = written(&in, "/");
	url = arena_printf(&f.arena, "%.*s", SLICE_FMT(url));
	at = strstr((const char *)url.data, from);
	assert_non_null(at);
	return arena_printf(&f.arena, "%.*s%s%s",
	    (int)(at - (const char *)url.data), url.data, to,
	    at + strlen(from));
}

static void
test_edited(void **state)
{
	static const struct {
		const char		*from, *to;
		enum auth_failure	 failure;	/* NONE: let in */
	} rows[] = {
		/* The URL's other parts. */
		{ "https", "http", AUTH_FAILURE_MALFORMED },
		{ "https", "HTTPS", AUTH_FAILURE_MALFORMED },
		{ "https://", "https:/", AUTH_FAILURE_MALFORMED },
		{ "https://", "https://user@", AUTH_FAILURE_MALFORMED },
		{ "https://", "https://user:p@", AUTH_FAILURE_MALFORMED },
		{ "https://", "https:///", AUTH_FAILURE_MALFORMED },
		{ ".com/", ".com:443/", AUTH_FAILURE_HOST },
		{ ".com/", ".com//", AUTH_FAILURE_MALFORMED },
		{ ".com/", ".com/path", AUTH_FAILURE_MALFORMED },
		{ ".com/", ".com/.", AUTH_FAILURE_MALFORMED },
		{ ".com/", ".com", AUTH_FAILURE_NONE },
		{ ".com/?", ".com/", AUTH_FAILURE_MALFORMED },
		{ ".com/?", ".com/#?", AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "#&X-Amz-Signature",
		  AUTH_FAILURE_MALFORMED },
		{ SERVICE, "", AUTH_FAILURE_MALFORMED },
		/* Parameters that are none, or twice there. */
		{ "/?", "/?&", AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&&X-Amz-Signature",
		  AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&x&X-Amz-Signature",
		  AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&=x&X-Amz-Signature",
		  AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&X-Amz-Date=20260102T030405Z&"
		  "X-Amz-Signature", AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&x-amz-date=20260102T030405Z&"
		  "X-Amz-Signature", AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature", "&X%2DAmz-Date=20260102T030405Z&"
		  "X-Amz-Signature", AUTH_FAILURE_MALFORMED },
		{ "&X-Amz-Signature=", "&X-Amz-Signature=0&X-Amz-Signature=",
		  AUTH_FAILURE_MALFORMED },
		{ "/?", "/?User-Agent=a&User-Agent=b&",
		  AUTH_FAILURE_MALFORMED },
		{ "X-Amz-Signature", "x-amz-signature",
		  AUTH_FAILURE_MALFORMED },
		/* The encoding. */
		{ "%2F", "%2f", AUTH_FAILURE_NONE },
		{ "Action", "%41ction", AUTH_FAILURE_NONE },
		{ "20260102T", "%32%30260102T", AUTH_FAILURE_NONE },
		{ "%2F", "/", AUTH_FAILURE_NONE },
		{ "%2B", "+", AUTH_FAILURE_NONE },
		{ "%2B", "%20", AUTH_FAILURE_SESSION_TOKEN },
		{ "%2F", "%2", AUTH_FAILURE_MALFORMED },
		{ "%2F", "%zz", AUTH_FAILURE_MALFORMED },
		{ "%2F", "%252F", AUTH_FAILURE_MALFORMED },
		{ "%2F", " ", AUTH_FAILURE_MALFORMED },
		{ "%3D%3D", "==", AUTH_FAILURE_NONE },
		/* What was added: unsigned only as the user agent. */
		{ "/?", "/?User-Agent=a%20b&", AUTH_FAILURE_NONE },
		{ "&X-Amz-Signature", "&User-Agent=x&X-Amz-Signature",
		  AUTH_FAILURE_NONE },
		{ "/?", "/?user-agent=x&", AUTH_FAILURE_SIGNATURE },
		{ "/?", "/?x=y&", AUTH_FAILURE_SIGNATURE },
	};
	struct auth_step to;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum auth_result r = say_url(edited(rows[i].from, rows[i].to),
		    &to);

		if (rows[i].failure == AUTH_FAILURE_NONE && r != AUTH_DONE)
			fail_msg("%s: %s", rows[i].to, to.error.text);
		if (rows[i].failure == AUTH_FAILURE_NONE)
			check_in(r, &to);
		else
			check_failed(r, &to, rows[i].failure, "");
	}
}

/* Signed over a canonical request as somebody might make it wrongly. */
static enum auth_result
sign_wrongly(const char *from, const char *to, struct auth_step *step)
{
	struct signed_login in;
	const struct change token = { "X-Amz-Security-Token", VECTOR_TOKEN };
	struct sigv4_request r = { SLICE_LIT(VECTOR_KEY),
	    SLICE_LIT("20260102T030405Z"), SLICE_LIT(VECTOR_REGION),
	    SLICE_NULL };
	struct slice right;
	const char *at;
	char hex[SIGV4_HEX];

	make_login(&in, SERVICE, &token, 1);
	right = sigv4_canonical(in.host, sigv4_query(&in.params, &f.arena),
	    &f.arena);
	at = strstr((const char *)right.data, from);
	assert_non_null(at);
	r.canonical = arena_printf(&f.arena, "%.*s%s%s",
	    (int)(at - (const char *)right.data), right.data, to,
	    at + strlen(from));
	sigv4_sign(f.login.cache, &r, SLICE_LIT(VECTOR_SECRET), hex);
	in.signature = (struct slice){ (const uint8_t *)hex, SIGV4_HEX };
	return say_url(arena_printf(&f.arena, "%.*s&User-Agent=test",
	    SLICE_FMT(written(&in, "/"))), step);
}

static void
test_signed_wrongly(void **state)
{
	static const struct change rows[] = {
		{ "%2Fus-east", "%2fus-east" }, { "%2B", "%2b" },
		{ "%2B", "+" }, { "%2Bab", "%20ab" },
		{ "%3D%3D", "==" }, { "%2F%2F", "//" },
		{ "&X-Amz-Algorithm", "&User-Agent=test&X-Amz-Algorithm" },
		{ "GET\n/\n", "GET\n\n" }, { "GET\n", "POST\n" },
		{ "host:", "Host:" }, { "\nhost\n", "\nhost;x\n" },
		{ SERVICE, SERVICE ":443" }, { "%3A", ":" },
		{ "\ne3b0c44", "\nUNSIGNED-PAYLOAD e3b0c44" },
		{ "Action=kafka-cluster%3AConnect&", "" },
	};
	struct auth_step to;

	(void)state;
	check_in(sign_wrongly("GET", "GET", &to), &to);
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failed(sign_wrongly(rows[i].name, rows[i].value, &to),
		    &to, AUTH_FAILURE_SIGNATURE, "secret and session token");
}

static void
test_not_base64(void **state)
{
	const char *good = sigv4_vectors[0].text;
	struct slice rows[] = {
		SLICE_LIT(""), SLICE_LIT("="), SLICE_LIT("aHR0c"),
		SLICE_LIT("aHR0cHM6Ly8="), SLICE_LIT("aHR0cHM6Ly9h"),
		arena_printf(&f.arena, "%s=", good),
		arena_printf(&f.arena, "%s===", good),
		arena_printf(&f.arena, "%s\n", good),
		arena_printf(&f.arena, " %s", good),
		arena_printf(&f.arena, "%s.", good),
		arena_printf(&f.arena, "%.40s+%s", good, good + 41),
		arena_printf(&f.arena, "%.40s/%s", good, good + 41),
		arena_printf(&f.arena, "%.40s=%s", good, good + 41),
		arena_printf(&f.arena, "%.40s%s", good, good + 41),
	};
	struct auth_step to;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_failed(say_token(rows[i], &to), &to,
		    AUTH_FAILURE_MALFORMED, "");
	assert_int_equal(f.lookups, 0);
}

static void
test_many_parameters(void **state)
{
	struct slice url = SLICE_LIT("https://" SERVICE "/?a=b");
	struct auth_step to;

	(void)state;
	for (int i = 0; i < 20; i++)
		url = arena_printf(&f.arena, "%.*s&n%d=v", SLICE_FMT(url), i);
	check_failed(say_url(url, &to), &to, AUTH_FAILURE_MALFORMED,
	    "more than 16");
}

/* Whether the byte is a digit of %XX, whose case means nothing. */
static bool
is_escape(const char *url, size_t i)
{
	return (i > 0 && url[i - 1] == '%') || (i > 1 && url[i - 2] == '%');
}

static void
flip_each(const struct sigv4_vector *v, struct slice url, int *refused)
{
	char *text = (char *)(uintptr_t)url.data;
	char *agent = strstr(text, "User-Agent=");
	char *end = agent ? strchr(agent, '&') : NULL;
	struct auth_step to;

	if (agent != NULL && end == NULL)
		end = text + strlen(text);
	for (size_t i = 0; i < url.len; i++) {
		for (int bit = 0; bit < 8 && (agent == NULL ||
		    text + i < agent || text + i >= end); bit++) {
			if (bit == 5 && is_escape(text, i) &&
			    isalpha((unsigned char)text[i]))
				continue;
			text[i] = (char)(text[i] ^ 1 << bit);
			if (say_url(url, &to) != AUTH_FAILED)
				fail_msg("%s: bit %d of %zu", v->name, bit, i);
			++*refused;
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	}
}

/* Every bit of every URL but its user agent's. */
static void
test_single_bits(void **state)
{
	int refused = 0;

	(void)state;
	for (size_t i = 0; i < sigv4_vector_count; i++) {
		const struct sigv4_vector *v = &sigv4_vectors[i];
		uint8_t url[4096];
		size_t n = 0;

		if (!is_token(v))
			continue;
		fixture_at(v->time);
		assert_true(base64url_decode(slice_of(v->text), url,
		    sizeof(url) - 1, &n));
		url[n] = '\0';
		flip_each(v, (struct slice){ url, (uint32_t)n }, &refused);
		arena_fini(&f.arena);
	}
	assert_true(refused > 30000);
}

/* Weir's own tokens. */
static void
test_own_client(void **state)
{
	struct sigv4_client who = {
		.key_id = VECTOR_KEY, .secret = VECTOR_SECRET,
		.token = VECTOR_TOKEN, .region = VECTOR_REGION,
		.user_agent = "weirctl 1 (&=%)", .expires_s = 900,
	};
	struct slice text;
	struct error err;
	struct auth_step to;

	(void)state;
	assert_true(sigv4_client_token(f.login.cache, &who, f.now_ms, &f.arena,
	    &text, &err));
	check_in(say_token(text, &to), &to);
	assert_string_equal(to.user_agent, "weirctl 1 (&=%)");
	f.now_ms += 900 * 1000;
	check_in(say_token(text, &to), &to);
	f.now_ms += 1;
	check_failed(say_token(text, &to), &to, AUTH_FAILURE_EXPIRED, "");
	who.secret = "wrong";
	assert_true(sigv4_client_token(f.login.cache, &who, f.now_ms, &f.arena,
	    &text, &err));
	check_failed(say_token(text, &to), &to, AUTH_FAILURE_SIGNATURE, "");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, \
	fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_looks), TEST(test_vectors), TEST(test_right),
		TEST(test_wrong), TEST(test_hosts), TEST(test_edited),
		TEST(test_signed_wrongly), TEST(test_not_base64),
		TEST(test_many_parameters), TEST(test_single_bits),
		TEST(test_own_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
