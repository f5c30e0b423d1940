/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tenants.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "auth/file.h"
#include "auth/principal.h"
#include "gateway/base/htab.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/quota_config.h"
#include "gateway/tenants_private.h"
#include "quota/limits.h"
#include "routing/names.h"

enum { UUID_LEN = 36, UUID_MORE_MAX = 9, PATH_SIZE = 128 };

/* ---- one ---- */

/* What a tenant is embedded in: what its members point to. */
struct whole {
	struct tenant		 tenant;
	struct config_tenant	 config;
	struct names		*names;
	char			 id[TENANT_ID_MAX + 1];
	char			 prefix[TENANT_ID_MAX + 2];	/* "ID." */
	char			 uuid[UUID_LEN + 1];
	char			*partition, *region, *account, *name, *arn;
};

static atomic_uint_fast64_t made;

void
tenant_init(struct tenant *t)
{
	atomic_init(&t->refs, 1);
	atomic_init(&t->compared, 0);
	t->serial = atomic_fetch_add(&made, 1) + 1;
}

static struct whole *
whole_of(struct tenant *t)
{
	return (struct whole *)t;	/* its first member */
}

struct tenant *
tenant_ref(struct tenant *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

static void
tenant_free(struct whole *w)
{
	assert(w->tenant.base == NULL);
	for (uint32_t i = 0; i < w->tenant.policy_count; i++)
		policy_unref(w->tenant.policies[i]);
	free(w->tenant.policies);
	limits_unref(w->tenant.limits);
	names_free(w->names);
	option_free(config_tenant_group(), &w->config);
	free(w->partition);
	free(w->region);
	free(w->account);
	free(w->name);
	free(w->arn);
	free(w);
}

void
tenant_unref(struct tenant *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	if (t->base == NULL) {
		tenant_free(whole_of(t));
		return;
	}
	tenant_unref(t->base);
	free(t->suspended);
	free(t);
}

bool
tenant_suspended(const struct tenant *t, const char **why)
{
	*why = t->base != NULL ? t->suspended : t->config->suspended;
	return *why != NULL;
}

/* Rules may be many, and each session asks. */
bool
tenant_moved(const struct tenant *old, struct tenant *new)
{
	uint64_t found = atomic_load_explicit(&new->compared,
	    memory_order_relaxed);
	bool moved;

	if (found >> 1 == old->serial)
		return found & 1;
	moved = old->config->namespace != new->config->namespace ||
	    !names_keep(new->names, old->names);
	atomic_store_explicit(&new->compared, old->serial << 1 | moved,
	    memory_order_relaxed);
	return moved;
}

bool
tenant_id_valid(struct slice id)
{
	if (id.len == 0 || id.len > TENANT_ID_MAX || id.data[0] == '-')
		return false;
	for (uint32_t i = 0; i < id.len; i++)
		if (!(id.data[i] >= 'a' && id.data[i] <= 'z') &&
		    !(id.data[i] >= '0' && id.data[i] <= '9') &&
		    id.data[i] != '-')
			return false;
	return true;
}

/* ---- reading ---- */

/* What one reading carries along. */
struct reading {
	const struct config	*config;
	struct tenants		*to;
	struct error_list	*errs;		/* of the file being read */
	struct error_list	*all;
	struct htab		*policies;	/* struct policy, by name */
	struct htab		*broken;	/* policies that have faults */
	struct htab		*uuids;		/* struct tenant, by its id */
	uint32_t		 before;	/* faults of others */
};

__attribute__((format(printf, 3, 4))) static void
fault(struct reading *r, const char *path, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_list_add(r->errs, path, "%s", text);
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

/* 8-4-4-4-12 hexadecimal digits, and at most eight letters or digits behind one
 * more '-', as MSK's have them. */
static bool
is_uuid(const char *s)
{
	size_t len = strlen(s);

	if (len < UUID_LEN || len > UUID_LEN + UUID_MORE_MAX)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !is_hex(s[i]))
			return false;
	}
	if (len == UUID_LEN)
		return true;
	for (size_t i = UUID_LEN + 1; i < len; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return s[UUID_LEN] == '-' && len > UUID_LEN + 1;
}

/* Of the id alone: the same on each node, at each start. Version 8 (RFC 9562),
 * the one for digests of one's own. */
static void
derive_uuid(const char *id, char to[UUID_LEN + 1])
{
	static const char space[] = "weir tenant ";
	unsigned char d[EVP_MAX_MD_SIZE];
	char text[sizeof(space) + TENANT_ID_MAX];
	int n = snprintf(text, sizeof(text), "%s%s", space, id);

	if (EVP_Digest(text, (size_t)n, d, NULL, EVP_sha256(), NULL) != 1)
		abort();	/* out of memory */
	d[6] = (unsigned char)((d[6] & 0x0f) | 0x80);
	d[8] = (unsigned char)((d[8] & 0x3f) | 0x80);
	snprintf(to, UUID_LEN + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1], d[2], d[3], d[4],
	    d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
	    d[15]);
}

