/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of SCRAM-SHA-256 and -512 (RFC 5802, RFC 7677), without
 * channel binding, as Kafka's brokers want it. Bytes in, bytes out.
 * Ownership: scram_new's caller; scram_free cleanses what was derived.
 * Thread: any one at a time.
 * Bounds: SCRAM_TEXT_MAX a message; SCRAM_ROUNDS_MIN .. _MAX iterations.
 */
#ifndef WEIR_ROUTING_SCRAM_H
#define WEIR_ROUTING_SCRAM_H

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct scram;

enum {
	SCRAM_TEXT_MAX = 4096,
	SCRAM_ROUNDS_MIN = 4096,
	SCRAM_ROUNDS_MAX = 1000000,
};

/* bits: 256 or 512. The texts are borrowed until scram_free. nonce: NULL draws
 * one; tests give it. */
struct scram	*scram_new(int bits, const char *username,
		    const char *password, const char *nonce);
void		 scram_free(struct scram *s);
/* The first message; lives in the scram. */
struct slice	 scram_first(struct scram *s);
/* The server's first answered by our last. The server's nonce must begin with
 * ours (CVE-2024-56128 is what happens without that check on the other
 * side). */
bool		 scram_final(struct scram *s, struct slice server_first,
		    struct slice *to, struct error *err) MUST_CHECK;
/* Whether the server knows the password too; compared in constant time. */
bool		 scram_verify(struct scram *s, struct slice server_final,
		    struct error *err) MUST_CHECK;

#endif
