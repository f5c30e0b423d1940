/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schemac compiles the schema text into wire/messages.h (a struct a message)
 * and wire/messages.c (a table of its fields). Grammar: gateway/wire/README.md.
 *
 *	schemac FILE... OUTDIR		writes OUTDIR/wire/messages.[ch]
 *	schemac --dump FILE...		one line a field, for comparing
 *
 * It runs once and ends: nothing is freed, and it stops at the first fault.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 24, MAX_DEPTH = 12, MAX_TAG = 63, NEVER = -1 };

struct range {
	int	since, until;			/* since == NEVER: none */
};

struct type {
	const char	*name, *c, *table;
	int64_t		 min, max;		/* numbers only */
};

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

struct object {				/* request, response, or nested */
	const char	*name;
	struct object	*parent;		/* that a common struct is in */
	struct field	*fields, **last;
	struct object	*commons, *next;	/* common structs */
	struct api	*api;
};

struct field {
	const char	*name;
	const struct type *type;
	bool		 array, ignorable, dflt_null, shared;
	struct range	 versions;
	int		 null_since, tag;
	int64_t		 dflt;
	const char	*meaning, *arg, *file;
	int		 line;
	struct object	*object;		/* of structs */
	struct field	*next;
};

struct api {
	const char	*name;
	int		 key;			/* NEVER: a plain message */
	struct range	 versions;
	int		 flexible;
	struct object	*request, *response;	/* plain: request only */
	struct api	*next;
};

struct level {
	int		 indent;
	struct object	*object;
	struct range	 versions;		/* of the field that holds it */
};

static struct api *apis;			/* by key, plain ones first */
static const char *file;
static int line;

static void fail(const char *, ...)
	__attribute__((format(printf, 1, 2), noreturn));
static char *format(const char *, ...) __attribute__((format(printf, 1, 2)));

static void
fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Kept on a list, so that a leak checker finds it all. */
static void *
get(size_t size)
{
	static struct chunk {
		struct chunk	*next;
		_Alignas(16) char data[];
	} *chunks;
	struct chunk *c = calloc(1, sizeof(*c) + size);

	if (c == NULL)
		fail("out of memory");
	c->next = chunks;
	chunks = c;
	return c->data;
}

static char *
format(const char *fmt, ...)
{
	va_list ap;
	char text[512];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		fail("name too long");
	return memcpy(get((size_t)n + 1), text, (size_t)n + 1);
}

/* ---- reading ---- */

static const char *
check_name(const char *s)
{
	if (!islower((unsigned char)*s) ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(s))
		fail("'%s' is not a name of a-z, 0-9 and _", s);
	return format("%s", s);
}

static int64_t
parse_number(const char *s, int64_t min, int64_t max)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 0);
	if (end == s || *end != '\0' || errno != 0 || v < min || v > max)
		fail("'%s' is not a number from %" PRId64 " to %" PRId64, s,
		    min, max);
	return v;
}

/* "3", "3-5" or "3+", inside `outer` when that is given. */
static struct range
parse_range(const char *word, const struct range *outer)
{
	char *s = format("%s", word), *dash = strchr(s, '-');
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
		fail("versions %s are not inside %d-%d", word, outer->since,
		    outer->until);
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
		fail("'%s' is no type and no struct above", word);
}

static bool
is_struct(const struct field *f)
{
	return f->type == &types[TYPE_COUNT - 1];
}

static bool
is_type(const struct field *f, const char *name)
{
	return strcmp(f->type->name, name) == 0;
}

/* Can hold a null: the protocol has no null numbers and uuids. */
static bool
may_be_null(const struct field *f)
{
	return f->array || is_struct(f) || is_type(f, "string") ||
	    is_type(f, "bytes") || is_type(f, "records");
}

static void
parse_default(struct field *f, const char *word)
{
	if (strcmp(word, "null") == 0 && may_be_null(f))
		f->dflt_null = true;
	else if (f->array || (f->type->max == 0))
		fail("'%s' cannot be the default of a %s%s", word,
		    f->array ? "[]" : "", f->type->name);
	else if (is_type(f, "bool"))
		f->dflt = strcmp(word, "true") == 0;
	else
		f->dflt = parse_number(word, f->type->min, f->type->max);
}

