/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/watch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/block.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/wire/errors.h"
#include "routing/bootstrap.h"
#include "routing/offer.h"
#include "routing/resolve.h"
#include "routing/snapshot.h"
#include "wire/messages.h"

enum {
	ASK_FACTOR = 16,		/* arena cap = factor * frame + 4096 */
	METADATA_MIN = 7,		/* has leader epochs */
	SHUN_US = 5 * 1000000,		/* a broker that failed is asked last */
	SAY_US = 10 * 1000000,		/* how often the log says it again */
};

/* One conversation with one broker: ApiVersions, Metadata or both. */
struct ask {
	struct list	 link;		/* of the watch's asks */
	struct call	 call;
	struct watch	*watch;
	struct upstream	*upstream;	/* NULL: it has ended */
	struct arena	 arena;		/* of the last reply */
	int32_t		 broker;	/* -1: a bootstrap address */
	bool		 awaited;	/* the refresh waits for its offer */
	int16_t		 versions;	/* ApiVersions' version */
	int64_t		 until_us;
	int64_t		 asked_us;	/* when Metadata was */
	uint32_t	 round;		/* 0: it is about its offer only */
	uint32_t	 losses;	/* the pool's, when it was sent */
	struct offer	 offer;
	void		(*done)(struct ask *a, const struct call_reply *r);
};

/* What is known of one broker, while Metadata lists it. */
struct known {
	int32_t		 id;
	struct offer	 offer;
	int64_t		 offer_us;	/* when it was asked */
	uint32_t	 losses;	/* its connection's, by then */
	bool		 asking;
	int64_t		 failed_us;	/* 0: it answered last time */
	uint32_t	 turn;		/* that asked it for Metadata last */
};

enum watch_phase {
	WATCH_RESTING,		/* the timer begins the next refresh */
	WATCH_ASKING,		/* brokers for their Metadata */
	WATCH_OFFERS,		/* the brokers for what they offer */
};

struct watch {
	struct watch		*next;		/* of `watches` */
	struct loop		*loop;
	struct pool		*pool;
	struct resolver		*resolver;
	watch_publish_cb	*publish;
	void			*arg;
	struct cluster		*cluster;	/* the last one, or NULL */
	struct bootstrap	*bootstrap;
	struct known		*known;
	int32_t			 known_count;
	struct offer		 somebody;	/* of who sent Metadata */
	uint64_t		 generation;

	enum watch_phase	 phase;
	struct timer		 timer;
	atomic_bool		 posted;	/* a wish is on its way */
	bool			 wished;	/* not served yet */
	bool			 serving;	/* the refresh serves one */
	int64_t			 first_wish_us, last_wish_us;
	bool			 doubted;	/* the refresh has asked the
						 * last one's source as well */
	int64_t			 started_us, asked_us;
	uint32_t		 turn;		/* whom to ask first */
	uint32_t		 candidate;	/* the next of this refresh */
	uint32_t		 round;		/* asks of others are late */
	uint32_t		 asking;	/* so many of this one */
	uint32_t		 failures;	/* refreshes in vain */
	struct ask		*metadata_ask;	/* holds the reply */
	struct metadata_response *metadata;
	struct cluster		*draft;
	uint32_t		 awaited;	/* offers */
	struct list		 asks;
	bool			 ending;
	int64_t			 said_us;
	char			 state[256];
};

/* Those that live, for wishes that come too late. Thread: control. */
static struct watch *watches;

static void refresh(struct watch *w);
static void try_next(struct watch *w);
static bool attempt_known(struct watch *w, struct known *k);
static void conclude(struct watch *w);

/* ---- when ---- */

static void
timer_fired(struct timer *t)
{
	struct watch *w = LIST_ENTRY(t, struct watch, timer);

	switch (w->phase) {
	case WATCH_RESTING:
		refresh(w);
		break;
	case WATCH_ASKING:
		try_next(w);	/* beside those that have not answered */
		break;
	case WATCH_OFFERS:
		conclude(w);
		break;
	}
}

static void
wake_in(struct watch *w, int64_t ms)
{
	timer_set(&w->timer, w->loop, loop_now_us(w->loop) + ms * 1000,
	    timer_fired);
}

/* How long until another refresh may start: neither these nor their questions
 * for Metadata come closer. */
