/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All names on the cluster: topics of the snapshot; groups and transactional
 * ids, where they are asked for, of each broker.
 *
 * Ownership: frees itself when it has said what it found. Thread: the pool's.
 * Bounds: ADOPT_GATHER_MAX bytes of names, those of ask.h for one broker.
 */
#ifndef WEIR_ADOPT_GATHER_H
#define WEIR_ADOPT_GATHER_H

#include "gateway/adopt.h"

struct cluster;
struct pool;

enum { ADOPT_GATHER_MAX = 64 * 1024 * 1024 };

/* Exactly once, perhaps from inside. names are valid during the call; why is
 * NULL unless they could not all be had. */
typedef void adopt_gathered_cb(void *arg,
    const struct adopt_names names[NAME_KINDS], const struct error *why);

/* wanted: of these kinds. c is the one that the pool has. */
void	 adopt_gather(struct pool *p, struct cluster *c,
	    const bool wanted[NAME_KINDS], adopt_gathered_cb *done, void *arg);

#endif
