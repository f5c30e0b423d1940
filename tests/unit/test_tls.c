/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/net/certificate.h"
#include "gateway/net/listen.h"
#include "gateway/net/tls_private.h"

/* Certificates, made once for all tests in a directory of their own. */
struct identity {
	EVP_PKEY	*key;
	X509		*cert;
	char		 cert_file[128], key_file[128];
};

static char dir[64];
static struct identity ca, other_ca, server, server2, client, stranger,
    expired;
static char locked_key[128], password_file[128], crl_file[128];

static void
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void
write_pem(struct identity *id, const char *name)
{
	FILE *f;

	snprintf(id->cert_file, sizeof(id->cert_file), "%s/%s.pem", dir, name);
	snprintf(id->key_file, sizeof(id->key_file), "%s/%s.key", dir, name);
	f = fopen(id->cert_file, "w");
	assert_non_null(f);
	PEM_write_X509(f, id->cert);
	fclose(f);
	f = fopen(id->key_file, "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

/* issuer NULL: signs itself, a CA. `until` is seconds from now. */
static void
make_identity(struct identity *id, const char *name, const char *cn,
    struct identity *issuer, const char *alt, long until)
{
	static long serial = 1;
	X509_NAME *n;
	X509 *by;

	id->key = EVP_EC_gen("P-256");
	id->cert = X509_new();
	assert_non_null(id->key);
	X509_set_version(id->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id->cert), -100000);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), until);
	n = X509_get_subject_name(id->cert);
	X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8,
	    (const unsigned char *)"weir test", -1, -1, 0);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0);
	by = issuer ? issuer->cert : id->cert;
	X509_set_issuer_name(id->cert, X509_get_subject_name(by));
	X509_set_pubkey(id->cert, id->key);
	if (issuer == NULL)
		add_extension(id->cert, by, NID_basic_constraints,
		    "critical,CA:TRUE");
	if (alt != NULL)
		add_extension(id->cert, by, NID_subject_alt_name, alt);
	assert_true(X509_sign(id->cert, issuer ? issuer->key : id->key,
	    EVP_sha256()) > 0);
	write_pem(id, name);
}

static void
make_locked_key(void)
{
	char word[] = "secret word";
	FILE *f;

	snprintf(locked_key, sizeof(locked_key), "%s/locked.key", dir);
	snprintf(password_file, sizeof(password_file), "%s/password", dir);
	f = fopen(locked_key, "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, server.key, EVP_aes_128_cbc(),
	    (unsigned char *)word, (int)strlen(word), NULL, NULL);
	fclose(f);
	f = fopen(password_file, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", word);
	fclose(f);
}

static int
make_all(void **state)
{
	const long day = 86400;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/weir-test-tls.XXXXXX");
	assert_non_null(mkdtemp(dir));
	make_identity(&ca, "ca", "Test CA", NULL, NULL, day);
	make_identity(&other_ca, "other_ca", "Other CA", NULL, NULL, day);
	make_identity(&server, "server", "broker", &ca,
	    "DNS:broker.test,IP:127.0.0.1", day);
	make_identity(&server2, "server2", "broker", &other_ca,
	    "DNS:broker.test", day);
	make_identity(&client, "client", "caf\xc3\xa9, a+b", &ca, NULL, day);
	make_identity(&stranger, "stranger", "stranger", &other_ca, NULL, day);
	make_identity(&expired, "expired", "broker", &ca, "DNS:broker.test",
	    -1000);
	make_locked_key();
	snprintf(crl_file, sizeof(crl_file), "%s/crl.pem", dir);
	return 0;
}

static int
drop_all(void **state)
{
	struct identity *all[] = { &ca, &other_ca, &server, &server2, &client,
		&stranger, &expired };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		EVP_PKEY_free(all[i]->key);
		X509_free(all[i]->cert);
		unlink(all[i]->cert_file);
		unlink(all[i]->key_file);
	}
	unlink(locked_key);
	unlink(crl_file);
	unlink(password_file);
	rmdir(dir);
	return 0;
}

/* A listener, the end it accepts, and an end that connects to it. */
struct world {
	struct loop		*l;
	struct listener		*li;
	struct sockaddr_in	 at;
	struct end		 client, server;
	struct conn_options	 client_o, server_o;
	int			 accepted;
};

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct world *w = arg;

	w->accepted++;
	w->server.c = conn_open_accepted(w->l, fd, peer, len, &w->server_o,
	    &end_ops, &w->server);
}

