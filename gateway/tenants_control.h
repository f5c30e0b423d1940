/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread's hold of the tenants: loaded at start and at each reload,
 * and by themselves when their folder has changed, whole or not at all, but for
 * suspensions: those of tenants in force are taken over from whatever file says
 * them. So a folder that several nodes share acts on all of them within
 * TENANTS_LOOK_MS and a bit.
 *
 * A change is seen by names, sizes and times of the files. A folder on NFS is
 * seen as late as its attributes are cached: mount it with actimeo=1.
 *
 * Ownership: the gateway's. Thread: control.
 * Bounds: TENANTS_MAX files are looked at, once in TENANTS_LOOK_MS.
 */
#ifndef WEIR_TENANTS_CONTROL_H
#define WEIR_TENANTS_CONTROL_H

#include <stdbool.h>

struct config;
struct error_list;
struct gateway;
struct tenants;

enum { TENANTS_LOOK_MS = 1000 };

/* The tenants of that configuration, not yet in force, or NULL where it has
 * none; false: all faults. */
bool	 tenants_control_load(struct gateway *g, const struct config *c,
	    struct tenants **to, struct error_list *errs);
/* Puts into force what was loaded last (the reference is taken); workers hear
 * of it with the next auth_control_take or _hand_out. */
void	 tenants_control_take(struct gateway *g, struct tenants *t);
/* Loads them anew now, and hands them out. False: all goes on as before, but
 * for who is suspended; the faults are logged, too. */
bool	 tenants_control_reload(struct gateway *g, struct error_list *errs);
/* Looks whether the folder has changed; call it once a tick. */
void	 tenants_control_tick(struct gateway *g);
void	 tenants_control_free(struct gateway *g);

#endif
