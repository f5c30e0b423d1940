/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One refresh: Metadata from one broker (a known one, else the bootstrap list
 * in turn), then ApiVersions from each broker whose ranges are not known or
 * old, then a new snapshot.
 */
#include "routing/watch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/block.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/net/loop.h"
#include "routing/snapshot.h"
#include "wire/messages.h"

enum {
	ASK_TIMEOUT_MS = 2000,		/* then another broker is asked */
	RANGES_AGE_US = 30 * 1000000,	/* an upgraded broker offers more */
	SILENT_AGAIN_US = 10 * 1000000,	/* one that hangs is left alone */
	RETRY_MS = 200,
	BOOTSTRAP_MAX = 64,
	METADATA_VERSION_MAX = 12,
	METADATA_VERSION_MIN = 7,
	VERSIONS_VERSION = 3,
};

/* A call of the watch's own: one upstream, one call, then returned. */
struct ask {
	struct call	 call;
	struct watch	*watch;
	struct upstream	*upstream;
	struct arena	 arena;
	struct ranges	*ranges;	/* for ApiVersions */
	bool			 keeps;	/* the upstream, for another call */
	void		(*done)(struct ask *a, const struct call_reply *r);
};

enum watch_phase {
	WATCH_IDLE,
	WATCH_VERSIONS_FIRST,	/* of the broker that is asked for Metadata */
	WATCH_METADATA,
	WATCH_VERSIONS,		/* of the others */
};

struct watch {
	struct loop		*loop;
	struct pool		*pool;
	watch_publish_cb	*publish;
	void			*arg;
	struct cluster		*cluster;	/* the last one, or NULL */
	char			*bootstrap;
	uint32_t		 turn;		/* whom to ask next */
	enum watch_phase	 phase;
	struct timer		 timer;
	int64_t			 started_us;	/* the refresh under way */
	bool			 again;		/* a wish came meanwhile */
	atomic_bool		 wished;	/* one is posted */
	struct ask		 main;
	struct ranges		 main_ranges;
	struct ranges		*ranges;	/* by broker */
	int32_t			 ranges_count;
	struct metadata_response *metadata;	/* in main.arena */
	int32_t			 waiting;	/* for ApiVersions */
	uint64_t		 generation;
	bool			 reached;	/* the last refresh succeeded */
	bool			 ending;
	char			 state[256];
};

static void refresh(struct watch *w);

static void
timer_fired(struct timer *t)
{
	struct watch *w = LIST_ENTRY(t, struct watch, timer);

	if (w->phase == WATCH_IDLE)
		refresh(w);
}

/* No later than that; a timer which is set earlier stays. */
static void
refresh_within(struct watch *w, int64_t ms)
{
	int64_t at = loop_now_us(w->loop) + ms * 1000;

	if (w->timer.slot == 0 || w->timer.at_us > at)
		timer_set(&w->timer, w->loop, at, timer_fired);
}

static void
refresh_in(struct watch *w, int64_t ms)
{
	timer_set(&w->timer, w->loop, loop_now_us(w->loop) + ms * 1000,
	    timer_fired);
}

/* The refresh has ended; when is the next one? */
static void
rest(struct watch *w, int64_t ms)
{
	int64_t gap = w->started_us / 1000 + WATCH_GAP_MS -
	    loop_now_us(w->loop) / 1000;

	w->phase = WATCH_IDLE;
	if (w->again)
		ms = gap > 0 ? gap : 0;
	refresh_in(w, ms);
}

static void
failed(struct watch *w, const char *detail)
{
	w->reached = false;
	snprintf(w->state, sizeof(w->state), "no broker answers: %s", detail);
	log_warn("cluster cannot be asked", "detail=\"%s\"", detail);
	arena_fini(&w->main.arena);
	w->again = true;	/* whoever wished still waits */
	w->phase = WATCH_IDLE;
	refresh_in(w, RETRY_MS);
}

