/* SPDX-License-Identifier: Apache-2.0 */
/* A rate's life on a node, and its part of a call (lua/take.lua). */
#include "quota/lease_private.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"

enum {
	/* What a node has ahead of its need: the more the less is used. */
	HORIZON_US = 100 * 1000, HORIZON_MOST_US = 1200 * 1000,
	EXPIRE_US = 200 * 1000,		/* what is not spent goes back */
	FIRST_US = 25 * 1000,		/* time since no call */
	CALL_MOST_US = 500 * 1000,	/* the script's word is bounded */
	EARNED_MOST_US = 5000 * 1000,
	/* Smoothing: of demand, of its peaks, of what the script compares with
	 * all nodes' spending (SLOWNESS). */
	DEMAND_US = 100 * 1000, PEAK_US = 500 * 1000, SPENDING_US = 1000 * 1000,
	OTHERS_US = 2000 * 1000,
	/* A limit whose burst takes this long to fill is never free: each start
	 * of a node would bring a part of it. */
	SLOW_S = 10,
	/* Of the limit, in millionths: what all nodes get together, whatever
	 * their shares are, when the store is lost. */
	FLOOR_PART = 50000,
};
/* Of the free rate: who uses more needs to ask. */
#define NEED_PART 0.7
/* Below any credit that is ours to give, so that sums do not overflow. */
#define NO_LIMIT (INT64_MAX / 8)

enum from { FROM_FREE, FROM_ASKING, FROM_LOST, FROM_QUIET, FROM_COLD };

struct rate {
	struct lease		 pub;
	struct leased		 l;
	struct bucket		*bucket;
	int64_t			 per_s, most;	/* limit, burst: millionths */
	/* While it asks. */
	enum from		 from;
	int64_t			 expect;	/* balance, but for use */
	int64_t			 looked_us;
	double			 demand;	/* millionths a second */
	double			 spending;	/* the same, over longer */
	double			 spent;		/* since the last call */
	double			 peak;		/* millionths between calls */
	bool			 idle;		/* nothing was spent */
	int64_t			 want, asked, granted;	/* last call */
	int64_t			 granted_us;	/* last one that was not 0 */
	int64_t			 owed;		/* came late: goes back */
	int64_t			 left;		/* what there was for all */
	/* What one node alone could get of all of it by now: no store gives
	 * more. */
	int64_t			 credit;
	int64_t			 horizon_us;
	double			 share;		/* of what all spend */
	int64_t			 others;	/* what they spend a second */
	int64_t			 span;		/* it was counted in last */
	/* While it is lost. */
	int64_t			 earned_from_us;
	bool			 history;	/* share says something */
};

static struct rate *
rate_of(struct leased *l)
{
	return (struct rate *)(void *)((char *)l - offsetof(struct rate, l));
}

static struct lease_node *
node_of(const struct rate *r)
{
	return r->l.group->node;
}

static int64_t
part_of(int64_t whole, int64_t millionths)
{
	return (int64_t)((__int128)whole * millionths / MILLION);
}

/* ---- smoothing ---- */

/* What is left of spending after that time: exp, nearly, as in the script. */
static double
fades(int64_t us)
{
	double keep = 1;

	for (int i = 0; i < 8 && us > 0; i++)
		keep /= 1 + (double)us / SPENDING_US / 8;
	return keep;
}

/* A rate that follows what was spent in so many microseconds. */
static double
blend(double rate, double spent, int64_t us, int64_t slowness)
{
	return (rate * (double)slowness + spent * MILLION) /
	    (double)(slowness + us);
}

/* ---- modes ---- */

/* In millionths, when nobody can be asked. */
static int64_t
lost_part(const struct rate *r)
{
	const struct lease_node *n = node_of(r);

	if (!n->started)
		return MILLION / (2 * n->nodes);
	if (r->l.never_free)
		return MILLION / n->nodes;
	if (!r->history)
		return free_part(n->nodes);
	return (int64_t)((MILLION - FLOOR_PART) * r->share) +
	    FLOOR_PART / n->nodes;
}

