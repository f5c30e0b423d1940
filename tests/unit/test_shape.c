/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/wire/errors.h"
#include "tests/unit/codec_random.h"
/* The inside is looked at. */
#include "routing/shape.c"

enum {
	ROUNDS = 40, LEGS = 4, ITEMS_MAX = 64, ANSWERS_MAX = 256,
	MISSING = 7, FIRST_MARK = 1000, FIRST_ERROR = 20000, ALIEN = 30000,
};

/* What brokers do to the items of their leg. */
enum broker { IN_ORDER, SHUFFLED, FAULTY, BROKERS };

struct round {
	const struct shape	*s;
	int			 version;
	const void		*body;
	struct arena		 arena;
	struct random		*random;
	enum broker		 kind;
	int32_t			 items;
	struct shape_item	 item[ITEMS_MAX];
	int32_t			 leg_of[ITEMS_MAX];
	int16_t			 errors[ITEMS_MAX];
	bool			 told[ITEMS_MAX];	/* by its broker */
	struct shape_answer	 answers[LEGS];
	uint32_t		 dropped, extra;
};

static void
note_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct round *r = arg;

	if (i < ITEMS_MAX)
		r->item[i] = *item;
}

/* A response element for these items, which have one outer element. */
static void
tell(struct round *r, struct array *to, const int32_t *items, int32_t n,
    int16_t mark)
{
	const struct shape *s = r->s;
	const void *from = r->item[items[0]].outer;
	char *e = element(to, s->r_outer, to->n++);
	struct array inner;

	assert_true(to->n <= ANSWERS_MAX);
	codec_defaults(s->r_outer->element, e);
	if (s->outer->element == NULL)
		memcpy(at_mut(e, s->r_key), from, sizeof(struct slice));
	for (int i = 0; i < s->pair_count; i++)
		copy_key(&s->pairs[i], from, e);
	if (s->inner == NULL) {
		memcpy(at_mut(e, s->r_error), &mark, sizeof(mark));
		return;
	}
	inner.v = codec_array(s->r_inner->element, &r->arena, n);
	inner.n = n;
	for (int32_t i = 0; i < n; i++) {
		char *x = element(&inner, s->r_inner, i);
		int16_t m = mark >= ALIEN ? mark :
		    (int16_t)(FIRST_MARK + items[i]);

		start_inner(s->r_inner->element, x);
		memcpy(at_mut(x, s->r_key), &r->item[items[i]].key, 4);
		memcpy(at_mut(x, s->r_error), &m, sizeof(m));
	}
	set_array(e, s->r_inner, inner.v, n);
}

static bool
positional(const struct shape *s)
{
	return s->outer->element != NULL && s->pair_count == 0;
}

/* Whole outer elements in the order of the request. */
static void
answer_in_order(struct round *r, struct array *to, const int32_t *mine,
    int32_t n)
{
	for (int32_t i = 0; i < n;) {
		int32_t end = i + 1;

		while (end < n && r->item[mine[end]].outer ==
		    r->item[mine[i]].outer)
			end++;
		for (int32_t j = i; j < end; j++)
			r->told[mine[j]] = true;
		tell(r, to, mine + i, end - i,
		    (int16_t)(FIRST_MARK + mine[i]));
		i = end;
	}
}

/* Each item by itself, in any order; some are forgotten, told twice, or were
 * another leg's. */
static void
answer_mixed(struct round *r, struct array *to, int32_t *mine, int32_t n)
{
	for (int32_t i = n - 1; i > 0; i--) {
		int32_t j = (int32_t)random_below(r->random, (uint32_t)i + 1);
		int32_t x = mine[i];

		mine[i] = mine[j];
		mine[j] = x;
	}
	for (int32_t i = 0; i < n; i++) {
		uint32_t what = r->kind == FAULTY ?
		    random_below(r->random, 6) : 9;
		int16_t mark = (int16_t)(FIRST_MARK + mine[i]);

		if (what == 0) {
			r->dropped++;
			continue;
		}
		r->told[mine[i]] = true;
		tell(r, to, &mine[i], 1, mark);
		if (what == 1) {
			tell(r, to, &mine[i], 1, ALIEN);
			r->extra++;
		}
	}
}

