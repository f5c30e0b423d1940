/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/redis_fixture.h"

#include "quota/redis_slots.h"

enum { NODES = 3 };

static struct {
	struct loop	*loop;
	struct fake_redis nodes[NODES];
	/* Who has a slot, by thirds of them, as CLUSTER SLOTS tells it. */
	int		 owner[NODES];
	bool		 no_map;
	const char	*raw_map;	/* instead of it */
	/* Answers to all others by the node's index; NULL: the port. */
	const char	*says[NODES];
	int		 asking[NODES];
	struct redis	*r;
} world;

static int
index_of(const struct fake_client *c)
{
	return (int)(c->server - world.nodes);
}

static void
say_map(struct fake_client *c)
{
	if (world.raw_map != NULL) {
		fake_say(c, "%s", world.raw_map);
		return;
	}
	if (world.no_map) {
		fake_say(c, "*0\r\n");
		return;
	}
	/* 16384 / 3 slots each; one's own host is not told by the first. */
	fake_say(c, "*%d\r\n", NODES);
	for (int i = 0; i < NODES; i++) {
		const struct fake_redis *f = &world.nodes[world.owner[i]];

		fake_say(c, "*3\r\n:%d\r\n:%d\r\n*4\r\n%s\r\n:%d\r\n"
		    "$2\r\nid\r\n*0\r\n", i * 5461, i == NODES - 1 ? 16383 :
		    i * 5461 + 5460, i == 0 ? "$-1" : "$9\r\n127.0.0.1",
		    f->port);
	}
}

static void
serve(struct fake_client *c, const char *command, void *arg)
{
	int i = index_of(c);

	(void)arg;
	if (strcmp(command, "CLUSTER SLOTS") == 0) {
		say_map(c);
	} else if (strcmp(command, "ASKING") == 0) {
		world.asking[i]++;
		fake_say(c, "+OK\r\n");
	} else if (world.says[i] != NULL) {
		fake_say(c, "%s", world.says[i]);
	} else {
		fake_say(c, ":%d\r\n", c->server->port);
	}
}

static void
begin(void)
{
	const char *addresses[NODES];
	struct redis_options o = { .mode = REDIS_CLUSTER,
		.addresses = addresses, .n = NODES, .timeout_ms = 60000 };
	struct error err = { "" };

	memset(&world, 0, sizeof(world));
	world.loop = loop_new();
	for (int i = 0; i < NODES; i++) {
		fake_redis_begin(&world.nodes[i], world.loop, NULL, NULL);
		world.nodes[i].serve = serve;
		world.owner[i] = i;
		addresses[i] = world.nodes[i].address;
	}
	world.r = redis_new(world.loop, &o, &err);
	assert_non_null(world.r);
}

static void
end(void)
{
	redis_free(world.r);
	for (int i = 0; i < NODES; i++)
		fake_redis_end(&world.nodes[i]);
	loop_free(world.loop);
}

/* Keys of each third of the slots; by redis-cli cluster keyslot. */
static const char *const keys[] = { "bar", "{bar2}x", "foo" };

static bool
all_up(void)
{
	for (int i = 0; i < NODES; i++)
		if (!shard_is_up(world.r, keys[i]))
			return false;
	return true;
}

static void
begin_up(void)
{
	begin();
	UNTIL(world.loop, all_up());
}

static enum redis_outcome
outcome_of(const char *key, int *port)
{
	struct asked a = { 0 };

	ask(world.r, &a, key, "INCR", NULL);
	UNTIL(world.loop, a.told > 0);
	if (port != NULL)
		*port = (int)a.integer;
	return a.outcome;
}

static int
who_answers(const char *key)
{
	int port;

	assert_int_equal(outcome_of(key, &port), REDIS_ANSWERED);
	for (int i = 0; i < NODES; i++)
		if (world.nodes[i].port == port)
			return i;
	fail_msg("it is nobody's port: %d", port);
	return -1;
}

/* ---- slots ---- */

