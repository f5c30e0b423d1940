/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/weirctl_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static char *
print(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(v);
	weirctl_print_status(v, f);
	fclose(f);
	json_decref(v);
	return out;
}

static void
test_whole_page(void **state)
{
	char *s = print("{\"version\": \"0.1.0\", \"uptime_seconds\": 90061,"
	    "\"ready\": true, \"draining\": false, \"cluster\": {"
	    "\"state\": \"connected\", \"broker_count\": 1, \"topics\": 2,"
	    "\"partitions\": 3, \"generation\": 4, \"age_seconds\": 1.25,"
	    "\"brokers\": [{\"id\": 1, \"address\": \"kafka-1:9092\","
	    "\"rack\": null, \"leased\": 5, \"idle\": 6,"
	    "\"connecting\": 0}]}, \"node\": {\"sessions\": 7,"
	    "\"in_flight\": 8, \"legs\": 9, \"buffered_bytes\": 1536,"
	    "\"buffered_max\": 8589934592}, \"upstreams\": {\"leased\": 5,"
	    "\"idle\": 6, \"connecting\": 0}}");

	(void)state;
	assert_string_equal(s,
	    "weir 0.1.0, up 1d1h, ready\n"
	    "cluster    connected, 1 brokers, 2 topics, 3 partitions, "
	    "picture 4 (1.2s old)\n"
	    "node       7 sessions, 8 requests in flight, 9 legs, "
	    "1.5 KiB of 8.0 GiB buffered\n"
	    "upstreams  5 leased, 6 idle, 0 connecting\n"
	    "\n"
	    "BROKER  ADDRESS       RACK  LEASED  IDLE  CONNECTING\n"
	    "1       kafka-1:9092  -     5       6     0\n");
	free(s);
}

static void
test_what_a_client_chose(void **state)
{
	char *s = print("{\"sessions\": [{\"id\": 1, \"client_id\":"
	    "\"\\u001b[2J\\nx\\u00e9\", \"software\": \"\"},"
	    "{\"client_id\": \"a very long client id, which nobody needs to "
	    "see to the end of it\"}], \"sessions_omitted\": 12}");

	(void)state;
	assert_null(strchr(s, '\x1b'));
	assert_non_null(strstr(s, "?[2J?x??"));
	assert_null(strstr(s, "to the end"));
	assert_non_null(strstr(s, "... and 12 more sessions\n"));
	assert_null(strstr(s, "tenants "));
	free(s);
}

static void
test_nothing_is_there(void **state)
{
	char *s = print("{}");

	(void)state;
	assert_memory_equal(s, "weir -, up -, NOT READY\n", 24);
	free(s);
	s = print("[1]");
	assert_non_null(strstr(s, "node       - sessions"));
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_page),
		cmocka_unit_test(test_what_a_client_chose),
		cmocka_unit_test(test_nothing_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
