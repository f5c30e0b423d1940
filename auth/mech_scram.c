/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of SCRAM-SHA-256 and -512 (RFC 5802, RFC 7677) as Kafka's
 * brokers have it: no channel binding, no SASLprep; the name is a key's id and
 * the password its secret. Who is not known gets a salt all the same, the same
 * one each time, and fails at the end as a wrong password does.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/auth_private.h"
#include "auth/keys.h"
#include "gateway/base/mem.h"

enum {
	TEXT_MAX = 4096,
	NONCE_MAX = 256,		/* of the client's */
	OWN_NONCE_BYTES = 18,
	KEY_MAX = 64,
};

enum stage { WANTS_FIRST, WANTS_FINAL, OVER };

struct scram_login {
	const EVP_MD	*md;
	unsigned int	 key_len;
	enum stage	 stage;
	char		 own_nonce[64];
	char		 header[AUTH_KEY_ID_MAX * 3 + 8]; /* "n,," */
	char		*first;		/* the client's, without header */
	char		*server_first;
	char		*nonce;		/* both */
	char		 claimed[AUTH_KEY_ID_MAX];
	uint32_t	 rounds;
	struct key_scram verifier;
	struct principal *principal;	/* a reference; NULL: nobody */
	enum auth_failure failure;	/* why nobody */
	struct error	 error;
};

static void *
begin(const EVP_MD *md)
{
	struct scram_login *s = mem_zalloc(sizeof(*s));
	uint8_t random[OWN_NONCE_BYTES];

	s->md = md;
	s->key_len = (unsigned int)EVP_MD_get_size(md);
	if (RAND_bytes(random, sizeof(random)) != 1)
		abort();	/* without randomness nothing is safe */
	EVP_EncodeBlock((unsigned char *)s->own_nonce, random,
	    sizeof(random));
	return s;
}

static void *
begin_256(struct auth_login *l)
{
	(void)l;
	return begin(EVP_sha256());
}

static void *
begin_512(struct auth_login *l)
{
	(void)l;
	return begin(EVP_sha512());
}

static void
end(void *state)
{
	struct scram_login *s = state;

	principal_unref(s->principal);
	free(s->first);
	free(s->server_first);
	free(s->nonce);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

/* ---- reading ---- */

/* Takes what stands before the next comma, and the comma. */
static struct slice
take_part(struct slice *in)
{
	const uint8_t *comma = in->len == 0 ? NULL :
	    memchr(in->data, ',', in->len);
	struct slice part = *in;

	if (comma != NULL)
		part.len = (uint32_t)(comma - in->data);
	in->data += part.len + (comma != NULL);
	in->len -= part.len + (comma != NULL);
	return part;
}

/* "x=value" of that letter: the value; data NULL: it is something else. */
static struct slice
value_of(struct slice part, char letter)
{
	if (part.len < 2 || part.data[0] != letter || part.data[1] != '=')
		return SLICE_NULL;
	return (struct slice){ part.data + 2, part.len - 2 };
}

/* =2C and =3D become ',' and '='; false: another '=', or too long. */
static bool
unescape(struct slice in, char to[AUTH_KEY_ID_MAX])
{
	size_t n = 0;

	for (uint32_t i = 0; i < in.len; i++) {
		char c = (char)in.data[i];

		if (n + 1 >= AUTH_KEY_ID_MAX || c == '\0')
			return false;
		if (c == '=') {
			if (in.len - i < 3)
				return false;
			if (memcmp(in.data + i, "=2C", 3) == 0)
				c = ',';
			else if (memcmp(in.data + i, "=3D", 3) != 0)
				return false;
			i += 2;
		}
		to[n++] = c;
	}
	to[n] = '\0';
	return n > 0;
}

static bool
is_nonce(struct slice nonce)
{
	if (nonce.len == 0 || nonce.len > NONCE_MAX)
		return false;
	for (uint32_t i = 0; i < nonce.len; i++)
		if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e)
			return false;
	return true;
}

/* RFC 5802 section 7: a letter, '=' and a value. Those that nobody knows are
 * passed over. */
static bool
are_extensions(struct slice in)
{
	while (in.len > 0) {
		struct slice part = take_part(&in);

		if (part.len < 3 || part.data[1] != '=' ||
		    ((part.data[0] | 0x20) < 'a' ||
		    (part.data[0] | 0x20) > 'z'))
			return false;
	}
	return true;
}

struct client_first {
	struct slice	 header, bare;
	char		 name[AUTH_KEY_ID_MAX], authzid[AUTH_KEY_ID_MAX];
	struct slice	 nonce;
};

static enum auth_result
malformed(struct auth_step *to, const char *what)
{
	return auth_fail(to, AUTH_FAILURE_MALFORMED, "%s", what);
}

/* The header: "n" (or "y": the client could, and knows that we cannot bind
 * channels), the name to act for. */
