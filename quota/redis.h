/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of a Redis deployment: one server, a master that Sentinels know, or
 * a Cluster. Calls are pipelined, each has a deadline, and each is answered
 * exactly once. Whatever breaks is connected again, for ever.
 *
 * A shard is one master; without a Cluster there is one. It is up when its
 * server has let us in, is a master and has its data; a server that says
 * READONLY, LOADING, MASTERDOWN or CLUSTERDOWN has lost the store as one that
 * hung up has. A shard that is down concerns its own keys only.
 *
 * Ownership: redis_new returns it to the caller. Callbacks are called from the
 * loop, never from inside one of these functions but redis_free; they may call
 * all of these, also redis_free.
 * Thread: the loop's (control).
 * Bounds: replies by redis_reply.h; REDIS_ADDRESSES_MAX; REDIS_NODES_MAX
 * masters of a Cluster; REDIS_CALLS_MAX calls at once, more are told that it is
 * down.
 */
#ifndef WEIR_QUOTA_REDIS_H
#define WEIR_QUOTA_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"
#include "quota/redis_reply.h"

struct loop;
struct redis;
struct tls_context;

enum {
	REDIS_ADDRESSES_MAX = 16,
	REDIS_NODES_MAX = 256,
	REDIS_CALLS_MAX = 100000,
	REDIS_TIMEOUT_MS = 250,		/* of a call, unless said otherwise */
	REDIS_CONNECT_MS = 2000,	/* with names, TLS and the login */
	REDIS_BACKOFF_MIN_MS = 50,	/* after a failed attempt; doubled */
	REDIS_BACKOFF_MAX_MS = 800,
	REDIS_PING_MS = 10000,		/* a quiet connection is asked */
	REDIS_REDIRECTS_MAX = 5,	/* MOVED and ASK, one call */
};

enum redis_mode { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_address {
	char	 host[256];		/* without brackets; "": path */
	int	 port;
	char	 path[108];		/* of a unix socket */
};
/* host:port, [IPv6]:port, or the path of a unix socket with a slash first. */
bool	 redis_address_parse(const char *text, struct redis_address *to,
	    struct error *err) MUST_CHECK;

/* Texts are copied, NULL is none; tls: a reference is taken. */
struct redis_options {
	enum redis_mode	 mode;
	const char	*const *addresses;	/* the server; Sentinels; some
						 * of a Cluster */
	uint32_t	 n;
	const char	*master_name;		/* with Sentinel */
	const char	*username, *password;	/* username NULL: default */
	const char	*sentinel_username, *sentinel_password;
	uint32_t	 database;		/* 0 with a Cluster */
	struct tls_context *tls;		/* NULL: plain */
	uint32_t	 connect_ms, timeout_ms;	/* 0: as above */
	/* Whether a shard is up may have changed, or which there are. May be
	 * NULL. */
	void		(*changed)(void *arg);
	void		*arg;
};

struct redis	*redis_new(struct loop *l, const struct redis_options *o,
		    struct error *err) MUST_CHECK;
/* Calls that are waiting are told so, from inside; they must not call again. */
void		 redis_free(struct redis *r);

enum redis_outcome {
	REDIS_ANSWERED,		/* here is the reply, and it is no error */
	REDIS_REFUSED,		/* here is the reply, an error */
	REDIS_TIMED_OUT,	/* it may have been done, or not */
	REDIS_LOST,		/* so may this: the connection ended */
	REDIS_DOWN,		/* it was not sent: there is no connection */
	REDIS_FREED,		/* redis_free */
};
const char	*redis_outcome_word(enum redis_outcome o);

/* The reply (NULL: none) lives during the call; why is a text for people, ""
 * for REDIS_ANSWERED. */
typedef void	 redis_cb(void *arg, enum redis_outcome o,
		    const struct redis_reply *reply, const char *why);

/* Where in the deployment the key is: keys of one group may be in one script.
 * 0 without a Cluster; in one its hash slot, so what stands in braces in the
 * key decides. */
uint32_t	 redis_group(const struct redis *r, struct slice key);
/* Whether calls about that key can be sent now. */
bool		 redis_up(const struct redis *r, struct slice key);

/* Sends a command about a key to that key's master. argv is copied.
 * timeout_ms 0: the options'. */
void		 redis_call(struct redis *r, struct slice key, uint32_t argc,
		    const struct slice *argv, uint32_t timeout_ms,
		    redis_cb *cb, void *arg);

/* A script; embedded, its text is borrowed and stays. */
struct redis_script {
	struct slice	 text;
	char		 sha1[41];
};
void		 redis_script_init(struct redis_script *s, struct slice text);
/* Runs it with keys of one group, at least one: EVALSHA, and EVAL when the
 * server has lost it. It is in use until the callback. */
void		 redis_script_call(struct redis *r,
		    const struct redis_script *s, uint32_t nkeys,
		    const struct slice *keys, uint32_t nargs,
		    const struct slice *args, uint32_t timeout_ms,
		    redis_cb *cb, void *arg);

struct redis_shard_state {
	const char	*address;	/* "?" as long as it is not known */
	bool		 up;
	int64_t		 since_us;	/* loop_now_us's clock */
	const char	*error;		/* the last one, "": none yet */
};
/* Those of a Cluster in no order; one that says why when none is known. */
uint32_t	 redis_shards(const struct redis *r);
void		 redis_shard(const struct redis *r, uint32_t i,
		    struct redis_shard_state *to);

struct redis_counters {
	uint64_t	 calls;			/* of the user's */
	uint64_t	 commands;		/* all, as servers count them */
	uint64_t	 round_trips;		/* several in one are one */
	uint64_t	 bytes_in, bytes_out;
	uint64_t	 timeouts, lost, refused;	/* calls */
	uint64_t	 connects;	/* connections that were tried */
	uint64_t	 reconnects;	/* of those after a loss */
	uint64_t	 noscript, readonly, loading, clusterdown;
	uint64_t	 moved, ask;
	uint64_t	 failovers;	/* another master, or map */
};
const struct redis_counters *redis_counters(const struct redis *r);

#endif
