/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of lease share: lease.c (nodes, groups, presses, calls),
 * lease_beat.c (heartbeats), lease_rate.c, lease_count.c.
 * Thread: control, except what is atomic.
 */
#ifndef WEIR_QUOTA_LEASE_PRIVATE_H
#define WEIR_QUOTA_LEASE_PRIVATE_H

#include <pthread.h>

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
#include "quota/lease.h"
#include "quota/store.h"

struct htab;

#define MS 1000LL
#define MILLION 1000000LL

enum {
	PREFIX_MAX = 64,
	BATCH_US = 20 * 1000,		/* between batches */
	BATCH_CALLS = 512,
	CALL_LIMITS = STORE_KEYS_MAX,
	BEAT_PRESSES = 500,		/* in one heartbeat */
	/* The part of a limit that all nodes use together without asking, in
	 * millionths; of more than FREE_NODES it is less, because each has
	 * little of it, and the first who asks must wait until all do. */
	FREE_MOST = 900000, FREE_LEAST = 250000, FREE_NODES = 8,
	SETTLE_MS = 1000,		/* of the list of nodes */
	NEED_US = 1000 * 1000,		/* a press is said again */
	LOST_RETRY_US = 100 * 1000,	/* while heartbeats are answered */
	LOST_SELDOM_US = 1000 * 1000,	/* and while they are not */
	TOLD_US = 3000 * 1000,		/* what others do is known so long */
};

struct lease_group {
	struct lease_node	*node;
	char			*id;
	uint32_t		 limits;	/* that have it as group */
	int64_t			 due_us;	/* the first of them */
	struct list		 asking;	/* limits, by `asking` */
	struct list		 link;		/* of node->groups_asking */
};

/* What rates and counts have in common. */
struct leased {
	struct lease_group	*group;
	char			*id;		/* group/name */
	char			*key;
	bool			 is_count;
	enum lease_mode		 mode;
	bool			 asks;		/* on group->asking */
	bool			 never_free;
	/* The version of its press, 0: the fleet does not know of it yet; and
	 * whether all nodes act on it: then nobody uses it without asking. */
	int64_t			 version;
	bool			 complete;
	int64_t			 said_us;	/* last press in a heartbeat */
	int64_t			 need_us;	/* last time it had to ask */
	int64_t			 due_us;	/* next call */
	int64_t			 called_us, answered_us;
	int64_t			 told_us;	/* of others, since it asks */
	uint64_t		 losses;
	struct call		*call;		/* under way */
	struct list		 asking, link;	/* of group, of node->limits */
	/* Thread: any. */
	_Atomic bool		 flagged;
	struct leased		*next_flagged;
};

/* One call to the store for some limits of a group. */
struct call {
	struct lease_node	*node;
	struct list		 link;		/* of node->calls, by age */
	int64_t			 sent_us;
	bool			 late;
	bool			 is_count;
	uint32_t		 n;
	struct leased		*limits[CALL_LIMITS];	/* NULL: removed */
};

struct lease_node {
	struct lease_options	 o;
	char			 id[LEASE_ID_MAX + 1];
	char			 prefix[PREFIX_MAX + 1];
	int64_t			 began_us;
	struct htab		*groups;	/* id to struct lease_group */
	struct htab		*limits_by_id;	/* id to struct leased */
	/* What is pressed: id to the version of that, as a pointer. Control
	 * changes it with the lock, and others look with it. */
	struct htab		*known;
	pthread_mutex_t		 known_lock;
	struct list		 limits;
	struct list		 groups_asking;
	struct list		 calls, late;
	_Atomic(struct leased *)	 presses;
	int64_t			 batch_us;	/* the last one */
	/* Heartbeats. */
	struct call		*beat;		/* under way */
	int64_t			 beat_us;	/* the last one */
	bool			 started;	/* one was answered */
	bool			 lost, leaving;
	int64_t			 lost_us;
	bool			 say;		/* a press to be said at once */
	bool			 news;		/* some are to be said */
	bool			 news_sent;	/* and are being said */
	int64_t			 news_known;	/* how often there were any */
	char			 epoch[24];	/* "0": none */
	bool			 virgin;
	int64_t			 epoch_us;	/* since when, at most */
	int64_t			 version, upto, told, least, joined;
	bool			 settled;
	bool			 may_count;	/* all know of this node, and
						 * free counts hold */
	uint32_t		 nodes;		/* for rates */
	uint32_t		 nodes_most;	/* for counts: it falls late */
	int64_t			 nodes_most_us;
	uint32_t		 incomplete;	/* limits that wait for it */
	/* Where the batch is gathered. */
	struct arena		 memory;
	struct store_call	*batch;
	uint32_t		 batch_n;
	struct lease_node_view	 seen;		/* counters */
};

