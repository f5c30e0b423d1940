/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/principal.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/base/wildcard.h"
#include "gateway/config.h"
#include "gateway/net/conn.h"
#include "gateway/tenants_private.h"

enum { KEY_SIZE = 1100 };	/* the longest of a member, and its letter */

/* ---- places ---- */

/* A letter for the member, and its value. Values are as long as their option
 * rows let them be; a longer one of a client fits none. */
static bool
place_key(char letter, const char *value, char to[KEY_SIZE])
{
	int n = snprintf(to, KEY_SIZE, "%c%s", letter, value);

	for (char *p = to; letter == 'h' && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return n < KEY_SIZE;
}

/* The member that a rule stands under; false: with the others. Those that fit
 * the fewest clients go first. */
static bool
place_of(const struct config_tenant_member *m, char to[KEY_SIZE])
{
	if (m->access_key != NULL)
		return place_key('k', m->access_key, to);
	if (m->tenant_claim != NULL)
		return place_key('t', m->tenant_claim, to);
	if (m->principal != NULL && !wildcard_is(m->principal))
		return place_key('p', m->principal, to);
	if (m->certificate != NULL && !wildcard_is(m->certificate))
		return place_key('c', m->certificate, to);
	if (m->sni != NULL && !wildcard_is(m->sni))
		return place_key('h', m->sni, to);
	return false;
}

static void
place_rule(struct tenants *t, struct tenant_rule *r)
{
	char key[KEY_SIZE];

	if (!place_of(r->when, key)) {
		r->next = t->others;
		t->others = r;
		return;
	}
	r->next = htab_set(t->places, slice_of(key), r);
}

void
tenants_index(struct tenants *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		t->rule_count += t->v[i]->config->members.n;
	t->rules = mem_zalloc((t->rule_count + 1) * sizeof(*t->rules));
	t->places = htab_new();
	for (uint32_t i = 0; i < t->n; i++) {
		const struct config_tenant *c = t->v[i]->config;

		for (uint32_t j = 0; j < c->members.n; j++, n++) {
			t->rules[n].when = &c->members.v[j];
			t->rules[n].tenant = t->v[i];
			place_rule(t, &t->rules[n]);
		}
	}
}

/* ---- rules ---- */

/* Of what is not given, and, where the client is only somewhere, of what is not
 * known, nothing is wanted. */
static bool
place_fits(const struct config_tenant_member *m, const struct tenant_client *c)
{
	if (c->somewhere)
		return true;
	if (m->listener != NULL && !text_eq(m->listener, c->listener))
		return false;
	return m->sni == NULL || (c->server_name != NULL &&
	    wildcard_fits_case(m->sni, slice_of(c->server_name)));
}

static bool
principal_fits(const struct config_tenant_member *m,
    const struct principal *p)
{
	if (m->principal == NULL && m->access_key == NULL &&
	    m->tenant_claim == NULL && m->certificate == NULL)
		return true;
	if (p == NULL)
		return false;
	if (m->principal != NULL &&
	    !wildcard_fits(m->principal, slice_of(p->arn)) &&
	    !wildcard_fits(m->principal, slice_of(p->principal_arn)))
		return false;
	if (m->access_key != NULL && !text_eq(m->access_key, p->key_id))
		return false;
	if (m->tenant_claim != NULL && !text_eq(m->tenant_claim, p->tenant))
		return false;
	return m->certificate == NULL || (p->kind == PRINCIPAL_CERTIFICATE &&
	    wildcard_fits(m->certificate, slice_of(p->name)));
}

static bool
lets_in(const struct tenant *t, const struct conn_peer *peer)
{
	const struct config_tenant_networks *n = &t->config->networks;

	if (peer == NULL || n->cidrs.n + n->vpc_endpoints.n == 0 ||
	    cidr_list_has(&n->cidrs, &peer->remote.sa))
		return true;
	for (uint32_t i = 0; i < n->vpc_endpoints.n; i++)
		if (strcmp(n->vpc_endpoints.v[i], peer->vpce) == 0)
			return true;
	return false;
}

/* ---- finding ---- */

struct finding {
	const struct tenant_client *client;
	struct tenant		*first, *second;
	struct tenant		*outside;	/* fits, but not from there */
};

static void
judge(struct finding *f, const struct tenant_rule *r)
{
	struct tenant *t = r->tenant;

	if (t == f->first || t == f->second ||
	    !place_fits(r->when, f->client) ||
	    !principal_fits(r->when, f->client->principal))
		return;
	if (!lets_in(t, f->client->peer))
		f->outside = t;
	else if (f->first == NULL)
		f->first = t;
	else
		f->second = t;
}

/* Where the client comes in is not known: no place leads to its rules. */
static void
judge_every(struct finding *f, const struct tenants *t)
{
	for (uint32_t i = 0; i < t->rule_count; i++)
		judge(f, &t->rules[i]);
}

static void
judge_all(struct finding *f, const struct tenant_rule *r)
{
	for (; r != NULL; r = r->next)
		judge(f, r);
}

static void
judge_at(struct finding *f, const struct tenants *t, char letter,
    const char *value)
{
	char key[KEY_SIZE];

	if (value != NULL && place_key(letter, value, key))
		judge_all(f, htab_get(t->places, slice_of(key)));
}

static void
judge_places(struct finding *f, const struct tenants *t)
{
	const struct principal *p = f->client->principal;

	judge_all(f, t->others);
	judge_at(f, t, 'h', f->client->server_name);
	if (p == NULL)
		return;
	judge_at(f, t, 'k', p->key_id);
	judge_at(f, t, 't', p->tenant);
	judge_at(f, t, 'p', p->arn);
	judge_at(f, t, 'p', p->principal_arn);
	if (p->kind == PRINCIPAL_CERTIFICATE)
		judge_at(f, t, 'c', p->name);
}

enum tenant_verdict
tenants_find(const struct tenants *t, const struct tenant_client *c,
    struct tenant **to, struct error *err)
{
	struct finding f = { .client = c };

	*to = NULL;
	if (c->somewhere)
		judge_every(&f, t);
	else
		judge_places(&f, t);
	if (f.second != NULL) {
		error_set(err, "it is a member of two tenants, %s and %s",
		    f.first->id, f.second->id);
		return TENANT_AMBIGUOUS;
	}
	if (f.first != NULL) {
		*to = f.first;
		return TENANT_FOUND;
	}
	if (f.outside != NULL) {
		error_set(err, "tenant %s has no network that it comes from",
		    f.outside->id);
		return TENANT_NETWORK;
	}
	error_set(err, "it is no tenant's member");
	return TENANT_NONE;
}
