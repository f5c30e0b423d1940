/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a TLS context, for tls.c and conn_tls.c. */
#ifndef WEIR_NET_TLS_PRIVATE_H
#define WEIR_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include <stdatomic.h>

#include "gateway/net/tls.h"

struct tls_context {
	atomic_uint	 refs;
	SSL_CTX		*ctx;
	bool		 server, verify_name;
};

/* Whether a client with this certificate, and what it sent with it, would be
 * accepted. Thread: any. */
bool	tls_context_trusts(const struct tls_context *t, X509 *cert,
	    STACK_OF(X509) *chain, struct error *err);
/* What is told and verified of a server's name; NULL: there is none. */
bool	tls_set_server_name(SSL *ssl, const struct tls_context *t,
	    const char *name, struct error *err);
/* The text of the oldest error in OpenSSL's queue, which it empties; "" when
 * there is none. */
void	tls_take_errors(char *to, size_t size);

#endif
