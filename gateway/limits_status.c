/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/limits_status.h"

#include <stdlib.h>

#include <jansson.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/tenants.h"
#include "gateway/text_json.h"
#include "quota/quota.h"

struct status {
	int64_t		 now_us;
	json_t		*limits, *users;
};

static double
seconds(int64_t us)
{
	return (double)(us / 1000) / 1000;
}

static json_t *
record_json(const struct quota_record *r, int64_t now_us)
{
	int64_t last = atomic_load(&r->last_us);

	if (last == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:b}",
	    "times", (json_int_t)atomic_load(&r->times),
	    "over", (json_int_t)atomic_load(&r->over),
	    "seconds", seconds((int64_t)atomic_load(&r->us)),
	    "longest_s", seconds(atomic_load(&r->worst_us)),
	    "since_s", seconds(now_us - atomic_load(&r->first_us)),
	    "last_s", seconds(now_us - last),
	    "now", now_us - last < QUOTA_EPISODE_MS * 1000);
}

static void
add_row(void *arg, const struct quota_row *r)
{
	struct status *s = arg;
	const struct quota_dimension_row *d = quota_dimension(r->dimension);
	json_t *warn = json_array();

	for (int i = 0; r->gauge != NULL && i < LIMIT_WARNINGS_MAX &&
	    r->gauge->warn[i] != 0; i++)
		json_array_append_new(warn, json_integer(r->gauge->warn[i]));
	json_array_append_new(s->limits, json_pack("{s:s, s:s, s:s, s:s, s:s, "
	    "s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:i, "
	    "s:o}",
	    "dimension", d->word, "scope", quota_scope_word(r->scope),
	    "mode", quota_mode_word(r->mode), "unit", d->unit,
	    "per", d->kind == QUOTA_RATE ? "second" :
	    d->kind == QUOTA_WINDOW ? "5 minutes" : "",
	    "value", (json_int_t)r->value, "burst", (json_int_t)r->burst,
	    "use", (json_int_t)r->use, "here", (json_int_t)r->here,
	    "fleet", r->fleet, "peak", (json_int_t)r->peak,
	    "headroom", (json_int_t)r->headroom, "warn_percent", warn,
	    "principal", text_json_or_null(r->principal),
	    "client_id", text_json_or_null(r->client_id),
	    "topic", text_json_or_null(r->topic),
	    "partition", (int)r->partition,
	    "held_up", r->record != NULL ? record_json(r->record, s->now_us) :
	    json_null()));
}

static void
add_user(void *arg, const struct quota_user *u)
{
	struct status *s = arg;

	json_array_append_new(s->users, json_pack("{s:o, s:i, s:I, s:I, s:I}",
	    "principal", text_json_or_null(u->principal), "sessions",
	    (int)u->sessions,
	    "produced_per_s", (json_int_t)u->per_s[QUOTA_IN],
	    "fetched_per_s", (json_int_t)u->per_s[QUOTA_OUT],
	    "requests_per_s", (json_int_t)(u->per_s[QUOTA_OTHER] +
	    u->per_s[QUOTA_TOPICS] + u->per_s[QUOTA_READ])));
}

/* ---- most first ---- */

/* What users are compared by. */
static const char *const figures[] = { "sessions", "produced_per_s",
	"fetched_per_s", "requests_per_s" };
enum { FIGURES = sizeof(figures) / sizeof(figures[0]) };

struct ranked {
	double		 by;
	json_t		*v;
};

static double
times_of(const json_t *row, const double *sums)
{
	(void)sums;
	return json_number_value(json_object_get(json_object_get(row,
	    "held_up"), "seconds"));
}

/* The largest part that it has of anything. */
static double
part_of(const json_t *user, const double *sums)
{
	double most = 0;

	for (int i = 0; i < FIGURES; i++) {
		double part = sums[i] <= 0 ? 0 : json_number_value(
		    json_object_get(user, figures[i])) / sums[i];

		if (part > most)
			most = part;
	}
	return most;
}

static int
compare(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->by;
	double y = ((const struct ranked *)b)->by;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The LIMITS_STATUS_ROWS first of it in that order; takes the reference. */
static json_t *
sorted(json_t *all, double (*rank)(const json_t *, const double *))
{
	size_t n = json_array_size(all);
	struct ranked *v = mem_zalloc(sizeof(*v) * (n + 1));
	double sums[FIGURES] = { 0 };
	json_t *to = json_array();

	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < FIGURES; k++)
			sums[k] += json_number_value(json_object_get(
			    json_array_get(all, i), figures[k]));
	for (size_t i = 0; i < n; i++) {
		v[i].v = json_array_get(all, i);
		v[i].by = rank(v[i].v, sums);
	}
	qsort(v, n, sizeof(*v), compare);
	for (size_t i = 0; i < n && i < LIMITS_STATUS_ROWS; i++)
		json_array_append(to, v[i].v);
	free(v);
	json_decref(all);
	return to;
}

static const struct limits *
limits_of(const struct gateway *g, const char *tenant)
{
	const struct tenant *t = tenant != NULL ? tenants_get(g->tenants,
	    slice_of(tenant)) : NULL;

	return t != NULL ? t->limits : g->config->quota.made;
}

json_t *
limits_status(struct gateway *g, const struct limits_query *q,
    struct error *err)
{
	struct status s = { clock_now_us(), json_array(), json_array() };
	const struct quota_asked asked = { q->principal, q->topic,
		q->partition };
	const struct limits *l;
	bool seen;

	if (q->tenant != NULL && (g->tenants == NULL ||
	    tenants_get(g->tenants, slice_of(q->tenant)) == NULL)) {
		json_decref(s.limits);
		json_decref(s.users);
		error_set(err, "there is no tenant %.80s", q->tenant);
		return NULL;
	}
	l = limits_of(g, q->tenant);
	seen = g->quota != NULL && quota_show(g->quota, q->tenant != NULL ?
	    q->tenant : "", &asked, s.now_us, add_row, add_user, &s);
	return json_pack("{s:o, s:s, s:b, s:o, s:o}",
	    "tenant", text_json_or_null(q->tenant),
	    "profile", l->profile != NULL ? l->profile : "",
	    "seen", seen,
	    "limits", sorted(s.limits, times_of),
	    "users", sorted(s.users, part_of));
}
