/* SPDX-License-Identifier: Apache-2.0 */
/* Share sessions on a clock and brokers of our own: a client that reads several
 * brokers through one connection must get each record until it has acknowledged
 * it, never more than it asked for, whatever brokers do. */
#include "gateway/api_share.c"
#include "gateway/share_answer.c"
#include "gateway/share_plan.c"
#include "gateway/share_session.c"
#include "tests/unit/read_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "gateway/wire/errors.h"

enum { PARTS = 6, LEGS_MAX = 16, VERSION = 2 };

/* ---- the world ---- */

struct sim_session {
	bool		 open;
	int32_t		 epoch;
	bool		 has[PARTS], locked[PARTS];
};

static struct {
	bool		 down[BROKERS];
	int		 legs_sent, answers;
	bool		 parks;
	struct leg	*legs[LEGS_MAX];
	int64_t		 asked_at[LEGS_MAX];
	int		 leg_count;
	struct upstream_lease	*leases[BROKERS];
	bool		 answered;
	struct share_fetch_response *reply;
	struct request	*parked;
	struct sim_session sessions[BROKERS];
	/* The broker keeps where the group was until a connection that had a
	 * session ends: closing the session is not enough. */
	bool		 remembers[BROKERS];
	int32_t		 refusals[BROKERS];	/* top-level errors to give */
	int16_t		 refusal;
	/* Of each partition: the next record to give, what is acknowledged, and
	 * how many there are. */
	int64_t		 next[PARTS], acked[PARTS], end[PARTS];
} world;

static struct partition partitions[PARTS];
static int32_t virtual_seen;

bool
error_wants_refresh(int16_t error)
{
	return error == KAFKA_NOT_LEADER_OR_FOLLOWER ||
	    error == KAFKA_UNKNOWN_TOPIC_ID;
}

bool
request_park(struct request *r, void (*resume)(struct request *r))
{
	if (!world.parks)
		return false;
	r->resume = resume;
	world.parked = r;
	return true;
}

int32_t
session_virtual_count(struct session *s)
{
	(void)s;
	return virtual_seen;
}

/* ---- leases and legs ---- */

/* The broker notices that the connection has gone. */
static void
sim_release(int32_t broker)
{
	struct sim_session *s = &world.sessions[broker];

	for (int i = 0; i < PARTS; i++)
		if (s->locked[i])
			world.next[i] = world.acked[i];
	memset(s, 0, sizeof(*s));
}

static void
leg_end(int i, void *reply, enum call_outcome outcome)
{
	struct leg *l = world.legs[i];
	struct upstream_lease *lease = l->lease;

	world.leg_count--;
	memmove(&world.legs[i], &world.legs[i + 1],
	    (size_t)(world.leg_count - i) * sizeof(world.legs[0]));
	memmove(&world.asked_at[i], &world.asked_at[i + 1],
	    (size_t)(world.leg_count - i) * sizeof(world.asked_at[0]));
	l->lease = NULL;
	l->reply = reply;
	l->outcome = outcome;
	l->error = reply ? 0 : KAFKA_NOT_LEADER_OR_FOLLOWER;
	if (--lease->calls == 0 && !lease->pinned) {
		world.leases[lease->broker] = NULL;
		free(lease);
	}
	l->done(l);
}

/* Its calls end, then its owner hears of it. */
static void
lose(int32_t broker)
{
	struct upstream_lease *l;

	sim_release(broker);
	world.remembers[broker] = false;
	for (int i = 0; i < world.leg_count; i++)
		if (world.legs[i]->lease->broker == broker) {
			leg_end(i, NULL, CALL_LOST);
			i = -1;
		}
	l = world.leases[broker];
	if (l == NULL)
		return;
	world.leases[broker] = NULL;
	if (l->lost != NULL)
		l->lost(l, l->arg);
	else
		free(l);
}

void
lease_close(struct worker *w, struct upstream_lease *l)
{
	(void)w;
	l->pinned = false;
	l->lost = NULL;
	if (world.leases[l->broker] == l)
		lose(l->broker);
	else
		free(l);
}

static void
check_encodes(const struct message *m, const void *body)
{
	struct error err;
	struct chain out;
	struct writer w;

	chain_init(&out);
	writer_init(&w, &out);
	assert_true(codec_encode(&w, m, VERSION, body, &err));
	writer_finish(&w);
	chain_fini(&out);
}