static void
set(struct rate *r, int64_t rate, int64_t burst, int64_t below, int64_t pace)
{
	atomic_store_explicit(&r->pub.rate.rate, rate, memory_order_relaxed);
	atomic_store_explicit(&r->pub.rate.burst, burst, memory_order_relaxed);
	atomic_store_explicit(&r->pub.press_below, below,
	    memory_order_relaxed);
	atomic_store_explicit(&r->pub.pace, pace, memory_order_relaxed);
}

static void
set_lost(struct rate *r)
{
	int64_t part = lost_part(r), balance;

	switch (node_of(r)->o.on_loss) {
	case LEASE_SHARE:
		set(r, part_of(r->per_s, part), part_of(r->most, part),
		    INT64_MIN, part_of(r->per_s, part));
		return;
	case LEASE_OPEN:
		set(r, NO_LIMIT, NO_LIMIT, INT64_MIN, NO_LIMIT);
		return;
	case LEASE_CLOSED:
		set(r, 0, 0, INT64_MIN, 0);
		balance = atomic_load(&r->bucket->balance);
		if (balance >= 0)
			bucket_grant(r->bucket, &r->pub.rate, -balance - 1);
		return;
	}
}

/* What nothing limited is no credit. */
static void
drop_open_credit(struct rate *r, int64_t now)
{
	int64_t balance = bucket_look(r->bucket, &r->pub.rate, now);

	if (r->l.mode == LEASE_LOST && node_of(r)->o.on_loss == LEASE_OPEN &&
	    balance > 0)
		bucket_grant(r->bucket, &r->pub.rate, -balance);
}

/* The bucket has earned at the old rate until now. */
static void
set_mode(struct rate *r, enum lease_mode mode, int64_t now)
{
	int64_t part = free_part(node_of(r)->nodes);

	bucket_look(r->bucket, &r->pub.rate, now);
	if (mode != LEASE_LOST)
		drop_open_credit(r, now);
	r->l.mode = mode;
	switch (mode) {
	case LEASE_OWN:
		set(r, r->per_s, r->most, INT64_MIN, r->per_s);
		return;
	case LEASE_FREE:
		set(r, part_of(r->per_s, part), part_of(r->most, part),
		    part_of(r->most, part) / 2, part_of(r->per_s, part));
		return;
	case LEASE_ASKING:
		/* Until it has spent, any use is a press. */
		set(r, 0, r->most, 1, part_of(r->per_s, lost_part(r)));
		return;
	case LEASE_LOST:
		set_lost(r);
		return;
	}
}

/* From here on it has what is there now, and what it is given. */
static void
begin_asking(struct rate *r, enum from from, int64_t now)
{
	r->from = from;
	r->l.said_us = 0;
	r->expect = bucket_look(r->bucket, &r->pub.rate, now);
	r->looked_us = r->granted_us = now;
	r->demand = r->spending = r->peak = 0;
	r->want = r->asked = r->granted = 0;
	r->span = r->left = 0;
	r->horizon_us = HORIZON_US;
	r->l.called_us = r->l.told_us = 0;
	r->share = 1.0 / node_of(r)->nodes;
	r->history = from == FROM_ASKING;
	leased_ask(&r->l, true);
	leased_due(&r->l, now);
}

void
rate_join(struct leased *l, int64_t now)
{
	struct rate *r = rate_of(l);

	set_mode(r, LEASE_ASKING, now);
	begin_asking(r, FROM_FREE, now);
}

static int64_t
bounded(struct rate *r, int64_t grant)
{
	if (grant > r->credit)
		grant = r->credit;
	r->credit -= grant;
	return grant;
}

static void
add_credit(struct rate *r, __int128 tokens)
{
	tokens += r->credit;
	r->credit = tokens < r->most ? (int64_t)tokens : r->most;
}

/* It had only what it needed for the moment; what the store has for all is now
 * the nodes', and the script knows. */
void
rate_leave(struct leased *l, int64_t now)
{
	struct rate *r = rate_of(l);
	int64_t half, balance, grant;

	leased_ask(l, false);
	set_mode(r, LEASE_FREE, now);
	half = part_of(r->most, free_part(node_of(r)->nodes)) / 2;
	balance = bucket_look(r->bucket, &r->pub.rate, now);
	if (balance < half && r->left >= r->most / 2) {
		grant = bounded(r, half - balance);
		bucket_grant(r->bucket, &r->pub.rate, grant);
		balance += grant;
	}
	atomic_store_explicit(&r->pub.press_below, balance < half ?
	    balance / 2 : half / 2, memory_order_relaxed);
}

