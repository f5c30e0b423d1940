/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenancy.h"

#include <pthread.h>

#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/session.h"
#include "gateway/tenancy_private.h"
#include "gateway/tenants.h"
#include "gateway/worker.h"
#include "routing/names.h"
#include "routing/shape.h"
#include "wire/messages.h"

/* A meaning that is missing in a switch below is a leak. */
#pragma GCC diagnostic error "-Wswitch"

enum { KEY_MAX = 128, VERSIONS_MAX = 32 };

/* The type of a resource, and of a coordinator's key. */
enum {
	RESOURCE_TOPIC = 2, RESOURCE_GROUP = 3, RESOURCE_TXN = 5,
	RESOURCE_GROUP_CONFIG = 32,
	KEY_GROUP = 0, KEY_TXN = 1, KEY_SHARE = 2,
};

/* ---- the table ---- */

enum tenancy_how { NAMELESS, NAMES, MEMBERS };

enum {
#define X(key, how) HOW_##key = how,
#include "gateway/tenancy.def"
#undef X
};

/* One for each row of apis.def: one that has no rule does not compile. */
static const uint8_t hows[KEY_MAX] = {
#define X(key, min, max, route, handler, timeout, class) \
	[API_##key] = HOW_##key,
#include "gateway/apis.def"
#undef X
};

/* By API: a bit for each version that has something to map. */
static struct {
	uint32_t	 request, response;
} walks[KEY_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What becomes of a value, by what it means. */
enum rule {
	RULE_PASS, RULE_TOPIC, RULE_GROUP, RULE_TXN, RULE_REGEX, RULE_RESOURCE,
	RULE_KEY, RULE_SUBSCRIPTION, RULE_ASSIGNMENT, RULE_CLUSTER_ID,
	RULE_PLAIN,	/* passes, but may say the members' protocol */
};

static enum rule
rule_of(enum field_meaning m)
{
	switch (m) {
	case MEANING_topic:
		return RULE_TOPIC;
	case MEANING_group:
		return RULE_GROUP;
	case MEANING_txn:
		return RULE_TXN;
	case MEANING_topic_regex:
	case MEANING_txn_regex:
		return RULE_REGEX;
	case MEANING_resource:
		return RULE_RESOURCE;
	case MEANING_coordinator:
		return RULE_KEY;
	case MEANING_subscription:
		return RULE_SUBSCRIPTION;
	case MEANING_assignment:
		return RULE_ASSIGNMENT;
	case MEANING_cluster_id:
		return RULE_CLUSTER_ID;
	case MEANING_plain:
		return RULE_PLAIN;
	case MEANING_NONE:
	case MEANING_COUNT:
	case MEANING_text:
	case MEANING_secret:
	case MEANING_number:
	case MEANING_config_key:
	case MEANING_config_value:
	/* authorize looks whose they are. */
	case MEANING_topic_id:
	/* Within a group, or the client's own. */
	case MEANING_member:
	case MEANING_instance:
	case MEANING_client_id:
	case MEANING_client_uuid:
	case MEANING_user_data:
	case MEANING_endpoint:
	/* What is answered here, or made fit by outward(). */
	case MEANING_client_host:
	case MEANING_principal:
	case MEANING_broker:
	case MEANING_host:
	case MEANING_port:
	case MEANING_rack:
	case MEANING_directory_id:
	case MEANING_log_dir:
	case MEANING_quota_entity:
	case MEANING_error_text:
		break;
	}
	return RULE_PASS;
}

static bool
is_mapped(enum field_meaning m)
{
	enum rule rule = rule_of(m);

	return rule != RULE_PASS && rule != RULE_PLAIN;
}

static bool
has_names(const struct message *m, int version)
{
	for (int i = 0; i < m->field_count; i++) {
		const struct field *f = &m->fields[i];

		if (version < f->since || version > f->until)
			continue;
		if (f->type == FIELD_STRUCT ? has_names(f->element, version) :
		    is_mapped((enum field_meaning)f->meaning))
			return true;
	}
	return false;
}

static void
resolve(void)
{
	for (const struct api_schema *s = api_schemas; s->request != NULL; s++)
		for (int v = s->since; v <= s->until && v < VERSIONS_MAX; v++) {
			if (hows[s->key] == NAMELESS)
				continue;
			if (has_names(s->request, v))
				walks[s->key].request |= 1u << v;
			if (has_names(s->response, v))
				walks[s->key].response |= 1u << v;
		}
}

static bool
in_version(uint32_t bits, int version)
{
	return version >= 0 && version < VERSIONS_MAX && (bits >> version & 1);
}

/* ---- values ---- */

/* A simple consumer's offsets may be of the group "", whose members there
 * cannot be (Kafka: GroupCoordinator.isValidGroupId). */
static bool
may_be_empty(int16_t api)
{
	return api == API_OFFSET_COMMIT || api == API_OFFSET_FETCH ||
	    api == API_DESCRIBE_GROUPS || api == API_DELETE_GROUPS ||
	    api == API_FIND_COORDINATOR;
}

/* The one id that a request is about. */
static bool
is_empty_id(const struct tenancy_walk *w, enum name_kind kind, struct slice s,
    const void *parent)
{
	return s.len == 0 && s.data != NULL && kind != NAME_TOPIC &&
	    parent == w->r->body && !may_be_empty(w->r->schema->key);
}

static enum codec_walk
stop(struct tenancy_walk *w, const struct field *f, struct slice *s,
    const void *parent)
{
	w->stopped++;
	*s = SLICE_LIT("");
	if (!f->array)
		w->drop = parent;
	return CODEC_DROP;
}

static enum codec_walk
map(struct tenancy_walk *w, enum name_kind kind, const struct field *f,
    struct slice *s, const void *parent)
{
	if (w->outward)
		return names_outward(w->names, kind, *s, s, w->arena) ?
		    CODEC_KEEP : stop(w, f, s, parent);
	if (is_empty_id(w, kind, *s, parent))
		w->fault = kind == NAME_GROUP ? KAFKA_INVALID_GROUP_ID :
		    KAFKA_INVALID_REQUEST;
	w->too_long |= !names_inward(w->names, kind, *s, s, w->arena);
	return CODEC_KEEP;
}

static enum codec_walk
map_regex(struct tenancy_walk *w, const struct field *f, struct slice *s,
    const void *parent)
{
	/* An empty one takes back what was said before. */
	if (s->len == 0)
		return CODEC_KEEP;
	if (w->outward)
		return names_regex_outward(w->names, *s, w->arena, s) ?
		    CODEC_KEEP : stop(w, f, s, parent);
	/* One over transactional ids only narrows a list down. */
	if (f->meaning == MEANING_topic_regex)
		w->why = names_regex_refused(w->names);
	if (w->why != NULL || !names_regex_inward(w->names, *s, w->arena, s))
		w->fault = KAFKA_INVALID_REGULAR_EXPRESSION;
	return CODEC_KEEP;
}

static enum codec_walk
map_resource(struct tenancy_walk *w, const struct field *f, struct slice *s,
    const void *parent)
{
	switch (codec_arg_int8(f, parent)) {
	case RESOURCE_TOPIC:
		return map(w, NAME_TOPIC, f, s, parent);
	case RESOURCE_GROUP:
	case RESOURCE_GROUP_CONFIG:
		return map(w, NAME_GROUP, f, s, parent);
	case RESOURCE_TXN:
		return map(w, NAME_TXN, f, s, parent);
	default:
		return CODEC_KEEP;
	}
}

/* The keys of a reply are of the type that was asked for. Those of share
 * coordinators are refused, whatever they name. */
static enum codec_walk
map_key(struct tenancy_walk *w, const struct field *f, struct slice *s,
    const void *parent)
{
	const struct find_coordinator_request *q = w->r->body;

	switch (q->key_type) {
	case KEY_GROUP:
		return map(w, NAME_GROUP, f, s, parent);
	case KEY_TXN:
		return map(w, NAME_TXN, f, s, parent);
	default:
		return CODEC_KEEP;
	}
}

/* The protocol's type comes before the bytes. */
static void
note_protocol(struct tenancy_walk *w, const struct field *f,
    const struct slice *s)
{
	if (strcmp(f->name, "protocol_type") == 0)
		w->protocol = slice_is(*s, "consumer") ? TENANCY_CONSUMER :
		    TENANCY_OTHER;
}

enum codec_walk
tenancy_visit(void *arg, const struct field *f, void *value, void *parent)
{
	struct tenancy_walk *w = arg;
	struct slice *s = value;

	if (f->type == FIELD_STRUCT) {
		if (value != w->drop)
			return CODEC_KEEP;
		w->drop = NULL;
		return CODEC_DROP;
	}
	switch (rule_of((enum field_meaning)f->meaning)) {
	case RULE_TOPIC:
		return map(w, NAME_TOPIC, f, s, parent);
	case RULE_GROUP:
		return map(w, NAME_GROUP, f, s, parent);
	case RULE_TXN:
		return map(w, NAME_TXN, f, s, parent);
	case RULE_REGEX:
		return map_regex(w, f, s, parent);
	case RULE_RESOURCE:
		return map_resource(w, f, s, parent);
	case RULE_KEY:
		return map_key(w, f, s, parent);
	case RULE_SUBSCRIPTION:
		*s = tenancy_member(w, false, *s);
		break;
	case RULE_ASSIGNMENT:
		*s = tenancy_member(w, true, *s);
		break;
	case RULE_CLUSTER_ID:
		if (w->outward && s->len > 0 && w->cluster_id != NULL)
			*s = slice_of(w->cluster_id);
		break;
	case RULE_PLAIN:
		note_protocol(w, f, s);
		break;
	case RULE_PASS:
		break;
	}
	return CODEC_KEEP;
}

/* ---- messages ---- */

const struct names *
tenancy_names(const struct session *s)
{
	return s->tenant != NULL ? s->tenant->names : NULL;
}

struct slice
tenancy_text(struct request *r, struct slice text)
{
	struct slice prefix = names_prefix(tenancy_names(r->session));
	uint8_t *to;
	uint32_t n = 0;

	if (prefix.len == 0 || text.len < prefix.len)
		return text;
	to = arena_get(&r->arena, text.len);
	for (uint32_t i = 0; i < text.len;) {
		if (text.len - i >= prefix.len && memcmp(text.data + i,
		    prefix.data, prefix.len) == 0)
			i += prefix.len;
		else
			to[n++] = text.data[i++];
	}
	return (struct slice){ to, n };
}

/* What the request says of the protocol of a group's members: the reply may
 * not. */
static enum tenancy_protocol
protocol_of(const struct request *r)
{
	const struct join_group_request *join = r->body;
	const struct sync_group_request *sync = r->body;
	struct slice type = SLICE_NULL;

	if (r->schema->key == API_JOIN_GROUP)
		type = join->protocol_type;
	else if (r->schema->key == API_SYNC_GROUP)
		type = sync->protocol_type;
	return type.data == NULL ? TENANCY_UNKNOWN :
	    slice_is(type, "consumer") ? TENANCY_CONSUMER : TENANCY_OTHER;
}

static struct tenancy_walk
walk_of(struct request *r, bool outward)
{
	pthread_once(&once, resolve);
	return (struct tenancy_walk){
		.r = r,
		.names = tenancy_names(r->session),
		.cluster_id = r->session->tenant->cluster.uuid,
		.arena = &r->arena,
		.outward = outward,
		.protocol = protocol_of(r),
	};
}

static void
answer_fault(struct request *r, const struct tenancy_walk *w)
{
	const struct field *f = message_field(r->schema->response,
	    "error_message");
	struct slice why = slice_of(w->why);
	void *response;

	if (w->why == NULL || f == NULL) {
		request_answer_error(r, w->fault);
		return;
	}
	response = shape_error(r->schema, r->version, r->body, w->fault,
	    &r->arena);
	memcpy((char *)response + f->offset, &why, sizeof(why));
	request_answer(r, response);
}

/* Who asks for no acknowledgement waits for no answer: it is told as by a
 * broker, by the end of the connection. */
static void
refuse(struct request *r, const struct tenancy_walk *w)
{
	if (r->schema->key == API_PRODUCE &&
	    ((const struct produce_request *)r->body)->acks == 0)
		request_fail(r, CONN_NO_ACKS, "its names are not valid");
	else
		answer_fault(r, w);
}

bool
tenancy_inward(struct request *r)
{
	struct tenancy_walk w;

	if (r->session->tenant == NULL)
		return true;
	w = walk_of(r, false);
	if (!in_version(walks[r->schema->key].request, r->version))
		return true;
	r->arena.cap = r->arena.used + TENANCY_FACTOR * r->bytes_in +
	    TENANCY_ROOM;
	codec_walk(r->schema->request, r->version, r->body, tenancy_visit, &w);
	if (w.too_long)
		request_fail(r, CONN_LIMIT, "its names are too long");
	else if (w.fault != 0)
		refuse(r, &w);
	return !w.too_long && w.fault == 0;
}

void
tenancy_outward(struct request *r, int version, void *response)
{
	struct tenancy_walk w;

	if (r->session->tenant == NULL)
		return;
	w = walk_of(r, true);
	if (!in_version(walks[r->schema->key].response, version))
		return;
	codec_walk(r->schema->response, version, response, tenancy_visit, &w);
	if (w.stopped == 0)
		return;
	metric_add(r->worker->metrics, METRIC_TENANT_NAMES_STOPPED, w.stopped);
	log_error("a reply held names of nobody's or another tenant's",
	    "tenant=%s api=%s version=%d names=%u", r->session->tenant->id,
	    r->schema->name, version, w.stopped);
}
