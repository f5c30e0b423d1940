/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of pool and upstream, for pool.c, upstream.c and their tests only.
 */
#ifndef WEIR_ROUTING_POOL_PRIVATE_H
#define WEIR_ROUTING_POOL_PRIVATE_H

#include "gateway/net/conn.h"
#include "gateway/net/loop.h"
#include "routing/scram.h"
#include "routing/upstream.h"

struct login;

enum { POOL_SLOTS = 64 };

enum upstream_state {
	UPSTREAM_CONNECTING,	/* TCP and TLS; calls wait in `pending` */
	UPSTREAM_LOGIN,		/* SASL; calls wait in `pending` */
	UPSTREAM_UP,		/* calls go out at once */
	UPSTREAM_RENEWING,	/* its login ends soon: calls wait in `pending`
				 * until those sent are answered; then LOGIN */
	UPSTREAM_CLOSED,	/* its calls are being ended; then freed */
};

/* A broker as a pool sees it. Lives as long as the pool. */
struct pool_broker {
	struct list	 link;
	struct pool_broker *next;	/* of the same slot */
	int32_t		 id;		/* -1: an address only */
	char		 host[256];
	int32_t		 port;
	struct broker_address addresses[BROKER_ADDRESSES_MAX];
	int32_t		 address_count;	/* 0: not known, or gone */
	int32_t		 address_next;	/* where connecting begins */
	uint32_t	 place;		/* counts its moves */
	struct list	 idle;		/* upstreams, latest first */
	uint32_t	 idle_count, leased, connecting;
	uint32_t	 losses;
	uint32_t	 backoff_ms;
	int64_t		 backoff_until;
	bool		 failing;	/* could not be connected last time;
					 * said in the log */
};

struct upstream {
	struct list	 link;		/* of idle, leased or dead */
	struct pool	*pool;
	struct pool_broker *broker;
	struct conn	*conn;
	struct list	 calls;		/* answered in this order */
	struct list	 silent;	/* calls that have no reply */
	struct chain	 pending;	/* until it is up */
	struct login	*login;
	uint8_t		 state;		/* enum upstream_state */
	bool		 leased;
	int32_t		 address;	/* in the broker's, being tried */
	int32_t		 tried;		/* addresses that refused */
	uint32_t	 place;		/* the broker's, when it was opened */
	uint32_t	 in_flight;
	int32_t		 next_id;
	int64_t		 due_us;	/* no deadline is before it */
	int64_t		 setup_until;	/* connecting and login */
	int64_t		 idle_since;
	int64_t		 retire_us;	/* 0: never; its login ends soon */
	void		(*lost)(struct upstream *u, void *arg);
	void		*arg;
};

struct pool {
	struct loop	*loop;
	struct upstream_options options;
	struct cluster	*cluster;
	struct list	 brokers;
	struct pool_broker *slots[POOL_SLOTS];	/* by id */
	struct list	 leased;	/* upstreams */
	struct list	 ticked;	/* a mark: those behind it are done */
	struct list	 dead;		/* freed at the next tick */
	struct timer	 late;		/* ends calls made on dead ones */
	struct scram_keys keys;
	struct upstream_stats stats;
	bool		 ending;
};

/* upstream.c */
struct upstream	*upstream_open(struct pool *p, struct pool_broker *b);
/* The lease begins and ends: counts. */
void		 upstream_leased(struct upstream *u, bool on);
/* Ends it when a deadline has passed; renews its login when that is due. */
void		 upstream_tick(struct upstream *u, int64_t now);
/* Ends calls that were made after it was closed, and says that it is lost. */
void		 upstream_end_late(struct upstream *u);
/* Nobody can hold a pointer any more. */
bool		 upstream_is_free(const struct upstream *u);

#endif
