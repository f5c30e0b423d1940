/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread's hold of who may log in and do what: the snapshot that
 * workers have (with the tenants, which are tenants_control's), loaded at start
 * and at each reload, and again whenever the issuer's keys (JWKS) change.
 * Ownership: the gateway's. Thread: control.
 */
#ifndef WEIR_AUTH_CONTROL_H
#define WEIR_AUTH_CONTROL_H

#include <stdbool.h>

struct auth;
struct config;
struct error_list;
struct gateway;

/* A snapshot by that configuration, not yet in force; NULL and all faults. */
struct auth	*auth_control_load(struct gateway *g, const struct config *c,
		    struct error_list *errs);
/* Puts it in force (the reference is taken): workers judge their sessions anew.
 * c is the configuration that it came of. */
void		 auth_control_take(struct gateway *g, const struct config *c,
		    struct auth *a);
/* Hands workers what the gateway has of it, and its tenants. */
void		 auth_control_hand_out(struct gateway *g);
/* Passes on workers' wishes for keys; call it once a tick. */
void		 auth_control_tick(struct gateway *g);
void		 auth_control_free(struct gateway *g);

#endif
