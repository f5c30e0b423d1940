/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_topics.h"

#include "gateway/base/htab.h"
#include "gateway/census_policies.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_count.h"
#include "gateway/topic_default.h"
#include "gateway/topic_rules.h"
#include "gateway/worker.h"
#include "routing/shape.h"
#include "wire/messages.h"

/* More partitions than brokers make or delete for one item (their controller
 * writes so many records at once): what asks for more comes to nothing. Where
 * nothing is refused, a request costs no more either, or one could keep its
 * tenant from changing topics for years. */
enum { CHANGE_MAX = 10000 };

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
	int32_t known = topic_default(r);

	return known > 0 ? known : 1;
}

static bool
is_by_default(const struct create_topics_request_topics *t)
{
	return t->num_partitions <= 0 && t->assignments.n <= 0;
}

/* What a topic's own entries make it; PLAIN when they do not say it. */
static enum made_class
class_made(const struct create_topics_request_topics *t)
{
	for (int32_t i = 0; i < t->configs.n; i++)
		if (slice_is(t->configs.v[i].name, "cleanup.policy"))
			return policies_compacts(t->configs.v[i].value) ?
			    MADE_COMPACTED : MADE_PLAIN;
	return MADE_PLAIN;
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

bool
throttle_only_validates(const struct request *r)
{
	switch (r->schema->key) {
	case API_CREATE_TOPICS:
		return ((const struct create_topics_request *)
		    r->body)->validate_only;
	case API_CREATE_PARTITIONS:
		return ((const struct create_partitions_request *)
		    r->body)->validate_only;
	case API_ALTER_CONFIGS:
		return ((const struct alter_configs_request *)
		    r->body)->validate_only;
	case API_INCREMENTAL_ALTER_CONFIGS:
		return ((const struct incremental_alter_configs_request *)
		    r->body)->validate_only;
	default:
		return false;
	}
}

/* ---- verdicts ---- */

/* What the new versions are refused for, the old ones have waited for. */
static int16_t
judge_rate(struct request *r, const struct quota_who *w, int64_t n)
{
	int64_t now_us = loop_now_us(r->worker->loop);
	struct quota_cost c = { 0 };
	struct quota_reason why;

	if (n > CHANGE_MAX)
		n = CHANGE_MAX;
	if (!throttle_version_knows(r->schema->key, r->version)) {
		/* What is deleted is there. */
		if (r->schema->key != API_DELETE_TOPICS &&
		    n > CHANGE_MAX - r->changed)
			n = CHANGE_MAX - r->changed;
		r->changed += n;
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
	    !throttle_version_knows(key, r->version) &&
	    !throttle_only_validates(r);
}

static int16_t
judge_more(struct request *r, const struct quota_who *w,
    const struct shape_item *item, int64_t more)
{
	const struct topic *t = topic_of(r, item);
	int64_t n = more + (t != NULL ? t->partition_count : 0);
	enum made_class class;

	if (n > INT32_MAX)
		return 0;	/* the broker will say so */
	if (r->schema->key == API_CREATE_TOPICS)
		class = class_made(item->outer);
	else if (t != NULL)
		class = throttle_class(r, w, t);
	else
		class = quota_made_class(w, item->name, NULL);
	return throttle_partitions(r, w, item->name, (int32_t)n, class);
}

int16_t
throttle_topic_judge(struct request *r, const struct shape_item *item)
{
	const struct quota_who *w = throttle_who(r->session);
	int64_t change;
	int16_t error;

	if (w == NULL || throttle_only_validates(r))
		return 0;
	change = change_of(r, item);
	if (change == 0)
		return 0;
	error = change > 0 ? judge_more(r, w, item, change) : 0;
	return error != 0 ? error : judge_rate(r, w, change < 0 ? -change :
	    change);
}

/* Partitions of a topic that Metadata makes. */
static int32_t
made_by_metadata(const struct request *r)
{
	int32_t n = by_default(r), most = topic_rules_partitions_max(r);

	return most > 0 && n > most ? most : n;
}

static bool
may_create_all(struct request *r, const struct quota_who *w,
    const struct metadata_request *ask)
{
	for (int32_t i = 0; i < ask->topics.n; i++) {
		struct made_topic m = { .name = ask->topics.v[i].name,
			.partitions = made_by_metadata(r),
			.class = MADE_PLAIN };

		if (!throttle_may_be(r, w, &m)) {
			throttle_log(r, "topic", m.name);
			return false;
		}
	}
	return true;
}

bool
throttle_may_create(struct request *r, const struct metadata_request *ask)
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_reason why;

	if (w == NULL)
		return true;
	if (!may_create_all(r, w, ask))
		return false;
	if (quota_take(w, QUOTA_DIM_PARTITION_CHANGES, (int64_t)ask->topics.n *
	    made_by_metadata(r), loop_now_us(r->worker->loop), &why))
		return true;
	throttle_refused(r, &why);
	throttle_log(r, "topic", ask->topics.v[0].name);
	throttle_tell(r, why.us, &why);
	return false;
}

/* ---- what brokers make of themselves ---- */

void
throttle_topics_learn(struct request *r, int32_t partitions, int32_t topics)
{
	const struct quota_who *w = throttle_who(r->session);
	int32_t more = partitions - by_default(r);
	struct quota_cost c = { 0 };

	if (topics == 0)
		return;
	if (more > 0 && w != NULL) {
		quota_cost_add(&c, QUOTA_DIM_PARTITION_CHANGES, (int64_t)more *
		    topics, true);
		quota_spend(w, &c, loop_now_us(r->worker->loop));
	}
	topic_default_set(r, partitions);
}

void
throttle_topics_made(struct request *r, const void *response)
{
	const struct create_topics_request *q = r->body;
	const struct create_topics_response *p = response;
	int32_t theirs = 0, made = 0;
	struct htab *asked;

	if (r->schema->key != API_CREATE_TOPICS || throttle_only_validates(r))
		return;
	asked = htab_new();
	for (int32_t i = 0; i < q->topics.n; i++)
		if (is_by_default(&q->topics.v[i]))
			htab_set(asked, q->topics.v[i].name, asked);
	for (int32_t i = 0; i < p->topics.n && htab_count(asked) > 0; i++)
		if (p->topics.v[i].error_code == 0 &&
		    p->topics.v[i].num_partitions > 0 &&
		    htab_take(asked, p->topics.v[i].name) != NULL) {
			theirs = p->topics.v[i].num_partitions;
			made++;
		}
	htab_free(asked, NULL);
	throttle_topics_learn(r, theirs, made);
}

/* ---- texts ---- */

struct telling {
	struct slice	 text;
	bool		 produce;
};

static bool
is_ours(const struct telling *t, int16_t code)
{
	return code == KAFKA_INVALID_REQUEST ||
	    code == KAFKA_THROTTLING_QUOTA_EXCEEDED ||
	    (code == KAFKA_POLICY_VIOLATION && t->produce);
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
	if (is_ours(t, code))
		memcpy((char *)value + text->offset, &t->text,
		    sizeof(t->text));
	return CODEC_KEEP;
}

void
throttle_explain(struct request *r, void *response)
{
	struct telling t = { throttle_text(r),
		r->schema->key == API_PRODUCE };

	if (t.text.len > 0)
		codec_walk(r->schema->response, r->version, response, tell,
		    &t);
}
