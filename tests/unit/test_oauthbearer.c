/* SPDX-License-Identifier: Apache-2.0 */
/* OAUTHBEARER through auth_login: the messages of RFC 7628, and what is said
 * beside the token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/auth.h"
#include "gateway/base/clock.h"
#include "tests/unit/jwt_maker.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define HEADER "alg='ES256'|kid='key'|typ='JWT'"

static struct {
	EVP_PKEY	*key;
	struct auth	*auth;
	struct jwks	*keys;
	char		*token;		/* of alice, tenant blue */
} world;

static char *
token_of(const char *header, const char *claims)
{
	char members[512], *h, *c, *token;
	long long now = clock_wall_ms() / 1000;

	snprintf(members, sizeof(members), "iss='https://issuer.example'|"
	    "aud='weir'|sub='alice'|iat=%lld|exp=%lld|tenant='blue'", now - 5,
	    now + 600);
	h = maker_json(HEADER, header);
	c = maker_json(members, claims);
	token = maker_sign(world.key, JWT_ES256, h, c);
	free(h);
	free(c);
	return token;
}

static char *const audiences[] = { TEXT("weir"), TEXT("other") };
static char *const algorithms[] = { TEXT("ES256"), TEXT("RS256") };

static const struct auth_jwt_settings rules = {
	.jwks_url = TEXT("https://issuer.example/keys"),
	.issuer = TEXT("https://issuer.example"),
	.audiences = { (char **)(uintptr_t)audiences, 1 },
	.algorithms = { (char **)(uintptr_t)algorithms, 1 },
	.principal_claim = TEXT("sub"),
	.tenant_claim = TEXT("tenant"),
	.skew_s = 60,
};

static struct auth *
load(const struct auth_jwt_settings *jwt, struct jwks *j)
{
	struct auth_settings s = {
		.cluster = { "aws", "eu-west-1", "123456789012", "c", "u" },
		.jwt = *jwt,
	};
	struct error_list errs = { 0 };
	struct auth *a = auth_load(&s, j, &errs);

	assert_non_null(a);
	return a;
}

static int
setup(void **state)
{
	char *jwk, *text = mem_alloc(MAKER_TEXT);
	struct error err;
	struct jwks *j;

	(void)state;
	world.key = maker_ec("P-256");
	jwk = maker_jwk(world.key, "key", "");
	snprintf(text, MAKER_TEXT, "{\"keys\":[%s]}", jwk);
	j = jwks_parse(slice_of(text), &err);
	assert_non_null(j);
	world.auth = load(&rules, j);
	world.keys = jwks_ref(j);
	world.token = token_of(NULL, NULL);
	jwks_unref(j);
	free(text);
	free(jwk);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(world.key);
	auth_unref(world.auth);
	jwks_unref(world.keys);
	free(world.token);
	return 0;
}

/* ---- one login ---- */

struct talk {
	struct auth_login	*login;
	struct arena		 arena;
	struct auth_step	 step;
};

static const struct auth_peer peer = { .source_ip = "192.0.2.1", .tls = true };

static void
talk_begin(struct talk *t)
{
	t->login = auth_login_new(world.auth, AUTH_OAUTHBEARER, &peer, NULL);
	arena_init(&t->arena, 1024 * 1024);
}

static void
talk_end(struct talk *t)
{
	auth_login_free(t->login);
	arena_fini(&t->arena);
}

/* Exactly as long, so that a read behind the end is noticed. */
static enum auth_result
talk_say(struct talk *t, struct slice in)
{
	uint8_t *copy = mem_alloc(in.len + (in.len == 0));
	enum auth_result r;

	if (in.len > 0)
		memcpy(copy, in.data, in.len);
	r = auth_login_step(t->login, (struct slice){ copy, in.len }, &t->arena,
	    &t->step);
	free(copy);
	return r;
}

