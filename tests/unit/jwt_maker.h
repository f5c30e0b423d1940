/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An issuer as tests need it: keys, their JWKs, and tokens that are signed
 * rightly or in one of many wrong ways. Failures of OpenSSL abort.
 */
#ifndef WEIR_TESTS_JWT_MAKER_H
#define WEIR_TESTS_JWT_MAKER_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"
#include "auth/jwks.h"
#include "gateway/base/mem.h"

enum { MAKER_TEXT = 64 * 1024 };

/* How a token is signed; the first are those of enum jwt_algorithm. */
enum maker_how {
	MAKER_NONE = JWT_ALGORITHM_COUNT,	/* an empty signature */
	MAKER_PS256_NO_SALT, MAKER_PS256_LONG_SALT, MAKER_PS256_MGF_SHA1,
	MAKER_ES256_DER, MAKER_ES256_SHORT, MAKER_ES256_LONG,
	MAKER_ES256_ZERO, MAKER_ES256_ORDER, MAKER_RS256_FLIPPED,
	MAKER_RS256_SHORT, MAKER_RS256_LONG, MAKER_RS256_ZERO,
	MAKER_HS256_PEM, MAKER_HS256_DER, MAKER_HS256_JWK, MAKER_HS256_N,
	MAKER_HS256_EMPTY, MAKER_HS256_KID,
};

static inline EVP_PKEY *
maker_rsa(unsigned int bits)
{
	EVP_PKEY *k = EVP_RSA_gen(bits);

	assert(k != NULL);
	return k;
}

static inline EVP_PKEY *
maker_ec(const char *curve)
{
	EVP_PKEY *k = EVP_EC_gen(curve);

	assert(k != NULL);
	return k;
}

static inline char *
maker_base64(const void *p, size_t n)
{
	char *text = mem_alloc(BASE64URL_TEXT(n) + 1);

	base64url_encode(p, n, text);
	return text;
}

/* A number of the key as base64url, `bytes` long (0: as short as can be). */
static inline char *
maker_number(EVP_PKEY *k, const char *name, size_t bytes)
{
	BIGNUM *n = NULL;
	uint8_t raw[2048];
	int got;

	got = EVP_PKEY_get_bn_param(k, name, &n);
	assert(got == 1);
	if (bytes == 0)
		bytes = (size_t)BN_num_bytes(n);
	got = BN_bn2binpad(n, raw, (int)bytes);
	assert(got == (int)bytes);
	BN_free(n);
	return maker_base64(raw, bytes);
}

static inline size_t
maker_half(EVP_PKEY *k)
{
	return ((size_t)EVP_PKEY_get_bits(k) + 7) / 8;
}

/* {"kty":...,"kid":KID,...} with `more` behind it (,"alg":"RS256"); kid NULL:
 * none. free() it. */
static inline char *
maker_jwk(EVP_PKEY *k, const char *kid, const char *more)
{
	bool rsa = EVP_PKEY_is_a(k, "RSA");
	size_t half = rsa ? 0 : maker_half(k);
	char *a = maker_number(k, rsa ? "n" : "qx", half);
	char *b = maker_number(k, rsa ? "e" : "qy", half);
	char *text = mem_alloc(MAKER_TEXT);

	snprintf(text, MAKER_TEXT, "{\"kty\":\"%s\"%s%s%s%s%s%s,\"%s\":\"%s\","
	    "\"%s\":\"%s\"%s}", rsa ? "RSA" : "EC", kid ? ",\"kid\":\"" : "",
	    kid ? kid : "", kid ? "\"" : "", rsa ? "" : ",\"crv\":\"",
	    rsa ? "" : half == 32 ? "P-256" : half == 48 ? "P-384" : "P-521",
	    rsa ? "" : "\"", rsa ? "n" : "x", a, rsa ? "e" : "y", b, more);
	free(a);
	free(b);
	return text;
}

