/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every API in every version: nothing that is denied goes to a broker, what is
 * denied is answered with the documented error, once, and what brokers say of
 * it does not come through.
 */
#include "tests/unit/authorize_world.h"
#include "gateway/tenants.h"
#include "routing/names.h"

enum { ROUNDS = 12 };

/* ---- what is documented ---- */

/*
 * Independently of authorize.def: what each API needs, and the error without.
 * From AWS's table of actions and Apache Kafka 4.3. Code 0: the reply lacks
 * what may not be seen. ELSEWHERE: it has a test of its own.
 */
enum { ELSEWHERE = -1 };

static const struct need {
	int16_t			 api, since, until;
	enum policy_action	 action;
	int16_t			 code;
} needs[] = {
	{ API_PRODUCE, 0, 99, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_PRODUCE, 0, 99, POLICY_WRITE_DATA, 29 },
	{ API_FETCH, 0, 99, POLICY_READ_DATA, 29 },
	{ API_LIST_OFFSETS, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_METADATA, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_OFFSET_COMMIT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_OFFSET_COMMIT, 0, 99, POLICY_READ_DATA, 29 },
	{ API_OFFSET_FETCH, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_OFFSET_FETCH, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_FIND_COORDINATOR, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_FIND_COORDINATOR, 0, 99, POLICY_DESCRIBE_TRANSACTIONAL_ID, 53 },
	{ API_JOIN_GROUP, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_HEARTBEAT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_LEAVE_GROUP, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_SYNC_GROUP, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_DESCRIBE_GROUPS, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_LIST_GROUPS, 0, 99, POLICY_DESCRIBE_GROUP, 0 },
	{ API_CREATE_TOPICS, 0, 99, POLICY_CREATE_TOPIC, 29 },
	{ API_DELETE_TOPICS, 0, 99, POLICY_DELETE_TOPIC, 29 },
	{ API_DELETE_RECORDS, 0, 99, POLICY_DELETE_TOPIC, 29 },
	{ API_INIT_PRODUCER_ID, 0, 99, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_INIT_PRODUCER_ID, 0, 99, POLICY_WRITE_DATA_IDEMPOTENTLY, 31 },
	{ API_OFFSET_FOR_LEADER_EPOCH, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_ADD_PARTITIONS_TO_TXN, 0, 3, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_ADD_PARTITIONS_TO_TXN, 0, 3, POLICY_WRITE_DATA, 29 },
	{ API_ADD_OFFSETS_TO_TXN, 0, 99, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_ADD_OFFSETS_TO_TXN, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_END_TXN, 0, 99, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_TXN_OFFSET_COMMIT, 0, 99, POLICY_ALTER_TRANSACTIONAL_ID, 53 },
	{ API_TXN_OFFSET_COMMIT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_TXN_OFFSET_COMMIT, 0, 99, POLICY_READ_DATA, 29 },
	{ API_DESCRIBE_ACLS, 0, 99, POLICY_DESCRIBE_CLUSTER, 31 },
	{ API_CREATE_ACLS, 0, 99, POLICY_ALTER_CLUSTER, 31 },
	{ API_DELETE_ACLS, 0, 99, POLICY_ALTER_CLUSTER, 31 },
	{ API_DESCRIBE_CONFIGS, 0, 99, POLICY_DESCRIBE_TOPIC_CONFIG, 29 },
	{ API_DESCRIBE_CONFIGS, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_DESCRIBE_CONFIGS, 0, 99, POLICY_DESCRIBE_CLUSTER_CONFIG, 31 },
	{ API_ALTER_CONFIGS, 0, 99, POLICY_ALTER_TOPIC_CONFIG, 29 },
	{ API_ALTER_CONFIGS, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_ALTER_CONFIGS, 0, 99, POLICY_ALTER_CLUSTER_CONFIG, 31 },
	{ API_INCREMENTAL_ALTER_CONFIGS, 0, 99, POLICY_ALTER_TOPIC_CONFIG,
	  29 },
	{ API_INCREMENTAL_ALTER_CONFIGS, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_INCREMENTAL_ALTER_CONFIGS, 0, 99, POLICY_ALTER_CLUSTER_CONFIG,
	  31 },
	{ API_DESCRIBE_LOG_DIRS, 3, 99, POLICY_DESCRIBE_CLUSTER, 31 },
	{ API_DESCRIBE_LOG_DIRS, 0, 2, POLICY_DESCRIBE_CLUSTER, 0 },
	{ API_DESCRIBE_LOG_DIRS, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_CREATE_PARTITIONS, 0, 99, POLICY_ALTER_TOPIC, 29 },
	{ API_DELETE_GROUPS, 0, 99, POLICY_DELETE_GROUP, 30 },
	{ API_LIST_PARTITION_REASSIGNMENTS, 0, 99, POLICY_DESCRIBE_CLUSTER,
	  31 },
	{ API_OFFSET_DELETE, 0, 99, POLICY_DELETE_GROUP, 30 },
	{ API_OFFSET_DELETE, 0, 99, POLICY_READ_DATA, 29 },
	{ API_DESCRIBE_CLIENT_QUOTAS, 0, 99, POLICY_DESCRIBE_CLUSTER_CONFIG,
	  31 },
	{ API_DESCRIBE_PRODUCERS, 0, 99, POLICY_READ_DATA, 29 },
	{ API_DESCRIBE_TRANSACTIONS, 0, 99, POLICY_DESCRIBE_TRANSACTIONAL_ID,
	  53 },
	{ API_DESCRIBE_TRANSACTIONS, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_LIST_TRANSACTIONS, 0, 99, POLICY_DESCRIBE_TRANSACTIONAL_ID, 0 },
	{ API_CONSUMER_GROUP_HEARTBEAT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_CONSUMER_GROUP_HEARTBEAT, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_CONSUMER_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_CONSUMER_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_LIST_CONFIG_RESOURCES, 0, 99, POLICY_DESCRIBE_CLUSTER_CONFIG,
	  31 },
	{ API_LIST_CONFIG_RESOURCES, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_LIST_CONFIG_RESOURCES, 0, 99, POLICY_DESCRIBE_GROUP, 0 },
	{ API_DESCRIBE_TOPIC_PARTITIONS, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_SHARE_GROUP_HEARTBEAT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_SHARE_GROUP_HEARTBEAT, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_SHARE_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_SHARE_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_SHARE_FETCH, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_SHARE_FETCH, 0, 99, POLICY_READ_DATA, 29 },
	{ API_SHARE_ACKNOWLEDGE, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_STREAMS_GROUP_HEARTBEAT, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_STREAMS_GROUP_HEARTBEAT, 0, 99, POLICY_DESCRIBE_TOPIC, 29 },
	{ API_STREAMS_GROUP_HEARTBEAT, 0, 99, POLICY_CREATE_TOPIC, ELSEWHERE },
	{ API_STREAMS_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_GROUP, 30 },
	{ API_STREAMS_GROUP_DESCRIBE, 0, 99, POLICY_DESCRIBE_TOPIC, 0 },
	{ API_DESCRIBE_SHARE_GROUP_OFFSETS, 0, 99, POLICY_DESCRIBE_GROUP,
	  30 },
	{ API_DESCRIBE_SHARE_GROUP_OFFSETS, 0, 99, POLICY_DESCRIBE_TOPIC,
	  29 },
	{ API_ALTER_SHARE_GROUP_OFFSETS, 0, 99, POLICY_ALTER_GROUP, 30 },
	{ API_ALTER_SHARE_GROUP_OFFSETS, 0, 99, POLICY_READ_DATA, 29 },
	{ API_DELETE_SHARE_GROUP_OFFSETS, 0, 99, POLICY_DELETE_GROUP, 30 },
	{ API_DELETE_SHARE_GROUP_OFFSETS, 0, 99, POLICY_READ_DATA, 29 },
};
enum { NEEDS = sizeof(needs) / sizeof(needs[0]) };

