/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/publisher.h"
#include "gateway/client_login.h"
#include "gateway/session.h"
#include "gateway/tenants.h"

enum {
	KEY_MAX = 1024, TEXT_MAX = 512, WINDOW_US = 1000000,
	FLUSH_TURN_MS = 10,
};

/* One kind of event within its current second. */
struct repeat {
	json_t		*line;		/* the first one, to be told again */
	int64_t		 since_us;
	uint64_t	 more;
};

struct audit {
	struct worker	*worker;
	struct htab	*repeats;	/* by key; struct repeat */
	uint64_t	 beyond;	/* when the table was full */
};

struct audit_sink {
	struct gateway	*gateway;
	struct publisher *publisher;
	int		 fd;		/* -1: no file */
	char		*path;
	char		*rest;		/* of a line that is half written */
	bool		 told;		/* that it cannot be written */
	bool		 topic;		/* to one, too */
	uint64_t	 failed;	/* lines that could not be written */
};

/* A line on its way to the control thread. */
struct audit_line {
	struct gateway	*gateway;
	char		*text;
};

/* ---- lines ---- */

static json_t *
text_of(struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	char to[TEXT_MAX + 8];
	size_t n = 0;

	/* What peers chose may be no UTF-8, and may want to look like a line of
	 * ours: other bytes than printable ASCII become \xHH. */
	for (uint32_t i = 0; i < s.len && n + 4 < TEXT_MAX; i++) {
		if (s.data[i] >= ' ' && s.data[i] <= '~' &&
		    s.data[i] != '\\') {
			to[n++] = (char)s.data[i];
			continue;
		}
		to[n++] = '\\';
		to[n++] = 'x';
		to[n++] = hex[s.data[i] >> 4];
		to[n++] = hex[s.data[i] & 15];
	}
	return json_stringn(to, n);
}

static void
put_text(json_t *line, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_object_set_new(line, key, text_of(slice_of(text)));
}

static json_t *
line_new(const char *event, const char *outcome)
{
	char when[40];
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;
	json_t *line = json_object();

	gmtime_r(&s, &tm);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%03dZ", (int)(ms % 1000));
	put_text(line, "time", when);
	put_text(line, "event", event);
	put_text(line, "outcome", outcome);
	return line;
}

static void
put_session(json_t *line, const struct session *s)
{
	const struct client_login *l = s->login;

	json_object_set_new(line, "session", json_integer((json_int_t)s->id));
	put_text(line, "source", conn_peer(s->conn)->text);
	put_text(line, "vpce", conn_peer(s->conn)->vpce);
	put_text(line, "client_id", s->client_id);
	if (s->tenant != NULL)
		put_text(line, "tenant", s->tenant->id);
	if (l == NULL || l->principal == NULL)
		return;
	put_text(line, "principal", l->principal->arn);
	put_text(line, "key_id", l->principal->key_id);
}

/* ---- to the control thread ---- */

/* How much of it stands in the file now. */
static size_t
write_some(struct audit_sink *k, const char *text)
{
	size_t len = strlen(text);
	ssize_t n = write(k->fd, text, len);

	if (n == (ssize_t)len) {
		k->told = false;
		return len;
	}
	if (!k->told)
		log_error("audit file cannot be written",
		    "file=%s error=\"%s\"", k->path, n < 0 ?
		    strerror(errno) : "only a part of a line was taken");
	k->told = true;
	return n < 0 ? 0 : (size_t)n;
}

/* Ends the line that is half written: no other may be glued to it. */
static bool
write_rest(struct audit_sink *k)
{
	size_t n, len;

	if (k->rest == NULL)
		return true;
	len = strlen(k->rest);
	n = write_some(k, k->rest);
	memmove(k->rest, k->rest + n, len - n + 1);
	if (n < len)
		return false;
	free(k->rest);
	k->rest = NULL;
	return true;
}

static void
write_line(struct audit_sink *k, const char *text)
{
	size_t len = strlen(text), n;

	/* Without the line's end. */
	if (k->topic && !publisher_add(k->publisher, text, len - 1))
		k->failed++;
	if (k->fd < 0)
		return;
	n = write_rest(k) ? write_some(k, text) : 0;
	if (n == 0)
		k->failed++;
	else if (n < len)
		k->rest = mem_strdup(text + n);
}

static void
line_arrived(void *arg)
{
	struct audit_line *m = arg;

	atomic_fetch_sub(&m->gateway->audit_queued, 1);
	write_line(m->gateway->audit, m->text);
	free(m->text);
	free(m);
}

/* Takes the line. */
static void
send_line(struct gateway *g, json_t *line)
{
	struct audit_line *m;
	char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
	size_t len;

	json_decref(line);
	if (text == NULL)
		return;
	if (atomic_fetch_add(&g->audit_queued, 1) >= AUDIT_QUEUE_MAX) {
		atomic_fetch_sub(&g->audit_queued, 1);
		atomic_fetch_add(&g->audit_lost, 1);
		free(text);
		return;
	}
	len = strlen(text);
	m = mem_alloc(sizeof(*m));
	m->gateway = g;
	m->text = mem_realloc(text, len + 2);
	memcpy(m->text + len, "\n", 2);
	loop_post(g->control, line_arrived, m);
}

