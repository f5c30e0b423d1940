/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "gateway/net/listen.h"

static const struct conn_options plain = {
	.frame_max = 16 * 1024 * 1024, .client = true,
};

struct world {
	struct loop	*l;
	struct end	 e;
	int		 fd;		/* the other side, raw */
};

static void
set_buffers(int fd, int bytes)
{
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static void
open_pair(struct world *w, const struct conn_options *o)
{
	static const struct sockaddr_in who = { .sin_family = AF_INET };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    sv), 0);
	w->fd = sv[1];
	w->e.c = conn_open_accepted(w->l, sv[0], (const struct sockaddr *)&who,
	    sizeof(who), o, &end_ops, &w->e);
	assert_non_null(w->e.c);
}

static int
setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->l = loop_new();
	w->fd = -1;
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	end_fini(&w->e);
	if (w->fd >= 0)
		close(w->fd);
	loop_free(w->l);
	free(w);
	loop_set_node_limit(0);
	clock_replace(NULL);
	assert_int_equal(block_total(), 0);
	return 0;
}

/* Writes all, turning the loop when the socket is full. */
/* The other side goes. */
static void
close_fd(struct world *w)
{
	close(w->fd);
	w->fd = -1;
}

static void
write_all(struct world *w, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0) {
		ssize_t k = send(w->fd, from, n, MSG_NOSIGNAL);

		if (k < 0 && errno == EAGAIN) {
			loop_turn(w->l, 1);
			continue;
		}
		if (k < 0)
			return;
		from += k;
		n -= (size_t)k;
	}
}

/* Reads exactly n bytes, turning the loop. */
static void
read_all(struct world *w, uint8_t *to, size_t n)
{
	int64_t give_up = clock_now_us() + 60 * 1000000;

	while (n > 0) {
		ssize_t k = recv(w->fd, to, n, 0);

		if (k == 0)
			fail_msg("closed");
		if (k < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(clock_now_us() < give_up);
			loop_turn(w->l, 1);
			continue;
		}
		to += k;
		n -= (size_t)k;
	}
}

static void
test_one_frame(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(150, 1);

	open_pair(w, &plain);
	write_all(w, f, 154);
	UNTIL(w->l, w->e.frames == 1);
	assert_int_equal(w->e.got[0].len, 150);
	assert_int_equal(w->e.got[0].sum, sum_of(f + 4, 150));
	assert_int_equal(w->e.ready, 0);
	free(f);
}

/* Small frames in one write, kept: none pins the read block. */
static void
test_many_small_frames(void **state)
{
	struct world *w = *state;
	uint8_t *all = mem_alloc(50 * 104);

	for (unsigned i = 0; i < 50; i++) {
		uint8_t *f = make_frame(100, i);

		memcpy(all + i * 104, f, 104);
		free(f);
	}
	w->e.keep = true;
	open_pair(w, &plain);
	write_all(w, all, 50 * 104);
	UNTIL(w->l, w->e.frames == 50);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(w->e.got[i].sum, sum_of(all + i * 104 + 4,
		    100));
		assert_memory_equal(w->e.got[i].data, all + i * 104 + 4, 100);
	}
	assert_true(block_total() < LOOP_READ_BLOCK + 50 * 200);
	free(all);
}

static void
test_byte_by_byte(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 150, 4000 };
	struct world *w = *state;

	open_pair(w, &plain);
	for (unsigned i = 0; i < 7; i++) {
		uint8_t *f = make_frame(sizes[i], i);

		for (size_t k = 0; k < sizes[i] + 4; k++) {
			assert_int_equal(w->e.frames, i);
			write_all(w, f + k, 1);
			loop_turn(w->l, 0);
		}
		UNTIL(w->l, w->e.frames == (int)i + 1);
		assert_int_equal(w->e.got[i].sum, sum_of(f + 4, sizes[i]));
		free(f);
	}
}

