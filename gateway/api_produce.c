/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Produce: split by leader; the record batches pass by reference. With acks=0
 * there is no reply, neither from the broker nor to the client. Order is kept
 * as produce_order.h says.
 */
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/forward.h"
#include "gateway/produce_order.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_census.h"
#include "gateway/throttle_parts.h"
#include "gateway/throttle_topics.h"
#include "gateway/wire/batch.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum { LEADERS_SINCE = 10 };

typedef struct produce_request_topic_data produce_topic;
typedef struct produce_request_topic_data_partition_data produce_partition;

typedef struct produce_response_responses produce_topic_reply;
typedef struct produce_response_responses_partition_responses
    produce_partition_reply;

/* A session's producing. */
struct produce_state {
	struct produce_order	*order;
	struct list		 held;	/* requests by `wait`, in order */
	bool			 releasing;
};

static void start(struct request *r);

static struct produce_state *
state_of(struct session *s)
{
	if (s->produce == NULL) {
		s->produce = mem_zalloc(sizeof(*s->produce));
		s->produce->order = produce_order_new();
		list_init(&s->produce->held);
	}
	return s->produce;
}

void
produce_state_free(struct session *s)
{
	if (s->produce == NULL)
		return;
	/* The requests are the session's to free. */
	while (!list_empty(&s->produce->held))
		list_remove(s->produce->held.next);
	produce_order_free(s->produce->order);
	free(s->produce);
	s->produce = NULL;
}

static struct produce_item
item_of(const produce_topic *t, const produce_partition *p)
{
	struct produce_item it = { t->name, t->topic_id, p->index, -1, -1,
		-1 };
	struct batch_walk w;
	struct batch b;

	if (p->records.data == NULL)
		return it;
	batch_walk_init(&w, p->records.data, p->records.len);
	if (batch_walk_next(&w, &b)) {
		it.producer_id = b.producer_id;
		it.producer_epoch = b.producer_epoch;
		it.sequence = b.base_sequence;
	}
	return it;
}

/* Calls cb for each partition; false as soon as one of them says so. */
static bool
each_item(struct request *r,
    bool (*cb)(struct request *r, const struct produce_item *it))
{
	const struct produce_request *q = r->body;

	for (int32_t i = 0; i < q->topic_data.n; i++)
		for (int32_t j = 0; j < q->topic_data.v[i].partition_data.n;
		    j++) {
			struct produce_item it = item_of(&q->topic_data.v[i],
			    &q->topic_data.v[i].partition_data.v[j]);

			if (!cb(r, &it))
				return false;
		}
	return true;
}

static bool
is_free(struct request *r, const struct produce_item *it)
{
	return !produce_order_guarded(r->session->produce->order, it);
}

static bool
guard_first(struct request *r, const struct produce_item *it)
{
	if (it->producer_id >= 0 && it->sequence == 0)
		produce_order_guard(state_of(r->session)->order, r, it);
	return true;
}

static bool
guard_other(struct request *r, const struct produce_item *it)
{
	if (!(it->producer_id >= 0 && it->sequence == 0))
		produce_order_guard(state_of(r->session)->order, r, it);
	return true;
}

/* ---- what came of it ---- */

/* The new leaders' addresses (KIP-951), which are all ours. Ids are virtual
 * already, so there are at most as many as virtual brokers. */
static void
show_endpoint(struct request *r, struct produce_response *to, int32_t id)
{
	struct produce_response_node_endpoints *e;

	for (int32_t i = 0; i < to->node_endpoints.n; i++)
		if (to->node_endpoints.v[i].node_id == id)
			return;
	e = &to->node_endpoints.v[to->node_endpoints.n++];
	e->node_id = id;
	session_address(r->session, id, &r->arena, &e->host, &e->port);
}

static void
show_endpoints(struct request *r, struct produce_response *to)
{
	int32_t count = session_virtual_count(r->session);

	to->node_endpoints.n = 0;
	to->node_endpoints.v = ARENA_ARRAY(&r->arena,
	    struct produce_response_node_endpoints, count);
	for (int32_t i = 0; i < to->responses.n; i++) {
		const produce_topic_reply *t = &to->responses.v[i];

		for (int32_t j = 0; j < t->partition_responses.n; j++) {
			int32_t id = t->partition_responses.v[j]
			    .current_leader.leader_id;

			if (id >= 0 && id < count)
				show_endpoint(r, to, id);
		}
	}
}

/* Not appended, or perhaps not; and the client will repeat it. */
static bool
to_be_repeated(int16_t error)
{
	switch (error) {
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_REQUEST_TIMED_OUT:
	case KAFKA_NOT_ENOUGH_REPLICAS:
	case KAFKA_KAFKA_STORAGE_ERROR:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_INCONSISTENT_TOPIC_ID:
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return true;
	default:
		return false;
	}
}

/* Where in the request the last answer's batch was: answers mostly come in the
 * order of the request. */
struct produce_place {
	int32_t	 topic, partition;
};

/* From the place on and around: the batch that the answer is for. False when
 * there is none. */
