/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/signed_login.h"

#include <stdio.h>
#include <strings.h>

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"

enum { SHOWN_MAX = 80, SCRATCH = 4096, ID_DIGITS_MAX = 10 };

/* What a client wrote, for a sentence: quoted, not too long. */
static const char *
shown(struct slice s, struct log_quoted *q)
{
	if (s.len > SHOWN_MAX)
		s.len = SHOWN_MAX;
	return log_quote(s, q);
}

/* Printable ASCII for logs and audit, cut to what fits. */
static void
copy_text(char *to, size_t size, struct slice s)
{
	size_t n = s.len < size ? s.len : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = s.data[i] >= ' ' && s.data[i] <= '~' ?
		    (char)s.data[i] : '?';
	to[n] = '\0';
}

/* ---- without a secret ---- */

static bool
is_listed(const struct auth_names *names, struct slice s)
{
	for (uint32_t i = 0; i < names->n; i++)
		if (slice_is(s, names->v[i]))
			return true;
	return false;
}

static bool
same_text(struct slice s, const char *text, size_t len)
{
	return s.len == len &&
	    strncasecmp(text, (const char *)s.data, len) == 0;
}

/* "{id}" in a name of ours stands for any virtual broker's id. */
static bool
same_host(struct slice host, const char *name)
{
	const char *id = strstr(name, "{id}");
	uint32_t head, digits = 0;

	if (id == NULL)
		return same_text(host, name, strlen(name));
	head = (uint32_t)(id - name);
	if (host.len < head)
		return false;
	while (digits < ID_DIGITS_MAX && head + digits < host.len &&
	    host.data[head + digits] >= '0' && host.data[head + digits] <= '9')
		digits++;
	return digits > 0 &&
	    same_text((struct slice){ host.data, head }, name, head) &&
	    same_text((struct slice){ host.data + head + digits,
	    host.len - head - digits }, id + 4, strlen(id + 4));
}

/* Every parameter that both forms need, and what the constant ones say. */
static enum auth_result
check_constants(const struct signed_login *in, struct auth_step *to)
{
	static const struct {
		const char		*name, *want;	/* NULL: any */
		enum auth_failure	 failure;
	} rows[] = {
		{ "X-Amz-Algorithm", SIGV4_ALGORITHM, AUTH_FAILURE_ALGORITHM },
		{ "Action", SIGV4_ACTION, AUTH_FAILURE_SCOPE },
		{ "X-Amz-SignedHeaders", "host", AUTH_FAILURE_MALFORMED },
		{ "X-Amz-Credential", NULL, AUTH_FAILURE_MALFORMED },
		{ "X-Amz-Date", NULL, AUTH_FAILURE_MALFORMED },
		{ "X-Amz-Expires", NULL, AUTH_FAILURE_MALFORMED },
	};
	struct log_quoted q;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice value = sigv4_params_get(&in->params,
		    rows[i].name);

		if (value.data == NULL)
			return auth_fail(to, AUTH_FAILURE_MALFORMED,
			    "the signed login has no %s", rows[i].name);
		if (rows[i].want != NULL && !slice_is(value, rows[i].want))
			return auth_fail(to, rows[i].failure,
			    "%s is %s; it must be %s", rows[i].name,
			    shown(value, &q), rows[i].want);
	}
	if (!sigv4_is_signature(in->signature))
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "the signature is not 64 lower-case hexadecimal digits");
	return AUTH_MORE;
}

static bool
is_key_id(struct slice s)
{
	if (s.len == 0 || s.len > AUTH_KEY_ID_MAX)
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] > '~')
			return false;
	return true;
}

static enum auth_result
check_scope(const struct auth_settings *s, const struct signed_login *in,
    struct sigv4_scope *scope, struct auth_step *to)
{
	struct slice credential = sigv4_params_get(&in->params,
	    "X-Amz-Credential");
	struct slice time = sigv4_params_get(&in->params, "X-Amz-Date");
	struct log_quoted q;

