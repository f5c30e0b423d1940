/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/wire/errors.h"
#include "routing/login.h"
#include "routing/upstream.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/fake_time.h"
#include "tests/unit/net_fixture.h"
#include "wire/messages.h"

enum { CALLS = 32, TIMEOUT_MS = 5000 };

struct world;

/* A call of the test's, and what became of it. */
struct my_call {
	struct call	 call;		/* first */
	struct world	*w;
	int		 done;
	enum call_outcome outcome;
	int32_t		 answer;	/* throttle_time_ms of the reply */
	int		 order;
	char		 detail[128];
	void		(*then)(struct my_call *c);
};

struct world {
	struct loop	*l;
	struct pool	*p;
	struct fake_broker b;
	struct my_call	 calls[CALLS];
	int		 called, done, lost;
	struct upstream	*u;
	struct upstream_options o;
};

static void
pass_ms(struct world *w, int ms)
{
	fake_time_pass(w->l, ms);
}

/* Turns the loop on a standing clock. */
#define TURN_UNTIL(w, cond) do { \
	int left_ = 3000; \
	while (!(cond)) { \
		loop_turn((w)->l, 2); \
		if (--left_ == 0) \
			fail_msg("never: %s", #cond); \
	} \
} while (0)

static void
told_lost(struct upstream *u, void *arg)
{
	struct world *w = arg;

	assert_ptr_equal(u, w->u);
	assert_int_equal(upstream_in_flight(u), 0);
	w->lost++;
	w->u = NULL;
}

static void
call_done(struct call *c, const struct call_reply *r)
{
	struct my_call *m = (struct my_call *)c;
	struct reader rd = r->reader;
	struct arena a;

	m->done++;
	m->order = m->w->done++;
	m->outcome = r->outcome;
	if (r->detail != NULL)
		snprintf(m->detail, sizeof(m->detail), "%s", r->detail);
	if (r->outcome == CALL_ANSWERED) {
		struct heartbeat_response *h;

		arena_init(&a, 0);
		h = codec_decode(&rd, c->api->response, c->version, &a);
		m->answer = h ? h->throttle_time_ms : -1;
		arena_fini(&a);
	}
	if (m->then != NULL)
		m->then(m);
}

static struct my_call *
send_call(struct world *w, bool no_reply, void (*then)(struct my_call *c))
{
	struct heartbeat_request q = { .group_id = SLICE_LIT("g"),
		.member_id = SLICE_LIT("m") };
	struct my_call *m = &w->calls[w->called++];
	struct error err;

	assert_true(w->called <= CALLS);
	m->w = w;
	m->then = then;
	m->call.done = call_done;
	m->call.no_reply = no_reply;
	assert_true(upstream_call(w->u, &m->call, api_schema_find(
	    API_HEARTBEAT), 4, SLICE_LIT("me"), &q, TIMEOUT_MS, &err));
	assert_int_equal(m->done, 0);
	return m;
}

static void
reply_n(struct fake_request *q, int32_t n)
{
	const struct heartbeat_response r = { .throttle_time_ms = n };

	fake_reply(q, &r);
}

static void
echo(struct fake_broker *b, struct fake_request *q)
{
	reply_n(q, b->request_count);
}

static void
point_at_broker(struct world *w)
{
	const struct fake_broker *one[] = { &w->b };
	struct cluster *c = fake_cluster(one, 1);

	pool_set_cluster(w->p, c);
	cluster_unref(c);
}

static void
lease_it(struct world *w)
{
	w->u = pool_lease(w->p, w->b.id, told_lost, w);
	assert_non_null(w->u);
}

static void
return_it(struct world *w)
{
	pool_return(w->u);
	w->u = NULL;
}

static struct world *
world_with(const struct upstream_options *o)
{
	struct world *w = mem_zalloc(sizeof(*w));

	fake_time_begin();
	w->l = loop_new();
	w->o = o ? *o : (struct upstream_options){ 0 };
	w->o.connect_ms = 1000;
	w->o.idle_ms = 10000;
	w->o.idle_max = w->o.idle_max ? w->o.idle_max : 4;
	w->o.backoff_min_ms = 50;
	w->o.backoff_max_ms = 500;
	fake_init(&w->b, w->l, 7, 0);
	w->p = pool_new(w->l, &w->o);
	point_at_broker(w);
	return w;
}

