/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions over names. What a client says is made part of a larger
 * expression, so it must be one by itself: `x)|(.*` would end the part that it
 * is put into. Syntax: https://github.com/google/re2/wiki/Syntax (RE2/J is what
 * brokers use, KIP-848). Only what groups are and where they end is read here;
 * what else is wrong with it the broker says.
 *
 * Brokers hold expressions against whole names, where ^ at the beginning means
 * nothing. Behind a prefix it would never fit, so it becomes (?:^)?, which
 * means nothing there.
 */
#include "routing/names.h"

enum { DEPTH_MAX = 1000 };	/* RE2/J has no more either */

static const char opens[] = "\\E(?:";
static const struct slice optional_caret = { (const uint8_t *)"(?:^)?", 6 };
static const struct slice optional_start = { (const uint8_t *)"(?:\\A)?", 7 };

struct scan {
	const uint8_t	*p, *end;
	uint8_t		*to;
	uint32_t	 depth;
	bool		 first;		/* nothing was read that takes a
					 * character */
	bool		 firsts[DEPTH_MAX + 1];	/* at each group's start */
};

static uint32_t
left(const struct scan *s)
{
	return (uint32_t)(s->end - s->p);
}

static bool
looks_at(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return left(s) >= len && memcmp(s->p, text, len) == 0;
}

static void
copy(struct scan *s, uint32_t n)
{
	memcpy(s->to, s->p, n);
	s->to += n;
	s->p += n;
}

static void
put(struct scan *s, struct slice text)
{
	memcpy(s->to, text.data, text.len);
	s->to += text.len;
}

static bool
is_repeated(const struct scan *s, uint32_t after)
{
	return left(s) > after && s->p[after] != '\0' &&
	    strchr("*+?{", s->p[after]) != NULL;
}

/* \Q ... \E; without its end it goes to the end. */
static void
quoted(struct scan *s)
{
	copy(s, 2);
	s->first = false;
	while (s->p < s->end && !looks_at(s, "\\E"))
		copy(s, 1);
	if (s->p < s->end)
		copy(s, 2);
	else
		put(s, SLICE_LIT("\\E"));
}

/* An assertion of the beginning, of `len` bytes. */
static void
beginning(struct scan *s, uint32_t len, struct slice optional)
{
	if (s->first && !is_repeated(s, len)) {
		put(s, optional);
		s->p += len;
	} else {
		copy(s, len);
	}
}

static bool
escaped(struct scan *s)
{
	if (left(s) < 2 || s->p[1] == 'E')
		return false;
	if (s->p[1] == 'Q') {
		quoted(s);
	} else if (s->p[1] == 'A') {
		beginning(s, 2, optional_start);
	} else {
		s->first &= s->p[1] == 'b' || s->p[1] == 'B';
		copy(s, 2);
	}
	return true;
}

/* Over [:name:], when there is one. */
static bool
named_class(struct scan *s)
{
	if (!looks_at(s, "[:"))
		return false;
	for (const uint8_t *p = s->p + 2; p + 1 < s->end; p++)
		if (p[0] == ':' && p[1] == ']') {
			copy(s, (uint32_t)(p + 2 - s->p));
			return true;
		}
	return false;
}

static bool
class(struct scan *s)
{
	bool any = false;

	s->first = false;
	copy(s, 1);
	if (looks_at(s, "^"))
		copy(s, 1);
	while (s->p < s->end && (*s->p != ']' || !any)) {
		any = true;
		if (named_class(s))
			continue;
		if (*s->p == '\\' && left(s) < 2)
			return false;
		copy(s, *s->p == '\\' ? 2 : 1);
	}
	if (s->p == s->end)
		return false;
	copy(s, 1);
	return true;
}

static bool
open_group(struct scan *s)
{
	if (s->depth == DEPTH_MAX)
		return false;
	s->firsts[++s->depth] = s->first;
	return true;
}