/* Sizes around every threshold, kept or not, in one stream. */
static void
stream_sizes(struct world *w, bool keep)
{
	static const size_t sizes[] = { 1, 16379, 16384, 16385, 20000, 32767,
	    32768, 40000, 5, 65535, 65536, 65537, 100000, 131067, 131068,
	    131072, 7, 7, 200000, 300000, 1, 1048576, 1048576, 3, 5000000 };
	uint8_t *f[25];

	w->e.keep = keep;
	open_pair(w, &plain);
	for (unsigned i = 0; i < 25; i++) {
		f[i] = make_frame(sizes[i], i + 77);
		write_all(w, f[i], sizes[i] + 4);
	}
	UNTIL(w->l, w->e.frames == 25);
	for (unsigned i = 0; i < 25; i++) {
		assert_int_equal(w->e.got[i].len, sizes[i]);
		assert_int_equal(w->e.got[i].sum, sum_of(f[i] + 4, sizes[i]));
		if (keep)
			assert_memory_equal(w->e.got[i].data, f[i] + 4,
			    sizes[i]);
		free(f[i]);
	}
}

static void
test_sizes(void **state)
{
	stream_sizes(*state, false);
}

static void
test_sizes_kept(void **state)
{
	stream_sizes(*state, true);
}

static void
test_send(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(3000, 9), *to = mem_alloc(3004);

	open_pair(w, &plain);
	send_frame(w->e.c, 3000, 9);
	assert_int_equal(conn_queued(w->e.c), 3004);
	read_all(w, to, 3004);
	assert_memory_equal(f, to, 3004);
	assert_int_equal(conn_queued(w->e.c), 0);
	assert_int_equal(w->e.drained, 1);
	free(f);
	free(to);
}

/* More than the socket takes: the rest follows as the peer reads. */
static void
test_slow_reader_gets_all(void **state)
{
	struct world *w = *state;
	size_t n = 3 * 1024 * 1024;
	uint8_t *f = make_frame(n, 5), *to = mem_alloc(n + 4);

	open_pair(w, &plain);
	set_buffers(w->fd, 16 * 1024);
	send_frame(w->e.c, n, 5);
	turns(w->l, 5);
	assert_true(conn_queued(w->e.c) > 0);
	assert_int_equal(w->e.drained, 0);
	read_all(w, to, n + 4);
	assert_memory_equal(f, to, n + 4);
	UNTIL(w->l, w->e.drained == 1);
	free(f);
	free(to);
}

static void
bad_first_bytes(struct world *w, const char *bytes, size_t len,
    enum conn_reason reason)
{
	open_pair(w, &plain);
	write_all(w, bytes, len);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, reason);
	assert_int_equal(w->e.frames, 0);
}

static void
test_tls_on_plain(void **state)
{
	bad_first_bytes(*state, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9,
	    CONN_TLS_ON_PLAIN);
}

static void
test_http(void **state)
{
	bad_first_bytes(*state, "GET / HTTP/1.1\r\n\r\n", 18, CONN_HTTP);
}

static void
test_negative_length(void **state)
{
	bad_first_bytes(*state, "\xff\xff\xff\xff", 4, CONN_FRAME_LENGTH);
}

static void
test_zero_length(void **state)
{
	bad_first_bytes(*state, "\0\0\0\0", 4, CONN_FRAME_LENGTH);
}

static void
test_over_frame_max(void **state)
{
	bad_first_bytes(*state, "\x01\x00\x00\x01", 4, CONN_FRAME_LENGTH);
}

static void
test_peer_closes_after_frame(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(10, 1);

	open_pair(w, &plain);
	write_all(w, f, 14);
	write_all(w, f, 8);
	close_fd(w);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.frames, 1);
	assert_int_equal(w->e.reason, CONN_PEER);
	assert_string_equal(w->e.detail, "in the middle of a frame");
	free(f);
}

static void
close_in_frame(struct end *e, struct block *b, const uint8_t *data, size_t len)
{
	struct conn *c = e->c;

	(void)b, (void)data, (void)len;
	if (e->frames < 2)
		return;
	send_frame(c, 10, 1);
	conn_close(c, CONN_BAD_REQUEST, "so");
	/* Harmless on the way back. */
	conn_pause(c);
	conn_resume(c);
	conn_close(c, CONN_BUG, NULL);
	conn_close_after_flush(c, CONN_BUG);
	send_frame(c, 10, 1);
	assert_int_equal(conn_queued(c), 0);
}

