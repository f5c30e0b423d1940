/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access keys that weir issued: an id, whose it is, and a secret, as AWS's
 * long-term keys are. A JSON file holds them:
 *
 *	{ "version": 1, "keys": [ { "id": "WEIR...", "user": "alice",
 *	  "created": "2026-01-02T03:04:05Z", "disabled": false,
 *	  "sealed": "..." } ] }
 *
 * `sealed` is the secret and what SCRAM verifies with (RFC 5802 section 3),
 * sealed for this id and user (auth/seal.h). The file must be its owner's
 * alone (0600). weirctl writes it (auth/keys_file.h).
 *
 * Ownership: struct keys is counted and immutable; secrets are cleansed.
 * Thread: any.
 * Bounds: KEYS_MAX keys, KEYS_FILE_MAX bytes.
 */
#ifndef WEIR_AUTH_KEYS_H
#define WEIR_AUTH_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/option.h"
#include "gateway/base/slice.h"

struct json_t;
struct seal;

enum {
	KEYS_MAX = 200000,
	KEYS_FILE_MAX = 200 * 1024 * 1024,
	KEYS_ID_LEN = 20,
	KEYS_SECRET_LEN = 40,
	KEYS_SALT_LEN = 16,
	KEYS_ROUNDS = 8192,		/* of SCRAM; Kafka's least is 4096 */
	KEYS_LIVE_MAX = 2,		/* enabled keys a user */
};

/* "WEIR" and 16 characters; temporary ones begin with "WEIS". */
#define KEYS_PREFIX "WEIR"
#define KEYS_TEMPORARY_PREFIX "WEIS"

struct key_scram {
	uint8_t		 salt[KEYS_SALT_LEN];
	uint8_t		 stored_key[64], server_key[64];
};

struct key {
	char		 id[KEYS_ID_LEN + 1];
	char		*user;
	int64_t		 created_s;
	bool		 disabled;
	char		 secret[KEYS_SECRET_LEN + 1];
	uint32_t	 rounds;
	struct key_scram sha256, sha512;
};

struct keys;

/* One reference; NULL and all faults, behind the file's name. */
struct keys	*keys_load(const char *path, const struct seal *seal,
		    struct error_list *errs);
/* The same from the file's bytes; faults without a file's name. */
struct keys	*keys_parse(const char *text, size_t len,
		    const struct seal *seal, struct error_list *errs);
struct keys	*keys_ref(struct keys *k);
void		 keys_unref(struct keys *k);
uint32_t	 keys_count(const struct keys *k);
/* Borrowed; NULL: none of that id. */
const struct key *keys_find(const struct keys *k, struct slice id);
/* By its place in the file, 0 <= i < keys_count. */
const struct key *keys_at(const struct keys *k, uint32_t i);
bool		 keys_has_user(const struct keys *k, struct slice user);

/* An id of that prefix, and a secret, drawn at random. */
void		 keys_draw_id(const char *prefix, char to[KEYS_ID_LEN + 1]);
void		 keys_draw_secret(char to[KEYS_SECRET_LEN + 1]);
bool		 keys_id_valid(struct slice id, const char *prefix);
/* Salts are drawn; bits: 256 or 512. */
void		 keys_scram_derive(int bits, struct slice secret,
		    uint32_t rounds, struct key_scram *to);

/* ---- for keys_file.c ---- */

/* A key's JSON object, sealed; a new reference. */
struct json_t	*keys_to_json(const struct key *k, const struct seal *seal);
/* Reads one; false and faults below `path`. key_fini is due in any case. */
bool		 keys_from_json(struct json_t *in, const struct seal *seal,
		    const char *path, struct key *to, struct error_list *errs);
void		 keys_key_fini(struct key *k);

#endif
