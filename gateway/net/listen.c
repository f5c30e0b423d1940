/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/listen.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/loop_private.h"

enum {
	BACKLOG = 1024,
	ACCEPTS_PER_WAKE = 64,
	RETRY_US = 1000 * 1000,
};

struct listener {
	struct loop		*loop;
	int			 fd;
	listen_accept_cb	*cb;
	void			*arg;
	struct event		 event;
	struct timer		 retry;
	bool			 said;		/* that accept fails */
	bool			 in_callback, closed;
};

static void
on_retry(struct timer *t)
{
	struct listener *li = LIST_ENTRY(t, struct listener, retry);

	event_add(&li->event, NULL);
}

/* What passes without our doing; anything else is for want of something. */
static bool
accept_passes(int e)
{
	switch (e) {
	case EINTR: case ECONNABORTED: case EPROTO: case ENETDOWN:
	case ENOPROTOOPT: case EHOSTDOWN: case ENONET: case EHOSTUNREACH:
	case EOPNOTSUPP: case ENETUNREACH: case EPERM:
		return true;
	default:
		return false;
	}
}

static void
wait_for_resources(struct listener *li, int e)
{
	if (!li->said)
		log_warn("cannot accept connections, trying again each second",
		    "error=\"%s\"", strerror(e));
	li->said = true;
	event_del(&li->event);
	timer_set(&li->retry, li->loop, loop_now_us(li->loop) + RETRY_US,
	    on_retry);
}

static void
accept_all(struct listener *li)
{
	for (int i = 0; i < ACCEPTS_PER_WAKE && !li->closed; i++) {
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(li->fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			li->said = false;
			li->cb(li->arg, fd, (struct sockaddr *)&peer, len);
		} else if (errno == EAGAIN) {
			return;
		} else if (!accept_passes(errno)) {
			wait_for_resources(li, errno);
			return;
		}
	}
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *li = arg;
	struct loop *l = li->loop;

	(void)fd, (void)what;
	loop_enter(l);
	li->in_callback = true;
	accept_all(li);
	li->in_callback = false;
	if (li->closed)
		free(li);
	loop_leave(l);
}

static bool
is_any6(const struct sockaddr *a)
{
	struct sockaddr_in6 in6;

	if (a->sa_family != AF_INET6)
		return false;
	memcpy(&in6, a, sizeof(in6));
	return memcmp(&in6.sin6_addr, &in6addr_any,
	    sizeof(in6.sin6_addr)) == 0;
}

/* A bound socket, or -1 with errno. */
static int
bind_socket(const struct sockaddr *a, socklen_t len)
{
	int fd = socket(a->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, both = !is_any6(a), e;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (a->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both));
	if (bind(fd, a, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* Where the machine has no IPv6, "any address" is IPv4's. */
static int
bind_any4(const struct sockaddr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6;

	memcpy(&in6, a, sizeof(in6));
	in.sin_port = in6.sin6_port;
	return bind_socket((struct sockaddr *)&in, sizeof(in));
}

struct listener *
listen_open(struct loop *l, const struct sockaddr *a, socklen_t len,
    listen_accept_cb *cb, void *arg, struct error *err)
{
	struct listener *li;
	char text[64];
	int fd = bind_socket(a, len);

	if (fd < 0 && is_any6(a) &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = bind_any4(a);
	if (fd < 0) {
		int e = errno;

		address_format(a, text, sizeof(text));
		error_set(err, "cannot listen on %s: %s", text, strerror(e));
		return NULL;
	}
	li = mem_zalloc(sizeof(*li));
	li->loop = l;
	li->fd = fd;
	li->cb = cb;
	li->arg = arg;
	event_assign(&li->event, l->base, fd, EV_READ | EV_PERSIST,
	    on_acceptable, li);
	event_add(&li->event, NULL);
	return li;
}

void
listen_close(struct listener *li)
{
	if (li == NULL)
		return;
	event_del(&li->event);
	timer_cancel(&li->retry);
	close(li->fd);
	li->closed = true;
	if (!li->in_callback)
		free(li);
}

int
listen_port(const struct listener *li)
{
	struct sockaddr_storage a;
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	socklen_t len = sizeof(a);

	if (getsockname(li->fd, (struct sockaddr *)&a, &len) < 0)
		return 0;
	if (a.ss_family == AF_INET6) {
		memcpy(&in6, &a, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	memcpy(&in, &a, sizeof(in));
	return ntohs(in.sin_port);
}
