/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/cluster.h"

#include <stdlib.h>

#include "gateway/base/htab.h"

struct cluster *
cluster_ref(struct cluster *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void
cluster_unref(struct cluster *c)
{
	struct arena arena;

	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (c->by_name != NULL)
		htab_free(c->by_name, NULL);
	if (c->by_id != NULL)
		htab_free(c->by_id, NULL);
	/* The arena holds the struct that it is in. */
	arena = c->arena;
	arena_fini(&arena);
}

const struct broker *
cluster_broker(const struct cluster *c, int32_t id)
{
	int32_t lo = 0, hi = c->broker_count;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (c->brokers[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->broker_count && c->brokers[lo].id == id ?
	    &c->brokers[lo] : NULL;
}

int32_t
cluster_broker_rank(const struct cluster *c, int32_t id)
{
	int32_t lo = 0, hi = c->known.n;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (c->known.v[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->known.n && c->known.v[lo] == id ? lo : -1;
}

void
cluster_count(const struct cluster *c, int64_t *partitions,
    int64_t *leaderless)
{
	*partitions = *leaderless = 0;
	for (int32_t i = 0; i < c->topic_count; i++) {
		const struct topic *t = &c->topics[i];

		*partitions += t->partition_count;
		for (int32_t j = 0; j < t->partition_count; j++)
			*leaderless += t->partitions[j].leader < 0;
	}
}

const struct topic *
cluster_topic(const struct cluster *c, struct slice name)
{
	return htab_get(c->by_name, name);
}

/* Topic.INTERNAL_TOPICS of Kafka 4.3, and the one of its controllers. */
bool
topic_reserved(struct slice name, bool begins)
{
	static const char *const reserved[] = {
		"__consumer_offsets", "__transaction_state",
		"__share_group_state", "__cluster_metadata",
	};

	if (!begins && (name.len < 2 || name.data[0] != '_'))
		return false;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (begins ? strncmp((const char *)name.data, reserved[i],
		    name.len) == 0 : slice_is(name, reserved[i]))
			return true;
	return false;
}

bool
cluster_internal(const struct cluster *c, struct slice name)
{
	const struct topic *t = cluster_topic(c, name);

	return t != NULL ? t->internal : topic_reserved(name, false);
}

static bool
is_before(struct slice a, struct slice b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.data, b.data, n) : 0;

	return c != 0 ? c < 0 : a.len < b.len;
}

int32_t
cluster_topics_from(const struct cluster *c, struct slice name)
{
	int32_t lo = 0, hi = c->topic_count;

	while (lo < hi) {
		int32_t mid = lo + (hi - lo) / 2;

		if (is_before(c->topics[mid].name, name))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
cluster_topic_within(const struct cluster *c, int32_t i, struct slice name,
    bool whole)
{
	struct slice it;

	if (i >= c->topic_count)
		return false;
	it = c->topics[i].name;
	return it.len >= name.len && (!whole || it.len == name.len) &&
	    (name.len == 0 || memcmp(it.data, name.data, name.len) == 0);
}

const struct topic *
cluster_topic_by_id(const struct cluster *c, const struct uuid *id)
{
	return htab_get(c->by_id, (struct slice){ id->b, sizeof(id->b) });
}

const struct partition *
topic_partition(const struct topic *t, int32_t index)
{
	if (index >= 0 && index < t->partition_count &&
	    t->partitions[index].index == index)
		return &t->partitions[index];
	for (int32_t i = 0; i < t->partition_count; i++)
		if (t->partitions[i].index == index)
			return &t->partitions[i];
	return NULL;
}
