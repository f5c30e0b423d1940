/* SPDX-License-Identifier: Apache-2.0 */
/* From a share session to legs: who leads what, what differs from what each
 * broker's session holds, and how much each may bring. */
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/share_session.h"
#include "gateway/wire/errors.h"
#include "routing/cluster.h"
#include "routing/virtual.h"

/* ---- who leads what ---- */

static bool
concerns(const struct share *s, const struct share_part *p)
{
	return (s->fetching && p->wanted) || p->ack_count >= 0;
}

/* The partition's leader in the snapshot, or an error. */
static int16_t
find_leader(const struct cluster *c, const struct topic *t, int32_t index,
    int32_t *leader, int32_t *epoch)
{
	const struct partition *p = t ? topic_partition(t, index) : NULL;

	if (t == NULL)
		return KAFKA_UNKNOWN_TOPIC_ID;
	if (p == NULL)
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	/* Not LEADER_NOT_AVAILABLE, which share consumers do not expect. */
	if (p->leader < 0 || cluster_broker(c, p->leader) == NULL)
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	*leader = p->leader;
	*epoch = p->leader_epoch;
	return 0;
}

/* True when a newer snapshot is worth waiting for. */
static bool
place_part(struct share *s, struct share_part *p, const struct cluster *c,
    const struct topic *t, int32_t count)
{
	int32_t leader = -1;
	bool doubt;

	p->error = p->ack_error = 0;
	p->target = p->acks_to = NULL;
	p->leader = p->leader_epoch = -1;
	if (!concerns(s, p))
		return false;
	if (p->topic->denied != 0) {
		/* Hidden: waited for as one that there is not, so that the
		 * time it takes tells nothing. */
		doubt = p->topic->denied == KAFKA_UNKNOWN_TOPIC_ID &&
		    !p->doubted;
		p->error = p->topic->denied;
		p->doubted = true;
		return doubt;
	}
	p->error = find_leader(c, t, p->index, &leader, &p->leader_epoch);
	doubt = p->error != 0 && !p->doubted;
	p->doubted = p->error != 0;
	if (p->error == 0) {
		p->leader = virtual_broker(c, count, leader);
		p->target = share_broker_need(s, leader);
	}
	return doubt;
}

/* Acknowledgements go to whoever gave the records: the broker whose session has
 * the partition, else its leader. Where no session is open nothing is acquired
 * any more. */
static void
place_acks(struct share_part *p)
{
	struct share_broker *to = p->held ? p->held : p->target;

	if (p->ack_count < 0)
		return;
	if (p->topic->denied != 0)
		p->ack_error = p->topic->denied;
	else if (to == NULL)
		p->ack_error = p->error;
	else if (to->epoch == SHARE_EPOCH_OPEN || to->stale)
		p->ack_error = KAFKA_INVALID_RECORD_STATE;
	else
		p->acks_to = to;
	if (p->acks_to != NULL)
		p->ack_error = KAFKA_UNKNOWN_SERVER_ERROR; /* for now */
}

/* With several virtual brokers a connection stands for one of them, and brokers
 * know a member once only: a partition whose leader the client finds elsewhere
 * is not to be read here too. The choice follows what is asked for. */
static void
choose_seen(struct share *s, int32_t count)
{
	int32_t *votes = mem_zalloc((size_t)count *
	    sizeof(*votes));
	int32_t best = -1;

	SHARE_EACH_PART(it, s) {
		const struct share_part *p = share_part_at(it);

		if (p->wanted && p->target != NULL && p->leader >= 0)
			votes[p->leader]++;
	}
	for (int32_t i = 0; i < count; i++)
		if (votes[i] > 0 && (best < 0 || votes[i] > votes[best]))
			best = i;
	if (best >= 0 && (s->seen < 0 || s->seen >= count ||
	    votes[s->seen] == 0))
		s->seen = best;
	free(votes);
}

