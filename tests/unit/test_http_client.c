/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "gateway/http_client.h"
#include "gateway/net/lookup.h"
#include "tests/unit/real_dns.h"

static const struct {
	const char	*text;
	const char	*fault;		/* NULL: good, and is what follows */
	bool		 tls;
	const char	*host;
	int		 port;
	const char	*target;
} urls[] = {
	{ "https://a.example/keys?x=1", NULL, true, "a.example", 443,
	  "/keys?x=1" },
	{ "https://a.example", NULL, true, "a.example", 443, "/" },
	{ "https://a.example:8443?x", NULL, true, "a.example", 8443, "/?x" },
	{ "https://[2001:db8::1]:1/", NULL, true, "2001:db8::1", 1, "/" },
	{ "https://[2001:db8::1]/", NULL, true, "2001:db8::1", 443, "/" },
	{ "http://127.0.0.1:80/a", NULL, false, "127.0.0.1", 80, "/a" },
	{ "http://127.9.9.9/a", NULL, false, "127.9.9.9", 80, "/a" },
	{ "http://localhost/a", NULL, false, "localhost", 80, "/a" },
	{ "http://[::1]:8080/a", NULL, false, "::1", 8080, "/a" },
	{ "http://a.example/", "loopback", false, NULL, 0, NULL },
	{ "http://10.0.0.1/", "loopback", false, NULL, 0, NULL },
	{ "http://127.0.0.1.example/", "loopback", false, NULL, 0, NULL },
	{ "http://localhost.example/", "loopback", false, NULL, 0, NULL },
	{ "HTTPS://a.example/", "https://", false, NULL, 0, NULL },
	{ "ftp://a.example/", "https://", false, NULL, 0, NULL },
	{ "file:///etc/passwd", "https://", false, NULL, 0, NULL },
	{ "a.example", "https://", false, NULL, 0, NULL },
	{ "", "https://", false, NULL, 0, NULL },
	{ "https://", "", false, NULL, 0, NULL },
	{ "https:///keys", "", false, NULL, 0, NULL },
	{ "https://u@a.example/", "user", false, NULL, 0, NULL },
	{ "https://u:p@a.example/", "user", false, NULL, 0, NULL },
	{ "http://127.0.0.1@evil.example/", "user", false, NULL, 0, NULL },
	{ "https://a.example/#f", "fragment", false, NULL, 0, NULL },
	{ "https://a.example/ x", "blanks", false, NULL, 0, NULL },
	{ "https://a.example/\r\nHost: b", "blanks", false, NULL, 0, NULL },
	{ "https://a.example\\@b/", "blanks", false, NULL, 0, NULL },
	{ "https://a.example:0/", "", false, NULL, 0, NULL },
	{ "https://a.example:99999/", "", false, NULL, 0, NULL },
	{ "https://a.example:x/", "", false, NULL, 0, NULL },
};

static void
test_urls(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct error err = { "" };
		struct http_url u;
		bool ok = http_url_parse(urls[i].text, &u, &err);

		if (ok != (urls[i].fault == NULL))
			fail_msg("%s: %s", urls[i].text, err.text);
		if (!ok) {
			assert_true(err.text[0] != '\0');
			assert_non_null(strstr(err.text, urls[i].fault));
			continue;
		}
		assert_int_equal(u.tls, urls[i].tls);
		assert_string_equal(u.host, urls[i].host);
		assert_int_equal(u.port, urls[i].port);
		assert_string_equal(u.target, urls[i].target);
	}
}

/* ---- a resolver that hangs ---- */

static struct {
	atomic_bool	 hangs;
	atomic_int	 asked;
	sem_t		 go_on;
} resolver;

/* Instead of libc's: names wait while the resolver hangs. */
int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
    struct addrinfo **found)
{
	if (strcmp(host, "localhost") == 0 &&
	    (hints->ai_flags & AI_NUMERICHOST) == 0 &&
	    atomic_load(&resolver.hangs)) {
		atomic_fetch_add(&resolver.asked, 1);
		sem_wait(&resolver.go_on);
	}
	return real_getaddrinfo(host, service, hints, found);
}

/* ---- exchanges ---- */

static struct {
	struct loop	*loop;
	struct server	 server;
	char		 ca[64], other_ca[64];
	int		 done, status;
	char		 body[4096], fault[256];
	size_t		 len;
} world;

