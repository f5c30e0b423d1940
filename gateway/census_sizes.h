/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large partitions are, while a census is held: of each what its leader
 * says, or, when the leader has not said it, the largest of its replicas.
 *
 * Ownership: the caller's; the snapshot must outlive it. Thread: one.
 * Bounds: 9 bytes a partition of the snapshot; what brokers have beyond it is
 * not looked at.
 */
#ifndef WEIR_CENSUS_SIZES_H
#define WEIR_CENSUS_SIZES_H

#include <stdint.h>

struct cluster;
struct describe_log_dirs_response;
struct sizes;
struct topic;

struct sizes	*sizes_new(const struct cluster *c);
void		 sizes_free(struct sizes *s);
void		 sizes_put(struct sizes *s, int32_t broker,
		    const struct describe_log_dirs_response *said);
/* Of t->partitions[i], t being one of the snapshot's; 0 when nobody said. NULL
 * knows nothing. */
int64_t		 sizes_of(const struct sizes *s, const struct topic *t,
		    int32_t i);

#endif
