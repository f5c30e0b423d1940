/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a broker, logged in, with calls in flight in order; and the
 * pool of a thread, from which they are leased.
 *
 * A session leases an upstream of a broker while it has calls in flight there
 * and returns it then, so the order of one session's requests to a broker is
 * kept and a long poll never blocks anybody else. Calls may be made at once;
 * they leave when the connection is up and logged in.
 *
 * Ownership: the pool owns upstreams; a lease is a borrowed pointer until it is
 * returned or `lost` was called. The caller owns its struct call until done().
 * Thread: the pool's loop.
 * Bounds: idle_max idle ones a broker; frame_max for replies; each call has a
 * deadline, and one that passes it ends the upstream; a broker that cannot be
 * connected is left alone for a growing while (up to backoff_max_ms), in which
 * leases fail at once.
 *
 * done() and lost() may call everything here but pool_free.
 */
#ifndef WEIR_ROUTING_UPSTREAM_H
#define WEIR_ROUTING_UPSTREAM_H

#include "gateway/base/list.h"
#include "gateway/wire/codec.h"
#include "routing/cluster.h"

struct loop;
struct pool;
struct tls_context;
struct upstream;

enum upstream_mechanism {
	UPSTREAM_NO_SASL, UPSTREAM_PLAIN, UPSTREAM_SCRAM_SHA_256,
	UPSTREAM_SCRAM_SHA_512, UPSTREAM_OAUTHBEARER, UPSTREAM_AWS_MSK_IAM,
};

struct upstream_options {
	enum upstream_mechanism	 mechanism;
	const char		*username;	/* borrowed, outlive the pool */
	const char		*password;
	/* What is said where name and password are not: the token of
	 * OAUTHBEARER, the whole message of AWS_MSK_IAM for that broker. It
	 * stands in the arena, is cleansed there, and must not wait. Thread:
	 * each pool's. */
	bool			(*token)(void *arg, const char *host,
				    struct arena *a, struct slice *to,
				    struct error *err);
	void			*token_arg;
	struct tls_context	*tls;		/* NULL: plaintext */
	bool			 tls_verify_name;
	size_t			 frame_max;	/* 0: 512 MiB */
	uint32_t		 connect_ms;	/* TCP, TLS, login together;
						 * 0: 10 s */
	uint32_t		 idle_ms;	/* closed after this unused */
	uint32_t		 idle_max;	/* kept idle a broker */
	uint32_t		 backoff_min_ms;	/* 0: 50 */
	uint32_t		 backoff_max_ms;	/* 0: 500 */
};

enum call_outcome {
	CALL_ANSWERED,
	CALL_SENT,		/* no_reply: all bytes were written */
	CALL_NOT_SENT,		/* the broker has certainly not acted on it */
	CALL_LOST,		/* sent, and the answer never came: unknown */
};

struct call_reply {
	enum call_outcome	 outcome;
	struct reader		 reader;	/* at the body; ANSWERED only */
	const char		*detail;	/* why not, for the log */
};

struct call {
	struct list		 link;
	const struct api_schema	*api;
	int16_t			 version;
	int32_t			 correlation_id;
	int64_t			 sent_us, deadline_us;
	bool			 no_reply;	/* acks=0 */
	bool			 written;	/* handed to the socket */
	/* Exactly once, never from inside upstream_call. The reply is valid
	 * during the call (take a reference of reader.block to keep it). */
	void			(*done)(struct call *c,
				    const struct call_reply *r);
};

struct upstream_stats {
	uint64_t		 opened, failed, calls, timeouts;
	uint32_t		 leased, idle, connecting;
	/* Leased ones that have owed a Produce's answer for UPSTREAM_SILENT_MS,
	 * at the last tick. */
	uint32_t		 silent;
};

enum { UPSTREAM_SILENT_MS = 1000 };

/* `options` is copied; a reference of tls is taken. */
struct pool	*pool_new(struct loop *l, const struct upstream_options *o);
/* Ends all upstreams (calls end as LOST or NOT_SENT). */
void		 pool_free(struct pool *p);
/* Where the brokers are from now on. All upstreams of brokers which are gone
 * are closed, from inside, and the idle ones of those which have moved. The
 * pool keeps a reference. */
void		 pool_set_cluster(struct pool *p, struct cluster *c);
void		 pool_stats(const struct pool *p, struct upstream_stats *to);

/* leased, idle and connecting (leased ones that are not up yet) of each broker
 * that the pool has known, -1 for mere addresses; for a page. */
void		 pool_each_broker(const struct pool *p, void (*cb)(void *arg,
		    int32_t broker, const struct upstream_stats *u), void *arg);

/* An idle upstream of the broker (the one used last) or a new one. NULL when
 * the broker is unknown or gone, its name has no address, or, with none idle,
 * it was not reachable a moment ago. lost(arg) is called when the upstream
 * ended while leased, after all its calls were done: forget the pointer. */
struct upstream	*pool_lease(struct pool *p, int32_t broker,
		    void (*lost)(struct upstream *u, void *arg), void *arg);
/* As pool_lease, for an address that is no known broker (bootstrap). Such an
 * upstream is closed when it is returned. */
struct upstream	*pool_lease_address(struct pool *p, const char *host,
		    const struct sockaddr *a, socklen_t len,
		    void (*lost)(struct upstream *u, void *arg), void *arg);
/* Gives it back; no calls may be in flight. It is kept idle when it is up, its
 * broker has not moved and there is room. On one that has ended it does
 * nothing but keep lost() from being called. */
void		 pool_return(struct upstream *u);
/* True when a connection attempt to the broker failed just now and is not to
 * be tried again yet. */
bool		 pool_backing_off(const struct pool *p, int32_t broker);
/* True when the last attempt to connect to the broker failed, and nothing is
 * connected: what is said of it may be out of date. */
bool		 pool_failing(const struct pool *p, int32_t broker);
/* How many upstreams of the broker have ended without our wish so far: what
 * was learned through one may hold no longer. */
uint32_t	 pool_losses(const struct pool *p, int32_t broker);

/* Encodes and queues. False when the body cannot be encoded, or the pool is
 * being freed (done is not called then). On an upstream that has ended, but was
 * not lost yet, the call ends as NOT_SENT, soon. */
bool		 upstream_call(struct upstream *u, struct call *c,
		    const struct api_schema *api, int version,
		    struct slice client_id, const void *body,
		    uint32_t timeout_ms, struct error *err) MUST_CHECK;
uint32_t	 upstream_in_flight(const struct upstream *u);
int32_t		 upstream_broker(const struct upstream *u);
/* Ends it: its calls are done with LOST or NOT_SENT, then `lost` is called, all
 * from inside. */
void		 upstream_close(struct upstream *u, const char *detail);

#endif