static const char *
read_header(struct slice *in, struct client_first *c)
{
	const uint8_t *start = in->data;
	struct slice flag = take_part(in), authzid = take_part(in);

	if (value_of(flag, 'p').data != NULL)
		return "the client wants channel binding, which is not offered";
	if (!slice_is(flag, "n") && !slice_is(flag, "y"))
		return "the message does not begin as SCRAM does";
	if (authzid.len > 0 && !unescape(value_of(authzid, 'a'), c->authzid))
		return "the name to act for cannot be read";
	c->header = (struct slice){ start, (uint32_t)(in->data - start) };
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
read_first(struct slice in, struct client_first *c)
{
	const char *fault;
	struct slice part;

	memset(c, 0, sizeof(*c));
	if (memchr(in.data, '\0', in.len) != NULL)
		return "the message has a zero byte";
	fault = read_header(&in, c);
	if (fault != NULL)
		return fault;
	c->bare = in;
	part = take_part(&in);
	if (value_of(part, 'm').data != NULL)
		return "the client wants an extension that is not known";
	if (!unescape(value_of(part, 'n'), c->name))
		return "the name cannot be read";
	c->nonce = value_of(take_part(&in), 'r');
	if (!is_nonce(c->nonce))
		return "the nonce is none";
	if (in.len >= 10 && memcmp(in.data, "tokenauth=", 10) == 0)
		return "the client logs in with a delegation token, which "
		    "weir does not have";
	if (!are_extensions(in))
		return "the message has more than SCRAM has";
	/* CVE-2017-12610: nobody logs in as another. */
	if (c->authzid[0] != '\0' && strcmp(c->authzid, c->name) != 0)
		return "the client asks to be somebody else than its key's "
		    "user";
	return NULL;
}

/* ---- the first message ---- */

static void
find_verifier(struct auth *a, struct scram_login *s, struct slice name)
{
	bool large = s->key_len == KEY_MAX;
	const struct key *k = auth_find_key(a, name, &s->principal,
	    &s->failure, &s->error);

	auth_decoy(a, large ? "scram salt 512" : "scram salt 256", name,
	    s->verifier.salt, sizeof(s->verifier.salt));
	auth_decoy(a, "scram key", name, s->verifier.stored_key, s->key_len);
	auth_decoy(a, "scram key", name, s->verifier.server_key, s->key_len);
	s->rounds = KEYS_ROUNDS;
	if (k == NULL)
		return;
	s->verifier = large ? k->sha512 : k->sha256;
	s->rounds = k->rounds;
}

static enum auth_result
take_first(struct auth *a, struct scram_login *s, struct slice in,
    struct arena *arena, struct auth_step *to)
{
	char salt[KEYS_SALT_LEN * 2];
	struct client_first c;
	const char *fault = read_first(in, &c);

	auth_claim(to, slice_of(c.name));
	memcpy(s->claimed, to->claimed, sizeof(s->claimed));
	if (fault != NULL)
		return malformed(to, fault);
	/* It fits: a flag, "a=", and a name whose letters took three each. */
	snprintf(s->header, sizeof(s->header), "%.*s", SLICE_FMT(c.header));
	find_verifier(a, s, slice_of(c.name));
	EVP_EncodeBlock((unsigned char *)salt, s->verifier.salt,
	    KEYS_SALT_LEN);
	to->out = arena_printf(arena, "r=%.*s%s,s=%s,i=%u",
	    SLICE_FMT(c.nonce), s->own_nonce, salt, s->rounds);
	s->first = mem_strndup(c.bare.data, c.bare.len);
	s->server_first = mem_strndup(to->out.data, to->out.len);
	s->nonce = mem_zalloc(c.nonce.len + sizeof(s->own_nonce));
	snprintf(s->nonce, c.nonce.len + sizeof(s->own_nonce), "%.*s%s",
	    SLICE_FMT(c.nonce), s->own_nonce);
	s->stage = WANTS_FINAL;
	return AUTH_MORE;
}

/* ---- the last message ---- */

struct client_final {
	struct slice	 without_proof;
	uint8_t		 proof[KEY_MAX];
};

static bool
is_base64(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Exactly `len` bytes in the one way that base64 writes them. */
static bool
read_proof(struct slice text, unsigned int len, uint8_t to[KEY_MAX])
{
	uint8_t bytes[KEY_MAX + 3];
	char again[KEY_MAX * 2];
	uint32_t pad = len % 3 == 0 ? 0 : 3 - len % 3;

	if (text.len != (len + 2) / 3 * 4)
		return false;
	for (uint32_t i = 0; i < text.len - pad; i++)
		if (!is_base64(text.data[i]))
			return false;
	if (EVP_DecodeBlock(bytes, text.data, (int)text.len) < 0)
		return false;
	memcpy(to, bytes, len);
	EVP_EncodeBlock((unsigned char *)again, bytes, (int)len);
	return memcmp(again, text.data, text.len) == 0;
}

/* CVE-2024-56128: it must be the very nonce that we sent. librdkafka before
 * 2.6.1 puts its own part before it once more; ours is there all the same, and
 * all of it is what the proof is made over, so nothing old can be played
 * again. */
static bool
is_our_nonce(const struct scram_login *s, struct slice nonce)
{
	size_t theirs = strlen(s->nonce) - strlen(s->own_nonce);

	if (nonce.len == strlen(s->nonce) + theirs && theirs > 0 &&
	    memcmp(nonce.data, s->nonce, theirs) == 0)
		nonce = (struct slice){ nonce.data + theirs,
		    nonce.len - (uint32_t)theirs };
	return slice_is(nonce, s->nonce);
}

/* NULL, or what is wrong. */
static const char *
read_final(const struct scram_login *s, struct slice in,
    struct client_final *c)
{
	char header[sizeof(s->header) * 2];
	const uint8_t *start = in.data;
	struct slice part, last;

	EVP_EncodeBlock((unsigned char *)header, (const uint8_t *)s->header,
	    (int)strlen(s->header));
	if (!slice_is(value_of(take_part(&in), 'c'), header))
		return "the binding is not that of the first message";
	if (!is_our_nonce(s, value_of(take_part(&in), 'r')))
		return "the nonce is not that of this login";
	do {
		last = in;
		part = take_part(&in);
		if (value_of(part, 'p').data != NULL)
			break;
		if (part.len == 0 || !are_extensions(part))
			return "the message has more than SCRAM has";
	} while (in.len > 0);
	if (in.len > 0 || part.len < last.len ||
	    !read_proof(value_of(part, 'p'), s->key_len, c->proof))
		return "the proof cannot be read";
	c->without_proof = (struct slice){ start,
	    (uint32_t)(last.data - start) - 1 };
	return NULL;
}

/* RFC 5802 section 3: whether the proof is one, and our own signature. */
static bool
verify(const struct scram_login *s, struct slice message,
    const struct client_final *c, uint8_t signature[KEY_MAX])
{
	uint8_t client_key[KEY_MAX], stored[EVP_MAX_MD_SIZE];
	unsigned int n;
	bool good;

	if (HMAC(s->md, s->verifier.stored_key, (int)s->key_len, message.data,
	    message.len, client_key, &n) == NULL ||
	    HMAC(s->md, s->verifier.server_key, (int)s->key_len, message.data,
	    message.len, signature, &n) == NULL)
		return false;
	for (unsigned int i = 0; i < s->key_len; i++)
		client_key[i] ^= c->proof[i];
	good = EVP_Digest(client_key, s->key_len, stored, NULL, s->md, NULL) ==
	    1 && CRYPTO_memcmp(stored, s->verifier.stored_key,
	    s->key_len) == 0;
	OPENSSL_cleanse(client_key, sizeof(client_key));
	return good;
}

static enum auth_result
take_final(struct scram_login *s, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	struct client_final c = { SLICE_NULL, { 0 } };
	const char *fault = read_final(s, in, &c);
	uint8_t signature[KEY_MAX] = { 0 };
	char text[KEY_MAX * 2];
	struct slice message;
	bool good;

	memcpy(to->claimed, s->claimed, sizeof(s->claimed));
	if (fault != NULL)
		return malformed(to, fault);
	message = arena_printf(arena, "%s,%s,%.*s", s->first, s->server_first,
	    SLICE_FMT(c.without_proof));
	good = verify(s, message, &c, signature);
	if (s->principal == NULL)
		return auth_fail(to, s->failure, "%s", s->error.text);
	if (!good)
		return auth_fail(to, AUTH_FAILURE_SIGNATURE,
		    "the secret of this key is another");
	EVP_EncodeBlock((unsigned char *)text, signature, (int)s->key_len);
	to->out = arena_printf(arena, "v=%s", text);
	to->principal = s->principal;
	s->principal = NULL;
	return AUTH_DONE;
}

static enum auth_result
step(struct auth_login *l, void *state, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	struct scram_login *s = state;
	enum stage stage = s->stage;

	s->stage = OVER;
	if (in.len > TEXT_MAX)
		return malformed(to, "the message is too long for SCRAM");
	if (stage == WANTS_FIRST)
		return take_first(auth_login_auth(l), s, in, arena, to);
	if (stage == WANTS_FINAL)
		return take_final(s, in, arena, to);
	return malformed(to, "the login is over");
}

const struct auth_mechanism_ops auth_scram_sha_256 = {
    "SCRAM-SHA-256", begin_256, step, end };
const struct auth_mechanism_ops auth_scram_sha_512 = {
    "SCRAM-SHA-512", begin_512, step, end };
