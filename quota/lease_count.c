/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A count's life on a node, and its part of a call (lua/count.lua). A node has
 * room ahead of its need (allowed above used), so that the request path is
 * answered at once; it grows with need, and goes when others are short.
 */
#include "quota/lease_private.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"

enum {
	/* Between calls (a node's counts live for 5 s): usually, when a tenth
	 * is left, and when there is no room. */
	REFRESH_US = 1000 * 1000, NEARLY_US = 250 * 1000,
	SHORT_US = 100 * 1000,
	/* A limit below it is never free: parts of it are too small. */
	TIGHT = 64,
	ROOM_LEAST = 64, ROOM_MOST = 8,	/* of the limit's part of a node */
	NEED_PART = 400000,		/* of what is free, in millionths */
	NEED_ALL = 700000,		/* the same, of all nodes' */
};

struct lease_count {
	/* Thread: any. */
	_Atomic uint64_t	 state;		/* allowed << 32 | used */
	_Atomic uint32_t	 press_above;	/* of used */
	_Atomic bool		 refused;	/* since the last call */
	/* Thread: control. */
	struct leased		 l;
	uint32_t		 limit;
	uint32_t		 room;		/* kept ahead of need */
	uint32_t		 sent_used, sent_want;
	bool			 pressed;	/* since the last call */
	bool			 is_short;	/* somebody is */
	uint32_t		 own;
	int64_t			 others;	/* what they have */
};

static struct lease_count *
count_of(struct leased *l)
{
	return (struct lease_count *)(void *)((char *)l -
	    offsetof(struct lease_count, l));
}

static struct lease_node *
node_of(const struct lease_count *c)
{
	return c->l.group->node;
}

static uint32_t
used_of(uint64_t state)
{
	return (uint32_t)state;
}

static uint32_t
allowed_of(uint64_t state)
{
	return (uint32_t)(state >> 32);
}

static uint64_t
state_of(uint32_t used, uint32_t allowed)
{
	return (uint64_t)allowed << 32 | used;
}

/* What is used at that moment. */
static uint32_t
allow(struct lease_count *c, uint32_t allowed)
{
	uint64_t was = atomic_load(&c->state);

	while (!atomic_compare_exchange_weak(&c->state, &was,
	    state_of(used_of(was), allowed)))
		;
	return used_of(was);
}

static uint32_t
part_of(uint32_t whole, uint32_t millionths)
{
	return (uint32_t)((uint64_t)whole * millionths / MILLION);
}

/* ---- the request path ---- */

bool
lease_count_take(struct lease_count *c, uint32_t k)
{
	uint64_t was = atomic_load(&c->state);

	do {
		uint32_t used = used_of(was), allowed = allowed_of(was);

		if (used > allowed || k > allowed - used) {
			atomic_store(&c->refused, true);
			leased_press(&c->l);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&c->state, &was, was + k));
	if (used_of(was) + k > atomic_load(&c->press_above))
		leased_press(&c->l);
	return true;
}

void
lease_count_force(struct lease_count *c, uint32_t k)
{
	uint64_t was = atomic_load(&c->state);
	uint32_t used;

	do {
		used = used_of(was);
		used = k > LEASE_COUNT_MAX - used ? LEASE_COUNT_MAX : used + k;
	} while (!atomic_compare_exchange_weak(&c->state, &was,
	    state_of(used, allowed_of(was))));
	if (used > atomic_load(&c->press_above))
		leased_press(&c->l);
}

void
lease_count_put(struct lease_count *c, uint32_t k)
{
	uint64_t was = atomic_fetch_sub(&c->state, k);

	assert(used_of(was) >= k);
}

uint32_t
lease_count_used(const struct lease_count *c)
{
	struct lease_count *any = (struct lease_count *)(uintptr_t)c;

	return used_of(atomic_load(&any->state));
}

/* ---- modes ---- */

/* What a node may have without asking. Until all know of this one, it has its
 * part of what is nobody's. */
static uint32_t
free_count(const struct lease_count *c)
{
	const struct lease_node *n = node_of(c);

	int64_t all = free_parts(n->nodes_most);

	return part_of(c->limit, (uint32_t)(n->may_count ? all :
	    MILLION - all)) / n->nodes_most;
}

static uint32_t
lost_count(const struct lease_count *c)
{
	const struct lease_node *n = node_of(c);
	int64_t rest = (int64_t)c->limit - c->own - c->others;

	switch (n->o.on_loss) {
	case LEASE_OPEN:
		return LEASE_COUNT_MAX;
	case LEASE_CLOSED:
		return 0;
	case LEASE_SHARE:
		break;
	}
	if (!n->started)
		return c->limit / (2 * n->nodes_most) + 1;
	if (!c->l.asks)
		return free_count(c);
	/* What nobody had, in equal parts. */
	return c->own + (rest > 0 ? (uint32_t)rest / n->nodes_most : 0);
}

