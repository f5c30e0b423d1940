/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as auth/ wants it.
 * Thread: control.
 */
#ifndef WEIR_AUTH_CONFIG_H
#define WEIR_AUTH_CONFIG_H

#include <stdbool.h>

struct auth;
struct config;
struct error_list;
struct jwks;

/* Loads keys, identities and policies; NULL and all faults. jwks: what was
 * fetched, or NULL. */
struct auth	*auth_from_config(const struct config *c, struct jwks *jwks,
		    struct error_list *errs);
/* How listeners' auth, mechanisms and auth itself must agree. */
bool		 auth_config_check(const struct config *c,
		    struct error_list *errs);

#endif