static void
begin(SSL_CTX *tls)
{
	world.loop = loop_new();
	server_begin(&world.server, world.loop, tls);
	world.done = 0;
}

static void
end(void)
{
	server_end(&world.server);
	loop_free(world.loop);
}

static void
on_done(void *arg, const struct http_answer *a)
{
	assert_ptr_equal(arg, &world);
	world.done++;
	world.status = a->status;
	world.len = a->body.len;
	snprintf(world.body, sizeof(world.body), "%.*s", SLICE_FMT(a->body));
	snprintf(world.fault, sizeof(world.fault), "%s", a->fault);
}

static char *
url_of(const char *scheme, const char *host, const char *target)
{
	static char url[512];

	snprintf(url, sizeof(url), "%s://%s:%d%s", scheme, host,
	    world.server.port, target);
	return url;
}

static void
ask(const struct http_options *o)
{
	int before = world.done;

	assert_non_null(http_call_start(world.loop, o, on_done, &world));
	UNTIL(world.loop, world.done > before);
	assert_int_equal(world.done, before + 1);
	turns(world.loop, 3);
}

static void
test_get(void **state)
{
	(void)state;
	begin(NULL);
	world.server.body = "{\"keys\":[]}";
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1",
	    "/keys?a=b"), .body_max = 100 });
	assert_int_equal(world.status, 200);
	assert_string_equal(world.body, "{\"keys\":[]}");
	assert_string_equal(world.server.path, "/keys?a=b");
	assert_string_equal(world.server.form, "");
	assert_string_equal(world.server.authorization, "");
	assert_memory_equal(world.server.host, "127.0.0.1:", 10);
	end();
}

static void
test_post(void **state)
{
	(void)state;
	begin(NULL);
	world.server.status = 401;
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1", "/t"),
	    .form = "grant_type=x", .authorization = "Basic abc",
	    .body_max = 100 });
	assert_int_equal(world.status, 401);
	assert_string_equal(world.server.form, "grant_type=x");
	assert_string_equal(world.server.authorization, "Basic abc");
	end();
}

static void
test_no_redirect(void **state)
{
	(void)state;
	begin(NULL);
	world.server.status = 302;
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1", "/"),
	    .body_max = 100 });
	assert_int_equal(world.status, 302);
	assert_int_equal(world.server.requests, 1);
	end();
}

static void
test_too_long(void **state)
{
	static char body[3000];

	(void)state;
	begin(NULL);
	memset(body, 'x', sizeof(body));
	world.server.body = body;
	world.server.body_len = sizeof(body);
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1", "/"),
	    .body_max = sizeof(body) });
	assert_int_equal(world.status, 200);
	assert_int_equal(world.len, sizeof(body));
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1", "/"),
	    .body_max = sizeof(body) - 1 });
	assert_int_equal(world.status, 0);
	assert_true(world.fault[0] != '\0');
	end();
}

static void
test_mute(void **state)
{
	(void)state;
	begin(NULL);
	world.server.mute = true;
	ask(&(struct http_options){ .url = url_of("http", "127.0.0.1", "/"),
	    .body_max = 100, .timeout_ms = 50 });
	assert_int_equal(world.status, 0);
	assert_string_equal(world.fault, "the time is over");
	end();
}

static void
test_nobody_there(void **state)
{
	char *url;

	(void)state;
	begin(NULL);
	url = url_of("http", "127.0.0.1", "/");
	server_end(&world.server);
	ask(&(struct http_options){ .url = url, .body_max = 100 });
	assert_int_equal(world.status, 0);
	assert_true(world.fault[0] != '\0');
	ask(&(struct http_options){ .url = "http://example.com/",
	    .body_max = 100 });
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.fault, "loopback"));
	loop_free(world.loop);
}

static void
test_cancel(void **state)
{
	const struct http_options o = { .url = NULL, .body_max = 100 };
	struct http_options at = o;
	struct http_call *c;

	(void)state;
	begin(NULL);
	world.server.mute = true;
	at.url = url_of("http", "127.0.0.1", "/");
	c = http_call_start(world.loop, &at, on_done, &world);
	http_call_cancel(c);
	c = http_call_start(world.loop, &at, on_done, &world);
	UNTIL(world.loop, world.server.requests == 1);
	http_call_cancel(c);
	turns(world.loop, 5);
	assert_int_equal(world.done, 0);
	http_call_cancel(NULL);
	end();
}

