/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_reference.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

enum { TEXT_MAX = 4096, MANY = -1, SINGLE = -2, STEPS_MAX = 2000000 };

/* Characters, or MANY or SINGLE. */
struct chars {
	int	v[TEXT_MAX];
	size_t	n;
	bool	missing;	/* a variable has no value */
};

/* What was met that is not known, and how long it has taken. */
static bool unknown;
static long steps;

/* ---- characters ---- */

/* One UTF-8 character, its bytes in one number. */
static int
next_char(const char **s, const char *end)
{
	int c = (unsigned char)*(*s)++;

	for (int i = 0; i < 3 && *s < end && ((unsigned char)**s & 0xc0) ==
	    0x80; i++)
		c = c << 7 ^ (unsigned char)*(*s)++;
	return c;
}

static void
add_text(struct chars *to, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		if (to->n == TEXT_MAX) {
			unknown = true;
			return;
		}
		to->v[to->n++] = next_char(&s, end);
	}
}

static void
add_wild(struct chars *to, int what)
{
	if (to->n == TEXT_MAX)
		unknown = true;
	else
		to->v[to->n++] = what;
}

static const struct reference_key *
find_key(const struct reference_request *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->key_count; i++)
		if (strlen(r->keys[i].name) == len &&
		    strncasecmp(r->keys[i].name, name, len) == 0)
			return &r->keys[i];
	return NULL;
}

/* ${...}, what is between the brackets. */
static void
add_variable(const struct reference_request *r, struct chars *to,
    const char *s, size_t len)
{
	const char *comma = memchr(s, ',', len);
	size_t n = comma ? (size_t)(comma - s) : len;
	const char *quote, *last;
	const struct reference_key *k;

	if (len == 1 && (*s == '*' || *s == '?' || *s == '$')) {
		add_text(to, s, 1);
		return;
	}
	while (n > 0 && s[n - 1] == ' ')
		n--;
	k = find_key(r, s, n);
	if (k != NULL && k->values[0] != NULL) {
		if (k->values[1] != NULL)
			unknown = true;
		add_text(to, k->values[0], strlen(k->values[0]));
	} else if (comma != NULL) {
		quote = memchr(s, '\'', len);
		last = s + len - 1;
		add_text(to, quote + 1, (size_t)(last - quote - 1));
	} else {
		to->missing = true;
	}
}

static void
expand(const struct reference_request *r, const char *s, size_t len,
    bool variables, bool wild, struct chars *to)
{
	const char *end = s + len, *close;

	to->n = 0;
	to->missing = false;
	while (s < end) {
		if (variables && end - s > 1 && s[0] == '$' && s[1] == '{') {
			close = memchr(s, '}', (size_t)(end - s));
			if (close == NULL) {
				unknown = true;
				return;
			}
			add_variable(r, to, s + 2, (size_t)(close - s) - 2);
			s = close + 1;
		} else if (wild && *s == '*') {
			add_wild(to, MANY);
			s++;
		} else if (wild && *s == '?') {
			add_wild(to, SINGLE);
			s++;
		} else {
			const char *from = s;

			next_char(&s, end);
			add_text(to, from, (size_t)(s - from));
		}
	}
}

static bool
matches(const int *p, size_t pn, const int *t, size_t tn)
{
	if (++steps > STEPS_MAX) {
		unknown = true;
		return false;
	}
	if (pn == 0)
		return tn == 0;
	if (p[0] == MANY)
		return matches(p + 1, pn - 1, t, tn) ||
		    (tn > 0 && matches(p, pn, t + 1, tn - 1));
	return tn > 0 && (p[0] == SINGLE || p[0] == t[0]) &&
	    matches(p + 1, pn - 1, t + 1, tn - 1);
}

static bool
matches_text(const struct chars *p, const char *text, size_t len)
{
	static struct chars t;

	if (p->missing)
		return false;
	t.n = 0;
	add_text(&t, text, len);
	return matches(p->v, p->n, t.v, t.n);
}

bool
reference_glob(const char *pattern, size_t pattern_len, const char *text,
    size_t len)
{
	static const struct reference_request none;
	static struct chars p;

	steps = 0;
	expand(&none, pattern, pattern_len, false, true, &p);
	return matches_text(&p, text, len);
}

/* ---- an element: a value, or any of an array ---- */

typedef bool (*one_cb)(const struct reference_request *r, const json_t *value,
    bool variables, const void *arg);

static bool
any_of(const struct reference_request *r, json_t *in, bool variables,
    one_cb cb, const void *arg)
{
	if (!json_is_array(in))
		return cb(r, in, variables, arg);
	for (size_t i = 0; i < json_array_size(in); i++)
		if (cb(r, json_array_get(in, i), variables, arg))
			return true;
	return false;
}

