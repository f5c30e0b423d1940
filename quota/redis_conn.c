/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/redis_conn.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/net/lookup.h"
#include "gateway/net/tls.h"
#include "quota/redis_conn_private.h"

enum {
	READ_SIZE = 16 * 1024,
	LATE_US = 20 * 1000,
};

static void	 on_timer(struct timer *t);
static void	 lose(struct redis_conn *c, const char *why,
		    struct redis_call *late);

/* Callbacks may free the connection: it goes when the last one is over. */
static void
enter(struct redis_conn *c)
{
	c->busy++;
}

static void
leave(struct redis_conn *c)
{
	if (--c->busy == 0 && c->dead)
		free(c);
}

static void
set_state(struct redis_conn *c, enum redis_conn_state s)
{
	bool was_up = c->state == REDIS_CONN_UP;

	c->state = s;
	if (was_up != (s == REDIS_CONN_UP))
		c->since_us = loop_now_us(c->loop);
}

/* ---- calls ---- */

static void
on_deadline(struct timer *t)
{
	struct redis_call *call = LIST_ENTRY(t, struct redis_call, timer);
	struct redis_conn *c = call->conn;
	int64_t now = loop_now_us(c->loop);
	char why[64];

	/* When it is the loop that was held up, the answer may lie in the
	 * socket. */
	if (call->sent && !call->excused && now - call->deadline_us > LATE_US) {
		call->excused = true;
		timer_set(t, c->loop, now + LATE_US, on_deadline);
		return;
	}
	if (call->sent) {
		snprintf(why, sizeof(why), "no answer in %u ms",
		    (unsigned int)((call->deadline_us - call->sent_us + 500) /
		    1000));
		lose(c, why, call);
		return;
	}
	list_remove(&call->link);
	call->conn = NULL;
	call->done(call, REDIS_DOWN, NULL, "there was no connection in time");
}

static void
take_in(struct redis_conn *c, struct list *queue, struct redis_call *call)
{
	list_append(queue, &call->link);
	call->conn = c;
	call->sent = queue == &c->sent;
	if (call->deadline_us != INT64_MAX)
		timer_set(&call->timer, c->loop, call->deadline_us,
		    on_deadline);
}

static void
give_back(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	list_remove(&call->link);
	timer_cancel(&call->timer);
	call->conn = NULL;
	call->done(call, o, reply, why);
}

static void
free_command(const void *data, size_t len, void *arg)
{
	(void)data;
	redis_command_free(arg, len);
}

/* By reference: a password is not copied, and is cleansed when it was sent. */
static void
write_command(struct redis_conn *c, uint32_t argc, const struct slice *argv)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t len;
	char *command = redis_command_format(argc, argv, &len);

	if (evbuffer_get_length(out) == 0)
		c->counters->round_trips++;
	c->counters->commands++;
	c->counters->bytes_out += len;
	if (evbuffer_add_reference(out, command, len, free_command,
	    command) != 0)
		abort();	/* out of memory */
}

void
redis_conn_write(struct redis_conn *c, struct redis_call *call)
{
	static const struct slice asking = { (const uint8_t *)"ASKING", 6 };

	call->skip = call->asking ? 1 : 0;
	if (call->asking)
		write_command(c, 1, &asking);
	write_command(c, call->argc, call->argv);
	call->sent_us = loop_now_us(c->loop);
	call->excused = false;
	take_in(c, &c->sent, call);
}

void
redis_conn_send(struct redis_conn *c, struct redis_call *call)
{
	enter(c);
	redis_call_forget(call);
	if (c->dead || c->state <= REDIS_CONN_WAITING)
		call->done(call, REDIS_DOWN, NULL, c->error.text[0] != '\0' ?
		    c->error.text : "there is no connection");
	else if (c->state == REDIS_CONN_UP)
		redis_conn_write(c, call);
	else
		take_in(c, &c->waiting, call);
	leave(c);
}

