/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redis_fixture.h"

#include "tests/unit/http_fixture.h"

#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "gateway/net/lookup.h"
#include "gateway/net/tls.h"
#include "tests/unit/real_dns.h"

static struct {
	struct loop	*loop;
	struct fake_redis server;
	struct redis	*r;
	int		 changes;
	uint32_t	 timeout_ms;	/* 0: so long that no test sees it */
} world;

enum { LONG_MS = 60000 };

static void
on_change(void *arg)
{
	assert_ptr_equal(arg, &world);
	world.changes++;
}

/* "GET k" is answered with "k" and so on: what a command is about. */
static void
serve_echo(struct fake_client *c, const char *command, void *arg)
{
	const char *key = strchr(command, ' ') + 1;

	(void)arg;
	fake_say(c, "$%zu\r\n%s\r\n", strlen(key), key);
}

static void
serve_nothing(struct fake_client *c, const char *command, void *arg)
{
	(void)c;
	(void)command;
	(void)arg;
}

/* world.server.arg, as it is. */
static void
serve_raw(struct fake_client *c, const char *command, void *arg)
{
	(void)command;
	fake_say(c, "%s", (const char *)arg);
}

static struct redis *
client(const struct redis_options *more)
{
	const char *addresses[] = { world.server.address };
	struct redis_options o = more ? *more : (struct redis_options){ 0 };
	struct error err = { "" };
	struct redis *r;

	o.addresses = addresses;
	o.n = 1;
	o.timeout_ms = world.timeout_ms ? world.timeout_ms : LONG_MS;
	o.changed = on_change;
	o.arg = &world;
	r = redis_new(world.loop, &o, &err);
	if (r == NULL)
		fail_msg("%s", err.text);
	return r;
}

static void
begin_with(const struct redis_options *more)
{
	world.r = client(more);
	UNTIL(world.loop, shard_is_up(world.r, "k"));
}

static void
begin(void (*serve)(struct fake_client *c, const char *command, void *arg),
    const char *raw)
{
	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, NULL, NULL);
	world.server.serve = serve;
	world.server.arg = (void *)(uintptr_t)raw;
	world.changes = 0;
	begin_with(NULL);
}

static void
end(void)
{
	redis_free(world.r);
	fake_redis_end(&world.server);
	loop_free(world.loop);
	clock_replace(NULL);
	world.timeout_ms = 0;
}

/* ---- calls ---- */

static void
test_call(void **state)
{
	struct asked a = { 0 };

	(void)state;
	begin(serve_echo, NULL);
	ask(world.r, &a, "k", "GET", NULL);
	assert_int_equal(a.told, 0);
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(a.outcome, REDIS_ANSWERED);
	assert_int_equal(a.kind, REDIS_TEXT);
	assert_string_equal(a.text, "k");
	assert_true(world.changes > 0);
	assert_int_equal(redis_counters(world.r)->calls, 1);
	end();
	assert_int_equal(a.told, 1);
}

static void
test_replies_of_each_kind(void **state)
{
	static const struct {
		const char	*raw;
		enum redis_outcome outcome;
		enum redis_kind	 kind;
		int64_t		 integer;
		const char	*text;
		uint32_t	 n;
	} rows[] = {
		{ "+OK\r\n", REDIS_ANSWERED, REDIS_STATUS, 0, "OK", 0 },
		{ ":-12\r\n", REDIS_ANSWERED, REDIS_INTEGER, -12, "", 0 },
		{ ":9223372036854775807\r\n", REDIS_ANSWERED, REDIS_INTEGER,
		  INT64_MAX, "", 0 },
		{ "$-1\r\n", REDIS_ANSWERED, REDIS_NIL, 0, "", 0 },
		{ "*-1\r\n", REDIS_ANSWERED, REDIS_NIL, 0, "", 0 },
		{ "$0\r\n\r\n", REDIS_ANSWERED, REDIS_TEXT, 0, "", 0 },
		{ "*0\r\n", REDIS_ANSWERED, REDIS_LIST, 0, "", 0 },
		{ "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n$-1\r\n", REDIS_ANSWERED,
		  REDIS_LIST, 0, "", 3 },
		{ "-OOM command not allowed\r\n", REDIS_REFUSED, REDIS_ERROR,
		  0, "OOM command not allowed", 0 },
	};

	(void)state;
	begin(serve_raw, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked a = { 0 };

		world.server.arg = (void *)(uintptr_t)rows[i].raw;
		ask(world.r, &a, "k", "GET", NULL);
		UNTIL(world.loop, a.told > 0);
		assert_int_equal(a.outcome, rows[i].outcome);
		assert_int_equal(a.kind, rows[i].kind);
		assert_int_equal(a.integer, rows[i].integer);
		assert_string_equal(a.text, rows[i].text);
		assert_int_equal(a.n, rows[i].n);
	}
	assert_int_equal(world.server.accepted, 1);
	end();
}

