/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t (*replacement)(void);

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_now_us(void)
{
	return replacement ? replacement() : read_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return (replacement ? replacement() : read_us(CLOCK_REALTIME)) / 1000;
}

void
clock_replace(int64_t (*now_us)(void))
{
	replacement = now_us;
}
