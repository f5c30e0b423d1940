/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection: reads requests, keeps their order, holds the caps.
 *
 * Ownership: the worker's list; freed when its connection has closed.
 * Thread: worker.
 * Bounds: in_flight_max requests, then it is not read; frame_max_login before
 * and frame_max after login; out_high of unsent replies.
 */
#ifndef WEIR_SESSION_H
#define WEIR_SESSION_H

#include "gateway/base/list.h"
#include "gateway/request.h"

struct config_listener;
struct fetch_state;
struct client_login;
struct policy_set;
struct produce_state;
struct share_state;
struct tenant;
struct throttle;

enum { SESSION_NAME_MAX = 64, SESSION_CLIENT_ID_MAX = 256 };

/* Where a session stands. */
enum session_state {
	SESSION_LOGIN,		/* only ApiVersions and SASL are served */
	SESSION_OPEN,		/* everything */
	SESSION_CLOSING,	/* what is queued is still sent */
};

struct session {
	struct list		 link;		/* worker->sessions */
	struct worker		*worker;
	struct conn		*conn;
	struct list		 requests;	/* in the order of arrival */
	struct list		 leases;
	uint32_t		 in_flight;
	uint8_t			 state;		/* enum session_state */
	bool			 paused;	/* too many are in flight */
	bool			 muted;		/* by session_mute */
	bool			 in_flush;
	bool			 source_taken;	/* source_close is due */
	bool			 ready;		/* TLS is up, or it is plain */
	uint16_t		 listener;	/* index in the configuration */
	int32_t			 virtual_count;	/* 0: not chosen yet */
	uint64_t		 id;
	int64_t			 opened_us, last_us;
	struct client_login	*login;		/* NULL: a listener without */
	struct throttle		*throttle;	/* NULL: not open yet */
	struct tenant		*tenant;	/* a reference, or NULL: none */
	struct policy_set	*policies;	/* NULL: everything is allowed;
						 * the login's */
	struct fetch_state	*fetch;		/* NULL until the first Fetch */
	struct produce_state	*produce;	/* NULL until one is needed */
	struct share_state	*share;		/* NULL until a ShareFetch */
	char			*client_id;	/* the last seen; malloc'd */
	char			*software;	/* "name version" or NULL */
};

void	 session_open(struct worker *w, int fd, const struct sockaddr *peer,
	    socklen_t len, int listener);
/* A request of its queue has become done: sends what may leave. */
void	 session_flush(struct session *s);
/* More replies wait for the client than limits.out_high: what would make large
 * ones waits until they are gone (fetch_state_drained is called then). */
bool	 session_output_full(const struct session *s);
/* The request may go on: its rights are looked at, then its handler runs. */
void	 session_run(struct request *r);
/* Does not read it, whatever else is so, until it is told otherwise. */
void	 session_mute(struct session *s, bool muted);
/* Nothing of it is under way here: it ends when its client does. */
void	 session_mute_idle(struct session *s);
void	 session_close(struct session *s, enum conn_reason reason,
	    const char *detail);
/* How many virtual brokers this client sees (chosen at first use). */
int32_t	 session_virtual_count(struct session *s);
/* Host and port that virtual broker `id` is shown at. The slice lives in the
 * arena or the configuration. */
void	 session_address(struct session *s, int32_t id, struct arena *a,
	    struct slice *host, int32_t *port);
/* Remembers what ApiVersions said (KIP-511); chooses the virtual count. */
void	 session_named(struct session *s, struct slice name,
	    struct slice version);

/* api_fetch.c, api_share.c, api_produce.c: drop a session's state. */
void	 fetch_state_free(struct session *s);
void	 fetch_state_drained(struct session *s);
void	 share_state_free(struct session *s);
void	 produce_state_free(struct session *s);
/* A Produce is refused as a whole with REQUEST_TIMED_OUT, before its handler
 * ran: what follows its first batches must be as well. */
void	 produce_refused(struct request *r);

#endif
