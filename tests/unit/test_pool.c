/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/net/listen.h"
#include "routing/pool_private.h"
#include "tests/unit/fake_broker.h"
#include "tests/unit/net_fixture.h"
#include "wire/messages.h"

enum { CALLS = 64, HELD = 64, HEARTBEAT = 4 };

/* ---- the world ---- */

struct ended {
	int			 tag;
	enum call_outcome	 outcome;
	int16_t			 code;		/* of the reply */
};

/* How the fake broker ends logins. */
enum login_script {
	LOGIN_GOOD, LOGIN_REFUSED, LOGIN_NO_MECHANISM, LOGIN_MUTE, LOGIN_DROPS,
	LOGIN_GARBAGE, LOGIN_BAD_SIGNATURE, LOGIN_SHORT_NONCE,
};

struct world {
	struct loop		*l;
	struct pool		*pool;
	struct upstream_options	 options;
	struct fake_broker	 fake[3];
	struct ended		 ended[CALLS];
	int			 ended_count;
	struct fake_request	*held[HELD];
	int			 held_count;
	int			 lost;
	struct upstream		*lost_one;
	bool			 inside;	/* upstream_call */
	enum login_script	 login;
	int64_t			 lifetime_ms;
	int			 logins;
	struct upstream		*up;		/* for what done() does */
};

static struct world *world;		/* of the test that runs */

/* A call that notes its end, then does more. */
struct tcall {
	struct call		 call;
	int			 tag;
	void			(*more)(struct tcall *c);
};

static void
tcall_done(struct call *c, const struct call_reply *r)
{
	struct tcall *t = LIST_ENTRY(c, struct tcall, call);
	struct ended *e = &world->ended[world->ended_count++];

	assert_false(world->inside);
	assert_true(world->ended_count <= CALLS);
	*e = (struct ended){ t->tag, r->outcome, -1 };
	if (r->outcome == CALL_ANSWERED) {
		struct reader rd = r->reader;
		struct heartbeat_response *h;
		struct arena a;

		arena_init(&a, 0);
		h = codec_decode(&rd, &heartbeat_response_message, c->version,
		    &a);
		assert_non_null(h);
		assert_ptr_equal(rd.p, rd.end);
		e->code = h->error_code;
		arena_fini(&a);
	} else if (r->outcome != CALL_SENT) {
		assert_non_null(r->detail);
	}
	/* It is the owner's again. */
	memset(&t->call, 0xaa, sizeof(t->call));
	if (t->more != NULL)
		t->more(t);
}

static void
lost(struct upstream *u, void *arg)
{
	assert_ptr_equal(arg, world);
	world->lost++;
	world->lost_one = u;
}

static void
call_full(struct upstream *u, struct tcall *t, int tag, const char *what,
    uint32_t timeout_ms)
{
	struct heartbeat_request q = { .group_id = slice_of(what),
		.generation_id = tag, .member_id = SLICE_LIT("m") };
	struct error err;
	bool no_reply = strcmp(what, "silent") == 0;

	t->tag = tag;
	memset(&t->call, 0, sizeof(t->call));
	t->call.done = tcall_done;
	t->call.no_reply = no_reply;
	world->inside = true;
	assert_true(upstream_call(u, &t->call, api_schema_find(API_HEARTBEAT),
	    HEARTBEAT, SLICE_LIT("test"), &q, timeout_ms, &err));
	world->inside = false;
}

static void
call(struct upstream *u, struct tcall *t, int tag, const char *what)
{
	call_full(u, t, tag, what, 30000);
}

static int16_t
code_of(const struct fake_request *q)
{
	const struct heartbeat_request *h = q->body;

	return (int16_t)h->generation_id;
}

static void
echo(struct fake_request *q)
{
	const struct heartbeat_response r = { .error_code = code_of(q) };

	fake_reply(q, &r);
}

static void
answer_heartbeat(struct fake_request *q)
{
	const struct heartbeat_request *h = q->body;

	if (slice_is(h->group_id, "echo"))
		echo(q);
	else if (slice_is(h->group_id, "hold"))
		world->held[world->held_count++] = q;
	else if (slice_is(h->group_id, "die"))
		conn_close_after_flush(q->from->conn, CONN_UNUSED);
	else
		assert_true(slice_is(h->group_id, "silent"));
}

static void
release_held(void)
{
	for (int i = 0; i < world->held_count; i++)
		echo(world->held[i]);
	world->held_count = 0;
}

