/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl adopt: what a tenant would see of names that were there before. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/weirctl_auth.h"
#include "gateway/weirctl_http.h"

#define ADMIN_DEFAULT "127.0.0.1:9640"

struct planning {
	const char	*admin, *token_file, *config;
	const char	*tenant, *topics, *groups, *txns, *as;
	bool		 write, json;
	char		*own_admin, *own_token_file;	/* of the file */
};

static int
usage(FILE *f)
{
	fputs("usage: weirctl adopt plan --tenant T [options]\n\n"
	    "Shows what tenant T would see if it adopted the names on the "
	    "cluster that fit, what\n"
	    "stands in the way of each, and the file that T would have.\n\n"
	    "  --topics PATTERN    which topics; * is any text\n"
	    "  --groups PATTERN    which groups\n"
	    "  --txns PATTERN      which transactional ids\n"
	    "  --as NAME           what T calls them: with a * where the "
	    "patterns have their one\n"
	    "                      (default: as they are called now)\n"
	    "  --write             have weir write the file, T.json in "
	    "tenants_dir\n"
	    "  --admin HOST:PORT   the weir to ask (default "
	    ADMIN_DEFAULT ")\n"
	    "  --token-file FILE   the token that admin.token_file holds\n"
	    "  -c, --config FILE   both as this configuration says\n"
	    "  --json              for a program\n", f);
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

/* ---- whom to ask ---- */

/* Malloc'd: where to connect to for what weir listens on. */
static char *
reachable(const char *address)
{
	char host[256], *to;
	struct error err;
	int port;

	if (!address_split(address, host, sizeof(host), &port, &err) ||
	    (host[0] != '\0' && strcmp(host, "*") != 0 &&
	    strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0))
		return mem_strdup(address);
	to = mem_alloc(32);
	snprintf(to, 32, "127.0.0.1:%d", port);
	return to;
}

/* Malloc'd: a path of the configuration, which begins where that is. */
static char *
beside(const char *config, const char *path)
{
	char *copy = mem_strdup(config), *to;
	const char *base = dirname(copy);
	size_t size = strlen(base) + strlen(path) + 2;

	to = mem_alloc(size);
	if (path[0] == '/')
		snprintf(to, size, "%s", path);
	else
		snprintf(to, size, "%s/%s", base, path);
	free(copy);
	return to;
}

/* Arguments go before it. */
static bool
read_config(struct planning *w)
{
	json_error_t why;
	json_t *doc = json_load_file(w->config, JSON_REJECT_DUPLICATES, &why);
	const json_t *admin = json_object_get(doc, "admin");
	const char *address = json_string_value(json_object_get(admin,
	    "address"));
	const char *token = json_string_value(json_object_get(admin,
	    "token_file"));

	if (doc == NULL) {
		fprintf(stderr, "weirctl: %s: line %d: %s\n", w->config,
		    why.line, why.text);
		return false;
	}
	if (address != NULL)
		w->own_admin = reachable(address);
	if (token != NULL)
		w->own_token_file = beside(w->config, token);
	if (w->admin == NULL)
		w->admin = w->own_admin;
	if (w->token_file == NULL)
		w->token_file = w->own_token_file;
	json_decref(doc);
	return true;
}

static json_t *
ask(const struct planning *w, int *code)
{
	const struct http_pair pairs[] = {
		{ "tenant", w->tenant }, { "topics", w->topics },
		{ "groups", w->groups }, { "txns", w->txns },
		{ "as", w->as },
	};
	char *path = http_path("/adopt", pairs,
	    sizeof(pairs) / sizeof(pairs[0]));
	json_t *v = http_ask(w->admin != NULL ? w->admin : ADMIN_DEFAULT,
	    w->token_file, w->write ? "POST" : "GET", path, code);

	free(path);
	return v;
}

/* ---- the answer ---- */

static const char *
text_in(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s != NULL ? s : "";
}

static int
widest(const json_t *rows, const char *key, const char *title)
{
	size_t most = strlen(title), i;
	const json_t *row;

	json_array_foreach(rows, i, row) {
		size_t n = strlen(text_in(row, key));

		most = n > most && n <= 60 ? n : most;
	}
	return (int)most;
}

static void
print_rows(const json_t *rows)
{
	int name = widest(rows, "name", "ON THE CLUSTER");
	int as = widest(rows, "as", "FOR THE TENANT");
	const json_t *row;
	size_t i;

	printf("%-16s  %-*s  %-*s  %-7s  %s\n", "KIND", name, "ON THE CLUSTER",
	    as, "FOR THE TENANT", "STATE", "");
	json_array_foreach(rows, i, row) {
		const char *state = text_in(row, "state");
		bool none = strcmp(state, "blocked") == 0;

		printf("%-16s  %-*s  %-*s  %-7s  %s\n", text_in(row, "kind"),
		    name, text_in(row, "name"), as, none ? "-" :
		    text_in(row, "as"), state, text_in(row, "why"));
	}
}

static void
print_faults(const json_t *faults)
{
	const json_t *fault;
	size_t i;

	json_array_foreach(faults, i, fault)
		fprintf(stderr, "weirctl: %s: %s\n", text_in(fault, "path"),
		    text_in(fault, "reason"));
}

static void
print_plan(const struct planning *w, const json_t *v)
{
	bool changed = json_is_true(json_object_get(v, "changed"));
	const json_t *note;
	size_t i;

	print_rows(json_object_get(v, "rows"));
	putchar('\n');
	json_array_foreach(json_object_get(v, "notes"), i, note)
		printf("- %s\n", json_string_value(note));
	if (!changed)
		printf("- nothing is added to %s\n", text_in(v, "path"));
	else if (w->write)
		printf("- written: %s\n", text_in(v, "path"));
	else
		printf("- with --write %s would be:\n\n%s",
		    text_in(v, "path"), text_in(v, "file"));
}

static int
show(const struct planning *w, const json_t *v)
{
	const char *error = json_string_value(json_object_get(v, "error"));
	const json_t *faults = json_object_get(v, "faults");

	if (error != NULL)
		return weirctl_refuse(error);
	if (w->json) {
		json_dumpf(v, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else {
		print_plan(w, v);
		print_faults(faults);
	}
	if (faults == NULL)
		return WEIRCTL_OK;
	return weirctl_refuse("the file is written, but tenants cannot be "
	    "loaded until these faults are gone");
}

int
weirctl_adopt(int argc, char **argv)
{
	struct planning w = { .admin = NULL };
	struct weirctl_places places = { NULL };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--tenant", .to = &w.tenant },
		{ "--topics", .to = &w.topics },
		{ "--groups", .to = &w.groups },
		{ "--txns", .to = &w.txns },
		{ "--as", .to = &w.as },
		{ "--write", .flag = &w.write },
		{ "--admin", .to = &w.admin },
		{ "--token-file", .to = &w.token_file },
		{ "--json", .flag = &w.json },
	};
	int code = WEIRCTL_REFUSED;
	json_t *v = NULL;

	if (!weirctl_read(arguments, sizeof(arguments) / sizeof(arguments[0]),
	    &places, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	if (words.n != 1 || strcmp(words.v[0], "plan") != 0 ||
	    w.tenant == NULL)
		return usage(stderr);
	w.config = places.config;
	if (w.config == NULL || read_config(&w))
		v = ask(&w, &code);
	if (v != NULL)
		code = show(&w, v);
	json_decref(v);
	free(w.own_admin);
	free(w.own_token_file);
	return code;
}
