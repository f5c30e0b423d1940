/* SPDX-License-Identifier: Apache-2.0 */
/* What weirctl's commands about keys share: where files are, and complaints. */
#include <libgen.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/seal.h"
#include "gateway/base/mem.h"
#include "gateway/base/option.h"
#include "gateway/weirctl_auth.h"

enum { PATH_LEN_MAX = 4096, MASTER_LEN_MAX = 4096 };

#define ROW(type, name) { #name, type, offsetof(struct weirctl_files, name), \
	1, PATH_LEN_MAX, "null", "lines", false, "", NULL }

static const struct option rows[] = {
	ROW(OPTION_PATH, keys_file),
	ROW(OPTION_SECRET, master_key),
	ROW(OPTION_PATH, identities_file),
	ROW(OPTION_PATH, policies_dir),
};
static const struct option_group group = { rows,
    sizeof(rows) / sizeof(rows[0]), sizeof(struct weirctl_files) };

static const char *const members[] = { "keys_file", "master_key_file",
    "master_key_env", "identities_file", "policies_dir" };

/* ---- arguments ---- */

/* The argument that argv[*i] is, and its value ("" of a flag; NULL: there is
 * none). *i is then at the last that belongs to it. */
static const struct weirctl_argument *
find(const struct weirctl_argument *v, size_t n, int argc, char **argv,
    int *i, const char **value)
{
	const char *text = argv[*i];
	size_t len = strcspn(text, "=");

	for (size_t k = 0; k < n; k++) {
		if (strncmp(v[k].name, text, len) != 0 ||
		    v[k].name[len] != '\0')
			continue;
		if (v[k].flag != NULL)
			*value = text[len] == '=' ? NULL : "";
		else if (text[len] == '=')
			*value = text + len + 1;
		else
			*value = *i + 1 < argc ? argv[++*i] : NULL;
		return &v[k];
	}
	return NULL;
}

static bool
take(const struct weirctl_argument *a, const char *value)
{
	if (value == NULL)
		return false;
	if (a->flag != NULL) {
		*a->flag = true;
	} else if (a->list != NULL) {
		if (*a->list_count == WEIRCTL_LIST_MAX)
			return false;
		a->list[(*a->list_count)++] = value;
	} else {
		*a->to = value;
	}
	return true;
}

bool
weirctl_read(const struct weirctl_argument *arguments, size_t n,
    struct weirctl_places *p, int argc, char **argv,
    struct weirctl_words *words)
{
	struct weirctl_places ignored;
	struct weirctl_places *at = p == NULL ? &ignored : p;
	const struct weirctl_argument common[] = {
		{ "--help", .flag = &words->help },
		{ "-h", .flag = &words->help },
		{ "-c", .to = &at->config },
		{ "--config", .to = &at->config },
		{ "--keys-file", .to = &at->keys_file },
		{ "--master-key-file", .to = &at->master_key_file },
		{ "--master-key-env", .to = &at->master_key_env },
		{ "--identities-file", .to = &at->identities_file },
		{ "--policies-dir", .to = &at->policies_dir },
	};
	size_t shared = p == NULL ? 2 : sizeof(common) / sizeof(common[0]);
	const struct weirctl_argument *a;
	const char *value;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-') {
			if (words->n == WEIRCTL_WORDS_MAX)
				return false;
			words->v[words->n++] = argv[i];
			continue;
		}
		a = find(arguments, n, argc, argv, &i, &value);
		if (a == NULL)
			a = find(common, shared, argc, argv, &i, &value);
		if (a == NULL || !take(a, value)) {
			fprintf(stderr, "weirctl: %s is no argument of this "
			    "command, or lacks its value\n", argv[i]);
			return false;
		}
	}
	return true;
}

/* ---- complaints ---- */

int
weirctl_refuse(const char *text)
{
	fprintf(stderr, "weirctl: %s\n", text);
	return WEIRCTL_REFUSED;
}

int
weirctl_refuse_all(struct error_list *errs)
{
	error_list_print(errs, stderr, "weirctl: ");
	error_list_free(errs);
	return WEIRCTL_REFUSED;
}

/* ---- files ---- */

/* The configuration's group auth, or an empty one; NULL: it was said. Only
 * what stands there about files is read: the rest may still be wrong. */
static json_t *
read_config(const char *path)
{
	json_t *in = json_object(), *doc, *auth;
	json_error_t why;

	if (path == NULL)
		return in;
	doc = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (doc == NULL) {
		fprintf(stderr, "weirctl: %s: line %d: %s\n", path, why.line,
		    why.text);
		json_decref(in);
		return NULL;
	}
	auth = json_object_get(doc, "auth");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		json_t *v = json_object_get(auth, members[i]);

		if (v != NULL)
			json_object_set(in, members[i], v);
	}
	json_decref(doc);
	return in;
}

/* Arguments go before the file; their paths begin where weirctl was called. */
static void
set_path(json_t *in, const char *name, const char *value)
{
	char *whole;

	if (value == NULL)
		return;
	whole = value[0] == '/' ? NULL : realpath(".", NULL);
	if (whole != NULL)
		json_object_set_new(in, name, json_sprintf("%s/%s", whole,
		    value));
	else
		json_object_set_new(in, name, json_string(value));
	free(whole);
}

static void
set_arguments(json_t *in, const struct weirctl_places *p)
{
	set_path(in, "keys_file", p->keys_file);
	set_path(in, "identities_file", p->identities_file);
	set_path(in, "policies_dir", p->policies_dir);
	if (p->master_key_file != NULL || p->master_key_env != NULL) {
		json_object_del(in, "master_key_file");
		json_object_del(in, "master_key_env");
	}
	set_path(in, "master_key_file", p->master_key_file);
	if (p->master_key_env != NULL)
		json_object_set_new(in, "master_key_env",
		    json_string(p->master_key_env));
}

bool
weirctl_files_read(const struct weirctl_places *p, struct weirctl_files *to)
{
	struct error_list errs = { NULL, 0 };
	json_t *in = read_config(p->config);
	char *copy;

	memset(to, 0, sizeof(*to));
	if (in == NULL)
		return false;
	set_arguments(in, p);
	copy = mem_strdup(p->config == NULL ? "." : p->config);
	(void)option_read(&group, in, to,
	    p->config == NULL ? "." : dirname(copy), &errs);
	free(copy);
	json_decref(in);
	if (errs.n == 0)
		return true;
	weirctl_refuse_all(&errs);
	return false;
}

void
weirctl_files_fini(struct weirctl_files *f)
{
	option_free(&group, f);
}

struct seal *
weirctl_seal(const struct weirctl_files *f)
{
	struct error err;
	struct seal *s;

	if (f->master_key == NULL) {
		weirctl_refuse("there is no master key: give "
		    "--master-key-file, --master-key-env, or -c with a file "
		    "that has auth.master_key_file; `openssl rand -base64 32` "
		    "makes one");
		return NULL;
	}
	s = seal_new(f->master_key, &err);
	if (s == NULL)
		weirctl_refuse(err.text);
	return s;
}
