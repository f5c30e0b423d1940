/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <netinet/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/net/conn_private.h"
#include "gateway/net/listen.h"

static const struct {
	const char	*label, *text;
} reasons[] = {
#define X(name, label, text) { label, text },
#include "gateway/net/reasons.def"
#undef X
};

const char *
conn_reason_label(enum conn_reason r)
{
	return reasons[r].label;
}

const char *
conn_reason_text(enum conn_reason r)
{
	return reasons[r].text;
}

struct conn *
conn_of_work(struct list *link)
{
	return LIST_ENTRY(link, struct conn, work);
}

struct conn *
conn_of_dirty(struct list *link)
{
	return LIST_ENTRY(link, struct conn, dirty);
}

/* Has the turn's end go on with it. */
void
conn_pend(struct conn *c)
{
	if (c->state == CONN_S_CLOSED)
		return;
	list_remove(&c->work);
	list_append(&c->loop->pending, &c->work);
	loop_wake(c->loop);
}

/* Has the turn's end send what is queued. */
void
conn_dirty(struct conn *c)
{
	if (c->state == CONN_S_CLOSED || !list_empty(&c->dirty))
		return;
	list_append(&c->loop->dirty, &c->dirty);
	loop_wake(c->loop);
}

/* An alert of TLS is something unread. */
static bool
has_ended(const struct conn *c)
{
	uint8_t byte;
	ssize_t n;

	if (!c->watches_end || reassembly_holds(&c->in) ||
	    (c->tls != NULL && conn_tls_pending(c, true)))
		return false;
	n = recv(c->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct loop *l = c->loop;

	(void)fd, (void)what;
	loop_enter(l);
	if (c->state == CONN_S_LINGERING)
		conn_linger_read(c);
	else if (c->state < CONN_S_OPEN)
		conn_setup_step(c);
	else if (c->state == CONN_S_OPEN && !c->blocked)
		conn_read(c);
	else if (c->state == CONN_S_OPEN && has_ended(c))
		conn_close(c, CONN_PEER, NULL);
	else
		conn_want_read(c, false);
	loop_leave(l);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct loop *l = c->loop;

	(void)fd, (void)what;
	loop_enter(l);
	if (c->state < CONN_S_OPEN)
		conn_setup_step(c);
	else
		conn_flush(c);
	loop_leave(l);
}

void
conn_want_read(struct conn *c, bool on)
{
	if (c->reading == on || c->fd < 0)
		return;
	c->reading = on;
	if (on)
		event_add(&c->read_event, NULL);
	else
		event_del(&c->read_event);
}

void
conn_want_write(struct conn *c, bool on)
{
	if (c->writing == on || c->fd < 0)
		return;
	c->writing = on;
	if (c->write_event == NULL)
		c->write_event = event_new(c->loop->base, c->fd,
		    EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->write_event == NULL)
		abort();
	if (on)
		event_add(c->write_event, NULL);
	else
		event_del(c->write_event);
}

/* What a turn's end does with a connection on the pending list. */
void
conn_continue(struct conn *c)
{
	if (c->state < CONN_S_OPEN) {
		conn_setup_step(c);
		return;
	}
	if (c->state != CONN_S_OPEN || c->blocked)
		return;
	conn_read_held(c);
	if (c->state != CONN_S_OPEN || c->blocked)
		return;
	conn_want_read(c, true);
	if (c->tls != NULL)
		conn_read(c);
}

void
conn_block(struct conn *c, uint8_t why)
{
	if (c->blocked == 0)
		c->blocked_us = loop_now_us(c->loop);
	c->blocked |= why;
	if (why == BLOCK_SHED && c->state == CONN_S_OPEN) {
		conn_want_read(c, false);
		list_remove(&c->work);
		list_append(&c->loop->shed, &c->work);
	}
}

void
conn_unblock(struct conn *c, uint8_t why)
{
	if ((c->blocked & why) == 0)
		return;
	c->blocked &= (uint8_t)~why;
	if (c->blocked != 0)
		return;
	if (c->frame_us != 0) {
		c->frame_us += loop_now_us(c->loop) - c->blocked_us;
		if (c->frame_ms > 0)
			conn_due(c, c->frame_us + (int64_t)c->frame_ms * 1000);
	}
	if (c->state == CONN_S_OPEN && (!c->reading || c->tls != NULL ||
	    reassembly_holds(&c->in)))
		conn_pend(c);
}

void
conn_unshed(struct conn *c)
{
	conn_unblock(c, BLOCK_SHED);
}

void
conn_pause(struct conn *c)
{
	if (c->state <= CONN_S_OPEN)
		conn_block(c, BLOCK_PAUSED);
}

void
conn_watch_end(struct conn *c)
{
	c->watches_end = (c->blocked & BLOCK_PAUSED) != 0;
	/* What came meanwhile may have been the end. */
	if (c->watches_end && c->state == CONN_S_OPEN)
		conn_want_read(c, true);
}

void
conn_resume(struct conn *c)
{
	c->watches_end = false;
	if (c->state <= CONN_S_OPEN)
		conn_unblock(c, BLOCK_PAUSED);
}

void
conn_set_frame_max(struct conn *c, size_t max)
{
	c->in.frame_max = max;
}

void
conn_set_frame_ms(struct conn *c, uint32_t ms)
{
	c->frame_ms = ms;
}

void
conn_set_arg(struct conn *c, const struct conn_ops *ops, void *arg)
{
	c->ops = ops;
	c->arg = arg;
}

const struct conn_peer *
conn_peer(const struct conn *c)
{
	return &c->peer;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}

static struct conn *
conn_new(struct loop *l, int fd, const struct conn_options *o,
    const struct conn_ops *ops, void *arg)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->fd = fd;
	list_init(&c->work);
	list_init(&c->dirty);
	list_init(&c->wheel);
	c->in.frame_max = o->frame_max;
	c->out_high = o->out_high;
	c->setup_ms = o->setup_ms;
	c->frame_ms = o->frame_ms;
	c->stall_ms = o->stall_ms;
	c->idle_ms = o->idle_ms;
	c->sheds = o->sheds;
	c->client = o->client;
	c->expect_proxy = o->expect_proxy;
	c->since_us = c->active_us = loop_now_us(l);
	if (o->tls != NULL)
		conn_tls_start(c, o->tls, o->server_name);
	return c;
}

