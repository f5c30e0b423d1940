/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents with faults: each is refused as a whole, with path and reason
 * ("Grammar of the IAM JSON policy language").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/policy_private.h"
#include "gateway/base/mem.h"
#include "policy_fixture.h"

/* A statement which is good but for what is put in. */
#define WITH_ACTION(a) ALLOW("`Action`:" a ",`Resource`:`*`")
#define WITH_RESOURCE(r) ALLOW("`Action`:`*`,`Resource`:" r)
#define WITH(c) ALLOW("`Action`:`*`,`Resource`:`*`,`Condition`:" c)
#define STARS "**************************************************"
#define ALL "`Effect`:`Allow`,`Action`:`*`,`Resource`:`*`"

static const struct {
	const char	*document;
	const char	*path;
	const char	*reason;	/* part of it */
} rows[] = {
	/* JSON */
	{ "", "1:0", "" },
	{ "{", "1:1", "" },
	{ "[]", "", "must be an object, but this is an array" },
	{ "`x`", "1:", "expected" },
	{ V2012 "{" ALL "}} x", "1:", "" },
	{ "{`Version`:`2012-10-17`,`Version`:`2012-10-17`}", "1:",
	  "duplicate" },
	{ V2012 "{" ALL ",`Effect`:`Deny`}}", "1:", "duplicate" },
	{ "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "", "16 brackets" },
	{ V2012 "{" ALL ",`Sid`:`\\u0000`}}", "1:", "" },
	{ "{`Version`:`2012-10-17`,`Statement`:{`Effect`:`\xff`}}", "1:",
	  "decode byte 0xff" },
	/* the document */
	{ "{}", "Statement", "is missing" },
	{ "{`Version`:`2012-10-18`,`Statement`:{" ALL "}}", "Version",
	  "2012-10-17" },
	{ "{`Version`:2012,`Statement`:{" ALL "}}", "Version", "must be" },
	{ "{`Id`:`x`,`Statement`:{" ALL "}}", "Id", "no place" },
	{ "{`version`:`2012-10-17`,`Statement`:{" ALL "}}", "version",
	  "no element" },
	{ "{`Statement`:[]}", "Statement", "1 to 1000" },
	{ "{`Statement`:`x`}", "Statement", "an object or an array" },
	{ "{`Statement`:[1]}", "Statement[0]", "must be an object" },
	{ "{`Statement`:[{" ALL "},null]}", "Statement[1]",
	  "but is null" },
	/* statements */
	{ V2012 "{" ALL ",`Principal`:`*`}}", "Statement.Principal",
	  "no place" },
	{ V2012 "{" ALL ",`NotPrincipal`:`*`}}", "Statement.NotPrincipal",
	  "no place" },
	{ V2012 "[{" ALL ",`Comment`:`x`}]}", "Statement[0].Comment",
	  "no element" },
	{ V2012 "{" ALL ",`condition`:{}}}", "Statement.condition",
	  "no element" },
	{ V2012 "{" ALL ",`Sid`:`a b`}}", "Statement.Sid",
	  "letters and digits" },
	{ V2012 "{" ALL ",`Sid`:1}}", "Statement.Sid", "must be a string" },
	{ V2012 "[{" ALL ",`Sid`:`A`},{" ALL ",`Sid`:`A`}]}",
	  "Statement[1].Sid", "that of Statement[0] too" },
	{ V2012 "{`Action`:`*`,`Resource`:`*`}}", "Statement.Effect",
	  "is missing" },
	{ V2012 "{`Effect`:`allow`,`Action`:`*`,`Resource`:`*`}}",
	  "Statement.Effect", "\"Allow\" or \"Deny\"" },
	{ V2012 "{`Effect`:true,`Action`:`*`,`Resource`:`*`}}",
	  "Statement.Effect", "\"Allow\" or \"Deny\"" },
	{ V2012 "{`Effect`:`Allow`,`Resource`:`*`}}", "Statement",
	  "needs Action or NotAction" },
	{ V2012 "{`Effect`:`Allow`,`Action`:`*`}}", "Statement",
	  "needs Resource or NotResource" },
	{ V2012 "{" ALL ",`NotAction`:`*`}}", "Statement",
	  "has both Action and NotAction" },
	{ V2012 "{" ALL ",`NotResource`:`*`}}", "Statement",
	  "has both Resource and NotResource" },
	/* actions */
	{ WITH_ACTION("1"), "Statement.Action", "a string or an array" },
	{ WITH_ACTION("[]"), "Statement.Action", "not be empty" },
	{ WITH_ACTION("[`*`,{}]"), "Statement.Action[1]", "must be a string" },
	{ WITH_ACTION("``"), "Statement.Action", "SERVICE:ACTION" },
	{ WITH_ACTION("`ReadData`"), "Statement.Action", "SERVICE:ACTION" },
	{ WITH_ACTION("`kafka-cluster:`"), "Statement.Action", "name" },
	{ WITH_ACTION("`:ReadData`"), "Statement.Action", "service" },
	{ WITH_ACTION("`kafka-*:ReadData`"), "Statement.Action",
	  "without wildcards" },
	{ WITH_ACTION("`kafka-cluster:ReadDate`"), "Statement.Action",
	  "no action of kafka-cluster" },
	{ WITH_ACTION("[`*`,`kafka-cluster:Write`]"), "Statement.Action[1]",
	  "no action of kafka-cluster" },
	{ WITH_ACTION("`kafka-cluster:Read Data`"), "Statement.Action",
	  "letters, digits" },
	{ WITH_ACTION("`kafka-cluster:${aws:username}`"), "Statement.Action",
	  "letters, digits" },
	{ WITH_ACTION("`kafka-cluster:" STARS STARS STARS STARS STARS "`"),
	  "Statement.Action", "longer than 256" },
	{ ALLOW("`NotAction`:`kafka-cluster:x`,`Resource`:`*`"),
	  "Statement.NotAction", "no action" },
	/* resources */
	{ WITH_RESOURCE("null"), "Statement.Resource", "a string" },
	{ WITH_RESOURCE("[]"), "Statement.Resource", "not be empty" },
	{ WITH_RESOURCE("``"), "Statement.Resource", "not an ARN" },
	{ WITH_RESOURCE("`orders`"), "Statement.Resource", "not an ARN" },
	{ WITH_RESOURCE("`*orders`"), "Statement.Resource", "not an ARN" },
	{ WITH_RESOURCE("`ARN:aws:kafka:::topic/a`"), "Statement.Resource",
	  "not an ARN" },
	{ WITH_RESOURCE("`arn::kafka:::topic/a`"), "Statement.Resource",
	  "partition" },
	{ WITH_RESOURCE("`arn:`"), "Statement.Resource", "partition" },
	{ WITH_RESOURCE("`arn:aws::r:a:topic/a`"), "Statement.Resource",
	  "service" },
	{ WITH_RESOURCE("`arn:aws:*:r:a:topic/a`"), "Statement.Resource",
	  "without wildcards" },
	{ WITH_RESOURCE("`arn:aws:kaf?a:r:a:topic/a`"), "Statement.Resource",
	  "without wildcards" },
	{ WITH_RESOURCE("`arn:aws:kafka*`"), "Statement.Resource",
	  "without wildcards" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:topics/a/b/c`"),
	  "Statement.Resource", "topic/" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:topic`"), "Statement.Resource",
	  "topic/" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:`"), "Statement.Resource",
	  "topic/" },
	/* They look right and would never match. */
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:topic/orders`"),
	  "Statement.Resource", "ARN of nothing" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:group/c/u`"),
	  "Statement.Resource", "ARN of nothing" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:cluster/c`"),
	  "Statement.Resource", "ARN of nothing" },
	{ WITH_RESOURCE("`arn:aws:kafka:r:a:cluster/c/u/n`"),
	  "Statement.Resource", "ARN of nothing" },
	{ WITH_RESOURCE("`arn:aws:kafka:${aws:username}:a:topic/*`"),
	  "Statement.Resource", "fifth colon" },
	{ WITH_RESOURCE("`arn:aws:${aws:username}`"), "Statement.Resource",
	  "fifth colon" },
	{ WITH_RESOURCE("`" TOPIC "${aws:username`"), "Statement.Resource",
	  "without a \"}\"" },
	{ WITH_RESOURCE("`" TOPIC "${}`"), "Statement.Resource",
	  "no condition key" },
	{ WITH_RESOURCE("`" TOPIC "${username}`"), "Statement.Resource",
	  "no condition key" },
	{ WITH_RESOURCE("`" TOPIC "${aws:usrname}`"), "Statement.Resource",
	  "no condition key that AWS or weir has" },
	{ WITH_RESOURCE("`" TOPIC "${aws:username, x}`"), "Statement.Resource",
	  "quotes" },
	{ WITH_RESOURCE("`" TOPIC "${aws:username, 'x}`"), "Statement.Resource",
	  "quotes" },
	{ WITH_RESOURCE("`" TOPIC "${aws:username, 'a'b'}`"),
	  "Statement.Resource", "quotes" },
	{ WITH_RESOURCE("`" TOPIC "${weir:PrincipalGroups}`"),
	  "Statement.Resource", "several values" },
	{ WITH_RESOURCE("`" TOPIC "${$}${$}${aws:userid}${aws:userid}"
	  "${aws:userid}${aws:userid}${aws:userid}${aws:userid}${aws:userid}"
	  "${aws:userid}${aws:userid}${aws:userid}${aws:userid}${aws:userid}"
	  "${aws:userid}${aws:userid}${aws:userid}${aws:userid}"
	  "${aws:userid}`"), "Statement.Resource", "more than 16 variables" },
	/* conditions */
	{ WITH("[]"), "Statement.Condition", "must be an object" },
	{ WITH("{`StringEqual`:{}}"), "Statement.Condition.StringEqual",
	  "no condition operator" },
	{ WITH("{`stringequals`:{}}"), "Statement.Condition.stringequals",
	  "no condition operator" },
	{ WITH("{`ForEach:StringEquals`:{}}"),
	  "Statement.Condition.ForEach:StringEquals", "no condition operator" },
	{ WITH("{`IfExists`:{}}"), "Statement.Condition.IfExists",
	  "no condition operator" },
	{ WITH("{`NullIfExists`:{}}"), "Statement.Condition.NullIfExists",
	  "Null has no" },
	{ WITH("{`ForAnyValue:Null`:{}}"),
	  "Statement.Condition.ForAnyValue:Null", "Null has no" },
	{ WITH("{`StringEquals`:`x`}"), "Statement.Condition.StringEquals",
	  "object of keys" },
	{ WITH("{`StringEquals`:{`username`:`x`}}"),
	  "Statement.Condition.StringEquals.username", "no condition key" },
	{ WITH("{`StringEquals`:{`aws:user`:`x`}}"),
	  "Statement.Condition.StringEquals.aws:user", "no condition key" },
	{ WITH("{`StringEquals`:{`kafka-cluster:Client`:`x`}}"),
	  "Statement.Condition.StringEquals.kafka-cluster:Client",
	  "no condition key" },
	{ WITH("{`StringEquals`:{`aws:PrincipalTag/`:`x`}}"),
	  "Statement.Condition.StringEquals.aws:PrincipalTag/",
	  "no condition key" },
	{ WITH("{`StringEquals`:{`aws:username`:`x`,`AWS:UserName`:`y`}}"),
	  "Statement.Condition.StringEquals.AWS:UserName", "twice" },
	{ WITH("{`StringEquals`:{`aws:username`:[]}}"),
	  "Statement.Condition.StringEquals.aws:username", "at least one" },
	{ WITH("{`StringEquals`:{`aws:username`:5}}"),
	  "Statement.Condition.StringEquals.aws:username", "a string" },
	{ WITH("{`StringEquals`:{`aws:username`:[`x`,true]}}"),
	  "Statement.Condition.StringEquals.aws:username[1]", "a string" },
	{ WITH("{`StringLike`:{`aws:username`:`${aws:x}`}}"),
	  "Statement.Condition.StringLike.aws:username", "no condition key" },
	{ WITH("{`NumericEquals`:{`x:n`:`five`}}"),
	  "Statement.Condition.NumericEquals.x:n", "a number" },
	{ WITH("{`NumericEquals`:{`x:n`:`1e5`}}"),
	  "Statement.Condition.NumericEquals.x:n", "a number" },
	{ WITH("{`NumericEquals`:{`x:n`:`${aws:username}`}}"),
	  "Statement.Condition.NumericEquals.x:n", "a number" },
	{ WITH("{`DateEquals`:{`aws:CurrentTime`:`tomorrow`}}"),
	  "Statement.Condition.DateEquals.aws:CurrentTime", "a date" },
	{ WITH("{`DateEquals`:{`aws:CurrentTime`:`2030-02-29T00:00:00Z`}}"),
	  "Statement.Condition.DateEquals.aws:CurrentTime", "a date" },
	{ WITH("{`DateEquals`:{`aws:CurrentTime`:`2030-01-01T00:00:00`}}"),
	  "Statement.Condition.DateEquals.aws:CurrentTime", "a date" },
	{ WITH("{`DateEquals`:{`aws:CurrentTime`:`2030-13-01`}}"),
	  "Statement.Condition.DateEquals.aws:CurrentTime", "a date" },
	{ WITH("{`DateEquals`:{`aws:CurrentTime`:1893456000000}}"),
	  "Statement.Condition.DateEquals.aws:CurrentTime", "a date" },
	{ WITH("{`Bool`:{`aws:SecureTransport`:`yes`}}"),
	  "Statement.Condition.Bool.aws:SecureTransport", "true or false" },
	/* AWS's pages disagree about variables in Bool: refused. */
	{ WITH("{`Bool`:{`aws:SecureTransport`:`${aws:PrincipalTag/tls}`}}"),
	  "Statement.Condition.Bool.aws:SecureTransport", "true or false" },
	{ WITH("{`Bool`:{`aws:SecureTransport`:1}}"),
	  "Statement.Condition.Bool.aws:SecureTransport", "true or false" },
	{ WITH("{`BinaryEquals`:{`x:b`:`a`}}"),
	  "Statement.Condition.BinaryEquals.x:b", "base64" },
	{ WITH("{`BinaryEquals`:{`x:b`:` aGVsbG8`}}"),
	  "Statement.Condition.BinaryEquals.x:b", "base64" },
	{ WITH("{`IpAddress`:{`aws:SourceIp`:`10.0.0`}}"),
	  "Statement.Condition.IpAddress.aws:SourceIp", "10.0.0" },
	{ WITH("{`IpAddress`:{`aws:SourceIp`:`10.0.0.0/33`}}"),
	  "Statement.Condition.IpAddress.aws:SourceIp", "prefix" },
	{ WITH("{`IpAddress`:{`aws:SourceIp`:`10.0.0.1/8`}}"),
	  "Statement.Condition.IpAddress.aws:SourceIp", "outside" },
	{ WITH("{`NotIpAddress`:{`aws:SourceIp`:[`10.0.0.0/8`,8]}}"),
	  "Statement.Condition.NotIpAddress.aws:SourceIp[1]", "an IP" },
	{ WITH("{`ArnLike`:{`aws:PrincipalArn`:`alice`}}"),
	  "Statement.Condition.ArnLike.aws:PrincipalArn", "an ARN" },
	{ WITH("{`ArnLike`:{`aws:PrincipalArn`:`arn:aws:iam::1`}}"),
	  "Statement.Condition.ArnLike.aws:PrincipalArn", "six parts" },
	{ WITH("{`Null`:{`aws:username`:`maybe`}}"),
	  "Statement.Condition.Null.aws:username", "true or false" },
	{ V2012 "[{" ALL "},{" ALL "},{" ALL
	  ",`Condition`:{`StringLike`:{`aws:username`:{}}}}]}",
	  "Statement[2].Condition.StringLike.aws:username", "a string" },
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error_list errs = { 0 };
		struct policy *p = policy_test_compile(rows[i].document, "x",
		    &errs);
		const char *path = rows[i].path;
		bool cut = path[0] != '\0' && path[strlen(path) - 1] == ':';

		if (p != NULL)
			fail_msg("%s is taken", rows[i].document);
		if (errs.n != 1 || (cut ? strncmp(errs.v[0].path, path,
		    strlen(path)) : strcmp(errs.v[0].path, path)) != 0 ||
		    strstr(errs.v[0].reason, rows[i].reason) == NULL)
			fail_msg("%s\n%u faults, %s: %s", rows[i].document,
			    errs.n, errs.v[0].path, errs.v[0].reason);
		error_list_free(&errs);
	}
}

