/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/watch.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/fake_time.h"
#include "tests/unit/net_fixture.h"
#include "wire/messages.h"

enum { BROKERS = 3, OFFERED = 4, TOPICS = 4 };

struct world {
	struct loop		*l;
	struct watch		*watch;
	struct fake_broker	 b[BROKERS];
	struct cluster		*c;		/* the last one */
	int			 published;
	const char		*cluster_id;	/* what brokers say */
	int32_t			 controller;
	int			 metadata, versions;	/* asked */
	int			 too_new;
	bool			 hold;		/* Metadata is not answered */
	int			 silent;	/* this one never answers; -1 */
	int			 topics[BROKERS];	/* it knows so many */
	int16_t			 metadata_max;
	struct upstream_options	 o;
	char			 bootstrap[128];
};

static void
pass_ms(struct world *w, int ms)
{
	fake_time_pass(w->l, ms);
}

/* Time passes as slowly as is needed. */
#define TURN_UNTIL(w, cond) do { \
	int left_ = 3000; \
	while (!(cond)) { \
		loop_turn((w)->l, 1); \
		fake_us += 2000; \
		if (--left_ == 0) \
			fail_msg("never: %s (%s)", #cond, \
			    watch_state((w)->watch)); \
	} \
} while (0)

static void
published(void *arg, struct cluster *c)
{
	struct world *w = arg;

	assert_true(w->c == NULL || c->generation > w->c->generation);
	if (w->c != NULL)
		cluster_unref(w->c);
	w->c = cluster_ref(c);
	w->published++;
}

static void
answer_versions(struct world *w, struct fake_request *q)
{
	struct api_versions_response_api_keys keys[OFFERED] = {
		{ API_METADATA, 0, w->metadata_max }, { API_PRODUCE, 3, 12 },
		{ API_FETCH, 4, (int16_t)(17 - q->from->broker->id) },
		{ API_API_VERSIONS, 0, 4 } };
	struct api_versions_response r = { .api_keys = { keys, OFFERED },
		.finalized_features_epoch = -1 };

	w->versions++;
	fake_reply(q, &r);
}

static void
answer_metadata(struct world *w, struct fake_request *q)
{
	struct metadata_response_brokers v[BROKERS];
	struct metadata_response_topics topics[TOPICS];
	struct metadata_response r = { .brokers = { v, BROKERS },
		.cluster_id = slice_of(w->cluster_id),
		.controller_id = w->controller,
		.cluster_authorized_operations = INT32_MIN };

	for (int i = 0; i < BROKERS; i++)
		v[i] = (struct metadata_response_brokers){
			.node_id = w->b[i].id, .host = SLICE_LIT("127.0.0.1"),
			.port = w->b[i].port };
	r.topics.v = topics;
	r.topics.n = w->topics[q->from->broker->id];
	for (int i = 0; i < r.topics.n; i++)
		topics[i] = (struct metadata_response_topics){
			.name = (struct slice){
			    (const uint8_t *)"a\0b\0c\0d" + 2 * i, 1 },
			.topic_id = { { (uint8_t)(i + 1) } } };
	fake_reply(q, &r);
}

static void
serve(struct fake_broker *b, struct fake_request *q)
{
	struct world *w = b->arg;

	if (w->silent == b->id)
		return;
	if (q->head.api_key == API_API_VERSIONS) {
		answer_versions(w, q);
		return;
	}
	assert_int_equal(q->head.api_key, API_METADATA);
	w->metadata++;
	if (!w->hold)
		answer_metadata(w, q);
}

/* `bootstrap` names brokers by their place, "x" is a port where nobody is. */
static struct world *
world_with(const char *bootstrap)
{
	struct world *w = mem_zalloc(sizeof(*w));
	size_t n = 0;

	fake_time_begin();
	w->l = loop_new();
	w->cluster_id = "one";
	w->silent = -1;
	w->metadata_max = 13;
	w->o = (struct upstream_options){ .connect_ms = 1000,
		.idle_ms = 60000, .idle_max = 2, .backoff_min_ms = 50,
		.backoff_max_ms = 500 };
	for (int i = 0; i < BROKERS; i++) {
		fake_init(&w->b[i], w->l, i, 0);
		w->b[i].serve = serve;
		w->b[i].arg = w;
	}
	for (const char *p = bootstrap; *p != '\0'; p++)
		n += (size_t)snprintf(w->bootstrap + n,
		    sizeof(w->bootstrap) - n, "%s127.0.0.1:%d", n ? "," : "",
		    *p == 'x' ? 1 : w->b[*p - '0'].port);
	w->watch = watch_new(w->l, w->bootstrap, &w->o, published, w);
	return w;
}