static bool
find_batch(const struct produce_request *q, struct produce_place *at,
    const produce_topic_reply *t, int32_t partition)
{
	for (int32_t i = 0; i < q->topic_data.n; i++) {
		int32_t topic = (at->topic + i) % q->topic_data.n;
		const produce_topic *mine = &q->topic_data.v[topic];
		int32_t n = mine->partition_data.n;
		int32_t from = i == 0 ? at->partition : 0;

		if (!slice_eq(mine->name, t->name) ||
		    !uuid_eq(&mine->topic_id, &t->topic_id))
			continue;
		for (int32_t j = 0; j < n; j++) {
			int32_t p = (int32_t)(((int64_t)from + j) % n);

			if (mine->partition_data.v[p].index != partition)
				continue;
			*at = (struct produce_place){ topic, p };
			return true;
		}
	}
	return false;
}

static void
note_refusals(struct request *r, const struct produce_response *to)
{
	const struct produce_request *q = r->body;
	struct produce_place at = { 0, 0 };

	for (int32_t i = 0; i < to->responses.n; i++) {
		const produce_topic_reply *t = &to->responses.v[i];

		for (int32_t j = 0; j < t->partition_responses.n; j++) {
			const produce_partition_reply *p =
			    &t->partition_responses.v[j];
			struct produce_item it;

			if (!to_be_repeated(p->error_code) ||
			    !find_batch(q, &at, t, p->index))
				continue;
			it = item_of(&q->topic_data.v[at.topic],
			    &q->topic_data.v[at.topic]
			    .partition_data.v[at.partition++]);
			produce_order_refused(state_of(r->session)->order,
			    &it, p->error_code);
		}
	}
}

static bool
refuse_item(struct request *r, const struct produce_item *it)
{
	produce_order_refused(state_of(r->session)->order, it,
	    KAFKA_REQUEST_TIMED_OUT);
	return true;
}

void
produce_refused(struct request *r)
{
	each_item(r, refuse_item);
}

/* Its guards go; what waited for them may start, in order. A request that is
 * started may end at once, and the session with it: false then. */
static bool
release(struct request *r)
{
	struct produce_state *p = r->session->produce;

	if (p == NULL || !produce_order_unguard(p->order, r) || p->releasing)
		return true;
	p->releasing = true;
	r->pending++;		/* stays, whatever becomes of the session */
	while (r->session != NULL && !list_empty(&p->held)) {
		struct request *next = LIST_ENTRY(p->held.next,
		    struct request, wait);

		if (!each_item(next, is_free))
			break;
		list_remove(&next->wait);
		start(next);
	}
	r->pending--;
	if (r->session == NULL)
		return false;
	p->releasing = false;
	return true;
}

static void
produced(struct request *r, void *response)
{
	struct produce_response *to = response;

	if (r->version >= LEADERS_SINCE)
		to->node_endpoints.n = 0;
	/* Without an error there is nothing in it that a broker could show. */
	if (r->error != 0) {
		note_refusals(r, to);
		outward(r, response);
		throttle_explain(r, response);
		if (r->version >= LEADERS_SINCE)
			show_endpoints(r, to);
	}
	if (release(r))
		request_answer(r, response);
	else
		request_finish(r);
}

/* acks=0: the client learns that something was lost as from a broker, by the
 * end of its connection; then it looks for the leaders anew. */
static void
written(struct request *r, bool all)
{
	if (!all)
		worker_wish(r->worker);
	if (r->session != NULL && release(r) && !all)
		request_fail(r, CONN_NO_ACKS, NULL);
	else
		request_finish(r);
}

/* ---- the beginning ---- */

static int16_t
judge(struct request *r, const struct shape_item *item)
{
	struct produce_state *p = r->session->produce;
	struct produce_item it;
	int16_t error = throttle_batch(r,
	    ((const produce_partition *)item->inner)->records.len);

	if (error == 0)
		error = throttle_room(r, item);
	if (error == 0 && p == NULL)
		return FORWARD_ITEM;
	it = item_of(item->outer, item->inner);
	/* Known at once, for there may be room for the next one. */
	if (to_be_repeated(error))
		produce_order_refused(state_of(r->session)->order, &it, error);
	if (error == 0)
		error = produce_order_judge(p->order, &it);
	return error != 0 ? error : FORWARD_ITEM;
}

static void
sends(struct request *r, const struct shape_item *item)
{
	const produce_partition *p = item->inner;

	throttle_part_write(r, item->name, item->id, p->index,
	    p->records.len);
}

/* It waits for a snapshot: nothing may overtake it. */
static void
parked(struct request *r)
{
	each_item(r, guard_other);
}

static void
start(struct request *r)
{
	const struct produce_request *q = r->body;
	const struct forward_how how = {
		.no_reply = q->acks == 0,
		/* With one virtual broker what follows on this connection is
		 * for all brokers, and its answers would wait too. */
		.hold = session_virtual_count(r->session) > 1,
		.judge = judge,
		.sends = throttle_parts_limited(r) ? sends : NULL,
		.finish = produced,
		.written = written,
		.parked = parked,
	};

	each_item(r, guard_first);
	forward_with(r, &how);
}

void
api_produce(struct request *r)
{
	struct produce_state *p = r->session->produce;

	if (p != NULL && (!list_empty(&p->held) ||
	    !each_item(r, is_free))) {
		list_append(&p->held, &r->wait);
		return;
	}
	start(r);
}
