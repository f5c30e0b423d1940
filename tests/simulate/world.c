/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulate/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "tests/simulate/lua_redis.h"

/* A call on its way to the store or back. */
struct flight {
	int64_t		 at_us;
	uint64_t	 sequence;
	bool		 back, lost;
	int		 node, born;
	const struct store_script *script;
	struct slice	*words;		/* keys, then arguments */
	uint32_t	 key_count, arg_count;
	store_done_cb	 done;
	void		*arg;
	char		*answer;
	int64_t		 sent_us;
	struct flight	*next;		/* paused */
};

static struct world *current;

static int64_t
world_now(void)
{
	return current->now_us;
}

uint64_t
world_draw(struct world *w, uint64_t n)
{
	w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (w->seed >> 33) % n;
}

/* ---- flights ---- */

static bool
before(const struct flight *a, const struct flight *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us :
	    a->sequence < b->sequence;
}

static void
launch(struct world *w, struct flight *f, int64_t at_us)
{
	uint32_t i = w->flights++;

	f->at_us = at_us;
	f->sequence = w->sequence++;
	if (w->flights > w->room) {
		w->room = w->room * 2 + 64;
		w->heap = mem_realloc(w->heap, w->room * sizeof(*w->heap));
	}
	for (; i > 0 && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = f;
}

static struct flight *
land(struct world *w)
{
	struct flight *first = w->heap[0], *f = w->heap[--w->flights];
	uint32_t i = 0, c;

	for (; (c = 2 * i + 1) < w->flights; i = c) {
		if (c + 1 < w->flights && before(w->heap[c + 1], w->heap[c]))
			c++;
		if (before(f, w->heap[c]))
			break;
		w->heap[i] = w->heap[c];
	}
	if (w->flights > 0)
		w->heap[i] = f;
	return first;
}

static void
free_flight(struct flight *f)
{
	free(f->words);
	free(f->answer);
	free(f);
}

static int64_t
one_way(struct world *w)
{
	int64_t us = w->o.round_trip_us / 2;

	return us / 2 + (int64_t)world_draw(w, (uint64_t)us + 1);
}

/* All words in one allocation. */
static void
copy_words(struct flight *f, const struct store_call *c)
{
	uint32_t n = c->key_count + c->arg_count;
	size_t size = n * sizeof(struct slice);
	uint8_t *to;

	for (uint32_t i = 0; i < n; i++)
		size += (i < c->key_count ? c->keys[i] :
		    c->args[i - c->key_count]).len;
	f->words = mem_alloc(size);
	to = (uint8_t *)(f->words + n);
	for (uint32_t i = 0; i < n; i++) {
		struct slice s = i < c->key_count ? c->keys[i] :
		    c->args[i - c->key_count];

		memcpy(to, s.data, s.len);
		f->words[i] = (struct slice){ to, s.len };
		to += s.len;
	}
	f->key_count = c->key_count;
	f->arg_count = c->arg_count;
}

static void
submit(struct store *s, const struct store_call *calls, uint32_t n)
{
	struct world_node *node = (struct world_node *)(void *)((char *)s -
	    offsetof(struct world_node, store));
	struct world *w = node->world;
	int64_t arrives = w->now_us + one_way(w);

	assert(n > 0);
	w->round_trips++;
	for (uint32_t i = 0; i < n; i++) {
		struct flight *f = mem_zalloc(sizeof(*f));

		assert(calls[i].key_count <= STORE_KEYS_MAX &&
		    calls[i].arg_count <= STORE_ARGS_MAX);
		w->calls++;
		f->node = (int)(node - w->nodes);
		f->born = node->born;
		f->script = calls[i].script;
		f->done = calls[i].done;
		f->arg = calls[i].arg;
		f->sent_us = w->now_us;
		copy_words(f, &calls[i]);
		f->lost = node->cut;
		launch(w, f, f->lost ? w->now_us + STORE_GIVE_UP_MS * 1000LL :
		    arrives);
		f->back = f->lost;
	}
}

/* Anything that a store with a grudge could think of. */
static char *
poison(struct world *w)
{
	static const char *const words[] = { "nan", "inf", "-1", "0",
	    "9223372036854775807", "-9223372036854775808", "1e308", "1", "",
	    "99999999999999999999999", "\n", "+1 x/y", "-3 a/b", "+5 //",
	    "1000000000000000000", "7 7 7 7 7 7" };
	char text[512] = "";
	size_t len = 0;

	for (uint64_t i = world_draw(w, 14); i > 0; i--)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    words[world_draw(w, sizeof(words) / sizeof(words[0]))],
		    world_draw(w, 8) == 0 ? "\n" : " ");
	return mem_strdup(text);
}

