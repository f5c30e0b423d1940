/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that are accepted and refused. Each row names the rule: of RFC 7515,
 * 7518, 7519, 8725 (best current practice) and of OWASP's list of JWT attacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/jwt.h"
#include "gateway/base/option.h"
#include "tests/unit/jwt_maker.h"

#define NOW 1800000000			/* seconds */
#define HEADER "alg='RS256'|kid='rsa'|typ='JWT'"
#define CLAIMS "iss='https://issuer.example'|aud='weir'|sub='alice'|" \
	"iat=1799999990|exp=1800000600"

enum key { RS, PS, RS512_ONLY, EC256, EC384, EC521, OTHER, WEAK, KEYS };

static struct {
	EVP_PKEY		*key[KEYS];
	struct jwks		*jwks;
} world;

static void
make_jwks(void)
{
	static const struct {
		const char	*kid, *more;
	} named[] = {
		[RS] = { "rsa", ",\"use\":\"sig\",\"x5u\":\"http://x\"" },
		[PS] = { "pss", ",\"alg\":\"PS256\"" },
		[RS512_ONLY] = { "rs512", ",\"alg\":\"RS512\"" },
		[EC256] = { "es256", ",\"key_ops\":[\"verify\"]" },
		[EC384] = { "es384", ",\"alg\":\"ES384\"" },
		[EC521] = { "es512", "" },
	};
	char *text = mem_alloc(MAKER_TEXT), *jwk;
	size_t n = (size_t)snprintf(text, MAKER_TEXT, "{\"keys\":[");
	struct error err;

	for (int i = 0; i <= EC521; i++) {
		jwk = maker_jwk(world.key[i], named[i].kid, named[i].more);
		n += (size_t)snprintf(text + n, MAKER_TEXT - n, "%s%s",
		    i > 0 ? "," : "", jwk);
		free(jwk);
	}
	snprintf(text + n, MAKER_TEXT - n, "]}");
	world.jwks = jwks_parse(slice_of(text), &err);
	assert_non_null(world.jwks);
	assert_int_equal(jwks_count(world.jwks), EC521 + 1);
	free(text);
}

static int
setup(void **state)
{
	(void)state;
	world.key[RS] = maker_rsa(2048);
	world.key[PS] = maker_rsa(2048);
	world.key[RS512_ONLY] = maker_rsa(2048);
	world.key[EC256] = maker_ec("P-256");
	world.key[EC384] = maker_ec("P-384");
	world.key[EC521] = maker_ec("P-521");
	world.key[OTHER] = maker_ec("P-256");
	world.key[WEAK] = maker_rsa(1024);
	make_jwks();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++)
		EVP_PKEY_free(world.key[i]);
	jwks_unref(world.jwks);
	return 0;
}

/* ---- how tokens are judged ---- */

#define TEXT(s) ((char *)(uintptr_t)(s))

static char *all_names[] = { TEXT("RS256"), TEXT("RS384"), TEXT("RS512"),
    TEXT("PS256"), TEXT("PS384"), TEXT("PS512"), TEXT("ES256"),
    TEXT("ES384"), TEXT("ES512") };
static char *audience_names[] = { TEXT("weir"),
    TEXT("https://weir.example/") };

#define BARE .jwks_file = TEXT("keys.json"), \
	.issuer = TEXT("https://issuer.example"), \
	.audiences = { audience_names, 2 }
#define BASE BARE, .skew_s = 60

enum rules { PLAIN, ONLY_ES, ONLY_PS, TYPED, TYPED_JWT, GROUPS, NESTED, TENANT,
    EMAIL, URL_CLAIM, NO_SKEW, OFF };

static const struct auth_jwt_settings rules[] = {
	[PLAIN] = { BASE, .algorithms = { all_names, 9 } },
	[ONLY_ES] = { BASE, .algorithms = { all_names + 6, 1 } },
	[ONLY_PS] = { BASE, .algorithms = { all_names + 3, 3 } },
	[TYPED] = { BASE, .algorithms = { all_names, 9 },
	    .type = TEXT("at+jwt") },
	[TYPED_JWT] = { BASE, .algorithms = { all_names, 9 },
	    .type = TEXT("JWT") },
	[GROUPS] = { BASE, .algorithms = { all_names, 9 },
	    .groups_claim = TEXT("groups") },
	[NESTED] = { BASE, .algorithms = { all_names, 9 },
	    .groups_claim = TEXT("realm_access.roles") },
	[TENANT] = { BASE, .algorithms = { all_names, 9 },
	    .tenant_claim = TEXT("tenant") },
	[EMAIL] = { BASE, .algorithms = { all_names, 9 },
	    .principal_claim = TEXT("email") },
	[URL_CLAIM] = { BASE, .algorithms = { all_names, 9 },
	    .groups_claim = TEXT("https://example.com/groups") },
	[NO_SKEW] = { BARE, .algorithms = { all_names, 9 },
	    .principal_claim = TEXT("sub") },
	[OFF] = { .issuer = TEXT("https://issuer.example") },
};

static const struct auth_peer peer = {
	.source_ip = "192.0.2.1", .tls = true, .has_certificate = true,
	.certificate_sha256 = { 1, 2, 3 },
};
static const struct auth_peer peer_without = { .source_ip = "192.0.2.1" };
#define CNF_GOOD "AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define CNF_BAD "AQIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static enum auth_result
judge(enum rules r, const struct auth_peer *from, struct slice token,
    struct auth_step *to)
{
	struct jwt_judge j = {
		.settings = &rules[r], .keys = world.jwks, .peer = from,
		.partition = "aws", .account = "123456789012",
		.now_ms = NOW * 1000LL,
	};
	/* Exactly as long, so that a read behind the end is noticed. */
	uint8_t *copy = mem_alloc(token.len + (token.len == 0));
	enum auth_result result;

	memset(to, 0, sizeof(*to));
	if (token.len > 0)
		memcpy(copy, token.data, token.len);
	result = jwt_judge(&j, (struct slice){ copy, token.len }, to);
	free(copy);
	return result;
}

