/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What something takes that is too short to be timed by itself: nanoseconds of
 * one, the median of several rounds.
 * Ownership: none. Thread: the benchmark's.
 */
#ifndef WEIR_TESTS_BENCH_TIME_H
#define WEIR_TESTS_BENCH_TIME_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 15, ROUND_NS = 10000000 };

static inline uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double
median(void (*once)(void))
{
	double v[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns(), end = begin, n = 0;

		for (; end - begin < ROUND_NS; end = now_ns())
			for (int j = 0; j < 64; j++, n++)
				once();
		v[i] = (double)(end - begin) / (double)n;
	}
	qsort(v, ROUNDS, sizeof(v[0]), compare);
	return v[ROUNDS / 2];
}

#endif
