/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's text, read line by line. Grammar: gateway/wire/README.md. */
#include "gateway/wire/schemac.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 24, MAX_DEPTH = 12, MAX_TAG = 63 };

static const struct type types[] = {
	{ "bool", "bool", "BOOL", 0, 1 },
	{ "int8", "int8_t", "INT8", INT8_MIN, INT8_MAX },
	{ "int16", "int16_t", "INT16", INT16_MIN, INT16_MAX },
	{ "uint16", "uint16_t", "UINT16", 0, UINT16_MAX },
	{ "int32", "int32_t", "INT32", INT32_MIN, INT32_MAX },
	{ "uint32", "uint32_t", "UINT32", 0, UINT32_MAX },
	{ "int64", "int64_t", "INT64", INT64_MIN, INT64_MAX },
	{ "float64", "double", "FLOAT64", 0, 0 },
	{ "string", "struct slice", "STRING", 0, 0 },
	{ "bytes", "struct slice", "BYTES", 0, 0 },
	{ "records", "struct records", "RECORDS", 0, 0 },
	{ "uuid", "struct uuid", "UUID", 0, 0 },
	{ "struct", NULL, "STRUCT", 0, 0 },
};
enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

static const char *const meanings[] = {
#define X(name, text) #name,
#include "gateway/wire/meanings.def"
#undef X
};
enum { MEANING_TOTAL = sizeof(meanings) / sizeof(meanings[0]) };

struct level {
	int		 indent;
	struct object	*object;
	struct range	 versions;		/* of the field that holds it */
};

static const char *
check_name(const char *s)
{
	if (!islower((unsigned char)*s) ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(s))
		schemac_fail("'%s' is not a name of a-z, 0-9 and _", s);
	return schemac_text("%s", s);
}

static int64_t
parse_number(const char *s, int64_t min, int64_t max)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 0);
	if (end == s || *end != '\0' || errno != 0 || v < min || v > max)
		schemac_fail("'%s' is not a number from %" PRId64 " to %"
		    PRId64, s, min, max);
	return v;
}

/* "3", "3-5" or "3+", inside `outer` when that is given. */
static struct range
parse_range(const char *word, const struct range *outer)
{
	char *s = schemac_text("%s", word), *dash = strchr(s, '-');
	size_t len = strlen(s);
	struct range r;

	if (len > 1 && s[len - 1] == '+') {
		s[len - 1] = '\0';
		r.since = (int)parse_number(s, 0, INT16_MAX - 1);
		r.until = outer ? outer->until : INT16_MAX - 1;
	} else if (dash != NULL) {
		*dash = '\0';
		r.since = (int)parse_number(s, 0, INT16_MAX - 1);
		r.until = (int)parse_number(dash + 1, r.since, INT16_MAX - 1);
	} else {
		r.since = r.until = (int)parse_number(s, 0, INT16_MAX - 1);
	}
	if (outer && (r.since < outer->since || r.until > outer->until ||
	    r.since > r.until))
		schemac_fail("versions %s are not inside %d-%d", word,
		    outer->since, outer->until);
	return r;
}

static void
parse_type(struct field *f, const char *word, struct object *in)
{
	f->array = strncmp(word, "[]", 2) == 0;
	if (f->array)
		word += 2;
	for (int i = 0; i < TYPE_COUNT; i++)
		if (strcmp(word, types[i].name) == 0)
			f->type = &types[i];
	for (; f->type == NULL && in != NULL; in = in->parent)
		for (struct object *o = in->commons; o != NULL; o = o->next)
			if (strcmp(o->name + strlen(in->name) + 1, word) == 0) {
				f->type = &types[TYPE_COUNT - 1];
				f->object = o;
				f->shared = true;
			}
	if (f->type == NULL)
		schemac_fail("'%s' is no type and no struct above", word);
}

/* Can hold a null: the protocol has no null numbers and uuids. */
static bool
may_be_null(const struct field *f)
{
	return f->array || schemac_is(f, "struct") || schemac_is(f, "string") ||
	    schemac_is(f, "bytes") || schemac_is(f, "records");
}