/* Nothing is answered before all have come, and then in their order. */
static void
serve_together(struct fake_client *c, const char *command, void *arg)
{
	struct fake_redis *f = c->server;

	(void)arg;
	(void)command;
	if (f->commands == 3)
		for (int i = 0; i < 3; i++)
			serve_echo(c, f->last[i], NULL);
}

static void
test_pipeline(void **state)
{
	struct asked a = { 0 }, b = { 0 }, c = { 0 };
	uint64_t trips;

	(void)state;
	begin(serve_together, NULL);
	trips = redis_counters(world.r)->round_trips;
	ask(world.r, &a, "k1", "GET", NULL);
	ask(world.r, &b, "k2", "GET", NULL);
	ask(world.r, &c, "k3", "GET", NULL);
	UNTIL(world.loop, c.told > 0);
	assert_string_equal(a.text, "k1");
	assert_string_equal(b.text, "k2");
	assert_string_equal(c.text, "k3");
	assert_int_equal(redis_counters(world.r)->round_trips, trips + 1);
	end();
}

static void
test_bytes_one_by_one(void **state)
{
	static const char reply[] =
	    "*4\r\n:12\r\n$5\r\nab\r\nc\r\n-ERR no\r\n*2\r\n$-1\r\n+OK\r\n";
	struct asked a = { 0 };

	(void)state;
	begin(serve_nothing, NULL);
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 1);
	for (size_t i = 0; i < sizeof(reply) - 1; i++) {
		assert_int_equal(a.told, 0);
		fake_say_bytes(fake_client(&world.server), reply + i, 1);
		turns(world.loop, 2);
	}
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(a.outcome, REDIS_ANSWERED);
	assert_int_equal(a.n, 4);
	end();
}

/* Before the connection is up calls wait for it. */
static void
test_calls_wait_for_the_first_connection(void **state)
{
	struct asked a = { 0 };

	(void)state;
	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, NULL, NULL);
	world.server.serve = serve_echo;
	world.r = client(NULL);
	assert_false(shard_is_up(world.r, "k"));
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(a.outcome, REDIS_ANSWERED);
	end();
}

/* ---- what may come instead of an answer ---- */

static void
test_nonsense(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"\r\n",
		"$abc\r\n",
		"$-2\r\n",
		":\r\n",
		":1x\r\n",
		"*-2\r\n",
		"*2000000000\r\n",
		"*65537\r\n",
		"*4294967297\r\n+OK\r\n+OK\r\n",
		"*9223372036854775807\r\n",
		"*2\r\n*65535\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		"+OK\r\n+OK\r\n",
		"%1\r\n+a\r\n+b\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked a = { 0 }, b = { 0 };

		begin(serve_raw, rows[i]);
		ask(world.r, &a, "k", "GET", NULL);
		UNTIL(world.loop, a.told > 0 && redis_counters(world.r)->
		    connects > 1 && shard_is_up(world.r, "k"));
		if (rows[i][0] != '+' && strncmp(rows[i], "*42", 3) != 0)
			assert_int_equal(a.outcome, REDIS_LOST);
		world.server.serve = serve_echo;
		ask(world.r, &b, "after", "GET", NULL);
		UNTIL(world.loop, b.told > 0);
		assert_string_equal(b.text, "after");
		assert_int_equal(world.server.accepted, 2);
		end();
	}
}

