/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a snapshot of the cluster out of a broker's Metadata and of what the
 * brokers offer; compares two of them.
 * Ownership: the caller gets the one reference; nothing of the reply stays in
 * use. Thread: control (names are resolved, which may wait).
 */
#ifndef WEIR_ROUTING_SNAPSHOT_H
#define WEIR_ROUTING_SNAPSHOT_H

#include "routing/cluster.h"

struct metadata_response;
struct offer;
struct resolver;

/* Only where the brokers are. */
struct cluster *snapshot_begin(const struct metadata_response *m,
	    struct resolver *r);
/* Adds the rest; then it may be published. A partition that `before` (or NULL)
 * knows with a newer leader epoch stays as it was there: the broker that
 * answered is behind. */
void	 snapshot_finish(struct cluster *c, const struct metadata_response *m,
	    const struct offer *o, const struct cluster *before);
/* Same in all that a reader could see but generation, asked_us and source. */
bool	 snapshot_equal(const struct cluster *a, const struct cluster *b);
/* Whether `c` has all topics, by id, and partitions that `before` has. */
bool	 snapshot_has_topics_of(const struct cluster *c,
	    const struct cluster *before);

#endif
