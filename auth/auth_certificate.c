/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The principal of a client certificate, by ordered rules (auth.h).
 *
 * A star takes as little as it can, the last one the rest. In a subject, which
 * is RFC 2253 text, no star ends within an escaped pair: "CN=x\,OU=ops" is one
 * name with a comma in it, and does not fit "CN=*,OU=ops".
 */
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/auth_private.h"
#include "gateway/base/mem.h"

enum { STARS_MAX = AUTH_STARS_MAX, NAME_SIZE = PRINCIPAL_NAME_MAX + 1 };

/* ---- matching ---- */

struct stars {
	struct slice	 v[STARS_MAX];
	uint32_t	 n;
};

/* Whether the byte at `at` is the second of an escaped pair. */
static bool
is_escaped(struct slice text, uint32_t at)
{
	uint32_t n = 0;

	while (n < at && text.data[at - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

/* Whether `text` goes on at `at` with the pattern up to its next star. */
static bool
goes_on(struct slice text, uint32_t at, const char *pattern, size_t len)
{
	return len <= text.len - at &&
	    memcmp(text.data + at, pattern, len) == 0;
}

/* One star at `from`, then `literal`: where that begins, or -1. */
static int64_t
find_literal(struct slice text, uint32_t from, const char *literal,
    size_t len, bool last, bool escapes)
{
	if (last && text.len - from < len)
		return -1;
	for (uint32_t at = last ? text.len - (uint32_t)len : from;
	    at <= text.len && text.len - at >= len; at++)
		if (goes_on(text, at, literal, len) &&
		    !(escapes && is_escaped(text, at)))
			return at;
	return -1;
}

static bool
matches(const char *pattern, struct slice text, bool escapes, struct stars *to)
{
	size_t len = strcspn(pattern, "*");
	uint32_t at = (uint32_t)len;

	to->n = 0;
	if (!goes_on(text, 0, pattern, len))
		return false;
	pattern += len;
	while (*pattern == '*') {
		const char *literal = pattern + 1;
		size_t n = strcspn(literal, "*");
		int64_t next = find_literal(text, at, literal, n,
		    literal[n] == '\0', escapes);

		if (next < 0 || to->n == STARS_MAX)
			return false;
		to->v[to->n++] = (struct slice){ text.data + at,
		    (uint32_t)next - at };
		at = (uint32_t)next + (uint32_t)n;
		pattern = literal + n;
	}
	return at == text.len;
}

/* ---- names ---- */

static bool
add(char to[NAME_SIZE], size_t *n, const char *text, size_t len)
{
	if (*n + len >= NAME_SIZE)
		return false;
	memcpy(to + *n, text, len);
	*n += len;
	return true;
}

/* What a star stands for, so that no name has a wildcard in it. */
static bool
add_star(char to[NAME_SIZE], size_t *n, struct slice text)
{
	char escaped[NAME_SIZE];

	return text.len == 0 || (principal_name_escape(text, escaped) &&
	    add(to, n, escaped, strlen(escaped)));
}

/* False: a name of no length, or too long a one. */
static bool
fill_in(const char *form, const struct stars *stars, char to[NAME_SIZE])
{
	size_t n = 0;
	bool ok = true;

	for (; ok && *form != '\0'; form++) {
		uint32_t i = form[0] == '$' && form[1] >= '1' &&
		    form[1] <= '9' ? (uint32_t)(form[1] - '0') : 0;

		if (i == 0) {
			ok = add(to, &n, form, 1);
			continue;
		}
		/* auth_certificate_check saw that the star is there. */
		ok = i <= stars->n && add_star(to, &n, stars->v[i - 1]);
		form++;
	}
	to[n] = '\0';
	return ok && n > 0;
}

/* ---- rules ---- */

/* The values of a certificate that a rule looks at. */
static const struct slice *
values_of(const struct auth_certificate *c, const char *from, uint32_t *n)
{
	*n = 1;
	if (strcmp(from, "subject") == 0)
		return &c->subject;
	if (strcmp(from, "cn") == 0)
		return &c->cn;
	*n = strcmp(from, "dns") == 0 ? c->dns_count :
	    strcmp(from, "uri") == 0 ? c->uri_count :
	    strcmp(from, "email") == 0 ? c->email_count : 0;
	return strcmp(from, "dns") == 0 ? c->dns :
	    strcmp(from, "uri") == 0 ? c->uri : c->email;
}

/* A zero byte in a name is how one was once made to look like another. */
static bool
is_usable(struct slice value)
{
	return value.data != NULL && value.len > 0 &&
	    value.len <= AUTH_CERTIFICATE_VALUE_MAX &&
	    memchr(value.data, '\0', value.len) == NULL;
}

static bool
rule_fits(const struct auth_certificate_rule *r,
    const struct auth_certificate *c, struct stars *stars)
{
	bool escapes = strcmp(r->from, "subject") == 0;
	uint32_t n;
	const struct slice *v = values_of(c, r->from, &n);

	for (uint32_t i = 0; i < n; i++)
		if (is_usable(v[i]) && matches(r->pattern, v[i], escapes,
		    stars))
			return true;
	return false;
}

static struct principal *
made_by(const struct auth *a, const struct auth_certificate_rule *r,
    const struct auth_certificate *c, const struct stars *stars,
    struct error *err)
{
	const struct policy_cluster *cluster = &auth_settings(a)->cluster;
	char name[NAME_SIZE], group[NAME_SIZE];
	struct principal *p;

	if (!fill_in(r->name, stars, name) ||
	    (r->group != NULL && !fill_in(r->group, stars, group))) {
		error_set(err, "the rule for \"%s\" makes no name of 1 to %d "
		    "characters", r->pattern, PRINCIPAL_NAME_MAX);
		return NULL;
	}
	p = principal_new(PRINCIPAL_CERTIFICATE, cluster->partition,
	    cluster->account, slice_of(name), SLICE_NULL);
	if (r->group != NULL)
		(void)principal_add_group(p, slice_of(group));
	memcpy(p->certificate, c->sha256, sizeof(p->certificate));
	p->has_certificate = true;
	p->expires_ms = c->not_after_ms;
	if (auth_complete(a, p, err))
		return p;
	principal_unref(p);
	return NULL;
}

struct principal *
auth_certificate_principal(const struct auth *a,
    const struct auth_certificate *c, struct error *err)
{
	const struct auth_settings *s = auth_settings(a);
	struct stars stars;

	for (uint32_t i = 0; i < s->rule_count; i++) {
		const struct auth_certificate_rule *r = &s->rules[i];

		if (!rule_fits(r, c, &stars))
			continue;
		if (strcmp(r->name, "deny") != 0)
			return made_by(a, r, c, &stars, err);
		error_set(err, "rule %u (\"%s\") refuses the certificate", i,
		    r->pattern);
		return NULL;
	}
	error_set(err, "no rule fits the certificate");
	return NULL;
}

/* ---- checked at load ---- */

static uint32_t
count_stars(const char *pattern)
{
	uint32_t n = 0;

	for (; *pattern != '\0'; pattern++)
		n += *pattern == '*';
	return n;
}

/* Names what is wrong with a name or group, or NULL. Its own characters must
 * be such as a name may have. */
static const char *
form_fault(const char *form, uint32_t stars)
{
	if (form[0] == '\0' || strlen(form) > PRINCIPAL_NAME_MAX)
		return "must have 1 to 256 characters";
	for (const char *p = form; *p != '\0'; p++) {
		if (*p == '$') {
			if (p[1] < '1' || p[1] > '9')
				return "has a $ without a number from 1 to 9";
			if ((uint32_t)(p[1] - '0') > stars)
				return "has a $ for a star that the pattern "
				    "does not have";
		} else if (*p <= ' ' || *p > '~' ||
		    strchr("*?/:", *p) != NULL) {
			return "has a character that no name may have";
		}
	}
	return NULL;
}

static void
check_rule(const struct auth_certificate_rule *r, const char *path,
    struct error_list *errs)
{
	static const char *const froms[] = {
		"subject", "cn", "dns", "uri", "email" };
	char where[64];
	uint32_t stars = r->pattern == NULL ? 0 : count_stars(r->pattern);
	const char *why;
	bool known = false;

	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++)
		known = known || (r->from != NULL &&
		    strcmp(r->from, froms[i]) == 0);
	snprintf(where, sizeof(where), "%s.from", path);
	if (!known)
		error_list_add(errs, where, "must be subject, cn, dns, uri or "
		    "email");
	snprintf(where, sizeof(where), "%s.pattern", path);
	if (r->pattern == NULL || r->pattern[0] == '\0' || stars > STARS_MAX)
		error_list_add(errs, where, "must be a text with at most %d "
		    "stars", STARS_MAX);
	else if (strstr(r->pattern, "**") != NULL)
		error_list_add(errs, where, "has two stars side by side");
	snprintf(where, sizeof(where), "%s.name", path);
	why = r->name == NULL ? "is required" : form_fault(r->name, stars);
	if (why != NULL)
		error_list_add(errs, where, "%s", why);
	snprintf(where, sizeof(where), "%s.group", path);
	why = r->group == NULL ? NULL : form_fault(r->group, stars);
	if (why != NULL)
		error_list_add(errs, where, "%s", why);
}

void
auth_certificate_check(const struct auth_settings *s,
    struct error_list *errs)
{
	char path[48];

	for (uint32_t i = 0; i < s->rule_count; i++) {
		snprintf(path, sizeof(path), "auth.certificates[%u]", i);
		check_rule(&s->rules[i], path, errs);
	}
}
