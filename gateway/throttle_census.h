/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of what only brokers can count (census.h): groups, transactional ids,
 * and how large topics are.
 * What exists always goes on; what would be new is refused when there is no
 * room for it. Before that a census is awaited that began after the request
 * came: it may have been made through another node, or there may be room again.
 * One is awaited too, perhaps several times, when a node of a fleet has made
 * its part of what was left.
 * What nobody can know passes, and is counted.
 *
 * Thread: worker.
 * Bounds: a request waits CENSUS_WAIT_MS at most.
 */
#ifndef WEIR_THROTTLE_CENSUS_H
#define WEIR_THROTTLE_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/quota.h"

struct request;
struct shape_item;

/* A request that makes something of that (physical) name, unless it exists.
 * False: it was answered with `error` and the reason, or waits, and resume(r)
 * comes: ask again then. */
bool	 throttle_make(struct request *r, enum quota_named kind,
	    struct slice name, int16_t error,
	    void (*resume)(struct request *r));
/* It was deleted. */
void	 throttle_unmake(struct request *r, enum quota_named kind,
	    struct slice name);

/* 0, or the error for what that item of a Produce is to write. Sizes are those
 * of the last census. */
int16_t	 throttle_room(struct request *r, const struct shape_item *item);

#endif
