/* SPDX-License-Identifier: Apache-2.0 */
/* Heartbeats: who is there, and which limits are pressed (lua/beat.lua). */
#include "quota/lease_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

enum {
	BEAT_FAST_US = 50 * 1000,	/* while a change goes round */
	BEAT_FAST_NODE_US = 2000,	/* but slower where there are many */
	AGE_MAX_MS = INT32_MAX,
	NEWS_US = 200 * 1000,		/* said so often at most */
	BEAT_KEYS = 6, BEAT_ARGS = 6,
	/* A node that is gone has its counts for so long (TTL of
	 * lua/count.lua). */
	COUNTS_TTL_US = 5000 * 1000,
	BEAT_NUMBERS = 10,
};

/* ---- what is sent ---- */

static bool
must_say(const struct leased *l, int64_t now)
{
	if (l->never_free)
		return false;
	if (l->version == 0)
		return true;
	return now - l->need_us < NEED_US && now - l->said_us >= NEED_US;
}

static uint32_t
add_presses(struct lease_node *n, struct slice *args, int64_t now)
{
	uint32_t count = 0;

	n->say = false;
	LIST_FOREACH(g_it, &n->groups_asking) {
		struct lease_group *g = LIST_ENTRY(g_it, struct lease_group,
		    link);

		LIST_FOREACH(it, &g->asking) {
			struct leased *l = LIST_ENTRY(it, struct leased,
			    asking);

			if (!must_say(l, now))
				continue;
			if (count == BEAT_PRESSES) {
				n->say = true;
				return count;
			}
			l->said_us = now;
			args[count++] = slice_of(l->id);
		}
	}
	return count;
}

static struct slice
fleet_key(struct lease_node *n, const char *what)
{
	return arena_printf(&n->memory, "%s{fleet}:%s", n->prefix, what);
}

static void beat_done(void *arg, bool lost, struct slice answer);

static void
send_beat(struct lease_node *n, int64_t now)
{
	static const char *const names[BEAT_KEYS] = { "meta", "seen", "acks",
	    "pressed", "changes", "gone" };
	struct slice *keys = ARENA_ARRAY(&n->memory, struct slice, BEAT_KEYS);
	struct slice *args = ARENA_ARRAY(&n->memory, struct slice,
	    BEAT_ARGS + BEAT_PRESSES);
	struct call *c = mem_zalloc(sizeof(*c));
	struct store_call *s = node_call(n);

	for (int i = 0; i < BEAT_KEYS; i++)
		keys[i] = fleet_key(n, names[i]);
	args[0] = slice_of(n->id);
	args[1] = slice_of(n->epoch);
	args[2] = node_arg(n, n->upto);
	args[3] = node_arg(n, !n->started);
	args[4] = node_arg(n, n->leaving);
	args[5] = node_arg(n, n->news);
	n->news_sent = n->news;
	n->news = false;
	c->node = n;
	c->sent_us = now;
	n->told = n->upto;
	n->beat = c;
	n->beat_us = now;
	n->seen.beats++;
	*s = (struct store_call){
		.script = &store_beat, .keys = keys, .key_count = BEAT_KEYS,
		.args = args,
		.arg_count = BEAT_ARGS + add_presses(n, args + BEAT_ARGS, now),
		.done = beat_done, .arg = c,
	};
}

static int64_t
beat_interval(const struct lease_node *n)
{
	int64_t usual = (int64_t)n->o.beat_ms * MS;
	int64_t fast = (int64_t)n->nodes * BEAT_FAST_NODE_US;

	if (n->say)
		return 0;
	if (n->news && !n->lost && usual > NEWS_US)
		usual = NEWS_US;
	if (n->lost || (n->upto == n->told && n->upto == n->version &&
	    n->incomplete == 0))
		return usual;
	if (fast < BEAT_FAST_US)
		fast = BEAT_FAST_US;
	return fast < usual ? fast : usual;
}

void
beat_tick(struct lease_node *n, int64_t now)
{
	if (n->beat == NULL &&
	    (n->beat_us == 0 || now - n->beat_us >= beat_interval(n)))
		send_beat(n, now);
}

/* ---- loss ---- */

static void
each_limit(struct lease_node *n, void (*rate)(struct leased *l, int64_t now),
    void (*count)(struct leased *l, int64_t now), int64_t now)
{
	LIST_FOREACH_SAFE(it, &n->limits) {
		struct leased *l = LIST_ENTRY(it, struct leased, link);

		(l->is_count ? count : rate)(l, now);
	}
}

