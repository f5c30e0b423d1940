/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every broker answers for itself: ListGroups, ListTransactions and
 * DescribeLogDirs. Which virtual broker was meant cannot be told when several
 * share an address, so each gives the whole answer. When a broker does not
 * answer, the client is told to ask again: half a list would be a wrong one.
 */
#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/forward.h"
#include "gateway/session.h"
#include "gateway/worker.h"
#include "wire/messages.h"

/* True when the client has gone (the request too), or a broker failed, which
 * the client has been told. */
static bool
incomplete(struct request *r)
{
	if (r->session == NULL) {
		request_finish(r);
		return true;
	}
	for (int32_t i = 0; i < r->leg_count; i++)
		if (r->legs[i].reply == NULL) {
			request_answer_error(r, r->legs[i].error);
			return true;
		}
	if (r->leg_count == 0) {
		request_answer_error(r, KAFKA_COORDINATOR_NOT_AVAILABLE);
		return true;
	}
	return false;
}

static void
groups_listed(struct request *r)
{
	struct list_groups_response *to;
	int32_t total = 0;

	if (incomplete(r))
		return;
	to = codec_new(&list_groups_response_message, &r->arena);
	for (int32_t i = 0; i < r->leg_count; i++)
		total += ((struct list_groups_response *)
		    r->legs[i].reply)->groups.n;
	to->groups.v = ARENA_ARRAY(&r->arena,
	    struct list_groups_response_groups, total + 1);
	for (int32_t i = 0; i < r->leg_count; i++) {
		const struct list_groups_response *from = r->legs[i].reply;

		if (from->error_code != 0)
			to->error_code = from->error_code;
		for (int32_t j = 0; j < from->groups.n; j++)
			to->groups.v[to->groups.n++] = from->groups.v[j];
	}
	authorize_reply(r, to);
	forward_answer(r, to);
}

void
api_list_groups(struct request *r)
{
	forward_each(r, groups_listed);
}

static void
transactions_listed(struct request *r)
{
	struct list_transactions_response *to;
	int32_t total = 0;

	if (incomplete(r))
		return;
	to = codec_new(&list_transactions_response_message, &r->arena);
	for (int32_t i = 0; i < r->leg_count; i++)
		total += ((struct list_transactions_response *)
		    r->legs[i].reply)->transaction_states.n;
	to->transaction_states.v = ARENA_ARRAY(&r->arena,
	    struct list_transactions_response_transaction_states, total + 1);
	for (int32_t i = 0; i < r->leg_count; i++) {
		const struct list_transactions_response *from =
		    r->legs[i].reply;

		if (from->error_code != 0)
			to->error_code = from->error_code;
		to->unknown_state_filters = from->unknown_state_filters;
		for (int32_t j = 0; j < from->transaction_states.n; j++)
			to->transaction_states.v[to->transaction_states.n++] =
			    from->transaction_states.v[j];
	}
	authorize_reply(r, to);
	forward_answer(r, to);
}

void
api_list_transactions(struct request *r)
{
	forward_each(r, transactions_listed);
}

/* ---- DescribeLogDirs ---- */

typedef struct describe_log_dirs_response_results_topics dir_topic;
typedef struct describe_log_dirs_response_results_topics_partitions
    dir_partition;

static int
compare_topics(const void *a, const void *b)
{
	const dir_topic *x = a, *y = b;
	uint32_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
	int c = n ? memcmp(x->name.data, y->name.data, n) : 0;

	return c ? c : (x->name.len < y->name.len ? -1 :
	    x->name.len > y->name.len);
}

struct dir_entry {
	const dir_topic	*topic;
	int32_t		 broker;
};

/* One broker's word on a partition. */
struct dir_replica {
	const dir_partition	*partition;
	int32_t			 broker;
	bool			 leads;
};

/* A partition stands on several brokers: its leader's word comes first, that on
 * the current log before that on one that is being moved. */
static int
compare_replicas(const void *a, const void *b)
{
	const struct dir_replica *x = a, *y = b;
	int32_t i = x->partition->partition_index;
	int32_t j = y->partition->partition_index;

	if (i != j)
		return i < j ? -1 : 1;
	if (x->leads != y->leads)
		return x->leads ? -1 : 1;
	if (x->partition->is_future_key != y->partition->is_future_key)
		return x->partition->is_future_key ? 1 : -1;
	return x->broker < y->broker ? -1 : x->broker > y->broker;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct dir_entry *x = a, *y = b;

	return compare_topics(x->topic, y->topic);
}

