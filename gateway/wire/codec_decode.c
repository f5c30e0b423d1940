/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to structs. Each read goes through need(), which knows the end. */
#include "gateway/wire/codec.h"
#include "gateway/wire/layout.h"

/* No struct's smallest form is larger (test_codec checks it), so an array with
 * this much room an element needs no exact sum. */
enum { MIN_SIZE_MAX = 256 };

struct decoder {
	struct reader	*r;
	struct arena	*a;
	int		 version;
	bool		 flexible;
};

static bool
fault(struct reader *r, const char *what)
{
	if (r->fault == NULL)
		r->fault = what;
	r->p = r->end;
	return false;
}

static inline bool
need(struct reader *r, size_t n)
{
	if (LIKELY((size_t)(r->end - r->p) >= n))
		return true;
	return fault(r, "ends early");
}

static inline uint16_t
get16(struct reader *r)
{
	uint16_t v;

	if (!need(r, sizeof(v)))
		return 0;
	memcpy(&v, r->p, sizeof(v));
	r->p += sizeof(v);
	return __builtin_bswap16(v);
}

static inline uint32_t
get32(struct reader *r)
{
	uint32_t v;

	if (!need(r, sizeof(v)))
		return 0;
	memcpy(&v, r->p, sizeof(v));
	r->p += sizeof(v);
	return __builtin_bswap32(v);
}

static inline uint64_t
get64(struct reader *r)
{
	uint64_t v;

	if (!need(r, sizeof(v)))
		return 0;
	memcpy(&v, r->p, sizeof(v));
	r->p += sizeof(v);
	return __builtin_bswap64(v);
}

static uint32_t
get_long_uvarint(struct reader *r)
{
	uint32_t v = 0;

	for (int shift = 0; shift < 35 && need(r, 1); shift += 7) {
		uint8_t b = *r->p++;

		if (shift == 28 && b > 0x0f)
			break;
		v |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	fault(r, "varint over 32 bits");
	return 0;
}

static inline uint32_t
get_uvarint(struct reader *r)
{
	if (LIKELY(r->p < r->end && *r->p < 0x80))
		return *r->p++;
	return get_long_uvarint(r);
}

static inline struct slice
get_bytes(struct reader *r, uint32_t len)
{
	struct slice s;

	if (!need(r, len))
		return SLICE_NULL;
	s = (struct slice){ r->p, len };
	r->p += len;
	return s;
}

/* A count or length: -1 is null; what is negative otherwise is a fault. */
static inline int32_t
get_length(struct decoder *d, bool is_int16)
{
	int32_t n;

	if (d->flexible)
		n = (int32_t)(get_uvarint(d->r) - 1);
	else if (is_int16)
		n = (int16_t)get16(d->r);
	else
		n = (int32_t)get32(d->r);
	if (n < -1)
		fault(d->r, "negative length");
	return n;
}

static inline bool
null_allowed(const struct decoder *d, const struct field *f)
{
	if (f->null_since >= 0 && d->version >= f->null_since)
		return true;
	return fault(d->r, "null in a field that cannot be null");
}

/* As arena_try without clearing and without a call, where there is room. */
static inline void *
take(struct decoder *d, size_t size)
{
	struct arena *a = d->a;
	void *p;

	size = (size + 7) & ~(size_t)7;
	if (LIKELY(size <= (size_t)(a->end - a->next) && a->next != NULL &&
	    (a->cap == 0 || a->used + size <= a->cap))) {
		p = a->next;
		a->next += size;
		a->used += size;
		return p;
	}
	p = arena_try(a, size);
	if (p == NULL)
		fault(d->r, "larger in memory than its limit");
	return p;
}

static void decode_struct(struct decoder *, const struct message *, uint8_t *);

static inline void
init_struct(const struct message *m, void *to)
{
	if (m->defaults != NULL)
		memcpy(to, m->defaults, m->size);
	else
		memset(to, 0, m->size);
}

static inline struct slice
decode_slice(struct decoder *d, const struct field *f)
{
	bool string = f->type == FIELD_STRING;
	int32_t n = get_length(d, string);

	if (n < 0) {
		null_allowed(d, f);
		return SLICE_NULL;
	}
	if (string && n > STRING_MAX) {
		fault(d->r, "string over 32767 bytes");
		return SLICE_NULL;
	}
	return get_bytes(d->r, (uint32_t)n);
}

static void
decode_one_struct(struct decoder *d, const struct field *f, void *to)
{
	struct_pointer *p = to;
	uint8_t *s;

	if (f->null_since < 0) {
		decode_struct(d, f->element, to);
		return;
	}
	*p = NULL;
	if (!need(d->r, 1) || (int8_t)*d->r->p++ < 0) {
		null_allowed(d, f);
		return;
	}
	s = take(d, f->element->size);
	if (s == NULL)
		return;
	init_struct(f->element, s);
	decode_struct(d, f->element, s);
	*p = s;
}

__attribute__((always_inline)) static inline void
decode_value(struct decoder *d, const struct field *f, void *to)
{
	struct reader *r = d->r;
	uint64_t bits;
	struct slice s;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		*(bool *)to = need(r, 1) && *r->p++ != 0;
		break;
	case FIELD_INT8:
		*(int8_t *)to = need(r, 1) ? (int8_t)*r->p++ : 0;
		break;
	case FIELD_INT16:
	case FIELD_UINT16:
		*(uint16_t *)to = get16(r);
		break;
	case FIELD_INT32:
	case FIELD_UINT32:
		*(uint32_t *)to = get32(r);
		break;
	case FIELD_INT64:
		*(uint64_t *)to = get64(r);
		break;
	case FIELD_FLOAT64:
		bits = get64(r);
		memcpy(to, &bits, sizeof(bits));
		break;
	case FIELD_STRING:
	case FIELD_BYTES:
		*(struct slice *)to = decode_slice(d, f);
		break;
	case FIELD_RECORDS:
		s = decode_slice(d, f);
		*(struct records *)to = (struct records){ s.data, s.len,
		    r->block };
		break;
	case FIELD_UUID:
		if (need(r, 16)) {
			memcpy(to, r->p, 16);
			r->p += 16;
		}
		break;
	case FIELD_STRUCT:
		decode_one_struct(d, f, to);
		break;
	}
}

