/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What authorization adds to a request that is allowed, in nanoseconds: the
 * median of several rounds, with the policies of a producer and of a consumer,
 * names that the session has asked about before, and one topic or many. For a
 * Fetch what judging its topics costs is shown for each request; a session's
 * are judged once a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/principal.h"
#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/fetch_table.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "routing/cluster.h"
#include "tests/bench/bench_time.h"
#include "wire/messages.h"

enum { TOPICS = 1000 };

static const char document[] =
    "{\"Version\":\"2012-10-17\",\"Statement\":["
    "{\"Effect\":\"Allow\",\"Action\":[\"kafka-cluster:Connect\","
    "\"kafka-cluster:DescribeCluster\"],"
    "\"Resource\":\"arn:aws:kafka:eu-west-1:123456789012:cluster/c/u\"},"
    "{\"Effect\":\"Allow\",\"Action\":[\"kafka-cluster:*Topic*\","
    "\"kafka-cluster:ReadData\",\"kafka-cluster:WriteData\"],"
    "\"Resource\":\"arn:aws:kafka:eu-west-1:123456789012:topic/c/u/app.*\"},"
    "{\"Effect\":\"Allow\",\"Action\":[\"kafka-cluster:AlterGroup\","
    "\"kafka-cluster:DescribeGroup\"],"
    "\"Resource\":\"arn:aws:kafka:eu-west-1:123456789012:group/c/u/app.*\"},"
    "{\"Effect\":\"Deny\",\"Action\":\"kafka-cluster:*\","
    "\"Resource\":\"arn:aws:kafka:eu-west-1:123456789012:topic/c/u/app.no*\"}"
    "]}";

static struct cluster snapshot;
static struct worker worker;
static struct session session;
static struct request request;
static struct topic topics[TOPICS];
static const struct shape *shape;
static struct fetch_table table;

static void
judge_item(void *arg, int32_t i, const struct shape_item *item)
{
	(void)i;
	if (authorize_item(arg, item) != AUTHORIZE_OK) {
		fprintf(stderr, "an item was denied\n");
		exit(1);
	}
}

/* As session.c and forward.c do. */
static void
check_items(void)
{
	struct authorize_items a;

	if (!authorize(&request))
		exit(1);
	if (authorize_begin(&a, &request))
		shape_each(shape, request.body, judge_item, &a);
}

static int16_t
may_read(void *arg, struct slice name)
{
	return authorize_topic(arg, POLICY_READ_DATA, name, true);
}

static void
check_fetch(void)
{
	if (!authorize(&request))
		exit(1);
	table.judged_us = INT64_MIN / 2;
	fetch_table_judge(&table, &snapshot, 0, may_read, &request);
}

static void
show(const char *what, void (*once)(void), struct policy_set *set)
{
	double without, with;

	session.policies = NULL;
	without = median(once);
	session.policies = set;
	with = median(once);
	printf("%-28s %7.0f ns\n", what, with - without);
}

static void
make_topics(void)
{
	static char names[TOPICS][32];

	snapshot.by_id = htab_new();
	snapshot.by_name = htab_new();
	snapshot.generation = 1;
	for (int i = 0; i < TOPICS; i++) {
		struct topic *t = &topics[i];

		snprintf(names[i], sizeof(names[i]), "app.orders-%d", i);
		t->name = slice_of(names[i]);
		memcpy(t->id.b, &i, sizeof(i));
		t->id.b[15] = 1;
		htab_set(snapshot.by_id, (struct slice){ t->id.b,
		    sizeof(t->id.b) }, t);
		htab_set(snapshot.by_name, t->name, t);
	}
}

/* A Produce to the first n topics, one partition each. */
static void
make_produce(struct arena *a, int version, int32_t n)
{
	struct produce_request *q = codec_new(&produce_request_message, a);

	q->topic_data.v = codec_array(&produce_request_topic_data_message, a,
	    q->topic_data.n = n);
	for (int32_t i = 0; i < n; i++) {
		struct produce_request_topic_data *t = &q->topic_data.v[i];

		if (version >= 13)
			t->topic_id = topics[i].id;
		else
			t->name = topics[i].name;
		t->partition_data.v = codec_array(
		    &produce_request_topic_data_partition_data_message, a,
		    t->partition_data.n = 1);
	}
	request.schema = api_schema_find(API_PRODUCE);
	request.version = (int16_t)version;
	request.body = q;
	shape = shape_find(API_PRODUCE, version);
}

static void
make_fetch(int32_t n)
{
	static const struct fetch_ask ask;

	fetch_table_fini(&table);
	fetch_table_init(&table, true);
	for (int32_t i = 0; i < n; i++)
		if (!fetch_table_want(&table, SLICE_NULL, &topics[i].id, 0,
		    &ask))
			exit(1);
	request.schema = api_schema_find(API_FETCH);
	request.version = 17;
}

int
main(void)
{
	static const struct policy_cluster cluster = { "aws", "eu-west-1",
		"123456789012", "c", "u" };
	static const struct policy_context context;
	struct error_list errs = { 0 };
	struct policy *p = policy_compile(document, strlen(document), "bench",
	    &errs);
	struct policy_set *set;
	struct arena a;

	if (p == NULL) {
		fprintf(stderr, "the policy does not compile\n");
		return 1;
	}
	set = policy_set_new(&cluster, &context, &p, 1, NULL);
	arena_init(&a, 0);
	make_topics();
	worker.cluster = &snapshot;
	session.worker = &worker;
	request.session = &session;
	request.worker = &worker;
	make_produce(&a, 12, 1);
	show("Produce v12, 1 partition", check_items, set);
	make_produce(&a, 13, 1);
	show("Produce v13, 1 partition", check_items, set);
	make_produce(&a, 13, 100);
	show("Produce v13, 100 topics", check_items, set);
	fetch_table_init(&table, true);
	make_fetch(1);
	show("Fetch v17, 1 partition", check_fetch, set);
	make_fetch(1000);
	show("Fetch v17, 1000 topics", check_fetch, set);
	fetch_table_fini(&table);
	policy_set_free(set);
	policy_unref(p);
	htab_free(snapshot.by_id, NULL);
	htab_free(snapshot.by_name, NULL);
	arena_fini(&a);
	return 0;
}
