/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redis_fixture.h"

enum { SENTINELS = 2, SERVERS = 2 };

static struct {
	struct loop	*loop;
	struct fake_redis sentinels[SENTINELS], servers[SERVERS];
	int		 master;	/* what Sentinels say; -1: none */
	int		 subscribed[SENTINELS];	/* which of its connections */
	struct redis	*r;
} world;

static struct fake_redis *
master(void)
{
	return &world.servers[world.master];
}

static bool
listens(int i)
{
	return world.subscribed[i] != 0 &&
	    world.subscribed[i] == world.sentinels[i].accepted;
}

static void
serve_sentinel(struct fake_client *c, const char *command, void *arg)
{
	int i = (int)(c->server - world.sentinels);

	(void)arg;
	if (strncmp(command, "UNSUBSCRIBE", 11) == 0) {
		world.subscribed[i] = 0;
		fake_say(c, "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master"
		    "\r\n:0\r\n");
	} else if (strncmp(command, "SUBSCRIBE", 9) == 0) {
		world.subscribed[i] = c->server->accepted;
		fake_say(c, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master"
		    "\r\n:1\r\n");
	} else {
		/* Who has subscribed can ask for nothing else. */
		assert_false(listens(i));
		assert_string_equal(command,
		    "SENTINEL GET-MASTER-ADDR-BY-NAME weir");
		if (world.master < 0)
			fake_say(c, "*-1\r\n");
		else
			fake_say(c, "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n",
			    master()->port > 9999 ? 5 : 4, master()->port);
	}
}

static void
serve_name(struct fake_client *c, const char *command, void *arg)
{
	(void)command;
	(void)arg;
	fake_say(c, ":%d\r\n", c->server->port);
}

static void
begin(int master_at)
{
	const char *addresses[SENTINELS];
	struct redis_options o = { .mode = REDIS_SENTINEL,
		.addresses = addresses, .n = SENTINELS, .master_name = "weir",
		.username = "u", .password = "for servers",
		.sentinel_password = "for sentinels", .database = 5,
		.timeout_ms = 60000 };
	struct error err = { "" };

	world.loop = loop_new();
	world.master = master_at;
	for (int i = 0; i < SENTINELS; i++) {
		fake_redis_begin(&world.sentinels[i], world.loop, NULL, NULL);
		world.sentinels[i].serve = serve_sentinel;
		world.sentinels[i].password = "for sentinels";
		world.subscribed[i] = 0;
		addresses[i] = world.sentinels[i].address;
	}
	for (int i = 0; i < SERVERS; i++) {
		fake_redis_begin(&world.servers[i], world.loop, NULL, NULL);
		world.servers[i].serve = serve_name;
		world.servers[i].user = "u";
		world.servers[i].password = "for servers";
		world.servers[i].role = i == master_at ? "master" : "slave";
	}
	world.r = redis_new(world.loop, &o, &err);
	assert_non_null(world.r);
}

static void
end(void)
{
	redis_free(world.r);
	for (int i = 0; i < SENTINELS; i++)
		fake_redis_end(&world.sentinels[i]);
	for (int i = 0; i < SERVERS; i++)
		fake_redis_end(&world.servers[i]);
	loop_free(world.loop);
}

/* Calls until one is answered, and by whom it is. */
static int
who_answers(void)
{
	for (;;) {
		struct asked a = { 0 };

		ask(world.r, &a, "k", "INCR", NULL);
		UNTIL(world.loop, a.told > 0);
		if (a.outcome == REDIS_ANSWERED)
			return (int)a.integer;
		loop_turn(world.loop, 5);
	}
}

static void
promote(int i)
{
	world.servers[world.master].role = "slave";
	world.servers[i].role = "master";
	world.master = i;
}

/* The Sentinel that is listened to says so. */
static void
tell_switch(int from, int to)
{
	char text[128];

	for (int i = 0; i < SENTINELS; i++) {
		if (!listens(i))
			continue;
		snprintf(text, sizeof(text), "weir 127.0.0.1 %d 127.0.0.1 %d",
		    world.servers[from].port, world.servers[to].port);
		fake_say(fake_client(&world.sentinels[i]), "*3\r\n$7\r\n"
		    "message\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
		    strlen(text), text);
	}
}

static void
test_finds_the_master(void **state)
{
	(void)state;
	begin(1);
	assert_int_equal(who_answers(), world.servers[1].port);
	/* Nobody else was asked for anything. */
	assert_int_equal(world.servers[0].accepted, 0);
	assert_int_equal(world.servers[1].selected, 5);
	assert_int_equal(world.sentinels[0].selected, 0);
	assert_int_equal(world.sentinels[0].accepted, 1);
	assert_int_equal(world.sentinels[1].accepted, 0);
	assert_int_equal(world.sentinels[0].logins, 1);
	UNTIL(world.loop, listens(0));
	end();
}

