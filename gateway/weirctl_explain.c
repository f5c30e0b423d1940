/* SPDX-License-Identifier: Apache-2.0 */
/* weirctl explain-access: of a running weir, or of a configuration file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auth/auth.h"
#include "gateway/auth_config.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/explain.h"
#include "gateway/tenants.h"
#include "gateway/weirctl_auth.h"
#include "gateway/weirctl_http.h"

struct asking {
	struct explain_query	 query;
	const char		*admin, *token_file, *config;
	const char		*context[WEIRCTL_LIST_MAX];
	uint32_t		 context_count;
	bool			 json;
};

static int
usage(FILE *f)
{
	fputs("usage: weirctl explain-access --principal P --action A "
	    "--resource R [options]\n\n"
	    "  --principal P       user/NAME, role/NAME, subject/NAME, "
	    "certificate/NAME or an ARN\n"
	    "  --action A          such as kafka-cluster:WriteData; the prefix "
	    "may be left out\n"
	    "  --resource R        cluster, topic/NAME, group/NAME, "
	    "transactional-id/NAME or an ARN\n"
	    "  --tenant T          as that tenant's member, when the principal "
	    "does not say whose it is;\n"
	    "                      resources are then as the tenant names "
	    "them\n"
	    "  --context KEY=VALUE a condition key, such as "
	    "aws:SourceIp=10.1.2.3; repeatable\n"
	    "  --admin HOST:PORT   the weir to ask (default 127.0.0.1:9640)\n"
	    "  --token-file FILE   the token that admin.token_file holds\n"
	    "  -c, --config FILE   ask no weir: judge by this configuration\n"
	    "  --json              for a program\n\n"
	    "Ends with 0 when it is allowed and 1 when it is not.\n", f);
	return f == stdout ? WEIRCTL_OK : WEIRCTL_USAGE;
}

static json_t *
ask_weir(const struct asking *a, int *code)
{
	struct http_pair pairs[4 + EXPLAIN_CONTEXT_MAX] = {
		{ "principal", a->query.principal },
		{ "action", a->query.action },
		{ "resource", a->query.resource },
		{ "tenant", a->query.tenant },
	};
	size_t n = 4;
	char *path;
	json_t *v;

	for (uint32_t i = 0; i < a->context_count; i++)
		pairs[n++] = (struct http_pair){ "context", a->context[i] };
	path = http_path("/explain-access", pairs, n);
	v = http_ask(a->admin, a->token_file, "GET", path, code);
	free(path);
	return v;
}

static json_t *
ask_file(struct asking *a, int *code)
{
	struct error_list errs = { NULL, 0 };
	struct config *c = config_load(a->config, &errs);
	struct auth *auth = c != NULL ? auth_from_config(c, NULL, &errs) :
	    NULL;
	struct tenants *tenants = NULL;
	struct error err;
	json_t *v = NULL;

	if (auth == NULL || !tenants_load(c, &tenants, &errs)) {
		*code = weirctl_refuse_all(&errs);
	} else {
		v = explain_access(auth, tenants, &a->query, &err);
		if (v == NULL)
			*code = weirctl_refuse(err.text);
	}
	if (auth != NULL)
		auth_unref(auth);
	tenants_unref(tenants);
	config_unref(c);
	error_list_free(&errs);
	return v;
}

static void
print(const json_t *v)
{
	const char *text = json_string_value(json_object_get(v, "text"));
	const char *tenant = json_string_value(json_object_get(v, "tenant"));
	const char *suspended = json_string_value(json_object_get(v,
	    "suspended"));

	if (suspended != NULL)
		printf("tenant %s is suspended, so nobody gets in: %s\n",
		    tenant, suspended);
	else if (tenant != NULL)
		printf("tenant %s\n", tenant);
	printf("%s\n%s\n", json_is_true(json_object_get(v, "allowed")) ?
	    "allowed" : "denied", text != NULL ? text : "");
}

static int
answer(const struct asking *a, json_t *v)
{
	const char *fault = json_string_value(json_object_get(v, "error"));
	bool allowed = json_is_true(json_object_get(v, "allowed"));

	if (fault != NULL)
		return weirctl_refuse(fault);
	if (a->json) {
		json_dumpf(v, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else {
		print(v);
	}
	return allowed ? WEIRCTL_OK : WEIRCTL_REFUSED;
}

int
weirctl_explain(int argc, char **argv)
{
	struct asking a = { .admin = "127.0.0.1:9640" };
	struct weirctl_places places = { .keys_file = NULL };
	struct weirctl_words words = { .n = 0 };
	const struct weirctl_argument arguments[] = {
		{ "--principal", .to = &a.query.principal },
		{ "--action", .to = &a.query.action },
		{ "--resource", .to = &a.query.resource },
		{ "--tenant", .to = &a.query.tenant },
		{ "--context", .list = a.context,
		    .list_count = &a.context_count },
		{ "--admin", .to = &a.admin },
		{ "--token-file", .to = &a.token_file },
		{ "--json", .flag = &a.json },
	};
	int code = WEIRCTL_REFUSED;
	json_t *v;

	if (!weirctl_read(arguments, sizeof(arguments) / sizeof(arguments[0]),
	    &places, argc, argv, &words))
		return usage(stderr);
	if (words.help)
		return usage(stdout);
	if (words.n != 0 || a.query.principal == NULL ||
	    a.query.action == NULL || a.query.resource == NULL ||
	    a.context_count > EXPLAIN_CONTEXT_MAX)
		return usage(stderr);
	a.config = places.config;
	memcpy(a.query.context, a.context,
	    a.context_count * sizeof(a.context[0]));
	a.query.context_count = a.context_count;
	v = a.config != NULL ? ask_file(&a, &code) : ask_weir(&a, &code);
	if (v == NULL)
		return code;
	code = answer(&a, v);
	json_decref(v);
	return code;
}
