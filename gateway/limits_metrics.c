/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/limits_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/mem.h"
#include "quota/quota.h"

enum metric_row {
#define X(name, kind, exported, help) ROW_##name,
#include "gateway/limits_metrics.def"
#undef X
	ROWS
};

static const struct {
	const char	*kind, *name, *help;
} rows[ROWS] = {
#define X(name, kind, exported, help) { #kind, exported, help },
#include "gateway/limits_metrics.def"
#undef X
};

struct sum {
	bool		 limited;	/* at the tenant's scope */
	int64_t		 value, use;
	struct quota_held held;
};

struct tenant_sums {
	const char	*name;		/* the account's */
	struct sum	 of[QUOTA_DIMENSIONS];
	uint64_t	 us;
};

struct hot {
	const char	*tenant;
	char		*topic;
	int32_t		 partition;
	enum quota_dimension dimension;
	uint64_t	 us;
};

struct gathering {
	struct quota		*quota;
	struct tenant_sums	*v;
	size_t			 n, room;
	/* The hottest ones, in no order. */
	struct hot		 hot[LIMITS_METRICS_PARTITIONS];
	int			 hot_count;
};

/* ---- gathering ---- */

static void
add_hot(struct gathering *g, const char *tenant, const struct quota_row *r,
    uint64_t us)
{
	struct hot *to = &g->hot[0];

	if (us == 0)
		return;
	if (g->hot_count < LIMITS_METRICS_PARTITIONS) {
		to = &g->hot[g->hot_count++];
	} else {
		for (int i = 1; i < g->hot_count; i++)
			if (g->hot[i].us < to->us)
				to = &g->hot[i];
		if (to->us >= us)
			return;
		free(to->topic);
	}
	*to = (struct hot){ tenant, mem_strdup(r->topic), r->partition,
		r->dimension, us };
}

static void
add_row(void *arg, const struct quota_row *r)
{
	struct gathering *g = arg;
	struct tenant_sums *t = &g->v[g->n - 1];
	struct sum *s = &t->of[r->dimension];

	if (r->scope == QUOTA_TENANT) {
		s->limited = true;
		s->value = r->value;
		s->use = r->here;
	}
	if (r->scope == QUOTA_PARTITION && r->record != NULL)
		add_hot(g, t->name, r, atomic_load(&r->record->us));
}

static void
no_user(void *arg, const struct quota_user *u)
{
	(void)arg, (void)u;
}

/* Counters are not of what there is now: it comes and goes. */
static void
add_held(struct quota *q, struct tenant_sums *t)
{
	struct quota_held held[QUOTA_DIMENSIONS];

	if (!quota_held(q, t->name, held))
		return;
	for (int d = 0; d < QUOTA_DIMENSIONS; d++) {
		t->of[d].held = held[d];
		t->us += held[d].us;
	}
}

static void
add_tenant(void *arg, const char *tenant)
{
	static const struct quota_asked all = { .partition = -1 };
	struct gathering *g = arg;

	if (g->n == g->room) {
		g->room = g->room > 0 ? g->room * 2 : 16;
		g->v = mem_realloc(g->v, g->room * sizeof(*g->v));
	}
	memset(&g->v[g->n], 0, sizeof(g->v[g->n]));
	g->v[g->n++].name = tenant;
	quota_show(g->quota, tenant, &all, clock_now_us(), add_row, no_user,
	    g);
	add_held(g->quota, &g->v[g->n - 1]);
}

static int
longest_first(const void *a, const void *b)
{
	const struct tenant_sums *x = a, *y = b;

	return x->us < y->us ? 1 : x->us > y->us ? -1 :
	    strcmp(x->name, y->name);
}

/* ---- printing ---- */

static void
head(FILE *f, enum metric_row row)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", rows[row].name,
	    rows[row].help, rows[row].name, rows[row].kind);
}

static void
print_seconds(FILE *f, uint64_t us)
{
	fprintf(f, "%llu.%06u\n", (unsigned long long)(us / 1000000),
	    (unsigned)(us % 1000000));
}

static void
print_sum(FILE *f, enum metric_row row, const char *tenant,
    enum quota_dimension d, const struct sum *s)
{
	bool gauge = row == ROW_VALUE || row == ROW_USE;

	if (gauge ? !s->limited : s->held.times == 0)
		return;
	fprintf(f, "%s{tenant=\"%s\",limit=\"%s\"} ", rows[row].name, tenant,
	    quota_dimension(d)->word);
	switch (row) {
	case ROW_VALUE:
		fprintf(f, "%lld\n", (long long)s->value);
		break;
	case ROW_USE:
		fprintf(f, "%lld\n", (long long)s->use);
		break;
	case ROW_HELD:
		fprintf(f, "%llu\n", (unsigned long long)s->held.times);
		break;
	default:
		print_seconds(f, s->held.us);
		break;
	}
}

/* Topics of the cluster and tenants' ids have nothing that must be quoted. */
static void
print_hot(FILE *f, const struct hot *h)
{
	fprintf(f, "%s{tenant=\"%s\",limit=\"%s\",topic=\"%s\","
	    "partition=\"%d\"} ", rows[ROW_PARTITION].name, h->tenant,
	    quota_dimension(h->dimension)->word, h->topic, (int)h->partition);
	print_seconds(f, h->us);
}

void
limits_metrics(struct quota *q, FILE *f)
{
	struct gathering g = { .quota = q };
	size_t shown;

	quota_accounts(q, add_tenant, &g);
	if (g.n > 1)
		qsort(g.v, g.n, sizeof(*g.v), longest_first);
	shown = g.n < LIMITS_METRICS_TENANTS ? g.n : LIMITS_METRICS_TENANTS;
	for (int row = 0; row < ROW_PARTITION; row++) {
		head(f, (enum metric_row)row);
		for (size_t i = 0; i < shown; i++)
			for (int d = 0; d < QUOTA_DIMENSIONS; d++)
				print_sum(f, (enum metric_row)row, g.v[i].name,
				    (enum quota_dimension)d, &g.v[i].of[d]);
	}
	head(f, ROW_PARTITION);
	for (int i = 0; i < g.hot_count; i++) {
		print_hot(f, &g.hot[i]);
		free(g.hot[i].topic);
	}
	free(g.v);
}
