/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch as a whole, on a clock and brokers of our own: a client which reads
 * several brokers through one connection, with and without session, must get
 * every record once and in order whatever brokers do. */
/* What is played here, beside the true ones in the library. */
#define loop_now_us fake_loop_now_us
#define loop_over_limit fake_loop_over_limit
#define timer_set fake_timer_set
#define timer_cancel fake_timer_cancel
#define worker_wish fake_worker_wish
#define lease_close fake_lease_close
#define pool_backing_off fake_pool_backing_off
#define error_wants_refresh fake_error_wants_refresh
#define request_park fake_request_park
#define request_answer fake_request_answer
#define request_answer_error fake_request_answer_error
#define leg_send fake_leg_send
#define session_virtual_count fake_session_virtual_count
#define session_address fake_session_address
#define session_output_full fake_session_output_full
#define virtual_broker fake_virtual_broker
#define cluster_broker fake_cluster_broker
#define cluster_topic fake_cluster_topic
#define cluster_topic_by_id fake_cluster_topic_by_id
#define topic_partition fake_topic_partition
#define authorize_unlimited fake_authorize_unlimited
#define authorize_topic fake_authorize_topic

#include "gateway/api_fetch.c"
#include "gateway/config.h"
#include "gateway/fetch_answer.c"
#include "gateway/fetch_feed.c"
#include "gateway/fetch_flight.c"
#include "gateway/fetch_session.c"
#include "gateway/fetch_table.c"
#include "tests/unit/read_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	PARTS = 7, LEGS_MAX = 64, RECORD = 10, VERSION = 12,
};

/* ---- the world ---- */

struct sim_session {
	int32_t		 id, epoch;
	bool		 has[PARTS];
	int64_t		 offset[PARTS];
};

static struct {
	bool		 over_limit, output_full, down[BROKERS];
	bool		 judged, denied;	/* topics are */
	int		 parks;
	struct leg	*legs[LEGS_MAX];
	struct upstream_lease	 leases[LEGS_MAX];
	int64_t		 asked_at[LEGS_MAX];
	int		 leg_count, legs_sent;
	struct request	*answered;
	struct fetch_response *reply;
	struct request	*parked;
	struct sim_session sessions[BROKERS];
	int64_t		 end[PARTS];
} world;

static struct config config = {
	.workers = 1,
	.limits = {
		.fetch_sessions_max = 10000,
		.fetch_wait_max_ms = 60000,
		.fetch_bytes_max = INT32_MAX,
	},
};
static struct partition partitions[PARTS];

bool
loop_over_limit(void)
{
	return world.over_limit;
}

bool
pool_backing_off(const struct pool *p, int32_t broker)
{
	(void)p;
	return world.down[broker];
}

bool
error_wants_refresh(int16_t error)
{
	return error == KAFKA_NOT_LEADER_OR_FOLLOWER ||
	    error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	world.parks++;
	r->resume = resume;
	world.parked = r;
	return true;
}

bool
authorize_unlimited(const struct session *s)
{
	(void)s;
	return !world.judged;
}

int16_t
authorize_topic(struct request *r, enum policy_action action,
    struct slice name, bool by_id)
{
	(void)r, (void)action, (void)name, (void)by_id;
	return world.denied ? KAFKA_TOPIC_AUTHORIZATION_FAILED : 0;
}

bool
session_output_full(const struct session *s)
{
	(void)s;
	return world.output_full;
}

int32_t
session_virtual_count(struct session *s)
{
	(void)s;
	return 2;
}

const struct topic *
cluster_topic(const struct cluster *c, struct slice name)
{
	(void)c;
	return slice_is(name, "t") ? &topic : NULL;
}

/* ---- calls ---- */

static void
leg_end(struct leg *l, int16_t error)
{
	for (int i = 0; i < world.leg_count; i++)
		if (world.legs[i] == l) {
			world.leg_count--;
			world.legs[i] = world.legs[world.leg_count];
			world.asked_at[i] = world.asked_at[world.leg_count];
			break;
		}
	l->lease = NULL;
	l->outcome = error ? CALL_LOST : CALL_ANSWERED;
	l->error = error;
	l->done(l);
}

void
leg_send(struct leg *l, const struct api_schema *api, int version,
    struct slice client_id)
{
	struct error err;
	struct chain out;
	struct writer w;

