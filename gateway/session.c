/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/authorize.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/base/utf8.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/client_login.h"
#include "gateway/net/listen.h"
#include "gateway/net/source.h"
#include "gateway/session_tenant.h"
#include "gateway/tenancy.h"
#include "gateway/throttle.h"
#include "gateway/wire/frame.h"
#include "routing/virtual.h"
#include "wire/messages.h"

/* ---- replies, in order ---- */

static void
count_request(struct session *s, struct request *r)
{
	int64_t took = loop_now_us(s->worker->loop) - r->start_us;

	metric_request(s->worker->metrics, r->schema->key,
	    took > 0 ? (uint64_t)took : 0, r->error, r->bytes_in,
	    r->reply.bytes);
	if (r->error != 0)
		metric_error(s->worker->metrics, r->schema->key, r->error);
}

void
session_flush(struct session *s)
{
	while (!list_empty(&s->requests)) {
		struct request *r = LIST_ENTRY(s->requests.next,
		    struct request, link);

		if (!r->done)
			break;
		count_request(s, r);
		if (r->reply.bytes > 0)
			conn_send(s->conn, &r->reply);
		s->in_flight--;
		metric_sub(s->worker->metrics, METRIC_IN_FLIGHT, 1);
		request_free(r);
	}
	if (s->paused && !s->worker->draining &&
	    s->state != SESSION_CLOSING &&
	    s->in_flight < s->worker->config->limits.in_flight_max) {
		s->paused = false;
		if (!s->muted)
			conn_resume(s->conn);
	}
	if (s->state == SESSION_CLOSING && list_empty(&s->requests))
		client_login_answered(s);
}

void
session_mute(struct session *s, bool muted)
{
	if (muted && !s->muted)
		conn_pause(s->conn);
	if (!muted && s->muted && !s->paused && s->state != SESSION_CLOSING &&
	    !s->worker->draining)
		conn_resume(s->conn);
	s->muted = muted;
}

void
session_mute_idle(struct session *s)
{
	session_mute(s, true);
	conn_watch_end(s->conn);
}

/* ---- requests ---- */

static void
note_client_id(struct session *s, struct slice id)
{
	uint32_t len = id.data == NULL ? 0 : (uint32_t)strnlen(
	    (const char *)id.data, utf8_cut(id, SESSION_CLIENT_ID_MAX));

	if (id.data == NULL || (s->client_id != NULL &&
	    strlen(s->client_id) == len &&
	    memcmp(s->client_id, id.data, len) == 0))
		return;
	free(s->client_id);
	s->client_id = mem_strndup(id.data, len);
	client_login_client_id(s);
	throttle_renamed(s);
}

/* Not offered: closed as a broker does, for there is no answer that the client
 * could read. */
static void
refuse_version(struct session *s, const struct frame_request *h)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "api key %d version %d", h->api_key,
	    h->version);
	session_close(s, CONN_UNSUPPORTED, detail);
}

/* Whether what was asked for is served at all, and how. */
static bool
version_served(const struct session *s, const struct request *r)
{
	int16_t min, max;

	if (r->api->route == ROUTE_DENY)
		return r->version >= r->schema->since &&
		    r->version <= r->schema->until;
	return api_offered(r->api, s->worker->cluster, &min, &max) &&
	    r->version >= min && r->version <= max;
}

/* Served before the login, and when it is over. */
static bool
belongs_to_login(const struct request *r)
{
	return r->schema->key == API_API_VERSIONS ||
	    r->schema->key == API_SASL_HANDSHAKE ||
	    r->schema->key == API_SASL_AUTHENTICATE;
}

/* Before the login, and when it is over, only what leads to one is. */
static bool
is_served(struct session *s, const struct request *r)
{
	if (s->state == SESSION_LOGIN)
		return belongs_to_login(r);
	if (!client_login_over(s))
		return true;
	return belongs_to_login(r) && (r->schema->key != API_API_VERSIONS ||
	    client_login_first_question(s));
}

/* Appends it to the queue; from now on the session answers for it. */
static void
enqueue(struct session *s, struct request *r)
{
	r->session = s;
	metric_add(s->worker->metrics, METRIC_IN_FLIGHT, 1);
	list_append(&s->requests, &r->link);
	if (++s->in_flight >= s->worker->config->limits.in_flight_max &&
	    !s->paused) {
		s->paused = true;
		conn_pause(s->conn);
	}
}

void
session_run(struct request *r)
{
	if (authorize(r))
		r->api->handle(r);
}

