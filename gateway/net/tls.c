/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/tls.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/net/tls_private.h"

enum { READ_AHEAD = 36 * 1024 };	/* two whole records at least */

void
tls_take_errors(char *to, size_t size)
{
	unsigned long e = ERR_get_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;

	if (text != NULL)
		snprintf(to, size, "%s", text);
	else if (e != 0)
		ERR_error_string_n(e, to, size);
	else
		to[0] = '\0';
	ERR_clear_error();
}

static bool
tls_error(struct error *err, const char *what, const char *file)
{
	char text[TLS_FAULT_SIZE];

	tls_take_errors(text, sizeof(text));
	return error_set(err, "%s %s: %s", what, file, text);
}

/* Says in the connection's words which certificate was refused, and why. */
static int
on_verify(int ok, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	char *fault = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(x);
	char subject[128] = "?";

	if (ok || fault == NULL || fault[0] != '\0')
		return ok;
	if (cert != NULL)
		X509_NAME_oneline(X509_get_subject_name(cert), subject,
		    sizeof(subject));
	snprintf(fault, TLS_FAULT_SIZE, "certificate \"%s\" refused: %s",
	    subject, X509_verify_cert_error_string(
	    X509_STORE_CTX_get_error(x)));
	return ok;
}

/* The first line of a password file. */
static bool
read_password(const char *file, char *to, size_t size, struct error *err)
{
	FILE *f = fopen(file, "re");

	to[0] = '\0';
	if (f == NULL)
		return error_set(err, "cannot open %s: %m", file);
	if (fgets(to, (int)size, f) == NULL)
		to[0] = '\0';
	fclose(f);
	to[strcspn(to, "\r\n")] = '\0';
	return true;
}

/* OpenSSL asks for the key's password: never at the terminal. */
static int
on_password(char *to, int size, int writing, void *arg)
{
	const char *password = arg;
	size_t len = password ? strlen(password) : 0;

	(void)writing;
	if (len == 0 || len > (size_t)size)
		return 0;
	memcpy(to, password, len);
	return (int)len;
}

static bool
load_key(SSL_CTX *ctx, const struct tls_settings *s, struct error *err)
{
	char password[256] = "";
	bool ok;

	if (s->key_password_file != NULL &&
	    !read_password(s->key_password_file, password, sizeof(password),
	    err))
		return false;
	SSL_CTX_set_default_passwd_cb(ctx, on_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, password);
	ok = SSL_CTX_use_PrivateKey_file(ctx, s->key_file,
	    SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	OPENSSL_cleanse(password, sizeof(password));
	return ok || tls_error(err, "cannot use the key in", s->key_file);
}

static bool
load_own(SSL_CTX *ctx, const struct tls_settings *s, struct error *err)
{
	if (s->certificate_file == NULL)
		return true;
	if (s->key_file == NULL)
		return error_set(err, "%s: a certificate needs its key file",
		    s->certificate_file);
	if (SSL_CTX_use_certificate_chain_file(ctx, s->certificate_file) != 1)
		return tls_error(err, "cannot use the certificate in",
		    s->certificate_file);
	if (!load_key(ctx, s, err))
		return false;
	return SSL_CTX_check_private_key(ctx) == 1 || tls_error(err,
	    "the key is not the certificate's:", s->key_file);
}

static bool
load_trust(SSL_CTX *ctx, const struct tls_settings *s, bool server,
    struct error *err)
{
	if (s->ca_file == NULL)
		return server ? s->verify == TLS_VERIFY_NONE || error_set(err,
		    "to verify clients, a CA file is needed") :
		    SSL_CTX_set_default_verify_paths(ctx) == 1 || tls_error(err,
		    "cannot read the system's", "CA certificates");
	if (SSL_CTX_load_verify_locations(ctx, s->ca_file, NULL) != 1)
		return tls_error(err, "cannot use the CA certificates in",
		    s->ca_file);
	/* Told to clients, so that they choose the right certificate. */
	if (server)
		SSL_CTX_set_client_CA_list(ctx,
		    SSL_load_client_CA_file(s->ca_file));
	return true;
}

/* The issuer of a peer's certificate must then have a list in the file, and it
 * must be in date: else everything of that issuer is refused. */
static bool
load_revoked(SSL_CTX *ctx, const struct tls_settings *s, struct error *err)
{
	X509_LOOKUP *l;

	if (s->crl_file == NULL)
		return true;
	l = X509_STORE_add_lookup(SSL_CTX_get_cert_store(ctx),
	    X509_LOOKUP_file());
	if (l == NULL || X509_load_crl_file(l, s->crl_file,
	    X509_FILETYPE_PEM) < 1)
		return tls_error(err, "cannot use the revocation lists in",
		    s->crl_file);
	return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
	    X509_V_FLAG_CRL_CHECK) == 1 || tls_error(err,
	    "cannot check revocation with", s->crl_file);
}

