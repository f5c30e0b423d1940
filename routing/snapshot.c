/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/snapshot.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "routing/offer.h"
#include "routing/resolve.h"
#include "wire/messages.h"

/* ---- brokers ---- */

static void
resolve(struct cluster *c, struct broker *b, struct resolver *r)
{
	struct broker_address found[BROKER_ADDRESSES_MAX];
	char host[256];

	if (b->host.len >= sizeof(host))
		return;
	snprintf(host, sizeof(host), "%.*s", SLICE_FMT(b->host));
	b->address_count = resolver_find(r, host, b->port, found, NULL);
	b->addresses = ARENA_ARRAY(&c->arena, struct broker_address,
	    b->address_count);
	memcpy(b->addresses, found,
	    (size_t)b->address_count * sizeof(*found));
}

static int
compare_brokers(const void *a, const void *b)
{
	const struct broker *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
build_brokers(struct cluster *c, const struct metadata_response *m,
    struct resolver *r)
{
	struct broker *b;

	c->brokers = ARENA_ARRAY(&c->arena, struct broker, m->brokers.n + 1);
	for (int32_t i = 0; i < m->brokers.n; i++) {
		/* -1 means none everywhere. */
		if (m->brokers.v[i].node_id < 0)
			continue;
		b = &c->brokers[c->broker_count++];
		b->id = m->brokers.v[i].node_id;
		b->host = arena_slice(&c->arena, m->brokers.v[i].host);
		b->port = m->brokers.v[i].port;
		b->rack = arena_slice(&c->arena, m->brokers.v[i].rack);
		resolve(c, b, r);
	}
	qsort(c->brokers, (size_t)c->broker_count, sizeof(*c->brokers),
	    compare_brokers);
}

/* ---- topics ---- */

static int32_t
positive(int32_t n)
{
	return n > 0 ? n : 0;
}

static struct int32_list
copy_ids(struct arena *a, const int32_t *v, int32_t n)
{
	struct int32_list to = { NULL, positive(n) };

	if (n > 0) {
		to.v = ARENA_ARRAY(a, int32_t, n);
		memcpy(to.v, v, (size_t)n * sizeof(*v));
	}
	return to;
}

/* Copies to `room` and returns what is behind it. */
static int32_t *
put_ids(struct int32_list *to, int32_t *room, const int32_t *v, int32_t n)
{
	*to = (struct int32_list){ NULL, positive(n) };
	if (n <= 0)
		return room;
	to->v = memcpy(room, v, (size_t)n * sizeof(*v));
	return room + n;
}

static int
compare_partitions(const void *a, const void *b)
{
	const struct partition *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* The three lists as one allocation: there are many partitions. */
static void
build_partition(struct arena *a, struct partition *to,
    const struct metadata_response_topics_partitions *p)
{
	int32_t n = positive(p->replica_nodes.n) + positive(p->isr_nodes.n) +
	    positive(p->offline_replicas.n);
	int32_t *room = n ? ARENA_ARRAY(a, int32_t, n) : NULL;

	to->index = p->partition_index;
	to->error_code = p->error_code;
	to->leader = p->leader_id;
	to->leader_epoch = p->leader_epoch;
	room = put_ids(&to->replicas, room, p->replica_nodes.v,
	    p->replica_nodes.n);
	room = put_ids(&to->isr, room, p->isr_nodes.v, p->isr_nodes.n);
	put_ids(&to->offline, room, p->offline_replicas.v,
	    p->offline_replicas.n);
}

/* Brokers learn of a new leader one after the other; one that is behind must
 * not send us back to the old one (KIP-320). */
static void
keep_newer(struct cluster *c, struct topic *t, const struct cluster *before)
{
	const struct topic *was = before && !uuid_is_zero(&t->id) ?
	    cluster_topic_by_id(before, &t->id) : NULL;

	for (int32_t i = 0; was != NULL && i < t->partition_count; i++) {
		struct partition *p = &t->partitions[i];
		const struct partition *w = topic_partition(was, p->index);

		if (w == NULL || w->leader_epoch <= p->leader_epoch)
			continue;
		*p = *w;
		p->replicas = copy_ids(&c->arena, w->replicas.v,
		    w->replicas.n);
		p->isr = copy_ids(&c->arena, w->isr.v, w->isr.n);
		p->offline = copy_ids(&c->arena, w->offline.v, w->offline.n);
	}
}

static void
build_topic(struct cluster *c, const struct metadata_response_topics *from,
    struct topic *to)
{
	to->name = arena_slice(&c->arena, from->name);
	to->id = from->topic_id;
	to->error_code = from->error_code;
	to->internal = from->is_internal ||
	    topic_reserved(to->name, false);
	to->partition_count = positive(from->partitions.n);
	to->partitions = ARENA_ARRAY(&c->arena, struct partition,
	    to->partition_count + 1);
	for (int32_t i = 0; i < to->partition_count; i++)
		build_partition(&c->arena, &to->partitions[i],
		    &from->partitions.v[i]);
	qsort(to->partitions, (size_t)to->partition_count,
	    sizeof(*to->partitions), compare_partitions);
}

static int
compare_topics(const void *a, const void *b)
{
	const struct topic *x = a, *y = b;
	uint32_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
	int r = n ? memcmp(x->name.data, y->name.data, n) : 0;

	return r ? r : (x->name.len < y->name.len ? -1 :
	    x->name.len > y->name.len);
}

static void
build_topics(struct cluster *c, const struct metadata_response *m,
    const struct cluster *before)
{
	int32_t n = positive(m->topics.n);

	c->topics = ARENA_ARRAY(&c->arena, struct topic, n + 1);
	for (int32_t i = 0; i < n; i++)
		if (m->topics.v[i].name.data != NULL)
			build_topic(c, &m->topics.v[i],
			    &c->topics[c->topic_count++]);
	qsort(c->topics, (size_t)c->topic_count, sizeof(*c->topics),
	    compare_topics);
	for (int32_t i = 0; i < c->topic_count; i++) {
		struct topic *t = &c->topics[i];

		keep_newer(c, t, before);
		htab_set(c->by_name, t->name, t);
		if (!uuid_is_zero(&t->id))
			htab_set(c->by_id, (struct slice){ t->id.b,
			    sizeof(t->id.b) }, t);
	}
}

/* ---- ranks ---- */

static int
compare_ids(const void *a, const void *b)
{
	int32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* Adds an id to a sorted list without repeats; there are few brokers. */
static void
add_known(struct int32_list *known, int32_t room, int32_t id)
{
	if (bsearch(&id, known->v, (size_t)known->n, sizeof(id),
	    compare_ids) != NULL || known->n == room)
		return;
	known->v[known->n++] = id;
	qsort(known->v, (size_t)known->n, sizeof(id), compare_ids);
}

static void
build_known(struct cluster *c)
{
	enum { REPLICAS_MAX = 10000 };
	int32_t room = c->broker_count + REPLICAS_MAX;
	int32_t *v = mem_alloc((size_t)room * sizeof(*v));
	struct int32_list known = { v, 0 };

	for (int32_t i = 0; i < c->broker_count; i++)
		add_known(&known, room, c->brokers[i].id);
	for (int32_t i = 0; i < c->topic_count; i++)
		for (int32_t j = 0; j < c->topics[i].partition_count; j++) {
			const struct int32_list *l =
			    &c->topics[i].partitions[j].replicas;

			for (int32_t k = 0; k < l->n; k++)
				add_known(&known, room, l->v[k]);
		}
	c->known = copy_ids(&c->arena, known.v, known.n);
	free(v);
}

/* ---- features ---- */

static void
build_offer(struct cluster *c, const struct offer *o)
{
	memcpy(c->apis, o->apis, sizeof(c->apis));
	c->features_epoch = o->features_epoch;
	c->feature_count = o->feature_count;
	c->features = ARENA_ARRAY(&c->arena, struct feature,
	    o->feature_count + 1);
	for (int32_t i = 0; i < o->feature_count; i++)
		c->features[i] = (struct feature){
		    arena_slice(&c->arena, slice_of(o->features[i].name)),
		    o->features[i].supported_min, o->features[i].supported_max,
		    o->features[i].finalized_min,
		    o->features[i].finalized_max };
}

struct cluster *
snapshot_begin(const struct metadata_response *m, struct resolver *r)
{
	struct arena a;
	struct cluster *c;

	arena_init(&a, 0);
	c = ARENA_NEW(&a, struct cluster);
	c->arena = a;
	c->refs = 1;
	c->source = -1;
	c->by_name = htab_new();
	c->by_id = htab_new();
	c->controller_id = m->controller_id;
	c->cluster_id = arena_slice(&c->arena, m->cluster_id);
	build_brokers(c, m, r);
	return c;
}

void
snapshot_finish(struct cluster *c, const struct metadata_response *m,
    const struct offer *o, const struct cluster *before)
{
	build_topics(c, m, before);
	build_known(c);
	build_offer(c, o);
}

/* ---- comparing ---- */

static bool
same_ids(const struct int32_list *a, const struct int32_list *b)
{
	return a->n == b->n && (a->n == 0 ||
	    memcmp(a->v, b->v, (size_t)a->n * sizeof(*a->v)) == 0);
}

static bool
same_broker(const struct broker *a, const struct broker *b)
{
	if (a->id != b->id || a->port != b->port ||
	    !slice_eq(a->host, b->host) || !slice_eq(a->rack, b->rack) ||
	    a->address_count != b->address_count)
		return false;
	for (int32_t i = 0; i < a->address_count; i++)
		if (a->addresses[i].len != b->addresses[i].len ||
		    memcmp(&a->addresses[i].sa, &b->addresses[i].sa,
		    a->addresses[i].len) != 0)
			return false;
	return true;
}

static bool
same_partition(const struct partition *a, const struct partition *b)
{
	return a->index == b->index && a->error_code == b->error_code &&
	    a->leader == b->leader && a->leader_epoch == b->leader_epoch &&
	    same_ids(&a->replicas, &b->replicas) &&
	    same_ids(&a->isr, &b->isr) && same_ids(&a->offline, &b->offline);
}

static bool
same_topic(const struct topic *a, const struct topic *b)
{
	if (!slice_eq(a->name, b->name) || !uuid_eq(&a->id, &b->id) ||
	    a->error_code != b->error_code || a->internal != b->internal ||
	    a->partition_count != b->partition_count)
		return false;
	for (int32_t i = 0; i < a->partition_count; i++)
		if (!same_partition(&a->partitions[i], &b->partitions[i]))
			return false;
	return true;
}

static bool
same_feature(const struct feature *a, const struct feature *b)
{
	return slice_eq(a->name, b->name) &&
	    a->supported_min == b->supported_min &&
	    a->supported_max == b->supported_max &&
	    a->finalized_min == b->finalized_min &&
	    a->finalized_max == b->finalized_max;
}

bool
snapshot_equal(const struct cluster *a, const struct cluster *b)
{
	if (!slice_eq(a->cluster_id, b->cluster_id) ||
	    a->controller_id != b->controller_id ||
	    a->broker_count != b->broker_count ||
	    a->topic_count != b->topic_count ||
	    a->features_epoch != b->features_epoch ||
	    a->feature_count != b->feature_count ||
	    memcmp(a->apis, b->apis, sizeof(a->apis)) != 0)
		return false;
	for (int32_t i = 0; i < a->broker_count; i++)
		if (!same_broker(&a->brokers[i], &b->brokers[i]))
			return false;
	for (int32_t i = 0; i < a->feature_count; i++)
		if (!same_feature(&a->features[i], &b->features[i]))
			return false;
	for (int32_t i = 0; i < a->topic_count; i++)
		if (!same_topic(&a->topics[i], &b->topics[i]))
			return false;
	return true;
}

bool
snapshot_has_topics_of(const struct cluster *c, const struct cluster *before)
{
	for (int32_t i = 0; i < before->topic_count; i++) {
		const struct topic *was = &before->topics[i];
		const struct topic *t = cluster_topic(c, was->name);

		if (t == NULL || !uuid_eq(&t->id, &was->id) ||
		    t->partition_count < was->partition_count)
			return false;
	}
	return true;
}
