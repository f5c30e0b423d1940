/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/credentials.h"

#include <openssl/crypto.h>

#include <stdlib.h>

#include <jansson.h>

#include "auth/base64url.h"
#include "auth/identities.h"
#include "auth/policy.h"
#include "auth/seal.h"
#include "gateway/base/mem.h"

/* What is sealed: the secret, KEYS_SECRET_LEN characters, and behind it the
 * JSON of the rest. So the secret is never in the parser's memory. */
enum {
	SEALED_MAX = CREDENTIALS_TOKEN_MAX / 4 * 3,
	PLAIN_MAX = SEALED_MAX - SEAL_OVERHEAD,
	TTL_MAX_MS = IDENTITIES_TTL_MAX_S * 1000,
	/* AWS's limits of a session's name and of tags. */
	SESSION_MAX = 64, TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256,
};

/* ---- issued ---- */

static bool
check_request(const struct credentials_request *r, struct error *err)
{
	if (!principal_name_valid(r->role))
		return error_set(err, "the role's name is no name");
	if (!principal_name_valid(r->session) || r->session.len > SESSION_MAX)
		return error_set(err, "the session's name must have 1 to %d "
		    "printable characters without * ? $ / : and blanks",
		    SESSION_MAX);
	if (r->ttl_s < IDENTITIES_TTL_MIN_S || r->ttl_s > IDENTITIES_TTL_MAX_S)
		return error_set(err, "the time must be from %d seconds to %d "
		    "hours", IDENTITIES_TTL_MIN_S,
		    IDENTITIES_TTL_MAX_S / 3600);
	if (r->tag_count > PRINCIPAL_TAGS_MAX)
		return error_set(err, "there are more than %d tags",
		    PRINCIPAL_TAGS_MAX);
	for (uint32_t i = 0; i < r->tag_count; i++)
		if (r->tags[i].key[0] == '\0' ||
		    strlen(r->tags[i].key) > TAG_KEY_MAX ||
		    strlen(r->tags[i].value) > TAG_VALUE_MAX)
			return error_set(err, "a tag has a key of 1 to %d "
			    "bytes and a value of at most %d", TAG_KEY_MAX,
			    TAG_VALUE_MAX);
	if (r->group_count > PRINCIPAL_GROUPS_MAX)
		return error_set(err, "there are more than %d groups",
		    PRINCIPAL_GROUPS_MAX);
	for (uint32_t i = 0; i < r->group_count; i++)
		if (!principal_name_valid(slice_of(r->groups[i])))
			return error_set(err, "a group's name is no name");
	return true;
}

static struct policy *
compile(struct slice text, struct error *err)
{
	struct error_list errs = { NULL, 0 };
	struct policy *p;

	if (text.len > CREDENTIALS_POLICY_MAX) {
		error_set(err, "the session policy has %u characters; %d are "
		    "the most", text.len, CREDENTIALS_POLICY_MAX);
		return NULL;
	}
	p = policy_compile((const char *)text.data, text.len, "session policy",
	    &errs);
	if (p == NULL)
		error_set(err, "the session policy is refused: %s: %s",
		    errs.n > 0 ? errs.v[0].path : "",
		    errs.n > 0 ? errs.v[0].reason : "");
	error_list_free(&errs);
	return p;
}

static json_t *
tags_object(const struct credentials_request *r)
{
	json_t *tags = json_object();

	for (uint32_t i = 0; i < r->tag_count; i++) {
		if (json_object_set_new(tags, r->tags[i].key,
		    json_string(r->tags[i].value)) == 0)
			continue;
		json_decref(tags);	/* no UTF-8 */
		return NULL;
	}
	return tags;
}

static json_t *
groups_array(const struct credentials_request *r)
{
	json_t *groups = json_array();

	for (uint32_t i = 0; i < r->group_count; i++) {
		if (json_array_append_new(groups,
		    json_string(r->groups[i])) == 0)
			continue;
		json_decref(groups);	/* no UTF-8 */
		return NULL;
	}
	return groups;
}

