/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/base/mem.h"

enum { VERSION = 1, KEY_LEN = 32, MASTER_LEN_MAX = 1024 };

struct master {
	uint8_t		 hint[SEAL_HINT_LEN];
	uint8_t		 keys[SEAL_PURPOSE_COUNT][KEY_LEN];
};

struct seal {
	atomic_int	 refs;
	EVP_CIPHER	*cipher;
	uint32_t	 count;
	struct master	 masters[SEAL_MASTERS_MAX];
};

static const char *const purposes[] = {
	[SEAL_KEY_FILE] = "weir key file 1",
	[SEAL_SESSION_TOKEN] = "weir session token 1",
	[SEAL_DECOY] = "weir decoy 1",
};

/* ---- master keys ---- */

/* HKDF-SHA256 without salt: the master key is random already. */
static void
derive(struct slice master, const char *info, uint8_t *to, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
		    (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
		    (void *)(uintptr_t)master.data, master.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
		    (void *)(uintptr_t)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};

	if (ctx == NULL || EVP_KDF_derive(ctx, to, len, params) <= 0)
		abort();	/* an OpenSSL without HKDF is no use */
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static int
hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes, or 0: it is no hex. */
static uint32_t
from_hex(struct slice line, uint8_t *to)
{
	if (line.len % 2 != 0)
		return 0;
	for (uint32_t i = 0; i < line.len; i++) {
		int v = hex_value(line.data[i]);

		if (v < 0)
			return 0;
		to[i / 2] = (uint8_t)(i % 2 == 0 ? v << 4 : to[i / 2] | v);
	}
	return line.len / 2;
}

/* Bytes, or 0: it is no base64 with its padding. */
static uint32_t
from_base64(struct slice line, uint8_t *to)
{
	uint32_t pad = 0;

	if (line.len == 0 || line.len % 4 != 0)
		return 0;
	while (pad < 2 && line.data[line.len - 1 - pad] == '=')
		pad++;
	if (EVP_DecodeBlock(to, line.data, (int)line.len) < 0)
		return 0;
	return line.len / 4 * 3 - pad;
}

/* Encoded bytes when there are enough of them, else the text as it is. */
static bool
add_master(struct seal *s, struct slice line, struct error *err)
{
	uint8_t bytes[MASTER_LEN_MAX];
	struct slice key = line;
	struct master *m = &s->masters[s->count];
	uint32_t n;

	if (s->count == SEAL_MASTERS_MAX)
		return error_set(err, "there are more than %d master keys",
		    SEAL_MASTERS_MAX);
	if (line.len > MASTER_LEN_MAX)
		return error_set(err, "master key %u is longer than %d "
		    "characters", s->count + 1, MASTER_LEN_MAX);
	n = from_hex(line, bytes);
	if (n < SEAL_MASTER_MIN)
		n = from_base64(line, bytes);
	if (n >= SEAL_MASTER_MIN)
		key = (struct slice){ bytes, n };
	if (key.len < SEAL_MASTER_MIN)
		return error_set(err, "master key %u has %u characters, but "
		    "%d are the least: make one with `openssl rand -base64 "
		    "32`", s->count + 1, key.len, SEAL_MASTER_MIN);
	for (int i = 0; i < SEAL_PURPOSE_COUNT; i++)
		derive(key, purposes[i], m->keys[i], KEY_LEN);
	derive(key, "weir master key's name 1", m->hint, SEAL_HINT_LEN);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	s->count++;
	return true;
}

static bool
add_masters(struct seal *s, const char *text, struct error *err)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		if (len > 0 && !add_master(s, (struct slice){
		    (const uint8_t *)text, (uint32_t)len }, err))
			return false;
		text += len + (text[len] != '\0');
	}
	return s->count > 0 || error_set(err, "the master key is empty: make "
	    "one with `openssl rand -base64 32`");
}

struct seal *
seal_new(const char *masters, struct error *err)
{
	struct seal *s = mem_zalloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (s->cipher == NULL)
		abort();
	if (add_masters(s, masters, err))
		return s;
	seal_unref(s);
	return NULL;
}

