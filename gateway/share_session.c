/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/share_session.h"

#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/wire/errors.h"

/* ---- partitions ---- */

struct part_key {
	struct uuid	 id;
	int32_t		 index;
};

static struct slice
part_key(struct part_key *k, const struct uuid *id, int32_t index)
{
	k->id = *id;
	k->index = index;
	return (struct slice){ (const uint8_t *)k, sizeof(*k) };
}

static struct slice
topic_key(const struct uuid *id)
{
	return (struct slice){ id->b, sizeof(id->b) };
}

struct share_part *
share_part_find(const struct share *s, const struct uuid *id, int32_t index)
{
	struct part_key k;

	return htab_get(s->part_by_id, part_key(&k, id, index));
}

static struct share_topic *
need_topic(struct share *s, const struct uuid *id)
{
	struct share_topic *t = htab_get(s->topic_by_id, topic_key(id));

	if (t != NULL)
		return t;
	t = mem_zalloc(sizeof(*t));
	t->id = *id;
	list_init(&t->parts);
	list_append(&s->topics, &t->link);
	htab_set(s->topic_by_id, topic_key(id), t);
	return t;
}

static struct share_part *
need_part(struct share *s, const struct uuid *id, int32_t index)
{
	struct share_part *p = share_part_find(s, id, index);
	struct part_key k;

	if (p != NULL)
		return p;
	p = mem_zalloc(sizeof(*p));
	p->topic = need_topic(s, id);
	p->index = index;
	p->ack_count = -1;
	list_append(&p->topic->parts, &p->link);
	htab_set(s->part_by_id, part_key(&k, id, index), p);
	return p;
}

static void
free_part(struct share *s, struct share_part *p)
{
	struct part_key k;

	htab_take(s->part_by_id, part_key(&k, &p->topic->id, p->index));
	list_remove(&p->link);
	free(p);
}

/* Partitions that nobody wants or knows end. */
static void
sweep(struct share *s, bool all)
{
	LIST_FOREACH_SAFE(ti, &s->topics) {
		struct share_topic *t = share_topic_at(ti);

		LIST_FOREACH_SAFE(pi, &t->parts) {
			struct share_part *p = share_part_at(pi);

			if (all || (!p->wanted && p->held == NULL))
				free_part(s, p);
		}
		if (!list_empty(&t->parts))
			continue;
		htab_take(s->topic_by_id, topic_key(&t->id));
		list_remove(&t->link);
		free(t);
	}
}

/* ---- the whole ---- */

static struct slice
own(struct slice s)
{
	return (struct slice){ (uint8_t *)mem_strndup(s.data, s.len), s.len };
}

struct share *
share_new(struct slice group, struct slice member)
{
	struct share *s = mem_zalloc(sizeof(*s));

	s->group = own(group);
	s->member = own(member);
	s->seen = -1;
	list_init(&s->link);
	list_init(&s->topics);
	list_init(&s->brokers);
	s->topic_by_id = htab_new();
	s->part_by_id = htab_new();
	return s;
}

void
share_free(struct share *s)
{
	sweep(s, true);
	LIST_FOREACH_SAFE(it, &s->brokers)
		free(share_broker_at(it));
	htab_free(s->topic_by_id, NULL);
	htab_free(s->part_by_id, NULL);
	free((void *)(uintptr_t)s->group.data);
	free((void *)(uintptr_t)s->member.data);
	list_remove(&s->link);
	free(s);
}

struct share_broker *
share_broker_need(struct share *s, int32_t id)
{
	struct share_broker *b;

	LIST_FOREACH(it, &s->brokers)
		if (share_broker_at(it)->id == id)
			return share_broker_at(it);
	b = mem_zalloc(sizeof(*b));
	b->id = id;
	list_append(&s->brokers, &b->link);
	return b;
}

int32_t
share_next_epoch(int32_t epoch)
{
	return epoch < 0 ? SHARE_EPOCH_FINAL : epoch == INT32_MAX ? 1 :
	    epoch + 1;
}

static void
let_go(struct share *s, const struct share_broker *b)
{
	SHARE_EACH_PART(it, s)
		if (share_part_at(it)->held == b)
			share_part_at(it)->held = NULL;
}

void
share_lost(struct share *s, int32_t broker)
{
	LIST_FOREACH(it, &s->brokers) {
		struct share_broker *b = share_broker_at(it);

		if (b->id != broker)
			continue;
		let_go(s, b);
		b->epoch = SHARE_EPOCH_OPEN;
		b->stale = false;
	}
}

/* ---- what a request says ---- */