/* ---- its parts ---- */

/* A part of an ARN: the file's, or the one of auth. */
static char *
part(struct reading *r, const char *member, const char *own,
    const char *otherwise)
{
	if (own != NULL && !principal_name_valid(slice_of(own)))
		fault(r, member, "must not have blanks, or any of * ? $ / : "
		    "(it stands in ARNs)");
	return mem_strdup(own != NULL ? own : otherwise);
}

static void
set_cluster(struct reading *r, struct whole *w)
{
	const struct config_auth *a = &r->config->auth;
	const struct config_tenant *c = &w->config;
	struct tenant *same, *t = &w->tenant;
	const char *uuid = c->cluster_uuid;
	int n;

	if (uuid == NULL) {
		derive_uuid(w->id, w->uuid);
		uuid = w->uuid;
	} else if (!is_uuid(uuid)) {
		fault(r, "cluster_uuid", "must be a UUID, such as one of "
		    "uuidgen(1)");
	}
	same = htab_set(r->uuids, slice_of(uuid), t);
	if (same != NULL)
		fault(r, "cluster_uuid", "is the one of tenant %s, too",
		    same->id);
	w->partition = mem_strdup(a->partition);
	w->region = part(r, "region", c->region, a->regions.v[0]);
	w->account = part(r, "account", c->account, a->account);
	w->name = part(r, "cluster_name", c->cluster_name, a->cluster_name);
	t->cluster = (struct policy_cluster){ w->partition, w->region,
	    w->account, w->name, uuid };
	n = snprintf(NULL, 0, "arn:%s:kafka:%s:%s:cluster/%s/%s", w->partition,
	    w->region, w->account, w->name, uuid);
	w->arn = mem_alloc((size_t)n + 1);
	snprintf(w->arn, (size_t)n + 1, "arn:%s:kafka:%s:%s:cluster/%s/%s",
	    w->partition, w->region, w->account, w->name, uuid);
	t->arn = w->arn;
}

static bool
is_listener(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->listeners.n; i++)
		if (strcmp(c->listeners.v[i].name, name) == 0)
			return true;
	return false;
}

static void
check_members(struct reading *r, const struct config_tenant *c)
{
	char path[PATH_SIZE];

	for (uint32_t i = 0; i < c->members.n; i++) {
		const struct config_tenant_member *m = &c->members.v[i];

		snprintf(path, sizeof(path), "members[%u]", i);
		if (m->principal == NULL && m->access_key == NULL &&
		    m->tenant_claim == NULL && m->certificate == NULL &&
		    m->listener == NULL && m->sni == NULL)
			fault(r, path, "would make everybody a member: give "
			    "principal, access_key, tenant_claim, certificate, "
			    "listener or sni");
		snprintf(path, sizeof(path), "members[%u].listener", i);
		if (m->listener != NULL && !is_listener(r->config, m->listener))
			fault(r, path, "there is no listener %s", m->listener);
	}
}

