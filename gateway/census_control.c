/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census_control.h"

#include <stdlib.h>

#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/census_gather.h"
#include "gateway/config.h"
#include "gateway/fleet_control.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "quota/stock.h"
#include "routing/snapshot.h"
#include "routing/upstream.h"
#include "routing/watch.h"

enum { WISH_SOON = 1, WISH_NOW = 2, WISH_NEWS = 4, GAP_FACTOR = 10 };

struct census_control {
	struct gateway		*gateway;
	struct pool		*pool;
	struct census		*census;	/* the newest, or NULL */
	struct census		*draft;		/* NULL: none is on its way */
	uint32_t		 turn;		/* census_gather's */
	struct htab		*doubted;	/* topics whose policy may be
						 * another */
	bool			 doubt_all;
	bool			 failed[CENSUS_PARTS];	/* last time: told */
	bool			 ending;
	int64_t			 due_us, not_before_us;
	int64_t			 begun_us;	/* the last one */
	bool			 news;		/* topics may be some of them */
	int64_t			 wished_us;	/* a snapshot was, for that */
	int64_t			 soon_us;	/* what was wished last shows */
	/* What there was then; references. */
	struct cluster		*cluster;	/* NULL: no snapshot yet */
	struct tenants		*tenants;
	struct limits		*limits;
};

static const char *const words[CENSUS_PARTS] = {
	[CENSUS_GROUPS] = "groups",
	[CENSUS_TXNS] = "transactional ids",
	[CENSUS_TOPICS] = "compacted topics",
	[CENSUS_BYTES] = "sizes of partitions",
};

static struct census_control *
control_of(struct gateway *g)
{
	struct census_control *k = g->census_control;
	struct upstream_options o;

	if (k != NULL)
		return k;
	k = g->census_control = mem_zalloc(sizeof(*k));
	k->gateway = g;
	k->doubted = htab_new();
	gateway_upstream_options(g, &o);
	k->pool = pool_new(g->control, &o);
	return k;
}

void
census_wish(struct gateway *g, bool now)
{
	atomic_fetch_or_explicit(&g->census_wished, now ? WISH_NOW : WISH_SOON,
	    memory_order_relaxed);
}

void
census_news(struct gateway *g)
{
	atomic_fetch_or_explicit(&g->census_wished, WISH_NEWS,
	    memory_order_relaxed);
}

/* ---- doubts ---- */

struct doubt {
	struct gateway	*gateway;
	char		*topic;
};

static void
take_doubt(void *arg)
{
	struct doubt *d = arg;
	struct census_control *k = d->gateway->census_control;

	if (k != NULL && htab_count(k->doubted) >= CENSUS_DOUBTS_MAX)
		k->doubt_all = true;
	else if (k != NULL)
		htab_set(k->doubted, slice_of(d->topic), k);
	free(d->topic);
	free(d);
}

void
census_doubt(struct gateway *g, struct slice topic)
{
	struct doubt *d = mem_alloc(sizeof(*d));

	*d = (struct doubt){ g, mem_strndup(topic.data, topic.len) };
	loop_post(g->control, take_doubt, d);
	census_wish(g, false);
}

static void
due_in(struct census_control *k, int64_t ms)
{
	int64_t at_us = loop_now_us(k->gateway->control) + ms * 1000;

	if (at_us < k->due_us)
		k->due_us = at_us;
}

/* ---- handing it out ---- */

static void
forget_account(void *arg, const struct census_tenant *t)
{
	struct census_control *k = arg;

	if (census_tenant(k->census, t->id) == NULL)
		quota_stock_set(quota_account(k->gateway->quota, t->id,
		    t->limits), NULL);
}

static void
show_topics(struct quota_account *a, const struct census_tenant *t)
{
	quota_show_count(a, QUOTA_DIM_PARTITIONS, t->partitions);
	quota_show_count(a, QUOTA_DIM_COMPACTED_PARTITIONS, t->compacted);
	quota_show_count(a, QUOTA_DIM_COMPACTED_BYTES, t->largest);
	quota_show_count(a, QUOTA_DIM_STORAGE, t->bytes);
}

static void
tell_account(void *arg, const struct census_tenant *t)
{
	struct census_control *k = arg;
	struct gateway *g = k->gateway;
	const struct tenant *now = g->tenants != NULL ?
	    tenants_get(g->tenants, slice_of(t->id)) : NULL;
	struct quota_account *a = quota_account(g->quota, t->id, t->limits);

	/* It is shown before anybody of it comes. A reload may have been
	 * meanwhile. */
	if (now != NULL)
		quota_account_set(a, now->limits);
	else if (g->tenants == NULL && t->id[0] == '\0')
		quota_account_set(a, g->config->quota.made);
	show_topics(a, t);
	if (quota_stock_set(a, t->stock))
		due_in(k, CENSUS_AGAIN_MS);
}

/* NULL: nobody needs one any more. */
static void
publish(struct census_control *k, struct census *c)
{
	struct gateway *g = k->gateway;
	struct census *was = k->census;

	k->census = c;
	/* First the accounts: a worker looks there for what its own census does
	 * not have. */
	if (c != NULL)
		census_each(c, tell_account, k);
	if (was != NULL)
		census_each(was, forget_account, k);
	for (int i = 0; i < g->worker_count; i++)
		worker_set_census(g->workers[i], c);
	census_unref(was);
}

/* After one that took so long. */
static int64_t
gap_us(int64_t took_us)
{
	int64_t gap = took_us * GAP_FACTOR;

	if (gap < CENSUS_GAP_MS * 1000)
		gap = CENSUS_GAP_MS * 1000;
	return gap < CENSUS_AGAIN_MS * 1000 ? gap : CENSUS_AGAIN_MS * 1000;
}

