/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins with a JWT a second on one core: the whole verdict, from the token's
 * text to the principal. The median of several rounds, by the CPU's clock.
 *	bench_jwt [NAME]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/jwt.h"
#include "tests/unit/jwt_maker.h"

enum { ROUNDS = 9, ROUND_NS = 200000000, NOW = 1800000000 };

#define TEXT(s) ((char *)(uintptr_t)(s))

static char *algorithms[] = { TEXT("RS256"), TEXT("PS256"), TEXT("ES256"),
    TEXT("ES384"), TEXT("ES512") };
static char *audiences[] = { TEXT("weir") };
static const struct auth_jwt_settings settings = {
	.jwks_file = TEXT("keys.json"),
	.issuer = TEXT("https://issuer.example"),
	.audiences = { audiences, 1 },
	.algorithms = { algorithms, 5 },
	.groups_claim = TEXT("groups"),
	.skew_s = 60,
};

static const struct run {
	const char	*name;
	const char	*curve;		/* NULL: RSA */
	enum jwt_algorithm how;
	bool		 forged;	/* by another key */
} runs[] = {
	{ "RS256", NULL, JWT_RS256, false },
	{ "PS256", NULL, JWT_PS256, false },
	{ "ES256", "P-256", JWT_ES256, false },
	{ "ES384", "P-384", JWT_ES384, false },
	{ "ES512", "P-521", JWT_ES512, false },
	{ "RS256 forged", NULL, JWT_RS256, true },
	{ "ES256 forged", "P-256", JWT_ES256, true },
};

static int64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static EVP_PKEY *
key_of(const struct run *r)
{
	return r->curve != NULL ? maker_ec(r->curve) : maker_rsa(2048);
}

static struct jwks *
keys_of(const struct run *r, EVP_PKEY *key)
{
	char more[64], text[4096], *jwk;
	struct error err;
	struct jwks *j;

	snprintf(more, sizeof(more), ",\"alg\":\"%s\"",
	    jwt_algorithm_name(r->how));
	jwk = maker_jwk(key, "key", more);
	snprintf(text, sizeof(text), "{\"keys\":[%s]}", jwk);
	j = jwks_parse(slice_of(text), &err);
	free(jwk);
	if (j == NULL)
		abort();
	return j;
}

static char *
token_of(const struct run *r, EVP_PKEY *key)
{
	char header[128], *claims, *token;
	EVP_PKEY *signer = r->forged ? key_of(r) : key;

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"key\","
	    "\"typ\":\"JWT\"}", jwt_algorithm_name(r->how));
	claims = maker_json("iss='https://issuer.example'|aud='weir'|"
	    "sub='alice'|iat=1799999990|exp=1800000600|nbf=1799999990|"
	    "jti='1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed'|azp='client'|"
	    "groups=['readers','writers']|scope='openid profile'", NULL);
	token = maker_sign(signer, (int)r->how, header, claims);
	if (r->forged)
		EVP_PKEY_free(signer);
	free(claims);
	return token;
}

static void
judge_once(const struct run *r, const struct jwt_judge *j, struct slice token)
{
	struct auth_step to;

	to.failure = AUTH_FAILURE_NONE;
	if ((jwt_judge(j, token, &to) == AUTH_DONE) == r->forged)
		abort();
	if (!r->forged)
		principal_unref(to.principal);
}

static double
round_of(const struct run *r, const struct jwt_judge *j, struct slice token)
{
	int64_t begun = cpu_ns(), spent;
	uint64_t n = 0;

	do {
		for (int i = 0; i < 16; i++)
			judge_once(r, j, token);
		n += 16;
		spent = cpu_ns() - begun;
	} while (spent < ROUND_NS);
	return (double)n * 1e9 / (double)spent;
}

static int
by_rate(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(const struct run *r)
{
	EVP_PKEY *key = key_of(r);
	struct jwks *keys = keys_of(r, key);
	char *token = token_of(r, key);
	const struct jwt_judge j = {
		.settings = &settings, .keys = keys, .partition = "aws",
		.account = "123456789012", .now_ms = NOW * 1000LL,
	};
	double rates[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		rates[i] = round_of(r, &j, slice_of(token));
	qsort(rates, ROUNDS, sizeof(rates[0]), by_rate);
	printf("jwt %-14s %9.0f a second (%.0f .. %.0f), %zu bytes\n", r->name,
	    rates[ROUNDS / 2], rates[0], rates[ROUNDS - 1], strlen(token));
	free(token);
	jwks_unref(keys);
	EVP_PKEY_free(key);
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		if (argc < 2 || strcmp(argv[1], runs[i].name) == 0)
			measure(&runs[i]);
	return 0;
}
