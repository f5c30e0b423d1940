/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents, as "Grammar of the IAM JSON policy language" has those that are
 * attached to identities. Where AWS takes a typo for something that never
 * matches (an action, a key, a type of resource), it is a fault here: who
 * writes a Deny wants to know.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/policy_private.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

enum { ACTION_MAX = 256 };	/* bytes of an action with its service */

void
policy_fault(struct policy_parse *p, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_list_add(p->errs, path, "%s", text);
	/* The list is cut at FAULTS_MAX; this is not. */
	p->bad = true;
}

void
policy_plain(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

void
policy_path(char to[POLICY_PATH_SIZE], const char *path, const char *name)
{
	snprintf(to, POLICY_PATH_SIZE, "%.150s%s%.90s", path,
	    path[0] != '\0' ? "." : "", name);
	/* Names are the document's: they go to logs and terminals. */
	policy_plain(to);
}

void
policy_path_at(char to[POLICY_PATH_SIZE], const char *path, size_t i)
{
	snprintf(to, POLICY_PATH_SIZE, "%.230s[%zu]", path, i);
}

void
policy_path_in(char to[POLICY_PATH_SIZE], const char *path, const json_t *in,
    size_t i)
{
	if (json_is_array(in))
		policy_path_at(to, path, i);
	else
		snprintf(to, POLICY_PATH_SIZE, "%s", path);
}

const char *
policy_json_type(const json_t *v)
{
	static const char *const names[] = {
		"an object", "an array", "a string", "a number", "a fraction",
		"true", "false", "null",
	};

	return names[json_typeof(v)];
}

static struct slice
text_of(const json_t *v)
{
	return (struct slice){ (const uint8_t *)json_string_value(v),
	    (uint32_t)json_string_length(v) };
}

/* ---- actions ---- */

static bool
is_action_text(struct slice name)
{
	for (uint32_t i = 0; i < name.len; i++)
		if (!isalnum(name.data[i]) && name.data[i] != '*' &&
		    name.data[i] != '?')
			return false;
	return name.len > 0;
}

static bool
is_service_text(struct slice name)
{
	for (uint32_t i = 0; i < name.len; i++)
		if (!isalnum(name.data[i]) && name.data[i] != '-')
			return false;
	return name.len > 0;
}

/* The actions that a pattern of names, of at most ACTION_MAX bytes, stands
 * for. */
static uint32_t
actions_like(struct slice pattern)
{
	uint8_t marks[ACTION_MAX];
	char lowered[ACTION_MAX], name[64];
	uint32_t bits = 0, n = pattern.len;

	for (uint32_t i = 0; i < n; i++) {
		lowered[i] = (char)tolower(pattern.data[i]);
		marks[i] = lowered[i] == '*' ? MARK_ANY :
		    lowered[i] == '?' ? MARK_ONE : MARK_SELF;
	}
	for (int a = 0; a < POLICY_ACTION_COUNT; a++) {
		snprintf(name, sizeof(name), "%s", policy_action_name(a));
		for (char *c = name; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		if (policy_glob_match((struct policy_glob){
		    (uint8_t *)lowered, marks, n }, slice_of(name)))
			bits |= 1u << a;
	}
	return bits;
}

static bool
has_wildcard(struct slice s)
{
	return s.len > 0 && (memchr(s.data, '*', s.len) != NULL ||
	    memchr(s.data, '?', s.len) != NULL);
}

/* "kafka-cluster:*Topic"; other services' actions are valid and are none of
 * ours. */
static uint32_t
parse_action(struct policy_parse *p, struct slice text, const char *path)
{
	const uint8_t *colon = memchr(text.data, ':', text.len);
	struct log_quoted q;
	struct slice service, name;
	uint32_t bits;

	if (slice_is(text, "*") || slice_is(text, "*:*"))
		return (1u << POLICY_ACTION_COUNT) - 1;
	if (text.len > ACTION_MAX) {
		policy_fault(p, path, "%s is longer than %d bytes",
		    log_quote(text, &q), ACTION_MAX);
		return 0;
	}
	if (colon == NULL) {
		policy_fault(p, path, "%s is not SERVICE:ACTION, as in "
		    "\"kafka-cluster:ReadData\"", log_quote(text, &q));
		return 0;
	}
	service = (struct slice){ text.data, (uint32_t)(colon - text.data) };
	name = (struct slice){ colon + 1, text.len - service.len - 1 };
	if (!is_service_text(service)) {
		policy_fault(p, path, "%s: the service must be letters, digits "
		    "and '-', without wildcards", log_quote(text, &q));
		return 0;
	}
	if (!is_action_text(name)) {
		policy_fault(p, path, "%s: an action's name is letters, digits "
		    "and the wildcards '*' and '?'", log_quote(text, &q));
		return 0;
	}
	if (!policy_same_nocase(service, SLICE_LIT("kafka-cluster")))
		return 0;
	bits = actions_like(name);
	if (bits == 0 && !has_wildcard(name))
		policy_fault(p, path, "%s is no action of kafka-cluster",
		    log_quote(text, &q));
	return bits;
}

/* ---- resources ---- */

/* The start of the n-th part between colons (0 to ARN_PARTS - 1), or NULL. */
static const uint8_t *
arn_part(struct slice text, int n)
{
	const uint8_t *at = text.data, *end = at + text.len;

	for (; n > 0; n--) {
		at = memchr(at, ':', (size_t)(end - at));
		if (at == NULL)
			return NULL;
		at++;
	}
	return at;
}

static struct slice
between(const uint8_t *from, const uint8_t *to)
{
	return (struct slice){ from, (uint32_t)(to - from) };
}

static uint32_t
slashes(struct slice s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++)
		n += s.data[i] == '/';
	return n;
}

/* TYPE/CLUSTER/UUID and, for all but clusters, /NAME. A wildcard or a variable
 * may stand for slashes. */
static bool
is_whole(const struct policy_parse *p, struct slice resource,
    const char *type)
{
	bool cluster = strcmp(type, "cluster") == 0;

	return has_wildcard(resource) || (p->variables &&
	    memmem(resource.data, resource.len, "${", 2) != NULL) ||
	    (cluster ? slashes(resource) == 2 : slashes(resource) >= 3);
}

/* What stands in front of the slash must be one of these: those of Kafka, and
 * those of MSK's control plane, which never match here. */
static bool
check_type(struct policy_parse *p, struct slice text, struct slice resource,
    const char *path)
{
	static const char *const types[] = {
		"cluster", "topic", "group", "transactional-id",
		"configuration", "vpc-connection", "replicator",
	};
	enum { OURS = 4 };
	const uint8_t *slash = resource.len == 0 ? NULL :
	    memchr(resource.data, '/', resource.len);
	struct slice type = slash ? between(resource.data, slash) : resource;
	struct log_quoted q;

	if (has_wildcard(type) || (type.len > 0 &&
	    memchr(type.data, '$', type.len) != NULL))
		return true;
	for (size_t i = 0; slash && i < sizeof(types) / sizeof(types[0]); i++) {
		if (!slice_is(type, types[i]))
			continue;
		if (i >= OURS || is_whole(p, resource, types[i]))
			return true;
		policy_fault(p, path, "%s is the ARN of nothing: a cluster is "
		    "cluster/NAME/UUID, a topic topic/CLUSTER/UUID/NAME, and "
		    "so are groups and transactional ids",
		    log_quote(text, &q));
		return false;
	}
	policy_fault(p, path, "%s: behind the account there must be cluster/, "
	    "topic/, group/ or transactional-id/, and a name",
	    log_quote(text, &q));
	return false;
}

/* The rules of an ARN's form. *missing: how many parts its end lacks. */
static bool
check_arn(struct policy_parse *p, struct slice text, const char *path,
    int *missing)
{
	const uint8_t *part[ARN_PARTS], *end = text.data + text.len;
	const uint8_t *variable;
	struct log_quoted q;
	struct slice service;
	int n = 0;

	while (n < ARN_PARTS && (part[n] = arn_part(text, n)) != NULL)
		n++;
	*missing = ARN_PARTS - n;
	if (text.len < 4 || memcmp(text.data, "arn:", 4) != 0) {
		policy_fault(p, path, "%s is not an ARN and not \"*\"",
		    log_quote(text, &q));
		return false;
	}
	service = n > 3 ? between(part[2], part[3] - 1) :
	    n == 3 ? between(part[2], end) : SLICE_NULL;
	variable = memmem(text.data, text.len, "${", 2);
	if (p->variables && variable != NULL &&
	    (n < ARN_PARTS || variable < part[5])) {
		policy_fault(p, path, "%s: a variable may stand only behind "
		    "the fifth colon", log_quote(text, &q));
		return false;
	}
	if (n >= 2 && (n == 2 ? part[1] == end : part[2] == part[1] + 1)) {
		policy_fault(p, path, "%s has no partition (aws)",
		    log_quote(text, &q));
		return false;
	}
	/* "arn:aws:*" is short for all of the partition's. */
	if (n >= 3 && (service.len == 0 || (has_wildcard(service) && n > 3) ||
	    (has_wildcard(service) && !slice_is(service, "*")))) {
		policy_fault(p, path, "%s: the service must be spelled out, "
		    "without wildcards: arn:aws:kafka:...",
		    log_quote(text, &q));
		return false;
	}
	if (n == ARN_PARTS && slice_is(service, "kafka"))
		return check_type(p, text, between(part[5], end), path);
	return true;
}

static void
parse_resource(struct policy_parse *p, struct slice text, const char *path,
    struct policy_pattern *to)
{
	unsigned flags = PATTERN_WILD | (p->variables ? PATTERN_VARIABLES : 0);
	struct error err;
	struct log_quoted q;
	size_t len = text.len;
	int missing = 0;
	char *whole;

	memset(to, 0, sizeof(*to));
	if (!slice_is(text, "*") && !check_arn(p, text, path, &missing))
		return;
	whole = mem_alloc(len + ARN_PARTS * 2 + 1);
	memcpy(whole, text.data, len);
	for (; missing > 0; missing--) {
		memcpy(whole + len, ":*", 2);
		len += 2;
	}
	if (!policy_pattern_parse(whole, len, flags, to, &err))
		policy_fault(p, path, "%s %s", log_quote(text, &q), err.text);
	free(whole);
}

/* ---- statements ---- */

/* A string, or an array of them: the n-th; NULL behind the last. */
static json_t *
one_of(json_t *in, size_t n)
{
	if (json_is_array(in))
		return json_array_get(in, n);
	return n == 0 ? in : NULL;
}

/* The strings of an element; false when it is no list of strings. */
static bool
check_strings(struct policy_parse *p, json_t *in, const char *path)
{
	char where[POLICY_PATH_SIZE];
	bool ok = true;

	if (!json_is_array(in) && !json_is_string(in)) {
		policy_fault(p, path, "must be a string or an array of "
		    "strings, but is %s", policy_json_type(in));
		return false;
	}
	if (json_is_array(in) && json_array_size(in) == 0) {
		policy_fault(p, path, "must not be empty");
		return false;
	}
	for (size_t i = 0; i < json_array_size(in); i++) {
		json_t *v = json_array_get(in, i);

		if (json_is_string(v))
			continue;
		policy_path_at(where, path, i);
		policy_fault(p, where, "must be a string, but is %s",
		    policy_json_type(v));
		ok = false;
	}
	return ok;
}

static void
parse_actions(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	char where[POLICY_PATH_SIZE];
	json_t *v;

	if (!check_strings(p, in, path))
		return;
	for (size_t i = 0; (v = one_of(in, i)) != NULL; i++) {
		policy_path_in(where, path, in, i);
		to->actions |= parse_action(p, text_of(v), where);
	}
}

static void
parse_resources(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	char where[POLICY_PATH_SIZE];
	size_t n = json_is_array(in) ? json_array_size(in) : 1;
	json_t *v;

	if (!check_strings(p, in, path))
		return;
	to->resources = mem_zalloc(n * sizeof(*to->resources));
	for (size_t i = 0; (v = one_of(in, i)) != NULL; i++) {
		policy_path_in(where, path, in, i);
		parse_resource(p, text_of(v), where,
		    &to->resources[to->resource_count++]);
	}
}

/* The one of two elements that is there; NULL: none or both, a fault. */
static json_t *
either(struct policy_parse *p, json_t *in, const char *path, const char *name,
    const char *not_name, bool *negated)
{
	json_t *v = json_object_get(in, name);
	json_t *other = json_object_get(in, not_name);

	*negated = other != NULL;
	if ((v != NULL) != (other != NULL))
		return v != NULL ? v : other;
	policy_fault(p, path, v == NULL ? "needs %s or %s" :
	    "has both %s and %s", name, not_name);
	return NULL;
}

static void
parse_sid(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	const char *s = json_string_value(in);

	if (in == NULL)
		return;
	if (s == NULL) {
		policy_fault(p, path, "must be a string, but is %s",
		    policy_json_type(in));
		return;
	}
	for (const char *c = s; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c)) {
			policy_fault(p, path, "may have only letters and "
			    "digits");
			return;
		}
	}
	if (*s != '\0')
		to->sid = mem_strdup(s);
}

