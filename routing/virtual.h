/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients see of the brokers: `count` virtual brokers 0 .. count-1, all at
 * one address. Real broker of rank l (its place among all ids that the cluster
 * has shown) is seen as l modulo count.
 *
 * And how many a client may see: a wrong choice loses data (librdkafka before
 * 2.10 stops consuming, kafkajs drops acknowledged records), so it is one,
 * unless the client's name and version in ApiVersions (KIP-511) are known to
 * keep broker ids at one address apart.
 *
 * Ownership: none. Thread: any, but virtual_remember/recall lock a small shared
 * table: not for the path of each request.
 * Bounds: VIRTUAL_REMEMBERED clients.
 */
#ifndef WEIR_ROUTING_VIRTUAL_H
#define WEIR_ROUTING_VIRTUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/slice.h"
#include "routing/cluster.h"

enum {
	VIRTUAL_AUTO = -1,		/* as many as the cluster has brokers */
	VIRTUAL_REMEMBERED = 65536,
};

/* The real count behind a choice (VIRTUAL_AUTO or a number), at least 1. */
int32_t	 virtual_count(const struct cluster *c, int32_t choice);
/* The virtual id of a real one; -1 for -1 (no leader) and unknown ids. */
int32_t	 virtual_broker(const struct cluster *c, int32_t count, int32_t real);
/* The real id of a virtual one; -1 when it stands for several or none. */
int32_t	 virtual_real(const struct cluster *c, int32_t count, int32_t id);
/* The virtual broker that an id (group, transactional id) is sent to. */
int32_t	 virtual_for_key(int32_t count, struct slice key);
/* The cluster id that clients see: always the same for one cluster, on each
 * node, and not to be turned back. */
struct slice virtual_cluster_id(const struct cluster *c, struct arena *a);
/* A list of ids with each virtual one once, in the order of first occurrence;
 * unknown ones are dropped. */
struct int32_list virtual_brokers(const struct cluster *c, int32_t count,
	    const struct int32_list *real, struct arena *a);

/* One row: clients of that name see several when their version is at least
 * `version`, read from the text behind the last `marker` ("" = its start). */
struct virtual_rule {
	const char	*name;		/* "*" = any name */
	const char	*marker;	/* "rdkafka-" ... */
	int16_t		 version[3];
};

/* True when the client is known to keep ids apart. Rules end with a NULL name;
 * NULL: the built-in ones. */
bool	 virtual_keeps_apart(const struct virtual_rule *rules,
	    struct slice name, struct slice version);
/* Some clients name themselves on some connections only, and must not see
 * another count on the next: remembered by host and client id. */
void	 virtual_remember(const char *host, struct slice client_id,
	    bool keeps_apart);
/* False when nothing is remembered. */
bool	 virtual_recall(const char *host, struct slice client_id,
	    bool *keeps_apart);

#endif
