/* SPDX-License-Identifier: Apache-2.0 */
#include "routing/virtual.h"

#include <pthread.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "gateway/base/htab.h"

int32_t
virtual_count(const struct cluster *c, int32_t choice)
{
	/* One that is away counts, or the ids of the others would move. */
	int32_t n = choice == VIRTUAL_AUTO ? c->known.n : choice;

	return n > 0 ? n : 1;
}

int32_t
virtual_broker(const struct cluster *c, int32_t count, int32_t real)
{
	int32_t rank;

	if (real < 0)
		return -1;
	rank = cluster_broker_rank(c, real);
	return rank < 0 ? -1 : rank % count;
}

int32_t
virtual_real(const struct cluster *c, int32_t count, int32_t id)
{
	int32_t found = -1;

	for (int32_t i = 0; i < c->broker_count; i++) {
		if (virtual_broker(c, count, c->brokers[i].id) != id)
			continue;
		if (found >= 0)
			return -1;
		found = c->brokers[i].id;
	}
	return found;
}

int32_t
virtual_for_key(int32_t count, struct slice key)
{
	uint32_t h = 2166136261u;

	/* FNV-1a: the same on each node, which htab_hash is not. */
	for (uint32_t i = 0; i < key.len; i++)
		h = (h ^ key.data[i]) * 16777619u;
	return (int32_t)(h % (uint32_t)count);
}

struct slice
virtual_cluster_id(const struct cluster *c, struct arena *a)
{
	/* 16 bytes as Kafka's ids are: 22 characters of base64url. */
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t hash[32];
	uint8_t *to = arena_get(a, 24);

	EVP_Digest(c->cluster_id.data, c->cluster_id.len, hash, NULL,
	    EVP_sha256(), NULL);
	hash[16] = 0;
	for (int i = 0; i < 22; i++) {
		int bit = i * 6;
		uint32_t two = (uint32_t)hash[bit / 8] << 8 |
		    hash[bit / 8 + 1];

		to[i] = (uint8_t)digits[two >> (10 - bit % 8) & 63];
	}
	return (struct slice){ to, 22 };
}

static bool
contains(const struct int32_list *l, int32_t v)
{
	for (int32_t i = 0; i < l->n; i++)
		if (l->v[i] == v)
			return true;
	return false;
}

struct int32_list
virtual_brokers(const struct cluster *c, int32_t count,
    const struct int32_list *real, struct arena *a)
{
	struct int32_list out = { NULL, 0 };

	if (real->n <= 0)
		return out;
	out.v = ARENA_ARRAY(a, int32_t, real->n);
	for (int32_t i = 0; i < real->n; i++) {
		int32_t id = virtual_broker(c, count, real->v[i]);

		if (id >= 0 && !contains(&out, id))
			out.v[out.n++] = id;
	}
	return out;
}

/* Measured with 25 clients: who is not here loses data or was not tried. */
static const struct virtual_rule built_in[] = {
	{ "apache-kafka-java", "", { 0, 0, 0 } },
	{ "sarama", "", { 0, 0, 0 } },
	{ "rskafka", "", { 0, 0, 0 } },
	{ "kgo", "", { 1, 21, 0 } },
	{ "kafka-python", "", { 3, 0, 0 } },
	{ "librdkafka", "", { 2, 10, 0 } },
	{ "confluent-kafka-go", "", { 2, 10, 0 } },
	{ "confluent-kafka-dotnet", "", { 2, 10, 0 } },
	/* Wrappers carry librdkafka's version behind their own. */
	{ "*", "rdkafka-", { 2, 10, 0 } },
	{ NULL, NULL, { 0, 0, 0 } },
};

/* Reads "v2.10.1..." into three numbers; false when it does not start so. */
static bool
read_version(const char *s, int16_t to[3])
{
	int a, b = 0, c = 0;

	if (*s == 'v')
		s++;
	if (sscanf(s, "%4d.%4d.%4d", &a, &b, &c) < 1 || a < 0 || b < 0 ||
	    c < 0)
		return false;
	to[0] = (int16_t)a;
	to[1] = (int16_t)b;
	to[2] = (int16_t)c;
	return true;
}

static bool
at_least(const int16_t have[3], const int16_t want[3])
{
	for (int i = 0; i < 3; i++)
		if (have[i] != want[i])
			return have[i] > want[i];
	return true;
}

/* The text behind the last occurrence of the marker, or NULL. */
static const char *
behind(const char *text, const char *marker)
{
	const char *found = NULL;

	if (*marker == '\0')
		return text;
	for (const char *p = text; (p = strstr(p, marker)) != NULL; p++)
		found = p + strlen(marker);
	return found;
}

bool
virtual_keeps_apart(const struct virtual_rule *rules, struct slice name,
    struct slice version)
{
	char text[128];
	int16_t have[3];

	if (name.data == NULL || name.len == 0)
		return false;
	snprintf(text, sizeof(text), "%.*s", SLICE_FMT(version));
	if (rules == NULL)
		rules = built_in;
	for (const struct virtual_rule *r = rules; r->name != NULL; r++) {
		const char *from;

		if (strcmp(r->name, "*") != 0 && !slice_is(name, r->name))
			continue;
		if (r->version[0] == 0 && r->version[1] == 0 &&
		    r->version[2] == 0)
			return true;
		from = behind(text, r->marker);
		if (from != NULL && read_version(from, have) &&
		    at_least(have, r->version))
			return true;
	}
	return false;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct htab *remembered;
static const char apart, together;	/* their addresses are the values */

static struct slice
client_key(const char *host, struct slice client_id, char *to, size_t size)
{
	int n = snprintf(to, size, "%s\n%.*s", host, SLICE_FMT(client_id));

	if ((size_t)n >= size)
		n = (int)size - 1;
	return (struct slice){ (uint8_t *)to, (uint32_t)n };
}

void
virtual_remember(const char *host, struct slice client_id, bool keeps_apart)
{
	char text[512];
	struct slice key = client_key(host, client_id, text, sizeof(text));
	const char *value = keeps_apart ? &apart : &together;

	pthread_mutex_lock(&lock);
	/* When full, all is forgotten: those who return are learnt anew. */
	if (remembered != NULL &&
	    htab_count(remembered) >= VIRTUAL_REMEMBERED) {
		htab_free(remembered, NULL);
		remembered = NULL;
	}
	if (remembered == NULL)
		remembered = htab_new();
	htab_set(remembered, key, (void *)(uintptr_t)value);
	pthread_mutex_unlock(&lock);
}

bool
virtual_recall(const char *host, struct slice client_id, bool *keeps_apart)
{
	char text[512];
	struct slice key = client_key(host, client_id, text, sizeof(text));
	const void *value = NULL;

	pthread_mutex_lock(&lock);
	if (remembered != NULL)
		value = htab_get(remembered, key);
	pthread_mutex_unlock(&lock);
	*keeps_apart = value == &apart;
	return value != NULL;
}