/* Nobody listens any more; what is connected stays. */
static void
deafen(struct fake_broker *b)
{
	listen_close(b->listener);
	b->listener = NULL;
}

static void
turn_for(struct loop *l, int64_t ms)
{
	int64_t until = clock_now_us() + ms * 1000;

	while (clock_now_us() < until)
		loop_turn(l, 1);
}

/* ---- the broker's side of SASL ---- */

#define USER "weir"
#define PASSWORD "s3cret,="

static char server_text[512];

/* The server's first message for a client's first, with salt "SALT". */
static struct slice
scram_challenge(struct slice said)
{
	const char *nonce = memmem(said.data, said.len, ",r=", 3);
	int n = (int)(said.len - (size_t)(nonce + 3 -
	    (const char *)said.data));

	if (world->login == LOGIN_SHORT_NONCE)
		n = 3;
	snprintf(server_text, sizeof(server_text),
	    "r=%.*s%s,s=U0FMVA==,i=4096", n, nonce + 3,
	    world->login == LOGIN_SHORT_NONCE ? "" : "server");
	return slice_of(server_text);
}

/* Whatever was said: a signature that is not right. */
static struct slice
scram_verdict(void)
{
	return SLICE_LIT("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

static char client_first_bare[256], client_last[512], challenge_text[512];

static void
mac(const uint8_t *key, const char *text, uint8_t *to)
{
	unsigned int len;

	HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strlen(text), to,
	    &len);
}

/* Checks the proof as a server does, which knows only the stored key. */
static struct slice
scram_good_verdict(void)
{
	static char verdict[128];
	uint8_t salted[32], client_key[32], stored[32], server_key[32];
	uint8_t signature[32], proof[48];
	char message[2048], *p = strstr(client_last, ",p=");

	assert_non_null(p);
	*p = '\0';
	snprintf(message, sizeof(message), "%s,%s,%s", client_first_bare,
	    challenge_text, client_last);
	PKCS5_PBKDF2_HMAC(PASSWORD, (int)strlen(PASSWORD),
	    (const uint8_t *)"SALT", 4, 4096, EVP_sha256(), 32, salted);
	mac(salted, "Client Key", client_key);
	EVP_Digest(client_key, 32, stored, NULL, EVP_sha256(), NULL);
	mac(stored, message, signature);
	assert_int_equal(EVP_DecodeBlock(proof, (uint8_t *)p + 3,
	    (int)strlen(p + 3)), 33);
	for (int i = 0; i < 32; i++)
		assert_int_equal(proof[i] ^ signature[i], client_key[i]);
	mac(salted, "Server Key", server_key);
	mac(server_key, message, signature);
	memcpy(verdict, "v=", 2);
	EVP_EncodeBlock((uint8_t *)verdict + 2, signature, 32);
	return slice_of(verdict);
}

static struct slice
answer_auth(struct slice said)
{
	if (said.len > 3 && memcmp(said.data, "n,,", 3) == 0) {
		struct slice c = scram_challenge(said);

		snprintf(client_first_bare, sizeof(client_first_bare), "%.*s",
		    (int)said.len - 3, (const char *)said.data + 3);
		snprintf(challenge_text, sizeof(challenge_text), "%s",
		    server_text);
		return c;
	}
	if (said.len > 2 && memcmp(said.data, "c=", 2) == 0) {
		snprintf(client_last, sizeof(client_last), "%.*s",
		    SLICE_FMT(said));
		return world->login == LOGIN_BAD_SIGNATURE ? scram_verdict() :
		    scram_good_verdict();
	}
	/* PLAIN */
	assert_int_equal(said.len, strlen(USER) + strlen(PASSWORD) + 2);
	assert_memory_equal(said.data, "\0" USER "\0" PASSWORD, said.len);
	return SLICE_LIT("");
}

static void
answer_login(struct fake_request *q)
{
	struct slice offered[] = { SLICE_LIT("PLAIN"),
		SLICE_LIT("EVIL\n\"name\"") };
	struct sasl_handshake_response hr = { .mechanisms = { offered, 2 } };
	struct sasl_authenticate_response ar = {
		.session_lifetime_ms = world->lifetime_ms,
		.auth_bytes = SLICE_LIT("") };

	if (world->login == LOGIN_MUTE)
		return;
	if (world->login == LOGIN_DROPS) {
		fake_hang_up(q->from);
		return;
	}
	if (world->login == LOGIN_GARBAGE) {
		fake_send_raw(q->from, "\0\0\0\5\0\0\0\1x", 9);
		return;
	}
	if (q->head.api_key == API_SASL_HANDSHAKE) {
		assert_int_equal(q->head.version, 1);
		world->logins++;
		hr.error_code = world->login == LOGIN_NO_MECHANISM ? 33 : 0;
		fake_reply(q, &hr);
		return;
	}
	ar.error_code = world->login == LOGIN_REFUSED ? 58 : 0;
	ar.error_message = ar.error_code ? SLICE_LIT("go away") : SLICE_NULL;
	if (ar.error_code == 0)
		ar.auth_bytes = answer_auth(((const struct
		    sasl_authenticate_request *)q->body)->auth_bytes);
	fake_reply(q, &ar);
}

static void
serve(struct fake_broker *b, struct fake_request *q)
{
	(void)b;
	if (q->head.api_key == API_HEARTBEAT)
		answer_heartbeat(q);
	else
		answer_login(q);
}

/* ---- set-up ---- */

static int
set_up(void **state)
{
	world = mem_zalloc(sizeof(*world));
	world->l = loop_new();
	world->options = (struct upstream_options){ .connect_ms = 10000,
		.idle_ms = 60000, .idle_max = 4, .backoff_min_ms = 50,
		.backoff_max_ms = 500 };
	for (int i = 0; i < 3; i++) {
		fake_init(&world->fake[i], world->l, 7, 0);
		world->fake[i].serve = serve;
	}
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	if (world->pool != NULL)
		pool_free(world->pool);
	for (int i = 0; i < 3; i++)
		fake_fini(&world->fake[i]);
	loop_free(world->l);
	free(world);
	return 0;
}

/* At 127.0.0.1, one for each port, as if they were of its name. */
static void
put_addresses(struct broker *b, struct arena *a, const int *ports, int32_t n)
{
	b->addresses = ARENA_ARRAY(a, struct broker_address, n);
	b->address_count = n;
	for (int32_t i = 0; i < n; i++) {
		struct sockaddr_in in = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)ports[i]),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		memcpy(&b->addresses[i].sa, &in, sizeof(in));
		b->addresses[i].len = sizeof(in);
	}
}