static void
world_end(struct world *w)
{
	watch_free(w->watch);
	if (w->c != NULL)
		cluster_unref(w->c);
	for (int i = 0; i < BROKERS; i++)
		fake_fini(&w->b[i]);
	loop_turn(w->l, 1);
	loop_free(w->l);
	clock_replace(NULL);
	free(w);
}

static void
test_first(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	assert_string_equal(watch_state(w->watch), "connecting");
	TURN_UNTIL(w, w->published == 1);
	assert_string_equal(watch_state(w->watch), "connected");
	assert_int_equal(w->c->broker_count, BROKERS);
	assert_int_equal(w->metadata, 1);
	/* Of each broker, and of the first one before the Metadata. */
	assert_int_equal(w->versions, BROKERS + 1);
	assert_int_equal(w->c->apis[API_FETCH].max, 15);
	assert_int_equal(w->c->apis[API_PRODUCE].min, 3);
	assert_true(slice_is(w->c->cluster_id, "one"));
	/* From now on once in a while, and what is known is not asked again.
	 * What has not changed is not published, until it is old. */
	pass_ms(w, WATCH_PERIOD_MS - 1000);
	assert_int_equal(w->metadata, 1);
	pass_ms(w, 1200);
	TURN_UNTIL(w, w->metadata == 2);
	pass_ms(w, 100);
	assert_int_equal(w->versions, BROKERS + 1);
	assert_int_equal(w->published, 1);
	w->controller = 2;
	pass_ms(w, WATCH_PERIOD_MS);
	TURN_UNTIL(w, w->published == 2);
	assert_int_equal(w->c->controller_id, 2);
	for (int i = 0; i < WATCH_SAME_MS / WATCH_PERIOD_MS; i++) {
		assert_int_equal(w->published, 2);
		pass_ms(w, WATCH_PERIOD_MS + 200);
		TURN_UNTIL(w, w->metadata == 4 + i);
	}
	TURN_UNTIL(w, w->published == 3);
	/* By then each was asked again what it offers. */
	TURN_UNTIL(w, w->versions == BROKERS * 2 + 1);
	assert_int_equal(w->metadata, 6);
	assert_int_equal(w->versions, BROKERS * 2 + 1);
	world_end(w);
}

/* Any number of wishes during a refresh cost one more. */
static void
test_coalesced(void **state)
{
	struct world *w = world_with("0");
	int64_t wished;

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	pass_ms(w, 1000);
	w->hold = true;
	for (int i = 0; i < 10; i++)
		watch_wish(w->watch);
	TURN_UNTIL(w, w->metadata == 2);
	for (int i = 0; i < 100; i++) {
		watch_wish(w->watch);
		loop_turn(w->l, 0);
		fake_us += 1000;
	}
	wished = fake_us;
	assert_int_equal(w->metadata, 2);
	w->hold = false;
	for (int i = 0; i < BROKERS; i++)
		for (int j = 0; j < w->b[i].request_count; j++)
			if (!w->b[i].requests[j].answered)
				answer_metadata(w, &w->b[i].requests[j]);
	TURN_UNTIL(w, w->published == 2);
	assert_true(w->c->asked_us < wished);
	TURN_UNTIL(w, w->published == 3);
	assert_true(w->c->asked_us >= wished);
	pass_ms(w, 2000);
	assert_int_equal(w->published, 3);
	assert_int_equal(w->metadata, 3);
	world_end(w);
}

