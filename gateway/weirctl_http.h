/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange with a weir's admin address, blocking.
 * Bounds: HTTP_REPLY_MAX bytes, HTTP_TIMEOUT_S for each wait.
 */
#ifndef WEIR_WEIRCTL_HTTP_H
#define WEIR_WEIRCTL_HTTP_H

#include <stdio.h>

#include "gateway/base/error.h"

enum {
	HTTP_REQUEST_MAX = 12 * 1024,	/* below ADMIN_HEADERS_MAX */
	HTTP_REPLY_MAX = 64 * 1024 * 1024,
	HTTP_TIMEOUT_S = 10,
};

struct http_reply {
	int	 code;
	char	*body;		/* NUL-terminated; the caller frees */
};

/* token: NULL or what is shown. False: no reply, err says why. */
bool	 http_exchange(const char *address, const char *method,
	    const char *path, const char *token, struct http_reply *to,
	    struct error *err) MUST_CHECK;

/* One of a query's; value NULL: left out. */
struct http_pair {
	const char	*name, *value;
};

/* "path?name=value&..."; the caller frees it. */
char	*http_path(const char *path, const struct http_pair *v, size_t n);

/* Asks a weir and parses its answer, with the token that the file (or NULL)
 * has; NULL: it was told on stderr, and *code is how to exit. */
struct json_t	*http_ask(const char *admin, const char *token_file,
	    const char *method, const char *path, int *code);

#endif
