/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config_check.h"

#include <sys/resource.h>

#include <arpa/inet.h>

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "gateway/auth_config.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/http_client.h"
#include "gateway/net/listen.h"
#include "gateway/quota_config.h"
#include "gateway/redis_config.h"

enum { HOST_SIZE = 256, PATH_SIZE = 128, WORKERS_MAX = 256 };

static const uint64_t mib = 1024 * 1024;
static const uint64_t buffered_most = (uint64_t)8 << 30;

/* Where the checks are, for the paths of faults. */
struct place {
	struct error_list	*errs;
	const char		*path;
};

__attribute__((format(printf, 3, 4))) static void
fault(const struct place *p, const char *member, const char *fmt, ...)
{
	char path[PATH_SIZE], text[400];
	va_list ap;

	snprintf(path, sizeof(path), "%s%s%s", p->path,
	    p->path[0] != '\0' ? "." : "", member);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_list_add(p->errs, path, "%s", text);
}

static void
need_file(const struct place *p, const char *member, const char *file)
{
	if (file != NULL && access(file, R_OK) != 0)
		fault(p, member, "%s cannot be read: %s", file,
		    strerror(errno));
}

/* Both or none. */
static void
need_pair(const struct place *p, const char *a, const char *va, const char *b,
    const char *vb)
{
	if (va != NULL && vb == NULL)
		fault(p, b, "is required with %s", a);
	if (va == NULL && vb != NULL)
		fault(p, a, "is required with %s", b);
}

