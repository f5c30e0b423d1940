/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/throttle_census.h"

#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/census.h"
#include "gateway/census_control.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"
#include "quota/stock.h"
#include "routing/shape.h"

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

/* JoinGroup and others have no room for a sentence, so it stands in the log. */
static void
tell(const struct request *r, enum quota_named kind, struct slice name,
    const struct quota_reason *why)
{
	char text[256];
	struct log_quoted q;

	quota_reason_text(why, text, sizeof(text));
	log_warn("refused by a limit", "session=%llu tenant=%s api=%s %s=%s "
	    "reason=\"%s\"", (unsigned long long)r->session->id,
	    r->session->tenant != NULL ? r->session->tenant->id : "",
	    r->schema->name, kind == QUOTA_NAMED_GROUPS ? "group" :
	    "transactional_id", log_quote(name, &q), text);
}

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

/* ---- asking ---- */

static bool
unsure(struct request *r)
{
	metric_add(r->worker->metrics, METRIC_CENSUS_UNSURE, 1);
	return true;
}

static bool
await(struct request *r, void (*resume)(struct request *r))
{
	struct worker *w = r->worker;

	if (r->counted)
		return false;
	r->counted = true;
	request_wait(r, &w->uncounted, loop_now_us(w->loop) +
	    CENSUS_WAIT_MS * 1000, resume);
	census_wish(w->gateway, true);
	return true;
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
	switch (quota_make(w, kind, name, r->start_us,
	    loop_now_us(r->worker->loop), &why)) {
	case QUOTA_THERE:
		return true;
	case QUOTA_MADE:
		census_wish(r->worker->gateway, false);
		return true;
	case QUOTA_UNSURE:
		return unsure(r);
	case QUOTA_STALE:
		/* Brokers have been silent all the time. */
		return await(r, resume) ? false : unsure(r);
	case QUOTA_OVER:
		break;
	}
	throttle_refused(r, &why);
	tell(r, kind, name, &why);
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
