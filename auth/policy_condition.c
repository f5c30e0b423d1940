/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a condition holds: "IAM JSON policy elements: Condition operators"
 * and "Single-valued vs. multivalued context keys".
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <assert.h>

#include "auth/policy_private.h"

enum { ADDRESS_MAX = 64 };

static bool
compares(enum policy_compare how, int order)
{
	switch (how) {
	case IS_EQ:
		return order == 0;
	case IS_LT:
		return order < 0;
	case IS_LE:
		return order <= 0;
	case IS_GT:
		return order > 0;
	case IS_GE:
		return order >= 0;
	}
	return false;
}

static bool
number_matches(enum policy_compare how, double want, struct slice value)
{
	double n;

	return policy_number_parse(value, &n) &&
	    compares(how, (n > want) - (n < want));
}

static bool
date_matches(enum policy_compare how, int64_t want, struct slice value)
{
	int64_t ms;

	return policy_date_parse(value, &ms) &&
	    compares(how, (ms > want) - (ms < want));
}

static bool
address_matches(const struct cidr *want, struct slice value)
{
	struct cidr_list one = { NULL, 1 };
	struct cidr copy = *want;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	char text[ADDRESS_MAX];

	if (value.len >= sizeof(text))
		return false;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	one.v = &copy;
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return cidr_list_has(&one, (const struct sockaddr *)&v4);
	return inet_pton(AF_INET6, text, &v6.sin6_addr) == 1 &&
	    cidr_list_has(&one, (const struct sockaddr *)&v6);
}

/* Each of the six parts by itself, so that no star runs over a colon that
 * counts; the last part may have colons of its own. */
static bool
arn_matches(struct policy_request *r, const struct policy_value *v,
    struct slice value)
{
	const uint8_t *at = value.data, *end = value.data + value.len, *to;
	struct policy_glob g;

	if (value.len < 4 || memcmp(value.data, "arn:", 4) != 0)
		return false;
	/* "*", or a variable that is the whole ARN. */
	if (v->pattern_count == 1)
		return policy_expand(r, &v->patterns[0], &g) &&
		    policy_glob_match(g, value);
	for (uint32_t i = 0; i < ARN_PARTS; i++) {
		to = i == ARN_PARTS - 1 ? end :
		    memchr(at, ':', (size_t)(end - at));
		if (to == NULL || !policy_expand(r, &v->patterns[i], &g) ||
		    !policy_glob_match(g, (struct slice){ at,
		    (uint32_t)(to - at) }))
			return false;
		at = to + 1;
	}
	return true;
}

/* One value of the document against one of the request, without a "not". */
static bool
value_matches(struct policy_request *r, const struct policy_condition *c,
    const struct policy_value *v, struct slice value)
{
	struct policy_glob g;

	switch (c->op) {
	case OP_STRING:
	case OP_STRING_NOCASE:
		/* A variable without a value is equal to nothing. */
		return policy_expand(r, &v->patterns[0], &g) &&
		    policy_glob_equal(g, value, c->op == OP_STRING_NOCASE);
	case OP_STRING_LIKE:
		return policy_expand(r, &v->patterns[0], &g) &&
		    policy_glob_match(g, value);
	case OP_NUMBER:
		return number_matches(c->compare, v->number, value);
	case OP_DATE:
		return date_matches(c->compare, v->ms, value);
	case OP_BOOL:
		return policy_same_nocase(value, v->flag ? SLICE_LIT("true") :
		    SLICE_LIT("false"));
	case OP_BINARY:
		return value.len == v->len && (v->len == 0 ||
		    memcmp(value.data, v->bytes, v->len) == 0);
	case OP_IP:
		return address_matches(&v->cidr, value);
	case OP_ARN:
		return arn_matches(r, v, value);
	case OP_NULL:
		break;
	}
	assert(!"an operator with values");
	return false;
}

/* Several values of the document are joined by OR; behind a negated operator
 * by NOR. */
static bool
holds_for(struct policy_request *r, const struct policy_condition *c,
    struct slice value)
{
	for (uint32_t i = 0; i < c->value_count; i++)
		if (value_matches(r, c, &c->values[i], value))
			return !c->negated;
	return c->negated;
}

static bool
null_holds(const struct policy_condition *c, bool present)
{
	for (uint32_t i = 0; i < c->value_count; i++)
		if (c->values[i].flag == !present)
			return true;
	return false;
}

/* The key is not there. AWS's table for ForAllValues:StringNotLike says "no
 * match" then, while the table for ARNs and the text say that ForAllValues is
 * true: it is true here for all operators. */
static bool
holds_for_none(const struct policy_condition *c)
{
	if (c->if_exists || c->quantifier == EACH_ALL)
		return true;
	return c->quantifier == EACH_NONE && c->negated;
}

bool
policy_condition_holds(struct policy_request *r,
    const struct policy_condition *c)
{
	struct policy_values values;
	uint32_t held = 0;

	policy_key_values(r, &c->key, &values);
	if (c->op == OP_NULL)
		return null_holds(c, values.n > 0);
	if (values.n == 0)
		return holds_for_none(c);
	for (uint32_t i = 0; i < values.n; i++)
		held += holds_for(r, c, values.v[i]);
	/* Without a set operator AWS leaves several values open: one of them is
	 * enough, and for a negated operator none may match. */
	if (c->quantifier == EACH_ALL ||
	    (c->quantifier == EACH_NONE && c->negated))
		return held == values.n;
	return held > 0;
}