static int
setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->l = loop_new();
	w->at.sin_family = AF_INET;
	w->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->li = listen_open(w->l, (struct sockaddr *)&w->at, sizeof(w->at),
	    on_accept, w, NULL);
	assert_non_null(w->li);
	w->at.sin_port = htons((uint16_t)listen_port(w->li));
	w->server_o = (struct conn_options){ .frame_max = 1 << 24,
		.client = true, .setup_ms = 30000 };
	w->client_o = (struct conn_options){ .frame_max = 1 << 24,
		.server_name = "broker.test", .setup_ms = 30000 };
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	end_fini(&w->client);
	end_fini(&w->server);
	listen_close(w->li);
	loop_free(w->l);
	tls_context_unref(w->client_o.tls);
	tls_context_unref(w->server_o.tls);
	free(w);
	assert_int_equal(block_total(), 0);
	return 0;
}

static struct tls_context *
server_context(const struct tls_settings *s)
{
	struct error err = { "" };
	struct tls_context *t = tls_context_server(s, &err);

	if (t == NULL)
		fail_msg("%s", err.text);
	return t;
}

static struct tls_context *
client_context(const struct tls_settings *s)
{
	struct error err = { "" };
	struct tls_context *t = tls_context_client(s, &err);

	if (t == NULL)
		fail_msg("%s", err.text);
	return t;
}

static struct tls_settings
server_settings(const struct identity *id)
{
	return (struct tls_settings){ .certificate_file = id->cert_file,
		.key_file = id->key_file };
}

static struct tls_settings
client_settings(void)
{
	return (struct tls_settings){ .ca_file = ca.cert_file,
		.verify = TLS_VERIFY_REQUIRED, .verify_name = true };
}

static void
connect_client(struct world *w)
{
	w->client.c = conn_open_connect(w->l, (struct sockaddr *)&w->at,
	    sizeof(w->at), &w->client_o, &end_ops, &w->client);
}

static void
start(struct world *w, struct tls_settings ss, struct tls_settings cs)
{
	w->server_o.tls = server_context(&ss);
	w->client_o.tls = client_context(&cs);
	connect_client(w);
}

static void
expect_up(struct world *w)
{
	send_frame(w->client.c, 100, 1);
	UNTIL(w->l, w->server.frames > 0 || w->client.closed ||
	    w->server.closed);
	if (w->client.closed || w->server.closed)
		fail_msg("client: %s, server: %s", w->client.detail,
		    w->server.detail);
	assert_int_equal(w->client.ready, 1);
	assert_int_equal(w->server.ready, 1);
	assert_true(conn_is_tls(w->client.c) && conn_is_tls(w->server.c));
	send_frame(w->server.c, 100, 2);
	UNTIL(w->l, w->client.frames == 1);
}

static void
exchange(struct world *w)
{
	static const size_t sizes[] = { 1, 150, 16384, 16379, 40000, 100000,
	    5, 1048576, 1048576, 3, 3000000, 131068, 131072, 9 };
	enum { N = sizeof(sizes) / sizeof(*sizes) };

	expect_up(w);
	w->client.frames = w->server.frames = 0;
	for (unsigned i = 0; i < N; i++) {
		send_frame(w->client.c, sizes[i], i);
		send_frame(w->server.c, sizes[N - 1 - i], i);
	}
	UNTIL(w->l, w->client.frames == N && w->server.frames == N);
	for (unsigned i = 0; i < N; i++) {
		uint8_t *f = make_frame(sizes[i], i);

		assert_int_equal(w->server.got[i].len, sizes[i]);
		assert_int_equal(w->server.got[i].sum,
		    sum_of(f + 4, sizes[i]));
		assert_int_equal(w->client.got[i].len, sizes[N - 1 - i]);
		free(f);
	}
}

static void
test_both_ways(void **state)
{
	start(*state, server_settings(&server), client_settings());
	exchange(*state);
}

static void
test_tls12(void **state)
{
	struct tls_settings s = server_settings(&server);

	s.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
	start(*state, s, client_settings());
	exchange(*state);
}

static void
test_13_only(void **state)
{
	struct tls_settings s = server_settings(&server);

	s.min_version = "1.3";
	start(*state, s, client_settings());
	exchange(*state);
}

/* Three kinds of small pieces in one turn leave as few records. */
static void
test_small_pieces(void **state)
{
	struct world *w = *state;

	start(w, server_settings(&server), client_settings());
	expect_up(w);
	w->server.frames = 0;
	for (unsigned i = 0; i < 1000; i++)
		send_frame(w->client.c, 1 + i % 300, i);
	UNTIL(w->l, w->server.frames == 1000);
}

static void
test_pause(void **state)
{
	struct world *w = *state;

	start(w, server_settings(&server), client_settings());
	expect_up(w);
	w->server.frames = 0;
	conn_pause(w->server.c);
	for (unsigned i = 0; i < 10; i++)
		send_frame(w->client.c, 30000, i);
	turns(w->l, 20);
	assert_int_equal(w->server.frames, 0);
	conn_resume(w->server.c);
	UNTIL(w->l, w->server.frames == 10);
}

