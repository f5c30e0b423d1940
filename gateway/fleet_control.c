/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fleet_control.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/rand.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census_control.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/net/loop.h"
#include "gateway/redis_config.h"
#include "gateway/tenants.h"
#include "gateway/text_json.h"
#include "quota/fleet.h"
#include "quota/quota.h"
#include "quota/redis.h"
#include "quota/store_redis.h"

enum { NODE_ID_BYTES = 8, PREFIX_SIZE = 80 };

struct fleet_control {
	struct gateway		*gateway;
	struct redis		*redis;
	struct store		*store;
	struct quota_fleet	*fleet;
	struct timer		 timer;
	char			 id[2 * NODE_ID_BYTES + 1];
	char			 prefix[PREFIX_SIZE];
	bool			 lost;		/* as the log was told */
};

/* ---- what the log is told ---- */

static void
tell_lost(struct fleet_control *c)
{
	static const char *const goes_on[] = {
		"each limit goes on with the share that this node had last",
		"nothing is limited meanwhile", "nothing passes meanwhile",
	};
	const struct config_quota *q = &c->gateway->config->quota;
	struct redis_shard_state s = { .error = "" };
	struct lease_node_view v;
	struct log_quoted why;

	lease_node_view(quota_fleet_node(c->fleet), &v);
	if (v.lost == c->lost)
		return;
	c->lost = v.lost;
	if (redis_shards(c->redis) > 0)
		redis_shard(c->redis, 0, &s);
	if (v.lost)
		log_warn("the store of limits is lost", "on_store_loss=\"%s\" "
		    "detail=%s", goes_on[q->on_store_loss],
		    log_quote(slice_of(s.error), &why));
	else
		log_info("the store of limits is back", "nodes=%u", v.nodes);
}

static void
shards_changed(void *arg)
{
	struct fleet_control *c = arg;

	for (uint32_t i = 0; c->redis != NULL && i < redis_shards(c->redis);
	    i++) {
		struct redis_shard_state s;
		struct log_quoted at, why;

		redis_shard(c->redis, i, &s);
		log_info("a shard of the store of limits",
		    "address=%s up=%s detail=%s",
		    log_quote(slice_of(s.address), &at), s.up ? "yes" : "no",
		    log_quote(slice_of(s.up ? "" : s.error), &why));
	}
}

/* ---- its life ---- */

static void
news_came(void *arg)
{
	census_news(arg);
}

static void
turn(struct timer *t)
{
	struct fleet_control *c = LIST_ENTRY(t, struct fleet_control, timer);
	struct loop *loop = c->gateway->control;
	int64_t now_us = loop_now_us(loop);

	quota_fleet_tick(c->fleet, now_us);
	tell_lost(c);
	timer_set(&c->timer, loop, now_us + FLEET_TICK_MS * 1000, turn);
}