/* The fewest bytes that one value (an array's element) takes. */
static size_t
min_value(const struct field *f, int version, bool flexible)
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
	case FIELD_UUID:
		return 16;
	case FIELD_STRING:
		return flexible ? 1 : 2;
	case FIELD_BYTES:
	case FIELD_RECORDS:
		return flexible ? 1 : 4;
	case FIELD_STRUCT:
		break;
	}
	if (!f->array && f->null_since >= 0)
		return 1;
	return codec_min_size(f->element, version);
}

size_t
codec_min_size(const struct message *m, int version)
{
	bool flexible = version >= m->flexible_since;
	size_t sum = flexible ? 1 : 0;

	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];

		if (!field_in_version(f, version) || f->tag >= 0)
			continue;
		if (f->array)
			sum += flexible ? 1 : 4;
		else
			sum += min_value(f, version, flexible);
	}
	return sum;
}

/* CVE-2026-111108: memory is taken for a count only when the bytes that so
 * many elements need are there. */
static inline bool
check_count(struct decoder *d, const struct field *f, int32_t n)
{
	size_t have = (size_t)(d->r->end - d->r->p);

	if (f->type == FIELD_STRUCT && (size_t)n <= have / MIN_SIZE_MAX)
		return true;
	if ((size_t)n <= have / min_value(f, d->version, d->flexible))
		return true;
	return fault(d->r, "array longer than the message");
}

static inline void
decode_int32s(struct reader *r, void *to, int32_t n)
{
	uint8_t *out = to;

	if (!need(r, (size_t)n * 4))
		return;
	for (int32_t i = 0; i < n; i++) {
		uint32_t v;

		memcpy(&v, r->p + (size_t)i * 4, sizeof(v));
		v = __builtin_bswap32(v);
		memcpy(out + (size_t)i * 4, &v, sizeof(v));
	}
	r->p += (size_t)n * 4;
}

static void
decode_structs(struct decoder *d, const struct message *m, uint8_t *to,
    int32_t n)
{
	for (int32_t i = 0; i < n && d->r->fault == NULL; i++, to += m->size) {
		init_struct(m, to);
		decode_struct(d, m, to);
	}
}

static void
decode_array(struct decoder *d, const struct field *f, struct array *to)
{
	int32_t n = get_length(d, false);
	uint8_t *v;

	to->v = NULL;
	to->n = 0;
	if (n <= 0) {
		if (n < 0 && null_allowed(d, f))
			to->n = -1;
		return;
	}
	if (!check_count(d, f, n))
		return;
	v = take(d, (size_t)n * f->size);
	if (v == NULL)
		return;
	to->v = v;
	to->n = n;
	if (f->type == FIELD_INT32)
		decode_int32s(d->r, v, n);
	else if (f->type == FIELD_STRUCT)
		decode_structs(d, f->element, v, n);
	else
		for (int32_t i = 0; i < n; i++, v += f->size)
			decode_value(d, f, v);
}