static void
parse_effect(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	const char *s = json_string_value(in);

	to->deny = s != NULL && strcmp(s, "Deny") == 0;
	if (in == NULL)
		policy_fault(p, path, "is missing: \"Allow\" or \"Deny\"");
	else if (s == NULL || (!to->deny && strcmp(s, "Allow") != 0))
		policy_fault(p, path, "must be \"Allow\" or \"Deny\"");
}

static void
check_elements(struct policy_parse *p, json_t *in, const char *path)
{
	static const char *const known[] = {
		"Sid", "Effect", "Action", "NotAction", "Resource",
		"NotResource", "Condition",
	};
	char where[POLICY_PATH_SIZE];
	const char *name;
	json_t *v;
	size_t i;

	json_object_foreach(in, name, v) {
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(name, known[i]) == 0)
				break;
		if (i < sizeof(known) / sizeof(known[0]))
			continue;
		policy_path(where, path, name);
		if (strcmp(name, "Principal") == 0 ||
		    strcmp(name, "NotPrincipal") == 0)
			policy_fault(p, where, "has no place in a policy that "
			    "is attached to identities: it says itself whom "
			    "it is about");
		else
			policy_fault(p, where, "is no element of a statement");
	}
}

static void
parse_statement(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	char where[POLICY_PATH_SIZE];
	bool negated;
	json_t *v;

	if (!json_is_object(in)) {
		policy_fault(p, path, "must be an object, but is %s",
		    policy_json_type(in));
		return;
	}
	check_elements(p, in, path);
	policy_path(where, path, "Sid");
	parse_sid(p, json_object_get(in, "Sid"), where, to);
	policy_path(where, path, "Effect");
	parse_effect(p, json_object_get(in, "Effect"), where, to);
	v = either(p, in, path, "Action", "NotAction", &negated);
	policy_path(where, path, negated ? "NotAction" : "Action");
	if (v != NULL)
		parse_actions(p, v, where, to);
	if (negated)
		to->actions = ~to->actions & ((1u << POLICY_ACTION_COUNT) - 1);
	v = either(p, in, path, "Resource", "NotResource", &to->not_resource);
	policy_path(where, path,
	    to->not_resource ? "NotResource" : "Resource");
	if (v != NULL)
		parse_resources(p, v, where, to);
	policy_path(where, path, "Condition");
	v = json_object_get(in, "Condition");
	if (v != NULL)
		policy_parse_condition(p, v, where, to);
}

