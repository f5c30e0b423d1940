/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server on the test's own loop, on loopback, plain or with TLS, that
 * answers what the test says and keeps what it was asked. */
#ifndef WEIR_TESTS_HTTP_FIXTURE_H
#define WEIR_TESTS_HTTP_FIXTURE_H

#include "tests/unit/net_fixture.h"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct server {
	struct evhttp	*http;
	SSL_CTX		*tls;		/* NULL: plain */
	int		 port;
	int		 status;
	const char	*body;
	size_t		 body_len;
	bool		 mute;		/* keeps requests and says nothing */
	struct evhttp_request *kept;
	int		 requests;
	char		 path[256], form[1024], authorization[256];
	char		 host[256];
};

static inline void
server_serve(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	struct evkeyvalq *h = evhttp_request_get_input_headers(req);
	struct evbuffer *in = evhttp_request_get_input_buffer(req), *out;
	const char *v;
	ev_ssize_t n;

	s->requests++;
	snprintf(s->path, sizeof(s->path), "%s", evhttp_request_get_uri(req));
	n = evbuffer_copyout(in, s->form, sizeof(s->form) - 1);
	s->form[n > 0 ? n : 0] = '\0';
	v = evhttp_find_header(h, "Authorization");
	snprintf(s->authorization, sizeof(s->authorization), "%s", v ? v : "");
	v = evhttp_find_header(h, "Host");
	snprintf(s->host, sizeof(s->host), "%s", v ? v : "");
	if (s->mute) {
		s->kept = req;
		return;
	}
	out = evbuffer_new();
	evbuffer_add(out, s->body, s->body_len ? s->body_len :
	    strlen(s->body));
	evhttp_add_header(evhttp_request_get_output_headers(req), "Location",
	    "http://127.0.0.1:1/");
	evhttp_send_reply(req, s->status, NULL, out);
	evbuffer_free(out);
}

static inline struct bufferevent *
server_bev(struct event_base *base, void *arg)
{
	struct server *s = arg;

	return bufferevent_openssl_socket_new(base, -1, SSL_new(s->tls),
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
}

/* tls: a reference is taken over. */
static inline void
server_begin(struct server *s, struct loop *l, SSL_CTX *tls)
{
	struct evhttp_bound_socket *b;
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	*s = (struct server){ .status = 200, .body = "{}", .tls = tls };
	s->http = evhttp_new(loop_base(l));
	evhttp_set_gencb(s->http, server_serve, s);
	if (tls != NULL)
		evhttp_set_bevcb(s->http, server_bev, s);
	b = evhttp_bind_socket_with_handle(s->http, "127.0.0.1", 0);
	assert_non_null(b);
	getsockname(evhttp_bound_socket_get_fd(b), (struct sockaddr *)&a,
	    &len);
	s->port = ntohs(((struct sockaddr_in *)&a)->sin_port);
}

static inline void
server_end(struct server *s)
{
	evhttp_free(s->http);
	SSL_CTX_free(s->tls);
}

/* A certificate that signs itself, for these names ("DNS:a,IP:b"), of which
 * the PEM goes to a file: it is its own authority. */
static inline SSL_CTX *
server_tls(const char *names, const char *ca_file)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f = fopen(ca_file, "w");
	X509_EXTENSION *e;
	X509V3_CTX v3;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -1000);
	X509_gmtime_adj(X509_getm_notAfter(x), 100000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const uint8_t *)"issuer", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509V3_set_ctx_nodb(&v3);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, names);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

#endif