/* A text in which ^ stands for \x01, TOKEN for the token. */
static char *
message(const char *text, const char *token)
{
	char *to = mem_alloc(MAKER_TEXT * 2);
	size_t n = 0;

	while (*text != '\0') {
		if (strncmp(text, "TOKEN", 5) == 0) {
			n += (size_t)snprintf(to + n, MAKER_TEXT * 2 - n, "%s",
			    token);
			text += 5;
		} else {
			to[n++] = *text == '^' ? '\x01' : *text;
			text++;
		}
	}
	to[n] = '\0';
	return to;
}

static enum auth_result
say_first(struct talk *t, const char *text, const char *token)
{
	char *m = message(text, token);
	enum auth_result r = talk_say(t, slice_of(m));

	free(m);
	return r;
}

static const struct {
	const char	*rule, *text;
} accepted[] = {
	{ "as Kafka's client says it", "n,,^auth=Bearer TOKEN^^" },
	{ "bearer in another case", "n,,^auth=bEARER TOKEN^^" },
	{ "several blanks", "n,,^auth=Bearer    TOKEN^^" },
	{ "authzid of the token", "n,a=alice,^auth=Bearer TOKEN^^" },
	{ "empty authzid", "n,a=,^auth=Bearer TOKEN^^" },
	{ "an extension that nobody knows",
	  "n,,^auth=Bearer TOKEN^traceId=1^^" },
	{ "extensions before the token", "n,,^a=b^auth=Bearer TOKEN^^" },
	{ "the tenant of the token",
	  "n,,^auth=Bearer TOKEN^logicalCluster=blue^^" },
	{ "identityPoolId is ignored",
	  "n,,^auth=Bearer TOKEN^logicalCluster=blue^identityPoolId=pool-1^^" },
	{ "blanks in a value", "n,,^auth=Bearer TOKEN^note=a b\tc\r\n^^" },
	{ "an equals sign in a value", "n,,^auth=Bearer TOKEN^note==a=^^" },
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct talk t;

		talk_begin(&t);
		if (say_first(&t, accepted[i].text, world.token) != AUTH_DONE)
			fail_msg("%s: %s", accepted[i].rule, t.step.error.text);
		assert_non_null(t.step.out.data);
		assert_int_equal(t.step.out.len, 0);
		assert_string_equal(t.step.principal->name, "alice");
		assert_string_equal(t.step.principal->tenant, "blue");
		assert_int_equal(t.step.expires_ms,
		    t.step.principal->expires_ms);
		principal_unref(t.step.principal);
		talk_end(&t);
	}
}

/* What is no such message fails at once. */
static const char *const malformed[] = {
	"", "n", "n,", "n,,", "n,,^", "n,,^^", "^", "^^",
	"n,,^auth=Bearer TOKEN", "n,,^auth=Bearer TOKEN^",
	"n,,auth=Bearer TOKEN^^",
	"y,,^auth=Bearer TOKEN^^", "p=tls-unique,,^auth=Bearer TOKEN^^",
	"N,,^auth=Bearer TOKEN^^", ",,^auth=Bearer TOKEN^^",
	"n,alice,^auth=Bearer TOKEN^^", "n,b=alice,^auth=Bearer TOKEN^^",
	"n,A=alice,^auth=Bearer TOKEN^^", "nn,,^auth=Bearer TOKEN^^",
	"n,,x^auth=Bearer TOKEN^^", "n,,^^auth=Bearer TOKEN^^",
	"n,,^auth=Bearer TOKEN^^^", "n,,^auth=Bearer TOKEN^^x",
	"n,,^auth=Bearer TOKEN^^auth=Bearer TOKEN^^",
	"n,,^auth=Bearer TOKEN^auth=Bearer TOKEN^^",
	"n,,^auth=Bearer TOKEN^a=1^a=2^^", "n,,^a=b^^",
	"n,,^Auth=Bearer TOKEN^^", "n,,^auth=Basic TOKEN^^", "n,,^auth=TOKEN^^",
	"n,,^auth=Bearer^^", "n,,^auth=Bearer ^^", "n,,^auth=BearerTOKEN^^",
	"n,,^auth=Bearer\tTOKEN^^", "n,,^auth=Bearer TOKEN ^^",
	"n,,^auth=Bearer TOKEN\n^^", "n,,^auth=Bearer TOK;EN^^",
	"n,,^auth=Bearer =TOKEN^^", "n,,^auth=Bearer TOKEN=x^^",
	"n,,^auth=Bearer \xc3\xa9^^", "n,,^auth=Bearer TOKEN^=b^^",
	"n,,^auth=Bearer TOKEN^a1=b^^", "n,,^auth=Bearer TOKEN^a-b=c^^",
	"n,,^auth=Bearer TOKEN^a=^^", "n,,^auth=Bearer TOKEN^a^^",
	"n,,^auth=Bearer TOKEN^a=\x7f^^", "n,,^auth=Bearer TOKEN^a=\x02^^",
	"n,,^auth=Bearer TOKEN^a=\xff^^", "n,,^ auth=Bearer TOKEN^^",
	"{\"token\":\"TOKEN\"}", "TOKEN", "Bearer TOKEN",
};

