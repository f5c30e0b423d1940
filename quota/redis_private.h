/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the client, for redis*.c. */
#ifndef WEIR_QUOTA_REDIS_PRIVATE_H
#define WEIR_QUOTA_REDIS_PRIVATE_H

#include <event2/event_struct.h>

#include "quota/redis_conn.h"

struct redis_cluster;
struct redis_sentinel;

/* A call of the user's. */
struct redis_ask {
	struct redis_call	 call;		/* first; its link is `done`'s
						 * when it is over */
	struct redis		*r;
	struct redis_conn	*via;		/* that it was sent on last */
	const struct redis_script *script;	/* or NULL */
	uint32_t		 redirects;
	redis_cb		*cb;
	void			*arg;
	enum redis_outcome	 outcome;
	struct redis_reply	*reply;
	char			 why[256];
};

struct redis {
	struct loop		*loop;
	enum redis_mode		 mode;
	struct redis_address	*addresses;
	uint32_t		 n;
	char			*master_name;
	char			*username, *password;
	char			*sentinel_username, *sentinel_password;
	struct redis_login	 login, sentinel_login;	/* borrow those */
	uint32_t		 timeout_ms;
	struct redis_conn	*master;	/* NULL with a Cluster */
	struct redis_sentinel	*sentinel;	/* or NULL */
	struct redis_cluster	*cluster;	/* or NULL */
	struct error		 error;	/* of the deployment, or "" */
	int64_t			 since_us;
	uint32_t		 calls;		/* the user's, not yet told */
	struct list		 done;		/* to be told */
	struct event		 tell;
	void			(*changed)(void *arg);
	void			*arg;
	bool			 has_changed;	/* to be told */
	uint32_t		 busy;		/* telling, on the stack */
	bool			 freed;		/* goes when that is over */
	struct redis_counters	 counters;
};

/* redis.c */
void	 redis_has_changed(struct redis *r);
/* Sends it there. */
void	 redis_ask_send(struct redis_ask *a, struct redis_conn *c);
void	 redis_ask_finish(struct redis_ask *a, enum redis_outcome o,
	    struct redis_reply *reply, const char *why);

/* redis_sentinel.c: sets the master's address. */
struct redis_sentinel *redis_sentinel_new(struct redis *r);
void	 redis_sentinel_free(struct redis_sentinel *s);
/* The master cannot be used: is it another one? Asked until it is up. */
void	 redis_sentinel_ask(struct redis_sentinel *s);

/* redis_cluster.c */
struct redis_cluster *redis_cluster_new(struct redis *r);
void	 redis_cluster_free(struct redis_cluster *k);
/* That of the key's master; NULL: none is known. */
struct redis_conn *redis_cluster_conn(const struct redis_cluster *k,
	    struct slice key);
void	 redis_cluster_route(struct redis_cluster *k, struct redis_ask *a,
	    struct slice key);
/* Whether it is about where keys are: it was sent elsewhere, or is over. */
bool	 redis_cluster_refused(struct redis_cluster *k, struct redis_ask *a,
	    struct redis_reply *reply, const char *why);
/* Masters that have slots. */
uint32_t redis_cluster_shards(const struct redis_cluster *k);
struct redis_conn *redis_cluster_shard(const struct redis_cluster *k,
	    uint32_t i);

#endif
