/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of a scenario: what weir asks of its sockets ends here (connect,
 * recv, readv and sendmsg are wrapped by the linker), so that there is no port,
 * brokers live at made-up addresses, and a reset or a short read comes when it
 * is wanted.
 * Ownership: descriptors are the caller's. Thread: one.
 */
#ifndef WEIR_TESTS_NET_H
#define WEIR_TESTS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Brokers' addresses; no client may ever see one of them. */
#define NET_PREFIX "10.99.99."

enum net_answer { NET_ACCEPTS, NET_REFUSES, NET_HANGS };

/* Our end of a connection. */
struct peer {
	int		 fd;		/* -1: none */
	int		 theirs;	/* weir's end */
	bool		 open;		/* as far as we know */
	bool		 reading;
	size_t		 junk;		/* what fills a hanging one */
	uint8_t		*in, *out;
	size_t		 in_len, in_cap, out_len, out_cap;
};

/* Weir dials broker `id`. *p is to be set when the answer is not REFUSES; what
 * it points to stays where it is. */
extern enum net_answer (*net_dialled)(int id, struct peer **p);

/* The most bytes that weir reads or writes at once; 0: any number. */
void	 net_segment(size_t n);
/* Counts what was connected, read and written on either side. */
uint64_t net_moves(void);
/* A pair; *theirs is what is accepted. room: bytes that it takes unread; 0: as
 * many as the system likes. */
void	 peer_open(struct peer *p, int *theirs, int room);
/* Reads and writes what is possible. */
void	 peer_pump(struct peer *p);
void	 peer_send(struct peer *p, const void *data, size_t len);
/* Forgets the first bytes that came. */
void	 peer_take(struct peer *p, size_t len);
/* Whether a whole frame has come; its bytes behind the length. */
bool	 peer_frame(const struct peer *p, const uint8_t **data, size_t *len);
void	 peer_close(struct peer *p);
/* Whatever weir does with its end fails from now on. */
void	 peer_reset(struct peer *p);
/* A hanging one is connected after all. */
void	 peer_accept(struct peer *p);
/* Frees what it holds. */
void	 peer_fini(struct peer *p);

#endif
