/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/admin.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "gateway/adopt.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/explain.h"
#include "gateway/limits_status.h"
#include "gateway/net/listen.h"

struct admin {
	struct evhttp		*http;
	struct admin_source	 source;
	char			*token;		/* NULL: none is asked for */
	struct event		*drain;		/* once its reply has left */
	int			 port;
};

/* What is served. */
struct page {
	const char		*path;
	enum evhttp_cmd_type	 method;
	bool			 open;		/* needs no token anywhere */
	bool			 changes;	/* needs the token everywhere */
	void			(*serve)(struct admin *a,
				    struct evhttp_request *req);
};

static void
reply(struct evhttp_request *req, int code, const char *type, const char *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(req, code, NULL, body);
	evbuffer_free(body);
}

static void
reply_text(struct evhttp_request *req, int code, const char *text)
{
	reply(req, code, "text/plain; charset=utf-8", text);
}

/* Takes the reference. */
static void
reply_json(struct evhttp_request *req, int code, json_t *v)
{
	char *text = json_dumps(v, JSON_INDENT(2));

	reply(req, code, "application/json", text != NULL ? text : "{}");
	free(text);
	json_decref(v);
}

static void
serve_health(struct admin *a, struct evhttp_request *req)
{
	(void)a;
	reply_text(req, HTTP_OK, "ok\n");
}

static void
serve_ready(struct admin *a, struct evhttp_request *req)
{
	if (a->source.ready(a->source.arg))
		reply_text(req, HTTP_OK, "ready\n");
	else
		reply_text(req, HTTP_SERVUNAVAIL, "not ready\n");
}