static void
check_sids(struct policy_parse *p, const struct policy *in)
{
	char where[POLICY_PATH_SIZE];

	for (uint32_t i = 0; i < in->statement_count; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (in->statements[i].sid == NULL ||
			    in->statements[k].sid == NULL ||
			    strcmp(in->statements[i].sid,
			    in->statements[k].sid) != 0)
				continue;
			snprintf(where, sizeof(where), "Statement[%u].Sid", i);
			policy_fault(p, where, "is that of Statement[%u] too",
			    k);
			break;
		}
	}
}

static void
parse_statements(struct policy_parse *p, json_t *in, struct policy *to)
{
	size_t n = json_is_array(in) ? json_array_size(in) : 1;
	char where[POLICY_PATH_SIZE];

	if (!json_is_array(in) && !json_is_object(in)) {
		policy_fault(p, "Statement", "must be an object or an array of "
		    "objects, but is %s", policy_json_type(in));
		return;
	}
	if (n == 0 || n > POLICY_STATEMENTS_MAX) {
		policy_fault(p, "Statement", "must have 1 to %d statements, "
		    "but has %zu", POLICY_STATEMENTS_MAX, n);
		return;
	}
	to->statements = mem_zalloc(n * sizeof(*to->statements));
	to->statement_count = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++) {
		policy_path_in(where, "Statement", in, i);
		to->statements[i].index = i;
		parse_statement(p, one_of(in, i), where, &to->statements[i]);
	}
	check_sids(p, to);
}

