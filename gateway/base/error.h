/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of the environment or of input: a function returns bool (or NULL) and
 * fills a sentence for a person, which names what is wrong and what to do.
 * Our own bugs are assert(); what a client is told is enum kafka_error.
 * Thread: any.
 */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))

struct error {
	char	text[512];
};

/* Writes the sentence; always false, so `return error_set(...)` reads well.
 * err may be NULL. */
bool	error_set(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before the sentence that is there; always false. */
bool	error_prefix(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