	(void)client_id;
	chain_init(&out);
	writer_init(&w, &out);
	assert_true(codec_encode(&w, api->request, version, l->body, &err));
	writer_finish(&w);
	chain_fini(&out);
	world.legs_sent++;
	l->reply = NULL;
	if (world.down[l->broker]) {
		l->outcome = CALL_NOT_SENT;
		l->error = KAFKA_NOT_LEADER_OR_FOLLOWER;
		l->done(l);
		return;
	}
	assert_true(world.leg_count < LEGS_MAX);
	l->lease = &world.leases[0];
	world.asked_at[world.leg_count] = played.now;
	world.legs[world.leg_count++] = l;
}

/* The lease is shared, as by two slots: all calls end. */
void
lease_close(struct worker *w, struct upstream_lease *l)
{
	(void)w;
	(void)l;
	while (world.leg_count > 0)
		leg_end(world.legs[0], KAFKA_NOT_LEADER_OR_FOLLOWER);
}

/* Its memory goes at once, as when a session can send the reply. */
static void
end_request(struct request *r)
{
	arena_fini(&r->arena);
	list_remove(&r->link);
	world.answered = r;
}

void
request_answer(struct request *r, const void *response)
{
	struct error err;
	struct chain out;
	struct writer w;
	struct reader rd;
	struct block *b;

	chain_init(&out);
	writer_init(&w, &out);
	assert_true(codec_encode(&w, &fetch_response_message, r->version,
	    response, &err));
	writer_finish(&w);
	b = block_new(out.bytes);
	chain_copy_out(&out, b->data);
	reader_init(&rd, b->data, out.bytes, b);
	world.reply = codec_decode(&rd, &fetch_response_message, r->version,
	    &memory);
	assert_non_null(world.reply);
	arena_hold(&memory, b);
	block_unref(b);
	chain_fini(&out);
	end_request(r);
}

void
request_answer_error(struct request *r, int16_t error)
{
	world.reply = ARENA_NEW(&memory, struct fetch_response);
	world.reply->error_code = error;
	end_request(r);
}

/* ---- brokers ---- */

static void
sim_ask(struct sim_session *s, const struct fetch_request *r)
{
	if (r->session_epoch <= 0) {
		memset(s, 0, sizeof(*s));
		s->id = r->session_epoch == 0 && rand() % 8 ?
		    rand() % 1000 + 1 : 0;
	}
	for (int32_t i = 0; i < r->topics.n; i++)
		for (int32_t j = 0; j < r->topics.v[i].partitions.n; j++) {
			const struct fetch_request_topics_partitions *p =
			    &r->topics.v[i].partitions.v[j];

			s->has[p->partition] = true;
			s->offset[p->partition] = p->fetch_offset;
		}
	for (int32_t i = 0; i < r->forgotten_topics_data.n; i++)
		for (int32_t j = 0; j <
		    r->forgotten_topics_data.v[i].partitions.n; j++)
			s->has[r->forgotten_topics_data.v[i].partitions.v[j]] =
			    false;
}

/* Records are RECORD bytes each; the first eight are the offset. */
static void
sim_records(result *to, int64_t from, int64_t end, struct arena *a)
{
	int64_t n = end - from > 5 ? 5 : end - from;
	uint8_t *data = ARENA_ARRAY(a, uint8_t, n * RECORD);

	for (int64_t i = 0; i < n; i++) {
		int64_t offset = from + i;

		memcpy(data + i * RECORD, &offset, sizeof(offset));
	}
	to->records = (struct records){ data, (uint32_t)(n * RECORD), NULL };
}

static bool
sim_result(int32_t broker, const struct sim_session *s, int32_t index,
    result *to, struct arena *a)
{
	memset(to, 0, sizeof(*to));
	to->partition_index = index;
	to->diverging_epoch.epoch = -1;
	to->diverging_epoch.end_offset = -1;
	to->snapshot_id.epoch = 3;
	to->snapshot_id.end_offset = -1;
	to->current_leader.leader_id = -1;
	to->current_leader.leader_epoch = -1;
	to->preferred_read_replica = 2;
	to->high_watermark = -1;
	to->log_start_offset = -1;
	if (partitions[index].leader != broker) {
		to->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
		to->current_leader.leader_id = partitions[index].leader;
		to->current_leader.leader_epoch =
		    partitions[index].leader_epoch + 1;
		return true;
	}
	to->high_watermark = world.end[index];
	to->log_start_offset = 0;
	sim_records(to, s->offset[index], world.end[index], a);
	return to->records.len > 0;
}