/* ---- repeats ---- */

struct audit *
audit_new(struct worker *w)
{
	struct audit *a = mem_zalloc(sizeof(*a));

	a->worker = w;
	a->repeats = htab_new();
	return a;
}

static void
repeat_free(void *value)
{
	struct repeat *p = value;

	json_decref(p->line);
	free(p);
}

static void
tell_repeats(struct audit *a, struct repeat *p)
{
	json_t *again;

	if (p->more == 0)
		return;
	again = json_copy(p->line);
	json_object_set_new(again, "repeated",
	    json_integer((json_int_t)p->more));
	send_line(a->worker->gateway, again);
	p->more = 0;
}

static bool
is_full(const struct audit *a)
{
	return htab_count(a->repeats) >= AUDIT_KEYS_MAX;
}

/* Whether the like was told within this second; then it is counted. What
 * `matters` is told even when no more can be remembered, so that nobody hides
 * it behind a flood. */
static bool
counted(struct audit *a, const char *key, bool matters)
{
	struct repeat *p = htab_get(a->repeats, slice_of(key));

	if (p == NULL && is_full(a) && !matters) {
		a->beyond++;
		return true;
	}
	if (p == NULL || clock_now_us() - p->since_us >= WINDOW_US)
		return false;
	p->more++;
	return true;
}

/* Tells what `counted` said no to. Takes the line. */
static void
tell(struct audit *a, const char *key, json_t *line)
{
	struct repeat *p = htab_get(a->repeats, slice_of(key));

	if (p == NULL && is_full(a)) {
		send_line(a->worker->gateway, line);
		return;
	}
	if (p == NULL) {
		p = mem_zalloc(sizeof(*p));
		htab_set(a->repeats, slice_of(key), p);
	} else {
		tell_repeats(a, p);
		json_decref(p->line);
	}
	p->line = json_incref(line);
	p->since_us = clock_now_us();
	send_line(a->worker->gateway, line);
}

/* What is quiet for a second is forgotten. Entries cannot go one by one while
 * the table is walked: what stays moves to another one. */
struct ageing {
	struct audit	*audit;
	struct htab	*stays;
	int64_t		 now;
};

static bool
age(void *arg, struct slice key, void *value)
{
	struct ageing *g = arg;
	struct repeat *p = value;

	if (g->now - p->since_us >= WINDOW_US) {
		if (p->more == 0) {
			repeat_free(p);
			return true;
		}
		tell_repeats(g->audit, p);
		p->since_us = g->now;
	}
	htab_set(g->stays, key, p);
	return true;
}

static void
tell_beyond(struct audit *a)
{
	json_t *line;

	if (a->beyond == 0)
		return;
	line = line_new("repeats", "counted");
	json_object_set_new(line, "repeated",
	    json_integer((json_int_t)a->beyond));
	a->beyond = 0;
	send_line(a->worker->gateway, line);
}

void
audit_tick(struct audit *a)
{
	struct ageing g = { .audit = a, .now = clock_now_us() };

	if (htab_count(a->repeats) > 0) {
		g.stays = htab_new();
		htab_each(a->repeats, age, &g);
		htab_free(a->repeats, NULL);
		a->repeats = g.stays;
	}
	tell_beyond(a);
}

static bool
tell_all(void *arg, struct slice key, void *value)
{
	(void)key;
	tell_repeats(arg, value);
	return true;
}

void
audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	htab_each(a->repeats, tell_all, a);
	tell_beyond(a);
	htab_free(a->repeats, repeat_free);
	free(a);
}

/* ---- events ---- */

static bool
wanted(const struct worker *w)
{
	const struct config_audit *c = &w->config->auth.audit;

	return c->file != NULL || c->topic != NULL;
}

void
audit_login(struct session *s, const char *mechanism,
    const struct auth_step *step, bool ok)
{
	struct worker *w = s->worker;
	char key[KEY_MAX];
	json_t *line;

	if (!wanted(w) || (ok && !w->config->auth.audit.logins))
		return;
	/* What it claims need not be its name: rules make it of a subject. */
	snprintf(key, sizeof(key), "login|%s|%s|%s|%d|%s",
	    conn_peer(s->conn)->host, mechanism, step->claimed,
	    ok ? -1 : (int)step->failure, ok ? s->login->principal->arn : "");
	if (counted(w->audit, key, ok))
		return;
	line = line_new("login", ok ? "allowed" : "denied");
	put_session(line, s);
	put_text(line, "mechanism", mechanism);
	put_text(line, "claimed", step->claimed);
	put_text(line, "user_agent", step->user_agent);
	if (!ok) {
		put_text(line, "reason", auth_failure_label(step->failure));
		put_text(line, "detail", step->error.text);
	}
	tell(w->audit, key, line);
}

