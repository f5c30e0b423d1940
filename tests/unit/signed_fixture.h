/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of signed logins need: a login without a snapshot behind it,
 * one key that is known, a clock that stands, and logins signed as wished.
 * Included by one .c each; it stands in for auth.c and auth_login.c.
 */
#ifndef WEIR_TESTS_SIGNED_FIXTURE_H
#define WEIR_TESTS_SIGNED_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/signed_login.h"
#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "tests/unit/signed_stand_ins.h"
#include "tests/unit/sigv4_vectors.h"

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

/* ---- stand-ins ---- */

static struct {
	struct auth_login	 login;
	int64_t			 now_ms;
	const char		*secret;	/* of VECTOR_KEY now */
	int64_t			 expires_ms;	/* of the credentials */
	int			 lookups;
	struct arena		 arena;
} f;

void
auth_find_secret(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	bool known = slice_is(key_id, VECTOR_KEY);
	bool token_ok = token.data == NULL || slice_is(token, VECTOR_TOKEN);
	const char *secret = known && token_ok ? f.secret :
	    "this secret has nobody, whatever he does";

	assert_null(a);
	assert_int_equal(now_ms, f.now_ms);
	f.lookups++;
	to->len = (uint32_t)strlen(secret);
	memcpy(to->secret, secret, to->len);
	if (known && token_ok) {
		to->principal = principal_new(PRINCIPAL_USER, "aws",
		    "123456789012", SLICE_LIT("alice"), SLICE_NULL);
		to->principal->expires_ms = f.expires_ms;
		return;
	}
	to->failure = known ? AUTH_FAILURE_SESSION_TOKEN :
	    AUTH_FAILURE_UNKNOWN_KEY;
	error_set(&to->error, "%s", known ? "no such token" : "no such key");
}

/* ---- the fixture ---- */

static int64_t
fixture_clock(void)
{
	return f.now_ms * 1000;
}

static void
fixture_at(const char *time)
{
	assert_true(sigv4_time_read(slice_of(time), &f.now_ms));
}

static int
fixture_setup(void **state)
{
	static char host[] = VECTOR_HOST, other[] = "weir.example.com";
	static char each[] = "b{id}.weir.example.com";
	static char region[] = VECTOR_REGION;
	static char *hosts[] = { other, host, each }, *regions[] = { region };

	(void)state;
	memset(&f, 0, sizeof(f));
	settings.hosts = (struct auth_names){ hosts, 3 };
	settings.regions = (struct auth_names){ regions, 1 };
	settings.skew_s = 300;
	settings.expires_max_s = 900;
	f.secret = VECTOR_SECRET;
	f.login.cache = auth_cache_new();
	arena_init(&f.arena, 0);
	fixture_at("20260102T030405Z");
	clock_replace(fixture_clock);
	return 0;
}

static int
fixture_teardown(void **state)
{
	(void)state;
	clock_replace(NULL);
	auth_cache_free(f.login.cache);
	arena_fini(&f.arena);
	return 0;
}

/* ---- logins as wished ---- */

struct change {
	const char	*name, *value;	/* value NULL: left out */
};

static void
set_param(struct sigv4_params *p, const char *name, const char *value)
{
	uint32_t i = 0;

	while (i < p->n && !slice_is(p->v[i].name, name))
		i++;
	if (value == NULL) {
		assert_true(i < p->n);
		p->v[i] = p->v[--p->n];
		return;
	}
	if (i == p->n)
		p->n++;
	p->v[i] = (struct sigv4_param){ slice_of(name), slice_of(value) };
}

/* A login that is right but for the changes, which are signed too. "host",
 * "X-Amz-Signature" and "User-Agent" are changed as well. */
static void
make_login(struct signed_login *in, const char *host,
    const struct change *changes, size_t n)
{
	static char hex[SIGV4_HEX + 1];
	static const struct change right[] = {
		{ "X-Amz-Credential", VECTOR_KEY "/20260102/" VECTOR_REGION
		  "/kafka-cluster/aws4_request" },
		{ "X-Amz-Date", "20260102T030405Z" },
		{ "X-Amz-Expires", "900" }, { "X-Amz-SignedHeaders", "host" },
		{ "X-Amz-Algorithm", "AWS4-HMAC-SHA256" },
		{ "Action", "kafka-cluster:Connect" },
	};
	struct sigv4_request r = { SLICE_LIT(VECTOR_KEY),
	    SLICE_LIT("20260102T030405Z"), SLICE_LIT(VECTOR_REGION),
	    SLICE_NULL };
	struct slice time;

	*in = (struct signed_login){ .host = slice_of(host) };
	for (size_t i = 0; i < COUNT(right); i++)
		set_param(&in->params, right[i].name, right[i].value);
	for (size_t i = 0; i < n; i++)
		if (strcmp(changes[i].name, "host") == 0)
			in->host = slice_of(changes[i].value);
		else if (strcmp(changes[i].name, "X-Amz-Signature") != 0 &&
		    strcmp(changes[i].name, "User-Agent") != 0)
			set_param(&in->params, changes[i].name,
			    changes[i].value);
	time = sigv4_params_get(&in->params, "X-Amz-Date");
	if (time.len == SIGV4_TIME)
		r.time = time;
	r.canonical = sigv4_canonical(in->host,
	    sigv4_query(&in->params, &f.arena), &f.arena);
	sigv4_sign(f.login.cache, &r, slice_of(f.secret), hex);
	in->signature = slice_of(hex);
	for (size_t i = 0; i < n; i++)
		if (strcmp(changes[i].name, "X-Amz-Signature") == 0)
			in->signature = slice_of(changes[i].value);
		else if (strcmp(changes[i].name, "User-Agent") == 0)
			in->user_agent = slice_of(changes[i].value);
}

