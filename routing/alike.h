/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a message of another one that is much like it, by the schema's tables.
 * Ownership: what is made lives in the arena given and shares what the other
 * holds. Thread: any.
 */
#ifndef WEIR_ROUTING_ALIKE_H
#define WEIR_ROUTING_ALIKE_H

#include "gateway/base/arena.h"
#include "gateway/wire/codec.h"

/* A struct of `to` with what the fields of the same name and type hold in obj,
 * a struct of `from`; zero where there are none. Texts, bytes and arrays of the
 * same layout are shared. Nullable structs are left out. */
void	*message_like(const struct message *to, const struct message *from,
	    const void *obj, struct arena *a);

#endif
