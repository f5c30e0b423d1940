/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Condition element: operators, keys and values ("IAM JSON policy
 * elements: Condition operators").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/policy_private.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

static const struct operation {
	const char		*name;
	enum policy_operator	 op;
	enum policy_compare	 compare;
	bool			 negated;
} operators[] = {
	{ "StringEquals", OP_STRING, IS_EQ, false },
	{ "StringNotEquals", OP_STRING, IS_EQ, true },
	{ "StringEqualsIgnoreCase", OP_STRING_NOCASE, IS_EQ, false },
	{ "StringNotEqualsIgnoreCase", OP_STRING_NOCASE, IS_EQ, true },
	{ "StringLike", OP_STRING_LIKE, IS_EQ, false },
	{ "StringNotLike", OP_STRING_LIKE, IS_EQ, true },
	{ "NumericEquals", OP_NUMBER, IS_EQ, false },
	{ "NumericNotEquals", OP_NUMBER, IS_EQ, true },
	{ "NumericLessThan", OP_NUMBER, IS_LT, false },
	{ "NumericLessThanEquals", OP_NUMBER, IS_LE, false },
	{ "NumericGreaterThan", OP_NUMBER, IS_GT, false },
	{ "NumericGreaterThanEquals", OP_NUMBER, IS_GE, false },
	{ "DateEquals", OP_DATE, IS_EQ, false },
	{ "DateNotEquals", OP_DATE, IS_EQ, true },
	{ "DateLessThan", OP_DATE, IS_LT, false },
	{ "DateLessThanEquals", OP_DATE, IS_LE, false },
	{ "DateGreaterThan", OP_DATE, IS_GT, false },
	{ "DateGreaterThanEquals", OP_DATE, IS_GE, false },
	{ "Bool", OP_BOOL, IS_EQ, false },
	{ "BinaryEquals", OP_BINARY, IS_EQ, false },
	{ "IpAddress", OP_IP, IS_EQ, false },
	{ "NotIpAddress", OP_IP, IS_EQ, true },
	/* ArnEquals and ArnLike behave alike. */
	{ "ArnEquals", OP_ARN, IS_EQ, false },
	{ "ArnNotEquals", OP_ARN, IS_EQ, true },
	{ "ArnLike", OP_ARN, IS_EQ, false },
	{ "ArnNotLike", OP_ARN, IS_EQ, true },
	{ "Null", OP_NULL, IS_EQ, false },
};

/* One value and where it stands. */
struct at {
	struct policy_parse		*p;
	const char			*path;
	const struct policy_condition	*c;
};

static bool
begins(const char **s, const char *with)
{
	size_t n = strlen(with);

	if (strncmp(*s, with, n) != 0)
		return false;
	*s += n;
	return true;
}

static const struct operation *
find_operator(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strlen(operators[i].name) == len &&
		    memcmp(operators[i].name, name, len) == 0)
			return &operators[i];
	return NULL;
}

/* ForAnyValue:StringLikeIfExists. */
static bool
parse_operator(struct policy_parse *p, const char *name, const char *path,
    struct policy_condition *to)
{
	static const char suffix[] = "IfExists";
	const struct operation *o;
	const char *s = name;
	size_t len;

	if (begins(&s, "ForAllValues:"))
		to->quantifier = EACH_ALL;
	else if (begins(&s, "ForAnyValue:"))
		to->quantifier = EACH_ANY;
	len = strlen(s);
	if (len > strlen(suffix) &&
	    strcmp(s + len - strlen(suffix), suffix) == 0) {
		to->if_exists = true;
		len -= strlen(suffix);
	}
	o = find_operator(s, len);
	if (o == NULL) {
		policy_fault(p, path, "is no condition operator");
		return false;
	}
	if (o->op == OP_NULL && (to->if_exists ||
	    to->quantifier != EACH_NONE)) {
		policy_fault(p, path, "Null has no IfExists and no set "
		    "operator: it asks itself whether the key is there");
		return false;
	}
	to->op = o->op;
	to->compare = o->compare;
	to->negated = o->negated;
	return true;
}

/* ---- values ---- */

static void
wrong_type(const struct at *at, const char *want, const json_t *in)
{
	struct log_quoted q;

	if (json_is_string(in))
		policy_fault(at->p, at->path, "must be %s, but is %s", want,
		    log_quote(slice_of(json_string_value(in)), &q));
	else
		policy_fault(at->p, at->path, "must be %s, but is %s", want,
		    policy_json_type(in));
}

