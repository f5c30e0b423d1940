/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/control.h"

#include <event2/event.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "auth/auth.h"
#include "gateway/admin.h"
#include "gateway/adopt_control.h"
#include "gateway/audit.h"
#include "gateway/auth_control.h"
#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/census_control.h"
#include "gateway/config.h"
#include "gateway/explain.h"
#include "gateway/fetch_table.h"
#include "gateway/fleet_control.h"
#include "gateway/gateway.h"
#include "gateway/limits_metrics.h"
#include "gateway/limits_status.h"
#include "gateway/guesses.h"
#include "gateway/net/source.h"
#include "gateway/net/tls.h"
#include "gateway/net/watchdog.h"
#include "gateway/status.h"
#include "gateway/tenants.h"
#include "gateway/tenants_control.h"
#include "gateway/tenants_status.h"
#include "quota/quota.h"
#include "gateway/upstream_login.h"
#include "gateway/wire/errors.h"
#include "routing/watch.h"

enum { HANG_US = 5 * 1000 * 1000 };	/* a turn of a worker, at most */

/* ---- TLS ---- */

static const char *
version_text(enum config_tls_version v)
{
	return v == CONFIG_TLS_1_3 ? "1.3" : "1.2";
}

static struct tls_context *
listener_context(const struct config_listener *l, struct error *err)
{
	struct tls_settings s = {
		.certificate_file = l->tls.certificate_file,
		.key_file = l->tls.key_file,
		.key_password_file = l->tls.key_password_file,
		.ca_file = l->tls.client_ca_file,
		.crl_file = l->tls.client_crl_file,
		.min_version = version_text(l->tls.min_version),
		.ciphers = l->tls.ciphers,
		.verify = (enum tls_verify)l->tls.client_certificate,
	};

	return tls_context_server(&s, err);
}

static void
drop_contexts(struct tls_context **v)
{
	for (int i = 0; i < WORKER_LISTENERS_MAX; i++)
		if (v[i] != NULL) {
			tls_context_unref(v[i]);
			v[i] = NULL;
		}
}

/* All listeners' contexts, or none and the faults. */
static bool
make_contexts(const struct config *c, struct tls_context **to,
    struct error_list *errs)
{
	bool ok = true;

	for (uint32_t i = 0; i < c->listeners.n; i++) {
		struct error err;
		char path[64];

		if (c->listeners.v[i].tls.certificate_file == NULL)
			continue;
		to[i] = listener_context(&c->listeners.v[i], &err);
		if (to[i] != NULL)
			continue;
		snprintf(path, sizeof(path), "listeners[%u].tls", i);
		error_list_add(errs, path, "%s", err.text);
		ok = false;
	}
	if (!ok)
		drop_contexts(to);
	return ok;
}

static bool
make_upstream_tls(struct gateway *g, struct error *err)
{
	const struct config_cluster_tls *t = &g->config->cluster.tls;
	struct tls_settings s = {
		.certificate_file = t->certificate_file,
		.key_file = t->key_file,
		.key_password_file = t->key_password_file,
		.ca_file = t->ca_file,
		.verify = TLS_VERIFY_REQUIRED,
		.verify_name = t->verify_name,
	};

	if (g->config->cluster.security != CONFIG_TLS &&
	    g->config->cluster.security != CONFIG_SASL_TLS)
		return true;
	g->upstream_tls = tls_context_client(&s, err);
	return g->upstream_tls != NULL;
}

void
gateway_upstream_options(const struct gateway *g, struct upstream_options *o)
{
	const struct config_cluster *c = &g->first_config->cluster;
	bool sasl = c->security == CONFIG_SASL_PLAINTEXT ||
	    c->security == CONFIG_SASL_TLS;

	*o = (struct upstream_options){
		.mechanism = sasl ? (enum upstream_mechanism)c->sasl.mechanism :
		    UPSTREAM_NO_SASL,
		.username = c->sasl.username,
		.password = c->sasl.password,
		.tls = g->upstream_tls,
		.tls_verify_name = c->tls.verify_name,
		.frame_max = c->frame_max,
		.connect_ms = c->connect_ms,
		.idle_ms = c->idle_ms,
		.idle_max = c->idle_max,
		.backoff_min_ms = c->backoff_min_ms,
		.backoff_max_ms = c->backoff_max_ms,
	};
	upstream_login_options(g->upstream_login, o);
}

/* ---- workers ---- */

