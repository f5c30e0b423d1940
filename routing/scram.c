/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"

enum {
	NONCE_BYTES = 18,		/* of ours, before base64 */
	GS2_LEN = 3,			/* "n,,": no channel binding */
	STEP_NONE = 0, STEP_FIRST, STEP_FINAL,
};

struct scram {
	int		 bits;
	const EVP_MD	*md;
	unsigned int	 key_len;
	const char	*username, *password;
	struct scram_keys *keys;	/* the caller's, or own */
	struct scram_keys own;
	int		 step;
	char		 nonce[64];
	char		 first[SCRAM_TEXT_MAX];	/* with "n,," */
	char		 last[SCRAM_TEXT_MAX];
	uint8_t		 server_signature[SCRAM_KEY_MAX];
};

void
scram_keys_cleanse(struct scram_keys *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

struct scram *
scram_new(int bits, const char *username, const char *password,
    const char *nonce)
{
	struct scram *s = mem_zalloc(sizeof(*s));
	uint8_t random[NONCE_BYTES];

	s->bits = bits;
	s->md = bits == 512 ? EVP_sha512() : EVP_sha256();
	s->key_len = (unsigned int)EVP_MD_get_size(s->md);
	s->username = username;
	s->password = password;
	s->keys = &s->own;
	if (nonce != NULL) {
		snprintf(s->nonce, sizeof(s->nonce), "%s", nonce);
		return s;
	}
	if (RAND_bytes(random, sizeof(random)) != 1)
		abort();	/* without randomness nothing is safe */
	EVP_EncodeBlock((unsigned char *)s->nonce, random, sizeof(random));
	return s;
}

void
scram_free(struct scram *s)
{
	if (s == NULL)
		return;
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

void
scram_use_keys(struct scram *s, struct scram_keys *keys)
{
	s->keys = keys;
}

struct slice
scram_first(struct scram *s)
{
	size_t room = sizeof(s->first) - sizeof(s->nonce) - 16;
	size_t n = (size_t)snprintf(s->first, sizeof(s->first), "n,,n=");

	/* ',' and '=' have a meaning of their own. */
	for (const char *p = s->username; *p != '\0'; p++) {
		if (n + 3 > room)
			return SLICE_NULL;
		if (*p == ',' || *p == '=')
			n += (size_t)snprintf(s->first + n,
			    sizeof(s->first) - n, *p == ',' ? "=2C" : "=3D");
		else
			s->first[n++] = *p;
	}
	n += (size_t)snprintf(s->first + n, sizeof(s->first) - n, ",r=%s",
	    s->nonce);
	s->step = STEP_FIRST;
	return (struct slice){ (uint8_t *)s->first, (uint32_t)n };
}

/* ---- the server's messages ---- */

/* Takes "name=value" and the comma behind it off the front of `in`. */
static bool
take(struct slice *in, char name, struct slice *value)
{
	const uint8_t *comma;
	uint32_t len;

	if (in->len < 2 || in->data[0] != name || in->data[1] != '=')
		return false;
	comma = memchr(in->data, ',', in->len);
	len = comma ? (uint32_t)(comma - in->data) : in->len;
	*value = (struct slice){ in->data + 2, len - 2 };
	if (comma != NULL)
		len++;
	in->data += len;
	in->len -= len;
	return true;
}

static bool
is_base64(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Bytes written to `to`, or -1. OpenSSL's decoder overlooks blanks and counts
 * padding as bytes. */
static int
decode_base64(struct slice text, uint8_t *to, size_t size)
{
	uint32_t pad = 0;

	if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > size)
		return -1;
	while (pad < 2 && text.data[text.len - 1 - pad] == '=')
		pad++;
	for (uint32_t i = 0; i < text.len - pad; i++)
		if (!is_base64(text.data[i]))
			return -1;
	if (EVP_DecodeBlock(to, text.data, (int)text.len) < 0)
		return -1;
	return (int)(text.len / 4 * 3 - pad);
}

static long
read_rounds(struct slice text)
{
	long n = 0;

	if (text.len == 0 || text.len > 9)
		return -1;
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		n = n * 10 + (text.data[i] - '0');
	}
	return n;
}

struct challenge {
	struct slice	 nonce;
	uint8_t		 salt[SCRAM_SALT_MAX];
	size_t		 salt_len;
	long		 rounds;
};

static bool
nonce_continues(const struct scram *s, struct slice nonce)
{
	size_t ours = strlen(s->nonce);

	if (nonce.len <= ours || nonce.len > SCRAM_NONCE_MAX ||
	    memcmp(nonce.data, s->nonce, ours) != 0)
		return false;
	for (uint32_t i = 0; i < nonce.len; i++)
		if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e)
			return false;
	return true;
}

/* r=nonce,s=salt,i=rounds in this order; "m=" before it would be an extension
 * that must be understood, what follows it need not be. */
static bool
read_challenge(const struct scram *s, struct slice text, struct challenge *c,
    struct error *err)
{
	struct slice salt, rounds;
	int n;

