/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/names.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "routing/cluster.h"

/* Names that begin with `physical` are shown with `as` in its place. */
struct pattern {
	struct slice	 physical, as;
};

/* The adopted names of one kind. */
struct adopted {
	struct htab	*by_name;	/* -> struct pattern, of one name */
	struct htab	*by_physical;
	struct pattern	 patterns[NAMES_PATTERNS_MAX];
	uint32_t	 pattern_count;
};

struct prefixes {
	atomic_int	 refs;
	struct htab	*all;		/* first parts, with their '.' */
};

struct names {
	struct slice	 prefix;	/* null: shared */
	struct adopted	 adopted[NAME_KINDS];
	struct prefixes	*others;	/* with one's own; NULL: none */
	struct arena	 arena;		/* texts and pairs */
};

/* ---- making ---- */

struct names *
names_new(const char *prefix)
{
	struct names *n = mem_zalloc(sizeof(*n));

	arena_init(&n->arena, 0);
	n->prefix = arena_slice(&n->arena, slice_of(prefix));
	for (int i = 0; i < NAME_KINDS; i++) {
		n->adopted[i].by_name = htab_new();
		n->adopted[i].by_physical = htab_new();
	}
	return n;
}

void
names_free(struct names *n)
{
	if (n == NULL)
		return;
	for (int i = 0; i < NAME_KINDS; i++) {
		htab_free(n->adopted[i].by_name, NULL);
		htab_free(n->adopted[i].by_physical, NULL);
	}
	prefixes_unref(n->others);
	arena_fini(&n->arena);
	free(n);
}

struct prefixes *
prefixes_new(void)
{
	struct prefixes *p = mem_zalloc(sizeof(*p));

	atomic_init(&p->refs, 1);
	p->all = htab_new();
	return p;
}

void
prefixes_add(struct prefixes *p, const char *prefix)
{
	htab_set(p->all, slice_of(prefix), p);
}

void
prefixes_unref(struct prefixes *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	htab_free(p->all, NULL);
	free(p);
}

void
names_except(struct names *n, struct prefixes *others)
{
	atomic_fetch_add(&others->refs, 1);
	n->others = others;
}

static bool
begins_with(struct slice s, struct slice with)
{
	return s.len >= with.len &&
	    (with.len == 0 || memcmp(s.data, with.data, with.len) == 0);
}

static struct slice
behind(struct slice s, struct slice prefix)
{
	return (struct slice){ s.data + prefix.len, s.len - prefix.len };
}

/* One is the beginning of the other. */
static bool
overlap(struct slice a, struct slice b)
{
	return begins_with(a, b) || begins_with(b, a);
}

static bool
adopt_pattern(struct names *n, struct adopted *a, struct pattern p,
    struct error *err)
{
	if (a->pattern_count == NAMES_PATTERNS_MAX)
		return error_set(err, "there are more than %d names with a "
		    "star", NAMES_PATTERNS_MAX);
	if (p.as.len == 0)
		return error_set(err, "every name of the tenant would be one "
		    "of these");
	if (overlap(p.physical, n->prefix))
		return error_set(err, "it takes in names that are the tenant's "
		    "own");
	for (uint32_t i = 0; i < a->pattern_count; i++)
		if (overlap(a->patterns[i].physical, p.physical) ||
		    overlap(a->patterns[i].as, p.as))
			return error_set(err, "it overlaps with %.*s*",
			    SLICE_FMT(a->patterns[i].physical));
	a->patterns[a->pattern_count++] = p;
	return true;
}

static bool
adopt_name(struct names *n, struct adopted *a, struct pattern p,
    struct error *err)
{
	struct pattern *kept;

	if (p.physical.len == 0 || p.as.len == 0)
		return error_set(err, "a name is empty");
	if (htab_count(a->by_name) >= NAMES_ADOPTED_MAX)
		return error_set(err, "there are more than %d names",
		    NAMES_ADOPTED_MAX);
	if (begins_with(p.physical, n->prefix))
		return error_set(err, "it is the tenant's own already");
	if (htab_get(a->by_physical, p.physical) != NULL)
		return error_set(err, "it is adopted twice");
	if (htab_get(a->by_name, p.as) != NULL)
		return error_set(err, "another one is shown as %.*s",
		    SLICE_FMT(p.as));
	kept = ARENA_NEW(&n->arena, struct pattern);
	*kept = p;
	htab_set(a->by_name, p.as, kept);
	htab_set(a->by_physical, p.physical, kept);
	return true;
}

static bool
is_topic_text(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (s.data[i] == '\0' || (!isalnum(s.data[i]) &&
		    strchr("._-", s.data[i]) == NULL))
			return false;
	return s.len <= NAMES_TOPIC_MAX;
}

bool
names_topic_valid(struct slice name)
{
	return is_topic_text(name) && name.len > 0 && !slice_is(name, ".") &&
	    !slice_is(name, "..");
}