/* ---- asking ---- */

static void
ask_lost(struct upstream *u, void *arg)
{
	(void)u;
	((struct ask *)arg)->upstream = NULL;
}

static void
ask_return(struct ask *a)
{
	struct upstream *u = a->upstream;

	a->upstream = NULL;
	if (u != NULL)
		pool_return(u);
}

static void
ask_done(struct call *c, const struct call_reply *r)
{
	struct ask *a = LIST_ENTRY(c, struct ask, call);

	if (!a->keeps)
		ask_return(a);
	a->done(a, r);
}

static bool
ask(struct ask *a, struct upstream *u, int16_t key, int version,
    const void *body, void (*done)(struct ask *a, const struct call_reply *r))
{
	struct error err;

	a->upstream = u;
	a->done = done;
	memset(&a->call, 0, sizeof(a->call));
	a->call.done = ask_done;
	if (upstream_call(u, &a->call, api_schema_find(key), version,
	    SLICE_LIT("weir"), body, ASK_TIMEOUT_MS, &err))
		return true;
	log_error("cannot ask a broker", "error=\"%s\"", err.text);
	a->upstream = NULL;
	pool_return(u);
	return false;
}

static void *
answer_of(struct ask *a, const struct call_reply *r)
{
	struct reader rd = r->reader;
	void *body;

	if (r->outcome != CALL_ANSWERED)
		return NULL;
	body = codec_decode(&rd, a->call.api->response, a->call.version,
	    &a->arena);
	if (body == NULL)
		log_warn("reply could not be decoded", "api=%s fault=\"%s\"",
		    a->call.api->name, rd.fault);
	else if (rd.block != NULL)
		arena_hold(&a->arena, rd.block);
	return body;
}

/* The next broker that can be leased: known ones, or the bootstrap list. */
static struct upstream *
lease_known(struct watch *w)
{
	const struct cluster *c = w->cluster;

	for (int32_t i = 0; c != NULL && i < c->broker_count; i++) {
		int32_t id = c->brokers[w->turn++ %
		    (uint32_t)c->broker_count].id;
		struct upstream *u = pool_lease(w->pool, id, ask_lost,
		    &w->main);

		if (u != NULL)
			return u;
	}
	return NULL;
}

static struct upstream *
lease_bootstrap(struct watch *w, struct error *err)
{
	char *copy = mem_strdup(w->bootstrap), *save = NULL;
	char *names[BOOTSTRAP_MAX];
	uint32_t n = 0;
	struct upstream *u = NULL;

	for (char *p = strtok_r(copy, ", ", &save); p != NULL &&
	    n < BOOTSTRAP_MAX; p = strtok_r(NULL, ", ", &save))
		names[n++] = p;
	error_set(err, "the bootstrap list is empty");
	for (uint32_t i = 0; i < n && u == NULL; i++) {
		const char *name = names[w->turn++ % n];
		struct sockaddr_storage a;
		socklen_t len;
		char host[256];
		int port;

		if (address_parse(name, &a, &len, err) &&
		    address_split(name, host, sizeof(host), &port, err))
			u = pool_lease_address(w->pool, host,
			    (struct sockaddr *)&a, len, ask_lost, &w->main);
	}
	free(copy);
	return u;
}

/* ---- ApiVersions of each ---- */

static struct ranges *
ranges_of(struct watch *w, int32_t broker)
{
	for (int32_t i = 0; i < w->ranges_count; i++)
		if (w->ranges[i].broker == broker)
			return &w->ranges[i];
	return NULL;
}

static void
publish(struct watch *w)
{
	struct cluster *c = snapshot_build(w->metadata, w->ranges,
	    w->ranges_count, w->started_us, ++w->generation);

	if (c == NULL) {
		failed(w, "no broker offers its APIs");
		return;
	}
	arena_fini(&w->main.arena);
	if (w->cluster != NULL)
		cluster_unref(w->cluster);
	w->cluster = c;
	w->reached = true;
	snprintf(w->state, sizeof(w->state), "connected");
	pool_set_cluster(w->pool, c);
	w->publish(w->arg, c);
	rest(w, WATCH_PERIOD_MS);
}

