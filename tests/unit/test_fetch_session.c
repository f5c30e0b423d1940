/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch sessions (KIP-227): the client's rules, the table, and what brokers are
 * told of it, held against a model of a broker's fetch session. */
/* What is played here, beside the true ones in the library. */
#define fetch_flight_drop fake_fetch_flight_drop
#define error_wants_refresh fake_error_wants_refresh
#define cluster_broker fake_cluster_broker
#define cluster_topic fake_cluster_topic
#define cluster_topic_by_id fake_cluster_topic_by_id
#define topic_partition fake_topic_partition

#include "gateway/fetch_feed.c"
#include "gateway/fetch_session.c"
#include "gateway/fetch_table.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MODEL_TOPICS = 3, MODEL_PARTS = 12, MODEL_BROKERS = 3 };

/* ---- what the code under test needs ---- */

static struct topic topics[MODEL_TOPICS];
static struct partition partitions[MODEL_TOPICS][MODEL_PARTS];
static struct broker brokers[MODEL_BROKERS];
static const char *const names[MODEL_TOPICS] = { "a", "bb", "ccc" };
static struct cluster cluster;
static uint32_t total;

void
fetch_flight_drop(struct fetch_flight *fl)
{
	(void)fl;
}

bool
error_wants_refresh(int16_t error)
{
	return error == KAFKA_NOT_LEADER_OR_FOLLOWER;
}

const struct broker *
cluster_broker(const struct cluster *c, int32_t id)
{
	(void)c;
	return id >= 0 && id < MODEL_BROKERS ? &brokers[id] : NULL;
}

const struct topic *
cluster_topic(const struct cluster *c, struct slice name)
{
	(void)c;
	for (int i = 0; i < MODEL_TOPICS; i++)
		if (slice_eq(topics[i].name, name))
			return &topics[i];
	return NULL;
}

const struct topic *
cluster_topic_by_id(const struct cluster *c, const struct uuid *id)
{
	(void)c;
	for (int i = 0; i < MODEL_TOPICS; i++)
		if (uuid_eq(&topics[i].id, id))
			return &topics[i];
	return NULL;
}

const struct partition *
topic_partition(const struct topic *t, int32_t index)
{
	return index >= 0 && index < t->partition_count ?
	    &t->partitions[index] : NULL;
}

static int
setup(void **state)
{
	(void)state;
	total = 0;
	memset(&cluster, 0, sizeof(cluster));
	cluster.generation = 1;
	for (int i = 0; i < MODEL_TOPICS; i++) {
		topics[i] = (struct topic){ .name = slice_of(names[i]),
		    .partitions = partitions[i],
		    .partition_count = MODEL_PARTS };
		topics[i].id.b[0] = (uint8_t)(i + 1);
		for (int j = 0; j < MODEL_PARTS; j++)
			partitions[i][j] = (struct partition){ .index = j,
			    .leader = (i + j) % MODEL_BROKERS };
	}
	return 0;
}

/* ---- requests ---- */

static struct arena arena;

static struct fetch_request *
request(int32_t id, int32_t epoch)
{
	struct fetch_request *r = ARENA_NEW(&arena, struct fetch_request);

	r->session_id = id;
	r->session_epoch = epoch;
	r->topics.v = ARENA_ARRAY(&arena, struct fetch_request_topics, 100);
	r->forgotten_topics_data.v = ARENA_ARRAY(&arena,
	    struct fetch_request_forgotten_topics_data, 100);
	return r;
}

static struct fetch_request *
with(struct fetch_request *r, int topic, int32_t index, int64_t offset)
{
	struct fetch_request_topics *t = &r->topics.v[r->topics.n++];

	t->topic = slice_of(names[topic]);
	t->topic_id = topics[topic].id;
	t->partitions.v = ARENA_NEW(&arena,
	    struct fetch_request_topics_partitions);
	t->partitions.n = 1;
	t->partitions.v[0].partition = index;
	t->partitions.v[0].fetch_offset = offset;
	return r;
}

static struct fetch_request *
without(struct fetch_request *r, int topic, int32_t index)
{
	struct fetch_request_forgotten_topics_data *t =
	    &r->forgotten_topics_data.v[r->forgotten_topics_data.n++];

	t->topic = slice_of(names[topic]);
	t->topic_id = topics[topic].id;
	t->partitions.v = ARENA_NEW(&arena, int32_t);
	t->partitions.n = 1;
	t->partitions.v[0] = index;
	return r;
}

/* ---- clients' sessions ---- */