void
rate_pressed(struct leased *l, int64_t now)
{
	struct rate *r = rate_of(l);
	struct lease_node *n = node_of(r);
	int64_t soonest = l->called_us + BATCH_US;

	switch (l->mode) {
	case LEASE_OWN:
	case LEASE_LOST:
		return;
	case LEASE_FREE:
		if (n->lost)
			return;
		l->need_us = now;
		rate_join(l, now);
		n->say = true;
		return;
	case LEASE_ASKING:
		if (!l->asks)
			begin_asking(r, FROM_COLD, now);
		else if (l->call == NULL && r->granted >= r->asked &&
		    l->due_us > soonest)
			leased_due(l, soonest);
		return;
	}
}

void
rate_lost(struct leased *l, int64_t sent_us, int64_t now)
{
	struct rate *r = rate_of(l);

	if (l->mode != LEASE_ASKING)
		return;
	if (r->from == FROM_QUIET)
		r->share *= fades(now - r->looked_us);
	set_mode(r, LEASE_LOST, now);
	r->earned_from_us = sent_us;
	if (node_of(r)->o.on_loss == LEASE_SHARE)
		bucket_grant(r->bucket, &r->pub.rate,
		    part_of(part_of(r->per_s, lost_part(r)), now - sent_us));
}

void
rate_fleet_lost(struct leased *l, int64_t now)
{
	if (l->mode == LEASE_FREE)
		set_mode(rate_of(l), LEASE_LOST, now);
}

void
rate_loss_ends(struct leased *l, int64_t now)
{
	drop_open_credit(rate_of(l), now);
}

/* What it spends and earns is counted anew. */
void
rate_loss_begins(struct leased *l, int64_t now)
{
	struct rate *r = rate_of(l);

	if (l->mode != LEASE_LOST)
		return;
	set_lost(r);
	r->expect = bucket_look(r->bucket, &r->pub.rate, now);
	r->looked_us = r->earned_from_us = now;
}

void
rate_nodes(struct leased *l, int64_t now)
{
	struct rate *r = rate_of(l);

	if (l->mode == LEASE_FREE) {
		set_mode(r, LEASE_FREE, now);
		return;
	}
	if (l->mode != LEASE_LOST || l->asks)
		return;
	/* The first heartbeat was answered, or the first again. */
	if (l->never_free)
		set_mode(r, LEASE_ASKING, now);
	else if (l->version != 0)
		rate_join(l, now);
	else
		set_mode(r, LEASE_FREE, now);
}

/* ---- a call ---- */

/* What was spent since the last look, and what is likely to be. */
static void
observe(struct rate *r, int64_t now)
{
	int64_t rate = atomic_load(&r->pub.rate.rate);
	int64_t burst = atomic_load(&r->pub.rate.burst);
	int64_t balance = bucket_look(r->bucket, &r->pub.rate, now);
	int64_t us = now - r->looked_us;
	__int128 gain = (__int128)rate * us / MILLION;
	double spent;

	if (gain > (__int128)burst - r->expect)
		gain = (__int128)burst - r->expect;
	if (gain < 0)
		gain = 0;
	spent = (double)(r->expect + (int64_t)gain - balance);
	if (spent < 0)
		spent = 0;
	r->spending = r->spending * fades(us) + spent / SPENDING_US * MILLION;
	r->spent = spent;
	r->expect = balance;
	r->looked_us = now;
	r->idle = spent == 0;
	if (us <= 0)
		return;
	if (r->l.mode == LEASE_ASKING)
		add_credit(r, (__int128)r->per_s * us / MILLION);
	r->demand = blend(r->demand, spent, us, DEMAND_US);
	if (r->demand > (double)NO_LIMIT)
		r->demand = (double)NO_LIMIT;
	r->peak *= PEAK_US / (double)(PEAK_US + us);
	if (spent > r->peak)
		r->peak = spent;
}

