/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fetch_session.h"

#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/fetch_feed.h"
#include "gateway/wire/errors.h"
#include "wire/messages.h"

void
fetch_sessions_init(struct fetch_sessions *s, uint32_t *total)
{
	memset(s, 0, sizeof(*s));
	list_init(&s->slots);
	s->total = total;
	s->max = FETCH_SESSIONS_MAX;
}

static void
slot_clear(struct fetch_slot *slot)
{
	struct fetch_table *t = &slot->table;

	while (!list_empty(&t->feeds))
		fetch_feed_free(LIST_ENTRY(t->feeds.next, struct fetch_feed,
		    link));
	fetch_table_fini(t);
}

static void
slot_close(struct fetch_sessions *s, struct fetch_slot *slot)
{
	slot_clear(slot);
	if (slot == s->plain) {
		s->plain = NULL;
	} else {
		list_remove(&slot->link);
		s->count--;
		--*s->total;
	}
	free(slot);
}

void
fetch_sessions_fini(struct fetch_sessions *s)
{
	while (!list_empty(&s->slots))
		slot_close(s, LIST_ENTRY(s->slots.next, struct fetch_slot,
		    link));
	if (s->plain != NULL)
		slot_close(s, s->plain);
}

static struct fetch_slot *
slot_find(struct fetch_sessions *s, int32_t id)
{
	LIST_FOREACH(it, &s->slots) {
		struct fetch_slot *slot = LIST_ENTRY(it, struct fetch_slot,
		    link);

		if (slot->id == id)
			return slot;
	}
	return NULL;
}

static struct fetch_slot *
slot_plain(struct fetch_sessions *s, bool by_id)
{
	if (s->plain == NULL) {
		s->plain = mem_zalloc(sizeof(*s->plain));
		list_init(&s->plain->link);
		fetch_table_init(&s->plain->table, by_id);
	} else if (s->plain->table.by_id != by_id) {
		slot_clear(s->plain);
		fetch_table_init(&s->plain->table, by_id);
	}
	return s->plain;
}

/* NULL when there are too many. */
static struct fetch_slot *
slot_open(struct fetch_sessions *s, bool by_id)
{
	struct fetch_slot *slot;
	int32_t id;

	if (s->count >= FETCH_SLOTS_MAX)
		slot_close(s, LIST_ENTRY(s->slots.prev, struct fetch_slot,
		    link));
	if (*s->total >= s->max)
		return NULL;
	do {
		id = (int32_t)arc4random_uniform(INT32_MAX) + 1;
	} while (slot_find(s, id) != NULL);
	slot = mem_zalloc(sizeof(*slot));
	slot->id = id;
	slot->epoch = FETCH_EPOCH_FIRST + 1;
	fetch_table_init(&slot->table, by_id);
	list_prepend(&s->slots, &slot->link);
	s->count++;
	++*s->total;
	return slot;
}

/* ---- what a request says ---- */

static bool
want_all(struct fetch_table *t, const struct fetch_request *r)
{
	for (int32_t i = 0; i < r->topics.n; i++) {
		const struct fetch_request_topics *topic = &r->topics.v[i];

		for (int32_t j = 0; j < topic->partitions.n; j++) {
			const struct fetch_request_topics_partitions *p =
			    &topic->partitions.v[j];
			struct fetch_ask ask = { p->fetch_offset,
			    p->current_leader_epoch, p->last_fetched_epoch,
			    p->partition_max_bytes };

			if (!fetch_table_want(t, topic->topic,
			    &topic->topic_id, p->partition, &ask))
				return false;
		}
	}
	return true;
}

static void
forget_all(struct fetch_table *t, const struct fetch_request *r)
{
	for (int32_t i = 0; i < r->forgotten_topics_data.n; i++) {
		const struct fetch_request_forgotten_topics_data *gone =
		    &r->forgotten_topics_data.v[i];

		for (int32_t j = 0; j < gone->partitions.n; j++) {
			/* The topic ends with its last partition. */
			struct fetch_topic *topic = fetch_table_topic(t,
			    gone->topic, &gone->topic_id);
			struct fetch_part *p;

			if (topic == NULL)
				break;
			p = fetch_topic_part(topic, gone->partitions.v[j]);
			if (p != NULL)
				fetch_part_forget(p);
		}
	}
}

static int16_t
choose_full(struct fetch_sessions *s, const struct fetch_request *r,
    bool by_id, struct fetch_choice *to)
{
	struct fetch_slot *old = slot_find(s, r->session_id), *slot = NULL;
	bool fits;

	if (old != NULL)
		slot_close(s, old);
	to->full = true;
	if (r->session_epoch == FETCH_EPOCH_FIRST && r->topics.n > 0)
		slot = slot_open(s, by_id);
	if (slot == NULL)
		slot = slot_plain(s, by_id);
	to->slot = slot;
	fetch_table_sweep(&slot->table);
	fits = want_all(&slot->table, r);
	fetch_table_swept(&slot->table);
	return fits ? 0 : KAFKA_INVALID_REQUEST;
}

static int16_t
choose_session(struct fetch_sessions *s, const struct fetch_request *r,
    bool by_id, struct fetch_choice *to)
{
	struct fetch_slot *slot = slot_find(s, r->session_id);

	to->full = false;
	if (slot == NULL)
		return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
	if (slot->epoch != r->session_epoch)
		return KAFKA_INVALID_FETCH_SESSION_EPOCH;
	if (slot->table.by_id != by_id)
		return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
	slot->epoch = slot->epoch == INT32_MAX ? 1 : slot->epoch + 1;
	to->slot = slot;
	list_remove(&slot->link);
	list_prepend(&s->slots, &slot->link);
	if (!want_all(&slot->table, r))
		return KAFKA_INVALID_REQUEST;
	forget_all(&slot->table, r);
	return 0;
}

int16_t
fetch_sessions_choose(struct fetch_sessions *s, const struct fetch_request *r,
    int version, struct fetch_choice *to)
{
	bool by_id = version >= FETCH_IDS_SINCE, full;
	int16_t error;

	memset(to, 0, sizeof(*to));
	full = r->session_epoch == FETCH_EPOCH_FIRST ||
	    r->session_epoch == FETCH_EPOCH_FINAL;
	error = full ? choose_full(s, r, by_id, to) :
	    choose_session(s, r, by_id, to);
	if (to->slot == NULL)
		return error;
	if (error != 0 || to->slot->table.wanted == 0) {
		slot_close(s, to->slot);
		to->slot = error ? NULL : slot_plain(s, by_id);
	}
	if (to->slot != NULL)
		to->session_id = to->slot->id;
	return error;
}
