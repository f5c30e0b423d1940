/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/explain.h"

#include <string.h>

#include <jansson.h>

#include "auth/auth.h"
#include "gateway/tenants.h"

static const struct {
	const char		*name;
	enum policy_resource	 type;
} types[] = {
	{ "topic/", POLICY_TOPIC },
	{ "group/", POLICY_GROUP },
	{ "transactional-id/", POLICY_TRANSACTIONAL_ID },
};

/* From "topic/orders", "cluster" or a whole ARN. */
static bool
find_resource(const struct policy_cluster *c, const char *text,
    enum policy_resource *type, struct slice *name)
{
	if (strcmp(text, "cluster") == 0) {
		*type = POLICY_CLUSTER;
		*name = SLICE_LIT("");
		return true;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i].name);

		if (strncmp(text, types[i].name, n) != 0 || text[n] == '\0')
			continue;
		*type = types[i].type;
		*name = slice_of(text + n);
		return true;
	}
	return policy_resource_parse(c, slice_of(text), type, name);
}

static json_t *
verdict_json(const struct policy_verdict *v, const struct principal *p)
{
	json_t *to = json_object();

	json_object_set_new(to, "allowed", json_boolean(v->allowed));
	json_object_set_new(to, "decision", json_string(v->allowed ?
	    "allowed" : v->denied ? "explicit deny" :
	    v->by_session ? "not allowed by the session policy" :
	    "implicit deny: nothing allows it"));
	json_object_set_new(to, "principal", json_string(p->arn));
	if (v->policy == NULL)
		return to;
	json_object_set_new(to, "policy", json_string(policy_name(v->policy)));
	json_object_set_new(to, "statement", json_integer(v->statement));
	if (v->sid != NULL)
		json_object_set_new(to, "sid", json_string(v->sid));
	return to;
}

/* Whose member it is, or is to be; *to is NULL without tenants. */
static bool
find_tenant(const struct tenants *all, const struct explain_query *q,
    const struct principal *p, struct tenant **to, struct error *err)
{
	const struct tenant_client c = { .principal = p, .somewhere = true };

	*to = NULL;
	if (q->tenant != NULL) {
		*to = tenants_get(all, slice_of(q->tenant));
		return *to != NULL || error_set(err, "there is no tenant %.80s",
		    q->tenant);
	}
	if (all == NULL || tenants_find(all, &c, to, err) == TENANT_FOUND)
		return true;
	/* A key or a claim is not known of a principal's name. */
	return error_set(err, "which tenant? Of %s alone, %s", p->arn,
	    err->text);
}

static void
add_tenant(json_t *to, const struct tenant *t)
{
	const char *why;

	if (t == NULL)
		return;
	json_object_set_new(to, "tenant", json_string(t->id));
	if (tenant_suspended(t, &why))
		json_object_set_new(to, "suspended", json_string(why));
}

/* What is asked, of a principal that there is. */
static json_t *
judge(struct auth *a, const struct tenant *t, struct principal *p,
    const struct explain_query *q, struct error *err)
{
	const struct policy_cluster *cluster = t != NULL ? &t->cluster :
	    &auth_settings(a)->cluster;
	int action = policy_action_find(slice_of(q->action));
	struct policy *v[POLICY_SET_MAX];
	struct policy_context context = { .principal = p,
		.extra = q->context, .extra_count = q->context_count };
	struct policy_verdict verdict;
	char text[POLICY_VERDICT_TEXT];
	enum policy_resource type;
	struct policy_set *set;
	struct slice name;
	uint32_t n;
	json_t *to;

	if (action < 0) {
		error_set(err, "%s is no action of kafka-cluster", q->action);
		return NULL;
	}
	if (!find_resource(cluster, q->resource, &type, &name)) {
		error_set(err, "%s is no resource of this cluster: give "
		    "cluster, topic/NAME, group/NAME, transactional-id/NAME "
		    "or an ARN", q->resource);
		return NULL;
	}
	if (policy_action_resource((enum policy_action)action) != type) {
		error_set(err, "%s is not about a resource of that type",
		    q->action);
		return NULL;
	}
	n = auth_policies(a, p, t != NULL ? t->policies : NULL,
	    t != NULL ? t->policy_count : 0, v);
	set = policy_set_new(cluster, &context, v, n, p->session_policy);
	policy_explain(set, (enum policy_action)action, type, name, &verdict);
	to = verdict_json(&verdict, p);
	policy_verdict_text(set, (enum policy_action)action, type, name,
	    &verdict, text, sizeof(text));
	json_object_set_new(to, "text", json_string(text));
	add_tenant(to, t);
	policy_set_free(set);
	return to;
}

struct json_t *
explain_access(struct auth *a, const struct tenants *t,
    const struct explain_query *q, struct error *err)
{
	struct principal *p = auth_principal_named(a, slice_of(q->principal),
	    err);
	struct tenant *tenant;
	json_t *to = NULL;

	if (p == NULL)
		return NULL;
	if (find_tenant(t, q, p, &tenant, err))
		to = judge(a, tenant, p, q, err);
	principal_unref(p);
	return to;
}
