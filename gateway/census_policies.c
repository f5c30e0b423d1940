/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census_policies.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "routing/cluster.h"

struct policy {
	uint64_t	 topic;		/* hash of its id */
	bool		 compacted;
};

struct policies {
	atomic_int	 refs;
	struct policy	*v;		/* sorted once sealed */
	uint32_t	 n, room;
};

struct policies *
policies_new(void)
{
	struct policies *p = mem_zalloc(sizeof(*p));

	atomic_init(&p->refs, 1);
	return p;
}

struct policies *
policies_ref(struct policies *p)
{
	if (p != NULL)
		atomic_fetch_add(&p->refs, 1);
	return p;
}

void
policies_unref(struct policies *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) > 1)
		return;
	free(p->v);
	free(p);
}

/* Before Kafka 2.8 topics have no ids. */
static uint64_t
hash_of(const struct topic *t)
{
	return htab_hash(uuid_is_zero(&t->id) ? t->name :
	    (struct slice){ t->id.b, sizeof(t->id.b) });
}

void
policies_add(struct policies *p, const struct topic *t, bool compacted)
{
	if (p->n == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->v = mem_realloc(p->v, p->room * sizeof(*p->v));
	}
	p->v[p->n++] = (struct policy){ hash_of(t), compacted };
}

static int
by_topic(const void *a, const void *b)
{
	const struct policy *x = a, *y = b;

	return x->topic < y->topic ? -1 : x->topic > y->topic;
}

void
policies_seal(struct policies *p)
{
	if (p->n > 0)
		qsort(p->v, p->n, sizeof(*p->v), by_topic);
}

enum made_class
policies_class(const struct policies *p, const struct topic *t)
{
	const struct policy key = { .topic = hash_of(t) }, *found = NULL;

	if (p != NULL && p->n > 0)
		found = bsearch(&key, p->v, p->n, sizeof(key), by_topic);
	return found == NULL ? MADE_UNKNOWN : found->compacted ?
	    MADE_COMPACTED : MADE_PLAIN;
}

bool
policies_compacts(struct slice value)
{
	static const char word[] = "compact";
	uint32_t at = 0, end;

	while (at < value.len) {
		while (at < value.len && (value.data[at] == ' ' ||
		    value.data[at] == ','))
			at++;
		for (end = at; end < value.len && value.data[end] != ',' &&
		    value.data[end] != ' '; end++)
			;
		if (end - at == sizeof(word) - 1 &&
		    memcmp(value.data + at, word, end - at) == 0)
			return true;
		at = end;
	}
	return false;
}