static void
fail_calls(struct list *queue, enum redis_outcome o, const char *why)
{
	struct list all;

	/* What done() sends anew is not among them. */
	list_init(&all);
	while (!list_empty(queue)) {
		struct list *link = queue->next;

		list_remove(link);
		list_append(&all, link);
	}
	while (!list_empty(&all))
		give_back(LIST_ENTRY(all.next, struct redis_call, link), o,
		    NULL, why);
}

/* ---- its end ---- */

/* What hangs on the socket goes; the calls stay. */
static void
tear_down(struct redis_conn *c)
{
	c->epoch++;
	timer_cancel(&c->timer);
	lookup_cancel(c->lookup);
	c->lookup = NULL;
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
	redis_reader_free(c->reader);
	c->reader = NULL;
	c->login_left = 0;
	c->fault[0] = '\0';
}

static uint32_t
below(uint32_t most)
{
	uint32_t random;

	/* It only spreads gateways out. */
	if (RAND_bytes((uint8_t *)&random, sizeof(random)) != 1)
		random = most / 2;
	return random % (most + 1);
}

/* A connection that was good is made again at once, or nearly: all gateways
 * lose theirs in the same moment. */
static uint32_t
pause_ms(struct redis_conn *c)
{
	if (c->useful) {
		c->useful = false;
		c->backoff_ms = 0;
		return below(REDIS_BACKOFF_MIN_MS / 2);
	}
	c->backoff_ms = c->backoff_ms == 0 ? REDIS_BACKOFF_MIN_MS :
	    c->backoff_ms * 2;
	if (c->backoff_ms > REDIS_BACKOFF_MAX_MS)
		c->backoff_ms = REDIS_BACKOFF_MAX_MS;
	return c->backoff_ms / 2 + below(c->backoff_ms / 2);
}

/* Once for the same fault of the same address. */
static void
tell_loss(struct redis_conn *c, const char *why, bool was_up, uint32_t ms)
{
	struct log_quoted text;

	if (was_up)
		log_warn("Redis was lost", "address=%s error=%s again_ms=%u",
		    c->name, log_quote(slice_of(why), &text), ms);
	else if (c->log_again || strcmp(c->error.text, why) != 0)
		log_warn("Redis cannot be reached", "address=%s error=%s "
		    "again_ms=%u", c->name, log_quote(slice_of(why), &text),
		    ms);
}

static void
lose(struct redis_conn *c, const char *why, struct redis_call *late)
{
	bool was_up = c->state == REDIS_CONN_UP;
	struct error kept;
	uint32_t ms = pause_ms(c);

	error_set(&kept, "%s", why);
	enter(c);
	tear_down(c);
	tell_loss(c, kept.text, was_up, ms);
	c->error = kept;
	c->log_again = false;
	c->again = was_up;
	set_state(c, REDIS_CONN_WAITING);
	timer_set(&c->timer, c->loop, loop_now_us(c->loop) + ms * 1000LL,
	    on_timer);
	if (late != NULL)
		give_back(late, REDIS_TIMED_OUT, NULL, kept.text);
	fail_calls(&c->sent, REDIS_LOST, kept.text);
	fail_calls(&c->waiting, REDIS_DOWN, kept.text);
	if (!c->dead && c->ops->down != NULL)
		c->ops->down(c, c->arg);
	leave(c);
}

void
redis_conn_lose(struct redis_conn *c, const char *why)
{
	lose(c, why, NULL);
}

void
redis_conn_reset(struct redis_conn *c, const char *why)
{
	if (c->state > REDIS_CONN_WAITING)
		lose(c, why, NULL);
}

/* ---- reading ---- */

/* Said of the store as a whole, not of this command. That a Cluster's slot is
 * served by nobody is said of that slot. */
static bool
is_loss(const struct redis_reply *r, struct redis_counters *n)
{
	static const char unserved[] = "CLUSTERDOWN Hash slot not served";

	if (redis_reply_is_error(r, "READONLY")) {
		n->readonly++;
		return true;
	}
	if (redis_reply_is_error(r, "LOADING") ||
	    redis_reply_is_error(r, "MASTERDOWN")) {
		n->loading++;
		return true;
	}
	if (!redis_reply_is_error(r, "CLUSTERDOWN"))
		return false;
	n->clusterdown++;
	return r->text.len < sizeof(unserved) - 1 || memcmp(r->text.data,
	    unserved, sizeof(unserved) - 1) != 0;
}