/* Rows leave out at their end what is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct row {
	const char	*rule;
	enum key	 key;
	int		 how;
	const char	*header, *claims;
	/* enum auth_failure of a refused one. */
	int		 failure;
	enum rules	 rules;
	const char	*name;		/* of the principal, when accepted */
};

static char *
token_of(const struct row *r)
{
	char *header = maker_json(HEADER, r->header);
	char *claims = maker_json(CLAIMS, r->claims);
	char *token = maker_sign(world.key[r->key], r->how, header, claims);

	free(header);
	free(claims);
	return token;
}

/* ---- accepted ---- */

#define ES "alg='ES256'|kid='es256'"

static const struct row accepted[] = {
	{ "RS256", RS, JWT_RS256, NULL, NULL, .name = "alice" },
	{ "RS384, same family", RS, JWT_RS384, "alg='RS384'", NULL },
	{ "RS512, same family", RS, JWT_RS512, "alg='RS512'", NULL },
	{ "RS512 as the key says", RS512_ONLY, JWT_RS512,
	  "alg='RS512'|kid='rs512'", NULL },
	{ "PS256 as the key says", PS, JWT_PS256, "alg='PS256'|kid='pss'",
	  NULL },
	{ "PS256 where no RS is allowed", RS, JWT_PS256, "alg='PS256'", NULL,
	  .rules = ONLY_PS },
	{ "PS384", RS, JWT_PS384, "alg='PS384'", NULL, .rules = ONLY_PS },
	{ "PS512", RS, JWT_PS512, "alg='PS512'", NULL, .rules = ONLY_PS },
	{ "ES256", EC256, JWT_ES256, ES, NULL },
	{ "ES384", EC384, JWT_ES384, "alg='ES384'|kid='es384'", NULL },
	{ "ES512", EC521, JWT_ES512, "alg='ES512'|kid='es512'", NULL },
	{ "ES256, the only one", EC256, JWT_ES256, ES, NULL,
	  .rules = ONLY_ES },
	{ "typ at+jwt (RFC 9068)", EC256, JWT_ES256, ES "|typ='at+jwt'", NULL },
	{ "typ at+jwt, wanted", EC256, JWT_ES256, ES "|typ='at+jwt'", NULL,
	  .rules = TYPED },
	{ "typ application/at+jwt", EC256, JWT_ES256,
	  ES "|typ='application/at+jwt'", NULL, .rules = TYPED },
	{ "typ in another case", EC256, JWT_ES256, ES "|typ='jwt'", NULL },
	{ "typ JWT, wanted", EC256, JWT_ES256, ES, NULL, .rules = TYPED_JWT },
	{ "no typ", EC256, JWT_ES256, ES "|typ=", NULL },
	{ "unknown header is ignored", EC256, JWT_ES256, ES "|foo=[1,{}]",
	  NULL },
	{ "jku is ignored", EC256, JWT_ES256, ES "|jku='http://evil.example'",
	  NULL },
	{ "x5u is ignored", EC256, JWT_ES256, ES "|x5u='http://evil.example'",
	  NULL },
	{ "x5c is ignored", EC256, JWT_ES256, ES "|x5c=['MIIB']", NULL },
	{ "jwk is ignored", EC256, JWT_ES256, ES "|jwk={'kty':'oct'}", NULL },
	{ "aud is one of a list", EC256, JWT_ES256, ES,
	  "aud=['kafka','weir']" },
	{ "aud is a list of one", EC256, JWT_ES256, ES, "aud=['weir']" },
	{ "the second audience", EC256, JWT_ES256, ES,
	  "aud='https://weir.example/'" },
	{ "nbf in the past", EC256, JWT_ES256, ES, "nbf=1799999000" },
	{ "nbf within the skew", EC256, JWT_ES256, ES, "nbf=1800000060" },
	{ "iat within the skew", EC256, JWT_ES256, ES, "iat=1800000060" },
	{ "exp within the skew", EC256, JWT_ES256, ES, "exp=1799999991" },
	{ "exp without skew", EC256, JWT_ES256, ES, "exp=1800000001",
	  .rules = NO_SKEW },
	{ "the last time of all", EC256, JWT_ES256, ES, "exp=253402300799" },
	{ "subject with a wildcard is escaped", EC256, JWT_ES256, ES,
	  "sub='*'", .name = "%2A" },
	{ "subject like a variable is escaped", EC256, JWT_ES256, ES,
	  "sub='${aws:username}?'", .name = "%24{aws%3Ausername}%3F" },
	{ "subject with a slash and colon is escaped", EC256, JWT_ES256, ES,
	  "sub='arn:aws:iam::1:user/root'",
	  .name = "arn%3Aaws%3Aiam%3A%3A1%3Auser%2Froot" },
	{ "an escaped subject is another", EC256, JWT_ES256, ES, "sub='%2A'",
	  .name = "%252A" },
	{ "subject with blanks and letters", EC256, JWT_ES256, ES,
	  "sub='J\xc3\xbcrgen 1'", .name = "J%C3%BCrgen%201" },
	{ "subject of an identity provider", EC256, JWT_ES256, ES,
	  "sub='248289761001@clients'", .name = "248289761001@clients" },
	{ "another principal claim", EC256, JWT_ES256, ES,
	  "email='a@example.com'", .rules = EMAIL, .name = "a@example.com" },
	{ "bound to the certificate that was shown", EC256, JWT_ES256, ES,
	  "cnf={'x5t#S256':'" CNF_GOOD "'}" },
	{ "no groups", EC256, JWT_ES256, ES, NULL, .rules = GROUPS },
	{ "an unread claim may be anything", EC256, JWT_ES256, ES,
	  "groups=1.5|tenant=null|email={}" },
	{ "claims nested as deep as may be", EC256, JWT_ES256, ES,
	  "deep=[[[[[[[1]]]]]]]" },
};