static void
keep_apart(struct share *s)
{
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		if (!p->wanted || p->target == NULL || p->leader == s->seen)
			continue;
		p->target = NULL;
		p->error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	}
}

void
share_judge(struct share *s, const struct cluster *c, share_judge_cb *judge,
    void *arg)
{
	LIST_FOREACH(it, &s->topics) {
		struct share_topic *topic = share_topic_at(it);
		const struct topic *t = cluster_visible_by_id(c, &topic->id);

		topic->denied = t != NULL ? judge(arg, t->name) : 0;
	}
}

void
share_rest(struct share *s, share_rests_cb *ask, void *arg)
{
	s->resting = false;
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		p->rests = s->fetching && p->wanted &&
		    p->topic->denied == 0 && ask(arg, &p->topic->id,
		    p->index);
		s->resting |= p->rests;
	}
}

bool
share_place(struct share *s, const struct cluster *c, int32_t count)
{
	bool doubt = false;

	LIST_FOREACH(ti, &s->topics) {
		struct share_topic *topic = share_topic_at(ti);
		const struct topic *t = cluster_visible_by_id(c, &topic->id);

		LIST_FOREACH(pi, &topic->parts)
			doubt |= place_part(s, share_part_at(pi), c, t, count);
	}
	if (count > 1 && s->fetching) {
		choose_seen(s, count);
		keep_apart(s);
	}
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		place_acks(p);
		if (s->fetching && p->wanted && !p->rests)
			continue;
		p->target = NULL;
		if (!p->rests)
			p->error = 0;
	}
	return doubt;
}

/* ---- legs ---- */

/* Whether the broker's session is to have the partition after this request. */
static bool
keeps(const struct share *s, const struct share_part *p,
    const struct share_broker *b)
{
	return (s->fetching ? p->target : p->held) == b;
}

static bool
named(const struct share *s, const struct share_part *p,
    const struct share_broker *b)
{
	return p->acks_to == b || (keeps(s, p, b) && p->held != b);
}

static bool
forgotten(const struct share *s, const struct share_part *p,
    const struct share_broker *b)
{
	return !keeps(s, p, b) && (p->held == b || p->acks_to == b);
}

static int32_t
count_parts(const struct share *s, const struct share_topic *t,
    const struct share_broker *b,
    bool (*which)(const struct share *, const struct share_part *,
    const struct share_broker *))
{
	int32_t n = 0;

	LIST_FOREACH(it, &t->parts)
		n += which(s, share_part_at(it), b);
	return n;
}

static void
add_named(const struct share *s, const struct share_topic *t,
    const struct share_broker *b, struct share_fetch_request *to,
    struct arena *a)
{
	int32_t n = count_parts(s, t, b, named);
	struct share_fetch_request_topics *o;

	if (n == 0)
		return;
	o = &to->topics.v[to->topics.n++];
	o->topic_id = t->id;
	o->partitions.v = ARENA_ARRAY(a,
	    struct share_fetch_request_topics_partitions, n);
	LIST_FOREACH(it, &t->parts) {
		const struct share_part *p = share_part_at(it);
		struct share_fetch_request_topics_partitions *q;

		if (!named(s, p, b))
			continue;
		q = &o->partitions.v[o->partitions.n++];
		q->partition_index = p->index;
		if (p->acks_to != b)
			continue;
		q->acknowledgement_batches.v = p->acks;
		q->acknowledgement_batches.n = p->ack_count;
	}
}

static void
add_forgotten(const struct share *s, const struct share_topic *t,
    const struct share_broker *b, struct share_fetch_request *to,
    struct arena *a)
{
	int32_t n = count_parts(s, t, b, forgotten);
	struct share_fetch_request_forgotten_topics_data *o;

	if (n == 0)
		return;
	o = &to->forgotten_topics_data.v[to->forgotten_topics_data.n++];
	o->topic_id = t->id;
	o->partitions.v = ARENA_ARRAY(a, int32_t, n);
	LIST_FOREACH(it, &t->parts)
		if (forgotten(s, share_part_at(it), b))
			o->partitions.v[o->partitions.n++] =
			    share_part_at(it)->index;
}