/* The reply to a leg; NULL when the broker would go on waiting. */
static struct fetch_response *
sim_answer(struct leg *l, int64_t asked_at)
{
	const struct fetch_request *r = l->body;
	struct sim_session *s = &world.sessions[l->broker], before = *s;
	struct fetch_response *to = ARENA_NEW(l->arena, struct fetch_response);
	bool news = false;

	if (r->session_epoch > 0 && (r->session_id != s->id ||
	    r->session_epoch != s->epoch)) {
		to->error_code = KAFKA_FETCH_SESSION_ID_NOT_FOUND;
		return to;
	}
	sim_ask(s, r);
	to->session_id = s->id;
	to->responses.v = ARENA_NEW(l->arena, struct fetch_response_responses);
	to->responses.n = 1;
	to->responses.v[0].topic = SLICE_LIT("t");
	to->responses.v[0].topic_id = topic.id;
	to->responses.v[0].partitions.v = ARENA_ARRAY(l->arena, result, PARTS);
	for (int32_t i = 0; i < PARTS; i++) {
		int32_t *n = &to->responses.v[0].partitions.n;

		if (!s->has[i])
			continue;
		news |= sim_result(l->broker, s, i,
		    &to->responses.v[0].partitions.v[*n], l->arena);
		++*n;
	}
	if (!news && played.now < asked_at + r->max_wait_ms * (int64_t)MS) {
		*s = before;
		return NULL;
	}
	s->epoch = r->session_epoch <= 0 ? 1 : s->epoch + 1;
	return to;
}

static bool
sim_try(int i)
{
	struct leg *l = world.legs[i];

	l->reply = sim_answer(l, world.asked_at[i]);
	if (l->reply == NULL)
		return false;
	leg_end(l, 0);
	return true;
}

/* Brokers answer what they can; then time goes on. */
static void
sim_settle(void)
{
	for (int i = 0; i < world.leg_count; i++)
		if (sim_try(i))
			i = -1;
}

static void
sim_pass(int64_t us)
{
	played.now += us;
	if (played.timer != NULL && played.timer->at_us <= played.now) {
		struct timer *t = played.timer;

		played.timer = NULL;
		t->fire(t);
	}
}

/* ---- the client ---- */

static int
setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	memset(&played, 0, sizeof(played));
	played.now = 1000000;
	memset(&worker, 0, sizeof(worker));
	memset(&session, 0, sizeof(session));
	memset(&snapshot, 0, sizeof(snapshot));
	worker.cluster = &snapshot;
	worker.config = &config;
	session.worker = &worker;
	list_init(&session.requests);
	snapshot.generation = 1;
	topic = (struct topic){ .name = SLICE_LIT("t"), .id.b[3] = 7,
	    .partitions = partitions, .partition_count = PARTS };
	for (int i = 0; i < PARTS; i++)
		partitions[i] = (struct partition){ .index = i,
		    .leader = i % BROKERS };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fetch_state_free(&session);
	while (!list_empty(&session.requests))
		end_request(LIST_ENTRY(session.requests.next, struct request,
		    link));
	assert_int_equal(world.leg_count, 0);
	assert_null(played.timer);
	arena_fini(&memory);
	return 0;
}

static struct request *
fetch_of(int version, int32_t id, int32_t epoch, int32_t max_wait)
{
	struct request *r = ARENA_NEW(&memory, struct request);
	struct fetch_request *q = ARENA_NEW(&memory, struct fetch_request);

	r->session = &session;
	list_append(&session.requests, &r->link);
	r->worker = &worker;
	r->schema = api_schema_find(API_FETCH);
	r->version = (int16_t)version;
	r->body = q;
	q->replica_id = q->replica_state.replica_id = -1;
	q->max_wait_ms = max_wait;
	q->min_bytes = 1;
	q->max_bytes = INT32_MAX;
	q->session_id = id;
	q->session_epoch = epoch;
	q->topics.v = ARENA_NEW(&memory, struct fetch_request_topics);
	q->topics.v[0].topic = SLICE_LIT("t");
	q->topics.v[0].topic_id = topic.id;
	q->topics.v[0].partitions.v = ARENA_ARRAY(&memory,
	    struct fetch_request_topics_partitions, PARTS);
	q->forgotten_topics_data.v = ARENA_NEW(&memory,
	    struct fetch_request_forgotten_topics_data);
	q->forgotten_topics_data.v[0].topic = SLICE_LIT("t");
	q->forgotten_topics_data.v[0].topic_id = topic.id;
	q->forgotten_topics_data.v[0].partitions.v = ARENA_ARRAY(&memory,
	    int32_t, PARTS);
	return r;
}