/* Two never start within the gap of each other. */
static void
test_gap(void **state)
{
	struct world *w = world_with("0");
	int64_t last;

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	for (int i = 0; i < 5; i++) {
		int n = w->published;

		last = w->c->asked_us;
		while (w->published == n) {
			watch_wish(w->watch);
			loop_turn(w->l, 1);
			fake_us += 1000;
			assert_true(fake_us - last < 2000000);
		}
		assert_true(w->c->asked_us - last >=
		    (WATCH_GAP_MS - 1) * 1000);
	}
	world_end(w);
}

/* Each wish is followed by a snapshot that was asked for later. */
static void
test_asked_later(void **state)
{
	struct world *w = world_with("012");

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	for (int i = 0; i < 20; i++) {
		int64_t now;

		for (int j = 0; j < i % 5; j++) {
			loop_turn(w->l, 0);
			fake_us += 7000;
		}
		now = fake_us;
		watch_wish(w->watch);
		TURN_UNTIL(w, w->c->asked_us >= now);
	}
	world_end(w);
}

/* The first of the list is dead: the second serves, whatever the turn. */
static void
test_bootstrap_dead(void **state)
{
	static const char *const lists[] = {
		"x0", "0x", "xx0", "x0x1", "xxx2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct world *w = world_with(lists[i]);

		TURN_UNTIL(w, w->published == 1);
		world_end(w);
	}
}

static void
test_bootstrap_comes_alive(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	fake_away(&w->b[0]);
	pass_ms(w, 1000);
	assert_int_equal(w->published, 0);
	assert_non_null(strstr(watch_state(w->watch), "no broker answers"));
	fake_again(&w->b[0]);
	TURN_UNTIL(w, w->published == 1);
	assert_string_equal(watch_state(w->watch), "connected");
	world_end(w);
}

/* Wishes that come all the time do not put a retry off. */
static void
test_wishes_while_away(void **state)
{
	struct world *w = world_with("0");
	int n = 0;

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	for (int i = 0; i < BROKERS; i++)
		fake_away(&w->b[i]);
	watch_wish(w->watch);
	pass_ms(w, 2000);
	assert_int_equal(w->published, 1);
	for (int i = 0; i < BROKERS; i++)
		fake_again(&w->b[i]);
	while (w->published == 1) {
		watch_wish(w->watch);
		loop_turn(w->l, 1);
		fake_us += 10000;
		assert_true(++n < 300);
	}
	world_end(w);
}

/* One that takes requests and says nothing: another is asked beside it. */
static void
test_hanging(void **state)
{
	struct world *w = world_with("012");
	int64_t began = fake_us;

	(void)state;
	w->silent = 0;
	TURN_UNTIL(w, w->b[0].request_count == 1);
	assert_int_equal(w->published, 0);
	TURN_UNTIL(w, w->b[1].request_count > 0);
	assert_true(fake_us - began >= WATCH_HEDGE_MS * 1000);
	TURN_UNTIL(w, w->published == 1);
	assert_true(fake_us - began < 2 * 1000000);
	/* Its versions are not known: it takes no part in what is offered. */
	assert_int_equal(w->c->apis[API_FETCH].max, 15);
	/* It is not waited for again and again. */
	began = fake_us;
	for (int n = 1; n <= 4; n++) {
		watch_wish(w->watch);
		for (int i = 0; i < 24 && w->published == n; i++)
			pass_ms(w, 50);
		assert_int_equal(w->published, n + 1);
	}
	assert_true(fake_us - began < 1500000);
	/* What it says at last, when others' word has been taken. */
	assert_int_equal(w->b[0].requests[0].head.api_key, API_API_VERSIONS);
	answer_versions(w, &w->b[0].requests[0]);
	pass_ms(w, 100);
	w->silent = -1;
	for (int i = 0; i < 3; i++)
		pass_ms(w, WATCH_PERIOD_MS);
	assert_int_equal(w->c->apis[API_FETCH].max, 15);
	assert_true(w->published >= 4);
	world_end(w);
}

static void
wish(struct world *w)
{
	int n = w->published;

	watch_wish(w->watch);
	TURN_UNTIL(w, w->published > n);
}

static void
all_know(struct world *w, int topics)
{
	for (int i = 0; i < BROKERS; i++)
		w->topics[i] = topics;
}

