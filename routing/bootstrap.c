/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/bootstrap.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/mem.h"
#include "gateway/net/listen.h"
#include "routing/resolve.h"

struct entry {
	char		 host[256];
	int		 port;
};

struct bootstrap {
	struct entry	*entries;
	uint32_t	 count;
};

struct bootstrap *
bootstrap_new(const char *text)
{
	struct bootstrap *b = mem_zalloc(sizeof(*b));
	char *copy = mem_strdup(text), *save = NULL;
	struct error err;

	for (char *p = strtok_r(copy, ", ", &save); p != NULL;
	    p = strtok_r(NULL, ", ", &save)) {
		struct entry *e;

		b->entries = mem_realloc(b->entries,
		    (b->count + 1) * sizeof(*b->entries));
		e = &b->entries[b->count];
		if (address_split(p, e->host, sizeof(e->host), &e->port, &err))
			b->count++;
		else
			log_error("bootstrap address cannot be read",
			    "error=\"%s\"", err.text);
	}
	free(copy);
	return b;
}

void
bootstrap_free(struct bootstrap *b)
{
	free(b->entries);
	free(b);
}

const char *
bootstrap_find(const struct bootstrap *b, struct resolver *r, uint32_t first,
    uint32_t at, struct broker_address *found, struct error *err)
{
	struct broker_address all[BROKER_ADDRESSES_MAX];
	uint32_t before = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		const struct entry *e = &b->entries[(first + i) % b->count];
		uint32_t n = (uint32_t)resolver_find(r, e->host, e->port, all,
		    err);

		if (at - before < n) {
			*found = all[at - before];
			return e->host;
		}
		before += n;
	}
	return NULL;
}
