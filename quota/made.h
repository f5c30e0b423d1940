/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics that were made, enlarged, or made compacted through this node and that
 * its picture of the cluster does not show yet: they count at once, so that no
 * burst goes beyond a limit of partitions.
 *
 * What is forgotten: what the picture shows, and what it has not shown for
 * MADE_KEPT_MS.
 *
 * Thread: any; takes a lock of the account's own. For requests that change
 * topics, which are few.
 * Bounds: MADE_TOPICS_MAX of an account; further ones count while they are
 * judged only.
 */
#ifndef WEIR_QUOTA_MADE_H
#define WEIR_QUOTA_MADE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/quota.h"

enum {
	MADE_TOPICS_MAX = 10000,
	MADE_KEPT_MS = 60000,
	MADE_LOOK_MS = 10,	/* between looks at all of them */
};

enum made_class { MADE_UNKNOWN = -1, MADE_PLAIN, MADE_COMPACTED };

/* What of a topic is on its way; partitions 0: nothing. */
struct made_state {
	int32_t		 partitions;
	int32_t		 more;			/* of them, than are seen */
	enum made_class	 class;
};

/* One that is to be, as its maker sees the cluster. */
struct made_topic {
	struct slice	 name;
	int32_t		 partitions;		/* that it will have */
	enum made_class	 class;			/* PLAIN or COMPACTED */
	int64_t		 there[2];		/* partitions of all, by class;
						 * where the class is unknown,
						 * by quota_made_class */
	/* How many partitions a topic has (0: there is none), and what it
	 * is. */
	int32_t	       (*seen)(void *arg, struct slice name,
			    enum made_class *class);
	void		*arg;
	/* Out: it changed what is on its way, and from what to what. */
	bool		 noted;
	struct made_state was, is;
};

/* It counts from now on, with no fewer partitions than are on their way
 * already; false: there is no room, and why. Shown counts follow. */
bool		 quota_made(const struct quota_who *w,
		    struct made_topic *t, int64_t now_us,
		    struct quota_reason *why);
/* It came to nothing: what was on its way before (was) is so again, unless
 * somebody has changed it since (is). */
void		 quota_made_back(const struct quota_who *w, struct slice name,
		    const struct made_state *was, const struct made_state *is);
/* It was deleted. */
void		 quota_unmade(const struct quota_who *w, struct slice name);
/* What it was made as, and with how many partitions (NULL is allowed); PLAIN
 * and 0 when nothing is known of it here. */
enum made_class	 quota_made_class(const struct quota_who *w,
		    struct slice name, int32_t *partitions);

#endif
