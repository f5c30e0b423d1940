/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/shape.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "wire/messages.h"

enum { KEYS_MAX = 4, SHAPES_MAX = 64 };

/* A request element's field and its twin in the response. */
struct key_pair {
	const struct field	*request, *response;
};

struct shape {
	int16_t			 api_key, since, until;
	const char		*outer_name, *inner_name, *key_name;
	const char		*to_outer, *to_inner, *to_key, *to_error;
	/* Of the elements of that array; NULL: of the whole message. */
	const char		*within;
	/* Resolved once from the names. */
	const struct api_schema	*api;
	const struct message	*request, *response;
	const struct field	*outer, *inner, *key;
	const struct field	*r_outer, *r_inner, *r_key, *r_error;
	struct key_pair		 pairs[KEYS_MAX];
	int			 pair_count;
};

static struct shape shapes[SHAPES_MAX] = {
#define X(k, from, to, ro, ri, rk, so, si, sk, err) \
	{ .api_key = API_##k, .since = from, .until = to, \
	  .outer_name = ro, .inner_name = ri, .key_name = rk, \
	  .to_outer = so, .to_inner = si, .to_key = sk, .to_error = err },
#include "routing/shapes.def"
#undef X
};
/* The items within an item: the topics of a group. */
static struct shape nested[] = {
	{ .api_key = API_OFFSET_FETCH, .since = 8, .until = 99,
	  .within = "groups", .outer_name = "topics",
	  .inner_name = "partition_indexes", .key_name = "",
	  .to_outer = "topics", .to_inner = "partitions",
	  .to_key = "partition_index", .to_error = "error_code" },
	{ .api_key = API_DESCRIBE_SHARE_GROUP_OFFSETS, .since = 0, .until = 99,
	  .within = "groups", .outer_name = "topics",
	  .inner_name = "partitions", .key_name = "",
	  .to_outer = "topics", .to_inner = "partitions",
	  .to_key = "partition_index", .to_error = "error_code" },
};
enum { NESTED = sizeof(nested) / sizeof(nested[0]) };
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
	s->request = s->api->request;
	s->response = s->api->response;
	if (s->within != NULL) {
		s->request = message_field(s->request, s->within)->element;
		s->response = message_field(s->response, s->within)->element;
	}
	s->outer = message_field(s->request, s->outer_name);
	s->r_outer = message_field(s->response, s->to_outer);
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
	for (int i = 0; i < NESTED; i++)
		resolve_one(&nested[i]);
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

