/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gateway/net costs by itself: a relay of frames made of conns, next to a
 * plain relay of bytes (epoll, read, write) in the same run, round robin.
 *
 *	bench_conn [rounds [round trips [MiB]]]
 *
 * Each relay is a process of its own; its CPU time is what is measured. Small:
 * frames of 150 bytes there and back, one in flight on each of 4 connections.
 * Large: frames of 1 MiB one way, passed on by reference.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/block.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/net/conn.h"
#include "gateway/net/listen.h"
#include "gateway/net/loop.h"

enum { CONNS = 4, SMALL = 150, LARGE = 1024 * 1024, RELAY_BUF = 16 * 1024 };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int
listen_any(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 ||
	    listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)a, &len) < 0)
		die("listen");
	return fd;
}

static int
connect_to(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The plain relay. */
struct side {
	int		 fd;
	struct side	*other;
	size_t		 at, have;	/* of what came from fd */
	uint32_t	 events;
	uint8_t		 buf[RELAY_BUF];
};

static void
side_events(int ep, struct side *s)
{
	uint32_t want = 0;

	if (s->have == 0)
		want |= EPOLLIN;
	if (s->other->have > 0)
		want |= EPOLLOUT;
	if (want == s->events)
		return;
	epoll_ctl(ep, s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd,
	    &(struct epoll_event){ want ? want : EPOLLHUP, { .ptr = s } });
	s->events = want ? want : EPOLLHUP;
}

/* Sends what came from s; false at an end. */
static bool
side_send(struct side *s)
{
	while (s->have > 0) {
		ssize_t n = send(s->other->fd, s->buf + s->at, s->have,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN;
		s->at += (size_t)n;
		s->have -= (size_t)n;
	}
	return true;
}

static bool
side_relay(struct side *s)
{
	ssize_t n;

	do {
		n = recv(s->fd, s->buf, sizeof(s->buf), MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		s->at = 0;
		s->have = (size_t)n;
		if (!side_send(s))
			return false;
	} while (s->have == 0 && (size_t)n == sizeof(s->buf));
	return true;
}

static void
plain_relay(int listener, const struct sockaddr_in *to)
{
	int ep = epoll_create1(0), open = 0, on = 1;
	struct epoll_event ev[64];

	for (; open < CONNS; open++) {
		struct side *a = mem_zalloc(sizeof(*a));
		struct side *b = mem_zalloc(sizeof(*b));

		a->fd = accept(listener, NULL, NULL);
		setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		b->fd = connect_to(to);
		a->other = b;
		b->other = a;
		side_events(ep, a);
		side_events(ep, b);
	}
	while (open > 0) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			struct side *s = ev[i].data.ptr;
			bool ok = true;

			if (ev[i].events & EPOLLOUT)
				ok = side_send(s->other);
			if (ok && (ev[i].events & EPOLLIN) && s->have == 0)
				ok = side_relay(s);
			if (!ok) {
				open--;
				shutdown(s->fd, SHUT_RDWR);
				shutdown(s->other->fd, SHUT_RDWR);
				close(s->fd);
				close(s->other->fd);
				break;
			}
			side_events(ep, s);
			side_events(ep, s->other);
		}
	}
}

/* The relay of frames. */
struct leg {
	struct conn	*c;
	struct leg	*other;
};

static struct loop *relay_loop;
static struct sockaddr_in relay_to;
static int relays_open = CONNS;

static void
on_frame(struct conn *c, void *arg, struct block *b, const uint8_t *data,
    size_t len)
{
	struct leg *g = arg;
	uint8_t head[4] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len };
	struct chain out;

	(void)c;
	chain_init(&out);
	chain_add_copy(&out, head, sizeof(head));
	chain_add(&out, b, data, len);
	conn_send(g->other->c, &out);
	chain_fini(&out);
	if (conn_queued(g->other->c) > LARGE)
		conn_pause(g->c);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct leg *g = arg;

	(void)c;
	conn_resume(g->other->c);
}

static void
on_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct leg *g = arg;

	(void)c, (void)reason, (void)detail;
	conn_free_quietly(g->other->c);
	if (--relays_open == 0)
		loop_stop(relay_loop);
}

static const struct conn_ops relay_ops = {
	on_frame, NULL, on_drained, on_closed
};

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	static const struct conn_options o = { .frame_max = 1 << 26,
		.frame_ms = 30000, .stall_ms = 60000, .idle_ms = 600000,
		.client = true, .sheds = true, .out_high = 4 * LARGE };
	struct leg *a = mem_zalloc(sizeof(*a)), *b = mem_zalloc(sizeof(*b));

	(void)arg;
	a->other = b;
	b->other = a;
	a->c = conn_open_accepted(relay_loop, fd, peer, len, &o, &relay_ops,
	    a);
	b->c = conn_open_connect(relay_loop, (struct sockaddr *)&relay_to,
	    sizeof(relay_to), &o, &relay_ops, b);
}

