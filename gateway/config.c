/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/base/mem.h"
#include "gateway/config_check.h"
#include "gateway/quota_config.h"

/* The member's offset; does not compile when its C type is not the row's. */
#define MEMBER(group, type, member) _Generic( \
	((struct config_##group *)0)->member, \
	TYPE_##type: offsetof(struct config_##group, member))
#define TYPE_BOOL bool
#define TYPE_INT uint32_t
#define TYPE_SIZE uint64_t
#define TYPE_COUNT int32_t
#define TYPE_TEXT char *
#define TYPE_PATH char *
#define TYPE_ENUM unsigned int
#define TYPE_SECRET char *
#define TYPE_NETWORKS struct cidr_list
#define TYPE_TEXTS struct text_list
#define TYPE_PERCENTS struct percent_list

#define config_top config
enum { RESTART, LIVE };

/* "ingress_bytes|egress_bytes|...", in the order of enum quota_dimension. */
static const char barred_words[] =
#define X(name, word, kind, unit, scopes, result, text) "|" word
#include "quota/dimensions.def"
#undef X
    ;
#define dimension_words &barred_words[1]

#define GROUP(group) \
	static const struct option group##_rows[] = {
#define OPTION(group, type, member, initial, min, max, unit, when, text) \
	{ #member, OPTION_##type, MEMBER(group, type, member), min, max, \
	    #initial, unit, when == LIVE, text, NULL },
#define OBJECT(group, member, of, text) \
	{ #member, OPTION_OBJECT, offsetof(struct config_##group, member), \
	    0, 0, "null", "", false, text, &of##_group },
#define ARRAY(group, member, of, min, max, when, text) \
	{ #member, OPTION_ARRAY, offsetof(struct config_##group, member), \
	    min, max, "[]", "", when == LIVE, text, &of##_group },
#define END(group) \
	}; \
	static const struct option_group group##_group = { group##_rows, \
	    sizeof(group##_rows) / sizeof(group##_rows[0]), \
	    sizeof(struct config_##group) };
#include "gateway/options.def"

static struct config *
config_new(void)
{
	struct config *c = mem_zalloc(sizeof(*c));

	atomic_init(&c->refs, 1);
	return c;
}

struct config *
config_ref(struct config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void
config_unref(struct config *c)
{
	if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < c->listeners.n; i++)
		free(c->listeners.v[i].advertised_host);
	quota_config_free(c);
	option_free(&top_group, c);
	free(c);
}

static struct config *
config_from_json(json_t *in, const char *dir, struct error_list *errs)
{
	struct config *c = config_new();

	if (option_read(&top_group, in, c, dir, errs) &&
	    config_check(c, errs))
		return c;
	config_unref(c);
	return NULL;
}

static struct config *
parse_text(const char *text, size_t len, const char *dir,
    struct error_list *errs)
{
	json_error_t e;
	char where[64];
	json_t *in = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	struct config *c;

	if (in == NULL) {
		snprintf(where, sizeof(where), "%d:%d", e.line, e.column);
		error_list_add(errs, where, "%s", e.text);
		return NULL;
	}
	c = config_from_json(in, dir, errs);
	json_decref(in);
	return c;
}

struct config *
config_parse(const char *text, size_t len, struct error_list *errs)
{
	return parse_text(text, len, NULL, errs);
}

/* The file's folder; the caller frees. */
static char *
folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_strdup(".");
	return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

struct config *
config_load(const char *path, struct error_list *errs)
{
	FILE *f = fopen(path, "re");
	char *text, *dir;
	struct config *c = NULL;
	size_t n;

	if (f == NULL) {
		error_list_add(errs, "file", "cannot be opened: %s",
		    strerror(errno));
		return NULL;
	}
	text = mem_alloc(CONFIG_FILE_MAX + 1);
	dir = folder_of(path);
	n = fread(text, 1, CONFIG_FILE_MAX + 1, f);
	if (ferror(f))
		error_list_add(errs, "file", "cannot be read: %s",
		    strerror(errno));
	else if (n > CONFIG_FILE_MAX)
		error_list_add(errs, "file", "is longer than %d bytes",
		    CONFIG_FILE_MAX);
	else
		c = parse_text(text, n, dir, errs);
	fclose(f);
	free(dir);
	free(text);
	return c;
}

/* Says --listen where a file would have listeners[0].address. */
static void
rename_faults(struct error_list *errs, uint32_t from)
{
	static const char *const names[][2] = {
		{ "cluster.bootstrap", "--bootstrap" },
		{ "listeners[0].address", "--listen" },
		{ "listeners[0].advertised", "--advertise" },
		{ "admin.address", "--admin" },
		{ "workers", "--workers" },
		{ "log.level", "--log-level" },
		{ "log.format", "--log-format" },
	};

	for (uint32_t i = from; i < errs->n; i++) {
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			if (strcmp(errs->v[i].path, names[j][0]) != 0)
				continue;
			free(errs->v[i].path);
			errs->v[i].path = mem_strdup(names[j][1]);
		}
	}
}

struct config *
config_from_cli(const struct config_cli *cli, struct error_list *errs)
{
	uint32_t before = errs->n;
	json_error_t e;
	json_t *in = json_pack_ex(&e, 0,
	    "{s:{s:s?}, s:[{s:s?, s:s?}], s:{s:s}, s:{s:s?, s:s?}, s:i}",
	    "cluster", "bootstrap", cli->bootstrap,
	    "listeners", "address", cli->listen, "advertised", cli->advertise,
	    "admin", "address", cli->admin != NULL ? cli->admin : "none",
	    "log", "level", cli->log_level, "format", cli->log_format,
	    "workers", cli->workers);
	struct config *c;

	if (in == NULL) {
		error_list_add(errs, "command line", "%s", e.text);
		return NULL;
	}
	c = config_from_json(in, NULL, errs);
	json_decref(in);
	rename_faults(errs, before);
	return c;
}

bool
config_check_reload(const struct config *old, const struct config *new,
    struct error_list *errs)
{
	return option_check_reload(&top_group, old, new, errs);
}

const struct option_group *
config_tenant_group(void)
{
	return &tenant_group;
}

/* The rows of a tenant's file, behind those of the configuration. */
static void
print_tenant(enum option_format format, FILE *f)
{
	static const char about[] = "In the folder tenants_dir each file "
	    "ID.json is the tenant ID: a name of a-z, 0-9 and -, of at most "
	    "64 characters. All members may be left out.";

	if (format == OPTION_AS_MAN)
		fprintf(f, ".SH TENANT FILES\n%s\n", about);
	else
		fprintf(f, "\n%s\n\n", about);
	option_print(&tenant_group, format, f);
}

bool
config_print_options(const char *format, FILE *f)
{
	static const char *const names[] = { "text", "man", "json" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(format, names[i]) != 0)
			continue;
		option_print(&top_group, (enum option_format)i, f);
		if (i != OPTION_AS_JSON)
			print_tenant((enum option_format)i, f);
		return true;
	}
	if (strcmp(format, "tenant") != 0)
		return false;
	option_print(&tenant_group, OPTION_AS_JSON, f);
	return true;
}
