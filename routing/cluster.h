/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cluster looked like at one moment: brokers, topics, leaders, what
 * all brokers offer. Immutable once published, counted, swapped whole.
 *
 * Ownership: counted (atomically). Thread: built on the control thread, read by
 * any that holds a reference.
 * Bounds: what brokers answer, within the frame cap towards them.
 */
#ifndef WEIR_ROUTING_CLUSTER_H
#define WEIR_ROUTING_CLUSTER_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "gateway/base/arena.h"

enum {
	CLUSTER_API_MAX = 128,		/* keys 0 .. 127 are Kafka's own */
	BROKER_ADDRESSES_MAX = 8,	/* what more a name has is not tried */
};

struct broker_address {
	struct sockaddr_storage	 sa;
	socklen_t		 len;
};

struct broker {
	int32_t			 id;
	struct slice		 host;
	int32_t			 port;
	struct slice		 rack;		/* null: none */
	struct broker_address	*addresses;	/* of its name, to be tried in
						 * this order */
	int32_t			 address_count;	/* 0: could not be resolved */
};

struct int32_list {
	int32_t			*v;
	int32_t			 n;
};

struct partition {
	int32_t			 index;
	int16_t			 error_code;
	int32_t			 leader;	/* -1: none now */
	int32_t			 leader_epoch;
	struct int32_list	 replicas, isr, offline;
};

struct topic {
	struct slice		 name;
	struct uuid		 id;
	int16_t			 error_code;
	bool			 internal;	/* the brokers' own */
	struct partition	*partitions;	/* partitions[i].index == i, or
						 * see topic_partition */
	int32_t			 partition_count;
};

struct api_range {
	int16_t			 min, max;	/* max < min: not offered */
};

struct feature {
	struct slice		 name;
	int16_t			 supported_min, supported_max;
	int16_t			 finalized_min, finalized_max;	/* -1: not */
};

struct htab;

struct cluster {
	int32_t			 refs;		/* atomic; cluster_ref/unref */
	uint64_t		 generation;	/* counts up from 1 */
	int64_t			 asked_us;	/* when its request was sent:
						 * what changed before, it
						 * shows */
	int32_t			 source;	/* the broker whose word it is;
						 * -1: a bootstrap address's */
	struct slice		 cluster_id;
	int32_t			 controller_id;
	struct broker		*brokers;	/* sorted by id */
	int32_t			 broker_count;
	/* The ids of brokers and of all replicas, sorted: a broker that is away
	 * keeps its rank. */
	struct int32_list	 known;
	struct topic		*topics;	/* sorted by name */
	int32_t			 topic_count;
	struct htab		*by_name, *by_id;	/* -> struct topic */
	struct api_range	 apis[CLUSTER_API_MAX];	/* of all brokers */
	int64_t			 features_epoch;
	struct feature		*features;
	int32_t			 feature_count;
	struct arena		 arena;		/* holds all of the above */
};

struct cluster	*cluster_ref(struct cluster *c);
void		 cluster_unref(struct cluster *c);
const struct broker *cluster_broker(const struct cluster *c, int32_t id);
/* The place of a broker id among all known ones, or -1. */
int32_t		 cluster_broker_rank(const struct cluster *c, int32_t id);
/* How many partitions there are, and how many of them have no leader. */
void		 cluster_count(const struct cluster *c, int64_t *partitions,
		    int64_t *leaderless);
const struct topic *cluster_topic(const struct cluster *c, struct slice name);
/* Whether brokers keep the name, or one that begins so, for a topic of their
 * own. */
bool		 topic_reserved(struct slice name, bool begins);
/* Whether it is a topic of the brokers' own, which is no client's business, or
 * is to be one: a client that made it before them would decide how groups and
 * transactions are kept. */
bool		 cluster_internal(const struct cluster *c, struct slice name);
/* The index of the first topic whose name is not before that one. */
int32_t		 cluster_topics_from(const struct cluster *c,
		    struct slice name);
/* From there on: whether there is an i-th topic and its name begins so, or with
 * whole is that name (what names_ranges gives). */
bool		 cluster_topic_within(const struct cluster *c, int32_t i,
		    struct slice name, bool whole);
const struct topic *cluster_topic_by_id(const struct cluster *c,
		    const struct uuid *id);
const struct partition *topic_partition(const struct topic *t, int32_t index);

/* What of brokers' topics a client may know of at all. */
static inline const struct topic *
cluster_visible(const struct cluster *c, struct slice name)
{
	const struct topic *t = cluster_topic(c, name);

	return t == NULL || t->internal ? NULL : t;
}

static inline const struct topic *
cluster_visible_by_id(const struct cluster *c, const struct uuid *id)
{
	const struct topic *t = cluster_topic_by_id(c, id);

	return t == NULL || t->internal ? NULL : t;
}

#endif
