/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to leaders, with snapshots and brokers of our own: what waits for
 * another leader, how long, and that nothing is sent twice. */
/* What is played here, beside the true ones in the library. */
#define request_legs fake_request_legs
#define request_send fake_request_send
#define request_park fake_request_park
#define request_park_again fake_request_park_again
#define request_fail fake_request_fail
#define request_finish fake_request_finish
#define request_answer fake_request_answer
#define request_answer_error fake_request_answer_error
#define worker_wish fake_worker_wish
#define pool_failing fake_pool_failing
#define pool_backing_off fake_pool_backing_off
#define session_virtual_count fake_session_virtual_count
#define loop_now_us fake_loop_now_us
#define cluster_topic fake_cluster_topic
#define cluster_topic_by_id fake_cluster_topic_by_id

#include "gateway/forward.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BROKERS = 3, PARTS = 3, LEGS = 8, VERSION = 9 };

static struct {
	int64_t		 now;
	bool		 failing[BROKERS], backing_off[BROKERS];
	int		 parks, wishes, sends, parked_told;
	int		 parks_left;	/* then its time is over */
	bool		 parked;
	void		(*resume)(struct request *r);
	void		(*done)(struct request *r);
	struct leg	 legs[LEGS];
	struct produce_response *answer;
	int		 written;	/* 1: all, 2: not all */
} world;

static struct partition partitions[PARTS];
static struct topic topic = {
	.name = { (const uint8_t *)"t", 1 }, .partitions = partitions,
	.partition_count = PARTS };
static struct cluster snapshot;
static struct worker worker = { .cluster = &snapshot };
static struct session session;
static struct request request;

/* ---- what is played ---- */

int64_t
loop_now_us(const struct loop *l)
{
	(void)l;
	return world.now;
}

void
request_legs(struct request *r, int32_t count)
{
	assert_in_range(count, 0, LEGS);
	memset(world.legs, 0, sizeof(world.legs));
	r->legs = world.legs;
	r->leg_count = count;
}

void
request_send(struct request *r, enum upstream_use class, bool no_reply,
    void (*done)(struct request *r))
{
	(void)class;
	(void)no_reply;
	world.sends++;
	world.done = done;
	if (r->leg_count == 0)
		done(r);
}

bool
request_park_again(struct request *r, void (*resume)(struct request *r))
{
	assert_false(world.parked);
	if (world.parks_left == 0)
		return false;
	world.parks_left--;
	world.parks++;
	world.parked = true;
	world.resume = resume;
	r->park_until_us = 1;
	return true;
}

bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	return r->park_until_us == 0 && request_park_again(r, resume);
}

void
request_fail(struct request *r, enum conn_reason reason, const char *detail)
{
	(void)r;
	(void)reason;
	fail_msg("%s", detail);
}

void
request_finish(struct request *r)
{
	(void)r;
}

void
request_answer(struct request *r, const void *response)
{
	(void)r;
	(void)response;
}

void
request_answer_error(struct request *r, int16_t error)
{
	(void)r;
	(void)error;
}

void
worker_wish(struct worker *w)
{
	(void)w;
	world.wishes++;
}

bool
pool_failing(const struct pool *p, int32_t broker)
{
	(void)p;
	return world.failing[broker];
}

bool
pool_backing_off(const struct pool *p, int32_t broker)
{
	(void)p;
	return world.backing_off[broker];
}

int32_t
session_virtual_count(struct session *s)
{
	(void)s;
	return 1;
}

const struct topic *
cluster_topic(const struct cluster *c, struct slice name)
{
	(void)c;
	return slice_eq(name, topic.name) ? &topic : NULL;
}

const struct topic *
cluster_topic_by_id(const struct cluster *c, const struct uuid *id)
{
	(void)c;
	(void)id;
	return NULL;
}

/* ---- a Produce ---- */

static void
produced(struct request *r, void *response)
{
	(void)r;
	assert_null(world.answer);
	world.answer = response;
}

static void
written(struct request *r, bool all)
{
	(void)r;
	world.written = all ? 1 : 2;
}

static void
told_parked(struct request *r)
{
	(void)r;
	world.parked_told++;
}

static void
away(int32_t broker, bool is)
{
	world.failing[broker] = world.backing_off[broker] = is;
}

