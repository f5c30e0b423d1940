/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of struct conn, for conn*.c only.
 *
 *	conn.c		open, close, pause, the turn's hooks
 *	conn_setup.c	connect, PROXY header, until it is open
 *	conn_read.c	bytes to frames
 *	conn_write.c	queue to socket
 *	conn_tls.c	the TLS halves of these
 *	handshake.c	when a client's TLS handshake may begin
 *	conn_deadline.c	what must have happened by when
 *
 * Bounds: an idle plain connection is this struct and nothing else.
 */
#ifndef WEIR_NET_CONN_PRIVATE_H
#define WEIR_NET_CONN_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/types.h>

#include "gateway/base/block.h"
#include "gateway/base/list.h"
#include "gateway/net/conn.h"
#include "gateway/net/loop_private.h"
#include "gateway/net/reassembly.h"

enum {
	/* What one connection may receive before others have their turn. */
	READ_BUDGET = 1024 * 1024,
	READ_MOST = 2 * READ_BUDGET,	/* in one system call */
	WRITE_PIECES = 64,		/* in one system call */
	LINGER_MS = 1000,
	FRAME_RATE = 16 * 1024,		/* bytes/s a frame must come at */
};

enum conn_state {
	CONN_S_CONNECTING,	/* waits for the TCP handshake */
	CONN_S_PROXY,		/* waits for the PROXY header */
	CONN_S_HELLO,		/* waits for a client's hello, and its turn */
	CONN_S_HANDSHAKE,	/* waits for TLS */
	CONN_S_OPEN,		/* frames both ways */
	CONN_S_FLUSHING,	/* sends the rest, reads nothing */
	CONN_S_LINGERING,	/* has sent FIN, drops what comes */
	CONN_S_CLOSED,		/* waits for the turn's end */
};

/* Why no frame is delivered and nothing is read. */
enum {
	BLOCK_PAUSED = 1,	/* conn_pause */
	BLOCK_OUTPUT = 2,	/* over out_high */
	BLOCK_SHED = 4,		/* over the node's limit */
};

struct conn_tls;
struct conn_setup;

struct conn {
	struct loop		*loop;
	const struct conn_ops	*ops;
	void			*arg;
	int			 fd;		/* -1: could not be made */
	uint8_t			 state;		/* enum conn_state */
	uint8_t			 blocked;	/* BLOCK_* */
	bool			 reading;	/* read_event is added */
	bool			 writing;	/* write_event is added */
	bool			 sheds, client, expect_proxy;
	bool			 had_frame;	/* in its life */
	bool			 read_frame;	/* in this read */
	bool			 queued;	/* on the loop's hellos */
	bool			 watches_end;	/* while paused */
	uint8_t			 why;		/* after flush: conn_reason */
	int			 connect_errno;	/* it failed at once */

	struct event		 read_event;
	struct event		*write_event;	/* made at need */
	struct list		 work;	/* pending, shed, hellos or dead */
	struct list		 dirty;
	struct list		 wheel;
	int64_t			 wheel_tick;	/* 0: not on the wheel */

	struct reassembly	 in;
	struct chain		 out;
	struct conn_tls		*tls;		/* NULL: plain */
	struct conn_setup	*setup;		/* until it is open */

	size_t			 out_high;
	uint32_t		 setup_ms, frame_ms, stall_ms, idle_ms;
	int64_t			 since_us;	/* opened, or flush begun */
	int64_t			 frame_us;	/* partial frame begun, or 0 */
	int64_t			 blocked_us;
	int64_t			 progress_us;	/* of output, while queued */
	int64_t			 active_us;	/* bytes in or out */

	struct conn_peer	 peer;
};

/* Result of reading or writing: bytes > 0, or one of these. */
enum {
	IO_AGAIN = 0,
	IO_END = -1,		/* orderly end */
	IO_FAILED = -2,		/* errno, or the TLS state's text */
};

/* conn.c */
void	conn_pend(struct conn *c);
void	conn_dirty(struct conn *c);
void	conn_want_read(struct conn *c, bool on);
void	conn_want_write(struct conn *c, bool on);
void	conn_block(struct conn *c, uint8_t why);
void	conn_unblock(struct conn *c, uint8_t why);
void	conn_fail_io(struct conn *c, ssize_t r);
/* Fills peer from the two addresses. */
void	conn_set_peer(struct conn *c, const struct sockaddr *remote,
	    const struct sockaddr *local);

/* conn_setup.c */
void	conn_setup_step(struct conn *c);
void	conn_setup_fini(struct conn *c);
/* TLS or plain, it may be used from now on. */
void	conn_opened(struct conn *c);

/* conn_read.c */
void	conn_read(struct conn *c);
void	conn_linger_read(struct conn *c);
void	conn_read_held(struct conn *c);

/* conn_write.c */
void	conn_finish_flush(struct conn *c);

/* conn_tls.c: the conn's tls != NULL */
void	conn_tls_start(struct conn *c, struct tls_context *t,
	    const char *server_name);
void	conn_tls_handshake(struct conn *c);
ssize_t	conn_tls_read(struct conn *c, const struct iovec *iov, int n);
ssize_t	conn_tls_write(struct conn *c);
/* There is something to read which the socket will not tell; `more`: reading
 * stopped before TLS had no more. */
bool	conn_tls_pending(const struct conn *c, bool more);
const char *conn_tls_fault(const struct conn *c);
void	conn_tls_shutdown(struct conn *c);
void	conn_tls_free(struct conn *c);

/* handshake.c */
void	handshake_step(struct conn *c);
/* Waits no longer: it begins, or is to be closed. */
void	handshake_leave(struct conn *c);

/* conn_deadline.c: something is due by then; looked at when it is. */
void	conn_due(struct conn *c, int64_t at_us);
void	conn_due_in(struct conn *c, uint32_t ms);

#endif
