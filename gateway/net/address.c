/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/listen.h"

static bool
parse_port(const char *text, const char *whole, int *port, struct error *err)
{
	long n = 0;

	for (const char *s = text; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || s - text >= 5)
			return error_set(err,
			    "\"%s\": the port is not a number", whole);
		n = n * 10 + (*s - '0');
	}
	if (*text == '\0' || n > 65535)
		return error_set(err, "\"%s\": the port must be 0 to 65535",
		    whole);
	*port = (int)n;
	return true;
}

bool
address_split(const char *text, char *host, size_t host_size, int *port,
    struct error *err)
{
	const char *from = text, *to, *colon;
	size_t len;

	if (*text == '[') {
		from = text + 1;
		to = strchr(from, ']');
		if (to == NULL || to[1] != ':')
			return error_set(err,
			    "\"%s\": expected [address]:port", text);
		colon = to + 1;
	} else {
		colon = to = strrchr(text, ':');
		if (colon == NULL)
			return error_set(err, "\"%s\": expected host:port",
			    text);
		if (memchr(from, ':', (size_t)(to - from)) != NULL)
			return error_set(err, "\"%s\": an IPv6 address needs "
			    "brackets: [address]:port", text);
	}
	len = (size_t)(to - from);
	if (len >= host_size)
		return error_set(err, "\"%.80s...\": the host is too long",
		    text);
	memcpy(host, from, len);
	host[len] = '\0';
	return parse_port(colon + 1, text, port, err);
}

/* Every address of this machine: IPv6's, which takes IPv4 as well. */
static void
set_any(struct sockaddr_storage *to, socklen_t *len, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	a.sin6_port = htons((uint16_t)port);
	a.sin6_addr = in6addr_any;
	memset(to, 0, sizeof(*to));
	memcpy(to, &a, sizeof(a));
	*len = sizeof(a);
}

bool
address_parse(const char *text, struct sockaddr_storage *to, socklen_t *len,
    struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found;
	char host[256], service[8];
	int port, r;

	if (!address_split(text, host, sizeof(host), &port, err))
		return false;
	if (host[0] == '\0' || strcmp(host, "*") == 0) {
		set_any(to, len, port);
		return true;
	}
	snprintf(service, sizeof(service), "%d", port);
	r = getaddrinfo(host, service, &hints, &found);
	if (r != 0)
		return error_set(err, "\"%s\": %s", text, gai_strerror(r));
	memset(to, 0, sizeof(*to));
	memcpy(to, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

void
address_set_port(struct sockaddr *a, int port)
{
	uint16_t there = htons((uint16_t)port);

	/* Both have it behind the family. */
	if (a->sa_family == AF_INET || a->sa_family == AF_INET6)
		memcpy((char *)a + offsetof(struct sockaddr_in, sin_port),
		    &there, sizeof(there));
}

void
address_format(const struct sockaddr *a, char *to, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	if (a != NULL && a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, ip, sizeof(ip));
		snprintf(to, size, "%s:%u", ip, ntohs(in.sin_port));
	} else if (a != NULL && a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof(ip));
		snprintf(to, size, "[%s]:%u", ip, ntohs(in6.sin6_port));
	} else {
		snprintf(to, size, "?:0");
	}
}
