/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens, keys and logins of OAUTHBEARER: taken or refused, whatever they are.
 * Input, by its first byte modulo 4: 0: a JWKS; 1: a token; 2: a header, a NUL
 * and claims, which are signed here so that the claims are looked at; 3: the
 * client's first message and, behind a NUL, the second.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwt.h"
#include "tests/unit/jwt_maker.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1800000000 };

#define TEXT(s) ((char *)(uintptr_t)(s))

static char *algorithms[] = { TEXT("ES256"), TEXT("RS256"), TEXT("PS256") };
static char *audiences[] = { TEXT("weir") };
static const struct auth_settings settings = {
	.cluster = { "aws", "eu-west-1", "123456789012", "c", "u" },
	.jwt = {
		.jwks_url = TEXT("https://issuer.example/keys"),
		.issuer = TEXT("https://issuer.example"),
		.audiences = { audiences, 1 },
		.algorithms = { algorithms, 3 },
		.groups_claim = TEXT("realm.groups"),
		.tenant_claim = TEXT("tenant"),
		.skew_s = 60,
	},
};
static const struct auth_peer peer = { .source_ip = "192.0.2.1" };

static struct {
	EVP_PKEY	*key;
	struct jwks	*jwks;
	struct auth	*auth;
} world;

static void
set_up(void)
{
	struct error_list errs = { 0 };
	struct error err;
	char *jwk, text[2048];

	world.key = maker_ec("P-256");
	jwk = maker_jwk(world.key, "key", "");
	snprintf(text, sizeof(text), "{\"keys\":[%s]}", jwk);
	world.jwks = jwks_parse(slice_of(text), &err);
	assert(world.jwks != NULL);
	world.auth = auth_load(&settings, world.jwks, &errs);
	assert(world.auth != NULL);
	free(jwk);
}

/* Exactly as long, so that a read behind the end is noticed. */
static struct slice
copy_of(const uint8_t *data, size_t len)
{
	uint8_t *to = mem_alloc(len + (len == 0));

	if (len > 0)
		memcpy(to, data, len);
	return (struct slice){ to, (uint32_t)len };
}

static void
drop(struct slice s)
{
	free((void *)(uintptr_t)s.data);
}

static void
try_jwks(struct slice text)
{
	struct error err = { "" };
	struct jwks *j = jwks_parse(text, &err);

	assert(j != NULL || err.text[0] != '\0');
	if (j != NULL)
		assert(jwks_count(j) > 0 && jwks_count(j) <= JWKS_KEYS_MAX);
	jwks_unref(j);
}

static void
check_step(enum auth_result r, struct auth_step *to)
{
	if (r == AUTH_DONE) {
		assert(principal_name_valid(slice_of(to->principal->name)));
		assert(principal_name_valid(slice_of(to->principal->tenant)));
		assert(to->expires_ms > 0);
		principal_unref(to->principal);
		return;
	}
	assert(to->principal == NULL && to->expires_ms == 0);
	assert(to->error.text[0] != '\0');
	assert(to->failure != AUTH_FAILURE_NONE);
}

static void
try_token(struct slice token)
{
	const struct jwt_judge j = {
		.settings = &settings.jwt, .keys = world.jwks, .peer = &peer,
		.partition = "aws", .account = "123456789012",
		.now_ms = NOW * 1000LL,
	};
	struct auth_step to;

	memset(&to, 0, sizeof(to));
	check_step(jwt_judge(&j, token, &to), &to);
}

static void
try_claims(const uint8_t *data, size_t size)
{
	char *both = mem_strndup(data, size), *token;
	size_t n = strlen(both);

	token = maker_sign(world.key, JWT_ES256, both,
	    n < size ? both + n + 1 : "{}");
	try_token(slice_of(token));
	free(token);
	free(both);
}

static void
try_login(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t n = nul != NULL ? (size_t)(nul - data) : size;
	struct slice first = copy_of(data, n);
	struct slice second = nul != NULL ? copy_of(nul + 1, size - n - 1) :
	    copy_of(NULL, 0);
	struct auth_login *l = auth_login_new(world.auth, AUTH_OAUTHBEARER,
	    &peer, NULL);
	struct auth_step to;
	struct arena arena;
	enum auth_result r;

	arena_init(&arena, 1024 * 1024);
	r = auth_login_step(l, first, &arena, &to);
	check_step(r, &to);
	if (r == AUTH_MORE) {
		assert(to.out.len > 0);
		r = auth_login_step(l, second, &arena, &to);
		assert(r == AUTH_FAILED);
		check_step(r, &to);
	}
	auth_login_free(l);
	arena_fini(&arena);
	drop(first);
	drop(second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest;

	if (world.key == NULL)
		set_up();
	if (size < 1 || size > 40000)
		return 0;
	rest = copy_of(data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		try_jwks(rest);
		break;
	case 1:
		try_token(rest);
		break;
	case 2:
		try_claims(data + 1, size - 1);
		break;
	default:
		try_login(data + 1, size - 1);
	}
	drop(rest);
	return 0;
}
