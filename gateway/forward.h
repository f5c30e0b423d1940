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

enum {
	FORWARD_ITEM = INT16_MIN,
	/* Items of one request: their answers take more memory than they do,
	 * so the frame's size alone does not bound it. */
	FORWARD_ITEMS_MAX = 200000,
};

struct forward_how {
	/* acks=0: the legs are done when written; `written` is called then,
	 * instead of finish. */
	bool	 no_reply;
	/* ROUTE_LEADER: when nothing of it can be sent, it waits for other
	 * leaders as long as request_park_again lets it. */
	bool	 hold;
	/* What to do with an item (ROUTE_LEADER, ROUTE_ANY): FORWARD_ITEM, or
	 * the error that it is answered with (0: answered as empty). It may
	 * change the item. What it refuses stays refused when the request is
	 * planned anew in a newer snapshot. NULL: all are forwarded. */
	int16_t	(*judge)(struct request *r, const struct shape_item *item);
	/* What it lets go is not judged anew either: it charges for it, or
	 * changes it. */
	bool	 once;
	/* ROUTE_LEADER: the item is about to go to its leader. Once each, also
	 * when that is tried again. NULL: nothing to do. */
	void	(*sends)(struct request *r, const struct shape_item *item);
	/* The merged answer, or the API's error shape. */
	void	(*finish)(struct request *r, void *response);
	/* all: every item went to a broker. r->session may be NULL. */
	void	(*written)(struct request *r, bool all);
	/* It waits for a newer snapshot from now on. NULL: nothing to do. */
	void	(*parked)(struct request *r);
};

/* Sends the request along its row's route. */
void	 forward_with(struct request *r, const struct forward_how *how);
void	 forward(struct request *r,
	    void (*finish)(struct request *r, void *response));
/* Brokers' ids, error texts and the like in a response become what the client
 * may see. */
void	 outward(struct request *r, void *response);
/* outward, then request_answer: a finish for forward. */
void	 forward_answer(struct request *r, void *response);
/* To every broker, with the client's body; done(r) then. */
void	 forward_each(struct request *r, void (*done)(struct request *r));

#endif