static void
test_accepted(void **state)
{
	int n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		const struct row *r = &accepted[i];
		char *token = token_of(r);
		struct auth_step to;
		struct principal *p;

		if (judge(r->rules, &peer, slice_of(token), &to) != AUTH_DONE)
			fail_msg("%s: %s", r->rule, to.error.text);
		p = to.principal;
		assert_int_equal(p->kind, PRINCIPAL_TOKEN);
		assert_int_equal(to.expires_ms, p->expires_ms);
		assert_true(p->expires_ms > p->issued_ms);
		/* Never one that is over as it begins. */
		assert_true(p->expires_ms > NOW * 1000LL);
		assert_true(p->issued_ms >= 1799999990000);
		assert_true(principal_name_valid(slice_of(p->name)));
		if (r->name != NULL && strcmp(r->name, p->name) != 0)
			fail_msg("%s: %s", r->rule, p->name);
		assert_string_equal(to.claimed, p->name);
		principal_unref(p);
		free(token);
		n++;
	}
	assert_true(n >= 30);
}

/* ---- refused ---- */

#define F(NAME) AUTH_FAILURE_##NAME
#define BAD(rule, changes, failure) \
	{ rule, EC256, JWT_ES256, ES "|" changes, NULL, failure }
#define CLAIM(rule, changes, failure) \
	{ rule, EC256, JWT_ES256, ES, changes, failure }

