/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/admin.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <jansson.h>

#include "gateway/adopt.h"
#include "gateway/config.h"
#include "gateway/explain.h"
#include "gateway/limits_status.h"

static struct event_base *base;
static bool ready = true, reload_works = true;
static int reloads, drains;
static char answer[64 * 1024];

static bool
is_ready(void *arg)
{
	(void)arg;
	return ready;
}

static json_t *
status(void *arg)
{
	(void)arg;
	return json_pack("{s:s}", "version", "1.2.3");
}

static char *
metrics(void *arg)
{
	(void)arg;
	return strdup("weir_ready 1\n");
}

static json_t *
explain(void *arg, const struct explain_query *q, struct error *err)
{
	(void)arg;
	if (strcmp(q->action, "Unknown") == 0) {
		error_set(err, "no such action");
		return NULL;
	}
	return json_pack("{s:s, s:s, s:i, s:s}", "principal", q->principal,
	    "resource", q->resource, "contexts", (int)q->context_count,
	    "context", q->context_count > 0 ? q->context[0] : "");
}

static bool
reload(void *arg, struct error_list *errs)
{
	(void)arg;
	reloads++;
	if (!reload_works)
		error_list_add(errs, "workers", "is \"bad\"");
	return reload_works;
}

static void
drain(void *arg)
{
	(void)arg;
	drains++;
}

static json_t *
tenants(void *arg, const char *id, struct error *err)
{
	(void)arg;
	if (id != NULL && strcmp(id, "nobody") == 0) {
		error_set(err, "no such tenant");
		return NULL;
	}
	return json_pack("{s:s}", "asked", id != NULL ? id : "all");
}

static json_t *
limits(void *arg, const struct limits_query *q, struct error *err)
{
	(void)arg;
	if (q->tenant == NULL) {
		error_set(err, "whose?");
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:i}", "tenant", q->tenant,
	    "principal", q->principal, "topic", q->topic, "partition",
	    (int)q->partition);
}

static char suspended[200];

static bool
suspend(void *arg, const char *id, const char *why, struct error_list *errs)
{
	(void)arg;
	snprintf(suspended, sizeof(suspended), "%s: %s", id,
	    why != NULL ? why : "(resumed)");
	if (strcmp(id, "nobody") != 0)
		return true;
	error_list_add(errs, "tenant", "no such tenant");
	return false;
}

/* Answers at once, or later when the tenant is "later". */
static struct {
	void	(*done)(void *arg, json_t *v, const struct error *why);
	void	*arg;
} waiting;

static void
adopt(void *arg, const struct adopt_query *q, bool write,
    void (*done)(void *done_arg, json_t *v, const struct error *why),
    void *done_arg)
{
	struct error err;

	(void)arg;
	if (q->tenant == NULL) {
		error_set(&err, "whose?");
		done(done_arg, NULL, &err);
	} else if (strcmp(q->tenant, "later") == 0) {
		waiting.done = done;
		waiting.arg = done_arg;
	} else {
		done(done_arg, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}",
		    "tenant", q->tenant, "t", q->pattern[NAME_TOPIC],
		    "g", q->pattern[NAME_GROUP], "x", q->pattern[NAME_TXN],
		    "as", q->as, "write", write), NULL);
	}
}

static const struct admin_source source = {
	NULL, is_ready, status, metrics, explain, reload, drain, tenants,
	limits, suspend, adopt,
};

static char loopback[] = "127.0.0.1:0";
static char token[] = "0123456789abcdef";

static struct admin *
open_admin(char *with_token)
{
	struct config_admin c = { loopback, false, with_token };
	struct error err;
	struct admin *a = admin_open(base, &c, &source, &err);

	assert_non_null(a);
	return a;
}

