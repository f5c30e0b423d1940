/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of what a tenant may make: partitions in all, and how many it creates
 * and deletes in five minutes (KIP-599: refused with THROTTLING_QUOTA_EXCEEDED
 * in versions that know it, charged and slowed down in older ones).
 *
 * Thread: worker.
 */
#ifndef WEIR_THROTTLE_TOPICS_H
#define WEIR_THROTTLE_TOPICS_H

#include <stdbool.h>
#include <stdint.h>

struct metadata_request;
struct request;
struct shape_item;

/* Whether the request is to wait while what was created and deleted is in debt:
 * in versions that cannot be told so. */
bool	 throttle_topics_wait(const struct request *r);
/* 0, or the error for that item of CreateTopics, CreatePartitions or
 * DeleteTopics. What goes on is charged. */
int16_t	 throttle_topic_judge(struct request *r,
	    const struct shape_item *item);
/* The same for an item of AlterConfigs or IncrementalAlterConfigs, which may
 * make a topic compacted, or no longer. */
int16_t	 throttle_config_judge(struct request *r,
	    const struct shape_item *item);
/* 0, or the error for a StreamsGroupHeartbeat whose group's topics brokers
 * would make. */
int16_t	 throttle_topology_judge(struct request *r);
/* It is to change nothing. */
bool	 throttle_only_validates(const struct request *r);
/* Whether brokers may make the topics of that question, which a client asked
 * about: they are charged, with as many partitions each as brokers make. If
 * not they stay unknown, as with brokers that refuse to make them: clients take
 * no other error for one that may pass. Why stands in the log. */
bool	 throttle_may_create(struct request *r,
	    const struct metadata_request *ask);
/* Brokers make so many when they are not told, and made as many topics so:
 * charges what was not known. */
void	 throttle_topics_learn(struct request *r, int32_t partitions,
	    int32_t topics);
/* What brokers answered: learns how many partitions they make of themselves,
 * and charges what was not known before. */
void	 throttle_topics_made(struct request *r, const void *response);
/* What the answer to any of these is: what brokers refused counts no more. */
void	 throttle_topics_done(struct request *r, void *response);
/* Says beside such an error which limit it was. */
void	 throttle_explain(struct request *r, void *response);

#endif
