/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many partitions a tenant has, compacted ones apart: those of the snapshot
 * by what the census says of them, and those that are on their way
 * (quota/made.h).
 *
 * Ownership: what a request has counted lives in its arena. Thread: worker.
 * Bounds: a request counts once a snapshot, in the order of the tenant's
 * topics.
 */
#ifndef WEIR_THROTTLE_COUNT_H
#define WEIR_THROTTLE_COUNT_H

#include "quota/made.h"

struct request;
struct topic;

/* What a request has changed of what is on its way; the name is borrowed. */
struct throttle_made {
	struct slice		 name;
	struct made_state	 was, is;
};

/* Whether the tenant has a limit of partitions of either class. */
bool	 throttle_counts_partitions(const struct quota_who *w);
/* As the census says, or whoever made it here; never UNKNOWN. */
enum made_class throttle_class(const struct request *r,
	    const struct quota_who *w, const struct topic *t);
/* Whether there is room for it (name, partitions and class are set); it counts
 * then, and stands in r->made. Else the request knows why. */
bool	 throttle_may_be(struct request *r, const struct quota_who *w,
	    struct made_topic *m);
/* 0, or the error for a topic that is to have so many partitions. */
int16_t	 throttle_partitions(struct request *r, const struct quota_who *w,
	    struct slice name, int32_t partitions, enum made_class class);

#endif
