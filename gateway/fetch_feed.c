/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fetch_feed.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/fetch_flight.h"
#include "gateway/request.h"
#include "gateway/wire/errors.h"
#include "wire/messages.h"

typedef struct fetch_request_topics_partitions ask_part;
typedef struct fetch_request_topics ask_topic;
typedef struct fetch_request_forgotten_topics_data gone_topic;
typedef struct fetch_response_responses_partitions result;

struct fetch_feed *
fetch_feed_get(struct fetch_table *t, int32_t broker)
{
	struct fetch_feed *f;

	LIST_FOREACH(it, &t->feeds) {
		f = LIST_ENTRY(it, struct fetch_feed, link);
		if (f->broker == broker)
			return f;
	}
	f = mem_zalloc(sizeof(*f));
	f->table = t;
	f->broker = broker;
	list_init(&f->parts);
	list_init(&f->dirty);
	list_init(&f->news);
	list_append(&t->feeds, &f->link);
	return f;
}

/* Else its broker is to forget it: it is not wanted, or rests. */
static bool
is_asked(const struct fetch_part *p)
{
	return p->wanted && p->rest_until_us == 0;
}

/* The broker was told to forget it, or need not be. */
static void
let_go(struct fetch_part *p)
{
	if (p->landed != NULL)
		fetch_feed_took(p);
	if (!p->wanted) {
		fetch_part_free(p);
		return;
	}
	list_remove(&p->dirty);
	p->known = false;
	p->feed = NULL;
}

/* The broker need not be told any more, or will be told everything. */
static void
let_go_all(struct fetch_feed *f)
{
	LIST_FOREACH_SAFE(it, &f->dirty) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, dirty);

		if (!is_asked(p))
			let_go(p);
	}
}

void
fetch_feed_free(struct fetch_feed *f)
{
	let_go_all(f);
	while (!list_empty(&f->parts)) {
		struct fetch_part *p = LIST_ENTRY(f->parts.next,
		    struct fetch_part, at);

		list_remove(&p->at);
		list_remove(&p->dirty);
		list_remove(&p->news);
		p->landed = NULL;
		p->known = false;
		p->feed = NULL;
		list_append(&f->table->homeless, &p->at);
	}
	if (f->flight != NULL)
		fetch_flight_drop(f->flight);
	list_remove(&f->link);
	free(f);
}

void
fetch_feeds_trim(struct fetch_table *t)
{
	LIST_FOREACH_SAFE(it, &t->feeds) {
		struct fetch_feed *f = LIST_ENTRY(it, struct fetch_feed, link);

		if (list_empty(&f->parts) && f->state != FEED_FLYING)
			fetch_feed_free(f);
	}
}

/* ---- request ---- */

static bool
same_topic(const struct fetch_topic *topic, struct slice name,
    const struct uuid *id)
{
	return topic->table->by_id ? uuid_eq(&topic->id, id) :
	    slice_eq(topic->name, name);
}

/* The last topic of the request, or a new one when it is another. */
static ask_topic *
ask_topic_for(struct fetch_request *r, const struct fetch_topic *topic,
    ask_part *parts, struct arena *a)
{
	ask_topic *to = r->topics.n ? &r->topics.v[r->topics.n - 1] : NULL;

	if (to != NULL && same_topic(topic, to->topic, &to->topic_id))
		return to;
	to = &r->topics.v[r->topics.n++];
	to->topic = topic->table->by_id ? SLICE_LIT("") :
	    arena_slice(a, topic->name);
	to->topic_id = topic->id;
	to->partitions.v = parts;
	return to;
}

static void
ask_for(struct fetch_part *p, ask_part *to)
{
	to->partition = p->index;
	to->current_leader_epoch = p->want.leader_epoch;
	to->fetch_offset = p->want.offset;
	to->last_fetched_epoch = p->want.last_epoch;
	to->log_start_offset = -1;	/* a follower's */
	to->partition_max_bytes = p->want.max_bytes;
	to->high_watermark = INT64_MAX;	/* a follower's */
	p->sent = p->want;
	p->known = true;
	list_remove(&p->dirty);
}

static gone_topic *
gone_topic_for(struct fetch_request *r, const struct fetch_topic *topic,
    int32_t *parts, struct arena *a)
{
	int32_t n = r->forgotten_topics_data.n;
	gone_topic *to = n ? &r->forgotten_topics_data.v[n - 1] : NULL;

	if (to != NULL && same_topic(topic, to->topic, &to->topic_id))
		return to;
	to = &r->forgotten_topics_data.v[r->forgotten_topics_data.n++];
	to->topic = topic->table->by_id ? SLICE_LIT("") :
	    arena_slice(a, topic->name);
	to->topic_id = topic->id;
	to->partitions.v = parts;
	return to;
}