/* Whatever can be wrong in what is signed, and what it is called. Both forms
 * of login are put to it. */
static const struct wrong {
	struct change		 changes[2];
	enum auth_failure	 failure;
	const char		*says;
} wrongs[] = {
	{ { { "X-Amz-Algorithm", "AWS4-HMAC-SHA1" } },
	  AUTH_FAILURE_ALGORITHM, "AWS4-HMAC-SHA256" },
	{ { { "X-Amz-Algorithm", "aws4-hmac-sha256" } },
	  AUTH_FAILURE_ALGORITHM, "X-Amz-Algorithm" },
	{ { { "X-Amz-Algorithm", NULL } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-Algorithm" },
	{ { { "Action", "kafka-cluster:DescribeCluster" } },
	  AUTH_FAILURE_SCOPE, "kafka-cluster:Connect" },
	{ { { "Action", "kafka-cluster:connect" } },
	  AUTH_FAILURE_SCOPE, "Action" },
	{ { { "Action", NULL } }, AUTH_FAILURE_MALFORMED, "Action" },
	{ { { "X-Amz-SignedHeaders", "host;x-amz-date" } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-SignedHeaders" },
	{ { { "X-Amz-SignedHeaders", "" } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-SignedHeaders" },
	{ { { "X-Amz-SignedHeaders", NULL } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-SignedHeaders" },
	{ { { "X-Amz-Credential", NULL } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-Credential" },
	/* Credentials that are no scope. */
	{ { { "X-Amz-Credential", "" } }, AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential", "AKIDEXAMPLE" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102/us-east-1/kafka-cluster" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential",
	      "AKID/EXAMPLE/20260102/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential",
	      "/20260102/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential",
	      "AKID EXAMPLE/20260102/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	{ { { "X-Amz-Credential", "AKIDEXAMPLE/20260102/us-east-1/"
	      "kafka-cluster/aws4_request/" } },
	  AUTH_FAILURE_MALFORMED, "KEY/DAY" },
	/* Scopes of something else. */
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102/us-west-2/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "us-west-2" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102//kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "region" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102/US-EAST-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "region" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260103/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "20260103" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/2026010/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "day" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102/us-east-1/kafka/aws4_request" } },
	  AUTH_FAILURE_SCOPE, "service" },
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLE/20260102/us-east-1/kafka-cluster/aws5_request" } },
	  AUTH_FAILURE_SCOPE, "aws4_request" },
	/* Dates and how long it lasts. */
	{ { { "X-Amz-Date", NULL } }, AUTH_FAILURE_MALFORMED, "X-Amz-Date" },
	{ { { "X-Amz-Date", "20260102" } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-Date" },
	{ { { "X-Amz-Date", "2026-01-02T03:04:05Z" } },
	  AUTH_FAILURE_SCOPE, "X-Amz-Date" },
	{ { { "X-Amz-Date", "20260102T030460Z" } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-Date" },
	{ { { "X-Amz-Date", "20260102T030906Z" } },
	  AUTH_FAILURE_NOT_YET, "301 s in the future" },
	{ { { "X-Amz-Date", "20260102T024904Z" } },
	  AUTH_FAILURE_EXPIRED, "1 s ago" },
	{ { { "X-Amz-Expires", NULL } },
	  AUTH_FAILURE_MALFORMED, "X-Amz-Expires" },
	{ { { "X-Amz-Expires", "" } },
	  AUTH_FAILURE_MALFORMED, "number of seconds" },
	{ { { "X-Amz-Expires", "1e2" } },
	  AUTH_FAILURE_MALFORMED, "number of seconds" },
	{ { { "X-Amz-Expires", "+900" } },
	  AUTH_FAILURE_MALFORMED, "number of seconds" },
	{ { { "X-Amz-Expires", "0" } }, AUTH_FAILURE_EXPIRED, "had ended" },
	{ { { "X-Amz-Expires", "0.0001" } },
	  AUTH_FAILURE_EXPIRED, "had ended" },
	{ { { "X-Amz-Expires", "-5" } }, AUTH_FAILURE_EXPIRED, "had ended" },
	{ { { "X-Amz-Expires", "-5.25" } },
	  AUTH_FAILURE_EXPIRED, "had ended" },
	{ { { "X-Amz-Expires", "901" } }, AUTH_FAILURE_CLAIM, "900 seconds" },
	{ { { "X-Amz-Expires", "900.001" } },
	  AUTH_FAILURE_CLAIM, "900 seconds" },
	{ { { "X-Amz-Expires", "604800" } },
	  AUTH_FAILURE_CLAIM, "900 seconds" },
	{ { { "X-Amz-Expires", "9999999999999999999999" } },
	  AUTH_FAILURE_MALFORMED, "number of seconds" },
	{ { { "X-Amz-Date", "20260102T030104Z" }, { "X-Amz-Expires", "180" } },
	  AUTH_FAILURE_EXPIRED, "1 s ago" },
	/* Hosts of somebody else. */
	{ { { "host", "" } }, AUTH_FAILURE_HOST, "host" },
	{ { { "host", "elsewhere.example.com" } },
	  AUTH_FAILURE_HOST, "elsewhere.example.com" },
	{ { { "host", VECTOR_HOST "." } }, AUTH_FAILURE_HOST, "host" },
	{ { { "host", VECTOR_HOST ":9098" } }, AUTH_FAILURE_HOST, "host" },
	{ { { "host", "kafka.us-west-2.amazonaws.com" } },
	  AUTH_FAILURE_HOST, "host" },
	{ { { "host", "eweir.example.com" } }, AUTH_FAILURE_HOST, "host" },
	{ { { "host", "weir.example.co" } }, AUTH_FAILURE_HOST, "host" },
	{ { { "host", "b{id}.weir.example.com" } }, AUTH_FAILURE_HOST, "" },
	{ { { "host", "b.weir.example.com" } }, AUTH_FAILURE_HOST, "" },
	{ { { "host", "b1" } }, AUTH_FAILURE_HOST, "" },
	{ { { "host", "b1x.weir.example.com" } }, AUTH_FAILURE_HOST, "" },
	{ { { "host", "c1.weir.example.com" } }, AUTH_FAILURE_HOST, "" },
	{ { { "host", "b12345678901.weir.example.com" } },
	  AUTH_FAILURE_HOST, "" },
	/* Who and with what. */
	{ { { "X-Amz-Credential",
	      "AKIDEXAMPLF/20260102/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_UNKNOWN_KEY, "no such key" },
	{ { { "X-Amz-Credential",
	      "akidexample/20260102/us-east-1/kafka-cluster/aws4_request" } },
	  AUTH_FAILURE_UNKNOWN_KEY, "no such key" },
	{ { { "X-Amz-Security-Token", "of somebody else" } },
	  AUTH_FAILURE_SESSION_TOKEN, "no such token" },
	{ { { "X-Amz-Signature", "00000000000000000000000000000000"
	      "00000000000000000000000000000000" } },
	  AUTH_FAILURE_SIGNATURE, "signature" },
	{ { { "X-Amz-Signature", "" } },
	  AUTH_FAILURE_MALFORMED, "64 lower-case" },
	{ { { "X-Amz-Signature", "0000000000000000000000000000000"
	      "00000000000000000000000000000000" } },
	  AUTH_FAILURE_MALFORMED, "64 lower-case" },
	{ { { "X-Amz-Signature", "A0000000000000000000000000000000"
	      "00000000000000000000000000000000" } },
	  AUTH_FAILURE_MALFORMED, "64 lower-case" },
};

/* What is odd, and right. */
static const struct change rights[] = {
	{ "X-Amz-Date", "20260102T030905Z" },	/* 300 s ahead */
	{ "X-Amz-Date", "20260102T024905Z" },	/* its last moment */
	{ "X-Amz-Expires", "123.439" },
	{ "X-Amz-Expires", "900.0" },
	{ "X-Amz-Expires", "1" },
	{ "X-Amz-Expires", "0.5" },
	{ "host", "weir.example.com" },
	{ "host", "WEIR.Example.com" },
	{ "host", "b0.weir.example.com" },
	{ "host", "B2147483647.weir.example.com" },
	{ "X-Amz-Security-Token", VECTOR_TOKEN },
};

static void
check_failed(enum auth_result result, const struct auth_step *to,
    enum auth_failure failure, const char *says)
{
	assert_int_equal(result, AUTH_FAILED);
	if (to->failure != failure || strstr(to->error.text, says) == NULL)
		fail_msg("failure %d, not %d: %s (wanted: %s)", to->failure,
		    failure, to->error.text, says);
	/* What a client gets does not tell one from another. */
	assert_int_equal(to->out.len, 0);
	assert_null(to->principal);
	assert_int_equal(to->expires_ms, 0);
}

static void
check_in(enum auth_result result, struct auth_step *to)
{
	if (result != AUTH_DONE)
		fail_msg("failure %d: %s", to->failure, to->error.text);
	assert_string_equal(to->claimed, VECTOR_KEY);
	assert_string_equal(to->principal->name, "alice");
	assert_int_equal(to->expires_ms, f.expires_ms);
	principal_unref(to->principal);
}

#endif
