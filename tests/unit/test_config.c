/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file in config/good loads; config/bad/x.json has exactly the faults in
 * config/bad/x.txt.
 */
#include "gateway/config.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "gateway/base/clock.h"
#include "gateway/net/loop.h"
#include "gateway/redis_config.h"
#include "quota/redis.h"

static int home;

static const char *
folder(void)
{
	const char *s = getenv("WEIR_TEST_CONFIG");

	return s != NULL ? s : "tests/unit/config";
}

/* Goes to folder()/name and returns its *.json files. */
static void
enter(const char *name, glob_t *files)
{
	assert_int_equal(chdir(folder()), 0);
	assert_int_equal(chdir(name), 0);
	assert_int_equal(glob("*.json", 0, NULL, files), 0);
}

static void
leave(glob_t *files)
{
	globfree(files);
	assert_int_equal(fchdir(home), 0);
}

static char *
faults_text(const struct error_list *errs)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	error_list_print(errs, f, "");
	fclose(f);
	return text;
}

static void
test_good_files(void **state)
{
	struct error_list errs = { 0 };
	struct config *c;
	glob_t files;

	(void)state;
	enter("good", &files);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		c = config_load(files.gl_pathv[i], &errs);
		error_list_print(&errs, stderr, files.gl_pathv[i]);
		assert_non_null(c);
		assert_int_equal(errs.n, 0);
		config_unref(c);
	}
	leave(&files);
}

static void
expect_faults(const char *file)
{
	struct error_list errs = { 0 };
	char name[256], want[16384], *text;
	FILE *f;

	snprintf(name, sizeof(name), "%.*s.txt", (int)strlen(file) - 5, file);
	f = fopen(name, "r");
	assert_non_null(f);
	want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
	fclose(f);
	assert_null(config_load(file, &errs));
	text = faults_text(&errs);
	assert_string_equal(text, want);
	free(text);
	error_list_free(&errs);
}

static void
test_bad_files(void **state)
{
	glob_t files;

	(void)state;
	enter("bad", &files);
	for (size_t i = 0; i < files.gl_pathc; i++)
		expect_faults(files.gl_pathv[i]);
	leave(&files);
}

static struct config *
load_full(void)
{
	struct error_list errs = { 0 };
	struct config *c;
	char path[512];

	snprintf(path, sizeof(path), "%s/good/full.json", folder());
	c = config_load(path, &errs);
	assert_non_null(c);
	return c;
}

static void
test_listeners(void **state)
{
	struct config *c = load_full();
	const struct config_listener *l = c->listeners.v;
	struct sockaddr_in a = { .sin_family = AF_INET };

	(void)state;
	assert_int_equal(c->listeners.n, 4);
	assert_string_equal(l[0].advertised_host, "kafka.example.com");
	assert_int_equal(l[0].advertised_port, 443);
	assert_false(l[0].advertised_template);
	assert_null(l[0].tls.certificate_file);
	assert_string_equal(l[1].advertised_host, "{id}.kafka.example.com");
	assert_true(l[1].advertised_template);
	assert_int_equal(l[1].tls.client_certificate,
	    CONFIG_CLIENT_CERT_REQUIRED);
	assert_int_equal(l[1].tls.min_version, CONFIG_TLS_1_3);
	assert_non_null(strstr(l[1].tls.key_file, "/good/any.pem"));
	assert_true(l[1].proxy_protocol);
	assert_int_equal(inet_pton(AF_INET, "10.9.8.7", &a.sin_addr), 1);
	assert_true(cidr_list_has(&l[1].proxy_sources,
	    (struct sockaddr *)&a));
	assert_string_equal(l[2].advertised_host, "127.0.0.1");
	assert_int_equal(l[2].advertised_port, 0);
	config_unref(c);
}

