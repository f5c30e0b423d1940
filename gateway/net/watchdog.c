/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/watchdog.h"

#include <assert.h>
#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop.h"

enum {
	FRAMES_MAX = 64,
	BARK_MS = 2000,		/* for the thread to show its backtrace */
	BARK_S = 5,		/* then the process ends in any case */
};

struct watched {
	const struct loop	*loop;
	pthread_t		 thread;
	uint64_t		 turn;		/* as it was last seen */
	int64_t			 for_us;	/* it has been going on */
};

struct watchdog {
	int64_t			 limit_us, last_us;
	int			 n;
	struct watched		 v[WATCHDOG_LOOPS];
};

struct watchdog *
watchdog_new(int64_t limit_us)
{
	struct watchdog *w = mem_zalloc(sizeof(*w));

	w->limit_us = limit_us;
	return w;
}

void
watchdog_free(struct watchdog *w)
{
	free(w);
}

void
watchdog_add(struct watchdog *w, const struct loop *l, pthread_t thread)
{
	assert(w->n < WATCHDOG_LOOPS);
	w->v[w->n++] = (struct watched){ .loop = l, .thread = thread };
}

/* Odd: inside a turn. */
static bool
hangs(struct watched *o, int64_t step_us, int64_t limit_us)
{
	uint64_t turn = loop_turn_mark(o->loop);

	if (turn % 2 == 0 || turn != o->turn)
		o->for_us = 0;
	else
		o->for_us += step_us;
	o->turn = turn;
	return o->for_us >= limit_us;
}

int
watchdog_look(struct watchdog *w, int64_t now_us)
{
	int64_t step_us = now_us - w->last_us;
	int found = -1;

	if (step_us > w->limit_us / WATCHDOG_STEPS)
		step_us = w->limit_us / WATCHDOG_STEPS;
	w->last_us = now_us;
	for (int i = 0; i < w->n; i++)
		if (hangs(&w->v[i], step_us, w->limit_us))
			found = i;
	return found;
}

/* The handler has been taken off: raising it again ends the process. */
static void
on_abort(int sig)
{
	static const char head[] = "weir: aborted here:\n";
	void *frames[FRAMES_MAX];
	int n;

	alarm(BARK_S);
	n = backtrace(frames, FRAMES_MAX);
	if (write(STDERR_FILENO, head, sizeof(head) - 1) > 0)
		backtrace_symbols_fd(frames, n, STDERR_FILENO);
	raise(sig);
}

void
watchdog_show_aborts(void)
{
	struct sigaction a;
	void *frame;

	/* The first call loads a library, which a handler must not do. */
	if (backtrace(&frame, 1) < 0)
		return;
	memset(&a, 0, sizeof(a));
	a.sa_handler = on_abort;
	a.sa_flags = (int)SA_RESETHAND | SA_NODEFER;
	sigaction(SIGABRT, &a, NULL);
	signal(SIGALRM, SIG_DFL);
}

/* Not through the log: its lock may be what the thread waits for. */
void
watchdog_bark(struct watchdog *w, int which)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "weir: worker %d has been in "
	    "one turn for over %lld ms: the process is aborted\n", which,
	    (long long)w->limit_us / 1000);

	alarm(BARK_S);
	if (write(STDERR_FILENO, line, (size_t)len) == len &&
	    pthread_kill(w->v[which].thread, SIGABRT) == 0)
		poll(NULL, 0, BARK_MS);
	signal(SIGABRT, SIG_DFL);
	abort();
}
