/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/base/cidr.h"

struct inner {
	uint32_t		 number;
	char			*text;
};

struct outer {
	bool			 flag;
	uint64_t		 size;
	int32_t			 count;
	unsigned int		 word;
	char			*path, *secret;
	struct cidr_list	 networks;
	struct percent_list	 percents;
	struct inner		 inner;
	struct {
		struct inner	*v;
		uint32_t	 n;
	}			 list;
};

#define AT(type, member) #member, type, offsetof(struct ROOT, member)

#define ROOT inner
static const struct option inner_rows[] = {
	{ AT(OPTION_INT, number), 1, 9, "5", "things", true, "A number.",
	    NULL },
	{ AT(OPTION_TEXT, text), 1, 5, "required \"abc\"", "", false,
	    "A text.", NULL },
};
#undef ROOT
static const struct option_group inner_group = {
	inner_rows, 2, sizeof(struct inner),
};

#define ROOT outer
static const struct option rows[] = {
	{ AT(OPTION_BOOL, flag), 0, 0, "true", "", true, "A flag.", NULL },
	{ AT(OPTION_SIZE, size), 1, 1 << 30, "1024", "bytes", true, "A size.",
	    NULL },
	{ AT(OPTION_COUNT, count), 1, 9, "\"auto\"", "", true, "A count.",
	    NULL },
	{ AT(OPTION_ENUM, word), 0, 0, "\"b\"", "a|b|cc", true, "A word.",
	    NULL },
	{ AT(OPTION_PATH, path), 1, 99, "null", "", true, "A - path\\.",
	    NULL },
	{ AT(OPTION_SECRET, secret), 4, 9, "null", "", false, "A secret.",
	    NULL },
	{ AT(OPTION_NETWORKS, networks), 0, 2, "[]", "", false, "Networks.",
	    NULL },
	{ AT(OPTION_PERCENTS, percents), 0, 4, "null", "", false,
	    "Percentages.", NULL },
	{ AT(OPTION_OBJECT, inner), 0, 0, "null", "", false, "An object.",
	    &inner_group },
	{ AT(OPTION_ARRAY, list), 0, 2, "[]", "", false, "A list.",
	    &inner_group },
};
static const struct option_group group = {
	rows, sizeof(rows) / sizeof(rows[0]), sizeof(struct outer),
};

#define INNER "\"inner\": {\"text\": \"abc\"}"

static bool
read_into(const char *text, struct outer *to, struct error_list *errs)
{
	json_t *v = json_loads(text, 0, NULL);
	bool ok;

	assert_non_null(v);
	memset(to, 0, sizeof(*to));
	ok = option_read(&group, v, to, "/dir", errs);
	json_decref(v);
	return ok;
}

static void
test_defaults(void **state)
{
	struct error_list errs = { NULL, 0 };
	struct outer o;

	(void)state;
	assert_true(read_into("{" INNER "}", &o, &errs));
	assert_true(o.flag);
	assert_int_equal(o.size, 1024);
	assert_int_equal(o.count, -1);
	assert_int_equal(o.word, 1);
	assert_null(o.path);
	assert_null(o.secret);
	assert_int_equal(o.networks.n, 0);
	assert_false(o.percents.given);
	assert_int_equal(o.inner.number, 5);
	assert_string_equal(o.inner.text, "abc");
	assert_int_equal(o.list.n, 0);
	option_free(&group, &o);
	assert_null(o.inner.text);
	option_free(&group, &o);		/* of what is empty */
}

static void
test_values(void **state)
{
	struct error_list errs = { NULL, 0 };
	struct outer o;

	(void)state;
	assert_true(read_into("{" INNER ", \"flag\": false, "
	    "\"size\": \"2 KiB\", \"count\": 4, \"word\": \"cc\", "
	    "\"path\": \"file\", \"networks\": [\"10.0.0.0/8\", \"::1\"], "
	    "\"list\": [{\"text\": \"one\"}, "
	    "{\"text\": \"two\", \"number\": 7}]}", &o, &errs));
	assert_false(o.flag);
	assert_int_equal(o.size, 2048);
	assert_int_equal(o.count, 4);
	assert_int_equal(o.word, 2);
	assert_string_equal(o.path, "/dir/file");
	assert_int_equal(o.networks.n, 2);
	assert_int_equal(o.list.n, 2);
	assert_string_equal(o.list.v[0].text, "one");
	assert_int_equal(o.list.v[0].number, 5);
	assert_int_equal(o.list.v[1].number, 7);
	option_free(&group, &o);
}

