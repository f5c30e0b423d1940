/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the policy engine share: compiled documents, and one
 * request as it is decided.
 *
 *	policy.c		documents, names of actions, ARNs
 *	policy_parse.c		a document's text to statements
 *	policy_parse_condition.c  a Condition element
 *	policy_value.c		dates, numbers, base64 as documents write them
 *	policy_match.c		patterns and globs
 *	policy_context.c	condition keys and their values
 *	policy_condition.c	conditions against values
 *	policy_set.c		decisions
 *	policy_cache.c		decisions that were made before
 *	policy_all.c		decisions for all names at once
 *	policy_text.c		a decision in words
 *
 * Ownership: all that is compiled is its policy's and immutable.
 * Thread: compiled things: any; struct policy_request: its set's owner's.
 */
#ifndef WEIR_AUTH_POLICY_PRIVATE_H
#define WEIR_AUTH_POLICY_PRIVATE_H

#include <stdatomic.h>

#include "auth/policy.h"
#include "gateway/base/cidr.h"
#include "gateway/base/error.h"

enum {
	POLICY_DEPTH_MAX = 16,		/* brackets in brackets */
	POLICY_VARIABLES_MAX = 16,	/* in one string */
	POLICY_CONDITIONS_MAX = 100,	/* keys in one statement */
	POLICY_VALUES_MAX = 128,	/* of one key in a request */
	ARN_PARTS = 6,
};

/* ---- patterns ---- */

/* What a byte of a pattern is: itself, one character, any text. */
enum { MARK_SELF, MARK_ONE, MARK_ANY };

/* A pattern without variables: text[i] counts where marks[i] is MARK_SELF. */
struct policy_glob {
	const uint8_t	*text, *marks;
	uint32_t	 len;
};

enum policy_key_id {
	KEY_OTHER,		/* one that weir never has a value of */
	KEY_SOURCE_IP, KEY_CURRENT_TIME, KEY_EPOCH_TIME, KEY_SECURE_TRANSPORT,
	KEY_PRINCIPAL_ARN, KEY_PRINCIPAL_TAG, KEY_PRINCIPAL_TYPE,
	KEY_PRINCIPAL_ACCOUNT, KEY_PRINCIPAL_GROUPS, KEY_USERNAME, KEY_USERID,
	KEY_TOKEN_ISSUE_TIME, KEY_SOURCE_VPCE, KEY_USER_AGENT,
	KEY_RESOURCE_TAG, KEY_CLIENT_ID,
};

struct policy_key {
	enum policy_key_id	 id;
	char			*name;	/* whole, as the document spells it */
	const char		*tag;	/* in name behind '/', or NULL */
};

/* ${key, 'fallback'} stands in front of text[at]. */
struct policy_variable {
	struct policy_key	 key;
	char			*fallback;	/* or NULL */
	uint32_t		 at;
};

struct policy_pattern {
	uint8_t			*text, *marks;
	uint32_t		 len;
	struct policy_variable	*variables;
	uint32_t		 variable_count;
};

enum { PATTERN_WILD = 1, PATTERN_VARIABLES = 2 };

/* What is parsed must be freed whatever the outcome. */
bool	 policy_pattern_parse(const char *text, size_t len, unsigned flags,
	    struct policy_pattern *to, struct error *err) MUST_CHECK;
void	 policy_pattern_free(struct policy_pattern *p);
/* O(pattern * name), no recursion; '?' is one UTF-8 character. */
bool	 policy_glob_match(struct policy_glob g, struct slice name);
bool	 policy_glob_equal(struct policy_glob g, struct slice name,
	    bool ignore_case);
/* Whether it matches each, or could match some, text that begins with
 * `prefix`. They err towards false and true. */
bool	 policy_glob_covers(struct policy_glob g, struct slice prefix);
bool	 policy_glob_meets(struct policy_glob g, struct slice prefix);
bool	 policy_same_nocase(struct slice a, struct slice b);

/* ---- conditions ---- */

enum policy_operator {
	OP_STRING, OP_STRING_NOCASE, OP_STRING_LIKE, OP_NUMBER, OP_DATE,
	OP_BOOL, OP_BINARY, OP_IP, OP_ARN, OP_NULL,
};
enum policy_compare { IS_EQ, IS_LT, IS_LE, IS_GT, IS_GE };
enum policy_quantifier { EACH_NONE, EACH_ANY, EACH_ALL };

struct policy_value {
	struct policy_pattern	*patterns;	/* 1, or an ARN's parts */
	uint32_t		 pattern_count;
	double			 number;
	int64_t			 ms;
	bool			 flag;
	struct cidr		 cidr;
	uint8_t			*bytes;
	uint32_t		 len;
};

struct policy_condition {
	enum policy_operator	 op;
	enum policy_compare	 compare;
	enum policy_quantifier	 quantifier;
	bool			 negated, if_exists;
	char			*op_name;	/* as in the document */
	struct policy_key	 key;
	struct policy_value	*values;
	uint32_t		 value_count;
};

/* ISO 8601 as "https://www.w3.org/TR/NOTE-datetime" has it, or seconds since
 * 1970 (four digits are a year). */
bool	 policy_date_parse(struct slice text, int64_t *ms);
bool	 policy_number_parse(struct slice text, double *to);
/* to has room for len bytes; -1: not base64. */
int	 policy_base64(struct slice text, uint8_t *to);

/* ---- documents ---- */

