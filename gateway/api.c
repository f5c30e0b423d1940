/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/api.h"

#include <pthread.h>
#include <stddef.h>

#include "gateway/wire/codec.h"
#include "routing/cluster.h"
#include "wire/messages.h"

enum { KEY_MAX = 128 };

static struct api_row rows[] = {
#define X(k, min, max, route, handler, timeout, class) \
	{ API_##k, min, max, ROUTE_##route, handler, timeout, CLASS_##class, \
	  NULL },
#include "gateway/apis.def"
#undef X
};
static struct api_row *by_key[KEY_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
index_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows[i].schema = api_schema_find(rows[i].key);
		by_key[rows[i].key] = &rows[i];
	}
}

const struct api_row *
api_find(int16_t key)
{
	pthread_once(&once, index_rows);
	return key >= 0 && key < KEY_MAX ? by_key[key] : NULL;
}

/* APIs that end here, whatever brokers offer. */
static bool
ends_here(const struct api_row *row)
{
	switch (row->key) {
	case API_API_VERSIONS:
	case API_SASL_HANDSHAKE:
	case API_SASL_AUTHENTICATE:
	case API_DESCRIBE_ACLS:
	case API_CREATE_ACLS:
	case API_DELETE_ACLS:
	case API_DESCRIBE_CLIENT_QUOTAS:
	case API_LIST_PARTITION_REASSIGNMENTS:
	case API_DESCRIBE_CLUSTER:
		return true;
	default:
		return false;
	}
}

bool
api_offered(const struct api_row *row, const struct cluster *c, int16_t *min,
    int16_t *max)
{
	const struct api_range *all = &c->apis[row->key];

	*min = row->min;
	*max = row->max;
	if (row->schema == NULL || row->route == ROUTE_DENY)
		return false;
	if (*min < row->schema->since)
		*min = row->schema->since;
	if (*max > row->schema->until)
		*max = row->schema->until;
	if (!ends_here(row)) {
		if (*min < all->min)
			*min = all->min;
		if (*max > all->max)
			*max = all->max;
	}
	return *min <= *max;
}
