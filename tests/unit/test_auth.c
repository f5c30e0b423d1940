/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot: loaded, asked for secrets, principals and policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/keys.h"
#include "auth/sigv4_client.h"
#include "gateway/base/clock.h"
#include "routing/scram.h"
#include "tests/unit/auth_fixture.h"

#define NOW_MS 1767323045000
#define HOUR_MS 3600000

static struct auth_fixture f;

static int
setup(void **state)
{
	(void)state;
	fixture_setup(&f);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static bool
disable(struct keys_file *file, struct slice id, struct error *err)
{
	return keys_file_disable(file, id, true, err);
}

/* ---- secrets ---- */

static void
test_long_term(void **state)
{
	struct auth_secret s;

	(void)state;
	auth_find_secret(f.auth, slice_of(f.alice.id), SLICE_NULL, NOW_MS,
	    &s);
	assert_int_equal(s.failure, AUTH_FAILURE_NONE);
	assert_int_equal(s.len, KEYS_SECRET_LEN);
	assert_string_equal(s.secret, f.alice.secret);
	assert_string_equal(s.principal->name, "alice");
	assert_string_equal(s.principal->arn,
	    "arn:aws:iam::123456789012:user/alice");
	assert_string_equal(s.principal->key_id, f.alice.id);
	assert_int_equal(s.principal->kind, PRINCIPAL_USER);
	assert_int_equal(s.principal->tag_count, 1);
	assert_string_equal(s.principal->tags[0].value, "a");
	assert_int_equal(s.principal->group_count, 1);
	assert_int_equal(s.principal->expires_ms, 0);
	auth_secret_fini(&s);
}

/* No principal, and a secret all the same which is the same each time. */
static void
expect_nobody(struct slice id, struct slice token, int64_t now_ms,
    enum auth_failure why)
{
	struct auth_secret s, again;

	auth_find_secret(f.auth, id, token, now_ms, &s);
	auth_find_secret(f.auth, id, token, now_ms, &again);
	assert_null(s.principal);
	assert_int_equal(s.failure, why);
	assert_true(s.error.text[0] != '\0');
	assert_int_equal(s.len, KEYS_SECRET_LEN);
	assert_int_equal(strlen(s.secret), KEYS_SECRET_LEN);
	assert_string_equal(s.secret, again.secret);
	assert_string_not_equal(s.secret, f.alice.secret);
	auth_secret_fini(&s);
	auth_secret_fini(&again);
}

static void
test_nobody(void **state)
{
	struct credentials c = fixture_issue(&f, "app", 3600, NOW_MS);
	struct slice token = slice_of(c.token);

	(void)state;
	expect_nobody(SLICE_LIT("WEIRAAAAAAAAAAAAAAAA"), SLICE_NULL, NOW_MS,
	    AUTH_FAILURE_UNKNOWN_KEY);
	expect_nobody(SLICE_LIT(""), SLICE_NULL, NOW_MS,
	    AUTH_FAILURE_UNKNOWN_KEY);
	expect_nobody((struct slice){ (const uint8_t *)f.alice.id, 19 },
	    SLICE_NULL, NOW_MS, AUTH_FAILURE_UNKNOWN_KEY);
	/* A long-term key with a token, a temporary one without. */
	expect_nobody(slice_of(f.alice.id), token, NOW_MS,
	    AUTH_FAILURE_SESSION_TOKEN);
	expect_nobody(slice_of(c.key_id), SLICE_NULL, NOW_MS,
	    AUTH_FAILURE_SESSION_TOKEN);
	expect_nobody(slice_of(c.key_id), SLICE_LIT("x"), NOW_MS,
	    AUTH_FAILURE_SESSION_TOKEN);
	expect_nobody(slice_of(c.key_id), token, NOW_MS + HOUR_MS,
	    AUTH_FAILURE_EXPIRED);
	expect_nobody(slice_of(c.key_id), token, NOW_MS - HOUR_MS,
	    AUTH_FAILURE_NOT_YET);
	credentials_fini(&c);
	/* A role that is not there, and one that holds for less. */
	c = fixture_issue(&f, "other", 3600, NOW_MS);
	expect_nobody(slice_of(c.key_id), slice_of(c.token), NOW_MS,
	    AUTH_FAILURE_SESSION_TOKEN);
	credentials_fini(&c);
	c = fixture_issue(&f, "app", 7201, NOW_MS);
	expect_nobody(slice_of(c.key_id), slice_of(c.token), NOW_MS,
	    AUTH_FAILURE_SESSION_TOKEN);
	credentials_fini(&c);
	fixture_change_key(&f, f.alice.id, disable);
	expect_nobody(slice_of(f.alice.id), SLICE_NULL, NOW_MS,
	    AUTH_FAILURE_DISABLED);
}

static void
test_temporary(void **state)
{
	struct credentials c = fixture_issue(&f, "app", 7200, NOW_MS);
	struct auth_secret s;

	(void)state;
	auth_find_secret(f.auth, slice_of(c.key_id), slice_of(c.token),
	    NOW_MS, &s);
	assert_int_equal(s.failure, AUTH_FAILURE_NONE);
	assert_string_equal(s.secret, c.secret);
	assert_string_equal(s.principal->arn,
	    "arn:aws:sts::123456789012:assumed-role/app/run-1");
	assert_string_equal(s.principal->principal_arn,
	    "arn:aws:iam::123456789012:role/app");
	assert_int_equal(s.principal->issued_ms, NOW_MS);
	assert_int_equal(s.principal->expires_ms, NOW_MS + 2 * HOUR_MS);
	assert_non_null(s.principal->session_policy);
	/* The session's tag goes before its role's. */
	assert_int_equal(s.principal->tag_count, 2);
	assert_string_equal(s.principal->tags[0].value, "session");
	assert_string_equal(s.principal->tags[1].key, "stage");
	auth_secret_fini(&s);
	credentials_fini(&c);
}

/* The role app with so many groups and tags. */
static void
write_groups(int groups, int tags)
{
	char text[8192], list[2048] = "", all[2048] = "", tag[2048] = "";
	size_t at = 0, to = 0, of = 0;

	for (int i = 0; i < groups; i++) {
		at += (size_t)snprintf(list + at, sizeof(list) - at,
		    "%s\"g%d\"", i ? "," : "", i);
		to += (size_t)snprintf(all + to, sizeof(all) - to,
		    "%s\"g%d\": {}", i ? "," : "", i);
	}
	for (int i = 0; i < tags; i++)
		of += (size_t)snprintf(tag + of, sizeof(tag) - of,
		    "%s\"t%d\": \"x\"", i ? "," : "", i);
	snprintf(text, sizeof(text), "{\"groups\": {%s}, \"roles\": "
	    "{\"app\": {\"groups\": [%s], \"tags\": {%s}, "
	    "\"max_ttl\": \"2h\"}}}", all, list, tag);
	fixture_write(f.identities, text);
	fixture_reload(&f);
}

/* A group that was left out could be one that is denied something. */
static void
test_too_many_groups(void **state)
{
	struct credentials c = fixture_issue(&f, "app", 3600, NOW_MS);
	struct slice id = slice_of(c.key_id), token = slice_of(c.token);
	struct auth_secret s;
	struct principal *p;

	(void)state;
	/* The session has a group and a tag of its own. */
	write_groups(PRINCIPAL_GROUPS_MAX - 1, PRINCIPAL_TAGS_MAX - 1);
	auth_find_secret(f.auth, id, token, NOW_MS, &s);
	assert_non_null(s.principal);
	assert_int_equal(s.principal->group_count, PRINCIPAL_GROUPS_MAX);
	p = principal_ref(s.principal);
	auth_secret_fini(&s);
	write_groups(PRINCIPAL_GROUPS_MAX, 0);
	expect_nobody(id, token, NOW_MS, AUTH_FAILURE_GROUPS);
	/* One that is in is no more. */
	assert_null(auth_principal_again(f.auth, p));
	write_groups(0, PRINCIPAL_TAGS_MAX);
	expect_nobody(id, token, NOW_MS, AUTH_FAILURE_GROUPS);
	assert_null(auth_principal_again(f.auth, p));
	principal_unref(p);
	credentials_fini(&c);
}

/* ---- principals that are there already ---- */

static struct principal *
principal_of(struct slice id, struct slice token)
{
	struct auth_secret s;
	struct principal *p;

	auth_find_secret(f.auth, id, token, NOW_MS, &s);
	assert_non_null(s.principal);
	p = principal_ref(s.principal);
	auth_secret_fini(&s);
	return p;
}

static void
test_still_valid(void **state)
{
	struct credentials c = fixture_issue(&f, "app", 7200, NOW_MS);
	struct principal *alice = principal_of(slice_of(f.alice.id),
	    SLICE_NULL), *bob = principal_of(slice_of(f.bob.id), SLICE_NULL);
	struct principal *app = principal_of(slice_of(c.key_id),
	    slice_of(c.token));

	(void)state;
	assert_true(auth_still_valid(f.auth, alice, NOW_MS));
	assert_true(auth_still_valid(f.auth, bob, NOW_MS));
	assert_true(auth_still_valid(f.auth, app, NOW_MS + 2 * HOUR_MS - 1));
	assert_false(auth_still_valid(f.auth, app, NOW_MS + 2 * HOUR_MS));
	fixture_change_key(&f, f.alice.id, disable);
	assert_false(auth_still_valid(f.auth, alice, NOW_MS));
	assert_true(auth_still_valid(f.auth, bob, NOW_MS));
	fixture_change_key(&f, f.bob.id, keys_file_delete);
	assert_false(auth_still_valid(f.auth, bob, NOW_MS));
	/* The role holds for less from now on; then it is gone. */
	fixture_write(f.identities, "{\"roles\": {\"app\": {}}}");
	fixture_reload(&f);
	assert_false(auth_still_valid(f.auth, app, NOW_MS));
	fixture_write(f.identities, "{\"roles\": {\"app\": {\"max_ttl\": "
	    "\"2h\"}}}");
	fixture_reload(&f);
	assert_true(auth_still_valid(f.auth, app, NOW_MS));
	fixture_write(f.identities, "{}");
	fixture_reload(&f);
	assert_false(auth_still_valid(f.auth, app, NOW_MS));
	principal_unref(alice);
	principal_unref(bob);
	principal_unref(app);
	credentials_fini(&c);
}

static void
expect_policies(struct principal *p, const char *want)
{
	struct policy *v[POLICY_SET_MAX];
	uint32_t n = auth_policies(f.auth, p, NULL, 0, v);
	char text[256] = "";

	for (uint32_t i = 0; i < n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s",
		    i ? " " : "", policy_name(v[i]));
	}
	assert_string_equal(text, want);
}

