/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: teams, each with a virtual cluster of its own on the one cluster.
 * They are files in a folder (tenants_dir, ID.json), read whole together with
 * the configuration, and again when the folder has changed; a session gets its
 * tenant when it logs in (or at its begin, where the listener has no login).
 *
 * Where there is no tenants_dir there are no tenants, and a session sees the
 * cluster as it is. Where there is one, a client that is no tenant's member is
 * refused, and so is one who is a member of two.
 *
 *	tenants.c		reading them
 *	tenants_adopted.c	what they adopt, against what others have
 *	tenants_find.c		whose a client is
 *	tenants_control.c	the control thread's hold of them
 *	tenants_file.c		suspending one by its file
 *	tenants_overlay.c	suspensions, while files have faults
 *
 * Ownership: both structs are counted (atomically) and immutable. A reload
 * gives live sessions another struct tenant, while requests are under way:
 * these have copies of what they need of it.
 * Thread: any that holds a reference.
 * Bounds: TENANTS_MAX tenants, TENANT_FILE_MAX bytes of a file, the option
 * rows' bounds in each.
 */
#ifndef WEIR_TENANTS_H
#define WEIR_TENANTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/policy.h"
#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct config;
struct config_tenant;
struct conn_peer;
struct limits;
struct names;
struct principal;

enum {
	TENANTS_MAX = 10000,
	TENANT_ID_MAX = 64,		/* [a-z0-9-], not empty */
	TENANT_FILE_MAX = 4 * 1024 * 1024,
	TENANT_NETWORKS_MAX = 5,	/* MSK Serverless' "client VPCs" */
	TENANT_POLICIES_MAX = 64,	/* as in its option row */
};

struct tenant {
	atomic_int		 refs;
	uint64_t		 serial;	/* its own, from 1 */
	/* What tenant_moved has found last: the other's serial twice, and one
	 * more when it has moved. */
	atomic_uint_fast64_t	 compared;
	const char		*id;
	const struct config_tenant *config;	/* what its file says */
	const struct names	*names;		/* how its names stand on the
						 * cluster (routing/names.h) */
	/* The virtual cluster that its policies are about, and that its
	 * clients see the id of. */
	struct policy_cluster	 cluster;
	const char		*arn;		/* of that cluster */
	struct policy		**policies;	/* for every member */
	uint32_t		 policy_count;
	/* Its own limits, then its profile's (quota/limits.h). */
	struct limits		*limits;
	/* While a file has a fault: the tenant that all this is borrowed of,
	 * which is held, and what its file says of its suspension by now. */
	struct tenant		*base;		/* NULL: it is its own */
	char			*suspended;	/* with a base; or NULL */
};

struct tenant	*tenant_ref(struct tenant *t);
/* NULL is allowed. */
void		 tenant_unref(struct tenant *t);
/* Whether it has been suspended; *why is the file's sentence. */
bool		 tenant_suspended(const struct tenant *t, const char **why);
/* Whether names on the cluster are others, so that a session cannot go on. What
 * is adopted besides is no reason. */
bool		 tenant_moved(const struct tenant *old, struct tenant *new);
/* [a-z0-9-], not empty, no - at its begin, at most TENANT_ID_MAX. */
bool		 tenant_id_valid(struct slice id);

/* ---- all of them ---- */

struct tenants;

/* Reads the folder; *to is NULL when there is no tenants_dir. False: all faults
 * of all files, each behind its file's name. */
bool		 tenants_load(const struct config *c, struct tenants **to,
		    struct error_list *errs);
/* Those that are in force, suspended or not as their files in the folder say
 * now, whatever else these say and whatever faults are in them or in others:
 * where tenants cannot be loaded, a suspension holds all the same. A file that
 * is no JSON, or is gone, says nothing. NULL: nothing new is said. */
struct tenants	*tenants_overlay(struct tenants *was, const char *folder);
/* The one tenant of a file's text, whose id is valid; NULL and its faults.
 * (Tests, fuzzing.) */
struct tenants	*tenants_parse(const struct config *c, const char *id,
		    const char *text, size_t len, struct error_list *errs);
/* NULL is allowed in both. */
struct tenants	*tenants_ref(struct tenants *t);
void		 tenants_unref(struct tenants *t);
uint32_t	 tenants_count(const struct tenants *t);
/* In the order of their prefixes; borrowed. */
const struct tenant *tenants_at(const struct tenants *t, uint32_t i);
/* Borrowed; NULL: there is none. */
struct tenant	*tenants_get(const struct tenants *t, struct slice id);

/* The prefixed tenant other than `but` behind whose prefix the rule of adopt
 * has names, or with a star may have; NULL: there is none. */
const struct tenant *tenants_taken_in(const struct tenants *t, const char *but,
		    const char *rule);
/* Whether a tenant that is not among them, or is another there, may join: what
 * others adopt does not take in its names. */
bool		 tenants_check_new(const struct tenants *t,
		    const struct tenant *joins, struct error *err);

/* ---- whose a client is ---- */

/* What is known of it; NULL: it has none. All is borrowed. */
struct tenant_client {
	const struct principal	*principal;
	const char		*listener;	/* its name */
	const char		*server_name;	/* as it was asked for in TLS */
	const struct conn_peer	*peer;		/* NULL: from anywhere */
	/* Listener and server name are not known: whatever a rule wants of
	 * them fits. */
	bool			 somewhere;
};

enum tenant_verdict {
	TENANT_FOUND,		/* but it may be suspended */
	TENANT_NONE,		/* it is no tenant's member */
	TENANT_AMBIGUOUS,	/* it is two tenants' member */
	TENANT_NETWORK,		/* its tenant does not let it in from there */
};

/* *to is borrowed of t, and NULL unless it was found; *err says why not. t is
 * not NULL. */
enum tenant_verdict tenants_find(const struct tenants *t,
		    const struct tenant_client *c, struct tenant **to,
		    struct error *err);

#endif