static bool
is_wildcard(const char *host)
{
	return host[0] == '\0' || strcmp(host, "*") == 0 ||
	    strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

bool
config_is_loopback(const char *address)
{
	char host[HOST_SIZE];
	struct in_addr v4;
	struct error err;
	int port;

	if (!address_split(address, host, sizeof(host), &port, &err))
		return false;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static void
check_bootstrap(const struct place *p, const char *text)
{
	char *copy = mem_strdup(text), *at = copy, *one, host[HOST_SIZE];
	struct error err;
	int port;

	while ((one = strsep(&at, ",")) != NULL) {
		if (!address_split(one, host, sizeof(host), &port, &err))
			fault(p, "bootstrap", "%s", err.text);
		else if (is_wildcard(host) || port == 0)
			fault(p, "bootstrap", "\"%s\" is no address to "
			    "connect to", one);
	}
	free(copy);
}

/* What belongs to one mechanism is needed there and has no effect elsewhere. */
static void
only_for(const struct place *p, const char *option, const char *value,
    bool used, bool needed)
{
	if (value != NULL && !used)
		fault(p, option, "has no effect with this mechanism");
	if (value == NULL && used && needed)
		fault(p, option, "is required by this mechanism");
}

static void
check_token(const struct place *p, const struct config_sasl *s)
{
	bool oauth = s->mechanism == CONFIG_MECHANISM_OAUTHBEARER;
	struct http_url u;
	struct error err;

	only_for(p, "token_url", s->token_url, oauth, true);
	only_for(p, "token_ca_file", s->token_ca_file, oauth, false);
	only_for(p, "scope", s->scope, oauth, false);
	only_for(p, "audience", s->audience, oauth, false);
	only_for(p, "region", s->region,
	    s->mechanism == CONFIG_MECHANISM_AWS_MSK_IAM, true);
	if (s->mechanism == CONFIG_MECHANISM_AWS_MSK_IAM && s->password &&
	    strlen(s->password) > AUTH_SECRET_MAX)
		fault(p, "password", "is longer than any secret access key");
	if (s->token_url != NULL && !http_url_parse(s->token_url, &u, &err))
		fault(p, "token_url", "%s", err.text);
	need_file(p, "token_ca_file", s->token_ca_file);
}

static void
check_sasl(const struct config_cluster *c, struct error_list *errs)
{
	struct place p = { errs, "cluster.sasl" };
	bool sasl = c->security == CONFIG_SASL_PLAINTEXT ||
	    c->security == CONFIG_SASL_TLS;

	if (sasl == (c->sasl.mechanism != CONFIG_MECHANISM_NONE)) {
		if (sasl && c->sasl.username == NULL)
			fault(&p, "username", "is required");
		if (sasl && c->sasl.password == NULL)
			fault(&p, "password", "is required: give "
			    "password_file or password_env");
		check_token(&p, &c->sasl);
	} else {
		fault(&p, "mechanism", sasl ? "is required by cluster.security"
		    : "has no effect: cluster.security is not sasl_plaintext "
		    "or sasl_tls");
	}
}

static void
check_cluster(const struct config_cluster *c, struct error_list *errs)
{
	struct place p = { errs, "cluster" }, tls = { errs, "cluster.tls" };
	bool plain = c->security == CONFIG_PLAINTEXT ||
	    c->security == CONFIG_SASL_PLAINTEXT;

	check_bootstrap(&p, c->bootstrap);
	check_sasl(c, errs);
	if (c->backoff_min_ms > c->backoff_max_ms)
		fault(&p, "backoff_min_ms", "is more than backoff_max_ms");
	if (plain && (c->tls.ca_file || c->tls.certificate_file))
		fault(&p, "tls", "has no effect: cluster.security is not tls "
		    "or sasl_tls");
	need_pair(&tls, "certificate_file", c->tls.certificate_file,
	    "key_file", c->tls.key_file);
	need_file(&tls, "ca_file", c->tls.ca_file);
	need_file(&tls, "certificate_file", c->tls.certificate_file);
	need_file(&tls, "key_file", c->tls.key_file);
	need_file(&tls, "key_password_file", c->tls.key_password_file);
}

/* A name that can stand in a reply to a client. */
static bool
good_host(const char *host)
{
	return host[0] != '\0' && host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:")] == '\0';
}

/* A host with {id} once; the rest must be a name. */
static bool
good_template(const char *host, const char *id)
{
	char rest[HOST_SIZE];

	snprintf(rest, sizeof(rest), "%.*s0%s", (int)(id - host), host,
	    id + 4);
	return good_host(rest);
}

static void
check_advertised(const struct place *p, struct config_listener *l)
{
	char host[HOST_SIZE], *id;
	const char *from = l->advertised ? l->advertised : l->address;
	struct error err;
	int port;

	if (!address_split(from, host, sizeof(host), &port, &err)) {
		if (l->advertised != NULL)
			fault(p, "advertised", "%s", err.text);
		return;
	}
	if (l->advertised == NULL && is_wildcard(host) &&
	    gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	id = strstr(host, "{id}");
	l->advertised_template = id != NULL;
	if (is_wildcard(host) || !(id ? good_template(host, id) :
	    good_host(host)))
		fault(p, "advertised", "needs a host that clients can "
		    "connect to");
	l->advertised_host = mem_strdup(host);
	l->advertised_port = port;
}

static void
check_listener_tls(const struct config_listener_tls *t,
    const struct place *p)
{
	need_pair(p, "certificate_file", t->certificate_file, "key_file",
	    t->key_file);
	if (t->client_certificate != CONFIG_CLIENT_CERT_NONE &&
	    t->client_ca_file == NULL)
		fault(p, "client_ca_file", "is required with "
		    "client_certificate");
	if (t->certificate_file == NULL &&
	    (t->client_certificate != CONFIG_CLIENT_CERT_NONE ||
	    t->client_ca_file != NULL))
		fault(p, "certificate_file", "is required: without it the "
		    "listener does not speak TLS");
	need_file(p, "certificate_file", t->certificate_file);
	need_file(p, "key_file", t->key_file);
	need_file(p, "key_password_file", t->key_password_file);
	need_file(p, "client_ca_file", t->client_ca_file);
	if (t->client_crl_file != NULL &&
	    t->client_certificate == CONFIG_CLIENT_CERT_NONE)
		fault(p, "client_crl_file", "has no effect: "
		    "client_certificate is none");
	need_file(p, "client_crl_file", t->client_crl_file);
}

static void
check_listener(struct config *c, uint32_t i, struct error_list *errs)
{
	struct config_listener *l = &c->listeners.v[i];
	char path[32], tls[40], host[HOST_SIZE];
	struct place p = { errs, path }, in_tls = { errs, tls };
	struct error err;
	int port;

	snprintf(path, sizeof(path), "listeners[%u]", (unsigned)i);
	snprintf(tls, sizeof(tls), "%s.tls", path);
	if (!address_split(l->address, host, sizeof(host), &port, &err))
		fault(&p, "address", "%s", err.text);
	check_advertised(&p, l);
	check_listener_tls(&l->tls, &in_tls);
	if (l->proxy_protocol && l->proxy_sources.n == 0)
		fault(&p, "proxy_sources", "is required with proxy_protocol: "
		    "the networks of the load balancers");
	for (uint32_t j = 0; j < i; j++) {
		if (strcmp(l->name, c->listeners.v[j].name) == 0)
			fault(&p, "name", "is the same as listeners[%u].name",
			    (unsigned)j);
		if (strcmp(l->address, c->listeners.v[j].address) == 0 &&
		    port != 0)
			fault(&p, "address", "is the same as "
			    "listeners[%u].address", (unsigned)j);
	}
}

/* "2", "2.10" or "2.10.0". */
static bool
parse_version(const char *s, int16_t to[3])
{
	char *end;
	long n;

	memset(to, 0, 3 * sizeof(*to));
	for (int i = 0; i < 3; i++) {
		if (*s < '0' || *s > '9')
			return false;
		n = strtol(s, &end, 10);
		if (n > INT16_MAX)
			return false;
		to[i] = (int16_t)n;
		if (*end == '\0')
			return true;
		if (*end != '.')
			return false;
		s = end + 1;
	}
	return false;
}

static void
check_virtual(struct config_virtual *v, struct error_list *errs)
{
	char path[48];
	struct place p = { errs, path };

	for (uint32_t i = 0; i < v->clients.n; i++) {
		struct config_virtual_client *c = &v->clients.v[i];

		snprintf(path, sizeof(path), "virtual_brokers.clients[%u]",
		    (unsigned)i);
		if (!parse_version(c->min_version, c->version))
			fault(&p, "min_version", "must be a version such as "
			    "2.10.0");
	}
}

static void
check_admin(struct config_admin *a, struct error_list *errs)
{
	struct place p = { errs, "admin" };
	char host[HOST_SIZE];
	struct error err;
	int port;

	if (strcmp(a->address, "none") == 0) {
		free(a->address);
		a->address = NULL;
	} else if (!address_split(a->address, host, sizeof(host), &port,
	    &err)) {
		fault(&p, "address", "%s", err.text);
	} else if (!config_is_loopback(a->address)) {
		if (!a->remote)
			fault(&p, "address", "is not a loopback address: that "
			    "needs admin.remote and a token in a configuration "
			    "file");
		else if (a->token == NULL)
			fault(&p, "token", "is required for an address that "
			    "is not a loopback one: give token_file or "
			    "token_env");
	}
}

/* Half of what the machine or the control group has. */
static uint64_t
memory_share(void)
{
	static const char *const files[] = {
		"/sys/fs/cgroup/memory.max",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes",
	};
	uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) *
	    (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned long long limit;

	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(files[i], "re");

		if (f == NULL)
			continue;
		if (fscanf(f, "%llu", &limit) == 1 && limit < most)
			most = limit;
		fclose(f);
	}
	return most / 2 < buffered_most ? most / 2 : buffered_most;
}

/* Of the hard limit: at start the soft one is raised to it. */
static uint32_t
descriptor_share(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_max > 20000000)
		return 10000000;
	return r.rlim_max < 64 ? 32 : (uint32_t)(r.rlim_max / 2);
}

static uint32_t
processors(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (uint32_t)n;
}

static void
check_limits(struct config_limits *l, struct error_list *errs)
{
	struct place p = { errs, "limits" };

	if (l->frame_max_login > l->frame_max)
		fault(&p, "frame_max_login", "is more than frame_max");
	if (l->buffered_max == 0) {
		l->buffered_max = memory_share();
		if (l->buffered_max < 64 * mib)
			l->buffered_max = 64 * mib;
	} else if (l->buffered_max < l->frame_max) {
		fault(&p, "buffered_max", "is less than frame_max: one "
		    "request would not fit");
	}
	if (l->connections_max == 0)
		l->connections_max = descriptor_share();
}

bool
config_check(struct config *c, struct error_list *errs)
{
	uint32_t before = errs->n;

	check_cluster(&c->cluster, errs);
	for (uint32_t i = 0; i < c->listeners.n; i++)
		check_listener(c, i, errs);
	auth_config_check(c, errs);
	check_virtual(&c->virtual_brokers, errs);
	check_admin(&c->admin, errs);
	check_limits(&c->limits, errs);
	quota_config_make(c, errs);
	redis_config_check(&c->quota, errs);
	if (c->workers == 0)
		c->workers = processors();
	return errs->n == before;
}
