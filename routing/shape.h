/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits a request into legs, merges the answers to one, and answers with an
 * error, for every API by one table (shapes.def) over the schema's fields.
 *
 * An item is what goes to one place: a partition of a topic, or one group.
 * Items are counted in the order of the request, over all outer elements.
 *
 * Ownership: what is made lives in the arena given and shares what the request
 * and replies hold. Thread: any.
 */
#ifndef WEIR_ROUTING_SHAPE_H
#define WEIR_ROUTING_SHAPE_H

#include "gateway/base/arena.h"
#include "gateway/wire/codec.h"

struct shape;

/* One item of a request. inner is NULL when the API has no inner array. */
struct shape_item {
	const void	*outer;		/* struct of the element, or a slice */
	const void	*inner;		/* struct, or int32_t */
	int32_t		 key;		/* the inner key: partition index */
	struct slice	 name;		/* the outer element's first string */
	const struct uuid *id;		/* its uuid, or NULL */
};

/* What became of a leg. */
struct shape_answer {
	void		*reply;		/* decoded response, or NULL */
	int16_t		 error;		/* for its items when reply is NULL */
};

/* NULL when the API's items cannot be told apart in that version. */
const struct shape *shape_find(int16_t api_key, int version);
/* The same of what is inside one item, for APIs whose items (groups) have items
 * (partitions of topics) of their own: body, replies and what is made are then
 * elements of the array of items. */
const struct shape *shape_nested(int16_t api_key, int version);
/* How many items the request has. */
int32_t	 shape_count(const struct shape *s, const void *body);
/* Whether any outer element has no items: shape_part leaves those out. */
bool	 shape_hollow(const struct shape *s, const void *body);
/* Calls cb for each; i is the item's number. */
void	 shape_each(const struct shape *s, const void *body,
	    void (*cb)(void *arg, int32_t i, const struct shape_item *item),
	    void *arg);
/* The part of the request whose items have leg_of[i] == leg. */
void	*shape_part(const struct shape *s, const void *body,
	    const int32_t *leg_of, int32_t leg, struct arena *a);
/* One response with every item of the request exactly once: from the answer of
 * its leg, or with errors[i] where leg_of[i] < 0. What an answer lacks gets
 * `missing`. Returns the response; *odd counts items that an answer lacked or
 * had beyond its leg. errors may be NULL when all items have a leg. */
void	*shape_merge(const struct shape *s, const void *body,
	    const int32_t *leg_of, const int16_t *errors,
	    const struct shape_answer *answers, int32_t answer_count,
	    int16_t missing, struct arena *a, uint32_t *odd);

/* The API's response with the error for each item and, where it has one, at the
 * top; NULL when the response has no place for an error at all. */
void	*shape_error(const struct api_schema *api, int version,
	    const void *body, int16_t error, struct arena *a);
/* The response's top-level error_code, or 0. */
int16_t	 shape_top_error(const struct api_schema *api, const void *response);
/* The first error anywhere in a response that is not 0 (top level, outer and
 * inner elements), or 0; calls each(arg, error) for all when not NULL. */
int16_t	 shape_errors(const struct api_schema *api, int version,
	    const void *response, void (*each)(void *arg, int16_t error),
	    void *arg);

/* Raw access by field name, for generic code: NULL when there is none. */
const struct field *message_field(const struct message *m, const char *name);

#endif
