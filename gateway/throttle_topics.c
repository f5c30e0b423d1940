/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_topics.h"

#include "gateway/base/htab.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/shape.h"
#include "wire/messages.h"

/* ---- how many there are ---- */

/* Of a request: counted once, and again in a newer snapshot. */
struct topic_counts {
	uint64_t		 generation;	/* of the snapshot */
	int64_t			 there;		/* partitions in it */
	int64_t			 made;		/* by the request's items */
};

struct counting {
	const struct cluster	*cluster;
	int64_t			 n;
};

static void
count_range(void *arg, struct slice physical, bool whole)
{
	struct counting *k = arg;
	const struct cluster *c = k->cluster;

	for (int32_t i = cluster_topics_from(c, physical);
	    i < c->topic_count; i++) {
		const struct topic *t = &c->topics[i];

		if (t->name.len < physical.len || memcmp(t->name.data,
		    physical.data, physical.len) != 0 ||
		    (whole && t->name.len != physical.len))
			break;
		if (!t->internal)
			k->n += t->partition_count;
	}
}

static struct topic_counts *
counts_of(struct request *r)
{
	struct counting k = { r->worker->cluster, 0 };
	struct topic_counts *to = r->topic_counts;

	if (to == NULL)
		to = r->topic_counts = ARENA_NEW(&r->arena,
		    struct topic_counts);
	else if (to->generation == k.cluster->generation)
		return to;
	names_ranges(tenancy_names(r->session), NAME_TOPIC, count_range, &k);
	to->generation = k.cluster->generation;
	to->there = k.n;
	return to;
}

/* ---- what an item is about ---- */

static const struct topic *
topic_of(const struct request *r, const struct shape_item *item)
{
	return item->id != NULL && !uuid_is_zero(item->id) ?
	    cluster_topic_by_id(r->worker->cluster, item->id) :
	    cluster_topic(r->worker->cluster, item->name);
}

/* As many as brokers make when they are not told; one until that is known. */
static int32_t
by_default(const struct request *r)
{
	int known = atomic_load_explicit(
	    &r->worker->gateway->default_partitions, memory_order_relaxed);

	return known > 0 ? known : 1;
}

static bool
is_by_default(const struct create_topics_request_topics *t)
{
	return t->num_partitions <= 0 && t->assignments.n <= 0;
}

/* How many partitions more there will be; less than none: fewer. */
static int64_t
change_of(const struct request *r, const struct shape_item *item)
{
	const struct topic *t = topic_of(r, item);
	const struct create_topics_request_topics *made = item->outer;
	const struct create_partitions_request_topics *more = item->outer;
	int64_t had = t != NULL ? t->partition_count : 0;

	switch (r->schema->key) {
	case API_CREATE_TOPICS:
		if (t != NULL)
			return 0;	/* the broker will say so */
		if (made->assignments.n > 0)
			return made->assignments.n;
		return made->num_partitions > 0 ? made->num_partitions :
		    by_default(r);
	case API_CREATE_PARTITIONS:
		/* One that is not known yet may be there: it counts whole. */
		return more->count > had ? more->count - had : 0;
	default:
		/* As little as there may be of one that is not known yet. */
		return had > 0 ? -had : -1;
	}
}

static bool
only_validates(const struct request *r)
{
	switch (r->schema->key) {
	case API_CREATE_TOPICS:
		return ((const struct create_topics_request *)
		    r->body)->validate_only;
	case API_CREATE_PARTITIONS:
		return ((const struct create_partitions_request *)
		    r->body)->validate_only;
	default:
		return false;
	}
}

/* ---- verdicts ---- */

/* With what the request makes before this; what other requests made since the
 * snapshot left out. */
static int16_t
judge_count(struct request *r, const struct quota_who *w, int64_t more)
{
	struct topic_counts *counts;
	struct quota_reason why;
	int64_t now, most;

	/* There may be many items and topics: only a limit is worth it. */
	if (more <= 0 || !quota_is_limited(w, QUOTA_DIM_PARTITIONS))
		return 0;
	counts = counts_of(r);
	now = counts->there + counts->made + more;
	most = quota_size_limit(w, QUOTA_DIM_PARTITIONS, now,
	    loop_now_us(r->worker->loop), &why);
	if (most < 0 || now <= most) {
		counts->made += more;
		return 0;
	}
	throttle_refused(r, &why);
	return KAFKA_INVALID_REQUEST;
}

