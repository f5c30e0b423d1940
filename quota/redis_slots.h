/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What servers say of each other: a Cluster's map of slots, redirections, a
 * Sentinel's masters. Bytes in, addresses out; all of it is checked, since it
 * says where we connect to.
 * Ownership: the caller's structs. Thread: any.
 */
#ifndef WEIR_QUOTA_REDIS_SLOTS_H
#define WEIR_QUOTA_REDIS_SLOTS_H

#include "quota/redis.h"

enum { REDIS_SLOTS = 16384 };

/* The slot of a key: of what stands in its first braces, if anything does. */
uint32_t	 redis_slot(struct slice key);

struct redis_slots {
	uint16_t	 owner[REDIS_SLOTS];	/* index of a node and one; 0:
						 * nobody serves it */
	struct redis_address nodes[REDIS_NODES_MAX];	/* masters */
	uint32_t	 n;
};
/* The answer to CLUSTER SLOTS of the server at asked. */
bool	 redis_slots_read(const struct redis_reply *reply,
	    const struct redis_address *asked, struct redis_slots *to,
	    struct error *err) MUST_CHECK;
/* "MOVED 3999 10.0.0.1:6381" or "ASK ..." of the server at asked. */
bool	 redis_redirect_read(struct slice text,
	    const struct redis_address *asked, uint32_t *slot,
	    struct redis_address *to) MUST_CHECK;
/* The answer to SENTINEL GET-MASTER-ADDR-BY-NAME. */
bool	 redis_master_read(const struct redis_reply *reply,
	    struct redis_address *to) MUST_CHECK;
/* A message of the channel +switch-master, if it is about that master. */
bool	 redis_switch_read(const struct redis_reply *message, const char *name,
	    struct redis_address *to) MUST_CHECK;

#endif
