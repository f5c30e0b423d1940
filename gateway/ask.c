/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/ask.h"

#include <stdlib.h>

#include "gateway/base/arena.h"
#include "gateway/base/mem.h"
#include "gateway/wire/codec.h"
#include "routing/cluster.h"
#include "routing/upstream.h"
#include "wire/messages.h"

struct ask {
	struct call		 call;
	struct upstream		*upstream;
	int32_t			 broker;
	ask_done_cb		*done;
	void			*arg;
};

int
ask_version(const struct cluster *c, int16_t api_key)
{
	const struct api_schema *api = api_schema_find(api_key);
	const struct api_range *r = &c->apis[api_key];
	int version = r->min > api->since ? r->min : api->since;

	return r->max < version || api->until < version ? -1 : version;
}

int
ask_newest(const struct cluster *c, int16_t api_key)
{
	const struct api_schema *api = api_schema_find(api_key);
	int max = c->apis[api_key].max;

	return ask_version(c, api_key) < 0 ? -1 : max < api->until ? max :
	    api->until;
}

static void
call_done(struct call *c, const struct call_reply *reply)
{
	struct ask *q = LIST_ENTRY(c, struct ask, call);
	struct reader rd = reply->reader;
	const char *why = reply->detail != NULL ? reply->detail : "no answer";
	const void *body = NULL;
	struct arena a;

	arena_init(&a, ASK_REPLY_MAX);
	if (reply->outcome == CALL_ANSWERED) {
		body = codec_decode(&rd, c->api->response, c->version, &a);
		why = rd.fault != NULL ? rd.fault : "its answer is too large";
		if (rd.block != NULL)
			arena_hold(&a, rd.block);
	}
	/* Whoever goes on asking may have it. */
	pool_return(q->upstream);
	q->done(q->arg, q->broker, body, body != NULL ? NULL : why);
	arena_fini(&a);
	free(q);
}

static void
upstream_lost(struct upstream *u, void *arg)
{
	(void)u;
	(void)arg;
}

bool
ask_broker(struct pool *p, int32_t broker, int16_t api_key, int version,
    const void *body, ask_done_cb *done, void *arg, struct error *err)
{
	struct ask *q = mem_zalloc(sizeof(*q));

	q->broker = broker;
	q->done = done;
	q->arg = arg;
	q->call.done = call_done;
	q->upstream = pool_lease(p, broker, upstream_lost, q);
	if (q->upstream == NULL) {
		free(q);
		return error_set(err, "it cannot be reached");
	}
	if (upstream_call(q->upstream, &q->call, api_schema_find(api_key),
	    version, SLICE_LIT("weir"), body, ASK_MS, err))
		return true;
	pool_return(q->upstream);
	free(q);
	return false;
}
