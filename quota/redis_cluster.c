/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Cluster: which master serves a slot, a connection to each, and what they
 * say when that has changed.
 *
 * The map is asked for at the start, when a server has sent us elsewhere, and
 * when one is down; from a server that is up, or else from the addresses that
 * were configured, in turn.
 */
#include <assert.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "quota/redis_private.h"
#include "quota/redis_slots.h"

enum {
	MAP_PAUSE_MS = 100,		/* between maps */
	MAP_FAILED_MS = 1000,		/* after one that could not be read */
	NODE_KEEP_MS = 10000,		/* one that is in no map yet or more */
};

struct redis_node {
	struct redis_cluster	*cluster;
	struct redis_conn	*conn;
	bool			 listed;	/* it has slots */
	int64_t			 used_us;
};

struct map_call {
	struct redis_call	 call;		/* first */
	struct redis_cluster	*cluster;
	struct redis_conn	*asked;
};

struct redis_cluster {
	struct redis		*r;
	struct redis_node	*nodes[REDIS_NODES_MAX];
	uint32_t		 n;
	struct redis_node	*slots[REDIS_SLOTS];
	struct redis_conn	*seed;
	uint32_t		 at;		/* which of the addresses */
	uint32_t		 turn;		/* who is asked for the map */
	bool			 asking, mapped;
	bool			 again;		/* wanted while asking */
	int64_t			 next_us;	/* no map before then */
	struct timer		 timer;
};

static void	 want_map(struct redis_cluster *k);

/* ---- nodes ---- */

static void
remove_node(struct redis_node *node)
{
	struct redis_cluster *k = node->cluster;
	uint32_t i = 0;

	while (k->nodes[i] != node)
		i++;
	k->nodes[i] = k->nodes[--k->n];
	for (i = 0; i < REDIS_SLOTS; i++)
		if (k->slots[i] == node)
			k->slots[i] = NULL;
	redis_conn_free(node->conn);
	free(node);
}

static void
node_up(struct redis_conn *c, void *arg)
{
	struct redis_cluster *k = ((struct redis_node *)arg)->cluster;

	(void)c;
	redis_has_changed(k->r);
	/* It knows what the configured ones may not tell. */
	if (redis_conn_going(k->seed))
		want_map(k);
}

static void
node_down(struct redis_conn *c, void *arg)
{
	struct redis_node *node = arg;
	struct redis_cluster *k = node->cluster;

	(void)c;
	if (!node->listed)
		remove_node(node);
	redis_has_changed(k->r);
	want_map(k);
}

static const struct redis_conn_ops node_ops = {
	.up = node_up, .down = node_down,
};

static struct redis_node *
find_node(const struct redis_cluster *k, const struct redis_address *a)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (redis_address_same(redis_conn_address(k->nodes[i]->conn),
		    a))
			return k->nodes[i];
	return NULL;
}

/* It, or a new one; NULL: there are too many. */
static struct redis_node *
node_at(struct redis_cluster *k, const struct redis_address *a)
{
	struct redis_node *node = find_node(k, a);

	if (node != NULL || k->n == REDIS_NODES_MAX)
		return node;
	node = mem_zalloc(sizeof(*node));
	node->cluster = k;
	node->conn = redis_conn_new(k->r->loop, &k->r->login, &k->r->counters,
	    &node_ops, node);
	k->nodes[k->n++] = node;
	redis_conn_go(node->conn, a);
	return node;
}

/* ---- the map ---- */

/* Who is in no map is kept while calls are sent there: a slot may be on its
 * way to it. */
static void
remove_unlisted(struct redis_cluster *k)
{
	int64_t now = loop_now_us(k->r->loop);

	for (uint32_t i = k->n; i-- > 0; ) {
		struct redis_node *node = k->nodes[i];

		if (!node->listed && (!redis_conn_up(node->conn) ||
		    now - node->used_us > NODE_KEEP_MS * 1000LL))
			remove_node(node);
	}
}

