/* SPDX-License-Identifier: Apache-2.0 */
/* Fleets of 1 to 8 nodes with one limit. */
#include "tests/simulate/simulate.h"

#include "tests/simulate/fleet.h"
#include "tests/simulate/lua_redis.h"

static const int sizes[] = { 1, 3, 4, 8 };

/* ---- steady ---- */

enum load { EVEN, SKEW, WANDER, ONE, LOADS };

static void
want_load(struct fleet *f, enum load load)
{
	double parts[FLEET_NODES] = { 90, 9, 1, 0.5, 0.5, 0.5, 0.5, 0.5 };

	for (int i = 0; i < f->nodes && load == WANDER; i++)
		parts[i] = 1 + (double)world_draw(f->w, 1000) *
		    (double)world_draw(f->w, 1000);
	if (load == EVEN)
		fleet_want_evenly(f, 2);
	else if (load == ONE)
		fleet_want(f, 2, 1, 0, 0);
	else
		fleet_want_parts(f, 2, parts);
}

static void
print_range(struct range r)
{
	printf(" %+.1f / %+.1f |", (r.least - 1) * 100, (r.most - 1) * 100);
}

static void
steady(int nodes, enum load load)
{
	static const char *const names[] = { "34/33/33", "90/9/1",
	    "wandering", "all on one" };
	struct fleet f;
	uint64_t calls, trips;

	fleet_begin(&f, nodes);
	want_load(&f, load);
	world_run(f.w, 5);
	calls = f.w->calls;
	trips = f.w->round_trips;
	for (int i = 0; i < 60; i++) {
		if (load == WANDER)
			want_load(&f, load);
		world_run(f.w, 1);
	}
	printf("| %d | %s |", nodes, names[load]);
	print_range(world_range(&f.limit, 5, 65, 1));
	print_range(world_range(&f.limit, 5, 65, 5));
	print_range(world_range(&f.limit, 5, 65, 10));
	printf(" %.0f | %.0f |\n", (double)(f.w->calls - calls) / 60 / nodes,
	    (double)(f.w->round_trips - trips) / 60 / nodes);
	fleet_end(&f);
}

static void
steady_table(void)
{
	printf("Twice the limit is wanted; least and most that passed in any "
	    "window, in %% off the limit:\n\n"
	    "| nodes | demand | 1 s | 5 s | 10 s | calls/s and node | "
	    "batches/s and node |\n|---|---|---|---|---|---|---|\n");
	for (int i = 0; i < 4; i++)
		for (int load = 0; load < LOADS; load++)
			if (sizes[i] > 1 || load == EVEN)
				steady(sizes[i], (enum load)load);
	printf("\n");
}

/* ---- how fast shares move ---- */

/* Until no half second has less than 95 % of the limit any more. */
static double
settled_after(const struct world_limit *l, double from, double to)
{
	double last = from;

	for (double t = from; t + 0.5 <= to; t += 0.05)
		if (world_part(l, t, t + 0.5) < 0.95)
			last = t + 0.5;
	return last - from;
}

static void
press_row(int nodes)
{
	struct fleet f;
	double press, move;
	uint64_t calls;

	fleet_begin(&f, nodes);
	fleet_want_evenly(&f, 0.3);
	world_run(f.w, 10);
	fleet_want(&f, 2, 1, 0, 0);
	world_run(f.w, 10);
	/* The burst that is spent first would hide it. */
	press = settled_after(&f.limit, 10, 15);
	fleet_want(&f, 2, 0, 1, 0);
	world_run(f.w, 10);
	move = settled_after(&f.limit, 20, 25);
	printf("| %d | %.2f | %.2f |", nodes, press, move);
	print_range(world_range(&f.limit, 18, 25, 1));
	fleet_want_evenly(&f, 0.3);
	world_run(f.w, 10);
	calls = f.w->calls;
	world_run(f.w, 10);
	printf(" %.1f |\n", (double)(f.w->calls - calls) / 10 / nodes);
	fleet_end(&f);
}

