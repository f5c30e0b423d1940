/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the Redis client share: who waits for an answer. */
#ifndef WEIR_TESTS_REDIS_FIXTURE_H
#define WEIR_TESTS_REDIS_FIXTURE_H

#include "tests/unit/net_fixture.h"

#include "quota/redis.h"
#include "tests/unit/fake_redis.h"
#include "tests/unit/fake_time.h"

/* A call, and what it was told. */
struct asked {
	int		 told;
	enum redis_outcome outcome;
	enum redis_kind	 kind;		/* of the reply, if there was one */
	bool		 replied;
	int64_t		 integer;
	uint32_t	 n;
	char		 text[512], why[256];
	bool		 inside;	/* our own function is on the stack */
	void		(*then)(struct asked *a);
	struct redis	*r;
};

static inline void
asked_told(void *arg, enum redis_outcome o, const struct redis_reply *reply,
    const char *why)
{
	struct asked *a = arg;

	assert_false(a->inside);
	a->told++;
	a->outcome = o;
	a->replied = reply != NULL;
	assert_int_equal(a->replied, o == REDIS_ANSWERED ||
	    o == REDIS_REFUSED);
	assert_int_equal(why[0] == '\0', o == REDIS_ANSWERED);
	snprintf(a->why, sizeof(a->why), "%s", why);
	if (reply != NULL) {
		a->kind = reply->kind;
		a->integer = reply->integer;
		a->n = reply->n;
		snprintf(a->text, sizeof(a->text), "%.*s",
		    SLICE_FMT(reply->text));
	}
	if (a->then != NULL)
		a->then(a);
}

static inline void
ask(struct redis *r, struct asked *a, const char *key, const char *word,
    const char *more)
{
	struct slice argv[3] = { slice_of(word), slice_of(key),
		slice_of(more) };

	a->r = r;
	a->inside = true;
	redis_call(r, slice_of(key), more != NULL ? 3 : 2, argv, 0, asked_told,
	    a);
	a->inside = false;
}

static inline bool
shard_is_up(struct redis *r, const char *key)
{
	return redis_up(r, slice_of(key));
}

static inline const char *
shard_error(struct redis *r)
{
	struct redis_shard_state s;

	redis_shard(r, 0, &s);
	return s.error;
}

#endif
