/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What brokers offer: the APIs, their versions and the features that each one's
 * ApiVersions lists, and what all of them have in common.
 * Ownership: plain values. Thread: any.
 * Bounds: features over OFFER_FEATURES_MAX, or with a name longer than
 * OFFER_NAME_MAX - 1, are left out.
 */
#ifndef WEIR_ROUTING_OFFER_H
#define WEIR_ROUTING_OFFER_H

#include "routing/cluster.h"

struct api_versions_response;

enum { OFFER_FEATURES_MAX = 32, OFFER_NAME_MAX = 64 };

struct offered_feature {
	char			 name[OFFER_NAME_MAX];
	int16_t			 supported_min, supported_max;
	int16_t			 finalized_min, finalized_max;	/* -1: not */
};

struct offer {
	bool			 known;
	struct api_range	 apis[CLUSTER_API_MAX];
	int64_t			 features_epoch;
	int32_t			 feature_count;
	struct offered_feature	 features[OFFER_FEATURES_MAX];
};

void	 offer_take(struct offer *to, const struct api_versions_response *v);
bool	 offer_equal(const struct offer *a, const struct offer *b);
/* Narrows `to` to what `other` offers as well; the first one is taken as it is.
 * What is finalized is as the one with the greater epoch has it. */
void	 offer_join(struct offer *to, const struct offer *other);

#endif