/* Once when it begins and once when it is over. */
static void
tell(struct census_control *k, enum census_part part, const char *why)
{
	bool failed = why[0] != '\0';

	if (failed && !k->failed[part])
		log_warn("the cluster did not say what there is: limits of it "
		    "let pass what is new", "what=\"%s\" reason=\"%s\"",
		    words[part], why);
	else if (!failed && k->failed[part])
		log_info("the cluster says again what there is",
		    "what=\"%s\"", words[part]);
	k->failed[part] = failed;
}

static void
gathered(void *arg, const struct error faults[CENSUS_PARTS])
{
	struct census_control *k = arg;
	struct gateway *g = k->gateway;
	struct census *c = k->draft;
	int64_t now = loop_now_us(g->control);
	bool ok = true;

	k->draft = NULL;
	if (k->ending) {
		census_unref(c);
		return;
	}
	for (int i = 0; i < CENSUS_PARTS; i++) {
		tell(k, (enum census_part)i, faults[i].text);
		ok = ok && faults[i].text[0] == '\0';
	}
	/* Those that were doubted have not been asked. */
	k->doubt_all |= k->failed[CENSUS_TOPICS];
	k->not_before_us = now + gap_us(now - census_asked_us(c));
	if (!ok)
		due_in(k, CENSUS_AGAIN_MS);
	log_debug("census", "took_ms=%lld", (long long)(now -
	    census_asked_us(c)) / 1000);
	metric_add(g->metrics, METRIC_CENSUSES, 1);
	metric_add(g->metrics, METRIC_CENSUSES_FAILED, !ok);
	publish(k, c);
}

static void
begin(struct census_control *k)
{
	struct gateway *g = k->gateway;
	int64_t now = loop_now_us(g->control);
	struct census *c = census_new(now, g->tenants, g->config->quota.made);
	struct census_job job;

	k->begun_us = now;
	k->due_us = now + (int64_t)g->config->quota.census_ms * 1000;
	/* This one is too early for what was wished last. */
	if (k->soon_us > now && k->soon_us < k->due_us)
		k->due_us = k->soon_us;
	if (c == NULL) {
		if (k->census != NULL)
			publish(k, NULL);
		return;
	}
	k->draft = c;
	pool_set_cluster(k->pool, g->cluster);
	job = (struct census_job){
		.pool = k->pool, .cluster = g->cluster, .to = c,
		.before = k->census, .doubted = k->doubted,
		.doubt_all = k->doubt_all, .turn = &k->turn,
	};
	k->doubted = htab_new();
	k->doubt_all = false;
	census_gather(&job, gathered, k);
}

/* ---- when ---- */

static bool
limits_changed(struct census_control *k)
{
	struct gateway *g = k->gateway;

	if (k->tenants == g->tenants && k->limits == g->config->quota.made)
		return false;
	tenants_unref(k->tenants);
	limits_unref(k->limits);
	k->tenants = tenants_ref(g->tenants);
	k->limits = limits_ref(g->config->quota.made);
	return true;
}

static void
wish_soon(struct census_control *k)
{
	k->soon_us = loop_now_us(k->gateway->control) +
	    (int64_t)CENSUS_SOON_MS * 1000;
	if (k->soon_us < k->due_us)
		k->due_us = k->soon_us;
}

/* At once, if the last one is not from just now; and again when all of it
 * shows. */
static void
take_news(struct census_control *k)
{
	int64_t at_us = k->begun_us + (int64_t)CENSUS_SOON_MS * 1000;

	wish_soon(k);
	k->news = true;
	if (at_us < k->due_us)
		k->due_us = at_us;
}

/* Not more often than there are censuses, and without waiting for one. */
static void
wish_snapshot(struct census_control *k)
{
	int64_t now = loop_now_us(k->gateway->control);

	if (k->wished_us != 0 &&
	    now - k->wished_us < (int64_t)CENSUS_SOON_MS * 1000)
		return;
	k->wished_us = now;
	k->news = false;
	watch_wish(k->gateway->watch);
}

/* What others made or deleted, or what shows late. */
static bool
topics_changed(struct census_control *k)
{
	struct gateway *g = k->gateway;
	struct cluster *was = k->cluster;
	bool changed;

	if (was == g->cluster)
		return false;
	k->cluster = cluster_ref(g->cluster);
	if (was == NULL)
		return false;
	changed = k->census != NULL && !snapshot_equal(was, k->cluster);
	cluster_unref(was);
	return changed;
}

void
census_control_tick(struct gateway *g)
{
	struct census_control *k;
	int wish;

	if (g->quota == NULL || g->worker_count == 0)
		return;
	k = control_of(g);
	if (limits_changed(k))
		k->due_us = 0;
	wish = atomic_exchange(&g->census_wished, 0);
	if (wish & WISH_SOON)
		fleet_control_news(g);
	if (topics_changed(k))
		wish |= WISH_SOON;
	if (wish & WISH_NEWS)
		take_news(k);
	if (k->news)
		wish_snapshot(k);
	if (wish & WISH_NOW)
		k->due_us = 0;
	else if (wish & WISH_SOON)
		wish_soon(k);
	if (k->draft == NULL && loop_now_us(g->control) >= k->due_us &&
	    loop_now_us(g->control) >= k->not_before_us)
		begin(k);
}

void
census_control_free(struct gateway *g)
{
	struct census_control *k = g->census_control;

	if (k == NULL)
		return;
	k->ending = true;
	pool_free(k->pool);	/* ends the calls */
	census_unref(k->census);
	if (k->cluster != NULL)
		cluster_unref(k->cluster);
	htab_free(k->doubted, NULL);
	tenants_unref(k->tenants);
	limits_unref(k->limits);
	free(k);
	g->census_control = NULL;
}