static void
set_mode(struct lease_count *c, enum lease_mode mode)
{
	uint32_t allowed = c->limit, above = UINT32_MAX;

	c->l.mode = mode;
	if (mode == LEASE_FREE) {
		allowed = free_count(c);
		above = allowed / 2;
	} else if (mode == LEASE_ASKING) {
		allowed = c->own;
		above = allowed > c->room / 2 ? allowed - (c->room + 1) / 2 : 0;
	} else if (mode == LEASE_LOST) {
		allowed = lost_count(c);
	}
	atomic_store(&c->press_above, above);
	/* What is asked for is pressed by those who take. */
	if (allow(c, allowed) > above && mode == LEASE_FREE)
		leased_press(&c->l);
}

static uint32_t
room_least(const struct lease_count *c)
{
	uint32_t room = c->limit / ROOM_LEAST / node_of(c)->nodes_most;

	return room > 0 ? room : 1;
}

static void
begin_asking(struct lease_count *c, int64_t now)
{
	c->room = room_least(c);
	/* It has its free part until the first answer; they have theirs. */
	c->own = c->l.mode == LEASE_FREE ? allowed_of(atomic_load(&c->state)) :
	    lease_count_used(c);
	c->others = c->limit - free_count(c);
	c->is_short = false;
	c->l.called_us = c->l.told_us = 0;
	c->l.said_us = 0;
	leased_ask(&c->l, true);
	leased_due(&c->l, now);
	set_mode(c, LEASE_ASKING);
}

void
count_join(struct leased *l, int64_t now)
{
	struct lease_count *c = count_of(l);

	begin_asking(c, now);
}

/* Unless it would ask again at once: then it says that it needs to. */
void
count_leave(struct leased *l, int64_t now)
{
	struct lease_count *c = count_of(l);

	if (lease_count_used(c) > free_count(c) / 2) {
		l->need_us = now;
		node_of(c)->say = true;
		return;
	}
	leased_ask(l, false);
	set_mode(c, LEASE_FREE);
}

void
count_pressed(struct leased *l, int64_t now)
{
	struct lease_count *c = count_of(l);
	struct lease_node *n = node_of(c);
	int64_t soonest = l->called_us + (c->is_short ? SHORT_US : BATCH_US);

	c->pressed = true;
	if (l->mode == LEASE_FREE && !n->lost) {
		l->need_us = now;
		count_join(l, now);
		n->say = true;
	} else if (l->mode == LEASE_ASKING && l->call == NULL &&
	    l->due_us > soonest) {
		leased_due(l, soonest);
	}
}

void
count_lost(struct leased *l, int64_t now)
{
	(void)now;
	if (l->mode == LEASE_ASKING)
		set_mode(count_of(l), LEASE_LOST);
}

void
count_fleet_lost(struct leased *l, int64_t now)
{
	(void)now;
	if (l->mode == LEASE_FREE)
		set_mode(count_of(l), LEASE_LOST);
}

void
count_loss_ends(struct leased *l, int64_t now)
{
	(void)l, (void)now;
}

void
count_loss_begins(struct leased *l, int64_t now)
{
	(void)now;
	if (l->mode == LEASE_LOST)
		set_mode(count_of(l), LEASE_LOST);
}

void
count_nodes(struct leased *l, int64_t now)
{
	struct lease_count *c = count_of(l);

	if (l->mode == LEASE_FREE) {
		set_mode(c, LEASE_FREE);
	} else if (l->mode == LEASE_LOST && !l->asks) {
		if (l->never_free || l->version != 0)
			count_join(l, now);
		else
			set_mode(c, LEASE_FREE);
	}
}

/* ---- a call ---- */

/* What nobody has. */
static uint32_t
rest_of(const struct lease_count *c, uint32_t own)
{
	int64_t rest = (int64_t)c->limit - own - c->others;

	return rest > 0 ? (uint32_t)rest : 0;
}

static void
fit_room(struct lease_count *c, uint32_t used)
{
	uint32_t nodes = node_of(c)->nodes_most;
	uint32_t most = c->limit / ROOM_MOST / nodes;
	uint32_t rest = rest_of(c, used);

	c->room = c->pressed ? c->room * 2 : c->room / 2;
	if (c->room > most)
		c->room = most;
	if (c->room < room_least(c))
		c->room = room_least(c);
	/* The less there is, the less lies about; and what nobody needs here
	 * is for those who are short. */
	rest = c->pressed ? rest / 2 + 1 : rest / 2 / nodes;
	if (!c->pressed && c->is_short)
		rest = 0;
	if (c->room > rest)
		c->room = rest;
	c->pressed = false;
}

static int64_t
next_call(const struct lease_count *c)
{
	if (c->pressed)		/* while the call was under way */
		return c->is_short ? SHORT_US : BATCH_US;
	/* There is more again than it dared to want. */
	if (c->room == 0 && !c->is_short && rest_of(c, c->own) >
	    2 * node_of(c)->nodes_most)
		return SHORT_US;
	return rest_of(c, c->own) < c->limit / 10 ? NEARLY_US : REFRESH_US;
}