static void
test_policies(void **state)
{
	struct credentials c = fixture_issue(&f, "app", 7200, NOW_MS);
	struct principal *alice = principal_of(slice_of(f.alice.id),
	    SLICE_NULL), *bob = principal_of(slice_of(f.bob.id), SLICE_NULL);
	struct principal *app = principal_of(slice_of(c.key_id),
	    slice_of(c.token));

	(void)state;
	expect_policies(alice, "reader orders");
	expect_policies(bob, "");
	/* The session brings its group along. */
	expect_policies(app, "writer orders");
	/* A user's groups are those of now. */
	fixture_write(f.identities, "{\"users\": {\"alice\": {\"policies\": "
	    "[\"writer\"]}}, \"groups\": {\"team-a\": {\"policies\": "
	    "[\"orders\"]}}}");
	fixture_reload(&f);
	expect_policies(alice, "writer");
	principal_unref(alice);
	principal_unref(bob);
	principal_unref(app);
	credentials_fini(&c);
}

static const struct named_row {
	const char	*text, *arn, *policies;	/* arn NULL: none */
} named[] = {
	{ "user/alice", "arn:aws:iam::123456789012:user/alice",
	  "reader orders" },
	{ "arn:aws:iam::123456789012:user/bob",
	  "arn:aws:iam::123456789012:user/bob", "" },
	{ "role/app", "arn:aws:sts::123456789012:assumed-role/app/explain",
	  "writer" },
	{ "role/app/run", "arn:aws:sts::123456789012:assumed-role/app/run",
	  "writer" },
	{ "arn:aws:sts::123456789012:assumed-role/app/run",
	  "arn:aws:sts::123456789012:assumed-role/app/run", "writer" },
	{ "subject/s1", "arn:aws:sts::123456789012:federated-user/s1",
	  "writer" },
	{ "subject/s2", "arn:aws:sts::123456789012:federated-user/s2", "" },
	{ "arn:aws:iam::123456789012:certificate/c1",
	  "arn:aws:iam::123456789012:certificate/c1", "orders" },
	{ "user/carol", NULL, NULL },
	{ "user/", NULL, NULL },
	{ "role/alice", NULL, NULL },
	{ "role/app/", NULL, NULL },
	{ "role/app/a*", NULL, NULL },
	{ "subject/", NULL, NULL },
	{ "subject/s?", NULL, NULL },
	{ "group/team-a", NULL, NULL },
	{ "alice", NULL, NULL },
	{ "", NULL, NULL },
	{ "arn:aws:iam::999999999999:user/alice", NULL, NULL },
	{ "arn:other:iam::123456789012:user/alice", NULL, NULL },
};

