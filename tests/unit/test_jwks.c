/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/jwt_maker.h"

enum { ALL = (1 << JWT_ALGORITHM_COUNT) - 1 };

static struct {
	EVP_PKEY	*rsa, *weak, *ec, *k1;
	char		*n, *e, *x, *y;		/* of rsa and ec */
} world;

static int
setup(void **state)
{
	(void)state;
	world.rsa = maker_rsa(2048);
	world.weak = maker_rsa(1024);
	world.ec = maker_ec("P-256");
	world.k1 = maker_ec("secp256k1");
	world.n = maker_number(world.rsa, "n", 0);
	world.e = maker_number(world.rsa, "e", 0);
	world.x = maker_number(world.ec, "qx", 32);
	world.y = maker_number(world.ec, "qy", 32);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(world.rsa);
	EVP_PKEY_free(world.weak);
	EVP_PKEY_free(world.ec);
	EVP_PKEY_free(world.k1);
	free(world.n);
	free(world.e);
	free(world.x);
	free(world.y);
	return 0;
}

/* A text with N, E, X, Y and Z (y, changed in a bit) in %..% replaced, ' as ".
 * free() it. */
static char *
filled(const char *text)
{
	char *to = mem_alloc(MAKER_TEXT), *bad = mem_strdup(world.y);
	size_t n = 0;

	bad[3] = bad[3] == 'A' ? 'B' : 'A';
	for (; *text != '\0'; text++) {
		const char *put = NULL;

		if (*text == '%') {
			text++;
			put = *text == 'N' ? world.n : *text == 'E' ? world.e :
			    *text == 'X' ? world.x : *text == 'Y' ? world.y :
			    bad;
			n += (size_t)snprintf(to + n, MAKER_TEXT - n, "%s",
			    put);
		} else {
			to[n++] = *text == '\'' ? '"' : *text;
		}
	}
	to[n] = '\0';
	free(bad);
	return to;
}

#define RSA_KEY "'kty':'RSA','n':'%N','e':'%E'"
#define EC_KEY "'kty':'EC','crv':'P-256','x':'%X','y':'%Y'"
#define ONE(key) "{'keys':[{" key "}]}"
#define WITH(key) "{'keys':[{'kid':'good'," EC_KEY "},{" key "}]}"

static const struct {
	const char	*rule, *text;
	uint32_t	 count, left_out;
} taken[] = {
	{ "RSA", ONE("'kid':'a'," RSA_KEY), 1, 0 },
	{ "EC", ONE("'kid':'a'," EC_KEY), 1, 0 },
	{ "one without kid", ONE(EC_KEY), 1, 0 },
	{ "use sig", ONE("'use':'sig','kid':'a'," RSA_KEY), 1, 0 },
	{ "key_ops verify", ONE("'key_ops':['sign','verify'],'kid':'a',"
	    RSA_KEY), 1, 0 },
	{ "alg", ONE("'alg':'PS512','kid':'a'," RSA_KEY), 1, 0 },
	{ "x5c, x5u, x5t and others are ignored", ONE("'x5c':[1,{'a':2}],"
	    "'x5u':'http://evil.example','x5t':7,'jku':1,'kid':'a'," RSA_KEY),
	    1, 0 },
	{ "members beside the keys are ignored", "{'foo':[],'keys':[{" EC_KEY
	    "}]}", 1, 0 },
	{ "two, one of them without kid", WITH(RSA_KEY), 2, 0 },
	{ "use enc is left out", WITH("'use':'enc'," RSA_KEY), 1, 1 },
	{ "use unknown is left out", WITH("'use':'SIG'," RSA_KEY), 1, 1 },
	{ "key_ops encrypt is left out", WITH("'key_ops':['encrypt'],"
	    RSA_KEY), 1, 1 },
	{ "key_ops empty is left out", WITH("'key_ops':[]," RSA_KEY), 1, 1 },
	{ "RSA-OAEP is left out", WITH("'alg':'RSA-OAEP'," RSA_KEY), 1, 1 },
	{ "HS256 on an RSA key is left out", WITH("'alg':'HS256'," RSA_KEY), 1,
	    1 },
	{ "none on a key is left out", WITH("'alg':'none'," EC_KEY), 1, 1 },
	{ "OKP is left out", WITH("'kty':'OKP','crv':'Ed25519','x':'AAAA'"), 1,
	    1 },
	{ "kty in another case is left out", WITH("'kty':'rsa','n':'%N'"), 1,
	    1 },
	{ "secp256k1 is left out", WITH("'kty':'EC','crv':'secp256k1',"
	    "'x':'%X','y':'%Y'"), 1, 1 },
	{ "no crv is left out", WITH("'kty':'EC','x':'%X','y':'%Y'"), 1, 1 },
};

