/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of brokers' names, remembered for a while. An answer with the
 * addresses that were there before, in whatever order, changes nothing; a name
 * that cannot be resolved keeps those that it had.
 * Ownership: resolver_new's caller. Thread: control: looking up may wait.
 * Bounds: BROKER_ADDRESSES_MAX a name; names are forgotten when there are
 * RESOLVER_NAMES_MAX.
 */
#ifndef WEIR_ROUTING_RESOLVE_H
#define WEIR_ROUTING_RESOLVE_H

#include "gateway/base/error.h"
#include "routing/cluster.h"

struct resolver;

enum {
	RESOLVER_KEEP_US = 30 * 1000000,
	RESOLVER_RETRY_US = 1000000,	/* after a failure */
	RESOLVER_NAMES_MAX = 4096,
};

struct resolver	*resolver_new(void);
void		 resolver_free(struct resolver *r);
/* Fills to[BROKER_ADDRESSES_MAX] and returns how many; 0 when there are none,
 * with why in err (which may be NULL). host is a name or an address without
 * brackets. */
int32_t		 resolver_find(struct resolver *r, const char *host, int port,
		    struct broker_address *to, struct error *err);

#endif