/* Those that need nothing but a login. */
static const int16_t free_apis[] = {
	API_SASL_HANDSHAKE, API_SASL_AUTHENTICATE, API_API_VERSIONS,
	API_DESCRIBE_CLUSTER,
};

static bool
is_free(int16_t api)
{
	for (size_t i = 0; i < sizeof(free_apis) / sizeof(free_apis[0]); i++)
		if (free_apis[i] == api)
			return true;
	return false;
}

static bool
is_need(const struct need *n, int16_t api, int version)
{
	return n->api == api && version >= n->since && version <= n->until;
}

static uint32_t
all_needs(int16_t api, int version)
{
	uint32_t granted = 0;

	for (int i = 0; i < NEEDS; i++)
		if (is_need(&needs[i], api, version))
			granted |= 1u << needs[i].action;
	/* Metadata may create what it names. */
	if (api == API_METADATA)
		granted |= 1u << POLICY_CREATE_TOPIC;
	/* Its configuration is shown beside it. */
	if (api == API_CREATE_TOPICS)
		granted |= 1u << POLICY_DESCRIBE_TOPIC_CONFIG;
	return granted;
}

/* ---- walks over all rows ---- */

struct row {
	int16_t		 key, min, max;
	enum route	 route;
};
static const struct row rows[] = {
#define X(k, min, max, route, handler, timeout, class) \
	{ API_##k, min, max, ROUTE_##route },
#include "gateway/apis.def"
#undef X
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Calls cb for each API and version that is served or refused in its shape. */
static void
each_version(void (*cb)(const struct api_schema *api, int version,
    enum route route))
{
	for (int i = 0; i < ROWS; i++) {
		const struct api_schema *api = api_schema_find(rows[i].key);
		int min = rows[i].min, max = rows[i].max;

		if (min < api->since)
			min = api->since;
		if (max > api->until)
			max = api->until;
		for (int v = min; v <= max; v++) {
			/* What needs a socket: tested elsewhere. */
			if (is_free(api->key) &&
			    api->key != API_DESCRIBE_CLUSTER)
				continue;
			cb(api, v, rows[i].route);
		}
	}
}

/* Whether the reply has anywhere to put an error for this request. */
static bool
has_room(const struct api_schema *api, int version, const void *body)
{
	const struct field *top = message_field(api->response, "error_code");
	const struct shape *s = shape_find(api->key, version);

	return s != NULL ? shape_count(s, body) > 0 : top != NULL &&
	    version >= top->since && version <= top->until;
}

static void
nothing_allowed(const struct api_schema *api, int version, enum route route)
{
	static const int denials[] = { 29, 30, 31, 53, 100 };
	bool lists = api->key == API_LIST_GROUPS ||
	    api->key == API_LIST_TRANSACTIONS;

	for (int i = 0; i < ROUNDS; i++) {
		void *body = a_request(api, version, false);
		int told = 0;

		world.rights = (struct principal_rights){ 0, 0, false };
		world.rich = true;
		serve(api, version, body);
		/* Lists are asked for, and filtered. */
		if (!lists && world.forwarded_count + world.sought_count > 0)
			fail_msg("%s v%d was forwarded", api->name, version);
		if (lists)
			assert_true(world.forwarded_count > 0);
		for (size_t j = 0; j < sizeof(denials) / sizeof(denials[0]);
		    j++)
			told += code_in_reply(api, version, denials[j]);
		if (told == 0 && has_room(api, version, body) && !lists &&
		    !is_free(api->key) && api->key != API_METADATA)
			fail_msg("%s v%d: no error was told", api->name,
			    version);
		if (route == ROUTE_DENY && has_room(api, version, body))
			assert_int_not_equal(code_in_reply(api, version, 31),
			    0);
		/* Nothing is said of what the client has not named. */
		if (lists) {
			assert_int_equal(shut_in(api->response, version,
			    world.reply, POLICY_GROUP), 0);
			assert_int_equal(shut_in(api->response, version,
			    world.reply, POLICY_TRANSACTIONAL_ID), 0);
		}
		arena_fini(&memory);
		arena_init(&memory, 0);
	}
}

static struct tenant tenant = { .id = "open" };

static void
test_without_rights_nothing_goes(void **state)
{
	(void)state;
	each_version(nothing_allowed);
}

/* What went to brokers, as bytes. */
static uint64_t
hash_forwarded(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < world.forwarded_count; i++) {
		struct reader rd = encoded(world.forwarded[i].api->request,
		    world.forwarded[i].version, world.forwarded[i].body);
		struct slice s = { rd.p, (uint32_t)(rd.end - rd.p) };

		sum = sum * 31 + htab_hash(s) + s.len;
	}
	return sum * 31 + (uint64_t)world.sought_count;
}

/* Topics without partitions are left out. */
static bool
is_hollow(const struct api_schema *api, int version, const void *body)
{
	const struct shape *s = shape_find(api->key, version);
	const struct shape *in = shape_nested(api->key, version);
	bool hollow = s != NULL && shape_hollow(s, body);
	struct array groups;

	if (in == NULL)
		return hollow;
	groups = get_array(body, s->outer);
	for (int32_t i = 0; i < groups.n; i++)
		hollow |= shape_hollow(in, element(&groups, s->outer, i));
	return hollow;
}

static void
all_needed_allowed(const struct api_schema *api, int version, enum route route)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *body = a_request(api, version, false);
		uint64_t sum;
		int count;

		world.rich = false;
		session.policies = NULL;
		if (is_hollow(api, version, body))
			continue;
		serve(api, version, body);
		sum = hash_forwarded();
		count = world.forwarded_count;
		session.policies = (struct policy_set *)&policies;
		world.rights = (struct principal_rights){
		    all_needs(api->key, version), 0, false };
		serve(api, version, body);
		if (route != ROUTE_DENY && (world.forwarded_count != count ||
		    hash_forwarded() != sum)) {
			/* Ids that nobody knows go no further, nor does what
			 * has nothing in it. */
			if (has_room(api, version, body) &&
			    code_in_reply(api, version, 100) == 0)
				fail_msg("%s v%d: with all that it needs, "
				    "something else was forwarded", api->name,
				    version);
		}
		for (int code = 29; code <= 30; code++)
			if (code_in_reply(api, version, code) != 0)
				fail_msg("%s v%d: with all that it needs: %d",
				    api->name, version, code);
		arena_fini(&memory);
		arena_init(&memory, 0);
	}
}

