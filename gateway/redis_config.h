/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of quotas as the configuration has it (quota.redis): checked, and
 * made into a client.
 * Ownership: the client is the caller's to free. Thread: control.
 */
#ifndef WEIR_REDIS_CONFIG_H
#define WEIR_REDIS_CONFIG_H

#include "gateway/base/error.h"

struct config_quota;
struct error_list;
struct loop;
struct redis;

/* All faults are added, also of what is there while the store is local. */
void		 redis_config_check(const struct config_quota *q,
		    struct error_list *errs);
/* As redis_new, with changed(arg); q is borrowed for the call. */
struct redis	*redis_config_client(const struct config_quota *q,
		    struct loop *l, void (*changed)(void *arg), void *arg,
		    struct error *err) MUST_CHECK;

#endif