void
leg_send(struct leg *l, const struct api_schema *api, int version,
    struct slice client_id)
{
	(void)version;
	(void)client_id;
	check_encodes(api->request, l->body);
	world.legs_sent++;
	l->reply = NULL;
	if (world.down[l->broker]) {
		l->outcome = CALL_NOT_SENT;
		l->error = KAFKA_NOT_LEADER_OR_FOLLOWER;
		l->done(l);
		return;
	}
	assert_true(world.leg_count < LEGS_MAX);
	if (world.leases[l->broker] == NULL) {
		l->lease = calloc(1, sizeof(*l->lease));
		l->lease->broker = l->broker;
		world.leases[l->broker] = l->lease;
	}
	l->lease = world.leases[l->broker];
	l->lease->calls++;
	world.asked_at[world.leg_count] = played.now;
	world.legs[world.leg_count++] = l;
}

void
request_answer(struct request *r, const void *response)
{
	check_encodes(r->schema->response, response);
	world.answered = true;
	world.answers++;
	world.reply = is_fetch(r) ? (void *)(uintptr_t)response :
	    share_from_acknowledged(response, &memory);
	/* What it refers to lives until the test's end. */
	list_remove(&r->link);
}

void
request_finish(struct request *r)
{
	(void)r;
	world.answers += 100;
}

/* ---- brokers ---- */

static int16_t
sim_epoch(struct sim_session *s, int32_t epoch, bool fetch)
{
	if (epoch == 0 && fetch) {
		bool locked[PARTS];

		memcpy(locked, s->locked, sizeof(locked));
		memset(s, 0, sizeof(*s));
		memcpy(s->locked, locked, sizeof(locked));
		s->open = true;
		s->epoch = 1;
		return 0;
	}
	if (!s->open)
		return KAFKA_SHARE_SESSION_NOT_FOUND;
	if (epoch == -1)
		return 0;
	if (epoch != s->epoch)
		return KAFKA_INVALID_SHARE_SESSION_EPOCH;
	s->epoch++;
	return 0;
}

typedef struct share_fetch_response_responses_partitions reply_element;
typedef struct share_fetch_request_topics_partitions_acknowledgement_batches
    ack_batch;

static reply_element *
reply_to(struct share_fetch_response *p, int32_t index, struct arena *a)
{
	struct share_fetch_response_responses *t;

	if (p->responses.n == 0) {
		p->responses.v = ARENA_NEW(a,
		    struct share_fetch_response_responses);
		p->responses.n = 1;
		p->responses.v[0].topic_id = topic.id;
		p->responses.v[0].partitions.v = ARENA_ARRAY(a, reply_element,
		    PARTS);
	}
	t = &p->responses.v[0];
	for (int32_t i = 0; i < t->partitions.n; i++)
		if (t->partitions.v[i].partition_index == index)
			return &t->partitions.v[i];
	t->partitions.v[t->partitions.n].partition_index = index;
	t->partitions.v[t->partitions.n].records.data = (const uint8_t *)"";
	return &t->partitions.v[t->partitions.n++];
}

static void
sim_acknowledge(int32_t broker, int32_t index, const ack_batch *v, int32_t n,
    reply_element *to)
{
	struct sim_session *s = &world.sessions[broker];

	if (partitions[index].leader != broker) {
		to->acknowledge_error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
		return;
	}
	for (int32_t i = 0; i < n; i++) {
		if (!s->locked[index] ||
		    v[i].last_offset >= world.next[index]) {
			to->acknowledge_error_code =
			    KAFKA_INVALID_RECORD_STATE;
			return;
		}
		if (v[i].last_offset >= world.acked[index])
			world.acked[index] = v[i].last_offset + 1;
	}
}

static void
sim_take(int32_t broker, const struct share_fetch_request *q, bool fetch,
    struct share_fetch_response *p, struct arena *a)
{
	struct sim_session *s = &world.sessions[broker];

	for (int32_t i = 0; i < q->topics.n; i++)
		for (int32_t j = 0; j < q->topics.v[i].partitions.n; j++) {
			const struct share_fetch_request_topics_partitions *e =
			    &q->topics.v[i].partitions.v[j];

			s->has[e->partition_index] |= fetch;
			if (e->acknowledgement_batches.n > 0)
				sim_acknowledge(broker, e->partition_index,
				    e->acknowledgement_batches.v,
				    e->acknowledgement_batches.n,
				    reply_to(p, e->partition_index, a));
		}
	for (int32_t i = 0; i < q->forgotten_topics_data.n; i++)
		for (int32_t j = 0; j <
		    q->forgotten_topics_data.v[i].partitions.n; j++)
			s->has[q->forgotten_topics_data.v[i].partitions.v[j]] =
			    false;
}

static bool
sim_fetch(int32_t broker, const struct share_fetch_request *q,
    struct share_fetch_response *p, struct arena *a)
{
	struct sim_session *s = &world.sessions[broker];
	int64_t left = q->max_records;
	bool news = false;