static void
want(struct request *r, int32_t index, int64_t offset)
{
	struct fetch_request *q = r->body;
	struct fetch_request_topics_partitions *p =
	    &q->topics.v[0].partitions.v[q->topics.v[0].partitions.n++];

	q->topics.n = 1;
	p->partition = index;
	p->fetch_offset = offset;
	p->current_leader_epoch = p->last_fetched_epoch = -1;
	p->partition_max_bytes = 1000000;
}

static void
forget(struct request *r, int32_t index)
{
	struct fetch_request *q = r->body;
	struct fetch_request_forgotten_topics_data *t =
	    &q->forgotten_topics_data.v[0];

	q->forgotten_topics_data.n = 1;
	t->partitions.v[t->partitions.n++] = index;
}

static void
ask_client(struct request *r)
{
	world.answered = NULL;
	world.reply = NULL;
	api_fetch(r);
}

static const result *
told(int32_t index)
{
	const result *found = NULL;

	assert_non_null(world.reply);
	assert_true(world.reply->responses.n <= 1);
	if (world.reply->responses.n == 0)
		return NULL;
	for (int32_t i = 0; i < world.reply->responses.v[0].partitions.n; i++) {
		const result *p = &world.reply->responses.v[0].partitions.v[i];

		if (p->partition_index != index)
			continue;
		assert_null(found);
		found = p;
	}
	return found;
}

/* ---- scripts ---- */

static void
test_waits_then_empty(void **state)
{
	struct request *r = fetch_of(VERSION, 0, -1, 500);

	(void)state;
	for (int i = 0; i < PARTS; i++)
		want(r, i, 0);
	ask_client(r);
	assert_int_equal(world.leg_count, 3);
	sim_settle();
	sim_pass(499 * MS);
	assert_null(world.answered);
	sim_pass(1 * MS);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(world.reply->responses.v[0].partitions.n, PARTS);
	assert_true(told(3)->high_watermark == 0);
	assert_int_equal(told(3)->preferred_read_replica, -1);
	assert_int_equal(told(3)->snapshot_id.epoch, -1);
	assert_int_equal(world.legs_sent, 3);
}

/* The first that has enough answers; what the others bring is kept. */
static void
test_first_answers(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500), *again;
	int32_t id;

	(void)state;
	for (int i = 0; i < 3; i++)
		want(r, i, 0);
	ask_client(r);
	world.end[1] = 3;
	sim_settle();
	assert_ptr_equal(world.answered, r);
	id = world.reply->session_id;
	assert_true(id > 0);
	assert_int_equal(told(1)->records.len, 3 * RECORD);
	assert_int_equal(told(0)->records.len, 0);
	assert_int_equal(world.leg_count, 2);
	world.end[0] = world.end[2] = 2;
	sim_settle();
	assert_int_equal(world.leg_count, 0);

	again = fetch_of(VERSION, id, 1, 500);
	want(again, 1, 3);
	ask_client(again);
	assert_ptr_equal(world.answered, again);
	assert_int_equal(told(0)->records.len, 2 * RECORD);
	assert_int_equal(told(2)->records.len, 2 * RECORD);
	assert_null(told(1));
	/* Broker 1 was asked meanwhile; the others have been taken from. */
	assert_int_equal(world.leg_count, 1);
	assert_int_equal(world.legs[0]->broker, 1);
	assert_int_equal(world.legs_sent, 4);
}

static void
test_kept_for_other_offset_is_dropped(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500), *again;

	(void)state;
	want(r, 0, 0);
	want(r, 1, 0);
	ask_client(r);
	world.end[0] = world.end[1] = 2;
	sim_try(0);
	sim_try(0);
	again = fetch_of(VERSION, world.reply->session_id, 1, 500);
	want(again, 0, 2);
	want(again, 1, 1);
	ask_client(again);
	assert_null(world.answered);
	sim_settle();
	assert_ptr_equal(world.answered, again);
	assert_int_equal(told(1)->records.len, RECORD);
}