static void
world_end(struct world *w)
{
	if (w->p != NULL)
		pool_free(w->p);
	fake_fini(&w->b);
	loop_turn(w->l, 1);
	loop_free(w->l);
	clock_replace(NULL);
	for (int i = 0; i < w->called; i++)
		assert_int_equal(w->calls[i].done, 1);
	free(w);
}

static struct upstream_stats
stats_of(struct world *w)
{
	struct upstream_stats s;

	pool_stats(w->p, &s);
	return s;
}

/* ---- calls ---- */

static void
test_in_order(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	lease_it(w);
	assert_int_equal(upstream_broker(w->u), 7);
	for (int i = 0; i < 5; i++)
		send_call(w, false, NULL);
	assert_int_equal(stats_of(w).connecting, 1);
	TURN_UNTIL(w, w->b.request_count == 5);
	assert_int_equal(stats_of(w).connecting, 0);
	assert_int_equal(upstream_in_flight(w->u), 5);
	for (int i = 0; i < 5; i++) {
		assert_true(slice_is(w->b.requests[i].head.client_id, "me"));
		reply_n(&w->b.requests[i], 100 + i);
	}
	TURN_UNTIL(w, w->done == 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(w->calls[i].outcome, CALL_ANSWERED);
		assert_int_equal(w->calls[i].answer, 100 + i);
		assert_int_equal(w->calls[i].order, i);
	}
	assert_int_equal(w->b.conn_count, 1);
	return_it(w);
	world_end(w);
}

/* Each is a reply that ends the upstream: calls in flight are lost. */
static void
wrong_id(struct fake_broker *b, struct fake_request *q)
{
	const struct heartbeat_response r = { 0 };

	(void)b;
	fake_reply_id(q, &r, 1);
}

static void
garbage(struct fake_broker *b, struct fake_request *q)
{
	(void)b;
	fake_send_raw(q->from, "\0\0\0\3xyz", 7);
}

static void
bad_length(struct fake_broker *b, struct fake_request *q)
{
	(void)b;
	fake_send_raw(q->from, "\xff\xff\xff\xff", 4);
}

static void
too_many_tags(struct fake_broker *b, struct fake_request *q)
{
	uint8_t f[] = { 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 7 };

	(void)b;
	put_be32(f + 4, (size_t)q->head.correlation_id);
	fake_send_raw(q->from, f, sizeof(f));
}

static void
die(struct fake_broker *b, struct fake_request *q)
{
	(void)b;
	fake_hang_up(q->from);
}

static void
test_bad_replies(void **state)
{
	static void (*const how[])(struct fake_broker *,
	    struct fake_request *) = { wrong_id, garbage, bad_length,
	    too_many_tags, die };

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		struct world *w = world_with(NULL);

		w->b.serve = how[i];
		lease_it(w);
		send_call(w, false, NULL);
		send_call(w, false, NULL);
		send_call(w, true, NULL);
		TURN_UNTIL(w, w->lost == 1);
		assert_int_equal(w->calls[0].outcome, CALL_LOST);
		assert_int_equal(w->calls[1].outcome, CALL_LOST);
		assert_int_not_equal(w->calls[2].outcome, CALL_NOT_SENT);
		assert_int_equal(stats_of(w).leased, 0);
		/* It was up: nothing is wrong with the broker's address. */
		assert_false(pool_backing_off(w->p, 7));
		world_end(w);
	}
}

static void
test_unasked_reply(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	w->b.serve = echo;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 1);
	fake_send_raw(&w->b.conns[0], "\0\0\0\4\0\0\0\1", 8);
	TURN_UNTIL(w, w->lost == 1);
	world_end(w);
}

/* Nobody listens: what was never written is NOT_SENT. */
static void
test_not_sent(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	fake_away(&w->b);
	lease_it(w);
	send_call(w, false, NULL);
	send_call(w, true, NULL);
	TURN_UNTIL(w, w->lost == 1);
	assert_int_equal(w->calls[0].outcome, CALL_NOT_SENT);
	assert_int_equal(w->calls[1].outcome, CALL_NOT_SENT);
	assert_true(w->calls[0].detail[0] != '\0');
	assert_int_equal(stats_of(w).failed, 1);
	world_end(w);
}

