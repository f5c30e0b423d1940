/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What brokers answered, without what the principal may not see: they know the
 * gateway only, which may see all of it.
 */
#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "routing/cluster.h"
#include "wire/messages.h"

enum { RESOURCE_TOPIC = 2, RESOURCE_GROUP = 32 };

/* A walk that leaves elements out. */
struct sieve {
	struct request	*r;
	const struct authorize_rule *rule;
	const void	*named;		/* the struct whose name was seen last:
					 * its id says nothing more */
	const void	*drop;		/* the struct to leave out */
	bool		 found;		/* something was denied */
};

static bool
topic_denied(const struct sieve *s, struct slice name)
{
	return cluster_internal(s->r->worker->cluster, name) ||
	    !authorize_allows(s->r->session, s->rule->action, name);
}

static bool
id_denied(const struct sieve *s, const struct uuid *id)
{
	const struct topic *t;

	if (uuid_is_zero(id))
		return false;
	t = cluster_topic_by_id(s->r->worker->cluster, id);
	/* A topic of an assignment may be newer than the snapshot, and is said
	 * once only; where there is a name too, that counts. */
	if (t == NULL)
		return s->rule->how == AUTHORIZE_KEEP_TOPICS &&
		    !authorize_unlimited(s->r->session);
	return topic_denied(s, t->name);
}

/* Whether the value is one that may not be seen. */
static bool
denied(struct sieve *s, const struct field *f, const void *value,
    const void *parent)
{
	switch (f->meaning) {
	case MEANING_topic:
		s->named = parent;
		return topic_denied(s, *(const struct slice *)value);
	case MEANING_topic_id:
		return s->named != parent && id_denied(s, value);
	default:
		return false;
	}
}

static enum codec_walk
visit_topics(void *arg, const struct field *f, void *value, void *parent)
{
	struct sieve *s = arg;

	if (f->type == FIELD_STRUCT) {
		if (value != s->drop)
			return CODEC_KEEP;
		s->drop = NULL;
		return CODEC_DROP;
	}
	if (!denied(s, f, value, parent))
		return CODEC_KEEP;
	if (!f->array)
		s->drop = parent;
	return CODEC_DROP;
}

static void
keep_topics(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct sieve s = { .r = r, .rule = rule };

	codec_walk(r->schema->response, r->version, reply, visit_topics, &s);
}

/* ---- lists ---- */

static void
keep_groups(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct list_groups_response *to = reply;
	bool all = authorize_allows(r->session, POLICY_DESCRIBE_CLUSTER,
	    SLICE_NULL);
	int32_t n = 0;

	for (int32_t i = 0; i < to->groups.n; i++) {
		struct slice id = to->groups.v[i].group_id;

		if (all ? authorize_owns(r->session, rule->action, id) :
		    authorize_allows(r->session, rule->action, id))
			to->groups.v[n++] = to->groups.v[i];
	}
	if (to->groups.n > 0)
		to->groups.n = n;
}

static void
keep_txns(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct list_transactions_response *to = reply;
	int32_t n = 0;

	for (int32_t i = 0; i < to->transaction_states.n; i++)
		if (authorize_allows(r->session, rule->action,
		    to->transaction_states.v[i].transactional_id))
			to->transaction_states.v[n++] =
			    to->transaction_states.v[i];
	if (to->transaction_states.n > 0)
		to->transaction_states.n = n;
}

static void
keep_configs(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct list_config_resources_response *to = reply;
	int8_t type = rule->action == POLICY_DESCRIBE_TOPIC ? RESOURCE_TOPIC :
	    RESOURCE_GROUP;
	int32_t n = 0;

	for (int32_t i = 0; i < to->config_resources.n; i++)
		if (to->config_resources.v[i].resource_type != type ||
		    authorize_allows(r->session, rule->action,
		    to->config_resources.v[i].resource_name))
			to->config_resources.v[n++] =
			    to->config_resources.v[i];
	if (to->config_resources.n > 0)
		to->config_resources.n = n;
}

/* ---- groups that were described ---- */

/* The array of groups of a response. */
struct described {
	const struct field	*field;
	char			*v;
	int32_t			 n;
};

static struct described
described_groups(const struct request *r, void *reply)
{
	struct described d = {
		.field = message_field(r->schema->response, "groups"),
	};
	const char *at = (char *)reply + d.field->offset;

	memcpy(&d.v, at, sizeof(d.v));
	memcpy(&d.n, at + sizeof(d.v), sizeof(d.n));
	return d;
}

static void
put(const struct field *groups, char *group, const char *name,
    const void *value, size_t size)
{
	memcpy(group + message_field(groups->element, name)->offset, value,
	    size);
}

static void
get(const struct field *groups, const char *group, const char *name,
    void *value, size_t size)
{
	memcpy(value, group + message_field(groups->element, name)->offset,
	    size);
}

/* What members subscribe to may not exist; the names that may not be seen are
 * left out. What they read does, and what a topology has is not to be cut. */