static void
test_max_bytes(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500), *again;

	(void)state;
	for (int i = 0; i < 3; i++)
		want(r, i, 0);
	((struct fetch_request *)r->body)->max_bytes = 25;
	((struct fetch_request *)r->body)->min_bytes = 50;
	for (int i = 0; i < 3; i++)
		world.end[i] = 2;
	ask_client(r);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	again = fetch_of(VERSION, world.reply->session_id, 1, 500);
	for (int i = 0; i < 3; i++) {
		bool has = told(i)->records.len > 0;

		if (has)
			want(again, i, 2);
	}
	assert_int_equal(((struct fetch_request *)again->body)->
	    topics.v[0].partitions.n, 1);
	ask_client(again);
	assert_ptr_equal(world.answered, again);
	assert_int_equal(world.reply->responses.v[0].partitions.n, 2);
}

static void
test_refused(void **state)
{
	struct request *r = fetch_of(VERSION, 0, -1, 500);

	(void)state;
	want(r, 0, 0);
	((struct fetch_request *)r->body)->replica_id = 1;
	ask_client(r);
	assert_int_equal(world.reply->error_code,
	    KAFKA_CLUSTER_AUTHORIZATION_FAILED);
	ask_client(fetch_of(VERSION, 77, 5, 500));
	assert_int_equal(world.reply->error_code,
	    KAFKA_FETCH_SESSION_ID_NOT_FOUND);
	ask_client(fetch_of(VERSION, 0, -1, 500));
	assert_int_equal(world.reply->error_code, 0);
	assert_int_equal(world.legs_sent, 0);
}

/* Nothing but trouble is no reason to hurry. */
static void
test_broker_down(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500);

	(void)state;
	for (int i = 0; i < BROKERS; i++)
		world.down[i] = true;
	want(r, 0, 0);
	want(r, 1, 0);
	ask_client(r);
	assert_null(world.answered);
	sim_pass(99 * MS);
	assert_null(world.answered);
	sim_pass(1 * MS);
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(0)->error_code, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(told(1)->error_code, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(world.legs_sent, 2);
	assert_true(played.wishes > 0);

	/* One of them is back, and has data: no reason to wait. */
	world.down[0] = false;
	r = fetch_of(VERSION, world.reply->session_id, 1, 500);
	world.end[0] = 1;
	ask_client(r);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(0)->records.len, RECORD);
	assert_int_equal(told(1)->error_code, KAFKA_NOT_LEADER_OR_FOLLOWER);
}

/* A dead connection out of the pool is not an error yet. */
static void
test_lost_once(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500);

	(void)state;
	world.end[0] = 1;
	want(r, 0, 0);
	ask_client(r);
	leg_end(world.legs[0], KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_null(world.answered);
	assert_int_equal(world.leg_count, 1);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(0)->records.len, RECORD);
}

static void
test_unknown_partition(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500), *again;

	(void)state;
	topic.partition_count = PARTS - 1;
	want(r, PARTS - 1, 0);
	ask_client(r);
	assert_int_equal(world.parks, 1);
	assert_null(world.answered);
	world.parked->resume(world.parked);
	sim_pass(100 * MS);
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(PARTS - 1)->error_code,
	    KAFKA_UNKNOWN_TOPIC_OR_PARTITION);

	/* It is waited for once; then it appears. */
	again = fetch_of(VERSION, world.reply->session_id, 1, 500);
	ask_client(again);
	assert_int_equal(world.parks, 1);
	sim_pass(100 * MS);
	assert_ptr_equal(world.answered, again);
	topic.partition_count = PARTS;
	world.end[PARTS - 1] = 1;
	again = fetch_of(VERSION, world.reply->session_id, 2, 500);
	ask_client(again);
	sim_settle();
	assert_int_equal(told(PARTS - 1)->records.len, RECORD);
}

static void
test_leader_named(void **state)
{
	struct request *r = fetch_of(16, 0, 0, 500), *again;

	(void)state;
	want(r, 0, 0);
	ask_client(r);
	partitions[0].leader = 2;
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(0)->error_code, KAFKA_NOT_LEADER_OR_FOLLOWER);
	/* 2 of 0..2 is 0 of 0..1. */
	assert_int_equal(told(0)->current_leader.leader_id, 0);
	assert_int_equal(world.reply->node_endpoints.n, 1);
	assert_true(slice_is(world.reply->node_endpoints.v[0].host,
	    "virtual-0"));
	assert_null(world.reply->node_endpoints.v[0].rack.data);
	assert_int_equal(played.wishes, 1);

	partitions[0].leader = 0;	/* the snapshot does not know yet */
	again = fetch_of(16, world.reply->session_id, 1, 500);
	ask_client(again);
	assert_int_equal(world.legs[0]->broker, 2);
}

