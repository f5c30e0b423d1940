/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a session's principal may do what it asks for: every request, before
 * anything of it is forwarded, by the rows of authorize.def.
 *
 *	session_frame	authorize		the request as a whole
 *	forward		authorize_begin,	each of its items
 *			authorize_item
 *			authorize_nested	items within them
 *			authorize_reply		what brokers answered
 *	handlers	authorize_topic ...	those that answer by themselves
 *
 * A topic that may not be described looks like one that does not exist: by name
 * both are TOPIC_AUTHORIZATION_FAILED, by id both are UNKNOWN_TOPIC_ID. (A
 * topic's id says nothing by itself; who was given one may keep it.)
 *
 * Names are physical here; brokers' own topics and the names of another tenant
 * are denied, and policies judge the others as the tenant says them. A session
 * without login may do everything with what is its tenant's; one that is not
 * logged in has no policies and may do nothing. What is refused is told to the
 * audit.
 * Ownership: what is made lives in the request's arena. Thread: worker.
 * Bounds: those of the request; a decision on a name that the session has asked
 * about before is a look into its policy_set's cache.
 */
#ifndef WEIR_AUTHORIZE_H
#define WEIR_AUTHORIZE_H

#include "auth/policy.h"
#include "gateway/request.h"
#include "routing/shape.h"

enum {
	/* authorize_item: go on with it, */
	AUTHORIZE_OK = 0,
	/* or no snapshot knows its topic id: never to be forwarded, but a newer
	 * snapshot may know it. */
	AUTHORIZE_UNKNOWN = INT16_MIN + 1,
};

enum authorize_how {
	AUTHORIZE_FREE, AUTHORIZE_NOBODY, AUTHORIZE_CLUSTER, AUTHORIZE_GROUP,
	AUTHORIZE_TXN, AUTHORIZE_PRODUCER, AUTHORIZE_IDEMPOTENT,
	AUTHORIZE_TOPICS, AUTHORIZE_PATTERNS, AUTHORIZE_CREATED,
	AUTHORIZE_TOPIC_ITEMS, AUTHORIZE_ATOMIC_ITEMS, AUTHORIZE_GROUP_ITEMS,
	AUTHORIZE_TXN_ITEMS, AUTHORIZE_TOPIC_CONFIGS, AUTHORIZE_GROUP_CONFIGS,
	AUTHORIZE_OTHER_CONFIGS,
	AUTHORIZE_NESTED_TOPICS, AUTHORIZE_BY_HANDLER,
	AUTHORIZE_KEEP_TOPICS, AUTHORIZE_KEEP_ASSIGNED, AUTHORIZE_KEEP_GROUPS,
	AUTHORIZE_KEEP_TXNS, AUTHORIZE_KEEP_CONFIGS, AUTHORIZE_DESCRIBED,
	AUTHORIZE_OPERATIONS, AUTHORIZE_SHOW_CONFIGS, AUTHORIZE_SHOW_NAMES,
};

/* A row of authorize.def. */
struct authorize_rule {
	int16_t			 api, since, until;
	uint8_t			 how;		/* enum authorize_how */
	uint8_t			 action;	/* enum policy_action */
	const struct field	*field;		/* GROUP, TXN, PRODUCER: where
						 * the request has it */
};

/* The API's rows, *n of them: 0 when it has none. */
const struct authorize_rule *authorize_rules(int16_t api, int *n);

static inline bool
authorize_holds(const struct authorize_rule *rule, int version)
{
	return version >= rule->since && version <= rule->until;
}

/* The request as a whole. False: it has been answered, or its session
 * closed. */
bool	 authorize(struct request *r) MUST_CHECK;

/* ---- items ---- */

struct authorize_items {
	struct request	*r;
	const struct authorize_rule *rules;	/* from the first about items */
	int		 count;
	/* What the last one was: items of a topic follow each other. */
	const void	*outer;
	int16_t		 last;
	/* Seen so far: */
	bool		 denied, unknown;
	bool		 atomic;
};

/* False when the API's items need not be looked at. */
bool	 authorize_begin(struct authorize_items *a, struct request *r);
/* AUTHORIZE_OK, AUTHORIZE_UNKNOWN, or the error to answer the item with. */
int16_t	 authorize_item(struct authorize_items *a,
	    const struct shape_item *item);

/* Takes denied topics out of the groups in the request's body. False: some
 * topic id is not known yet, and nothing was changed; with `settle` set such
 * ids are denied. *nested is for authorize_merge, NULL when there is nothing to
 * do. */
struct authorize_nested;
bool	 authorize_nested(struct request *r, bool settle,
	    struct authorize_nested **nested);
/* Puts them back, with their errors, into the whole answer. */
void	 authorize_merge(struct request *r, const struct authorize_nested *n,
	    void *response);

/* ---- replies ---- */

/* Takes out of a broker's reply what the principal may not see. */
void	 authorize_reply(struct request *r, void *reply);

/* ---- for handlers ---- */

/* Nothing need be asked: the listener has no login, and there are no
 * tenants. */
bool	 authorize_unlimited(const struct session *s);
/* Whether the action is allowed on that resource (of the action's type). Every
 * decision is made here. For what is left out without a word. */
bool	 authorize_allows(struct session *s, enum policy_action action,
	    struct slice name);
/* Whether the physical name (of a topic, group or transactional id, as the
 * action has it) is the session's tenant's; true without a tenant. */
bool	 authorize_owns(const struct session *s, enum policy_action action,
	    struct slice name);
/* authorize_allows for what the client asks for: a refusal is told to the
 * audit. */
bool	 authorize_grants(struct request *r, enum policy_action action,
	    struct slice name);
/* 0, or what the client is told of the topic; by_id: it gave an id that the
 * snapshot knows by this name. */
int16_t	 authorize_topic(struct request *r, enum policy_action action,
	    struct slice name, bool by_id);
/* AclOperation bits (KIP-430) of what is allowed. */
int32_t	 authorize_topic_operations(struct session *s, struct slice name);
int32_t	 authorize_group_operations(struct session *s, struct slice name);
int32_t	 authorize_cluster_operations(struct session *s);

#endif
