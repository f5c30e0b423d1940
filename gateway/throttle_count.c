/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_count.h"

#include "gateway/census.h"
#include "gateway/census_control.h"
#include "gateway/census_policies.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "routing/names.h"

/* Of a request; they hold for the snapshot that they were counted in. */
struct topic_counts {
	uint64_t		 generation;	/* the snapshot's */
	int64_t			 n[2];		/* by enum made_class */
};

struct counting {
	const struct request	*r;
	const struct quota_who	*who;
	struct topic_counts	*to;
};

enum made_class
throttle_class(const struct request *r, const struct quota_who *w,
    const struct topic *t)
{
	enum made_class class = policies_class(census_policies(
	    r->worker->census), t);

	return class != MADE_UNKNOWN ? class :
	    quota_made_class(w, t->name, NULL);
}

static void
count_range(void *arg, struct slice physical, bool whole)
{
	const struct counting *k = arg;
	const struct cluster *c = k->r->worker->cluster;
	const struct names *names = tenancy_names(k->r->session);

	for (int32_t i = cluster_topics_from(c, physical);
	    cluster_topic_within(c, i, physical, whole); i++) {
		const struct topic *t = &c->topics[i];

		if (!t->internal && names_owns(names, NAME_TOPIC, t->name))
			k->to->n[throttle_class(k->r, k->who, t)] +=
			    t->partition_count;
	}
}

static const struct topic_counts *
counts_of(struct request *r, const struct quota_who *w)
{
	struct counting k = { r, w, r->topic_counts };
	uint64_t generation = r->worker->cluster->generation;

	if (k.to != NULL && k.to->generation == generation)
		return k.to;
	k.to = r->topic_counts = ARENA_NEW(&r->arena, struct topic_counts);
	k.to->generation = generation;
	names_ranges(tenancy_names(r->session), NAME_TOPIC, count_range, &k);
	return k.to;
}

/* What the snapshot and the census show of a topic. */
static int32_t
seen(void *arg, struct slice name, enum made_class *class)
{
	const struct request *r = arg;
	const struct topic *t = cluster_topic(r->worker->cluster, name);

	if (t == NULL)
		return 0;
	*class = policies_class(census_policies(r->worker->census), t);
	return t->partition_count;
}

bool
throttle_counts_partitions(const struct quota_who *w)
{
	return quota_is_limited(w, QUOTA_DIM_PARTITIONS) ||
	    quota_is_limited(w, QUOTA_DIM_COMPACTED_PARTITIONS);
}

/* There is room for a power of two of them. */
static void
keep(struct request *r, const struct made_topic *m)
{
	int32_t n = r->made_count;

	if ((n & (n - 1)) == 0) {
		struct throttle_made *v = ARENA_ARRAY(&r->arena,
		    struct throttle_made, n > 0 ? 2 * n : 1);

		if (n > 0)
			memcpy(v, r->made, (size_t)n * sizeof(*v));
		r->made = v;
	}
	r->made[r->made_count++] = (struct throttle_made){ m->name, m->was,
		m->is };
}

bool
throttle_may_be(struct request *r, const struct quota_who *w,
    struct made_topic *m)
{
	struct quota_reason why;

	m->seen = seen;
	m->arg = r;
	if (!throttle_counts_partitions(w))
		return true;
	memcpy(m->there, counts_of(r, w)->n, sizeof(m->there));
	if (quota_made(w, m, loop_now_us(r->worker->loop), &why)) {
		if (m->noted) {
			keep(r, m);
			census_wish(r->worker->gateway, false);
		}
		return true;
	}
	throttle_refused(r, &why);
	return false;
}

int16_t
throttle_partitions(struct request *r, const struct quota_who *w,
    struct slice name, int32_t partitions, enum made_class class)
{
	struct made_topic m = { .name = name, .partitions = partitions,
		.class = class };

	return throttle_may_be(r, w, &m) ? 0 : KAFKA_INVALID_REQUEST;
}
