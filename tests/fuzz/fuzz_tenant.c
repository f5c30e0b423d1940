/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant's file: taken, or refused with reasons. Clients are held against its
 * rules, and it can be suspended and resumed by its text.
 */
#include <arpa/inet.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/principal.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/net/conn.h"
#include "gateway/tenants.h"
#include "gateway/tenants_file.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *
make_config(void)
{
	const struct config_cli cli = { .bootstrap = "127.0.0.1:1",
		.listen = "127.0.0.1:9092", .log_level = "error",
		.log_format = "text", .workers = 1 };
	struct error_list errs = { NULL, 0 };
	struct config *c = config_from_cli(&cli, &errs);

	assert(c != NULL);
	return c;
}

static void
find_one(const struct tenants *t, bool somewhere)
{
	struct principal *p = principal_new(PRINCIPAL_ROLE, "aws", "1",
	    SLICE_LIT("app"), SLICE_LIT("run"));
	struct conn_peer peer = { .remote.in.sin_family = AF_INET };
	const struct tenant_client c = { .principal = p, .listener = "kafka",
		.server_name = "a.example.com", .peer = &peer,
		.somewhere = somewhere };
	struct tenant *to;
	struct error err;

	p->key_id = mem_strdup("AKIA");
	p->tenant = mem_strdup("team");
	assert(tenants_find(t, &c, &to, &err) != TENANT_AMBIGUOUS);
	principal_unref(p);
}

/* What was suspended is resumed to the same meaning. */
static void
edit(const struct config *c, const char *text)
{
	struct error_list errs = { NULL, 0 };
	struct tenants *t;
	struct error err;
	const char *why;
	char *to = tenants_file_edit(text, "w\"\\y", &err);

	if (to == NULL)
		return;		/* an odd way to write the member */
	t = tenants_parse(c, "t", to, strlen(to), &errs);
	assert(t != NULL && tenant_suspended(tenants_at(t, 0), &why) &&
	    strcmp(why, "w\"\\y") == 0);
	tenants_unref(t);
	free(to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	struct error_list errs = { NULL, 0 };
	struct tenants *t;
	char *text = mem_strndup(data, size);

	if (config == NULL)
		config = make_config();
	t = tenants_parse(config, "t", text, size, &errs);
	assert((t != NULL) == (errs.n == 0));
	if (t != NULL) {
		find_one(t, false);
		find_one(t, true);
		edit(config, text);
		tenants_unref(t);
	}
	error_list_free(&errs);
	free(text);
	return 0;
}
