/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a login counts, is told of and ends: real sessions over a socket pair,
 * with a clock of ours. What the mechanisms say is theirs to test.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/audit.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/client_login.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/guesses.h"
#include "gateway/net/source.h"
#include "gateway/session.h"
#include "gateway/tenants.h"
#include "gateway/wire/frame.h"
#include "routing/offer.h"
#include "routing/resolve.h"
#include "routing/snapshot.h"
#include "tests/unit/auth_fixture.h"
#include "wire/messages.h"

enum { ROOM = 64 * 1024, TURNS = 20, SESSION_MS = 60 * 1000 };

static struct {
	struct auth_fixture	 auth;
	struct gateway		 gateway;
	struct worker		*worker;
	char			 audit[128];
	uint64_t		 failed[AUTH_FAILURE_COUNT]; /* before */
	int64_t			 now_us;
	uint64_t		 delayed_before;	/* a metric */
	/* The client's side. */
	int			 fd;
	bool			 closed;
	int32_t			 id;
	uint8_t			 got[ROOM];
	size_t			 got_len;
	struct arena		 arena;
} world;

static int64_t
fake_now(void)
{
	return world.now_us;
}

/* Without brokers: all that is known is offered. */
static struct cluster *
make_cluster(void)
{
	struct metadata_response_brokers broker = { .node_id = 1,
		.host = SLICE_LIT("127.0.0.1"), .port = 1 };
	const struct metadata_response m = { .brokers = { &broker, 1 },
		.cluster_id = SLICE_LIT("cluster"), .controller_id = 1 };
	struct offer *o = mem_zalloc(sizeof(*o));
	struct resolver *r = resolver_new();
	struct cluster *c = snapshot_begin(&m, r);

	o->known = true;
	o->features_epoch = -1;
	for (int i = 0; i < CLUSTER_API_MAX; i++)
		o->apis[i] = (struct api_range){ 0, 99 };
	snapshot_finish(c, &m, o, NULL);
	c->generation = 1;
	resolver_free(r);
	free(o);
	return c;
}

static struct config *
make_config(void)
{
	static const char form[] = "{\"cluster\": {\"bootstrap\": "
	    "\"127.0.0.1:1\"}, \"listeners\": [{\"name\": \"a\", "
	    "\"address\": \"127.0.0.1:9092\", \"auth\": \"sasl\", "
	    "\"mechanisms\": [\"PLAIN\", \"SCRAM-SHA-256\", "
	    "\"OAUTHBEARER\"]}, {\"name\": \"open\", \"address\": "
	    "\"127.0.0.1:9093\"}], \"auth\": {\"keys_file\": \"%s\", "
	    "\"master_key_file\": \"%s/master\", \"plain_without_tls\": true, "
	    "\"identities_file\": \"%s\", \"policies_dir\": \"%s\", "
	    "\"audit\": {\"file\": \"%s\"}}}";
	struct auth_fixture *f = &world.auth;
	struct error_list errs = { NULL, 0 };
	char path[160], text[2048];
	struct config *c;

	snprintf(path, sizeof(path), "%s/master", f->folder);
	fixture_write(path, FIXTURE_MASTER);
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(world.audit, sizeof(world.audit), "%s/audit", f->folder);
	snprintf(text, sizeof(text), form, f->keys, f->folder, f->identities,
	    f->folder, world.audit);
	snprintf(path, sizeof(path), "%s/weir.json", f->folder);
	fixture_write(path, text);
	c = config_load(path, &errs);
	error_list_print(&errs, stderr, "test: ");
	assert_non_null(c);
	return c;
}

/* Of this test and those before it. */
static uint64_t
all_failures(enum auth_failure f)
{
	return metric_total(metric_failure(METRIC_LOGIN_FAILURES, (int)f));
}

static int
set_up(void **state)
{
	struct gateway *g = &world.gateway;
	struct error err;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.now_us = 1000 * 1000 * 1000;
	world.delayed_before = metric_total(METRIC_LOGINS_DELAYED);
	for (int i = 0; i < AUTH_FAILURE_COUNT; i++)
		world.failed[i] = all_failures((enum auth_failure)i);
	signal(SIGPIPE, SIG_IGN);
	clock_replace(fake_now);
	log_to_file("/dev/null");
	fixture_setup(&world.auth);
	world.auth.settings.plain_without_tls = true;
	world.auth.settings.session_max_ms = SESSION_MS;
	fixture_reload(&world.auth);
	g->config = make_config();
	g->first_config = config_ref(g->config);
	g->cluster = make_cluster();
	g->auth = auth_ref(world.auth.auth);
	g->control = loop_new();
	g->audit = audit_sink_new(g);
	assert_true(audit_sink_configure(g->audit, &g->config->auth.audit,
	    &err));
	g->bound_port[0] = 9092;
	g->connections_most = UINT32_MAX;
	world.worker = worker_new(g, 0);
	world.fd = -1;
	arena_init(&world.arena, 0);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < TURNS; i++)
		loop_turn(world.worker->loop, 0);
	loop_turn(world.gateway.control, 0);
}