static void
answer(struct round *r, int32_t leg)
{
	const struct message *m = r->s->api->response;
	int32_t mine[ITEMS_MAX], n = 0;
	struct array to = { codec_array(r->s->r_outer->element, &r->arena,
	    ANSWERS_MAX), 0 };
	char *reply = codec_new(m, &r->arena);

	for (int32_t i = 0; i < r->items; i++)
		if (r->leg_of[i] == leg)
			mine[n++] = i;
	if (r->kind == IN_ORDER || positional(r->s))
		answer_in_order(r, &to, mine, n);
	else
		answer_mixed(r, &to, mine, n);
	if (r->kind == FAULTY && !positional(r->s))
		for (int32_t i = 0; i < r->items; i++)
			if (r->leg_of[i] != leg && i % 5 == 0) {
				tell(r, &to, &i, 1, ALIEN);
				r->extra++;
			}
	set_array(reply, r->s->r_outer, to.v, to.n);
	r->answers[leg] = (struct shape_answer){ reply, 0 };
}

static bool
same_keys(const struct round *r, int32_t i, int32_t j)
{
	const struct shape_item *x = &r->item[i], *y = &r->item[j];
	struct slice a, b;

	if (x->key != y->key)
		return false;
	if (r->s->outer->element == NULL)
		return slice_eq(x->name, y->name);
	for (int k = 0; k < r->s->pair_count; k++) {
		const struct field *f = r->s->pairs[k].request;

		if (f->type == FIELD_STRING) {
			memcpy(&a, at(x->outer, f), sizeof(a));
			memcpy(&b, at(y->outer, f), sizeof(b));
			if (a.len != b.len ||
			    (a.len && memcmp(a.data, b.data, a.len) != 0))
				return false;
		} else if (memcmp(at(x->outer, f), at(y->outer, f),
		    f->size) != 0)
			return false;
	}
	return true;
}

/* Topics may come twice; who then answers what cannot be told apart. */
static bool
has_doubles(const struct round *r)
{
	for (int32_t i = 0; i < r->items; i++)
		for (int32_t j = 0; j < i; j++)
			if (same_keys(r, i, j))
				return true;
	return false;
}

static int16_t
told_of(const struct round *r, const void *response, int32_t item,
    const struct array *outer)
{
	int32_t n = 0;

	(void)response;
	for (int32_t o = 0; o < outer->n; o++) {
		const char *e = element(outer, r->s->r_outer, o);
		struct array inner;

		if (r->s->inner == NULL) {
			if (n++ == item)
				return get_int16(e, r->s->r_error);
			continue;
		}
		inner = get_array(e, r->s->r_inner);
		for (int32_t j = 0; j < inner.n; j++) {
			const char *x = element(&inner, r->s->r_inner, j);

			if (n++ != item)
				continue;
			assert_int_equal(get_int32(at(x, r->s->r_key)),
			    r->item[item].key);
			return get_int16(x, r->s->r_error);
		}
	}
	fail_msg("item %d of %d is not answered", item, r->items);
	return 0;
}

static void
check_encodes(const struct message *m, int version, const void *obj)
{
	struct error err;
	struct chain out;
	struct writer w;
	bool ok;

	chain_init(&out);
	writer_init(&w, &out);
	ok = codec_encode(&w, m, version, obj, &err);
	writer_finish(&w);
	chain_fini(&out);
	if (!ok)
		fail_msg("%s v%d: %s", m->name, version, err.text);
}

static void
check_merged(struct round *r, const void *response, uint32_t odd)
{
	struct array outer = get_array(response, r->s->r_outer);
	bool doubles = has_doubles(r), seen[ITEMS_MAX] = { false };

	assert_int_equal(outer.n, get_array(r->body, r->s->outer).n);
	for (int32_t i = 0; i < r->items; i++) {
		int16_t mark = told_of(r, response, i, &outer);
		int32_t by = mark - FIRST_MARK;

		if (r->leg_of[i] < 0) {
			assert_int_equal(mark, r->errors[i]);
		} else if (!doubles && !r->told[i]) {
			assert_int_equal(mark, MISSING);
		} else if (!doubles) {
			assert_int_equal(by, i);
		} else if (by >= 0 && by < r->items) {
			assert_int_equal(r->leg_of[by], r->leg_of[i]);
			assert_true(same_keys(r, by, i));
			assert_false(seen[by]);
			seen[by] = true;
		}
	}
	if (!doubles)
		assert_int_equal(odd, r->dropped + r->extra);
	if (doubles && r->kind != FAULTY)
		assert_int_equal(odd, 0);
	check_encodes(r->s->api->response, r->version, response);
}

