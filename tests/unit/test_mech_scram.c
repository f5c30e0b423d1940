/* SPDX-License-Identifier: Apache-2.0 */
/* SCRAM's server against RFC 7677's example, our own client, and messages that
 * are none. Keys are a stand-in's: "user" with the password "pencil". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/mech_scram.c"
#include "routing/scram.h"

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE CLIENT_NONCE SERVER_NONCE
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static struct key user;
static struct auth *a;
static struct auth_peer peer = { "127.0.0.1", false, false, { 0 } };

const struct key *
auth_find_key(struct auth *auth, struct slice id,
    struct principal **principal, enum auth_failure *why, struct error *err)
{
	(void)auth;
	*principal = NULL;
	*why = AUTH_FAILURE_UNKNOWN_KEY;
	error_set(err, "nobody has this key");
	if (!slice_is(id, "user") && !slice_is(id, "a,b=c"))
		return NULL;
	*principal = principal_new(PRINCIPAL_USER, "aws", "1", id,
	    SLICE_NULL);
	return &user;
}

/* As keys_scram_derive does it, with a salt of the test's. */
static void
derive_user(const char *salt, uint32_t rounds)
{
	struct key_scram *v = &user.sha256;
	uint8_t salted[32], client[32];
	unsigned int n;

	EVP_DecodeBlock(v->salt, (const uint8_t *)salt, 24);
	PKCS5_PBKDF2_HMAC("pencil", 6, v->salt, 16, (int)rounds,
	    EVP_sha256(), 32, salted);
	HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Client Key", 10,
	    client, &n);
	EVP_Digest(client, 32, v->stored_key, NULL, EVP_sha256(), NULL);
	HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Server Key", 10,
	    v->server_key, &n);
	user.rounds = rounds;
}