static void
frame_relay(int port, const struct sockaddr_in *to)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct listener *li;
	struct error err;

	relay_loop = loop_new();
	relay_to = *to;
	loop_set_node_limit((size_t)1 << 30);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	li = listen_open(relay_loop, (struct sockaddr *)&a, sizeof(a),
	    on_accept, NULL, &err);
	if (li == NULL)
		die(err.text);
	loop_run(relay_loop);
}

/* The load. */
static long n_trips, n_frames;

static void
read_full(int fd, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t k = recv(fd, to, n, MSG_WAITALL);

		if (k <= 0)
			die("recv");
		n -= (size_t)k;
		to += k;
	}
}

static void *
echo(void *arg)
{
	uint8_t buf[4096];
	int fd = accept(*(int *)arg, NULL, NULL), on = 1;
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	close(fd);
	return NULL;
}

static void *
drain(void *arg)
{
	int fd = accept(*(int *)arg, NULL, NULL);

	/* TRUNC: the bytes are not even copied. */
	while (recv(fd, NULL, LARGE, MSG_TRUNC) > 0)
		;
	close(fd);
	return NULL;
}

static void *
ask(void *arg)
{
	uint8_t frame[SMALL + 4] = { 0, 0, 0, SMALL }, back[SMALL + 4];
	int fd = connect_to(arg);

	for (long i = 0; i < n_trips / CONNS; i++) {
		if (send(fd, frame, sizeof(frame), MSG_NOSIGNAL) < 0)
			die("send");
		read_full(fd, back, sizeof(back));
	}
	close(fd);
	return NULL;
}

static void *
pour(void *arg)
{
	uint8_t *frame = mem_zalloc(LARGE + 4);
	int fd = connect_to(arg);

	frame[1] = LARGE >> 16;
	for (long i = 0; i < n_frames / CONNS; i++)
		for (size_t at = 0; at < LARGE + 4; ) {
			ssize_t n = send(fd, frame + at, LARGE + 4 - at,
			    MSG_NOSIGNAL);

			if (n < 0)
				die("send");
			at += (size_t)n;
		}
	close(fd);
	free(frame);
	return NULL;
}

struct result {
	double	cpu_s, wall_s;
	long	faults;
};

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* One relay process, fed until all has passed through. */
static struct result
run(bool frames, void *(*client)(void *), void *(*server)(void *))
{
	struct sockaddr_in at, to;
	int listener = listen_any(&at), behind = listen_any(&to);
	pthread_t t[2 * CONNS];
	struct rusage u;
	int64_t began;
	pid_t pid;

	if (frames)
		close(listener);	/* its port is bound by the child */
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(behind);
		if (frames)
			frame_relay(ntohs(at.sin_port), &to);
		else
			plain_relay(listener, &to);
		_exit(0);
	}
	usleep(100000);
	began = clock_now_us();
	for (int i = 0; i < CONNS; i++) {
		pthread_create(&t[i], NULL, server, &behind);
		pthread_create(&t[CONNS + i], NULL, client, &at);
	}
	for (int i = 0; i < 2 * CONNS; i++)
		pthread_join(t[i], NULL);
	if (!frames)
		close(listener);
	close(behind);
	if (wait4(pid, NULL, 0, &u) != pid)
		die("wait");
	return (struct result){ seconds(u.ru_utime) + seconds(u.ru_stime),
		(double)(clock_now_us() - began) / 1e6, u.ru_minflt };
}

static void
show(const char *who, struct result small, struct result large)
{
	double gb = (double)n_frames * LARGE / 1e9;

	printf("%-14s %8.2f us/trip (wall %6.2f)   %6.3f CPU s/GB "
	    "(wall %5.2f s/GB, %6.0f faults/GB)\n", who,
	    small.cpu_s * 1e6 / (double)n_trips,
	    small.wall_s * 1e6 / (double)n_trips, large.cpu_s / gb,
	    large.wall_s / gb, (double)large.faults / gb);
	fflush(stdout);
}

static long
argument(int argc, char **argv, int i, long otherwise)
{
	return argc > i ? strtol(argv[i], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 3);

	n_trips = argument(argc, argv, 2, 100000);
	n_frames = argument(argc, argv, 3, 2000);
	signal(SIGPIPE, SIG_IGN);
	for (long i = 0; i < rounds; i++) {
		show("plain relay", run(false, ask, echo),
		    run(false, pour, drain));
		show("frame relay", run(true, ask, echo),
		    run(true, pour, drain));
	}
	return 0;
}