static void
test_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		struct error err = { "" };
		struct principal *p = auth_principal_named(f.auth,
		    slice_of(named[i].text), &err);

		if ((p != NULL) != (named[i].arn != NULL))
			fail_msg("%s: %s", named[i].text, err.text);
		if (p == NULL) {
			assert_true(err.text[0] != '\0');
			continue;
		}
		assert_string_equal(p->arn, named[i].arn);
		expect_policies(p, named[i].policies);
		principal_unref(p);
	}
}

/* ---- loading ---- */

static void
expect_fault(const char *path, const char *why)
{
	struct error_list errs = { NULL, 0 };
	struct auth *a = fixture_load(&f, &errs);
	bool found = false;

	assert_null(a);
	for (uint32_t i = 0; i < errs.n; i++)
		found = found || (strstr(errs.v[i].path, path) != NULL &&
		    strstr(errs.v[i].reason, why) != NULL);
	if (!found)
		fail_msg("no fault %s: %s, but %s: %s", path, why,
		    errs.n ? errs.v[0].path : "", errs.n ?
		    errs.v[0].reason : "");
	error_list_free(&errs);
}

static void
test_faults(void **state)
{
	struct auth_settings good = f.settings;
	struct auth_certificate_rule rule = { (char[]){ "cn" },
	    (char[]){ "*" }, (char[]){ "$2" }, NULL };

	(void)state;
	f.settings.master_key = NULL;
	expect_fault("master_key", "is required");
	f.settings.master_key = (char[]){ "short" };
	expect_fault("master_key", "32 are the least");
	f.settings.master_key = (char[]){ "x" FIXTURE_MASTER };
	expect_fault("keys.json: keys[0].sealed", "another master key");
	f.settings = good;
	f.settings.keys_file = (char[]){ "/nowhere/keys.json" };
	expect_fault("/nowhere/keys.json", "cannot be opened");
	f.settings = good;
	f.settings.identities_file = (char[]){ "/nowhere/i.json" };
	expect_fault("/nowhere/i.json", "cannot be opened");
	f.settings = good;
	f.settings.policies_dir = NULL;
	expect_fault("identities.json: ", "policies_dir is not set");
	f.settings = good;
	f.settings.jwt.jwks_file = (char[]){ "/nowhere/jwks.json" };
	expect_fault("/nowhere/jwks.json", "");
	f.settings = good;
	f.settings.rules = &rule;
	f.settings.rule_count = 1;
	expect_fault("auth.certificates[0].name", "does not have");
	f.settings = good;
	/* Faults of all files at once. */
	fixture_write(f.identities, "{");
	f.settings.master_key = NULL;
	expect_fault("master_key", "is required");
	expect_fault("identities.json", "no JSON");
	f.settings = good;
}

