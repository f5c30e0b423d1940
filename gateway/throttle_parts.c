/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_parts.h"

#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "wire/messages.h"

typedef struct produce_request_topic_data produce_topic;

enum { NAME_MAX_LEN = 255, KEY_SIZE = sizeof(void *) + NAME_MAX_LEN };

/* What is known of a topic. */
struct kept {
	struct list		 link;		/* parts->all */
	struct quota_account	*account;
	struct quota_topic	*topic;		/* counted; NULL: no limit */
	uint32_t		 version;	/* of limits; 0: not asked */
	uint32_t		 key_len;
	bool			 used;		/* since it was spared */
	uint8_t			 key[];		/* the account, then the name */
};

struct throttle_parts {
	struct htab		*by_key;	/* struct kept */
	struct list		 all;		/* the next to go first */
	struct kept		*last;		/* asked for */
};

struct throttle_parts *
throttle_parts_new(void)
{
	struct throttle_parts *p = mem_zalloc(sizeof(*p));

	p->by_key = htab_new();
	list_init(&p->all);
	return p;
}

static struct slice
key_of(struct kept *k)
{
	return (struct slice){ k->key, k->key_len };
}

static struct slice
name_of(struct kept *k)
{
	return (struct slice){ k->key + sizeof(void *),
		k->key_len - (uint32_t)sizeof(void *) };
}

static void
drop(struct throttle_parts *p, struct kept *k)
{
	htab_take(p->by_key, key_of(k));
	list_remove(&k->link);
	if (p->last == k)
		p->last = NULL;
	quota_topic_unref(k->topic);
	free(k);
}

void
throttle_parts_forget(struct throttle_parts *p)
{
	while (!list_empty(&p->all))
		drop(p, LIST_ENTRY(p->all.next, struct kept, link));
}

void
throttle_parts_free(struct throttle_parts *p)
{
	throttle_parts_forget(p);
	htab_free(p->by_key, NULL);
	free(p);
}

/* ---- topics ---- */

/* One that was asked for since it came to the front is spared once. */
static void
make_room(struct throttle_parts *p)
{
	while (htab_count(p->by_key) >= THROTTLE_TOPICS_MAX) {
		struct kept *k = LIST_ENTRY(p->all.next, struct kept, link);

		if (!k->used) {
			drop(p, k);
			continue;
		}
		k->used = false;
		list_remove(&k->link);
		list_append(&p->all, &k->link);
	}
}

static struct slice
make_key(const struct quota_account *a, struct slice name,
    uint8_t key[KEY_SIZE])
{
	memcpy(key, &a, sizeof(a));
	memcpy(key + sizeof(a), name.data, name.len);
	return (struct slice){ key, (uint32_t)sizeof(a) + name.len };
}

static struct kept *
keep(struct throttle_parts *p, struct quota_account *a, struct slice key)
{
	struct kept *k;

	make_room(p);
	k = mem_zalloc(sizeof(*k) + key.len);
	k->account = a;
	k->key_len = key.len;
	memcpy(k->key, key.data, key.len);
	list_append(&p->all, &k->link);
	htab_set(p->by_key, key, k);
	return k;
}

/* Limits speak of names as the tenant does. */
static struct quota_topic *
find_topic(const struct session *s, struct quota_account *account,
    struct slice name)
{
	struct arena a;
	char seed[512];
	struct slice shown = name;
	struct quota_topic *t = NULL;

	arena_init_in(&a, 0, seed, sizeof(seed));
	if (names_outward(tenancy_names(s), NAME_TOPIC, name, &shown, &a))
		t = quota_topic(account, shown);
	arena_fini(&a);
	return t;
}

bool
throttle_topic(struct session *s, struct slice name, struct quota_topic **to)
{
	struct quota_account *a = throttle_who(s)->account;
	struct throttle_parts *p = throttling_parts(s->worker->throttling);
	uint32_t version = quota_limits_version(a);
	struct kept *k = p->last;
	uint8_t room[KEY_SIZE];
	struct slice key;

	*to = NULL;
	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return false;
	if (k == NULL || k->account != a || !slice_eq(name_of(k), name)) {
		key = make_key(a, name, room);
		k = htab_get(p->by_key, key);
		/* What clients think up is not kept. */
		if (k == NULL && cluster_topic(s->worker->cluster, name) ==
		    NULL)
			return false;
		if (k == NULL)
			k = keep(p, a, key);
		else
			k->used = true;
	}
	if (k->version != version) {
		quota_topic_unref(k->topic);
		k->topic = find_topic(s, a, name);
		k->version = version;
	}
	p->last = k;
	*to = k->topic;
	return true;
}

/* ---- produce ---- */

bool
throttle_parts_limited(const struct request *r)
{
	const struct quota_who *w = throttle_who(r->session);

	return w != NULL && quota_limits_partitions(w->account);
}

/* By its name, or what the snapshot calls its id. */
static struct slice
topic_name(const struct request *r, struct slice name, const struct uuid *id)
{
	const struct topic *known = name.len > 0 || id == NULL ? NULL :
	    cluster_topic_by_id(r->worker->cluster, id);

	return known != NULL ? known->name : name;
}

static int64_t
topic_wait_us(struct quota_topic *q, const produce_topic *t, int64_t now_us,
    struct quota_reason *why)
{
	int64_t longest = 0;

	for (int32_t i = 0; i < t->partition_data.n; i++) {
		int64_t us = quota_part_wait_us(q,
		    t->partition_data.v[i].index, false, now_us, why);

		if (us > longest)
			longest = us;
	}
	return longest;
}

int64_t
throttle_parts_wait_us(struct request *r, int64_t now_us,
    struct quota_reason *why)
{
	const struct produce_request *q = r->body;
	int64_t longest = 0;

	if (r->api->class != CLASS_PRODUCE || !throttle_parts_limited(r) ||
	    !quota_parts_owe(throttle_who(r->session)->account, false, now_us))
		return 0;
	for (int32_t i = 0; i < q->topic_data.n; i++) {
		const produce_topic *t = &q->topic_data.v[i];
		struct slice name = topic_name(r, t->name, &t->topic_id);
		struct quota_reason mine = { .us = 0 };
		struct quota_topic *limited;
		int64_t us;

		if (!throttle_topic(r->session, name, &limited) ||
		    limited == NULL || !quota_topic_owes(limited, false,
		    now_us))
			continue;
		us = topic_wait_us(limited, t, now_us, &mine);
		/* How long it waits would tell what others do there. */
		if (us <= longest || !authorize_allows(r->session,
		    POLICY_WRITE_DATA, name))
			continue;
		longest = us;
		*why = mine;
	}
	return longest;
}

void
throttle_part_write(struct request *r, struct slice name,
    const struct uuid *id, int32_t partition, uint32_t bytes)
{
	struct quota_reason why = { .us = 0 };
	struct quota_topic *limited;
	int64_t us;

	if (!throttle_parts_limited(r) || !throttle_topic(r->session,
	    topic_name(r, name, id), &limited) || limited == NULL)
		return;
	us = quota_part_spend(limited, partition, false, bytes,
	    loop_now_us(r->worker->loop), &why);
	if (us > 0)
		throttle_because(r, us, &why);
}
