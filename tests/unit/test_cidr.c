/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/cidr.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool
has(const char *network, const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct cidr_list l = { NULL, 0 };
	struct error err;
	struct cidr c;
	bool yes;

	if (!cidr_parse(network, &c, &err))
		fail_msg("%s: %s", network, err.text);
	cidr_list_add(&l, &c);
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		yes = cidr_list_has(&l, (struct sockaddr *)&v4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr),
		    1);
		yes = cidr_list_has(&l, (struct sockaddr *)&v6);
	}
	cidr_list_free(&l);
	return yes;
}

static void
test_match(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.1.2"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("10.0.0.0/8", "::ffff:10.1.1.1"));
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.2"));
	assert_true(has("192.0.2.128/25", "192.0.2.200"));
	assert_false(has("192.0.2.128/25", "192.0.2.100"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "10.0.0.1"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::1", "::1"));
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", "/8", "ten", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8",
		"10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/0x8", "::1/129",
		"2001:db8::1/64", "10.0.0.0/99999999999999999999",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:d",
	};
	struct error err;
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (cidr_parse(bad[i], &c, &err))
			fail_msg("\"%s\" was accepted", bad[i]);
	}
}

static void
test_other_family(void **state)
{
	struct sockaddr a = { .sa_family = AF_UNIX };
	struct cidr_list l = { NULL, 0 };
	struct error err;
	struct cidr c;

	(void)state;
	assert_true(cidr_parse("::/0", &c, &err));
	cidr_list_add(&l, &c);
	assert_false(cidr_list_has(&l, &a));
	cidr_list_free(&l);
	assert_int_equal(l.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_other_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