/* Without a Version it is the older one, which has no variables. */
static void
parse_version(struct policy_parse *p, json_t *in)
{
	const char *s = json_string_value(in);

	p->variables = s != NULL && strcmp(s, "2012-10-17") == 0;
	if (in != NULL && !p->variables &&
	    (s == NULL || strcmp(s, "2008-10-17") != 0))
		policy_fault(p, "Version", "must be \"2012-10-17\" or "
		    "\"2008-10-17\"");
}

void
policy_parse_document(struct policy_parse *p, json_t *in, struct policy *to)
{
	char where[POLICY_PATH_SIZE];
	const char *name;
	json_t *v;

	if (!json_is_object(in)) {
		policy_fault(p, "", "a policy must be an object, but this is "
		    "%s", policy_json_type(in));
		return;
	}
	json_object_foreach(in, name, v) {
		if (strcmp(name, "Version") == 0 ||
		    strcmp(name, "Statement") == 0)
			continue;
		policy_path(where, "", name);
		policy_fault(p, where, strcmp(name, "Id") == 0 ?
		    "has no place in a policy that is attached to identities" :
		    "is no element of a policy");
	}
	parse_version(p, json_object_get(in, "Version"));
	v = json_object_get(in, "Statement");
	if (v == NULL)
		policy_fault(p, "Statement", "is missing");
	else
		parse_statements(p, v, to);
}