/* Broker 7 at these ports; none: it is gone. */
static void
set_ports(const char *host, const int *ports, int32_t n)
{
	struct arena a;
	struct cluster *c;

	arena_init(&a, 0);
	c = ARENA_NEW(&a, struct cluster);
	c->arena = a;
	c->refs = 1;
	c->brokers = ARENA_NEW(&c->arena, struct broker);
	c->broker_count = n > 0;
	c->brokers[0].id = 7;
	c->brokers[0].host = arena_slice(&c->arena, slice_of(host));
	c->brokers[0].port = n > 0 ? ports[0] : 0;
	if (n > 0)
		put_addresses(&c->brokers[0], &c->arena, ports, n);
	pool_set_cluster(world->pool, c);
	cluster_unref(c);
}

static void
begin(void)
{
	world->pool = pool_new(world->l, &world->options);
	set_ports("broker", &world->fake[0].port, 1);
}

static struct upstream *
get(void)
{
	return pool_lease(world->pool, 7, lost, world);
}

static void
expect(int i, int tag, enum call_outcome outcome, int code)
{
	assert_true(i < world->ended_count);
	assert_int_equal(world->ended[i].tag, tag);
	assert_int_equal(world->ended[i].outcome, outcome);
	assert_int_equal(world->ended[i].code, code);
}

static struct upstream_stats
stats(void)
{
	struct upstream_stats s;

	pool_stats(world->pool, &s);
	return s;
}

/* ---- calls ---- */

static void
test_silent(void **state)
{
	struct tcall a = { .tag = 0 }, b = a, c = a;
	struct upstream *u;

	(void)state;
	begin();
	u = get();
	call(u, &a, 1, "silent");
	assert_int_equal(world->ended_count, 0);
	UNTIL(world->l, world->ended_count == 1);
	expect(0, 1, CALL_SENT, -1);
	/* The reply behind it is not taken for its own. */
	call(u, &a, 2, "silent");
	call(u, &b, 3, "echo");
	call(u, &c, 4, "silent");
	UNTIL(world->l, world->ended_count == 4);
	assert_int_equal(world->fake[0].request_count, 4);
	for (int i = 1; i < 4; i++)
		if (world->ended[i].tag == 3)
			expect(i, 3, CALL_ANSWERED, 3);
		else
			expect(i, world->ended[i].tag, CALL_SENT, -1);
	assert_int_equal(upstream_in_flight(u), 0);
}

