/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs to bytes, in one pass. Small values are copied into blocks which
 * double from WRITER_FIRST to WRITER_MAX; records go out as a piece of the
 * block that they came in.
 */
#include "gateway/wire/codec.h"

#include <assert.h>

#include "gateway/wire/layout.h"

enum {
	WRITER_FIRST = 256,
	WRITER_MAX = 64 * 1024,
	BY_REFERENCE_MIN = 1024,	/* below, copying costs less */
};

struct encoder {
	struct writer	*w;
	struct error	*err;
	int		 version;
	bool		 flexible, failed;
};

/* ---- writer ---- */

void
writer_init(struct writer *w, struct chain *out)
{
	*w = (struct writer){ .out = out };
}

/* What was filled becomes a piece of the chain. */
static void
flush(struct writer *w)
{
	if (w->p == w->start)
		return;
	chain_add(w->out, w->block, w->start, (size_t)(w->p - w->start));
	w->bytes += (size_t)(w->p - w->start);
	w->start = w->p;
}

static void
next_block(struct writer *w)
{
	size_t size = w->block ? w->block->size * 2 : WRITER_FIRST;

	if (size > WRITER_MAX)
		size = WRITER_MAX;
	flush(w);
	block_unref(w->block);
	w->block = block_new(size);
	w->start = w->p = w->block->data;
	w->end = w->p + size;
}

/* Room for n <= WRITER_FIRST contiguous bytes. */
static inline uint8_t *
room(struct writer *w, size_t n)
{
	uint8_t *p;

	if (!LIKELY((size_t)(w->end - w->p) >= n))
		next_block(w);
	p = w->p;
	w->p += n;
	return p;
}

static inline void
put16(struct writer *w, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(room(w, sizeof(v)), &v, sizeof(v));
}

static inline void
put32(struct writer *w, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(room(w, sizeof(v)), &v, sizeof(v));
}

static inline void
put64(struct writer *w, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(room(w, sizeof(v)), &v, sizeof(v));
}

static inline void
put_uvarint(struct writer *w, uint32_t v)
{
	while (v >= 0x80) {
		*room(w, 1) = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*room(w, 1) = (uint8_t)v;
}

static inline void
put_bytes(struct writer *w, const void *from, size_t len)
{
	const uint8_t *p = from;

	while (len > 0) {
		size_t n = (size_t)(w->end - w->p);

		if (n == 0) {
			next_block(w);
			continue;
		}
		if (n > len)
			n = len;
		memcpy(w->p, p, n);
		w->p += n;
		p += n;
		len -= n;
	}
}

void
writer_int8(struct writer *w, int8_t v)
{
	*room(w, 1) = (uint8_t)v;
}

void
writer_int16(struct writer *w, int16_t v)
{
	put16(w, (uint16_t)v);
}

void
writer_int32(struct writer *w, int32_t v)
{
	put32(w, (uint32_t)v);
}

void
writer_int64(struct writer *w, int64_t v)
{
	put64(w, (uint64_t)v);
}

void
writer_uvarint(struct writer *w, uint32_t v)
{
	put_uvarint(w, v);
}

void
writer_bytes(struct writer *w, const void *p, size_t len)
{
	put_bytes(w, p, len);
}

void
writer_string(struct writer *w, struct slice s)
{
	assert(s.len <= STRING_MAX);
	put16(w, s.data ? (uint16_t)s.len : UINT16_MAX);
	put_bytes(w, s.data, s.len);
}

uint8_t *
writer_reserve4(struct writer *w)
{
	return room(w, 4);
}

size_t
writer_size(const struct writer *w)
{
	return w->bytes + (size_t)(w->p - w->start);
}

void
writer_finish(struct writer *w)
{
	flush(w);
	block_unref(w->block);
	w->block = NULL;
	w->start = w->p = w->end = NULL;
}

/* ---- defaults ---- */

static bool all_default(const struct message *, const void *);

static bool
slice_is_default(const struct field *f, const struct slice *s)
{
	/* A struct that was only zeroed has null in its strings. */
	return s->data == NULL ? f->dflt_null || f->null_since < 0 :
	    s->len == 0 && !f->dflt_null;
}

static bool
is_default(const struct field *f, const void *value)
{
	static const struct uuid zero;
	double real;

	if (f->array)
		return ((const struct array *)value)->n ==
		    (f->dflt_null ? -1 : 0);
	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		return *(const bool *)value == (f->dflt != 0);
	case FIELD_INT8:
		return *(const int8_t *)value == f->dflt;
	case FIELD_INT16:
		return *(const int16_t *)value == f->dflt;
	case FIELD_UINT16:
		return *(const uint16_t *)value == f->dflt;
	case FIELD_INT32:
		return *(const int32_t *)value == f->dflt;
	case FIELD_UINT32:
		return *(const uint32_t *)value == f->dflt;
	case FIELD_INT64:
		return *(const int64_t *)value == f->dflt;
	case FIELD_FLOAT64:
		memcpy(&real, value, sizeof(real));
		return real == 0;
	case FIELD_STRING:
	case FIELD_BYTES:
		return slice_is_default(f, value);
	case FIELD_RECORDS:
		return ((const struct records *)value)->data == NULL;
	case FIELD_UUID:
		return uuid_eq(value, &zero);
	case FIELD_STRUCT:
		return f->null_since >= 0 ?
		    *(const struct_pointer *)value == NULL :
		    all_default(f->element, value);
	}
	return false;
}

