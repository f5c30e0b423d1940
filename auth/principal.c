/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/principal.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/policy.h"
#include "gateway/base/mem.h"

static char *
joined(const char *a, const char *b, const char *c, const char *d,
    const char *e)
{
	size_t n = strlen(a) + strlen(b) + strlen(c) + strlen(d) + strlen(e) +
	    1;
	char *s = mem_alloc(n);

	snprintf(s, n, "%s%s%s%s%s", a, b, c, d, e);
	return s;
}

/* arn:P:SERVICE::A:WHAT/name */
static char *
arn_of(const char *partition, const char *account, const char *service_what,
    const char *name)
{
	/* "iam:user" is the service and the kind of thing. */
	const char *what = strchr(service_what, ':');
	char service[8];
	char *head, *arn;

	snprintf(service, sizeof(service), "%.*s", (int)(what - service_what),
	    service_what);
	head = joined("arn:", partition, ":", service, "::");
	arn = joined(head, account, what, "/", name);
	free(head);
	return arn;
}

struct principal *
principal_new(enum principal_kind kind, const char *partition,
    const char *account, struct slice name, struct slice session)
{
	/* A token's subject is nobody's user although it may be called alike:
	 * AWS names such sessions federated users. */
	static const char *const kinds[] = {
		[PRINCIPAL_USER] = "iam:user",
		[PRINCIPAL_ROLE] = "iam:role",
		[PRINCIPAL_TOKEN] = "sts:federated-user",
		[PRINCIPAL_CERTIFICATE] = "iam:certificate",
	};
	struct principal *p = mem_zalloc(sizeof(*p));
	char *both;

	atomic_init(&p->refs, 1);
	p->kind = kind;
	p->name = mem_strndup(name.data, name.len);
	p->principal_arn = arn_of(partition, account, kinds[kind], p->name);
	if (kind != PRINCIPAL_ROLE) {
		p->arn = mem_strdup(p->principal_arn);
		return p;
	}
	p->session = mem_strndup(session.data, session.len);
	both = joined(p->name, "/", p->session, "", "");
	p->arn = arn_of(partition, account, "sts:assumed-role", both);
	free(both);
	return p;
}

bool
principal_add_group(struct principal *p, struct slice group)
{
	if (p->group_count >= PRINCIPAL_GROUPS_MAX)
		return false;
	p->groups = mem_realloc(p->groups,
	    (p->group_count + 1) * sizeof(*p->groups));
	p->groups[p->group_count++] = mem_strndup(group.data, group.len);
	return true;
}

bool
principal_add_tag(struct principal *p, struct slice key, struct slice value)
{
	if (p->tag_count >= PRINCIPAL_TAGS_MAX)
		return false;
	p->tags = mem_realloc(p->tags, (p->tag_count + 1) * sizeof(*p->tags));
	p->tags[p->tag_count++] = (struct principal_tag){
	    mem_strndup(key.data, key.len),
	    mem_strndup(value.data, value.len) };
	return true;
}

struct principal *
principal_ref(struct principal *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void
principal_unref(struct principal *p)
{
	if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < p->group_count; i++)
		free(p->groups[i]);
	for (uint32_t i = 0; i < p->tag_count; i++) {
		free(p->tags[i].key);
		free(p->tags[i].value);
	}
	if (p->session_policy != NULL)
		policy_unref(p->session_policy);
	free(p->groups);
	free(p->tags);
	free(p->name);
	free(p->session);
	free(p->arn);
	free(p->principal_arn);
	free(p->tenant);
	free(p->key_id);
	free(p->issuer);
	free(p->audience);
	free(p->claims);
	free(p);
}

bool
principal_same(const struct principal *a, const struct principal *b)
{
	return a->kind == b->kind && text_eq(a->name, b->name) &&
	    text_eq(a->tenant, b->tenant);
}

bool
principal_name_valid(struct slice name)
{
	if (name.len == 0 || name.len > PRINCIPAL_NAME_MAX)
		return false;
	for (uint32_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] > '~' ||
		    strchr("*?$/:", name.data[i]) != NULL)
			return false;
	return true;
}

bool
principal_name_escape(struct slice subject, char to[PRINCIPAL_NAME_MAX + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (uint32_t i = 0; i < subject.len; i++) {
		uint8_t c = subject.data[i];
		bool plain = c > ' ' && c <= '~' && strchr("*?$/:%", c) == NULL;

		if (c < ' ' || c == 0x7f ||
		    n + (plain ? 1 : 3) > PRINCIPAL_NAME_MAX)
			return false;
		if (plain) {
			to[n++] = (char)c;
			continue;
		}
		to[n++] = '%';
		to[n++] = hex[c >> 4];
		to[n++] = hex[c & 15];
	}
	to[n] = '\0';
	return n > 0;
}
