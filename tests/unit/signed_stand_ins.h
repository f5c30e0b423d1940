/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A login without a snapshot behind it, for tests, fuzzers and benches of
 * signed logins: it stands in for auth.c and auth_login.c. Whoever includes it
 * (one .c each) says what auth_find_secret finds.
 */
#ifndef WEIR_TESTS_SIGNED_STAND_INS_H
#define WEIR_TESTS_SIGNED_STAND_INS_H

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"

struct auth_login {
	struct auth_cache	*cache;
};

static struct auth_settings settings;

struct auth *
auth_login_auth(struct auth_login *l)
{
	(void)l;
	return NULL;
}

struct auth_cache *
auth_login_cache(struct auth_login *l)
{
	return l->cache;
}

const struct auth_settings *
auth_settings(const struct auth *a)
{
	(void)a;
	return &settings;
}

enum auth_result
auth_fail(struct auth_step *to, enum auth_failure why, const char *fmt, ...)
{
	va_list ap;

	to->failure = why;
	va_start(ap, fmt);
	vsnprintf(to->error.text, sizeof(to->error.text), fmt, ap);
	va_end(ap);
	return AUTH_FAILED;
}

void
auth_secret_fini(struct auth_secret *s)
{
	principal_unref(s->principal);
	memset(s, 0, sizeof(*s));
}

/* Nobody here has a session policy. */
void
policy_unref(struct policy *p)
{
	assert(p == NULL);
}

#endif
