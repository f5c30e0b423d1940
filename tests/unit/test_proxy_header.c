/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/net/listen.h"
#include "gateway/net/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPS4 "\x0a\x01\x02\x03\x0a\x00\x00\x01"
#define PORTS "\x11\xd7\x23\x84"	/* 4567, 9092 */
#define IPS6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define VPCE "vpce-08d2bf15fac5001c9"	/* 22 */

struct row {
	const char		*name;
	const char		*data;
	size_t			 len;
	enum proxy_result	 result;
	size_t			 size;		/* of the header, when done */
	const char		*remote, *local;	/* NULL: none */
	const char		*vpce;
};

#define ROW(name, data, ...) { name, data, sizeof(data) - 1, __VA_ARGS__ }

static const struct row rows[] = {
	ROW("v1 tcp4", "PROXY TCP4 10.1.2.3 10.0.0.1 4567 9092\r\nrest",
	    PROXY_DONE, 40, "10.1.2.3:4567", "10.0.0.1:9092", ""),
	ROW("v1 tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 4567 9092\r\n",
	    PROXY_DONE, 46, "[2001:db8::1]:4567", "[2001:db8::2]:9092", ""),
	ROW("v1 unknown", "PROXY UNKNOWN\r\n", PROXY_DONE, 15, NULL, NULL,
	    ""),
	ROW("v1 unknown with addresses",
	    "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
	    PROXY_DONE, 59, NULL, NULL, ""),
	ROW("v1 port 0 and 65535", "PROXY TCP4 1.2.3.4 1.2.3.4 0 65535\r\n",
	    PROXY_DONE, 36, "1.2.3.4:0", "1.2.3.4:65535", ""),
	ROW("v1 port too big", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 port with zero", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 port negative", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 no port", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 two spaces", "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 space at end", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 more words", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 6 in 4", "PROXY TCP4 ::1 ::1 1 1\r\n", PROXY_BAD, 0, NULL,
	    NULL, ""),
	ROW("v1 other family", "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 no word", "PROXY \r\n", PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 NUL inside", "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v1 CR alone", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r1", PROXY_BAD, 0,
	    NULL, NULL, ""),
	ROW("v1 begun", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r", PROXY_MORE, 0,
	    NULL, NULL, ""),
	ROW("none: kafka", "\0\0\0\x20\0\x12\0\x03", PROXY_BAD, 0, NULL, NULL,
	    ""),
	ROW("none: tls", "\x16\x03\x01", PROXY_BAD, 0, NULL, NULL, ""),
	ROW("wrong letter", "PROXI", PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v2 tcp4", SIGNATURE "\x21\x11\0\x0c" IPS4 PORTS "rest",
	    PROXY_DONE, 28, "10.1.2.3:4567", "10.0.0.1:9092", ""),
	ROW("v2 tcp6", SIGNATURE "\x21\x21\0\x24" IPS6 PORTS,
	    PROXY_DONE, 52, "[2001:db8::1]:4567", "[2001:db8::2]:9092", ""),
	ROW("v2 local", SIGNATURE "\x20\0\0\0", PROXY_DONE, 16, NULL, NULL,
	    ""),
	ROW("v2 local with rest", SIGNATURE "\x20\x11\0\x0c" IPS4 PORTS,
	    PROXY_DONE, 28, NULL, NULL, ""),
	ROW("v2 unspec", SIGNATURE "\x21\0\0\x03" "abc", PROXY_DONE, 19, NULL,
	    NULL, ""),
	ROW("v2 unix", SIGNATURE "\x21\x31\0\x03" "abc", PROXY_DONE, 19, NULL,
	    NULL, ""),
	ROW("v2 aws", SIGNATURE "\x21\x11\0\x29" IPS4 PORTS "\xea\0\x17\x01"
	    VPCE "\x04\0\0", PROXY_DONE, 57, "10.1.2.3:4567", "10.0.0.1:9092",
	    VPCE),
	ROW("v2 aws other subtype", SIGNATURE "\x21\x11\0\x11" IPS4 PORTS
	    "\xea\0\x02\x02" "a", PROXY_DONE, 33, "10.1.2.3:4567",
	    "10.0.0.1:9092", ""),
	ROW("v2 aws with a control byte", SIGNATURE "\x21\x11\0\x12" IPS4
	    PORTS "\xea\0\x03\x01" "a\n", PROXY_DONE, 34, "10.1.2.3:4567",
	    "10.0.0.1:9092", ""),
	ROW("v2 aws too long", SIGNATURE "\x21\x11\0\x30" IPS4 PORTS
	    "\xea\0\x21\x01" "01234567890123456789012345678901", PROXY_DONE,
	    64, "10.1.2.3:4567", "10.0.0.1:9092", ""),
	ROW("v2 field lies", SIGNATURE "\x21\x11\0\x10" IPS4 PORTS
	    "\xea\0\x09\x01", PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v2 field cut", SIGNATURE "\x21\x11\0\x0e" IPS4 PORTS "\xea\0",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v2 addresses cut", SIGNATURE "\x21\x11\0\x0b" IPS4 "\x11\xd7\x23",
	    PROXY_BAD, 0, NULL, NULL, ""),
	ROW("v2 version 1", SIGNATURE "\x11\x11\0\x0c" IPS4 PORTS, PROXY_BAD,
	    0, NULL, NULL, ""),
	ROW("v2 command 2", SIGNATURE "\x22\x11\0\x0c" IPS4 PORTS, PROXY_BAD,
	    0, NULL, NULL, ""),
	ROW("v2 too long", SIGNATURE "\x21\x11\x02\x09" IPS4 PORTS, PROXY_BAD,
	    0, NULL, NULL, ""),
	ROW("v2 longest, begun", SIGNATURE "\x21\x11\x02\x08" IPS4 PORTS,
	    PROXY_MORE, 0, NULL, NULL, ""),
};

