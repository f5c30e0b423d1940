/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/identities.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <jansson.h>

#include "auth/file.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"

enum {
	PATH_SIZE = 640,
	TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256,	/* as AWS's tags */
};

struct identities {
	atomic_int	 refs;
	struct htab	*kinds[IDENTITY_KIND_COUNT];	/* struct identity * */
	struct htab	*policies;			/* struct policy * */
};

static const struct section {
	const char	*name, *members;	/* " a b " */
} sections[] = {
	[IDENTITY_USER] = { "users", " policies groups tags " },
	[IDENTITY_ROLE] = { "roles", " policies groups tags max_ttl " },
	[IDENTITY_SUBJECT] = { "subjects", " policies groups tags " },
	[IDENTITY_CERTIFICATE] = { "certificates",
	    " policies groups tags " },
	[IDENTITY_GROUP] = { "groups", " policies " },
};

/* What one reading carries along. */
struct reading {
	struct identities	*ids;
	const char		*policies_dir;
	struct error_list	*errs;		/* of the file itself */
	struct error_list	*policy_errs;	/* of policies, with names */
	struct htab		*broken;	/* policies that have faults */
};

const char *
identities_section(enum identity_kind kind)
{
	return sections[kind].name;
}

enum identity_kind
identities_kind(enum principal_kind kind)
{
	static const enum identity_kind kinds[] = {
		[PRINCIPAL_USER] = IDENTITY_USER,
		[PRINCIPAL_ROLE] = IDENTITY_ROLE,
		[PRINCIPAL_TOKEN] = IDENTITY_SUBJECT,
		[PRINCIPAL_CERTIFICATE] = IDENTITY_CERTIFICATE,
	};

	return kinds[kind];
}

bool
identities_duration(const char *text, uint32_t *to)
{
	static const struct {
		char		 unit;
		uint32_t	 seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint32_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && p - text < 6; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	if (p == text || p[0] == '\0' || p[1] != '\0')
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*p != units[i].unit)
			continue;
		if (n > UINT32_MAX / units[i].seconds)
			return false;
		*to = n * units[i].seconds;
		return true;
	}
	return false;
}

/* ---- policies ---- */

/* Reads and compiles it, once; NULL with a fault. */
static struct policy *
load_policy(struct reading *r, const char *name, const char *path)
{
	struct error_list own = { NULL, 0 };
	struct policy *p;
	struct error err;
	size_t size = strlen(r->policies_dir) + strlen(name) + 7, len;
	char *file = mem_alloc(size), *text;

	snprintf(file, size, "%s/%s.json", r->policies_dir, name);
	text = file_read(file, POLICY_TEXT_MAX, false, &len, &err);
	if (text == NULL) {
		error_list_add(r->errs, path, "%s: %s", file, err.text);
		free(file);
		return NULL;
	}
	p = policy_compile(text, len, name, &own);
	if (p == NULL)
		htab_set(r->broken, slice_of(name), r->broken);
	file_faults(r->policy_errs, &own, file);
	free(text);
	free(file);
	return p;
}

/* Borrowed; NULL with a fault, which a broken document has only once. */
static struct policy *
find_policy(struct reading *r, const char *name, const char *path)
{
	struct policy *p;

	if (name == NULL || name[0] == '.' ||
	    !principal_name_valid(slice_of(name))) {
		error_list_add(r->errs, path, "is no policy's name");
		return NULL;
	}
	p = htab_get(r->ids->policies, slice_of(name));
	if (p != NULL || htab_get(r->broken, slice_of(name)) != NULL)
		return p;
	if (r->policies_dir == NULL) {
		error_list_add(r->errs, path, "names a policy, but "
		    "policies_dir is not set");
		return NULL;
	}
	p = load_policy(r, name, path);
	if (p != NULL)
		htab_set(r->ids->policies, slice_of(name), p);
	return p;
}

/* ---- one identity ---- */

