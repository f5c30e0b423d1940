/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FindCoordinator: where the coordinator is matters to nobody, since requests
 * are served on any connection; that there is one is looked up, and told as a
 * virtual broker.
 */
#include "gateway/authorize.h"
#include "gateway/coordinators.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "routing/virtual.h"
#include "wire/messages.h"

enum { COORDINATOR_KEY_SHARE = 2 };

struct finding {
	struct request			*r;
	struct coordinator_query	*q;
	int32_t				 n;
};

/* The key's error before anybody is asked; 0: it is to be looked up. */
static int16_t
judge_key(struct request *r, int8_t type, struct slice key)
{
	switch (type) {
	case COORDINATOR_GROUP:
		return authorize_grants(r, POLICY_DESCRIBE_GROUP, key) ?
		    0 : KAFKA_GROUP_AUTHORIZATION_FAILED;
	case COORDINATOR_TXN:
		return authorize_grants(r, POLICY_DESCRIBE_TRANSACTIONAL_ID,
		    key) ? 0 :
		    KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	case COORDINATOR_KEY_SHARE:
		/* Share coordinators are between brokers. */
		return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	default:
		return KAFKA_INVALID_REQUEST;
	}
}

/* Fills in the queries, those that are to be looked up first: how many. */
static int32_t
fill_queries(struct finding *f, const struct find_coordinator_request *q)
{
	int32_t from = 0, refused = f->n;

	for (int32_t i = 0; i < f->n; i++) {
		struct slice key = f->r->version >= 4 ?
		    q->coordinator_keys.v[i] : q->key;
		int16_t error = judge_key(f->r, q->key_type, key);
		struct coordinator_query *to = error == 0 ? &f->q[from++] :
		    &f->q[--refused];

		*to = (struct coordinator_query){ key, -1, error };
	}
	return from;
}

static void
answer_one(struct request *r, const struct coordinator_query *q)
{
	struct find_coordinator_response *to = codec_new(
	    &find_coordinator_response_message, &r->arena);

	to->error_code = q->error;
	to->host = SLICE_LIT("");
	to->node_id = to->port = -1;
	if (q->broker >= 0) {
		to->error_code = 0;
		to->node_id = virtual_for_key(
		    session_virtual_count(r->session), q->key);
		session_address(r->session, to->node_id, &r->arena, &to->host,
		    &to->port);
	} else {
		to->error_message = slice_of(kafka_error_text(q->error));
	}
	request_answer(r, to);
}

static void
answer_many(struct request *r, const struct coordinator_query *q, int32_t n)
{
	struct find_coordinator_response *to = codec_new(
	    &find_coordinator_response_message, &r->arena);
	int32_t count = session_virtual_count(r->session);

	to->coordinators.n = n;
	to->coordinators.v = ARENA_ARRAY(&r->arena,
	    struct find_coordinator_response_coordinators, n + 1);
	for (int32_t i = 0; i < n; i++) {
		struct find_coordinator_response_coordinators *c =
		    &to->coordinators.v[i];

		c->key = q[i].key;
		c->host = SLICE_LIT("");
		c->node_id = c->port = -1;
		if (q[i].broker < 0) {
			c->error_code = q[i].error;
			c->error_message = slice_of(
			    kafka_error_text(q[i].error));
			continue;
		}
		c->node_id = virtual_for_key(count, q[i].key);
		session_address(r->session, c->node_id, &r->arena, &c->host,
		    &c->port);
	}
	request_answer(r, to);
}

static void
coordinators_known(void *arg)
{
	struct finding *f = arg;
	struct request *r = f->r;

	r->pending--;
	if (r->session == NULL)
		request_finish(r);
	else if (r->version >= 4)
		answer_many(r, f->q, f->n);
	else
		answer_one(r, f->q);
}

void
api_find_coordinator(struct request *r)
{
	const struct find_coordinator_request *q = r->body;
	struct finding *f = ARENA_NEW(&r->arena, struct finding);
	int32_t known;

	f->r = r;
	f->n = r->version >= 4 ? q->coordinator_keys.n : 1;
	f->q = ARENA_ARRAY(&r->arena, struct coordinator_query, f->n + 1);
	known = fill_queries(f, q);
	r->pending++;
	if (known > 0)
		coordinators_find(r->worker->coordinators,
		    (enum coordinator_kind)q->key_type, f->q, known,
		    coordinators_known, f);
	else
		coordinators_known(f);
}