/* Replies are in order of requests, whatever their correlation ids. */
static void
test_swapped(void **state)
{
	const struct heartbeat_response r = { .error_code = 0 };
	struct tcall a = { .tag = 0 }, b = a;
	struct upstream *u;

	(void)state;
	begin();
	u = get();
	call(u, &a, 1, "hold");
	call(u, &b, 2, "hold");
	UNTIL(world->l, world->held_count == 2);
	world->held_count = 0;
	fake_reply_id(world->held[1], &r, 0);
	UNTIL(world->l, world->lost == 1);
	expect(0, 1, CALL_LOST, -1);
	expect(1, 2, CALL_LOST, -1);
}

static void
test_deadlines(void **state)
{
	struct tcall a = { .tag = 0 }, b = a;
	struct upstream *u;
	int64_t began;

	(void)state;
	begin();
	u = get();
	call(u, &a, 1, "hold");
	call_full(u, &b, 2, "hold", 150);
	began = clock_now_us();
	UNTIL(world->l, world->lost == 1);
	assert_true(clock_now_us() - began >= 150000);
	expect(0, 1, CALL_LOST, -1);
	expect(1, 2, CALL_LOST, -1);
	assert_int_equal(stats().timeouts, 1);
	/* The nearest deadline is known when the one before it was answered. */
	u = get();
	call_full(u, &a, 3, "echo", 100);
	UNTIL(world->l, world->ended_count == 3);
	call_full(u, &b, 4, "hold", 30000);
	turn_for(world->l, 350);
	assert_int_equal(world->ended_count, 3);
	release_held();
	UNTIL(world->l, world->ended_count == 4);
	expect(3, 4, CALL_ANSWERED, 4);
}

/* ---- what was never sent ---- */

/* 50, 100, 200, 400, 500, 500; one failure of several together; a success
 * begins anew. */
static void
test_backoff(void **state)
{
	static const int expected[] = { 50, 100, 200, 400, 500, 500 };
	struct tcall c = { .tag = 0 };
	struct upstream *u;

	(void)state;
	begin();
	deafen(&world->fake[0]);
	for (int i = 0; i < 6; i++) {
		int64_t failed, waited;

		assert_non_null(get());
		assert_non_null(get());
		assert_non_null(get());
		UNTIL(world->l, world->lost == 3 * (i + 1));
		failed = clock_now_us();
		assert_null(get());
		UNTIL(world->l, !pool_backing_off(world->pool, 7));
		waited = (clock_now_us() - failed) / 1000;
		assert_in_range(waited, expected[i] - 30, expected[i] + 200);
	}
	fake_again(&world->fake[0]);
	u = get();
	call(u, &c, 1, "echo");
	UNTIL(world->l, world->ended_count == 1);
	expect(0, 1, CALL_ANSWERED, 1);
	upstream_close(u, "test");
	assert_int_equal(world->lost, 19);
	assert_false(pool_backing_off(world->pool, 7));
	deafen(&world->fake[0]);
	assert_non_null(get());
	UNTIL(world->l, world->lost == 20);
	turn_for(world->l, 60);
	assert_false(pool_backing_off(world->pool, 7));
}

/* What is idle is leased although a new one could not be connected. */
static void
test_idle_while_backing_off(void **state)
{
	struct tcall c = { .tag = 0 };
	struct upstream *u;

	(void)state;
	begin();
	u = get();
	call(u, &c, 1, "echo");
	UNTIL(world->l, world->ended_count == 1);
	deafen(&world->fake[0]);
	assert_non_null(get());
	UNTIL(world->l, world->lost == 1);
	assert_true(pool_backing_off(world->pool, 7));
	assert_null(get());
	pool_return(u);
	assert_false(pool_backing_off(world->pool, 7));
	assert_ptr_equal(get(), u);
}

