/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large fleet: tenants of all sizes, of which some want more than they may
 * all the time and some now and then; nodes die, the store goes away.
 */
#include "tests/simulate/simulate.h"

#include <stdlib.h>

#include "gateway/base/mem.h"
#include "tests/simulate/world.h"

enum {
	SECONDS = 75,
	LOST_FROM = 40, LOST_TO = 45,	/* the store refuses */
	CUT_FROM = 58, CUT_TO = 63,	/* one node in 20 is cut off */
	DEAD_FOR = 3,			/* seconds of a node that was killed */
};

enum kind { GREEDY, BURSTY, MODERATE };

struct tenant {
	struct world_limit	 limit;
	struct world_source	*sources;
	double			*weights;
	int			 n;		/* of sources */
	enum kind		 kind;
	double			 demand;	/* parts of the limit */
	double			 wanted[SECONDS];
};

struct large {
	struct world	*w;
	struct tenant	*tenants;
	int		 nodes, n;
	uint64_t	 calls, trips;
	double		 beats;
};

/* How many nodes its clients are on. */
static int
spread(int tenant, int nodes)
{
	int n = tenant < 10 ? nodes : tenant < 100 ? nodes / 10 :
	    tenant < 1000 ? 10 : 3;

	return n > nodes ? nodes : n;
}

static void
init_tenant(struct large *g, int i)
{
	struct tenant *t = &g->tenants[i];
	uint64_t kind = world_draw(g->w, 100);
	int64_t value = 100000 << world_draw(g->w, 8);
	int first = (int)world_draw(g->w, (uint64_t)g->nodes);
	char name[32];

	snprintf(name, sizeof(name), "t%d", i);
	world_limit_init(&t->limit, g->w, name, "ingress", value, 1, value);
	t->kind = kind < 5 ? GREEDY : kind < 20 ? BURSTY : MODERATE;
	t->n = spread(i, g->nodes);
	t->sources = mem_zalloc((size_t)t->n * sizeof(*t->sources));
	t->weights = mem_zalloc((size_t)t->n * sizeof(*t->weights));
	for (int k = 0; k < t->n; k++)
		world_source(g->w, &t->sources[k], &t->limit,
		    (first + k * (t->n > 10 ? 1 : 97)) % g->nodes,
		    value / 500);
}

/* Skewed: a few nodes have most of it. */
static void
draw_weights(struct large *g, struct tenant *t)
{
	for (int k = 0; k < t->n; k++)
		t->weights[k] = 1.0 /
		    (double)(1 + world_draw(g->w, (uint64_t)t->n * 2));
}

static void
draw_demand(struct large *g, struct tenant *t, int second)
{
	double x = (double)world_draw(g->w, 1000) / 1000;

	switch (t->kind) {
	case GREEDY:
		t->demand = 1.5 + x;
		break;
	case BURSTY:
		/* 2 s in 10. */
		t->demand = (second + (int)(t - g->tenants)) % 10 < 2 ?
		    2 : 0.1;
		break;
	case MODERATE:
		t->demand += (x - 0.5) / 10;
		if (t->demand < 0.01)
			t->demand = 0.01;
		if (t->demand > 0.7)
			t->demand = 0.7;
		break;
	}
}

/* Clients of a node that is dead go to others. */
static void
apply(struct large *g, struct tenant *t, int second)
{
	double sum = 0;

	for (int k = 0; k < t->n; k++)
		if (t->sources[k].lease != NULL)
			sum += t->weights[k];
	for (int k = 0; k < t->n; k++)
		t->sources[k].rate = t->sources[k].lease == NULL ? 0 :
		    t->demand * t->weights[k] / sum * (double)t->limit.value;
	t->wanted[second] = sum > 0 ? t->demand : 0;
	(void)g;
}

static void
fail(struct large *g, int second)
{
	struct world *w = g->w;
	int dead = (int)world_draw(w, (uint64_t)g->nodes);

	for (int i = 0; i < g->nodes; i++)
		if (w->nodes[i].lease == NULL &&
		    second - w->nodes[i].born >= DEAD_FOR &&
		    world_draw(w, DEAD_FOR) == 0)
			world_start_node(w, i);
	if (second >= 10 && second % 2 == 0 && w->nodes[dead].lease != NULL)
		world_kill_node(w, dead);
	if (second == LOST_FROM)
		world_store(w, STORE_REFUSES);
	if (second == LOST_TO)
		world_store(w, STORE_UP);
	if (second == CUT_FROM || second == CUT_TO)
		for (int i = 0; i < g->nodes; i += 20)
			w->nodes[i].cut = second == CUT_FROM;
}

/* ---- what came of it ---- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
at(const double *sorted, int n, double part)
{
	return n == 0 ? 0 : sorted[(int)(part * (n - 1) + 0.5)];
}

/* Each 10 s window of each greedy tenant. */
static void
greedy_row(const struct large *g, const char *name, int from, int to)
{
	double *v = mem_alloc((size_t)g->n * SECONDS * sizeof(*v));
	int n = 0;

	for (int i = 0; i < g->n; i++)
		for (int s = from; s + 10 <= to; s++)
			if (g->tenants[i].kind == GREEDY)
				v[n++] = (world_part(&g->tenants[i].limit, s,
				    s + 10) - 1) * 100;
	qsort(v, (size_t)n, sizeof(*v), compare);
	printf("| %s | %+.1f | %+.1f | %+.1f | %+.1f | %+.1f |\n", name,
	    at(v, n, 0), at(v, n, 0.01), at(v, n, 0.5), at(v, n, 0.99),
	    at(v, n, 1));
	free(v);
}

