/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that says what it likes to a node: whatever that is, the node passes
 * no more than it could if it were alone, and its counts stay below their
 * limits.
 * Input: answers, each ended by a NUL; one that begins with ! is a loss, with
 * ~ it comes too late.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "quota/lease.h"
#include "quota/store.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 64, TICK_US = 10000, RATES = 3, RATE = 1000, LIMIT = 100 };

struct pending {
	store_done_cb	 done;
	void		*arg;
	int64_t		 at_us;
};

static int64_t now_us;
static const uint8_t *left;
static size_t left_size;
static struct pending pending[CALLS];
static int pending_count;

static int64_t
fake_now(void)
{
	return now_us;
}

static void
submit(struct store *s, const struct store_call *calls, uint32_t n)
{
	(void)s;
	for (uint32_t i = 0; i < n; i++) {
		assert(pending_count < CALLS);
		pending[pending_count++] = (struct pending){ calls[i].done,
		    calls[i].arg, now_us };
	}
}

static struct slice
next_answer(void)
{
	const uint8_t *end = left_size == 0 ? NULL :
	    memchr(left, '\0', left_size);
	size_t n = end == NULL ? left_size : (size_t)(end - left);
	struct slice s = { left, (uint32_t)n };

	left += n + (end != NULL);
	left_size -= n + (end != NULL);
	return s;
}

static void
answer_all(void)
{
	int n = pending_count;

	for (int i = 0; i < n; i++) {
		struct pending p = pending[i];
		bool late = left_size > 0 && *left == '~';

		if (late && now_us - p.at_us < 200000) {
			pending[pending_count++] = p;
			assert(pending_count < CALLS);
			continue;
		}
		if (late) {
			left++;
			left_size--;
		}
		p.done(p.arg, left_size == 0 || *left == '!', next_answer());
	}
	memmove(pending, pending + n, (size_t)(pending_count - n) *
	    sizeof(pending[0]));
	pending_count -= n;
}

static int64_t
use(struct lease *l, struct bucket *b)
{
	int64_t n = 0;

	for (; n < 100 && bucket_take(b, &l->rate, 10, now_us); n += 10)
		lease_notice(l, bucket_look(b, &l->rate, now_us));
	lease_press(l);
	return n;
}

static void
use_count(struct lease_count *c)
{
	while (lease_count_take(c, 1))
		assert(lease_count_used(c) <= LIMIT);
	if (lease_count_used(c) > 5)
		lease_count_put(c, 5);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[RATES] = { "a", "b", "slow" };
	struct store store = { submit };
	struct lease_options o = { .node_id = "n", .store = &store };
	struct lease_node *n;
	struct bucket buckets[RATES] = { 0 };
	struct lease *leases[RATES];
	struct lease_count *c;
	int64_t passed[RATES] = { 0 }, begin_us = now_us = 1000000000;

	log_setup(LOG_ERROR, LOG_TEXT);
	clock_replace(fake_now);
	left = data;
	left_size = size;
	pending_count = 0;
	n = lease_node_new(&o);
	for (int i = 0; i < RATES; i++)
		leases[i] = lease_add(n, SLICE_LIT("t"), slice_of(names[i]),
		    &buckets[i], RATE, i == 2 ? 300 : 1, RATE);
	c = lease_count_new(n, SLICE_LIT("t"), SLICE_LIT("c"), LIMIT);
	for (int tick = 0; tick < 2000 && left_size > 0; tick++) {
		now_us += TICK_US;
		lease_tick(n, now_us);
		answer_all();
		for (int i = 0; i < RATES; i++)
			passed[i] += use(leases[i], &buckets[i]);
		use_count(c);
	}
	for (int i = 0; i < RATES; i++)
		assert(passed[i] <= 2 * RATE + 10 + RATE *
		    (now_us - begin_us) / 1000000 / (i == 2 ? 300 : 1));
	lease_node_free(n);
	for (int i = 0; i < pending_count; i++)
		pending[i].done(pending[i].arg, true, SLICE_LIT("end"));
	clock_replace(NULL);
	return 0;
}