	for (int i = 0; i < PARTS; i++) {
		int64_t n = world.end[i] - world.next[i];
		reply_element *e;

		if (!s->has[i])
			continue;
		if (partitions[i].leader != broker) {
			e = reply_to(p, i, a);
			e->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
			e->current_leader.leader_id = partitions[i].leader;
			e->current_leader.leader_epoch = 5;
			news = true;
			continue;
		}
		n = n < left ? n : left;
		if (n <= 0)
			continue;
		e = reply_to(p, i, a);
		e->acquired_records.v = ARENA_NEW(a, struct
		    share_fetch_response_responses_partitions_acquired_records);
		e->acquired_records.n = 1;
		e->acquired_records.v[0].first_offset = world.next[i];
		e->acquired_records.v[0].last_offset = world.next[i] + n - 1;
		world.next[i] += n;
		left -= n;
		s->locked[i] = news = true;
	}
	return news;
}

/* Without the leg's request being a ShareFetch: as one. */
static const struct share_fetch_request *
sim_body(const struct leg *l, bool fetch)
{
	return fetch ? l->body : share_from_acknowledge(l->body, l->arena);
}

static struct share_fetch_response *
sim_answer(struct leg *l, bool fetch, bool wait_over)
{
	struct share_fetch_response *p = ARENA_NEW(l->arena,
	    struct share_fetch_response);
	const struct share_fetch_request *q = sim_body(l, fetch);
	struct sim_session *s = &world.sessions[l->broker], before = *s;
	bool news;

	p->acquisition_lock_timeout_ms = 30000 - l->broker;
	if (world.refusals[l->broker] > 0) {
		world.refusals[l->broker]--;
		sim_release(l->broker);
		p->error_code = world.refusal;
		return p;
	}
	p->error_code = sim_epoch(s, q->share_session_epoch, fetch);
	assert_int_equal(p->error_code, 0);
	world.remembers[l->broker] = true;
	sim_take(l->broker, q, fetch, p, l->arena);
	news = p->responses.n > 0;
	if (q->share_session_epoch == -1) {
		sim_release(l->broker);
		return p;
	}
	if (fetch && q->max_records > 0) {
		int has = 0;

		for (int i = 0; i < PARTS; i++)
			has += s->has[i];
		news |= sim_fetch(l->broker, q, p, l->arena) || has == 0;
	} else {
		news = true;
	}
	if (news || wait_over)
		return p;
	*s = before;
	return NULL;
}

static bool
sim_try(int i)
{
	struct leg *l = world.legs[i];
	bool fetch = l->request->schema->key == API_SHARE_FETCH;
	const struct share_fetch_request *q = sim_body(l, fetch);
	struct share_fetch_response *p;

	p = sim_answer(l, fetch, played.now >= world.asked_at[i] +
	    q->max_wait_ms * (int64_t)MS);
	if (p == NULL)
		return false;
	if (fetch) {
		leg_end(i, p, CALL_ANSWERED);
	} else {
		leg_end(i, share_to_acknowledged(p, l->arena), CALL_ANSWERED);
	}
	return true;
}

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
	sim_settle();
}

/* ---- the client ---- */

static struct request requests[4096];
static int request_count;

static int
setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	memset(&played, 0, sizeof(played));
	played.now = 1000000;
	virtual_seen = 1;
	request_count = 0;
	memset(&worker, 0, sizeof(worker));
	memset(&session, 0, sizeof(session));
	memset(&snapshot, 0, sizeof(snapshot));
	worker.cluster = &snapshot;
	session.worker = &worker;
	topic = (struct topic){ .id.b[3] = 7, .partitions = partitions,
	    .partition_count = PARTS };
	for (int i = 0; i < PARTS; i++)
		partitions[i] = (struct partition){ .index = i,
		    .leader = i % BROKERS, .leader_epoch = 4 };
	arena_init(&memory, 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	share_state_free(&session);
	while (world.leg_count > 0)
		leg_end(0, NULL, CALL_LOST);
	for (int i = 0; i < BROKERS; i++)
		assert_null(world.leases[i]);
	for (int i = 0; i < request_count; i++)
		arena_fini(&requests[i].arena);
	arena_fini(&memory);
	return 0;
}

static struct share_fetch_request *
new_ask(int32_t epoch)
{
	struct share_fetch_request *q = ARENA_NEW(&memory,
	    struct share_fetch_request);

	q->group_id = SLICE_LIT("g");
	q->member_id = SLICE_LIT("m");
	q->share_session_epoch = epoch;
	q->max_wait_ms = 500;
	q->min_bytes = 1;
	q->max_bytes = 50 << 20;
	q->max_records = q->batch_size = 500;
	return q;
}