static void
parse_default(struct field *f, const char *word)
{
	if (strcmp(word, "null") == 0 && may_be_null(f))
		f->dflt_null = true;
	else if (f->array || (f->type->max == 0))
		schemac_fail("'%s' cannot be the default of a %s%s", word,
		    f->array ? "[]" : "", f->type->name);
	else if (schemac_is(f, "bool"))
		f->dflt = strcmp(word, "true") == 0;
	else
		f->dflt = parse_number(word, f->type->min, f->type->max);
}

/* @meaning or @meaning(sibling) */
static void
parse_meaning(struct field *f, const char *word)
{
	char *name = schemac_text("%s", word), *open = strchr(name, '(');

	if (open != NULL) {
		size_t len = strlen(open);

		if (len < 3 || open[len - 1] != ')')
			schemac_fail("'@%s' lacks its argument or ')'", word);
		open[len - 1] = '\0';
		f->arg = open + 1;
		*open = '\0';
	}
	for (int i = 0; i < MEANING_TOTAL; i++)
		if (strcmp(name, meanings[i]) == 0)
			f->meaning = meanings[i];
	if (f->meaning == NULL)
		schemac_fail("'@%s' is not in meanings.def", name);
	if (f->arg && strcmp(name, "resource") != 0 &&
	    strcmp(name, "coordinator") != 0 &&
	    strcmp(name, "quota_entity") != 0)
		schemac_fail("@%s takes no argument", name);
}

static void
parse_attributes(struct field *f, const struct api *api, char **word, int n)
{
	struct range r;

	for (int i = 0; i < n; i++) {
		const char *key = word[i];

		if (key[0] == '@') {
			parse_meaning(f, key + 1);
			continue;
		}
		if (strcmp(key, "ignorable") == 0) {
			f->ignorable = true;
			continue;
		}
		if (i + 1 == n)
			schemac_fail(
			    "'%s' is unknown here or lacks its value", key);
		i++;
		if (strcmp(key, "nullable") == 0) {
			r = parse_range(word[i], &f->versions);
			if (!may_be_null(f) || r.until != f->versions.until)
				schemac_fail("'%s' cannot be null in %s",
				    f->name, word[i]);
			f->null_since = r.since;
		} else if (strcmp(key, "tag") == 0) {
			f->tag = (int)parse_number(word[i], 0, MAX_TAG);
			if (f->versions.since < api->flexible)
				schemac_fail(
				    "tag before version %d", api->flexible);
		} else if (strcmp(key, "default") == 0) {
			parse_default(f, word[i]);
		} else {
			schemac_fail("unknown attribute '%s'", key);
		}
	}
}

/* A name that a broker id would have: then @broker or @number must be said. */
static bool
sounds_like_broker(const char *name)
{
	static const char *const parts[] = { "broker", "node_id", "leader_id",
	    "replica_id", "replicas", "nodes", "controller_id", "voter_id",
	    "last_known_elr", "preferred_read" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i]) != NULL)
			return true;
	return false;
}

static void
check_field(const struct field *f)
{
	bool word = schemac_is(f, "string") || schemac_is(f, "bytes") ||
	    schemac_is(f, "uuid");
	bool number = schemac_is(f, "int32");
	bool id = f->meaning != NULL && (strcmp(f->meaning, "broker") == 0 ||
	    strcmp(f->meaning, "port") == 0 ||
	    strcmp(f->meaning, "number") == 0);

	if (word && (f->meaning == NULL || id))
		schemac_fail(
		    "%s '%s' must state its @meaning", f->type->name, f->name);
	if (number && f->meaning == NULL && sounds_like_broker(f->name))
		schemac_fail("int32 '%s' must be @broker or @number", f->name);
	if (!word && f->meaning != NULL && !(id && (number ||
	    schemac_is(f, "uint16"))))
		schemac_fail("%s '%s' cannot be @%s", f->type->name, f->name,
		    f->meaning);
	if (schemac_is(f, "struct") && !f->array && f->null_since >= 0 &&
	    !f->dflt_null)
		schemac_fail("a nullable struct needs 'default null'");
	if (f->dflt_null && f->null_since < 0)
		schemac_fail("default null, but never nullable");
}

/* What can be told only when all is read: a struct has fields, and a meaning's
 * argument is a field of the same struct. */
