/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names at a session's edge: what its client says becomes the cluster's own
 * names as soon as a request is decoded, and what goes back becomes the
 * tenant's again just before a reply is encoded. In between all code knows
 * physical names only.
 *
 * Which values are names the schema says (wire/meanings.def); a meaning that is
 * not dealt with here does not compile, nor does an API of apis.def without a
 * row in tenancy.def.
 *
 * Whose a name is `authorize` decides; tenancy_outward is the last look: what
 * has come so far and is not the tenant's is left out and counted
 * (weir_tenant_names_stopped_total), for it should not have.
 *
 * Ownership: the request's arena. Thread: worker.
 * Bounds: TENANCY_FACTOR times the request's bytes and TENANCY_ROOM.
 */
#ifndef WEIR_TENANCY_H
#define WEIR_TENANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

struct arena;
struct request;
struct session;

enum {
	TENANCY_FACTOR = 16,
	TENANCY_ROOM = 1024 * 1024,
};

/* After decoding; false: it has been answered, because it has a name or an
 * expression that cannot be. Nothing for a session without a tenant. */
bool	 tenancy_inward(struct request *r);
/* Before encoding, in that version. */
void	 tenancy_outward(struct request *r, int version, void *response);
/* A sentence without the tenant's prefix. */
struct slice tenancy_text(struct request *r, struct slice text);
/* The session's names; NULL: it has no tenant. */
const struct names *tenancy_names(const struct session *s);

/* ---- bytes of group members (tenancy_member.c) ---- */

struct tenancy_walk;

enum tenancy_protocol {
	TENANCY_UNKNOWN,	/* old versions do not say: by the looks */
	TENANCY_CONSUMER,	/* the consumer protocol: topics within */
	TENANCY_OTHER,		/* Connect's and others': opaque */
};

/* The member's bytes with other topic names; as they are where they are none of
 * the consumer protocol's. */
struct slice tenancy_member(struct tenancy_walk *w, bool assignment,
	    struct slice bytes);

#endif