static int
setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.parks_left = 100;
	for (int i = 0; i < PARTS; i++)
		partitions[i] = (struct partition){ .index = i, .leader = i };
	request = (struct request){ .session = &session, .worker = &worker,
		.api = api_find(API_PRODUCE),
		.schema = api_schema_find(API_PRODUCE), .version = VERSION };
	arena_init(&request.arena, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_fini(&request.arena);
	return 0;
}

/* In produce's place. */
static const struct forward_how *how_else;

/* Of the first `n` partitions. */
static void
produce(int n, bool hold, bool no_reply)
{
	const struct forward_how how = { .no_reply = no_reply, .hold = hold,
		.finish = produced, .written = written,
		.parked = told_parked };
	struct produce_request *q = ARENA_NEW(&request.arena,
	    struct produce_request);
	struct produce_request_topic_data *t = ARENA_NEW(&request.arena,
	    struct produce_request_topic_data);

	q->acks = no_reply ? 0 : -1;
	q->topic_data.v = t;
	q->topic_data.n = 1;
	t->name = topic.name;
	t->partition_data.n = n;
	t->partition_data.v = ARENA_ARRAY(&request.arena,
	    struct produce_request_topic_data_partition_data, n);
	for (int i = 0; i < n; i++)
		t->partition_data.v[i].index = i;
	request.body = q;
	forward_with(&request, how_else != NULL ? how_else : &how);
}

static void
newer_snapshot(void)
{
	assert_true(world.parked);
	world.parked = false;
	world.resume(&request);
}

/* The legs end so, all of them. */
static void
end_legs(enum call_outcome outcome, int16_t error)
{
	for (int32_t i = 0; i < request.leg_count; i++) {
		request.legs[i].outcome = outcome;
		request.legs[i].error = error;
	}
	world.done(&request);
}

static int16_t
answered(int i)
{
	assert_non_null(world.answer);
	return world.answer->responses.v[0].partition_responses.v[i]
	    .error_code;
}

/* ---- tests ---- */

static void
test_at_once(void **state)
{
	(void)state;
	produce(PARTS, true, false);
	assert_int_equal(world.sends, 1);
	assert_int_equal(request.leg_count, PARTS);
	assert_int_equal(world.parks, 0);
}

static int judged[PARTS];

/* Of the second partition nothing is to be done. */
static int16_t
judge_and_count(struct request *r, const struct shape_item *item)
{
	(void)r;
	judged[item->key]++;
	return item->key == 1 ? KAFKA_INVALID_REQUEST : FORWARD_ITEM;
}

/* What a judge has charged for is not judged again, whatever it said. */
static void
test_judged_once(void **state)
{
	const struct forward_how once = { .judge = judge_and_count,
		.once = true, .finish = produced };

	(void)state;
	memset(judged, 0, sizeof(judged));
	away(0, true);
	how_else = &once;
	produce(PARTS, false, false);
	how_else = NULL;
	assert_int_equal(world.sends, 0);
	away(0, false);
	newer_snapshot();
	assert_int_equal(world.sends, 1);
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(judged[i], 1);
	assert_int_equal(request.leg_count, PARTS - 1);
	end_legs(CALL_LOST, KAFKA_REQUEST_TIMED_OUT);
	assert_int_equal(answered(1), KAFKA_INVALID_REQUEST);
}

/* The way to a leader is missing: perhaps there is another one since. */
static void
test_new_leader(void **state)
{
	(void)state;
	away(0, true);
	produce(1, false, false);
	assert_int_equal(world.sends, 0);
	assert_int_equal(world.parked_told, 1);
	partitions[0].leader = 2;
	newer_snapshot();
	assert_int_equal(world.sends, 1);
	assert_int_equal(request.leg_count, 1);
	assert_int_equal(request.legs[0].broker, 2);
}

/* What can be sent waits for one snapshot only, in either case. */
static void
test_mixed(void **state)
{
	(void)state;
	for (int hold = 0; hold < 2; hold++) {
		setup(NULL);
		away(0, true);
		produce(PARTS, hold, false);
		assert_int_equal(world.sends, 0);
		newer_snapshot();
		assert_int_equal(world.sends, 1);
		assert_int_equal(request.leg_count, PARTS);
		if (hold == 0)
			teardown(NULL);
	}
}

/* Nothing can be sent: it waits as long as it may, and its guards are set
 * once. */
