/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder with a key file, identities and policies, and the snapshot of it:
 * alice (policy reader, group team-a, tag team=a) and bob (nothing) with a key
 * each; the role app (writer; at most 2 h).
 */
#ifndef WEIR_TESTS_UNIT_AUTH_FIXTURE_H
#define WEIR_TESTS_UNIT_AUTH_FIXTURE_H

#include <sys/stat.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/credentials.h"
#include "auth/keys_file.h"
#include "auth/seal.h"
#include "gateway/base/mem.h"

#define FIXTURE_MASTER "a master key of at least 32 characters"

struct auth_fixture {
	char			 folder[64], keys[96], identities[96];
	struct seal		*seal;
	struct auth_settings	 settings;
	struct auth		*auth;
	struct key		 alice, bob;
};

static const char fixture_identities[] =
    "{\"users\": {\"alice\": {\"policies\": [\"reader\"], \"groups\": "
    "[\"team-a\"], \"tags\": {\"team\": \"a\"}}, \"bob\": {}},"
    " \"roles\": {\"app\": {\"policies\": [\"writer\"], \"max_ttl\": \"2h\","
    " \"tags\": {\"team\": \"r\", \"stage\": \"prod\"}}},"
    " \"groups\": {\"team-a\": {\"policies\": [\"orders\"]},"
    " \"team-b\": {\"policies\": [\"orders\", \"reader\"]}},"
    " \"subjects\": {\"s1\": {\"policies\": [\"writer\"]}},"
    " \"certificates\": {\"c1\": {\"groups\": [\"team-a\"]}}}";

/* What a policy is in a test that has the real compiler, too. */
static const char fixture_policy[] = "{\"Version\": \"2012-10-17\", "
    "\"Statement\": [{\"Effect\": \"Allow\", \"Action\": "
    "\"kafka-cluster:Connect\", \"Resource\": \"*\"}]}";

static inline void
fixture_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

/* Loads again; NULL and faults are the caller's. */
static inline struct auth *
fixture_load(struct auth_fixture *f, struct error_list *errs)
{
	return auth_load(&f->settings, NULL, errs);
}

static inline void
fixture_reload(struct auth_fixture *f)
{
	struct error_list errs = { NULL, 0 };

	auth_unref(f->auth);
	f->auth = fixture_load(f, &errs);
	if (f->auth != NULL)
		return;
	error_list_print(&errs, stderr, "fixture: ");
	abort();
}

/* Changes the key file by `change` and loads it. */
static inline void
fixture_change_key(struct auth_fixture *f, const char *id,
    bool (*change)(struct keys_file *file, struct slice id,
    struct error *err))
{
	struct error_list errs = { NULL, 0 };
	struct error err;
	struct keys_file *file = keys_file_open(f->keys, f->seal,
	    KEYS_FILE_CREATE, &errs);

	if (file == NULL || !change(file, slice_of(id), &err) ||
	    !keys_file_save(file, &err))
		abort();
	keys_file_close(file);
	fixture_reload(f);
}

static inline void
fixture_add_keys(struct auth_fixture *f)
{
	struct error_list errs = { NULL, 0 };
	struct error err;
	struct keys_file *file = keys_file_open(f->keys, f->seal,
	    KEYS_FILE_CREATE, &errs);

	if (file == NULL || !keys_file_add(file, SLICE_LIT("alice"), 0,
	    &f->alice, &err) || !keys_file_add(file, SLICE_LIT("bob"), 0,
	    &f->bob, &err) || !keys_file_save(file, &err))
		abort();
	keys_file_close(file);
}

static inline void
fixture_setup(struct auth_fixture *f)
{
	static const char *const policies[] = { "reader", "writer", "orders" };
	static char master[] = FIXTURE_MASTER;
	char path[160];

	memset(f, 0, sizeof(*f));
	snprintf(f->folder, sizeof(f->folder), "/tmp/weir-auth-XXXXXX");
	if (mkdtemp(f->folder) == NULL)
		abort();
	snprintf(f->keys, sizeof(f->keys), "%s/keys.json", f->folder);
	snprintf(f->identities, sizeof(f->identities), "%s/identities.json",
	    f->folder);
	fixture_write(f->identities, fixture_identities);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s.json", f->folder,
		    policies[i]);
		fixture_write(path, fixture_policy);
	}
	f->seal = seal_new(FIXTURE_MASTER, NULL);
	f->settings = (struct auth_settings){
		.cluster = { "aws", "eu-central-1", "123456789012", "demo",
		    "0123-4567" },
		.keys_file = f->keys,
		.master_key = master,
		.identities_file = f->identities,
		.policies_dir = f->folder,
		.skew_s = 300,
		.expires_max_s = 900,
	};
	fixture_add_keys(f);
	fixture_reload(f);
}

static inline int
fixture_drop(const char *name, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static inline void
fixture_teardown(struct auth_fixture *f)
{
	auth_unref(f->auth);
	seal_unref(f->seal);
	keys_key_fini(&f->alice);
	keys_key_fini(&f->bob);
	if (nftw(f->folder, fixture_drop, 8, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
}

/* Temporary credentials of a role; credentials_fini is due. */
static inline struct credentials
fixture_issue(struct auth_fixture *f, const char *role, uint32_t ttl_s,
    int64_t now_ms)
{
	struct principal_tag tag = { (char[]){ "team" },
	    (char[]){ "session" } };
	char *group = (char[]){ "team-a" };
	struct credentials_request r = {
		.role = slice_of(role), .session = SLICE_LIT("run-1"),
		.ttl_s = ttl_s, .policy = slice_of(fixture_policy),
		.tags = &tag, .tag_count = 1, .groups = &group,
		.group_count = 1,
	};
	struct credentials c;
	struct error err;

	if (!credentials_issue(f->seal, &r, now_ms, &c, &err)) {
		fprintf(stderr, "fixture: %s\n", err.text);
		abort();
	}
	return c;
}

#endif