static void
fail(struct gateway *g, const char *what, const struct error *err)
{
	log_error(what, "error=\"%s\"", err->text);
	g->failed = true;
	loop_stop(g->control);
}

static void
start_workers(struct gateway *g)
{
	struct error err;

	g->quota = quota_new((int)g->config->workers < GATEWAY_WORKERS_MAX ?
	    (int)g->config->workers : GATEWAY_WORKERS_MAX);
	quota_set_node(g->quota, g->config->quota.made);
	if (!fleet_control_start(g, &err)) {
		fail(g, "cannot share limits", &err);
		return;
	}
	for (uint32_t i = 0; i < g->config->workers &&
	    i < GATEWAY_WORKERS_MAX; i++) {
		struct worker *w = worker_start(g, (int)i, &err);

		if (w == NULL) {
			fail(g, "cannot listen", &err);
			return;
		}
		g->workers[g->worker_count++] = w;
		watchdog_add(g->watchdog, w->loop, w->thread);
	}
	for (uint32_t i = 0; i < g->config->listeners.n; i++)
		log_info("listening", "name=%s address=%s port=%d workers=%d",
		    g->config->listeners.v[i].name,
		    g->config->listeners.v[i].address, g->bound_port[i],
		    g->worker_count);
	metric_set(g->metrics, METRIC_WORKERS, (uint64_t)g->worker_count);
	metric_set(g->metrics, METRIC_READY, 1);
}

static void
show_cluster(struct gateway *g)
{
	const struct cluster *c = g->cluster;
	int64_t partitions, leaderless;

	cluster_count(c, &partitions, &leaderless);
	metric_set(g->metrics, METRIC_BROKERS, (uint64_t)c->broker_count);
	metric_set(g->metrics, METRIC_TOPICS, (uint64_t)c->topic_count);
	metric_set(g->metrics, METRIC_PARTITIONS, partitions);
	metric_set(g->metrics, METRIC_LEADERLESS, leaderless);
	metric_set(g->metrics, METRIC_SNAPSHOT_GENERATION, c->generation);
	metric_add(g->metrics, METRIC_REFRESHES, 1);
}

static void
published(void *arg, struct cluster *c)
{
	struct gateway *g = arg;

	if (g->cluster != NULL)
		cluster_unref(g->cluster);
	g->cluster = cluster_ref(c);
	audit_sink_cluster(g->audit, c);
	show_cluster(g);
	if (g->worker_count == 0 && !g->failed && g->drain_until_us == 0) {
		log_info("cluster is known", "brokers=%d topics=%d",
		    c->broker_count, c->topic_count);
		start_workers(g);
		census_control_tick(g);
		return;
	}
	for (int i = 0; i < g->worker_count; i++)
		worker_set_cluster(g->workers[i], c);
}

/* ---- reload ---- */

static void
setup_log(const struct config *c)
{
	log_setup((enum log_level)c->log.level,
	    (enum log_format)c->log.format);
	if (c->log.file != NULL && !log_to_file(c->log.file))
		log_warn("log file cannot be opened", "file=%s", c->log.file);
}

/* What is limited for the whole node, in modules of their own. */
static void
set_limits(const struct gateway *g)
{
	const struct config_limits *l = &g->config->limits;
	struct source_limits source = {
		.connections_max = l->source_connections_max,
		.connection_rate = l->source_connection_rate,
		.login_failures_max = l->login_failures_max,
		.login_failure_ms = l->login_failure_ms,
	};

	loop_set_node_limit(l->buffered_max);
	fetch_table_limit(l->fetch_partitions_max);
	source_set_limits(&source);
	guesses_set_limit(l->principal_failures_max, l->principal_delay_ms);
	if (l->connections_max > g->connections_most)
		log_warn("file descriptors are too few for connections_max",
		    "connections_max=%u possible=%u", l->connections_max,
		    g->connections_most);
}

/* What a configuration brings along, not yet in force. */
struct loaded {
	struct config		*config;
	struct auth		*auth;
	struct tenants		*tenants;
	struct tls_context	*tls[WORKER_LISTENERS_MAX];
};

static void
drop_loaded(struct loaded *n)
{
	drop_contexts(n->tls);
	tenants_unref(n->tenants);
	if (n->auth != NULL)
		auth_unref(n->auth);
	config_unref(n->config);
}

/* All of it with all faults; false when there were any. Takes the config. */
static bool
load_rest(struct gateway *g, struct config *c, struct loaded *to,
    struct error_list *errs)
{
	bool ok;

