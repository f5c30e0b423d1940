/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl keys: create, list, disable, enable, delete, rotate, reseal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "auth/keys_file.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/weirctl_auth.h"

/* What a subcommand works with. */
struct work {
	const char	*user, *id;	/* NULL: not given */
	bool		 json;
	struct keys_file *file;
};

struct subcommand {
	const char		*name, *arguments, *text;
	bool			 needs_user, needs_id;
	enum keys_file_mode	 mode;
	int			(*run)(struct work *w);
};

static void
format_time(int64_t s, char to[32])
{
	time_t t = (time_t)s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* The one time that a secret is shown. */
static void
print_new(const struct work *w, const struct key *k)
{
	if (!w->json) {
		printf("user    %s\nkey id  %s\nsecret  %s\n", k->user, k->id,
		    k->secret);
		fprintf(stderr, "The secret is not shown again.\n");
		return;
	}
	printf("{\n  \"Version\": 1,\n  \"UserName\": \"%s\",\n"
	    "  \"AccessKeyId\": \"%s\",\n  \"SecretAccessKey\": \"%s\"\n}\n",
	    k->user, k->id, k->secret);
}

static int
saved(struct work *w)
{
	struct error err;

	return keys_file_save(w->file, &err) ? WEIRCTL_OK :
	    weirctl_refuse(err.text);
}

static int
run_create(struct work *w)
{
	struct error err;
	struct key k;
	int code;

	if (!keys_file_add(w->file, slice_of(w->user), clock_wall_ms() / 1000,
	    &k, &err))
		return weirctl_refuse(err.text);
	code = saved(w);
	if (code == WEIRCTL_OK)
		print_new(w, &k);
	keys_key_fini(&k);
	return code;
}

static const char *
state_of(const struct key *k)
{
	return k->disabled ? "disabled" : "enabled";
}

static int
run_list(struct work *w)
{
	const struct keys *keys = keys_file_keys(w->file);
	json_t *all = json_array();

	if (!w->json)
		printf("%-20s  %-8s  %-20s  %s\n", "KEY ID", "STATE",
		    "CREATED", "USER");
	for (uint32_t i = 0; i < keys_count(keys); i++) {
		const struct key *k = keys_at(keys, i);
		char created[32];

		if (w->user != NULL && strcmp(w->user, k->user) != 0)
			continue;
		format_time(k->created_s, created);
		if (w->json)
			json_array_append_new(all, json_pack(
			    "{s:s, s:s, s:s, s:b}", "id", k->id, "user",
			    k->user, "created", created, "disabled",
			    k->disabled));
		else
			printf("%-20s  %-8s  %-20s  %s\n", k->id, state_of(k),
			    created, k->user);
	}
	if (w->json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	return WEIRCTL_OK;
}

static int
set_disabled(struct work *w, bool disabled)
{
	struct error err;

	if (!keys_file_disable(w->file, slice_of(w->id), disabled, &err))
		return weirctl_refuse(err.text);
	return saved(w);
}

static int
run_disable(struct work *w)
{
	return set_disabled(w, true);
}

static int
run_enable(struct work *w)
{
	return set_disabled(w, false);
}

static int
run_delete(struct work *w)
{
	struct error err;

	if (!keys_file_delete(w->file, slice_of(w->id), &err))
		return weirctl_refuse(err.text);
	return saved(w);
}

/* The user's oldest enabled key when there is no room for another. */
static const struct key *
key_in_the_way(const struct keys *keys, const char *user)
{
	const struct key *oldest = NULL;
	int live = 0;

	for (uint32_t i = 0; i < keys_count(keys); i++) {
		const struct key *k = keys_at(keys, i);

		if (k->disabled || strcmp(k->user, user) != 0)
			continue;
		live++;
		if (oldest == NULL || k->created_s < oldest->created_s)
			oldest = k;
	}
	return live < KEYS_LIVE_MAX ? NULL : oldest;
}

/* A new key beside the one in use; of two the older is disabled, which is the
 * one that the rotation before left behind. */
static int
run_rotate(struct work *w)
{
	const struct keys *keys = keys_file_keys(w->file);
	const struct key *old = key_in_the_way(keys, w->user);
	struct error err;
	int code;

	if (!keys_has_user(keys, slice_of(w->user))) {
		fprintf(stderr, "weirctl: %s has no key: weirctl keys create\n",
		    w->user);
		return WEIRCTL_REFUSED;
	}
	if (old != NULL && !keys_file_disable(w->file, slice_of(old->id),
	    true, &err))
		return weirctl_refuse(err.text);
	code = run_create(w);
	if (code == WEIRCTL_OK && old != NULL)
		fprintf(stderr, "%s was disabled.\n", old->id);
	return code;
}

static int
run_reseal(struct work *w)
{
	uint32_t n = keys_file_reseal(w->file);
	int code = n == 0 ? WEIRCTL_OK : saved(w);

	if (code == WEIRCTL_OK)
		printf("%u keys sealed anew\n", n);
	return code;
}

static const struct subcommand subcommands[] = {
	{ "create", "--user USER", "a new key; its secret is shown once",
	  true, false, KEYS_FILE_CREATE, run_create },
	{ "list", "[--user USER]", "the keys, without secrets", false, false,
	  KEYS_FILE_READ, run_list },
	{ "disable", "KEY-ID", "nobody logs in with it any more", false, true,
	  KEYS_FILE_CHANGE, run_disable },
	{ "enable", "KEY-ID", "it is good again", false, true,
	  KEYS_FILE_CHANGE, run_enable },
	{ "delete", "KEY-ID", "it is gone for good", false, true,
	  KEYS_FILE_CHANGE, run_delete },
	{ "rotate", "--user USER", "a new key beside the newest; an older one "
	  "is disabled", true, false, KEYS_FILE_CHANGE, run_rotate },
	{ "reseal", "", "seal all under the first master key", false, false,
	  KEYS_FILE_CHANGE, run_reseal },
};

static int
usage(FILE *f)
{
	fprintf(f, "usage: weirctl keys SUBCOMMAND [options]\n\n");
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]);
	    i++)
		fprintf(f, "  %-8s%-15s %s\n", subcommands[i].name,
		    subcommands[i].arguments, subcommands[i].text);
	fprintf(f, "\noptions:\n"
	    "  -c, --config FILE        weir's configuration, which names the "
	    "files\n"
	    "  --keys-file FILE         the keys\n"
	    "  --master-key-file FILE   what they are sealed under, or\n"
	    "  --master-key-env NAME    the same from the environment\n"
	    "  --json                   for a program\n"
	    "\nA running weir sees the change after weirctl reload.\n");
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

