/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/topic_default.h"

#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum { TELLS_PARTITIONS = 5, TIMEOUT_MS = 15000, KEPT_US = 300000000 };

int32_t
topic_default(const struct request *r)
{
	return atomic_load_explicit(&r->worker->gateway->default_partitions,
	    memory_order_relaxed);
}

void
topic_default_set(struct request *r, int32_t partitions)
{
	struct gateway *g = r->worker->gateway;

	if (partitions <= 0)
		return;
	atomic_store(&g->default_partitions, partitions);
	atomic_store(&g->default_us, loop_now_us(r->worker->loop));
}

static bool
is_fresh(const struct request *r)
{
	return topic_default(r) > 0 && loop_now_us(r->worker->loop) -
	    atomic_load(&r->worker->gateway->default_us) < KEPT_US;
}

const struct api_schema *
topic_default_api(const struct request *r, int16_t *version)
{
	const struct api_row *row = api_find(API_CREATE_TOPICS);
	int16_t oldest;

	return api_offered(row, r->worker->cluster, &oldest, version) ?
	    row->schema : NULL;
}

static void
learned(struct request *r)
{
	const struct create_topics_response *got = r->legs[0].reply;

	if (r->session == NULL) {
		request_finish(r);
		return;
	}
	for (int32_t i = 0; got != NULL && i < got->topics.n; i++)
		if (got->topics.v[i].error_code == 0)
			topic_default_set(r, got->topics.v[i].num_partitions);
	/* That was for the answer; the request goes on. */
	r->arena.cap = r->arena.used + CODEC_ARENA_FACTOR * r->bytes_in +
	    4096;
	r->resume(r);
}

bool
topic_default_learn(struct request *r, const struct slice *names, int32_t n,
    void (*resume)(struct request *r))
{
	struct create_topics_request *q;
	const struct api_schema *api;
	int16_t version;

	if (n == 0 || r->default_asked || is_fresh(r))
		return false;
	api = topic_default_api(r, &version);
	if (api == NULL || version < TELLS_PARTITIONS)
		return false;
	r->default_asked = true;
	r->resume = resume;
	q = ARENA_NEW(&r->arena, struct create_topics_request);
	q->timeout_ms = TIMEOUT_MS;
	q->validate_only = true;
	q->topics.n = n < TOPIC_DEFAULT_NAMES ? n : TOPIC_DEFAULT_NAMES;
	q->topics.v = ARENA_ARRAY(&r->arena,
	    struct create_topics_request_topics, q->topics.n);
	for (int32_t i = 0; i < q->topics.n; i++) {
		q->topics.v[i].name = names[i];
		q->topics.v[i].num_partitions = -1;
		q->topics.v[i].replication_factor = -1;
	}
	request_legs(r, 1);
	r->legs[0].broker = LEG_ANY;
	r->legs[0].body = q;
	r->legs[0].as = api;
	r->legs[0].as_version = version;
	request_send(r, USE_GENERAL, false, learned);
	return true;
}
