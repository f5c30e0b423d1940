/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: starts the workers when the cluster is known, hands them
 * each new snapshot and configuration, reloads, drains, and answers the admin
 * listener. It does what may wait; workers never do.
 * Ownership: gateway_run's frame. Thread: control.
 */
#ifndef WEIR_CONTROL_H
#define WEIR_CONTROL_H

struct config;

/* Runs until it is told to end. Takes the reference of c; path is the file that
 * SIGHUP reads again, or NULL. Returns the process's exit status. */
int	 gateway_run(struct config *c, const char *path);

#endif