/* However long it says it is, no more is taken than the cap. */
static void
test_giant_reply(void **state)
{
	static const char *const begins[] = { "$2000000000\r\n", "+", "-", ":",
		"*" };
	static char some[64 * 1024];

	(void)state;
	memset(some, '1', sizeof(some));
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		struct asked a = { 0 };
		uint64_t most = 0;

		begin(serve_raw, begins[i]);
		fake_time_begin();
		ask(world.r, &a, "k", "GET", NULL);
		UNTIL(world.loop, world.server.commands == 1);
		while (a.told == 0) {
			if (fake_said_all(fake_client(&world.server))) {
				fake_say_bytes(fake_client(&world.server),
				    some, sizeof(some));
				most += sizeof(some);
			}
			loop_turn(world.loop, 1);
			assert_true(most < 2 * REDIS_REPLY_BYTES_MAX);
		}
		assert_int_equal(a.outcome, REDIS_LOST);
		assert_non_null(strstr(a.why, "longer than"));
		assert_true(redis_counters(world.r)->bytes_in <=
		    REDIS_REPLY_BYTES_MAX + 2 * sizeof(some));
		end();
	}
}

static void
serve_half(struct fake_client *c, const char *command, void *arg)
{
	(void)command;
	(void)arg;
	if (c->server->commands == 1)
		fake_say(c, "$10\r\n01234");
}

static void
test_end_amid_a_reply(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	begin(serve_half, NULL);
	ask(world.r, &a, "k", "GET", NULL);
	ask(world.r, &b, "k", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 2);
	turns(world.loop, 3);
	fake_redis_drop(&world.server);
	UNTIL(world.loop, a.told > 0 && b.told > 0);
	assert_int_equal(a.outcome, REDIS_LOST);
	assert_int_equal(b.outcome, REDIS_LOST);
	assert_non_null(strstr(a.why, "hung up"));
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	assert_int_equal(redis_counters(world.r)->reconnects, 1);
	end();
}

/* ---- time ---- */

/* A hung server: the connection ends, so what it says later is nobody's. */
static void
test_timeout(void **state)
{
	struct asked a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	struct fake_client *old;

	(void)state;
	world.timeout_ms = REDIS_TIMEOUT_MS;
	begin(serve_nothing, NULL);
	fake_time_begin();
	ask(world.r, &a, "k1", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 1);
	fake_time_pass(world.loop, 200);
	ask(world.r, &b, "k2", "GET", NULL);
	assert_int_equal(a.told, 0);
	fake_time_pass(world.loop, 50);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.outcome, REDIS_TIMED_OUT);
	assert_string_equal(a.why, "no answer in 250 ms");
	assert_int_equal(b.told, 1);
	assert_int_equal(b.outcome, REDIS_LOST);
	assert_int_equal(redis_counters(world.r)->timeouts, 1);
	old = fake_client(&world.server);
	if (old->bev != NULL)
		fake_say(old, "$4\r\nlate\r\n$4\r\nlate\r\n");
	fake_time_pass(world.loop, 100);
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	world.server.serve = serve_echo;
	ask(world.r, &c, "k3", "GET", NULL);
	ask(world.r, &d, "k4", "GET", NULL);
	UNTIL(world.loop, d.told > 0);
	assert_string_equal(c.text, "k3");
	assert_string_equal(d.text, "k4");
	end();
	assert_int_equal(a.told, 1);
}

/* The answer has come, but nobody looked: a call is not lost for that. */
static void
test_loop_that_was_held_up(void **state)
{
	struct asked a = { 0 };

	(void)state;
	world.timeout_ms = REDIS_TIMEOUT_MS;
	begin(serve_nothing, NULL);
	fake_time_begin();
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 1);
	fake_us += 10 * 1000000;
	loop_turn(world.loop, 0);
	assert_int_equal(a.told, 0);
	fake_say(fake_client(&world.server), "+here\r\n");
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(a.outcome, REDIS_ANSWERED);
	/* Once, and not for ever. */
	a.told = 0;
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a.told, 0);
		fake_us += 10 * 1000000;
		turns(world.loop, 3);
	}
	assert_int_equal(a.told, 1);
	assert_int_equal(a.outcome, REDIS_TIMED_OUT);
	end();
}

