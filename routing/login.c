/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/login.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/wire/errors.h"
#include "gateway/wire/frame.h"
#include "routing/scram.h"
#include "wire/messages.h"

enum { HANDSHAKE_VERSION = 1, AUTHENTICATE_VERSION = 2 };

/* One mechanism. `said` is what the broker said, null at first; *to is what to
 * say, null when the broker has said the last word. */
struct mechanism {
	const char	*name;
	bool		(*next)(struct login *l, struct slice said,
			    struct slice *to, struct error *err);
	int		 bits;		/* of SCRAM */
};

struct login {
	const struct upstream_options *options;
	const struct mechanism *mechanism;
	struct scram_keys *keys;
	const char	*host;
	struct scram	*scram;
	struct arena	 arena;		/* of what is said with a token */
	struct slice	 token, message; /* in it */
	struct chain	 said;		/* the last frame, cleansed when the
					 * broker has answered it */
	const struct api_schema *asked;	/* what the next frame answers */
	int		 version;
	int32_t		 id;		/* of that; counts the turns */
	int		 turn;		/* of the mechanism */
	int64_t		 lifetime_ms;
	char		 text[LOGIN_TEXT_MAX];
};

/* ---- mechanisms ---- */

/* [authzid] NUL authcid NUL password (RFC 4616). */
static bool
plain_next(struct login *l, struct slice said, struct slice *to,
    struct error *err)
{
	const struct upstream_options *o = l->options;
	int n;

	(void)said;
	*to = SLICE_NULL;
	if (l->turn > 0)
		return true;
	n = snprintf(l->text, sizeof(l->text), "%c%s%c%s", 0, o->username, 0,
	    o->password);
	if (n < 0 || (size_t)n >= sizeof(l->text))
		return error_set(err, "name and password are too long");
	*to = (struct slice){ (uint8_t *)l->text, (uint32_t)n };
	return true;
}

static bool
scram_next(struct login *l, struct slice said, struct slice *to,
    struct error *err)
{
	*to = SLICE_NULL;
	switch (l->turn) {
	case 0:
		l->scram = scram_new(l->mechanism->bits, l->options->username,
		    l->options->password, NULL);
		scram_use_keys(l->scram, l->keys);
		*to = scram_first(l->scram);
		return to->data != NULL ||
		    error_set(err, "the name is too long");
	case 1:
		return scram_final(l->scram, said, to, err);
	default:
		return scram_verify(l->scram, said, err);
	}
}

static bool
get_token(struct login *l, struct error *err)
{
	const struct upstream_options *o = l->options;

	if (o->token == NULL)
		return error_set(err, "there is nothing to log in with");
	if (!o->token(o->token_arg, l->host, &l->arena, &l->token, err))
		return false;
	return l->token.len <= LOGIN_TOKEN_MAX ||
	    error_set(err, "the token is longer than %d bytes",
	    LOGIN_TOKEN_MAX);
}

/* RFC 7628 as Kafka speaks it: a refusal comes in a step that succeeds, and
 * wants \x01 before the login fails. */
static bool
oauthbearer_next(struct login *l, struct slice said, struct slice *to,
    struct error *err)
{
	struct log_quoted host, answer;

	*to = SLICE_NULL;
	switch (l->turn) {
	case 0:
		if (!get_token(l, err))
			return false;
		*to = l->message = arena_printf(&l->arena,
		    "n,,\x01" "auth=Bearer %.*s\x01\x01",
		    SLICE_FMT(l->token));
		return true;
	case 1:
		if (said.len == 0)
			return true;
		log_warn("broker refuses the token", "host=%s answer=%s",
		    log_quote(slice_of(l->host), &host),
		    log_quote(said, &answer));
		*to = SLICE_LIT("\x01");
		return true;
	default:
		return error_set(err, "the broker refuses the token");
	}
}

/* One message, one answer: JSON, whose two fields change nothing here. */
static bool
msk_iam_next(struct login *l, struct slice said, struct slice *to,
    struct error *err)
{
	*to = SLICE_NULL;
	if (l->turn > 0)
		return (said.len > 1 && said.data[0] == '{') ||
		    error_set(err, "the broker's answer is none of "
		    "AWS_MSK_IAM");
	if (!get_token(l, err))
		return false;
	*to = l->token;
	return true;
}

static const struct mechanism mechanisms[] = {
	[UPSTREAM_PLAIN] = { "PLAIN", plain_next, 0 },
	[UPSTREAM_SCRAM_SHA_256] = { "SCRAM-SHA-256", scram_next, 256 },
	[UPSTREAM_SCRAM_SHA_512] = { "SCRAM-SHA-512", scram_next, 512 },
	[UPSTREAM_OAUTHBEARER] = { "OAUTHBEARER", oauthbearer_next, 0 },
	[UPSTREAM_AWS_MSK_IAM] = { "AWS_MSK_IAM", msk_iam_next, 0 },
};

/* ---- the conversation ---- */

struct login *
login_new(const struct upstream_options *o, struct scram_keys *keys,
    const char *host)
{
	struct login *l = mem_zalloc(sizeof(*l));

	l->options = o;
	l->mechanism = &mechanisms[o->mechanism];
	l->keys = keys;
	l->host = host;
	arena_init(&l->arena, 8 * LOGIN_TOKEN_MAX);
	return l;
}

