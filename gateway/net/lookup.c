/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/net/lookup.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/mem.h"
#include "gateway/net/loop_private.h"

/* Two hold it: who asked, and the thread while it runs. What the thread found
 * is written before `there`, and read after it. */
struct lookup {
	atomic_int	 refs;
	atomic_bool	 there;
	char		*host;
	int		 flags;		/* getaddrinfo's */
	struct addrinfo	*found;		/* or NULL */
	int		 fault;
	int		 fd;		/* an eventfd: it is there */
	/* The loop's alone. */
	struct loop	*loop;
	struct event	 event;
	void		(*done)(void *arg, const struct addrinfo *found,
			    int fault);
	void		*arg;
};

static atomic_int threads;

static void
unref(struct lookup *k)
{
	if (atomic_fetch_sub(&k->refs, 1) != 1)
		return;
	if (k->found != NULL)
		freeaddrinfo(k->found);
	if (k->fd >= 0)
		close(k->fd);
	free(k->host);
	free(k);
}

static void
tell(struct lookup *k)
{
	uint64_t one = 1;

	atomic_store(&k->there, true);
	if (write(k->fd, &one, sizeof(one)) < 0)
		abort();	/* it is written to once: it cannot be full */
}

static void
look_up(struct lookup *k, int flags)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = flags };

	k->fault = getaddrinfo(k->host, NULL, &hints, &k->found);
	if (k->fault != 0)
		k->found = NULL;
}

static void *
thread_main(void *arg)
{
	struct lookup *k = arg;

	look_up(k, k->flags);
	tell(k);
	unref(k);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

/* Signals are the control thread's. */
static bool
start_thread(struct lookup *k)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	bool ok;

	if (atomic_fetch_add(&threads, 1) >= LOOKUPS_MAX) {
		atomic_fetch_sub(&threads, 1);
		return false;
	}
	atomic_fetch_add(&k->refs, 1);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ok = pthread_create(&thread, &attr, thread_main, k) == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!ok) {
		atomic_fetch_sub(&k->refs, 1);
		atomic_fetch_sub(&threads, 1);
	}
	return ok;
}

static void
arrived(evutil_socket_t fd, short what, void *arg)
{
	struct lookup *k = arg;
	struct loop *l = k->loop;

	(void)fd;
	(void)what;
	if (!atomic_load(&k->there))
		return;
	event_del(&k->event);
	loop_enter(l);
	k->done(k->arg, k->found, k->fault);
	unref(k);
	loop_leave(l);
}

/* Without a thread: told in the next turn. */
static void
settle(struct lookup *k)
{
	atomic_store(&k->there, true);
	event_active(&k->event, EV_READ, 0);
}

struct lookup *
lookup_start(struct loop *l, const char *host, int flags,
    void (*done)(void *arg, const struct addrinfo *found, int fault),
    void *arg)
{
	struct lookup *k = mem_zalloc(sizeof(*k));

	atomic_init(&k->refs, 1);
	atomic_init(&k->there, false);
	k->host = mem_strdup(host);
	k->flags = flags;
	k->loop = l;
	k->done = done;
	k->arg = arg;
	k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event_assign(&k->event, loop_base(l), k->fd, EV_READ, arrived, k);
	if (k->fd >= 0)
		event_add(&k->event, NULL);
	look_up(k, AI_NUMERICHOST);
	if (k->fault == 0) {
		settle(k);
	} else if (k->fd < 0 || !start_thread(k)) {
		k->fault = EAI_AGAIN;
		settle(k);
	}
	return k;
}

void
lookup_cancel(struct lookup *k)
{
	if (k == NULL)
		return;
	event_del(&k->event);
	unref(k);
}