static void
one_round(const struct shape *s, int version, enum broker kind,
    struct random *random)
{
	struct round r = { .s = s, .version = version, .kind = kind,
		.random = random };
	int32_t sum = 0;
	uint32_t odd;
	void *response;

	arena_init(&r.arena, 0);
	r.body = codec_random(random, s->api->request, version, &r.arena);
	r.items = shape_count(s, r.body);
	assert_true(r.items < ITEMS_MAX);
	shape_each(s, r.body, note_item, &r);
	for (int32_t i = 0; i < r.items; i++) {
		r.leg_of[i] = (int32_t)random_below(random, LEGS + 1) - 1;
		r.errors[i] = (int16_t)(FIRST_ERROR + i);
	}
	for (int32_t leg = -1; leg < LEGS; leg++) {
		void *part = shape_part(s, r.body, r.leg_of, leg, &r.arena);

		sum += shape_count(s, part);
		check_encodes(s->api->request, version, part);
		if (leg >= 0)
			answer(&r, leg);
	}
	assert_int_equal(sum, r.items);
	response = shape_merge(s, r.body, r.leg_of, r.errors, r.answers, LEGS,
	    MISSING, &r.arena, &odd);
	check_merged(&r, response, odd);
	arena_fini(&r.arena);
}

static void
test_split_and_merge(void **state)
{
	struct random random;

	(void)state;
	random_init(&random);
	for (const struct api_schema *a = api_schemas; a->request; a++)
		for (int v = a->since; v <= a->until; v++) {
			const struct shape *s = shape_find(a->key, v);

			for (int i = 0; s != NULL && i < ROUNDS; i++)
				one_round(s, v, (enum broker)(i % BROKERS),
				    &random);
		}
}

/* A leg without a reply: its own error for each of its items. */
static void
test_lost_leg(void **state)
{
	const struct shape *s = shape_find(API_PRODUCE, 9);
	struct produce_request_topic_data_partition_data parts[3] = {
		{ .index = 0 }, { .index = 1 }, { .index = 2 } };
	struct produce_request_topic_data topic = { .name = SLICE_LIT("t"),
		.partition_data = { parts, 3 } };
	struct produce_request q = { .topic_data = { &topic, 1 } };
	int32_t leg_of[3] = { 0, 1, 0 };
	struct shape_answer answers[2] = { { NULL, 6 }, { NULL, 19 } };
	struct produce_response *p;
	struct arena a;
	uint32_t odd;

	(void)state;
	arena_init(&a, 0);
	p = shape_merge(s, &q, leg_of, NULL, answers, 2, MISSING, &a, &odd);
	assert_int_equal(odd, 0);
	assert_int_equal(p->responses.n, 1);
	assert_int_equal(p->responses.v[0].partition_responses.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p->responses.v[0].partition_responses.v[i].
		    index, i);
		assert_int_equal(p->responses.v[0].partition_responses.v[i].
		    error_code, leg_of[i] ? 19 : 6);
	}
	arena_fini(&a);
}

/* The same topic stands twice, its partitions go to two brokers, and each
 * answers with one topic. */
static void
test_topic_twice(void **state)
{
	const struct shape *s = shape_find(API_LIST_OFFSETS, 5);
	struct list_offsets_request_topics_partitions parts[4] = {
		{ .partition_index = 0 }, { .partition_index = 1 },
		{ .partition_index = 2 }, { .partition_index = 3 } };
	struct list_offsets_request_topics topics[2] = {
		{ SLICE_LIT("t"), { parts, 2 } },
		{ SLICE_LIT("t"), { parts + 2, 2 } } };
	struct list_offsets_request q = { .topics = { topics, 2 } };
	struct list_offsets_response_topics_partitions told[2][2] = {
		{ { .partition_index = 2, .offset = 2 },
		  { .partition_index = 0, .offset = 0 } },
		{ { .partition_index = 3, .offset = 3 },
		  { .partition_index = 1, .offset = 1 } } };
	struct list_offsets_response_topics t[2] = {
		{ SLICE_LIT("t"), { told[0], 2 } },
		{ SLICE_LIT("t"), { told[1], 2 } } };
	struct list_offsets_response answered[2] = {
		{ .topics = { &t[0], 1 } }, { .topics = { &t[1], 1 } } };
	struct shape_answer answers[2] = { { &answered[0], 0 },
		{ &answered[1], 0 } };
	int32_t leg_of[4] = { 0, 1, 0, 1 };
	struct list_offsets_response *p;
	struct arena a;
	uint32_t odd;

	(void)state;
	arena_init(&a, 0);
	p = shape_merge(s, &q, leg_of, NULL, answers, 2, MISSING, &a, &odd);
	assert_int_equal(odd, 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(p->topics.v[i / 2].partitions.v[i % 2].
		    partition_index, i);
		assert_int_equal(p->topics.v[i / 2].partitions.v[i % 2].offset,
		    i);
	}
	arena_fini(&a);
}