static void
test_session_life(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	int32_t id;

	(void)state;
	fetch_sessions_init(&s, &total);
	assert_int_equal(fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 5),
	    12, &c), 0);
	assert_true(c.full && c.session_id > 0);
	id = c.session_id;
	assert_int_equal(total, 1);

	assert_int_equal(fetch_sessions_choose(&s, with(request(id, 1), 0, 1,
	    7), 12, &c), 0);
	assert_false(c.full);
	assert_int_equal(c.session_id, id);
	assert_int_equal(c.slot->table.wanted, 2);
	assert_int_equal(fetch_sessions_choose(&s, request(id, 1), 12, &c),
	    KAFKA_INVALID_FETCH_SESSION_EPOCH);
	assert_int_equal(fetch_sessions_choose(&s, request(id + 1, 2), 12, &c),
	    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(fetch_sessions_choose(&s, request(0, 2), 12, &c),
	    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	assert_int_equal(fetch_sessions_choose(&s, request(id, 2), 13, &c),
	    KAFKA_FETCH_SESSION_TOPIC_ID_ERROR);
	assert_null(c.slot);
	/* An error changes nothing. */
	assert_int_equal(fetch_sessions_choose(&s, without(request(id, 2), 0,
	    0), 12, &c), 0);
	assert_int_equal(c.slot->table.wanted, 1);

	c.slot->epoch = INT32_MAX;
	assert_int_equal(fetch_sessions_choose(&s, request(id, INT32_MAX), 12,
	    &c), 0);
	assert_int_equal(c.slot->epoch, 1);

	/* Epoch 0 with an id: that one ends and another begins. */
	assert_int_equal(fetch_sessions_choose(&s, with(request(id, 0), 0, 0,
	    5), 12, &c), 0);
	assert_int_not_equal(c.session_id, id);
	assert_int_equal(total, 1);
	/* -1 with an id: that one ends. */
	assert_int_equal(fetch_sessions_choose(&s, request(c.session_id, -1),
	    12, &c), 0);
	assert_int_equal(c.session_id, 0);
	assert_int_equal(total, 0);
	assert_int_equal(c.slot->table.wanted, 0);
	fetch_sessions_fini(&s);
}

static void
test_session_emptied(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;

	(void)state;
	fetch_sessions_init(&s, &total);
	fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 5), 13, &c);
	assert_int_equal(fetch_sessions_choose(&s, without(request(c.session_id,
	    1), 0, 0), 13, &c), 0);
	assert_int_equal(c.session_id, 0);
	assert_int_equal(c.slot->table.wanted, 0);
	assert_int_equal(total, 0);
	fetch_sessions_fini(&s);
}

static void
test_session_caps(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	int32_t first;

	(void)state;
	fetch_sessions_init(&s, &total);
	fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 5), 12, &c);
	first = c.session_id;
	for (int i = 0; i < FETCH_SLOTS_MAX; i++)
		fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 5), 12,
		    &c);
	assert_int_equal(total, FETCH_SLOTS_MAX);
	assert_int_equal(fetch_sessions_choose(&s, request(first, 1), 12, &c),
	    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	fetch_sessions_fini(&s);
	assert_int_equal(total, 0);

	fetch_sessions_init(&s, &total);
	total = FETCH_SESSIONS_MAX;
	assert_int_equal(fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 5),
	    12, &c), 0);
	assert_int_equal(c.session_id, 0);
	assert_int_equal(c.slot->table.wanted, 1);
	fetch_sessions_fini(&s);
}

static void
test_too_many_partitions(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	struct fetch_request *r = request(0, 0);
	struct fetch_request_topics *t = &r->topics.v[r->topics.n++];

	(void)state;
	fetch_sessions_init(&s, &total);
	t->topic = SLICE_LIT("a");
	t->partitions.n = FETCH_PARTITIONS_MAX + 1;
	t->partitions.v = ARENA_ARRAY(&arena,
	    struct fetch_request_topics_partitions, t->partitions.n);
	for (int32_t i = 0; i < t->partitions.n; i++)
		t->partitions.v[i].partition = t->partitions.n - i;
	assert_int_equal(fetch_sessions_choose(&s, r, 12, &c),
	    KAFKA_INVALID_REQUEST);
	assert_int_equal(total, 0);
	t->partitions.n--;
	assert_int_equal(fetch_sessions_choose(&s, r, 12, &c), 0);
	assert_int_equal(c.slot->table.wanted, FETCH_PARTITIONS_MAX);
	fetch_sessions_fini(&s);
}

