/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an account has on the cluster that only brokers can count: its groups
 * and transactional ids, by name. They are asked now and then
 * (gateway/census.h); what is made through this node in between counts at once,
 * so that no burst goes beyond a limit.
 *
 *	stock	what brokers said last; immutable once it is handed out
 *	made	what was let through since and they did not say yet
 *
 * What was made is forgotten when a newer stock has it, or should have it and
 * has not (STOCK_GRACE_MS). Of a kind that brokers could not be asked for, a
 * stock is not sure: names that are new to it count, and are let through.
 *
 * Names are kept as hashes (htab_hash, whose key nobody knows): 8 bytes each.
 *
 * Ownership: a stock is counted (atomically); the account has a reference.
 * Thread: any; quota_stock_set: control. A lock of the account's own is taken,
 * so look into the stock at hand first.
 * Bounds: STOCK_MADE_MAX names made of a kind and account; further ones count
 * each time they come, until the next census.
 */
#ifndef WEIR_QUOTA_STOCK_H
#define WEIR_QUOTA_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/quota.h"

enum {
	STOCK_MADE_MAX = 10000,
	STOCK_GRACE_MS = 5000,	/* until brokers show what was made */
};

enum quota_dimension quota_named_dimension(enum quota_named kind);

struct quota_stock *quota_stock_new(void);
/* NULL is allowed in both. */
struct quota_stock *quota_stock_ref(struct quota_stock *s);
void		 quota_stock_unref(struct quota_stock *s);
/* Before anybody else sees it: */
void		 quota_stock_add(struct quota_stock *s, enum quota_named kind,
		    struct slice name);
/* All that another one has of the kind; it is not sure by that. */
void		 quota_stock_copy(struct quota_stock *s, enum quota_named kind,
		    const struct quota_stock *from);
/* It has all of the kind that there were when brokers were asked (0: it is not
 * known whether), and nothing is added any more. */
void		 quota_stock_seal(struct quota_stock *s, enum quota_named kind,
		    int64_t asked_us);
/* NULL has nothing. */
bool		 quota_stock_has(const struct quota_stock *s,
		    enum quota_named kind, struct slice name);
uint32_t	 quota_stock_count(const struct quota_stock *s,
		    enum quota_named kind);

/* The account's newest; NULL: nobody counts any more. Shown counts follow. True
 * when something that was made is not in it yet. */
bool		 quota_stock_set(struct quota_account *a,
		    struct quota_stock *s);

enum quota_making {
	QUOTA_THERE,	/* it exists, or was made before */
	QUOTA_MADE,	/* it counts from now on */
	QUOTA_UNSURE,	/* as QUOTA_MADE, but nobody knows whether there is
			 * room */
	QUOTA_STALE,	/* what is known is too old to say */
	QUOTA_OVER,	/* there is no room */
};

/* Who wants to make something: when it came, and whether it has waited for what
 * brokers say then; `tired` when it waits no more. */
struct quota_since {
	int64_t	 came_us;
	bool	 waited, tired;
};

/* Somebody makes something of that name, or uses it. STALE: it is to ask again
 * when brokers have said more, unless it is tired. Either there is no room, and
 * what is known is from before it came, so it may have been made elsewhere
 * since, or there may be room again; or this node has made its part of what was
 * left for the fleet. *why is set for OVER. */
enum quota_making quota_make(const struct quota_who *w, enum quota_named kind,
		    struct slice name, struct quota_since since,
		    int64_t now_us, struct quota_reason *why);
/* It is gone. */
void		 quota_unmake(const struct quota_who *w, enum quota_named kind,
		    struct slice name);

#endif
