/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_redis.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop.h"

void
fake_say_bytes(struct fake_client *c, const void *data, size_t len)
{
	assert(c->bev != NULL);
	bufferevent_write(c->bev, data, len);
}

void
fake_say(struct fake_client *c, const char *fmt, ...)
{
	va_list ap;

	assert(c->bev != NULL);
	va_start(ap, fmt);
	evbuffer_add_vprintf(bufferevent_get_output(c->bev), fmt, ap);
	va_end(ap);
}

bool
fake_said_all(const struct fake_client *c)
{
	return c->bev != NULL && evbuffer_get_length(
	    bufferevent_get_output(c->bev)) == 0;
}

void
fake_hang_up(struct fake_client *c)
{
	if (c->bev == NULL)
		return;
	bufferevent_free(c->bev);
	c->bev = NULL;
	redis_reader_free(c->reader);
	c->reader = NULL;
}

/* True: it was of the login. */
static bool
serve_login(struct fake_client *c, const char *text)
{
	struct fake_redis *f = c->server;
	char wanted[256];

	if (strncmp(text, "AUTH ", 5) == 0) {
		f->logins++;
		snprintf(wanted, sizeof(wanted), f->user != NULL ?
		    "AUTH %s %s" : "AUTH %.0s%s", f->user ? f->user : "",
		    f->password ? f->password : "");
		fake_say(c, strcmp(text, wanted) == 0 ? "+OK\r\n" :
		    "-WRONGPASS invalid username-password pair\r\n");
	} else if (strncmp(text, "SELECT ", 7) == 0) {
		f->selected = (int)strtol(text + 7, NULL, 10);
		fake_say(c, "+OK\r\n");
	} else if (strcmp(text, "PING") == 0) {
		f->pings++;
		fake_say(c, "%s", f->ping ? f->ping : "+PONG\r\n");
	} else if (strcmp(text, "ROLE") == 0) {
		const char *role = f->role ? f->role : "master";

		if (role[0] == '-')
			fake_say(c, "%s", role);
		else
			fake_say(c, "*3\r\n$%zu\r\n%s\r\n:0\r\n*0\r\n",
			    strlen(role), role);
	} else if (strcmp(text, "CLUSTER INFO") == 0) {
		fake_say(c, "%s", f->cluster_info ? f->cluster_info :
		    "$18\r\ncluster_state:ok\r\n\r\n");
	} else {
		return false;
	}
	return true;
}

static void
serve(struct fake_client *c, const struct redis_reply *command)
{
	struct fake_redis *f = c->server;
	char text[4096];
	size_t n = 0;

	assert(command->kind == REDIS_LIST && command->n > 0);
	for (uint32_t i = 0; i < command->n; i++) {
		struct slice s = redis_reply_text(command->v[i]);

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s",
		    i > 0 ? " " : "", SLICE_FMT(s));
		assert(n < sizeof(text));
	}
	if (f->mute || serve_login(c, text))
		return;
	assert(f->commands < FAKE_COMMANDS);
	f->last[f->commands++] = mem_strdup(text);
	assert(f->serve != NULL);
	f->serve(c, text, f->arg);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct fake_client *c = arg;
	struct redis_reply *command;
	struct arena memory;
	uint8_t data[4096];
	struct error err;
	size_t n;

	while (c->bev == bev &&
	    (n = bufferevent_read(bev, data, sizeof(data))) > 0) {
		if (!redis_reader_feed(c->reader, data, n, &err))
			abort();
		while (c->bev == bev) {
			if (!redis_reader_next(c->reader, &command, &memory,
			    &err))
				abort();
			if (command == NULL)
				break;
			serve(c, command);
			arena_fini(&memory);
		}
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
		fake_hang_up(arg);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a,
    int len, void *arg)
{
	struct fake_redis *f = arg;
	struct fake_client *c = &f->clients[f->accepted++ % FAKE_CLIENTS];
	struct event_base *base = loop_base(f->loop);

	(void)l;
	(void)a;
	(void)len;
	fake_hang_up(c);
	c->server = f;
	c->reader = redis_reader_new();
	c->bev = f->tls != NULL ? bufferevent_openssl_socket_new(base, fd,
	    SSL_new(f->tls), BUFFEREVENT_SSL_ACCEPTING,
	    BEV_OPT_CLOSE_ON_FREE) :
	    bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static void
listen_at(struct fake_redis *f, const struct sockaddr *a, socklen_t len)
{
	f->listener = evconnlistener_new_bind(loop_base(f->loop), on_accept, f,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16, a, (int)len);
	assert(f->listener != NULL);
}

void
fake_redis_again(struct fake_redis *f)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	if (f->address[0] == '/') {
		unlink(f->address);
		memcpy(path.sun_path, f->address, strlen(f->address));
		listen_at(f, (struct sockaddr *)&path, sizeof(path));
		return;
	}
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons((uint16_t)f->port);
	listen_at(f, (struct sockaddr *)&in, sizeof(in));
	getsockname(evconnlistener_get_fd(f->listener), (struct sockaddr *)&in,
	    &len);
	f->port = ntohs(in.sin_port);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%d", f->port);
}

void
fake_redis_begin(struct fake_redis *f, struct loop *l, const char *path,
    struct ssl_ctx_st *tls)
{
	memset(f, 0, sizeof(*f));
	f->loop = l;
	f->tls = tls;
	if (path != NULL)
		snprintf(f->address, sizeof(f->address), "%s", path);
	fake_redis_again(f);
}

void
fake_redis_drop(struct fake_redis *f)
{
	for (int i = 0; i < FAKE_CLIENTS; i++)
		fake_hang_up(&f->clients[i]);
}

void
fake_redis_stop(struct fake_redis *f)
{
	if (f->listener != NULL)
		evconnlistener_free(f->listener);
	f->listener = NULL;
}

void
fake_redis_end(struct fake_redis *f)
{
	fake_redis_stop(f);
	fake_redis_drop(f);
	for (int i = 0; i < f->commands; i++)
		free(f->last[i]);
	if (f->address[0] == '/')
		unlink(f->address);
	SSL_CTX_free(f->tls);
}

struct fake_client *
fake_client(struct fake_redis *f)
{
	assert(f->accepted > 0);
	return &f->clients[(f->accepted - 1) % FAKE_CLIENTS];
}

int
fake_count(const struct fake_redis *f, const char *begins)
{
	int n = 0;

	for (int i = 0; i < f->commands; i++)
		n += strncmp(f->last[i], begins, strlen(begins)) == 0;
	return n;
}
