/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weir in a test tube: one worker (and, when wanted, the watch) of weir's own
 * code on a clock that stands still until it is told, clients and brokers of
 * the test's at the other ends of its sockets. One thread, no port, no sleep.
 *
 * The cluster is told with world_broker, world_topic and so on; the first
 * client, or world_start, starts weir. Brokers answer ApiVersions, Metadata and
 * FindCoordinator themselves (but for by_hand); all else waits in `requests`.
 *
 * Ownership: world_new's caller; what clients and brokers sent and got lives
 * until world_free. Thread: one.
 * Bounds: the enum's; more is a fault of the test (assert).
 */
#ifndef WEIR_TESTS_WORLD_H
#define WEIR_TESTS_WORLD_H

#include <jansson.h>

#include "gateway/gateway.h"
#include "gateway/net/conn.h"
#include "gateway/wire/frame.h"
#include "tests/scenario/net.h"

enum {
	WORLD_BROKERS = 16, WORLD_TOPICS = 32, WORLD_PARTITIONS = 64,
	WORLD_COORDINATORS = 64, WORLD_CLIENTS = 32, WORLD_CONNS = 256,
	WORLD_REQUESTS = 4096, WORLD_NAME = 64, WORLD_AWAITED = 256,
	WORLD_CLIENT_ID = 400,
};

struct world_broker {
	int			 id;
	char			 rack[WORLD_NAME];
	enum net_answer		 answer;	/* to who dials */
	struct api_range	 apis[CLUSTER_API_MAX];
};

struct world_topic {
	char			 name[WORLD_NAME];
	struct uuid		 id;
	int			 leaders[WORLD_PARTITIONS]; /* -1: none */
	int			 count;
	int			 epoch;
};

struct world_coordinator {
	int			 kind;		/* 0 group, 1 txn */
	char			 key[WORLD_NAME];
	int			 broker;	/* -1: not available */
};

/* A connection that weir made to a broker. */
struct world_conn {
	struct peer		 peer;
	int			 broker;
	uint8_t			*rest;		/* of a frame cut in two */
	size_t			 rest_len;
};

/* What a broker was sent. */
struct world_request {
	struct world_conn	*conn;
	struct frame_request	 head;
	void			*body;
	bool			 seen;		/* by the test */
	bool			 answered;
	char			 label[WORLD_NAME];
};

struct world_awaited {
	const struct api_schema	*api;
	int16_t			 version;
	int32_t			 id;
};

struct world_client {
	char			 name[WORLD_NAME];
	char			 client_id[WORLD_CLIENT_ID];	/* "": none */
	struct peer		 peer;
	int32_t			 next_id;
	struct world_awaited	 awaited[WORLD_AWAITED];
	int			 first, awaited_count;
	uint8_t			*rest;
	size_t			 rest_len;
	bool			 told;		/* the test knows it ended */
};

struct world {
	struct gateway		 gateway;
	struct worker		*worker;	/* NULL: not started */
	bool			 watching;	/* brokers make snapshots */
	struct loop		*asleep;	/* the watch's, else */
	json_t			*config;
	uint64_t		 generation;
	struct arena		 arena;
	struct world_broker	 brokers[WORLD_BROKERS];
	int			 broker_count;
	struct world_topic	 topics[WORLD_TOPICS];
	int			 topic_count;
	struct world_coordinator coordinators[WORLD_COORDINATORS];
	int			 coordinator_count;
	struct world_client	 clients[WORLD_CLIENTS];
	int			 client_count;
	struct world_conn	 conns[WORLD_CONNS];
	int			 conn_count;
	struct world_request	 requests[WORLD_REQUESTS];
	int			 request_count;
	bool			 by_hand[CLUSTER_API_MAX];
	uint64_t		 wishes_seen;
	uint64_t		 closes_seen[CONN_REASON_COUNT];
	bool			 leaked;	/* a client saw too much */
	char			 fault[256];	/* "" */
};

/* One at a time in a process. */
struct world	*world_new(void);
/* Starts weir; once. */
void		 world_start(struct world *w);
/* Until nothing moves any more; no time passes. */
void		 world_settle(struct world *w);
/* As world_settle, at each step of the time that passes. */
void		 world_wait(struct world *w, int64_t ms);
/* Ends all connections and weir; false: something is left behind (*err). */
bool		 world_free(struct world *w, struct error *err) MUST_CHECK;

/* ---- the cluster ---- */

struct world_broker *world_broker(struct world *w, int id);	/* made */
void		 world_broker_gone(struct world *w, int id);
struct world_topic *world_topic(struct world *w, const char *name); /* made */
void		 world_topic_gone(struct world *w, const char *name);
void		 world_coordinator(struct world *w, int kind, const char *key,
		    int broker);
/* Weir learns what the cluster is now. Not when it watches itself. */
void		 world_snapshot(struct world *w);
/* Sets an option, such as limits.in_flight_max, to a JSON value; false: there
 * is none such, or weir has started and it needs a restart. */
bool		 world_set(struct world *w, const char *path, const char *json,
		    struct error *err) MUST_CHECK;

/* ---- clients ---- */

struct world_client *world_client(struct world *w, const char *name);
/* Connects; room as in peer_open. */
struct world_client *world_connect(struct world *w, const char *name,
		    int room);
/* What a client would write for it; awaits the reply when there is one. */
struct chain	 world_encode(struct world *w, struct world_client *c,
		    const struct api_schema *api, int version,
		    const void *body, bool silent, struct error *err);
/* Sends the first `most` bytes (0: all) and keeps the rest. */
void		 world_send(struct world_client *c, struct chain *out,
		    size_t most);
void		 world_send_rest(struct world_client *c);
/* The next reply, decoded as version (-1: the request's own); NULL: none has
 * come, or it is none of ours (*err). */
void		*world_reply(struct world *w, struct world_client *c,
		    int version, struct world_awaited *to, struct error *err);
/* Whether weir closed a connection of a client for that reason, once more. */
bool		 world_closed(struct world *w, enum conn_reason reason);

/* ---- brokers ---- */

/* Encodes the answer to q; shift changes its correlation id. */
struct chain	 world_answer(const struct world_request *q, const void *body,
		    int32_t shift, struct error *err);
void		 world_conn_send(struct world_conn *c, struct chain *out,
		    size_t most);
/* How many connections weir has to it. */
int		 world_conns(const struct world *w, int broker);

#endif