static void
forget_at_broker(struct fetch_request *r, struct fetch_part *p, int32_t *at,
    struct arena *a)
{
	gone_topic *to = gone_topic_for(r, p->topic, at, a);

	to->partitions.v[to->partitions.n++] = p->index;
	let_go(p);
}

static void
ask_in_full(struct fetch_feed *f, struct fetch_request *r, struct arena *a)
{
	ask_part *parts;
	int32_t n = 0, topics = 0;
	const struct fetch_topic *last = NULL;

	let_go_all(f);
	LIST_FOREACH(it, &f->parts) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, at);

		topics += p->topic != last;
		last = p->topic;
		n++;
	}
	r->topics.v = ARENA_ARRAY(a, ask_topic, topics);
	parts = ARENA_ARRAY(a, ask_part, n);
	LIST_FOREACH(it, &f->parts) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, at);

		ask_topic_for(r, p->topic, parts, a)->partitions.n++;
		ask_for(p, parts++);
	}
}

static void
ask_changes(struct fetch_feed *f, struct fetch_request *r, struct arena *a)
{
	ask_part *parts;
	int32_t *gone, n = 0, gone_n = 0, topics = 0, gone_topics = 0;
	const struct fetch_topic *last = NULL, *last_gone = NULL;

	LIST_FOREACH(it, &f->dirty) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, dirty);

		if (is_asked(p)) {
			topics += p->topic != last;
			last = p->topic;
			n++;
		} else {
			gone_topics += p->topic != last_gone;
			last_gone = p->topic;
			gone_n++;
		}
	}
	r->topics.v = ARENA_ARRAY(a, ask_topic, topics);
	parts = ARENA_ARRAY(a, ask_part, n);
	r->forgotten_topics_data.v = ARENA_ARRAY(a, gone_topic, gone_topics);
	gone = ARENA_ARRAY(a, int32_t, gone_n);
	LIST_FOREACH_SAFE(it, &f->dirty) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, dirty);

		if (is_asked(p)) {
			ask_topic_for(r, p->topic, parts, a)->partitions.n++;
			ask_for(p, parts++);
		} else {
			forget_at_broker(r, p, gone++, a);
		}
	}
}

struct fetch_request *
fetch_feed_request(struct fetch_feed *f, const struct fetch_terms *terms,
    struct arena *a)
{
	struct fetch_request *r = ARENA_NEW(a, struct fetch_request);

	assert(f->state == FEED_IDLE && f->landed == 0);
	r->replica_id = -1;
	r->replica_state.replica_id = -1;
	r->replica_state.replica_epoch = -1;
	r->rack_id = SLICE_LIT("");
	r->max_wait_ms = terms->max_wait_ms;
	r->min_bytes = terms->min_bytes;
	r->max_bytes = terms->max_bytes;
	r->isolation_level = terms->isolation;
	f->full = f->restart || f->session_id == 0 ||
	    terms->version < FETCH_SESSIONS_SINCE;
	r->session_epoch = -1;
	if (terms->version >= FETCH_SESSIONS_SINCE) {
		r->session_id = f->session_id;
		r->session_epoch = f->full ? 0 : f->session_epoch;
	}
	f->restart = false;
	f->isolation = terms->isolation;
	f->state = FEED_FLYING;
	if (f->full)
		ask_in_full(f, r, a);
	else
		ask_changes(f, r, a);
	return r;
}

/* ---- reply ---- */

/* An error named the leader (KIP-951), or the one who was named is wrong. */
static void
hint(struct fetch_part *p, int32_t leader, int32_t epoch)
{
	if (p->hint_leader == p->feed->broker)
		p->hint_leader = p->hint_epoch = -1;
	if (leader >= 0 && leader != p->feed->broker &&
	    epoch > p->hint_epoch) {
		p->hint_leader = leader;
		p->hint_epoch = epoch;
	}
	p->topic->table->generation = 0;	/* place it anew */
}

static void
learn(struct fetch_part *p, const result *res)
{
	if (res->error_code == 0) {
		p->high = res->high_watermark;
		p->stable = res->last_stable_offset;
		p->start = res->log_start_offset;
		return;
	}
	if (!error_wants_refresh(res->error_code))
		return;
	p->feed->stale = true;
	hint(p, res->current_leader.leader_id,
	    res->current_leader.leader_epoch);
}

