/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "auth/base64url.h"
#include "auth/file.h"
#include "auth/principal.h"
#include "auth/seal.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

enum {
	SHA256_LEN = 32, SHA512_LEN = 64,
	/* rounds, secret, then salt, stored key and server key of each. */
	PLAIN_LEN = 4 + KEYS_SECRET_LEN + 2 * KEYS_SALT_LEN + 2 * SHA256_LEN +
	    2 * SHA512_LEN,
	SEALED_LEN = PLAIN_LEN + SEAL_OVERHEAD,
	ROUNDS_MIN = 4096, ROUNDS_MAX = 100000,
	PATH_SIZE = 64,
};

struct keys {
	atomic_int	 refs;
	struct key	*v;
	uint32_t	 n;
	struct htab	*by_id;		/* struct key * */
	struct htab	*users;		/* 1 + enabled keys, as a number */
};

/* ---- drawn ---- */

static const char id_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void
keys_draw_id(const char *prefix, char to[KEYS_ID_LEN + 1])
{
	size_t n = strlen(prefix);

	memcpy(to, prefix, n);
	seal_random_text(to + n, KEYS_ID_LEN - n, id_alphabet);
}

void
keys_draw_secret(char to[KEYS_SECRET_LEN + 1])
{
	seal_random_text(to, KEYS_SECRET_LEN, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/");
}

bool
keys_id_valid(struct slice id, const char *prefix)
{
	size_t n = strlen(prefix);

	if (id.len != KEYS_ID_LEN || memcmp(id.data, prefix, n) != 0)
		return false;
	for (size_t i = n; i < KEYS_ID_LEN; i++)
		if (id.data[i] == '\0' ||
		    strchr(id_alphabet, id.data[i]) == NULL)
			return false;
	return true;
}

/* RFC 5802 section 3: StoredKey and ServerKey of the salted password. */
void
keys_scram_derive(int bits, struct slice secret, uint32_t rounds,
    struct key_scram *to)
{
	const EVP_MD *md = bits == 512 ? EVP_sha512() : EVP_sha256();
	int len = EVP_MD_get_size(md);
	uint8_t salted[SHA512_LEN], client_key[SHA512_LEN];
	unsigned int n;

	memset(to, 0, sizeof(*to));
	if (RAND_bytes(to->salt, sizeof(to->salt)) != 1 ||
	    PKCS5_PBKDF2_HMAC((const char *)secret.data, (int)secret.len,
	    to->salt, sizeof(to->salt), (int)rounds, md, len, salted) != 1 ||
	    HMAC(md, salted, len, (const uint8_t *)"Client Key", 10,
	    client_key, &n) == NULL ||
	    EVP_Digest(client_key, n, to->stored_key, NULL, md, NULL) != 1 ||
	    HMAC(md, salted, len, (const uint8_t *)"Server Key", 10,
	    to->server_key, &n) == NULL)
		abort();	/* without randomness nothing is safe */
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
}

/* ---- one key and its JSON ---- */

static void
put(uint8_t **at, const void *from, size_t n)
{
	memcpy(*at, from, n);
	*at += n;
}

static void
get(const uint8_t **at, void *to, size_t n)
{
	memcpy(to, *at, n);
	*at += n;
}

static void
pack(const struct key *k, uint8_t to[PLAIN_LEN])
{
	const uint8_t rounds[4] = { (uint8_t)(k->rounds >> 24),
	    (uint8_t)(k->rounds >> 16), (uint8_t)(k->rounds >> 8),
	    (uint8_t)k->rounds };
	uint8_t *at = to;

	put(&at, rounds, sizeof(rounds));
	put(&at, k->secret, KEYS_SECRET_LEN);
	put(&at, k->sha256.salt, KEYS_SALT_LEN);
	put(&at, k->sha256.stored_key, SHA256_LEN);
	put(&at, k->sha256.server_key, SHA256_LEN);
	put(&at, k->sha512.salt, KEYS_SALT_LEN);
	put(&at, k->sha512.stored_key, SHA512_LEN);
	put(&at, k->sha512.server_key, SHA512_LEN);
	assert(at == to + PLAIN_LEN);
}

static void
unpack(const uint8_t *at, struct key *k)
{
	uint8_t rounds[4];

	get(&at, rounds, sizeof(rounds));
	k->rounds = (uint32_t)rounds[0] << 24 | (uint32_t)rounds[1] << 16 |
	    (uint32_t)rounds[2] << 8 | rounds[3];
	get(&at, k->secret, KEYS_SECRET_LEN);
	get(&at, k->sha256.salt, KEYS_SALT_LEN);
	get(&at, k->sha256.stored_key, SHA256_LEN);
	get(&at, k->sha256.server_key, SHA256_LEN);
	get(&at, k->sha512.salt, KEYS_SALT_LEN);
	get(&at, k->sha512.stored_key, SHA512_LEN);
	get(&at, k->sha512.server_key, SHA512_LEN);
}

/* What a key is sealed for: its id, of a fixed length, and its user, so that
 * nobody makes it another's by writing another name beside it. */
static struct slice
seal_id(const struct key *k, char to[KEYS_ID_LEN + PRINCIPAL_NAME_MAX])
{
	size_t n = strlen(k->user);

	memcpy(to, k->id, KEYS_ID_LEN);
	memcpy(to + KEYS_ID_LEN, k->user, n);
	return (struct slice){ (uint8_t *)to, (uint32_t)(KEYS_ID_LEN + n) };
}

json_t *
keys_to_json(const struct key *k, const struct seal *seal)
{
	char id[KEYS_ID_LEN + PRINCIPAL_NAME_MAX], created[32];
	char text[BASE64URL_TEXT(SEALED_LEN) + 1];
	uint8_t plain[PLAIN_LEN], sealed[SEALED_LEN];
	time_t t = (time_t)k->created_s;
	struct tm tm;

	pack(k, plain);
	seal_close(seal, SEAL_KEY_FILE, seal_id(k, id),
	    (struct slice){ plain, sizeof(plain) }, sealed);
	OPENSSL_cleanse(plain, sizeof(plain));
	base64url_encode(sealed, sizeof(sealed), text);
	gmtime_r(&t, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:s, s:s, s:b, s:s}", "id", k->id, "user",
	    k->user, "created", created, "disabled", k->disabled, "sealed",
	    text);
}

