/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of pool and upstream, for pool.c, upstream.c and login.c only.
 */
#ifndef WEIR_ROUTING_POOL_PRIVATE_H
#define WEIR_ROUTING_POOL_PRIVATE_H

#include "gateway/net/conn.h"
#include "routing/upstream.h"

enum upstream_state {
	UPSTREAM_CONNECTING,	/* TCP and TLS; calls wait in `pending` */
	UPSTREAM_LOGIN,		/* SASL; calls wait in `pending` */
	UPSTREAM_UP,		/* calls go out at once */
	UPSTREAM_CLOSED,	/* its calls are being ended; then freed */
};

/* A broker as a pool sees it. Lives as long as the pool. */
struct pool_broker {
	struct list	 link;
	int32_t		 id;		/* -1: an address only */
	char		 host[256];
	int32_t		 port;
	struct sockaddr_storage address;
	socklen_t	 address_len;	/* 0: not known, or gone */
	uint32_t	 moves;		/* how often the address changed */
	struct list	 idle;		/* upstreams, latest first */
	uint32_t	 idle_count;
	uint32_t	 backoff_ms;
	int64_t		 backoff_until;
};

struct login;

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
	uint32_t	 in_flight;
	uint32_t	 moves;		/* the broker's, when it was opened */
	int32_t		 next_id;
	int64_t		 idle_since;
	int64_t		 login_by_us;
	int64_t		 retire_us;	/* 0: never; the login ends then */
	void		(*lost)(struct upstream *u, void *arg);
	void		*arg;
};

struct pool {
	struct loop	*loop;
	struct upstream_options options;
	struct cluster	*cluster;
	struct list	 brokers;
	struct list	 leased;	/* upstreams */
	struct list	 dead;		/* freed at the next tick */
	struct upstream_stats stats;
	bool		 ending;
};

/* login.c: the conversation before the first call. */
struct login	*login_start(struct upstream *u);
/* A frame of it came; true when logged in. On false with err set it failed. */
enum login_step { LOGIN_MORE, LOGIN_DONE, LOGIN_FAILED };
enum login_step	 login_frame(struct login *l, struct block *b,
		    const uint8_t *data, size_t len, struct error *err);
void		 login_free(struct login *l);

/* upstream.c */
struct upstream	*upstream_open(struct pool *p, struct pool_broker *b);
void		 upstream_up(struct upstream *u);
/* Ends calls whose deadline has passed, and it with them. */
void		 upstream_tick(struct upstream *u, int64_t now);

#endif
