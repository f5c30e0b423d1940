/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a census: asks brokers for what it wants, and for nothing else. Which
 * topics are compacted is asked of those that are new, that are doubted, and of
 * CENSUS_TURN others in turn, since another node or an operator may have
 * changed them.
 *
 * Ownership: frees itself when it has asked. Thread: the pool's.
 * Bounds: those of adopt_gather.h and ask.h; CENSUS_BATCH topics a question;
 * 10 bytes a partition of the cluster meanwhile.
 */
#ifndef WEIR_CENSUS_GATHER_H
#define WEIR_CENSUS_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"

struct census;
struct cluster;
struct htab;
struct pool;

enum { CENSUS_BATCH = 500, CENSUS_TURN = 500 };

/* What may fail by itself. */
enum census_part {
	CENSUS_GROUPS, CENSUS_TXNS, CENSUS_TOPICS, CENSUS_BYTES, CENSUS_PARTS
};

struct census_job {
	struct pool		*pool;
	struct cluster		*cluster;	/* that the pool has */
	struct census		*to;
	const struct census	*before;	/* or NULL */
	struct htab		*doubted;	/* topics' names; taken */
	bool			 doubt_all;
	uint32_t		*turn;		/* the caller keeps it */
};

/* Exactly once, perhaps from inside: the census is complete, but for the parts
 * whose fault has a text. */
typedef void census_gathered_cb(void *arg,
    const struct error faults[CENSUS_PARTS]);

/* What the job points to must live until then. */
void	 census_gather(const struct census_job *job, census_gathered_cb *done,
	    void *arg);

#endif
