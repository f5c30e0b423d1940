/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fetch_answer.h"

#include "gateway/fetch_feed.h"
#include "gateway/request.h"
#include "gateway/session.h"
#include "gateway/throttle_fetch.h"
#include "gateway/worker.h"
#include "routing/virtual.h"
#include "wire/messages.h"

typedef struct fetch_response_responses_partitions result;

enum {
	LEADER_SINCE = 12,		/* version with CurrentLeader */
	ENDPOINTS_SINCE = 16,		/* version with NodeEndpoints */
};

struct entry {
	struct fetch_part	*part;
	bool			 take;		/* what has landed */
};

struct answer {
	struct request		*request;
	struct fetch_response	*response;
	struct entry		*v;
	uint32_t		 n;
	int64_t			 left;		/* of max_bytes */
	int8_t			 isolation;
	bool			 any;		/* records were taken */
	bool			 starved;	/* none may be */
	int32_t			 virtual_count;	/* 0: not looked up yet */
};

/* ---- which partitions ---- */

static bool
take(struct answer *a, const struct fetch_part *p)
{
	if (p->landed == NULL)
		return false;
	if (a->starved && p->landed->records.len > 0)
		return false;
	if (a->any && (int64_t)p->landed->records.len > a->left)
		return false;
	a->any |= p->landed->records.len > 0;
	a->left -= p->landed->records.len;
	return true;
}

static void
add(struct answer *a, struct fetch_part *p, bool taken)
{
	a->v[a->n++] = (struct entry){ p, taken };
}

static uint32_t
list_length(const struct list *l)
{
	uint32_t n = 0;

	LIST_FOREACH(it, l)
		n++;
	return n;
}

static uint32_t
most_changes(const struct fetch_table *t)
{
	uint32_t n = list_length(&t->homeless);

	LIST_FOREACH(it, &t->feeds) {
		const struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed,
		    link);

		n += list_length(f->failed ? &f->parts : &f->news);
	}
	return n;
}

static void
add_feed(struct answer *a, struct fetch_feed *f)
{
	if (f->failed != 0) {
		LIST_FOREACH(it, &f->parts)
			add(a, LIST_ENTRY(it, struct fetch_part, at), false);
		return;
	}
	LIST_FOREACH_SAFE(it, &f->news) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, news);
		bool told = p->high == p->told_high &&
		    p->start == p->told_start;

		if (!p->wanted)
			continue;
		if (take(a, p))
			add(a, p, true);
		else if (p->landed == NULL && !told)
			add(a, p, false);
		if (p->landed == NULL)
			list_remove(&p->news);
	}
}

/* What an incremental reply has: records, errors, and watermarks that have
 * moved since the client was told of them (KIP-227). */
static void
add_changes(struct answer *a, struct fetch_table *t)
{
	a->v = ARENA_ARRAY(&a->request->arena, struct entry, most_changes(t));
	LIST_FOREACH(it, &t->feeds)
		add_feed(a, LIST_ENTRY(it, struct fetch_feed, link));
	LIST_FOREACH(it, &t->homeless)
		add(a, LIST_ENTRY(it, struct fetch_part, at), false);
}

/* A full reply has each partition that was asked for: a client throws one away
 * that lacks any. */
static void
add_all(struct answer *a, struct fetch_table *t)
{
	a->v = ARENA_ARRAY(&a->request->arena, struct entry, t->wanted);
	LIST_FOREACH(it, &t->feeds) {
		struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed, link);

		LIST_FOREACH(at, &f->parts) {
			struct fetch_part *p = LIST_ENTRY(at,
			    struct fetch_part, at);

			add(a, p, f->failed == 0 && take(a, p));
			if (p->landed == NULL)
				list_remove(&p->news);
		}
	}
	LIST_FOREACH(it, &t->homeless)
		add(a, LIST_ENTRY(it, struct fetch_part, at), false);
	LIST_FOREACH(it, &t->resting)
		add(a, LIST_ENTRY(it, struct fetch_part, at), false);
}

/* ---- what each is told ---- */

static void
add_endpoint(struct answer *a, int32_t id)
{
	struct fetch_response *to = a->response;
	struct fetch_response_node_endpoints *e;

	for (int32_t i = 0; i < to->node_endpoints.n; i++)
		if (to->node_endpoints.v[i].node_id == id)
			return;
	if (to->node_endpoints.v == NULL)
		to->node_endpoints.v = ARENA_ARRAY(&a->request->arena,
		    struct fetch_response_node_endpoints, a->virtual_count);
	e = &to->node_endpoints.v[to->node_endpoints.n++];
	e->node_id = id;
	session_address(a->request->session, id, &a->request->arena, &e->host,
	    &e->port);
}

