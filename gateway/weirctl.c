/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl: the operator's command line. Each subcommand is a row. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/weirctl_auth.h"
#include "gateway/weirctl_http.h"
#include "gateway/weirctl_status.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_REPLY = 3 };

#define ADMIN_DEFAULT "127.0.0.1:9640"

struct options {
	const char	*admin;
	const char	*token_file;
	bool		 json;
};

struct command {
	const char	*name, *text;
	int		(*run)(const struct options *o);
};

static int
complain(const char *text)
{
	fprintf(stderr, "weirctl: %s\n", text);
	return EXIT_REFUSED;
}

static void
print_json(const json_t *v)
{
	json_dumpf(v, stdout, JSON_INDENT(2));
	fputc('\n', stdout);
}

static int
run_status(const struct options *o)
{
	int code;
	json_t *v = http_ask(o->admin, o->token_file, "GET", "/status", &code);

	if (v == NULL)
		return code;
	if (o->json)
		print_json(v);
	else
		weirctl_print_status(v, stdout);
	json_decref(v);
	return EXIT_SUCCESS;
}

static int
run_reload(const struct options *o)
{
	int code;
	json_t *v = http_ask(o->admin, o->token_file, "POST", "/reload", &code), *fault;
	bool ok = json_is_true(json_object_get(v, "reloaded"));
	size_t i;

	if (v == NULL)
		return code;
	if (o->json)
		print_json(v);
	else if (ok)
		puts("reloaded");
	else
		complain("the configuration was not taken over:");
	json_array_foreach(json_object_get(v, "faults"), i, fault) {
		const char *path = json_string_value(json_object_get(fault,
		    "path"));
		const char *why = json_string_value(json_object_get(fault,
		    "reason"));

		if (!o->json)
			fprintf(stderr, "  %s: %s\n", path ? path : "",
			    why ? why : "");
	}
	json_decref(v);
	return ok ? EXIT_SUCCESS : EXIT_REFUSED;
}

static int
run_drain(const struct options *o)
{
	int code;
	json_t *v = http_ask(o->admin, o->token_file, "POST", "/drain", &code);

	if (v == NULL)
		return code;
	if (o->json)
		print_json(v);
	else
		puts("draining");
	json_decref(v);
	return EXIT_SUCCESS;
}

static const struct command commands[] = {
	{ "status", "show the cluster, this node's sessions and upstreams",
	    run_status },
	{ "reload", "read the configuration again, whole or not at all",
	    run_reload },
	{ "drain", "stop accepting, finish requests, end", run_drain },
};

/* These work on files and have arguments of their own. */
static const struct tool {
	const char	*name, *text;
	int		(*run)(int argc, char **argv);
} tools[] = {
	{ "keys", "make, list, disable and rotate access keys", weirctl_keys },
	{ "credentials", "issue temporary credentials of a role",
	    weirctl_credentials },
	{ "token", "sign what a client would send", weirctl_token },
	{ "tenants", "list, show, suspend and resume tenants",
	    weirctl_tenants },
	{ "adopt", "plan what a tenant takes over of what there was",
	    weirctl_adopt },
	{ "limits", "what limits a tenant has, and how much of each is used",
	    weirctl_limits },
	{ "explain", "which limits have held somebody up, and why",
	    weirctl_why },
	{ "explain-access", "may a principal do this, and who says so",
	    weirctl_explain },
};

static void
usage(FILE *f)
{
	fprintf(f, "usage: weirctl COMMAND [options]\n\ncommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(f, "  %-14s  %s\n", commands[i].name,
		    commands[i].text);
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		fprintf(f, "  %-14s  %s; see weirctl %s --help\n",
		    tools[i].name, tools[i].text, tools[i].name);
	fprintf(f, "\noptions:\n"
	    "  --admin HOST:PORT   weir's admin address (default %s)\n"
	    "  --token-file FILE   the token that admin.token_file holds\n"
	    "  --json              for a program: print JSON\n"
	    "  --help              this\n", ADMIN_DEFAULT);
}

/* Fills *o; returns the command's name, or NULL. */
static const char *
parse(int argc, char **argv, struct options *o, bool *help)
{
	static const struct option longs[] = {
		{ "admin", required_argument, NULL, 'a' },
		{ "token-file", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'a')
			o->admin = optarg;
		else if (c == 't')
			o->token_file = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			*help = true;
		else
			return NULL;
	}
	return optind == argc - 1 ? argv[optind] : NULL;
}

int
main(int argc, char **argv)
{
	struct options o = { .admin = ADMIN_DEFAULT };
	bool help = false;
	const char *name;

	for (size_t i = 0; argc > 1 && i < sizeof(tools) / sizeof(tools[0]);
	    i++)
		if (strcmp(argv[1], tools[i].name) == 0)
			return tools[i].run(argc - 1, argv + 1);
	name = parse(argc, argv, &o, &help);
	if (help) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; name != NULL &&
	    i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(&o);
	}
	usage(stderr);
	return EXIT_USAGE;
}
