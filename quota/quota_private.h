/* SPDX-License-Identifier: Apache-2.0 */
/* What quota.c, charge.c, topic.c, stock.c, made.c and line.c share. */
#ifndef WEIR_QUOTA_QUOTA_PRIVATE_H
#define WEIR_QUOTA_QUOTA_PRIVATE_H

#include <pthread.h>

#include "quota/lease.h"
#include "quota/quota.h"

struct htab;

enum {
	/* Partitions of an account that quota_tick looks at each time. */
	QUOTA_SWEEP_PARTS = 8192,
};

/* What the workers tell each other of their lines, a cache line each. */
struct quota_sign {
	_Alignas(64) _Atomic int64_t least[QUOTA_LANES]; /* tag; INT64_MAX */
	_Atomic uintptr_t	 whose[QUOTA_LANES];	/* the holder; never
							 * looked into */
	struct quota_line	*lines[QUOTA_LANES];	/* the worker's own */
};

/* What a holder's sessions move without waiting for bytes of others: [0] in,
 * [1] out. */
struct quota_beside {
	struct bucket		 v[QUOTA_ASIDES][2];
};

/* Made through this node, and in no stock yet. */
struct quota_made {
	struct htab	*names;		/* by hash; struct made */
	int64_t		 nameless;	/* when there were too many */
};

struct quota_account {
	struct quota		*quota;
	struct quota_account	*next;		/* made before it; or NULL */
	char			*name;
	pthread_mutex_t		 lock;		/* of what follows */
	struct limits		*limits;
	struct htab		*holders;	/* principals and client ids */
	struct htab		*topics;
	struct list		 swept;		/* the same; next one first */
	struct quota_holder	*rest[2];	/* principals, and client ids,
						 * that are too many */
	struct quota_held	 gone[QUOTA_DIMENSIONS];	/* what freed
						 * holders and topics did */
	uint32_t		 holder_count[2];
	/* Without it: */
	struct quota_holder	*tenant;
	_Atomic bool		 limits_partitions, limits_clients;
	_Atomic uint32_t	 limits_version;	/* from 1 on */
	_Atomic int64_t		 held;		/* bytes of requests in line */
	/* Until then a partition may be in debt: [0] in, [1] out. */
	_Atomic int64_t		 parts_owe_until_us[2];
	_Atomic int32_t		 waiting[QUOTA_LANES];	/* in any line */
	_Atomic int32_t		 owing[QUOTA_LANES];	/* holders that owe */
	_Atomic int32_t		 wants[QUOTA_LANES];	/* sessions that would
							 * take more */
	bool			 leased;	/* control's: some gauge is */
	_Atomic int64_t		 turn[QUOTA_LANES];	/* tag admitted last */
	_Atomic uint32_t	 turns[QUOTA_LANES];	/* how many were */
	struct quota_sign	*signs;		/* one a worker */
	pthread_mutex_t		 made_lock;	/* of what follows */
	struct quota_stock	*stock;		/* a reference, or NULL */
	struct quota_made	 made[QUOTA_NAMED];
	struct htab		*made_topics;	/* by name; made.c */
	int64_t			 made_there[2];	/* by class, seen last */
	int64_t			 made_more[2];	/* beyond that */
	int64_t			 made_looked_us;
};

enum {
	QUOTA_SLOT_S = 5,
	QUOTA_SLOTS = QUOTA_WINDOW_S / QUOTA_SLOT_S,
};

/* What was spent ever, when each of the last slots of time began. Written by
 * quota_tick only. */
struct quota_window {
	_Atomic int64_t		 slot;		/* now; -1: not known yet */
	_Atomic uint64_t	 marks[QUOTA_SLOTS];	/* by slot */
};

/* What workers want the control thread to do about the fleet. */
struct quota_event {
	struct quota_event	*next;
	struct quota_account	*account;	/* its limits changed */
	struct quota_holder	*holder;	/* it is new; or */
	struct quota_topic	*topic;
	int32_t			 which;		/* a dimension or partition is
						 * pressed; -1: none is */
	bool			 out;
	bool			 fresh;		/* the level `which` is new */
};

struct quota {
	_Atomic(struct quota_event *) events;	/* the last one first */
	/* There is a fleet; and what of a limit a node may use unasked,
	 * millionths. */
	_Atomic bool		 fleet;
	struct lease_node	*leases;	/* set before workers begin */
	_Atomic int64_t		 share;
	/* The store is lost: what has no lease is neither held up nor charged
	 * (open), or waits until it is back (closed). */
	_Atomic bool		 open, closed;
	_Atomic uint32_t	 nodes;		/* of the fleet, or 1 */
	int64_t			 started_us;
	int			 workers;
	pthread_mutex_t		 lock;		/* of the table */
	struct htab		*accounts;	/* by name */
	/* The one made last. They live as long as all of it, so whoever walks
	 * them holds no lock while each is dealt with. */
	_Atomic(struct quota_account *) last;
	struct quota_holder	*node;
	struct limits		*node_limits;
};

#define QUOTA_EACH_ACCOUNT(a, q) \
	for (struct quota_account *a = atomic_load_explicit(&(q)->last, \
	    memory_order_acquire); (a) != NULL; (a) = (a)->next)

/* NULL: there is none of that tenant. */
struct quota_account *quota_account_find(struct quota *q, struct slice tenant);
/* A reference to the holder or topic is kept until it is dealt with. Nothing
 * when there is no fleet. */
void	 quota_tell(struct quota *q, const struct quota_event *e);
/* Whether others of the fleet, which there is, press it: a bucket that begins
 * now has nothing then. Thread: any. */
