/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of Fetch and ShareFetch play: a clock with one timer, three
 * brokers of one topic, and what sessions say of themselves. Include it behind
 * the code under test, whose names it must not shadow.
 * Thread: the test's.
 */
#ifndef WEIR_TESTS_READ_FIXTURE_H
#define WEIR_TESTS_READ_FIXTURE_H

#include "gateway/session.h"
#include "gateway/worker.h"
#include "routing/virtual.h"
#include "tests/unit/one_timer.h"

enum { BROKERS = 3, MS = 1000 };

static struct arena memory;		/* replies as the client sees them */
static struct worker worker;
static struct cluster snapshot;
static struct session session;
static struct broker brokers[BROKERS];
static struct topic topic;		/* the test says its partitions */

void
session_address(struct session *s, int32_t id, struct arena *a,
    struct slice *host, int32_t *port)
{
	(void)s;
	*host = arena_printf(a, "virtual-%d", id);
	*port = 9092;
}

int32_t
virtual_broker(const struct cluster *c, int32_t count, int32_t real)
{
	(void)c;
	return real < 0 || real >= BROKERS ? -1 : real % count;
}

const struct broker *
cluster_broker(const struct cluster *c, int32_t id)
{
	(void)c;
	return id >= 0 && id < BROKERS ? &brokers[id] : NULL;
}

const struct topic *
cluster_topic_by_id(const struct cluster *c, const struct uuid *id)
{
	(void)c;
	return uuid_eq(id, &topic.id) ? &topic : NULL;
}

const struct partition *
topic_partition(const struct topic *t, int32_t index)
{
	return index >= 0 && index < t->partition_count ?
	    &t->partitions[index] : NULL;
}

#endif
