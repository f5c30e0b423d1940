/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients' fetch sessions (KIP-227), which end here: a node that does not know
 * one answers FETCH_SESSION_ID_NOT_FOUND, and the client starts afresh.
 *
 * A slot is one session with its table, or the one of requests without session.
 * Ownership: the connection's fetch_state. Thread: worker. No sockets.
 * Bounds: FETCH_SLOTS_MAX sessions a connection, the one used least recently
 * goes; FETCH_SESSIONS_MAX a worker, then requests are served without session.
 */
#ifndef WEIR_FETCH_SESSION_H
#define WEIR_FETCH_SESSION_H

#include "gateway/fetch_table.h"

struct fetch_request;

enum {
	FETCH_SLOTS_MAX = 4,
	FETCH_SESSIONS_MAX = 10000,
	FETCH_EPOCH_FIRST = 0,		/* full, makes a session */
	FETCH_EPOCH_FINAL = -1,		/* full, without session */
};

struct fetch_slot {
	struct list		 link;	/* sessions->slots, last used first */
	struct fetch_table	 table;
	int32_t			 id;	/* 0: for requests without session */
	int32_t			 epoch;	/* that the next request must have */
};

struct fetch_sessions {
	struct list	 slots;
	struct fetch_slot *plain;	/* the one without session, or NULL */
	uint32_t	 count;		/* with a session */
	uint32_t	*total;		/* the worker's count of all */
	uint32_t	 max;		/* of that count */
};

/* What a request is about. */
struct fetch_choice {
	struct fetch_slot *slot;
	int32_t		 session_id;	/* to answer */
	bool		 full;		/* the reply has every partition */
};

void	 fetch_sessions_init(struct fetch_sessions *s, uint32_t *total);
void	 fetch_sessions_fini(struct fetch_sessions *s);
/* Finds or makes the slot and brings its table up to date. Returns 0 or the
 * error to answer at the top. A session left without partitions is closed, and
 * the slot is the plain one, empty. */
int16_t	 fetch_sessions_choose(struct fetch_sessions *s,
	    const struct fetch_request *r, int version,
	    struct fetch_choice *to);

#endif
