/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS straight on the socket: records are decrypted into the block a frame is
 * read into, and encrypted from the pieces that are sent.
 */
#include <sys/uio.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "gateway/base/mem.h"
#include "gateway/net/certificate.h"
#include "gateway/net/conn_private.h"
#include "gateway/net/tls_private.h"

struct conn_tls {
	struct tls_context	*context;
	SSL			*ssl;
	int			 ended;		/* IO_END, IO_FAILED or 0 */
	int			 error;		/* errno of a failure, or 0 */
	char			 fault[TLS_FAULT_SIZE];	/* "": none */
};

void
conn_tls_start(struct conn *c, struct tls_context *context,
    const char *server_name)
{
	struct conn_tls *t = mem_zalloc(sizeof(*t));
	struct error err;

	c->tls = t;
	t->context = tls_context_ref(context);
	t->ssl = SSL_new(context->ctx);
	if (t->ssl == NULL || (c->fd >= 0 && SSL_set_fd(t->ssl, c->fd) != 1))
		abort();	/* out of memory */
	SSL_set_app_data(t->ssl, t->fault);
	if (context->server) {
		SSL_set_accept_state(t->ssl);
		return;
	}
	SSL_set_connect_state(t->ssl);
	if (!tls_set_server_name(t->ssl, context, server_name, &err)) {
		snprintf(t->fault, sizeof(t->fault), "%.*s",
		    TLS_FAULT_SIZE - 1, err.text);
		t->ended = IO_FAILED;
	}
}

const char *
conn_tls_fault(const struct conn *c)
{
	return c->tls->fault[0] != '\0' ? c->tls->fault : NULL;
}

static int
ended(const struct conn_tls *t)
{
	errno = t->error;
	return t->ended;
}

/* What OpenSSL's return value means; ends are kept, so that data which came
 * before them can be told first. */
static int
failed(struct conn_tls *t, int r)
{
	int e = errno, what = SSL_get_error(t->ssl, r);

	switch (what) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		t->ended = IO_END;
		break;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		t->ended = e == 0 ? IO_END : IO_FAILED;
		t->error = e;
		break;
	default:
		if (t->fault[0] == '\0')
			tls_take_errors(t->fault, sizeof(t->fault));
		ERR_clear_error();
		t->ended = IO_FAILED;
	}
	return ended(t);
}

void
conn_tls_handshake(struct conn *c)
{
	struct conn_tls *t = c->tls;
	int r;

	if (t->ended == 0) {
		ERR_clear_error();
		errno = 0;
		r = SSL_do_handshake(t->ssl);
		if (r == 1) {
			conn_want_write(c, false);
			/* What was accepted in the end is no fault. */
			t->fault[0] = '\0';
			conn_opened(c);
			return;
		}
		if (failed(t, r) == IO_AGAIN) {
			conn_want_write(c, SSL_want_write(t->ssl));
			return;
		}
	}
	if (t->ended == IO_END)
		conn_close(c, CONN_PEER, "during the TLS handshake");
	else
		conn_fail_io(c, ended(t));
}

ssize_t
conn_tls_read(struct conn *c, const struct iovec *iov, int n)
{
	struct conn_tls *t = c->tls;
	size_t total = 0;

	if (t->ended != 0)
		return ended(t);
	ERR_clear_error();
	for (int i = 0; i < n; i++) {
		uint8_t *to = iov[i].iov_base;

		for (size_t at = 0, got; at < iov[i].iov_len; at += got) {
			int r;

			errno = 0;
			r = SSL_read_ex(t->ssl, to + at, iov[i].iov_len - at,
			    &got);
			if (r != 1) {
				int why = failed(t, r);

				return total > 0 ? (ssize_t)total : why;
			}
			total += got;
		}
	}
	return (ssize_t)total;
}

bool
conn_tls_pending(const struct conn *c, bool more)
{
	return c->tls->ended != 0 || (more && SSL_has_pending(c->tls->ssl));
}

/* The bytes for the next SSL_write: a piece as it lies when it fills a record,
 * else several copied together. */
static const uint8_t *
next_bytes(struct conn *c, size_t *len)
{
	const struct chain *o = &c->out;
	const struct piece *p = &o->v[o->head];
	size_t have = 0;

	if (o->n == 1 || p->len >= TLS_SCRATCH) {
		*len = p->len;
		return p->data;
	}
	if (c->loop->scratch == NULL)
		c->loop->scratch = mem_alloc(TLS_SCRATCH);
	for (uint32_t i = 0; i < o->n && have < TLS_SCRATCH; i++) {
		size_t k = p[i].len;

		if (k > TLS_SCRATCH - have)
			k = TLS_SCRATCH - have;
		memcpy(c->loop->scratch + have, p[i].data, k);
		have += k;
	}
	*len = have;
	return c->loop->scratch;
}

ssize_t
conn_tls_write(struct conn *c)
{
	struct conn_tls *t = c->tls;
	size_t len, written;
	const uint8_t *data;
	int r;

	if (t->ended == IO_FAILED)
		return ended(t);
	data = next_bytes(c, &len);
	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(t->ssl, data, len, &written);
	return r == 1 ? (ssize_t)written : failed(t, r);
}

void
conn_tls_shutdown(struct conn *c)
{
	struct conn_tls *t = c->tls;

	ERR_clear_error();
	if (t->ended != IO_FAILED && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

void
conn_tls_free(struct conn *c)
{
	SSL_free(c->tls->ssl);
	tls_context_unref(c->tls->context);
	free(c->tls);
	c->tls = NULL;
}

/* The peer's, when it was verified; else NULL. */
static X509 *
verified_certificate(const struct conn *c, struct error *err)
{
	X509 *cert = NULL;

	if (c->tls != NULL &&
	    SSL_get_verify_mode(c->tls->ssl) != SSL_VERIFY_NONE &&
	    SSL_get_verify_result(c->tls->ssl) == X509_V_OK)
		cert = SSL_get0_peer_certificate(c->tls->ssl);
	if (cert == NULL)
		error_set(err, "there is no verified certificate");
	return cert;
}

bool
conn_certificate(const struct conn *c, struct certificate *to,
    struct error *err)
{
	X509 *cert = verified_certificate(c, err);

	return cert != NULL && certificate_read(cert, to, err);
}

bool
conn_certificate_trusted(const struct conn *c, const struct tls_context *now,
    struct error *err)
{
	X509 *cert = verified_certificate(c, err);

	return cert != NULL && tls_context_trusts(now, cert,
	    SSL_get_peer_cert_chain(c->tls->ssl), err);
}

const char *
conn_server_name(const struct conn *c)
{
	return c->tls == NULL ? NULL :
	    SSL_get_servername(c->tls->ssl, TLSEXT_NAMETYPE_host_name);
}
