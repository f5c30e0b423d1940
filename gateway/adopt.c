/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/adopt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/arena.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/tenants.h"

static const struct {
	const char	*member;	/* of adopt in a tenant's file */
	const char	*one;		/* of them, for people */
} kinds[NAME_KINDS] = {
	{ "topics", "topic" },
	{ "groups", "group" },
	{ "transactional_ids", "transactional id" },
};

static const char first_text[] =
    "{ \"namespace\": \"prefixed\", \"members\": [] }";

enum state { ADOPTED, SEEN, BLOCKED };
static const char *const state_names[] = { "adopt", "seen", "blocked" };

struct row {
	const struct adopt_name	*of;
	struct slice		 as;
	enum state		 state;
	struct slice		 why;	/* what stands in the way, or is to be
					 * known; "" */
};

/* What one plan carries along. */
struct planning {
	const struct config		*config;
	const struct tenants		*all;
	const struct adopt_query	*query;
	struct tenants			*parsed;	/* of the file */
	const struct tenant		*tenant;	/* the one there */
	json_t				*doc;		/* the file */
	json_t				*rows, *notes;
	struct arena			 arena;
	bool				 changed;
	/* Of the kind at work. */
	enum name_kind			 kind;
	const struct adopt_names	*names;
	struct htab			*there;		/* all of them */
	struct names			*trial;
	struct row			*v;
	uint32_t			 n, adopted, blocked;
};

/* ---- patterns ---- */

static uint32_t
count_stars(const char *s)
{
	uint32_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '*';
	return n;
}

/* Whether the whole name fits; *star is what the only star stands for. */
static bool
fits(const char *pattern, struct slice name, struct slice *star)
{
	size_t len = strlen(pattern), first = strcspn(pattern, "*");
	size_t p = 0, at = 0, back_p = len + 1, back_at = 0;

	while (at < name.len) {
		if (p < len && pattern[p] == '*') {
			back_p = ++p;
			back_at = at;
		} else if (p < len && (uint8_t)pattern[p] == name.data[at]) {
			p++;
			at++;
		} else if (back_p <= len) {
			p = back_p;
			at = ++back_at;
		} else {
			return false;
		}
	}
	while (p < len && pattern[p] == '*')
		p++;
	if (p == len && count_stars(pattern) == 1)
		*star = (struct slice){ name.data + first,
		    (uint32_t)(name.len - (len - 1)) };
	return p == len;
}

/* The name as the tenant is to say it. */
static struct slice
shown_as(struct planning *p, struct slice name, struct slice star)
{
	const char *as = p->query->as;
	size_t before;

	if (as == NULL)
		return name;
	before = strcspn(as, "*");
	if (as[before] == '\0')
		return slice_of(as);
	return arena_printf(&p->arena, "%.*s%.*s%s", (int)before, as,
	    SLICE_FMT(star), as + before + 1);
}

bool
adopt_query_check(const struct adopt_query *q, struct error *err)
{
	bool any = false;

	if (q->tenant == NULL || !tenant_id_valid(slice_of(q->tenant)))
		return error_set(err, "tenant: an id is needed, made of a-z, "
		    "0-9 and -");
	if (q->as != NULL && (q->as[0] == '\0' ||
	    strlen(q->as) > ADOPT_PATTERN_MAX || count_stars(q->as) > 1))
		return error_set(err, "as: must be a name, with one star at "
		    "most");
	for (int i = 0; i < NAME_KINDS; i++) {
		const char *s = q->pattern[i];

		if (s == NULL)
			continue;
		any = true;
		if (s[0] == '\0' || strlen(s) > ADOPT_PATTERN_MAX)
			return error_set(err, "%s: a pattern has 1 to %d "
			    "characters", kinds[i].member, ADOPT_PATTERN_MAX);
		if (q->as != NULL && count_stars(s) != count_stars(q->as))
			return error_set(err, "as: must have a star where %s "
			    "has its one, and none where that has none",
			    kinds[i].member);
	}
	return any || error_set(err, "give a pattern: topics, groups or txns");
}

