/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/net/tls.h"
#include "quota/redis_private.h"
#include "quota/redis_slots.h"

const char *
redis_outcome_word(enum redis_outcome o)
{
	static const char *const words[] = {
		[REDIS_ANSWERED] = "answered", [REDIS_REFUSED] = "refused",
		[REDIS_TIMED_OUT] = "timed out", [REDIS_LOST] = "lost",
		[REDIS_DOWN] = "down", [REDIS_FREED] = "freed",
	};

	return words[o];
}

bool
redis_address_parse(const char *text, struct redis_address *to,
    struct error *err)
{
	memset(to, 0, sizeof(*to));
	if (text[0] == '/') {
		if (strlen(text) >= sizeof(to->path))
			return error_set(err, "\"%.80s...\": a socket's path "
			    "has at most %zu bytes", text,
			    sizeof(to->path) - 1);
		snprintf(to->path, sizeof(to->path), "%s", text);
		return true;
	}
	if (!address_split(text, to->host, sizeof(to->host), &to->port, err))
		return false;
	if (to->host[0] == '\0' || to->port == 0)
		return error_set(err, "\"%s\": a host and its port are needed",
		    text);
	return true;
}

/* ---- telling ---- */

/* Callbacks come from here alone, so that nobody is called while he calls. */
static void
tell_soon(struct redis *r)
{
	if (!r->freed)
		event_active(&r->tell, EV_TIMEOUT, 0);
}

void
redis_has_changed(struct redis *r)
{
	r->has_changed = true;
	tell_soon(r);
}

static void
tell_one(struct redis *r)
{
	struct redis_ask *a = LIST_ENTRY(r->done.next, struct redis_ask,
	    call.link);

	list_remove(&a->call.link);
	r->calls--;
	a->cb(a->arg, a->outcome, a->reply, a->why);
	redis_call_free(&a->call);
}

static void
destroy(struct redis *r)
{
	tls_context_unref(r->login.tls);
	free(r->addresses);
	free(r->master_name);
	free(r->username);
	free(r->sentinel_username);
	if (r->password != NULL)
		OPENSSL_cleanse(r->password, strlen(r->password));
	free(r->password);
	if (r->sentinel_password != NULL)
		OPENSSL_cleanse(r->sentinel_password,
		    strlen(r->sentinel_password));
	free(r->sentinel_password);
	free(r);
}

/* What fails while it is told waits for the next time, so that who tries again
 * at once does not hold up the loop. */
static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	uint32_t n = 0;

	(void)fd;
	(void)what;
	r->busy++;
	LIST_FOREACH(link, &r->done)
		n++;
	if (r->has_changed) {
		r->has_changed = false;
		if (r->changed != NULL)
			r->changed(r->arg);
	}
	while (n-- > 0 && !list_empty(&r->done))
		tell_one(r);
	if (!list_empty(&r->done) || r->has_changed)
		tell_soon(r);
	if (--r->busy == 0 && r->freed)
		destroy(r);
}

/* ---- calls ---- */

void
redis_ask_finish(struct redis_ask *a, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct redis_counters *n = &a->r->counters;

	n->timeouts += o == REDIS_TIMED_OUT;
	n->lost += o == REDIS_LOST || o == REDIS_DOWN;
	n->refused += o == REDIS_REFUSED;
	a->outcome = a->r->freed ? REDIS_FREED : o;
	a->reply = reply;
	snprintf(a->why, sizeof(a->why), "%s", why);
	list_append(&a->r->done, &a->call.link);
	tell_soon(a->r);
}

void
redis_ask_send(struct redis_ask *a, struct redis_conn *c)
{
	a->via = c;
	redis_conn_send(c, &a->call);
}

/* The script travels with it, once. */
static bool
send_script(struct redis_ask *a, const struct redis_reply *reply)
{
	if (a->script == NULL || !redis_reply_is_error(reply, "NOSCRIPT") ||
	    slice_is(a->call.argv[0], "EVAL"))
		return false;
	a->r->counters.noscript++;
	a->call.argv[0] = SLICE_LIT("EVAL");
	a->call.argv[1] = a->script->text;
	redis_ask_send(a, a->via);
	return true;
}

static void
ask_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct redis_ask *a = (struct redis_ask *)call;

	if (o == REDIS_REFUSED && !a->r->freed && (send_script(a, reply) ||
	    (a->r->cluster != NULL && redis_cluster_refused(a->r->cluster, a,
	    reply, why))))
		return;
	redis_ask_finish(a, o, reply, why);
}