static void
test_without_session(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;

	(void)state;
	fetch_sessions_init(&s, &total);
	for (int32_t i = 0; i < 3; i++) {
		assert_int_equal(fetch_sessions_choose(&s, with(with(request(0,
		    -1), 0, i, 1), 1, 1, i), 11, &c), 0);
		assert_true(c.full && c.session_id == 0);
		assert_int_equal(c.slot->table.wanted, 2);
	}
	assert_int_equal(fetch_sessions_choose(&s, with(request(0, -1), 0, 3,
	    1), 13, &c), 0);
	assert_true(c.slot->table.by_id);
	assert_int_equal(c.slot->table.wanted, 1);
	fetch_sessions_fini(&s);
}

/* ---- places ---- */

static struct fetch_part *
part(struct fetch_slot *slot, int topic, int32_t index)
{
	struct fetch_topic *t = fetch_table_topic(&slot->table,
	    slice_of(names[topic]), &topics[topic].id);

	return t ? fetch_topic_part(t, index) : NULL;
}

static void
test_places(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	struct fetch_table *t;

	(void)state;
	fetch_sessions_init(&s, &total);
	partitions[0][1].leader = -1;
	fetch_sessions_choose(&s, with(with(with(request(0, 0), 0, 0, 1), 0, 1,
	    1), 0, MODEL_PARTS, 1), 12, &c);
	t = &c.slot->table;
	fetch_table_place(t, &cluster);
	assert_int_equal(part(c.slot, 0, 0)->feed->broker, 0);
	assert_null(part(c.slot, 0, 1)->feed);
	assert_int_equal(part(c.slot, 0, 1)->error,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part(c.slot, 0, MODEL_PARTS)->error,
	    KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_true(fetch_table_doubts(t));
	assert_false(fetch_table_doubts(t));

	partitions[0][1].leader = 2;
	fetch_table_place(t, &cluster);
	assert_int_equal(part(c.slot, 0, 1)->feed->broker, 2);
	/* Only another snapshot moves one that has a place. */
	partitions[0][0].leader = 2;
	fetch_table_place(t, &cluster);
	assert_int_equal(part(c.slot, 0, 0)->feed->broker, 0);
	cluster.generation++;
	fetch_table_place(t, &cluster);
	assert_int_equal(part(c.slot, 0, 0)->feed->broker, 2);
	fetch_feeds_trim(t);
	assert_ptr_equal(t->feeds.next, t->feeds.prev);
	fetch_sessions_fini(&s);
}

static void
test_unknown_id(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	struct fetch_request *r = with(request(0, 0), 0, 0, 1);

	(void)state;
	fetch_sessions_init(&s, &total);
	r->topics.v[0].topic_id.b[5] = 9;
	fetch_sessions_choose(&s, r, 13, &c);
	fetch_table_place(&c.slot->table, &cluster);
	assert_int_equal(LIST_ENTRY(c.slot->table.homeless.next,
	    struct fetch_part, at)->error, KAFKA_UNKNOWN_TOPIC_ID);
	fetch_sessions_fini(&s);
}

/* ---- a feed, against a model of its broker ---- */

/* A broker's fetch session, as KIP-227 describes it. */
struct model_session {
	int32_t			 id, epoch;	/* id 0: none */
	bool			 has[MODEL_TOPICS][MODEL_PARTS];
	int64_t			 offset[MODEL_TOPICS][MODEL_PARTS];
};

static int
topic_number(struct slice name)
{
	for (int i = 0; i < MODEL_TOPICS; i++)
		if (slice_is(name, names[i]))
			return i;
	fail_msg("unknown topic");
	return -1;
}

static void
model_ask(struct model_session *m, const struct fetch_request *r)
{
	if (r->session_epoch == 0)
		memset(m->has, 0, sizeof(m->has));
	for (int32_t i = 0; i < r->topics.n; i++) {
		int t = topic_number(r->topics.v[i].topic);

		for (int32_t j = 0; j < r->topics.v[i].partitions.n; j++) {
			const ask_part *p = &r->topics.v[i].partitions.v[j];

			m->has[t][p->partition] = true;
			m->offset[t][p->partition] = p->fetch_offset;
		}
	}
	for (int32_t i = 0; i < r->forgotten_topics_data.n; i++) {
		const gone_topic *gone = &r->forgotten_topics_data.v[i];
		int t = topic_number(gone->topic);

		for (int32_t j = 0; j < gone->partitions.n; j++)
			m->has[t][gone->partitions.v[j]] = false;
	}
}

/* The broker's answer: some of its partitions, each with an empty batch whose
 * watermark is the offset it was asked for. */
static struct fetch_response *
model_answer(struct model_session *m, const struct fetch_request *r)
{
	struct fetch_response *to = ARENA_NEW(&arena, struct fetch_response);
	static const uint8_t bytes[10];

	if (r->session_epoch > 0 && (m->id != r->session_id ||
	    m->epoch != r->session_epoch || rand() % 20 == 0)) {
		assert_true(m->id != r->session_id || m->epoch ==
		    r->session_epoch);
		m->id = 0;
		to->error_code = KAFKA_FETCH_SESSION_ID_NOT_FOUND;
		return to;
	}
	model_ask(m, r);
	if (r->session_epoch == 0) {
		m->id = rand() % 8 == 0 ? 0 : rand() % 1000 + 1;
		m->epoch = 0;
	}
	m->epoch++;
	to->session_id = m->id;
	to->responses.v = ARENA_ARRAY(&arena, struct fetch_response_responses,
	    MODEL_TOPICS);
	for (int t = 0; t < MODEL_TOPICS; t++) {
		struct fetch_response_responses *at = &to->responses.v[t];

		to->responses.n++;
		at->topic = slice_of(names[t]);
		at->partitions.v = ARENA_ARRAY(&arena, result, MODEL_PARTS);
		for (int32_t i = 0; i < MODEL_PARTS; i++) {
			result *p = &at->partitions.v[at->partitions.n];

			if (!m->has[t][i] || rand() % 3 == 0)
				continue;
			at->partitions.n++;
			p->partition_index = i;
			p->high_watermark = m->offset[t][i];
			p->diverging_epoch.epoch = -1;
			p->diverging_epoch.end_offset = -1;
			p->current_leader.leader_id = -1;
			p->records = (struct records){ bytes, 10, NULL };
		}
	}
	return to;
}

/* The broker's session has what the feed wants, no more and no less. */
static void
check_told(const struct fetch_feed *f, const struct model_session *m)
{
	uint32_t has = 0;

	for (int t = 0; t < MODEL_TOPICS; t++)
		for (int i = 0; i < MODEL_PARTS; i++)
			has += m->has[t][i];
	LIST_FOREACH(it, &f->parts) {
		const struct fetch_part *p = LIST_ENTRY(it, struct fetch_part,
		    at);
		int t = topic_number(p->topic->name);

		assert_true(p->wanted);
		assert_true(m->has[t][p->index]);
		assert_true(m->offset[t][p->index] == p->want.offset);
		has--;
	}
	assert_int_equal(has, 0);
	assert_true(list_empty(&f->dirty));
}

static void
random_wishes(struct fetch_slot *slot, bool want[][MODEL_PARTS],
    int64_t offset[][MODEL_PARTS])
{
	for (int n = rand() % 6; n > 0; n--) {
		int t = rand() % MODEL_TOPICS, i = rand() % MODEL_PARTS;
		struct fetch_ask ask = { rand() % 1000 + 1, -1, -1, 100 };
		struct fetch_part *p = part(slot, t, i);

		if (rand() % 3 > 0) {
			assert_true(fetch_table_want(&slot->table,
			    slice_of(names[t]), &topics[t].id, i, &ask));
			want[t][i] = true;
			offset[t][i] = ask.offset;
		} else if (p != NULL) {
			fetch_part_forget(p);
			want[t][i] = false;
		}
	}
	if (rand() % 10 == 0) {
		int t = rand() % MODEL_TOPICS, i = rand() % MODEL_PARTS;

		partitions[t][i].leader = rand() % (MODEL_BROKERS + 1) - 1;
		cluster.generation++;
	}
}

/* What may be taken is what was asked for, of what is wanted now. */
static void
take_some(struct fetch_feed *f)
{
	uint32_t landed_before, ready = 0;

	fetch_feed_match(f, 0);
	landed_before = f->landed;
	LIST_FOREACH_SAFE(it, &f->news) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, news);

		if (p->landed == NULL || !p->wanted)
			continue;
		ready++;
		assert_ptr_equal(p->feed, f);
		assert_true(p->landed->high_watermark == p->want.offset);
		if (rand() % 2)
			fetch_feed_took(p);
	}
	assert_int_equal(ready, f->ready);
	assert_true(landed_before >= ready);
	fetch_feed_release(f);
}