static int
setup(void **state)
{
	struct auth_settings s = { .cluster = { "aws", "eu-central-1", "1",
	    "c", "u" } };
	struct error_list errs = { NULL, 0 };

	(void)state;
	a = auth_load(&s, NULL, &errs);
	derive_user("W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
	keys_scram_derive(512, SLICE_LIT("pencil"), 4096, &user.sha512);
	return a == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	auth_unref(a);
	return 0;
}

static struct auth_login *login;
static struct scram_login *inner;

/* The state is reached through begin, which the test calls again. */
static void *
begin_fixed(struct auth_login *l)
{
	inner = begin_256(l);
	snprintf(inner->own_nonce, sizeof(inner->own_nonce), "%s",
	    SERVER_NONCE);
	return inner;
}

static const struct auth_mechanism_ops fixed = { "SCRAM-SHA-256",
    begin_fixed, step, end };

struct talk {
	struct arena	 arena;
	struct auth_step to;
	void		*state;
	const struct auth_mechanism_ops *ops;
};

static void
talk_begin(struct talk *t, const struct auth_mechanism_ops *ops)
{
	arena_init(&t->arena, 0);
	t->ops = ops;
	login = auth_login_new(a, AUTH_SCRAM_SHA_256, &peer, NULL);
	t->state = ops->begin(login);
}

static enum auth_result
say(struct talk *t, const char *text, size_t len)
{
	char *copy = mem_alloc(len + 1);
	enum auth_result r;

	/* Exactly as long, so that a read behind the end is noticed. */
	copy = mem_realloc(copy, len + (len == 0));
	memcpy(copy, text, len);
	memset(&t->to, 0, sizeof(t->to));
	r = t->ops->step(login, t->state, (struct slice){ (uint8_t *)copy,
	    (uint32_t)len }, &t->arena, &t->to);
	free(copy);
	if (r == AUTH_FAILED) {
		assert_true(t->to.error.text[0] != '\0');
		assert_true(t->to.failure != AUTH_FAILURE_NONE);
		assert_null(t->to.principal);
	}
	return r;
}

static void
talk_end(struct talk *t)
{
	principal_unref(t->to.principal);
	t->ops->end(t->state);
	auth_login_free(login);
	arena_fini(&t->arena);
}

static void
test_rfc_7677(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, &fixed);
	assert_int_equal(say(&t, "n,,n=user,r=" CLIENT_NONCE,
	    strlen("n,,n=user,r=" CLIENT_NONCE)), AUTH_MORE);
	assert_true(slice_is(t.to.out, "r=" NONCE
	    ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	assert_string_equal(t.to.claimed, "user");
	assert_int_equal(say(&t, "c=biws,r=" NONCE ",p=" PROOF,
	    strlen("c=biws,r=" NONCE ",p=" PROOF)), AUTH_DONE);
	assert_true(slice_is(t.to.out,
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
	assert_string_equal(t.to.principal->name, "user");
	assert_string_equal(t.to.claimed, "user");
	talk_end(&t);
}

static const struct first_row {
	const char	*text;
	bool		 good;
} firsts[] = {
	{ "n,,n=user,r=x", true },
	{ "y,,n=user,r=x", true },
	{ "n,a=user,n=user,r=x", true },
	{ "n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=x", true },
	{ "n,,n=user,r=x,t=later", true },
	{ "n,,n=user,r=x,t=a=b,Z=c", true },
	{ "n,,n=user,r=!~", true },
	/* Another's name (CVE-2017-12610). */
	{ "n,a=admin,n=user,r=x", false },
	{ "n,a=,n=user,r=x", false },
	{ "n,user,n=user,r=x", false },
	/* Channel binding. */
	{ "p=tls-unique,,n=user,r=x", false },
	{ "p=,,n=user,r=x", false },
	{ "p,,n=user,r=x", false },
	/* Delegation tokens and other extensions. */
	{ "n,,n=user,r=x,tokenauth=true", false },
	{ "n,,n=user,r=x,tokenauth=false", false },
	{ "n,,n=user,r=x,t=a,tokenauth=true", false },
	{ "n,,m=x,n=user,r=x", false },
	{ "n,,n=user,r=x,1=a", false },
	{ "n,,n=user,r=x,a=", false },
	{ "n,,n=user,r=x,,", false },
	/* Names and nonces. */
	{ "n,,n=,r=x", false },
	{ "n,,n=us=er,r=x", false },
	{ "n,,n=user=,r=x", false },
	{ "n,,n=user=2,r=x", false },
	{ "n,,n=user=2c,r=x", false },
	{ "n,,n=us\1er,r=", false },
	{ "n,,n=user,r=", false },
	{ "n,,n=user,r= ", false },
	{ "n,,n=user,r=\x7f", false },
	{ "n,,n=user,r=\xc3\xa9", false },
	{ "n,,n=user", false },
	{ "n,,r=x,n=user", false },
	{ "n,,r=x", false },
	{ "n,n=user,r=x", false },
	{ "n", false },
	{ "n,", false },
	{ "n,,", false },
	{ ",,n=user,r=x", false },
	{ "N,,n=user,r=x", false },
	{ "nn,,n=user,r=x", false },
	{ "", false },
	{ ",", false },
	{ ",,,,", false },
	{ "c=biws,r=x,p=x", false },
};

static void
test_firsts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct talk t;
		enum auth_result r;

		talk_begin(&t, &auth_scram_sha_256);
		r = say(&t, firsts[i].text, strlen(firsts[i].text));
		if (r != (firsts[i].good ? AUTH_MORE : AUTH_FAILED))
			fail_msg("%s: %s", firsts[i].text, t.to.error.text);
		if (r == AUTH_FAILED) {
			assert_int_equal(t.to.failure,
			    AUTH_FAILURE_MALFORMED);
			/* It is over. */
			assert_int_equal(say(&t, "n,,n=user,r=x", 13),
			    AUTH_FAILED);
		}
		talk_end(&t);
	}
}

static void
test_long_firsts(void **state)
{
	char text[TEXT_MAX + 2];
	struct talk t;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "n,,n=user,r=", 12);
	talk_begin(&t, &auth_scram_sha_256);
	assert_int_equal(say(&t, text, 12 + NONCE_MAX), AUTH_MORE);
	talk_end(&t);
	for (size_t n = 12 + NONCE_MAX + 1; n <= sizeof(text); n += 957) {
		talk_begin(&t, &auth_scram_sha_256);
		assert_int_equal(say(&t, text, n), AUTH_FAILED);
		talk_end(&t);
	}
	/* A name of 127 bytes, and one more. */
	memset(text, 'u', sizeof(text));
	memcpy(text, "n,,n=", 5);
	memcpy(text + 5 + 127, ",r=x", 4);
	talk_begin(&t, &auth_scram_sha_256);
	assert_int_equal(say(&t, text, 5 + 127 + 4), AUTH_MORE);
	talk_end(&t);
	memcpy(text + 5 + 127, "u,r=x", 5);
	talk_begin(&t, &auth_scram_sha_256);
	assert_int_equal(say(&t, text, 5 + 128 + 4), AUTH_FAILED);
	talk_end(&t);
	talk_begin(&t, &auth_scram_sha_256);
	assert_int_equal(say(&t, "n,,n=us\0er,r=x", 14), AUTH_FAILED);
	talk_end(&t);
}

static const struct final_row {
	const char		*text;
	enum auth_failure	 failure;
} finals[] = {
	/* Nonces (CVE-2024-56128). */
	{ "c=biws,r=" CLIENT_NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" SERVER_NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE "x,p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=x" NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=,p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" CLIENT_NONCE CLIENT_NONCE NONCE ",p=" PROOF,
	  AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" SERVER_NONCE NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	/* As librdkafka before 2.6.1 has it: another text, another proof. */
	{ "c=biws,r=" CLIENT_NONCE NONCE ",p=" PROOF, AUTH_FAILURE_SIGNATURE },
	{ "c=biws,p=" PROOF, AUTH_FAILURE_MALFORMED },
	/* Bindings: "y,,", "n,a=user,", nothing. */
	{ "c=eSws,r=" NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=bixhPXVzZXIs,r=" NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=,r=" NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "r=" NONCE ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "r=" NONCE ",c=biws,p=" PROOF, AUTH_FAILURE_MALFORMED },
	/* Proofs: bits behind the last byte, cut, long, others, none, not
	 * base64, behind it more. */
	{ "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7And"
	  "VR=", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7An",
	  AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=" PROOF "AAAA", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	  "=", AUTH_FAILURE_SIGNATURE },
	{ "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7And"
	  "VU=", AUTH_FAILURE_SIGNATURE },
	{ "c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7And"
	  "VQ=", AUTH_FAILURE_SIGNATURE },
	{ "c=biws,r=" NONCE ",p=", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN Ute9ytag9zjfMHgsqmmiz7And"
	  "VQ=", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=" PROOF ",x=y", AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=" PROOF ",p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "c=biws,r=" NONCE ",p=" PROOF ",", AUTH_FAILURE_MALFORMED },
	/* An extension is part of what is signed. */
	{ "c=biws,r=" NONCE ",x=y,p=" PROOF, AUTH_FAILURE_SIGNATURE },
	{ "c=biws,r=" NONCE ",long=y,p=" PROOF, AUTH_FAILURE_MALFORMED },
	{ "", AUTH_FAILURE_MALFORMED },
	{ ",,,", AUTH_FAILURE_MALFORMED },
	{ "n,,n=user,r=x", AUTH_FAILURE_MALFORMED },
};

static void
test_finals(void **state)
{
	static const char first[] = "n,,n=user,r=" CLIENT_NONCE;

	(void)state;
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		struct talk t;

		talk_begin(&t, &fixed);
		assert_int_equal(say(&t, first, strlen(first)), AUTH_MORE);
		if (say(&t, finals[i].text, strlen(finals[i].text)) !=
		    AUTH_FAILED || t.to.failure != finals[i].failure)
			fail_msg("%s: %s", finals[i].text, t.to.error.text);
		talk_end(&t);
	}
}

/* Logs in with routing/scram.c; the last answer's verdict is the client's. */
static bool
client_logs_in(int bits, const char *name, const char *password,
    struct slice *server_first, struct arena *keep,
    enum auth_failure *failure)
{
	struct scram *c = scram_new(bits, name, password, NULL);
	struct talk t;
	struct slice out;
	struct error err;
	bool ok = false;

	talk_begin(&t, bits == 512 ? &auth_scram_sha_512 :
	    &auth_scram_sha_256);
	out = scram_first(c);
	assert_int_equal(say(&t, (const char *)out.data, out.len), AUTH_MORE);
	*server_first = arena_slice(keep, t.to.out);
	assert_true(scram_final(c, t.to.out, &out, &err));
	if (say(&t, (const char *)out.data, out.len) == AUTH_DONE)
		ok = scram_verify(c, t.to.out, &err);
	*failure = t.to.failure;
	talk_end(&t);
	scram_free(c);
	return ok;
}

static void
test_own_client(void **state)
{
	enum auth_failure why;
	struct arena keep;
	struct slice s;

	(void)state;
	arena_init(&keep, 0);
	for (int bits = 256; bits <= 512; bits += 256) {
		assert_true(client_logs_in(bits, "user", "pencil", &s, &keep,
		    &why));
		assert_true(client_logs_in(bits, "a,b=c", "pencil", &s, &keep,
		    &why));
		assert_false(client_logs_in(bits, "user", "pencils", &s,
		    &keep, &why));
		assert_int_equal(why, AUTH_FAILURE_SIGNATURE);
	}
	arena_fini(&keep);
}

/* ",s=...": what follows the nonce. */
static struct slice
salt_of(struct slice server_first)
{
	const uint8_t *at = memchr(server_first.data, ',', server_first.len);

	assert_non_null(at);
	return (struct slice){ at, server_first.len -
	    (uint32_t)(at - server_first.data) };
}

/* Nobody gets a salt of his own, each time the same, and fails at the end. */
static void
test_unknown(void **state)
{
	enum auth_failure why;
	struct arena keep;
	struct slice one, again, other, known;

	(void)state;
	arena_init(&keep, 0);
	for (int bits = 256; bits <= 512; bits += 256) {
		assert_false(client_logs_in(bits, "nobody", "x", &one, &keep,
		    &why));
		assert_int_equal(why, AUTH_FAILURE_UNKNOWN_KEY);
		assert_false(client_logs_in(bits, "nobody", "y", &again, &keep,
		    &why));
		assert_false(client_logs_in(bits, "noone", "x", &other, &keep,
		    &why));
		assert_true(slice_eq(salt_of(one), salt_of(again)));
		assert_false(slice_eq(salt_of(one), salt_of(other)));
		assert_true(client_logs_in(bits, "user", "pencil", &known,
		    &keep, &why));
		assert_int_equal(known.len, one.len);
	}
	arena_fini(&keep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc_7677),
		cmocka_unit_test(test_firsts),
		cmocka_unit_test(test_long_firsts),
		cmocka_unit_test(test_finals),
		cmocka_unit_test(test_own_client),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