static void
close_in_frame_of(struct world *w, size_t size)
{
	uint8_t *f = make_frame(size, 1);

	w->e.on_frame = close_in_frame;
	open_pair(w, &plain);
	for (int i = 0; i < 4; i++)
		write_all(w, f, size + 4);
	UNTIL(w->l, w->e.closed > 0);
	turns(w->l, 3);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.frames, 2);
	assert_int_equal(w->e.reason, CONN_BAD_REQUEST);
	assert_string_equal(w->e.detail, "so");
	free(f);
}

static void
test_close_in_frame(void **state)
{
	close_in_frame_of(*state, 20);
}

static void
test_close_in_frame_in_place(void **state)
{
	close_in_frame_of(*state, 20000);
}

static void
test_close_in_big_frame(void **state)
{
	close_in_frame_of(*state, 300000);
}

static void
pause_each(struct end *e, struct block *b, const uint8_t *data, size_t len)
{
	(void)b, (void)data, (void)len;
	conn_pause(e->c);
}

static void
pause_between(struct world *w, size_t size, int wait)
{
	int n = 150000 / (int)size;	/* what the socket holds */
	uint8_t *f = make_frame(size, 1);

	if (n > 10)
		n = 10;
	w->e.on_frame = pause_each;
	open_pair(w, &plain);
	for (int i = 0; i < n; i++)
		write_all(w, f, size + 4);
	for (int i = 1; i <= n; i++) {
		UNTIL(w->l, w->e.frames == i);
		turns(w->l, wait);
		assert_int_equal(w->e.frames, i);
		assert_int_equal(w->e.got[i - 1].sum, sum_of(f + 4, size));
		conn_resume(w->e.c);
		assert_int_equal(w->e.frames, i);
	}
	turns(w->l, 3);
	assert_int_equal(w->e.frames, n);
	assert_int_equal(w->e.closed, 0);
	free(f);
}

/* Its first frame has paused it. */
static void
open_paused(struct world *w)
{
	uint8_t *f = make_frame(30, 1);

	w->e.on_frame = pause_each;
	open_pair(w, &plain);
	write_all(w, f, 34);
	UNTIL(w->l, w->e.frames == 1);
	free(f);
}

/* A client that goes while it is paused, with nothing unread. */
static void
test_pause_end(void **state)
{
	struct world *w = *state;

	open_paused(w);
	conn_watch_end(w->e.c);
	turns(w->l, 3);
	assert_int_equal(w->e.closed, 0);
	close_fd(w);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_PEER);
}

/* It goes, and only then it is paused in that way. */
static void
test_pause_ended(void **state)
{
	struct world *w = *state;

	open_paused(w);
	close_fd(w);
	turns(w->l, 3);
	assert_int_equal(w->e.closed, 0);
	conn_watch_end(w->e.c);
	UNTIL(w->l, w->e.closed == 1);
}

/* What it sent before comes first. */
static void
test_pause_end_unread(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(30, 1);

	open_paused(w);
	conn_watch_end(w->e.c);
	write_all(w, f, 34);
	close_fd(w);
	turns(w->l, 5);
	assert_int_equal(w->e.closed, 0);
	conn_resume(w->e.c);
	UNTIL(w->l, w->e.frames == 2);
	/* Not watched, it is not noticed. */
	turns(w->l, 5);
	assert_int_equal(w->e.closed, 0);
	conn_resume(w->e.c);
	UNTIL(w->l, w->e.closed == 1);
	free(f);
}

static void
test_pause_small(void **state)
{
	pause_between(*state, 30, 3);
}

static void
test_pause_in_place(void **state)
{
	pause_between(*state, 17000, 3);
}

/* Resumed before the loop has noticed more bytes: what is held comes first. */
static void
test_pause_for_no_time(void **state)
{
	pause_between(*state, 19000, 0);
}

static void
test_pause_for_no_time_small(void **state)
{
	pause_between(*state, 3000, 0);
}

