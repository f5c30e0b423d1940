/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/presigned.h"

#include "auth/base64url.h"
#include "gateway/base/arena.h"

/* "http": nothing else that is a token begins so. */
static const struct slice begins = SLICE_LIT("aHR0c");
static const struct slice scheme = SLICE_LIT("https://");

static bool
starts_with(struct slice s, struct slice with)
{
	return s.len >= with.len && memcmp(s.data, with.data, with.len) == 0;
}

bool
presigned_looks(struct slice token)
{
	return starts_with(token, begins);
}

/* Takes what stands before the first c off *s, and c; all of it without. */
static struct slice
cut(struct slice *s, char c, bool *found)
{
	const uint8_t *at = s->len ? memchr(s->data, c, s->len) : NULL;
	struct slice head = *s;

	*found = at != NULL;
	if (at == NULL) {
		*s = (struct slice){ s->data + s->len, 0 };
		return head;
	}
	head.len = (uint32_t)(at - s->data);
	*s = (struct slice){ at + 1, s->len - head.len - 1 };
	return head;
}

/* https://HOST?... or https://HOST/?... and nothing else: neither a user nor a
 * port nor a path nor a fragment. */
static bool
read_host(struct slice *url, struct slice *host, struct error *err)
{
	bool found;

	if (!starts_with(*url, scheme))
		return error_set(err, "the signed URL is not https");
	url->data += scheme.len;
	url->len -= scheme.len;
	if (memchr(url->data, '#', url->len) != NULL)
		return error_set(err, "the signed URL has a fragment");
	*host = cut(url, '?', &found);
	if (!found)
		return error_set(err, "the signed URL has no query");
	if (host->len > 0 && host->data[host->len - 1] == '/')
		host->len--;
	if (host->len == 0 || memchr(host->data, '/', host->len) != NULL)
		return error_set(err, "the signed URL has no host, or a path");
	if (memchr(host->data, '@', host->len) != NULL)
		return error_set(err, "the signed URL names a user");
	return true;
}

/* One name=value; the signature and what was added after signing go apart. */
static bool
read_parameter(struct slice text, struct arena *a, struct signed_login *to,
    struct error *err)
{
	struct slice name, value;
	struct slice *apart;
	bool found;

	name = cut(&text, '=', &found);
	if (!found || !sigv4_uri_decode(name, a, &name) ||
	    !sigv4_uri_decode(text, a, &value))
		return error_set(err, "a parameter of the signed URL is not "
		    "NAME=VALUE in percent encoding");
	apart = slice_is(name, "X-Amz-Signature") ? &to->signature :
	    slice_is(name, "User-Agent") ? &to->user_agent : NULL;
	if (apart == NULL)
		return sigv4_params_add(&to->params, name, value, err);
	if (apart->data != NULL)
		return error_set(err, "%.*s is there twice", SLICE_FMT(name));
	*apart = value;
	return true;
}

/* With or without the padding that signers leave off. */
static bool
decode(struct slice token, struct arena *a, struct slice *url)
{
	uint8_t *to = arena_get(a, BASE64URL_BYTES(token.len));
	uint32_t pad = 0;
	size_t n;

	while (pad < 2 && pad < token.len &&
	    token.data[token.len - 1 - pad] == '=')
		pad++;
	if (pad > 0 && token.len % 4 != 0)
		return false;
	token.len -= pad;
	if (!base64url_decode(token, to, BASE64URL_BYTES(token.len), &n))
		return false;
	*url = (struct slice){ to, (uint32_t)n };
	return true;
}

bool
presigned_read(struct slice token, struct arena *a, struct signed_login *to,
    struct error *err)
{
	struct slice url;
	bool more = true;

	*to = (struct signed_login){ .service_host = true };
	if (token.len > AUTH_MESSAGE_MAX)
		return error_set(err, "the token has %u bytes; %d are accepted",
		    token.len, AUTH_MESSAGE_MAX);
	if (!decode(token, a, &url))
		return error_set(err, "the token is not base64url");
	if (!read_host(&url, &to->host, err))
		return false;
	/* Each takes a place of sigv4_params or is one of two: it ends. */
	while (more)
		if (!read_parameter(cut(&url, '&', &more), a, to, err))
			return false;
	return true;
}

enum auth_result
presigned_verify(struct auth_login *l, struct slice token, struct arena *a,
    struct auth_step *to)
{
	struct signed_login said;
	struct error err = { "" };

	if (!presigned_read(token, a, &said, &err))
		return auth_fail(to, AUTH_FAILURE_MALFORMED, "%s", err.text);
	return signed_login_verify(l, &said, to);
}
