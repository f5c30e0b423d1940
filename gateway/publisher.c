/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/publisher.h"

#include <stdlib.h>

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/wire/batch_write.h"
#include "gateway/wire/codec.h"
#include "gateway/wire/errors.h"
#include "routing/cluster.h"
#include "routing/upstream.h"
#include "wire/messages.h"

enum {
	VERSION = 9,			/* by name, at any broker since 2.4 */
	TIMEOUT_MS = 10000,
	CALL_MS = 15000,
	AGAIN_US = 500000,
	REPLY_ARENA = 64 * 1024,
};

struct line {
	struct list	 link;
	uint32_t	 len;
	char		 text[];
};

struct publisher {
	struct loop	*loop;
	struct pool	*pool;
	struct cluster	*cluster;	/* a reference, or NULL */
	char		*topic;		/* NULL: nowhere */
	struct list	 waiting, flying;
	uint32_t	 count;
	uint32_t	 most;		/* lines at once, less when refused */
	uint64_t	 lost;
	struct call	 call;
	struct upstream	*upstream;	/* while a call is in flight */
	struct arena	 arena;		/* of the batch in flight */
	uint32_t	 turn;		/* of partitions */
	int64_t		 not_before_us;
	bool		 busy, complained;
};

struct publisher *
publisher_new(struct loop *l, const struct upstream_options *o)
{
	struct publisher *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	p->pool = pool_new(l, o);
	p->most = PUBLISHER_BATCH_MAX;
	list_init(&p->waiting);
	list_init(&p->flying);
	return p;
}

static void
drop_lines(struct publisher *p, struct list *from)
{
	while (!list_empty(from)) {
		struct line *l = LIST_ENTRY(from->next, struct line, link);

		list_remove(&l->link);
		free(l);
		p->count--;
	}
}

static void
lose_lines(struct publisher *p, struct list *from)
{
	uint32_t before = p->count;

	drop_lines(p, from);
	p->lost += before - p->count;
}

void
publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	pool_free(p->pool);	/* ends the call */
	if (p->count > 0)
		log_warn("lines were not written to a topic",
		    "topic=%s lines=%u", p->topic ? p->topic : "", p->count);
	drop_lines(p, &p->waiting);
	drop_lines(p, &p->flying);
	if (p->cluster != NULL)
		cluster_unref(p->cluster);
	free(p->topic);
	free(p);
}

void
publisher_set_cluster(struct publisher *p, struct cluster *c)
{
	if (p->cluster != NULL)
		cluster_unref(p->cluster);
	p->cluster = cluster_ref(c);
	pool_set_cluster(p->pool, c);
}

void
publisher_set_topic(struct publisher *p, const char *topic)
{
	if (topic == NULL)
		lose_lines(p, &p->waiting);
	free(p->topic);
	p->topic = topic != NULL ? mem_strdup(topic) : NULL;
	p->complained = false;
}

bool
publisher_add(struct publisher *p, const char *text, size_t len)
{
	struct line *l;

	if (p->topic == NULL || p->count >= PUBLISHER_QUEUE_MAX)
		return false;
	l = mem_alloc(sizeof(*l) + len);
	l->len = (uint32_t)len;
	memcpy(l->text, text, len);
	list_init(&l->link);
	list_append(&p->waiting, &l->link);
	p->count++;
	return true;
}

uint64_t
publisher_take_lost(struct publisher *p)
{
	uint64_t n = p->lost;

	p->lost = 0;
	return n;
}

bool
publisher_idle(const struct publisher *p)
{
	return p->count == 0;
}

/* ---- one batch ---- */

/* Those that were not acknowledged go first the next time. */
static void
try_again(struct publisher *p, const char *why)
{
	while (!list_empty(&p->flying)) {
		struct list *last = p->flying.prev;

		list_remove(last);
		list_prepend(&p->waiting, last);
	}
	p->not_before_us = loop_now_us(p->loop) + AGAIN_US;
	if (!p->complained)
		log_warn("lines could not be written to a topic",
		    "topic=%s reason=\"%s\"", p->topic ? p->topic : "", why);
	p->complained = true;
}

/* A batch that brokers will never take goes in halves; a line alone is lost,
 * so that the others are not. */
static void
split(struct publisher *p, int16_t code)
{
	uint32_t flying = 0;

	LIST_FOREACH(it, &p->flying)
		flying++;
	if (code != KAFKA_MESSAGE_TOO_LARGE &&
	    code != KAFKA_RECORD_LIST_TOO_LARGE && code != KAFKA_INVALID_RECORD)
		return;
	if (flying == 1)
		lose_lines(p, &p->flying);
	else
		p->most = flying / 2;
}

/* The error code of the one partition; one that is not known when it cannot be
 * read. */