	*to = (struct loaded){ .config = c };
	to->auth = auth_control_load(g, c, errs);
	ok = tenants_control_load(g, c, &to->tenants, errs);
	ok = make_contexts(c, to->tls, errs) && ok;
	if (ok && to->auth != NULL)
		return true;
	drop_loaded(to);
	return false;
}

static void
take_loaded(struct gateway *g, struct loaded *n)
{
	struct config *c = n->config;

	config_unref(g->config);
	g->config = c;
	drop_contexts(g->listener_tls);
	memcpy(g->listener_tls, n->tls, sizeof(n->tls));
	setup_log(c);
	if (g->admin != NULL)
		admin_set_config(g->admin, &c->admin);
	set_limits(g);
	if (g->quota != NULL) {
		quota_set_node(g->quota, c->quota.made);
		quota_account_renew(g->quota, "", c->quota.made);
	}
	fleet_control_set(g);
	for (int i = 0; i < g->worker_count; i++)
		worker_set_config(g->workers[i], c);
	tenants_control_take(g, n->tenants);
	auth_control_take(g, c, n->auth);
}

static bool
reload_config(struct gateway *g, struct error_list *errs)
{
	struct loaded new;
	struct error err;
	struct config *c;

	if (g->config_path == NULL) {
		error_list_add(errs, "command line",
		    "there is no file to reload: start weir with -c FILE");
		return false;
	}
	c = config_load(g->config_path, errs);
	if (c == NULL)
		return false;
	if (!config_check_reload(g->config, c, errs)) {
		config_unref(c);
		return false;
	}
	if (!load_rest(g, c, &new, errs))
		return false;
	/* The last that may fail: it takes effect at once. */
	if (!audit_sink_configure(g->audit, &c->auth.audit, &err)) {
		error_list_add(errs, "auth.audit.file", "%s", err.text);
		drop_loaded(&new);
		return false;
	}
	take_loaded(g, &new);
	return true;
}

/* Whole or not at all: on any fault all goes on as before. */
static bool
gateway_reload(void *arg, struct error_list *errs)
{
	struct gateway *g = arg;
	bool ok = reload_config(g, errs);

	for (uint32_t i = 0; i < errs->n; i++)
		log_error("configuration not reloaded", "path=%s reason=\"%s\"",
		    errs->v[i].path, errs->v[i].reason);
	if (ok)
		log_info("configuration reloaded", "file=%s", g->config_path);
	audit_admin(g, "reload", ok, ok ? NULL : errs->v[0].reason);
	metric_add(g->metrics, ok ? METRIC_RELOADS : METRIC_RELOADS_FAILED, 1);
	return ok;
}

/* ---- the end ---- */

static void
drain(struct gateway *g)
{
	if (g->drain_until_us != 0) {
		loop_stop(g->control);	/* asked twice: now */
		return;
	}
	audit_admin(g, "drain", true, NULL);
	log_info("draining", "connections=%u within_ms=%u",
	    atomic_load(&g->connections), g->config->drain_ms);
	g->drain_until_us = clock_now_us() +
	    (int64_t)g->config->drain_ms * 1000;
	metric_set(g->metrics, METRIC_READY, 0);
	for (int i = 0; i < g->worker_count; i++)
		worker_drain(g->workers[i]);
	if (g->worker_count == 0)
		loop_stop(g->control);
}

/* No client is left, nor a request that a client has left behind. */
static bool
drained(const struct gateway *g)
{
	return atomic_load(&g->connections) == 0 &&
	    metric_total(METRIC_LEGS_IN_FLIGHT) == 0;
}

static void
control_tick(void *arg)
{
	struct gateway *g = arg;
	struct upstream_stats u;
	int hanging = watchdog_look(g->watchdog, clock_now_us());

	if (hanging >= 0)
		watchdog_bark(g->watchdog, hanging);
	/* Repeats of log lines are told once a second. */
	if (++g->ticks % (1000 / LOOP_TICK_MS) == 0) {
		log_tick();
		if (g->quota != NULL)
			quota_tick(g->quota, loop_now_us(g->control));
	}
	audit_sink_tick(g->audit);
	fleet_control_tick(g);
	auth_control_tick(g);
	tenants_control_tick(g);
	census_control_tick(g);
	watch_stats(g->watch, &u);
	metric_set(g->metrics, METRIC_UPSTREAMS_OPENED, u.opened);
	metric_set(g->metrics, METRIC_UPSTREAMS_FAILED, u.failed);
	metric_set(g->metrics, METRIC_UPSTREAM_TIMEOUTS, u.timeouts);
	metric_set(g->metrics, METRIC_BUFFERED, block_total());
	metric_set(g->metrics, METRIC_BUFFERED_MAX,
	    g->config->limits.buffered_max);
	if (g->cluster != NULL)
		metric_set(g->metrics, METRIC_SNAPSHOT_AGE,
		    (uint64_t)(clock_now_us() - g->cluster->asked_us));
	if (g->drain_until_us != 0 && (drained(g) ||
	    clock_now_us() >= g->drain_until_us))
		loop_stop(g->control);
}