bool	 quota_gauge_pressed(const struct quota_holder *h,
	    enum quota_dimension d);
bool	 quota_part_pressed(const struct quota_topic *t, int32_t partition,
	    bool out);
/* How long what has no lease is to wait, whatever its bucket has: while the
 * store is lost. -1: its bucket says it. */
static inline int64_t
quota_unleased_us(const struct quota *q)
{
	return atomic_load_explicit(&q->open, memory_order_relaxed) ? 0 :
	    atomic_load_explicit(&q->closed, memory_order_relaxed) ?
	    INT64_MAX : -1;
}

/* Keeps what the fleet's store said of it lately, and leases it where this node
 * uses nearly all that it may unasked: then others' use counts. Once a second.
 * Thread: control. */
void	 quota_gauge_tell(struct quota_holder *h, enum quota_dimension d);
/* Limits, as far as this node may use them unasked. */
void	 quota_rate_follow(struct quota *q, struct bucket_rate *r,
	    int64_t value, int64_t seconds, int64_t burst);
/* Their leases go first. Thread: control. */
void	 quota_holder_unlease(struct quota_holder *h);
void	 quota_topic_unlease(struct quota_topic *t);
/* Whoever fills that bucket of it. */
struct bucket_rate *quota_part_rate(struct quota_topic *t,
	    struct quota_part *p, bool out);
enum quota_dimension quota_part_dimension(bool out);
/* What there is of a COUNT. */
int64_t	 quota_gauge_count(struct quota_gauge *g);
/* What was spent in the last second, of a WINDOW in it (to QUOTA_SLOT_S), or
 * what there is. */
int64_t	 quota_gauge_use(struct quota_gauge *g, enum quota_dimension d);
/* Whether some of those buckets are not full. */
bool	 quota_uses_beside(struct quota_holder *h, int64_t now_us);
/* The partition's; made when there is none. */
struct quota_more *quota_part_more(struct quota_part *p);

/* Who looks at rows. */
struct quota_view {
	const struct quota_asked *asked;
	int64_t			 now_us;
	void			(*row)(void *arg, const struct quota_row *r);
	void			(*user)(void *arg, const struct quota_user *u);
	void			*arg;
};
void	 quota_view_holder(const struct quota_view *v, struct quota_holder *h);
void	 quota_view_part(const struct quota_view *v, struct quota_topic *t,
	    int32_t partition, struct quota_part *p);
/* All but its topics; and its topics. With the account's lock held. */
void	 quota_view_holders(const struct quota_view *v,
	    struct quota_account *a);
void	 quota_view_topics(const struct quota_view *v,
	    struct quota_account *a);
/* Shows some of the partitions, the next ones another time, and frees topics
 * that nobody has and that owe nothing. With the account's lock held. */
void	 quota_topics_sweep(struct quota_account *a,
	    const struct quota_view *v);
/* Adds what its limits have done. */
void	 quota_holder_held(struct quota_holder *h,
	    struct quota_held to[QUOTA_DIMENSIONS]);
void	 quota_topic_held(struct quota_topic *t,
	    struct quota_held to[QUOTA_DIMENSIONS]);
/* Tells the log what is new of a limit. Once a second. */
void	 quota_notice(const char *tenant, const struct quota_row *r,
	    int64_t now_us);

/* Whoever fills the bucket: its lease, or itself. */
static inline struct bucket_rate *
quota_gauge_rate(struct quota_gauge *g)
{
	struct lease *l = atomic_load_explicit(&g->lease,
	    memory_order_acquire);

	return l != NULL ? &l->rate : &g->rate;
}

/* Makes it as much, unless it is more already. */
static inline void
quota_raise(_Atomic int64_t *v, int64_t to)
{
	int64_t was = atomic_load_explicit(v, memory_order_relaxed);

	while (was < to && !atomic_compare_exchange_weak(v, &was, to))
		;
}

/* Has each gauge of it follow the limits. With the account's lock held. */
void	 quota_holder_follow(struct quota_holder *h, const struct limits *l);
void	 quota_made_init(struct quota_account *a);
void	 quota_made_fini(struct quota_account *a);
void	 quota_topic_follow(struct quota_topic *t, const struct limits *l);
void	 quota_topic_free(struct quota_topic *t);
/* Counted, made when there is none; NULL: client ids make no difference. */
struct quota_holder *quota_client_holder(struct quota_account *a,
	    struct slice principal, struct slice client_id);
/* The counter hears of those that were counted without it. Thread: control. */
void	 quota_gauge_bridge(struct quota_gauge *g);
/* Other limits hold: what was no debt may be one now. */
void	 quota_topic_unsure(struct quota_topic *t, int64_t now_us);
/* Calls cb, which returns true, for the tenant, each principal and client id,
 * and what stands for the rest of them. With its lock held. */
void	 quota_account_holders(struct quota_account *a,
	    bool (*cb)(void *arg, struct slice key, void *holder), void *arg);
/* All its gauges and topics follow its limits anew. With its lock held. */
void	 quota_account_follow(struct quota_account *a);
/* Calls cb for each partition that has buckets. */
void	 quota_topic_each(struct quota_topic *t,
	    void (*cb)(void *arg, struct quota_topic *t, int32_t partition,
	    struct quota_part *p), void *arg);
/* Whether that partition has buckets. */
bool	 quota_topic_has(struct quota_topic *t, int32_t partition);
/* The partition's buckets, made when there are none; NULL: the partition is
 * beyond QUOTA_PARTITIONS_MAX. */
struct quota_part *quota_topic_part(struct quota_topic *t, int32_t partition);

#endif