static int16_t
outcome_of(const struct call_reply *reply)
{
	const struct produce_response *r;
	struct reader rd = reply->reader;
	struct arena a;
	int16_t code = KAFKA_UNKNOWN_SERVER_ERROR;

	arena_init(&a, REPLY_ARENA);
	r = codec_decode(&rd, &produce_response_message, VERSION, &a);
	if (r != NULL && r->responses.n == 1 &&
	    r->responses.v[0].partition_responses.n == 1)
		code = r->responses.v[0].partition_responses.v[0].error_code;
	arena_fini(&a);
	return code;
}

static void
call_done(struct call *c, const struct call_reply *reply)
{
	struct publisher *p = LIST_ENTRY(c, struct publisher, call);
	struct upstream *u = p->upstream;
	int16_t code = reply->outcome == CALL_ANSWERED ? outcome_of(reply) :
	    KAFKA_UNKNOWN_SERVER_ERROR;

	p->busy = false;
	p->upstream = NULL;
	arena_fini(&p->arena);
	if (reply->outcome == CALL_ANSWERED && code == 0) {
		drop_lines(p, &p->flying);
		p->complained = false;
		if (p->most < PUBLISHER_BATCH_MAX)
			p->most++;
	} else {
		split(p, code);
		try_again(p, reply->outcome != CALL_ANSWERED ?
		    "the broker did not answer" : kafka_error_text(code));
	}
	if (u != NULL)
		pool_return(u);
}

static void
upstream_lost(struct upstream *u, void *arg)
{
	(void)u;
	(void)arg;
}

/* In turn, one that has a leader; NULL: there is none now. */
static const struct partition *
next_partition(struct publisher *p, const struct topic *t)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		const struct partition *part = &t->partitions[p->turn++ %
		    (uint32_t)t->partition_count];

		if (part->leader >= 0)
			return part;
	}
	return NULL;
}

/* The first lines that wait become the batch in flight. */
static struct slice
make_batch(struct publisher *p)
{
	struct batch_record v[PUBLISHER_BATCH_MAX];
	uint32_t n = 0;
	size_t bytes = 0;

	while (n < p->most && !list_empty(&p->waiting)) {
		struct line *l = LIST_ENTRY(p->waiting.next, struct line,
		    link);

		bytes += l->len;
		if (n > 0 && bytes > PUBLISHER_BYTES_MAX)
			break;
		list_remove(&l->link);
		list_append(&p->flying, &l->link);
		v[n++] = (struct batch_record){ SLICE_NULL,
		    { (const uint8_t *)l->text, l->len } };
	}
	return batch_write(v, n, clock_wall_ms(), &p->arena);
}

static struct produce_request *
make_request(struct publisher *p, int32_t partition)
{
	struct produce_request *q = codec_new(&produce_request_message,
	    &p->arena);
	struct slice batch = make_batch(p);

	q->acks = -1;
	q->timeout_ms = TIMEOUT_MS;
	q->topic_data.n = 1;
	q->topic_data.v = ARENA_NEW(&p->arena,
	    struct produce_request_topic_data);
	q->topic_data.v[0].name = slice_of(p->topic);
	q->topic_data.v[0].partition_data.n = 1;
	q->topic_data.v[0].partition_data.v = ARENA_NEW(&p->arena,
	    struct produce_request_topic_data_partition_data);
	q->topic_data.v[0].partition_data.v[0].index = partition;
	q->topic_data.v[0].partition_data.v[0].records.data = batch.data;
	q->topic_data.v[0].partition_data.v[0].records.len = batch.len;
	return q;
}

static void
send_batch(struct publisher *p, const struct partition *part)
{
	struct produce_request *q;
	struct error err;

	p->upstream = pool_lease(p->pool, part->leader, upstream_lost, p);
	if (p->upstream == NULL) {
		try_again(p, "its leader cannot be reached");
		return;
	}
	arena_init(&p->arena, 0);
	q = make_request(p, part->index);
	memset(&p->call, 0, sizeof(p->call));
	p->call.done = call_done;
	if (upstream_call(p->upstream, &p->call,
	    api_schema_find(API_PRODUCE), VERSION, SLICE_LIT("weir"), q,
	    CALL_MS, &err)) {
		p->busy = true;
		return;
	}
	pool_return(p->upstream);
	p->upstream = NULL;
	arena_fini(&p->arena);
	try_again(p, err.text);
}

void
publisher_tick(struct publisher *p)
{
	const struct topic *t;
	const struct partition *part;

	if (p->busy || list_empty(&p->waiting) || p->topic == NULL ||
	    p->cluster == NULL || loop_now_us(p->loop) < p->not_before_us)
		return;
	t = cluster_topic(p->cluster, slice_of(p->topic));
	part = t != NULL ? next_partition(p, t) : NULL;
	if (part == NULL)
		try_again(p, t == NULL ? "there is no such topic: make it" :
		    "none of its partitions has a leader");
	else
		send_batch(p, part);
}