/* All brokers' topics as a list, equal names side by side. */
static int32_t
gather_topics(struct request *r, struct dir_entry **entries, int16_t *error)
{
	int32_t n = 0, total = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (int32_t i = 0; i < r->leg_count; i++) {
			const struct describe_log_dirs_response *from =
			    r->legs[i].reply;

			if (from->error_code != 0)
				*error = from->error_code;
			for (int32_t j = 0; j < from->results.n; j++)
				for (int32_t k = 0;
				    k < from->results.v[j].topics.n; k++) {
					if (pass == 0) {
						total++;
						continue;
					}
					(*entries)[n++] = (struct dir_entry){
					    &from->results.v[j].topics.v[k],
					    r->legs[i].broker };
				}
		}
		if (pass == 0)
			*entries = ARENA_ARRAY(&r->arena, struct dir_entry,
			    total + 1);
	}
	qsort(*entries, (size_t)n, sizeof(**entries), compare_entries);
	return n;
}

static bool
leads(const struct topic *t, int32_t index, int32_t broker)
{
	const struct partition *p = topic_partition(t, index);

	return p != NULL && p->leader == broker;
}

/* What the brokers of e[0 .. n-1] say of the topic, each partition once. */
static void
merge_topic(struct request *r, const struct topic *t,
    const struct dir_entry *e, int32_t n, dir_topic *to)
{
	struct dir_replica *all;
	int32_t count = 0;

	for (int32_t i = 0; i < n; i++)
		count += e[i].topic->partitions.n;
	all = ARENA_ARRAY(&r->arena, struct dir_replica, count + 1);
	count = 0;
	for (int32_t i = 0; i < n; i++)
		for (int32_t j = 0; j < e[i].topic->partitions.n; j++) {
			const dir_partition *p =
			    &e[i].topic->partitions.v[j];

			all[count++] = (struct dir_replica){ p, e[i].broker,
			    leads(t, p->partition_index, e[i].broker) };
		}
	qsort(all, (size_t)count, sizeof(*all), compare_replicas);
	to->name = e[0].topic->name;
	to->partitions.v = ARENA_ARRAY(&r->arena, dir_partition, count + 1);
	for (int32_t i = 0; i < count; i++)
		if (i == 0 || all[i].partition->partition_index !=
		    all[i - 1].partition->partition_index)
			to->partitions.v[to->partitions.n++] =
			    *all[i].partition;
}

static void
merge_dirs(struct request *r, const struct dir_entry *e, int32_t n,
    struct describe_log_dirs_response_results *dir)
{
	dir->topics.v = ARENA_ARRAY(&r->arena, dir_topic, n + 1);
	for (int32_t i = 0, next; i < n; i = next) {
		const struct topic *t = cluster_visible(r->worker->cluster,
		    e[i].topic->name);

		for (next = i; next < n &&
		    compare_topics(e[i].topic, e[next].topic) == 0; next++)
			;
		if (t != NULL)
			merge_topic(r, t, &e[i], next - i,
			    &dir->topics.v[dir->topics.n++]);
	}
}

/* What brokers have and the snapshot has not was created just now. */
static bool
knows_all(const struct request *r, const struct dir_entry *e, int32_t n)
{
	for (int32_t i = 0; i < n; i++)
		if (cluster_topic(r->worker->cluster, e[i].topic->name) ==
		    NULL)
			return false;
	return true;
}

static void
dirs_described(struct request *r)
{
	struct describe_log_dirs_response *to;
	struct dir_entry *entries = NULL;
	int32_t n;

	if (incomplete(r))
		return;
	to = codec_new(&describe_log_dirs_response_message, &r->arena);
	n = gather_topics(r, &entries, &to->error_code);
	if (!knows_all(r, entries, n) && request_park(r, dirs_described))
		return;
	to->results.n = 1;
	to->results.v = ARENA_NEW(&r->arena,
	    struct describe_log_dirs_response_results);
	codec_defaults(&describe_log_dirs_response_results_message,
	    to->results.v);
	/* Paths and disks are the cluster's own. */
	to->results.v[0].log_dir = SLICE_LIT("/weir");
	merge_dirs(r, entries, n, &to->results.v[0]);
	authorize_reply(r, to);
	request_answer(r, to);
}

void
api_describe_log_dirs(struct request *r)
{
	forward_each(r, dirs_described);
}
