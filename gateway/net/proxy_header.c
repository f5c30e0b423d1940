/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/proxy_header.h"

#include <arpa/inet.h>

#include <string.h>

enum {
	V2_FIXED = 16,			/* signature, command, family, length */
	V2_PROXY = 0x21, V2_LOCAL = 0x20,
	V2_TCP4 = 0x11, V2_TCP6 = 0x21,
	TLV_AWS = 0xEA, AWS_VPCE = 0x01,
};

static const uint8_t v2_signature[12] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};
static const uint8_t v1_signature[6] = { 'P', 'R', 'O', 'X', 'Y', ' ' };

static bool
begins(const uint8_t *data, size_t len, const uint8_t *with, size_t with_len)
{
	return memcmp(data, with, len < with_len ? len : with_len) == 0;
}

static enum proxy_result
bad(const char **why, const char *text)
{
	*why = text;
	return PROXY_BAD;
}

/* The value of one TLV of type AWS: a subtype and, for a VPC endpoint, its
 * id. One that does not fit or is no plain text is none. */
static void
read_aws(const uint8_t *v, size_t len, struct proxy_header *to)
{
	if (len < 2 || v[0] != AWS_VPCE || len - 1 >= sizeof(to->vpce))
		return;
	for (size_t i = 1; i < len; i++)
		if (v[i] <= ' ' || v[i] > '~')
			return;
	memcpy(to->vpce, v + 1, len - 1);
	to->vpce[len - 1] = '\0';
}

static bool
read_tlvs(const uint8_t *p, size_t len, struct proxy_header *to)
{
	while (len > 0) {
		size_t n;

		if (len < 3)
			return false;
		n = (size_t)p[1] << 8 | p[2];
		if (n > len - 3)
			return false;
		if (p[0] == TLV_AWS)
			read_aws(p + 3, n, to);
		p += 3 + n;
		len -= 3 + n;
	}
	return true;
}

static void
set_in(union conn_address *a, const uint8_t *ip, const uint8_t *port)
{
	a->in.sin_family = AF_INET;
	memcpy(&a->in.sin_addr, ip, 4);
	memcpy(&a->in.sin_port, port, 2);
}

static void
set_in6(union conn_address *a, const uint8_t *ip, const uint8_t *port)
{
	a->in6.sin6_family = AF_INET6;
	memcpy(&a->in6.sin6_addr, ip, 16);
	memcpy(&a->in6.sin6_port, port, 2);
}

static enum proxy_result
parse_v2(const uint8_t *d, size_t len, struct proxy_header *to,
    const char **why)
{
	size_t rest, fixed = 0;
	const uint8_t *a = d + V2_FIXED;

	if (len < V2_FIXED)
		return PROXY_MORE;
	if (d[12] != V2_PROXY && d[12] != V2_LOCAL)
		return bad(why, "unknown version or command");
	rest = (size_t)d[14] << 8 | d[15];
	if (rest > PROXY_HEADER_MAX - V2_FIXED)
		return bad(why, "longer than 536 bytes");
	if (len - V2_FIXED < rest)
		return PROXY_MORE;
	to->size = V2_FIXED + rest;
	if (d[12] == V2_LOCAL)
		return PROXY_DONE;
	if (d[13] == V2_TCP4 && rest >= 12) {
		fixed = 12;
		set_in(&to->remote, a, a + 8);
		set_in(&to->local, a + 4, a + 10);
	} else if (d[13] == V2_TCP6 && rest >= 36) {
		fixed = 36;
		set_in6(&to->remote, a, a + 32);
		set_in6(&to->local, a + 16, a + 34);
	} else if (d[13] == V2_TCP4 || d[13] == V2_TCP6) {
		return bad(why, "shorter than its addresses");
	} else {
		/* Not TCP over IP: use the connection's own addresses. */
		return PROXY_DONE;
	}
	to->has_address = true;
	return read_tlvs(a + fixed, rest - fixed, to) ? PROXY_DONE :
	    bad(why, "a field is longer than the header");
}