static const struct field *
find_tag(const struct message *m, int version, uint32_t tag)
{
	for (int i = 0; i < m->field_count && m->tag_count > 0; i++) {
		const struct field *f = &m->fields[i];

		if (f->tag >= 0 && (uint32_t)f->tag == tag &&
		    field_in_version(f, version))
			return f;
	}
	return NULL;
}

static void
decode_tag(struct decoder *d, const struct field *f, uint32_t size, void *to)
{
	struct reader *r = d->r;
	const uint8_t *end = r->end;

	r->end = r->p + size;
	if (f->array)
		decode_array(d, f, to);
	else
		decode_value(d, f, to);
	if (r->p != r->end)
		fault(r, "tagged field shorter than its size");
	r->end = end;
	if (r->fault != NULL)
		r->p = end;
}

/* CVE-2026-111115: the count is bounded, however short each field is. */
static void
decode_tags(struct decoder *d, const struct message *m, uint8_t *to)
{
	struct reader *r = d->r;
	uint32_t n = get_uvarint(r), last = 0;

	if (n > CODEC_TAGS_MAX)
		fault(r, "too many tagged fields");
	for (uint32_t i = 0; i < n && r->fault == NULL; i++) {
		uint32_t tag = get_uvarint(r), size = get_uvarint(r);
		const struct field *f = m ? find_tag(m, d->version, tag) : NULL;

		if (!need(r, size))
			return;
		if (i > 0 && tag <= last) {
			fault(r, "tagged fields out of order");
			return;
		}
		last = tag;
		if (f != NULL) {
			decode_tag(d, f, size, to + f->offset);
		} else {
			r->p += size;
			r->unknown_tags++;
		}
	}
}

static void
decode_struct(struct decoder *d, const struct message *m, uint8_t *to)
{
	const struct field *f = m->fields, *end = f + m->field_count;
	int version = d->version;

	for (; f < end; f++) {
		if (!field_in_version(f, version) || f->tag >= 0)
			continue;
		if (f->array)
			decode_array(d, f, (void *)(to + f->offset));
		else
			decode_value(d, f, to + f->offset);
	}
	if (!d->flexible)
		return;
	if (LIKELY(d->r->p < d->r->end && *d->r->p == 0))
		d->r->p++;
	else
		decode_tags(d, m, to);
}

void *
codec_decode(struct reader *r, const struct message *m, int version,
    struct arena *a)
{
	struct decoder d = { r, a, version, version >= m->flexible_since };
	uint8_t *to;

	if (version < m->since || version > m->until) {
		fault(r, "version not in the schema");
		return NULL;
	}
	to = take(&d, m->size);
	if (to == NULL)
		return NULL;
	init_struct(m, to);
	decode_struct(&d, m, to);
	return r->fault == NULL ? to : NULL;
}

/* ---- single values, for headers ---- */

void
reader_init(struct reader *r, const uint8_t *p, size_t len,
    struct block *block)
{
	*r = (struct reader){ p, len ? p + len : p, block, NULL, 0 };
}

int8_t
reader_int8(struct reader *r)
{
	return need(r, 1) ? (int8_t)*r->p++ : 0;
}

int16_t
reader_int16(struct reader *r)
{
	return (int16_t)get16(r);
}

int32_t
reader_int32(struct reader *r)
{
	return (int32_t)get32(r);
}

int64_t
reader_int64(struct reader *r)
{
	return (int64_t)get64(r);
}

uint32_t
reader_uvarint(struct reader *r)
{
	return get_uvarint(r);
}

struct slice
reader_bytes(struct reader *r, uint32_t len)
{
	return get_bytes(r, len);
}

struct slice
reader_string(struct reader *r)
{
	int16_t n = (int16_t)get16(r);

	if (n < -1)
		fault(r, "negative length");
	return n < 0 || r->fault != NULL ? SLICE_NULL :
	    get_bytes(r, (uint32_t)n);
}

void
reader_skip_tags(struct reader *r)
{
	struct decoder d = { r, NULL, 0, true };

	decode_tags(&d, NULL, NULL);
}