/* Only what is new is in an incremental reply. */
static void
test_incremental(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 0);
	int32_t id;

	(void)state;
	want(r, 0, 0);
	want(r, 1, 0);
	ask_client(r);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	id = world.reply->session_id;

	ask_client(r = fetch_of(VERSION, id, 1, 0));
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(world.reply->responses.n, 0);

	ask_client(r = fetch_of(VERSION, id, 2, 0));
	world.end[1] = 2;
	sim_settle();
	assert_non_null(told(1));
	assert_null(told(0));

	/* The position passes the records: the watermark was told. */
	want(r = fetch_of(VERSION, id, 3, 0), 1, 2);
	ask_client(r);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	assert_int_equal(world.reply->responses.n, 0);
}

/* ---- partitions that rest ---- */

static struct fetch_part *
part(int32_t index)
{
	struct fetch_slot *slot = LIST_ENTRY(
	    session.fetch->sessions.slots.next, struct fetch_slot, link);

	return fetch_topic_part(fetch_table_topic(&slot->table, topic.name,
	    &topic.id), index);
}

static const struct fetch_request *
asked(int i)
{
	return world.legs[i]->body;
}

/* A session in which broker 0 has been asked for partitions 0 and 3. */
static int32_t
read_two(void)
{
	struct request *r = fetch_of(VERSION, 0, 0, 0);
	int32_t id;

	want(r, 0, 0);
	want(r, 3, 0);
	ask_client(r);
	sim_settle();
	assert_ptr_equal(world.answered, r);
	id = world.reply->session_id;
	world.sessions[0].id = 77;
	part(0)->feed->session_id = 77;
	part(0)->feed->restart = false;
	return id;
}

/* The broker's session goes on: it forgets the one, and has it back later. */
static void
test_rests(void **state)
{
	int32_t id = read_two();

	(void)state;
	fetch_part_rest(part(0), played.now + 100 * MS);
	ask_client(fetch_of(VERSION, id, 1, 400));
	assert_int_equal(world.leg_count, 1);
	assert_int_equal(asked(0)->session_id, 77);
	assert_int_equal(asked(0)->session_epoch, 1);
	assert_int_equal(asked(0)->topics.n, 0);
	assert_int_equal(asked(0)->forgotten_topics_data.n, 1);
	assert_int_equal(
	    asked(0)->forgotten_topics_data.v[0].partitions.n, 1);
	assert_int_equal(
	    asked(0)->forgotten_topics_data.v[0].partitions.v[0], 0);
	assert_null(part(0)->feed);
	world.end[0] = 1;
	sim_settle();
	assert_null(world.answered);
	/* Its rest is over, the broker is told with the next call. */
	sim_pass(100 * MS);
	assert_true(part(0)->rest_until_us == 0);
	world.end[3] = 1;
	sim_settle();
	assert_non_null(told(3));
	assert_null(told(0));
	want(fetch_of(VERSION, id, 2, 400), 3, 1);
	ask_client(LIST_ENTRY(session.requests.prev, struct request, link));
	assert_int_equal(asked(0)->session_id, 77);
	assert_int_equal(asked(0)->session_epoch, 2);
	assert_int_equal(asked(0)->forgotten_topics_data.n, 0);
	assert_int_equal(asked(0)->topics.v[0].partitions.n, 2);
	sim_settle();
	assert_int_equal(told(0)->records.len, RECORD);
}

/* Its rest is over before its broker was told of it. */
static void
test_rests_briefly(void **state)
{
	int32_t id = read_two();

	(void)state;
	fetch_part_rest(part(0), played.now + 1);
	sim_pass(1);
	ask_client(fetch_of(VERSION, id, 1, 400));
	assert_int_equal(asked(0)->session_epoch, 1);
	assert_int_equal(asked(0)->topics.n, 0);
	assert_int_equal(asked(0)->forgotten_topics_data.n, 0);
	world.end[0] = 1;
	sim_settle();
	assert_int_equal(told(0)->records.len, RECORD);
}

/* The client forgets it meanwhile, and wants it again: it rests on. */
static void
test_rests_and_is_forgotten(void **state)
{
	int32_t id = read_two();
	struct request *r;

	(void)state;
	fetch_part_rest(part(0), played.now + 1000 * MS);
	forget(r = fetch_of(VERSION, id, 1, 0), 0);
	fetch_part_forget(part(0));
	want(r, 0, 0);
	((struct fetch_request *)r->body)->forgotten_topics_data.n = 0;
	ask_client(r);
	assert_int_equal(asked(0)->forgotten_topics_data.n, 1);
	assert_int_equal(asked(0)->topics.n, 0);
	assert_true(part(0)->wanted && part(0)->rest_until_us != 0);
	sim_settle();
}