static struct redis_ask *
ask_new(struct redis *r, uint32_t argc, const struct slice *argv,
    uint32_t timeout_ms, redis_cb *cb, void *arg)
{
	struct redis_ask *a;

	assert(!r->freed);
	a = (struct redis_ask *)redis_call_new(sizeof(*a), argc, argv);
	a->call.done = ask_done;
	a->call.deadline_us = loop_now_us(r->loop) +
	    (timeout_ms > 0 ? timeout_ms : r->timeout_ms) * 1000LL;
	a->r = r;
	a->cb = cb;
	a->arg = arg;
	r->calls++;
	r->counters.calls++;
	return a;
}

static void
route(struct redis_ask *a, struct slice key)
{
	struct redis *r = a->r;

	if (r->calls > REDIS_CALLS_MAX)
		redis_ask_finish(a, REDIS_DOWN, NULL, "too many calls wait");
	else if (r->cluster != NULL)
		redis_cluster_route(r->cluster, a, key);
	else
		redis_ask_send(a, r->master);
}

void
redis_call(struct redis *r, struct slice key, uint32_t argc,
    const struct slice *argv, uint32_t timeout_ms, redis_cb *cb, void *arg)
{
	route(ask_new(r, argc, argv, timeout_ms, cb, arg), key);
}

void
redis_script_init(struct redis_script *s, struct slice text)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[20];

	s->text = text;
	if (EVP_Digest(text.data, text.len, digest, NULL, EVP_sha1(),
	    NULL) != 1)
		abort();	/* out of memory */
	for (size_t i = 0; i < sizeof(digest); i++) {
		s->sha1[2 * i] = hex[digest[i] >> 4];
		s->sha1[2 * i + 1] = hex[digest[i] & 15];
	}
	s->sha1[40] = '\0';
}

void
redis_script_call(struct redis *r, const struct redis_script *s,
    uint32_t nkeys, const struct slice *keys, uint32_t nargs,
    const struct slice *args, uint32_t timeout_ms, redis_cb *cb, void *arg)
{
	struct slice *argv = mem_alloc((3 + (size_t)nkeys + nargs) *
	    sizeof(*argv));
	struct redis_ask *a;
	char number[16];

	assert(nkeys > 0);
	snprintf(number, sizeof(number), "%u", nkeys);
	argv[0] = SLICE_LIT("EVALSHA");
	argv[1] = slice_of(s->sha1);
	argv[2] = slice_of(number);
	memcpy(argv + 3, keys, nkeys * sizeof(*keys));
	if (nargs > 0)
		memcpy(argv + 3 + nkeys, args, nargs * sizeof(*args));
	a = ask_new(r, 3 + nkeys + nargs, argv, timeout_ms, cb, arg);
	a->script = s;
	free(argv);
	route(a, keys[0]);
}

/* ---- shards ---- */

uint32_t
redis_group(const struct redis *r, struct slice key)
{
	return r->cluster != NULL ? redis_slot(key) : 0;
}

bool
redis_up(const struct redis *r, struct slice key)
{
	const struct redis_conn *c = r->cluster != NULL ?
	    redis_cluster_conn(r->cluster, key) : r->master;

	return c != NULL && redis_conn_up(c);
}

uint32_t
redis_shards(const struct redis *r)
{
	uint32_t n = r->cluster != NULL ? redis_cluster_shards(r->cluster) : 1;

	return n > 0 ? n : 1;
}

void
redis_shard(const struct redis *r, uint32_t i, struct redis_shard_state *to)
{
	const struct redis_conn *c = r->master;

	assert(i < redis_shards(r));
	if (r->cluster != NULL)
		c = redis_cluster_shards(r->cluster) > 0 ?
		    redis_cluster_shard(r->cluster, i) : NULL;
	*to = (struct redis_shard_state){ .address = "?",
		.since_us = r->since_us, .error = r->error.text };
	if (c == NULL)
		return;
	to->address = redis_conn_name(c);
	to->up = redis_conn_up(c);
	to->since_us = redis_conn_since_us(c);
	if (redis_conn_error(c)[0] != '\0')
		to->error = redis_conn_error(c);
}

const struct redis_counters *
redis_counters(const struct redis *r)
{
	return &r->counters;
}

static void
master_up(struct redis_conn *c, void *arg)
{
	(void)c;
	redis_has_changed(arg);
}

