/* SPDX-License-Identifier: Apache-2.0 */
/* A node: its limits' calls to the store, in batches. */
#include "quota/lease_private.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

/* ---- life ---- */

struct lease_node *
lease_node_new(const struct lease_options *o)
{
	struct lease_node *n = mem_zalloc(sizeof(*n));

	n->o = *o;
	if (n->o.beat_ms == 0)
		n->o.beat_ms = LEASE_BEAT_MS;
	if (n->o.deadline_ms == 0)
		n->o.deadline_ms = LEASE_DEADLINE_MS;
	if (n->o.expected_nodes == 0)
		n->o.expected_nodes = 1;
	lease_id(slice_of(o->node_id), true, n->id);
	snprintf(n->prefix, sizeof(n->prefix), "%s",
	    o->prefix != NULL ? o->prefix : "weir:");
	snprintf(n->epoch, sizeof(n->epoch), "0");
	n->began_us = clock_now_us();
	n->nodes = n->nodes_most = n->o.expected_nodes;
	n->groups = htab_new();
	n->limits_by_id = htab_new();
	n->known = htab_new();
	pthread_mutex_init(&n->known_lock, NULL);
	list_init(&n->limits);
	list_init(&n->groups_asking);
	list_init(&n->calls);
	list_init(&n->late);
	n->batch = mem_alloc(BATCH_CALLS * sizeof(*n->batch));
	return n;
}

static void
forget_calls(struct list *calls)
{
	LIST_FOREACH_SAFE(it, calls) {
		struct call *c = LIST_ENTRY(it, struct call, link);

		c->node = NULL;
		list_remove(&c->link);
	}
}

void
lease_node_free(struct lease_node *n)
{
	if (n == NULL)
		return;
	LIST_FOREACH_SAFE(it, &n->limits) {
		struct leased *l = LIST_ENTRY(it, struct leased, link);

		if (l->is_count)
			count_free(l);
		else
			rate_free(l);
	}
	forget_calls(&n->calls);
	forget_calls(&n->late);
	if (n->beat != NULL)
		n->beat->node = NULL;
	htab_free(n->known, NULL);
	pthread_mutex_destroy(&n->known_lock);
	htab_free(n->limits_by_id, NULL);
	htab_free(n->groups, NULL);
	free(n->batch);
	free(n);
}

/* ---- answers ---- */