static void
test_no_login_in_time(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	world.timeout_ms = REDIS_TIMEOUT_MS;
	begin(serve_echo, NULL);
	fake_time_begin();
	world.server.mute = true;
	fake_redis_drop(&world.server);
	UNTIL(world.loop, !shard_is_up(world.r, "k"));
	fake_time_pass(world.loop, 100);
	UNTIL(world.loop, world.server.accepted == 2);
	/* It waits for the login, and then not even that. */
	ask(world.r, &a, "k", "GET", NULL);
	fake_time_pass(world.loop, 300);
	assert_int_equal(a.told, 1);
	assert_int_equal(a.outcome, REDIS_DOWN);
	fake_time_pass(world.loop, REDIS_CONNECT_MS);
	assert_non_null(strstr(shard_error(world.r), "login"));
	ask(world.r, &b, "k", "GET", NULL);
	fake_time_pass(world.loop, 300);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.outcome, REDIS_DOWN);
	world.server.mute = false;
	fake_redis_drop(&world.server);
	for (int i = 0; i < 100 && !shard_is_up(world.r, "k"); i++)
		fake_time_pass(world.loop, 100);
	assert_true(shard_is_up(world.r, "k"));
	end();
}

/* A tenth of a second, and the end of the attempt that begins in it. */
static void
pass_attempts(void)
{
	uint64_t connects = redis_counters(world.r)->connects;
	int changes = world.changes;

	fake_us += LOOP_TICK_MS * 1000;
	loop_turn(world.loop, 0);
	if (redis_counters(world.r)->connects > connects)
		UNTIL(world.loop, world.changes > changes);
}

/* Nobody is asked more often than the backoff says. */
static void
test_backoff(void **state)
{
	uint64_t before;

	(void)state;
	begin(serve_echo, NULL);
	fake_time_begin();
	fake_redis_stop(&world.server);
	fake_redis_drop(&world.server);
	UNTIL(world.loop, !shard_is_up(world.r, "k"));
	for (int i = 0; i < 50; i++)
		pass_attempts();
	before = redis_counters(world.r)->connects;
	for (int i = 0; i < 100; i++)
		pass_attempts();
	assert_in_range(redis_counters(world.r)->connects - before, 11, 25);
	assert_true(shard_error(world.r)[0] != '\0');
	fake_redis_again(&world.server);
	/* From its return on it takes no longer than the longest pause. */
	for (int i = 0; i < REDIS_BACKOFF_MAX_MS / LOOP_TICK_MS + 1; i++)
		pass_attempts();
	assert_true(shard_is_up(world.r, "k"));
	end();
}

static void
test_quiet_connection_is_asked(void **state)
{
	int pings;

	(void)state;
	world.timeout_ms = REDIS_TIMEOUT_MS;
	begin(serve_echo, NULL);
	pings = world.server.pings;
	fake_time_begin();
	fake_us += REDIS_PING_MS * 1000LL - 500000;
	turns(world.loop, 5);
	assert_int_equal(world.server.pings, pings);
	fake_us += 500000;
	UNTIL(world.loop, world.server.pings == pings + 1);
	turns(world.loop, 5);
	assert_true(shard_is_up(world.r, "k"));
	assert_int_equal(world.server.accepted, 1);
	world.server.mute = true;
	fake_us += REDIS_PING_MS * 1000LL;
	turns(world.loop, 5);
	fake_us += REDIS_TIMEOUT_MS * 1000LL;
	UNTIL(world.loop, !shard_is_up(world.r, "k"));
	end();
}

/* ---- scripts ---- */

static const char body[] = "return redis.call('INCR', KEYS[1])";
static struct redis_script script;
static bool script_known, script_refused;

static void
serve_script(struct fake_client *c, const char *command, void *arg)
{
	char evalsha[512], eval[512];

	(void)arg;
	snprintf(evalsha, sizeof(evalsha), "EVALSHA %s 1 key one two",
	    script.sha1);
	snprintf(eval, sizeof(eval), "EVAL %s 1 key one two", body);
	if (strcmp(command, evalsha) == 0) {
		fake_say(c, script_known ? ":1\r\n" :
		    "-NOSCRIPT No matching script. Please use EVAL.\r\n");
	} else {
		assert_string_equal(command, eval);
		fake_say(c, script_refused ? "-NOSCRIPT never\r\n" : ":2\r\n");
		script_known = true;
	}
}

static void
run_script(struct asked *a)
{
	struct slice key = slice_of("key");
	struct slice args[] = { slice_of("one"), slice_of("two") };

	a->inside = true;
	redis_script_call(world.r, &script, 1, &key, 2, args, 0, asked_told, a);
	a->inside = false;
}

