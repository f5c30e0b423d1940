/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuer's keys from jwks_url: at start, every so often, and when somebody
 * has met a kid that no key has. What came last stays in force while the
 * issuer cannot be reached or says what is no JWKS.
 *
 * Ownership: jwks_fetch_new's caller. Thread: control; workers wish by way of
 * loop_post and never wait.
 * Bounds: one exchange at a time; JWKS_SIZE_MAX; failures are tried again after
 * JWKS_FETCH_BACKOFF_MIN_MS, doubling to _MAX_MS; wishes lead to one exchange
 * in JWKS_FETCH_PAUSE_MS, however many there are: that is 15 a minute, where
 * Kafka's RefreshingHttpsJwks remembers 16 missing kids a minute.
 */
#ifndef WEIR_JWKS_FETCH_H
#define WEIR_JWKS_FETCH_H

#include <stdint.h>

struct jwks;
struct jwks_fetch;
struct loop;

enum {
	JWKS_FETCH_REFRESH_MS = 3600 * 1000,
	JWKS_FETCH_BACKOFF_MIN_MS = 100,
	JWKS_FETCH_BACKOFF_MAX_MS = 10000,
	JWKS_FETCH_PAUSE_MS = 4000,
};

/* Strings are copied; 0 is the default. */
struct jwks_fetch_options {
	const char	*url;		/* as http_url_parse takes it */
	const char	*ca_file;	/* PEM; NULL: the system's */
	uint32_t	 refresh_ms;
	uint32_t	 timeout_ms;
};

struct jwks_fetch_stats {
	uint64_t	 exchanges, failed;
	uint64_t	 changed;	/* led to got() */
};

/* Begins at once. got(arg, keys) each time that other keys came than before;
 * they are valid during the call, take a reference to keep them. got() may not
 * free the fetch. */
struct jwks_fetch *jwks_fetch_new(struct loop *control,
		    const struct jwks_fetch_options *o,
		    void (*got)(void *arg, struct jwks *j), void *arg);
/* Somebody has met a key that is not there: fetch, soon. */
void		 jwks_fetch_wish(struct jwks_fetch *f);
void		 jwks_fetch_get_stats(const struct jwks_fetch *f,
		    struct jwks_fetch_stats *to);
void		 jwks_fetch_free(struct jwks_fetch *f);

#endif