/* The JSON; NULL: a text is no UTF-8. The caller frees. */
static char *
write_json(const struct credentials_request *r, int64_t now_ms)
{
	json_t *v = json_pack("{s:s%, s:s%, s:I, s:I, s:o, s:o}",
	    "role", r->role.data, (size_t)r->role.len,
	    "session", r->session.data, (size_t)r->session.len,
	    "issued", (json_int_t)now_ms,
	    "expires", (json_int_t)(now_ms + (int64_t)r->ttl_s * 1000),
	    "tags", tags_object(r), "groups", groups_array(r));
	char *text;

	if (v != NULL && r->policy.data != NULL &&
	    json_object_set_new(v, "policy", json_stringn(
	    (const char *)r->policy.data, r->policy.len)) != 0) {
		json_decref(v);
		return NULL;
	}
	text = json_dumps(v, JSON_COMPACT);
	json_decref(v);
	return text;
}

static bool
seal_token(const struct seal *seal, struct credentials *c, const char *json,
    struct error *err)
{
	size_t len = strlen(json);
	uint8_t plain[PLAIN_MAX], sealed[SEALED_MAX];

	if (len + KEYS_SECRET_LEN > PLAIN_MAX)
		return error_set(err, "the session token would be longer than "
		    "%d characters: shorten the policy or the tags",
		    CREDENTIALS_TOKEN_MAX);
	memcpy(plain, c->secret, KEYS_SECRET_LEN);
	memcpy(plain + KEYS_SECRET_LEN, json, len);
	len += KEYS_SECRET_LEN;
	seal_close(seal, SEAL_SESSION_TOKEN, slice_of(c->key_id),
	    (struct slice){ plain, (uint32_t)len }, sealed);
	OPENSSL_cleanse(plain, sizeof(plain));
	len += SEAL_OVERHEAD;
	c->token = mem_alloc(BASE64URL_TEXT(len) + 1);
	base64url_encode(sealed, len, c->token);
	return true;
}

bool
credentials_issue(const struct seal *seal,
    const struct credentials_request *r, int64_t now_ms,
    struct credentials *to, struct error *err)
{
	struct policy *p;
	char *json;
	bool ok;

	memset(to, 0, sizeof(*to));
	if (!check_request(r, err))
		return false;
	if (r->policy.data != NULL) {
		p = compile(r->policy, err);
		if (p == NULL)
			return false;
		policy_unref(p);
	}
	keys_draw_id(KEYS_TEMPORARY_PREFIX, to->key_id);
	keys_draw_secret(to->secret);
	to->expires_ms = now_ms + (int64_t)r->ttl_s * 1000;
	json = write_json(r, now_ms);
	if (json == NULL)
		return error_set(err, "the tags, groups or policy are no "
		    "UTF-8");
	ok = seal_token(seal, to, json, err);
	free(json);
	return ok;
}

void
credentials_fini(struct credentials *c)
{
	free(c->token);
	OPENSSL_cleanse(c, sizeof(*c));
}

/* ---- opened ---- */

static bool
read_tags(const json_t *in, struct credentials_session *to)
{
	const char *key;
	json_t *v;

	if (!json_is_object(in) || json_object_size(in) > PRINCIPAL_TAGS_MAX)
		return false;
	to->tags = mem_zalloc((json_object_size(in) + 1) * sizeof(*to->tags));
	json_object_foreach((json_t *)(uintptr_t)in, key, v) {
		if (!json_is_string(v))
			return false;
		to->tags[to->tag_count++] = (struct principal_tag){
		    mem_strdup(key), mem_strdup(json_string_value(v)) };
	}
	return true;
}

static bool
read_groups(const json_t *in, struct credentials_session *to)
{
	json_t *v;
	size_t i;

	if (!json_is_array(in) || json_array_size(in) > PRINCIPAL_GROUPS_MAX)
		return false;
	to->groups = mem_zalloc((json_array_size(in) + 1) * sizeof(char *));
	json_array_foreach(in, i, v) {
		if (!principal_name_valid(slice_of(json_string_value(v))))
			return false;
		to->groups[to->group_count++] =
		    mem_strdup(json_string_value(v));
	}
	return true;
}

static bool
read_name(const json_t *v, char **to)
{
	struct slice name = slice_of(json_string_value(v));

	if (!principal_name_valid(name))
		return false;
	*to = mem_strndup(name.data, name.len);
	return true;
}

