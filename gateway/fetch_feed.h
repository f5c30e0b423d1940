/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed: what one broker owes one fetch table. It has a fetch session of its
 * own at the broker (KIP-227), at most one call in flight, and keeps what that
 * call brought until the client's next Fetch has taken it.
 *
 * Life: IDLE, fetch_feed_request (FLYING), fetch_feed_land (LANDED while there
 * is something to take, else IDLE). The call itself is fetch_flight.h's.
 * Ownership: the table's. Thread: worker. No sockets.
 * Bounds: one reply a feed.
 */
#ifndef WEIR_FETCH_FEED_H
#define WEIR_FETCH_FEED_H

#include "gateway/base/arena.h"
#include "gateway/fetch_table.h"

struct fetch_flight;
struct fetch_request;
struct fetch_response;

enum fetch_feed_state {
	FEED_IDLE,		/* nothing in flight, nothing kept */
	FEED_FLYING,		/* the broker has been asked */
	FEED_LANDED,		/* parts with `landed` point into the reply */
};

struct fetch_feed {
	struct list	 link;		/* table->feeds */
	struct fetch_table *table;
	struct fetch_flight *flight;	/* FLYING, LANDED: holds the reply */
	struct list	 parts;		/* wanted ones, in the order to ask */
	struct list	 dirty;		/* the broker is to be told of them */
	struct list	 news;		/* the client is to be told of them */
	int32_t		 broker;
	int32_t		 session_id, session_epoch;	/* the broker's */
	uint32_t	 landed;	/* parts of the reply not taken yet */
	/* Of those the client wants now, as fetch_feed_match saw it: */
	uint32_t	 ready, ready_errors;
	uint64_t	 ready_bytes;
	int16_t		 failed;	/* this Fetch got no reply: error */
	uint8_t		 state;		/* enum fetch_feed_state */
	uint8_t		 tries;		/* calls for this client's Fetch */
	int8_t		 isolation;	/* what the reply was asked with */
	bool		 restart;	/* next is a full fetch */
	bool		 full;		/* the one in flight is */
	bool		 stale;		/* an error told of another leader */
};

/* How to ask. */
struct fetch_terms {
	int		 version;
	int32_t		 max_wait_ms, min_bytes, max_bytes;
	int8_t		 isolation;
};

/* What a reply was. */
enum fetch_landing {
	LANDING_OK,
	LANDING_AFRESH,		/* the broker knows no such session: again */
	LANDING_FAILED,		/* feed->failed says why */
};

/* The feed for that broker, made when there is none. */
struct fetch_feed *fetch_feed_get(struct fetch_table *t, int32_t broker);
/* Its partitions become homeless. */
void	 fetch_feed_free(struct fetch_feed *f);
/* Frees the feeds that have nothing to do. */
void	 fetch_feeds_trim(struct fetch_table *t);
/* The request for all that is wanted: in full, or what has changed. From now on
 * the broker counts as told. What it refers to lives in the arena. */
struct fetch_request *fetch_feed_request(struct fetch_feed *f,
	    const struct fetch_terms *terms, struct arena *a);
/* The reply to it, which lives as long as the feed is LANDED. */
enum fetch_landing fetch_feed_land(struct fetch_feed *f,
	    const struct fetch_response *reply);
/* There is no reply. */
void	 fetch_feed_lost(struct fetch_feed *f, int16_t error);
/* Sets `ready`: drops what was landed for other offsets than are wanted now,
 * and everything when nothing of it is wanted and something else is. */
void	 fetch_feed_match(struct fetch_feed *f, int8_t isolation);
/* The partition's part of the reply was taken. */
void	 fetch_feed_took(struct fetch_part *p);
/* Lets go of the reply when nothing is left of it. */
void	 fetch_feed_release(struct fetch_feed *f);
/* Drops what was landed. */
void	 fetch_feed_discard(struct fetch_feed *f);

#endif
