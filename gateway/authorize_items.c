/* SPDX-License-Identifier: Apache-2.0 */
/* The items of a request, and the items within them. */
#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "routing/cluster.h"
#include "wire/messages.h"

/* org.apache.kafka.common.config.ConfigResource.Type */
enum { RESOURCE_TOPIC = 2, RESOURCE_GROUP = 32 };

/* ---- items ---- */

static bool
about_items(const struct authorize_rule *rule)
{
	return rule->how >= AUTHORIZE_TOPIC_ITEMS &&
	    rule->how <= AUTHORIZE_OTHER_CONFIGS;
}

bool
authorize_begin(struct authorize_items *a, struct request *r)
{
	const struct authorize_rule *rule;
	int n;

	memset(a, 0, sizeof(*a));
	a->r = r;
	if (authorize_unlimited(r->session))
		return false;
	rule = authorize_rules(r->schema->key, &n);
	for (; n > 0; n--, rule++)
		if (about_items(rule) && authorize_holds(rule, r->version)) {
			a->rules = rule;
			a->count = n;
			a->atomic = rule->how == AUTHORIZE_ATOMIC_ITEMS;
			return true;
		}
	return false;
}

/* The resource's type and name. */
static int8_t
config_resource(const struct request *r, const struct shape_item *item,
    struct slice *name)
{
	const struct describe_configs_request_resources *d = item->outer;
	const struct alter_configs_request_resources *a = item->outer;
	const struct incremental_alter_configs_request_resources *i =
	    item->outer;

	switch (r->schema->key) {
	case API_DESCRIBE_CONFIGS:
		*name = d->resource_name;
		return d->resource_type;
	case API_ALTER_CONFIGS:
		*name = a->resource_name;
		return a->resource_type;
	default:
		*name = i->resource_name;
		return i->resource_type;
	}
}

static int16_t
judge_config(struct authorize_items *a, const struct shape_item *item)
{
	struct slice name;
	int8_t type = config_resource(a->r, item, &name);
	const struct authorize_rule *rule = a->rules;
	enum authorize_how how = type == RESOURCE_TOPIC ?
	    AUTHORIZE_TOPIC_CONFIGS : type == RESOURCE_GROUP ?
	    AUTHORIZE_GROUP_CONFIGS : AUTHORIZE_OTHER_CONFIGS;

	for (int i = 0; i < a->count; i++, rule++)
		if (rule->how == how && authorize_grants(a->r, rule->action,
		    name))
			return 0;
	return type == RESOURCE_TOPIC ? KAFKA_TOPIC_AUTHORIZATION_FAILED :
	    type == RESOURCE_GROUP ? KAFKA_GROUP_AUTHORIZATION_FAILED :
	    KAFKA_CLUSTER_AUTHORIZATION_FAILED;
}

static int16_t
judge_topic(struct request *r, enum policy_action action,
    const struct shape_item *item)
{
	const struct topic *t;
	int16_t error;

	if (item->id == NULL || uuid_is_zero(item->id))
		return authorize_topic(r, action, item->name, false);
	t = cluster_topic_by_id(r->worker->cluster, item->id);
	if (t == NULL)
		return AUTHORIZE_UNKNOWN;
	error = authorize_topic(r, action, t->name, true);
	/* Hidden: looked for as long as one that there is not, else the time
	 * it takes would tell the two apart. */
	if (error == KAFKA_UNKNOWN_TOPIC_ID)
		return AUTHORIZE_UNKNOWN;
	/* Who says both must be allowed both. */
	return error != 0 || item->name.len == 0 ? error :
	    authorize_topic(r, action, item->name, false);
}

static int16_t
judge(struct authorize_items *a, const struct shape_item *item)
{
	const struct authorize_rule *rule = a->rules;

	switch ((enum authorize_how)rule->how) {
	case AUTHORIZE_TOPIC_ITEMS:
	case AUTHORIZE_ATOMIC_ITEMS:
		return judge_topic(a->r, rule->action, item);
	case AUTHORIZE_GROUP_ITEMS:
		return authorize_grants(a->r, rule->action, item->name) ? 0 :
		    KAFKA_GROUP_AUTHORIZATION_FAILED;
	case AUTHORIZE_TXN_ITEMS:
		return authorize_grants(a->r, rule->action, item->name) ? 0 :
		    KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	default:
		return judge_config(a, item);
	}
}

int16_t
authorize_item(struct authorize_items *a, const struct shape_item *item)
{
	if (item->outer != a->outer) {
		a->outer = item->outer;
		a->last = judge(a, item);
		a->unknown |= a->last == AUTHORIZE_UNKNOWN;
		a->denied |= a->last != AUTHORIZE_OK;
	}
	return a->last;
}

/* ---- topics within groups ---- */

/* A group of which topics were taken. */
struct nested_group {
	struct slice	 id;
	void		*whole;		/* the element as it was asked for */
	int32_t		*leg_of;	/* by its items: 0, or -1 and error */
	int16_t		*errors;
	struct nested_group *next;	/* the same group once more */
};

struct authorize_nested {
	const struct shape	*shape;
	struct nested_group	*groups;
	int32_t			 count;
};

struct nested_judging {
	struct request		*r;
	enum policy_action	 action;
	bool			 settle, denied, unknown;
	struct nested_group	*to;
	const void		*outer;
	int16_t			 last;
};