static void
test_sizes(void **state)
{
	static const struct {
		const char	*in;
		uint64_t	 want;	/* 0: refused */
	} cases[] = {
		{ "7", 7 }, { "\"1KiB\"", 1024 }, { "\"3 MiB\"", 3145728 },
		{ "\"1GiB\"", 1073741824 }, { "\"5KB\"", 5000 },
		{ "\"5 MB\"", 5000000 }, { "\"1GB\"", 1000000000 },
		{ "\"1TB\"", 0 }, { "\"1TiB\"", 0 }, { "\"5\"", 0 },
		{ "\"5kB\"", 0 }, { "\"5M\"", 0 }, { "\"-5MB\"", 0 },
		{ "\"5  MB\"", 0 }, { "\"5MB \"", 0 }, { "\"MB\"", 0 },
		{ "\"9223372036854775807TB\"", 0 },
		{ "\"18014398509481985KiB\"", 0 },	/* 2^64 and some */
		{ "\"99999999999999999999KB\"", 0 }, { "1.5", 0 },
	};
	struct error_list errs = { NULL, 0 };
	struct outer o;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "{" INNER ", \"size\": %s}",
		    cases[i].in);
		assert_int_equal(read_into(text, &o, &errs),
		    cases[i].want != 0);
		if (cases[i].want != 0)
			assert_int_equal(o.size, cases[i].want);
		error_list_free(&errs);
		option_free(&group, &o);
	}
}

static void
test_percents(void **state)
{
	struct error_list errs = { NULL, 0 };
	struct outer o, same;

	(void)state;
	assert_true(read_into("{" INNER ", \"percents\": [1, 50, 100]}", &o,
	    &errs));
	assert_true(o.percents.given);
	assert_int_equal(o.percents.n, 3);
	assert_int_equal(o.percents.v[0], 1);
	assert_int_equal(o.percents.v[2], 100);
	option_free(&group, &o);
	assert_true(read_into("{" INNER ", \"percents\": []}", &o, &errs));
	assert_true(o.percents.given);
	assert_int_equal(o.percents.n, 0);
	assert_true(read_into("{" INNER "}", &same, &errs));
	assert_false(option_check_reload(&group, &o, &same, &errs));
	assert_string_equal(errs.v[0].path, "percents");
	error_list_free(&errs);
	option_free(&group, &same);
	option_free(&group, &o);
}

static void
test_faults(void **state)
{
	static const struct {
		const char *in, *path, *reason;
	} cases[] = {
		{ "{}", "inner.text", "is required" },
		{ "{" INNER ", \"x\": 1}", "x", "is not an option of weir" },
		{ "{" INNER ", \"secret_fil\": 1}", "secret_fil",
		    "is not an option of weir" },
		{ "{" INNER ", \"word\": \"c\"}", "word",
		    "must be one of a|b|cc, but is \"c\"" },
		{ "{" INNER ", \"word\": \"a|b\"}", "word",
		    "must be one of a|b|cc, but is \"a|b\"" },
		{ "{" INNER ", \"size\": 0}", "size",
		    "must be between 1 and 1073741824 bytes, but is 0" },
		{ "{" INNER ", \"size\": \"1kib\"}", "size", "must be a "
		    "number or a text such as \"64KiB\", but is a string" },
		{ "{" INNER ", \"count\": \"Auto\"}", "count",
		    "must be a whole number or \"auto\", but is a string" },
		{ "{" INNER ", \"networks\": [\"1.1.1.1\", \"x\"]}",
		    "networks[1]", "is not an IP address or network" },
		{ "{" INNER ", \"percents\": 80}", "percents",
		    "must be an array of numbers, but is a number" },
		{ "{" INNER ", \"percents\": [1, 2, 3, 4, 5]}", "percents",
		    "must have between 0 and 4 elements, but has 5" },
		{ "{" INNER ", \"percents\": [1, 0]}", "percents[1]",
		    "must be between 1 and 100 percent, but is 0" },
		{ "{" INNER ", \"percents\": [101]}", "percents[0]",
		    "must be between 1 and 100 percent, but is 101" },
		{ "{" INNER ", \"percents\": [80, 80]}", "percents[1]",
		    "must be more than the one before it, 80" },
		{ "{" INNER ", \"percents\": [\"80\"]}", "percents[0]",
		    "must be a whole number, but is a string" },
		{ "{" INNER ", \"list\": [{\"text\": \"a\"}, "
		    "{\"text\": \"\"}]}", "list[1].text",
		    "must have between 1 and 5 bytes, but has 0" },
		{ "{" INNER ", \"list\": [1, 2, 3]}", "list",
		    "must have between 0 and 2 elements, but has 3" },
		{ "{" INNER ", \"secret\": \"abcd\"}", "secret",
		    "a secret must not stand in the configuration: give "
		    "secret_file or secret_env" },
	};
	struct error_list errs = { NULL, 0 };
	struct outer o;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(read_into(cases[i].in, &o, &errs));
		assert_int_equal(errs.n, 1);
		assert_string_equal(errs.v[0].path, cases[i].path);
		assert_string_equal(errs.v[0].reason, cases[i].reason);
		error_list_free(&errs);
		option_free(&group, &o);
	}
}