/* Texts of a server are arena's and end with a NUL; they may have others. */
static void
copy_text(char *to, size_t size, struct slice s)
{
	snprintf(to, size, "%.*s", SLICE_FMT(s));
}

static void
answer(struct redis_conn *c, struct redis_call *call,
    struct redis_reply *reply)
{
	uint64_t epoch = c->epoch;
	char why[256] = "";

	if (reply->kind == REDIS_ERROR)
		copy_text(why, sizeof(why), reply->text);
	if (is_loss(reply, c->counters)) {
		give_back(call, REDIS_LOST, NULL, why);
		if (c->epoch == epoch)
			lose(c, why, NULL);
		return;
	}
	if (c->state == REDIS_CONN_UP)
		c->useful = true;
	give_back(call, reply->kind == REDIS_ERROR ? REDIS_REFUSED :
	    REDIS_ANSWERED, reply, why);
}

static bool
is_push(const struct redis_reply *r)
{
	return slice_is(redis_reply_text(redis_reply_at(r, 0)), "message") &&
	    r->n == 3;
}

/* Takes the memory. */
static void
take_reply(struct redis_conn *c, struct redis_reply *reply,
    struct arena *memory)
{
	struct redis_call *call;

	if (c->ops->push != NULL && is_push(reply)) {
		c->ops->push(c, c->arg, reply);
		arena_fini(memory);
		return;
	}
	if (list_empty(&c->sent)) {
		arena_fini(memory);
		lose(c, "the server said what it was not asked", NULL);
		return;
	}
	call = LIST_ENTRY(c->sent.next, struct redis_call, link);
	if (call->skip > 0) {
		call->skip--;
		arena_fini(memory);
		return;
	}
	call->memory = *memory;
	call->has_memory = true;
	answer(c, call, reply);
}

