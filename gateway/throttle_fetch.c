/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_fetch.h"

#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/fetch_table.h"
#include "gateway/request.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_parts.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum {
	SIZE_SINCE = 3,			/* version with max_bytes at the top */
	/* All that wait have that part of a second's bytes together, so that
	 * few large answers do not make a window uneven. Beyond so many of them
	 * an answer is no smaller: one that is far away asks seldom. And it is
	 * not less than a client's usual batch. */
	PARTS_OF_SECOND = 8,
	PARTED_MAX = 5,
	ANSWER_MIN = 64 * 1024,
	REST_MAX_US = 1000000,
	WAIT_MAX_US = 1000000000,
};

struct throttle_turn {
	struct line_entry	 entry;
	struct session		*session;
	void			(*turn)(void *arg);
	void			*arg;
	bool			 late;
};

static int64_t
now_us(const struct session *s)
{
	return loop_now_us(s->worker->loop);
}

static int64_t
wait_us(const struct session *s, struct quota_reason *why)
{
	const struct quota_who *w = throttle_who(s);
	struct quota_cost c = { 0 };

	if (w == NULL)
		return 0;
	quota_cost_add(&c, QUOTA_DIM_EGRESS, 0, true);
	return quota_wait_us(w, &c, now_us(s), why);
}

bool
throttle_fetch_size(struct request *r, int32_t max_bytes)
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_reason why;
	int64_t most;

	if (w == NULL || (r->schema->key == API_FETCH &&
	    r->version < SIZE_SINCE))
		return true;
	most = quota_size_limit(w, QUOTA_DIM_FETCH_BYTES, max_bytes,
	    now_us(r->session), &why);
	return most < 0 || max_bytes <= most;
}

int32_t
throttle_fetch_most(const struct request *r, int32_t max_bytes)
{
	const struct quota_who *w = throttle_who(r->session);
	int64_t most, among;

	if (w == NULL)
		return max_bytes;
	most = quota_rate_limit(w, QUOTA_DIM_EGRESS);
	if (most < 0)
		return max_bytes;
	among = line_waiting(w, QUOTA_OUT);
	if (among < 1)
		among = 1;
	if (among > PARTED_MAX)
		among = PARTED_MAX;
	most /= PARTS_OF_SECOND * among;
	if (most < ANSWER_MIN)
		most = ANSWER_MIN;
	return max_bytes < most ? max_bytes : (int32_t)most;
}

int64_t
throttle_fetch_dry_us(struct request *r)
{
	return wait_us(r->session, NULL);
}

bool
throttle_fetch_may(const struct request *r)
{
	const struct quota_who *w = throttle_who(r->session);

	return w == NULL || (line_waiting(w, QUOTA_OUT) == 0 &&
	    wait_us(r->session, NULL) == 0);
}

void
throttle_fetched(struct request *r, bool rests)
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_cost c = { 0 };
	struct quota_reason why;
	int64_t at_us, us;

	if (w == NULL)
		return;
	at_us = now_us(r->session);
	quota_cost_add(&c, QUOTA_DIM_EGRESS, r->read_bytes, true);
	if (r->read_bytes > 0) {
		quota_spend(w, &c, at_us);
		line_given(w, QUOTA_OUT, r->read_bytes);
	}
	us = quota_throttle_us(w, &c, QUOTA_OUT, at_us, &why);
	if (rests && r->throttle_us > us) {
		us = r->throttle_us;
		why.record = NULL;	/* noted when it began to rest */
	}
	r->throttle_us = 0;
	throttle_tell(r, us, &why);
}

/* ---- partitions ---- */

/* NULL: no limit. */
static struct quota_topic *
topic_by_id(struct request *r, const struct uuid *id)
{
	struct quota_topic *q = NULL;
	const struct topic *in;

	if (!throttle_parts_limited(r))
		return NULL;
	in = cluster_topic_by_id(r->worker->cluster, id);
	if (in == NULL || !throttle_topic(r->session, in->name, &q))
		return NULL;
	return q;
}

/* NULL: no limit. It is kept at the topic while limits are the same. */
static struct quota_topic *
limit_of(struct request *r, struct fetch_topic *t)
{
	const struct quota_who *w = throttle_who(r->session);
	struct slice name = t->name;
	struct quota_topic *q;
	uint32_t version;

	if (w == NULL || !quota_limits_partitions(w->account))
		return NULL;
	version = quota_limits_version(w->account);
	if (t->limit_version == version)
		return t->limit;
	if (t->table->by_id) {
		const struct topic *in = cluster_topic_by_id(
		    r->worker->cluster, &t->id);

		if (in == NULL)
			return NULL;
		name = in->name;
	}
	if (!throttle_topic(r->session, name, &q))
		return NULL;
	quota_topic_unref(t->limit);
	t->limit = quota_topic_ref(q);
	t->limit_version = version;
	return q;
}

/* How long a debt may last changes with the fleet, so it is looked at again. */
static int64_t
capped(int64_t us)
{
	return us < REST_MAX_US ? us : REST_MAX_US;
}