static void
parse_pattern(const struct at *at, const char *text, size_t len, bool wild,
    struct policy_value *to)
{
	unsigned flags = (wild ? PATTERN_WILD : 0u) |
	    (at->p->variables ? PATTERN_VARIABLES : 0u);
	struct log_quoted q;
	struct error err;

	if (!policy_pattern_parse(text, len, flags,
	    &to->patterns[to->pattern_count++], &err))
		policy_fault(at->p, at->path, "%s %s", log_quote((struct slice)
		    { (const uint8_t *)text, (uint32_t)len }, &q), err.text);
}

static void
parse_text(const struct at *at, const json_t *in, struct policy_value *to)
{
	if (!json_is_string(in)) {
		wrong_type(at, "a string", in);
		return;
	}
	to->patterns = mem_zalloc(sizeof(*to->patterns));
	parse_pattern(at, json_string_value(in), json_string_length(in),
	    at->c->op == OP_STRING_LIKE, to);
}

/* The end of a part of an ARN: its colon, or the end; those within ${} are no
 * colons of it. */
static const char *
part_end(const char *s, bool variables)
{
	const char *close;

	for (; *s != '\0' && *s != ':'; s++) {
		if (variables && s[0] == '$' && s[1] == '{' &&
		    (close = strchr(s, '}')) != NULL)
			s = close;
	}
	return s;
}

/* Six patterns; or one, when it is "*" or a single variable. */
static void
parse_arn(const struct at *at, const json_t *in, struct policy_value *to)
{
	const char *s = json_string_value(in), *end;
	bool variables = at->p->variables;

	if (s == NULL) {
		wrong_type(at, "an ARN", in);
		return;
	}
	to->patterns = mem_zalloc(ARN_PARTS * sizeof(*to->patterns));
	if (strcmp(s, "*") == 0 || (variables && strncmp(s, "${", 2) == 0 &&
	    strchr(s, '}') != NULL && strchr(s, '}')[1] == '\0')) {
		parse_pattern(at, s, strlen(s), true, to);
		return;
	}
	if (strncmp(s, "arn:", 4) != 0) {
		wrong_type(at, "an ARN (arn:PARTITION:SERVICE:REGION:ACCOUNT:"
		    "RESOURCE)", in);
		return;
	}
	for (int i = 0; i < ARN_PARTS; i++) {
		end = i == ARN_PARTS - 1 ? s + strlen(s) :
		    part_end(s, variables);
		if (i < ARN_PARTS - 1 && *end == '\0') {
			wrong_type(at, "an ARN of six parts between colons",
			    in);
			return;
		}
		parse_pattern(at, s, (size_t)(end - s), true, to);
		s = end + 1;
	}
}

static void
parse_number(const struct at *at, const json_t *in, struct policy_value *to)
{
	if (json_is_number(in)) {
		to->number = json_number_value(in);
		return;
	}
	if (!json_is_string(in) || !policy_number_parse(
	    slice_of(json_string_value(in)), &to->number))
		wrong_type(at, "a number", in);
}

static void
parse_date(const struct at *at, const json_t *in, struct policy_value *to)
{
	static const char want[] = "a date such as \"2030-01-31T23:59:59Z\", "
	    "or seconds since 1970";
	char text[32];

	if (json_is_integer(in)) {
		/* Leading zeros tell it from a year. */
		snprintf(text, sizeof(text), "%05lld",
		    (long long)json_integer_value(in));
		if (!policy_date_parse(slice_of(text), &to->ms))
			wrong_type(at, want, in);
		return;
	}
	if (!json_is_string(in) || !policy_date_parse(
	    slice_of(json_string_value(in)), &to->ms))
		wrong_type(at, want, in);
}

/* The pages disagree about variables here: "Condition operators" has them,
 * "Variables and tags" does not. They are refused: nobody is left to find out
 * which of the two it was. */
static void
parse_bool(const struct at *at, const json_t *in, struct policy_value *to)
{
	const char *s = json_string_value(in);

	if (json_is_boolean(in))
		to->flag = json_is_true(in);
	else if (s != NULL && policy_same_nocase(slice_of(s),
	    SLICE_LIT("true")))
		to->flag = true;
	else if (s == NULL || !policy_same_nocase(slice_of(s),
	    SLICE_LIT("false")))
		wrong_type(at, "true or false", in);
}

