/* SPDX-License-Identifier: Apache-2.0 */
/* What option.c, option_read.c and option_print.c share. */
#ifndef WEIR_BASE_OPTION_PRIVATE_H
#define WEIR_BASE_OPTION_PRIVATE_H

#include "gateway/base/option.h"

enum { OPTION_PATH_SIZE = 256 };	/* longer ones are cut */

/* The memory of struct { T *v; uint32_t n; }. */
struct option_array {
	void		*v;
	uint32_t	 n;
};

/* "path.name", or "name" at the top. */
void	 option_path(char to[OPTION_PATH_SIZE], const char *path,
	    const char *name);
/* "path[i]" */
void	 option_path_at(char to[OPTION_PATH_SIZE], const char *path, size_t i);

#endif