static void
test_pause_big(void **state)
{
	pause_between(*state, 40000, 0);
}

/* A paused connection which the peer sends to does not spin, and its frame is
 * there after resume. */
static void
test_pause_before(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(20, 3);

	open_pair(w, &plain);
	conn_pause(w->e.c);
	write_all(w, f, 24);
	turns(w->l, 5);
	assert_int_equal(w->e.frames, 0);
	conn_resume(w->e.c);
	UNTIL(w->l, w->e.frames == 1);
	free(f);
}

static void
test_close_after_flush(void **state)
{
	struct world *w = *state;
	uint8_t to[200], *f = make_frame(100, 4);

	open_pair(w, &plain);
	write_all(w, f, 104);		/* unread: must not reset */
	send_frame(w->e.c, 100, 4);
	conn_close_after_flush(w->e.c, CONN_LOGIN);
	send_frame(w->e.c, 100, 4);	/* dropped */
	read_all(w, to, 104);
	assert_memory_equal(f, to, 104);
	UNTIL(w->l, recv(w->fd, to, sizeof(to), 0) == 0);
	assert_int_equal(w->e.closed, 0);
	close_fd(w);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_LOGIN);
	assert_int_equal(w->e.frames, 0);
	free(f);
}

/* The peer stays: after a second it is over. */
static void
test_close_after_flush_lingers(void **state)
{
	struct world *w = *state;

	open_pair(w, &plain);
	conn_close_after_flush(w->e.c, CONN_DRAIN);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_DRAIN);
}

