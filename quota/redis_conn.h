/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to one Redis server, which is made again whenever it is lost:
 * resolve, connect, TLS, log in, then calls in a pipeline.
 *
 *	STARTING -> RESOLVING -> CONNECTING -> LOGIN -> UP
 *	                ^              |         |      |
 *	                +-- WAITING <--+---------+------+
 *
 * A call that is not answered in its time ends the connection with all that is
 * under way in it: what a hung server says later has nobody to be mistaken for.
 * Calls wait while a connection is being made, and fail at once while the next
 * attempt is waited for.
 *
 * Ownership: redis_conn_new's caller; a call is the connection's from
 * redis_conn_send until its done(), which is called once. done() and the ops
 * may call everything here, also redis_conn_free.
 * Thread: the loop's (control).
 */
#ifndef WEIR_QUOTA_REDIS_CONN_H
#define WEIR_QUOTA_REDIS_CONN_H

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
#include "gateway/net/loop.h"
#include "quota/redis.h"

struct redis_conn;

/* A command and who waits for its answer. */
struct redis_call {
	struct list	 link;
	struct timer	 timer;
	int64_t		 deadline_us;
	int64_t		 sent_us;
	struct redis_conn *conn;	/* that has it, or NULL */
	/* Called once a sending, also from inside redis_conn_send. reply is
	 * NULL but for REDIS_ANSWERED and REDIS_REFUSED, and its memory is
	 * call->memory then. */
	void		(*done)(struct redis_call *call, enum redis_outcome o,
			    struct redis_reply *reply, const char *why);
	void		*arg;
	struct arena	 memory;
	bool		 has_memory;
	bool		 asking;	/* send ASKING first */
	bool		 sent;		/* as far as the connection knows */
	bool		 excused;	/* it was given more time */
	uint8_t		 skip;		/* replies before its own */
	uint32_t	 argc;
	struct slice	*argv;		/* copies, but what the owner set */
	size_t		 copied;	/* bytes behind argv */
};
/* size: of the struct that has it as its first member. */
struct redis_call *redis_call_new(size_t size, uint32_t argc,
	    const struct slice *argv);
/* Cleanses what was copied. */
void	 redis_call_free(struct redis_call *call);
/* The reply's memory goes; so a call may be sent again. */
void	 redis_call_forget(struct redis_call *call);

/* What the server is asked before the connection is up. */
enum redis_check {
	REDIS_CHECK_ALIVE,	/* PING */
	REDIS_CHECK_MASTER,	/* and ROLE, if we may */
	REDIS_CHECK_CLUSTER,	/* and CLUSTER INFO, if we may */
};

/* How servers are spoken to; borrowed, for as long as the connection. */
struct redis_login {
	const char	*username, *password;	/* or NULL */
	uint32_t	 database;
	struct tls_context *tls;		/* or NULL */
	uint32_t	 connect_ms, timeout_ms;
	enum redis_check check;
};

struct redis_conn_ops {
	void	(*up)(struct redis_conn *c, void *arg);
	/* It was lost, or an attempt has failed; the next one comes. Where to
	 * is redis_conn_go_next's. */
	void	(*down)(struct redis_conn *c, void *arg);
	/* A message of a channel. May be NULL: that ends the connection. */
	void	(*push)(struct redis_conn *c, void *arg,
		    const struct redis_reply *message);
};

struct redis_conn *redis_conn_new(struct loop *l,
	    const struct redis_login *login, struct redis_counters *counters,
	    const struct redis_conn_ops *ops, void *arg);
/* Calls that it has are told REDIS_LOST; no op is called any more. */
void	 redis_conn_free(struct redis_conn *c);
/* Connects there, at once when that is elsewhere than before; else nothing
 * happens. Calls that it has are lost, no op is called for that. */
void	 redis_conn_go(struct redis_conn *c, const struct redis_address *to);
/* As redis_conn_go, but where the next attempt is waited for, not before. */
void	 redis_conn_go_next(struct redis_conn *c,
	    const struct redis_address *to);
/* Ends what is connected, and down() is called; the next attempt comes. */
void	 redis_conn_reset(struct redis_conn *c, const char *why);
/* Ends it until redis_conn_go; no op is called. */
void	 redis_conn_rest(struct redis_conn *c);
/* deadline_us is set. */
void	 redis_conn_send(struct redis_conn *c, struct redis_call *call);

bool	 redis_address_same(const struct redis_address *a,
	    const struct redis_address *b);
bool	 redis_conn_up(const struct redis_conn *c);
/* Whether it is being made, or waits for the next attempt, or is up. */
bool	 redis_conn_going(const struct redis_conn *c);
int64_t	 redis_conn_since_us(const struct redis_conn *c);
/* "host:port" or the path; "?" when it never went anywhere. */
const char *redis_conn_name(const struct redis_conn *c);
const struct redis_address *redis_conn_address(const struct redis_conn *c);
const char *redis_conn_error(const struct redis_conn *c);

#endif