static void
test_close_tells_peer(void **state)
{
	struct world *w = *state;

	start(w, server_settings(&server), client_settings());
	expect_up(w);
	send_frame(w->server.c, 100, 2);
	conn_close_after_flush(w->server.c, CONN_DRAIN);
	UNTIL(w->l, w->client.closed);
	assert_int_equal(w->client.frames, 2);
	assert_int_equal(w->client.reason, CONN_PEER);
	UNTIL(w->l, w->server.closed);
	assert_int_equal(w->server.reason, CONN_DRAIN);
}

static void
expect_refused(struct world *w, struct end *by, const char *says)
{
	UNTIL(w->l, by->closed);
	assert_int_equal(by->reason, CONN_TLS_ERROR);
	assert_int_equal(by->frames, 0);
	if (strstr(by->detail, says) == NULL)
		fail_msg("\"%s\" has no \"%s\"", by->detail, says);
}

static void
test_unknown_ca(void **state)
{
	struct world *w = *state;

	start(w, server_settings(&server2), client_settings());
	expect_refused(w, &w->client, "unable to get local issuer");
	expect_refused(w, &w->server, "unknown ca");
	assert_int_equal(w->client.ready, 0);
}

static void
test_expired(void **state)
{
	struct world *w = *state;

	start(w, server_settings(&expired), client_settings());
	expect_refused(w, &w->client, "CN=broker\" refused: certificate has "
	    "expired");
}

static void
test_wrong_name(void **state)
{
	struct world *w = *state;

	w->client_o.server_name = "other.test";
	start(w, server_settings(&server), client_settings());
	expect_refused(w, &w->client, "hostname mismatch");
	assert_int_equal(w->client.ready, 0);
}

static void
test_wrong_name_allowed(void **state)
{
	struct world *w = *state;
	struct tls_settings s = client_settings();

	s.verify_name = false;
	w->client_o.server_name = "other.test";
	start(w, server_settings(&server), s);
	expect_up(w);
}

static void
test_address_as_name(void **state)
{
	struct world *w = *state;

	w->client_o.server_name = "127.0.0.1";
	start(w, server_settings(&server), client_settings());
	expect_up(w);
}

static void
test_wrong_address_as_name(void **state)
{
	struct world *w = *state;

	w->client_o.server_name = "127.0.0.2";
	start(w, server_settings(&server), client_settings());
	expect_refused(w, &w->client, "IP address mismatch");
}

static void
test_no_name(void **state)
{
	struct world *w = *state;

	w->client_o.server_name = NULL;
	start(w, server_settings(&server), client_settings());
	expect_refused(w, &w->client, "no server name");
}

/* The ends that are there go on under other names; the world may have new
 * ones. */
static void
keep_old(struct world *w, struct end *old_client, struct end *old_server)
{
	*old_client = w->client;
	*old_server = w->server;
	conn_set_arg(old_client->c, &end_ops, old_client);
	conn_set_arg(old_server->c, &end_ops, old_server);
	memset(&w->client, 0, sizeof(w->client));
	memset(&w->server, 0, sizeof(w->server));
}

static struct tls_settings
verifying_settings(enum tls_verify v)
{
	struct tls_settings s = server_settings(&server);

	s.ca_file = ca.cert_file;
	s.verify = v;
	return s;
}

static void
test_mtls(void **state)
{
	struct world *w = *state;
	struct tls_settings c = client_settings();
	struct certificate cert;
	struct error err;

	c.certificate_file = client.cert_file;
	c.key_file = client.key_file;
	start(w, verifying_settings(TLS_VERIFY_REQUIRED), c);
	expect_up(w);
	if (!conn_certificate(w->server.c, &cert, &err))
		fail_msg("%s", err.text);
	assert_string_equal(cert.subject,
	    "CN=caf\xc3\xa9\\, a\\+b,O=weir test");
	assert_string_equal(cert.issuer, "CN=Test CA,O=weir test");
	assert_int_equal(cert.name_count, 0);
}

static void
test_mtls_without_certificate(void **state)
{
	struct world *w = *state;

	start(w, verifying_settings(TLS_VERIFY_REQUIRED), client_settings());
	expect_refused(w, &w->server, "peer did not return a certificate");
	assert_int_equal(w->server.ready, 0);
	expect_refused(w, &w->client, "certificate required");
}

static void
test_mtls_stranger(void **state)
{
	struct world *w = *state;
	struct tls_settings c = client_settings();

	c.certificate_file = stranger.cert_file;
	c.key_file = stranger.key_file;
	start(w, verifying_settings(TLS_VERIFY_REQUIRED), c);
	expect_refused(w, &w->server, "CN=stranger\" refused: unable to get "
	    "local issuer");
	assert_int_equal(w->server.ready, 0);
}