/* ---- what stands in the way ---- */

/* The tenant's names as its file has them, to be added to. */
static struct names *
new_trial(const struct planning *p)
{
	const struct config_tenant_adopt *a = &p->tenant->config->adopt;
	const struct config_tenant_adopted *v =
	    p->kind == NAME_TOPIC ? a->topics.v :
	    p->kind == NAME_GROUP ? a->groups.v : a->transactional_ids.v;
	uint32_t n = p->kind == NAME_TOPIC ? a->topics.n :
	    p->kind == NAME_GROUP ? a->groups.n : a->transactional_ids.n;
	struct slice prefix = names_prefix(p->tenant->names);
	char text[TENANT_ID_MAX + 2];
	struct names *to;

	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(prefix));
	to = names_new(prefix.data != NULL ? text : NULL);
	for (uint32_t i = 0; i < n; i++)
		(void)names_adopt(to, p->kind, v[i].name,
		    v[i].as != NULL ? v[i].as : v[i].name, NULL);
	return to;
}

static const char *
text_of(struct planning *p, struct slice s)
{
	return (const char *)arena_printf(&p->arena, "%.*s",
	    SLICE_FMT(s)).data;
}

/* Neither a terminal nor a file of JSON takes everything that brokers do. */
static bool
is_text(struct slice s)
{
	json_t *v = json_stringn((const char *)s.data, s.len);
	bool ok = v != NULL && s.len > 0;

	json_decref(v);
	for (uint32_t i = 0; i < s.len; i++)
		ok = ok && s.data[i] >= ' ' && s.data[i] != 0x7f;
	return ok;
}

/* For people: what is no text has marks in its place. */
static json_t *
shown(struct slice s)
{
	char *to;
	json_t *v;

	if (is_text(s))
		return json_stringn((const char *)s.data, s.len);
	to = mem_alloc((size_t)s.len + 1);
	for (uint32_t i = 0; i < s.len; i++)
		to[i] = s.data[i] >= ' ' && s.data[i] < 0x7f ?
		    (char)s.data[i] : '?';
	v = json_stringn(to, s.len);
	free(to);
	return v;
}

/* The other tenant behind whose prefix the name stands, or NULL. */
static const struct tenant *
owner_of(const struct planning *p, struct slice name)
{
	const uint8_t *dot = name.len > 0 ? memchr(name.data, '.', name.len) :
	    NULL;
	const struct tenant *t;

	if (dot == NULL)
		return NULL;
	t = tenants_get(p->all, (struct slice){ name.data,
	    (uint32_t)(dot - name.data) });
	return t != NULL && strcmp(t->id, p->tenant->id) != 0 &&
	    t->config->namespace != CONFIG_NAMESPACE_SHARED ? t : NULL;
}

static struct slice
block_foreign(struct planning *p, const struct adopt_name *name)
{
	const char *audit = p->config->auth.audit.topic;
	const struct tenant *t = owner_of(p, name->name);

	if (name->internal)
		return SLICE_LIT("it is a topic of the brokers' own");
	if (p->kind == NAME_TOPIC && audit != NULL &&
	    slice_is(name->name, audit))
		return SLICE_LIT("weir's audit stands there");
	if (t != NULL)
		return arena_printf(&p->arena, "it belongs to the prefixed "
		    "tenant %s", t->id);
	return SLICE_NULL;
}

/* What the name would hide, or why it cannot be adopted; null: nothing. When
 * nothing does, it is adopted on trial. */
