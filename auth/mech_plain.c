/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

static enum auth_result
step(struct auth_login *l, void *state, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	(void)l;
	(void)state;
	(void)in;
	(void)arena;
	return auth_fail(to, AUTH_FAILURE_MECHANISM, "PLAIN is not there yet");
}

const struct auth_mechanism_ops auth_plain = { "PLAIN", NULL, step, NULL };