static void
test_script(void **state)
{
	struct asked a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	(void)state;
	redis_script_init(&script, slice_of(body));
	/* printf '%s' "$body" | sha1sum */
	assert_string_equal(script.sha1,
	    "61636018f4e6b5817b89791bbed242f93fa089e3");
	script_known = script_refused = false;
	begin(serve_script, NULL);
	run_script(&a);
	run_script(&b);
	UNTIL(world.loop, b.told > 0);
	assert_int_equal(a.outcome, REDIS_ANSWERED);
	assert_int_equal(a.integer, 2);
	assert_int_equal(b.integer, 2);
	run_script(&c);
	UNTIL(world.loop, c.told > 0);
	assert_int_equal(c.integer, 1);
	assert_int_equal(fake_count(&world.server, "EVAL "), 2);
	assert_int_equal(redis_counters(world.r)->noscript, 2);
	/* It is said once, and not for ever. */
	script_known = false;
	script_refused = true;
	run_script(&d);
	UNTIL(world.loop, d.told > 0);
	assert_int_equal(d.outcome, REDIS_REFUSED);
	assert_int_equal(fake_count(&world.server, "EVAL "), 3);
	end();
}

/* ---- a store that is there and cannot be used ---- */

static void
test_readonly(void **state)
{
	struct asked a = { 0 }, b = { 0 };

	(void)state;
	begin(serve_raw, "-READONLY You can't write against a read only "
	    "replica.\r\n");
	world.server.role = "slave";
	ask(world.r, &a, "k", "INCR", NULL);
	ask(world.r, &b, "k", "INCR", NULL);
	UNTIL(world.loop, b.told > 0);
	assert_int_equal(a.outcome, REDIS_LOST);
	assert_non_null(strstr(a.why, "READONLY"));
	assert_int_equal(b.outcome, REDIS_LOST);
	assert_int_equal(redis_counters(world.r)->readonly, 1);
	/* As long as it is a replica it is not up. */
	UNTIL(world.loop, redis_counters(world.r)->connects >= 4);
	assert_false(shard_is_up(world.r, "k"));
	UNTIL(world.loop, strcmp(shard_error(world.r),
	    "the server: it is a replica") == 0);
	world.server.role = "master";
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	end();
}

/* Even when a user may not ask for it, who says READONLY is left alone. */
static void
test_readonly_and_no_role(void **state)
{
	struct asked a = { 0 };

	(void)state;
	begin(serve_raw, "-READONLY replica\r\n");
	world.server.role = "-NOPERM this user has no permissions to run the "
	    "'role' command\r\n";
	fake_time_begin();
	for (int i = 0; i < 60; i++) {
		a = (struct asked){ 0 };
		ask(world.r, &a, "k", "INCR", NULL);
		UNTIL(world.loop, a.told > 0);
		assert_true(a.outcome != REDIS_ANSWERED);
		fake_us += LOOP_TICK_MS * 1000;
	}
	/* 6 seconds, with pauses of up to 800 ms. */
	assert_in_range(redis_counters(world.r)->connects, 6, 30);
	end();
}

static void
test_loading(void **state)
{
	struct asked a = { 0 };

	(void)state;
	begin(serve_raw, "-LOADING Redis is loading the dataset in memory\r\n");
	world.server.ping = "-LOADING Redis is loading the dataset in "
	    "memory\r\n";
	ask(world.r, &a, "k", "INCR", NULL);
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(a.outcome, REDIS_LOST);
	UNTIL(world.loop, redis_counters(world.r)->connects >= 3);
	assert_false(shard_is_up(world.r, "k"));
	assert_true(redis_counters(world.r)->loading >= 2);
	world.server.ping = NULL;
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	end();
}

/* ---- the login ---- */

static void
test_login(void **state)
{
	struct asked a = { 0 };
	const struct redis_options o = { .username = "weir",
		.password = "sesame open", .database = 3 };

	(void)state;
	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, NULL, NULL);
	world.server.serve = serve_echo;
	world.server.user = "weir";
	world.server.password = "sesame open";
	begin_with(&o);
	assert_int_equal(world.server.selected, 3);
	assert_int_equal(world.server.logins, 1);
	/* One round trip for all of it. */
	assert_int_equal(redis_counters(world.r)->round_trips, 1);
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, a.told > 0);
	/* Another password from now on. */
	world.server.password = "other";
	fake_redis_drop(&world.server);
	UNTIL(world.loop, strstr(shard_error(world.r), "WRONGPASS") != NULL);
	assert_false(shard_is_up(world.r, "k"));
	assert_null(strstr(shard_error(world.r), "sesame"));
	end();
}

