/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/text.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/wire/batch.h"
#include "gateway/wire/errors.h"
#include "gateway/wire/layout.h"
#include "routing/shape.h"

/* ---- words ---- */

static void
skip(struct text *t)
{
	while (isspace((unsigned char)*t->p) || *t->p == ',')
		t->p++;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' &&
	    strchr("_./+-@", c) != NULL);
}

bool
text_word(struct text *t, char to[TEXT_WORD])
{
	size_t n = 0;

	skip(t);
	while (is_word(t->p[n]) && n < TEXT_WORD - 1) {
		to[n] = t->p[n];
		n++;
	}
	to[n] = '\0';
	t->p += n;
	return n > 0;
}

bool
text_is(struct text *t, const char *word)
{
	struct text ahead = *t;
	char got[TEXT_WORD];

	if (!text_word(&ahead, got) || strcmp(got, word) != 0)
		return false;
	t->p = ahead.p;
	return true;
}

bool
text_end(struct text *t)
{
	skip(t);
	return *t->p == '\0';
}

static bool
symbol(struct text *t, const char *s)
{
	skip(t);
	if (strncmp(t->p, s, strlen(s)) != 0)
		return false;
	t->p += strlen(s);
	return true;
}

static bool
wanted(struct text *t, const char *what)
{
	return error_set(t->err, "%s is wanted at: %.40s", what, t->p);
}

bool
text_number(struct text *t, int64_t *to)
{
	char *end;

	skip(t);
	*to = strtoll(t->p, &end, 0);
	if (end == t->p || is_word(*end))
		return false;
	t->p = end;
	return true;
}

static int
hex_byte(const char *p)
{
	unsigned int n;

	return isxdigit((unsigned char)p[0]) &&
	    isxdigit((unsigned char)p[1]) && sscanf(p, "%2x", &n) == 1 ?
	    (int)n : -1;
}

bool
text_string(struct text *t, struct slice *to)
{
	uint8_t *out, *start;

	skip(t);
	if (*t->p != '"')
		return false;
	start = out = arena_get(t->arena, strlen(t->p));
	for (t->p++; *t->p != '"' && *t->p != '\0'; t->p++) {
		if (*t->p != '\\') {
			*out++ = (uint8_t)*t->p;
			continue;
		}
		t->p++;
		if (*t->p == 'x' && hex_byte(t->p + 1) >= 0) {
			*out++ = (uint8_t)hex_byte(t->p + 1);
			t->p += 2;
		} else {
			*out++ = *t->p == 'n' ? '\n' : *t->p == 'r' ? '\r' :
			    (uint8_t)*t->p;
		}
	}
	if (*t->p == '"')
		t->p++;
	*to = (struct slice){ start, (uint32_t)(out - start) };
	return true;
}

/* ---- what $names stand for ---- */

static bool
variable(struct text *t, char name[TEXT_WORD], int *at)
{
	if (!symbol(t, "$"))
		return false;
	text_word(t, name);
	for (*at = 0; *at < t->vars->n; (*at)++)
		if (strcmp(t->vars->v[*at].name, name) == 0)
			return true;
	*at = -1;
	return true;
}

static uint32_t
number_size(const struct field *f)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
	case FIELD_INT8:
		return 1;
	case FIELD_INT16:
	case FIELD_UINT16:
		return 2;
	case FIELD_INT32:
	case FIELD_UINT32:
		return 4;
	case FIELD_INT64:
	case FIELD_FLOAT64:
		return 8;
	default:
		return 0;
	}
}

static int64_t
get_number(const struct field *f, const void *from)
{
	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		return *(const bool *)from;
	case FIELD_INT8:
		return *(const int8_t *)from;
	case FIELD_INT16:
		return *(const int16_t *)from;
	case FIELD_UINT16:
		return *(const uint16_t *)from;
	case FIELD_INT32:
		return *(const int32_t *)from;
	case FIELD_UINT32:
		return *(const uint32_t *)from;
	case FIELD_INT64:
		return *(const int64_t *)from;
	default:
		return 0;
	}
}

static void
put_number(const struct field *f, int64_t n, void *to)
{
	double real = (double)n;

	/* Little-endian, as all machines that weir is tested on. */
	if (f->type == FIELD_FLOAT64)
		memcpy(to, &real, sizeof(real));
	else
		memcpy(to, &n, number_size(f));
}

static struct slice
bytes_of(const struct field *f, const void *from)
{
	if (f->type == FIELD_UUID)
		return (struct slice){ from, sizeof(struct uuid) };
	if (f->type == FIELD_RECORDS)
		return (struct slice){ ((const struct records *)from)->data,
		    ((const struct records *)from)->len };
	return *(const struct slice *)from;
}

