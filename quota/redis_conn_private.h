/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a connection, for redis_conn.c and redis_login.c. */
#ifndef WEIR_QUOTA_REDIS_CONN_PRIVATE_H
#define WEIR_QUOTA_REDIS_CONN_PRIVATE_H

#include "gateway/net/tls.h"
#include "quota/redis_conn.h"

struct bufferevent;
struct lookup;

enum redis_conn_state {
	REDIS_CONN_RESTING,	/* nobody wants it */
	REDIS_CONN_WAITING,	/* for the next attempt; calls fail */
	REDIS_CONN_STARTING,	/* in this turn or the next; calls wait from
				 * here on, until it is up or an attempt has
				 * failed */
	REDIS_CONN_RESOLVING,
	REDIS_CONN_CONNECTING,	/* TCP, and TLS */
	REDIS_CONN_LOGIN,
	REDIS_CONN_UP,
};

struct redis_conn {
	struct loop		*loop;
	const struct redis_login *login;
	struct redis_counters	*counters;
	const struct redis_conn_ops *ops;
	void			*arg;
	struct redis_address	 to;
	char			 name[280];
	enum redis_conn_state	 state;
	int64_t			 since_us;	/* up or not */
	struct timer		 timer;		/* the state's end */
	uint32_t		 attempt, backoff_ms;
	bool			 useful;	/* since up it has answered */
	bool			 again;		/* it was up before */
	struct lookup		*lookup;
	struct bufferevent	*bev;		/* NULL below CONNECTING */
	struct redis_reader	*reader;
	struct list		 sent, waiting;	/* calls */
	uint32_t		 login_left;	/* replies */
	int64_t			 heard_us;
	uint64_t		 epoch;		/* another after each end */
	uint32_t		 busy;		/* our functions on the stack */
	bool			 dead;		/* freed when they are done */
	struct error		 error;		/* the last one; "": none yet */
	bool			 log_again;	/* also when it is the same */
	char			 fault[TLS_FAULT_SIZE];
};

/* redis_conn.c */
void	 redis_conn_write(struct redis_conn *c, struct redis_call *call);
void	 redis_conn_lose(struct redis_conn *c, const char *why);
void	 redis_conn_is_up(struct redis_conn *c);

/* redis_login.c */
void	 redis_conn_log_in(struct redis_conn *c);
void	 redis_conn_ping(struct redis_conn *c);

#endif
