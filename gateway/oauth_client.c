/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/oauth_client.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "auth/strict_json.h"
#include "gateway/base/clock.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/http_client.h"
#include "gateway/net/loop.h"

enum {
	/* Sessions at brokers end with the token, and pools renew them when
	 * 80 % of that is over (routing/upstream.c): the next token must be
	 * there by then, or they go on with what is left of the old one. */
	REFRESH_PERCENT = 70,
};

struct oauth_client {
	struct loop		*loop;
	char			*url, *ca_file;
	char			*authorization;	/* the header; secret */
	char			*form;
	uint32_t		 timeout_ms;
	struct timer		 timer;		/* of the next exchange */
	struct http_call	*call;
	uint32_t		 backoff_ms, attempt;
	pthread_mutex_t		 lock;		/* of what follows */
	char			*token;		/* secret; NULL: none yet */
	int64_t			 ends_us;	/* monotonic */
	struct error		 fault;		/* of the last failure */
};

static void	 on_timer(struct timer *t);

/* ---- what is sent ---- */

/* application/x-www-form-urlencoded; returns the length. */
static size_t
encode(char *to, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *s != '\0'; s++) {
		uint8_t c = (uint8_t)*s;

		if (isalnum(c) || strchr("-._~", c) != NULL) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	to[n] = '\0';
	return n;
}

/* id and secret are encoded before they are joined (RFC 6749 section 2.3.1) */
static char *
basic_of(const char *id, const char *secret)
{
	size_t most = 3 * (strlen(id) + strlen(secret)) + 2, n;
	size_t size = most / 3 * 4 + 16;
	char *plain = mem_alloc(most), *to = mem_alloc(size);

	n = encode(plain, id);
	plain[n++] = ':';
	n += encode(plain + n, secret);
	memcpy(to, "Basic ", 6);
	EVP_EncodeBlock((uint8_t *)to + 6, (uint8_t *)plain, (int)n);
	OPENSSL_cleanse(plain, most);
	free(plain);
	return to;
}

static size_t
add_field(char *to, const char *name, const char *value)
{
	size_t n;

	if (value == NULL)
		return 0;
	n = strlen(name) + 2;
	memcpy(to, "&", 1);
	memcpy(to + 1, name, n - 2);
	to[n - 1] = '=';
	return n + encode(to + n, value);
}

static char *
form_of(const char *scope, const char *audience)
{
	static const char grant[] = "grant_type=client_credentials";
	size_t size = sizeof(grant) + 32 +
	    3 * ((scope ? strlen(scope) : 0) + (audience ? strlen(audience) :
	    0));
	char *form = mem_alloc(size);
	size_t n = sizeof(grant) - 1;

	memcpy(form, grant, sizeof(grant));
	n += add_field(form + n, "scope", scope);
	add_field(form + n, "audience", audience);
	return form;
}

/* ---- what comes ---- */

static bool
is_token(struct slice s)
{
	if (s.len == 0 || s.len > OAUTH_TOKEN_MAX)
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if (!isalnum(s.data[i]) && (s.data[i] == '\0' ||
		    strchr("-._~+/=", s.data[i]) == NULL))
			return false;
	return true;
}

static void
drop_token(struct oauth_client *c)
{
	if (c->token != NULL)
		OPENSSL_cleanse(c->token, strlen(c->token));
	free(c->token);
	c->token = NULL;
}

static void
keep(struct oauth_client *c, struct slice token, int64_t life_s)
{
	int64_t now = clock_now_us();

	pthread_mutex_lock(&c->lock);
	drop_token(c);
	c->token = mem_strndup(token.data, token.len);
	c->ends_us = now + life_s * 1000000;
	pthread_mutex_unlock(&c->lock);
	c->backoff_ms = 0;
	log_info("access token for brokers fetched", "life_s=%lld",
	    (long long)life_s);
	timer_set(&c->timer, c->loop, now +
	    life_s * (1000000 / 100 * REFRESH_PERCENT), on_timer);
}

static void
failed(struct oauth_client *c, const char *why)
{
	struct log_quoted url, text;

	c->attempt++;
	c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 :
	    OAUTH_BACKOFF_MIN_MS;
	if (c->backoff_ms > OAUTH_BACKOFF_MAX_MS)
		c->backoff_ms = OAUTH_BACKOFF_MAX_MS;
	pthread_mutex_lock(&c->lock);
	error_set(&c->fault, "%s", why);
	pthread_mutex_unlock(&c->lock);
	log_warn("access token for brokers cannot be fetched",
	    "url=%s error=%s again_ms=%u", log_quote(slice_of(c->url), &url),
	    log_quote(slice_of(why), &text), c->backoff_ms);
	timer_set(&c->timer, c->loop, clock_now_us() +
	    c->backoff_ms * 1000LL, on_timer);
}

