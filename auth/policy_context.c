/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Condition keys and where their values come from. Names are those of "AWS
 * global condition context keys"; weir:PrincipalGroups is our own.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "auth/policy_private.h"
#include "auth/principal.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

enum { KEY_NAME_MAX = 256 };

static const struct known_key {
	const char		*name;	/* ends with '/' when a tag follows */
	enum policy_key_id	 id;
} known_keys[] = {
	{ "aws:SourceIp", KEY_SOURCE_IP },
	{ "aws:CurrentTime", KEY_CURRENT_TIME },
	{ "aws:EpochTime", KEY_EPOCH_TIME },
	{ "aws:SecureTransport", KEY_SECURE_TRANSPORT },
	{ "aws:PrincipalArn", KEY_PRINCIPAL_ARN },
	{ "aws:PrincipalTag/", KEY_PRINCIPAL_TAG },
	{ "aws:PrincipalType", KEY_PRINCIPAL_TYPE },
	{ "aws:PrincipalAccount", KEY_PRINCIPAL_ACCOUNT },
	{ "aws:username", KEY_USERNAME },
	{ "aws:userid", KEY_USERID },
	{ "aws:TokenIssueTime", KEY_TOKEN_ISSUE_TIME },
	{ "aws:SourceVpce", KEY_SOURCE_VPCE },
	{ "aws:UserAgent", KEY_USER_AGENT },
	{ "aws:ResourceTag/", KEY_RESOURCE_TAG },
	{ "kafka-cluster:ClientId", KEY_CLIENT_ID },
	{ "weir:PrincipalGroups", KEY_PRINCIPAL_GROUPS },
	/* AWS has these; weir knows no value, so they are always absent. */
	{ "aws:AssumedRoot", KEY_OTHER },
	{ "aws:CalledVia", KEY_OTHER },
	{ "aws:CalledViaFirst", KEY_OTHER },
	{ "aws:CalledViaLast", KEY_OTHER },
	{ "aws:ChatbotSourceArn", KEY_OTHER },
	{ "aws:Ec2InstanceSourcePrivateIPv4", KEY_OTHER },
	{ "aws:Ec2InstanceSourceVpc", KEY_OTHER },
	{ "aws:FederatedProvider", KEY_OTHER },
	{ "aws:MultiFactorAuthAge", KEY_OTHER },
	{ "aws:MultiFactorAuthPresent", KEY_OTHER },
	{ "aws:PrincipalIsAWSService", KEY_OTHER },
	{ "aws:PrincipalOrgID", KEY_OTHER },
	{ "aws:PrincipalOrgPaths", KEY_OTHER },
	{ "aws:PrincipalServiceName", KEY_OTHER },
	{ "aws:PrincipalServiceNamesList", KEY_OTHER },
	{ "aws:referer", KEY_OTHER },
	{ "aws:RequestedRegion", KEY_OTHER },
	{ "aws:RequestTag/", KEY_OTHER },
	{ "aws:ResourceAccount", KEY_OTHER },
	{ "aws:ResourceOrgID", KEY_OTHER },
	{ "aws:ResourceOrgPaths", KEY_OTHER },
	{ "aws:SourceAccount", KEY_OTHER },
	{ "aws:SourceArn", KEY_OTHER },
	{ "aws:SourceIdentity", KEY_OTHER },
	{ "aws:SourceOrgID", KEY_OTHER },
	{ "aws:SourceOrgPaths", KEY_OTHER },
	{ "aws:SourceVpc", KEY_OTHER },
	{ "aws:SourceVpcArn", KEY_OTHER },
	{ "aws:TagKeys", KEY_OTHER },
	{ "aws:ViaAWSService", KEY_OTHER },
	{ "aws:VpceAccount", KEY_OTHER },
	{ "aws:VpceOrgID", KEY_OTHER },
	{ "aws:VpceOrgPaths", KEY_OTHER },
	{ "aws:VpcSourceIp", KEY_OTHER },
};

static const struct known_key *
find_key(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(known_keys) / sizeof(known_keys[0]);
	    i++) {
		const struct known_key *k = &known_keys[i];
		size_t n = strlen(k->name);
		bool tagged = k->name[n - 1] == '/';

		if ((tagged ? len > n : len == n) &&
		    strncasecmp(k->name, name, n) == 0)
			return k;
	}
	return NULL;
}