static void
serve_metrics(struct admin *a, struct evhttp_request *req)
{
	char *text = a->source.metrics(a->source.arg);

	reply(req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
	free(text);
}

static void
serve_status(struct admin *a, struct evhttp_request *req)
{
	reply_json(req, HTTP_OK, a->source.status(a->source.arg));
}

/* ?principal=P&action=A&resource=R[&tenant=T], and context=KEY%3DVALUE any
 * number of times. */
static void
serve_explain(struct admin *a, struct evhttp_request *req)
{
	const char *text = evhttp_uri_get_query(
	    evhttp_request_get_evhttp_uri(req));
	struct explain_query q = { .principal = NULL };
	struct evkeyvalq pairs;
	struct evkeyval *kv;
	struct error err;
	json_t *answer = NULL;

	TAILQ_INIT(&pairs);
	evhttp_parse_query_str(text != NULL ? text : "", &pairs);
	TAILQ_FOREACH(kv, &pairs, next) {
		if (strcmp(kv->key, "context") == 0 &&
		    q.context_count < EXPLAIN_CONTEXT_MAX)
			q.context[q.context_count++] = kv->value;
	}
	q.principal = evhttp_find_header(&pairs, "principal");
	q.action = evhttp_find_header(&pairs, "action");
	q.resource = evhttp_find_header(&pairs, "resource");
	q.tenant = evhttp_find_header(&pairs, "tenant");
	if (q.principal == NULL || q.action == NULL || q.resource == NULL)
		error_set(&err, "principal, action and resource are needed");
	else
		answer = a->source.explain(a->source.arg, &q, &err);
	if (answer != NULL)
		reply_json(req, HTTP_OK, answer);
	else
		reply_json(req, 422, json_pack("{s:s}", "error", err.text));
	evhttp_clear_headers(&pairs);
}

/* {done: ok, "faults": [...]}; frees them. */
static void
reply_outcome(struct evhttp_request *req, const char *done, bool ok,
    struct error_list *errs)
{
	json_t *faults = json_array();

	for (uint32_t i = 0; i < errs->n; i++)
		json_array_append_new(faults, json_pack("{s:s, s:s}",
		    "path", errs->v[i].path, "reason", errs->v[i].reason));
	error_list_free(errs);
	reply_json(req, ok ? HTTP_OK : 422, json_pack("{s:b, s:o}", done, ok,
	    "faults", faults));
}

static void
serve_reload(struct admin *a, struct evhttp_request *req)
{
	struct error_list errs = { 0 };
	bool ok = a->source.reload(a->source.arg, &errs);

	reply_outcome(req, "reloaded", ok, &errs);
}

/* ---- tenants ---- */

/* Pairs of the query and, where it has any, the body's; evhttp_clear_headers is
 * due. */
static void
read_pairs(struct evhttp_request *req, struct evkeyvalq *to)
{
	const char *text = evhttp_uri_get_query(
	    evhttp_request_get_evhttp_uri(req));
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	struct evkeyvalq more;
	struct evkeyval *kv;
	char *body;

	TAILQ_INIT(to);
	TAILQ_INIT(&more);
	evhttp_parse_query_str(text != NULL ? text : "", to);
	body = mem_zalloc(len + 1);
	evbuffer_remove(in, body, len);
	evhttp_parse_query_str(body, &more);
	TAILQ_FOREACH(kv, &more, next)
		evhttp_add_header(to, kv->key, kv->value);
	evhttp_clear_headers(&more);
	free(body);
}

/* ?id=T, or all of them. */
static void
serve_tenants(struct admin *a, struct evhttp_request *req)
{
	struct evkeyvalq pairs;
	struct error err;
	json_t *answer;

	read_pairs(req, &pairs);
	answer = a->source.tenants(a->source.arg,
	    evhttp_find_header(&pairs, "id"), &err);
	if (answer != NULL)
		reply_json(req, HTTP_OK, answer);
	else
		reply_json(req, 422, json_pack("{s:s}", "error", err.text));
	evhttp_clear_headers(&pairs);
}

/* ?id=T, and reason= when it is to be suspended; in the query or the body. */
static void
set_suspended(struct admin *a, struct evhttp_request *req, bool on)
{
	struct error_list errs = { 0 };
	struct evkeyvalq pairs;
	const char *id, *why;
	bool ok = false;

	read_pairs(req, &pairs);
	id = evhttp_find_header(&pairs, "id");
	why = evhttp_find_header(&pairs, "reason");
	if (id == NULL || (on && why == NULL))
		error_list_add(&errs, "query", on ? "id and reason are needed" :
		    "id is needed");
	else
		ok = a->source.suspend(a->source.arg, id, on ? why : NULL,
		    &errs);
	evhttp_clear_headers(&pairs);
	reply_outcome(req, on ? "suspended" : "resumed", ok, &errs);
}

static void
serve_suspend(struct admin *a, struct evhttp_request *req)
{
	set_suspended(a, req, true);
}

static void
serve_resume(struct admin *a, struct evhttp_request *req)
{
	set_suspended(a, req, false);
}

static bool
read_partition(const char *text, int32_t *to)
{
	char *end;
	long n = strtol(text, &end, 10);

	*to = (int32_t)n;
	return end != text && *end == '\0' && n >= 0 && n <= INT32_MAX;
}

/* ?tenant=T&principal=P&topic=T&partition=N, each may be left out. */
static void
serve_limits(struct admin *a, struct evhttp_request *req)
{
	struct limits_query q = { .partition = -1 };
	struct evkeyvalq pairs;
	struct error err;
	const char *n;
	json_t *v;

	read_pairs(req, &pairs);
	q.tenant = evhttp_find_header(&pairs, "tenant");
	q.principal = evhttp_find_header(&pairs, "principal");
	q.topic = evhttp_find_header(&pairs, "topic");
	n = evhttp_find_header(&pairs, "partition");
	if (n != NULL && !read_partition(n, &q.partition)) {
		error_set(&err, "partition is a number, not %.40s", n);
		v = NULL;
	} else {
		v = a->source.limits(a->source.arg, &q, &err);
	}
	if (v != NULL)
		reply_json(req, HTTP_OK, v);
	else
		reply_json(req, 422, json_pack("{s:s}", "error", err.text));
	evhttp_clear_headers(&pairs);
}

/* ---- moving in ---- */

/* libevent reads nothing more of a client until it is answered, so the request
 * is there however long that takes. */
static void
adopt_done(void *arg, json_t *v, const struct error *why)
{
	struct evhttp_request *req = arg;

	if (v != NULL)
		reply_json(req, HTTP_OK, v);
	else
		reply_json(req, 422, json_pack("{s:s}", "error", why->text));
}

/* ?tenant=T, and patterns: topics=, groups=, txns=; as=. */
static void
adopt(struct admin *a, struct evhttp_request *req, bool write)
{
	struct adopt_query q = { .tenant = NULL };
	struct evkeyvalq pairs;

	read_pairs(req, &pairs);
	q.tenant = evhttp_find_header(&pairs, "tenant");
	q.pattern[NAME_TOPIC] = evhttp_find_header(&pairs, "topics");
	q.pattern[NAME_GROUP] = evhttp_find_header(&pairs, "groups");
	q.pattern[NAME_TXN] = evhttp_find_header(&pairs, "txns");
	q.as = evhttp_find_header(&pairs, "as");
	a->source.adopt(a->source.arg, &q, write, adopt_done, req);
	evhttp_clear_headers(&pairs);
}

static void
serve_adopt(struct admin *a, struct evhttp_request *req)
{
	adopt(a, req, false);
}

static void
serve_adopt_write(struct admin *a, struct evhttp_request *req)
{
	adopt(a, req, true);
}

/* ---- the end ---- */

static void
on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct admin *a = arg;

	(void)fd, (void)what;
	a->source.drain(a->source.arg);
}

