/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the snapshot share: auth.c (made, held, asked),
 * auth_login.c (logins), mech_plain.c and mech_scram.c (keys).
 * Thread: any.
 */
#ifndef WEIR_AUTH_AUTH_PRIVATE_H
#define WEIR_AUTH_AUTH_PRIVATE_H

#include "auth/auth.h"

/* Adds the groups and tags that the identities give to a principal of this
 * kind and name. Only before anybody else has seen it. */
void	 auth_complete(const struct auth *a, struct principal *p);
/* `len` (at most 64) bytes for a name that nobody has: the same each time and
 * on each node with this master key, and not to be told from random ones. */
void	 auth_decoy(const struct auth *a, const char *what, struct slice name,
	    uint8_t *to, unsigned int len);

#endif
