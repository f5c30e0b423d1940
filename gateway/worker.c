/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/worker.h"

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "gateway/audit.h"
#include "gateway/base/block.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/config.h"
#include "gateway/coordinators.h"
#include "gateway/gateway.h"
#include "gateway/client_login.h"
#include "gateway/net/listen.h"
#include "gateway/net/tls.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/throttle.h"
#include "routing/watch.h"

/* ---- leases ---- */

static void
lease_free(struct worker *w, struct upstream_lease *l)
{
	list_remove(&l->link);
	list_prepend(&w->free_leases, &l->link);
}

/* There are as many as were ever in use at once. */
static struct upstream_lease *
lease_new(struct worker *w)
{
	struct upstream_lease *l;

	if (list_empty(&w->free_leases)) {
		l = mem_alloc(sizeof(*l));
	} else {
		l = LIST_ENTRY(w->free_leases.next, struct upstream_lease,
		    link);
		list_remove(&l->link);
	}
	memset(l, 0, sizeof(*l));
	l->worker = w;
	list_init(&l->link);
	return l;
}

static void
lease_lost(struct upstream *u, void *arg)
{
	struct upstream_lease *l = arg;

	(void)u;
	l->upstream = NULL;
	if (l->lost != NULL)
		l->lost(l, l->arg);
	else if (l->calls == 0)
		lease_free(l->worker, l);
}

struct upstream_lease *
lease_get(struct worker *w, struct session *s, int32_t broker,
    enum upstream_use class)
{
	struct upstream_lease *l;

	if (s != NULL)
		LIST_FOREACH(it, &s->leases) {
			l = LIST_ENTRY(it, struct upstream_lease, link);
			if (l->broker == broker && l->class == class &&
			    l->upstream != NULL)
				return l;
		}
	l = lease_new(w);
	l->upstream = pool_lease(w->pool, broker, lease_lost, l);
	if (l->upstream == NULL) {
		lease_free(w, l);
		return NULL;
	}
	l->session = s;
	l->broker = broker;
	l->class = class;
	list_append(s ? &s->leases : &w->leases, &l->link);
	return l;
}

void
lease_done(struct worker *w, struct upstream_lease *l)
{
	if (--l->calls > 0 || l->pinned)
		return;
	if (l->upstream != NULL)
		pool_return(l->upstream);
	lease_free(w, l);
}

void
lease_close(struct worker *w, struct upstream_lease *l)
{
	l->pinned = false;
	l->closed = true;
	l->lost = NULL;
	if (l->upstream != NULL)
		upstream_close(l->upstream, "the client needs it no more");
	else if (l->calls == 0)
		lease_free(w, l);
}

int32_t
worker_any_broker(struct worker *w, bool again)
{
	const struct cluster *c = w->cluster;
	bool source = !pool_backing_off(w->pool, c->source);

	if (source && !again)
		return c->source;
	for (int32_t i = 0; i < c->broker_count; i++) {
		int32_t id = c->brokers[w->any_next++ %
		    (uint32_t)c->broker_count].id;

		if (id != c->source && !pool_backing_off(w->pool, id))
			return id;
	}
	return source ? c->source : -1;
}

void
worker_wish(struct worker *w)
{
	atomic_store_explicit(&w->gateway->stale_us, loop_now_us(w->loop),
	    memory_order_relaxed);
	metric_add(w->metrics, METRIC_REFRESH_WISHES, 1);
	watch_wish(w->gateway->watch);
}

void
worker_wish_jwks(struct worker *w)
{
	atomic_store_explicit(&w->gateway->jwks_wished, true,
	    memory_order_relaxed);
}

/* ---- messages from control ---- */

struct message_to_worker {
	struct worker		*worker;
	struct cluster		*cluster;
	struct config		*config;
	struct auth		*auth;
	struct tenants		*tenants;
	struct census		*census;
	struct tls_context	*tls[WORKER_LISTENERS_MAX];
};

