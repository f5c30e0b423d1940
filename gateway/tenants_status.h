/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator wants to see of tenants, and do with one: the pages
 * /tenants, /tenants/suspend and /tenants/resume.
 * Thread: control; it waits for the workers, who count their sessions.
 */
#ifndef WEIR_TENANTS_STATUS_H
#define WEIR_TENANTS_STATUS_H

#include <stdbool.h>

#include "gateway/base/error.h"

struct error_list;
struct gateway;
struct json_t;

/* {"tenants": [...]}, all or that one; NULL and why. */
struct json_t	*tenants_status(struct gateway *g, const char *id,
		    struct error *err);
/* Changes its file and loads the tenants. why: the sentence; NULL: resume.
 * True: it is so, though *errs may have faults of files, for which nothing else
 * was taken over. False: the file could not be changed, or was and the tenant
 * is not in force. */
bool		 tenants_set_suspended(struct gateway *g, const char *id,
		    const char *why, struct error_list *errs);

#endif
