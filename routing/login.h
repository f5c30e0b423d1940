/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging in at a broker: SaslHandshake, then SaslAuthenticate as often as the
 * mechanism needs. Frames in, frames out; no socket. The same conversation
 * renews a login on a connection in use (KIP-368).
 *
 * Another mechanism is another row of the table in login.c: a function that
 * turns what the broker said into what is said next.
 *
 * Ownership: login_new's caller; login_free cleanses what was said.
 * Thread: the upstream's.
 * Bounds: LOGIN_TEXT_MAX a message of ours, LOGIN_TOKEN_MAX a token in it; a
 * reply's arena as the codec has it; LOGIN_TURNS_MAX messages.
 */
#ifndef WEIR_ROUTING_LOGIN_H
#define WEIR_ROUTING_LOGIN_H

#include "routing/upstream.h"

struct login;
struct scram_keys;

enum {
	LOGIN_TEXT_MAX = 4096,
	LOGIN_TOKEN_MAX = 16 * 1024,
	LOGIN_TURNS_MAX = 8,
};

enum login_step { LOGIN_MORE, LOGIN_DONE, LOGIN_FAILED };

/* All are borrowed until login_free. host: the broker's, as it is dialled. */
struct login	*login_new(const struct upstream_options *o,
		    struct scram_keys *keys, const char *host);
void		 login_free(struct login *l);
/* Appends the first frame. */
bool		 login_begin(struct login *l, struct chain *out,
		    struct error *err) MUST_CHECK;
/* A frame came. MORE: appended the next one. */
enum login_step	 login_frame(struct login *l, struct block *b,
		    const uint8_t *data, size_t len, struct chain *out,
		    struct error *err) MUST_CHECK;
/* After DONE: how long the broker lets it last; 0: without end. */
int64_t		 login_lifetime_ms(const struct login *l);

#endif
