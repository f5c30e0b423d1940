/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gateway/net/conn_private.h"

static enum reassembly_next
on_frame(void *arg, struct block *b, const uint8_t *data, size_t len)
{
	struct conn *c = arg;

	c->had_frame = c->read_frame = true;
	c->ops->frame(c, c->arg, b, data, len);
	if (c->state != CONN_S_OPEN)
		return REASSEMBLY_GONE;
	return c->blocked ? REASSEMBLY_HOLD : REASSEMBLY_GO;
}

static bool
has_room(void *arg, size_t size)
{
	struct conn *c = arg;

	if (!c->sheds || !loop_would_exceed(size))
		return true;
	conn_block(c, BLOCK_SHED);
	return false;
}

static const struct reassembly_ops reassembly = { on_frame, has_room };

static ssize_t
read_plain(struct conn *c, const struct iovec *iov, int n)
{
	ssize_t got;

	do {
		if (n == 1)
			got = recv(c->fd, iov->iov_base, iov->iov_len, 0);
		else
			got = readv(c->fd, iov, n);
	} while (got < 0 && errno == EINTR);
	if (got > 0)
		return got;
	if (got == 0)
		return IO_END;
	return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
}

/* Text of another protocol's first four bytes. */
static bool
is_http(const uint8_t *h)
{
	static const char words[][5] = { "GET ", "POST", "HEAD", "PUT ",
		"DELE", "OPTI", "PATC", "CONN", "TRAC", "HTTP", "PRI " };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (memcmp(h, words[i], 4) == 0)
			return true;
	return false;
}

static void
bad_length(struct conn *c)
{
	const uint8_t *h = c->in.head;
	bool fresh = c->client && c->tls == NULL && !c->had_frame;
	char text[64];

	snprintf(text, sizeof(text), "0x%02x%02x%02x%02x, the cap is %zu",
	    h[0], h[1], h[2], h[3], c->in.frame_max);
	if (fresh && h[0] == 0x16 && h[1] == 0x03)
		conn_close(c, CONN_TLS_ON_PLAIN, NULL);
	else if (fresh && is_http(h))
		conn_close(c, CONN_HTTP, NULL);
	else
		conn_close(c, CONN_FRAME_LENGTH, text);
}

/* Notes since when a frame has been coming. */
static void
note_partial(struct conn *c)
{
	if (!reassembly_partial(&c->in)) {
		c->frame_us = 0;
	} else if (c->frame_us == 0 || c->read_frame) {
		c->frame_us = loop_now_us(c->loop);
		conn_due_in(c, c->frame_ms);
	}
}

static void
after_read(struct conn *c, enum reassembly_result r)
{
	if (r == REASSEMBLY_ENDED)
		return;
	if (r == REASSEMBLY_BAD_LENGTH)
		bad_length(c);
	else
		note_partial(c);
}

/* How many of the bytes got went to the loop's block. */
static size_t
into_shared(const struct iovec *iov, int n, const uint8_t *shared, size_t want,
    size_t got)
{
	size_t before = want - iov[n - 1].iov_len;

	return iov[n - 1].iov_base == shared && got > before ? got - before : 0;
}

/* One read and what it completes; false when there is no more to read now. */
static bool
read_once(struct conn *c, size_t *budget)
{
	size_t room, want;
	uint8_t *shared = loop_read_room(c->loop, &room);
	struct iovec iov[2];
	ssize_t got;
	int n;

	/* Over the node's limit only what was charged already is read. */
	if (c->sheds && loop_over_limit())
		room = 0;
	n = reassembly_plan(&c->in, shared, room, iov);
	if (n == 0) {
		conn_block(c, BLOCK_SHED);
		return false;
	}
	if (iov[0].iov_len > READ_MOST) {
		iov[0].iov_len = READ_MOST;
		n = 1;
	}
	want = iov[0].iov_len + (n > 1 ? iov[1].iov_len : 0);
	got = c->tls ? conn_tls_read(c, iov, n) : read_plain(c, iov, n);
	if (got <= 0) {
		if (got < 0)
			conn_fail_io(c, got);
		return false;
	}
	c->loop->stats.bytes_in += (size_t)got;
	c->active_us = c->loop->now_us;
	c->read_frame = false;
	after_read(c, reassembly_take(&c->in, c->loop->read_block, shared,
	    (size_t)got, &reassembly, c));
	loop_read_done(c->loop, into_shared(iov, n, shared, want, (size_t)got));
	*budget -= (size_t)got < *budget ? (size_t)got : *budget;
	return (size_t)got == want && *budget > 0;
}

/* What was received before it was stopped comes before anything new. */
void
conn_read_held(struct conn *c)
{
	if (!reassembly_holds(&c->in))
		return;
	c->read_frame = false;
	after_read(c, reassembly_continue(&c->in, &reassembly, c));
}

void
conn_read(struct conn *c)
{
	size_t budget = READ_BUDGET;

	conn_read_held(c);
	while (c->state == CONN_S_OPEN && !c->blocked)
		if (!read_once(c, &budget))
			break;
	/* The socket tells by itself when it has more, TLS does not. */
	if (c->state == CONN_S_OPEN && !c->blocked && c->tls != NULL &&
	    conn_tls_pending(c, budget == 0))
		conn_pend(c);
}

void
conn_linger_read(struct conn *c)
{
	size_t room;
	uint8_t *shared = loop_read_room(c->loop, &room);
	ssize_t n = recv(c->fd, shared, room, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_close(c, (enum conn_reason)c->why, NULL);
}