static void
check_networks(struct reading *r, const struct config_tenant *c)
{
	const struct config_tenant_networks *n = &c->networks;

	if (n->cidrs.n + n->vpc_endpoints.n > TENANT_NETWORKS_MAX)
		fault(r, "networks", "has %u cidrs and vpc_endpoints: %d are "
		    "the most", n->cidrs.n + n->vpc_endpoints.n,
		    TENANT_NETWORKS_MAX);
}

/* ---- policies ---- */

/* Reads and compiles it; NULL with a fault. */
static struct policy *
load_policy(struct reading *r, const char *name, const char *path)
{
	const char *folder = r->config->auth.policies_dir;
	struct error_list own = { NULL, 0 };
	struct policy *p = NULL;
	struct error err;
	size_t size = strlen(folder) + strlen(name) + 7, len;
	char *file = mem_alloc(size), *text;

	snprintf(file, size, "%s/%s.json", folder, name);
	text = file_read(file, POLICY_TEXT_MAX, false, &len, &err);
	if (text == NULL)
		fault(r, path, "%s: %s", file, err.text);
	else
		p = policy_compile(text, len, name, &own);
	if (text != NULL && p == NULL)
		htab_set(r->broken, slice_of(name), r->broken);
	file_faults(r->all, &own, file);
	free(text);
	free(file);
	return p;
}

/* Borrowed of the reading; NULL with a fault, of which a broken document has
 * all its own only once. */
static struct policy *
find_policy(struct reading *r, const char *name, const char *path)
{
	struct policy *p;

	if (name[0] == '.' || !principal_name_valid(slice_of(name))) {
		fault(r, path, "is no policy's name");
		return NULL;
	}
	if (r->config->auth.policies_dir == NULL) {
		fault(r, path, "names a policy, but auth.policies_dir is not "
		    "set");
		return NULL;
	}
	p = htab_get(r->policies, slice_of(name));
	if (p != NULL)
		return p;
	if (htab_get(r->broken, slice_of(name)) != NULL) {
		fault(r, path, "the policy %s has faults", name);
		return NULL;
	}
	p = load_policy(r, name, path);
	if (p != NULL)
		htab_set(r->policies, slice_of(name), p);
	return p;
}

static void
set_policies(struct reading *r, struct whole *w)
{
	const struct text_list *l = &w->config.policies;
	struct tenant *t = &w->tenant;
	char path[PATH_SIZE];

	t->policies = mem_zalloc((l->n + 1) * sizeof(*t->policies));
	for (uint32_t i = 0; i < l->n; i++) {
		struct policy *p;

		snprintf(path, sizeof(path), "policies[%u]", i);
		p = find_policy(r, l->v[i], path);
		if (p != NULL)
			t->policies[t->policy_count++] = policy_ref(p);
	}
}

/* ---- names ---- */

static void
adopt(struct reading *r, struct names *n, enum name_kind kind,
    const char *member, const struct config_tenant_adopted *v, uint32_t count)
{
	char path[PATH_SIZE];
	struct error err;

	for (uint32_t i = 0; i < count; i++) {
		if (v[i].name == NULL || names_adopt(n, kind, v[i].name,
		    v[i].as != NULL ? v[i].as : v[i].name, &err))
			continue;
		snprintf(path, sizeof(path), "adopt.%s[%u]", member, i);
		fault(r, path, "%s", err.text);
	}
}