static bool
is_short(const struct rate *r)
{
	return r->granted < r->asked || r->expect < 0;
}

/* What it should have, to last until the answer after the next. */
static int64_t
wanted(const struct rate *r)
{
	double most = (double)part_of(r->per_s, r->horizon_us);
	double want = r->demand * (double)r->horizon_us / MILLION;
	double burst = (double)(r->horizon_us > HORIZON_US ? r->most / 4 :
	    r->most);

	if (most > burst)
		most = burst;
	if (want < r->peak * 1.25)
		want = r->peak * 1.25;
	if (is_short(r)) {
		want *= 1.5;
		if (want < most / 32)
			want = most / 32;
	}
	return (int64_t)(want < most ? want : most);
}

static int64_t
expires(const struct rate *r)
{
	return r->horizon_us / 2 > EXPIRE_US ? r->horizon_us / 2 : EXPIRE_US;
}

/* What is more than it needs for now: it leaves the bucket before the store is
 * told. */
static int64_t
returned(struct rate *r, int64_t now)
{
	int64_t over = r->expect - r->want, owed = r->owed;

	r->owed = 0;
	if (r->l.mode != LEASE_ASKING || over <= 0 ||
	    (over <= r->want && now - r->granted_us < expires(r)))
		return owed;
	bucket_grant(r->bucket, &r->pub.rate, -over);
	r->expect -= over;
	add_credit(r, over);
	return over + owed;
}

/* What it gave itself since it was answered; the script does not care by how
 * much it is too much. */
static int64_t
earned(const struct rate *r, int64_t now)
{
	int64_t us = now - r->earned_from_us;

	return part_of(part_of(r->per_s, lost_part(r)),
	    us < EARNED_MOST_US ? us : EARNED_MOST_US);
}

static void
note_need(struct rate *r, int64_t now)
{
	double free_rate = (double)part_of(r->per_s,
	    free_part(node_of(r)->nodes));

	if (r->granted < r->asked || r->demand > NEED_PART * free_rate)
		r->l.need_us = now;
}

/* In the order of lua/take.lua. */
void
rate_compose(struct leased *l, int64_t now, struct slice *args)
{
	static const char *const froms[] = { "free", "leased", "lost",
	    "quiet", "cold" };
	struct rate *r = rate_of(l);
	struct lease_node *n = node_of(r);
	bool lost = l->mode == LEASE_LOST;
	int64_t since = l->called_us == 0 ? FIRST_US : now - l->called_us;
	int64_t v[RATE_ARGS];

	observe(r, now);
	r->want = wanted(r);
	note_need(r, now);
	v[5] = returned(r, now);
	r->asked = r->want > r->expect ? r->want - r->expect : 0;
	r->granted = 0;
	v[0] = r->per_s;
	v[1] = r->most;
	v[2] = leased_hold(l);
	v[3] = r->from == FROM_FREE ? free_part(n->nodes) : 0;
	v[4] = r->asked;
	v[6] = lost && n->o.on_loss == LEASE_SHARE ? earned(r, now) : 0;
	v[7] = (int64_t)r->spent;
	v[8] = (int64_t)r->demand;
	v[9] = atomic_load_explicit(&r->pub.weight, memory_order_relaxed);
	v[10] = r->span;
	v[11] = since < CALL_MOST_US ? since : CALL_MOST_US;
	v[12] = 0;
	v[13] = n->virgin ? -1 : now - n->epoch_us;
	for (int i = 0; i < RATE_ARGS; i++)
		args[i] = node_arg(n, v[i]);
	args[12] = slice_of(froms[lost ? FROM_LOST : r->from]);
}

/* ---- its answer ---- */

static void
learn_share(struct rate *r, double all)
{
	if (all < 1)
		return;
	r->share = r->spending < all ? r->spending / all : 1;
	r->history = true;
}

static void
learn_others(struct rate *r, int64_t all, int64_t now)
{
	double others = (double)all - r->spending, part;

	if (others < 0)
		others = 0;
	/* The store counts what a node spent when it comes, not when it spent
	 * it, so what it says swings. */
	part = leased_told(&r->l) ? (double)(now - r->l.told_us) / OTHERS_US :
	    1;
	r->others += (int64_t)((others - (double)r->others) *
	    (part < 1 ? part : 1));
	r->l.told_us = now;
}