const struct shape *
shape_nested(int16_t api_key, int version)
{
	pthread_once(&resolved, resolve_all);
	for (int i = 0; i < NESTED; i++)
		if (nested[i].api_key == api_key &&
		    version >= nested[i].since && version <= nested[i].until)
			return &nested[i];
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

bool
shape_hollow(const struct shape *s, const void *body)
{
	struct array outer = get_array(body, s->outer);

	for (int32_t i = 0; s->inner != NULL && i < outer.n; i++)
		if (inner_of(s, element(&outer, s->outer, i)).n == 0)
			return true;
	return false;
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
	void *copy = arena_get(a, s->request->size);
	int32_t item = 0;

	memcpy(copy, body, s->request->size);
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

struct place {
	int32_t	 outer, inner;
};

struct merging {
	const struct shape	*s;
	struct array		 from;		/* request's outer elements */
	struct array		 to;		/* response's */
	int32_t			 items;
	struct place		*places;	/* by item */
	const int32_t		*leg_of;
	bool			*filled;	/* by item */
	/* Made when a broker does not keep the order: items sorted by leg and
	 * keys, and how many at the start of a run of equals are filled. */
	int32_t			*order, *skip;
	struct arena		*arena;
	uint32_t		 extra;
};

/* What an answer is about. */
struct wanted {
	int32_t		 leg;
	const void	*outer;		/* of the response or the request */
	bool		 is_response;
	bool		 by_id;		/* by its uuid, not by its name */
	int32_t		 key;		/* the inner one, or 0 */
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

static int
compare_int32(int32_t a, int32_t b)
{
	return a < b ? -1 : a > b;
}

/* Whether a topic is known by its id: an answer may have both id and name where
 * the request had one of them. */
static bool
has_id(const struct shape *s, const void *outer, bool is_response)
{
	for (int i = 0; i < s->pair_count; i++) {
		const struct key_pair *p = &s->pairs[i];

		if (p->request->type == FIELD_UUID)
			return !uuid_is_zero(at(outer,
			    is_response ? p->response : p->request));
	}
	return false;
}

static int
compare_outer(const struct shape *s, const struct wanted *w,
    const void *request)
{
	struct slice a, b;
	int c;

	if (s->outer->element == NULL) {
		memcpy(&a, w->is_response ? at(w->outer, s->r_key) : w->outer,
		    sizeof(a));
		memcpy(&b, request, sizeof(b));
		return compare_slices(a, b);
	}
	c = w->by_id - has_id(s, request, false);
	for (int i = 0; c == 0 && i < s->pair_count; i++) {
		const struct key_pair *p = &s->pairs[i];
		const void *x = at(w->outer,
		    w->is_response ? p->response : p->request);
		const void *y = at(request, p->request);

		if (p->request->type == FIELD_INT8) {
			c = memcmp(x, y, 1);
		} else if (p->request->type == FIELD_UUID) {
			if (w->by_id)
				c = memcmp(x, y, sizeof(struct uuid));
		} else if (!w->by_id) {
			memcpy(&a, x, sizeof(a));
			memcpy(&b, y, sizeof(b));
			c = compare_slices(a, b);
		}
	}
	return c;
}

static int32_t
item_key(const struct merging *m, int32_t item)
{
	const struct place *p = &m->places[item];
	struct array inner;

	if (m->s->inner == NULL)
		return 0;
	inner = inner_of(m->s, element(&m->from, m->s->outer, p->outer));
	return inner_key(m->s, element(&inner, m->s->inner, p->inner));
}

static int
compare_item(const struct merging *m, const struct wanted *w, int32_t item)
{
	int c = compare_int32(w->leg, m->leg_of[item]);

	if (c == 0)
		c = compare_int32(w->key, item_key(m, item));
	if (c == 0)
		c = compare_outer(m->s, w, element(&m->from, m->s->outer,
		    m->places[item].outer));
	return c;
}

static int
compare_order(const void *a, const void *b, void *arg)
{
	const struct merging *m = arg;
	int32_t i = get_int32(a), j = get_int32(b);
	struct wanted w = {
		.leg = m->leg_of[i],
		.outer = element(&m->from, m->s->outer, m->places[i].outer),
		.key = item_key(m, i),
	};
	int c;

	w.by_id = has_id(m->s, w.outer, false);
	c = compare_item(m, &w, j);
	return c != 0 ? c : compare_int32(i, j);
}

static void
sort_items(struct merging *m)
{
	m->order = ARENA_ARRAY(m->arena, int32_t, m->items + 1);
	m->skip = ARENA_ARRAY(m->arena, int32_t, m->items + 1);
	for (int32_t i = 0; i < m->items; i++)
		m->order[i] = i;
	qsort_r(m->order, (size_t)m->items, sizeof(*m->order), compare_order,
	    m);
}

/* The first item with those keys that is not filled yet, or -1: what was asked
 * for twice is answered twice. */
static int32_t
look_up(struct merging *m, const struct wanted *w)
{
	int32_t lo = 0, hi = m->items, i;

	if (m->order == NULL)
		sort_items(m);
	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (compare_item(m, w, m->order[mid]) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (i = lo + m->skip[lo]; i < m->items &&
	    compare_item(m, w, m->order[i]) == 0; i++, m->skip[lo]++)
		if (!m->filled[m->order[i]])
			return m->order[i];
	return -1;
}

/* The item that an answer is for, or -1. The hint is the leg's next item, for
 * brokers mostly keep the order. */
static int32_t
find_item(struct merging *m, struct wanted *w, int32_t *hint)
{
	bool id = has_id(m->s, w->outer, true);
	int32_t i;

	while (*hint < m->items && (m->leg_of[*hint] != w->leg ||
	    m->filled[*hint]))
		++*hint;
	if (*hint < m->items) {
		w->by_id = id && has_id(m->s, element(&m->from, m->s->outer,
		    m->places[*hint].outer), false);
		if (compare_item(m, w, *hint) == 0)
			return *hint;
	}
	w->by_id = id;
	i = look_up(m, w);
	if (i < 0 && id) {
		w->by_id = false;
		i = look_up(m, w);
	}
	return i;
}

/* Puts one answered element into its item's place. */
static void
place_answer(struct merging *m, struct wanted *w, const void *inner,
    int32_t *hint)
{
	const struct shape *s = m->s;
	int32_t i = find_item(m, w, hint);
	void *to;
	struct array room;

	if (i < 0) {
		m->extra++;
		return;
	}
	to = element(&m->to, s->r_outer, m->places[i].outer);
	if (inner == NULL) {
		memcpy(to, w->outer, s->r_outer->size);
	} else {
		room = get_array(to, s->r_inner);
		memcpy(element(&room, s->r_inner, m->places[i].inner), inner,
		    s->r_inner->size);
	}
	m->filled[i] = true;
}

static void
place_outer(struct merging *m, int32_t leg, const void *answered, int32_t *hint)
{
	const struct shape *s = m->s;
	struct wanted w = { .leg = leg, .outer = answered,
		.is_response = true };
	struct array inner;

	if (s->inner == NULL) {
		place_answer(m, &w, NULL, hint);
		return;
	}
	inner = get_array(answered, s->r_inner);
	for (int32_t j = 0; j < inner.n; j++) {
		const void *e = element(&inner, s->r_inner, j);

		w.key = get_int32(at(e, s->r_key));
		place_answer(m, &w, e, hint);
	}
}

/* A null name stays the response's default where only the request has nulls. */
static void
copy_key(const struct key_pair *p, const void *from, void *to)
{
	struct slice name;

	if (p->request->type == FIELD_STRING) {
		memcpy(&name, at(from, p->request), sizeof(name));
		if (name.data == NULL &&
		    p->response->null_since != p->request->null_since)
			return;
	}
	memcpy(at_mut(to, p->response), at(from, p->request),
	    p->request->size);
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
		copy_key(&s->pairs[i], from, to);
	if (s->inner == NULL)
		return;
	inner = inner_of(s, from);
	room = arena_get(a, (size_t)(inner.n ? inner.n : 1) *
	    s->r_inner->size);
	set_array(to, s->r_inner, room, inner.n);
}

/* Where null records may not stand, there are none. */
static void
empty_records(const struct message *m, void *to)
{
	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];
		struct records none = { (const uint8_t *)"", 0, NULL };

		if (f->type == FIELD_RECORDS && !f->array)
			memcpy(at_mut(to, f), &none, sizeof(none));
	}
}

/* As the schema's defaults, with no records where they may not be null. */
static void
start_inner(const struct message *m, void *to)
{
	static const struct records none = { (const uint8_t *)"", 0, NULL };

	codec_defaults(m, to);
	for (int i = 0; i < m->field_count; i++)
		if (m->fields[i].type == FIELD_RECORDS &&
		    m->fields[i].null_since < 0)
			memcpy(at_mut(to, &m->fields[i]), &none, sizeof(none));
}

/* Brokers say -1 where an error leaves no offset to tell. */
static void
no_offsets(const struct message *m, void *to)
{
	static const char *const names[] = { "base_offset", "high_watermark",
		"low_watermark", "committed_offset" };
	int64_t none = -1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct field *f = message_field(m, names[i]);

		if (f != NULL && f->type == FIELD_INT64)
			memcpy(at_mut(to, f), &none, sizeof(none));
	}
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
		start_inner(s->r_inner->element, to);
		empty_records(s->r_inner->element, to);
		no_offsets(s->r_inner->element, to);
		memcpy(at_mut(to, s->r_key), &key, sizeof(key));
	}
	memcpy(at_mut(to, s->r_error), &error, sizeof(error));
}