static void
test_with_what_it_needs_all_goes(void **state)
{
	(void)state;
	each_version(all_needed_allowed);
}

/* Whether the request names something shut where the action matters. */
struct role {
	const struct api_schema	*api;
	int			 version;
	const struct need	*need;
	bool			 shut;
	int32_t			 item;
	int			 denied[1024];	/* items */
};

static bool
item_is_shut(const struct shape_item *item)
{
	struct slice name = item->name;
	bool shut = is_shut(name);

	if (item->id == NULL || uuid_is_zero(item->id))
		return shut;
	for (int i = 0; i < TOPICS; i++)
		if (uuid_eq(&topics[i].id, item->id))
			shut |= is_shut(topics[i].name);
	return shut;
}

static void
note_role(void *arg, int32_t i, const struct shape_item *item)
{
	struct role *o = arg;

	o->denied[i] = item_is_shut(item);
	o->shut |= o->denied[i];
}

/* Topics are the items of most requests; groups and ids of some. */
static bool
is_about_items(const struct role *o, const struct shape *s)
{
	enum policy_resource type = policy_action_resource(o->need->action);
	const struct message *e;

	if (s == NULL || type == POLICY_CLUSTER ||
	    o->api->key == API_METADATA || strcmp(s->outer_name,
	    "resources") == 0)
		return false;
	if (s->outer->element == NULL)
		return (s->outer->meaning == MEANING_topic &&
		    type == POLICY_TOPIC) ||
		    (s->outer->meaning == MEANING_group &&
		    type == POLICY_GROUP) ||
		    (s->outer->meaning == MEANING_txn &&
		    type == POLICY_TRANSACTIONAL_ID);
	e = s->outer->element;
	return (type == POLICY_TOPIC) == (message_field(e, "group_id") ==
	    NULL) && type != POLICY_TRANSACTIONAL_ID &&
	    (type == POLICY_TOPIC || message_field(e, "group_id") != NULL);
}