static struct slice
block(struct planning *p, const struct row *r)
{
	struct slice name = r->of->name, was, why = block_foreign(p, r->of);
	struct error err;

	if (why.data != NULL)
		return why;
	if (name.data[name.len - 1] == '*' || r->as.data[r->as.len - 1] == '*')
		return SLICE_LIT("a name that ends in a star would be a rule "
		    "for many");
	if (p->kind == NAME_TOPIC && !names_topic_valid(r->as))
		return arena_printf(&p->arena, "%.*s is no name for a topic",
		    SLICE_FMT(r->as));
	if (names_inward(p->trial, p->kind, r->as, &was, &p->arena) &&
	    !slice_eq(was, name) && htab_get(p->there, was) != NULL)
		return arena_printf(&p->arena, "%.*s would hide %.*s, which "
		    "has that name for the tenant", SLICE_FMT(r->as),
		    SLICE_FMT(was));
	if (!names_adopt(p->trial, p->kind, text_of(p, name),
	    text_of(p, r->as), &err))
		return arena_slice(&p->arena, slice_of(err.text));
	return SLICE_NULL;
}

/* Who else has adopted it; that is no fault. */
static struct slice
also_adopted(struct planning *p, struct slice name)
{
	for (uint32_t i = 0; i < tenants_count(p->all); i++) {
		const struct tenant *t = tenants_at(p->all, i);

		if (t->config->namespace != CONFIG_NAMESPACE_SHARED &&
		    strcmp(t->id, p->tenant->id) != 0 &&
		    names_owns(t->names, p->kind, name))
			return arena_printf(&p->arena, "tenant %s has adopted "
			    "it, too", t->id);
	}
	return SLICE_LIT("");
}

static void
judge(struct planning *p, struct row *r)
{
	const struct names *now = p->tenant->names;
	struct slice seen;

	r->state = BLOCKED;
	if (!is_text(r->of->name) || !is_text(r->as)) {
		r->why = SLICE_LIT("it is no text that a file of JSON can "
		    "have");
		return;
	}
	if (names_prefix(now).data == NULL)	/* shared */
		r->why = block_foreign(p, r->of);
	else if (!names_outward(now, p->kind, r->of->name, &seen, &p->arena))
		r->why = block(p, r);
	else
		r->state = SEEN;
	if (r->state == BLOCKED && r->why.data != NULL)
		return;
	if (names_prefix(now).data == NULL) {
		r->state = SEEN;
		r->as = r->of->name;
		r->why = SLICE_LIT("as far as its policies let it");
	} else if (r->state == SEEN) {
		r->as = seen;
		r->why = SLICE_LIT("it has it already");
	} else {
		r->state = ADOPTED;
		r->why = also_adopted(p, r->of->name);
	}
}

/* ---- all names of a kind ---- */

