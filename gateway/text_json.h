/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that peers chose, for replies in JSON and the terminals that these end
 * up on: what is no UTF-8, and what controls a terminal, is shown as \xHH.
 *
 * Ownership: the caller's. Thread: any.
 */
#ifndef WEIR_TEXT_JSON_H
#define WEIR_TEXT_JSON_H

#include "gateway/base/slice.h"

struct json_t;

/* Never NULL; null data is an empty text. */
struct json_t	*text_json(struct slice s);
/* JSON's null for NULL. */
struct json_t	*text_json_or_null(const char *s);

#endif
