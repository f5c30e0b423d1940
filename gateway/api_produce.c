/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Produce: split by leader; the record batches pass by reference. With acks=0
 * there is no reply, neither from the broker nor to the client.
 */
#include "gateway/forward.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "wire/messages.h"

enum { LEADERS_SINCE = 10 };

/* The new leaders' addresses (KIP-951), which are all ours. Ids are virtual
 * already, so there are at most as many as virtual brokers. */
static void
show_endpoints(struct request *r, struct produce_response *to)
{
	int32_t count = session_virtual_count(r->session);
	bool *named = ARENA_ARRAY(&r->arena, bool, count);

	to->node_endpoints.n = 0;
	to->node_endpoints.v = ARENA_ARRAY(&r->arena,
	    struct produce_response_node_endpoints, count);
	for (int32_t i = 0; i < to->responses.n; i++)
		for (int32_t j = 0; j < to->responses.v[i].partition_responses.n;
		    j++) {
			int32_t id = to->responses.v[i].partition_responses
			    .v[j].current_leader.leader_id;
			struct produce_response_node_endpoints *e;

			if (id < 0 || id >= count || named[id])
				continue;
			named[id] = true;
			e = &to->node_endpoints.v[to->node_endpoints.n++];
			e->node_id = id;
			session_address(r->session, id, &r->arena, &e->host,
			    &e->port);
		}
}

static void
produced(struct request *r, void *response)
{
	struct produce_response *to = response;

	if (r->version >= LEADERS_SINCE)
		to->node_endpoints.n = 0;
	/* Without an error there is nothing in it that a broker could show. */
	if (r->error != 0) {
		outward(r, response);
		if (r->version >= LEADERS_SINCE)
			show_endpoints(r, to);
	}
	request_answer(r, response);
}

void
api_produce(struct request *r)
{
	const struct produce_request *q = r->body;

	forward(r, q->acks == 0, produced);
}
