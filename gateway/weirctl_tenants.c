/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl tenants: list, show, suspend, resume. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/tenants.h"
#include "gateway/tenants_file.h"
#include "gateway/weirctl_auth.h"
#include "gateway/weirctl_http.h"

struct work {
	const char	*admins[WEIRCTL_LIST_MAX];
	uint32_t	 admin_count;
	const char	*token_file, *config, *folder, *reason;
	const char	*id;		/* NULL: not given */
	bool		 json;
};

static int
usage(FILE *f)
{
	fputs("usage: weirctl tenants SUBCOMMAND [options]\n\n"
	    "  list                    all tenants, and how many sessions each "
	    "has there\n"
	    "  show T                  one of them\n"
	    "  suspend T --reason TEXT ends its sessions and lets nobody in; "
	    "members are told TEXT\n"
	    "  resume T                lets them in again\n\n"
	    "  --admin HOST:PORT       the weir to ask or tell (default "
	    "127.0.0.1:9640); to suspend\n"
	    "                          and resume several may be given\n"
	    "  --token-file FILE       the token that admin.token_file holds\n"
	    "  -c, --config FILE       suspend and resume: change the file in "
	    "the tenants_dir of this\n"
	    "                          configuration; nodes see it by "
	    "themselves\n"
	    "  --tenants-dir FOLDER    the same, by the folder\n"
	    "  --json                  for a program\n", f);
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

/* ---- asking ---- */

static const char *
text_in(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s != NULL ? s : "";
}

/* The tenants that the first admin address knows, or NULL: it was said. */
static json_t *
ask(const struct work *w, int *code)
{
	const struct http_pair id = { "id", w->id };
	char *path = http_path("/tenants", &id, 1);
	const char *fault;
	json_t *v;

	v = http_ask(w->admins[0], w->token_file, "GET", path, code);
	free(path);
	fault = json_string_value(json_object_get(v, "error"));
	if (fault == NULL)
		return v;
	*code = weirctl_refuse(fault);
	json_decref(v);
	return NULL;
}

static void
print_json(const json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
}

static void
print_list(const json_t *all)
{
	const json_t *t;
	size_t i;

	printf("%-24s %-9s %8s  %-36s %s\n", "TENANT", "NAMESPACE", "SESSIONS",
	    "CLUSTER ID", "STATE");
	json_array_foreach(all, i, t) {
		const char *why = text_in(t, "suspended");

		printf("%-24s %-9s %8lld  %-36s %s%s\n", text_in(t, "id"),
		    text_in(t, "namespace"), (long long)json_integer_value(
		    json_object_get(t, "sessions")), text_in(t, "cluster_id"),
		    why[0] != '\0' ? "suspended: " : "open", why);
	}
}

static int
list(const struct work *w)
{
	int code;
	json_t *v = ask(w, &code);

	if (v == NULL)
		return code;
	if (w->json)
		print_json(v);
	else
		print_list(json_object_get(v, "tenants"));
	json_decref(v);
	return WEIRCTL_OK;
}

/* "a, b" of an array of texts. */
static void
print_texts(const char *name, const json_t *v)
{
	const json_t *e;
	size_t i;

	if (json_array_size(v) == 0)
		return;
	printf("%-12s", name);
	json_array_foreach(v, i, e)
		printf("%s%s", i > 0 ? ", " : "", json_string_value(e));
	putchar('\n');
}

/* "principal=... listener=..." each. */
static void
print_members(const json_t *v)
{
	const json_t *rule, *value;
	const char *key;
	size_t i;

	json_array_foreach(v, i, rule) {
		printf("%-12s", i == 0 ? "members" : "");
		json_object_foreach((json_t *)(uintptr_t)rule, key, value)
			printf("%s=%s ", key, json_string_value(value));
		putchar('\n');
	}
}

static void
print_one(const json_t *t)
{
	const json_t *n = json_object_get(t, "networks");
	const json_t *a = json_object_get(t, "adopted");
	const char *why = text_in(t, "suspended");

	printf("tenant      %s\nnamespace   %s\ncluster id  %s\narn         "
	    "%s\nsessions    %lld\n", text_in(t, "id"),
	    text_in(t, "namespace"), text_in(t, "cluster_id"),
	    text_in(t, "arn"), (long long)json_integer_value(
	    json_object_get(t, "sessions")));
	if (why[0] != '\0')
		printf("suspended   %s\n", why);
	print_members(json_object_get(t, "members"));
	print_texts("networks", json_object_get(n, "cidrs"));
	print_texts("endpoints", json_object_get(n, "vpc_endpoints"));
	print_texts("policies", json_object_get(t, "policies"));
	printf("adopted     %lld topics, %lld groups, %lld transactional ids\n",
	    (long long)json_integer_value(json_object_get(a, "topics")),
	    (long long)json_integer_value(json_object_get(a, "groups")),
	    (long long)json_integer_value(json_object_get(a,
	    "transactional_ids")));
}

static int
show(const struct work *w)
{
	int code;
	json_t *v = ask(w, &code), *one;

	if (v == NULL)
		return code;
	one = json_array_get(json_object_get(v, "tenants"), 0);
	if (w->json)
		print_json(one);
	else
		print_one(one);
	json_decref(v);
	return WEIRCTL_OK;
}

/* ---- changing ---- */

/* The folder that the configuration names, malloc'd; NULL: it was said. */
static char *
folder_of(const char *config)
{
	json_error_t why;
	json_t *doc = json_load_file(config, JSON_REJECT_DUPLICATES, &why);
	const char *dir = json_string_value(json_object_get(doc,
	    "tenants_dir"));
	char *copy = mem_strdup(config), *to = NULL;
	size_t size;

	if (doc == NULL) {
		fprintf(stderr, "weirctl: %s: line %d: %s\n", config, why.line,
		    why.text);
	} else if (dir == NULL) {
		fprintf(stderr, "weirctl: %s has no tenants_dir\n", config);
	} else if (dir[0] == '/') {
		to = mem_strdup(dir);
	} else {
		const char *base = dirname(copy);

		size = strlen(base) + strlen(dir) + 2;
		to = mem_alloc(size);
		snprintf(to, size, "%s/%s", base, dir);
	}
	free(copy);
	json_decref(doc);
	return to;
}

static int
change_file(const struct work *w, const char *why)
{
	char *folder = w->folder != NULL ? mem_strdup(w->folder) :
	    folder_of(w->config);
	struct error err;
	int code = WEIRCTL_OK;

	if (folder == NULL)
		return WEIRCTL_REFUSED;
	if (!tenants_file_suspend(folder, w->id, why, &err))
		code = weirctl_refuse(err.text);
	free(folder);
	return code;
}

static int
tell(const struct work *w, const char *admin, const char *why)
{
	const struct http_pair pairs[] = {
		{ "id", w->id }, { "reason", why },
	};
	char *path = http_path(why != NULL ? "/tenants/suspend" :
	    "/tenants/resume", pairs, 2);
	const json_t *fault;
	json_t *v;
	size_t i;
	bool ok;
	int code;

	v = http_ask(admin, w->token_file, "POST", path, &code);
	free(path);
	if (v == NULL)
		return code;
	json_array_foreach(json_object_get(v, "faults"), i, fault)
		fprintf(stderr, "weirctl: %s: %s: %s\n", admin,
		    text_in(fault, "path"), text_in(fault, "reason"));
	ok = json_is_true(json_object_get(v, why != NULL ? "suspended" :
	    "resumed"));
	json_decref(v);
	return ok ? WEIRCTL_OK : WEIRCTL_REFUSED;
}

/* All that can be done is done, also when a part of it fails. */
static int
change(const struct work *w, const char *why)
{
	int code = WEIRCTL_OK, one;

	if (w->folder != NULL || w->config != NULL)
		code = change_file(w, why);
	for (uint32_t i = 0; i < w->admin_count; i++) {
		one = tell(w, w->admins[i], why);
		code = code == WEIRCTL_OK ? one : code;
	}
	if (code != WEIRCTL_OK)
		return code;
	if (w->json)
		printf("{\n  \"%s\": true\n}\n", why != NULL ? "suspended" :
		    "resumed");
	else
		printf("%s %s\n", why != NULL ? "suspended" : "resumed", w->id);
	return code;
}

static int
suspend(const struct work *w)
{
	return change(w, w->reason);
}

static int
resume(const struct work *w)
{
	return change(w, NULL);
}

/* ---- arguments ---- */

static const struct subcommand {
	const char	*name;
	bool		 needs_id, needs_reason, changes;
	int		(*run)(const struct work *w);
} subcommands[] = {
	{ "list", false, false, false, list },
	{ "show", true, false, false, show },
	{ "suspend", true, true, true, suspend },
	{ "resume", true, false, true, resume },
};

/* NULL: the usage is due. */
static const struct subcommand *
find(const struct weirctl_words *words, const struct work *w)
{
	for (size_t i = 0; words->n > 0 &&
	    i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		const struct subcommand *c = &subcommands[i];
		bool files = w->folder != NULL || w->config != NULL;

		if (strcmp(words->v[0], c->name) != 0)
			continue;
		return c->needs_id == (words->n == 2) &&
		    c->needs_reason == (w->reason != NULL) &&
		    (c->changes || (!files && w->admin_count <= 1)) ? c : NULL;
	}
	return NULL;
}

int
weirctl_tenants(int argc, char **argv)
{
	struct work w = { .admin_count = 0 };
	struct weirctl_places places = { .keys_file = NULL };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--admin", .list = w.admins, .list_count = &w.admin_count },
		{ "--token-file", .to = &w.token_file },
		{ "--tenants-dir", .to = &w.folder },
		{ "--reason", .to = &w.reason },
		{ "--json", .flag = &w.json },
	};
	const struct subcommand *c;

	if (!weirctl_read(arguments, sizeof(arguments) / sizeof(arguments[0]),
	    &places, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	w.config = places.config;
	w.id = words.n > 1 ? words.v[1] : NULL;
	c = find(&words, &w);
	if (c == NULL)
		return usage(stderr);
	if (w.admin_count == 0 && w.folder == NULL && w.config == NULL)
		w.admins[w.admin_count++] = "127.0.0.1:9640";
	return c->run(&w);
}
