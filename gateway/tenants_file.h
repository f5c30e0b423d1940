/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suspends a tenant, or resumes it, by its file: only what stands behind
 * "suspended" becomes another text; or writes it anew. A file is replaced as a
 * whole, so that nobody ever reads half of it.
 * Thread: any. Bounds: TENANT_FILE_MAX.
 */
#ifndef WEIR_TENANTS_FILE_H
#define WEIR_TENANTS_FILE_H

#include "gateway/base/error.h"

enum { TENANT_REASON_MAX = 256 };	/* as in its option row */

/* why: the sentence, or NULL to resume. The folder's ID.json is changed on the
 * disk (fsync) when true comes back. */
bool	 tenants_file_suspend(const char *folder, const char *id,
	    const char *why, struct error *err) MUST_CHECK;
/* Puts the text, of at most TENANT_FILE_MAX bytes, in the place of the folder's
 * ID.json, or makes that: likewise whole, and on the disk. */
bool	 tenants_file_write(const char *folder, const char *id,
	    const char *text, struct error *err) MUST_CHECK;
/* The text with that sentence in it (malloc'd; NULL: resumed). NULL: it is no
 * object of JSON. */
char	*tenants_file_edit(const char *text, const char *why,
	    struct error *err);

#endif