static void
test_mtls_optional(void **state)
{
	struct world *w = *state;
	struct certificate cert;
	struct error err;

	start(w, verifying_settings(TLS_VERIFY_OPTIONAL), client_settings());
	expect_up(w);
	assert_false(conn_certificate(w->server.c, &cert, &err));
	assert_string_equal(err.text, "there is no verified certificate");
}

/* A certificate is not asked for on the word of a ticket. */
static void
test_mtls_without_resumption(void **state)
{
	struct tls_settings asks = verifying_settings(TLS_VERIFY_OPTIONAL);
	struct tls_settings plain = server_settings(&server);
	struct tls_context *a = server_context(&asks);
	struct tls_context *b = server_context(&plain);

	(void)state;
	assert_int_equal(SSL_CTX_get_num_tickets(a->ctx), 0);
	assert_true(SSL_CTX_get_options(a->ctx) & SSL_OP_NO_TICKET);
	assert_true(SSL_CTX_get_num_tickets(b->ctx) > 0);
	tls_context_unref(a);
	tls_context_unref(b);
}

static void
test_server_name(void **state)
{
	struct world *w = *state;
	struct tls_settings s = client_settings();

	start(w, server_settings(&server), s);
	expect_up(w);
	assert_string_equal(conn_server_name(w->server.c), "broker.test");
}

/* Another authority is believed now. */
static void
test_no_longer_trusted(void **state)
{
	struct world *w = *state;
	struct tls_settings c = client_settings();
	struct tls_settings s = verifying_settings(TLS_VERIFY_OPTIONAL);
	struct tls_context *now;
	struct error err;

	c.certificate_file = client.cert_file;
	c.key_file = client.key_file;
	start(w, s, c);
	expect_up(w);
	now = server_context(&s);
	assert_true(conn_certificate_trusted(w->server.c, now, &err));
	tls_context_unref(now);
	s.ca_file = other_ca.cert_file;
	now = server_context(&s);
	assert_false(conn_certificate_trusted(w->server.c, now, &err));
	tls_context_unref(now);
}

static void
test_no_server_name(void **state)
{
	struct world *w = *state;

	w->client_o.server_name = "127.0.0.1";
	start(w, server_settings(&server), client_settings());
	expect_up(w);
	assert_null(conn_server_name(w->server.c));
}

/* ---- revocation ---- */

/* A list of that authority, valid from and until so many seconds from now. */
static void
write_crl(struct identity *by, const X509 *revoked, long until)
{
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *r;
	ASN1_TIME *t = ASN1_TIME_new();
	FILE *f;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
	X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -100000));
	X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, until));
	if (revoked != NULL) {
		r = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(
		    (X509 *)(uintptr_t)revoked));
		X509_REVOKED_set_revocationDate(r, X509_gmtime_adj(t, -1000));
		X509_CRL_add0_revoked(crl, r);
	}
	ASN1_TIME_free(t);
	assert_true(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
	f = fopen(crl_file, "w");
	assert_non_null(f);
	PEM_write_X509_CRL(f, crl);
	fclose(f);
	X509_CRL_free(crl);
}

static void
start_with_crl(struct world *w)
{
	struct tls_settings s = verifying_settings(TLS_VERIFY_REQUIRED);
	struct tls_settings c = client_settings();

	s.crl_file = crl_file;
	c.certificate_file = client.cert_file;
	c.key_file = client.key_file;
	start(w, s, c);
}

static void
test_not_revoked(void **state)
{
	write_crl(&ca, server.cert, 86400);
	start_with_crl(*state);
	expect_up(*state);
}

static void
test_revoked(void **state)
{
	struct world *w = *state;

	write_crl(&ca, client.cert, 86400);
	start_with_crl(w);
	expect_refused(w, &w->server, "refused: certificate revoked");
	expect_refused(w, &w->client, "certificate revoked");
	assert_int_equal(w->server.ready, 0);
}

/* What cannot be checked is refused. */
static void
test_revocation_unknown(void **state)
{
	struct world *w = *state;

	write_crl(&other_ca, NULL, 86400);
	start_with_crl(w);
	expect_refused(w, &w->server, "unable to get certificate CRL");
}

static void
test_revocation_out_of_date(void **state)
{
	struct world *w = *state;

	write_crl(&ca, NULL, -1000);
	start_with_crl(w);
	expect_refused(w, &w->server, "CRL has expired");
}

