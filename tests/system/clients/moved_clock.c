/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a process: its wall clock is as far off as the file that
 * MOVED_CLOCK names says (seconds, a native int64_t), from then on and whenever
 * that changes. CLOCK_MONOTONIC goes on as it is.
 *
 * Debian's libfaketime does not do for a redis-server: it allocates memory in
 * the first call, which jemalloc makes while it starts itself.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t
off_by(void)
{
	static volatile const int64_t *seconds;
	const char *path = seconds == NULL ? getenv("MOVED_CLOCK") : NULL;

	if (path != NULL) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*seconds),
		    PROT_READ, MAP_SHARED, fd, 0);

		if (fd >= 0)
			close(fd);
		if (page != MAP_FAILED)
			seconds = page;
	}
	return seconds != NULL ? *seconds : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *to)
{
	int status = (int)syscall(SYS_clock_gettime, clock, to);

	if (status == 0 && (clock == CLOCK_REALTIME ||
	    clock == CLOCK_REALTIME_COARSE))
		to->tv_sec += off_by();
	return status;
}

int
gettimeofday(struct timeval *restrict to, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	to->tv_sec = now.tv_sec;
	to->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *to)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (to != NULL)
		*to = now.tv_sec;
	return now.tv_sec;
}
