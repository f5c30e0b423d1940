/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the cluster's snapshot true: asks the brokers (ApiVersions of each,
 * DescribeCluster or Metadata) at start, when somebody found it wrong, and once
 * in a while; publishes each new snapshot.
 *
 * Requests are coalesced: while one is under way any number of wishes cost one
 * more, and two never start within WATCH_GAP_MS of each other.
 * Ownership: watch_new's caller. Thread: control; watch_wish is any thread's.
 */
#ifndef WEIR_ROUTING_WATCH_H
#define WEIR_ROUTING_WATCH_H

#include "routing/upstream.h"

enum { WATCH_GAP_MS = 50, WATCH_PERIOD_MS = 10000 };

struct watch;

/* The snapshot is borrowed: take a reference. Thread: control. */
typedef void watch_publish_cb(void *arg, struct cluster *c);

/* bootstrap: "host:port,host:port", checked before. */
struct watch	*watch_new(struct loop *control, const char *bootstrap,
		    const struct upstream_options *o, watch_publish_cb *publish,
		    void *arg);
void		 watch_free(struct watch *w);
/* Somebody needs a snapshot that was asked for after now. Each wish is
 * followed by a publish whose asked_us is later, as soon as brokers answer. */
void		 watch_wish(struct watch *w);
/* Of the watch's own upstreams. Thread: control. */
void		 watch_stats(const struct watch *w, struct upstream_stats *to);
/* For a page: "connected", or why not. Thread: control. */
const char	*watch_state(const struct watch *w);

#endif
