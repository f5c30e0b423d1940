/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "routing/scram.h"

/* The first is RFC 7677's; the second was computed with Python's hashlib. */
static const struct vector {
	int		 bits;
	const char	*user, *password, *nonce;
	const char	*first, *server_first, *last, *server_last;
} vectors[] = {
	{ 256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO",
	  "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	  "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	  "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
	{ 512, "a,b=c", "p,=\xc3\xa9", "fyko+d2lbbFgONRv9qkxdawL",
	  "n,,n=a=2Cb=3Dc,r=fyko+d2lbbFgONRv9qkxdawL",
	  "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	  "s=c2FsdFNBTFRzYWx0,i=8192",
	  "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	  "p=AaJD6rSNVgYoSJeYe+hw6G1p//TntNhizZhjUaxXTlmAImDLvZwZlHvsfEZpai6D"
	  "Yp8if1Q/+7tuwTfz9F+eYA==",
	  "v=A7v2zg3SAgRnZzv9qfD+Cc2NPeA/xAuHZZkE2aH3+AwKZEz0DpwIEbnJ7hul3GzK"
	  "jFBuChzhZSteDxA9SCt9MQ==" },
};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct scram *s = scram_new(v->bits, v->user, v->password,
		    v->nonce);
		struct error err = { "" };
		struct slice last;

		assert_true(slice_is(scram_first(s), v->first));
		assert_true(scram_final(s, slice_of(v->server_first), &last,
		    &err));
		assert_true(slice_is(last, v->last));
		assert_true(scram_verify(s, slice_of(v->server_last), &err));
		scram_free(s);
	}
}

#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define SALT "s=W22ZaJ0SNY7soEsUEjb6gQ=="

static const struct challenge_row {
	const char	*text, *fault;		/* NULL: taken */
} challenges[] = {
	{ "r=" NONCE "x," SALT ",i=4096", NULL },
	{ "r=" NONCE "x," SALT ",i=4096,z=later", NULL },
	{ "r=" NONCE "x," SALT ",i=4095", "rounds" },
	{ "r=" NONCE "x," SALT ",i=0", "rounds" },
	{ "r=" NONCE "x," SALT ",i=-4096", "rounds" },
	{ "r=" NONCE "x," SALT ",i=1000001", "rounds" },
	{ "r=" NONCE "x," SALT ",i=99999999999999", "rounds" },
	{ "r=" NONCE "x," SALT ",i=999999999999999999999", "rounds" },
	{ "r=" NONCE "x," SALT ",i=4096x", "rounds" },
	{ "r=" NONCE "x," SALT ",i=+4096", "rounds" },
	{ "r=" NONCE "x," SALT ",i= 4096", "rounds" },
	{ "r=" NONCE "x," SALT ",i=100001", "rounds" },
	{ SALT ",r=" NONCE "x,i=4096", "incomplete" },
	{ "r=" NONCE "\x01," SALT ",i=4096", "nonce" },
	{ "r=" NONCE "\xc3\xa9," SALT ",i=4096", "nonce" },
	{ "r=" NONCE "x,s=QUI= ,i=4096", "cannot be read" },
	{ "r=" NONCE "x,s==UIA,i=4096", "cannot be read" },
	{ "r=" NONCE "x," SALT ",i=", "rounds" },
	/* Not ours, ours alone, ours cut short. */
	{ "r=xOprNGfwEbeRWgbNEkqOx," SALT ",i=4096", "nonce" },
	{ "r=" NONCE "," SALT ",i=4096", "nonce" },
	{ "r=rOprNGfwEbeRWgbNEkq," SALT ",i=4096", "nonce" },
	{ "r=," SALT ",i=4096", "nonce" },
	{ "m=ext,r=" NONCE "x," SALT ",i=4096", "extension" },
	{ "r=" NONCE "x,s=,i=4096", "cannot be read" },
	{ "r=" NONCE "x,s=abc,i=4096", "cannot be read" },
	{ "r=" NONCE "x,s=!!!!,i=4096", "cannot be read" },
	{ "r=" NONCE "x,s=    ,i=4096", "cannot be read" },
	{ SALT ",i=4096", "incomplete" },
	{ "r=" NONCE "x,i=4096", "incomplete" },
	{ "r=" NONCE "x," SALT, "incomplete" },
	{ "e=unknown-user", "incomplete" },
	{ ",,,,", "incomplete" },
	{ "=", "incomplete" },
	{ "r", "incomplete" },
	{ "", "incomplete" },
};

