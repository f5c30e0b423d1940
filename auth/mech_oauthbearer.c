/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OAUTHBEARER (RFC 7628) as Kafka speaks it (KIP-255), for two kinds of
 * tokens: JWTs, and the presigned URLs of AWS's signers.
 *
 *	client: n,[a=AUTHZID],\x01auth=Bearer TOKEN\x01[KEY=VALUE\x01...]\x01
 *	server: nothing, when it is good; else {"status":"invalid_token"}, in a
 *	        step that succeeds, to which the client says \x01; then the
 *	        login fails
 *
 * What is no such message fails at once. A token that is refused is reported
 * in the step to AUTH_MORE already (failure, error, claimed, unknown_kid),
 * since many clients hang up instead of saying \x01.
 *
 * Extensions (KIP-342) are not signed. logicalCluster must be what the token
 * says is its tenant; nothing depends on the others, so they are ignored, as
 * Kafka does (clients of other services send identityPoolId along).
 */
#include <openssl/crypto.h>

#include <stdlib.h>

#include "auth/auth.h"
#include "auth/jwt.h"
#include "auth/presigned.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

enum {
	EXTENSIONS_MAX = 32,
	KEY_MAX = 64,
	TOKEN_MAX = 16 * 1024,
	SEPARATOR = 0x01,
};

/* What the client's first message says; slices of it. */
struct first {
	struct slice	 authzid;	/* still encoded; empty: none */
	struct slice	 token;
	struct slice	 tenant;	/* logicalCluster; data NULL: none */
};

/* A login whose token was refused and which waits for the client's \x01. */
struct state {
	bool			 refused;
	enum auth_failure	 failure;
	struct error		 error;
	char			 claimed[AUTH_KEY_ID_MAX];
};

/* ---- the message ---- */

static bool
is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_value(uint8_t c)
{
	return (c >= 0x21 && c <= 0x7e) || c == ' ' || c == '\t' ||
	    c == '\r' || c == '\n';
}

/* 1*( ALPHA / DIGIT / "-._~+/" ) *"=" (RFC 6750 section 2.1). */
static bool
is_token(struct slice s)
{
	uint32_t i = 0;

	while (i < s.len && (is_letter(s.data[i]) || (s.data[i] >= '0' &&
	    s.data[i] <= '9') || (s.data[i] != '\0' &&
	    strchr("-._~+/", s.data[i]) != NULL)))
		i++;
	if (i == 0)
		return false;
	while (i < s.len && s.data[i] == '=')
		i++;
	return i == s.len;
}

/* Takes what stands before `end`, and end itself, from the front of *in. */
static bool
take_until(struct slice *in, uint8_t end, struct slice *to)
{
	const uint8_t *p = in->len > 0 ? memchr(in->data, end, in->len) : NULL;

	if (p == NULL)
		return false;
	*to = (struct slice){ in->data, (uint32_t)(p - in->data) };
	in->data = p + 1;
	in->len -= to->len + 1;
	return true;
}

/* n,[a=AUTHZID], : no channel binding (y and p are refused, as in Kafka). */
static bool
read_gs2(struct slice *in, struct first *to)
{
	struct slice flag, authzid;

	if (!take_until(in, ',', &flag) || !slice_is(flag, "n") ||
	    !take_until(in, ',', &authzid))
		return false;
	to->authzid = SLICE_LIT("");
	if (authzid.len == 0)
		return true;
	if (authzid.len < 2 || memcmp(authzid.data, "a=", 2) != 0)
		return false;
	to->authzid = (struct slice){ authzid.data + 2, authzid.len - 2 };
	return true;
}

/* Bearer, in any case; one blank or more; the token. */
static bool
read_bearer(struct slice value, struct slice *token)
{
	static const char scheme[] = "Bearer ";
	uint32_t n = sizeof(scheme) - 1;

	if (value.len <= n ||
	    strncasecmp((const char *)value.data, scheme, n) != 0)
		return false;
	while (n < value.len && value.data[n] == ' ')
		n++;
	*token = (struct slice){ value.data + n, value.len - n };
	return is_token(*token);
}

static bool
is_pair(struct slice key, struct slice value)
{
	if (key.len == 0 || key.len > KEY_MAX || value.len == 0)
		return false;
	for (uint32_t i = 0; i < key.len; i++)
		if (!is_letter(key.data[i]))
			return false;
	for (uint32_t i = 0; i < value.len; i++)
		if (!is_value(value.data[i]))
			return false;
	return true;
}

static bool
is_known(const struct slice *keys, int n, struct slice key)
{
	for (int i = 0; i < n; i++)
		if (slice_eq(keys[i], key))
			return true;
	return false;
}

/* KEY=VALUE\x01 as often as there are, then \x01. */
static bool
read_pairs(struct slice *in, struct first *to)
{
	struct slice keys[EXTENSIONS_MAX + 1], pair, key;
	int n = 0;

	while (take_until(in, SEPARATOR, &pair)) {
		if (pair.len == 0)
			return in->len == 0 && to->token.data != NULL;
		if (!take_until(&pair, '=', &key) || !is_pair(key, pair) ||
		    n > EXTENSIONS_MAX || is_known(keys, n, key))
			return false;
		keys[n++] = key;
		if (slice_is(key, "auth") && !read_bearer(pair, &to->token))
			return false;
		if (slice_is(key, "logicalCluster"))
			to->tenant = pair;
	}
	return false;
}