static void
test_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		char *text = filled(taken[i].text);
		struct error err = { "" };
		struct jwks *j = jwks_parse(slice_of(text), &err);
		const char *why;

		if (j == NULL)
			fail_msg("%s: %s", taken[i].rule, err.text);
		assert_int_equal(jwks_count(j), taken[i].count);
		assert_int_equal(jwks_left_out(j, &why), taken[i].left_out);
		assert_int_equal(*why != '\0', taken[i].left_out > 0);
		jwks_unref(j);
		free(text);
	}
}

static const struct {
	const char	*rule, *text;
	const char	*fault;
} refused[] = {
	{ "empty", "", "JSON" },
	{ "no object", "[]", "object" },
	{ "no keys", "{}", "keys" },
	{ "keys is an object", "{'keys':{}}", "keys" },
	{ "keys is empty", "{'keys':[]}", "no key" },
	{ "a single JWK", "{" RSA_KEY "}", "keys" },
	{ "keys twice", "{'keys':[],'keys':[{" RSA_KEY "}]}", "twice" },
	{ "kty twice", ONE("'kty':'EC'," RSA_KEY), "twice" },
	{ "n twice", ONE("'n':'AQAB'," RSA_KEY), "twice" },
	{ "data behind", ONE(RSA_KEY) "{}", "JSON" },
	{ "too deep", ONE("'a':[[[[[[1]]]]]]," RSA_KEY), "deep" },
	{ "key is a string", "{'keys':['a']}", "no object" },
	{ "key is null", "{'keys':[null]}", "no object" },
	{ "no kty", WITH("'n':'%N','e':'%E'"), "kty" },
	{ "kty is a number", WITH("'kty':1"), "kty" },
	{ "symmetric", WITH("'kty':'oct','k':'c2VjcmV0'"), "secret" },
	{ "symmetric without k", WITH("'kty':'oct'"), "secret" },
	{ "k on an RSA key", WITH("'k':'c2VjcmV0'," RSA_KEY), "secret" },
	{ "private RSA", WITH("'d':'AQAB'," RSA_KEY), "secret" },
	{ "prime of RSA", WITH("'p':'AQAB'," RSA_KEY), "secret" },
	{ "private EC", WITH("'d':'AQAB'," EC_KEY), "secret" },
	{ "kid twice", WITH("'kid':'good'," RSA_KEY), "twice" },
	{ "two without kid", "{'keys':[{" RSA_KEY "},{" EC_KEY "}]}",
	    "no kid" },
	{ "kid is empty", ONE("'kid':''," RSA_KEY), "kid" },
	{ "kid is a number", ONE("'kid':1," RSA_KEY), "kid" },
	{ "kid is null", ONE("'kid':null," RSA_KEY), "kid" },
	{ "kid with a NUL", ONE("'kid':'a\\u0000'," RSA_KEY), "JSON" },
	{ "use is a number", ONE("'use':1," RSA_KEY), "use" },
	{ "key_ops is text", ONE("'key_ops':'verify'," RSA_KEY), "key_ops" },
	{ "key_ops has a number", ONE("'key_ops':[1]," RSA_KEY), "key_ops" },
	{ "key_ops is long", ONE("'key_ops':[1,2,3,4,5,6,7,8,9,10,11,12,13,14,"
	    "15,16,17]," RSA_KEY), "key_ops" },
	{ "alg is a list", ONE("'alg':['RS256']," RSA_KEY), "alg" },
	{ "ES on an RSA key", ONE("'alg':'ES256'," RSA_KEY), "alg" },
	{ "RS on an EC key", ONE("'alg':'RS256'," EC_KEY), "alg" },
	{ "ES384 on P-256", ONE("'alg':'ES384'," EC_KEY), "alg" },
	{ "n is missing", ONE("'kty':'RSA','e':'AQAB'"), "n or e" },
	{ "e is missing", ONE("'kty':'RSA','n':'%N'"), "n or e" },
	{ "n is empty", ONE("'kty':'RSA','n':'','e':'AQAB'"), "n or e" },
	{ "n with padding", ONE("'kty':'RSA','n':'%N=','e':'AQAB'"),
	    "n or e" },
	{ "n is a number", ONE("'kty':'RSA','n':1,'e':'AQAB'"), "n or e" },
	{ "n is even", ONE("'kty':'RSA','n':'%NAA','e':'AQAB'"), "n or e" },
	{ "e is 0", ONE("'kty':'RSA','n':'%N','e':'AA'"), "n or e" },
	{ "e is 1", ONE("'kty':'RSA','n':'%N','e':'AQ'"), "n or e" },
	{ "e is even", ONE("'kty':'RSA','n':'%N','e':'AQAA'"), "n or e" },
	{ "e is long", ONE("'kty':'RSA','n':'%N','e':'AQAAAAAAAAAB'"),
	    "n or e" },
	{ "the point is off the curve", ONE("'kty':'EC','crv':'P-256',"
	    "'x':'%X','y':'%Z'"), "point" },
	{ "x and y exchanged", ONE("'kty':'EC','crv':'P-256','x':'%Y',"
	    "'y':'%X'"), "point" },
	{ "the point of another curve", ONE("'kty':'EC','crv':'P-384',"
	    "'x':'%X','y':'%Y'"), "x or y" },
	{ "y is missing", ONE("'kty':'EC','crv':'P-256','x':'%X'"), "x or y" },
	{ "x is short", ONE("'kty':'EC','crv':'P-256','x':'AQAB','y':'%Y'"),
	    "x or y" },
	{ "x is long", ONE("'kty':'EC','crv':'P-256','x':'AA%X','y':'%Y'"),
	    "x or y" },
	{ "the point at infinity", ONE("'kty':'EC','crv':'P-256','x':"
	    "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA','y':"
	    "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'"), "point" },
	{ "nothing but keys left out", ONE("'use':'enc'," RSA_KEY),
	    "not for signatures" },
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char *text = filled(refused[i].text);
		struct error err = { "" };

		if (jwks_parse(slice_of(text), &err) != NULL)
			fail_msg("%s: taken", refused[i].rule);
		if (strstr(err.text, refused[i].fault) == NULL)
			fail_msg("%s: %s", refused[i].rule, err.text);
		free(text);
	}
}

