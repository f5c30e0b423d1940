/* SPDX-License-Identifier: Apache-2.0 */
/* What is special about single APIs (test_authorize.c walks all of them). */
#include "tests/unit/authorize_world.h"

#include "gateway/fetch_feed.h"
#include "gateway/tenants.h"
#include "routing/names.h"

static const struct api_schema *
schema(int16_t key)
{
	return api_schema_find(key);
}

static struct principal_rights
all_but(enum policy_action a)
{
	return (struct principal_rights){ ~0u, 1u << a, false };
}

static void
produce_to(struct produce_request *q, const char *name, int16_t acks,
    const uint8_t *records, uint32_t len)
{
	*q = (struct produce_request){ .acks = acks };
	q->transactional_id = SLICE_NULL;
	q->topic_data.n = 1;
	q->topic_data.v = arena_get(&memory, sizeof(*q->topic_data.v));
	q->topic_data.v->name = slice_of(name);
	q->topic_data.v->partition_data.n = 1;
	q->topic_data.v->partition_data.v = arena_get(&memory,
	    sizeof(*q->topic_data.v->partition_data.v));
	q->topic_data.v->partition_data.v->records = (struct records){
	    records, len, NULL };
}

/* A batch's header, which says that it is transactional. */
static void
make_batch(uint8_t b[61], bool transactional)
{
	memset(b, 0, 61);
	b[11] = 49;		/* length of what follows */
	b[16] = 2;		/* magic */
	b[22] = transactional ? 0x10 : 0;
	memset(b + 43, 0xff, 8 + 2 + 4);	/* no producer */
}

static void
test_produce_names_its_transaction(void **state)
{
	struct produce_request q;
	uint8_t batch[61];

	(void)state;
	world.rights = (struct principal_rights){ ~0u, 0, true };
	make_batch(batch, true);
	produce_to(&q, "open-0", 1, batch, sizeof(batch));
	serve(schema(API_PRODUCE), 9, &q);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(code_in_reply(schema(API_PRODUCE), 9, 53), 1);
	q.transactional_id = SLICE_LIT("open-0");
	serve(schema(API_PRODUCE), 9, &q);
	assert_int_equal(world.forwarded_count, 1);
	make_batch(batch, false);
	produce_to(&q, "open-0", 1, batch, sizeof(batch));
	serve(schema(API_PRODUCE), 9, &q);
	assert_int_equal(world.forwarded_count, 1);
}

static void
test_produce_without_acks_ends_the_connection(void **state)
{
	struct produce_request q;
	uint8_t batch[61];

	(void)state;
	make_batch(batch, false);
	world.rights = all_but(POLICY_WRITE_DATA);
	produce_to(&q, "shut-0", 0, batch, sizeof(batch));
	serve(schema(API_PRODUCE), 9, &q);
	assert_true(world.closed);
	assert_int_equal(world.reason, CONN_NO_ACKS);
	assert_int_equal(world.forwarded_count, 0);
	world.rights = all_but(POLICY_ALTER_TRANSACTIONAL_ID);
	produce_to(&q, "open-0", 0, batch, sizeof(batch));
	q.transactional_id = SLICE_LIT("shut-0");
	serve(schema(API_PRODUCE), 9, &q);
	assert_true(world.closed);
	assert_int_equal(world.forwarded_count, 0);
	q.transactional_id = SLICE_NULL;
	serve(schema(API_PRODUCE), 9, &q);
	assert_false(world.closed);
	assert_int_equal(world.forwarded_count, 1);
}

static void
test_idempotent_producers(void **state)
{
	struct init_producer_id_request q = {
		.producer_id = -1, .producer_epoch = -1,
	};
	const struct api_schema *api = schema(API_INIT_PRODUCER_ID);

	(void)state;
	world.rights = (struct principal_rights){ 1u << POLICY_WRITE_DATA, 0,
	    false };
	serve(api, 4, &q);
	assert_int_equal(code_in_reply(api, 4, 31), 1);
	assert_int_equal(world.forwarded_count, 0);
	/* WriteData on all topics is enough. */
	world.rights.write_all = true;
	serve(api, 4, &q);
	assert_int_equal(world.forwarded_count, 1);
	/* Not for transactions. */
	q.transactional_id = SLICE_LIT("open-0");
	serve(api, 4, &q);
	assert_int_equal(code_in_reply(api, 4, 53), 1);
}

static struct metadata_response *
metadata(struct slice name, const struct uuid *id, bool create)
{
	struct metadata_request_topics t = { .name = name };
	struct metadata_request q = { .allow_auto_topic_creation = create };

	if (id != NULL)
		t.topic_id = *id;
	q.topics.v = &t;
	q.topics.n = 1;
	serve(schema(API_METADATA), 12, &q);
	return world.reply;
}