/* As a reload does: the new context has read the new list. */
static void
test_revoked_by_reload(void **state)
{
	struct world *w = *state;
	struct tls_settings s = verifying_settings(TLS_VERIFY_REQUIRED);
	struct end old_client, old_server;
	struct error err;

	write_crl(&ca, NULL, 86400);
	start_with_crl(w);
	expect_up(w);
	assert_true(conn_certificate_trusted(w->server.c, w->server_o.tls,
	    &err));
	keep_old(w, &old_client, &old_server);
	write_crl(&ca, client.cert, 86400);
	s.crl_file = crl_file;
	tls_context_unref(w->server_o.tls);
	w->server_o.tls = server_context(&s);
	connect_client(w);
	expect_refused(w, &w->server, "certificate revoked");
	assert_int_equal(old_server.closed, 0);
	/* The one that is there can be asked about. */
	assert_false(conn_certificate_trusted(old_server.c, w->server_o.tls,
	    &err));
	assert_string_equal(err.text, "the certificate is no longer accepted: "
	    "certificate revoked");
	end_fini(&old_client);
	end_fini(&old_server);
}

/* Plain Kafka to a TLS listener. */
static void
test_plain_on_tls(void **state)
{
	struct world *w = *state;
	struct tls_settings s = server_settings(&server);

	w->server_o.tls = server_context(&s);
	connect_client(w);
	send_frame(w->client.c, 100, 1);
	expect_refused(w, &w->server, "wrong version number");
}

static void
test_eof_in_handshake(void **state)
{
	struct world *w = *state;
	struct tls_settings s = server_settings(&server);

	w->server_o.tls = server_context(&s);
	connect_client(w);
	UNTIL(w->l, w->client.ready && w->accepted);
	conn_close(w->client.c, CONN_UNUSED, NULL);
	UNTIL(w->l, w->server.closed);
	assert_int_equal(w->server.reason, CONN_PEER);
}

static void
test_handshake_too_slow(void **state)
{
	struct world *w = *state;
	struct tls_settings s = server_settings(&server);

	w->server_o.setup_ms = 200;
	w->server_o.tls = server_context(&s);
	connect_client(w);
	UNTIL(w->l, w->server.closed);
	assert_int_equal(w->server.reason, CONN_SETUP_TIME);
	assert_int_equal(w->server.ready, 0);
}

/* A context of a reload serves new connections; old ones go on as they are,
 * also when theirs is gone. */
static void
test_reload(void **state)
{
	struct world *w = *state;
	struct tls_settings s = server_settings(&server2);
	struct tls_settings c = client_settings();
	struct end old_client, old_server;

	start(w, server_settings(&server), client_settings());
	expect_up(w);
	keep_old(w, &old_client, &old_server);
	tls_context_unref(w->server_o.tls);
	tls_context_unref(w->client_o.tls);
	w->server_o.tls = server_context(&s);
	c.ca_file = other_ca.cert_file;
	w->client_o.tls = client_context(&c);
	connect_client(w);
	expect_up(w);
	send_frame(old_client.c, 70000, 3);
	UNTIL(w->l, old_server.frames == 2);
	send_frame(old_server.c, 70000, 3);
	UNTIL(w->l, old_client.frames == 2);
	end_fini(&old_client);
	end_fini(&old_server);
}

/* Passes on what the client's end wrote to its socketpair. */
static void
relay(struct world *w, int from, int to)
{
	uint8_t buf[8192];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	(void)w;
	if (n > 0)
		assert_int_equal(send(to, buf, (size_t)n, 0), n);
}

/* The PROXY header comes before TLS, cut in two, its end in one segment with
 * TLS's first bytes. */
static void
test_proxy_then_tls(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 192.0.2.1 81 82\r\n";
	struct world *w = *state;
	struct tls_settings ss = server_settings(&server);
	struct tls_settings cs = client_settings();
	uint8_t buf[8192];
	ssize_t n;
	int raw, sv[2];

	w->server_o.tls = server_context(&ss);
	w->client_o.tls = client_context(&cs);
	w->server_o.expect_proxy = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv), 0);
	w->client.c = conn_open_accepted(w->l, sv[0],
	    (struct sockaddr *)&w->at, sizeof(w->at), &w->client_o, &end_ops,
	    &w->client);
	raw = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(raw, (struct sockaddr *)&w->at,
	    sizeof(w->at)), 0);
	assert_int_equal(write(raw, line, 20), 20);
	UNTIL(w->l, w->accepted);
	turns(w->l, 3);
	memcpy(buf, line + 20, sizeof(line) - 1 - 20);
	UNTIL(w->l, (n = recv(sv[1], buf + sizeof(line) - 1 - 20, 4096,
	    MSG_DONTWAIT)) > 0);
	n += (ssize_t)sizeof(line) - 1 - 20;
	assert_int_equal(write(raw, buf, (size_t)n), n);
	send_frame(w->client.c, 90, 1);
	UNTIL(w->l, (relay(w, sv[1], raw), relay(w, raw, sv[1]),
	    w->server.frames == 1));
	assert_string_equal(conn_peer(w->server.c)->text, "192.0.2.7:81");
	assert_int_equal(w->server.ready, 1);
	close(raw);
	close(sv[1]);
}

