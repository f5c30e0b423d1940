/* SPDX-License-Identifier: Apache-2.0 */
/* The key file: read, changed by one at a time, and what is refused of it. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
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

#include "auth/keys.h"
#include "auth/keys_file.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"

#define MASTER "a master key of at least 32 characters"

static char folder[64], path[96];
static struct seal *seal;

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/weir-keys-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/keys.json", folder);
	seal = seal_new(MASTER, NULL);
	return seal == NULL;
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
	seal_unref(seal);
	return nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static struct keys_file *
opened(enum keys_file_mode mode)
{
	struct error_list errs = { NULL, 0 };
	struct keys_file *f = keys_file_open(path, seal, mode, &errs);

	if (f == NULL)
		fail_msg("%s: %s", errs.v[0].path, errs.v[0].reason);
	return f;
}

static struct keys *
loaded(void)
{
	struct error_list errs = { NULL, 0 };
	struct keys *k = keys_load(path, seal, &errs);

	if (k == NULL)
		fail_msg("%s: %s", errs.v[0].path, errs.v[0].reason);
	return k;
}

/* Adds one and saves; its id goes to `id`. */
static void
add(const char *user, char id[KEYS_ID_LEN + 1], char secret[KEYS_SECRET_LEN +
    1])
{
	struct keys_file *f = opened(KEYS_FILE_CREATE);
	struct error err = { "" };
	struct key k;

	if (!keys_file_add(f, slice_of(user), 1767323045, &k, &err) ||
	    !keys_file_save(f, &err))
		fail_msg("%s", err.text);
	memcpy(id, k.id, sizeof(k.id));
	if (secret != NULL)
		memcpy(secret, k.secret, sizeof(k.secret));
	keys_key_fini(&k);
	keys_file_close(f);
}

static void
test_created_and_found(void **state)
{
	char id[KEYS_ID_LEN + 1], secret[KEYS_SECRET_LEN + 1];
	const struct key *k;
	struct keys *keys;
	struct stat st;

	(void)state;
	add("alice", id, secret);
	assert_true(keys_id_valid(slice_of(id), KEYS_PREFIX));
	assert_int_equal(strlen(secret), KEYS_SECRET_LEN);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	keys = loaded();
	assert_int_equal(keys_count(keys), 1);
	k = keys_find(keys, slice_of(id));
	assert_non_null(k);
	assert_ptr_equal(k, keys_at(keys, 0));
	assert_string_equal(k->user, "alice");
	assert_string_equal(k->secret, secret);
	assert_int_equal(k->created_s, 1767323045);
	assert_int_equal(k->rounds, KEYS_ROUNDS);
	assert_false(k->disabled);
	assert_true(keys_has_user(keys, SLICE_LIT("alice")));
	assert_false(keys_has_user(keys, SLICE_LIT("bob")));
	assert_null(keys_find(keys, SLICE_LIT("WEIRAAAAAAAAAAAAAAAA")));
	keys_unref(keys);
}

/* The secret stands nowhere in the file. */
static void
test_sealed(void **state)
{
	char id[KEYS_ID_LEN + 1], secret[KEYS_SECRET_LEN + 1];
	json_t *doc;
	char *text;

	(void)state;
	add("alice", id, secret);
	doc = json_load_file(path, 0, NULL);
	text = json_dumps(doc, 0);
	assert_null(strstr(text, secret));
	assert_non_null(strstr(text, id));
	free(text);
	json_decref(doc);
}

/* Two live keys, not three; a disabled one makes room. */
static void
test_two_live(void **state)
{
	char first[KEYS_ID_LEN + 1], second[KEYS_ID_LEN + 1];
	struct keys_file *f;
	struct error err;
	struct key k;

	(void)state;
	add("alice", first, NULL);
	add("alice", second, NULL);
	add("bob", second, NULL);
	f = opened(KEYS_FILE_CHANGE);
	assert_false(keys_file_add(f, SLICE_LIT("alice"), 0, &k, &err));
	assert_non_null(strstr(err.text, "disable or delete"));
	assert_true(keys_file_disable(f, slice_of(first), true, &err));
	assert_true(keys_file_add(f, SLICE_LIT("alice"), 0, &k, &err));
	keys_key_fini(&k);
	assert_false(keys_file_disable(f, slice_of(first), false, &err));
	assert_true(keys_file_delete(f, slice_of(first), &err));
	assert_false(keys_file_delete(f, slice_of(first), &err));
	assert_false(keys_file_disable(f, slice_of(first), true, &err));
	assert_false(keys_file_add(f, SLICE_LIT("a*"), 0, &k, &err));
	assert_true(keys_file_save(f, &err));
	keys_file_close(f);
	keys_unref(loaded());
}

