/* SPDX-License-Identifier: Apache-2.0 */
/* Lines to a topic: what brokers refuse, and what becomes of it. */
/* What is played here, beside the true ones in the library. */
#define pool_new	fake_pool_new
#define pool_free	fake_pool_free
#define pool_lease	fake_pool_lease
#define pool_return	fake_pool_return
#define upstream_call	fake_upstream_call
#define loop_now_us	fake_loop_now_us
#define cluster_topic	fake_cluster_topic

#include "gateway/publisher.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LINE = 2000, HUGE_LINE = 90000 };

static struct {
	struct publisher	*p;
	struct call		*call;
	uint32_t		 bytes;		/* of the batch in flight */
	uint32_t		 limit;		/* of the topic */
	uint32_t		 most;		/* bytes ever taken at once */
	int			 taken, refused;
	int64_t			 now;
	struct partition	 partition;
	struct topic		 topic;
} world;

struct pool *
fake_pool_new(struct loop *l, const struct upstream_options *o)
{
	(void)l;
	(void)o;
	return NULL;
}

void
fake_pool_free(struct pool *p)
{
	(void)p;
}

struct upstream *
fake_pool_lease(struct pool *p, int32_t broker,
    void (*lost)(struct upstream *u, void *arg), void *arg)
{
	(void)p;
	(void)lost;
	(void)arg;
	assert_int_equal(broker, 1);
	return (struct upstream *)&world;
}

void
fake_pool_return(struct upstream *u)
{
	assert_ptr_equal(u, &world);
}

bool
fake_upstream_call(struct upstream *u, struct call *c,
    const struct api_schema *api, int version, struct slice client_id,
    const void *body, uint32_t timeout_ms, struct error *err)
{
	const struct produce_request *q = body;

	(void)u, (void)version, (void)client_id, (void)timeout_ms, (void)err;
	assert_int_equal(api->key, API_PRODUCE);
	assert_null(world.call);
	world.call = c;
	world.bytes = q->topic_data.v[0].partition_data.v[0].records.len;
	return true;
}

int64_t
fake_loop_now_us(const struct loop *l)
{
	(void)l;
	return world.now;
}

const struct topic *
fake_cluster_topic(const struct cluster *c, struct slice name)
{
	(void)c;
	assert_true(slice_is(name, "t"));
	return &world.topic;
}

/* The broker's word on the batch in flight. */
static void
answer(int16_t code)
{
	struct arena a;
	struct produce_response *r;
	struct call_reply reply = { .outcome = CALL_ANSWERED };
	struct call *c = world.call;
	uint8_t bytes[1024];
	struct chain out;
	struct writer w;
	struct error err;

	arena_init(&a, 0);
	r = codec_new(&produce_response_message, &a);
	r->responses.n = 1;
	r->responses.v = codec_array(&produce_response_responses_message, &a,
	    1);
	r->responses.v->name = SLICE_LIT("t");
	r->responses.v->partition_responses.n = 1;
	r->responses.v->partition_responses.v = codec_array(
	    &produce_response_responses_partition_responses_message, &a, 1);
	r->responses.v->partition_responses.v->error_code = code;
	chain_init(&out);
	writer_init(&w, &out);
	assert_true(codec_encode(&w, &produce_response_message, VERSION, r,
	    &err));
	writer_finish(&w);
	chain_copy_out(&out, bytes);
	arena_fini(&a);
	reader_init(&reply.reader, bytes, out.bytes, NULL);
	chain_fini(&out);
	world.call = NULL;
	c->done(c, &reply);
}

static int
setup(void **state)
{
	static struct cluster c;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.limit = UINT32_MAX;
	world.now = 1;
	world.partition = (struct partition){ .leader = 1 };
	world.topic = (struct topic){ .name = SLICE_LIT("t"),
		.partitions = &world.partition, .partition_count = 1 };
	world.p = publisher_new(NULL, NULL);
	publisher_set_topic(world.p, "t");
	world.p->cluster = &c;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	world.p->cluster = NULL;
	publisher_free(world.p);
	return 0;
}

static void
add(uint32_t len, int n)
{
	static char text[HUGE_LINE];

	memset(text, 'x', sizeof(text));
	while (n-- > 0)
		assert_true(publisher_add(world.p, text, len));
}

/* Time and answers, until nothing is left to do. */
static void
play(void)
{
	for (int i = 0; i < 1000 && !publisher_idle(world.p); i++) {
		publisher_tick(world.p);
		world.now += AGAIN_US;
		if (world.call == NULL)
			continue;
		if (world.bytes > world.limit) {
			world.refused++;
			answer(KAFKA_MESSAGE_TOO_LARGE);
			continue;
		}
		if (world.bytes > world.most)
			world.most = world.bytes;
		world.taken++;
		answer(0);
	}
	assert_true(publisher_idle(world.p));
}

static void
test_taken(void **state)
{
	(void)state;
	add(LINE, 100);
	play();
	assert_int_equal(world.taken, 1);
	assert_int_equal(publisher_take_lost(world.p), 0);
}

/* A batch is bounded by its bytes, too. */
static void
test_bytes(void **state)
{
	(void)state;
	add(LINE, PUBLISHER_BATCH_MAX);
	play();
	assert_true(world.most <= PUBLISHER_BYTES_MAX + 64 * 1024);
	assert_true(world.most > PUBLISHER_BYTES_MAX / 2);
	assert_int_equal(world.refused, 0);
}

/* A topic that takes less: nothing is lost, and nothing waits for ever. */
static void
test_small_topic(void **state)
{
	(void)state;
	world.limit = 10 * 1000;
	add(LINE, 200);
	play();
	assert_true(world.refused > 0);
	assert_true(world.taken >= 200 / 4);
	assert_int_equal(publisher_take_lost(world.p), 0);
}

/* A line that no batch can hold is lost, is counted, and holds up nobody. */
static void
test_line_too_large(void **state)
{
	(void)state;
	world.limit = 10 * 1000;
	add(LINE, 3);
	add(HUGE_LINE, 1);
	add(LINE, 3);
	play();
	assert_int_equal(publisher_take_lost(world.p), 1);
	assert_int_equal(publisher_take_lost(world.p), 0);
}

/* What goes by itself is tried again until it has gone. */
static void
test_tried_again(void **state)
{
	(void)state;
	add(LINE, 5);
	for (int i = 0; i < 3; i++) {
		publisher_tick(world.p);
		answer(KAFKA_NOT_LEADER_OR_FOLLOWER);
		world.now += AGAIN_US;
	}
	play();
	assert_int_equal(world.taken, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_taken), T(test_bytes), T(test_small_topic),
		T(test_line_too_large), T(test_tried_again),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
