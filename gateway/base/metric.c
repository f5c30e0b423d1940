/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/metric.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/mem.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };
enum label { NONE, API, ERROR, REASON, STATE, FAILURE };
enum scale { ONE, MICROS };

struct row {
	const char	*name, *help;
	enum kind	 kind;
	enum label	 label;
	enum scale	 scale;
	unsigned	 slot;
};

static const struct row rows[] = {
#define X(name, kind, label, scale, exported, help) \
	{ exported, help, kind, label, scale, METRIC_##name },
#include "gateway/base/metrics.def"
#undef X
};

static const unsigned labels[] = {
	METRIC_LABELS_NONE, METRIC_LABELS_API, METRIC_LABELS_ERROR,
	METRIC_LABELS_REASON, METRIC_LABELS_STATE, METRIC_LABELS_FAILURE,
};

/* Upper bounds in microseconds, 100 us to 60 s. */
static const uint32_t bounds[METRIC_BUCKETS] = {
	100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 5000000, 20000000, 60000000,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metrics *all;		/* under lock */
static struct metrics *ended;		/* under lock; counters only */

struct metrics *
metric_new(void)
{
	struct metrics *m = mem_zalloc(sizeof(*m));

	pthread_mutex_lock(&lock);
	m->next = all;
	all = m;
	pthread_mutex_unlock(&lock);
	return m;
}

static uint64_t
get(const struct metrics *m, unsigned slot)
{
	return atomic_load_explicit(&m->v[slot], memory_order_relaxed);
}

static void
keep_counters(const struct metrics *m)
{
	if (ended == NULL)
		ended = mem_zalloc(sizeof(*ended));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned end = i + 1 < sizeof(rows) / sizeof(rows[0]) ?
		    rows[i + 1].slot : METRIC_SLOTS;

		for (unsigned s = rows[i].slot;
		    rows[i].kind != GAUGE && s < end; s++) {
			if (get(m, s) != 0)
				metric_add(ended, s, get(m, s));
		}
	}
}

void
metric_free(struct metrics *m)
{
	struct metrics **at;

	if (m == NULL)
		return;
	pthread_mutex_lock(&lock);
	for (at = &all; *at != m; at = &(*at)->next)
		;
	*at = m->next;
	keep_counters(m);
	pthread_mutex_unlock(&lock);
	free(m);
}

static uint64_t
sum(unsigned slot)
{
	uint64_t n = ended != NULL ? get(ended, slot) : 0;

	for (const struct metrics *m = all; m != NULL; m = m->next)
		n += get(m, slot);
	return n;
}

uint64_t
metric_total(enum metric slot)
{
	uint64_t n;

	pthread_mutex_lock(&lock);
	n = sum(slot);
	pthread_mutex_unlock(&lock);
	return n;
}

unsigned
metric_bucket(uint64_t micros)
{
	unsigned i = 0;

	while (i < METRIC_BUCKETS && micros > bounds[i])
		i++;
	return i;
}

const char *
metric_state_name(enum metric_state s)
{
	static const char *const names[] = { "leased", "idle", "connecting" };

	return (unsigned)s < 3 ? names[s] : NULL;
}

void
metric_error(struct metrics *m, int api_key, int error_code)
{
	unsigned api = metric_api(0, api_key);
	unsigned code = METRIC_ERRORS - 1;

	if (error_code == 0)
		return;
	if (error_code >= -1 && error_code < METRIC_ERRORS - 2)
		code = (unsigned)(error_code + 1);
	metric_add(m, METRIC_REQUEST_ERRORS + api * METRIC_ERRORS + code, 1);
}

void
metric_request(struct metrics *m, int api_key, uint64_t micros, int error_code,
    uint64_t bytes_in, uint64_t bytes_out)
{
	unsigned h = METRIC_REQUEST_DURATION +
	    metric_api(0, api_key) * METRIC_WIDTH_HISTOGRAM;

	metric_add(m, metric_api(METRIC_REQUESTS, api_key), 1);
	metric_add(m, metric_api(METRIC_REQUEST_BYTES, api_key), bytes_in);
	metric_add(m, metric_api(METRIC_RESPONSE_BYTES, api_key), bytes_out);
	metric_add(m, h + metric_bucket(micros), 1);
	metric_add(m, h + METRIC_BUCKETS + 1, micros);
	metric_error(m, api_key, error_code);
}

/* `name="value"` of the i-th value of a label, or "". */
static void
label_text(const struct metric_names *names, enum label label, unsigned i,
    char *to, size_t size)
{
	const char *s = NULL, *code;
	unsigned error = i % METRIC_ERRORS;

	to[0] = '\0';
	switch (label) {
	case NONE:
		return;
	case API:
		s = i < METRIC_APIS - 1 ? names->api((int)i) : NULL;
		snprintf(to, size, "api=\"%s\"", s ? s : "other");
		return;
	case ERROR:
		i /= METRIC_ERRORS;
		s = i < METRIC_APIS - 1 ? names->api((int)i) : NULL;
		code = error < METRIC_ERRORS - 1 ?
		    names->error((int)error - 1) : NULL;
		snprintf(to, size, "api=\"%s\",error=\"%s\"",
		    s ? s : "other", code ? code : "other");
		return;
	case REASON:
		s = i < METRIC_REASONS - 1 ? names->reason((int)i) : NULL;
		snprintf(to, size, "reason=\"%s\"", s ? s : "other");
		return;
	case FAILURE:
		s = i < METRIC_FAILURES - 1 ? names->failure((int)i) : NULL;
		snprintf(to, size, "reason=\"%s\"", s ? s : "other");
		return;
	case STATE:
		s = metric_state_name((enum metric_state)i);
		snprintf(to, size, "state=\"%s\"", s ? s : "other");
		return;
	}
}

static void
print_value(FILE *f, enum scale scale, uint64_t value)
{
	if (scale == MICROS)
		fprintf(f, "%" PRIu64 ".%06u\n", value / 1000000,
		    (unsigned)(value % 1000000));
	else
		fprintf(f, "%" PRId64 "\n", (int64_t)value);
}

static void
print_histogram(FILE *f, const struct row *r, const char *label,
    const uint64_t *v)
{
	const char *comma = label[0] != '\0' ? "," : "";
	const char *open = label[0] != '\0' ? "{" : "";
	const char *close = label[0] != '\0' ? "}" : "";
	uint64_t n = 0;

	for (unsigned i = 0; i < METRIC_BUCKETS; i++) {
		n += v[i];
		fprintf(f, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", r->name,
		    label, comma, bounds[i] / 1e6, n);
	}
	n += v[METRIC_BUCKETS];
	fprintf(f, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", r->name, label,
	    comma, n);
	fprintf(f, "%s_sum%s%s%s ", r->name, open, label, close);
	print_value(f, r->scale, v[METRIC_BUCKETS + 1]);
	fprintf(f, "%s_count%s%s%s %" PRIu64 "\n", r->name, open, label, close,
	    n);
}

static void
print_row(FILE *f, const struct row *r, const struct metric_names *names)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	unsigned width = r->kind == HISTOGRAM ? METRIC_WIDTH_HISTOGRAM : 1;
	uint64_t v[METRIC_WIDTH_HISTOGRAM], any;
	char label[160];

	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help, r->name,
	    types[r->kind]);
	for (unsigned i = 0; i < labels[r->label]; i++) {
		any = r->label == NONE;
		for (unsigned w = 0; w < width; w++)
			any |= v[w] = sum(r->slot + i * width + w);
		if (any == 0)
			continue;
		label_text(names, r->label, i, label, sizeof(label));
		if (r->kind == HISTOGRAM) {
			print_histogram(f, r, label, v);
			continue;
		}
		fprintf(f, label[0] != '\0' ? "%s{%s} " : "%s%s ", r->name,
		    label);
		print_value(f, r->scale, v[0]);
	}
}

char *
metric_render(const struct metric_names *names)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		abort();
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		print_row(f, &rows[i], names);
	pthread_mutex_unlock(&lock);
	if (fclose(f) != 0)
		abort();
	return text;
}
