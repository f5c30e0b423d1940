/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts: made from files at start and at each reload; connections keep
 * the one they began with.
 * Ownership: counted. Thread: made on the control thread, used by any (OpenSSL
 * counts SSL_CTX references atomically).
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <stdbool.h>

#include "gateway/base/error.h"

struct ssl_st;
struct tls_context;

enum { TLS_FAULT_SIZE = 256 };

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRED };

struct tls_settings {
	const char	*certificate_file;	/* PEM chain; NULL: none */
	const char	*key_file;		/* PEM */
	const char	*key_password_file;	/* NULL: none */
	const char	*ca_file;		/* NULL: the system's */
	const char	*crl_file;		/* PEM; NULL: none */
	const char	*min_version;		/* "1.2" or "1.3"; NULL: 1.2 */
	const char	*ciphers;		/* NULL: OpenSSL's default */
	enum tls_verify	 verify;		/* of the peer's certificate */
	bool		 verify_name;		/* client side: host name too */
};

struct tls_context *tls_context_server(const struct tls_settings *s,
		    struct error *err) MUST_CHECK;
struct tls_context *tls_context_client(const struct tls_settings *s,
		    struct error *err) MUST_CHECK;
/* One side of a connection to `host`, for who brings bytes himself (libevent's
 * bufferevent). *fault, as long as that lives, is "" or says which certificate
 * was refused. NULL: host cannot be a server's name. */
struct ssl_st	*tls_context_ssl(struct tls_context *t, const char *host,
		    char fault[TLS_FAULT_SIZE], struct error *err) MUST_CHECK;
struct tls_context *tls_context_ref(struct tls_context *t);
void		 tls_context_unref(struct tls_context *t);

#endif
