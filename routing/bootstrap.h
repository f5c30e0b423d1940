/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootstrap list: names of brokers to begin with, and to come back to when
 * no known broker answers.
 *
 * Ownership: bootstrap_new's caller. Thread: control (names are resolved, which
 * may wait). Bounds: BROKER_ADDRESSES_MAX addresses of each name.
 */
#ifndef WEIR_ROUTING_BOOTSTRAP_H
#define WEIR_ROUTING_BOOTSTRAP_H

#include "gateway/base/error.h"
#include "routing/cluster.h"

struct bootstrap;
struct resolver;

/* "host:port,host:port", checked before. */
struct bootstrap *bootstrap_new(const char *text);
void		 bootstrap_free(struct bootstrap *b);
/* The at-th of all addresses of all names, beginning with the name `first`
 * (modulo their number). Its name, borrowed; NULL: there are not so many. err
 * is set when a name on the way has no address. */
const char	*bootstrap_find(const struct bootstrap *b, struct resolver *r,
		    uint32_t first, uint32_t at, struct broker_address *found,
		    struct error *err);

#endif
