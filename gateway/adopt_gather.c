/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/adopt_gather.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/arena.h"
#include "gateway/base/mem.h"
#include "gateway/wire/codec.h"
#include "gateway/wire/errors.h"
#include "routing/cluster.h"
#include "routing/upstream.h"
#include "wire/messages.h"

/* One broker's names of one kind. */
struct ask {
	struct call		 call;
	struct gather		*gather;
	struct upstream		*upstream;	/* while it is in flight */
	enum name_kind		 kind;
	int32_t			 broker;
};

struct gather {
	struct pool		*pool;
	struct cluster		*cluster;	/* a reference */
	struct arena		 arena;		/* of what brokers said */
	struct adopt_names	 names[NAME_KINDS];
	uint32_t		 room[NAME_KINDS];	/* in names[].v */
	struct ask		*asks;
	uint32_t		 pending;	/* calls, and the beginning */
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

static int16_t
take(struct ask *q, const struct call_reply *reply)
{
	struct reader rd = reply->reader;
	struct arena a;
	const void *body;
	int16_t code = KAFKA_UNKNOWN_SERVER_ERROR;

	arena_init(&a, ADOPT_GATHER_MAX);
	body = codec_decode(&rd, q->call.api->response, q->call.version, &a);
	if (body != NULL)
		code = q->kind == NAME_GROUP ? take_groups(q->gather, body) :
		    take_txns(q->gather, body);
	arena_fini(&a);
	return code;
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
	free(g->asks);
	free(g);
}

static void
call_done(struct call *c, const struct call_reply *reply)
{
	struct ask *q = LIST_ENTRY(c, struct ask, call);
	int16_t code = reply->outcome == CALL_ANSWERED ? take(q, reply) : 0;

	if (reply->outcome != CALL_ANSWERED)
		fail(q->gather, "broker %d did not say its %s: %s", q->broker,
		    words[q->kind], reply->detail != NULL ? reply->detail :
		    "no answer");
	else if (code != 0)
		fail(q->gather, "broker %d did not say its %s: %s", q->broker,
		    words[q->kind], kafka_error_text(code));
	pool_return(q->upstream);
	release(q->gather);
}

/* ---- asking ---- */

static void
upstream_lost(struct upstream *u, void *arg)
{
	(void)u;
	(void)arg;
}

static void
ask_broker(struct ask *q, const struct api_schema *api, int version)
{
	struct gather *g = q->gather;
	struct arena a;
	struct error err;
	bool sent = false;

	q->upstream = pool_lease(g->pool, q->broker, upstream_lost, q);
	if (q->upstream == NULL) {
		fail(g, "broker %d cannot be reached, so its %s are not known",
		    q->broker, words[q->kind]);
		return;
	}
	arena_init(&a, 0);
	q->call.done = call_done;
	sent = upstream_call(q->upstream, &q->call, api, version,
	    SLICE_LIT("weir"), codec_new(api->request, &a), ADOPT_CALL_MS,
	    &err);
	arena_fini(&a);
	if (sent) {
		g->pending++;
		return;
	}
	fail(g, "broker %d: %s", q->broker, err.text);
	pool_return(q->upstream);
}

/* Of each broker, in the oldest version that all know: names are in any. */
static void
ask_all(struct gather *g, enum name_kind kind, struct ask *v)
{
	const struct api_schema *api = api_schema_find(kind == NAME_GROUP ?
	    API_LIST_GROUPS : API_LIST_TRANSACTIONS);
	const struct api_range *r = &g->cluster->apis[api->key];
	int version = r->min > api->since ? r->min : api->since;

	if (r->max < version || api->until < version) {
		fail(g, "the brokers do not offer %s, so %s cannot be listed",
		    api->name, words[kind]);
		return;
	}
	for (int32_t i = 0; i < g->cluster->broker_count; i++) {
		v[i].gather = g;
		v[i].kind = kind;
		v[i].broker = g->cluster->brokers[i].id;
		ask_broker(&v[i], api, version);
	}
}

void
adopt_gather(struct pool *p, struct cluster *c, const bool wanted[NAME_KINDS],
    adopt_gathered_cb *done, void *arg)
{
	struct gather *g = mem_zalloc(sizeof(*g));
	size_t n = (size_t)c->broker_count;

	g->pool = p;
	g->cluster = cluster_ref(c);
	g->done = done;
	g->arg = arg;
	g->pending = 1;
	arena_init(&g->arena, ADOPT_GATHER_MAX);
	g->asks = mem_zalloc((2 * n + 1) * sizeof(*g->asks));
	for (int32_t i = 0; wanted[NAME_TOPIC] && i < c->topic_count; i++)
		add(g, NAME_TOPIC, c->topics[i].name, c->topics[i].internal);
	if (wanted[NAME_GROUP])
		ask_all(g, NAME_GROUP, g->asks);
	if (wanted[NAME_TXN])
		ask_all(g, NAME_TXN, g->asks + n);
	release(g);
}
