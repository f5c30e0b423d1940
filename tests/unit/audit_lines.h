/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the audit: what it was told of the operator's doings, a line
 * each.
 * Ownership: static.
 */
#ifndef WEIR_TESTS_AUDIT_LINES_H
#define WEIR_TESTS_AUDIT_LINES_H

#include <stdio.h>
#include <string.h>

#include "gateway/audit.h"

static char audit_lines[1024];

void
audit_admin(struct gateway *g, const char *what, bool ok, const char *detail)
{
	size_t n = strlen(audit_lines);

	(void)g;
	snprintf(audit_lines + n, sizeof(audit_lines) - n, "%s %s %s\n", what,
	    ok ? "done" : "refused", detail != NULL ? detail : "-");
}

#endif