static int64_t
next_call(const struct rate *r, int64_t pace)
{
	if (pace < BATCH_US)
		pace = BATCH_US;
	if (pace > CALL_MOST_US)
		pace = CALL_MOST_US;
	if (is_short(r))
		return pace;
	if (!r->idle)
		return pace > r->horizon_us / 2 ? pace : r->horizon_us / 2;
	return expires(r);
}

static void
take_grant(struct rate *r, int64_t grant, int64_t now)
{
	r->granted = grant;
	if (grant > 0) {
		bucket_grant(r->bucket, &r->pub.rate, grant);
		r->expect += grant;
		r->granted_us = now;
	}
	atomic_store_explicit(&r->pub.press_below,
	    r->want / 3 > 1 ? r->want / 3 : 1, memory_order_relaxed);
	atomic_store_explicit(&r->pub.pace, r->granted < r->asked &&
	    r->demand >= 1 ? (int64_t)r->demand :
	    part_of(r->per_s, lost_part(r)) + 1, memory_order_relaxed);
}

/* Where there is plenty it need not come so often. */
static void
fit_horizon(struct rate *r)
{
	r->horizon_us *= 2;
	if (is_short(r) || r->left < r->most / 2)
		r->horizon_us = HORIZON_US;
	else if (r->horizon_us > HORIZON_MOST_US)
		r->horizon_us = HORIZON_MOST_US;
}

/* Nothing is spent: the next who does so is a press. */
static void
fall_quiet(struct rate *r)
{
	r->from = FROM_QUIET;
	if (r->l.never_free)
		leased_ask(&r->l, false);
	else
		leased_due(&r->l, INT64_MAX);
}

/* It asks again, with what it has. */
static void
come_back(struct rate *r, int64_t now)
{
	set_mode(r, LEASE_ASKING, now);
	r->expect = bucket_look(r->bucket, &r->pub.rate, now);
	r->looked_us = now;
}

/* grant settle span spending pace left */
bool
rate_answer(struct leased *l, struct slice *line, bool late, int64_t now)
{
	enum { GRANT, SETTLE, SPAN, SPENDING, PACE, LEFT, NUMBERS };
	struct rate *r = rate_of(l);
	int64_t v[NUMBERS], grant, settle;

	for (int i = 0; i < NUMBERS; i++)
		if (!answer_int(line, &v[i]))
			return false;
	if (line->len != 0)
		return false;
	settle = v[SETTLE];
	grant = v[GRANT] < 0 ? 0 : v[GRANT] < r->asked ? v[GRANT] : r->asked;
	if (!late && l->asks && settle <= 0)
		grant = bounded(r, grant);
	if (late || !l->asks) {
		r->owed += grant;
		r->earned_from_us = l->called_us;
		leased_due(l, now + LOST_RETRY_US);
		return true;
	}
	if (settle > 0) {
		rate_lost(l, now, now);
		r->earned_from_us = now;
		leased_due(l, now + (settle < LOST_RETRY_US ? settle :
		    LOST_RETRY_US));
		return true;
	}
	if (l->mode == LEASE_LOST)
		come_back(r, now);
	r->from = FROM_ASKING;
	r->span = v[SPAN];
	learn_share(r, (double)v[SPENDING]);
	learn_others(r, v[SPENDING], now);
	take_grant(r, grant, now);
	r->left = v[LEFT];
	fit_horizon(r);
	if (r->idle && !is_short(r) && r->expect <= 0)
		fall_quiet(r);
	else
		leased_due(l, now + next_call(r, v[PACE]));
	return true;
}

/* ---- what others call ---- */

static void
set_value(struct rate *r, int64_t value, int64_t seconds, int64_t burst)
{
	assert(value >= 0 && seconds > 0 && burst >= 0);
	r->per_s = (int64_t)((__int128)value * BUCKET_UNIT / seconds);
	r->most = burst * BUCKET_UNIT;
	r->l.never_free = r->most / SLOW_S > r->per_s;
}

