/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/snapshot.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "wire/messages.h"

/* ---- what brokers offer ---- */

static void
take_supported(struct ranges *to, const struct api_versions_response *v)
{
	for (int32_t i = 0; i < v->supported_features.n; i++) {
		const struct api_versions_response_supported_features *f =
		    &v->supported_features.v[i];

		if (to->feature_count == SNAPSHOT_FEATURES_MAX ||
		    f->name.len >= SNAPSHOT_FEATURE_NAME_MAX)
			continue;
		snprintf(to->features[to->feature_count].name,
		    SNAPSHOT_FEATURE_NAME_MAX, "%.*s", SLICE_FMT(f->name));
		to->features[to->feature_count].supported_min = f->min_version;
		to->features[to->feature_count].supported_max = f->max_version;
		to->features[to->feature_count].finalized_min = -1;
		to->features[to->feature_count].finalized_max = -1;
		to->feature_count++;
	}
}

void
ranges_take(struct ranges *to, const struct api_versions_response *v,
    int64_t now_us)
{
	int32_t broker = to->broker;

	memset(to, 0, sizeof(*to));
	to->broker = broker;
	to->asked_us = now_us;
	to->features_epoch = v->finalized_features_epoch;
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		to->apis[i] = (struct api_range){ 0, -1 };
	for (int32_t i = 0; i < v->api_keys.n; i++) {
		const struct api_versions_response_api_keys *k =
		    &v->api_keys.v[i];

		if (k->api_key >= 0 && k->api_key < CLUSTER_API_MAX)
			to->apis[k->api_key] = (struct api_range){
			    k->min_version, k->max_version };
	}
	take_supported(to, v);
	for (int32_t i = 0; i < v->finalized_features.n; i++)
		for (int32_t j = 0; j < to->feature_count; j++)
			if (slice_is(v->finalized_features.v[i].name,
			    to->features[j].name)) {
				to->features[j].finalized_min = v->
				    finalized_features.v[i].min_version_level;
				to->features[j].finalized_max = v->
				    finalized_features.v[i].max_version_level;
			}
}

static void
intersect_apis(struct cluster *c, const struct ranges *r)
{
	for (int i = 0; i < CLUSTER_API_MAX; i++) {
		if (r->apis[i].min > c->apis[i].min)
			c->apis[i].min = r->apis[i].min;
		if (r->apis[i].max < c->apis[i].max)
			c->apis[i].max = r->apis[i].max;
	}
}

/* What all brokers support of a feature; max < min: nothing. */
static struct api_range
feature_range(const char *name, const struct ranges *r, int32_t n)
{
	struct api_range all = { 0, INT16_MAX };

	for (int32_t i = 0; i < n; i++) {
		struct api_range has = { 0, -1 };

		if (r[i].asked_us == 0)
			continue;
		for (int32_t j = 0; j < r[i].feature_count; j++)
			if (strcmp(r[i].features[j].name, name) == 0)
				has = (struct api_range){
				    r[i].features[j].supported_min,
				    r[i].features[j].supported_max };
		if (has.min > all.min)
			all.min = has.min;
		if (has.max < all.max)
			all.max = has.max;
	}
	return all;
}

/* Finalized levels as the broker with the newest epoch has them; supported is
 * what all brokers do. */
static void
take_features(struct cluster *c, const struct ranges *newest,
    const struct ranges *r, int32_t n)
{
	c->features_epoch = newest->features_epoch;
	c->features = ARENA_ARRAY(&c->arena, struct feature,
	    newest->feature_count + 1);
	for (int32_t i = 0; i < newest->feature_count; i++) {
		const char *name = newest->features[i].name;
		struct api_range all = feature_range(name, r, n);

		if (all.max < all.min)
			continue;
		c->features[c->feature_count++] = (struct feature){
		    arena_slice(&c->arena, slice_of(name)), all.min, all.max,
		    newest->features[i].finalized_min,
		    newest->features[i].finalized_max };
	}
}

static bool
offer(struct cluster *c, const struct ranges *r, int32_t n)
{
	const struct ranges *newest = NULL;

	for (int i = 0; i < CLUSTER_API_MAX; i++)
		c->apis[i] = (struct api_range){ 0, INT16_MAX };
	for (int32_t i = 0; i < n; i++) {
		if (r[i].asked_us == 0)
			continue;
		intersect_apis(c, &r[i]);
		if (newest == NULL ||
		    r[i].features_epoch > newest->features_epoch)
			newest = &r[i];
	}
	if (newest == NULL)
		return false;
	take_features(c, newest, r, n);
	return true;
}

/* ---- where brokers are ---- */

enum { RESOLVED_US = 30 * 1000000, RESOLVE_AGAIN_US = 1000000 };

struct resolved {
	struct sockaddr_storage	 address;
	socklen_t		 len;
	int64_t			 at_us;
};

static struct htab *names;	/* "host:port" -> struct resolved */

