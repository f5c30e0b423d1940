/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/guesses.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"

/* When its failures will all be forgotten: each one moves that on. */
struct way {
	uint64_t	 hash;
	int64_t		 clear_us;	/* 0: free */
};

static struct way sets[GUESSES_SETS][GUESSES_WAYS];
static pthread_mutex_t locks[GUESSES_LOCKS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint limit_most, limit_each_ms;

static void
init_locks(void)
{
	for (int i = 0; i < GUESSES_LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
}

void
guesses_set_limit(uint32_t most, uint32_t each_ms)
{
	atomic_store(&limit_most, most);
	atomic_store(&limit_each_ms, each_ms);
}

static pthread_mutex_t *
lock_of(uint64_t hash)
{
	pthread_once(&once, init_locks);
	return &locks[hash % GUESSES_LOCKS];
}

/* Its place; NULL: it has none. */
static struct way *
find(struct way *set, uint64_t hash)
{
	for (int i = 0; i < GUESSES_WAYS; i++)
		if (set[i].clear_us != 0 && set[i].hash == hash)
			return &set[i];
	return NULL;
}

/* A new place for it: that of who has failed least. */
static struct way *
make_room(struct way *set, uint64_t hash)
{
	struct way *least = &set[0];

	for (int i = 1; i < GUESSES_WAYS; i++)
		if (set[i].clear_us < least->clear_us)
			least = &set[i];
	*least = (struct way){ .hash = hash };
	return least;
}

void
guesses_failed(struct slice name)
{
	int64_t most = atomic_load(&limit_most), now = clock_now_us();
	int64_t each_us = (int64_t)atomic_load(&limit_each_ms) * 1000;
	uint64_t hash = htab_hash(name);
	struct way *set = sets[hash % GUESSES_SETS], *w;

	if (most == 0 || name.len == 0)
		return;
	pthread_mutex_lock(lock_of(hash));
	w = find(set, hash);
	if (w == NULL)
		w = make_room(set, hash);
	w->clear_us = (w->clear_us > now ? w->clear_us : now) + each_us;
	if (w->clear_us > now + most * each_us)
		w->clear_us = now + most * each_us;
	pthread_mutex_unlock(lock_of(hash));
}

bool
guesses_over(struct slice name)
{
	int64_t most = atomic_load(&limit_most), now = clock_now_us();
	int64_t each_us = (int64_t)atomic_load(&limit_each_ms) * 1000;
	uint64_t hash = htab_hash(name);
	struct way *w;
	bool over;

	if (most == 0 || name.len == 0)
		return false;
	pthread_mutex_lock(lock_of(hash));
	w = find(sets[hash % GUESSES_SETS], hash);
	over = w != NULL && w->clear_us - now > (most - 1) * each_us;
	pthread_mutex_unlock(lock_of(hash));
	return over;
}

void
guesses_forget(void)
{
	for (int i = 0; i < GUESSES_LOCKS; i++)
		pthread_mutex_lock(lock_of((uint64_t)i));
	memset(sets, 0, sizeof(sets));
	for (int i = 0; i < GUESSES_LOCKS; i++)
		pthread_mutex_unlock(lock_of((uint64_t)i));
}
