/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a group or a transactional id, and deletes groups: limits of how
 * many there may be come first.
 */
#include "gateway/forward.h"
#include "gateway/session.h"
#include "gateway/throttle_census.h"
#include "wire/messages.h"

/* What a request would make. */
struct making {
	enum quota_named	 kind;
	struct slice		 name;
	/* What it is refused with. GROUP_MAX_SIZE_REACHED (KIP-389) is the one
	 * about groups that clients take as final, and show; before it was
	 * known, INVALID_REQUEST. For a transactional id POLICY_VIOLATION: as
	 * old as these, final, and no disguise, which an authorization error
	 * would be. */
	int16_t			 error;
};

static int16_t
group_error(const struct request *r, int since)
{
	return r->version >= since ? KAFKA_GROUP_MAX_SIZE_REACHED :
	    KAFKA_INVALID_REQUEST;
}

/* A member's first word; a member that has an id is of a group that exists. */
static bool
joins(const struct request *r, struct making *m)
{
	const struct join_group_request *q = r->body;

	*m = (struct making){ QUOTA_NAMED_GROUPS, q->group_id,
		group_error(r, 4) };
	return q->member_id.len == 0;
}

static bool
begins(const struct request *r, struct slice group, int32_t epoch,
    struct making *m)
{
	*m = (struct making){ QUOTA_NAMED_GROUPS, group, group_error(r, 0) };
	return epoch == 0;
}

/* Offsets of nobody's generation: of consumers that are no members. */
static bool
commits(const struct request *r, struct slice group, int32_t generation,
    int since, struct making *m)
{
	*m = (struct making){ QUOTA_NAMED_GROUPS, group,
		group_error(r, since) };
	return generation < 0;
}

static bool
makes(const struct request *r, struct making *m)
{
	const struct consumer_group_heartbeat_request *c = r->body;
	const struct share_group_heartbeat_request *h = r->body;
	const struct streams_group_heartbeat_request *s = r->body;
	const struct offset_commit_request *o = r->body;
	const struct txn_offset_commit_request *t = r->body;
	const struct alter_share_group_offsets_request *a = r->body;
	const struct init_producer_id_request *i = r->body;

	switch (r->schema->key) {
	case API_JOIN_GROUP:
		return joins(r, m);
	case API_CONSUMER_GROUP_HEARTBEAT:
		return begins(r, c->group_id, c->member_epoch, m);
	case API_SHARE_GROUP_HEARTBEAT:
		return begins(r, h->group_id, h->member_epoch, m);
	case API_STREAMS_GROUP_HEARTBEAT:
		return begins(r, s->group_id, s->member_epoch, m);
	case API_OFFSET_COMMIT:
		return commits(r, o->group_id,
		    o->generation_id_or_member_epoch, 7, m);
	case API_TXN_OFFSET_COMMIT:
		return commits(r, t->group_id, t->generation_id, 3, m);
	case API_ALTER_SHARE_GROUP_OFFSETS:
		return begins(r, a->group_id, 0, m);
	case API_INIT_PRODUCER_ID:
		*m = (struct making){ QUOTA_NAMED_TXNS, i->transactional_id,
			KAFKA_POLICY_VIOLATION };
		return i->transactional_id.data != NULL;
	default:
		return false;
	}
}

void
api_make(struct request *r)
{
	struct making m;

	if (!makes(r, &m) || throttle_make(r, m.kind, m.name, m.error,
	    api_make))
		api_forward(r);
}

static void
deleted(struct request *r, void *response)
{
	const struct delete_groups_response *to = response;

	for (int32_t i = 0; i < to->results.n; i++)
		if (to->results.v[i].error_code == 0)
			throttle_unmake(r, QUOTA_NAMED_GROUPS,
			    to->results.v[i].group_id);
	forward_answer(r, response);
}

void
api_delete_groups(struct request *r)
{
	forward(r, deleted);
}