/* What waits for something that was asked for at that time or later. */
static void
resume_parked(struct list *parked, int64_t asked_us)
{
	struct list due;

	list_init(&due);
	LIST_FOREACH_SAFE(it, parked) {
		struct request *r = LIST_ENTRY(it, struct request, wait);

		if (r->parked_us > asked_us)
			continue;
		list_remove(it);
		list_append(&due, it);
	}
	/* One that is resumed may close the session of another that is due,
	 * which takes it off this list. */
	while (!list_empty(&due)) {
		struct request *r = LIST_ENTRY(due.next, struct request, wait);

		list_remove(&r->wait);
		timer_cancel(&r->timer);
		r->resume(r);
	}
}

static void
take_cluster(void *arg)
{
	struct message_to_worker *m = arg;
	struct worker *w = m->worker;

	cluster_unref(w->cluster);
	w->cluster = m->cluster;
	pool_set_cluster(w->pool, w->cluster);
	free(m);
	resume_parked(&w->parked, w->cluster->asked_us);
}

void
worker_set_cluster(struct worker *w, struct cluster *c)
{
	struct message_to_worker *m = mem_zalloc(sizeof(*m));

	m->worker = w;
	m->cluster = cluster_ref(c);
	loop_post(w->loop, take_cluster, m);
}

static void
take_census(void *arg)
{
	struct message_to_worker *m = arg;
	struct worker *w = m->worker;

	census_unref(w->census);
	w->census = m->census;
	free(m);
	resume_parked(&w->uncounted, w->census != NULL ?
	    census_asked_us(w->census) : INT64_MAX);
}

void
worker_set_census(struct worker *w, struct census *c)
{
	struct message_to_worker *m = mem_zalloc(sizeof(*m));

	m->worker = w;
	m->census = census_ref(c);
	loop_post(w->loop, take_census, m);
}

static void
take_config(void *arg)
{
	struct message_to_worker *m = arg;
	struct worker *w = m->worker;

	config_unref(w->config);
	w->config = m->config;
	w->config_us = loop_now_us(w->loop);
	loop_set_handshake_rate(w->loop, w->config->limits.handshake_rate);
	for (int i = 0; i < WORKER_LISTENERS_MAX; i++) {
		if (w->tls[i] != NULL)
			tls_context_unref(w->tls[i]);
		w->tls[i] = m->tls[i];
	}
	free(m);
}

void
worker_set_config(struct worker *w, struct config *c)
{
	struct message_to_worker *m = mem_zalloc(sizeof(*m));

	m->worker = w;
	m->config = config_ref(c);
	for (int i = 0; i < WORKER_LISTENERS_MAX; i++)
		if (w->gateway->listener_tls[i] != NULL)
			m->tls[i] = tls_context_ref(
			    w->gateway->listener_tls[i]);
	loop_post(w->loop, take_config, m);
}

static void
take_auth(void *arg)
{
	struct message_to_worker *m = arg;
	struct worker *w = m->worker;
	bool reloaded = w->auth != m->auth;	/* not only the tenants */

	auth_unref(w->auth);
	tenants_unref(w->tenants);
	w->auth = m->auth;
	w->tenants = m->tenants;
	free(m);
	throttling_forget(w->throttling);
	LIST_FOREACH_SAFE(it, &w->sessions)
		client_login_recheck(LIST_ENTRY(it, struct session, link),
		    w->auth, reloaded);
}

void
worker_set_auth(struct worker *w, struct auth *a, struct tenants *t)
{
	struct message_to_worker *m = mem_zalloc(sizeof(*m));

	m->worker = w;
	m->auth = auth_ref(a);
	m->tenants = tenants_ref(t);
	loop_post(w->loop, take_auth, m);
}

static void
close_listeners(struct worker *w)
{
	for (int i = 0; i < w->listener_count; i++)
		if (w->listeners[i] != NULL) {
			listen_close(w->listeners[i]);
			w->listeners[i] = NULL;
		}
}

