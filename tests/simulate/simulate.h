/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of `make simulate`, which prints Markdown; quota/README.md has what
 * it said.
 * Thread: one.
 */
#ifndef WEIR_TESTS_SIMULATE_H
#define WEIR_TESTS_SIMULATE_H

#include <stdio.h>

enum { TRACE_NODES = 4, TRACE_MAX = 600 };

/* What each node passed in steps of 0.25 s, in parts of the limit, and what
 * happened meanwhile. */
struct trace {
	double	 parts[TRACE_MAX][TRACE_NODES];
	int	 n;
	struct {
		double		 at;
		const char	*what;
	} events[16];
	int	 event_count;
};

/* What greedy tenants of a large fleet got of their limits, in each second. */
struct trace_large {
	double	 least[TRACE_MAX], median[TRACE_MAX], most[TRACE_MAX];
	int	 n;
	double	 lost_from, lost_to;	/* the store was away */
};

void	 simulate_small(struct trace *t);
void	 simulate_large(struct trace_large *t, int nodes, int tenants);
void	 simulate_plot(FILE *to, const struct trace *t,
	    const struct trace_large *large);

#endif