static void
test_secrets(void **state)
{
	struct error_list errs = { NULL, 0 };
	char path[] = "/tmp/weir-test-option-XXXXXX", text[256];
	int fd = mkstemp(path);
	struct outer o;

	(void)state;
	assert_int_equal(write(fd, "swordfish\r\n", 11), 11);
	close(fd);
	snprintf(text, sizeof(text), "{" INNER ", \"secret_file\": \"%s\"}",
	    path);
	assert_true(read_into(text, &o, &errs));
	assert_string_equal(o.secret, "swordfish");
	option_free(&group, &o);
	assert_int_equal(truncate(path, 3), 0);
	assert_false(read_into(text, &o, &errs));
	assert_string_equal(errs.v[0].path, "secret_file");
	assert_null(strstr(errs.v[0].reason, "swo"));
	error_list_free(&errs);
	option_free(&group, &o);
	unlink(path);
	setenv("WEIR_TEST_SECRET", "from env", 1);
	assert_true(read_into("{" INNER ", \"secret_env\": "
	    "\"WEIR_TEST_SECRET\"}", &o, &errs));
	assert_string_equal(o.secret, "from env");
	option_free(&group, &o);
}

static void
test_faults_are_capped(void **state)
{
	struct error_list errs = { NULL, 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		error_list_add(&errs, "path", "%d", i);
	assert_int_equal(errs.n, FAULTS_MAX);
	error_list_free(&errs);
	assert_int_equal(errs.n, 0);
}

static void
test_reload(void **state)
{
	struct error_list errs = { NULL, 0 };
	struct outer a, b;

	(void)state;
	assert_true(read_into("{" INNER ", \"list\": [{\"text\": \"x\"}]}",
	    &a, &errs));
	assert_true(read_into("{" INNER ", \"flag\": false, \"size\": 7, "
	    "\"list\": [{\"text\": \"x\", \"number\": 2}]}", &b, &errs));
	assert_true(option_check_reload(&group, &a, &b, &errs));
	option_free(&group, &b);
	assert_true(read_into("{\"inner\": {\"text\": \"y\"}, "
	    "\"networks\": [\"::1\"], \"list\": [{\"text\": \"z\"}, "
	    "{\"text\": \"x\"}]}", &b, &errs));
	assert_false(option_check_reload(&group, &a, &b, &errs));
	assert_int_equal(errs.n, 4);
	assert_string_equal(errs.v[0].path, "networks");
	assert_string_equal(errs.v[1].path, "inner.text");
	assert_string_equal(errs.v[2].path, "list");
	assert_string_equal(errs.v[3].path, "list[0].text");
	error_list_free(&errs);
	option_free(&group, &a);
	option_free(&group, &b);
}

static void
test_print(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	option_print(&group, OPTION_AS_TEXT, f);
	option_print(&group, OPTION_AS_MAN, f);
	option_print(&group, OPTION_AS_JSON, f);
	fclose(f);
	assert_non_null(strstr(text, "list[].number (number, 1 to 9 things, "
	    "default 5)\n    A number.\n"));
	assert_non_null(strstr(text, "secret_file, secret_env (secret, "));
	assert_non_null(strstr(text, "A \\- path\\e.\n"));
	assert_non_null(strstr(text, "\"secret_env\": null"));
	assert_non_null(strstr(text, "\"text\": \"abc\""));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_percents),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_faults_are_capped),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
