/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64url without padding (RFC 4648 section 5, RFC 7515 section 2), in its
 * canonical form only: one text for each string of bytes, so that nobody can
 * make a second token out of a signed one by spelling it in another way.
 * Ownership: none. Thread: any. Bounds: the caller's buffer.
 */
#ifndef WEIR_AUTH_BASE64URL_H
#define WEIR_AUTH_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

/* How many bytes so long a text stands for, at most. */
#define BASE64URL_BYTES(len) ((size_t)(len) / 4 * 3 + 2)
/* The length of the text for so many bytes, without a NUL. */
#define BASE64URL_TEXT(n) ((4 * (size_t)(n) + 2) / 3)

/* False for other characters, padding, an impossible length, bits that are not
 * zero behind the last byte, or more than `size` bytes. */
bool	base64url_decode(struct slice text, uint8_t *to, size_t size,
	    size_t *len) MUST_CHECK;
/* to: BASE64URL_TEXT(n) + 1 bytes; NUL-terminated. Returns the length. */
size_t	base64url_encode(const void *data, size_t n, char *to);

#endif
