/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's share session (KIP-932) and the sessions that stand for it at
 * brokers: which partitions it has, who leads them, what each broker knows of
 * that, and what a request is for each of them. No sockets.
 *
 * A request goes: share_check, share_take, share_judge, share_rest,
 * share_place, share_legs; each leg's answer: share_landed or share_failed;
 * share_answer, share_tidy.
 *
 * ShareAcknowledge has the shape of a ShareFetch without a fetch: it comes here
 * as one (share_from_acknowledge) and leaves as what it was.
 *
 * Ownership: the connection's (api_share.c). What belongs to one request points
 * into its arena until share_tidy.
 * Thread: worker.
 * Bounds: SHARE_PARTS_MAX partitions, those included which a broker is still to
 * be told to forget.
 */
#ifndef WEIR_SHARE_SESSION_H
#define WEIR_SHARE_SESSION_H

#include "gateway/base/arena.h"
#include "gateway/base/list.h"
#include "gateway/base/slice.h"
#include "wire/messages.h"

struct cluster;
struct htab;

enum {
	SHARE_PARTS_MAX = 100000,
	SHARE_MEMBER_ID_MAX = 36,
	SHARE_EPOCH_FINAL = -1,
	SHARE_EPOCH_OPEN = 0,
	SHARE_WAIT_MAX_MS = 60000,
	/* With several brokers nobody waits longer for one of them while
	 * another has records. */
	SHARE_WAIT_SHARED_MS = 100,
	SHARE_LEG_BYTES_MIN = 1024 * 1024,
};

/* The session at one broker. */
struct share_broker {
	struct list	 link;		/* share->brokers */
	int32_t		 id;
	int32_t		 epoch;		/* of its next request; 0: not open */
	bool		 stale;		/* open, and to be replaced or closed */
	/* In the request that is being planned: */
	int32_t		 targets, acks, changes;
};

/* Ends with its last partition. */
struct share_topic {
	struct list	 link;		/* share->topics */
	struct uuid	 id;
	struct list	 parts;
	int16_t		 denied;	/* 0, or what the client is told */
};

struct share_part {
	struct list	 link;		/* topic->parts */
	struct share_topic *topic;
	int32_t		 index;
	bool		 wanted;	/* in the client's session */
	bool		 doubted;	/* a newer snapshot was waited for */
	bool		 rests;		/* left out of this request */
	struct share_broker *held;	/* whose session has it; NULL: none */
	/* In the request that is being served: */
	struct share_broker *target;	/* who is to have it */
	struct share_broker *acks_to;
	void		*acks;		/* its batches */
	int32_t		 ack_count;	/* -1: none were sent */
	int16_t		 error, ack_error;
	int32_t		 leader, leader_epoch;	/* virtual; -1: unknown */
	const struct share_fetch_response_responses_partitions *fetched;
};

struct share {
	struct list	 link;		/* the connection's */
	struct slice	 group, member;	/* malloc'd */
	int32_t		 epoch;		/* that the client must send next */
	int32_t		 seen;		/* the virtual broker that it talks to;
					 * -1: not known */
	uint32_t	 turn;		/* of brokers, when not all are asked */
	struct list	 topics, brokers;
	struct htab	*topic_by_id;
	struct htab	*part_by_id;	/* topic id and index */
	/* In the request that is being served: */
	bool		 fetching;	/* for records, not for leases only */
	int32_t		 throttle_ms, lock_ms;
	int64_t		 acquired;	/* batches of records given */
	bool		 resting;	/* a partition is */
};

/* What goes to one broker. */
struct share_leg_plan {
	struct share_broker *broker;
	struct share_fetch_request *body;
	bool		 fetches;	/* may bring records */
	bool		 acks;
	bool		 closes;	/* ends a session that was replaced: its
					 * answer says nothing to the client */
};

struct share	*share_new(struct slice group, struct slice member);
void		 share_free(struct share *s);

/* A ShareAcknowledge as a ShareFetch; shares all it holds. */
struct share_fetch_request *share_from_acknowledge(
		    const struct share_acknowledge_request *q,
		    struct arena *a);
