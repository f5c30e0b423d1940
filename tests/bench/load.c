/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load that `make bench` puts on a cluster, the same whichever way it goes.
 * One thread, epoll; batches are made once and sent by reference. It asks for
 * metadata itself and speaks to leaders at the addresses it is told.
 *
 *	load [-n NAME] [-v VERSION] [-t TOPIC] [-l LANES] [-d DEPTH] [-s SIZE]
 *	    [-r RECORDS] [-T] HOST:PORT[,HOST:PORT...] MODE COUNT
 *
 * NAME is what it calls itself in ApiVersions (KIP-511), nothing by default.
 * LANES connections a broker, each with DEPTH requests in flight; a request has
 * one batch of RECORDS records of SIZE bytes for one partition. MODE:
 *
 *	create COUNT	topics TOPIC0.. of one partition, or, when COUNT is 0,
 *			TOPIC with three
 *	delete 0	TOPIC
 *	tenants COUNT	tenants' topics: TEAM_TOPICS each, of one partition,
 *			named team-I.topic-K
 *	commit COUNT	tenants' groups: TEAM_GROUPS each, with an offset
 *			committed over LANES connections, named team-I.group-K
 *	topics COUNT	requests, one by one, for all topics
 *	groups COUNT	requests, one by one, for all groups
 *	produce COUNT	requests, acks=1
 *	consume COUNT	MiB of records, from the beginning of TOPIC
 *	metadata COUNT	clients, each asking once for all topics
 *	idle COUNT	connections, until stdin ends; with -T over TLS, whose
 *			certificate is not verified
 *
 * What it measured is one line of JSON on stdout.
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "gateway/base/mem.h"
#include "gateway/wire/batch.h"
#include "gateway/wire/frame.h"
#include "wire/messages.h"

enum {
	API_VERSIONS_VERSION = 3,
	METADATA_VERSION = 12,
	PRODUCE_VERSION = 12,
	FETCH_VERSION = 16,
	CREATE_VERSION = 5,
	DELETE_VERSION = 5,
	DEPTH_MAX = 256,
	IOV_MAX_HERE = 64,
	PART_BYTES = 1024 * 1024,
	WAIT_MS = 60000,
	LIST_GROUPS_VERSION = 4,
	COMMIT_VERSION = 8,
	TEAM_TOPICS = 10,
	TEAM_GROUPS = 5,
	AT_ONCE = 50,			/* teams whose topics are made */
	TOPIC_NAME = 64,
};

/* One connection. */
struct lane {
	int		 fd;
	struct chain	 out;
	bool		 wants_out;
	uint8_t		*in;
	size_t		 cap, have;
	int32_t		 next_id;
	uint32_t	 in_flight, first;	/* ring of `sent` */
	int64_t		 sent[DEPTH_MAX];
	const struct api_schema *api;
	int		 version;
	int32_t		*parts;			/* that it serves */
	int64_t		*offsets;
	int32_t		 part_count, turn;
};

struct address {
	char		 host[256];
	char		 port[16];
};

static struct {
	const char	*name, *version, *topic, *mode;
	int		 lanes, depth, size, records;
	bool		 tls;
	struct address	 boots[16];
	int		 boot_count;
	int64_t		 count;
} opt = { .topic = "bench", .version = "1.0.0", .lanes = 1, .depth = 1,
	.size = 100, .records = 1 };

static struct {
	int		 epoll;
	struct lane	*lanes;
	int		 lane_count;
	int64_t		 sent, done, bytes;	/* requests; of records */
	uint32_t	*times;			/* microseconds each */
	struct records	 batch;
	struct uuid	 topic_id;
} run;

static void
fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "");
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- one connection ---- */

static int
dial(const struct address *a)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int fd, one = 1;

	if (getaddrinfo(a->host, a->port, &hints, &found) != 0)
		fail(a->host);
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		fail("connect");
	freeaddrinfo(found);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
