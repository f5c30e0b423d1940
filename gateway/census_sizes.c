/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census_sizes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "routing/cluster.h"
#include "wire/messages.h"

struct sizes {
	const struct cluster	*cluster;
	uint32_t		*first;		/* by topic: its partitions' */
	int64_t			*bytes;
	bool			*led;		/* the leader said it */
};

struct sizes *
sizes_new(const struct cluster *c)
{
	struct sizes *s = mem_zalloc(sizeof(*s));
	uint32_t n = 0;

	s->cluster = c;
	s->first = mem_alloc(((size_t)c->topic_count + 1) *
	    sizeof(*s->first));
	for (int32_t i = 0; i < c->topic_count; i++) {
		s->first[i] = n;
		n += (uint32_t)c->topics[i].partition_count;
	}
	s->bytes = mem_zalloc(((size_t)n + 1) * sizeof(*s->bytes));
	s->led = mem_zalloc(((size_t)n + 1) * sizeof(*s->led));
	return s;
}

void
sizes_free(struct sizes *s)
{
	if (s == NULL)
		return;
	free(s->first);
	free(s->bytes);
	free(s->led);
	free(s);
}

static void
put_partition(struct sizes *s, int32_t broker, const struct topic *t,
    int32_t index, int64_t bytes)
{
	const struct partition *p = topic_partition(t, index);
	size_t at;

	if (p == NULL || bytes < 0)
		return;
	at = s->first[t - s->cluster->topics] + (size_t)(p - t->partitions);
	if (p->leader == broker) {
		s->bytes[at] = bytes;
		s->led[at] = true;
	} else if (!s->led[at] && bytes > s->bytes[at]) {
		s->bytes[at] = bytes;
	}
}

void
sizes_put(struct sizes *s, int32_t broker,
    const struct describe_log_dirs_response *said)
{
	for (int32_t i = 0; i < said->results.n; i++) {
		const struct describe_log_dirs_response_results *dir =
		    &said->results.v[i];

		for (int32_t j = 0; j < dir->topics.n; j++) {
			const struct describe_log_dirs_response_results_topics
			    *from = &dir->topics.v[j];
			const struct topic *t = cluster_topic(s->cluster,
			    from->name);

			/* A future one is a copy on its way to another
			 * folder. */
			for (int32_t k = 0; t && k < from->partitions.n; k++)
				if (!from->partitions.v[k].is_future_key)
					put_partition(s, broker, t,
					    from->partitions.v[k]
					    .partition_index,
					    from->partitions.v[k]
					    .partition_size);
		}
	}
}

int64_t
sizes_of(const struct sizes *s, const struct topic *t, int32_t i)
{
	return s == NULL ? 0 : s->bytes[s->first[t - s->cluster->topics] +
	    (size_t)i];
}