static void
parse_binary(const struct at *at, const json_t *in, struct policy_value *to)
{
	int n = -1;

	if (json_is_string(in)) {
		to->bytes = mem_alloc(json_string_length(in) + 4);
		n = policy_base64(slice_of(json_string_value(in)), to->bytes);
	}
	if (n < 0)
		wrong_type(at, "base64", in);
	else
		to->len = (uint32_t)n;
}

static void
parse_network(const struct at *at, const json_t *in, struct policy_value *to)
{
	struct log_quoted q;
	struct error err;

	if (!json_is_string(in))
		wrong_type(at, "an IP address or network", in);
	else if (!cidr_parse(json_string_value(in), &to->cidr, &err))
		policy_fault(at->p, at->path, "%s %s",
		    log_quote(slice_of(json_string_value(in)), &q), err.text);
}

static void
parse_value(const struct at *at, const json_t *in, struct policy_value *to)
{
	static void (*const parsers[])(const struct at *, const json_t *,
	    struct policy_value *) = {
		[OP_STRING] = parse_text, [OP_STRING_NOCASE] = parse_text,
		[OP_STRING_LIKE] = parse_text, [OP_NUMBER] = parse_number,
		[OP_DATE] = parse_date, [OP_BOOL] = parse_bool,
		[OP_BINARY] = parse_binary, [OP_IP] = parse_network,
		[OP_ARN] = parse_arn, [OP_NULL] = parse_bool,
	};

	parsers[at->c->op](at, in, to);
}

static void
parse_values(struct policy_parse *p, json_t *in, const char *path,
    struct policy_condition *to)
{
	char where[POLICY_PATH_SIZE];
	struct at at = { p, path, to };
	size_t n = json_is_array(in) ? json_array_size(in) : 1;

	if (n == 0) {
		policy_fault(p, path, "must have at least one value");
		return;
	}
	to->values = mem_zalloc(n * sizeof(*to->values));
	if (!json_is_array(in)) {
		parse_value(&at, in, &to->values[to->value_count++]);
		return;
	}
	at.path = where;
	for (size_t i = 0; i < n; i++) {
		policy_path_at(where, path, i);
		parse_value(&at, json_array_get(in, i),
		    &to->values[to->value_count++]);
	}
}

/* ---- the element ---- */

/* Keys are the same in any case; jansson has refused those spelled alike. */
static void
check_twice(struct policy_parse *p, const struct policy_statement *st,
    uint32_t first, const char *path)
{
	const struct policy_condition *last =
	    &st->conditions[st->condition_count - 1];

	for (uint32_t i = first; i + 1 < st->condition_count; i++) {
		if (policy_same_nocase(slice_of(st->conditions[i].key.name),
		    slice_of(last->key.name))) {
			policy_fault(p, path, "is there twice");
			return;
		}
	}
}

static void
parse_keys(struct policy_parse *p, json_t *in, const char *path,
    const struct policy_condition *like, const char *op,
    struct policy_statement *to)
{
	uint32_t first = to->condition_count;
	char where[POLICY_PATH_SIZE];
	struct policy_condition *c;
	struct error err;
	const char *name;
	json_t *v;

	json_object_foreach(in, name, v) {
		policy_path(where, path, name);
		if (to->condition_count >= POLICY_CONDITIONS_MAX) {
			policy_fault(p, where, "is more than the %d conditions "
			    "that a statement may have",
			    POLICY_CONDITIONS_MAX);
			return;
		}
		to->conditions = mem_realloc(to->conditions,
		    (to->condition_count + 1) * sizeof(*c));
		c = &to->conditions[to->condition_count++];
		*c = *like;
		c->op_name = mem_strdup(op);
		if (!policy_key_parse(name, strlen(name), &c->key, &err))
			policy_fault(p, where, "%s", err.text);
		else
			check_twice(p, to, first, where);
		parse_values(p, v, where, c);
	}
}

void
policy_parse_condition(struct policy_parse *p, json_t *in, const char *path,
    struct policy_statement *to)
{
	char where[POLICY_PATH_SIZE];
	const char *name;
	json_t *v;

	if (!json_is_object(in)) {
		policy_fault(p, path, "must be an object, but is %s",
		    policy_json_type(in));
		return;
	}
	json_object_foreach(in, name, v) {
		struct policy_condition like = { 0 };

		policy_path(where, path, name);
		if (!parse_operator(p, name, where, &like))
			continue;
		if (!json_is_object(v))
			policy_fault(p, where, "must be an object of keys and "
			    "their values, but is %s", policy_json_type(v));
		else
			parse_keys(p, v, where, &like, name, to);
	}
}
