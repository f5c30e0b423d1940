/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who there is, and which policies hold for whom: identities_file.
 *
 *	{ "users":  { "alice": { "policies": ["reader"], "groups": ["team-a"],
 *	                         "tags": { "team": "a" } } },
 *	  "roles":  { "app": { "policies": ["writer"], "max_ttl": "12h" } },
 *	  "groups": { "team-a": { "policies": ["orders"] } },
 *	  "subjects": { ... }, "certificates": { ... } }
 *
 * A policy is a file of policies_dir, NAME.json. Each unknown name, member,
 * duplicate or bad name is a fault; with one the whole is refused.
 *
 * Ownership: counted, immutable. Thread: any.
 * Bounds: IDENTITIES_MAX of a kind, IDENTITIES_FILE_MAX bytes, POLICY_SET_MAX
 * policies for one, PRINCIPAL_GROUPS_MAX, PRINCIPAL_TAGS_MAX.
 */
#ifndef WEIR_AUTH_IDENTITIES_H
#define WEIR_AUTH_IDENTITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/policy.h"
#include "auth/principal.h"

enum {
	IDENTITIES_MAX = 100000,
	IDENTITIES_FILE_MAX = 64 * 1024 * 1024,
	IDENTITIES_TTL_MAX_S = 12 * 3600,	/* as AWS's of a role */
	IDENTITIES_TTL_MIN_S = 15,	/* a login wants 10 s to be left */
	IDENTITIES_TTL_DEFAULT_S = 3600,
};

enum identity_kind {
	IDENTITY_USER, IDENTITY_ROLE, IDENTITY_SUBJECT, IDENTITY_CERTIFICATE,
	IDENTITY_GROUP, IDENTITY_KIND_COUNT
};

struct identity {
	struct policy		**policies;	/* borrowed of the identities */
	uint32_t		 policy_count;
	const struct identity	**groups;
	char			**group_names;
	uint32_t		 group_count;
	struct principal_tag	*tags;
	uint32_t		 tag_count;
	uint32_t		 max_ttl_s;	/* of a role */
};

struct identities;

/* One reference; NULL and all faults, behind their file's name. path NULL:
 * nobody. */
struct identities *identities_load(const char *path, const char *policies_dir,
		    struct error_list *errs);
/* The same from the file's bytes; `name` goes before faults. */
struct identities *identities_parse(const char *text, size_t len,
		    const char *name, const char *policies_dir,
		    struct error_list *errs);
struct identities *identities_ref(struct identities *i);
void		 identities_unref(struct identities *i);
/* Borrowed; NULL: nobody of that name. */
const struct identity *identities_find(const struct identities *i,
		    enum identity_kind kind, struct slice name);
/* The kind of entry that is about such a principal. */
enum identity_kind identities_kind(enum principal_kind kind);
/* "users" */
const char	*identities_section(enum identity_kind kind);

/* "90s", "15m", "12h", "1d": seconds; false: it is none, or passes UINT32_MAX.
 */
bool		 identities_duration(const char *text, uint32_t *to);

#endif