static struct jwks *
set_of(const char *jwk, struct error *err)
{
	char *text = mem_alloc(MAKER_TEXT);
	struct jwks *j;

	snprintf(text, MAKER_TEXT, "{\"keys\":[%s]}", jwk);
	j = jwks_parse(slice_of(text), err);
	free(text);
	return j;
}

static void
expect_alone(EVP_PKEY *key, const char *fault)
{
	char *jwk = maker_jwk(key, "a", "");
	struct error err;

	assert_null(set_of(jwk, &err));
	assert_non_null(strstr(err.text, fault));
	free(jwk);
}

static void
test_strength(void **state)
{
	EVP_PKEY *big = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2056);
	char *jwk = maker_jwk(big, "a", "");
	struct error err;
	struct jwks *j;

	(void)state;
	expect_alone(world.weak, "2048");
	j = set_of(jwk, &err);
	assert_non_null(j);
	jwks_unref(j);
	EVP_PKEY_free(big);
	free(jwk);
}

/* More bits than is verified in a reasonable time. */
static void
test_too_strong(void **state)
{
	char *jwk = mem_alloc(MAKER_TEXT);
	uint8_t raw[1026];
	struct error err;
	char *n;

	(void)state;
	memset(raw, 0xff, sizeof(raw));
	raw[0] = 1;
	n = maker_base64(raw, 1025);
	snprintf(jwk, MAKER_TEXT, "{\"kty\":\"RSA\",\"n\":\"%s\","
	    "\"e\":\"AQAB\"}", n);
	assert_null(set_of(jwk, &err));
	assert_non_null(strstr(err.text, "8192"));
	free(n);
	n = maker_base64(raw, 1026);
	snprintf(jwk, MAKER_TEXT, "{\"kty\":\"RSA\",\"n\":\"%s\","
	    "\"e\":\"AQAB\"}", n);
	assert_null(set_of(jwk, &err));
	free(n);
	free(jwk);
}