/* leased.c */
/* Makes it one of the node's; `what` stands in its key. */
void		 leased_init(struct leased *l, struct lease_node *n,
		    struct slice group, struct slice name, const char *what);
void		 leased_fini(struct leased *l);
/* Whether it was told of others lately. */
bool		 leased_told(const struct leased *l);
/* It calls the store from now on, or no longer. */
void		 leased_ask(struct leased *l, bool ask);
/* It is due no later than that. */
void		 leased_due(struct leased *l, int64_t at_us);
/* The fleet does not know, or no longer, that it is pressed. */
void		 leased_incomplete(struct leased *l);
/* The part that others use of it without asking, in millionths. */
int64_t		 leased_hold(struct leased *l);
/* Thread: any. */
void		 leased_press(struct leased *l);
/* In millionths: of all nodes together, and of one. */
int64_t		 free_parts(uint32_t nodes);
int64_t		 free_part(uint32_t nodes);
/* The version of its press, 0: it is not pressed. */
int64_t		 known_version(const struct lease_node *n, struct slice id);
bool		 leased_id_ok(struct slice id);
void		 leased_join_id(struct slice group, struct slice name,
		    char to[2 * LEASE_ID_MAX + 2]);
void		 node_pop_presses(struct lease_node *n, int64_t now);

/* lease.c */
/* Adds a call to the batch; the caller fills in keys and arguments. */
struct store_call *node_call(struct lease_node *n);
/* A number as an argument, in the batch's memory. */
struct slice	 node_arg(struct lease_node *n, int64_t v);
/* The next integer of an answer, which is cut; false: there is none. */
bool		 answer_int(struct slice *rest, int64_t *to);
/* The next line, without its end; false: there is none. */
bool		 answer_line(struct slice *rest, struct slice *line);

/* lease_beat.c */
void		 beat_tick(struct lease_node *n, int64_t now);
void		 beat_deadline(struct lease_node *n, int64_t now);

/* lease_rate.c; `rate` and `count` begin with what is public. */
void		 rate_free(struct leased *l);
void		 rate_pressed(struct leased *l, int64_t now);
void		 rate_join(struct leased *l, int64_t now);
void		 rate_leave(struct leased *l, int64_t now);
void		 rate_lost(struct leased *l, int64_t sent_us, int64_t now);
/* Heartbeats are not answered, and on_loss is not LEASE_SHARE. */
void		 rate_fleet_lost(struct leased *l, int64_t now);
/* on_loss will be another one; and is. */
void		 rate_loss_ends(struct leased *l, int64_t now);
void		 rate_loss_begins(struct leased *l, int64_t now);
void		 rate_compose(struct leased *l, int64_t now,
		    struct slice *args);
bool		 rate_answer(struct leased *l, struct slice *line, bool late,
		    int64_t now);
void		 rate_nodes(struct leased *l, int64_t now);

/* lease_count.c */
void		 count_free(struct leased *l);
void		 count_pressed(struct leased *l, int64_t now);
void		 count_join(struct leased *l, int64_t now);
void		 count_leave(struct leased *l, int64_t now);
void		 count_lost(struct leased *l, int64_t now);
void		 count_fleet_lost(struct leased *l, int64_t now);
void		 count_loss_ends(struct leased *l, int64_t now);
void		 count_loss_begins(struct leased *l, int64_t now);
void		 count_compose(struct leased *l, int64_t now,
		    struct slice *args);
bool		 count_answer(struct leased *l, struct slice *line, bool late,
		    int64_t now);
void		 count_nodes(struct leased *l, int64_t now);

enum { RATE_ARGS = 14, COUNT_ARGS = 5 };

#endif
