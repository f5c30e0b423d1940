/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of partitions: what a Produce waits for, and what it is charged when
 * items of it are sent; and which topics have limits at all, as a worker
 * remembers it.
 *
 * Only partitions that there are are charged, and only what goes to a broker:
 * names and numbers that a client thinks up make nothing.
 *
 * Ownership: the worker's. Thread: worker.
 * Bounds: THROTTLE_TOPICS_MAX topics a worker; of more, those that nobody asked
 * for lately are forgotten.
 */
#ifndef WEIR_THROTTLE_PARTS_H
#define WEIR_THROTTLE_PARTS_H

#include "gateway/base/slice.h"

struct quota_reason;
struct quota_topic;
struct request;
struct session;
struct throttle_parts;

enum { THROTTLE_TOPICS_MAX = 4096 };

struct throttle_parts *throttle_parts_new(void);
void	 throttle_parts_free(struct throttle_parts *p);
/* Limits changed: lets go of all topics. */
void	 throttle_parts_forget(struct throttle_parts *p);

/* The topic's buckets for a physical name; NULL: no limit. Borrowed until the
 * worker's loop turns. False: no snapshot knows the topic. */
bool	 throttle_topic(struct session *s, struct slice name,
	    struct quota_topic **to);
/* How long a Produce must wait for partitions that its client may write. */
int64_t	 throttle_parts_wait_us(struct request *r, int64_t now_us,
	    struct quota_reason *why);
/* Whether what it sends is to be charged. */
bool	 throttle_parts_limited(const struct request *r);
/* So many bytes go to a partition that the snapshot has. */
void	 throttle_part_write(struct request *r, struct slice name,
	    const struct uuid *id, int32_t partition, uint32_t bytes);

#endif