/* Both without their stars. */
static bool
check_topics(struct pattern p, bool star, struct error *err)
{
	if (star ? !is_topic_text(p.as) : !names_topic_valid(p.as))
		return error_set(err, "%.*s is no name for a topic",
		    SLICE_FMT(p.as));
	if (p.physical.len > 0 && topic_reserved(p.physical, star))
		return error_set(err, "it %s a topic of the brokers' own",
		    star ? "takes in" : "is");
	return true;
}

bool
names_adopt(struct names *n, enum name_kind kind, const char *physical,
    const char *as, struct error *err)
{
	struct pattern p = {
		arena_slice(&n->arena, slice_of(physical)),
		arena_slice(&n->arena, slice_of(as)),
	};
	bool star = p.physical.len > 0 &&
	    p.physical.data[p.physical.len - 1] == '*';

	if (n->prefix.data == NULL)
		return error_set(err, "in a shared namespace names are as they "
		    "are: policies say what is seen");
	if (star != (p.as.len > 0 && p.as.data[p.as.len - 1] == '*'))
		return error_set(err, "both names must end in a star, or "
		    "none");
	p.physical.len -= star;
	p.as.len -= star;
	if (kind == NAME_TOPIC && p.as.len > 0 && !check_topics(p, star, err))
		return false;
	return star ? adopt_pattern(n, &n->adopted[kind], p, err) :
	    adopt_name(n, &n->adopted[kind], p, err);
}

/* ---- the mapping ---- */

/* As a topic, Kafka refuses it under any circumstances. */
static bool
impossible(enum name_kind kind, struct slice s)
{
	return kind == NAME_TOPIC && (s.len == 0 || slice_is(s, ".") ||
	    slice_is(s, ".."));
}

static bool
join(struct arena *a, struct slice x, struct slice y, struct slice *joined)
{
	size_t len = (size_t)x.len + y.len;
	uint8_t *to = len > NAMES_LONG ? NULL : arena_try(a, len + 1);

	if (to == NULL)
		return false;
	if (x.len > 0)
		memcpy(to, x.data, x.len);
	if (y.len > 0)
		memcpy(to + x.len, y.data, y.len);
	*joined = (struct slice){ to, (uint32_t)len };
	return true;
}

/* The rule by which the name is an adopted one; NULL: there is none. */
static const struct pattern *
rule_of_name(const struct adopted *a, struct slice name)
{
	const struct pattern *p = htab_get(a->by_name, name);

	for (uint32_t i = 0; p == NULL && i < a->pattern_count; i++)
		if (begins_with(name, a->patterns[i].as))
			p = &a->patterns[i];
	return p;
}

static const struct pattern *
rule_of_physical(const struct adopted *a, struct slice physical)
{
	const struct pattern *p = htab_get(a->by_physical, physical);

	for (uint32_t i = 0; p == NULL && i < a->pattern_count; i++)
		if (begins_with(physical, a->patterns[i].physical))
			p = &a->patterns[i];
	return p;
}

static bool
adopts(const struct adopted *a)
{
	return a->pattern_count > 0 || htab_count(a->by_name) > 0;
}

bool
names_inward(const struct names *n, enum name_kind kind, struct slice name,
    struct slice *physical, struct arena *a)
{
	const struct pattern *p;

	*physical = name;
	if (n == NULL || name.data == NULL || n->prefix.data == NULL ||
	    impossible(kind, name))
		return true;
	p = adopts(&n->adopted[kind]) ?
	    rule_of_name(&n->adopted[kind], name) : NULL;
	if (p != NULL)
		return join(a, p->physical, behind(name, p->as), physical);
	return join(a, n->prefix, name, physical);
}

/* Up to and with the first '.'. */
static struct slice
first_part(struct slice s)
{
	const uint8_t *dot = s.len > 0 ? memchr(s.data, '.', s.len) : NULL;

	return (struct slice){ s.data, dot == NULL ? 0 :
	    (uint32_t)(dot - s.data) + 1 };
}

enum { FIRST_PART_MAX = 128 };		/* more than a tenant's prefix has */

bool
names_near_others(const struct names *n, struct slice physical)
{
	uint8_t part[FIRST_PART_MAX];
	struct slice prefix = { part, 0 };

	if (n == NULL || n->others == NULL)
		return false;
	while (prefix.len < physical.len &&
	    physical.data[prefix.len] != '.' &&
	    physical.data[prefix.len] != '_') {
		if (prefix.len == sizeof(part) - 1)
			return false;
		part[prefix.len] = physical.data[prefix.len];
		prefix.len++;
	}
	if (prefix.len == physical.len)
		return false;
	part[prefix.len++] = '.';
	return !slice_eq(prefix, n->prefix) &&
	    htab_get(n->others->all, prefix) != NULL;
}

static bool
adopted_outward(const struct adopted *adopted, struct slice physical,
    struct slice *name, struct arena *a)
{
	const struct pattern *p = rule_of_physical(adopted, physical);
	struct slice rest;

	if (p == NULL)
		return false;
	rest = behind(physical, p->physical);
	if (slice_eq(p->physical, p->as))
		*name = physical;
	else if (!join(a, p->as, rest, name))
		return false;
	/* A rule for just that name goes before one with a star. */
	return rule_of_name(adopted, *name) == p;
}