static int64_t
gap_ms(const struct watch *w)
{
	int64_t last = w->asked_us > w->started_us ? w->asked_us :
	    w->started_us;
	int64_t us = last + WATCH_GAP_MS * 1000 - loop_now_us(w->loop);

	return us > 0 ? (us + 999) / 1000 : 0;
}

static void
rest(struct watch *w)
{
	w->phase = WATCH_RESTING;
	wake_in(w, w->wished ? gap_ms(w) : WATCH_PERIOD_MS);
}

static struct known *
find_known(const struct watch *w, int32_t broker)
{
	for (int32_t i = 0; i < w->known_count; i++)
		if (w->known[i].id == broker)
			return &w->known[i];
	return NULL;
}

static bool
failed_lately(const struct watch *w, const struct known *k)
{
	return k->failed_us != 0 &&
	    loop_now_us(w->loop) - k->failed_us < SHUN_US;
}

/* ---- asking ---- */

static struct ask *
ask_new(struct watch *w, int32_t broker)
{
	struct ask *a = mem_zalloc(sizeof(*a));

	a->watch = w;
	a->broker = broker;
	a->versions = api_schema_find(API_API_VERSIONS)->until;
	a->until_us = loop_now_us(w->loop) + WATCH_ASK_MS * 1000;
	arena_init(&a->arena, 0);
	list_init(&a->link);
	list_append(&w->asks, &a->link);
	return a;
}

static void
ask_free(struct ask *a)
{
	struct upstream *u = a->upstream;

	a->upstream = NULL;
	if (u != NULL)
		pool_return(u);
	if (a->watch->metadata_ask == a) {
		a->watch->metadata_ask = NULL;
		a->watch->metadata = NULL;
	}
	list_remove(&a->link);
	arena_fini(&a->arena);
	free(a);
}

static void
ask_lost(struct upstream *u, void *arg)
{
	struct ask *a = arg;

	(void)u;
	a->upstream = NULL;
}

static void
ask_done(struct call *c, const struct call_reply *r)
{
	struct ask *a = LIST_ENTRY(c, struct ask, call);

	if (a->watch->ending)
		ask_free(a);
	else
		a->done(a, r);
}

static bool
ask_send(struct ask *a, int16_t key, int version, const void *body,
    void (*done)(struct ask *a, const struct call_reply *r))
{
	int64_t left = (a->until_us - loop_now_us(a->watch->loop)) / 1000;
	struct error err;

	a->done = done;
	memset(&a->call, 0, sizeof(a->call));
	list_init(&a->call.link);
	a->call.done = ask_done;
	if (upstream_call(a->upstream, &a->call, api_schema_find(key), version,
	    SLICE_LIT("weir"), body, left > 1 ? (uint32_t)left : 1, &err))
		return true;
	log_error("cannot ask a broker", "error=\"%s\"", err.text);
	return false;
}

/* The reply in the ask's arena; NULL: *why says why there is none. */
static void *
ask_answer(struct ask *a, const struct call_reply *r, int version,
    const char **why)
{
	struct reader rd = r->reader;
	void *body;

	*why = r->detail ? r->detail : "no answer";
	if (r->outcome != CALL_ANSWERED)
		return NULL;
	arena_fini(&a->arena);
	a->arena.cap = ASK_FACTOR * (size_t)(rd.end - rd.p) + 4096;
	body = codec_decode(&rd, a->call.api->response, version, &a->arena);
	if (body == NULL)
		*why = rd.fault ? rd.fault : "its reply is too large";
	else if (rd.block != NULL)
		arena_hold(&a->arena, rd.block);
	return body;
}

/* ---- ApiVersions ---- */

static bool
send_versions(struct ask *a,
    void (*done)(struct ask *a, const struct call_reply *r))
{
	struct api_versions_request q = { SLICE_LIT("weir"),
		SLICE_LIT("1.0") };

	a->losses = pool_losses(a->watch->pool, a->broker);
	return ask_send(a, API_API_VERSIONS, a->versions, &q, done);
}

/* The version that the broker would have liked (KIP-511: a broker that does
 * not know the version answers with its own ranges as version 0 has them). */
static int16_t
liked_version(const struct api_versions_response *v)
{
	for (int32_t i = 0; i < v->api_keys.n; i++)
		if (v->api_keys.v[i].api_key == API_API_VERSIONS)
			return v->api_keys.v[i].max_version;
	return 0;
}