static int32_t
count_topics(const struct share *s)
{
	int32_t n = 0;

	LIST_FOREACH(it, &s->topics)
		n++;
	return n;
}

/* What the broker is to be told of its session. */
static void
add_changes(struct share *s, struct share_broker *b,
    struct share_fetch_request *to, struct arena *a)
{
	int32_t topics = count_topics(s);
	bool final = to->share_session_epoch == SHARE_EPOCH_FINAL;

	if (topics == 0)
		return;
	to->topics.v = ARENA_ARRAY(a, struct share_fetch_request_topics,
	    topics);
	to->forgotten_topics_data.v = ARENA_ARRAY(a,
	    struct share_fetch_request_forgotten_topics_data, topics);
	LIST_FOREACH(it, &s->topics) {
		add_named(s, share_topic_at(it), b, to, a);
		if (!final)
			add_forgotten(s, share_topic_at(it), b, to, a);
	}
}

static void
note_held(struct share *s, struct share_broker *b)
{
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		if (keeps(s, p, b))
			p->held = b;
		else if (p->held == b)
			p->held = NULL;
	}
}

static struct share_fetch_request *
new_body(const struct share *s, const struct share_fetch_request *q,
    int32_t epoch, struct arena *a)
{
	struct share_fetch_request *to = ARENA_NEW(a,
	    struct share_fetch_request);

	to->group_id = s->group;
	to->member_id = s->member;
	to->share_session_epoch = epoch;
	to->batch_size = q->batch_size;
	to->share_acquire_mode = q->share_acquire_mode;
	to->is_renew_ack = q->is_renew_ack;
	return to;
}

/* ---- how much each may bring ---- */

struct portions {
	int32_t		 fetchers;	/* brokers with partitions */
	int32_t		 asked;		/* how many of them this time */
	int32_t		 first;		/* whose turn it is */
	int32_t		 records;
	int32_t		 wait_ms, bytes;
};

