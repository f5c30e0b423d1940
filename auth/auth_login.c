/* SPDX-License-Identifier: Apache-2.0 */
/* One login: the mechanism's steps, with the bounds that hold for all. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/auth_private.h"
#include "gateway/base/mem.h"

struct auth_login {
	struct auth			*auth;	/* a reference */
	const struct auth_mechanism_ops	*ops;
	const struct auth_peer		*peer;
	struct auth_cache		*cache;
	void				*state;	/* the mechanism's */
	int				 steps;
	bool				 over;
};

static const struct auth_mechanism_ops *const mechanisms[] = {
	[AUTH_AWS_MSK_IAM] = &auth_msk_iam,
	[AUTH_OAUTHBEARER] = &auth_oauthbearer,
	[AUTH_PLAIN] = &auth_plain,
	[AUTH_SCRAM_SHA_256] = &auth_scram_sha_256,
	[AUTH_SCRAM_SHA_512] = &auth_scram_sha_512,
};

struct auth_login *
auth_login_new(struct auth *a, enum auth_mechanism m,
    const struct auth_peer *peer, struct auth_cache *cache)
{
	struct auth_login *l = mem_zalloc(sizeof(*l));

	l->auth = auth_ref(a);
	l->ops = mechanisms[m];
	l->peer = peer;
	l->cache = cache;
	if (l->ops->begin != NULL)
		l->state = l->ops->begin(l);
	return l;
}

void
auth_login_free(struct auth_login *l)
{
	if (l == NULL)
		return;
	if (l->ops->end != NULL)
		l->ops->end(l->state);
	auth_unref(l->auth);
	free(l);
}

struct auth *
auth_login_auth(struct auth_login *l)
{
	return l->auth;
}

const struct auth_peer *
auth_login_peer(const struct auth_login *l)
{
	return l->peer;
}

struct auth_cache *
auth_login_cache(struct auth_login *l)
{
	return l->cache;
}

static enum auth_result
checked_step(struct auth_login *l, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	if (l->over)
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "the login is over, but the client sent more");
	if (in.len > AUTH_MESSAGE_MAX)
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "the message has %u bytes; %d are the most", in.len,
		    AUTH_MESSAGE_MAX);
	if (++l->steps > AUTH_STEPS_MAX)
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "the login takes more than %d messages", AUTH_STEPS_MAX);
	if (in.data == NULL)	/* Kafka has no null here; it is empty */
		in = SLICE_LIT("");
	return l->ops->step(l, l->state, in, arena, to);
}

enum auth_result
auth_login_step(struct auth_login *l, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	enum auth_result r;

	memset(to, 0, sizeof(*to));
	r = checked_step(l, in, arena, to);
	if (r == AUTH_DONE && to->principal->kind == PRINCIPAL_TOKEN &&
	    !auth_complete(l->auth, to->principal, &to->error)) {
		principal_unref(to->principal);
		to->principal = NULL;
		to->expires_ms = 0;
		to->failure = AUTH_FAILURE_GROUPS;
		r = AUTH_FAILED;
	}
	l->over = r != AUTH_MORE;
	return r;
}

enum auth_result
auth_fail(struct auth_step *to, enum auth_failure f, const char *fmt, ...)
{
	va_list ap;

	to->failure = f;
	va_start(ap, fmt);
	vsnprintf(to->error.text, sizeof(to->error.text), fmt, ap);
	va_end(ap);
	return AUTH_FAILED;
}

void
auth_claim(struct auth_step *to, struct slice who)
{
	uint32_t n = who.len < sizeof(to->claimed) - 1 ? who.len :
	    (uint32_t)sizeof(to->claimed) - 1;

	for (uint32_t i = 0; i < n; i++)
		to->claimed[i] = who.data[i] > ' ' && who.data[i] <= '~' ?
		    (char)who.data[i] : '?';
	to->claimed[n] = '\0';
}

static const char *const failure_labels[] = {
#define X(NAME, label, text) label,
#include "auth/failures.def"
#undef X
};

const char *
auth_failure_label(enum auth_failure f)
{
	return failure_labels[f];
}

static const char *const names[] = {
	[AUTH_AWS_MSK_IAM] = "AWS_MSK_IAM",
	[AUTH_OAUTHBEARER] = "OAUTHBEARER",
	[AUTH_PLAIN] = "PLAIN",
	[AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[AUTH_SCRAM_SHA_512] = "SCRAM-SHA-512",
};

const char *
auth_mechanism_name(enum auth_mechanism m)
{
	return names[m];
}

int
auth_mechanism_find(struct slice name)
{
	for (int i = 0; i < AUTH_MECHANISM_COUNT; i++)
		if (slice_is(name, names[i]))
			return i;
	return -1;
}
