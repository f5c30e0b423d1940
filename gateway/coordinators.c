/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/coordinators.h"

#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/list.h"
#include "gateway/base/mem.h"
#include "gateway/worker.h"
#include "wire/messages.h"

/* Version 4 asks for many keys at once; every broker since 3.0 has it. */
enum { FIND_VERSION = 4, FIND_TRIES = 3, FIND_TIMEOUT_MS = 3000 };

struct coordinators {
	struct worker	*worker;
	struct htab	*known[2];	/* -> broker id + 1, as a pointer */
	struct htab	*finding[2];	/* -> struct find, those of one key */
};

/* Who asks for a key that is being looked up gets that answer, after those who
 * asked before: so a client's requests stay in order. */
struct waiter {
	struct list			 link;
	struct coordinator_query	*q;
	void				(*done)(void *arg);
	void				*arg;
};

/* One lookup under way. */
struct find {
	struct coordinators		*owner;
	enum coordinator_kind		 kind;
	struct coordinator_query	*q;
	int32_t				 n;
	void				(*done)(void *arg);
	void				*arg;
	struct list			 waiters;
	struct leg			 leg;
	struct arena			 arena;
	struct find_coordinator_request	 body;
};

struct coordinators *
coordinators_new(struct worker *w)
{
	struct coordinators *c = mem_zalloc(sizeof(*c));

	c->worker = w;
	c->known[COORDINATOR_GROUP] = htab_new();
	c->known[COORDINATOR_TXN] = htab_new();
	c->finding[COORDINATOR_GROUP] = htab_new();
	c->finding[COORDINATOR_TXN] = htab_new();
	return c;
}

void
coordinators_free(struct coordinators *c)
{
	htab_free(c->known[COORDINATOR_GROUP], NULL);
	htab_free(c->known[COORDINATOR_TXN], NULL);
	htab_free(c->finding[COORDINATOR_GROUP], NULL);
	htab_free(c->finding[COORDINATOR_TXN], NULL);
	free(c);
}

void
coordinators_forget(struct coordinators *c, enum coordinator_kind kind,
    struct slice key)
{
	htab_take(c->known[kind], key);
}

static void
learn(struct coordinators *c, enum coordinator_kind kind, struct slice key,
    int32_t broker)
{
	if (htab_count(c->known[kind]) >= COORDINATORS_MAX) {
		htab_free(c->known[kind], NULL);
		c->known[kind] = htab_new();
	}
	htab_set(c->known[kind], key, (void *)((uintptr_t)broker + 1));
}

/* By a table, for there may be very many. What is no broker's id is not learnt,
 * whatever the broker says of errors. */
static void
take_answer(struct find *f, const struct find_coordinator_response *answer)
{
	struct htab *by_key = htab_new();

	for (int32_t i = 0; i < answer->coordinators.n; i++) {
		struct find_coordinator_response_coordinators *a =
		    &answer->coordinators.v[i];

		htab_set(by_key, a->key, a);
		if (a->error_code == 0 && a->node_id >= 0)
			learn(f->owner, f->kind, a->key, a->node_id);
	}
	for (int32_t j = 0; j < f->n; j++) {
		const struct find_coordinator_response_coordinators *a =
		    htab_get(by_key, f->q[j].key);

		if (f->q[j].broker >= 0 || a == NULL)
			continue;
		if (a->error_code != 0)
			f->q[j].error = a->error_code;
		else if (a->node_id >= 0)
			f->q[j].broker = a->node_id;
	}
	htab_free(by_key, NULL);
}

/* Tells all who wait. What was asked with may be gone after each done. */
static void
tell(struct find *f)
{
	struct coordinator_query result = f->q[0];
	struct htab *finding = f->owner->finding[f->kind];
	bool one = f->n == 1;

	f->done(f->arg);
	while (!list_empty(&f->waiters)) {
		struct waiter *w = LIST_ENTRY(f->waiters.next, struct waiter,
		    link);

		list_remove(&w->link);
		w->q->broker = result.broker;
		w->q->error = result.error;
		w->done(w->arg);
		free(w);
	}
	if (one)
		htab_take(finding, f->body.coordinator_keys.v[0]);
}

static void
find_over(struct leg *l)
{
	struct find *f = l->state;

	if (l->reply == NULL && l->tries++ < FIND_TRIES) {
		l->broker = LEG_ANY;
		leg_send(l, api_schema_find(API_FIND_COORDINATOR),
		    FIND_VERSION, SLICE_LIT("weir"));
		return;
	}
	if (l->reply != NULL)
		take_answer(f, l->reply);
	tell(f);
	arena_fini(&f->arena);
	free(f);
}

static void
find_missing(struct find *f, int32_t missing)
{
	struct leg *l = &f->leg;
	int32_t n = 0;

	f->body.key_type = (int8_t)f->kind;
	f->body.coordinator_keys.v = ARENA_ARRAY(&f->arena, struct slice,
	    missing);
	for (int32_t i = 0; i < f->n; i++)
		if (f->q[i].broker < 0)
			f->body.coordinator_keys.v[n++] =
			    arena_slice(&f->arena, f->q[i].key);
	f->body.coordinator_keys.n = n;
	if (f->n == 1)
		htab_set(f->owner->finding[f->kind],
		    f->body.coordinator_keys.v[0], f);
	l->worker = f->owner->worker;
	l->arena = &f->arena;
	l->broker = LEG_ANY;
	l->body = &f->body;
	l->class = USE_GENERAL;
	l->timeout_ms = FIND_TIMEOUT_MS;
	l->done = find_over;
	l->state = f;
	leg_send(l, api_schema_find(API_FIND_COORDINATOR), FIND_VERSION,
	    SLICE_LIT("weir"));
}

/* False when nobody looks for that key now. */
static bool
join_find(struct coordinators *c, enum coordinator_kind kind,
    struct coordinator_query *q, void (*done)(void *arg), void *arg)
{
	struct find *f = htab_get(c->finding[kind], q->key);
	struct waiter *w;

	if (f == NULL)
		return false;
	w = mem_zalloc(sizeof(*w));
	w->q = q;
	w->done = done;
	w->arg = arg;
	list_append(&f->waiters, &w->link);
	return true;
}

void
coordinators_find(struct coordinators *c, enum coordinator_kind kind,
    struct coordinator_query *q, int32_t n, void (*done)(void *arg), void *arg)
{
	int32_t missing = 0;
	struct find *f;

	if (n == 1 && join_find(c, kind, q, done, arg))
		return;
	for (int32_t i = 0; i < n; i++) {
		uintptr_t known = (uintptr_t)htab_get(c->known[kind], q[i].key);

		q[i].broker = known ? (int32_t)(known - 1) : -1;
		q[i].error = KAFKA_COORDINATOR_NOT_AVAILABLE;
		missing += known == 0;
	}
	if (missing == 0) {
		done(arg);
		return;
	}
	f = mem_zalloc(sizeof(*f));
	f->owner = c;
	f->kind = kind;
	f->q = q;
	f->n = n;
	f->done = done;
	f->arg = arg;
	list_init(&f->waiters);
	arena_init(&f->arena, 0);
	find_missing(f, missing);
}