/* All keys that begin so are in the table. */
static bool
is_ours(const char *name)
{
	static const char *const prefixes[] = { "aws:", "kafka-cluster:",
	    "weir:" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncasecmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

bool
policy_key_parse(const char *text, size_t len, struct policy_key *to,
    struct error *err)
{
	struct slice s = { (const uint8_t *)text, (uint32_t)len };
	const struct known_key *k;
	const char *colon;
	struct log_quoted q;

	memset(to, 0, sizeof(*to));
	to->name = mem_strndup(text, len);
	if (len > KEY_NAME_MAX)
		return error_set(err, "%s is longer than %d bytes",
		    log_quote(s, &q), KEY_NAME_MAX);
	colon = strchr(to->name, ':');
	if (colon == NULL || colon == to->name || colon[1] == '\0' ||
	    strlen(to->name) != len)
		return error_set(err, "%s is no condition key: they look like "
		    "aws:SourceIp", log_quote(s, &q));
	k = find_key(to->name, len);
	if (k == NULL && is_ours(to->name))
		return error_set(err, "%s is no condition key that AWS or weir "
		    "has", log_quote(s, &q));
	to->id = k ? k->id : KEY_OTHER;
	if (to->id == KEY_PRINCIPAL_TAG || to->id == KEY_RESOURCE_TAG)
		to->tag = to->name + strlen(k->name);
	return true;
}

void
policy_key_free(struct policy_key *k)
{
	free(k->name);
}

bool
policy_key_has_many(const struct policy_key *k)
{
	return k->id == KEY_PRINCIPAL_GROUPS;
}

/* ---- values ---- */

int64_t
policy_request_now(struct policy_request *r)
{
	r->timed = true;
	if (r->now_ms == 0)
		r->now_ms = r->set->context->now_ms;
	if (r->now_ms == 0)
		r->now_ms = clock_wall_ms();
	return r->now_ms;
}

static void
put(struct policy_values *to, const char *value)
{
	if (value != NULL && to->n < POLICY_VALUES_MAX)
		to->v[to->n++] = slice_of(value);
}

static void
put_date(struct policy_values *to, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	strftime(to->text, sizeof(to->text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put(to, to->text);
}

static void
put_tag(struct policy_values *to, const struct principal_tag *tags, uint32_t n,
    const char *key)
{
	for (uint32_t i = 0; i < n; i++) {
		if (strcasecmp(tags[i].key, key) == 0) {
			put(to, tags[i].value);
			return;
		}
	}
}

static void
put_of_principal(const struct policy_set *s, const struct policy_key *k,
    struct policy_values *to)
{
	static const char *const types[] = {
		[PRINCIPAL_USER] = "User",
		[PRINCIPAL_ROLE] = "AssumedRole",
		[PRINCIPAL_TOKEN] = "FederatedUser",
		[PRINCIPAL_CERTIFICATE] = "Certificate",
	};
	const struct principal *p = s->context->principal;

	if (p == NULL)
		return;
	switch (k->id) {
	case KEY_PRINCIPAL_ARN:
		put(to, p->principal_arn);
		break;
	case KEY_PRINCIPAL_TAG:
		put_tag(to, p->tags, p->tag_count, k->tag);
		break;
	case KEY_PRINCIPAL_TYPE:
		put(to, types[p->kind]);
		break;
	case KEY_PRINCIPAL_ACCOUNT:
		put(to, s->account);
		break;
	case KEY_PRINCIPAL_GROUPS:
		for (uint32_t i = 0; i < p->group_count; i++)
			put(to, p->groups[i]);
		break;
	case KEY_USERNAME:
		/* A token's subject may be called as some user is. */
		if (p->kind == PRINCIPAL_USER)
			put(to, p->name);
		break;
	case KEY_USERID:
		put(to, s->userid);
		break;
	case KEY_TOKEN_ISSUE_TIME:
		if (p->issued_ms != 0)
			put_date(to, p->issued_ms);
		break;
	default:
		assert(!"a key of the principal");
	}
}

/* What explain-access was given goes first; "key" without '=' takes the value
 * away. */
static bool
put_extra(const struct policy_context *c, const struct policy_key *k,
    struct policy_values *to)
{
	size_t n = strlen(k->name);
	bool found = false;

	for (uint32_t i = 0; i < c->extra_count; i++) {
		const char *s = c->extra[i];

		if (strncasecmp(s, k->name, n) != 0 ||
		    (s[n] != '=' && s[n] != '\0'))
			continue;
		found = true;
		if (s[n] == '=')
			put(to, s + n + 1);
	}
	return found;
}

void
policy_key_values(struct policy_request *r, const struct policy_key *k,
    struct policy_values *to)
{
	const struct policy_context *c = r->set->context;

	to->n = 0;
	if (c->extra_count > 0 && put_extra(c, k, to))
		return;
	switch (k->id) {
	case KEY_OTHER:
		break;
	case KEY_SOURCE_IP:
		put(to, c->source_ip);
		break;
	case KEY_CURRENT_TIME:
		put_date(to, policy_request_now(r));
		break;
	case KEY_EPOCH_TIME:
		snprintf(to->text, sizeof(to->text), "%lld",
		    (long long)(policy_request_now(r) / 1000));
		put(to, to->text);
		break;
	case KEY_SECURE_TRANSPORT:
		put(to, c->secure ? "true" : "false");
		break;
	case KEY_SOURCE_VPCE:
		put(to, c->source_vpce);
		break;
	case KEY_USER_AGENT:
		put(to, c->user_agent);
		break;
	case KEY_CLIENT_ID:
		put(to, c->client_id);
		break;
	case KEY_RESOURCE_TAG:
		/* "will only apply to the cluster resource, not topics, groups
		 * and transactional IDs" (Service Authorization Reference). */
		if (r->type == POLICY_CLUSTER)
			put_tag(to, c->cluster_tags, c->cluster_tag_count,
			    k->tag);
		break;
	default:
		put_of_principal(r->set, k, to);
	}
}
