/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/base/mem.h"

const struct policy_cluster policy_test_cluster = {
	"aws", "us-east-1", "123456789012", "MyTestCluster", UUID,
};

char *
policy_test_text(const char *text)
{
	char *s = mem_strdup(text);

	for (char *c = s; *c != '\0'; c++)
		if (*c == '`')
			*c = '"';
	return s;
}

struct policy *
policy_test_compile(const char *text, const char *name, struct error_list *errs)
{
	char *s = policy_test_text(text);
	struct policy *p = policy_compile(s, strlen(s), name, errs);

	free(s);
	return p;
}

struct policy *
policy_test_make(const char *text)
{
	struct error_list errs = { 0 };
	struct policy *p = policy_test_compile(text, "test", &errs);

	if (p == NULL)
		fail_msg("%s\n%s: %s", text, errs.v[0].path, errs.v[0].reason);
	assert_int_equal(errs.n, 0);
	return p;
}

struct principal *
policy_test_principal(const char *kind)
{
	struct principal *p;

	if (strcmp(kind, "role") == 0) {
		p = principal_new(PRINCIPAL_ROLE, "aws", "123456789012",
		    SLICE_LIT("app"), SLICE_LIT("s1"));
		/* 2026-01-02T03:04:05Z */
		p->issued_ms = 1767323045000;
	} else if (strcmp(kind, "token") == 0) {
		p = principal_new(PRINCIPAL_TOKEN, "aws", "123456789012",
		    SLICE_LIT("alice"), SLICE_NULL);
	} else if (strcmp(kind, "certificate") == 0) {
		p = principal_new(PRINCIPAL_CERTIFICATE, "aws", "123456789012",
		    SLICE_LIT("client.example"), SLICE_NULL);
	} else {
		p = principal_new(PRINCIPAL_USER, "aws", "123456789012",
		    SLICE_LIT("alice"), SLICE_NULL);
	}
	assert_true(principal_add_group(p, SLICE_LIT("devs")));
	assert_true(principal_add_group(p, SLICE_LIT("ops*")));
	assert_true(principal_add_tag(p, SLICE_LIT("team"),
	    SLICE_LIT("blue")));
	assert_true(principal_add_tag(p, SLICE_LIT("Star"), SLICE_LIT("*")));
	return p;
}
