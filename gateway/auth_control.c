/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth_control.h"

#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/jwks.h"
#include "gateway/auth_config.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/jwks_fetch.h"

/* What the gateway keeps of it. */
struct auth_control {
	struct jwks		*jwks;		/* fetched last, or NULL */
	struct jwks_fetch	*fetch;		/* NULL: there is no URL */
	char			*url, *ca_file;
	uint32_t		 refresh_ms;
};

static struct auth_control *
control_of(struct gateway *g)
{
	if (g->auth_control == NULL)
		g->auth_control = mem_zalloc(sizeof(*g->auth_control));
	return g->auth_control;
}

static char *
copy_of(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

void
auth_control_hand_out(struct gateway *g)
{
	for (int i = 0; i < g->worker_count; i++)
		worker_set_auth(g->workers[i], g->auth, g->tenants);
}

static void
got_keys(void *arg, struct jwks *j)
{
	struct gateway *g = arg;
	struct auth_control *k = control_of(g);
	struct auth *a = auth_with_jwks(g->auth, j);

	jwks_unref(k->jwks);
	k->jwks = jwks_ref(j);
	auth_unref(g->auth);
	g->auth = a;
	log_info("the issuer's keys have changed", "keys=%u url=%s",
	    jwks_count(j), k->url);
	auth_control_hand_out(g);
}

struct auth *
auth_control_load(struct gateway *g, const struct config *c,
    struct error_list *errs)
{
	struct auth_control *k = control_of(g);

	return auth_from_config(c, text_eq(k->url, c->auth.jwt.jwks_url) ?
	    k->jwks : NULL, errs);
}

static void
forget_fetch(struct auth_control *k)
{
	if (k->fetch != NULL)
		jwks_fetch_free(k->fetch);
	k->fetch = NULL;
	free(k->url);
	free(k->ca_file);
	k->url = k->ca_file = NULL;
}

/* Keys of another URL are nobody's any more. */
static void
fetch_from(struct gateway *g, const struct config_jwt *j)
{
	struct auth_control *k = control_of(g);
	struct jwks_fetch_options o = { .url = j->jwks_url,
	    .ca_file = j->jwks_ca_file, .refresh_ms = j->jwks_refresh_ms };

	if (text_eq(k->url, j->jwks_url) &&
	    text_eq(k->ca_file, j->jwks_ca_file) &&
	    k->refresh_ms == j->jwks_refresh_ms)
		return;
	if (!text_eq(k->url, j->jwks_url)) {
		jwks_unref(k->jwks);
		k->jwks = NULL;
	}
	forget_fetch(k);
	k->url = copy_of(j->jwks_url);
	k->ca_file = copy_of(j->jwks_ca_file);
	k->refresh_ms = j->jwks_refresh_ms;
	if (k->url != NULL)
		k->fetch = jwks_fetch_new(g->control, &o, got_keys, g);
}

void
auth_control_take(struct gateway *g, const struct config *c, struct auth *a)
{
	auth_unref(g->auth);
	g->auth = a;
	auth_control_hand_out(g);
	fetch_from(g, &c->auth.jwt);
}

void
auth_control_tick(struct gateway *g)
{
	struct auth_control *k = control_of(g);

	if (atomic_exchange(&g->jwks_wished, false) && k->fetch != NULL)
		jwks_fetch_wish(k->fetch);
}

void
auth_control_free(struct gateway *g)
{
	if (g->auth_control != NULL) {
		forget_fetch(g->auth_control);
		jwks_unref(g->auth_control->jwks);
		free(g->auth_control);
	}
	auth_unref(g->auth);
}
