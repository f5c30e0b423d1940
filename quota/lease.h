/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One limit is one number for a fleet of gateways: tokens leave the store
 * before they are spent, so that the nodes together pass what one node may.
 * quota/README.md tells the protocol.
 *
 * A rate: the request path spends from a bucket (quota/bucket.h) with `rate` of
 * its lease, then calls lease_notice with the balance. A count:
 * lease_count_take and lease_count_put. Neither ever waits for the store.
 *
 * Ownership: the node owns its leases; a bucket is the caller's and outlives
 * its lease.
 * Thread: control, except the fields and functions that say any.
 * Time: clock_now_us.
 * Bounds: LEASE_*; all that comes from the store is checked and clamped: it can
 * deny, or give each node the whole limit, no more.
 */
#ifndef WEIR_QUOTA_LEASE_H
#define WEIR_QUOTA_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/bucket.h"

struct lease_node;
struct store;

enum {
	LEASE_BEAT_MS = 250,		/* heartbeats, by default */
	LEASE_DEADLINE_MS = 150,	/* an answer is late then, by default */
	LEASE_ID_MAX = 320,		/* bytes of a group's or limit's name;
					 * longer and odd ones are hashed */
	LEASE_NODES_MAX = 100000,
	LEASE_KNOWN_MAX = 250000,	/* limits pressed in the fleet */
	LEASE_COUNT_MAX = INT32_MAX,
};

/* How a bucket or count lives. */
enum lease_mode {
	LEASE_OWN,	/* there is no fleet: the whole limit */
	LEASE_FREE,	/* nobody presses: a part of it, without asking */
	LEASE_ASKING,	/* it has what the store gives */
	LEASE_LOST,	/* the store does not answer: on_loss */
};

enum lease_on_loss {
	LEASE_SHARE,	/* the share it had last */
	LEASE_OPEN,	/* no limit */
	LEASE_CLOSED,	/* nothing */
};

struct lease_options {
	const char		*node_id;	/* no other has it */
	/* Of keys, at most 64 bytes without braces; NULL: "weir:". */
	const char		*prefix;
	struct store		*store;		/* NULL: there is no fleet */
	enum lease_on_loss	 on_loss;
	uint32_t		 beat_ms;	/* 0: the default */
	uint32_t		 deadline_ms;
	uint32_t		 expected_nodes; /* at first; 0: 1 */
	/* New buckets begin full: nothing was used before this node began. */
	bool			 full;
	/* Some node presses a limit that has no lease here. When it has a
	 * bucket here, a lease for it is due now. Names are as of lease_id. */
	void			(*on_pressed)(void *arg, struct slice group,
				    struct slice name);
	/* Another node said lease_news; or some may have, which the store has
	 * forgotten. */
	void			(*on_news)(void *arg);
	/* lease_unleased gives another answer from now on. */
	void			(*on_nodes)(void *arg);
	void			*arg;
};

/* A rate. */
struct lease {
	struct bucket_rate	 rate;		/* of its bucket. Thread: any */
	_Atomic int64_t		 press_below;	/* a balance. Thread: any */
	/* About what it gets a second, in millionths: for bucket_wait_us.
	 * Thread: any. */
	_Atomic int64_t		 pace;
	/* How many (connections, say) want something of it here: when there is
	 * too little, nodes get parts by it. 0 counts as 1. Thread: any. */
	_Atomic uint32_t	 weight;
};

struct lease_count;

struct lease_node *lease_node_new(const struct lease_options *o);
/* With all its leases. Calls that are under way end without it. */
void		 lease_node_free(struct lease_node *n);
/* Each 10 to 20 ms. Calls `submit` of the store at most each 20 ms. */
void		 lease_tick(struct lease_node *n, int64_t now_us);
/* Another on_loss, also of what is lost already. */
void		 lease_set_on_loss(struct lease_node *n, enum lease_on_loss to);
/* Says that it leaves the fleet, which then need not find out. */
void		 lease_leave(struct lease_node *n);

