/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario: the steps of a .scn file (README.md is its language), and their
 * playing in a world. Ownership: the caller's. Thread: one.
 */
#ifndef WEIR_TESTS_PLAY_H
#define WEIR_TESTS_PLAY_H

#include "gateway/base/error.h"
#include "tests/scenario/text.h"
#include "tests/scenario/world.h"

struct step {
	int	 line;
	char	*text;
};

struct play {
	const char	*path;
	char		*source;
	struct step	*steps;
	int		 count;
	struct world	*world;
	struct text_vars vars;
	struct text	 text;		/* of the step that is played */
	struct error	 err;
	FILE		*trace;		/* NULL: steps are not shown */
};

/* NULL in p->steps: *err. */
bool	 play_read(struct play *p, const char *path, struct error *err)
	    MUST_CHECK;
/* Plays one step; false: p->err. */
bool	 play_step(struct play *p, const struct step *s) MUST_CHECK;
/* After the last one: nothing that came was overlooked. */
bool	 play_finished(struct play *p) MUST_CHECK;
void	 play_free(struct play *p);

#endif