static void
check_wishes(struct fetch_slot *slot, bool want[][MODEL_PARTS],
    int64_t offset[][MODEL_PARTS])
{
	uint32_t n = 0;

	for (int t = 0; t < MODEL_TOPICS; t++)
		for (int i = 0; i < MODEL_PARTS; i++) {
			struct fetch_part *p = part(slot, t, i);

			assert_true(want[t][i] == (p != NULL && p->wanted));
			if (!want[t][i])
				continue;
			n++;
			assert_true(p->want.offset == offset[t][i]);
			assert_int_equal(p->feed ? p->feed->broker : -1,
			    partitions[t][i].leader);
		}
	assert_int_equal(n, slot->table.wanted);
}

struct model_call {
	const struct fetch_request *request;
	struct model_session	 session;
};

static void
random_rounds(struct fetch_slot *slot, int rounds)
{
	struct model_call calls[MODEL_BROKERS] = { 0 };
	bool want[MODEL_TOPICS][MODEL_PARTS] = { 0 };
	int64_t offset[MODEL_TOPICS][MODEL_PARTS] = { 0 };
	struct fetch_terms terms = { .version = 12 };

	while (rounds-- > 0) {
		random_wishes(slot, want, offset);
		fetch_table_place(&slot->table, &cluster);
		if (rand() % 5 == 0)
			fetch_feeds_trim(&slot->table);
		check_wishes(slot, want, offset);
		LIST_FOREACH(it, &slot->table.feeds) {
			struct fetch_feed *f = LIST_ENTRY(it,
			    struct fetch_feed, link);
			struct model_call *c = &calls[f->broker];

			if (f->state == FEED_FLYING) {
				if (rand() % 2)
					continue;
				if (rand() % 10)
					fetch_feed_land(f, model_answer(
					    &c->session, c->request));
				else
					fetch_feed_lost(f, 6);
			}
			f->failed = 0;
			take_some(f);
			if (f->state == FEED_IDLE && !list_empty(&f->parts)) {
				struct model_session seen = c->session;

				c->request = fetch_feed_request(f, &terms,
				    &arena);
				model_ask(&seen, c->request);
				check_told(f, &seen);
			}
		}
	}
}

