/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS handshake costs us a signature and the client next to nothing, so a
 * loop begins only so many of its clients' a second. Whoever comes with a hello
 * beyond that waits, in order and unread: the hello stays in the socket. The
 * wait is over within setup_ms, and the handshake then has setup_ms again.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>

#include "gateway/net/conn_private.h"

enum {
	SECOND_US = 1000 * 1000,
	BURST_PART = 10,	/* of a second's handshakes may come at once */
	TLS_RECORD_HANDSHAKE = 0x16,
};

/* The bucket is the time when it will be empty. */
static bool
fits(const struct loop *l)
{
	return l->handshake_each_us == 0 ||
	    l->handshake_us - l->now_us <= l->handshake_burst_us;
}

static void
put(struct loop *l)
{
	if (l->handshake_us < l->now_us)
		l->handshake_us = l->now_us;
	l->handshake_us += l->handshake_each_us;
	l->stats.handshakes++;
}

void
loop_set_handshake_rate(struct loop *l, uint32_t per_second)
{
	l->handshake_each_us = per_second > 0 ? SECOND_US / per_second : 0;
	l->handshake_burst_us = SECOND_US / BURST_PART - l->handshake_each_us;
	if (l->handshake_burst_us < 0)
		l->handshake_burst_us = 0;
}

static void
begin(struct conn *c)
{
	c->state = CONN_S_HANDSHAKE;
	conn_want_read(c, true);
	conn_tls_handshake(c);
}

void
handshake_leave(struct conn *c)
{
	if (!c->queued)
		return;
	c->queued = false;
	c->loop->stats.handshakes_waiting--;
	list_remove(&c->work);
}

/* Whoever has hung up while waiting is not worth a signature. */
static bool
is_gone(const struct conn *c)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    info.tcpi_state != TCP_ESTABLISHED;
}

static void	serve_waiting(struct timer *t);

static void
set_timer(struct loop *l)
{
	timer_set(&l->handshake_timer, l, l->handshake_us -
	    l->handshake_burst_us, serve_waiting);
}

static void
serve_waiting(struct timer *t)
{
	struct loop *l = LIST_ENTRY(t, struct loop, handshake_timer);

	while (!list_empty(&l->hellos) && fits(l)) {
		struct conn *c = conn_of_work(l->hellos.next);

		handshake_leave(c);
		if (is_gone(c)) {
			conn_close(c, CONN_PEER, "while it waited for its TLS "
			    "handshake");
			continue;
		}
		put(l);
		c->since_us = l->now_us;
		conn_due_in(c, c->setup_ms);
		begin(c);
	}
	if (!list_empty(&l->hellos))
		set_timer(l);
}

static void
queue(struct conn *c)
{
	struct loop *l = c->loop;

	c->queued = true;
	l->stats.handshakes_delayed++;
	l->stats.handshakes_waiting++;
	conn_want_read(c, false);
	list_remove(&c->work);
	list_append(&l->hellos, &c->work);
	if (l->handshake_timer.slot == 0)
		set_timer(l);
}

/* What is no hello costs nothing and need not wait to be refused. */
void
handshake_step(struct conn *c)
{
	uint8_t first;
	ssize_t n;

	if (c->queued)
		return;
	n = recv(c->fd, &first, 1, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1 && first == TLS_RECORD_HANDSHAKE) {
		if (!list_empty(&c->loop->hellos) || !fits(c->loop)) {
			queue(c);
			return;
		}
		put(c->loop);
	}
	begin(c);
}