static void
look_up(const char *host, const char *port, struct resolved *to)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int r = getaddrinfo(host, port, &hints, &found);

	to->at_us = clock_now_us();
	if (r != 0) {
		log_warn("broker's host cannot be resolved",
		    "host=%s error=\"%s\"", host, gai_strerror(r));
		return;		/* what was known before still holds */
	}
	memset(&to->address, 0, sizeof(to->address));
	memcpy(&to->address, found->ai_addr, found->ai_addrlen);
	to->len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void
resolve(struct broker *b)
{
	char host[256], port[16], key[280];
	struct resolved *r;

	snprintf(host, sizeof(host), "%.*s", SLICE_FMT(b->host));
	snprintf(port, sizeof(port), "%d", b->port);
	snprintf(key, sizeof(key), "%s:%s", host, port);
	if (names == NULL)
		names = htab_new();
	r = htab_get(names, slice_of(key));
	if (r == NULL) {
		r = mem_zalloc(sizeof(*r));
		htab_set(names, slice_of(key), r);
	}
	if (r->at_us == 0 || clock_now_us() - r->at_us >
	    (r->len == 0 ? RESOLVE_AGAIN_US : RESOLVED_US))
		look_up(host, port, r);
	b->address = r->address;
	b->address_len = r->len;
}

static int
compare_brokers(const void *a, const void *b)
{
	const struct broker *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void
build_brokers(struct cluster *c, const struct metadata_response *m)
{
	c->brokers = ARENA_ARRAY(&c->arena, struct broker, m->brokers.n + 1);
	for (int32_t i = 0; i < m->brokers.n; i++) {
		struct broker *b = &c->brokers[c->broker_count++];

		b->id = m->brokers.v[i].node_id;
		b->host = arena_slice(&c->arena, m->brokers.v[i].host);
		b->port = m->brokers.v[i].port;
		b->rack = arena_slice(&c->arena, m->brokers.v[i].rack);
		resolve(b);
	}
	qsort(c->brokers, (size_t)c->broker_count, sizeof(*c->brokers),
	    compare_brokers);
}

/* ---- topics ---- */

static struct int32_list
copy_ids(struct arena *a, const int32_t *v, int32_t n)
{
	struct int32_list to = { NULL, n > 0 ? n : 0 };

	if (n > 0) {
		to.v = ARENA_ARRAY(a, int32_t, n);
		memcpy(to.v, v, (size_t)n * sizeof(*v));
	}
	return to;
}

static int
compare_partitions(const void *a, const void *b)
{
	const struct partition *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static void
build_topic(struct cluster *c, const struct metadata_response_topics *from,
    struct topic *to)
{
	to->name = arena_slice(&c->arena, from->name);
	to->id = from->topic_id;
	to->error_code = from->error_code;
	to->internal = from->is_internal;
	to->partition_count = from->partitions.n > 0 ? from->partitions.n : 0;
	to->partitions = ARENA_ARRAY(&c->arena, struct partition,
	    to->partition_count + 1);
	for (int32_t i = 0; i < to->partition_count; i++) {
		const struct metadata_response_topics_partitions *p =
		    &from->partitions.v[i];

		to->partitions[i] = (struct partition){
			.index = p->partition_index,
			.error_code = p->error_code,
			.leader = p->leader_id,
			.leader_epoch = p->leader_epoch,
			.replicas = copy_ids(&c->arena, p->replica_nodes.v,
			    p->replica_nodes.n),
			.isr = copy_ids(&c->arena, p->isr_nodes.v,
			    p->isr_nodes.n),
			.offline = copy_ids(&c->arena, p->offline_replicas.v,
			    p->offline_replicas.n),
		};
	}
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
build_topics(struct cluster *c, const struct metadata_response *m)
{
	int32_t n = m->topics.n > 0 ? m->topics.n : 0;

	c->topics = ARENA_ARRAY(&c->arena, struct topic, n + 1);
	for (int32_t i = 0; i < n; i++)
		if (m->topics.v[i].name.data != NULL)
			build_topic(c, &m->topics.v[i],
			    &c->topics[c->topic_count++]);
	qsort(c->topics, (size_t)c->topic_count, sizeof(*c->topics),
	    compare_topics);
	for (int32_t i = 0; i < c->topic_count; i++) {
		struct topic *t = &c->topics[i];

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

static struct cluster *
new_cluster(const struct metadata_response *m)
{
	struct arena a;
	struct cluster *c;

	arena_init(&a, 0);
	c = ARENA_NEW(&a, struct cluster);
	c->arena = a;
	c->refs = 1;
	c->by_name = htab_new();
	c->by_id = htab_new();
	c->controller_id = m->controller_id;
	c->cluster_id = arena_slice(&c->arena, m->cluster_id);
	build_brokers(c, m);
	return c;
}

struct cluster *
snapshot_places(const struct metadata_response *m)
{
	return new_cluster(m);
}

struct cluster *
snapshot_build(const struct metadata_response *m, const struct ranges *r,
    int32_t n, int64_t asked_us, uint64_t generation)
{
	struct cluster *c = new_cluster(m);

	c->asked_us = asked_us;
	c->generation = generation;
	build_topics(c, m);
	build_known(c);
	if (!offer(c, r, n)) {
		cluster_unref(c);
		return NULL;
	}
	return c;
}