static enum codec_walk
visit_described(void *arg, const struct field *f, void *value, void *parent)
{
	struct sieve *s = arg;

	if (!denied(s, f, value, parent))
		return CODEC_KEEP;
	if (strcmp(f->name, "subscribed_topic_names") == 0)
		return CODEC_DROP;
	s->found = true;
	return CODEC_KEEP;
}

static void
hide_described(struct request *r, const struct authorize_rule *rule,
    void *reply)
{
	struct described d = described_groups(r, reply);
	int16_t error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
	struct slice id;

	for (int32_t i = 0; i < d.n; i++) {
		char *group = d.v + (size_t)i * d.field->size;
		struct sieve s = { .r = r, .rule = rule };

		codec_walk(d.field->element, r->version, group,
		    visit_described, &s);
		if (!s.found)
			continue;
		get(d.field, group, "group_id", &id, sizeof(id));
		memset(group, 0, d.field->size);
		codec_defaults(d.field->element, group);
		put(d.field, group, "group_id", &id, sizeof(id));
		put(d.field, group, "error_code", &error, sizeof(error));
	}
}

/* Brokers say what the gateway may do. */
static void
set_operations(struct request *r, void *reply)
{
	struct described d = described_groups(r, reply);

	for (int32_t i = 0; i < d.n; i++) {
		char *group = d.v + (size_t)i * d.field->size;
		int32_t operations;
		struct slice id;
		int16_t error;

		get(d.field, group, "authorized_operations", &operations,
		    sizeof(operations));
		get(d.field, group, "error_code", &error, sizeof(error));
		/* INT32_MIN: the client has not asked. */
		if (error != 0 || operations == INT32_MIN)
			continue;
		get(d.field, group, "group_id", &id, sizeof(id));
		operations = authorize_group_operations(r->session, id);
		put(d.field, group, "authorized_operations", &operations,
		    sizeof(operations));
	}
}

/* ---- topics that were changed ---- */

static void
show_configs(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct create_topics_response *to = reply;

	for (int32_t i = 0; i < to->topics.n; i++) {
		struct create_topics_response_topics *t = &to->topics.v[i];

		if (t->error_code != 0 || authorize_allows(r->session,
		    rule->action, t->name))
			continue;
		t->configs.n = 0;
		t->num_partitions = -1;
		t->replication_factor = -1;
		t->topic_config_error_code = KAFKA_TOPIC_AUTHORIZATION_FAILED;
	}
}

/* The names that the client has given itself. */
static struct htab *
given_names(const struct delete_topics_request *q)
{
	struct htab *names = htab_new();

	for (int32_t i = 0; i < q->topics.n; i++)
		if (q->topics.v[i].name.data != NULL)
			htab_set(names, q->topics.v[i].name, names);
	return names;
}

static void
show_names(struct request *r, const struct authorize_rule *rule, void *reply)
{
	struct delete_topics_response *to = reply;
	struct htab *given = NULL;

	for (int32_t i = 0; i < to->responses.n; i++) {
		struct delete_topics_response_responses *t =
		    &to->responses.v[i];

		if (t->name.data == NULL || authorize_allows(r->session,
		    rule->action, t->name))
			continue;
		if (given == NULL)
			given = given_names(r->body);
		if (htab_get(given, t->name) == NULL)
			t->name = SLICE_NULL;
	}
	if (given != NULL)
		htab_free(given, NULL);
}

static void
apply(struct request *r, const struct authorize_rule *rule, void *reply)
{
	switch ((enum authorize_how)rule->how) {
	case AUTHORIZE_KEEP_TOPICS:
	case AUTHORIZE_KEEP_ASSIGNED:
		keep_topics(r, rule, reply);
		break;
	case AUTHORIZE_KEEP_GROUPS:
		keep_groups(r, rule, reply);
		break;
	case AUTHORIZE_KEEP_TXNS:
		keep_txns(r, rule, reply);
		break;
	case AUTHORIZE_KEEP_CONFIGS:
		keep_configs(r, rule, reply);
		break;
	case AUTHORIZE_DESCRIBED:
		hide_described(r, rule, reply);
		break;
	case AUTHORIZE_OPERATIONS:
		set_operations(r, reply);
		break;
	case AUTHORIZE_SHOW_CONFIGS:
		show_configs(r, rule, reply);
		break;
	case AUTHORIZE_SHOW_NAMES:
		show_names(r, rule, reply);
		break;
	default:
		break;
	}
}

/* Brokers' own topics are left out for who may see all others, too. */
static bool
hides_internal(const struct authorize_rule *rule)
{
	return rule->how == AUTHORIZE_KEEP_TOPICS ||
	    rule->how == AUTHORIZE_KEEP_ASSIGNED;
}

void
authorize_reply(struct request *r, void *reply)
{
	bool unlimited = authorize_unlimited(r->session);
	const struct authorize_rule *rule;
	int n;

	if (reply == NULL)
		return;
	rule = authorize_rules(r->schema->key, &n);
	for (; n > 0; n--, rule++)
		if (authorize_holds(rule, r->version) && (!unlimited ||
		    hides_internal(rule)))
			apply(r, rule, reply);
}