/* (?P<name>  (?<name>  (?flags)  (?flags: */
static bool
special_group(struct scan *s)
{
	copy(s, 2);
	if (looks_at(s, "P<") || looks_at(s, "<")) {
		while (s->p < s->end && *s->p != '>')
			copy(s, 1);
		if (s->p == s->end)
			return false;
		copy(s, 1);
		return open_group(s);
	}
	while (s->p < s->end && *s->p != '\0' && strchr("imsU-", *s->p) != NULL)
		copy(s, 1);
	if (looks_at(s, ")")) {
		copy(s, 1);
		return true;
	}
	if (!looks_at(s, ":"))
		return false;
	copy(s, 1);
	return open_group(s);
}

static bool
close_group(struct scan *s)
{
	if (s->depth == 0)
		return false;
	s->depth--;
	s->first = false;
	copy(s, 1);
	return true;
}

static bool
next(struct scan *s)
{
	switch (*s->p) {
	case '\\':
		return escaped(s);
	case '[':
		return class(s);
	case '(':
		if (looks_at(s, "(?"))
			return special_group(s);
		copy(s, 1);
		return open_group(s);
	case ')':
		return close_group(s);
	case '|':
		s->first = s->firsts[s->depth];
		break;
	case '^':
		beginning(s, 1, optional_caret);
		return true;
	case '*':
	case '+':
	case '?':
		break;
	default:
		s->first = false;
		break;
	}
	copy(s, 1);
	return true;
}

bool
names_regex_inward(const struct names *n, struct slice regex, struct arena *a,
    struct slice *to)
{
	struct slice prefix = names_prefix(n);
	struct scan s;
	uint8_t *text;

	*to = regex;
	if (prefix.data == NULL || regex.data == NULL)
		return true;
	/* Each byte may become an optional caret. */
	text = arena_try(a, (size_t)regex.len * optional_caret.len +
	    prefix.len + 16);
	if (text == NULL)
		return false;
	s = (struct scan){ .p = regex.data, .end = regex.data + regex.len,
	    .to = text, .first = true };
	s.firsts[0] = true;
	put(&s, SLICE_LIT("\\Q"));
	put(&s, prefix);
	put(&s, SLICE_LIT(opens));
	while (s.p < s.end)
		if (!next(&s))
			return false;
	put(&s, SLICE_LIT(")"));
	*to = (struct slice){ text, (uint32_t)(s.to - text) };
	return s.depth == 0 && to->len <= NAMES_LONG;
}

static bool
takes(struct scan *s, struct slice text, uint32_t from, uint32_t len)
{
	if (left(s) < text.len || memcmp(s->p, text.data, text.len) != 0)
		return false;
	put(s, (struct slice){ text.data + from, len });
	s->p += text.len;
	return true;
}

bool
names_regex_outward(const struct names *n, struct slice regex, struct arena *a,
    struct slice *to)
{
	struct slice prefix = names_prefix(n);
	uint32_t head = prefix.len + 2 + (uint32_t)strlen(opens);
	struct scan s = { .p = regex.data, .end = regex.data + regex.len };
	uint8_t *text;

	*to = regex;
	if (prefix.data == NULL || regex.data == NULL)
		return true;
	if (regex.len < head + 1 || !looks_at(&s, "\\Q") ||
	    memcmp(regex.data + 2, prefix.data, prefix.len) != 0 ||
	    memcmp(regex.data + 2 + prefix.len, opens, strlen(opens)) != 0 ||
	    regex.data[regex.len - 1] != ')')
		return false;
	s.p += head;
	s.end--;
	s.to = text = arena_get(a, regex.len);
	while (s.p < s.end)
		if (!takes(&s, optional_caret, 3, 1) &&
		    !takes(&s, optional_start, 3, 2))
			copy(&s, 1);
	*to = (struct slice){ text, (uint32_t)(s.to - text) };
	return true;
}
