/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/forward.h"

#include "gateway/authorize.h"
#include "gateway/base/log.h"
#include "gateway/coordinators.h"
#include "gateway/session.h"
#include "gateway/tenancy.h"
#include "gateway/worker.h"
#include "routing/shape.h"
#include "routing/virtual.h"
#include "wire/messages.h"

enum {
	HUNG_US = 500000,
	UNJUDGED = INT16_MAX,
};

/* The state of a request that is being forwarded. */
struct plan {
	const struct shape	*shape;		/* NULL: not split */
	struct forward_how	 how;
	int32_t			 items;
	int32_t			*leg_of;	/* by item; -1: errors[i] */
	int16_t			*errors;
	int16_t			*verdicts;	/* by item, with how.judge */
	int32_t			*brokers;	/* by leg */
	bool			*told;		/* by item: how.sends was */
	int32_t			 legs;
	bool			 unknown;	/* of topic or leader */
	bool			 leaderless;	/* an item is */
	bool			 parked;	/* once at least */
	bool			 hung;		/* a dial did: not once more */
	int64_t			 sent_us;
	bool			 moved;		/* a coordinator has */
	struct coordinator_query *queries;
	int32_t			 query_count;
	int32_t			*query_of;	/* by item; -1: errors[i] */
	enum coordinator_kind	 kind;
	bool			 single;	/* one id for the whole */
	bool			 checks;	/* items are authorized */
	struct authorize_items	 items_allowed;
	struct authorize_nested	*nested;
};

/* The leg of that broker, added when there is none yet. */
static int32_t
leg_for(struct plan *p, int32_t broker)
{
	for (int32_t i = 0; i < p->legs; i++)
		if (p->brokers[i] == broker)
			return i;
	p->brokers[p->legs] = broker;
	return p->legs++;
}

static void
plan_arrays(struct request *r, struct plan *p)
{
	int32_t room;

	p->legs = 0;
	p->unknown = p->leaderless = false;
	p->checks = p->shape != NULL &&
	    authorize_begin(&p->items_allowed, r);
	if (p->leg_of != NULL)
		return;		/* planned anew */
	p->items = p->shape ? shape_count(p->shape, r->body) : 0;
	room = p->items > 0 ? p->items : 1;
	p->leg_of = ARENA_ARRAY(&r->arena, int32_t, room);
	p->errors = ARENA_ARRAY(&r->arena, int16_t, room);
	p->brokers = ARENA_ARRAY(&r->arena, int32_t, room);
	if (p->how.sends != NULL)
		p->told = ARENA_ARRAY(&r->arena, bool, room);
	if (p->how.judge == NULL)
		return;
	p->verdicts = ARENA_ARRAY(&r->arena, int16_t, room);
	for (int32_t i = 0; i < room; i++)
		p->verdicts[i] = UNJUDGED;
}

static int16_t
ask_judge(struct request *r, struct plan *p, int32_t i,
    const struct shape_item *item)
{
	if (p->how.judge == NULL)
		return FORWARD_ITEM;
	if (p->verdicts[i] == UNJUDGED ||
	    (p->verdicts[i] == FORWARD_ITEM && !p->how.once))
		p->verdicts[i] = p->how.judge(r, item);
	return p->verdicts[i];
}

/* FORWARD_ITEM, or the error that item i is answered with. What may become
 * known is noted in p->unknown. */
static int16_t
judge_item(struct request *r, struct plan *p, int32_t i,
    const struct shape_item *item)
{
	if (p->checks) {
		int16_t error = authorize_item(&p->items_allowed, item);

		if (error == AUTHORIZE_UNKNOWN) {
			p->unknown = true;
			return KAFKA_UNKNOWN_TOPIC_ID;
		}
		if (error != AUTHORIZE_OK)
			return error;
	}
	return ask_judge(r, p, i, item);
}

/* ---- what came back ---- */

static void
note_error(void *arg, int16_t error)
{
	struct request *r = arg;
	struct plan *p = r->state;

	if (error_wants_refresh(error))
		worker_wish(r->worker);
	if (error == KAFKA_NOT_COORDINATOR ||
	    error == KAFKA_COORDINATOR_NOT_AVAILABLE)
		p->moved = true;
}

static void
forget_coordinators(struct request *r, struct plan *p)
{
	if (!p->moved || p->queries == NULL)
		return;
	for (int32_t i = 0; i < p->query_count; i++)
		coordinators_forget(r->worker->coordinators, p->kind,
		    p->queries[i].key);
}

/* What items are told that an answer lacks: the error of the whole, beside
 * which brokers often have no items. */