static void
test_settings_are_copied(void **state)
{
	char *host = mem_strdup("gw.example.com"), *v[] = { host };
	struct auth *a, *b;
	struct error_list errs = { NULL, 0 };

	(void)state;
	f.settings.hosts = (struct auth_names){ v, 1 };
	a = fixture_load(&f, &errs);
	f.settings.hosts = (struct auth_names){ NULL, 0 };
	free(host);
	b = auth_with_jwks(a, NULL);
	auth_unref(a);
	assert_string_equal(auth_settings(b)->hosts.v[0], "gw.example.com");
	assert_null(auth_jwks(b));
	assert_int_equal(auth_settings(b)->skew_s, 300);
	auth_unref(b);
}

static void
test_without_files(void **state)
{
	struct auth_settings s = { .cluster = f.settings.cluster };
	struct error_list errs = { NULL, 0 };
	struct auth *a = auth_load(&s, NULL, &errs);
	struct credentials c = fixture_issue(&f, "app", 3600, NOW_MS);
	struct auth_secret found;

	(void)state;
	assert_non_null(a);
	auth_find_secret(a, slice_of(f.alice.id), SLICE_NULL, NOW_MS, &found);
	assert_int_equal(found.failure, AUTH_FAILURE_UNKNOWN_KEY);
	auth_secret_fini(&found);
	auth_find_secret(a, slice_of(c.key_id), slice_of(c.token), NOW_MS,
	    &found);
	assert_int_equal(found.failure, AUTH_FAILURE_SESSION_TOKEN);
	auth_secret_fini(&found);
	credentials_fini(&c);
	auth_unref(a);
}