static int
run(const struct subcommand *s, struct work *w,
    const struct weirctl_places *places)
{
	struct error_list errs = { NULL, 0 };
	struct weirctl_files files;
	struct seal *seal = NULL;
	int code = WEIRCTL_REFUSED;

	if (!weirctl_files_read(places, &files))
		goto out;
	if (files.keys_file == NULL) {
		weirctl_refuse("there is no key file: give --keys-file, or -c "
		    "with a file that has auth.keys_file");
		goto out;
	}
	seal = weirctl_seal(&files);
	if (seal == NULL)
		goto out;
	w->file = keys_file_open(files.keys_file, seal, s->mode, &errs);
	code = w->file == NULL ? weirctl_refuse_all(&errs) : s->run(w);
	keys_file_close(w->file);
out:
	seal_unref(seal);
	weirctl_files_fini(&files);
	return code;
}

int
weirctl_keys(int argc, char **argv)
{
	struct weirctl_places places = { .config = NULL };
	struct weirctl_words words = { .n = 0 };
	struct work w = { NULL, NULL, false, NULL };
	const struct weirctl_argument arguments[] = {
		{ "--user", .to = &w.user },
		{ "--json", .flag = &w.json },
	};

	if (!weirctl_read(arguments, 2, &places, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	w.id = words.n == 2 ? words.v[1] : NULL;
	for (size_t i = 0; words.n >= 1 &&
	    i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		const struct subcommand *s = &subcommands[i];

		if (strcmp(words.v[0], s->name) == 0 &&
		    s->needs_id == (w.id != NULL) &&
		    (!s->needs_user || w.user != NULL))
			return run(s, &w, &places);
	}
	return usage(stderr);
}
