/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's limits at work: who is limited (holders: the node, a tenant, a
 * principal, a client id within it; and topics with a bucket for each
 * partition), what they have spent, and why somebody was held up.
 *
 * An account is a tenant's; those without tenant share one, whose name is
 * empty. A worker opens a struct quota_who for each session, and asks and
 * charges it without a lock. What is charged may be more than there is: the
 * debt holds up what comes next (KIP-599's admission), so no more than one
 * request a worker goes beyond a limit.
 *
 * Shadow limits compute and note what they would have done, and hold up nobody.
 *
 * Ownership: accounts live as long as the struct quota; holders and topics are
 * counted by sessions and workers, and kept after that until their buckets are
 * full again, so that nobody gets out of debt by coming back.
 * Thread: any, except where said. Finding a holder or topic takes the
 * account's lock; that is once a session, or once a topic and worker.
 * Bounds: QUOTA_HOLDERS_MAX of an account, then the rest share one; as many
 * topics that have a limit, and the rest share one, under the least of the
 * limits; QUOTA_PARTITIONS_MAX partitions of a topic have buckets, from their
 * first record on. Which partitions there are the caller knows.
 */
#ifndef WEIR_QUOTA_QUOTA_H
#define WEIR_QUOTA_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/list.h"
#include "gateway/base/slice.h"
#include "quota/bucket.h"
#include "quota/limits.h"

struct lease;
struct lease_count;
struct quota;
struct quota_account;
struct quota_beside;
struct quota_line;
struct quota_stock;
struct quota_window;

enum {
	QUOTA_HOLDERS_MAX = 10000,
	QUOTA_LEVELS = 16,
	QUOTA_PARTITIONS_MAX = (1 << QUOTA_LEVELS) - 1,
	QUOTA_EPISODE_MS = 10000,	/* quiet for so long ends an episode */
	QUOTA_UNSURE_MS = 1000,		/* how long a debt may last by a lease,
					 * whose rate changes */
	QUOTA_CHANGED_MS = 10000,	/* ... and when limits have changed */
	QUOTA_COSTS_MAX = 4,
};

/* What waits in line apart (quota/line.h). */
enum quota_lane {
	QUOTA_IN, QUOTA_OUT, QUOTA_OTHER,
	QUOTA_TOPICS,		/* waits for what takes minutes: apart */
	QUOTA_READ,		/* waits for bytes: apart from who does not */
	QUOTA_GROUPS,		/* waits for QUOTA_ASIDE_GROUPS */
	QUOTA_LANES
};

/* What does not wait for bytes of others, and waits when it is more than a
 * limit of bytes by itself: each kind has buckets of its own, so that none
 * waits for another. */
enum quota_aside {
	QUOTA_ASIDE_META,	/* Metadata and the like; what a Fetch is but
				 * for records */
	QUOTA_ASIDE_GROUPS,	/* commits, acknowledgements, offsets that are
				 * read, transactions */
	QUOTA_ASIDES
};

/* What is counted by name, with what brokers say of it (quota/stock.h). */
enum quota_named { QUOTA_NAMED_GROUPS, QUOTA_NAMED_TXNS, QUOTA_NAMED };

/* What a limit has done to those under it. */
struct quota_record {
	_Atomic uint64_t	 times, us;	/* held up, refused or closed */
	_Atomic int64_t		 first_us;	/* of the current episode */
	_Atomic int64_t		 last_us;	/* 0: never */
	_Atomic int64_t		 worst_us;	/* the longest of all */
	_Atomic uint64_t	 over;		/* shadow: tokens that came
						 * while it was in debt */
	/* What the log was told: quota_tick's. */
	uint64_t		 told_times;
	int64_t			 told_us;	/* 0: that it is over */
};

/* One limit in force. */
struct quota_gauge {
	struct bucket		 bucket;
	struct bucket_rate	 rate;
	_Atomic int64_t		 value, burst;
	_Atomic int64_t		 count;		/* COUNT: now, without those
						 * of the counter */
	/* With a fleet, once somebody presses it (quota/fleet.h). They live as
	 * long as the holder. */
	_Atomic(struct lease *)	 lease;
	_Atomic(struct lease_count *) counter;
	_Atomic int64_t		 bridged;	/* of count, in the counter */
	_Atomic bool		 queued;	/* a lease is wished for */
	_Atomic uint64_t	 spent;		/* RATE, WINDOW: ever */
	_Atomic(struct quota_window *) window;	/* of a WINDOW in force */
	struct quota_record	 record;
	_Atomic int64_t		 peak;		/* the most of its use ever */
	/* Written by quota_tick only, read by who shows it. */
	_Atomic uint64_t	 before, per_s;
	/* The same, in a fleet: what others use of it and what is left for all
	 * as far as the store said so lately. */
	_Atomic bool		 told;
	_Atomic int64_t		 others, left;
	_Atomic unsigned char	 mode;		/* enum quota_mode */
	unsigned char		 warn[LIMIT_WARNINGS_MAX];
	unsigned char		 warned;	/* percent told last; tick's */
};

struct quota_holder {
	struct quota_account	*account;	/* NULL: the node */
	enum quota_scope	 scope;
	char			*principal, *client_id;	/* NULL: not of one */
	_Atomic int		 refs;		/* sessions */
	_Atomic uint32_t	 active;	/* bits: dimensions not off */
	_Atomic int64_t		 tag[QUOTA_LANES];	/* fair turn: spent */
	/* By who was told to wait: how many, and their bytes. */
	_Atomic int64_t		 owed[QUOTA_LANES], owed_bytes[QUOTA_LANES];
	_Atomic uint64_t	 given[QUOTA_LANES];	/* ever */
	_Atomic uint64_t	 given_before[QUOTA_LANES];	/* by ticks */
	_Atomic uint64_t	 given_per_s[QUOTA_LANES];
	/* NULL until something was charged to it. */
	_Atomic(struct quota_beside *) beside;
	struct quota_gauge	 gauges[QUOTA_DIMENSIONS];
};

/* What befell a partition: [0] in, [1] out. */
struct quota_more {
	struct quota_record	 record[2];
	_Atomic(struct lease *)	 lease[2];
	_Atomic bool		 queued[2];
};

/* Its buckets: [0] in, [1] out. */
struct quota_part {
	struct bucket		 bucket[2];
	_Atomic(void *)		 more;		/* struct quota_more; NULL:
						 * nothing befell it */
};

/* The limit of each of a topic's partitions, in one direction. */
struct quota_way {
	_Atomic unsigned char	 mode;		/* enum quota_mode */
	_Atomic int64_t		 value, burst;
	struct bucket_rate	 rate;		/* without a lease */
	/* Until then a partition may be in debt. */
	_Atomic int64_t		 owes_until_us;
};

struct quota_topic {
	struct quota_account	*account;
	struct list		 link;		/* account->swept */
	char			*name;		/* as its limits say it */
	_Atomic int		 refs;
	/* quota_tick's, with the account's lock: the partition that it comes
	 * to next, and whether it found that the topic is to stay. */
	int32_t			 swept;
	bool			 busy;
	struct quota_way	 way[2];	/* [0] in, [1] out */
	/* struct quota_part; level n has 2^n of them, from partition 2^n - 1
	 * on; NULL: none of them was used. */
	_Atomic(void *)		 levels[QUOTA_LEVELS];
};

/* Whose a session is, and which holders' counters know of it. */
struct quota_who {
	struct quota_account	*account;	/* NULL: not open */
	struct quota_holder	*holders[QUOTA_SCOPES];	/* by scope; or NULL */
	uint8_t			 counted;	/* bits: by a counter */
};

/* What something costs. Partitions are charged by themselves. */
struct quota_cost {
	uint32_t		 n;
	struct {
		enum quota_dimension	 dimension;
		bool			 waits;	/* else charged only */
		int64_t			 tokens;
	}			 v[QUOTA_COSTS_MAX];
};

/* Why something is held up, refused or closed. */
struct quota_reason {
	enum quota_dimension	 dimension;
	enum quota_scope	 scope;
	int64_t			 value;		/* the limit's; -1: none */
	int64_t			 us;		/* how long */
	struct quota_record	*record;	/* or NULL */
};

struct quota	*quota_new(int workers);
void		 quota_free(struct quota *q);
int		 quota_workers(const struct quota *q);
/* The limits of the whole node: rows of that scope. Thread: control. */
void		 quota_set_node(struct quota *q, struct limits *l);
/* The tenant's account, made when there is none: with these limits then. A
 * reference to them is kept. */
struct quota_account *quota_account(struct quota *q, const char *tenant,
		    struct limits *l);
/* The limits changed: all holders and topics take the new ones, keeping what
 * they owe. NULL: there are none. Nothing is done when they are the same. */
void		 quota_account_set(struct quota_account *a, struct limits *l);
/* As quota_account_set, of an account that there is already. */
void		 quota_account_renew(struct quota *q, const char *tenant,
		    struct limits *l);
const char	*quota_account_name(const struct quota_account *a);
/* Odd jobs, once a second: uses a second, peaks, what the log is told of limits
 * (the first time, a summary, the end, and warnings), and holders that are no
 * longer needed. Thread: control. */
void		 quota_tick(struct quota *q, int64_t now_us);

/* Opens it for a principal (or "") and client id; neither is kept. */
void		 quota_who_open(struct quota *q, struct quota_account *a,
		    struct slice principal, struct slice client_id,
		    struct quota_who *w);
void		 quota_who_close(struct quota_who *w);
/* The client id is another one, or limits of client ids came or went. counted:
 * it is counted as a connection. False: one of a limit that is enforced too
 * many; it is counted in all scopes but that. */
bool		 quota_who_rename(struct quota_who *w, struct slice principal,
		    struct slice client_id, bool counted, int64_t now_us,
		    struct quota_reason *why);
/* Whether client ids make a difference to it. */
bool		 quota_limits_clients(const struct quota_account *a);

void		 quota_cost_add(struct quota_cost *c, enum quota_dimension d,
		    int64_t tokens, bool waits);
/* 0: none of its buckets that it waits for is in debt; else how long the
 * longest will be, and which. */
int64_t		 quota_wait_us(const struct quota_who *w,
		    const struct quota_cost *c, int64_t now_us,
		    struct quota_reason *why);
void		 quota_spend(const struct quota_who *w,
		    const struct quota_cost *c, int64_t now_us);
/* After it was spent: how long its client is to be told to wait, with what
 * others in the same lane were told before. */
int64_t		 quota_throttle_us(const struct quota_who *w,
		    const struct quota_cost *c, enum quota_lane lane,
		    int64_t now_us, struct quota_reason *why);
/* What passes without waiting for limits of bytes is charged to them, and
 * counted beside as well, in each scope: when it is more than a limit by
 * itself, it waits. *why is set then. */
int64_t		 quota_aside_wait_us(const struct quota_who *w,
		    enum quota_aside kind, int64_t now_us,
		    struct quota_reason *why);
void		 quota_aside_spend(const struct quota_who *w,
		    enum quota_aside kind, bool out, int64_t bytes,
		    int64_t now_us);
/* Others of its principal come later by one request of so many bytes, until it
 * is taken back (due false): its client was told to wait, or it waits in
 * line. */
void		 quota_owe(const struct quota_who *w, enum quota_lane lane,
		    int64_t bytes, bool due);
/* As many are counted; false: over a limit that is enforced, nothing was
 * counted. */
bool		 quota_count(struct quota_who *w, enum quota_dimension d,
		    int64_t n, int64_t now_us, struct quota_reason *why);
void		 quota_uncount(struct quota_who *w,
		    enum quota_dimension d, int64_t n);
/* Charges where no bucket is in debt; false: one is, nothing was charged. One
 * in shadow that is in debt notes that it would have refused, and is not
 * charged. */
bool		 quota_take(const struct quota_who *w, enum quota_dimension d,
		    int64_t tokens, int64_t now_us, struct quota_reason *why);
/* So many bytes of requests wait in line: false when those of the account on
 * this node would be more than `most`. Negative: they wait no more. */
bool		 quota_hold(const struct quota_who *w, int64_t bytes,
		    int64_t most);
/* The least limit of a RATE that is enforced on it; -1: none is. */
int64_t		 quota_rate_limit(const struct quota_who *w,
		    enum quota_dimension d);
/* The tenant's limit of a SIZE or COUNT dimension; -1: there is none that is
 * enforced. What a shadow one would have refused is noted. */
int64_t		 quota_size_limit(const struct quota_who *w,
		    enum quota_dimension d, int64_t size, int64_t now_us,
		    struct quota_reason *why);
/* So much of it there is, for who looks. */
void		 quota_show_count(struct quota_account *a,
		    enum quota_dimension d, int64_t n);
/* Whether the tenant has a limit of it, enforced or in shadow. */
bool		 quota_is_limited(const struct quota_who *w,
		    enum quota_dimension d);
/* Somebody was held up by it. NULL is allowed: nobody notes it. */
void		 quota_note(struct quota_record *r, int64_t us,
		    int64_t now_us);

/* ---- partitions ---- */

/* Whether any limit concerns partitions of the account's topics. */
bool		 quota_limits_partitions(const struct quota_account *a);
/* Another number each time that quota_topic may answer otherwise. */
uint32_t	 quota_limits_version(const struct quota_account *a);
/* Counted; NULL: no limit concerns the topic's partitions. */
struct quota_topic *quota_topic(struct quota_account *a, struct slice name);
/* Another reference, by who has one; NULL is allowed in both. */
struct quota_topic *quota_topic_ref(struct quota_topic *t);
void		 quota_topic_unref(struct quota_topic *t);
/* Whether a bucket of that direction is in force or in shadow. */
bool		 quota_topic_limited(const struct quota_topic *t, bool out);
/* Charges; how long the partition's next is to wait (0: not), by a limit that
 * is enforced. Only for partitions that there are: what is charged has a bucket
 * from then on. */
int64_t		 quota_part_spend(struct quota_topic *t, int32_t partition,
		    bool out, int64_t bytes, int64_t now_us,
		    struct quota_reason *why);
/* False: no partition of it has to wait, so none need be looked at. A debt is
 * known here from when it is made, or looked at. */
bool		 quota_parts_owe(const struct quota_account *a, bool out,
		    int64_t now_us);
bool		 quota_topic_owes(const struct quota_topic *t, bool out,
		    int64_t now_us);
/* Looks, and makes nothing. */
int64_t		 quota_part_wait_us(struct quota_topic *t, int32_t partition,
		    bool out, int64_t now_us, struct quota_reason *why);

/* ---- to be shown ---- */

/* A limit in force, or a partition that was held up. */
struct quota_row {
	enum quota_dimension	 dimension;
	enum quota_scope	 scope;
	enum quota_mode		 mode;
	const char		*principal, *client_id;	/* or NULL */
	const char		*topic;			/* or NULL */
	int32_t			 partition;		/* -1: none */
	int64_t			 value, burst;
	/* A second, in a window, or now. here: this node's; use: the fleet's as
	 * well, when it is known (fleet), of which headroom is then too; peak:
	 * the most that here was ever. */
	int64_t			 use, here, peak;
	int64_t			 headroom;	/* tokens; below 0: debt */
	bool			 fleet;
	struct quota_gauge	*gauge;		/* NULL: a partition's */
	struct quota_record	*record;	/* or NULL: none */
};

/* What a dimension's limits have done, in all scopes, since the account began:
 * also those that there are no more. */
struct quota_held {
	uint64_t		 times, us;
};

/* NULL: all of them, -1: of any partition. */
struct quota_asked {
	const char		*principal, *topic;
	int32_t			 partition;
};

/* Who a lane was used by, and who has how many connections. */
struct quota_user {
	const char		*principal;
	uint64_t		 per_s[QUOTA_LANES];
	int32_t			 sessions;
};

/* Calls cb with the name of each account; it may call quota_show. */
void		 quota_accounts(struct quota *q,
		    void (*cb)(void *arg, const char *tenant), void *arg);
/* Calls row for each limit of the tenant (and of the node) that is asked for,
 * user for each of its principals; false when the tenant has no account: nobody
 * of it came yet. All is borrowed. Thread: any; the account is locked
 * meanwhile. */
bool		 quota_show(struct quota *q, const char *tenant,
		    const struct quota_asked *asked, int64_t now_us,
		    void (*row)(void *arg, const struct quota_row *r),
		    void (*user)(void *arg, const struct quota_user *u),
		    void *arg);

/* Never less than before. The node's own limits are none of a tenant's. False:
 * there is no such account. */
bool		 quota_held(struct quota *q, const char *tenant,
		    struct quota_held to[QUOTA_DIMENSIONS]);

/* "ingress_bytes of the tenant: 5000000 bytes a second" */
void		 quota_reason_text(const struct quota_reason *r, char *to,
		    size_t size);

#endif