static void
test_every_fault_is_told(void **state)
{
	static const char *const paths[] = {
		"Id", "Version", "Statement[0].Effect",
		"Statement[0].Action[0]", "Statement[0].Action[2]",
		"Statement[0].Resource",
		"Statement[0].Condition.Bool.aws:SecureTransport",
		"Statement[0].Condition.Like",
		"Statement[1].Sid", "Statement[1]", "Statement[1]",
	};
	struct error_list errs = { 0 };
	struct policy *p = policy_test_compile("{`Id`:`x`,`Version`:1,"
	    "`Statement`:[{`Effect`:`Yes`,`Action`:[`x`,`*`,`y`],"
	    "`Resource`:`z`,`Condition`:{`Bool`:{`aws:SecureTransport`:0},"
	    "`Like`:{}}},{`Effect`:`Deny`,`Sid`:`!`}]}", "x", &errs);

	(void)state;
	assert_null(p);
	assert_int_equal(errs.n, sizeof(paths) / sizeof(paths[0]));
	for (uint32_t i = 0; i < errs.n; i++)
		assert_string_equal(errs.v[i].path, paths[i]);
	error_list_free(&errs);
}

/* A list of faults that is full must not make a bad document good. */
static void
test_full_list(void **state)
{
	struct error_list errs = { 0 };

	(void)state;
	for (int i = 0; i < FAULTS_MAX; i++)
		error_list_add(&errs, "x", "y");
	assert_null(policy_test_compile("{}", "x", &errs));
	error_list_free(&errs);
}