static bool
find_rows(struct planning *p, struct error *err)
{
	const char *pattern = p->query->pattern[p->kind];

	p->v = NULL;
	p->n = p->adopted = p->blocked = 0;
	p->v = mem_alloc((size_t)ADOPT_ROWS_MAX * sizeof(*p->v));
	for (uint32_t i = 0; i < p->names->n; i++) {
		const struct adopt_name *of = &p->names->v[i];
		struct slice star = SLICE_NULL;
		struct row *r;

		if (!fits(pattern, of->name, &star))
			continue;
		if (p->n == ADOPT_ROWS_MAX)
			return error_set(err, "more than %d %s fit %.200s: "
			    "narrow it", ADOPT_ROWS_MAX,
			    kinds[p->kind].member, pattern);
		r = &p->v[p->n++];
		*r = (struct row){ .of = of,
		    .as = shown_as(p, of->name, star) };
		judge(p, r);
		p->adopted += r->state == ADOPTED;
		p->blocked += r->state == BLOCKED;
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static void
note(struct planning *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(p->notes, shown(slice_of(text)));
}

static void
add_rule(struct planning *p, const char *name, const char *as)
{
	json_t *adopt = json_object_get(p->doc, "adopt"), *list;
	const char *member = kinds[p->kind].member;
	json_t *rule = json_object();

	if (!json_is_object(adopt)) {
		adopt = json_object();
		json_object_set_new(p->doc, "adopt", adopt);
	}
	list = json_object_get(adopt, member);
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(adopt, member, list);
	}
	json_object_set_new(rule, "name", json_string(name));
	if (strcmp(name, as) != 0)
		json_object_set_new(rule, "as", json_string(as));
	json_array_append_new(list, rule);
	p->changed = true;
}

/* Whether a rule with a star shows exactly what the rows say, and all else is
 * as it was. */
static bool
same_with(const struct planning *p, const struct names *with,
    struct error *why)
{
	const struct row *r = p->v, *end = p->v + p->n;
	bool ok = true;

	for (uint32_t i = 0; ok && i < p->names->n; i++) {
		struct slice name = p->names->v[i].name, want, is;
		struct arena a;
		bool has, had;

		arena_init(&a, 0);
		had = names_outward(p->tenant->names, p->kind, name, &want,
		    &a);
		if (r < end && r->of == &p->names->v[i]) {
			had = r->state != BLOCKED;
			want = r->as;
			r++;
		}
		has = names_outward(with, p->kind, name, &is, &a);
		ok = has == had && (!has || slice_eq(want, is));
		if (!ok)
			error_set(why, "it would %s %.*s", !has ? "hide" :
			    had ? "rename" : "show", SLICE_FMT(name));
		arena_fini(&a);
	}
	return ok;
}

/* Now or later. */
static bool
takes_in_a_tenant(const struct planning *p, const char *pattern,
    struct error *why)
{
	const struct tenant *t = tenants_taken_in(p->all, p->tenant->id,
	    pattern);

	if (t != NULL)
		error_set(why, "it would take in names of tenant %s", t->id);
	return t != NULL;
}

/* One rule for all that fit, also for those to come. */
static bool
add_star(struct planning *p)
{
	const char *pattern = p->query->pattern[p->kind];
	const char *as = p->query->as != NULL ? p->query->as : pattern;
	struct names *with;
	struct error why;
	bool ok;

	if (strchr(pattern, '*') == NULL || strchr(pattern, '*')[1] != '\0' ||
	    strchr(as, '*') == NULL || strchr(as, '*')[1] != '\0')
		return false;
	with = new_trial(p);
	ok = names_adopt(with, p->kind, pattern, as, &why) &&
	    !takes_in_a_tenant(p, pattern, &why) &&
	    same_with(p, with, &why);
	if (ok)
		add_rule(p, pattern, as);
	else
		note(p, "%s %s are adopted one by one, and none that comes "
		    "later, because with a rule for all of them %s",
		    kinds[p->kind].member, pattern, why.text);
	names_free(with);
	return ok;
}

static void
add_rules(struct planning *p)
{
	const char *pattern = p->query->pattern[p->kind];

	if (p->n == 0)
		note(p, "no %s fits %s", kinds[p->kind].one, pattern);
	if (p->adopted > 0 && p->kind == NAME_TOPIC &&
	    names_regex_refused(p->tenant->names) == NULL)
		note(p, "from then on consumers of group.protocol=consumer "
		    "may not subscribe by a SubscriptionPattern, for brokers "
		    "would not find what is adopted");
	if (p->adopted == 0 || add_star(p))
		return;
	for (uint32_t i = 0; i < p->n; i++)
		if (p->v[i].state == ADOPTED)
			add_rule(p, text_of(p, p->v[i].of->name),
			    text_of(p, p->v[i].as));
}

static void
show_rows(struct planning *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct row *r = &p->v[i];
		json_t *to = json_object();

		json_object_set_new(to, "kind",
		    json_string(kinds[p->kind].one));
		json_object_set_new(to, "name", shown(r->of->name));
		json_object_set_new(to, "as", shown(r->as));
		json_object_set_new(to, "state",
		    json_string(state_names[r->state]));
		json_object_set_new(to, "why", shown(r->why));
		json_array_append_new(p->rows, to);
	}
}

static bool
plan_kind(struct planning *p, enum name_kind kind,
    const struct adopt_names *names, struct error *err)
{
	bool ok;

	p->kind = kind;
	p->names = names;
	p->there = htab_new();
	for (uint32_t i = 0; i < names->n; i++)
		htab_set(p->there, names->v[i].name, p);
	p->trial = new_trial(p);
	ok = find_rows(p, err);
	if (ok) {
		add_rules(p);
		show_rows(p);
	}
	free(p->v);
	names_free(p->trial);
	htab_free(p->there, NULL);
	return ok;
}

