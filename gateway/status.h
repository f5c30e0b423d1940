/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person wants to see of a node: the cluster, sessions, upstreams.
 * Ownership: the caller's. Thread: control; it waits for the workers, who each
 * describe their own.
 * Bounds: STATUS_SESSIONS_MAX sessions are named, all are counted.
 */
#ifndef WEIR_STATUS_H
#define WEIR_STATUS_H

struct gateway;
struct json_t;

enum { STATUS_SESSIONS_MAX = 200 };

struct json_t	*gateway_status(struct gateway *g);

#endif