/* Asked by name or by id, answered with both. */
static void
test_name_and_id(void **state)
{
	const struct shape *s = shape_find(API_DELETE_TOPICS, 6);
	struct delete_topics_request_topics asked[2] = {
		{ .name = SLICE_LIT("by-name") },
		{ .name = SLICE_NULL, .topic_id = { { 2 } } } };
	struct delete_topics_request q = { .topics = { asked, 2 } };
	struct delete_topics_response_responses told[2] = {
		{ .name = SLICE_LIT("by-id"), .topic_id = { { 2 } },
		  .error_code = 2 },
		{ .name = SLICE_LIT("by-name"), .topic_id = { { 1 } },
		  .error_code = 1 } };
	struct delete_topics_response answered = { .responses = { told, 2 } };
	struct shape_answer answers[1] = { { &answered, 0 } };
	int32_t leg_of[2] = { 0, 0 };
	struct delete_topics_response *p;
	struct arena a;
	uint32_t odd;

	(void)state;
	arena_init(&a, 0);
	p = shape_merge(s, &q, leg_of, NULL, answers, 1, MISSING, &a, &odd);
	assert_int_equal(odd, 0);
	assert_int_equal(p->responses.v[0].error_code, 1);
	assert_true(slice_is(p->responses.v[0].name, "by-name"));
	assert_int_equal(p->responses.v[0].topic_id.b[0], 1);
	assert_int_equal(p->responses.v[1].error_code, 2);
	assert_true(slice_is(p->responses.v[1].name, "by-id"));
	arena_fini(&a);
}

/* The throttle is the longest, a top-level error the first. */
static void
test_top_level(void **state)
{
	const struct shape *s = shape_find(API_FETCH, 12);
	struct fetch_request q = { .topics = { NULL, 0 } };
	struct fetch_response told[3] = {
		{ .throttle_time_ms = 5, .session_id = 9 },
		{ .throttle_time_ms = 50, .error_code = 71 },
		{ .throttle_time_ms = 7, .error_code = 70 } };
	struct shape_answer answers[4] = { { &told[0], 0 }, { NULL, 3 },
		{ &told[1], 0 }, { &told[2], 0 } };
	struct fetch_response *p;
	struct arena a;
	uint32_t odd;

	(void)state;
	arena_init(&a, 0);
	p = shape_merge(s, &q, NULL, NULL, answers, 4, MISSING, &a, &odd);
	assert_int_equal(p->throttle_time_ms, 50);
	assert_int_equal(p->error_code, 71);
	assert_int_equal(p->session_id, 9);
	assert_int_equal(told[0].throttle_time_ms, 5);
	arena_fini(&a);
}

static void
count_error(void *arg, int16_t error)
{
	assert_int_equal(error, KAFKA_COORDINATOR_NOT_AVAILABLE);
	++*(int *)arg;
}

static void
error_of(const struct api_schema *api, int v, const void *body,
    struct arena *a)
{
	const struct shape *s = shape_find(api->key, v);
	int16_t error = KAFKA_COORDINATOR_NOT_AVAILABLE, first;
	void *response = shape_error(api, v, body, error, a);
	int told = 0, want = s ? shape_count(s, body) : 0;

	if (response == NULL) {
		assert_null(s);
		return;
	}
	check_encodes(api->response, v, response);
	first = shape_errors(api, v, response, count_error, &told);
	want += shape_top_error(api, response) != 0;
	assert_int_equal(told, want);
	assert_int_equal(first, want ? error : 0);
}

