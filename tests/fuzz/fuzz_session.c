/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's byte stream through a real session, in front of a cluster whose
 * brokers are all away: whatever comes, in whatever segments, ends in replies
 * in the order of the requests or in a close; nothing is left behind.
 *
 * Input: a byte that seeds the segments, then the stream. The clock is ours: a
 * minute passes in no time.
 */
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/base/metric.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/session.h"
#include "routing/offer.h"
#include "routing/resolve.h"
#include "routing/snapshot.h"
#include "routing/watch.h"
#include "wire/messages.h"

enum { STEP_US = 500 * 1000, STEPS_MAX = 600, REPLY_MAX = 1 << 20 };

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gateway gateway;
static struct worker *worker;
static int64_t now_us = 1000000000;

/* The client's side. */
struct client {
	int		 fd;
	const uint8_t	*data;
	size_t		 len, at;
	uint32_t	 random;
	bool		 closed;	/* by the session */
	uint8_t		*got;
	size_t		 got_len;
};

static int64_t
fake_now(void)
{
	return now_us;
}

static struct metadata_response_brokers brokers[] = {
	{ .node_id = 1, .host = SLICE_LIT("127.0.0.1"), .port = 1 },
	{ .node_id = 2, .host = SLICE_LIT("127.0.0.1"), .port = 2 },
};
static struct metadata_response_topics_partitions partitions[] = {
	{ .partition_index = 0, .leader_id = 1 },
	{ .partition_index = 1, .leader_id = 2 },
	{ .partition_index = 2, .leader_id = -1 },
};
static struct metadata_response_topics topics[] = {
	{ .name = SLICE_LIT("t"), .topic_id = { { 1 } },
	  .partitions = { partitions, 3 } },
	{ .name = SLICE_LIT("__consumer_offsets"), .is_internal = true,
	  .topic_id = { { 2 } }, .partitions = { partitions, 3 } },
};

/* All that is known is offered in all versions. */
static struct cluster *
make_cluster(void)
{
	const struct metadata_response m = { .brokers = { brokers, 2 },
		.topics = { topics, 2 }, .cluster_id = SLICE_LIT("cluster"),
		.controller_id = 1 };
	struct offer *o = mem_zalloc(sizeof(*o));
	struct resolver *r = resolver_new();
	struct cluster *c = snapshot_begin(&m, r);

	o->known = true;
	o->features_epoch = -1;
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		o->apis[i] = (struct api_range){ 0, 99 };
	snapshot_finish(c, &m, o, NULL);
	c->asked_us = now_us;
	c->generation = 1;
	resolver_free(r);
	free(o);
	return c;
}

static void
ignore(void *arg, struct cluster *c)
{
	(void)arg;
	(void)c;
}

static struct config *
make_config(void)
{
	const struct config_cli cli = { .bootstrap = "127.0.0.1:1",
		.listen = "127.0.0.1:9092", .advertise = "127.0.0.1:9092",
		.workers = 1 };
	struct error_list errs = { 0 };
	struct config *c = config_from_cli(&cli, &errs);

	assert(c != NULL);
	error_list_free(&errs);
	return c;
}

/* Without a thread, listeners or brokers. The loop of the watch is never
 * turned: no snapshot comes. */
static void
set_up(void)
{
	struct upstream_options o = { .connect_ms = 1000, .idle_ms = 1000,
		.backoff_min_ms = 50, .backoff_max_ms = 500 };

	signal(SIGPIPE, SIG_IGN);
	clock_replace(fake_now);
	log_to_file("/dev/null");
	gateway.config = make_config();
	gateway.first_config = config_ref(gateway.config);
	gateway.cluster = make_cluster();
	gateway.control = loop_new();
	gateway.watch = watch_new(gateway.control, "127.0.0.1:1", &o, ignore,
	    NULL);
	gateway.bound_port[0] = 9092;
	gateway.connections_most = UINT32_MAX;
	worker = worker_new(&gateway, 0);
}

