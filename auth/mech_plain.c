/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PLAIN (RFC 4616): authzid NUL authcid NUL passwd, which are an access key's
 * id and secret. Whoever reads the connection has the secret, so it is only
 * for TLS unless plain_without_tls says otherwise.
 */
#include <openssl/crypto.h>

#include "auth/auth.h"
#include "auth/auth_private.h"
#include "gateway/base/clock.h"

struct message {
	struct slice	 authzid, authcid, passwd;
};

/* Up to the next NUL, which is taken too; false: there is none. */
static bool
take(struct slice *in, struct slice *to)
{
	const uint8_t *nul = memchr(in->data, '\0', in->len);

	if (nul == NULL)
		return false;
	*to = (struct slice){ in->data, (uint32_t)(nul - in->data) };
	in->data = nul + 1;
	in->len -= to->len + 1;
	return true;
}

static bool
read_message(struct slice in, struct message *m)
{
	if (!take(&in, &m->authzid) || !take(&in, &m->authcid))
		return false;
	m->passwd = in;
	return m->authcid.len > 0 && m->authcid.len < AUTH_KEY_ID_MAX &&
	    m->passwd.len > 0 && m->passwd.len <= AUTH_SECRET_MAX &&
	    memchr(in.data, '\0', in.len) == NULL;
}

/* In a time that does not depend on what they hold. */
static bool
same_secret(const struct auth_secret *s, struct slice passwd)
{
	char given[AUTH_SECRET_MAX + 1] = { 0 };
	bool same;

	memcpy(given, passwd.data, passwd.len);
	same = (CRYPTO_memcmp(given, s->secret, sizeof(given)) == 0) &
	    (passwd.len == s->len);
	OPENSSL_cleanse(given, sizeof(given));
	return same;
}

static enum auth_result
check(struct auth *a, const struct message *m, struct auth_step *to)
{
	struct auth_secret s;
	enum auth_result r = AUTH_DONE;
	bool same;

	auth_find_secret(a, m->authcid, SLICE_NULL, clock_wall_ms(), &s);
	same = same_secret(&s, m->passwd);
	if (s.principal == NULL)
		r = auth_fail(to, s.failure, "%s", s.error.text);
	else if (!same)
		r = auth_fail(to, AUTH_FAILURE_SIGNATURE,
		    "the secret of this key is another");
	else
		to->principal = principal_ref(s.principal);
	auth_secret_fini(&s);
	return r;
}

static enum auth_result
step(struct auth_login *l, void *state, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	struct auth *a = auth_login_auth(l);
	struct message m;

	(void)state;
	(void)arena;
	if (!auth_login_peer(l)->tls && !auth_settings(a)->plain_without_tls)
		return auth_fail(to, AUTH_FAILURE_NEEDS_TLS, "PLAIN sends the "
		    "secret as it is: connect with TLS");
	if (!read_message(in, &m))
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "the message is "
		    "not an id and a password as RFC 4616 has them");
	auth_claim(to, m.authcid);
	/* CVE-2017-12610: nobody logs in as another. */
	if (m.authzid.len > 0 && !slice_eq(m.authzid, m.authcid))
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "the client asks "
		    "to be somebody else than its key's user");
	to->out = SLICE_LIT("");
	return check(a, &m, to);
}

const struct auth_mechanism_ops auth_plain = { "PLAIN", NULL, step, NULL };
