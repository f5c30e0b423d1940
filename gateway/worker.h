/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one thread with its loop, its listening sockets, sessions, pool of
 * upstreams and what it remembers of coordinators.
 *
 * Ownership: the gateway's (main.c). Thread: its own, except where said.
 */
#ifndef WEIR_WORKER_H
#define WEIR_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/base/list.h"
#include "gateway/net/loop.h"
#include "gateway/request.h"
#include "routing/cluster.h"
#include "routing/upstream.h"

struct audit;
struct auth;
struct auth_cache;
struct census;
struct config;
struct coordinators;
struct gateway;
struct metrics;
struct tenants;
struct throttling;
struct tls_context;
struct watch;

enum { WORKER_LISTENERS_MAX = 16, WORKER_FREE_REQUESTS = 256 };

/* Which listener of which worker a connection came in at. */
struct worker_accepting {
	struct worker		*worker;
	int			 listener;
};

struct worker {
	struct gateway		*gateway;
	int			 index;
	pthread_t		 thread;
	struct loop		*loop;
	struct pool		*pool;
	struct cluster		*cluster;	/* a reference; not NULL */
	struct config		*config;	/* a reference */
	int64_t			 config_us;	/* since when; 0: the start */
	int64_t			 not_made_us;	/* api_metadata.c's last line */
	struct auth		*auth;		/* a reference */
	struct auth_cache	*auth_cache;
	struct tenants		*tenants;	/* a reference; NULL: none */
	struct census		*census;	/* a reference; NULL: none */
	struct audit		*audit;
	struct throttling	*throttling;
	struct metrics		*metrics;
	struct coordinators	*coordinators;
	struct list		 sessions;
	uint32_t		 session_count;
	uint32_t		 legs_in_flight;
	struct list		 parked;	/* requests, by `wait` */
	struct list		 uncounted;	/* as parked, for a census */
	struct list		 leases;	/* without a session */
	struct list		 free_leases;
	struct list		 free_requests;
	uint32_t		 free_count;
	uint32_t		 any_next;	/* turn of LEG_ANY */
	int64_t			 doubted_us;	/* see doubt_snapshot */
	uint32_t		 fetch_sessions;
	bool			 draining;
	struct listener		*listeners[WORKER_LISTENERS_MAX];
	struct worker_accepting	 accepting[WORKER_LISTENERS_MAX];
	struct tls_context	*tls[WORKER_LISTENERS_MAX];
	int			 listener_count;
};

/* All of it but listeners and thread; what worker_start begins with, and tests
 * which turn its loop themselves. */
struct worker	*worker_new(struct gateway *g, int index);
/* Ends its sessions and upstreams; then it may be freed. Thread: worker. */
void		 worker_end(struct worker *w);
void		 worker_free(struct worker *w);

/* Opens its listeners and starts the thread. NULL: the process cannot go on. */
struct worker	*worker_start(struct gateway *g, int index, struct error *err)
		    MUST_CHECK;
/* Ends it and waits. Thread: control. */
void		 worker_stop(struct worker *w);
/* Hands over a snapshot or configuration. Thread: control. */
void		 worker_set_cluster(struct worker *w, struct cluster *c);
void		 worker_set_config(struct worker *w, struct config *c);
/* Hands over keys, policies and tenants (or NULL): sessions are judged anew.
 * Thread: control. */
void		 worker_set_auth(struct worker *w, struct auth *a,
		    struct tenants *t);
/* Hands over a census; NULL: nobody needs one. Thread: control. */
void		 worker_set_census(struct worker *w, struct census *c);
/* A token named a key that is not known: the JWKS are fetched anew. Thread:
 * worker. */
void		 worker_wish_jwks(struct worker *w);
/* Stops accepting; sessions end when idle. Thread: control. */
void		 worker_drain(struct worker *w);
/* A broker's answer showed that the snapshot is out of date: asks for another
 * one. Thread: worker. */
void		 worker_wish(struct worker *w);
/* A broker for LEG_ANY: the one that the snapshot came from, for others may not
 * know yet what it shows (before KIP-1166 they are up to half a second apart);
 * when that one is backing off, or was tried in vain (again), the next in turn
 * that is not; -1: none. */
int32_t		 worker_any_broker(struct worker *w, bool again);

/* The session's lease of that class and broker, or a new one. NULL when the
 * broker cannot be reached now. s may be NULL. */
struct upstream_lease *lease_get(struct worker *w, struct session *s,
		    int32_t broker, enum upstream_use class);
/* One call less; returned to the pool when it was the last. */
void		 lease_done(struct worker *w, struct upstream_lease *l);
/* Unpins and ends it now. */
void		 lease_close(struct worker *w, struct upstream_lease *l);

#endif
