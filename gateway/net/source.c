/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/source.h"

#include <netinet/in.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/list.h"
#include "gateway/base/mem.h"

enum {
	AT_REST_MAX = SOURCE_AT_REST / SOURCE_SHARDS,
	SECOND_US = 1000 * 1000,
	KEY_SIZE = 9,			/* a family and up to 64 bits */
};

/* A bucket is one time: when it will be as new. Each that goes in moves it on;
 * it is full when it lies too far ahead. */
struct source {
	struct list	 rest;		/* while without connections */
	uint8_t		 key[KEY_SIZE];
	uint32_t	 connections;
	int64_t		 opens_us, failures_us;	/* buckets */
};

struct shard {
	pthread_mutex_t	 lock;
	struct htab	*by_key;	/* NULL: empty */
	struct list	 at_rest;	/* the oldest first */
	uint32_t	 resting;
};

static struct shard shards[SOURCE_SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct {
	atomic_uint	 connections_max, connection_rate;
	atomic_uint	 login_failures_max, login_failure_ms;
} limits;

static void
init_shards(void)
{
	for (int i = 0; i < SOURCE_SHARDS; i++) {
		pthread_mutex_init(&shards[i].lock, NULL);
		list_init(&shards[i].at_rest);
	}
}

void
source_set_limits(const struct source_limits *l)
{
	atomic_store(&limits.connections_max, l->connections_max);
	atomic_store(&limits.connection_rate, l->connection_rate);
	atomic_store(&limits.login_failures_max, l->login_failures_max);
	atomic_store(&limits.login_failure_ms, l->login_failure_ms);
}

static uint32_t
limit_of(atomic_uint *l)
{
	return atomic_load_explicit(l, memory_order_relaxed);
}

/* ---- buckets ---- */

/* Whether one more fits now, `most` at once and one more each `each_us`. */
static bool
bucket_fits(int64_t bucket_us, int64_t now, uint32_t most, int64_t each_us)
{
	return bucket_us - now <= (most - 1) * each_us;
}

static void
bucket_put(int64_t *bucket_us, int64_t now, uint32_t most, int64_t each_us)
{
	int64_t at = (*bucket_us > now ? *bucket_us : now) + each_us;

	*bucket_us = at < now + most * each_us ? at : now + most * each_us;
}

/* ---- the table ---- */

static bool
key_of(const struct sockaddr *a, uint8_t key[KEY_SIZE])
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	memset(key, 0, KEY_SIZE);
	if (a->sa_family == AF_INET) {
		memcpy(&in, a, sizeof(in));
		key[0] = 4;
		memcpy(key + 1, &in.sin_addr, 4);
	} else if (a->sa_family == AF_INET6) {
		memcpy(&in6, a, sizeof(in6));
		key[0] = 6;
		memcpy(key + 1, &in6.sin6_addr, 8);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			key[0] = 4;
			memcpy(key + 1, &in6.sin6_addr.s6_addr[12], 4);
		}
	}
	return key[0] != 0;
}

/* Its shard, locked. The table inside uses the hash's low bits. */
static struct shard *
lock_shard(const uint8_t key[KEY_SIZE])
{
	uint64_t hash = htab_hash((struct slice){ key, KEY_SIZE });
	struct shard *s = &shards[(hash >> 32) % SOURCE_SHARDS];

	pthread_once(&once, init_shards);
	pthread_mutex_lock(&s->lock);
	return s;
}

static struct source *
find(const struct shard *s, const uint8_t key[KEY_SIZE])
{
	return s->by_key == NULL ? NULL :
	    htab_get(s->by_key, (struct slice){ key, KEY_SIZE });
}

static void
forget(struct shard *s, struct source *o)
{
	list_remove(&o->rest);
	s->resting--;
	htab_take(s->by_key, (struct slice){ o->key, KEY_SIZE });
	free(o);
}

/* Begins to rest. Makes room for it first: whoever has nothing left to be
 * remembered for, and the oldest when there are too many. */
static void
rest(struct shard *s, struct source *o, int64_t now)
{
	while (!list_empty(&s->at_rest)) {
		struct source *old = LIST_ENTRY(s->at_rest.next, struct source,
		    rest);

		if (s->resting < AT_REST_MAX && (old->opens_us > now ||
		    old->failures_us > now))
			break;
		forget(s, old);
	}
	list_append(&s->at_rest, &o->rest);
	s->resting++;
}