/* How long it is to rest. */
static int64_t
part_read(struct request *r, struct quota_topic *q, int32_t partition,
    uint32_t bytes)
{
	struct quota_reason why = { .us = 0 };
	int64_t at_us, us;

	if (!quota_topic_limited(q, true))
		return 0;
	at_us = now_us(r->session);
	us = capped(quota_part_spend(q, partition, true, bytes, at_us, &why));
	if (us > 0)
		quota_note(why.record, us, at_us);
	return us;
}

int64_t
throttle_part_read(struct request *r, struct fetch_topic *t,
    int32_t partition, uint32_t bytes)
{
	return part_read(r, limit_of(r, t), partition, bytes);
}

/* The least that any of them waits is what its client is told. */
static void
tell_least(struct request *r, int64_t us)
{
	if (us > WAIT_MAX_US)
		us = WAIT_MAX_US;
	if (r->throttle_us == 0 || us < r->throttle_us)
		r->throttle_us = us;
}

static void
rest_topic(struct request *r, struct fetch_topic *topic,
    struct quota_topic *q, int64_t at_us)
{
	LIST_FOREACH(at, &topic->parts) {
		struct fetch_part *p = LIST_ENTRY(at, struct fetch_part, link);
		struct quota_reason why = { .us = 0 };
		int64_t us;

		if (!p->wanted)
			continue;
		us = quota_part_wait_us(q, p->index, true, at_us, &why);
		if (us == 0)
			continue;
		tell_least(r, us);
		if (p->rest_until_us != 0 || p->landed != NULL)
			continue;
		fetch_part_rest(p, at_us + capped(us));
		quota_note(why.record, capped(us), at_us);
	}
}

void
throttle_share_read(struct request *r, const struct uuid *topic,
    int32_t partition, uint32_t bytes)
{
	(void)part_read(r, topic_by_id(r, topic), partition, bytes);
}

bool
throttle_share_rests(struct request *r, const struct uuid *topic,
    int32_t partition)
{
	int64_t at_us = now_us(r->session), us;
	struct quota_reason why = { .us = 0 };
	struct quota_topic *q;

	if (!throttle_parts_limited(r) || !quota_parts_owe(
	    throttle_who(r->session)->account, true, at_us))
		return false;
	q = topic_by_id(r, topic);
	if (q == NULL || !quota_topic_owes(q, true, at_us))
		return false;
	us = quota_part_wait_us(q, partition, true, at_us, &why);
	if (us == 0)
		return false;
	tell_least(r, us);
	quota_note(why.record, capped(us), at_us);
	return true;
}

void
throttle_rest(struct request *r, struct fetch_table *t)
{
	const struct quota_who *w = throttle_who(r->session);
	int64_t at_us;

	if (!throttle_parts_limited(r))
		return;
	at_us = now_us(r->session);
	/* Nearly always. */
	if (!quota_parts_owe(w->account, true, at_us))
		return;
	LIST_FOREACH(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);
		struct quota_topic *q = topic->denied == 0 ?
		    limit_of(r, topic) : NULL;

		if (q != NULL && quota_topic_owes(q, true, at_us))
			rest_topic(r, topic, q, at_us);
	}
}

/* ---- in line ---- */

static int64_t
turn_wait(struct line_entry *e, int64_t at_us)
{
	struct throttle_turn *t = LIST_ENTRY(e, struct throttle_turn, entry);
	struct quota_reason why;
	int64_t us = wait_us(t->session, &why);

	(void)at_us;
	e->own = us > 0 && (why.scope == QUOTA_PRINCIPAL ||
	    why.scope == QUOTA_CLIENT);
	return us;
}

static void
turn_came(struct line_entry *e, bool late)
{
	struct throttle_turn *t = LIST_ENTRY(e, struct throttle_turn, entry);

	t->late = late;
	t->turn(t->arg);
}

struct throttle_turn *
throttle_turn_new(struct session *s, void (*turn)(void *arg), void *arg)
{
	struct throttle_turn *t = mem_zalloc(sizeof(*t));

	t->session = s;
	t->turn = turn;
	t->arg = arg;
	t->entry.wait = turn_wait;
	t->entry.turn = turn_came;
	return t;
}

void
throttle_turn_free(struct throttle_turn *t)
{
	if (t == NULL)
		return;
	line_leave(&t->entry);
	free(t);
}

void
throttle_turn_join(struct throttle_turn *t, int64_t late_us)
{
	if (t->entry.party != NULL)
		return;
	t->entry.late_us = late_us;
	line_join(throttling_lines(t->session->worker->throttling),
	    throttle_who(t->session), QUOTA_OUT, &t->entry);
	metric_add(t->session->worker->metrics, METRIC_THROTTLE_HELD, 1);
}

void
throttle_turn_leave(struct throttle_turn *t)
{
	line_leave(&t->entry);
}

bool
throttle_turn_late(const struct throttle_turn *t)
{
	return t->late;
}
