/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many partitions brokers make when they are not told (num.partitions): a
 * rule that limits partitions needs to know it. It is learned from what they
 * answer to a CreateTopics that only validates, by throttle_topics.c from those
 * that do not, and from what Metadata has made. Known to all of the gateway,
 * and asked for again after some minutes, for an operator may change it.
 *
 * Thread: worker. Bounds: one question a request, about TOPIC_DEFAULT_NAMES.
 */
#ifndef WEIR_TOPIC_DEFAULT_H
#define WEIR_TOPIC_DEFAULT_H

#include <stdbool.h>
#include <stdint.h>

struct api_schema;
struct request;
struct slice;

enum { TOPIC_DEFAULT_NAMES = 10 };

/* 0: not known. */
int32_t	 topic_default(const struct request *r);
/* Brokers have said it. */
void	 topic_default_set(struct request *r, int32_t partitions);
/* Asks brokers what they would make of topics with these names: resume(r)
 * follows. False: that is known, the request has asked before, or nothing can
 * be asked. */
bool	 topic_default_learn(struct request *r, const struct slice *names,
	    int32_t n, void (*resume)(struct request *r));
/* The newest CreateTopics that brokers know; NULL: none. */
const struct api_schema *topic_default_api(const struct request *r,
	    int16_t *version);

#endif