static void
test_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct talk t;

		talk_begin(&t);
		if (say_first(&t, malformed[i], world.token) != AUTH_FAILED)
			fail_msg("%s", malformed[i]);
		assert_int_equal(t.step.failure, AUTH_FAILURE_MALFORMED);
		assert_int_equal(t.step.out.len, 0);
		assert_null(t.step.principal);
		talk_end(&t);
	}
}

static void
test_nul(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t);
	assert_int_equal(talk_say(&t, SLICE_LIT("n,,\1auth=Bearer a\0b\1\1")),
	    AUTH_FAILED);
	talk_end(&t);
	talk_begin(&t);
	assert_int_equal(talk_say(&t, SLICE_NULL), AUTH_FAILED);
	talk_end(&t);
}

/* In two steps: everybody is told the same; then \x01; then it has failed. */
static const struct refusal {
	const char		*rule, *text, *header, *claims;
	enum auth_failure	 failure;
} refused[] = {
	{ "expired", "n,,^auth=Bearer TOKEN^^", NULL, "iat=1|exp=2",
	  AUTH_FAILURE_EXPIRED },
	{ "another audience", "n,,^auth=Bearer TOKEN^^", NULL, "aud='x'",
	  AUTH_FAILURE_AUDIENCE },
	{ "another algorithm", "n,,^auth=Bearer TOKEN^^", "alg='none'", NULL,
	  AUTH_FAILURE_ALGORITHM },
	{ "unknown kid", "n,,^auth=Bearer TOKEN^^", "kid='new'", NULL,
	  AUTH_FAILURE_KEY_ID },
	{ "no JWT", "n,,^auth=Bearer abc~+/==^^", NULL, NULL,
	  AUTH_FAILURE_MALFORMED },
	{ "padding", "n,,^auth=Bearer TOKEN=^^", NULL, NULL,
	  AUTH_FAILURE_MALFORMED },
	{ "another authzid (CVE-2017-12610)", "n,a=root,^auth=Bearer TOKEN^^",
	  NULL, NULL, AUTH_FAILURE_CLAIM },
	{ "authzid in another case", "n,a=Alice,^auth=Bearer TOKEN^^", NULL,
	  NULL, AUTH_FAILURE_CLAIM },
	{ "authzid that begins alike", "n,a=alicex,^auth=Bearer TOKEN^^", NULL,
	  NULL, AUTH_FAILURE_CLAIM },
	{ "authzid is a wildcard", "n,a=*,^auth=Bearer TOKEN^^", NULL, NULL,
	  AUTH_FAILURE_CLAIM },
	{ "authzid is no saslname", "n,a=al=ice,^auth=Bearer TOKEN^^", NULL,
	  NULL, AUTH_FAILURE_CLAIM },
	{ "authzid is cut in an escape", "n,a=alice=2,^auth=Bearer TOKEN^^",
	  NULL, NULL, AUTH_FAILURE_CLAIM },
	{ "authzid escaped as names are", "n,a=%2A,^auth=Bearer TOKEN^^", NULL,
	  "sub='*'", AUTH_FAILURE_CLAIM },
	{ "another tenant", "n,,^auth=Bearer TOKEN^logicalCluster=red^^", NULL,
	  NULL, AUTH_FAILURE_CLAIM },
	{ "tenant in another case",
	  "n,,^auth=Bearer TOKEN^logicalCluster=Blue^^", NULL, NULL,
	  AUTH_FAILURE_CLAIM },
};