static void
move_table(void)
{
	printf("A limit that was free is wanted twice by one node, then all of "
	    "that by another; seconds until no half second is below 95 %%:\n\n"
	    "| nodes | pressed | moved | 1 s windows around the move | calls/s "
	    "and node when it is free again |\n|---|---|---|---|---|\n");
	for (int i = 1; i < 4; i++)
		press_row(sizes[i]);
	printf("\n");
}

/* ---- faults ---- */

enum fault { KILL, KILL_LARGE, START, REFUSES, SILENT, SLOW, PAUSED, SHORT,
	FLUSHED, RESTARTED, FAILED_OVER, MOVED, CUT_ONE, CUT_HALF, FAULTS };

static const struct fault_row {
	const char	*text;
	double		 seconds;	/* it lasts */
	int		 nodes;
} faults[] = {
	[KILL] = { "kill -9 of one of 4", 0, 4 },
	[KILL_LARGE] = { "kill -9 of the one of 3 with 90 %, whose clients go "
	    "to another", 0, 3 },
	[START] = { "3 more start beside one", 0, 4 },
	[REFUSES] = { "store refuses, 20 s", 20, 3 },
	[SILENT] = { "store is silent, 20 s", 20, 3 },
	[SLOW] = { "store is slow (2 s), 20 s", 20, 3 },
	[PAUSED] = { "store is paused, 20 s", 20, 3 },
	[SHORT] = { "store refuses, 0.3 s", 0.3, 3 },
	[FLUSHED] = { "store is flushed", 0, 3 },
	[RESTARTED] = { "store is restarted, empty", 0.4, 3 },
	[FAILED_OVER] = { "store fails over to one whose clock is 1 h off",
	    0.4, 3 },
	[MOVED] = { "store refuses, 20 s, and demand moves from 90/9/1 to "
	    "1/9/90", 20, 3 },
	[CUT_ONE] = { "one of 3 is cut off, 10 s", 10, 3 },
	[CUT_HALF] = { "2 of 4 are cut off, 10 s", 10, 4 },
};

static void
fault_begin(struct fleet *f, enum fault fault)
{
	switch (fault) {
	case KILL:
		world_kill_node(f->w, 3);
		break;
	case KILL_LARGE:
		world_kill_node(f->w, 0);
		fleet_want(f, 2, 0, 1, 0);
		break;
	case START:
		for (int i = 1; i < 4; i++)
			world_start_node(f->w, i);
		break;
	case REFUSES: case SHORT: case RESTARTED: case FAILED_OVER:
		world_store(f->w, STORE_REFUSES);
		break;
	case MOVED:
		world_store(f->w, STORE_REFUSES);
		fleet_want(f, 2, 1, 9, 90);
		break;
	case SILENT:
		world_store(f->w, STORE_SILENT);
		break;
	case SLOW:
		f->w->slow_us = 2000000;
		break;
	case PAUSED:
		world_store(f->w, STORE_PAUSED);
		break;
	case FLUSHED:
		lua_redis_flush(f->w->redis);
		break;
	case CUT_HALF:
		f->w->nodes[1].cut = true;
		/* fallthrough */
	case CUT_ONE:
		f->w->nodes[0].cut = true;
		break;
	case FAULTS:
		break;
	}
}

static void
fault_end(struct fleet *f, enum fault fault)
{
	f->w->slow_us = 0;
	for (int i = 0; i < f->nodes; i++)
		f->w->nodes[i].cut = false;
	if (fault == RESTARTED)
		lua_redis_flush(f->w->redis);
	if (fault == FAILED_OVER)
		f->w->skew_us += 3600 * 1000000LL;
	if (f->w->state != STORE_UP)
		world_store(f->w, STORE_UP);
}

static bool
all_ask(const struct fleet *f)
{
	struct lease_view v;

	for (int i = 0; i < f->nodes; i++)
		if (f->sources[i].lease != NULL) {
			lease_view(f->sources[i].lease, &v);
			if (v.mode != LEASE_ASKING)
				return false;
		}
	return true;
}

