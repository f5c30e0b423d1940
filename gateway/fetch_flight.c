/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/fetch_flight.h"

#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/request.h"
#include "gateway/worker.h"

/* Holds a request and a reply of a few partitions. */
enum { FLIGHT_SEED = 704 };

struct fetch_flight {
	struct leg		 leg;
	struct arena		 arena;
	struct fetch_feed	*feed;		/* NULL: dropped */
	void			(*landed)(void *arg, struct fetch_feed *f);
	void			*arg;
	bool			 flying;
	_Alignas(8) char	 seed[FLIGHT_SEED];
};

static void
flight_free(struct fetch_flight *fl)
{
	arena_fini(&fl->arena);
	free(fl);
}

void
fetch_flight_drop(struct fetch_flight *fl)
{
	fl->feed = NULL;
	if (!fl->flying)
		flight_free(fl);
	else if (fl->leg.lease != NULL)
		lease_close(fl->leg.worker, fl->leg.lease);
}

/* A connection that was idle may have been dead for long: the first loss says
 * little, and a Fetch may be asked twice. */
static void
lost(struct fetch_feed *f, const struct leg *l)
{
	fetch_feed_lost(f, l->error);
	if (f->tries < 2 && l->outcome != CALL_ANSWERED &&
	    !pool_backing_off(l->worker->pool, l->broker))
		f->failed = 0;
}

static void
flight_done(struct leg *l)
{
	struct fetch_flight *fl = l->state;
	struct fetch_feed *f = fl->feed;
	void (*landed)(void *, struct fetch_feed *) = fl->landed;
	void *arg = fl->arg;

	fl->flying = false;
	if (f == NULL) {
		flight_free(fl);
		return;
	}
	if (l->reply == NULL)
		lost(f, l);
	else
		fetch_feed_land(f, l->reply);
	if (f->state != FEED_LANDED) {
		f->flight = NULL;
		flight_free(fl);
	}
	landed(arg, f);
}

void
fetch_flight_send(struct fetch_feed *f, const struct request *r,
    const struct fetch_terms *terms,
    void (*landed)(void *arg, struct fetch_feed *f), void *arg)
{
	struct fetch_flight *fl = mem_alloc(sizeof(*fl));
	struct leg *l = &fl->leg;

	memset(fl, 0, offsetof(struct fetch_flight, seed));
	arena_init_in(&fl->arena, 0, fl->seed, sizeof(fl->seed));
	fl->feed = f;
	fl->landed = landed;
	fl->arg = arg;
	fl->flying = true;
	l->worker = r->worker;
	l->session = r->session;
	l->arena = &fl->arena;
	l->broker = f->broker;
	l->class = USE_FETCH;
	l->timeout_ms = (uint32_t)terms->max_wait_ms + FETCH_LEG_MARGIN_MS;
	l->done = flight_done;
	l->state = fl;
	l->body = fetch_feed_request(f, terms, &fl->arena);
	f->flight = fl;
	f->tries++;
	leg_send(l, r->schema, terms->version, r->client_id);
}
