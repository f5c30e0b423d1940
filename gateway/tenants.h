/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: teams, each with a virtual cluster of its own on the one cluster.
 * They are files in a folder (tenants_dir, ID.json), read whole together with
 * the configuration; a session gets its tenant when it logs in (or at its
 * begin, where the listener has no login) and keeps it.
 *
 * Where there is no tenants_dir there are no tenants, and a session sees the
 * cluster as it is. Where there is one, a client that is no tenant's member is
 * refused.
 *
 * Ownership: both structs are counted (atomically) and immutable.
 * Thread: any that holds a reference.
 * Bounds: TENANTS_MAX tenants, the option rows' bounds in each.
 */
#ifndef WEIR_TENANTS_H
#define WEIR_TENANTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/policy.h"
#include "gateway/base/slice.h"

struct config_tenant;
struct names;

enum {
	TENANTS_MAX = 10000,
	TENANT_ID_MAX = 64,		/* [a-z0-9-], not empty */
};

struct tenant {
	atomic_int		 refs;
	const char		*id;
	const struct config_tenant *config;	/* what its file says */
	const struct names	*names;		/* how its names stand on the
						 * cluster (routing/names.h) */
	/* The virtual cluster that its policies are about, and that its
	 * clients see the id of. */
	struct policy_cluster	 cluster;
	const char		*arn;		/* of that cluster */
};

struct tenant	*tenant_ref(struct tenant *t);
/* NULL is allowed. */
void		 tenant_unref(struct tenant *t);
/* Whether it has been suspended; *why is the file's sentence. */
bool		 tenant_suspended(const struct tenant *t, const char **why);

#endif
