/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/upstream_login.h"

#include <pthread.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/sigv4_client.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/oauth_client.h"
#include "routing/upstream.h"

enum { EXPIRES_S = 900 };		/* as AWS's own clients sign */

struct upstream_login {
	const struct config_sasl *sasl;
	struct oauth_client	*oauth;		/* NULL: sign */
	pthread_mutex_t		 lock;		/* of the cache */
	struct auth_cache	*cache;
};

static bool
sign(struct upstream_login *u, const char *host, struct arena *a,
    struct slice *to, struct error *err)
{
	const struct config_sasl *s = u->sasl;
	const struct sigv4_client who = {
		.key_id = s->username, .secret = s->password,
		.region = s->region, .host = host, .user_agent = "weir",
		.expires_s = EXPIRES_S,
	};
	bool ok;

	pthread_mutex_lock(&u->lock);
	ok = sigv4_client_message(u->cache, &who, clock_wall_ms(), a, to, err);
	pthread_mutex_unlock(&u->lock);
	return ok;
}

static bool
give_token(void *arg, const char *host, struct arena *a, struct slice *to,
    struct error *err)
{
	struct upstream_login *u = arg;

	if (u->oauth != NULL)
		return oauth_client_token(u->oauth, a, to, err);
	return sign(u, host, a, to, err);
}

struct upstream_login *
upstream_login_new(struct loop *control, const struct config_cluster *c)
{
	const struct config_sasl *s = &c->sasl;
	const struct oauth_client_options o = {
		.url = s->token_url, .ca_file = s->token_ca_file,
		.client_id = s->username, .client_secret = s->password,
		.scope = s->scope, .audience = s->audience,
	};
	struct upstream_login *u;

	if (s->mechanism != CONFIG_MECHANISM_OAUTHBEARER &&
	    s->mechanism != CONFIG_MECHANISM_AWS_MSK_IAM)
		return NULL;
	u = mem_zalloc(sizeof(*u));
	u->sasl = s;
	pthread_mutex_init(&u->lock, NULL);
	u->cache = auth_cache_new();
	if (s->mechanism == CONFIG_MECHANISM_OAUTHBEARER)
		u->oauth = oauth_client_new(control, &o);
	return u;
}

void
upstream_login_free(struct upstream_login *u)
{
	if (u == NULL)
		return;
	oauth_client_free(u->oauth);
	auth_cache_free(u->cache);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

void
upstream_login_options(struct upstream_login *u, struct upstream_options *o)
{
	o->token = u != NULL ? give_token : NULL;
	o->token_arg = u;
}
