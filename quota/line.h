/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where requests wait until their account's buckets are out of debt, in a fair
 * order: whose principal was given least comes next, over all workers; those of
 * one principal in the order in which they came. What groups need (heartbeats,
 * joins) goes before the rest, so it waits for a limit of requests only when
 * there is more of it alone.
 *
 * Each worker has a line for each account and lane, and tells the others how
 * far its first one is by an atomic number; who sees that another worker's is
 * behind lets it go first, for a moment (LINE_YIELD_MS at most).
 *
 * Ownership: lines are the worker's, made when they are needed; entries the
 * caller's, who leaves before they go.
 * Thread: the worker's, except the account's atomic numbers.
 */
#ifndef WEIR_QUOTA_LINE_H
#define WEIR_QUOTA_LINE_H

#include "gateway/base/list.h"
#include "gateway/net/loop.h"
#include "quota/quota.h"

enum {
	LINE_POLL_MS = 25,	/* it is looked at so often at least */
	LINE_YIELD_MS = 20,
};

struct line_party;

struct line_entry {
	struct list		 link;		/* the party's; urgent first */
	struct line_party	*party;		/* NULL: it does not wait */
	struct quota_line	*line;
	int64_t			 late_us;	/* then it is called anyhow */
	bool			 urgent;
	/* By `wait`: it waits for what is its own, not the tenant's. Nobody
	 * waits behind it. */
	bool			 own;
	bool			 counted;	/* as one who waits for the
						 * tenant's */
	int64_t			 rest_us;	/* own: not asked before */
	/* How long its buckets will be in debt; 0: they are not. */
	int64_t		       (*wait)(struct line_entry *e, int64_t now_us);
	/* It has left the line: its turn, or it is late. It may do anything. */
	void		       (*turn)(struct line_entry *e, bool late);
};

/* Lines of one worker. */
struct lines {
	struct list		 all;		/* struct quota_line */
	struct loop		*loop;
	int			 worker;	/* 0 .. quota_workers - 1 */
};

void	 lines_init(struct lines *l, struct loop *loop, int worker);
/* Their entries must have left. */
void	 lines_fini(struct lines *l);
/* How many of that account wait for what is the tenant's or the node's, at all
 * workers: who comes now must wait behind them. */
int32_t	 line_waiting(const struct quota_who *w, enum quota_lane lane);
/* Joins. wait, turn and late_us are set. turn() never comes from inside. */
void	 line_join(struct lines *l, const struct quota_who *w,
	    enum quota_lane lane, struct line_entry *e);
/* Leaves without its turn; nothing when it does not wait. */
void	 line_leave(struct line_entry *e);
/* Who is let through was given `tokens`, in line or not: its later ones come
 * behind others' accordingly. */
void	 line_given(const struct quota_who *w, enum quota_lane lane,
	    int64_t tokens);

#endif
