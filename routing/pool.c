/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/net/tls.h"
#include "routing/pool_private.h"

enum {
	FRAME_MAX_DEFAULT = 512 * 1024 * 1024,
	CONNECT_MS_DEFAULT = 10000,
	BACKOFF_MIN_MS_DEFAULT = 50,
	BACKOFF_MAX_MS_DEFAULT = 500,
};

static struct upstream *
upstream_of(struct list *link)
{
	return LIST_ENTRY(link, struct upstream, link);
}

static struct pool_broker *
broker_of(struct list *link)
{
	return LIST_ENTRY(link, struct pool_broker, link);
}

/* ---- brokers ---- */

static struct pool_broker *
find_broker(const struct pool *p, int32_t id)
{
	struct pool_broker *b = p->slots[(uint32_t)id % POOL_SLOTS];

	while (b != NULL && b->id != id)
		b = b->next;
	return b;
}

static struct pool_broker *
add_broker(struct pool *p, int32_t id)
{
	struct pool_broker *b = mem_zalloc(sizeof(*b));
	struct pool_broker **slot = &p->slots[(uint32_t)id % POOL_SLOTS];

	b->id = id;
	list_init(&b->link);
	list_init(&b->idle);
	list_append(&p->brokers, &b->link);
	if (id >= 0) {
		b->next = *slot;
		*slot = b;
	}
	return b;
}

/* Nobody is told: idle ones have no calls and no lease. */
static void
close_idle(struct pool_broker *b, const char *why)
{
	while (!list_empty(&b->idle))
		upstream_close(upstream_of(b->idle.next), why);
}

/* What is connected to where it was is not kept from now on. */
static void
move_broker(struct pool_broker *b, const char *why)
{
	b->place++;
	b->address_count = 0;
	b->address_next = 0;
	b->backoff_ms = 0;
	b->backoff_until = 0;
	b->failing = false;
	close_idle(b, why);
}

static void
take_addresses(struct pool_broker *b, const struct broker_address *from,
    int32_t n)
{
	size_t size = (size_t)n * sizeof(*from);

	if (n == b->address_count && memcmp(b->addresses, from, size) == 0)
		return;
	memcpy(b->addresses, from, size);
	b->address_count = n;
	b->address_next = 0;
}

/* Another address of the same name is no move: names with many addresses show
 * now these and now those. */
static void
take_place(struct pool_broker *b, const struct broker *from)
{
	char host[sizeof(b->host)];

	snprintf(host, sizeof(host), "%.*s", SLICE_FMT(from->host));
	if (b->port != from->port || strcmp(b->host, host) != 0) {
		move_broker(b, "the broker has moved");
		memcpy(b->host, host, sizeof(host));
		b->port = from->port;
	}
	/* One that could not be resolved just now keeps what it had. */
	if (from->address_count > 0)
		take_addresses(b, from->addresses, from->address_count);
}

static struct upstream *
leased_of_gone(const struct pool *p)
{
	LIST_FOREACH(it, &p->leased) {
		struct upstream *u = upstream_of(it);

		if (it != &p->ticked && u->broker->id >= 0 &&
		    cluster_broker(p->cluster, u->broker->id) == NULL)
			return u;
	}
	return NULL;
}

/* The cluster has given these brokers up, one that hangs for instance, and led
 * its partitions elsewhere: who waits for an answer from there should hear of
 * it now. What done() and lost() do may end others, so the search is begun
 * anew each time. */
static void
close_gone(struct pool *p)
{
	struct upstream *u;

	while ((u = leased_of_gone(p)) != NULL)
		upstream_close(u, "the broker is gone");
}

void
pool_set_cluster(struct pool *p, struct cluster *c)
{
	struct cluster *old = p->cluster;

	p->cluster = cluster_ref(c);
	LIST_FOREACH(it, &p->brokers) {
		struct pool_broker *b = broker_of(it);

		if (b->id < 0 || cluster_broker(c, b->id) != NULL)
			continue;
		move_broker(b, "the broker is gone");
		b->host[0] = '\0';
	}
	for (int32_t i = 0; i < c->broker_count; i++) {
		struct pool_broker *b = find_broker(p, c->brokers[i].id);

		if (b == NULL)
			b = add_broker(p, c->brokers[i].id);
		take_place(b, &c->brokers[i]);
	}
	if (old != NULL)
		cluster_unref(old);
	close_gone(p);
}