static int32_t
clamp(int32_t v, int32_t most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

static void
divide(struct portions *o, struct share *s,
    const struct share_fetch_request *q, bool trouble)
{
	o->fetchers = 0;
	LIST_FOREACH(it, &s->brokers)
		o->fetchers += share_broker_at(it)->targets > 0;
	o->records = clamp(q->max_records, INT32_MAX);
	/* Each record given is locked: never more than was asked for. */
	o->asked = o->records < o->fetchers ? o->records : o->fetchers;
	o->first = o->fetchers ? (int32_t)(s->turn % (uint32_t)o->fetchers) : 0;
	s->turn += (uint32_t)o->asked;
	o->wait_ms = clamp(q->max_wait_ms, o->fetchers > 1 || trouble ?
	    SHARE_WAIT_SHARED_MS : SHARE_WAIT_MAX_MS);
	o->bytes = clamp(q->max_bytes, INT32_MAX);
	if (o->asked > 1 && o->bytes > SHARE_LEG_BYTES_MIN) {
		o->bytes /= o->asked;
		if (o->bytes < SHARE_LEG_BYTES_MIN)
			o->bytes = SHARE_LEG_BYTES_MIN;
	}
}

/* Fills the share of the i-th fetcher; false when it is not asked this time. */
static bool
give_portion(const struct portions *o, int32_t i,
    const struct share_fetch_request *q, struct share_fetch_request *to)
{
	int32_t place = (i - o->first + o->fetchers) % o->fetchers;

	if (place >= o->asked)
		return false;
	to->max_records = o->records / o->asked +
	    (place < o->records % o->asked);
	to->max_bytes = o->bytes;
	to->max_wait_ms = o->wait_ms;
	to->min_bytes = clamp(q->min_bytes, o->bytes);
	return true;
}

/* ---- all legs of a request ---- */

static bool
count_work(struct share *s)
{
	bool trouble = false;

	LIST_FOREACH(it, &s->brokers) {
		struct share_broker *b = share_broker_at(it);

		b->targets = b->acks = b->changes = 0;
	}
	SHARE_EACH_PART(it, s) {
		struct share_part *p = share_part_at(it);

		trouble |= p->error != 0 || p->rests;
		if (p->target != NULL)
			p->target->targets++;
		if (p->acks_to != NULL)
			p->acks_to->acks++;
		if (!s->fetching || p->target == p->held)
			continue;
		if (p->target != NULL)
			p->target->changes++;
		if (p->held != NULL)
			p->held->changes++;
	}
	return trouble;
}

static void
close_leg(struct share *s, struct share_broker *b,
    const struct share_fetch_request *q, struct arena *a,
    struct share_leg_plan *to)
{
	to->broker = b;
	to->body = new_body(s, q, SHARE_EPOCH_FINAL, a);
	to->body->is_renew_ack = false;
	to->closes = b->stale;
	to->acks = b->acks > 0;
	if (to->acks) {
		to->body->is_renew_ack = q->is_renew_ack;
		add_changes(s, b, to->body, a);
	}
	b->epoch = SHARE_EPOCH_OPEN;
	b->stale = false;
	if (!to->closes)
		note_held(s, b);
}

static void
work_leg(struct share *s, struct share_broker *b,
    const struct share_fetch_request *q, struct arena *a,
    struct share_leg_plan *to)
{
	if (b->stale)
		b->epoch = SHARE_EPOCH_OPEN;
	b->stale = false;
	to->broker = b;
	to->body = new_body(s, q, b->epoch, a);
	to->acks = b->acks > 0;
	b->epoch = share_next_epoch(b->epoch);
	if (b->changes == 0 && b->acks == 0)
		return;
	add_changes(s, b, to->body, a);
	note_held(s, b);
}

static bool
plan_broker(struct share *s, struct share_broker *b,
    const struct share_fetch_request *q, const struct portions *o, int32_t *i,
    struct arena *a, struct share_leg_plan *to)
{
	struct share_fetch_request portion = { .max_records = 0 };
	bool asked = b->targets > 0 && give_portion(o, (*i)++, q, &portion);

	if (q->share_session_epoch == SHARE_EPOCH_FINAL ||
	    (b->stale && b->targets == 0)) {
		if (b->epoch == SHARE_EPOCH_OPEN)
			return false;
		close_leg(s, b, q, a, to);
		return true;
	}
	if (!asked && b->acks == 0 && (b->targets > 0 || b->changes == 0))
		return false;
	work_leg(s, b, q, a, to);
	to->fetches = asked;
	to->body->max_records = portion.max_records;
	to->body->max_bytes = portion.max_bytes;
	to->body->max_wait_ms = portion.max_wait_ms;
	to->body->min_bytes = portion.min_bytes;
	return true;
}

int32_t
share_legs(struct share *s, const struct share_fetch_request *q,
    struct arena *a, struct share_leg_plan **legs)
{
	struct portions o;
	bool trouble = count_work(s);
	int32_t n = 0, i = 0;

	LIST_FOREACH(it, &s->brokers)
		n++;
	*legs = ARENA_ARRAY(a, struct share_leg_plan, n + 1);
	divide(&o, s, q, trouble);
	n = 0;
	LIST_FOREACH(it, &s->brokers)
		n += plan_broker(s, share_broker_at(it), q, &o, &i, a,
		    &(*legs)[n]);
	return n;
}

void
share_restart(struct share *s, struct share_leg_plan *leg, struct arena *a)
{
	struct share_broker *b = leg->broker;
	struct share_fetch_request *to = leg->body;

	share_lost(s, b->id);
	to->share_session_epoch = SHARE_EPOCH_OPEN;
	to->topics.n = to->forgotten_topics_data.n = 0;
	add_changes(s, b, to, a);
	note_held(s, b);
	b->epoch = share_next_epoch(SHARE_EPOCH_OPEN);
}
