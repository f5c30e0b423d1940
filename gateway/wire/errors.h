/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is told: Kafka's error codes, as errors.def lists them. A
 * broker newer than this table may send others: they pass as numbers.
 * Thread: any.
 */
#ifndef WEIR_WIRE_ERRORS_H
#define WEIR_WIRE_ERRORS_H

#include <stdbool.h>

enum kafka_error {
#define X(name, code, retriable, text) KAFKA_##name = (code),
#include "gateway/wire/errors.def"
#undef X
};

/* "NOT_COORDINATOR"; "UNKNOWN" for a code that the table lacks. */
const char	*kafka_error_name(int code);
/* A sentence of our own for error_message; never NULL. */
const char	*kafka_error_text(int code);
/* Would a Kafka client try again? */
bool		 kafka_error_retriable(int code);

#endif