static struct jwks *
many(int count, size_t fill, struct error *err)
{
	size_t size = 400000, n;
	char *text = mem_alloc(size);
	struct jwks *j;

	n = (size_t)snprintf(text, size, "{\"fill\":\"%0*d\",\"keys\":[",
	    (int)fill, 0);
	for (int i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, size - n, "%s{\"kid\":\"%d\","
		    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\","
		    "\"y\":\"%s\"}", i > 0 ? "," : "", i, world.x, world.y);
	snprintf(text + n, size - n, "]}");
	j = jwks_parse(slice_of(text), err);
	free(text);
	return j;
}

static void
test_bounds(void **state)
{
	struct error err;
	struct jwks *j = many(JWKS_KEYS_MAX, 1, &err);

	(void)state;
	assert_non_null(j);
	assert_int_equal(jwks_count(j), JWKS_KEYS_MAX);
	jwks_unref(j);
	assert_null(many(JWKS_KEYS_MAX + 1, 1, &err));
	assert_non_null(strstr(err.text, "64"));
	assert_null(many(1, JWKS_SIZE_MAX, &err));
	assert_non_null(strstr(err.text, "256 KiB"));
}

static void
test_kid_length(void **state)
{
	char kid[JWKS_KID_MAX + 2], *jwk;
	struct error err;
	struct jwks *j;

	(void)state;
	memset(kid, 'k', sizeof(kid));
	kid[JWKS_KID_MAX] = '\0';
	jwk = maker_jwk(world.ec, kid, "");
	j = set_of(jwk, &err);
	assert_non_null(j);
	assert_non_null(jwks_find(j, slice_of(kid)));
	jwks_unref(j);
	free(jwk);
	kid[JWKS_KID_MAX] = 'k', kid[JWKS_KID_MAX + 1] = '\0';
	jwk = maker_jwk(world.ec, kid, "");
	assert_null(set_of(jwk, &err));
	free(jwk);
}

static void
test_find(void **state)
{
	char *text = filled("{'keys':[{'kid':'a'," RSA_KEY "},{'kid':'ab',"
	    EC_KEY "}]}");
	struct error err;
	struct jwks *j = jwks_parse(slice_of(text), &err);

	(void)state;
	free(text);
	assert_non_null(jwks_find(j, SLICE_LIT("a")));
	assert_non_null(jwks_find(j, SLICE_LIT("ab")));
	assert_null(jwks_find(j, SLICE_LIT("")));
	assert_null(jwks_find(j, SLICE_LIT("A")));
	assert_null(jwks_find(j, SLICE_LIT("abc")));
	/* Which of the two would it be? */
	assert_null(jwks_find(j, SLICE_NULL));
	jwks_unref(j);
	text = filled(ONE(EC_KEY));
	j = jwks_parse(slice_of(text), &err);
	free(text);
	assert_non_null(jwks_find(j, SLICE_NULL));
	/* A kid that nobody has does not become the only key. */
	assert_null(jwks_find(j, SLICE_LIT("a")));
	assert_null(jwks_find(j, SLICE_LIT("")));
	jwks_unref(j);
}

