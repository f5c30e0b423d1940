/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/jwks_fetch.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "auth/jwks.h"
#include "gateway/base/clock.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/http_client.h"
#include "gateway/net/loop.h"

struct jwks_fetch {
	struct loop		*loop;
	char			*url, *ca_file;
	uint32_t		 refresh_ms, timeout_ms;
	struct timer		 timer;		/* of the next exchange */
	struct http_call	*call;		/* or the one that is on */
	int64_t			 begun_us;	/* the last one */
	uint32_t		 backoff_ms;	/* 0: the last one was good */
	uint32_t		 attempt;
	bool			 wished;	/* while one was on */
	uint8_t			 digest[32];	/* of what came last */
	struct jwks_fetch_stats	 stats;
	void			(*got)(void *arg, struct jwks *j);
	void			*arg;
};

static void	 on_timer(struct timer *t);

static void
fetch_at(struct jwks_fetch *f, int64_t at_us)
{
	timer_set(&f->timer, f->loop, at_us, on_timer);
}

static int64_t
after_pause(const struct jwks_fetch *f)
{
	int64_t at = f->begun_us + JWKS_FETCH_PAUSE_MS * 1000LL;
	int64_t now = clock_now_us();

	return at > now ? at : now;
}

static void
failed(struct jwks_fetch *f, const char *why)
{
	struct log_quoted url, text;

	f->stats.failed++;
	f->attempt++;
	f->backoff_ms = f->backoff_ms == 0 ? JWKS_FETCH_BACKOFF_MIN_MS :
	    f->backoff_ms * 2;
	if (f->backoff_ms > JWKS_FETCH_BACKOFF_MAX_MS)
		f->backoff_ms = JWKS_FETCH_BACKOFF_MAX_MS;
	log_warn("JWT keys cannot be fetched", "url=%s error=%s again_ms=%u",
	    log_quote(slice_of(f->url), &url),
	    log_quote(slice_of(why), &text), f->backoff_ms);
	fetch_at(f, clock_now_us() + f->backoff_ms * 1000LL);
}

/* Whether it is other than what came before. */
static bool
is_new(struct jwks_fetch *f, struct slice text)
{
	uint8_t digest[32];

	if (EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(),
	    NULL) != 1)
		return true;
	if (f->stats.changed > 0 &&
	    memcmp(digest, f->digest, sizeof(digest)) == 0)
		return false;
	memcpy(f->digest, digest, sizeof(digest));
	return true;
}

static void
take(struct jwks_fetch *f, struct jwks *j, struct slice text)
{
	struct log_quoted url, quoted;
	const char *why;
	uint32_t out = jwks_left_out(j, &why);

	f->backoff_ms = 0;
	fetch_at(f, f->wished ? after_pause(f) :
	    clock_now_us() + f->refresh_ms * 1000LL);
	if (!is_new(f, text))
		return;
	f->stats.changed++;
	log_info("JWT keys fetched", "url=%s keys=%u left_out=%u why=%s",
	    log_quote(slice_of(f->url), &url), jwks_count(j), out,
	    log_quote(slice_of(why), &quoted));
	f->got(f->arg, j);
}

static void
on_answer(void *arg, const struct http_answer *a)
{
	struct jwks_fetch *f = arg;
	struct error err;
	struct jwks *j;

	f->call = NULL;
	if (a->status == 0) {
		failed(f, a->fault);
		return;
	}
	if (a->status != 200) {
		error_set(&err, "the server says %d instead of 200", a->status);
		failed(f, err.text);
		return;
	}
	j = jwks_parse(a->body, &err);
	if (j == NULL)
		failed(f, err.text);
	else
		take(f, j, a->body);
	jwks_unref(j);
}

static void
on_timer(struct timer *t)
{
	struct jwks_fetch *f = LIST_ENTRY(t, struct jwks_fetch, timer);
	const struct http_options o = {
		.url = f->url, .ca_file = f->ca_file, .attempt = f->attempt,
		.timeout_ms = f->timeout_ms, .body_max = JWKS_SIZE_MAX,
	};

	f->wished = false;
	f->begun_us = clock_now_us();
	f->stats.exchanges++;
	f->call = http_call_start(f->loop, &o, on_answer, f);
}

struct jwks_fetch *
jwks_fetch_new(struct loop *control, const struct jwks_fetch_options *o,
    void (*got)(void *arg, struct jwks *j), void *arg)
{
	struct jwks_fetch *f = mem_zalloc(sizeof(*f));

	f->loop = control;
	f->url = mem_strdup(o->url);
	f->ca_file = o->ca_file != NULL ? mem_strdup(o->ca_file) : NULL;
	f->refresh_ms = o->refresh_ms ? o->refresh_ms : JWKS_FETCH_REFRESH_MS;
	f->timeout_ms = o->timeout_ms;
	f->got = got;
	f->arg = arg;
	fetch_at(f, clock_now_us());
	return f;
}

void
jwks_fetch_wish(struct jwks_fetch *f)
{
	/* What is on may have asked before the key was there. */
	if (f->call != NULL)
		f->wished = true;
	else if (f->backoff_ms == 0 && f->timer.at_us > after_pause(f))
		fetch_at(f, after_pause(f));
}

void
jwks_fetch_get_stats(const struct jwks_fetch *f, struct jwks_fetch_stats *to)
{
	*to = f->stats;
}

void
jwks_fetch_free(struct jwks_fetch *f)
{
	if (f == NULL)
		return;
	http_call_cancel(f->call);
	timer_cancel(&f->timer);
	free(f->url);
	free(f->ca_file);
	free(f);
}
