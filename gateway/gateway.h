/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: what the control thread owns and workers look at.
 *
 * Ownership: main.c's. Thread: written by control before workers start, or
 * atomic; workers get new snapshots and configurations as messages.
 */
#ifndef WEIR_GATEWAY_H
#define WEIR_GATEWAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/worker.h"

struct admin;
struct adopt_control;
struct audit_sink;
struct auth;
struct auth_control;
struct census_control;
struct config;
struct fleet_control;
struct quota;
struct tenants;
struct tenants_control;
struct tls_context;
struct watchdog;

enum { GATEWAY_WORKERS_MAX = 256 };

#define WEIR_VERSION "0.1.0"

struct gateway {
	struct loop		*control;
	struct config		*config;
	struct config		*first_config;	/* upstreams borrow from it */
	struct auth		*auth;		/* the newest */
	struct auth_control	*auth_control;
	struct tenants		*tenants;	/* the newest; NULL: none */
	struct tenants_control	*tenants_control;
	struct adopt_control	*adopt_control;	/* NULL: never asked */
	struct census_control	*census_control; /* NULL: no tick yet */
	struct audit_sink	*audit;
	struct quota		*quota;		/* NULL: nothing is limited */
	struct fleet_control	*fleet;		/* NULL: the store is local */
	struct cluster		*cluster;	/* NULL until the first one */
	struct watch		*watch;
	struct admin		*admin;
	struct watchdog		*watchdog;	/* of the workers' loops */
	struct metrics		*metrics;	/* the control thread's */
	struct tls_context	*upstream_tls;
	struct upstream_login	*upstream_login; /* or NULL */
	struct tls_context	*listener_tls[WORKER_LISTENERS_MAX];
	int			 bound_port[WORKER_LISTENERS_MAX];
	struct worker		*workers[GATEWAY_WORKERS_MAX];
	int			 worker_count;	/* 0: no snapshot yet */
	const char		*config_path;	/* NULL: from the arguments */
	int64_t			 started_us;
	int64_t			 drain_until_us;	/* 0: not draining */
	bool			 failed;
	uint32_t		 ticks;
	/* Since when the snapshot is known to be wrong; 0: never was. */
	atomic_int_least64_t	 stale_us;
	atomic_uint		 connections;
	uint32_t		 connections_most; /* half the descriptors */
	atomic_uint		 audit_queued;	/* lines to the sink */
	atomic_uint_least64_t	 audit_lost;
	atomic_bool		 jwks_wished;
	atomic_int		 census_wished;	/* census_control.c */
	atomic_int		 default_partitions; /* brokers' own; 0: not
						  * known yet */
	_Atomic int64_t		 default_us;	/* when they said so */
	atomic_uint_least64_t	 next_session;
};

/* How upstreams are made. Strings are borrowed from the first configuration,
 * which lives as long as the gateway; no reload changes them. */
void	 gateway_upstream_options(const struct gateway *g,
	    struct upstream_options *o);

#endif
