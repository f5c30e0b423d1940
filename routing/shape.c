/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/shape.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "wire/messages.h"

enum { KEYS_MAX = 4, SHAPES_MAX = 64, SORT_FROM = 24 };

/* A request element's field and its twin in the response. */
struct key_pair {
	const struct field	*request, *response;
};

struct shape {
	int16_t			 api_key, since, until;
	const char		*outer_name, *inner_name, *key_name;
	const char		*to_outer, *to_inner, *to_key, *to_error;
	/* Resolved once from the names. */
	const struct api_schema	*api;
	const struct field	*outer, *inner, *key;
	const struct field	*r_outer, *r_inner, *r_key, *r_error;
	struct key_pair		 pairs[KEYS_MAX];
	int			 pair_count;
};

static struct shape shapes[SHAPES_MAX] = {
#define X(k, since, until, ro, ri, rk, so, si, sk, err) \
	{ API_##k, since, until, ro, ri, rk, so, si, sk, err, \
	  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {{ NULL, NULL }}, 0 },
#include "routing/shapes.def"
#undef X
};
static pthread_once_t resolved = PTHREAD_ONCE_INIT;

/* An array field in memory. */
struct array {
	void	*v;
	int32_t	 n;
};

const struct field *
message_field(const struct message *m, const char *name)
{
	for (int i = 0; i < m->field_count; i++)
		if (strcmp(m->fields[i].name, name) == 0)
			return &m->fields[i];
	return NULL;
}

static const void *
at(const void *base, const struct field *f)
{
	return (const char *)base + f->offset;
}

static void *
at_mut(void *base, const struct field *f)
{
	return (char *)base + f->offset;
}

static struct array
get_array(const void *base, const struct field *f)
{
	struct array a = { NULL, 0 };

	if (base == NULL)
		return a;
	memcpy(&a.v, at(base, f), sizeof(a.v));
	memcpy(&a.n, (const char *)at(base, f) + sizeof(a.v), sizeof(a.n));
	if (a.n < 0)
		a.n = 0;
	return a;
}

static void
set_array(void *base, const struct field *f, void *v, int32_t n)
{
	memcpy(at_mut(base, f), &v, sizeof(v));
	memcpy((char *)at_mut(base, f) + sizeof(v), &n, sizeof(n));
}

static void *
element(const struct array *a, const struct field *f, int32_t i)
{
	return (char *)a->v + (size_t)i * f->size;
}

static int16_t
get_int16(const void *base, const struct field *f)
{
	int16_t v;

	memcpy(&v, at(base, f), sizeof(v));
	return v;
}