static void
judge_nested(void *arg, int32_t i, const struct shape_item *item)
{
	struct nested_judging *j = arg;

	if (item->outer != j->outer) {
		j->outer = item->outer;
		j->last = judge_topic(j->r, j->action, item);
		j->unknown |= j->last == AUTHORIZE_UNKNOWN;
		j->denied |= j->last != AUTHORIZE_OK;
	}
	j->to->leg_of[i] = j->last == AUTHORIZE_OK ? 0 : -1;
	j->to->errors[i] = j->last == AUTHORIZE_UNKNOWN ?
	    KAFKA_UNKNOWN_TOPIC_ID : j->last;
}

/* The array of groups and what an element is named by, of a request or a
 * response. */
struct groups {
	const struct field	*field, *id, *error;
	char			*v;
	int32_t			 n;
};

static struct groups
groups_of(const struct message *m, const void *body)
{
	struct groups g = { .field = message_field(m, "groups") };
	const char *at = (const char *)body + g.field->offset;

	memcpy(&g.v, at, sizeof(g.v));
	memcpy(&g.n, at + sizeof(g.v), sizeof(g.n));
	g.id = message_field(g.field->element, "group_id");
	g.error = message_field(g.field->element, "error_code");
	return g;
}

static struct slice
group_id(const struct groups *g, int32_t i)
{
	struct slice s;

	memcpy(&s, g->v + (size_t)i * g->field->size + g->id->offset,
	    sizeof(s));
	return s;
}

static const struct authorize_rule *
nested_rule(const struct request *r)
{
	int n;
	const struct authorize_rule *rule = authorize_rules(r->schema->key,
	    &n);

	for (; n > 0; n--, rule++)
		if (rule->how == AUTHORIZE_NESTED_TOPICS &&
		    authorize_holds(rule, r->version))
			return rule;
	return NULL;
}

bool
authorize_nested(struct request *r, bool settle,
    struct authorize_nested **nested)
{
	const struct authorize_rule *rule;
	struct authorize_nested *to;
	struct groups g;
	struct nested_judging j = { .r = r, .settle = settle };

	*nested = NULL;
	if (authorize_unlimited(r->session) || (rule = nested_rule(r)) == NULL)
		return true;
	j.action = rule->action;
	to = ARENA_NEW(&r->arena, struct authorize_nested);
	to->shape = shape_nested(r->schema->key, r->version);
	g = groups_of(r->schema->request, r->body);
	to->groups = ARENA_ARRAY(&r->arena, struct nested_group, g.n + 1);
	for (int32_t i = 0; i < g.n; i++) {
		void *element = g.v + (size_t)i * g.field->size;
		int32_t items = shape_count(to->shape, element);

		j.to = &to->groups[to->count];
		j.denied = shape_hollow(to->shape, element);
		j.to->id = group_id(&g, i);
		j.to->whole = element;
		j.to->leg_of = ARENA_ARRAY(&r->arena, int32_t, items + 1);
		j.to->errors = ARENA_ARRAY(&r->arena, int16_t, items + 1);
		shape_each(to->shape, element, judge_nested, &j);
		if (j.unknown && !settle)
			return false;
		to->count += j.denied;
	}
	if (to->count == 0)
		return true;
	/* Only now is anything changed. */
	for (int32_t i = 0; i < to->count; i++) {
		struct nested_group *one = &to->groups[i];
		void *was = arena_get(&r->arena, g.field->size);

		memcpy(was, one->whole, g.field->size);
		memcpy(one->whole, shape_part(to->shape, was, one->leg_of, 0,
		    &r->arena), g.field->size);
		one->whole = was;
	}
	*nested = to;
	return true;
}

/* Takes out the next one of that id. */
static struct nested_group *
take_nested(struct htab *by_id, struct slice id)
{
	struct nested_group *one = htab_take(by_id, id);

	if (one != NULL && one->next != NULL)
		htab_set(by_id, id, one->next);
	return one;
}

static void
merge_nested(struct request *r, const struct authorize_nested *n,
    const struct nested_group *one, const struct groups *g, char *element)
{
	struct shape_answer answer = { element, 0 };
	int16_t error;
	uint32_t odd;

	memcpy(&error, element + g->error->offset, sizeof(error));
	/* An error of the group has no topics beside it. */
	if (error == 0)
		memcpy(element, shape_merge(n->shape, one->whole, one->leg_of,
		    one->errors, &answer, 1, KAFKA_UNKNOWN_SERVER_ERROR,
		    &r->arena, &odd), g->field->size);
}

void
authorize_merge(struct request *r, const struct authorize_nested *n,
    void *response)
{
	struct htab *by_id;
	struct groups g;

	if (n == NULL)
		return;
	by_id = htab_new();
	for (int32_t i = n->count - 1; i >= 0; i--)
		n->groups[i].next = htab_set(by_id, n->groups[i].id,
		    &n->groups[i]);
	g = groups_of(r->schema->response, response);
	for (int32_t i = 0; i < g.n; i++) {
		struct nested_group *one = take_nested(by_id,
		    group_id(&g, i));

		if (one != NULL)
			merge_nested(r, n, one, &g,
			    g.v + (size_t)i * g.field->size);
	}
	htab_free(by_id, NULL);
}