	if (!sigv4_scope_read(credential, scope) || !is_key_id(scope->key_id))
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "X-Amz-Credential is not KEY/DAY/REGION/" SIGV4_SERVICE
		    "/" SIGV4_TERMINATOR);
	copy_text(to->claimed, sizeof(to->claimed), scope->key_id);
	if (!slice_is(scope->terminator, SIGV4_TERMINATOR))
		return auth_fail(to, AUTH_FAILURE_SCOPE,
		    "the credential's scope ends with %s, not with "
		    SIGV4_TERMINATOR, shown(scope->terminator, &q));
	if (!slice_is(scope->service, SIGV4_SERVICE))
		return auth_fail(to, AUTH_FAILURE_SCOPE,
		    "it was signed for the service %s, not for " SIGV4_SERVICE,
		    shown(scope->service, &q));
	if (!is_listed(&s->regions, scope->region))
		return auth_fail(to, AUTH_FAILURE_SCOPE,
		    "it was signed for the region %s, which is none of this "
		    "gateway's; tell the client its region, or add it to "
		    "auth.regions", shown(scope->region, &q));
	if (scope->day.len != SIGV4_DAY || time.len < SIGV4_DAY ||
	    memcmp(scope->day.data, time.data, SIGV4_DAY) != 0)
		return auth_fail(to, AUTH_FAILURE_SCOPE,
		    "the credential's scope is of the day %s, X-Amz-Date of "
		    "another", shown(scope->day, &q));
	return AUTH_MORE;
}

/* AWS's window of a presigned request: from its date, with some skew, to its
 * date and X-Amz-Expires. Nothing is added at the end: how long it is good for
 * is the signer's word, and what was overheard stays good as long. */
static enum auth_result
check_time(const struct auth_settings *s, const struct signed_login *in,
    int64_t now_ms, struct auth_step *to)
{
	struct slice time = sigv4_params_get(&in->params, "X-Amz-Date");
	struct slice expires = sigv4_params_get(&in->params, "X-Amz-Expires");
	int64_t from, lasts;
	struct log_quoted q;

	if (!sigv4_time_read(time, &from))
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "X-Amz-Date is %s, no time like 20260102T030405Z",
		    shown(time, &q));
	if (!sigv4_expires_read(expires, &lasts))
		return auth_fail(to, AUTH_FAILURE_MALFORMED,
		    "X-Amz-Expires is %s, no number of seconds",
		    shown(expires, &q));
	/* AWS's signer for JavaScript gives it the rest of the credentials'
	 * life, which may be over. */
	if (lasts <= 0)
		return auth_fail(to, AUTH_FAILURE_EXPIRED,
		    "X-Amz-Expires is %s: the credentials had ended when the "
		    "client signed with them", shown(expires, &q));
	if (lasts > (int64_t)s->expires_max_s * 1000)
		return auth_fail(to, AUTH_FAILURE_CLAIM,
		    "X-Amz-Expires is %s; at most %u seconds are accepted",
		    shown(expires, &q), s->expires_max_s);
	if (now_ms < from - (int64_t)s->skew_s * 1000)
		return auth_fail(to, AUTH_FAILURE_NOT_YET,
		    "it was signed %lld s in the future; compare the clocks of "
		    "client and gateway", (long long)((from - now_ms) / 1000));
	if (now_ms > from + lasts)
		return auth_fail(to, AUTH_FAILURE_EXPIRED,
		    "the signature expired %lld s ago; is the client's clock "
		    "slow?", (long long)((now_ms - from - lasts) / 1000));
	return AUTH_MORE;
}

/* The signed host is what keeps a login from being replayed elsewhere. Of the
 * presigned form AWS's signers sign the service's name in the region, which
 * any cluster there accepts: there it is only the region that is bound. */
static enum auth_result
check_host(const struct auth_settings *s, const struct signed_login *in,
    struct slice region, struct auth_step *to)
{
	static const char *const services[] = { "kafka", "kafka-serverless" };
	char name[512];
	struct log_quoted q;

	for (size_t i = 0; i < 2 && in->service_host; i++) {
		snprintf(name, sizeof(name), "%s.%.*s.amazonaws.com",
		    services[i], SLICE_FMT(region));
		if (same_host(in->host, name))
			return AUTH_MORE;
	}
	for (uint32_t i = 0; i < s->hosts.n; i++)
		if (same_host(in->host, s->hosts.v[i]))
			return AUTH_MORE;
	return auth_fail(to, AUTH_FAILURE_HOST, "it was signed for the host "
	    "%s, which is none of this gateway's names; if clients may call it "
	    "so, add it to auth.hosts", shown(in->host, &q));
}