/* ---- a client of our own, which does what none does ---- */

struct raw {
	int	 fd;
	SSL_CTX	*ctx;
	SSL	*ssl;
};

static void
raw_open(struct world *w, struct raw *r)
{
	r->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(r->fd, (struct sockaddr *)&w->at,
	    sizeof(w->at)), 0);
	assert_int_equal(fcntl(r->fd, F_SETFL, O_NONBLOCK), 0);
	r->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(r->ctx, TLS1_2_VERSION);
	SSL_CTX_clear_options(r->ctx, SSL_OP_NO_COMPRESSION);
	r->ssl = SSL_new(r->ctx);
	SSL_set_fd(r->ssl, r->fd);
	SSL_set_connect_state(r->ssl);
}

static void
raw_close(struct raw *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
	close(r->fd);
	ERR_clear_error();
}

static void
test_no_renegotiation(void **state)
{
	struct world *w = *state;
	struct tls_settings s = server_settings(&server);
	uint8_t *f = make_frame(100, 1);
	struct raw r;

	w->server_o.tls = server_context(&s);
	raw_open(w, &r);
	UNTIL(w->l, SSL_do_handshake(r.ssl) == 1);
	assert_null(SSL_get_current_compression(r.ssl));
	assert_int_equal(SSL_write(r.ssl, f, 104), 104);
	UNTIL(w->l, w->server.frames == 1);
	assert_int_equal(SSL_renegotiate(r.ssl), 1);
	UNTIL(w->l, SSL_get_error(r.ssl, SSL_do_handshake(r.ssl)) !=
	    SSL_ERROR_WANT_READ);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
	    SSL_R_NO_RENEGOTIATION);
	raw_close(&r);
	UNTIL(w->l, w->server.closed);
	free(f);
}

/* What is sent in the clear before TLS is never taken for what came in it
 * (CVE-2021-3935 and its like). */
static void
expect_nothing_survives(struct world *w, const void *first, size_t len)
{
	struct tls_settings s = server_settings(&server);
	struct raw r;

	w->server_o.tls = server_context(&s);
	raw_open(w, &r);
	assert_int_equal(send(r.fd, first, len, 0), (ssize_t)len);
	SSL_do_handshake(r.ssl);
	UNTIL(w->l, w->server.closed);
	assert_int_equal(w->server.reason, CONN_TLS_ERROR);
	assert_int_equal(w->server.ready, 0);
	assert_int_equal(w->server.frames, 0);
	raw_close(&r);
}

static void
test_clear_text_before_tls(void **state)
{
	uint8_t *f = make_frame(100, 1);

	expect_nothing_survives(*state, f, 104);
	free(f);
}

static void
test_clear_text_behind_proxy_header(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64] = "PROXY TCP4 192.0.2.7 192.0.2.1 81 82\r\n";
	size_t n = strlen((char *)bytes);

	w->server_o.expect_proxy = true;
	memcpy(bytes + n, "\0\0\0\4abcd", 8);
	expect_nothing_survives(w, bytes, n + 8);
}

/* ---- so many handshakes a second ---- */

enum { CROWD = 40, FIRST = 2 };

static int64_t fake_us;

static int64_t
fake_now(void)
{
	return fake_us;
}

struct crowd {
	struct world	*w;
	struct end	 client[CROWD], server[CROWD];
	int		 accepted;
};

static void
on_crowd(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct crowd *k = arg;
	struct end *e = &k->server[k->accepted++];

	e->c = conn_open_accepted(k->w->l, fd, peer, len, &k->w->server_o,
	    &end_ops, e);
}

static int
up(const struct crowd *k)
{
	int n = 0;

	for (int i = 0; i < CROWD; i++)
		n += k->server[i].ready;
	return n;
}

/* They come one after the other, each with its hello, in no time. */
static void
crowd_comes(struct crowd *k, struct world *w, int n)
{
	struct tls_settings ss = server_settings(&server);
	struct tls_settings cs = client_settings();
	struct error err;

	fake_us = clock_now_us();
	clock_replace(fake_now);
	k->w = w;
	listen_close(w->li);
	w->at.sin_port = 0;
	w->li = listen_open(w->l, (struct sockaddr *)&w->at, sizeof(w->at),
	    on_crowd, k, &err);
	w->at.sin_port = htons((uint16_t)listen_port(w->li));
	w->server_o.tls = server_context(&ss);
	w->client_o.tls = client_context(&cs);
	for (int i = 0; i < n; i++) {
		struct end *e = &k->client[i];
		uint64_t seen = loop_stats(w->l)->handshakes +
		    loop_stats(w->l)->handshakes_delayed;

		e->c = conn_open_connect(w->l, (struct sockaddr *)&w->at,
		    sizeof(w->at), &w->client_o, &end_ops, e);
		while (loop_stats(w->l)->handshakes +
		    loop_stats(w->l)->handshakes_delayed == seen)
			loop_turn(w->l, 1);
	}
	turns(w->l, 20);
}

