/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the snapshot share: auth.c (made, held, asked),
 * auth_login.c (logins), mech_plain.c and mech_scram.c (keys).
 * Thread: any.
 */
#ifndef WEIR_AUTH_AUTH_PRIVATE_H
#define WEIR_AUTH_AUTH_PRIVATE_H

#include "auth/auth.h"

struct key;

enum {
	AUTH_STARS_MAX = 9,		/* of a certificate rule: $1 to $9 */
	AUTH_CERTIFICATE_VALUE_MAX = 4096, /* bytes of a name looked at */
};

/* A deep copy, and its end; the master key is cleansed. */
void	 auth_settings_copy(struct auth_settings *to,
	    const struct auth_settings *from);
void	 auth_settings_fini(struct auth_settings *s);
/* Adds a fault for each part of a certificate rule that makes no sense. */
void	 auth_certificate_check(const struct auth_settings *s,
	    struct error_list *errs);
/* Adds the groups and tags that the identities give to a principal of this
 * kind and name. Only before anybody else has seen it. False, and why: they are
 * too many with those it has; one left out could be one that is denied
 * something, so it must not be let in. */
bool	 auth_complete(const struct auth *a, struct principal *p,
	    struct error *err) MUST_CHECK;
/* The key of that id, enabled, and a principal of its user (a reference);
 * NULL and why. The key is borrowed from the snapshot. */
const struct key *auth_find_key(struct auth *a, struct slice id,
	    struct principal **principal, enum auth_failure *why,
	    struct error *err);
/* `len` (at most 64) bytes for a name that nobody has: the same each time and
 * on each node with this master key, and not to be told from random ones. */
void	 auth_decoy(const struct auth *a, const char *what, struct slice name,
	    uint8_t *to, unsigned int len);

/* Notes who a client says it is, cut and with what is not printable replaced.
 */
void	 auth_claim(struct auth_step *to, struct slice who);

#endif
