/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/census_gather.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/adopt_gather.h"
#include "gateway/ask.h"
#include "gateway/base/arena.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/census.h"
#include "gateway/census_policies.h"
#include "gateway/census_sizes.h"
#include "gateway/wire/codec.h"
#include "gateway/wire/errors.h"
#include "quota/stock.h"
#include "routing/cluster.h"
#include "wire/messages.h"

enum {
	RESOURCE_TOPIC = 2,		/* ConfigResource.Type */
	MAY_DESCRIBE = 1 << 8,		/* AclOperation, as a bit */
};

struct names_asking {
	struct gathering	*g;
	enum quota_named	 kind;
};

struct gathering {
	struct census_job	 job;
	census_gathered_cb	*done;
	void			*arg;
	struct cluster		*cluster;	/* a reference */
	struct error		 faults[CENSUS_PARTS];
	struct names_asking	 names[QUOTA_NAMED];
	uint32_t		 pending;	/* questions, and the
						 * beginning */
	/* Which topics are compacted. */
	struct policies		*policies;
	bool			*marks;		/* topics that matter */
	bool			*known;		/* those whose policy is in */
	const struct topic	**asked;
	uint32_t		 asked_count, asked_next;
	struct sizes		*sizes;
};

__attribute__((format(printf, 3, 4))) static void
fail(struct gathering *g, enum census_part part, const char *fmt, ...)
{
	va_list ap;
	char text[300];

	if (g->faults[part].text[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_set(&g->faults[part], "%s", text);
}

/* ---- the end ---- */

/* What was not asked, or not answered, is as it was. */
static void
keep_policies(struct gathering *g)
{
	const struct cluster *c = g->cluster;

	for (int32_t i = 0; i < c->topic_count; i++) {
		enum made_class was = g->marks[i] && !g->known[i] ?
		    policies_class(census_policies(g->job.before),
		    &c->topics[i]) : MADE_UNKNOWN;

		if (was != MADE_UNKNOWN)
			policies_add(g->policies, &c->topics[i],
			    was == MADE_COMPACTED);
	}
	policies_seal(g->policies);
}

static void
release(struct gathering *g)
{
	if (--g->pending > 0)
		return;
	if (g->policies != NULL)
		keep_policies(g);
	census_put_topics(g->job.to, g->cluster, g->policies, g->sizes);
	g->done(g->arg, g->faults);
	sizes_free(g->sizes);
	free(g->asked);
	free(g->marks);
	free(g->known);
	htab_free(g->job.doubted, NULL);
	cluster_unref(g->cluster);
	free(g);
}

/* ---- one question ---- */

/* At that broker, or, when broker is -1, at the first that can be asked. */
static bool
ask(struct gathering *g, int32_t broker, int16_t api_key, int version,
    const void *body, ask_done_cb *done, struct error *err)
{
	const struct cluster *c = g->cluster;
	int32_t n = broker < 0 ? c->broker_count : 1;

	error_set(err, "there is no broker");
	for (int32_t i = -1; i < n; i++) {
		int32_t at = broker >= 0 ? broker : i < 0 ? c->source :
		    c->brokers[i].id;

		if (at < 0 || !ask_broker(g->job.pool, at, api_key, version,
		    body, done, g, err))
			continue;
		g->pending++;
		return true;
	}
	return false;
}

/* ---- names ---- */

static enum census_part
part_of(enum quota_named kind)
{
	return kind == QUOTA_NAMED_GROUPS ? CENSUS_GROUPS : CENSUS_TXNS;
}

static void
names_gathered(void *arg, const struct adopt_names names[NAME_KINDS],
    const struct error *why)
{
	const struct names_asking *a = arg;
	struct gathering *g = a->g;

	if (why == NULL) {
		census_put_names(g->job.to, a->kind, &names[a->kind ==
		    QUOTA_NAMED_GROUPS ? NAME_GROUP : NAME_TXN]);
	} else {
		fail(g, part_of(a->kind), "%s", why->text);
		census_keep_names(g->job.to, a->kind, g->job.before);
	}
	release(g);
}

static void
ask_names(struct gathering *g, enum quota_named kind)
{
	bool wanted[NAME_KINDS] = { false };
	bool needed = census_wants(g->job.to, quota_named_dimension(kind));

	/* It has been found out that they cannot be had. */
	if (!needed || g->faults[part_of(kind)].text[0] != '\0') {
		census_keep_names(g->job.to, kind, needed ? g->job.before :
		    NULL);
		return;
	}
	wanted[kind == QUOTA_NAMED_GROUPS ? NAME_GROUP : NAME_TXN] = true;
	g->names[kind] = (struct names_asking){ g, kind };
	g->pending++;
	adopt_gather(g->job.pool, g->cluster, wanted, names_gathered,
	    &g->names[kind]);
}

/* ---- which topics are compacted ---- */

static void
take_policy(struct gathering *g,
    const struct describe_configs_response_results *r)
{
	const struct topic *t = cluster_topic(g->cluster, r->resource_name);
	size_t i;

	/* Deleted meanwhile. */
	if (t == NULL || r->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		return;
	if (r->error_code != 0) {
		fail(g, CENSUS_TOPICS, "%s", kafka_error_text(r->error_code));
		return;
	}
	i = (size_t)(t - g->cluster->topics);
	for (int32_t k = 0; k < r->configs.n && !g->known[i]; k++)
		if (slice_is(r->configs.v[k].name, "cleanup.policy")) {
			policies_add(g->policies, t, policies_compacts(
			    r->configs.v[k].value));
			g->known[i] = true;
		}
}

static void ask_policies(struct gathering *g);

static void
policies_answered(void *arg, int32_t broker, const void *reply,
    const char *why)
{
	struct gathering *g = arg;
	const struct describe_configs_response *r = reply;

	if (r == NULL)
		fail(g, CENSUS_TOPICS, "broker %d: %s", broker, why);
	for (int32_t i = 0; r != NULL && i < r->results.n; i++)
		take_policy(g, &r->results.v[i]);
	if (r != NULL)
		ask_policies(g);
	release(g);
}

static struct describe_configs_request *
policies_question(struct gathering *g, struct arena *a)
{
	static struct slice key = { (const uint8_t *)"cleanup.policy", 14 };
	struct describe_configs_request *q = codec_new(
	    &describe_configs_request_message, a);
	uint32_t n = g->asked_count - g->asked_next;

	if (n > CENSUS_BATCH)
		n = CENSUS_BATCH;
	q->resources.n = (int32_t)n;
	q->resources.v = ARENA_ARRAY(a,
	    struct describe_configs_request_resources, n);
	for (uint32_t i = 0; i < n; i++) {
		q->resources.v[i].resource_type = RESOURCE_TOPIC;
		q->resources.v[i].resource_name =
		    g->asked[g->asked_next++]->name;
		q->resources.v[i].configuration_keys.v = &key;
		q->resources.v[i].configuration_keys.n = 1;
	}
	return q;
}

/* The next batch; the others follow when it is answered. */
static void
ask_policies(struct gathering *g)
{
	int version = ask_version(g->cluster, API_DESCRIBE_CONFIGS);
	struct arena a;
	struct error err;

	if (g->asked_next == g->asked_count)
		return;
	if (version < 0) {
		fail(g, CENSUS_TOPICS, "the brokers do not offer it");
		return;
	}
	arena_init(&a, 0);
	if (!ask(g, -1, API_DESCRIBE_CONFIGS, version, policies_question(g,
	    &a), policies_answered, &err))
		fail(g, CENSUS_TOPICS, "%s", err.text);
	arena_fini(&a);
}

/* Whether a topic that is known is asked for again. */
static bool
is_due(const struct gathering *g, const struct topic *t, uint32_t number)
{
	uint32_t from = *g->job.turn;

	if (g->job.doubt_all || htab_get(g->job.doubted, t->name) != NULL)
		return true;
	return number >= from && number - from < CENSUS_TURN;
}

static void
begin_policies(struct gathering *g)
{
	const struct cluster *c = g->cluster;
	size_t n = (size_t)c->topic_count + 1;
	uint32_t number = 0;

	g->policies = policies_new();
	g->marks = mem_zalloc(n * sizeof(*g->marks));
	g->known = mem_zalloc(n * sizeof(*g->known));
	g->asked = mem_alloc(n * sizeof(*g->asked));
	if (!census_mark(g->job.to, c, CENSUS_CLASSES, g->marks))
		return;
	for (int32_t i = 0; i < c->topic_count; i++) {
		const struct topic *t = &c->topics[i];

		if (!g->marks[i])
			continue;
		if (policies_class(census_policies(g->job.before), t) ==
		    MADE_UNKNOWN || is_due(g, t, number))
			g->asked[g->asked_count++] = t;
		number++;
	}
	*g->job.turn += CENSUS_TURN;
	if (*g->job.turn >= number)
		*g->job.turn = 0;
	ask_policies(g);
}

/* ---- sizes ---- */

static void
sizes_answered(void *arg, int32_t broker, const void *reply, const char *why)
{
	struct gathering *g = arg;
	const struct describe_log_dirs_response *r = reply;
	int16_t code = r != NULL ? r->error_code : 0;

	for (int32_t i = 0; r != NULL && code == 0 && i < r->results.n; i++)
		code = r->results.v[i].error_code;
	if (code != 0)
		why = kafka_error_text(code);
	if (why != NULL)
		fail(g, CENSUS_BYTES, "broker %d: %s", broker, why);
	if (r != NULL)
		sizes_put(g->sizes, broker, r);
	release(g);
}

static void
begin_sizes(struct gathering *g)
{
	const struct cluster *c = g->cluster;
	struct describe_log_dirs_request all = { .topics = { NULL, -1 } };
	int version = ask_newest(c, API_DESCRIBE_LOG_DIRS);
	struct error err;

	g->sizes = sizes_new(c);
	if (version < 0) {
		fail(g, CENSUS_BYTES, "the brokers do not offer it");
		return;
	}
	for (int32_t i = 0; i < c->broker_count; i++)
		if (!ask(g, c->brokers[i].id, API_DESCRIBE_LOG_DIRS, version,
		    &all, sizes_answered, &err))
			fail(g, CENSUS_BYTES, "broker %d: %s",
			    c->brokers[i].id, err.text);
}

/* ---- the beginning ---- */

static bool
wants_any(const struct census *c, uint32_t dimensions)
{
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++)
		if ((dimensions >> d & 1) && census_wants(c,
		    (enum quota_dimension)d))
			return true;
	return false;
}

static void
begin(struct gathering *g)
{
	for (int i = 0; i < QUOTA_NAMED; i++)
		ask_names(g, (enum quota_named)i);
	if (wants_any(g->job.to, CENSUS_CLASSES))
		begin_policies(g);
	if (wants_any(g->job.to, CENSUS_SIZES))
		begin_sizes(g);
}

/* Who may not describe the cluster is shown no groups, without a word. */
static void
rights_answered(void *arg, int32_t broker, const void *reply, const char *why)
{
	struct gathering *g = arg;
	const struct describe_cluster_response *r = reply;

	(void)broker;
	(void)why;
	if (r != NULL && r->error_code == 0 &&
	    r->cluster_authorized_operations != INT32_MIN &&
	    !(r->cluster_authorized_operations & MAY_DESCRIBE))
		fail(g, CENSUS_GROUPS, "weir's user may not describe the "
		    "cluster");
	begin(g);
	release(g);
}

static void
ask_rights(struct gathering *g)
{
	struct describe_cluster_request q = {
		.include_cluster_authorized_operations = true,
		.endpoint_type = 1,
	};
	int version = ask_version(g->cluster, API_DESCRIBE_CLUSTER);
	struct error err;

	/* Older brokers do not say it; those who cannot be asked say no more
	 * afterwards. */
	if (!census_wants(g->job.to, QUOTA_DIM_GROUPS) || version < 0 ||
	    !ask(g, -1, API_DESCRIBE_CLUSTER, version, &q, rights_answered,
	    &err))
		begin(g);
}

void
census_gather(const struct census_job *job, census_gathered_cb *done,
    void *arg)
{
	struct gathering *g = mem_zalloc(sizeof(*g));

	g->job = *job;
	g->done = done;
	g->arg = arg;
	g->cluster = cluster_ref(job->cluster);
	g->pending = 1;
	ask_rights(g);
	release(g);
}
