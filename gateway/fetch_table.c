/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fetch_table.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/fetch_feed.h"
#include "gateway/wire/errors.h"
#include "quota/quota.h"
#include "routing/cluster.h"

static atomic_uint node_parts;		/* in all tables of the process */
static atomic_uint_fast64_t node_parts_max = FETCH_PARTITIONS_NODE_MAX;

void
fetch_table_limit(uint64_t parts)
{
	atomic_store(&node_parts_max, parts);
}

void
fetch_table_init(struct fetch_table *t, bool by_id)
{
	memset(t, 0, sizeof(*t));
	list_init(&t->topics);
	list_init(&t->homeless);
	list_init(&t->resting);
	list_init(&t->feeds);
	t->by_id = by_id;
}

static void
topic_free(struct fetch_topic *topic)
{
	htab_free(topic->by_index, NULL);
	quota_topic_unref(topic->limit);
	free(topic);
}

void
fetch_table_fini(struct fetch_table *t)
{
	assert(list_empty(&t->feeds));
	atomic_fetch_sub_explicit(&node_parts, t->parts, memory_order_relaxed);
	LIST_FOREACH_SAFE(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);

		LIST_FOREACH_SAFE(at, &topic->parts)
			free(LIST_ENTRY(at, struct fetch_part, link));
		topic_free(topic);
	}
	htab_free(t->by_key, NULL);
	fetch_table_init(t, t->by_id);
}

/* ---- topics ---- */

static struct slice
topic_key(const struct fetch_topic *topic)
{
	if (topic->table->by_id)
		return (struct slice){ topic->id.b, sizeof(topic->id.b) };
	return topic->name;
}

static bool
topic_is(const struct fetch_topic *topic, struct slice name,
    const struct uuid *id)
{
	return topic->table->by_id ? uuid_eq(&topic->id, id) :
	    slice_eq(topic->name, name);
}

static struct fetch_topic *
topic_search(struct fetch_table *t, struct slice name, const struct uuid *id)
{
	if (t->by_key != NULL)
		return htab_get(t->by_key, t->by_id ?
		    (struct slice){ id->b, sizeof(id->b) } : name);
	LIST_FOREACH(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);

		if (topic_is(topic, name, id))
			return topic;
	}
	return NULL;
}

struct fetch_topic *
fetch_table_topic(struct fetch_table *t, struct slice name,
    const struct uuid *id)
{
	struct fetch_topic *topic = t->last;

	if (topic != NULL && topic_is(topic, name, id))
		return topic;
	topic = topic_search(t, name, id);
	if (topic != NULL)
		t->last = topic;
	return topic;
}

static void
index_topic(struct fetch_table *t, struct fetch_topic *topic)
{
	if (t->by_key != NULL) {
		htab_set(t->by_key, topic_key(topic), topic);
		return;
	}
	if (t->topic_count <= FETCH_SCAN_MAX)
		return;
	t->by_key = htab_new();
	LIST_FOREACH(it, &t->topics) {
		topic = LIST_ENTRY(it, struct fetch_topic, link);
		htab_set(t->by_key, topic_key(topic), topic);
	}
}

static struct fetch_topic *
topic_add(struct fetch_table *t, struct slice name, const struct uuid *id)
{
	size_t len = t->by_id ? 0 : name.len;
	struct fetch_topic *topic = mem_zalloc(sizeof(*topic) + len + 1);
	uint8_t *text = (uint8_t *)(topic + 1);

	if (t->by_id) {
		topic->id = *id;
	} else {
		if (len > 0)
			memcpy(text, name.data, len);
		topic->name = (struct slice){ text, name.len };
	}
	topic->table = t;
	list_init(&topic->parts);
	topic->cursor = &topic->parts;
	list_append(&t->topics, &topic->link);
	t->topic_count++;
	t->unjudged++;
	t->last = topic;
	index_topic(t, topic);
	return topic;
}

static void
topic_remove(struct fetch_topic *topic)
{
	struct fetch_table *t = topic->table;

	list_remove(&topic->link);
	if (t->by_key != NULL)
		htab_take(t->by_key, topic_key(topic));
	if (t->last == topic)
		t->last = NULL;
	t->topic_count--;
	t->unjudged -= !topic->judged;
	topic_free(topic);
}

/* ---- partitions ---- */

static struct slice
part_key(const int32_t *index)
{
	return (struct slice){ (const uint8_t *)index, sizeof(*index) };
}