static const struct row refused[] = {
	/* The algorithm is of the key and of the list, never the token's. */
	{ "alg none", RS, MAKER_NONE, "alg='none'", NULL, F(MALFORMED) },
	{ "alg none with a signature", RS, JWT_RS256, "alg='none'", NULL,
	  F(ALGORITHM) },
	{ "alg None", RS, JWT_RS256, "alg='None'", NULL, F(ALGORITHM) },
	{ "alg NONE", RS, JWT_RS256, "alg='NONE'", NULL, F(ALGORITHM) },
	{ "alg nOnE", RS, JWT_RS256, "alg='nOnE'", NULL, F(ALGORITHM) },
	{ "alg none with a blank", RS, JWT_RS256, "alg='none '", NULL,
	  F(ALGORITHM) },
	{ "alg is empty", RS, JWT_RS256, "alg=''", NULL, F(ALGORITHM) },
	{ "alg is missing", RS, JWT_RS256, "alg=", NULL, F(ALGORITHM) },
	{ "alg is null", RS, JWT_RS256, "alg=null", NULL, F(ALGORITHM) },
	{ "alg is a number", RS, JWT_RS256, "alg=256", NULL, F(ALGORITHM) },
	{ "alg is a list", RS, JWT_RS256, "alg=['RS256']", NULL,
	  F(ALGORITHM) },
	{ "alg in lower case", RS, JWT_RS256, "alg='rs256'", NULL,
	  F(ALGORITHM) },
	{ "alg with a blank", RS, JWT_RS256, "alg='RS256 '", NULL,
	  F(ALGORITHM) },
	{ "HS256 with the PEM of the key", RS, MAKER_HS256_PEM, "alg='HS256'",
	  NULL, F(ALGORITHM) },
	{ "HS256 with the DER of the key", RS, MAKER_HS256_DER, "alg='HS256'",
	  NULL, F(ALGORITHM) },
	{ "HS256 with the JWK", RS, MAKER_HS256_JWK, "alg='HS256'", NULL,
	  F(ALGORITHM) },
	{ "HS256 with the modulus", RS, MAKER_HS256_N, "alg='HS256'", NULL,
	  F(ALGORITHM) },
	{ "HS256 with an empty secret", RS, MAKER_HS256_EMPTY, "alg='HS256'",
	  NULL, F(ALGORITHM) },
	{ "HS256 with the kid", RS, MAKER_HS256_KID, "alg='HS256'", NULL,
	  F(ALGORITHM) },
	{ "HS384", RS, MAKER_HS256_PEM, "alg='HS384'", NULL, F(ALGORITHM) },
	{ "HS512", RS, MAKER_HS256_PEM, "alg='HS512'", NULL, F(ALGORITHM) },
	{ "HMAC called RS256", RS, MAKER_HS256_PEM, NULL, NULL,
	  F(SIGNATURE) },
	{ "EdDSA", EC256, JWT_ES256, ES "|alg='EdDSA'", NULL, F(ALGORITHM) },
	{ "ES256K", EC256, JWT_ES256, ES "|alg='ES256K'", NULL, F(ALGORITHM) },
	{ "RSA-OAEP (JWE)", RS, JWT_RS256, "alg='RSA-OAEP'|enc='A128GCM'",
	  NULL, F(MALFORMED) },
	{ "RS256 where only ES256 is allowed", RS, JWT_RS256, NULL, NULL,
	  F(ALGORITHM), ONLY_ES },
	{ "ES384 where only ES256 is allowed", EC384, JWT_ES384,
	  "alg='ES384'|kid='es384'", NULL, F(ALGORITHM), ONLY_ES },
	{ "RS256 where only PS is allowed", RS, JWT_RS256, NULL, NULL,
	  F(ALGORITHM), ONLY_PS },
	{ "one family a key: PS with an RS key", RS, JWT_PS256, "alg='PS256'",
	  NULL, F(ALGORITHM) },
	{ "one algorithm a key: RS with a PS key", PS, JWT_RS256,
	  "kid='pss'", NULL, F(ALGORITHM) },
	{ "one algorithm a key: PS384 with a PS256 key", PS, JWT_PS384,
	  "alg='PS384'|kid='pss'", NULL, F(ALGORITHM) },
	{ "one algorithm a key: RS256 with an RS512 key", RS512_ONLY, JWT_RS256,
	  "kid='rs512'", NULL, F(ALGORITHM) },
	{ "ES header with an RSA key", RS, JWT_RS256, "alg='ES256'", NULL,
	  F(ALGORITHM) },
	{ "RS header with an EC key", EC256, JWT_ES256,
	  "kid='es256'|alg='RS256'", NULL, F(ALGORITHM) },
	{ "ES512 with a P-256 key", EC256, JWT_ES256,
	  "kid='es256'|alg='ES512'", NULL, F(ALGORITHM) },
	{ "ES256 with a P-384 key", EC384, JWT_ES256,
	  "kid='es384'|alg='ES256'", NULL, F(ALGORITHM) },
	/* Signatures. */
	{ "another key of the kind", OTHER, JWT_ES256, ES, NULL,
	  F(SIGNATURE) },
	{ "another RSA key", PS, JWT_RS256, NULL, NULL, F(SIGNATURE) },
	{ "a weak key", WEAK, JWT_RS256, NULL, NULL, F(SIGNATURE) },
	{ "the hash of another length", RS, JWT_RS384, NULL, NULL,
	  F(SIGNATURE) },
	{ "PS called RS", RS, JWT_PS256, NULL, NULL, F(SIGNATURE) },
	{ "RS called PS", PS, JWT_RS256, "alg='PS256'|kid='pss'", NULL,
	  F(SIGNATURE) },
	{ "a bit flipped", RS, MAKER_RS256_FLIPPED, NULL, NULL,
	  F(SIGNATURE) },
	{ "RS too short", RS, MAKER_RS256_SHORT, NULL, NULL, F(SIGNATURE) },
	{ "RS too long by a zero", RS, MAKER_RS256_LONG, NULL, NULL,
	  F(SIGNATURE) },
	{ "RS of zeros", RS, MAKER_RS256_ZERO, NULL, NULL, F(SIGNATURE) },
	{ "PS without salt", PS, MAKER_PS256_NO_SALT,
	  "alg='PS256'|kid='pss'", NULL, F(SIGNATURE) },
	{ "PS with a longer salt", PS, MAKER_PS256_LONG_SALT,
	  "alg='PS256'|kid='pss'", NULL, F(SIGNATURE) },
	{ "PS with another mask hash", PS, MAKER_PS256_MGF_SHA1,
	  "alg='PS256'|kid='pss'", NULL, F(SIGNATURE) },
	{ "ES as DER", EC256, MAKER_ES256_DER, ES, NULL, F(SIGNATURE) },
	{ "ES with a byte less", EC256, MAKER_ES256_SHORT, ES, NULL,
	  F(SIGNATURE) },
	{ "ES with a byte more", EC256, MAKER_ES256_LONG, ES, NULL,
	  F(SIGNATURE) },
	{ "ES with r = s = 0 (CVE-2022-21449)", EC256, MAKER_ES256_ZERO, ES,
	  NULL, F(SIGNATURE) },
	{ "ES with r = s = n", EC256, MAKER_ES256_ORDER, ES, NULL,
	  F(SIGNATURE) },
	/* kid is looked up as it is, and nothing else names a key. */
	BAD("unknown kid", "kid='nobody'", F(KEY_ID)),
	BAD("kid as a path", "kid='../../../../dev/null'", F(KEY_ID)),
	BAD("kid as a file", "kid='/etc/passwd'", F(KEY_ID)),
	BAD("kid as SQL", "kid='x\\' UNION SELECT \\'key'", F(KEY_ID)),
	BAD("kid as SQL that drops", "kid='es256; DROP TABLE keys;--'",
	    F(KEY_ID)),
	BAD("kid as a URL", "kid='http://evil.example/jwks'", F(KEY_ID)),
	BAD("kid as a command", "kid='es256; $(/bin/id)'", F(KEY_ID)),
	BAD("kid in another case", "kid='ES256'", F(KEY_ID)),
	BAD("kid with a blank", "kid='es256 '", F(KEY_ID)),
	BAD("kid is cut", "kid='es25'", F(KEY_ID)),
	BAD("kid with a NUL", "kid='es256\\u0000'", F(MALFORMED)),
	BAD("kid is empty", "kid=''", F(MALFORMED)),
	BAD("kid is a number", "kid=0", F(MALFORMED)),
	BAD("kid is an object", "kid={}", F(MALFORMED)),
	BAD("kid is null", "kid=null", F(MALFORMED)),
	BAD("no kid and several keys", "kid=", F(KEY_ID)),
	{ "kid of another key", OTHER, JWT_ES256, ES "|kid='rsa'", NULL,
	  F(ALGORITHM) },
	{ "a key in the header (CVE-2018-0114)", OTHER, JWT_ES256,
	  ES "|kid='mine'|jwk={'kty':'EC','crv':'P-256','kid':'mine'}", NULL,
	  F(KEY_ID) },
	{ "a URL of keys in the header", OTHER, JWT_ES256,
	  ES "|kid='mine'|jku='https://evil.example/jwks'", NULL, F(KEY_ID) },
	{ "a certificate in the header", OTHER, JWT_ES256,
	  ES "|x5c=['MIIB']|x5t='abc'", NULL, F(SIGNATURE) },
	{ "a URL of certificates in the header", OTHER, JWT_ES256,
	  ES "|x5u='https://evil.example/x'", NULL, F(SIGNATURE) },
	/* Headers that must be understood, types. */
	BAD("crit", "crit=['exp']|exp=1", F(MALFORMED)),
	BAD("crit is empty", "crit=[]", F(MALFORMED)),
	BAD("crit is null", "crit=null", F(MALFORMED)),
	BAD("crit b64", "crit=['b64']|b64=false", F(MALFORMED)),
	BAD("b64 alone", "b64=false", F(MALFORMED)),
	BAD("zip", "zip='DEF'", F(MALFORMED)),
	BAD("enc", "enc='A256GCM'", F(MALFORMED)),
	BAD("typ of a logout token", "typ='logout+jwt'", F(MALFORMED)),
	BAD("typ of a proof", "typ='dpop+jwt'", F(MALFORMED)),
	BAD("typ is empty", "typ=''", F(MALFORMED)),
	BAD("typ is null", "typ=null", F(MALFORMED)),
	BAD("typ is a number", "typ=1", F(MALFORMED)),
	BAD("typ application/ alone", "typ='application/'", F(MALFORMED)),
	BAD("typ with a prefix twice", "typ='application/application/JWT'",
	    F(MALFORMED)),
	{ "typ JWT where at+jwt is wanted", EC256, JWT_ES256, ES, NULL,
	  F(MALFORMED), TYPED },
	{ "no typ where at+jwt is wanted", EC256, JWT_ES256, ES "|typ=", NULL,
	  F(MALFORMED), TYPED },
	{ "typ at+jwt where JWT is wanted", EC256, JWT_ES256,
	  ES "|typ='at+jwt'", NULL, F(MALFORMED), TYPED_JWT },
	/* JSON without latitude. */
	BAD("alg twice", "+alg='none'", F(MALFORMED)),
	BAD("kid twice", "+kid='rsa'", F(MALFORMED)),
	BAD("kid twice, once escaped", "+k\\u0069d='rsa'", F(MALFORMED)),
	BAD("a member twice inside", "foo={'a':1,'a':2}", F(MALFORMED)),
	BAD("header too deep", "foo=[[[[1]]]]", F(MALFORMED)),
	{ "header is a list", EC256, JWT_ES256, "!['alg','ES256']", NULL,
	  F(MALFORMED) },
	{ "header is a string", EC256, JWT_ES256, "!'ES256'", NULL,
	  F(MALFORMED) },
	{ "header has data behind it", EC256, JWT_ES256,
	  "!{'alg':'ES256','kid':'es256'}{}", NULL, F(MALFORMED) },
	{ "header ends early", EC256, JWT_ES256, "!{'alg':'ES256'", NULL,
	  F(MALFORMED) },
	{ "header with a comment", EC256, JWT_ES256,
	  "!{'alg':'ES256',/**/'kid':'es256'}", NULL, F(MALFORMED) },
	{ "header with a comma too much", EC256, JWT_ES256,
	  "!{'alg':'ES256','kid':'es256',}", NULL, F(MALFORMED) },
	{ "header is not UTF-8", EC256, JWT_ES256,
	  "!{'alg':'ES256','kid':'es256\xff'}", NULL, F(MALFORMED) },
	{ "header with a BOM", EC256, JWT_ES256,
	  "!\xef\xbb\xbf{'alg':'ES256','kid':'es256'}", NULL, F(MALFORMED) },
	CLAIM("claims are a list", "![1]", F(MALFORMED)),
	CLAIM("claims are a token", "!eyJhbGciOiJub25lIn0.e30.", F(MALFORMED)),
	CLAIM("claims have data behind them", "!{'sub':'alice'} x",
	    F(MALFORMED)),
	CLAIM("claims are too deep", "deep=[[[[[[[[1]]]]]]]]", F(MALFORMED)),
	CLAIM("sub twice", "+sub='root'", F(MALFORMED)),
	CLAIM("exp twice", "+exp=1900000000", F(MALFORMED)),
	CLAIM("aud twice", "+aud='other'", F(MALFORMED)),
	/* iss. */
	CLAIM("no iss", "iss=", F(CLAIM)),
	CLAIM("iss is null", "iss=null", F(CLAIM)),
	CLAIM("iss is a list", "iss=['https://issuer.example']", F(CLAIM)),
	CLAIM("another iss", "iss='https://evil.example'", F(ISSUER)),
	CLAIM("iss with a slash more", "iss='https://issuer.example/'",
	    F(ISSUER)),
	CLAIM("iss in another case", "iss='https://ISSUER.example'",
	    F(ISSUER)),
	CLAIM("iss that begins alike", "iss='https://issuer.example.evil.tld'",
	    F(ISSUER)),
	CLAIM("iss is empty", "iss=''", F(ISSUER)),
	/* aud. */
	CLAIM("no aud", "aud=", F(CLAIM)),
	CLAIM("aud is null", "aud=null", F(CLAIM)),
	CLAIM("aud is a number", "aud=1", F(CLAIM)),
	CLAIM("aud is an object", "aud={'weir':true}", F(CLAIM)),
	CLAIM("another aud", "aud='kafka'", F(AUDIENCE)),
	CLAIM("aud is an empty list", "aud=[]", F(AUDIENCE)),
	CLAIM("aud is a list of others", "aud=['a','b','Weir']", F(AUDIENCE)),
	CLAIM("aud has what is no string", "aud=['weir',1]", F(CLAIM)),
	CLAIM("aud nests", "aud=[['weir']]", F(CLAIM)),
	CLAIM("aud is empty", "aud=''", F(AUDIENCE)),
	CLAIM("aud in another case", "aud='WEIR'", F(AUDIENCE)),
	CLAIM("aud as words", "aud='weir kafka'", F(AUDIENCE)),
	/* Times: whole numbers within bounds. */
	CLAIM("no exp", "exp=", F(CLAIM)),
	CLAIM("exp is null", "exp=null", F(CLAIM)),
	CLAIM("exp is text", "exp='1800000600'", F(CLAIM)),
	CLAIM("exp is a float", "exp=1800000600.0", F(CLAIM)),
	CLAIM("exp has an exponent", "exp=18e8", F(CLAIM)),
	CLAIM("exp is NaN", "exp=NaN", F(MALFORMED)),
	CLAIM("exp is Infinity", "exp=Infinity", F(MALFORMED)),
	CLAIM("exp is true", "exp=true", F(CLAIM)),
	CLAIM("exp is a list", "exp=[1800000600]", F(CLAIM)),
	CLAIM("exp is negative", "exp=-1", F(CLAIM)),
	CLAIM("exp is zero", "exp=0", F(CLAIM)),
	CLAIM("exp is too late", "exp=253402300800", F(CLAIM)),
	CLAIM("exp is 2^63 - 1", "exp=9223372036854775807", F(CLAIM)),
	CLAIM("exp is over 2^63", "exp=9223372036854775808", F(MALFORMED)),
	CLAIM("exp is huge", "exp=1e999", F(MALFORMED)),
	CLAIM("exp in milliseconds", "exp=1800000600000", F(CLAIM)),
	CLAIM("exp with a zero in front", "exp=01800000600", F(MALFORMED)),
	CLAIM("exp in hex", "exp=0x7fffffff", F(MALFORMED)),
	CLAIM("expired", "iat=1799990000|exp=1799999000", F(EXPIRED)),
	CLAIM("expired by the skew", "iat=1799990000|exp=1799999940",
	    F(EXPIRED)),
	{ "expired now, no skew", EC256, JWT_ES256, ES, "exp=1800000000",
	  F(EXPIRED), NO_SKEW },
	CLAIM("exp is iat", "exp=1799999990", F(CLAIM)),
	CLAIM("exp before iat", "iat=1800000050|exp=1800000000", F(CLAIM)),
	CLAIM("no iat", "iat=", F(CLAIM)),
	CLAIM("iat is text", "iat='1799999990'", F(CLAIM)),
	CLAIM("iat is a float", "iat=1799999990.5", F(CLAIM)),
	CLAIM("iat is NaN", "iat=NaN", F(MALFORMED)),
	CLAIM("iat is negative", "iat=-1799999990", F(CLAIM)),
	CLAIM("iat is in the future", "iat=1800000061", F(NOT_YET)),
	CLAIM("nbf is in the future", "nbf=1800000061", F(NOT_YET)),
	CLAIM("nbf is text", "nbf='1'", F(CLAIM)),
	CLAIM("nbf is null", "nbf=null", F(CLAIM)),
	CLAIM("nbf is a float", "nbf=1.0", F(CLAIM)),
	CLAIM("nbf is negative", "nbf=-5", F(CLAIM)),
	CLAIM("nbf is huge", "nbf=9223372036854775807", F(CLAIM)),
	/* Who it is. */
	CLAIM("no sub", "sub=", F(CLAIM)),
	CLAIM("sub is empty", "sub=''", F(CLAIM)),
	CLAIM("sub is null", "sub=null", F(CLAIM)),
	CLAIM("sub is a number", "sub=7", F(CLAIM)),
	CLAIM("sub is a list", "sub=['alice']", F(CLAIM)),
	CLAIM("sub with a newline", "sub='alice\\nroot'", F(CLAIM)),
	CLAIM("sub with an escape", "sub='\\u001b[31m'", F(CLAIM)),
	CLAIM("sub with DEL", "sub='a\\u007f'", F(CLAIM)),
	CLAIM("sub with a NUL", "sub='alice\\u0000'", F(MALFORMED)),
	CLAIM("sub is a lone surrogate", "sub='\\ud800'", F(MALFORMED)),
	{ "no principal claim", EC256, JWT_ES256, ES, NULL, F(CLAIM), EMAIL },
	{ "principal claim is empty", EC256, JWT_ES256, ES, "email=''",
	  F(CLAIM), EMAIL },
	{ "principal claim is good, sub is not", EC256, JWT_ES256, ES,
	  "email='a@example.com'|sub=1", F(CLAIM), EMAIL },
	{ "groups are a number", EC256, JWT_ES256, ES, "groups=1", F(CLAIM),
	  GROUPS },
	{ "groups are null", EC256, JWT_ES256, ES, "groups=null", F(CLAIM),
	  GROUPS },
	{ "groups have a number", EC256, JWT_ES256, ES, "groups=['a',1]",
	  F(CLAIM), GROUPS },
	{ "groups have an empty one", EC256, JWT_ES256, ES, "groups=['']",
	  F(CLAIM), GROUPS },
	{ "a group with a control character", EC256, JWT_ES256, ES,
	  "groups=['a\\tb']", F(CLAIM), GROUPS },
	{ "nested groups are an object", EC256, JWT_ES256, ES,
	  "realm_access={'roles':{}}", F(CLAIM), NESTED },
	{ "no tenant", EC256, JWT_ES256, ES, NULL, F(CLAIM), TENANT },
	{ "tenant is empty", EC256, JWT_ES256, ES, "tenant=''", F(CLAIM),
	  TENANT },
	{ "tenant is a wildcard", EC256, JWT_ES256, ES, "tenant='*'",
	  F(CLAIM), TENANT },
	{ "tenant is a number", EC256, JWT_ES256, ES, "tenant=1", F(CLAIM),
	  TENANT },
	/* Bound tokens (RFC 8705). */
	CLAIM("bound to another certificate",
	    "cnf={'x5t#S256':'" CNF_BAD "'}", F(CERTIFICATE)),
	CLAIM("bound, no digest", "cnf={'x5t#S256':''}", F(CLAIM)),
	CLAIM("bound, a digest too short", "cnf={'x5t#S256':'AQID'}",
	    F(CLAIM)),
	CLAIM("bound, in hex", "cnf={'x5t#S256':'" CNF_GOOD CNF_GOOD "'}",
	    F(CLAIM)),
	CLAIM("bound, not canonical",
	    "cnf={'x5t#S256':'AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB'}",
	    F(CLAIM)),
	CLAIM("bound by DPoP", "cnf={'jkt':'abc'}", F(CLAIM)),
	CLAIM("bound in two ways",
	    "cnf={'x5t#S256':'" CNF_GOOD "','jkt':'abc'}", F(CLAIM)),
	CLAIM("bound in no way", "cnf={}", F(CLAIM)),
	CLAIM("cnf is null", "cnf=null", F(CLAIM)),
	CLAIM("cnf is text", "cnf='" CNF_GOOD "'", F(CLAIM)),
	{ "no keys are configured", EC256, JWT_ES256, ES, NULL, F(MECHANISM),
	  OFF },
};