/* MORE: the question was sent again in another version. */
enum versions_step { VERSIONS_MORE, VERSIONS_DONE, VERSIONS_FAILED };

static enum versions_step
take_versions(struct ask *a, const struct call_reply *r, const char **why)
{
	const struct api_versions_response *v;
	struct reader peek = r->reader;
	bool too_new = r->outcome == CALL_ANSWERED &&
	    reader_int16(&peek) == KAFKA_UNSUPPORTED_VERSION;
	int16_t version = too_new ? 0 : a->versions;

	v = ask_answer(a, r, version, why);
	if (v == NULL)
		return VERSIONS_FAILED;
	if (too_new && a->versions > 0) {
		version = liked_version(v);
		a->versions = version < a->versions && version > 0 ? version :
		    0;
		return send_versions(a, a->done) ? VERSIONS_MORE :
		    VERSIONS_FAILED;
	}
	if (v->error_code != 0) {
		*why = kafka_error_name(v->error_code);
		return VERSIONS_FAILED;
	}
	offer_take(&a->offer, v);
	return VERSIONS_DONE;
}

/* late: a snapshot without it has been published; if it is news there must be
 * another one. */
static void
note_offer(struct watch *w, const struct ask *a, bool late)
{
	struct known *k = find_known(w, a->broker);

	if (k == NULL)
		return;
	if (late && !offer_equal(&k->offer, &a->offer))
		watch_wish(w);
	k->offer = a->offer;
	k->offer_us = loop_now_us(w->loop);
	k->losses = a->losses;
}

static void
offer_done(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;
	struct known *k = find_known(w, a->broker);
	bool awaited = a->awaited;
	const char *why;
	enum versions_step step = take_versions(a, r, &why);

	if (step == VERSIONS_MORE)
		return;
	if (k != NULL) {
		k->asking = false;
		k->failed_us = step == VERSIONS_FAILED ?
		    loop_now_us(w->loop) : 0;
	}
	if (step == VERSIONS_DONE)
		note_offer(w, a, !awaited);
	else
		log_debug("broker does not say what it offers",
		    "broker=%d detail=\"%s\"", a->broker, why);
	ask_free(a);
	if (awaited && --w->awaited == 0)
		conclude(w);
}

/* ---- the end of a refresh ---- */

static struct offer
join_offers(const struct watch *w)
{
	struct offer all = { .known = false };

	for (int32_t i = 0; i < w->known_count; i++)
		offer_join(&all, &w->known[i].offer);
	/* Whoever answered, under whatever name, is one of them. */
	if (!all.known)
		all = w->somebody;
	return all;
}

static void
resolved(void *arg)
{
	watch_wish(arg);
}

/* All of the bootstrap list is known before it is needed again. */
static void
begin_serving(struct watch *w)
{
	struct broker_address none;

	resolver_serve(w->resolver, w->loop, resolved, w);
	(void)bootstrap_find(w->bootstrap, w->resolver, 0, UINT32_MAX, &none,
	    NULL);
}

static void
publish(struct watch *w, struct cluster *c)
{
	struct cluster *old = w->cluster;

	c->generation = ++w->generation;
	w->cluster = c;
	if (old == NULL)
		begin_serving(w);
	w->publish(w->arg, c);
	if (old != NULL)
		cluster_unref(old);
}

static bool
worth_publishing(const struct watch *w, const struct cluster *c)
{
	const struct cluster *last = w->cluster;
	const struct known *k = last ? find_known(w, last->source) : NULL;

	return last == NULL || w->serving ||
	    /* What any broker can serve should not go there now. */
	    (k != NULL && k->failed_us != 0) ||
	    c->asked_us - last->asked_us >= (int64_t)WATCH_SAME_MS * 1000 ||
	    !snapshot_equal(last, c);
}

/* The broker that answered does not know all that the last one knew. What it
 * lacks was deleted, or it is behind, and what clients have seen would vanish
 * again: the last one's source knows. False when it cannot be asked. */
static bool
doubt(struct watch *w, const struct cluster *c)
{
	struct known *k;

	if (w->doubted || w->cluster == NULL || c->source == w->cluster->source
	    || snapshot_has_topics_of(c, w->cluster))
		return false;
	w->doubted = true;
	k = find_known(w, w->cluster->source);
	if (k == NULL || k->asking || failed_lately(w, k))
		return false;
	w->phase = WATCH_ASKING;
	return attempt_known(w, k);
}

