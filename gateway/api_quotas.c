/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DescribeClientQuotas (KIP-546): a client is shown its own limits and nobody
 * else's, in Kafka's words: the user is its principal, and where a limit is
 * about client ids there is an entry for its own. What Kafka has no key for
 * (requests, counts, sizes) is left out; so is what is in shadow, since it
 * slows nobody.
 */
#include <math.h>

#include "auth/principal.h"
#include "gateway/base/error.h"
#include "gateway/client_login.h"
#include "gateway/config.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/worker.h"
#include "quota/limits.h"
#include "wire/messages.h"

/* DescribeClientQuotasRequest's MatchType */
enum { MATCH_EXACT = 0, MATCH_DEFAULT = 1, MATCH_SPECIFIED = 2 };

typedef struct describe_client_quotas_request_components component;
typedef struct describe_client_quotas_response_entries entry;
typedef struct describe_client_quotas_response_entries_entity entity;
typedef struct describe_client_quotas_response_entries_values value;

static const char *const types[] = { "user", "client-id", "ip" };
enum { TYPE_USER, TYPE_CLIENT, TYPE_IP, TYPES };

static const struct {
	const char		*key;
	enum quota_dimension	 dimension;
} keys[] = {
	{ "producer_byte_rate", QUOTA_DIM_INGRESS },
	{ "consumer_byte_rate", QUOTA_DIM_EGRESS },
	{ "controller_mutation_rate", QUOTA_DIM_PARTITION_CHANGES },
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* ---- the filter ---- */

/* What each type must be: NULL, or the component that says it. */
struct filter {
	const component	*of[TYPES];
	int32_t		 count;
	bool		 strict;
};

static int16_t
refuse(struct error *why, int16_t error, const char *text)
{
	error_set(why, "%s", text);
	return error;
}

static int16_t
add_component(struct filter *f, const component *c, struct error *why)
{
	int type = 0;

	while (type < TYPES && !slice_is(c->entity_type, types[type]))
		type++;
	if (c->entity_type.len == 0)
		return refuse(why, KAFKA_INVALID_REQUEST, "An entity type is "
		    "empty.");
	if (type == TYPES)
		return refuse(why, KAFKA_UNSUPPORTED_VERSION, "An entity type "
		    "is none of user, client-id and ip.");
	if (f->of[type] != NULL)
		return refuse(why, KAFKA_INVALID_REQUEST, "An entity type is "
		    "given twice.");
	if (c->match_type < MATCH_EXACT || c->match_type > MATCH_SPECIFIED)
		return refuse(why, KAFKA_INVALID_REQUEST, "A match type is "
		    "unknown.");
	if ((c->match_type == MATCH_EXACT) != (c->match.data != NULL))
		return refuse(why, KAFKA_INVALID_REQUEST, "A name belongs to "
		    "the exact match, and only to it.");
	f->of[type] = c;
	f->count++;
	return 0;
}

static int16_t
read_filter(const struct describe_client_quotas_request *q, struct filter *f,
    struct error *why)
{
	int16_t error = 0;

	*f = (struct filter){ .strict = q->strict };
	for (int32_t i = 0; error == 0 && i < q->components.n; i++)
		error = add_component(f, &q->components.v[i], why);
	if (error == 0 && f->of[TYPE_IP] != NULL && f->count > 1)
		error = refuse(why, KAFKA_INVALID_REQUEST, "The type ip stands "
		    "alone.");
	return error;
}

/* Our entries have names: none is a default one. */
static bool
name_fits(const component *c, struct slice name)
{
	return c == NULL || c->match_type == MATCH_SPECIFIED ||
	    (c->match_type == MATCH_EXACT && slice_eq(c->match, name));
}

/* client.data NULL: an entry of the user alone. */
static bool
wanted(const struct filter *f, struct slice user, struct slice client)
{
	bool has_client = client.data != NULL;

	if (f->of[TYPE_IP] != NULL || (f->of[TYPE_CLIENT] != NULL &&
	    !has_client) || (f->strict && f->count != 1 + has_client))
		return false;
	return name_fits(f->of[TYPE_USER], user) &&
	    name_fits(f->of[TYPE_CLIENT], client);
}

/* ---- the entries ---- */

/* Whose limits are shown. */
struct client {
	const struct limits	*limits;
	struct slice		 user, arn, client_id;
};

static struct client
client_of(const struct request *r)
{
	const struct session *s = r->session;
	const struct principal *p = s->login != NULL ? s->login->principal :
	    NULL;

	return (struct client){
		.limits = s->tenant != NULL ? s->tenant->limits :
		    r->worker->config->quota.made,
		.user = p != NULL ? slice_of(p->name) : SLICE_LIT("ANONYMOUS"),
		.arn = p != NULL ? slice_of(p->principal_arn) : SLICE_NULL,
		.client_id = r->client_id,
	};
}

/* A second; INFINITY: there is none, or it slows nobody. */
static double
rate(const struct client *c, enum quota_scope s, enum quota_dimension d)
{
	const struct limit *row = limits_find(c->limits, s, d,
	    s == QUOTA_TENANT ? SLICE_NULL : c->arn,
	    s == QUOTA_CLIENT ? c->client_id : SLICE_NULL, SLICE_NULL);

	if (row == NULL || row->mode != QUOTA_ENFORCE)
		return INFINITY;
	return quota_dimension(d)->kind == QUOTA_WINDOW ?
	    (double)row->value / QUOTA_WINDOW_S : (double)row->value;
}

static void
add_entry(struct request *r, struct describe_client_quotas_response *to,
    const struct client *c, bool of_client, const double rates[KEYS])
{
	entry *e = &to->entries.v[to->entries.n];
	value *v = ARENA_ARRAY(&r->arena, value, KEYS);
	entity *who = ARENA_ARRAY(&r->arena, entity, 2);
	int32_t n = 0;

	for (int i = 0; i < KEYS; i++)
		if (rates[i] < INFINITY)
			v[n++] = (value){ slice_of(keys[i].key), rates[i] };
	if (n == 0)
		return;
	who[0] = (entity){ slice_of(types[TYPE_USER]), c->user };
	if (of_client)
		who[1] = (entity){ slice_of(types[TYPE_CLIENT]),
			c->client_id };
	e->entity.v = who;
	e->entity.n = 1 + of_client;
	e->values.v = v;
	e->values.n = n;
	to->entries.n++;
}

/* The user's: its own or its tenant's, whichever is less. */
static void
add_user(struct request *r, struct describe_client_quotas_response *to,
    const struct client *c)
{
	double rates[KEYS];

	for (int i = 0; i < KEYS; i++) {
		double all = rate(c, QUOTA_TENANT, keys[i].dimension);
		double own = rate(c, QUOTA_PRINCIPAL, keys[i].dimension);

		rates[i] = own < all ? own : all;
	}
	add_entry(r, to, c, false, rates);
}

static void
add_client(struct request *r, struct describe_client_quotas_response *to,
    const struct client *c)
{
	double rates[KEYS];

	for (int i = 0; i < KEYS; i++)
		rates[i] = rate(c, QUOTA_CLIENT, keys[i].dimension);
	add_entry(r, to, c, true, rates);
}

void
api_describe_quotas(struct request *r)
{
	struct describe_client_quotas_response *to = codec_new(
	    &describe_client_quotas_response_message, &r->arena);
	struct client c = client_of(r);
	struct filter f;
	struct error why;

	to->error_code = read_filter(r->body, &f, &why);
	if (to->error_code != 0) {
		to->error_message = arena_slice(&r->arena, slice_of(why.text));
		to->entries.n = -1;	/* null, as brokers say it */
		request_answer(r, to);
		return;
	}
	to->entries.v = ARENA_ARRAY(&r->arena, entry, 2);
	to->entries.n = 0;
	if (wanted(&f, c.user, SLICE_NULL))
		add_user(r, to, &c);
	if (c.client_id.data != NULL && wanted(&f, c.user, c.client_id))
		add_client(r, to, &c);
	request_answer(r, to);
}
