/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which topics are compacted: what brokers said of their cleanup.policy, by the
 * topics' ids, so that it holds for them and not for later ones of the same
 * name.
 *
 * Ownership: counted (atomically), immutable once sealed. Thread: any then.
 * Bounds: 16 bytes a topic.
 */
#ifndef WEIR_CENSUS_POLICIES_H
#define WEIR_CENSUS_POLICIES_H

#include <stdbool.h>

#include "gateway/base/slice.h"
#include "quota/made.h"

struct policies;
struct topic;

struct policies	*policies_new(void);
/* NULL is allowed in both. */
struct policies	*policies_ref(struct policies *p);
void		 policies_unref(struct policies *p);
void		 policies_add(struct policies *p, const struct topic *t,
		    bool compacted);
void		 policies_seal(struct policies *p);
/* NULL knows nothing. */
enum made_class	 policies_class(const struct policies *p,
		    const struct topic *t);
/* Whether a cleanup.policy ("compact,delete") compacts. */
bool		 policies_compacts(struct slice value);

#endif