static void
cleanse_sent(struct login *l)
{
	for (uint32_t i = 0; i < l->said.n; i++) {
		struct block *b = l->said.v[l->said.head + i].block;

		OPENSSL_cleanse(b->data, b->size);
	}
	chain_fini(&l->said);
}

static void
cleanse(struct slice s)
{
	if (s.len > 0)
		OPENSSL_cleanse((void *)(uintptr_t)s.data, s.len);
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	cleanse_sent(l);
	scram_free(l->scram);
	cleanse(l->token);
	cleanse(l->message);
	arena_fini(&l->arena);
	OPENSSL_cleanse(l->text, sizeof(l->text));
	free(l);
}

int64_t
login_lifetime_ms(const struct login *l)
{
	return l->lifetime_ms;
}

static bool
put_request(struct login *l, int16_t key, int version, const void *body,
    struct chain *out, struct error *err)
{
	struct chain frame;
	bool ok;

	l->asked = api_schema_find(key);
	l->version = version;
	chain_init(&frame);
	ok = frame_write_request(&frame, l->asked, version, ++l->id,
	    SLICE_LIT("weir"), body, err);
	for (uint32_t i = 0; i < frame.n; i++) {
		const struct piece *p = &frame.v[frame.head + i];

		chain_add(&l->said, p->block, p->data, p->len);
	}
	chain_move(out, &frame);
	chain_fini(&frame);
	return ok;
}

bool
login_begin(struct login *l, struct chain *out, struct error *err)
{
	struct sasl_handshake_request q = {
		.mechanism = slice_of(l->mechanism->name),
	};

	return put_request(l, API_SASL_HANDSHAKE, HANDSHAKE_VERSION, &q, out,
	    err);
}

static enum login_step
say_next(struct login *l, struct slice said, struct chain *out,
    struct error *err)
{
	struct sasl_authenticate_request q;

	if (!l->mechanism->next(l, said, &q.auth_bytes, err))
		return LOGIN_FAILED;
	l->turn++;
	if (q.auth_bytes.data == NULL)
		return LOGIN_DONE;
	if (l->turn >= LOGIN_TURNS_MAX) {
		error_set(err, "%s does not come to an end",
		    l->mechanism->name);
		return LOGIN_FAILED;
	}
	return put_request(l, API_SASL_AUTHENTICATE, AUTHENTICATE_VERSION, &q,
	    out, err) ? LOGIN_MORE : LOGIN_FAILED;
}

/* Letters, digits, '-' and '_' of the names that the broker offers. */
static void
list_mechanisms(const struct sasl_handshake_response *r, char *to, size_t size)
{
	size_t n = 0;

	for (int32_t i = 0; i < r->mechanisms.n; i++) {
		struct slice s = r->mechanisms.v[i];

		if (n > 0 && n + 1 < size)
			to[n++] = ' ';
		for (uint32_t k = 0; k < s.len && n + 1 < size; k++)
			if (s.data[k] == '-' || s.data[k] == '_' ||
			    (s.data[k] >= 'A' && s.data[k] <= 'Z') ||
			    (s.data[k] >= '0' && s.data[k] <= '9'))
				to[n++] = (char)s.data[k];
	}
	to[n] = '\0';
}

static enum login_step
after_handshake(struct login *l, const struct sasl_handshake_response *r,
    struct chain *out, struct error *err)
{
	char offered[128];

	if (r->error_code == 0)
		return say_next(l, SLICE_NULL, out, err);
	list_mechanisms(r, offered, sizeof(offered));
	error_set(err, "%s is refused: %s; the broker offers: %s",
	    l->mechanism->name, kafka_error_name(r->error_code), offered);
	return LOGIN_FAILED;
}

static enum login_step
after_authenticate(struct login *l,
    const struct sasl_authenticate_response *r, struct chain *out,
    struct error *err)
{
	if (r->error_code != 0) {
		error_set(err, "%s login as the configured user: %s",
		    l->mechanism->name, kafka_error_name(r->error_code));
		return LOGIN_FAILED;
	}
	l->lifetime_ms = r->session_lifetime_ms;
	return say_next(l, r->auth_bytes, out, err);
}

enum login_step
login_frame(struct login *l, struct block *b, const uint8_t *data, size_t len,
    struct chain *out, struct error *err)
{
	enum login_step step = LOGIN_FAILED;
	struct arena a;
	struct reader r;
	int32_t id;
	void *body;

	cleanse_sent(l);
	arena_init(&a, len * CODEC_ARENA_FACTOR + 4096);
	reader_init(&r, data, len, b);
	body = frame_read_response(&r, l->asked, l->version, &id) &&
	    id == l->id ? codec_decode(&r, l->asked->response, l->version,
	    &a) : NULL;
	if (body == NULL || r.p != r.end)
		error_set(err, "the broker's answer to %s cannot be read",
		    l->asked->name);
	else if (l->asked->key == API_SASL_HANDSHAKE)
		step = after_handshake(l, body, out, err);
	else
		step = after_authenticate(l, body, out, err);
	arena_fini(&a);
	return step;
}