static void
execute(struct world *w, struct flight *f)
{
	struct slice answer;

	f->lost = !lua_redis_run(w->redis, f->script, f->words, f->key_count,
	    f->words + f->key_count, f->arg_count,
	    f->at_us + w->skew_us, &answer);
	if (f->lost) {
		fprintf(stderr, "%s: %.*s\n", f->script->name,
		    SLICE_FMT(answer));
		abort();
	}
	f->answer = w->poisoned ? poison(w) :
	    mem_strndup(answer.data, answer.len);
}

static void
arrive(struct world *w, struct flight *f)
{
	bool cut = w->nodes[f->node].cut && w->nodes[f->node].born == f->born;
	int64_t give_up = f->sent_us + STORE_GIVE_UP_MS * 1000LL;

	if (w->state == STORE_PAUSED) {
		*w->waiting_end = f;
		w->waiting_end = &f->next;
		return;
	}
	f->back = true;
	if (w->state == STORE_UP && !cut) {
		execute(w, f);
		if (f->at_us + w->slow_us < give_up) {
			launch(w, f, f->at_us + w->slow_us + one_way(w));
			return;
		}
	}
	f->lost = true;
	launch(w, f, w->state == STORE_REFUSES && !cut ?
	    f->at_us + one_way(w) : give_up);
}

static void
come_back(struct world *w, struct flight *f)
{
	const struct world_node *n = &w->nodes[f->node];

	/* A node that is dead hears nothing, but what it waits with is freed
	 * by its answer. */
	if (n->cut && n->born == f->born && !f->lost) {
		f->lost = true;
		launch(w, f, f->sent_us + STORE_GIVE_UP_MS * 1000LL);
		return;
	}
	f->done(f->arg, f->lost, f->lost ? SLICE_LIT("gone") :
	    slice_of(f->answer));
	free_flight(f);
}

static void
fly(struct world *w, int64_t until_us)
{
	while (w->flights > 0 && w->heap[0]->at_us <= until_us) {
		struct flight *f = land(w);

		if (f->at_us > w->now_us)
			w->now_us = f->at_us;
		if (f->back)
			come_back(w, f);
		else
			arrive(w, f);
	}
	w->now_us = until_us;
}

void
world_store(struct world *w, enum store_state state)
{
	struct flight *f = w->waiting, *next;

	w->state = state;
	w->waiting = NULL;
	w->waiting_end = &w->waiting;
	for (; f != NULL; f = next) {
		next = f->next;
		f->next = NULL;
		/* It is done late, for whom nobody may wait any more. */
		launch(w, f, w->now_us + 1);
	}
	for (uint32_t i = 0; state == STORE_REFUSES && i < w->flights; i++)
		if (w->heap[i]->back)
			w->heap[i]->lost = true;
}

/* ---- nodes ---- */

void
world_start_node(struct world *w, int node)
{
	struct world_node *n = &w->nodes[node];
	struct lease_options o = {
		.node_id = n->name, .store = &n->store,
		.on_loss = w->o.on_loss, .on_pressed = w->o.on_pressed,
		.on_news = w->o.on_news,
		.arg = n, .full = w->now_us == w->begin_us,
	};

	assert(n->lease == NULL);
	n->world = w;
	n->store.submit = submit;
	n->born++;
	snprintf(n->name, sizeof(n->name), "n%d-%d", node, n->born);
	n->lease = lease_node_new(&o);
	for (uint32_t i = 0; i < w->source_count; i++) {
		struct world_source *s = w->sources[i];

		if (s->node != node)
			continue;
		s->bucket = (struct bucket){ 0 };
		s->lease = lease_add(n->lease, slice_of(s->limit->tenant),
		    slice_of(s->limit->name), &s->bucket, s->limit->value,
		    s->limit->seconds, s->limit->burst);
	}
}

void
world_kill_node(struct world *w, int node)
{
	struct world_node *n = &w->nodes[node];

	lease_node_free(n->lease);
	n->lease = NULL;
	for (uint32_t i = 0; i < w->source_count; i++)
		if (w->sources[i]->node == node)
			w->sources[i]->lease = NULL;
}

/* ---- clients ---- */

void
world_limit_init(struct world_limit *l, const struct world *w,
    const char *tenant, const char *name, int64_t value, int64_t seconds,
    int64_t burst)
{
	*l = (struct world_limit){ .value = value, .seconds = seconds,
	    .burst = burst, .bin_us = w->o.bin_us };
	snprintf(l->tenant, sizeof(l->tenant), "%s", tenant);
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->passed = mem_zalloc((size_t)(w->o.seconds * 1000000 / l->bin_us +
	    2) * sizeof(*l->passed));
}

void
world_limit_fini(struct world_limit *l)
{
	free(l->passed);
}