lane_open(struct lane *l, const struct address *a)
{
	memset(l, 0, sizeof(*l));
	chain_init(&l->out);
	l->fd = dial(a);
}

/* Writes what the socket takes. */
static void
lane_write(struct lane *l)
{
	struct iovec iov[IOV_MAX_HERE];

	while (l->out.bytes > 0) {
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		m.msg_iovlen = (size_t)chain_iov(&l->out, iov, IOV_MAX_HERE);
		n = sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send");
		chain_drain(&l->out, (size_t)n);
	}
}

static void
lane_send(struct lane *l, const struct api_schema *api, int version,
    const void *body)
{
	struct error err;

	if (!frame_write_request(&l->out, api, version, l->next_id++,
	    opt.name ? SLICE_LIT("load") : SLICE_LIT("load-unnamed"), body,
	    &err)) {
		fprintf(stderr, "load: %s\n", err.text);
		exit(1);
	}
	l->api = api;
	l->version = version;
	l->sent[(l->first + l->in_flight++) % DEPTH_MAX] = now_us();
	lane_write(l);
}

/* The whole frame that stands first in the input; 0: there is none yet. */
static size_t
lane_frame(struct lane *l)
{
	size_t len;

	if (l->have < 4)
		return 0;
	len = 4 + ((size_t)l->in[0] << 24 | (size_t)l->in[1] << 16 |
	    (size_t)l->in[2] << 8 | l->in[3]);
	if (len > l->cap) {
		l->cap = len;
		l->in = mem_realloc(l->in, l->cap);
	}
	return l->have >= len ? len : 0;
}

/* False when there is nothing more for now. */
static bool
lane_read(struct lane *l)
{
	ssize_t n;

	if (l->cap == 0) {
		l->cap = 2048;
		l->in = mem_alloc(l->cap);
	}
	n = recv(l->fd, l->in + l->have, l->cap - l->have, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return false;
	errno = n == 0 ? 0 : errno;
	if (n <= 0)
		fail("the connection was closed");
	l->have += (size_t)n;
	return true;
}

static void
lane_forget(struct lane *l, size_t len)
{
	memmove(l->in, l->in + len, l->have - len);
	l->have -= len;
	l->first = (l->first + 1) % DEPTH_MAX;
	l->in_flight--;
}

static void *
lane_decode(struct lane *l, size_t len, struct arena *a)
{
	struct reader r;
	int32_t id;
	void *body;

	arena_init(a, 0);
	reader_init(&r, l->in + 4, len - 4, NULL);
	if (!frame_read_response(&r, l->api, l->version, &id))
		fail(r.fault);
	body = codec_decode(&r, l->api->response, l->version, a);
	if (body == NULL)
		fail(r.fault);
	return body;
}

/* Sends one request and waits for its reply. */
static void *
lane_call(struct lane *l, int16_t key, int version, const void *body,
    struct arena *a)
{
	size_t len;
	void *reply;

	lane_send(l, api_schema_find(key), version, body);
	while ((len = lane_frame(l)) == 0) {
		struct pollfd p = { l->fd, POLLIN, 0 };

		if (l->out.bytes > 0)
			p.events |= POLLOUT;
		if (poll(&p, 1, WAIT_MS) <= 0)
			fail("no answer");
		if (p.revents & POLLOUT)
			lane_write(l);
		if (p.revents & ~POLLOUT)
			lane_read(l);
	}
	reply = lane_decode(l, len, a);
	lane_forget(l, len);
	return reply;
}

static void
say_hello(struct lane *l)
{
	struct api_versions_request q = { SLICE_NULL, SLICE_NULL };
	struct arena a;

	q.client_software_name = slice_of(opt.name ? opt.name : "");
	q.client_software_version = slice_of(opt.name ? opt.version : "");
	lane_call(l, API_API_VERSIONS, API_VERSIONS_VERSION, &q, &a);
	arena_fini(&a);
}

/* ---- records ---- */

static uint32_t
crc32c(const uint8_t *p, size_t len)
{
	uint32_t table[256], crc = ~0u;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int k = 0; k < 8; k++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82f63b78u :
			    table[i] >> 1;
	}
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
	return ~crc;
}

