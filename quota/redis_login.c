/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said before a connection is up, all in one round trip: who we are,
 * which database, and whether the server is one that can be used.
 */
#include <stdio.h>
#include <stdlib.h>

#include "quota/redis_conn_private.h"

static void
say(struct redis_conn *c, const char *const *words, uint32_t n,
    void (*done)(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why))
{
	struct slice argv[3];
	struct redis_call *call;

	for (uint32_t i = 0; i < n; i++)
		argv[i] = slice_of(words[i]);
	call = redis_call_new(sizeof(*call), n, argv);
	call->done = done;
	call->arg = c;
	c->login_left++;
	redis_conn_write(c, call);
}

/* NULL: it is good. The reply's memory is the call's. */
static void
judged(struct redis_call *call, const char *what, const char *fault)
{
	struct redis_conn *c = call->arg;
	char text[400];

	if (fault != NULL) {
		snprintf(text, sizeof(text), "%s: %s", what, fault);
		redis_call_free(call);
		redis_conn_lose(c, text);
		return;
	}
	redis_call_free(call);
	if (--c->login_left == 0)
		redis_conn_is_up(c);
}

/* Whether the connection has ended, and with it the login. */
static bool
is_over(struct redis_call *call, const struct redis_reply *reply)
{
	if (reply != NULL)
		return false;
	redis_call_free(call);
	return true;
}

static void
auth_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	if (!is_over(call, reply))
		judged(call, "the login", o == REDIS_REFUSED ? why : NULL);
}

static void
select_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	if (!is_over(call, reply))
		judged(call, "the database", o == REDIS_REFUSED ? why : NULL);
}

/* A user without the right to ask is not kept out for that. */
static bool
is_forbidden(const struct redis_reply *reply)
{
	return redis_reply_is_error(reply, "NOPERM");
}

static void
ping_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	if (!is_over(call, reply))
		judged(call, "PING", o == REDIS_REFUSED &&
		    !is_forbidden(reply) ? why : NULL);
}

/* Servers that are no Redis may not know it. */
static void
role_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct slice role = redis_reply_text(redis_reply_at(reply, 0));

	(void)o;
	(void)why;
	if (is_over(call, reply))
		return;
	judged(call, "the server", slice_is(role, "slave") ?
	    "it is a replica" : slice_is(role, "sentinel") ?
	    "it is a Sentinel" : NULL);
}

static bool
has_line(struct slice text, const char *line)
{
	return text.len > 0 && memmem(text.data, text.len, line,
	    strlen(line)) != NULL;
}

static void
cluster_done(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	struct slice info = redis_reply_text(reply);

	if (is_over(call, reply))
		return;
	if (o == REDIS_REFUSED)
		judged(call, "CLUSTER INFO", is_forbidden(reply) ? NULL : why);
	else
		judged(call, "the Cluster", has_line(info, "cluster_state:fail")
		    ? "it is not complete, or this server is cut off" : NULL);
}

void
redis_conn_log_in(struct redis_conn *c)
{
	const struct redis_login *l = c->login;
	const char *user[] = { "AUTH", l->username, l->password };
	const char *password[] = { "AUTH", l->password };
	const char *ping[] = { "PING" }, *role[] = { "ROLE" };
	const char *cluster[] = { "CLUSTER", "INFO" };
	char number[16];
	const char *database[] = { "SELECT", number };

	snprintf(number, sizeof(number), "%u", l->database);
	if (l->password != NULL && l->username != NULL)
		say(c, user, 3, auth_done);
	else if (l->password != NULL)
		say(c, password, 2, auth_done);
	if (l->database != 0)
		say(c, database, 2, select_done);
	if (l->check == REDIS_CHECK_MASTER)
		say(c, role, 1, role_done);
	if (l->check == REDIS_CHECK_CLUSTER)
		say(c, cluster, 2, cluster_done);
	say(c, ping, 1, ping_done);
}

static void
still_there(struct redis_call *call, enum redis_outcome o,
    struct redis_reply *reply, const char *why)
{
	(void)o;
	(void)reply;
	(void)why;
	redis_call_free(call);
}

void
redis_conn_ping(struct redis_conn *c)
{
	static const struct slice ping = { (const uint8_t *)"PING", 4 };
	struct redis_call *call = redis_call_new(sizeof(*call), 1, &ping);

	call->done = still_there;
	call->deadline_us = loop_now_us(c->loop) +
	    c->login->timeout_ms * 1000LL;
	redis_conn_write(c, call);
}