static void
expect_refused(const struct refusal *r, const char *token, struct slice then)
{
	struct talk t;

	talk_begin(&t);
	if (say_first(&t, r->text, token) != AUTH_MORE)
		fail_msg("%s", r->rule);
	assert_true(slice_is(t.step.out, "{\"status\":\"invalid_token\"}"));
	assert_int_equal(t.step.failure, r->failure);
	assert_int_equal(t.step.unknown_kid,
	    r->failure == AUTH_FAILURE_KEY_ID);
	assert_null(t.step.principal);
	assert_int_equal(talk_say(&t, then), AUTH_FAILED);
	assert_int_equal(t.step.failure, r->failure);
	assert_true(t.step.error.text[0] != '\0');
	assert_int_equal(t.step.out.len, 0);
	assert_null(t.step.principal);
	/* A second try needs a second login. */
	assert_int_equal(say_first(&t, accepted[0].text, world.token),
	    AUTH_FAILED);
	talk_end(&t);
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char *token = token_of(refused[i].header, refused[i].claims);
		char *good = message(accepted[0].text, world.token);

		expect_refused(&refused[i], token, SLICE_LIT("\1"));
		expect_refused(&refused[i], token, SLICE_LIT(""));
		/* Not even a good one is looked at now. */
		expect_refused(&refused[i], token, slice_of(good));
		free(token);
		free(good);
	}
}

static void
test_authzid_is_decoded(void **state)
{
	char *token = token_of(NULL, "sub='a,b=c*'");
	struct talk t;

	(void)state;
	talk_begin(&t);
	assert_int_equal(say_first(&t, "n,a=a=2Cb=3Dc*,^auth=Bearer TOKEN^^",
	    token), AUTH_DONE);
	assert_string_equal(t.step.principal->name, "a,b=c%2A");
	principal_unref(t.step.principal);
	talk_end(&t);
	free(token);
}

static void
test_bounds(void **state)
{
	char *text = mem_alloc(AUTH_MESSAGE_MAX + 2);
	const struct refusal long_token = { "long",
	    "n,,^auth=Bearer TOKEN^^", NULL, NULL, AUTH_FAILURE_MALFORMED };
	size_t n;
	struct talk t;

	(void)state;
	memset(text, 'a', AUTH_MESSAGE_MAX + 1);
	text[16 * 1024 + 1] = '\0';
	expect_refused(&long_token, text, SLICE_LIT("\1"));
	/* 32 extensions and no more. */
	for (int max = 32; max <= 33; max++) {
		n = (size_t)snprintf(text, AUTH_MESSAGE_MAX,
		    "n,,^auth=Bearer TOKEN");
		for (int i = 0; i < max; i++)
			n += (size_t)snprintf(text + n, AUTH_MESSAGE_MAX - n,
			    "^%c%c=1", 'a' + i / 26, 'a' + i % 26);
		snprintf(text + n, AUTH_MESSAGE_MAX - n, "^^");
		talk_begin(&t);
		assert_int_equal(say_first(&t, text, world.token),
		    max == 32 ? AUTH_DONE : AUTH_FAILED);
		principal_unref(t.step.principal);
		talk_end(&t);
	}
	free(text);
}

