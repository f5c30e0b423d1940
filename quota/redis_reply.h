/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies of a Redis server: hiredis reads the protocol (RESP2), and what it
 * reads becomes plain structs in an arena, within bounds of ours.
 *
 * Ownership: a reader is its connection's; a reply's memory is the arena's that
 * redis_reader_next was given. Thread: the owner's.
 * Bounds: REDIS_REPLY_BYTES_MAX on the wire and REDIS_REPLY_ELEMENTS_MAX for
 * one reply, whatever lengths it announces; hiredis ends at 7 lists in each
 * other.
 */
#ifndef WEIR_QUOTA_REDIS_REPLY_H
#define WEIR_QUOTA_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/error.h"
#include "gateway/base/slice.h"

enum {
	REDIS_REPLY_BYTES_MAX = 4 * 1024 * 1024,
	REDIS_REPLY_ELEMENTS_MAX = 64 * 1024,	/* in all its lists together */
	/* Elements are at most 48 bytes each, beside their text. */
	REDIS_REPLY_MEMORY_MAX = REDIS_REPLY_BYTES_MAX +
	    REDIS_REPLY_ELEMENTS_MAX * 64,
};

enum redis_kind {
	REDIS_NIL, REDIS_INTEGER,
	REDIS_TEXT,		/* any bytes */
	REDIS_STATUS,		/* such as OK */
	REDIS_ERROR,		/* such as NOSCRIPT No matching script */
	REDIS_LIST,
};

struct redis_reply {
	enum redis_kind		 kind;
	int64_t			 integer;
	struct slice		 text;	/* of TEXT, STATUS, ERROR */
	uint32_t		 n;	/* of LIST */
	struct redis_reply	**v;
};

struct redis_reader;

struct redis_reader *redis_reader_new(void);
void	 redis_reader_free(struct redis_reader *r);
/* Takes bytes as they come. False: it cannot be read, nor what comes then. */
bool	 redis_reader_feed(struct redis_reader *r, const uint8_t *data,
	    size_t len, struct error *err) MUST_CHECK;
/* The next whole reply in *to, or NULL there when there is none yet. The arena
 * is initialised by it, and is the caller's to end when there is a reply. False
 * as above. */
bool	 redis_reader_next(struct redis_reader *r, struct redis_reply **to,
	    struct arena *memory, struct error *err) MUST_CHECK;

/* The i-th element if that is a list with one, else NULL. NULL is no list. */
const struct redis_reply *redis_reply_at(const struct redis_reply *r,
	    uint32_t i);
/* Its text; the null slice when it is NULL, or no text or status. */
struct slice redis_reply_text(const struct redis_reply *r);
/* False when it is NULL or no integer. */
bool	 redis_reply_integer(const struct redis_reply *r, int64_t *to);
/* Whether it is an error that begins with this word. */
bool	 redis_reply_is_error(const struct redis_reply *r, const char *word);

/* A command as it is sent; free it with redis_command_free. */
char	*redis_command_format(uint32_t argc, const struct slice *argv,
	    size_t *len);
/* Cleanses it: there may be a password in it. */
void	 redis_command_free(char *command, size_t len);

#endif