static void
tell_nodes(struct lease_node *n)
{
	if (n->o.on_nodes != NULL)
		n->o.on_nodes(n->o.arg);
}

static void
beat_lost(struct lease_node *n, struct slice why, int64_t now)
{
	struct log_quoted q;

	if (n->lost)
		return;
	n->lost = true;
	n->lost_us = now;
	log_warn("the quota store does not answer", "why=%s",
	    log_quote(why, &q));
	if (n->o.on_loss != LEASE_SHARE) {
		each_limit(n, rate_fleet_lost, count_fleet_lost, now);
		tell_nodes(n);
	}
	/* Whether they are lost as well is seen at once. */
	LIST_FOREACH(it, &n->limits) {
		struct leased *l = LIST_ENTRY(it, struct leased, link);

		if (l->asks && l->call == NULL)
			leased_due(l, now);
	}
}

void
lease_set_on_loss(struct lease_node *n, enum lease_on_loss to)
{
	int64_t now = clock_now_us();

	if (n->o.on_loss == to)
		return;
	each_limit(n, rate_loss_ends, count_loss_ends, now);
	n->o.on_loss = to;
	each_limit(n, rate_loss_begins, count_loss_begins, now);
	if (n->lost && to != LEASE_SHARE)
		each_limit(n, rate_fleet_lost, count_fleet_lost, now);
	if (n->lost)
		tell_nodes(n);
}

void
beat_deadline(struct lease_node *n, int64_t now)
{
	struct call *c = n->beat;

	if (c == NULL || c->late ||
	    now - c->sent_us < (int64_t)n->o.deadline_ms * MS)
		return;
	c->late = true;
	n->seen.late++;
	beat_lost(n, SLICE_LIT("no answer in time"), now);
}

static void
beat_back(struct lease_node *n, int64_t now)
{
	if (!n->lost)
		return;
	n->lost = false;
	log_info("the quota store answers again", "after_ms=%lld",
	    (long long)((now - n->lost_us) / MS));
	n->lost_us = now;
	each_limit(n, rate_nodes, count_nodes, now);
	if (n->o.on_loss != LEASE_SHARE)
		tell_nodes(n);
	LIST_FOREACH(it, &n->limits) {
		struct leased *l = LIST_ENTRY(it, struct leased, link);

		if (l->mode == LEASE_LOST && l->asks && l->call == NULL)
			leased_due(l, now);
	}
}

/* ---- what is answered ---- */

/* All that is known of presses is of another list. What asks is said anew. */
static void
forget_known(struct lease_node *n)
{
	struct htab *was = n->known;

	pthread_mutex_lock(&n->known_lock);
	n->known = htab_new();
	pthread_mutex_unlock(&n->known_lock);
	htab_free(was, NULL);
	LIST_FOREACH(it, &n->limits) {
		struct leased *l = LIST_ENTRY(it, struct leased, link);

		l->version = 0;
		if (l->asks && !l->never_free)
			n->say = true;
	}
}

static void
pressed(struct lease_node *n, struct slice id, int64_t version, int64_t now)
{
	struct leased *l = htab_get(n->limits_by_id, id);
	const uint8_t *slash = memchr(id.data, '/', id.len);
	uint32_t group = (uint32_t)(slash - id.data);

	if (htab_count(n->known) >= LEASE_KNOWN_MAX &&
	    known_version(n, id) == 0)
		return;
	pthread_mutex_lock(&n->known_lock);
	htab_set(n->known, id, (void *)(intptr_t)version);
	pthread_mutex_unlock(&n->known_lock);
	if (l == NULL) {
		/* lease_add looks at what is known. */
		if (n->o.on_pressed != NULL)
			n->o.on_pressed(n->o.arg,
			    (struct slice){ id.data, group },
			    (struct slice){ slash + 1, id.len - group - 1 });
		return;
	}
	l->version = version;
	if (!l->asks && l->is_count)
		count_join(l, now);
	else if (!l->asks)
		rate_join(l, now);
}

static void
released(struct lease_node *n, struct slice id, int64_t now)
{
	struct leased *l = htab_get(n->limits_by_id, id);

	pthread_mutex_lock(&n->known_lock);
	htab_take(n->known, id);
	pthread_mutex_unlock(&n->known_lock);
	if (l == NULL || !l->asks)
		return;
	leased_incomplete(l);
	if (now - l->need_us < NEED_US)
		n->say = true;		/* it was needed meanwhile */
	else if (l->is_count)
		count_leave(l, now);
	else
		rate_leave(l, now);
}