static void
serve(struct session *s, struct request *r, struct reader *rd, size_t len)
{
	if (r->schema->key == API_API_VERSIONS &&
	    (r->version > r->schema->until || r->version < 0)) {
		enqueue(s, r);
		throttle_charge(r);
		api_versions_too_new(r);
		return;
	}
	r->arena.cap = r->arena.used + CODEC_ARENA_FACTOR * len + 4096;
	r->body = codec_decode(rd, r->schema->request, r->version, &r->arena);
	if (r->body == NULL || rd->p != rd->end) {
		char detail[128];

		snprintf(detail, sizeof(detail), "%s v%d: %s", r->schema->name,
		    r->version, rd->fault ? rd->fault : "bytes left over");
		request_free(r);
		session_close(s, CONN_BAD_REQUEST, detail);
		return;
	}
	if (rd->unknown_tags > 0)
		metric_add(s->worker->metrics, METRIC_TAGS_DROPPED,
		    rd->unknown_tags);
	enqueue(s, r);
	if (tenancy_inward(r) && throttle_admit(r))
		session_run(r);
}

static void
session_frame(struct conn *c, void *arg, struct block *b, const uint8_t *data,
    size_t len)
{
	struct session *s = arg;
	struct frame_request h;
	struct request *r;
	struct reader rd;

	(void)c;
	s->last_us = loop_now_us(s->worker->loop);
	if (!client_login_count(s))
		return;
	if (client_login_expects_raw(s)) {
		client_login_raw(s, data, len);
		return;
	}
	reader_init(&rd, data, len, b);
	if (!frame_read_request(&rd, &h)) {
		session_close(s, CONN_BAD_REQUEST, rd.fault);
		return;
	}
	note_client_id(s, h.client_id);
	r = request_new(s->worker);
	r->api = api_find(h.api_key);
	r->schema = r->api ? r->api->schema : NULL;
	r->version = h.version;
	r->correlation_id = h.correlation_id;
	r->client_id = h.client_id;
	r->bytes_in = len + 4;
	arena_hold(&r->arena, b);
	if (r->schema == NULL || (r->schema->key != API_API_VERSIONS &&
	    !version_served(s, r))) {
		request_free(r);
		refuse_version(s, &h);
		return;
	}
	if (!is_served(s, r)) {
		request_free(r);
		session_close(s, s->state == SESSION_LOGIN ? CONN_LOGIN :
		    CONN_EXPIRED, s->state == SESSION_LOGIN ?
		    "a request before login" : NULL);
		return;
	}
	serve(s, r, &rd, len);
}

/* ---- the end ---- */

/* Legs that are still out keep their requests and upstreams alive without the
 * session; nothing is sent for them any more. */
static void
orphan_requests(struct session *s)
{
	metric_sub(s->worker->metrics, METRIC_IN_FLIGHT, s->in_flight);
	LIST_FOREACH(it, &s->requests)
		LIST_ENTRY(it, struct request, link)->session = NULL;
	while (!list_empty(&s->requests)) {
		struct request *r = LIST_ENTRY(s->requests.next,
		    struct request, link);

		list_remove(&r->link);
		if (r->pending == 0)
			request_free(r);
	}
}

static void
let_leases_go(struct session *s)
{
	while (!list_empty(&s->leases)) {
		struct upstream_lease *l = LIST_ENTRY(s->leases.next,
		    struct upstream_lease, link);

		list_remove(&l->link);
		list_append(&s->worker->leases, &l->link);
		l->session = NULL;
	}
}

static bool
worth_a_line(enum conn_reason reason)
{
	switch (reason) {
	case CONN_PEER:
	case CONN_RESET:
	case CONN_IDLE:
	case CONN_DRAIN:
	case CONN_UNUSED:
		return false;
	default:
		return true;
	}
}

static void
log_closed(const struct session *s, enum conn_reason reason,
    const char *detail)
{
	struct log_quoted id, text;
	char tenant[SESSION_TENANT_LOG];

	if (!worth_a_line(reason) && !log_wants(LOG_DEBUG))
		return;
	log_write(worth_a_line(reason) ? LOG_WARN : LOG_DEBUG,
	    "session closed",
	    "session=%llu peer=%s%s client_id=%s reason=%s detail=%s",
	    (unsigned long long)s->id, conn_peer(s->conn)->text,
	    session_tenant_log(s, tenant, sizeof(tenant)),
	    log_quote(slice_of(s->client_id ? s->client_id : ""), &id),
	    conn_reason_label(reason),
	    log_quote(slice_of(detail ? detail : conn_reason_text(reason)),
	    &text));
}

