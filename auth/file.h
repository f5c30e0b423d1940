/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are read whole.
 * Ownership: the caller frees what it gets (cleanses it first where it is
 * secret). Thread: any. Bounds: the caller's.
 */
#ifndef WEIR_AUTH_FILE_H
#define WEIR_AUTH_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/error.h"
#include "gateway/base/option.h"

/* A regular file's bytes with a NUL behind them; NULL and why. own: it must be
 * closed to group and others (0600). The sentence does not name the file. */
char	*file_read(const char *path, size_t max, bool own, size_t *len,
	    struct error *err);
/* Moves the faults of `from` behind those of `to`, each path behind the file's
 * name: "keys.json: keys[3].id". */
void	 file_faults(struct error_list *to, struct error_list *from,
	    const char *path);

#endif
