/* SPDX-License-Identifier: Apache-2.0 */
/* The page /status as a person reads it. */
#ifndef WEIR_WEIRCTL_STATUS_H
#define WEIR_WEIRCTL_STATUS_H

#include <stdio.h>

struct json_t;

/* Members that are not there are shown as "-"; control bytes never reach the
 * terminal. */
void	 weirctl_print_status(const struct json_t *status, FILE *f);

#endif
