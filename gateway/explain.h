/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this principal do this there, and which statement says so: what `weirctl
 * explain-access` asks, of a running weir or of a configuration file.
 * Thread: any (the snapshot is immutable).
 */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H

#include <stdint.h>

#include "gateway/base/error.h"

struct auth;
struct json_t;
struct tenants;

enum { EXPLAIN_CONTEXT_MAX = 64 };

struct explain_query {
	const char	*principal;	/* user/alice, role/app, an ARN ... */
	const char	*action;	/* kafka-cluster:WriteData, WriteData */
	const char	*resource;	/* topic/orders, cluster, an ARN; with
					 * tenants as the tenant says it */
	const char	*tenant;	/* its id; NULL: the principal's */
	const char	*context[EXPLAIN_CONTEXT_MAX];	/* key=value */
	uint32_t	 context_count;
};

/* {"allowed", "decision", "by": {...}, "text"}; NULL: the question is not
 * understood. t: NULL without tenants. */
struct json_t	*explain_access(struct auth *a, const struct tenants *t,
		    const struct explain_query *q, struct error *err);

#endif
