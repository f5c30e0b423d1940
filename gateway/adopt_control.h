/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /adopt: has the names gathered, plans, and writes the tenant's file
 * when it is asked to.
 *
 * Ownership: the gateway's; made at the first question. Thread: control.
 * Bounds: one question at a time; further ones are refused.
 */
#ifndef WEIR_ADOPT_CONTROL_H
#define WEIR_ADOPT_CONTROL_H

#include <stdbool.h>

#include "gateway/base/error.h"

struct adopt_query;
struct gateway;
struct json_t;

/* Exactly once, perhaps from inside. answer: what adopt_plan says and "path";
 * after writing also "written" and, when the tenants could not be loaded then,
 * "faults". It is the callee's. NULL: why says why not. */
typedef void adopt_done_cb(void *arg, struct json_t *answer,
    const struct error *why);

/* The query is copied. write: puts the file in its place and loads the
 * tenants. */
void	 adopt_ask(struct gateway *g, const struct adopt_query *q, bool write,
	    adopt_done_cb *done, void *arg);
/* What is asked is answered: weir ends. */
void	 adopt_control_free(struct gateway *g);

#endif
