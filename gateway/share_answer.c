/* SPDX-License-Identifier: Apache-2.0 */
/* From legs' answers to one, in which each partition stands once; and
 * ShareAcknowledge as a ShareFetch and back. */
#include "gateway/request.h"
#include "gateway/share_session.h"
#include "gateway/wire/errors.h"
#include "routing/alike.h"
#include "routing/virtual.h"
#include "wire/messages.h"

typedef struct share_fetch_response_responses_partitions reply_part;
typedef struct share_acknowledge_response_responses_partitions
    acknowledged_part;

/* ---- what legs brought ---- */

void
share_failed(struct share *s, const struct share_leg_plan *leg, int16_t error)
{
	struct share_broker *b = leg->broker;

	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		if (p->target == b) {
			p->error = error;
			p->leader = p->leader_epoch = -1;
		}
		if (p->acks_to == b)
			p->ack_error = error;
	}
	share_lost(s, b->id);
}

static bool
leader_told(int16_t error)
{
	return error == KAFKA_NOT_LEADER_OR_FOLLOWER ||
	    error == KAFKA_FENCED_LEADER_EPOCH;
}

/* Where the partition is now, as the broker has it. */
static void
take_leader(struct share_part *p, const reply_part *from,
    const struct cluster *c, int32_t count)
{
	p->leader = virtual_broker(c, count, from->current_leader.leader_id);
	p->leader_epoch = p->leader < 0 ? -1 :
	    from->current_leader.leader_epoch;
}

static void
take_part(struct share *s, const struct share_broker *b,
    const struct uuid *id, const reply_part *from, const struct cluster *c,
    int32_t count)
{
	struct share_part *p = share_part_find(s, id, from->partition_index);

	if (p == NULL)
		return;
	if (p->target == b) {
		p->fetched = from;
		p->error = from->error_code;
		s->acquired += from->acquired_records.n;
		if (leader_told(p->error))
			take_leader(p, from, c, count);
	}
	if (p->acks_to == b) {
		p->ack_error = from->acknowledge_error_code;
		if (leader_told(p->ack_error) && p->error == 0)
			take_leader(p, from, c, count);
	}
}

void
share_landed(struct share *s, const struct share_leg_plan *leg,
    const struct share_fetch_response *from, const struct cluster *c,
    int32_t count)
{
	if (from->throttle_time_ms > s->throttle_ms)
		s->throttle_ms = from->throttle_time_ms;
	if (leg->closes)
		return;
	if (from->acquisition_lock_timeout_ms > 0 && (s->lock_ms == 0 ||
	    from->acquisition_lock_timeout_ms < s->lock_ms))
		s->lock_ms = from->acquisition_lock_timeout_ms;
	for (int32_t i = 0; i < from->responses.n; i++)
		for (int32_t j = 0; j < from->responses.v[i].partitions.n; j++)
			take_part(s, leg->broker,
			    &from->responses.v[i].topic_id,
			    &from->responses.v[i].partitions.v[j], c, count);
}

int32_t
share_errors(const struct share *s, bool *stale)
{
	int32_t n = 0;

	*stale = false;
	SHARE_EACH_PART(it, s) {
		const struct share_part *p = share_part_at(it);

		n += p->error != 0;
		*stale |= error_wants_refresh(p->error) ||
		    error_wants_refresh(p->ack_error);
	}
	return n;
}

/* ---- the client's answer ---- */

static bool
worth_saying(const struct share_part *p)
{
	return p->fetched != NULL || p->error != 0 || p->ack_count >= 0;
}

static struct slice
text_of(int16_t error)
{
	return error == 0 ? SLICE_NULL : slice_of(kafka_error_text(error));
}

static void
say_part(const struct share_part *p, reply_part *to)
{
	if (p->fetched != NULL)
		*to = *p->fetched;
	else
		to->records.data = (const uint8_t *)"";
	to->partition_index = p->index;
	to->error_code = p->error;
	to->error_message = text_of(p->error);
	to->acknowledge_error_code = p->ack_error;
	to->acknowledge_error_message = text_of(p->ack_error);
	to->current_leader.leader_id = to->current_leader.leader_epoch = 0;
	if (!leader_told(p->error) && !leader_told(p->ack_error))
		return;
	to->current_leader.leader_id = p->leader;
	to->current_leader.leader_epoch = p->leader_epoch;
}

static void
say_topic(const struct share_topic *t, struct share_fetch_response *to,
    struct arena *a)
{
	struct share_fetch_response_responses *o;
	int32_t n = 0;

	LIST_FOREACH(it, &t->parts)
		n += worth_saying(share_part_at(it));
	if (n == 0)
		return;
	o = &to->responses.v[to->responses.n++];
	o->topic_id = t->id;
	o->partitions.v = ARENA_ARRAY(a, reply_part, n);
	LIST_FOREACH(it, &t->parts)
		if (worth_saying(share_part_at(it)))
			say_part(share_part_at(it),
			    &o->partitions.v[o->partitions.n++]);
}

struct share_fetch_response *
share_answer(struct share *s, struct arena *a)
{
	struct share_fetch_response *to = ARENA_NEW(a,
	    struct share_fetch_response);
	int32_t topics = 0;

	LIST_FOREACH(it, &s->topics)
		topics++;
	to->throttle_time_ms = s->throttle_ms;
	to->acquisition_lock_timeout_ms = s->lock_ms;
	if (topics == 0)
		return to;
	to->responses.v = ARENA_ARRAY(a, struct share_fetch_response_responses,
	    topics);
	LIST_FOREACH(it, &s->topics)
		say_topic(share_topic_at(it), to, a);
	return to;
}

/* ---- ShareAcknowledge ---- */

struct share_fetch_request *
share_from_acknowledge(const struct share_acknowledge_request *q,
    struct arena *a)
{
	return message_like(&share_fetch_request_message,
	    &share_acknowledge_request_message, q, a);
}

struct share_acknowledge_request *
share_to_acknowledge(const struct share_fetch_request *q, struct arena *a)
{
	return message_like(&share_acknowledge_request_message,
	    &share_fetch_request_message, q, a);
}

/* What is a partition's error there is the one of acknowledging here. */
struct share_fetch_response *
share_from_acknowledged(const struct share_acknowledge_response *p,
    struct arena *a)
{
	struct share_fetch_response *to = message_like(
	    &share_fetch_response_message, &share_acknowledge_response_message,
	    p, a);

	for (int32_t i = 0; i < to->responses.n; i++)
		for (int32_t j = 0; j < to->responses.v[i].partitions.n; j++) {
			reply_part *o = &to->responses.v[i].partitions.v[j];

			o->acknowledge_error_code = o->error_code;
			o->error_code = 0;
			o->error_message = SLICE_NULL;
		}
	return to;
}

struct share_acknowledge_response *
share_to_acknowledged(const struct share_fetch_response *p, struct arena *a)
{
	struct share_acknowledge_response *to = message_like(
	    &share_acknowledge_response_message, &share_fetch_response_message,
	    p, a);

	for (int32_t i = 0; i < to->responses.n; i++)
		for (int32_t j = 0; j < to->responses.v[i].partitions.n; j++) {
			const reply_part *from =
			    &p->responses.v[i].partitions.v[j];
			acknowledged_part *o =
			    &to->responses.v[i].partitions.v[j];

			o->error_code = from->acknowledge_error_code;
			o->error_message = from->acknowledge_error_message;
		}
	return to;
}