/* The other side has not seen the end yet. */
static void
still_open(struct end *e)
{
	struct world *w = e->more;
	char byte;

	assert_int_equal(recv(w->fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Who sees the end and asks why finds it counted. */
static void
test_told_before_seen(void **state)
{
	struct world *w = *state;
	char byte;

	open_pair(w, &plain);
	w->e.on_closed = still_open;
	w->e.more = w;
	conn_close(w->e.c, CONN_IDLE, NULL);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(recv(w->fd, &byte, 1, 0), 0);
}

static void
test_free_quietly(void **state)
{
	struct world *w = *state;

	open_pair(w, &plain);
	conn_free_quietly(w->e.c);
	turns(w->l, 2);
	assert_int_equal(w->e.closed, 0);
	w->e.c = NULL;
}

/* Accepts into a second end. */
struct server {
	struct loop		*l;
	struct end		 e;
	struct conn_options	 o;
	int			 accepted;
};

static void
on_accept(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct server *s = arg;

	s->accepted++;
	s->e.c = conn_open_accepted(s->l, fd, peer, len, &s->o, &end_ops,
	    &s->e);
}

static struct listener *
listen_local(struct loop *l, struct server *s, const char *text,
    struct sockaddr_storage *a, socklen_t *len)
{
	struct error err = { "" };
	struct listener *li;
	char at[64];

	s->l = l;
	s->o = plain;
	if (!address_parse(text, a, len, &err))
		fail_msg("%s", err.text);
	li = listen_open(l, (struct sockaddr *)a, *len, on_accept, s, &err);
	if (li == NULL)
		fail_msg("%s", err.text);
	assert_true(listen_port(li) > 0);
	snprintf(at, sizeof(at), "%.*s:%d", (int)(strrchr(text, ':') - text),
	    text, listen_port(li));
	assert_true(address_parse(at, a, len, &err));
	return li;
}

static void
test_listen_connect(void **state)
{
	struct world *w = *state;
	struct server s = { .accepted = 0 };
	struct sockaddr_storage a;
	socklen_t len;
	struct listener *li = listen_local(w->l, &s, "127.0.0.1:0", &a, &len);
	char expect[64];

	w->e.c = conn_open_connect(w->l, (struct sockaddr *)&a, len, &plain,
	    &end_ops, &w->e);
	send_frame(w->e.c, 500, 6);	/* before it is connected */
	assert_int_equal(w->e.ready, 0);
	UNTIL(w->l, s.e.frames == 1);
	assert_int_equal(w->e.ready, 1);
	assert_int_equal(s.e.ready, 0);
	snprintf(expect, sizeof(expect), "127.0.0.1:%d", listen_port(li));
	assert_string_equal(conn_peer(w->e.c)->text, expect);
	assert_string_equal(conn_peer(s.e.c)->host, "127.0.0.1");
	assert_int_equal(conn_peer(s.e.c)->local.in.sin_port,
	    htons((uint16_t)listen_port(li)));
	assert_false(conn_is_tls(w->e.c));
	send_frame(s.e.c, 400000, 7);
	UNTIL(w->l, w->e.frames == 1);
	conn_close(w->e.c, CONN_UNUSED, NULL);
	UNTIL(w->l, s.e.closed == 1);
	assert_int_equal(s.e.reason, CONN_PEER);
	listen_close(li);
	end_fini(&s.e);
}

/* "*" takes IPv4 and IPv6, and shows IPv4 as such. */
static void
test_listen_any(void **state)
{
	struct world *w = *state;
	struct server s = { .accepted = 0 };
	struct sockaddr_storage a;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len;
	struct listener *li = listen_local(w->l, &s, "*:0", &a, &len);

	in.sin_port = htons((uint16_t)listen_port(li));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->e.c = conn_open_connect(w->l, (struct sockaddr *)&in, sizeof(in),
	    &plain, &end_ops, &w->e);
	UNTIL(w->l, s.accepted == 1);
	assert_string_equal(conn_peer(s.e.c)->host, "127.0.0.1");
	listen_close(li);
	end_fini(&s.e);
}

static void
test_connect_refused(void **state)
{
	struct world *w = *state;
	struct server s = { .accepted = 0 };
	struct sockaddr_storage a;
	socklen_t len;
	struct listener *li = listen_local(w->l, &s, "127.0.0.1:0", &a, &len);

	listen_close(li);
	w->e.c = conn_open_connect(w->l, (struct sockaddr *)&a, len, &plain,
	    &end_ops, &w->e);
	assert_int_equal(w->e.closed, 0);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_CONNECT);
	assert_string_equal(w->e.detail, "Connection refused");
}

/* An address of no family we have: told later, not from inside. */
static void
test_connect_impossible(void **state)
{
	struct world *w = *state;
	struct sockaddr a = { .sa_family = AF_MAX };

	w->e.c = conn_open_connect(w->l, &a, sizeof(a), &plain, &end_ops,
	    &w->e);
	send_frame(w->e.c, 5, 1);
	assert_int_equal(w->e.closed, 0);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_CONNECT);
}

/* A reset right after bytes: the frame is told, then the end. */
static void
test_reset(void **state)
{
	struct world *w = *state;
	struct server s = { .accepted = 0 };
	struct linger now = { 1, 0 };
	struct sockaddr_storage a;
	socklen_t len;
	struct listener *li = listen_local(w->l, &s, "127.0.0.1:0", &a, &len);
	uint8_t *f = make_frame(100, 1);

	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(w->fd, (struct sockaddr *)&a, len), 0);
	UNTIL(w->l, s.accepted == 1);
	write_all(w, f, 104);
	write_all(w, f, 50);
	UNTIL(w->l, s.e.frames == 1);
	setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close_fd(w);
	UNTIL(w->l, s.e.closed == 1);
	assert_int_equal(s.e.reason, CONN_RESET);
	assert_string_equal(s.e.detail, "Connection reset by peer");
	listen_close(li);
	free(f);
}

/* Deadlines, by a clock that we turn. */
static int64_t fake_us;

static int64_t
fake_now(void)
{
	return fake_us;
}

static void
fake_clock(void)
{
	fake_us = clock_now_us();
	clock_replace(fake_now);
}

static void
pass_ms(struct world *w, int ms)
{
	for (; ms > 0; ms -= LOOP_TICK_MS) {
		fake_us += LOOP_TICK_MS * 1000;
		loop_turn(w->l, 0);
	}
}

