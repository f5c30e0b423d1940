/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of limits, as Prometheus' text.
 *
 * Thread: control.
 * Bounds: LIMITS_METRICS_TENANTS tenants, those whose limits held up longest,
 * each dimension once; LIMITS_METRICS_PARTITIONS partitions, likewise.
 * Principals and client ids are no labels.
 */
#ifndef WEIR_LIMITS_METRICS_H
#define WEIR_LIMITS_METRICS_H

#include <stdio.h>

enum { LIMITS_METRICS_TENANTS = 200, LIMITS_METRICS_PARTITIONS = 20 };

struct quota;

void	 limits_metrics(struct quota *q, FILE *f);

#endif