static void
test_deadline(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->b.request_count == 1);
	pass_ms(w, TIMEOUT_MS - 200);
	assert_int_equal(w->done, 0);
	pass_ms(w, 500);
	assert_int_equal(w->done, 1);
	assert_int_equal(w->calls[0].outcome, CALL_LOST);
	assert_int_equal(w->lost, 1);
	assert_int_equal(stats_of(w).timeouts, 1);
	assert_int_equal(w->b.open, 0);
	world_end(w);
}

static void
test_no_reply(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	lease_it(w);
	for (int i = 0; i < 3; i++)
		send_call(w, true, NULL);
	TURN_UNTIL(w, w->done == 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w->calls[i].outcome, CALL_SENT);
		assert_int_equal(w->calls[i].order, i);
	}
	/* And between calls that have one. */
	w->b.serve = NULL;
	send_call(w, true, NULL);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->b.request_count == 5 && w->done == 4);
	reply_n(&w->b.requests[4], 9);
	TURN_UNTIL(w, w->done == 5);
	assert_int_equal(w->calls[4].answer, 9);
	return_it(w);
	world_end(w);
}

static void
test_cannot_be_encoded(void **state)
{
	struct world *w = world_with(NULL);
	struct heartbeat_request q = { .group_id = SLICE_NULL };
	struct my_call m = { .done = 0 };
	struct error err = { "" };

	(void)state;
	m.call.done = call_done;
	lease_it(w);
	assert_false(upstream_call(w->u, &m.call, api_schema_find(
	    API_HEARTBEAT), 4, SLICE_NULL, &q, 1000, &err));
	assert_true(err.text[0] != '\0');
	assert_int_equal(upstream_in_flight(w->u), 0);
	return_it(w);
	world_end(w);
}

/* ---- the pool ---- */

static void
test_idle(void **state)
{
	struct upstream_options o = { .idle_max = 2 };
	struct world *w = world_with(&o);
	struct upstream *u[3];

	(void)state;
	w->b.serve = echo;
	for (int i = 0; i < 3; i++) {
		lease_it(w);
		u[i] = w->u;
		send_call(w, false, NULL);
	}
	TURN_UNTIL(w, w->done == 3);
	assert_int_equal(stats_of(w).leased, 3);
	for (int i = 0; i < 3; i++)
		pool_return(u[i]);
	TURN_UNTIL(w, w->b.open == 2);
	assert_int_equal(stats_of(w).idle, 2);
	/* The one that was used last comes first. */
	lease_it(w);
	assert_ptr_equal(w->u, u[1]);
	return_it(w);
	assert_int_equal(stats_of(w).opened, 3);
	pass_ms(w, 9800);
	assert_int_equal(stats_of(w).idle, 2);
	pass_ms(w, 600);
	assert_int_equal(stats_of(w).idle, 0);
	TURN_UNTIL(w, w->b.open == 0);
	assert_false(pool_backing_off(w->p, 7));
	w->u = NULL;
	world_end(w);
}

/* An idle one that the broker closes is not given out. */
static void
test_idle_dies(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	w->b.serve = echo;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 1);
	return_it(w);
	fake_hang_up(&w->b.conns[0]);
	TURN_UNTIL(w, stats_of(w).idle == 0);
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 2);
	assert_int_equal(w->b.conn_count, 2);
	assert_int_equal(w->lost, 0);
	return_it(w);
	world_end(w);
}

static void
fail_once(struct world *w)
{
	int lost = w->lost;

	assert_false(pool_backing_off(w->p, 7));
	lease_it(w);
	TURN_UNTIL(w, w->lost == lost + 1);
	assert_true(pool_backing_off(w->p, 7));
	assert_null(pool_lease(w->p, 7, told_lost, w));
}

