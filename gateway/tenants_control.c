/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenants_control.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/audit.h"
#include "gateway/auth_control.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/fleet_control.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"

/* What the gateway keeps of them. */
struct tenants_control {
	uint64_t	 loading;	/* the folder when it was last read */
	uint64_t	 seen;		/* ... and judged, well or not */
	int64_t		 next_us;	/* when to look again */
};

static struct tenants_control *
control_of(struct gateway *g)
{
	if (g->tenants_control == NULL)
		g->tenants_control = mem_zalloc(sizeof(*g->tenants_control));
	return g->tenants_control;
}

/* ---- looking ---- */

/* A number that is another one when the file is. */
static uint64_t
look_at(int folder, const char *name)
{
	struct stat st;
	char text[512];
	int n;

	if (fstatat(folder, name, &st, 0) != 0)
		n = snprintf(text, sizeof(text), "%s %d", name, errno);
	else
		n = snprintf(text, sizeof(text), "%s %llu %lld %lld.%09ld "
		    "%lld.%09ld", name, (unsigned long long)st.st_ino,
		    (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		    st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec,
		    st.st_ctim.tv_nsec);
	return htab_hash((struct slice){ (const uint8_t *)text, n > 0 &&
	    (size_t)n < sizeof(text) ? (uint32_t)n : 0 });
}

/* What is being written under another name is nobody's yet. */
static bool
is_tenant(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* Of the whole folder, in whatever order it lists its files. */
static uint64_t
look(const char *path)
{
	DIR *d = path != NULL ? opendir(path) : NULL;
	uint64_t sum = path != NULL ? (uint64_t)errno : 0;
	struct dirent *e;
	uint32_t n = 0;

	if (d == NULL)
		return sum;
	for (sum = 1; (e = readdir(d)) != NULL && n < 2 * TENANTS_MAX; n++)
		if (is_tenant(e->d_name))
			sum += look_at(dirfd(d), e->d_name);
	closedir(d);
	return sum;
}

/* ---- loading ---- */

bool
tenants_control_load(struct gateway *g, const struct config *c,
    struct tenants **to, struct error_list *errs)
{
	/* Before it is read: what changes meanwhile is seen afterwards. */
	control_of(g)->loading = look(c->tenants_dir);
	return tenants_load(c, to, errs);
}

/* Of a tenant that was there before, however its file was changed. */
static void
tell_suspension(struct gateway *g, const struct tenant *was,
    const struct tenant *now)
{
	const char *before, *why;
	struct log_quoted q;
	char detail[512];

	(void)tenant_suspended(was, &before);
	(void)tenant_suspended(now, &why);
	if (text_eq(before, why))
		return;
	if (why != NULL)
		log_warn("tenant suspended", "tenant=%s reason=%s", now->id,
		    log_quote(slice_of(why), &q));
	else
		log_info("tenant resumed", "tenant=%s", now->id);
	snprintf(detail, sizeof(detail), "tenant %s%s%s", now->id,
	    why != NULL ? ": " : "", why != NULL ? why : "");
	audit_admin(g, why != NULL ? "suspend" : "resume", true, detail);
}

static void
tell_suspensions(struct gateway *g, const struct tenants *now)
{
	for (uint32_t i = 0; i < tenants_count(now); i++) {
		const struct tenant *t = tenants_at(now, i);
		const struct tenant *was = tenants_get(g->tenants,
		    slice_of(t->id));

		if (was != NULL)
			tell_suspension(g, was, t);
	}
}

void
tenants_control_take(struct gateway *g, struct tenants *t)
{
	struct tenants_control *k = control_of(g);

	k->seen = k->loading;
	tell_suspensions(g, t);
	tenants_unref(g->tenants);
	g->tenants = t;
	metric_set(g->metrics, METRIC_TENANTS, tenants_count(t));
	fleet_control_tenants(g);
}

/* The folder has faults: all else goes on as before. */
static void
take_suspensions(struct gateway *g)
{
	struct tenants *t = tenants_overlay(g->tenants,
	    g->config->tenants_dir);

	if (t == NULL)
		return;
	tenants_control_take(g, t);
	auth_control_hand_out(g);
}

bool
tenants_control_reload(struct gateway *g, struct error_list *errs)
{
	struct tenants_control *k = control_of(g);
	struct tenants *t;
	bool ok = tenants_control_load(g, g->config, &t, errs);

	if (ok) {
		tenants_control_take(g, t);
		auth_control_hand_out(g);
		log_info("tenants reloaded", "tenants=%u", tenants_count(t));
	} else {
		take_suspensions(g);
	}
	k->seen = k->loading;
	for (uint32_t i = 0; i < errs->n; i++)
		log_error("tenants not reloaded", "path=%s reason=\"%s\"",
		    errs->v[i].path, errs->v[i].reason);
	audit_admin(g, "tenants", ok, ok ? NULL : errs->v[0].reason);
	metric_add(g->metrics, ok ? METRIC_TENANT_RELOADS :
	    METRIC_TENANT_RELOADS_FAILED, 1);
	return ok;
}

void
tenants_control_tick(struct gateway *g)
{
	struct tenants_control *k = control_of(g);
	struct error_list errs = { NULL, 0 };
	int64_t now = loop_now_us(g->control);

	if (g->config->tenants_dir == NULL || now < k->next_us)
		return;
	k->next_us = now + TENANTS_LOOK_MS * 1000;
	if (look(g->config->tenants_dir) == k->seen)
		return;
	(void)tenants_control_reload(g, &errs);
	error_list_free(&errs);
}

void
tenants_control_free(struct gateway *g)
{
	free(g->tenants_control);
	tenants_unref(g->tenants);
}