static struct fetch_part *
part_search(const struct fetch_topic *topic, int32_t index)
{
	if (topic->by_index != NULL)
		return htab_get(topic->by_index, part_key(&index));
	LIST_FOREACH(it, &topic->parts) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, link);

		if (p->index == index)
			return p;
	}
	return NULL;
}

/* Requests and replies mostly name partitions in the order they came to the
 * table: the one after the last is tried first. */
struct fetch_part *
fetch_topic_part(struct fetch_topic *topic, int32_t index)
{
	struct fetch_part *p;

	if (topic->cursor == &topic->parts)
		topic->cursor = topic->parts.next;
	if (topic->cursor == &topic->parts)
		return NULL;
	p = LIST_ENTRY(topic->cursor, struct fetch_part, link);
	if (p->index != index)
		p = part_search(topic, index);
	if (p != NULL)
		topic->cursor = p->link.next;
	return p;
}

static void
index_part(struct fetch_topic *topic, struct fetch_part *p)
{
	if (topic->by_index != NULL) {
		htab_set(topic->by_index, part_key(&p->index), p);
		return;
	}
	if (topic->count <= FETCH_SCAN_MAX)
		return;
	topic->by_index = htab_new();
	LIST_FOREACH(it, &topic->parts) {
		p = LIST_ENTRY(it, struct fetch_part, link);
		htab_set(topic->by_index, part_key(&p->index), p);
	}
}

static struct fetch_part *
part_add(struct fetch_topic *topic, int32_t index)
{
	struct fetch_part *p = mem_zalloc(sizeof(*p));

	p->topic = topic;
	p->index = index;
	p->high = p->stable = p->start = -1;
	p->hint_leader = p->hint_epoch = -1;
	list_init(&p->at);
	list_init(&p->dirty);
	list_init(&p->news);
	list_append(&topic->parts, &p->link);
	topic->count++;
	topic->table->parts++;
	atomic_fetch_add_explicit(&node_parts, 1, memory_order_relaxed);
	index_part(topic, p);
	return p;
}

static bool
ask_eq(const struct fetch_ask *a, const struct fetch_ask *b)
{
	return a->offset == b->offset && a->leader_epoch == b->leader_epoch &&
	    a->last_epoch == b->last_epoch && a->max_bytes == b->max_bytes;
}

/* Takes it from its feed, whose broker will start afresh without it. */
static void
part_evict(struct fetch_part *p)
{
	if (p->landed != NULL)
		fetch_feed_took(p);
	list_remove(&p->at);
	list_remove(&p->dirty);
	list_remove(&p->news);
	if (p->feed != NULL && p->known)
		p->feed->restart = true;
	p->known = false;
	p->feed = NULL;
}

/* Its feed asks for it, if only as before. */
static void
part_ask(struct fetch_part *p)
{
	list_append(&p->feed->parts, &p->at);
	list_remove(&p->dirty);
	if (!p->known || !ask_eq(&p->want, &p->sent))
		list_append(&p->feed->dirty, &p->dirty);
}

static void
part_want(struct fetch_part *p, const struct fetch_ask *ask)
{
	struct fetch_table *t = p->topic->table;

	if (!p->wanted) {
		/* Unwanted, it was not placed when the snapshot changed, nor
		 * taken from its feed when it was denied. */
		if (p->generation != t->generation || p->topic->denied != 0)
			part_evict(p);
		p->wanted = true;
		p->told_high = p->told_start = -1;
		t->wanted++;
	}
	p->want = *ask;
	t->seen_count += p->seen != t->seen;
	p->seen = t->seen;
	list_remove(&p->at);
	if (p->rest_until_us != 0)
		list_append(&t->resting, &p->at);
	else if (p->feed == NULL)
		list_append(&t->homeless, &p->at);
	else
		part_ask(p);
}

bool
fetch_table_want(struct fetch_table *t, struct slice name,
    const struct uuid *id, int32_t index, const struct fetch_ask *ask)
{
	struct fetch_topic *topic = fetch_table_topic(t, name, id);
	struct fetch_part *p = NULL;

	if (topic != NULL)
		p = fetch_topic_part(topic, index);
	if (p == NULL) {
		if (t->parts >= FETCH_PARTITIONS_MAX ||
		    atomic_load_explicit(&node_parts, memory_order_relaxed) >=
		    atomic_load_explicit(&node_parts_max,
		    memory_order_relaxed))
			return false;
		if (topic == NULL)
			topic = topic_add(t, name, id);
		p = part_add(topic, index);
	}
	part_want(p, ask);
	return true;
}