static void
test_backoff(void **state)
{
	static const int ms[] = { 50, 100, 200, 400, 500, 500 };
	struct world *w = world_with(NULL);

	(void)state;
	w->b.serve = echo;
	fake_away(&w->b);
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		fail_once(w);
		pass_ms(w, ms[i] - 10);
		assert_true(pool_backing_off(w->p, 7));
		pass_ms(w, 20);
	}
	/* Back again: the next failure begins anew. */
	fake_again(&w->b);
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 1);
	upstream_close(w->u, "test");
	assert_null(w->u);
	fake_away(&w->b);
	fail_once(w);
	pass_ms(w, 60);
	assert_false(pool_backing_off(w->p, 7));
	world_end(w);
}

/* Ten that fail together are one failure. */
static void
test_backoff_together(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	fake_away(&w->b);
	for (int i = 0; i < 10; i++) {
		w->u = pool_lease(w->p, 7, NULL, NULL);
		assert_non_null(w->u);
	}
	TURN_UNTIL(w, stats_of(w).failed == 10);
	pass_ms(w, 60);
	assert_false(pool_backing_off(w->p, 7));
	w->u = NULL;
	world_end(w);
}

static void
test_unknown_brokers(void **state)
{
	struct world *w = world_with(NULL);
	struct cluster *none = fake_cluster(NULL, 0);

	(void)state;
	assert_null(pool_lease(w->p, 8, told_lost, w));
	assert_null(pool_lease(w->p, -1, told_lost, w));
	assert_true(pool_backing_off(w->p, 8));
	/* The broker goes: what is idle is closed, and it is no more leased. */
	w->b.serve = echo;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 1);
	return_it(w);
	pool_set_cluster(w->p, none);
	cluster_unref(none);
	TURN_UNTIL(w, w->b.open == 0);
	assert_null(pool_lease(w->p, 7, told_lost, w));
	point_at_broker(w);
	lease_it(w);
	return_it(w);
	world_end(w);
}

/* Who owes a Produce's answer for long is counted; a long poll is not. */
static void
test_silent(void **state)
{
	struct world *w = world_with(NULL);
	struct produce_request q = { .acks = -1 };
	struct my_call *m = &w->calls[1];
	struct error err;

	(void)state;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->b.request_count == 1);
	pass_ms(w, UPSTREAM_SILENT_MS + 200);
	assert_int_equal(stats_of(w).silent, 0);
	reply_n(&w->b.requests[0], 1);
	TURN_UNTIL(w, w->done == 1);
	m->w = w;
	m->call.done = call_done;
	assert_true(upstream_call(w->u, &m->call, api_schema_find(API_PRODUCE),
	    9, SLICE_LIT("me"), &q, TIMEOUT_MS, &err));
	pass_ms(w, UPSTREAM_SILENT_MS - 200);
	assert_int_equal(stats_of(w).silent, 0);
	pass_ms(w, 500);
	assert_int_equal(stats_of(w).silent, 1);
	upstream_close(w->u, "enough");
	pass_ms(w, 200);
	assert_int_equal(stats_of(w).silent, 0);
	world_end(w);
}

/* The cluster has given a broker up that hangs: nobody waits for it until the
 * time of each call is over. */
static void
test_broker_gone(void **state)
{
	struct world *w = world_with(NULL);
	struct cluster *none = fake_cluster(NULL, 0);

	(void)state;
	lease_it(w);
	send_call(w, false, NULL);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->b.request_count == 2);
	assert_int_equal(w->done, 0);
	pool_set_cluster(w->p, none);
	cluster_unref(none);
	assert_int_equal(w->done, 2);
	assert_int_equal(w->lost, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(w->calls[i].outcome, CALL_LOST);
	assert_int_equal(stats_of(w).leased, 0);
	w->u = NULL;
	world_end(w);
}

/* What is leased when the broker moves does not become idle again. */
static void
test_broker_moves(void **state)
{
	struct world *w = world_with(NULL);
	struct fake_broker other;
	const struct fake_broker *one[] = { &other };
	struct cluster *c;

	(void)state;
	fake_init(&other, w->l, 7, 0);
	c = fake_cluster(one, 1);
	w->b.serve = other.serve = echo;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 1);
	pool_set_cluster(w->p, c);
	cluster_unref(c);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 2);
	return_it(w);
	assert_int_equal(stats_of(w).idle, 0);
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 3);
	assert_int_equal(other.request_count, 1);
	return_it(w);
	fake_fini(&other);
	world_end(w);
}