static bool
has_acks(const struct share_fetch_request *q)
{
	for (int32_t i = 0; i < q->topics.n; i++)
		for (int32_t j = 0; j < q->topics.v[i].partitions.n; j++)
			if (q->topics.v[i].partitions.v[j]
			    .acknowledgement_batches.n > 0)
				return true;
	return false;
}

static bool
makes_sense(const struct share_fetch_request *q)
{
	if (q->group_id.data == NULL || q->member_id.data == NULL ||
	    q->member_id.len == 0 || q->member_id.len > SHARE_MEMBER_ID_MAX)
		return false;
	/* Renewing brings no records (KIP-1222). */
	return !q->is_renew_ack || (q->max_bytes == 0 && q->min_bytes == 0 &&
	    q->max_records == 0 && q->max_wait_ms == 0);
}

int16_t
share_check(const struct share *s, const struct share_fetch_request *q,
    bool fetch)
{
	if (!makes_sense(q))
		return KAFKA_INVALID_REQUEST;
	if (q->share_session_epoch == SHARE_EPOCH_OPEN) {
		if (!fetch)
			return KAFKA_INVALID_SHARE_SESSION_EPOCH;
		return has_acks(q) ? KAFKA_INVALID_REQUEST : 0;
	}
	if (s == NULL)
		return KAFKA_SHARE_SESSION_NOT_FOUND;
	if (q->share_session_epoch != SHARE_EPOCH_FINAL &&
	    q->share_session_epoch != s->epoch)
		return KAFKA_INVALID_SHARE_SESSION_EPOCH;
	return 0;
}

/* Brokers' sessions, where there are any, have none of it any more. */
static void
begin_anew(struct share *s)
{
	LIST_FOREACH(it, &s->brokers) {
		struct share_broker *b = share_broker_at(it);

		b->stale = b->epoch != SHARE_EPOCH_OPEN;
	}
	sweep(s, true);
	s->seen = -1;
}

static void
want_none(struct share *s)
{
	SHARE_EACH_PART(it, s)
		share_part_at(it)->wanted = false;
}

static void
take_acks(struct share_part *p,
    const struct share_fetch_request_topics_partitions *q, bool fetch)
{
	if (fetch && q->acknowledgement_batches.n <= 0)
		return;
	p->acks = q->acknowledgement_batches.v;
	p->ack_count = q->acknowledgement_batches.n > 0 ?
	    q->acknowledgement_batches.n : 0;
}

static bool
take_topics(struct share *s, const struct share_fetch_request *q, bool want,
    bool fetch)
{
	for (int32_t i = 0; i < q->topics.n; i++) {
		const struct share_fetch_request_topics *t = &q->topics.v[i];

		for (int32_t j = 0; j < t->partitions.n; j++) {
			struct share_part *p = need_part(s, &t->topic_id,
			    t->partitions.v[j].partition_index);

			if (htab_count(s->part_by_id) > SHARE_PARTS_MAX)
				return false;
			p->wanted |= want;
			take_acks(p, &t->partitions.v[j], fetch);
		}
	}
	return true;
}

static void
take_forgotten(struct share *s, const struct share_fetch_request *q)
{
	for (int32_t i = 0; i < q->forgotten_topics_data.n; i++) {
		const struct share_fetch_request_forgotten_topics_data *t =
		    &q->forgotten_topics_data.v[i];

		for (int32_t j = 0; j < t->partitions.n; j++) {
			struct share_part *p = share_part_find(s, &t->topic_id,
			    t->partitions.v[j]);

			if (p != NULL)
				p->wanted = false;
		}
	}
}

bool
share_take(struct share *s, const struct share_fetch_request *q, bool fetch)
{
	bool final = q->share_session_epoch == SHARE_EPOCH_FINAL;

	s->throttle_ms = s->lock_ms = 0;
	s->acquired = 0;
	s->resting = false;
	s->fetching = fetch && !final && !q->is_renew_ack;
	if (q->share_session_epoch == SHARE_EPOCH_OPEN)
		begin_anew(s);
	if (final)
		want_none(s);
	s->epoch = share_next_epoch(q->share_session_epoch);
	if (!take_topics(s, q, fetch && !final, fetch))
		return false;
	if (fetch)
		take_forgotten(s, q);
	return true;
}

void
share_tidy(struct share *s)
{
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		p->acks = NULL;
		p->ack_count = -1;
		p->rests = false;
		p->error = p->ack_error = 0;
		p->fetched = NULL;
		p->target = p->acks_to = NULL;
	}
	sweep(s, false);
}

bool
share_acks(const struct share *s)
{
	SHARE_EACH_PART(it, s)
		if (share_part_at(it)->ack_count >= 0)
			return true;
	return false;
}

bool
share_wants_any(const struct share *s)
{
	SHARE_EACH_PART(it, s)
		if (share_part_at(it)->wanted)
			return true;
	return false;
}