/* Control characters of a document do not reach a terminal by its path. */
static void
test_paths_are_plain(void **state)
{
	struct error_list errs = { 0 };

	(void)state;
	assert_null(policy_test_compile("{`a\\u001b[2J`:1,`Statement`:{" ALL
	    "}}", "x", &errs));
	assert_string_equal(errs.v[0].path, "a?[2J");
	error_list_free(&errs);
}

static void
check_size(size_t len, const char *before, const char *each, const char *after,
    bool good)
{
	char *text = mem_alloc(len + 4096), *plain;
	size_t n = (size_t)snprintf(text, 4096, "%s", before);
	struct error_list errs = { 0 };
	struct policy *p;

	while (n + strlen(each) + strlen(after) <= len)
		n += (size_t)snprintf(text + n, 4096, "%s", each);
	snprintf(text + n, 4096, "%s", after);
	plain = policy_test_text(text);
	p = policy_compile(plain, strlen(plain), "x", &errs);
	if ((p != NULL) != good)
		fail_msg("%zu bytes of %s: %d", len, each, !good);
	policy_unref(p);
	error_list_free(&errs);
	free(plain);
	free(text);
}

static void
test_bounds(void **state)
{
	static const char *const one = "{" ALL "},";

	(void)state;
	check_size(POLICY_TEXT_MAX, V2012 "{" ALL "}", " ", "}", true);
	check_size(POLICY_TEXT_MAX + 1, V2012 "{" ALL "}", " ", "}", false);
	check_size(900 * strlen(one), V2012 "[", one, "{" ALL "}]}", true);
	check_size(1100 * strlen(one), V2012 "[", one, "{" ALL "}]}", false);
	/* Long strings, many values. */
	check_size(100000, V2012 "{`Effect`:`Allow`,`Action`:`*`,"
	    "`Resource`:`" TOPIC, "*a", "`}}", true);
	check_size(100000, V2012 "{`Effect`:`Allow`,`Action`:`*`,"
	    "`Resource`:[`*`", ",`*`", "]}}", true);
	check_size(100000, V2012 "{" ALL ",`Condition`:{`StringLike`:{"
	    "`aws:username`:[`x`", ",`a`", "]}}}}", true);
}

