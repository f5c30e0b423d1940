/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth_config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"

static struct auth_names
names_of(const struct text_list *l)
{
	return (struct auth_names){ l->v, l->n };
}

static char loopback_name[] = "localhost";

static bool
is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* The names that clients may have dialled: those configured, and what they are
 * told. Borrowed strings, the array is the caller's to free. */
static struct auth_names
known_hosts(const struct config *c)
{
	const struct text_list *more = &c->auth.hosts;
	struct auth_names to = { mem_alloc((more->n + 2 * c->listeners.n + 1) *
	    sizeof(char *)), 0 };

	for (uint32_t i = 0; i < more->n; i++)
		to.v[to.n++] = more->v[i];
	for (uint32_t i = 0; i < c->listeners.n; i++) {
		char *host = c->listeners.v[i].advertised_host;

		if (host != NULL)
			to.v[to.n++] = host;
		/* Java signs the name that an address has. */
		if (host != NULL && is_loopback(host))
			to.v[to.n++] = loopback_name;
	}
	return to;
}

static struct auth_certificate_rule *
rules_of(const struct config_auth *a)
{
	static const char *const from[] = { "subject", "cn", "dns", "uri",
	    "email" };
	struct auth_certificate_rule *v = mem_zalloc((a->certificates.n + 1) *
	    sizeof(*v));

	for (uint32_t i = 0; i < a->certificates.n; i++) {
		const struct config_certificate_rule *r =
		    &a->certificates.v[i];

		/* Only read: auth_load copies it. */
		v[i].from = mem_strdup(from[r->from]);
		v[i].pattern = r->pattern;
		v[i].name = r->name;
		v[i].group = r->group;
	}
	return v;
}

struct auth *
auth_from_config(const struct config *c, struct jwks *jwks,
    struct error_list *errs)
{
	const struct config_auth *a = &c->auth;
	struct auth_settings s = {
		.cluster = { a->partition, a->regions.v[0], a->account,
		    a->cluster_name, a->cluster_uuid },
		.regions = names_of(&a->regions),
		.hosts = known_hosts(c),
		.keys_file = a->keys_file,
		.master_key = a->master_key,
		.identities_file = a->identities_file,
		.policies_dir = a->policies_dir,
		.skew_s = a->skew_s,
		.expires_max_s = a->expires_max_s,
		.session_max_ms = a->session_max_ms,
		.plain_without_tls = a->plain_without_tls,
		.jwt = {
			.jwks_file = a->jwt.jwks_file,
			.jwks_url = a->jwt.jwks_url,
			.issuer = a->jwt.issuer,
			.audiences = names_of(&a->jwt.audiences),
			.algorithms = names_of(&a->jwt.algorithms),
			.principal_claim = a->jwt.principal_claim,
			.groups_claim = a->jwt.groups_claim,
			.tenant_claim = a->jwt.tenant_claim,
			.type = a->jwt.type,
			.skew_s = a->jwt.skew_s,
		},
		.rules = rules_of(a),
		.rule_count = a->certificates.n,
	};
	struct auth *to = auth_load(&s, jwks, errs);

	for (uint32_t i = 0; i < s.rule_count; i++)
		free(s.rules[i].from);
	free(s.rules);
	free(s.hosts.v);
	return to;
}

/* ---- checks ---- */

struct place {
	const struct config	*config;
	struct error_list	*errs;
	uint32_t		 listener;
};

__attribute__((format(printf, 3, 4))) static void
fault(const struct place *p, const char *member, const char *fmt, ...)
{
	char path[64], text[256];
	va_list ap;

	snprintf(path, sizeof(path), "listeners[%u].%s", p->listener, member);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_list_add(p->errs, path, "%s", text);
}

static void
check_mechanism(const struct place *p, const char *name)
{
	const struct config_listener *l =
	    &p->config->listeners.v[p->listener];
	const struct config_auth *a = &p->config->auth;
	bool bearer = strcmp(name, "OAUTHBEARER") == 0;
	bool jwt = a->jwt.jwks_file != NULL || a->jwt.jwks_url != NULL;

	if (a->keys_file == NULL && !(bearer && jwt))
		fault(p, "mechanisms", "%s needs auth.keys_file%s", name,
		    bearer ? " or auth.jwt" : "");
	if (a->keys_file != NULL && a->master_key == NULL)
		fault(p, "mechanisms", "%s needs auth.master_key: give "
		    "master_key_file or master_key_env", name);
	if (l->tls.certificate_file == NULL && !a->plain_without_tls &&
	    (bearer || strcmp(name, "PLAIN") == 0))
		fault(p, "mechanisms", "%s shows a secret to whoever listens: "
		    "give the listener a tls.certificate_file, or set "
		    "auth.plain_without_tls", name);
}

static void
check_listener(const struct place *p)
{
	const struct config_listener *l =
	    &p->config->listeners.v[p->listener];

	for (uint32_t i = 0; i < l->mechanisms.n; i++) {
		check_mechanism(p, l->mechanisms.v[i]);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(l->mechanisms.v[i], l->mechanisms.v[j]) == 0)
				fault(p, "mechanisms", "has %s twice",
				    l->mechanisms.v[i]);
	}
	if (l->auth == CONFIG_AUTH_SASL && l->mechanisms.n == 0)
		fault(p, "mechanisms", "is required with auth sasl");
	if (l->auth != CONFIG_AUTH_SASL && l->mechanisms.n > 0)
		fault(p, "mechanisms", "has no effect: auth is not sasl");
	if (l->auth != CONFIG_AUTH_CERTIFICATE)
		return;
	if (l->tls.client_certificate != CONFIG_CLIENT_CERT_REQUIRED)
		fault(p, "tls.client_certificate", "must be required with "
		    "auth certificate");
	if (p->config->auth.certificates.n == 0)
		fault(p, "auth", "certificate needs a rule in "
		    "auth.certificates");
}

bool
auth_config_check(const struct config *c, struct error_list *errs)
{
	struct place p = { c, errs, 0 };
	uint32_t before = errs->n;

	for (; p.listener < c->listeners.n; p.listener++)
		check_listener(&p);
	return errs->n == before;
}