/* Until there is no whole one more, or the connection has ended. */
static void
take_replies(struct redis_conn *c)
{
	uint64_t epoch = c->epoch;
	struct redis_reply *reply;
	struct arena memory;
	struct error err;

	while (c->epoch == epoch) {
		if (!redis_reader_next(c->reader, &reply, &memory, &err)) {
			lose(c, err.text, NULL);
			return;
		}
		if (reply == NULL)
			return;
		take_reply(c, reply, &memory);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct redis_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint64_t epoch = c->epoch;
	uint8_t data[READ_SIZE];
	struct error err;
	int n;

	enter(c);
	while (c->epoch == epoch &&
	    (n = evbuffer_remove(in, data, sizeof(data))) > 0) {
		c->counters->bytes_in += (uint64_t)n;
		c->heard_us = loop_now_us(c->loop);
		if (redis_reader_feed(c->reader, data, (size_t)n, &err))
			take_replies(c);
		else
			lose(c, err.text, NULL);
	}
	leave(c);
}

/* ---- being made ---- */

static void
tune_socket(struct redis_conn *c)
{
	int fd = bufferevent_getfd(c->bev), on = 1;

	if (c->to.path[0] == '\0')
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void
say_why(struct redis_conn *c, char *to, size_t size, short what)
{
	int system = errno;
	unsigned long e = c->login->tls != NULL ?
	    bufferevent_get_openssl_error(c->bev) : 0;
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;
	const char *during = c->state == REDIS_CONN_UP ? "" :
	    c->state == REDIS_CONN_LOGIN ? " during the login" :
	    c->login->tls != NULL ? " before TLS was up" : "";

	if (c->fault[0] != '\0')
		snprintf(to, size, "%s", c->fault);
	else if (text != NULL)
		snprintf(to, size, "%s", text);
	else if ((what & BEV_EVENT_EOF) != 0 || system == 0)
		snprintf(to, size, "the server hung up%s", during);
	else
		snprintf(to, size, "%s", strerror(system));
	ERR_clear_error();
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis_conn *c = arg;
	char why[300];

	(void)bev;
	if ((what & BEV_EVENT_CONNECTED) != 0) {
		enter(c);
		c->fault[0] = '\0';
		tune_socket(c);
		set_state(c, REDIS_CONN_LOGIN);
		redis_conn_log_in(c);
		leave(c);
	} else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
		say_why(c, why, sizeof(why), what);
		lose(c, why, NULL);
	}
}

static struct bufferevent *
make_bev(struct redis_conn *c, struct error *err)
{
	struct event_base *base = loop_base(c->loop);
	struct bufferevent *bev;
	SSL *ssl;

	if (c->login->tls == NULL) {
		bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	} else {
		ssl = tls_context_ssl(c->login->tls, c->to.host, c->fault,
		    err);
		if (ssl == NULL)
			return NULL;
		bev = bufferevent_openssl_socket_new(base, -1, ssl,
		    BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
		/* Replies have lengths: none can be cut short unnoticed. */
		if (bev != NULL)
			bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	}
	if (bev == NULL)
		abort();	/* out of memory */
	return bev;
}

static void
connect_to(struct redis_conn *c, const struct sockaddr *a, socklen_t len)
{
	uint64_t epoch = c->epoch;
	struct error err;

	c->bev = make_bev(c, &err);
	if (c->bev == NULL) {
		lose(c, err.text, NULL);
		return;
	}
	c->reader = redis_reader_new();
	set_state(c, REDIS_CONN_CONNECTING);
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	errno = 0;
	/* It may have called on_event. */
	if (bufferevent_socket_connect(c->bev, a, (int)len) != 0 &&
	    c->epoch == epoch)
		lose(c, strerror(errno), NULL);
}

static void
found_host(void *arg, const struct addrinfo *found, int fault)
{
	struct redis_conn *c = arg;
	const struct addrinfo *a = found;
	struct sockaddr_storage to;
	uint32_t n = 0;

	c->lookup = NULL;
	if (found == NULL) {
		lose(c, gai_strerror(fault), NULL);
		return;
	}
	for (; a != NULL; a = a->ai_next)
		n++;
	a = found;
	for (uint32_t i = c->attempt % n; i > 0; i--)
		a = a->ai_next;
	memset(&to, 0, sizeof(to));
	memcpy(&to, a->ai_addr, a->ai_addrlen);
	address_set_port((struct sockaddr *)&to, c->to.port);
	enter(c);
	connect_to(c, (struct sockaddr *)&to, a->ai_addrlen);
	leave(c);
}

static void
start(struct redis_conn *c)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };

	c->counters->connects++;
	c->counters->reconnects += c->again;
	c->again = false;
	c->attempt++;
	c->useful = false;
	set_state(c, REDIS_CONN_RESOLVING);
	timer_set(&c->timer, c->loop, loop_now_us(c->loop) +
	    c->login->connect_ms * 1000LL, on_timer);
	if (c->to.path[0] == '\0') {
		c->lookup = lookup_start(c->loop, c->to.host, AI_ADDRCONFIG,
		    found_host, c);
		return;
	}
	memcpy(path.sun_path, c->to.path, sizeof(path.sun_path));
	connect_to(c, (struct sockaddr *)&path, sizeof(path));
}

void
redis_conn_is_up(struct redis_conn *c)
{
	log_info("Redis is connected", "address=%s", c->name);
	c->log_again = true;
	c->heard_us = loop_now_us(c->loop);
	set_state(c, REDIS_CONN_UP);
	timer_set(&c->timer, c->loop, c->heard_us + REDIS_PING_MS * 1000LL,
	    on_timer);
	while (!list_empty(&c->waiting)) {
		struct redis_call *call = LIST_ENTRY(c->waiting.next,
		    struct redis_call, link);

		list_remove(&call->link);
		redis_conn_write(c, call);
	}
	if (c->ops->up != NULL)
		c->ops->up(c, c->arg);
}

/* Whoever is quiet for long may have gone without a word. */
static void
look_after(struct redis_conn *c)
{
	int64_t now = loop_now_us(c->loop);
	int64_t next = c->heard_us + REDIS_PING_MS * 1000LL;

	if (next <= now) {
		next = now + REDIS_PING_MS * 1000LL;
		redis_conn_ping(c);
	}
	timer_set(&c->timer, c->loop, next, on_timer);
}