static int16_t
missing_error(const struct request *r)
{
	int16_t error = 0;

	if (r->leg_count == 1 && r->legs[0].reply != NULL)
		error = shape_top_error(r->schema, r->legs[0].reply);
	return error != 0 ? error : KAFKA_REQUEST_TIMED_OUT;
}

static void *
merge(struct request *r, struct plan *p)
{
	int16_t missing = missing_error(r);
	struct shape_answer *answers;
	uint32_t odd;
	void *response;

	if (r->leg_count == 1 && r->legs[0].reply != NULL &&
	    r->legs[0].body == r->body)
		return r->legs[0].reply;
	if (p->shape == NULL)
		return shape_error(r->schema, r->version, r->body,
		    r->legs[0].error, &r->arena);
	answers = ARENA_ARRAY(&r->arena, struct shape_answer, r->leg_count + 1);
	for (int32_t i = 0; i < r->leg_count; i++)
		answers[i] = (struct shape_answer){ r->legs[i].reply,
		    r->legs[i].error };
	response = shape_merge(p->shape, r->body, p->leg_of, p->errors,
	    answers, r->leg_count, missing, &r->arena, &odd);
	if (odd > 0 && missing == KAFKA_REQUEST_TIMED_OUT)
		log_warn("answers did not match the request",
		    "api=%s items=%u", r->schema->name, odd);
	return response;
}

/* Without replies: whether every item went to a broker. */
static bool
all_written(const struct request *r, const struct plan *p)
{
	for (int32_t i = 0; i < r->leg_count; i++)
		if (r->legs[i].outcome != CALL_SENT)
			return false;
	for (int32_t i = 0; i < p->items; i++)
		if (p->leg_of[i] < 0)
			return false;
	return true;
}

/* Nothing has begun, so all of it may still go to other leaders. */
static bool
nothing_sent(const struct request *r, const struct plan *p)
{
	if (r->api->route != ROUTE_LEADER || p->legs == 0)
		return false;
	for (int32_t i = 0; i < r->leg_count; i++)
		if (r->legs[i].outcome != CALL_NOT_SENT ||
		    r->legs[i].error == KAFKA_INVALID_REQUEST)
			return false;
	return true;
}

static bool wait_for_leaders(struct request *r);

static void
legs_done(struct request *r)
{
	struct plan *p = r->state;
	void *response;

	if (r->session != NULL && nothing_sent(r, p)) {
		p->hung |= loop_now_us(r->worker->loop) - p->sent_us > HUNG_US;
		if (wait_for_leaders(r))
			return;
	}
	if (p->how.no_reply && p->how.written != NULL) {
		p->how.written(r, all_written(r, p));
		return;
	}
	if (r->session == NULL || p->how.no_reply) {
		request_finish(r);
		return;
	}
	for (int32_t i = 0; i < r->leg_count; i++)
		authorize_reply(r, r->legs[i].reply);
	response = merge(r, p);
	if (response == NULL) {
		request_fail(r, CONN_BAD_REPLY, r->schema->name);
		return;
	}
	authorize_merge(r, p->nested, response);
	r->error = shape_errors(r->schema, r->version, response, note_error, r);
	forget_coordinators(r, p);
	p->how.finish(r, response);
}

static void
send_legs(struct request *r, struct plan *p)
{
	/* A topic without partitions has not been judged. */
	bool whole = p->legs == 1 && !(p->checks && p->shape != NULL &&
	    shape_hollow(p->shape, r->body));

	p->sent_us = loop_now_us(r->worker->loop);
	for (int32_t i = 0; whole && i < p->items; i++)
		whole = p->leg_of[i] == 0;
	request_legs(r, p->legs);
	for (int32_t i = 0; i < p->legs; i++) {
		r->legs[i].broker = p->brokers[i];
		r->legs[i].body = whole || p->shape == NULL ? r->body :
		    shape_part(p->shape, r->body, p->leg_of, i, &r->arena);
	}
	request_send(r, USE_GENERAL, p->how.no_reply, legs_done);
}

/* ---- by leader ---- */

struct leaders {
	struct request		*r;
	struct plan		*p;
	const struct topic	*topic;		/* of the item before */
	const void		*outer;
};

static const struct topic *
item_topic(struct leaders *l, const struct shape_item *item)
{
	const struct cluster *c = l->r->worker->cluster;

	if (l->outer == item->outer)
		return l->topic;
	l->outer = item->outer;
	l->topic = NULL;
	if (item->id != NULL && !uuid_is_zero(item->id))
		l->topic = cluster_visible_by_id(c, item->id);
	else if (item->name.data != NULL)
		l->topic = cluster_visible(c, item->name);
	return l->topic;
}