static void
test_random_rounds(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 300; seed++) {
		struct fetch_sessions s;
		struct fetch_choice c;

		setup(NULL);
		srand(seed);
		fetch_sessions_init(&s, &total);
		fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 1), 12,
		    &c);
		fetch_part_forget(part(c.slot, 0, 0));
		random_rounds(c.slot, 200);
		fetch_sessions_fini(&s);
		arena_fini(&arena);
	}
}

/* ---- a leader that an error named ---- */

static void
test_named_leader(void **state)
{
	struct fetch_sessions s;
	struct fetch_choice c;
	struct fetch_terms terms = { .version = 12 };
	result res = { .error_code = KAFKA_NOT_LEADER_OR_FOLLOWER,
	    .current_leader = { 1, 7 }, .diverging_epoch = { -1, -1 } };
	struct fetch_response_responses at = { .topic = SLICE_LIT("a"),
	    .partitions = { &res, 1 } };
	struct fetch_response reply = { .session_id = 5,
	    .responses = { &at, 1 } };
	struct fetch_feed *f;

	(void)state;
	fetch_sessions_init(&s, &total);
	fetch_sessions_choose(&s, with(request(0, 0), 0, 0, 1), 12, &c);
	fetch_table_place(&c.slot->table, &cluster);
	f = part(c.slot, 0, 0)->feed;
	fetch_feed_request(f, &terms, &arena);
	assert_int_equal(fetch_feed_land(f, &reply), LANDING_OK);
	assert_true(f->stale);
	fetch_feed_match(f, 0);
	assert_int_equal(f->ready_errors, 1);
	fetch_feed_took(part(c.slot, 0, 0));
	fetch_feed_release(f);
	fetch_table_place(&c.slot->table, &cluster);
	f = part(c.slot, 0, 0)->feed;
	assert_int_equal(f->broker, 1);

	/* It does not lead either: back to what the snapshot says. */
	res.current_leader = (struct
	    fetch_response_responses_partitions_current_leader){ -1, -1 };
	fetch_feed_request(f, &terms, &arena);
	fetch_feed_land(f, &reply);
	fetch_table_place(&c.slot->table, &cluster);
	assert_int_equal(part(c.slot, 0, 0)->feed->broker, 0);
	fetch_sessions_fini(&s);
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_session_life),
		TEST(test_session_emptied),
		TEST(test_session_caps),
		TEST(test_too_many_partitions),
		TEST(test_without_session),
		TEST(test_places),
		TEST(test_unknown_id),
		TEST(test_random_rounds),
		TEST(test_named_leader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