static void
test_metadata_hides(void **state)
{
	static const struct uuid nobodys = { "nobody's id" };
	struct metadata_request all = { .topics = { NULL, -1 } };
	struct metadata_response *m;

	(void)state;
	world.rights = all_but(POLICY_DESCRIBE_TOPIC);
	world.rich = false;
	serve(schema(API_METADATA), 12, &all);
	m = world.reply;
	assert_int_equal(m->topics.n, 2);
	for (int i = 0; i < 2; i++)
		assert_false(is_shut(m->topics.v[i].name));
	/* One that is there, and one that is not. */
	for (int i = 0; i < 2; i++) {
		m = metadata(slice_of(i ? "shut-0" : "shut-new"), NULL, true);
		assert_int_equal(m->topics.n, 1);
		assert_int_equal(m->topics.v->error_code, 29);
		assert_true(uuid_is_zero(&m->topics.v->topic_id));
		assert_int_equal(m->topics.v->partitions.n, 0);
		assert_int_equal(world.forwarded_count, 0);
	}
	for (int i = 0; i < 2; i++) {
		m = metadata(SLICE_NULL, i ? &topics[2].id : &nobodys, true);
		assert_int_equal(m->topics.n, 1);
		assert_int_equal(m->topics.v->error_code, 100);
		assert_int_equal(m->topics.v->name.len, 0);
		assert_int_equal(m->topics.v->partitions.n, 0);
	}
}

/* How many there are at most is told by the client's own topics: two. */
static void
test_metadata_of_too_many(void **state)
{
	struct metadata_request q = { .topics = { NULL, 10004 } };

	(void)state;
	q.topics.v = codec_array(&metadata_request_topics_message, &memory,
	    q.topics.n + 1);
	for (int32_t i = 0; i <= q.topics.n; i++)
		q.topics.v[i].name = SLICE_LIT("open-0");
	world.rights = all_but(POLICY_DESCRIBE_TOPIC);
	serve(schema(API_METADATA), 12, &q);
	assert_false(world.closed);
	q.topics.n++;
	serve(schema(API_METADATA), 12, &q);
	assert_true(world.closed);
	assert_int_equal(world.reason, CONN_LIMIT);
}

static void
test_metadata_creates_what_it_may(void **state)
{
	const struct metadata_request *sent;

	(void)state;
	world.rich = false;
	world.rights = all_but(POLICY_CREATE_TOPIC);
	metadata(SLICE_LIT("open-new"), NULL, true);
	assert_int_equal(world.forwarded_count, 1);
	sent = world.forwarded[0].body;
	assert_true(sent->allow_auto_topic_creation);
	metadata(SLICE_LIT("shut-new"), NULL, true);
	assert_int_equal(world.forwarded_count, 1);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
	metadata(SLICE_LIT("shut-new"), NULL, false);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
}

/* Where brokers create none, a topic that is not there is unknown, not one that
 * may not be created. */