static struct source *
find_or_add(struct shard *s, const uint8_t key[KEY_SIZE], int64_t now)
{
	struct source *o = find(s, key);

	if (o != NULL)
		return o;
	if (s->by_key == NULL)
		s->by_key = htab_new();
	o = mem_zalloc(sizeof(*o));
	memcpy(o->key, key, KEY_SIZE);
	list_init(&o->rest);
	rest(s, o, now);
	htab_set(s->by_key, (struct slice){ o->key, KEY_SIZE }, o);
	return o;
}

/* ---- connections ---- */

static enum source_verdict
admit(struct shard *s, struct source *o, int64_t now)
{
	uint32_t most = limit_of(&limits.connections_max);
	uint32_t rate = limit_of(&limits.connection_rate);
	int64_t each_us = rate > 0 ? SECOND_US / rate : 0;

	if (most > 0 && o->connections >= most)
		return SOURCE_MANY;
	if (rate > 0 && !bucket_fits(o->opens_us, now, rate, each_us))
		return SOURCE_FAST;
	if (rate > 0)
		bucket_put(&o->opens_us, now, rate, each_us);
	if (o->connections++ == 0) {
		list_remove(&o->rest);
		s->resting--;
	}
	return SOURCE_TAKEN;
}

enum source_verdict
source_open(const struct sockaddr *a)
{
	int64_t now = clock_now_us();
	enum source_verdict v;
	uint8_t key[KEY_SIZE];
	struct shard *s;

	if ((limit_of(&limits.connections_max) == 0 &&
	    limit_of(&limits.connection_rate) == 0) || !key_of(a, key))
		return SOURCE_FREE;
	s = lock_shard(key);
	v = admit(s, find_or_add(s, key, now), now);
	pthread_mutex_unlock(&s->lock);
	return v;
}

void
source_close(const struct sockaddr *a)
{
	uint8_t key[KEY_SIZE];
	struct source *o;
	struct shard *s;

	if (!key_of(a, key))
		return;
	s = lock_shard(key);
	o = find(s, key);
	if (o != NULL && o->connections > 0 && --o->connections == 0)
		rest(s, o, clock_now_us());
	pthread_mutex_unlock(&s->lock);
}

/* ---- logins ---- */

bool
source_login_allowed(const struct sockaddr *a)
{
	uint32_t most = limit_of(&limits.login_failures_max);
	int64_t each_us = (int64_t)limit_of(&limits.login_failure_ms) * 1000;
	uint8_t key[KEY_SIZE];
	struct source *o;
	struct shard *s;
	bool fits;

	if (most == 0 || !key_of(a, key))
		return true;
	s = lock_shard(key);
	o = find(s, key);
	fits = o == NULL || bucket_fits(o->failures_us, clock_now_us(), most,
	    each_us);
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void
source_login_failed(const struct sockaddr *a)
{
	uint32_t most = limit_of(&limits.login_failures_max);
	int64_t each_us = (int64_t)limit_of(&limits.login_failure_ms) * 1000;
	int64_t now = clock_now_us();
	uint8_t key[KEY_SIZE];
	struct shard *s;

	if (most == 0 || !key_of(a, key))
		return;
	s = lock_shard(key);
	bucket_put(&find_or_add(s, key, now)->failures_us, now, most, each_us);
	pthread_mutex_unlock(&s->lock);
}

/* ---- all ---- */

size_t
source_count(void)
{
	size_t n = 0;

	pthread_once(&once, init_shards);
	for (int i = 0; i < SOURCE_SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		if (shards[i].by_key != NULL)
			n += htab_count(shards[i].by_key);
		pthread_mutex_unlock(&shards[i].lock);
	}
	return n;
}

void
source_forget(void)
{
	pthread_once(&once, init_shards);
	for (int i = 0; i < SOURCE_SHARDS; i++) {
		struct shard *s = &shards[i];

		pthread_mutex_lock(&s->lock);
		htab_free(s->by_key, free);
		s->by_key = NULL;
		list_init(&s->at_rest);
		s->resting = 0;
		pthread_mutex_unlock(&s->lock);
	}
}