/* Nobody listens at the first address of the name. */
static void
test_next_address(void **state)
{
	struct tcall c = { .tag = 0 };
	int ports[3];
	struct upstream *u;

	(void)state;
	begin();
	deafen(&world->fake[1]);
	deafen(&world->fake[2]);
	ports[0] = world->fake[1].port;
	ports[1] = world->fake[2].port;
	ports[2] = world->fake[0].port;
	set_ports("broker", ports, 3);
	u = get();
	call(u, &c, 1, "echo");
	UNTIL(world->l, world->ended_count == 1);
	expect(0, 1, CALL_ANSWERED, 1);
	assert_int_equal(stats().failed, 0);
	assert_int_equal(stats().connecting, 0);
	assert_int_equal(world->lost, 0);
	/* The next one begins with the one that worked. */
	u = get();
	assert_int_equal(u->address, 2);
	call(u, &c, 2, "echo");
	UNTIL(world->l, world->ended_count == 2);
	/* None works: one failure. */
	deafen(&world->fake[0]);
	u = get();
	call(u, &c, 3, "echo");
	UNTIL(world->l, world->ended_count == 3);
	expect(2, 3, CALL_NOT_SENT, -1);
	assert_int_equal(stats().failed, 1);
}

/* ---- idle ones ---- */

static void
open_several(struct upstream **u, int n)
{
	struct tcall *c = mem_zalloc((size_t)n * sizeof(*c));
	int before = world->ended_count;

	for (int i = 0; i < n; i++) {
		u[i] = get();
		call(u[i], &c[i], i, "echo");
	}
	UNTIL(world->l, world->ended_count == before + n);
	free(c);
}

static void
test_reuse(void **state)
{
	struct upstream *u[6];

	(void)state;
	begin();
	open_several(u, 6);
	for (int i = 0; i < 6; i++)
		pool_return(u[i]);
	/* idle_max is 4: the last two were closed. */
	assert_int_equal(stats().idle, 4);
	assert_ptr_equal(get(), u[3]);
	assert_ptr_equal(get(), u[2]);
	pool_return(u[3]);
	assert_ptr_equal(get(), u[3]);
	assert_int_equal(stats().opened, 6);
	assert_int_equal(world->lost, 0);
	UNTIL(world->l, world->fake[0].open == 4);
}

static void
test_idle_time(void **state)
{
	struct upstream *u[2];

	(void)state;
	world->options.idle_ms = 400;
	begin();
	open_several(u, 2);
	pool_return(u[0]);
	turn_for(world->l, 250);
	pool_return(u[1]);
	UNTIL(world->l, stats().idle == 1);
	assert_ptr_equal(get(), u[1]);
	pool_return(u[1]);
	UNTIL(world->l, stats().idle == 0);
	assert_int_equal(pool_losses(world->pool, 7), 0);
}

/* Returned before it was up, or closed by its holder. */
static void
test_given_up(void **state)
{
	struct tcall c = { .tag = 0 };
	struct upstream *u;

	(void)state;
	begin();
	u = get();
	pool_return(u);
	assert_int_equal(stats().idle, 0);
	assert_int_equal(stats().connecting, 0);
	assert_int_equal(stats().failed, 0);
	u = get();
	call(u, &c, 1, "echo");
	upstream_close(u, "enough");
	assert_int_equal(world->lost, 1);
	expect(0, 1, CALL_NOT_SENT, -1);
	assert_false(pool_backing_off(world->pool, 7));
	u = get();
	call(u, &c, 2, "hold");
	UNTIL(world->l, world->held_count == 1);
	upstream_close(u, "enough");
	assert_int_equal(world->lost, 2);
	expect(1, 2, CALL_LOST, -1);
}

static void
test_moved(void **state)
{
	struct upstream *u[3];
	struct tcall c = { .tag = 0 };
	struct upstream *v;

	(void)state;
	begin();
	open_several(u, 3);
	pool_return(u[0]);
	/* The same name and port: nothing has moved. */
	set_ports("broker", &world->fake[0].port, 1);
	assert_int_equal(stats().idle, 1);
	set_ports("broker", &world->fake[1].port, 1);
	assert_int_equal(stats().idle, 0);
	/* What is leased goes on, and is not kept. */
	call(u[1], &c, 1, "echo");
	UNTIL(world->l, world->ended_count == 4);
	expect(3, 1, CALL_ANSWERED, 1);
	pool_return(u[1]);
	assert_int_equal(stats().idle, 0);
	v = get();
	call(v, &c, 2, "echo");
	UNTIL(world->l, world->ended_count == 5);
	assert_int_equal(world->fake[1].request_count, 1);
	pool_return(v);
	assert_int_equal(stats().idle, 1);
	/* Gone, with what is leased, and back. */
	set_ports("broker", NULL, 0);
	assert_int_equal(stats().idle, 0);
	assert_int_equal(world->lost, 1);
	assert_null(get());
	set_ports("broker", &world->fake[1].port, 1);
	v = get();
	assert_non_null(v);
	assert_int_equal(stats().leased, 1);
	assert_int_equal(world->lost, 1);
}