/* ---- the pool ---- */

static void
close_unused(struct pool *p, struct pool_broker *b, int64_t now)
{
	int64_t since = now - (int64_t)p->options.idle_ms * 1000;

	LIST_FOREACH_SAFE(it, &b->idle) {
		struct upstream *u = upstream_of(it);

		if (u->idle_since <= since)
			upstream_close(u, "unused");
		else if (u->retire_us != 0 && now >= u->retire_us)
			upstream_close(u, "its login ends");
	}
}

static void
free_dead(struct pool *p)
{
	LIST_FOREACH_SAFE(it, &p->dead) {
		struct upstream *u = upstream_of(it);

		if (!upstream_is_free(u))
			continue;
		list_remove(&u->link);
		free(u);
	}
}

static void
end_late(struct timer *t)
{
	struct pool *p = LIST_ENTRY(t, struct pool, late);

	LIST_FOREACH(it, &p->dead)
		upstream_end_late(upstream_of(it));
}

/* What done() and lost() do may take any upstream off the list, but none is
 * freed here: dead ones wait for the next tick. */
static void
tick_leased(struct pool *p, int64_t now)
{
	struct list *it;

	list_append(&p->leased, &p->ticked);
	while ((it = p->leased.next) != &p->ticked) {
		list_remove(it);
		list_append(&p->leased, it);
		upstream_tick(upstream_of(it), now);
	}
	list_remove(&p->ticked);
}

static void
pool_tick(void *arg)
{
	struct pool *p = arg;
	int64_t now = loop_now_us(p->loop);

	if (p->ending)
		return;
	free_dead(p);
	p->stats.silent = 0;
	tick_leased(p, now);
	LIST_FOREACH(it, &p->brokers)
		close_unused(p, broker_of(it), now);
}

static void
set_options(struct pool *p, const struct upstream_options *o)
{
	struct upstream_options *to = &p->options;

	*to = *o;
	if (to->tls != NULL)
		tls_context_ref(to->tls);
	if (to->frame_max == 0)
		to->frame_max = FRAME_MAX_DEFAULT;
	if (to->connect_ms == 0)
		to->connect_ms = CONNECT_MS_DEFAULT;
	if (to->backoff_min_ms == 0)
		to->backoff_min_ms = BACKOFF_MIN_MS_DEFAULT;
	if (to->backoff_max_ms == 0)
		to->backoff_max_ms = BACKOFF_MAX_MS_DEFAULT;
}

struct pool *
pool_new(struct loop *l, const struct upstream_options *o)
{
	struct pool *p = mem_zalloc(sizeof(*p));

	p->loop = l;
	set_options(p, o);
	list_init(&p->brokers);
	list_init(&p->leased);
	list_init(&p->ticked);
	list_init(&p->dead);
	p->late.fire = end_late;
	loop_on_tick(l, pool_tick, p);
	return p;
}

void
pool_free(struct pool *p)
{
	p->ending = true;
	LIST_FOREACH(it, &p->brokers)
		close_idle(broker_of(it), "the node ends");
	while (!list_empty(&p->leased))
		upstream_close(upstream_of(p->leased.next), "the node ends");
	end_late(&p->late);
	free_dead(p);
	assert(list_empty(&p->dead));
	timer_cancel(&p->late);
	LIST_FOREACH_SAFE(it, &p->brokers)
		free(broker_of(it));
	if (p->options.tls != NULL)
		tls_context_unref(p->options.tls);
	if (p->cluster != NULL)
		cluster_unref(p->cluster);
	scram_keys_cleanse(&p->keys);
	loop_off_tick(p->loop, pool_tick, p);
	free(p);
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
		const struct pool_broker *b = broker_of(it);
		struct upstream_stats u = {
			.leased = b->leased,
			.idle = b->idle_count,
			.connecting = b->connecting,
		};

		cb(arg, b->id, &u);
	}
}

/* ---- leases ---- */

static bool
backing_off(const struct pool *p, const struct pool_broker *b)
{
	return b->backoff_until > loop_now_us(p->loop);
}

