/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weir says at brokers where name and password are not said themselves:
 * an access token (OAUTHBEARER) or a signed message (AWS_MSK_IAM). Joins
 * routing/, which asks, and auth/ and oauth_client, which know.
 *
 * Ownership: upstream_login_new's caller; it outlives all pools.
 * Thread: made and freed on control; upstream_login_token is any thread's.
 */
#ifndef WEIR_UPSTREAM_LOGIN_H
#define WEIR_UPSTREAM_LOGIN_H

#include "gateway/base/arena.h"
#include "gateway/base/error.h"

struct config_cluster;
struct loop;
struct upstream_login;
struct upstream_options;

/* NULL when the mechanism needs none of it. The configuration is borrowed. */
struct upstream_login *upstream_login_new(struct loop *control,
		    const struct config_cluster *c);
void		 upstream_login_free(struct upstream_login *u);
/* Fills in where pools get it from. u may be NULL. */
void		 upstream_login_options(struct upstream_login *u,
		    struct upstream_options *o);

#endif
