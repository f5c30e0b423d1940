/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http_client.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "gateway/base/clock.h"
#include "gateway/base/list.h"
#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/net/lookup.h"
#include "gateway/net/loop.h"

/* evhttp does not like to be freed from inside its callbacks: those only note
 * what came, and the timer, which is also the deadline, ends the call. */
struct http_call {
	struct loop		*loop;
	/* What is still to be sent, while the host is looked up. */
	struct lookup		*lookup;	/* NULL: it is known, or not */
	struct http_url		 url;
	char			*authorization, *form;	/* cleansed; or NULL */
	uint32_t		 attempt, body_max;
	struct evhttp_connection *http;		/* NULL: never connected */
	SSL			*ssl;		/* a reference, or NULL */
	struct timer		 timer;
	bool			 over;		/* an answer, or none, came */
	int			 status;
	uint8_t			*body;
	uint32_t		 len;
	struct error		 fault;
	void			(*done)(void *arg, const struct http_answer *a);
	void			*arg;
};

/* ---- URLs ---- */

static bool
is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(host, "localhost") == 0;
}

/* host, host:port, [v6]:port */
static bool
read_authority(const char *text, struct http_url *to, struct error *err)
{
	char with_port[HTTP_URL_MAX + 8];
	const char *end = strrchr(text, ']');

	if (strchr(text, '@') != NULL)
		return error_set(err, "must not have a user or password");
	snprintf(with_port, sizeof(with_port), "%s%s", text,
	    strchr(end != NULL ? end : text, ':') != NULL ? "" :
	    to->tls ? ":443" : ":80");
	if (!address_split(with_port, to->host, sizeof(to->host), &to->port,
	    err))
		return false;
	if (to->host[0] == '\0' || to->port == 0)
		return error_set(err, "must name a host");
	return true;
}

bool
http_url_parse(const char *text, struct http_url *to, struct error *err)
{
	char authority[HTTP_URL_MAX];
	const char *rest;
	size_t n;

	memset(to, 0, sizeof(*to));
	if (strlen(text) >= HTTP_URL_MAX)
		return error_set(err, "must be shorter than %d bytes",
		    HTTP_URL_MAX);
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#' || *c == '\\')
			return error_set(err, "must be a URL without blanks "
			    "and without a fragment");
	to->tls = strncmp(text, "https://", 8) == 0;
	if (!to->tls && strncmp(text, "http://", 7) != 0)
		return error_set(err, "must begin with https://");
	rest = text + (to->tls ? 8 : 7);
	n = strcspn(rest, "/?");
	memcpy(authority, rest, n);
	authority[n] = '\0';
	if (!read_authority(authority, to, err))
		return false;
	snprintf(to->target, sizeof(to->target), "%s%.*s",
	    rest[n] == '/' ? "" : "/", HTTP_URL_MAX - 2, rest + n);
	if (!to->tls && !is_loopback(to->host))
		return error_set(err, "must begin with https://: plain http "
		    "is only for loopback addresses");
	return true;
}

/* ---- the end of a call ---- */

