/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's addresses, by the system's resolver and without waiting for it: each
 * lookup has a thread, which is left behind when nobody wants to know any more.
 * An address is its own answer and needs none.
 *
 * Ownership: lookup_start returns the lookup; it is freed after done(), or by
 * lookup_cancel. Thread: the loop's.
 * Bounds: LOOKUPS_MAX threads at once in the process, also those left behind;
 * more lookups fail with EAI_AGAIN.
 */
#ifndef WEIR_NET_LOOKUP_H
#define WEIR_NET_LOOKUP_H

#include <netdb.h>

struct lookup;
struct loop;

enum { LOOKUPS_MAX = 16 };

/* flags are getaddrinfo's. done() is called once, later: with what it found,
 * valid during the call, or NULL and its fault. */
struct lookup	*lookup_start(struct loop *l, const char *host, int flags,
		    void (*done)(void *arg, const struct addrinfo *found,
		    int fault), void *arg);
/* done() is not called any more. NULL is good. Before the loop is freed. */
void		 lookup_cancel(struct lookup *k);

#endif