/* @meaning or @meaning(sibling) */
static void
parse_meaning(struct field *f, const char *word)
{
	char *name = format("%s", word), *open = strchr(name, '(');

	if (open != NULL) {
		size_t len = strlen(open);

		if (len < 3 || open[len - 1] != ')')
			fail("'@%s' lacks its argument or ')'", word);
		open[len - 1] = '\0';
		f->arg = open + 1;
		*open = '\0';
	}
	for (int i = 0; i < MEANING_TOTAL; i++)
		if (strcmp(name, meanings[i]) == 0)
			f->meaning = meanings[i];
	if (f->meaning == NULL)
		fail("'@%s' is not in meanings.def", name);
	if (f->arg && strcmp(name, "resource") != 0 &&
	    strcmp(name, "coordinator") != 0 &&
	    strcmp(name, "error_text") != 0 &&
	    strcmp(name, "quota_entity") != 0)
		fail("@%s takes no argument", name);
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
			fail("'%s' is unknown here or lacks its value", key);
		i++;
		if (strcmp(key, "nullable") == 0) {
			r = parse_range(word[i], &f->versions);
			if (!may_be_null(f) || r.until != f->versions.until)
				fail("'%s' cannot be null in %s", f->name,
				    word[i]);
			f->null_since = r.since;
		} else if (strcmp(key, "tag") == 0) {
			f->tag = (int)parse_number(word[i], 0, MAX_TAG);
			if (f->versions.since < api->flexible)
				fail("tag before version %d", api->flexible);
		} else if (strcmp(key, "default") == 0) {
			parse_default(f, word[i]);
		} else {
			fail("unknown attribute '%s'", key);
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
	bool word = is_type(f, "string") || is_type(f, "bytes") ||
	    is_type(f, "uuid");
	bool number = is_type(f, "int32");
	bool id = f->meaning != NULL && (strcmp(f->meaning, "broker") == 0 ||
	    strcmp(f->meaning, "port") == 0 ||
	    strcmp(f->meaning, "number") == 0);

	if (word && (f->meaning == NULL || id))
		fail("%s '%s' must state its @meaning", f->type->name, f->name);
	if (number && f->meaning == NULL && sounds_like_broker(f->name))
		fail("int32 '%s' must be @broker or @number", f->name);
	if (!word && f->meaning != NULL && !(id && (number ||
	    is_type(f, "uint16"))))
		fail("%s '%s' cannot be @%s", f->type->name, f->name,
		    f->meaning);
	if (is_struct(f) && !f->array && f->null_since >= 0 && !f->dflt_null)
		fail("a nullable struct needs 'default null'");
	if (f->dflt_null && f->null_since < 0)
		fail("default null, but never nullable");
}

/* codec_arg_int8 reads the types of resources, outward in forward.c the error
 * code of a text. */
static const char *
argument_type(const char *meaning)
{
	if (strcmp(meaning, "quota_entity") == 0)
		return "string";
	return strcmp(meaning, "error_text") == 0 ? "int16" : "int8";
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
		file = f->file;
		line = f->line;
		if (f->object != NULL && f->object->fields == NULL)
			fail("'%s' is a struct without fields", f->name);
		if (f->object != NULL && !f->shared)
			check_whole(f->object);
		if (f->arg == NULL)
			continue;
		for (arg = o->fields; arg != NULL; arg = arg->next)
			if (strcmp(arg->name, f->arg) == 0 && arg != f)
				break;
		file = f->file;
		line = f->line;
		if (arg == NULL)
			fail("'%s' has no sibling '%s'", f->name, f->arg);
		if (!is_type(arg, argument_type(f->meaning)))
			fail("@%s(%s): '%s' is a %s", f->meaning, f->arg,
			    f->arg, arg->type->name);
	}
}