/* All that will be known in time is known. */
static void
conclude(struct watch *w)
{
	struct offer all = join_offers(w);
	struct cluster *c = w->draft;

	LIST_FOREACH(it, &w->asks)
		LIST_ENTRY(it, struct ask, link)->awaited = false;
	w->awaited = 0;
	w->draft = NULL;
	snapshot_finish(c, w->metadata, &all, w->cluster);
	c->asked_us = w->metadata_ask->asked_us;
	c->source = w->metadata_ask->broker;
	ask_free(w->metadata_ask);
	if (doubt(w, c)) {
		cluster_unref(c);
		return;
	}
	if (w->failures > 0)
		log_info("cluster answers again", "brokers=%d",
		    c->broker_count);
	w->failures = 0;
	w->said_us = 0;
	snprintf(w->state, sizeof(w->state), "connected");
	if (worth_publishing(w, c))
		publish(w, c);
	else
		cluster_unref(c);
	w->serving = false;
	rest(w);
}

/* ---- what brokers offer ---- */

static bool
wants_offer(const struct watch *w, const struct known *k)
{
	return !k->asking && (!k->offer.known ||
	    k->losses != pool_losses(w->pool, k->id) ||
	    loop_now_us(w->loop) - k->offer_us >
	    (int64_t)WATCH_OFFER_MS * 1000);
}

static void
ask_offer(struct watch *w, struct known *k)
{
	struct ask *a = ask_new(w, k->id);

	a->upstream = pool_lease(w->pool, k->id, ask_lost, a);
	if (a->upstream == NULL || !send_versions(a, offer_done)) {
		k->failed_us = loop_now_us(w->loop);
		ask_free(a);
		return;
	}
	k->asking = true;
	/* Who did not answer a moment ago is not waited for. */
	a->awaited = !failed_lately(w, k);
	w->awaited += a->awaited;
}

/* Keeps what is known of brokers that still are; makes room for new ones. */
static void
update_known(struct watch *w)
{
	const struct cluster *c = w->draft;
	struct known *now = mem_zalloc(((size_t)c->broker_count + 1) *
	    sizeof(*now));

	for (int32_t i = 0; i < c->broker_count; i++) {
		const struct known *k = find_known(w, c->brokers[i].id);

		if (k != NULL)
			now[i] = *k;
		now[i].id = c->brokers[i].id;
	}
	free(w->known);
	w->known = now;
	w->known_count = c->broker_count;
}

static void
gather_offers(struct watch *w)
{
	w->phase = WATCH_OFFERS;
	w->awaited = 0;
	pool_set_cluster(w->pool, w->draft);
	update_known(w);
	for (int32_t i = 0; i < w->known_count; i++)
		if (wants_offer(w, &w->known[i]))
			ask_offer(w, &w->known[i]);
	if (w->awaited == 0)
		conclude(w);
	else
		wake_in(w, w->cluster ? WATCH_OFFERS_MS :
		    WATCH_FIRST_OFFERS_MS);
}

/* ---- Metadata ---- */

/* Another one's word has been taken, or the refresh is over. */
static bool
is_late(const struct ask *a)
{
	return a->round != a->watch->round;
}

static void
end_late(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;
	struct known *k = find_known(w, a->broker);

	if (k != NULL)
		k->failed_us = r->outcome == CALL_ANSWERED ? 0 :
		    loop_now_us(w->loop);
	ask_free(a);
}

/* The one that was asked is no help; the next one. */
static void
attempt_failed(struct ask *a, const char *why)
{
	struct watch *w = a->watch;
	struct known *k = find_known(w, a->broker);

	w->asking--;
	if (k != NULL)
		k->failed_us = loop_now_us(w->loop);
	snprintf(w->state, sizeof(w->state), "no broker answers: %.200s", why);
	log_debug("broker cannot be asked", "broker=%d detail=\"%s\"",
	    a->broker, why);
	ask_free(a);
	try_next(w);
}