static int32_t
get_int32(const void *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void
resolve_pairs(struct shape *s)
{
	const struct message *from = s->outer->element;
	const struct message *to = s->r_outer->element;

	if (from == NULL)
		return;
	for (int i = 0; i < from->field_count; i++) {
		const struct field *f = &from->fields[i];
		const struct field *twin = message_field(to, f->name);

		if (twin == NULL || f->array || twin->type != f->type ||
		    (f->type != FIELD_STRING && f->type != FIELD_UUID &&
		    f->type != FIELD_INT8))
			continue;
		assert(s->pair_count < KEYS_MAX);
		s->pairs[s->pair_count++] = (struct key_pair){ f, twin };
	}
}

static void
resolve_one(struct shape *s)
{
	s->api = api_schema_find(s->api_key);
	assert(s->api != NULL);
	s->outer = message_field(s->api->request, s->outer_name);
	s->r_outer = message_field(s->api->response, s->to_outer);
	assert(s->outer != NULL && s->r_outer != NULL);
	s->r_error = message_field(s->r_outer->element, s->to_error);
	if (s->inner_name != NULL) {
		s->inner = message_field(s->outer->element, s->inner_name);
		s->r_inner = message_field(s->r_outer->element, s->to_inner);
		assert(s->inner != NULL && s->r_inner != NULL);
		if (*s->key_name != '\0') {
			s->key = message_field(s->inner->element, s->key_name);
			assert(s->key != NULL);
		}
		s->r_key = message_field(s->r_inner->element, s->to_key);
		s->r_error = message_field(s->r_inner->element, s->to_error);
		assert(s->r_key != NULL);
	} else if (s->to_key != NULL) {
		s->r_key = message_field(s->r_outer->element, s->to_key);
		assert(s->r_key != NULL);
	}
	assert(s->r_error != NULL);
	resolve_pairs(s);
}

static void
resolve_all(void)
{
	for (int i = 0; i < SHAPES_MAX && shapes[i].outer_name != NULL; i++)
		resolve_one(&shapes[i]);
}

const struct shape *
shape_find(int16_t api_key, int version)
{
	pthread_once(&resolved, resolve_all);
	for (int i = 0; i < SHAPES_MAX && shapes[i].outer_name != NULL; i++)
		if (shapes[i].api_key == api_key &&
		    version >= shapes[i].since && version <= shapes[i].until)
			return &shapes[i];
	return NULL;
}

static struct array
inner_of(const struct shape *s, const void *outer)
{
	return get_array(outer, s->inner);
}

int32_t
shape_count(const struct shape *s, const void *body)
{
	struct array outer = get_array(body, s->outer);
	int32_t n = 0;

	if (s->inner == NULL)
		return outer.n;
	for (int32_t i = 0; i < outer.n; i++)
		n += inner_of(s, element(&outer, s->outer, i)).n;
	return n;
}

static int32_t
inner_key(const struct shape *s, const void *inner)
{
	return get_int32(s->key ? at(inner, s->key) : inner);
}

/* Fills in what identifies the outer element. */
static void
name_item(const struct shape *s, struct shape_item *item)
{
	item->name = SLICE_NULL;
	item->id = NULL;
	if (s->outer->element == NULL) {
		memcpy(&item->name, item->outer, sizeof(item->name));
		return;
	}
	for (int i = 0; i < s->pair_count; i++) {
		const struct field *f = s->pairs[i].request;

		if (f->type == FIELD_UUID)
			item->id = at(item->outer, f);
		else if (f->type == FIELD_STRING && item->name.data == NULL)
			memcpy(&item->name, at(item->outer, f),
			    sizeof(item->name));
	}
}

void
shape_each(const struct shape *s, const void *body,
    void (*cb)(void *arg, int32_t i, const struct shape_item *item), void *arg)
{
	struct array outer = get_array(body, s->outer);
	int32_t n = 0;

	for (int32_t i = 0; i < outer.n; i++) {
		struct shape_item item = {
			.outer = element(&outer, s->outer, i),
		};
		struct array inner;

		name_item(s, &item);
		if (s->inner == NULL) {
			cb(arg, n++, &item);
			continue;
		}
		inner = inner_of(s, item.outer);
		for (int32_t j = 0; j < inner.n; j++) {
			item.inner = element(&inner, s->inner, j);
			item.key = inner_key(s, item.inner);
			cb(arg, n++, &item);
		}
	}
}

/* Copies those of `inner` that belong to the leg; returns how many. */
static int32_t
pick_inner(const struct shape *s, const struct array *inner,
    const int32_t *leg_of, int32_t leg, struct array *to, struct arena *a)
{
	int32_t n = 0;

	for (int32_t j = 0; j < inner->n; j++)
		n += leg_of[j] == leg;
	if (n == 0)
		return 0;
	to->v = arena_get(a, (size_t)n * s->inner->size);
	to->n = 0;
	for (int32_t j = 0; j < inner->n; j++)
		if (leg_of[j] == leg)
			memcpy(element(to, s->inner, to->n++),
			    element(inner, s->inner, j), s->inner->size);
	return n;
}

void *
shape_part(const struct shape *s, const void *body, const int32_t *leg_of,
    int32_t leg, struct arena *a)
{
	struct array outer = get_array(body, s->outer), part, picked;
	void *copy = arena_get(a, s->api->request->size);
	int32_t item = 0;

	memcpy(copy, body, s->api->request->size);
	part.v = arena_get(a, (size_t)(outer.n ? outer.n : 1) * s->outer->size);
	part.n = 0;
	for (int32_t i = 0; i < outer.n; i++) {
		const void *from = element(&outer, s->outer, i);
		void *to = element(&part, s->outer, part.n);
		struct array inner;

		if (s->inner == NULL) {
			if (leg_of[item++] != leg)
				continue;
			memcpy(to, from, s->outer->size);
			part.n++;
			continue;
		}
		inner = inner_of(s, from);
		if (pick_inner(s, &inner, leg_of + item, leg, &picked, a) > 0) {
			memcpy(to, from, s->outer->size);
			set_array(to, s->inner, picked.v, picked.n);
			part.n++;
		}
		item += inner.n;
	}
	set_array(copy, s->outer, part.v, part.n);
	return copy;
}

/* ---- merge ---- */

struct merging {
	const struct shape	*s;
	struct array		 from;		/* request's outer elements */
	struct array		 to;		/* response's */
	const int32_t		*first_item;	/* of each outer element */
	const int32_t		*leg_of;
	bool			*filled;	/* by item */
	int32_t			*order;		/* outer, sorted by key */
	uint32_t		 extra;
};

static int
compare_slices(struct slice a, struct slice b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* Compares an element (of request or response) with one of the request. */
static int
compare_keys(const struct shape *s, const void *e, bool e_is_response,
    const void *request)
{
	struct slice a, b;
	int c;

	if (s->outer->element == NULL) {
		memcpy(&a, e_is_response ? at(e, s->r_key) : e, sizeof(a));
		memcpy(&b, request, sizeof(b));
		return compare_slices(a, b);
	}
	for (int i = 0; i < s->pair_count; i++) {
		const struct key_pair *p = &s->pairs[i];
		const void *x = at(e, e_is_response ? p->response : p->request);
		const void *y = at(request, p->request);

		if (p->request->type == FIELD_STRING) {
			memcpy(&a, x, sizeof(a));
			memcpy(&b, y, sizeof(b));
			c = compare_slices(a, b);
		} else {
			c = memcmp(x, y, p->request->type == FIELD_UUID ?
			    sizeof(struct uuid) : 1);
		}
		if (c != 0)
			return c;
	}
	return 0;
}

static int
compare_order(const void *a, const void *b, void *arg)
{
	const struct merging *m = arg;
	int32_t i = get_int32(a), j = get_int32(b);
	int c = compare_keys(m->s, element(&m->from, m->s->outer, i), false,
	    element(&m->from, m->s->outer, j));

	return c != 0 ? c : (i < j ? -1 : i > j);
}

static void
sort_outer(struct merging *m, struct arena *a)
{
	if (m->from.n < SORT_FROM)
		return;
	m->order = ARENA_ARRAY(a, int32_t, m->from.n);
	for (int32_t i = 0; i < m->from.n; i++)
		m->order[i] = i;
	qsort_r(m->order, (size_t)m->from.n, sizeof(*m->order), compare_order,
	    m);
}

/* The first request element with the answer's keys, at or behind the hint where
 * the order was kept; -1 when there is none. */
static int32_t
find_outer(const struct merging *m, const void *answered, int32_t hint)
{
	int32_t lo = 0, hi = m->from.n;

	if (hint < m->from.n && compare_keys(m->s, answered, true,
	    element(&m->from, m->s->outer, hint)) == 0)
		return hint;
	if (m->order == NULL) {
		for (int32_t i = 0; i < m->from.n; i++)
			if (compare_keys(m->s, answered, true,
			    element(&m->from, m->s->outer, i)) == 0)
				return i;
		return -1;
	}
	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (compare_keys(m->s, answered, true, element(&m->from,
		    m->s->outer, m->order[mid])) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < m->from.n && compare_keys(m->s, answered, true,
	    element(&m->from, m->s->outer, m->order[lo])) == 0)
		return m->order[lo];
	return -1;
}

/* Puts one answered inner element into its place. */
static bool
place_inner(struct merging *m, int32_t outer, int32_t leg, const void *answered,
    int32_t *hint)
{
	const struct shape *s = m->s;
	struct array from = inner_of(s, element(&m->from, s->outer, outer));
	struct array to = get_array(element(&m->to, s->r_outer, outer),
	    s->r_inner);
	int32_t key = get_int32(at(answered, s->r_key));

	for (int32_t k = 0; k < from.n; k++) {
		int32_t j = (*hint + k) % from.n;
		int32_t item = m->first_item[outer] + j;

		if (m->filled[item] || m->leg_of[item] != leg ||
		    inner_key(s, element(&from, s->inner, j)) != key)
			continue;
		memcpy(element(&to, s->r_inner, j), answered,
		    s->r_inner->size);
		m->filled[item] = true;
		*hint = j + 1;
		return true;
	}
	return false;
}

static void
place_outer(struct merging *m, int32_t leg, const void *answered, int32_t *hint)
{
	const struct shape *s = m->s;
	int32_t i = find_outer(m, answered, *hint), inner_hint = 0;
	struct array inner;

	if (i < 0) {
		m->extra++;
		return;
	}
	*hint = i + 1;
	if (s->inner == NULL) {
		int32_t item = m->first_item[i];

		/* A name that was asked for twice is answered twice. */
		while (m->filled[item] && i + 1 < m->from.n &&
		    compare_keys(s, answered, true,
		    element(&m->from, s->outer, i + 1)) == 0)
			item = m->first_item[++i];
		if (m->filled[item] || m->leg_of[item] != leg) {
			m->extra++;
			return;
		}
		memcpy(element(&m->to, s->r_outer, i), answered,
		    s->r_outer->size);
		m->filled[item] = true;
		return;
	}
	inner = get_array(answered, s->r_inner);
	for (int32_t j = 0; j < inner.n; j++)
		if (!place_inner(m, i, leg, element(&inner, s->r_inner, j),
		    &inner_hint))
			m->extra++;
}

/* An empty response element for a request element: its keys, and room. */
static void
start_outer(const struct shape *s, const void *from, void *to, struct arena *a)
{
	struct array inner;
	void *room;

	codec_defaults(s->r_outer->element, to);
	if (s->outer->element == NULL)
		memcpy(at_mut(to, s->r_key), from, sizeof(struct slice));
	for (int i = 0; i < s->pair_count; i++)
		memcpy(at_mut(to, s->pairs[i].response),
		    at(from, s->pairs[i].request), s->pairs[i].request->size);
	if (s->inner == NULL)
		return;
	inner = inner_of(s, from);
	room = arena_get(a, (size_t)(inner.n ? inner.n : 1) *
	    s->r_inner->size);
	set_array(to, s->r_inner, room, inner.n);
}

/* An item that no answer filled: its key and an error. */
static void
fill_error(const struct merging *m, int32_t outer, int32_t j, int16_t error)
{
	const struct shape *s = m->s;
	void *to = element(&m->to, s->r_outer, outer);

	if (s->inner != NULL) {
		struct array from = inner_of(s,
		    element(&m->from, s->outer, outer));
		struct array inner = get_array(to, s->r_inner);
		int32_t key = inner_key(s, element(&from, s->inner, j));

		to = element(&inner, s->r_inner, j);
		codec_defaults(s->r_inner->element, to);
		memcpy(at_mut(to, s->r_key), &key, sizeof(key));
	}
	memcpy(at_mut(to, s->r_error), &error, sizeof(error));
}

/* The response's other fields: from the first answer; the longest throttle. */
static void *
start_response(const struct shape *s, const struct shape_answer *answers,
    int32_t n, struct arena *a)
{
	const struct message *m = s->api->response;
	const struct field *throttle = message_field(m, "throttle_time_ms");
	const struct field *error = message_field(m, "error_code");
	void *to = NULL;

	for (int32_t i = 0; i < n; i++) {
		const void *from = answers[i].reply;
		int32_t have, more;

		if (from == NULL)
			continue;
		if (to == NULL) {
			to = arena_get(a, m->size);
			memcpy(to, from, m->size);
			continue;
		}
		if (throttle != NULL) {
			have = get_int32(at(to, throttle));
			more = get_int32(at(from, throttle));
			if (more > have)
				memcpy(at_mut(to, throttle), &more,
				    sizeof(more));
		}
		if (error != NULL && error->type == FIELD_INT16 &&
		    get_int16(to, error) == 0)
			memcpy(at_mut(to, error), at(from, error), 2);
	}
	return to != NULL ? to : codec_new(m, a);
}

static void
fill_rest(struct merging *m, const int16_t *errors,
    const struct shape_answer *answers, int16_t missing, uint32_t *odd)
{
	for (int32_t i = 0; i < m->from.n; i++) {
		int32_t n = m->s->inner == NULL ? 1 :
		    inner_of(m->s, element(&m->from, m->s->outer, i)).n;

		for (int32_t j = 0; j < n; j++) {
			int32_t item = m->first_item[i] + j;
			int32_t leg = m->leg_of[item];
			int16_t error = missing;

			if (m->filled[item])
				continue;
			if (leg < 0)
				error = errors != NULL ? errors[item] : missing;
			else if (answers[leg].reply == NULL)
				error = answers[leg].error;
			else
				++*odd;
			fill_error(m, i, j, error);
		}
	}
}

void *
shape_merge(const struct shape *s, const void *body, const int32_t *leg_of,
    const int16_t *errors, const struct shape_answer *answers,
    int32_t answer_count, int16_t missing, struct arena *a, uint32_t *odd)
{
	struct merging m = {
		.s = s, .from = get_array(body, s->outer), .leg_of = leg_of,
	};
	void *response = start_response(s, answers, answer_count, a);
	int32_t items = shape_count(s, body), item = 0;
	int32_t *first = ARENA_ARRAY(a, int32_t, m.from.n + 1);

	m.first_item = first;
	m.filled = ARENA_ARRAY(a, bool, items + 1);
	m.to.n = m.from.n;
	m.to.v = arena_get(a, (size_t)(m.to.n ? m.to.n : 1) * s->r_outer->size);
	for (int32_t i = 0; i < m.from.n; i++) {
		const void *from = element(&m.from, s->outer, i);

		first[i] = item;
		item += s->inner == NULL ? 1 : inner_of(s, from).n;
		start_outer(s, from, element(&m.to, s->r_outer, i), a);
	}
	sort_outer(&m, a);
	*odd = 0;
	for (int32_t leg = 0; leg < answer_count; leg++) {
		struct array got = get_array(answers[leg].reply, s->r_outer);
		int32_t hint = 0;

		for (int32_t i = 0; i < got.n; i++)
			place_outer(&m, leg, element(&got, s->r_outer, i),
			    &hint);
	}
	fill_rest(&m, errors, answers, missing, odd);
	*odd += m.extra;
	set_array(response, s->r_outer, m.to.v, m.to.n);
	return response;
}

void *
shape_error(const struct api_schema *api, int version, const void *body,
    int16_t error, struct arena *a)
{
	const struct shape *s = shape_find(api->key, version);
	const struct field *top = message_field(api->response, "error_code");
	void *response;
	uint32_t odd;

	if (top != NULL && (top->array || top->type != FIELD_INT16 ||
	    version < top->since || version > top->until))
		top = NULL;
	if (s == NULL && top == NULL)
		return NULL;
	if (s == NULL) {
		response = codec_new(api->response, a);
	} else {
		int32_t n = shape_count(s, body);
		int32_t *none = ARENA_ARRAY(a, int32_t, n + 1);

		for (int32_t i = 0; i < n; i++)
			none[i] = -1;
		response = shape_merge(s, body, none, NULL, NULL, 0, error, a,
		    &odd);
	}
	if (top != NULL)
		memcpy(at_mut(response, top), &error, sizeof(error));
	return response;
}

int16_t
shape_top_error(const struct api_schema *api, const void *response)
{
	const struct field *f = message_field(api->response, "error_code");

	return f != NULL && f->type == FIELD_INT16 && !f->array ?
	    get_int16(response, f) : 0;
}

/* Calls each for a non-zero error; remembers the first. */
static void
note_error(int16_t error, int16_t *first, void (*each)(void *, int16_t),
    void *arg)
{
	if (error == 0)
		return;
	if (*first == 0)
		*first = error;
	if (each != NULL)
		each(arg, error);
}

int16_t
shape_errors(const struct api_schema *api, int version, const void *response,
    void (*each)(void *arg, int16_t error), void *arg)
{
	const struct shape *s = shape_find(api->key, version);
	struct array outer, inner;
	int16_t first = 0;

	note_error(shape_top_error(api, response), &first, each, arg);
	if (s == NULL)
		return first;
	outer = get_array(response, s->r_outer);
	for (int32_t i = 0; i < outer.n; i++) {
		const void *e = element(&outer, s->r_outer, i);

		if (s->r_inner == NULL) {
			note_error(get_int16(e, s->r_error), &first, each, arg);
			continue;
		}
		inner = get_array(e, s->r_inner);
		for (int32_t j = 0; j < inner.n; j++)
			note_error(get_int16(element(&inner, s->r_inner, j),
			    s->r_error), &first, each, arg);
	}
	return first;
}