/* A new bucket has what it would have got since the node began. */
static void
fill(struct rate *r, int64_t now)
{
	const struct lease_node *n = node_of(r);
	int64_t most = atomic_load(&r->pub.rate.burst);
	__int128 earned = (__int128)atomic_load(&r->pub.rate.rate) *
	    (now - n->began_us) / MILLION;

	if (earned > most || n->o.full)
		earned = most;
	bucket_grant(r->bucket, &r->pub.rate, (int64_t)earned);
}

struct lease *
lease_add(struct lease_node *n, struct slice group, struct slice name,
    struct bucket *b, int64_t value, int64_t seconds, int64_t burst)
{
	struct rate *r = mem_zalloc(sizeof(*r));
	int64_t now = clock_now_us();
	bool fresh = atomic_load(&b->at_us) == 0;

	r->bucket = b;
	leased_init(&r->l, n, group, name, "r");
	set_value(r, value, seconds, burst);
	r->credit = r->most;
	r->l.version = known_version(n, slice_of(r->l.id));
	r->l.mode = n->o.store == NULL ? LEASE_OWN :
	    !n->started || (n->lost && n->o.on_loss != LEASE_SHARE) ?
	    LEASE_LOST :
	    r->l.version != 0 || r->l.never_free ? LEASE_ASKING : LEASE_FREE;
	/* One that is in use keeps what it has. */
	atomic_store(&r->pub.rate.burst, NO_LIMIT);
	if (fresh)
		atomic_store(&b->at_us, now);
	set_mode(r, r->l.mode, now);
	if (fresh && r->l.mode != LEASE_ASKING && (!r->l.never_free ||
	    r->l.mode == LEASE_OWN))
		fill(r, now);
	if (r->l.mode == LEASE_ASKING && r->l.version != 0)
		begin_asking(r, FROM_FREE, now);
	return &r->pub;
}

void
lease_set(struct lease *pub, int64_t value, int64_t seconds, int64_t burst)
{
	struct rate *r = (struct rate *)(void *)pub;
	bool was = r->l.never_free;
	int64_t now = clock_now_us();

	set_value(r, value, seconds, burst);
	if (was != r->l.never_free && r->l.mode != LEASE_OWN &&
	    r->l.mode != LEASE_LOST) {
		leased_ask(&r->l, false);
		r->l.mode = r->l.never_free ? LEASE_ASKING : LEASE_FREE;
	}
	set_mode(r, r->l.mode, now);
}

void
rate_free(struct leased *l)
{
	leased_fini(l);
	free(rate_of(l));
}

void
lease_remove(struct lease *pub)
{
	if (pub != NULL)
		rate_free(&((struct rate *)(void *)pub)->l);
}

void
lease_press(struct lease *pub)
{
	leased_press(&((struct rate *)(void *)pub)->l);
}

void
lease_unleased(const struct lease_node *n, int64_t value, int64_t seconds,
    int64_t burst, struct bucket_rate *to)
{
	int64_t part = n->o.store == NULL ? MILLION :
	    n->started ? free_part(n->nodes) : MILLION / (2 * n->nodes);
	int64_t rate = part_of((int64_t)((__int128)value * BUCKET_UNIT /
	    seconds), part);
	int64_t most = part_of(burst * BUCKET_UNIT, part);

	if (n->lost && n->o.on_loss == LEASE_OPEN)
		rate = most = NO_LIMIT;
	else if (n->lost && n->o.on_loss == LEASE_CLOSED)
		rate = most = 0;
	atomic_store_explicit(&to->rate, rate, memory_order_relaxed);
	atomic_store_explicit(&to->burst, most, memory_order_relaxed);
}

void
lease_view(const struct lease *pub, struct lease_view *to)
{
	const struct rate *r = (const struct rate *)(const void *)pub;

	*to = (struct lease_view){
		.mode = r->l.mode, .pressed = r->l.asks,
		.share = (uint32_t)(r->l.mode == LEASE_OWN ? MILLION :
		    r->l.mode == LEASE_FREE ? free_part(node_of(r)->nodes) :
		    lost_part(r)),
		.demand = (int64_t)r->demand,
		.answered_us = r->l.answered_us, .losses = r->l.losses,
		.told = leased_told(&r->l), .others = r->others,
		.left = r->left > 0 ? r->left : 0,
	};
}