static void
fault_row(enum fault fault, bool skewed)
{
	const struct fault_row *row = &faults[fault];
	struct fleet f;
	double end = 20 + row->seconds, back = 0;

	fleet_begin(&f, row->nodes);
	for (int i = 1; fault == START && i < 4; i++)
		world_kill_node(f.w, i);
	if (skewed)
		fleet_want(&f, 2, 90, 9, 1);
	else
		fleet_want_evenly(&f, fault == START ? 8 : 2);
	world_run(f.w, 20);
	fault_begin(&f, fault);
	world_run(f.w, row->seconds);
	fault_end(&f, fault);
	for (; !all_ask(&f) && back < 10; back += 0.05)
		world_run(f.w, 0.05);
	world_run(f.w, 12 - back);
	printf("| %s%s |", row->text, skewed && fault != KILL_LARGE &&
	    fault != MOVED ? ", 90/9/1" : "");
	if (row->seconds >= 1)
		printf(" %+.1f |", (world_part(&f.limit, 20.5, end) - 1) * 100);
	else
		printf(" |");
	print_range(world_range(&f.limit, 19, end + 3, 1));
	printf(" %+.1f | %.2f |\n",
	    (world_part(&f.limit, end, end + 10) - 1) * 100, back);
	fleet_end(&f);
}

static void
fault_table(void)
{
	printf("Faults at twice the limit, from 34/33/33 or 90/9/1 to start "
	    "with; %% off the limit, and seconds until all nodes ask again:\n\n"
	    "| fault | meanwhile | 1 s windows, from before to 3 s after | "
	    "10 s after | back |\n|---|---|---|---|---|\n");
	for (int i = 0; i < FAULTS; i++) {
		bool skewed = i == KILL_LARGE || i == MOVED;

		fault_row((enum fault)i, skewed);
		if (i >= REFUSES && i <= PAUSED)
			fault_row((enum fault)i, true);
	}
	printf("\n");
}

/* ---- one day of a fleet, for the plot ---- */

static void
event(struct fleet *f, struct trace *t, const char *what)
{
	t->events[t->event_count].at = world_seconds(f->w);
	t->events[t->event_count++].what = what;
}

static void
record(struct fleet *f, struct trace *t, double seconds)
{
	double step = 0.25, was[TRACE_NODES];

	for (int i = 0; i < (int)(seconds / step + 0.5); i++) {
		for (int k = 0; k < f->nodes; k++)
			was[k] = f->sources[k].passed;
		world_run(f->w, step);
		for (int k = 0; k < f->nodes && t->n < TRACE_MAX; k++)
			t->parts[t->n][k] = (f->sources[k].passed - was[k]) /
			    step / (double)f->limit.value;
		t->n++;
	}
}

static void
story(struct trace *t)
{
	struct fleet f;

	fleet_begin(&f, TRACE_NODES);
	world_kill_node(f.w, 3);
	fleet_want(&f, 0.5, 2, 2, 1);
	record(&f, t, 4);
	event(&f, t, "pressed on one");
	fleet_want(&f, 2, 1, 0, 0);
	record(&f, t, 8);
	event(&f, t, "moves to another");
	fleet_want(&f, 2, 0, 1, 0);
	record(&f, t, 6);
	event(&f, t, "34/33/33");
	fleet_want(&f, 2, 34, 33, 33);
	record(&f, t, 6);
	event(&f, t, "kill -9 of one");
	world_kill_node(f.w, 2);
	record(&f, t, 6);
	event(&f, t, "two start");
	world_start_node(f.w, 2);
	world_start_node(f.w, 3);
	fleet_want_evenly(&f, 3);
	record(&f, t, 8);
	event(&f, t, "store gone");
	world_store(f.w, STORE_REFUSES);
	record(&f, t, 10);
	event(&f, t, "back, empty");
	lua_redis_flush(f.w->redis);
	world_store(f.w, STORE_UP);
	record(&f, t, 8);
	event(&f, t, "one is cut off");
	f.w->nodes[0].cut = true;
	record(&f, t, 6);
	event(&f, t, "and back");
	f.w->nodes[0].cut = false;
	record(&f, t, 6);
	event(&f, t, "little use");
	fleet_want_evenly(&f, 0.4);
	record(&f, t, 8);
	fleet_end(&f);
}

void
simulate_small(struct trace *t)
{
	steady_table();
	move_table();
	fault_table();
	story(t);
}
