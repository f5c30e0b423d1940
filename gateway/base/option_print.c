/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/option_private.h"

enum { REQUIRED_LEN = 8 };	/* "required" */

static bool
is_required(const struct option *o)
{
	return strncmp(o->initial, "required", REQUIRED_LEN) == 0;
}

/* The default as it is written in JSON; of required ones the example. */
static const char *
initial_text(const struct option *o)
{
	return is_required(o) ? o->initial + REQUIRED_LEN + 1 : o->initial;
}

static json_t	*sample(const struct option_group *g);

static void
sample_secret(json_t *to, const char *name)
{
	char key[96];

	snprintf(key, sizeof(key), "%s_file", name);
	json_object_set_new(to, key, json_null());
	snprintf(key, sizeof(key), "%s_env", name);
	json_object_set_new(to, key, json_null());
}

static json_t *
sample(const struct option_group *g)
{
	json_t *to = json_object(), *v;

	for (size_t i = 0; i < g->count; i++) {
		const struct option *o = &g->rows[i];

		if (o->type == OPTION_SECRET) {
			sample_secret(to, o->name);
			continue;
		}
		if (o->type == OPTION_OBJECT)
			v = sample(o->group);
		else if (o->type == OPTION_ARRAY)
			v = json_pack("[o]", sample(o->group));
		else
			v = json_loads(initial_text(o), JSON_DECODE_ANY, NULL);
		json_object_set_new(to, o->name, v);
	}
	return to;
}

/* "string", "number", or the words there are to choose from. */
static const char *
type_text(const struct option *o)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "true or false", [OPTION_INT] = "number",
		[OPTION_SIZE] = "size", [OPTION_COUNT] = "number or \"auto\"",
		[OPTION_TEXT] = "string", [OPTION_PATH] = "file",
		[OPTION_SECRET] = "secret", [OPTION_NETWORKS] = "networks",
		[OPTION_TEXTS] = "strings", [OPTION_PERCENTS] = "percentages",
		[OPTION_OBJECT] = "object", [OPTION_ARRAY] = "array",
	};

	return o->type == OPTION_ENUM ? o->unit : names[o->type];
}

/* What stands in brackets behind a name. */
static void
print_facts(const struct option *o, FILE *f)
{
	bool number = o->type == OPTION_INT || o->type == OPTION_SIZE ||
	    o->type == OPTION_COUNT;

	fputs(type_text(o), f);
	if (number)
		fprintf(f, ", %" PRId64 " to %" PRId64 "%s%s", o->min, o->max,
		    o->unit[0] != '\0' ? " " : "", o->unit);
	if (o->type == OPTION_ARRAY)
		fprintf(f, ", %" PRId64 " to %" PRId64 " of them", o->min,
		    o->max);
	else if (is_required(o))
		fprintf(f, ", required, such as %s", initial_text(o));
	else if (o->type != OPTION_SECRET && o->type != OPTION_OBJECT &&
	    strcmp(o->initial, "null") != 0)
		fprintf(f, ", default %s", o->initial);
	if (o->type == OPTION_TEXTS && o->unit[0] != '\0')
		fprintf(f, ", of %s", o->unit);
	if (!o->live && o->type != OPTION_OBJECT)
		fputs(", a change needs a restart", f);
}

/* A sentence for troff: it begins with no dot or quote. */
static void
print_roff(const char *s, FILE *f)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else
			fputc(*s, f);
	}
}

static void
print_option(const struct option *o, const char *path,
    enum option_format format, FILE *f)
{
	const char *more = o->type == OPTION_SECRET ? "_file" : "";

	if (format == OPTION_AS_MAN) {
		fprintf(f, ".TP\n.B %s%s", path, more);
		if (more[0] != '\0')
			fprintf(f, ", %s_env", path);
		fputs("\n(", f);
		print_facts(o, f);
		fputs(")\n.br\n", f);
		print_roff(o->text, f);
		fputc('\n', f);
		return;
	}
	fprintf(f, "%s%s", path, more);
	if (more[0] != '\0')
		fprintf(f, ", %s_env", path);
	fputs(" (", f);
	print_facts(o, f);
	fprintf(f, ")\n    %s\n", o->text);
}

static void
print_group(const struct option_group *g, const char *path,
    enum option_format format, FILE *f)
{
	char where[OPTION_PATH_SIZE], name[96];

	for (size_t i = 0; i < g->count; i++) {
		const struct option *o = &g->rows[i];

		snprintf(name, sizeof(name), "%s%s", o->name,
		    o->type == OPTION_ARRAY ? "[]" : "");
		option_path(where, path, name);
		print_option(o, where, format, f);
		if (o->group != NULL)
			print_group(o->group, where, format, f);
	}
}

void
option_print(const struct option_group *g, enum option_format format, FILE *f)
{
	json_t *whole;

	if (format != OPTION_AS_JSON) {
		print_group(g, "", format, f);
		return;
	}
	whole = sample(g);
	json_dumpf(whole, f, JSON_INDENT(2));
	fputc('\n', f);
	json_decref(whole);
}
