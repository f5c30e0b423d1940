/* SPDX-License-Identifier: Apache-2.0 */
/* What quota.c, charge.c, topic.c and line.c share. */
#ifndef WEIR_QUOTA_QUOTA_PRIVATE_H
#define WEIR_QUOTA_QUOTA_PRIVATE_H

#include <pthread.h>

#include "quota/quota.h"

struct htab;

enum {
	QUOTA_FEW = 16,			/* partitions that are together */
	QUOTA_MANY = QUOTA_PARTITIONS_MAX / QUOTA_FEW,
};

/* What the workers tell each other of their lines, a cache line each. */
struct quota_sign {
	_Alignas(64) _Atomic int64_t least[QUOTA_LANES]; /* tag; INT64_MAX */
	struct quota_line	*lines[QUOTA_LANES];	/* the worker's own */
};

struct quota_account {
	struct quota		*quota;
	char			*name;
	pthread_mutex_t		 lock;		/* of what follows */
	struct limits		*limits;
	struct htab		*holders;	/* principals and client ids */
	struct htab		*topics;
	struct quota_holder	*rest;		/* when there are too many */
	/* Without it: */
	struct quota_holder	*tenant;
	_Atomic bool		 limits_partitions;
	_Atomic int32_t		 waiting[QUOTA_LANES];	/* in any line */
	_Atomic int32_t		 owing[QUOTA_LANES];	/* holders that owe */
	_Atomic int64_t		 turn[QUOTA_LANES];	/* tag admitted last */
	_Atomic uint32_t	 turns[QUOTA_LANES];	/* how many were */
	struct quota_sign	*signs;		/* one a worker */
};

struct quota {
	int			 workers;
	pthread_mutex_t		 lock;
	struct htab		*accounts;
	struct quota_holder	*node;
	struct limits		*node_limits;
};

/* Who looks at rows. */
struct quota_view {
	const struct quota_asked *asked;
	int64_t			 now_us;
	void			(*row)(void *arg, const struct quota_row *r);
	void			(*user)(void *arg, const struct quota_user *u);
	void			*arg;
};
void	 quota_view_holder(const struct quota_view *v, struct quota_holder *h);
/* With the account's lock held. */
void	 quota_view_account(const struct quota_view *v,
	    struct quota_account *a);
/* Tells the log what is new of a limit. Once a second. */
void	 quota_notice(const char *tenant, const struct quota_row *r,
	    int64_t now_us);

/* Has each gauge of it follow the limits. With the account's lock held. */
void	 quota_holder_follow(struct quota_holder *h, const struct limits *l);
void	 quota_topic_follow(struct quota_topic *t, const struct limits *l);
void	 quota_topic_free(struct quota_topic *t);
/* Nobody has it, and it owes nothing. */
bool	 quota_topic_idle(struct quota_topic *t, int64_t now_us);
/* Its part of the partition's buckets, made when there is none; NULL: the
 * partition is beyond QUOTA_PARTITIONS_MAX. */
struct quota_part *quota_topic_part(struct quota_topic *t, int32_t partition);

#endif