static void
free_secret(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void
call_free(struct http_call *c)
{
	timer_cancel(&c->timer);
	lookup_cancel(c->lookup);
	free_secret(c->authorization);
	free_secret(c->form);
	if (c->http != NULL)
		evhttp_connection_free(c->http);
	SSL_free(c->ssl);
	if (c->body != NULL)
		OPENSSL_cleanse(c->body, c->len);
	free(c->body);
	free(c);
}

void
http_call_cancel(struct http_call *c)
{
	if (c != NULL)
		call_free(c);
}

static void
on_timer(struct timer *t)
{
	struct http_call *c = LIST_ENTRY(t, struct http_call, timer);
	struct http_answer a = { .status = c->status, .fault = c->fault.text };
	void (*done)(void *arg, const struct http_answer *a) = c->done;

	if (!c->over)
		a.fault = "the time is over";
	a.body = (struct slice){ c->body, c->len };
	lookup_cancel(c->lookup);
	c->lookup = NULL;
	/* First the connection, then whoever waits: they may start another. */
	if (c->http != NULL)
		evhttp_connection_free(c->http);
	c->http = NULL;
	done(c->arg, &a);
	call_free(c);
}

/* The timer calls done() in this turn or the next. */
static void
finish(struct http_call *c)
{
	c->over = true;
	timer_set(&c->timer, c->loop, clock_now_us(), on_timer);
}

static void
fail(struct http_call *c, const char *why)
{
	long v = c->ssl != NULL ? SSL_get_verify_result(c->ssl) : X509_V_OK;

	if (c->over)
		return;
	if (v != X509_V_OK)
		error_set(&c->fault, "the server's certificate: %s",
		    X509_verify_cert_error_string(v));
	else
		error_set(&c->fault, "%s", why);
	finish(c);
}

/* ---- what evhttp says ---- */

static void
on_error(enum evhttp_request_error e, void *arg)
{
	static const char *const texts[] = {
		[EVREQ_HTTP_TIMEOUT] = "the time is over",
		[EVREQ_HTTP_EOF] = "the server hung up",
		[EVREQ_HTTP_INVALID_HEADER] = "the answer is no HTTP",
		[EVREQ_HTTP_BUFFER_ERROR] = "the connection broke",
		[EVREQ_HTTP_REQUEST_CANCEL] = "it was cancelled",
		[EVREQ_HTTP_DATA_TOO_LONG] = "the answer is too long",
	};

	fail(arg, (size_t)e < sizeof(texts) / sizeof(texts[0]) &&
	    texts[e] != NULL ? texts[e] : "the connection broke");
}

static void
on_answer(struct evhttp_request *req, void *arg)
{
	struct http_call *c = arg;
	struct evbuffer *in;

	if (req == NULL || evhttp_request_get_response_code(req) == 0) {
		fail(c, "it cannot be connected");
		return;
	}
	if (c->over)
		return;
	c->status = evhttp_request_get_response_code(req);
	in = evhttp_request_get_input_buffer(req);
	c->len = (uint32_t)evbuffer_get_length(in);
	c->body = mem_alloc(c->len + 1);
	evbuffer_remove(in, c->body, c->len);
	finish(c);
}

/* ---- the beginning ---- */

/* The attempt-th of the addresses, as text. */
static bool
take_address(const struct http_call *c, const struct addrinfo *found, char *to,
    size_t size, struct error *err)
{
	const struct addrinfo *a;
	uint32_t n = 0;
	int fault;

	for (a = found; a != NULL; a = a->ai_next)
		n++;
	a = found;
	for (uint32_t i = c->attempt % n; i > 0; i--)
		a = a->ai_next;
	fault = getnameinfo(a->ai_addr, a->ai_addrlen, to, (socklen_t)size,
	    NULL, 0, NI_NUMERICHOST);
	return fault == 0 || error_set(err, "%s: %s", c->url.host,
	    gai_strerror(fault));
}

static bool
check_peer(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *p = SSL_get0_param(ssl);

	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if (X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1)
		return true;
	ERR_clear_error();
	X509_VERIFY_PARAM_set_hostflags(p,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 &&
	    SSL_set_tlsext_host_name(ssl, host) == 1;
}

static SSL *
make_ssl(const struct http_url *u, const char *ca_file, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	bool ok = ctx != NULL &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1;

	if (ok && (ca_file != NULL ?
	    SSL_CTX_load_verify_locations(ctx, ca_file, NULL) :
	    SSL_CTX_set_default_verify_paths(ctx)) != 1) {
		ok = false;
		error_set(err, "%s cannot be read: it must have certificates "
		    "in PEM", ca_file != NULL ? ca_file : "the system's "
		    "authorities");
	}
	if (ok && ((ssl = SSL_new(ctx)) == NULL || !check_peer(ssl, u->host))) {
		SSL_free(ssl);
		ssl = NULL;
		error_set(err, "TLS cannot be set up");
	}
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return ssl;
}

static void
add_headers(struct evhttp_request *req, const struct http_call *c)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	const struct http_url *u = &c->url;
	bool six = strchr(u->host, ':') != NULL;
	char host[300];

	snprintf(host, sizeof(host), u->port == (u->tls ? 443 : 80) ?
	    "%s%s%s" : "%s%s%s:%d", six ? "[" : "", u->host, six ? "]" : "",
	    u->port);
	evhttp_add_header(h, "Host", host);
	evhttp_add_header(h, "Accept", "application/json");
	evhttp_add_header(h, "User-Agent", "weir");
	evhttp_add_header(h, "Connection", "close");
	if (c->authorization != NULL)
		evhttp_add_header(h, "Authorization", c->authorization);
	if (c->form == NULL)
		return;
	evhttp_add_header(h, "Content-Type",
	    "application/x-www-form-urlencoded");
	evbuffer_add(evhttp_request_get_output_buffer(req), c->form,
	    strlen(c->form));
}

static bool
send_request(struct http_call *c, const char *address, struct error *err)
{
	struct event_base *base = loop_base(c->loop);
	struct bufferevent *bev = NULL;
	struct evhttp_request *req;

	if (c->ssl != NULL) {
		SSL_up_ref(c->ssl);
		bev = bufferevent_openssl_socket_new(base, -1, c->ssl,
		    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
		/* Who ends without a goodbye may have been cut short; JSON
		 * that is cut cannot be read. */
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	}
	c->http = evhttp_connection_base_bufferevent_new(base, NULL, bev,
	    address, (unsigned short)c->url.port);
	evhttp_connection_set_max_headers_size(c->http, HTTP_HEADERS_MAX);
	evhttp_connection_set_max_body_size(c->http, (ev_ssize_t)c->body_max);
	req = evhttp_request_new(on_answer, c);
	evhttp_request_set_error_cb(req, on_error);
	add_headers(req, c);
	/* When it fails it has freed the request, and perhaps told on_answer */
	if (evhttp_make_request(c->http, req, c->form != NULL ?
	    EVHTTP_REQ_POST : EVHTTP_REQ_GET, c->url.target) != 0)
		return error_set(err, "it cannot be connected");
	return true;
}

static void
found_host(void *arg, const struct addrinfo *found, int fault)
{
	struct http_call *c = arg;
	char address[64];
	struct error err;

	c->lookup = NULL;
	if (found == NULL) {
		error_set(&err, "%s: %s", c->url.host, gai_strerror(fault));
		fail(c, err.text);
	} else if (!take_address(c, found, address, sizeof(address), &err) ||
	    !send_request(c, address, &err)) {
		fail(c, err.text);
	}
}

static char *
copy_of(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static bool
begin(struct http_call *c, const struct http_options *o, struct error *err)
{
	if (!http_url_parse(o->url, &c->url, err))
		return false;
	if (c->url.tls) {
		c->ssl = make_ssl(&c->url, o->ca_file, err);
		if (c->ssl == NULL)
			return false;
	}
	c->authorization = copy_of(o->authorization);
	c->form = copy_of(o->form);
	c->attempt = o->attempt;
	c->body_max = o->body_max;
	c->lookup = lookup_start(c->loop, c->url.host, AI_ADDRCONFIG,
	    found_host, c);
	return true;
}

struct http_call *
http_call_start(struct loop *l, const struct http_options *o,
    void (*done)(void *arg, const struct http_answer *a), void *arg)
{
	struct http_call *c = mem_zalloc(sizeof(*c));
	uint32_t wait = o->timeout_ms ? o->timeout_ms : HTTP_TIMEOUT_MS;
	struct error err = { "" };

	c->loop = l;
	c->done = done;
	c->arg = arg;
	timer_set(&c->timer, l, clock_now_us() + wait * 1000LL, on_timer);
	if (!begin(c, o, &err))
		fail(c, err.text);
	return c;
}
