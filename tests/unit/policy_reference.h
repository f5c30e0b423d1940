/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second evaluator of policies to hold the first against: it reads the JSON
 * anew for each request, recurses, copies, and shares no code with auth/.
 * It has no dates, networks and base64: then it does not know.
 */
#ifndef WEIR_TESTS_UNIT_POLICY_REFERENCE_H
#define WEIR_TESTS_UNIT_POLICY_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum { REFERENCE_VALUES_MAX = 4 };

struct reference_key {
	const char	*name;		/* in lower case */
	const char	*values[REFERENCE_VALUES_MAX + 1];	/* then NULL */
};

struct reference_request {
	const char			*action;	/* "ReadData" */
	const char			*arn;
	const struct reference_key	*keys;
	size_t				 key_count;
};

enum reference_answer { REFERENCE_NO, REFERENCE_YES, REFERENCE_UNKNOWN };

/* session may be NULL. Documents are valid ones. */
enum reference_answer reference_decide(struct json_t *const *documents,
		    size_t n, struct json_t *session,
		    const struct reference_request *r);
/* '*' and '?' in the pattern are wild. Exponential: for short texts. */
bool		 reference_glob(const char *pattern, size_t pattern_len,
		    const char *text, size_t len);

#endif
