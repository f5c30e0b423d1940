/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of what is read. A Fetch is held as a long poll while its tenant may
 * be sent nothing, and its answer leaves in a fair order; what landed for it
 * meanwhile stays for the next one. A partition over its own limit rests: it is
 * not asked for, and slows nobody else.
 *
 * A ShareFetch waits for its turn before brokers are asked: what they acquired
 * for it must be delivered.
 *
 * Thread: worker.
 */
#ifndef WEIR_THROTTLE_FETCH_H
#define WEIR_THROTTLE_FETCH_H

#include <stdbool.h>
#include <stdint.h>

struct fetch_table;
struct fetch_topic;
struct request;
struct session;
struct throttle_turn;
struct uuid;

/* False: it asks for more bytes than a Fetch may. */
bool	 throttle_fetch_size(struct request *r, int32_t max_bytes);
/* How many bytes it may have at most, so that one answer is no burst. */
int32_t	 throttle_fetch_most(const struct request *r, int32_t max_bytes);
/* How long nothing may be sent to its tenant; 0: something may. */
int64_t	 throttle_fetch_dry_us(struct request *r);
/* Records may leave now, and nobody waits before it. */
bool	 throttle_fetch_may(const struct request *r);
/* Its answer is built: charges it, and says how long the client is to wait.
 * rests: it wants nothing but partitions that rest. */
void	 throttle_fetched(struct request *r, bool rests);
/* So many bytes of a partition are in the answer; how long it is to rest. */
int64_t	 throttle_part_read(struct request *r, struct fetch_topic *t,
	    int32_t partition, uint32_t bytes);
/* The same of a ShareFetch, by the topic's id. */
void	 throttle_share_read(struct request *r, const struct uuid *topic,
	    int32_t partition, uint32_t bytes);
/* Whether a partition is over its limit; a ShareFetch leaves it out then. */
bool	 throttle_share_rests(struct request *r, const struct uuid *topic,
	    int32_t partition);
/* Lets partitions rest that are over their limits because of others. */
void	 throttle_rest(struct request *r, struct fetch_table *t);

/* A connection's place in line. Ownership: the caller's. */
struct throttle_turn *throttle_turn_new(struct session *s,
	    void (*turn)(void *arg), void *arg);
void	 throttle_turn_free(struct throttle_turn *t);
/* turn(arg) comes once: at its turn or at that time. Nothing when it is in line
 * already. */
void	 throttle_turn_join(struct throttle_turn *t, int64_t late_us);
void	 throttle_turn_leave(struct throttle_turn *t);
/* It was late, not its turn. */
bool	 throttle_turn_late(const struct throttle_turn *t);

#endif