/* Of what those wanted who stayed below their limits, and what all others
 * passed beyond theirs and a burst. */
static void
others_row(const struct large *g, int from, int to)
{
	double *v = mem_alloc((size_t)g->n * sizeof(*v)), most = 0;
	int n = 0;

	for (int i = 0; i < g->n; i++) {
		const struct tenant *t = &g->tenants[i];
		double wanted = 0;

		for (int s = from; s < to; s++)
			wanted += t->wanted[s] / (to - from);
		if (t->kind == MODERATE)
			v[n++] = world_part(&t->limit, from, to) / wanted;
		for (int s = from; s + 10 <= to; s++) {
			double part = world_part(&t->limit, s, s + 10);

			if (part > most)
				most = part;
		}
	}
	qsort(v, (size_t)n, sizeof(*v), compare);
	printf("\nTenants below their limits got %.2f %% of what they wanted "
	    "(the worst hundredth of them: %.2f %% or less); nobody passed "
	    "more than %.1f %% of a limit and its burst in 10 s.\n\n",
	    at(v, n, 0.5) * 100, at(v, n, 0.01) * 100, most / 1.1 * 100);
	free(v);
}

static void
fill_trace(const struct large *g, struct trace_large *t)
{
	double *v = mem_alloc((size_t)g->n * sizeof(*v));

	for (int s = 0; s < SECONDS; s++) {
		int n = 0;

		for (int i = 0; i < g->n; i++)
			if (g->tenants[i].kind == GREEDY)
				v[n++] = world_part(&g->tenants[i].limit, s,
				    s + 1);
		qsort(v, (size_t)n, sizeof(*v), compare);
		t->least[s] = at(v, n, 0.01);
		t->median[s] = at(v, n, 0.5);
		t->most[s] = at(v, n, 0.99);
	}
	t->n = SECONDS;
	t->lost_from = LOST_FROM;
	t->lost_to = LOST_TO;
	free(v);
}

static void
report(struct large *g, struct trace_large *t)
{
	int sources = 0;
	double per = (double)g->nodes * 20;

	for (int i = 0; i < g->n; i++)
		sources += g->tenants[i].n;
	printf("%d nodes, %d tenants on %d pairs of both. One in twenty wants "
	    "1.5 to 2.5 times its limit, three in twenty do for 2 s in 10, the "
	    "rest up to 0.7 of it. A node is killed each 2 s. When calm, a "
	    "node makes %.1f calls in %.1f batches a second. What the greedy "
	    "ones pass in windows of 10 s, %% off their limits:\n\n"
	    "| | least | 1 %% | median | 99 %% | most |\n"
	    "|---|---|---|---|---|---|\n", g->nodes, g->n, sources,
	    (double)g->calls / per, (double)g->trips / per);
	greedy_row(g, "calm", 5, LOST_FROM);
	greedy_row(g, "the store refuses for 5 s", LOST_FROM - 2,
	    LOST_TO + 12);
	greedy_row(g, "one node in 20 is cut off for 5 s", CUT_FROM - 2,
	    SECONDS);
	others_row(g, 10, LOST_FROM);
	fill_trace(g, t);
}

void
simulate_large(struct trace_large *t, int nodes, int tenants)
{
	struct world_options o = { .nodes = nodes, .seconds = SECONDS,
	    .step_us = 10000, .bin_us = 1000000, .seed = 11 };
	struct large g = { .nodes = nodes, .n = tenants };

	g.w = world_new(&o);
	g.tenants = mem_zalloc((size_t)tenants * sizeof(*g.tenants));
	for (int i = 0; i < tenants; i++)
		init_tenant(&g, i);
	for (int s = 0; s < SECONDS; s++) {
		if (s == 15) {
			g.calls = g.w->calls;
			g.trips = g.w->round_trips;
		} else if (s == 35) {
			g.calls = g.w->calls - g.calls;
			g.trips = g.w->round_trips - g.trips;
		}
		fail(&g, s);
		for (int i = 0; i < tenants; i++) {
			if (world_draw(g.w, 15) == 0 || s == 0)
				draw_weights(&g, &g.tenants[i]);
			draw_demand(&g, &g.tenants[i], s);
			apply(&g, &g.tenants[i], s);
		}
		world_run(g.w, 1);
		fprintf(stderr, "\r%d of %d s", s + 1, SECONDS);
	}
	fprintf(stderr, "\n");
	report(&g, t);
	world_free(g.w);
	for (int i = 0; i < tenants; i++) {
		world_limit_fini(&g.tenants[i].limit);
		free(g.tenants[i].sources);
		free(g.tenants[i].weights);
	}
	free(g.tenants);
}