static void
test_metadata_without_creation(void **state)
{
	const struct metadata_request *sent;

	(void)state;
	world.rich = false;
	world.rights = all_but(POLICY_CREATE_TOPIC);
	world.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	config.cluster.auto_create_topics = false;
	metadata(SLICE_LIT("open-new"), NULL, true);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
	assert_int_equal(metadata(SLICE_LIT("shut-new"), NULL, true)->
	    topics.v->error_code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
	config.cluster.auto_create_topics = true;
	assert_int_equal(metadata(SLICE_LIT("shut-new"), NULL, true)->
	    topics.v->error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
}

/* A tenant's topics come into being as its rules have them. */
static void
test_metadata_creates_by_rules(void **state)
{
	static char pattern[] = "open-*";
	struct config_tenant rules = { .topics = { .auto_create = true,
	    .replication_factor = 2, .partitions_max = 4,
	    .name_pattern = pattern } };
	struct names *own = names_new(NULL);
	struct tenant tenant = { .id = "a", .config = &rules, .names = own,
		.cluster = { .uuid = "uuid" } };
	const struct create_topics_request *made;
	const struct metadata_request *sent;

	(void)state;
	world.rich = false;
	world.rights = (struct principal_rights){ ~0u, 0, true };
	world.error = 0;
	session.tenant = &tenant;
	/* Once it asks how many partitions brokers make. */
	metadata(SLICE_LIT("open-new"), NULL, true);
	assert_int_equal(world.forwarded_count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world.forwarded[i].api->key,
		    API_CREATE_TOPICS);
		made = world.forwarded[i].body;
		assert_int_equal(made->topics.n, 1);
		assert_true(slice_is(made->topics.v->name, "open-new"));
		assert_int_equal(made->validate_only, i == 0);
		assert_int_equal(made->topics.v->num_partitions, i == 0 ? -1 :
		    1);
		assert_int_equal(made->topics.v->replication_factor, i == 0 ?
		    -1 : 2);
	}
	atomic_store(&gateway.default_partitions, 6);
	assert_int_equal(metadata(SLICE_LIT("open-new"), NULL, true)->
	    topics.v->error_code, KAFKA_LEADER_NOT_AVAILABLE);
	assert_int_equal(world.forwarded_count, 1);
	made = world.forwarded[0].body;
	assert_int_equal(made->topics.v->num_partitions, 4);
	metadata(SLICE_LIT("shut-new"), NULL, true);
	assert_int_equal(world.forwarded_count, 1);
	assert_int_equal(world.forwarded[0].api->key, API_METADATA);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
	atomic_store(&gateway.default_partitions, 0);
	session.tenant = NULL;
	names_free(own);
}

static void
test_operations(void **state)
{
	struct metadata_request_topics t = { .name = SLICE_LIT("open-0") };
	struct metadata_request q = {
		.include_cluster_authorized_operations = true,
		.include_topic_authorized_operations = true,
		.topics = { &t, 1 },
	};
	const struct metadata_response *m;

	(void)state;
	world.rights = (struct principal_rights){ 1u << POLICY_DESCRIBE_TOPIC |
	    1u << POLICY_READ_DATA, 0, false };
	serve(schema(API_METADATA), 8, &q);
	m = world.reply;
	assert_int_equal(m->topics.v->topic_authorized_operations,
	    1 << 3 | 1 << 8);
	assert_int_equal(m->cluster_authorized_operations, 0);
	world.rights.granted |= 1u << POLICY_DESCRIBE_CLUSTER |
	    1u << POLICY_WRITE_DATA_IDEMPOTENTLY;
	serve(schema(API_METADATA), 8, &q);
	m = world.reply;
	assert_int_equal(m->cluster_authorized_operations, 1 << 8 | 1 << 12);
}

typedef struct add_partitions_to_txn_request_add_partitions_to_txn_topic
    txn_topic;

static void
test_transaction_is_all_or_nothing(void **state)
{
	const struct api_schema *api = schema(API_ADD_PARTITIONS_TO_TXN);
	int32_t zero = 0;
	txn_topic t[2] = {
		{ .name = SLICE_LIT("open-0"), .partitions = { &zero, 1 } },
		{ .name = SLICE_LIT("shut-0"), .partitions = { &zero, 1 } },
	};
	struct add_partitions_to_txn_request q = {
		.v3_and_below_transactional_id = SLICE_LIT("open-0"),
		.v3_and_below_topics = { t, 2 },
	};

	(void)state;
	world.rights = all_but(POLICY_WRITE_DATA);
	serve(api, 3, &q);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(code_in_reply(api, 3, 29), 1);
	assert_int_equal(code_in_reply(api, 3, 55), 1);
	q.v3_and_below_topics.n = 1;
	serve(api, 3, &q);
	assert_int_equal(world.forwarded_count, 1);
}

static void
test_deleted_names_are_hidden(void **state)
{
	const struct api_schema *api = schema(API_DELETE_TOPICS);
	struct delete_topics_request_topics t[2] = {
		{ .name = SLICE_LIT("shut-0") }, { .topic_id = topics[3].id },
	};
	struct delete_topics_request q = { .topics = { t, 2 } };
	const struct delete_topics_response *m;

	(void)state;
	/* May delete, may not describe: what the client named stays. */
	world.rights = all_but(POLICY_DESCRIBE_TOPIC);
	world.rich = false;
	serve(api, 6, &q);
	m = world.reply;
	assert_int_equal(world.forwarded_count, 1);
	assert_int_equal(m->responses.n, 2);
	assert_true(slice_is(m->responses.v[0].name, "shut-0"));
	assert_null(m->responses.v[1].name.data);
	/* Neither: by id it does not exist. */
	world.rights.withheld |= 1u << POLICY_DELETE_TOPIC;
	serve(api, 6, &q);
	m = world.reply;
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(m->responses.v[0].error_code, 29);
	assert_int_equal(m->responses.v[1].error_code, 100);
	assert_null(m->responses.v[1].name.data);
}

static void
test_topics_of_groups(void **state)
{
	const struct api_schema *api = schema(API_OFFSET_FETCH);
	int32_t parts[2] = { 0, 1 };
	struct offset_fetch_request_groups_topics t[2] = {
		{ .name = SLICE_LIT("shut-0"), .partition_indexes = { parts,
		    2 } },
		{ .name = SLICE_LIT("open-0"), .partition_indexes = { parts,
		    1 } },
	};
	struct offset_fetch_request_groups g[3] = {
		{ .group_id = SLICE_LIT("open-0"), .topics = { t, 2 },
		    .member_epoch = -1 },
		{ .group_id = SLICE_LIT("shut-0"), .topics = { t, 2 },
		    .member_epoch = -1 },
		{ .group_id = SLICE_LIT("open-0"), .topics = { t, 1 },
		    .member_epoch = -1 },
	};
	struct offset_fetch_request q = { .groups = { g, 3 } };
	const struct offset_fetch_response *m;

	(void)state;
	world.rights = (struct principal_rights){ ~0u,
	    1u << POLICY_DESCRIBE_TOPIC | 1u << POLICY_DESCRIBE_GROUP, false };
	world.rich = false;
	serve(api, 8, &q);
	assert_nothing_shut_forwarded(POLICY_TOPIC, "DescribeTopic");
	assert_nothing_shut_forwarded(POLICY_GROUP, "DescribeGroup");
	m = world.reply;
	assert_int_equal(m->groups.n, 3);
	assert_int_equal(m->groups.v[1].error_code, 30);
	assert_int_equal(m->groups.v[1].topics.n, 0);
	assert_int_equal(m->groups.v[0].topics.n, 2);
	assert_int_equal(m->groups.v[0].topics.v[0].partitions.n, 2);
	assert_int_equal(m->groups.v[0].topics.v[0].partitions.v[1].error_code,
	    29);
	assert_int_equal(m->groups.v[2].topics.n, 1);
	assert_int_equal(m->groups.v[2].topics.v[0].partitions.v[0].error_code,
	    29);
}

/* An id that no snapshot knows may be anybody's: it waits for a newer one, then
 * there is no such topic. */
static void
test_unknown_ids_go_nowhere(void **state)
{
	static const struct uuid nobodys = { "nobody's id" };
	struct offset_commit_request_topics_partitions part = {
		.committed_metadata = SLICE_NULL,
	};
	struct offset_commit_request_topics t = {
		.topic_id = nobodys, .partitions = { &part, 1 },
	};
	struct offset_commit_request commit = {
		.group_id = SLICE_LIT("open-0"), .member_id = SLICE_LIT(""),
		.topics = { &t, 1 },
	};
	int32_t zero = 0;
	struct offset_fetch_request_groups_topics ft = {
		.topic_id = nobodys, .partition_indexes = { &zero, 1 },
	};
	struct offset_fetch_request_groups g = {
		.group_id = SLICE_LIT("open-0"), .topics = { &ft, 1 },
	};
	struct offset_fetch_request fetch = { .groups = { &g, 1 } };
	struct delete_topics_request_topics dt = { .topic_id = nobodys };
	struct delete_topics_request del = { .topics = { &dt, 1 } };
	const struct offset_fetch_request *sent;

	(void)state;
	world.rights = (struct principal_rights){ ~0u, 0, true };
	serve(schema(API_OFFSET_COMMIT), 10, &commit);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(code_in_reply(schema(API_OFFSET_COMMIT), 10, 100), 1);
	serve(schema(API_DELETE_TOPICS), 6, &del);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(code_in_reply(schema(API_DELETE_TOPICS), 6, 100), 1);
	serve(schema(API_OFFSET_FETCH), 10, &fetch);
	assert_int_equal(world.forwarded_count, 1);
	sent = world.forwarded[0].body;
	assert_int_equal(sent->groups.v[0].topics.n, 0);
	assert_int_equal(code_in_reply(schema(API_OFFSET_FETCH), 10, 100), 1);
}

static void
test_configs_of_created_topics(void **state)
{
	struct create_topics_response_topics t[2] = {
		{ .name = SLICE_LIT("open-0"), .num_partitions = 3 },
		{ .name = SLICE_LIT("shut-0"), .num_partitions = 3 },
	};
	struct create_topics_response reply = { .topics = { t, 2 } };
	struct request *r;

	(void)state;
	world.rights = all_but(POLICY_DESCRIBE_TOPIC_CONFIG);
	r = begin(schema(API_CREATE_TOPICS), 7, codec_new(
	    &create_topics_request_message, &memory));
	authorize_reply(r, &reply);
	assert_int_equal(t[0].num_partitions, 3);
	assert_int_equal(t[0].topic_config_error_code, 0);
	assert_int_equal(t[1].num_partitions, -1);
	assert_int_equal(t[1].topic_config_error_code, 29);
	request_free(r);
}

static void
streams_with(struct streams_group_heartbeat_request *q, const char *source,
    const char *changelog)
{
	struct streams_group_heartbeat_request_topology *t = codec_new(
	    &streams_group_heartbeat_request_topology_message, &memory);
	struct streams_group_heartbeat_request_topology_subtopologies *sub =
	    codec_array(
	    &streams_group_heartbeat_request_topology_subtopologies_message,
	    &memory, 1);
	struct slice *name = ARENA_NEW(&memory, struct slice);

	*name = slice_of(source);
	sub->subtopology_id = SLICE_LIT("0");
	sub->source_topics.v = name;
	sub->source_topics.n = 1;
	sub->state_changelog_topics.v = codec_array(
	    &streams_group_heartbeat_request_topic_info_message, &memory, 1);
	sub->state_changelog_topics.v->name = slice_of(changelog);
	sub->state_changelog_topics.n = 1;
	t->subtopologies.v = sub;
	t->subtopologies.n = 1;
	q->topology = t;
}

/* Brokers make what a topology lacks. */
static void
test_topology_creates_what_it_may(void **state)
{
	const struct api_schema *api = schema(API_STREAMS_GROUP_HEARTBEAT);
	struct streams_group_heartbeat_request *q = codec_new(api->request,
	    &memory);

	(void)state;
	q->group_id = q->member_id = SLICE_LIT("open-0");
	world.rights = all_but(POLICY_CREATE_TOPIC);
	streams_with(q, "shut-0", "shut-new");
	serve(api, 0, q);
	assert_int_equal(code_in_reply(api, 0, 29), 1);
	assert_int_equal(world.forwarded_count, 0);
	/* There already, and not to be made. */
	streams_with(q, "shut-new", "shut-0");
	serve(api, 0, q);
	assert_int_equal(code_in_reply(api, 0, 29), 0);
	assert_int_equal(world.forwarded_count, 1);
	streams_with(q, "open-0", "open-new");
	serve(api, 0, q);
	assert_int_equal(world.forwarded_count, 1);
}

/* Brokers would say otherwise of team_x when there is a team.x. */
static void
test_topics_near_another_tenants(void **state)
{
	struct create_topics_request_topics made[2] = {
		{ .name = SLICE_LIT("team_x") },
		{ .name = SLICE_LIT("teams_x") } };
	struct create_topics_request create = { .topics = { made, 2 },
		.validate_only = true };
	const struct api_schema *api = schema(API_STREAMS_GROUP_HEARTBEAT);
	struct streams_group_heartbeat_request *q = codec_new(api->request,
	    &memory);
	struct names *shared = names_new(NULL);
	struct prefixes *others = prefixes_new();
	struct tenant tenant = { .id = "shared", .names = shared };
	const struct metadata_request *sent;

	(void)state;
	prefixes_add(others, "team.");
	names_except(shared, others);
	prefixes_unref(others);
	world.rights = (struct principal_rights){ ~0u, 0, true };
	session.tenant = &tenant;
	serve(schema(API_CREATE_TOPICS), 5, &create);
	assert_int_equal(code_in_reply(schema(API_CREATE_TOPICS), 5, 29), 1);
	assert_int_equal(((const struct create_topics_request *)
	    world.forwarded[0].body)->topics.n, 1);
	world.rich = false;
	world.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	assert_int_equal(metadata(SLICE_LIT("team_x"), NULL, true)->
	    topics.v->error_code, KAFKA_TOPIC_AUTHORIZATION_FAILED);
	sent = world.forwarded[0].body;
	assert_false(sent->allow_auto_topic_creation);
	world.error = 0;
	q->group_id = q->member_id = SLICE_LIT("open-0");
	streams_with(q, "open-0", "team_x");
	serve(api, 0, q);
	assert_int_equal(code_in_reply(api, 0, 29), 1);
	assert_int_equal(world.forwarded_count, 0);
	session.tenant = NULL;
	names_free(shared);
}

static void
fetch_two(struct fetch_request *q, int32_t id, int32_t epoch, int32_t n)
{
	static const char *const which[] = { "open-0", "shut-0" };

	*q = (struct fetch_request){ .replica_id = -1, .max_wait_ms = 50,
	    .max_bytes = 1 << 20, .session_id = id, .session_epoch = epoch,
	    .rack_id = SLICE_LIT(""),
	    .replica_state = { -1, -1 } };
	q->topics.n = n;
	q->topics.v = arena_get(&memory, 2 * sizeof(*q->topics.v));
	for (int i = 0; i < n; i++) {
		q->topics.v[i].topic = slice_of(which[i]);
		q->topics.v[i].partitions.n = 1;
		q->topics.v[i].partitions.v = codec_array(
		    &fetch_request_topics_partitions_message, &memory, 1);
		q->topics.v[i].partitions.v->partition_max_bytes = 1 << 20;
	}
}

/* As serve, for the same connection: its fetch session stays. */
static void
serve_on(const struct api_schema *api, int version, const void *body)
{
	struct request *r = begin(api, version, body);
	int steps = 0;

	if (authorize(r))
		r->api->handle(r);
	while (!world.answered) {
		assert_true(steps++ < STEPS_MAX);
		step();
	}
	while (world.call_count > 0)
		answer_call();
	request_free(r);
}

/* What a regular expression fits shows in what becomes of the group: by it the
 * names of topics could be guessed letter by letter. */
static void
test_patterns_are_about_all_topics(void **state)
{
	const struct api_schema *consumer = schema(
	    API_CONSUMER_GROUP_HEARTBEAT);
	const struct api_schema *streams = schema(API_STREAMS_GROUP_HEARTBEAT);
	struct consumer_group_heartbeat_request *q = codec_new(
	    consumer->request, &memory);
	struct streams_group_heartbeat_request *s = codec_new(
	    streams->request, &memory);
	struct slice pattern = SLICE_LIT("s.*");

	(void)state;
	q->group_id = q->member_id = SLICE_LIT("open-0");
	q->subscribed_topic_regex = pattern;
	s->group_id = s->member_id = SLICE_LIT("open-0");
	streams_with(s, "open-0", "open-1");
	s->topology->subtopologies.v->source_topic_regex.v = &pattern;
	s->topology->subtopologies.v->source_topic_regex.n = 1;
	world.rights = all_but(POLICY_DESCRIBE_TOPIC);
	serve(consumer, 1, q);
	assert_int_equal(code_in_reply(consumer, 1, 29), 1);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(world.audited[POLICY_DESCRIBE_TOPIC], 1);
	serve(streams, 0, s);
	assert_int_equal(code_in_reply(streams, 0, 29), 1);
	assert_int_equal(world.forwarded_count, 0);
	/* Taken back, and with the right to see all topics. */
	q->subscribed_topic_regex = SLICE_LIT("");
	serve(consumer, 1, q);
	assert_int_equal(world.forwarded_count, 1);
	q->subscribed_topic_regex = pattern;
	world.rights = (struct principal_rights){ ~0u, 0, true };
	serve(consumer, 1, q);
	assert_int_equal(world.forwarded_count, 1);
}

static void
test_fetch_session_follows_policies(void **state)
{
	const struct api_schema *api = schema(API_FETCH);
	const struct fetch_response *m;
	struct fetch_request q;
	int32_t id;

	(void)state;
	world.rich = false;
	world.rights = (struct principal_rights){ ~0u, 0, false };
	fetch_two(&q, 0, 0, 2);
	serve_on(api, 12, &q);
	m = world.reply;
	id = m->session_id;
	assert_int_not_equal(id, 0);
	assert_int_equal(code_in_reply(api, 12, 29), 0);
	/* Withheld: told every time, and brokers are not asked for it. */
	world.rights = all_but(POLICY_READ_DATA);
	for (int epoch = 1; epoch < 4; epoch++) {
		played.now += FETCH_JUDGED_MS * 1000;
		fetch_two(&q, id, epoch, 0);
		serve_on(api, 12, &q);
		assert_int_equal(code_in_reply(api, 12, 29), 1);
		assert_nothing_shut_forwarded(POLICY_TOPIC, "ReadData");
	}
	/* A topic that is new to the session is judged at once. */
	fetch_two(&q, 0, 0, 2);
	serve_on(api, 12, &q);
	m = world.reply;
	id = m->session_id;
	assert_int_equal(code_in_reply(api, 12, 29), 1);
	assert_nothing_shut_forwarded(POLICY_TOPIC, "ReadData");
	/* Allowed again. */
	world.rights = (struct principal_rights){ ~0u, 0, false };
	played.now += FETCH_JUDGED_MS * 1000;
	fetch_two(&q, id, 1, 0);
	serve_on(api, 12, &q);
	assert_int_equal(code_in_reply(api, 12, 29), 0);
	fetch_state_free(&session);
}

static int16_t
deny_shut(void *arg, struct slice name)
{
	return *(const bool *)arg && is_shut(name) ?
	    KAFKA_TOPIC_AUTHORIZATION_FAILED : 0;
}

/* Forgotten by the client, not yet by the broker, and denied meanwhile. */
static void
test_denied_while_forgotten(void **state)
{
	static const struct fetch_ask ask;
	struct slice name = SLICE_LIT("shut-0");
	struct fetch_table t;
	struct fetch_part *p[PARTITIONS];
	struct fetch_topic *topic;
	bool deny = false;

	(void)state;
	fetch_table_init(&t, false);
	for (int i = 0; i < PARTITIONS; i++)
		assert_true(fetch_table_want(&t, name, NULL, i, &ask));
	fetch_table_judge(&t, &snapshot, played.now, deny_shut, &deny);
	fetch_table_place(&t, &snapshot);
	topic = fetch_table_topic(&t, name, NULL);
	for (int i = 0; i < PARTITIONS; i++) {
		p[i] = fetch_topic_part(topic, i);
		assert_non_null(p[i]->feed);
		p[i]->known = true;
	}
	fetch_part_forget(p[1]);
	deny = true;
	/* A judgement holds for a while. */
	fetch_table_judge(&t, &snapshot, played.now, deny_shut, &deny);
	assert_non_null(p[0]->feed);
	played.now += FETCH_JUDGED_MS * 1000;
	fetch_table_judge(&t, &snapshot, played.now, deny_shut, &deny);
	assert_true(fetch_table_want(&t, name, NULL, 1, &ask));
	fetch_table_place(&t, &snapshot);
	for (int i = 0; i < PARTITIONS; i++) {
		assert_null(p[i]->feed);
		assert_int_equal(p[i]->error, 29);
	}
	assert_false(fetch_table_astray(&t));
	assert_false(fetch_table_doubts(&t));
	while (!list_empty(&t.feeds))
		fetch_feed_free(LIST_ENTRY(t.feeds.next, struct fetch_feed,
		    link));
	fetch_table_fini(&t);
}

/* Between logins nothing is allowed, whatever became of the policies. */
static void
test_without_policies_a_login_may_do_nothing(void **state)
{
	struct metadata_request all = { .topics = { NULL, -1 } };
	struct client_login *login = (struct client_login *)&policies;
	const struct metadata_response *m;
	struct produce_request q;
	uint8_t batch[61];

	(void)state;
	session.policies = NULL;
	session.login = login;
	make_batch(batch, false);
	produce_to(&q, "open-0", 1, batch, sizeof(batch));
	serve(schema(API_PRODUCE), 9, &q);
	assert_int_equal(world.forwarded_count, 0);
	assert_int_equal(code_in_reply(schema(API_PRODUCE), 9, 29), 1);
	serve(schema(API_METADATA), 12, &all);
	m = world.reply;
	assert_int_equal(m->topics.n, 0);
	/* A listener without login. */
	session.login = NULL;
	serve(schema(API_PRODUCE), 9, &q);
	assert_int_equal(world.forwarded_count, 1);
}

/* ---- share sessions ---- */

static struct share_fetch_request *
share_two(int32_t epoch, bool acknowledges)
{
	const struct message *batches = message_field(
	    &share_fetch_request_topics_partitions_message,
	    "acknowledgement_batches")->element;
	struct share_fetch_request *q = codec_new(
	    &share_fetch_request_message, &memory);

	q->group_id = SLICE_LIT("open-0");
	q->member_id = SLICE_LIT("member");
	q->share_session_epoch = epoch;
	q->max_records = 10;
	q->max_wait_ms = 10;
	if (epoch > 0 && !acknowledges)
		return q;
	q->topics.v = codec_array(&share_fetch_request_topics_message, &memory,
	    q->topics.n = 2);
	for (int i = 0; i < 2; i++) {
		struct share_fetch_request_topics *t = &q->topics.v[i];

		/* Both are led by one broker. */
		t->topic_id = topics[i * 2].id;
		t->partitions.v = codec_array(
		    &share_fetch_request_topics_partitions_message, &memory,
		    t->partitions.n = 1);
		if (!acknowledges)
			continue;
		t->partitions.v->acknowledgement_batches.v = codec_array(
		    batches, &memory,
		    t->partitions.v->acknowledgement_batches.n = 1);
	}
	return q;
}

/* What is said of the first partition of that topic; NULL: nothing. */
static const struct share_fetch_response_responses_partitions *
shared(const struct topic *t)
{
	const struct share_fetch_response *m = world.reply;

	assert_int_equal(m->error_code, 0);
	for (int32_t i = 0; i < m->responses.n; i++)
		if (uuid_eq(&m->responses.v[i].topic_id, &t->id))
			return m->responses.v[i].partitions.v;
	return NULL;
}

static void
test_share_session_follows_policies(void **state)
{
	const struct api_schema *api = schema(API_SHARE_FETCH);

	(void)state;
	world.rights = (struct principal_rights){ ~0u, 0, false };
	serve_on(api, 1, share_two(0, false));
	assert_int_equal(shared(&topics[2])->error_code, 0);
	/* Withheld: nothing is read, and what was read before cannot be
	 * acknowledged; brokers are told to forget it, and nothing more. */
	world.rights = all_but(POLICY_READ_DATA);
	serve_on(api, 1, share_two(1, true));
	assert_int_equal(shared(&topics[2])->error_code, 29);
	assert_int_equal(shared(&topics[2])->acknowledge_error_code, 29);
	assert_int_equal(shared(&topics[0])->acknowledge_error_code, 0);
	assert_true(world.forwarded_count > 0);
	for (int i = 0; i < world.forwarded_count; i++) {
		const struct share_fetch_request *q = world.forwarded[i].body;

		for (int32_t j = 0; j < q->topics.n; j++)
			assert_false(uuid_eq(&q->topics.v[j].topic_id,
			    &topics[2].id));
	}
	serve_on(api, 1, share_two(2, true));
	assert_int_equal(shared(&topics[2])->acknowledge_error_code, 29);
	assert_nothing_shut_forwarded(POLICY_TOPIC, "ReadData");
	/* Not to be described: there is no such topic. */
	world.rights.withheld |= 1u << POLICY_DESCRIBE_TOPIC;
	serve_on(api, 1, share_two(3, false));
	assert_int_equal(shared(&topics[2])->error_code, 100);
	world.rights = (struct principal_rights){ ~0u, 0, false };
	serve_on(api, 1, share_two(4, false));
	share_state_free(&session);
}

static const void *
fetch_by_id(const struct uuid *id)
{
	struct fetch_request *q = ARENA_NEW(&memory, struct fetch_request);

	fetch_two(q, 0, -1, 1);
	q->topics.v->topic_id = *id;
	return q;
}

static const void *
share_by_id(const struct uuid *id, bool acknowledges)
{
	struct share_fetch_request *q = share_two(0, acknowledges);

	q->topics.n = 1;
	q->topics.v->topic_id = *id;
	return q;
}

static const void *
delete_by_id(const struct uuid *id)
{
	struct delete_topics_request *q = codec_new(
	    &delete_topics_request_message, &memory);

	q->topics.v = codec_array(&delete_topics_request_topics_message,
	    &memory, q->topics.n = 1);
	q->topics.v->topic_id = *id;
	return q;
}

static const void *
commit_by_id(const struct uuid *id)
{
	struct offset_commit_request *q = codec_new(
	    &offset_commit_request_message, &memory);

	q->group_id = SLICE_LIT("open-0");
	q->topics.v = codec_array(&offset_commit_request_topics_message,
	    &memory, q->topics.n = 1);
	q->topics.v->topic_id = *id;
	q->topics.v->partitions.v = codec_array(
	    &offset_commit_request_topics_partitions_message, &memory,
	    q->topics.v->partitions.n = 1);
	return q;
}

/* How long an answer takes would show a topic which may not be described: its
 * id is looked for in a newer snapshot as one that there is not. */
static void
test_hidden_ids_are_looked_for(void **state)
{
	static const struct uuid nobodys = { "nobody's id" };
	const struct uuid ids[] = { nobodys, topics[2].id };

	(void)state;
	world.rights = (struct principal_rights){ ~0u,
	    1u << POLICY_DESCRIBE_TOPIC | 1u << POLICY_READ_DATA |
	    1u << POLICY_DELETE_TOPIC, false };
	for (int i = 0; i < 2; i++) {
		const struct {
			uint16_t	 key;
			int		 version;
			const void	*body;
		} asked[] = {
			{ API_DELETE_TOPICS, 6, delete_by_id(&ids[i]) },
			{ API_OFFSET_COMMIT, 10, commit_by_id(&ids[i]) },
			{ API_FETCH, 13, fetch_by_id(&ids[i]) },
			{ API_SHARE_FETCH, 1, share_by_id(&ids[i], false) },
		};

		for (size_t j = 0; j < sizeof(asked) / sizeof(*asked); j++) {
			const struct api_schema *api = schema(asked[j].key);

			serve(api, asked[j].version, asked[j].body);
			assert_int_equal(world.forwarded_count, 0);
			assert_int_equal(code_in_reply(api, asked[j].version,
			    KAFKA_UNKNOWN_TOPIC_ID), 1);
			if (world.parks != 1)
				fail_msg("%s: %d waits for id %d", api->name,
				    world.parks, i);
		}
	}
}

/* Whatever policies say; also those that brokers have yet to make. */
static void
test_brokers_own_topics_are_denied(void **state)
{
	struct slice names_of_both[] = { topics[2].name,
		SLICE_LIT("__share_group_state") };
	struct create_topics_request_topics made[2] = {
		{ .name = names_of_both[0] }, { .name = names_of_both[1] } };
	struct create_topics_request create = { .topics = { made, 2 } };
	struct delete_topics_request delete = {
		.topic_names = { names_of_both, 2 } };
	struct incremental_alter_configs_request_resources changed = {
		.resource_type = 2, .resource_name = topics[2].name };
	struct incremental_alter_configs_request alter = {
		.resources = { &changed, 1 } };
	const struct {
		int16_t		 key, code;
		int		 version, times;
		const void	*body;
	} asked[] = {
		{ API_CREATE_TOPICS, 29, 5, 2, &create },
		{ API_DELETE_TOPICS, 29, 5, 2, &delete },
		{ API_INCREMENTAL_ALTER_CONFIGS, 29, 1, 1, &alter },
		{ API_DELETE_TOPICS, 100, 6, 1, delete_by_id(&topics[2].id) },
		{ API_OFFSET_COMMIT, 100, 10, 1, commit_by_id(&topics[2].id) },
		{ API_FETCH, 100, 13, 1, fetch_by_id(&topics[2].id) },
		{ API_SHARE_FETCH, 100, 1, 1,
		    share_by_id(&topics[2].id, false) },
	};

	(void)state;
	world.rights = (struct principal_rights){ ~0u, 0, true };
	topics[2].internal = true;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		const struct api_schema *api = schema(asked[i].key);

		serve(api, asked[i].version, asked[i].body);
		assert_int_equal(world.forwarded_count, 0);
		assert_int_equal(code_in_reply(api, asked[i].version,
		    asked[i].code), asked[i].times);
	}
	assert_true(authorize_allows(&session, POLICY_READ_DATA,
	    topics[3].name));
	/* A group may have any name. */
	assert_true(authorize_allows(&session, POLICY_ALTER_GROUP,
	    topics[2].name));
	topics[2].internal = false;
	assert_true(authorize_allows(&session, POLICY_READ_DATA,
	    topics[2].name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_produce_names_its_transaction),
		TEST(test_produce_without_acks_ends_the_connection),
		TEST(test_idempotent_producers),
		TEST(test_metadata_hides),
		TEST(test_metadata_of_too_many),
		TEST(test_metadata_creates_what_it_may),
		TEST(test_metadata_without_creation),
		TEST(test_metadata_creates_by_rules),
		TEST(test_operations),
		TEST(test_transaction_is_all_or_nothing),
		TEST(test_deleted_names_are_hidden),
		TEST(test_topics_of_groups),
		TEST(test_unknown_ids_go_nowhere),
		TEST(test_hidden_ids_are_looked_for),
		TEST(test_brokers_own_topics_are_denied),
		TEST(test_configs_of_created_topics),
		TEST(test_topology_creates_what_it_may),
		TEST(test_topics_near_another_tenants),
		TEST(test_patterns_are_about_all_topics),
		TEST(test_fetch_session_follows_policies),
		TEST(test_denied_while_forgotten),
		TEST(test_without_policies_a_login_may_do_nothing),
		TEST(test_share_session_follows_policies),
	};

	return cmocka_run_group_tests_name("authorize_cases", tests, setup,
	    teardown);
}
