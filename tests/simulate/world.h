/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet on virtual time: nodes with the gateway's own lease code, a store
 * which runs the gateway's own scripts, a network between them that can fail,
 * and clients that want something of limits.
 *
 * Ownership: the caller's; there is one world at a time: it has the clock.
 * Thread: one.
 */
#ifndef WEIR_TESTS_WORLD_H
#define WEIR_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "quota/lease.h"
#include "quota/store.h"

struct lua_redis;
struct flight;

enum { WORLD_TICK_US = 10 * 1000 };

enum store_state {
	STORE_UP,
	STORE_REFUSES,	/* no connection */
	STORE_SILENT,	/* takes nothing, says nothing */
	STORE_PAUSED,	/* takes all, does it when it is up again */
};

/* A limit of a tenant, for the whole fleet. */
struct world_limit {
	char		 tenant[32], name[32];
	int64_t		 value, seconds, burst;
	double		*passed;	/* tokens, by bins from the start */
	int64_t		 bin_us;
	double		 wanted;	/* all that clients came with */
	double		 total;		/* all that passed */
};

/* What the clients of one node want of it. */
struct world_source {
	struct world_limit	*limit;
	int			 node;
	struct bucket		 bucket;
	struct lease		*lease;		/* NULL: node is not alive */
	double			 rate;		/* tokens a second */
	int64_t			 size;		/* of a request */
	double			 backlog, patience;	/* tokens; at most */
	double			 passed;
};

struct world_node {
	struct world		*world;
	struct store		 store;
	struct lease_node	*lease;		/* NULL: dead */
	char			 name[16];
	bool			 cut;		/* its packets are lost */
	int			 born;		/* how often */
};

struct world_options {
	int		 nodes;
	int64_t		 step_us;	/* of clients; 0: 1 ms */
	int64_t		 round_trip_us;	/* 0: 1 ms */
	int64_t		 seconds;	/* bins for so long */
	int64_t		 bin_us;	/* 0: 50 ms */
	uint64_t	 seed;
	enum lease_on_loss on_loss;
	void		(*on_pressed)(void *arg, struct slice group,
			    struct slice name);
	void		(*on_news)(void *arg);
};

struct world {
	struct world_options	 o;
	int64_t			 begin_us, now_us;
	uint64_t		 seed;
	struct lua_redis	*redis;
	enum store_state	 state;
	int64_t			 slow_us;	/* added to each answer */
	int64_t			 skew_us;	/* of the store's clock */
	bool			 poisoned;	/* answers what it likes */
	struct world_node	*nodes;
	struct flight		**heap;
	uint32_t		 flights, room;
	uint64_t		 sequence;
	struct flight		*waiting, **waiting_end;	/* paused */
	struct world_source	**sources;
	uint32_t		 source_count;
	uint64_t		 round_trips, calls;
};

struct world	*world_new(const struct world_options *o);
void		 world_free(struct world *w);
/* A number below n. */
uint64_t	 world_draw(struct world *w, uint64_t n);

void		 world_start_node(struct world *w, int node);
void		 world_kill_node(struct world *w, int node);
/* What is under way is lost with it, done or not, when it refuses. */
void		 world_store(struct world *w, enum store_state state);

void		 world_limit_init(struct world_limit *l, const struct world *w,
		    const char *tenant, const char *name, int64_t value,
		    int64_t seconds, int64_t burst);
void		 world_limit_fini(struct world_limit *l);
/* The source is the caller's, who sets its rate. */
void		 world_source(struct world *w, struct world_source *s,
		    struct world_limit *l, int node, int64_t size);

/* Lets so much time pass; each_step may be NULL. */
void		 world_run(struct world *w, double seconds);

/* The least and most that passed in any window of so many seconds between
 * these two moments (seconds from the start), as parts of the limit. */
struct range {
	double	 least, most;
};
struct range	 world_range(const struct world_limit *l, double from,
		    double to, double window);
/* What passed in that time, in parts of the limit. */
double		 world_part(const struct world_limit *l, double from,
		    double to);
static inline double
world_seconds(const struct world *w)
{
	return (double)(w->now_us - w->begin_us) / 1e6;
}

#endif