/* A statement has at most POLICY_CONDITIONS_MAX keys. */
static void
test_many_conditions(void **state)
{
	char *text = mem_alloc(POLICY_TEXT_MAX);

	(void)state;
	for (int n = POLICY_CONDITIONS_MAX; n <= POLICY_CONDITIONS_MAX + 1;
	    n++) {
		size_t at = (size_t)snprintf(text, POLICY_TEXT_MAX, V2012 "{"
		    ALL ",`Condition`:{`StringLike`:{");
		struct error_list errs = { 0 };
		struct policy *p;

		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, POLICY_TEXT_MAX - at,
			    "%s`x:k%d`:`y`", i ? "," : "", i);
		snprintf(text + at, POLICY_TEXT_MAX - at, "}}}}");
		p = policy_test_compile(text, "x", &errs);
		assert_int_equal(p != NULL, n == POLICY_CONDITIONS_MAX);
		policy_unref(p);
		error_list_free(&errs);
	}
	free(text);
}

static void
test_counting(void **state)
{
	struct policy *p = policy_test_make(V2012 "{" ALL "}}");

	(void)state;
	assert_string_equal(policy_name(p), "test");
	assert_ptr_equal(policy_ref(p), p);
	policy_unref(p);
	policy_unref(p);
	policy_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_every_fault_is_told),
		cmocka_unit_test(test_full_list),
		cmocka_unit_test(test_paths_are_plain),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_many_conditions),
		cmocka_unit_test(test_counting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