static void
bind(struct text *t, const char *name, const struct field *f, const void *from)
{
	int64_t n = get_number(f, from);
	struct slice s = { (const uint8_t *)&n, sizeof(n) };

	if (number_size(f) == 0)
		s = bytes_of(f, from);
	assert(t->vars->n < TEXT_VARS && s.len <= sizeof(t->vars->v[0].value));
	snprintf(t->vars->v[t->vars->n].name, sizeof(t->vars->v[0].name),
	    "%.31s", name);
	if (s.len > 0)
		memcpy(t->vars->v[t->vars->n].value, s.data, s.len);
	t->vars->v[t->vars->n++].len = s.len;
}

/* ---- single values ---- */

static void
put32(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

/* batch(offset 5 count 3 producer 7 epoch 0 sequence 0 size 100 fill 1): as a
 * client or broker would make it, with bytes that nobody looks at for records
 * (and no checksum: weir makes none). */
static bool
parse_batch(struct text *t, uint8_t *to, size_t room, size_t *used)
{
	int64_t offset = 0, count = 1, producer = -1, epoch = -1, seq = -1;
	int64_t size = BATCH_HEADER + 9, fill = 'r', attributes = 0;
	const struct {
		const char	*name;
		int64_t		*to;
	} parts[] = { { "offset", &offset }, { "count", &count },
		{ "producer", &producer }, { "epoch", &epoch },
		{ "sequence", &seq }, { "size", &size }, { "fill", &fill },
		{ "attributes", &attributes } };

	if (!symbol(t, "("))
		return wanted(t, "(");
	while (!symbol(t, ")")) {
		char word[TEXT_WORD];
		size_t i = 0;

		text_word(t, word);
		while (i < 8 && strcmp(parts[i].name, word) != 0)
			i++;
		if (i == 8 || !text_number(t, parts[i].to))
			return wanted(t, "a part of a batch and its number");
	}
	if (size < BATCH_HEADER || (size_t)size > room)
		return error_set(t->err, "a batch of %" PRId64 " bytes", size);
	memset(to, (int)fill, (size_t)size);
	put32(to, (uint64_t)offset, 8);
	put32(to + 8, (uint64_t)size - BATCH_PREFIX, 4);
	put32(to + 12, 0, 4);
	to[16] = 2;
	put32(to + 17, 0, 4);
	put32(to + 21, (uint64_t)attributes, 2);
	put32(to + 23, (uint64_t)count - 1, 4);
	memset(to + 27, 0, 16);
	put32(to + 43, (uint64_t)producer, 8);
	put32(to + 51, (uint64_t)epoch, 2);
	put32(to + 53, (uint64_t)seq, 4);
	put32(to + 57, (uint64_t)count, 4);
	*used = (size_t)size;
	return true;
}

/* One batch or several, one behind the other. */
static bool
parse_batches(struct text *t, struct records *to)
{
	enum { ROOM = 4 * 1024 * 1024 };
	struct block *b = block_new(ROOM);
	size_t used = 0, more;
	bool ok = true;

	while (ok && text_is(t, "batch")) {
		ok = parse_batch(t, b->data + used, ROOM - used, &more);
		used += ok ? more : 0;
	}
	*to = (struct records){ b->data, (uint32_t)used, b };
	arena_hold(t->arena, b);
	block_unref(b);
	return ok;
}

/* 32 digits, or fewer: the last ones. */
static bool
parse_uuid(struct text *t, struct uuid *to)
{
	char word[TEXT_WORD], whole[33];
	size_t len;

	if (!text_word(t, word) || strlen(word) > 32)
		return wanted(t, "an id of at most 32 hex digits");
	len = strlen(word);
	memset(whole, '0', sizeof(whole));
	memcpy(whole + 32 - len, word, len);
	for (int i = 0; i < 16; i++) {
		int b = hex_byte(whole + 2 * i);

		if (b < 0)
			return error_set(t->err, "%s is no id", word);
		to->b[i] = (uint8_t)b;
	}
	return true;
}

bool
text_error(const char *name, int64_t *n)
{
	static const struct {
		const char	*name;
		int		 code;
	} all[] = {
#define X(name, code, retriable, text) { #name, (code) },
#include "gateway/wire/errors.def"
#undef X
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0) {
			*n = all[i].code;
			return true;
		}
	return false;
}

static bool
parse_number(struct text *t, const struct field *f, void *to)
{
	char word[TEXT_WORD];
	int64_t n;

	if (text_is(t, "true")) {
		n = 1;
	} else if (text_is(t, "false")) {
		n = 0;
	} else if (!text_number(t, &n)) {
		if (!text_word(t, word) || !text_error(word, &n))
			return wanted(t, "a number or the name of an error");
	}
	put_number(f, n, to);
	return true;
}

static bool
take_variable(struct text *t, int at, const struct field *f, void *to)
{
	int64_t n;
	struct slice s = { t->vars->v[at].value, t->vars->v[at].len };

	if (number_size(f) > 0) {
		memcpy(&n, s.data, sizeof(n));
		put_number(f, n, to);
	} else if (f->type == FIELD_UUID) {
		memcpy(to, s.data, sizeof(struct uuid));
	} else {
		*(struct slice *)to = arena_slice(t->arena, s);
	}
	return true;
}

static bool
parse_single(struct text *t, const struct field *f, void *to)
{
	char name[TEXT_WORD];
	struct slice s = SLICE_NULL;
	int at;

	if (variable(t, name, &at))
		return at >= 0 ? take_variable(t, at, f, to) :
		    error_set(t->err, "$%s is not known yet", name);
	if (number_size(f) > 0)
		return parse_number(t, f, to);
	if (f->type == FIELD_UUID)
		return parse_uuid(t, to);
	skip(t);
	if (f->type == FIELD_RECORDS && strncmp(t->p, "batch", 5) == 0)
		return parse_batches(t, to);
	if (!text_is(t, "null") && !text_string(t, &s))
		return wanted(t, "a \"text\" or null");
	if (f->type == FIELD_RECORDS)
		*(struct records *)to = (struct records){ s.data, s.len,
			NULL };
	else
		*(struct slice *)to = s;
	return true;
}

/* ---- messages ---- */

static bool parse_struct(struct text *t, const struct message *m, void *obj);

static bool
parse_element(struct text *t, const struct field *f, void *to)
{
	if (f->type != FIELD_STRUCT)
		return parse_single(t, f, to);
	codec_defaults(f->element, to);
	return parse_struct(t, f->element, to);
}

static bool
parse_array(struct text *t, const struct field *f, struct array *to)
{
	int32_t cap = 0;

	*to = (struct array){ NULL, -1 };
	if (text_is(t, "null"))
		return true;
	if (!symbol(t, "["))
		return wanted(t, "[");
	to->n = 0;
	while (!symbol(t, "]")) {
		if (to->n == cap) {
			void *was = to->v;

			cap = cap ? cap * 2 : 8;
			to->v = arena_get(t->arena, (size_t)cap * f->size);
			if (was != NULL)
				memcpy(to->v, was, (size_t)to->n * f->size);
		}
		if (!parse_element(t, f, (char *)to->v +
		    (size_t)to->n++ * f->size))
			return false;
	}
	return true;
}

static bool
parse_field(struct text *t, const struct field *f, char *to)
{
	struct_pointer *p = (void *)to;

	if (f->array)
		return parse_array(t, f, (void *)to);
	if (f->type != FIELD_STRUCT || f->null_since < 0)
		return parse_element(t, f, to);
	*p = NULL;
	if (text_is(t, "null"))
		return true;
	*p = arena_get(t->arena, f->element->size);
	return parse_element(t, f, *p);
}

/* The field whose name comes next; NULL: there is none such. */
static const struct field *
next_field(struct text *t, const struct message *m)
{
	const struct field *f;
	char name[TEXT_WORD];

	text_word(t, name);
	f = message_field(m, name);
	if (f == NULL)
		error_set(t->err, "%s has no field \"%s\"", m->name, name);
	else if (!field_in_version(f, t->version))
		error_set(t->err, "%s has no %s in version %d", m->name, name,
		    t->version);
	else if (!symbol(t, ":"))
		error_set(t->err, "a : is wanted behind %s", name);
	else
		return f;
	return NULL;
}

static bool
parse_struct(struct text *t, const struct message *m, void *obj)
{
	if (!symbol(t, "{"))
		return wanted(t, "{");
	while (!symbol(t, "}")) {
		const struct field *f = next_field(t, m);

		if (f == NULL || !parse_field(t, f, (char *)obj + f->offset))
			return false;
	}
	return true;
}

void *
text_parse(struct text *t, const struct message *m)
{
	void *obj = codec_new(m, t->arena);

	return parse_struct(t, m, obj) ? obj : NULL;
}

/* ---- comparing ---- */

static bool match_struct(struct text *t, const struct message *m,
	    const void *obj);

static bool
differs(struct text *t, const struct field *f, const void *is)
{
	struct slice s;

	if (number_size(f) > 0) {
		int64_t n = get_number(f, is);

		return error_set(t->err, "%s is %" PRId64 " (%s)", f->name, n,
		    strstr(f->name, "error_code") != NULL ?
		    kafka_error_name((int)n) : "not as wanted");
	}
	s = bytes_of(f, is);
	if (s.data == NULL)
		return error_set(t->err, "%s is null", f->name);
	if (f->type == FIELD_STRING)
		return error_set(t->err, "%s is \"%.*s\"", f->name,
		    SLICE_FMT(s));
	return error_set(t->err, "%s is other bytes (%u)", f->name, s.len);
}

/* The value is read as it would be to be sent, and must be the same. */
static bool
match_single(struct text *t, const struct field *f, const void *is)
{
	_Alignas(8) uint8_t want[32] = { 0 };
	char name[TEXT_WORD];
	bool same, other = symbol(t, "!");
	const char *at = t->p;
	int var;

	if (variable(t, name, &var) && var < 0) {
		bind(t, name, f, is);
		return true;
	}
	t->p = at;
	if (!parse_single(t, f, want))
		return false;
	if (number_size(f) > 0)
		same = memcmp(want, is, number_size(f)) == 0;
	else
		same = slice_eq(bytes_of(f, want), bytes_of(f, is));
	return same != other || differs(t, f, is);
}

static bool
match_element(struct text *t, const struct field *f, const void *is)
{
	if (symbol(t, "*"))
		return true;
	return f->type == FIELD_STRUCT ? match_struct(t, f->element, is) :
	    match_single(t, f, is);
}

enum { UNORDERED_MAX = 64 };

/* The first element, not taken yet, that is as the text says. */
static bool
match_any(struct text *t, const struct field *f, const struct array *is,
    bool taken[UNORDERED_MAX])
{
	struct error first = { "" };

	for (int32_t i = 0; i < is->n && i < UNORDERED_MAX; i++) {
		const char *at = t->p;

		if (taken[i])
			continue;
		if (match_element(t, f, (const char *)is->v +
		    (size_t)i * f->size)) {
			taken[i] = true;
			t->err->text[0] = '\0';
			return true;
		}
		t->p = at;
		if (first.text[0] == '\0')
			first = *t->err;
	}
	*t->err = first;
	return error_prefix(t->err, "%s has none such, the first", f->name);
}

/* In any order. */
static bool
match_set(struct text *t, const struct field *f, const struct array *is)
{
	bool taken[UNORDERED_MAX] = { false };
	int32_t n = 0;

	for (; !symbol(t, "]"); n++)
		if (!match_any(t, f, is, taken))
			return false;
	return n == is->n || error_set(t->err, "%s has %d, not %d", f->name,
	    is->n, n);
}

static bool
match_array(struct text *t, const struct field *f, const struct array *is)
{
	int32_t n = 0;

	if (symbol(t, "*"))
		return true;
	if (text_is(t, "null"))
		return is->n < 0 || error_set(t->err, "%s is not null",
		    f->name);
	if (is->n < 0)
		return error_set(t->err, "%s is null", f->name);
	if (!symbol(t, "["))
		return wanted(t, "[");
	if (symbol(t, "~"))
		return match_set(t, f, is);
	while (!symbol(t, "]")) {
		if (symbol(t, "..."))
			return symbol(t, "]") || wanted(t, "]");
		if (n == is->n)
			return error_set(t->err, "%s has only %d", f->name, n);
		if (!match_element(t, f, (const char *)is->v +
		    (size_t)n++ * f->size))
			return error_prefix(t->err, "%s[%d]", f->name, n - 1);
	}
	return n == is->n || error_set(t->err, "%s has %d, not %d", f->name,
	    is->n, n);
}

static bool
match_field(struct text *t, const struct field *f, const char *is)
{
	const void *p;

	if (f->array)
		return match_array(t, f, (const void *)is);
	if (f->type != FIELD_STRUCT || f->null_since < 0)
		return match_element(t, f, is);
	p = *(const struct_pointer *)(const void *)is;
	if (text_is(t, "null"))
		return p == NULL || error_set(t->err, "%s is not null",
		    f->name);
	return p != NULL ? match_element(t, f, p) :
	    error_set(t->err, "%s is null", f->name);
}

static bool
match_struct(struct text *t, const struct message *m, const void *obj)
{
	if (!symbol(t, "{"))
		return wanted(t, "{");
	while (!symbol(t, "}")) {
		const struct field *f = next_field(t, m);

		if (f == NULL ||
		    !match_field(t, f, (const char *)obj + f->offset))
			return false;
	}
	return true;
}

bool
text_match(struct text *t, const struct message *m, const void *obj)
{
	return match_struct(t, m, obj);
}