static void
land_part(struct fetch_feed *f, struct fetch_part *p, const result *res)
{
	bool told, kept = res->records.len > 0 || res->error_code != 0 ||
	    res->diverging_epoch.epoch >= 0 ||
	    res->diverging_epoch.end_offset >= 0;

	/* Evicted, perhaps for a while only: who knows what it was asked. Of
	 * one that rests the records are asked for again. */
	if (p->feed != f || !p->known ||
	    (p->rest_until_us != 0 && res->error_code != 0))
		return;
	learn(p, res);
	if (p->rest_until_us != 0)
		return;
	told = p->high == p->told_high && p->start == p->told_start;
	list_remove(&p->news);
	if (kept && p->landed == NULL)
		f->landed++;
	else if (!kept && p->landed != NULL)
		f->landed--;
	p->landed = kept ? res : NULL;
	if (kept || !told)
		list_append(&f->news, &p->news);
}

/* The broker's session after a reply that is no error. */
static void
land_session(struct fetch_feed *f, const struct fetch_response *reply)
{
	if (f->full || reply->session_id != f->session_id) {
		f->session_id = reply->session_id;
		f->session_epoch = 1;
	} else {
		f->session_epoch = f->session_epoch == INT32_MAX ? 1 :
		    f->session_epoch + 1;
	}
}

enum fetch_landing
fetch_feed_land(struct fetch_feed *f, const struct fetch_response *reply)
{
	assert(f->state == FEED_FLYING);
	f->state = FEED_IDLE;
	switch (reply->error_code) {
	case 0:
		break;
	case KAFKA_FETCH_SESSION_ID_NOT_FOUND:
	case KAFKA_INVALID_FETCH_SESSION_EPOCH:
	case KAFKA_FETCH_SESSION_TOPIC_ID_ERROR:
		f->session_id = 0;
		f->restart = true;
		return LANDING_AFRESH;
	default:
		f->failed = reply->error_code;
		f->restart = true;
		return LANDING_FAILED;
	}
	land_session(f, reply);
	for (int32_t i = 0; i < reply->responses.n; i++) {
		const struct fetch_response_responses *from =
		    &reply->responses.v[i];
		struct fetch_topic *topic = fetch_table_topic(f->table,
		    from->topic, &from->topic_id);

		for (int32_t j = 0; topic && j < from->partitions.n; j++) {
			const result *res = &from->partitions.v[j];
			struct fetch_part *p = fetch_topic_part(topic,
			    res->partition_index);

			if (p != NULL)
				land_part(f, p, res);
		}
	}
	f->state = f->landed > 0 ? FEED_LANDED : FEED_IDLE;
	return LANDING_OK;
}

void
fetch_feed_lost(struct fetch_feed *f, int16_t error)
{
	f->state = FEED_IDLE;
	f->failed = error;
	f->restart = true;
	f->session_id = 0;
}

/* ---- what the client takes ---- */

static bool
matches(const struct fetch_part *p, int8_t isolation)
{
	return p->want.offset == p->sent.offset &&
	    p->want.leader_epoch == p->sent.leader_epoch &&
	    p->want.last_epoch == p->sent.last_epoch &&
	    p->feed->isolation == isolation;
}

void
fetch_feed_took(struct fetch_part *p)
{
	assert(p->landed != NULL && p->feed->landed > 0);
	p->landed = NULL;
	p->feed->landed--;
	list_remove(&p->news);
}

void
fetch_feed_release(struct fetch_feed *f)
{
	if (f->state != FEED_LANDED || f->landed > 0)
		return;
	f->state = FEED_IDLE;
	if (f->flight != NULL)
		fetch_flight_drop(f->flight);
	f->flight = NULL;
}

void
fetch_feed_discard(struct fetch_feed *f)
{
	LIST_FOREACH_SAFE(it, &f->news) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, news);

		if (p->landed != NULL)
			fetch_feed_took(p);
	}
	fetch_feed_release(f);
}

void
fetch_feed_match(struct fetch_feed *f, int8_t isolation)
{
	f->ready = f->ready_errors = 0;
	f->ready_bytes = 0;
	LIST_FOREACH_SAFE(it, &f->news) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, news);

		if (p->landed == NULL || !p->wanted)
			continue;
		if (!matches(p, isolation)) {
			fetch_feed_took(p);
			continue;
		}
		f->ready++;
		f->ready_bytes += p->landed->records.len;
		f->ready_errors += p->landed->records.len == 0;
	}
	if (f->ready == 0 && !list_empty(&f->parts))
		fetch_feed_discard(f);
	else
		fetch_feed_release(f);
}