static void
test_address(void **state)
{
	struct world *w = world_with(NULL);
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)w->b.port) };

	(void)state;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->b.serve = echo;
	for (int i = 0; i < 2; i++) {
		w->u = pool_lease_address(w->p, "boot", (struct sockaddr *)&a,
		    sizeof(a), told_lost, w);
		assert_int_equal(upstream_broker(w->u), -1);
		send_call(w, false, NULL);
		TURN_UNTIL(w, w->done == i + 1);
		return_it(w);
		TURN_UNTIL(w, w->b.open == 0);
	}
	/* It is nobody's broker. */
	assert_null(pool_lease(w->p, -1, told_lost, w));
	world_end(w);
}

/* ---- calls from inside done() ---- */

static void
then_return_and_lease(struct my_call *c)
{
	struct world *w = c->w;

	return_it(w);
	lease_it(w);
	send_call(w, false, NULL);
}

static void
then_call(struct my_call *c)
{
	send_call(c->w, false, NULL);
}

static void
then_close(struct my_call *c)
{
	upstream_close(c->w->u, "from inside");
}

static void
test_from_inside(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	w->b.serve = echo;
	lease_it(w);
	send_call(w, false, then_return_and_lease);
	TURN_UNTIL(w, w->done == 2);
	assert_int_equal(w->b.conn_count, 1);
	send_call(w, false, then_call);
	TURN_UNTIL(w, w->done == 4);
	send_call(w, false, then_close);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->done == 6);
	assert_int_equal(w->lost, 1);
	assert_int_equal(w->calls[5].outcome, CALL_LOST);
	world_end(w);
}

static void
then_return(struct my_call *c)
{
	if (upstream_in_flight(c->w->u) == 0)
		return_it(c->w);
}

/* The last call returns a dying upstream: `lost` is not called then. */
static void
test_return_dying(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	lease_it(w);
	for (int i = 0; i < 3; i++)
		send_call(w, i == 1, then_return);
	TURN_UNTIL(w, w->b.request_count == 3 && w->done == 1);
	fake_hang_up(&w->b.conns[0]);
	TURN_UNTIL(w, w->done == 3);
	assert_int_equal(w->lost, 0);
	assert_null(w->u);
	assert_int_equal(stats_of(w).leased, 0);
	assert_int_equal(stats_of(w).idle, 0);
	world_end(w);
}

/* A call that is made while an upstream dies ends too, whichever list of its
 * is being ended. */
static void
test_call_dying(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	fake_away(&w->b);
	lease_it(w);
	send_call(w, true, then_call);
	TURN_UNTIL(w, w->lost == 1);
	assert_int_equal(w->done, 2);
	assert_int_equal(w->calls[1].outcome, CALL_NOT_SENT);
	world_end(w);
}

/* Two are overdue at one tick, and the end of one ends or returns the other. */
static struct upstream *others[3];

static void
then_end_others(struct my_call *c)
{
	(void)c;
	for (int i = 0; i < 3; i++)
		if (others[i] != NULL) {
			struct upstream *u = others[i];

			others[i] = NULL;
			upstream_close(u, "from inside");
		}
}

static void
test_many_overdue(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	for (int i = 0; i < 3; i++) {
		w->u = others[i] = pool_lease(w->p, 7, NULL, NULL);
		send_call(w, false, then_end_others);
	}
	w->u = NULL;
	TURN_UNTIL(w, w->b.request_count == 3);
	others[0] = NULL;
	pass_ms(w, TIMEOUT_MS + 300);
	assert_int_equal(w->done, 3);
	assert_int_equal(stats_of(w).leased, 0);
	world_end(w);
}

static void
test_free_in_flight(void **state)
{
	struct world *w = world_with(NULL);

	(void)state;
	lease_it(w);
	send_call(w, false, NULL);
	TURN_UNTIL(w, w->b.request_count == 1);
	send_call(w, false, NULL);
	w->b.serve = echo;
	pool_free(w->p);
	w->p = NULL;
	assert_int_equal(w->lost, 1);
	assert_int_equal(w->calls[0].outcome, CALL_LOST);
	assert_int_equal(w->calls[1].outcome, CALL_LOST);
	world_end(w);
}

