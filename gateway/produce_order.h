/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps an idempotent producer's batches in order where the broker cannot: as
 * long as it has no state of the producer, that is until the batch of sequence
 * 0 was appended, it takes a batch of any sequence (KIP-360). Were the first
 * one refused (its leader was just elected, say) and the second, already on its
 * way, accepted, the producer could never repeat the first.
 *
 * So, for each session:
 *  - guards: partitions whose batch of sequence 0, or whose waiting request, is
 *    under way; later requests that touch them are held until it has ended;
 *  - refusals: partitions whose batch was refused in a way that clients repeat;
 *    later batches of that producer are refused alike, until it repeats one.
 *    That is the first one again; or one that was refused behind it, when a
 *    new leader took the first on another connection, for a client repeats
 *    what it was refused in order. What was in flight has come before, so no
 *    time is needed to tell, however long a limit mutes the connection.
 *
 * Ownership: the session. Thread: worker.
 * Bounds: guards and held requests by in_flight_max and the frame; refusals
 * REFUSALS_MAX, beyond which the oldest is dropped.
 */
#ifndef WEIR_PRODUCE_ORDER_H
#define WEIR_PRODUCE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

enum {
	GUARDS_MAX = 1024,		/* with more, all partitions are */
	REFUSALS_MAX = 1024,
};

/* One partition's first batch in a Produce, as far as order needs it. */
struct produce_item {
	struct slice	 name;		/* or null */
	struct uuid	 id;		/* or zero */
	int32_t		 partition;
	int64_t		 producer_id;	/* -1: not idempotent */
	int16_t		 producer_epoch;
	int32_t		 sequence;
};

struct produce_order;

struct produce_order	*produce_order_new(void);
void	 produce_order_free(struct produce_order *o);
/* True when a guard stands on the partition. */
bool	 produce_order_guarded(const struct produce_order *o,
	    const struct produce_item *it);
/* owner is any address that names the request. */
void	 produce_order_guard(struct produce_order *o, const void *owner,
	    const struct produce_item *it);
/* The request has ended: its guards go; true when it had any. */
bool	 produce_order_unguard(struct produce_order *o, const void *owner);
/* The error that this batch must be refused with too; 0: it may go. */
int16_t	 produce_order_judge(struct produce_order *o,
	    const struct produce_item *it);
/* The batch was refused: what follows it in flight must be as well. */
void	 produce_order_refused(struct produce_order *o,
	    const struct produce_item *it, int16_t error);

#endif
