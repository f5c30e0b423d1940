/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker as a test needs it: on a loopback port of the test's own loop, it
 * decodes what it is sent, keeps it, and does what the test says.
 * Ownership: embedded; fake_fini closes all. Thread: the test's.
 */
#ifndef WEIR_TESTS_FAKE_BROKER_H
#define WEIR_TESTS_FAKE_BROKER_H

#include "gateway/wire/frame.h"
#include "routing/cluster.h"

enum { FAKE_CONNS = 64, FAKE_REQUESTS = 256 };

struct conn;
struct fake_broker;
struct listener;
struct loop;

struct fake_conn {
	struct fake_broker	*broker;
	struct conn		*conn;		/* NULL: closed */
	int			 step;		/* for the test's use */
	void			*state;
};

struct fake_request {
	struct fake_conn	*from;
	struct frame_request	 head;
	void			*body;
	struct arena		 arena;
	bool			 answered;
};

struct fake_broker {
	struct loop		*loop;
	int32_t			 id;
	int			 port;
	struct listener		*listener;
	struct fake_conn	 conns[FAKE_CONNS];
	int			 conn_count, open;
	struct fake_request	 requests[FAKE_REQUESTS];
	int			 request_count;
	/* NULL: requests are only kept. */
	void			(*serve)(struct fake_broker *b,
				    struct fake_request *q);
	void			*arg;
};

/* port 0: any. */
void	 fake_init(struct fake_broker *b, struct loop *l, int32_t id, int port);
/* Nobody can connect from now on; `again` listens at the same port. */
void	 fake_away(struct fake_broker *b);
void	 fake_again(struct fake_broker *b);
void	 fake_fini(struct fake_broker *b);
void	 fake_reply(struct fake_request *q, const void *body);
/* As fake_reply with the correlation id changed by `wrong`. */
void	 fake_reply_id(struct fake_request *q, const void *body,
	    int32_t wrong);
void	 fake_send_raw(struct fake_conn *c, const void *data, size_t len);
void	 fake_hang_up(struct fake_conn *c);
/* A snapshot of these brokers, without topics. */
struct cluster *fake_cluster(const struct fake_broker *const *b, int n);

#endif