static void
close_idle_sessions(struct worker *w)
{
	LIST_FOREACH_SAFE(it, &w->sessions) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		if (list_empty(&s->requests) && s->state != SESSION_CLOSING) {
			s->state = SESSION_CLOSING;
			conn_close_after_flush(s->conn, CONN_DRAIN);
		}
	}
}

static void
begin_drain(void *arg)
{
	struct worker *w = arg;

	w->draining = true;
	close_listeners(w);
	close_idle_sessions(w);
	/* The others finish what they have begun, and begin nothing. */
	LIST_FOREACH(it, &w->sessions) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		if (s->state != SESSION_CLOSING)
			conn_pause(s->conn);
	}
}

void
worker_drain(struct worker *w)
{
	loop_post(w->loop, begin_drain, w);
}

/* ---- the thread ---- */

static void
accepted(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct worker_accepting *a = arg;

	session_open(a->worker, fd, peer, len, a->listener);
}

static bool
open_listeners(struct worker *w, struct error *err)
{
	struct gateway *g = w->gateway;

	for (uint32_t i = 0; i < w->config->listeners.n &&
	    i < WORKER_LISTENERS_MAX; i++) {
		const struct config_listener *c = &w->config->listeners.v[i];
		struct sockaddr_storage a;
		socklen_t len;

		if (!address_parse(c->address, &a, &len, err))
			return error_prefix(err, "listener %s", c->name);
		/* Port 0: the first worker's socket decides for all. */
		if (g->bound_port[i] != 0)
			address_set_port((struct sockaddr *)&a,
			    g->bound_port[i]);
		w->accepting[i].worker = w;
		w->accepting[i].listener = (int)i;
		w->listeners[i] = listen_open(w->loop, (struct sockaddr *)&a,
		    len, accepted, &w->accepting[i], err);
		if (w->listeners[i] == NULL)
			return error_prefix(err, "listener %s (%s)", c->name,
			    c->address);
		w->listener_count = (int)i + 1;
		g->bound_port[i] = listen_port(w->listeners[i]);
		if (g->listener_tls[i] != NULL)
			w->tls[i] = tls_context_ref(g->listener_tls[i]);
	}
	return true;
}

static void
show_gauges(struct worker *w)
{
	struct upstream_stats u;
	const struct loop_stats *l = loop_stats(w->loop);
	struct metrics *m = w->metrics;

	pool_stats(w->pool, &u);
	metric_set(m, metric_state(METRIC_UPSTREAMS, METRIC_LEASED), u.leased);
	metric_set(m, metric_state(METRIC_UPSTREAMS, METRIC_IDLE), u.idle);
	metric_set(m, metric_state(METRIC_UPSTREAMS, METRIC_CONNECTING),
	    u.connecting);
	metric_set(m, METRIC_UPSTREAMS_OPENED, u.opened);
	metric_set(m, METRIC_UPSTREAMS_FAILED, u.failed);
	metric_set(m, METRIC_UPSTREAM_TIMEOUTS, u.timeouts);
	metric_set(m, METRIC_SESSIONS, w->session_count);
	metric_set(m, METRIC_LEGS_IN_FLIGHT, w->legs_in_flight);
	metric_set(m, METRIC_FETCH_SESSIONS, w->fetch_sessions);
	metric_set(m, METRIC_SOCKET_READ, l->bytes_in);
	metric_set(m, METRIC_SOCKET_WRITTEN, l->bytes_out);
	metric_set(m, METRIC_SLOW_TURNS, l->turns_slow);
	metric_set(m, METRIC_HANDSHAKES, l->handshakes);
	metric_set(m, METRIC_HANDSHAKES_DELAYED, l->handshakes_delayed);
	metric_set(m, METRIC_HANDSHAKES_WAITING, l->handshakes_waiting);
}

/* A broker that hangs makes no error that would show that its partitions have
 * other leaders now: its silence must. */
