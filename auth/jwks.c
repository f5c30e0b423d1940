/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwks.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"
#include "auth/file.h"
#include "auth/strict_json.h"
#include "gateway/base/mem.h"

enum {
	RSA_BYTES_MAX = JWKS_RSA_BITS_MAX / 8 + 1, /* a zero in front */
	EC_BYTES_MAX = 66,		/* a coordinate of P-521 */
	OPERATIONS_MAX = 16,
	RS_BITS = 1 << JWT_RS256 | 1 << JWT_RS384 | 1 << JWT_RS512,
	PS_BITS = 1 << JWT_PS256 | 1 << JWT_PS384 | 1 << JWT_PS512,
};

enum kind { KIND_RS, KIND_PS, KIND_ES };

static const struct algorithm {
	const char	*name;
	enum kind	 kind;
	const char	*digest;
	const char	*group;		/* OpenSSL's, of ES */
} algorithms[] = {
	[JWT_RS256] = { "RS256", KIND_RS, "SHA256", NULL },
	[JWT_RS384] = { "RS384", KIND_RS, "SHA384", NULL },
	[JWT_RS512] = { "RS512", KIND_RS, "SHA512", NULL },
	[JWT_PS256] = { "PS256", KIND_PS, "SHA256", NULL },
	[JWT_PS384] = { "PS384", KIND_PS, "SHA384", NULL },
	[JWT_PS512] = { "PS512", KIND_PS, "SHA512", NULL },
	[JWT_ES256] = { "ES256", KIND_ES, "SHA256", "P-256" },
	[JWT_ES384] = { "ES384", KIND_ES, "SHA384", "P-384" },
	[JWT_ES512] = { "ES512", KIND_ES, "SHA512", "P-521" },
};

struct jwk {
	struct slice	 kid;		/* data NULL: it has none */
	EVP_PKEY	*key;
	size_t		 bytes;		/* of the modulus, or a coordinate */
	uint32_t	 algorithms;	/* 1 << enum jwt_algorithm */
};

struct jwks {
	atomic_int	 refs;
	uint32_t	 count, left_out;
	struct error	 why;
	struct jwk	 keys[];
};

enum verdict { TAKEN, LEFT_OUT, BROKEN };

const char *
jwt_algorithm_name(enum jwt_algorithm a)
{
	return algorithms[a].name;
}

int
jwt_algorithm_find(struct slice name)
{
	for (int i = 0; i < JWT_ALGORITHM_COUNT; i++)
		if (slice_is(name, algorithms[i].name))
			return i;
	return -1;
}

/* ---- one key ---- */

static enum verdict
left_out(struct error *err, const char *why)
{
	error_set(err, "%s", why);
	return LEFT_OUT;
}

static enum verdict
broken(struct error *err, const char *why)
{
	error_set(err, "%s", why);
	return BROKEN;
}