void
audit_ended(struct session *s, const char *why)
{
	json_t *line;

	if (!wanted(s->worker))
		return;
	line = line_new("session", "ended");
	put_session(line, s);
	put_text(line, "detail", why);
	send_line(s->worker->gateway, line);
}

void
audit_refused(struct request *r, enum policy_action action,
    enum policy_resource type, struct slice name)
{
	static const char *const types[] = { "cluster", "topic", "group",
	    "transactional-id" };
	struct session *s = r->session;
	struct policy_verdict v;
	char key[KEY_MAX];
	json_t *line;

	if (s == NULL || s->login == NULL || !wanted(s->worker))
		return;
	snprintf(key, sizeof(key), "refused|%s|%d|%d|%.*s",
	    s->login->principal->arn, (int)action, (int)type,
	    SLICE_FMT(name));
	if (counted(s->worker->audit, key, false))
		return;
	policy_explain(s->policies, action, type, name, &v);
	line = line_new("request", "denied");
	put_session(line, s);
	put_text(line, "api", r->schema->name);
	put_text(line, "action", policy_action_name(action));
	put_text(line, "resource_type", types[type]);
	if (type != POLICY_CLUSTER)
		json_object_set_new(line, "resource", text_of(name));
	if (v.allowed) {
		put_text(line, "reason", slice_is(name, "*") ?
		    "it is not allowed on all of them" :
		    "it is the brokers' own or another tenant's");
	} else if (v.policy != NULL) {
		put_text(line, "policy", policy_name(v.policy));
		json_object_set_new(line, "statement",
		    json_integer(v.statement));
		put_text(line, "sid", v.sid);
	} else {
		put_text(line, "reason", v.by_session ?
		    "the session policy does not allow it" :
		    "no policy allows it");
	}
	tell(s->worker->audit, key, line);
}

void
audit_admin(struct gateway *g, const char *what, bool ok, const char *detail)
{
	json_t *line = line_new(what, ok ? "done" : "refused");

	put_text(line, "detail", detail);
	send_line(g, line);
}

/* ---- the sink ---- */

struct audit_sink *
audit_sink_new(struct gateway *g)
{
	struct audit_sink *k = mem_zalloc(sizeof(*k));
	struct upstream_options o;

	gateway_upstream_options(g, &o);
	k->publisher = publisher_new(g->control, &o);
	k->gateway = g;
	k->fd = -1;
	return k;
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	    x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void
set_file(struct audit_sink *k, int fd, const char *path)
{
	/* The end of a line goes where its beginning is. */
	if (k->fd >= 0 && !write_rest(k) && !same_file(k->fd, fd)) {
		free(k->rest);
		k->rest = NULL;
		k->failed++;
	}
	k->told = false;
	if (k->fd >= 0)
		close(k->fd);
	free(k->path);
	k->fd = fd;
	k->path = path != NULL ? mem_strdup(path) : NULL;
}

void
audit_sink_free(struct audit_sink *k)
{
	if (k == NULL)
		return;
	publisher_free(k->publisher);
	set_file(k, -1, NULL);
	free(k);
}

bool
audit_sink_configure(struct audit_sink *k, const struct config_audit *c,
    struct error *err)
{
	int fd = -1;

	if (c->file != NULL) {
		fd = open(c->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		    0640);
		if (fd < 0)
			return error_set(err, "%s cannot be opened: %s",
			    c->file, strerror(errno));
	}
	set_file(k, fd, c->file);
	k->topic = c->topic != NULL;
	publisher_set_topic(k->publisher, c->topic);
	return true;
}

void
audit_sink_cluster(struct audit_sink *k, struct cluster *c)
{
	publisher_set_cluster(k->publisher, c);
}

void
audit_sink_tick(struct audit_sink *k)
{
	uint64_t lost = atomic_exchange(&k->gateway->audit_lost, 0) +
	    k->failed + publisher_take_lost(k->publisher);
	json_t *line;

	publisher_tick(k->publisher);
	if (k->fd >= 0)
		(void)write_rest(k);
	if (lost == 0)
		return;
	k->failed = 0;
	line = line_new("audit", "lost");
	json_object_set_new(line, "lost", json_integer((json_int_t)lost));
	send_line(k->gateway, line);
}

void
audit_sink_flush(struct audit_sink *k)
{
	struct gateway *g = k->gateway;
	int64_t until = clock_now_us() + AUDIT_FLUSH_MS * 1000;

	do {
		loop_turn(g->control, FLUSH_TURN_MS);
		audit_sink_tick(k);
	} while ((atomic_load(&g->audit_queued) > 0 ||
	    !publisher_idle(k->publisher)) && clock_now_us() < until);
}