/* ---- the file ---- */

/* The tenant that the text makes; NULL with the first fault. */
static struct tenants *
parse(const struct planning *p, const char *text, struct error *err)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *t = tenants_parse(p->config, p->query->tenant, text,
	    strlen(text), &errs);

	if (t == NULL)
		error_set(err, "the file of tenant %s has faults: %.100s: "
		    "%.300s", p->query->tenant, errs.v[0].path,
		    errs.v[0].reason);
	error_list_free(&errs);
	return t;
}

/* What the file is to have, malloc'd: the old text to the byte when nothing
 * is added. */
static char *
new_text(struct planning *p, const char *old, struct error *err)
{
	char *text, *to;
	size_t len;
	struct tenants *t;

	if (!p->changed)
		return mem_strdup(old);
	text = json_dumps(p->doc, JSON_INDENT(2));
	len = strlen(text);
	to = mem_alloc(len + 2);
	snprintf(to, len + 2, "%s\n", text);
	free(text);
	t = len + 1 > TENANT_FILE_MAX ? NULL : parse(p, to, err);
	if (len + 1 > TENANT_FILE_MAX)
		error_set(err, "the file of tenant %s would be longer than %d "
		    "bytes: narrow the patterns", p->query->tenant,
		    TENANT_FILE_MAX);
	if (t == NULL) {
		free(to);
		return NULL;
	}
	tenants_unref(t);
	return to;
}

static void
tell_tenant(struct planning *p, bool new)
{
	const struct config_tenant *c = p->tenant->config;

	if (new)
		note(p, "tenant %s has no file yet", p->tenant->id);
	if (c->members.n == 0)
		note(p, "members is empty: the tenant lets nobody in until you "
		    "fill it in");
	if (c->namespace == CONFIG_NAMESPACE_SHARED)
		note(p, "its namespace is shared: names are as they are, "
		    "nothing is to be adopted, and its policies say what it "
		    "sees");
}

static bool
plan_all(struct planning *p, const struct adopt_names names[NAME_KINDS],
    struct error *err)
{
	for (int i = 0; i < NAME_KINDS; i++)
		if (p->query->pattern[i] != NULL &&
		    !plan_kind(p, (enum name_kind)i, &names[i], err))
			return false;
	return true;
}

struct json_t *
adopt_plan(const struct config *c, const struct tenants *all,
    const struct adopt_query *q, const struct adopt_names names[NAME_KINDS],
    const char *text, struct error *err)
{
	struct planning p = { .config = c, .all = all, .query = q };
	bool new = text == NULL;
	char *file = NULL;
	json_t *to = NULL;

	if (new)
		text = first_text;
	p.parsed = parse(&p, text, err);
	if (p.parsed == NULL)
		return NULL;
	p.tenant = tenants_at(p.parsed, 0);
	if (!tenants_check_new(all, p.tenant, err)) {
		tenants_unref(p.parsed);
		return NULL;
	}
	arena_init(&p.arena, 0);
	p.doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	p.rows = json_array();
	p.notes = json_array();
	tell_tenant(&p, new);
	if (plan_all(&p, names, err) && (file = new_text(&p, text, err)))
		to = json_pack("{s:s, s:s, s:b, s:b, s:O, s:O, s:s}",
		    "tenant", p.tenant->id, "namespace",
		    p.tenant->config->namespace == CONFIG_NAMESPACE_SHARED ?
		    "shared" : "prefixed", "new", new, "changed", p.changed,
		    "rows", p.rows, "notes", p.notes, "file", file);
	free(file);
	json_decref(p.rows);
	json_decref(p.notes);
	json_decref(p.doc);
	arena_fini(&p.arena);
	tenants_unref(p.parsed);
	return to;
}
