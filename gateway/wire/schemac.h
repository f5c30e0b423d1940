/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What schemac.c, schemac_read.c and schemac_write.c share: the schema as it
 * was read. Part of a program that runs once at build time, on one thread:
 * nothing is freed, and the first fault ends it.
 */
#ifndef WEIR_WIRE_SCHEMAC_H
#define WEIR_WIRE_SCHEMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NEVER = -1 };

struct range {
	int	since, until;			/* since == NEVER: none */
};

struct type {
	const char	*name, *c, *table;
	int64_t		 min, max;		/* numbers only */
};

struct object {				/* request, response, or nested */
	const char	*name;
	struct object	*parent;		/* that a common struct is in */
	struct field	*fields, **last;
	struct object	*commons, *next;	/* common structs */
	struct api	*api;
};

struct field {
	const char	*name;
	const struct type *type;
	bool		 array, ignorable, dflt_null, shared;
	struct range	 versions;
	int		 null_since, tag;
	int64_t		 dflt;
	const char	*meaning, *arg, *file;
	int		 line;
	struct object	*object;		/* of structs */
	struct field	*next;
};

struct api {
	const char	*name;
	int		 key;			/* NEVER: a plain message */
	struct range	 versions;
	int		 flexible;
	struct object	*request, *response;	/* plain: request only */
	struct api	*next;
};

extern struct api	*schemac_apis;		/* by key, plain ones first */
/* Where the reader is, for schemac_fail. */
extern const char	*schemac_file;
extern int		 schemac_line;

void	 schemac_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void	*schemac_get(size_t size);		/* zeroed */
char	*schemac_text(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
bool	 schemac_is(const struct field *f, const char *type);

void	 schemac_read(const char *path);
/* When all files have been read. */
void	 schemac_check(void);

void	 schemac_write_header(const char *path);
void	 schemac_write_source(const char *path);
void	 schemac_dump(void);

#endif