/* Every message that is cut anywhere is none. */
static void
test_cut(void **state)
{
	char *m = message("n,a=alice,^auth=Bearer TOKEN^logicalCluster=blue^^",
	    world.token);
	size_t len = strlen(m);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		struct talk t;

		talk_begin(&t);
		assert_int_equal(talk_say(&t, (struct slice){ (uint8_t *)m,
		    (uint32_t)i }), AUTH_FAILED);
		talk_end(&t);
	}
	free(m);
}

/* Nothing starts that would take a token unverified (CVE-2026-110985). */
static void
test_start_is_refused(void **state)
{
	static char *es[] = { TEXT("ES256"), TEXT("weir"), TEXT("none") };
	static const struct auth_jwt_settings bad[] = {
		{ .issuer = TEXT("i"), .audiences = { es + 1, 1 },
		  .algorithms = { es, 1 } },
		{ .jwks_url = TEXT("https://x"), .audiences = { es + 1, 1 },
		  .algorithms = { es, 1 } },
		{ .jwks_url = TEXT("https://x"), .issuer = TEXT("i"),
		  .algorithms = { es, 1 } },
		{ .jwks_url = TEXT("https://x"), .issuer = TEXT("i"),
		  .audiences = { es + 1, 1 }, .algorithms = { es + 2, 1 } },
		{ .jwks_file = TEXT("/nonexistent"), .issuer = TEXT("i"),
		  .audiences = { es + 1, 1 }, .algorithms = { es, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct auth_settings s = {
			.cluster = { "aws", "r", "1", "c", "u" },
			.jwt = bad[i] };
		struct error_list errs = { 0 };

		assert_null(auth_load(&s, NULL, &errs));
		assert_int_equal(errs.n, 1);
		error_list_free(&errs);
	}
}

/* A login that ends early cleanses and frees what it kept. */
static void
test_abandoned(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t);
	talk_end(&t);
	talk_begin(&t);
	assert_int_equal(say_first(&t, "n,,^auth=Bearer abc^^", ""), AUTH_MORE);
	talk_end(&t);
}

static bool
still_valid(struct principal *p, const struct auth_jwt_settings *s)
{
	struct auth *a = load(s, world.keys);
	bool valid = auth_still_valid(a, p, clock_wall_ms());

	auth_unref(a);
	return valid;
}

/* A live session ends when its token would not be taken any more. */
static void
test_still_taken(void **state)
{
	struct auth_jwt_settings s = rules;
	struct principal *p, *again;
	struct talk t;

	(void)state;
	talk_begin(&t);
	assert_int_equal(say_first(&t, accepted[0].text, world.token),
	    AUTH_DONE);
	/* As a reload leaves it. */
	p = t.step.principal;
	again = auth_principal_again(world.auth, p);
	principal_unref(p);
	p = again;
	assert_true(still_valid(p, &s));
	s.audiences.n = s.algorithms.n = 2;
	s.skew_s = 1;
	assert_true(still_valid(p, &s));
	s.audiences = (struct auth_names){ rules.audiences.v + 1, 1 };
	assert_false(still_valid(p, &s));
	s.audiences = rules.audiences;
	s.algorithms = (struct auth_names){ rules.algorithms.v + 1, 1 };
	assert_false(still_valid(p, &s));
	s = rules;
	s.issuer = TEXT("https://other.example");
	assert_false(still_valid(p, &s));
	s = rules;
	s.principal_claim = TEXT("azp");
	assert_false(still_valid(p, &s));
	s = rules;
	s.groups_claim = TEXT("groups");
	assert_false(still_valid(p, &s));
	s = rules;
	s.tenant_claim = NULL;
	assert_false(still_valid(p, &s));
	s = rules;
	s.type = TEXT("at+jwt");
	assert_false(still_valid(p, &s));
	principal_unref(p);
	talk_end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_authzid_is_decoded),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_start_is_refused),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_still_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