/* Who leads now, as the client may see it (KIP-951). */
static void
show_leader(struct answer *a, result *to)
{
	const struct cluster *c = a->request->worker->cluster;
	int32_t id = to->current_leader.leader_id;

	if (id < 0)
		return;
	if (a->virtual_count == 0)
		a->virtual_count = session_virtual_count(a->request->session);
	id = virtual_broker(c, a->virtual_count, id);
	to->current_leader.leader_id = id;
	if (id < 0)
		to->current_leader.leader_epoch = -1;
	else if (a->request->version >= ENDPOINTS_SINCE)
		add_endpoint(a, id);
}

static void
tell_landed(struct answer *a, struct fetch_part *p, result *to)
{
	*to = *p->landed;
	to->preferred_read_replica = -1;
	to->snapshot_id.epoch = -1;
	to->snapshot_id.end_offset = -1;
	show_leader(a, to);
	/* Those with data go behind the others, as in a broker. */
	if (to->records.len > 0) {
		list_remove(&p->at);
		list_append(&p->feed->parts, &p->at);
	}
	fetch_feed_took(p);
}

static void
tell_nothing(const struct answer *a, const struct fetch_part *p, result *to)
{
	static const uint8_t none[1];
	int16_t error = p->feed && p->rest_until_us == 0 ? p->feed->failed :
	    p->error;

	to->partition_index = p->index;
	to->error_code = error;
	to->high_watermark = error ? -1 : p->high;
	to->last_stable_offset = error ? -1 : p->stable;
	to->log_start_offset = error ? -1 : p->start;
	to->diverging_epoch.epoch = -1;
	to->diverging_epoch.end_offset = -1;
	to->current_leader.leader_id = -1;
	to->current_leader.leader_epoch = -1;
	to->snapshot_id.epoch = -1;
	to->snapshot_id.end_offset = -1;
	to->aborted_transactions.n = a->isolation == 0 ? -1 : 0;
	to->preferred_read_replica = -1;
	to->records.data = none;
}

/* Over its limit the partition rests. */
static void
charge(struct answer *a, struct fetch_part *p, uint32_t bytes)
{
	int64_t us = throttle_part_read(a->request, p->topic, p->index, bytes);

	a->request->read_bytes += bytes;
	if (us > 0)
		fetch_part_rest(p, loop_now_us(a->request->worker->loop) + us);
}

static void
tell(struct answer *a, const struct entry *e, result *to)
{
	struct fetch_part *p = e->part;

	if (e->take)
		tell_landed(a, p, to);
	else
		tell_nothing(a, p, to);
	if (e->take && to->records.len > 0)
		charge(a, p, to->records.len);
	/* After an error the watermark is news again. */
	p->told_high = to->error_code ? -1 : to->high_watermark;
	p->told_start = to->log_start_offset;
}

/* ---- by topic ---- */

static int32_t
count_by_topic(struct answer *a)
{
	int32_t topics = 0;

	for (uint32_t i = 0; i < a->n; i++)
		topics += a->v[i].part->topic->reply_count++ == 0;
	return topics;
}

static struct fetch_response_responses *
reply_of(struct answer *a, struct fetch_topic *topic, result **room)
{
	struct fetch_response_responses *to;

	if (topic->reply != NULL)
		return topic->reply;
	to = &a->response->responses.v[a->response->responses.n++];
	to->topic = topic->table->by_id ? SLICE_LIT("") : topic->name;
	to->topic_id = topic->id;
	to->partitions.v = *room;
	*room += topic->reply_count;
	topic->reply = to;
	return to;
}

static void
fill(struct answer *a)
{
	struct arena *arena = &a->request->arena;
	result *room = ARENA_ARRAY(arena, result, a->n);

	a->response->responses.v = ARENA_ARRAY(arena,
	    struct fetch_response_responses, count_by_topic(a));
	for (uint32_t i = 0; i < a->n; i++) {
		struct fetch_response_responses *to = reply_of(a,
		    a->v[i].part->topic, &room);

		tell(a, &a->v[i], &to->partitions.v[to->partitions.n++]);
	}
	for (uint32_t i = 0; i < a->n; i++) {
		a->v[i].part->topic->reply = NULL;
		a->v[i].part->topic->reply_count = 0;
	}
}

/* Next time another feed comes first. */
static void
rotate(struct fetch_table *t)
{
	struct list *first = t->feeds.next;

	list_remove(first);
	list_append(&t->feeds, first);
}

struct fetch_response *
fetch_answer(struct request *r, const struct fetch_choice *choice,
    int64_t max_bytes, int8_t isolation, bool starved)
{
	struct fetch_table *t = &choice->slot->table;
	struct answer a = {
		.request = r,
		.response = ARENA_NEW(&r->arena, struct fetch_response),
		.left = max_bytes,
		.isolation = isolation,
		.starved = starved,
	};

	a.response->session_id = choice->session_id;
	if (choice->full)
		add_all(&a, t);
	else
		add_changes(&a, t);
	if (a.n > 0)
		fill(&a);
	if (!list_empty(&t->feeds))
		rotate(t);
	return a.response;
}