/* Sends the text and runs the loop until the other side has closed. */
static const char *
exchange(const struct admin *a, const char *request)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	size_t n = 0;
	ssize_t r = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)admin_port(a));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, request, strlen(request), 0),
	    strlen(request));
	for (int i = 0; i < 2000 && r != 0; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		r = recv(fd, answer + n, sizeof(answer) - 1 - n, MSG_DONTWAIT);
		n += r > 0 ? (size_t)r : 0;
		if (r < 0)
			usleep(500);
	}
	answer[n] = '\0';
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return answer;
}

static const char *
get(const struct admin *a, const char *method, const char *path,
    const char *headers)
{
	char request[1024];

	snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\n%s\r\n", method,
	    path, headers);
	return exchange(a, request);
}

static void
expect(const struct admin *a, const char *method, const char *path,
    const char *headers, const char *code)
{
	const char *s = get(a, method, path, headers);

	if (strncmp(s + strlen("HTTP/1.0 "), code, 3) != 0)
		fail_msg("%s %s: wanted %s, got %s", method, path, code, s);
}

static void
test_pages(void **state)
{
	struct admin *a = open_admin(NULL);

	(void)state;
	expect(a, "GET", "/healthz", "", "200");
	expect(a, "GET", "/readyz", "", "200");
	expect(a, "HEAD", "/readyz", "", "200");
	ready = false;
	expect(a, "GET", "/readyz", "", "503");
	expect(a, "GET", "/healthz", "", "200");
	ready = true;
	expect(a, "GET", "/metrics", "", "200");
	assert_non_null(strstr(answer, "version=0.0.4"));
	assert_non_null(strstr(answer, "\r\n\r\nweir_ready 1\n"));
	expect(a, "GET", "/status?x=y", "", "200");
	assert_non_null(strstr(answer, "\"version\": \"1.2.3\""));
	expect(a, "GET", "/", "", "404");
	expect(a, "GET", "/status/../reload", "", "404");
	expect(a, "POST", "/status", "", "405");
	expect(a, "GET", "/reload", "", "405");
	admin_close(a);
}

static void
test_changes(void **state)
{
	struct admin *a = open_admin(NULL);

	(void)state;
	expect(a, "POST", "/reload", "Content-Length: 0\r\n", "200");
	assert_non_null(strstr(answer, "\"reloaded\": true"));
	reload_works = false;
	expect(a, "POST", "/reload", "Content-Length: 0\r\n", "422");
	assert_non_null(strstr(answer, "\"path\": \"workers\""));
	assert_non_null(strstr(answer, "\"reason\": \"is \\\"bad\\\"\""));
	reload_works = true;
	assert_int_equal(reloads, 2);
	expect(a, "POST", "/reload",
	    "Origin: http://example.com\r\nContent-Length: 0\r\n", "403");
	assert_int_equal(reloads, 2);
	expect(a, "POST", "/drain", "Content-Length: 0\r\n", "202");
	assert_int_equal(drains, 0);		/* its reply leaves first */
	for (int i = 0; i < 2000 && drains == 0; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(500);
	}
	assert_int_equal(drains, 1);
	expect(a, "POST", "/drain", "Content-Length: 0\r\n", "202");
	admin_close(a);
}

static void
test_token(void **state)
{
	struct admin *a = open_admin(token);
	struct config_admin other = { loopback, false, loopback };
	int before = reloads;

	(void)state;
	expect(a, "GET", "/status", "", "200");
	expect(a, "POST", "/reload", "Content-Length: 0\r\n", "401");
	expect(a, "POST", "/reload", "Content-Length: 0\r\n"
	    "Authorization: Bearer 0123456789abcdeX\r\n", "401");
	expect(a, "POST", "/reload", "Content-Length: 0\r\n"
	    "Authorization: Bearer 0123456789abcdef0\r\n", "401");
	expect(a, "POST", "/reload", "Content-Length: 0\r\n"
	    "Authorization: Basic 0123456789abcdef\r\n", "401");
	assert_int_equal(reloads, before);
	expect(a, "POST", "/reload", "Content-Length: 0\r\n"
	    "Authorization: Bearer 0123456789abcdef\r\n", "200");
	assert_int_equal(reloads, before + 1);
	admin_set_config(a, &other);
	expect(a, "POST", "/reload", "Content-Length: 0\r\n"
	    "Authorization: Bearer 0123456789abcdef\r\n", "401");
	admin_close(a);
}

