/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of who did what: each login, each refusal and each administrative
 * change is one JSON object, appended as a line to a file and produced to a
 * topic, where the configuration says so.
 *
 * What repeats within a second (the same principal, what it wanted and the
 * outcome) is told once at once and then counted: the next line says how often
 * ("repeated"). Lines that cannot be kept up with are counted as well
 * ("lost"); nothing goes without a trace.
 *
 * Ownership: a worker's audit is the worker's, the sink the gateway's.
 * Thread: audit_* the worker's own; audit_admin and the sink: control.
 * Bounds: AUDIT_KEYS_MAX repeats remembered a worker, AUDIT_QUEUE_MAX lines
 * under way to the control thread, AUDIT_LINE_MAX bytes a line (its texts are
 * cut).
 */
#ifndef WEIR_AUDIT_H
#define WEIR_AUDIT_H

#include "auth/auth.h"

struct cluster;
struct config_audit;
struct gateway;
struct request;
struct session;
struct worker;

enum {
	AUDIT_KEYS_MAX = 1024,
	AUDIT_QUEUE_MAX = 10000,
	AUDIT_LINE_MAX = 16 * 1024,
	AUDIT_FLUSH_MS = 2000,		/* at the end, for the topic */
};

/* A worker's repeats. */
struct audit;
struct audit	*audit_new(struct worker *w);
void		 audit_free(struct audit *a);
/* Tells what was counted; call it once a tick. */
void		 audit_tick(struct audit *a);

/* A login that succeeded or failed. */
void	 audit_login(struct session *s, const char *mechanism,
	    const struct auth_step *step, bool ok);
/* A session that is ended because of a reload. */
void	 audit_ended(struct session *s, const char *why);
/* A request, or an item of one, that the policies do not allow. Cheap enough to
 * be called for each. */
void	 audit_refused(struct request *r, enum policy_action action,
	    enum policy_resource type, struct slice name);

/* Where the lines go. Thread: control. */
struct audit_sink;
struct audit_sink *audit_sink_new(struct gateway *g);
void	 audit_sink_free(struct audit_sink *k);
/* At start and at each reload: opens the file anew. False: it cannot be, and
 * all stays as it was. */
bool	 audit_sink_configure(struct audit_sink *k,
	    const struct config_audit *c, struct error *err) MUST_CHECK;
/* Where the topic's leaders are. */
void	 audit_sink_cluster(struct audit_sink *k, struct cluster *c);
/* A reload, a drain: what, the outcome and a detail (or NULL). */
void	 audit_admin(struct gateway *g, const char *what, bool ok,
	    const char *detail);
/* Writes what has come in; call it once a tick. */
void	 audit_sink_tick(struct audit_sink *k);
/* At the end, when no worker is left: turns the control loop until all is
 * written, for AUDIT_FLUSH_MS at most. */
void	 audit_sink_flush(struct audit_sink *k);

#endif