static void
identity_free(void *value)
{
	struct identity *id = value;

	for (uint32_t i = 0; i < id->group_count; i++)
		free(id->group_names[i]);
	for (uint32_t i = 0; i < id->tag_count; i++) {
		free(id->tags[i].key);
		free(id->tags[i].value);
	}
	free(id->policies);
	free(id->groups);
	free(id->group_names);
	free(id->tags);
	free(id);
}

/* Whether it is an array of at most so many; absent is an empty one. */
static bool
is_list(struct reading *r, const json_t *v, size_t max, const char *path)
{
	if (v == NULL)
		return false;
	if (!json_is_array(v))
		error_list_add(r->errs, path, "must be an array of names");
	else if (json_array_size(v) > max)
		error_list_add(r->errs, path, "has more than %zu names", max);
	else
		return json_array_size(v) > 0;
	return false;
}

/* Whether a name stands there before place i. */
static bool
is_repeated(struct reading *r, const json_t *list, size_t i, const char *path)
{
	const char *name = json_string_value(json_array_get(list, i)), *other;

	for (size_t j = 0; name != NULL && j < i; j++) {
		other = json_string_value(json_array_get(list, j));
		if (other == NULL || strcmp(name, other) != 0)
			continue;
		error_list_add(r->errs, path, "is there twice");
		return true;
	}
	return false;
}

static void
read_policies(struct reading *r, const json_t *list, struct identity *id,
    const char *path)
{
	char where[PATH_SIZE + 32];
	json_t *v;
	size_t i;

	snprintf(where, sizeof(where), "%s.policies", path);
	if (!is_list(r, list, POLICY_SET_MAX, where))
		return;
	id->policies = mem_zalloc(json_array_size(list) *
	    sizeof(struct policy *));
	json_array_foreach(list, i, v) {
		struct policy *p;

		snprintf(where, sizeof(where), "%s.policies[%zu]", path, i);
		if (is_repeated(r, list, i, where))
			continue;
		p = find_policy(r, json_string_value(v), where);
		if (p != NULL)
			id->policies[id->policy_count++] = p;
	}
}

static void
read_groups(struct reading *r, enum identity_kind kind, const json_t *list,
    struct identity *id, const char *path)
{
	/* The rule that makes a certificate's principal may give one more. */
	size_t most = PRINCIPAL_GROUPS_MAX - (kind == IDENTITY_CERTIFICATE);
	char where[PATH_SIZE + 32];
	uint32_t sum = id->policy_count;
	json_t *v;
	size_t i;

	snprintf(where, sizeof(where), "%s.groups", path);
	if (!is_list(r, list, most, where))
		return;
	id->groups = mem_zalloc(json_array_size(list) *
	    sizeof(struct identity *));
	id->group_names = mem_zalloc(json_array_size(list) * sizeof(char *));
	json_array_foreach(list, i, v) {
		const char *name = json_string_value(v);
		const struct identity *g = name == NULL ? NULL :
		    identities_find(r->ids, IDENTITY_GROUP, slice_of(name));

		snprintf(where, sizeof(where), "%s.groups[%zu]", path, i);
		if (g == NULL)
			error_list_add(r->errs, where, "is no group that "
			    "\"groups\" has");
		if (g == NULL || is_repeated(r, list, i, where))
			continue;
		id->groups[id->group_count] = g;
		id->group_names[id->group_count++] = mem_strdup(name);
		sum += g->policy_count;
	}
	if (sum > POLICY_SET_MAX)
		error_list_add(r->errs, path, "has %u policies with those of "
		    "its groups; %d are the most", sum, POLICY_SET_MAX);
}