/* Whatever it says, it says it of another cluster. */
static bool
is_foreign(struct watch *w, const struct metadata_response *m)
{
	const struct cluster *c = w->cluster;
	int64_t now = loop_now_us(w->loop);

	if (c == NULL || c->cluster_id.data == NULL ||
	    slice_eq(c->cluster_id, m->cluster_id))
		return false;
	if (w->said_us == 0 || now - w->said_us > SAY_US) {
		struct log_quoted was, is;

		log_error("another cluster answers: its word is not taken",
		    "was=%s is=%s", log_quote(c->cluster_id, &was),
		    log_quote(m->cluster_id, &is));
		w->said_us = now;
	}
	return true;
}

/* Who wished before it was asked is served; who wished later may mean what has
 * happened since. */
static void
take_wishes(struct watch *w, const struct ask *a)
{
	w->serving |= w->wished && w->first_wish_us <= a->asked_us;
	w->wished = w->wished && w->last_wish_us > a->asked_us;
	w->first_wish_us = w->last_wish_us;
}

static void
metadata_done(struct ask *a, const struct call_reply *r)
{
	struct watch *w = a->watch;
	struct upstream *u = a->upstream;
	struct known *k = find_known(w, a->broker);
	const char *why;
	struct metadata_response *m;

	if (is_late(a)) {
		end_late(a, r);
		return;
	}
	m = ask_answer(a, r, a->call.version, &why);
	if (m != NULL && m->error_code != 0)
		why = kafka_error_name(m->error_code);
	else if (m != NULL && m->brokers.n <= 0)
		why = "it knows no brokers";
	else if (m != NULL && is_foreign(w, m))
		why = "it belongs to another cluster";
	else if (m != NULL)
		why = NULL;
	if (why != NULL) {
		attempt_failed(a, why);
		return;
	}
	if (k != NULL)
		k->failed_us = 0;
	a->upstream = NULL;
	pool_return(u);
	w->round++;
	w->asking = 0;
	take_wishes(w, a);
	w->somebody = a->offer;
	w->metadata_ask = a;
	w->metadata = m;
	w->draft = snapshot_begin(m, w->resolver);
	gather_offers(w);
}

static void
send_metadata(struct ask *a)
{
	struct watch *w = a->watch;
	const struct api_schema *api = api_schema_find(API_METADATA);
	const struct api_range *have = &a->offer.apis[API_METADATA];
	struct metadata_request q = { .topics = { NULL, -1 } };
	int version = have->max < api->until ? have->max : api->until;

	if (version < METADATA_MIN) {
		attempt_failed(a, "it is too old: Metadata 7 is needed");
		return;
	}
	a->asked_us = w->asked_us = loop_now_us(w->loop);
	if (!ask_send(a, API_METADATA, version, &q, metadata_done))
		attempt_failed(a, "Metadata could not be encoded");
}

static void
versions_done(struct ask *a, const struct call_reply *r)
{
	const char *why;

	if (is_late(a)) {
		end_late(a, r);
		return;
	}
	switch (take_versions(a, r, &why)) {
	case VERSIONS_MORE:
		break;
	case VERSIONS_DONE:
		note_offer(a->watch, a, false);
		send_metadata(a);
		break;
	case VERSIONS_FAILED:
		attempt_failed(a, why);
		break;
	}
}

/* False: there was no upstream to be had, and the ask is gone. */
static bool
attempt(struct ask *a)
{
	struct watch *w = a->watch;
	const struct known *k = find_known(w, a->broker);

	if (a->upstream == NULL) {
		ask_free(a);
		return false;
	}
	a->round = w->round;
	w->asking++;
	wake_in(w, WATCH_HEDGE_MS);
	if (k != NULL && !wants_offer(w, k) && k->offer.known) {
		a->offer = k->offer;
		send_metadata(a);
	} else if (!send_versions(a, versions_done)) {
		attempt_failed(a, "ApiVersions could not be encoded");
	}
	return true;
}

static bool
attempt_known(struct watch *w, struct known *k)
{
	struct ask *a = ask_new(w, k->id);

	k->turn = w->turn;
	a->upstream = pool_lease(w->pool, k->id, ask_lost, a);
	return attempt(a);
}

/* The at-th address of the whole bootstrap list; false: it has ended. *begun:
 * a broker is being asked. */