static void
test_caps(void **state)
{
	struct admin *a = open_admin(NULL);
	char *big = malloc(ADMIN_HEADERS_MAX * 2 + 64);

	(void)state;
	memset(big, 'x', ADMIN_HEADERS_MAX * 2);
	memcpy(big, "GET / HTTP/1.0\r\nA: ", 19);
	big[ADMIN_HEADERS_MAX * 2] = '\0';
	exchange(a, big);
	assert_null(strstr(answer, " 200 "));
	expect(a, "POST", "/reload", "Content-Length: 9999999\r\n", "413");
	expect(a, "POST", "/reload", "Content-Length: -1\r\n", "400");
	exchange(a, "\x16\x03\x01 nonsense\r\n\r\n");
	assert_null(strstr(answer, " 200 "));
	expect(a, "GET", "/healthz", "", "200");
	free(big);
	admin_close(a);
}

static void
test_bad_address(void **state)
{
	struct config_admin c = { loopback, false, NULL };
	struct admin *a = open_admin(NULL);
	char taken[32], bad[] = "nowhere";
	struct error err;

	(void)state;
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", admin_port(a));
	c.address = taken;
	assert_null(admin_open(base, &c, &source, &err));
	assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1:"));
	c.address = bad;
	assert_null(admin_open(base, &c, &source, &err));
	admin_close(a);
	admin_close(NULL);
}

