/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in at a broker: SaslHandshake, then SaslAuthenticate as often as the
 * mechanism needs. Another mechanism is another row of `mechanisms`.
 */
#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop.h"
#include "gateway/wire/errors.h"
#include "gateway/wire/frame.h"
#include "routing/pool_private.h"
#include "routing/scram.h"
#include "wire/messages.h"

enum {
	HANDSHAKE_VERSION = 1, AUTHENTICATE_VERSION = 2, PLAIN_MAX = 4096,
	/* An upstream is retired when this part of its lifetime is over. */
	RETIRE_PERCENT = 80,
};

struct login {
	struct upstream	*u;
	struct scram	*scram;
	int		 step;		/* answers so far */
	int32_t		 id;
};

static const char *
mechanism_name(enum upstream_mechanism m)
{
	switch (m) {
	case UPSTREAM_PLAIN: return "PLAIN";
	case UPSTREAM_SCRAM_SHA_256: return "SCRAM-SHA-256";
	case UPSTREAM_SCRAM_SHA_512: return "SCRAM-SHA-512";
	default: return "";
	}
}

static bool
send_request(struct login *l, int16_t key, int version, const void *body,
    struct error *err)
{
	struct chain out;
	bool ok;

	chain_init(&out);
	ok = frame_write_request(&out, api_schema_find(key), version, ++l->id,
	    SLICE_LIT("weir"), body, err);
	if (ok)
		conn_send(l->u->conn, &out);
	chain_fini(&out);
	return ok;
}

static enum login_step
authenticate(struct login *l, struct slice bytes, struct error *err)
{
	struct sasl_authenticate_request q = { .auth_bytes = bytes };

	return send_request(l, API_SASL_AUTHENTICATE, AUTHENTICATE_VERSION, &q,
	    err) ? LOGIN_MORE : LOGIN_FAILED;
}

struct login *
login_start(struct upstream *u)
{
	const struct upstream_options *o = &u->pool->options;
	struct sasl_handshake_request q = {
		.mechanism = slice_of(mechanism_name(o->mechanism)),
	};
	struct login *l = mem_zalloc(sizeof(*l));
	struct error err;

	l->u = u;
	if (o->mechanism != UPSTREAM_PLAIN)
		l->scram = scram_new(
		    o->mechanism == UPSTREAM_SCRAM_SHA_512 ? 512 : 256,
		    o->username, o->password, NULL);
	/* Constant text of ours: it can be encoded. */
	if (!send_request(l, API_SASL_HANDSHAKE, HANDSHAKE_VERSION, &q, &err))
		abort();
	return l;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	scram_free(l->scram);
	free(l);
}

static enum login_step
login_failed(struct error *err, int16_t code, const char *mechanism)
{
	error_set(err, "%s login: %s (%s)", mechanism, kafka_error_name(code),
	    kafka_error_text(code));
	return LOGIN_FAILED;
}

/* [authzid] NUL authcid NUL password (RFC 4616). */
static enum login_step
send_plain(struct login *l, struct error *err)
{
	const struct upstream_options *o = &l->u->pool->options;
	char text[PLAIN_MAX];
	int n = snprintf(text, sizeof(text), "%c%s%c%s", 0, o->username, 0,
	    o->password);
	enum login_step step;

	if (n < 0 || (size_t)n >= sizeof(text)) {
		error_set(err, "name and password are too long");
		return LOGIN_FAILED;
	}
	step = authenticate(l, (struct slice){ (uint8_t *)text, (uint32_t)n },
	    err);
	OPENSSL_cleanse(text, sizeof(text));
	return step;
}

static enum login_step
after_handshake(struct login *l, const struct sasl_handshake_response *r,
    const char *name, struct error *err)
{
	if (r->error_code != 0)
		return login_failed(err, r->error_code, name);
	if (l->scram != NULL)
		return authenticate(l, scram_first(l->scram), err);
	return send_plain(l, err);
}

/* Before the broker wants a new login the connection is given up. */
static void
note_lifetime(struct upstream *u, int64_t ms)
{
	if (ms > 0)
		u->retire_us = loop_now_us(u->pool->loop) +
		    ms * 10 * RETIRE_PERCENT;
}

static enum login_step
after_authenticate(struct login *l,
    const struct sasl_authenticate_response *r, const char *name,
    struct error *err)
{
	struct slice next;

	if (r->error_code != 0)
		return login_failed(err, r->error_code, name);
	if (l->scram != NULL && l->step == 1) {
		if (!scram_final(l->scram, r->auth_bytes, &next, err))
			return LOGIN_FAILED;
		return authenticate(l, next, err);
	}
	if (l->scram != NULL && !scram_verify(l->scram, r->auth_bytes, err))
		return LOGIN_FAILED;
	note_lifetime(l->u, r->session_lifetime_ms);
	return LOGIN_DONE;
}

enum login_step
login_frame(struct login *l, struct block *b, const uint8_t *data, size_t len,
    struct error *err)
{
	const char *name = mechanism_name(l->u->pool->options.mechanism);
	bool handshake = l->step == 0;
	const struct api_schema *api = api_schema_find(handshake ?
	    API_SASL_HANDSHAKE : API_SASL_AUTHENTICATE);
	int version = handshake ? HANDSHAKE_VERSION : AUTHENTICATE_VERSION;
	enum login_step step = LOGIN_FAILED;
	struct arena a;
	struct reader r;
	int32_t id;
	void *body;

	arena_init(&a, len * CODEC_ARENA_FACTOR + 4096);
	reader_init(&r, data, len, b);
	body = frame_read_response(&r, api, version, &id) && id == l->id ?
	    codec_decode(&r, api->response, version, &a) : NULL;
	if (body == NULL)
		error_set(err, "the broker's answer cannot be read");
	else if (handshake)
		step = after_handshake(l, body, name, err);
	else
		step = after_authenticate(l, body, name, err);
	l->step++;
	arena_fini(&a);
	return step;
}