static void
test_values(void **state)
{
	struct config *c = load_full();

	(void)state;
	assert_int_equal(c->cluster.security, CONFIG_SASL_TLS);
	assert_int_equal(c->cluster.sasl.mechanism,
	    CONFIG_MECHANISM_SCRAM_SHA_512);
	assert_string_equal(c->cluster.sasl.password,
	    "correct horse battery staple");
	assert_false(c->cluster.tls.verify_name);
	assert_int_equal(c->cluster.connect_ms, 2000);
	assert_int_equal(c->cluster.idle_ms, 240000);
	assert_int_equal(c->virtual_brokers.known, 3);
	assert_int_equal(c->virtual_brokers.others, 1);
	assert_int_equal(c->virtual_brokers.clients.n, 2);
	assert_int_equal(c->virtual_brokers.clients.v[0].version[1], 10);
	assert_int_equal(c->virtual_brokers.clients.v[1].ids, CONFIG_AUTO);
	assert_int_equal(c->quota.store, CONFIG_STORE_REDIS);
	assert_int_equal(c->quota.on_store_loss, CONFIG_STORE_LOSS_CLOSED);
	assert_int_equal(c->quota.redis.mode, CONFIG_REDIS_SENTINEL);
	assert_int_equal(c->quota.redis.addresses.n, 2);
	assert_string_equal(c->quota.redis.password,
	    "correct horse battery staple");
	assert_string_equal(c->quota.redis.key_prefix, "weir:test:");
	assert_string_equal(c->admin.token, "correct horse battery staple");
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->limits.frame_max, 16 << 20);
	assert_int_equal(c->limits.buffered_max, 1 << 30);
	assert_int_equal(c->limits.idle_ms, 0);
	assert_true(c->limits.connections_max > 0);
	config_unref(c);
}

/* What the checks let through makes a client. */
static void
test_redis_client(void **state)
{
	struct config *c = load_full();
	struct config_redis *r = &c->quota.redis;
	struct loop *l = loop_new();
	struct error err = { "" };
	struct redis *client;

	(void)state;
	/* The file that is named there has no certificate in it. */
	client = redis_config_client(&c->quota, l, NULL, NULL, &err);
	assert_null(client);
	assert_non_null(strstr(err.text, "quota.redis.tls: "));
	r->security = CONFIG_REDIS_PLAINTEXT;
	client = redis_config_client(&c->quota, l, NULL, NULL, &err);
	assert_non_null(client);
	redis_free(client);
	loop_free(l);
	config_unref(c);
}

static void
test_command_line(void **state)
{
	struct config_cli cli = {
		.bootstrap = "localhost:9092", .listen = ":19092",
		.advertise = "[::1]:19092",
	};
	struct error_list errs = { 0 };
	struct config *c = config_from_cli(&cli, &errs);
	char *text;

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->cluster.bootstrap, "localhost:9092");
	assert_string_equal(c->listeners.v[0].advertised_host, "::1");
	assert_null(c->admin.address);
	assert_true(c->workers > 0);
	assert_true(c->limits.buffered_max >= 64 << 20);
	config_unref(c);
	cli.bootstrap = NULL;
	cli.listen = "nowhere";
	cli.advertise = NULL;
	cli.admin = "10.0.0.1:1";
	assert_null(config_from_cli(&cli, &errs));
	text = faults_text(&errs);
	assert_string_equal(text, "--bootstrap: is required\n");
	free(text);
	error_list_free(&errs);
	cli.bootstrap = "a:1";
	assert_null(config_from_cli(&cli, &errs));
	text = faults_text(&errs);
	assert_string_equal(text,
	    "--listen: \"nowhere\": expected host:port\n"
	    "--admin: is not a loopback address: that needs admin.remote and "
	    "a token in a configuration file\n");
	free(text);
	error_list_free(&errs);
}

static void
test_reload(void **state)
{
	struct config *a = load_full(), *b = load_full();
	struct error_list errs = { 0 };
	char *text;

	(void)state;
	assert_true(config_check_reload(a, b, &errs));
	b->drain_ms++;				/* live */
	b->limits.frame_max++;
	b->virtual_brokers.clients.v[0].ids++;
	assert_true(config_check_reload(a, b, &errs));
	b->workers++;
	b->listeners.v[1].proxy_protocol = false;
	b->cluster.bootstrap[0] = 'K';
	assert_false(config_check_reload(a, b, &errs));
	text = faults_text(&errs);
	assert_string_equal(text,
	    "cluster.bootstrap: can change only with a restart\n"
	    "listeners[1].proxy_protocol: can change only with a restart\n"
	    "workers: can change only with a restart\n");
	free(text);
	error_list_free(&errs);
	config_unref(a);
	config_unref(b);
}