static void
test_disabled(void **state)
{
	char id[KEYS_ID_LEN + 1];
	struct keys_file *f;
	struct keys *keys;
	struct error err;

	(void)state;
	add("alice", id, NULL);
	f = opened(KEYS_FILE_CHANGE);
	assert_true(keys_file_disable(f, slice_of(id), true, &err));
	assert_true(keys_file_save(f, &err));
	keys_file_close(f);
	keys = loaded();
	assert_true(keys_find(keys, slice_of(id))->disabled);
	keys_unref(keys);
	/* What was not saved is not there. */
	f = opened(KEYS_FILE_CHANGE);
	assert_true(keys_file_delete(f, slice_of(id), &err));
	keys_file_close(f);
	f = opened(KEYS_FILE_READ);
	assert_int_equal(keys_count(keys_file_keys(f)), 1);
	assert_false(keys_file_save(f, &err));
	keys_file_close(f);
}

static void
expect_fault(const char *where, const char *why)
{
	struct error_list errs = { NULL, 0 };
	struct keys *k = keys_load(path, seal, &errs);
	bool found = false;

	assert_null(k);
	for (uint32_t i = 0; i < errs.n; i++) {
		assert_int_equal(strncmp(errs.v[i].path, path, strlen(path)),
		    0);
		found = found || (strstr(errs.v[i].path, where) != NULL &&
		    strstr(errs.v[i].reason, why) != NULL);
	}
	if (!found)
		fail_msg("no fault %s: %s, but %s: %s", where, why,
		    errs.v[0].path, errs.v[0].reason);
	error_list_free(&errs);
}

static void
test_mode(void **state)
{
	static const mode_t wrong[] = { 0644, 0640, 0604, 0660, 0602, 0610 };
	char id[KEYS_ID_LEN + 1];

	(void)state;
	add("alice", id, NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(chmod(path, wrong[i]), 0);
		expect_fault("keys.json", "chmod 600");
	}
	assert_int_equal(chmod(path, 0400), 0);
	keys_unref(loaded());
	assert_int_equal(unlink(path), 0);
	expect_fault("keys.json", "cannot be opened");
	assert_int_equal(mkdir(path, 0700), 0);
	expect_fault("keys.json", "no file");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_fault("keys.json", "no file");
}

static void
test_other_master(void **state)
{
	struct error_list errs = { NULL, 0 };
	char id[KEYS_ID_LEN + 1];
	struct seal *other = seal_new("other " MASTER, NULL), *both;
	struct keys_file *f;
	struct error err;

	(void)state;
	add("alice", id, NULL);
	assert_null(keys_load(path, other, &errs));
	assert_non_null(strstr(errs.v[0].path, "keys[0].sealed"));
	assert_non_null(strstr(errs.v[0].reason, "another master key"));
	error_list_free(&errs);
	assert_null(keys_file_open(path, other, KEYS_FILE_CHANGE, &errs));
	error_list_free(&errs);
	/* The way from one to the other. */
	both = seal_new("other " MASTER "\n" MASTER, NULL);
	f = keys_file_open(path, both, KEYS_FILE_CHANGE, &errs);
	assert_int_equal(keys_file_reseal(f), 1);
	assert_int_equal(keys_file_reseal(f), 0);
	assert_true(keys_file_save(f, &err));
	keys_file_close(f);
	keys_unref(keys_load(path, other, &errs));
	assert_int_equal(errs.n, 0);
	seal_unref(other);
	seal_unref(both);
}

/* The one key's object, changed, makes this fault. */
static void
expect_member_fault(const char *member, json_t *v, const char *where,
    const char *why)
{
	json_t *doc = json_load_file(path, 0, NULL), *copy;
	char *text;

	copy = json_deep_copy(doc);
	json_object_set_new(json_array_get(json_object_get(copy, "keys"), 0),
	    member, v);
	text = json_dumps(copy, 0);
	write_file(text, 0600);
	expect_fault(where, why);
	free(text);
	text = json_dumps(doc, 0);
	write_file(text, 0600);
	free(text);
	json_decref(copy);
	json_decref(doc);
}

static void
test_members(void **state)
{
	char id[KEYS_ID_LEN + 1];

	(void)state;
	add("alice", id, NULL);
	expect_member_fault("id", json_string("AKIAAAAAAAAAAAAAAAAA"),
	    "keys[0].id", "no key id");
	expect_member_fault("id", json_string("WEIRaAAAAAAAAAAAAAAA"),
	    "keys[0].id", "no key id");
	expect_member_fault("id", json_string("WEIR"), "keys[0].id", "no key");
	expect_member_fault("id", json_integer(1), "keys[0].id", "no key id");
	/* Sealed for another id or another user. */
	expect_member_fault("id", json_string("WEIRAAAAAAAAAAAAAAAA"),
	    "keys[0].sealed", "made for another place");
	expect_member_fault("user", json_string("bob"), "keys[0].sealed",
	    "made for another place");
	expect_member_fault("user", json_string("a*"), "keys[0].user", "name");
	expect_member_fault("user", json_null(), "keys[0].user", "name");
	expect_member_fault("created", json_string("yesterday"),
	    "keys[0].created", "no time");
	expect_member_fault("created", json_string("2026-01-02T03:04:05Zx"),
	    "keys[0].created", "no time");
	expect_member_fault("disabled", json_string("no"), "keys[0].disabled",
	    "true or false");
	expect_member_fault("sealed", json_string("AAAA"), "keys[0].sealed",
	    "no sealed key");
	expect_member_fault("sealed", json_string("!"), "keys[0].sealed",
	    "no sealed key");
	expect_member_fault("secret", json_string("x"), "keys[0]",
	    "not known");
	keys_unref(loaded());
}

