/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Redis client of a configuration file, told what to do line by line:
 *	redis_driver weir.json
 *	call ID KEY WORD...	told ID OUTCOME TEXT
 *	count ID KEY		told ID OUTCOME N: a script adds one to the key
 *	state			shard ADDRESS up|down ERROR, each; end
 *	counters		counters NAME=N...
 * A line "changed" comes by itself. It ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "gateway/base/mem.h"
#include "gateway/base/option.h"
#include "gateway/config.h"
#include "gateway/net/loop.h"
#include "gateway/redis_config.h"
#include "quota/redis.h"

enum { WORDS_MAX = 16 };

static const char body[] = "return redis.call('INCR', KEYS[1])";

static struct {
	struct loop		*loop;
	struct redis		*redis;
	struct redis_script	 script;
} driver;

static void
told(void *arg, enum redis_outcome o, const struct redis_reply *reply,
    const char *why)
{
	char *id = arg;

	printf("told %s %s ", id, redis_outcome_word(o));
	if (o != REDIS_ANSWERED)
		printf("%s\n", why);
	else if (reply->kind == REDIS_INTEGER)
		printf("%lld\n", (long long)reply->integer);
	else
		printf("%.*s\n", SLICE_FMT(reply->text));
	free(id);
}

static void
changed(void *arg)
{
	(void)arg;
	printf("changed\n");
}

static void
say_state(void)
{
	for (uint32_t i = 0; i < redis_shards(driver.redis); i++) {
		struct redis_shard_state s;

		redis_shard(driver.redis, i, &s);
		printf("shard %s %s %s\n", s.address, s.up ? "up" : "down",
		    s.error);
	}
	printf("end\n");
}

static void
say_counters(void)
{
	const struct redis_counters *n = redis_counters(driver.redis);

	printf("counters calls=%ju commands=%ju round_trips=%ju timeouts=%ju "
	    "lost=%ju refused=%ju connects=%ju reconnects=%ju noscript=%ju "
	    "readonly=%ju loading=%ju clusterdown=%ju moved=%ju ask=%ju "
	    "failovers=%ju\n", n->calls, n->commands, n->round_trips,
	    n->timeouts, n->lost, n->refused, n->connects, n->reconnects,
	    n->noscript, n->readonly, n->loading, n->clusterdown, n->moved,
	    n->ask, n->failovers);
}

static void
do_line(char *line)
{
	struct slice words[WORDS_MAX];
	uint32_t n = 0;
	char *word;

	while (n < WORDS_MAX && (word = strsep(&line, " ")) != NULL)
		words[n++] = slice_of(word);
	if (slice_is(words[0], "call") && n > 3)
		redis_call(driver.redis, words[2], n - 3, words + 3, 0, told,
		    mem_strndup(words[1].data, words[1].len));
	else if (slice_is(words[0], "count") && n == 3)
		redis_script_call(driver.redis, &driver.script, 1, words + 2,
		    0, NULL, 0, told, mem_strndup(words[1].data,
		    words[1].len));
	else if (slice_is(words[0], "state"))
		say_state();
	else if (slice_is(words[0], "counters"))
		say_counters();
	else
		abort();
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	char *line;

	(void)arg;
	while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL,
	    EVBUFFER_EOL_LF)) != NULL) {
		do_line(line);
		free(line);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	(void)arg;
	loop_stop(driver.loop);
}

int
main(int argc, char **argv)
{
	struct error_list errs = { 0 };
	struct config *c = argc == 2 ? config_load(argv[1], &errs) : NULL;
	struct bufferevent *in;
	struct error err;

	if (c == NULL) {
		error_list_print(&errs, stderr, "redis_driver: ");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	redis_script_init(&driver.script, slice_of(body));
	driver.loop = loop_new();
	driver.redis = redis_config_client(&c->quota, driver.loop, changed,
	    NULL, &err);
	if (driver.redis == NULL) {
		fprintf(stderr, "redis_driver: %s\n", err.text);
		return 2;
	}
	in = bufferevent_socket_new(loop_base(driver.loop), STDIN_FILENO, 0);
	bufferevent_setcb(in, on_read, NULL, on_event, NULL);
	bufferevent_enable(in, EV_READ);
	loop_run(driver.loop);
	bufferevent_free(in);
	redis_free(driver.redis);
	loop_free(driver.loop);
	config_unref(c);
	return 0;
}
