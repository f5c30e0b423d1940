/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange towards a server that the configuration names: an issuer's
 * keys, a token endpoint. A connection each, no redirects, no cookies, no
 * proxy. https checks the server's certificate and name; http is only for
 * loopback addresses.
 *
 * Ownership: http_call_start returns the call; it is freed after done(), or by
 * http_call_cancel. What came is cleansed; what is sent is libevent's, and not.
 * Thread: the loop's (control), which waits for nothing, not for DNS either.
 * Bounds: HTTP_* and those of the options; redirects are answers like others.
 */
#ifndef WEIR_HTTP_CLIENT_H
#define WEIR_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct http_call;
struct loop;

enum {
	HTTP_URL_MAX = 2048,
	HTTP_HEADERS_MAX = 32 * 1024,	/* of an answer */
	HTTP_TIMEOUT_MS = 10000,
};

struct http_url {
	bool	 tls;
	int	 port;
	char	 host[256];		/* without brackets */
	char	 target[HTTP_URL_MAX];	/* path and query */
};
/* http://... or https://...; without user, password and fragment. */
bool	 http_url_parse(const char *text, struct http_url *to,
	    struct error *err) MUST_CHECK;

struct http_options {
	const char	*url;
	const char	*ca_file;	/* PEM; NULL: the system's */
	const char	*authorization;	/* header's value, or NULL */
	const char	*form;		/* POSTed; NULL: a GET */
	uint32_t	 attempt;	/* which of the host's addresses */
	uint32_t	 timeout_ms;	/* of the whole; 0: HTTP_TIMEOUT_MS */
	uint32_t	 body_max;
};

/* Valid during done(). */
struct http_answer {
	int		 status;	/* 0: none came */
	struct slice	 body;
	const char	*fault;		/* why none came */
};

/* What the options point at is borrowed for the call only. done() is called
 * once, later, whatever happens. */
struct http_call *http_call_start(struct loop *l, const struct http_options *o,
	    void (*done)(void *arg, const struct http_answer *a), void *arg);
/* done() is not called any more. NULL is good. */
void	 http_call_cancel(struct http_call *c);

#endif