/* What the new versions are refused for, the old ones have waited for. */
static int16_t
judge_rate(struct request *r, const struct quota_who *w, int64_t n)
{
	int64_t now_us = loop_now_us(r->worker->loop);
	struct quota_cost c = { 0 };
	struct quota_reason why;

	if (!throttle_version_knows(r->schema->key, r->version)) {
		quota_cost_add(&c, QUOTA_DIM_PARTITION_CHANGES, n, true);
		quota_spend(w, &c, now_us);
		return 0;
	}
	if (quota_take(w, QUOTA_DIM_PARTITION_CHANGES, n, now_us, &why))
		return 0;
	throttle_refused(r, &why);
	throttle_tell(r, why.us, &why);
	return KAFKA_THROTTLING_QUOTA_EXCEEDED;
}

bool
throttle_topics_wait(const struct request *r)
{
	int16_t key = r->schema->key;

	return (key == API_CREATE_TOPICS || key == API_CREATE_PARTITIONS ||
	    key == API_DELETE_TOPICS) &&
	    !throttle_version_knows(key, r->version) && !only_validates(r);
}

int16_t
throttle_topic_judge(struct request *r, const struct shape_item *item)
{
	const struct quota_who *w = throttle_who(r->session);
	int64_t change;
	int16_t error;

	if (w == NULL || only_validates(r))
		return 0;
	change = change_of(r, item);
	if (change == 0)
		return 0;
	error = judge_count(r, w, change);
	return error != 0 ? error : judge_rate(r, w, change < 0 ? -change :
	    change);
}

bool
throttle_may_create(struct request *r, int32_t topics)
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_reason why;
	int64_t made;

	if (w == NULL)
		return true;
	made = (int64_t)topics * by_default(r);
	if (judge_count(r, w, made) != 0)
		return false;
	if (quota_take(w, QUOTA_DIM_PARTITION_CHANGES, made,
	    loop_now_us(r->worker->loop), &why))
		return true;
	throttle_tell(r, why.us, &why);
	return false;
}

/* ---- what brokers make of themselves ---- */

static void
learn(struct request *r, int32_t partitions)
{
	const struct quota_who *w = throttle_who(r->session);
	int32_t more = partitions - by_default(r);
	struct quota_cost c = { 0 };

	if (more > 0 && w != NULL) {
		quota_cost_add(&c, QUOTA_DIM_PARTITION_CHANGES, more, true);
		quota_spend(w, &c, loop_now_us(r->worker->loop));
	}
	atomic_store(&r->worker->gateway->default_partitions, partitions);
}

void
throttle_topics_made(struct request *r, const void *response)
{
	const struct create_topics_request *q = r->body;
	const struct create_topics_response *p = response;
	struct htab *asked;

	if (r->schema->key != API_CREATE_TOPICS || only_validates(r))
		return;
	asked = htab_new();
	for (int32_t i = 0; i < q->topics.n; i++)
		if (is_by_default(&q->topics.v[i]))
			htab_set(asked, q->topics.v[i].name, asked);
	for (int32_t i = 0; i < p->topics.n && htab_count(asked) > 0; i++)
		if (p->topics.v[i].error_code == 0 &&
		    p->topics.v[i].num_partitions > 0 &&
		    htab_take(asked, p->topics.v[i].name) != NULL)
			learn(r, p->topics.v[i].num_partitions);
	htab_free(asked, NULL);
}

/* ---- texts ---- */

struct telling {
	struct slice	 text;
};

static bool
is_ours(int16_t code)
{
	return code == KAFKA_INVALID_REQUEST ||
	    code == KAFKA_THROTTLING_QUOTA_EXCEEDED;
}

static enum codec_walk
tell(void *arg, const struct field *f, void *value, void *parent)
{
	const struct telling *t = arg;
	const struct field *text, *error;
	int16_t code;

	(void)parent;
	if (f->type != FIELD_STRUCT ||
	    (text = message_field(f->element, "error_message")) == NULL ||
	    (error = message_field(f->element, "error_code")) == NULL)
		return CODEC_KEEP;
	memcpy(&code, (char *)value + error->offset, sizeof(code));
	if (is_ours(code))
		memcpy((char *)value + text->offset, &t->text,
		    sizeof(t->text));
	return CODEC_KEEP;
}

void
throttle_explain(struct request *r, void *response)
{
	struct telling t = { throttle_text(r) };

	if (t.text.len > 0)
		codec_walk(r->schema->response, r->version, response, tell,
		    &t);
}
