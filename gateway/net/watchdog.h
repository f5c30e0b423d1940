/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds an event loop that hangs. A turn that goes on for longer than the limit
 * ends the process: its clients are better off with another node, or with this
 * one started anew. What the thread was doing is said on stderr.
 *
 * Time counts only while the watchdog is looking: a look that comes late counts
 * no more than a WATCHDOG_STEPS-th of the limit. So a process that was stopped,
 * a machine that slept and one that is starved of processors are no hang.
 * Ownership: watchdog_new's caller; loops are borrowed.
 * Thread: the one that looks; loops run on others.
 * Bounds: WATCHDOG_LOOPS.
 */
#ifndef WEIR_NET_WATCHDOG_H
#define WEIR_NET_WATCHDOG_H

#include <pthread.h>
#include <stdint.h>

struct loop;
struct watchdog;

enum { WATCHDOG_LOOPS = 256, WATCHDOG_STEPS = 25 };

struct watchdog	*watchdog_new(int64_t limit_us);
void		 watchdog_free(struct watchdog *w);
/* thread runs l; it is told as "worker 0" for the first one, and so on. */
void		 watchdog_add(struct watchdog *w, const struct loop *l,
		    pthread_t thread);
/* To be called several times within a step. The number of a loop that hangs,
 * or -1. */
int		 watchdog_look(struct watchdog *w, int64_t now_us);
/* Ends the process with that thread's backtrace. */
void		 watchdog_bark(struct watchdog *w, int which)
		    __attribute__((noreturn));
/* From now on SIGABRT (a failed assert too) shows the thread's backtrace
 * before it ends the process. */
void		 watchdog_show_aborts(void);

#endif