static void
test_frame_deadline(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);

	fake_clock();
	o.frame_ms = 5000;
	open_pair(w, &o);
	pass_ms(w, 20000);		/* no frame begun: no hurry */
	assert_int_equal(w->e.closed, 0);
	write_all(w, f, 104);
	loop_turn(w->l, 0);
	pass_ms(w, 20000);
	for (int i = 0; i < 4; i++) {	/* one byte a second */
		write_all(w, f + i, 1);
		loop_turn(w->l, 0);
		pass_ms(w, 1000);
		assert_int_equal(w->e.closed, 0);
	}
	pass_ms(w, 1300);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_FRAME_TIME);
	assert_int_equal(w->e.frames, 1);
	free(f);
}

/* A new frame begun by each read is not held to be one that is late. */
static void
test_frame_deadline_is_per_frame(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);

	fake_clock();
	o.frame_ms = 5000;
	open_pair(w, &o);
	write_all(w, f, 50);
	for (int i = 0; i < 10; i++) {
		pass_ms(w, 3000);
		write_all(w, f + 50, 54);
		write_all(w, f, 50);
		loop_turn(w->l, 0);
		assert_int_equal(w->e.frames, i + 1);
	}
	assert_int_equal(w->e.closed, 0);
	free(f);
}

static void
test_big_frame_deadline(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	size_t n = 2 * 1024 * 1024, at = 0;
	uint8_t *f = make_frame(n, 1);

	fake_clock();
	o.frame_ms = 5000;
	open_pair(w, &o);
	for (int i = 0; i < 60; i++, at += 20000) {
		write_all(w, f + at, 20000);
		loop_turn(w->l, 0);
		pass_ms(w, 1000);
		assert_int_equal(w->e.closed, 0);
	}
	/* Ahead of 16 KiB/s by 13 s and the 5 s. */
	pass_ms(w, 15000);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 8000);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_FRAME_TIME);
	free(f);
}

static void
test_frame_deadline_paused(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);

	fake_clock();
	o.frame_ms = 5000;
	open_pair(w, &o);
	write_all(w, f, 50);
	loop_turn(w->l, 0);
	pass_ms(w, 3000);
	conn_pause(w->e.c);
	pass_ms(w, 60000);
	assert_int_equal(w->e.closed, 0);
	conn_resume(w->e.c);
	pass_ms(w, 1500);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 1000);
	assert_int_equal(w->e.closed, 1);
	free(f);
}

static void
test_idle(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t to[64], *f = make_frame(10, 1);

	fake_clock();
	o.idle_ms = 600000;
	open_pair(w, &o);
	pass_ms(w, 500000);
	write_all(w, f, 14);
	loop_turn(w->l, 0);
	pass_ms(w, 500000);
	send_frame(w->e.c, 10, 1);
	read_all(w, to, 14);
	pass_ms(w, 599000);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 1300);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_IDLE);
	free(f);
}

static void
test_stall(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *to = mem_alloc(1000000);

	fake_clock();
	o.stall_ms = 60000;
	open_pair(w, &o);
	pass_ms(w, 100000);
	send_frame(w->e.c, 8000000, 5);
	loop_turn(w->l, 0);
	pass_ms(w, 50000);
	read_all(w, to, 1000000);	/* progress */
	loop_turn(w->l, 0);
	pass_ms(w, 50000);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 12000);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_STALL);
	free(to);
}

static void
test_flush_deadline(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;

	fake_clock();
	o.stall_ms = 60000;
	open_pair(w, &o);
	send_frame(w->e.c, 8000000, 5);
	conn_close_after_flush(w->e.c, CONN_DRAIN);
	pass_ms(w, 59000);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 1300);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_DRAIN);
}

/* Replies that the peer does not read stop its requests. */
static void
reply_big(struct end *e, struct block *b, const uint8_t *data, size_t len)
{
	(void)b, (void)data, (void)len;
	send_frame(e->c, 500000, 8);
}

