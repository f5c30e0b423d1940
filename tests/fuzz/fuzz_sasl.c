/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says in a login with a key, and the files that say who there
 * is: taken or refused, whatever it is, and nobody is let in without a secret.
 * Input: a byte that says what follows: 'p' a PLAIN message; 's' or 'S' the two
 * messages of SCRAM-SHA-256 or -512 with a NUL between them, '@' in the second
 * is the nonce; 't' a session token; 'j' what is sealed in one; 'k' a key file,
 * 'i' identities, 'm' master keys; 'c' a certificate rule's pattern, a NUL and
 * a subject.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/base64url.h"
#include "auth/credentials.h"
#include "auth/identities.h"
#include "auth/keys_file.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 128 * 1024 };

#define MASTER "a master key of at least 32 characters"
#define SESSION_ID "WEISAAAAAAAAAAAAAAAA"

static struct auth *snapshot;
static struct seal *seal;
static struct key key;

static int64_t
frozen(void)
{
	return INT64_C(1767323045) * 1000 * 1000;
}

/* A key and a role, from files that are gone when it is there. */
static void
load(void)
{
	static char folder[] = "/tmp/weir-fuzz-XXXXXX", master[] = MASTER;
	char path[64], lock[80];
	struct auth_settings s = {
		.cluster = { "aws", "us-east-1", "1", "c", "u" },
		.master_key = master, .keys_file = path,
		.plain_without_tls = true,
	};
	struct error_list errs = { NULL, 0 };
	struct keys_file *f;
	struct error err;

	clock_replace(frozen);
	if (mkdtemp(folder) == NULL)
		abort();
	snprintf(path, sizeof(path), "%s/keys", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	seal = seal_new(MASTER, NULL);
	f = keys_file_open(path, seal, KEYS_FILE_CREATE, &errs);
	if (f == NULL || !keys_file_add(f, SLICE_LIT("alice"), 0, &key,
	    &err) || !keys_file_save(f, &err))
		abort();
	keys_file_close(f);
	snapshot = auth_load(&s, NULL, &errs);
	unlink(path);
	unlink(lock);
	rmdir(folder);
	if (snapshot == NULL)
		abort();
}

static enum auth_result
step(struct auth_login *l, struct slice in, struct arena *a,
    struct auth_step *to)
{
	enum auth_result r = auth_login_step(l, in, a, to);

	assert((r == AUTH_DONE) == (to->principal != NULL));
	/* The secret was drawn at random: nobody knows it. */
	assert(r != AUTH_DONE);
	assert((r == AUTH_FAILED) == (to->error.text[0] != '\0'));
	assert((r == AUTH_FAILED) == (to->failure != AUTH_FAILURE_NONE));
	assert(strstr(to->error.text, key.secret) == NULL);
	for (const char *c = to->claimed; *c != '\0'; c++)
		assert(*c > ' ' && *c <= '~');
	return r;
}

static void
run_plain(struct slice in, struct arena *a)
{
	static const struct auth_peer peer = { "192.0.2.1", true, false,
	    { 0 } };
	struct auth_login *l = auth_login_new(snapshot, AUTH_PLAIN, &peer,
	    NULL);
	struct auth_step to;

	step(l, in, a, &to);
	auth_login_free(l);
}

/* The client's last message, with the nonce of the server's first. */
static struct slice
with_nonce(struct slice text, struct slice server_first, struct arena *a)
{
	const uint8_t *comma = memchr(server_first.data, ',',
	    server_first.len);
	struct slice head = text, nonce = { server_first.data + 2,
	    (uint32_t)(comma - server_first.data) - 2 };
	const uint8_t *at = text.len == 0 ? NULL :
	    memchr(text.data, '@', text.len);
	uint8_t *to;

	if (at == NULL)
		return text;
	head.len = (uint32_t)(at - text.data);
	to = arena_get(a, text.len + nonce.len);
	memcpy(to, text.data, head.len);
	memcpy(to + head.len, nonce.data, nonce.len);
	memcpy(to + head.len + nonce.len, at + 1, text.len - head.len - 1);
	return (struct slice){ to, text.len + nonce.len - 1 };
}

static void
run_scram(enum auth_mechanism m, struct slice in, struct arena *a)
{
	static const struct auth_peer peer = { "192.0.2.1", false, false,
	    { 0 } };
	struct auth_login *l = auth_login_new(snapshot, m, &peer, NULL);
	const uint8_t *nul = in.len == 0 ? NULL :
	    memchr(in.data, '\0', in.len);
	struct slice first = in, last = SLICE_LIT("");
	struct auth_step to;

	if (nul != NULL) {
		first.len = (uint32_t)(nul - in.data);
		last = (struct slice){ nul + 1, in.len - first.len - 1 };
	}
	if (step(l, first, a, &to) == AUTH_MORE) {
		assert(to.out.len > 40 && memcmp(to.out.data, "r=", 2) == 0);
		step(l, with_nonce(last, to.out, a), a, &to);
	}
	step(l, last, a, &to);
	auth_login_free(l);
}

static void
run_token(struct slice token)
{
	struct credentials_session s;
	struct error err = { "" };
	enum credentials_verdict v = credentials_open(seal,
	    SLICE_LIT(SESSION_ID), token, clock_wall_ms(), &s, &err);

	assert((v == CREDENTIALS_GOOD) == (err.text[0] == '\0'));
	if (v == CREDENTIALS_GOOD) {
		assert(principal_name_valid(slice_of(s.role)));
		assert(s.expires_ms > clock_wall_ms());
		assert(s.group_count <= PRINCIPAL_GROUPS_MAX);
	}
	credentials_session_fini(&s);
}

static void
run_sealed(struct slice plain, struct arena *a)
{
	size_t len = plain.len + SEAL_OVERHEAD;
	uint8_t *sealed;
	char *token;

	if (plain.len > SEAL_PLAIN_MAX)
		return;
	sealed = arena_get(a, len);
	token = arena_get(a, BASE64URL_TEXT(len) + 1);
	seal_close(seal, SEAL_SESSION_TOKEN, SLICE_LIT(SESSION_ID), plain,
	    sealed);
	base64url_encode(sealed, len, token);
	run_token(slice_of(token));
}

static void
run_file(int what, struct slice in)
{
	struct error_list errs = { NULL, 0 };
	struct identities *ids;
	struct keys *keys;

	if (what == 'k') {
		keys = keys_parse((const char *)in.data, in.len, seal, &errs);
		assert((keys == NULL) == (errs.n > 0));
		keys_unref(keys);
	} else {
		ids = identities_parse((const char *)in.data, in.len, "i",
		    NULL, &errs);
		assert((ids == NULL) == (errs.n > 0));
		identities_unref(ids);
	}
	error_list_free(&errs);
}

static void
run_master(struct slice in)
{
	char *text = mem_strndup(in.data, in.len);
	struct error err = { "" };
	struct seal *s = seal_new(text, &err);

	assert((s == NULL) == (err.text[0] != '\0'));
	seal_unref(s);
	free(text);
}

static void
run_certificate(struct slice in)
{
	char *both = mem_strndup(in.data, in.len);
	size_t n = strlen(both);
	struct auth_certificate_rule rule = { (char[]){ "subject" }, both,
	    (char[]){ "x$1" }, (char[]){ "$1" } };
	struct auth_settings s = { .cluster = { "aws", "r", "1", "c", "u" },
	    .rules = &rule, .rule_count = 1 };
	struct error_list errs = { NULL, 0 };
	struct auth_certificate c = { .subject = { in.data + n,
	    in.len - (uint32_t)n } };
	struct auth *a = auth_load(&s, NULL, &errs);
	struct principal *p;
	struct error err;

	if (c.subject.len > 0) {	/* behind the NUL */
		c.subject.data++;
		c.subject.len--;
	}
	p = a == NULL ? NULL : auth_certificate_principal(a, &c, &err);
	if (p != NULL)
		assert(principal_name_valid(slice_of(p->name)));
	principal_unref(p);
	auth_unref(a);
	error_list_free(&errs);
	free(both);
}

static void
run(int what, struct slice in, struct arena *a)
{
	if (what == 'p')
		run_plain(in, a);
	else if (what == 's')
		run_scram(AUTH_SCRAM_SHA_256, in, a);
	else if (what == 'S')
		run_scram(AUTH_SCRAM_SHA_512, in, a);
	else if (what == 't')
		run_token(in);
	else if (what == 'j')
		run_sealed(in, a);
	else if (what == 'k' || what == 'i')
		run_file(what, in);
	else if (what == 'm')
		run_master(in);
	else if (what == 'c')
		run_certificate(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	uint8_t *copy;

	if (size < 1 || size > TEXT_MAX)
		return 0;
	if (snapshot == NULL)
		load();
	/* Exactly as long, so that a read behind the end is noticed. */
	copy = mem_alloc(size - 1 + (size == 1));
	if (size > 1)
		memcpy(copy, data + 1, size - 1);
	arena_init(&a, 0);
	run(data[0], (struct slice){ copy, (uint32_t)(size - 1) }, &a);
	arena_fini(&a);
	free(copy);
	return 0;
}
