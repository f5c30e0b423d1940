/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random documents and requests: the decision is the reference's, an explicit
 * Deny that applies wins, a session policy only takes away, and what is
 * allowed for all names is allowed for each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/base/mem.h"
#include "policy_fixture.h"
#include "policy_reference.h"

enum { DOCUMENT_SIZE = 16384, DOCUMENTS_MAX = 3, ROUNDS = 3000, ASKED = 12 };

static uint32_t seed = 20260101;

static uint32_t
rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

#define PICK(a) ((a)[rnd(sizeof(a) / sizeof((a)[0]))])

struct text {
	char	s[DOCUMENT_SIZE];
	size_t	n;
};

static void add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->n += (size_t)vsnprintf(t->s + t->n, sizeof(t->s) - t->n, fmt, ap);
	va_end(ap);
	assert_true(t->n < sizeof(t->s));
}

/* A list of 1 to most strings, or one without brackets. */
static void
add_list(struct text *t, uint32_t most, void (*one)(struct text *t))
{
	uint32_t n = 1 + rnd(most);
	bool array = n > 1 || rnd(2) == 0;

	add(t, array ? "[" : "");
	for (uint32_t i = 0; i < n; i++) {
		add(t, i ? ",`" : "`");
		one(t);
		add(t, "`");
	}
	add(t, array ? "]" : "");
}

static void
add_action(struct text *t)
{
	static const char *const names[] = { "*", "kafka-cluster:*",
	    "kafka-cluster:ReadData", "kafka-cluster:WriteData",
	    "kafka-cluster:Connect", "kafka-cluster:*Data",
	    "Kafka-Cluster:read*", "kafka-cluster:Alter?roup",
	    "kafka-cluster:*Topic", "s3:*", "kafka-cluster:*e*t*" };

	add(t, "%s", PICK(names));
}

static void
add_pattern(struct text *t)
{
	static const char *const parts[] = { "a", "b", "*", "?", "/", ":",
	    "\xc3\xa9", "${aws:username}", "${aws:PrincipalTag/star}",
	    "${aws:PrincipalTag/none}", "${*}", "${?}", "$",
	    "${aws:PrincipalTag/none, 'a'}", "${kafka-cluster:ClientId}",
	    "${AWS:PrincipalTag/Team,'b'}" };

	for (uint32_t n = rnd(5); n > 0; n--)
		add(t, "%s", PICK(parts));
}

static void
add_resource(struct text *t)
{
	static const char *const whole[] = { "*", "arn:aws:kafka",
	    "arn:*", "arn:aws:kafka:us-east-1:*:topic/*", TOPIC "*", GROUP "*",
	    CLUSTER_ARN("cluster"), CLUSTER_ARN("*") "/*", "arn:aws:s3:::b",
	    "arn:aws:kafka:eu-west-1:*:*" };
	static const char *const heads[] = { TOPIC, GROUP, TOPIC,
	    "arn:aws:kafka:*:*:topic/MyTestCluster/*/",
	    "arn:aws:kafka:*:*:*/" };

	if (rnd(3) == 0) {
		add(t, "%s", PICK(whole));
		return;
	}
	add(t, "%s", PICK(heads));
	add_pattern(t);
}

static void
add_value(struct text *t)
{
	static const char *const values[] = { "alice", "ALICE", "al*", "*",
	    "bob", "devs", "ops*", "a", "b", "?", "blue" };

	if (rnd(4) == 0)
		add_pattern(t);
	else
		add(t, "%s", PICK(values));
}

static void
add_arn(struct text *t)
{
	static const char *const values[] = { "*", "arn:aws:iam::*:user/*",
	    "arn:aws:iam::123456789012:user/${aws:username}",
	    "arn:aws:iam::*:role/*", "arn:*:i?m:*:*:user/a*",
	    "${aws:PrincipalArn}",
	    "arn:aws:iam::${aws:PrincipalAccount}:user/alice",
	    "arn:aws:iam:${aws:PrincipalTag/none}:*:user/alice" };

	add(t, "%s", PICK(values));
}