static void
crowd_goes(struct crowd *k)
{
	for (int i = 0; i < CROWD; i++) {
		end_fini(&k->client[i]);
		end_fini(&k->server[i]);
	}
	clock_replace(NULL);
	free(k);
}

static void
test_handshakes_wait_in_order(void **state)
{
	struct world *w = *state;
	struct crowd *k = mem_zalloc(sizeof(*k));
	const struct loop_stats *s = loop_stats(w->l);

	loop_set_handshake_rate(w->l, 20);
	crowd_comes(k, w, CROWD);
	assert_int_equal(up(k), FIRST);
	assert_int_equal(s->handshakes, FIRST);
	assert_int_equal(s->handshakes_delayed, CROWD - FIRST);
	assert_int_equal(s->handshakes_waiting, CROWD - FIRST);
	for (int i = FIRST; i < CROWD; i++) {
		/* A frame is queued before there is TLS to send it in. */
		send_frame(k->client[i].c, 100, (unsigned)i);
		fake_us += 49 * 1000;
		turns(w->l, 10);
		assert_int_equal(up(k), i);
		fake_us += 1000;
		for (int t = 0; t < 1000 && k->server[i].frames == 0; t++)
			loop_turn(w->l, 1);
		assert_int_equal(k->server[i].frames, 1);
		assert_int_equal(up(k), i + 1);
	}
	assert_int_equal(s->handshakes, CROWD);
	assert_int_equal(s->handshakes_waiting, 0);
	crowd_goes(k);
}

static void
test_no_handshake_limit(void **state)
{
	struct world *w = *state;
	struct crowd *k = mem_zalloc(sizeof(*k));

	crowd_comes(k, w, CROWD);
	for (int t = 0; t < 10000 && up(k) < CROWD; t++)
		loop_turn(w->l, 1);
	assert_int_equal(up(k), CROWD);
	assert_int_equal(loop_stats(w->l)->handshakes_delayed, 0);
	crowd_goes(k);
}

/* Those who cannot be served in time are told so; those who have gone cost
 * nobody a turn. */
static void
test_handshakes_give_up(void **state)
{
	struct world *w = *state;
	struct crowd *k = mem_zalloc(sizeof(*k));
	const struct loop_stats *s = loop_stats(w->l);

	w->server_o.setup_ms = 1500;
	loop_set_handshake_rate(w->l, 1);
	crowd_comes(k, w, 4);
	assert_int_equal(up(k), 1);
	conn_close(k->client[1].c, CONN_UNUSED, NULL);
	turns(w->l, 5);
	assert_int_equal(k->server[1].closed, 0);
	fake_us += 1000 * 1000;
	for (int t = 0; t < 1000 && up(k) < 2; t++)
		loop_turn(w->l, 1);
	assert_int_equal(k->server[1].closed, 1);
	assert_int_equal(k->server[1].reason, CONN_PEER);
	assert_int_equal(k->server[2].ready, 1);
	fake_us += 700 * 1000;
	turns(w->l, 10);
	assert_int_equal(k->server[3].closed, 1);
	assert_int_equal(k->server[3].reason, CONN_SETUP_TIME);
	assert_int_equal(s->handshakes, 2);
	assert_int_equal(s->handshakes_waiting, 0);
	assert_int_equal(k->server[2].closed, 0);
	crowd_goes(k);
}

/* A node that drains lets go of those who wait, too. */
static void
test_waiting_one_is_let_go(void **state)
{
	struct world *w = *state;
	struct crowd *k = mem_zalloc(sizeof(*k));

	loop_set_handshake_rate(w->l, 1);
	crowd_comes(k, w, 3);
	assert_int_equal(loop_stats(w->l)->handshakes_waiting, 2);
	conn_close_after_flush(k->server[1].c, CONN_DRAIN);
	assert_int_equal(loop_stats(w->l)->handshakes_waiting, 1);
	for (int t = 0; t < 1000 && k->client[1].closed == 0; t++)
		loop_turn(w->l, 1);
	assert_int_equal(k->client[1].closed, 1);
	fake_us += 1000 * 1000;
	for (int t = 0; t < 1000 && k->server[2].ready == 0; t++)
		loop_turn(w->l, 1);
	assert_int_equal(k->server[1].closed, 1);
	assert_int_equal(k->server[1].reason, CONN_DRAIN);
	assert_int_equal(k->server[1].ready, 0);
	assert_int_equal(k->server[2].ready, 1);
	crowd_goes(k);
}