static void
test_asks_in_turn(void **state)
{
	(void)state;
	begin(0);
	fake_redis_stop(&world.sentinels[0]);
	assert_int_equal(who_answers(), world.servers[0].port);
	assert_int_equal(world.sentinels[1].accepted, 1);
	/* None is needed as long as the master is well. */
	fake_redis_stop(&world.sentinels[1]);
	fake_redis_drop(&world.sentinels[1]);
	turns(world.loop, 30);
	assert_int_equal(who_answers(), world.servers[0].port);
	end();
}

static void
test_no_master_yet(void **state)
{
	struct redis_shard_state s;

	(void)state;
	begin(-1);
	UNTIL(world.loop, world.sentinels[1].commands > 1);
	assert_false(shard_is_up(world.r, "k"));
	redis_shard(world.r, 0, &s);
	assert_non_null(strstr(s.error, "knows no master \"weir\""));
	world.master = 0;
	world.servers[0].role = "master";
	assert_int_equal(who_answers(), world.servers[0].port);
	end();
}

static void
test_switch_is_told(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(who_answers(), world.servers[0].port);
	UNTIL(world.loop, listens(0));
	promote(1);
	tell_switch(0, 1);
	UNTIL(world.loop, world.servers[1].logins == 1);
	assert_int_equal(who_answers(), world.servers[1].port);
	assert_int_equal(redis_counters(world.r)->failovers, 1);
	end();
}

/* One that is about another master, and others that make no sense. */
static void
test_what_is_told_is_checked(void **state)
{
	static const char *const texts[] = {
		"other 127.0.0.1 1 127.0.0.1 2",
		"weir 127.0.0.1 1 127.0.0.1 0",
		"weir 127.0.0.1 1 127.0.0.1 65536",
		"weir 127.0.0.1 1 127.0.0.1 x",
		"weir 127.0.0.1 1 bad/host 6379",
		"weir 127.0.0.1 1  6379",
		"weir",
		"",
	};

	(void)state;
	begin(0);
	assert_int_equal(who_answers(), world.servers[0].port);
	UNTIL(world.loop, listens(0));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		fake_say(fake_client(&world.sentinels[0]), "*3\r\n$7\r\n"
		    "message\r\n$14\r\n+switch-master\r\n$%zu\r\n%s\r\n",
		    strlen(texts[i]), texts[i]);
	fake_say(fake_client(&world.sentinels[0]), "*3\r\n$7\r\nmessage\r\n"
	    "$6\r\n+sdown\r\n$5\r\nhello\r\n");
	UNTIL(world.loop, fake_said_all(fake_client(&world.sentinels[0])));
	turns(world.loop, 10);
	assert_int_equal(world.servers[0].accepted, 1);
	assert_int_equal(world.sentinels[0].accepted, 1);
	assert_int_equal(redis_counters(world.r)->failovers, 0);
	assert_int_equal(who_answers(), world.servers[0].port);
	end();
}

/* Without a word of theirs: whoever finds his master a replica asks again. */
static void
test_master_became_a_replica(void **state)
{
	(void)state;
	begin(0);
	assert_int_equal(who_answers(), world.servers[0].port);
	promote(1);
	fake_redis_drop(&world.servers[0]);
	assert_int_equal(who_answers(), world.servers[1].port);
	assert_int_equal(world.servers[0].commands, 1);
	end();
}

/* The first Sentinel is cut off and says the same for ever. */
static void
test_sentinel_that_is_wrong(void **state)
{
	struct fake_redis *wrong = &world.sentinels[0];
	int before;

	(void)state;
	begin(0);
	assert_int_equal(who_answers(), world.servers[0].port);
	before = world.sentinels[1].accepted;
	fake_redis_stop(&world.servers[0]);
	fake_redis_drop(&world.servers[0]);
	UNTIL(world.loop, world.sentinels[1].accepted > before);
	/* It was asked again before that, over the connection that was there,
	 * which cannot ask while it listens. */
	assert_true(fake_count(wrong, "SENTINEL") >= 2);
	promote(1);
	assert_int_equal(who_answers(), world.servers[1].port);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_master),
		cmocka_unit_test(test_asks_in_turn),
		cmocka_unit_test(test_no_master_yet),
		cmocka_unit_test(test_switch_is_told),
		cmocka_unit_test(test_what_is_told_is_checked),
		cmocka_unit_test(test_master_became_a_replica),
		cmocka_unit_test(test_sentinel_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