static void
add_number(struct text *t)
{
	add(t, "%u", rnd(5));
}

static void
add_flag(struct text *t)
{
	add(t, "%s", rnd(2) ? "true" : "False");
}

static void
add_condition(struct text *t, uint32_t kind)
{
	static const char *const strings[] = { "StringEquals",
	    "StringNotEquals", "StringEqualsIgnoreCase",
	    "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike" };
	static const char *const arns[] = { "ArnEquals", "ArnNotEquals",
	    "ArnLike", "ArnNotLike" };
	static const char *const numbers[] = { "NumericEquals",
	    "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
	    "NumericGreaterThan", "NumericGreaterThanEquals" };
	static const char *const sets[] = { "", "", "ForAnyValue:",
	    "ForAllValues:" };
	static const char *const keys[] = { "aws:username",
	    "aws:PrincipalTag/team", "AWS:PrincipalTag/STAR", "aws:SourceVpce",
	    "kafka-cluster:ClientId", "weir:PrincipalGroups", "x:missing" };
	const char *set = PICK(sets), *if_exists = rnd(4) ? "" : "IfExists";

	switch (kind) {
	case 0:
		add(t, "`Null`:{`%s`:", PICK(keys));
		add_list(t, 2, add_flag);
		break;
	case 1:
		add(t, "`%s%s%s`:{`%s`:", set, PICK(arns), if_exists,
		    rnd(4) ? "aws:PrincipalArn" : PICK(keys));
		add_list(t, 3, add_arn);
		break;
	case 2:
		add(t, "`%s%s%s`:{`%s`:", set, PICK(numbers), if_exists,
		    rnd(4) ? "x:n" : PICK(keys));
		add_list(t, 2, add_number);
		break;
	case 3:
		add(t, "`%sBool%s`:{`%s`:", set, if_exists,
		    rnd(2) ? "aws:SecureTransport" : PICK(keys));
		add_list(t, 2, add_flag);
		break;
	default:
		add(t, "`%s%s%s`:{`%s`:", set, PICK(strings), if_exists,
		    PICK(keys));
		add_list(t, 3, add_value);
		break;
	}
	add(t, "}");
}

static void
add_statement(struct text *t)
{
	uint32_t conditions = rnd(4) ? rnd(2) : rnd(3), kind = rnd(5);

	add(t, "{`Effect`:`%s`,", rnd(3) ? "Allow" : "Deny");
	add(t, "`%sAction`:", rnd(5) ? "" : "Not");
	add_list(t, 3, add_action);
	add(t, ",`%sResource`:", rnd(5) ? "" : "Not");
	add_list(t, 3, add_resource);
	if (conditions > 0) {
		add(t, ",`Condition`:{");
		add_condition(t, kind);
		/* Of another kind: an operator twice would be refused. */
		if (conditions > 1) {
			add(t, ",");
			add_condition(t, (kind + 1 + rnd(4)) % 5);
		}
		add(t, "}");
	}
	add(t, "}");
}

static char *
random_document(void)
{
	struct text t = { .n = 0 };

	add(&t, "{`Version`:`%s`,`Statement`:[",
	    rnd(8) ? "2012-10-17" : "2008-10-17");
	for (uint32_t i = 0, n = 1 + rnd(4); i < n; i++) {
		add(&t, i ? "," : "");
		add_statement(&t);
	}
	add(&t, "]}");
	return policy_test_text(t.s);
}

/* ---- a world ---- */

struct world {
	char		*texts[DOCUMENTS_MAX + 1];
	json_t		*json[DOCUMENTS_MAX + 1];
	struct policy	*policies[DOCUMENTS_MAX + 1];	/* the last: session */
	uint32_t	 count;
	bool		 session;
};