/* Each item stands in the reply once, the denied ones with the error. */
static void
check_items(const struct role *o, const struct shape *s, const void *body)
{
	struct array from = get_array(body, s->outer);
	struct array to = get_array(world.reply, s->r_outer);
	int32_t item = 0;

	assert_int_equal(from.n, to.n);
	for (int32_t i = 0; i < from.n; i++) {
		const void *q = element(&from, s->outer, i);
		const void *e = element(&to, s->r_outer, i);
		int32_t n = s->inner ? inner_of(s, q).n : 1;
		struct array in = { NULL, 0 };

		if (s->inner != NULL) {
			in = get_array(e, s->r_inner);
			assert_int_equal(in.n, n);
		}
		for (int32_t j = 0; j < n; j++, item++) {
			int16_t code = get_int16(s->inner ? element(&in,
			    s->r_inner, j) : e, s->r_error);
			bool told = code == o->need->code ||
			    (o->need->code == 29 && code == 100);

			if ((bool)o->denied[item] != told &&
			    !(code == 100 && !o->denied[item]))
				fail_msg("%s v%d item %d: error %d", o->api
				    ->name, o->version, item, code);
		}
	}
}

static enum codec_walk
note_pattern(void *arg, const struct field *f, void *value, void *parent)
{
	bool *found = arg;

	(void)parent;
	if (f->meaning == MEANING_topic_regex && f->type == FIELD_STRING)
		*found |= ((const struct slice *)value)->len > 0;
	return CODEC_KEEP;
}