static bool
read_members(const json_t *v, struct credentials_session *to,
    struct error *err)
{
	const json_t *policy = json_object_get(v, "policy");

	if (!read_name(json_object_get(v, "role"), &to->role) ||
	    !read_name(json_object_get(v, "session"), &to->session) ||
	    !json_is_integer(json_object_get(v, "issued")) ||
	    !json_is_integer(json_object_get(v, "expires")) ||
	    !read_tags(json_object_get(v, "tags"), to) ||
	    !read_groups(json_object_get(v, "groups"), to))
		return error_set(err, "the session token lacks a member");
	to->issued_ms = json_integer_value(json_object_get(v, "issued"));
	to->expires_ms = json_integer_value(json_object_get(v, "expires"));
	if (policy == NULL)
		return true;
	if (!json_is_string(policy))
		return error_set(err, "the session policy is no text");
	to->policy = compile(slice_of(json_string_value(policy)), err);
	return to->policy != NULL;
}

static bool
read_plain(struct slice plain, struct credentials_session *to,
    struct error *err)
{
	json_t *v;
	bool ok;

	if (plain.len < KEYS_SECRET_LEN)
		return error_set(err, "the session token is too short");
	memcpy(to->secret, plain.data, KEYS_SECRET_LEN);
	v = json_loadb((const char *)plain.data + KEYS_SECRET_LEN,
	    plain.len - KEYS_SECRET_LEN, JSON_REJECT_DUPLICATES, NULL);
	ok = strlen(to->secret) == KEYS_SECRET_LEN && v != NULL ?
	    read_members(v, to, err) :
	    error_set(err, "the session token holds no JSON");
	json_decref(v);
	return ok;
}

static bool
open_token(const struct seal *seal, struct slice key_id, struct slice token,
    struct credentials_session *to, struct error *err)
{
	uint8_t sealed[SEALED_MAX], plain[SEALED_MAX];
	size_t len;
	bool ok;

	if (!keys_id_valid(key_id, KEYS_TEMPORARY_PREFIX))
		return error_set(err, "a session token came with a key id "
		    "that is not temporary");
	if (token.len > CREDENTIALS_TOKEN_MAX ||
	    !base64url_decode(token, sealed, sizeof(sealed), &len))
		return error_set(err, "the session token is not one of "
		    "weir's");
	if (!seal_open(seal, SEAL_SESSION_TOKEN, key_id,
	    (struct slice){ sealed, (uint32_t)len }, plain, err))
		return error_prefix(err, "the session token cannot be "
		    "opened");
	ok = read_plain((struct slice){ plain,
	    (uint32_t)(len - SEAL_OVERHEAD) }, to, err);
	OPENSSL_cleanse(plain, sizeof(plain));
	return ok;
}

enum credentials_verdict
credentials_open(const struct seal *seal, struct slice key_id,
    struct slice token, int64_t now_ms, struct credentials_session *to,
    struct error *err)
{
	memset(to, 0, sizeof(*to));
	if (!open_token(seal, key_id, token, to, err))
		return CREDENTIALS_FORGED;
	if (to->issued_ms < 0 || to->expires_ms <= to->issued_ms ||
	    to->expires_ms - to->issued_ms > TTL_MAX_MS) {
		error_set(err, "the session token holds for too long");
		return CREDENTIALS_FORGED;
	}
	if (now_ms >= to->expires_ms) {
		error_set(err, "the temporary credentials have expired: issue "
		    "new ones");
		return CREDENTIALS_EXPIRED;
	}
	if (now_ms < to->issued_ms - CREDENTIALS_SKEW_MS) {
		error_set(err, "the temporary credentials were issued in the "
		    "future: compare the clocks");
		return CREDENTIALS_NOT_YET;
	}
	return CREDENTIALS_GOOD;
}

void
credentials_session_fini(struct credentials_session *s)
{
	for (uint32_t i = 0; i < s->tag_count; i++) {
		free(s->tags[i].key);
		free(s->tags[i].value);
	}
	for (uint32_t i = 0; i < s->group_count; i++)
		free(s->groups[i]);
	if (s->policy != NULL)
		policy_unref(s->policy);
	free(s->tags);
	free(s->groups);
	free(s->role);
	free(s->session);
	OPENSSL_cleanse(s, sizeof(*s));
}