static void
set_names(struct reading *r, struct whole *w)
{
	const struct config_tenant_adopt *a = &w->config.adopt;

	snprintf(w->prefix, sizeof(w->prefix), "%s.", w->id);
	w->names = names_new(w->config.namespace == CONFIG_NAMESPACE_SHARED ?
	    NULL : w->prefix);
	adopt(r, w->names, NAME_TOPIC, "topics", a->topics.v, a->topics.n);
	adopt(r, w->names, NAME_GROUP, "groups", a->groups.v, a->groups.n);
	adopt(r, w->names, NAME_TXN, "transactional_ids",
	    a->transactional_ids.v, a->transactional_ids.n);
	w->tenant.names = w->names;
}

/* What prefixed tenants have is hidden from shared ones, and nobody makes
 * topics that brokers would take for theirs. */
static void
hide_prefixed(struct tenants *t)
{
	struct prefixes *all = prefixes_new();

	for (uint32_t i = 0; i < t->n; i++) {
		struct whole *w = whole_of(t->v[i]);

		names_except(w->names, all);
		if (w->config.namespace != CONFIG_NAMESPACE_SHARED)
			prefixes_add(all, w->prefix);
	}
	prefixes_unref(all);
}

/* ---- files ---- */

/* malloc'd. */
static char *
path_of(const char *folder, const char *file, const char *suffix)
{
	size_t size = strlen(folder) + strlen(file) + strlen(suffix) + 2;
	char *path = mem_alloc(size);

	snprintf(path, size, "%s/%s%s", folder, file, suffix);
	return path;
}

static bool
read_options(struct reading *r, const char *text, size_t len,
    struct config_tenant *to)
{
	json_error_t e;
	char where[64];
	json_t *in = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	bool ok;

	if (in == NULL) {
		snprintf(where, sizeof(where), "%d:%d", e.line, e.column);
		fault(r, where, "%s", e.text);
		return false;
	}
	ok = option_read(config_tenant_group(), in, to, NULL, r->errs);
	json_decref(in);
	return ok;
}

/* The tenant that the text makes, and its faults if any. */
static struct tenant *
make_tenant(struct reading *r, const char *id, const char *text, size_t len)
{
	struct whole *w = mem_zalloc(sizeof(*w));
	struct tenant *t = &w->tenant;

	tenant_init(t);
	snprintf(w->id, sizeof(w->id), "%s", id);
	t->id = w->id;
	t->config = &w->config;
	if (!read_options(r, text, len, &w->config)) {
		tenant_unref(t);
		return NULL;
	}
	set_cluster(r, w);
	check_members(r, &w->config);
	check_networks(r, &w->config);
	set_policies(r, w);
	set_names(r, w);
	t->limits = quota_config_tenant(r->config, &w->config.quota, r->errs);
	return t;
}

static void
add_tenant(struct reading *r, struct tenant *t)
{
	struct tenants *to = r->to;

	to->v = mem_realloc(to->v, (to->n + 1) * sizeof(*to->v));
	to->v[to->n++] = t;
	htab_set(to->by_id, slice_of(t->id), t);
}

/* "ID.json" to "ID"; false with a fault. */
static bool
id_of(struct reading *r, const char *file, char id[TENANT_ID_MAX + 1])
{
	struct slice s = { (const uint8_t *)file,
		(uint32_t)strlen(file) - 5 };

	if (!tenant_id_valid(s)) {
		fault(r, "", "is no tenant's name: it must be made of a-z, "
		    "0-9 and -, have at most %d characters before .json, and "
		    "not begin with -", TENANT_ID_MAX);
		return false;
	}
	snprintf(id, TENANT_ID_MAX + 1, "%.*s", SLICE_FMT(s));
	return true;
}

static void
read_file(struct reading *r, const char *folder, const char *file)
{
	struct error_list own = { NULL, 0 };
	char *path = path_of(folder, file, ""), *text, id[TENANT_ID_MAX + 1];
	struct tenant *t = NULL;
	struct error err;
	size_t len;

	r->errs = &own;
	text = file_read(path, TENANT_FILE_MAX, false, &len, &err);
	if (text == NULL)
		fault(r, "", "%s", err.text);
	else if (id_of(r, file, id))
		t = make_tenant(r, id, text, len);
	if (t != NULL)
		add_tenant(r, t);
	file_faults(r->all, &own, path);
	free(text);
	free(path);
}