static void
session_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct session *s = arg;
	struct worker *w = s->worker;

	metric_add(w->metrics, metric_reason(METRIC_CONNECTIONS_CLOSED,
	    (int)reason), 1);
	log_closed(s, reason, detail);
	if (s->source_taken)
		source_close(&conn_peer(c)->remote.sa);
	list_remove(&s->link);
	w->session_count--;
	atomic_fetch_sub(&w->gateway->connections, 1);
	fetch_state_free(s);
	share_state_free(s);
	produce_state_free(s);
	throttle_leave(s);
	orphan_requests(s);
	let_leases_go(s);
	client_login_free(s->login);
	session_tenant_take(s, NULL);
	free(s->client_id);
	free(s->software);
	free(s);
}

void
session_close(struct session *s, enum conn_reason reason, const char *detail)
{
	conn_close(s->conn, reason, detail);
}

/* ---- the beginning ---- */

static void
session_drained(struct conn *c, void *arg)
{
	(void)c;
	fetch_state_drained(arg);
}

bool
session_output_full(const struct session *s)
{
	return conn_queued(s->conn) > s->worker->config->limits.out_high;
}

/* Behind a load balancer only now it is known who it is. */
static void
session_addressed(struct conn *c, void *arg)
{
	struct session *s = arg;
	enum source_verdict v = source_open(&conn_peer(c)->remote.sa);

	s->source_taken = v == SOURCE_TAKEN;
	if (v == SOURCE_MANY || v == SOURCE_FAST) {
		metric_add(s->worker->metrics, METRIC_CONNECTIONS_REFUSED, 1);
		session_close(s, v == SOURCE_MANY ? CONN_SOURCE_MANY :
		    CONN_SOURCE_FAST, NULL);
	}
}

static void
session_ready(struct conn *c, void *arg)
{
	(void)c;
	client_login_ready(arg);
}

static const struct conn_ops session_ops = {
	.frame = session_frame,
	.ready = session_ready,
	.drained = session_drained,
	.closed = session_closed,
	.addressed = session_addressed,
};

static void
conn_options_for(const struct worker *w, int listener, struct conn_options *o)
{
	const struct config_limits *l = &w->config->limits;
	const struct config_listener *c = &w->config->listeners.v[listener];

	bool login = c->auth != CONFIG_AUTH_NONE;

	*o = (struct conn_options){
		.frame_max = login ? l->frame_max_login : l->frame_max,
		.out_high = l->out_high,
		.setup_ms = l->setup_ms,
		.frame_ms = login ? l->setup_ms : l->frame_ms,
		.stall_ms = l->stall_ms,
		.idle_ms = l->idle_ms,
		.sheds = true,
		.expect_proxy = c->proxy_protocol,
		.client = true,
		.tls = w->tls[listener],
	};
}

/* Why a connection cannot become a session; false: it can. What an address may
 * have is asked last: it has been counted then. */
static bool
is_refused(struct worker *w, const struct sockaddr *peer, int listener,
    uint32_t connected, enum conn_reason *why, bool *source_taken)
{
	const struct config_listener *l = &w->config->listeners.v[listener];
	enum source_verdict v = SOURCE_FREE;

	if (connected >= w->config->limits.connections_max ||
	    connected >= w->gateway->connections_most)
		*why = CONN_LIMIT;
	else if (loop_nearly_full())
		*why = CONN_MEMORY;
	else if (l->proxy_protocol && !cidr_list_has(&l->proxy_sources, peer))
		*why = CONN_PROXY_HEADER;
	else if (!l->proxy_protocol && (v = source_open(peer)) == SOURCE_MANY)
		*why = CONN_SOURCE_MANY;
	else if (v == SOURCE_FAST)
		*why = CONN_SOURCE_FAST;
	else
		*why = CONN_REASON_COUNT;
	*source_taken = v == SOURCE_TAKEN;
	return *why != CONN_REASON_COUNT;
}

/* Closed before it became a session. */
static void
refuse(struct worker *w, int fd, const struct sockaddr *peer,
    enum conn_reason reason)
{
	char text[64];

	address_format(peer, text, sizeof(text));
	metric_add(w->metrics, METRIC_CONNECTIONS_REFUSED, 1);
	metric_add(w->metrics, metric_reason(METRIC_CONNECTIONS_CLOSED,
	    (int)reason), 1);
	log_warn("connection refused", "peer=%s reason=%s detail=\"%s\"",
	    text, conn_reason_label(reason), conn_reason_text(reason));
	atomic_fetch_sub(&w->gateway->connections, 1);
	close(fd);
}

