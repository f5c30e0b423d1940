/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to one broker, for who asks on its own account (not for a
 * client): what is on the cluster, when somebody moves in or a census is held.
 *
 * Ownership: frees itself when it is answered. Thread: the pool's.
 * Bounds: ASK_MS; the answer takes ASK_REPLY_MAX bytes decoded.
 */
#ifndef WEIR_ASK_H
#define WEIR_ASK_H

#include <stdint.h>

#include "gateway/base/error.h"

struct api_schema;
struct cluster;
struct pool;

enum {
	ASK_MS = 5000,
	ASK_REPLY_MAX = 64 * 1024 * 1024,
};

/* Exactly once, never from inside. reply is valid during the call; NULL: why
 * says why there is none. */
typedef void ask_done_cb(void *arg, int32_t broker, const void *reply,
    const char *why);

/* The oldest version of it that all brokers offer; -1: they do not. */
int	 ask_version(const struct cluster *c, int16_t api_key);
/* The newest one. */
int	 ask_newest(const struct cluster *c, int16_t api_key);
/* body is encoded at once. False and why: it could not be asked. */
bool	 ask_broker(struct pool *p, int32_t broker, int16_t api_key,
	    int version, const void *body, ask_done_cb *done, void *arg,
	    struct error *err) MUST_CHECK;

#endif