void
fetch_part_free(struct fetch_part *p)
{
	struct fetch_topic *topic = p->topic;

	assert(!p->wanted);
	if (topic->cursor == &p->link)
		topic->cursor = p->link.next;
	if (topic->by_index != NULL)
		htab_take(topic->by_index, part_key(&p->index));
	list_remove(&p->link);
	list_remove(&p->at);
	list_remove(&p->dirty);
	list_remove(&p->news);
	topic->table->parts--;
	atomic_fetch_sub_explicit(&node_parts, 1, memory_order_relaxed);
	free(p);
	if (--topic->count == 0)
		topic_remove(topic);
}

void
fetch_part_forget(struct fetch_part *p)
{
	if (!p->wanted)
		return;
	p->wanted = false;
	p->generation = p->topic->table->generation;
	p->topic->table->wanted--;
	list_remove(&p->at);
	if (p->feed == NULL || !p->known) {
		fetch_part_free(p);
		return;
	}
	list_remove(&p->dirty);
	list_append(&p->feed->dirty, &p->dirty);
}

void
fetch_table_sweep(struct fetch_table *t)
{
	t->seen++;
	t->seen_count = 0;
}

void
fetch_table_swept(struct fetch_table *t)
{
	if (t->seen_count == t->wanted)
		return;
	LIST_FOREACH_SAFE(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);
		/* The topic ends with its last partition. */
		uint32_t left = topic->count;
		struct list *at = topic->parts.next;

		while (left-- > 0) {
			struct fetch_part *p = LIST_ENTRY(at,
			    struct fetch_part, link);

			at = at->next;
			if (p->seen != t->seen)
				fetch_part_forget(p);
		}
	}
}

/* ---- leaders ---- */

static void
part_house(struct fetch_part *p, struct fetch_feed *f)
{
	p->error = 0;
	p->doubted = false;
	if (p->feed == f)
		return;
	part_evict(p);
	p->feed = f;
	list_append(&f->parts, &p->at);
	list_append(&f->dirty, &p->dirty);
}

static int32_t
leader_of(const struct fetch_part *p, const struct partition *at,
    const struct cluster *c)
{
	int32_t id = at->leader;

	if (p->hint_epoch > at->leader_epoch &&
	    cluster_broker(c, p->hint_leader) != NULL)
		id = p->hint_leader;
	return cluster_broker(c, id) ? id : -1;
}

static void
part_deny(struct fetch_part *p)
{
	part_evict(p);
	list_append(&p->topic->table->homeless, &p->at);
	p->rest_until_us = 0;
	p->error = p->topic->denied;
}

void
fetch_part_rest(struct fetch_part *p, int64_t until_us)
{
	if (p->landed != NULL)
		fetch_feed_took(p);
	list_remove(&p->at);
	list_remove(&p->dirty);
	list_remove(&p->news);
	list_append(&p->topic->table->resting, &p->at);
	p->rest_until_us = until_us;
	p->error = 0;
	if (p->feed != NULL && p->known)
		list_append(&p->feed->dirty, &p->dirty);
	else
		p->feed = NULL;
}

bool
fetch_table_wake(struct fetch_table *t, int64_t now_us, int64_t *next_us)
{
	bool any = false;

	*next_us = INT64_MAX;
	LIST_FOREACH_SAFE(it, &t->resting) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, at);

		if (p->rest_until_us > now_us) {
			if (p->rest_until_us < *next_us)
				*next_us = p->rest_until_us;
			continue;
		}
		any = true;
		p->rest_until_us = 0;
		list_remove(&p->at);
		if (p->feed != NULL)
			part_ask(p);
		else
			list_append(&t->homeless, &p->at);
	}
	return any;
}

/* LEADER_NOT_AVAILABLE would be the word for a partition without leader, but
 * the Java consumer dies of it in a Fetch reply; brokers say NOT_LEADER. */
