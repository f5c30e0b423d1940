/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of tenants.h share. */
#ifndef WEIR_TENANTS_PRIVATE_H
#define WEIR_TENANTS_PRIVATE_H

#include "gateway/tenants.h"

struct config_tenant_member;
struct htab;

/* A member rule of a tenant. */
struct tenant_rule {
	const struct config_tenant_member *when;
	struct tenant		*tenant;	/* borrowed of the tenants */
	struct tenant_rule	*next;		/* of the same place */
};

struct tenants {
	atomic_int		 refs;
	struct tenant		**v;		/* by their prefixes, "ID." */
	uint32_t		 n;
	struct htab		*by_id;
	/* Each rule is in one place: under a member that it wants exactly, so
	 * that a client is held against few of them; or with the others. */
	struct tenant_rule	*rules;
	uint32_t		 rule_count;
	struct htab		*places;	/* -> struct tenant_rule */
	struct tenant_rule	*others;
};

/* One reference, and a number of its own. */
void	 tenant_init(struct tenant *t);
/* Adds a fault for each of its adopt rules that takes in another's names. */
void	 tenants_check_rules(const struct tenants *all, const struct tenant *t,
	    struct error_list *errs);
/* Builds rules, places and others. */
void	 tenants_index(struct tenants *t);

#endif