static void
sum_broker(void *arg, int32_t broker, const struct upstream_stats *s)
{
	struct upstream_stats *to = arg;

	assert_int_equal(broker, 7);
	to->leased += s->leased;
	to->idle += s->idle;
	to->connecting += s->connecting;
}

static void
test_counts(void **state)
{
	struct upstream_stats s = { .leased = 0 };
	struct upstream *u[3];

	(void)state;
	begin();
	open_several(u, 3);
	pool_return(u[1]);
	pool_return(u[2]);
	get();
	get();
	get();
	pool_each_broker(world->pool, sum_broker, &s);
	assert_int_equal(s.leased, 4);
	assert_int_equal(s.idle, 0);
	assert_int_equal(s.connecting, 1);
	pool_return(u[0]);
	memset(&s, 0, sizeof(s));
	pool_each_broker(world->pool, sum_broker, &s);
	assert_int_equal(s.leased, 3);
	assert_int_equal(s.idle, 1);
}

/* ---- what done() does ---- */

static void
more_return(struct tcall *c)
{
	(void)c;
	if (upstream_in_flight(world->up) == 0)
		pool_return(world->up);
}

static void
more_close(struct tcall *c)
{
	(void)c;
	upstream_close(world->up, "from inside");
}

static struct tcall again[CALLS];
static int agains;

/* Calls again on the same one, alive or not. */
static void
more_again(struct tcall *c)
{
	struct tcall *t = &again[agains];

	memset(t, 0, sizeof(*t));
	if (agains++ < 3)
		t->more = more_again;
	call(world->up, t, c->tag + 100, "echo");
}

static void
more_lease(struct tcall *c)
{
	struct upstream *u = get();

	(void)c;
	if (u != NULL)
		pool_return(u);
}

static void
test_done_returns(void **state)
{
	struct tcall a = { .more = more_return }, b = a;

	(void)state;
	begin();
	world->up = get();
	call(world->up, &a, 1, "echo");
	call(world->up, &b, 2, "echo");
	UNTIL(world->l, world->ended_count == 2);
	assert_int_equal(stats().idle, 1);
	/* And when it dies: it is not lost, since it was returned. */
	world->up = get();
	call(world->up, &a, 3, "hold");
	call(world->up, &b, 4, "die");
	UNTIL(world->l, world->ended_count == 4);
	expect(2, 3, CALL_LOST, -1);
	assert_int_equal(world->lost, 0);
	assert_int_equal(stats().leased, 0);
	assert_int_equal(stats().idle, 0);
}

static void
test_done_closes(void **state)
{
	struct tcall a = { .more = more_close }, b = { .tag = 0 }, c = b;

	(void)state;
	begin();
	world->up = get();
	call(world->up, &a, 1, "echo");
	call(world->up, &b, 2, "echo");
	call(world->up, &c, 3, "silent");
	UNTIL(world->l, world->lost == 1);
	assert_int_equal(world->ended_count, 3);
	/* The silent one may have been done before the reply came. */
	for (int i = 0; i < 3; i++)
		if (world->ended[i].tag == 2)
			expect(i, 2, CALL_LOST, -1);
}

static void
test_done_calls(void **state)
{
	struct tcall a = { .more = more_again };

	(void)state;
	begin();
	agains = 0;
	world->up = get();
	call(world->up, &a, 1, "echo");
	UNTIL(world->l, world->ended_count == 5);
	for (int i = 0; i < 5; i++)
		expect(i, 1 + i * 100, CALL_ANSWERED, 1 + i * 100);
}

/* On one that has just ended: not sent, later, and only then is it lost. */
static void
test_done_calls_the_dead(void **state)
{
	struct tcall a = { .more = more_again };

	(void)state;
	begin();
	agains = 0;
	world->up = get();
	call(world->up, &a, 1, "die");
	UNTIL(world->l, world->lost == 1);
	assert_int_equal(world->ended_count, 5);
	expect(0, 1, CALL_LOST, -1);
	for (int i = 1; i < 5; i++)
		expect(i, 1 + i * 100, CALL_NOT_SENT, -1);
}

