/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_broker.h"

#include <assert.h>
#include <stdio.h>

#include "gateway/net/conn.h"
#include "gateway/net/listen.h"
#include "gateway/net/loop.h"
#include "routing/resolve.h"
#include "routing/snapshot.h"
#include "wire/messages.h"

static void
fake_frame(struct conn *c, void *arg, struct block *b, const uint8_t *data,
    size_t len)
{
	struct fake_conn *from = arg;
	struct fake_broker *f = from->broker;
	struct fake_request *q = &f->requests[f->request_count];
	struct reader r;

	(void)c;
	assert(f->request_count < FAKE_REQUESTS);
	arena_init(&q->arena, 0);
	arena_hold(&q->arena, b);
	reader_init(&r, data, len, b);
	q->from = from;
	if (!frame_read_request(&r, &q->head))
		assert(!"a request of ours could not be read");
	q->body = codec_decode(&r, q->head.schema->request, q->head.version,
	    &q->arena);
	assert(q->body != NULL && r.p == r.end);
	f->request_count++;
	if (f->serve != NULL)
		f->serve(f, q);
}

static void
fake_closed(struct conn *c, void *arg, enum conn_reason reason,
    const char *detail)
{
	struct fake_conn *from = arg;

	(void)c;
	(void)reason;
	(void)detail;
	from->conn = NULL;
	from->broker->open--;
}

static const struct conn_ops fake_ops = {
	.frame = fake_frame,
	.closed = fake_closed,
};

static void
fake_accepted(void *arg, int fd, const struct sockaddr *peer, socklen_t len)
{
	struct fake_broker *b = arg;
	struct fake_conn *c = &b->conns[b->conn_count];
	struct conn_options o = { .frame_max = 1024 * 1024 };

	assert(b->conn_count < FAKE_CONNS);
	b->conn_count++;
	b->open++;
	c->broker = b;
	c->conn = conn_open_accepted(b->loop, fd, peer, len, &o, &fake_ops, c);
}

static void
listen_at(struct fake_broker *b, int port)
{
	struct sockaddr_storage a;
	struct error err = { "" };
	char text[32];
	socklen_t len;

	snprintf(text, sizeof(text), "127.0.0.1:%d", port);
	if (address_parse(text, &a, &len, &err))
		b->listener = listen_open(b->loop, (struct sockaddr *)&a, len,
		    fake_accepted, b, &err);
	if (b->listener == NULL)
		fprintf(stderr, "%s\n", err.text);
	assert(b->listener != NULL);
	b->port = listen_port(b->listener);
}

void
fake_init(struct fake_broker *b, struct loop *l, int32_t id, int port)
{
	memset(b, 0, sizeof(*b));
	b->loop = l;
	b->id = id;
	listen_at(b, port);
}

void
fake_hang_up(struct fake_conn *c)
{
	if (c->conn != NULL)
		conn_close(c->conn, CONN_UNUSED, NULL);
}

void
fake_away(struct fake_broker *b)
{
	if (b->listener != NULL)
		listen_close(b->listener);
	b->listener = NULL;
	for (int i = 0; i < b->conn_count; i++)
		fake_hang_up(&b->conns[i]);
}

void
fake_again(struct fake_broker *b)
{
	listen_at(b, b->port);
}

void
fake_fini(struct fake_broker *b)
{
	fake_away(b);
	for (int i = 0; i < b->request_count; i++)
		arena_fini(&b->requests[i].arena);
}

void
fake_reply_id(struct fake_request *q, const void *body, int32_t wrong)
{
	struct chain out;
	struct error err = { "" };

	chain_init(&out);
	if (!frame_write_response(&out, q->head.schema, q->head.version,
	    q->head.correlation_id + wrong, body, &err))
		fprintf(stderr, "%s\n", err.text);
	assert(out.bytes > 0);
	q->answered = true;
	if (q->from->conn != NULL)
		conn_send(q->from->conn, &out);
	chain_fini(&out);
}

void
fake_reply(struct fake_request *q, const void *body)
{
	fake_reply_id(q, body, 0);
}

void
fake_send_raw(struct fake_conn *c, const void *data, size_t len)
{
	struct chain out;

	chain_init(&out);
	chain_add_copy(&out, data, len);
	conn_send(c->conn, &out);
	chain_fini(&out);
}

struct cluster *
fake_cluster(const struct fake_broker *const *b, int n)
{
	struct metadata_response_brokers v[8];
	struct metadata_response m = { .brokers = { v, n } };
	struct resolver *r;
	struct cluster *c;

	assert(n <= 8);
	for (int i = 0; i < n; i++)
		v[i] = (struct metadata_response_brokers){
			.node_id = b[i]->id, .host = SLICE_LIT("127.0.0.1"),
			.port = b[i]->port };
	r = resolver_new();
	c = snapshot_begin(&m, r);
	resolver_free(r);
	return c;
}
