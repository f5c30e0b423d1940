/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/list.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "gateway/net/lookup.h"

struct name {
	struct list		 waiting;	/* resolver->waiting, or none */
	struct resolver		*resolver;
	char			*host;
	int			 port;
	struct broker_address	 v[BROKER_ADDRESSES_MAX];
	int32_t			 n;
	struct lookup		*lookup;	/* under way, or NULL */
	int64_t			 asked_us;	/* then it began */
	int64_t			 due_us;	/* asked again then */
	int			 fault;		/* getaddrinfo's, or 0 */
};

struct resolver {
	struct htab		*names;		/* "host:port" -> name */
	struct loop		*loop;		/* NULL: it waits */
	void			(*changed)(void *arg);
	void			*arg;
	struct list		 waiting;	/* names, for a lookup to end */
	int			 flying;
};

struct resolver *
resolver_new(void)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	r->names = htab_new();
	list_init(&r->waiting);
	return r;
}

static void
name_free(void *p)
{
	struct name *n = p;

	if (n->lookup != NULL)
		n->resolver->flying--;
	lookup_cancel(n->lookup);
	list_remove(&n->waiting);
	free(n->host);
	free(n);
}

void
resolver_free(struct resolver *r)
{
	htab_free(r->names, name_free);
	free(r);
}

void
resolver_serve(struct resolver *r, struct loop *l, void (*changed)(void *arg),
    void *arg)
{
	r->loop = l;
	r->changed = changed;
	r->arg = arg;
}

static bool
has(const struct name *n, const struct broker_address *a)
{
	for (int32_t i = 0; i < n->n; i++)
		if (n->v[i].len == a->len &&
		    memcmp(&n->v[i].sa, &a->sa, a->len) == 0)
			return true;
	return false;
}

static bool
same_addresses(const struct name *a, const struct name *b)
{
	if (a->n != b->n)
		return false;
	for (int32_t i = 0; i < a->n; i++)
		if (!has(b, &a->v[i]))
			return false;
	return true;
}

/* True: they are others. */
static bool
take_found(struct name *to, const struct addrinfo *found)
{
	struct name now = { .n = 0 };

	for (; found != NULL && now.n < BROKER_ADDRESSES_MAX;
	    found = found->ai_next) {
		struct broker_address *a = &now.v[now.n];

		if (found->ai_addrlen > sizeof(a->sa))
			continue;
		memcpy(&a->sa, found->ai_addr, found->ai_addrlen);
		a->len = found->ai_addrlen;
		address_set_port((struct sockaddr *)&a->sa, to->port);
		if (!has(&now, a))
			now.n++;
		else
			memset(a, 0, sizeof(*a));
	}
	if (same_addresses(to, &now))
		return false;
	memcpy(to->v, now.v, sizeof(to->v));
	to->n = now.n;
	return true;
}

/* What the system's resolver said. True: the addresses are others. */
static bool
take_answer(struct name *n, const struct addrinfo *found, int fault)
{
	struct log_quoted quoted;
	int was = n->fault;

	n->fault = fault;
	n->due_us = clock_now_us() +
	    (fault == 0 ? RESOLVER_KEEP_US : RESOLVER_RETRY_US);
	if (fault == 0)
		return take_found(n, found);
	if (was == 0)
		log_warn("broker's host cannot be resolved",
		    "host=%s error=\"%s\" took_ms=%lld",
		    log_quote(slice_of(n->host), &quoted), gai_strerror(fault),
		    (long long)(clock_now_us() - n->asked_us) / 1000);
	return false;
}

static void
look_up(struct name *n, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = flags };
	struct addrinfo *found = NULL;
	int fault;

	n->asked_us = clock_now_us();
	fault = getaddrinfo(n->host, NULL, &hints, &found);
	/* Of a name it says nothing that it is no address. */
	if (fault == 0 || (flags & AI_NUMERICHOST) == 0)
		(void)take_answer(n, found, fault);
	if (fault == 0)
		freeaddrinfo(found);
}

/* ---- without waiting ---- */

static void start(struct name *n);

static void
looked_up(void *arg, const struct addrinfo *found, int fault)
{
	struct name *n = arg;
	struct resolver *r = n->resolver;

	n->lookup = NULL;
	r->flying--;
	if (take_answer(n, found, fault))
		r->changed(r->arg);
	if (!list_empty(&r->waiting))
		start(LIST_ENTRY(r->waiting.next, struct name, waiting));
}

static void
start(struct name *n)
{
	struct resolver *r = n->resolver;

	list_remove(&n->waiting);
	if (r->flying >= RESOLVER_FLYING_MAX) {
		list_append(&r->waiting, &n->waiting);
		return;
	}
	r->flying++;
	n->asked_us = clock_now_us();
	n->lookup = lookup_start(r->loop, n->host, 0, looked_up, n);
}

static bool
is_due(const struct name *n)
{
	return n->lookup == NULL && list_empty(&n->waiting) &&
	    clock_now_us() >= n->due_us;
}

/* ---- names ---- */

static struct name *
name_get(struct resolver *r, const char *host, int port)
{
	char key[300];
	struct name *n;

	snprintf(key, sizeof(key), "%s:%d", host, port);
	n = htab_get(r->names, slice_of(key));
	if (n != NULL)
		return n;
	if (htab_count(r->names) >= RESOLVER_NAMES_MAX) {
		htab_free(r->names, name_free);
		r->names = htab_new();
	}
	n = mem_zalloc(sizeof(*n));
	list_init(&n->waiting);
	n->resolver = r;
	n->host = mem_strdup(host);
	n->port = port;
	htab_set(r->names, slice_of(key), n);
	return n;
}

int32_t
resolver_find(struct resolver *r, const char *host, int port,
    struct broker_address *to, struct error *err)
{
	struct name *n = name_get(r, host, port);

	if (is_due(n)) {
		look_up(n, r->loop != NULL ? AI_NUMERICHOST : 0);
		if (is_due(n))
			start(n);
	}
	memcpy(to, n->v, sizeof(n->v));
	if (n->n == 0)
		error_set(err, "%s: %s", host, n->due_us == 0 ?
		    "it is being looked up" : gai_strerror(n->fault ?
		    n->fault : EAI_NODATA));
	return n->n;
}
