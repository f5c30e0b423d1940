/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with messages in memory: find, make, walk, print. */
#include "gateway/wire/codec.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "gateway/wire/layout.h"
#include "wire/messages.h"

const struct api_schema *
api_schema_find(int16_t key)
{
	int low = 0, high = API_SCHEMA_COUNT - 1;

	while (low <= high) {
		int mid = (low + high) / 2;

		if (api_schemas[mid].key == key)
			return &api_schemas[mid];
		if (api_schemas[mid].key < key)
			low = mid + 1;
		else
			high = mid - 1;
	}
	return NULL;
}

void
codec_defaults(const struct message *m, void *obj)
{
	if (m->defaults != NULL)
		memcpy(obj, m->defaults, m->size);
	else
		memset(obj, 0, m->size);
}

void *
codec_new(const struct message *m, struct arena *a)
{
	void *obj = arena_get(a, m->size);

	codec_defaults(m, obj);
	return obj;
}

void *
codec_array(const struct message *m, struct arena *a, int32_t n)
{
	char *v;

	if (n <= 0)
		return NULL;
	v = arena_get(a, (size_t)n * m->size);
	for (int32_t i = 0; i < n; i++)
		codec_defaults(m, v + (size_t)i * m->size);
	return v;
}

/* ---- walk ---- */

struct walk {
	int		 version;
	codec_visit_cb	*visit;
	void		*arg;
};

static void walk_struct(const struct walk *, const struct message *, char *);

static bool
is_null(const struct field *f, const void *value)
{
	return (f->type == FIELD_STRING || f->type == FIELD_BYTES) &&
	    ((const struct slice *)value)->data == NULL;
}

/* Elements that are kept move down over those that were dropped. */
static void
walk_array(const struct walk *w, const struct field *f, char *parent)
{
	struct array *a = (void *)(parent + f->offset);
	char *from = a->v, *to = a->v;
	int32_t kept = 0;

	if (a->n <= 0)
		return;
	for (int32_t i = 0; i < a->n; i++, from += f->size) {
		if (f->type == FIELD_STRUCT)
			walk_struct(w, f->element, from);
		if (w->visit(w->arg, f, from, parent) == CODEC_DROP)
			continue;
		if (to != from)
			memcpy(to, from, f->size);
		to += f->size;
		kept++;
	}
	a->n = kept;
}

static void
walk_struct(const struct walk *w, const struct message *m, char *obj)
{
	const struct field *f = m->fields, *end = f + m->field_count;

	for (; f < end; f++) {
		char *value = obj + f->offset;

		if (f->meaning == MEANING_NONE && f->type != FIELD_STRUCT)
			continue;
		if (!field_in_version(f, w->version))
			continue;
		if (f->array) {
			walk_array(w, f, obj);
		} else if (f->type != FIELD_STRUCT) {
			if (!is_null(f, value))
				w->visit(w->arg, f, value, obj);
		} else if (f->null_since < 0) {
			walk_struct(w, f->element, value);
		} else {
			struct_pointer *p = (void *)value;

			if (*p != NULL)
				walk_struct(w, f->element, *p);
		}
	}
}

void
codec_walk(const struct message *m, int version, void *obj,
    codec_visit_cb *visit, void *arg)
{
	struct walk w = { version, visit, arg };

	walk_struct(&w, m, obj);
}

/* ---- print ---- */

struct print {
	char	*to;
	size_t	 size, used;		/* used: of the whole text */
	int	 version, depth;
};

static void print_struct(struct print *, const struct message *, const char *);

static void put(struct print *, const char *, ...)
	__attribute__((format(printf, 2, 3)));

static void
put(struct print *p, const char *fmt, ...)
{
	size_t left = p->used < p->size ? p->size - p->used : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? p->to + p->used : NULL, left, fmt, ap);
	va_end(ap);
	p->used += n > 0 ? (size_t)n : 0;
}

