/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/mem.h"
#include "gateway/net/conn_private.h"
#include "gateway/net/listen.h"
#include "gateway/net/proxy_header.h"

/* The PROXY header as far as it has come. */
struct conn_setup {
	size_t		 have;
	uint8_t		 data[PROXY_HEADER_MAX];
};

void
conn_setup_fini(struct conn *c)
{
	free(c->setup);
	c->setup = NULL;
}

/* IPv4 in IPv6 clothes becomes IPv4. */
static void
copy_address(union conn_address *to, const struct sockaddr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(to, 0, sizeof(*to));
	if (a == NULL)
		return;
	if (a->sa_family == AF_INET) {
		memcpy(&to->in, a, sizeof(to->in));
	} else if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, a, sizeof(in6));
		to->in6 = in6;
		if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) != 0)
			return;
		memset(to, 0, sizeof(*to));
		to->in.sin_family = AF_INET;
		to->in.sin_port = in6.sin6_port;
		memcpy(&to->in.sin_addr, &in6.sin6_addr.s6_addr[12], 4);
	}
}

void
conn_set_peer(struct conn *c, const struct sockaddr *remote,
    const struct sockaddr *local)
{
	struct conn_peer *p = &c->peer;
	struct error ignored;
	int port;

	copy_address(&p->remote, remote);
	copy_address(&p->local, local);
	address_format(&p->remote.sa, p->text, sizeof(p->text));
	if (!address_split(p->text, p->host, sizeof(p->host), &port, &ignored))
		snprintf(p->host, sizeof(p->host), "?");
}

static void
note_local(struct conn *c)
{
	union conn_address local;
	socklen_t len = sizeof(local);

	if (getsockname(c->fd, &local.sa, &len) == 0)
		copy_address(&c->peer.local, &local.sa);
}

void
conn_opened(struct conn *c)
{
	/* Nothing that was sent before TLS is taken for what came in it. */
	assert(!reassembly_partial(&c->in) && !reassembly_holds(&c->in));
	conn_setup_fini(c);
	c->state = CONN_S_OPEN;
	c->active_us = c->progress_us = loop_now_us(c->loop);
	conn_due_in(c, c->idle_ms);
	if (c->ops->ready != NULL)
		c->ops->ready(c, c->arg);
	if (c->state != CONN_S_OPEN)
		return;
	if (c->out.bytes > 0)
		conn_dirty(c);
	conn_want_read(c, !c->blocked || c->watches_end);
	/* TLS may hold what came with the handshake's end. */
	if (c->tls != NULL)
		conn_pend(c);
}

static void
begin_tls_or_open(struct conn *c)
{
	if (c->tls == NULL) {
		conn_opened(c);
		return;
	}
	conn_want_read(c, true);
	c->state = c->client ? CONN_S_HELLO : CONN_S_HANDSHAKE;
	conn_setup_step(c);
}

static void
connect_step(struct conn *c)
{
	socklen_t len = sizeof(int);
	int e = c->connect_errno;

	if (e == 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e != 0) {
		conn_close(c, CONN_CONNECT, strerror(e));
		return;
	}
	conn_want_write(c, false);
	note_local(c);
	begin_tls_or_open(c);
}

/* Looks before it takes, so that what follows the header stays in the socket:
 * TLS will read it from there. */
static void
proxy_step(struct conn *c)
{
	struct conn_setup *s = c->setup;
	struct proxy_header h;
	const char *why = NULL;
	enum proxy_result r;
	ssize_t n;
	size_t take;

	if (s == NULL)
		s = c->setup = mem_zalloc(sizeof(*s));
	n = recv(c->fd, s->data + s->have, sizeof(s->data) - s->have, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_fail_io(c, n == 0 ? IO_END : IO_FAILED);
		return;
	}
	r = proxy_header_parse(s->data, s->have + (size_t)n, &h, &why);
	if (r == PROXY_BAD) {
		conn_close(c, CONN_PROXY_HEADER, why);
		return;
	}
	take = r == PROXY_DONE ? h.size - s->have : (size_t)n;
	if (recv(c->fd, s->data + s->have, take, 0) != (ssize_t)take) {
		conn_close(c, CONN_BUG, "PROXY header");
		return;
	}
	s->have += take;
	if (r != PROXY_DONE)
		return;
	if (h.has_address) {
		conn_set_peer(c, &h.remote.sa, &h.local.sa);
		memcpy(c->peer.vpce, h.vpce, sizeof(c->peer.vpce));
	}
	if (c->ops->addressed != NULL)
		c->ops->addressed(c, c->arg);
	if (c->state == CONN_S_PROXY)
		begin_tls_or_open(c);
}

void
conn_setup_step(struct conn *c)
{
	switch ((enum conn_state)c->state) {
	case CONN_S_CONNECTING:
		connect_step(c);
		break;
	case CONN_S_PROXY:
		proxy_step(c);
		break;
	case CONN_S_HELLO:
		handshake_step(c);
		break;
	case CONN_S_HANDSHAKE:
		conn_tls_handshake(c);
		break;
	default:
		break;
	}
}
