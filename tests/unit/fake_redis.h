/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis server on the test's own loop that knows the login and otherwise says
 * what the test says.
 * Thread: the test's.
 */
#ifndef WEIR_TESTS_FAKE_REDIS_H
#define WEIR_TESTS_FAKE_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#include "quota/redis_reply.h"

struct bufferevent;
struct evconnlistener;
struct loop;
struct ssl_ctx_st;

enum { FAKE_CLIENTS = 64, FAKE_COMMANDS = 512 };

struct fake_redis;

struct fake_client {
	struct fake_redis	*server;
	struct bufferevent	*bev;		/* NULL: it has hung up */
	struct redis_reader	*reader;
};

struct fake_redis {
	struct loop	*loop;
	struct evconnlistener *listener;	/* NULL: it is not there */
	struct ssl_ctx_st *tls;			/* or NULL */
	int		 port;
	char		 address[128];
	struct fake_client clients[FAKE_CLIENTS];
	int		 accepted;
	/* What it does by itself. */
	const char	*password;		/* wanted; NULL: none */
	const char	*user;
	const char	*role;			/* of ROLE; NULL: "master" */
	const char	*ping;			/* raw; NULL: +PONG */
	const char	*cluster_info;		/* raw; NULL: it is ok */
	bool		 mute;			/* answers nothing at all */
	int		 pings, logins, selected;
	/* All others, and their arguments as text with blanks between. */
	void		(*serve)(struct fake_client *c, const char *command,
			    void *arg);
	void		*arg;
	int		 commands;
	char		*last[FAKE_COMMANDS];
};

/* On 127.0.0.1, or at that path. */
void	 fake_redis_begin(struct fake_redis *f, struct loop *l,
	    const char *path, struct ssl_ctx_st *tls);
void	 fake_redis_end(struct fake_redis *f);
/* Hangs up on all. */
void	 fake_redis_drop(struct fake_redis *f);
/* Nobody can connect any more, until the next one. */
void	 fake_redis_stop(struct fake_redis *f);
void	 fake_redis_again(struct fake_redis *f);
void	 fake_say(struct fake_client *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void	 fake_say_bytes(struct fake_client *c, const void *data, size_t len);
/* Whether nothing waits to be sent. */
bool	 fake_said_all(const struct fake_client *c);
void	 fake_hang_up(struct fake_client *c);
/* The one that came last. */
struct fake_client *fake_client(struct fake_redis *f);
/* How many of its commands begin so. */
int	 fake_count(const struct fake_redis *f, const char *begins);

#endif