/* ---- logins ---- */

static void
test_mechanism_names(void **state)
{
	(void)state;
	for (int m = 0; m < AUTH_MECHANISM_COUNT; m++)
		assert_int_equal(auth_mechanism_find(slice_of(
		    auth_mechanism_name((enum auth_mechanism)m))), m);
	assert_int_equal(auth_mechanism_find(SLICE_LIT("plain")), -1);
	assert_int_equal(auth_mechanism_find(SLICE_LIT("PLAIN ")), -1);
	assert_int_equal(auth_mechanism_find(SLICE_LIT("")), -1);
	assert_int_equal(auth_mechanism_find(SLICE_NULL), -1);
	assert_string_equal(auth_failure_label(AUTH_FAILURE_NONE), "none");
	assert_string_equal(auth_failure_label(AUTH_FAILURE_LIMIT), "limit");
}

static void
test_login_bounds(void **state)
{
	static const struct auth_peer peer = { "192.0.2.1", true, false,
	    { 0 } };
	static uint8_t large[AUTH_MESSAGE_MAX + 1];
	struct auth_login *l = auth_login_new(f.auth, AUTH_PLAIN, &peer,
	    NULL);
	struct auth_step step;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	assert_ptr_equal(auth_login_auth(l), f.auth);
	assert_ptr_equal(auth_login_peer(l), &peer);
	assert_int_equal(auth_login_step(l, (struct slice){ large,
	    sizeof(large) }, &arena, &step), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_MALFORMED);
	assert_int_equal(auth_login_step(l, SLICE_NULL, &arena, &step),
	    AUTH_FAILED);
	assert_non_null(strstr(step.error.text, "over"));
	auth_login_free(l);
	l = auth_login_new(f.auth, AUTH_PLAIN, &peer, NULL);
	assert_int_equal(auth_login_step(l, SLICE_NULL, &arena, &step),
	    AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_MALFORMED);
	auth_login_free(l);
	arena_fini(&arena);
}

/* One message of a mechanism; a principal's ARN when it is in, or "". */
static void
expect_login(enum auth_mechanism m, struct slice message,
    struct auth_cache *cache, const char *arn)
{
	static const struct auth_peer peer = { "192.0.2.1", true, false,
	    { 0 } };
	struct auth_login *l = auth_login_new(f.auth, m, &peer, cache);
	struct auth_step to;
	struct arena arena;
	enum auth_result r;

	arena_init(&arena, 0);
	r = auth_login_step(l, message, &arena, &to);
	if (r != (arn[0] == '\0' ? AUTH_FAILED : AUTH_DONE))
		fail_msg("%s", to.error.text);
	if (r == AUTH_DONE)
		assert_string_equal(to.principal->arn, arn);
	principal_unref(to.principal);
	auth_login_free(l);
	arena_fini(&arena);
}

