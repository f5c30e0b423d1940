/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, replaceable in tests. All durations use the monotonic clock; the wall
 * clock is only for what is shown or signed.
 * Thread: any (the replacement is set before threads start).
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdint.h>

int64_t	clock_now_us(void);		/* monotonic, microseconds */
int64_t	clock_wall_ms(void);		/* since 1970, milliseconds */
/* Tests: from now on both clocks show what the callback says (NULL: real). */
void	clock_replace(int64_t (*now_us)(void));

#endif
