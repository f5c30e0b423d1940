/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/net/listen.h"

static void
test_split_good(void **state)
{
	static const struct {
		const char	*text, *host;
		int		 port;
	} rows[] = {
		{ "10.1.2.3:4567", "10.1.2.3", 4567 },
		{ "[::1]:9092", "::1", 9092 },
		{ "a.example.com:65535", "a.example.com", 65535 },
		{ ":0", "", 0 },
		{ "*:9092", "*", 9092 },
		{ "[]:1", "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error err = { "" };
		char host[64];
		int port = -1;

		if (!address_split(rows[i].text, host, sizeof(host), &port,
		    &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static void
test_split_bad(void **state)
{
	static const char *const rows[] = { "", "host", "host:", "host:x",
		"host:65536", "host:-1", "host:123456", "::1:9092", "[::1]",
		"[::1]9092", "[::1", "host: 1",
		"0123456789012345678901234567890123456789:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error err = { "" };
		char host[32];
		int port;

		if (address_split(rows[i], host, sizeof(host), &port, &err))
			fail_msg("accepted: %s", rows[i]);
		assert_true(err.text[0] != '\0');
	}
}

static void
parse_and_format(const char *text, const char *expect)
{
	struct sockaddr_storage a;
	struct error err = { "" };
	socklen_t len;
	char back[64];

	if (!address_parse(text, &a, &len, &err))
		fail_msg("%s: %s", text, err.text);
	address_format((struct sockaddr *)&a, back, sizeof(back));
	assert_string_equal(back, expect);
}

static void
test_parse(void **state)
{
	struct sockaddr_storage a;
	struct error err = { "" };
	socklen_t len;

	(void)state;
	parse_and_format("10.1.2.3:4567", "10.1.2.3:4567");
	parse_and_format("[::1]:9092", "[::1]:9092");
	parse_and_format("[2001:db8:0:0::1]:1", "[2001:db8::1]:1");
	parse_and_format(":9092", "[::]:9092");
	parse_and_format("*:9092", "[::]:9092");
	parse_and_format("0.0.0.0:0", "0.0.0.0:0");
	assert_false(address_parse("no.such.host.invalid:1", &a, &len, &err));
	assert_non_null(strstr(err.text, "no.such.host.invalid"));
}

static void
test_format_unknown(void **state)
{
	struct sockaddr a = { .sa_family = AF_UNIX };
	char text[64];

	(void)state;
	address_format(&a, text, sizeof(text));
	assert_string_equal(text, "?:0");
	address_format(NULL, text, sizeof(text));
	assert_string_equal(text, "?:0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_good),
		cmocka_unit_test(test_split_bad),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format_unknown),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