static int
tear_down(void **state)
{
	struct gateway *g = &world.gateway;

	(void)state;
	if (world.fd >= 0)
		close(world.fd);
	turn();
	worker_end(world.worker);
	turn();
	worker_free(world.worker);
	loop_turn(g->control, 0);
	audit_sink_free(g->audit);
	auth_unref(g->auth);
	tenants_unref(g->tenants);
	cluster_unref(g->cluster);
	config_unref(g->config);
	config_unref(g->first_config);
	loop_free(g->control);
	source_forget();
	guesses_forget();
	guesses_set_limit(0, 0);
	arena_fini(&world.arena);
	fixture_teardown(&world.auth);
	clock_replace(NULL);
	return 0;
}

/* ---- the client ---- */

static struct session *
connect_at(int listener)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	session_open(world.worker, fd[1], (struct sockaddr *)&peer,
	    sizeof(peer), listener);
	if (world.fd >= 0)
		close(world.fd);
	world.fd = fd[0];
	world.closed = false;
	world.got_len = 0;
	return list_empty(&world.worker->sessions) ? NULL :
	    LIST_ENTRY(world.worker->sessions.prev, struct session, link);
}

static struct session *
connect_client(void)
{
	return connect_at(0);
}

static void
send_request(int16_t api, int version, const void *body)
{
	const struct api_schema *schema = api_schema_find(api);
	struct chain out;
	struct error err;
	uint8_t *bytes;
	size_t len;

	chain_init(&out);
	assert_true(frame_write_request(&out, schema, version, ++world.id,
	    SLICE_LIT("test"), body, &err));
	len = out.bytes;
	bytes = arena_get(&world.arena, len);
	chain_copy_out(&out, bytes);
	chain_fini(&out);
	assert_int_equal(write(world.fd, bytes, len), len);
}

static void
receive(void)
{
	ssize_t n;

	turn();
	while ((n = read(world.fd, world.got + world.got_len,
	    ROOM - world.got_len)) > 0)
		world.got_len += (size_t)n;
	world.closed |= n == 0;
}

/* The next reply, or NULL. */
static void *
take_reply(int16_t api, int version)
{
	const struct api_schema *schema = api_schema_find(api);
	struct reader rd;
	uint32_t len;
	int32_t id;
	uint8_t *copy;
	void *body;

	receive();
	if (world.got_len < 4)
		return NULL;
	len = (uint32_t)world.got[2] << 8 | world.got[3];
	assert_true(world.got_len >= 4 + len);
	copy = arena_get(&world.arena, len);
	memcpy(copy, world.got + 4, len);
	world.got_len -= 4 + len;
	memmove(world.got, world.got + 4 + len, world.got_len);
	reader_init(&rd, copy, len, NULL);
	assert_true(frame_read_response(&rd, schema, version, &id));
	body = codec_decode(&rd, schema->response, version, &world.arena);
	assert_non_null(body);
	return body;
}

static int16_t
shake_hands(const char *mechanism)
{
	struct sasl_handshake_request q = { .mechanism = slice_of(mechanism) };
	struct sasl_handshake_response *a;

	send_request(API_SASL_HANDSHAKE, 1, &q);
	a = take_reply(API_SASL_HANDSHAKE, 1);
	return a != NULL ? a->error_code : -1;
}

static void
say(struct slice bytes)
{
	struct sasl_authenticate_request q = { .auth_bytes = bytes };

	send_request(API_SASL_AUTHENTICATE, 2, &q);
}

static struct sasl_authenticate_response *
authenticate(struct slice bytes)
{
	say(bytes);
	return take_reply(API_SASL_AUTHENTICATE, 2);
}

static struct slice
plain(const struct key *k)
{
	return arena_printf(&world.arena, "%c%s%c%s", 0, k->id, 0, k->secret);
}

static void
log_in(const struct key *k)
{
	struct sasl_authenticate_response *a;

	assert_int_equal(shake_hands("PLAIN"), 0);
	a = authenticate(plain(k));
	assert_non_null(a);
	assert_int_equal(a->error_code, 0);
}

/* ---- what is looked at ---- */

static uint64_t
failures(enum auth_failure f)
{
	return all_failures(f) - world.failed[f];
}