static void
test_refused(void **state)
{
	int n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct row *r = &refused[i];
		char *token = token_of(r);
		struct auth_step to;

		if (judge(r->rules, &peer, slice_of(token), &to) !=
		    AUTH_FAILED)
			fail_msg("%s: accepted", r->rule);
		if ((int)to.failure != r->failure)
			fail_msg("%s: %d: %s", r->rule, (int)to.failure,
			    to.error.text);
		assert_true(to.error.text[0] != '\0');
		assert_null(to.principal);
		assert_int_equal(to.expires_ms, 0);
		assert_int_equal(to.unknown_kid, r->failure == F(KEY_ID));
		/* No part of the token is said, but for names. */
		assert_null(strstr(to.error.text, strchr(token, '.') + 1));
		free(token);
		n++;
	}
	assert_true(n >= 120);
}

static void
test_bound_without_certificate(void **state)
{
	const struct row r = { "bound", EC256, JWT_ES256, ES,
	    "cnf={'x5t#S256':'" CNF_GOOD "'}" };
	char *token = token_of(&r);
	struct auth_step to;

	(void)state;
	assert_int_equal(judge(PLAIN, &peer_without, slice_of(token), &to),
	    AUTH_FAILED);
	assert_int_equal(to.failure, F(CERTIFICATE));
	assert_int_equal(judge(PLAIN, NULL, slice_of(token), &to),
	    AUTH_FAILED);
	free(token);
}