static void
load(struct world *w, uint32_t i)
{
	struct error_list errs = { 0 };

	w->texts[i] = random_document();
	w->policies[i] = policy_compile(w->texts[i], strlen(w->texts[i]), "x",
	    &errs);
	if (w->policies[i] == NULL && strstr(errs.v[0].reason, "must be ") ==
	    NULL && strstr(errs.v[0].reason, "variable") == NULL)
		fail_msg("%s\n%s: %s", w->texts[i], errs.v[0].path,
		    errs.v[0].reason);
	error_list_free(&errs);
	w->json[i] = json_loads(w->texts[i], 0, NULL);
	assert_non_null(w->json[i]);
}

/* Random documents may have an ARN with a literal variable (2008-10-17), which
 * is a fault: another one is drawn. */
static void
draw(struct world *w, uint32_t i)
{
	for (load(w, i); w->policies[i] == NULL; load(w, i)) {
		free(w->texts[i]);
		json_decref(w->json[i]);
	}
}

static void
world_init(struct world *w)
{
	w->count = 1 + rnd(DOCUMENTS_MAX);
	w->session = rnd(4) == 0;
	for (uint32_t i = 0; i < w->count; i++)
		draw(w, i);
	if (w->session)
		draw(w, w->count);
}

static void
world_fini(struct world *w)
{
	for (uint32_t i = 0; i < w->count + w->session; i++) {
		policy_unref(w->policies[i]);
		json_decref(w->json[i]);
		free(w->texts[i]);
	}
}

struct request {
	enum policy_action	 action;
	enum policy_resource	 type;
	char			 name[32];
	char			 arn[256];
};

static void
random_request(struct request *r)
{
	static const enum policy_action actions[] = { POLICY_READ_DATA,
	    POLICY_WRITE_DATA, POLICY_CONNECT, POLICY_ALTER_GROUP,
	    POLICY_DELETE_TOPIC };
	static const char *const heads[] = { CLUSTER_ARN("cluster"), TOPIC,
	    GROUP };
	static const char *const parts[] = { "a", "b", "/", ":", "*", "?",
	    "\xc3\xa9", "alice", "$", "" };

	r->action = PICK(actions);
	r->type = policy_action_resource(r->action);
	r->name[0] = '\0';
	for (uint32_t n = r->type == POLICY_CLUSTER ? 0 : rnd(5); n > 0; n--)
		snprintf(r->name + strlen(r->name), 8, "%s", PICK(parts));
	snprintf(r->arn, sizeof(r->arn), "%s%s", heads[r->type], r->name);
}

/* The same values for both: as members of the context, and as a list. */
static const struct reference_key keys[] = {
	{ "aws:username", { "alice" } },
	{ "aws:principalarn", { "arn:aws:iam::123456789012:user/alice" } },
	{ "aws:principalaccount", { "123456789012" } },
	{ "aws:principaltag/team", { "blue" } },
	{ "aws:principaltag/star", { "*" } },
	{ "weir:principalgroups", { "devs", "ops*" } },
	{ "kafka-cluster:clientid", { "a" } },
	{ "aws:securetransport", { "true" } },
	{ "x:n", { "2", "3" } },
};

struct counts {
	int	 yes, no, denied, all;
};

static void
check_all_names(struct world *w, struct policy_set *s, struct counts *n)
{
	struct request r;

	random_request(&r);
	if (!policy_allows_all(s, r.action))
		return;
	n->all++;
	for (int i = 0; i < 50; i++) {
		struct request other;

		random_request(&other);
		if (other.type == r.type && !policy_allows(s, r.action, r.type,
		    slice_of(other.name)))
			fail_msg("not \"%s\"\n%s", other.name, w->texts[0]);
	}
}

