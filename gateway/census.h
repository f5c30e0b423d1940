/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tenants have on the cluster, as far as only brokers can count it: their
 * groups and transactional ids, which of their topics are compacted, and how
 * large they are. The control thread asks all brokers now and then, while any
 * tenant has such a limit, and hands the result to workers.
 *
 *	census.c		the result: each tenant's, by its names
 *	census_policies.c	which topics are compacted
 *	census_sizes.c		how large partitions are
 *	census_gather.c		asking brokers
 *	census_control.c	when they are asked, and handing it out
 *	throttle_census.c	limits that are held by it
 *
 * Nodes ask by themselves: what others make shows in the next census.
 *
 * Ownership: counted (atomically), immutable once handed out. Holds the tenants
 * whose names it went by. Thread: any.
 * Bounds: what census_gather brings; 8 bytes a name, 16 a topic.
 */
#ifndef WEIR_CENSUS_H
#define WEIR_CENSUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "quota/quota.h"

struct adopt_names;
struct census;
struct census_full;
struct cluster;
struct limits;
struct names;
struct policies;
struct quota_stock;
struct sizes;
struct tenants;
struct topic;

struct census_tenant {
	const char		*id;		/* "": all clients without */
	const struct names	*names;
	struct limits		*limits;	/* borrowed, as the above */
	uint32_t		 wants;		/* bits: limited dimensions */
	struct quota_stock	*stock;
	int64_t			 partitions, compacted;	/* of others, of
							 * compacted topics */
	int64_t			 bytes;		/* of all */
	int64_t			 largest;	/* of compacted topics */
	struct census_full	*full;		/* over the limit; sorted */
	uint32_t		 full_count, full_room;
};

/* Limits of topics' classes, and of their sizes. */
#define CENSUS_CLASSES (1u << QUOTA_DIM_PARTITIONS | \
    1u << QUOTA_DIM_COMPACTED_PARTITIONS | 1u << QUOTA_DIM_COMPACTED_BYTES)
#define CENSUS_SIZES (1u << QUOTA_DIM_COMPACTED_BYTES | \
    1u << QUOTA_DIM_STORAGE)

/* Empty, for those whose limits need it: the tenants, or, where there are none
 * (NULL), all clients together. NULL: nobody's do. */
struct census	*census_new(int64_t asked_us, struct tenants *t,
		    struct limits *all);
/* NULL is allowed in both. */
struct census	*census_ref(struct census *c);
void		 census_unref(struct census *c);
/* When brokers were begun to be asked. */
int64_t		 census_asked_us(const struct census *c);
/* Whether any of its tenants has a limit of that dimension. */
bool		 census_wants(const struct census *c, enum quota_dimension d);
/* All names of the kind on the cluster, in order. */
void		 census_put_names(struct census *c, enum quota_named kind,
		    const struct adopt_names *names);
/* They could not be had: what was known before (NULL: nothing) stays, and is
 * not sure. */
void		 census_keep_names(struct census *c, enum quota_named kind,
		    const struct census *before);
/* Sets marks[i] for each topic of a tenant with one of these limits (bits);
 * false: there is none. */
bool		 census_mark(const struct census *c, const struct cluster *of,
		    uint32_t dimensions, bool *marks);
/* What there is of topics. A topic of unknown class is not compacted. The
 * reference of p is taken; either may be NULL. */
void		 census_put_topics(struct census *c, const struct cluster *of,
		    struct policies *p, const struct sizes *s);
/* Borrowed; NULL: nothing is known, or c is NULL. */
const struct policies *census_policies(const struct census *c);
/* The size of that partition, when it was over the tenant's limit of compacted
 * ones; else 0. */
int64_t		 census_full(const struct census_tenant *t,
		    const struct topic *topic, int32_t partition);
/* NULL: it is not in it, or there is no census (c is NULL). */
const struct census_tenant *census_tenant(const struct census *c,
		    const char *id);
void		 census_each(const struct census *c,
		    void (*cb)(void *arg, const struct census_tenant *t),
		    void *arg);

#endif
