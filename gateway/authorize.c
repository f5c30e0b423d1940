/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/authorize.h"

#include <pthread.h>

#include "gateway/audit.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/wire/batch.h"
#include "gateway/worker.h"
#include "routing/cluster.h"
#include "routing/names.h"
#include "wire/messages.h"

/* AclOperation's codes. */
enum {
	OPERATION_READ = 3, OPERATION_WRITE = 4, OPERATION_CREATE = 5,
	OPERATION_DELETE = 6, OPERATION_ALTER = 7, OPERATION_DESCRIBE = 8,
	OPERATION_DESCRIBE_CONFIGS = 10, OPERATION_ALTER_CONFIGS = 11,
	OPERATION_IDEMPOTENT_WRITE = 12,
};

enum { KEY_MAX = 128 };

/* ---- the table ---- */

static struct authorize_rule rules[] = {
#define X(api, since, until, how, action) \
	{ API_##api, since, until, AUTHORIZE_##how, POLICY_##action, NULL },
#include "gateway/authorize.def"
#undef X
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

/* An API's rows stand together. */
static struct {
	uint16_t	 first, count;
} by_api[KEY_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The request's own string of that meaning. */
static const struct field *
field_of(const struct authorize_rule *rule, enum field_meaning meaning)
{
	const struct message *m = api_schema_find(rule->api)->request;

	for (int i = 0; i < m->field_count; i++)
		if (m->fields[i].meaning == meaning && !m->fields[i].array &&
		    m->fields[i].since <= rule->until)
			return &m->fields[i];
	return NULL;
}

static void
resolve(void)
{
	for (uint16_t i = 0; i < RULES; i++) {
		struct authorize_rule *rule = &rules[i];

		if (by_api[rule->api].count++ == 0)
			by_api[rule->api].first = i;
		if (rule->how == AUTHORIZE_GROUP)
			rule->field = field_of(rule, MEANING_group);
		else if (rule->how == AUTHORIZE_TXN ||
		    rule->how == AUTHORIZE_PRODUCER ||
		    rule->how == AUTHORIZE_IDEMPOTENT)
			rule->field = field_of(rule, MEANING_txn);
	}
}

const struct authorize_rule *
authorize_rules(int16_t api, int *n)
{
	pthread_once(&once, resolve);
	*n = api >= 0 && api < KEY_MAX ? by_api[api].count : 0;
	return *n > 0 ? &rules[by_api[api].first] : NULL;
}

/* ---- decisions ---- */

bool
authorize_unlimited(const struct session *s)
{
	return s->login == NULL && s->policies == NULL && s->tenant == NULL;
}

/* Without a login there are no policies, and none is needed. */
static bool
is_allowed(struct session *s, enum policy_action action, struct slice name)
{
	if (s->policies == NULL)
		return s->login == NULL;
	return policy_allows(s->policies, action,
	    policy_action_resource(action), name);
}

static bool
all_allowed(struct session *s, enum policy_action action)
{
	if (s->policies == NULL)
		return s->login == NULL;
	return policy_allows_all(s->policies, action);
}

static const enum name_kind kinds[POLICY_RESOURCE_COUNT] = {
	[POLICY_TOPIC] = NAME_TOPIC,
	[POLICY_GROUP] = NAME_GROUP,
	[POLICY_TRANSACTIONAL_ID] = NAME_TXN,
};

/* The tenant's word for it, which policies are about; false: it is not the
 * tenant's, so there is no such thing. */
static bool
own_name(const struct session *s, enum policy_action action,
    struct slice physical, struct slice *name, struct arena *a)
{
	enum policy_resource type = policy_action_resource(action);

	*name = physical;
	return type == POLICY_CLUSTER || names_outward(tenancy_names(s),
	    kinds[type], physical, name, a);
}

/* Brokers' own topics hold what all tenants have: they are nobody's, whatever
 * policies say. */
static bool
is_brokers(const struct session *s, enum policy_action action,
    struct slice name)
{
	return policy_action_resource(action) == POLICY_TOPIC &&
	    cluster_internal(s->worker->cluster, name);
}

/* What brokers would say to a new topic of that name depends on another
 * tenant's topics. */
static bool
is_near_others(const struct session *s, enum policy_action action,
    struct slice name)
{
	return action == POLICY_CREATE_TOPIC &&
	    names_near_others(tenancy_names(s), name) &&
	    cluster_topic(s->worker->cluster, name) == NULL;
}

bool
authorize_allows(struct session *s, enum policy_action action,
    struct slice name)
{
	_Alignas(8) char memory[256];
	struct arena a;
	bool allowed;

	if (authorize_unlimited(s))
		return true;
	if (is_brokers(s, action, name) || is_near_others(s, action, name))
		return false;
	if (s->tenant == NULL)
		return is_allowed(s, action, name);
	arena_init_in(&a, 0, memory, sizeof(memory));
	allowed = own_name(s, action, name, &name, &a) &&
	    is_allowed(s, action, name);
	arena_fini(&a);
	return allowed;
}

bool
authorize_owns(const struct session *s, enum policy_action action,
    struct slice name)
{
	return s->tenant == NULL || names_owns(tenancy_names(s),
	    kinds[policy_action_resource(action)], name);
}

bool
authorize_grants(struct request *r, enum policy_action action,
    struct slice name)
{
	if (authorize_allows(r->session, action, name))
		return true;
	if (r->session->policies == NULL)
		return false;
	/* What is another tenant's is audited as the cluster has it. */
	(void)own_name(r->session, action, name, &name, &r->arena);
	audit_refused(r, action, policy_action_resource(action),
	    name.data != NULL ? name : SLICE_LIT(""));
	return false;
}

int16_t
authorize_topic(struct request *r, enum policy_action action,
    struct slice name, bool by_id)
{
	if (authorize_grants(r, action, name))
		return 0;
	if (by_id && !authorize_allows(r->session, POLICY_DESCRIBE_TOPIC,
	    name))
		return KAFKA_UNKNOWN_TOPIC_ID;
	return KAFKA_TOPIC_AUTHORIZATION_FAILED;
}

static int32_t
bit(struct session *s, enum policy_action action, struct slice name,
    int operation)
{
	return authorize_allows(s, action, name) ? 1 << operation : 0;
}

int32_t
authorize_topic_operations(struct session *s, struct slice name)
{
	return bit(s, POLICY_READ_DATA, name, OPERATION_READ) |
	    bit(s, POLICY_WRITE_DATA, name, OPERATION_WRITE) |
	    bit(s, POLICY_CREATE_TOPIC, name, OPERATION_CREATE) |
	    bit(s, POLICY_DELETE_TOPIC, name, OPERATION_DELETE) |
	    bit(s, POLICY_ALTER_TOPIC, name, OPERATION_ALTER) |
	    bit(s, POLICY_DESCRIBE_TOPIC, name, OPERATION_DESCRIBE) |
	    bit(s, POLICY_DESCRIBE_TOPIC_CONFIG, name,
	    OPERATION_DESCRIBE_CONFIGS) |
	    bit(s, POLICY_ALTER_TOPIC_CONFIG, name, OPERATION_ALTER_CONFIGS);
}

int32_t
authorize_group_operations(struct session *s, struct slice name)
{
	return bit(s, POLICY_ALTER_GROUP, name, OPERATION_READ) |
	    bit(s, POLICY_DESCRIBE_GROUP, name, OPERATION_DESCRIBE) |
	    bit(s, POLICY_DELETE_GROUP, name, OPERATION_DELETE) |
	    bit(s, POLICY_DESCRIBE_GROUP, name, OPERATION_DESCRIBE_CONFIGS) |
	    bit(s, POLICY_ALTER_GROUP, name, OPERATION_ALTER_CONFIGS);
}

/* Without DescribeCluster none is shown, as in a broker. */
int32_t
authorize_cluster_operations(struct session *s)
{
	static const struct slice none = { NULL, 0 };

	/* Where nobody is refused anything: what a gateway does at all. */
	if (s->login == NULL && s->policies == NULL)
		return 1 << OPERATION_CREATE | 1 << OPERATION_DESCRIBE |
		    1 << OPERATION_IDEMPOTENT_WRITE;
	if (!authorize_allows(s, POLICY_DESCRIBE_CLUSTER, none))
		return 0;
	return 1 << OPERATION_DESCRIBE |
	    (all_allowed(s, POLICY_CREATE_TOPIC) ?
	    1 << OPERATION_CREATE : 0) |
	    bit(s, POLICY_ALTER_CLUSTER, none, OPERATION_ALTER) |
	    bit(s, POLICY_DESCRIBE_CLUSTER_CONFIG, none,
	    OPERATION_DESCRIBE_CONFIGS) |
	    bit(s, POLICY_ALTER_CLUSTER_CONFIG, none,
	    OPERATION_ALTER_CONFIGS) |
	    bit(s, POLICY_WRITE_DATA_IDEMPOTENTLY, none,
	    OPERATION_IDEMPOTENT_WRITE);
}

/* ---- the whole request ---- */

static struct slice
string_at(const struct request *r, const struct field *f)
{
	struct slice s = SLICE_NULL;

	if (f != NULL && r->version >= f->since && r->version <= f->until)
		memcpy(&s, (const char *)r->body + f->offset, sizeof(s));
	return s;
}

/* CVE-2018-17196: an id that Produce does not state is not checked. */
static bool
has_transactional(const struct produce_request *q)
{
	for (int32_t i = 0; i < q->topic_data.n; i++) {
		const struct produce_request_topic_data *t =
		    &q->topic_data.v[i];

		for (int32_t j = 0; j < t->partition_data.n; j++) {
			const struct records *rs =
			    &t->partition_data.v[j].records;
			struct batch_walk w;
			struct batch b;

			if (rs->data == NULL)
				continue;
			batch_walk_init(&w, rs->data, rs->len);
			while (batch_walk_next(&w, &b))
				if (b.attributes & BATCH_ATTR_TRANSACTIONAL)
					return true;
		}
	}
	return false;
}

static int16_t
check_txn(struct request *r, const struct authorize_rule *rule)
{
	struct slice id = string_at(r, rule->field);

	if (id.data != NULL)
		return authorize_grants(r, rule->action, id) ? 0 :
		    KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (rule->how != AUTHORIZE_PRODUCER || !has_transactional(r->body))
		return 0;
	audit_refused(r, rule->action, POLICY_TRANSACTIONAL_ID,
	    SLICE_LIT(""));
	return KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static int16_t
check_idempotent(struct request *r, const struct authorize_rule *rule)
{
	if (string_at(r, rule->field).data != NULL ||
	    all_allowed(r->session, POLICY_WRITE_DATA) ||
	    authorize_grants(r, rule->action, SLICE_NULL))
		return 0;
	return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
}

struct topics_check {
	struct request	*r;
	enum policy_action action;
	bool		 denied;
};

static enum codec_walk
check_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct topics_check *c = arg;

	(void)parent;
	if (f->meaning == MEANING_topic && !c->denied)
		c->denied = !authorize_grants(c->r, c->action,
		    *(const struct slice *)value);
	return CODEC_KEEP;
}

static int16_t
check_topics(struct request *r, const struct authorize_rule *rule)
{
	struct topics_check c = { r, rule->action, false };

	codec_walk(r->schema->request, r->version, r->body, check_visit, &c);
	return c.denied ? KAFKA_TOPIC_AUTHORIZATION_FAILED : 0;
}

static enum codec_walk
pattern_visit(void *arg, const struct field *f, void *value, void *parent)
{
	bool *found = arg;

	(void)parent;
	/* An empty one takes the subscription back (KIP-848). */
	if (f->meaning == MEANING_topic_regex && f->type == FIELD_STRING)
		*found |= ((const struct slice *)value)->len > 0;
	return CODEC_KEEP;
}

/* Brokers hold it against every name (with a prefix: every one of the tenant's)
 * for the gateway, which may see them all; whether it fits one shows in the
 * group's epoch and its description, however well the topics themselves are
 * hidden. */
static int16_t
check_patterns(struct request *r, const struct authorize_rule *rule)
{
	bool found = false;

	codec_walk(r->schema->request, r->version, r->body, pattern_visit,
	    &found);
	if (!found || all_allowed(r->session, rule->action))
		return 0;
	if (r->session->policies != NULL)
		audit_refused(r, rule->action, POLICY_TOPIC, SLICE_LIT("*"));
	return KAFKA_TOPIC_AUTHORIZATION_FAILED;
}

/* Brokers make the topics of a streams group (KIP-1071) with the gateway's
 * rights. */
static bool
may_create(struct request *r, enum policy_action action,
    const struct streams_group_heartbeat_request_topic_info *v, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (cluster_topic(r->worker->cluster, v[i].name) == NULL &&
		    !authorize_grants(r, action, v[i].name))
			return false;
	return true;
}

static int16_t
check_created(struct request *r, const struct authorize_rule *rule)
{
	const struct streams_group_heartbeat_request *q = r->body;

	if (q->topology == NULL)
		return 0;
	for (int32_t i = 0; i < q->topology->subtopologies.n; i++) {
		const struct
		    streams_group_heartbeat_request_topology_subtopologies *t =
		    &q->topology->subtopologies.v[i];

		if (!may_create(r, rule->action, t->state_changelog_topics.v,
		    t->state_changelog_topics.n) ||
		    !may_create(r, rule->action,
		    t->repartition_source_topics.v,
		    t->repartition_source_topics.n))
			return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	}
	return 0;
}

static int16_t
check(struct request *r, const struct authorize_rule *rule)
{
	switch ((enum authorize_how)rule->how) {
	case AUTHORIZE_NOBODY:
		return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	case AUTHORIZE_CLUSTER:
		return authorize_grants(r, rule->action,
		    SLICE_NULL) ? 0 : KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	case AUTHORIZE_GROUP:
		return authorize_grants(r, rule->action,
		    string_at(r, rule->field)) ? 0 :
		    KAFKA_GROUP_AUTHORIZATION_FAILED;
	case AUTHORIZE_TXN:
	case AUTHORIZE_PRODUCER:
		return check_txn(r, rule);
	case AUTHORIZE_IDEMPOTENT:
		return check_idempotent(r, rule);
	case AUTHORIZE_TOPICS:
		return check_topics(r, rule);
	case AUTHORIZE_PATTERNS:
		return check_patterns(r, rule);
	case AUTHORIZE_CREATED:
		return check_created(r, rule);
	default:
		return 0;
	}
}

/* Versions that have no place for an error say nothing. */
static bool
has_room(const struct request *r)
{
	const struct field *f = message_field(r->schema->response,
	    "error_code");

	return shape_find(r->schema->key, r->version) != NULL ||
	    (f != NULL && f->since <= r->version && r->version <= f->until);
}

static void
refuse(struct request *r, int16_t error)
{
	/* Nobody waits for an answer: the end of the connection is one, as from
	 * a broker. */
	if (r->schema->key == API_PRODUCE &&
	    ((const struct produce_request *)r->body)->acks == 0)
		request_fail(r, CONN_NO_ACKS, "not authorized");
	else if (has_room(r))
		request_answer_error(r, error);
	else
		request_answer(r, codec_new(r->schema->response, &r->arena));
}

bool
authorize(struct request *r)
{
	const struct authorize_rule *rule;
	int16_t error = 0;
	int n;

	if (authorize_unlimited(r->session))
		return true;
	rule = authorize_rules(r->schema->key, &n);
	if (n == 0)
		error = KAFKA_CLUSTER_AUTHORIZATION_FAILED;
	for (; n > 0 && error == 0; n--, rule++)
		if (authorize_holds(rule, r->version))
			error = check(r, rule);
	if (error == 0)
		return true;
	refuse(r, error);
	return false;
}
