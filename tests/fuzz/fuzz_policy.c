/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy document and a request: taken whole or refused with reasons; what
 * is taken is decided as the tests' reference decides it (which does not know
 * all operators), is told in words, and what is allowed for all names is
 * allowed for this one.
 * Input: an action, a name up to a NUL, the document.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/policy.h"
#include "auth/principal.h"
#include "gateway/base/mem.h"

/* It is a test's helper, which is not in the library. */
#include "tests/unit/policy_reference.c"

#define NAMED "/MyTestCluster/abcd1234-0123-abcd-5678-1234abcd-1"

enum { NAME_MAX_HERE = 64, REFERENCE_MAX = 8192 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct policy_cluster cluster = { "aws", "us-east-1",
	"123456789012", "MyTestCluster", "abcd1234-0123-abcd-5678-1234abcd-1" };

static const struct reference_key reference_keys[] = {
	{ "aws:username", { "alice" } },
	{ "aws:userid", { "alice" } },
	{ "aws:principaltype", { "User" } },
	{ "aws:principalarn", { "arn:aws:iam::123456789012:user/alice" } },
	{ "aws:principalaccount", { "123456789012" } },
	{ "aws:principaltag/team", { "*" } },
	{ "weir:principalgroups", { "devs", "ops" } },
	{ "kafka-cluster:clientid", { "a?b" } },
	{ "aws:securetransport", { "true" } },
	{ "aws:currenttime", { "2030-01-01T00:00:00Z" } },
	{ "aws:epochtime", { "1893456000" } },
	{ "aws:sourceip", { "10.1.2.3" } },
};

static const char *const types[] = { "cluster", "topic", "group",
	"transactional-id" };

static struct principal *
make_principal(void)
{
	struct principal *p = principal_new(PRINCIPAL_USER, "aws",
	    "123456789012", SLICE_LIT("alice"), SLICE_NULL);

	principal_add_group(p, SLICE_LIT("devs"));
	principal_add_group(p, SLICE_LIT("ops"));
	principal_add_tag(p, SLICE_LIT("team"), SLICE_LIT("*"));
	return p;
}

static void
check_reference(const char *text, size_t len, const char *action,
    const char *arn, bool allowed)
{
	struct reference_request r = { action, arn, reference_keys,
	    sizeof(reference_keys) / sizeof(reference_keys[0]) };
	json_t *in = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	enum reference_answer want;

	assert(in != NULL);
	want = reference_decide(&in, 1, NULL, &r);
	assert(want == REFERENCE_UNKNOWN ||
	    allowed == (want == REFERENCE_YES));
	json_decref(in);
}

static void
ask(struct policy *p, enum policy_action action, const char *name,
    const char *text, size_t len)
{
	struct principal *who = make_principal();
	struct policy_context c = { .principal = who, .client_id = "a?b",
	    .secure = true, .source_ip = "10.1.2.3",
	    .now_ms = 1893456000000 };
	struct policy_set *s = policy_set_new(&cluster, &c, &p, 1, NULL);
	enum policy_resource type = policy_action_resource(action);
	struct policy_verdict v;
	char words[POLICY_VERDICT_TEXT], arn[256];
	bool allowed = policy_allows(s, action, type, slice_of(name));

	assert(policy_allows(s, action, type, slice_of(name)) == allowed);
	policy_explain(s, action, type, slice_of(name), &v);
	assert(v.allowed == allowed && !(v.denied && v.allowed));
	assert(allowed || !policy_allows_all(s, action));
	policy_verdict_text(s, action, type, slice_of(name), &v, words,
	    sizeof(words));
	assert(strstr(words, allowed ? " is allowed by " : " is denied"));
	snprintf(arn, sizeof(arn), "arn:aws:kafka:us-east-1:123456789012:%s"
	    NAMED "%s%s", types[type], type == POLICY_CLUSTER ? "" : "/",
	    type == POLICY_CLUSTER ? "" : name);
	if (len <= REFERENCE_MAX)
		check_reference(text, len, policy_action_name(action), arn,
		    allowed);
	policy_set_free(s);
	principal_unref(who);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[NAME_MAX_HERE + 1] = "", *text;
	struct error_list errs = { 0 };
	struct policy *p;
	size_t n;

	if (size < 2)
		return 0;
	n = strnlen((const char *)data + 1, size - 1);
	snprintf(name, sizeof(name), "%.*s", (int)n, (const char *)data + 1);
	if (n == size - 1)
		return 0;
	/* Exactly as long, so that a read behind the end is noticed. */
	size -= n + 2;
	text = mem_alloc(size + (size == 0));
	memcpy(text, data + n + 2, size);
	p = policy_compile(text, size, "fuzz", &errs);
	assert((p != NULL) == (errs.n == 0));
	if (p != NULL)
		ask(p, data[0] % POLICY_ACTION_COUNT, name, text, size);
	policy_unref(p);
	error_list_free(&errs);
	free(text);
	return 0;
}
