/* SPDX-License-Identifier: Apache-2.0 */
/* Derived keys, those a worker keeps, and what is signed with them. */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/sigv4.h"
#include "gateway/base/mem.h"

enum {
	DIGEST = 32,
	WAYS = 4,
	SETS = SIGV4_CACHE_KEYS / WAYS,
};

/* A kept key is found by a tag of all it was derived from, the secret too, so
 * that a secret which was rotated finds nothing. The tag's own key is drawn at
 * random: tags say nothing about secrets. */
struct kept {
	uint8_t		 tag[DIGEST];
	uint8_t		 key[DIGEST];
	uint64_t	 used;		/* 0: empty */
};

/* OpenSSL 3 looks an algorithm up by name in each one-shot call, which costs
 * more than the hashing: contexts are made once. */
struct auth_cache {
	EVP_MD		*md;
	EVP_MD_CTX	*digest;
	EVP_MAC		*mac;
	EVP_MAC_CTX	*hmac;
	uint8_t		 tag_key[DIGEST];
	uint64_t	 turn, derived;
	struct kept	 kept[SETS][WAYS];
};

/* What does not fail but for want of memory or a broken installation. */
static void
must(bool ok)
{
	if (!ok)
		abort();
}

struct auth_cache *
auth_cache_new(void)
{
	struct auth_cache *c = mem_zalloc(sizeof(*c));
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name,
		    0),
		OSSL_PARAM_construct_end(),
	};

	c->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	c->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	must(c->md != NULL && c->mac != NULL);
	c->digest = EVP_MD_CTX_new();
	c->hmac = EVP_MAC_CTX_new(c->mac);
	must(c->digest != NULL && c->hmac != NULL &&
	    EVP_MAC_CTX_set_params(c->hmac, params) == 1 &&
	    RAND_bytes(c->tag_key, sizeof(c->tag_key)) == 1);
	return c;
}

void
auth_cache_free(struct auth_cache *c)
{
	if (c == NULL)
		return;
	EVP_MD_CTX_free(c->digest);
	EVP_MAC_CTX_free(c->hmac);
	EVP_MD_free(c->md);
	EVP_MAC_free(c->mac);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
}

uint64_t
sigv4_derived(const struct auth_cache *c)
{
	return c->derived;
}

static void
hmac(struct auth_cache *c, const uint8_t *key, size_t key_len,
    const struct slice *v, uint32_t n, uint8_t to[DIGEST])
{
	size_t len;

	must(EVP_MAC_init(c->hmac, key, key_len, NULL) == 1);
	for (uint32_t i = 0; i < n; i++)
		must(EVP_MAC_update(c->hmac, v[i].data, v[i].len) == 1);
	must(EVP_MAC_final(c->hmac, to, &len, DIGEST) == 1 && len == DIGEST);
}

static struct slice
day_of(const struct sigv4_request *r)
{
	return (struct slice){ r->time.data, SIGV4_DAY };
}

/* ---- derived keys ---- */

static void
derive(struct auth_cache *c, const struct sigv4_request *r,
    struct slice secret, uint8_t key[DIGEST])
{
	struct slice steps[] = { day_of(r), r->region,
	    SLICE_LIT(SIGV4_SERVICE), SLICE_LIT(SIGV4_TERMINATOR) };
	uint8_t first[4 + AUTH_SECRET_MAX] = "AWS4";

	assert(secret.len <= AUTH_SECRET_MAX);
	if (secret.len > 0)
		memcpy(first + 4, secret.data, secret.len);
	hmac(c, first, 4 + secret.len, &steps[0], 1, key);
	for (int i = 1; i < 4; i++)
		hmac(c, key, DIGEST, &steps[i], 1, key);
	OPENSSL_cleanse(first, sizeof(first));
	c->derived++;
}

static void
tag_of(struct auth_cache *c, const struct sigv4_request *r,
    struct slice secret, uint8_t tag[DIGEST])
{
	/* Neither an id nor a region has a line's end in it, and a day has one
	 * length. */
	struct slice v[] = { day_of(r), r->key_id, SLICE_LIT("\n"), r->region,
	    SLICE_LIT("\n"), secret };

