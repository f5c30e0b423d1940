/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tenancy adds to a request, in nanoseconds: the median of several rounds
 * of the same work with a tenant and without one, on a node with 1,000 tenants
 * and 10,000 topics. Counted is all that differs: names inward, whose each item
 * is, names outward.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/authorize.h"
#include "gateway/base/htab.h"
#include "gateway/fetch_table.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/tenants.h"
#include "gateway/worker.h"
#include "routing/cluster.h"
#include "routing/names.h"
#include "tests/bench/bench_time.h"
#include "wire/messages.h"

enum {
	TENANTS = 1000, TOPICS = 10000,
	OWN = TOPICS / TENANTS, SEED = 4096,
};

static struct cluster snapshot;
static struct worker worker;
static struct session session;
static struct request request;
static struct tenant tenant = { .id = "team-500" };
static struct topic topics[TOPICS];
static const char *const prefix = "team-500.";

/* What is measured. */
static struct {
	int		 version;
	int32_t		 n;		/* topics */
	const struct shape *shape;
	struct fetch_table table;
} work;

static void
make_topics(void)
{
	static char names[TOPICS][32];

	snapshot.by_id = htab_new();
	snapshot.by_name = htab_new();
	snapshot.topics = topics;
	snapshot.topic_count = TOPICS;
	snapshot.generation = 1;
	for (int i = 0; i < TOPICS; i++) {
		struct topic *t = &topics[i];

		snprintf(names[i], sizeof(names[i]), "team-%03d.orders-%d",
		    i / OWN, i % OWN);
		t->name = slice_of(names[i]);
		memcpy(t->id.b, &i, sizeof(i));
		t->id.b[15] = 1;
		htab_set(snapshot.by_id, (struct slice){ t->id.b,
		    sizeof(t->id.b) }, t);
		htab_set(snapshot.by_name, t->name, t);
	}
}

static const struct topic *
own(int32_t i)
{
	return &topics[500 * OWN + i];
}

/* As the client says it, or as it stands without tenants. */
static struct slice
said(int32_t i)
{
	struct slice s = own(i)->name;
	uint32_t len = (uint32_t)strlen(prefix);

	return session.tenant == NULL ? s :
	    (struct slice){ s.data + len, s.len - len };
}

static void
judge_item(void *arg, int32_t i, const struct shape_item *item)
{
	(void)i;
	if (authorize_item(arg, item) != AUTHORIZE_OK)
		abort();
}

static void
begin(const struct api_schema *api, char seed[SEED])
{
	request.schema = api;
	request.version = (int16_t)work.version;
	request.bytes_in = 1024;
	arena_init_in(&request.arena, 0, seed, SEED);
}

/* The request inward, its items, the reply outward. */
static void
produce(void)
{
	_Alignas(8) char seed[SEED];
	struct produce_request_topic_data q[OWN];
	struct produce_response_responses a[OWN];
	struct produce_request body = { .acks = 1, .topic_data = { q,
	    work.n } };
	struct produce_response reply = { .responses = { a, work.n } };
	struct produce_request_topic_data_partition_data part = { .index = 0 };
	struct authorize_items items;

	memset(q, 0, sizeof(q));
	memset(a, 0, sizeof(a));
	for (int32_t i = 0; i < work.n; i++) {
		if (work.version >= 13)
			q[i].topic_id = own(i)->id;
		else
			q[i].name = said(i);
		q[i].partition_data.v = &part;
		q[i].partition_data.n = 1;
	}
	begin(api_schema_find(API_PRODUCE), seed);
	request.body = &body;
	if (!tenancy_inward(&request) || !authorize(&request))
		abort();
	if (authorize_begin(&items, &request))
		shape_each(work.shape, &body, judge_item, &items);
	for (int32_t i = 0; i < work.n; i++) {
		a[i].name = q[i].name;
		a[i].topic_id = q[i].topic_id;
	}
	tenancy_outward(&request, work.version, &reply);
	arena_fini(&request.arena);
}

static int16_t
may_read(void *arg, struct slice name)
{
	return authorize_topic(arg, POLICY_READ_DATA, name, true);
}

/* In a session the list of topics is not said again. */
static void
fetch(void)
{
	_Alignas(8) char seed[SEED];
	struct fetch_response_responses a[OWN];
	struct fetch_request body = { .max_bytes = 1 };
	struct fetch_response reply = { .responses = { a, work.n } };

	memset(a, 0, sizeof(a));
	begin(api_schema_find(API_FETCH), seed);
	request.body = &body;
	if (!tenancy_inward(&request) || !authorize(&request))
		abort();
	if (!authorize_unlimited(&session)) {
		work.table.judged_us = INT64_MIN / 2;
		fetch_table_judge(&work.table, &snapshot, 0, may_read,
		    &request);
	}
	for (int32_t i = 0; i < work.n; i++) {
		if (work.version < 13)
			a[i].topic = own(i)->name;
		a[i].topic_id = own(i)->id;
	}
	tenancy_outward(&request, work.version, &reply);
	arena_fini(&request.arena);
}

static void
show(const char *what, void (*once)(void))
{
	double without, with;

	session.tenant = NULL;
	without = median(once);
	session.tenant = &tenant;
	with = median(once);
	printf("%-40s %7.0f ns\n", what, with - without);
}

static void
show_produce(const char *what, int version, int32_t n)
{
	work.version = version;
	work.n = n;
	work.shape = shape_find(API_PRODUCE, version);
	show(what, produce);
}

static void
show_fetch(const char *what, int version, int32_t n)
{
	static const struct fetch_ask ask;
	bool by_id = version >= FETCH_IDS_SINCE;

	work.version = version;
	work.n = n;
	fetch_table_init(&work.table, by_id);
	for (int32_t i = 0; i < n; i++)
		if (!fetch_table_want(&work.table, own(i)->name, &own(i)->id,
		    0, &ask))
			abort();
	show(what, fetch);
	fetch_table_fini(&work.table);
}

int
main(void)
{
	struct names *names = names_new(prefix);

	make_topics();
	tenant.names = names;
	session.worker = &worker;
	worker.cluster = &snapshot;
	request.session = &session;
	request.worker = &worker;
	puts("added by tenancy, 1,000 tenants and 10,000 topics:");
	show_produce("Produce v12, 1 topic by name", 12, 1);
	show_produce("Produce v13, 1 topic by id", 13, 1);
	show_produce("Produce v13, 10 topics by id", 13, 10);
	show_fetch("Fetch v12, 1 topic, judged anew", 12, 1);
	show_fetch("Fetch v17, 1 topic, judged anew", 17, 1);
	show_fetch("Fetch v17, 10 topics, judged anew", 17, 10);
	names_free(names);
	htab_free(snapshot.by_id, NULL);
	htab_free(snapshot.by_name, NULL);
	return 0;
}