/* The private key's signature, as OpenSSL makes it. */
static inline size_t
maker_raw(EVP_PKEY *k, const char *digest, int pss_salt, const char *mgf,
    const char *text, uint8_t *to, size_t size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	int ok = EVP_DigestSignInit_ex(md, &ctx, digest, NULL, NULL, k, NULL);

	if (ok == 1 && mgf != NULL)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, mgf, NULL) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, pss_salt) == 1;
	if (ok == 1)
		ok = EVP_DigestSign(md, to, &size, (const uint8_t *)text,
		    strlen(text));
	assert(ok == 1);
	EVP_MD_CTX_free(md);
	return size;
}

/* r and s, each as long as the curve's numbers. */
static inline size_t
maker_rs(EVP_PKEY *k, const char *digest, const char *text, uint8_t *to)
{
	uint8_t der[256];
	const uint8_t *p = der;
	size_t half = maker_half(k), n = maker_raw(k, digest, 0, NULL, text,
	    der, sizeof(der));
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);

	assert(sig != NULL);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), to, (int)half);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), to + half, (int)half);
	ECDSA_SIG_free(sig);
	return 2 * half;
}

/* The public key in a form that somebody might take for a secret. */
static inline size_t
maker_secret(EVP_PKEY *k, enum maker_how how, char *to, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	int n = 0;

	if (how == MAKER_HS256_PEM)
		PEM_write_bio_PUBKEY(bio, k);
	else if (how == MAKER_HS256_DER)
		i2d_PUBKEY_bio(bio, k);
	else if (how == MAKER_HS256_JWK)
		text = maker_jwk(k, "rsa", "");
	else if (how == MAKER_HS256_N)
		text = maker_number(k, "n", 0);
	else if (how == MAKER_HS256_KID)
		text = mem_strdup("rsa");
	if (text != NULL)
		n = snprintf(to, size, "%s", text);
	else if (BIO_pending(bio) > 0)
		n = BIO_read(bio, to, (int)size);
	BIO_free(bio);
	free(text);
	return (size_t)n;
}

/* s = n - 1 and r = 0, n: numbers that no signature has. */
static inline size_t
maker_order(EVP_PKEY *k, uint8_t *to)
{
	size_t half = maker_half(k);
	BIGNUM *n = NULL;

	EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_EC_ORDER, &n);
	BN_bn2binpad(n, to, (int)half);
	BN_bn2binpad(n, to + half, (int)half);
	BN_free(n);
	return 2 * half;
}

static inline size_t
maker_wrong(EVP_PKEY *k, enum maker_how how, const char *text, uint8_t *to,
    size_t size)
{
	char secret[4096];
	unsigned int n = 0;
	size_t len;

	switch (how) {
	case MAKER_PS256_NO_SALT:
		return maker_raw(k, "SHA256", 0, "SHA256", text, to, size);
	case MAKER_PS256_LONG_SALT:
		return maker_raw(k, "SHA256", 64, "SHA256", text, to, size);
	case MAKER_PS256_MGF_SHA1:
		return maker_raw(k, "SHA256", 32, "SHA1", text, to, size);
	case MAKER_ES256_DER:
		return maker_raw(k, "SHA256", 0, NULL, text, to, size);
	case MAKER_ES256_SHORT:
		return maker_rs(k, "SHA256", text, to) - 1;
	case MAKER_ES256_LONG:
		len = maker_rs(k, "SHA256", text, to);
		to[len] = 0;
		return len + 1;
	case MAKER_ES256_ORDER:
		return maker_order(k, to);
	case MAKER_ES256_ZERO:
		memset(to, 0, 64);
		return 64;
	case MAKER_RS256_ZERO:
		memset(to, 0, 256);
		return 256;
	case MAKER_RS256_FLIPPED:
		len = maker_raw(k, "SHA256", 0, NULL, text, to, size);
		to[len / 2] ^= 4;
		return len;
	case MAKER_RS256_SHORT:
		return maker_raw(k, "SHA256", 0, NULL, text, to, size) - 1;
	case MAKER_RS256_LONG:
		len = maker_raw(k, "SHA256", 0, NULL, text, to + 1, size - 1);
		to[0] = 0;
		return len + 1;
	case MAKER_NONE:
		return 0;
	default:
		len = maker_secret(k, how, secret, sizeof(secret));
		HMAC(EVP_sha256(), secret, (int)len, (const uint8_t *)text,
		    strlen(text), to, &n);
		return n;
	}
}

