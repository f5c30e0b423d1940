/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request in flight, and its legs: the parts of it that go to brokers.
 *
 * Life: session.c makes it from a frame and appends it to the session's queue;
 * its API's handler runs; legs are sent and merged, or it is answered here;
 * request_answer encodes the reply at once (so that what it refers to may go)
 * and the session sends replies in the order of requests. When the client goes
 * away first, the request lives on without a session until its legs are done.
 *
 * Ownership: the session's queue, or itself once orphaned. Everything in it
 * lives in its arena.
 * Thread: worker.
 * Bounds: in_flight_max requests a session; decoding is capped by the frame.
 */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H

#include "gateway/api.h"
#include "gateway/base/arena.h"
#include "gateway/base/block.h"
#include "gateway/base/list.h"
#include "gateway/net/conn.h"
#include "gateway/net/loop.h"
#include "gateway/wire/codec.h"
#include "gateway/wire/errors.h"
#include "quota/quota.h"
#include "routing/upstream.h"

struct session;
struct topic_counts;
struct worker;

enum {
	REQUEST_TIMEOUT_MS = 60000,	/* for a broker's answer, and longer
					 * where the request lets it work
					 * longer */
	REQUEST_TIMEOUT_MAX_MS = 1800000,
	REQUEST_MARGIN_MS = 5000,	/* for the answer's way back */
	REQUEST_SNAPSHOT_MS = 1500,	/* parked for a newer snapshot */
	REQUEST_SEED = 1536,		/* bytes of arena inside it */
	LEG_ANY = -1,			/* see worker_any_broker */
};

/* What a lease of an upstream is for. */
enum upstream_use {
	USE_GENERAL,		/* everything in order */
	USE_FETCH,		/* long polls, which must hold up nothing */
	USE_SHARE,		/* share sessions: pinned for the session */
};

/* A session's hold of one upstream. Ownership: the session's list, or its
 * legs' when the session has gone. */
struct upstream_lease {
	struct list	 link;
	struct worker	*worker;
	struct session	*session;	/* NULL: none, or gone */
	struct upstream	*upstream;	/* NULL: lost */
	int32_t		 broker;
	enum upstream_use class;
	uint32_t	 calls;		/* in flight */
	bool		 pinned;	/* not returned when idle */
	bool		 closed;	/* by lease_close: no broker's fault */
	/* Pinned ones: it was lost. */
	void		(*lost)(struct upstream_lease *l, void *arg);
	void		*arg;
};

/* request_legs fills in worker, session, request and arena; a handler that
 * keeps legs of its own (fetch, share) does so itself. */
struct leg {
	struct call	 call;
	struct worker	*worker;
	struct session	*session;	/* whose lease; read by leg_send only */
	struct request	*request;	/* may be NULL */
	struct arena	*arena;		/* where the reply is decoded to */
	struct upstream_lease	*lease;		/* while in flight */
	int32_t		 broker;	/* asked for, then where it went */
	const void	*body;		/* the leg's request struct */
	const struct api_schema	*as;	/* what that is; NULL: as the request */
	int16_t		 as_version;
	void		*reply;		/* decoded, or NULL */
	int16_t		 error;		/* what to tell when reply == NULL */
	enum call_outcome outcome;
	enum upstream_use class;
	bool		 no_reply;
	bool		 any;		/* LEG_ANY was asked for */
	uint8_t		 tries;
	uint32_t	 timeout_ms;
	void		(*done)(struct leg *l);
	void		*state;		/* the handler's */
};

struct request {
	struct list		 link;		/* in the session's queue */
	struct session		*session;	/* NULL: the client has gone */
	struct worker		*worker;
	const struct api_row	*api;
	const struct api_schema	*schema;
	int16_t			 version;
	int32_t			 correlation_id;
	struct slice		 client_id;
	struct arena		 arena;
	void			*body;		/* decoded request */
	struct leg		*legs;
	int32_t			 leg_count, pending;
	void			(*legs_done)(struct request *r);
	struct list		 wait;		/* on the worker's list while
						 * parked for a snapshot */
	struct timer		 timer;
	void			(*resume)(struct request *r);
	int64_t			 parked_us;
	int64_t			 park_until_us;	/* 0: never parked */
	int64_t			 uncounted_us;	/* it began to wait for a
						 * census; 0: it did not */
	bool			 done;		/* reply is whole (or none) */
	struct chain		 reply;
	int64_t			 start_us;
	size_t			 bytes_in;
	int64_t			 throttle_us;	/* by its partitions' limits */
	int64_t			 throttle_tell_us; /* told, without a mute */
	int64_t			 read_bytes;	/* of records in a Fetch's
						 * reply */
	struct topic_counts	*topic_counts;	/* throttle_count.c's */
	bool			 default_asked;	/* topic_default.c */
	int64_t			 changed;	/* partitions charged;
						 * throttle_topics.c's */
	struct throttle_made	*made;		/* throttle_count.c's: topics
						 * that it makes or changes */
	int32_t			 made_count;
	struct quota_reason	 refused_why;	/* value -1: none; without a
						 * record */
	int16_t			 error;		/* first one told */
	void			*state;		/* the handler's */
	_Alignas(8) char	 seed[REQUEST_SEED];
};

struct request	*request_new(struct worker *w);
void		 request_free(struct request *r);

/* Encodes and queues the reply. A reply that cannot be encoded is our bug: it
 * is logged and the session closed. */
void		 request_answer(struct request *r, const void *response);
/* As request_answer, with another version than the request's (ApiVersions). */
void		 request_answer_version(struct request *r, int version,
		    const void *response);
/* The API's reply with that error wherever the shape has room for one. */
void		 request_answer_error(struct request *r, int16_t error);
/* Done without a reply (acks=0). */
void		 request_finish(struct request *r);
/* Closes the session for it. */
void		 request_fail(struct request *r, enum conn_reason reason,
		    const char *detail);

/* Makes `count` zeroed legs. */
void		 request_legs(struct request *r, int32_t count);
/* Sends them all; done(r) follows when each has a reply or an error, perhaps
 * from inside. With no_reply set the legs are done once written. */
void		 request_send(struct request *r, enum upstream_use class,
		    bool no_reply, void (*done)(struct request *r));
/* One leg by itself, for handlers with their own rhythm. worker, session,
 * arena, broker, body, class, no_reply, timeout_ms and done are set before;
 * done(leg) follows, perhaps from inside: then `reply` is decoded in the arena
 * (which holds its block), or NULL with outcome and error set. */
void		 leg_send(struct leg *l, const struct api_schema *api,
		    int version, struct slice client_id);

/* Parks the request until a snapshot that was asked for after now is there
 * (or REQUEST_SNAPSHOT_MS are over), then resume(r). Once a request: false when
 * it was parked before. */
bool		 request_park(struct request *r,
		    void (*resume)(struct request *r));
/* As request_park, as often as there are newer snapshots, until
 * REQUEST_SNAPSHOT_MS since the first time are over: false then. */
bool		 request_park_again(struct request *r,
		    void (*resume)(struct request *r));
/* On a list of the worker's until it is resumed from there, or until that time:
 * resume(r) then. */
void		 request_wait(struct request *r, struct list *parked,
		    int64_t until_us, void (*resume)(struct request *r));
/* Brokers' errors that say the snapshot or a coordinator is out of date. */
bool		 error_wants_refresh(int16_t error);

#endif
