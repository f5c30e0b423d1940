/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a snapshot of the cluster out of brokers' answers.
 * Ownership: the caller gets the one reference. Thread: control (names are
 * resolved, which may wait).
 */
#ifndef WEIR_ROUTING_SNAPSHOT_H
#define WEIR_ROUTING_SNAPSHOT_H

#include "routing/cluster.h"

struct api_versions_response;
struct metadata_response;

enum { SNAPSHOT_FEATURES_MAX = 32, SNAPSHOT_FEATURE_NAME_MAX = 64 };

/* What one broker offers. */
struct ranges {
	int32_t			 broker;
	int64_t			 asked_us;	/* 0: not known */
	int64_t			 again_us;	/* not to be asked before */
	struct api_range	 apis[CLUSTER_API_MAX];
	int64_t			 features_epoch;
	int32_t			 feature_count;
	struct {
		char		 name[SNAPSHOT_FEATURE_NAME_MAX];
		int16_t		 supported_min, supported_max;
		int16_t		 finalized_min, finalized_max;
	}			 features[SNAPSHOT_FEATURES_MAX];
};

void	 ranges_take(struct ranges *to, const struct api_versions_response *v,
	    int64_t now_us);
/* Offers what all brokers with known ranges do. NULL: none is known. */
struct cluster *snapshot_build(const struct metadata_response *m,
	    const struct ranges *r, int32_t n, int64_t asked_us,
	    uint64_t generation);
/* Only the brokers' places. */
struct cluster *snapshot_places(const struct metadata_response *m);

#endif