static void
check_address(const char *name, const union conn_address *a,
    const char *expect)
{
	char text[64];

	address_format(&a->sa, text, sizeof(text));
	if (strcmp(text, expect) != 0)
		fail_msg("%s: %s, not %s", name, text, expect);
}

static void
check_row(const struct row *r)
{
	struct proxy_header h;
	const char *why = NULL;
	enum proxy_result result = proxy_header_parse(
	    (const uint8_t *)r->data, r->len, &h, &why);

	if (result != r->result)
		fail_msg("%s: %d, not %d (%s)", r->name, result, r->result,
		    why ? why : "");
	if (result == PROXY_BAD)
		assert_non_null(why);
	if (result != PROXY_DONE)
		return;
	assert_int_equal(h.size, r->size);
	assert_int_equal(h.has_address, r->remote != NULL);
	assert_string_equal(h.vpce, r->vpce);
	if (r->remote != NULL) {
		check_address(r->name, &h.remote, r->remote);
		check_address(r->name, &h.local, r->local);
	}
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

/* Each beginning of a good header wants more, and bytes after it change
 * nothing. */
static void
test_beginnings(void **state)
{
	struct proxy_header h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];

		if (r->result != PROXY_DONE)
			continue;
		for (size_t n = 0; n < r->size; n++)
			if (proxy_header_parse((const uint8_t *)r->data, n, &h,
			    &why) != PROXY_MORE)
				fail_msg("%s: at %zu", r->name, n);
	}
}

static void
test_v1_longest(void **state)
{
	struct proxy_header h;
	const char *why;
	uint8_t line[200];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_header_parse(line, 106, &h, &why), PROXY_MORE);
	assert_int_equal(proxy_header_parse(line, 107, &h, &why), PROXY_BAD);
	memcpy(line + 105, "\r\n", 2);
	assert_int_equal(proxy_header_parse(line, 107, &h, &why), PROXY_DONE);
	assert_int_equal(h.size, 107);
	memcpy(line + 105, "x\r\n", 3);
	assert_int_equal(proxy_header_parse(line, 108, &h, &why), PROXY_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_beginnings),
		cmocka_unit_test(test_v1_longest),
	};

	return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
