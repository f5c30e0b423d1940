/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
checked(void *p, size_t size)
{
	if (p == NULL && size > 0) {
		fprintf(stderr, "weir: out of memory (%zu bytes)\n", size);
		abort();
	}
	return p;
}

void *
mem_alloc(size_t size)
{
	return checked(malloc(size), size);
}

void *
mem_zalloc(size_t size)
{
	return checked(calloc(1, size), size);
}

void *
mem_realloc(void *p, size_t size)
{
	return checked(realloc(p, size), size);
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const void *s, size_t len)
{
	char *p = mem_alloc(len + 1);

	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}