/* ---- login ---- */

#define SALT "c2FsdFNBTFRzYWx0"

static void
broker_hmac(const EVP_MD *md, const uint8_t *key, const char *text,
    uint8_t *to)
{
	unsigned int len;

	HMAC(md, key, EVP_MD_get_size(md), (const uint8_t *)text,
	    strlen(text), to, &len);
}

/* What a broker that knows the password says, or one that does not. */
static void
scram_answer(struct fake_broker *b, struct fake_request *q, const EVP_MD *md)
{
	const struct sasl_authenticate_request *in = q->body;
	struct sasl_authenticate_response r = {
		.session_lifetime_ms = q->from->step == 2 ? 1000 : 0 };
	static char first[512], server[512];
	char message[2048], text[512], *nonce;
	uint8_t salted[64], key[64], signature[64];

	r.error_message = SLICE_NULL;
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(in->auth_bytes));
	if (q->from->step++ == 1) {
		nonce = strstr(text, ",r=");
		assert_non_null(nonce);
		snprintf(first, sizeof(first), "%s", text + 3);
		snprintf(server, sizeof(server), "r=%sXYZ,s=" SALT ",i=4096",
		    nonce + 3);
		r.auth_bytes = slice_of(server);
		fake_reply(q, &r);
		return;
	}
	*strstr(text, ",p=") = '\0';
	snprintf(message, sizeof(message), "%s,%s,%s", first, server, text);
	PKCS5_PBKDF2_HMAC(b->arg, -1, (const uint8_t *)"saltSALTsalt", 12,
	    4096, md, EVP_MD_get_size(md), salted);
	broker_hmac(md, salted, "Server Key", key);
	broker_hmac(md, key, message, signature);
	memcpy(text, "v=", 2);
	EVP_EncodeBlock((uint8_t *)text + 2, signature, EVP_MD_get_size(md));
	r.auth_bytes = slice_of(text);
	fake_reply(q, &r);
}

static void
plain_answer(struct fake_request *q)
{
	const struct sasl_authenticate_request *in = q->body;
	struct sasl_authenticate_response r = { .auth_bytes = SLICE_LIT("") };

	r.error_message = SLICE_NULL;
	if (in->auth_bytes.len != 14 || memcmp(in->auth_bytes.data,
	    "\0alice\0secret!", 14) != 0)
		r.error_code = KAFKA_SASL_AUTHENTICATION_FAILED;
	q->from->step++;
	fake_reply(q, &r);
}

/* A token, and what a broker says that takes only the good one: of
 * OAUTHBEARER in two steps. */
static bool
give_token(void *arg, const char *host, struct arena *a, struct slice *to,
    struct error *err)
{
	if (strcmp(arg, "none") == 0)
		return error_set(err, "there is no token yet");
	assert_true(host[0] != '\0');
	*to = arena_slice(a, slice_of(arg));
	return true;
}

static void
oauth_answer(struct fake_request *q)
{
	const struct sasl_authenticate_request *in = q->body;
	struct sasl_authenticate_response r = { .auth_bytes = SLICE_LIT("") };

	r.error_message = SLICE_NULL;
	if (slice_is(in->auth_bytes, "\x01"))
		r.error_code = KAFKA_SASL_AUTHENTICATION_FAILED;
	else if (slice_is(in->auth_bytes,
	    "n,,\x01" "auth=Bearer good.token\x01\x01"))
		q->from->step++;
	else
		r.auth_bytes = SLICE_LIT("{\"status\":\"invalid_token\"}");
	fake_reply(q, &r);
}

static void
iam_answer(struct fake_request *q)
{
	const struct sasl_authenticate_request *in = q->body;
	struct sasl_authenticate_response r = {
		.auth_bytes = SLICE_LIT("{\"version\":\"2020_10_22\"}") };

	r.error_message = SLICE_NULL;
	if (slice_is(in->auth_bytes, "{\"signed\":1}"))
		q->from->step++;
	else if (slice_is(in->auth_bytes, "{\"mute\":1}"))
		r.auth_bytes = SLICE_LIT("");
	else
		r.error_code = KAFKA_SASL_AUTHENTICATION_FAILED;
	fake_reply(q, &r);
}