static void
master_down(struct redis_conn *c, void *arg)
{
	struct redis *r = arg;

	(void)c;
	redis_has_changed(r);
	if (r->sentinel != NULL)
		redis_sentinel_ask(r->sentinel);
}

static const struct redis_conn_ops master_ops = {
	.up = master_up, .down = master_down,
};

/* ---- beginning and end ---- */

static char *
copy_of(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static bool
copy_addresses(struct redis *r, const struct redis_options *o,
    struct error *err)
{
	if (o->n == 0 || o->n > REDIS_ADDRESSES_MAX)
		return error_set(err, "1 to %d addresses are needed",
		    REDIS_ADDRESSES_MAX);
	if (o->mode == REDIS_SINGLE && o->n != 1)
		return error_set(err, "one server has one address");
	r->addresses = mem_zalloc(o->n * sizeof(*r->addresses));
	r->n = o->n;
	for (uint32_t i = 0; i < o->n; i++) {
		if (!redis_address_parse(o->addresses[i], &r->addresses[i],
		    err))
			return false;
		if (r->addresses[i].path[0] == '\0')
			continue;
		if (o->mode != REDIS_SINGLE)
			return error_set(err, "\"%s\": a unix socket leads to "
			    "one server only", o->addresses[i]);
		if (o->tls != NULL)
			return error_set(err, "\"%s\": a unix socket is "
			    "spoken to without TLS", o->addresses[i]);
	}
	return true;
}

static bool
set_up(struct redis *r, const struct redis_options *o, struct error *err)
{
	static const enum redis_check checks[] = {
		[REDIS_SINGLE] = REDIS_CHECK_MASTER,
		[REDIS_SENTINEL] = REDIS_CHECK_MASTER,
		[REDIS_CLUSTER] = REDIS_CHECK_CLUSTER,
	};

	r->mode = o->mode;
	r->timeout_ms = o->timeout_ms ? o->timeout_ms : REDIS_TIMEOUT_MS;
	r->changed = o->changed;
	r->arg = o->arg;
	r->master_name = copy_of(o->master_name);
	r->username = copy_of(o->username);
	r->password = copy_of(o->password);
	r->sentinel_username = copy_of(o->sentinel_username);
	r->sentinel_password = copy_of(o->sentinel_password);
	r->login = (struct redis_login){ .username = r->username,
		.password = r->password, .database = o->database,
		.connect_ms = o->connect_ms ? o->connect_ms : REDIS_CONNECT_MS,
		.timeout_ms = r->timeout_ms, .check = checks[o->mode] };
	if (o->tls != NULL)
		r->login.tls = tls_context_ref(o->tls);
	r->sentinel_login = r->login;
	r->sentinel_login.username = r->sentinel_username;
	r->sentinel_login.password = r->sentinel_password;
	r->sentinel_login.database = 0;
	r->sentinel_login.check = REDIS_CHECK_ALIVE;
	if (o->mode == REDIS_SENTINEL && o->master_name == NULL)
		return error_set(err, "Sentinels must be asked for a master "
		    "by its name");
	if (o->mode == REDIS_CLUSTER && o->database != 0)
		return error_set(err, "a Cluster has database 0 only");
	return copy_addresses(r, o, err);
}

struct redis *
redis_new(struct loop *l, const struct redis_options *o, struct error *err)
{
	struct redis *r = mem_zalloc(sizeof(*r));

	r->loop = l;
	list_init(&r->done);
	if (!set_up(r, o, err)) {
		destroy(r);
		return NULL;
	}
	evtimer_assign(&r->tell, loop_base(l), on_tell, r);
	r->since_us = loop_now_us(l);
	if (o->mode == REDIS_CLUSTER) {
		r->cluster = redis_cluster_new(r);
		return r;
	}
	r->master = redis_conn_new(l, &r->login, &r->counters, &master_ops, r);
	if (o->mode == REDIS_SENTINEL)
		r->sentinel = redis_sentinel_new(r);
	else
		redis_conn_go(r->master, &r->addresses[0]);
	return r;
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	assert(!r->freed);
	r->freed = true;
	r->busy++;
	event_del(&r->tell);
	redis_sentinel_free(r->sentinel);
	redis_cluster_free(r->cluster);
	redis_conn_free(r->master);
	while (!list_empty(&r->done))
		tell_one(r);
	assert(r->calls == 0);
	if (--r->busy == 0)
		destroy(r);
}