static void
check_whole(const struct object *o)
{
	const struct field *arg;

	for (const struct object *c = o->commons; c != NULL; c = c->next)
		check_whole(c);
	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		schemac_file = f->file;
		schemac_line = f->line;
		if (f->object != NULL && f->object->fields == NULL)
			schemac_fail(
			    "'%s' is a struct without fields", f->name);
		if (f->object != NULL && !f->shared)
			check_whole(f->object);
		if (f->arg == NULL)
			continue;
		for (arg = o->fields; arg != NULL; arg = arg->next)
			if (strcmp(arg->name, f->arg) == 0 && arg != f)
				break;
		schemac_file = f->file;
		schemac_line = f->line;
		if (arg == NULL)
			schemac_fail(
			    "'%s' has no sibling '%s'", f->name, f->arg);
		/* codec_arg_int8 reads the types of resources. */
		if (!schemac_is(arg, strcmp(f->meaning, "quota_entity") == 0 ?
		    "string" : "int8"))
			schemac_fail("@%s(%s): '%s' is a %s", f->meaning,
			    f->arg, f->arg, arg->type->name);
	}
}

static struct object *
new_object(const char *name, struct object *parent, struct api *api)
{
	struct object *o = schemac_get(sizeof(*o));

	o->name = name;
	o->parent = parent;
	o->api = api;
	o->last = &o->fields;
	return o;
}

static struct field *
parse_field(struct level *in, char **word, int n)
{
	struct object *o = in->object;
	struct field *f = schemac_get(sizeof(*f));

	if (n < 3)
		schemac_fail("a field is: NAME TYPE VERSIONS [attribute...]");
	f->name = check_name(word[0]);
	f->null_since = f->tag = NEVER;
	f->file = schemac_file;
	f->line = schemac_line;
	for (struct field *g = o->fields; g != NULL; g = g->next)
		if (strcmp(g->name, f->name) == 0)
			schemac_fail("second field '%s'", f->name);
	parse_type(f, word[1], o);
	f->versions = parse_range(word[2], &in->versions);
	parse_attributes(f, o->api, word + 3, n - 3);
	for (struct field *g = o->fields; g != NULL; g = g->next)
		if (f->tag >= 0 && g->tag >= f->tag)
			schemac_fail("tags must rise");
	check_field(f);
	if (schemac_is(f, "struct") && f->object == NULL)
		f->object = new_object(
		    schemac_text("%s_%s", o->name, f->name), o, o->api);
	*o->last = f;
	o->last = &f->next;
	return f;
}

static void
parse_head(char **word, int n)
{
	bool is_api = strcmp(word[0], "api") == 0;
	struct api *a = schemac_get(sizeof(*a)), **at;
	int skip = is_api ? 3 : 2;

	a->key = NEVER;
	if (n != skip + 4 || strcmp(word[skip], "versions") != 0 ||
	    strcmp(word[skip + 2], "flexible") != 0)
		schemac_fail(
		    "expected: api NAME KEY versions RANGE flexible N+|none, "
		    "or message NAME versions RANGE flexible N+|none");
	a->name = check_name(word[1]);
	if (is_api)
		a->key = (int)parse_number(word[2], 0, INT16_MAX);
	a->versions = parse_range(word[skip + 1], NULL);
	a->flexible = strcmp(word[skip + 3], "none") == 0 ?
	    a->versions.until + 1 : parse_range(word[skip + 3],
	    &a->versions).since;
	for (at = &schemac_apis; *at != NULL && (*at)->key <= a->key;
	     at = &(*at)->next)
		if ((*at)->key == a->key && (is_api ||
		    strcmp((*at)->name, a->name) == 0))
			schemac_fail("'%s' is there already", a->name);
	a->next = *at;
	*at = a;
}