static void
add_part(struct share_fetch_request *q, int32_t index, int64_t first,
    int64_t last)
{
	struct share_fetch_request_topics_partitions *p;

	if (q->topics.n == 0) {
		q->topics.v = ARENA_NEW(&memory,
		    struct share_fetch_request_topics);
		q->topics.n = 1;
		q->topics.v[0].topic_id = topic.id;
		q->topics.v[0].partitions.v = ARENA_ARRAY(&memory,
		    struct share_fetch_request_topics_partitions, PARTS + 2);
	}
	p = &q->topics.v[0].partitions.v[q->topics.v[0].partitions.n++];
	p->partition_index = index;
	if (first < 0)
		return;
	p->acknowledgement_batches.v = ARENA_NEW(&memory, ack_batch);
	p->acknowledgement_batches.n = 1;
	p->acknowledgement_batches.v[0].first_offset = first;
	p->acknowledgement_batches.v[0].last_offset = last;
}

static void
add_forget(struct share_fetch_request *q, int32_t index)
{
	struct share_fetch_request_forgotten_topics_data *t;

	if (q->forgotten_topics_data.n == 0) {
		q->forgotten_topics_data.v = ARENA_NEW(&memory,
		    struct share_fetch_request_forgotten_topics_data);
		q->forgotten_topics_data.n = 1;
		q->forgotten_topics_data.v[0].topic_id = topic.id;
		q->forgotten_topics_data.v[0].partitions.v = ARENA_ARRAY(
		    &memory, int32_t, PARTS);
	}
	t = &q->forgotten_topics_data.v[0];
	t->partitions.v[t->partitions.n++] = index;
}

static void
send_ask(struct share_fetch_request *q, bool fetch)
{
	struct request *r = &requests[request_count++];

	assert_true(request_count < 4096);
	memset(r, 0, sizeof(*r));
	list_init(&r->link);
	arena_init(&r->arena, 0);
	r->session = &session;
	r->worker = &worker;
	r->schema = api_schema_find(fetch ? API_SHARE_FETCH :
	    API_SHARE_ACKNOWLEDGE);
	r->version = VERSION;
	r->body = q;
	if (!fetch)
		r->body = share_to_acknowledge(q, &memory);
	world.answered = false;
	api_share(r);
}

static struct share_fetch_response *
wait_reply(void)
{
	for (int i = 0; i < 200 && !world.answered; i++)
		sim_pass(10 * MS);
	assert_true(world.answered);
	return world.reply;
}

static struct share_fetch_response *
ask(struct share_fetch_request *q, bool fetch)
{
	send_ask(q, fetch);
	sim_settle();
	return wait_reply();
}

static const reply_element *
part_in(const struct share_fetch_response *p, int32_t index)
{
	const reply_element *found = NULL;

	for (int32_t i = 0; i < p->responses.n; i++)
		for (int32_t j = 0; j < p->responses.v[i].partitions.n; j++)
			if (p->responses.v[i].partitions.v[j]
			    .partition_index == index) {
				assert_null(found);	/* only once */
				found = &p->responses.v[i].partitions.v[j];
			}
	return found;
}

static int64_t
records_in(const struct share_fetch_response *p)
{
	int64_t n = 0;

	for (int i = 0; i < PARTS; i++) {
		const reply_element *e = part_in(p, i);

		for (int32_t j = 0; e && j < e->acquired_records.n; j++)
			n += e->acquired_records.v[j].last_offset -
			    e->acquired_records.v[j].first_offset + 1;
	}
	return n;
}

static struct share_fetch_response *
open_all(void)
{
	struct share_fetch_request *q = new_ask(0);

	for (int i = 0; i < PARTS; i++)
		add_part(q, i, -1, -1);
	return ask(q, true);
}

/* ---- single things ---- */

