/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes lines of the gateway's own to a topic of the cluster: one batch in
 * flight, acks=all, to any partition that has a leader; a batch that was not
 * acknowledged is sent again, so a line may stand there twice.
 *
 * Ownership: its maker's. Thread: control.
 * Bounds: PUBLISHER_QUEUE_MAX lines wait, PUBLISHER_BATCH_MAX of them or
 * PUBLISHER_BYTES_MAX go at once, fewer when brokers say that it is too much;
 * what does not fit is refused, for the caller to count.
 */
#ifndef WEIR_PUBLISHER_H
#define WEIR_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cluster;
struct loop;
struct publisher;
struct upstream_options;

enum {
	PUBLISHER_QUEUE_MAX = 20000,
	PUBLISHER_BATCH_MAX = 500,
	PUBLISHER_BYTES_MAX = 512 * 1024, /* max.message.bytes is 1 MiB */
};

struct publisher *publisher_new(struct loop *l,
		    const struct upstream_options *o);
/* What is not acknowledged by now is lost, and told in the log. */
void		 publisher_free(struct publisher *p);
void		 publisher_set_cluster(struct publisher *p,
		    struct cluster *c);
/* NULL: nowhere; what waits is lost. */
void		 publisher_set_topic(struct publisher *p, const char *topic);
/* Copies; false: the queue is full, or there is no topic. */
bool		 publisher_add(struct publisher *p, const char *text,
		    size_t len);
/* Sends what waits; call it once a tick. */
void		 publisher_tick(struct publisher *p);
/* Lines that were taken and never will be written, since the last time. */
uint64_t	 publisher_take_lost(struct publisher *p);
/* Nothing waits and nothing is in flight. */
bool		 publisher_idle(const struct publisher *p);

#endif