	if (take(&text, 'm', &salt))
		return error_set(err, "the broker's SCRAM challenge has an "
		    "extension that is not known");
	if (!take(&text, 'r', &c->nonce) || !take(&text, 's', &salt) ||
	    !take(&text, 'i', &rounds))
		return error_set(err, "the broker's SCRAM challenge is "
		    "incomplete");
	if (!nonce_continues(s, c->nonce))
		return error_set(err, "the broker's SCRAM nonce does not "
		    "continue ours");
	n = decode_base64(salt, c->salt, sizeof(c->salt));
	if (n <= 0)
		return error_set(err, "the broker's SCRAM salt cannot be read");
	c->salt_len = (size_t)n;
	c->rounds = read_rounds(rounds);
	if (c->rounds < SCRAM_ROUNDS_MIN || c->rounds > SCRAM_ROUNDS_MAX)
		return error_set(err, "the broker asks for %ld SCRAM rounds; "
		    "%d to %d are accepted", c->rounds, SCRAM_ROUNDS_MIN,
		    SCRAM_ROUNDS_MAX);
	return true;
}

/* ---- what is derived ---- */

static bool
hmac(const struct scram *s, const uint8_t *key, struct slice text,
    uint8_t *to)
{
	unsigned int len;

	return HMAC(s->md, key, (int)s->key_len, text.data, text.len, to,
	    &len) != NULL && len == s->key_len;
}

static bool
derive(const struct scram *s, const struct challenge *c)
{
	struct scram_keys *k = s->keys;
	uint8_t salted[SCRAM_KEY_MAX];
	bool ok;

	if (k->set && k->bits == s->bits && k->rounds == c->rounds &&
	    k->salt_len == c->salt_len &&
	    memcmp(k->salt, c->salt, c->salt_len) == 0)
		return true;
	ok = PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password), c->salt,
	    (int)c->salt_len, (int)c->rounds, s->md, (int)s->key_len,
	    salted) == 1 &&
	    hmac(s, salted, SLICE_LIT("Client Key"), k->client_key) &&
	    hmac(s, salted, SLICE_LIT("Server Key"), k->server_key);
	OPENSSL_cleanse(salted, sizeof(salted));
	k->set = ok;
	k->bits = s->bits;
	k->rounds = c->rounds;
	k->salt_len = c->salt_len;
	memcpy(k->salt, c->salt, c->salt_len);
	return ok;
}

/* The proof that we know the password; sets what the server must answer. */
static bool
prove(struct scram *s, struct slice message, uint8_t *proof)
{
	const struct scram_keys *k = s->keys;
	uint8_t stored_key[SCRAM_KEY_MAX];
	bool ok;

	ok = EVP_Digest(k->client_key, s->key_len, stored_key, NULL, s->md,
	    NULL) == 1 && hmac(s, stored_key, message, proof) &&
	    hmac(s, k->server_key, message, s->server_signature);
	for (unsigned int i = 0; i < s->key_len; i++)
		proof[i] ^= k->client_key[i];
	OPENSSL_cleanse(stored_key, sizeof(stored_key));
	return ok;
}

bool
scram_final(struct scram *s, struct slice server_first, struct slice *to,
    struct error *err)
{
	char bare[SCRAM_NONCE_MAX + 16], message[SCRAM_TEXT_MAX * 3];
	char proof_text[SCRAM_KEY_MAX * 2];
	uint8_t proof[SCRAM_KEY_MAX] = { 0 };
	struct challenge c;
	int n;

	if (s->step != STEP_FIRST || server_first.len >= SCRAM_TEXT_MAX)
		return error_set(err, "the broker's SCRAM challenge is too "
		    "long, or not expected");
	if (!read_challenge(s, server_first, &c, err))
		return false;
	/* "biws" is "n,," in base64. */
	snprintf(bare, sizeof(bare), "c=biws,r=%.*s", SLICE_FMT(c.nonce));
	n = snprintf(message, sizeof(message), "%s,%.*s,%s",
	    s->first + GS2_LEN, SLICE_FMT(server_first), bare);
	if (!derive(s, &c) || !prove(s, (struct slice){ (uint8_t *)message,
	    (uint32_t)n }, proof))
		return error_set(err, "SCRAM cannot be computed");
	EVP_EncodeBlock((unsigned char *)proof_text, proof, (int)s->key_len);
	snprintf(s->last, sizeof(s->last), "%s,p=%s", bare, proof_text);
	s->step = STEP_FINAL;
	*to = slice_of(s->last);
	return true;
}

bool
scram_verify(struct scram *s, struct slice server_final, struct error *err)
{
	struct slice value = SLICE_NULL, fault;
	uint8_t signature[SCRAM_KEY_MAX + 8];
	bool has_value = take(&server_final, 'v', &value);

	if (take(&server_final, 'e', &fault))
		return error_set(err, "the broker refused the SCRAM login");
	if (s->step != STEP_FINAL || !has_value ||
	    decode_base64(value, signature, sizeof(signature)) !=
	    (int)s->key_len || CRYPTO_memcmp(signature, s->server_signature,
	    s->key_len) != 0)
		return error_set(err, "the broker's SCRAM signature is wrong: "
		    "it does not know the password");
	return true;
}