static struct object *
new_object(const char *name, struct object *parent, struct api *api)
{
	struct object *o = get(sizeof(*o));

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
	struct field *f = get(sizeof(*f));

	if (n < 3)
		fail("a field is: NAME TYPE VERSIONS [attribute...]");
	f->name = check_name(word[0]);
	f->null_since = f->tag = NEVER;
	f->file = file;
	f->line = line;
	for (struct field *g = o->fields; g != NULL; g = g->next)
		if (strcmp(g->name, f->name) == 0)
			fail("second field '%s'", f->name);
	parse_type(f, word[1], o);
	f->versions = parse_range(word[2], &in->versions);
	parse_attributes(f, o->api, word + 3, n - 3);
	for (struct field *g = o->fields; g != NULL; g = g->next)
		if (f->tag >= 0 && g->tag >= f->tag)
			fail("tags must rise");
	check_field(f);
	if (is_struct(f) && f->object == NULL)
		f->object = new_object(format("%s_%s", o->name, f->name), o,
		    o->api);
	*o->last = f;
	o->last = &f->next;
	return f;
}

static struct api *
parse_head(char **word, int n)
{
	bool is_api = strcmp(word[0], "api") == 0;
	struct api *a = get(sizeof(*a)), **at = &apis;
	int skip = is_api ? 3 : 2;

	a->key = NEVER;
	if (n != skip + 4 || strcmp(word[skip], "versions") != 0 ||
	    strcmp(word[skip + 2], "flexible") != 0)
		fail("expected: api NAME KEY versions RANGE flexible N+|none, "
		    "or message NAME versions RANGE flexible N+|none");
	a->name = check_name(word[1]);
	if (is_api)
		a->key = (int)parse_number(word[2], 0, INT16_MAX);
	a->versions = parse_range(word[skip + 1], NULL);
	a->flexible = strcmp(word[skip + 3], "none") == 0 ?
	    a->versions.until + 1 : parse_range(word[skip + 3],
	    &a->versions).since;
	for (const struct api *b = apis; b != NULL; b = b->next)
		if (strcmp(b->name, a->name) == 0 ||
		    (is_api && b->key == a->key))
			fail("'%s' is there already, as '%s'", a->name,
			    b->name);
	while (*at != NULL && (*at)->key <= a->key)
		at = &(*at)->next;
	a->next = *at;
	return *at = a;
}

static struct object *
parse_side(struct api *api, const char *word)
{
	struct object **side;

	if (api == NULL || api->key == NEVER)
		fail("'%s' outside an api", word);
	side = strcmp(word, "request") == 0 ? &api->request : &api->response;
	if (*side != NULL)
		fail("second %s", word);
	return *side = new_object(format("%s_%s", api->name, word), NULL, api);
}

static struct object *
parse_common(struct level *in, char **word, int n)
{
	struct object *o;

	if (n != 2 || in->object->fields != NULL)
		fail("expected: struct NAME, before the fields");
	o = new_object(format("%s_%s", in->object->name, check_name(word[1])),
	    in->object, in->object->api);
	o->next = in->object->commons;
	return in->object->commons = o;
}

/* What is not indented; returns the object that it opens, or NULL. */
static struct object *
parse_top(struct api **api, char **word, int n)
{
	if (strcmp(word[0], "api") == 0 || strcmp(word[0], "message") == 0) {
		*api = parse_head(word, n);
		if ((*api)->key != NEVER)
			return NULL;
		return (*api)->request = new_object((*api)->name, NULL, *api);
	}
	if (n != 1 || (strcmp(word[0], "request") != 0 &&
	    strcmp(word[0], "response") != 0))
		fail("expected api, message, request or response");
	return parse_side(*api, word[0]);
}