static uint8_t *
put_varint(uint8_t *p, int32_t v)
{
	uint32_t u = (uint32_t)v << 1 ^ (uint32_t)(v >> 31);

	for (; u >= 0x80; u >>= 7)
		*p++ = (uint8_t)(u | 0x80);
	*p++ = (uint8_t)u;
	return p;
}

static void
put_be(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint8_t *
put_record(uint8_t *p, int32_t index)
{
	uint8_t body[16], *q = body;

	*q++ = 0;			/* attributes */
	q = put_varint(q, 0);		/* timestamp delta */
	q = put_varint(q, index);
	q = put_varint(q, -1);		/* no key */
	q = put_varint(q, opt.size);
	p = put_varint(p, (int32_t)(q - body) + opt.size + 1);
	memcpy(p, body, (size_t)(q - body));
	p += q - body;
	for (int i = 0; i < opt.size; i++)
		*p++ = (uint8_t)rand();
	*p++ = 0;			/* no headers */
	return p;
}

/* A batch of magic 2, the same for each request. */
static void
make_batch(void)
{
	struct block *b = block_new((size_t)opt.records *
	    ((size_t)opt.size + 32) + BATCH_HEADER);
	uint8_t *p = b->data, *end = p + BATCH_HEADER;
	uint64_t now = (uint64_t)time(NULL) * 1000;

	for (int32_t i = 0; i < opt.records; i++)
		end = put_record(end, i);
	memset(p, 0, BATCH_HEADER);
	put_be(p + 8, (uint64_t)(end - p - BATCH_PREFIX), 4);
	put_be(p + 12, UINT32_MAX, 4);			/* leader epoch */
	p[16] = 2;					/* magic */
	put_be(p + 23, (uint64_t)opt.records - 1, 4);
	put_be(p + 27, now, 8);
	put_be(p + 35, now, 8);
	memset(p + 43, 0xff, 14);			/* no producer */
	put_be(p + 57, (uint64_t)opt.records, 4);
	put_be(p + 17, crc32c(p + 21, (size_t)(end - p) - 21), 4);
	run.batch = (struct records){ p, (uint32_t)(end - p), b };
}

/* ---- who leads what ---- */

static struct metadata_response *
ask_metadata(struct lane *l, struct arena *a)
{
	struct metadata_request_topics t = { .name = slice_of(opt.topic) };
	struct metadata_request q = { .topics = { &t, 1 } };

	return lane_call(l, API_METADATA, METADATA_VERSION, &q, a);
}

static bool
all_led(const struct metadata_response *m)
{
	if (m->topics.n != 1 || m->topics.v[0].error_code != 0)
		return false;
	for (int32_t i = 0; i < m->topics.v[0].partitions.n; i++)
		if (m->topics.v[0].partitions.v[i].leader_id < 0)
			return false;
	return true;
}

static void
give_parts(struct lane *l, const struct metadata_response *m, int32_t broker)
{
	const struct metadata_response_topics *t = &m->topics.v[0];

	l->parts = mem_zalloc((size_t)t->partitions.n * sizeof(*l->parts));
	l->offsets = mem_zalloc((size_t)t->partitions.n * sizeof(*l->offsets));
	for (int32_t i = 0; i < t->partitions.n; i++)
		if (t->partitions.v[i].leader_id == broker)
			l->parts[l->part_count++] =
			    t->partitions.v[i].partition_index;
}

/* LANES connections to each broker that leads anything. */
static void
open_lanes(const struct metadata_response *m)
{
	run.lanes = mem_zalloc((size_t)(m->brokers.n * opt.lanes) *
	    sizeof(*run.lanes));
	for (int32_t i = 0; i < m->brokers.n; i++)
		for (int k = 0; k < opt.lanes; k++) {
			const struct metadata_response_brokers *b =
			    &m->brokers.v[i];
			struct lane *l = &run.lanes[run.lane_count];
			struct address a;

			snprintf(a.host, sizeof(a.host), "%.*s",
			    SLICE_FMT(b->host));
			snprintf(a.port, sizeof(a.port), "%d", b->port);
			lane_open(l, &a);
			say_hello(l);
			give_parts(l, m, b->node_id);
			if (l->part_count > 0)
				run.lane_count++;
		}
}

static void
find_leaders(void)
{
	struct metadata_response *m;
	struct arena a;
	struct lane l;

	lane_open(&l, &opt.boots[0]);
	say_hello(&l);
	for (int i = 0;; i++) {
		m = ask_metadata(&l, &a);
		if (all_led(m))
			break;
		if (i == 600)
			fail("the topic has no leaders");
		arena_fini(&a);
		usleep(100000);
	}
	run.topic_id = m->topics.v[0].topic_id;
	open_lanes(m);
	arena_fini(&a);
	close(l.fd);
}

/* ---- the loop ---- */

static void
watch_lane(struct lane *l, int op)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = l };

	l->wants_out = l->out.bytes > 0;
	if (l->wants_out)
		e.events |= EPOLLOUT;
	if (epoll_ctl(run.epoll, op, l->fd, &e) < 0)
		fail("epoll_ctl");
}