static bool
fault(struct error_list *errs, const char *path, const char *member,
    const char *text)
{
	char where[PATH_SIZE + 32];

	snprintf(where, sizeof(where), "%s.%s", path, member);
	error_list_add(errs, where, "%s", text);
	return false;
}

static bool
known_members(json_t *in, const char *path, struct error_list *errs)
{
	static const char *const members[] = {
		"id", "user", "created", "disabled", "sealed" };
	bool ok = true;
	const char *name;
	json_t *v;

	json_object_foreach(in, name, v) {
		bool known = false;

		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]);
		    i++)
			known = known || strcmp(name, members[i]) == 0;
		if (!known)
			ok = fault(errs, path, "", "has a member that is not "
			    "known");
	}
	return ok;
}

static bool
read_time(const char *text, int64_t *to)
{
	struct tm tm;
	const char *end;

	memset(&tm, 0, sizeof(tm));
	end = text == NULL ? NULL :
	    strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0')
		return false;
	*to = (int64_t)timegm(&tm);
	return true;
}

static bool
open_sealed(json_t *in, const struct seal *seal, const char *path,
    struct key *k, struct error_list *errs)
{
	char id[KEYS_ID_LEN + PRINCIPAL_NAME_MAX];
	uint8_t sealed[SEALED_LEN], plain[SEALED_LEN];
	const char *text = json_string_value(json_object_get(in, "sealed"));
	struct error err;
	size_t len;

	if (text == NULL || !base64url_decode(slice_of(text), sealed,
	    sizeof(sealed), &len) || len != SEALED_LEN)
		return fault(errs, path, "sealed", "is no sealed key");
	if (!seal_open(seal, SEAL_KEY_FILE, seal_id(k, id),
	    (struct slice){ sealed, SEALED_LEN }, plain, &err)) {
		error_prefix(&err, "cannot be opened");
		return fault(errs, path, "sealed", err.text);
	}
	unpack(plain, k);
	OPENSSL_cleanse(plain, sizeof(plain));
	if (k->rounds < ROUNDS_MIN || k->rounds > ROUNDS_MAX ||
	    strlen(k->secret) != KEYS_SECRET_LEN)
		return fault(errs, path, "sealed", "holds no key");
	return true;
}

bool
keys_from_json(json_t *in, const struct seal *seal, const char *path,
    struct key *k, struct error_list *errs)
{
	struct slice id = slice_of(json_string_value(json_object_get(in,
	    "id"))), user = slice_of(json_string_value(json_object_get(in,
	    "user")));
	json_t *disabled = json_object_get(in, "disabled");
	bool ok;

	memset(k, 0, sizeof(*k));
	ok = known_members(in, path, errs);
	if (!keys_id_valid(id, KEYS_PREFIX))
		return fault(errs, path, "id", "is no key id: \"" KEYS_PREFIX
		    "\" and 16 of A-Z and 2-7");
	memcpy(k->id, id.data, id.len);
	if (!principal_name_valid(user))
		return fault(errs, path, "user", "is no user's name");
	k->user = mem_strndup(user.data, user.len);
	if (!read_time(json_string_value(json_object_get(in, "created")),
	    &k->created_s))
		ok = fault(errs, path, "created", "is no time such as "
		    "2026-01-02T03:04:05Z");
	if (disabled != NULL && !json_is_boolean(disabled))
		ok = fault(errs, path, "disabled", "must be true or false");
	k->disabled = json_is_true(disabled);
	return open_sealed(in, seal, path, k, errs) && ok;
}