static void
test_done_leases(void **state)
{
	struct tcall a = { .more = more_lease }, b = a, c = a;
	struct upstream *u;

	(void)state;
	begin();
	u = get();
	call(u, &a, 1, "echo");
	call(u, &b, 2, "die");
	call(u, &c, 3, "echo");
	UNTIL(world->l, world->lost == 1);
	assert_int_equal(world->ended_count, 3);
	turn_for(world->l, 250);
}

/* All at once, and their ends end one another. */
static void
test_deadline_of_many(void **state)
{
	struct tcall c[10];

	(void)state;
	begin();
	memset(c, 0, sizeof(c));
	for (int i = 0; i < 10; i++) {
		struct upstream *u = get();

		c[i].more = i % 2 ? more_close : NULL;
		if (i == 8)
			world->up = u;
		call_full(u, &c[i], i, "hold", 120);
	}
	UNTIL(world->l, world->lost == 10);
	assert_int_equal(world->ended_count, 10);
	assert_int_equal(stats().leased, 0);
}

static void
test_pool_ends(void **state)
{
	struct tcall c[6];
	struct upstream *u[4];

	(void)state;
	begin();
	memset(c, 0, sizeof(c));
	open_several(u, 4);
	pool_return(u[0]);
	for (int i = 1; i < 4; i++)
		call(u[i], &c[i], i, "hold");
	UNTIL(world->l, world->held_count == 3);
	call(get(), &c[0], 0, "echo");
	call(get(), &c[4], 4, "echo");
	c[3].more = more_lease;
	pool_free(world->pool);
	world->pool = NULL;
	assert_int_equal(world->ended_count, 9);
	assert_int_equal(world->lost, 5);
	for (int i = 4; i < 9; i++) {
		int tag = world->ended[i].tag;

		expect(i, tag, tag == 4 ? CALL_NOT_SENT :
		    CALL_LOST, -1);
	}
}

/* ---- login ---- */

static void
with_login(enum upstream_mechanism m)
{
	world->options.mechanism = m;
	world->options.username = USER;
	world->options.password = PASSWORD;
	begin();
}

static void
expect_login(void)
{
	struct tcall a = { .tag = 0 }, b = a;
	struct upstream *u = get();

	call(u, &a, 1, "echo");
	call(u, &b, 2, "silent");
	UNTIL(world->l, world->ended_count == 2);
	assert_int_equal(world->logins, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(world->ended[i].outcome,
		    world->ended[i].tag == 1 ? CALL_ANSWERED : CALL_SENT);
	pool_return(u);
	assert_int_equal(stats().idle, 1);
}

static void
test_scram(void **state)
{
	struct upstream *u;
	struct tcall c = { .tag = 0 };

	(void)state;
	with_login(UPSTREAM_SCRAM_SHA_256);
	expect_login();
	assert_true(world->pool->keys.set);
	/* The second login takes the keys of the first. */
	get();
	u = get();
	call(u, &c, 3, "echo");
	UNTIL(world->l, world->ended_count == 3);
	expect(2, 3, CALL_ANSWERED, 3);
	assert_int_equal(world->logins, 2);
}

/* Whatever goes wrong before it is up: nothing was sent. */
static void
test_login_fails(void **state)
{
	static const struct {
		enum login_script	 script;
		enum upstream_mechanism	 mechanism;
	} rows[] = {
		{ LOGIN_REFUSED, UPSTREAM_PLAIN },
		{ LOGIN_NO_MECHANISM, UPSTREAM_PLAIN },
		{ LOGIN_DROPS, UPSTREAM_PLAIN },
		{ LOGIN_GARBAGE, UPSTREAM_PLAIN },
		{ LOGIN_MUTE, UPSTREAM_PLAIN },
		{ LOGIN_REFUSED, UPSTREAM_SCRAM_SHA_256 },
		{ LOGIN_BAD_SIGNATURE, UPSTREAM_SCRAM_SHA_256 },
		{ LOGIN_SHORT_NONCE, UPSTREAM_SCRAM_SHA_256 },
	};
	struct tcall c[2];

	(void)state;
	world->options.connect_ms = 300;
	for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
		struct upstream *u;

		memset(c, 0, sizeof(c));
		world->login = rows[i].script;
		with_login(rows[i].mechanism);
		u = get();
		call(u, &c[0], 1, "echo");
		call(u, &c[1], 2, "silent");
		UNTIL(world->l, world->lost == i + 1);
		expect(i * 2, 1, CALL_NOT_SENT, -1);
		expect(i * 2 + 1, 2, CALL_NOT_SENT, -1);
		assert_null(get());
		pool_free(world->pool);
		world->pool = NULL;
	}
	for (int i = 0; i < world->fake[0].request_count; i++)
		assert_int_not_equal(world->fake[0].requests[i].head.api_key,
		    API_HEARTBEAT);
}

