/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a certificate says of its owner, as text that rules can compare: subject
 * and issuer (RFC 2253), the alternative names (RFC 5280, 4.2.1.6: DNS, URI,
 * email), and its SHA-256, which tokens may be bound to (RFC 8705, 3.1:
 * cnf.x5t#S256).
 *
 * A text that could be read as another one is not made: a certificate with a
 * NUL or control byte in a name, or anything but ASCII in an alternative name,
 * is refused as a whole.
 * Ownership: texts lie inside the struct; do not copy it.
 * Thread: any.
 * Bounds: CERTIFICATE_NAMES_MAX names and CERTIFICATE_TEXT_MAX bytes; beyond
 * them it is refused.
 */
#ifndef WEIR_NET_CERTIFICATE_H
#define WEIR_NET_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/error.h"

struct x509_st;

enum {
	CERTIFICATE_NAMES_MAX = 64,
	CERTIFICATE_TEXT_MAX = 8192,
	CERTIFICATE_SHA256 = 32,
};

enum certificate_kind {
	CERTIFICATE_DNS, CERTIFICATE_URI, CERTIFICATE_EMAIL,
};

struct certificate_name {
	enum certificate_kind	 kind;
	const char		*text;
};

struct certificate {
	const char		*subject, *issuer;	/* "" when empty */
	const char		*common_name;		/* the last, or "" */
	struct certificate_name	 names[CERTIFICATE_NAMES_MAX];
	uint32_t		 name_count;
	int64_t			 not_after;	/* seconds since 1970 */
	uint8_t			 sha256[CERTIFICATE_SHA256];
	char			 x5t_s256[44];	/* base64url of that */
	uint32_t		 used;		/* of text */
	char			 text[CERTIFICATE_TEXT_MAX];
};

bool	certificate_read(struct x509_st *x, struct certificate *to,
	    struct error *err) MUST_CHECK;

#endif