static void
doubt_snapshot(struct worker *w)
{
	int64_t now = loop_now_us(w->loop);
	struct upstream_stats u;

	pool_stats(w->pool, &u);
	if (u.silent == 0 || now - w->doubted_us < UPSTREAM_SILENT_MS * 1000)
		return;
	w->doubted_us = now;
	worker_wish(w);
}

static void
worker_tick(void *arg)
{
	struct worker *w = arg;

	show_gauges(w);
	audit_tick(w->audit);
	doubt_snapshot(w);
	if (w->draining)
		close_idle_sessions(w);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;

	loop_run(w->loop);
	return NULL;
}

static struct pool *
new_pool(struct worker *w)
{
	struct upstream_options o;

	gateway_upstream_options(w->gateway, &o);
	return pool_new(w->loop, &o);
}

struct worker *
worker_new(struct gateway *g, int index)
{
	struct worker *w = mem_zalloc(sizeof(*w));

	w->gateway = g;
	w->index = index;
	w->loop = loop_new();
	w->metrics = metric_new();
	w->cluster = cluster_ref(g->cluster);
	w->config = config_ref(g->config);
	loop_set_handshake_rate(w->loop, w->config->limits.handshake_rate);
	/* Tests without logins have none. */
	w->auth = g->auth != NULL ? auth_ref(g->auth) : NULL;
	w->tenants = tenants_ref(g->tenants);
	w->auth_cache = auth_cache_new();
	w->audit = audit_new(w);
	w->throttling = throttling_new(w);
	w->coordinators = coordinators_new(w);
	list_init(&w->sessions);
	list_init(&w->parked);
	list_init(&w->uncounted);
	list_init(&w->leases);
	list_init(&w->free_leases);
	list_init(&w->free_requests);
	w->pool = new_pool(w);
	pool_set_cluster(w->pool, w->cluster);
	loop_on_tick(w->loop, worker_tick, w);
	return w;
}

struct worker *
worker_start(struct gateway *g, int index, struct error *err)
{
	struct worker *w = worker_new(g, index);

	if (!open_listeners(w, err))
		return NULL;	/* the process ends */
	if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
		error_set(err, "no thread could be started");
		return NULL;
	}
	return w;
}

void
worker_end(struct worker *w)
{
	w->draining = true;
	close_listeners(w);
	LIST_FOREACH_SAFE(it, &w->sessions) {
		struct session *s = LIST_ENTRY(it, struct session, link);

		session_close(s, CONN_DRAIN, NULL);
	}
	pool_free(w->pool);
	w->pool = NULL;
}

static void
end_worker(void *arg)
{
	struct worker *w = arg;

	worker_end(w);
	loop_stop(w->loop);
}

void
worker_free(struct worker *w)
{
	while (!list_empty(&w->free_leases)) {
		struct upstream_lease *l = LIST_ENTRY(w->free_leases.next,
		    struct upstream_lease, link);

		list_remove(&l->link);
		free(l);
	}
	while (!list_empty(&w->free_requests)) {
		struct request *r = LIST_ENTRY(w->free_requests.next,
		    struct request, link);

		list_remove(&r->link);
		free(r);
	}
	for (int i = 0; i < WORKER_LISTENERS_MAX; i++)
		if (w->tls[i] != NULL)
			tls_context_unref(w->tls[i]);
	coordinators_free(w->coordinators);
	loop_free(w->loop);
	cluster_unref(w->cluster);
	config_unref(w->config);
	throttling_free(w->throttling);
	audit_free(w->audit);
	auth_cache_free(w->auth_cache);
	auth_unref(w->auth);
	tenants_unref(w->tenants);
	census_unref(w->census);
	metric_free(w->metrics);
	free(w);
}

void
worker_stop(struct worker *w)
{
	loop_post(w->loop, end_worker, w);
	pthread_join(w->thread, NULL);
	worker_free(w);
}