static void
part_place(struct fetch_part *p, const struct topic *topic,
    const struct cluster *c)
{
	struct fetch_table *t = p->topic->table;
	const struct partition *at = NULL;
	int32_t leader = -1;

	if (p->topic->denied != 0) {
		part_deny(p);
		return;
	}
	if (topic != NULL)
		at = topic_partition(topic, p->index);
	if (at != NULL)
		leader = leader_of(p, at, c);
	if (p->rest_until_us != 0) {
		/* Who led it need not be told any more. */
		if (p->feed != NULL && p->feed->broker != leader)
			part_evict(p);
		list_remove(&p->at);
		list_append(&t->resting, &p->at);
		return;
	}
	if (leader >= 0) {
		part_house(p, fetch_feed_get(t, leader));
		return;
	}
	part_evict(p);
	list_append(&t->homeless, &p->at);
	if (at != NULL)
		p->error = KAFKA_NOT_LEADER_OR_FOLLOWER;
	else if (topic == NULL && t->by_id)
		p->error = KAFKA_UNKNOWN_TOPIC_ID;
	else
		p->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static const struct topic *
topic_in(const struct fetch_topic *topic, const struct cluster *c)
{
	return topic->table->by_id ? cluster_visible_by_id(c, &topic->id) :
	    cluster_visible(c, topic->name);
}

static void
judge_topic(struct fetch_topic *topic, const struct cluster *c,
    fetch_judge_cb *judge, void *arg)
{
	const struct topic *in = topic->table->by_id ? topic_in(topic, c) :
	    NULL;
	struct slice name = in != NULL ? in->name : topic->name;
	int16_t denied = 0;

	if (in != NULL || !topic->table->by_id)
		denied = judge(arg, name);
	topic->judged = true;
	if (denied == topic->denied)
		return;
	topic->denied = denied;
	/* Homeless ones are placed, or told of, as they are found there. */
	LIST_FOREACH(at, &topic->parts) {
		struct fetch_part *p = LIST_ENTRY(at, struct fetch_part, link);

		if (p->wanted)
			part_deny(p);
	}
}

void
fetch_table_judge(struct fetch_table *t, const struct cluster *c,
    int64_t now_us, fetch_judge_cb *judge, void *arg)
{
	bool all = t->generation != c->generation ||
	    now_us - t->judged_us >= FETCH_JUDGED_MS * 1000;

	if (!all && t->unjudged == 0)
		return;
	LIST_FOREACH(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);

		if (all || !topic->judged)
			judge_topic(topic, c, judge, arg);
	}
	t->unjudged = 0;
	if (all)
		t->judged_us = now_us;
}

static void
place_homeless(struct fetch_table *t, const struct cluster *c)
{
	const struct fetch_topic *last = NULL;
	const struct topic *in = NULL;
	struct list found;

	/* Those that stay are put on the table's list again. */
	list_init(&found);
	list_append(&t->homeless, &found);
	list_remove(&t->homeless);
	while (!list_empty(&found)) {
		struct fetch_part *p = LIST_ENTRY(found.next,
		    struct fetch_part, at);

		if (p->topic != last)
			in = topic_in(p->topic, c);
		last = p->topic;
		part_place(p, in, c);
	}
}

void
fetch_table_place(struct fetch_table *t, const struct cluster *c)
{
	if (t->generation == c->generation) {
		if (!list_empty(&t->homeless))
			place_homeless(t, c);
		return;
	}
	t->generation = c->generation;
	LIST_FOREACH(it, &t->topics) {
		struct fetch_topic *topic = LIST_ENTRY(it, struct fetch_topic,
		    link);
		const struct topic *in = topic_in(topic, c);

		LIST_FOREACH(at, &topic->parts) {
			struct fetch_part *p = LIST_ENTRY(at,
			    struct fetch_part, link);

			if (p->wanted)
				part_place(p, in, c);
		}
	}
}

bool
fetch_table_homeless(const struct fetch_table *t)
{
	return !list_empty(&t->homeless);
}

/* A hidden topic is waited for as one that there is not, so that the time it
 * takes tells nothing. */
static bool
refused(const struct fetch_topic *topic)
{
	return topic->denied != 0 && topic->denied != KAFKA_UNKNOWN_TOPIC_ID;
}

bool
fetch_table_doubts(struct fetch_table *t)
{
	bool any = false;

	LIST_FOREACH(it, &t->homeless) {
		struct fetch_part *p = LIST_ENTRY(it, struct fetch_part, at);

		if (refused(p->topic))
			continue;
		any |= !p->doubted;
		p->doubted = true;
	}
	return any;
}

bool
fetch_table_astray(const struct fetch_table *t)
{
	LIST_FOREACH(it, &t->homeless)
		if (!refused(LIST_ENTRY(it, struct fetch_part, at)->topic))
			return true;
	return false;
}
