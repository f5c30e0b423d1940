/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sigv4_client.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/base64url.h"
#include "auth/mech_msk_iam.h"
#include "auth/sigv4.h"

enum { ANSWER_MAX = 64 * 1024, EXPIRES_MAX_S = 900 };

/* What is signed, the signature, and the host it was signed for. */
struct made {
	struct sigv4_params	 params;
	struct slice		 host, query;
	char			 time[SIGV4_TIME + 1];
	char			 signature[SIGV4_HEX + 1];
};

static bool
is_there(const char *what, const char *s, size_t max, struct error *err)
{
	if (s == NULL || s[0] == '\0')
		return error_set(err, "signing needs %s", what);
	if (strlen(s) > max)
		return error_set(err, "%s is longer than %zu bytes", what, max);
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == '/')
			return error_set(err, "%s has a byte that cannot be "
			    "signed", what);
	return true;
}

static bool
is_complete(const struct sigv4_client *who, struct error *err)
{
	if (!is_there("an access key id", who->key_id, AUTH_KEY_ID_MAX, err) ||
	    !is_there("a region", who->region, SIGV4_NAME_MAX, err) ||
	    !is_there("a host", who->host ? who->host : "default",
	    SIGV4_VALUE_MAX, err))
		return false;
	if (who->secret == NULL || who->secret[0] == '\0' ||
	    strlen(who->secret) > AUTH_SECRET_MAX)
		return error_set(err, "signing needs a secret of 1 to %d bytes",
		    AUTH_SECRET_MAX);
	if (who->expires_s == 0 || who->expires_s > EXPIRES_MAX_S)
		return error_set(err, "a signature lasts 1 to %d s",
		    EXPIRES_MAX_S);
	return true;
}

static bool
add_all(const struct sigv4_client *who, struct made *m, struct arena *a,
    struct error *err)
{
	struct {
		const char	*name;
		struct slice	 value;
	} rows[] = {
		{ "Action", SLICE_LIT(SIGV4_ACTION) },
		{ "X-Amz-Algorithm", SLICE_LIT(SIGV4_ALGORITHM) },
		{ "X-Amz-Credential", arena_printf(a, "%s/%.8s/%s/"
		    SIGV4_SERVICE "/" SIGV4_TERMINATOR, who->key_id, m->time,
		    who->region) },
		{ "X-Amz-Date", slice_of(m->time) },
		{ "X-Amz-Expires", arena_printf(a, "%u", who->expires_s) },
		{ "X-Amz-Security-Token", slice_of(who->token) },
		{ "X-Amz-SignedHeaders", SLICE_LIT("host") },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value.data != NULL &&
		    !sigv4_params_add(&m->params, slice_of(rows[i].name),
		    rows[i].value, err))
			return false;
	return true;
}

/* m points into itself: it stays where it is. */
static bool
make(struct auth_cache *c, const struct sigv4_client *who, int64_t now_ms,
    struct arena *a, struct made *m, struct error *err)
{
	struct sigv4_request r;

	memset(m, 0, sizeof(*m));
	if (!is_complete(who, err))
		return false;
	sigv4_time_write(now_ms, m->time);
	m->host = slice_of(who->host);
	if (m->host.data == NULL)
		m->host = arena_printf(a, "kafka.%s.amazonaws.com",
		    who->region);
	if (!add_all(who, m, a, err))
		return false;
	m->query = sigv4_query(&m->params, a);
	r = (struct sigv4_request){
		.key_id = slice_of(who->key_id),
		.time = slice_of(m->time),
		.region = slice_of(who->region),
		.canonical = sigv4_canonical(m->host, m->query, a),
	};
	sigv4_sign(c, &r, slice_of(who->secret), m->signature);
	return true;
}

static void
put(json_t *o, const char *name, struct slice value)
{
	/* NULL when it is no UTF-8: seen when it is written. */
	json_object_set_new(o, name, json_stringn((const char *)value.data,
	    value.len));
}

/* Parameters go under their names in lower case. */
static void
put_parameter(json_t *o, const struct sigv4_param *p)
{
	char name[SIGV4_NAME_MAX + 1] = "";

	for (uint32_t i = 0; i < p->name.len; i++)
		name[i] = (char)(p->name.data[i] >= 'A' &&
		    p->name.data[i] <= 'Z' ? p->name.data[i] + 32 :
		    p->name.data[i]);
	put(o, name, p->value);
}

bool
sigv4_client_message(struct auth_cache *c, const struct sigv4_client *who,
    int64_t now_ms, struct arena *a, struct slice *to, struct error *err)
{
	struct made m;
	json_t *o;
	char *text;

	if (!make(c, who, now_ms, a, &m, err))
		return false;
	o = json_object();
	put(o, "version", SLICE_LIT(MSK_IAM_VERSION));
	put(o, "host", m.host);
	put(o, "user-agent", slice_of(who->user_agent ? who->user_agent :
	    "weir"));
	for (uint32_t i = 0; i < m.params.n; i++)
		put_parameter(o, &m.params.v[i]);
	put(o, "x-amz-signature", slice_of(m.signature));
	text = json_object_size(o) == m.params.n + 4 ?
	    json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text == NULL)
		return error_set(err, "the session token, the host or the user "
		    "agent is not UTF-8");
	*to = arena_slice(a, slice_of(text));
	free(text);
	return true;
}

bool
sigv4_client_accepted(struct slice answer, struct error *err)
{
	json_t *o = NULL;
	const char *version = NULL;
	bool ok;

	if (answer.len > 0 && answer.len <= ANSWER_MAX)
		o = json_loadb((const char *)answer.data, answer.len,
		    JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(o))
		version = json_string_value(json_object_get(o, "version"));
	ok = version != NULL && strcmp(version, MSK_IAM_VERSION) == 0;
	json_decref(o);
	return ok || error_set(err, "the broker's answer to AWS_MSK_IAM is not "
	    "JSON of version " MSK_IAM_VERSION);
}

bool
sigv4_client_token(struct auth_cache *c, const struct sigv4_client *who,
    int64_t now_ms, struct arena *a, struct slice *to, struct error *err)
{
	struct made m;
	struct slice agent, url;
	char *text;

	if (!make(c, who, now_ms, a, &m, err))
		return false;
	/* Behind the signature, as AWS's signers have it: not signed. */
	agent = sigv4_uri_encode(slice_of(who->user_agent ? who->user_agent :
	    "weir"), a);
	url = arena_printf(a, "https://%.*s/?%.*s&X-Amz-Signature=%s&"
	    "User-Agent=%.*s", SLICE_FMT(m.host), SLICE_FMT(m.query),
	    m.signature, SLICE_FMT(agent));
	text = arena_get(a, BASE64URL_TEXT(url.len) + 1);
	*to = (struct slice){ (uint8_t *)text,
	    (uint32_t)base64url_encode(url.data, url.len, text) };
	return true;
}
