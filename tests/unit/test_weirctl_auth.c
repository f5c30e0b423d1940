/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl keys, credentials and token, as an operator calls them. */
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
#include <jansson.h>

#include "auth/credentials.h"
#include "auth/keys.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/weirctl_auth.h"

enum { ARGUMENTS_MAX = 24, TEXT_SIZE = 16 * 1024 };

#define MASTER "a master key of at least 32 characters"

static char folder[64];
static const char good_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"*\", "
    "\"Resource\": \"*\"}]}";
static const char bad_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Action\": \"*\", \"Resource\": \"*\"}]}";

static char out[TEXT_SIZE], err[TEXT_SIZE];

static void
path_of(char to[128], const char *name)
{
	snprintf(to, 128, "%s/%s", folder, name);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
read_file(const char *name, char to[TEXT_SIZE])
{
	char path[128];
	FILE *f;

	path_of(path, name);
	f = fopen(path, "re");
	assert_non_null(f);
	to[fread(to, 1, TEXT_SIZE - 1, f)] = '\0';
	fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/weir-weirctl-XXXXXX");
	assert_non_null(mkdtemp(folder));
	write_file("master", MASTER "\n");
	write_file("identities", "{\"roles\": {\"app\": {\"max_ttl\": "
	    "\"2h\"}}}");
	write_file("weir.json", "{\"auth\": {\"keys_file\": \"keys\", "
	    "\"master_key_file\": \"master\", \"identities_file\": "
	    "\"identities\", \"skew_s\": 1}, \"listeners\": \"unfinished\"}");
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

/* What `to` is while a command runs; the old one is the return value. */
static int
redirected(FILE *stream, const char *name)
{
	char path[128];
	int was, fd;
	FILE *f;

	fflush(stream);
	was = dup(fileno(stream));
	path_of(path, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fd = fileno(f);
	assert_true(dup2(fd, fileno(stream)) >= 0);
	fclose(f);
	return was;
}

static void
restored(FILE *stream, int was)
{
	fflush(stream);
	assert_true(dup2(was, fileno(stream)) >= 0);
	close(was);
}

/* Runs a command with the words of `line`; %f is the folder. */
static int
ctl(int (*command)(int argc, char **argv), const char *line)
{
	char text[1024], *argv[ARGUMENTS_MAX + 1], *next, *word;
	int argc = 0, was_out, was_err, code;
	size_t n = 0;

	for (; *line != '\0'; line++) {
		if (line[0] == '%' && line[1] == 'f') {
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s", folder);
			line++;
		} else {
			text[n++] = *line;
		}
	}
	text[n] = '\0';
	for (word = strtok_r(text, " ", &next); word != NULL;
	    word = strtok_r(NULL, " ", &next))
		argv[argc++] = word;
	argv[argc] = NULL;
	was_out = redirected(stdout, "out");
	was_err = redirected(stderr, "err");
	code = command(argc, argv);
	restored(stdout, was_out);
	restored(stderr, was_err);
	read_file("out", out);
	read_file("err", err);
	return code;
}

static void
expect(int want, int code)
{
	if (want != code)
		fail_msg("%d, not %d: %s%s", code, want, out, err);
}

/* A member of the JSON on stdout; NULL: none. The caller frees. */
static char *
member(const char *name)
{
	json_t *v = json_loads(out, 0, NULL);
	const char *s = json_string_value(json_object_get(v, name));
	char *copy = s == NULL ? NULL : mem_strdup(s);

	json_decref(v);
	return copy;
}

static void
test_keys(void **state)
{
	char line[256], *id, *secret, *second;

	(void)state;
	expect(0, ctl(weirctl_keys, "keys create --user alice --json -c "
	    "%f/weir.json"));
	id = member("AccessKeyId");
	secret = member("SecretAccessKey");
	assert_true(keys_id_valid(slice_of(id), KEYS_PREFIX));
	assert_int_equal(strlen(secret), KEYS_SECRET_LEN);
	expect(0, ctl(weirctl_keys, "keys create --user=alice --keys-file "
	    "%f/keys --master-key-file %f/master"));
	assert_non_null(strstr(out, "alice"));
	assert_non_null(strstr(err, "not shown again"));
	expect(1, ctl(weirctl_keys, "keys create --user alice -c "
	    "%f/weir.json"));
	assert_non_null(strstr(err, "disable or delete one first"));
	expect(0, ctl(weirctl_keys, "keys list -c %f/weir.json"));
	assert_non_null(strstr(out, id));
	assert_null(strstr(out, secret));
	assert_null(strstr(err, secret));
	snprintf(line, sizeof(line), "keys disable %s -c %%f/weir.json", id);
	expect(0, ctl(weirctl_keys, line));
	expect(0, ctl(weirctl_keys, "keys list --user alice --json -c "
	    "%f/weir.json"));
	assert_non_null(strstr(out, "\"disabled\": true"));
	expect(0, ctl(weirctl_keys, "keys list --user bob --json -c "
	    "%f/weir.json"));
	assert_string_equal(out, "[]\n");
	/* Room for another; then the first cannot be enabled. */
	expect(0, ctl(weirctl_keys, "keys create --user alice --json -c "
	    "%f/weir.json"));
	second = member("AccessKeyId");
	snprintf(line, sizeof(line), "keys enable %s -c %%f/weir.json", id);
	expect(1, ctl(weirctl_keys, line));
	snprintf(line, sizeof(line), "keys delete %s -c %%f/weir.json",
	    second);
	expect(0, ctl(weirctl_keys, line));
	expect(1, ctl(weirctl_keys, line));
	assert_non_null(strstr(err, "there is no key"));
	snprintf(line, sizeof(line), "keys enable %s -c %%f/weir.json", id);
	expect(0, ctl(weirctl_keys, line));
	free(id);
	free(secret);
	free(second);
}

static uint32_t
enabled_keys(void)
{
	json_t *all, *v;
	uint32_t n = 0;
	size_t i;

	expect(0, ctl(weirctl_keys, "keys list --json -c %f/weir.json"));
	all = json_loads(out, 0, NULL);
	json_array_foreach(all, i, v) {
		n += json_is_false(json_object_get(v, "disabled"));
	}
	json_decref(all);
	return n;
}

static void
test_rotate(void **state)
{
	char *first, *second;

	(void)state;
	expect(1, ctl(weirctl_keys, "keys rotate --user alice -c "
	    "%f/weir.json"));
	assert_non_null(strstr(err, "cannot be opened"));
	expect(0, ctl(weirctl_keys, "keys create --user alice --json -c "
	    "%f/weir.json"));
	first = member("AccessKeyId");
	expect(1, ctl(weirctl_keys, "keys rotate --user bob -c "
	    "%f/weir.json"));
	assert_non_null(strstr(err, "bob has no key"));
	/* The old one stays good while clients change over. */
	expect(0, ctl(weirctl_keys, "keys rotate --user alice --json -c "
	    "%f/weir.json"));
	second = member("AccessKeyId");
	assert_int_equal(enabled_keys(), 2);
	expect(0, ctl(weirctl_keys, "keys rotate --user alice --json -c "
	    "%f/weir.json"));
	assert_non_null(strstr(err, first));
	assert_int_equal(enabled_keys(), 2);
	free(first);
	free(second);
}

static void
test_reseal(void **state)
{
	(void)state;
	expect(0, ctl(weirctl_keys, "keys create --user alice -c "
	    "%f/weir.json"));
	write_file("master", "new " MASTER "\n" MASTER "\n");
	expect(0, ctl(weirctl_keys, "keys reseal -c %f/weir.json"));
	assert_non_null(strstr(out, "1 keys"));
	write_file("master", MASTER);
	expect(1, ctl(weirctl_keys, "keys list -c %f/weir.json"));
	assert_non_null(strstr(err, "another master key"));
	write_file("master", "new " MASTER);
	expect(0, ctl(weirctl_keys, "keys list -c %f/weir.json"));
}

static void
test_bad_files(void **state)
{
	char path[128];

	(void)state;
	expect(1, ctl(weirctl_keys, "keys list"));
	assert_non_null(strstr(err, "there is no key file"));
	expect(1, ctl(weirctl_keys, "keys list --keys-file %f/keys"));
	assert_non_null(strstr(err, "no master key"));
	expect(1, ctl(weirctl_keys, "keys list --keys-file %f/keys "
	    "--master-key-file %f/nothing"));
	expect(1, ctl(weirctl_keys, "keys list --keys-file %f/keys "
	    "--master-key-env WEIR_TEST_NOT_SET"));
	assert_non_null(strstr(err, "no variable"));
	expect(1, ctl(weirctl_keys, "keys list -c %f/nothing"));
	setenv("WEIR_TEST_MASTER", MASTER, 1);
	expect(0, ctl(weirctl_keys, "keys create --user alice --keys-file "
	    "%f/keys --master-key-env WEIR_TEST_MASTER"));
	path_of(path, "keys");
	assert_int_equal(chmod(path, 0644), 0);
	expect(1, ctl(weirctl_keys, "keys list -c %f/weir.json"));
	assert_non_null(strstr(err, "chmod 600"));
	expect(1, ctl(weirctl_keys, "keys create --user bob -c "
	    "%f/weir.json"));
	write_file("master", "short");
	expect(1, ctl(weirctl_keys, "keys list -c %f/weir.json"));
	assert_null(strstr(err, "short"));
}

static void
test_usage(void **state)
{
	static const char *const wrong[] = {
		"keys", "keys create", "keys disable", "keys disable a b",
		"keys list x", "keys nothing", "keys create --user",
		"keys list --nothing", "keys list --json=x",
		"keys list --user-name x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		expect(2, ctl(weirctl_keys, wrong[i]));
		assert_non_null(strstr(err, "usage: weirctl keys"));
		assert_string_equal(out, "");
	}
	expect(0, ctl(weirctl_keys, "keys --help"));
	assert_non_null(strstr(out, "rotate"));
	expect(0, ctl(weirctl_credentials, "credentials --help"));
	expect(2, ctl(weirctl_credentials, "credentials issue"));
	expect(2, ctl(weirctl_credentials, "credentials issue --role app "
	    "--format xml"));
	expect(2, ctl(weirctl_credentials, "credentials --role app"));
	expect(0, ctl(weirctl_token, "token --help"));
	expect(2, ctl(weirctl_token, "token"));
	expect(2, ctl(weirctl_token, "token --region r"));
	expect(2, ctl(weirctl_token, "token --region r --host h --expires "
	    "901"));
	expect(2, ctl(weirctl_token, "token --region r --host h --mechanism "
	    "plain"));
}

static void
test_credentials(void **state)
{
	struct seal *seal = seal_new(MASTER, NULL);
	struct credentials_session s;
	struct error why;
	char *id, *secret, *token, *until;

	(void)state;
	write_file("policy", good_policy);
	expect(0, ctl(weirctl_credentials, "credentials issue --role app "
	    "--session run --ttl 2h --tag team=a --tag x=y=z --group g "
	    "--policy %f/policy -c %f/weir.json"));
	id = member("AccessKeyId");
	secret = member("SecretAccessKey");
	token = member("SessionToken");
	until = member("Expiration");
	assert_int_equal(strlen(until), strlen("2026-01-02T03:04:05Z"));
	assert_non_null(strstr(out, "\"Version\": 1"));
	assert_int_equal(credentials_open(seal, slice_of(id),
	    slice_of(token), clock_wall_ms(), &s, &why), CREDENTIALS_GOOD);
	assert_string_equal(s.secret, secret);
	assert_string_equal(s.role, "app");
	assert_string_equal(s.session, "run");
	assert_int_equal(s.expires_ms - s.issued_ms, 7200000);
	assert_int_equal(s.tag_count, 2);
	assert_string_equal(s.tags[1].value, "y=z");
	assert_string_equal(s.groups[0], "g");
	assert_non_null(s.policy);
	credentials_session_fini(&s);
	expect(0, ctl(weirctl_credentials, "credentials issue --role other "
	    "--format env --master-key-file %f/master"));
	assert_non_null(strstr(out, "export AWS_SESSION_TOKEN="));
	free(id);
	free(secret);
	free(token);
	free(until);
	seal_unref(seal);
}

static void
test_credentials_refused(void **state)
{
	(void)state;
	write_file("policy", bad_policy);
	expect(1, ctl(weirctl_credentials, "credentials issue --role other "
	    "-c %f/weir.json"));
	assert_non_null(strstr(err, "there is no role other"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--ttl 3h -c %f/weir.json"));
	assert_non_null(strstr(err, "7200 seconds"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--ttl soon -c %f/weir.json"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--tag x -c %f/weir.json"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--policy %f/policy -c %f/weir.json"));
	assert_non_null(strstr(err, "Statement[0].Effect"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--policy %f/nothing -c %f/weir.json"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app "
	    "--session a/b -c %f/weir.json"));
	expect(1, ctl(weirctl_credentials, "credentials issue --role app"));
	assert_non_null(strstr(err, "no master key"));
	assert_string_equal(out, "");
}

static void
test_token(void **state)
{
	char *id;

	(void)state;
	unsetenv("AWS_ACCESS_KEY_ID");
	expect(1, ctl(weirctl_token, "token --region us-east-1 --host gw"));
	assert_non_null(strstr(err, "AWS_ACCESS_KEY_ID"));
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-test", 1);
	setenv("AWS_SESSION_TOKEN", "", 1);
	expect(0, ctl(weirctl_token, "token --region us-east-1 --host gw"));
	id = member("x-amz-credential");
	assert_int_equal(strncmp(id, "AKIDEXAMPLE/", 12), 0);
	assert_null(strstr(out, "a-secret-of-the-test"));
	assert_null(strstr(out, "security-token"));
	free(id);
	expect(0, ctl(weirctl_token, "token --region us-east-1 --mechanism "
	    "OAUTHBEARER"));
	assert_int_equal(strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(out) - 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keys),
		TEST(test_rotate),
		TEST(test_reseal),
		TEST(test_bad_files),
		TEST(test_usage),
		TEST(test_credentials),
		TEST(test_credentials_refused),
		TEST(test_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