/* ---- the text of a token ---- */

static const struct mangled {
	const char	*rule;
	const char	*find, *put;	/* first place of find, from the right
					 * where it begins with < */
} mangled[] = {
	{ "trailing dot", "$", "." },
	{ "a fourth part", "$", ".e30" },
	{ "five parts, as JWE has", "$", ".e30.e30" },
	{ "padding", "$", "=" },
	{ "much padding", "$", "==" },
	{ "a newline behind it", "$", "\n" },
	{ "a blank behind it", "$", " " },
	{ "bytes behind the signature", "$", "AAAA" },
	{ "a blank before it", "^", " " },
	{ "a dot before it", "^", "." },
	{ "no first part", "h", "" },
	{ "no claims", "c", "" },
	{ "no signature", "s", "" },
	{ "other claims", "c", "eyJzdWIiOiJyb290In0" },
	{ "another header", "h", "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVzMjU2In0" },
	{ "the standard alphabet: +", "s", "+" },
	{ "the standard alphabet: /", "s", "/" },
	{ "bits that are not zero", "s", "AB" },
	{ "an impossible length", "s", "AAAAA" },
	{ "a NUL's place", "s", "AA\x01" },
	{ "a byte over 127", "s", "AA\xe9" },
	{ "only dots", "*", ".." },
	{ "nothing", "*", "" },
	{ "one word", "*", "secret" },
	{ "two parts", "*", "e30.e30" },
	{ "empty objects", "*", "e30.e30.e30" },
	{ "JSON serialization", "*", "{\"payload\":\"e30\"}" },
};

