/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins with a key a second on one core, each mechanism's whole exchange on
 * the server's side; opening temporary credentials; loading a large key file.
 * The median of several rounds, by the CPU's clock.
 *	bench_sasl
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "auth/auth.h"
#include "auth/credentials.h"
#include "auth/keys_file.h"
#include "auth/seal.h"
#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "routing/scram.h"

enum { ROUNDS = 9, ROUND_NS = 200000000, KEYS = 100000 };

#define MASTER "a master key of at least 32 characters"

static struct auth *snapshot;
static struct seal *seal;
static struct key key;
static struct credentials temporary;
static struct scram_keys derived[2];
static const struct auth_peer peer = { "192.0.2.1", true, false, { 0 } };

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_sasl: %s failed\n", what);
	exit(1);
}

static void
load(void)
{
	static char folder[] = "/tmp/weir-bench-XXXXXX", master[] = MASTER;
	char keys[64], lock[80], identities[64];
	struct auth_settings s = {
		.cluster = { "aws", "us-east-1", "1", "c", "u" },
		.master_key = master, .keys_file = keys,
		.identities_file = identities,
	};
	struct credentials_request r = { .role = SLICE_LIT("app"),
	    .session = SLICE_LIT("bench"), .ttl_s = 3600 };
	struct error_list errs = { NULL, 0 };
	struct keys_file *f;
	struct error err;
	FILE *out;

	must(mkdtemp(folder) != NULL, "mkdtemp");
	snprintf(keys, sizeof(keys), "%s/keys", folder);
	snprintf(lock, sizeof(lock), "%s.lock", keys);
	snprintf(identities, sizeof(identities), "%s/ids", folder);
	out = fopen(identities, "we");
	must(out != NULL && fputs("{\"roles\": {\"app\": {}}}", out) >= 0 &&
	    fclose(out) == 0, "writing identities");
	seal = seal_new(MASTER, NULL);
	f = keys_file_open(keys, seal, KEYS_FILE_CREATE, &errs);
	must(f != NULL && keys_file_add(f, SLICE_LIT("alice"), 0, &key,
	    &err) && keys_file_save(f, &err), "writing keys");
	keys_file_close(f);
	snapshot = auth_load(&s, NULL, &errs);
	must(snapshot != NULL, "auth_load");
	must(credentials_issue(seal, &r, clock_wall_ms(), &temporary, &err),
	    "credentials_issue");
	unlink(keys);
	unlink(lock);
	unlink(identities);
	rmdir(folder);
}

static enum auth_result
say(struct auth_login *l, struct slice in, struct arena *a,
    struct auth_step *to)
{
	enum auth_result r = auth_login_step(l, in, a, to);

	must(r != AUTH_FAILED, to->error.text);
	return r;
}

static void
plain(void)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%c%s%c%s", 0, key.id, 0,
	    key.secret);
	struct auth_login *l = auth_login_new(snapshot, AUTH_PLAIN, &peer,
	    NULL);
	struct auth_step to;
	struct arena a;

	arena_init(&a, 0);
	say(l, (struct slice){ (uint8_t *)text, (uint32_t)n }, &a, &to);
	principal_unref(to.principal);
	auth_login_free(l);
	arena_fini(&a);
}

/* The client's share, without the derivation that it keeps, is in it. */
static void
scram(enum auth_mechanism m, int bits)
{
	struct scram *c = scram_new(bits, key.id, key.secret, NULL);
	struct auth_login *l = auth_login_new(snapshot, m, &peer, NULL);
	struct auth_step to;
	struct slice out;
	struct error err;
	struct arena a;

	arena_init(&a, 0);
	scram_use_keys(c, &derived[bits == 512]);
	say(l, scram_first(c), &a, &to);
	must(scram_final(c, to.out, &out, &err), err.text);
	must(say(l, out, &a, &to) == AUTH_DONE, "scram");
	principal_unref(to.principal);
	auth_login_free(l);
	arena_fini(&a);
	scram_free(c);
}

static void
scram_256(void)
{
	scram(AUTH_SCRAM_SHA_256, 256);
}

static void
scram_512(void)
{
	scram(AUTH_SCRAM_SHA_512, 512);
}

static void
session(void)
{
	struct auth_secret s;

	auth_find_secret(snapshot, slice_of(temporary.key_id),
	    slice_of(temporary.token), clock_wall_ms(), &s);
	must(s.principal != NULL, s.error.text);
	auth_secret_fini(&s);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
measure(const char *name, void (*once)(void))
{
	double ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = cpu_ns(), now;
		uint32_t n = 0;

		do {
			for (int j = 0; j < 20; j++)
				once();
			n += 20;
			now = cpu_ns();
		} while (now - start < ROUND_NS);
		ns[i] = (double)(now - start) / n;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare);
	printf("%-24s %9.1f us  %9.0f /s\n", name, ns[ROUNDS / 2] / 1000,
	    1e9 / ns[ROUNDS / 2]);
}

static void
measure_key_file(void)
{
	json_t *list = json_array(), *doc;
	struct error_list errs = { NULL, 0 };
	struct keys *keys;
	uint64_t start;
	char *text;

	for (int i = 0; i < KEYS; i++) {
		char user[16];
		struct key k = { .user = user, .rounds = KEYS_ROUNDS };

		snprintf(user, sizeof(user), "u%d", i / 2);
		keys_draw_id(KEYS_PREFIX, k.id);
		keys_draw_secret(k.secret);
		json_array_append_new(list, keys_to_json(&k, seal));
	}
	doc = json_pack("{s:i, s:o}", "version", 1, "keys", list);
	text = json_dumps(doc, JSON_INDENT(1));
	json_decref(doc);
	start = cpu_ns();
	keys = keys_parse(text, strlen(text), seal, &errs);
	must(keys != NULL, "keys_parse");
	printf("%-24s %9.0f ms  (%d keys, %zu MB)\n", "key file",
	    (double)(cpu_ns() - start) / 1e6, KEYS,
	    strlen(text) / 1000000);
	keys_unref(keys);
	free(text);
}

int
main(void)
{
	load();
	measure("PLAIN", plain);
	measure("SCRAM-SHA-256", scram_256);
	measure("SCRAM-SHA-512", scram_512);
	measure("temporary credentials", session);
	measure_key_file();
	return 0;
}
