/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions that were made before: a table of groups of four slots. A decision
 * is in the group of its hash or nowhere, so a look-up is four compares, and a
 * full group loses one of its own.
 */
#include <stdlib.h>

#include "auth/policy_private.h"
#include "gateway/base/mem.h"

enum { GROUP = 4, SLOTS_FIRST = 16 };

static struct policy_slot *
group_of(const struct policy_cache *c, uint64_t hash)
{
	return &c->slots[(hash & (c->count / GROUP - 1)) * GROUP];
}

const struct policy_slot *
policy_cache_find(const struct policy_cache *c, uint64_t hash, unsigned action,
    unsigned type, struct slice name)
{
	const struct policy_slot *s;

	if (c->count == 0)
		return NULL;
	s = group_of(c, hash);
	for (int i = 0; i < GROUP; i++, s++) {
		if (s->used && s->hash == hash && s->action == action &&
		    s->type == type && s->len == name.len && (name.len == 0 ||
		    memcmp(s->name, name.data, name.len) == 0))
			return s;
	}
	return NULL;
}

static struct policy_slot *
free_slot(const struct policy_cache *c, uint64_t hash)
{
	struct policy_slot *s = group_of(c, hash);

	for (int i = 0; i < GROUP; i++)
		if (!s[i].used)
			return &s[i];
	return NULL;
}

/* The groups are twice as many; the slots of one are spread over two, so each
 * finds room. */
static void
grow(struct policy_cache *c)
{
	struct policy_slot *old = c->slots;
	uint32_t n = c->count;

	c->count = n == 0 ? SLOTS_FIRST : n * 2;
	c->slots = mem_zalloc(c->count * sizeof(*c->slots));
	for (uint32_t i = 0; i < n; i++)
		if (old[i].used)
			*free_slot(c, old[i].hash) = old[i];
	free(old);
}

void
policy_cache_put(struct policy_cache *c, const struct policy_slot *new,
    struct slice name)
{
	struct policy_slot *s = NULL, *same;
	uint8_t *copy;

	same = (struct policy_slot *)(uintptr_t)policy_cache_find(c, new->hash,
	    new->action, new->type, name);
	if (same != NULL) {
		same->allowed = new->allowed;
		same->timed = new->timed;
		same->made_ms = new->made_ms;
		return;
	}
	while (c->count == 0 || (s = free_slot(c, new->hash)) == NULL) {
		if (c->count >= POLICY_CACHE_MAX)
			break;
		grow(c);
	}
	if (s == NULL)
		s = &group_of(c, new->hash)[c->victim++ % GROUP];
	copy = (uint8_t *)mem_strndup(name.data, name.len);
	free(s->name);
	*s = *new;
	s->name = copy;
	s->len = name.len;
	s->used = true;
}

void
policy_cache_clear(struct policy_cache *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		free(c->slots[i].name);
	free(c->slots);
	memset(c, 0, sizeof(*c));
}