struct seal *
seal_ref(struct seal *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void
seal_unref(struct seal *s)
{
	if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	EVP_CIPHER_free(s->cipher);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

/* ---- sealing ---- */

/* What is authenticated beside the text; the id's length keeps the parts
 * apart. NULL: a context that has been initialized and told it. */
static EVP_CIPHER_CTX *
begin(const struct seal *s, const struct master *m, enum seal_purpose purpose,
    struct slice id, const uint8_t *head, int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const char *name = purposes[purpose];
	uint8_t len[4] = { (uint8_t)(id.len >> 24), (uint8_t)(id.len >> 16),
	    (uint8_t)(id.len >> 8), (uint8_t)id.len };
	int n;

	if (ctx == NULL || EVP_CipherInit_ex2(ctx, s->cipher,
	    m->keys[purpose], head + 1 + SEAL_HINT_LEN, encrypt, NULL) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, head, 1 + SEAL_HINT_LEN) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, len, sizeof(len)) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, id.data, (int)id.len) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)name,
	    (int)strlen(name)) != 1)
		abort();	/* only memory can be missing */
	return ctx;
}

void
seal_close(const struct seal *s, enum seal_purpose purpose, struct slice id,
    struct slice plain, uint8_t *to)
{
	const struct master *m = &s->masters[0];
	EVP_CIPHER_CTX *ctx;
	uint8_t *text = to + SEAL_HEAD_LEN;
	int n, last;

	assert(plain.len <= SEAL_PLAIN_MAX);
	to[0] = VERSION;
	memcpy(to + 1, m->hint, SEAL_HINT_LEN);
	if (RAND_bytes(to + 1 + SEAL_HINT_LEN, SEAL_NONCE_LEN) != 1)
		abort();	/* without randomness nothing is safe */
	ctx = begin(s, m, purpose, id, to, 1);
	if (EVP_CipherUpdate(ctx, text, &n, plain.data, (int)plain.len) != 1 ||
	    EVP_CipherFinal_ex(ctx, text + n, &last) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_LEN,
	    text + plain.len) != 1)
		abort();
	EVP_CIPHER_CTX_free(ctx);
}

static const struct master *
master_of(const struct seal *s, struct slice sealed, struct error *err)
{
	if (sealed.len < SEAL_OVERHEAD ||
	    sealed.len - SEAL_OVERHEAD > SEAL_PLAIN_MAX) {
		error_set(err, "it has an impossible length");
		return NULL;
	}
	if (sealed.data[0] != VERSION) {
		error_set(err, "its version is not known");
		return NULL;
	}
	for (uint32_t i = 0; i < s->count; i++)
		if (memcmp(s->masters[i].hint, sealed.data + 1,
		    SEAL_HINT_LEN) == 0)
			return &s->masters[i];
	error_set(err, "it was sealed under another master key");
	return NULL;
}

bool
seal_open(const struct seal *s, enum seal_purpose purpose, struct slice id,
    struct slice sealed, uint8_t *to, struct error *err)
{
	const struct master *m = master_of(s, sealed, err);
	uint32_t len = sealed.len - SEAL_OVERHEAD;
	uint8_t tag[SEAL_TAG_LEN];
	EVP_CIPHER_CTX *ctx;
	int n, last;
	bool ok;

	if (m == NULL)
		return false;
	memcpy(tag, sealed.data + SEAL_HEAD_LEN + len, sizeof(tag));
	ctx = begin(s, m, purpose, id, sealed.data, 0);
	ok = EVP_CipherUpdate(ctx, to, &n, sealed.data + SEAL_HEAD_LEN,
	    (int)len) == 1 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
	    SEAL_TAG_LEN, tag) == 1 &&
	    EVP_CipherFinal_ex(ctx, to + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (ok)
		return true;
	OPENSSL_cleanse(to, len);
	return error_set(err, "it was changed, or made for another place");
}

bool
seal_is_current(const struct seal *s, struct slice sealed)
{
	return sealed.len >= SEAL_OVERHEAD && sealed.data[0] == VERSION &&
	    memcmp(s->masters[0].hint, sealed.data + 1, SEAL_HINT_LEN) == 0;
}

const uint8_t *
seal_derived(const struct seal *s, enum seal_purpose purpose)
{
	return s->masters[0].keys[purpose];
}

void
seal_random_text(char *to, size_t len, const char *alphabet)
{
	size_t letters = strlen(alphabet), fair = 256 / letters * letters;
	uint8_t random[64];
	size_t have = 0;

	for (size_t i = 0; i < len;) {
		if (have == 0) {
			if (RAND_bytes(random, sizeof(random)) != 1)
				abort();
			have = sizeof(random);
		}
		/* What lies above would make the first letters likelier. */
		if (random[--have] < fair)
			to[i++] = alphabet[random[have] % letters];
	}
	to[len] = '\0';
	OPENSSL_cleanse(random, sizeof(random));
}
