/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket of one loop. Each worker has its own for the same address
 * (SO_REUSEPORT), so the kernel spreads connections.
 * Ownership: listen_open returns it; listen_close stops accepting. Thread: the
 * loop's. When accept fails for want of descriptors it pauses for a second and
 * says so, once.
 */
#ifndef WEIR_NET_LISTEN_H
#define WEIR_NET_LISTEN_H

#include <sys/socket.h>

#include "gateway/base/error.h"

struct listener;
struct loop;

typedef void listen_accept_cb(void *arg, int fd, const struct sockaddr *peer,
    socklen_t len);

/* Parses "host:port", "[v6]:port", ":port" or "*:port" into an address to bind
 * or connect to; names are resolved (blocking: start-up and control thread
 * only). */
bool	 address_parse(const char *text, struct sockaddr_storage *to,
	    socklen_t *len, struct error *err) MUST_CHECK;
/* Splits without resolving; host has no brackets. */
bool	 address_split(const char *text, char *host, size_t host_size,
	    int *port, struct error *err) MUST_CHECK;
/* Of an IPv4 or IPv6 address; nothing of others. */
void	 address_set_port(struct sockaddr *a, int port);
/* "10.1.2.3:4567", "[::1]:9092". */
void	 address_format(const struct sockaddr *a, char *to, size_t size);

/* Binds without listening to take part in SO_REUSEPORT; backlog 1024. */
struct listener	*listen_open(struct loop *l, const struct sockaddr *a,
		    socklen_t len, listen_accept_cb *cb, void *arg,
		    struct error *err) MUST_CHECK;
void		 listen_close(struct listener *li);
/* The port that was bound (when 0 was asked for). */
int		 listen_port(const struct listener *li);

#endif