static bool
make_id(struct fleet_control *c, struct error *err)
{
	unsigned char bytes[NODE_ID_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return error_set(err, "no random bytes for this node's id");
	for (int i = 0; i < NODE_ID_BYTES; i++)
		snprintf(c->id + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

bool
fleet_control_start(struct gateway *g, struct error *err)
{
	const struct config_quota *q = &g->config->quota;
	struct lease_options o = { .on_loss =
	    (enum lease_on_loss)q->on_store_loss };
	struct fleet_control *c;

	if (q->store == CONFIG_STORE_LOCAL)
		return true;
	c = g->fleet = mem_zalloc(sizeof(*c));
	c->gateway = g;
	if (!make_id(c, err))
		return false;
	c->redis = redis_config_client(q, g->control, shards_changed, c, err);
	if (c->redis == NULL)
		return false;
	snprintf(c->prefix, sizeof(c->prefix), "%s:", q->redis.key_prefix);
	c->store = store_redis_new(c->redis);
	o.node_id = c->id;
	o.prefix = c->prefix;
	o.store = c->store;
	o.on_news = news_came;
	o.arg = g;
	c->fleet = quota_fleet_new(g->quota, &o);
	log_info("limits are shared with a fleet", "node=%s prefix=%s", c->id,
	    q->redis.key_prefix);
	fleet_control_tenants(g);
	turn(&c->timer);
	return true;
}

static bool
counts_connections(const struct limits *l)
{
	for (uint32_t i = 0; l != NULL && i < l->n; i++)
		if (l->v[i].dimension == QUOTA_DIM_CONNECTIONS &&
		    l->v[i].mode != QUOTA_OFF)
			return true;
	return false;
}

void
fleet_control_set(struct gateway *g)
{
	if (g->fleet != NULL && g->fleet->fleet != NULL)
		quota_fleet_on_loss(g->fleet->fleet, (enum lease_on_loss)
		    g->config->quota.on_store_loss);
}

void
fleet_control_tenants(struct gateway *g)
{
	for (uint32_t i = 0; g->quota != NULL && i < tenants_count(g->tenants);
	    i++) {
		const struct tenant *t = tenants_at(g->tenants, i);

		quota_account_renew(g->quota, t->id, t->limits);
	}
	if (g->fleet == NULL || g->fleet->fleet == NULL)
		return;
	if (g->tenants == NULL && counts_connections(g->config->quota.made))
		quota_account(g->quota, "", g->config->quota.made);
	for (uint32_t i = 0; i < tenants_count(g->tenants); i++) {
		const struct tenant *t = tenants_at(g->tenants, i);

		if (counts_connections(t->limits))
			quota_account(g->quota, t->id, t->limits);
	}
	quota_fleet_hear(g->fleet->fleet);
}

void
fleet_control_news(struct gateway *g)
{
	if (g->fleet != NULL && g->fleet->fleet != NULL)
		quota_fleet_news(g->fleet->fleet);
}

void
fleet_control_leave(struct gateway *g)
{
	if (g->fleet != NULL && g->fleet->fleet != NULL)
		quota_fleet_leave(g->fleet->fleet);
}

void
fleet_control_free(struct gateway *g)
{
	struct fleet_control *c = g->fleet;

	if (c == NULL)
		return;
	timer_cancel(&c->timer);
	quota_fleet_free(c->fleet);
	if (c->redis != NULL) {
		struct redis *r = c->redis;

		c->redis = NULL;
		redis_free(r);
	}
	store_redis_free(c->store);
	free(c);
	g->fleet = NULL;
}

/* ---- to be shown ---- */

void
fleet_control_tick(struct gateway *g)
{
	const struct redis_counters *k;
	struct lease_node_view v;

	if (g->fleet == NULL || g->fleet->fleet == NULL)
		return;
	k = redis_counters(g->fleet->redis);
	lease_node_view(quota_fleet_node(g->fleet->fleet), &v);
	metric_set(g->metrics, METRIC_STORE_UP, v.started && !v.lost);
	metric_set(g->metrics, METRIC_STORE_NODES, v.nodes);
	metric_set(g->metrics, METRIC_STORE_CALLS, v.calls);
	metric_set(g->metrics, METRIC_STORE_ROUND_TRIPS, k->round_trips);
	metric_set(g->metrics, METRIC_STORE_LOSSES, v.losses + v.late + v.bad);
	metric_set(g->metrics, METRIC_STORE_BYTES, k->bytes_in + k->bytes_out);
	metric_set(g->metrics, METRIC_STORE_CONNECTS, k->connects);
	metric_set(g->metrics, METRIC_LEASES, v.leases);
	metric_set(g->metrics, METRIC_LEASES_ASKING, v.asking);
}

static json_t *
shards_json(const struct redis *r)
{
	json_t *to = json_array();

	for (uint32_t i = 0; i < redis_shards(r); i++) {
		struct redis_shard_state s;

		redis_shard(r, i, &s);
		json_array_append_new(to, json_pack("{s:s, s:b, s:o}",
		    "address", s.address, "up", s.up,
		    "error", text_json(slice_of(s.error))));
	}
	return to;
}

json_t *
fleet_control_status(const struct gateway *g)
{
	struct lease_node_view v;

	if (g->fleet == NULL || g->fleet->fleet == NULL)
		return json_pack("{s:s}", "kind", "local");
	lease_node_view(quota_fleet_node(g->fleet->fleet), &v);
	return json_pack("{s:s, s:s, s:b, s:i, s:i, s:i, s:I, s:I, s:I, s:o}",
	    "kind", "redis", "node", g->fleet->id,
	    "up", v.started && !v.lost, "nodes", (int)v.nodes,
	    "leases", (int)v.leases, "asking", (int)v.asking,
	    "calls", (json_int_t)v.calls,
	    "news", (json_int_t)v.news,
	    "losses", (json_int_t)(v.losses + v.late + v.bad),
	    "shards", shards_json(g->fleet->redis));
}
