/* SPDX-License-Identifier: Apache-2.0 */
#include "quota/limits.h"

#include <assert.h>
#include <stdlib.h>

#include "gateway/base/mem.h"
#include "gateway/base/wildcard.h"

const uint8_t limit_warnings[LIMIT_WARNINGS_MAX] = { 80, 95 };

/* ---- dimensions ---- */

static const struct quota_dimension_row dimensions[] = {
#define X(name, word, kind, unit, scopes, result, text) \
	{ word, unit, text, QUOTA_##kind, scopes, QUOTA_##result },
#include "quota/dimensions.def"
#undef X
};

const struct quota_dimension_row *
quota_dimension(enum quota_dimension d)
{
	assert(d < QUOTA_DIMENSIONS);
	return &dimensions[d];
}

bool
quota_dimension_find(const char *word, enum quota_dimension *to)
{
	for (unsigned d = 0; d < QUOTA_DIMENSIONS; d++) {
		if (strcmp(dimensions[d].word, word) != 0)
			continue;
		*to = (enum quota_dimension)d;
		return true;
	}
	return false;
}

enum quota_scope
quota_dimension_scope(enum quota_dimension d)
{
	unsigned s = 0;

	while ((quota_dimension(d)->scopes & 1u << s) == 0)
		s++;
	return (enum quota_scope)s;
}

int64_t
quota_burst(enum quota_dimension d, int64_t value)
{
	switch (quota_dimension(d)->kind) {
	case QUOTA_RATE:
	case QUOTA_WINDOW:
		return value;
	default:
		return 0;
	}
}

int64_t
quota_value_max(enum quota_dimension d)
{
	uint8_t kind = quota_dimension(d)->kind;

	return kind == QUOTA_RATE || kind == QUOTA_WINDOW ? LIMIT_VALUE_MAX :
	    LIMIT_SIZE_MAX;
}

const char *
quota_scope_word(enum quota_scope s)
{
	static const char *const words[] = { "tenant", "principal", "client",
	    "partition", "node" };

	assert(s < QUOTA_SCOPES);
	return words[s];
}

const char *
quota_mode_word(enum quota_mode m)
{
	static const char *const words[] = { "enforce", "shadow", "off" };

	assert(m <= QUOTA_OFF);
	return words[m];
}

/* ---- rows ---- */

struct limits *
limits_new(const char *profile, uint32_t n)
{
	struct limits *l = mem_zalloc(sizeof(*l));

	atomic_init(&l->refs, 1);
	l->v = mem_zalloc((n + 1) * sizeof(*l->v));
	l->n = n;
	l->profile = mem_strdup(profile);
	return l;
}

struct limits *
limits_ref(struct limits *l)
{
	if (l != NULL)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void
limits_unref(struct limits *l)
{
	if (l == NULL || atomic_fetch_sub_explicit(&l->refs, 1,
	    memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < l->n; i++) {
		free(l->v[i].principal);
		free(l->v[i].client_id);
		free(l->v[i].topic);
	}
	free(l->v);
	free(l->profile);
	free(l);
}

static char *
copy_text(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static void
copy_rows(struct limit *to, const struct limits *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		to[i] = from->v[i];
		to[i].principal = copy_text(from->v[i].principal);
		to[i].client_id = copy_text(from->v[i].client_id);
		to[i].topic = copy_text(from->v[i].topic);
	}
}

struct limits *
limits_join(const struct limits *own, struct limits *profile)
{
	struct limits *to;

	if (own == NULL || own->n == 0)
		return limits_ref(profile);
	to = limits_new(profile->profile, own->n + profile->n);
	copy_rows(to->v, own);
	copy_rows(to->v + own->n, profile);
	return to;
}

/* ---- profiles ---- */

enum profile {
#define PROFILE(id, name) PROFILE_##id,
#define LIMIT(profile, dimension, scope, value, burst)
#include "quota/profiles.def"
#undef PROFILE
#undef LIMIT
	PROFILES
};

static const char *const profile_names[] = {
#define PROFILE(id, name) name,
#define LIMIT(profile, dimension, scope, value, burst)
#include "quota/profiles.def"
#undef PROFILE
#undef LIMIT
};

static const struct profile_row {
	uint8_t		 profile, dimension, scope;
	int64_t		 value, burst;
} profile_rows[] = {
#define PROFILE(id, name)
#define LIMIT(profile, dimension, scope, value, burst) \
	{ PROFILE_##profile, QUOTA_DIM_##dimension, QUOTA_##scope, value, \
	    burst },
#include "quota/profiles.def"
#undef PROFILE
#undef LIMIT
};
enum { PROFILE_ROWS = sizeof(profile_rows) / sizeof(profile_rows[0]) };

static void
fill(struct limit *to, const struct profile_row *from)
{
	to->dimension = from->dimension;
	to->scope = from->scope;
	to->mode = QUOTA_ENFORCE;
	memcpy(to->warn, limit_warnings, sizeof(to->warn));
	to->value = from->value;
	to->burst = from->burst > 0 ? from->burst : quota_burst(
	    (enum quota_dimension)from->dimension, from->value);
}

static struct limits *
make_builtin(unsigned profile)
{
	struct limits *to = limits_new(profile_names[profile], PROFILE_ROWS);
	uint32_t n = 0;

	for (unsigned i = 0; i < PROFILE_ROWS; i++)
		if (profile_rows[i].profile == profile)
			fill(&to->v[n++], &profile_rows[i]);
	to->n = n;
	return to;
}

struct limits *
limits_builtin(const char *name)
{
	for (unsigned i = 0; i < PROFILES; i++)
		if (strcmp(profile_names[i], name) == 0)
			return make_builtin(i);
	return NULL;
}

/* ---- whose ---- */

static bool
fits(const char *pattern, struct slice text)
{
	return pattern == NULL || wildcard_fits(pattern, text);
}

const struct limit *
limits_find(const struct limits *l, enum quota_scope scope,
    enum quota_dimension d, struct slice principal, struct slice client_id,
    struct slice topic)
{
	for (uint32_t i = 0; l != NULL && i < l->n; i++) {
		const struct limit *row = &l->v[i];

		if (row->scope == scope && row->dimension == d &&
		    fits(row->principal, principal) &&
		    fits(row->client_id, client_id) && fits(row->topic, topic))
			return row->mode != QUOTA_OFF ? row : NULL;
	}
	return NULL;
}
