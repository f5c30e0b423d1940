/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one source address may take of the node: connections at once, new
 * connections a second, failed logins. One table for all workers.
 *
 * A source is an IPv4 address, or the first 64 bits of an IPv6 address: who has
 * one of these has 2^64 of them. Where a PROXY header came it is the address
 * in it. What has no such address (AF_UNSPEC) is not limited.
 *
 * Each limit is a bucket: so many at once, then one more each so long.
 * Ownership: the module's own; nothing is handed out.
 * Thread: any. The table is in SOURCE_SHARDS parts, each with its lock, which
 * is taken once when a connection begins, once when it ends, and for logins;
 * not at all while nothing is limited.
 * Bounds: a source with connections is always kept (connections are bounded by
 * limits.connections_max); of the others, which are only kept until their
 * buckets are as new, SOURCE_AT_REST at most, and the oldest is forgotten.
 */
#ifndef WEIR_NET_SOURCE_H
#define WEIR_NET_SOURCE_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOURCE_SHARDS = 64, SOURCE_AT_REST = 65536 };

/* 0 switches a limit off. */
struct source_limits {
	uint32_t	connections_max;
	uint32_t	connection_rate;	/* a second; as many at once */
	uint32_t	login_failures_max;	/* at once ... */
	uint32_t	login_failure_ms;	/* ... and then each so long */
};

enum source_verdict {
	SOURCE_TAKEN,		/* source_close is due */
	SOURCE_FREE,		/* nothing is limited: no source_close */
	SOURCE_MANY,		/* over connections_max */
	SOURCE_FAST,		/* over connection_rate */
};

/* Takes effect for what comes from now on; connections which began while
 * nothing was limited stay uncounted. */
void		 source_set_limits(const struct source_limits *l);
/* A connection has come from there. */
enum source_verdict source_open(const struct sockaddr *a);
/* One that was taken has gone. */
void		 source_close(const struct sockaddr *a);
/* Whether a login may be tried: one more failure would still be allowed. */
bool		 source_login_allowed(const struct sockaddr *a);
void		 source_login_failed(const struct sockaddr *a);

/* How many are known. Thread: any. */
size_t		 source_count(void);
/* Forgets all of them. For tests and the end. */
void		 source_forget(void);

#endif
