/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows what becomes of expressions: a line of hex in, a line out, which is the
 * expression behind the prefix "a." and, after a space, what it is shown as; or
 * "-" when it is refused. For Regex.java, which holds them against RE2/J.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routing/names.h"

enum { LINE_MAX_HERE = 8192 };

static int
digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10;
}

static void
show(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		printf("%02x", s.data[i]);
}

int
main(void)
{
	static char line[LINE_MAX_HERE];
	struct names *n = names_new("a.");

	while (fgets(line, sizeof(line), stdin) != NULL) {
		uint8_t text[LINE_MAX_HERE / 2];
		struct slice in = { text, 0 }, physical, shown;
		struct arena a;

		for (char *p = line; isxdigit((unsigned char)p[0]); p += 2)
			text[in.len++] = (uint8_t)(digit(p[0]) << 4 |
			    digit(p[1]));
		arena_init(&a, 0);
		if (!names_regex_inward(n, in, &a, &physical)) {
			puts("-");
		} else if (!names_regex_outward(n, physical, &a, &shown)) {
			fputs("regex: what was made is not known again\n",
			    stderr);
			return 1;
		} else {
			show(physical);
			putchar(' ');
			show(shown);
			putchar('\n');
		}
		arena_fini(&a);
	}
	names_free(n);
	return 0;
}
