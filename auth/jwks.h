/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public keys that JWTs are signed with: a JWK Set (RFC 7517, RFC 7518
 * section 6) read once, with bounds. Nothing but these keys is ever used: a
 * header's jku, x5u, jwk and x5c are nobody's business here (RFC 8725 3.10).
 *
 * A key has one algorithm, or one family of them, which is known before a
 * token is seen: `alg` of the JWK, or the curve of an EC key; for an RSA key
 * without `alg` RS, or PS where no RS is allowed (RFC 8725 3.1).
 *
 * What is no signing key of these kinds (another kty, use or curve, or too
 * weak) is left out and counted, as RFC 7517 section 5 asks for; a document
 * with secrets in it, with a kid twice or with a broken key is refused.
 *
 * Ownership: counted (atomically) and immutable. Thread: any.
 * Bounds: JWKS_*.
 */
#ifndef WEIR_AUTH_JWKS_H
#define WEIR_AUTH_JWKS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct jwk;
struct jwks;

enum {
	JWKS_SIZE_MAX = 256 * 1024,
	JWKS_KEYS_MAX = 64,
	JWKS_DEPTH_MAX = 8,
	JWKS_KID_MAX = 1000,		/* bytes, as Kafka has it */
	JWKS_RSA_BITS_MIN = 2048,	/* RFC 7518 section 3.3 */
	JWKS_RSA_BITS_MAX = 8192,	/* verifying takes time */
	JWKS_EXPONENT_BITS_MAX = 64,
	JWKS_SIGNATURE_MAX = JWKS_RSA_BITS_MAX / 8,
};

/* Those of RFC 7518 section 3 which are made with a key pair. */
enum jwt_algorithm {
	JWT_RS256, JWT_RS384, JWT_RS512, JWT_PS256, JWT_PS384, JWT_PS512,
	JWT_ES256, JWT_ES384, JWT_ES512, JWT_ALGORITHM_COUNT
};
/* "RS256". */
const char	*jwt_algorithm_name(enum jwt_algorithm a);
/* -1: none of them; names are exact, case too. */
int		 jwt_algorithm_find(struct slice name);

/* One reference; NULL and why. */
struct jwks	*jwks_parse(struct slice text, struct error *err) MUST_CHECK;
/* As jwks_parse, of a file. */
struct jwks	*jwks_load(const char *path, struct error *err) MUST_CHECK;
struct jwks	*jwks_ref(struct jwks *j);
void		 jwks_unref(struct jwks *j);
uint32_t	 jwks_count(const struct jwks *j);
/* How many were left out, and why the first one was ("" when none was). */
uint32_t	 jwks_left_out(const struct jwks *j, const char **why);

/* The key of exactly this kid. kid.data == NULL (a token without one): the only
 * key, when there is one. NULL: none. */
const struct jwk *jwks_find(const struct jwks *j, struct slice kid);
/* What the key is for, of these that are allowed: bits 1 << enum jwt_algorithm
 * of one family. */
uint32_t	 jwk_algorithms(const struct jwk *k, uint32_t allowed);
/* Whether it has signed this. False also when it is not for the algorithm. */
bool		 jwk_verify(const struct jwk *k, enum jwt_algorithm a,
		    struct slice text, struct slice signature);

#endif