enum auth_result
signed_login_check(const struct auth_settings *s,
    const struct signed_login *in, int64_t now_ms, struct signed_facts *facts,
    struct auth_step *to)
{
	if (check_constants(in, to) == AUTH_FAILED ||
	    check_scope(s, in, &facts->scope, to) == AUTH_FAILED ||
	    check_time(s, in, now_ms, to) == AUTH_FAILED ||
	    check_host(s, in, facts->scope.region, to) == AUTH_FAILED)
		return AUTH_FAILED;
	facts->time = sigv4_params_get(&in->params, "X-Amz-Date");
	facts->token = sigv4_params_get(&in->params, "X-Amz-Security-Token");
	return AUTH_MORE;
}

/* ---- with the secret ---- */

/* The canonical request is made in the stack's memory unless the token is
 * long; its size is bounded by what signed_login's parameters are. */
static bool
is_signed(struct auth_login *l, const struct signed_login *in,
    const struct signed_facts *facts, const struct auth_secret *secret)
{
	_Alignas(8) char scratch[SCRATCH];
	struct arena a;
	struct sigv4_request r = {
		.key_id = facts->scope.key_id,
		.time = facts->time,
		.region = facts->scope.region,
	};
	bool ok;

	arena_init_in(&a, 0, scratch, sizeof(scratch));
	r.canonical = sigv4_canonical(in->host, sigv4_query(&in->params, &a),
	    &a);
	ok = sigv4_verify(auth_login_cache(l), &r,
	    (struct slice){ (const uint8_t *)secret->secret, secret->len },
	    secret->principal != NULL, in->signature);
	arena_fini(&a);
	return ok;
}

/* How long the session may last. A signature's own expiry bounds only the
 * login: AWS's brokers keep a connection whose login's 15 minutes are over and
 * end it with the credentials, which is why clients are not asked to sign again
 * each quarter of an hour (aws-msk-iam-auth signs anew for each connection and
 * each re-authentication). So the end is the credentials', never for a lasting
 * key; the gateway's own session_max_ms is put on top by the session. */
static enum auth_result
admit(const struct signed_login *in, const struct auth_secret *secret,
    int64_t now_ms, struct auth_step *to)
{
	int64_t expires = secret->principal->expires_ms;

	if (expires != 0 && expires - now_ms < SIGNED_LOGIN_MIN_MS)
		return auth_fail(to, AUTH_FAILURE_EXPIRED,
		    "session too short: the temporary credentials end in "
		    "%lld s, and at least %d s must be left; the client must "
		    "get new ones sooner",
		    (long long)((expires - now_ms) / 1000),
		    SIGNED_LOGIN_MIN_MS / 1000);
	to->principal = principal_ref(secret->principal);
	to->expires_ms = expires;
	copy_text(to->user_agent, sizeof(to->user_agent), in->user_agent);
	return AUTH_DONE;
}

enum auth_result
signed_login_verify(struct auth_login *l, const struct signed_login *in,
    struct auth_step *to)
{
	struct auth *auth = auth_login_auth(l);
	int64_t now_ms = clock_wall_ms();
	struct signed_facts facts;
	struct auth_secret secret = { .len = 0 };
	enum auth_result result;

	if (signed_login_check(auth_settings(auth), in, now_ms, &facts,
	    to) == AUTH_FAILED)
		return AUTH_FAILED;
	auth_find_secret(auth, facts.scope.key_id, facts.token, now_ms,
	    &secret);
	/* Signed first: an unknown key must cost what a wrong secret costs. */
	if (is_signed(l, in, &facts, &secret))
		result = admit(in, &secret, now_ms, to);
	else if (secret.principal == NULL)
		result = auth_fail(to, secret.failure, "%s",
		    secret.error.text);
	else
		result = auth_fail(to, AUTH_FAILURE_SIGNATURE,
		    "the signature does not fit the key's secret%s",
		    facts.token.data == NULL ? "" : " and session token");
	auth_secret_fini(&secret);
	return result;
}