static void
test_error_replies(void **state)
{
	struct random random;

	(void)state;
	random_init(&random);
	for (const struct api_schema *api = api_schemas; api->request; api++)
		for (int v = api->since; v <= api->until; v++)
			for (int i = 0; i < ROUNDS; i++) {
				struct arena a;

				arena_init(&a, 0);
				error_of(api, v, i == 0 ?
				    codec_new(api->request, &a) :
				    codec_random(&random, api->request, v, &a),
				    &a);
				arena_fini(&a);
			}
}

/* Null arrays count as empty ones, and come back as such. */
static void
test_null_arrays(void **state)
{
	(void)state;
	for (const struct api_schema *api = api_schemas; api->request; api++)
		for (int v = api->since; v <= api->until; v++) {
			const struct shape *s = shape_find(api->key, v);
			struct shape_answer none = { NULL, 3 };
			struct arena a;
			uint32_t odd;
			char *body, *p;

			if (s == NULL)
				continue;
			arena_init(&a, 0);
			body = codec_new(api->request, &a);
			set_array(body, s->outer, NULL, -1);
			assert_int_equal(shape_count(s, body), 0);
			assert_non_null(shape_part(s, body, NULL, 0, &a));
			p = shape_merge(s, body, NULL, NULL, &none, 1, MISSING,
			    &a, &odd);
			assert_int_equal(odd, 0);
			assert_int_equal(get_array(p, s->r_outer).n, 0);
			arena_fini(&a);
		}
}

enum { MANY = 10000 };

/* topics * partitions == MANY; answered backwards. */
static void
many(int32_t topics, bool same_name)
{
	const struct shape *s = shape_find(API_PRODUCE, 9);
	int32_t per = MANY / topics, leg_of[MANY];
	struct produce_request q = { .acks = -1 };
	struct produce_response *told[2], *p;
	struct shape_answer answers[2];
	struct arena a;
	uint32_t odd;
	int64_t took = clock_now_us();

	arena_init(&a, 0);
	q.topic_data.v = codec_array(s->outer->element, &a, topics);
	q.topic_data.n = topics;
	for (int32_t i = 0; i < topics; i++) {
		struct produce_request_topic_data *t = &q.topic_data.v[i];

		t->name = arena_printf(&a, "topic-%d", same_name ? 0 : i);
		t->partition_data.n = per;
		t->partition_data.v = codec_array(s->inner->element, &a, per);
		for (int32_t j = 0; j < per; j++)
			t->partition_data.v[j].index = j;
	}
	for (int32_t i = 0; i < MANY; i++)
		leg_of[i] = i / 3 % 2;
	for (int leg = 0; leg < 2; leg++) {
		struct array back;

		told[leg] = shape_error(s->api, 9, shape_part(s, &q, leg_of,
		    leg, &a), (int16_t)(100 + leg), &a);
		back.n = told[leg]->responses.n;
		back.v = codec_array(s->r_outer->element, &a, back.n);
		for (int32_t i = 0; i < back.n; i++)
			memcpy(element(&back, s->r_outer, i),
			    &told[leg]->responses.v[back.n - 1 - i],
			    s->r_outer->size);
		set_array(told[leg], s->r_outer, back.v, back.n);
		answers[leg] = (struct shape_answer){ told[leg], 0 };
	}
	p = shape_merge(s, &q, leg_of, NULL, answers, 2, MISSING, &a, &odd);
	assert_int_equal(odd, 0);
	for (int32_t i = 0; i < MANY; i++)
		assert_int_equal(p->responses.v[i / per].partition_responses.
		    v[i % per].error_code, 100 + leg_of[i]);
	arena_fini(&a);
	took = clock_now_us() - took;
	printf("%d topics%s: %d ms\n", topics, same_name ? " of one name" : "",
	    (int)(took / 1000));
	assert_true(took < 10 * 1000000);
}

static void
test_many(void **state)
{
	(void)state;
	many(1, false);
	many(100, false);
	many(MANY, false);
	many(MANY, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_and_merge),
		cmocka_unit_test(test_lost_leg),
		cmocka_unit_test(test_topic_twice),
		cmocka_unit_test(test_name_and_id),
		cmocka_unit_test(test_top_level),
		cmocka_unit_test(test_error_replies),
		cmocka_unit_test(test_null_arrays),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
