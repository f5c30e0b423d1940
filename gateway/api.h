/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of apis.def: what weir does with each API. A handler gets a decoded
 * request and must see to it that request_answer, request_answer_error,
 * request_finish or request_fail is called, once, now or later.
 * Ownership: constant. Thread: any.
 */
#ifndef WEIR_API_H
#define WEIR_API_H

#include <stdbool.h>
#include <stdint.h>

struct api_schema;
struct cluster;
struct request;

enum route {
	ROUTE_HERE,	/* answered by the gateway */
	ROUTE_ANY,	/* any broker */
	ROUTE_LEADER,	/* split by partition leader */
	ROUTE_GROUP,	/* the group's coordinator; split when several */
	ROUTE_TXN,	/* the transactional id's coordinator */
	ROUTE_EACH,	/* asked of every broker */
	ROUTE_DENY,	/* refused */
};

/* What an API is to limits; a column of apis.def. */
enum api_class {
	CLASS_PRODUCE,
	CLASS_FETCH,
	CLASS_TOPICS,	/* creates, deletes or changes topics */
	CLASS_GROUP,	/* groups and transactions: goes before the rest */
	CLASS_META,	/* clients cannot go on without it */
	CLASS_READ,	/* anything else */
	CLASS_FREE,	/* logins: not limited here */
};

struct api_row {
	int16_t			 key;
	int16_t			 min, max;
	enum route		 route;
	void			(*handle)(struct request *r);
	uint32_t		 timeout_ms;	/* at least; 0:
						 * REQUEST_TIMEOUT_MS */
	enum api_class		 class;
	const struct api_schema	*schema;
};

/* NULL when there is no row. */
const struct api_row	*api_find(int16_t key);
/* The versions offered in front of that cluster; false when none. Produce's
 * minimum is what can be served; ApiVersions shows 0 (KAFKA-18659). */
bool	 api_offered(const struct api_row *row, const struct cluster *c,
	    int16_t *min, int16_t *max);

void	 api_acls(struct request *r);
void	 api_alter_configs(struct request *r);
void	 api_api_versions(struct request *r);
void	 api_change_topics(struct request *r);
void	 api_create_topics(struct request *r);
void	 api_delete_groups(struct request *r);
void	 api_deny(struct request *r);
void	 api_describe_cluster(struct request *r);
void	 api_describe_configs(struct request *r);
void	 api_describe_log_dirs(struct request *r);
void	 api_describe_quotas(struct request *r);
void	 api_describe_topic_partitions(struct request *r);
void	 api_fetch(struct request *r);
void	 api_find_coordinator(struct request *r);
void	 api_forward(struct request *r);
void	 api_list_config_resources(struct request *r);
void	 api_list_groups(struct request *r);
void	 api_list_reassignments(struct request *r);
void	 api_list_transactions(struct request *r);
void	 api_make(struct request *r);
void	 api_metadata(struct request *r);
void	 api_produce(struct request *r);
void	 api_sasl_authenticate(struct request *r);
void	 api_sasl_handshake(struct request *r);
void	 api_share(struct request *r);
void	 api_streams_heartbeat(struct request *r);

/* An ApiVersions request whose version is newer than ours: answered in v0 with
 * UNSUPPORTED_VERSION and the ranges (KIP-511). */
void	 api_versions_too_new(struct request *r);

#endif