static char *
mangle(const char *token, const struct mangled *m)
{
	const char *a = strchr(token, '.'), *b = strrchr(token, '.');
	char *text = mem_alloc(MAKER_TEXT);
	const char *part[3];
	int len[3] = { (int)(a - token), (int)(b - a - 1), (int)strlen(b + 1) };

	part[0] = token, part[1] = a + 1, part[2] = b + 1;
	for (int i = 0; i < 3; i++)
		if (*m->find == "hcs"[i]) {
			part[i] = m->put;
			len[i] = (int)strlen(m->put);
		}
	if (*m->find == '*')
		snprintf(text, MAKER_TEXT, "%s", m->put);
	else
		snprintf(text, MAKER_TEXT, "%s%.*s.%.*s.%.*s%s",
		    *m->find == '^' ? m->put : "", len[0], part[0], len[1],
		    part[1], len[2], part[2], *m->find == '$' ? m->put : "");
	return text;
}

static void
test_mangled(void **state)
{
	const struct row good = { "good", RS, JWT_RS256, NULL, NULL };
	char *token = token_of(&good), *text;
	struct auth_step to;

	(void)state;
	for (size_t i = 0; i < sizeof(mangled) / sizeof(mangled[0]); i++) {
		text = mangle(token, &mangled[i]);
		if (judge(PLAIN, &peer, slice_of(text), &to) != AUTH_FAILED)
			fail_msg("%s: accepted", mangled[i].rule);
		assert_null(to.principal);
		free(text);
	}
	free(token);
}

/* Every bit of a token counts: with any other one it is refused. */
static void
test_every_bit(void **state)
{
	const struct row good = { "good", EC256, JWT_ES256, ES, NULL };
	char *token = token_of(&good);
	struct auth_step to;

	(void)state;
	for (size_t i = 0; token[i] != '\0'; i++) {
		token[i] ^= (char)(1 << i % 7);
		if (judge(PLAIN, &peer, slice_of(token), &to) == AUTH_DONE)
			fail_msg("byte %zu", i);
		token[i] ^= (char)(1 << i % 7);
	}
	assert_int_equal(judge(PLAIN, &peer, slice_of(token), &to), AUTH_DONE);
	principal_unref(to.principal);
	free(token);
}

/* A token of exactly `size` bytes or a few less. */
static char *
long_token(size_t size)
{
	size_t fill = size / 4 * 3 - 320;
	char *claims = mem_alloc(MAKER_TEXT), *text;
	struct row r = { "long", EC256, JWT_ES256, ES, claims };

	for (;; fill++) {
		snprintf(claims, MAKER_TEXT, "fill='%0*d'", (int)fill, 0);
		text = token_of(&r);
		if (strlen(text) + 2 >= size)
			break;
		free(text);
	}
	free(claims);
	return text;
}

static void
test_size(void **state)
{
	char *text = long_token(JWT_SIZE_MAX);
	struct auth_step to;

	(void)state;
	assert_true(strlen(text) <= JWT_SIZE_MAX);
	assert_int_equal(judge(PLAIN, &peer, slice_of(text), &to), AUTH_DONE);
	principal_unref(to.principal);
	free(text);
	text = long_token(JWT_SIZE_MAX + 3);
	assert_true(strlen(text) > JWT_SIZE_MAX);
	assert_int_equal(judge(PLAIN, &peer, slice_of(text), &to),
	    AUTH_FAILED);
	assert_int_equal(to.failure, F(MALFORMED));
	free(text);
}

static struct auth_step
judged(enum rules r, const char *claims)
{
	const struct row row = { "", EC256, JWT_ES256, ES, claims };
	char *token = token_of(&row);
	struct auth_step to;

	judge(r, &peer, slice_of(token), &to);
	free(token);
	return to;
}

static void
test_names(void **state)
{
	char sub[400];
	struct auth_step to;

	(void)state;
	to = judged(PLAIN, NULL);
	assert_string_equal(to.principal->arn,
	    "arn:aws:sts::123456789012:federated-user/alice");
	assert_int_equal(to.principal->issued_ms, 1799999990000);
	/* It is good for as long as it would be let in: exp and the skew. */
	assert_int_equal(to.principal->expires_ms, 1800000660000);
	assert_null(to.principal->tenant);
	assert_int_equal(to.principal->group_count, 0);
	principal_unref(to.principal);
	snprintf(sub, sizeof(sub), "sub='%0256d'", 0);
	to = judged(PLAIN, sub);
	assert_int_equal(strlen(to.principal->name), 256);
	principal_unref(to.principal);
	snprintf(sub, sizeof(sub), "sub='%0257d'", 0);
	assert_int_equal(judged(PLAIN, sub).failure, F(CLAIM));
	/* What is escaped counts three times. */
	snprintf(sub, sizeof(sub), "sub='*%0254d'", 0);
	assert_int_equal(judged(PLAIN, sub).failure, F(CLAIM));
}

