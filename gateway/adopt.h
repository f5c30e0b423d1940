/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving in: what a tenant would see when it adopts the names on the cluster
 * that fit a pattern, what stands in the way of each, and its file with them.
 * What stands in the way stays out of the file.
 *
 *	adopt.c			the plan, from names that are known
 *	adopt_gather.c		the names, from brokers
 *	adopt_control.c		the page /adopt: both, and writing the file
 *
 * Ownership: nothing is kept. Thread: any.
 * Bounds: ADOPT_ROWS_MAX names of a kind that fit; each is held against the
 * tenants which adopt any, so a plan costs their product at most.
 */
#ifndef WEIR_ADOPT_H
#define WEIR_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"
#include "routing/names.h"

struct config;
struct json_t;
struct tenants;

enum { ADOPT_ROWS_MAX = 10000, ADOPT_PATTERN_MAX = 1024 };

struct adopt_query {
	const char	*tenant;	/* its id; it need not have a file */
	/* Globs, * is any text; NULL: names of that kind are not adopted. */
	const char	*pattern[NAME_KINDS];
	/* What the tenant calls them: with a star where each pattern has its
	 * one. NULL: as they are. */
	const char	*as;
};

struct adopt_name {
	struct slice	 name;
	bool		 internal;	/* a topic of the brokers' own */
};

/* All of a kind on the cluster, in the order of their bytes. */
struct adopt_names {
	struct adopt_name *v;
	uint32_t	 n;
};

/* Whether the query makes sense; false and why. */
bool		 adopt_query_check(const struct adopt_query *q,
		    struct error *err) MUST_CHECK;
/* {"tenant", "namespace", "new", "changed", "rows": [{"kind", "name", "as",
 * "state", "why"}], "notes": [...], "file"}. The state is adopt, seen (it is
 * the tenant's already) or blocked. text: what its file has; NULL: it has none.
 * all: those in force, or NULL. NULL and why: the file has faults, or too many
 * names fit. */
struct json_t	*adopt_plan(const struct config *c, const struct tenants *all,
		    const struct adopt_query *q,
		    const struct adopt_names names[NAME_KINDS],
		    const char *text, struct error *err);

#endif
