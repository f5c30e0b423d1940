/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/session_tenant.h"

#include <stdio.h>

#include "gateway/audit.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/net/conn.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/throttle.h"
#include "gateway/worker.h"

/* Of a verdict that lets nobody in. */
static enum auth_failure
failure_of(enum tenant_verdict v)
{
	return v == TENANT_NETWORK ? AUTH_FAILURE_NETWORK :
	    AUTH_FAILURE_TENANT;
}

bool
session_tenant_find(const struct session *s, const struct principal *p,
    struct tenant **to, enum auth_failure *failure, struct error *err)
{
	const struct worker *w = s->worker;
	const struct tenant_client c = {
		.principal = p,
		.listener = w->config->listeners.v[s->listener].name,
		.server_name = conn_server_name(s->conn),
		.peer = conn_peer(s->conn),
	};
	enum tenant_verdict v;
	const char *why;

	*to = NULL;
	if (w->tenants == NULL)
		return true;
	v = tenants_find(w->tenants, &c, to, err);
	if (v != TENANT_FOUND) {
		*failure = failure_of(v);
		return false;
	}
	if (!tenant_suspended(*to, &why))
		return true;
	*failure = AUTH_FAILURE_SUSPENDED;
	return error_set(err, "tenant %s is suspended: %s", (*to)->id, why);
}

bool
session_tenant_again(const struct session *s, const struct principal *p,
    struct tenant **to, struct error *err)
{
	const struct tenant *was = s->tenant;
	enum auth_failure ignored;

	if (!session_tenant_find(s, p, to, &ignored, err))
		return false;
	if (was == NULL && *to == NULL)
		return true;
	if (*to == NULL)
		return error_set(err, "there are no tenants any more");
	if (was == NULL || strcmp(was->id, (*to)->id) != 0)
		return error_set(err, "it belongs to tenant %s now", (*to)->id);
	if (tenant_moved(was, *to))
		return error_set(err, "%s of tenant %s is another now",
		    was->config->namespace != (*to)->config->namespace ?
		    "the namespace" : "an adopted name", was->id);
	return true;
}

void
session_tenant_take(struct session *s, struct tenant *t)
{
	struct tenant *was = s->tenant;

	s->tenant = t != NULL ? tenant_ref(t) : NULL;
	tenant_unref(was);
	throttle_again(s);
}

void
session_tenant_begin(struct session *s)
{
	struct auth_step step = { .failure = AUTH_FAILURE_NONE };
	struct tenant *t;

	if (session_tenant_find(s, NULL, &t, &step.failure, &step.error)) {
		session_tenant_take(s, t);
		throttle_enter(s);
		return;
	}
	metric_add(s->worker->metrics, metric_failure(METRIC_LOGIN_FAILURES,
	    (int)step.failure), 1);
	audit_login(s, "none", &step, false);
	session_close(s, CONN_TENANT, step.error.text);
}

const char *
session_tenant_log(const struct session *s, char *to, size_t size)
{
	if (s->tenant == NULL)
		return "";
	snprintf(to, size, " tenant=%s", s->tenant->id);
	return to;
}