static void
check_request(struct world *w, struct policy_set *s, struct counts *n)
{
	struct request r;
	struct reference_request q;
	struct policy_verdict v;
	enum reference_answer want;
	bool got;

	random_request(&r);
	q = (struct reference_request){ policy_action_name(r.action), r.arn,
	    keys, sizeof(keys) / sizeof(keys[0]) };
	want = reference_decide(w->json, w->count,
	    w->session ? w->json[w->count] : NULL, &q);
	assert_int_not_equal(want, REFERENCE_UNKNOWN);
	got = policy_allows(s, r.action, r.type, slice_of(r.name));
	policy_explain(s, r.action, r.type, slice_of(r.name), &v);
	if (got != (want == REFERENCE_YES) || v.allowed != got)
		fail_msg("%s on %s: is %d, should be %d\n%s\n%s",
		    q.action, q.arn, got, want, w->texts[0],
		    w->count > 1 ? w->texts[1] : "");
	assert_false(v.denied && v.allowed);
	n->yes += got;
	n->no += !got;
	n->denied += v.denied;
}

static void
test_as_the_reference(void **state)
{
	static const char *const extra[] = { "x:n=2", "x:n=3" };
	struct principal *p = policy_test_principal("user");
	struct policy_context c = { .principal = p, .client_id = "a",
	    .secure = true, .now_ms = 1893456000000, .extra = extra,
	    .extra_count = 2 };
	struct counts n = { 0 };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct world w;
		struct policy_set *s;

		world_init(&w);
		s = policy_set_new(&policy_test_cluster, &c, w.policies,
		    w.count, w.session ? w.policies[w.count] : NULL);
		for (int k = 0; k < ASKED; k++)
			check_request(&w, s, &n);
		check_all_names(&w, s, &n);
		policy_set_free(s);
		world_fini(&w);
	}
	print_message("%d allowed, %d not, %d of them by a Deny; %d for all\n",
	    n.yes, n.no, n.denied, n.all);
	/* It was no walk through one corner. */
	assert_in_range(n.yes, ROUNDS, ROUNDS * ASKED);
	assert_in_range(n.denied, ROUNDS, ROUNDS * ASKED);
	assert_in_range(n.all, ROUNDS / 50, ROUNDS);
	principal_unref(p);
}

/* Adding a document with a Deny of it takes an allowed request away, wherever
 * it stands, and adds nothing to others. */
static void
test_deny_wins(void **state)
{
	struct principal *p = policy_test_principal("user");
	struct policy_context c = { .principal = p, .client_id = "a",
	    .secure = true, .now_ms = 1893456000000 };
	int taken = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct policy *both[DOCUMENTS_MAX + 1];
		uint32_t at;
		char text[1024];
		struct policy_set *s, *t;
		struct request r, other;
		struct world w;
		bool before;

		world_init(&w);
		random_request(&r);
		random_request(&other);
		snprintf(text, sizeof(text), V2012 "{`Effect`:`Deny`,"
		    "`Action`:`kafka-cluster:%s`,`Resource`:`*`,"
		    "`Condition`:{`StringEquals`:{`aws:username`:`alice`}}}}",
		    policy_action_name(r.action));
		at = rnd(w.count + 1);
		for (uint32_t k = 0; k < w.count; k++)
			both[k + (k >= at)] = w.policies[k];
		both[at] = policy_test_make(text);
		s = policy_set_new(&policy_test_cluster, &c, w.policies,
		    w.count, NULL);
		t = policy_set_new(&policy_test_cluster, &c, both, w.count + 1,
		    NULL);
		before = policy_allows(s, r.action, r.type, slice_of(r.name));
		taken += before;
		assert_false(policy_allows(t, r.action, r.type,
		    slice_of(r.name)));
		assert_false(policy_allows_all(t, r.action));
		before = policy_allows(s, other.action, other.type,
		    slice_of(other.name));
		assert_int_equal(policy_allows(t, other.action, other.type,
		    slice_of(other.name)), before && other.action != r.action);
		policy_set_free(s);
		policy_set_free(t);
		policy_unref(both[at]);
		world_fini(&w);
	}
	assert_true(taken > ROUNDS / 20);
	principal_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_reference),
		cmocka_unit_test(test_deny_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
