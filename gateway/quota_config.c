/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/quota_config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/mem.h"
#include "gateway/base/wildcard.h"
#include "gateway/config.h"
#include "quota/limits.h"

enum { PATH_SIZE = 128 };

static const char unlimited[] = "unlimited";

/* Who reads a list of rows. */
enum reader { READER_TENANT, READER_NODE, READER_NODE_AND_CLIENTS };

struct place {
	struct error_list	*errs;
	const char		*path;		/* of the list */
	enum reader		 reader;
};

/* Of row i; member "": of the row as a whole. */
__attribute__((format(printf, 4, 5))) static void
fault(const struct place *p, uint32_t i, const char *member, const char *fmt,
    ...)
{
	char path[PATH_SIZE], text[400];
	va_list ap;

	snprintf(path, sizeof(path), "%s[%u]%s%s", p->path, i,
	    member[0] != '\0' ? "." : "", member);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_list_add(p->errs, path, "%s", text);
}

/* ---- one row ---- */

static enum quota_scope
scope_of(const struct config_limit *c)
{
	return c->scope == CONFIG_LIMIT_AUTO ?
	    quota_dimension_scope((enum quota_dimension)c->dimension) :
	    (enum quota_scope)(c->scope - CONFIG_LIMIT_TENANT);
}

/* "tenant, principal, client or node" */
static void
scope_words(unsigned scopes, char *to, size_t size)
{
	size_t n = 0;

	to[0] = '\0';
	for (unsigned s = 0; s < QUOTA_SCOPES && n < size; s++) {
		bool last = scopes >> s == 1;

		if ((scopes & 1u << s) != 0)
			n += (size_t)snprintf(to + n, size - n, "%s%s",
			    n == 0 ? "" : last ? " or " : ", ",
			    quota_scope_word((enum quota_scope)s));
	}
}

static void
check_scope(const struct place *p, uint32_t i, const struct config_limit *c,
    enum quota_scope s)
{
	const struct quota_dimension_row *d = quota_dimension(
	    (enum quota_dimension)c->dimension);
	char words[64];

	if ((d->scopes & 1u << s) == 0) {
		scope_words(d->scopes, words, sizeof(words));
		fault(p, i, "scope", "of %s may be %s, not %s", d->word, words,
		    quota_scope_word(s));
	} else if (s == QUOTA_NODE && p->reader == READER_TENANT) {
		fault(p, i, "scope", "may be node only in quota.limits of the "
		    "configuration");
	} else if (s != QUOTA_NODE && p->reader == READER_NODE) {
		fault(p, i, "scope", "has no effect unless it is node: with "
		    "tenants_dir each client is a tenant's, whose file or "
		    "profile has its limits");
	}
}

static void
check_patterns(const struct place *p, uint32_t i, const struct config_limit *c,
    enum quota_scope s)
{
	const struct {
		const char	*member, *value;
		bool		 used;
	} all[] = {
		{ "principal", c->principal, s == QUOTA_PRINCIPAL ||
		    s == QUOTA_CLIENT },
		{ "client_id", c->client_id, s == QUOTA_CLIENT },
		{ "topic", c->topic, s == QUOTA_PARTITION },
	};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
		if (all[k].value != NULL && !all[k].used)
			fault(p, i, all[k].member, "has no effect with scope "
			    "%s", quota_scope_word(s));
}

static void
check_value(const struct place *p, uint32_t i, const struct config_limit *c)
{
	const enum quota_dimension dim = (enum quota_dimension)c->dimension;
	const struct quota_dimension_row *d = quota_dimension(dim);
	int64_t max = quota_value_max(dim);
	int min = c->mode != QUOTA_OFF && d->kind != QUOTA_COUNT;

	if (c->value < (uint64_t)min || c->value > (uint64_t)max)
		fault(p, i, "value", "must be between %d and %" PRId64 " %s, "
		    "but is %" PRIu64, min, max, d->unit, c->value);
	if (c->burst != 0 && quota_burst(dim, 1) == 0)
		fault(p, i, "burst", "has no effect: %s is not limited by "
		    "time", d->word);
}

/* Nobody watches each partition for it, and nothing is used of the size of one
 * thing. */
static void
check_warnings(const struct place *p, uint32_t i, const struct config_limit *c,
    enum quota_scope s)
{
	const enum quota_dimension dim = (enum quota_dimension)c->dimension;

	if (!c->warn_percent.given || c->warn_percent.n == 0)
		return;
	if (s == QUOTA_PARTITION)
		fault(p, i, "warn_percent", "has no effect with scope "
		    "partition");
	else if (dim == QUOTA_DIM_MESSAGE_BYTES ||
	    dim == QUOTA_DIM_FETCH_BYTES || dim == QUOTA_DIM_COMPACTED_BYTES)
		fault(p, i, "warn_percent", "has no effect: %s is the size "
		    "of one", quota_dimension(dim)->word);
}

/* Whether all that b fits a fits, too; false when that is not plain to see. */
static bool
pattern_covers(const char *a, const char *b)
{
	if (a == NULL || strcmp(a, "*") == 0)
		return true;
	if (b == NULL)
		return false;
	return strcmp(a, b) == 0 || (!wildcard_is(b) &&
	    wildcard_fits(a, slice_of(b)));
}

