/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/htab.h"
#include "gateway/base/log.h"
#include "gateway/base/mem.h"

struct name {
	struct broker_address	 v[BROKER_ADDRESSES_MAX];
	int32_t			 n;
	int64_t			 due_us;	/* asked again then */
	int			 fault;		/* getaddrinfo's, or 0 */
};

struct resolver {
	struct htab		*names;		/* "host:port" -> name */
};

struct resolver *
resolver_new(void)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	r->names = htab_new();
	return r;
}

void
resolver_free(struct resolver *r)
{
	htab_free(r->names, free);
	free(r);
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

static void
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
		if (!has(&now, a))
			now.n++;
		else
			memset(a, 0, sizeof(*a));
	}
	if (same_addresses(to, &now))
		return;
	memcpy(to->v, now.v, sizeof(to->v));
	to->n = now.n;
}

static void
look_up(struct name *n, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	int64_t since = clock_now_us();
	int was = n->fault;
	struct log_quoted quoted;

	n->fault = getaddrinfo(host, port, &hints, &found);
	if (n->fault == 0) {
		take_found(n, found);
		freeaddrinfo(found);
	} else if (was == 0) {
		log_warn("broker's host cannot be resolved",
		    "host=%s error=\"%s\" took_ms=%lld",
		    log_quote(slice_of(host), &quoted), gai_strerror(n->fault),
		    (long long)(clock_now_us() - since) / 1000);
	}
	n->due_us = clock_now_us() +
	    (n->fault == 0 ? RESOLVER_KEEP_US : RESOLVER_RETRY_US);
}

int32_t
resolver_find(struct resolver *r, const char *host, int port,
    struct broker_address *to, struct error *err)
{
	char service[16], key[300];
	struct name *n;

	snprintf(service, sizeof(service), "%d", port);
	snprintf(key, sizeof(key), "%s:%s", host, service);
	n = htab_get(r->names, slice_of(key));
	if (n == NULL) {
		if (htab_count(r->names) >= RESOLVER_NAMES_MAX) {
			htab_free(r->names, free);
			r->names = htab_new();
		}
		n = mem_zalloc(sizeof(*n));
		htab_set(r->names, slice_of(key), n);
	}
	if (clock_now_us() >= n->due_us)
		look_up(n, host, service);
	memcpy(to, n->v, sizeof(n->v));
	if (n->n == 0)
		error_set(err, "%s: %s", host, gai_strerror(n->fault ?
		    n->fault : EAI_NODATA));
	return n->n;
}