static void
test_unix_socket(void **state)
{
	struct asked a = { 0 };
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_redis.%d.sock", (int)getpid());
	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, path, NULL);
	world.server.serve = serve_echo;
	begin_with(NULL);
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, a.told > 0);
	assert_string_equal(a.text, "k");
	fake_redis_stop(&world.server);
	fake_redis_drop(&world.server);
	UNTIL(world.loop, redis_counters(world.r)->connects >= 3);
	fake_redis_again(&world.server);
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	end();
}

/* ---- names ---- */

static struct {
	atomic_bool	 hangs;
	sem_t		 go_on;
	atomic_bool	 two;		/* the first is nobody's */
} resolver;

/* Instead of libc's, about one name. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **found)
{
	struct addrinfo *second;
	int r;

	if (strcmp(host, "redis.test") != 0 ||
	    (hints->ai_flags & AI_NUMERICHOST) != 0)
		return real_getaddrinfo(host, service, hints, found);
	if (atomic_load(&resolver.hangs))
		sem_wait(&resolver.go_on);
	r = real_getaddrinfo("127.0.0.1", service, hints, found);
	if (r != 0 || !atomic_load(&resolver.two))
		return r;
	r = real_getaddrinfo("127.99.0.1", service, hints, &second);
	second->ai_next = *found;
	*found = second;
	return r;
}

static void
begin_by_name(uint32_t connect_ms)
{
	static char address[64];
	const char *addresses[] = { address };
	struct redis_options o = { .addresses = addresses, .n = 1,
		.connect_ms = connect_ms, .timeout_ms = LONG_MS,
		.changed = on_change, .arg = &world };
	struct error err;

	world.loop = loop_new();
	world.changes = 0;
	fake_redis_begin(&world.server, world.loop, NULL, NULL);
	world.server.serve = serve_echo;
	snprintf(address, sizeof(address), "redis.test:%d", world.server.port);
	world.r = redis_new(world.loop, &o, &err);
	assert_non_null(world.r);
}

/* Nothing but the connection waits for it. */
static void
test_resolver_that_hangs(void **state)
{
	int hung = 0;

	(void)state;
	sem_init(&resolver.go_on, 0, 0);
	atomic_store(&resolver.hangs, true);
	begin_by_name(100);
	UNTIL(world.loop, strstr(shard_error(world.r), "name") != NULL);
	UNTIL(world.loop, redis_counters(world.r)->connects >= 3);
	assert_false(shard_is_up(world.r, "k"));
	atomic_store(&resolver.hangs, false);
	for (; hung < LOOKUPS_MAX; hung++)
		sem_post(&resolver.go_on);
	UNTIL(world.loop, shard_is_up(world.r, "k"));
	end();
}

/* One of a name's addresses is not there: the next attempt takes the other. */
static void
test_name_with_two_addresses(void **state)
{
	(void)state;
	atomic_store(&resolver.two, true);
	for (int i = 0; i < 2; i++) {
		begin_by_name(LONG_MS);
		UNTIL(world.loop, shard_is_up(world.r, "k"));
		assert_in_range(redis_counters(world.r)->connects, 1, 4);
		fake_redis_drop(&world.server);
		UNTIL(world.loop, !shard_is_up(world.r, "k"));
		UNTIL(world.loop, shard_is_up(world.r, "k"));
		end();
	}
	atomic_store(&resolver.two, false);
}

/* ---- TLS ---- */

