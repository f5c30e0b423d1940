/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which partitions a client's Fetch wants, and which broker has each of them.
 *
 * A table belongs to one fetch slot (fetch_session.h). Its partitions hang on
 * feeds, one a broker (fetch_feed.h); those that nobody leads are `homeless`.
 * What a feed's broker already knows by its own fetch session is kept beside
 * what the client wants, so that only differences travel (KIP-227).
 *
 * Ownership: the slot's; everything here is malloc'd and freed with it.
 * Thread: worker. No sockets.
 * Bounds: FETCH_PARTITIONS_MAX partitions a table, those included that a
 * broker is still to be told to forget, and FETCH_PARTITIONS_NODE_MAX in all
 * tables of the process; a feed for each broker of the snapshot.
 */
#ifndef WEIR_FETCH_TABLE_H
#define WEIR_FETCH_TABLE_H

#include "gateway/base/list.h"
#include "gateway/base/slice.h"

struct cluster;
struct fetch_feed;
struct fetch_response_responses;
struct fetch_response_responses_partitions;
struct htab;
struct quota_topic;

enum {
	FETCH_PARTITIONS_MAX = 100000,
	FETCH_PARTITIONS_NODE_MAX = 2000000,	/* some 250 bytes each */
	FETCH_SCAN_MAX = 8,		/* with more, a hash table is made */
	FETCH_SESSIONS_SINCE = 7,	/* versions with sessions, */
	FETCH_IDS_SINCE = 13,		/* and with topic ids */
	FETCH_JUDGED_MS = 1000,		/* how long a judgement holds */
};

/* What is asked of a partition. */
struct fetch_ask {
	int64_t		 offset;
	int32_t		 leader_epoch, last_epoch, max_bytes;
};

/* Topics are known by name (up to v12) or by id (v13+), a table has one kind.
 * Ends with its last partition. */
struct fetch_topic {
	struct list	 link;		/* table->topics */
	struct fetch_table *table;
	struct slice	 name;		/* null: known by id */
	struct uuid	 id;
	struct list	 parts;		/* by fetch_part.link */
	struct list	*cursor;	/* where the next one is looked for */
	struct htab	*by_index;	/* NULL while there are few */
	uint32_t	 count;
	int16_t		 denied;	/* 0, or what the client is told */
	bool		 judged;
	/* Of its partitions, counted; as throttle_fetch.c last found it. */
	struct quota_topic *limit;
	uint32_t	 limit_version;
	/* In an answer that is being built: */
	struct fetch_response_responses *reply;
	uint32_t	 reply_count;
};

struct fetch_part {
	struct list	 link;		/* topic->parts */
	struct list	 at;		/* feed->parts, table->homeless or
					 * table->resting */
	struct list	 dirty;		/* feed->dirty or nowhere */
	struct list	 news;		/* feed->news or nowhere */
	struct fetch_topic *topic;
	struct fetch_feed *feed;	/* NULL: nobody leads it. Of one that
					 * rests: its broker is still to be
					 * told, it is known and dirty */
	/* In the feed's reply: what the client has not been given yet. */
	const struct fetch_response_responses_partitions *landed;
	struct fetch_ask want, sent;	/* sent: what the broker knows */
	int64_t		 high, stable, start;	/* last heard; -1: never */
	int64_t		 told_high, told_start;	/* what the client knows */
	int64_t		 rest_until_us;	/* 0: it does not */
	uint64_t	 generation;	/* of the table when it was forgotten */
	int32_t		 index;
	int32_t		 hint_leader, hint_epoch;	/* from CurrentLeader */
	uint32_t	 seen;		/* the full request that had it last */
	int16_t		 error;		/* why it is homeless; 0: not placed */
	bool		 wanted;	/* false: the broker is to forget it */
	bool		 known;		/* to the broker's fetch session */
	bool		 doubted;	/* a newer snapshot was waited for */
};

struct fetch_table {
	struct list	 topics, homeless;
	struct list	 resting;	/* over a limit: nobody is asked */
	struct list	 feeds;		/* struct fetch_feed */
	struct htab	*by_key;	/* topics; NULL while there are few */
	struct fetch_topic *last;	/* looked up last */
	uint32_t	 topic_count, parts, wanted;
	uint32_t	 seen, seen_count;	/* in the full request */
	uint32_t	 unjudged;		/* topics */
	int64_t		 judged_us;		/* when all topics were */
	uint64_t	 generation;	/* of the snapshot used; 0: none */
	bool		 by_id;
};

/* How many partitions all tables of the process may hold. Thread: any. */
void	 fetch_table_limit(uint64_t parts);
void	 fetch_table_init(struct fetch_table *t, bool by_id);
/* The feeds must be gone. */
void	 fetch_table_fini(struct fetch_table *t);
/* NULL when it is not there. */
struct fetch_topic *fetch_table_topic(struct fetch_table *t, struct slice name,
	    const struct uuid *id);
struct fetch_part *fetch_topic_part(struct fetch_topic *topic, int32_t index);
/* Adds the partition or changes what is asked; false when there are too
 * many. */
bool	 fetch_table_want(struct fetch_table *t, struct slice name,
	    const struct uuid *id, int32_t index, const struct fetch_ask *ask);
/* The client wants it no more. It is freed now, or when its broker was told. */
void	 fetch_part_forget(struct fetch_part *p);
/* Its broker was told, or needs not be: frees an unwanted one. */
void	 fetch_part_free(struct fetch_part *p);
/* A full request follows; partitions that it does not want are forgotten by
 * fetch_table_swept. In between the order of wishes is the order asked in. */
void	 fetch_table_sweep(struct fetch_table *t);
void	 fetch_table_swept(struct fetch_table *t);
/* Asks judge for each topic that may be read or not: of new ones now, of all
 * when the snapshot is another one, or every FETCH_JUDGED_MS, because policies
 * change. It returns 0 or the error to tell. Partitions of denied topics are
 * homeless from then on, and what has landed for them is gone. Before
 * fetch_table_place with the same snapshot; a topic whose id that does not know
 * is placed by no snapshot that it was not judged with. */
typedef int16_t	 fetch_judge_cb(void *arg, struct slice name);
void	 fetch_table_judge(struct fetch_table *t, const struct cluster *c,
	    int64_t now_us, fetch_judge_cb *judge, void *arg);
/* Gives each wanted partition to its leader's feed: all of them when the
 * snapshot is another one than before, else those that are homeless. */
void	 fetch_table_place(struct fetch_table *t, const struct cluster *c);
/* Nothing is read of it until then: its broker is told to forget it with the
 * next request, whose session goes on, and the client hears nothing new of it
 * meanwhile. */
void	 fetch_part_rest(struct fetch_part *p, int64_t until_us);
/* Those that have rested go on where their broker was not told yet, and else
 * become homeless, to be placed. False: none has. *next_us: when the next one
 * has; INT64_MAX: there is none. */
bool	 fetch_table_wake(struct fetch_table *t, int64_t now_us,
	    int64_t *next_us);
/* Homeless ones for whom a newer snapshot has not been waited for yet: true
 * when there are any, which are marked. */
bool	 fetch_table_doubts(struct fetch_table *t);
/* Something is homeless. */
bool	 fetch_table_homeless(const struct fetch_table *t);
/* ... and a newer snapshot might cure that: it is not denied only (what is
 * hidden counts as what is not there). */
bool	 fetch_table_astray(const struct fetch_table *t);

#endif
