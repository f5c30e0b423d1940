/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as rows: one row is the parser, the bounds, the default, the sample
 * and the manual. A group of rows describes a struct; rows may be groups or
 * arrays of groups. Rows come from a .def file (see gateway/options.def).
 *
 * Ownership: option_read fills a zeroed struct whose strings and arrays
 * option_free releases; secrets are cleansed then.
 * Thread: any; the tables are constant.
 */
#ifndef WEIR_BASE_OPTION_H
#define WEIR_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

/* What is wrong with an input, each fault with where and why. */
struct fault {
	char		*path;		/* listeners[0].address */
	char		*reason;	/* a sentence's rest: "must be ..." */
};

enum { FAULTS_MAX = 100 };		/* what is more is not kept */

struct error_list {
	struct fault	*v;
	uint32_t	 n;
};

void	 error_list_add(struct error_list *l, const char *path,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 error_list_free(struct error_list *l);
/* One "path: reason" a line, each behind `prefix`. */
void	 error_list_print(const struct error_list *l, FILE *f,
	    const char *prefix);

/* How a value is written in JSON, and the member's C type. */
enum option_type {
	OPTION_BOOL,		/* bool */
	OPTION_INT,		/* number; uint32_t */
	OPTION_SIZE,		/* number, or "64KiB", "5MB" and the like;
				 * uint64_t */
	OPTION_COUNT,		/* number or "auto"; int32_t, auto is -1 */
	OPTION_TEXT,		/* string; char *, NULL when null */
	OPTION_PATH,		/* as TEXT; relative to the file's folder */
	OPTION_ENUM,		/* one word of `unit`, "a|b|c"; unsigned int */
	OPTION_SECRET,		/* <name>_file or <name>_env; char *; with the
				 * unit "lines" it may have several */
	OPTION_NETWORKS,	/* array of strings; struct cidr_list */
	OPTION_TEXTS,		/* array of strings; struct text_list. With a
				 * `unit` "a|b" each must be one of its words */
	OPTION_PERCENTS,	/* array of numbers 1 to 100, rising; struct
				 * percent_list */
	OPTION_OBJECT,		/* a group; embedded struct */
	OPTION_ARRAY,		/* of a group; struct { T *v; uint32_t n; } */
};

struct option_group;

/* Strings, malloc'd. */
struct text_list {
	char		**v;
	uint32_t	 n;
};

enum { OPTION_TEXTS_LENGTH_MAX = 1024 };	/* of each */

enum { OPTION_PERCENTS_MAX = 4 };	/* a row's max is at most this */

struct percent_list {
	uint8_t		 v[OPTION_PERCENTS_MAX], n;
	bool		 given;		/* n is 0, too, for an empty array */
};

struct option {
	const char	*name;
	enum option_type type;
	size_t		 offset;
	int64_t		 min, max;	/* of the number, length or count */
	const char	*initial;	/* JSON; or "required" and an example */
	const char	*unit;
	bool		 live;		/* a reload may change it */
	const char	*text;
	const struct option_group *group;
};

struct option_group {
	const struct option	*rows;
	size_t			 count;
	size_t			 size;	/* of the struct */
};

/* Fills *to, which is zeroed memory of g->size bytes. All faults are added to
 * errs; false when there were any. dir: what relative paths begin at, or NULL.
 * Whatever the outcome, option_free is due. */
bool	 option_read(const struct option_group *g, struct json_t *in, void *to,
	    const char *dir, struct error_list *errs);
void	 option_free(const struct option_group *g, void *at);
/* Adds a fault for each option that differs and needs a restart. */
bool	 option_check_reload(const struct option_group *g, const void *old,
	    const void *new, struct error_list *errs);

enum option_format { OPTION_AS_TEXT, OPTION_AS_MAN, OPTION_AS_JSON };
/* Every option: what it is, or a sample file with every default. */
void	 option_print(const struct option_group *g, enum option_format format,
	    FILE *f);

#endif