static void
check_line(const struct level *stack, int depth, int indent, bool opened)
{
	if (depth == MAX_DEPTH)
		fail("nested too deep");
	if (opened && indent <= stack[depth - 1].indent)
		fail("a struct without fields");
	if (!opened && indent > stack[depth].indent &&
	    stack[depth].indent >= 0)
		fail("indented, but the line before opens nothing");
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
		opened = parse_top(api, word, n);
		stack[0].indent = 0;
		if (opened == NULL)
			return 0;
		stack[1] = (struct level){ -1, opened, opened->api->versions };
		return 1;
	}
	while (depth > 0 && stack[depth].indent > indent)
		depth--;
	if (depth == 0)
		fail("a field outside a message");
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

static void
parse_file(const char *path)
{
	struct level stack[MAX_DEPTH + 1] = { { 0, NULL, { 0, 0 } } };
	char text[512], *word[MAX_WORDS], *save;
	struct api *api = NULL;
	int depth = 0, n, indent;
	FILE *in = fopen(path, "r");

	file = path;
	line = 0;
	if (in == NULL)
		fail("%s", strerror(errno));
	while (fgets(text, sizeof(text), in) != NULL) {
		line++;
		if (strchr(text, '\n') == NULL || strchr(text, '\t') != NULL)
			fail("a line is under 500 characters and has no tabs");
		text[strcspn(text, "#\n")] = '\0';
		indent = (int)strspn(text, " ");
		n = 0;
		for (char *w = strtok_r(text, " ", &save); w != NULL;
		    w = strtok_r(NULL, " ", &save)) {
			if (n == MAX_WORDS)
				fail("too many words");
			word[n++] = w;
		}
		if (n > 0)
			depth = parse_line(stack, depth, &api, indent, word, n);
	}
	fclose(in);
}

/* ---- writing ---- */

static void
put_struct(FILE *h, const struct object *o)
{
	for (const struct object *c = o->commons; c != NULL; c = c->next)
		put_struct(h, c);
	for (const struct field *f = o->fields; f != NULL; f = f->next)
		if (f->object != NULL && !f->shared)
			put_struct(h, f->object);
	fprintf(h, "\nstruct %s {\n", o->name);
	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		const char *c = is_struct(f) ?
		    format("struct %s", f->object->name) : f->type->c;

		if (f->array)
			fprintf(h, "\tstruct { %s *v; int32_t n; } %s;", c,
			    f->name);
		else if (is_struct(f) && f->null_since >= 0)
			fprintf(h, "\t%s *%s;", c, f->name);
		else
			fprintf(h, "\t%s %s;", c, f->name);
		fprintf(h, "\t/* %d-%d", f->versions.since, f->versions.until);
		if (f->null_since >= 0)
			fprintf(h, ", null %d+", f->null_since);
		if (f->meaning != NULL)
			fprintf(h, ", %s", f->meaning);
		fprintf(h, " */\n");
	}
	if (o->fields == NULL)
		fprintf(h, "\tchar nothing;\n");
	fprintf(h, "};\nextern const struct message %s_message;\n", o->name);
}

static bool
has_default(const struct object *o)
{
	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		if (f->dflt != 0 || (f->array && f->dflt_null))
			return true;
		if (!f->array && !f->dflt_null && (is_type(f, "string") ||
		    is_type(f, "bytes") ||
		    (is_struct(f) && has_default(f->object))))
			return true;
	}
	return false;
}

/* The members whose default is not zero bytes. */
static void
put_defaults(FILE *c, const struct object *o)
{
	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		if (f->array && f->dflt_null)
			fprintf(c, ".%s.n = -1, ", f->name);
		else if (f->array || f->dflt_null)
			continue;
		else if (f->dflt == INT64_MIN)
			fprintf(c, ".%s = INT64_MIN, ", f->name);
		else if (f->dflt != 0)
			fprintf(c, ".%s = (%s)%" PRId64 ", ", f->name,
			    f->type->c, f->dflt);
		else if (is_type(f, "string") || is_type(f, "bytes"))
			fprintf(c, ".%s = EMPTY, ", f->name);
		else if (is_struct(f) && has_default(f->object)) {
			fprintf(c, ".%s = { ", f->name);
			put_defaults(c, f->object);
			fprintf(c, "}, ");
		}
	}
}