static void
test_challenges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(challenges) / sizeof(challenges[0]);
	    i++) {
		const struct challenge_row *c = &challenges[i];
		struct scram *s = scram_new(256, "user", "pencil", NONCE);
		struct error err = { "" };
		struct slice last;
		bool ok;

		assert_non_null(scram_first(s).data);
		ok = scram_final(s, slice_of(c->text), &last, &err);
		if (ok != (c->fault == NULL) ||
		    (!ok && strstr(err.text, c->fault) == NULL))
			fail_msg("%s: %s", c->text, err.text);
		scram_free(s);
	}
}

static const struct challenge_row verdicts[] = {
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", NULL },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", "signature" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A==", "signature" },
	{ "v=", "signature" },
	{ "v=====", "signature" },
	{ "", "signature" },
	{ "x=1", "signature" },
	{ "e=invalid-proof", "refused" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,e=other-error",
	  "refused" },
};

static void
test_verdicts(void **state)
{
	const struct vector *v = &vectors[0];

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct scram *s = scram_new(v->bits, v->user, v->password,
		    v->nonce);
		struct error err = { "" };
		struct slice last;
		bool ok;

		scram_first(s);
		assert_true(scram_final(s, slice_of(v->server_first), &last,
		    &err));
		ok = scram_verify(s, slice_of(verdicts[i].text), &err);
		if (ok != (verdicts[i].fault == NULL) ||
		    (!ok && strstr(err.text, verdicts[i].fault) == NULL))
			fail_msg("%s: %s", verdicts[i].text, err.text);
		scram_free(s);
	}
}

static struct slice
long_text(char *to, size_t len, const char *start)
{
	memset(to, 'a', len);
	memcpy(to, start, strlen(start));
	to[len] = '\0';
	return (struct slice){ (uint8_t *)to, (uint32_t)len };
}

static void
test_lengths(void **state)
{
	char text[SCRAM_TEXT_MAX * 2];
	struct scram *s = scram_new(512, "u", "p", NULL);
	struct slice first, last;
	struct error err;

	(void)state;
	first = scram_first(s);
	assert_int_equal(first.len, strlen("n,,n=u,r=") + 24);
	for (size_t n = 3; n < sizeof(text); n += 51) {
		assert_false(scram_final(s, long_text(text, n, "r="), &last,
		    &err));
		assert_false(scram_verify(s, long_text(text, n, "v="), &err));
		assert_false(scram_final(s, long_text(text, n, ","), &last,
		    &err));
	}
	scram_free(s);
	/* A name as long as it likes does not leave the buffer. */
	for (size_t n = 3000; n < sizeof(text); n += 77) {
		memset(text, n % 2 ? '=' : 'u', n);
		text[n] = '\0';
		s = scram_new(256, text, "p", NULL);
		assert_true(scram_first(s).len < SCRAM_TEXT_MAX);
		scram_free(s);
	}
	scram_free(NULL);
}

/* Derived once for the same salt and rounds, and again for others; a login with
 * remembered keys says what one without them does. */
static void
test_keys(void **state)
{
	const struct vector *v = &vectors[0];
	struct scram_keys keys = { .set = false }, empty = { .set = false };
	uint8_t client_key[SCRAM_KEY_MAX];
	struct error err;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct scram *s = scram_new(v->bits, v->user,
		    i == 1 ? "it is not derived again" : v->password,
		    v->nonce);
		struct slice last;

		scram_use_keys(s, &keys);
		assert_true(slice_is(scram_first(s), v->first));
		if (i == 2)
			keys.rounds++;		/* these do not fit */
		if (i == 3)
			keys.salt[0] ^= 1;
		assert_true(scram_final(s, slice_of(v->server_first), &last,
		    &err));
		assert_true(slice_is(last, v->last));
		assert_true(scram_verify(s, slice_of(v->server_last), &err));
		assert_true(keys.set);
		if (i > 0)
			assert_memory_equal(client_key, keys.client_key, 32);
		memcpy(client_key, keys.client_key, sizeof(client_key));
		scram_free(s);
	}
	scram_keys_cleanse(&keys);
	assert_memory_equal(&keys, &empty, sizeof(keys));
}

/* The steps have an order. */
static void
test_order(void **state)
{
	const struct vector *v = &vectors[0];
	struct scram *s = scram_new(v->bits, v->user, v->password, v->nonce);
	struct slice last;
	struct error err;

	(void)state;
	assert_false(scram_final(s, slice_of(v->server_first), &last, &err));
	assert_false(scram_verify(s, slice_of("v=" "AAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAA="), &err));
	scram_free(s);
}

/* Each draws a nonce of its own. */
static void
test_nonces(void **state)
{
	struct scram *a = scram_new(256, "u", "p", NULL);
	struct scram *b = scram_new(256, "u", "p", NULL);

	(void)state;
	assert_false(slice_eq(scram_first(a), scram_first(b)));
	scram_free(a);
	scram_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_nonces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