static void
leader_of_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct leaders *l = arg;
	const struct topic *t = item_topic(l, item);
	const struct partition *part = t ? topic_partition(t, item->key) : NULL;

	l->p->leg_of[i] = -1;
	l->p->errors[i] = judge_item(l->r, l->p, i, item);
	if (l->p->errors[i] != FORWARD_ITEM)
		return;
	if (part != NULL && part->leader >= 0 && !(l->p->hung &&
	    pool_failing(l->r->worker->pool, part->leader))) {
		l->p->leg_of[i] = leg_for(l->p, part->leader);
		return;
	}
	l->p->unknown = true;
	l->p->leaderless |= part != NULL;
	if (part != NULL)
		l->p->errors[i] = part->leader < 0 ?
		    KAFKA_LEADER_NOT_AVAILABLE : KAFKA_NOT_LEADER_OR_FOLLOWER;
	else if (t == NULL && item->id != NULL && !uuid_is_zero(item->id))
		l->p->errors[i] = KAFKA_UNKNOWN_TOPIC_ID;
	else
		l->p->errors[i] = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool
all_legs(const struct request *r, const struct plan *p,
    bool (*is)(const struct pool *pool, int32_t broker))
{
	for (int32_t i = 0; i < p->legs; i++)
		if (!is(r->worker->pool, p->brokers[i]))
			return false;
	return true;
}

static bool
any_leg(const struct request *r, const struct plan *p,
    bool (*is)(const struct pool *pool, int32_t broker))
{
	for (int32_t i = 0; i < p->legs; i++)
		if (is(r->worker->pool, p->brokers[i]))
			return true;
	return false;
}

static void plan_leaders(struct request *r);

static bool
wait_for_leaders(struct request *r)
{
	struct plan *p = r->state;

	if (!request_park(r, plan_leaders) &&
	    !(p->how.hold && request_park_again(r, plan_leaders)))
		return false;
	if (!p->parked && p->how.parked != NULL)
		p->how.parked(r);
	p->parked = true;
	return true;
}

/* The snapshot may be out of date when a topic, a leader or the way to it is
 * missing: one newer one is waited for, with all of the request. Longer only
 * where nothing of it can be sent, for what could be should not wait. */
static bool
worth_waiting(const struct request *r, const struct plan *p)
{
	if (!p->parked)
		return p->unknown || any_leg(r, p, pool_failing);
	return (p->leaderless || p->legs > 0) &&
	    all_legs(r, p, pool_backing_off);
}

static void
tell_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct request *r = arg;
	struct plan *p = r->state;

	if (p->leg_of[i] < 0 || p->told[i])
		return;
	p->told[i] = true;
	p->how.sends(r, item);
}

static void
plan_leaders(struct request *r)
{
	struct plan *p = r->state;
	struct leaders l = { .r = r, .p = p };

	plan_arrays(r, p);
	shape_each(p->shape, r->body, leader_of_item, &l);
	if (worth_waiting(r, p) && wait_for_leaders(r))
		return;
	if (p->told != NULL)
		shape_each(p->shape, r->body, tell_item, r);
	send_legs(r, p);
}

/* ---- by coordinator ---- */

static struct slice
string_field(const struct request *r, const char *name)
{
	const struct field *f = message_field(r->schema->request, name);
	struct slice s = SLICE_NULL;

	if (f != NULL && f->type == FIELD_STRING && !f->array &&
	    r->version >= f->since && r->version <= f->until)
		memcpy(&s, (const char *)r->body + f->offset, sizeof(s));
	return s;
}

/* The one id that the whole request is about; null when it has several. */
static struct slice
coordinated_id(const struct request *r)
{
	struct slice s;

	if (r->api->route == ROUTE_GROUP)
		return string_field(r, "group_id");
	s = string_field(r, "transactional_id");
	return s.data ? s :
	    string_field(r, "v3_and_below_transactional_id");
}

static void
coordinators_found(void *arg)
{
	struct request *r = arg;
	struct plan *p = r->state;

	r->pending--;
	if (r->session == NULL) {
		request_finish(r);
		return;
	}
	if (p->single) {
		if (p->queries[0].broker < 0) {
			request_answer_error(r, p->queries[0].error);
			return;
		}
		leg_for(p, p->queries[0].broker);
		send_legs(r, p);
		return;
	}
	for (int32_t i = 0; i < p->items; i++) {
		const struct coordinator_query *q;

		if (p->query_of[i] < 0)
			continue;
		q = &p->queries[p->query_of[i]];
		p->errors[i] = q->error;
		if (q->broker >= 0)
			p->leg_of[i] = leg_for(p, q->broker);
	}
	send_legs(r, p);
}

