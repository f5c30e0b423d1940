/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decision costs: from the cache, and made anew with 20 documents of
 * three statements each, with variables and conditions among them. The median
 * of several rounds; for comparing one's own changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/policy.h"
#include "auth/principal.h"
#include "gateway/base/mem.h"

enum { ROUNDS = 15, DOCUMENTS = 20, NAMES = 1000, CACHED = 200000,
	UNCACHED = 2000 };

static const struct policy_cluster cluster = { "aws", "us-east-1",
	"123456789012", "MyTestCluster", "abcd1234-0123-abcd-5678-1234abcd-1" };

static char names[NAMES][64];

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct policy *
make_policy(int i)
{
	static const char format[] =
	    "{\"Version\":\"2012-10-17\",\"Statement\":["
	    "{\"Effect\":\"Allow\",\"Action\":[\"kafka-cluster:*Data\","
	    "\"kafka-cluster:DescribeTopic\"],\"Resource\":["
	    "\"arn:aws:kafka:us-east-1:123456789012:topic/MyTestCluster/*/"
	    "team-%d.*\",\"arn:aws:kafka:us-east-1:123456789012:topic/"
	    "MyTestCluster/*/${aws:username}.%d.*\"]},"
	    "{\"Effect\":\"Allow\",\"Action\":\"kafka-cluster:*Group\","
	    "\"Resource\":\"*\"},"
	    "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\","
	    "\"Condition\":{\"NotIpAddressIfExists\":{\"aws:SourceIp\":"
	    "[\"10.0.0.0/8\",\"192.0.2.0/24\"]}}}]}";
	char text[2048];
	struct error_list errs = { 0 };
	struct policy *p;

	snprintf(text, sizeof(text), format, i, i);
	p = policy_compile(text, strlen(text), "bench", &errs);
	if (p == NULL) {
		error_list_print(&errs, stderr, "");
		exit(1);
	}
	return p;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Each name's decision, n of them; cached: without forgetting any. */
static double
measure(struct policy_set *s, int n, int count, bool cached)
{
	double ns[ROUNDS];
	struct policy_verdict v;
	int allowed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns();

		for (int k = 0; k < n; k++) {
			struct slice name = slice_of(names[k % count]);

			if (cached) {
				allowed += policy_allows(s, POLICY_READ_DATA,
				    POLICY_TOPIC, name);
			} else {
				policy_explain(s, POLICY_READ_DATA,
				    POLICY_TOPIC, name, &v);
				allowed += v.allowed;
			}
		}
		ns[i] = (double)(now_ns() - start) / n;
	}
	if (allowed == 0 || allowed == n * ROUNDS) {
		fprintf(stderr, "all decisions are alike\n");
		exit(1);
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_size);
	return ns[ROUNDS / 2];
}

int
main(void)
{
	struct principal *p = principal_new(PRINCIPAL_USER, "aws",
	    "123456789012", SLICE_LIT("alice"), SLICE_NULL);
	struct policy_context c = { .principal = p, .source_ip = "10.1.2.3" };
	struct policy *policies[DOCUMENTS];
	struct policy_set *s;

	for (int i = 0; i < DOCUMENTS; i++)
		policies[i] = make_policy(i);
	for (int i = 0; i < NAMES; i++)
		snprintf(names[i], sizeof(names[i]),
		    "team-%d.a-topic-with-a-name-%d", i % DOCUMENTS + i % 2 *
		    DOCUMENTS, i);
	s = policy_set_new(&cluster, &c, policies, DOCUMENTS, NULL);
	printf("cached, 10 names     %8.1f ns\n", measure(s, CACHED, 10,
	    true));
	printf("cached, %d names   %8.1f ns\n", NAMES, measure(s, CACHED,
	    NAMES, true));
	printf("uncached, %d documents %7.2f us\n", DOCUMENTS, measure(s,
	    UNCACHED, NAMES, false) / 1000);
	policy_set_free(s);
	for (int i = 0; i < DOCUMENTS; i++)
		policy_unref(policies[i]);
	principal_unref(p);
	return 0;
}