/* Keys of the file and temporary credentials sign as AWS's do. */
static void
test_signed_logins(void **state)
{
	char host[] = "gw.example.com", region[] = "eu-central-1";
	char *hosts[] = { host }, *regions[] = { region };
	struct credentials c = fixture_issue(&f, "app", 3600,
	    clock_wall_ms());
	struct sigv4_client who = { .key_id = f.alice.id,
	    .secret = f.alice.secret, .region = region, .host = host,
	    .user_agent = "test", .expires_s = 900 };
	struct auth_cache *cache = auth_cache_new();
	struct slice message;
	struct arena a;
	struct error err;

	(void)state;
	f.settings.hosts = (struct auth_names){ hosts, 1 };
	f.settings.regions = (struct auth_names){ regions, 1 };
	fixture_reload(&f);
	arena_init(&a, 0);
	assert_true(sigv4_client_message(cache, &who, clock_wall_ms(), &a,
	    &message, &err));
	expect_login(AUTH_AWS_MSK_IAM, message, cache,
	    "arn:aws:iam::123456789012:user/alice");
	who.secret = f.bob.secret;
	assert_true(sigv4_client_message(cache, &who, clock_wall_ms(), &a,
	    &message, &err));
	expect_login(AUTH_AWS_MSK_IAM, message, cache, "");
	who = (struct sigv4_client){ .key_id = c.key_id, .secret = c.secret,
	    .token = c.token, .region = region, .host = host,
	    .user_agent = "test", .expires_s = 900 };
	assert_true(sigv4_client_message(cache, &who, clock_wall_ms(), &a,
	    &message, &err));
	expect_login(AUTH_AWS_MSK_IAM, message, cache,
	    "arn:aws:sts::123456789012:assumed-role/app/run-1");
	who.token = NULL;
	assert_true(sigv4_client_message(cache, &who, clock_wall_ms(), &a,
	    &message, &err));
	expect_login(AUTH_AWS_MSK_IAM, message, cache, "");
	/* Disabled, the key signs in vain although it is in the cache. */
	who = (struct sigv4_client){ .key_id = f.alice.id,
	    .secret = f.alice.secret, .region = region, .host = host,
	    .user_agent = "test", .expires_s = 900 };
	fixture_change_key(&f, f.alice.id, disable);
	assert_true(sigv4_client_message(cache, &who, clock_wall_ms(), &a,
	    &message, &err));
	expect_login(AUTH_AWS_MSK_IAM, message, cache, "");
	f.settings.hosts = f.settings.regions = (struct auth_names){ NULL, 0 };
	arena_fini(&a);
	auth_cache_free(cache);
	credentials_fini(&c);
}

/* The secret of a key file's key, with our own client. */
static bool
scram_logs_in(enum auth_mechanism m, int bits, const char *secret)
{
	static const struct auth_peer peer = { "192.0.2.1", false, false,
	    { 0 } };
	struct auth_login *l = auth_login_new(f.auth, m, &peer, NULL);
	struct scram *c = scram_new(bits, f.alice.id, secret, NULL);
	struct auth_step to;
	struct arena arena;
	struct slice last;
	struct error err;
	bool ok = false;

	arena_init(&arena, 0);
	assert_int_equal(auth_login_step(l, scram_first(c), &arena, &to),
	    AUTH_MORE);
	assert_true(scram_final(c, to.out, &last, &err));
	if (auth_login_step(l, last, &arena, &to) == AUTH_DONE) {
		ok = scram_verify(c, to.out, &err);
		assert_string_equal(to.principal->name, "alice");
		assert_string_equal(to.principal->key_id, f.alice.id);
		principal_unref(to.principal);
	}
	arena_fini(&arena);
	scram_free(c);
	auth_login_free(l);
	return ok;
}

static void
test_scram_logins(void **state)
{
	(void)state;
	assert_true(scram_logs_in(AUTH_SCRAM_SHA_256, 256, f.alice.secret));
	assert_true(scram_logs_in(AUTH_SCRAM_SHA_512, 512, f.alice.secret));
	assert_false(scram_logs_in(AUTH_SCRAM_SHA_512, 512, f.bob.secret));
	fixture_change_key(&f, f.alice.id, disable);
	assert_false(scram_logs_in(AUTH_SCRAM_SHA_256, 256, f.alice.secret));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_long_term),
		TEST(test_nobody),
		TEST(test_temporary),
		TEST(test_too_many_groups),
		TEST(test_still_valid),
		TEST(test_policies),
		TEST(test_named),
		TEST(test_faults),
		TEST(test_settings_are_copied),
		TEST(test_without_files),
		cmocka_unit_test(test_mechanism_names),
		TEST(test_login_bounds),
		TEST(test_signed_logins),
		TEST(test_scram_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
