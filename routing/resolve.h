/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of brokers' names, remembered for a while. An answer with the
 * addresses that were there before, in whatever order, changes nothing; a name
 * that cannot be resolved keeps those that it had. So it does while it is asked
 * for again, since the system's resolver may take long.
 * Ownership: resolver_new's caller. Thread: control.
 * Bounds: BROKER_ADDRESSES_MAX a name; RESOLVER_FLYING_MAX lookups at once, the
 * rest wait; names are forgotten when there are RESOLVER_NAMES_MAX.
 */
#ifndef WEIR_ROUTING_RESOLVE_H
#define WEIR_ROUTING_RESOLVE_H

#include "gateway/base/error.h"
#include "routing/cluster.h"

struct loop;
struct resolver;

enum {
	RESOLVER_KEEP_US = 30 * 1000000,
	RESOLVER_RETRY_US = 1000000,	/* after a failure */
	RESOLVER_NAMES_MAX = 4096,
	RESOLVER_FLYING_MAX = 8,
};

/* It waits for each answer, until it serves. */
struct resolver	*resolver_new(void);
/* From now on nothing waits: a name that is new has no addresses yet, and
 * changed(arg) is called when some name has others. It is freed before the
 * loop. */
void		 resolver_serve(struct resolver *r, struct loop *l,
		    void (*changed)(void *arg), void *arg);
void		 resolver_free(struct resolver *r);
/* Fills to[BROKER_ADDRESSES_MAX] and returns how many; 0 when there are none,
 * with why in err (which may be NULL). host is a name or an address without
 * brackets. */
int32_t		 resolver_find(struct resolver *r, const char *host, int port,
		    struct broker_address *to, struct error *err);

#endif