	hmac(c, c->tag_key, DIGEST, v, 6, tag);
}

static struct kept *
set_of(struct auth_cache *c, const uint8_t tag[DIGEST])
{
	return c->kept[(tag[0] | (unsigned int)tag[1] << 8) % SETS];
}

static bool
find(struct auth_cache *c, const uint8_t tag[DIGEST], uint8_t key[DIGEST])
{
	struct kept *set = set_of(c, tag);

	for (int i = 0; i < WAYS; i++) {
		if (set[i].used == 0 ||
		    CRYPTO_memcmp(set[i].tag, tag, DIGEST) != 0)
			continue;
		set[i].used = ++c->turn;
		memcpy(key, set[i].key, DIGEST);
		return true;
	}
	return false;
}

/* In place of the one that was not used for longest. */
static void
keep(struct auth_cache *c, const uint8_t tag[DIGEST],
    const uint8_t key[DIGEST])
{
	struct kept *set = set_of(c, tag), *oldest = set;

	for (int i = 1; i < WAYS; i++)
		if (set[i].used < oldest->used)
			oldest = &set[i];
	memcpy(oldest->tag, tag, DIGEST);
	memcpy(oldest->key, key, DIGEST);
	oldest->used = ++c->turn;
}

/* ---- signatures ---- */

static void
to_hex(const uint8_t *from, size_t n, char *to)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = digits[from[i] >> 4];
		to[2 * i + 1] = digits[from[i] & 15];
	}
}

static void
sign_with(struct auth_cache *c, const struct sigv4_request *r,
    const uint8_t key[DIGEST], char hex[SIGV4_HEX])
{
	uint8_t digest[DIGEST];
	char digest_hex[2 * DIGEST];
	struct slice v[] = { SLICE_LIT(SIGV4_ALGORITHM "\n"), r->time,
	    SLICE_LIT("\n"), day_of(r), SLICE_LIT("/"), r->region,
	    SLICE_LIT("/" SIGV4_SERVICE "/" SIGV4_TERMINATOR "\n"),
	    { (const uint8_t *)digest_hex, sizeof(digest_hex) } };

	must(EVP_DigestInit_ex2(c->digest, c->md, NULL) == 1 &&
	    EVP_DigestUpdate(c->digest, r->canonical.data,
	    r->canonical.len) == 1 &&
	    EVP_DigestFinal_ex(c->digest, digest, NULL) == 1);
	to_hex(digest, DIGEST, digest_hex);
	hmac(c, key, DIGEST, v, sizeof(v) / sizeof(v[0]), digest);
	to_hex(digest, DIGEST, hex);
}

void
sigv4_sign(struct auth_cache *c, const struct sigv4_request *r,
    struct slice secret, char hex[SIGV4_HEX])
{
	uint8_t tag[DIGEST], key[DIGEST];

	assert(r->time.len == SIGV4_TIME);
	tag_of(c, r, secret, tag);
	if (!find(c, tag, key)) {
		derive(c, r, secret, key);
		keep(c, tag, key);
	}
	sign_with(c, r, key, hex);
	OPENSSL_cleanse(key, sizeof(key));
}

bool
sigv4_verify(struct auth_cache *c, const struct sigv4_request *r,
    struct slice secret, bool known, struct slice signature)
{
	uint8_t tag[DIGEST], key[DIGEST];
	char hex[SIGV4_HEX];
	bool was_kept, ok;

	assert(r->time.len == SIGV4_TIME && signature.len == SIGV4_HEX);
	tag_of(c, r, secret, tag);
	was_kept = find(c, tag, key);
	if (!was_kept)
		derive(c, r, secret, key);
	sign_with(c, r, key, hex);
	ok = CRYPTO_memcmp(hex, signature.data, SIGV4_HEX) == 0 && known;
	if (ok && !was_kept)
		keep(c, tag, key);
	else if (!ok && was_kept)
		derive(c, r, secret, key);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(hex, sizeof(hex));
	return ok;
}
