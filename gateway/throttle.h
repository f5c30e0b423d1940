/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits at the edge of a session: whether a request may go on now, must wait
 * in line, or is refused; how long its client is told to wait, and is not read
 * meanwhile (KIP-219); and whether the connection may be there at all.
 *
 *	throttle_enter	the session is open: it is counted, or will be closed
 *	throttle_admit	before a handler runs
 *	throttle_answer	before a reply is encoded: throttle_time_ms, the mute
 *	throttle_sent	after it was encoded: what leaves is charged
 *
 * By limits of bytes only Produce, Fetch and what reads the cluster's state are
 * held up; heartbeats, joins, commits and Metadata are charged, and pass.
 * Metadata and the like, and what groups say but for their members' heartbeats,
 * joins and leaves, wait when either is more than a limit by itself.
 * A Fetch without budget is held as a long poll (api_fetch.c), and its
 * connection is read on.
 *
 * Ownership: the session's, freed in throttle_leave. Thread: worker.
 * Bounds: one request of a session waits; nothing is read behind it.
 */
#ifndef WEIR_THROTTLE_H
#define WEIR_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/line.h"

struct request;
struct session;
struct worker;

/* The session is open (or its tenant another one): takes its place under the
 * limits. One that is over a limit of connections is closed after a moment. */
void	 throttle_enter(struct session *s);
/* Its tenant's or the configuration's limits may be others. */
void	 throttle_again(struct session *s);
/* Its client id is another one. */
void	 throttle_renamed(struct session *s);
void	 throttle_leave(struct session *s);

/* Charges it without asking. */
void	 throttle_charge(struct request *r);
/* False: it waits, and session_run comes later, or it was answered. */
bool	 throttle_admit(struct request *r);
void	 throttle_answer(struct request *r, int version, void *response);
void	 throttle_sent(struct request *r, int64_t bytes);
/* It had no reply (acks=0): its connection is not read for a while. */
void	 throttle_silent(struct request *r);

/* How long it is told to wait without a mute, and why. */
void	 throttle_tell(struct request *r, int64_t us,
	    const struct quota_reason *why);
/* 0, or the error for a batch of records that is too large. */
int16_t	 throttle_batch(struct request *r, uint32_t bytes);
/* Its client is to wait so long at least, and why: that is noted now, for what
 * it was noted at may be gone when the request is answered. */
void	 throttle_because(struct request *r, int64_t us,
	    const struct quota_reason *why);
/* Why it, or an item of it, is refused. */
void	 throttle_refused(struct request *r, const struct quota_reason *why);
/* After that, where the reply has no room for a sentence: it stands in the
 * log, with the name of what (such as "topic") it is about. */
void	 throttle_log(const struct request *r, const char *what,
	    struct slice name);
/* Versions that can be told THROTTLING_QUOTA_EXCEEDED (KIP-599). */
bool	 throttle_version_knows(int16_t api_key, int version);
/* The sentence for the client; "" when nothing was refused. */
struct slice throttle_text(struct request *r);
const struct quota_who *throttle_who(const struct session *s);

/* The worker's part: its lines, and what it knows of partitions' limits. */
struct throttle_parts;
struct throttling;
struct throttling *throttling_new(struct worker *w);
void	 throttling_free(struct throttling *t);
struct lines	*throttling_lines(struct throttling *t);
struct throttle_parts *throttling_parts(struct throttling *t);
/* Limits changed. */
void	 throttling_forget(struct throttling *t);

#endif