static void
signalled(evutil_socket_t sig, short what, void *arg)
{
	struct gateway *g = arg;
	struct error_list errs = { NULL, 0 };

	(void)what;
	if (sig == SIGHUP) {
		gateway_reload(g, &errs);
		error_list_free(&errs);
	} else {
		drain(g);
	}
}

/* ---- admin ---- */

static bool
is_ready(void *arg)
{
	const struct gateway *g = arg;

	return g->worker_count > 0 && g->drain_until_us == 0;
}

static json_t *
status(void *arg)
{
	return gateway_status(arg);
}

static json_t *
explain(void *arg, const struct explain_query *q, struct error *err)
{
	const struct gateway *g = arg;

	return explain_access(g->auth, g->tenants, q, err);
}

static json_t *
tenants(void *arg, const char *id, struct error *err)
{
	return tenants_status(arg, id, err);
}

static json_t *
limits(void *arg, const struct limits_query *q, struct error *err)
{
	return limits_status(arg, q, err);
}

static bool
suspend(void *arg, const char *id, const char *why, struct error_list *errs)
{
	return tenants_set_suspended(arg, id, why, errs);
}

static void
adopt(void *arg, const struct adopt_query *q, bool write, adopt_done_cb *done,
    void *done_arg)
{
	adopt_ask(arg, q, write, done, done_arg);
}

static const char *
api_name(int key)
{
	const struct api_row *row = api_find((int16_t)key);

	return row != NULL && row->schema != NULL ? row->schema->name : NULL;
}

static const char *
reason_name(int reason)
{
	return reason >= 0 && reason < CONN_REASON_COUNT ?
	    conn_reason_label((enum conn_reason)reason) : NULL;
}

static const char *
failure_name(int failure)
{
	return failure >= 0 && failure < AUTH_FAILURE_COUNT ?
	    auth_failure_label((enum auth_failure)failure) : NULL;
}

static char *
metrics_text(void *arg)
{
	static const struct metric_names names = {
		.api = api_name,
		.error = kafka_error_name,
		.reason = reason_name,
		.failure = failure_name,
	};

	const struct gateway *g = arg;
	char *rows = metric_render(&names), *text = NULL;
	size_t size = 0;
	FILE *f;

	if (g->quota == NULL || (f = open_memstream(&text, &size)) == NULL)
		return rows;
	fputs(rows, f);
	free(rows);
	limits_metrics(g->quota, f);
	fclose(f);
	return text;
}

static void
admin_drain(void *arg)
{
	drain(arg);
}

static bool
open_admin(struct gateway *g, struct error *err)
{
	struct admin_source source = {
		.arg = g,
		.ready = is_ready,
		.status = status,
		.explain = explain,
		.metrics = metrics_text,
		.reload = gateway_reload,
		.drain = admin_drain,
		.tenants = tenants,
		.limits = limits,
		.suspend = suspend,
		.adopt = adopt,
	};

	if (g->config->admin.address == NULL)
		return true;
	g->admin = admin_open(loop_base(g->control), &g->config->admin,
	    &source, err);
	return g->admin != NULL;
}

/* ---- the whole ---- */

/* As many descriptors as the system lets us have; clients may have half of
 * them, so that there are always some for the brokers. */
static void
raise_limits(struct gateway *g)
{
	struct rlimit r;

	g->connections_most = UINT32_MAX;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
		if (r.rlim_max / 2 < UINT32_MAX)
			g->connections_most = (uint32_t)(r.rlim_max / 2);
	}
	/* No core holds keys or tokens; one that is piped to a program knows no
	 * limit. */
	r.rlim_cur = r.rlim_max = 0;
	setrlimit(RLIMIT_CORE, &r);
	prctl(PR_SET_DUMPABLE, 0);
	/* Frames come and go by the megabyte: pages that were returned would be
	 * faulted in again for the next one. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
	mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
}

/* What the configuration leads to: files, addresses. Adds all faults, so that
 * an operator need not start once for each. */