/* What happened to the cluster while it rested: topics are judged first. */
static void
test_rests_while_denied(void **state)
{
	struct request *r;
	int32_t id;

	(void)state;
	world.judged = true;
	id = read_two();
	fetch_part_rest(part(0), played.now + 50 * MS);
	fetch_part_rest(part(3), played.now + 50 * MS);
	ask_client(r = fetch_of(VERSION, id, 1, 400));
	assert_int_equal(world.leg_count, 0);
	snapshot.generation++;
	world.denied = true;
	sim_pass(50 * MS);
	assert_int_equal(world.leg_count, 0);
	sim_pass(100 * MS);
	assert_ptr_equal(world.answered, r);
	assert_int_equal(told(0)->error_code,
	    KAFKA_TOPIC_AUTHORIZATION_FAILED);
}

static void
test_pipelined(void **state)
{
	struct request *one = fetch_of(VERSION, 0, -1, 500);
	struct request *two = fetch_of(VERSION, 0, -1, 500);

	(void)state;
	want(one, 0, 0);
	want(two, 1, 0);
	ask_client(one);
	api_fetch(two);
	world.end[0] = world.end[1] = 1;
	assert_int_equal(world.leg_count, 1);
	assert_true(sim_try(0));
	assert_ptr_equal(world.answered, one);
	assert_int_equal(told(0)->records.len, RECORD);
	sim_settle();
	assert_ptr_equal(world.answered, two);
	assert_int_equal(told(1)->records.len, RECORD);
}

/* Over the node's limit nothing is asked for ahead. */
static void
test_over_limit(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500);

	(void)state;
	want(r, 0, 0);
	want(r, 1, 0);
	ask_client(r);
	world.end[0] = world.end[1] = 1;
	sim_settle();
	world.over_limit = true;
	r = fetch_of(VERSION, world.reply->session_id, 1, 500);
	want(r, 0, 1);
	want(r, 1, 0);
	ask_client(r);
	assert_ptr_equal(world.answered, r);
	assert_int_equal(world.leg_count, 0);
}

/* A client that does not read its replies is read nothing for. */
static void
test_slow_reader(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500);

	(void)state;
	want(r, 0, 0);
	world.output_full = true;
	ask_client(r);
	assert_int_equal(world.leg_count, 0);
	world.output_full = false;
	fetch_state_drained(&session);
	assert_int_equal(world.leg_count, 1);
}

static void
test_client_gone(void **state)
{
	struct request *r = fetch_of(VERSION, 0, 0, 500);

	(void)state;
	for (int i = 0; i < 3; i++)
		want(r, i, 0);
	ask_client(r);
	assert_int_equal(world.leg_count, 3);
	fetch_state_free(&session);
	assert_int_equal(world.leg_count, 0);
	assert_null(session.fetch);
	assert_null(played.timer);
	assert_int_equal(worker.fetch_sessions, 0);
}

/* ---- at random ---- */

struct consumer {
	int32_t		 id, epoch;
	bool		 sessions, in_session[PARTS], paused[PARTS];
	int64_t		 position[PARTS], sent[PARTS];
	uint64_t	 records;
	bool		 waiting;
	int64_t		 since;
	int		 version;
};

static void
consumer_ask(struct consumer *c)
{
	struct request *r = fetch_of(c->version, c->sessions ? c->id : 0,
	    c->sessions ? c->epoch : -1, rand() % 300);
	bool full = !c->sessions || c->epoch == 0;

	for (int32_t i = 0; i < PARTS; i++) {
		bool wanted = !c->paused[i];

		if (full)
			c->in_session[i] = false;
		if (wanted && (!c->in_session[i] ||
		    c->sent[i] != c->position[i])) {
			want(r, i, c->position[i]);
			c->sent[i] = c->position[i];
		} else if (!wanted && c->in_session[i]) {
			forget(r, i);
		}
		c->in_session[i] = wanted;
	}
	((struct fetch_request *)r->body)->max_bytes = rand() % 200;
	c->waiting = true;
	c->since = played.now;
	ask_client(r);
}