/* Old ones make room for new ones. */
static void
list_nodes(struct redis_cluster *k, const struct redis_slots *map)
{
	for (uint32_t i = 0; i < k->n; i++)
		k->nodes[i]->listed = false;
	for (uint32_t i = 0; i < map->n; i++) {
		struct redis_node *node = find_node(k, &map->nodes[i]);

		if (node != NULL)
			node->listed = true;
	}
	remove_unlisted(k);
}

static void
apply(struct redis_cluster *k, const struct redis_slots *map)
{
	struct redis_node *nodes[REDIS_NODES_MAX];
	bool changed = false;

	list_nodes(k, map);
	for (uint32_t i = 0; i < map->n; i++) {
		nodes[i] = node_at(k, &map->nodes[i]);
		if (nodes[i] != NULL)
			nodes[i]->listed = true;
	}
	for (uint32_t i = 0; i < REDIS_SLOTS; i++) {
		struct redis_node *owner = map->owner[i] != 0 ?
		    nodes[map->owner[i] - 1] : NULL;

		changed |= k->slots[i] != owner;
		k->slots[i] = owner;
	}
	if (changed && k->mapped)
		k->r->counters.failovers++;
	if (changed)
		log_info("Redis Cluster has another map", "masters=%u", map->n);
	k->mapped = true;
	k->r->error.text[0] = '\0';
	redis_conn_rest(k->seed);
	redis_has_changed(k->r);
}

static void
map_failed(struct redis_cluster *k, struct redis_conn *asked, const char *why)
{
	error_set(&k->r->error, "no map of the Cluster: %s", why);
	k->next_us = loop_now_us(k->r->loop) + MAP_FAILED_MS * 1000LL;
	redis_has_changed(k->r);
	/* The next address then. */
	if (asked == k->seed)
		redis_conn_reset(asked, k->r->error.text);
	want_map(k);
}

static void
map_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct redis_conn *asked = ((struct map_call *)call)->asked;
	struct redis_cluster *k = ((struct map_call *)call)->cluster;
	struct redis_slots *map = mem_alloc(sizeof(*map));
	struct error err;

	k->asking = false;
	if (k->r->freed)
		;
	else if (o != REDIS_ANSWERED)
		map_failed(k, asked, why);
	else if (!redis_slots_read(reply, redis_conn_address(asked), map,
	    &err))
		map_failed(k, asked, err.text);
	else
		apply(k, map);
	if (k->again)
		want_map(k);
	free(map);
	redis_call_free(call);
}

static void
ask_map(struct redis_cluster *k, struct redis_conn *c)
{
	static const struct slice argv[] = {
		{ (const uint8_t *)"CLUSTER", 7 },
		{ (const uint8_t *)"SLOTS", 5 },
	};
	int64_t now = loop_now_us(k->r->loop);
	struct map_call *m;

	m = (struct map_call *)redis_call_new(sizeof(*m), 2, argv);
	m->cluster = k;
	m->asked = c;
	m->call.done = map_done;
	m->call.deadline_us = now + k->r->login.timeout_ms * 1000LL;
	k->asking = true;
	k->again = false;
	k->next_us = now + MAP_PAUSE_MS * 1000LL;
	redis_conn_send(c, &m->call);
}

static void
on_timer(struct timer *t)
{
	struct redis_cluster *k = LIST_ENTRY(t, struct redis_cluster, timer);

	if (k->asking) {
		k->again = true;
		return;
	}
	for (uint32_t i = 0; i < k->n; i++) {
		struct redis_conn *c = k->nodes[k->turn++ % k->n]->conn;

		if (redis_conn_up(c)) {
			ask_map(k, c);
			return;
		}
	}
	if (redis_conn_up(k->seed))
		ask_map(k, k->seed);
	else if (!redis_conn_going(k->seed))
		redis_conn_go(k->seed, &k->r->addresses[k->at]);
}

static void
want_map(struct redis_cluster *k)
{
	int64_t now = loop_now_us(k->r->loop);

	if (k->timer.slot == 0 && !k->r->freed)
		timer_set(&k->timer, k->r->loop, k->next_us > now ?
		    k->next_us : now, on_timer);
}

