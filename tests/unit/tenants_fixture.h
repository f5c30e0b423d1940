/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests with a folder of tenants: the folder, its files, and as much of a
 * configuration as tenants need.
 * Ownership: static; one test program has one folder at a time.
 */
#ifndef WEIR_TESTS_TENANTS_FIXTURE_H
#define WEIR_TESTS_TENANTS_FIXTURE_H

#include <sys/stat.h>

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config.h"

static char folder[64];

static inline void
folder_begin(void)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-tenants-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

static inline int
folder_drop(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

/* With all that is in it. */
static inline int
folder_end(void)
{
	return nftw(folder, folder_drop, 8, FTW_DEPTH | FTW_PHYS);
}

static inline char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Whole at once, as an operator should. */
static inline void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_of("new"), "we");
	char from[512];

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	snprintf(from, sizeof(from), "%s", path_of("new"));
	assert_int_equal(rename(from, path_of(name)), 0);
}

/* Not to be freed. */
static inline void
least_config(struct config *c)
{
	static char word[] = "x", *words[] = { word };

	c->tenants_dir = folder;
	c->auth.partition = word;
	c->auth.account = word;
	c->auth.cluster_name = word;
	c->auth.regions = (struct text_list){ words, 1 };
}

#endif
