/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of policies share: documents with ` for ", a cluster, and
 * principals of each kind.
 */
#ifndef WEIR_TESTS_UNIT_POLICY_FIXTURE_H
#define WEIR_TESTS_UNIT_POLICY_FIXTURE_H

#include "auth/policy.h"
#include "auth/principal.h"

#define UUID "abcd1234-0123-abcd-5678-1234abcd-1"
#define CLUSTER_ARN(type) \
	"arn:aws:kafka:us-east-1:123456789012:" type "/MyTestCluster/" UUID
#define TOPIC CLUSTER_ARN("topic") "/"
#define GROUP CLUSTER_ARN("group") "/"
#define TXN CLUSTER_ARN("transactional-id") "/"

#define V2012 "{`Version`:`2012-10-17`,`Statement`:"
#define ALLOW(rest) V2012 "{`Effect`:`Allow`," rest "}}"
/* Everything is allowed but what the Deny is about. */
#define DENY(rest) V2012 "[{`Effect`:`Allow`,`Action`:`*`,`Resource`:`*`}," \
	"{`Effect`:`Deny`," rest "}]}"

extern const struct policy_cluster policy_test_cluster;

/* ` becomes "; the caller frees. */
char		*policy_test_text(const char *text);
/* NULL and faults, as policy_compile; of text with `. */
struct policy	*policy_test_compile(const char *text, const char *name,
		    struct error_list *errs);
/* Fails the test when there is a fault. */
struct policy	*policy_test_make(const char *text);
/* "user": alice of the groups "devs" and "ops*" with the tags team=blue and
 * Star=*; "role": app/s1; "token": alice; "certificate": client.example;
 * with tags each. */
struct principal *policy_test_principal(const char *kind);

#endif
