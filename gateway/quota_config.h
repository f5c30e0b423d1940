/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as the configuration and tenants' files write them, made into those of
 * quota/. What a row by itself cannot say is checked here, and each fault is
 * named by its path: a scope that a dimension does not have, patterns that no
 * scope looks at, a row that never counts because of one before it.
 *
 * Thread: control.
 */
#ifndef WEIR_QUOTA_CONFIG_H
#define WEIR_QUOTA_CONFIG_H

#include <stdbool.h>

#include "gateway/base/option.h"

struct config;
struct config_tenant_quota;
struct limits;

/* Makes c->quota.made and the profiles; false with all faults. Whatever the
 * outcome, quota_config_free is due. */
bool		 quota_config_make(struct config *c, struct error_list *errs);
void		 quota_config_free(struct config *c);
/* A tenant's: its own, then its profile's. Never NULL, the caller's to unref;
 * all faults are added to errs. */
struct limits	*quota_config_tenant(const struct config *c,
		    const struct config_tenant_quota *q,
		    struct error_list *errs);

#endif
