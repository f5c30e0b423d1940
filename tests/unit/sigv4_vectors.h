/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What real signers made: frozen-* by botocore under a stopped clock, the
 * others by AWS's own libraries (Python 1.0.2, Go 1.0.4, JavaScript 1.0.3,
 * Java 2.3.5) and franz-go, each with a lasting key and with a session token.
 * The key is AWS's documented example.
 */
#ifndef WEIR_TESTS_SIGV4_VECTORS_H
#define WEIR_TESTS_SIGV4_VECTORS_H

#include <stddef.h>

#define VECTOR_KEY "AKIDEXAMPLE"
#define VECTOR_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define VECTOR_TOKEN "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHM" \
	"EUCIQ+abc/def=="
#define VECTOR_HOST "b-1.demo.abcdef.c2.kafka.us-east-1.amazonaws.com"
#define VECTOR_REGION "us-east-1"

struct sigv4_vector {
	const char	*name;
	const char	*time;		/* its X-Amz-Date */
	/* AWS_MSK_IAM's message when it begins with '{', else a token. */
	const char	*text;
};
extern const struct sigv4_vector sigv4_vectors[];
extern const size_t sigv4_vector_count;

#endif