static void
versions_done(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;
	const struct api_versions_response *v = answer_of(a, r);

	if (v != NULL)
		ranges_take(a->ranges, v, loop_now_us(w->loop));
	else if (r->outcome != CALL_NOT_SENT)
		/* What is known stays; it is not waited for each time. */
		a->ranges->again_us = loop_now_us(w->loop) + SILENT_AGAIN_US;
	arena_fini(&a->arena);
	free(a);
	if (--w->waiting == 0 && !w->ending)
		publish(w);
}

static void
ask_versions(struct watch *w, int32_t broker, struct ranges *to)
{
	struct api_versions_request q = { SLICE_LIT("weir"),
		SLICE_LIT("1.0") };
	struct ask *a = mem_zalloc(sizeof(*a));
	struct upstream *u = pool_lease(w->pool, broker, ask_lost, a);

	a->watch = w;
	a->ranges = to;
	arena_init(&a->arena, 0);
	if (u == NULL || !ask(a, u, API_API_VERSIONS, VERSIONS_VERSION, &q,
	    versions_done)) {
		free(a);
		return;
	}
	w->waiting++;
}

/* Keeps what is known of brokers that still are; makes room for new ones. */
static void
update_ranges(struct watch *w)
{
	const struct metadata_response *m = w->metadata;
	struct ranges *now = mem_zalloc(((size_t)m->brokers.n + 1) *
	    sizeof(*now));

	for (int32_t i = 0; i < m->brokers.n; i++) {
		const struct ranges *known = ranges_of(w,
		    m->brokers.v[i].node_id);

		if (known != NULL)
			now[i] = *known;
		now[i].broker = m->brokers.v[i].node_id;
	}
	free(w->ranges);
	w->ranges = now;
	w->ranges_count = m->brokers.n;
}

static bool
ranges_are_old(const struct ranges *r, int64_t now)
{
	return (r->asked_us == 0 || now - r->asked_us > RANGES_AGE_US) &&
	    now >= r->again_us;
}

static void
ask_all_versions(struct watch *w)
{
	struct cluster *places;

	update_ranges(w);
	w->phase = WATCH_VERSIONS;
	/* The pool must know where the brokers are before they are asked. */
	places = snapshot_places(w->metadata);
	pool_set_cluster(w->pool, places);
	cluster_unref(places);
	w->waiting = 1;
	for (int32_t i = 0; i < w->ranges_count; i++)
		if (ranges_are_old(&w->ranges[i], loop_now_us(w->loop)))
			ask_versions(w, w->ranges[i].broker, &w->ranges[i]);
	if (--w->waiting == 0)
		publish(w);
}

/* ---- Metadata ---- */

/* Checked before the pool is told where its brokers are. */
static bool
is_other_cluster(const struct watch *w)
{
	const struct cluster *c = w->cluster;

	if (c == NULL || c->cluster_id.data == NULL ||
	    slice_eq(c->cluster_id, w->metadata->cluster_id))
		return false;
	log_error("another cluster answers: its word is not taken",
	    "was=%.*s is=%.*s", SLICE_FMT(c->cluster_id),
	    SLICE_FMT(w->metadata->cluster_id));
	return true;
}

static void
metadata_done(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;

	if (w->ending)
		return;
	w->metadata = answer_of(a, r);
	if (w->metadata == NULL || w->metadata->brokers.n <= 0) {
		failed(w, r->detail ? r->detail : "no brokers in its answer");
		return;
	}
	if (is_other_cluster(w)) {
		failed(w, "another cluster answers");
		return;
	}
	ask_all_versions(w);
}

