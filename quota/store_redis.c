/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/store_redis.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "quota/redis.h"
#include "quota/store.h"

struct script {
	const struct store_script	*of;
	struct redis_script		 redis;
};

struct store_redis {
	struct store	 store;
	struct redis	*redis;
	struct script	 scripts[3];
};

struct waiting {
	store_done_cb	 done;
	void		*arg;
};

static void
answered(void *arg, enum redis_outcome o, const struct redis_reply *reply,
    const char *why)
{
	struct waiting *w = arg;
	struct slice text = redis_reply_text(reply);

	if (o != REDIS_ANSWERED)
		w->done(w->arg, true, slice_of(why));
	else if (text.data == NULL || text.len > STORE_ANSWER_MAX)
		w->done(w->arg, true, SLICE_LIT("no text, or too long"));
	else
		w->done(w->arg, false, text);
	free(w);
}

static const struct redis_script *
script_of(const struct store_redis *s, const struct store_script *script)
{
	for (size_t i = 0; i < sizeof(s->scripts) / sizeof(s->scripts[0]); i++)
		if (s->scripts[i].of == script)
			return &s->scripts[i].redis;
	assert(!"a script of quota/lua");
	return NULL;
}

static void
submit(struct store *store, const struct store_call *calls, uint32_t n)
{
	struct store_redis *s = (struct store_redis *)(void *)store;

	for (uint32_t i = 0; i < n; i++) {
		const struct store_call *c = &calls[i];
		struct waiting *w = mem_alloc(sizeof(*w));

		w->done = c->done;
		w->arg = c->arg;
		redis_script_call(s->redis, script_of(s, c->script),
		    c->key_count, c->keys, c->arg_count, c->args, 0, answered,
		    w);
	}
}

struct store *
store_redis_new(struct redis *r)
{
	static const struct store_script *const scripts[] = { &store_beat,
	    &store_take, &store_count };
	struct store_redis *s = mem_zalloc(sizeof(*s));

	s->store.submit = submit;
	s->redis = r;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		s->scripts[i].of = scripts[i];
		redis_script_init(&s->scripts[i].redis, (struct slice){
		    (const uint8_t *)scripts[i]->text, scripts[i]->len });
	}
	return &s->store;
}

void
store_redis_free(struct store *s)
{
	free(s);
}