static void
open_session(struct client *k)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	int fd[2], room = REPLY_MAX;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    fd) != 0)
		abort();
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	session_open(worker, fd[1], (struct sockaddr *)&peer, sizeof(peer), 0);
	assert(worker->session_count == 1);
	k->fd = fd[0];
	k->got = mem_alloc(REPLY_MAX);
}

static void
read_replies(struct client *k)
{
	uint8_t extra[4096];
	ssize_t n;

	for (;;) {
		bool full = k->got_len == REPLY_MAX;

		/* What does not fit is not looked at. */
		n = full ? read(k->fd, extra, sizeof(extra)) :
		    read(k->fd, k->got + k->got_len, REPLY_MAX - k->got_len);
		if (n <= 0)
			break;
		k->got_len += full ? 0 : (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		k->closed = true;
}

static void
write_some(struct client *k)
{
	size_t n = k->len - k->at;
	ssize_t r;

	k->random = k->random * 1103515245 + 12345;
	if (k->random >> 16 & 1 && n > 1)
		n = (k->random >> 17) % (n < 64 ? n : 64) + 1;
	r = write(k->fd, k->data + k->at, n);
	if (r > 0)
		k->at += (size_t)r;
	else if (errno != EAGAIN)
		k->closed = true;
}

static bool
is_waiting(void)
{
	LIST_FOREACH(it, &worker->sessions)
		if (!list_empty(&LIST_ENTRY(it, struct session,
		    link)->requests))
			return true;
	return false;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Whole frames, each with the id of a request, in their order. */
static void
check_replies(const struct client *k)
{
	size_t at = 0, asked = 0;

	while (k->got_len - at >= 4) {
		uint32_t len = be32(k->got + at);

		assert(len >= 4 && len <= REPLY_MAX * 4u);
		if (len > k->got_len - at - 4)
			break;
		/* Some requests have no reply. */
		for (;;) {
			uint32_t next;

			assert(k->len - asked >= 12);
			next = be32(k->data + asked);
			asked += 4 + (size_t)next;
			assert(asked <= k->len);
			if (memcmp(k->data + asked - next + 4,
			    k->got + at + 4, 4) == 0)
				break;
		}
		at += 4 + (size_t)len;
	}
	assert(at == k->got_len || k->closed || k->got_len == REPLY_MAX);
}

static void
talk(struct client *k)
{
	for (int i = 0; i < STEPS_MAX && !k->closed; i++) {
		if (k->at < k->len)
			write_some(k);
		else if (!is_waiting())
			break;
		loop_turn(worker->loop, 0);
		read_replies(k);
		/* The stream comes at once; then time passes. */
		now_us += k->at < k->len ? 1000 : STEP_US;
	}
	/* A slow one that writes byte by byte may not be through. */
	assert(k->closed || k->at < k->len || !is_waiting());
	loop_turn(worker->loop, 0);
	read_replies(k);
}

static void
end(struct client *k)
{
	close(k->fd);
	for (int i = 0; i < STEPS_MAX && (worker->session_count > 0 ||
	    block_total() > 0 || worker->legs_in_flight > 0); i++) {
		loop_turn(worker->loop, 0);
		now_us += STEP_US;
	}
	assert(worker->session_count == 0);
	assert(worker->legs_in_flight == 0);
	assert(list_empty(&worker->parked) && list_empty(&worker->leases));
	assert(worker->fetch_sessions == 0);
	/* The loop keeps the block that it reads into. */
	assert(block_total() <= 2 * LOOP_READ_BLOCK);
	assert(metric_total(METRIC_CONNECTIONS_CLOSED + CONN_BUG) == 0);
	free(k->got);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client k = { .fd = -1 };

	if (worker == NULL)
		set_up();
	if (size < 1)
		return 0;
	k.random = data[0] * 2654435761u;
	k.data = data + 1;
	k.len = size - 1;
	open_session(&k);
	talk(&k);
	check_replies(&k);
	end(&k);
	return 0;
}