static void
open_all(struct gateway *g, struct error_list *errs)
{
	struct loaded first;
	struct error err;

	if (load_rest(g, config_ref(g->config), &first, errs)) {
		config_unref(first.config);
		memcpy(g->listener_tls, first.tls, sizeof(first.tls));
		tenants_control_take(g, first.tenants);
		auth_control_take(g, g->config, first.auth);
	}
	if (!make_upstream_tls(g, &err))
		error_list_add(errs, "cluster.tls", "%s", err.text);
	/* Before whoever wants to log in at brokers. */
	g->upstream_login = upstream_login_new(g->control,
	    &g->first_config->cluster);
	g->audit = audit_sink_new(g);
	if (!audit_sink_configure(g->audit, &g->config->auth.audit, &err))
		error_list_add(errs, "auth.audit.file", "%s", err.text);
	if (!open_admin(g, &err))
		error_list_add(errs, "admin.address", "%s", err.text);
}

/* False: the gateway cannot be, and why. */
static bool
gateway_setup(struct gateway *g, struct error_list *errs)
{
	struct upstream_options o;

	raise_limits(g);
	watchdog_show_aborts();
	g->watchdog = watchdog_new(HANG_US);
	g->control = loop_new();
	g->metrics = metric_new();
	g->started_us = clock_now_us();
	metric_set(g->metrics, METRIC_STARTED,
	    (uint64_t)clock_wall_ms() * 1000);
	set_limits(g);
	open_all(g, errs);
	if (errs->n > 0)
		return false;
	gateway_upstream_options(g, &o);
	g->watch = watch_new(g->control, g->config->cluster.bootstrap, &o,
	    published, g);
	loop_on_tick(g->control, control_tick, g);
	return true;
}

static void
gateway_end(struct gateway *g)
{
	if (g->control != NULL)
		loop_off_tick(g->control, control_tick, g);
	adopt_control_free(g);	/* answers */
	if (g->admin != NULL)
		admin_close(g->admin);
	/* Workers wish for snapshots to their last moment. */
	for (int i = 0; i < g->worker_count; i++)
		worker_stop(g->workers[i]);
	census_control_free(g);
	if (g->watch != NULL)
		watch_free(g->watch);
	if (g->cluster != NULL)
		cluster_unref(g->cluster);
	auth_control_free(g);
	tenants_control_free(g);
	fleet_control_free(g);
	quota_free(g->quota);
	/* What workers said last; nothing else is left in the loop. */
	if (g->audit != NULL)
		audit_sink_flush(g->audit);
	audit_sink_free(g->audit);
	drop_contexts(g->listener_tls);
	if (g->upstream_tls != NULL)
		tls_context_unref(g->upstream_tls);
	upstream_login_free(g->upstream_login);
	config_unref(g->config);
	config_unref(g->first_config);
	loop_free(g->control);
	metric_free(g->metrics);
	watchdog_free(g->watchdog);
	source_forget();
	guesses_forget();
	free(g);
}

/* All of them to whoever started it, as those of the file itself. */
static void
tell_faults(const struct error_list *errs, const char *path)
{
	char prefix[512];

	snprintf(prefix, sizeof(prefix), "weir: %s: ",
	    path != NULL ? path : "arguments");
	error_list_print(errs, stderr, prefix);
	log_error("cannot start", "faults=%u path=%s reason=\"%s\"", errs->n,
	    errs->v[0].path, errs->v[0].reason);
}

int
gateway_run(struct config *c, const char *path)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct event *events[3] = { NULL };
	struct gateway *g = mem_zalloc(sizeof(*g));
	struct error_list errs = { NULL, 0 };
	bool failed;

	g->config = c;
	g->first_config = config_ref(c);
	g->config_path = path;
	signal(SIGPIPE, SIG_IGN);
	setup_log(c);
	if (!gateway_setup(g, &errs)) {
		tell_faults(&errs, path);
		g->failed = true;
	}
	error_list_free(&errs);
	for (int i = 0; i < 3 && !g->failed; i++) {
		events[i] = evsignal_new(loop_base(g->control), signals[i],
		    signalled, g);
		event_add(events[i], NULL);
	}
	if (!g->failed)
		loop_run(g->control);
	for (int i = 0; i < 3; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	failed = g->failed;
	log_info("ended", "status=%s", failed ? "failed" : "ok");
	gateway_end(g);
	return failed ? 1 : 0;
}