void
session_open(struct worker *w, int fd, const struct sockaddr *peer,
    socklen_t len, int listener)
{
	struct gateway *g = w->gateway;
	struct conn_options o;
	enum conn_reason why;
	struct session *s;
	bool source_taken;

	metric_add(w->metrics, METRIC_CONNECTIONS, 1);
	if (is_refused(w, peer, listener, atomic_fetch_add(&g->connections, 1),
	    &why, &source_taken)) {
		refuse(w, fd, peer, why);
		return;
	}
	s = mem_zalloc(sizeof(*s));
	s->worker = w;
	s->source_taken = source_taken;
	s->listener = (uint16_t)listener;
	s->id = atomic_fetch_add(&g->next_session, 1) + 1;
	s->opened_us = s->last_us = loop_now_us(w->loop);
	s->state = SESSION_OPEN;
	list_init(&s->requests);
	list_init(&s->leases);
	list_append(&w->sessions, &s->link);
	w->session_count++;
	conn_options_for(w, listener, &o);
	if (w->config->listeners.v[listener].auth != CONFIG_AUTH_NONE)
		client_login_begin(s);
	s->conn = conn_open_accepted(w->loop, fd, peer, len, &o, &session_ops,
	    s);
	/* Nothing is waited for: `ready` is not told. */
	if (o.tls == NULL && !o.expect_proxy)
		client_login_ready(s);
}

/* ---- what the client sees ---- */

static const struct config_listener *
listener_of(const struct session *s)
{
	return &s->worker->config->listeners.v[s->listener];
}

static struct slice
client_id_of(const struct session *s)
{
	return s->client_id ? slice_of(s->client_id) : SLICE_LIT("");
}

/* An operator's row for that name and version; NULL when there is none. */
static const struct config_virtual_client *
configured_client(const struct session *s, struct slice name,
    struct slice version)
{
	const struct config_virtual *v = &s->worker->config->virtual_brokers;

	for (uint32_t i = 0; i < v->clients.n; i++) {
		const struct config_virtual_client *c = &v->clients.v[i];
		struct virtual_rule rules[2] = {
			{ c->name, c->version_marker ? c->version_marker : "",
			  { c->version[0], c->version[1], c->version[2] } },
			{ NULL, NULL, { 0, 0, 0 } },
		};

		if (virtual_keeps_apart(rules, name, version))
			return c;
	}
	return NULL;
}

void
session_named(struct session *s, struct slice name, struct slice version)
{
	const struct config_virtual *v = &s->worker->config->virtual_brokers;
	const struct config_virtual_client *c;
	bool apart = virtual_keeps_apart(NULL, name, version);
	char text[SESSION_NAME_MAX * 2];

	snprintf(text, sizeof(text), "%.*s %.*s", SLICE_FMT(name),
	    SLICE_FMT(version));
	free(s->software);
	s->software = mem_strdup(text);
	c = configured_client(s, name, version);
	s->virtual_count = c != NULL ? c->ids : apart ? v->known : v->others;
	/* Without a client id it would be another one's name. */
	if (c == NULL && client_id_of(s).len > 0)
		virtual_remember(conn_peer(s->conn)->host, client_id_of(s),
		    apart);
}

int32_t
session_virtual_count(struct session *s)
{
	const struct config_virtual *v = &s->worker->config->virtual_brokers;
	bool apart;

	if (s->virtual_count == 0) {
		s->virtual_count = v->others;
		if (client_id_of(s).len > 0 &&
		    virtual_recall(conn_peer(s->conn)->host, client_id_of(s),
		    &apart) && apart)
			s->virtual_count = v->known;
	}
	/* With hosts of their own, ids are kept apart by everybody. */
	if (listener_of(s)->advertised_template)
		return virtual_count(s->worker->cluster, v->known);
	return virtual_count(s->worker->cluster, s->virtual_count);
}

/* "{id}" in the host becomes the virtual broker's id. */
static struct slice
fill_template(const char *host, int32_t id, struct arena *a)
{
	const char *at = strstr(host, "{id}");

	if (at == NULL)
		return slice_of(host);
	return arena_printf(a, "%.*s%d%s", (int)(at - host), host, id, at + 4);
}

static int
local_address(const struct conn_peer *p, char *host, socklen_t size)
{
	if (p->local.sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &p->local.in6.sin6_addr, host, size);
		return ntohs(p->local.in6.sin6_port);
	}
	inet_ntop(AF_INET, &p->local.in.sin_addr, host, size);
	return ntohs(p->local.in.sin_port);
}

void
session_address(struct session *s, int32_t id, struct arena *a,
    struct slice *host, int32_t *port)
{
	const struct config_listener *l = listener_of(s);
	const struct conn_peer *p = conn_peer(s->conn);
	char text[INET6_ADDRSTRLEN] = "";
	int local;

	*port = l->advertised_port;
	if (l->advertised_host != NULL) {
		*host = fill_template(l->advertised_host, id, a);
		if (*port == 0)
			*port = s->worker->gateway->bound_port[s->listener];
		return;
	}
	/* Nothing is advertised: the address that this client reached. */
	local = local_address(p, text, sizeof(text));
	*host = arena_slice(a, slice_of(text));
	if (*port == 0)
		*port = local;
}
