/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/net.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"

enum { FDS = 4096, IN_MAX = 64 * 1024 * 1024 };

enum net_answer (*net_dialled)(int id, struct peer **p);

static size_t segment;
static uint64_t moves;
/* By weir's descriptors: which are ours to play with, which are reset. */
static bool played[FDS], broken[FDS];

void
net_segment(size_t n)
{
	segment = n;
}

uint64_t
net_moves(void)
{
	return moves;
}

/* ---- weir's side ---- */

int	__real_connect(int fd, const struct sockaddr *a, socklen_t len);
ssize_t	__real_recv(int fd, void *to, size_t len, int flags);
ssize_t	__real_readv(int fd, const struct iovec *iov, int n);
ssize_t	__real_sendmsg(int fd, const struct msghdr *m, int flags);
int	__wrap_connect(int fd, const struct sockaddr *a, socklen_t len);
ssize_t	__wrap_recv(int fd, void *to, size_t len, int flags);
ssize_t	__wrap_readv(int fd, const struct iovec *iov, int n);
ssize_t	__wrap_sendmsg(int fd, const struct msghdr *m, int flags);

static void
make_pair(struct peer *p, int *theirs)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    fd) != 0)
		abort();
	memset(p, 0, sizeof(*p));
	p->fd = fd[0];
	p->open = p->reading = true;
	*theirs = fd[1];
}

static void
play_with(struct peer *p, int theirs)
{
	assert(theirs < FDS);
	p->theirs = theirs;
	played[theirs] = true;
	broken[theirs] = false;
	moves++;
}

/* Nothing more can be written: it looks as if it were not connected yet. */
static void
fill(struct peer *p, int theirs)
{
	char junk[1024] = { 0 };
	ssize_t n;

	while ((n = write(theirs, junk, sizeof(junk))) > 0)
		p->junk += (size_t)n;
	p->reading = false;
}

int
__wrap_connect(int fd, const struct sockaddr *a, socklen_t len)
{
	struct sockaddr_in in;
	enum net_answer answer;
	struct peer *p = NULL;
	uint32_t to;
	int theirs;

	if (a->sa_family != AF_INET || len < sizeof(in))
		return __real_connect(fd, a, len);
	memcpy(&in, a, sizeof(in));
	to = ntohl(in.sin_addr.s_addr);
	moves++;
	answer = to >> 8 != ntohl(inet_addr(NET_PREFIX "0")) >> 8 ?
	    NET_REFUSES : net_dialled((int)(to & 255), &p);
	if (answer == NET_REFUSES) {
		errno = ECONNREFUSED;
		return -1;
	}
	make_pair(p, &theirs);
	if (answer == NET_HANGS)
		fill(p, theirs);
	if (dup2(theirs, fd) < 0)
		abort();
	close(theirs);
	play_with(p, fd);
	errno = EINPROGRESS;
	return answer == NET_HANGS ? -1 : 0;
}

static bool
is_played(int fd)
{
	return fd >= 0 && fd < FDS && played[fd];
}

static ssize_t
reset_error(void)
{
	errno = ECONNRESET;
	return -1;
}

ssize_t
__wrap_recv(int fd, void *to, size_t len, int flags)
{
	ssize_t n;

	if (!is_played(fd))
		return __real_recv(fd, to, len, flags);
	if (broken[fd])
		return reset_error();
	n = __real_recv(fd, to, segment && len > segment ? segment : len,
	    flags);
	moves += n > 0;
	return n;
}

ssize_t
__wrap_readv(int fd, const struct iovec *iov, int n)
{
	ssize_t got;

	if (!is_played(fd))
		return __real_readv(fd, iov, n);
	while (segment && n > 0 && iov->iov_len == 0)
		iov++, n--;
	if (segment && n > 0)
		return __wrap_recv(fd, iov->iov_base, iov->iov_len, 0);
	if (broken[fd])
		return reset_error();
	got = __real_readv(fd, iov, n);
	moves += got > 0;
	return got;
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t n;

	if (!is_played(fd))
		return __real_sendmsg(fd, m, flags);
	if (broken[fd])
		return reset_error();
	if (segment && m->msg_iovlen > 0 && m->msg_iov->iov_len > 0)
		n = send(fd, m->msg_iov->iov_base,
		    m->msg_iov->iov_len < segment ? m->msg_iov->iov_len :
		    segment, flags);
	else
		n = __real_sendmsg(fd, m, flags);
	moves += n > 0;
	return n;
}

/* ---- ours ---- */

void
peer_open(struct peer *p, int *theirs, int room)
{
	make_pair(p, theirs);
	if (room > 0)
		setsockopt(*theirs, SOL_SOCKET, SO_SNDBUF, &room,
		    sizeof(room));
	play_with(p, *theirs);
}

static void
read_some(struct peer *p)
{
	for (;;) {
		ssize_t n;

		if (p->in_cap - p->in_len < 4096) {
			p->in_cap = p->in_cap ? p->in_cap * 2 : 8192;
			assert(p->in_cap <= IN_MAX);
			p->in = mem_realloc(p->in, p->in_cap);
		}
		n = read(p->fd, p->in + p->in_len, p->in_cap - p->in_len);
		if (n > 0) {
			p->in_len += (size_t)n;
			moves++;
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			p->open = false;
			moves++;
		}
		return;
	}
}

static void
write_some(struct peer *p)
{
	ssize_t n;

	if (p->out_len == 0 || p->junk > 0)
		return;
	n = write(p->fd, p->out, p->out_len);
	if (n <= 0)
		return;
	p->out_len -= (size_t)n;
	memmove(p->out, p->out + n, p->out_len);
	moves++;
}

void
peer_pump(struct peer *p)
{
	if (p->fd < 0 || !p->open)
		return;
	write_some(p);
	if (p->reading)
		read_some(p);
}

void
peer_send(struct peer *p, const void *data, size_t len)
{
	if (p->fd < 0 || !p->open || len == 0)
		return;
	if (p->out_cap - p->out_len < len) {
		p->out_cap = p->out_len + len;
		p->out = mem_realloc(p->out, p->out_cap);
	}
	memcpy(p->out + p->out_len, data, len);
	p->out_len += len;
	write_some(p);
}

void
peer_take(struct peer *p, size_t len)
{
	p->in_len -= len;
	memmove(p->in, p->in + len, p->in_len);
}

bool
peer_frame(const struct peer *p, const uint8_t **data, size_t *len)
{
	if (p->in_len < 4)
		return false;
	*len = (size_t)p->in[0] << 24 | (size_t)p->in[1] << 16 |
	    (size_t)p->in[2] << 8 | p->in[3];
	*data = p->in + 4;
	return p->in_len - 4 >= *len;
}

void
peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->open = false;
	p->out_len = 0;
	moves++;
}

void
peer_reset(struct peer *p)
{
	if (p->open)
		broken[p->theirs] = true;
	peer_close(p);
}

void
peer_accept(struct peer *p)
{
	char junk[1024];
	ssize_t n;

	while (p->junk > 0 && p->fd >= 0 && (n = read(p->fd, junk,
	    p->junk < sizeof(junk) ? p->junk : sizeof(junk))) > 0)
		p->junk -= (size_t)n;
	p->reading = true;
	moves++;
}

void
peer_fini(struct peer *p)
{
	if (p->fd >= 0)
		peer_close(p);
	free(p->in);
	free(p->out);
	p->in = p->out = NULL;
}
