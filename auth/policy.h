/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IAM policy documents: compiled once at load, evaluated as "Policy evaluation
 * logic" in AWS's IAM user guide says: an explicit Deny wins, else an Allow
 * is needed, and where there is a session policy it must allow as well.
 *
 * A document with a fault is refused as a whole, each fault with its path
 * (Statement[2].Condition.StringLike) and reason.
 *
 * Ownership: policies are counted (atomically) and immutable; a policy_set is
 * its connection's.
 * Thread: policy: any. policy_set: its owner's.
 * Bounds: POLICY_*_MAX; matching is O(pattern * name), without backtracking.
 */
#ifndef WEIR_AUTH_POLICY_H
#define WEIR_AUTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/option.h"
#include "gateway/base/slice.h"

struct principal;

enum {
	POLICY_TEXT_MAX = 128 * 1024,	/* of a document */
	POLICY_STATEMENTS_MAX = 1000,
	POLICY_SET_MAX = 256,		/* documents that hold for one */
	POLICY_CACHE_MAX = 4096,	/* decisions kept a connection */
	POLICY_NAME_MAX = 64 * 1024,	/* of a resource; longer: denied */
	POLICY_VERDICT_TEXT = 4096,	/* enough for policy_verdict_text */
};

/* kafka-cluster:* as in AWS's "Actions, resources, and condition keys for
 * Apache Kafka APIs for Amazon MSK clusters". */
enum policy_action {
#define X(NAME, name, resource) POLICY_##NAME,
#include "auth/actions.def"
#undef X
	POLICY_ACTION_COUNT
};

enum policy_resource {
	POLICY_CLUSTER, POLICY_TOPIC, POLICY_GROUP, POLICY_TRANSACTIONAL_ID,
	POLICY_RESOURCE_COUNT
};

/* The virtual cluster that resources belong to:
 * arn:PARTITION:kafka:REGION:ACCOUNT:TYPE/NAME/UUID[/RESOURCE]. */
struct policy_cluster {
	const char	*partition, *region, *account, *name, *uuid;
};

/* The values of condition keys; NULL or 0 means that the key is absent. All is
 * borrowed and must outlive the set. */
struct policy_context {
	const struct principal	*principal;
	const char		*source_ip;	/* aws:SourceIp */
	const char		*source_vpce;	/* aws:SourceVpce */
	const char		*client_id;	/* kafka-cluster:ClientId */
	const char		*user_agent;	/* aws:UserAgent */
	bool			 secure;	/* aws:SecureTransport */
	int64_t			 now_ms;	/* aws:CurrentTime, EpochTime;
						 * 0: clock_wall_ms() */
	/* aws:ResourceTag/key: of the cluster only. */
	const struct principal_tag *cluster_tags;
	uint32_t		 cluster_tag_count;
	/* Others, for explain-access --context: "key=value" strings, which go
	 * before those above. The same key again is one more value of it; "key"
	 * without '=' takes its value away. */
	const char *const	*extra;
	uint32_t		 extra_count;
};

struct policy;
struct policy_set;

/* One reference; NULL and all faults. `name` is for explanations. */
struct policy	*policy_compile(const char *text, size_t len, const char *name,
		    struct error_list *errs);
struct policy	*policy_ref(struct policy *p);
void		 policy_unref(struct policy *p);
const char	*policy_name(const struct policy *p);

/* What decided. */
struct policy_verdict {
	bool			 allowed;
	bool			 denied;	/* by an explicit Deny */
	const struct policy	*policy;	/* NULL: nothing allowed it */
	uint32_t		 statement;	/* its index there */
	const char		*sid;		/* or NULL */
	bool			 by_session;	/* the session policy refused */
};

/* Takes references of the policies (and of session, which may be NULL). The
 * cluster's strings and the context are borrowed. */
struct policy_set	*policy_set_new(const struct policy_cluster *cluster,
			    const struct policy_context *context,
			    struct policy *const *policies, uint32_t n,
			    struct policy *session);
void			 policy_set_free(struct policy_set *s);
/* A value of the context has changed: decisions are forgotten. */
void			 policy_set_changed(struct policy_set *s);
/* The decision, from the cache when it was made before. name is ignored for
 * POLICY_CLUSTER. Decisions that depend on the time are kept for a second. */
bool			 policy_allows(struct policy_set *s,
			    enum policy_action action,
			    enum policy_resource type, struct slice name);
/* Whether the action is allowed on every resource of its type, whatever its
 * name: by a statement that allows "*" there and no Deny that could match any
 * (WriteData on all topics, which lets a producer be idempotent). */
bool			 policy_allows_all(struct policy_set *s,
			    enum policy_action action);
/* As policy_allows, without the cache, and what decided. */
void			 policy_explain(struct policy_set *s,
			    enum policy_action action,
			    enum policy_resource type, struct slice name,
			    struct policy_verdict *to);
/* The verdict in a paragraph for people: the statement that decided, or that
 * nothing allows it, and then which statements came close: those about this
 * action and resource of which a condition fails, and which. Cut to `size`. */
void			 policy_verdict_text(struct policy_set *s,
			    enum policy_action action,
			    enum policy_resource type, struct slice name,
			    const struct policy_verdict *v, char *to,
			    size_t size);

/* "WriteData", and the type of resource that the action is about. */
const char		*policy_action_name(enum policy_action a);
enum policy_resource	 policy_action_resource(enum policy_action a);
/* From "kafka-cluster:WriteData" or "WriteData", in any case; -1: none. */
int			 policy_action_find(struct slice name);
/* From a whole ARN of that cluster: its type and the name behind it (empty for
 * the cluster); false when it is no such ARN. */
bool			 policy_resource_parse(const struct policy_cluster *c,
			    struct slice arn, enum policy_resource *type,
			    struct slice *name);

#endif