static void
test_out_high(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(10, 1), *to = mem_alloc(500004);

	o.out_high = 1000000;
	w->e.on_frame = reply_big;
	open_pair(w, &o);
	for (int i = 0; i < 20; i++)
		write_all(w, f, 14);
	turns(w->l, 5);
	assert_in_range(w->e.frames, 2, 8);
	assert_in_range(conn_queued(w->e.c), 1, 1600000);
	for (int i = 0; i < 20; i++) {
		read_all(w, to, 500004);
		assert_true(conn_queued(w->e.c) < 1600000);
	}
	assert_int_equal(w->e.frames, 20);
	free(f);
	free(to);
}

static void
test_shed(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);
	struct block *much = block_new(2000000);

	loop_set_node_limit(1000000);
	o.sheds = true;
	open_pair(w, &o);
	write_all(w, f, 104);
	turns(w->l, 20);
	assert_int_equal(w->e.frames, 0);
	block_unref(much);
	UNTIL(w->l, w->e.frames == 1);
	/* Those which do not shed are read all the same. */
	free(f);
}

static void
test_no_shed(void **state)
{
	struct world *w = *state;
	uint8_t *f = make_frame(100, 1);
	struct block *much = block_new(2000000);

	loop_set_node_limit(1000000);
	open_pair(w, &plain);
	write_all(w, f, 104);
	UNTIL(w->l, w->e.frames == 1);
	block_unref(much);
	free(f);
}

/* A frame that would pass the limit is not begun; its first bytes are kept. */
static void
test_shed_declared_length(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(600000, 1);
	struct block *much = block_new(500000);
	size_t before;

	loop_set_node_limit(1000000);
	o.sheds = true;
	open_pair(w, &o);
	before = block_total();
	write_all(w, f, 5000);
	turns(w->l, 20);
	assert_true(block_total() < before + LOOP_READ_BLOCK + 10000);
	block_unref(much);
	write_all(w, f + 5000, 600004 - 5000);
	UNTIL(w->l, w->e.frames == 1);
	assert_int_equal(w->e.got[0].sum, sum_of(f + 4, 600000));
	free(f);
}

/* Over the limit, a frame that was charged is read to its end, so that it can
 * be dealt with and freed. */
static void
test_shed_goes_on_with_frame(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(300000, 1);
	struct block *much;

	loop_set_node_limit(1000000);
	o.sheds = true;
	open_pair(w, &o);
	write_all(w, f, 200000);
	turns(w->l, 5);
	much = block_new(2000000);
	write_all(w, f + 200000, 100004);
	write_all(w, f, 1000);
	UNTIL(w->l, w->e.frames == 1);
	turns(w->l, 5);
	block_unref(much);
	write_all(w, f + 1000, 299004);
	UNTIL(w->l, w->e.frames == 2);
	assert_int_equal(w->e.got[1].sum, sum_of(f + 4, 300000));
	free(f);
}

static void
test_pause_and_shed(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);
	struct block *much = block_new(2000000);

	loop_set_node_limit(1000000);
	o.sheds = true;
	open_pair(w, &o);
	write_all(w, f, 104);
	turns(w->l, 5);
	conn_pause(w->e.c);
	block_unref(much);
	turns(w->l, 150);
	assert_int_equal(w->e.frames, 0);
	conn_resume(w->e.c);
	UNTIL(w->l, w->e.frames == 1);
	free(f);
}

static void
test_proxy_header(void **state)
{
	static const char line[] = "PROXY TCP6 2001:db8::7 ::1 81 82\r\n";
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);

	o.expect_proxy = true;
	open_pair(w, &o);
	assert_string_equal(conn_peer(w->e.c)->text, "0.0.0.0:0");
	for (const char *p = line; *p != '\0'; p++) {
		write_all(w, p, 1);
		assert_int_equal(w->e.ready, 0);
		loop_turn(w->l, 0);
	}
	write_all(w, f, 104);
	UNTIL(w->l, w->e.frames == 1);
	assert_int_equal(w->e.ready, 1);
	assert_string_equal(conn_peer(w->e.c)->text, "[2001:db8::7]:81");
	assert_string_equal(conn_peer(w->e.c)->host, "2001:db8::7");
	free(f);
}