/* The same in front of a call's deadline. */
static void
test_login_deadline(void **state)
{
	struct tcall c = { .tag = 0 };

	(void)state;
	world->login = LOGIN_MUTE;
	with_login(UPSTREAM_PLAIN);
	call_full(get(), &c, 1, "echo", 150);
	UNTIL(world->l, world->lost == 1);
	expect(0, 1, CALL_NOT_SENT, -1);
}

/* A login that ends is renewed when nothing is in flight, and what is called
 * meanwhile waits; nothing is lost and the order stays. */
static void
test_renewed(void **state)
{
	struct tcall c[4];
	struct upstream *u;

	(void)state;
	memset(c, 0, sizeof(c));
	world->lifetime_ms = 500;
	with_login(UPSTREAM_SCRAM_SHA_256);
	u = get();
	call(u, &c[0], 1, "hold");
	UNTIL(world->l, world->held_count == 1);
	UNTIL(world->l, u->state == UPSTREAM_RENEWING);
	world->lifetime_ms = 0;
	call(u, &c[1], 2, "echo");
	call(u, &c[2], 3, "silent");
	call(u, &c[3], 4, "echo");
	turn_for(world->l, 100);
	assert_int_equal(world->logins, 1);
	assert_int_equal(world->ended_count, 0);
	release_held();
	UNTIL(world->l, world->ended_count == 4);
	expect(0, 1, CALL_ANSWERED, 1);
	assert_int_equal(world->logins, 2);
	assert_int_equal(u->state, UPSTREAM_UP);
	assert_int_equal(u->retire_us, 0);
	assert_int_equal(world->fake[0].conn_count, 1);
	assert_int_equal(stats().connecting, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(world->fake[0].requests[4 + i].head.api_key,
		    i ? API_SASL_AUTHENTICATE : API_SASL_HANDSHAKE);
	assert_int_equal(world->lost, 0);
	pool_return(u);
	assert_int_equal(stats().idle, 1);
}

/* Refused the second time: what was not sent is not lost. */
static void
test_renewal_refused(void **state)
{
	struct tcall c[2];
	struct upstream *u;

	(void)state;
	memset(c, 0, sizeof(c));
	world->lifetime_ms = 300;
	with_login(UPSTREAM_PLAIN);
	u = get();
	call(u, &c[0], 1, "hold");
	UNTIL(world->l, world->held_count == 1);
	UNTIL(world->l, u->state == UPSTREAM_RENEWING);
	world->login = LOGIN_REFUSED;
	call(u, &c[1], 2, "echo");
	release_held();
	UNTIL(world->l, world->lost == 1);
	expect(0, 1, CALL_ANSWERED, 1);
	expect(1, 2, CALL_NOT_SENT, -1);
}

static void
test_idle_login_ends(void **state)
{
	struct tcall c = { .tag = 0 };
	struct upstream *u;

	(void)state;
	world->lifetime_ms = 300;
	with_login(UPSTREAM_PLAIN);
	u = get();
	call(u, &c, 1, "echo");
	UNTIL(world->l, world->ended_count == 1);
	pool_return(u);
	assert_int_equal(stats().idle, 1);
	UNTIL(world->l, stats().idle == 0);
	assert_int_equal(world->logins, 1);
	assert_int_equal(pool_losses(world->pool, 7), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_silent),
		T(test_swapped),
		T(test_deadlines),
		T(test_backoff),
		T(test_idle_while_backing_off),
		T(test_next_address),
		T(test_reuse),
		T(test_idle_time),
		T(test_given_up),
		T(test_moved),
		T(test_counts),
		T(test_done_returns),
		T(test_done_closes),
		T(test_done_calls),
		T(test_done_calls_the_dead),
		T(test_done_leases),
		T(test_deadline_of_many),
		T(test_pool_ends),
		T(test_scram),
		T(test_login_fails),
		T(test_login_deadline),
		T(test_renewed),
		T(test_renewal_refused),
		T(test_idle_login_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