/* No waiting for full segments, and a dead peer is found out in the end. */
static void
prepare_socket(struct conn *c)
{
	int on = 1;

	if (c->fd < 0)
		return;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	event_assign(&c->read_event, c->loop->base, c->fd,
	    EV_READ | EV_PERSIST, on_readable, c);
}

struct conn *
conn_open_accepted(struct loop *l, int fd, const struct sockaddr *peer,
    socklen_t len, const struct conn_options *o, const struct conn_ops *ops,
    void *arg)
{
	struct conn *c = conn_new(l, fd, o, ops, arg);
	union conn_address local = { .sa.sa_family = AF_UNSPEC };
	socklen_t local_len = sizeof(local);

	(void)len;
	prepare_socket(c);
	if (getsockname(fd, &local.sa, &local_len) < 0)
		local.sa.sa_family = AF_UNSPEC;
	conn_set_peer(c, peer, &local.sa);
	if (o->expect_proxy)
		c->state = CONN_S_PROXY;
	else if (c->tls != NULL)
		c->state = c->client ? CONN_S_HELLO : CONN_S_HANDSHAKE;
	else
		c->state = CONN_S_OPEN;
	conn_due_in(c, c->state == CONN_S_OPEN ? c->idle_ms : c->setup_ms);
	conn_want_read(c, true);
	if (c->tls != NULL && c->state != CONN_S_PROXY)
		conn_pend(c);	/* the hello may be there already */
	return c;
}

struct conn *
conn_open_connect(struct loop *l, const struct sockaddr *to, socklen_t len,
    const struct conn_options *o, const struct conn_ops *ops, void *arg)
{
	int fd = socket(to->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct conn *c = conn_new(l, fd, o, ops, arg);

	c->state = CONN_S_CONNECTING;
	prepare_socket(c);
	conn_set_peer(c, to, NULL);
	if (fd >= 0 && (connect(fd, to, len) == 0 || errno == EINPROGRESS)) {
		conn_want_write(c, true);
		conn_due_in(c, c->setup_ms);
	} else {
		c->connect_errno = errno;
		conn_pend(c);
	}
	return c;
}

void
conn_fail_io(struct conn *c, ssize_t r)
{
	int e = errno;

	if (c->state == CONN_S_FLUSHING)
		conn_close(c, (enum conn_reason)c->why, NULL);
	else if (r == IO_END)
		conn_close(c, CONN_PEER, reassembly_partial(&c->in) ?
		    "in the middle of a frame" : NULL);
	else if (c->tls != NULL && conn_tls_fault(c) != NULL)
		conn_close(c, CONN_TLS_ERROR, conn_tls_fault(c));
	else
		conn_close(c, CONN_RESET, strerror(e));
}

/* What the peer sees of it. */
static void
shut_socket(struct conn *c, bool open)
{
	if (open && c->tls != NULL)
		conn_tls_shutdown(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Everything but the socket and the memory; the struct lives until the turn's
 * end. */
static void
shut(struct conn *c)
{
	conn_want_read(c, false);
	conn_want_write(c, false);
	c->state = CONN_S_CLOSED;
	handshake_leave(c);
	list_remove(&c->dirty);
	list_remove(&c->wheel);
	list_remove(&c->work);
	list_append(&c->loop->dead, &c->work);
	reassembly_fini(&c->in);
	chain_fini(&c->out);
	loop_wake(c->loop);
}

void
conn_close(struct conn *c, enum conn_reason reason, const char *detail)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	bool open = c->state == CONN_S_OPEN;

	if (c->state == CONN_S_CLOSED)
		return;
	/* What a peer does not read must not stay in the kernel either. */
	if (reason == CONN_STALL && c->fd >= 0)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	shut(c);
	/* First the count and the line, then the end: who sees the end and asks
	 * why finds it told (what was flushed before has been seen). */
	c->ops->closed(c, c->arg, reason, detail);
	shut_socket(c, open);
}

void
conn_free_quietly(struct conn *c)
{
	bool open = c != NULL && c->state == CONN_S_OPEN;

	if (c == NULL || c->state == CONN_S_CLOSED)
		return;
	shut(c);
	shut_socket(c, open);
}

void
conn_destroy(struct conn *c)
{
	if (c->write_event != NULL)
		event_free(c->write_event);
	if (c->tls != NULL)
		conn_tls_free(c);
	conn_setup_fini(c);
	free(c);
}