static void
token_broker(struct fake_broker *b, struct fake_request *q)
{
	const struct sasl_handshake_request *h = q->body;
	struct sasl_handshake_response r = { .error_code = 0 };

	if (q->head.api_key == API_HEARTBEAT) {
		assert_int_equal(q->from->step, 2);
		echo(b, q);
	} else if (q->head.api_key == API_SASL_HANDSHAKE) {
		q->from->step = 1;
		q->from->state = slice_is(h->mechanism, "AWS_MSK_IAM") ? b :
		    NULL;
		fake_reply(q, &r);
	} else if (q->from->state != NULL) {
		iam_answer(q);
	} else {
		oauth_answer(q);
	}
}

static void
test_login_with_token(void **state)
{
	static char most[LOGIN_TOKEN_MAX + 2];
	static const struct {
		enum upstream_mechanism	 mechanism;
		const char		*token;
		enum call_outcome	 outcome;
		int			 requests;	/* of the login */
	} rows[] = {
		{ UPSTREAM_OAUTHBEARER, "good.token", CALL_ANSWERED, 2 },
		{ UPSTREAM_OAUTHBEARER, "bad.token", CALL_NOT_SENT, 3 },
		{ UPSTREAM_OAUTHBEARER, "none", CALL_NOT_SENT, 1 },
		{ UPSTREAM_OAUTHBEARER, most, CALL_NOT_SENT, 1 },
		{ UPSTREAM_AWS_MSK_IAM, "{\"signed\":1}", CALL_ANSWERED, 2 },
		{ UPSTREAM_AWS_MSK_IAM, "{\"mute\":1}", CALL_NOT_SENT, 2 },
		{ UPSTREAM_AWS_MSK_IAM, "{}", CALL_NOT_SENT, 2 },
		{ UPSTREAM_AWS_MSK_IAM, "none", CALL_NOT_SENT, 1 },
	};

	(void)state;
	memset(most, 'a', sizeof(most) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct upstream_options o = { .mechanism = rows[i].mechanism,
			.token = give_token,
			.token_arg = (void *)(uintptr_t)rows[i].token };
		struct world *w = world_with(&o);
		bool in = rows[i].outcome == CALL_ANSWERED;

		w->b.serve = token_broker;
		lease_it(w);
		send_call(w, false, NULL);
		TURN_UNTIL(w, w->done == 1);
		assert_int_equal(w->calls[0].outcome, rows[i].outcome);
		assert_int_equal(w->b.request_count, rows[i].requests + in);
		if (w->u != NULL)
			return_it(w);
		world_end(w);
	}
}

static void
login_broker(struct fake_broker *b, struct fake_request *q)
{
	const struct sasl_handshake_request *h = q->body;
	struct sasl_handshake_response r = { .error_code = 0 };

	if (q->head.api_key == API_HEARTBEAT) {
		assert_true(q->from->step >= 2);
		echo(b, q);
	} else if (q->head.api_key == API_SASL_HANDSHAKE) {
		/* At first, or to renew a login that has ended. */
		assert_int_not_equal(q->from->step, 1);
		q->from->step = 1;
		q->from->state = slice_is(h->mechanism, "PLAIN") ? NULL :
		    slice_is(h->mechanism, "SCRAM-SHA-512") ?
		    (void *)(uintptr_t)EVP_sha512() :
		    (void *)(uintptr_t)EVP_sha256();
		fake_reply(q, &r);
	} else if (q->from->state == NULL) {
		plain_answer(q);
	} else {
		scram_answer(b, q, q->from->state);
	}
}

