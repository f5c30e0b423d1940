/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a session is: found when its client has logged in, or, where the
 * listener has no login, when it may begin to speak; and looked at again
 * whenever the tenants, or what is known of its principal, have changed.
 *
 * Ownership: session->tenant is a reference, dropped in session_closed.
 * Thread: worker.
 */
#ifndef WEIR_SESSION_TENANT_H
#define WEIR_SESSION_TENANT_H

#include "auth/auth.h"

struct principal;
struct session;
struct tenant;

/* The tenant whose the session is, by the worker's newest tenants; *to is
 * borrowed of these, and NULL where there are no tenants. False: it may not be
 * let in, *failure and *err say why. p is NULL without a login. */
bool	 session_tenant_find(const struct session *s,
	    const struct principal *p, struct tenant **to,
	    enum auth_failure *failure, struct error *err) MUST_CHECK;
/* The same for a session that has one, or none, already: it keeps its tenant,
 * or may not go on. */
bool	 session_tenant_again(const struct session *s,
	    const struct principal *p, struct tenant **to, struct error *err)
	    MUST_CHECK;
/* From now on it is that one's (or nobody's: NULL). What borrows from the one
 * before must be gone. */
void	 session_tenant_take(struct session *s, struct tenant *t);
/* A session without a login begins: it has its tenant, or is closed. */
void	 session_tenant_begin(struct session *s);
/* "" or " tenant=ID", for log lines. */
const char *session_tenant_log(const struct session *s, char *to, size_t size);
enum { SESSION_TENANT_LOG = 80 };	/* enough for it */

#endif
