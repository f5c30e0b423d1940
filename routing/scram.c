/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"

enum { NONCE_BYTES = 18, KEY_MAX = 64, SALT_MAX = 1024 };

struct scram {
	const EVP_MD	*md;
	unsigned int	 key_len;
	const char	*username, *password;
	char		 nonce[64];
	char		 first[SCRAM_TEXT_MAX];	/* with "n,," */
	char		 last[SCRAM_TEXT_MAX];
	uint8_t		 server_signature[KEY_MAX];
};

struct scram *
scram_new(int bits, const char *username, const char *password,
    const char *nonce)
{
	struct scram *s = mem_zalloc(sizeof(*s));
	uint8_t random[NONCE_BYTES];

	s->md = bits == 512 ? EVP_sha512() : EVP_sha256();
	s->key_len = (unsigned int)EVP_MD_get_size(s->md);
	s->username = username;
	s->password = password;
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

struct slice
scram_first(struct scram *s)
{
	size_t n = (size_t)snprintf(s->first, sizeof(s->first), "n,,n=");

	/* ',' and '=' have a meaning of their own. */
	for (const char *p = s->username; *p != '\0' &&
	    n + 128 < sizeof(s->first); p++) {
		if (*p == ',' || *p == '=')
			n += (size_t)snprintf(s->first + n,
			    sizeof(s->first) - n, *p == ',' ? "=2C" : "=3D");
		else
			s->first[n++] = *p;
	}
	snprintf(s->first + n, sizeof(s->first) - n, ",r=%s", s->nonce);
	return slice_of(s->first);
}

/* The value of attribute `name` in "a=...,b=..."; false when it is missing. */
static bool
attribute(const char *text, char name, char *to, size_t size)
{
	for (const char *p = text; p != NULL; p = strchr(p, ',')) {
		const char *end;

		if (*p == ',')
			p++;
		if (p[0] != name || p[1] != '=')
			continue;
		end = strchr(p, ',');
		return (size_t)snprintf(to, size, "%.*s",
		    end ? (int)(end - p - 2) : (int)strlen(p + 2), p + 2) <
		    size;
	}
	return false;
}

static int
decode_base64(const char *text, uint8_t *to, size_t size)
{
	size_t len = strlen(text);
	int n;

	if (len == 0 || len % 4 != 0 || len / 4 * 3 > size)
		return -1;
	n = EVP_DecodeBlock(to, (const unsigned char *)text, (int)len);
	if (n < 0)
		return -1;
	if (text[len - 1] == '=')
		n--;
	if (text[len - 2] == '=')
		n--;
	return n;
}

static void
hmac(const struct scram *s, const uint8_t *key, const char *text,
    uint8_t *to)
{
	unsigned int len;

	HMAC(s->md, key, (int)s->key_len, (const unsigned char *)text,
	    strlen(text), to, &len);
}

/* The proof that we know the password; sets what the server must answer. */
static void
prove(struct scram *s, const uint8_t *salted, const char *message,
    uint8_t *proof)
{
	uint8_t client_key[KEY_MAX], stored_key[KEY_MAX], server_key[KEY_MAX];

	hmac(s, salted, "Client Key", client_key);
	EVP_Digest(client_key, s->key_len, stored_key, NULL, s->md, NULL);
	hmac(s, stored_key, message, proof);
	for (unsigned int i = 0; i < s->key_len; i++)
		proof[i] ^= client_key[i];
	hmac(s, salted, "Server Key", server_key);
	hmac(s, server_key, message, s->server_signature);
	OPENSSL_cleanse(client_key, sizeof(client_key));
	OPENSSL_cleanse(stored_key, sizeof(stored_key));
	OPENSSL_cleanse(server_key, sizeof(server_key));
}

struct challenge {
	char		 nonce[256];
	uint8_t		 salt[SALT_MAX];
	int		 salt_len;
	long		 rounds;
};

static bool
read_challenge(const struct scram *s, const char *text, struct challenge *c,
    struct error *err)
{
	char salt[SALT_MAX], rounds[16], *end;

	if (attribute(text, 'm', salt, sizeof(salt)))
		return error_set(err, "the broker's SCRAM challenge has an "
		    "extension that is not known");
	if (!attribute(text, 'r', c->nonce, sizeof(c->nonce)) ||
	    !attribute(text, 's', salt, sizeof(salt)) ||
	    !attribute(text, 'i', rounds, sizeof(rounds)))
		return error_set(err, "the broker's SCRAM challenge is "
		    "incomplete");
	if (strncmp(c->nonce, s->nonce, strlen(s->nonce)) != 0 ||
	    strlen(c->nonce) == strlen(s->nonce))
		return error_set(err, "the broker's SCRAM nonce does not "
		    "continue ours");
	c->salt_len = decode_base64(salt, c->salt, sizeof(c->salt));
	c->rounds = strtol(rounds, &end, 10);
	if (c->salt_len <= 0 || *end != '\0')
		return error_set(err, "the broker's SCRAM challenge cannot be "
		    "read");
	if (c->rounds < SCRAM_ROUNDS_MIN || c->rounds > SCRAM_ROUNDS_MAX)
		return error_set(err, "the broker asks for %ld SCRAM rounds; "
		    "%d to %d are accepted", c->rounds, SCRAM_ROUNDS_MIN,
		    SCRAM_ROUNDS_MAX);
	return true;
}

bool
scram_final(struct scram *s, struct slice server_first, struct slice *to,
    struct error *err)
{
	char text[SCRAM_TEXT_MAX], bare[300], proof_text[128];
	char message[SCRAM_TEXT_MAX * 2 + 512];
	uint8_t salted[KEY_MAX], proof[KEY_MAX];
	struct challenge c;

	if (server_first.len >= sizeof(text))
		return error_set(err, "the broker's SCRAM challenge is too "
		    "long");
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(server_first));
	if (!read_challenge(s, text, &c, err))
		return false;
	PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password), c.salt,
	    c.salt_len, (int)c.rounds, s->md, (int)s->key_len, salted);
	/* "biws" is "n,," in base64: no channel binding. */
	snprintf(bare, sizeof(bare), "c=biws,r=%s", c.nonce);
	snprintf(message, sizeof(message), "%s,%s,%s", s->first + 3, text,
	    bare);
	prove(s, salted, message, proof);
	OPENSSL_cleanse(salted, sizeof(salted));
	EVP_EncodeBlock((unsigned char *)proof_text, proof, (int)s->key_len);
	snprintf(s->last, sizeof(s->last), "%s,p=%s", bare, proof_text);
	*to = slice_of(s->last);
	return true;
}

bool
scram_verify(struct scram *s, struct slice server_final, struct error *err)
{
	char text[SCRAM_TEXT_MAX], value[SCRAM_TEXT_MAX];
	uint8_t signature[256];

	if (server_final.len >= sizeof(text))
		return error_set(err, "the broker's SCRAM answer is too long");
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(server_final));
	if (attribute(text, 'e', value, sizeof(value)))
		return error_set(err, "the broker refused the SCRAM login");
	if (!attribute(text, 'v', value, sizeof(value)) ||
	    decode_base64(value, signature, sizeof(signature)) !=
	    (int)s->key_len || CRYPTO_memcmp(signature, s->server_signature,
	    s->key_len) != 0)
		return error_set(err, "the broker's SCRAM signature is wrong: "
		    "it does not know the password");
	return true;
}
