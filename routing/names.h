/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a tenant's names stand on the cluster: topics, groups and transactional
 * ids, inward (as its clients say them) to physical, and outward.
 *
 *	prefixed	"orders" is "ID.orders" on the cluster
 *	shared		names are as they are, except those of prefixed tenants
 *
 * With a prefix, adopted names go first: a rule shows chosen existing names
 * under chosen ones, and hides what else would have these. A name that is not
 * the tenant's has no outward form: it is to look as if it did not exist.
 *
 * Kafka refuses some names whoever asks ("", "." and ".." as topics); they stay
 * as they are both ways, so that brokers' refusal is the client's.
 *
 * Ownership: immutable once built; what comes out lives in the arena given, in
 * the input, or as long as the names. Thread: any.
 * Bounds: O(length of the name), and of the adopt rules with a star
 * (NAMES_PATTERNS_MAX) each.
 */
#ifndef WEIR_ROUTING_NAMES_H
#define WEIR_ROUTING_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/base/slice.h"

enum name_kind { NAME_TOPIC, NAME_GROUP, NAME_TXN, NAME_KINDS };

enum {
	NAMES_PATTERNS_MAX = 64,	/* adopt rules with a star, of a kind */
	NAMES_ADOPTED_MAX = 10000,	/* of a kind */
	NAMES_TOPIC_MAX = 249,		/* bytes of a topic's name in Kafka */
	NAMES_LONG = 32767,		/* a Kafka string's most */
};

struct names;

/* The prefixes of prefixed tenants: one table for all shared ones. Counted
 * (atomically); complete before it is used. */
struct prefixes;
struct prefixes	*prefixes_new(void);
void		 prefixes_add(struct prefixes *p, const char *prefix);
/* NULL is allowed. */
void		 prefixes_unref(struct prefixes *p);

/* One of the tenant's own prefix, or shared when prefix is NULL. Copied. */
struct names	*names_new(const char *prefix);
void		 names_free(struct names *n);
/* Shows the physical name (or, when both end in a star, each that begins so)
 * as `as`. False and why: twice, too many, or one has a star and the other not;
 * names that are the tenant's anyway, that all its names would be, that no
 * topic can have, or of brokers' own topics; a shared namespace. */
bool		 names_adopt(struct names *n, enum name_kind kind,
		    const char *physical, const char *as, struct error *err);
/* Whether what `before` adopts has the same names in `now`, whatever was
 * added. */
bool		 names_keep(const struct names *now,
		    const struct names *before);
/* Whether a topic can have that name. */
bool		 names_topic_valid(struct slice name);
/* Names that begin with one of these are another tenant's, unless it is one's
 * own prefix: a shared one is not to have them. Takes a reference; once at
 * most. */
void		 names_except(struct names *n, struct prefixes *others);

/* NULL: a session without a tenant, whose names are the cluster's. */

/* The physical name; null stays null. False: the arena's cap is reached, or the
 * name is longer than a Kafka string. */
bool		 names_inward(const struct names *n, enum name_kind kind,
		    struct slice name, struct slice *physical,
		    struct arena *a);
/* The name as the tenant says it; false: it is not the tenant's. */
bool		 names_outward(const struct names *n, enum name_kind kind,
		    struct slice physical, struct slice *name,
		    struct arena *a);
/* Whether a new topic of that physical name may be refused by brokers because
 * of what another prefixed tenant has: to Kafka '.' and '_' are the same. So it
 * would tell what that one has. */
bool		 names_near_others(const struct names *n,
		    struct slice physical);
/* names_outward without the name. */
bool		 names_owns(const struct names *n, enum name_kind kind,
		    struct slice physical);
/* "ID." or null when it is shared. */
struct slice	 names_prefix(const struct names *n);
/* Calls cb with what the tenant's names of that kind begin with, or, when
 * `whole`, are: each of its names is under exactly one of them, and one that
 * names_owns says no to may be too. Begins with "" for a shared namespace. */
void		 names_ranges(const struct names *n, enum name_kind kind,
		    void (*cb)(void *arg, struct slice physical, bool whole),
		    void *arg);

/* Why brokers cannot hold an expression against just the tenant's topics, as a
 * sentence for who asked it; NULL: they can. */
const char	*names_regex_refused(const struct names *n);
/* The regular expression (RE2 syntax, matched against whole names: KIP-848)
 * over physical names that fits what `regex` fits over the tenant's own ones.
 * False: it is not a valid expression by itself. Adopted names it does not
 * fit. */
bool		 names_regex_inward(const struct names *n, struct slice regex,
		    struct arena *a, struct slice *to);
/* What it was made of; false: it was not made by names_regex_inward. */
bool		 names_regex_outward(const struct names *n, struct slice regex,
		    struct arena *a, struct slice *to);

#endif
