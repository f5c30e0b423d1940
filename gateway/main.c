/* SPDX-License-Identifier: Apache-2.0 */
/* weir's arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/rand.h>

#include "auth/auth.h"
#include "gateway/auth_config.h"
#include "gateway/config.h"
#include "gateway/control.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"

static const struct option_text {
	const char	*form, *text;
} help[] = {
	{ "weir run --bootstrap HOST:PORT[,...] --listen HOST:PORT",
	  "stand in front of that cluster, without a file" },
	{ "    [--advertise HOST:PORT]", "the one address clients are told" },
	{ "    [--admin HOST:PORT]", "metrics, health and status there" },
	{ "    [--workers N]", "threads (default: one a core)" },
	{ "    [--log-level debug|info|warn|error] [--log-format text|json]",
	  "" },
	{ "weir run -c FILE", "all that from a configuration file" },
	{ "weir check -c FILE", "name each fault of a configuration file" },
	{ "weir --print-options[=text|man|json|tenant]",
	  "describe every option" },
	{ "weir --version", "" },
};

static void
usage(FILE *f)
{
	fprintf(f, "usage:\n");
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		fprintf(f, "  %-52s %s\n", help[i].form, help[i].text);
}

static int
report(const struct error_list *errs, const char *where)
{
	char prefix[512];

	snprintf(prefix, sizeof(prefix), "weir: %s: ", where);
	error_list_print(errs, stderr, prefix);
	return 1;
}

struct arguments {
	struct config_cli	 cli;
	const char		*file;
};

/* One argument that takes a value: where it goes. */
struct argument {
	const char	*name;
	const char	**to;
};

/* The value of "--name VALUE" or "--name=VALUE" at argv[*i]; NULL when it is
 * another argument, or has no value (*missing). */
static const char *
value_of(const struct argument *a, int argc, char **argv, int *i,
    bool *missing)
{
	size_t n = strlen(a->name);

	if (strncmp(argv[*i], a->name, n) != 0)
		return NULL;
	if (argv[*i][n] == '=')
		return argv[*i] + n + 1;
	if (argv[*i][n] != '\0')
		return NULL;
	*missing = *i + 1 >= argc;
	return *missing ? NULL : argv[++*i];
}

static bool
read_workers(const char *text, int *to)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end != '\0' || n < 1 || n > GATEWAY_WORKERS_MAX) {
		fprintf(stderr, "weir: --workers takes a number from 1 to "
		    "%d\n", GATEWAY_WORKERS_MAX);
		return false;
	}
	*to = (int)n;
	return true;
}

/* False: they were wrong, and it has been said how. */
static bool
read_arguments(int argc, char **argv, struct arguments *a)
{
	const char *workers = NULL;
	const struct argument known[] = {
		{ "-c", &a->file }, { "--config", &a->file },
		{ "--bootstrap", &a->cli.bootstrap },
		{ "--listen", &a->cli.listen },
		{ "--advertise", &a->cli.advertise },
		{ "--admin", &a->cli.admin },
		{ "--log-level", &a->cli.log_level },
		{ "--log-format", &a->cli.log_format },
		{ "--workers", &workers },
	};

	for (int i = 1; i < argc; i++) {
		const char *value = NULL, *said = argv[i];
		bool missing = false;

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]) &&
		    value == NULL && !missing; k++) {
			value = value_of(&known[k], argc, argv, &i, &missing);
			if (value != NULL)
				*known[k].to = value;
		}
		if (value != NULL)
			continue;
		fprintf(stderr, missing ? "weir: %s needs a value\n" :
		    "weir: what is '%s'?\n", said);
		return false;
	}
	return workers == NULL || read_workers(workers, &a->cli.workers);
}

static bool
any_cli(const struct config_cli *c)
{
	return c->bootstrap || c->listen || c->advertise || c->admin ||
	    c->workers || c->log_level || c->log_format;
}

static int
run(const struct arguments *a)
{
	struct error_list errs = { NULL, 0 };
	struct config *c;

	if (a->file != NULL && any_cli(&a->cli)) {
		fprintf(stderr, "weir: with -c FILE everything is in the "
		    "file: give no other option\n");
		return 2;
	}
	if (a->file == NULL && (a->cli.bootstrap == NULL ||
	    a->cli.listen == NULL)) {
		fprintf(stderr, "weir: run needs -c FILE, or --bootstrap and "
		    "--listen\n");
		return 2;
	}
	c = a->file != NULL ? config_load(a->file, &errs) :
	    config_from_cli(&a->cli, &errs);
	if (c == NULL) {
		report(&errs, a->file ? a->file : "arguments");
		error_list_free(&errs);
		return 1;
	}
	error_list_free(&errs);
	return gateway_run(c, a->file);
}

static int
check(const struct arguments *a)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *tenants = NULL;
	struct auth *auth = NULL;
	struct config *c;
	int status = 0;

	if (a->file == NULL) {
		fprintf(stderr, "weir: check needs -c FILE\n");
		return 2;
	}
	c = config_load(a->file, &errs);
	if (c != NULL) {
		auth = auth_from_config(c, NULL, &errs);
		(void)tenants_load(c, &tenants, &errs);
	}
	if (errs.n > 0)
		status = report(&errs, a->file);
	else
		printf("%s: no faults\n", a->file);
	if (auth != NULL)
		auth_unref(auth);
	tenants_unref(tenants);
	config_unref(c);
	error_list_free(&errs);
	return status;
}

/* Whoever writes a JSON text cannot know which of its names collide. */
static void
seed_json(void)
{
	size_t seed;

	if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1) {
		fprintf(stderr, "weir: OpenSSL has no random numbers\n");
		exit(1);
	}
	json_object_seed(seed | 1);	/* 0 would be jansson's own choice */
}

static int
print_options(const char *arg)
{
	const char *format = strchr(arg, '=');

	format = format ? format + 1 : "text";
	if (config_print_options(format, stdout))
		return 0;
	fprintf(stderr, "weir: --print-options is text, man, json or "
	    "tenant\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct arguments a = { .file = NULL };
	const char *verb = argc > 1 ? argv[1] : "";

	seed_json();
	if (strcmp(verb, "--version") == 0) {
		printf("weir %s\n", WEIR_VERSION);
		return 0;
	}
	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
		usage(stdout);
		return 0;
	}
	if (strncmp(verb, "--print-options", 15) == 0)
		return print_options(verb);
	if (strcmp(verb, "run") != 0 && strcmp(verb, "check") != 0) {
		if (*verb != '\0')
			fprintf(stderr, "weir: what is '%s'?\n", verb);
		usage(stderr);
		return 2;
	}
	if (!read_arguments(argc - 1, argv + 1, &a)) {
		usage(stderr);
		return 2;
	}
	return strcmp(verb, "run") == 0 ? run(&a) : check(&a);
}
