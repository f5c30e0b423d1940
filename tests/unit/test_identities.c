/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/identities.h"

static char folder[64];
static const char good_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"*\", "
    "\"Resource\": \"*\"}]}";
static const char bad_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Action\": \"*\", \"Resource\": \"*\"}]}";


static void
write_policy(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.json", folder, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/weir-identities-XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_policy("reader", good_policy);
	write_policy("writer", good_policy);
	write_policy("orders", good_policy);
	write_policy("broken", bad_policy);
	return 0;
}

static int
drop(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int
teardown(void **state)
{
	(void)state;
	return nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static struct identities *
parsed(const char *text)
{
	struct error_list errs = { NULL, 0 };
	struct identities *i = identities_parse(text, strlen(text), "i.json",
	    folder, &errs);

	if (i == NULL)
		fail_msg("%s: %s", errs.v[0].path, errs.v[0].reason);
	return i;
}

static void
test_found(void **state)
{
	struct identities *i = parsed("{\"users\": {\"alice\": {\"policies\": "
	    "[\"reader\", \"writer\"], \"groups\": [\"team-a\"], \"tags\": "
	    "{\"team\": \"a\"}}}, \"roles\": {\"app\": {\"policies\": "
	    "[\"writer\"], \"max_ttl\": \"12h\"}, \"short\": {}}, \"groups\": "
	    "{\"team-a\": {\"policies\": [\"orders\"]}}, \"subjects\": "
	    "{\"auth0%7Cabc\": {}}, \"certificates\": {\"CN=x\": {}}}");
	const struct identity *alice, *group;

	(void)state;
	alice = identities_find(i, IDENTITY_USER, SLICE_LIT("alice"));
	group = identities_find(i, IDENTITY_GROUP, SLICE_LIT("team-a"));
	assert_non_null(alice);
	assert_int_equal(alice->policy_count, 2);
	assert_string_equal(policy_name(alice->policies[0]), "reader");
	assert_int_equal(alice->group_count, 1);
	assert_ptr_equal(alice->groups[0], group);
	assert_string_equal(alice->group_names[0], "team-a");
	assert_int_equal(alice->tag_count, 1);
	assert_string_equal(alice->tags[0].value, "a");
	assert_string_equal(policy_name(group->policies[0]), "orders");
	assert_int_equal(identities_find(i, IDENTITY_ROLE,
	    SLICE_LIT("app"))->max_ttl_s, 12 * 3600);
	assert_int_equal(identities_find(i, IDENTITY_ROLE,
	    SLICE_LIT("short"))->max_ttl_s, 3600);
	/* A policy is compiled once, whoever names it. */
	assert_ptr_equal(identities_find(i, IDENTITY_ROLE,
	    SLICE_LIT("app"))->policies[0], alice->policies[1]);
	assert_null(identities_find(i, IDENTITY_ROLE, SLICE_LIT("alice")));
	assert_non_null(identities_find(i, IDENTITY_SUBJECT,
	    SLICE_LIT("auth0%7Cabc")));
	assert_non_null(identities_find(i, IDENTITY_CERTIFICATE,
	    SLICE_LIT("CN=x")));
	identities_unref(i);
	i = identities_load(NULL, NULL, NULL);
	assert_null(identities_find(i, IDENTITY_USER, SLICE_LIT("alice")));
	identities_unref(i);
}

static const struct fault_row {
	const char	*text, *path, *why;
} faults[] = {
	{ "", "i.json", "no JSON" },
	{ "[]", "i.json", "must be an object" },
	{ "{\"users\": {}, \"users\": {}}", "i.json", "duplicate" },
	{ "{\"users\": {\"a\": {}, \"a\": {}}}", "i.json", "duplicate" },
	{ "{\"user\": {}}", "i.json: user", "not known" },
	{ "{\"users\": []}", "i.json: users", "must be an object" },
	{ "{\"users\": {\"a\": []}}", "users.a", "must be an object" },
	{ "{\"users\": {\"a b\": {}}}", "users.a b", "is no name" },
	{ "{\"users\": {\"a*\": {}}}", "users.a*", "is no name" },
	{ "{\"roles\": {\"a/b\": {}}}", "roles.a/b", "is no name" },
	{ "{\"groups\": {\"\": {}}}", "groups.", "is no name" },
	{ "{\"subjects\": {\"a$b\": {}}}", "subjects.a$b", "is no name" },
	{ "{\"certificates\": {\"?\": {}}}", "certificates.?", "is no name" },
	{ "{\"users\": {\"a\": {\"policy\": []}}}", "users.a.policy",
	  "not known" },
	{ "{\"users\": {\"a\": {\"max_ttl\": \"1h\"}}}", "users.a.max_ttl",
	  "not known" },
	{ "{\"groups\": {\"a\": {\"groups\": []}}}", "groups.a.groups",
	  "not known" },
	{ "{\"users\": {\"a\": {\"policies groups\": []}}}",
	  "users.a.policies groups", "not known" },
	{ "{\"users\": {\"a\": {\"policies\": \"reader\"}}}",
	  "users.a.policies", "an array" },
	{ "{\"users\": {\"a\": {\"policies\": [1]}}}", "users.a.policies[0]",
	  "no policy's name" },
	{ "{\"users\": {\"a\": {\"policies\": [\"../x\"]}}}",
	  "users.a.policies[0]", "no policy's name" },
	{ "{\"users\": {\"a\": {\"policies\": [\".x\"]}}}",
	  "users.a.policies[0]", "no policy's name" },
	{ "{\"users\": {\"a\": {\"policies\": [\"none\"]}}}",
	  "users.a.policies[0]", "none.json: it cannot be opened" },
	{ "{\"users\": {\"a\": {\"policies\": [\"reader\", \"reader\"]}}}",
	  "users.a.policies[1]", "twice" },
	{ "{\"users\": {\"a\": {\"policies\": [\"broken\"]}}}",
	  "broken.json: Statement[0].Effect", "is missing" },
	{ "{\"users\": {\"a\": {\"groups\": [\"g\"]}}}", "users.a.groups[0]",
	  "no group" },
	{ "{\"groups\": {\"g\": {}}, \"users\": {\"a\": {\"groups\": [\"g\", "
	  "\"g\"]}}}", "users.a.groups[1]", "twice" },
	{ "{\"users\": {\"a\": {\"groups\": {}}}}", "users.a.groups",
	  "an array" },
	{ "{\"users\": {\"a\": {\"tags\": []}}}", "users.a.tags", "object" },
	{ "{\"users\": {\"a\": {\"tags\": {\"t\": \"x\", \"T\": \"y\"}}}}",
	  "users.a.tags", "twice" },
	{ "{\"users\": {\"a\": {\"tags\": {\"t\": 1}}}}", "users.a.tags",
	  "text" },
	{ "{\"users\": {\"a\": {\"tags\": {\"\": \"x\"}}}}", "users.a.tags",
	  "text" },
	{ "{\"users\": {\"a\": {\"tags\": {\"t\": \"\\n\"}}}}",
	  "users.a.tags", "text" },
	{ "{\"roles\": {\"a\": {\"max_ttl\": 3600}}}", "roles.a.max_ttl",
	  "12h" },
	{ "{\"roles\": {\"a\": {\"max_ttl\": \"13h\"}}}", "roles.a.max_ttl",
	  "12h" },
	{ "{\"roles\": {\"a\": {\"max_ttl\": \"14s\"}}}", "roles.a.max_ttl",
	  "12h" },
	{ "{\"roles\": {\"a\": {\"max_ttl\": \"soon\"}}}", "roles.a.max_ttl",
	  "12h" },
};

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault_row *f = &faults[i];
		struct error_list errs = { NULL, 0 };
		struct identities *ids = identities_parse(f->text,
		    strlen(f->text), "i.json", folder, &errs);
		bool found = false;

		for (uint32_t j = 0; j < errs.n; j++)
			found = found || (strstr(errs.v[j].path, f->path) !=
			    NULL && strstr(errs.v[j].reason, f->why) != NULL);
		if (ids != NULL || !found)
			fail_msg("%s: %s: %s", f->text, errs.n > 0 ?
			    errs.v[0].path : "", errs.n > 0 ?
			    errs.v[0].reason : "taken");
		error_list_free(&errs);
	}
}