static void
on_timer(struct timer *t)
{
	struct redis_conn *c = LIST_ENTRY(t, struct redis_conn, timer);

	enter(c);
	if (c->state <= REDIS_CONN_STARTING)
		start(c);
	else if (c->state == REDIS_CONN_UP)
		look_after(c);
	else
		lose(c, c->state == REDIS_CONN_RESOLVING ?
		    "the name was not found in time" :
		    c->state == REDIS_CONN_LOGIN ?
		    "the login was not answered in time" :
		    "it was not connected in time", NULL);
	leave(c);
}

/* ---- the owner's ---- */

struct redis_conn *
redis_conn_new(struct loop *l, const struct redis_login *login,
    struct redis_counters *counters, const struct redis_conn_ops *ops,
    void *arg)
{
	struct redis_conn *c = mem_zalloc(sizeof(*c));

	c->loop = l;
	c->login = login;
	c->counters = counters;
	c->ops = ops;
	c->arg = arg;
	c->since_us = loop_now_us(l);
	list_init(&c->sent);
	list_init(&c->waiting);
	snprintf(c->name, sizeof(c->name), "?");
	return c;
}

void
redis_conn_free(struct redis_conn *c)
{
	if (c == NULL)
		return;
	assert(!c->dead);
	enter(c);
	c->dead = true;
	tear_down(c);
	c->state = REDIS_CONN_RESTING;
	fail_calls(&c->sent, REDIS_LOST, "the connection was given up");
	fail_calls(&c->waiting, REDIS_DOWN, "the connection was given up");
	leave(c);
}

static void
name_it(struct redis_conn *c)
{
	const struct redis_address *a = &c->to;

	if (a->path[0] != '\0')
		snprintf(c->name, sizeof(c->name), "%s", a->path);
	else
		snprintf(c->name, sizeof(c->name), strchr(a->host, ':') ?
		    "[%s]:%d" : "%s:%d", a->host, a->port);
}

bool
redis_address_same(const struct redis_address *a, const struct redis_address *b)
{
	return strcmp(a->path, b->path) == 0 && a->port == b->port &&
	    strcasecmp(a->host, b->host) == 0;
}

void
redis_conn_go(struct redis_conn *c, const struct redis_address *to)
{
	if (c->state != REDIS_CONN_RESTING && redis_address_same(&c->to, to))
		return;
	enter(c);
	tear_down(c);
	c->to = *to;
	name_it(c);
	c->backoff_ms = 0;
	c->useful = false;
	c->error.text[0] = '\0';
	set_state(c, REDIS_CONN_STARTING);
	timer_set(&c->timer, c->loop, loop_now_us(c->loop), on_timer);
	fail_calls(&c->sent, REDIS_LOST, "its server is another one now");
	leave(c);
}

void
redis_conn_go_next(struct redis_conn *c, const struct redis_address *to)
{
	if (c->state != REDIS_CONN_WAITING) {
		redis_conn_go(c, to);
		return;
	}
	c->to = *to;
	name_it(c);
}

void
redis_conn_rest(struct redis_conn *c)
{
	enter(c);
	tear_down(c);
	set_state(c, REDIS_CONN_RESTING);
	fail_calls(&c->sent, REDIS_LOST, "the connection was given up");
	fail_calls(&c->waiting, REDIS_DOWN, "the connection was given up");
	leave(c);
}

bool
redis_conn_up(const struct redis_conn *c)
{
	return c->state == REDIS_CONN_UP;
}

bool
redis_conn_going(const struct redis_conn *c)
{
	return c->state != REDIS_CONN_RESTING;
}

int64_t
redis_conn_since_us(const struct redis_conn *c)
{
	return c->since_us;
}

const char *
redis_conn_name(const struct redis_conn *c)
{
	return c->name;
}

const struct redis_address *
redis_conn_address(const struct redis_conn *c)
{
	return &c->to;
}

const char *
redis_conn_error(const struct redis_conn *c)
{
	return c->error.text;
}