/* The API whose paragraph we are in, set by a head line. */
static struct api *
find_api(const char *name)
{
	for (struct api *a = schemac_apis; a != NULL; a = a->next)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static struct object *
parse_side(struct api *api, const char *word)
{
	struct object **side;

	if (api == NULL || api->key == NEVER)
		schemac_fail("'%s' outside an api", word);
	side = strcmp(word, "request") == 0 ? &api->request : &api->response;
	if (*side != NULL)
		schemac_fail("second %s", word);
	return *side = new_object(
		   schemac_text("%s_%s", api->name, word), NULL, api);
}

static struct object *
parse_common(struct level *in, char **word, int n)
{
	struct object *o;

	if (n != 2 || in->object->fields != NULL)
		schemac_fail("expected: struct NAME, before the fields");
	o = new_object(
	    schemac_text("%s_%s", in->object->name, check_name(word[1])),
	    in->object, in->object->api);
	o->next = in->object->commons;
	return in->object->commons = o;
}

static void
check_line(const struct level *stack, int depth, int indent, bool opened)
{
	if (depth == MAX_DEPTH)
		schemac_fail("nested too deep");
	if (opened && indent <= stack[depth - 1].indent)
		schemac_fail("a struct without fields");
	if (!opened && indent > stack[depth].indent &&
	    stack[depth].indent >= 0)
		schemac_fail("indented, but the line before opens nothing");
}

/*
 * stack[depth] is the object whose fields are being read; its indent is that
 * of its fields, or -1 until the first of them is seen.
 */
static int
parse_line(struct level *stack, int depth, struct api **api, int indent,
    char **word, int n)
{
	struct object *opened = NULL;
	struct range versions;
	struct field *f;

	if (indent == 0) {
		stack[0].indent = 0;
		if (strcmp(word[0], "api") == 0 ||
		    strcmp(word[0], "message") == 0) {
			parse_head(word, n);
			*api = find_api(word[1]);
			if ((*api)->key != NEVER)
				return 0;
			opened = new_object((*api)->name, NULL, *api);
			(*api)->request = opened;
		} else if (n == 1 && (strcmp(word[0], "request") == 0 ||
		    strcmp(word[0], "response") == 0)) {
			opened = parse_side(*api, word[0]);
		} else {
			schemac_fail(
			    "expected api, message, request or response");
		}
		stack[1] = (struct level){ -1, opened, (*api)->versions };
		return 1;
	}
	while (depth > 0 && stack[depth].indent > indent)
		depth--;
	if (depth == 0)
		schemac_fail("a field outside a message");
	check_line(stack, depth, indent, stack[depth].indent < 0);
	stack[depth].indent = indent;
	if (strcmp(word[0], "struct") == 0) {
		opened = parse_common(&stack[depth], word, n);
		versions = stack[depth].versions;
	} else {
		f = parse_field(&stack[depth], word, n);
		opened = f->shared ? NULL : f->object;
		versions = f->versions;
	}
	if (opened != NULL)
		stack[++depth] = (struct level){ -1, opened, versions };
	return depth;
}

void
schemac_read(const char *path)
{
	struct level stack[MAX_DEPTH + 1] = { { 0, NULL, { 0, 0 } } };
	char text[512], *word[MAX_WORDS], *save;
	struct api *api = NULL;
	int depth = 0, n, indent;
	FILE *in = fopen(path, "r");

	schemac_file = path;
	schemac_line = 0;
	if (in == NULL)
		schemac_fail("%s", strerror(errno));
	while (fgets(text, sizeof(text), in) != NULL) {
		schemac_line++;
		if (strchr(text, '\n') == NULL || strchr(text, '\t') != NULL)
			schemac_fail(
			    "a line is under 500 characters and has no tabs");
		text[strcspn(text, "#\n")] = '\0';
		indent = (int)strspn(text, " ");
		n = 0;
		for (char *w = strtok_r(text, " ", &save); w != NULL;
		    w = strtok_r(NULL, " ", &save)) {
			if (n == MAX_WORDS)
				schemac_fail("too many words");
			word[n++] = w;
		}
		if (n > 0)
			depth = parse_line(stack, depth, &api, indent, word, n);
	}
	fclose(in);
}

void
schemac_check(void)
{
	for (const struct api *a = schemac_apis; a != NULL; a = a->next) {
		if (a->request == NULL || (a->key != NEVER && !a->response))
			schemac_fail("%s lacks its request or response",
			    a->name);
		check_whole(a->request);
		if (a->response != NULL)
			check_whole(a->response);
	}
}
