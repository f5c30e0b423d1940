/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"

enum { V4_BITS = 96 };		/* what ::ffff:0:0 takes */

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
bit_set(const uint8_t *address, unsigned bit)
{
	return address[bit / 8] >> (7 - bit % 8) & 1;
}

/* The bits behind '/', or `most` when there are none; -1: not a number. */
static int
prefix_length(const char *s, int most)
{
	int n = 0;

	if (s == NULL)
		return most;
	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || (n = n * 10 + *s - '0') > most)
			return -1;
	}
	return n;
}

bool
cidr_parse(const char *text, struct cidr *to, struct error *err)
{
	char host[64];
	size_t len = strcspn(text, "/");
	const char *slash = text[len] == '/' ? text + len + 1 : NULL;
	bool v4;
	int bits;

	if (len >= sizeof(host))
		return error_set(err, "is not an IP address or network");
	memcpy(host, text, len);
	host[len] = '\0';
	memcpy(to->address, v4_prefix, sizeof(v4_prefix));
	v4 = inet_pton(AF_INET, host, to->address + 12) == 1;
	if (!v4 && inet_pton(AF_INET6, host, to->address) != 1)
		return error_set(err, "is not an IP address or network");
	bits = prefix_length(slash, v4 ? 32 : 128);
	if (bits < 0)
		return error_set(err, "has no valid prefix length behind '/'");
	to->bits = (uint8_t)(v4 ? bits + V4_BITS : bits);
	for (unsigned i = to->bits; i < 128; i++) {
		if (bit_set(to->address, i))
			return error_set(err,
			    "has bits set outside the network");
	}
	return true;
}

void
cidr_list_add(struct cidr_list *l, const struct cidr *c)
{
	l->v = mem_realloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = *c;
}

void
cidr_list_free(struct cidr_list *l)
{
	free(l->v);
	memset(l, 0, sizeof(*l));
}

static bool
same_network(const struct cidr *c, const uint8_t *address)
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	if (memcmp(c->address, address, whole) != 0)
		return false;
	return rest == 0 ||
	    (c->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool
cidr_list_has(const struct cidr_list *l, const struct sockaddr *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint8_t address[16];

	if (a->sa_family == AF_INET) {
		memcpy(&v4, a, sizeof(v4));
		memcpy(address, v4_prefix, sizeof(v4_prefix));
		memcpy(address + 12, &v4.sin_addr, 4);
	} else if (a->sa_family == AF_INET6) {
		memcpy(&v6, a, sizeof(v6));
		memcpy(address, &v6.sin6_addr, sizeof(address));
	} else {
		return false;
	}
	for (uint32_t i = 0; i < l->n; i++) {
		if (same_network(&l->v[i], address))
			return true;
	}
	return false;
}