/* Takes the next word of [*p, end), which one space or the end follows. */
static bool
next_word(const char **p, const char *end, char *to, size_t size)
{
	const char *from = *p, *space = memchr(from, ' ', (size_t)(end - from));
	size_t len = (size_t)((space ? space : end) - from);

	if (len == 0 || len >= size || memchr(from, '\0', len) != NULL)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	*p = space ? space + 1 : end;
	return true;
}

static bool
read_port(const char *text, in_port_t *to)
{
	uint32_t port = 0;

	for (const char *s = text; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || s - text >= 5)
			return false;
		port = port * 10 + (uint32_t)(*s - '0');
	}
	if (port > 65535 || (text[0] == '0' && text[1] != '\0'))
		return false;
	*to = htons((uint16_t)port);
	return true;
}

static bool
read_address(const char *ip, const char *port, bool six,
    union conn_address *to)
{
	in_port_t p;

	if (!read_port(port, &p))
		return false;
	if (six) {
		to->in6.sin6_family = AF_INET6;
		to->in6.sin6_port = p;
		return inet_pton(AF_INET6, ip, &to->in6.sin6_addr) == 1;
	}
	to->in.sin_family = AF_INET;
	to->in.sin_port = p;
	return inet_pton(AF_INET, ip, &to->in.sin_addr) == 1;
}

/* "TCP4 source destination sport dport" between the signature and CR LF. */
static bool
read_v1(const char *p, const char *end, struct proxy_header *to)
{
	char kind[8], src[46], dst[46], sport[6], dport[6];
	bool six;

	if (!next_word(&p, end, kind, sizeof(kind)))
		return false;
	if (strcmp(kind, "UNKNOWN") == 0)
		return true;
	six = strcmp(kind, "TCP6") == 0;
	if (!six && strcmp(kind, "TCP4") != 0)
		return false;
	if (!next_word(&p, end, src, sizeof(src)) ||
	    !next_word(&p, end, dst, sizeof(dst)) ||
	    !next_word(&p, end, sport, sizeof(sport)) ||
	    !next_word(&p, end, dport, sizeof(dport)) ||
	    p != end || end[-1] == ' ')
		return false;
	to->has_address = read_address(src, sport, six, &to->remote) &&
	    read_address(dst, dport, six, &to->local);
	return to->has_address;
}

static enum proxy_result
parse_v1(const uint8_t *d, size_t len, struct proxy_header *to,
    const char **why)
{
	size_t most = len < PROXY_V1_MAX ? len : PROXY_V1_MAX;
	const uint8_t *cr = memchr(d, '\r', most);
	const char *from = (const char *)d + sizeof(v1_signature);

	if (cr == NULL)
		return len < PROXY_V1_MAX ? PROXY_MORE :
		    bad(why, "longer than 107 bytes");
	if ((size_t)(cr - d) + 1 == PROXY_V1_MAX)
		return bad(why, "longer than 107 bytes");
	if ((size_t)(cr - d) + 1 == len)
		return PROXY_MORE;
	if (cr[1] != '\n')
		return bad(why, "its line does not end");
	to->size = (size_t)(cr - d) + 2;
	return read_v1(from, (const char *)cr, to) ? PROXY_DONE :
	    bad(why, "not a line of version 1");
}

enum proxy_result
proxy_header_parse(const uint8_t *data, size_t len, struct proxy_header *to,
    const char **why)
{
	memset(to, 0, sizeof(*to));
	if (len == 0)
		return PROXY_MORE;
	if (begins(data, len, v2_signature, sizeof(v2_signature)))
		return parse_v2(data, len, to, why);
	if (!begins(data, len, v1_signature, sizeof(v1_signature)))
		return bad(why, "there is none");
	return len < sizeof(v1_signature) ? PROXY_MORE :
	    parse_v1(data, len, to, why);
}