static void
expect_groups(enum rules r, const char *claims, int n, const char *const *want)
{
	struct auth_step to = judged(r, claims);

	if (to.principal == NULL)
		fail_msg("%s: %s", claims, to.error.text);
	assert_int_equal(to.principal->group_count, n);
	for (int i = 0; i < n; i++)
		assert_string_equal(to.principal->groups[i], want[i]);
	principal_unref(to.principal);
}

static void
test_groups(void **state)
{
	const char *const abc[] = { "a", "b", "c" };
	const char *const path[] = { "%2Fa%2Fb", "%2A", "x%20y" };
	char claims[1200];
	struct auth_step to;
	size_t n;

	(void)state;
	expect_groups(GROUPS, "groups=['a','b','c']", 3, abc);
	expect_groups(GROUPS, "groups='a b c'", 3, abc);
	expect_groups(GROUPS, "groups=' a,b,, c '", 3, abc);
	expect_groups(GROUPS, "groups=['/a/b','*','x y']", 3, path);
	expect_groups(GROUPS, "groups=''", 0, NULL);
	expect_groups(GROUPS, "groups=[]", 0, NULL);
	expect_groups(NESTED, "realm_access={'roles':['a','b']}", 2, abc);
	expect_groups(NESTED, "realm_access.roles=['a','b']", 2, abc);
	expect_groups(NESTED, "realm_access={}", 0, NULL);
	expect_groups(NESTED, "realm_access='roles'", 0, NULL);
	expect_groups(URL_CLAIM, "https://example.com/groups=['a']", 1, abc);
	n = (size_t)snprintf(claims, sizeof(claims), "groups=['g'");
	for (int i = 1; i < 100; i++)
		n += (size_t)snprintf(claims + n, sizeof(claims) - n,
		    ",'g%d'", i);
	snprintf(claims + n, sizeof(claims) - n, "]");
	to = judged(GROUPS, claims);
	assert_int_equal(to.principal->group_count, 100);
	principal_unref(to.principal);
	snprintf(claims + n, sizeof(claims) - n, ",'g100']");
	assert_int_equal(judged(GROUPS, claims).failure, F(CLAIM));
}

static void
test_tenant(void **state)
{
	struct auth_step to = judged(TENANT, "tenant='blue'");

	(void)state;
	assert_string_equal(to.principal->tenant, "blue");
	principal_unref(to.principal);
}

static void
test_no_keys_yet(void **state)
{
	const struct row r = { "", EC256, JWT_ES256, ES, NULL };
	char *token = token_of(&r);
	struct jwt_judge j = { .settings = &rules[PLAIN], .partition = "aws",
	    .account = "1", .now_ms = NOW * 1000LL };
	struct auth_step to = { .failure = 0 };

	(void)state;
	assert_int_equal(jwt_judge(&j, slice_of(token), &to), AUTH_FAILED);
	assert_int_equal(to.failure, F(KEY_ID));
	assert_true(to.unknown_kid);
	free(token);
}

/* ---- settings ---- */

static void
test_settings(void **state)
{
	static char *bad[] = { TEXT("none"), TEXT("HS256"), TEXT("rs256"),
	    TEXT("RS256"), TEXT("") };
	static const struct {
		const char			*path;	/* NULL: good */
		struct auth_jwt_settings	 s;
	} rows[] = {
		{ NULL, { BASE, .algorithms = { all_names, 9 } } },
		{ NULL, { .skew_s = 60 } },
		{ "auth.jwt.jwks_file", { .issuer = TEXT("i") } },
		{ "auth.jwt.jwks_file", {
		    .audiences = { audience_names, 1 } } },
		{ "auth.jwt.issuer", { .jwks_url = TEXT("https://x"),
		    .audiences = { audience_names, 1 },
		    .algorithms = { all_names, 1 } } },
		{ "auth.jwt.issuer", { .jwks_url = TEXT("https://x"),
		    .issuer = TEXT(""), .audiences = { audience_names, 1 },
		    .algorithms = { all_names, 1 } } },
		{ "auth.jwt.audiences", { .jwks_url = TEXT("https://x"),
		    .issuer = TEXT("i"), .algorithms = { all_names, 1 } } },
		{ "auth.jwt.audiences", { .jwks_url = TEXT("https://x"),
		    .issuer = TEXT("i"), .audiences = { bad + 4, 1 },
		    .algorithms = { all_names, 1 } } },
		{ "auth.jwt.algorithms", { BASE, .algorithms = { NULL, 0 } } },
		{ "auth.jwt.algorithms[0]", { BASE,
		    .algorithms = { bad, 1 } } },
		{ "auth.jwt.algorithms[0]", { BASE,
		    .algorithms = { bad + 1, 1 } } },
		{ "auth.jwt.algorithms[0]", { BASE,
		    .algorithms = { bad + 2, 2 } } },
		{ "auth.jwt.jwks_url", { BASE, .jwks_url = TEXT("https://x"),
		    .algorithms = { all_names, 1 } } },
		{ "auth.jwt.groups_claim", { BASE, .groups_claim = TEXT(""),
		    .algorithms = { all_names, 1 } } },
		{ "auth.jwt.tenant_claim", { BASE,
		    .tenant_claim = TEXT("a.b.c.d.e.f.g.h.i"),
		    .algorithms = { all_names, 1 } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error_list errs = { 0 };
		bool ok = jwt_settings_check(&rows[i].s, &errs);

		assert_int_equal(ok, rows[i].path == NULL);
		assert_int_equal(errs.n, rows[i].path != NULL);
		if (errs.n > 0)
			assert_string_equal(errs.v[0].path, rows[i].path);
		error_list_free(&errs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bound_without_certificate),
		cmocka_unit_test(test_mangled),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_tenant),
		cmocka_unit_test(test_no_keys_yet),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