static void
test_epochs(void **state)
{
	struct share_fetch_request *q;

	(void)state;
	assert_int_equal(ask(new_ask(1), true)->error_code,
	    KAFKA_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(ask(new_ask(-1), true)->error_code,
	    KAFKA_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(ask(new_ask(0), false)->error_code,
	    KAFKA_INVALID_SHARE_SESSION_EPOCH);
	q = new_ask(0);
	add_part(q, 0, 1, 2);
	assert_int_equal(ask(q, true)->error_code, KAFKA_INVALID_REQUEST);
	q = new_ask(0);
	q->member_id = SLICE_LIT("");
	assert_int_equal(ask(q, true)->error_code, KAFKA_INVALID_REQUEST);
	q = new_ask(0);
	q->is_renew_ack = true;
	assert_int_equal(ask(q, true)->error_code, KAFKA_INVALID_REQUEST);
	assert_int_equal(open_all()->error_code, 0);
	assert_int_equal(ask(new_ask(1), true)->error_code, 0);
	assert_int_equal(ask(new_ask(1), true)->error_code,
	    KAFKA_INVALID_SHARE_SESSION_EPOCH);
	assert_true(world.reply->error_message.len > 0);
	assert_int_equal(ask(new_ask(2), false)->error_code, 0);
	assert_int_equal(ask(new_ask(3), true)->error_code, 0);
	assert_int_equal(ask(new_ask(-1), true)->error_code, 0);
	assert_int_equal(ask(new_ask(4), true)->error_code,
	    KAFKA_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(share_next_epoch(INT32_MAX), 1);
}

static void
test_reads_and_acknowledges(void **state)
{
	struct share_fetch_request *q;
	const struct share_fetch_response *p;

	(void)state;
	world.end[0] = 5;
	world.end[1] = 7;
	p = open_all();
	assert_int_equal(records_in(p), 12);
	assert_int_equal(p->acquisition_lock_timeout_ms, 30000 - 2);
	assert_int_equal(world.legs_sent, 3);
	q = new_ask(1);
	add_part(q, 0, 0, 4);
	p = ask(q, false);
	assert_int_equal(world.legs_sent, 4);	/* whom it concerns */
	assert_int_equal(part_in(p, 0)->acknowledge_error_code, 0);
	assert_int_equal(world.acked[0], 5);
	q = new_ask(2);
	add_part(q, 1, 0, 6);
	p = ask(q, true);
	assert_int_equal(part_in(p, 1)->acknowledge_error_code, 0);
	assert_int_equal(world.acked[1], 7);
	assert_int_equal(records_in(p), 0);
}

/* A request that changes nothing is the same at each broker. */
static void
test_incremental(void **state)
{
	struct share_fetch_request *q;

	(void)state;
	open_all();
	send_ask(new_ask(1), true);
	assert_int_equal(world.leg_count, 3);
	for (int i = 0; i < 3; i++) {
		const struct share_fetch_request *b = world.legs[i]->body;

		assert_int_equal(b->share_session_epoch, 1);
		assert_int_equal(b->topics.n, 0);
		assert_int_equal(b->forgotten_topics_data.n, 0);
		assert_int_equal(b->max_wait_ms, SHARE_WAIT_SHARED_MS);
	}
	wait_reply();
	q = new_ask(2);
	add_forget(q, 0);
	add_forget(q, 3);
	ask(q, true);
	assert_false(world.sessions[0].has[0] || world.sessions[0].has[3]);
	world.legs_sent = 0;
	ask(new_ask(3), true);
	assert_int_equal(world.legs_sent, 2);
}

static void
test_portions(void **state)
{
	struct share_fetch_request *q = new_ask(0);
	int64_t sum = 0;

	(void)state;
	for (int i = 0; i < PARTS; i++) {
		add_part(q, i, -1, -1);
		world.end[i] = 100;
	}
	q->max_records = 2;
	assert_int_equal(records_in(ask(q, true)), 2);
	/* Each broker has its turn. */
	for (int i = 1; i < 4; i++) {
		q = new_ask(i);
		q->max_records = 1;
		assert_int_equal(records_in(ask(q, true)), 1);
	}
	for (int i = 0; i < PARTS; i++) {
		sum += world.next[i];
		assert_true(i >= BROKERS || world.next[i] > 0);
	}
	assert_int_equal(sum, 5);
	q = new_ask(4);
	q->max_records = 8;
	assert_int_equal(records_in(ask(q, true)), 8);
}

static void
test_leader_moves(void **state)
{
	struct share_fetch_request *q;
	const struct share_fetch_response *p;

	(void)state;
	world.end[0] = 5;
	open_all();
	partitions[0].leader = 1;
	world.next[0] = 0;
	q = new_ask(1);
	add_part(q, 0, 0, 4);
	p = ask(q, true);
	/* The old leader's word on acknowledgements, the new one's records. */
	assert_int_equal(part_in(p, 0)->acknowledge_error_code,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part_in(p, 0)->error_code, 0);
	assert_int_equal(records_in(p), 5);
	assert_false(world.sessions[0].has[0]);
	assert_true(world.sessions[1].has[0]);
	q = new_ask(2);
	add_part(q, 0, 0, 4);
	p = ask(q, true);
	assert_int_equal(part_in(p, 0)->acknowledge_error_code, 0);
}

static void
test_broker_lost(void **state)
{
	struct share_fetch_request *q;
	const struct share_fetch_response *p;

	(void)state;
	world.end[0] = 5;
	open_all();
	q = new_ask(1);
	add_part(q, 0, 0, 4);
	send_ask(q, true);
	lose(0);
	p = wait_reply();
	assert_int_equal(p->error_code, 0);
	assert_int_equal(part_in(p, 0)->acknowledge_error_code,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part_in(p, 3)->error_code,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part_in(p, 0)->current_leader.leader_id, -1);
	assert_true(played.wishes > 0);
	assert_int_equal(records_in(ask(new_ask(2), true)), 5);
	/* Idle, and then acknowledged: it holds these records no more. */
	lose(0);
	q = new_ask(3);
	add_part(q, 0, 0, 4);
	p = ask(q, false);
	assert_int_equal(part_in(p, 0)->acknowledge_error_code,
	    KAFKA_INVALID_RECORD_STATE);
	assert_int_equal(records_in(ask(new_ask(4), true)), 5);
}

static void
test_broker_down(void **state)
{
	const struct share_fetch_response *p;
	int64_t before;

	(void)state;
	for (int i = 0; i < BROKERS; i++)
		world.down[i] = true;
	before = played.now;
	p = open_all();
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(part_in(p, i)->error_code,
		    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_true(played.now - before >= TROUBLE_MS * MS);
	world.down[0] = world.down[1] = world.down[2] = false;
	world.end[2] = 3;
	assert_int_equal(records_in(ask(new_ask(1), true)), 3);
}

static void
test_session_forgotten(void **state)
{
	struct share_fetch_request *q;

	(void)state;
	open_all();
	world.end[1] = 4;
	world.refusals[1] = 1;
	world.refusal = KAFKA_SHARE_SESSION_NOT_FOUND;
	/* Nothing was lost by it: begun anew within the request. */
	assert_int_equal(records_in(ask(new_ask(1), true)), 4);
	assert_true(world.sessions[1].has[1] && world.sessions[1].has[4]);
	world.refusals[1] = 2;
	assert_int_equal(ask(new_ask(2), true)->error_code, world.refusal);
	assert_int_equal(ask(new_ask(3), true)->error_code,
	    KAFKA_SHARE_SESSION_NOT_FOUND);
	for (int i = 0; i < BROKERS; i++)
		assert_null(world.leases[i]);
	assert_int_equal(records_in(open_all()), 4);
	/* With acknowledgements the client has to know. */
	world.refusals[1] = 1;
	q = new_ask(1);
	add_part(q, 1, 0, 3);
	assert_int_equal(ask(q, true)->error_code, world.refusal);
}

static void
test_reopened(void **state)
{
	struct share_fetch_request *q = new_ask(0);

	(void)state;
	world.end[0] = world.end[1] = 3;
	assert_int_equal(records_in(open_all()), 6);
	add_part(q, 1, -1, -1);
	assert_int_equal(records_in(ask(q, true)), 0);
	/* The other brokers' sessions are closed, and release their records. */
	assert_false(world.sessions[0].open || world.sessions[2].open);
	assert_int_equal(world.next[0], 0);
	assert_null(world.leases[0]);
	assert_non_null(world.leases[1]);
	assert_false(world.remembers[0] || world.remembers[2]);
	assert_int_equal(ask(new_ask(1), true)->error_code, 0);
}

static void
test_closed(void **state)
{
	struct share_fetch_request *q;

	(void)state;
	world.end[0] = world.end[1] = 3;
	open_all();
	q = new_ask(-1);
	add_part(q, 0, 0, 2);
	assert_int_equal(part_in(ask(q, false), 0)->acknowledge_error_code, 0);
	for (int i = 0; i < BROKERS; i++) {
		assert_false(world.sessions[i].open);
		assert_null(world.leases[i]);
		assert_false(world.remembers[i]);
	}
	assert_int_equal(world.acked[0], 3);
	assert_int_equal(world.next[1], 0);
}

static void
test_unknown_and_unled(void **state)
{
	struct share_fetch_request *q = new_ask(0);
	const struct share_fetch_response *p;

	(void)state;
	world.parks = true;
	partitions[0].leader = -1;
	add_part(q, 0, -1, -1);
	add_part(q, PARTS, -1, -1);
	add_part(q, 1, -1, -1);
	send_ask(q, true);
	assert_non_null(world.parked);
	world.parked->resume(world.parked);
	world.parked = NULL;
	p = wait_reply();
	assert_int_equal(part_in(p, 0)->error_code,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part_in(p, PARTS)->error_code,
	    KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	partitions[0].leader = 0;
	world.end[0] = 2;
	assert_int_equal(records_in(ask(new_ask(1), true)), 2);
	assert_null(world.parked);
	q = new_ask(2);
	add_part(q, 2, -1, -1);
	q->topics.v[0].topic_id.b[0] = 9;
	send_ask(q, true);
	world.parked->resume(world.parked);
	p = wait_reply();
	assert_int_equal(part_in(p, 2)->error_code, KAFKA_UNKNOWN_TOPIC_ID);
}

/* With several virtual brokers this connection stands for one of them. */
static void
test_virtual_brokers(void **state)
{
	struct share_fetch_request *q = new_ask(0);
	const struct share_fetch_response *p;

	(void)state;
	virtual_seen = BROKERS;
	for (int i = 0; i < PARTS; i += BROKERS)
		add_part(q, i, -1, -1);
	ask(q, true);
	partitions[3].leader = 2;
	p = ask(new_ask(1), true);
	assert_int_equal(part_in(p, 3)->error_code,
	    KAFKA_NOT_LEADER_OR_FOLLOWER);
	assert_int_equal(part_in(p, 3)->current_leader.leader_id, 2);
	assert_int_equal(part_in(p, 3)->current_leader.leader_epoch, 4);
	assert_int_equal(p->node_endpoints.n, 1);
	assert_int_equal(p->node_endpoints.v[0].node_id, 2);
	assert_false(world.sessions[2].open);
	/* When all that is left is elsewhere, it stands for that one. */
	partitions[0].leader = 2;
	assert_null(part_in(ask(new_ask(2), true), 0));
	assert_true(world.sessions[2].has[0] && world.sessions[2].has[3]);
}

static void
test_renew(void **state)
{
	struct share_fetch_request *q;

	(void)state;
	world.end[0] = world.end[1] = 3;
	open_all();
	world.end[0] = 9;
	q = new_ask(1);
	q->is_renew_ack = true;
	q->max_bytes = q->min_bytes = q->max_records = q->max_wait_ms = 0;
	add_part(q, 0, 0, 2);
	world.legs_sent = 0;
	assert_int_equal(records_in(ask(q, true)), 0);
	assert_int_equal(world.legs_sent, 1);
	assert_int_equal(records_in(ask(new_ask(2), true)), 6);
}

static void
test_pipelined_and_limits(void **state)
{
	static char names[MEMBERS_MAX + 1][4];

	(void)state;
	send_ask(new_ask(0), true);
	open_all();
	send_ask(new_ask(1), true);
	send_ask(new_ask(2), true);
	world.answers = 0;
	for (int i = 0; i < 100; i++)
		sim_pass(10 * MS);
	assert_int_equal(world.answers, 2);
	assert_int_equal(world.reply->error_code, 0);
	for (int i = 0; i < MEMBERS_MAX; i++) {
		struct share_fetch_request *q = new_ask(0);

		names[i][0] = (char)('A' + i);
		q->group_id = slice_of(names[i]);
		assert_int_equal(ask(q, true)->error_code,
		    i < MEMBERS_MAX - 1 ? 0 :
		    KAFKA_SHARE_SESSION_LIMIT_REACHED);
	}
}

static void
test_too_many_partitions(void **state)
{
	struct share_fetch_request *q = new_ask(0);
	int32_t n = SHARE_PARTS_MAX + 1;

	(void)state;
	add_part(q, 0, -1, -1);
	q->topics.v[0].partitions.v = ARENA_ARRAY(&memory,
	    struct share_fetch_request_topics_partitions, n);
	q->topics.v[0].partitions.n = n;
	for (int32_t i = 0; i < n; i++)
		q->topics.v[0].partitions.v[i].partition_index = i;
	assert_int_equal(ask(q, true)->error_code,
	    KAFKA_SHARE_SESSION_LIMIT_REACHED);
	assert_int_equal(ask(new_ask(1), true)->error_code,
	    KAFKA_SHARE_SESSION_NOT_FOUND);
}

/* Brokers must notice at once. */
static void
test_client_gone(void **state)
{
	(void)state;
	world.end[0] = 3;
	open_all();
	assert_int_equal(world.next[0], 3);
	share_state_free(&session);
	assert_int_equal(world.next[0], 0);
	open_all();
	send_ask(new_ask(1), true);
	assert_int_equal(world.leg_count, 3);
	world.answers = 0;
	share_state_free(&session);
	assert_int_equal(world.leg_count, 0);
	assert_int_equal(world.answers, 0);
	/* The queue has gone before its legs are done. */
	open_all();
	send_ask(new_ask(1), true);
	requests[request_count - 1].session = NULL;
	share_state_free(&session);
	assert_int_equal(world.answers, 101);
}

/* ---- at random ---- */

struct client {
	int32_t		 epoch;
	int64_t		 first[PARTS], last[PARTS];	/* to acknowledge */
	bool		 wants[PARTS];
};

static void
client_take(struct client *c, const struct share_fetch_response *p,
    bool finals)
{
	for (int i = 0; i < PARTS; i++) {
		const reply_element *e = part_in(p, i);

		if (e == NULL || e->acquired_records.n == 0)
			continue;
		assert_false(finals);
		c->first[i] = e->acquired_records.v[0].first_offset;
		c->last[i] = e->acquired_records.v[0].last_offset;
	}
}

static void
client_turn(struct client *c)
{
	bool fetch = c->epoch == 0 || rand() % 4 != 0;
	struct share_fetch_request *q = new_ask(c->epoch);
	const struct share_fetch_response *p;

	q->max_records = rand() % 12 + 1;
	for (int i = 0; i < PARTS; i++) {
		bool change = rand() % 8 == 0;

		if (fetch && c->epoch == 0)
			c->wants[i] = true;
		else if (fetch && change && c->wants[i])
			add_forget(q, i);
		if (c->last[i] >= 0 && c->epoch > 0 && rand() % 3)
			add_part(q, i, c->first[i], c->last[i]);
		else if (fetch && (c->epoch == 0 || (change && !c->wants[i])))
			add_part(q, i, -1, -1);
		else
			continue;
		if (c->last[i] >= 0 && c->epoch > 0)
			c->last[i] = -1;
	}
	send_ask(q, fetch);
	if (rand() % 6 == 0)
		lose(rand() % BROKERS);
	sim_settle();
	p = wait_reply();
	if (p->error_code != 0) {
		assert_int_equal(p->error_code, world.refusal);
		c->epoch = 0;
		for (int i = 0; i < PARTS; i++)
			c->last[i] = -1;
		return;
	}
	assert_true(records_in(p) <= q->max_records);
	for (int32_t i = 0; i < q->forgotten_topics_data.n; i++)
		for (int32_t j = 0; j <
		    q->forgotten_topics_data.v[i].partitions.n; j++)
			c->wants[q->forgotten_topics_data.v[i].partitions
			    .v[j]] = false;
	for (int32_t i = 0; fetch && i < q->topics.n; i++)
		for (int32_t j = 0; j < q->topics.v[i].partitions.n; j++) {
			int32_t k = q->topics.v[i].partitions.v[j]
			    .partition_index;
			bool gone = false;

			for (int32_t l = 0; q->forgotten_topics_data.n > 0 &&
			    l < q->forgotten_topics_data.v[0].partitions.n; l++)
				gone |= q->forgotten_topics_data.v[0]
				    .partitions.v[l] == k;
			c->wants[k] = !gone;
		}
	c->epoch = share_next_epoch(c->epoch);
	client_take(c, p, !fetch);
}

static void
disturb(void)
{
	int i = rand() % PARTS;

	switch (rand() % 8) {
	case 0:
		partitions[i].leader = rand() % BROKERS;
		world.next[i] = world.acked[i];
		for (int b = 0; b < BROKERS; b++)
			world.sessions[b].locked[i] = false;
		break;
	case 1:
		world.refusals[rand() % BROKERS] = rand() % 3;
		break;
	case 2:
		world.down[rand() % BROKERS] = rand() % 2;
		break;
	default:
		world.end[i] += rand() % 20;
	}
}

static bool
all_read(void)
{
	for (int i = 0; i < PARTS; i++)
		if (world.acked[i] < world.end[i])
			return false;
	return true;
}

static void
random_client(void)
{
	struct client c = { .epoch = 0 };
	int turns = 0;

	world.refusal = KAFKA_SHARE_SESSION_NOT_FOUND;
	for (int i = 0; i < PARTS; i++)
		c.last[i] = -1;
	for (int i = 0; i < 60; i++) {
		disturb();
		client_turn(&c);
	}
	memset(world.down, 0, sizeof(world.down));
	memset(world.refusals, 0, sizeof(world.refusals));
	/* What was given and not acknowledged comes again when lost. */
	for (int b = 0; b < BROKERS; b++)
		lose(b);
	while (!all_read()) {
		assert_true(turns++ < 1500);
		for (int i = 0; i < PARTS; i++)
			if (world.next[i] > world.acked[i] && c.last[i] < 0)
				world.next[i] = world.acked[i];
		client_turn(&c);
	}
}

static void
test_random_clients(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		setup(NULL);
		srand(seed);
		random_client();
		teardown(NULL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_epochs),
		TEST(test_reads_and_acknowledges),
		TEST(test_incremental),
		TEST(test_portions),
		TEST(test_leader_moves),
		TEST(test_broker_lost),
		TEST(test_broker_down),
		TEST(test_session_forgotten),
		TEST(test_reopened),
		TEST(test_closed),
		TEST(test_unknown_and_unled),
		TEST(test_virtual_brokers),
		TEST(test_renew),
		TEST(test_pipelined_and_limits),
		TEST(test_too_many_partitions),
		TEST(test_client_gone),
		cmocka_unit_test(test_random_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
