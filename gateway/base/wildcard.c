/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/wildcard.h"

#include <ctype.h>

static bool
same_byte(char a, char b, bool any_case)
{
	return any_case ? tolower((unsigned char)a) == tolower((unsigned char)b)
	    : a == b;
}

/* Only the last star is ever tried again. */
static bool
fits(const char *pattern, struct slice text, bool any_case)
{
	const char *star = NULL;
	uint32_t i = 0, again = 0;

	while (i < text.len) {
		if (*pattern == '*') {
			star = pattern++;
			again = i;
		} else if (*pattern == '?' || (*pattern != '\0' &&
		    same_byte(*pattern, (char)text.data[i], any_case))) {
			pattern++;
			i++;
		} else if (star != NULL) {
			pattern = star + 1;
			i = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool
wildcard_fits(const char *pattern, struct slice text)
{
	return fits(pattern, text, false);
}

bool
wildcard_fits_case(const char *pattern, struct slice text)
{
	return fits(pattern, text, true);
}

bool
wildcard_is(const char *pattern)
{
	return strpbrk(pattern, "*?") != NULL;
}
