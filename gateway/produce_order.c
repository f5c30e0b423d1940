/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/produce_order.h"

#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/base/htab.h"

/* A partition of a topic; names are kept as their keyed hash, which nobody can
 * make collide. */
struct place {
	uint64_t	 topic;
	int32_t		 partition;
};

struct guard {
	struct place	 at;
	const void	*owner;
};

struct refusal {
	struct place	 at;
	int64_t		 producer_id;
	int16_t		 producer_epoch, error;
	int32_t		 last;		/* sequence that was refused */
};

struct produce_order {
	struct guard	*guards;
	uint32_t	 guard_count, guard_room;
	struct refusal	*refusals;
	uint32_t	 refusal_count, refusal_room;
};

struct produce_order *
produce_order_new(void)
{
	return mem_zalloc(sizeof(struct produce_order));
}

void
produce_order_free(struct produce_order *o)
{
	if (o == NULL)
		return;
	free(o->guards);
	free(o->refusals);
	free(o);
}

static struct place
place_of(const struct produce_item *it)
{
	struct slice topic = it->name.data ? it->name :
	    (struct slice){ it->id.b, sizeof(it->id.b) };

	return (struct place){ htab_hash(topic), it->partition };
}

static bool
same_place(const struct place *a, const struct place *b)
{
	return a->topic == b->topic && a->partition == b->partition;
}

/* ---- guards ---- */

bool
produce_order_guarded(const struct produce_order *o,
    const struct produce_item *it)
{
	struct place at;

	if (o->guard_count == 0)
		return false;
	/* So many are not looked through for each batch of a request. */
	if (o->guard_count > GUARDS_MAX)
		return true;
	at = place_of(it);
	for (uint32_t i = 0; i < o->guard_count; i++)
		if (same_place(&o->guards[i].at, &at))
			return true;
	return false;
}

void
produce_order_guard(struct produce_order *o, const void *owner,
    const struct produce_item *it)
{
	if (o->guard_count == o->guard_room) {
		o->guard_room = o->guard_room ? o->guard_room * 2 : 4;
		o->guards = mem_realloc(o->guards,
		    o->guard_room * sizeof(*o->guards));
	}
	o->guards[o->guard_count++] = (struct guard){ place_of(it), owner };
}

bool
produce_order_unguard(struct produce_order *o, const void *owner)
{
	uint32_t kept = 0, had = o->guard_count;

	for (uint32_t i = 0; i < o->guard_count; i++)
		if (o->guards[i].owner != owner)
			o->guards[kept++] = o->guards[i];
	o->guard_count = kept;
	return kept < had;
}

/* ---- refusals ---- */

static void
drop_refusal(struct produce_order *o, uint32_t i)
{
	o->refusal_count--;
	memmove(&o->refusals[i], &o->refusals[i + 1],
	    (o->refusal_count - i) * sizeof(*o->refusals));
}

/* After INT32_MAX comes 0, so behind is what is less than half of all away. */
static bool
is_behind(int32_t sequence, int32_t other)
{
	uint32_t by = ((uint32_t)sequence - (uint32_t)other) & INT32_MAX;

	return by > 0 && by < UINT32_C(1) << 30;
}

static struct refusal *
find_refusal(struct produce_order *o, const struct produce_item *it)
{
	struct place at = place_of(it);

	for (uint32_t i = 0; i < o->refusal_count; i++) {
		struct refusal *r = &o->refusals[i];

		if (!same_place(&r->at, &at))
			continue;
		/* A new epoch begins anew; nothing is in flight any more. */
		if (r->producer_id != it->producer_id ||
		    r->producer_epoch != it->producer_epoch) {
			drop_refusal(o, i);
			return NULL;
		}
		return r;
	}
	return NULL;
}

int16_t
produce_order_judge(struct produce_order *o, const struct produce_item *it)
{
	struct refusal *r;

	if (o->refusal_count == 0 || it->producer_id < 0)
		return 0;
	r = find_refusal(o, it);
	if (r == NULL)
		return 0;
	/* Not behind what was refused last: it is repeated. */
	if (!is_behind(it->sequence, r->last)) {
		drop_refusal(o, (uint32_t)(r - o->refusals));
		return 0;
	}
	r->last = it->sequence;
	return r->error;
}

void
produce_order_refused(struct produce_order *o, const struct produce_item *it,
    int16_t error)
{
	struct refusal *r;

	if (it->producer_id < 0)
		return;
	r = find_refusal(o, it);
	if (r != NULL) {
		r->last = it->sequence;
		return;
	}
	if (o->refusal_count == REFUSALS_MAX)
		drop_refusal(o, 0);
	if (o->refusal_count == o->refusal_room) {
		o->refusal_room = o->refusal_room ? o->refusal_room * 2 : 4;
		o->refusals = mem_realloc(o->refusals,
		    o->refusal_room * sizeof(*o->refusals));
	}
	o->refusals[o->refusal_count++] = (struct refusal){ place_of(it),
		it->producer_id, it->producer_epoch, error, it->sequence };
}
