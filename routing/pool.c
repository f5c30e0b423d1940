/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"
#include "routing/pool_private.h"

static struct pool_broker *
find_broker(const struct pool *p, int32_t id)
{
	LIST_FOREACH(it, &p->brokers) {
		struct pool_broker *b = LIST_ENTRY(it, struct pool_broker,
		    link);

		/* Those with -1 are addresses, not brokers. */
		if (b->id == id && id >= 0)
			return b;
	}
	return NULL;
}

static void
close_idle(struct pool_broker *b)
{
	while (!list_empty(&b->idle))
		upstream_close(LIST_ENTRY(b->idle.next, struct upstream, link),
		    "the broker has moved");
}

static void
free_dead(struct pool *p)
{
	while (!list_empty(&p->dead)) {
		struct upstream *u = LIST_ENTRY(p->dead.next, struct upstream,
		    link);

		list_remove(&u->link);
		free(u);
	}
}

/* Idle upstreams stand latest first: the last ones are the oldest. */
static void
close_unused(struct pool *p, struct pool_broker *b, int64_t now)
{
	while (!list_empty(&b->idle)) {
		struct upstream *u = LIST_ENTRY(b->idle.prev, struct upstream,
		    link);

		if (now - u->idle_since <
		    (int64_t)p->options.idle_ms * 1000)
			return;
		upstream_close(u, "unused");
	}
}

static void
pool_tick(void *arg)
{
	struct pool *p = arg;
	int64_t now = loop_now_us(p->loop);
	struct list todo;

	if (p->ending)
		return;
	free_dead(p);
	/* What is told of an end may end or return any other one. */
	list_init(&todo);
	list_append(&p->leased, &todo);
	list_remove(&p->leased);
	while (!list_empty(&todo)) {
		struct upstream *u = LIST_ENTRY(todo.next, struct upstream,
		    link);

		list_remove(&u->link);
		list_append(&p->leased, &u->link);
		upstream_tick(u, now);
	}
	LIST_FOREACH(it, &p->brokers)
		close_unused(p, LIST_ENTRY(it, struct pool_broker, link), now);
}

struct pool *
pool_new(struct loop *l, const struct upstream_options *o)
{
	struct pool *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	p->options = *o;
	if (o->tls != NULL)
		tls_context_ref(o->tls);
	list_init(&p->brokers);
	list_init(&p->leased);
	list_init(&p->dead);
	loop_on_tick(l, pool_tick, p);
	return p;
}

void
pool_free(struct pool *p)
{
	p->ending = true;
	LIST_FOREACH_SAFE(it, &p->brokers)
		close_idle(LIST_ENTRY(it, struct pool_broker, link));
	while (!list_empty(&p->leased))
		upstream_close(LIST_ENTRY(p->leased.next, struct upstream,
		    link), "the node ends");
	free_dead(p);
	LIST_FOREACH_SAFE(it, &p->brokers)
		free(LIST_ENTRY(it, struct pool_broker, link));
	list_init(&p->brokers);
	if (p->options.tls != NULL)
		tls_context_unref(p->options.tls);
	if (p->cluster != NULL)
		cluster_unref(p->cluster);
	loop_off_tick(p->loop, pool_tick, p);
	free(p);
}

static struct pool_broker *
add_broker(struct pool *p, int32_t id)
{
	struct pool_broker *b = mem_zalloc(sizeof(*b));

	b->id = id;
	list_init(&b->link);
	list_init(&b->idle);
	list_append(&p->brokers, &b->link);
	return b;
}

static void
take_address(struct pool_broker *b, const struct broker *from)
{
	char host[sizeof(b->host)];

	snprintf(host, sizeof(host), "%.*s", SLICE_FMT(from->host));
	if (b->port == from->port && strcmp(b->host, host) == 0 &&
	    b->address_len == from->address_len &&
	    memcmp(&b->address, &from->address, from->address_len) == 0)
		return;
	b->moves++;		/* what is leased does not come back to idle */
	close_idle(b);
	memcpy(b->host, host, sizeof(host));
	b->port = from->port;
	b->address = from->address;
	b->address_len = from->address_len;
	b->backoff_ms = 0;
	b->backoff_until = 0;
}

void
pool_set_cluster(struct pool *p, struct cluster *c)
{
	struct cluster *old = p->cluster;

	p->cluster = cluster_ref(c);
	LIST_FOREACH(it, &p->brokers) {
		struct pool_broker *b = LIST_ENTRY(it, struct pool_broker,
		    link);

		if (b->id >= 0 && cluster_broker(c, b->id) == NULL) {
			b->address_len = 0;
			close_idle(b);
		}
	}
	for (int32_t i = 0; i < c->broker_count; i++) {
		struct pool_broker *b = find_broker(p, c->brokers[i].id);

		if (b == NULL)
			b = add_broker(p, c->brokers[i].id);
		take_address(b, &c->brokers[i]);
	}
	if (old != NULL)
		cluster_unref(old);
}