static void
serve_drain(struct admin *a, struct evhttp_request *req)
{
	static const struct timeval soon = { 0, 50 * 1000 };

	if (a->source.drain == NULL) {
		reply_text(req, HTTP_NOTIMPLEMENTED, "not offered\n");
		return;
	}
	event_add(a->drain, &soon);
	reply_json(req, 202, json_pack("{s:b}", "draining", 1));
}

static const struct page pages[] = {
	{ "/healthz", EVHTTP_REQ_GET, true, false, serve_health },
	{ "/readyz", EVHTTP_REQ_GET, true, false, serve_ready },
	{ "/metrics", EVHTTP_REQ_GET, false, false, serve_metrics },
	{ "/status", EVHTTP_REQ_GET, false, false, serve_status },
	{ "/explain-access", EVHTTP_REQ_GET, false, false, serve_explain },
	{ "/tenants", EVHTTP_REQ_GET, false, false, serve_tenants },
	{ "/limits", EVHTTP_REQ_GET, false, false, serve_limits },
	{ "/adopt", EVHTTP_REQ_GET, false, false, serve_adopt },
	{ "/adopt", EVHTTP_REQ_POST, false, true, serve_adopt_write },
	{ "/tenants/suspend", EVHTTP_REQ_POST, false, true, serve_suspend },
	{ "/tenants/resume", EVHTTP_REQ_POST, false, true, serve_resume },
	{ "/reload", EVHTTP_REQ_POST, false, true, serve_reload },
	{ "/drain", EVHTTP_REQ_POST, false, true, serve_drain },
};

static bool
from_loopback(struct evhttp_request *req)
{
	struct evhttp_connection *c = evhttp_request_get_connection(req);
	char *host = NULL;
	uint16_t port = 0;

	evhttp_connection_get_peer(c, &host, &port);
	return host != NULL && (strncmp(host, "127.", 4) == 0 ||
	    strcmp(host, "::1") == 0 || strncmp(host, "::ffff:127.", 11) == 0);
}

static bool
shows_token(const struct admin *a, struct evhttp_request *req)
{
	static const char scheme[] = "Bearer ";
	const char *s = evhttp_find_header(
	    evhttp_request_get_input_headers(req), "Authorization");
	size_t len = strlen(a->token);

	if (s == NULL || strncmp(s, scheme, sizeof(scheme) - 1) != 0)
		return false;
	s += sizeof(scheme) - 1;
	return strlen(s) == len && CRYPTO_memcmp(s, a->token, len) == 0;
}