struct policy_statement {
	bool			 deny;
	bool			 not_resource;
	uint32_t		 index;		/* in its document */
	uint32_t		 actions;	/* bits of enum policy_action */
	char			*sid;
	struct policy_pattern	*resources;
	uint32_t		 resource_count;
	struct policy_condition	*conditions;
	uint32_t		 condition_count;
};

enum { EFFECT_ALLOW, EFFECT_DENY, EFFECT_COUNT };

struct policy {
	atomic_int		 refs;
	char			*name;
	struct policy_statement	*statements;
	uint32_t		 statement_count;
	/* Statements by effect and action: index[first[e][a]] up to
	 * index[first[e][a + 1]]. */
	uint16_t		*index;
	uint32_t		 first[EFFECT_COUNT][POLICY_ACTION_COUNT + 1];
};

/* What a parse carries along. */
struct policy_parse {
	struct error_list	*errs;
	bool			 bad;		/* there was a fault */
	bool			 variables;	/* Version has them */
};

struct json_t;

void	 policy_fault(struct policy_parse *p, const char *path,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A document's text on its way to a terminal: '?' for what is not plain. */
void	 policy_plain(char *s);
enum { POLICY_PATH_SIZE = 256 };
void	 policy_path(char to[POLICY_PATH_SIZE], const char *path,
	    const char *name);
void	 policy_path_at(char to[POLICY_PATH_SIZE], const char *path, size_t i);
/* The element i of an array, or the path itself of what is none. */
void	 policy_path_in(char to[POLICY_PATH_SIZE], const char *path,
	    const struct json_t *in, size_t i);
const char *policy_json_type(const struct json_t *v);
/* Statements of a document into *to, which is zeroed. */
void	 policy_parse_document(struct policy_parse *p, struct json_t *in,
	    struct policy *to);
void	 policy_parse_condition(struct policy_parse *p, struct json_t *in,
	    const char *path, struct policy_statement *to);
void	 policy_statement_free(struct policy_statement *st);

/* "topic". */
const char *policy_resource_type_name(enum policy_resource type);
/* "arn:P:kafka:R:A:TYPE/NAME/UUID", and '/' for all but clusters; to be
 * freed. */
char	*policy_resource_prefix(const struct policy_cluster *c,
	    enum policy_resource type);

/* ---- a request ---- */

struct policy_set;

struct policy_request {
	struct policy_set	*set;
	enum policy_action	 action;
	enum policy_resource	 type;
	struct slice		 arn;
	bool			 timed;		/* it has asked for the time */
	int64_t			 now_ms;	/* 0: not asked for yet */
};

struct policy_values {
	struct slice		 v[POLICY_VALUES_MAX];
	uint32_t		 n;
	char			 text[32];	/* what some point to */
};

/* From "aws:PrincipalTag/team"; false and why when there is no such key. */
bool	 policy_key_parse(const char *text, size_t len, struct policy_key *to,
	    struct error *err) MUST_CHECK;
void	 policy_key_free(struct policy_key *k);
bool	 policy_key_has_many(const struct policy_key *k);
void	 policy_key_values(struct policy_request *r, const struct policy_key *k,
	    struct policy_values *to);
/* With the values of this request; false: a variable has none. What it yields
 * stands until the next call. */
bool	 policy_expand(struct policy_request *r, const struct policy_pattern *p,
	    struct policy_glob *to);
bool	 policy_condition_holds(struct policy_request *r,
	    const struct policy_condition *c);

/* ---- sets ---- */

struct policy_slot {
	uint64_t	 hash;
	uint8_t		*name;		/* owned */
	uint32_t	 len;
	uint8_t		 action, type;
	bool		 used, allowed, timed;
	int64_t		 made_ms;	/* when timed */
};

struct policy_cache {
	struct policy_slot	*slots;
	uint32_t		 count;		/* of slots; 0 at first */
	uint32_t		 victim;
};

struct policy_set {
	struct policy_cluster		 cluster;
	const struct policy_context	*context;
	struct policy			**policies;
	uint32_t			 count;
	struct policy			*session;	/* or NULL */
	char				*prefix[POLICY_RESOURCE_COUNT];
	uint32_t			 prefix_len[POLICY_RESOURCE_COUNT];
	char				*userid, *account;	/* or NULL */
	/* What ARNs and expanded patterns are put together in. */
	uint8_t				*arn, *text, *marks;
	uint32_t			 arn_size, text_size;
	struct policy_cache		 cache;
};

/* The type that stands for a decision about all names. */
enum { POLICY_ALL_NAMES = POLICY_RESOURCE_COUNT };

/* NULL: it was not decided before. */
const struct policy_slot *policy_cache_find(const struct policy_cache *c,
	    uint64_t hash, unsigned action, unsigned type, struct slice name);
/* Forgets another one when it is full. */
void	 policy_cache_put(struct policy_cache *c, const struct policy_slot *new,
	    struct slice name);
void	 policy_cache_clear(struct policy_cache *c);

void	 policy_request_init(struct policy_request *r, struct policy_set *s,
	    enum policy_action action, enum policy_resource type,
	    struct slice name);
int64_t	 policy_request_now(struct policy_request *r);
bool	 policy_resource_matches(struct policy_request *r,
	    const struct policy_statement *st);
/* NULL: all of them hold. */
const struct policy_condition *policy_first_failing(struct policy_request *r,
	    const struct policy_statement *st);
bool	 policy_decide_all(struct policy_request *r);

#endif