static const struct text_row {
	const char	*text, *where, *why;
} texts[] = {
	{ "", "keys.json", "no JSON" },
	{ "{", "keys.json", "no JSON" },
	{ "[]", "version", "must be 1" },
	{ "{\"version\": 2, \"keys\": []}", "version", "must be 1" },
	{ "{\"version\": 1}", "keys", "array" },
	{ "{\"version\": 1, \"keys\": {}}", "keys", "array" },
	{ "{\"version\": 1, \"keys\": [], \"keys\": []}", "keys.json",
	  "no JSON" },
	{ "{\"version\": 1, \"keys\": [], \"x\": 1}", "keys.json",
	  "not known" },
	{ "{\"version\": 1, \"keys\": [1]}", "keys[0].id", "no key id" },
	{ "{\"version\": 1, \"keys\": []} x", "keys.json", "no JSON" },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(texts[i].text, 0600);
		expect_fault(texts[i].where, texts[i].why);
	}
	write_file("{\"version\": 1, \"keys\": []}", 0600);
	keys_unref(loaded());
}

/* The same key twice, and three live ones of one user. */
static void
test_copies(void **state)
{
	char id[KEYS_ID_LEN + 1];
	json_t *doc, *list;
	char *text;

	(void)state;
	add("alice", id, NULL);
	doc = json_load_file(path, 0, NULL);
	list = json_object_get(doc, "keys");
	json_array_append_new(list, json_deep_copy(json_array_get(list, 0)));
	text = json_dumps(doc, 0);
	write_file(text, 0600);
	expect_fault("keys[1].id", "twice");
	free(text);
	json_array_clear(list);
	for (int i = 0; i < 3; i++) {
		struct key k = { .user = mem_strdup("alice"),
		    .rounds = KEYS_ROUNDS };

		keys_draw_id(KEYS_PREFIX, k.id);
		keys_draw_secret(k.secret);
		json_array_append_new(list, keys_to_json(&k, seal));
		keys_key_fini(&k);
	}
	text = json_dumps(doc, 0);
	write_file(text, 0600);
	expect_fault("keys[2].user", "more than two");
	free(text);
	json_decref(doc);
}

/* Each of several processes adds its keys; none of them is lost. */
static void
test_two_writers(void **state)
{
	enum { WRITERS = 4, EACH = 5 };
	pid_t pids[WRITERS];
	struct keys *keys;

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] != 0)
			continue;
		for (int j = 0; j < EACH; j++) {
			char user[16], id[KEYS_ID_LEN + 1];

			snprintf(user, sizeof(user), "u%d.%d", i, j);
			add(user, id, NULL);
		}
		_exit(0);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	keys = loaded();
	assert_int_equal(keys_count(keys), WRITERS * EACH);
	keys_unref(keys);
}

/* A rest of one that died in the middle does no harm, nor does a link. */
static void
test_rests(void **state)
{
	char id[KEYS_ID_LEN + 1], other[128], link[128];
	struct stat st;

	(void)state;
	snprintf(other, sizeof(other), "%s.new", path);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink(path, other), 0);
	add("alice", id, NULL);
	assert_int_equal(lstat(other, &st), -1);
	/* Through a link the file itself is replaced. */
	assert_int_equal(symlink(path, link), 0);
	snprintf(path, sizeof(path), "%.90s", link);
	add("bob", id, NULL);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	keys_unref(loaded());
}

static void
test_many(void **state)
{
	enum { COUNT = 2000 };
	json_t *list = json_array(), *doc;
	struct error_list errs = { NULL, 0 };
	struct keys *keys;
	char *text;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		char user[16];
		struct key k = { .user = user, .rounds = KEYS_ROUNDS };

		snprintf(user, sizeof(user), "u%d", i / 2);
		keys_draw_id(KEYS_PREFIX, k.id);
		keys_draw_secret(k.secret);
		json_array_append_new(list, keys_to_json(&k, seal));
	}
	doc = json_pack("{s:i, s:o}", "version", 1, "keys", list);
	text = json_dumps(doc, 0);
	keys = keys_parse(text, strlen(text), seal, &errs);
	assert_non_null(keys);
	assert_int_equal(keys_count(keys), COUNT);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_ptr_equal(keys_find(keys, slice_of(keys_at(keys,
		    i)->id)), keys_at(keys, i));
	keys_unref(keys);
	free(text);
	json_decref(doc);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_created_and_found),
		TEST(test_sealed),
		TEST(test_two_live),
		TEST(test_disabled),
		TEST(test_mode),
		TEST(test_other_master),
		TEST(test_members),
		TEST(test_texts),
		TEST(test_copies),
		TEST(test_two_writers),
		TEST(test_rests),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