/* Each of many that name one broken policy: it is said once. */
static void
test_broken_once(void **state)
{
	static const char text[] = "{\"users\": {\"a\": {\"policies\": "
	    "[\"broken\"]}, \"b\": {\"policies\": [\"broken\"]}, \"c\": "
	    "{\"policies\": [\"broken\"]}}}";
	struct error_list errs = { NULL, 0 };

	(void)state;
	assert_null(identities_parse(text, strlen(text), "i.json", folder,
	    &errs));
	assert_int_equal(errs.n, 1);
	error_list_free(&errs);
}

/* As many policies as hold for one, through groups, and one more. */
static void
test_most_policies(void **state)
{
	enum { EACH = 64 };
	static char text[64 * 1024];
	size_t n = 0;
	struct error_list errs = { NULL, 0 };
	char name[16];

	(void)state;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"groups\": {");
	for (int g = 0; g < POLICY_SET_MAX / EACH; g++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s\"g%d\": {\"policies\": [", g ? ", " : "", g);
		for (int i = 0; i < EACH; i++) {
			snprintf(name, sizeof(name), "p%d", g * EACH + i);
			write_policy(name, good_policy);
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s\"%s\"", i ? ", " : "", name);
		}
		n += (size_t)snprintf(text + n, sizeof(text) - n, "]}");
	}
	snprintf(text + n, sizeof(text) - n, "}, \"users\": {\"a\": "
	    "{\"groups\": [\"g0\", \"g1\", \"g2\", \"g3\"]}}}");
	identities_unref(parsed(text));
	snprintf(text + n, sizeof(text) - n, "}, \"users\": {\"a\": "
	    "{\"groups\": [\"g0\", \"g1\", \"g2\", \"g3\"], \"policies\": "
	    "[\"reader\"]}}}");
	assert_null(identities_parse(text, strlen(text), "i.json", folder,
	    &errs));
	assert_non_null(strstr(errs.v[0].reason, "257 policies"));
	error_list_free(&errs);
}