static struct upstream *
take_idle(struct pool *p, struct pool_broker *b)
{
	int64_t now = loop_now_us(p->loop);

	while (!list_empty(&b->idle)) {
		struct upstream *u = upstream_of(b->idle.next);

		if (u->retire_us != 0 && now >= u->retire_us) {
			upstream_close(u, "its login ends");
			continue;
		}
		b->idle_count--;
		p->stats.idle--;
		return u;
	}
	return NULL;
}

static struct upstream *
lease(struct pool *p, struct pool_broker *b,
    void (*lost)(struct upstream *u, void *arg), void *arg)
{
	struct upstream *u = NULL;

	if (b == NULL || b->address_count == 0 || p->ending)
		return NULL;
	u = take_idle(p, b);
	if (u == NULL && !backing_off(p, b))
		u = upstream_open(p, b);
	if (u == NULL)
		return NULL;
	list_remove(&u->link);
	list_append(&p->leased, &u->link);
	u->lost = lost;
	u->arg = arg;
	upstream_leased(u, true);
	return u;
}

struct upstream *
pool_lease(struct pool *p, int32_t broker,
    void (*lost)(struct upstream *u, void *arg), void *arg)
{
	return lease(p, broker < 0 ? NULL : find_broker(p, broker), lost, arg);
}

static int32_t
port_of(const struct sockaddr *a)
{
	const void *p = a;

	return ntohs(a->sa_family == AF_INET6 ?
	    ((const struct sockaddr_in6 *)p)->sin6_port :
	    ((const struct sockaddr_in *)p)->sin_port);
}

static struct pool_broker *
find_address(const struct pool *p, const char *host, const struct sockaddr *a,
    socklen_t len)
{
	LIST_FOREACH(it, &p->brokers) {
		struct pool_broker *b = broker_of(it);

		if (b->id < 0 && b->addresses[0].len == len &&
		    memcmp(&b->addresses[0].sa, a, len) == 0 &&
		    strcmp(b->host, host) == 0)
			return b;
	}
	return NULL;
}

struct upstream *
pool_lease_address(struct pool *p, const char *host, const struct sockaddr *a,
    socklen_t len, void (*lost)(struct upstream *u, void *arg), void *arg)
{
	struct pool_broker *b = find_address(p, host, a, len);

	if (len > sizeof(b->addresses[0].sa))
		return NULL;
	if (b == NULL) {
		b = add_broker(p, -1);
		snprintf(b->host, sizeof(b->host), "%s", host);
		b->port = port_of(a);
		memcpy(&b->addresses[0].sa, a, len);
		b->addresses[0].len = len;
		b->address_count = 1;
	}
	return lease(p, b, lost, arg);
}

static bool
worth_keeping(const struct upstream *u)
{
	const struct pool *p = u->pool;
	const struct pool_broker *b = u->broker;

	return u->state == UPSTREAM_UP && b->id >= 0 && u->place == b->place &&
	    b->address_count > 0 && b->idle_count < p->options.idle_max &&
	    !p->ending &&
	    (u->retire_us == 0 || loop_now_us(p->loop) < u->retire_us);
}

void
pool_return(struct upstream *u)
{
	struct pool *p = u->pool;
	struct pool_broker *b = u->broker;
	bool keep;

	/* One that has ended is on its way out already. */
	if (u->state == UPSTREAM_CLOSED) {
		if (u->leased)
			upstream_leased(u, false);
		return;
	}
	assert(u->leased && u->in_flight == 0);
	upstream_leased(u, false);
	u->lost = NULL;
	keep = worth_keeping(u);
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
	const struct pool_broker *b = broker < 0 ? NULL :
	    find_broker(p, broker);

	return b == NULL || b->address_count == 0 ||
	    (list_empty(&b->idle) && backing_off(p, b));
}

bool
pool_failing(const struct pool *p, int32_t broker)
{
	const struct pool_broker *b = broker < 0 ? NULL :
	    find_broker(p, broker);

	return b == NULL || b->address_count == 0 ||
	    (list_empty(&b->idle) && b->failing);
}

uint32_t
pool_losses(const struct pool *p, int32_t broker)
{
	const struct pool_broker *b = broker < 0 ? NULL :
	    find_broker(p, broker);

	return b == NULL ? 0 : b->losses;
}
