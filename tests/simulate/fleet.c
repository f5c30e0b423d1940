/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulate/fleet.h"

void
fleet_begin_with(struct fleet *f, const struct world_options *o, int64_t value,
    int64_t seconds, int64_t burst, int64_t size)
{
	*f = (struct fleet){ .w = world_new(o), .nodes = o->nodes };
	world_limit_init(&f->limit, f->w, "acme", "ingress", value, seconds,
	    burst);
	for (int i = 0; i < f->nodes; i++)
		world_source(f->w, &f->sources[i], &f->limit, i, size);
}

void
fleet_begin(struct fleet *f, int nodes)
{
	struct world_options o = { .nodes = nodes, .seconds = 100,
	    .seed = 7 };

	fleet_begin_with(f, &o, FLEET_RATE, 1, FLEET_RATE, FLEET_SIZE);
}

void
fleet_end(struct fleet *f)
{
	world_free(f->w);
	world_limit_fini(&f->limit);
}

void
fleet_want_parts(struct fleet *f, double demand,
    const double parts[FLEET_NODES])
{
	double sum = 0;

	for (int i = 0; i < f->nodes; i++)
		sum += parts[i];
	for (int i = 0; i < f->nodes; i++)
		f->sources[i].rate = demand * parts[i] / sum *
		    (double)f->limit.value / (double)f->limit.seconds;
}

void
fleet_want(struct fleet *f, double demand, double a, double b, double c)
{
	const double parts[FLEET_NODES] = { a, b, c };

	fleet_want_parts(f, demand, parts);
}

void
fleet_want_evenly(struct fleet *f, double demand)
{
	static const double parts[FLEET_NODES] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	fleet_want_parts(f, demand, parts);
}
