/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What limits add to a Produce of one partition that none of them holds up, in
 * nanoseconds: admitting it, its reply's throttle time, charging what was sent.
 * With all limits at every scope, and without any; what they add to a Fetch of
 * many topics, while no partition is in debt and while one is; and what
 * partitions that rest take in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>

#include "gateway/api.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/fetch_table.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "gateway/session.h"
#include "gateway/throttle.h"
#include "gateway/throttle_fetch.h"
#include "gateway/throttle_parts.h"
#include "gateway/worker.h"
#include "quota/quota.h"
#include "tests/bench/bench_time.h"
#include "wire/messages.h"

enum { PARTITIONS = 100000, TOPICS = 1000, MANY = 1000000000, READ = 2000 };

static struct gateway gateway;
static struct worker worker;
static struct config config;
static struct session session;
static struct cluster snapshot;
static struct topic topic;
static struct produce_response *response;
static struct request *request;
static struct topic read[READ];
static char read_names[READ][16];
static struct fetch_table table;

static struct limits *
all_limits(void)
{
	struct limits *l = limits_new("all", QUOTA_DIMENSIONS * QUOTA_SCOPES);
	uint32_t n = 0;

	for (int d = 0; d < QUOTA_DIMENSIONS; d++)
		for (int s = 0; s < QUOTA_SCOPES; s++)
			if (quota_dimension((enum quota_dimension)d)->scopes >>
			    s & 1)
				l->v[n++] = (struct limit){
				    .dimension = (uint8_t)d,
				    .scope = (uint8_t)s, .value = MANY,
				    .burst = MANY };
	l->n = n;
	return l;
}

static void
once(void)
{
	if (!throttle_admit(request))
		exit(1);
	if (throttle_parts_limited(request))
		throttle_part_write(request, topic.name, NULL, 0, 150);
	throttle_answer(request, request->version, response);
	throttle_sent(request, 100);
}

static void
make_request(void)
{
	struct produce_request *q;

	request = request_new(&worker);
	request->session = &session;
	request->api = api_find(API_PRODUCE);
	request->schema = request->api->schema;
	request->version = 9;
	request->bytes_in = 200;
	q = codec_new(&produce_request_message, &request->arena);
	q->acks = 1;
	q->topic_data.v = codec_array(&produce_request_topic_data_message,
	    &request->arena, q->topic_data.n = 1);
	q->topic_data.v[0].name = topic.name;
	q->topic_data.v[0].partition_data.v = codec_array(
	    &produce_request_topic_data_partition_data_message,
	    &request->arena, q->topic_data.v[0].partition_data.n = 1);
	q->topic_data.v[0].partition_data.v[0].records.len = 150;
	request->body = q;
	response = codec_new(&produce_response_message, &request->arena);
}

static double
with_limits(struct limits *l)
{
	double ns;

	gateway.quota = quota_new(1);
	quota_set_node(gateway.quota, l);
	config.quota.made = l;
	throttle_enter(&session);
	ns = median(once);
	throttle_leave(&session);
	throttling_forget(worker.throttling);
	return ns;
}

static void
rest_once(void)
{
	throttle_rest(request, &table);
}

static void
fetch_of_many(struct limits *l)
{
	const struct fetch_ask ask = { .max_bytes = 1000 };
	double free, owing;

	gateway.quota = quota_new(1);
	config.quota.made = l;
	throttle_enter(&session);
	fetch_table_init(&table, false);
	for (int i = 0; i < READ; i++) {
		snprintf(read_names[i], sizeof(read_names[i]), "read-%d", i);
		read[i].name = slice_of(read_names[i]);
		htab_set(snapshot.by_name, read[i].name, &read[i]);
		if (!fetch_table_want(&table, read[i].name, NULL, 0, &ask))
			exit(1);
	}
	free = median(rest_once);
	throttle_part_read(request, fetch_table_topic(&table, read[7].name,
	    NULL), 0, UINT32_MAX);
	owing = median(rest_once);
	printf("%-36s %7.0f ns\n", "a Fetch of 2000 topics", free);
	printf("%-36s %7.0f ns\n", "... while one is in debt", owing);
	fetch_table_fini(&table);
	throttle_leave(&session);
	throttling_forget(worker.throttling);
}

/* Partitions that were used once, without those that hold up somebody. */
static double
bytes_of_a_partition(struct limits *l)
{
	struct quota *q = quota_new(1);
	struct quota_account *a = quota_account(q, "t", l);
	struct quota_reason why = { .us = 0 };
	size_t before = mallinfo2().uordblks, after;

	for (int i = 0; i < TOPICS; i++) {
		struct quota_topic *t;
		char name[32];

		snprintf(name, sizeof(name), "topic-%d", i);
		t = quota_topic(a, slice_of(name));
		for (int j = 0; j < PARTITIONS / TOPICS; j++) {
			quota_part_spend(t, j, false, 1, 1000000, &why);
			quota_part_spend(t, j, true, 1, 1000000, &why);
		}
		quota_topic_unref(t);
	}
	after = mallinfo2().uordblks;
	quota_free(q);
	return (double)(after - before) / PARTITIONS;
}

int
main(void)
{
	struct limits *all = all_limits(), *none = limits_new("none", 0);
	double with, without;

	worker.gateway = &gateway;
	worker.config = &config;
	worker.loop = loop_new();
	worker.cluster = &snapshot;
	worker.metrics = metric_new();
	list_init(&worker.free_requests);
	worker.throttling = throttling_new(&worker);
	session.worker = &worker;
	list_init(&session.requests);
	config.quota.throttle_max_ms = config.quota.hold_max_ms = 1000;
	snapshot.by_name = htab_new();
	topic.name = SLICE_LIT("orders");
	htab_set(snapshot.by_name, topic.name, &topic);
	make_request();
	without = with_limits(none);
	with = with_limits(all);
	printf("%-36s %7.0f ns\n", "no limit", without);
	printf("%-36s %7.0f ns\n", "all limits at every scope", with);
	fetch_of_many(all);
	printf("%-36s %7.1f bytes\n", "a partition with both buckets",
	    bytes_of_a_partition(all));
	return 0;
}