/* What was shown does not vanish because the next broker is behind. */
static void
test_source_asked_again(void **state)
{
	struct world *w = world_with("0");
	int32_t first;
	int asked;

	(void)state;
	all_know(w, 1);
	TURN_UNTIL(w, w->published == 1);
	assert_int_equal(w->c->source, -1);
	wish(w);
	first = w->c->source;
	assert_in_range(first, 0, BROKERS - 1);
	w->topics[first] = 2;
	for (int i = 0; w->c->topic_count < 2; i++) {
		assert_true(i < 2 * BROKERS);
		wish(w);
	}
	for (int i = 0; i < 2 * BROKERS; i++) {
		wish(w);
		assert_int_equal(w->c->source, first);
		assert_int_equal(w->c->topic_count, 2);
	}
	all_know(w, 2);
	asked = w->metadata;
	for (int i = 0; i < BROKERS; i++)
		wish(w);
	/* Nothing is missing: nobody is asked twice. */
	assert_int_equal(w->metadata, asked + BROKERS);
	/* Deleted: one more question, then it is believed. */
	all_know(w, 1);
	for (int i = 0; i < BROKERS; i++) {
		wish(w);
		assert_int_equal(w->c->topic_count, 1);
	}
	assert_in_range(w->metadata - asked, 2 * BROKERS, 2 * BROKERS + 1);
	world_end(w);
}

/* When the source says nothing, the others' word must do. */
static void
test_source_silent(void **state)
{
	struct world *w = world_with("0");
	int n;

	(void)state;
	all_know(w, 1);
	TURN_UNTIL(w, w->published == 1);
	wish(w);
	w->silent = w->c->source;
	all_know(w, 0);
	n = w->published;
	watch_wish(w->watch);
	for (int i = 0; i < 24 && w->published == n; i++)
		pass_ms(w, 250);
	assert_int_equal(w->published, n + 1);
	assert_int_equal(w->c->topic_count, 0);
	assert_int_not_equal(w->c->source, w->silent);
	world_end(w);
}

/* Nothing has changed but that the source is silent: workers must know, for
 * they ask it whatever any broker can serve. */
static void
test_source_fails(void **state)
{
	struct world *w = world_with("0");
	int64_t began;

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	wish(w);
	w->silent = w->c->source;
	began = fake_us;
	while (w->c->source == w->silent) {
		pass_ms(w, 500);
		assert_true(fake_us - began < 5 * WATCH_PERIOD_MS * 1000);
	}
	assert_int_equal(w->published, 3);
	world_end(w);
}

static void
test_other_cluster(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	w->cluster_id = "two";
	pass_ms(w, 1000);
	watch_wish(w->watch);
	for (int i = 0; i < 10; i++)
		pass_ms(w, 500);
	assert_int_equal(w->published, 1);
	assert_true(slice_is(w->c->cluster_id, "one"));
	assert_true(w->metadata > 1);
	assert_non_null(strstr(watch_state(w->watch), "another cluster"));
	w->cluster_id = "one";
	pass_ms(w, 500);
	TURN_UNTIL(w, w->published == 2);
	world_end(w);
}

static void
test_too_old(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	w->metadata_max = 6;
	pass_ms(w, 1000);
	assert_int_equal(w->published, 0);
	assert_non_null(strstr(watch_state(w->watch), "too old"));
	world_end(w);
}

/* One that does not say what it offers does not hold a snapshot up; when it
 * speaks at last there is another one. */
static void
test_late_offer(void **state)
{
	struct world *w = world_with("1");

	(void)state;
	w->silent = 2;
	TURN_UNTIL(w, w->b[2].request_count == 1);
	assert_int_equal(w->published, 0);
	TURN_UNTIL(w, w->published == 1);
	assert_int_equal(w->c->apis[API_FETCH].max, 16);
	/* What is known of the others does not wait for it any more. */
	watch_wish(w->watch);
	TURN_UNTIL(w, w->published == 2);
	assert_int_equal(w->c->apis[API_FETCH].max, 16);
	w->silent = -1;
	answer_versions(w, &w->b[2].requests[0]);
	TURN_UNTIL(w, w->c->apis[API_FETCH].max == 15);
	world_end(w);
}

