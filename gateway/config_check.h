/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a row by itself cannot say: how options must agree, addresses, files
 * that must be there; and the values which are made from others.
 * Thread: control.
 */
#ifndef WEIR_CONFIG_CHECK_H
#define WEIR_CONFIG_CHECK_H

#include <stdbool.h>

struct config;
struct error_list;

/* Completes a configuration that was read; adds all faults, false when there
 * were any. */
bool	 config_check(struct config *c, struct error_list *errs);

#endif