static void
note_need(struct lease_count *c, int64_t now)
{
	uint32_t free_all = part_of(c->limit,
	    (uint32_t)free_parts(node_of(c)->nodes_most));

	if (lease_count_used(c) > part_of(free_count(c), NEED_PART) ||
	    (c->own > 0 && (int64_t)c->own + c->others >
	    part_of(free_all, NEED_ALL)))
		c->l.need_us = now;
}

/* In the order of lua/count.lua. */
void
count_compose(struct leased *l, int64_t now, struct slice *args)
{
	struct lease_count *c = count_of(l);
	struct lease_node *n = node_of(c);
	uint64_t state = atomic_load(&c->state);
	uint32_t used = used_of(state), allowed = allowed_of(state);
	uint32_t need = atomic_exchange(&c->refused, false);
	uint32_t room, want;

	note_need(c, now);
	fit_room(c, used);
	room = c->room;
	want = used + room;
	if (l->mode == LEASE_ASKING) {
		/* A little more than that it keeps. */
		if (allowed > want && allowed - want <= room)
			want = allowed;
		if (allowed > want) {
			used = allow(c, want);
			want = used > want ? used : want;
		}
	}
	c->sent_used = used;
	c->sent_want = want;
	args[0] = node_arg(n, c->limit);
	args[1] = node_arg(n, part_of(c->limit, (uint32_t)leased_hold(l)));
	need = used + need < want ? used + need : want;
	args[2] = node_arg(n, used);
	args[3] = node_arg(n, need);
	args[4] = node_arg(n, want);
}

/* own others nodes short */
bool
count_answer(struct leased *l, struct slice *line, bool late, int64_t now)
{
	struct lease_count *c = count_of(l);
	int64_t own, others, nodes, is_short;

	if (!answer_int(line, &own) || !answer_int(line, &others) ||
	    !answer_int(line, &nodes) || !answer_int(line, &is_short) ||
	    line->len != 0)
		return false;
	if (late || !l->asks) {
		leased_due(l, now + LOST_RETRY_US);
		return true;
	}
	if (own < c->sent_used)
		own = c->sent_used;
	if (own > c->sent_want)
		own = c->sent_want;
	if (own > c->limit && own > c->sent_used)
		own = c->limit > c->sent_used ? c->limit : c->sent_used;
	c->own = (uint32_t)own;
	c->others = others < 0 ? 0 : others < LEASE_COUNT_MAX ? others :
	    LEASE_COUNT_MAX;
	c->is_short = is_short != 0;
	l->told_us = now;
	leased_due(l, now + next_call(c));
	set_mode(c, LEASE_ASKING);
	return true;
}

/* ---- what others call ---- */

static void
set_limit(struct lease_count *c, int64_t limit)
{
	assert(limit >= 0);
	c->limit = limit < LEASE_COUNT_MAX ? (uint32_t)limit : LEASE_COUNT_MAX;
	c->l.never_free = c->limit < TIGHT;
}

struct lease_count *
lease_count_new(struct lease_node *n, struct slice group, struct slice name,
    int64_t limit)
{
	struct lease_count *c = mem_zalloc(sizeof(*c));
	int64_t now = clock_now_us();

	c->l.is_count = true;
	leased_init(&c->l, n, group, name, "c");
	set_limit(c, limit);
	c->l.version = known_version(n, slice_of(c->l.id));
	if (n->o.store == NULL)
		set_mode(c, LEASE_OWN);
	else if (!n->started || (n->lost && n->o.on_loss != LEASE_SHARE))
		set_mode(c, LEASE_LOST);
	else if (c->l.version != 0 || c->l.never_free)
		begin_asking(c, now);
	else
		set_mode(c, LEASE_FREE);
	return c;
}

void
lease_count_set(struct lease_count *c, int64_t limit)
{
	bool was = c->l.never_free;
	int64_t now = clock_now_us();

	set_limit(c, limit);
	if (c->l.mode == LEASE_ASKING && was && !c->l.never_free) {
		leased_ask(&c->l, false);
		begin_asking(c, now);
	} else if (c->l.mode == LEASE_FREE && c->l.never_free) {
		begin_asking(c, now);
	} else {
		set_mode(c, c->l.mode);
		if (c->l.asks && c->l.call == NULL)
			leased_due(&c->l, now);
	}
}

void
count_free(struct leased *l)
{
	leased_fini(l);
	free(count_of(l));
}

void
lease_count_free(struct lease_count *c)
{
	if (c != NULL)
		count_free(&c->l);
}

void
lease_count_view(const struct lease_count *c, struct lease_view *to)
{
	struct lease_count *any = (struct lease_count *)(uintptr_t)c;
	uint64_t state = atomic_load(&any->state);

	*to = (struct lease_view){
		.mode = c->l.mode, .pressed = c->l.asks,
		.answered_us = c->l.answered_us, .losses = c->l.losses,
		.used = used_of(state), .allowed = allowed_of(state),
		.told = leased_told(&c->l), .others = c->others,
	};
}
