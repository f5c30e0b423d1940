/* SPDX-License-Identifier: Apache-2.0 */
/* How many lines of a file, a log, say something. */
#ifndef WEIR_TESTS_LOG_LINES_H
#define WEIR_TESTS_LOG_LINES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* One a line that has it. */
static inline int
count_lines(const char *path, const char *what)
{
	char line[4096];
	FILE *f = fopen(path, "re");
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, what) != NULL;
	fclose(f);
	return n;
}

#endif