struct judging {
	struct request	*r;
	struct plan	*p;
};

/* An item is an id of its own: one query each. */
static void
query_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct judging *j = arg;
	struct plan *p = j->p;

	p->errors[i] = judge_item(j->r, p, i, item);
	p->leg_of[i] = p->query_of[i] = -1;
	if (p->errors[i] != FORWARD_ITEM)
		return;
	p->query_of[i] = p->query_count;
	p->queries[p->query_count++].key = item->name.data ? item->name :
	    SLICE_LIT("");
}

/* Items of the one id's: to the leg that there will be, or to none. */
static void
divide_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct judging *j = arg;

	j->p->errors[i] = judge_item(j->r, j->p, i, item);
	j->p->leg_of[i] = j->p->errors[i] == FORWARD_ITEM ? 0 : -1;
}

/* Nothing is left of the request when an item of it fails. */
static void
attempt_none(struct plan *p)
{
	for (int32_t i = 0; i < p->items; i++) {
		if (p->leg_of[i] >= 0)
			p->errors[i] = KAFKA_OPERATION_NOT_ATTEMPTED;
		p->leg_of[i] = -1;
	}
}

static bool
all_refused(const struct plan *p)
{
	for (int32_t i = 0; i < p->items; i++)
		if (p->leg_of[i] >= 0)
			return false;
	return p->items > 0;
}

/* The request has one id and may have topics beside it. Without anything denied
 * it goes as it came. */
static void
divide(struct request *r, struct plan *p)
{
	struct judging j = { r, p };

	if (p->checks)
		shape_each(p->shape, r->body, divide_item, &j);
	if (!p->items_allowed.denied &&
	    !(p->checks && shape_hollow(p->shape, r->body))) {
		p->shape = NULL;
		p->items = 0;
	} else if (p->items_allowed.atomic) {
		attempt_none(p);
	}
}

static void
find_coordinators(struct request *r, struct plan *p)
{
	p->kind = r->api->route == ROUTE_GROUP ? COORDINATOR_GROUP :
	    COORDINATOR_TXN;
	if (p->query_count == 0) {
		send_legs(r, p);
		return;
	}
	r->pending++;		/* lives until they are found */
	coordinators_find(r->worker->coordinators, p->kind, p->queries,
	    p->query_count, coordinators_found, r);
}

static void
plan_coordinators(struct request *r)
{
	struct plan *p = r->state;
	struct slice id = coordinated_id(r);
	struct judging j = { r, p };

	if (!authorize_nested(r, r->park_until_us != 0, &p->nested)) {
		request_park(r, plan_coordinators);
		return;
	}
	if (id.data != NULL && authorize_unlimited(r->session))
		p->shape = NULL;
	plan_arrays(r, p);
	p->single = id.data != NULL || p->shape == NULL;
	p->query_count = 0;
	p->queries = ARENA_ARRAY(&r->arena, struct coordinator_query,
	    p->items + 1);
	if (p->single) {
		divide(r, p);
		p->queries[0].key = id.data ? id : SLICE_LIT("");
		p->query_count = !all_refused(p);
	} else {
		p->query_of = ARENA_ARRAY(&r->arena, int32_t, p->items + 1);
		shape_each(p->shape, r->body, query_item, &j);
	}
	if (p->unknown && request_park(r, plan_coordinators))
		return;
	find_coordinators(r, p);
}

/* ---- all of it ---- */

static void
any_item(void *arg, int32_t i, const struct shape_item *item)
{
	struct judging *j = arg;

	j->p->errors[i] = judge_item(j->r, j->p, i, item);
	j->p->leg_of[i] = j->p->errors[i] == FORWARD_ITEM ?
	    leg_for(j->p, LEG_ANY) : -1;
}

/* One leg, without the items that are judged otherwise. */
static void
plan_any(struct request *r)
{
	struct plan *p = r->state;
	struct judging j = { r, p };

	plan_arrays(r, p);
	if (p->how.judge == NULL && !p->checks)
		p->shape = NULL;
	if (p->shape != NULL)
		shape_each(p->shape, r->body, any_item, &j);
	else
		leg_for(p, LEG_ANY);
	if (p->unknown && request_park(r, plan_any))
		return;
	send_legs(r, p);
}