/* Something was made or deleted here that others count as well: they hear of it
 * with their next heartbeat. */
void		 lease_news(struct lease_node *n);

/* ---- rates ---- */

/* The bucket `name` of a tenant (group): value tokens in `seconds`. One that
 * was never used begins with what it would have got since the node began. There
 * must be no other lease of that name. */
struct lease	*lease_add(struct lease_node *n, struct slice group,
		    struct slice name, struct bucket *b, int64_t value,
		    int64_t seconds, int64_t burst);
/* Another value, effective at once. */
void		 lease_set(struct lease *l, int64_t value, int64_t seconds,
		    int64_t burst);
/* The bucket keeps its balance, and needs another rate from then on. */
void		 lease_remove(struct lease *l);
/* Its balance is low: the node asks for it from now on. Thread: any. */
void		 lease_press(struct lease *l);

/* To be called with the balance after each use. Thread: any. */
static inline void
lease_notice(struct lease *l, int64_t balance)
{
	if (balance < atomic_load_explicit(&l->press_below,
	    memory_order_relaxed))
		lease_press(l);
}

/* For buckets without a lease, which share a rate: what a node may use of such
 * a limit without asking. Under half of that burst a lease is due. */
void		 lease_unleased(const struct lease_node *n, int64_t value,
		    int64_t seconds, int64_t burst, struct bucket_rate *to);
/* Whether some node presses it: a bucket that is new has nothing then, and
 * needs a lease. Thread: any. */
bool		 lease_pressed(struct lease_node *n, struct slice group,
		    struct slice name);

/* ---- counts ---- */

struct lease_count *lease_count_new(struct lease_node *n, struct slice group,
		    struct slice name, int64_t limit);
void		 lease_count_set(struct lease_count *c, int64_t limit);
void		 lease_count_free(struct lease_count *c);
/* False: there is no room here now, nothing was taken. Thread: any. */
bool		 lease_count_take(struct lease_count *c, uint32_t k);
/* Takes, whether there is room or not: what exists, exists. Thread: any. */
void		 lease_count_force(struct lease_count *c, uint32_t k);
/* Gives back what was taken. Thread: any. */
void		 lease_count_put(struct lease_count *c, uint32_t k);
/* Thread: any. */
uint32_t	 lease_count_used(const struct lease_count *c);

/* ---- to be shown ---- */

struct lease_view {
	enum lease_mode	 mode;
	bool		 pressed;	/* it asks */
	uint32_t	 share;		/* of the limit, in millionths */
	int64_t		 demand;	/* a second, in millionths */
	int64_t		 answered_us;	/* when it was answered; 0: never */
	uint64_t	 losses;
	uint32_t	 used, allowed;	/* of a count: here */
	/* Whether the store said lately what follows: what all others have of
	 * a count, or spend of a rate (millionths a second), and what there is
	 * of a rate for all (millionths). */
	bool		 told;
	int64_t		 others, left;
};
void		 lease_view(const struct lease *l, struct lease_view *to);
void		 lease_count_view(const struct lease_count *c,
		    struct lease_view *to);

struct lease_node_view {
	bool		 started, lost;	/* heartbeats */
	enum lease_on_loss on_loss;
	int64_t		 since_us;	/* of `lost` */
	uint32_t	 nodes;
	uint32_t	 leases, asking, known;
	uint64_t	 batches, calls, beats;
	uint64_t	 news;		/* how often it heard of others' */
	uint64_t	 losses, late, bad;	/* calls */
};
void		 lease_node_view(const struct lease_node *n,
		    struct lease_node_view *to);
const char	*lease_mode_word(enum lease_mode m);

/* The name by which the store knows a group or limit: itself when it is plain
 * (letters, digits, ._-:=+,@ and / in limits), else a hash. `to` has room for
 * LEASE_ID_MAX + 1. */
void		 lease_id(struct slice name, bool is_group, char *to);

#endif
