/* SPDX-License-Identifier: Apache-2.0 */
/* What was read, as C: structs and tables; or as a list, for comparing. */
#include "gateway/wire/schemac.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
		const char *c = schemac_is(f, "struct") ?
		    schemac_text("struct %s", f->object->name) : f->type->c;

		if (f->array)
			fprintf(h, "\tstruct { %s *v; int32_t n; } %s;", c,
			    f->name);
		else if (schemac_is(f, "struct") && f->null_since >= 0)
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
		if (!f->array && !f->dflt_null && (schemac_is(f, "string") ||
		    schemac_is(f, "bytes") ||
		    (schemac_is(f, "struct") && has_default(f->object))))
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
		else if (schemac_is(f, "string") || schemac_is(f, "bytes"))
			fprintf(c, ".%s = EMPTY, ", f->name);
		else if (schemac_is(f, "struct") && has_default(f->object)) {
			fprintf(c, ".%s = { ", f->name);
			put_defaults(c, f->object);
			fprintf(c, "}, ");
		}
	}
}

static void
put_field(FILE *c, const struct object *o, const struct field *f)
{
	const char *type = schemac_is(f, "struct") ?
	    schemac_text("struct %s", f->object->name) : f->type->c;

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
	if (schemac_is(f, "struct"))
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

	schemac_file = path;
	schemac_line = 0;
	if (f == NULL)
		schemac_fail("%s", strerror(errno));
	fprintf(f, "/* Made by schemac from gateway/wire/schema. */\n");
	return f;
}

void
schemac_write_header(const char *path)
{
	FILE *h = create(path);
	int count = 0;

	fprintf(h, "#ifndef WEIR_WIRE_MESSAGES_H\n#define WEIR_WIRE_MESSAGES_H"
	    "\n\n#include \"gateway/wire/codec.h\"\n\nenum api_key {\n");
	for (const struct api *a = schemac_apis; a != NULL; a = a->next) {
		if (a->key == NEVER)
			continue;
		fprintf(h, "\tAPI_");
		for (const char *p = a->name; *p != '\0'; p++)
			fputc(toupper((unsigned char)*p), h);
		fprintf(h, " = %d,\n", a->key);
		count++;
	}
	fprintf(h, "};\n\nenum { API_SCHEMA_COUNT = %d };\n", count);
	for (const struct api *a = schemac_apis; a != NULL; a = a->next) {
		put_struct(h, a->request);
		if (a->response != NULL)
			put_struct(h, a->response);
	}
	fprintf(h, "\n#endif\n");
	if (fclose(h) != 0)
		schemac_fail("%s", strerror(errno));
}

void
schemac_write_source(const char *path)
{
	FILE *c = create(path);

	fprintf(c, "#include \"wire/messages.h\"\n\n"
	    "#define EMPTY { (const uint8_t *)\"\", 0 }\n");
	for (const struct api *a = schemac_apis; a != NULL; a = a->next) {
		put_table(c, a->request, true);
		if (a->response != NULL)
			put_table(c, a->response, true);
	}
	fprintf(c, "\nconst struct api_schema api_schemas[] = {\n");
	for (const struct api *a = schemac_apis; a != NULL; a = a->next)
		if (a->key != NEVER)
			fprintf(c, "\t{ %d, \"%s\", %d, %d, %d, "
			    "&%s_request_message,\n\t    "
			    "&%s_response_message },\n", a->key, a->name,
			    a->versions.since, a->versions.until, a->flexible,
			    a->name, a->name);
	fprintf(c, "\t{ -1, NULL, 0, -1, 0, NULL, NULL },\n};\n");
	if (fclose(c) != 0)
		schemac_fail("%s", strerror(errno));
}

static void
dump_object(const char *path, const struct object *o, struct range in)
{
	int n = 0;

	for (const struct field *f = o->fields; f != NULL; f = f->next) {
		struct range r = f->versions;
		char *name = schemac_text("%s.%s", path, f->name);

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

void
schemac_dump(void)
{
	for (const struct api *a = schemac_apis; a != NULL; a = a->next) {
		printf("%s key %d versions %d-%d flexible %d\n", a->name,
		    a->key, a->versions.since, a->versions.until, a->flexible);
		dump_object(a->request->name, a->request, a->versions);
		if (a->response != NULL)
			dump_object(a->response->name, a->response,
			    a->versions);
	}
}
