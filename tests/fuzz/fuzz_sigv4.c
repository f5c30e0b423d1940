/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says in a signed login: read or refused, whatever it is, and
 * let in only when the known key has signed it.
 * Input: a byte that says what follows: 'm' an AWS_MSK_IAM message, 't' a
 * token, 'u' a token's URL, 'e' text to be encoded and decoded, 'v' a value.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/presigned.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "tests/unit/signed_stand_ins.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- stand-ins for the snapshot and the login ---- */

void
auth_find_secret(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	static const char secret[] =
	    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

	(void)a;
	(void)token;
	(void)now_ms;
	assert(key_id.len > 0 && key_id.len <= AUTH_KEY_ID_MAX);
	to->len = sizeof(secret) - 1;
	memcpy(to->secret, secret, to->len);
	if (slice_is(key_id, "AKIDEXAMPLE"))
		to->principal = principal_new(PRINCIPAL_USER, "aws", "1",
		    SLICE_LIT("alice"), SLICE_NULL);
	else
		to->failure = AUTH_FAILURE_UNKNOWN_KEY;
	error_set(&to->error, "unknown");
}

static int64_t
frozen(void)
{
	return INT64_C(1767323045) * 1000 * 1000;
}

static struct auth_login *
login(void)
{
	static char region[] = "us-east-1", host[] =
	    "b-1.demo.abcdef.c2.kafka.us-east-1.amazonaws.com";
	static char *regions[] = { region }, *hosts[] = { host };
	static struct auth_login l;

	if (l.cache != NULL)
		return &l;
	clock_replace(frozen);
	settings.regions = (struct auth_names){ regions, 1 };
	settings.hosts = (struct auth_names){ hosts, 1 };
	settings.skew_s = 300;
	settings.expires_max_s = 900;
	l.cache = auth_cache_new();
	return &l;
}

/* ---- what is asked ---- */

static struct slice
token_of(struct slice url, struct arena *a)
{
	char *to = arena_get(a, BASE64URL_TEXT(url.len) + 1);

	return (struct slice){ (uint8_t *)to,
	    (uint32_t)base64url_encode(url.data, url.len, to) };
}

static void
check_verdict(enum auth_result r, struct auth_step *to)
{
	assert(r == AUTH_DONE || r == AUTH_FAILED);
	assert((r == AUTH_DONE) == (to->principal != NULL));
	if (r == AUTH_FAILED) {
		assert(to->failure != AUTH_FAILURE_NONE);
		assert(to->error.text[0] != '\0' && to->out.len == 0);
		return;
	}
	assert(strcmp(to->claimed, "AKIDEXAMPLE") == 0);
	for (const char *c = to->user_agent; *c != '\0'; c++)
		assert(*c >= ' ' && *c <= '~');
	principal_unref(to->principal);
}

static void
check_encoding(struct slice in, struct arena *a)
{
	struct slice plain, again;
	uint8_t *bytes = arena_get(a, BASE64URL_BYTES(in.len));
	size_t n;

	assert(sigv4_uri_decode(sigv4_uri_encode(in, a), a, &again));
	assert(slice_eq(again, in) || in.len == 0);
	if (sigv4_uri_decode(in, a, &plain)) {
		assert(plain.len <= in.len);
		assert(sigv4_uri_decode(sigv4_uri_encode(plain, a), a,
		    &again));
		assert(slice_eq(again, plain));
	}
	if (base64url_decode(in, bytes, BASE64URL_BYTES(in.len), &n))
		assert(in.len == 0 || slice_eq(token_of((struct slice){ bytes,
		    (uint32_t)n }, a), in));
}

static void
check_value(struct slice in)
{
	struct sigv4_scope scope;
	char text[SIGV4_TIME + 1];
	int64_t ms;

	if (sigv4_scope_read(in, &scope))
		assert(scope.key_id.len + scope.day.len + scope.region.len +
		    scope.service.len + scope.terminator.len + 4 == in.len);
	if (sigv4_time_read(in, &ms)) {
		sigv4_time_write(ms, text);
		assert(slice_is(in, text));
	}
	if (sigv4_expires_read(in, &ms))
		assert(ms > INT64_C(-1000000000000) &&
		    ms < INT64_C(1000000000000));
	sigv4_is_signature(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct slice in;
	struct auth_step to;

	if (size < 1 || size > AUTH_MESSAGE_MAX)
		return 0;
	arena_init(&a, 0);
	/* Exactly as long, so that a read behind the end is noticed. */
	in = (struct slice){ mem_alloc(size), (uint32_t)size - 1 };
	memcpy((void *)(uintptr_t)in.data, data + 1, size - 1);
	memset(&to, 0, sizeof(to));
	if (data[0] == 'm')
		check_verdict(auth_msk_iam.step(login(), NULL, in, &a, &to),
		    &to);
	else if (data[0] == 't')
		check_verdict(presigned_verify(login(), in, &a, &to), &to);
	else if (data[0] == 'u')
		check_verdict(presigned_verify(login(), token_of(in, &a), &a,
		    &to), &to);
	else if (data[0] == 'e')
		check_encoding(in, &a);
	else if (data[0] == 'v')
		check_value(in);
	free((void *)(uintptr_t)in.data);
	arena_fini(&a);
	return 0;
}
