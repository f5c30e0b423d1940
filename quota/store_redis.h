/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store that is a Redis deployment.
 * Ownership: the caller's; the client too, which is freed after it was asked
 * for the last time. Thread: control.
 */
#ifndef WEIR_QUOTA_STORE_REDIS_H
#define WEIR_QUOTA_STORE_REDIS_H

struct redis;
struct store;

struct store	*store_redis_new(struct redis *r);
/* After the client: calls that are waiting use its scripts. */
void		 store_redis_free(struct store *s);

#endif