static bool
all_default(const struct message *m, const void *obj)
{
	for (int i = 0; i < m->field_count; i++)
		if (!is_default(&m->fields[i],
		    (const char *)obj + m->fields[i].offset))
			return false;
	return true;
}

/* ---- fields ---- */

static void encode_struct(struct encoder *, const struct message *,
    const uint8_t *);

static void
refuse(struct encoder *e, const struct field *f, const char *why)
{
	if (!e->failed)
		error_set(e->err, "'%s' %s in version %d", f->name, why,
		    e->version);
	e->failed = true;
}

/* A count or length, -1 for null. */
static inline void
put_length(struct encoder *e, const struct field *f, int64_t n, bool is_int16)
{
	if (n < 0 && (f->null_since < 0 || e->version < f->null_since)) {
		refuse(e, f, "is null, which it cannot be");
		return;
	}
	if (e->flexible)
		put_uvarint(e->w, (uint32_t)(n + 1));
	else if (is_int16)
		put16(e->w, (uint16_t)n);
	else
		put32(e->w, (uint32_t)n);
}

static inline void
encode_string(struct encoder *e, const struct field *f, const struct slice *s)
{
	if (s->len > STRING_MAX) {
		refuse(e, f, "is longer than 32767 bytes");
		return;
	}
	put_length(e, f, s->data ? (int64_t)s->len : -1, true);
	if (s->data != NULL)
		put_bytes(e->w, s->data, s->len);
}

static void
encode_blob(struct encoder *e, const struct field *f, const uint8_t *data,
    uint32_t len)
{
	if (len > INT32_MAX)
		refuse(e, f, "is longer than 2 GiB");
	else
		put_length(e, f, data ? (int64_t)len : -1, false);
}

static void
encode_records(struct encoder *e, const struct field *f,
    const struct records *r)
{
	struct writer *w = e->w;

	encode_blob(e, f, r->data, r->len);
	if (e->failed || r->data == NULL)
		return;
	if (r->owner == NULL || r->len < BY_REFERENCE_MIN) {
		put_bytes(w, r->data, r->len);
		return;
	}
	flush(w);
	chain_add(w->out, r->owner, r->data, r->len);
	w->bytes += r->len;
}

static void
encode_one_struct(struct encoder *e, const struct field *f, const void *value)
{
	const struct_pointer *p = value;

	if (f->null_since < 0) {
		encode_struct(e, f->element, value);
	} else if (*p == NULL) {
		if (e->version < f->null_since)
			refuse(e, f, "is null, which it cannot be");
		writer_int8(e->w, -1);
	} else {
		writer_int8(e->w, 1);
		encode_struct(e, f->element, *p);
	}
}

__attribute__((always_inline)) static inline void
encode_value(struct encoder *e, const struct field *f, const void *value)
{
	struct writer *w = e->w;
	const struct slice *s;
	uint64_t bits;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		*room(w, 1) = *(const bool *)value;
		break;
	case FIELD_INT8:
		*room(w, 1) = *(const uint8_t *)value;
		break;
	case FIELD_INT16:
	case FIELD_UINT16:
		put16(w, *(const uint16_t *)value);
		break;
	case FIELD_INT32:
	case FIELD_UINT32:
		put32(w, *(const uint32_t *)value);
		break;
	case FIELD_INT64:
		put64(w, *(const uint64_t *)value);
		break;
	case FIELD_FLOAT64:
		memcpy(&bits, value, sizeof(bits));
		put64(w, bits);
		break;
	case FIELD_STRING:
		encode_string(e, f, value);
		break;
	case FIELD_BYTES:
		s = value;
		encode_blob(e, f, s->data, s->len);
		if (!e->failed && s->data != NULL)
			put_bytes(w, s->data, s->len);
		break;
	case FIELD_RECORDS:
		encode_records(e, f, value);
		break;
	case FIELD_UUID:
		memcpy(room(w, 16), value, 16);
		break;
	case FIELD_STRUCT:
		encode_one_struct(e, f, value);
		break;
	}
}

