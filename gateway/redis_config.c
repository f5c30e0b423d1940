/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/redis_config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config.h"
#include "gateway/net/tls.h"
#include "quota/redis.h"

#define PATH "quota.redis."

/* What belongs to one mode or to TLS is said nowhere else. */
static void
only_with(struct error_list *errs, const char *path, bool given, bool used,
    const char *what)
{
	if (given && !used)
		error_list_add(errs, path, "has no effect: %s", what);
}

static void
check_addresses(const struct config_redis *c, bool needed,
    struct error_list *errs)
{
	struct redis_address a;
	struct error err;

	if (needed && c->addresses.n == 0)
		error_list_add(errs, PATH "addresses", "is required with "
		    "quota.store redis");
	if (c->mode == CONFIG_REDIS_SINGLE && c->addresses.n > 1)
		error_list_add(errs, PATH "addresses", "must be one with mode "
		    "single");
	for (uint32_t i = 0; i < c->addresses.n; i++) {
		const char *text = c->addresses.v[i];

		if (!redis_address_parse(text, &a, &err))
			error_list_add(errs, PATH "addresses", "%s", err.text);
		else if (a.path[0] != '\0' && c->mode != CONFIG_REDIS_SINGLE)
			error_list_add(errs, PATH "addresses", "\"%s\": a "
			    "unix socket is only for mode single", text);
		else if (a.path[0] != '\0' &&
		    c->security == CONFIG_REDIS_TLS)
			error_list_add(errs, PATH "addresses", "\"%s\": a "
			    "unix socket is spoken to without TLS", text);
	}
}

static void
check_mode(const struct config_redis *c, struct error_list *errs)
{
	bool sentinel = c->mode == CONFIG_REDIS_SENTINEL;
	static const char text[] = "mode is not sentinel";

	if (sentinel && c->master_name == NULL)
		error_list_add(errs, PATH "master_name", "is required with "
		    "mode sentinel");
	only_with(errs, PATH "master_name", c->master_name != NULL, sentinel,
	    text);
	only_with(errs, PATH "sentinel_username", c->sentinel_username != NULL,
	    sentinel, text);
	only_with(errs, PATH "sentinel_password", c->sentinel_password != NULL,
	    sentinel, text);
	if (c->mode == CONFIG_REDIS_CLUSTER && c->database != 0)
		error_list_add(errs, PATH "database", "must be 0 with mode "
		    "cluster");
	if (c->username != NULL && c->password == NULL)
		error_list_add(errs, PATH "password", "is required with "
		    "username: give password_file or password_env");
	if (c->sentinel_username != NULL && c->sentinel_password == NULL)
		error_list_add(errs, PATH "sentinel_password", "is required "
		    "with sentinel_username: give sentinel_password_file or "
		    "sentinel_password_env");
}

static void
check_file(struct error_list *errs, const char *path, const char *file)
{
	if (file != NULL && access(file, R_OK) != 0)
		error_list_add(errs, path, "%s cannot be read: %s", file,
		    strerror(errno));
}

static void
check_tls(const struct config_redis *c, struct error_list *errs)
{
	const struct config_redis_tls *t = &c->tls;

	only_with(errs, PATH "tls", t->ca_file != NULL ||
	    t->certificate_file != NULL || t->key_file != NULL ||
	    !t->verify_name, c->security == CONFIG_REDIS_TLS,
	    "quota.redis.security is not tls");
	check_file(errs, PATH "tls.ca_file", t->ca_file);
	check_file(errs, PATH "tls.certificate_file", t->certificate_file);
	check_file(errs, PATH "tls.key_file", t->key_file);
	if ((t->certificate_file == NULL) != (t->key_file == NULL))
		error_list_add(errs, t->key_file == NULL ? PATH "tls.key_file" :
		    PATH "tls.certificate_file", "is required with %s",
		    t->key_file == NULL ? "certificate_file" : "key_file");
}

void
redis_config_check(const struct config_quota *q, struct error_list *errs)
{
	const struct config_redis *c = &q->redis;

	check_addresses(c, q->store == CONFIG_STORE_REDIS, errs);
	check_mode(c, errs);
	check_tls(c, errs);
	/* In a Cluster what stands in braces says where a key is. */
	if (c->key_prefix != NULL && strpbrk(c->key_prefix, "{} ") != NULL)
		error_list_add(errs, PATH "key_prefix", "must have no braces "
		    "or blanks");
}

static bool
make_tls(const struct config_redis *c, struct tls_context **to,
    struct error *err)
{
	const struct tls_settings s = {
		.certificate_file = c->tls.certificate_file,
		.key_file = c->tls.key_file,
		.ca_file = c->tls.ca_file,
		.verify = TLS_VERIFY_REQUIRED,
		.verify_name = c->tls.verify_name,
	};

	*to = NULL;
	if (c->security != CONFIG_REDIS_TLS)
		return true;
	*to = tls_context_client(&s, err);
	return *to != NULL || error_prefix(err, PATH "tls");
}

struct redis *
redis_config_client(const struct config_quota *q, struct loop *l,
    void (*changed)(void *arg), void *arg, struct error *err)
{
	const struct config_redis *c = &q->redis;
	struct redis_options o = {
		.mode = (enum redis_mode)c->mode,
		.addresses = (const char *const *)c->addresses.v,
		.n = c->addresses.n,
		.master_name = c->master_name,
		.username = c->username,
		.password = c->password,
		.sentinel_username = c->sentinel_username,
		.sentinel_password = c->sentinel_password,
		.database = c->database,
		.connect_ms = c->connect_ms,
		.timeout_ms = c->timeout_ms,
		.changed = changed,
		.arg = arg,
	};
	struct redis *r;

	if (!make_tls(c, &o.tls, err))
		return NULL;
	r = redis_new(l, &o, err);
	tls_context_unref(o.tls);
	return r;
}
