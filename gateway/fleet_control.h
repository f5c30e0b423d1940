/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway as one of a fleet: with quota.store redis, its limits are shared
 * with all gateways that have the same Redis and prefix.
 *
 * Ownership: the gateway's. Thread: control.
 */
#ifndef WEIR_FLEET_CONTROL_H
#define WEIR_FLEET_CONTROL_H

#include <stdbool.h>

#include "gateway/base/error.h"

struct gateway;
struct json_t;

enum { FLEET_TICK_MS = 10 };

/* Before workers begin, when g->quota is there. True and nothing done with the
 * store local. False: it cannot be begun (a fault of the configuration); that
 * Redis does not answer is none. */
bool	 fleet_control_start(struct gateway *g, struct error *err) MUST_CHECK;
/* The configuration is another one. */
void	 fleet_control_set(struct gateway *g);
/* The tenants are others: accounts that there are follow their limits, and what
 * counts connections in a fleet is there before they come. */
void	 fleet_control_tenants(struct gateway *g);
/* Something was made or deleted here that the others count as well. */
void	 fleet_control_news(struct gateway *g);
/* Its metrics. Once a tick of the control loop. */
void	 fleet_control_tick(struct gateway *g);
/* The others need not find out that it goes. */
void	 fleet_control_leave(struct gateway *g);
/* When workers have ended. */
void	 fleet_control_free(struct gateway *g);
/* For /status. Never NULL. */
struct json_t *fleet_control_status(const struct gateway *g);

#endif
