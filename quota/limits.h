/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as they are written: rows of a profile, of a tenant's file, of the
 * configuration (for the node); and which of them holds for whom.
 *
 * Of several rows of one dimension and scope that fit, the first counts; a
 * tenant's own stand before those of its profile. A row in mode off (or without
 * a row) is no limit.
 *
 * Ownership: struct limits is counted (atomically) and immutable once made.
 * Thread: any that holds a reference.
 * Bounds: LIMITS_MAX rows of a profile and as many of a tenant's own.
 */
#ifndef WEIR_QUOTA_LIMITS_H
#define WEIR_QUOTA_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

enum quota_scope {
	QUOTA_TENANT, QUOTA_PRINCIPAL, QUOTA_CLIENT, QUOTA_PARTITION,
	QUOTA_NODE, QUOTA_SCOPES
};
#define QUOTA_SCOPE(s) (1u << QUOTA_##s)

enum quota_kind { QUOTA_RATE, QUOTA_WINDOW, QUOTA_COUNT, QUOTA_SIZE };

enum quota_result {
	QUOTA_SLOWDOWN, QUOTA_CLOSE, QUOTA_INVALID_REQUEST, QUOTA_THROTTLED,
	QUOTA_JOIN, QUOTA_POLICY
};

enum quota_mode { QUOTA_ENFORCE, QUOTA_SHADOW, QUOTA_OFF };

enum quota_dimension {
#define X(name, word, kind, unit, scopes, result, text) QUOTA_DIM_##name,
#include "quota/dimensions.def"
#undef X
	QUOTA_DIMENSIONS
};

enum {
	LIMITS_MAX = 1000,		/* rows of one profile or tenant */
	LIMIT_WARNINGS_MAX = 4,
	QUOTA_WINDOW_S = 300,		/* of a WINDOW dimension */
};
/* Values and bursts are at most this, so that millionths of them, and sums of
 * those, fit; SIZE and COUNT, which are not counted so, may be more. */
#define LIMIT_VALUE_MAX 1000000000000LL
#define LIMIT_SIZE_MAX 1000000000000000LL

struct quota_dimension_row {
	const char	*word, *unit, *text;
	uint8_t		 kind, scopes, result;	/* scopes: QUOTA_SCOPE bits */
};
const struct quota_dimension_row *quota_dimension(enum quota_dimension d);
/* False when there is none of that name. */
bool		 quota_dimension_find(const char *word,
		    enum quota_dimension *to);
/* What a row means that names no scope: the first that the dimension has. */
enum quota_scope quota_dimension_scope(enum quota_dimension d);
/* The burst of a row that names none: of a RATE one second of the value, so
 * that whoever rested may catch up for a second, and in any W seconds at most
 * W + 1 seconds' worth passes; of a WINDOW the value, so that all of it may
 * come at once; of COUNT and SIZE 0, they have none. */
int64_t		 quota_burst(enum quota_dimension d, int64_t value);
/* What a value, and a burst, of it may be at most. */
int64_t		 quota_value_max(enum quota_dimension d);
const char	*quota_scope_word(enum quota_scope s);
const char	*quota_mode_word(enum quota_mode m);

struct limit {
	uint8_t		 dimension;	/* enum quota_dimension */
	uint8_t		 scope, mode;
	uint8_t		 warn[LIMIT_WARNINGS_MAX];	/* percent, rising;
						 * 0: no more */
	char		*principal;	/* NULL: any. * and ? stand for text */
	char		*client_id, *topic;
	int64_t		 value;		/* a second, a window, or of one */
	int64_t		 burst;		/* RATE, WINDOW: what unused credit may
					 * pile up to; 0 is not possible */
};

/* The warnings of a row that names none. */
extern const uint8_t limit_warnings[LIMIT_WARNINGS_MAX];

struct limits {
	atomic_int	 refs;		/* by limits_ref and limits_unref */
	struct limit	*v;
	uint32_t	 n;
	char		*profile;	/* its name, to be shown */
};

/* n zeroed rows for the caller to fill in before anybody else sees them;
 * strings in them are malloc'd and its own. The name is copied. */
struct limits	*limits_new(const char *profile, uint32_t n);
/* Another reference; NULL is allowed in both. */
struct limits	*limits_ref(struct limits *l);
void		 limits_unref(struct limits *l);
/* `own` rows (NULL: none) before those of the profile, with its name. Rows are
 * copied; without any of its own it is another reference to the profile. */
struct limits	*limits_join(const struct limits *own, struct limits *profile);
/* A profile that is built in (profiles.def); NULL: there is no such one. */
struct limits	*limits_builtin(const char *name);
/* The row that holds; NULL: none. For scope tenant and node all names are
 * empty; principal: the principal's ARN, of a role's session the role's;
 * client: and its client id; partition: the topic, as the tenant says it, and
 * the principal is not looked at. Linear: for sessions that begin and topics
 * that are seen for the first time. NULL has no rows. */
const struct limit *limits_find(const struct limits *l, enum quota_scope scope,
		    enum quota_dimension d, struct slice principal,
		    struct slice client_id, struct slice topic);

#endif
