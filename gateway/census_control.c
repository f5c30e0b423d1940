/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census_control.h"

#include <stdlib.h>

#include "gateway/adopt_gather.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "quota/stock.h"
#include "routing/upstream.h"

enum { WISH_SOON = 1, WISH_NOW = 2, GAP_FACTOR = 10 };

/* What is asked for by itself, and may fail by itself. */
struct asking {
	struct census_control	*control;
	enum quota_named	 kind;
	bool			 failed;	/* last time: told once */
};

struct census_control {
	struct gateway		*gateway;
	struct pool		*pool;
	struct asking		 askings[QUOTA_NAMED];
	struct census		*census;	/* the newest, or NULL */
	struct census		*draft;		/* NULL: none is on its way */
	uint32_t		 pending;	/* questions of the draft */
	bool			 ok, ending;
	int64_t			 due_us, not_before_us;
	/* What limits there were then; references. */
	struct tenants		*tenants;
	struct limits		*limits;
};

static const char *const words[QUOTA_NAMED] = {
	[QUOTA_NAMED_GROUPS] = "groups",
	[QUOTA_NAMED_TXNS] = "transactional ids",
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
	for (int i = 0; i < QUOTA_NAMED; i++)
		k->askings[i] = (struct asking){ k, (enum quota_named)i,
			false };
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

static void
finish(struct census_control *k)
{
	struct gateway *g = k->gateway;
	struct census *c = k->draft;
	int64_t now = loop_now_us(g->control);

	k->draft = NULL;
	if (k->ending) {
		census_unref(c);
		return;
	}
	k->not_before_us = now + gap_us(now - census_asked_us(c));
	if (!k->ok)
		due_in(k, CENSUS_AGAIN_MS);
	metric_add(g->metrics, METRIC_CENSUSES, 1);
	metric_add(g->metrics, METRIC_CENSUSES_FAILED, !k->ok);
	publish(k, c);
}

static void
release(struct census_control *k)
{
	if (--k->pending == 0)
		finish(k);
}

/* ---- asking ---- */

/* Once when it begins and once when it is over. */
static void
tell(struct asking *a, const struct error *why)
{
	const char *what = words[a->kind];

	if (why != NULL && !a->failed)
		log_warn("the cluster did not say what there is: limits of it "
		    "let pass what is new", "what=\"%s\" reason=\"%s\"", what,
		    why->text);
	else if (why == NULL && a->failed)
		log_info("the cluster says again what there is",
		    "what=\"%s\"", what);
	a->failed = why != NULL;
}

static void
gathered(void *arg, const struct adopt_names names[NAME_KINDS],
    const struct error *why)
{
	struct asking *a = arg;
	struct census_control *k = a->control;
	enum name_kind kind = a->kind == QUOTA_NAMED_GROUPS ? NAME_GROUP :
	    NAME_TXN;

	if (!k->ending)
		tell(a, why);
	if (why == NULL) {
		census_put_names(k->draft, a->kind, &names[kind]);
	} else {
		k->ok = false;
		census_keep_names(k->draft, a->kind, k->census);
	}
	release(k);
}

static void
ask_names(struct census_control *k, enum quota_named kind)
{
	bool wanted[NAME_KINDS] = { false };

	if (!census_wants(k->draft, quota_named_dimension(kind))) {
		census_keep_names(k->draft, kind, NULL);
		return;
	}
	wanted[kind == QUOTA_NAMED_GROUPS ? NAME_GROUP : NAME_TXN] = true;
	k->pending++;
	adopt_gather(k->pool, k->gateway->cluster, wanted, gathered,
	    &k->askings[kind]);
}

static void
begin(struct census_control *k)
{
	struct gateway *g = k->gateway;
	int64_t now = loop_now_us(g->control);
	struct census *c = census_new(now, g->tenants, g->config->quota.made);

	k->due_us = now + (int64_t)g->config->quota.census_ms * 1000;
	if (c == NULL) {
		if (k->census != NULL)
			publish(k, NULL);
		return;
	}
	k->draft = c;
	k->ok = true;
	k->pending = 1;
	pool_set_cluster(k->pool, g->cluster);
	for (int i = 0; i < QUOTA_NAMED; i++)
		ask_names(k, (enum quota_named)i);
	release(k);
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
	if (wish & WISH_NOW)
		k->due_us = 0;
	else if (wish != 0)
		due_in(k, CENSUS_SOON_MS);
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
	tenants_unref(k->tenants);
	limits_unref(k->limits);
	free(k);
	g->census_control = NULL;
}
