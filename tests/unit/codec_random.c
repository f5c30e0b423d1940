/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/codec_random.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/wire/layout.h"
#include "wire/messages.h"

enum { PLAIN_MESSAGES = 2 };

const struct message *all_messages[API_SCHEMA_COUNT * 2 + PLAIN_MESSAGES + 1];

void
all_messages_init(void)
{
	int n = 0;

	for (const struct api_schema *a = api_schemas; a->request; a++) {
		all_messages[n++] = a->request;
		all_messages[n++] = a->response;
	}
	all_messages[n++] = &consumer_protocol_subscription_message;
	all_messages[n++] = &consumer_protocol_assignment_message;
	all_messages[n] = NULL;
}

void
random_init(struct random *r)
{
	const char *seed = getenv("WEIR_TEST_SEED");

	r->state = seed ? strtoull(seed, NULL, 0) : 20260101;
	printf("WEIR_TEST_SEED=%llu\n", (unsigned long long)r->state);
}

/* splitmix64: any seed is good, also zero. */
uint64_t
random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t
random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

static bool
choose_null(struct random *r, const struct field *f, int version)
{
	return f->null_since >= 0 && version >= f->null_since &&
	    random_below(r, 4) == 0;
}

static struct slice
random_slice(struct random *r, struct arena *a, uint32_t most)
{
	uint32_t n = random_below(r, 5) == 0 ? 0 : random_below(r, most);
	uint8_t *p = arena_get(a, n + 1);

	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)random_next(r);
	return (struct slice){ p, n };
}

static void fill_struct(struct random *, const struct message *, int, char *,
    struct arena *);

static void
fill_value(struct random *r, const struct field *f, int version, char *to,
    struct arena *a)
{
	struct slice s = SLICE_NULL;
	double real;

	switch ((enum field_type)f->type) {
	case FIELD_BOOL:
		*(bool *)to = random_below(r, 2);
		break;
	case FIELD_STRING:
	case FIELD_BYTES:
		/* Two lengths of varint. */
		if (f->array || !choose_null(r, f, version))
			s = random_slice(r, a, random_below(r, 30) ? 20 : 300);
		memcpy(to, &s, sizeof(s));
		break;
	case FIELD_RECORDS:
		if (!choose_null(r, f, version))
			s = random_slice(r, a, 100);
		*(struct records *)(void *)to =
		    (struct records){ s.data, s.len, NULL };
		break;
	case FIELD_FLOAT64:
		real = (double)(int64_t)random_next(r) / 1000;
		memcpy(to, &real, sizeof(real));
		break;
	case FIELD_STRUCT:
		if (f->array || f->null_since < 0) {
			fill_struct(r, f->element, version, to, a);
		} else if (choose_null(r, f, version)) {
			*(struct_pointer *)(void *)to = NULL;
		} else {
			char *s2 = codec_new(f->element, a);

			fill_struct(r, f->element, version, s2, a);
			*(struct_pointer *)(void *)to = s2;
		}
		break;
	default:
		for (uint32_t i = 0; i < f->size; i++)
			to[i] = (char)random_next(r);
	}
}

static void
fill_array(struct random *r, const struct field *f, int version,
    struct array *to, struct arena *a)
{
	char *v;

	to->n = choose_null(r, f, version) ? -1 : (int32_t)random_below(r, 4);
	to->v = NULL;
	if (to->n <= 0)
		return;
	if (f->type == FIELD_STRUCT)
		v = codec_array(f->element, a, to->n);
	else
		v = arena_get(a, (size_t)to->n * f->size);
	to->v = v;
	for (int32_t i = 0; i < to->n; i++, v += f->size)
		fill_value(r, f, version, v, a);
}

static void
fill_struct(struct random *r, const struct message *m, int version, char *obj,
    struct arena *a)
{
	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		char *value = obj + f->offset;

		if (!field_in_version(f, version))
			continue;
		if (f->tag >= 0 && random_below(r, 3) == 0)
			continue;		/* stays at its default */
		if (f->array)
			fill_array(r, f, version, (void *)value, a);
		else
			fill_value(r, f, version, value, a);
	}
}

void *
codec_random(struct random *r, const struct message *m, int version,
    struct arena *a)
{
	void *obj = codec_new(m, a);

	fill_struct(r, m, version, obj, a);
	return obj;
}