struct share_acknowledge_request *share_to_acknowledge(
		    const struct share_fetch_request *q, struct arena *a);
struct share_fetch_response *share_from_acknowledged(
		    const struct share_acknowledge_response *p,
		    struct arena *a);
struct share_acknowledge_response *share_to_acknowledged(
		    const struct share_fetch_response *p, struct arena *a);

/* Whether the request may go on; an error for its top level, or 0. s is NULL
 * when there is no session. Changes nothing. */
int16_t	 share_check(const struct share *s, const struct share_fetch_request *q,
	    bool fetch);
/* Notes what the request says. False when there are too many partitions. */
bool	 share_take(struct share *s, const struct share_fetch_request *q,
	    bool fetch);
/* Asks judge for each topic that the snapshot knows whether it may be read; it
 * returns 0 or the error to tell. Before share_place with the same snapshot:
 * nothing of a denied topic is read or acknowledged. */
typedef int16_t	 share_judge_cb(void *arg, struct slice name);
void	 share_judge(struct share *s, const struct cluster *c,
	    share_judge_cb *judge, void *arg);
/* Asks for each wanted partition whether it is to be left out this time:
 * brokers are not asked for records of it. What is acknowledged goes on. */
typedef bool	 share_rests_cb(void *arg, const struct uuid *topic,
		    int32_t partition);
void	 share_rest(struct share *s, share_rests_cb *ask, void *arg);
/* Finds a broker for each partition. `count` is how many virtual brokers the
 * client sees. True when a newer snapshot might know more. */
bool	 share_place(struct share *s, const struct cluster *c, int32_t count);
/* The request's legs; their number. The sessions at brokers are from now on as
 * if each had been answered. */
int32_t	 share_legs(struct share *s, const struct share_fetch_request *q,
	    struct arena *a, struct share_leg_plan **legs);
/* The session at the broker is gone: it begins anew with the next leg. */
void	 share_lost(struct share *s, int32_t broker);
/* A leg without an answer. Its partitions and acknowledgements get the error,
 * and the broker's session is gone. */
void	 share_failed(struct share *s, const struct share_leg_plan *leg,
	    int16_t error);
/* The same leg from the start, when its broker did not know the session. */
void	 share_restart(struct share *s, struct share_leg_plan *leg,
	    struct arena *a);
/* A leg's answer (its top-level error is the caller's). `c` as in place. */
void	 share_landed(struct share *s, const struct share_leg_plan *leg,
	    const struct share_fetch_response *p, const struct cluster *c,
	    int32_t count);
/* Each partition that there is something to say of, once. Node endpoints are
 * the caller's. */
struct share_fetch_response *share_answer(struct share *s, struct arena *a);
/* How many partitions have an error; *stale: a newer snapshot may cure some. */
int32_t	 share_errors(const struct share *s, bool *stale);
/* Forgets the request. */
void	 share_tidy(struct share *s);
bool	 share_wants_any(const struct share *s);
/* Whether the request acknowledges anything. */
bool	 share_acks(const struct share *s);
int32_t	 share_next_epoch(int32_t epoch);

/* For share_*.c. */
struct share_part *share_part_find(const struct share *s,
		    const struct uuid *id, int32_t index);
/* Made when it is not there. */
struct share_broker *share_broker_need(struct share *s, int32_t id);

static inline struct share_topic *
share_topic_at(struct list *it)
{
	return LIST_ENTRY(it, struct share_topic, link);
}

static inline struct share_part *
share_part_at(struct list *it)
{
	return LIST_ENTRY(it, struct share_part, link);
}

static inline struct share_broker *
share_broker_at(struct list *it)
{
	return LIST_ENTRY(it, struct share_broker, link);
}

/* `it` is the link of each partition in turn. */
#define SHARE_EACH_PART(it, s) \
	LIST_FOREACH(it##_topic, &(s)->topics) \
		LIST_FOREACH(it, &share_topic_at(it##_topic)->parts)

#endif
