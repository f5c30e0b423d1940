/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schemac compiles the schema text into wire/messages.h (a struct a message)
 * and wire/messages.c (a table of its fields).
 *
 *	schemac FILE... OUTDIR		writes OUTDIR/wire/messages.[ch]
 *	schemac --dump FILE...		one line a field, for comparing
 */
#include "gateway/wire/schemac.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct api *schemac_apis;
const char *schemac_file;
int schemac_line;

void
schemac_fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", schemac_file, schemac_line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Kept on a list, so that a leak checker finds it all. */
void *
schemac_get(size_t size)
{
	static struct chunk {
		struct chunk	*next;
		_Alignas(16) char data[];
	} *chunks;
	struct chunk *c = calloc(1, sizeof(*c) + size);

	if (c == NULL)
		schemac_fail("out of memory");
	c->next = chunks;
	chunks = c;
	return c->data;
}

char *
schemac_text(const char *fmt, ...)
{
	va_list ap;
	char text[512];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		schemac_fail("name too long");
	return memcpy(schemac_get((size_t)n + 1), text, (size_t)n + 1);
}

bool
schemac_is(const struct field *f, const char *type)
{
	return strcmp(f->type->name, type) == 0;
}

int
main(int argc, char **argv)
{
	bool dumping = argc > 1 && strcmp(argv[1], "--dump") == 0;
	int first = dumping ? 2 : 1, last = dumping ? argc : argc - 1;

	if (last <= first) {
		fprintf(stderr, "usage: schemac FILE... OUTDIR\n"
		    "       schemac --dump FILE...\n");
		return 2;
	}
	for (int i = first; i < last; i++)
		schemac_read(argv[i]);
	schemac_check();
	if (dumping) {
		schemac_dump();
		return 0;
	}
	if (mkdir(schemac_text("%s/wire", argv[last]), 0777) < 0 &&
	    errno != EEXIST)
		schemac_fail("%s/wire: %s", argv[last], strerror(errno));
	schemac_write_header(schemac_text("%s/wire/messages.h", argv[last]));
	schemac_write_source(schemac_text("%s/wire/messages.c", argv[last]));
	return 0;
}