/* The server has a certificate for these names; NULL: what is wrong. */
static void
try_tls(const char *names, const char *trusted, const char *host,
    bool verify_name, const char *fault)
{
	char ca[64], other[64], address[300];
	const char *addresses[] = { address };
	struct tls_settings s = { .verify = TLS_VERIFY_REQUIRED,
		.verify_name = verify_name };
	struct redis_options o = { .addresses = addresses, .n = 1,
		.timeout_ms = LONG_MS, .connect_ms = LONG_MS };
	struct asked a = { 0 };
	struct error err;

	snprintf(ca, sizeof(ca), "/tmp/test_redis.%d.ca", (int)getpid());
	snprintf(other, sizeof(other), "/tmp/test_redis.%d.no", (int)getpid());
	world.loop = loop_new();
	SSL_CTX_free(server_tls("DNS:other", other));
	fake_redis_begin(&world.server, world.loop, NULL,
	    server_tls(names, ca));
	world.server.serve = serve_echo;
	snprintf(address, sizeof(address), "%s:%d", host, world.server.port);
	s.ca_file = strcmp(trusted, "its") == 0 ? ca : other;
	o.tls = tls_context_client(&s, &err);
	assert_non_null(o.tls);
	world.r = redis_new(world.loop, &o, &err);
	assert_non_null(world.r);
	tls_context_unref(o.tls);
	ask(world.r, &a, "k", "GET", NULL);
	if (fault == NULL) {
		UNTIL(world.loop, a.told > 0);
		assert_string_equal(a.text, "k");
	} else {
		UNTIL(world.loop, redis_counters(world.r)->connects >= 2 &&
		    a.told > 0);
		assert_int_equal(a.outcome, REDIS_DOWN);
		assert_false(shard_is_up(world.r, "k"));
		if (strstr(shard_error(world.r), fault) == NULL)
			fail_msg("%s", shard_error(world.r));
		assert_int_equal(world.server.pings, 0);
	}
	end();
	unlink(ca);
	unlink(other);
}

static void
test_tls(void **state)
{
	(void)state;
	try_tls("DNS:localhost", "its", "localhost", true, NULL);
	try_tls("IP:127.0.0.1", "its", "127.0.0.1", true, NULL);
	try_tls("DNS:elsewhere", "its", "localhost", false, NULL);
	try_tls("DNS:elsewhere", "its", "localhost", true,
	    "hostname mismatch");
	try_tls("DNS:localhost", "its", "127.0.0.1", true,
	    "IP address mismatch");
	try_tls("DNS:localhost", "other", "localhost", true, "certificate");
}

/* A reply that fills many records. */
static void
test_tls_long_reply(void **state)
{
	enum { SIZE = 300 * 1000 };
	char ca[64];
	struct tls_settings s = { .ca_file = ca,
		.verify = TLS_VERIFY_REQUIRED };
	struct redis_options o = { 0 };
	char *text = mem_zalloc(SIZE + 32);
	struct asked a = { 0 };
	struct error err;

	(void)state;
	snprintf(ca, sizeof(ca), "/tmp/test_redis.%d.ca", (int)getpid());
	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, NULL,
	    server_tls("IP:127.0.0.1", ca));
	snprintf(text, 32, "$%d\r\n", SIZE);
	memset(text + strlen(text), 'x', SIZE);
	snprintf(text + strlen(text), 3, "\r\n");
	world.server.serve = serve_raw;
	world.server.arg = text;
	o.tls = tls_context_client(&s, &err);
	assert_non_null(o.tls);
	begin_with(&o);
	tls_context_unref(o.tls);
	for (int i = 0; i < 5; i++) {
		a = (struct asked){ 0 };
		ask(world.r, &a, "k", "GET", NULL);
		UNTIL(world.loop, a.told > 0);
		assert_int_equal(a.outcome, REDIS_ANSWERED);
	}
	end();
	free(text);
	unlink(ca);
}

/* ---- freeing ---- */

static void
test_free_with_calls(void **state)
{
	struct asked sent = { 0 }, waits = { 0 };

	(void)state;
	begin(serve_nothing, NULL);
	ask(world.r, &sent, "k", "GET", NULL);
	UNTIL(world.loop, world.server.commands == 1);
	end();
	assert_int_equal(sent.told, 1);
	assert_int_equal(sent.outcome, REDIS_FREED);

	world.loop = loop_new();
	fake_redis_begin(&world.server, world.loop, NULL, NULL);
	world.r = client(NULL);
	ask(world.r, &waits, "k", "GET", NULL);
	end();
	assert_int_equal(waits.told, 1);
	assert_int_equal(waits.outcome, REDIS_FREED);
}

static void
free_now(struct asked *a)
{
	redis_free(a->r);
	world.r = NULL;
}