static bool
action_is(const struct reference_request *r, const json_t *value,
    bool variables, const void *arg)
{
	char want[TEXT_MAX], got[128];
	size_t i;

	(void)variables;
	(void)arg;
	snprintf(want, sizeof(want), "%s", json_string_value(value));
	snprintf(got, sizeof(got), "kafka-cluster:%s", r->action);
	for (i = 0; want[i] != '\0'; i++)
		want[i] = (char)tolower((unsigned char)want[i]);
	for (i = 0; got[i] != '\0'; i++)
		got[i] = (char)tolower((unsigned char)got[i]);
	return reference_glob(want, strlen(want), got, strlen(got));
}

static bool
resource_is(const struct reference_request *r, const json_t *value,
    bool variables, const void *arg)
{
	static struct chars p;
	char text[TEXT_MAX];
	int colons = 0;

	snprintf(text, sizeof(text), "%s", json_string_value(value));
	if (strlen(text) + 16 > sizeof(text))
		unknown = true;
	for (const char *c = text; *c != '\0'; c++)
		colons += *c == ':';
	for (; colons < 5 && strcmp(text, "*") != 0 && strlen(text) + 16 <
	    sizeof(text); colons++)
		snprintf(text + strlen(text), 3, ":*");
	expand(r, text, strlen(text), variables, true, &p);
	if (p.missing && arg != NULL)
		*(bool *)(uintptr_t)arg = true;
	return matches_text(&p, r->arn, strlen(r->arn));
}

/* ---- conditions ---- */

struct compare {
	const char	*op;
	const char	*value;		/* the request's */
};

static bool
arn_is(const struct reference_request *r, const char *want, const char *got,
    bool variables)
{
	static struct chars p;
	const char *end;

	if (strncmp(got, "arn:", 4) != 0)
		return false;
	if (strcmp(want, "*") == 0)
		return true;
	if (strncmp(want, "${", 2) == 0) {
		expand(r, want, strlen(want), variables, true, &p);
		return matches_text(&p, got, strlen(got));
	}
	for (int i = 0; i < 6; i++) {
		/* Colons within ${} are none. */
		for (end = want; *end != '\0' && (i == 5 || *end != ':'); end++)
			if (variables && end[0] == '$' && end[1] == '{' &&
			    strchr(end, '}') != NULL)
				end = strchr(end, '}');
		expand(r, want, (size_t)(end - want), variables, true, &p);
		want = *end ? end + 1 : end;
		end = i == 5 ? got + strlen(got) : strchr(got, ':');
		if (end == NULL || !matches_text(&p, got,
		    (size_t)(end - got)))
			return false;
		got = end + 1;
	}
	return true;
}

static bool
string_is(const struct reference_request *r, const char *op, const char *want,
    const char *got, bool variables)
{
	static struct chars p, t;

	if (strstr(op, "Like") != NULL) {
		expand(r, want, strlen(want), variables, true, &p);
		return matches_text(&p, got, strlen(got));
	}
	expand(r, want, strlen(want), variables, false, &p);
	t.n = 0;
	add_text(&t, got, strlen(got));
	if (p.missing || p.n != t.n)
		return false;
	for (size_t i = 0; i < p.n; i++) {
		bool fold = strstr(op, "IgnoreCase") != NULL && p.v[i] < 128 &&
		    t.v[i] < 128;

		if (fold ? tolower(p.v[i]) != tolower(t.v[i]) :
		    p.v[i] != t.v[i])
			return false;
	}
	return true;
}

static bool
number_is(const char *op, const json_t *value, const char *got)
{
	double want = json_is_number(value) ? json_number_value(value) :
	    strtod(json_string_value(value), NULL);
	char *end;
	double n = strtod(got, &end);

	/* strtod takes more than there are numbers of policies. */
	if (got[strspn(got, "0123456789")] != '\0' || *got == '\0')
		return false;
	if (strstr(op, "LessThanEquals"))
		return n <= want;
	if (strstr(op, "LessThan"))
		return n < want;
	if (strstr(op, "GreaterThanEquals"))
		return n >= want;
	if (strstr(op, "GreaterThan"))
		return n > want;
	return n == want;
}

static bool
flag_of(const json_t *value)
{
	return json_is_true(value) || (json_is_string(value) &&
	    strcasecmp(json_string_value(value), "true") == 0);
}

