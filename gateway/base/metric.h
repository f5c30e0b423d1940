/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and gauges. Each thread has its own set and is its only writer, so
 * that counting is a load, an add and a store; a scrape sums all sets. The rows
 * are in metrics.def, names of label values are the renderer's callbacks.
 *
 * Ownership: metric_new registers the set; metric_free adds its counters to
 * those of ended threads, so that no sum ever goes back.
 * Thread: the set's own for writing; reading and rendering any.
 * Bounds: every label has a fixed number of values; what lies outside is
 * counted in the last one ("other"). A set takes 200 KiB of address space, of
 * which what is counted becomes resident.
 */
#ifndef WEIR_BASE_METRIC_H
#define WEIR_BASE_METRIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	METRIC_BUCKETS = 16,	/* of a histogram, and one more for the rest */
	METRIC_APIS = 96,	/* api keys 0 .. 94, and other */
	METRIC_ERRORS = 144,	/* error codes -1 .. 141, and other */
	METRIC_REASONS = 40,
	METRIC_STATES = 4,
	METRIC_FAILURES = 40,
};

/* Slots that a row takes, by its label and kind. */
enum {
	METRIC_LABELS_NONE = 1,
	METRIC_LABELS_API = METRIC_APIS,
	METRIC_LABELS_ERROR = METRIC_APIS * METRIC_ERRORS,
	METRIC_LABELS_REASON = METRIC_REASONS,
	METRIC_LABELS_STATE = METRIC_STATES,
	METRIC_LABELS_FAILURE = METRIC_FAILURES,
	METRIC_WIDTH_COUNTER = 1,
	METRIC_WIDTH_GAUGE = 1,
	METRIC_WIDTH_HISTOGRAM = METRIC_BUCKETS + 2,	/* rest, sum */
};

/* The first slot of each row. */
enum metric {
#define X(name, kind, label, scale, exported, help) \
	METRIC_##name, METRIC_LAST_##name = METRIC_##name + \
	    METRIC_LABELS_##label * METRIC_WIDTH_##kind - 1,
#include "gateway/base/metrics.def"
#undef X
	METRIC_SLOTS
};

enum metric_state { METRIC_LEASED, METRIC_IDLE, METRIC_CONNECTING };

struct metrics {
	struct metrics		*next;		/* the registry's */
	_Atomic uint64_t	 v[METRIC_SLOTS];
};

/* Names of label values. A name is a constant of [A-Za-z0-9_]; NULL: "other".
 */
struct metric_names {
	const char	*(*api)(int api_key);
	const char	*(*error)(int error_code);
	const char	*(*reason)(int reason);
	const char	*(*failure)(int failure);
};

struct metrics	*metric_new(void);
void		 metric_free(struct metrics *m);
/* The sum over all threads, ended ones too. Thread: any. */
uint64_t	 metric_total(enum metric slot);
/* All rows as Prometheus' text format 0.0.4; the caller frees. Rows with a
 * label show only what was ever counted. Thread: any. */
char		*metric_render(const struct metric_names *names);
/* Where a row's histogram counts this duration: 0 .. METRIC_BUCKETS. */
unsigned	 metric_bucket(uint64_t micros);
const char	*metric_state_name(enum metric_state s);

static inline void
metric_add(struct metrics *m, unsigned slot, uint64_t n)
{
	uint64_t was = atomic_load_explicit(&m->v[slot], memory_order_relaxed);

	atomic_store_explicit(&m->v[slot], was + n, memory_order_relaxed);
}

static inline void
metric_set(struct metrics *m, unsigned slot, uint64_t value)
{
	atomic_store_explicit(&m->v[slot], value, memory_order_relaxed);
}

/* Gauges which go up and down. */
static inline void
metric_sub(struct metrics *m, unsigned slot, uint64_t n)
{
	metric_add(m, slot, 0 - n);
}

/* The slot of a label's value; whatever the value, it is inside the row. */
static inline unsigned
metric_api(enum metric row, int api_key)
{
	return (unsigned)row + (api_key >= 0 && api_key < METRIC_APIS - 1 ?
	    (unsigned)api_key : METRIC_APIS - 1);
}

static inline unsigned
metric_reason(enum metric row, int reason)
{
	return (unsigned)row + (reason >= 0 && reason < METRIC_REASONS - 1 ?
	    (unsigned)reason : METRIC_REASONS - 1);
}

static inline unsigned
metric_failure(enum metric row, int failure)
{
	return (unsigned)row + (failure >= 0 && failure < METRIC_FAILURES - 1 ?
	    (unsigned)failure : METRIC_FAILURES - 1);
}

static inline unsigned
metric_state(enum metric row, enum metric_state s)
{
	return (unsigned)row + (unsigned)s;
}

/* Counts an error code in a reply to a client; 0 is none. */
void		 metric_error(struct metrics *m, int api_key, int error_code);
/* Counts a request that was answered. bytes are whole frames. */
void		 metric_request(struct metrics *m, int api_key,
		    uint64_t micros, int error_code, uint64_t bytes_in,
		    uint64_t bytes_out);

#endif