static void
test_login(void **state)
{
	static const struct {
		enum upstream_mechanism	 mechanism;
		const char		*password, *known;
		enum call_outcome	 outcome;
	} rows[] = {
		{ UPSTREAM_PLAIN, "secret!", "", CALL_ANSWERED },
		{ UPSTREAM_PLAIN, "wrong!!", "", CALL_NOT_SENT },
		{ UPSTREAM_SCRAM_SHA_256, "secret!", "secret!",
		  CALL_ANSWERED },
		{ UPSTREAM_SCRAM_SHA_512, "secret!", "secret!",
		  CALL_ANSWERED },
		{ UPSTREAM_SCRAM_SHA_512, "secret!", "other", CALL_NOT_SENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct upstream_options o = { .mechanism = rows[i].mechanism,
			.username = "alice", .password = rows[i].password };
		struct world *w = world_with(&o);
		char known[16];

		snprintf(known, sizeof(known), "%s", rows[i].known);
		w->b.serve = login_broker;
		w->b.arg = known;
		lease_it(w);
		send_call(w, false, NULL);
		TURN_UNTIL(w, w->done == 1);
		assert_int_equal(w->calls[0].outcome, rows[i].outcome);
		assert_int_equal(pool_backing_off(w->p, 7),
		    rows[i].outcome != CALL_ANSWERED);
		if (w->u != NULL)
			return_it(w);
		world_end(w);
	}
}

static void
refuse_mechanism(struct fake_broker *b, struct fake_request *q)
{
	const struct sasl_handshake_response r = {
		.error_code = KAFKA_UNSUPPORTED_SASL_MECHANISM };

	(void)b;
	fake_reply(q, &r);
}

static void
test_login_broken(void **state)
{
	static void (*const how[])(struct fake_broker *,
	    struct fake_request *) = { refuse_mechanism, garbage, wrong_id,
	    die, NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		struct upstream_options o = { .mechanism = UPSTREAM_PLAIN,
			.username = "alice", .password = "secret!" };
		struct world *w = world_with(&o);

		if (how[i] != wrong_id)
			w->b.serve = how[i];
		lease_it(w);
		send_call(w, false, NULL);
		if (how[i] == NULL) {
			TURN_UNTIL(w, w->b.request_count == 1);
			pass_ms(w, 1300);	/* connect_ms */
		}
		if (how[i] == wrong_id) {
			const struct sasl_handshake_response r = { 0 };

			TURN_UNTIL(w, w->b.request_count == 1);
			fake_reply_id(&w->b.requests[0], &r, 5);
		}
		TURN_UNTIL(w, w->lost == 1);
		assert_int_equal(w->calls[0].outcome, CALL_NOT_SENT);
		assert_int_equal(stats_of(w).connecting, 0);
		world_end(w);
	}
}

/* SCRAM's broker gave 1000 ms: after 800 an idle one is closed, and a leased
 * one logs in again (KIP-368). */
static void
test_lifetime(void **state)
{
	struct upstream_options o = { .mechanism = UPSTREAM_SCRAM_SHA_256,
		.username = "alice", .password = "secret!" };
	struct world *w = world_with(&o);
	char known[] = "secret!";

	(void)state;
	w->b.serve = login_broker;
	w->b.arg = known;
	for (int i = 0; i < 3; i++) {
		lease_it(w);
		send_call(w, false, NULL);
		TURN_UNTIL(w, w->done == i + 1);
		assert_int_equal(w->calls[i].outcome, CALL_ANSWERED);
		if (i == 2)
			pass_ms(w, 900);
		return_it(w);
		assert_int_equal(w->b.conn_count, i == 2 ? 2 : 1);
		assert_int_equal(stats_of(w).idle, 1);
		pass_ms(w, i == 0 ? 600 : 300);
	}
	world_end(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_unasked_reply),
		cmocka_unit_test(test_not_sent),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_reply),
		cmocka_unit_test(test_cannot_be_encoded),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_idle_dies),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_together),
		cmocka_unit_test(test_unknown_brokers),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_broker_gone),
		cmocka_unit_test(test_broker_moves),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_from_inside),
		cmocka_unit_test(test_return_dying),
		cmocka_unit_test(test_call_dying),
		cmocka_unit_test(test_many_overdue),
		cmocka_unit_test(test_free_in_flight),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_with_token),
		cmocka_unit_test(test_login_broken),
		cmocka_unit_test(test_lifetime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
