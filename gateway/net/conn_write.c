/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>

#include "gateway/net/conn_private.h"

void
conn_send(struct conn *c, struct chain *out)
{
	if (c->state > CONN_S_OPEN) {
		chain_fini(out);
		return;
	}
	if (out->bytes == 0)
		return;
	if (c->out.bytes == 0)
		c->progress_us = loop_now_us(c->loop);
	chain_move(&c->out, out);
	if (c->out_high > 0 && c->out.bytes > c->out_high)
		conn_block(c, BLOCK_OUTPUT);
	conn_dirty(c);
}

size_t
conn_queued(const struct conn *c)
{
	return c->out.bytes;
}

/* One system call; bytes written or IO_*. */
static ssize_t
write_plain(struct conn *c)
{
	struct iovec iov[WRITE_PIECES];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	m.msg_iovlen = (size_t)chain_iov(&c->out, iov, WRITE_PIECES);
	do {
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
}

/* All that was queued has been sent. */
static void
emptied(struct conn *c)
{
	chain_fini(&c->out);
	conn_want_write(c, false);
	if (c->state == CONN_S_FLUSHING)
		conn_finish_flush(c);
	else if (c->ops->drained != NULL)
		c->ops->drained(c, c->arg);
}

static void
wrote(struct conn *c, size_t n)
{
	c->loop->stats.bytes_out += n;
	c->progress_us = c->active_us = loop_now_us(c->loop);
	chain_drain(&c->out, n);
	if ((c->blocked & BLOCK_OUTPUT) && c->out.bytes <= c->out_high / 2)
		conn_unblock(c, BLOCK_OUTPUT);
}

void
conn_flush(struct conn *c)
{
	if (c->state != CONN_S_FLUSHING &&
	    (c->state != CONN_S_OPEN || c->out.bytes == 0))
		return;
	while (c->out.bytes > 0) {
		size_t queued = c->out.bytes;
		uint32_t pieces = c->out.n;
		ssize_t n = c->tls ? conn_tls_write(c) : write_plain(c);

		if (n < 0) {
			conn_fail_io(c, n);
			return;
		}
		if (n > 0)
			wrote(c, (size_t)n);
		/* A short write means the socket's buffer is full. */
		if (n == IO_AGAIN || (!c->tls && pieces <= WRITE_PIECES &&
		    (size_t)n < queued)) {
			conn_want_write(c, true);
			conn_due_in(c, c->stall_ms);
			return;
		}
	}
	emptied(c);
}

void
conn_close_after_flush(struct conn *c, enum conn_reason reason)
{
	if (c->state > CONN_S_OPEN)
		return;
	if (c->state != CONN_S_OPEN)
		chain_fini(&c->out);	/* there is no way to send it */
	handshake_leave(c);
	c->why = (uint8_t)reason;
	c->state = CONN_S_FLUSHING;
	c->since_us = loop_now_us(c->loop);
	reassembly_fini(&c->in);
	conn_want_read(c, false);
	conn_due_in(c, c->stall_ms ? c->stall_ms : LINGER_MS);
	conn_dirty(c);
}

/* To close with bytes unread would reset the connection, and the peer could
 * lose the reply that says why. */
void
conn_finish_flush(struct conn *c)
{
	if (!c->client) {
		conn_close(c, (enum conn_reason)c->why, NULL);
		return;
	}
	if (c->tls)
		conn_tls_shutdown(c);
	shutdown(c->fd, SHUT_WR);
	c->state = CONN_S_LINGERING;
	c->since_us = loop_now_us(c->loop);
	c->blocked = 0;
	conn_want_read(c, true);
	conn_due_in(c, LINGER_MS);
}
