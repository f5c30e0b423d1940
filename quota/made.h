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
	bool		 noted;			/* out: it was not before */
};

/* It counts from now on; false: there is no room, and why. Shown counts
 * follow. */
bool		 quota_made(const struct quota_who *w,
		    struct made_topic *t, int64_t now_us,
		    struct quota_reason *why);
/* It came to nothing, or was deleted. */
void		 quota_unmade(const struct quota_who *w, struct slice name);
/* What it was made as, and with how many partitions (NULL is allowed); PLAIN
 * and 0 when nothing is known of it here. */
enum made_class	 quota_made_class(const struct quota_who *w,
		    struct slice name, int32_t *partitions);

#endif
