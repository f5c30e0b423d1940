/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets at rest and in session tokens: AES-256-GCM under keys that HKDF
 * (RFC 5869) derives from a master key, one for each purpose.
 *
 * What is sealed: version (1 byte) | which master key (4) | nonce (12, random)
 * | ciphertext | tag (16). The purpose, the version and the caller's id are
 * authenticated with it, so that nothing sealed for one place opens in
 * another. With random nonces 2^32 messages a master key are safe (NIST SP
 * 800-38D section 8.3).
 *
 * A master key is a line of the text: base64 or hex of at least 32 bytes, or
 * any text of at least 32 characters. The first seals, all of them open.
 *
 * Ownership: counted. Thread: any.
 * Bounds: SEAL_MASTERS_MAX keys; SEAL_PLAIN_MAX bytes sealed at once.
 */
#ifndef WEIR_AUTH_SEAL_H
#define WEIR_AUTH_SEAL_H

#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

enum {
	SEAL_MASTERS_MAX = 8,
	SEAL_MASTER_MIN = 32,		/* characters, or bytes when encoded */
	SEAL_HINT_LEN = 4,
	SEAL_NONCE_LEN = 12,
	SEAL_TAG_LEN = 16,
	SEAL_HEAD_LEN = 1 + SEAL_HINT_LEN + SEAL_NONCE_LEN,
	SEAL_OVERHEAD = SEAL_HEAD_LEN + SEAL_TAG_LEN,
	SEAL_PLAIN_MAX = 64 * 1024,
};

enum seal_purpose {
	SEAL_KEY_FILE,
	SEAL_SESSION_TOKEN,
	SEAL_DECOY,			/* seal_derive only */
	SEAL_PURPOSE_COUNT
};

struct seal;

/* One reference; NULL and why. */
struct seal	*seal_new(const char *masters, struct error *err);
struct seal	*seal_ref(struct seal *s);
void		 seal_unref(struct seal *s);

/* Writes plain.len + SEAL_OVERHEAD bytes to `to`. */
void		 seal_close(const struct seal *s, enum seal_purpose purpose,
		    struct slice id, struct slice plain, uint8_t *to);
/* Writes sealed.len - SEAL_OVERHEAD bytes to `to`. When it fails nothing of
 * use stands there. */
bool		 seal_open(const struct seal *s, enum seal_purpose purpose,
		    struct slice id, struct slice sealed, uint8_t *to,
		    struct error *err) MUST_CHECK;
/* Whether it was sealed under the first master key. */
bool		 seal_is_current(const struct seal *s, struct slice sealed);
/* 32 bytes of a key of the first master key's, for HMACs. */
const uint8_t	*seal_derived(const struct seal *s, enum seal_purpose purpose);

/* Random characters of an alphabet of 2 to 256, without bias; `to` is ended
 * with a NUL. */
void		 seal_random_text(char *to, size_t len, const char *alphabet);

#endif