/* A broker that was restarted may be another version: it is asked again. */
static void
test_restarted(void **state)
{
	struct world *w = world_with("0");
	int asked;

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	assert_int_equal(w->c->apis[API_METADATA].max, 13);
	pass_ms(w, 1000);
	asked = w->versions;
	watch_wish(w->watch);
	TURN_UNTIL(w, w->published == 2);
	assert_int_equal(w->versions, asked);
	w->metadata_max = 9;
	fake_away(&w->b[2]);
	fake_again(&w->b[2]);
	pass_ms(w, 200);
	watch_wish(w->watch);
	TURN_UNTIL(w, w->published == 3);
	TURN_UNTIL(w, w->c->apis[API_METADATA].max == 9);
	assert_int_equal(w->versions, asked + 1);
	/* Each is asked for Metadata in a version that it knows. */
	for (int n = 3; n < 9; n++) {
		int seen = w->published;

		watch_wish(w->watch);
		TURN_UNTIL(w, w->published > seen);
	}
	for (int i = 0; i < BROKERS; i++) {
		struct fake_request *q = &w->b[i].requests[
		    w->b[i].request_count - 1];

		assert_int_equal(q->head.api_key, API_METADATA);
		assert_int_equal(q->head.version, i == 2 ? 9 : 13);
	}
	world_end(w);
}

static void
old_versions(struct fake_broker *b, struct fake_request *q)
{
	struct world *w = b->arg;
	struct api_versions_response_api_keys keys[] = {
		{ API_API_VERSIONS, 0, 3 } };
	struct api_versions_response r = { .api_keys = { keys, 1 },
		.error_code = 35, .finalized_features_epoch = -1 };

	if (q->head.api_key != API_API_VERSIONS || q->head.version <= 3) {
		serve(b, q);
		return;
	}
	w->too_new++;
	q->head.version = 0;
	fake_reply(q, &r);
}

/* A broker that does not know our ApiVersions says so in version 0. */
static void
test_old_versions(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	for (int i = 0; i < BROKERS; i++)
		w->b[i].serve = old_versions;
	TURN_UNTIL(w, w->published == 1);
	assert_int_equal(w->too_new, BROKERS + 1);
	assert_int_equal(w->versions, BROKERS + 1);
	assert_int_equal(w->c->apis[API_FETCH].max, 15);
	world_end(w);
}

/* A name of the bootstrap list that has no address, one that has two. */
static void
test_names(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	watch_free(w->watch);
	snprintf(w->bootstrap, sizeof(w->bootstrap),
	    "no.such.host.invalid:1, localhost:%d", w->b[0].port);
	w->watch = watch_new(w->l, w->bootstrap, &w->o, published, w);
	TURN_UNTIL(w, w->published == 1);
	watch_free(w->watch);
	cluster_unref(w->c);
	w->c = NULL;
	w->published = 0;
	w->watch = watch_new(w->l, "no.such.host.invalid:1", &w->o, published,
	    w);
	pass_ms(w, 500);
	assert_int_equal(w->published, 0);
	assert_non_null(strstr(watch_state(w->watch), "no.such.host.invalid"));
	world_end(w);
}

/* A wish that was on its way when the watch was freed. */
static void
test_late_wish(void **state)
{
	struct world *w = world_with("0");

	(void)state;
	TURN_UNTIL(w, w->published == 1);
	watch_wish(w->watch);
	world_end(w);
}

/* Freed with calls of every kind in flight. */
static void
test_free_in_flight(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world *w = world_with("0");

		w->silent = i == 0 ? 0 : i == 1 ? 1 : -1;
		w->hold = i == 2;
		pass_ms(w, i == 3 ? 1 : 300);
		world_end(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_coalesced),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_asked_later),
		cmocka_unit_test(test_bootstrap_dead),
		cmocka_unit_test(test_bootstrap_comes_alive),
		cmocka_unit_test(test_wishes_while_away),
		cmocka_unit_test(test_hanging),
		cmocka_unit_test(test_source_asked_again),
		cmocka_unit_test(test_source_silent),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_other_cluster),
		cmocka_unit_test(test_too_old),
		cmocka_unit_test(test_late_offer),
		cmocka_unit_test(test_restarted),
		cmocka_unit_test(test_old_versions),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_late_wish),
		cmocka_unit_test(test_free_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
