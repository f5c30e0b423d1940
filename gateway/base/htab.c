/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing; at most three quarters full. A removal
 * shifts its successors back, so there are no tombstones.
 */
#include "gateway/base/htab.h"

#include <sys/random.h>

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/mem.h"

enum { SLOTS_FIRST = 8 };

struct slot {
	uint64_t	 hash;
	uint8_t		*key;		/* owned; never NULL when in use */
	uint32_t	 key_len;
	void		*value;		/* NULL: the slot is free */
};

struct htab {
	struct slot	*slots;
	size_t		 count, mask;	/* mask + 1 slots, a power of two */
};

struct sip {
	uint64_t	 v0, v1, v2, v3;
};

static uint64_t sip_key[2];

__attribute__((constructor)) static void
draw_key(void)
{
	if (getrandom(sip_key, sizeof(sip_key), 0) != sizeof(sip_key))
		abort();
}

static uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void
sip_rounds(struct sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static uint64_t
load_le(const uint8_t *p, size_t n)
{
	uint64_t x = 0;

	for (size_t i = 0; i < n; i++)
		x |= (uint64_t)p[i] << 8 * i;
	return x;
}

/* SipHash with c rounds a word and d at the end (Aumasson and Bernstein). */
static uint64_t
siphash(const uint64_t key[2], int c, int d, const uint8_t *p, size_t len)
{
	struct sip s = {
		key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)len << 56, word;

	for (; len >= 8; p += 8, len -= 8) {
		word = load_le(p, 8);
		s.v3 ^= word;
		sip_rounds(&s, c);
		s.v0 ^= word;
	}
	last |= load_le(p, len);
	s.v3 ^= last;
	sip_rounds(&s, c);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_rounds(&s, d);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t
htab_hash(struct slice key)
{
	return siphash(sip_key, 1, 3, key.data, key.len);
}

struct htab *
htab_new(void)
{
	struct htab *h = mem_zalloc(sizeof(*h));

	h->mask = SLOTS_FIRST - 1;
	h->slots = mem_zalloc(SLOTS_FIRST * sizeof(*h->slots));
	return h;
}

void
htab_free(struct htab *h, void (*free_value)(void *value))
{
	if (h == NULL)
		return;
	for (size_t i = 0; i <= h->mask; i++) {
		if (h->slots[i].value == NULL)
			continue;
		if (free_value != NULL)
			free_value(h->slots[i].value);
		free(h->slots[i].key);
	}
	free(h->slots);
	free(h);
}

size_t
htab_count(const struct htab *h)
{
	return h->count;
}

/* The key's slot, or the free one where it belongs. */
static struct slot *
find(const struct htab *h, struct slice key, uint64_t hash)
{
	struct slot *s;

	for (size_t i = hash & h->mask;; i = (i + 1) & h->mask) {
		s = &h->slots[i];
		if (s->value == NULL)
			return s;
		if (s->hash == hash && s->key_len == key.len &&
		    (key.len == 0 || memcmp(s->key, key.data, key.len) == 0))
			return s;
	}
}

static void
grow(struct htab *h)
{
	struct slot *old = h->slots, *s;
	size_t n = h->mask + 1;

	h->mask = n * 2 - 1;
	h->slots = mem_zalloc(n * 2 * sizeof(*h->slots));
	for (size_t i = 0; i < n; i++) {
		if (old[i].value == NULL)
			continue;
		s = find(h, (struct slice){ old[i].key, old[i].key_len },
		    old[i].hash);
		*s = old[i];
	}
	free(old);
}

void *
htab_get(const struct htab *h, struct slice key)
{
	return find(h, key, htab_hash(key))->value;
}

void *
htab_set(struct htab *h, struct slice key, void *value)
{
	uint64_t hash = htab_hash(key);
	struct slot *s = find(h, key, hash);
	void *old = s->value;

	assert(value != NULL);
	s->value = value;
	if (old != NULL)
		return old;
	s->hash = hash;
	s->key = (uint8_t *)mem_strndup(key.data, key.len);
	s->key_len = key.len;
	if (++h->count > (h->mask + 1) / 4 * 3)
		grow(h);
	return NULL;
}

/* Fills the hole at i with entries that were pushed past it. */
static void
close_hole(struct htab *h, size_t i)
{
	size_t home;

	for (size_t j = (i + 1) & h->mask; h->slots[j].value != NULL;
	    j = (j + 1) & h->mask) {
		home = h->slots[j].hash & h->mask;
		if (((j - home) & h->mask) < ((j - i) & h->mask))
			continue;
		h->slots[i] = h->slots[j];
		i = j;
	}
	memset(&h->slots[i], 0, sizeof(h->slots[i]));
}

void *
htab_take(struct htab *h, struct slice key)
{
	struct slot *s = find(h, key, htab_hash(key));
	void *old = s->value;

	if (old == NULL)
		return NULL;
	free(s->key);
	h->count--;
	close_hole(h, (size_t)(s - h->slots));
	return old;
}

bool
htab_each(const struct htab *h,
    bool (*cb)(void *arg, struct slice key, void *value), void *arg)
{
	for (size_t i = 0; i <= h->mask; i++) {
		const struct slot *s = &h->slots[i];

		if (s->value != NULL &&
		    !cb(arg, (struct slice){ s->key, s->key_len }, s->value))
			return false;
	}
	return true;
}