static void
put_field(FILE *c, const struct object *o, const struct field *f)
{
	const char *type = is_struct(f) ?
	    format("struct %s", f->object->name) : f->type->c;

	fprintf(c, "\t{ .name = \"%s\", .type = FIELD_%s, .since = %d, "
	    ".until = %d,\n\t    .null_since = %d, .tag = %d, .tag_since = %d, "
	    ".meaning = MEANING_%s,\n\t    .offset = offsetof(struct %s, %s), "
	    ".size = sizeof(%s),\n", f->name, f->type->table,
	    f->versions.since, f->versions.until, f->null_since, f->tag,
	    f->tag < 0 ? NEVER : f->versions.since,
	    f->meaning ? f->meaning : "NONE", o->name, f->name, type);
	if (f->array)
		fprintf(c, "\t    .array = true,\n");
	if (f->ignorable)
		fprintf(c, "\t    .ignorable = true,\n");
	if (f->dflt_null)
		fprintf(c, "\t    .dflt_null = true,\n");
	if (f->dflt != 0)
		fprintf(c, f->dflt == INT64_MIN ? "\t    .dflt = INT64_MIN,\n" :
		    "\t    .dflt = %" PRId64 ",\n", f->dflt);
	if (is_struct(f))
		fprintf(c, "\t    .element = &%s_message,\n", f->object->name);
	if (f->arg != NULL)
		fprintf(c, "\t    .meaning_arg = \"%s\",\n\t    .arg_offset = "
		    "offsetof(struct %s, %s),\n", f->arg, o->name, f->arg);
	fprintf(c, "\t},\n");
}

static void
put_table(FILE *c, const struct object *o, bool top)
{
	const struct api *a = o->api;
	int count = 0, tags = 0;

	for (const struct object *s = o->commons; s != NULL; s = s->next)
		put_table(c, s, false);
	for (const struct field *f = o->fields; f != NULL; f = f->next)
		if (f->object != NULL && !f->shared)
			put_table(c, f->object, false);
	if (o->fields != NULL) {
		fprintf(c, "\nstatic const struct field %s_fields[] = {\n",
		    o->name);
		for (const struct field *f = o->fields; f; f = f->next) {
			put_field(c, o, f);
			count++;
			tags += f->tag >= 0;
		}
		fprintf(c, "};\n");
	}
	if (has_default(o)) {
		fprintf(c, "static const struct %s %s_defaults = { ", o->name,
		    o->name);
		put_defaults(c, o);
		fprintf(c, "};\n");
	}
	fprintf(c, "const struct message %s_message = {\n\t.name = \"%s\", "
	    ".api_key = %d, .since = %d, .until = %d,\n\t.flexible_since = %d, "
	    ".size = sizeof(struct %s), .field_count = %d, "
	    ".tag_count = %d,\n", o->name, o->name, top ? a->key : NEVER,
	    a->versions.since, a->versions.until, a->flexible, o->name, count,
	    tags);
	if (count > 0)
		fprintf(c, "\t.fields = %s_fields,\n", o->name);
	if (has_default(o))
		fprintf(c, "\t.defaults = &%s_defaults,\n", o->name);
	fprintf(c, "};\n");
}

static FILE *
create(const char *path)
{
	FILE *f = fopen(path, "w");

	file = path;
	line = 0;
	if (f == NULL)
		fail("%s", strerror(errno));
	fprintf(f, "/* Made by schemac from gateway/wire/schema. */\n");
	return f;
}

static void
put_header(const char *path)
{
	FILE *h = create(path);
	int count = 0;

	fprintf(h, "#ifndef WEIR_WIRE_MESSAGES_H\n#define WEIR_WIRE_MESSAGES_H"
	    "\n\n#include \"gateway/wire/codec.h\"\n\nenum api_key {\n");
	for (const struct api *a = apis; a != NULL; a = a->next) {
		if (a->key == NEVER)
			continue;
		fprintf(h, "\tAPI_");
		for (const char *p = a->name; *p != '\0'; p++)
			fputc(toupper((unsigned char)*p), h);
		fprintf(h, " = %d,\n", a->key);
		count++;
	}
	fprintf(h, "};\n\nenum { API_SCHEMA_COUNT = %d };\n", count);
	for (const struct api *a = apis; a != NULL; a = a->next) {
		put_struct(h, a->request);
		if (a->response != NULL)
			put_struct(h, a->response);
	}
	fprintf(h, "\n#endif\n");
	if (fclose(h) != 0)
		fail("%s", strerror(errno));
}