/* Editors and those who write leave others behind. */
static int
is_tenant_file(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 &&
	    strcmp(e->d_name + n - 5, ".json") == 0;
}

/* As bytes: the locale has no say in which tenant is read first. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_folder(struct reading *r, const char *folder)
{
	struct dirent **names;
	int n = scandir(folder, &names, is_tenant_file, by_name);

	if (n < 0) {
		error_list_add(r->all, "tenants_dir", "%s cannot be read: %s",
		    folder, strerror(errno));
		return;
	}
	if (n > TENANTS_MAX)
		error_list_add(r->all, "tenants_dir", "%s has %d tenants: %d "
		    "are the most", folder, n, TENANTS_MAX);
	for (int i = 0; i < n; i++) {
		if (n <= TENANTS_MAX)
			read_file(r, folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

/* ---- all of them ---- */

static void
drop_policy(void *p)
{
	policy_unref(p);
}

static void
begin(struct reading *r, const struct config *c, struct error_list *errs)
{
	*r = (struct reading){ .config = c, .all = errs, .before = errs->n };
	r->to = mem_zalloc(sizeof(*r->to));
	atomic_init(&r->to->refs, 1);
	r->to->by_id = htab_new();
	r->policies = htab_new();
	r->broken = htab_new();
	r->uuids = htab_new();
}

/* Each against the others. */
static void
check_rules(struct reading *r)
{
	for (uint32_t i = 0; i < r->to->n; i++) {
		struct error_list own = { NULL, 0 };
		const struct tenant *t = r->to->v[i];
		char *path;

		tenants_check_rules(r->to, t, &own);
		if (own.n == 0)
			continue;
		path = path_of(r->config->tenants_dir, t->id, ".json");
		file_faults(r->all, &own, path);
		free(path);
	}
}

/* All of them, or NULL when there was a fault. */
static struct tenants *
finish(struct reading *r)
{
	htab_free(r->policies, drop_policy);
	htab_free(r->broken, NULL);
	htab_free(r->uuids, NULL);
	if (r->all->n == r->before)
		check_rules(r);
	if (r->all->n != r->before) {
		tenants_unref(r->to);
		return NULL;
	}
	hide_prefixed(r->to);
	tenants_index(r->to);
	return r->to;
}

bool
tenants_load(const struct config *c, struct tenants **to,
    struct error_list *errs)
{
	struct reading r;

	*to = NULL;
	if (c->tenants_dir == NULL)
		return true;
	begin(&r, c, errs);
	read_folder(&r, c->tenants_dir);
	*to = finish(&r);
	return *to != NULL;
}

struct tenants *
tenants_parse(const struct config *c, const char *id, const char *text,
    size_t len, struct error_list *errs)
{
	struct reading r;
	struct tenant *t;

	begin(&r, c, errs);
	r.errs = errs;
	t = make_tenant(&r, id, text, len);
	if (t != NULL)
		add_tenant(&r, t);
	return finish(&r);
}

struct tenants *
tenants_ref(struct tenants *t)
{
	if (t != NULL)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tenants_unref(struct tenants *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < t->n; i++)
		tenant_unref(t->v[i]);
	htab_free(t->by_id, NULL);
	if (t->places != NULL)
		htab_free(t->places, NULL);
	free(t->rules);
	free(t->v);
	free(t);
}

uint32_t
tenants_count(const struct tenants *t)
{
	return t != NULL ? t->n : 0;
}

const struct tenant *
tenants_at(const struct tenants *t, uint32_t i)
{
	return t->v[i];
}

struct tenant *
tenants_get(const struct tenants *t, struct slice id)
{
	return t != NULL ? htab_get(t->by_id, id) : NULL;
}