/* Only printing ASCII goes out as it is: no forged lines in a log. */
static void
put_text(struct print *p, const struct slice *s)
{
	put(p, "\"");
	for (uint32_t i = 0; i < s->len; i++) {
		uint8_t c = s->data[i];

		if (isprint(c) && c < 0x7f && c != '"' && c != '\\')
			put(p, "%c", c);
		else
			put(p, "\\x%02x", c);
	}
	put(p, "\"");
}

static void
put_uuid(struct print *p, const struct uuid *u)
{
	for (size_t i = 0; i < sizeof(u->b); i++)
		put(p, "%02x", u->b[i]);
}

static void
put_slice(struct print *p, const struct field *f, const struct slice *s)
{
	if (s->data == NULL)
		put(p, "null");
	else if (f->type == FIELD_STRING && f->meaning != MEANING_secret)
		put_text(p, s);
	else
		put(p, "(%" PRIu32 " bytes)", s->len);
}

static void
print_value(struct print *p, const struct field *f, const void *value)
{
	const struct records *records;
	double real;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		put(p, "%s", *(const bool *)value ? "true" : "false");
		break;
	case FIELD_INT8:
		put(p, "%d", *(const int8_t *)value);
		break;
	case FIELD_INT16:
		put(p, "%d", *(const int16_t *)value);
		break;
	case FIELD_UINT16:
		put(p, "%u", *(const uint16_t *)value);
		break;
	case FIELD_INT32:
		put(p, "%" PRId32, *(const int32_t *)value);
		break;
	case FIELD_UINT32:
		put(p, "%" PRIu32, *(const uint32_t *)value);
		break;
	case FIELD_INT64:
		put(p, "%" PRId64, *(const int64_t *)value);
		break;
	case FIELD_FLOAT64:
		memcpy(&real, value, sizeof(real));
		put(p, "%.17g", real);
		break;
	case FIELD_STRING:
	case FIELD_BYTES:
		put_slice(p, f, value);
		break;
	case FIELD_RECORDS:
		records = value;
		if (records->data == NULL)
			put(p, "null");
		else
			put(p, "(%" PRIu32 " bytes)", records->len);
		break;
	case FIELD_UUID:
		put_uuid(p, value);
		break;
	case FIELD_STRUCT:
		break;
	}
}

/* A struct's fields, deeper than the line that names it. */
static void
print_object(struct print *p, const struct message *m, const char *obj)
{
	put(p, "\n");
	p->depth++;
	print_struct(p, m, obj);
	p->depth--;
}

static void
print_array(struct print *p, const struct field *f, const struct array *a)
{
	const char *v = a->v;

	if (a->n < 0) {
		put(p, " null\n");
		return;
	}
	put(p, " [%" PRId32 "]", a->n);
	for (int32_t i = 0; i < a->n; i++, v += f->size) {
		if (f->type == FIELD_STRUCT) {
			put(p, "\n%*s- %" PRId32 ":", p->depth * 2, "", i);
			print_object(p, f->element, v);
			if (p->used > 0)
				p->used--;	/* its last newline */
		} else {
			put(p, " ");
			print_value(p, f, v);
		}
	}
	put(p, "\n");
}

static void
print_struct(struct print *p, const struct message *m, const char *obj)
{
	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		const void *value = obj + f->offset;

		if (!field_in_version(f, p->version))
			continue;
		put(p, "%*s%s:", p->depth * 2, "", f->name);
		if (f->array) {
			print_array(p, f, value);
		} else if (f->type != FIELD_STRUCT) {
			put(p, " ");
			print_value(p, f, value);
			put(p, "\n");
		} else if (f->null_since < 0) {
			print_object(p, f->element, value);
		} else if (*(const struct_pointer *)value == NULL) {
			put(p, " null\n");
		} else {
			print_object(p, f->element,
			    *(const struct_pointer *)value);
		}
	}
}

size_t
codec_print(const struct message *m, int version, const void *obj, char *to,
    size_t size)
{
	struct print p = { to, size, 0, version, 0 };

	if (size > 0)
		to[0] = '\0';
	put(&p, "%s version %d", m->name, version);
	print_object(&p, m, obj);
	return p.used;
}
