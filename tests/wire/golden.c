/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the vectors that Golden.java wrote, decodes each with the schema, walks
 * it and encodes it: the bytes must come out as they went in. One case is one
 * (message, version); a case without a vector, or a vector without a case, is a
 * failure.
 *
 *	golden FILE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "wire/messages.h"

enum { KIND_REQUEST, KIND_RESPONSE, KIND_PLAIN, KINDS };
enum { VERSIONS_MAX = 32, KEYS_MAX = 128, TEXT_MAX = 1 << 16 };
enum { HEAD = 4 + 8, VECTOR_HEAD = 1 + 2 + 2 + 4 };

static struct {
	uint32_t	passed, failed;
} cases[KINDS][KEYS_MAX][VERSIONS_MAX];

static const struct message *const plain[] = {
	&consumer_protocol_subscription_message,
	&consumer_protocol_assignment_message,
};

static const struct message *
find_message(int kind, int key)
{
	const struct api_schema *api;

	if (kind == KIND_PLAIN)
		return key >= 0 && key < 2 ? plain[key] : NULL;
	api = api_schema_find((int16_t)key);
	if (api == NULL)
		return NULL;
	return kind == KIND_REQUEST ? api->request : api->response;
}

static enum codec_walk
keep(void *arg, const struct field *f, void *value, void *parent)
{
	(void)arg;
	(void)f;
	(void)value;
	(void)parent;
	return CODEC_KEEP;
}

static bool
same_bytes(const struct chain *c, const uint8_t *want, size_t n,
    struct error *err)
{
	uint8_t *got = mem_alloc(c->bytes + 1);
	size_t at = 0;

	chain_copy_out(c, got);
	while (at < n && at < c->bytes && got[at] == want[at])
		at++;
	free(got);
	return (at == n && at == c->bytes) || error_set(err,
	    "%zu bytes became %zu, other from byte %zu", n, c->bytes, at);
}

static bool
check_vector(const struct message *m, int version, const uint8_t *p, size_t n,
    struct error *err)
{
	struct chain c;
	struct reader r;
	struct writer w;
	struct arena a;
	void *obj;
	bool ok;

	arena_init(&a, 0);
	chain_init(&c);
	writer_init(&w, &c);
	reader_init(&r, p, n, NULL);
	obj = codec_decode(&r, m, version, &a);
	if (obj == NULL) {
		ok = error_set(err, "%s", r.fault);
	} else if (r.p != r.end) {
		ok = error_set(err, "%zd bytes left", r.end - r.p);
	} else {
		codec_walk(m, version, obj, keep, NULL);
		ok = codec_encode(&w, m, version, obj, err);
	}
	writer_finish(&w);
	ok = ok && same_bytes(&c, p, n, err);
	chain_fini(&c);
	arena_fini(&a);
	return ok;
}

/* Faults are shown once a case, with the message as far as it goes. */
static void
report(const struct message *m, int version, const uint8_t *p, size_t n,
    const struct error *err)
{
	static char text[TEXT_MAX];
	struct reader r;
	struct arena a;
	void *obj;

	printf("%s version %d: %s\n  bytes:", m->name, version, err->text);
	for (size_t i = 0; i < n && i < 200; i++)
		printf(" %02x", p[i]);
	printf("\n");
	arena_init(&a, 0);
	reader_init(&r, p, n, NULL);
	obj = codec_decode(&r, m, version, &a);
	if (obj != NULL && codec_print(m, version, obj, text, sizeof(text)))
		printf("%s", text);
	arena_fini(&a);
}

static uint64_t
load(const uint8_t *p, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* Returns the bytes that the vector takes, or 0 when the file is broken. */
static size_t
read_vector(const uint8_t *p, size_t left)
{
	struct error err = { "" };
	const struct message *m;
	int kind, key, version;
	size_t n;

	if (left < VECTOR_HEAD)
		return 0;
	kind = p[0];
	key = (int)load(p + 1, 2);
	version = (int)load(p + 3, 2);
	n = load(p + 5, 4);
	if (n > left - VECTOR_HEAD || kind >= KINDS || key >= KEYS_MAX ||
	    version >= VERSIONS_MAX)
		return 0;
	p += VECTOR_HEAD;
	m = find_message(kind, key);
	if (m != NULL && check_vector(m, version, p, n, &err)) {
		cases[kind][key][version].passed++;
	} else if (m == NULL) {
		printf("no message for kind %d key %d\n", kind, key);
		cases[kind][key][version].failed++;
	} else if (cases[kind][key][version].failed++ == 0) {
		report(m, version, p, n, &err);
	}
	return VECTOR_HEAD + n;
}

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL;
	long n;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 &&
	    fseek(f, 0, SEEK_SET) == 0) {
		p = mem_alloc((size_t)n + 1);
		*size = fread(p, 1, (size_t)n, f);
	}
	fclose(f);
	return p;
}

/* Each message version of the schema must have passed and not failed. */
static bool
summary(void)
{
	int passed = 0, failed = 0;

	for (int kind = 0; kind < KINDS; kind++)
		for (int key = 0; key < KEYS_MAX; key++) {
			const struct message *m = find_message(kind, key);

			for (int v = 0; v < VERSIONS_MAX; v++) {
				bool ours = m && v >= m->since && v <= m->until;
				uint32_t bad = cases[kind][key][v].failed;

				if (ours && cases[kind][key][v].passed == 0 &&
				    bad++ == 0)
					printf("%s version %d: no vector "
					    "passed\n", m->name, v);
				passed += ours && bad == 0;
				failed += bad > 0;
			}
		}
	printf("%d passed, %d failed\n", passed, failed);
	return failed == 0;
}

int
main(int argc, char **argv)
{
	uint8_t *file;
	size_t size = 0, at = HEAD, n;
	int vectors = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: golden FILE\n");
		return 2;
	}
	file = read_file(argv[1], &size);
	if (file == NULL || size < HEAD || memcmp(file, "WGV1", 4) != 0) {
		fprintf(stderr, "%s: no vectors\n", argv[1]);
		return 2;
	}
	for (; at < size; at += n, vectors++) {
		n = read_vector(file + at, size - at);
		if (n == 0) {
			fprintf(stderr, "%s: broken at byte %zu\n", argv[1],
			    at);
			return 2;
		}
	}
	printf("%d vectors, seed %lld\n", vectors,
	    (long long)load(file + 4, 8));
	free(file);
	return summary() ? 0 : 1;
}