/* ---- addresses of the configuration ---- */

static void
seed_up(struct redis_conn *c, void *arg)
{
	(void)c;
	want_map(arg);
}

static void
seed_down(struct redis_conn *c, void *arg)
{
	struct redis_cluster *k = arg;

	if (k->n == 0) {
		error_set(&k->r->error, "%s: %s", redis_conn_name(c),
		    redis_conn_error(c));
		redis_has_changed(k->r);
	}
	k->at = (k->at + 1) % k->r->n;
	redis_conn_go_next(c, &k->r->addresses[k->at]);
}

static const struct redis_conn_ops seed_ops = {
	.up = seed_up, .down = seed_down,
};

/* ---- for redis.c ---- */

struct redis_cluster *
redis_cluster_new(struct redis *r)
{
	struct redis_cluster *k = mem_zalloc(sizeof(*k));

	k->r = r;
	k->seed = redis_conn_new(r->loop, &r->login, &r->counters, &seed_ops,
	    k);
	redis_conn_go(k->seed, &r->addresses[0]);
	return k;
}

void
redis_cluster_free(struct redis_cluster *k)
{
	if (k == NULL)
		return;
	while (k->n > 0)
		remove_node(k->nodes[0]);
	redis_conn_free(k->seed);
	timer_cancel(&k->timer);
	free(k);
}

struct redis_conn *
redis_cluster_conn(const struct redis_cluster *k, struct slice key)
{
	const struct redis_node *node = k->slots[redis_slot(key)];

	return node != NULL ? node->conn : NULL;
}

void
redis_cluster_route(struct redis_cluster *k, struct redis_ask *a,
    struct slice key)
{
	struct redis_node *node = k->slots[redis_slot(key)];

	if (node == NULL) {
		want_map(k);
		redis_ask_finish(a, REDIS_DOWN, NULL, !k->mapped ?
		    "the Cluster's map is not known yet" :
		    "nobody serves the key's slot");
		return;
	}
	node->used_us = loop_now_us(k->r->loop);
	redis_ask_send(a, node->conn);
}

/* Where else it is to be asked, or that nobody knows. */
static bool
redirect(struct redis_cluster *k, struct redis_ask *a, struct slice text,
    bool moved)
{
	struct redis_address to;
	struct redis_node *node;
	uint32_t slot;

	if (a->redirects++ == REDIS_REDIRECTS_MAX || !redis_redirect_read(text,
	    redis_conn_address(a->via), &slot, &to))
		return false;
	node = node_at(k, &to);
	if (node == NULL)
		return false;
	if (moved) {
		node->listed = true;
		k->slots[slot] = node;
	}
	node->used_us = loop_now_us(k->r->loop);
	a->call.asking = !moved;
	redis_ask_send(a, node->conn);
	return true;
}

bool
redis_cluster_refused(struct redis_cluster *k, struct redis_ask *a,
    struct redis_reply *reply, const char *why)
{
	bool moved = redis_reply_is_error(reply, "MOVED");
	bool asks = redis_reply_is_error(reply, "ASK");

	k->r->counters.moved += moved;
	k->r->counters.ask += asks;
	if (moved)
		want_map(k);
	if ((moved || asks) && redirect(k, a, reply->text, moved))
		return true;
	if (redis_reply_is_error(reply, "CLUSTERDOWN"))
		want_map(k);
	else if (!moved && !asks && !redis_reply_is_error(reply, "TRYAGAIN"))
		return false;
	/* The store has lost that slot, for now. */
	redis_ask_finish(a, REDIS_LOST, NULL, why);
	return true;
}

uint32_t
redis_cluster_shards(const struct redis_cluster *k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < k->n; i++)
		n += k->nodes[i]->listed;
	return n;
}

struct redis_conn *
redis_cluster_shard(const struct redis_cluster *k, uint32_t i)
{
	for (uint32_t at = 0; at < k->n; at++)
		if (k->nodes[at]->listed && i-- == 0)
			return k->nodes[at]->conn;
	assert(false);
	return NULL;
}