void
world_source(struct world *w, struct world_source *s, struct world_limit *l,
    int node, int64_t size)
{
	uint32_t n = w->source_count;

	*s = (struct world_source){ .limit = l, .node = node, .size = size };
	/* Clients have so much under way, and then wait. */
	s->patience = (double)l->value / (double)l->seconds / 20;
	if (s->patience < 4.0 * (double)size)
		s->patience = 4.0 * (double)size;
	if (n % 256 == 0)
		w->sources = mem_realloc(w->sources,
		    (n + 256) * sizeof(struct world_source *));
	w->sources[w->source_count++] = s;
	if (w->nodes[node].lease != NULL)
		s->lease = lease_add(w->nodes[node].lease,
		    slice_of(l->tenant), slice_of(l->name), &s->bucket,
		    l->value, l->seconds, l->burst);
}

static void
come(struct world *w, struct world_source *s, double seconds)
{
	struct world_limit *l = s->limit;
	size_t bin = (size_t)((w->now_us - w->begin_us) / l->bin_us);

	l->wanted += s->rate * seconds;
	s->backlog += s->rate * seconds;
	if (s->backlog > s->patience)
		s->backlog = s->patience;
	while (s->lease != NULL && s->backlog >= (double)s->size) {
		if (!bucket_take(&s->bucket, &s->lease->rate, s->size,
		    w->now_us)) {
			lease_notice(s->lease, -1);
			break;
		}
		lease_notice(s->lease, bucket_look(&s->bucket,
		    &s->lease->rate, w->now_us));
		s->backlog -= (double)s->size;
		s->passed += (double)s->size;
		l->total += (double)s->size;
		if ((int64_t)bin <= w->o.seconds * 1000000 / l->bin_us)
			l->passed[bin] += (double)s->size;
	}
}

/* ---- time ---- */

void
world_run(struct world *w, double seconds)
{
	int64_t end = w->now_us + (int64_t)(seconds * 1e6);
	double step = (double)w->o.step_us / 1e6;

	while (w->now_us < end) {
		int64_t next = w->now_us + w->o.step_us;
		int64_t was = w->now_us;

		fly(w, next);
		for (int i = 0; i < w->o.nodes; i++) {
			/* Each has its own phase. */
			int64_t phase = i * 1777LL % WORLD_TICK_US;

			if (w->nodes[i].lease != NULL &&
			    (next - phase) / WORLD_TICK_US !=
			    (was - phase) / WORLD_TICK_US)
				lease_tick(w->nodes[i].lease, next);
		}
		for (uint32_t i = 0; i < w->source_count; i++)
			if (w->sources[i]->rate > 0)
				come(w, w->sources[i], step);
	}
}

struct world *
world_new(const struct world_options *o)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->o = *o;
	if (w->o.step_us == 0)
		w->o.step_us = 1000;
	if (w->o.bin_us == 0)
		w->o.bin_us = 50000;
	if (w->o.round_trip_us == 0)
		w->o.round_trip_us = 1000;
	w->begin_us = w->now_us = 1000000000000;
	w->skew_us = 700000000000000;
	w->seed = o->seed + 1;
	w->waiting_end = &w->waiting;
	current = w;
	clock_replace(world_now);
	w->redis = lua_redis_new();
	w->nodes = mem_zalloc((size_t)o->nodes * sizeof(*w->nodes));
	for (int i = 0; i < o->nodes; i++)
		world_start_node(w, i);
	return w;
}

void
world_free(struct world *w)
{
	world_store(w, STORE_UP);
	for (int i = 0; i < w->o.nodes; i++)
		if (w->nodes[i].lease != NULL)
			world_kill_node(w, i);
	while (w->flights > 0) {
		struct flight *f = land(w);

		f->done(f->arg, true, SLICE_LIT("the end"));
		free_flight(f);
	}
	lua_redis_free(w->redis);
	free(w->heap);
	free(w->nodes);
	free(w->sources);
	free(w);
	clock_replace(NULL);
}

/* ---- what came of it ---- */

double
world_part(const struct world_limit *l, double from, double to)
{
	int64_t a = (int64_t)(from * 1e6 / (double)l->bin_us + 0.5);
	int64_t b = (int64_t)(to * 1e6 / (double)l->bin_us + 0.5);
	double sum = 0;

	for (int64_t i = a; i < b; i++)
		sum += l->passed[i];
	return sum / ((double)l->value / (double)l->seconds *
	    (double)((b - a) * l->bin_us) / 1e6);
}

struct range
world_range(const struct world_limit *l, double from, double to, double window)
{
	struct range r = { 1e9, 0 };
	double bin = (double)l->bin_us / 1e6;

	for (double t = from; t + window <= to + bin / 2; t += bin) {
		double part = world_part(l, t, t + window);

		if (part < r.least)
			r.least = part;
		if (part > r.most)
			r.most = part;
	}
	return r;
}