static void
put_source(const char *path)
{
	FILE *c = create(path);

	fprintf(c, "#include \"wire/messages.h\"\n\n"
	    "#define EMPTY { (const uint8_t *)\"\", 0 }\n");
	for (const struct api *a = apis; a != NULL; a = a->next) {
		put_table(c, a->request, true);
		if (a->response != NULL)
			put_table(c, a->response, true);
	}
	fprintf(c, "\nconst struct api_schema api_schemas[] = {\n");
	for (const struct api *a = apis; a != NULL; a = a->next)
		if (a->key != NEVER)
			fprintf(c, "\t{ %d, \"%s\", %d, %d, %d, "
			    "&%s_request_message,\n\t    "
			    "&%s_response_message },\n", a->key, a->name,
			    a->versions.since, a->versions.until, a->flexible,
			    a->name, a->name);
	fprintf(c, "\t{ -1, NULL, 0, -1, 0, NULL, NULL },\n};\n");
	if (fclose(c) != 0)
		fail("%s", strerror(errno));
}

/* ---- dump ---- */

static void
dump_object(const char *path, const struct object *o, struct range in)
{
	int n = 0;

	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		struct range r = f->versions;
		char *name = format("%s.%s", path, f->name);

		if (r.since < in.since)
			r.since = in.since;
		if (r.until > in.until)
			r.until = in.until;
		printf("%s %d %s%s %d-%d", name, n++, f->array ? "[]" : "",
		    f->type->name, r.since, r.until);
		if (f->null_since >= 0)
			printf(" null %d", f->null_since < r.since ? r.since :
			    f->null_since);
		if (f->tag >= 0)
			printf(" tag %d", f->tag);
		if (f->dflt_null)
			printf(" default null");
		else if (f->dflt != 0)
			printf(" default %" PRId64, f->dflt);
		printf("%s%s%s\n", f->ignorable ? " ignorable" : "",
		    f->meaning ? " @" : "", f->meaning ? f->meaning : "");
		if (f->object != NULL)
			dump_object(name, f->object, r);
	}
}

static void
dump(void)
{
	for (const struct api *a = apis; a != NULL; a = a->next) {
		printf("%s key %d versions %d-%d flexible %d\n", a->name,
		    a->key, a->versions.since, a->versions.until, a->flexible);
		dump_object(a->request->name, a->request, a->versions);
		if (a->response != NULL)
			dump_object(a->response->name, a->response,
			    a->versions);
	}
}

int
main(int argc, char **argv)
{
	bool dumping = argc > 1 && strcmp(argv[1], "--dump") == 0;
	int first = dumping ? 2 : 1, last = dumping ? argc : argc - 1;

	if (last <= first) {
		fprintf(stderr, "usage: schemac FILE... OUTDIR\n"
		    "       schemac --dump FILE...\n");
		return 2;
	}
	for (int i = first; i < last; i++)
		parse_file(argv[i]);
	for (const struct api *a = apis; a != NULL; a = a->next) {
		if (a->request == NULL || (a->key != NEVER && !a->response))
			fail("%s lacks its request or response", a->name);
		check_whole(a->request);
		if (a->response != NULL)
			check_whole(a->response);
	}
	if (dumping) {
		dump();
		return 0;
	}
	if (mkdir(format("%s/wire", argv[last]), 0777) < 0 && errno != EEXIST)
		fail("%s/wire: %s", argv[last], strerror(errno));
	put_header(format("%s/wire/messages.h", argv[last]));
	put_source(format("%s/wire/messages.c", argv[last]));
	return 0;
}