static struct http_call *
ask_name(uint32_t timeout_ms)
{
	const struct http_options o = { .url = url_of("http", "localhost",
	    "/t"), .form = "secret=x", .authorization = "Basic abc",
	    .body_max = 100, .timeout_ms = timeout_ms };

	return http_call_start(world.loop, &o, on_done, &world);
}

/* Nobody waits for the resolver: not the thread, nor the deadline. */
static void
test_slow_resolver(void **state)
{
	(void)state;
	begin(NULL);
	atomic_store(&resolver.hangs, true);
	ask_name(50);
	UNTIL(world.loop, world.done == 1);
	assert_string_equal(world.fault, "the time is over");
	http_call_cancel(ask_name(0));
	turns(world.loop, 5);
	assert_int_equal(world.done, 1);
	/* The third finds its server, with all that was to be sent. */
	ask_name(0);
	UNTIL(world.loop, atomic_load(&resolver.asked) == 3);
	assert_int_equal(world.server.requests, 0);
	for (int i = 0; i < 3; i++)
		sem_post(&resolver.go_on);
	UNTIL(world.loop, world.done == 2);
	assert_int_equal(world.status, 200);
	assert_int_equal(world.server.requests, 1);
	assert_string_equal(world.server.form, "secret=x");
	assert_string_equal(world.server.authorization, "Basic abc");
	atomic_store(&resolver.hangs, false);
	end();
}

/* Lookups that hang are bounded, and end all the same. */
static void
test_many_lookups(void **state)
{
	(void)state;
	begin(NULL);
	atomic_store(&resolver.hangs, true);
	for (int i = 0; i < LOOKUPS_MAX + 1; i++)
		http_call_cancel(ask_name(0));
	ask_name(0);
	UNTIL(world.loop, world.done == 1);
	assert_non_null(strstr(world.fault, "localhost: "));
	atomic_store(&resolver.hangs, false);
	for (int i = 0; i < LOOKUPS_MAX; i++)
		sem_post(&resolver.go_on);
	end();
}

/* ---- TLS ---- */

static void
expect_tls(const char *names, const char *host, const char *ca,
    const char *fault)
{

	begin(server_tls(names, world.ca));
	ask(&(struct http_options){ .url = url_of("https", host, "/"),
	    .body_max = 100, .ca_file = ca, .authorization = "secret" });
	if (fault == NULL) {
		if (world.status != 200)
			fail_msg("%s", world.fault);
	} else {
		assert_int_equal(world.status, 0);
		if (strstr(world.fault, fault) == NULL)
			fail_msg("%s", world.fault);
		/* Nothing was said to who is somebody else. */
		assert_int_equal(world.server.requests, 0);
	}
	end();
}

static void
test_tls(void **state)
{
	(void)state;
	expect_tls("IP:127.0.0.1", "127.0.0.1", world.ca, NULL);
	expect_tls("DNS:localhost", "localhost", world.ca, NULL);
	expect_tls("DNS:localhost", "127.0.0.1", world.ca, "mismatch");
	expect_tls("IP:127.0.0.1", "localhost", world.ca, "mismatch");
	expect_tls("DNS:example.com", "localhost", world.ca, "mismatch");
	expect_tls("IP:127.0.0.1", "127.0.0.1", world.other_ca,
	    "certificate");
	expect_tls("IP:127.0.0.1", "127.0.0.1", NULL, "certificate");
	expect_tls("IP:127.0.0.1", "127.0.0.1", "/nonexistent", "PEM");
}

static void
test_plain_server(void **state)
{
	(void)state;
	begin(NULL);
	ask(&(struct http_options){ .url = url_of("https", "127.0.0.1", "/"),
	    .body_max = 100, .ca_file = world.ca });
	assert_int_equal(world.status, 0);
	assert_int_equal(world.server.requests, 0);
	end();
}

static int
setup(void **state)
{
	(void)state;
	sem_init(&resolver.go_on, 0, 0);
	snprintf(world.ca, sizeof(world.ca), "/tmp/weir-http-%d.pem",
	    (int)getpid());
	snprintf(world.other_ca, sizeof(world.other_ca),
	    "/tmp/weir-http-%d-other.pem", (int)getpid());
	SSL_CTX_free(server_tls("IP:127.0.0.1", world.ca));
	SSL_CTX_free(server_tls("IP:127.0.0.1", world.other_ca));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(world.ca);
	unlink(world.other_ca);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_no_redirect),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_slow_resolver),
		cmocka_unit_test(test_many_lookups),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_plain_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