static void
consumer_read(struct consumer *c, int32_t i, const result *p)
{
	if (p->error_code != 0) {
		assert_int_equal(p->error_code, KAFKA_NOT_LEADER_OR_FOLLOWER);
		return;
	}
	assert_true(c->in_session[i]);
	for (uint32_t at = 0; at < p->records.len; at += RECORD) {
		int64_t offset;

		memcpy(&offset, p->records.data + at, sizeof(offset));
		assert_true(offset == c->position[i]);
		c->position[i]++;
		c->records++;
	}
}

static void
consumer_take(struct consumer *c)
{
	bool full = !c->sessions || c->epoch == 0, any = false;

	c->waiting = false;
	assert_int_equal(world.reply->error_code, 0);
	for (int32_t i = 0; i < PARTS; i++) {
		const result *p = told(i);

		any |= c->in_session[i];
		if (p != NULL)
			consumer_read(c, i, p);
		else
			assert_true(!full || !c->in_session[i]);
	}
	c->id = world.reply->session_id;
	c->epoch = c->id ? c->epoch + 1 : 0;
	assert_true(!c->sessions || !any || c->id != 0);
}

/* As throttle_rest does it. */
static void
random_rest(int32_t index)
{
	struct fetch_call *c = session.fetch ? session.fetch->current : NULL;
	struct fetch_topic *t = c ? fetch_table_topic(&c->choice.slot->table,
	    topic.name, &topic.id) : NULL;
	struct fetch_part *p = t ? fetch_topic_part(t, index) : NULL;

	if (p != NULL && p->wanted && p->rest_until_us == 0 &&
	    p->landed == NULL)
		fetch_part_rest(p, played.now + rand() % 60 * MS);
}

static void
random_event(void)
{
	int i = rand() % PARTS;

	switch (rand() % 13) {
	case 0:
	case 1:
	case 2:
		world.end[i] += rand() % 8;
		break;
	case 3:
		if (world.leg_count > 0)
			leg_end(world.legs[rand() % world.leg_count],
			    KAFKA_NOT_LEADER_OR_FOLLOWER);
		break;
	case 4:
		partitions[i].leader = rand() % BROKERS;
		partitions[i].leader_epoch++;
		if (rand() % 2)
			snapshot.generation++;
		break;
	case 5:
		world.down[rand() % BROKERS] ^= true;
		break;
	case 6:
		world.sessions[rand() % BROKERS].id = 0;
		break;
	case 7:
		world.over_limit = rand() % 4 == 0;
		break;
	case 8:
		random_rest(i);
		break;
	default:
		if (world.leg_count > 0)
			sim_try(rand() % world.leg_count);
		break;
	}
}

static void
random_consumer(bool sessions, int version)
{
	struct consumer c = { .sessions = sessions, .version = version };

	for (int n = 0; n < 3000; n++) {
		random_event();
		sim_pass(rand() % 20 * MS);
		if (c.waiting && world.answered != NULL)
			consumer_take(&c);
		/* Its wait, and what the broker takes on top. */
		assert_true(!c.waiting || played.now - c.since < 450 * MS);
		if (!c.waiting) {
			c.paused[rand() % PARTS] ^= rand() % 3 == 0;
			consumer_ask(&c);
		}
	}
	/* Peace: everything is read. */
	memset(world.down, 0, sizeof(world.down));
	memset(c.paused, 0, sizeof(c.paused));
	snapshot.generation++;
	for (int n = 0; n < 5000; n++) {
		sim_settle();
		sim_pass(10 * MS);
		if (c.waiting && world.answered != NULL)
			consumer_take(&c);
		if (!c.waiting)
			consumer_ask(&c);
	}
	for (int i = 0; i < PARTS; i++)
		assert_true(c.position[i] == world.end[i]);
}

static void
test_random_consumers(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++) {
		setup(NULL);
		srand(seed);
		random_consumer(seed % 2, seed % 4 < 2 ? 12 : 18);
		teardown(NULL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waits_then_empty),
		TEST(test_first_answers),
		TEST(test_kept_for_other_offset_is_dropped),
		TEST(test_max_bytes),
		TEST(test_refused),
		TEST(test_broker_down),
		TEST(test_lost_once),
		TEST(test_unknown_partition),
		TEST(test_leader_named),
		TEST(test_incremental),
		TEST(test_rests),
		TEST(test_rests_briefly),
		TEST(test_rests_and_is_forgotten),
		TEST(test_rests_while_denied),
		TEST(test_pipelined),
		TEST(test_over_limit),
		TEST(test_slow_reader),
		TEST(test_client_gone),
		TEST(test_random_consumers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
