/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_census.h"

#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/census_control.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "quota/stock.h"
#include "routing/cluster.h"
#include "routing/shape.h"

enum {
	ROOM_SINCE = 9,			/* Kafka 2.8 */
	ROOM_WAIT_MS = 1000,
};

static const struct census_tenant *
census_of(const struct request *r)
{
	const struct tenant *t = r->session->tenant;

	return census_tenant(r->worker->census, t != NULL ? t->id : "");
}

static bool
is_known(const struct request *r, enum quota_named kind, struct slice name)
{
	const struct census_tenant *t = census_of(r);

	return t != NULL && quota_stock_has(t->stock, kind, name);
}

/* ---- refusing ---- */

static void
refuse(struct request *r, int16_t error)
{
	const struct field *f = message_field(r->schema->response,
	    "error_message");
	void *response = shape_error(r->schema, r->version, r->body, error,
	    &r->arena);
	struct slice text = throttle_text(r);

	if (response != NULL && f != NULL)
		memcpy((char *)response + f->offset, &text, sizeof(text));
	if (response != NULL)
		request_answer(r, response);
	else
		request_answer_error(r, error);
}

/* ---- groups and transactional ids ---- */

static bool
unsure(struct request *r)
{
	metric_add(r->worker->metrics, METRIC_CENSUS_UNSURE, 1);
	return true;
}

/* When it has waited long enough. */
static int64_t
deadline_us(const struct request *r)
{
	return r->uncounted_us + CENSUS_WAIT_MS * 1000;
}

static struct quota_since
since_of(const struct request *r)
{
	bool waited = r->uncounted_us != 0;

	return (struct quota_since){ .came_us = r->start_us, .waited = waited,
		.tired = waited && loop_now_us(r->worker->loop) >=
		    deadline_us(r) };
}

static void
await(struct request *r, void (*resume)(struct request *r))
{
	struct worker *w = r->worker;

	if (r->uncounted_us == 0)
		r->uncounted_us = loop_now_us(w->loop);
	request_wait(r, &w->uncounted, deadline_us(r), resume);
	census_wish(w->gateway, true);
}

bool
throttle_make(struct request *r, enum quota_named kind, struct slice name,
    int16_t error, void (*resume)(struct request *r))
{
	const struct quota_who *w = throttle_who(r->session);
	struct quota_reason why;

	if (w == NULL || !quota_is_limited(w, quota_named_dimension(kind)) ||
	    is_known(r, kind, name))
		return true;
	switch (quota_make(w, kind, name, since_of(r),
	    loop_now_us(r->worker->loop), &why)) {
	case QUOTA_THERE:
		return true;
	case QUOTA_MADE:
		census_wish(r->worker->gateway, false);
		return true;
	case QUOTA_UNSURE:
		return unsure(r);
	case QUOTA_STALE:
		await(r, resume);
		return false;
	case QUOTA_OVER:
		break;
	}
	throttle_refused(r, &why);
	throttle_log(r, kind == QUOTA_NAMED_GROUPS ? "group" :
	    "transactional_id", name);
	refuse(r, error);
	return false;
}

void
throttle_unmake(struct request *r, enum quota_named kind, struct slice name)
{
	const struct quota_who *w = throttle_who(r->session);

	if (w == NULL || !quota_is_limited(w, quota_named_dimension(kind)))
		return;
	quota_unmake(w, kind, name);
	census_wish(r->worker->gateway, false);
}

/* ---- sizes ---- */

/* THROTTLING_QUOTA_EXCEEDED is what Java's producer repeats until its delivery
 * timeout, so that it goes on when there is room again. Older clients do not
 * know it. */
static int16_t
no_room(struct request *r, const struct quota_reason *why)
{
	throttle_refused(r, why);
	return r->version >= ROOM_SINCE ? KAFKA_THROTTLING_QUOTA_EXCEEDED :
	    KAFKA_POLICY_VIOLATION;
}

static bool
is_over(struct request *r, enum quota_dimension d, int64_t bytes,
    struct quota_reason *why)
{
	int64_t most = bytes > 0 ? quota_size_limit(throttle_who(r->session),
	    d, bytes, loop_now_us(r->worker->loop), why) : -1;

	return most >= 0 && bytes > most;
}

static bool
is_full(struct request *r, const struct census_tenant *t,
    const struct shape_item *item, struct quota_reason *why)
{
	const struct cluster *c = r->worker->cluster;
	const struct topic *topic;

	if (t->full_count == 0)
		return false;
	topic = item->id != NULL && !uuid_is_zero(item->id) ?
	    cluster_topic_by_id(c, item->id) : cluster_topic(c, item->name);
	return topic != NULL && is_over(r, QUOTA_DIM_COMPACTED_BYTES,
	    census_full(t, topic, item->key), why);
}

int16_t
throttle_room(struct request *r, const struct shape_item *item)
{
	const struct quota_who *w = throttle_who(r->session);
	const struct census_tenant *t;
	struct quota_reason why;

	if (w == NULL || (!quota_is_limited(w, QUOTA_DIM_STORAGE) &&
	    !quota_is_limited(w, QUOTA_DIM_COMPACTED_BYTES)) ||
	    (t = census_of(r)) == NULL)
		return 0;
	if (is_over(r, QUOTA_DIM_STORAGE, t->bytes, &why)) {
		/* All that it writes is refused: it need not hurry. Noted it
		 * has been. */
		why.record = NULL;
		throttle_tell(r, ROOM_WAIT_MS * 1000, &why);
		return no_room(r, &why);
	}
	return is_full(r, t, item, &why) ? no_room(r, &why) : 0;
}