bool
names_outward(const struct names *n, enum name_kind kind,
    struct slice physical, struct slice *name, struct arena *a)
{
	const struct adopted *adopted;

	*name = physical;
	if (n == NULL || physical.data == NULL || impossible(kind, physical))
		return true;
	if (n->prefix.data == NULL)
		return n->others == NULL || htab_get(n->others->all,
		    first_part(physical)) == NULL;
	adopted = &n->adopted[kind];
	if (!begins_with(physical, n->prefix))
		return adopts(adopted) &&
		    adopted_outward(adopted, physical, name, a);
	*name = behind(physical, n->prefix);
	return !impossible(kind, *name) &&
	    (!adopts(adopted) || rule_of_name(adopted, *name) == NULL);
}

struct keeping {
	const struct names	*now;
	const struct adopted	*before;	/* of that kind */
	enum name_kind		 kind;
	struct arena		 arena;
};

static bool
keeps_name(void *arg, struct slice physical, void *value)
{
	struct keeping *k = arg;
	const struct pattern *p = value;
	struct slice name;

	return names_outward(k->now, k->kind, physical, &name, &k->arena) &&
	    slice_eq(name, p->as);
}

/* A name of its own now, which a star of before showed as well: it must be the
 * same. */
static bool
keeps_shown(void *arg, struct slice name, void *value)
{
	struct keeping *k = arg;
	const struct pattern *p = value, *was = rule_of_name(k->before, name);
	struct slice physical;

	return was == NULL || (join(&k->arena, was->physical, behind(name,
	    was->as), &physical) && slice_eq(physical, p->physical));
}

static bool
keeps_pattern(const struct adopted *now, const struct pattern *p)
{
	for (uint32_t i = 0; i < now->pattern_count; i++)
		if (slice_eq(now->patterns[i].physical, p->physical) &&
		    slice_eq(now->patterns[i].as, p->as))
			return true;
	return false;
}

bool
names_keep(const struct names *now, const struct names *before)
{
	struct keeping k = { .now = now };
	bool all = true;

	arena_init(&k.arena, 0);
	for (int i = 0; all && i < NAME_KINDS; i++) {
		const struct adopted *a = &before->adopted[i];

		k.kind = (enum name_kind)i;
		k.before = a;
		for (uint32_t j = 0; all && j < a->pattern_count; j++)
			all = keeps_pattern(&now->adopted[i],
			    &a->patterns[j]);
		all = all && htab_each(a->by_physical, keeps_name, &k) &&
		    htab_each(now->adopted[i].by_name, keeps_shown, &k);
	}
	arena_fini(&k.arena);
	return all;
}

bool
names_owns(const struct names *n, enum name_kind kind, struct slice physical)
{
	_Alignas(8) char memory[512];
	struct arena a;
	struct slice name;
	bool owns;

	arena_init_in(&a, 0, memory, sizeof(memory));
	owns = names_outward(n, kind, physical, &name, &a);
	arena_fini(&a);
	return owns;
}

struct slice
names_prefix(const struct names *n)
{
	return n != NULL ? n->prefix : SLICE_NULL;
}

/* RE2 has no way to say "none of these", and what an adopted name is shown as
 * brokers do not know. */
const char *
names_regex_refused(const struct names *n)
{
	if (n == NULL)
		return NULL;
	if (n->prefix.data == NULL)
		return n->others == NULL || htab_count(n->others->all) == 0 ?
		    NULL : "brokers would hold it against other tenants' "
		    "topics, too: subscribe to names, or with "
		    "group.protocol=classic";
	return !adopts(&n->adopted[NAME_TOPIC]) ? NULL : "brokers would not "
	    "find the topics that were adopted: subscribe to names, or with "
	    "group.protocol=classic";
}

struct ranges {
	const struct names	*n;
	const struct adopted	*adopted;
	void			(*cb)(void *arg, struct slice physical,
				    bool whole);
	void			*arg;
};

static bool
show_name(void *arg, struct slice key, void *value)
{
	struct ranges *r = arg;

	(void)value;
	/* One that a pattern takes in comes with that. */
	for (uint32_t i = 0; i < r->adopted->pattern_count; i++)
		if (begins_with(key, r->adopted->patterns[i].physical))
			return true;
	r->cb(r->arg, key, true);
	return true;
}

void
names_ranges(const struct names *n, enum name_kind kind,
    void (*cb)(void *arg, struct slice physical, bool whole), void *arg)
{
	struct ranges r = { n, NULL, cb, arg };

	if (n == NULL || n->prefix.data == NULL) {
		cb(arg, SLICE_LIT(""), false);
		return;
	}
	r.adopted = &n->adopted[kind];
	cb(arg, n->prefix, false);
	for (uint32_t i = 0; i < r.adopted->pattern_count; i++)
		cb(arg, r.adopted->patterns[i].physical, false);
	htab_each(r.adopted->by_physical, show_name, &r);
}
