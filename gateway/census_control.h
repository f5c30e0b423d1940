/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a census is held (census.h): at once at the start and when limits have
 * changed, then each quota.census_ms, earlier when a worker wishes, when topics
 * have changed or another node of the fleet has news, and soon again where
 * brokers did not answer. Never while nobody has a limit that needs one.
 *
 * Ownership: the gateway's; made at the first tick. Thread: control, but for
 * census_wish and census_doubt.
 * Bounds: one census at a time, CENSUS_GAP_MS from one's end to the next one's
 * begin at least, or ten times as long as it took (up to CENSUS_AGAIN_MS).
 */
#ifndef WEIR_CENSUS_CONTROL_H
#define WEIR_CENSUS_CONTROL_H

#include <stdbool.h>

#include "gateway/base/slice.h"

struct gateway;

enum {
	CENSUS_GAP_MS = 500,
	CENSUS_SOON_MS = 1000,	/* what was made shows by then */
	CENSUS_AGAIN_MS = 5000,	/* after a failure, or while what was made does
				 * not show */
	/* How long a request waits for one: until one that takes 1.5 s is over,
	 * then the gap after it, and the next one. */
	CENSUS_WAIT_MS = 8000,
	CENSUS_DOUBTS_MAX = 1000,	/* then all are */
};

void	 census_control_tick(struct gateway *g);
/* Another node of the fleet has made or deleted something. Thread: control. */
void	 census_news(struct gateway *g);
/* Something was made or deleted; `now`: a request waits for it. Thread: any. */
void	 census_wish(struct gateway *g, bool now);
/* Whether that (physical) topic is compacted may have changed. Thread: any. */
void	 census_doubt(struct gateway *g, struct slice topic);
/* After the workers. */
void	 census_control_free(struct gateway *g);

#endif