static uint32_t
algorithms_of(const char *key, uint32_t allowed)
{
	char *text = filled(key);
	struct error err;
	struct jwks *j = jwks_parse(slice_of(text), &err);
	uint32_t bits = jwk_algorithms(jwks_find(j, SLICE_NULL), allowed);

	jwks_unref(j);
	free(text);
	return bits;
}

static void
test_algorithms(void **state)
{
	const uint32_t rs = 7 << JWT_RS256, ps = 7 << JWT_PS256;

	(void)state;
	assert_int_equal(algorithms_of(ONE(EC_KEY), ALL), 1 << JWT_ES256);
	assert_int_equal(algorithms_of(ONE(EC_KEY), rs | ps), 0);
	assert_int_equal(algorithms_of(ONE(RSA_KEY), ALL), rs);
	assert_int_equal(algorithms_of(ONE(RSA_KEY), ps), ps);
	assert_int_equal(algorithms_of(ONE(RSA_KEY), 1 << JWT_RS384 | ps),
	    1 << JWT_RS384);
	assert_int_equal(algorithms_of(ONE(RSA_KEY), 1 << JWT_ES256), 0);
	assert_int_equal(algorithms_of(ONE("'alg':'PS256'," RSA_KEY), ALL),
	    1 << JWT_PS256);
	assert_int_equal(algorithms_of(ONE("'alg':'PS256'," RSA_KEY), rs), 0);
	assert_int_equal(jwt_algorithm_find(SLICE_LIT("HS256")), -1);
	assert_int_equal(jwt_algorithm_find(SLICE_LIT("none")), -1);
	assert_int_equal(jwt_algorithm_find(SLICE_LIT("es512")), -1);
	assert_int_equal(jwt_algorithm_find(SLICE_NULL), -1);
	for (int a = 0; a < JWT_ALGORITHM_COUNT; a++)
		assert_int_equal(jwt_algorithm_find(slice_of(
		    jwt_algorithm_name((enum jwt_algorithm)a))), a);
}

/* RFC 7515 appendix A.3: somebody else's key, text and signature. */
static void
test_rfc7515(void **state)
{
	static const char text[] = "eyJhbGciOiJFUzI1NiJ9"
	    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	uint8_t sig[64];
	struct error err;
	struct jwks *j = set_of("{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}", &err);
	const struct jwk *k = jwks_find(j, SLICE_NULL);
	size_t n;

	(void)state;
	assert_true(base64url_decode(SLICE_LIT("DtEhU3ljbEg8L38VWAfUAqOyKAM6-"
	    "Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"), sig,
	    sizeof(sig), &n));
	assert_true(jwk_verify(k, JWT_ES256, slice_of(text),
	    (struct slice){ sig, 64 }));
	assert_false(jwk_verify(k, JWT_ES384, slice_of(text),
	    (struct slice){ sig, 64 }));
	assert_false(jwk_verify(k, JWT_RS256, slice_of(text),
	    (struct slice){ sig, 64 }));
	sig[63] ^= 1;
	assert_false(jwk_verify(k, JWT_ES256, slice_of(text),
	    (struct slice){ sig, 64 }));
	jwks_unref(j);
}

static void
test_load(void **state)
{
	char path[] = "/tmp/weir-jwks-XXXXXX", *text = filled(ONE(RSA_KEY));
	int fd = mkstemp(path);
	struct error err;
	struct jwks *j;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	j = jwks_load(path, &err);
	assert_non_null(j);
	assert_int_equal(jwks_count(j), 1);
	assert_ptr_equal(jwks_ref(j), j);
	jwks_unref(j);
	jwks_unref(j);
	jwks_unref(NULL);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_null(jwks_load(path, &err));
	assert_non_null(strstr(err.text, path));
	assert_int_equal(ftruncate(fd, 10 * 1024 * 1024), 0);
	assert_null(jwks_load(path, &err));
	close(fd);
	unlink(path);
	assert_null(jwks_load(path, &err));
	assert_non_null(strstr(err.text, path));
	assert_null(jwks_load("/", &err));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_strength),
		cmocka_unit_test(test_too_strong),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_kid_length),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_rfc7515),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
