/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for file_read: somebody else writes the file once it has been read.
 * Ownership: static.
 */
#ifndef WEIR_TESTS_MEANWHILE_H
#define WEIR_TESTS_MEANWHILE_H

#include "auth/file.h"
#include "gateway/base/mem.h"
#include "tests/unit/tenants_fixture.h"

static const char *meanwhile_name, *meanwhile_text;	/* NULL: nobody */

char *
file_read(const char *path, size_t max, bool own, size_t *len,
    struct error *err)
{
	char *text = mem_zalloc(max + 1), *last = strrchr(path, '/');
	FILE *f = fopen(path, "re");

	(void)own;
	if (f == NULL) {
		error_set(err, "it cannot be opened");
		free(text);
		return NULL;
	}
	*len = fread(text, 1, max, f);
	fclose(f);
	if (meanwhile_name != NULL && strcmp(last + 1, meanwhile_name) == 0) {
		write_file(meanwhile_name, meanwhile_text);
		meanwhile_name = NULL;
	}
	return text;
}

#endif
