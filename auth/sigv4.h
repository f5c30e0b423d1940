/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 as both of MSK's logins use it: GET / on a host,
 * everything in the query, no body, service kafka-cluster. Signing and
 * verifying are the same steps:
 *
 *	sigv4_params	names and values that are signed
 *	sigv4_query	the canonical query: each encoded, sorted
 *	sigv4_canonical	the canonical request on a host
 *	sigv4_sign	derived key, string to sign, signature
 *
 * AWS's pages: "Create a signed AWS API request", "Elements of an AWS API
 * request signature" (IAM user guide). MSK's additions: aws-msk-iam-auth's
 * README; its string to sign is printed there with a short date, what is
 * signed has the whole one.
 *
 * Ownership: slices are borrowed; what is made stands in the arena given.
 * Thread: any; with a struct auth_cache its worker's.
 * Bounds: below; whoever adds parameters is told when one is passed.
 */
#ifndef WEIR_AUTH_SIGV4_H
#define WEIR_AUTH_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct arena;
struct auth_cache;

enum {
	SIGV4_PARAMS_MAX = 16,
	SIGV4_NAME_MAX = 64,
	SIGV4_VALUE_MAX = 1024,
	SIGV4_TOKEN_MAX = 32 * 1024,	/* X-Amz-Security-Token's value */
	SIGV4_HEX = 64,			/* digits of a signature */
	SIGV4_TIME = 16,		/* 20260102T030405Z */
	SIGV4_DAY = 8,			/* 20260102 */
	SIGV4_CACHE_KEYS = 1024,	/* derived keys a worker keeps */
};

#define SIGV4_ALGORITHM "AWS4-HMAC-SHA256"
#define SIGV4_SERVICE "kafka-cluster"
#define SIGV4_TERMINATOR "aws4_request"
#define SIGV4_ACTION "kafka-cluster:Connect"

struct sigv4_params {
	struct sigv4_param {
		struct slice	 name, value;	/* not encoded */
	}		 v[SIGV4_PARAMS_MAX];
	uint32_t	 n;
};

/* False and why: one too many, too long, without a name, or a name that is
 * there already, in whatever case. */
bool	 sigv4_params_add(struct sigv4_params *p, struct slice name,
	    struct slice value, struct error *err) MUST_CHECK;
/* The value of exactly this name, or null. */
struct slice sigv4_params_get(const struct sigv4_params *p, const char *name);

/* UriEncode: all but A-Z a-z 0-9 - . _ ~ becomes %XX. */
struct slice sigv4_uri_encode(struct slice s, struct arena *a);
/* Undoes any percent encoding; '+' stays '+'. False: a % without two digits,
 * or a byte that must have been encoded (blanks, controls, beyond ASCII). */
bool	 sigv4_uri_decode(struct slice s, struct arena *a,
	    struct slice *to) MUST_CHECK;

struct slice sigv4_query(const struct sigv4_params *p, struct arena *a);
struct slice sigv4_canonical(struct slice host, struct slice query,
	    struct arena *a);

/* X-Amz-Credential: KEY/20260102/REGION/kafka-cluster/aws4_request. False
 * unless it has exactly five parts; what they say is not looked at. */
struct sigv4_scope {
	struct slice	 key_id, day, region, service, terminator;
};
bool	 sigv4_scope_read(struct slice credential,
	    struct sigv4_scope *to) MUST_CHECK;

/* X-Amz-Date, in UTC; false when it is no date. */
bool	 sigv4_time_read(struct slice text, int64_t *ms) MUST_CHECK;
/* Of 1970 to 9999; ends with NUL. */
void	 sigv4_time_write(int64_t ms, char to[SIGV4_TIME + 1]);
/* X-Amz-Expires, seconds: digits, maybe behind a '-', maybe with a fraction
 * (AWS's signer for JavaScript writes 123.439). False: no such number. */
bool	 sigv4_expires_read(struct slice text, int64_t *ms) MUST_CHECK;
/* 64 lower-case hexadecimal digits. */
bool	 sigv4_is_signature(struct slice text);

/* What a signature is computed of. */
struct sigv4_request {
	struct slice	 key_id;
	struct slice	 time;		/* SIGV4_TIME bytes; the day of it */
	struct slice	 region;
	struct slice	 canonical;
};

/* `hex` gets no NUL. Keeps the derived key. */
void	 sigv4_sign(struct auth_cache *c, const struct sigv4_request *r,
	    struct slice secret, char hex[SIGV4_HEX]);
/* In constant time. A wrong signature costs the same whether the derived key
 * was kept or not, and its key is not kept: so who has no secret neither
 * learns which keys are in use nor pushes them out. `known`: somebody has
 * this key; when not, it is false after the same work. */
bool	 sigv4_verify(struct auth_cache *c, const struct sigv4_request *r,
	    struct slice secret, bool known, struct slice signature);
/* How many keys were derived so far (tests, benchmarks). */
uint64_t sigv4_derived(const struct auth_cache *c);

#endif