static void
lane_turn(struct lane *l, void (*reply)(struct lane *l, size_t len))
{
	size_t len;

	if (l->out.bytes > 0)
		lane_write(l);
	do {
		while ((len = lane_frame(l)) > 0)
			reply(l, len);
	} while (lane_read(l));
	if ((l->out.bytes > 0) != l->wants_out)
		watch_lane(l, EPOLL_CTL_MOD);
}

/* Until done() says so. */
static void
loop(void (*reply)(struct lane *l, size_t len), bool (*done)(void))
{
	struct epoll_event e[256];

	while (!done()) {
		int n = epoll_wait(run.epoll, e, 256, WAIT_MS);

		if (n == 0)
			fail("no answer");
		for (int i = 0; i < n; i++)
			lane_turn(e[i].data.ptr, reply);
	}
}

static void
begin_lanes(void (*more)(struct lane *l))
{
	run.epoll = epoll_create1(0);
	for (int i = 0; i < run.lane_count; i++) {
		watch_lane(&run.lanes[i], EPOLL_CTL_ADD);
		more(&run.lanes[i]);
		if (run.lanes[i].out.bytes > 0)
			watch_lane(&run.lanes[i], EPOLL_CTL_MOD);
	}
}

/* ---- produce ---- */

static void
produce_more(struct lane *l)
{
	struct produce_request_topic_data_partition_data p = {
		.records = run.batch };
	struct produce_request_topic_data t = { .name = slice_of(opt.topic),
		.partition_data = { &p, 1 } };
	struct produce_request q = { .acks = 1, .timeout_ms = WAIT_MS,
		.topic_data = { &t, 1 } };

	while ((int)l->in_flight < opt.depth && run.sent < opt.count) {
		p.index = l->parts[l->turn++ % l->part_count];
		run.sent++;
		lane_send(l, api_schema_find(API_PRODUCE), PRODUCE_VERSION,
		    &q);
	}
}

static void
produced(struct lane *l, size_t len)
{
	struct produce_response *p;
	struct arena a;

	run.times[run.done++] = (uint32_t)(now_us() - l->sent[l->first]);
	p = lane_decode(l, len, &a);
	if (p->responses.n != 1 ||
	    p->responses.v[0].partition_responses.v[0].error_code != 0) {
		fprintf(stderr, "load: produce: error %d\n", p->responses.n ?
		    p->responses.v[0].partition_responses.v[0].error_code : 0);
		exit(1);
	}
	arena_fini(&a);
	run.bytes += run.batch.len;
	lane_forget(l, len);
	produce_more(l);
}