/* A pattern is about topics that are shut, too. */
static bool
has_pattern(const struct api_schema *api, int version, void *body)
{
	bool found = false;

	codec_walk(api->request, version, body, note_pattern, &found);
	return found;
}

static void
withhold(const struct api_schema *api, int version, const struct need *n)
{
	const struct shape *s = shape_find(api->key, version);
	enum policy_resource type = policy_action_resource(n->action);
	struct role *o = arena_get(&memory, sizeof(*o));
	void *body = a_request(api, version, false);
	bool items;
	int told;

	*o = (struct role){ .api = api, .version = version, .need = n };
	items = is_about_items(o, s);
	if (items)
		shape_each(s, body, note_role, o);
	else
		o->shut = type == POLICY_CLUSTER ||
		    shut_in(api->request, version, body, type) > 0 ||
		    (n->action == POLICY_DESCRIBE_TOPIC &&
		    has_pattern(api, version, body));
	world.rich = false;
	world.rights = (struct principal_rights){ all_needs(api->key, version),
	    1u << n->action, false };
	serve(api, version, body);
	assert_nothing_shut_forwarded(type, policy_action_name(n->action));
	told = code_in_reply(api, version, n->code);
	/* What is refused is audited, nothing else is. */
	for (int i = 0; i < POLICY_ACTION_COUNT; i++)
		if (world.audited[i] > 0 && i != (int)n->action)
			fail_msg("%s v%d without %s: %s was audited",
			    api->name, version, policy_action_name(n->action),
			    policy_action_name((enum policy_action)i));
	if (told > 0)
		assert_true(world.audited[n->action] > 0);
	if (!o->shut && told != 0)
		fail_msg("%s v%d: %d told of nothing shut", api->name, version,
		    n->code);
	if (items && o->shut && told == 0 && code_in_reply(api, version, 100)
	    == 0 && has_room(api, version, body))
		fail_msg("%s v%d: %d was not told", api->name, version,
		    n->code);
	if (items && world.reply != NULL && api->key != API_FETCH &&
	    api->key != API_SHARE_FETCH &&
	    api->key != API_ADD_PARTITIONS_TO_TXN)
		check_items(o, s, body);
	if (type == POLICY_CLUSTER && strcmp(s ? s->outer_name : "",
	    "resources") != 0 && api->key != API_INIT_PRODUCER_ID &&
	    has_room(api, version, body))
		assert_true(told > 0);
}

static void
each_need_withheld(const struct api_schema *api, int version, enum route route)
{
	(void)route;
	for (int i = 0; i < NEEDS; i++) {
		if (!is_need(&needs[i], api->key, version) ||
		    needs[i].code <= 0)
			continue;
		for (int j = 0; j < ROUNDS; j++) {
			withhold(api, version, &needs[i]);
			arena_fini(&memory);
			arena_init(&memory, 0);
		}
	}
}

static void
test_each_right_withheld(void **state)
{
	(void)state;
	each_version(each_need_withheld);
}

/* What brokers say beyond what was asked for. The client names nothing that is
 * shut; brokers name everything. */
static void
replies_filtered(const struct api_schema *api, int version, enum route route)
{
	(void)route;
	for (int i = 0; i < NEEDS; i++) {
		enum policy_resource type;

		if (!is_need(&needs[i], api->key, version) ||
		    needs[i].code == 53 || (needs[i].code == 30 &&
		    api->key != API_DESCRIBE_GROUPS))
			continue;
		type = policy_action_resource(needs[i].action);
		if ((needs[i].action != POLICY_DESCRIBE_TOPIC &&
		    needs[i].code != 0) || needs[i].code == ELSEWHERE)
			continue;
		for (int j = 0; j < ROUNDS; j++) {
			world.rich = true;
			world.rights = (struct principal_rights){
			    all_needs(api->key, version),
			    1u << needs[i].action, false };
			serve(api, version, a_request(api, version, true));
			if (world.reply != NULL && shut_in(api->response,
			    version, world.reply, type) > 0)
				fail_msg("%s v%d without %s: something shut "
				    "was told", api->name, version,
				    policy_action_name(needs[i].action));
			arena_fini(&memory);
			arena_init(&memory, 0);
		}
	}
}

static void
test_replies_say_nothing_of_what_is_shut(void **state)
{
	(void)state;
	each_version(replies_filtered);
}

/* ---- the table ---- */

