/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as scenarios write them, by the schema's tables: read into a struct,
 * or compared with one.
 *
 *	{ topics: [{ name: "t" partitions: [{ index: 0 error_code: NONE }] }] }
 *
 * README.md says what else may stand for a value. Commas are blanks.
 * Ownership: what is read lives in the arena. Thread: the test's.
 */
#ifndef WEIR_TESTS_TEXT_H
#define WEIR_TESTS_TEXT_H

#include "gateway/wire/codec.h"

enum { TEXT_WORD = 128, TEXT_VARS = 32 };

/* What $name stands for: bound where it is met first in a comparison. */
struct text_vars {
	struct {
		char	 name[32];
		uint8_t	 value[64];	/* an int64_t, or bytes */
		uint32_t len;
	}		 v[TEXT_VARS];
	int		 n;
};

/* Where it is read; moves on. */
struct text {
	const char		*p;
	struct text_vars	*vars;
	struct arena		*arena;
	int			 version;
	struct error		*err;
};

/* The message with defaults where the text says nothing; NULL: *err. */
void	*text_parse(struct text *t, const struct message *m) MUST_CHECK;
/* Whether all that the text says is so in `obj`; false: *err says what is not.
 * What it does not say is free. */
bool	 text_match(struct text *t, const struct message *m, const void *obj)
	    MUST_CHECK;
/* The next word of letters, digits and _ . : / + - @; false: there is none. */
bool	 text_word(struct text *t, char to[TEXT_WORD]);
/* As text_word, when it is that one; else nothing moves. */
bool	 text_is(struct text *t, const char *word);
/* A "quoted" string into the arena; false: there is none. \n \r \\ \" \xNN. */
bool	 text_string(struct text *t, struct slice *to);
bool	 text_number(struct text *t, int64_t *to);
/* An error's code by its name, for that is what a reader looks for. */
bool	 text_error(const char *name, int64_t *n);
/* Nothing is left. */
bool	 text_end(struct text *t);

#endif
