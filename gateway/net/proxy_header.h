/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header that a load balancer puts before a client's bytes (PROXY protocol
 * version 1 and 2), so that we know who the client is. Bytes in, addresses out;
 * no socket.
 * Bounds: PROXY_HEADER_MAX for version 2, 107 for version 1; a longer one is
 * refused.
 */
#ifndef WEIR_NET_PROXY_HEADER_H
#define WEIR_NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/net/conn.h"

enum { PROXY_HEADER_MAX = 536, PROXY_V1_MAX = 107 };

enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy_header {
	size_t			 size;		/* bytes the header takes */
	bool			 has_address;	/* not for LOCAL and UNKNOWN */
	union conn_address	 remote, local;
	char			 vpce[32];	/* AWS endpoint id, or "" */
};

/* MORE: all bytes so far belong to a header that is not whole. BAD: *why is a
 * constant text. */
enum proxy_result proxy_header_parse(const uint8_t *data, size_t len,
	    struct proxy_header *to, const char **why);

#endif