static bool
read_first(struct slice in, struct first *to)
{
	struct slice empty;

	*to = (struct first){ .token = SLICE_NULL };
	return read_gs2(&in, to) && take_until(&in, SEPARATOR, &empty) &&
	    empty.len == 0 && read_pairs(&in, to);
}

/* saslname (RFC 5801 section 4): =2C is a comma, =3D an equals sign. */
static bool
decode_authzid(struct slice s, char to[PRINCIPAL_NAME_MAX + 1])
{
	char plain[PRINCIPAL_NAME_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];

		if (c == '=') {
			if (s.len - i < 3 || (memcmp(s.data + i, "=2C", 3) != 0
			    && memcmp(s.data + i, "=3D", 3) != 0))
				return false;
			c = s.data[i + 1] == '2' ? ',' : '=';
			i += 2;
		}
		if (n >= sizeof(plain))
			return false;
		plain[n++] = (char)c;
	}
	return principal_name_escape((struct slice){ (uint8_t *)plain, n }, to);
}

/* ---- the verdict ---- */

/* What the client says beside the token, which nobody has signed, must agree
 * with it (CVE-2017-12610 is an authzid that nobody compared). */
static enum auth_result
check_claims(const struct first *f, struct auth_step *to)
{
	const struct principal *p = to->principal;
	char name[PRINCIPAL_NAME_MAX + 1];

	if (f->authzid.len > 0 && (!decode_authzid(f->authzid, name) ||
	    strcmp(name, p->name) != 0))
		return auth_fail(to, AUTH_FAILURE_CLAIM, "the client wants to "
		    "be another (authzid) than the token says");
	if (f->tenant.data != NULL && (p->tenant == NULL ||
	    !slice_is(f->tenant, p->tenant)))
		return auth_fail(to, AUTH_FAILURE_CLAIM, "the extension "
		    "logicalCluster is not what the token says");
	return AUTH_DONE;
}

static enum auth_result
judge(struct auth_login *l, const struct first *f, struct arena *arena,
    struct auth_step *to)
{
	struct auth *a = auth_login_auth(l);
	const struct auth_settings *s = auth_settings(a);
	const struct jwt_judge j = {
		.settings = &s->jwt,
		.keys = auth_jwks(a),
		.peer = auth_login_peer(l),
		.partition = s->cluster.partition,
		.account = s->cluster.account,
		.now_ms = clock_wall_ms(),
	};
	enum auth_result r;

	if (presigned_looks(f->token))
		r = presigned_verify(l, f->token, arena, to);
	else
		r = jwt_judge(&j, f->token, to);
	if (r != AUTH_DONE)
		return AUTH_FAILED;
	if (check_claims(f, to) == AUTH_DONE)
		return AUTH_DONE;
	principal_unref(to->principal);
	to->principal = NULL;
	to->expires_ms = 0;
	return AUTH_FAILED;
}

/* Everybody is told the same, whatever the reason was. */
static enum auth_result
refuse(struct state *s, struct auth_step *to)
{
	s->refused = true;
	s->failure = to->failure;
	s->error = to->error;
	memcpy(s->claimed, to->claimed, sizeof(s->claimed));
	to->out = SLICE_LIT("{\"status\":\"invalid_token\"}");
	return AUTH_MORE;
}

static enum auth_result
after_refusal(const struct state *s, struct auth_step *to)
{
	to->failure = s->failure;
	to->error = s->error;
	memcpy(to->claimed, s->claimed, sizeof(to->claimed));
	return AUTH_FAILED;
}

static void *
oauthbearer_begin(struct auth_login *l)
{
	(void)l;
	return mem_zalloc(sizeof(struct state));
}

static enum auth_result
oauthbearer_step(struct auth_login *l, void *state, struct slice in,
    struct arena *arena, struct auth_step *to)
{
	struct state *s = state;
	struct first f;

	/* The client's \x01, or whatever it says instead of it. */
	if (s->refused)
		return after_refusal(s, to);
	if (!read_first(in, &f))
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "this is no "
		    "first message of OAUTHBEARER");
	if (f.token.len > TOKEN_MAX) {
		auth_fail(to, AUTH_FAILURE_MALFORMED, "the token is longer "
		    "than 16 KiB");
		return refuse(s, to);
	}
	if (judge(l, &f, arena, to) != AUTH_DONE)
		return refuse(s, to);
	to->out = SLICE_LIT("");
	return AUTH_DONE;
}

static void
oauthbearer_end(void *state)
{
	OPENSSL_cleanse(state, sizeof(struct state));
	free(state);
}

const struct auth_mechanism_ops auth_oauthbearer = {
	"OAUTHBEARER", oauthbearer_begin, oauthbearer_step, oauthbearer_end
};
