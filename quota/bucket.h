/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket that any thread spends from, without a lock. It may go into
 * debt: what was admitted is charged whole, and the next one waits until the
 * debt is paid (KIP-599 does so for controller mutations).
 *
 * Tokens are counted in millionths, so that a rate a second is at the same time
 * what a microsecond brings.
 *
 * Where the rate comes from: from itself (rate), or from grants (rate 0,
 * bucket_grant) when the limit is shared by a fleet (quota/lease.h).
 *
 * Ownership: embedded. Thread: any. Time: loop_now_us's clock.
 */
#ifndef WEIR_QUOTA_BUCKET_H
#define WEIR_QUOTA_BUCKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BUCKET_UNIT 1000000LL	/* of one token */
/* In tokens: as much as a burst may be. What is charged beyond is not owed. */
#define BUCKET_DEBT_MAX 1000000000000LL

/* What many buckets have in common; changed while they are in use. */
struct bucket_rate {
	_Atomic int64_t	 rate;		/* millionths a second */
	_Atomic int64_t	 burst;		/* millionths */
};

struct bucket {
	_Atomic int64_t	 balance;	/* millionths; below 0: debt */
	_Atomic int64_t	 at_us;		/* refilled up to then; 0: full at
					 * first use */
};

/* Value tokens in `seconds`, and up to burst tokens of credit. */
void	 bucket_rate_set(struct bucket_rate *r, int64_t value, int64_t seconds,
	    int64_t burst);
/* Brings it up to date; the balance in millionths. */
int64_t	 bucket_look(struct bucket *b, const struct bucket_rate *r,
	    int64_t now_us);
/* Charges, whatever the balance is; 0 tokens or more. The balance
 * afterwards. */
int64_t	 bucket_spend(struct bucket *b, const struct bucket_rate *r,
	    int64_t tokens, int64_t now_us);
/* Charges when it is not in debt; false: it is, nothing was charged. */
bool	 bucket_take(struct bucket *b, const struct bucket_rate *r,
	    int64_t tokens, int64_t now_us);
/* Gives tokens (millionths) from outside, or takes back what is negative; at
 * most the burst is kept. */
void	 bucket_grant(struct bucket *b, const struct bucket_rate *r,
	    int64_t millionths);
/* How long until it is out of debt, at that rate (millionths a second); at
 * least 1 when it is in debt, INT64_MAX without a rate. */
int64_t	 bucket_wait_us(int64_t balance, int64_t rate);

#endif
