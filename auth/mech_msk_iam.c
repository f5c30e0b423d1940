/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS_MSK_IAM: one message of JSON, one answer (aws-msk-iam-auth's README,
 * "Authentication payload"). All names are in lower case, all values are
 * strings, in any order; the host is the one that the client has dialled.
 *
 * Bounds: AUTH_MESSAGE_MAX bytes, MEMBERS_MAX members, no nesting; looked at
 * before the parser sees it.
 */
#include <jansson.h>

#include <openssl/rand.h>

#include <stdlib.h>

#include "auth/auth.h"
#include "auth/mech_msk_iam.h"
#include "auth/signed_login.h"

enum { MEMBERS_MAX = 32 };

/* What is signed, under the names it is signed with. */
static const struct {
	const char	*json, *signed_as;
} names[] = {
	{ "action", "Action" },
	{ "x-amz-algorithm", "X-Amz-Algorithm" },
	{ "x-amz-credential", "X-Amz-Credential" },
	{ "x-amz-date", "X-Amz-Date" },
	{ "x-amz-expires", "X-Amz-Expires" },
	{ "x-amz-security-token", "X-Amz-Security-Token" },
	{ "x-amz-signedheaders", "X-Amz-SignedHeaders" },
};

/* One flat object with a few members: jansson would read whatever there is
 * into memory before anybody could ask. */
static bool
is_flat(struct slice in)
{
	uint32_t members = 1;
	bool quoted = false, opened = false;

	for (uint32_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '[' || (c == '{' && opened)) {
			return false;
		} else if (c == '{') {
			opened = true;
		} else if (c == ',' && ++members > MEMBERS_MAX) {
			return false;
		}
	}
	return opened;
}

static bool
only_strings(json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value)
		if (!json_is_string(value))
			return false;
	return true;
}

static struct slice
member(json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return slice_of(s);
}

bool
msk_iam_read(struct slice in, json_t **held, struct signed_login *to,
    struct error *err)
{
	json_t *o;
	json_error_t why;

	*held = NULL;
	if (in.len == 0 || in.len > AUTH_MESSAGE_MAX || !is_flat(in))
		return error_set(err, "the AWS_MSK_IAM message is not one "
		    "JSON object of at most %d strings", MEMBERS_MAX);
	*held = o = json_loadb((const char *)in.data, in.len,
	    JSON_REJECT_DUPLICATES, &why);
	/* What jansson says holds pieces of the message. */
	if (o == NULL)
		return error_set(err, "the AWS_MSK_IAM message is not JSON, or "
		    "names something twice (at byte %d)", why.position);
	if (!json_is_object(o) || !only_strings(o))
		return error_set(err, "the AWS_MSK_IAM message is not an "
		    "object of strings");
	if (!slice_is(member(o, "version"), MSK_IAM_VERSION))
		return error_set(err, "the AWS_MSK_IAM message is not of "
		    "version " MSK_IAM_VERSION);
	*to = (struct signed_login){
		.host = member(o, "host"),
		.signature = member(o, "x-amz-signature"),
		.user_agent = member(o, "user-agent"),
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice value = member(o, names[i].json);

		if (value.data != NULL && !sigv4_params_add(&to->params,
		    slice_of(names[i].signed_as), value, err))
			return false;
	}
	return to->host.data != NULL ||
	    error_set(err, "the AWS_MSK_IAM message names no host");
}

/* The Java library takes these two fields and no other. AWS's id names the
 * request in its logs; here it is only a form. */
static struct slice
answer(struct arena *a)
{
	uint8_t id[16];

	if (RAND_bytes(id, sizeof(id)) != 1)
		abort();	/* without randomness nothing is safe */
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	return arena_printf(a, "{\"version\":\"" MSK_IAM_VERSION "\","
	    "\"request-id\":\"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x\"}", id[0], id[1], id[2], id[3], id[4],
	    id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
	    id[14], id[15]);
}

static enum auth_result
step(struct auth_login *l, void *state, struct slice in, struct arena *arena,
    struct auth_step *to)
{
	struct signed_login said;
	struct error err = { "" };
	json_t *held;
	enum auth_result result;

	(void)state;
	if (msk_iam_read(in, &held, &said, &err))
		result = signed_login_verify(l, &said, to);
	else
		result = auth_fail(to, AUTH_FAILURE_MALFORMED, "%s", err.text);
	json_decref(held);
	if (result == AUTH_DONE)
		to->out = answer(arena);
	return result;
}

const struct auth_mechanism_ops auth_msk_iam = {
	.name = "AWS_MSK_IAM",
	.step = step,
};