static int
lines_with(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char line[AUDIT_LINE_MAX];
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

/* How often a text stands in the audit. */
static int
audited(const char *text)
{
	turn();
	return lines_with(world.audit, text);
}

static void
pass(int64_t ms)
{
	turn();
	world.now_us += ms * 1000;
	turn();
}

static void
take_snapshot(void)
{
	auth_unref(world.gateway.auth);
	world.gateway.auth = auth_ref(world.auth.auth);
	worker_set_auth(world.worker, world.gateway.auth,
	    world.gateway.tenants);
	turn();
}

static bool
disable(struct keys_file *file, struct slice id, struct error *err)
{
	return keys_file_disable(file, id, true, err);
}

/* ---- tests ---- */

static void
test_in(void **state)
{
	struct session *s = connect_client();

	(void)state;
	log_in(&world.auth.alice);
	assert_int_equal(s->state, SESSION_OPEN);
	assert_string_equal(s->login->principal->name, "alice");
	assert_int_equal(audited("\"outcome\":\"allowed\""), 1);
}

static void
test_wrong(void **state)
{
	struct sasl_authenticate_response *a;
	struct key wrong = world.auth.alice;

	(void)state;
	connect_client();
	wrong.secret[0] ^= 1;
	assert_int_equal(shake_hands("PLAIN"), 0);
	assert_null(authenticate(plain(&wrong)));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_int_equal(a->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	receive();
	assert_true(world.closed);
	assert_int_equal(failures(AUTH_FAILURE_SIGNATURE), 1);
	assert_int_equal(audited("\"reason\":\"signature\""), 1);
}

/* RFC 7628 has the client say the last word of a refusal: one that hangs up
 * instead has failed all the same. */
static void
test_refused_and_gone(void **state)
{
	struct slice first = SLICE_LIT("n,,\x01"
	    "auth=Bearer aHR0cXXX\x01\x01");
	struct source_limits limits = { .login_failures_max = 1,
		.login_failure_ms = 60000 };
	struct sasl_authenticate_response *a;

	(void)state;
	source_set_limits(&limits);
	connect_client();
	assert_int_equal(shake_hands("OAUTHBEARER"), 0);
	a = authenticate(first);
	assert_int_equal(a->error_code, 0);
	assert_true(slice_is(a->auth_bytes, "{\"status\":\"invalid_token\"}"));
	assert_int_equal(failures(AUTH_FAILURE_MALFORMED), 1);
	assert_int_equal(audited("\"reason\":\"malformed\""), 1);
	/* What it says next is not told again. */
	say(SLICE_LIT("\x01"));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_int_equal(a->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	assert_int_equal(failures(AUTH_FAILURE_MALFORMED), 1);
	/* And it counts for its address. */
	connect_client();
	assert_int_equal(shake_hands("OAUTHBEARER"), -1);
	receive();
	assert_true(world.closed);
	limits.login_failures_max = 0;
	source_set_limits(&limits);
}

/* A key that is disabled between the handshake and the last message. */
static void
test_disabled_meanwhile(void **state)
{
	struct session *s = connect_client();

	(void)state;
	assert_int_equal(shake_hands("PLAIN"), 0);
	fixture_change_key(&world.auth, world.auth.alice.id, disable);
	take_snapshot();
	assert_null(authenticate(plain(&world.auth.alice)));
	assert_int_equal(s->state, SESSION_CLOSING);
	assert_int_equal(failures(AUTH_FAILURE_DISABLED), 1);
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	receive();
	assert_true(world.closed);
}

static void
test_disabled(void **state)
{
	(void)state;
	connect_client();
	log_in(&world.auth.alice);
	fixture_change_key(&world.auth, world.auth.alice.id, disable);
	take_snapshot();
	receive();
	assert_true(world.closed);
	assert_int_equal(audited("\"event\":\"session\""), 1);
}

/* A live session has the tags and groups of the newest snapshot, too. */
static void
test_other_tags(void **state)
{
	struct session *s = connect_client();

	(void)state;
	log_in(&world.auth.alice);
	assert_int_equal(s->login->principal->tag_count, 1);
	assert_string_equal(s->login->principal->tags[0].value, "a");
	fixture_write(world.auth.identities, "{\"users\": {\"alice\": "
	    "{\"policies\": [\"reader\"], \"tags\": {\"team\": \"b\"}}}}");
	fixture_reload(&world.auth);
	take_snapshot();
	assert_int_equal(s->login->principal->tag_count, 1);
	assert_string_equal(s->login->principal->tags[0].value, "b");
	assert_int_equal(s->login->principal->group_count, 0);
	assert_ptr_equal(s->login->context.principal, s->login->principal);
}

/* While a refusal waits nothing is read, also when the queue that had stopped
 * reading has become shorter. */
static void
test_nothing_after_refusal(void **state)
{
	struct session *s = connect_client();
	struct key wrong = world.auth.alice;
	struct request *held;

	(void)state;
	log_in(&world.auth.alice);
	wrong.secret[0] ^= 1;
	pass(LOGIN_AGAIN_MS);
	/* As if as many as may be were in flight. */
	held = request_new(world.worker);
	held->session = s;
	held->schema = api_schema_find(API_METADATA);
	list_append(&s->requests, &held->link);
	s->in_flight = world.worker->config->limits.in_flight_max - 2;
	assert_int_equal(shake_hands("PLAIN"), -1);
	say(plain(&wrong));
	turn();
	assert_int_equal(s->state, SESSION_CLOSING);
	assert_true(s->paused);
	request_finish(held);
	send_request(API_SASL_HANDSHAKE, 1, &(struct sasl_handshake_request){
	    .mechanism = SLICE_LIT("PLAIN") });
	say(plain(&world.auth.alice));
	turn();
	assert_int_equal(s->state, SESSION_CLOSING);
	s->in_flight = 1;
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	receive();
	assert_true(world.closed);
}

/* As if a request was with a broker. */
static struct request *
hold_request(struct session *s)
{
	struct request *held = request_new(world.worker);

	held->session = s;
	held->schema = api_schema_find(API_METADATA);
	list_append(&s->requests, &held->link);
	s->in_flight++;
	return held;
}

static struct request *
fail_renewal(void)
{
	struct session *s = connect_client();
	struct key wrong = world.auth.alice;
	struct request *held;

	log_in(&world.auth.alice);
	wrong.secret[0] ^= 1;
	pass(LOGIN_AGAIN_MS);
	held = hold_request(s);
	assert_int_equal(shake_hands("PLAIN"), -1);
	say(plain(&wrong));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	receive();
	assert_int_equal(s->state, SESSION_CLOSING);
	assert_int_equal(world.got_len, 0);
	return held;
}

/* A refusal waits behind the replies of what was asked before it. */
static void
test_refusal_in_order(void **state)
{
	struct request *held = fail_renewal();
	struct sasl_handshake_response *first;
	struct sasl_authenticate_response *second;

	(void)state;
	assert_false(world.closed);
	request_finish(held);
	first = take_reply(API_SASL_HANDSHAKE, 1);
	assert_non_null(first);
	second = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_non_null(second);
	assert_int_equal(second->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	receive();
	assert_true(world.closed);
}

/* But not for ever. */
static void
test_refusal_not_for_ever(void **state)
{
	(void)state;
	fail_renewal();
	pass(LOGIN_LAST_MS - 1);
	receive();
	assert_false(world.closed);
	pass(1);
	receive();
	assert_true(world.closed);
	assert_int_equal(world.got_len, 0);
}

/* So does that of a mechanism which is not offered. */
static void
test_mechanism_in_order(void **state)
{
	struct session *s = connect_client();
	struct request *held;
	struct sasl_handshake_response *a;

	(void)state;
	log_in(&world.auth.alice);
	pass(LOGIN_AGAIN_MS);
	held = hold_request(s);
	assert_int_equal(shake_hands("SCRAM-SHA-256"), -1);
	assert_false(world.closed);
	request_finish(held);
	a = take_reply(API_SASL_HANDSHAKE, 1);
	assert_non_null(a);
	assert_int_equal(a->error_code, KAFKA_UNSUPPORTED_SASL_MECHANISM);
	receive();
	assert_true(world.closed);
}

static struct api_versions_response *
ask_versions(void)
{
	struct api_versions_request q = { .client_software_name =
		SLICE_LIT("c"), .client_software_version = SLICE_LIT("1") };

	send_request(API_API_VERSIONS, 3, &q);
	return take_reply(API_API_VERSIONS, 3);
}

/* A session that has outlived its credential may ask once what is offered, and
 * renew its login. */
static void
test_expired(void **state)
{
	struct session *s = connect_client();

	(void)state;
	log_in(&world.auth.alice);
	for (int renewal = 0; renewal < 3; renewal++) {
		for (int i = 0; i < 30; i++)
			assert_non_null(ask_versions());
		pass(SESSION_MS + 1);
		assert_true(client_login_over(s));
		assert_non_null(ask_versions());
		log_in(&world.auth.alice);
	}
	pass(SESSION_MS + 1);
	assert_non_null(ask_versions());
	assert_null(ask_versions());
	receive();
	assert_true(world.closed);
}

/* Nor does it live by beginning logins. */
static void
test_expired_never_done(void **state)
{
	uint32_t most = world.worker->config->limits.login_requests_max;

	(void)state;
	connect_client();
	log_in(&world.auth.alice);
	pass(SESSION_MS + 1);
	for (uint32_t i = 0; i < most; i++)
		assert_int_equal(shake_hands("PLAIN"), 0);
	assert_int_equal(shake_hands("PLAIN"), -1);
	receive();
	assert_true(world.closed);
}

/* ---- names that are guessed at ---- */

static uint64_t
delayed(void)
{
	return metric_total(METRIC_LOGINS_DELAYED) - world.delayed_before;
}

/* Alice's name has had all failures that it may have. */
static struct key
guess_at_alice(void)
{
	struct key wrong = world.auth.alice;

	wrong.secret[0] ^= 1;
	guesses_set_limit(1, 3000);
	connect_client();
	assert_int_equal(shake_hands("PLAIN"), 0);
	assert_null(authenticate(plain(&wrong)));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	assert_non_null(take_reply(API_SASL_AUTHENTICATE, 2));
	assert_int_equal(delayed(), 0);
	return wrong;
}

/* Right or wrong, it is told later; nobody else's is. */
static void
test_guessed_at(void **state)
{
	struct key wrong = guess_at_alice();
	struct sasl_authenticate_response *a;
	struct session *s = connect_client();
	uint64_t before = failures(AUTH_FAILURE_SIGNATURE) - 1;

	(void)state;
	assert_int_equal(shake_hands("PLAIN"), 0);
	assert_null(authenticate(plain(&world.auth.alice)));
	assert_int_equal(delayed(), 1);
	pass(2999);
	assert_null(take_reply(API_SASL_AUTHENTICATE, 2));
	assert_int_equal(s->state, SESSION_LOGIN);
	/* Failures of the meantime make it no longer. */
	guesses_failed(slice_of(world.auth.alice.id));
	pass(1 + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_non_null(a);
	assert_int_equal(a->error_code, 0);
	assert_int_equal(s->state, SESSION_OPEN);
	guesses_failed(slice_of(world.auth.alice.id));
	connect_client();
	assert_int_equal(shake_hands("PLAIN"), 0);
	assert_null(authenticate(plain(&wrong)));
	pass(2999);
	assert_int_equal(failures(AUTH_FAILURE_SIGNATURE), before + 1);
	pass(1 + LOGIN_JITTER_MS);
	assert_int_equal(failures(AUTH_FAILURE_SIGNATURE), before + 2);
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_int_equal(a->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	/* Bob is refused for what he may not, and as soon as ever. */
	connect_client();
	assert_int_equal(shake_hands("PLAIN"), 0);
	say(plain(&world.auth.bob));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	assert_non_null(take_reply(API_SASL_AUTHENTICATE, 2));
	assert_int_equal(delayed(), 2);
}

/* While it waits no other login begins, keys may be taken away, and the client
 * may go. */
static void
test_held(void **state)
{
	uint64_t before = failures(AUTH_FAILURE_DISABLED);
	struct sasl_authenticate_response *a;

	(void)state;
	guess_at_alice();
	connect_client();
	assert_int_equal(shake_hands("PLAIN"), 0);
	say(plain(&world.auth.alice));
	say(plain(&world.auth.alice));
	assert_int_equal(shake_hands("PLAIN"), -1);
	fixture_change_key(&world.auth, world.auth.alice.id, disable);
	take_snapshot();
	pass(3000 + LOGIN_JITTER_MS);
	assert_int_equal(failures(AUTH_FAILURE_DISABLED), before + 1);
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_int_equal(a->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_int_equal(a->error_code, KAFKA_ILLEGAL_SASL_STATE);
	guesses_failed(slice_of(world.auth.alice.id));
	connect_client();
	assert_int_equal(shake_hands("PLAIN"), 0);
	say(plain(&world.auth.alice));
	turn();
	assert_int_equal(delayed(), 2);
	close(world.fd);
	world.fd = -1;
	turn();
}

/* Tokens without a header are held in the same way. */
static void
test_held_raw(void **state)
{
	struct sasl_handshake_request q = { .mechanism = SLICE_LIT("PLAIN") };
	struct session *s;
	uint8_t bytes[256] = { 0 };
	struct slice token = plain(&world.auth.alice);

	(void)state;
	guess_at_alice();
	memcpy(bytes + 4, token.data, token.len);
	bytes[3] = (uint8_t)token.len;
	for (int more = 0; more < 2; more++) {
		guesses_failed(slice_of(world.auth.alice.id));
		s = connect_client();
		send_request(API_SASL_HANDSHAKE, 0, &q);
		assert_non_null(take_reply(API_SASL_HANDSHAKE, 0));
		for (int i = 0; i <= more; i++)
			assert_int_equal(write(world.fd, bytes, token.len + 4),
			    token.len + 4);
		receive();
		assert_int_equal(world.got_len, 0);
		assert_int_equal(world.closed, more);
		pass(3000 + LOGIN_JITTER_MS);
		receive();
		if (more)
			continue;
		assert_int_equal(world.got_len, 4);
		assert_int_equal(s->state, SESSION_OPEN);
	}
}

/* A busy kind of event does not keep others from being told of later. */
static void
test_repeats_are_forgotten(void **state)
{
	struct session *s = connect_client();
	struct auth_step busy = { .failure = AUTH_FAILURE_SIGNATURE,
		.claimed = "busy" };
	struct auth_step other = busy;
	char last[160];

	(void)state;
	for (int i = 0; i < AUDIT_KEYS_MAX + 100; i++) {
		snprintf(other.claimed, sizeof(other.claimed), "other-%d", i);
		audit_login(s, "PLAIN", &other, false);
		audit_login(s, "PLAIN", &busy, false);
		if (i % 50 == 0) {
			world.now_us += 600 * 1000;
			audit_tick(world.worker->audit);
		}
	}
	snprintf(last, sizeof(last), "\"claimed\":\"%s\"", other.claimed);
	assert_int_equal(audited(last), 1);
	assert_int_equal(audited("\"claimed\":\"other-"),
	    AUDIT_KEYS_MAX + 100);
	assert_int_equal(audited("\"event\":\"repeats\""), 0);
}

/* Nobody hides a login behind a flood of others. */
static void
test_flood_hides_no_login(void **state)
{
	struct session *s = connect_client();
	struct auth_step step = { .failure = AUTH_FAILURE_SIGNATURE };

	(void)state;
	for (int i = 0; i < 2 * AUDIT_KEYS_MAX; i++) {
		snprintf(step.claimed, sizeof(step.claimed), "other-%d", i);
		audit_login(s, "PLAIN", &step, false);
	}
	log_in(&world.auth.alice);
	assert_int_equal(audited("\"outcome\":\"allowed\""), 1);
	audit_tick(world.worker->audit);
	assert_int_equal(audited("\"repeated\":1024"), 1);
}

/* A file that cannot be opened is a fault, and the old one goes on. */
static void
test_audit_file_fault(void **state)
{
	struct config_audit c = { .file = (char[]){ "/nowhere/audit" } };
	struct error err;

	(void)state;
	assert_false(audit_sink_configure(world.gateway.audit, &c, &err));
	assert_non_null(strstr(err.text, "/nowhere/audit"));
	connect_client();
	log_in(&world.auth.alice);
	assert_int_equal(audited("\"outcome\":\"allowed\""), 1);
}

/* ---- tenants ---- */

static void
write_tenant(const char *id, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s.json",
	    world.gateway.config->tenants_dir, id);
	fixture_write(path, text);
}

/* These files of the folder are so from now on. */
static void
use_tenants(const char *id, const char *text, const char *id2,
    const char *text2)
{
	struct gateway *g = &world.gateway;
	struct error_list errs = { NULL, 0 };
	struct tenants *t;
	char path[160];
	bool ok;

	if (g->config->tenants_dir == NULL) {
		snprintf(path, sizeof(path), "%s/tenants", world.auth.folder);
		assert_int_equal(mkdir(path, 0700), 0);
		g->config->tenants_dir = mem_strdup(path);
	}
	write_tenant(id, text);
	if (id2 != NULL)
		write_tenant(id2, text2);
	ok = tenants_load(g->config, &t, &errs);
	error_list_print(&errs, stderr, "test: ");
	assert_true(ok);
	tenants_unref(g->tenants);
	g->tenants = t;
	worker_set_auth(world.worker, g->auth, g->tenants);
	turn();
}

/* A tenant's file: its members, and what else there is. */
#define USER(name) "\"members\": [{\"principal\": \"*:user/" name "\"}]"
#define ALICE "{" USER("alice") "}"
#define BOB "{" USER("bob") "}"

/* What a login that fails is answered, after its time. */
static struct slice
refusal(const struct key *k)
{
	struct sasl_authenticate_response *a;

	assert_int_equal(shake_hands("PLAIN"), 0);
	assert_null(authenticate(plain(k)));
	pass(LOGIN_DELAY_MS + LOGIN_JITTER_MS);
	a = take_reply(API_SASL_AUTHENTICATE, 2);
	assert_non_null(a);
	assert_int_equal(a->error_code, KAFKA_SASL_AUTHENTICATION_FAILED);
	receive();
	assert_true(world.closed);
	return a->error_message;
}

static bool
ends_with(struct slice s, const char *with)
{
	size_t n = strlen(with);

	return s.len >= n && memcmp(s.data + s.len - n, with, n) == 0;
}

static void
test_tenant(void **state)
{
	struct session *s;

	(void)state;
	use_tenants("a", ALICE, "b", BOB);
	s = connect_client();
	log_in(&world.auth.alice);
	assert_ptr_equal(s->tenant, tenants_get(world.gateway.tenants,
	    SLICE_LIT("a")));
	assert_int_equal(audited("\"tenant\":\"a\""), 1);
}

static void
test_no_tenant(void **state)
{
	(void)state;
	use_tenants("b", BOB, NULL, NULL);
	connect_client();
	assert_true(ends_with(refusal(&world.auth.alice), "]: Access denied"));
	assert_int_equal(failures(AUTH_FAILURE_TENANT), 1);
	assert_int_equal(audited("no tenant's member"), 1);
}

static void
test_two_tenants(void **state)
{
	(void)state;
	use_tenants("a", ALICE, "c", ALICE);
	connect_client();
	assert_true(ends_with(refusal(&world.auth.alice), "]: Access denied"));
	assert_int_equal(failures(AUTH_FAILURE_TENANT), 1);
	assert_int_equal(audited("a member of two tenants, "), 1);
}

static void
test_tenant_network(void **state)
{
	(void)state;
	use_tenants("a", "{" USER("alice") ", \"networks\": {\"cidrs\": "
	    "[\"10.0.0.0/8\"]}}", NULL, NULL);
	connect_client();
	assert_true(ends_with(refusal(&world.auth.alice), "]: Access denied"));
	assert_int_equal(failures(AUTH_FAILURE_NETWORK), 1);
}

/* bob has no policy of his own. */
static void
test_tenant_policies(void **state)
{
	(void)state;
	use_tenants("b", BOB, NULL, NULL);
	connect_client();
	refusal(&world.auth.bob);
	assert_int_equal(failures(AUTH_FAILURE_CONNECT), 1);
	use_tenants("b", "{" USER("bob") ", \"policies\": [\"reader\"]}", NULL,
	    NULL);
	connect_client();
	log_in(&world.auth.bob);
	/* Without it he has no right to be here any more. */
	use_tenants("b", BOB, NULL, NULL);
	receive();
	assert_true(world.closed);
	assert_int_equal(audited("no policy allows it to connect any more"), 1);
}

/* Policies are about the tenant's cluster, not the one behind. */
static void
test_tenant_cluster(void **state)
{
	static const char form[] = "{\"Version\": \"2012-10-17\", "
	    "\"Statement\": {\"Effect\": \"Allow\", \"Action\": "
	    "\"kafka-cluster:Connect\", \"Resource\": \"%s\"}}";
	char text[512], path[160];

	(void)state;
	use_tenants("b", BOB, NULL, NULL);
	snprintf(text, sizeof(text), form,
	    tenants_at(world.gateway.tenants, 0)->arn);
	snprintf(path, sizeof(path), "%s/own.json", world.auth.folder);
	fixture_write(path, text);
	use_tenants("b", "{" USER("bob") ", \"policies\": [\"own\"]}", NULL,
	    NULL);
	connect_client();
	log_in(&world.auth.bob);
}

/* Only who has proven to be a member hears it. */
static void
test_suspended(void **state)
{
	struct key wrong = world.auth.alice;

	(void)state;
	use_tenants("a", "{" USER("alice") ", \"suspended\": \"the bill\"}",
	    NULL, NULL);
	connect_client();
	assert_true(ends_with(refusal(&world.auth.alice),
	    "]: tenant a is suspended: the bill"));
	assert_int_equal(failures(AUTH_FAILURE_SUSPENDED), 1);
	assert_int_equal(audited("\"reason\":\"suspended\""), 1);
	wrong.secret[0] ^= 1;
	connect_client();
	assert_true(ends_with(refusal(&wrong), "]: Access denied"));
}

/* What another file of its tenant does to a live session. */
static struct session *
change_tenant(const char *text)
{
	struct session *s;

	use_tenants("a", ALICE, "b", "{}");
	s = connect_client();
	log_in(&world.auth.alice);
	use_tenants("a", text, NULL, NULL);
	receive();
	return s;
}

static void
expect_end(const char *why)
{
	assert_true(world.closed);
	assert_int_equal(audited(why), 1);
	assert_int_equal(audited("\"outcome\":\"ended\""), 1);
}

static void
test_tenant_stays(void **state)
{
	struct session *s;

	(void)state;
	s = change_tenant("{" USER("alice") ", \"adopt\": {\"topics\": "
	    "[{\"name\": \"x\"}]}}");
	assert_false(world.closed);
	assert_ptr_equal(s->tenant, tenants_get(world.gateway.tenants,
	    SLICE_LIT("a")));
	assert_int_equal(s->tenant->config->adopt.topics.n, 1);
}

static void
test_tenant_suspended_live(void **state)
{
	(void)state;
	change_tenant("{" USER("alice") ", \"suspended\": \"the bill\"}");
	expect_end("tenant a is suspended: the bill");
}

static void
test_tenant_lost(void **state)
{
	(void)state;
	change_tenant("{}");
	expect_end("it is no tenant's member");
}

static void
test_tenant_moves(void **state)
{
	(void)state;
	change_tenant("{" USER("alice") ", \"namespace\": \"shared\"}");
	expect_end("the namespace of tenant a is another now");
}

/* What is adopted besides is seen at once; a name that stands elsewhere now, or
 * is gone, ends who may be reading there. */
static void
test_tenant_adopts_live(void **state)
{
	struct session *s;

	(void)state;
	s = change_tenant("{" USER("alice") ", \"adopt\": {\"groups\": "
	    "[{\"name\": \"old\", \"as\": \"new\"}]}}");
	assert_false(world.closed);
	use_tenants("a", "{" USER("alice") ", \"adopt\": {\"groups\": "
	    "[{\"name\": \"x\"}, {\"name\": \"old\", \"as\": "
	    "\"new\"}]}}", NULL, NULL);
	receive();
	assert_false(world.closed);
	assert_int_equal(s->tenant->config->adopt.groups.n, 2);
	use_tenants("a", "{" USER("alice") ", \"adopt\": {\"groups\": "
	    "[{\"name\": \"x\"}, {\"name\": \"older\", \"as\": "
	    "\"new\"}]}}", NULL, NULL);
	receive();
	expect_end("an adopted name of tenant a is another now");
}

static void
test_tenant_network_live(void **state)
{
	(void)state;
	change_tenant("{" USER("alice") ", \"networks\": {\"cidrs\": "
	    "[\"10.0.0.0/8\"]}}");
	expect_end("has no network that it comes from");
}

static void
test_other_tenant(void **state)
{
	(void)state;
	use_tenants("a", ALICE, "b", "{}");
	connect_client();
	log_in(&world.auth.alice);
	use_tenants("a", "{}", "b", ALICE);
	receive();
	expect_end("it belongs to tenant b now");
}

/* Tenants come where there were none, and go: names are others then. */
static void
test_tenants_come_and_go(void **state)
{
	(void)state;
	connect_client();
	log_in(&world.auth.alice);
	use_tenants("a", ALICE, NULL, NULL);
	receive();
	expect_end("it belongs to tenant a now");
	connect_client();
	log_in(&world.auth.alice);
	worker_set_auth(world.worker, world.gateway.auth, NULL);
	receive();
	assert_true(world.closed);
	assert_int_equal(audited("there are no tenants any more"), 1);
}

static struct key second_key;

static bool
add_key(struct keys_file *file, struct slice user, struct error *err)
{
	return keys_file_add(file, user, 0, &second_key, err);
}

/* A renewed login stays within the tenant, whatever key it is made with. */
static void
test_relogin_in_tenant(void **state)
{
	char a[256], b[256];

	(void)state;
	fixture_change_key(&world.auth, "alice", add_key);
	take_snapshot();
	snprintf(a, sizeof(a), "{\"members\": [{\"access_key\": \"%s\"}]}",
	    world.auth.alice.id);
	snprintf(b, sizeof(b), "{\"members\": [{\"access_key\": \"%s\"}]}",
	    second_key.id);
	use_tenants("a", a, "b", b);
	connect_client();
	log_in(&world.auth.alice);
	pass(LOGIN_AGAIN_MS);
	log_in(&world.auth.alice);
	pass(LOGIN_AGAIN_MS);
	assert_true(ends_with(refusal(&second_key), "]: Access denied"));
	assert_int_equal(failures(AUTH_FAILURE_TENANT), 1);
	assert_int_equal(audited("may not become one of b"), 1);
	keys_key_fini(&second_key);
}

/* A listener without a login. */
static void
test_tenant_of_listener(void **state)
{
#define OPEN "\"members\": [{\"listener\": \"open\"}]"
	struct session *s;

	(void)state;
	use_tenants("o", "{" OPEN "}", NULL, NULL);
	s = connect_at(1);
	assert_string_equal(s->tenant->id, "o");
	assert_null(s->policies);
	use_tenants("o", "{" OPEN ", \"adopt\": {\"topics\": [{\"name\": "
	    "\"x\"}]}}", NULL, NULL);
	assert_ptr_equal(s->tenant, tenants_at(world.gateway.tenants, 0));
	use_tenants("o", "{" OPEN ", \"suspended\": \"the bill\"}", NULL, NULL);
	receive();
	expect_end("tenant o is suspended: the bill");
	/* And nobody comes in. */
	assert_null(connect_at(1));
	receive();
	assert_true(world.closed);
	assert_int_equal(failures(AUTH_FAILURE_SUSPENDED), 1);
	use_tenants("o", "{}", NULL, NULL);
	assert_null(connect_at(1));
	assert_int_equal(failures(AUTH_FAILURE_TENANT), 1);
#undef OPEN
}

/* Lets files of this process grow to so many bytes; 0: as long as they like.
 */
static void
limit_files(rlim_t bytes)
{
	struct rlimit r;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = bytes > 0 ? bytes : r.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static rlim_t
audit_size(void)
{
	struct stat st;

	assert_int_equal(stat(world.audit, &st), 0);
	return (rlim_t)st.st_size;
}

/* How many lines there are; each is whole. */
static int
whole_lines(void)
{
	FILE *f = fopen(world.audit, "re");
	char line[AUDIT_LINE_MAX];
	json_t *v;
	int n = 0;

	assert_non_null(f);
	for (; fgets(line, sizeof(line), f) != NULL; n++) {
		v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (v == NULL)
			fail_msg("no whole line: %s", line);
		json_decref(v);
	}
	fclose(f);
	return n;
}

/* A disk that is full for a while leaves no half line, and is told of. */
static void
test_audit_disk_full(void **state)
{
	struct gateway *g = &world.gateway;
	struct error err;
	char log[160];

	(void)state;
	snprintf(log, sizeof(log), "%s/log", world.auth.folder);
	assert_true(log_to_file(log));
	audit_admin(g, "one", true, NULL);
	turn();
	limit_files(audit_size() + 20);
	audit_admin(g, "two", true, NULL);
	turn();
	audit_admin(g, "lost", true, NULL);
	turn();
	assert_int_equal(audit_size(), 20 + strlen("{\"time\":\"2026-11-26T"
	    "01:22:13.348Z\",\"event\":\"one\",\"outcome\":\"done\"}\n"));
	/* A reload in between opens the same file. */
	assert_true(audit_sink_configure(g->audit, &g->config->auth.audit,
	    &err));
	limit_files(0);
	audit_admin(g, "three", true, NULL);
	turn();
	assert_int_equal(whole_lines(), 3);
	audit_sink_tick(g->audit);
	turn();
	assert_int_equal(whole_lines(), 4);
	assert_int_equal(audited("\"event\":\"two\""), 1);
	assert_int_equal(audited("\"lost\":1"), 1);
	log_to_file("/dev/null");
	assert_int_equal(lines_with(log, "cannot be written"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(test_in), T(test_wrong), T(test_refused_and_gone),
		T(test_disabled_meanwhile), T(test_disabled),
		T(test_repeats_are_forgotten), T(test_flood_hides_no_login),
		T(test_audit_disk_full), T(test_audit_file_fault),
		T(test_other_tags),
		T(test_expired), T(test_expired_never_done),
		T(test_guessed_at), T(test_held), T(test_held_raw),
		T(test_nothing_after_refusal), T(test_refusal_in_order),
		T(test_refusal_not_for_ever), T(test_mechanism_in_order),
		T(test_tenant), T(test_no_tenant), T(test_two_tenants),
		T(test_tenant_network), T(test_tenant_policies),
		T(test_tenant_cluster), T(test_suspended),
		T(test_tenant_stays), T(test_tenant_suspended_live),
		T(test_tenant_lost), T(test_tenant_moves),
		T(test_tenant_adopts_live),
		T(test_tenant_network_live), T(test_other_tenant),
		T(test_tenants_come_and_go), T(test_relogin_in_tenant),
		T(test_tenant_of_listener),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