/* The key as OpenSSL knows it; it checks that a point lies on its curve. */
static EVP_PKEY *
key_of(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *key = NULL;

	if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

static BIGNUM *
number(const json_t *o, const char *name)
{
	struct slice text = strict_json_text(o, name);
	uint8_t raw[RSA_BYTES_MAX];
	size_t len;

	if (text.len == 0 || !base64url_decode(text, raw, sizeof(raw), &len) ||
	    len == 0)
		return NULL;
	return BN_bin2bn(raw, (int)len, NULL);
}

static enum verdict
check_rsa(const BIGNUM *n, const BIGNUM *e, struct error *err)
{
	if (n == NULL || e == NULL)
		return broken(err, "n or e is missing, is no base64url or is "
		    "too long");
	if (!BN_is_odd(n) || !BN_is_odd(e) || BN_is_one(e) ||
	    BN_num_bits(e) > JWKS_EXPONENT_BITS_MAX)
		return broken(err, "n or e is no number that an RSA key has");
	if (BN_num_bits(n) < JWKS_RSA_BITS_MIN)
		return left_out(err, "the RSA key has less than 2048 bits");
	if (BN_num_bits(n) > JWKS_RSA_BITS_MAX)
		return left_out(err, "the RSA key has more than 8192 bits");
	return TAKEN;
}

static enum verdict
read_rsa(const json_t *o, struct jwk *to, struct error *err)
{
	BIGNUM *n = number(o, "n"), *e = number(o, "e");
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	enum verdict v = check_rsa(n, e, err);

	if (v == TAKEN && bld != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
		to->bytes = (size_t)BN_num_bytes(n);
		to->key = key_of("RSA", bld);
	}
	if (v == TAKEN && to->key == NULL)
		v = broken(err, "OpenSSL does not take the RSA key");
	to->algorithms = RS_BITS | PS_BITS;
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return v;
}

/* The point, uncompressed (SEC 1 section 2.3.3); coordinates have their full
 * length (RFC 7518 section 6.2.1.2). */
static bool
read_point(const json_t *o, size_t bytes, uint8_t *to)
{
	size_t x, y;

	to[0] = 4;
	return base64url_decode(strict_json_text(o, "x"), to + 1, bytes, &x) &&
	    x == bytes &&
	    base64url_decode(strict_json_text(o, "y"), to + 1 + bytes, bytes,
	    &y) && y == bytes;
}

static bool
on_curve(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

static enum verdict
read_ec(const json_t *o, struct jwk *to, struct error *err)
{
	static const size_t sizes[] = { 32, 48, 66 };
	struct slice crv = strict_json_text(o, "crv");
	uint8_t point[1 + 2 * EC_BYTES_MAX];
	OSSL_PARAM_BLD *bld;
	int i = 0;

	while (i < 3 && !slice_is(crv, algorithms[JWT_ES256 + i].group))
		i++;
	if (i == 3)
		return left_out(err, "its curve is none of P-256, P-384 and "
		    "P-521");
	to->bytes = sizes[i];
	to->algorithms = 1u << (JWT_ES256 + i);
	if (!read_point(o, to->bytes, point))
		return broken(err, "x or y is missing, is no base64url or has "
		    "another length than the curve's");
	bld = OSSL_PARAM_BLD_new();
	if (bld != NULL && OSSL_PARAM_BLD_push_utf8_string(bld,
	    OSSL_PKEY_PARAM_GROUP_NAME, algorithms[JWT_ES256 + i].group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
	    point, 1 + 2 * to->bytes))
		to->key = key_of("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	if (to->key == NULL || !on_curve(to->key))
		return broken(err, "the point is none of its curve");
	return TAKEN;
}

/* use, key_ops and alg say what a key is for (RFC 7517 section 4). */
static enum verdict
check_purpose(const json_t *o, struct error *err)
{
	const json_t *use = json_object_get(o, "use");
	const json_t *ops = json_object_get(o, "key_ops");
	bool verify = false;

	if (use != NULL && !json_is_string(use))
		return broken(err, "use is no string");
	if (use != NULL && strcmp(json_string_value(use), "sig") != 0)
		return left_out(err, "it is not for signatures (use)");
	if (ops == NULL)
		return TAKEN;
	if (!json_is_array(ops) || json_array_size(ops) > OPERATIONS_MAX)
		return broken(err, "key_ops is no short list");
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *s = json_string_value(json_array_get(ops, i));

		if (s == NULL)
			return broken(err, "key_ops is no list of strings");
		verify = verify || strcmp(s, "verify") == 0;
	}
	return verify ? TAKEN : left_out(err, "it is not for verifying "
	    "(key_ops)");
}

static enum verdict
check_algorithm(const json_t *o, struct jwk *to, struct error *err)
{
	const json_t *v = json_object_get(o, "alg");
	int a;

	if (v == NULL)
		return TAKEN;
	if (!json_is_string(v))
		return broken(err, "alg is no string");
	a = jwt_algorithm_find(strict_json_text(o, "alg"));
	if (a < 0)
		return left_out(err, "its alg is none of RS, PS and ES");
	if ((to->algorithms & 1u << a) == 0)
		return broken(err, "its alg does not go with its kty or crv");
	to->algorithms = 1u << a;
	return TAKEN;
}

/* Symmetric keys, and the private parts of RSA and EC ones. */
static bool
has_secret(const json_t *o)
{
	static const char *const secret[] = { "d", "p", "q", "dp", "dq", "qi",
	    "oth", "k" };
	struct slice kty = strict_json_text(o, "kty");

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
		if (json_object_get(o, secret[i]) != NULL)
			return true;
	return slice_is(kty, "oct");
}

static enum verdict
read_kid(const json_t *o, struct jwk *to, struct error *err)
{
	const json_t *v = json_object_get(o, "kid");
	struct slice kid = strict_json_text(o, "kid");

	if (v == NULL)
		return TAKEN;
	if (kid.len == 0 || kid.len > JWKS_KID_MAX)
		return broken(err, "kid is no string of 1 to 1000 bytes");
	to->kid = (struct slice){ (uint8_t *)mem_strndup(kid.data, kid.len),
	    kid.len };
	return TAKEN;
}

static enum verdict
read_key(const json_t *o, struct jwk *to, struct error *err)
{
	struct slice kty = strict_json_text(o, "kty");
	enum verdict v;

	if (!json_is_object(o))
		return broken(err, "is no object");
	if (has_secret(o))
		return broken(err, "has a secret part: publish public keys "
		    "only, and replace this one");
	if (kty.data == NULL)
		return broken(err, "kty is missing or no string");
	if ((v = read_kid(o, to, err)) != TAKEN ||
	    (v = check_purpose(o, err)) != TAKEN)
		return v;
	if (slice_is(kty, "RSA"))
		v = read_rsa(o, to, err);
	else if (slice_is(kty, "EC"))
		v = read_ec(o, to, err);
	else
		v = left_out(err, "its kty is neither RSA nor EC");
	return v == TAKEN ? check_algorithm(o, to, err) : v;
}

static void
key_fini(struct jwk *k)
{
	free((void *)(uintptr_t)k->kid.data);
	EVP_PKEY_free(k->key);
	*k = (struct jwk){ 0 };
}

/* ---- the set ---- */

/* Also of two keys without a kid, neither of which could ever be chosen. */
static bool
is_double(const struct jwks *j, const struct jwk *k)
{
	for (uint32_t i = 0; i < j->count; i++)
		if (slice_eq(j->keys[i].kid, k->kid))
			return true;
	return false;
}

static bool
add_key(struct jwks *j, const json_t *o, size_t i, struct error *err)
{
	struct jwk *k = &j->keys[j->count];
	struct error why;
	enum verdict v = read_key(o, k, &why);

	if (v == TAKEN && is_double(j, k))
		v = broken(&why, k->kid.data != NULL ? "its kid is there "
		    "twice" : "two keys have no kid");
	if (v == TAKEN) {
		j->count++;
		return true;
	}
	key_fini(k);
	if (v == BROKEN)
		return error_set(err, "keys[%zu]: %s", i, why.text);
	if (j->left_out++ == 0)
		snprintf(j->why.text, sizeof(j->why.text), "keys[%zu]: %.400s",
		    i, why.text);
	return true;
}

static struct jwks *
set_of(const json_t *keys, struct error *err)
{
	size_t n = json_array_size(keys);
	struct jwks *j = mem_zalloc(sizeof(*j) + n * sizeof(j->keys[0]));
	bool ok = true;

	atomic_init(&j->refs, 1);
	for (size_t i = 0; ok && i < n; i++)
		ok = add_key(j, json_array_get(keys, i), i, err);
	if (ok && j->count == 0)
		ok = error_set(err, "no key in it can be used%s%s",
		    j->left_out > 0 ? "; " : "", j->why.text);
	if (ok)
		return j;
	jwks_unref(j);
	return NULL;
}

struct jwks *
jwks_parse(struct slice text, struct error *err)
{
	struct jwks *j = NULL;
	json_t *doc, *keys;

	if (text.len > JWKS_SIZE_MAX) {
		error_set(err, "the JWKS is longer than %d KiB",
		    JWKS_SIZE_MAX / 1024);
		return NULL;
	}
	doc = strict_json_object(text, JWKS_DEPTH_MAX, err);
	if (doc == NULL) {
		error_prefix(err, "the JWKS");
		return NULL;
	}
	keys = json_object_get(doc, "keys");
	if (!json_is_array(keys))
		error_set(err, "the JWKS has no list \"keys\"");
	else if (json_array_size(keys) > JWKS_KEYS_MAX)
		error_set(err, "the JWKS has more than %d keys", JWKS_KEYS_MAX);
	else
		j = set_of(keys, err);
	json_decref(doc);
	return j;
}

struct jwks *
jwks_load(const char *path, struct error *err)
{
	struct jwks *j = NULL;
	size_t len;
	char *text = file_read(path, JWKS_SIZE_MAX, false, &len, err);

	if (text != NULL)
		j = jwks_parse((struct slice){ (const uint8_t *)text,
		    (uint32_t)len }, err);
	if (j == NULL)
		error_prefix(err, "%s", path);
	free(text);
	return j;
}

struct jwks *
jwks_ref(struct jwks *j)
{
	atomic_fetch_add(&j->refs, 1);
	return j;
}

void
jwks_unref(struct jwks *j)
{
	if (j == NULL || atomic_fetch_sub(&j->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < j->count; i++)
		key_fini(&j->keys[i]);
	free(j);
}

uint32_t
jwks_count(const struct jwks *j)
{
	return j->count;
}

uint32_t
jwks_left_out(const struct jwks *j, const char **why)
{
	*why = j->why.text;
	return j->left_out;
}

const struct jwk *
jwks_find(const struct jwks *j, struct slice kid)
{
	if (kid.data == NULL)
		return j->count == 1 ? &j->keys[0] : NULL;
	for (uint32_t i = 0; i < j->count; i++)
		if (slice_eq(j->keys[i].kid, kid))
			return &j->keys[i];
	return NULL;
}

/* ---- signatures ---- */

uint32_t
jwk_algorithms(const struct jwk *k, uint32_t allowed)
{
	uint32_t both = k->algorithms & allowed;

	return (both & RS_BITS) != 0 ? both & RS_BITS : both;
}

/* r and s of fixed length (RFC 7518 section 3.4) as the DER that OpenSSL
 * wants; 0: no. */
static size_t
der_of(struct slice rs, uint8_t *to, size_t size)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int half = (int)rs.len / 2, n = 0;
	BIGNUM *r = BN_bin2bn(rs.data, half, NULL);
	BIGNUM *s = BN_bin2bn(rs.data + half, half, NULL);

	if (sig != NULL && r != NULL && s != NULL &&
	    ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL;
		n = i2d_ECDSA_SIG(sig, NULL);
		if (n > 0 && (size_t)n <= size)
			n = i2d_ECDSA_SIG(sig, &to);
		else
			n = 0;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return n > 0 ? (size_t)n : 0;
}

/* The salt is as long as the hash, no more and no less, and the mask's hash is
 * the same (RFC 7518 section 3.5). */
static bool
set_padding(EVP_PKEY_CTX *ctx, const struct algorithm *a)
{
	if (a->kind == KIND_RS)
		return EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PADDING) == 1;
	if (a->kind == KIND_ES)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, a->digest, NULL) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool
jwk_verify(const struct jwk *k, enum jwt_algorithm which, struct slice text,
    struct slice signature)
{
	const struct algorithm *a = &algorithms[which];
	size_t want = a->kind == KIND_ES ? 2 * k->bytes : k->bytes;
	uint8_t der[2 * EC_BYTES_MAX + 16];
	EVP_PKEY_CTX *ctx;
	EVP_MD_CTX *md;
	bool ok;

	if ((k->algorithms & 1u << which) == 0 || signature.len != want)
		return false;
	if (a->kind == KIND_ES) {
		signature.len = (uint32_t)der_of(signature, der, sizeof(der));
		signature.data = der;
	}
	md = EVP_MD_CTX_new();
	ok = md != NULL && signature.len > 0 && EVP_DigestVerifyInit_ex(md,
	    &ctx, a->digest, NULL, NULL, k->key, NULL) == 1 &&
	    set_padding(ctx, a) && EVP_DigestVerify(md, signature.data,
	    signature.len, text.data, text.len) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok;
}
