/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that aborts when memory is gone: every size that a peer can
 * influence has been checked against a named cap before it comes here.
 * Thread: any. The caller frees with free().
 */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stddef.h>

void	*mem_alloc(size_t size);		/* contents undefined */
void	*mem_zalloc(size_t size);		/* zeroed */
void	*mem_realloc(void *p, size_t size);
char	*mem_strdup(const char *s);
/* A NUL-terminated copy of `len` bytes. */
char	*mem_strndup(const void *s, size_t len);

#endif