static void
explains_access(void **state)
{
	struct admin *a = open_admin(NULL);
	const char *said;

	(void)state;
	said = exchange(a, "GET /explain-access?principal=user%2Falice&"
	    "action=ReadData&resource=topic%2Fx%2By&context=a%3Db&context=c "
	    "HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(said, "200 OK"));
	assert_non_null(strstr(said, "\"user/alice\""));
	assert_non_null(strstr(said, "\"topic/x+y\""));
	assert_non_null(strstr(said, "\"contexts\": 2"));
	assert_non_null(strstr(said, "\"a=b\""));
	said = exchange(a, "GET /explain-access?principal=p&action=Unknown&"
	    "resource=r HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(said, " 422 "));
	assert_non_null(strstr(said, "no such action"));
	said = exchange(a, "GET /explain-access?action=ReadData "
	    "HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(said, " 422 "));
	admin_close(a);
}

static void
limits_are_asked(void **state)
{
	struct admin *a = open_admin(NULL);

	(void)state;
	expect(a, "GET", "/limits", "", "422");
	assert_non_null(strstr(answer, "whose?"));
	expect(a, "GET", "/limits?tenant=t&principal=p&topic=x%2Fy&partition=7",
	    "", "200");
	assert_non_null(strstr(answer, "\"partition\": 7"));
	assert_non_null(strstr(answer, "\"topic\": \"x/y\""));
	expect(a, "GET", "/limits?tenant=t&topic=x&partition=-1", "", "422");
	expect(a, "GET", "/limits?tenant=t&topic=x&partition=7a", "", "422");
	assert_non_null(strstr(answer, "not 7a"));
	admin_close(a);
}

static void
test_tenants(void **state)
{
	struct admin *a = open_admin(NULL);

	(void)state;
	expect(a, "GET", "/tenants", "", "200");
	assert_non_null(strstr(answer, "\"asked\": \"all\""));
	expect(a, "GET", "/tenants?id=a", "", "200");
	assert_non_null(strstr(answer, "\"asked\": \"a\""));
	expect(a, "GET", "/tenants?id=nobody", "", "422");
	expect(a, "GET", "/tenants/suspend?id=a&reason=b", "", "405");
	expect(a, "POST", "/tenants/suspend?id=a&reason=the%20bill",
	    "Content-Length: 0\r\n", "200");
	assert_string_equal(suspended, "a: the bill");
	assert_non_null(strstr(answer, "\"suspended\": true"));
	/* In the body. */
	expect(a, "POST", "/tenants/suspend?id=b",
	    "Content-Length: 11\r\n\r\nreason=x%21", "200");
	assert_string_equal(suspended, "b: x!");
	expect(a, "POST", "/tenants/suspend?id=c", "Content-Length: 0\r\n",
	    "422");
	assert_non_null(strstr(answer, "id and reason are needed"));
	expect(a, "POST", "/tenants/resume?id=a&reason=b",
	    "Content-Length: 0\r\n", "200");
	assert_string_equal(suspended, "a: (resumed)");
	expect(a, "POST", "/tenants/resume?id=nobody",
	    "Content-Length: 0\r\n", "422");
	assert_non_null(strstr(answer, "no such tenant"));
	admin_close(a);
	a = open_admin(token);
	expect(a, "POST", "/tenants/resume?id=z", "Content-Length: 0\r\n",
	    "401");
	admin_close(a);
}

static void
test_adopt(void **state)
{
	static const char query[] = "/adopt?tenant=a&topics=x%2A&groups=y&"
	    "txns=z&as=w%2A";
	struct admin *a = open_admin(token);

	(void)state;
	expect(a, "GET", query, "", "200");
	assert_non_null(strstr(answer, "\"t\": \"x*\""));
	assert_non_null(strstr(answer, "\"g\": \"y\""));
	assert_non_null(strstr(answer, "\"x\": \"z\""));
	assert_non_null(strstr(answer, "\"as\": \"w*\""));
	assert_non_null(strstr(answer, "\"write\": false"));
	expect(a, "POST", query, "Content-Length: 0\r\n", "401");
	expect(a, "POST", query, "Content-Length: 0\r\n"
	    "Authorization: Bearer 0123456789abcdef\r\n", "200");
	assert_non_null(strstr(answer, "\"write\": true"));
	expect(a, "GET", "/adopt", "", "422");
	assert_non_null(strstr(answer, "\"error\": \"whose?\""));
	admin_close(a);
}

/* Whoever asks may be gone before the brokers have answered. */
static void
test_answered_later(void **state)
{
	static const char request[] = "GET /adopt?tenant=later HTTP/1.0\r\n"
	    "\r\n";
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct admin *a = open_admin(NULL);
	char said[4096];
	ssize_t n = -1;

	(void)state;
	to.sin_port = htons((uint16_t)admin_port(a));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int gone = 0; gone < 2; gone++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		assert_int_equal(connect(fd, (struct sockaddr *)&to,
		    sizeof(to)), 0);
		assert_int_equal(send(fd, request, strlen(request), 0),
		    strlen(request));
		waiting.done = NULL;
		for (int i = 0; i < 20000 && waiting.done == NULL; i++) {
			event_base_loop(base, EVLOOP_NONBLOCK);
			usleep(500);
		}
		assert_non_null(waiting.done);
		if (gone)
			close(fd);
		for (int i = 0; i < 20; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		waiting.done(waiting.arg, json_pack("{s:s}", "a", "b"), NULL);
		for (int i = 0; !gone && i < 20000 && n < 0; i++) {
			event_base_loop(base, EVLOOP_NONBLOCK);
			n = recv(fd, said, sizeof(said) - 1, MSG_DONTWAIT);
			usleep(500);
		}
		if (gone)
			continue;
		assert_true(n > 0);
		said[n] = '\0';
		assert_non_null(strstr(said, "200 OK"));
		close(fd);
	}
	expect(a, "GET", "/healthz", "", "200");
	admin_close(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_bad_address),
		cmocka_unit_test(explains_access),
		cmocka_unit_test(limits_are_asked),
		cmocka_unit_test(test_tenants),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_answered_later),
	};
	int failed;

	base = event_base_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return failed;
}
