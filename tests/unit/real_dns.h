/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that define getaddrinfo themselves, so that a name hangs or has
 * addresses of theirs: libc's. Included by one .c each. Thread: any.
 */
#ifndef WEIR_TESTS_REAL_DNS_H
#define WEIR_TESTS_REAL_DNS_H

#include <dlfcn.h>
#include <netdb.h>

static inline int
real_getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **found)
{
	int (*real)(const char *h, const char *s, const struct addrinfo *i,
	    struct addrinfo **f);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(host, service, hints, found);
}

#endif