static bool
all_produced(void)
{
	return run.done >= opt.count;
}

/* ---- consume ---- */

static void
consume_more(struct lane *l)
{
	struct fetch_request_topics_partitions *p = mem_zalloc(
	    (size_t)l->part_count * sizeof(*p));
	struct fetch_request_topics t = { .topic_id = run.topic_id,
		.partitions = { p, l->part_count } };
	struct fetch_request q = { .max_wait_ms = 500, .min_bytes = 1,
		.max_bytes = 50 * PART_BYTES, .session_epoch = -1,
		.topics = { &t, 1 }, .rack_id = SLICE_LIT(""),
		.replica_id = -1, .replica_state = { -1, -1 } };

	for (int32_t i = 0; i < l->part_count; i++) {
		p[i].partition = l->parts[i];
		p[i].fetch_offset = l->offsets[i];
		p[i].current_leader_epoch = p[i].last_fetched_epoch = -1;
		p[i].log_start_offset = -1;
		p[i].partition_max_bytes = PART_BYTES;
		p[i].high_watermark = INT64_MAX;
	}
	lane_send(l, api_schema_find(API_FETCH), FETCH_VERSION, &q);
	free(p);
}

static void
take_records(struct lane *l, int32_t partition, const struct records *r)
{
	struct batch_walk w;
	struct batch b;

	run.bytes += r->len;
	batch_walk_init(&w, r->data, r->len);
	while (batch_walk_next(&w, &b))
		for (int32_t i = 0; i < l->part_count; i++)
			if (l->parts[i] == partition)
				l->offsets[i] = b.base_offset +
				    b.last_offset_delta + 1;
}

static void
consumed(struct lane *l, size_t len)
{
	struct fetch_response *f;
	struct arena a;

	f = lane_decode(l, len, &a);
	for (int32_t i = 0; i < f->responses.n; i++)
		for (int32_t j = 0; j < f->responses.v[i].partitions.n; j++) {
			const struct fetch_response_responses_partitions *p =
			    &f->responses.v[i].partitions.v[j];

			if (p->error_code != 0)
				fail("fetch: an error");
			if (p->records.len > 0)
				take_records(l, p->partition_index,
				    &p->records);
		}
	arena_fini(&a);
	run.done++;
	lane_forget(l, len);
	if (run.bytes < opt.count << 20)
		consume_more(l);
}

static bool
all_consumed(void)
{
	return run.bytes >= opt.count << 20;
}

/* ---- metadata ---- */

static void
metadata_more(struct lane *l)
{
	struct metadata_request q = { .topics = { NULL, -1 } };

	run.sent++;
	lane_send(l, api_schema_find(API_METADATA), METADATA_VERSION, &q);
}

static void
told(struct lane *l, size_t len)
{
	run.times[run.done++] = (uint32_t)(now_us() - l->sent[l->first]);
	run.bytes += (int64_t)len;
	lane_forget(l, len);
}

/* ---- one by one ---- */

static void
ask_again(struct lane *l)
{
	struct metadata_request topics = { .topics = { NULL, -1 } };
	struct list_groups_request groups = { { NULL, 0 }, { NULL, 0 } };

	if (run.sent++ >= opt.count)
		return;
	if (strcmp(opt.mode, "topics") == 0)
		lane_send(l, api_schema_find(API_METADATA), METADATA_VERSION,
		    &topics);
	else
		lane_send(l, api_schema_find(API_LIST_GROUPS),
		    LIST_GROUPS_VERSION, &groups);
}

static void
told_again(struct lane *l, size_t len)
{
	told(l, len);
	ask_again(l);
}

/* ---- modes ---- */

