/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suspending by the file: nothing else in it changes, and half a file is never
 * there.
 */
#include "gateway/tenants_file.h"

#include <dirent.h>

#include "tests/unit/meanwhile.h"
#include "tests/unit/tenants_fixture.h"

/* ---- the text ---- */

static void
test_edits(void **state)
{
	static const struct {
		const char	*text, *why, *want;
	} cases[] = {
		{ "{}", "b", "{\n  \"suspended\": \"b\"\n}" },
		{ "{}", NULL, "{}" },
		{ "{\n  \"members\": []\n}\n", "b",
		  "{\n  \"suspended\": \"b\",\n  \"members\": []\n}\n" },
		{ "{\"suspended\": null, \"a\":1}", "say \"x\"\\",
		  "{\"suspended\": \"say \\\"x\\\"\\\\\", \"a\":1}" },
		{ "{\"a\" : 1.50, \"suspended\" :\t\"old \\\" }\"}", NULL,
		  "{\"a\" : 1.50, \"suspended\" :\tnull}" },
		/* Others of that name are not the one. */
		{ "{\"a\": {\"suspended\": 1}, \"b\": [\"suspended\"], "
		  "\"c\": \"suspended\"}", "x",
		  "{\n  \"suspended\": \"x\",\"a\": {\"suspended\": 1}, \"b\": "
		  "[\"suspended\"], \"c\": \"suspended\"}" },
		{ "{\"c\": \"\\\\\", \"suspended\": \"y\"}", "x",
		  "{\"c\": \"\\\\\", \"suspended\": \"x\"}" },
		{ "{\"suspended\": \"b\"}", "b", "{\"suspended\": \"b\"}" },
		{ "{}", "gr\303\274n",
		  "{\n  \"suspended\": \"gr\303\274n\"\n}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = { "" };
		char *to = tenants_file_edit(cases[i].text, cases[i].why,
		    &err);

		if (to == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_string_equal(to, cases[i].want);
		free(to);
	}
}

static void
test_refused(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{", "{\"a\": 1, \"a\": 2}", "1", "null",
		/* It means the member, and does not say so. */
		"{\"suspende\\u0064\": null}",
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(tenants_file_edit(texts[i], "b", &err));
	assert_string_equal(err.text, "its member suspended cannot be found: "
	    "change it by hand");
	assert_null(tenants_file_edit("{}", "\377", &err));
}

/* ---- the file ---- */

static void
expect_file(const char *name, const char *want)
{
	char text[1024];
	FILE *f = fopen(path_of(name), "re");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, want);
}

static int
count_files(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int
set_up(void **state)
{
	(void)state;
	folder_begin();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return folder_end();
}

static void
test_file(void **state)
{
	struct error err;
	struct stat st;
	ino_t before;

	(void)state;
	write_file("a.json", "{\"members\": []}\n");
	assert_int_equal(chmod(path_of("a.json"), 0640), 0);
	assert_int_equal(stat(path_of("a.json"), &st), 0);
	before = st.st_ino;
	assert_true(tenants_file_suspend(folder, "a", "b", &err));
	expect_file("a.json", "{\n  \"suspended\": \"b\",\"members\": []}\n");
	assert_int_equal(stat(path_of("a.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(st.st_ino != before);
	assert_int_equal(count_files(), 1);
	/* As it is already: not touched. */
	before = st.st_ino;
	assert_true(tenants_file_suspend(folder, "a", "b", &err));
	assert_int_equal(stat(path_of("a.json"), &st), 0);
	assert_true(st.st_ino == before);
	assert_true(tenants_file_suspend(folder, "a", NULL, &err));
	expect_file("a.json", "{\n  \"suspended\": null,\"members\": []}\n");
}

static void
test_no_file(void **state)
{
	char longest[TENANT_REASON_MAX + 2];
	struct error err;

	(void)state;
	write_file("a.json", "{}");
	assert_false(tenants_file_suspend(folder, "b", "x", &err));
	assert_non_null(strstr(err.text, "b.json: it cannot be read: No such"));
	assert_false(tenants_file_suspend(folder, "../a", "x", &err));
	assert_string_equal(err.text, "../a is no tenant's name");
	assert_false(tenants_file_suspend(folder, "a", "", &err));
	assert_false(tenants_file_suspend(folder, "a", "x\ny", &err));
	memset(longest, 'x', sizeof(longest));
	longest[TENANT_REASON_MAX + 1] = '\0';
	assert_false(tenants_file_suspend(folder, "a", longest, &err));
	longest[TENANT_REASON_MAX] = '\0';
	assert_true(tenants_file_suspend(folder, "a", longest, &err));
	/* A link would become a file of its own. */
	assert_int_equal(symlink("a.json", path_of("b.json")), 0);
	assert_false(tenants_file_suspend(folder, "b", "x", &err));
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(count_files(), 2);
}

static bool
write_anew(const char *id, const char *text, struct error *err)
{
	struct tenants_file_seen seen;
	char name[80];

	snprintf(name, sizeof(name), "%s.json", id);
	tenants_file_look(path_of(name), &seen);
	return tenants_file_write(folder, id, text, &seen, err);
}

static void
test_written_anew(void **state)
{
	const struct tenants_file_seen nothing = { .there = false };
	struct error err;
	struct stat st;

	(void)state;
	assert_true(write_anew("a", "{\"a\": 1}\n", &err));
	expect_file("a.json", "{\"a\": 1}\n");
	assert_int_equal(stat(path_of("a.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(chmod(path_of("a.json"), 0600), 0);
	assert_true(write_anew("a", "{}", &err));
	expect_file("a.json", "{}");
	assert_int_equal(stat(path_of("a.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_false(write_anew("../a", "{}", &err));
	assert_int_equal(symlink("a.json", path_of("b.json")), 0);
	assert_false(write_anew("b", "{}", &err));
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(count_files(), 2);
	assert_false(tenants_file_write("/nowhere", "a", "{}", &nothing,
	    &err));
	assert_non_null(strstr(err.text, "/nowhere/a.json cannot be written"));
}

/* What somebody else has written is not undone. */
static void
test_changed_meanwhile(void **state)
{
	static const char new[] = "{\"suspended\": \"no\"}";
	struct tenants_file_seen seen;
	struct error err;

	(void)state;
	tenants_file_look(path_of("a.json"), &seen);
	write_file("a.json", "{}");
	assert_false(tenants_file_write(folder, "a", "[]", &seen, &err));
	assert_non_null(strstr(err.text, "/a.json has changed: ask again"));
	tenants_file_look(path_of("a.json"), &seen);
	write_file("a.json", "[]");	/* as long as it was */
	assert_false(tenants_file_write(folder, "a", "{ }", &seen, &err));
	tenants_file_look(path_of("a.json"), &seen);
	assert_int_equal(unlink(path_of("a.json")), 0);
	assert_false(tenants_file_write(folder, "a", "{ }", &seen, &err));
	write_file("a.json", "{}");
	meanwhile_name = "a.json";
	meanwhile_text = new;
	assert_false(tenants_file_suspend(folder, "a", "b", &err));
	assert_non_null(strstr(err.text, "/a.json has changed: ask again"));
	expect_file("a.json", new);
	assert_int_equal(count_files(), 1);
	assert_true(tenants_file_suspend(folder, "a", "b", &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_file, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_written_anew, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(test_changed_meanwhile, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
