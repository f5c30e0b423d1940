/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which broker coordinates a group or a transactional id: what a worker has
 * learnt by FindCoordinator, until a broker's error says that it moved.
 *
 * Ownership: the worker's. Thread: worker.
 * Bounds: COORDINATORS_MAX ids a kind; when full all are forgotten.
 */
#ifndef WEIR_COORDINATORS_H
#define WEIR_COORDINATORS_H

#include <stdint.h>

#include "gateway/base/slice.h"

struct coordinators;
struct worker;

enum { COORDINATORS_MAX = 100000 };
enum coordinator_kind { COORDINATOR_GROUP, COORDINATOR_TXN };

struct coordinator_query {
	struct slice	 key;
	int32_t		 broker;	/* -1: see error */
	int16_t		 error;
};

struct coordinators	*coordinators_new(struct worker *w);
void	 coordinators_free(struct coordinators *c);
/* Fills in the queries, asking a broker for those that are not known; done(arg)
 * follows, perhaps from inside. The queries stay where they are until then. */
void	 coordinators_find(struct coordinators *c, enum coordinator_kind kind,
	    struct coordinator_query *q, int32_t n, void (*done)(void *arg),
	    void *arg);
void	 coordinators_forget(struct coordinators *c,
	    enum coordinator_kind kind, struct slice key);

#endif