static bool
set_versions(SSL_CTX *ctx, const struct tls_settings *s, struct error *err)
{
	int least = TLS1_2_VERSION;

	if (s->min_version != NULL && strcmp(s->min_version, "1.3") == 0)
		least = TLS1_3_VERSION;
	else if (s->min_version != NULL && strcmp(s->min_version, "1.2") != 0)
		return error_set(err, "TLS version \"%s\": expected 1.2 or "
		    "1.3", s->min_version);
	SSL_CTX_set_min_proto_version(ctx, least);
	/* One list names both: what 1.3 does not know is 1.2's. */
	if (s->ciphers == NULL)
		return true;
	if (strncmp(s->ciphers, "TLS_", 4) == 0)
		return SSL_CTX_set_ciphersuites(ctx, s->ciphers) == 1 ||
		    tls_error(err, "ciphers", s->ciphers);
	return SSL_CTX_set_cipher_list(ctx, s->ciphers) == 1 ||
	    tls_error(err, "ciphers", s->ciphers);
}

static void
set_options(SSL_CTX *ctx, const struct tls_settings *s, bool server)
{
	static const unsigned char id[] = "weir";
	int verify = SSL_VERIFY_NONE;

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	/* Tickets resume a session without memory here. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	if (s->verify != TLS_VERIFY_NONE)
		verify = SSL_VERIFY_PEER;
	if (server && s->verify == TLS_VERIFY_REQUIRED)
		verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx, verify, on_verify);
	/* A resumed session is not verified again: no client comes back with a
	 * certificate that has ended or was revoked. */
	if (server && verify != SSL_VERIFY_NONE) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
}

/* That it is asked for is enough: only what a callback has accepted is kept for
 * a resumed session (TLS 1.2), whose client need not say it again. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl;
	(void)alert;
	(void)arg;
	return SSL_TLSEXT_ERR_OK;
}

static struct tls_context *
make(const struct tls_settings *s, bool server, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() :
	    TLS_client_method());
	struct tls_context *t;

	ERR_clear_error();
	if (ctx == NULL) {
		tls_error(err, "cannot set up", "TLS");
		return NULL;
	}
	set_options(ctx, s, server);
	if (server)
		SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	if (!set_versions(ctx, s, err) || !load_own(ctx, s, err) ||
	    !load_trust(ctx, s, server, err) ||
	    !load_revoked(ctx, s, err)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	atomic_init(&t->refs, 1);
	t->ctx = ctx;
	t->server = server;
	t->verify_name = s->verify_name && s->verify != TLS_VERIFY_NONE;
	return t;
}

struct tls_context *
tls_context_server(const struct tls_settings *s, struct error *err)
{
	if (s->certificate_file == NULL) {
		error_set(err, "TLS needs a certificate file");
		return NULL;
	}
	return make(s, true, err);
}

struct tls_context *
tls_context_client(const struct tls_settings *s, struct error *err)
{
	return make(s, false, err);
}

/* As OpenSSL does it in a handshake. */
bool
tls_context_trusts(const struct tls_context *t, X509 *cert,
    STACK_OF(X509) *chain, struct error *err)
{
	X509_STORE_CTX *x = X509_STORE_CTX_new();
	bool ok;

	if (x == NULL || X509_STORE_CTX_init(x, SSL_CTX_get_cert_store(t->ctx),
	    cert, chain) != 1)
		abort();	/* out of memory */
	X509_STORE_CTX_set_default(x, "ssl_client");
	X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(x),
	    SSL_CTX_get0_param(t->ctx));
	ok = X509_verify_cert(x) == 1 || error_set(err, "the certificate is "
	    "no longer accepted: %s", X509_verify_cert_error_string(
	    X509_STORE_CTX_get_error(x)));
	X509_STORE_CTX_free(x);
	ERR_clear_error();
	return ok;
}

/* An address is looked for among the certificate's addresses, and is not told
 * in the handshake. */
bool
tls_set_server_name(SSL *ssl, const struct tls_context *t, const char *name,
    struct error *err)
{
	uint8_t ip[sizeof(struct in6_addr)];
	bool ok = true;

	if (name == NULL)
		return !t->verify_name || error_set(err,
		    "no server name to verify");
	if (inet_pton(AF_INET, name, ip) == 1 ||
	    inet_pton(AF_INET6, name, ip) == 1) {
		if (t->verify_name)
			ok = X509_VERIFY_PARAM_set1_ip_asc(
			    SSL_get0_param(ssl), name) == 1;
	} else {
		char host[256];

		/* OpenSSL's macro wants one that is not const. */
		snprintf(host, sizeof(host), "%s", name);
		ok = strlen(name) < sizeof(host) &&
		    SSL_set_tlsext_host_name(ssl, host) == 1 &&
		    (!t->verify_name || SSL_set1_host(ssl, name) == 1);
	}
	return ok || error_set(err, "\"%.128s\" cannot be a server's name",
	    name);
}

struct ssl_st *
tls_context_ssl(struct tls_context *t, const char *host,
    char fault[TLS_FAULT_SIZE], struct error *err)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl == NULL)
		abort();	/* out of memory */
	fault[0] = '\0';
	SSL_set_app_data(ssl, fault);
	/* Who reads for it asks SSL_pending what there is, which does not tell
	 * of records read ahead. */
	SSL_set_read_ahead(ssl, 0);
	if (tls_set_server_name(ssl, t, host, err))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

struct tls_context *
tls_context_ref(struct tls_context *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void
tls_context_unref(struct tls_context *t)
{
	if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}