static int
by_time(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
report(int64_t started)
{
	double took = (double)(now_us() - started) / 1e6;
	int64_t n = run.times ? run.done : 0;

	if (n > 0)
		qsort(run.times, (size_t)n, sizeof(*run.times), by_time);
	printf("{\"seconds\": %.6f, \"requests\": %lld, \"bytes\": %lld, "
	    "\"lanes\": %d, \"p50\": %u, \"p99\": %u}\n", took,
	    (long long)run.done, (long long)run.bytes, run.lane_count,
	    n > 0 ? run.times[n / 2] : 0, n > 0 ? run.times[n * 99 / 100] : 0);
}

static void
mode_produce(void)
{
	int64_t started;

	make_batch();
	find_leaders();
	run.times = mem_alloc((size_t)opt.count * sizeof(*run.times) + 1);
	started = now_us();
	begin_lanes(produce_more);
	loop(produced, all_produced);
	report(started);
}

static void
mode_consume(void)
{
	int64_t started;

	find_leaders();
	started = now_us();
	begin_lanes(consume_more);
	loop(consumed, all_consumed);
	report(started);
}

/* Sends the request in `out` and reads its reply, whatever it is. */
static void
tls_exchange(struct lane *l, SSL *ssl)
{
	uint8_t head[4], rest[16384];
	size_t got, len;

	for (uint32_t i = 0; i < l->out.n; i++) {
		const struct piece *p = &l->out.v[l->out.head + i];

		if (SSL_write_ex(ssl, p->data, p->len, &got) != 1)
			fail("TLS write");
	}
	chain_fini(&l->out);
	if (SSL_read_ex(ssl, head, sizeof(head), &got) != 1 || got != 4)
		fail("TLS read");
	len = (size_t)head[0] << 24 | (size_t)head[1] << 16 |
	    (size_t)head[2] << 8 | head[3];
	for (; len > 0; len -= got)
		if (SSL_read_ex(ssl, rest, len < sizeof(rest) ? len :
		    sizeof(rest), &got) != 1)
			fail("TLS read");
}

/* The client's half of TLS is let go at once: the connection says nothing more,
 * and the memory that is measured is not this program's. */
static void
say_hello_tls(struct lane *l)
{
	static SSL_CTX *ctx;
	struct api_versions_request q = { SLICE_LIT("load"),
		SLICE_LIT("1.0.0") };
	struct error err;
	SSL *ssl;

	if (ctx == NULL)
		ctx = SSL_CTX_new(TLS_client_method());
	ssl = SSL_new(ctx);
	if (ssl == NULL || SSL_set_fd(ssl, l->fd) != 1 ||
	    SSL_connect(ssl) != 1)
		fail("TLS handshake");
	if (!frame_write_request(&l->out, api_schema_find(API_API_VERSIONS),
	    API_VERSIONS_VERSION, 1, SLICE_LIT("load"), &q, &err))
		fail(err.text);
	tls_exchange(l, ssl);
	SSL_set_quiet_shutdown(ssl, 1);
	SSL_free(ssl);
}

static void
open_clients(void)
{
	run.lane_count = (int)opt.count;
	run.lanes = mem_zalloc((size_t)opt.count * sizeof(*run.lanes));
	for (int i = 0; i < run.lane_count; i++) {
		lane_open(&run.lanes[i], &opt.boots[i % opt.boot_count]);
		if (opt.tls)
			say_hello_tls(&run.lanes[i]);
		else
			say_hello(&run.lanes[i]);
	}
}

static void
mode_metadata(void)
{
	int64_t started;

	open_clients();
	run.times = mem_alloc((size_t)opt.count * sizeof(*run.times) + 1);
	started = now_us();
	begin_lanes(metadata_more);
	loop(told, all_produced);
	report(started);
}

static void
mode_idle(void)
{
	open_clients();
	printf("{\"lanes\": %d}\n", run.lane_count);
	fflush(stdout);
	while (getchar() != EOF)
		;
}

static void
mode_create(void)
{
	int32_t n = opt.count > 0 ? (int32_t)opt.count : 1;
	struct create_topics_request_topics *t = mem_zalloc((size_t)n *
	    sizeof(*t));
	struct create_topics_request q = { .topics = { t, n },
		.timeout_ms = WAIT_MS };
	const struct create_topics_response *p;
	char *names = mem_alloc((size_t)n * TOPIC_NAME);
	struct arena a;
	struct lane l;

	for (int32_t i = 0; i < n; i++) {
		char *name = names + (size_t)i * TOPIC_NAME;

		snprintf(name, TOPIC_NAME, "%s%d", opt.topic, i);
		t[i].name = slice_of(opt.count > 0 ? name : opt.topic);
		t[i].num_partitions = opt.count > 0 ? 1 : 3;
		t[i].replication_factor = 1;
	}
	lane_open(&l, &opt.boots[0]);
	p = lane_call(&l, API_CREATE_TOPICS, CREATE_VERSION, &q, &a);
	for (int32_t i = 0; i < p->topics.n; i++)
		if (p->topics.v[i].error_code != 0)
			fail("a topic could not be created");
}

/* The topics of AT_ONCE teams. */
static void
create_teams(struct lane *l, int64_t first)
{
	static char names[AT_ONCE * TEAM_TOPICS][TOPIC_NAME];
	struct create_topics_request_topics t[AT_ONCE * TEAM_TOPICS];
	struct create_topics_request q = { .topics = { t, 0 },
		.timeout_ms = WAIT_MS };
	const struct create_topics_response *p;
	struct arena a;

	memset(t, 0, sizeof(t));
	for (int64_t i = first; i < first + AT_ONCE && i < opt.count; i++)
		for (int k = 0; k < TEAM_TOPICS; k++) {
			char *name = names[q.topics.n];

			snprintf(name, TOPIC_NAME, "team-%lld.topic-%d",
			    (long long)i, k);
			t[q.topics.n].name = slice_of(name);
			t[q.topics.n].num_partitions = 1;
			t[q.topics.n++].replication_factor = 1;
		}
	p = lane_call(l, API_CREATE_TOPICS, CREATE_VERSION, &q, &a);
	for (int32_t i = 0; i < p->topics.n; i++)
		if (p->topics.v[i].error_code != 0)
			fail("a team's topic could not be created");
	arena_fini(&a);
}

static void
mode_tenants(void)
{
	struct lane l;

	lane_open(&l, &opt.boots[0]);
	for (int64_t i = 0; i < opt.count; i += AT_ONCE)
		create_teams(&l, i);
}

/* As a consumer that assigns itself, of the next group. */
static void
commit(struct lane *l)
{
	char group[TOPIC_NAME], topic[TOPIC_NAME];
	struct offset_commit_request_topics_partitions p = {
		.committed_offset = 1, .committed_leader_epoch = -1,
		.committed_metadata = SLICE_LIT("") };
	struct offset_commit_request_topics t = { .partitions = { &p, 1 } };
	struct offset_commit_request q = { .member_id = SLICE_LIT(""),
		.generation_id_or_member_epoch = -1, .topics = { &t, 1 } };

	if (run.sent >= opt.count * TEAM_GROUPS)
		return;
	snprintf(group, sizeof(group), "team-%lld.group-%d",
	    (long long)(run.sent / TEAM_GROUPS),
	    (int)(run.sent % TEAM_GROUPS));
	snprintf(topic, sizeof(topic), "team-%lld.topic-0",
	    (long long)(run.sent / TEAM_GROUPS));
	run.sent++;
	q.group_id = slice_of(group);
	t.name = slice_of(topic);
	lane_send(l, api_schema_find(API_OFFSET_COMMIT), COMMIT_VERSION, &q);
}

static void
committed(struct lane *l, size_t len)
{
	const struct offset_commit_response *r;
	struct arena a;

	r = lane_decode(l, len, &a);
	if (r->topics.n != 1 || r->topics.v[0].partitions.n != 1 ||
	    r->topics.v[0].partitions.v[0].error_code != 0)
		fail("an offset cannot be committed");
	arena_fini(&a);
	run.done++;
	lane_forget(l, len);
	commit(l);
}

static bool
all_committed(void)
{
	return run.done >= opt.count * TEAM_GROUPS;
}

static void
mode_commit(void)
{
	run.lane_count = opt.lanes;
	run.lanes = mem_zalloc((size_t)opt.lanes * sizeof(*run.lanes));
	for (int i = 0; i < opt.lanes; i++) {
		lane_open(&run.lanes[i], &opt.boots[0]);
		say_hello(&run.lanes[i]);
	}
	begin_lanes(commit);
	loop(committed, all_committed);
}

static void
mode_ask(void)
{
	int64_t started;

	run.lane_count = 1;
	run.lanes = mem_zalloc(sizeof(*run.lanes));
	lane_open(&run.lanes[0], &opt.boots[0]);
	say_hello(&run.lanes[0]);
	run.times = mem_alloc((size_t)opt.count * sizeof(*run.times) + 1);
	started = now_us();
	begin_lanes(ask_again);
	loop(told_again, all_produced);
	report(started);
}

static void
mode_delete(void)
{
	struct slice name = slice_of(opt.topic);
	struct delete_topics_request q = { .topic_names = { &name, 1 },
		.timeout_ms = WAIT_MS };
	struct arena a;
	struct lane l;

	lane_open(&l, &opt.boots[0]);
	lane_call(&l, API_DELETE_TOPICS, DELETE_VERSION, &q, &a);
}

static const struct {
	const char	*name;
	void		(*run)(void);
} modes[] = {
	{ "create", mode_create },
	{ "delete", mode_delete },
	{ "produce", mode_produce },
	{ "consume", mode_consume },
	{ "metadata", mode_metadata },
	{ "idle", mode_idle },
	{ "tenants", mode_tenants },
	{ "commit", mode_commit },
	{ "topics", mode_ask },
	{ "groups", mode_ask },
};

static void
read_boots(char *text)
{
	char *s;

	while ((s = strsep(&text, ",")) != NULL && opt.boot_count < 16) {
		struct address *a = &opt.boots[opt.boot_count++];
		char *colon = strrchr(s, ':');

		if (colon == NULL)
			fail("HOST:PORT");
		*colon = '\0';
		snprintf(a->host, sizeof(a->host), "%s", s);
		snprintf(a->port, sizeof(a->port), "%s", colon + 1);
	}
}

static void
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:v:t:l:d:s:r:T")) != -1)
		switch (c) {
		case 'T':
			opt.tls = true;
			break;
		case 'n':
			opt.name = optarg;
			break;
		case 'v':
			opt.version = optarg;
			break;
		case 't':
			opt.topic = optarg;
			break;
		case 'l':
			opt.lanes = (int)strtol(optarg, NULL, 10);
			break;
		case 'd':
			opt.depth = (int)strtol(optarg, NULL, 10);
			break;
		case 's':
			opt.size = (int)strtol(optarg, NULL, 10);
			break;
		case 'r':
			opt.records = (int)strtol(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	if (argc - optind != 3 || opt.depth < 1 || opt.depth > DEPTH_MAX ||
	    opt.lanes < 1)
		fail("usage: load [options] HOST:PORT MODE COUNT");
	read_boots(argv[optind]);
	opt.mode = argv[optind + 1];
	opt.count = strtoll(argv[optind + 2], NULL, 10);
}

int
main(int argc, char **argv)
{
	errno = 0;
	read_options(argc, argv);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, opt.mode) == 0) {
			modes[i].run();
			return 0;
		}
	fail("no such mode");
}