static void
test_hold(void **state)
{
	(void)state;
	away(0, true);
	produce(1, true, false);
	for (int i = 0; i < 10; i++) {
		newer_snapshot();
		assert_int_equal(world.sends, 0);
		partitions[0].leader = i % 2 ? 0 : -1;
	}
	assert_int_equal(world.parked_told, 1);
	partitions[0].leader = 1;
	newer_snapshot();
	assert_int_equal(world.sends, 1);
	assert_int_equal(request.legs[0].broker, 1);
}

static void
test_hold_ends(void **state)
{
	(void)state;
	partitions[0].leader = -1;
	world.parks_left = 3;
	produce(1, true, false);
	for (int i = 0; i < 3; i++) {
		assert_null(world.answer);
		newer_snapshot();
	}
	assert_int_equal(world.sends, 1);
	assert_int_equal(answered(0), KAFKA_LEADER_NOT_AVAILABLE);
}

/* Without hold one newer snapshot has to do. */
static void
test_no_hold(void **state)
{
	(void)state;
	partitions[0].leader = -1;
	produce(1, false, false);
	newer_snapshot();
	assert_int_equal(world.parks, 1);
	assert_int_equal(answered(0), KAFKA_LEADER_NOT_AVAILABLE);
}

/* An unknown topic is not waited for again and again. */
static void
test_unknown(void **state)
{
	(void)state;
	topic.partition_count = 0;
	produce(1, true, false);
	newer_snapshot();
	topic.partition_count = PARTS;
	assert_int_equal(world.parks, 1);
	assert_int_equal(answered(0), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
}

/* The connection was refused: nothing has begun, so it may go elsewhere. */
static void
test_refused(void **state)
{
	(void)state;
	produce(2, true, false);
	assert_int_equal(world.sends, 1);
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_null(world.answer);
	partitions[0].leader = partitions[1].leader = 2;
	newer_snapshot();
	assert_int_equal(world.sends, 2);
	assert_int_equal(request.leg_count, 1);
	assert_int_equal(request.legs[0].broker, 2);
	assert_int_equal(world.parked_told, 1);
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	newer_snapshot();
	world.parks_left = 0;
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(world.sends, 3);
	assert_int_equal(answered(0), KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(answered(1), KAFKA_NOT_LEADER_OR_FOLLOWER);
}

/* The dial took long: the same broker is not dialled once more for it. */
static void
test_hung(void **state)
{
	(void)state;
	produce(1, false, false);
	world.failing[0] = true;
	world.now += 10 * 1000000;
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	newer_snapshot();
	assert_int_equal(request.leg_count, 0);
	assert_int_equal(answered(0), KAFKA_NOT_LEADER_OR_FOLLOWER);
}

/* What was sent, if only in part, is never sent again. */
static void
test_lost(void **state)
{
	(void)state;
	produce(2, true, false);
	request.legs[0].outcome = CALL_LOST;
	request.legs[0].error = KAFKA_REQUEST_TIMED_OUT;
	request.legs[1].outcome = CALL_NOT_SENT;
	request.legs[1].error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	world.done(&request);
	assert_int_equal(world.parks, 0);
	assert_int_equal(world.sends, 1);
	assert_int_equal(answered(0), KAFKA_REQUEST_TIMED_OUT);
	assert_int_equal(answered(1), KAFKA_NOT_LEADER_OR_FOLLOWER);
}

/* What could not be encoded cannot be elsewhere either. */
static void
test_invalid(void **state)
{
	(void)state;
	produce(1, true, false);
	end_legs(CALL_NOT_SENT, KAFKA_INVALID_REQUEST);
	assert_int_equal(world.parks, 0);
	assert_int_equal(answered(0), KAFKA_INVALID_REQUEST);
}

static void
test_no_reply(void **state)
{
	(void)state;
	produce(1, true, true);
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(world.written, 0);
	newer_snapshot();
	end_legs(CALL_SENT, 0);
	assert_int_equal(world.written, 1);
	assert_int_equal(world.parks, 1);
}

/* The client has gone: nothing is sent for it any more. */
static void
test_client_gone(void **state)
{
	(void)state;
	produce(1, true, false);
	request.session = NULL;
	end_legs(CALL_NOT_SENT, KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(world.parks, 0);
	assert_null(world.answer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_at_once),
		TEST(test_judged_once),
		TEST(test_new_leader),
		TEST(test_mixed),
		TEST(test_hold),
		TEST(test_hold_ends),
		TEST(test_no_hold),
		TEST(test_unknown),
		TEST(test_refused),
		TEST(test_hung),
		TEST(test_lost),
		TEST(test_invalid),
		TEST(test_no_reply),
		TEST(test_client_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