static void
test_slots_of_keys(void **state)
{
	/* As CLUSTER KEYSLOT of Redis 7.0.15 has them. */
	static const struct {
		const char	*key;
		uint32_t	 slot;
	} rows[] = {
		{ "123456789", 0x31c3 }, { "", 0 }, { "foo", 12182 },
		{ "bar", 5061 }, { "{foo}", 12182 }, { "{foo}bar", 12182 },
		{ "a{foo}", 12182 }, { "a{foo}{bar}", 12182 },
		{ "{}foo", 9500 }, { "{foo", 13308 }, { "foo}", 15679 },
		{ "a{}{foo}", 700 }, { "{{foo}}", 13308 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (redis_slot(slice_of(rows[i].key)) != rows[i].slot)
			fail_msg("%s: %u", rows[i].key,
			    redis_slot(slice_of(rows[i].key)));
}

static struct redis_reply *
parse(const char *raw, struct arena *memory)
{
	struct redis_reader *r = redis_reader_new();
	struct redis_reply *to;
	struct error err;

	assert_true(redis_reader_feed(r, (const uint8_t *)raw, strlen(raw),
	    &err));
	assert_true(redis_reader_next(r, &to, memory, &err));
	assert_non_null(to);
	redis_reader_free(r);
	return to;
}

static void
test_maps_that_are_wrong(void **state)
{
	static const struct {
		const char	*raw;
		bool		 ok;
	} rows[] = {
		{ "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n", true },
		{ "*1\r\n*3\r\n:5\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n", true },
		{ "*0\r\n", false },
		{ "+OK\r\n", false },
		{ ":1\r\n", false },
		{ "*1\r\n:1\r\n", false },
		{ "*1\r\n*0\r\n", false },
		{ "*1\r\n*3\r\n:-1\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n", false },
		{ "*1\r\n*3\r\n:5\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
		  false },
		{ "*1\r\n*3\r\n:6\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n", false },
		{ "*1\r\n*2\r\n:0\r\n:5\r\n", false },
		/* Nobody is known who serves them. */
		{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\n?\r\n:1\r\n", false },
		{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\na\r\n:0\r\n", false },
		{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\na\r\n:65536\r\n",
		  false },
		{ "*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$3\r\na/b\r\n:1\r\n", false },
		{ "*2\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\na\r\n:1\r\n"
		  "*3\r\n:5\r\n:6\r\n*2\r\n$1\r\nb\r\n:1\r\n", false },
	};
	const struct redis_address asked = { .host = "h", .port = 7 };
	struct redis_slots *map = mem_alloc(sizeof(*map));
	struct arena memory;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_reply *r = parse(rows[i].raw, &memory);

		if (redis_slots_read(r, &asked, map, &err) != rows[i].ok)
			fail_msg("%s", rows[i].raw);
		arena_fini(&memory);
	}
	free(map);
}

static void
test_redirections(void **state)
{
	static const struct {
		const char	*text, *host;	/* NULL: it is wrong */
		int		 port;
		uint32_t	 slot;
	} rows[] = {
		{ "MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381, 3999 },
		{ "ASK 0 ::1:6381", "::1", 6381, 0 },
		{ "MOVED 16383 :6381", "h", 6381, 16383 },
		{ "MOVED 1 a.example:1 more", "a.example", 1, 1 },
		{ "MOVED 16384 a:1", NULL, 0, 0 },
		{ "MOVED -1 a:1", NULL, 0, 0 },
		{ "MOVED 1 a", NULL, 0, 0 },
		{ "MOVED 1 a:", NULL, 0, 0 },
		{ "MOVED 1 a:0", NULL, 0, 0 },
		{ "MOVED 1 a:65536", NULL, 0, 0 },
		{ "MOVED 1 a:99999999999", NULL, 0, 0 },
		{ "MOVED 1 a b:1", NULL, 0, 0 },
		{ "MOVED 1 ?:1", NULL, 0, 0 },
		{ "MOVED  a:1", NULL, 0, 0 },
		{ "MOVED 1 ", NULL, 0, 0 },
		{ "MOVED 1", NULL, 0, 0 },
		{ "MOVED", NULL, 0, 0 },
		{ "", NULL, 0, 0 },
	};
	const struct redis_address asked = { .host = "h", .port = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_address to;
		uint32_t slot;

		if (redis_redirect_read(slice_of(rows[i].text), &asked, &slot,
		    &to) != (rows[i].host != NULL))
			fail_msg("%s", rows[i].text);
		if (rows[i].host == NULL)
			continue;
		assert_string_equal(to.host, rows[i].host);
		assert_int_equal(to.port, rows[i].port);
		assert_int_equal(slot, rows[i].slot);
	}
}

/* ---- where calls go ---- */

static void
test_each_key_to_its_master(void **state)
{
	struct redis_shard_state s;

	(void)state;
	begin_up();
	for (int i = 0; i < NODES; i++)
		assert_int_equal(who_answers(keys[i]), i);
	assert_int_equal(redis_group(world.r, slice_of("{foo}a")),
	    redis_group(world.r, slice_of("b{foo}")));
	assert_int_equal(redis_shards(world.r), NODES);
	for (uint32_t i = 0; i < NODES; i++) {
		redis_shard(world.r, i, &s);
		assert_true(s.up);
		assert_string_equal(s.error, "");
	}
	assert_int_equal(redis_counters(world.r)->moved, 0);
	end();
}

static void
test_before_the_map(void **state)
{
	struct redis_shard_state s;

	(void)state;
	begin();
	world.no_map = true;
	assert_int_equal(outcome_of("foo", NULL), REDIS_DOWN);
	UNTIL(world.loop, world.nodes[1].commands > 0);
	assert_int_equal(redis_shards(world.r), 1);
	redis_shard(world.r, 0, &s);
	assert_false(s.up);
	assert_non_null(strstr(s.error, "nobody serves any slot yet"));
	world.no_map = false;
	UNTIL(world.loop, all_up());
	end();
}

static void
test_moved(void **state)
{
	char moved[64];

	(void)state;
	begin_up();
	world.owner[2] = 0;
	snprintf(moved, sizeof(moved), "-MOVED 12182 127.0.0.1:%d\r\n",
	    world.nodes[0].port);
	world.says[2] = moved;
	assert_int_equal(who_answers("foo"), 0);
	assert_int_equal(redis_counters(world.r)->moved, 1);
	/* From now on it knows; and with the new map for all of them. */
	assert_int_equal(who_answers("foo"), 0);
	assert_int_equal(redis_counters(world.r)->moved, 1);
	UNTIL(world.loop, redis_shards(world.r) == 2);
	assert_int_equal(redis_counters(world.r)->failovers, 1);
	end();
}

/* Two that send everybody to each other. */
static void
test_moved_in_circles(void **state)
{
	char moved[2][64];
	int sent;

	(void)state;
	begin_up();
	for (int i = 0; i < 2; i++)
		snprintf(moved[i], sizeof(moved[i]),
		    "-MOVED 12182 127.0.0.1:%d\r\n", world.nodes[1 - i].port);
	world.owner[2] = 0;
	world.says[2] = world.says[1] = moved[1];
	world.says[0] = moved[0];
	assert_int_equal(outcome_of("foo", NULL), REDIS_LOST);
	sent = fake_count(&world.nodes[0], "INCR") +
	    fake_count(&world.nodes[1], "INCR") +
	    fake_count(&world.nodes[2], "INCR");
	assert_int_equal(sent, REDIS_REDIRECTS_MAX + 1);
	/* And nowhere. */
	world.says[0] = world.says[1] = world.says[2] = "-MOVED what\r\n";
	assert_int_equal(outcome_of("foo", NULL), REDIS_LOST);
	end();
}

static void
test_ask(void **state)
{
	char ask_there[64];

	(void)state;
	begin_up();
	snprintf(ask_there, sizeof(ask_there), "-ASK 12182 127.0.0.1:%d\r\n",
	    world.nodes[1].port);
	world.says[2] = ask_there;
	assert_int_equal(who_answers("foo"), 1);
	assert_int_equal(world.asking[1], 1);
	assert_int_equal(redis_counters(world.r)->ask, 1);
	/* It is still the old one's. */
	world.says[2] = NULL;
	assert_int_equal(who_answers("foo"), 2);
	assert_int_equal(world.asking[1], 1);
	end();
}

/* A script that the new server does not know, on a slot that is on its way. */
static void
test_ask_and_noscript(void **state)
{
	static struct redis_script script;
	struct slice key = slice_of("foo");
	struct asked a = { 0 };
	char ask_there[64];

	(void)state;
	redis_script_init(&script, slice_of("return 1"));
	begin_up();
	snprintf(ask_there, sizeof(ask_there), "-ASK 12182 127.0.0.1:%d\r\n",
	    world.nodes[1].port);
	world.says[2] = ask_there;
	world.says[1] = "-NOSCRIPT No matching script.\r\n";
	a.r = world.r;
	redis_script_call(world.r, &script, 1, &key, 0, NULL, 0, asked_told,
	    &a);
	UNTIL(world.loop, fake_count(&world.nodes[1], "EVAL ") == 1);
	UNTIL(world.loop, a.told > 0);
	assert_int_equal(world.asking[1], 2);
	assert_int_equal(fake_count(&world.nodes[1], "EVAL return 1 1 foo"),
	    1);
	end();
}

static void
test_try_again(void **state)
{
	(void)state;
	begin_up();
	world.says[2] = "-TRYAGAIN Multiple keys request during rehashing of "
	    "slot\r\n";
	assert_int_equal(outcome_of("foo", NULL), REDIS_LOST);
	assert_true(shard_is_up(world.r, "foo"));
	end();
}

/* ---- what fails ---- */

static void
test_one_shard_down(void **state)
{
	(void)state;
	begin_up();
	fake_redis_stop(&world.nodes[2]);
	fake_redis_drop(&world.nodes[2]);
	UNTIL(world.loop, !shard_is_up(world.r, "foo"));
	assert_int_not_equal(outcome_of("foo", NULL), REDIS_ANSWERED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(who_answers(keys[i]), i);
	assert_int_equal(redis_shards(world.r), NODES);
	/* Another takes over; nobody tells, the map does. */
	world.owner[2] = 1;
	UNTIL(world.loop, shard_is_up(world.r, "foo"));
	assert_int_equal(who_answers("foo"), 1);
	assert_int_equal(redis_shards(world.r), 2);
	end();
}

static void
test_all_down_and_back(void **state)
{
	(void)state;
	begin_up();
	for (int i = 0; i < NODES; i++) {
		fake_redis_stop(&world.nodes[i]);
		fake_redis_drop(&world.nodes[i]);
	}
	UNTIL(world.loop, !shard_is_up(world.r, keys[0]) &&
	    !shard_is_up(world.r, keys[1]) && !shard_is_up(world.r, keys[2]));
	turns(world.loop, 50);
	for (int i = 0; i < NODES; i++)
		fake_redis_again(&world.nodes[i]);
	UNTIL(world.loop, all_up());
	for (int i = 0; i < NODES; i++)
		assert_int_equal(who_answers(keys[i]), i);
	end();
}

/* It is elsewhere after that, where only the configured addresses lead. */
static void
test_all_nodes_gone(void **state)
{
	(void)state;
	begin_up();
	world.owner[0] = world.owner[1] = world.owner[2] = 2;
	for (int i = 0; i < 2; i++) {
		fake_redis_stop(&world.nodes[i]);
		fake_redis_drop(&world.nodes[i]);
	}
	fake_redis_drop(&world.nodes[2]);
	UNTIL(world.loop, !shard_is_up(world.r, keys[2]));
	UNTIL(world.loop, all_up());
	for (int i = 0; i < NODES; i++)
		assert_int_equal(who_answers(keys[i]), 2);
	assert_int_equal(redis_shards(world.r), 1);
	end();
}

static void
test_clusterdown(void **state)
{
	int before;

	(void)state;
	begin_up();
	before = world.nodes[2].accepted;
	/* Of one slot: the connection is good. */
	world.says[2] = "-CLUSTERDOWN Hash slot not served\r\n";
	assert_int_equal(outcome_of("foo", NULL), REDIS_LOST);
	turns(world.loop, 10);
	assert_int_equal(world.nodes[2].accepted, before);
	/* Of all: not up until it says that it is well. */
	world.says[2] = "-CLUSTERDOWN The cluster is down\r\n";
	world.nodes[2].cluster_info = "$20\r\ncluster_state:fail\r\n\r\n";
	assert_int_equal(outcome_of("foo", NULL), REDIS_LOST);
	UNTIL(world.loop, world.nodes[2].accepted > before + 1);
	assert_false(shard_is_up(world.r, "foo"));
	assert_int_equal(who_answers("bar"), 0);
	world.says[2] = NULL;
	world.nodes[2].cluster_info = NULL;
	UNTIL(world.loop, shard_is_up(world.r, "foo"));
	end();
}

/* Nonsense instead of a map changes nothing. */
static void
test_map_that_cannot_be_read(void **state)
{
	(void)state;
	begin_up();
	world.raw_map = "*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\na\r\n:1\r\n";
	fake_redis_drop(&world.nodes[2]);
	UNTIL(world.loop, !shard_is_up(world.r, "foo"));
	UNTIL(world.loop, all_up());
	for (int i = 0; i < NODES; i++)
		assert_int_equal(who_answers(keys[i]), i);
	end();
}

static void
test_freed_while_calls_are_sent_elsewhere(void **state)
{
	struct asked a = { 0 }, b = { 0 };
	char moved[64];

	(void)state;
	begin_up();
	snprintf(moved, sizeof(moved), "-MOVED 12182 127.0.0.1:%d\r\n",
	    world.nodes[1].port);
	world.says[2] = moved;
	world.nodes[1].mute = true;
	ask(world.r, &a, "foo", "INCR", NULL);
	ask(world.r, &b, "bar", "INCR", NULL);
	UNTIL(world.loop, redis_counters(world.r)->moved == 1);
	end();
	assert_int_equal(a.told, 1);
	assert_int_equal(a.outcome, REDIS_FREED);
	assert_int_equal(b.told, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_of_keys),
		cmocka_unit_test(test_maps_that_are_wrong),
		cmocka_unit_test(test_redirections),
		cmocka_unit_test(test_each_key_to_its_master),
		cmocka_unit_test(test_before_the_map),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_moved_in_circles),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_and_noscript),
		cmocka_unit_test(test_try_again),
		cmocka_unit_test(test_one_shard_down),
		cmocka_unit_test(test_all_down_and_back),
		cmocka_unit_test(test_all_nodes_gone),
		cmocka_unit_test(test_clusterdown),
		cmocka_unit_test(test_map_that_cannot_be_read),
		cmocka_unit_test(test_freed_while_calls_are_sent_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
