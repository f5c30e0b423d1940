/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns as "IAM JSON policy elements: Resource" and "Variables and tags" of
 * AWS's IAM user guide have them: '*' is any text, '/' and ':' included, '?'
 * one character, ${key} a value of the request, ${*} ${?} ${$} themselves.
 *
 * A wildcard is a mark beside the byte and not the byte, so what is put in for
 * a variable is always taken literally, stars included.
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/policy_private.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

static void
put(struct policy_pattern *to, uint8_t byte, uint8_t mark)
{
	to->text[to->len] = byte;
	to->marks[to->len++] = mark;
}

/* , 'text' behind a key; NULL and no error: there is none. */
static char *
parse_fallback(const char *s, size_t len, struct error *err)
{
	size_t i = 1;

	while (i < len && s[i] == ' ')
		i++;
	if (len - i < 2 || s[i] != '\'' || s[len - 1] != '\'' ||
	    memchr(s + i + 1, '\'', len - i - 2) != NULL) {
		error_set(err, "has a variable whose default is not between "
		    "single quotes");
		return NULL;
	}
	return mem_strndup(s + i + 1, len - i - 2);
}

/* What stands between ${ and }. */
static bool
parse_variable(const char *s, size_t len, struct policy_pattern *to,
    struct error *err)
{
	const char *comma = memchr(s, ',', len);
	size_t key_len = comma ? (size_t)(comma - s) : len;
	struct policy_variable *v;

	if (len == 1 && strchr("*?$", s[0]) != NULL) {
		put(to, (uint8_t)s[0], MARK_SELF);
		return true;
	}
	if (to->variable_count >= POLICY_VARIABLES_MAX)
		return error_set(err, "has more than %d variables",
		    POLICY_VARIABLES_MAX);
	to->variables = mem_realloc(to->variables,
	    (to->variable_count + 1) * sizeof(*v));
	v = &to->variables[to->variable_count++];
	memset(v, 0, sizeof(*v));
	v->at = to->len;
	while (key_len > 0 && s[key_len - 1] == ' ')
		key_len--;
	if (!policy_key_parse(s, key_len, &v->key, err))
		return error_prefix(err, "has a variable that is of no use");
	if (policy_key_has_many(&v->key))
		return error_set(err, "has the variable ${%s}, but that key "
		    "can have several values", v->key.name);
	if (comma == NULL)
		return true;
	v->fallback = parse_fallback(comma, len - (size_t)(comma - s), err);
	return v->fallback != NULL;
}

bool
policy_pattern_parse(const char *text, size_t len, unsigned flags,
    struct policy_pattern *to, struct error *err)
{
	const char *end;

	memset(to, 0, sizeof(*to));
	to->text = mem_alloc(len + 1);
	to->marks = mem_alloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		if ((flags & PATTERN_VARIABLES) && text[i] == '$' &&
		    i + 1 < len && text[i + 1] == '{') {
			end = memchr(text + i, '}', len - i);
			if (end == NULL)
				return error_set(err, "has \"${\" without a "
				    "\"}\"; ${$} is a literal '$'");
			if (!parse_variable(text + i + 2,
			    (size_t)(end - text) - i - 2, to, err))
				return false;
			i = (size_t)(end - text);
		} else if ((flags & PATTERN_WILD) && text[i] == '*') {
			put(to, '*', MARK_ANY);
		} else if ((flags & PATTERN_WILD) && text[i] == '?') {
			put(to, '?', MARK_ONE);
		} else {
			put(to, (uint8_t)text[i], MARK_SELF);
		}
	}
	return true;
}

void
policy_pattern_free(struct policy_pattern *p)
{
	for (uint32_t i = 0; i < p->variable_count; i++) {
		policy_key_free(&p->variables[i].key);
		free(p->variables[i].fallback);
	}
	free(p->variables);
	free(p->text);
	free(p->marks);
}

/* ---- globs ---- */