static bool
take_changes(struct lease_node *n, struct slice rest, int64_t now)
{
	struct slice line, id;
	int64_t version;

	while (answer_line(&rest, &line)) {
		bool more = line.len > 0 && line.data[0] == '+';

		if (!more && (line.len == 0 || line.data[0] != '-'))
			return false;
		id = (struct slice){ line.data + 1, line.len - 1 };
		if (!answer_int(&id, &version) || version <= 0 || id.len < 2)
			return false;
		id = (struct slice){ id.data + 1, id.len - 1 };
		if (!leased_id_ok(id))
			return false;
		if (more)
			pressed(n, id, version, now);
		else
			released(n, id, now);
	}
	return true;
}

static void
take_nodes(struct lease_node *n, int64_t nodes, int64_t now)
{
	uint32_t were = n->nodes, were_most = n->nodes_most;
	bool might = n->may_count;

	if (nodes < 1)
		nodes = 1;
	if (nodes > LEASE_NODES_MAX)
		nodes = LEASE_NODES_MAX;
	/* While they come back, none is missing. */
	if (n->settled || (uint32_t)nodes > n->nodes)
		n->nodes = (uint32_t)nodes;
	if (n->nodes >= n->nodes_most) {
		n->nodes_most = n->nodes;
		n->nodes_most_us = now;
	} else if (now - n->nodes_most_us > COUNTS_TTL_US) {
		n->nodes_most = n->nodes;
	}
	if (n->settled && n->least >= n->joined)
		n->may_count = true;
	if (n->started && n->nodes == were && n->nodes_most == were_most &&
	    n->may_count == might)
		return;
	n->started = true;
	each_limit(n, rate_nodes, count_nodes, now);
	tell_nodes(n);
}

static void
look_complete(struct leased *l, int64_t now)
{
	(void)now;
	leased_hold(l);
}

/* Others have made or deleted something. */
static void
take_news(struct lease_node *n, int64_t news, bool another_epoch)
{
	bool told = !another_epoch && n->news_known + n->news_sent == news;

	n->news_known = news;
	n->news_sent = false;
	n->seen.news += !told;
	if (!told && n->o.on_news != NULL)
		n->o.on_news(n->o.arg);
}

/* epoch age_ms resumed_ms virgin version upto nodes least whole news */
static bool
take_answer(struct lease_node *n, struct slice answer, int64_t now)
{
	int64_t v[BEAT_NUMBERS];
	struct slice line;
	char epoch[sizeof(n->epoch)];
	bool another_epoch;

	if (!answer_line(&answer, &line))
		return false;
	for (int i = 0; i < BEAT_NUMBERS; i++)
		if (!answer_int(&line, &v[i]) || v[i] < 0)
			return false;
	snprintf(epoch, sizeof(epoch), "%lld", (long long)v[0]);
	another_epoch = strcmp(epoch, n->epoch) != 0;
	if (another_epoch) {
		if (n->started)
			log_warn("the quota store has forgotten what it knew",
			    "epoch=%s", epoch);
		snprintf(n->epoch, sizeof(n->epoch), "%s", epoch);
		v[8] = 1;
	}
	n->epoch_us = now - (v[1] < AGE_MAX_MS ? v[1] : AGE_MAX_MS) * MS;
	n->settled = v[2] >= SETTLE_MS;
	n->virgin = v[3] == 1;
	n->version = v[4];
	n->upto = v[5];
	n->least = v[7];
	if (v[8] != 0) {
		forget_known(n);
		if (!n->started)
			n->joined = n->version;
		/* The store takes it for told. */
		n->told = n->upto;
	}
	take_nodes(n, v[6], now);
	take_news(n, v[9], another_epoch);
	if (!take_changes(n, answer, now))
		return false;
	if (n->incomplete > 0)
		each_limit(n, look_complete, look_complete, now);
	return true;
}

static void
beat_done(void *arg, bool lost, struct slice answer)
{
	struct call *c = arg;
	struct lease_node *n = c->node;
	int64_t now = clock_now_us();
	bool late = c->late;

	free(c);
	if (n == NULL)
		return;
	n->beat = NULL;
	n->news |= n->news_sent && lost;
	if (lost) {
		n->seen.losses += !late;
		beat_lost(n, answer, now);
		return;
	}
	if (!take_answer(n, answer, now)) {
		n->seen.bad++;
		/* All of it, next time. */
		snprintf(n->epoch, sizeof(n->epoch), "0");
		beat_lost(n, SLICE_LIT("it makes no sense"), now);
		return;
	}
	if (late) {
		beat_lost(n, SLICE_LIT("no answer in time"), now);
		return;
	}
	beat_back(n, now);
}