static void
test_references(void **state)
{
	struct config *c = load_full();

	(void)state;
	assert_ptr_equal(config_ref(c), c);
	config_unref(c);
	assert_int_equal(c->workers, 3);
	config_unref(c);
	config_unref(NULL);
}

/* What is printed as a sample can be loaded. */
static void
test_sample_loads(void **state)
{
	struct error_list errs = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct config *c;

	(void)state;
	assert_true(config_print_options("json", f));
	fclose(f);
	c = config_parse(text, size, &errs);
	error_list_print(&errs, stderr, "sample: ");
	assert_non_null(c);
	config_unref(c);
	free(text);
}

static void
test_loopback(void **state)
{
	(void)state;
	assert_true(config_is_loopback("127.0.0.1:80"));
	assert_true(config_is_loopback("127.1.2.3:80"));
	assert_true(config_is_loopback("[::1]:80"));
	assert_true(config_is_loopback("localhost:80"));
	assert_false(config_is_loopback(":80"));
	assert_false(config_is_loopback("0.0.0.0:80"));
	assert_false(config_is_loopback("localhost.example.com:80"));
	assert_false(config_is_loopback("nonsense"));
}

/* Host names may begin with digits: 127.example.com is not this machine. */
static void
test_loopback_is_an_address(void **state)
{
	(void)state;
	assert_false(config_is_loopback("127.example.com:80"));
	assert_false(config_is_loopback("127.0.0.1.example.com:80"));
}

/* ---- texts that would explode (H6) ---- */

enum { DEPTH = 1000000, KEYS = 100000, QUICK_US = 20 * 1000 * 1000 };

static void
expect_refused(const char *text, size_t len, const char *says)
{
	struct error_list errs = { 0 };
	int64_t began = clock_now_us();
	char *faults;

	assert_null(config_parse(text, len, &errs));
	assert_in_range(errs.n, 1, FAULTS_MAX);
	faults = faults_text(&errs);
	if (strstr(faults, says) == NULL)
		fail_msg("\"%.300s\" has no \"%s\"", faults, says);
	free(faults);
	error_list_free(&errs);
	assert_in_range(clock_now_us() - began, 0, QUICK_US);
}

static void
test_depth(void **state)
{
	char *text = malloc(5 * DEPTH);

	(void)state;
	memset(text, '[', DEPTH);
	expect_refused(text, DEPTH, "depth");
	memset(text + DEPTH, ']', DEPTH);
	expect_refused(text, 2 * DEPTH, "depth");
	for (int i = 0; i < DEPTH; i++)
		memcpy(text + 5 * (size_t)i, "{\"a\":", 5);
	expect_refused(text, 5 * DEPTH, "depth");
	free(text);
}

static void
test_duplicates(void **state)
{
	static const char *const texts[] = {
		"{\"cluster\":{\"bootstrap\":\"a:1\"},"
		    "\"cluster\":{\"bootstrap\":\"b:1\"}}",
		"{\"cluster\":{\"bootstrap\":\"a:1\",\"bootstrap\":\"a:1\"}}",
		"{\"cluster\":{\"bootstr\\u0061p\":\"a:1\","
		    "\"bootstrap\":\"b:1\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		expect_refused(texts[i], strlen(texts[i]), "duplicate");
}

/* Very many names, and names of one shape: neither quadratic nor kept. */
static void
test_many_names(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fprintf(f, "{\"k\":0");
	for (int i = 0; i < KEYS; i++)
		fprintf(f, ",\"k%08x\":0", (unsigned)i << 12 | i % 3u);
	fprintf(f, "}");
	fclose(f);
	expect_refused(text, len, "is not an option of weir");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_redis_client),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_sample_loads),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_loopback_is_an_address),
	};

	home = open(".", O_RDONLY | O_DIRECTORY);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
