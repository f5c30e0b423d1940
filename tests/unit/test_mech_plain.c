/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/auth_fixture.h"

static struct auth_fixture f;

static int
setup(void **state)
{
	(void)state;
	fixture_setup(&f);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static struct auth_step step;

/* %a: alice's id, %s: her secret, %b: bob's id, %0: a zero byte. */
static enum auth_result
say(const char *form, bool tls)
{
	struct auth_peer peer = { "192.0.2.1", tls, false, { 0 } };
	struct auth_login *l = auth_login_new(f.auth, AUTH_PLAIN, &peer,
	    NULL);
	char text[1024];
	size_t n = 0;
	struct arena arena;
	enum auth_result r;
	uint8_t *copy;

	for (; *form != '\0'; form++) {
		const char *piece = form[0] != '%' ? NULL :
		    form[1] == 'a' ? f.alice.id : form[1] == 's' ?
		    f.alice.secret : form[1] == 'b' ? f.bob.id : "";

		if (piece == NULL || form[1] == '0') {
			text[n++] = piece == NULL ? *form : '\0';
		} else {
			memcpy(text + n, piece, strlen(piece));
			n += strlen(piece);
		}
		form += piece != NULL;
	}
	/* Exactly as long, so that a read behind the end is noticed. */
	copy = mem_alloc(n + (n == 0));
	memcpy(copy, text, n);
	arena_init(&arena, 0);
	r = auth_login_step(l, (struct slice){ copy, (uint32_t)n }, &arena,
	    &step);
	arena_fini(&arena);
	free(copy);
	auth_login_free(l);
	return r;
}

static void
test_good(void **state)
{
	static const char *const forms[] = { "%0%a%0%s", "%a%0%a%0%s" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(say(forms[i], true), AUTH_DONE);
		assert_string_equal(step.principal->name, "alice");
		assert_string_equal(step.claimed, f.alice.id);
		assert_int_equal(step.out.len, 0);
		assert_non_null(step.out.data);
		assert_int_equal(step.expires_ms, 0);
		principal_unref(step.principal);
	}
}

static const struct row {
	const char		*form;
	enum auth_failure	 failure;
} rows[] = {
	{ "%0%a%0x", AUTH_FAILURE_SIGNATURE },
	{ "%0%a%0%sx", AUTH_FAILURE_SIGNATURE },
	{ "%0%a%0%a", AUTH_FAILURE_SIGNATURE },
	{ "%0%b%0%s", AUTH_FAILURE_SIGNATURE },
	{ "%0nobody%0%s", AUTH_FAILURE_UNKNOWN_KEY },
	{ "%0alice%0%s", AUTH_FAILURE_UNKNOWN_KEY },
	{ "%0WEISAAAAAAAAAAAAAAAA%0%s", AUTH_FAILURE_SESSION_TOKEN },
	/* CVE-2017-12610 */
	{ "%b%0%a%0%s", AUTH_FAILURE_MALFORMED },
	{ "admin%0%a%0%s", AUTH_FAILURE_MALFORMED },
	{ "%0%a%0%s%0", AUTH_FAILURE_MALFORMED },
	{ "%0%a%0%s%0x", AUTH_FAILURE_MALFORMED },
	{ "%0%0%a%0%s", AUTH_FAILURE_MALFORMED },
	{ "%a%0%s", AUTH_FAILURE_MALFORMED },
	{ "%0%a%0", AUTH_FAILURE_MALFORMED },
	{ "%0%0%s", AUTH_FAILURE_MALFORMED },
	{ "%a", AUTH_FAILURE_MALFORMED },
	{ "%0%0", AUTH_FAILURE_MALFORMED },
	{ "%0", AUTH_FAILURE_MALFORMED },
	{ "", AUTH_FAILURE_MALFORMED },
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum auth_result r = say(rows[i].form, true);

		if (r != AUTH_FAILED || step.failure != rows[i].failure)
			fail_msg("%s: %d, %s", rows[i].form, step.failure,
			    step.error.text);
		assert_null(step.principal);
		assert_true(step.error.text[0] != '\0');
		assert_null(strstr(step.error.text, f.alice.secret));
	}
}

static void
test_lengths(void **state)
{
	char form[700];

	(void)state;
	snprintf(form, sizeof(form), "%%0%%a%%0%0256d", 1);
	assert_int_equal(say(form, true), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_SIGNATURE);
	snprintf(form, sizeof(form), "%%0%%a%%0%0257d", 1);
	assert_int_equal(say(form, true), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_MALFORMED);
	snprintf(form, sizeof(form), "%%0%0127d%%0%%s", 1);
	assert_int_equal(say(form, true), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_UNKNOWN_KEY);
	snprintf(form, sizeof(form), "%%0%0128d%%0%%s", 1);
	assert_int_equal(say(form, true), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_MALFORMED);
}

static void
test_needs_tls(void **state)
{
	(void)state;
	assert_int_equal(say("%0%a%0%s", false), AUTH_FAILED);
	assert_int_equal(step.failure, AUTH_FAILURE_NEEDS_TLS);
	f.settings.plain_without_tls = true;
	fixture_reload(&f);
	assert_int_equal(say("%0%a%0%s", false), AUTH_DONE);
	principal_unref(step.principal);
}

/* What a client says it is cannot forge a line of a log. */
static void
test_claimed(void **state)
{
	(void)state;
	assert_int_equal(say("%0a\nb\x1b\xc3\xa9 c%0x", true), AUTH_FAILED);
	assert_string_equal(step.claimed, "a?b????c");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_claimed),
		cmocka_unit_test(test_needs_tls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
