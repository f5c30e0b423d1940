/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small fleet with one limit that all its nodes' clients use.
 * Ownership: the caller's. Thread: one.
 */
#ifndef WEIR_TESTS_FLEET_H
#define WEIR_TESTS_FLEET_H

#include "tests/simulate/world.h"

enum { FLEET_NODES = 8, FLEET_SIZE = 16384 };
#define FLEET_RATE 5000000LL

struct fleet {
	struct world		*w;
	struct world_limit	 limit;
	struct world_source	 sources[FLEET_NODES];
	int			 nodes;
};

/* A limit of that value and burst, used by requests of that size. */
void	 fleet_begin_with(struct fleet *f, const struct world_options *o,
	    int64_t value, int64_t seconds, int64_t burst, int64_t size);
/* FLEET_RATE, a second's burst, FLEET_SIZE; of at most 100 s. */
void	 fleet_begin(struct fleet *f, int nodes);
void	 fleet_end(struct fleet *f);

/* Clients want `demand` times the limit, in these parts; the rest are 0. */
void	 fleet_want(struct fleet *f, double demand, double a, double b,
	    double c);
void	 fleet_want_parts(struct fleet *f, double demand,
	    const double parts[FLEET_NODES]);
void	 fleet_want_evenly(struct fleet *f, double demand);

#endif