/* The response's other fields: from the first answer; the longest throttle. */
static void *
start_response(const struct shape *s, const struct shape_answer *answers,
    int32_t n, struct arena *a)
{
	const struct message *m = s->response;
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
	for (int32_t i = 0; i < m->items; i++) {
		int32_t leg = m->leg_of[i];
		int16_t error = missing;

		if (m->filled[i])
			continue;
		if (leg < 0)
			error = errors != NULL ? errors[i] : missing;
		else if (answers[leg].reply == NULL)
			error = answers[leg].error;
		else
			++*odd;
		fill_error(m, m->places[i].outer, m->places[i].inner, error);
	}
}

/* Empty elements for all that was asked for, and where each item stands. */
static void
start_elements(struct merging *m)
{
	const struct shape *s = m->s;
	int32_t item = 0;

	m->places = ARENA_ARRAY(m->arena, struct place, m->items + 1);
	m->filled = ARENA_ARRAY(m->arena, bool, m->items + 1);
	m->to.n = m->from.n;
	m->to.v = arena_get(m->arena, (size_t)(m->to.n ? m->to.n : 1) *
	    s->r_outer->size);
	for (int32_t i = 0; i < m->from.n; i++) {
		const void *from = element(&m->from, s->outer, i);
		int32_t n = s->inner == NULL ? 1 : inner_of(s, from).n;

		start_outer(s, from, element(&m->to, s->r_outer, i), m->arena);
		for (int32_t j = 0; j < n; j++)
			m->places[item++] = (struct place){ i, j };
	}
}

void *
shape_merge(const struct shape *s, const void *body, const int32_t *leg_of,
    const int16_t *errors, const struct shape_answer *answers,
    int32_t answer_count, int16_t missing, struct arena *a, uint32_t *odd)
{
	struct merging m = {
		.s = s, .from = get_array(body, s->outer), .leg_of = leg_of,
		.items = shape_count(s, body), .arena = a,
	};
	void *response = start_response(s, answers, answer_count, a);

	start_elements(&m);
	for (int32_t leg = 0; leg < answer_count; leg++) {
		struct array got = get_array(answers[leg].reply, s->r_outer);
		int32_t hint = 0;

		for (int32_t i = 0; i < got.n; i++)
			place_outer(&m, leg, element(&got, s->r_outer, i),
			    &hint);
	}
	*odd = 0;
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
