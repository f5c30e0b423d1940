/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side for operators: /metrics, /healthz, /readyz, /status,
 * /explain-access, /tenants, /limits, /adopt, and what changes something, POST
 * /reload, /drain, /adopt, /tenants/suspend and /tenants/resume. Bodies come
 * from callbacks.
 *
 * A caller shows the token (Authorization: Bearer) for what changes something,
 * when one is configured, and off the loopback address for everything but
 * /healthz and /readyz. Browsers' cross-site posts (Origin) are refused.
 *
 * Ownership: admin_open's caller. Thread: control; callbacks run there.
 * Bounds: ADMIN_HEADERS_MAX, ADMIN_BODY_MAX and ADMIN_TIMEOUT_S a request.
 */
#ifndef WEIR_ADMIN_H
#define WEIR_ADMIN_H

#include <stdbool.h>

#include "gateway/base/error.h"

struct admin;
struct adopt_query;
struct config_admin;
struct error_list;
struct event_base;
struct explain_query;
struct limits_query;
struct json_t;

enum {
	ADMIN_HEADERS_MAX = 16 * 1024,
	ADMIN_BODY_MAX = 64 * 1024,
	ADMIN_TIMEOUT_S = 10,
};

struct admin_source {
	void		*arg;
	/* Whether clients can be served now. */
	bool		 (*ready)(void *arg);
	/* A new reference; its members are in gateway/README.md. */
	struct json_t	*(*status)(void *arg);
	/* Prometheus' text; freed by admin. */
	char		*(*metrics)(void *arg);
	/* Who may do what; NULL and why. */
	struct json_t	*(*explain)(void *arg, const struct explain_query *q,
			    struct error *err);
	/* Takes over the configuration whole, or not at all with faults. */
	bool		 (*reload)(void *arg, struct error_list *errs);
	/* Begins to shut down. NULL: not offered. */
	void		 (*drain)(void *arg);
	/* All tenants, or that one (id not NULL); NULL and why. */
	struct json_t	*(*tenants)(void *arg, const char *id,
			    struct error *err);
	/* A tenant's limits and what they did; NULL and why. */
	struct json_t	*(*limits)(void *arg, const struct limits_query *q,
			    struct error *err);
	/* Suspends it (why is a sentence) or resumes it (NULL). False: the
	 * faults, or why not. */
	bool		 (*suspend)(void *arg, const char *id, const char *why,
			    struct error_list *errs);
	/* Plans how a tenant adopts names, and writes its file. done: exactly
	 * once, before admin_close, perhaps from inside; the answer is its own
	 * then, or NULL and why. */
	void		 (*adopt)(void *arg, const struct adopt_query *q,
			    bool write, void (*done)(void *done_arg,
			    struct json_t *answer, const struct error *why),
			    void *done_arg);
};

/* c->address is not NULL. The source is copied. */
struct admin	*admin_open(struct event_base *base,
		    const struct config_admin *c,
		    const struct admin_source *source, struct error *err)
	MUST_CHECK;
void		 admin_close(struct admin *a);
/* After a reload: the token may have changed. */
void		 admin_set_config(struct admin *a,
		    const struct config_admin *c);
/* The port that was bound (when 0 was asked for). */
int		 admin_port(const struct admin *a);

#endif