static void
test_each_api_has_rows(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		const struct authorize_rule *rule;
		int n;

		rule = authorize_rules(rows[i].key, &n);
		if (n == 0)
			fail_msg("API %d has no row in authorize.def",
			    rows[i].key);
		for (int j = 0; j < n; j++, rule++) {
			assert_int_equal(rule->api, rows[i].key);
			if (rows[i].route == ROUTE_DENY)
				assert_int_equal(rule->how, AUTHORIZE_NOBODY);
			if (rule->how == AUTHORIZE_GROUP ||
			    rule->how == AUTHORIZE_TXN ||
			    rule->how == AUTHORIZE_PRODUCER)
				assert_non_null(rule->field);
			if (rule->how < AUTHORIZE_TOPIC_ITEMS ||
			    rule->how > AUTHORIZE_OTHER_CONFIGS)
				continue;
			/* Items that cannot be told apart cannot be judged. */
			for (int v = rows[i].min; v <= rows[i].max; v++)
				if (v >= rule->since && v <= rule->until)
					assert_non_null(shape_find(rule->api,
					    v));
		}
	}
}

/* And each is either free, refused, or has documented needs. */
static void
test_each_api_is_documented(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++)
		if (rows[i].route != ROUTE_DENY && !is_free(rows[i].key))
			assert_int_not_equal(all_needs(rows[i].key,
			    rows[i].max), 0);
}

static void
test_api_without_row_is_refused(void **state)
{
	const struct api_schema *api = api_schema_find(
	    API_READ_SHARE_GROUP_STATE_SUMMARY);
	struct request *r;
	int n;

	(void)state;
	authorize_rules(API_GET_TELEMETRY_SUBSCRIPTIONS, &n);
	assert_int_equal(n, 0);
	authorize_rules(api->key, &n);
	assert_int_equal(n, 0);
	world.rights = (struct principal_rights){ ~0u, 0, true };
	r = begin(api, api->until, codec_new(api->request, &memory));
	assert_false(authorize(r));
	assert_true(world.answered);
	request_free(r);
}

/* ---- another tenant's things ---- */

/* Of what brokers know beyond what they were asked for. */
static bool
is_filtered(const struct api_schema *api)
{
	int n;
	const struct authorize_rule *rule = authorize_rules(api->key, &n);

	for (; n > 0; n--, rule++)
		if ((rule->how >= AUTHORIZE_KEEP_TOPICS &&
		    rule->how <= AUTHORIZE_DESCRIBED) ||
		    rule->how == AUTHORIZE_BY_HANDLER)
			return true;
	return false;
}

/* What is shut is not the tenant's; nobody's policies deny anything. */
static void
others_are_nobodys(const struct api_schema *api, int version,
    enum route route)
{
	static const enum policy_resource types[] = { POLICY_TOPIC,
	    POLICY_GROUP, POLICY_TRANSACTIONAL_ID };

	(void)route;
	for (int i = 0; i < ROUNDS; i++) {
		bool own = i % 2 == 0;
		void *body = a_request(api, version, own);

		session.policies = NULL;
		session.tenant = &tenant;
		world.rich = true;
		serve(api, version, body);
		for (int j = 0; j < 3; j++) {
			/* Brokers may be asked; what they say is filtered. */
			if (api->key != API_DESCRIBE_LOG_DIRS)
				assert_nothing_shut_forwarded(types[j],
				    "owning it");
			if (own && is_filtered(api) && world.reply != NULL &&
			    shut_in(api->response, version, world.reply,
			    types[j]) > 0)
				fail_msg("%s v%d shows another tenant's",
				    api->name, version);
		}
		arena_fini(&memory);
		arena_init(&memory, 0);
	}
}

static void
test_what_is_anothers_is_nobodys(void **state)
{
	struct names *own = names_new("open-");

	(void)state;
	tenant.names = own;
	each_version(others_are_nobodys);
	session.tenant = NULL;
	names_free(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_api_has_rows),
		TEST(test_each_api_is_documented),
		TEST(test_api_without_row_is_refused),
		TEST(test_without_rights_nothing_goes),
		TEST(test_with_what_it_needs_all_goes),
		TEST(test_what_is_anothers_is_nobodys),
		TEST(test_each_right_withheld),
		TEST(test_what_is_anothers_is_nobodys),
		TEST(test_replies_say_nothing_of_what_is_shut),
	};

	return cmocka_run_group_tests_name("authorize", tests, setup,
	    teardown);
}