bool
answer_int(struct slice *rest, int64_t *to)
{
	bool minus = false;
	int64_t v = 0;
	uint32_t i = 0, first;

	while (i < rest->len && rest->data[i] == ' ')
		i++;
	if (i < rest->len && rest->data[i] == '-') {
		minus = true;
		i++;
	}
	for (first = i; i < rest->len && isdigit(rest->data[i]); i++) {
		if (v > (INT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (rest->data[i] - '0');
	}
	if (i == first || (i < rest->len && rest->data[i] != ' '))
		return false;
	*to = minus ? -v : v;
	*rest = (struct slice){ rest->data + i, rest->len - i };
	return true;
}

bool
answer_line(struct slice *rest, struct slice *line)
{
	const uint8_t *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->data, '\n', rest->len);
	*line = *rest;
	if (end == NULL) {
		rest->len = 0;
		return true;
	}
	line->len = (uint32_t)(end - rest->data);
	*rest = (struct slice){ end + 1, rest->len - line->len - 1 };
	return true;
}

static void
leased_lost(struct leased *l, int64_t sent_us, int64_t now)
{
	struct lease_node *n = l->group->node;

	l->losses++;
	if (l->is_count)
		count_lost(l, now);
	else
		rate_lost(l, sent_us, now);
	leased_due(l, now + (n->lost ? LOST_SELDOM_US : LOST_RETRY_US));
}

static void
leased_answered(struct leased *l, struct slice line, const struct call *c,
    int64_t now)
{
	bool ok = l->is_count ? count_answer(l, &line, c->late, now) :
	    rate_answer(l, &line, c->late, now);

	if (ok) {
		l->answered_us = now;
		return;
	}
	l->group->node->seen.bad++;
	leased_lost(l, c->sent_us, now);
}

static void
call_done(void *arg, bool lost, struct slice answer)
{
	struct call *c = arg;
	struct lease_node *n = c->node;
	int64_t now = clock_now_us();
	struct slice line;

	if (n == NULL) {
		free(c);
		return;
	}
	list_remove(&c->link);
	if (lost && !c->late)
		n->seen.losses++;
	for (uint32_t i = 0; i < c->n; i++) {
		struct leased *l = c->limits[i];

		if (!lost && !answer_line(&answer, &line))
			line.len = 0;
		if (l == NULL)
			continue;
		l->call = NULL;
		if (lost)
			leased_lost(l, c->sent_us, now);
		else
			leased_answered(l, line, c, now);
	}
	free(c);
}

/* Whose answer is late lives without it; what it brings is for later. */
static void
pass_deadlines(struct lease_node *n, int64_t now)
{
	LIST_FOREACH_SAFE(it, &n->calls) {
		struct call *c = LIST_ENTRY(it, struct call, link);

		if (now - c->sent_us < (int64_t)n->o.deadline_ms * MS)
			break;
		c->late = true;
		n->seen.late++;
		list_remove(&c->link);
		list_append(&n->late, &c->link);
		for (uint32_t i = 0; i < c->n; i++)
			if (c->limits[i] != NULL)
				leased_lost(c->limits[i], c->sent_us, now);
	}
}

/* ---- calls ---- */

struct store_call *
node_call(struct lease_node *n)
{
	assert(n->batch_n < BATCH_CALLS);
	n->seen.calls++;
	return &n->batch[n->batch_n++];
}

struct slice
node_arg(struct lease_node *n, int64_t v)
{
	return arena_printf(&n->memory, "%lld", (long long)v);
}

static void
fill_call(struct lease_node *n, struct call *c, int64_t now)
{
	uint32_t each = c->is_count ? COUNT_ARGS : RATE_ARGS;
	uint32_t before = c->is_count ? 1 : 0;
	struct slice *keys = ARENA_ARRAY(&n->memory, struct slice, c->n);
	struct slice *args = ARENA_ARRAY(&n->memory, struct slice,
	    before + c->n * each);
	struct store_call *s = node_call(n);

	if (c->is_count)
		args[0] = slice_of(n->id);
	for (uint32_t i = 0; i < c->n; i++) {
		struct leased *l = c->limits[i];

		keys[i] = slice_of(l->key);
		if (l->is_count)
			count_compose(l, now, args + before + i * each);
		else
			rate_compose(l, now, args + before + i * each);
		l->call = c;
		l->called_us = now;
	}
	c->sent_us = now;
	list_append(&n->calls, &c->link);
	*s = (struct store_call){
		.script = c->is_count ? &store_count : &store_take,
		.keys = keys, .key_count = c->n,
		.args = args, .arg_count = before + c->n * each,
		.done = call_done, .arg = c,
	};
}

/* One call for those of a group that are due, or nearly so. NULL: none is. */
static struct call *
gather(struct lease_group *g, bool is_count, int64_t now)
{
	struct call *c = NULL;

	LIST_FOREACH(it, &g->asking) {
		struct leased *l = LIST_ENTRY(it, struct leased, asking);

		if (l->is_count != is_count || l->call != NULL ||
		    l->due_us > now + BATCH_US / 2)
			continue;
		if (c == NULL) {
			c = mem_zalloc(sizeof(*c));
			c->node = g->node;
			c->is_count = is_count;
			list_init(&c->link);
		}
		/* What has its call is not due again before the answer. */
		l->due_us = INT64_MAX;
		c->limits[c->n++] = l;
		if (c->n == CALL_LIMITS)
			break;
	}
	return c;
}

static void
group_calls(struct lease_node *n, struct lease_group *g, int64_t now)
{
	struct call *c;

	for (int kind = 0; kind < 2; kind++)
		while (n->batch_n < BATCH_CALLS &&
		    (c = gather(g, kind == 1, now)) != NULL)
			fill_call(n, c, now);
	g->due_us = INT64_MAX;
	LIST_FOREACH(it, &g->asking) {
		struct leased *l = LIST_ENTRY(it, struct leased, asking);

		if (l->call == NULL && l->due_us < g->due_us)
			g->due_us = l->due_us;
	}
}

static void
gather_calls(struct lease_node *n, int64_t now)
{
	/* Whoever finds no room is the first next time. */
	LIST_FOREACH_SAFE(it, &n->groups_asking) {
		struct lease_group *g = LIST_ENTRY(it, struct lease_group,
		    link);

		if (n->batch_n == BATCH_CALLS) {
			list_remove(&n->groups_asking);
			list_append(&g->link, &n->groups_asking);
			return;
		}
		if (g->due_us <= now)
			group_calls(n, g, now);
	}
}

void
lease_tick(struct lease_node *n, int64_t now)
{
	node_pop_presses(n, now);
	if (n->o.store == NULL)
		return;
	pass_deadlines(n, now);
	beat_deadline(n, now);
	if (now - n->batch_us < BATCH_US)
		return;
	arena_init(&n->memory, 0);
	n->batch_n = 0;
	beat_tick(n, now);
	gather_calls(n, now);
	if (n->batch_n > 0) {
		n->batch_us = now;
		n->seen.batches++;
		n->o.store->submit(n->o.store, n->batch, n->batch_n);
	}
	arena_fini(&n->memory);
}

void
lease_leave(struct lease_node *n)
{
	n->leaving = true;
}

void
lease_news(struct lease_node *n)
{
	n->news = true;
}

/* ---- to be shown ---- */

void
lease_node_view(const struct lease_node *n, struct lease_node_view *to)
{
	*to = n->seen;
	to->started = n->started;
	to->lost = n->lost;
	to->on_loss = n->o.on_loss;
	to->since_us = n->lost_us;
	to->nodes = n->nodes;
	to->known = (uint32_t)htab_count(n->known);
}

const char *
lease_mode_word(enum lease_mode m)
{
	static const char *const words[] = { "own", "free", "asking", "lost" };

	return words[m];
}

bool
lease_pressed(struct lease_node *n, struct slice group, struct slice name)
{
	char id[2 * LEASE_ID_MAX + 2];
	bool pressed;

	leased_join_id(group, name, id);
	pthread_mutex_lock(&n->known_lock);
	pressed = known_version(n, slice_of(id)) != 0;
	pthread_mutex_unlock(&n->known_lock);
	return pressed;
}
