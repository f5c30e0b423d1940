/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins a second on one core, each mechanism's whole step: message in,
 * verdict and answer out. The median of several rounds, by the CPU's clock.
 *	bench_auth [NAME]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/presigned.h"
#include "auth/sigv4_client.h"
#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "tests/unit/signed_stand_ins.h"

enum { ROUNDS = 9, ROUND_NS = 200000000, SCRATCH = 16 * 1024 };

#define KEY "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define HOST "b-1.demo.us-east-1.weir.example.com"

/* ---- a snapshot with one key ---- */

void
auth_find_secret(struct auth *a, struct slice key_id, struct slice token,
    int64_t now_ms, struct auth_secret *to)
{
	(void)a;
	(void)token;
	(void)now_ms;
	to->len = sizeof(SECRET) - 1;
	memcpy(to->secret, SECRET, to->len);
	if (slice_is(key_id, KEY))
		to->principal = principal_new(PRINCIPAL_USER, "aws",
		    "123456789012", SLICE_LIT("alice"), SLICE_NULL);
	to->failure = AUTH_FAILURE_UNKNOWN_KEY;
}

/* ---- what is measured ---- */

struct row {
	const char	*name;
	enum auth_result want;
	enum auth_result (*login)(struct auth_login *l, struct slice in,
			    struct arena *a, struct auth_step *to);
	struct slice	 in;
};

static enum auth_result
login_message(struct auth_login *l, struct slice in, struct arena *a,
    struct auth_step *to)
{
	return auth_msk_iam.step(l, NULL, in, a, to);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
login_once(const struct row *r, struct auth_login *l)
{
	static char scratch[SCRATCH];
	struct arena a;
	struct auth_step to;

	memset(&to, 0, sizeof(to));
	arena_init_in(&a, 0, scratch, sizeof(scratch));
	if (r->login(l, r->in, &a, &to) != r->want) {
		fprintf(stderr, "%s: %s\n", r->name, to.error.text);
		exit(1);
	}
	principal_unref(to.principal);
	arena_fini(&a);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
measure(const struct row *r, struct auth_login *l)
{
	double ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t from = cpu_ns(), took;
		unsigned int n = 0;

		do {
			login_once(r, l);
			n++;
		} while ((took = cpu_ns() - from) < ROUND_NS);
		ns[i] = (double)took / n;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%-34s %8.0f logins/s %8.2f us\n", r->name,
	    1e9 / ns[ROUNDS / 2], ns[ROUNDS / 2] / 1000);
}

static struct slice
made(struct auth_login *l, struct arena *a, bool as_token,
    struct sigv4_client who)
{
	struct slice text;
	struct error err;

	who.region = "us-east-1";
	who.host = as_token ? NULL : HOST;
	who.user_agent = "aws-msk-iam-auth/2.3.5/aws-sdk-java/2.36.3";
	who.expires_s = 900;
	if (as_token ? !sigv4_client_token(l->cache, &who, clock_wall_ms(), a,
	    &text, &err) : !sigv4_client_message(l->cache, &who,
	    clock_wall_ms(), a, &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return text;
}

int
main(int argc, char **argv)
{
	static char region[] = "us-east-1", host[] = HOST, token[801];
	static char *regions[] = { region }, *hosts[] = { host };
	struct auth_login l = { auth_cache_new() };
	struct arena a;
	const struct sigv4_client lasting = { .key_id = KEY,
	    .secret = SECRET };
	const struct sigv4_client temporary = { .key_id = KEY,
	    .secret = SECRET, .token = token };
	const struct sigv4_client wrong = { .key_id = KEY, .secret = "x" };
	const struct sigv4_client unknown = { .key_id = "K", .secret = "x" };

	arena_init(&a, 0);
	memset(token, '/', sizeof(token) - 1);
	settings.regions = (struct auth_names){ regions, 1 };
	settings.hosts = (struct auth_names){ hosts, 1 };
	settings.skew_s = 300;
	settings.expires_max_s = 900;
	const struct row rows[] = {
		{ "AWS_MSK_IAM", AUTH_DONE, login_message,
		  made(&l, &a, false, lasting) },
		{ "AWS_MSK_IAM, 800 bytes of token", AUTH_DONE, login_message,
		  made(&l, &a, false, temporary) },
		{ "AWS_MSK_IAM, wrong secret", AUTH_FAILED, login_message,
		  made(&l, &a, false, wrong) },
		{ "AWS_MSK_IAM, unknown key", AUTH_FAILED, login_message,
		  made(&l, &a, false, unknown) },
		{ "presigned", AUTH_DONE, presigned_verify,
		  made(&l, &a, true, lasting) },
		{ "presigned, 800 bytes of token", AUTH_DONE, presigned_verify,
		  made(&l, &a, true, temporary) },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (argc < 2 || strstr(rows[i].name, argv[1]) != NULL)
			measure(&rows[i], &l);
	auth_cache_free(l.cache);
	arena_fini(&a);
	return 0;
}
