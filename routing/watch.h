/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the cluster's snapshot true: asks the brokers (Metadata of one,
 * ApiVersions of each) at start, when somebody found it wrong, and once in a
 * while; publishes a new snapshot when something has changed, when somebody
 * waits, and when the last one is WATCH_SAME_MS old.
 *
 * One refresh asks the known brokers in turn, those that failed lately last,
 * then the bootstrap list; each has WATCH_ASK_MS, and when it has not answered
 * in WATCH_HEDGE_MS the next one is asked as well, so none holds it up. When
 * the answer lacks topics or partitions of the last snapshot, the broker which
 * that one came from is asked too, and its word holds: who answered may be
 * behind. What a broker offers is asked when its connection was lost or
 * WATCH_OFFER_MS are over. One that does not say is waited for WATCH_OFFERS_MS,
 * then what is known is published; when it says something else later, there is
 * another refresh.
 *
 * Requests are coalesced: while one is under way any number of wishes cost one
 * more, and two never start within WATCH_GAP_MS of each other.
 * Ownership: watch_new's caller. Thread: control; watch_wish is any thread's.
 * Bounds: the reply's arena; ASK_FACTOR times a frame.
 */
#ifndef WEIR_ROUTING_WATCH_H
#define WEIR_ROUTING_WATCH_H

#include "routing/upstream.h"

enum {
	WATCH_GAP_MS = 50,
	WATCH_PERIOD_MS = 10000,
	WATCH_SAME_MS = 30000,		/* an unchanged one is published too:
					 * asked_us tells that it holds */
	WATCH_ASK_MS = 2000,
	WATCH_HEDGE_MS = 250,		/* without an answer: one more */
	WATCH_OFFER_MS = 30000,
	WATCH_OFFERS_MS = 200,
	WATCH_FIRST_OFFERS_MS = 1000,	/* for the first snapshot */
	WATCH_RETRY_MIN_MS = 100,	/* when no broker answers */
	WATCH_RETRY_MAX_MS = 1000,
};

struct watch;

/* The snapshot is borrowed: take a reference. Thread: control. */
typedef void watch_publish_cb(void *arg, struct cluster *c);

/* bootstrap: "host:port,host:port", checked before. Names are resolved when
 * they are needed, and again when they are asked again. */
struct watch	*watch_new(struct loop *control, const char *bootstrap,
		    const struct upstream_options *o, watch_publish_cb *publish,
		    void *arg);
/* No thread may wish any more. publish is not called again. */
void		 watch_free(struct watch *w);
/* Somebody needs a snapshot that was asked for after now. Each wish is
 * followed by a publish whose asked_us is later, as soon as brokers answer. */
void		 watch_wish(struct watch *w);
/* Of the watch's own upstreams. Thread: control. */
void		 watch_stats(const struct watch *w, struct upstream_stats *to);
/* For a page: "connected", or why not. Thread: control. */
const char	*watch_state(const struct watch *w);

#endif
