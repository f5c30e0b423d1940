/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans a request to legs by its route, and turns brokers' answers into what
 * the client may see. api_forward is the whole of it; handlers with something
 * of their own to do use the parts.
 * Ownership: the request's arena. Thread: worker.
 */
#ifndef WEIR_FORWARD_H
#define WEIR_FORWARD_H

#include "gateway/request.h"
#include "routing/shape.h"

/* Sends the request along its row's route; then finish(r, response) with the
 * merged answer, or the API's error shape. r->session may be NULL by then. */
void	 forward(struct request *r, bool no_reply,
	    void (*finish)(struct request *r, void *response));
/* As forward, to any broker, but only the items that judge lets through with
 * FORWARD_ITEM; for the others it gives the error (0: answered as empty). It may
 * change the item. */
enum { FORWARD_ITEM = INT16_MIN };
void	 forward_judged(struct request *r,
	    int16_t (*judge)(struct request *r, const struct shape_item *item),
	    void (*finish)(struct request *r, void *response));
/* Brokers' ids, error texts and the like in a response become what the client
 * may see. */
void	 outward(struct request *r, void *response);
/* To every broker, with the client's body; done(r) then. */
void	 forward_each(struct request *r, void (*done)(struct request *r));

#endif
