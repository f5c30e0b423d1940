/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TCP connection as a stream of Kafka frames (int32 length, then bytes),
 * for clients and for brokers alike, plain or TLS: reading with back-pressure,
 * writing by reference, deadlines, and one place where it is closed, with a
 * reason.
 *
 * Reading: bytes go into the loop's shared read block; a frame that is small
 * against it is copied to a block of its own size (so that a long poll does
 * not pin 128 KiB), a large one is read straight into a block of its size or
 * handed out in place. Writing: conn_send only queues; what was queued in one
 * turn leaves with one writev at its end.
 *
 * Ownership: conn_open_* returns it to the caller, who must conn_close it or be
 * told by ops->closed; after closed() has returned the conn is gone (freed at
 * the end of the turn, so calls on the way back are harmless no-ops).
 * Callbacks never run from inside conn_send or conn_close's caller except
 * closed(), which conn_close calls itself, exactly once. The peer does not see
 * the end before that has returned.
 * Thread: the loop's.
 * Bounds: frame_max; the declared length is charged to the node before the
 * body is read; output over out_high stops reading this connection, no progress
 * of output for stall_ms closes it.
 */
#ifndef WEIR_NET_CONN_H
#define WEIR_NET_CONN_H

#include <sys/socket.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/block.h"
#include "gateway/base/error.h"

struct certificate;
struct conn;
struct loop;
struct tls_context;

/* Why a connection ended: the label of a metric and a word in the log. */
enum conn_reason {
#define X(name, label, text) CONN_##name,
#include "gateway/net/reasons.def"
#undef X
	CONN_REASON_COUNT
};
const char	*conn_reason_label(enum conn_reason r);
const char	*conn_reason_text(enum conn_reason r);

struct conn_ops {
	/* A whole frame without its length; the block is borrowed: take a
	 * reference to keep it. */
	void	(*frame)(struct conn *c, void *arg, struct block *b,
		    const uint8_t *data, size_t len);
	/* Connected, and TLS is up: now it may be used. Not for plain accepted
	 * ones without PROXY header (they start so). May be NULL. */
	void	(*ready)(struct conn *c, void *arg);
	/* Queued output fell to zero. May be NULL. */
	void	(*drained)(struct conn *c, void *arg);
	/* It is over; detail may add to the reason (a system's or TLS's text).
	 * Not called for conn_free_quietly. */
	void	(*closed)(struct conn *c, void *arg, enum conn_reason reason,
		    const char *detail);
	/* The PROXY header has come, so conn_peer says who it really is; TLS
	 * has not begun. It may close the connection. May be NULL. */
	void	(*addressed)(struct conn *c, void *arg);
};

struct conn_options {
	size_t		 frame_max;	/* longest frame accepted */
	size_t		 out_high;	/* stop reading over this (0: never) */
	uint32_t	 setup_ms;	/* TCP connect, TLS, PROXY together */
	uint32_t	 frame_ms;	/* a frame begun must be whole within
					 * this + its size / 16 KiB/s; 0: off */
	uint32_t	 stall_ms;	/* output without progress; 0: off */
	uint32_t	 idle_ms;	/* nothing in or out; 0: off */
	bool		 sheds;		/* obeys the node's limit */
	bool		 expect_proxy;	/* PROXY v1 or v2 comes first */
	bool		 client;	/* accepted: diagnose TLS/HTTP bytes */
	struct tls_context *tls;	/* NULL: plain; a reference is taken */
	const char	*server_name;	/* TLS to a broker: verified; copied */
};

/* Small, because each connection holds two. */
union conn_address {
	struct sockaddr		 sa;
	struct sockaddr_in	 in;
	struct sockaddr_in6	 in6;
};

/* The other side's and our own address; after PROXY, what it said. An IPv4
 * address that came over an IPv6 socket is shown as IPv4. */
struct conn_peer {
	union conn_address	 remote, local;
	char			 text[56];	/* "10.1.2.3:45", "[::1]:1" */
	char			 host[48];	/* without the port */
	char			 vpce[32];	/* AWS endpoint id or "" */
};

/* An accepted socket; takes the fd. Never fails. */
struct conn	*conn_open_accepted(struct loop *l, int fd,
		    const struct sockaddr *peer, socklen_t len,
		    const struct conn_options *o, const struct conn_ops *ops,
		    void *arg);
/* Starts a connection to a numeric or resolved address. A failure is told by
 * closed(), later, never from inside. */
struct conn	*conn_open_connect(struct loop *l, const struct sockaddr *to,
		    socklen_t len, const struct conn_options *o,
		    const struct conn_ops *ops, void *arg);

/* Queues the chain's bytes (its pieces move; it is empty afterwards). */
void		 conn_send(struct conn *c, struct chain *out);
size_t		 conn_queued(const struct conn *c);	/* bytes not sent yet */
/* Stops or goes on reading; frames already received are held back too, so no
 * frame() comes between pause and resume. Resume delivers from the loop, not
 * from inside. */
void		 conn_pause(struct conn *c);
void		 conn_resume(struct conn *c);
/* While it is paused: that the other side has ended is told at once, if nothing
 * that it sent is unread. Else it is found out after conn_resume. */
void		 conn_watch_end(struct conn *c);
void		 conn_set_frame_max(struct conn *c, size_t max);
/* As conn_options.frame_ms, from the next frame on. */
void		 conn_set_frame_ms(struct conn *c, uint32_t ms);
void		 conn_set_arg(struct conn *c, const struct conn_ops *ops,
		    void *arg);
/* Ends it at once; closed() is called from inside, exactly once. */
void		 conn_close(struct conn *c, enum conn_reason reason,
		    const char *detail);
/* Ends it without closed(). */
void		 conn_free_quietly(struct conn *c);
/* Ends it when all that is queued has been sent (at most stall_ms); what is
 * received or queued from now on is dropped. An accepted one then waits up to
 * a second for the peer's close, so that the last reply is not lost to a
 * reset. */
void		 conn_close_after_flush(struct conn *c,
		    enum conn_reason reason);
const struct conn_peer *conn_peer(const struct conn *c);
bool		 conn_is_tls(const struct conn *c);
/* What the peer's verified certificate says; false when there is none, or it
 * is one that cannot be trusted to be read right (certificate.h). */
bool		 conn_certificate(const struct conn *c,
		    struct certificate *to, struct error *err) MUST_CHECK;
/* Whether a context that was made later would still accept the client's
 * certificate: it has not ended, nor been revoked, and its authority is still
 * believed. For sessions that outlive a reload. */
bool		 conn_certificate_trusted(const struct conn *c,
		    const struct tls_context *now, struct error *err)
		    MUST_CHECK;
/* The host that a client asked for (SNI), as it wrote it, at most 255 bytes;
 * NULL: none. Lives as long as the connection. */
const char	*conn_server_name(const struct conn *c);

#endif