static bool
is_plain(const char *text, size_t least, size_t most)
{
	size_t len = strlen(text);

	if (len < least || len > most)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool
has_tag(const struct identity *id, const char *key)
{
	for (uint32_t i = 0; i < id->tag_count; i++)
		if (strcasecmp(id->tags[i].key, key) == 0)
			return true;
	return false;
}

static void
read_tags(struct reading *r, json_t *tags, struct identity *id,
    const char *path)
{
	char where[PATH_SIZE + 8];
	const char *key;
	json_t *v;

	snprintf(where, sizeof(where), "%s.tags", path);
	if (tags == NULL)
		return;
	if (!json_is_object(tags) ||
	    json_object_size(tags) > PRINCIPAL_TAGS_MAX) {
		error_list_add(r->errs, where, "must be an object of at most "
		    "%d texts", PRINCIPAL_TAGS_MAX);
		return;
	}
	id->tags = mem_zalloc((json_object_size(tags) + 1) *
	    sizeof(*id->tags));
	json_object_foreach(tags, key, v) {
		const char *value = json_string_value(v);

		if (value == NULL || !is_plain(value, 0, TAG_VALUE_MAX) ||
		    !is_plain(key, 1, TAG_KEY_MAX)) {
			error_list_add(r->errs, where, "has a tag that is no "
			    "text of at most %d bytes, or too long a key",
			    TAG_VALUE_MAX);
			continue;
		}
		if (has_tag(id, key))
			error_list_add(r->errs, where, "has a key twice: they "
			    "are the same in any case");
		id->tags[id->tag_count++] = (struct principal_tag){
		    mem_strdup(key), mem_strdup(value) };
	}
}

static void
read_ttl(struct reading *r, const json_t *v, struct identity *id,
    const char *path)
{
	char where[PATH_SIZE + 8];

	id->max_ttl_s = IDENTITIES_TTL_DEFAULT_S;
	snprintf(where, sizeof(where), "%s.max_ttl", path);
	if (v == NULL)
		return;
	if (!json_is_string(v) ||
	    !identities_duration(json_string_value(v), &id->max_ttl_s) ||
	    id->max_ttl_s < IDENTITIES_TTL_MIN_S ||
	    id->max_ttl_s > IDENTITIES_TTL_MAX_S)
		error_list_add(r->errs, where, "must be a time such as \"1h\","
		    " from %us to 12h", IDENTITIES_TTL_MIN_S);
}

static void
check_members(struct reading *r, json_t *in, const char *members,
    const char *path)
{
	char word[32], where[PATH_SIZE + 32];
	const char *name;
	json_t *v;

	json_object_foreach(in, name, v) {
		snprintf(word, sizeof(word), " %s ", name);
		if (strchr(name, ' ') == NULL && strlen(name) < 24 &&
		    strstr(members, word) != NULL)
			continue;
		snprintf(where, sizeof(where), "%s.%.24s", path, name);
		error_list_add(r->errs, where, "is not known here");
	}
}

static struct identity *
read_identity(struct reading *r, enum identity_kind kind, json_t *in,
    const char *path)
{
	struct identity *id = mem_zalloc(sizeof(*id));

	if (!json_is_object(in)) {
		error_list_add(r->errs, path, "must be an object");
		return id;
	}
	check_members(r, in, sections[kind].members, path);
	read_policies(r, json_object_get(in, "policies"), id, path);
	read_groups(r, kind, json_object_get(in, "groups"), id, path);
	read_tags(r, json_object_get(in, "tags"), id, path);
	if (kind == IDENTITY_ROLE)
		read_ttl(r, json_object_get(in, "max_ttl"), id, path);
	return id;
}

/* ---- all of them ---- */

static void
read_section(struct reading *r, enum identity_kind kind, json_t *in)
{
	const char *section = sections[kind].name, *name;
	char path[PATH_SIZE];
	json_t *v;

	if (in == NULL)
		return;
	if (!json_is_object(in) || json_object_size(in) > IDENTITIES_MAX) {
		error_list_add(r->errs, section, "must be an object of at "
		    "most %d names", IDENTITIES_MAX);
		return;
	}
	json_object_foreach(in, name, v) {
		if (r->errs->n >= FAULTS_MAX)
			return;		/* no more are kept */
		snprintf(path, sizeof(path), "%s.%.300s", section, name);
		/* Subjects and certificates are named as they are escaped. */
		if (!principal_name_valid(slice_of(name)))
			error_list_add(r->errs, path, "is no name: 1 to %d "
			    "printable characters without * ? $ / : and "
			    "blanks", PRINCIPAL_NAME_MAX);
		else
			htab_set(r->ids->kinds[kind], slice_of(name),
			    read_identity(r, kind, v, path));
	}
}

static void
read_all(struct reading *r, json_t *doc)
{
	const char *name;
	json_t *v;

	if (!json_is_object(doc)) {
		error_list_add(r->errs, "", "must be an object with users, "
		    "roles, groups, subjects or certificates");
		return;
	}
	json_object_foreach(doc, name, v) {
		bool known = false;

		for (int k = 0; k < IDENTITY_KIND_COUNT; k++)
			known = known || strcmp(name, sections[k].name) == 0;
		if (!known)
			error_list_add(r->errs, name, "is not known here");
	}
	/* Groups first: the others name them. */
	for (int k = IDENTITY_KIND_COUNT - 1; k >= 0; k--)
		read_section(r, (enum identity_kind)k,
		    json_object_get(doc, sections[k].name));
}

static struct identities *
new_empty(void)
{
	struct identities *ids = mem_zalloc(sizeof(*ids));

	atomic_init(&ids->refs, 1);
	ids->policies = htab_new();
	for (int k = 0; k < IDENTITY_KIND_COUNT; k++)
		ids->kinds[k] = htab_new();
	return ids;
}

struct identities *
identities_parse(const char *text, size_t len, const char *name,
    const char *policies_dir, struct error_list *errs)
{
	struct error_list own = { NULL, 0 }, of_policies = { NULL, 0 };
	struct reading r = { new_empty(), policies_dir, &own,
	    &of_policies, htab_new() };
	json_error_t why;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	bool ok;

	if (doc == NULL)
		error_list_add(&own, "", "is no JSON: line %d: %s", why.line,
		    why.text);
	else
		read_all(&r, doc);
	json_decref(doc);
	htab_free(r.broken, NULL);
	ok = own.n == 0 && of_policies.n == 0;
	file_faults(errs, &own, name);
	for (uint32_t i = 0; i < of_policies.n; i++)
		error_list_add(errs, of_policies.v[i].path, "%s",
		    of_policies.v[i].reason);
	error_list_free(&of_policies);
	if (ok)
		return r.ids;
	identities_unref(r.ids);
	return NULL;
}

struct identities *
identities_load(const char *path, const char *policies_dir,
    struct error_list *errs)
{
	struct identities *ids = NULL;
	struct error err;
	size_t len;
	char *text;

	if (path == NULL)
		return new_empty();
	text = file_read(path, IDENTITIES_FILE_MAX, false, &len, &err);
	if (text == NULL)
		error_list_add(errs, path, "%s", err.text);
	else
		ids = identities_parse(text, len, path, policies_dir, errs);
	free(text);
	return ids;
}

struct identities *
identities_ref(struct identities *ids)
{
	atomic_fetch_add(&ids->refs, 1);
	return ids;
}

static void
drop_policy(void *p)
{
	policy_unref(p);
}

void
identities_unref(struct identities *ids)
{
	if (ids == NULL || atomic_fetch_sub(&ids->refs, 1) != 1)
		return;
	for (int k = 0; k < IDENTITY_KIND_COUNT; k++)
		htab_free(ids->kinds[k], identity_free);
	htab_free(ids->policies, drop_policy);
	free(ids);
}

const struct identity *
identities_find(const struct identities *ids, enum identity_kind kind,
    struct slice name)
{
	return htab_get(ids->kinds[kind], name);
}
