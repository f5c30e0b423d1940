/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/adopt_gather.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/ask.h"
#include "gateway/base/arena.h"
#include "gateway/base/mem.h"
#include "gateway/wire/codec.h"
#include "gateway/wire/errors.h"
#include "routing/cluster.h"
#include "wire/messages.h"

/* The names of one kind, of all brokers. */
struct asking {
	struct gather		*gather;
	enum name_kind		 kind;
};

struct gather {
	struct pool		*pool;
	struct cluster		*cluster;	/* a reference */
	struct arena		 arena;		/* of what brokers said */
	struct adopt_names	 names[NAME_KINDS];
	uint32_t		 room[NAME_KINDS];	/* in names[].v */
	struct asking		 askings[NAME_KINDS];
	uint32_t		 pending;	/* answers, and the beginning */
	bool			 failed;
	struct error		 why;		/* the first reason */
	adopt_gathered_cb	*done;
	void			*arg;
};

static const char *const words[NAME_KINDS] = { "topics", "groups",
    "transactional ids" };

/* ---- names ---- */

static void
add(struct gather *g, enum name_kind kind, struct slice name, bool internal)
{
	struct adopt_names *to = &g->names[kind];

	if (to->n == g->room[kind]) {
		g->room[kind] = to->n * 2 + 64;
		to->v = mem_realloc(to->v, g->room[kind] * sizeof(*to->v));
	}
	to->v[to->n++] = (struct adopt_name){ name, internal };
}

/* As add, of what is not ours to keep; false: the cap. */
static bool
add_copy(struct gather *g, enum name_kind kind, struct slice name)
{
	uint8_t *to = arena_try(&g->arena, (size_t)name.len + 1);

	if (to == NULL)
		return false;
	if (name.len > 0)
		memcpy(to, name.data, name.len);
	add(g, kind, (struct slice){ to, name.len }, false);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	const struct adopt_name *x = a, *y = b;
	uint32_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
	int d = n > 0 ? memcmp(x->name.data, y->name.data, n) : 0;

	if (d != 0)
		return d;
	return x->name.len < y->name.len ? -1 : x->name.len > y->name.len;
}

/* Sorted, and each once: what moves may be told by two brokers. */
static void
put_in_order(struct adopt_names *l)
{
	uint32_t n = 0;

	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	for (uint32_t i = 0; i < l->n; i++)
		if (n == 0 || !slice_eq(l->v[n - 1].name, l->v[i].name))
			l->v[n++] = l->v[i];
	l->n = n;
}

/* ---- one answer ---- */

__attribute__((format(printf, 2, 3))) static void
fail(struct gather *g, const char *fmt, ...)
{
	va_list ap;
	char text[300];

	if (g->failed)
		return;
	g->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_set(&g->why, "%s", text);
}

/* The broker's error code, or one of ours. */
static int16_t
take_groups(struct gather *g, const struct list_groups_response *r)
{
	for (int32_t i = 0; i < r->groups.n; i++)
		if (!add_copy(g, NAME_GROUP, r->groups.v[i].group_id))
			return KAFKA_UNKNOWN_SERVER_ERROR;
	return r->error_code;
}

static int16_t
take_txns(struct gather *g, const struct list_transactions_response *r)
{
	for (int32_t i = 0; i < r->transaction_states.n; i++)
		if (!add_copy(g, NAME_TXN,
		    r->transaction_states.v[i].transactional_id))
			return KAFKA_UNKNOWN_SERVER_ERROR;
	return r->error_code;
}

static void
release(struct gather *g)
{
	if (--g->pending > 0)
		return;
	for (int i = 0; i < NAME_KINDS; i++)
		put_in_order(&g->names[i]);
	g->done(g->arg, g->names, g->failed ? &g->why : NULL);
	for (int i = 0; i < NAME_KINDS; i++)
		free(g->names[i].v);
	arena_fini(&g->arena);
	cluster_unref(g->cluster);
	free(g);
}

static void
answered(void *arg, int32_t broker, const void *reply, const char *why)
{
	const struct asking *a = arg;
	int16_t code = reply == NULL ? 0 : a->kind == NAME_GROUP ?
	    take_groups(a->gather, reply) : take_txns(a->gather, reply);

	if (code != 0)
		why = kafka_error_text(code);
	if (why != NULL)
		fail(a->gather, "broker %d did not say its %s: %s", broker,
		    words[a->kind], why);
	release(a->gather);
}

/* ---- asking ---- */

static void
ask_one(struct asking *a, int32_t broker, const struct api_schema *api,
    int version)
{
	struct gather *g = a->gather;
	struct arena body;
	struct error err;

	arena_init(&body, 0);
	if (ask_broker(g->pool, broker, api->key, version,
	    codec_new(api->request, &body), answered, a, &err))
		g->pending++;
	else
		fail(g, "the %s of broker %d are not known: %s",
		    words[a->kind], broker, err.text);
	arena_fini(&body);
}

/* Of each broker, in the oldest version that all know: names are in any. */
static void
ask_all(struct gather *g, enum name_kind kind)
{
	const struct api_schema *api = api_schema_find(kind == NAME_GROUP ?
	    API_LIST_GROUPS : API_LIST_TRANSACTIONS);
	int version = ask_version(g->cluster, api->key);

	g->askings[kind] = (struct asking){ g, kind };
	if (version < 0) {
		fail(g, "the brokers do not offer %s, so %s cannot be listed",
		    api->name, words[kind]);
		return;
	}
	for (int32_t i = 0; i < g->cluster->broker_count; i++)
		ask_one(&g->askings[kind], g->cluster->brokers[i].id, api,
		    version);
}

void
adopt_gather(struct pool *p, struct cluster *c, const bool wanted[NAME_KINDS],
    adopt_gathered_cb *done, void *arg)
{
	struct gather *g = mem_zalloc(sizeof(*g));

	g->pool = p;
	g->cluster = cluster_ref(c);
	g->done = done;
	g->arg = arg;
	g->pending = 1;
	arena_init(&g->arena, ADOPT_GATHER_MAX);
	for (int32_t i = 0; wanted[NAME_TOPIC] && i < c->topic_count; i++)
		add(g, NAME_TOPIC, c->topics[i].name, c->topics[i].internal);
	if (wanted[NAME_GROUP])
		ask_all(g, NAME_GROUP);
	if (wanted[NAME_TXN])
		ask_all(g, NAME_TXN);
	release(g);
}
