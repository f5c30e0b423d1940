/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tenant may make of its topics (`topics` in its file): which
 * configuration entries it may set and how far, replicas, partitions, names,
 * and whether topics come into being by being asked for. What is refused is
 * POLICY_VIOLATION with a sentence that names the rule.
 *
 * The shipped list is MSK Serverless' (Amazon MSK developer guide,
 * "Configuration properties for MSK Serverless"): the rows of
 * topic_configs.def.
 *
 * Ownership: rules are the tenant's file's, what is added to a request lives in
 * its arena. Thread: worker.
 */
#ifndef WEIR_TOPIC_RULES_H
#define WEIR_TOPIC_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/error.h"
#include "gateway/base/slice.h"

struct create_topics_request_topics;
struct request;
struct shape_item;

/* 0, or the error for that item of CreateTopics, CreatePartitions or
 * IncrementalAlterConfigs, with the sentence in *why. What the rules impose is
 * set in the item. 0 for a session without a tenant. */
int16_t	 topic_rules_judge(struct request *r, const struct shape_item *item,
	    struct error *why);
/* An AlterConfigs of a tenant's topics becomes an IncrementalAlterConfigs,
 * whose answer lies on the wire alike: brokers would take back all entries that
 * are not given, those too that the tenant may not change. 0, or the error of
 * the whole: it has groups besides, or too many topics. */
int16_t	 topic_rules_replace(struct request *r);
/* Puts the sentences beside the errors that were told by topic_rules_judge. */
void	 topic_rules_explain(struct request *r, void *response);
/* Whether a Metadata request may make topics. */
bool	 topic_rules_auto_create(const struct request *r);
/* ... and one of that name on the cluster. */
bool	 topic_rules_may_be_named(struct request *r, struct slice physical);
/* Whether what brokers make of themselves would break a rule: the topics of a
 * Metadata request are made by CreateTopics then, each as the rules impose. */
bool	 topic_rules_impose(const struct request *r);
void	 topic_rules_new_topic(struct request *r, struct slice physical,
	    struct create_topics_request_topics *to);
/* Of a topic; 0: as many as brokers make. */
int32_t	 topic_rules_partitions_max(const struct request *r);
/* Whether it has to be known how many partitions brokers make of
 * themselves. */
bool	 topic_rules_wants_default(const struct request *r);
/* What brokers would make for a streams group (KIP-1071). */
int16_t	 topic_rules_topology(struct request *r, struct error *why);
/* DescribeConfigs: what stands behind a topic's own entries is the cluster's,
 * and what the tenant may not set is read-only. */
void	 topic_rules_show(struct request *r, void *response);

#endif