/* header.claims.signature; free() it. */
static inline char *
maker_sign(EVP_PKEY *k, int how, const char *header, const char *claims)
{
	static const char *const digests[] = { "SHA256", "SHA384", "SHA512" };
	static const int salts[] = { 32, 48, 64 };
	char *token = mem_alloc(MAKER_TEXT);
	uint8_t sig[2048];
	size_t n = base64url_encode(header, strlen(header), token);
	size_t len;

	assert(BASE64URL_TEXT(strlen(claims)) + n + 3000 < MAKER_TEXT);
	token[n++] = '.';
	n += base64url_encode(claims, strlen(claims), token + n);
	if (how >= JWT_ALGORITHM_COUNT)
		len = maker_wrong(k, (enum maker_how)how, token, sig,
		    sizeof(sig));
	else if (how >= JWT_ES256)
		len = maker_rs(k, digests[how % 3], token, sig);
	else
		len = maker_raw(k, digests[how % 3], salts[how % 3],
		    how >= JWT_PS256 ? digests[how % 3] : NULL, token, sig,
		    sizeof(sig));
	token[n++] = '.';
	base64url_encode(sig, len, token + n);
	return token;
}

/*
 * JSON from members and changes to them: "exp=12|nbf=|+sub='x'" replaces exp,
 * takes nbf out and adds another sub; what is new is added; the last change of
 * a member counts. A text that begins
 * with ! is the whole of it. ' stands for ". free() it.
 */
static inline char *
maker_json(const char *members, const char *changes)
{
	char *text = mem_alloc(MAKER_TEXT), *save, *copy, *one, *more = NULL;
	size_t n = 0;

	if (changes != NULL && *changes == '!') {
		n = (size_t)snprintf(text, MAKER_TEXT, "%s", changes + 1);
	} else {
		text[n++] = '{';
		copy = mem_strdup(members);
		for (one = strtok_r(copy, "|", &save); one != NULL;
		    one = strtok_r(NULL, "|", &save)) {
			size_t name = strcspn(one, "=") + 1;
			const char *to = one + name, *c = changes;

			for (; c != NULL; c = (c = strchr(c, '|')) ? c + 1 :
			    NULL)
				if (strncmp(c, one, name) == 0)
					to = c + name;
			if (strcspn(to, "|") > 0)
				n += (size_t)snprintf(text + n, MAKER_TEXT - n,
				    "%s'%.*s':%.*s", n > 1 ? "," : "",
				    (int)name - 1, one, (int)strcspn(to, "|"),
				    to);
		}
		free(copy);
		more = mem_strdup(changes != NULL ? changes : "");
		copy = mem_alloc(strlen(members) + 2);
		snprintf(copy, strlen(members) + 2, "|%s", members);
		for (one = strtok_r(more, "|", &save); one != NULL;
		    one = strtok_r(NULL, "|", &save)) {
			size_t name = strcspn(one, "=");
			char key[256];

			snprintf(key, sizeof(key), "|%.*s=", (int)name, one);
			if (*one != '+' && strstr(copy, key) != NULL)
				continue;
			one += *one == '+';
			name = strcspn(one, "=");
			n += (size_t)snprintf(text + n, MAKER_TEXT - n,
			    "%s'%.*s':%s", n > 1 ? "," : "", (int)name, one,
			    one + name + 1);
		}
		free(copy);
		n += (size_t)snprintf(text + n, MAKER_TEXT - n, "}");
	}
	assert(n < MAKER_TEXT);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\'')
			text[i] = '"';
	free(more);
	return text;
}

#endif