/* As if no operator had a Not in it. */
static bool
value_is(const struct reference_request *r, const json_t *value, bool variables,
    const void *arg)
{
	const struct compare *c = arg;
	const char *want = json_string_value(value);

	if (strncmp(c->op, "String", 6) == 0)
		return string_is(r, c->op, want, c->value, variables);
	if (strncmp(c->op, "Arn", 3) == 0)
		return arn_is(r, want, c->value, variables);
	if (strncmp(c->op, "Numeric", 7) == 0)
		return number_is(c->op, value, c->value);
	if (strncmp(c->op, "Bool", 4) == 0)
		return strcasecmp(c->value, flag_of(value) ? "true" :
		    "false") == 0;
	unknown = true;
	return false;
}

static bool
null_is(const struct reference_request *r, const json_t *value, bool variables,
    const void *arg)
{
	(void)r;
	(void)variables;
	return flag_of(value) != (arg != NULL);
}

/* Long: the table of set operators and missing keys, as AWS's pages say it. */
static bool
condition_is(const struct reference_request *r, const char *full,
    const char *key, json_t *values, bool variables)
{
	const struct reference_key *k = find_key(r, key, strlen(key));
	bool present = k != NULL && k->values[0] != NULL;
	bool all = strncmp(full, "ForAllValues:", 13) == 0;
	bool any = strncmp(full, "ForAnyValue:", 12) == 0;
	const char *op = strchr(full, ':') ? strchr(full, ':') + 1 : full;
	bool negated = strstr(op, "Not") != NULL;
	bool if_exists = strlen(op) > 8 &&
	    strcmp(op + strlen(op) - 8, "IfExists") == 0;
	int yes = 0, no = 0;

	if (strcmp(op, "Null") == 0)
		return any_of(r, values, variables, null_is,
		    present ? k : NULL);
	if (!present) {
		if (if_exists || all)
			return true;
		return any ? false : negated;
	}
	for (int i = 0; k->values[i] != NULL; i++) {
		struct compare c = { op, k->values[i] };

		if (any_of(r, values, variables, value_is, &c))
			yes++;
		else
			no++;
	}
	if (all)
		return negated ? yes == 0 : no == 0;
	if (any)
		return negated ? no > 0 : yes > 0;
	return negated ? yes == 0 : yes > 0;
}

static bool
conditions_are(const struct reference_request *r, json_t *in, bool variables)
{
	const char *op, *key;
	json_t *keys, *values;

	json_object_foreach(in, op, keys)
		json_object_foreach(keys, key, values)
			if (!condition_is(r, op, key, values, variables))
				return false;
	return true;
}

/* ---- documents ---- */

static bool
applies(const struct reference_request *r, json_t *st, bool variables)
{
	json_t *action = json_object_get(st, "Action");
	json_t *not_action = json_object_get(st, "NotAction");
	json_t *resource = json_object_get(st, "Resource");
	json_t *not_resource = json_object_get(st, "NotResource");
	bool allow = strcmp(json_string_value(json_object_get(st, "Effect")),
	    "Allow") == 0;
	bool missing = false, listed;

	if (action && !any_of(r, action, variables, action_is, NULL))
		return false;
	if (not_action && any_of(r, not_action, variables, action_is, NULL))
		return false;
	if (resource && !any_of(r, resource, variables, resource_is, NULL))
		return false;
	if (not_resource) {
		listed = any_of(r, not_resource, variables, resource_is,
		    &missing);
		/* A variable without a value lets an Allow allow nothing. */
		if (listed || (allow && missing))
			return false;
	}
	return conditions_are(r, json_object_get(st, "Condition"), variables);
}

static bool
has(const struct reference_request *r, json_t *document, const char *effect)
{
	json_t *version = json_object_get(document, "Version");
	json_t *sts = json_object_get(document, "Statement");
	bool variables = version != NULL &&
	    strcmp(json_string_value(version), "2012-10-17") == 0;
	size_t n = json_is_array(sts) ? json_array_size(sts) : 1;

	for (size_t i = 0; i < n; i++) {
		json_t *st = json_is_array(sts) ? json_array_get(sts, i) : sts;

		if (strcmp(json_string_value(json_object_get(st, "Effect")),
		    effect) == 0 && applies(r, st, variables))
			return true;
	}
	return false;
}

enum reference_answer
reference_decide(json_t *const *documents, size_t n, json_t *session,
    const struct reference_request *r)
{
	bool allowed = false, denied = false;

	unknown = false;
	steps = 0;
	for (size_t i = 0; i < n; i++) {
		allowed |= has(r, documents[i], "Allow");
		denied |= has(r, documents[i], "Deny");
	}
	if (session != NULL) {
		allowed &= has(r, session, "Allow");
		denied |= has(r, session, "Deny");
	}
	if (unknown)
		return REFERENCE_UNKNOWN;
	return allowed && !denied ? REFERENCE_YES : REFERENCE_NO;
}