static inline void
encode_array(struct encoder *e, const struct field *f,
    const struct array *a)
{
	const uint8_t *v = a->v;

	assert(a->n >= -1 && (a->n <= 0 || a->v != NULL));
	put_length(e, f, a->n, false);
	if (f->type == FIELD_INT32)
		for (int32_t i = 0; i < a->n; i++, v += 4)
			put32(e->w, *(const uint32_t *)(const void *)v);
	else if (f->type == FIELD_STRUCT)
		for (int32_t i = 0; i < a->n && !e->failed; i++, v += f->size)
			encode_struct(e, f->element, v);
	else
		for (int32_t i = 0; i < a->n; i++, v += f->size)
			encode_value(e, f, v);
}

/* ---- tagged fields ---- */

/* Has a tagged field a value worth sending? Most are untouched copies of the
 * defaults, which a comparison of bytes tells at once; padding and strings may
 * differ in bytes only, so the rest is looked at closely. */
static inline bool
is_set(const struct message *m, const struct field *f, const uint8_t *obj)
{
	const uint8_t *value = obj + f->offset;

	if (m->defaults != NULL && f->type == FIELD_STRUCT && !f->array &&
	    f->null_since < 0 && memcmp((const uint8_t *)m->defaults +
	    f->offset, value, f->size) == 0)
		return false;
	return !is_default(f, value);
}

/* Rare and short: encoded aside, because its size goes first. */
static void
encode_tag(struct encoder *e, const struct field *f, const void *value)
{
	struct writer side, *w = e->w;
	struct chain aside;

	chain_init(&aside);
	writer_init(&side, &aside);
	e->w = &side;
	if (f->array)
		encode_array(e, f, value);
	else
		encode_value(e, f, value);
	e->w = w;
	writer_finish(&side);
	put_uvarint(w, (uint32_t)f->tag);
	put_uvarint(w, (uint32_t)aside.bytes);
	for (uint32_t i = 0; i < aside.n; i++)
		put_bytes(w, aside.v[aside.head + i].data,
		    aside.v[aside.head + i].len);
	chain_fini(&aside);
}

/* schemac has seen to it that the tags of a struct rise. */
static void
encode_tags(struct encoder *e, const struct message *m, const uint8_t *obj)
{
	bool set[CODEC_TAGS_MAX];
	uint32_t n = 0, t = 0;

	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];

		if (f->tag < 0)
			continue;
		set[t] = field_in_version(f, e->version) && is_set(m, f, obj);
		n += set[t++];
	}
	put_uvarint(e->w, n);
	t = 0;
	for (int i = 0; i < m->field_count && n > 0; i++) {
		const struct field *f = &m->fields[i];

		if (f->tag >= 0 && set[t++])
			encode_tag(e, f, obj + f->offset);
	}
}

static void
encode_struct(struct encoder *e, const struct message *m, const uint8_t *obj)
{
	const struct field *f = m->fields, *end = f + m->field_count;

	for (; f < end; f++) {
		const uint8_t *value = obj + f->offset;

		if (!field_in_version(f, e->version)) {
			if (!f->ignorable && !is_default(f, value))
				refuse(e, f, "is set, which it cannot be");
		} else if (f->tag >= 0) {
			continue;
		} else if (f->array) {
			encode_array(e, f, (const void *)value);
		} else {
			encode_value(e, f, value);
		}
	}
	if (!e->flexible)
		return;
	if (m->tag_count == 0)
		*room(e->w, 1) = 0;
	else
		encode_tags(e, m, obj);
}

bool
codec_encode(struct writer *w, const struct message *m, int version,
    const void *obj, struct error *err)
{
	struct encoder e = { w, err, version, version >= m->flexible_since,
	    false };

	if (version < m->since || version > m->until)
		return error_set(err, "%s has no version %d", m->name, version);
	encode_struct(&e, m, obj);
	return e.failed ? error_prefix(err, "%s", m->name) : true;
}