static bool
attempt_bootstrap(struct watch *w, uint32_t at, bool *begun)
{
	struct error err = { "" };
	struct broker_address found;
	const char *host = bootstrap_find(w->bootstrap, w->resolver,
	    w->turn - 1, at, &found, &err);
	struct ask *a;

	if (err.text[0] != '\0')
		snprintf(w->state, sizeof(w->state),
		    "no broker answers: %.200s", err.text);
	if (host == NULL)
		return false;
	a = ask_new(w, -1);
	a->upstream = pool_lease_address(w->pool, host,
	    (const struct sockaddr *)&found.sa, found.len, ask_lost, a);
	*begun = attempt(a);
	return true;
}

static void
refresh_failed(struct watch *w)
{
	int64_t now = loop_now_us(w->loop);
	int64_t ms = WATCH_RETRY_MIN_MS;

	for (uint32_t i = 0; i < w->failures && ms < WATCH_RETRY_MAX_MS; i++)
		ms *= 2;
	w->failures++;
	if (w->said_us == 0 || now - w->said_us > SAY_US) {
		log_warn("cluster cannot be asked", "detail=\"%s\"", w->state);
		w->said_us = now;
	}
	w->wished |= w->serving;
	w->serving = false;
	w->phase = WATCH_RESTING;
	wake_in(w, ms < WATCH_RETRY_MAX_MS ? ms : WATCH_RETRY_MAX_MS);
}

/* It has not answered, neither this refresh nor an earlier one. */
static bool
is_asked(const struct watch *w, int32_t broker)
{
	LIST_FOREACH(it, &w->asks) {
		const struct ask *a = LIST_ENTRY(it, struct ask, link);

		if (a->round != 0 && a->broker == broker)
			return true;
	}
	return false;
}

/* Candidates in order: known brokers that work, those that failed lately or
 * still owe an answer, the bootstrap addresses. Only what can be asked at once
 * is. */
static void
try_next(struct watch *w)
{
	uint32_t n = (uint32_t)w->known_count;
	bool begun = false;

	w->phase = WATCH_ASKING;
	while (!begun) {
		uint32_t at = w->candidate++;

		if (at < 2 * n) {
			struct known *k = &w->known[(w->turn + at) % n];

			if (!k->asking && k->turn != w->turn &&
			    (failed_lately(w, k) || is_asked(w, k->id)) ==
			    (at >= n))
				begun = attempt_known(w, k);
		} else if (!attempt_bootstrap(w, at - 2 * n, &begun)) {
			if (w->asking == 0)
				refresh_failed(w);
			return;
		}
	}
}

static void
refresh(struct watch *w)
{
	w->started_us = loop_now_us(w->loop);
	w->turn++;
	w->round++;
	w->asking = 0;
	w->candidate = 0;
	w->doubted = false;
	try_next(w);
}

/* ---- from outside ---- */

static void
take_wish(void *arg)
{
	struct watch *w = watches;
	int64_t now;

	while (w != NULL && w != arg)
		w = w->next;
	if (w == NULL)
		return;		/* freed since */
	atomic_store(&w->posted, false);
	now = loop_now_us(w->loop);
	/* The first of several decides when: the others must not put it off. */
	if (!w->wished && w->phase == WATCH_RESTING && w->failures == 0)
		wake_in(w, gap_ms(w));
	if (!w->wished)
		w->first_wish_us = now;
	w->last_wish_us = now;
	w->wished = true;
}

void
watch_wish(struct watch *w)
{
	/* One message on its way serves all who wish before it arrives. */
	if (!atomic_exchange(&w->posted, true))
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
	w->bootstrap = bootstrap_new(bootstrap);
	w->pool = pool_new(control, o);
	w->resolver = resolver_new();
	w->publish = publish_cb;
	w->arg = arg;
	list_init(&w->asks);
	w->next = watches;
	watches = w;
	snprintf(w->state, sizeof(w->state), "connecting");
	wake_in(w, 0);
	return w;
}

void
watch_free(struct watch *w)
{
	struct watch **at = &watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->ending = true;
	timer_cancel(&w->timer);
	pool_free(w->pool);		/* frees the asks under way */
	if (w->metadata_ask != NULL)
		ask_free(w->metadata_ask);
	if (w->draft != NULL)
		cluster_unref(w->draft);
	if (w->cluster != NULL)
		cluster_unref(w->cluster);
	resolver_free(w->resolver);
	free(w->known);
	bootstrap_free(w->bootstrap);
	free(w);
}