void
keys_key_fini(struct key *k)
{
	free(k->user);
	OPENSSL_cleanse(k, sizeof(*k));
}

/* ---- all of them ---- */

/* False with a fault: the id is there already, or the user has too many. */
static bool
enter(struct keys *ks, struct key *k, const char *path,
    struct error_list *errs)
{
	struct slice user = slice_of(k->user);
	uintptr_t live = (uintptr_t)htab_get(ks->users, user);

	if (htab_get(ks->by_id, slice_of(k->id)) != NULL)
		return fault(errs, path, "id", "is there twice");
	htab_set(ks->by_id, slice_of(k->id), k);
	live = (live == 0 ? 1 : live) + !k->disabled;
	if (live > 1 + KEYS_LIVE_MAX)
		return fault(errs, path, "user", "has more than two enabled "
		    "keys: disable or delete one");
	htab_set(ks->users, user, (void *)live);
	return true;
}

static void
read_all(struct keys *ks, json_t *list, const struct seal *seal,
    struct error_list *errs)
{
	char path[PATH_SIZE];
	json_t *v;
	size_t i;

	ks->v = mem_zalloc((json_array_size(list) + 1) * sizeof(*ks->v));
	json_array_foreach(list, i, v) {
		struct key *k = &ks->v[ks->n++];

		/* The rest would say the same. */
		if (errs->n >= FAULTS_MAX)
			break;
		snprintf(path, sizeof(path), "keys[%zu]", i);
		if (keys_from_json(v, seal, path, k, errs))
			enter(ks, k, path, errs);
	}
}

/* The list in the file's object, or NULL with a fault. */
static json_t *
list_of(json_t *doc, struct error_list *errs)
{
	json_t *list = json_object_get(doc, "keys");
	const char *name;
	json_t *v;

	json_object_foreach(doc, name, v) {
		if (strcmp(name, "keys") != 0 && strcmp(name, "version") != 0)
			error_list_add(errs, "", "has a member that is not "
			    "known");
	}
	if (json_integer_value(json_object_get(doc, "version")) != 1)
		error_list_add(errs, "version", "must be 1: other versions "
		    "are not known");
	else if (!json_is_array(list))
		error_list_add(errs, "keys", "must be an array of keys");
	else if (json_array_size(list) > KEYS_MAX)
		error_list_add(errs, "keys", "has more than %d keys",
		    KEYS_MAX);
	else
		return list;
	return NULL;
}

struct keys *
keys_parse(const char *text, size_t len, const struct seal *seal,
    struct error_list *errs)
{
	struct keys *ks = mem_zalloc(sizeof(*ks));
	uint32_t before = errs->n;
	json_error_t why;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	json_t *list;

	atomic_init(&ks->refs, 1);
	ks->by_id = htab_new();
	ks->users = htab_new();
	if (doc == NULL)
		error_list_add(errs, "", "is no JSON: line %d: %s", why.line,
		    why.text);
	else if ((list = list_of(doc, errs)) != NULL)
		read_all(ks, list, seal, errs);
	json_decref(doc);
	if (errs->n == before)
		return ks;
	keys_unref(ks);
	return NULL;
}

struct keys *
keys_load(const char *path, const struct seal *seal, struct error_list *errs)
{
	struct error_list own = { NULL, 0 };
	struct error err;
	struct keys *k = NULL;
	size_t len;
	char *text = file_read(path, KEYS_FILE_MAX, true, &len, &err);

	if (text == NULL)
		error_list_add(&own, "", "%s", err.text);
	else
		k = keys_parse(text, len, seal, &own);
	free(text);
	file_faults(errs, &own, path);
	return k;
}

struct keys *
keys_ref(struct keys *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

void
keys_unref(struct keys *k)
{
	if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < k->n; i++)
		keys_key_fini(&k->v[i]);
	free(k->v);
	htab_free(k->by_id, NULL);
	htab_free(k->users, NULL);
	free(k);
}

uint32_t
keys_count(const struct keys *k)
{
	return k->n;
}

const struct key *
keys_find(const struct keys *k, struct slice id)
{
	return htab_get(k->by_id, id);
}

const struct key *
keys_at(const struct keys *k, uint32_t i)
{
	return &k->v[i];
}

bool
keys_has_user(const struct keys *k, struct slice user)
{
	return htab_get(k->users, user) != NULL;
}