static bool
continues(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Behind the character at i. */
static uint32_t
behind_character(struct slice name, uint32_t i)
{
	uint32_t most = i + 4;

	for (i++; i < name.len && i < most && continues(name.data[i]); i++)
		continue;
	return i;
}

/* The first place from i on where the byte behind a star can be. */
static uint32_t
next_candidate(struct policy_glob g, uint32_t p, struct slice name, uint32_t i)
{
	const uint8_t *found;

	if (p >= g.len || g.marks[p] != MARK_SELF || i >= name.len)
		return i;
	found = memchr(name.data + i, g.text[p], name.len - i);
	return found ? (uint32_t)(found - name.data) : name.len;
}

/* Only the last star is ever tried again: what an earlier one matched is the
 * shortest that lets the part behind it match, so a longer one is no better. */
bool
policy_glob_match(struct policy_glob g, struct slice name)
{
	uint32_t p = 0, i = 0, after_star = 0, from = 0;
	bool starred = false;

	while (i < name.len || p < g.len) {
		if (p < g.len && g.marks[p] == MARK_ANY) {
			if (p + 1 == g.len)
				return true;
			starred = true;
			after_star = ++p;
			from = i = next_candidate(g, p, name, i);
		} else if (p < g.len && i < name.len &&
		    g.marks[p] == MARK_ONE) {
			p++;
			i = behind_character(name, i);
		} else if (p < g.len && i < name.len &&
		    g.marks[p] == MARK_SELF && g.text[p] == name.data[i]) {
			p++;
			i++;
		} else if (starred && from < name.len) {
			p = after_star;
			from = i = next_candidate(g, p, name, from + 1);
		} else {
			return false;
		}
	}
	return true;
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool
policy_same_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (uint32_t i = 0; i < a.len; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

bool
policy_glob_equal(struct policy_glob g, struct slice name, bool ignore_case)
{
	struct slice text = { g.text, g.len };

	if (ignore_case)
		return policy_same_nocase(text, name);
	return text.len == name.len &&
	    (name.len == 0 || memcmp(text.data, name.data, name.len) == 0);
}

bool
policy_glob_covers(struct policy_glob g, struct slice prefix)
{
	/* What the last star need not match of the prefix, the rest of the
	 * pattern has; so it takes the remainder and whatever follows. */
	return g.len > 0 && g.marks[g.len - 1] == MARK_ANY &&
	    policy_glob_match(g, prefix);
}

/* One byte of the prefix: which places of the pattern can be next. */
static bool
step(struct policy_glob g, const uint8_t *now, uint8_t *next, uint8_t byte)
{
	bool any = false;

	memset(next, 0, g.len + 1);
	for (uint32_t p = 0; p <= g.len; p++) {
		if (!now[p])
			continue;
		if (p > 0 && g.marks[p - 1] == MARK_ONE && continues(byte))
			next[p] = 1;
		if (p == g.len)
			continue;
		if (g.marks[p] == MARK_ANY)
			next[p] = 1;
		else if (g.marks[p] == MARK_ONE || g.text[p] == byte)
			next[p + 1] = 1;
	}
	for (uint32_t p = 0; p <= g.len; p++) {
		any |= next[p] != 0;
		if (p < g.len && next[p] && g.marks[p] == MARK_ANY)
			next[p + 1] = 1;
	}
	return any;
}

bool
policy_glob_meets(struct policy_glob g, struct slice prefix)
{
	uint8_t *now = mem_zalloc(g.len + 1), *next = mem_zalloc(g.len + 1);
	uint8_t *other;
	bool any = true;

	now[0] = 1;
	for (uint32_t p = 0; p < g.len && g.marks[p] == MARK_ANY; p++)
		now[p + 1] = 1;
	for (uint32_t i = 0; i < prefix.len && any; i++) {
		any = step(g, now, next, prefix.data[i]);
		other = now;
		now = next;
		next = other;
	}
	free(now);
	free(next);
	return any;
}

/* ---- with the values of a request ---- */

static void
make_room(struct policy_set *s, uint32_t size)
{
	if (size <= s->text_size)
		return;
	s->text = mem_realloc(s->text, size);
	s->marks = mem_realloc(s->marks, size);
	s->text_size = size;
}

static void
append(struct policy_set *s, uint32_t *len, const uint8_t *text,
    const uint8_t *marks, uint32_t n)
{
	make_room(s, *len + n + 1);
	if (n == 0)
		return;
	memcpy(s->text + *len, text, n);
	if (marks != NULL)
		memcpy(s->marks + *len, marks, n);
	else
		memset(s->marks + *len, MARK_SELF, n);
	*len += n;
}

bool
policy_expand(struct policy_request *r, const struct policy_pattern *p,
    struct policy_glob *to)
{
	struct policy_values values;
	uint32_t done = 0, len = 0;

	if (p->variable_count == 0) {
		*to = (struct policy_glob){ p->text, p->marks, p->len };
		return true;
	}
	for (uint32_t i = 0; i < p->variable_count; i++) {
		const struct policy_variable *v = &p->variables[i];
		struct slice value;

		append(r->set, &len, p->text + done, p->marks + done,
		    v->at - done);
		done = v->at;
		policy_key_values(r, &v->key, &values);
		if (values.n == 1)
			value = values.v[0];
		else if (v->fallback != NULL)
			value = slice_of(v->fallback);
		else
			return false;
		append(r->set, &len, value.data, NULL, value.len);
	}
	append(r->set, &len, p->text + done, p->marks + done, p->len - done);
	*to = (struct policy_glob){ r->set->text, r->set->marks, len };
	return true;
}
