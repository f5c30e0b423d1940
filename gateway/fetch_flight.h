/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed's call to its broker: the leg, and the memory of request and reply.
 *
 * Ownership: the feed's; without one (its client has gone) its own until the
 * call is done.
 * Thread: worker.
 * Bounds: the reply is a broker's, within the frame cap towards brokers; asked
 * for with the client's max_bytes.
 */
#ifndef WEIR_FETCH_FLIGHT_H
#define WEIR_FETCH_FLIGHT_H

#include "gateway/fetch_feed.h"

struct request;

enum {
	FETCH_LEG_MARGIN_MS = 30000,	/* a broker's answer after max_wait */
	FETCH_LEG_TRIES = 3,		/* calls of a feed for one Fetch */
};

/* Asks the broker for what the feed wants, in the name of that client's Fetch;
 * landed(arg, f) follows, perhaps from inside, unless the flight is dropped. */
void	 fetch_flight_send(struct fetch_feed *f, const struct request *r,
	    const struct fetch_terms *terms,
	    void (*landed)(void *arg, struct fetch_feed *f), void *arg);
/* Frees it. A call in flight is ended with its upstream: nobody else is to
 * wait for a long poll that nobody wants. */
void	 fetch_flight_drop(struct fetch_flight *fl);

#endif