static void
test_free_from_inside(void **state)
{
	struct asked a = { .then = free_now }, b = { 0 }, c = { 0 };

	(void)state;
	begin(serve_together, NULL);
	ask(world.r, &a, "k", "GET", NULL);
	ask(world.r, &b, "k", "GET", NULL);
	ask(world.r, &c, "k", "GET", NULL);
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(b.told, 1);
	assert_int_equal(c.told, 1);
	end();
	assert_int_equal(a.told, 1);
}

static void
ask_again(struct asked *a)
{
	if (a->told < 5)
		ask(a->r, a, "k", "GET", NULL);
}

/* Who tries again at once when it is down does not hold up the loop. */
static void
test_again_from_inside(void **state)
{
	struct asked a = { .then = ask_again };

	(void)state;
	begin(serve_echo, NULL);
	fake_redis_stop(&world.server);
	fake_redis_drop(&world.server);
	UNTIL(world.loop, redis_counters(world.r)->connects > 2);
	ask(world.r, &a, "k", "GET", NULL);
	UNTIL(world.loop, a.told == 5);
	end();
}

/* ---- what cannot be ---- */

static void
test_addresses(void **state)
{
	static const struct {
		const char	*text, *host, *path;	/* NULL: it is wrong */
		int		 port;
	} rows[] = {
		{ "redis.example:6379", "redis.example", "", 6379 },
		{ "127.0.0.1:1", "127.0.0.1", "", 1 },
		{ "[::1]:6380", "::1", "", 6380 },
		{ "/run/redis.sock", "", "/run/redis.sock", 0 },
		{ "redis.example", NULL, NULL, 0 },
		{ "redis.example:0", NULL, NULL, 0 },
		{ "redis.example:65536", NULL, NULL, 0 },
		{ ":6379", NULL, NULL, 0 },
		{ "::1:6379", NULL, NULL, 0 },
		{ "", NULL, NULL, 0 },
		{ "/a/path/that/is/so/long/that/it/is/longer/than/what/a/"
		  "socket/may/have/which/is/one/hundred/and/seven/bytes/"
		  "and/so/it/cannot/be/taken", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_address a;
		struct error err = { "" };

		if (redis_address_parse(rows[i].text, &a, &err) !=
		    (rows[i].host != NULL))
			fail_msg("%s: %s", rows[i].text, err.text);
		if (rows[i].host == NULL) {
			assert_true(err.text[0] != '\0');
			continue;
		}
		assert_string_equal(a.host, rows[i].host);
		assert_string_equal(a.path, rows[i].path);
		assert_int_equal(a.port, rows[i].port);
	}
}

static void
refused(struct redis_options o, const char *fault)
{
	struct error err = { "" };

	if (redis_new(world.loop, &o, &err) != NULL)
		fail_msg("taken, without: %s", fault);
	assert_non_null(strstr(err.text, fault));
}

static void
test_options(void **state)
{
	const char *two[] = { "a:1", "b:2" }, *path[] = { "/run/r" };

	(void)state;
	world.loop = loop_new();
	refused((struct redis_options){ 0 }, "addresses");
	refused((struct redis_options){ .addresses = two, .n = 2 }, "one");
	refused((struct redis_options){ .mode = REDIS_SENTINEL,
	    .addresses = two, .n = 2 }, "name");
	refused((struct redis_options){ .mode = REDIS_CLUSTER,
	    .addresses = two, .n = 2, .database = 1 }, "database");
	refused((struct redis_options){ .mode = REDIS_CLUSTER,
	    .addresses = path, .n = 1 }, "unix socket");
	loop_free(world.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_replies_of_each_kind),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_bytes_one_by_one),
		cmocka_unit_test(test_calls_wait_for_the_first_connection),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_giant_reply),
		cmocka_unit_test(test_end_amid_a_reply),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_loop_that_was_held_up),
		cmocka_unit_test(test_no_login_in_time),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_quiet_connection_is_asked),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_readonly_and_no_role),
		cmocka_unit_test(test_loading),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_resolver_that_hangs),
		cmocka_unit_test(test_name_with_two_addresses),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_long_reply),
		cmocka_unit_test(test_free_with_calls),
		cmocka_unit_test(test_free_from_inside),
		cmocka_unit_test(test_again_from_inside),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
