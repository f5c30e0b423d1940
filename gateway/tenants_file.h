/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suspends a tenant, or resumes it, by its file: only what stands behind
 * "suspended" becomes another text; or writes it anew. A file is replaced as a
 * whole, so that nobody ever reads half of it, and only while it is still what
 * the new text was made of.
 * Thread: any. Bounds: TENANT_FILE_MAX.
 */
#ifndef WEIR_TENANTS_FILE_H
#define WEIR_TENANTS_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"

enum { TENANT_REASON_MAX = 256 };	/* as in its option row */

/* why: the sentence, or NULL to resume. The folder's ID.json is changed on the
 * disk (fsync) when true comes back. */
bool	 tenants_file_suspend(const char *folder, const char *id,
	    const char *why, struct error *err) MUST_CHECK;
/* What stands at the path; look before it is read. */
struct tenants_file_seen {
	bool		there;
	uint64_t	inode, size;
	int64_t		seconds, nanoseconds;	/* when it was changed */
};
void	 tenants_file_look(const char *path, struct tenants_file_seen *to);
/* Puts the text, of at most TENANT_FILE_MAX bytes, in the place of the folder's
 * ID.json, or makes that: likewise whole, and on the disk. False also when what
 * stands there is not what was seen: somebody has changed it since. */
bool	 tenants_file_write(const char *folder, const char *id,
	    const char *text, const struct tenants_file_seen *seen,
	    struct error *err) MUST_CHECK;
/* The text with that sentence in it (malloc'd; NULL: resumed). NULL: it is no
 * object of JSON. */
char	*tenants_file_edit(const char *text, const char *why,
	    struct error *err);

#endif