static void
ask_metadata(struct watch *w, struct upstream *u)
{
	struct metadata_request q = { .topics = { NULL, -1 } };
	const struct api_range *have = &w->main_ranges.apis[API_METADATA];
	int version = have->max < METADATA_VERSION_MAX ? have->max :
	    METADATA_VERSION_MAX;

	if (version < METADATA_VERSION_MIN) {
		w->main.upstream = NULL;
		pool_return(u);
		failed(w, "the brokers are too old: Metadata 7 is needed");
		return;
	}
	w->phase = WATCH_METADATA;
	w->started_us = loop_now_us(w->loop);
	w->again = false;
	if (!ask(&w->main, u, API_METADATA, version, &q, metadata_done))
		failed(w, "Metadata could not be encoded");
}

/* Before the first Metadata: which versions does that broker speak? */
static void
first_versions_done(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;
	const struct api_versions_response *v = NULL;
	struct upstream *u = a->upstream;

	a->keeps = false;
	if (!w->ending)
		v = answer_of(a, r);
	if (v == NULL) {
		ask_return(a);
		if (!w->ending)
			failed(w, r->detail ? r->detail :
			    "not a Kafka broker");
		return;
	}
	ranges_take(&w->main_ranges, v, loop_now_us(w->loop));
	ask_metadata(w, u);
}

static void
refresh(struct watch *w)
{
	struct api_versions_request q = { SLICE_LIT("weir"),
		SLICE_LIT("1.0") };
	struct error err = { "" };
	struct upstream *u = lease_known(w);

	w->started_us = loop_now_us(w->loop);
	arena_init(&w->main.arena, 0);
	if (u != NULL && w->main_ranges.asked_us != 0) {
		ask_metadata(w, u);
		return;
	}
	if (u == NULL)
		u = lease_bootstrap(w, &err);
	if (u == NULL) {
		failed(w, err.text);
		return;
	}
	w->phase = WATCH_VERSIONS_FIRST;
	w->main.keeps = true;
	if (!ask(&w->main, u, API_API_VERSIONS, VERSIONS_VERSION, &q,
	    first_versions_done))
		failed(w, "ApiVersions could not be encoded");
}

/* ---- from outside ---- */

static void
take_wish(void *arg)
{
	struct watch *w = arg;
	int64_t since;

	atomic_store(&w->wished, false);
	if (w->ending)
		return;
	if (w->phase != WATCH_IDLE) {
		w->again = true;
		return;
	}
	since = (loop_now_us(w->loop) - w->started_us) / 1000;
	refresh_within(w, !w->reached ? RETRY_MS :
	    since >= WATCH_GAP_MS ? 0 : WATCH_GAP_MS - since);
}

void
watch_wish(struct watch *w)
{
	/* One message on its way serves all who wish before it arrives. */
	if (!atomic_exchange(&w->wished, true))
		loop_post(w->loop, take_wish, w);
}

void
watch_stats(const struct watch *w, struct upstream_stats *to)
{
	pool_stats(w->pool, to);
}

const char *
watch_state(const struct watch *w)
{
	return w->state;
}

struct watch *
watch_new(struct loop *control, const char *bootstrap,
    const struct upstream_options *o, watch_publish_cb *publish_cb, void *arg)
{
	struct watch *w = mem_zalloc(sizeof(*w));

	w->loop = control;
	w->bootstrap = mem_strdup(bootstrap);
	w->pool = pool_new(control, o);
	w->publish = publish_cb;
	w->arg = arg;
	w->main.watch = w;
	snprintf(w->state, sizeof(w->state), "connecting");
	refresh_in(w, 0);
	return w;
}

void
watch_free(struct watch *w)
{
	w->ending = true;
	timer_cancel(&w->timer);
	pool_free(w->pool);
	arena_fini(&w->main.arena);
	if (w->cluster != NULL)
		cluster_unref(w->cluster);
	free(w->ranges);
	free(w->bootstrap);
	free(w);
}