void
forward_with(struct request *r, const struct forward_how *how)
{
	struct plan *p = ARENA_NEW(&r->arena, struct plan);

	r->state = p;
	p->how = *how;
	p->shape = shape_find(r->api->key, r->version);
	if (p->shape != NULL &&
	    shape_count(p->shape, r->body) > FORWARD_ITEMS_MAX) {
		request_fail(r, CONN_LIMIT, "too many items in a request");
		return;
	}
	switch (r->api->route) {
	case ROUTE_LEADER:
		plan_leaders(r);
		break;
	case ROUTE_GROUP:
		plan_coordinators(r);
		break;
	case ROUTE_TXN:
		/* A producer without a transactional id: any broker has one. */
		if (r->api->key == API_INIT_PRODUCER_ID &&
		    coordinated_id(r).data == NULL)
			plan_any(r);
		else
			plan_coordinators(r);
		break;
	default:
		plan_any(r);
		break;
	}
}

void
forward(struct request *r, void (*finish)(struct request *r, void *response))
{
	const struct forward_how how = { .finish = finish };

	forward_with(r, &how);
}

void
forward_each(struct request *r, void (*done)(struct request *r))
{
	const struct cluster *c = r->worker->cluster;

	request_legs(r, c->broker_count);
	for (int32_t i = 0; i < c->broker_count; i++) {
		r->legs[i].broker = c->brokers[i].id;
		r->legs[i].body = r->body;
	}
	request_send(r, USE_GENERAL, false, done);
}

/* ---- outward ---- */

struct outward {
	struct request		*r;
	const struct cluster	*cluster;
	int32_t			 count;
	int			 version;
};

/* Texts about values that the client itself sent are worth keeping, and name
 * nothing else. A cluster's own rules may say what they like, but not to one of
 * several tenants. */
static bool
is_worth_keeping(const struct outward *o, int16_t code)
{
	return code == KAFKA_INVALID_CONFIG ||
	    (code == KAFKA_POLICY_VIOLATION && o->r->session->tenant == NULL);
}

/* A broker's sentence may name anything; where its error code is known ours
 * says the same, else there is none. */
static void
replace_text(const struct outward *o, const struct field *f, void *value,
    const void *parent)
{
	struct slice *text = value;
	int16_t code = 0;

	if (f->meaning_arg != NULL)
		memcpy(&code, (const char *)parent + f->arg_offset,
		    sizeof(code));
	if (is_worth_keeping(o, code))
		*text = tenancy_text(o->r, *text);
	else if (code != 0)
		*text = slice_of(kafka_error_text(code));
	else
		*text = f->null_since >= 0 && f->null_since <= o->version ?
		    SLICE_NULL : SLICE_LIT("");
}

/* Lists of partition:broker, which are the cluster's own matter. */
static bool
names_brokers(const struct field *configs, const void *entry)
{
	const struct field *key = message_field(configs->element, "name");
	struct slice name;

	if (key == NULL || key->meaning != MEANING_config_key)
		return false;
	memcpy(&name, (const char *)entry + key->offset, sizeof(name));
	return slice_is(name, "leader.replication.throttled.replicas") ||
	    slice_is(name, "follower.replication.throttled.replicas");
}

static enum codec_walk
outward_visit(void *arg, const struct field *f, void *value, void *parent)
{
	const struct outward *o = arg;
	int32_t id;

	if (f->type == FIELD_STRUCT)
		return strcmp(f->name, "configs") == 0 &&
		    names_brokers(f, value) ? CODEC_DROP : CODEC_KEEP;
	switch (f->meaning) {
	case MEANING_broker:
		memcpy(&id, value, sizeof(id));
		id = virtual_broker(o->cluster, o->count, id);
		memcpy(value, &id, sizeof(id));
		break;
	case MEANING_client_host:
		/* Brokers know the gateway's address only. */
	case MEANING_host:
		/* Handlers whose replies have hosts set them after this. */
		*(struct slice *)value = SLICE_LIT("");
		break;
	case MEANING_rack:
		*(struct slice *)value = f->null_since >= 0 ? SLICE_NULL :
		    SLICE_LIT("");
		break;
	case MEANING_error_text:
		replace_text(o, f, value, parent);
		break;
	default:
		break;
	}
	return CODEC_KEEP;
}

void
outward(struct request *r, void *response)
{
	struct outward o = {
		.r = r,
		.cluster = r->worker->cluster,
		.count = session_virtual_count(r->session),
		.version = r->version,
	};

	codec_walk(r->schema->response, r->version, response, outward_visit,
	    &o);
}

void
forward_answer(struct request *r, void *response)
{
	outward(r, response);
	request_answer(r, response);
}

void
api_forward(struct request *r)
{
	forward(r, forward_answer);
}