static void
test_proxy_header_and_frame(void **state)
{
	static const char line[] = "PROXY UNKNOWN\r\n\0\0\0\1x";
	struct world *w = *state;
	struct conn_options o = plain;

	o.expect_proxy = true;
	open_pair(w, &o);
	write_all(w, line, sizeof(line) - 1);
	UNTIL(w->l, w->e.frames == 1);
	assert_string_equal(conn_peer(w->e.c)->text, "0.0.0.0:0");
}

static void
test_proxy_header_missing(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;
	uint8_t *f = make_frame(100, 1);

	o.expect_proxy = true;
	open_pair(w, &o);
	write_all(w, f, 104);
	UNTIL(w->l, w->e.closed == 1);
	assert_int_equal(w->e.reason, CONN_PROXY_HEADER);
	assert_string_equal(w->e.detail, "there is none");
	assert_int_equal(w->e.frames, 0);
	free(f);
}

static void
turn_away(struct conn *c, void *arg)
{
	struct end *e = arg;

	e->more = e;
	assert_string_equal(conn_peer(c)->host, "10.1.2.3");
	conn_close(c, CONN_SOURCE_MANY, NULL);
}

/* Who it is is told before anything else, and may be a reason to close. */
static void
test_proxy_address_refused(void **state)
{
	static const char line[] = "PROXY TCP4 10.1.2.3 10.0.0.1 81 82\r\n"
	    "\0\0\0\1x";
	static const struct conn_ops ops = { end_frame, end_ready, end_drained,
		end_closed, turn_away };
	struct world *w = *state;
	struct conn_options o = plain;

	o.expect_proxy = true;
	open_pair(w, &o);
	conn_set_arg(w->e.c, &ops, &w->e);
	write_all(w, line, sizeof(line) - 1);
	UNTIL(w->l, w->e.closed == 1);
	assert_non_null(w->e.more);
	assert_int_equal(w->e.reason, CONN_SOURCE_MANY);
	assert_int_equal(w->e.ready, 0);
	assert_int_equal(w->e.frames, 0);
}

static void
test_setup_deadline(void **state)
{
	struct world *w = *state;
	struct conn_options o = plain;

	fake_clock();
	o.expect_proxy = true;
	o.setup_ms = 5000;
	open_pair(w, &o);
	write_all(w, "PROXY ", 6);
	pass_ms(w, 4800);
	assert_int_equal(w->e.closed, 0);
	pass_ms(w, 500);
	assert_int_equal(w->e.closed, 1);
	assert_int_equal(w->e.reason, CONN_SETUP_TIME);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_frame),
		T(test_many_small_frames),
		T(test_byte_by_byte),
		T(test_sizes),
		T(test_sizes_kept),
		T(test_send),
		T(test_slow_reader_gets_all),
		T(test_tls_on_plain),
		T(test_http),
		T(test_negative_length),
		T(test_zero_length),
		T(test_over_frame_max),
		T(test_peer_closes_after_frame),
		T(test_close_in_frame),
		T(test_close_in_frame_in_place),
		T(test_close_in_big_frame),
		T(test_pause_end),
		T(test_pause_ended),
		T(test_pause_end_unread),
		T(test_pause_small),
		T(test_pause_in_place),
		T(test_pause_for_no_time),
		T(test_pause_for_no_time_small),
		T(test_pause_big),
		T(test_pause_before),
		T(test_close_after_flush),
		T(test_close_after_flush_lingers),
		T(test_told_before_seen),
		T(test_free_quietly),
		T(test_listen_connect),
		T(test_listen_any),
		T(test_connect_refused),
		T(test_connect_impossible),
		T(test_reset),
		T(test_frame_deadline),
		T(test_frame_deadline_is_per_frame),
		T(test_big_frame_deadline),
		T(test_frame_deadline_paused),
		T(test_idle),
		T(test_stall),
		T(test_flush_deadline),
		T(test_out_high),
		T(test_shed),
		T(test_no_shed),
		T(test_shed_declared_length),
		T(test_shed_goes_on_with_frame),
		T(test_pause_and_shed),
		T(test_proxy_header),
		T(test_proxy_header_and_frame),
		T(test_proxy_header_missing),
		T(test_proxy_address_refused),
		T(test_setup_deadline),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