/* A rule may give a certificate's principal one more than its entry has. */
static void
test_most_groups(void **state)
{
	static const char *const kinds[] = { "users", "certificates" };
	char text[8192], list[2048] = "", all[2048] = "";
	size_t n = 0, m = 0;

	(void)state;
	for (int i = 0; i < PRINCIPAL_GROUPS_MAX; i++) {
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"g%d\"",
		    i ? "," : "", i);
		m += (size_t)snprintf(all + m, sizeof(all) - m, "%s\"g%d\":{}",
		    i ? "," : "", i);
	}
	for (int i = 0; i < 2; i++) {
		struct error_list errs = { NULL, 0 };
		struct identities *ids;

		snprintf(text, sizeof(text), "{\"groups\": {%s}, \"%s\": "
		    "{\"a\": {\"groups\": [%s]}}}", all, kinds[i], list);
		ids = identities_parse(text, strlen(text), "i.json", folder,
		    &errs);
		assert_int_equal(ids == NULL, i);
		assert_int_equal(errs.n, i);
		if (i == 1)
			assert_non_null(strstr(errs.v[0].reason, "99 names"));
		identities_unref(ids);
		error_list_free(&errs);
	}
}

static const struct duration_row {
	const char	*text;
	int64_t		 seconds;	/* -1: none */
} durations[] = {
	{ "90s", 90 }, { "15m", 900 }, { "12h", 43200 }, { "1d", 86400 },
	{ "0s", 0 }, { "999999s", 999999 }, { "", -1 }, { "h", -1 },
	{ "1", -1 }, { "1x", -1 }, { "1hh", -1 }, { " 1h", -1 }, { "-1h", -1 },
	{ "1.5h", -1 }, { "9999999s", -1 }, { "999999d", -1 },
};

static void
test_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]);
	    i++) {
		uint32_t s = 0;
		bool ok = identities_duration(durations[i].text, &s);

		assert_int_equal(ok ? (int64_t)s : -1, durations[i].seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_broken_once),
		cmocka_unit_test(test_most_policies),
		cmocka_unit_test(test_most_groups),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