/* False: the request was refused and answered. */
static bool
admit(const struct admin *a, const struct page *p, struct evhttp_request *req)
{
	struct evkeyvalq *in = evhttp_request_get_input_headers(req);
	bool needs = p->changes || (!p->open && !from_loopback(req));
	struct log_quoted q;

	if (p->changes && evhttp_find_header(in, "Origin") != NULL) {
		reply_text(req, 403, "not from a browser\n");
		return false;
	}
	if (!needs || (a->token == NULL && from_loopback(req)) ||
	    (a->token != NULL && shows_token(a, req)))
		return true;
	log_warn("an admin request without the token was refused", "path=%s",
	    log_quote(slice_of(p->path), &q));
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "WWW-Authenticate", "Bearer");
	reply_text(req, 401, "a token is required\n");
	return false;
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	const char *path = evhttp_uri_get_path(
	    evhttp_request_get_evhttp_uri(req));
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const struct page *p = NULL;

	if (method == EVHTTP_REQ_HEAD)
		method = EVHTTP_REQ_GET;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (path != NULL && strcmp(path, pages[i].path) == 0 &&
		    (p == NULL || pages[i].method == method))
			p = &pages[i];
	}
	if (p == NULL)
		reply_text(req, HTTP_NOTFOUND, "there are: /healthz /readyz "
		    "/metrics /status /explain-access /tenants /limits "
		    "/adopt, "
		    "POST: /reload /drain /adopt /tenants/suspend "
		    "/tenants/resume\n");
	else if (p->method != method)
		reply_text(req, HTTP_BADMETHOD, p->changes ?
		    "use POST\n" : "use GET\n");
	else if (admit(arg, p, req))
		p->serve(arg, req);
}

static bool
bind_http(struct admin *a, const char *address, struct error *err)
{
	struct evhttp_bound_socket *s;
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	char host[256], text[64];
	const char *colon;
	bool any;

	if (!address_split(address, host, sizeof(host), &a->port, err))
		return false;
	any = host[0] == '\0' || strcmp(host, "*") == 0;
	s = evhttp_bind_socket_with_handle(a->http, any ? NULL : host,
	    (uint16_t)a->port);
	if (s == NULL)
		return error_set(err, "cannot listen on %s: %s", address,
		    evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	if (getsockname(evhttp_bound_socket_get_fd(s), (struct sockaddr *)&at,
	    &len) == 0) {
		address_format((struct sockaddr *)&at, text, sizeof(text));
		colon = strrchr(text, ':');
		a->port = (int)strtol(colon + 1, NULL, 10);
	}
	return true;
}

void
admin_set_config(struct admin *a, const struct config_admin *c)
{
	if (a->token != NULL)
		OPENSSL_cleanse(a->token, strlen(a->token));
	free(a->token);
	a->token = c->token != NULL ? mem_strdup(c->token) : NULL;
}

struct admin *
admin_open(struct event_base *base, const struct config_admin *c,
    const struct admin_source *source, struct error *err)
{
	struct admin *a = mem_zalloc(sizeof(*a));

	a->source = *source;
	a->http = evhttp_new(base);
	a->drain = event_new(base, -1, 0, on_drain, a);
	admin_set_config(a, c);
	evhttp_set_max_headers_size(a->http, ADMIN_HEADERS_MAX);
	evhttp_set_max_body_size(a->http, ADMIN_BODY_MAX);
	evhttp_set_timeout(a->http, ADMIN_TIMEOUT_S);
	evhttp_set_allowed_methods(a->http,
	    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_gencb(a->http, on_request, a);
	if (bind_http(a, c->address, err))
		return a;
	admin_close(a);
	return NULL;
}

void
admin_close(struct admin *a)
{
	static const struct config_admin none;

	if (a == NULL)
		return;
	evhttp_free(a->http);
	event_free(a->drain);
	admin_set_config(a, &none);
	free(a);
}

int
admin_port(const struct admin *a)
{
	return a->port;
}
