/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decoding, walking and encoding cost, in nanoseconds a message: the
 * median of several rounds. For comparing one's own changes; a machine's load
 * and clock are in the figures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/mem.h"
#include "wire/messages.h"

enum { ROUNDS = 15, ROUND_NS = 10000000, SEED = 2048 };
enum { RECORDS = 10 * 1024 };

struct sample {
	const char		*name;
	const struct message	*m;
	int			 version;
	struct block		*block;		/* the encoded message */
	void			*obj;
	struct arena		 arena;		/* obj's */
	void			*scratch;	/* of the decoder's arena */
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
decode_once(struct sample *s)
{
	struct arena a;
	struct reader r;

	arena_init_in(&a, s->block->size * CODEC_ARENA_FACTOR + 4096,
	    s->scratch, SEED);
	reader_init(&r, s->block->data, s->block->size, s->block);
	if (codec_decode(&r, s->m, s->version, &a) == NULL) {
		fprintf(stderr, "%s: %s\n", s->name, r.fault);
		exit(1);
	}
	arena_fini(&a);
}

static enum codec_walk
visit(void *arg, const struct field *f, void *value, void *parent)
{
	uint64_t *sum = arg;

	(void)parent;
	if (f->meaning == MEANING_broker)
		*sum += *(uint32_t *)value;
	return CODEC_KEEP;
}

static void
walk_once(struct sample *s)
{
	uint64_t sum = 0;

	codec_walk(s->m, s->version, s->obj, visit, &sum);
	__asm__ volatile("" : : "r"(sum));	/* it is used */
}

static void
encode_once(struct sample *s)
{
	struct chain c;
	struct writer w;

	chain_init(&c);
	writer_init(&w, &c);
	if (!codec_encode(&w, s->m, s->version, s->obj, NULL))
		exit(1);
	writer_finish(&w);
	chain_fini(&c);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
measure(struct sample *s, void (*once)(struct sample *))
{
	double ns[ROUNDS];

	once(s);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns(), n = 0, spent;

		do {
			for (int k = 0; k < 8; k++, n++)
				once(s);
			spent = now_ns() - start;
		} while (spent < ROUND_NS);
		ns[i] = (double)spent / (double)n;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_size);
	return ns[ROUNDS / 2];
}

/* ---- messages ---- */

static struct slice
name_of(struct arena *a, const char *what, int i)
{
	return arena_printf(a, "%s-with-a-name-%04d", what, i);
}

static void
set_ids(int32_t **v, int32_t *n, struct arena *a, int first)
{
	*v = ARENA_ARRAY(a, int32_t, 3);
	*n = 3;
	for (int i = 0; i < 3; i++)
		(*v)[i] = (first + i) % 3;
}

static void *
make_metadata(struct arena *a)
{
	struct metadata_response *m = codec_new(&metadata_response_message, a);

	m->brokers.v = codec_array(&metadata_response_brokers_message, a,
	    m->brokers.n = 3);
	m->topics.v = codec_array(&metadata_response_topics_message, a,
	    m->topics.n = 1000);
	for (int i = 0; i < m->topics.n; i++) {
		struct metadata_response_topics *t = &m->topics.v[i];

		t->name = name_of(a, "topic", i);
		t->partitions.v = codec_array(
		    &metadata_response_topics_partitions_message, a,
		    t->partitions.n = 3);
		for (int k = 0; k < 3; k++) {
			struct metadata_response_topics_partitions *p =
			    &t->partitions.v[k];

			p->partition_index = k;
			p->leader_id = k;
			set_ids(&p->replica_nodes.v, &p->replica_nodes.n, a, k);
			set_ids(&p->isr_nodes.v, &p->isr_nodes.n, a, k);
		}
	}
	return m;
}

static void *
make_produce(struct arena *a)
{
	struct produce_request *m = codec_new(&produce_request_message, a);
	struct produce_request_topic_data *t;
	struct block *b = block_new(RECORDS);

	memset(b->data, 0, RECORDS);
	arena_hold(a, b);
	block_unref(b);
	m->acks = -1;
	m->topic_data.v = t = codec_array(&produce_request_topic_data_message,
	    a, m->topic_data.n = 1);
	t->name = name_of(a, "topic", 0);
	t->partition_data.v = codec_array(
	    &produce_request_topic_data_partition_data_message, a,
	    t->partition_data.n = 10);
	for (int i = 0; i < 10; i++) {
		t->partition_data.v[i].index = i;
		t->partition_data.v[i].records =
		    (struct records){ b->data, RECORDS, b };
	}
	return m;
}

static void *
make_fetch(struct arena *a)
{
	struct fetch_request *m = codec_new(&fetch_request_message, a);
	struct fetch_request_topics *t;

	m->topics.v = t = codec_array(&fetch_request_topics_message, a,
	    m->topics.n = 1);
	t->partitions.v = codec_array(&fetch_request_topics_partitions_message,
	    a, t->partitions.n = 10);
	for (int i = 0; i < 10; i++)
		t->partitions.v[i].partition = i;
	return m;
}

static void *
make_fetched(struct arena *a)
{
	struct fetch_response *m = codec_new(&fetch_response_message, a);
	struct fetch_response_responses *t;
	struct block *b = block_new(RECORDS);

	memset(b->data, 0, RECORDS);
	arena_hold(a, b);
	block_unref(b);
	m->responses.v = t = codec_array(&fetch_response_responses_message, a,
	    m->responses.n = 1);
	t->partitions.v = codec_array(
	    &fetch_response_responses_partitions_message, a,
	    t->partitions.n = 10);
	for (int i = 0; i < 10; i++) {
		t->partitions.v[i].partition_index = i;
		t->partitions.v[i].aborted_transactions.n = -1;
		t->partitions.v[i].records =
		    (struct records){ b->data, RECORDS, b };
	}
	return m;
}

/* The object that is measured is a decoded one, laid out as in life. */
static void
prepare(struct sample *s, void *(*make)(struct arena *))
{
	struct error err;
	struct arena a;
	struct chain c;
	struct writer w;
	struct reader r;

	arena_init(&a, 0);
	chain_init(&c);
	writer_init(&w, &c);
	if (!codec_encode(&w, s->m, s->version, make(&a), &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	writer_finish(&w);
	s->block = block_new(c.bytes);
	chain_copy_out(&c, s->block->data);
	chain_fini(&c);
	arena_fini(&a);
	s->scratch = mem_alloc(SEED);
	arena_init(&s->arena, 0);
	reader_init(&r, s->block->data, s->block->size, s->block);
	s->obj = codec_decode(&r, s->m, s->version, &s->arena);
	if (s->obj == NULL)
		exit(1);
}

static void
run(struct sample s, void *(*make)(struct arena *))
{
	prepare(&s, make);
	printf("%-44s %9zu", s.name, s.block->size);
	printf(" %10.0f", measure(&s, decode_once));
	printf(" %10.0f", measure(&s, walk_once));
	printf(" %10.0f\n", measure(&s, encode_once));
	arena_fini(&s.arena);
	block_unref(s.block);
	free(s.scratch);
}

int
main(void)
{
	printf("%-44s %9s %10s %10s %10s\n", "message", "bytes", "decode ns",
	    "walk ns", "encode ns");
	run((struct sample){ .name = "Metadata v12 reply, 1,000 topics x 3",
	    .m = &metadata_response_message, .version = 12 }, make_metadata);
	run((struct sample){ .name = "Produce v9, 10 partitions of 10 KiB",
	    .m = &produce_request_message, .version = 9 }, make_produce);
	run((struct sample){ .name = "Fetch v12, 10 partitions",
	    .m = &fetch_request_message, .version = 12 }, make_fetch);
	run((struct sample){ .name = "Fetch v12 reply, 10 partitions of 10 KiB",
	    .m = &fetch_response_message, .version = 12 }, make_fetched);
	return 0;
}
