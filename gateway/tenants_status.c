/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenants_status.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "gateway/audit.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/inquiry.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/tenants_control.h"
#include "gateway/tenants_file.h"

/* ---- sessions ---- */

/* {"ID": sessions} of one worker. */
static json_t *
count_sessions(struct worker *w)
{
	json_t *to = json_object();

	LIST_FOREACH(it, &w->sessions) {
		const struct session *s = LIST_ENTRY(it, struct session, link);
		json_int_t n;

		if (s->tenant == NULL)
			continue;
		n = json_integer_value(json_object_get(to, s->tenant->id));
		json_object_set_new(to, s->tenant->id, json_integer(n + 1));
	}
	return to;
}

static json_int_t
sum(const json_t *workers, const char *id)
{
	const json_t *w;
	json_int_t n = 0;
	size_t i;

	json_array_foreach(workers, i, w)
		n += json_integer_value(json_object_get(w, id));
	return n;
}

/* ---- one tenant ---- */

static void
put(json_t *to, const char *key, const char *value)
{
	if (value != NULL)
		json_object_set_new(to, key, json_string(value));
}

static json_t *
members_json(const struct config_tenant *c)
{
	json_t *to = json_array();

	for (uint32_t i = 0; i < c->members.n; i++) {
		const struct config_tenant_member *m = &c->members.v[i];
		json_t *one = json_object();

		put(one, "principal", m->principal);
		put(one, "access_key", m->access_key);
		put(one, "tenant_claim", m->tenant_claim);
		put(one, "certificate", m->certificate);
		put(one, "listener", m->listener);
		put(one, "sni", m->sni);
		json_array_append_new(to, one);
	}
	return to;
}

static json_t *
texts_json(const struct text_list *l)
{
	json_t *to = json_array();

	for (uint32_t i = 0; i < l->n; i++)
		json_array_append_new(to, json_string(l->v[i]));
	return to;
}

static json_t *
cidrs_json(const struct cidr_list *l)
{
	json_t *to = json_array();

	for (uint32_t i = 0; i < l->n; i++) {
		const struct cidr *c = &l->v[i];
		char host[INET6_ADDRSTRLEN] = "", text[64];
		bool v4 = c->bits >= 96 && IN6_IS_ADDR_V4MAPPED(
		    (const struct in6_addr *)(const void *)c->address);

		inet_ntop(v4 ? AF_INET : AF_INET6, c->address + (v4 ? 12 : 0),
		    host, sizeof(host));
		snprintf(text, sizeof(text), "%s/%d", host,
		    c->bits - (v4 ? 96 : 0));
		json_array_append_new(to, json_string(text));
	}
	return to;
}

static json_t *
describe(const struct tenant *t, const json_t *workers)
{
	const struct config_tenant *c = t->config;
	const char *suspended;

	(void)tenant_suspended(t, &suspended);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?, s:o, s:{s:o, s:o}, "
	    "s:o, s:{s:i, s:i, s:i}}",
	    "id", t->id,
	    "namespace", c->namespace == CONFIG_NAMESPACE_SHARED ? "shared" :
	    "prefixed",
	    "cluster_id", t->cluster.uuid,
	    "arn", t->arn,
	    "sessions", sum(workers, t->id),
	    "suspended", suspended,
	    "members", members_json(c),
	    "networks",
	    "cidrs", cidrs_json(&c->networks.cidrs),
	    "vpc_endpoints", texts_json(&c->networks.vpc_endpoints),
	    "policies", texts_json(&c->policies),
	    "adopted",
	    "topics", (int)c->adopt.topics.n,
	    "groups", (int)c->adopt.groups.n,
	    "transactional_ids", (int)c->adopt.transactional_ids.n);
}

json_t *
tenants_status(struct gateway *g, const char *id, struct error *err)
{
	const struct tenants *all = g->tenants;
	const struct tenant *one = NULL;
	json_t *to, *workers;

	if (all == NULL) {
		error_set(err, "there are no tenants: tenants_dir is not set");
		return NULL;
	}
	if (id != NULL && (one = tenants_get(all, slice_of(id))) == NULL) {
		error_set(err, "there is no tenant %.80s", id);
		return NULL;
	}
	to = json_array();
	workers = inquiry(g, count_sessions);
	for (uint32_t i = 0; i < tenants_count(all); i++)
		if (one == NULL || one == tenants_at(all, i))
			json_array_append_new(to, describe(tenants_at(all, i),
			    workers));
	json_decref(workers);
	return json_pack("{s:o}", "tenants", to);
}

/* ---- suspending ---- */

/* The file; what is in force is the reload's to change. */
static bool
change_file(const struct gateway *g, const char *id, const char *why,
    struct error *err)
{
	if (g->config->tenants_dir == NULL)
		return error_set(err, "there are no tenants: tenants_dir is "
		    "not set");
	return tenants_file_suspend(g->config->tenants_dir, id, why, err);
}

/* Faults of other files do not keep it from being so. */
static bool
is_in_force(const struct gateway *g, const char *id, const char *why)
{
	const struct tenant *t = tenants_get(g->tenants, slice_of(id));
	const char *now;

	if (t == NULL)
		return false;
	(void)tenant_suspended(t, &now);
	return text_eq(now, why);
}

bool
tenants_set_suspended(struct gateway *g, const char *id, const char *why,
    struct error_list *errs)
{
	const char *what = why != NULL ? "suspend" : "resume";
	char detail[700];
	struct error err;

	if (change_file(g, id, why, &err))
		return tenants_control_reload(g, errs) ||
		    is_in_force(g, id, why);
	snprintf(detail, sizeof(detail), "tenant %.80s: %s", id, err.text);
	audit_admin(g, what, false, detail);
	error_list_add(errs, "tenant", "%s", err.text);
	return false;
}
