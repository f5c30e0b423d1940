/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of SCRAM-SHA-256 and -512 (RFC 5802, RFC 7677), without
 * channel binding, as Kafka's brokers want it. Bytes in, bytes out. Names and
 * passwords are taken as UTF-8 without SASLprep, which Kafka leaves out too.
 *
 * Deriving the keys takes milliseconds, and all brokers of a cluster keep the
 * same salt for a user: who logs in often keeps a struct scram_keys (RFC 5802
 * section 5.1 allows it), which is as secret as the password.
 *
 * Ownership: scram_new's caller; scram_free cleanses what was derived.
 * Thread: any one at a time.
 * Bounds: SCRAM_TEXT_MAX a message; SCRAM_NONCE_MAX, SCRAM_SALT_MAX;
 * SCRAM_ROUNDS_MIN .. _MAX iterations (a turn waits for them).
 */
#ifndef WEIR_ROUTING_SCRAM_H
#define WEIR_ROUTING_SCRAM_H

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct scram;

enum {
	SCRAM_TEXT_MAX = 4096,
	SCRAM_NONCE_MAX = 256,
	SCRAM_SALT_MAX = 256,
	SCRAM_KEY_MAX = 64,
	SCRAM_ROUNDS_MIN = 4096,	/* RFC 7677 section 4 */
	SCRAM_ROUNDS_MAX = 100000,	/* Kafka's own tools allow 16384 */
};

/* What was derived from the password last; zeroed memory is none. */
struct scram_keys {
	bool		 set;
	int		 bits;
	long		 rounds;
	size_t		 salt_len;
	uint8_t		 salt[SCRAM_SALT_MAX];
	uint8_t		 client_key[SCRAM_KEY_MAX];
	uint8_t		 server_key[SCRAM_KEY_MAX];
};
void		 scram_keys_cleanse(struct scram_keys *k);

/* bits: 256 or 512. The texts are borrowed until scram_free. nonce: NULL draws
 * one; tests give it. */
struct scram	*scram_new(int bits, const char *username,
		    const char *password, const char *nonce);
void		 scram_free(struct scram *s);
/* Borrowed until scram_free: used when they fit, else set to what is
 * derived. */
void		 scram_use_keys(struct scram *s, struct scram_keys *keys);
/* The three steps; what they give lives in the scram. The first: null when the
 * name is too long. */
struct slice	 scram_first(struct scram *s);
/* The server's first answered by our last. The server's nonce must begin with
 * ours and add to it (CVE-2024-56128 is the missing check of the nonce on the
 * other side). */
bool		 scram_final(struct scram *s, struct slice server_first,
		    struct slice *to, struct error *err) MUST_CHECK;
/* Whether the server knows the password too; compared in constant time. */
bool		 scram_verify(struct scram *s, struct slice server_final,
		    struct error *err) MUST_CHECK;

#endif