/* What the server says of a refusal, as RFC 6749 section 5.2 has it. */
static void
refused(struct oauth_client *c, const struct http_answer *a)
{
	struct error err, why;
	json_t *v = strict_json_object(a->body, 4, &err);
	struct slice code = strict_json_text(v, "error");

	error_set(&why, "the server says %d: %.*s", a->status,
	    code.len > 100 ? 100 : (int)code.len,
	    code.len > 0 ? (const char *)code.data : "");
	json_decref(v);
	failed(c, why.text);
}

/* 0: no life that a token has. */
static int64_t
life_of(const json_t *v)
{
	const json_t *life = json_object_get(v, "expires_in");

	if (life == NULL)
		return OAUTH_LIFE_DEFAULT_S;
	if (!json_is_integer(life) || json_integer_value(life) < 1)
		return 0;
	return json_integer_value(life) > OAUTH_LIFE_MAX_S ?
	    OAUTH_LIFE_MAX_S : json_integer_value(life);
}

static void
take(struct oauth_client *c, const json_t *v)
{
	struct slice token = strict_json_text(v, "access_token");
	struct slice type = strict_json_text(v, "token_type");
	int64_t life = life_of(v);

	if (!is_token(token))
		failed(c, "the answer has no access_token that can be sent");
	else if (type.len != 6 || strcasecmp((const char *)type.data,
	    "Bearer") != 0)
		failed(c, "the answer's token_type is not Bearer");
	else if (life == 0)
		failed(c, "the answer's expires_in is no number of seconds");
	else
		keep(c, token, life);
}

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct oauth_client *c = arg;
	struct error err;
	json_t *v;

	c->call = NULL;
	if (a->status == 0) {
		failed(c, a->fault);
		return;
	}
	if (a->status != 200) {
		refused(c, a);
		return;
	}
	v = strict_json_object(a->body, 8, &err);
	if (v == NULL) {
		error_prefix(&err, "the answer");
		failed(c, err.text);
		return;
	}
	take(c, v);
	json_decref(v);
}

static void
on_timer(struct timer *t)
{
	struct oauth_client *c = LIST_ENTRY(t, struct oauth_client, timer);
	const struct http_options o = {
		.url = c->url, .ca_file = c->ca_file, .attempt = c->attempt,
		.authorization = c->authorization, .form = c->form,
		.timeout_ms = c->timeout_ms, .body_max = OAUTH_ANSWER_MAX,
	};

	c->call = http_call_start(c->loop, &o, on_answer, c);
}

/* ---- the client ---- */

struct oauth_client *
oauth_client_new(struct loop *control, const struct oauth_client_options *o)
{
	struct oauth_client *c = mem_zalloc(sizeof(*c));

	c->loop = control;
	c->url = mem_strdup(o->url);
	c->ca_file = o->ca_file != NULL ? mem_strdup(o->ca_file) : NULL;
	c->authorization = basic_of(o->client_id, o->client_secret);
	c->form = form_of(o->scope, o->audience);
	c->timeout_ms = o->timeout_ms;
	error_set(&c->fault, "the server was not asked yet");
	pthread_mutex_init(&c->lock, NULL);
	timer_set(&c->timer, control, clock_now_us(), on_timer);
	return c;
}

void
oauth_client_free(struct oauth_client *c)
{
	if (c == NULL)
		return;
	http_call_cancel(c->call);
	timer_cancel(&c->timer);
	drop_token(c);
	pthread_mutex_destroy(&c->lock);
	OPENSSL_cleanse(c->authorization, strlen(c->authorization));
	free(c->authorization);
	free(c->form);
	free(c->ca_file);
	free(c->url);
	free(c);
}

bool
oauth_client_token(struct oauth_client *c, struct arena *a, struct slice *to,
    struct error *err)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = c->token != NULL && clock_now_us() < c->ends_us;
	if (ok)
		*to = arena_slice(a, slice_of(c->token));
	else
		error_set(err, "there is no access token%s: %.400s",
		    c->token != NULL ? " that still holds" : "",
		    c->fault.text);
	pthread_mutex_unlock(&c->lock);
	return ok;
}