void
pool_stats(const struct pool *p, struct upstream_stats *to)
{
	*to = p->stats;
}

void
pool_each_broker(const struct pool *p, void (*cb)(void *arg, int32_t broker,
    const struct upstream_stats *u), void *arg)
{
	LIST_FOREACH(it, &p->brokers) {
		const struct pool_broker *b = LIST_ENTRY(it,
		    struct pool_broker, link);
		struct upstream_stats u = { .idle = b->idle_count };

		LIST_FOREACH(li, &p->leased) {
			const struct upstream *up = LIST_ENTRY(li,
			    struct upstream, link);

			if (up->broker != b)
				continue;
			u.leased++;
			u.connecting += up->state != UPSTREAM_UP;
		}
		cb(arg, b->id, &u);
	}
}

/* Idle ones whose login has nearly run out. */
static void
close_retired(struct pool *p, struct pool_broker *b)
{
	int64_t now = loop_now_us(p->loop);

	LIST_FOREACH_SAFE(it, &b->idle) {
		struct upstream *u = LIST_ENTRY(it, struct upstream, link);

		if (u->retire_us != 0 && now >= u->retire_us)
			upstream_close(u, "its login runs out");
	}
}

static struct upstream *
lease(struct pool *p, struct pool_broker *b,
    void (*lost)(struct upstream *u, void *arg), void *arg)
{
	struct upstream *u;

	close_retired(p, b);
	if (!list_empty(&b->idle)) {
		u = LIST_ENTRY(b->idle.next, struct upstream, link);
		b->idle_count--;
		p->stats.idle--;
	} else {
		u = upstream_open(p, b);
	}
	list_remove(&u->link);
	list_append(&p->leased, &u->link);
	u->leased = true;
	u->lost = lost;
	u->arg = arg;
	p->stats.leased++;
	return u;
}

static bool
backing_off(const struct pool *p, const struct pool_broker *b)
{
	return b->backoff_until > loop_now_us(p->loop);
}

struct upstream *
pool_lease(struct pool *p, int32_t broker,
    void (*lost)(struct upstream *u, void *arg), void *arg)
{
	struct pool_broker *b = find_broker(p, broker);

	if (b == NULL || b->address_len == 0 || p->ending ||
	    (list_empty(&b->idle) && backing_off(p, b)))
		return NULL;
	return lease(p, b, lost, arg);
}

struct upstream *
pool_lease_address(struct pool *p, const char *host, const struct sockaddr *a,
    socklen_t len, void (*lost)(struct upstream *u, void *arg), void *arg)
{
	struct pool_broker *b = NULL;

	if (p->ending)
		return NULL;
	LIST_FOREACH(it, &p->brokers) {
		struct pool_broker *x = LIST_ENTRY(it, struct pool_broker,
		    link);

		if (x->id < 0 && x->address_len == len &&
		    memcmp(&x->address, a, len) == 0)
			b = x;
	}
	if (b == NULL) {
		b = add_broker(p, -1);
		snprintf(b->host, sizeof(b->host), "%s", host);
		b->port = ntohs(a->sa_family == AF_INET6 ?
		    ((const struct sockaddr_in6 *)(const void *)a)->sin6_port :
		    ((const struct sockaddr_in *)(const void *)a)->sin_port);
		memcpy(&b->address, a, len);
		b->address_len = len;
	}
	return lease(p, b, lost, arg);
}

void
pool_return(struct upstream *u)
{
	struct pool *p = u->pool;
	struct pool_broker *b = u->broker;
	bool keep;

	assert(u->leased);
	u->leased = false;
	u->lost = NULL;
	p->stats.leased--;
	/* One that is closing is on its way to the dead already. */
	if (u->state == UPSTREAM_CLOSED)
		return;
	keep = u->state == UPSTREAM_UP && b->id >= 0 && b->address_len > 0 &&
	    u->moves == b->moves &&
	    b->idle_count < p->options.idle_max && !p->ending &&
	    (u->retire_us == 0 || loop_now_us(p->loop) < u->retire_us);
	list_remove(&u->link);
	list_prepend(&b->idle, &u->link);
	b->idle_count++;
	p->stats.idle++;
	u->idle_since = loop_now_us(p->loop);
	if (!keep)
		upstream_close(u, "unused");
}

bool
pool_backing_off(const struct pool *p, int32_t broker)
{
	const struct pool_broker *b = find_broker(p, broker);

	return b == NULL || b->address_len == 0 ||
	    (list_empty(&b->idle) && backing_off(p, b));
}