/* Garbage is refused at once, however many wait for a handshake. */
static void
test_garbage_does_not_wait(void **state)
{
	struct world *w = *state;
	struct crowd *k = mem_zalloc(sizeof(*k));
	int fd;

	loop_set_handshake_rate(w->l, 1);
	crowd_comes(k, w, 3);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&w->at,
	    sizeof(w->at)), 0);
	assert_int_equal(write(fd, "\0\0\0\4abcd", 8), 8);
	for (int t = 0; t < 1000 && k->server[3].closed == 0; t++)
		loop_turn(w->l, 1);
	assert_int_equal(k->server[3].reason, CONN_TLS_ERROR);
	assert_int_equal(loop_stats(w->l)->handshakes_waiting, 2);
	close(fd);
	crowd_goes(k);
}

static void
test_bad_settings(void **state)
{
	struct {
		struct tls_settings	 s;
		const char		*says;
	} rows[] = {
		{ { .certificate_file = NULL }, "needs a certificate file" },
		{ { .certificate_file = "/nowhere.pem", .key_file = "/x" },
		    "/nowhere.pem" },
		{ { .certificate_file = server.cert_file }, "its key file" },
		{ { .certificate_file = server.cert_file,
		    .key_file = "/nowhere.key" }, "/nowhere.key" },
		{ { .certificate_file = server.cert_file,
		    .key_file = client.key_file }, "key" },
		{ { .certificate_file = server.cert_file,
		    .key_file = locked_key }, "cannot use the key" },
		{ { .certificate_file = server.cert_file,
		    .key_file = locked_key,
		    .key_password_file = server.key_file },
		    "cannot use the key" },
		{ { .certificate_file = server.cert_file,
		    .key_file = locked_key,
		    .key_password_file = "/nowhere.pass" },
		    "/nowhere.pass" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file, .min_version = "1.1" },
		    "1.1" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file, .ciphers = "NONESUCH" },
		    "NONESUCH" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file,
		    .verify = TLS_VERIFY_REQUIRED }, "CA file" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file, .ca_file = "/nowhere.ca" },
		    "/nowhere.ca" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file, .ca_file = ca.cert_file,
		    .crl_file = "/nowhere.crl",
		    .verify = TLS_VERIFY_REQUIRED }, "/nowhere.crl" },
		{ { .certificate_file = server.cert_file,
		    .key_file = server.key_file, .ca_file = ca.cert_file,
		    .crl_file = ca.cert_file,
		    .verify = TLS_VERIFY_REQUIRED }, "revocation lists" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error err = { "" };

		assert_null(tls_context_server(&rows[i].s, &err));
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%zu: \"%s\"", i, err.text);
	}
}

static void
test_locked_key(void **state)
{
	struct tls_settings s = server_settings(&server);

	s.key_file = locked_key;
	s.key_password_file = password_file;
	start(*state, s, client_settings());
	expect_up(*state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_both_ways),
		T(test_tls12),
		T(test_13_only),
		T(test_small_pieces),
		T(test_pause),
		T(test_close_tells_peer),
		T(test_unknown_ca),
		T(test_expired),
		T(test_wrong_name),
		T(test_wrong_name_allowed),
		T(test_address_as_name),
		T(test_wrong_address_as_name),
		T(test_no_name),
		T(test_mtls),
		T(test_mtls_without_certificate),
		T(test_mtls_stranger),
		T(test_mtls_optional),
		T(test_plain_on_tls),
		T(test_eof_in_handshake),
		T(test_handshake_too_slow),
		T(test_reload),
		T(test_proxy_then_tls),
		T(test_mtls_without_resumption),
		T(test_server_name),
		T(test_no_server_name),
		T(test_no_longer_trusted),
		T(test_not_revoked),
		T(test_revoked),
		T(test_revocation_unknown),
		T(test_revocation_out_of_date),
		T(test_revoked_by_reload),
		T(test_no_renegotiation),
		T(test_clear_text_before_tls),
		T(test_clear_text_behind_proxy_header),
		T(test_handshakes_wait_in_order),
		T(test_no_handshake_limit),
		T(test_handshakes_give_up),
		T(test_waiting_one_is_let_go),
		T(test_garbage_does_not_wait),
		T(test_bad_settings),
		T(test_locked_key),
	};

	return cmocka_run_group_tests_name("tls", tests, make_all, drop_all);
}
