/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's limits as a part of the fleet's: gives leases (quota/lease.h) to the
 * buckets that somebody presses, here or at another node, and counters to
 * limits of connections. Nobody is waited for: until its lease is there, a
 * bucket has what a node may use unasked.
 *
 * A bucket is known in the fleet by its tenant and a name: "DIMENSION" of the
 * tenant, "DIMENSION/p/PRINCIPAL", "DIMENSION/c/PRINCIPAL/n CLIENT",
 * "DIMENSION/t/TOPIC/PARTITION". The node's own limits stay the node's.
 *
 * Ownership: the caller's; quota and lease node outlive it.
 * Thread: control.
 */
#ifndef WEIR_QUOTA_FLEET_H
#define WEIR_QUOTA_FLEET_H

#include <stdint.h>

#include "gateway/base/slice.h"
#include "quota/lease.h"

struct quota;
struct quota_fleet;

/* o->on_pressed and on_nodes are set by it; on_news is called with o->arg.
 * Before workers begin. */
struct quota_fleet *quota_fleet_new(struct quota *q,
		    const struct lease_options *o);
void		 quota_fleet_free(struct quota_fleet *f);
/* Does what was wished for since the last time. */
void		 quota_fleet_hear(struct quota_fleet *f);
/* Each 10 to 20 ms. Does so too. */
void		 quota_fleet_tick(struct quota_fleet *f, int64_t now_us);
/* lease_set_on_loss. */
void		 quota_fleet_on_loss(struct quota_fleet *f,
		    enum lease_on_loss to);
/* lease_news. */
void		 quota_fleet_news(struct quota_fleet *f);
/* Says goodbye to the others. */
void		 quota_fleet_leave(struct quota_fleet *f);
const struct lease_node *quota_fleet_node(const struct quota_fleet *f);

#endif