static void
check_reached(const struct place *p, uint32_t i, const struct config_limit *v)
{
	for (uint32_t j = 0; j < i; j++) {
		if (v[j].dimension != v[i].dimension ||
		    scope_of(&v[j]) != scope_of(&v[i]) ||
		    !pattern_covers(v[j].principal, v[i].principal) ||
		    !pattern_covers(v[j].client_id, v[i].client_id) ||
		    !pattern_covers(v[j].topic, v[i].topic))
			continue;
		fault(p, i, "", "never counts: %s[%u] has the same dimension "
		    "and scope, stands before it and fits whatever it does",
		    p->path, j);
		return;
	}
}

static char *
copy_text(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static void
make_row(const struct config_limit *c, struct limit *to)
{
	const enum quota_dimension dim = (enum quota_dimension)c->dimension;

	to->dimension = (uint8_t)c->dimension;
	to->scope = (uint8_t)scope_of(c);
	to->mode = (uint8_t)c->mode;
	if (c->warn_percent.given)
		memcpy(to->warn, c->warn_percent.v, c->warn_percent.n);
	else
		memcpy(to->warn, limit_warnings, sizeof(to->warn));
	to->principal = copy_text(c->principal);
	to->client_id = copy_text(c->client_id);
	to->topic = copy_text(c->topic);
	to->value = (int64_t)c->value;
	to->burst = c->burst != 0 ? (int64_t)c->burst :
	    quota_burst(dim, to->value);
}

/* ---- lists ---- */

/* With its faults; the caller's to unref. */
static struct limits *
make(const struct place *p, const char *name,
    const struct config_limit_list *l)
{
	struct limits *to = limits_new(name, l->n);

	for (uint32_t i = 0; i < l->n; i++) {
		enum quota_scope s = scope_of(&l->v[i]);

		check_scope(p, i, &l->v[i], s);
		check_patterns(p, i, &l->v[i], s);
		check_value(p, i, &l->v[i]);
		check_warnings(p, i, &l->v[i], s);
		check_reached(p, i, l->v);
		make_row(&l->v[i], &to->v[i]);
	}
	return to;
}

/* A new reference, or NULL. */
static struct limits *
find_profile(const struct config_quota *q, const char *name)
{
	for (uint32_t i = 0; i < q->profiles.n; i++)
		if (strcmp(q->profiles.v[i].name, name) == 0)
			return limits_ref(q->profiles.v[i].made);
	return limits_builtin(name);
}

/* A new reference to it, or to the one without limits with a fault. */
static struct limits *
need_profile(const struct config_quota *q, const char *name,
    struct error_list *errs)
{
	struct limits *to = find_profile(q, name);

	if (to != NULL)
		return to;
	error_list_add(errs, "quota.profile", "there is no profile %s: "
	    "msk-serverless, dev and unlimited are built in, others stand in "
	    "quota.profiles of the configuration", name);
	return limits_builtin(unlimited);
}

static void
check_name(const struct config_quota *q, uint32_t i, struct error_list *errs)
{
	const char *name = q->profiles.v[i].name;
	struct limits *builtin = limits_builtin(name);
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "quota.profiles[%u].name", i);
	if (builtin != NULL)
		error_list_add(errs, path, "%s is built in", name);
	limits_unref(builtin);
	for (uint32_t j = 0; j < i; j++)
		if (strcmp(q->profiles.v[j].name, name) == 0)
			error_list_add(errs, path, "is the same as "
			    "quota.profiles[%u].name", j);
}

static void
make_profile(struct config_quota *q, uint32_t i, struct error_list *errs)
{
	struct config_quota_profile *c = &q->profiles.v[i];
	char path[PATH_SIZE];
	struct place p = { errs, path, READER_TENANT };

	snprintf(path, sizeof(path), "quota.profiles[%u].limits", i);
	check_name(q, i, errs);
	c->made = make(&p, c->name, &c->limits);
}

bool
quota_config_make(struct config *c, struct error_list *errs)
{
	struct config_quota *q = &c->quota;
	struct place p = { errs, "quota.limits", c->tenants_dir != NULL ?
		READER_NODE : READER_NODE_AND_CLIENTS };
	uint32_t before = errs->n;
	struct limits *own, *profile;

	for (uint32_t i = 0; i < q->profiles.n; i++)
		make_profile(q, i, errs);
	own = make(&p, unlimited, &q->limits);
	profile = need_profile(q, q->profile, errs);
	/* Where there are tenants, the profile is theirs. */
	if (p.reader == READER_NODE) {
		limits_unref(profile);
		profile = limits_builtin(unlimited);
	}
	q->made = limits_join(own, profile);
	limits_unref(own);
	limits_unref(profile);
	return errs->n == before;
}

void
quota_config_free(struct config *c)
{
	struct config_quota *q = &c->quota;

	for (uint32_t i = 0; i < q->profiles.n; i++)
		limits_unref(q->profiles.v[i].made);
	limits_unref(q->made);
}

struct limits *
quota_config_tenant(const struct config *c,
    const struct config_tenant_quota *q, struct error_list *errs)
{
	struct place p = { errs, "quota.limits", READER_TENANT };
	const char *name = q->profile != NULL ? q->profile :
	    c->quota.profile != NULL ? c->quota.profile : unlimited;
	struct limits *profile = need_profile(&c->quota, name, errs), *own, *to;

	own = make(&p, profile->profile, &q->limits);
	to = limits_join(own, profile);
	limits_unref(own);
	limits_unref(profile);
	return to;
}
