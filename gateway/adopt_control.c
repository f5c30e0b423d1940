/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/adopt_control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "auth/file.h"
#include "gateway/adopt.h"
#include "gateway/adopt_gather.h"
#include "gateway/audit.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/tenants_control.h"
#include "gateway/tenants_file.h"
#include "routing/upstream.h"

struct adopt_control {
	struct gateway		*gateway;
	struct pool		*pool;
	/* The question at work. */
	bool			 asked, write;
	struct adopt_query	 query;
	char			*texts[NAME_KINDS + 2];	/* what it points to */
	adopt_done_cb		*done;
	void			*arg;
};

static struct adopt_control *
control_of(struct gateway *g)
{
	struct adopt_control *k = g->adopt_control;
	struct upstream_options o;

	if (k != NULL)
		return k;
	k = g->adopt_control = mem_zalloc(sizeof(*k));
	k->gateway = g;
	gateway_upstream_options(g, &o);
	k->pool = pool_new(g->control, &o);
	return k;
}

static void
answer(struct adopt_control *k, json_t *v, const struct error *why)
{
	for (int i = 0; i < NAME_KINDS + 2; i++) {
		free(k->texts[i]);
		k->texts[i] = NULL;
	}
	k->asked = false;
	k->done(k->arg, v, why);
}

static const char *
keep(struct adopt_control *k, int i, const char *text)
{
	k->texts[i] = text != NULL ? mem_strdup(text) : NULL;
	return k->texts[i];
}

/* ---- the file ---- */

/* malloc'd */
static char *
path_of(const struct adopt_control *k)
{
	const char *folder = k->gateway->config->tenants_dir;
	size_t size = strlen(folder) + strlen(k->query.tenant) + 7;
	char *to = mem_alloc(size);

	snprintf(to, size, "%s/%s.json", folder, k->query.tenant);
	return to;
}

/* *text: what it has, or NULL when there is none. */
static bool
read_file(const char *path, char **text, struct error *err)
{
	size_t len;

	*text = NULL;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	*text = file_read(path, TENANT_FILE_MAX, false, &len, err);
	if (*text == NULL)
		return error_prefix(err, "%s", path);
	if (strlen(*text) == len)
		return true;
	free(*text);
	*text = NULL;
	return error_set(err, "%s has a zero byte", path);
}

static json_t *
faults_json(const struct error_list *errs)
{
	json_t *to = json_array();

	for (uint32_t i = 0; i < errs->n; i++)
		json_array_append_new(to, json_pack("{s:s, s:s}",
		    "path", errs->v[i].path, "reason", errs->v[i].reason));
	return to;
}

/* Puts the file in its place and has it taken over. */
static bool
write_plan(struct adopt_control *k, json_t *plan,
    const struct tenants_file_seen *seen, struct error *err)
{
	struct gateway *g = k->gateway;
	const char *text = json_string_value(json_object_get(plan, "file"));
	struct error_list errs = { NULL, 0 };
	char detail[700];
	bool ok;

	if (!json_is_true(json_object_get(plan, "changed"))) {
		json_object_set_new(plan, "written", json_false());
		return true;
	}
	ok = tenants_file_write(g->config->tenants_dir, k->query.tenant, text,
	    seen, err);
	snprintf(detail, sizeof(detail), "tenant %.80s%s%s", k->query.tenant,
	    ok ? "" : ": ", ok ? "" : err->text);
	audit_admin(g, "adopt", ok, detail);
	if (!ok)
		return false;
	json_object_set_new(plan, "written", json_true());
	if (!tenants_control_reload(g, &errs))
		json_object_set_new(plan, "faults", faults_json(&errs));
	error_list_free(&errs);
	return true;
}

/* ---- one question ---- */

static void
gathered(void *arg, const struct adopt_names names[NAME_KINDS],
    const struct error *why)
{
	struct adopt_control *k = arg;
	const struct gateway *g = k->gateway;
	struct tenants_file_seen seen;
	char *path, *text;
	struct error err;
	json_t *plan = NULL;

	if (why != NULL) {
		answer(k, NULL, why);
		return;
	}
	if (g->config->tenants_dir == NULL) {	/* a reload, meanwhile */
		error_set(&err, "there are no tenants any more");
		answer(k, NULL, &err);
		return;
	}
	path = path_of(k);
	tenants_file_look(path, &seen);
	if (read_file(path, &text, &err))
		plan = adopt_plan(g->config, g->tenants, &k->query, names,
		    text, &err);
	if (plan != NULL)
		json_object_set_new(plan, "path", json_string(path));
	if (plan != NULL && k->write && !write_plan(k, plan, &seen, &err)) {
		json_decref(plan);
		plan = NULL;
	}
	free(text);
	free(path);
	answer(k, plan, plan == NULL ? &err : NULL);
}

static void
begin(struct adopt_control *k, const struct adopt_query *q)
{
	bool wanted[NAME_KINDS];

	for (int i = 0; i < NAME_KINDS; i++) {
		k->query.pattern[i] = keep(k, i, q->pattern[i]);
		wanted[i] = q->pattern[i] != NULL;
	}
	k->query.tenant = keep(k, NAME_KINDS, q->tenant);
	k->query.as = keep(k, NAME_KINDS + 1, q->as);
	k->asked = true;
	pool_set_cluster(k->pool, k->gateway->cluster);
	adopt_gather(k->pool, k->gateway->cluster, wanted, gathered, k);
}

void
adopt_ask(struct gateway *g, const struct adopt_query *q, bool write,
    adopt_done_cb *done, void *arg)
{
	struct error err;
	bool ok = adopt_query_check(q, &err);

	if (ok && g->config->tenants_dir == NULL)
		ok = error_set(&err, "there are no tenants: tenants_dir is "
		    "not set");
	if (ok && g->cluster == NULL)
		ok = error_set(&err, "the cluster is not known yet: ask again "
		    "when weir is ready");
	if (ok && control_of(g)->asked)
		ok = error_set(&err, "another plan is being made: ask again");
	if (!ok) {
		done(arg, NULL, &err);
		return;
	}
	g->adopt_control->write = write;
	g->adopt_control->done = done;
	g->adopt_control->arg = arg;
	begin(g->adopt_control, q);
}

void
adopt_control_free(struct gateway *g)
{
	if (g->adopt_control == NULL)
		return;
	pool_free(g->adopt_control->pool);	/* ends the calls */
	free(g->adopt_control);
	g->adopt_control = NULL;
}
